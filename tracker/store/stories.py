"""Stories: which items are one development, and why.

in   items that were tagged, without their texts: a story is told from titles, days and links
out  rows in stories and story_items; for an item, the grouped ones near it in time that share a link or its title
refuses to know what makes two of them one development.
Surprising: everything is looked for in a window of ids, since ids begin with the day.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from datetime import date, timedelta
from itertools import islice

from tracker.store.items import IDS_PER_DAY
from tracker.text import fold
from tracker.types import Candidate, Item

__all__ = ["WINDOW_DAYS", "candidates", "join", "retell", "waiting"]

WINDOW_DAYS = 14  # before and after an item's own day; beyond, the same title is another development
MAX_CANDIDATES = 60  # a page that hundreds link to meets those most likely to be its own: labs and papers first, the nearest day first
MAX_TITLED = 5_000  # titles that hold this one's words in a row and are compared with it: 60 ms, and no real title comes near

# The lead of a story: by the lab, then paper, then press, then the rest; the first of its kind.
_LEAD = """SELECT item FROM story_items JOIN items ON items.id = item WHERE story = ?
  ORDER BY CASE origin WHEN 'official' THEN 0 WHEN 'paper' THEN 1 WHEN 'press' THEN 2 ELSE 3 END,
    coalesce(published_at, first_seen_at), item LIMIT 1"""


_COLUMNS = "items.id, items.key, items.source, items.url, items.title, items.published_at, items.first_seen_at, items.backlog"


def waiting(db: sqlite3.Connection) -> list[Item]:
    """Return the items that wait for a story, without their texts."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM pending CROSS JOIN items ON items.id = pending.item WHERE stage = 'group' ORDER BY pending.item"  # noqa: S608
    )
    return [_item(row) for row in rows]


def _item(row: sqlite3.Row) -> Item:
    return Item(
        row["id"], row["key"], row["source"], row["url"], row["title"],
        published_at=row["published_at"], first_seen_at=row["first_seen_at"], backlog=bool(row["backlog"]),
    )  # fmt: skip


# The two ways a link joins two items, and which of the linked ones are looked at: those that have a story, the likeliest first.
_LINKS_TO = "links JOIN item_keys AS other ON other.key = links.key WHERE links.item = :id"
_LINKED_FROM = "item_keys JOIN links AS other ON other.key = item_keys.key WHERE item_keys.item = :id"
_LIKELIEST = """JOIN story_items ON story_items.item = linked.item JOIN items ON items.id = linked.item
  JOIN sources ON sources.id = items.source GROUP BY linked.item
  ORDER BY coalesce(items.origin, sources.origin) NOT IN ('official', 'paper'),
    abs(julianday(substr(coalesce(items.published_at, items.first_seen_at), 1, 10)) - julianday(:day)), linked.item LIMIT :limit"""


def candidates(db: sqlite3.Connection, item: Item, *, title: bool) -> list[Candidate]:
    """Return the grouped items within ``WINDOW_DAYS`` that share a link or (``title``) the title, folded, with this one; without texts."""
    low, high = _window(item.id)
    day = (item.published_at or item.first_seen_at)[:10]
    values: dict[str, object] = {"id": item.id, "low": low, "high": high, "day": day, "limit": MAX_CANDIDATES}
    links_to, linked_from = (_linked(db, way, values) for way in (_LINKS_TO, _LINKED_FROM))
    titled = _same_title(db, item, values) if title else []
    return [
        Candidate(other, story, size, links_to.get(other.id) or linked_from.get(other.id) or "", other.id in links_to)
        for other, story, size in _grouped(db, {*links_to, *linked_from, *titled})
    ]


def _linked(db: sqlite3.Connection, way: str, values: dict[str, object]) -> dict[int, str]:
    """{item: the key of the link} of the likeliest."""
    rows = db.execute(
        f"""SELECT linked.item, min(linked.key) FROM (
          SELECT other.item, other.key FROM {way} AND other.item BETWEEN :low AND :high AND other.item <> :id) AS linked {_LIKELIEST}""",  # noqa: S608
        values,
    )
    return {row[0]: row[1] for row in rows}


def _window(item: int) -> tuple[int, int]:
    day = date.fromisoformat(f"{item // IDS_PER_DAY}")
    return tuple(int(f"{day + timedelta(days=shift):%Y%m%d}") * IDS_PER_DAY for shift in (-WINDOW_DAYS, WINDOW_DAYS + 1))  # type: ignore[return-value]


def _same_title(db: sqlite3.Connection, item: Item, values: dict[str, object]) -> list[int]:
    words = fold(item.title)
    if not words:
        return []
    # Folded: letters, digits and spaces only. The index finds every title that holds these words in a row, and knows no equality.
    rows = db.execute(
        """SELECT texts.item, texts.title FROM texts_fts CROSS JOIN story_items ON story_items.item = texts_fts.rowid
        CROSS JOIN texts ON texts.item = texts_fts.rowid
        WHERE texts_fts MATCH :match AND texts_fts.rowid BETWEEN :low AND :high AND texts_fts.rowid <> :id""",
        values | {"match": f'title : "{words}"'},
    )
    same = (row[0] for row in islice(rows, MAX_TITLED) if fold(row[1]) == words)
    return list(islice(same, MAX_CANDIDATES))


def _grouped(db: sqlite3.Connection, found: Iterable[int]) -> list[tuple[Item, int, int]]:
    rows = db.execute(
        f"""SELECT {_COLUMNS}, story, stories.items AS size FROM json_each(:ids) AS listed CROSS JOIN items ON items.id = listed.value
        JOIN story_items ON story_items.item = items.id JOIN stories ON stories.id = story ORDER BY items.id DESC""",  # noqa: S608
        {"ids": json.dumps(sorted(found))},
    )
    return [(_item(row), row["story"], row["size"]) for row in rows]


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


def retell(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Bring the stories of items up to what these are now: an edited title, another origin; call it inside a transaction."""
    found = db.execute(
        "SELECT DISTINCT story FROM json_each(?) CROSS JOIN story_items ON item = json_each.value", (json.dumps(list(items)),)
    )
    for (story,) in found.fetchall():
        _retell(db, story)


def _retell(db: sqlite3.Connection, story: int) -> None:
    """Bring title, lead, times and counts of a story up to its items; what stays the same is not written."""
    (lead,) = db.execute(_LEAD, (story,)).fetchone()
    told = db.execute(
        """SELECT :lead, (SELECT title FROM items WHERE id = :lead), min(coalesce(published_at, first_seen_at)),
          max(coalesce(published_at, first_seen_at)), count(*), count(DISTINCT source)
        FROM story_items JOIN items ON items.id = item WHERE story = :story""",
        {"lead": lead, "story": story},
    ).fetchone()
    db.execute(
        """UPDATE stories SET (lead_item, title, first_at, last_at, items, sources) = (?, ?, ?, ?, ?, ?)
        WHERE id = ? AND (lead_item, title, first_at, last_at, items, sources) IS NOT (?, ?, ?, ?, ?, ?)""",
        (*told, story, *told),
    )
