"""What every store promises, and the one error that it raises."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from recorder.manifest import iso

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


class StillKept(StoreError):
    """The object may not be deleted yet."""

    def __init__(self, message: str) -> None:
        super().__init__(message, store_away=False)


@dataclass(frozen=True, slots=True)
class Stat:
    """`sha256` is what was noted at the upload; the bytes themselves may have rotted since."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Protection:
    """What keeps an object: our ledger's date and the store's own lock; milliseconds.

    `store_ms` is the store's clock, where it has one of its own.
    """

    noted_until_ms: int
    locked_until_ms: int = 0
    mode: str = ""
    held: bool = False
    store_ms: int | None = None

    def check(self, what: str, now_ms: int) -> None:
        """Raises StillKept. A clock of ours that jumped ahead does not outvote the store's."""
        now_ms = now_ms if self.store_ms is None else min(now_ms, self.store_ms)
        until_ms = max(self.noted_until_ms, self.locked_until_ms)
        if self.held:
            raise StillKept(f"{what} is under a legal hold")
        if now_ms < until_ms:
            raise StillKept(f"{what} is kept until {iso(until_ms)}")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the store does by itself; `ours`: nothing need be asked of it, for it is our own."""

    ours: bool = False
    versioning: bool = False
    object_lock: str = ""
    expires_after_days: int | None = None
    aborts_stale: bool = False
    public_blocked: bool = False
    nested: tuple[str, ...] = ()  # prefixes of other hotlines, in ours or around it

    def warnings(self, retention_days: int) -> tuple[str, ...]:
        """What it does not do, and what stands in for it."""
        if self.ours:
            return ()
        expires = self.expires_after_days
        told = {
            "it keeps no versions: what is overwritten is gone": not self.versioning,
            "it locks nothing: only our own ledger refuses early deletion": not self.object_lock,
            "no rule of its deletes recordings after their time": expires is None,
            f"a rule of its deletes recordings after {expires} days, before the "
            f"{retention_days} that were promised": expires is not None
            and expires < retention_days,
            "it leaves broken uploads lying": not self.aborts_stale,
            "it may be opened to the public": not self.public_blocked,
            f"the prefix {', '.join(self.nested)} of another hotline lies in ours or around it: "
            "each one's rules act on the other's recordings": bool(self.nested),
        }
        return tuple(why for why, is_so in told.items() if is_so)

    @property
    def metrics(self) -> dict[str, bool]:
        return {
            "versioning": self.ours or self.versioning,
            "object_lock": self.ours or bool(self.object_lock),
            "expiry": self.ours or self.expires_after_days is not None,
            "aborts_stale_uploads": self.ours or self.aborts_stale,
            "public_access_blocked": self.ours or self.public_blocked,
        }


@dataclass(frozen=True, slots=True)
class Terms:
    """What goes with an upload besides the bytes.

    `retain_until_ms`: not to be deleted before. `progress`: a file of ours for noting which parts
    of a long upload are done; one that was broken off goes on from there, and keeps the date that
    it was begun with, unless that is before `least_until_ms`.
    """

    retain_until_ms: int = 0
    progress: Path | None = None
    least_until_ms: int = 0


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

    def holds(self, key: str, path: str | Path, sha256: str) -> bool:
        """Whether just these bytes are there already, by more than our own note of them."""

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        """The object's bytes [start, stop); raises ObjectMissing."""

    def stat(self, key: str) -> Stat | None: ...

    def local_path(self, key: str) -> Path | None:
        """The object as a file of this machine, if it is one."""

    def probe(self) -> None:
        """Raises StoreError when the store cannot be used now."""

    def listed(self, prefix: str = "") -> Iterator[str]:
        """All keys that begin so."""

    def protection(self, key: str) -> Protection | None:
        """What keeps the object; None when it is not there."""

    def locks(self) -> bool:
        """Whether it locks objects by itself."""

    def hold(self, key: str, held: bool) -> bool:
        """A legal hold on the object, or none; False when that is left to our own ledger."""

    def delete(self, key: str, now_ms: int) -> None:
        """All versions of it, for good; raises StillKept before its date or under a hold."""

    def abilities(self) -> Abilities:
        """What the store does by itself, asked of it now."""


class LocalFile(io.FileIO):
    """A file of which a piece may be unreadable: no trouble with the whole store."""

    def __init__(self, path: str | Path, trouble: str) -> None:
        super().__init__(path, "rb")
        self._trouble = trouble

    def readinto(self, buffer: Any, /) -> int | None:
        with _one_file(self._trouble):
            return super().readinto(buffer)

    def readall(self) -> bytes:
        with _one_file(self._trouble):
            return super().readall()


def at_hand(path: str | Path) -> BinaryIO:
    """What is to be stored, from here: what fails of it says nothing of the store."""
    trouble = f"cannot read {path}, which is to be stored"
    with _one_file(trouble):
        return io.BufferedReader(LocalFile(path, trouble))


@contextlib.contextmanager
def _one_file(trouble: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror or error}; check the disk"
        raise StoreError(f"{trouble}: {reason}", store_away=False) from error


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 of what is left of the file, in pieces."""
    digest = hashlib.sha256()
    while data := file.read(COPY_BYTES):
        digest.update(data)
    return digest.hexdigest()


def sha256_of_file(path: str | Path) -> str:
    with open(path, "rb") as file:
        return sha256_of(file)
