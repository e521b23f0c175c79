"""A search of the index as SQL that reads little: every branch walks one index, newest first.

Pages go on by key (the last row's start and name), so that the thousandth costs what the first
does. What an index cannot answer alone (one of two numbers, a range of lengths) becomes branches
of UNION ALL, each cut off at the page's size before they are merged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from recorder.io.database import METADATA

LENGTHS = 8  # classes: 0, 1, 4, 16, 64, 256, 1024 and 4096 seconds are the least of each
Cursor = tuple[int, str]  # started_ms and name of a page's last row
Condition = sa.ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None and "" mean any.  Newest first; until_ms itself is not included.

    `number` is the caller's or the called one; `after` goes on behind a page's last row.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    caller: str = ""
    called: str = ""
    number: str = ""
    agent: str = ""
    queue: str = ""
    order: str = ""
    result: str = ""
    call_id: str = ""
    state: str = ""
    min_ms: int | None = None
    max_ms: int | None = None
    limit: int = 100
    after: Cursor | None = None


def length_class(duration_ms: int) -> int:
    """Recordings of one class differ by less than a factor of four."""
    return min(((duration_ms // 1000).bit_length() + 1) // 2, LENGTHS - 1)


def _length_class_of(table: sa.Table) -> sa.ColumnElement[int]:
    """The same in SQL, for rows of before the column was there."""
    bounds = [(table.c.duration_ms < 1000 << 2 * one, one) for one in range(LENGTHS - 1)]
    return sa.case(*bounds, else_=LENGTHS - 1)


RECORDINGS = sa.Table(
    "recordings",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("call_id", sa.String(255), nullable=False, index=True),
    sa.Column("caller", sa.String(255), nullable=False),
    sa.Column("called", sa.String(255), nullable=False),
    sa.Column("agent", sa.String(255), nullable=False),
    sa.Column("queue", sa.String(255), nullable=False),
    sa.Column("started_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("ended_ms", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("key", sa.String(1024), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("recovered", sa.Boolean, nullable=False),
    sa.Column("retain_until_ms", sa.BigInteger, nullable=False),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("order", sa.String(64), nullable=False, server_default=""),
    sa.Column("result", sa.String(16), nullable=False, server_default=""),
    sa.Column(
        "length",
        sa.SmallInteger,
        nullable=False,
        server_default="0",
        info={"fill": _length_class_of},
    ),
    *(
        sa.Index(f"ix_recordings_{name}_started", name, "started_ms")
        for name in ("caller", "called", "agent", "queue", "order", "result", "length", "state")
    ),
    sa.Index("ix_recordings_queue_length_started", "queue", "length", "started_ms"),
)
EXACT = ("caller", "called", "agent", "queue", "order", "result", "call_id", "state")
# Few rows each: with one of these the length is only compared.
NARROW = ("caller", "called", "number", "agent", "order", "call_id")


def statement(query: Query) -> sa.Select[Any]:
    """SELECT of whole rows, newest first, `limit` at most."""
    branches = list(_branches(query))
    if len(branches) == 1:
        return _page(sa.select(RECORDINGS).where(*branches[0]), RECORDINGS.c, query.limit)
    pages = [
        sa.select(_page(sa.select(RECORDINGS).where(*one), RECORDINGS.c, query.limit).subquery())
        for one in branches
    ]
    merged = sa.union_all(*pages).subquery()
    return _page(sa.select(merged), merged.c, query.limit)


def _page(select: sa.Select[Any], columns: Any, limit: int) -> sa.Select[Any]:
    return select.order_by(columns.started_ms.desc(), columns.recording.desc()).limit(limit)


def _branches(query: Query) -> Iterator[list[Condition]]:
    """Conditions whose rows together, each once, are those that are looked for."""
    same = _everywhere(query)
    c = RECORDINGS.c
    if query.number:
        yield [*same, c.caller == query.number]
        yield [*same, c.called == query.number, c.caller != query.number]
        return
    ranged = query.min_ms is not None or query.max_ms is not None
    if not ranged or any(getattr(query, name) for name in NARROW):
        yield same
        return
    first = length_class(query.min_ms or 0)
    last = LENGTHS - 1 if query.max_ms is None else length_class(query.max_ms)
    for length in range(first, last + 1):
        yield [*same, c.length == length]
    if first > last:
        yield [*same, sa.false()]


def _everywhere(query: Query) -> list[Condition]:
    c = RECORDINGS.c
    wanted = [c[name] == value for name in EXACT if (value := getattr(query, name)) != ""]
    if query.since_ms is not None:
        wanted.append(c.started_ms >= query.since_ms)
    if query.until_ms is not None:
        wanted.append(c.started_ms < query.until_ms)
    if query.min_ms is not None:
        wanted.append(c.duration_ms >= query.min_ms)
    if query.max_ms is not None:
        wanted.append(c.duration_ms <= query.max_ms)
    if query.after is not None:
        started_ms, recording = query.after
        # The first condition alone is one that an index can begin at.
        wanted.append(c.started_ms <= started_ms)
        wanted.append(sa.or_(c.started_ms < started_ms, c.recording < recording))
    return wanted
