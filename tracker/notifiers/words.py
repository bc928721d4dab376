"""Words: numbers, days and times as a letter writes them. Instants are UTC; a day names its year only when ``now`` has another."""

from __future__ import annotations

from datetime import datetime

from tracker.clock import parse

__all__ = ["count", "day", "instant", "short", "weekday"]

# Not strftime: its names follow the machine's language.
_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "story", "stories"), count(1200, "source")
    ('1 story', '1,200 sources')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def weekday(at: datetime) -> str:
    """Return a day in full, like "Friday 12 June 2026"."""
    return f"{_WEEKDAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"


def short(at: datetime) -> str:
    """Return a day as a subject has it, like "Fri 12 Jun"."""
    return f"{_WEEKDAYS[at.weekday()][:3]} {at.day} {_MONTHS[at.month - 1][:3]}"


def day(stamp: str, now: datetime) -> str:
    """Return the day of an instant.

    >>> day("2025-06-12T06:10:00Z", datetime(2026, 6, 12))
    '12 June 2025'
    """
    at = parse(stamp)
    return f"{at.day} {_MONTHS[at.month - 1]}{'' if at.year == now.year else f' {at.year}'}"


def instant(stamp: str, now: datetime) -> str:
    """Return day and time of an instant, like "12 June 06:10"."""
    return f"{day(stamp, now)} {parse(stamp):%H:%M}"
