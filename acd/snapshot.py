"""The core's whole state as bytes, so that a start need not fold the journal from its beginning.

A snapshot is a cache of the fold, never the truth: it holds for the very build of `acd` that made
it, and one that cannot be read costs a longer start and nothing else. The state is pickled, which
follows every new field and keeps what is shared shared; whoever reads it builds nothing but plain
values and this package's own classes, whatever the bytes say.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import zlib
from typing import Any

import msgspec

from acd.board import Board
from acd.core import Core
from acd.policies import Stage
from acd.settings import AcdSettings

MAGIC = b"callcore snapshot 1\n"
PLAIN = frozenset(
    [("collections", "deque"), ("collections", "OrderedDict"), ("collections", "defaultdict")]
    + [("builtins", name) for name in ("set", "frozenset", "int", "list", "dict", "tuple")]
)
STATE = Board.__slots__  # what the core adds is code, not state


class SnapshotUnreadable(Exception):
    """Damaged, or not a snapshot of this kind."""


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """The state after event `sequence`."""

    sequence: int
    epoch: int
    build: str
    state: bytes


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, core: Core) -> None:
        super().__init__(file, protocol=5)
        # Debian 12's Python names a member by `getattr`, which no reader of a state may call.
        self.dispatch_table = {**copyreg.dispatch_table, Stage: lambda one: (Stage, (int(one),))}
        self._core = core

    def persistent_id(self, obj: Any) -> str | None:
        """The core itself stays outside: another takes its place."""
        return "core" if obj is self._core else None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, core: Core) -> None:
        super().__init__(file)
        self._core = core

    def persistent_load(self, pid: Any) -> Core:
        """The core that takes the state over."""
        if pid != "core":
            raise pickle.UnpicklingError(f"unknown reference {pid!r}")
        return self._core

    def find_class(self, module: str, name: str) -> Any:
        """Plain containers and what `acd` itself defines; nothing else is ever looked up."""
        if (module, name) in PLAIN:
            return super().find_class(module, name)
        if module.startswith("acd.") and "." not in name and not module.startswith("acd.io"):
            found = super().find_class(module, name)
            if getattr(found, "__module__", "").startswith("acd."):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state")


def freeze(core: Core) -> bytes:
    """All of the core's state."""
    file = io.BytesIO()
    state = {name: getattr(core, name) for name in STATE}
    _Pickler(file, core).dump(state)
    return zlib.compress(file.getvalue(), 1)


def thaw(state: bytes) -> Core:
    """The core as it was frozen; SnapshotUnreadable."""
    core = Core(AcdSettings())
    try:
        found = _Unpickler(io.BytesIO(zlib.decompress(state)), core).load()
        for name in STATE:
            setattr(core, name, found[name])
    except Exception as error:  # a damaged pickle raises almost anything
        raise SnapshotUnreadable(f"{type(error).__name__}: {error}") from None
    return core


def pack(snapshot: Snapshot) -> bytes:
    """A snapshot as it is kept."""
    data = msgspec.msgpack.encode(snapshot)
    return MAGIC + zlib.crc32(data).to_bytes(4, "little") + data


def unpack(data: bytes) -> Snapshot:
    """The contrary; SnapshotUnreadable."""
    at = len(MAGIC)
    if not data.startswith(MAGIC):
        raise SnapshotUnreadable("not a snapshot")
    if zlib.crc32(data[at + 4 :]) != int.from_bytes(data[at : at + 4], "little"):
        raise SnapshotUnreadable("wrong checksum")
    try:
        return msgspec.msgpack.decode(data[at + 4 :], type=Snapshot)
    except msgspec.MsgspecError as error:
        raise SnapshotUnreadable(str(error)) from None
