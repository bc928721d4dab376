"""Gaps: the ledger of what cannot be proved complete, and what is known of a source's past to tell them.

in   a source, what a poll found; out  rows of ``gaps``; the newest thing a source showed, the days on which it brought something
knows no rule: what is a gap, and what closes it, is decided in ``complete``. What touches an open gap of the same source and reason makes
it longer; what does not is another. Surprising: ids name the day on which an item became news, so the days of a source are some thirty
looks into an index, however many items a day has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Set
from datetime import date
from typing import Any

from tracker.store import items
from tracker.store.items import IDS_PER_DAY
from tracker.types import Gap

__all__ = [
    "beside", "close", "days", "listed", "lists_newest", "newest", "newest_day", "note", "open_of", "papers_read", "quiet", "still",
]  # fmt: skip

_COLUMNS = "source, from_at, to_at, reason, found_at, closed_at, how"
_RECENT = 20  # sightings that are looked at: of a mirror and what stands beside it, or for the newest date
_NEWEST = 3  # sightings, one of which a list that goes on still shows
_BESIDE = 4  # sources beside a mirror that are looked at


def note(db: sqlite3.Connection, gap: Gap) -> None:
    """Open a gap, or make the open one of that source and reason longer which it touches."""
    longer = db.execute(
        """UPDATE gaps SET from_at = min(from_at, :from), to_at = max(to_at, :to) WHERE id = (SELECT max(id) FROM gaps
          WHERE source = :source AND closed_at IS NULL AND reason = :reason AND :from <= to_at AND from_at <= :to)""",
        {"source": gap.source, "reason": gap.reason, "from": gap.from_at, "to": gap.to_at},
    )
    if not longer.rowcount:
        db.execute(
            "INSERT INTO gaps(source, from_at, to_at, reason, found_at) VALUES (?, ?, ?, ?, ?)",
            (gap.source, gap.from_at, gap.to_at, gap.reason, gap.found_at),
        )


def open_of(db: sqlite3.Connection, source: str) -> list[Gap]:
    """Return the open gaps of a source."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM gaps WHERE source = ? AND closed_at IS NULL ORDER BY id", (source,))  # noqa: S608 - constants
    return [Gap(*row) for row in rows]


def close(db: sqlite3.Connection, gap: Gap, now: str, how: str) -> None:
    """Close an open gap."""
    db.execute(
        "UPDATE gaps SET closed_at = ?, how = ? WHERE source = ? AND closed_at IS NULL AND reason = ? AND from_at = ?",
        (now, how, gap.source, gap.reason, gap.from_at),
    )


def papers_read(db: sqlite3.Connection, gap: Gap) -> bool:
    """Whether all queries of arXiv that were there before a gap have read on past its end, without an error or a gap of their own."""
    row = db.execute(
        """SELECT min(fails = 0 AND last_ok_at > :to AND NOT EXISTS (SELECT 1 FROM gaps
            WHERE gaps.source = sources.id AND closed_at IS NULL AND from_at < :to))
        FROM sources WHERE kind = 'arxiv' AND retired_at IS NULL AND added_at <= :from""",
        {"from": gap.from_at, "to": gap.to_at},
    ).fetchone()
    return bool(row[0])


def listed(db: sqlite3.Connection) -> list[dict[str, str]]:
    """Return the open gaps of sources that are not retired, with their titles: the longest open first."""
    return [
        dict(row)
        for row in db.execute(
            """SELECT gaps.source, sources.title, reason, from_at, to_at, found_at FROM sources
            CROSS JOIN gaps ON gaps.source = sources.id AND closed_at IS NULL WHERE retired_at IS NULL ORDER BY from_at, gaps.id"""
        )
    ]


# -- what a source showed ---------------------------------------------------------------------------


def newest(db: sqlite3.Connection, source: str, before: str) -> str | None:
    """Return the date of the newest thing that the source had shown before an instant (when it was first seen, if it has no date)."""
    row = db.execute(
        """SELECT max(at) FROM (SELECT coalesce(published_at, sightings.first_seen_at) AS at FROM sightings
          CROSS JOIN items ON items.id = sightings.item
          WHERE sightings.source = ? AND sightings.first_seen_at < ? ORDER BY sightings.item DESC LIMIT ?)""",
        (source, before, _RECENT),
    ).fetchone()
    return row[0] if row else None


def lists_newest(db: sqlite3.Connection, source: str, before: str, signs: Set[str]) -> bool:
    """Whether a document, told by the signs of its entries, lists one of the newest that the source had shown before an instant."""
    rows = db.execute(
        "SELECT item FROM sightings WHERE source = ? AND first_seen_at < ? ORDER BY item DESC LIMIT ?", (source, before, _NEWEST)
    )
    return not signs.isdisjoint(items.signs(db, [row[0] for row in rows]))


def newest_day(db: sqlite3.Connection, source: str) -> date | None:
    """Return the last day on which the source brought something."""
    found = days(db, source, 1)
    return found[0] if found else None


def days(db: sqlite3.Connection, source: str, most: int) -> list[date]:
    """Return the days on which the source brought something, newest first."""
    rows = db.execute(
        """WITH RECURSIVE shown(item) AS (
          SELECT max(item) FROM sightings WHERE source = :source
          UNION ALL
          SELECT (SELECT max(item) FROM sightings WHERE source = :source AND item < shown.item / :day * :day)
          FROM shown WHERE item IS NOT NULL LIMIT :most)
        SELECT item / :day FROM shown WHERE item IS NOT NULL""",
        {"source": source, "day": IDS_PER_DAY, "most": most},
    )
    return [_day(row[0]) for row in rows]


def _day(number: int) -> date:
    return date(number // 10_000, number // 100 % 100, number % 100)


def beside(db: sqlite3.Connection, mirror: str) -> list[tuple[list[bool], date | None]]:
    """Return, for each source beside a mirror: of its last items, whether the mirror showed each; the day of its first one since.

    Beside a mirror stands what shares its last items and is of the same lab: its original, or another mirror of it. ``Its last items``
    are those up to the mirror's newest; ``since`` is after that.
    """
    first, last = (db.execute(f"SELECT {end}(item) FROM sightings WHERE source = ?", (mirror,)).fetchone()[0] for end in ("min", "max"))  # noqa: S608
    others = db.execute(
        """SELECT other.source FROM (SELECT item FROM sightings WHERE source = :mirror ORDER BY item DESC LIMIT :recent) AS mine
        CROSS JOIN sightings AS other ON other.item = mine.item
        JOIN sources ON sources.id = other.source JOIN sources AS own ON own.id = :mirror
        WHERE other.source <> :mirror AND sources.retired_at IS NULL AND sources.lab = own.lab
        GROUP BY other.source ORDER BY count(*) DESC, other.source LIMIT :most""",
        {"mirror": mirror, "recent": _RECENT, "most": _BESIDE},
    )
    return [_goes_on(db, mirror, other[0], first, last) for other in others.fetchall()]


def _goes_on(db: sqlite3.Connection, mirror: str, other: str, first: int, last: int) -> tuple[list[bool], date | None]:
    shown = db.execute(
        """SELECT EXISTS (SELECT 1 FROM sightings AS mine WHERE mine.item = theirs.item AND mine.source = ?)
        FROM sightings AS theirs WHERE theirs.source = ? AND theirs.item BETWEEN ? AND ? ORDER BY theirs.item DESC LIMIT ?""",
        (mirror, other, first, last, _RECENT),
    )
    mirrored = [bool(one[0]) for one in shown]
    (beyond,) = db.execute("SELECT min(item) FROM sightings WHERE source = ? AND item > ?", (other, last)).fetchone()
    return mirrored, _day(beyond // IDS_PER_DAY) if beyond else None


# -- silence ----------------------------------------------------------------------------------------


def still(db: sqlite3.Connection, source: str, since: date | None, habit: int | None, now: str) -> None:
    """Note since when a source is silent, and when that was found; or that it is not. An unchanged row is not written."""
    day = since.isoformat() if since else None
    db.execute(
        """UPDATE sources SET quiet_since = ?, habit_days = ?, quiet_at = iif(? IS NULL, NULL, coalesce(quiet_at, ?))
        WHERE id = ? AND (quiet_since, habit_days) IS NOT (?, ?)""",
        (day, habit, day, now, source, day, habit),
    )


def quiet(db: sqlite3.Connection) -> list[dict[str, Any]]:
    """Return the silent sources, the latest first."""
    return [
        dict(row)
        for row in db.execute(
            """SELECT id AS source, title, kind, role, quiet_since, quiet_at, habit_days FROM sources
            WHERE quiet_since IS NOT NULL AND retired_at IS NULL ORDER BY quiet_since DESC, id"""
        )
    ]
