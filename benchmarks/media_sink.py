"""A sink that writes real files: one a recording, blocks appended as they come."""

import os
import zlib
from typing import Any


class FileSink:
    """Each block with its number, length and checksum, as a spool would."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def open(self, recording: str, header: dict[str, Any]) -> int:
        path = os.path.join(self.folder, f"{recording}.spool")
        return os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)

    def write(
        self, handle: int, first_frame: int, frames: bytes, private: int, sides: bytes
    ) -> None:
        numbers = (first_frame, len(frames), zlib.crc32(frames))
        os.write(handle, b"".join(n.to_bytes(4, "big") for n in numbers) + frames)

    def close(self, handle: int) -> None:
        os.close(handle)
