"""Why a call ended: Reason (RFC 3326) and the causes of Q.850, kept from leg to leg."""

import re
from typing import NamedTuple

from callcore.call.events import Ended
from callcore.call.placement import Headers
from callcore.errors import RemoteProtocolError
from callcore.message import Message
from callcore.message.grammar import legible

ELSEWHERE = "Call completed elsewhere"  # RFC 3326 §3.1
NO_CIRCUIT, NO_ANSWER = 34, 19

TEXTS: dict[int, str] = {
    1: "Unallocated number",
    16: "Normal call clearing",
    17: "User busy",
    18: "No user responding",
    19: "No answer from the user",
    20: "Subscriber absent",
    21: "Call rejected",
    22: "Number changed",
    25: "Exchange routing error",
    27: "Destination out of order",
    28: "Address incomplete",
    31: "Normal, unspecified",
    34: "No circuit available",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    47: "Resource unavailable",
    55: "Incoming calls barred",
    57: "Bearer capability not authorized",
    58: "Bearer capability not available",
    63: "Service not available",
    65: "Bearer capability not implemented",
    79: "Service not implemented",
    87: "User not member of CUG",
    88: "Incompatible destination",
    102: "Recovery on timer expiry",
    111: "Protocol error",
    127: "Interworking",
}

# RFC 3398 §8.2.6.1, but 480 and 603 as operators use them: by status, the cause.
CAUSES: dict[int, int] = {
    400: 41,
    401: 21,
    402: 21,
    403: 21,
    404: 1,
    405: 63,
    406: 79,
    407: 21,
    408: 102,
    410: 22,
    413: 127,
    414: 127,
    415: 79,
    416: 127,
    420: 127,
    421: 127,
    480: 18,
    481: 41,
    482: 25,
    483: 25,
    484: 28,
    485: 1,
    486: 17,
    488: 65,
    500: 41,
    501: 79,
    502: 38,
    503: 41,
    504: 102,
    505: 127,
    513: 127,
    600: 17,
    603: 21,
    604: 1,
    606: 65,
}

# RFC 3398 §7.2.4.1, in the same use: by cause, the status of a refusal.
STATUSES: dict[int, int] = {
    1: 404,
    2: 404,
    3: 404,
    17: 486,
    18: 480,
    19: 480,
    20: 480,
    21: 603,
    22: 410,
    25: 483,
    27: 502,
    28: 484,
    29: 501,
    31: 480,
    34: 503,
    38: 503,
    41: 503,
    42: 503,
    47: 503,
    55: 403,
    57: 403,
    58: 503,
    65: 488,
    70: 488,
    79: 501,
    87: 403,
    88: 503,
    102: 504,
    111: 500,
    127: 500,
}

_value = re.compile(r'\s*([\w!%*+`\'~.-]+)\s*((?:;[^;"]*(?:"(?:[^"\\]|\\.)*")?[^;"]*)*)\Z').match
_cause = re.compile(r";\s*cause\s*=\s*([0-9]{1,3})\s*(?:;|\Z)", re.IGNORECASE).search
_text = re.compile(r';\s*text\s*=\s*"((?:[^"\\]|\\.)*)"', re.IGNORECASE).search


class Reason(NamedTuple):
    """One value of Reason: protocol SIP or Q.850, its cause, and words for people."""

    protocol: str
    cause: int
    text: str = ""

    def __str__(self) -> str:
        words = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f"{self.protocol};cause={self.cause}" + (f';text="{words}"' if words else "")


def read_reasons(message: Message) -> tuple[Reason, ...]:
    """The reasons in a message; what cannot be read was never said."""
    if message.get("Reason") is None:
        return ()
    try:
        values = message.values("Reason")
    except RemoteProtocolError:
        return ()
    return tuple(reason for reason in map(_read, values) if reason is not None)


def _read(value: str) -> Reason | None:
    found = _value(value)
    cause = None if found is None else _cause(found[2])
    if found is None or cause is None:
        return None
    text = _text(found[2])
    words = "" if text is None else legible(re.sub(r"\\(.)", r"\1", text[1]))
    return Reason(found[1].upper(), int(cause[1]), words)


def q850(cause: int) -> Reason:
    """A cause with the words of Q.850."""
    return Reason("Q.850", cause, TEXTS.get(cause, ""))


def q850_of(reasons: tuple[Reason, ...], status: int = 0) -> int:
    """The cause that was told, or that the status stands for; 0 when there is none."""
    for reason in reasons:
        if reason.protocol == "Q.850":
            return reason.cause
    return CAUSES.get(status, 0)


def refusal_headers(status: int, headers: Headers = ()) -> Headers:
    """The headers of a refusal of ours, with a Reason (RFC 6432) if they have none yet."""
    if any(name == "Reason" for name, _ in headers):
        return headers
    header = REFUSALS.get(status)
    return headers if header is None else (*headers, header)


def carry(ended: Ended) -> Headers:
    """What the next leg is to be told of the end of this one: Reason for BYE, CANCEL, refusal."""
    reasons = ended.reasons
    if ended.cause and all(reason.protocol != "Q.850" for reason in reasons):
        reasons = (*reasons, q850(ended.cause))
    return tuple(("Reason", str(reason)) for reason in reasons)


REFUSALS = {status: ("Reason", str(q850(cause))) for status, cause in CAUSES.items()}
CLEARED = ("Reason", str(q850(16)))
