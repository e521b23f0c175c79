"""What the fuzzer found, kept in one file a target: corpus/NAME, each input after its length.

python -m tests.fuzz.kept unpack FOLDER     for the fuzzer to go on from: FOLDER/NAME/*
python -m tests.fuzz.kept pack FOLDER       back again, the smallest inputs up to 60 kB
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
NAMES = ("message", "framer", "sdp", "digest")
MOST_BYTES = 70_000  # a target


def packed(inputs: list[bytes]) -> bytes:
    """The smallest first, as many as fit."""
    found = b""
    for data in sorted(set(inputs), key=lambda data: (len(data), data)):
        if len(found) + 4 + len(data) > MOST_BYTES:
            break
        found += len(data).to_bytes(4, "big") + data
    return found


def unpacked(data: bytes) -> list[bytes]:
    """The inputs of a packed file."""
    found, at = [], 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : end])
        at = end
    return found


def main(command: str, folder: Path) -> None:
    """Both ways."""
    for name in NAMES:
        inner = folder / name
        inner.mkdir(parents=True, exist_ok=True)
        if command == "pack":
            inputs = [path.read_bytes() for path in inner.iterdir()]
            (CORPUS / name).write_bytes(packed(inputs))
            continue
        for data in unpacked((CORPUS / name).read_bytes()):
            (inner / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
