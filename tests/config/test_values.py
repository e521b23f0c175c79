"""Values written as one string come apart, and together again."""

import pytest

from config.values import Address, Listen, Peer, Ports, Store


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Address, "127.0.0.1:8080"),
        (Address, "[::1]:0"),
        (Listen, "udp://127.0.0.1:5060"),
        (Listen, "wss://[2001:db8::1]:443"),
        (Ports, "20000-29999"),
        (Peer, "127.0.0.1"),
        (Peer, "127.0.0.1:5070"),
        (Peer, "tcp://192.0.2.1:5060"),
        (Peer, "192.0.2.0/24"),
        (Peer, "2001:db8::/32"),
        (Peer, "[2001:db8::1]:5060"),
        (Peer, "tls://sbc.example.org"),
        (Peer, "sbc-1.example.org:5070"),
        (Store, "file:recordings"),
        (Store, "s3://bucket/a/b"),
        (Store, "s3://bucket"),
    ],
)
def test_a_value_is_written_as_it_was_read(kind, text):
    assert str(kind.parse(text)) == text


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Address, "127.0.0.1"),
        (Address, "host:80"),
        (Address, "::1:80"),
        (Listen, "sctp://127.0.0.1:5060"),
        (Listen, "udp://"),
        (Listen, "udp://127.0.0.1"),
        (Listen, "wss://[::1]"),
        (Ports, "20000"),
        (Ports, "80-90"),
        (Peer, "192.0.2.1/24"),
        (Peer, "wss://192.0.2.1"),
        (Peer, "192.0.2.256"),
        (Peer, "sbc.example.org:0"),
        (Peer, "sbc_1.example.org"),
        (Store, "file:"),
        (Store, "recordings"),
        (Store, "s3://B"),
    ],
)
def test_what_is_no_such_value_is_a_value_error(kind, text):
    with pytest.raises(ValueError):
        kind.parse(text)


@pytest.mark.parametrize(
    ("kind", "text"),
    [(Address, "localhost:80"), (Listen, "udp://localhost:5060"), (Peer, "localhost:5070")],
)
def test_localhost_is_two_addresses_and_refused(kind, text):
    with pytest.raises(ValueError, match=r"write 127\.0\.0\.1 or \[::1\]"):
        kind.parse(text)


def test_peers_of_two_versions_never_overlap():
    assert not Peer.parse("0.0.0.0/0").overlaps(Peer.parse("::/0"))
