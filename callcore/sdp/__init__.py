"""Session descriptions (RFC 8866) and offer/answer (RFC 3264)."""

from callcore.sdp.description import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    Media,
    Origin,
    SessionDescription,
)
from callcore.sdp.offer_answer import LocalMedia, Negotiated, make_answer, make_offer, read_answer
from callcore.sdp.parse import parse_sdp
from callcore.sdp.render import render_sdp

__all__ = [
    "PCMA",
    "PCMU",
    "TELEPHONE_EVENT",
    "Codec",
    "LocalMedia",
    "Media",
    "Negotiated",
    "Origin",
    "SessionDescription",
    "make_answer",
    "make_offer",
    "parse_sdp",
    "read_answer",
    "render_sdp",
]
