"""Which trunk a source belongs to, where we call, who is alive."""

import pytest

from callcore.call.locate import Way
from callcore.call.settings import Registration, Trunk
from callcore.call.trunk import Health, Target, Trunks, parse_peer, split_host_port
from callcore.effects import Resolve
from callcore.errors import LocalProtocolError


@pytest.mark.parametrize(
    ("text", "transport", "host", "port", "is_target"),
    [
        ("10.0.0.1", None, "10.0.0.1", 0, True),
        ("udp://10.0.0.1:5070", "udp", "10.0.0.1", 5070, True),
        ("tcp://10.0.0.1:5070", "tcp", "10.0.0.1", 5070, True),
        ("10.1.0.0/16", None, "10.1.0.0", 0, False),
        ("[2001:db8::1]:5070", None, "2001:db8::1", 5070, True),
        ("2001:db8::1", None, "2001:db8::1", 0, True),
        ("sbc.example.net:5080", None, "sbc.example.net", 5080, True),
        ("tls://sbc.example.net", "tls", "sbc.example.net", 0, True),
    ],
)
def test_peers_are_addresses_networks_or_names(text, transport, host, port, is_target):
    peer = parse_peer(text)
    assert (peer.transport, peer.host, peer.port, peer.is_target) == (
        transport,
        host,
        port,
        is_target,
    )


@pytest.mark.parametrize(
    "text", ["sctp://10.0.0.1", "10.0.0.1:0", "10.0.0.1:99999", "10.0.0/8x", ""]
)
def test_a_bad_peer_is_named(text):
    with pytest.raises(LocalProtocolError, match=r"peer|port"):
        parse_peer(text)


def test_host_and_port_are_split():
    assert split_host_port("a:5060") == ("a", 5060)
    assert split_host_port("[::1]:5060") == ("::1", 5060)
    assert split_host_port("::1") == ("::1", 0)


def test_a_source_belongs_to_the_trunk_that_names_it_most_exactly():
    trunks = Trunks(
        [
            Trunk("wide", peers=("10.0.0.0/8",)),
            Trunk("one", peers=("10.0.0.5:5070",)),
        ]
    )
    assert trunks.owner("udp", ("10.0.0.5", 5070), 0) == "one"
    assert trunks.owner("udp", ("10.0.0.5", 5071), 0) == "wide"
    assert trunks.owner("udp", ("192.0.2.1", 5070), 0) is None
    assert trunks.owner("tcp", ("10.0.0.5", 41234), 5070) == "one"
    assert trunks.owner("tcp", ("10.0.0.5", 41234), 5060) == "wide"


def test_a_port_keeps_seats_and_trunk_apart_on_one_host():
    trunks = Trunks([Trunk("ims", peers=("127.0.0.1:5070",))])
    assert trunks.owner("udp", ("127.0.0.1", 5070), 0) == "ims"
    assert trunks.owner("udp", ("127.0.0.1", 40001), 5070) is None


def test_names_count_once_they_are_resolved():
    trunks = Trunks([Trunk("ims", peers=("sbc.example.net",))])
    asked = Resolve("sbc.example.net")
    assert trunks.names() == [asked]
    assert trunks.owner("udp", ("192.0.2.7", 5060), 0) is None
    assert trunks.targets("ims") == []
    ways = tuple(Way("udp", host, 5060) for host in ("192.0.2.7", "192.0.2.8"))
    trunks.resolved(asked, ways)
    assert trunks.owner("udp", ("192.0.2.7", 5060), 0) == "ims"
    assert trunks.targets("ims") == [
        Target("udp", ("192.0.2.7", 5060)),
        Target("udp", ("192.0.2.8", 5060)),
    ]


def test_targets_keep_the_configured_order_with_the_dead_last():
    first, second = Target("udp", ("10.0.0.1", 5060)), Target("udp", ("10.0.0.2", 5060))
    trunks = Trunks([Trunk("ims", peers=("10.0.0.1", "10.9.0.0/16", "10.0.0.2"))])
    assert trunks.targets("ims") == [first, second]
    assert trunks.is_up("ims") is None
    assert trunks.observe("ims", first, False) is None
    assert trunks.targets("ims") == [second, first]
    assert trunks.observe("ims", second, True) is True
    assert trunks.observe("ims", second, False) is None
    assert trunks.observe("ims", second, False) is False


def test_a_registering_trunk_is_called_by_its_proxy():
    registration = Registration("u", "p", "sip:+86@ims.example", "ims.example", "192.0.2.1:5080")
    trunks = Trunks([Trunk("ims", registration=registration)])
    assert trunks.owner("udp", ("192.0.2.1", 5080), 0) == "ims"
    assert trunks.targets("ims") == [Target("udp", ("192.0.2.1", 5080))]


def test_one_lost_probe_takes_nobody_down_and_one_answer_brings_nobody_back():
    health = Health().observe(True)
    health = health.observe(False)
    assert health.up
    assert health.observe(True) == Health(True)
    health = health.observe(False)
    assert health == Health(False)
    health = health.observe(True)
    assert health.up is False
    assert health.observe(True).up


def test_the_memory_of_sources_is_bounded():
    trunks = Trunks([Trunk("ims", peers=("10.0.0.0/8",))])
    for n in range(10_000):
        trunks.owner("udp", (f"172.16.{n >> 8}.{n & 255}", n), 0)
    assert len(trunks._owners) <= 4096
