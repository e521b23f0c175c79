"""Accounts that have a password: tried once, by a thread, and remembered until the engine ends."""

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from config.access import Account
from config.passwords import NOBODY, fits
from desk.origins import is_foreign
from desk.tries import TooManyTries, Tries

SESSION = "callcore_session"
MOST_WAITING = 8  # tries that wait for the one that runs; more are refused at once


async def nobody_hears(name: str, source: str, is_last: bool) -> None:
    """Until somebody keeps an audit log."""


@dataclass
class Passwords:
    """`key` signs cookies and what is remembered; it dies with the process.

    `refused` is told of each wrong password: the name, from where, and whether it was the last that
    is listened to for now.
    """

    accounts: tuple[Account, ...] = ()
    key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    refused: Callable[[str, str, bool], Awaitable[None]] = nobody_hears
    tries: Tries = field(default_factory=Tries)

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

    async def try_out(self, headers: Mapping[str, str], source: str) -> str:
        """The account's name when the password is right, else empty; takes about 50 ms.

        Raises TooManyTries, before anything is tried.
        """
        name, password = basic(headers)
        if not name:
            return ""
        self.tries.check(name, source, time.monotonic())
        if self._waiting >= MOST_WAITING:
            raise TooManyTries(1)
        self._waiting += 1
        try:
            async with self._one:
                right = await asyncio.to_thread(fits, password, self._hashes.get(name, NOBODY))
        finally:
            self._waiting -= 1
        if not right:
            await self.wrong(name, source)
            return ""
        self.tries.right(name, source)
        self._shown[name] = self._signed(f"{name}:{password}")
        return name

    async def wrong(self, name: str, source: str) -> None:
        """Counted and told, also by whoever asks for a password each time."""
        await self.refused(name, source, self.tries.wrong(name, source, time.monotonic()))

    def _signed(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode(), hashlib.sha256)


def basic(headers: Mapping[str, str]) -> tuple[str, str]:
    """RFC 7617 §2: name and password; both empty without, and for what another site's page asks.

    Browsers add what they remember to requests of any page, so the page must be ours.
    """
    scheme, _, said = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" or is_foreign(headers):
        return "", ""
    try:
        name, colon, password = base64.b64decode(said, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return (name, password) if colon else ("", "")
