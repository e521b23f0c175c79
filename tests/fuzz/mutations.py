"""Mutations of good bytes: what the fuzz targets eat in pytest, where no fuzzer is installed.

Run a target by itself, `python -m tests.fuzz.fuzz_message`, to fuzz it with atheris for as long as
you like.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

PIECES = [
    b"",
    b"\r\n",
    b"\r\n ",
    b"\r",
    b"\n",
    b"\x00",
    b"\xff",
    b'"',
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"@",
    b"=",
    b"%",
    b"%00",
    b"[",
    b"]",
    b" " * 50,
    b"9" * 50,
    b"-1",
    b"\xd9\xa1",
    b"a=rtpmap:",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"Content-Length: 4\r\n",
]


def mutations(corpus: list[bytes], count: int, seed: int = 1) -> Iterator[bytes]:
    """`count` mutations, always the same for one seed."""
    dice = random.Random(seed)
    for _ in range(count):
        data = bytearray(dice.choice(corpus))
        for _ in range(dice.randint(1, 5)):
            at = dice.randint(0, len(data))
            kind = dice.randrange(4)
            if kind == 0:
                data[at : at + dice.randint(0, 8)] = dice.choice(PIECES)
            elif kind == 1:
                data[at:at] = dice.choice(PIECES)
            elif kind == 2 and data:
                data[at % len(data)] = dice.randrange(256)
            else:
                other = dice.choice(corpus)
                data[at:] = other[dice.randint(0, len(other)) :]
        yield bytes(data)


def fuzz(target: Callable[[bytes], None], corpus: list[bytes]) -> None:
    """Fuzz with atheris if it is installed, else with a hundred thousand mutations.

    Arguments are libFuzzer's: options, then folders. What is found goes to the first folder; the
    samples of the target are read besides, from a folder of their own.
    """
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: 100,000 mutations instead", file=sys.stderr)
        for data in mutations(corpus, 100_000, seed=random.randrange(2**32)):
            try:
                target(data)
            except BaseException:
                print(repr(data), file=sys.stderr)
                raise
        return
    atheris.instrument_all()
    with tempfile.TemporaryDirectory() as samples:
        for number, data in enumerate(corpus):
            Path(samples, str(number)).write_bytes(data)
        atheris.Setup([*sys.argv, samples], target)
        atheris.Fuzz()
