"""Legs of browsers: what the seat is offered, what the gateway is told, what the plane sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callcore.errors import RemoteProtocolError
from callcore.sdp import LocalMedia, make_answer, make_offer, parse_sdp
from callcore.sdp.webrtc import WebLocal, is_web, make_web_answer, make_web_offer
from hotline.browser_care import BrowserCare
from hotline.browser_legs import BrowserLegs
from hotline.media_legs import MediaLegs, Terms
from media import events as media
from media.errors import LocalProtocolError
from media.gateway import messages as m
from media.io.gateway import Ends, Gateway
from media.io.plane import Address, MediaPlane, Remote

PLAIN = ("127.0.0.1", 41000)
PHONE = LocalMedia("192.0.2.9", 4000)
BROWSER = WebLocal(
    (("192.0.2.8", 5000),), "brow", "b" * 24, ("sha-256", ":".join(["AB"] * 32)), mid="0"
)


@dataclass
class PaperPlane:
    """Gives ports, remembers where each leg sends."""

    remotes: dict[str, Remote] = field(default_factory=dict)
    ports: int = 20000
    settings: Any = field(default_factory=lambda: SimpleNamespace(address="127.0.0.1"))

    def open(self, leg: str, near: str | None = None) -> Address:
        self.ports += 2
        return Address("127.0.0.1", self.ports)

    def connect(self, leg: str, remote: Remote) -> None:
        self.remotes[leg] = remote

    def close(self, leg: str) -> None:
        self.remotes.pop(leg, None)


@dataclass
class PaperGateway:
    """Remembers what it is told."""

    told: list[Any] = field(default_factory=list)
    open_sessions: set[str] = field(default_factory=set)
    serial: int = 0
    away: bool = False

    def open(self, session: str, plane: Address, *, wait: bool = False) -> Ends:
        if self.away:
            raise LocalProtocolError("no gateway process is up")
        self.open_sessions.add(session)
        self.told.append(("open", session, tuple(plane)))
        return self.renew(session)

    def renew(self, session: str) -> Ends:
        self.serial += 1
        print_ = ("sha-256", ":".join([f"{self.serial:02X}"] * 32))
        secret = f"{self.serial:024d}"
        return Ends((("198.51.100.1", 19000),), f"ours{self.serial}", secret, print_, PLAIN)

    def connect(self, agreed: m.Connect) -> None:
        self.told.append(agreed)

    def aim(self, session: str, plane: Address) -> None:
        self.told.append(("aim", session, tuple(plane)))

    def close(self, session: str) -> None:
        self.open_sessions.discard(session)


class House:
    """MediaLegs over a plane and a gateway of paper."""

    def __init__(self) -> None:
        self.plane, self.gateway = PaperPlane(), PaperGateway()
        browsers = BrowserLegs(cast(Gateway, self.gateway), ("opus", "PCMA"))
        self.legs = MediaLegs(cast(MediaPlane, self.plane), Terms("198.51.100.1"), browsers)

    def called(self, leg: str = "a") -> bytes:
        """A browser seat is called and answers; our offer."""
        self.legs.open(leg)
        offer = self.legs.described(leg, "wss", self.legs.offer(leg))
        answer, _ = make_web_answer(parse_sdp(offer), BROWSER)
        self.legs.accepted(leg, parse_sdp(as_client(answer)))
        return offer

    def agreed(self) -> m.Connect:
        """The last agreement that the gateway was told of."""
        return [one for one in self.gateway.told if isinstance(one, m.Connect)][-1]


def as_client(answer: bytes) -> bytes:
    """Browsers choose to be the DTLS client where they may."""
    return answer.replace(b"setup:passive", b"setup:active")


@pytest.fixture
def house() -> House:
    return House()


def test_a_seat_over_websocket_is_offered_what_a_browser_understands(house: House):
    offer = house.called()
    assert is_web(parse_sdp(offer))
    remote = house.plane.remotes["a"]
    assert (remote.host, remote.port, remote.codec, remote.payload_type) == (*PLAIN, "PCMA", 8)
    agreed = house.agreed()
    assert (agreed.remote_ufrag, agreed.active, agreed.codec.name) == ("brow", False, "opus")
    assert (agreed.codec.dtmf_receive, agreed.codec.plain_dtmf) == (110, 101)
    # The gateway reaches the plane by its own address, whatever SDP tells the world.
    assert ("open", "a", ("127.0.0.1", 20002)) in house.gateway.told


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_a_phone_s_offer_stays_what_it_was(house: House, transport: str):
    house.legs.open("a")
    offer = house.legs.offer("a")
    assert house.legs.described("a", transport, offer) == offer
    assert not house.gateway.open_sessions


def test_of_a_phone_and_a_browser_of_one_seat_the_phone_may_be_faster(house: House):
    house.legs.open("a")
    plain = house.legs.offer("a")
    house.legs.described("a", "ws", plain)
    assert house.gateway.open_sessions == {"a"}
    answer, _ = make_answer(parse_sdp(plain), PHONE)
    house.legs.accepted("a", parse_sdp(answer))
    assert house.gateway.open_sessions == set()
    assert house.plane.remotes["a"].host == "192.0.2.9"


def test_a_browser_that_calls_is_answered_as_one(house: House):
    house.legs.open("a")
    body, negotiated = house.legs.answer("a", parse_sdp(make_web_offer(BROWSER)))
    assert is_web(parse_sdp(body))
    assert (negotiated.remote_host, negotiated.remote_port) == PLAIN
    assert not house.agreed().active


def test_without_a_gateway_a_browser_is_refused_and_a_seat_of_it_gets_a_phone_s_offer(
    house: House,
):
    house.gateway.away = True
    house.legs.open("a")
    plain = house.legs.offer("a")
    assert house.legs.described("a", "ws", plain) == plain
    with pytest.raises(RemoteProtocolError) as raised:
        house.legs.answer("a", parse_sdp(make_web_offer(BROWSER)))
    assert raised.value.status == 503


def test_an_offer_that_does_not_fit_leaves_no_session_behind(house: House):
    house.legs.open("a")
    with pytest.raises(RemoteProtocolError) as raised:
        house.legs.answer("a", parse_sdp(make_web_offer(BROWSER).replace(b"fingerprint", b"x")))
    assert raised.value.status == 488
    assert house.gateway.open_sessions == set()


def test_hold_and_resume_keep_credentials_and_count_versions(house: House):
    house.called()
    held = make_web_offer(BROWSER).replace(b"sendrecv", b"sendonly").replace(b"actpass", b"active")
    body, negotiated = house.legs.answer("a", parse_sdp(held))
    assert negotiated.remote_on_hold
    assert house.plane.remotes["a"].direction == "recvonly"
    assert b"a=ice-ufrag:ours1" in body
    versions = [parse_sdp(one).origin.version for one in (body, house.legs.offer("a"))]
    assert versions == sorted(set(versions))


def test_ice_that_starts_anew_gets_new_credentials_of_ours(house: House):
    house.called()
    anew = make_web_offer(BROWSER).replace(b"brow", b"anew").replace(b"actpass", b"active")
    body, _ = house.legs.answer("a", parse_sdp(anew))
    assert b"a=ice-ufrag:ours2" in body
    assert (house.agreed().ufrag, house.agreed().remote_ufrag) == ("ours2", "anew")


def test_a_moved_leg_is_told_to_the_gateway(house: House):
    house.called()
    assert is_web(parse_sdp(house.legs.move("a")))
    assert ("aim", "a", ("127.0.0.1", 20004)) in house.gateway.told
    assert house.plane.remotes["a"].port == PLAIN[1]


def test_a_closed_leg_s_session_is_closed(house: House):
    house.called()
    house.legs.close("a")
    house.legs.close("a")
    assert house.gateway.open_sessions == set()


class PaperSip:
    """Remembers offers and hang-ups."""

    def __init__(self) -> None:
        self.offers: list[tuple[str, bytes]] = []
        self.hung_up: list[str] = []

    def offer(self, leg: str, description: bytes) -> None:
        self.offers.append((leg, description))

    def hang_up(self, leg: str, reason: str) -> None:
        self.hung_up.append(leg)


def test_when_a_gateway_dies_talks_are_offered_the_next_one_and_what_only_rang_is_ended(
    house: House,
):
    house.called("talks")
    house.legs.open("rings")
    house.legs.described("rings", "ws", house.legs.offer("rings"))
    sip, published, silent = PaperSip(), [], []
    parts = SimpleNamespace(
        sip=sip,
        media=house.legs,
        hub=SimpleNamespace(publish=lambda at, event: published.append(event)),
        clock=SimpleNamespace(wall_ms=lambda: 0),
    )
    care = BrowserCare(cast(Any, parts), silent.append)
    care.hear(media.GatewayLost(0, ("talks", "rings")))
    assert sip.hung_up == ["rings"]
    ((leg, body),) = sip.offers
    found = parse_sdp(body).media[0].attributes
    assert (leg, ("setup", "actpass") in found) == ("talks", True)
    assert ("fingerprint", "sha-256 " + ":".join(["03"] * 32)) in found
    assert [alert.name for alert in published] == ["gateway"]
    answer, _ = make_web_answer(parse_sdp(body), BROWSER)
    house.legs.accepted("talks", parse_sdp(as_client(answer)))
    assert house.agreed().ufrag == "ours3"
    care.hear(media.GatewayFailed("talks", "the browser is silent"))
    assert silent == [media.RtpTimeout("talks")]


def test_a_phone_s_offer_to_a_browser_s_leg_is_not_taken_for_one(house: House):
    house.legs.open("a")
    body, negotiated = house.legs.answer("a", parse_sdp(make_offer(PHONE)))
    assert not is_web(parse_sdp(body))
    assert negotiated.remote_host == "192.0.2.9"
    assert not house.gateway.open_sessions
