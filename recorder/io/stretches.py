"""A recording in the store as a file that can be sought in, without fetching what is not read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

BLOCK = 1 << 18  # bytes asked for at once: some 20 s of FLAC


class Stretches(io.RawIOBase):
    """Reads `chunks(start, stop)` of a whole of `size` bytes; raises what that raises."""

    def __init__(self, chunks: Callable[[int, int | None], Iterator[bytes]], size: int) -> None:
        self._chunks = chunks
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        data = b"".join(self._chunks(self._at, stop))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def seekable(chunks: Callable[[int, int | None], Iterator[bytes]], size: int) -> io.BufferedReader:
    """The same, a block at a time."""
    return io.BufferedReader(Stretches(chunks, size), BLOCK)
