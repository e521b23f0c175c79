"""What we write as our own address."""

from callcore.call.addresses import Addresses
from callcore.flow import Flow

V4, V6 = ("0.0.0.0", 5060), ("::", 5060)
PEER = ("192.0.2.1", 5060)


def test_the_listener_used_is_what_is_written():
    ours = Addresses({})
    ours.add("udp", ("10.0.0.1", 5060), "10.0.0.1")
    ours.add("udp", ("10.0.1.1", 5070), "10.0.1.1")
    assert ours.sent_by(Flow("udp", ("10.0.1.1", 5070), PEER)) == "10.0.1.1:5070"
    assert ours.contact(Flow("udp", ("10.0.0.1", 5060), PEER)) == "<sip:10.0.0.1:5060>"


def test_a_connection_of_ours_is_written_as_the_listener():
    ours = Addresses({})
    ours.add("tcp", ("10.0.0.1", 5060), "10.0.0.1")
    flow = Flow("tcp", ("10.0.0.1", 40000), PEER, 3)
    assert ours.contact(flow) == "<sip:10.0.0.1:5060;transport=tcp>"
    assert Addresses({}).contact(flow) == "<sip:10.0.0.1:40000;transport=tcp>"


def test_all_addresses_are_written_as_one_and_an_advertised_host_wins():
    ours = Addresses({"tcp": "sip.example"})
    ours.add("udp", V4, "10.0.0.9")
    ours.add("tcp", V4, "10.0.0.9")
    assert ours.sent_by(Flow("udp", V4, PEER)) == "10.0.0.9:5060"
    assert ours.sent_by(Flow("tcp", ("10.0.0.9", 5060), PEER, 1)) == "sip.example:5060"
    assert ours.written() == {"udp": ("10.0.0.9", 5060), "tcp": ("sip.example", 5060)}


def test_the_family_of_the_peer_chooses_the_listener():
    ours = Addresses({})
    ours.add("udp", V4, "10.0.0.9")
    ours.add("udp", V6, "2001:db8::9")
    assert ours.source("udp", PEER) == V4
    assert ours.source("udp", ("2001:db8::1", 5060)) == V6
    assert ours.sent_by(Flow("udp", V6, ("2001:db8::1", 5060))) == "[2001:db8::9]:5060"
