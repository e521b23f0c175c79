"""Whose page asks: browsers add cookies and passwords to what any page makes them ask for."""

from collections.abc import Mapping
from urllib.parse import urlsplit


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Whether a page of another site asks; scripts and players name no Origin (RFC 6454 §7).

    A proxy that puts a Host of its own in front of us says which one was asked for; no page can.
    """
    origin = headers.get("origin")
    ours = (headers.get("host"), headers.get("x-forwarded-host"))
    return origin is not None and urlsplit(origin).netloc not in ours
