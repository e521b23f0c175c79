"""Whatever bytes come, however they are cut: the same messages, then the same error or none."""

from __future__ import annotations

from callcore.errors import RemoteProtocolError
from callcore.message import Framer, Ping
from tests.callcore.message.samples import INVITE
from tests.fuzz.mutations import fuzz

CORPUS = [
    INVITE + b"\r\n\r\n" + INVITE,
    b"\r\n" + INVITE + b"OPTIONS sip:a SIP/2.0\r\nl:\r\n 3\r\n\r\nabc",
    b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 2\r\n\r\n\r\n" * 3,
]


def target(data: bytes) -> None:
    """Whole, in halves and in sevens."""
    whole = run(data, max(1, len(data)))
    assert run(data, 7) == whole
    assert run(data, max(1, len(data) // 2)) == whole


def run(data: bytes, step: int) -> tuple[list[bytes | Ping], bool]:
    framer = Framer()
    found: list[bytes | Ping] = []
    try:
        for at in range(0, len(data), step):
            found += framer.feed(data[at : at + step])
    except RemoteProtocolError:
        return found, True
    return found, framer.broken is not None


if __name__ == "__main__":
    fuzz(target, CORPUS)
