#!/usr/bin/env python3
"""A PostgreSQL cluster of one's own, for tests and benchmarks: its URL, until standard input ends.

    scripts/postgresql.py [--durable]

Needs Debian's package postgresql. It listens on a port of loopback that is free, its data lies in
a folder of its own that is removed at the end. Without --durable nothing is synced to the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 30


def tools() -> Path | None:
    """Where initdb and postgres are: Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    places = (
        [Path(found).resolve().parent]
        if found
        else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    )
    return next((place for place in places if (place / "initdb").exists()), None)


@contextmanager
def cluster(*, durable: bool = False, options: tuple[str, ...] = ()) -> Iterator[str]:
    """The URL of an empty database; raises FileNotFoundError where PostgreSQL is not installed."""
    place = tools()
    if place is None:
        raise FileNotFoundError("no PostgreSQL here: apt-get install postgresql")
    # Not below a test's own folder: the server refuses root, and its user must get through to it.
    base = Path(tempfile.mkdtemp(prefix="callcore-postgresql-"))
    who: dict[str, Any] = {"cwd": base}
    if os.geteuid() == 0:
        shutil.chown(base, "nobody")
        who["user"] = "nobody"
    try:
        with _server(place, base, who, (*_tuning(durable), *options)) as port:
            yield f"postgresql://callcore@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(base)


def _tuning(durable: bool) -> tuple[str, ...]:
    quick = () if durable else ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    return ("listen_addresses=127.0.0.1", *quick)


@contextmanager
def _server(
    place: Path, base: Path, who: dict[str, Any], settings: tuple[str, ...]
) -> Iterator[int]:
    data = str(base / "data")
    make = [str(place / "initdb"), "-D", data, "-U", "callcore", "-A", "trust", "--no-sync"]
    subprocess.run([*make, "-E", "UTF8", "--locale=C"], check=True, capture_output=True, **who)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = [word for setting in settings for word in ("-c", setting)]
    with open(base / "log", "wb") as log:
        server = subprocess.Popen(
            [str(place / "postgres"), "-D", data, "-p", str(port), "-k", str(base), *told],
            stderr=log,
            **who,
        )
    try:
        _wait(place, port, server)
        yield port
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def _wait(place: Path, port: int, server: subprocess.Popen[bytes]) -> None:
    ready = [str(place / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    end = time.monotonic() + START_SECONDS
    while subprocess.run(ready, check=False).returncode:
        if server.poll() is not None or time.monotonic() > end:
            raise RuntimeError("PostgreSQL did not start")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--durable", action="store_true", help="sync, as a real installation does")
    with cluster(durable=parser.parse_args().durable) as url:
        print(url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
