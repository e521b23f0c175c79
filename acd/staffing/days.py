"""What kind of day a date is in China: working day, day off, public holiday, make-up day.

The library chinese-calendar has the State Council's notices of the years that it knows and raises
NotImplementedError for others, as each year's notice comes out in the autumn before. For those the
table given is asked, and past it only what never changes: the week, and the holidays that the
regulation on national holidays fixes in the Gregorian calendar.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal, TypeAlias, get_args

import chinese_calendar

Kind: TypeAlias = Literal["workday", "weekend", "holiday", "make_up"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Regulation on Public Holidays for National Annual Festivals, 2024: those with a fixed date.
FIXED = frozenset(((1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)))
ONE_DAY = timedelta(1)


@dataclass(frozen=True, slots=True)
class Days:
    """A calendar; `table` is asked first and may correct the library."""

    table: Mapping[date, Kind] = field(default_factory=dict)

    def kind(self, day: date) -> Kind:
        """The day's kind; where nobody knows the year, by the week and the fixed holidays."""
        found = self.table.get(day)
        if found is not None:
            return found
        off = day.weekday() >= 5
        try:
            is_holiday = chinese_calendar.is_holiday(day)
        except NotImplementedError:
            if (day.month, day.day) in FIXED:
                return "holiday"
            return "weekend" if off else "workday"
        if not is_holiday:
            return "make_up" if off else "workday"
        _, name = chinese_calendar.get_holiday_detail(day)
        return "holiday" if name else "weekend"

    def is_working(self, day: date) -> bool:
        """Whether offices are open."""
        return self.kind(day) in ("workday", "make_up")

    def unknown_years(self, days: Iterable[date]) -> list[int]:
        """Years whose moving holidays neither the library nor the table has, to be said aloud."""
        known_years = {day.year for day in self.table}
        years = sorted({day.year for day in days})
        return [year for year in years if year not in known_years and not is_known(year)]


def is_known(year: int) -> bool:
    """Whether the library has the year's notice."""
    try:
        chinese_calendar.is_holiday(date(year, 1, 1))
    except NotImplementedError:
        return False
    return True


def table_from(lines: Iterable[str]) -> dict[date, Kind]:
    """`2027-02-17,holiday` a line, # comments; ValueError names the line and what is allowed."""
    found: dict[date, Kind] = {}
    for number, row in enumerate(csv.reader(lines), 1):
        cells = [cell.strip() for cell in row]
        if not cells or not cells[0] or cells[0].startswith("#") or cells[0] == "date":
            continue
        kind = next((one for one in KINDS if one == (cells[1] if len(cells) > 1 else "")), None)
        try:
            day = date.fromisoformat(cells[0])
        except ValueError:
            raise ValueError(f"line {number}: {cells[0]!r} is no date like 2027-02-17") from None
        if kind is None:
            raise ValueError(f"line {number}: the second column is one of {', '.join(KINDS)}")
        found[day] = kind
    return found


def span(first: date, count: int) -> Iterator[date]:
    """So many days from the first on."""
    return (first + index * ONE_DAY for index in range(count))


def month_of(text: str) -> list[date]:
    """All days of `2026-12`; ValueError for anything else."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise ValueError(f"{text!r} is no month like 2026-12") from None
    return [day for day in span(first, 31) if day.month == first.month]
