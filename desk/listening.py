"""What stands between a person and a recording: rights, reasons, links, masks, the audit log."""

import base64
import contextlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Annotated

import structlog
from fastapi import Depends, Request

from config.access import RecordingAccess, Right
from desk.accounts import Accounts, Forbidden, Person
from desk.links import Claim, LinkForged, Purpose, sign, verify
from hotline.commands import NotAllowed, RecordingEntry, Unavailable
from hotline.recording_commands import Access, Export, Limits, Marking, RecordingCommands

RIGHT_OF: dict[Purpose, Right] = {"listen": "listen", "download": "download"}
DONE = {"listen": "listened", "download": "downloaded"}
LINKS_KEPT = 100_000
audit = structlog.get_logger("audit")
EXPORTS_KEPT = 100


class ReasonNeeded(NotAllowed):
    """Nobody listens, downloads or reveals here without saying why (HTTP 422)."""


class FirstUses:
    """A player asks for a link's sound piece by piece: from one address that is one access."""

    def __init__(self, most: int = LINKS_KEPT) -> None:
        self._most = most
        self._seen: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, use: str) -> bool:
        return use in self._seen

    def add(self, use: str) -> None:
        """Once its line is in the log, and no sooner: rather two lines than none."""
        self._seen[use] = None
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)


@dataclass
class Exporting:
    """An export that runs or ran, for whoever watches it."""

    export: str
    who: str
    began_ms: int
    made: Export


@dataclass
class Door:
    """One an application."""

    archive: RecordingCommands
    accounts: Accounts
    settings: RecordingAccess = field(default_factory=RecordingAccess)
    key: bytes = b""
    uses: FirstUses = field(default_factory=FirstUses)
    exports: list[Exporting] = field(default_factory=list)

    def __post_init__(self) -> None:
        configured = self.settings.link_key.get_secret_value()
        if not self.key:
            self.key = base64.b64decode(configured) if configured else secrets.token_bytes(32)

    @property
    def limits(self) -> Limits:
        return Limits(self.settings.export_recordings, self.settings.export_mib << 20)

    def must_say_why(self, reason: str) -> str:
        """ReasonNeeded without a reason, where one is wanted."""
        reason = reason.strip()
        if self.settings.reason_required and not reason:
            raise ReasonNeeded("a reason is needed: give it as `reason`")
        return reason

    async def reach(self, asking: Person, recording: str) -> RecordingEntry:
        """The entry, for who may see it; agents see their own seat's."""
        entry = await self.archive.entry(recording)
        if asking.seat and entry.agent != asking.seat:
            raise Forbidden(f"{asking.name} may reach recordings of seat {asking.seat} alone")
        return entry

    async def note(self, asking: "Visitor", action: str, recording: str, **said: str) -> None:
        """One line of the audit log; written before anything is handed out."""
        await self.archive.note([asking.access(action, recording, **said)])

    async def refused(self, name: str, source: str, is_last: bool) -> None:
        """A wrong password; nobody is let in where the log cannot be written either."""
        who = "".join(one for one in name if one.isprintable())[:64]
        detail = "and no more are listened to for now" if is_last else ""
        audit.warning("password refused", who=who, source=source, detail=detail)
        line = Access(int(time.time() * 1000), who, "refused", "", "wrong password", source, detail)
        with contextlib.suppress(Unavailable):
            await self.archive.note([line])

    def link(self, asking: Person, recording: str, purpose: Purpose, reason: str) -> Claim:
        """What is to be signed."""
        expires = int(time.time() + self.settings.link_seconds)
        return Claim(recording, asking.name, purpose, reason, expires, secrets.token_hex(8))

    def signed(self, claim: Claim) -> str:
        return sign(self.key, claim)

    def opened(self, text: str, recording: str, asking: Person | None) -> tuple[Claim, Person]:
        """A link's claim and its account as it is now; LinkForged, LinkExpired, Forbidden."""
        claim = verify(self.key, text, time.time())
        if claim.recording != recording:
            raise LinkForged("the link is another recording's")
        if asking is not None and not self.accounts.is_open and asking.name != claim.account:
            raise LinkForged("the link is another account's")
        person = self.accounts.named(claim.account)
        if person is None:
            raise Forbidden(f"there is no account {claim.account} any more")
        person.must(RIGHT_OF[claim.purpose])
        return claim, person

    def marking(self, asking: Person) -> Marking | None:
        """How what this person gets is marked."""
        kind = self.settings.watermark
        if kind == "none":
            return None
        # The day, no finer: what a player asks for piece by piece must be one file.
        text = f"{asking.name} {time.strftime('%Y-%m-%d')}"
        return Marking(asking.name, text, self.settings.watermark_dbfs if kind == "tone" else None)

    def shown(self, entries: Iterable[RecordingEntry], *, reveal: bool) -> list[RecordingEntry]:
        """With whole numbers, or without."""
        if reveal or not self.settings.mask_numbers:
            return list(entries)
        return [
            replace(one, caller=masked(one.caller), called=masked(one.called)) for one in entries
        ]

    def remember(self, exporting: Exporting) -> None:
        self.exports.append(exporting)
        del self.exports[:-EXPORTS_KEPT]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and from where."""

    person: Person
    source: str

    def access(self, action: str, recording: str, reason: str = "", detail: str = "") -> Access:
        now_ms = int(time.time() * 1000)
        who = self.person.name
        return Access(now_ms, who, action, recording, reason, self.source, detail)


def masked(number: str) -> str:
    """First three and last two digits; short numbers are no citizens'."""
    return number if len(number) < 7 else f"{number[:3]}****{number[-2:]}"


def door(request: Request) -> Door:
    found: Door = request.app.state.door
    return found


def source_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def visitor(request: Request) -> Visitor:
    return Visitor(request.state.person, source_of(request))


AtDoor = Annotated[Door, Depends(door)]
Visiting = Annotated[Visitor, Depends(visitor)]
