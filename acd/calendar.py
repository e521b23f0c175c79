"""When a queue is open: 24 x 7 unless its hours say otherwise, and days that are unlike others."""

from __future__ import annotations

from acd.settings import CalendarEntry, OpeningHours

MINUTE_MS, DAY_MINUTES, MONDAY = 60_000, 1440, 3  # 1 January 1970 was a Thursday


def local_minute(at_ms: int, offset_minutes: int) -> int:
    """Minutes since 1970-01-01 00:00 on the local clock."""
    return at_ms // MINUTE_MS + offset_minutes


def entry_at(calendar: tuple[CalendarEntry, ...], queue: str, minute: int) -> CalendarEntry | None:
    """The first entry of the calendar that holds for the queue at this local minute."""
    for entry in calendar:
        if entry.from_minute <= minute < entry.to_minute and (
            not entry.queues or queue in entry.queues
        ):
            return entry
    return None


def is_open(hours: tuple[OpeningHours, ...], entry: CalendarEntry | None, minute: int) -> bool:
    """Whether callers are queued; an entry's own hours take the place of the queue's."""
    if entry is not None and entry.closed:
        return False
    if entry is not None and entry.hours:
        hours = entry.hours
    if not hours:
        return True
    day, clock = divmod(minute, DAY_MINUTES)
    weekday = (day + MONDAY) % 7  # 0 = Monday
    return any(
        weekday in one.weekdays and one.from_minute <= clock < one.to_minute for one in hours
    )
