"""Nothing of one side shows on the other: all bytes of each side are looked through."""

import re

import pytest

from callcore.call.events import Arrived
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.settings import Trunk
from tests.callcore.stage import Peer, Stage

OURS = (
    b"v=0\r\no=- 5 5 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 20000 RTP/AVP 8\r\n"
)
THEIRS = (
    b"v=0\r\no=operator-host 7 7 IN IP4 10.0.0.77\r\ns=inner-name\r\nc=IN IP4 10.0.0.77\r\n"
    b"t=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
)
LEAKY = [
    ("User-Agent", "Operator-SBC/9.9"),
    ("Server", "Operator-SBC/9.9"),
    ("Organization", "inner-org"),
    ("X-Internal", "inner-header"),
    ("Record-Route", "<sip:10.0.0.1:5060;lr>"),
    ("P-Charging-Vector", "icid-value=inner-icid"),
    ("Subject", "inner-subject"),
    ("Warning", '399 inner-warning "inner"'),
]
SECRETS = (
    *(b"10.0.0.1:", b"10.0.0.1;", b"10.0.0.1>", b"@10.0.0.1", b"10.0.0.77"),
    *(b"Operator-SBC", b"inner-", b"operator-host", b"far", b"peer", b"west-call-id"),
)


class Ears(Stage):
    """A stage that keeps all bytes, by where they went."""

    def __init__(self, **more) -> None:
        self.bytes: dict[str, list[bytes]] = {}
        super().__init__(**more)

    def collect(self) -> None:
        for effect in self.engine._out:
            if hasattr(effect, "data"):
                self.bytes.setdefault(effect.flow.remote[0], []).append(effect.data)
        super().collect()


@pytest.fixture
def stage() -> Ears:
    trunks = (
        Trunk("ims", peers=("10.0.0.1",), probe_seconds=0),
        Trunk("other", peers=("192.0.2.9",), probe_seconds=0),
    )
    return Ears(trunks=trunks)


def leaks(stage: Ears, host: str, secrets: tuple[bytes, ...]) -> list[tuple[bytes, bytes]]:
    """Which secrets went to a host, each with its message; the host's own Via and such aside."""
    assert stage.bytes[host]
    return [(secret, data) for data in stage.bytes[host] for secret in secrets if secret in data]


def through(stage: Ears, target, far: Peer) -> tuple[Peer, object]:
    """A call from the trunk, answered at the other side, held, and hung up by the trunk."""
    west = Peer(stage, "10.0.0.1")
    call = {"call_id": "west-call-id@10.0.0.77", "headers": LEAKY, "body": THEIRS}
    west.invite(**call)
    [arrived] = stage.told(Arrived)
    stage.do("place", "out", target, Party(arrived.caller), OURS)
    [invite] = [m for _, m in stage.taken() if getattr(m, "method", "") == "INVITE"]
    far.respond(invite, 180, headers=[("Server", "Seat-Phone/1"), ("X-Seat", "seat-header")])
    stage.do("progress", arrived.leg, 180)
    body = OURS.replace(b"127.0.0.1", b"10.0.7.99").replace(b"o=- ", b"o=seat-user ")
    far.respond(invite, 200, body=body, headers=[("Server", "Seat-Phone/1")])
    stage.do("answer", arrived.leg, OURS)
    [answer] = [m for _, m in stage.taken() if getattr(m, "status", 0) == 200]
    in_dialog = {"call_id": call["call_id"], "to_tag": answer.to.tag, "from_host": "net.example"}
    west.send("ACK", cseq=1, **in_dialog)
    west.send("INVITE", cseq=2, body=THEIRS, headers=LEAKY, **in_dialog)
    stage.do("accept_offer", arrived.leg, OURS)
    west.send("ACK", cseq=2, **in_dialog)
    west.send("BYE", cseq=3, headers=[("Reason", 'SIP;cause=200;text="inner-reason"')], **in_dialog)
    stage.do("hang_up", "out")
    assert any(data.startswith(b"BYE ") for data in stage.bytes[far.host])
    return west, invite


SEAT_SECRETS = (b"10.0.7.1", b"10.0.7.99", b"Seat-Phone", b"seat-header", b"seat-user")


def test_a_seat_sees_nothing_of_the_operator_and_the_operator_nothing_of_the_seat(stage) -> None:
    seat = Peer(stage, "10.0.7.1")
    assert seat.register().status == 200
    stage.told()
    _, invite = through(stage, SeatTarget("8001"), seat)
    calls = [data for data in stage.bytes["10.0.7.1"] if b"REGISTER" not in data]
    stage.bytes["10.0.7.1"] = calls
    own = {b"far", b"peer"}  # the stage's tags, which each side gets back as its own
    assert leaks(stage, "10.0.7.1", tuple(s for s in SECRETS if s not in own)) == []
    assert leaks(stage, "10.0.0.1", (*SEAT_SECRETS, invite.call_id.encode())) == []


def test_one_operator_sees_nothing_of_another(stage) -> None:
    stage.told()
    far = Peer(stage, "192.0.2.9")
    _, invite = through(stage, TrunkTarget("other", "13800138000"), far)
    own = {b"far", b"peer"}
    assert leaks(stage, "192.0.2.9", tuple(s for s in SECRETS if s not in own)) == []
    secrets = (b"192.0.2.9", *SEAT_SECRETS[1:], invite.call_id.encode())
    assert leaks(stage, "10.0.0.1", secrets) == []


def test_strangers_learn_neither_name_nor_version(stage) -> None:
    stranger = Peer(stage, "198.51.100.7")
    stranger.send("OPTIONS")
    stranger.send("REGISTER", to="")
    stranger.invite()
    stranger.send("FROBNICATE")
    stage.receive(
        stranger.request("INVITE").replace(b"Max-Forwards: 70", b"Expires"), stranger.flow
    )
    for data in stage.bytes["198.51.100.7"]:
        assert not re.search(rb"(?im)^(server|user-agent|organization):|callcore", data), data
