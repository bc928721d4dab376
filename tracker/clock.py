"""Instants as the tracker writes them: UTC, ISO 8601 with ``Z``, whole seconds. The only place that reads the machine's clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

__all__ = ["ago", "iso", "now", "parse", "until"]


def now() -> datetime:
    """Return the present. Called once, at the door; everything below is told."""
    return datetime.now(UTC).replace(microsecond=0)


def iso(moment: datetime) -> str:
    """Return the instant as text.

    >>> iso(datetime(2026, 6, 12, 6, 10, tzinfo=UTC))
    '2026-06-12T06:10:00Z'
    """
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"  # strftime does not pad years before 1000


def parse(text: str) -> datetime:
    """Return the instant of ``2026-06-12T06:10:00Z`` or, as the end of that day, ``2026-06-12``.

    Raises:
        ValueError: neither.
    """
    if len(text.strip()) == 10:
        day = date.fromisoformat(text.strip())
        return datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)
    moment = datetime.fromisoformat(text.strip())
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError(f"{text.strip()!r} is not within the years 1 to 9999") from None


def ago(stamp: str | None, moment: datetime) -> str:
    """Return how long ago an instant was, as people say it.

    >>> ago("2026-06-12T03:10:00Z", datetime(2026, 6, 12, 6, 10, tzinfo=UTC))
    '3 h ago'
    """
    if not stamp:
        return "never"
    seconds = (moment - parse(stamp)) / timedelta(seconds=1)
    for size, unit in ((86_400 * 2, None), (3_600, "h"), (60, "min")):
        if unit is None and seconds >= size:
            return f"{int(seconds // 86_400)} days ago"
        if unit and seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def until(stamp: str | None, moment: datetime) -> str:
    """Return when an instant will be, as people say it.

    >>> until("2026-06-12T07:09:00Z", datetime(2026, 6, 12, 6, 10, tzinfo=UTC))
    'in 59 min'
    """
    seconds = (parse(stamp) - moment) / timedelta(seconds=1) if stamp else 0
    if seconds < 60:
        return "at the next run"
    if seconds >= 2 * 86_400:
        return f"in {int(seconds // 86_400)} days"
    return f"in {int(seconds // 3_600)} h" if seconds >= 3_600 else f"in {int(seconds // 60)} min"
