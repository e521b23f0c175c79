"""`callcore recordings ...`: the store set up, proved, and what may be done to what lies in it."""

from __future__ import annotations

import base64
import json
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from config.access import approvers_of
from service.configured import CONFIG, ConfigOption, ask_password, loaded, must_have_index, places
from service.exits import fail, failures, mistakes

if TYPE_CHECKING:
    from recorder.custody import Custody
    from recorder.io.audit import Problem
    from recorder.io.custodian import Custodian, Person
    from recorder.io.vault import Vault

recordings_app = typer.Typer(help="The recordings in the store.", no_args_is_help=True)
key_app = typer.Typer(help="Keys that recordings are encrypted with.", no_args_is_help=True)
recordings_app.add_typer(key_app, name="key")

Recording = Annotated[str, typer.Argument(metavar="RECORDING", help="Its name in the index.")]
By = Annotated[str, typer.Option(help="Who does it: an account with the right custody.")]
Reason = Annotated[str, typer.Option(help="Why; it stays with the recording for good.")]


@recordings_app.command()
def verify(
    config: ConfigOption = CONFIG,
    sample: Annotated[
        int, typer.Option(min=0, help="So many at random in place of all; 0 = all.")
    ] = 0,
) -> None:
    """Prove that every recording of the index is in the store, whole, and kept long enough."""
    from recorder.io import guard
    from recorder.io.audit import verify as proved

    with opened(config) as vault:
        chosen = None
        if sample:
            picked = (guard.pick(vault, random.random) for _ in range(sample))
            chosen = {entry.recording: entry for entry in picked if entry is not None}.values()
        found = proved(vault.index, vault.store, vault.keys, chosen)
        if found.problems:
            wrong = len({problem.recording for problem in found.problems})
            told = f"{wrong} of {found.checked} recordings are not as they should be; see the list"
            _fail_with(found.problems, told)
        print(f"{found.checked} recordings are in the store, whole, and kept long enough")


@recordings_app.command()
def prove(
    config: ConfigOption = CONFIG,
    count: Annotated[int, typer.Option(min=1, help="So many recordings.")] = 1,
) -> None:
    """Fetch recordings at random and play them to their end, as the engine does daily."""
    from recorder.io import guard

    with opened(config) as vault:
        failed = 0
        for _ in range(count):
            entry = guard.pick(vault, random.random)
            if entry is None:
                fail("the index has no stored recording")
            found = guard.check(vault, _custodian(config, vault), entry, _now_ms())
            print(f"{entry.recording}: {found.why or 'plays as it was sealed'}")
            failed += bool(found.why)
        if failed:
            fail(f"{failed} of {count} recordings do not play")


@recordings_app.command()
def init(config: ConfigOption = CONFIG) -> None:
    """Set the bucket up: versions, lock, expiry and tiers by age, no public access.

    It may be run again at any time. Exit 1 when the store cannot do something: our own ledger
    keeps that promise then.
    """
    from recorder.io.s3 import S3Store
    from recorder.io.s3_rules import Wanted
    from recorder.manifest import check_retention

    settings = loaded(config).recordings
    tiers = tuple((tier.after_days, tier.storage_class) for tier in settings.tiers)
    with opened(config, makes=True) as vault:
        store = vault.store
        if not isinstance(store, S3Store):
            store.probe()
            print(f"{store.url}: our own ledger keeps recordings {settings.retention_days} days")
            return
        lacking = 0
        for step in store.bucket.set_up(Wanted(check_retention(settings.retention_days), tiers)):
            print(f"{step.outcome:7} {step.what}{': ' * bool(step.why)}{step.why}")
            lacking += step.outcome == "cannot"
        if lacking:
            fail(f"{store.where} cannot do {lacking} of these; our own ledger stands in")


@recordings_app.command()
def expire(config: ConfigOption = CONFIG) -> None:
    """Delete what is past its date and not held, where the store has no rule for it: a directory.

    The engine does so once a day; here the clock of this machine is believed at once.
    """
    from recorder.io.audit import Problem
    from recorder.io.expiry import expire as expired

    with opened(config) as vault:
        if not vault.store.abilities().ours:
            fail(f"{vault.store.url} has rules of its own: see `callcore recordings init`")
        found = list(expired(vault, _custodian(config, vault), _now_ms()))
        problems = [one for one in found if isinstance(one, Problem)]
        for one in found:
            if not isinstance(one, Problem):
                print(f"{one.recording}: expired")
        if problems:
            _fail_with(problems, f"{len(problems)} recordings cannot be expired; see the list")
        print(f"{len(found)} recordings were past their date")


@recordings_app.command()
def inventory(config: ConfigOption = CONFIG) -> None:
    """Find objects without a recording in the index, and recordings without their objects."""
    from recorder.io.inventory import inventory as counted

    with opened(config) as vault:
        found = counted(vault)
        if found.problems:
            _fail_with(found.problems, f"{len(found.problems)} do not fit; see the list")
        print(f"{found.objects} objects of {found.recordings} recordings, and nothing else")


@recordings_app.command()
def reindex(config: ConfigOption = CONFIG) -> None:
    """Make the index again from the manifests in the store, with holds and tombstones."""
    from recorder.io.inventory import reindex as made

    with opened(config, makes=True) as vault:
        found = made(vault)
        print(f"{found.recordings} recordings and {found.custodies} custodies are in the index")
        if found.problems:
            _fail_with(found.problems, f"{len(found.problems)} manifests cannot be read")


@key_app.command("new")
def new_key() -> None:
    """Print a new encryption key, for a file of its own that nobody else can read."""
    print(base64.b64encode(os.urandom(32)).decode())


@key_app.command("list")
def list_keys(config: ConfigOption = CONFIG) -> None:
    """Count the recordings by the key that opens them, and name those whose key is not here."""
    from recorder.io.rotation import CLEAR
    from recorder.io.rotation import rotate as counted

    with opened(config) as vault:
        found = counted(vault, only_count=True)
        current = vault.keys.current.key_id if vault.keys.current is not None else ""
        lost = 0
        for key_id, count in sorted(found.keys.items()):
            if key_id == CLEAR:
                print(f"{key_id}: {count}")
                continue
            is_here = key_id in vault.keys
            state = "wraps what is new" if key_id == current else "opens what is old"
            print(f"{key_id}: {count} ({state if is_here else 'LOST'})")
            lost += 0 if is_here else count
        if found.problems:
            _fail_with(found.problems, f"{len(found.problems)} manifests cannot be read")
        if lost:
            fail(f"{lost} recordings cannot be opened: put their keys into recordings.old_keys")


@recordings_app.command()
def rotate(config: ConfigOption = CONFIG) -> None:
    """Wrap all data keys with the newest master key; no audio is written again."""
    from recorder.io.rotation import NoKey
    from recorder.io.rotation import rotate as rotated

    with opened(config) as vault:
        try:
            found = rotated(vault)
        except NoKey as error:
            fail(str(error))
        print(f"{found.rewrapped} recordings have a newly wrapped key")
        if found.problems:
            told = f"{len(found.problems)} recordings are not as they should be; see the list"
            _fail_with(found.problems, told)


@recordings_app.command()
def approver(name: Annotated[str, typer.Argument(help="The account.")]) -> None:
    """Print a custodian's [[accounts]]; the password comes on standard input."""
    from recorder.approvers import SALT_BYTES, password_hash

    with mistakes():
        hashed = password_hash(ask_password(), os.urandom(SALT_BYTES))
    print(f'[[accounts]]\nname = {json.dumps(name)}\nrole = "custodian"')
    print(f'password_hash = "{hashed}"')


@recordings_app.command()
def custody(recording: Recording, config: ConfigOption = CONFIG) -> None:
    """Show what was done to a recording: holds, requests, deletion."""
    _do(config, lambda custodian: custodian.custody(recording))


@recordings_app.command()
def held(config: ConfigOption = CONFIG) -> None:
    """List the recordings under a legal hold."""
    with opened(config, quiet=True) as vault:
        for one in _custodian(config, vault).book.all("held"):
            last = one.last
            assert last is not None
            print(f"{one.recording}: by {last.by}, {last.at}: {last.reason}")


@recordings_app.command()
def hold(recording: Recording, by: By, reason: Reason, config: ConfigOption = CONFIG) -> None:
    """Put a legal hold on a recording: nothing deletes it until that is lifted."""
    who = _person(by)
    _do(config, lambda custodian: custodian.hold(recording, who, reason, _now_ms()))


@recordings_app.command()
def lift(recording: Recording, by: By, reason: Reason, config: ConfigOption = CONFIG) -> None:
    """Lift a legal hold."""
    who = _person(by)
    _do(config, lambda custodian: custodian.lift(recording, who, reason, _now_ms()))


@recordings_app.command()
def delete(recording: Recording, by: By, reason: Reason, config: ConfigOption = CONFIG) -> None:
    """Ask for the deletion of a recording whose time is over; somebody else must approve it."""
    who = _person(by)
    _do(config, lambda custodian: custodian.ask_deletion(recording, who, reason, _now_ms()))


@recordings_app.command()
def withdraw(recording: Recording, by: By, config: ConfigOption = CONFIG) -> None:
    """Take a request for deletion back."""
    who = _person(by)
    _do(config, lambda custodian: custodian.withdraw(recording, who, "", _now_ms()))


@recordings_app.command()
def approve(recording: Recording, by: By, config: ConfigOption = CONFIG) -> None:
    """Approve a deletion that somebody else asked for: the recording is deleted."""
    who = _person(by)
    _do(config, lambda custodian: custodian.approve_deletion(recording, who, _now_ms()))


@contextmanager
def opened(config: Path, *, makes: bool = False, quiet: bool = False) -> Iterator[Vault]:
    """Store, index and keys; whatever they refuse is one line and exit 1.

    Says first which index and store it is about; one that `makes` needs no index to be there.
    """
    from recorder.io.database import IndexFailed
    from recorder.io.keeper import open_vault
    from recorder.io.objects import StoreError
    from service.wiring import keeper_settings

    settings = loaded(config)
    with failures(), mistakes():
        vault = open_vault(keeper_settings(settings))
    try:
        with failures():
            if not makes:
                must_have_index(vault)
            if not quiet:
                print(places(vault))
            yield vault
    except (StoreError, IndexFailed) as error:
        fail(str(error))
    finally:
        vault.index.close()


def _custodian(config: Path, vault: Vault) -> Custodian:
    from recorder.approvers import Approvers
    from recorder.io.custodian import Custodian

    return Custodian(vault, Approvers(dict(approvers_of(loaded(config).accounts))))


def _do(config: Path, work: Callable[[Custodian], Custody]) -> None:
    """Does it and shows the recording's custody."""
    from recorder.approvers import NotAllowed
    from recorder.custody import Refused
    from recorder.io.custodian import UnknownRecording

    with opened(config, quiet=True) as vault:
        try:
            found = work(_custodian(config, vault))
        except (NotAllowed, Refused, UnknownRecording) as error:
            fail(str(error.args[0]))
    print(f"{found.recording}: {found.state.value}")
    for event in found.events:
        reason = f": {event.reason}" if event.reason else ""
        print(f"  {event.at} {event.kind} by {event.by}{reason}")


def _person(name: str) -> Person:
    from recorder.io.custodian import Person

    return Person(name, ask_password())


def _fail_with(problems: Iterable[Problem], told: str) -> NoReturn:
    for problem in problems:
        named = f"{problem.recording}: " if problem.recording else ""
        print(f"{named}{problem.why} ({problem.key})")
    fail(told)


def _now_ms() -> int:
    return int(time.time() * 1000)
