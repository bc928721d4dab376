"""Stories: which items are one development, and why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import date, timedelta

from tracker.store.items import IDS_PER_DAY, select_items
from tracker.text import fold
from tracker.types import Candidate, Item

__all__ = ["WINDOW_DAYS", "candidates", "join", "waiting"]

WINDOW_DAYS = 14  # before and after an item's own day; beyond, the same title is another development
MAX_CANDIDATES = 60  # a page that hundreds link to joins nothing by being linked

# The lead of a story: by the lab, then paper, then press, then the rest; the first of its kind.
_LEAD = """SELECT item FROM story_items JOIN items ON items.id = item WHERE story = ?
  ORDER BY CASE origin WHEN 'official' THEN 0 WHEN 'paper' THEN 1 WHEN 'press' THEN 2 ELSE 3 END,
    coalesce(published_at, first_seen_at), item LIMIT 1"""


def waiting(db: sqlite3.Connection, now: str) -> list[Item]:
    """Return the items that wait for a story."""
    condition = "items.id IN (SELECT item FROM pending WHERE stage = 'group' AND due_at <= :now)"
    return list(select_items(db, condition, {"now": now, "limit": -1}))


def candidates(db: sqlite3.Connection, item: Item, *, title: bool) -> list[Candidate]:
    """Return the grouped items within ``WINDOW_DAYS`` that share a link or (``title``) every title word with this one."""
    low, high = _window(item.id)
    values: dict[str, object] = {"id": item.id, "low": low, "high": high, "limit": MAX_CANDIDATES}
    links_to = dict(
        db.execute(
            """SELECT item_keys.item, links.key FROM links JOIN item_keys ON item_keys.key = links.key
            WHERE links.item = :id AND item_keys.item BETWEEN :low AND :high AND item_keys.item <> :id LIMIT :limit""",
            values,
        ).fetchall()
    )
    linked_from = dict(
        db.execute(
            """SELECT links.item, links.key FROM item_keys JOIN links ON links.key = item_keys.key
            WHERE item_keys.item = :id AND links.item BETWEEN :low AND :high AND links.item <> :id LIMIT :limit""",
            values,
        ).fetchall()
    )
    titled = _same_title(db, item, values) if title else []
    found = {*links_to, *linked_from, *titled}
    return [
        Candidate(other, story, size, links_to.get(other.id) or linked_from.get(other.id) or "", other.id in links_to)
        for other, story, size in _grouped(db, found)
    ]


def _window(item: int) -> tuple[int, int]:
    day = date.fromisoformat(f"{item // IDS_PER_DAY}")
    return tuple(int(f"{day + timedelta(days=shift):%Y%m%d}") * IDS_PER_DAY for shift in (-WINDOW_DAYS, WINDOW_DAYS + 1))  # type: ignore[return-value]


def _same_title(db: sqlite3.Connection, item: Item, values: dict[str, object]) -> list[int]:
    words = fold(item.title)
    if not words:
        return []
    rows = db.execute(
        "SELECT rowid FROM texts_fts WHERE texts_fts MATCH :match AND rowid BETWEEN :low AND :high AND rowid <> :id LIMIT :limit",
        values | {"match": f'title : "{words}"'},  # folded: letters, digits and spaces only
    )
    return [row[0] for row in rows]


def _grouped(db: sqlite3.Connection, found: Iterable[int]) -> list[tuple[Item, int, int]]:
    ids = sorted(found)
    if not ids:
        return []
    marks = ", ".join(str(int(identifier)) for identifier in ids)
    homes = {
        row[0]: (row[1], row[2])
        for row in db.execute(f"SELECT item, story, items FROM story_items JOIN stories ON stories.id = story WHERE item IN ({marks})")  # noqa: S608 - integers
    }
    others = select_items(db, f"items.id IN ({marks})", {"limit": -1})
    return [(other, *homes[other.id]) for other in others if other.id in homes]


def join(db: sqlite3.Connection, item: Item, story: int | None, score: float, evidence: str, now: str) -> int:
    """Put an item into a story, or into a new one; call it inside a transaction. Returns the story."""
    at = item.published_at or item.first_seen_at
    if story is None:
        cursor = db.execute(
            "INSERT INTO stories(title, lead_item, first_at, last_at, items, sources) VALUES (?, ?, ?, ?, 0, 0)",
            (item.title, item.id, at, at),
        )
        story = int(cursor.lastrowid or 0)
    db.execute("INSERT INTO story_items(item, story, score, evidence) VALUES (?, ?, ?, ?)", (item.id, story, score, evidence))
    _retell(db, story)
    db.execute("DELETE FROM pending WHERE stage = 'group' AND item = ?", (item.id,))
    db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item.id, now))
    return story


def _retell(db: sqlite3.Connection, story: int) -> None:
    """Bring title, lead, times and counts of a story up to its items."""
    (lead,) = db.execute(_LEAD, (story,)).fetchone()
    db.execute(
        """UPDATE stories SET lead_item = :lead, title = (SELECT title FROM items WHERE id = :lead),
          (first_at, last_at, items, sources) = (
            SELECT min(coalesce(published_at, first_seen_at)), max(coalesce(published_at, first_seen_at)), count(*), count(DISTINCT source)
            FROM story_items JOIN items ON items.id = item WHERE story = :story)
        WHERE id = :story""",
        {"lead": lead, "story": story},
    )
