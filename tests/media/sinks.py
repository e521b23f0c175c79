"""Sinks for the worker processes of the tests, found by name."""

import errno
import json
import os
from pathlib import Path
from typing import Any


class FileSink:
    """Each recording a folder of blocks: FIRST_FRAME.pPRIVATE.alaw, and header.json."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def open(self, recording: str, header: dict[str, Any]) -> Path:
        place = self.folder / recording
        place.mkdir()
        (place / "header.json").write_text(json.dumps(header))
        return place

    def write(
        self, handle: Path, first_frame: int, frames: bytes, private: int, sides: bytes
    ) -> None:
        (handle / f"{first_frame:08}.p{private}.alaw").write_bytes(frames)

    def close(self, handle: Path) -> None:
        (handle / "closed").touch()


class FullSink(FileSink):
    """A disk that has no room."""

    def write(
        self, handle: Path, first_frame: int, frames: bytes, private: int, sides: bytes
    ) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
