"""What commands share that work on a configuration: its option, its mistakes, its index."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from config.loader import ConfigError, load
from config.schema import Config
from service.exits import USAGE, fail

if TYPE_CHECKING:
    from recorder.io.vault import Vault

CONFIG = Path("callcore.toml")
ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config",
        "-c",
        metavar="FILE",
        envvar="CALLCORE_CONFIG",
        help="The configuration, a TOML file.",
    ),
]


def loaded(path: Path) -> Config:
    """The configuration, or every mistake in it on standard error and exit 2."""
    if path == CONFIG and not path.exists():
        fail(f"no {CONFIG} in {Path.cwd()}: give --config FILE, or set CALLCORE_CONFIG", USAGE)
    try:
        return load(path)
    except ConfigError as error:
        for mistake in error.mistakes:
            print(f"callcore: {mistake}", file=sys.stderr)
        raise typer.Exit(USAGE) from None


def must_have_index(vault: Vault) -> None:
    """Exit 1 where there is none: one made now would be empty, and prove nothing."""
    database = vault.index.database
    if not vault.index.is_there():
        fail(
            f"no index at {database.place()}; run in the engine's folder, or where there is only "
            "a store: callcore recordings reindex"
        )


def places(vault: Vault) -> str:
    """Which index and which store, in full, for whoever reads the outcome later."""
    kind, colon, folder = vault.store.url.partition(":")
    store = f"file:{Path(folder).absolute()}" if kind == "file" and colon else vault.store.url
    return f"index {vault.index.database.place()}, store {store}"


def ask_password(*, twice: bool = False) -> str:
    """From the terminal unseen, or the first line of standard input."""
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=twice))
    return sys.stdin.readline().rstrip("\r\n")
