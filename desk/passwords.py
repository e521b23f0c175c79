"""Accounts that have a password: tried once, by a thread, and remembered until the engine ends."""

import asyncio
import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from config.access import Account
from config.passwords import NOBODY, fits

SESSION = "callcore_session"
MOST_WAITING = 8  # tries that wait for the one that runs; more are refused at once


@dataclass
class Passwords:
    """`key` signs cookies and what is remembered; it dies with the process."""

    accounts: tuple[Account, ...] = ()
    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    def __post_init__(self) -> None:
        self._hashes = {one.name: one.password_hash for one in self.accounts if one.password_hash}
        self._sessions = {name: self._signed(f"session {name}").hex() for name in self._hashes}
        self._shown: dict[str, bytes] = {}  # what was right, signed, by name
        self._one = asyncio.Lock()  # a flood of tries gets one core at most
        self._waiting = 0

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def session(self, name: str) -> str:
        """The cookie that stands for the password; empty for who has none."""
        return self._sessions.get(name, "")

    def remembered(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> str:
        """The account's name by its cookie, or by a password that was right before; or empty."""
        cookie = cookies.get(SESSION, "").encode()
        found = ""
        for name, session in self._sessions.items():
            if hmac.compare_digest(session.encode(), cookie):
                found = name
        if found:
            return found
        name, password = basic(headers)
        shown = self._shown.get(name)
        known = shown is not None and hmac.compare_digest(shown, self._signed(f"{name}:{password}"))
        return name if known else ""

    async def try_out(self, headers: Mapping[str, str]) -> str:
        """The account's name when the password is right, else empty; takes about 50 ms."""
        name, password = basic(headers)
        if not name or self._waiting >= MOST_WAITING:
            return ""
        self._waiting += 1
        try:
            async with self._one:
                right = await asyncio.to_thread(fits, password, self._hashes.get(name, NOBODY))
        finally:
            self._waiting -= 1
        if not right:
            return ""
        self._shown[name] = self._signed(f"{name}:{password}")
        return name

    def _signed(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode(), hashlib.sha256)


def basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """RFC 7617 §2: name and password; both empty without, and for what another site's page asks.

    Browsers add what they remember to requests of any page, so the page must be ours.
    """
    scheme, _, said = headers.get("authorization", "").partition(" ")
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
    if scheme.lower() != "basic" or foreign:
        return "", ""
    try:
        name, colon, password = base64.b64decode(said, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (name, password) if colon else ("", "")
