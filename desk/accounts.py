"""Who asks, and what they may do: accounts of the configuration, and the shared token."""

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from config.access import RIGHTS, Account, Right, rights_of
from desk.passwords import Passwords


class Forbidden(Exception):
    """The account lacks the right, which the message names (HTTP 403)."""


@dataclass(frozen=True, slots=True)
class Person:
    """An account as it asks; `seat`: only that seat's recordings, empty = all.

    A member unit has no rights; what it may use, masking.py says.
    """

    name: str
    rights: frozenset[Right]
    seat: str = ""
    is_unit: bool = False

    def must(self, right: Right) -> None:
        """Raises Forbidden without the right."""
        if right not in self.rights:
            raise Forbidden(f"{self.name} may not {MEANS[right]} (the right {right!r})")

    def must_be(self, seat: str) -> None:
        """Raises Forbidden for an agent who acts for another seat, or ("") as a supervisor."""
        if self.seat and self.seat != seat:
            raise Forbidden(f"{self.name} may act for seat {self.seat} alone")


MEANS: dict[Right, str] = {
    "search": "search recordings",
    "listen": "listen to recordings",
    "download": "download recordings",
    "export": "export recordings",
    "reveal": "see whole numbers",
    "audit": "read the audit log",
    "score": "review recordings",
    "manage": "draw samples and see how reviewers agree",
    "operate": "use anything but recordings",
    "custody": "hold recordings, or delete them with somebody else",
}
OPERATOR = Person("operator", frozenset(RIGHTS))


@dataclass(frozen=True)
class Accounts:
    """All credentials there are; without any, everybody is the operator (loopback alone)."""

    token: str = field(default="", repr=False)
    accounts: tuple[Account, ...] = ()

    def __post_init__(self) -> None:
        tokens = ((one.token.get_secret_value(), one) for one in self.accounts)
        known = {_digest(token): person_of(one) for token, one in tokens if token}
        if self.token:
            known[_digest(self.token)] = OPERATOR
        people = {one.name: person_of(one) for one in self.accounts}
        object.__setattr__(self, "_known", known)
        object.__setattr__(self, "_people", people)
        object.__setattr__(self, "passwords", Passwords(self.accounts))

    @property
    def is_open(self) -> bool:
        """Nobody has to show anything."""
        return not self._known and not self.passwords

    passwords: Passwords = field(init=False, repr=False, compare=False)
    _known: dict[bytes, Person] = field(init=False, repr=False, default_factory=dict)
    _people: dict[str, Person] = field(init=False, repr=False, default_factory=dict)

    def by_token(self, token: str) -> Person | None:
        """Compared in constant time."""
        shown = _digest(token)
        found = None
        for digest, person in self._known.items():
            if hmac.compare_digest(digest, shown):
                found = person
        return found

    def who(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Person | None:
        """By a bearer's token, by a password that was right before, or by the cookie of either."""
        if self.is_open:
            return OPERATOR
        bearer = headers.get("authorization", "")
        if bearer.startswith("Bearer "):
            return self.by_token(bearer.removeprefix("Bearer "))
        cookie = cookies.get("callcore_token", "")
        found = self.by_token(cookie) if cookie else None
        return found or self._people.get(self.passwords.remembered(headers, cookies))

    async def log_in(
        self, headers: Mapping[str, str], cookies: Mapping[str, str], source: str
    ) -> Person | None:
        """As `who`; a password that nobody has shown yet is tried. Raises TooManyTries."""
        known = self.who(headers, cookies)
        return known or self._people.get(await self.passwords.try_out(headers, source))

    def named(self, name: str) -> Person | None:
        """An account as it is now, for what was signed for it."""
        found = self._people.get(name)
        if found is None and name == OPERATOR.name and (self.token or self.is_open):
            return OPERATOR
        return found


def person_of(account: Account) -> Person:
    """The role's rights and those beside; an agent is held to a seat."""
    seat = (account.seat or account.name) if account.role == "agent" else ""
    return Person(account.name, rights_of(account), seat, account.role == "unit")


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def person(request: Request) -> Person:
    """Who asks; set in front of every route."""
    found: Person = request.state.person
    return found


Asking = Annotated[Person, Depends(person)]


def needs(*rights: Right) -> Callable[[Person], Person]:
    """A dependency: the person, who has all these rights."""

    def check(asking: Asking) -> Person:
        for right in rights:
            asking.must(right)
        return asking

    return check


# Paths that accounts without the right `operate` may use.
RECORDINGS_ALONE = (
    "/recordings",
    "/static/",
    "/api/v1/recordings",
    "/api/v1/recording-exports",
    "/api/v1/accesses",
    "/api/v1/quality",
    "/api/v1/me",
)


def may_use(asking: Person, path: str) -> bool:
    """Whether the account has anything to do there at all."""
    return "operate" in asking.rights or (bool(asking.rights) and _below(path, RECORDINGS_ALONE))


def _below(path: str, folders: Iterable[str]) -> bool:
    return any(path == one.rstrip("/") or path.startswith(one.rstrip("/") + "/") for one in folders)
