"""`callcore user ...`: accounts of the desk, written into the configuration."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Annotated, get_args

import typer

from config.access import Role
from config.loader import ConfigError, loads
from service.configured import CONFIG, ConfigOption, ask_password, loaded
from service.exits import USAGE, fail, failures, mistakes

user_app = typer.Typer(help="Accounts of the desk.", no_args_is_help=True)
ROLES = get_args(Role)


@user_app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who it is, as the audit log says.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="One of: " + ", ".join(ROLES) + ".")],
    config: ConfigOption = CONFIG,
    seat: Annotated[str, typer.Option(help="An agent's seat, where it is not the name.")] = "",
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the table, and leave the file as it is.")
    ] = False,
) -> None:
    """Add an account with a password to the configuration, as [[accounts]].

    The password comes from the prompt or from the first line of standard input; its hash alone is
    kept. The engine knows the account from its next start on.
    """
    from config.passwords import SALT_BYTES, password_hash

    if role not in ROLES:
        fail(f"--role {role}: one of {', '.join(ROLES)}", USAGE)
    if not only_print and name in (one.name for one in loaded(config).accounts):
        fail(f"{config} has an account {name!r} already", USAGE)
    with mistakes():
        hashed = password_hash(ask_password(twice=True), os.urandom(SALT_BYTES))
    table = account(name, role, hashed, seat)
    try:
        loads(table, file="the account")
    except ConfigError as error:
        fail(str(error.mistakes[0]), USAGE)
    if only_print:
        print(table, end="")
        return
    with failures():
        append(config, table)
    print(f"{config}: account {name} ({role}) is added; restart the engine")


def account(name: str, role: str, hashed: str, seat: str) -> str:
    """Its table in TOML, whose strings are those of JSON."""
    keys = {"name": name, "password_hash": hashed, "role": role, "seat": seat}
    lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value]
    return "\n".join(["[[accounts]]", *lines]) + "\n"


def append(path: Path, table: str) -> None:
    """At the end of the file, whole or not at all; exit 2 where the file would not be sound."""
    path = path.resolve()
    text = path.read_text(encoding="utf-8-sig")
    made = f"{text.rstrip()}\n\n{table}"
    try:
        loads(made, file=str(path))
    except ConfigError as error:
        fail(f"{error.mistakes[0]}; add it by hand, see --print", USAGE)
    was = path.stat()
    number, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchown(number, was.st_uid, was.st_gid)  # root adds, the engine's user reads
            os.fchmod(number, was.st_mode & 0o7777)
            file.write(made)
            file.flush()
            os.fsync(number)
        os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)
