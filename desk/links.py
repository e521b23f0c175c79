"""Signed links to one recording: for one account, one purpose, a few minutes.

A link is the claim in base64url, a dot, and its HMAC-SHA256. Nothing is kept of it: whoever has
the key can check it, so that a link of one node is good at another one that shares the key.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Literal

Purpose = Literal["listen", "download"]
PURPOSES = ("listen", "download")


class LinkForged(Exception):
    """Not signed by us, or for something else (HTTP 403)."""


class LinkExpired(Exception):
    """It was good, and its time is over (HTTP 410)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is signed; `expires` in seconds since the epoch, `nonce` tells links apart."""

    recording: str
    account: str
    purpose: Purpose
    reason: str
    expires: int
    nonce: str


def sign(key: bytes, claim: Claim) -> str:
    """The link's text, safe in a URL."""
    body = _encode(json.dumps(asdict(claim), separators=(",", ":"), sort_keys=True).encode())
    return f"{body}.{_encode(_mac(key, body))}"


def verify(key: bytes, text: str, now: float) -> Claim:
    """The claim of a link that is good now; raises LinkForged or LinkExpired."""
    body, _, mac = text.partition(".")
    if not hmac.compare_digest(_encode(_mac(key, body)).encode(), mac.encode()):
        raise LinkForged("the link is not one of ours: ask for a new one")
    claim = Claim(**json.loads(_decode(body)))
    if now >= claim.expires:
        raise LinkExpired("the link's time is over: ask for a new one")
    return claim


def _mac(key: bytes, body: str) -> bytes:
    return hmac.digest(key, b"callcore link 1\0" + body.encode(), hashlib.sha256)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
