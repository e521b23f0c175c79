"""What must hold between keys that are sound alone, and what a start would stumble over."""

import pytest

from config.loader import ConfigError, loads
from tests.config.mistakes import keys, told_of


def test_a_listener_without_its_port_is_told_what_is_allowed():
    with pytest.raises(ConfigError) as found:
        loads('[sip]\nlisten = ["udp://127.0.0.1"]\n[http]\nlisten = "localhost:8080"')
    port, name = map(str, found.value.mistakes)
    assert "sip.listen[0]" in port
    assert "an IP address and a port, as udp://127.0.0.1:5060" in port
    assert "the port is missing" in port
    assert "http.listen" in name
    assert "write 127.0.0.1 or [::1]" in name


def test_two_ways_of_tcp_at_one_port_cannot_both_start():
    text = '[sip]\nlisten = ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060", "ws://0.0.0.0:5060"]'
    assert "sip.listen[2]" in keys(text)
    assert "sip.listen[1]" not in keys(text)


def test_a_secure_listener_needs_a_certificate():
    text = '[sip]\nlisten = ["tls://127.0.0.1:5061"]\nkey = "setup.cfg"'
    assert set(keys(text)) == {"sip.certificate"}


def test_who_wants_certificates_of_clients_says_by_whom():
    text = """
    [sip]
    listen = ["tls://127.0.0.1:5061", "wss://127.0.0.1:5062"]
    certificate = "setup.cfg"
    key = "no-such-file"
    client_certificates = "required"
    """
    assert set(keys(text)) == {"sip.key", "sip.client_ca"}


def test_a_trunk_s_own_certificate_has_a_key():
    text = """
    [[trunks]]
    name = "a"
    peers = ["tls://sbc.example.org"]
    ca = "no-such-file"
    certificate = "setup.cfg"
    """
    assert set(keys(text)) == {"trunks[0].ca", "trunks[0].key"}


def test_two_trunks_must_not_have_one_name():
    text = """
    [[trunks]]
    name = "a"
    peers = ["sbc.example.org", "tls://sbc2.example.org:5071"]
    [[trunks]]
    name = "b"
    peers = ["tcp://SBC.example.org"]
    """
    assert keys(text) == ["trunks[1].peers[0]"]


def test_peers_of_two_trunks_must_not_overlap():
    text = """
    [[trunks]]
    name = "a"
    peers = ["192.0.2.0/24"]
    [[trunks]]
    name = "b"
    peers = ["198.51.100.7", "192.0.2.9"]
    """
    assert keys(text) == ["trunks[1].peers[1]"]


def test_peers_on_one_host_with_ports_of_their_own_do_not_overlap():
    text = """
    [[trunks]]
    name = "a"
    peers = ["127.0.0.1:5070"]
    [[trunks]]
    name = "b"
    peers = ["127.0.0.1:5071"]
    """
    assert [str(trunk.peers[0]) for trunk in loads(text).trunks] == [
        "127.0.0.1:5070",
        "127.0.0.1:5071",
    ]


def test_a_registering_trunk_needs_its_names():
    text = '[[trunks]]\nname = "a"\nmode = "register"'
    assert keys(text) == ["trunks[0].user", "trunks[0].password", "trunks[0].registrar"]


def test_prompts_of_queues_and_of_the_calendar_are_looked_for(tmp_path):
    own = tmp_path / "own.wav"
    own.touch()
    sound = f'''
    [[seats]]
    user = "8001"
    password = "x"
    [[queues]]
    name = "12345"
    announcement = "{own}"
    music = "tone:ringback"
    callback = {{ prompt = "callback.wav" }}
    '''
    assert told_of(sound) == []
    unsound = sound.replace(str(own), "a.wav").replace("tone:ringback", "b.wav")
    told = told_of(unsound.replace("callback.wav", "c.wav"))
    assert ["a.wav" in told[0], "b.wav" in told[1], "c.wav" in told[2]] == [True] * 3
