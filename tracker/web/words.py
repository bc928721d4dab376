"""Times as people say them, beside the exact instant: values in, words out.

in   UTC text, days as YYYYMMDD, the present
out  ``Moment``: words for the eye and an instant for ``<time datetime>``. An instant that cannot be read is no moment, never an error.
Words for days are English and do not depend on the machine's locale.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tracker.clock import ago, parse

__all__ = ["Moment", "count", "date_of", "day_name", "day_of", "moment", "time_of", "until"]

_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True, slots=True)
class Moment:
    """``text`` as in "today 06:10", ``ago`` as in "3 h ago", ``iso`` the instant, ``age_s`` seconds until the present."""

    text: str
    iso: str
    ago: str = ""
    age_s: float = 0.0


def moment(stamp: str | None, now: datetime) -> Moment | None:
    """Return an instant in words.

    >>> moment("2026-06-12T06:10:00Z", datetime(2026, 6, 12, 8, tzinfo=UTC)).text
    'today 06:10'
    """
    at = _parse(stamp)
    if at is None or stamp is None:
        return None
    return Moment(f"{_day(at, now)} {at:%H:%M}", stamp, ago(stamp, now), (now - at).total_seconds())


def until(stamp: str | None, now: datetime) -> Moment | None:
    """Return a time to come in words: "at the next run", "in 20 min", "in 3 h", "in 2 days"."""
    at = _parse(stamp)
    if at is None or stamp is None:
        return None
    seconds = (at - now).total_seconds()
    for size, unit in ((2 * 86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return Moment(f"in {int(seconds // (86_400 if unit == 'days' else size))} {unit}", stamp)
    return Moment("at the next run", stamp)


def time_of(published_at: str | None, first_seen_at: str, day: int, raw: str | None = None) -> Moment | None:
    """Return when an item came out, short, for a list whose heading is ``day``: "05:12", else "9 Jun"; "no date" where it bears none.

    ``raw`` is what the publisher wrote where that was of no use: an instant, if it lay in the future.

    None where the publisher gave the day alone (midnight sharp): the heading has said it.
    """
    if published_at is None:
        ahead = bool(raw and raw > first_seen_at and _parse(raw))
        return Moment("dated in the future" if ahead else "no date", first_seen_at, "first seen")
    stamp = published_at
    at = _parse(stamp)
    if at is None:
        return None
    same_day = int(at.strftime("%Y%m%d")) == day
    if same_day and f"{at:%H%M%S}" == "000000":
        return None
    year = "" if at.year == day // 10_000 else f" {at.year}"
    text = f"{at:%H:%M}" if same_day else f"{at.day} {_MONTHS[at.month - 1][:3]}{year}"
    return Moment(text, stamp, "published")


def day_name(day: int, now: datetime) -> dict[str, str]:
    """Return the words for a day (YYYYMMDD): ``label`` "Today", ``date`` "Friday 12 June 2026", ``short`` "today", ``iso``."""
    try:
        at = datetime(day // 10_000, day // 100 % 100, day % 100, tzinfo=UTC)
    except ValueError:  # an id that was not made by us
        return {"label": "Undated", "date": "", "short": "undated", "iso": ""}
    date = f"{_WEEKDAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]}{'' if at.year == now.year else f' {at.year}'}"
    near = _near(at, now)
    return {"label": near.capitalize() or date, "date": date if near else "", "short": _day(at, now), "iso": f"{at:%Y-%m-%d}"}


def day_of(stamp: str, now: datetime) -> str:
    """Return the day of an instant, short: "12 Jun", of another year "12 Jun 2025".

    >>> day_of("2026-06-12T06:10:00Z", datetime(2026, 7, 1, tzinfo=UTC))
    '12 Jun'
    """
    at = _parse(stamp)
    return f"{at.day} {_MONTHS[at.month - 1][:3]}{'' if at.year == now.year else f' {at.year}'}" if at else "an unknown day"


def date_of(stamp: str) -> str:
    """Return the day of an instant in full: "12 June 2026"."""
    at = _parse(stamp)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}" if at else "an unknown day"


def count(number: int, one: str) -> str:
    """Return a number with its noun: "1 item", "1,200 items"; a story becomes stories."""
    many = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{number:,} {one if number == 1 else many}"


def _near(at: datetime, now: datetime) -> str:
    return {0: "today", 1: "yesterday"}.get((now.date() - at.date()).days, "")


def _day(at: datetime, now: datetime) -> str:
    return _near(at, now) or f"{at.day} {_MONTHS[at.month - 1]}{'' if at.year == now.year else f' {at.year}'}"


def _parse(stamp: str | None) -> datetime | None:
    try:
        return parse(stamp) if stamp else None
    except ValueError:
        return None
