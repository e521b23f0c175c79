"""Fields of one number or one date (RFC 3261 §20)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from callcore.errors import RemoteProtocolError

# The largest delta-seconds (RFC 3261 §20.19).
MOST_SECONDS = 2**32 - 1

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_date = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT\Z"
).match


def parse_number(
    text: str | None, where: str, *, most: int = MOST_SECONDS, clamp: bool = False
) -> int | None:
    """A decimal number; larger than `most` it is clamped or a RemoteProtocolError."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise RemoteProtocolError("not a number", where=where)
    digits = text.lstrip("0")
    number = int(digits or "0") if len(digits) <= 10 else most + 1
    if number <= most:
        return number
    if clamp:
        return most
    raise RemoteProtocolError("the number is too large", where=where)


def read_seconds(text: str | None) -> int | None:
    """Delta-seconds, clamped; what cannot be read counts as absent (RFC 3261 §10.2.1.1)."""
    try:
        return parse_number(text, "delta-seconds", clamp=True)
    except RemoteProtocolError:
        return None


def parse_date_ms(text: str | None) -> int | None:
    """Date as wall time; RemoteProtocolError unless it is in GMT (RFC 3261 §20.17)."""
    if text is None:
        return None
    found = _date(text)
    if found is None or found[2] not in _MONTHS:
        raise RemoteProtocolError("not a date in GMT", where="Date")
    day, _, year, hour, minute, second = found.groups()
    month = _MONTHS.index(found[2]) + 1
    try:
        # A leap second is written as 60 and is no time of its own here.
        moment = datetime(
            int(year), month, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
        )
    except ValueError as error:
        raise RemoteProtocolError("no such date", where="Date") from error
    return int(moment.timestamp()) * 1000
