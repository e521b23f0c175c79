"""How a command ends that cannot do what it was asked: one line, and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

USAGE = 2
FAILURE = 1


def fail(message: str, code: int = FAILURE) -> NoReturn:
    """One line on standard error that says what to do, and the exit code."""
    print(f"callcore: {message}", file=sys.stderr)
    raise typer.Exit(code)


@contextmanager
def failures() -> Iterator[None]:
    """What the world refuses (a file, a port, a database) is one line and exit 1."""
    try:
        yield
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        fail(f"{error.strerror or error}{place}")


@contextmanager
def mistakes() -> Iterator[None]:
    """What has no meaning (ValueError) is one line and exit 2."""
    try:
        yield
    except ValueError as error:
        fail(str(error), USAGE)
