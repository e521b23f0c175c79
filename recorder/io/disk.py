"""What the spool asks of the operating system, so that a test can take a disk away."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

_LIBC = ctypes.CDLL(None, use_errno=True)


class Disk:
    """One thin method a system call; all raise OSError."""

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags, 0o640)

    def writev(self, descriptor: int, parts: Sequence[bytes]) -> int:
        return os.writev(descriptor, parts)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync_file(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def sync_all(self, descriptor: int) -> None:
        """syncfs(2): everything of the file system that the descriptor lies in."""
        if _LIBC.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def sync_folder(self, folder: str) -> None:
        """Makes names that were added to it survive a power loss."""
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def link(self, old: str, new: str) -> None:
        os.link(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def free_bytes(self, folder: str) -> int:
        """As an ordinary user may take them."""
        stat = os.statvfs(folder)
        return stat.f_bavail * stat.f_frsize
