"""What media workers append to the spool, in the first of its folders that takes it.

Loaded inside every media worker, so it imports nothing but the standard library and the codec.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recorder.io.disk import Disk
from recorder.io.folders import Folder
from recorder.io.segments import NAME, OPENING, SUFFIX, segments_of
from recorder.spool import block_head, encode_header, split

SYNC_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 5.0
MANY_FILES = 8  # one syncfs for 500 files takes 0.3 s where 500 times fdatasync takes 1.6
RESERVE_BYTES = 64 << 20  # what is left free in a folder while the next one has room
HELD_BYTES = 64 << 20
LATEST_START_MS = 60_000  # a start told longer ago is from another clock

Held = tuple[int, bytes, int, bytes]  # first frame, frames, private, sides


class SpoolError(OSError):
    """The spool cannot take this recording; the call goes on without it."""


class Handle:
    """One recording that a sink writes; only the sink that opened it may use it.

    `held` are the blocks that are not known to be on the disk: the first of them, up to `written`
    (counted from the recording's first block, as `dropped` is), were written and not synced yet.
    """

    __slots__ = (
        "broken", "descriptor", "dropped", "folder", "header", "held", "named", "path",
        "recording", "resumed", "size", "written",
    )  # fmt: skip

    def __init__(self, recording: str, header: dict[str, Any]) -> None:
        self.recording = recording
        self.header = header
        self.folder: Folder | None = None
        self.descriptor = -1
        self.path = ""
        self.named = 0  # its segment's number among the names that were added to the folder
        self.size = 0
        self.held: deque[Held] = deque()
        self.dropped = 0
        self.written = 0
        self.resumed = False  # has a segment of this clock already
        self.broken: OSError | None = None  # its last sync failed

    @property
    def is_dirty(self) -> bool:
        return self.descriptor >= 0 and self.written > self.dropped


class SpoolSink:
    """Appends blocks to segment files in the first folder that takes them.

    Safe for several workers on the same folders. Every segment is locked (flock) while it is
    written: the kernel lets go of the lock when the writer dies, so that the keeper knows a torn
    segment from one that is still growing. Where a folder fails (full, broken), the recording goes
    on in the next one, with all that is not known to be on the disk.

    `open`, `write` and `close` are for one thread; a thread of the sink's own syncs.
    """

    def __init__(
        self,
        folders: str | Sequence[str],
        sync_seconds: float = SYNC_SECONDS,
        reserve_bytes: int = RESERVE_BYTES,
        disk: Disk | None = None,
    ) -> None:
        self._disk = disk or Disk()
        names = [folders] if isinstance(folders, str) else list(folders)
        self.folders = [Folder(name, reserve_bytes, self._disk) for name in names]
        self._sync_seconds = sync_seconds
        self._open: dict[Handle, None] = {}
        self._held_bytes = 0
        self._lock = threading.Lock()
        self._syncer: threading.Thread | None = None

    def open(self, recording: str, header: Mapping[str, Any]) -> Handle:
        """Starts the recording's next segment; raises SpoolError for a name that cannot be.

        No folder that takes it is no error here: the first blocks wait, and `write` tells.
        """
        if not NAME.fullmatch(recording):
            raise SpoolError(errno.EINVAL, f"{recording!r} cannot name a file of the spool")
        later = self._later_start(recording, header)
        handle = Handle(recording, {**header, **later, "recording": recording})
        encode_header(handle.header)  # raises when it is too long
        with contextlib.suppress(OSError):
            self._move(handle)
        with self._lock:
            self._open[handle] = None
        if self._sync_seconds and self._syncer is None:
            self._syncer = threading.Thread(target=self._keep_syncing, name="sync", daemon=True)
            self._syncer.start()
        return handle

    def write(
        self, handle: Handle, first_frame: int, frames: bytes, private: int = 0, sides: bytes = b""
    ) -> None:
        """Appends n x 320 bytes; after an OSError they are held, and written with the next ones.

        What a segment ends with is always a whole block.
        """
        with self._lock:
            for first, part in split(first_frame, frames):
                handle.held.append((first, part, private, sides))
                self._held_bytes += len(part)
        try:
            self._flush(handle)
        finally:
            self._limit(handle)

    def close(self, handle: Handle) -> None:
        """On the disk for good, or an OSError; held blocks that nothing takes are lost then."""
        try:
            self._flush(handle)
            if handle.descriptor >= 0:
                self._settle(handle)
        finally:
            with self._lock:
                del self._open[handle]
                self._held_bytes -= sum(len(held[1]) for held in handle.held)
                handle.held.clear()
            self._leave(handle)

    def sync(self) -> None:
        """One round: files one by one, many at once by their file system; never raises."""
        with self._lock:
            dirty = [one for one in self._open if one.is_dirty and one.broken is None]
        for folder in self.folders:
            ones = [one for one in dirty if one.folder is folder]
            if len(ones) > MANY_FILES:
                self._sync_some(ones, self._disk.sync_all, folder)
            else:
                for one in ones:
                    self._sync_some([one], self._disk.sync_file, folder)
            with contextlib.suppress(OSError):  # the files' own syncs tell
                folder.sync_names()

    def _sync_some(self, ones: list[Handle], sync: Callable[[int], None], folder: Folder) -> None:
        """By one descriptor of our own: theirs may be closed meanwhile."""
        failure: OSError | None = None
        with self._lock:
            ones = [one for one in ones if one.folder is folder and one.is_dirty]
            at = [(one, one.written) for one in ones]
            try:
                descriptor = os.dup(ones[0].descriptor) if ones else -1
            except OSError:  # no descriptor left: the next round may have one
                return
        if descriptor < 0:
            return
        try:
            sync(descriptor)
        except OSError as error:  # what the kernel has of it may be gone: it is written elsewhere
            failure = error
            folder.rest()
        finally:
            os.close(descriptor)
        with self._lock:
            for handle, written in at:
                if handle.folder is not folder:
                    continue  # it has moved meanwhile, and is written there anew
                if failure is not None:
                    handle.broken = failure
                else:
                    self._forget_until(handle, written)

    def _keep_syncing(self) -> None:
        pause = self._sync_seconds
        while True:
            time.sleep(pause)
            begun = time.monotonic()
            self.sync()
            # A disk that takes longer than that is left half of its time.
            took = time.monotonic() - begun
            pause = max(self._sync_seconds - took, min(took, LONGEST_PAUSE_SECONDS))

    def _flush(self, handle: Handle) -> None:
        """All that is held into the segment, or else into the next one elsewhere."""
        failure = handle.broken
        if failure is None and handle.descriptor >= 0:
            try:
                self._append_held(handle)
                return
            except OSError as error:
                failure = error
        try:
            self._move(handle)
            self._append_held(handle)
        except OSError as error:
            raise failure or error from None

    def _rest(self, handle: Handle) -> None:
        if handle.folder is not None:
            handle.folder.rest()

    def _settle(self, handle: Handle) -> None:
        try:
            self._sync_whole(handle)
        except OSError:
            self._rest(handle)
            self._move(handle)
            self._append_held(handle)
            self._sync_whole(handle)

    def _sync_whole(self, handle: Handle) -> None:
        """The file, and its name where no round has synced it: a call of less than a second."""
        assert handle.folder is not None
        self._disk.sync_file(handle.descriptor)
        if handle.named > handle.folder.synced:
            handle.folder.sync_names()

    def _move(self, handle: Handle) -> None:
        """A new segment in the first folder that takes one; raises the last folder's OSError."""
        failure = OSError(errno.ENOSPC, "no spool folder takes recordings")
        for folder in self._in_order():
            try:
                self._begin(handle, folder)
                return
            except OSError as error:
                folder.rest()
                failure = error
        raise failure

    def _in_order(self) -> list[Folder]:
        """Those with room, then those that are full, which may take a last word; none that rest."""
        ready = [folder for folder in self.folders if not folder.rests]
        return [f for f in ready if f.has_room] + [f for f in ready if not f.has_room]

    def _begin(self, handle: Handle, folder: Folder) -> None:
        """The file gets its name only with its lock and its header in it: a kill in the middle
        leaves no segment that would look damaged.
        """
        follows = {"follows": True} if handle.resumed else {}
        line = encode_header({**handle.header, **follows})
        folder.make()
        opening = os.path.join(folder.path, f".{os.getpid()}-{time.monotonic_ns()}{OPENING}")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        descriptor = self._disk.open(opening, flags)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write_out(descriptor, [line])
            path = self._name(opening, handle.recording, folder)
        except OSError:
            os.close(descriptor)
            raise
        finally:
            with contextlib.suppress(OSError):
                self._disk.unlink(opening)
        self._leave(handle)
        with self._lock:
            handle.folder, handle.descriptor, handle.path = folder, descriptor, path
            handle.size, handle.written = len(line), handle.dropped
            handle.broken, handle.resumed = None, True
            folder.names += 1
            handle.named = folder.names

    def _leave(self, handle: Handle) -> None:
        with self._lock:
            descriptor, handle.descriptor = handle.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _name(self, opening: str, recording: str, folder: Folder) -> str:
        """The next number that no folder has; where two workers take one at once, the later
        folder's gives way.
        """
        paths = [one.path for one in self.folders]
        before = paths[: paths.index(folder.path)]
        number = max((one.number for one in segments_of(paths, recording)), default=-1)
        while True:
            number += 1
            path = os.path.join(folder.path, f"{recording}.{number}{SUFFIX}")
            try:
                self._disk.link(opening, path)
            except FileExistsError:
                continue  # another worker took this number
            twins = [os.path.join(one, f"{recording}.{number}{SUFFIX}") for one in before]
            if not any(map(os.path.exists, twins)):
                return path
            self._disk.unlink(path)

    def _append_held(self, handle: Handle) -> None:
        """What was not written yet, all of a block or nothing: half of one is cut off again."""
        while (block := self._next(handle)) is not None:
            first, frames, private, sides = block
            try:
                done = self._write_out(
                    handle.descriptor, [block_head(first, frames, private, sides), frames]
                )
            except OSError:
                self._rest(handle)
                with contextlib.suppress(OSError):  # a broken disk: the reader skips the half
                    self._disk.truncate(handle.descriptor, handle.size)
                raise
            handle.size += done
            with self._lock:
                handle.written += 1

    def _next(self, handle: Handle) -> Held | None:
        with self._lock:
            at = handle.written - handle.dropped
            return handle.held[at] if at < len(handle.held) else None

    def _write_out(self, descriptor: int, parts: list[bytes]) -> int:
        want = sum(map(len, parts))
        done = self._disk.writev(descriptor, parts)
        rest = b"".join(parts) if done < want else b""
        while done < want:
            done += self._disk.writev(descriptor, [rest[done:]])
        return want

    def _forget_until(self, handle: Handle, until: int) -> None:
        while handle.dropped < until and handle.held:
            self._held_bytes -= len(handle.held.popleft()[1])
            handle.dropped += 1

    def _limit(self, handle: Handle) -> None:
        """Memory is not for recordings: beyond HELD_BYTES in all, the oldest of this one goes."""
        with self._lock:
            while self._held_bytes > HELD_BYTES and len(handle.held) > 1:
                self._forget_until(handle, handle.dropped + 1)
                handle.written = max(handle.written, handle.dropped)

    def _later_start(self, recording: str, header: Mapping[str, Any]) -> dict[str, int]:
        """A segment that continues a recording begins now, not when it was asked for.

        The worker that replaces a dead one needs about a second to start; what was said meanwhile
        is silence in the recording, and must be as long as it was.
        """
        asked_ms, now_ms = header.get("started_ms"), time.time_ns() // 1_000_000
        if not isinstance(asked_ms, int) or not 0 <= now_ms - asked_ms <= LATEST_START_MS:
            return {}
        found = segments_of([folder.path for folder in self.folders], recording)
        return {"started_ms": now_ms} if found else {}
