"""Who is offered SRTP: by [media] srtp, by the seat's own, and by how the seat is reached."""

from typing import cast

import pytest

from callcore.sdp import parse_sdp
from hotline.media_legs import MediaLegs, Terms
from media.io.plane import MediaPlane
from tests.hotline.test_browser_legs import PaperPlane

OWN = {"8002": "offer", "8003": "off", "8004": "require"}
OVER_TLS = {"8001", "8002", "8003", "8004"}


def profiles(terms: Terms, seat: str) -> list[str]:
    """The transport of each stream in our offer to a seat; to a trunk with an empty one."""
    legs = MediaLegs(cast(MediaPlane, PaperPlane()), terms)
    legs.open("leg", seat=seat)
    text = legs.offer("leg").decode()
    assert parse_sdp(text.encode())
    return [line.split()[2] for line in text.splitlines() if line.startswith("m=")]


def terms(general: str) -> Terms:
    return Terms("", general, OVER_TLS.__contains__, srtp_of=lambda seat: OWN.get(seat, ""))  # type: ignore[arg-type,return-value]


PLAIN, BOTH, ONLY = ["RTP/AVP"], ["RTP/SAVP", "RTP/AVP"], ["RTP/SAVP"]


@pytest.mark.parametrize(
    ("general", "seat", "offered"),
    [
        ("accept", "8001", PLAIN),
        ("offer", "8001", BOTH),
        ("offer", "8009", PLAIN),  # not over TLS: its keys would be read by anybody
        ("off", "8002", BOTH),
        ("accept", "8002", BOTH),
        ("offer", "8003", PLAIN),
        ("accept", "8004", ONLY),
        ("require", "8003", PLAIN),
        ("require", "", PLAIN),  # a trunk
    ],
)
def test_a_seats_own_policy_comes_before_the_general_one(
    general: str, seat: str, offered: list[str]
) -> None:
    assert profiles(terms(general), seat) == offered
