"""What the gateway's table says goes with the other tables."""

import pytest

from config.loader import ConfigError, loads
from service.wiring import gateway_settings

WEB = '[sip]\nlisten = ["ws://127.0.0.1:5066"]\n'


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ('[gateway]\nports = "20100-20101"', "gateway.ports", "ports outside of [media] ports"),
        (
            '[gateway]\nprocesses = 3\nports = "19000-19001"',
            "gateway.ports",
            "at least 3 ports, one for each process",
        ),
        ('[gateway]\naddress = "0.0.0.0"', "gateway.public_address", "browsers reach us at"),
        ('[gateway]\ncodecs = ["opus", "opus"]', "gateway.codecs", "each once"),
        ('[gateway]\ncodecs = ["G722"]', "gateway.codecs[0]", '"opus" or "PCMA" or "PCMU"'),
        ("[gateway]\nconnect_seconds = 0", "gateway.connect_seconds", "more than 0"),
    ],
)
def test_what_cannot_be_is_named(text: str, key: str, allowed: str):
    with pytest.raises(ConfigError) as raised:
        loads(WEB + text)
    (mistake,) = raised.value.mistakes
    assert mistake.key == key
    assert allowed in mistake.allowed


def test_without_a_websocket_there_is_no_gateway():
    assert gateway_settings(loads('[gateway]\nports = "20100-20101"')) is None
    assert gateway_settings(loads(WEB + "[gateway]\nenabled = false")) is None


def test_browsers_are_told_the_public_address_first():
    text = '[media]\naddress = "10.0.0.5"\npublic_address = "198.51.100.1"\n'
    settings = gateway_settings(loads(WEB + text))
    assert settings is not None
    assert settings.shown == ("198.51.100.1", "10.0.0.5")
    assert (settings.address, settings.plain) == ("10.0.0.5", "10.0.0.5")


def test_a_plane_on_all_addresses_is_reached_by_loopback():
    text = '[media]\naddress = "0.0.0.0"\npublic_address = "198.51.100.1"\n'
    settings = gateway_settings(loads(WEB + text))
    assert settings is not None
    assert (settings.shown, settings.plain) == (("198.51.100.1",), "127.0.0.1")
