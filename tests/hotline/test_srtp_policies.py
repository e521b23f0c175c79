"""Who is offered SRTP: by [media] srtp, by the seat's or trunk's own, and by its transport."""

from typing import cast

import pytest

from callcore.sdp import LocalMedia, make_answer, make_offer, parse_sdp
from hotline.media_legs import MediaLegs, Terms
from media.io.plane import MediaPlane
from tests.hotline.test_browser_legs import PaperPlane

OWN = {"8002": "offer", "8003": "off", "8004": "require"}
TRUNKS = {"city": "offer", "strict": "require", "open": "off"}


def legs_of(general: str, **whose: str) -> MediaLegs:
    """A leg of a seat or a trunk, with our policies."""
    terms = Terms(
        "",
        general,  # type: ignore[arg-type]
        srtp_of=lambda seat: OWN.get(seat, ""),  # type: ignore[arg-type,return-value]
        trunk_srtp=lambda trunk: TRUNKS.get(trunk, ""),  # type: ignore[arg-type,return-value]
    )
    legs = MediaLegs(cast(MediaPlane, PaperPlane()), terms)
    legs.open("leg", **whose)  # type: ignore[arg-type]
    return legs


def profiles(general: str, transport: str, **whose: str) -> list[str]:
    """The transport of the stream in each of our offers, the second one after a refusal."""
    legs = legs_of(general, **whose)
    offers = [body for body in (legs.protected("leg", transport), legs.offer("leg")) if body]
    return [media.proto for offer in offers for media in parse_sdp(offer).media]


PLAIN, BOTH, ONLY = ["RTP/AVP"], ["RTP/SAVP", "RTP/AVP"], ["RTP/SAVP"]


@pytest.mark.parametrize(
    ("general", "transport", "seat", "offered"),
    [
        ("accept", "tls", "8001", PLAIN),
        ("offer", "tls", "8001", BOTH),
        ("offer", "udp", "8001", PLAIN),  # its keys would be read by anybody
        ("offer", "wss", "8001", PLAIN),  # a browser is described by the gateway
        ("off", "tls", "8002", BOTH),
        ("accept", "tls", "8002", BOTH),
        ("offer", "tls", "8003", PLAIN),
        ("accept", "tls", "8004", ONLY),
        ("require", "tls", "8003", PLAIN),
        ("require", "tls", "8001", ONLY),
    ],
)
def test_a_seats_own_policy_comes_before_the_general_one(
    general: str, transport: str, seat: str, offered: list[str]
) -> None:
    assert profiles(general, transport, seat=seat) == offered


@pytest.mark.parametrize(
    ("general", "transport", "trunk", "offered"),
    [
        ("offer", "tls", "other", PLAIN),
        ("require", "tls", "other", PLAIN),
        ("off", "tls", "city", BOTH),
        ("accept", "tcp", "city", PLAIN),
        ("accept", "tls", "strict", ONLY),
        ("require", "tls", "open", PLAIN),
    ],
)
def test_a_trunk_is_offered_protection_where_its_table_says_so(
    general: str, transport: str, trunk: str, offered: list[str]
) -> None:
    assert profiles(general, transport, trunk=trunk) == offered


def test_what_was_agreed_is_offered_again_and_nothing_else() -> None:
    """A protected call is not talked down by a re-INVITE; a plain one asks for no keys."""
    for theirs, proto in (("accept", "RTP/SAVP"), ("off", "RTP/AVP")):
        legs = legs_of("offer", seat="8001")
        offers = [legs.protected("leg", "tls"), legs.offer("leg")]
        phone = LocalMedia("192.0.2.9", 4000, srtp=theirs, master=bytes(30))  # type: ignore[arg-type]
        offer = offers[theirs == "off"]
        assert offer is not None
        answer, _ = make_answer(parse_sdp(offer), phone)
        legs.accepted("leg", parse_sdp(answer))
        assert legs.protected("leg", "tls") is None
        (media,) = parse_sdp(legs.offer("leg")).media
        assert media.proto == proto


@pytest.mark.parametrize(
    ("ours", "theirs", "nat"),
    [
        ("8.8.8.8", "192.168.1.20", True),
        ("8.8.8.8", "100.64.0.9", True),
        ("8.8.8.8", "9.9.9.9", False),
        ("", "192.168.1.20", False),  # the plane's own 127.0.0.1: one network
        ("2001:4860::1", "fd00::5", True),
        ("voice.example", "192.168.1.20", False),
    ],
)
def test_a_party_that_names_a_private_address_to_a_public_one_is_behind_nat(
    ours: str, theirs: str, nat: bool
) -> None:
    """Only of such a one, and only after silence, is another host believed (media/latch.py)."""
    plane = PaperPlane()
    legs = MediaLegs(cast(MediaPlane, plane), Terms(ours))
    legs.open("leg")
    legs.answer("leg", parse_sdp(make_offer(LocalMedia(theirs, 4000))))
    assert plane.remotes["leg"].accept_any is nat
    assert plane.remotes["leg"].dtmf_payload_type == 101
