"""The command line: `callcore COMMAND`; what users' scripts rely on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from service.configured import CONFIG, ConfigOption, loaded
from service.exits import USAGE, fail, failures, mistakes
from service.forecasting import forecast_app
from service.recording_access import add_access
from service.recordings import recordings_app
from service.rostering import roster
from service.users import user_app

# The base of all errors in arguments; typer has its own copy of click and does not name it.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="callcore",
    help="An open contact-centre engine: SIP, queue, media and recordings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,  # words in square brackets are tables of the configuration
)
journal_app = typer.Typer(help="The queue's journal.", no_args_is_help=True)
trunk_app = typer.Typer(help="The trunks to operators.", no_args_is_help=True)
app.add_typer(trunk_app, name="trunk")
app.add_typer(recordings_app, name="recordings")
add_access(recordings_app)
app.add_typer(journal_app, name="journal")
app.add_typer(user_app, name="user")
app.add_typer(forecast_app, name="forecast")
app.command()(roster)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"callcore {installed_version('callcore')}")
        raise typer.Exit


@app.callback()
def callcore(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """An open contact-centre engine: SIP, queue, media and recordings."""


@app.command()
def run(config: ConfigOption = CONFIG) -> None:
    """Run the engine and the desk in the foreground.

    Logs go to standard error. When all listeners are up, one line `ready {json}` comes on
    standard output. SIGTERM drains: no new calls, the present ones may go on for drain_seconds.
    """
    settings = loaded(config)
    # The engine's imports take a while, and no other command needs them.
    from service.logging import set_up
    from service.run import run as run_engine

    set_up(settings.logging)
    with failures():
        code = run_engine(settings)
    raise typer.Exit(code)


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Name every mistake of a configuration at once, or say that it is sound."""
    loaded(config)
    print("configuration is sound")


@app.command("sip-trace")
def sip_trace(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", metavar="FILE", help="The running engine's: its address."),
    ] = None,
    url: Annotated[str, typer.Option(help="In place of --config, as http://HOST:PORT.")] = "",
    token: Annotated[
        str, typer.Option(envvar="CALLCORE_TOKEN", help="The [http] token, with --url.")
    ] = "",
    call: Annotated[str, typer.Option(help="One call alone: its id, or a Call-ID.")] = "",
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show whole numbers; wants the token, is audited.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option(metavar="FILE.pcap", help="A capture that Wireshark opens.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="The whole text of each message.")] = False,
    seconds: Annotated[float, typer.Option(help="End after so long; 0 = Ctrl-C.")] = 0,
    messages: Annotated[int, typer.Option(help="End after so many; 0 = Ctrl-C.")] = 0,
) -> None:
    """Draw SIP messages of a running engine as ladders, live; write them as a capture."""
    from service.trace import TraceOptions, TraceRefused, follow, live_address

    if (config is None) == (not url):
        fail("give either --config or --url", USAGE)
    with mistakes():
        live_address(url or "http://127.0.0.1")
    if config is not None:
        http = loaded(config).http
        url, token = f"http://{http.listen}", http.token.get_secret_value()
    options = TraceOptions(url, token, call, reveal, write, full, seconds, messages)
    try:
        with failures():
            follow(options, Console(highlight=False))
    except TraceRefused as error:
        fail(str(error))
    except KeyboardInterrupt:
        return


@journal_app.command()
def replay(
    journal: Annotated[Path, typer.Argument(metavar="F", help="The journal's folder, or a file.")],
) -> None:
    """Rebuild the queue's state and service level from a journal, as JSON.

    Exit 1 if the fold from the newest snapshot is not the same as that of all events.
    """
    from service.replay import JournalUnreadable, rebuilt

    try:
        with failures():
            document = rebuilt(journal)
    except JournalUnreadable as error:
        fail(str(error))
    print(json.dumps(document, ensure_ascii=False, indent=2))
    if document["snapshot"] and not document["snapshot"]["equal"]:
        fail("the snapshot differs from the fold over all events; delete snapshot-*.state")


@journal_app.command()
def repair(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The journal's folder.")],
) -> None:
    """Take what a failing disk has damaged out of a journal, so that the engine starts again.

    A torn end needs none of this: the engine cuts it itself. The damaged files are kept beside.
    """
    from acd.io.files import JournalDamaged, entries
    from acd.io.mending import mend

    if not folder.is_dir():
        fail(f"{folder} is no folder; name [engine] journal's")
    try:
        with failures():
            found = mend(folder)
            events = sum(1 for _ in entries(folder))
    except BlockingIOError:
        fail(f"{folder} is in use: stop the engine first")
    except JournalDamaged as error:
        fail(str(error))
    for one in found:
        lost = "unknown" if one.events_missing is None else one.events_missing
        print(f"{one.file}: {one.bytes_taken} bytes taken out, events lost: {lost}")
    print(f"the journal can be read to its end: {events} events")


@trunk_app.command("test")
def try_trunk(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The trunk's name.")],
    config: ConfigOption = CONFIG,
    call: Annotated[str, typer.Option(metavar="NUMBER", help="Call this number as well.")] = "",
    seconds: Annotated[
        float, typer.Option(min=0.1, max=60, help="How long the call lasts once answered.")
    ] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Register with the operator, or send OPTIONS, and say what failed and what may cause it.

    It listens at ports of its own, so that the engine may go on beside it.
    """
    settings = loaded(config)
    names = [trunk.name for trunk in settings.trunks]
    if name not in names:
        fail(f"no trunk {name!r}; there are: {', '.join(names) or 'none'}", USAGE)
    import asyncio

    from service.trunk_trial import Step, Trial, TrunkTrial

    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        if not as_json:
            _print_step(step.step, step.ok, step.ms, step.says, step.causes)

    with failures():
        ok = asyncio.run(TrunkTrial(Trial(settings, name, call, seconds), tell).run())
    if as_json:
        print(json.dumps({"trunk": name, "ok": ok, "steps": [asdict(one) for one in steps]}))
    elif ok:
        print(f"trunk {name} works")
    if not ok:
        fail(f"trunk {name} does not work; see the steps above")


def _print_step(step: str, ok: bool, ms: float | None, says: str, why: Iterable[str]) -> None:
    """A line for what was tried, and one for each thing that may be behind it."""
    took = "" if ms is None else f" ({ms:g} ms)"
    print(f"{'ok    ' if ok else 'FAILED'} {step}: {says}{took}")
    for cause in why:
        print(f"         perhaps: {cause}")


def keep_to_ourselves() -> None:
    """Index, spool and exports hold numbers and voices: the owner's and the group's alone."""
    os.umask(os.umask(0o077) | 0o027)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point: a mistake in the arguments is one line as well."""
    keep_to_ourselves()
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="callcore", standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except USAGE_ERROR as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "callcore"
        # Not str(error): that leaves out which option or argument it is about.
        message = str(getattr(error, "format_message", error.__str__)()).rstrip(".")
        if not message or message.startswith("Usage:"):  # a group of commands, and none of them
            message = "what to do is missing"
        print(f"callcore: {message}; see {path} --help", file=sys.stderr)
        code = USAGE
    sys.exit(code or 0)


if __name__ == "__main__":
    main()
