"""Search in an index of 1,000,000 recordings, on SQLite and PostgreSQL: a mix as desks ask it.

Each search is timed through the product's own Index, rows and all. Beside it stands what the
database takes for one row by its key, through the same code: the floor.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.outcome import Outcome, parser, percentile, say
from recorder.io.index import Index, Query
from recorder.io.search import RECORDINGS, length_class
from scripts.postgresql import cluster, tools

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
BEGAN_MS = 1_735_689_600_000
BAR_MS = 50.0
AGENTS = 300
QUEUES = ("12345", "110", "complaints", "water", "night", "english", "vip", "outbound")
QUEUE_SHARES = (0.6, 0.14, 0.1, 0.06, 0.05, 0.03, 0.01, 0.01)
RESULTS = ("answered", "overflowed", "called_back", "failed")
RESULT_SHARES = (0.94, 0.04, 0.019, 0.001)
PARTS = '[{"number": 0, "started_ms": 0, "size": 2400000, "frames": 7500}]'

COLUMNS = RECORDINGS.c.keys()
SAME = {"called": "12345", "sha256": "ab" * 32, "state": "stored", "recovered": False} | {
    "parts": PARTS,
    "note": "",
}

Search = Callable[[random.Random], Query]


def recordings(count: int) -> Iterator[tuple[Any, ...]]:
    """Rows of a year of calls; numbers come back as citizens do, a few of them often."""
    chance = np.random.default_rng(7)
    started = BEGAN_MS + np.arange(count) * YEAR_MS // count + chance.integers(0, 1000, count)
    lasted = (chance.lognormal(5.0, 0.9, count) * 1000).astype(np.int64)
    agents = np.minimum(*chance.integers(0, AGENTS, (2, count)))
    citizens = (chance.random(count) ** 2 * count / 3).astype(np.int64)
    ordered = chance.random(count) < 0.4
    queues = chance.choice(QUEUES, count, p=QUEUE_SHARES)
    results = chance.choice(RESULTS, count, p=RESULT_SHARES)
    columns = (started, lasted, agents, citizens, ordered, queues, results)
    for number, row in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        at_ms, ms, agent, citizen, has_order, queue, result = row
        values = {
            **SAME,
            "recording": f"{number:016x}-1",
            "call_id": f"{number:016x}",
            "caller": f"13{citizen:09}",
            "agent": f"{8001 + agent}",
            "queue": queue,
            "started_ms": at_ms,
            "ended_ms": at_ms + ms,
            "duration_ms": ms,
            "key": f"2025/01/01/{number:016x}-1.flac",
            "size": ms * 9,
            "retain_until_ms": at_ms + YEAR_MS,
            "order": f"W{number:09}" if has_order else "",
            "result": result,
            "length": length_class(ms),
        }
        yield tuple([values[name] for name in COLUMNS])


def citizen(chance: random.Random, count: int) -> str:
    """One of them, the regulars as often as they call."""
    return f"13{int(chance.random() ** 2 * count / 3):09}"


def window(chance: random.Random, days: float) -> tuple[int, int]:
    since_ms = BEGAN_MS + int(chance.random() * (YEAR_MS - days * DAY_MS))
    return since_ms, since_ms + int(days * DAY_MS)


def agent(chance: random.Random) -> str:
    return f"{8001 + chance.randrange(AGENTS)}"


def within(days: float, **facts: str | int) -> Search:
    def make(chance: random.Random) -> Query:
        since_ms, until_ms = window(chance, days)
        return Query(since_ms=since_ms, until_ms=until_ms, limit=50, **facts)  # type: ignore[arg-type]

    return make


def deep(chance: random.Random) -> Query:
    """A page from far behind the first: by key it costs the same."""
    at_ms = BEGAN_MS + int(chance.random() * YEAR_MS)
    return Query(after=(at_ms, "f"), limit=50)


def mix(count: int) -> dict[str, Search]:
    """Kinds of searches, each asked as often as the others."""
    return {
        "latest": lambda chance: Query(limit=50),
        "day": within(1),
        "number": lambda chance: Query(number=citizen(chance, count), limit=50),
        "unknown number": lambda chance: Query(number="19912345678", limit=50),
        "agent": lambda chance: Query(agent=agent(chance), limit=50),
        "agent, month": lambda chance: within(30, agent=agent(chance))(chance),
        "agent and queue": lambda chance: Query(
            agent=agent(chance), queue=chance.choice(QUEUES), limit=50
        ),
        "queue, week": lambda chance: within(7, queue=chance.choice(QUEUES))(chance),
        "order": lambda chance: Query(order=f"W{chance.randrange(count):09}", limit=50),
        "result": lambda chance: Query(result=chance.choice(RESULTS), limit=50),
        "result and queue, month": lambda chance: within(
            30, result=chance.choice(RESULTS), queue=chance.choice(QUEUES)
        )(chance),
        "longer than 20 min": lambda chance: Query(min_ms=1_200_000, limit=50),
        "2 to 3 min, queue": lambda chance: Query(
            min_ms=120_000, max_ms=180_000, queue=chance.choice(QUEUES), limit=50
        ),
        "long, agent": lambda chance: Query(min_ms=900_000, agent=agent(chance), limit=50),
        "deep page": deep,
    }


def fill(index: Index, count: int) -> float:
    """Rows a second, in bulk, the indexes made at the end: the product never has to."""
    began = time.perf_counter()
    index.prepare()
    names = [str(one.name) for one in RECORDINGS.indexes]
    with index.database.begin() as connection:
        for name in names:
            connection.exec_driver_sql(f"DROP INDEX {name}")
    load = load_sqlite if index.database.is_sqlite else load_postgresql
    with index.database.begin() as connection:
        load(connection, recordings(count))
    say(f"  {count} rows, {time.perf_counter() - began:.0f} s")
    with index.database.begin() as connection:
        for one in RECORDINGS.indexes:
            connection.execute(CreateIndex(one))
    say(f"  {len(names)} indexes, {time.perf_counter() - began:.0f} s")
    if index.database.is_sqlite:
        index.analyse()
    else:  # what autovacuum does within a minute
        with index.database.begin() as connection:
            connection.exec_driver_sql("ANALYZE recordings")
    return count / (time.perf_counter() - began)


def load_sqlite(connection: sa.Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    marks = ", ".join("?" for _ in RECORDINGS.c)
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.executemany(f"INSERT INTO recordings VALUES ({marks})", rows)


def load_postgresql(connection: sa.Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy("COPY recordings FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def measure(name: str, url: str, count: int, rounds: int, outcome: Outcome) -> None:
    say(f"{name}: {count} recordings")
    index = Index(url)
    outcome.figures[f"{name}_rows_a_second"] = round(fill(index, count))
    chance = random.Random(11)
    searches = mix(count)
    for search in searches.values():  # connections, statements and pages as in a desk that runs
        index.find(search(chance))
    times: dict[str, list[float]] = {kind: [] for kind in searches}
    for _ in range(rounds):
        for kind, search in searches.items():
            query = search(chance)
            began = time.perf_counter()
            index.find(query)
            times[kind].append(1000 * (time.perf_counter() - began))
    floor = []
    for _ in range(rounds):
        began = time.perf_counter()
        index.get(f"{chance.randrange(count):016x}-1")
        floor.append(1000 * (time.perf_counter() - began))
    index.close()
    for kind, taken in times.items():
        say(f"  {kind}: p50 {percentile(taken, 0.5):.2f} ms, p95 {percentile(taken, 0.95):.2f} ms")
    every = [one for taken in times.values() for one in taken]
    p95 = percentile(every, 0.95)
    worst = max(times, key=lambda kind: percentile(times[kind], 0.95))
    outcome.figures |= {
        f"{name}_p50_ms": round(percentile(every, 0.5), 2),
        f"{name}_p95_ms": round(p95, 2),
        f"{name}_worst_kind": worst,
        f"{name}_worst_kind_p95_ms": round(percentile(times[worst], 0.95), 2),
        f"{name}_by_key_p50_ms": round(percentile(floor, 0.5), 2),
    }
    outcome.bar(f"{name}_p95_ms", BAR_MS, p95 <= BAR_MS)


@contextmanager
def sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="callcore-index-") as folder:
        yield f"sqlite:///{folder}/index.db"


def main() -> None:
    arguments = parser("recording_index", __doc__)
    arguments.add_argument("--only", choices=("sqlite", "postgresql"), help="one of the two")
    options = arguments.parse_args()
    count, rounds = (50_000, 20) if options.quick else (1_000_000, 100)
    outcome = Outcome("recording_index")
    outcome.figures["recordings"] = count
    if options.only != "postgresql":
        with sqlite() as url:
            measure("sqlite", url, count, rounds, outcome)
    if options.only == "sqlite":
        outcome.finish()
    if tools() is None:
        say("postgresql: not installed (apt-get install postgresql): not measured")
        outcome.bar("postgresql_measured", True, met=False)
    else:
        with cluster() as url:
            measure("postgresql", url, count, rounds, outcome)
    outcome.finish()


if __name__ == "__main__":
    main()
