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
        for name in ("caller", "called", "queue", "order", "result", "length", "state")
    ),
    # What else is asked of an agent's recordings is answered by the index, without their rows.
    sa.Index("ix_recordings_agent_more", "agent", "started_ms", "queue", "result", "duration_ms"),
    sa.Index("ix_recordings_queue_result_started", "queue", "result", "started_ms"),
    sa.Index("ix_recordings_queue_length_started", "queue", "length", "started_ms"),
)
EXACT = ("caller", "called", "agent", "queue", "order", "result", "call_id", "state")
# Few rows each: with one of these the length is only compared.
NARROW = ("caller", "called", "number", "agent", "order", "call_id")


def statement(query: Query, *, for_sqlite: bool = True) -> sa.Select[Any]:
    """SELECT of whole rows, newest first, `limit` at most."""
    branches = list(_branches(query, for_sqlite))
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


def _branches(query: Query, for_sqlite: bool) -> Iterator[list[Condition]]:
    """Conditions whose rows together, each once, are those that are looked for."""
    same = [*_equal(query, for_sqlite), *_between(query)]
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


def _equal(query: Query, for_sqlite: bool) -> Iterator[Condition]:
    """SQLite knows how many rows a column's values have on average, not which.

    Of agent and queue it walked the queue's 600,000 (123 ms). What is no bare column has no index.
    """
    has_narrow = any(getattr(query, name) for name in NARROW)
    for name in EXACT:
        if (value := getattr(query, name)) != "":
            column: sa.ColumnElement[str] = RECORDINGS.c[name]
            if for_sqlite and has_narrow and name not in NARROW:
                column = column.concat("")
            yield column == value


def _between(query: Query) -> Iterator[Condition]:
    c = RECORDINGS.c
    if query.since_ms is not None:
        yield c.started_ms >= query.since_ms
    if query.until_ms is not None:
        yield c.started_ms < query.until_ms
    # PostgreSQL takes class and length for independent, expects fewer rows than a page, and reads
    # and sorts the whole class (354 ms). Of an expression it expects a third.
    duration = c.duration_ms + 0
    if query.min_ms is not None:
        yield duration >= query.min_ms
    if query.max_ms is not None:
        # Another expression: of two bounds of the same one it expects a two-hundredth.
        yield c.duration_ms - 0 <= query.max_ms
    if query.after is not None:
        started_ms, recording = query.after
        # The first condition alone is one that an index can begin at.
        yield c.started_ms <= started_ms
        yield sa.or_(c.started_ms < started_ms, c.recording < recording)
