"""The audit log of recordings in the database: appended to, chained, and never changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from recorder.chain import Access, Chain, Line, check, next_line
from recorder.io.database import METADATA, Database, IndexFailed

TRIES = 50
PAGE = 1000

ACCESSES = sa.Table(
    "recording_accesses",
    METADATA,
    sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("who", sa.String(64), nullable=False, index=True),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("recording", sa.String(200), nullable=False, index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("source", sa.String(64), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    info={"append_only": True},
)


@dataclass(frozen=True, slots=True)
class AccessQuery:
    """Newest first; "" and None mean any; `before`: lines older than this one's number."""

    who: str = ""
    action: str = ""
    recording: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    before: int | None = None
    limit: int = 100


class AccessLog:
    """All calls block and are for threads; all raise IndexFailed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._appending = threading.Lock()

    def append(self, accesses: Sequence[Access]) -> list[Line]:
        """All or none, committed when this returns; several processes may append to one log."""
        with self._appending:
            for left in reversed(range(TRIES)):
                try:
                    return self._append(accesses)
                except IndexFailed as error:
                    # Another process took the number: the chain goes on behind its line.
                    if not left or not isinstance(error.__cause__, IntegrityError):
                        raise
        raise AssertionError

    def _append(self, accesses: Sequence[Access]) -> list[Line]:
        with self._database.begin(ACCESSES) as connection:
            newest = sa.select(ACCESSES).order_by(ACCESSES.c.sequence.desc()).limit(1)
            row = connection.execute(newest).one_or_none()
            last = None if row is None else _line(row)
            lines = []
            for access in accesses:
                last = next_line(last, access)
                lines.append(last)
            connection.execute(ACCESSES.insert(), [_row(line) for line in lines])
        return lines

    def find(self, query: AccessQuery) -> list[Line]:
        c = ACCESSES.c
        wanted = [
            c[name] == value
            for name in ("who", "action", "recording")
            if (value := getattr(query, name))
        ]
        if query.since_ms is not None:
            wanted.append(c.at_ms >= query.since_ms)
        if query.until_ms is not None:
            wanted.append(c.at_ms < query.until_ms)
        if query.before is not None:
            wanted.append(c.sequence < query.before)
        select = sa.select(ACCESSES).where(*wanted).order_by(c.sequence.desc())
        with self._database.begin(ACCESSES) as connection:
            return [_line(row) for row in connection.execute(select.limit(query.limit))]

    def check(self, head: str = "") -> Chain:
        """Reads the whole log; `head`: a hash that must be in it, as the engine's log told it."""
        return check(self._all(), head)

    def _all(self) -> Iterator[Line]:
        after = 0
        while True:
            select = sa.select(ACCESSES).where(ACCESSES.c.sequence > after)
            with self._database.begin(ACCESSES) as connection:
                rows = connection.execute(select.order_by(ACCESSES.c.sequence).limit(PAGE)).all()
            if not rows:
                return
            yield from map(_line, rows)
            after = rows[-1].sequence


def _row(line: Line) -> dict[str, Any]:
    return {
        "sequence": line.sequence,
        **asdict(line.access),
        "previous": line.previous,
        "digest": line.digest,
    }


def _line(row: sa.Row[Any]) -> Line:
    access = Access(
        row.at_ms, row.who, row.action, row.recording, row.reason, row.source, row.detail
    )
    return Line(row.sequence, access, row.previous, row.digest)
