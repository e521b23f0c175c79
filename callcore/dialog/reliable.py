"""Reliable provisional responses (RFC 3262): their numbers, and the one that waits for PRACK.

        progress: send, RSeq + 1
+------+ ------------------------> +---------+  timer: send again, doubled
| FREE |                           | WAITING |  progress: queue
+------+ <------------------------ +---------+  64*T1: 504 to the INVITE
        PRACK with our RAck: 200, and what was queued
"""

from typing import Any, NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.message import Request, Response

OPTION = "100rel"
FIRST_LIMIT = 2**31  # RFC 3262 §3: the first is between 1 and 2^31 - 1


class RAck(NamedTuple):
    """What a PRACK acknowledges (RFC 3262 §7.2)."""

    rseq: int
    cseq: int
    method: str


class Sender(NamedTuple):
    """Our side of one INVITE of theirs.

    `given` is when a description of ours went out reliably, `complete` when offer and answer
    have met; `final` is a 2xx's body that has to wait for the PRACK (RFC 3262 §3).
    """

    rseq: int  # of the last
    cseq: int  # of the INVITE
    waiting: bool = False
    response: Response | None = None  # None: sent no more, but a PRACK may still come
    interval_seconds: float = 0.0
    bearing: bool = False  # the one that waits has a description
    queue: tuple[tuple[int, bytes | None], ...] = ()
    given: bool = False
    complete: bool = False
    final: Any = None


def first_rseq(chance: float) -> int:
    """RFC 3262 §3: chosen by chance from 1 to 2^31 - 1."""
    return 1 + int(chance * (FIRST_LIMIT - 1))


def _number(text: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10:
        raise RemoteProtocolError(f"{where} is no number", where=where)
    return int(text)


def read_rack(prack: Request) -> RAck:
    """The one RAck of a PRACK; RemoteProtocolError(400) without."""
    parts = (prack.get("RAck") or "").split()
    if len(parts) != 3:
        raise RemoteProtocolError("RAck is missing or broken", where="RAck")
    return RAck(_number(parts[0], "RAck"), _number(parts[1], "RAck"), parts[2])


def read_rseq(answer: Response) -> int | None:
    """The number of a provisional response that is to be acknowledged (RFC 3262 §4)."""
    value = answer.get("RSeq")
    if value is None or not 100 < answer.status < 200:
        return None
    if OPTION not in (tag.lower() for tag in answer.values("Require")):
        return None
    return _number(value, "RSeq")


def is_next(last: int, rseq: int) -> bool:
    """RFC 3262 §4: the first, or one more than the last; all others are not acknowledged."""
    return rseq > 0 if last == 0 else rseq == last + 1
