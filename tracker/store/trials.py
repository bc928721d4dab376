"""What the trial of a watch, and its evaluation, ask of the database beside what ``watches`` knows. Read-only.

in   ids of items, a topic
out  items as people name them; the scores of a topic, and which of them a threshold can move; when runs began
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from tracker.store.items import IDS_PER_DAY

__all__ = ["Scored", "Shown", "scores", "shown", "span", "starts", "thresholds"]


class Shown(NamedTuple):
    """An item as people name it, when it was first seen, and the story that it is in."""

    title: str
    url: str | None
    key: str
    first_seen_at: str
    backlog: bool
    story: int | None


class Scored(NamedTuple):
    """The score of an item on a topic. ``moves``: the tier follows from it; not where rules alone or a person decide."""

    item: int
    score: float
    tier: str
    moves: bool


def span(since: str, until: str) -> tuple[int, int]:
    """Return the id before the items that were first seen from one day on, and the last id that those of another day can have."""
    return int(since.replace("-", "")) * IDS_PER_DAY - 1, (int(until.replace("-", "")) + 1) * IDS_PER_DAY - 1


def shown(db: sqlite3.Connection, items: Iterable[int]) -> dict[int, Shown]:
    """Return items by id."""
    rows = db.execute(
        """SELECT items.id, title, url, items.key, first_seen_at, backlog, story FROM json_each(?) AS listed
        CROSS JOIN items ON items.id = listed.value LEFT JOIN story_items ON story_items.item = items.id""",
        (json.dumps(sorted(set(items))),),
    )
    return {row[0]: Shown(row[1], row[2], row[3], row[4], bool(row[5]), row[6]) for row in rows}


def scores(db: sqlite3.Connection, topic: str, after: int, last: int) -> list[Scored]:
    """Return the items on a topic that lie beyond an id, up to another."""
    rows = db.execute(
        """SELECT item, score, tier, model NOT IN ('rules', 'label') AND substr(evidence, 1, 12) <> '[["labelled '
        FROM item_topics WHERE topic = ? AND tier IN ('confident', 'maybe') AND item > ? AND item <= ? ORDER BY item""",
        (topic, after, last),
    )
    return [Scored(row[0], row[1], row[2], bool(row[3])) for row in rows]


def thresholds(db: sqlite3.Connection) -> dict[str, float | None]:
    """Return the threshold that each topic had at the last run; None: the model's own."""
    return {row[0]: row[1] for row in db.execute("SELECT id, threshold FROM topics WHERE retired_at IS NULL")}


def starts(db: sqlite3.Connection) -> list[str]:
    """Return when each run began, oldest first."""
    return [row[0] for row in db.execute("SELECT started_at FROM runs ORDER BY started_at")]
