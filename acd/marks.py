"""Numbers that are marked: blocked, nuisance (until it is reviewed), VIP; and who said so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from acd.settings import CallerSettings

Kind: TypeAlias = Literal["blocked", "nuisance", "vip"]
Review: TypeAlias = Literal["in_force", "proposed", "rejected"]
KINDS: tuple[Kind, ...] = ("blocked", "nuisance", "vip")


class CallerMark(msgspec.Struct, frozen=True, gc=False):
    """What is known of one number; an agent's nuisance mark waits for the supervisor's review."""

    number: str
    kind: Kind
    review: Review
    by: str
    at_ms: int
    note: str = ""
    reviewed_by: str = ""
    reviewed_ms: int = 0
    priority: int = 0
    agent: str = ""


class Marks:
    """All marks: those of the configuration (numbers or prefixes), and those made since."""

    def __init__(self) -> None:
        self.made: dict[str, CallerMark] = {}
        self._exact: dict[str, CallerMark] = {}
        self._prefixes: list[tuple[str, CallerMark]] = []

    def configure(self, callers: Iterable[CallerSettings]) -> None:
        """The configuration's table; the longer prefix goes first."""
        self._exact, self._prefixes = {}, []
        for one in callers:
            mark = CallerMark(
                one.number, one.kind, "in_force", "configuration", 0, one.note,
                priority=one.priority, agent=one.agent,
            )  # fmt: skip
            if one.number.endswith("*"):
                self._prefixes.append((one.number[:-1], mark))
            else:
                self._exact[one.number] = mark
        self._prefixes.sort(key=lambda entry: -len(entry[0]))

    def __bool__(self) -> bool:
        return bool(self.made or self._exact or self._prefixes)

    def propose(self, mark: CallerMark) -> None:
        """A mark that is new, or takes the place of an older one."""
        self.made[mark.number] = mark

    def review(self, number: str, keep: bool, by: str, at_ms: int) -> bool:
        """The supervisor's word on a mark that waits for it; False when none does."""
        mark = self.made.get(number)
        if mark is None or mark.review != "proposed":
            return False
        self.made[number] = replace(
            mark,
            review="in_force" if keep else "rejected",
            kind="blocked" if keep else mark.kind,
            reviewed_by=by,
            reviewed_ms=at_ms,
        )
        return True

    def remove(self, number: str) -> bool:
        """Forget a mark that was made; False when there is none."""
        return self.made.pop(number, None) is not None

    def find(self, number: str) -> CallerMark | None:
        """The mark in force for a number."""
        mark = self.made.get(number)
        if mark is not None:
            return mark if mark.review == "in_force" else None
        mark = self._exact.get(number)
        if mark is None and number:
            mark = next((one for start, one in self._prefixes if number.startswith(start)), None)
        return mark
