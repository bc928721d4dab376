"""Stored items, whole, as the stages and people read them: the words of the source and, where it gave few, those of the article.

Surprising: an article counts only beside a text that is short. When a mirror later brings the whole text, the item would otherwise say
everything twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator

from tracker.types import Item

__all__ = ["ARTICLE", "LEAD", "SHORT", "TEXT", "by_keys", "newest", "pending", "seen_since", "select_items"]

SHORT = 300  # characters: a title and a line are not the post; what has more needs no article
# Of an article that is tagged: about a summary, which is what the model has learned from. docs/decisions.md has the figures.
LEAD = 600

# The words of an item, in a query that joins ``texts`` and ``ARTICLE``; ``LEAD_TEXT`` has only the beginning of the article.
_BOTH = f"iif(length(texts.body) < {SHORT} AND readings.text <> '', trim(texts.body || char(10) || {{}}, char(10)), texts.body)"
TEXT = _BOTH.format("readings.text")
LEAD_TEXT = _BOTH.format(f"substr(readings.text, 1, {LEAD})")
ARTICLE = "LEFT JOIN readings ON readings.item = texts.item AND readings.what = 'article'"

_COLUMNS = """items.id, items.key, items.source, items.url, items.title, {} AS text, items.authors, items.published_at,
  items.first_seen_at, items.backlog, sources.origin, sources.lab, items.affiliations,
  (SELECT text FROM readings AS read WHERE read.item = items.id AND read.what = 'authors') AS block,
  iif(items.key GLOB 'arxiv:*' OR items.key GLOB 'doi:*', (SELECT group_concat(key, char(10)) FROM links WHERE links.item = items.id), '')
    AS links"""
_JOINS = f"JOIN texts ON texts.item = items.id {ARTICLE} JOIN sources ON sources.id = items.source"


def pending(db: sqlite3.Connection, stage: str, limit: int, after: int = 0) -> list[Item]:
    """Return the next items that wait for a stage, oldest id first, beyond the id ``after``; of an article the beginning."""
    rows = db.execute(
        # CROSS JOIN: the queue is read first, whatever the statistics say; its size, not the archive's, is the cost
        f"""SELECT {_COLUMNS.format(LEAD_TEXT)} FROM pending CROSS JOIN items ON items.id = pending.item {_JOINS}
        WHERE pending.stage = ? AND pending.item > ? ORDER BY pending.item LIMIT ?""",  # noqa: S608 - constants
        (stage, after, limit),
    )
    return [_item(row) for row in rows]


def seen_since(db: sqlite3.Connection, since: str, limit: int, after: int = 0) -> list[Item]:
    """Return items first seen since an instant as ``pending`` gives them, oldest id first, beyond the id ``after``."""
    return _as_tagged(db, "first_seen_at >= ? AND items.id > ? ORDER BY items.id LIMIT ?", (since, after, limit))


def newest(db: sqlite3.Connection, limit: int) -> list[Item]:
    """Return the newest items as ``pending`` gives them, newest first."""
    return _as_tagged(db, "items.id > 0 ORDER BY items.id DESC LIMIT ?", (limit,))


def by_keys(db: sqlite3.Connection, keys: Iterable[str]) -> list[Item]:
    """Return the items with these keys as ``pending`` gives them."""
    return _as_tagged(db, "items.key IN (SELECT value FROM json_each(?))", (json.dumps(list(keys)),))


def _as_tagged(db: sqlite3.Connection, which: str, values: tuple[object, ...]) -> list[Item]:
    return [_item(row) for row in db.execute(f"SELECT {_COLUMNS.format(LEAD_TEXT)} FROM items {_JOINS} WHERE {which}", values)]  # noqa: S608


def select_items(db: sqlite3.Connection, condition: str, values: dict[str, object]) -> Iterator[Item]:
    """Yield the items that fulfil an SQL condition of ours (never of a user), newest first, at most ``:limit``."""
    rows = db.execute(
        f"SELECT {_COLUMNS.format(TEXT)} FROM items {_JOINS} WHERE {condition} ORDER BY items.id DESC LIMIT :limit",  # noqa: S608 - constants
        values,
    )
    return map(_item, rows)


def _item(row: sqlite3.Row) -> Item:
    return Item(
        row["id"], row["key"], row["source"], row["url"], row["title"], row["text"],
        tuple(row["authors"].split("; ")) if row["authors"] else (), row["published_at"], row["first_seen_at"], bool(row["backlog"]),
        row["origin"], row["lab"], tuple(filter(None, row["affiliations"].split("; "))), row["block"] or "",
        tuple(sorted((row["links"] or "").split())),
    )  # fmt: skip
