"""What every store promises, and the one error that it raises."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

COPY_BYTES = 1 << 20


class StoreError(Exception):
    """The store did not do it; the text names the store and says what to do.

    `store_away` tells a store that does not work at all from trouble with one object.
    """

    def __init__(self, message: str, store_away: bool = True) -> None:
        super().__init__(message)
        self.store_away = store_away


class ObjectMissing(StoreError):
    """No such object."""

    def __init__(self, message: str) -> None:
        super().__init__(message, store_away=False)


class WrongHash(StoreError):
    """What the store holds is not what was given to it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, store_away=False)


@dataclass(frozen=True, slots=True)
class Stat:
    """`sha256` is what was noted at the upload; the bytes themselves may have rotted since."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What goes with an upload besides the bytes.

    `retain_until_ms`: not to be deleted before. `progress`: a file of ours for noting which parts
    of a long upload are done; one that was broken off goes on from there.
    """

    retain_until_ms: int = 0
    progress: Path | None = None


NO_TERMS = Terms()


class Readable(Protocol):
    """Where objects can be read from."""

    @property
    def url(self) -> str: ...

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """The object's bytes [start, stop); raises StoreError."""


class Store(Protocol):
    """Objects under keys. All calls block and are for threads; all raise StoreError."""

    url: str

    def put(
        self,
        key: str,
        path: str | Path,
        sha256: str,
        content_type: str,
        terms: Terms = NO_TERMS,
    ) -> None:
        """Returns only when the store has confirmed that it holds bytes of this hash."""

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """The object's bytes [start, stop); raises ObjectMissing."""

    def stat(self, key: str) -> Stat | None: ...

    def local_path(self, key: str) -> Path | None:
        """The object as a file of this machine, if it is one."""

    def probe(self) -> None:
        """Raises StoreError when the store cannot be used now."""


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 of what is left of the file, in pieces."""
    digest = hashlib.sha256()
    while data := file.read(COPY_BYTES):
        digest.update(data)
    return digest.hexdigest()


def sha256_of_file(path: str | Path) -> str:
    with open(path, "rb") as file:
        return sha256_of(file)
