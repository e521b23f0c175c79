"""`callcore recordings search | export | accesses`: what the desk's page does, from a shell."""

from __future__ import annotations

import datetime
import getpass
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from config.schema import Config
from service.configured import CONFIG, ConfigOption, loaded, must_have_index
from service.exits import USAGE, fail, failures

if TYPE_CHECKING:
    from recorder.io.index import Entry, Query
    from recorder.io.vault import Vault

Since = Annotated[datetime.datetime | None, typer.Option(help="Calls that began at or after.")]
Until = Annotated[datetime.datetime | None, typer.Option(help="Calls that began before.")]
Number = Annotated[str, typer.Option(help="The caller's or the called number.")]
Agent = Annotated[str, typer.Option(help="The seat.")]
Queue = Annotated[str, typer.Option(help="The queue.")]
Order = Annotated[str, typer.Option(help="The work order's number.")]
Result = Annotated[str, typer.Option(help="How the call ended: answered, overflowed, ...")]
MinSeconds = Annotated[float, typer.Option(min=0, help="As long as that, or longer.")]
MaxSeconds = Annotated[float, typer.Option(min=0, help="As long as that, or shorter; 0 = any.")]
Why = Annotated[str, typer.Option("--reason", help="Why; for the audit log.")]
PAGE = 500


def add_access(app: typer.Typer) -> None:
    """The commands, under `callcore recordings`."""
    app.command()(search)
    app.command()(export)
    app.command()(accesses)


def search(
    config: ConfigOption = CONFIG,
    since: Since = None,
    until: Until = None,
    number: Number = "",
    agent: Agent = "",
    queue: Queue = "",
    order: Order = "",
    result: Result = "",
    min_seconds: MinSeconds = 0,
    max_seconds: MaxSeconds = 0,
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest.")] = 50,
    reveal: Annotated[bool, typer.Option("--reveal", help="Whole numbers; audited.")] = False,
    reason: Why = "",
) -> None:
    """Find recordings: one line of JSON each, newest first."""
    facts = locals()
    with opened(config) as (settings, vault):
        if reveal:
            must_say_why(settings, reason)
        found = list(pages(vault, query_of(facts), limit))
        if reveal and found:
            note(vault, "revealed", [entry.recording for entry in found], reason)
        for entry in found:
            print(json.dumps(shown(entry, reveal=reveal), ensure_ascii=False))


def export(
    out: Annotated[Path, typer.Option(metavar="FILE.zip", help="Where the zip is written.")],
    config: ConfigOption = CONFIG,
    since: Since = None,
    until: Until = None,
    number: Number = "",
    agent: Agent = "",
    queue: Queue = "",
    order: Order = "",
    result: Result = "",
    min_seconds: MinSeconds = 0,
    max_seconds: MaxSeconds = 0,
    reason: Why = "",
) -> None:
    """Write what a search finds into a zip, with manifest.json and SHA256SUMS; audited."""
    from recorder.io import export as exports

    facts = locals()
    with opened(config) as (settings, vault):
        must_say_why(settings, reason)
        access = settings.recording_access
        limits = exports.Limits(access.export_recordings, access.export_mib << 20)
        found = list(pages(vault, query_of(facts), limits.recordings + 1))
        if not found:
            fail("no recording fits: there is nothing to export")
        try:
            progress = exports.plan(found, limits)
        except exports.TooMuch as error:
            fail(str(error))
        note(vault, "exported", [entry.recording for entry in found], reason)
        about = {"by": who(), "reason": reason, "made": now().isoformat(timespec="seconds")}
        part = out.with_name(out.name + ".part")
        try:
            with open(part, "wb", opener=for_us_alone) as file:
                for data in exports.chunks(vault, found, progress, about):
                    file.write(data)
                    tell(progress)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)  # half of an export is voices that nobody looks after
        print(f"\r{progress.done} recordings, {progress.written >> 10} KiB in {out}")
        if progress.wrong:
            fail(f"not as they should be, see manifest.json: {', '.join(progress.wrong)}")


def accesses(
    config: ConfigOption = CONFIG,
    recording: Annotated[str, typer.Option(help="Of one recording.")] = "",
    by: Annotated[str, typer.Option(help="Of one account.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="So many, the newest.")] = 50,
    check: Annotated[bool, typer.Option("--check", help="Prove that nothing was changed.")] = False,
    head: Annotated[str, typer.Option(help="A digest that must be in the log.")] = "",
) -> None:
    """Show the audit log, or with --check prove it: exit 1 where its chain is broken."""
    from recorder.io.access_log import AccessLog, AccessQuery

    with opened(config) as (_, vault):
        log = AccessLog(vault.index.database)
        if check:
            found = log.check(head)
            if found.why:
                fail(f"the audit log is not as it was written: {found.why}")
            print(f"{found.lines} lines, none changed; the last one's digest is {found.head}")
            return
        for line in log.find(AccessQuery(who=by, recording=recording, limit=limit)):
            document = {"sequence": line.sequence, **asdict(line.access), "digest": line.digest}
            document["at"] = local(document.pop("at_ms"))
            print(json.dumps(document, ensure_ascii=False))


@contextmanager
def opened(path: Path) -> Iterator[tuple[Config, Vault]]:
    """The configuration, and store and index by it; what is away is one line and exit 1."""
    settings = loaded(path)
    from recorder.io.index import IndexFailed
    from recorder.io.keeper import open_vault
    from recorder.io.objects import StoreError
    from service.wiring import keeper_settings

    try:
        with failures():
            vault = open_vault(keeper_settings(settings))
            try:
                must_have_index(vault)
                yield settings, vault
            finally:
                vault.index.close()
    except (StoreError, IndexFailed) as error:
        fail(str(error))


def query_of(facts: dict[str, Any]) -> Query:
    """A search by a command's options."""
    from recorder.io.index import Query

    same = {name: facts[name] for name in ("number", "agent", "queue", "order", "result")}
    longest = facts["max_seconds"]
    return Query(
        **same,
        since_ms=milliseconds(facts["since"]),
        until_ms=milliseconds(facts["until"]),
        min_ms=int(facts["min_seconds"] * 1000) or None,
        max_ms=int(longest * 1000) if longest else None,
        limit=PAGE,
    )


def pages(vault: Vault, query: Query, most: int) -> Iterator[Entry]:
    """All that a search finds, page after page."""
    from dataclasses import replace

    left = most
    while left > 0:
        page = vault.index.find(replace(query, limit=min(PAGE, left)))
        yield from page
        left -= len(page)
        if len(page) < min(PAGE, left + len(page)):
            return
        query = replace(query, after=(page[-1].started_ms, page[-1].recording))


def note(vault: Vault, action: str, recordings: list[str], reason: str) -> None:
    """Into the audit log, before anything is shown."""
    from recorder.chain import Access
    from recorder.io.access_log import AccessLog

    at_ms = int(time.time() * 1000)
    lines = [Access(at_ms, who(), action, one, reason, "shell") for one in recordings]
    AccessLog(vault.index.database).append(lines)


def for_us_alone(path: str, flags: int) -> int:
    """What citizens said is not for whoever else works on this machine."""
    return os.open(path, flags, 0o600)


def must_say_why(settings: Config, reason: str) -> None:
    if settings.recording_access.reason_required and not reason.strip():
        fail("a reason is needed: give --reason", USAGE)


def who() -> str:
    """The account of the operating system; nobody else can be asked here."""
    return f"shell:{getpass.getuser()}"[:64]


def shown(entry: Entry, *, reveal: bool) -> dict[str, Any]:
    """An entry as JSON."""
    from desk.listening import masked

    names = ("recording", "call_id", "agent", "queue", "order", "result", "state", "duration_ms")
    numbers = {name: getattr(entry, name) for name in ("caller", "called")}
    if not reveal:
        numbers = {name: masked(number) for name, number in numbers.items()}
    facts = {name: getattr(entry, name) for name in names}
    return {"started": local(entry.started_ms), **facts, **numbers}


def tell(progress: Any) -> None:
    """How far it is, on standard error."""
    if sys.stderr.isatty():
        share = progress.done / max(1, progress.recordings)
        print(f"\r{progress.done} of {progress.recordings}: {share:.0%}", end="", file=sys.stderr)


def milliseconds(at: datetime.datetime | None) -> int | None:
    return None if at is None else int(at.timestamp() * 1000)


def local(at_ms: int) -> str:
    at = datetime.datetime.fromtimestamp(at_ms / 1000).astimezone()
    return at.isoformat(timespec="milliseconds")


def now() -> datetime.datetime:
    return datetime.datetime.now().astimezone()
