"""The tables of hours, of days unlike others, and of callers who are known."""

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from config.table import Allowed, Table

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 1440
EPOCH_DAY = 719_163  # date(1970, 1, 1).toordinal()


def minutes_of(text: str) -> tuple[int, int]:
    """Minutes of the day of "08:00-20:00"; ValueError when it says no such thing."""
    found = re.fullmatch(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})", text)
    if found is None:
        raise ValueError("not HH:MM-HH:MM")
    numbers = [int(one) for one in found.groups()]
    start, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
    if max(numbers[1], numbers[3]) > 59 or not 0 <= start < end <= DAY_MINUTES:
        raise ValueError("not a rising time of one day")
    return start, end


def opening_of(text: str) -> tuple[tuple[int, ...], int, int]:
    """Days of the week and minutes of the day of "mon-fri 08:00-18:00"; ValueError otherwise."""
    days, _, hours = text.partition(" ")
    first, _, last = days.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError("not days and hours")
    start, end = DAYS.index(first), DAYS.index(last or first)
    if end < start:
        raise ValueError("days that fall")
    return tuple(range(start, end + 1)), *minutes_of(hours)


def local_minute_of(text: str, *, end: bool = False) -> int:
    """Minutes since 1970-01-01 00:00 on the local clock; of a bare date its start, or its end."""
    moment = datetime.fromisoformat(text)
    days = moment.toordinal() - EPOCH_DAY
    minute = days * DAY_MINUTES + moment.hour * 60 + moment.minute
    return minute + DAY_MINUTES if end and len(text) == 10 else minute


def _hours(text: str) -> str:
    minutes_of(text)
    return text


def _opening(text: str) -> str:
    opening_of(text)
    return text


def _moment(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is not None:
        raise ValueError("a zone")
    return text


Hours = Annotated[
    str,
    AfterValidator(_hours),
    Allowed('a rising time of one day, as "08:00-20:00"; "00:00-24:00" = always'),
]
Opening = Annotated[
    str, AfterValidator(_opening), Allowed('days and hours, as "mon-fri 08:00-18:00"')
]
Openings = Annotated[tuple[Opening, ...], Field(strict=False)]
Moment = Annotated[
    str, AfterValidator(_moment), Allowed("a local date, or date and time: 2026-10-01T08:00")
]


class CalendarEntry(Table):
    """A time unlike others; write [[calendar]] once for each, the first that holds counts.

    See [the queue](queue.md#hours-and-holidays).
    """

    name: str = Field(min_length=1, max_length=64, description="as it is called")
    begins: Moment = Field(description="its first day or moment")
    ends: Moment = Field(description="its last day, or the moment that it ends at")
    queues: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        default=(), description="names of queues; none = all"
    )
    closed: bool = Field(default=False, description="nobody is queued")
    hours: Openings = Field(default=(), description="instead of the queue's; none = the queue's")
    announcement: str = Field(
        default="", description="what callers hear first, instead of the queue's; empty = the same"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "CalendarEntry":
        if local_minute_of(self.ends, end=True) <= local_minute_of(self.begins):
            raise ValueError("it ends before it begins")
        return self


class Caller(Table):
    """A number that is known; write [[callers]] once for each. More are marked by the API."""

    number: str = Field(
        pattern=r"^\+?[0-9]{1,20}\*?$",
        description="the caller's number",
        json_schema_extra={"allowed": "a number, or a prefix with a trailing *"},
    )
    kind: Literal["blocked", "vip"] = Field(description="blocked calls are refused with 603")
    priority: int = Field(default=0, ge=0, le=9, description="vip: the priority of its calls")
    agent: str = Field(default="", description="vip: the seat that is asked first")
    note: str = Field(default="", max_length=200, description="for those who read it")
