"""Stories: which items are one development, and why.

in   items that were tagged; out  rows in stories and story_items; for the items of some days, what they are compared by
refuses to know what makes two of them one development.
Surprising: ids begin with the day on which an item became news, so the items of a fortnight are a range of ids. A story that was taken in
by another stays as a row without items (``merged_into``): digests and links may speak of it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from tracker.store.items import IDS_PER_DAY
from tracker.types import Item

__all__ = [
    "WINDOW_DAYS", "Known", "Wish", "days", "heed", "join", "known", "leave", "linked", "members", "merge", "release", "retell", "waiting",
    "wishes",
]  # fmt: skip

WINDOW_DAYS = 14  # before and after an item's own day within which links are followed
MAX_LINKED = 60  # a page that hundreds link to meets those most likely to be its own: labs and papers first, the nearest day first
MAX_LINKS = 400  # of one item that are compared; a page that lists more is an index
EXCERPT = 1_000  # characters of a text, frames of link sites included

# The lead of a story: by the lab, then paper, then press, then the rest; the first of its kind.
_LEAD = """SELECT item FROM story_items JOIN items ON items.id = item WHERE story = ?
  ORDER BY CASE origin WHEN 'official' THEN 0 WHEN 'paper' THEN 1 WHEN 'press' THEN 2 ELSE 3 END,
    coalesce(published_at, first_seen_at), items.key LIMIT 1"""


@dataclass(frozen=True, slots=True)
class Known:
    """An item to compare with: its text is the beginning alone, its origin what it was found to be; ``story`` is None while it waits."""

    item: Item
    keys: tuple[str, ...]
    story: int | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person says: two items are one story, or are not."""

    item: int
    other: int
    same: bool
    who: str


def waiting(db: sqlite3.Connection) -> list[tuple[int, str, str]]:
    """Return (id, key, own day) of the items that wait for a story."""
    rows = db.execute(
        """SELECT items.id, items.key, substr(coalesce(published_at, first_seen_at), 1, 10) FROM pending CROSS JOIN items
        ON items.id = pending.item WHERE stage = 'group' ORDER BY pending.item"""
    )
    return [(row[0], row[1], row[2]) for row in rows]


_KNOWN = f"""SELECT items.id, items.key, items.source, items.url, items.title, substr(texts.body, 1, {EXCERPT}) AS body, published_at,
  first_seen_at, items.backlog, coalesce(items.origin, sources.origin) AS origin, story, evidence
FROM {{}} JOIN texts ON texts.item = items.id JOIN sources ON sources.id = items.source
LEFT JOIN story_items ON story_items.item = items.id"""  # noqa: S608 - constants


def days(db: sqlite3.Connection, first: date, last: date) -> list[Known]:
    """Return the items that became news within days, both included."""
    low, high = (int(f"{day:%Y%m%d}") * IDS_PER_DAY for day in (first, last + timedelta(days=1)))
    values = {"low": low, "high": high - 1}
    among = "items.id BETWEEN :low AND :high"
    return _known(
        db.execute(f"{_KNOWN.format('items')} WHERE {among} ORDER BY items.id", values),
        db.execute("SELECT item, key FROM item_keys INDEXED BY item_keys_item WHERE item BETWEEN :low AND :high", values),
        db.execute("SELECT item, key FROM links WHERE item BETWEEN :low AND :high", values),
    )


def known(db: sqlite3.Connection, items: Iterable[int]) -> list[Known]:
    """Return items by their ids."""
    values = {"ids": json.dumps(sorted(items))}
    listed = "json_each(:ids) AS listed CROSS JOIN"
    return _known(
        db.execute(f"{_KNOWN.format(f'{listed} items ON items.id = listed.value')} ORDER BY items.id", values),
        db.execute(f"SELECT item, item_keys.key FROM {listed} item_keys ON item = listed.value", values),  # noqa: S608 - constants
        db.execute(f"SELECT item, links.key FROM {listed} links ON item = listed.value", values),  # noqa: S608 - constants
    )


def _known(rows: Iterable[sqlite3.Row], keys: Iterable[sqlite3.Row], links: Iterable[sqlite3.Row]) -> list[Known]:
    names, outward = _by_item(keys), _by_item(links)
    return [
        Known(
            Item(
                row["id"], row["key"], row["source"], row["url"], row["title"], row["body"], published_at=row["published_at"],
                first_seen_at=row["first_seen_at"], backlog=bool(row["backlog"]), origin=row["origin"],
                links=tuple(outward.get(row["id"], ())[:MAX_LINKS]),
            ),
            tuple(names.get(row["id"], ())), row["story"], row["evidence"] or "",
        )
        for row in rows
    ]  # fmt: skip


def _by_item(rows: Iterable[sqlite3.Row]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for item, key in rows:
        found.setdefault(item, []).append(key)
    return found


# The two ways a link joins two items, and which of the linked ones are looked at: the likeliest.
_LINKED = """SELECT linked.item FROM (
  SELECT other.item FROM {} AND other.item BETWEEN :low AND :high AND other.item <> :id) AS linked
JOIN items ON items.id = linked.item JOIN sources ON sources.id = items.source GROUP BY linked.item
ORDER BY coalesce(items.origin, sources.origin) NOT IN ('official', 'paper'),
  abs(julianday(substr(coalesce(items.published_at, items.first_seen_at), 1, 10)) - julianday(:day)), items.key LIMIT :limit"""
_WAYS = (
    "links JOIN item_keys AS other ON other.key = links.key WHERE links.item = :id",
    "item_keys JOIN links AS other ON other.key = item_keys.key WHERE item_keys.item = :id",
)


def linked(db: sqlite3.Connection, item: int, day: str) -> set[int]:
    """Return the items within ``WINDOW_DAYS`` of an item's id that it links to or that link to it; ``day`` is its own."""
    middle = date.fromisoformat(f"{item // IDS_PER_DAY}")
    low, high = (int(f"{middle + timedelta(days=shift):%Y%m%d}") * IDS_PER_DAY for shift in (-WINDOW_DAYS, WINDOW_DAYS + 1))
    values = {"id": item, "low": low, "high": high, "day": day, "limit": MAX_LINKED}
    return {row[0] for way in _WAYS for row in db.execute(_LINKED.format(way), values)}


def members(db: sqlite3.Connection, stories: Iterable[int]) -> dict[int, list[int]]:
    """Return {story: its items}."""
    found: dict[int, list[int]] = {}
    rows = db.execute(
        "SELECT story, item FROM json_each(?) AS listed CROSS JOIN story_items ON story = listed.value ORDER BY story, item",
        (json.dumps(sorted(stories)),),
    )
    for story, item in rows:
        found.setdefault(story, []).append(item)
    return found


# -- what people say --------------------------------------------------------------------------------


def wishes(db: sqlite3.Connection) -> list[Wish]:
    """Return what people say of items that are known and their stories; of several words on one pair the newest counts."""
    if not db.execute("SELECT EXISTS (SELECT 1 FROM labels WHERE tag GLOB 'story:*')").fetchone()[0]:
        return []
    rows = db.execute(
        """SELECT labelled.item AS one, item_keys.item AS other, value, who FROM labelled
        JOIN item_keys ON item_keys.key = substr(labelled.tag, 7)
        WHERE labelled.tag GLOB 'story:*' AND labelled.item IS NOT NULL AND labelled.item <> item_keys.item ORDER BY at, labelled.id"""
    )
    newest = {tuple(sorted((row["one"], row["other"]))): Wish(row["one"], row["other"], bool(row["value"]), row["who"]) for row in rows}
    return list(newest.values())


def heed(db: sqlite3.Connection, items: Iterable[int], now: str) -> None:
    """Let the stories of items be decided again, since a person has said something of them; call it inside a transaction."""
    db.execute(
        """INSERT OR IGNORE INTO pending(stage, item, due_at)
        SELECT 'group', item, ? FROM json_each(?) AS listed CROSS JOIN story_items ON item = listed.value""",
        (now, json.dumps(list(items))),
    )


# -- what becomes of it -----------------------------------------------------------------------------


def join(db: sqlite3.Connection, item: int, story: int | None, score: float, evidence: str, now: str) -> int:
    """Put an item that has no story into one, or into a new one; call it inside a transaction. Returns the story.

    The story's own columns wait for ``retell``.
    """
    if story is None:
        cursor = db.execute(
            """INSERT INTO stories(title, lead_item, first_at, last_at, items, sources)
            SELECT title, id, coalesce(published_at, first_seen_at), coalesce(published_at, first_seen_at), 0, 0 FROM items WHERE id = ?""",
            (item,),
        )
        story = int(cursor.lastrowid or 0)
    db.execute("INSERT INTO story_items(item, story, score, evidence) VALUES (?, ?, ?, ?)", (item, story, score, evidence))
    _watched(db, [item], now)
    return story


def leave(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Take items out of their stories, which must be told again; call it inside a transaction."""
    db.executemany("DELETE FROM story_items WHERE item = ?", [(item,) for item in items])


def merge(db: sqlite3.Connection, story: int, into: int, items: Sequence[tuple[int, float, str]], now: str) -> None:
    """Let a story take in another with its items, each with (item, score, evidence); call it inside a transaction."""
    db.executemany(
        "UPDATE story_items SET story = ?, score = ?, evidence = ? WHERE item = ?",
        [(into, score, evidence, item) for item, score, evidence in items],
    )
    db.execute("UPDATE stories SET merged_into = ?, items = 0, sources = 0 WHERE id = ?", (into, story))
    db.execute("UPDATE stories SET merged_into = ? WHERE merged_into = ?", (into, story))
    _watched(db, [item for item, _, _ in items], now)


def release(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Take items off the queue; call it inside a transaction."""
    db.executemany("DELETE FROM pending WHERE stage = 'group' AND item = ?", [(item,) for item in items])


def _watched(db: sqlite3.Connection, items: Iterable[int], now: str) -> None:
    db.executemany("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", [(item, now) for item in items])


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
