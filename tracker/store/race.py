"""The race: what each lab has said on each topic of late, and who followed whom.

in   rows as values (``Standing``, ``Response``), for a topic at a time
out  rows in ``race`` and ``responses``; how much each lab publishes on the whole, from the weekly counts
refuses to know rungs, intervals and what a response is. The views ``race_board`` and ``response_board`` read these tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields

from tracker.store.weekly import RACE, sync

__all__ = ["Response", "Standing", "Volumes", "done", "period", "put", "topics", "volumes"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of ``race``, without its topic."""

    lab: str
    since: str
    stories: int
    stories_low: float
    stories_high: float
    items: int
    all_items: int
    share: float | None
    share_low: float | None
    share_high: float | None
    usual: float | None
    times: float | None
    first_item: int | None
    newest_item: int | None
    stated: int
    published: int
    shipped: int
    reported: int


@dataclass(frozen=True, slots=True)
class Response:
    """A row of ``responses``, without its topic; the first three name it."""

    story: int
    lab: str
    follower: str
    item: int
    at: str
    follower_item: int | None
    follower_at: str | None
    rung: str | None
    days: float | None
    items_before: int
    usual_days: float | None
    chance: float | None
    chance_low: float | None
    chance_high: float | None


@dataclass(frozen=True, slots=True)
class Volumes:
    """How much is published on the whole: items by each lab and by any, and the first week (its Monday) from which a lab is known."""

    by_lab: Mapping[str, int]
    by_any: int
    known_from: Mapping[str, str]


def period(db: sqlite3.Connection) -> str | None:
    """Return the first day of the weeks that the race tells of; None if it tells nothing."""
    row = db.execute("SELECT since FROM race LIMIT 1").fetchone()
    return row[0] if row else None


def volumes(db: sqlite3.Connection, since: str) -> Volumes:
    """Return how much each lab, its children included, has published since a day, a Monday."""
    by_lab = "SELECT lab, sum(items) FROM weekly WHERE topic = '' AND relation = 'by' AND week >= ? GROUP BY lab"
    known_from = "SELECT lab, min(week) FROM weekly WHERE topic = '' AND relation = 'by' GROUP BY lab"
    by_any = """SELECT count(*) FROM item_days WHERE day >= ?
      AND EXISTS (SELECT 1 FROM item_labs WHERE item_labs.item = item_days.item AND relation = 'by')"""
    return Volumes(
        dict(map(tuple, db.execute(by_lab, (since,)))), db.execute(by_any, (since,)).fetchone()[0], dict(map(tuple, db.execute(known_from)))
    )


def topics(db: sqlite3.Connection) -> set[str]:
    """Return the topics that have rows now."""
    return {row[0] for row in db.execute("SELECT topic FROM race UNION SELECT topic FROM responses")}


def put(db: sqlite3.Connection, topic: str, standings: Iterable[Standing], responses: Iterable[Response]) -> int:
    """Make these the rows of a topic; return how many were written. Call it inside a transaction."""
    return _put(db, "race", topic, Standing, 1, standings) + _put(db, "responses", topic, Response, 3, responses)


def _put(
    db: sqlite3.Connection, table: str, topic: str, kind: type[Standing | Response], keys: int, rows: Iterable[Standing | Response]
) -> int:
    names = [field.name for field in fields(kind)]
    values = (astuple(row) for row in rows)
    return sync(db, table, {"topic": topic}, names[:keys], names[keys:], {row[:keys]: row[keys:] for row in values})


def done(db: sqlite3.Connection) -> None:
    """Note that the race is worked out. Call it inside a transaction."""
    db.execute("DELETE FROM stale_weeks WHERE week = ?", (RACE,))
