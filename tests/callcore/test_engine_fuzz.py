"""Whatever bytes come, the engine answers or drops them, and goes on."""

from hypothesis import given, settings
from hypothesis import strategies as st

from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import LimitSettings
from callcore.flow import Flow
from tests.callcore.stage import SDP, UDP, Peer, Stage, udp

FREE = LimitSettings(per_source=1e6, source_burst=1e6, strangers=1e6, strangers_burst=1e6)
TCP = Flow("tcp", UDP, ("10.0.0.1", 40000), 1)
KINDS = ("INVITE", "REGISTER", "OPTIONS", "BYE", "CANCEL", "ACK", "UPDATE", "MESSAGE")
JUNK = st.one_of(
    st.binary(max_size=12),
    st.sampled_from(
        [b"\r\n", b"\r\n\r\n", b";", b",", b'"', b"<", b">", b"\x00", b"\xff", b"%", b"@"]
    ),
)


@st.composite
def mangled(draw):
    """A good request with some bytes cut out and others put in."""
    method = draw(st.sampled_from(KINDS))
    to_tag = draw(st.sampled_from([{}, {"to_tag": "tag1"}]))
    data = Peer(None, "10.0.0.1").request(method, body=SDP, from_host="x", **to_tag)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 8))
        data = data[:at] + draw(JUNK) + data[at + cut :]
    return data


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(mangled(), st.binary(max_size=200)), min_size=1, max_size=4))
def test_mangled_datagrams_never_raise(datagrams):
    stage = Stage(limits=FREE)
    for data in datagrams:
        for host in ("10.0.0.1", "192.0.2.9"):
            stage.receive(data, udp(host))
    stage.wait(300)  # the longest that an unanswered call rings, and its refusal repeated
    assert stage.engine.transactions == 0


@settings(max_examples=150, deadline=None)
@given(st.lists(mangled(), min_size=1, max_size=4), st.integers(1, 400))
def test_a_mangled_stream_never_raises(messages, size):
    stage = Stage(limits=FREE)
    data = b"".join(messages)
    for at in range(0, len(data), size):
        stage.receive(data[at : at + size], TCP)
    stage.engine.flow_closed(TCP, stage.now)
    stage.wait(300)  # the longest that an unanswered call rings, and its refusal repeated
    assert stage.engine.transactions == 0


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 700), st.integers(0, 6), JUNK, st.sampled_from([100, 180, 200, 401, 486]))
def test_mangled_responses_never_raise(at, cut, junk, status):
    stage = Stage(limits=FREE)
    peer = Peer(stage, "10.0.0.1")
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    invite = stage.taken()[0][1]
    data = peer.response(invite, status, body=SDP)
    stage.receive(data[:at] + junk + data[at + cut :], peer.flow)
    stage.receive(data, peer.flow)
    stage.do("hang_up", "L")
    stage.wait(400)
    assert stage.engine.legs == 0
    assert stage.engine.transactions == 0


def test_an_expiry_of_any_length_is_answered_and_leaves_nothing():
    """Python itself reads no number of more than 4,300 digits (ValueError)."""
    stage = Stage(limits=FREE)
    phone = Peer(stage, "10.0.1.1")
    contact = f"Contact: <sip:8001@10.0.1.1:5060>;expires={'9' * 5000}"
    phone.request = lambda *args, real=phone.request, **more: real(*args, **more).replace(
        b"Contact: <sip:8001@10.0.1.1:5060>", contact.encode()
    )
    granted = phone.register()
    assert granted.status == 200
    assert granted.contacts[0].params["expires"] == "3600"
    stage.wait(60)
    assert stage.engine.transactions == 0
