"""What the trial of a watch, and its evaluation, ask of the database beside what ``watches`` knows. Read-only.

in   ids of items, a topic, the span of a trial
out  items as people name them; the items of a span that are on a topic, or that may say a phrase; the scores of a topic, and which of
     them a threshold can move; when runs began
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tracker.store.items import IDS_PER_DAY
from tracker.store.stored import ARTICLE, TEXT

__all__ = ["Scored", "Shown", "on_topics", "scores", "shown", "span", "starts", "texts", "thresholds"]


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


# What no stage has passed on yet is half known: it comes through the queue, as news.
_PASSED_ON = """(NOT EXISTS (SELECT 1 FROM pending WHERE pending.item = among.item)
  OR EXISTS (SELECT 1 FROM story_items WHERE story_items.item = among.item))"""
_OF_A_LAB = "SELECT DISTINCT item FROM item_labs WHERE item > :after AND item <= :last AND relation IN ('by', 'about')"
_OF_ANYBODY = "SELECT item FROM texts WHERE item > :after AND item <= :last"


def on_topics(db: sqlite3.Connection, topics: Iterable[str], after: int, last: int, *, of_a_lab: bool) -> set[int]:
    """Return the items beyond an id, up to another, that are perhaps on one of these topics.

    Args:
        of_a_lab: only those that are by a lab or about one.
    """
    among = """SELECT DISTINCT item FROM item_topics WHERE tier IN ('confident', 'maybe') AND item > :after AND item <= :last
      AND topic IN (SELECT value FROM json_each(:topics))"""
    if of_a_lab:
        among += " AND EXISTS (SELECT 1 FROM item_labs WHERE item_labs.item = item_topics.item AND relation IN ('by', 'about'))"
    values = {"topics": json.dumps(sorted(set(topics))), "after": after, "last": last}
    return {row[0] for row in db.execute(f"SELECT item FROM ({among}) AS among WHERE {_PASSED_ON}", values)}  # noqa: S608 - constants


def texts(db: sqlite3.Connection, after: int, last: int, *, of_a_lab: bool) -> Iterator[tuple[int, str]]:
    """Yield items beyond an id, up to another, with their title and text: all that a phrase is looked for in, and no more.

    Few items are of a lab, and a common word is in most texts: so the labs are asked first, and not the full-text index.
    """
    rows = db.execute(
        f"""SELECT items.id, items.title, {TEXT} FROM ({_OF_A_LAB if of_a_lab else _OF_ANYBODY}) AS among
        CROSS JOIN items ON items.id = among.item CROSS JOIN texts ON texts.item = items.id {ARTICLE} WHERE {_PASSED_ON}""",  # noqa: S608
        {"after": after, "last": last},
    )
    for item, title, text in rows:
        yield item, f"{title}\n{text}"


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
