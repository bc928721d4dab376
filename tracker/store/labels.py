"""Labels: what people say of items. Append-only, and kept by the key of the item, so that they outlive the database.

in   a key, a tag (``topic:<id>``, ``story:<key of another item>``), yes or no, and who says so
out  a row in ``labels``; the item's tags at once, in the same transaction (``tags.heed``); its story at the next grouping
refuses to know models and files.
Surprising: to undo is one more row. It names the label that it takes back; what the same person said before stands again then.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from tracker.errors import InvalidURL
from tracker.store import tags
from tracker.store.stories import heed as stories_heed
from tracker.text import one_line
from tracker.urls import canonical_url, own_key

__all__ = [
    "MAX_KEY",
    "PICKED",
    "STORY",
    "UNDO",
    "Label",
    "Row",
    "Taken",
    "add",
    "counts",
    "current",
    "find",
    "history",
    "is_clean",
    "said",
    "stories",
    "take",
    "withdraw",
]

PICKED = ("uncertain", "random", "browse")
MAX_KEY = 2_100  # characters of a key: the longest address that an item has, 2,000, and what stands before it
STORY = "story:"  # before the key of an item: a tag that says whether another is one story with it
UNDO = "undo"  # the value, in a file, of a row that takes a label back

# A label that stands: neither an undo itself nor taken back.
_STANDS = "withdraws IS NULL AND NOT EXISTS (SELECT 1 FROM labels AS later WHERE later.withdraws = labels.id)"


@dataclass(frozen=True, slots=True)
class Label:
    """What a person says of an item now. ``key`` is the item's own, whichever of its keys the label was given by."""

    key: str
    tag: str
    value: int
    who: str
    at: str
    picked: str
    note: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of ``labels`` as a file holds it: ``value`` is "1", "0" or "undo". ``title`` is for people alone."""

    key: str
    tag: str
    value: str
    who: str
    at: str
    picked: str
    note: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of the rows of a file: how many were added, how many were known, and by its line what is wrong with one left out.

    ``to_come``: how many items the file names that are not known yet.
    """

    added: int
    known: int
    wrong: dict[int, str]
    to_come: int


def add(db: sqlite3.Connection, item_key: str, tag: str, value: int, *, who: str, picked: str, note: str = "", now: str) -> int:
    """Store a label and let the item's tags say it; return the label's id. Call it inside a transaction.

    Said again by the same person, the same adds no row, unless another has denied it since: the newest word counts.
    An item that is not known yet hears of its labels when it arrives.
    """
    item, key = _item(db, item_key)
    same = _standing(db, item_key, item, tag, who, until=None)
    words = [label.value for label in current(db) if (label.key, label.tag) == (key or item_key, tag)] if same else []
    if same and same["value"] == words[-1] == value and note in ("", same["note"]):
        return int(same["id"])
    row = db.execute(
        "INSERT INTO labels(item_key, tag, value, who, at, picked, note) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (key or item_key, tag, int(value), who, now, picked, note),
    ).lastrowid
    if item:
        _heed(db, item, tag, now)
    return int(row or 0)


def said(db: sqlite3.Connection, item_key: str, tag: str, who: str) -> int | None:
    """Return the id of what a person says of an item now, by any of its keys; None if nothing."""
    row = _standing(db, item_key, _item(db, item_key)[0], tag, who, until=None)
    return int(row["id"]) if row else None


def withdraw(db: sqlite3.Connection, label: int, *, now: str) -> bool:
    """Take a label back; return whether it stood until then. Call it inside a transaction."""
    taken = db.execute(
        f"""INSERT INTO labels(item_key, tag, value, who, at, picked, note, withdraws)
        SELECT item_key, tag, value, who, ?, picked, '', id FROM labels WHERE id = ? AND {_STANDS}""",  # noqa: S608 - a constant
        (now, label),
    )
    if not taken.rowcount:
        return False
    row = db.execute("SELECT item, tag FROM labels JOIN item_keys ON item_keys.key = item_key WHERE labels.id = ?", (label,)).fetchone()
    if row:
        _heed(db, row["item"], row["tag"], now)
    return True


def _heed(db: sqlite3.Connection, item: int, tag: str, now: str) -> None:
    """Let what a label is about heed it: the tags of its item, or the stories of both that it names."""
    if tag.startswith(STORY):
        stories_heed(db, filter(None, (item, _item(db, tag.removeprefix(STORY))[0])), now)
    else:
        tags.heed(db, item, now)


def current(db: sqlite3.Connection) -> list[Label]:
    """Return the labels that stand: the newest of each person on each item and tag, oldest first."""
    return [Label(*row) for row in db.execute("SELECT key, tag, value, who, at, picked, note FROM labelled ORDER BY at, id")]


def counts(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return {tag: (yes, no)} of the labels that stand."""
    rows = db.execute("SELECT tag, sum(value), sum(1 - value) FROM labelled GROUP BY tag ORDER BY tag")
    return {row[0]: (row[1], row[2]) for row in rows}


def stories(db: sqlite3.Connection, items: Iterable[int]) -> dict[int, int]:
    """Return {item: story} of items that have one."""
    rows = db.execute(
        "SELECT item, story FROM json_each(?) AS listed CROSS JOIN story_items ON story_items.item = listed.value",
        (json.dumps(list(items)),),
    )
    return {row[0]: row[1] for row in rows}


def find(db: sqlite3.Connection, text: str) -> tuple[str, int | None, str]:
    """Return (key, id, title) of the item that a person names by its key, its address or its id; ("", None, "") if it is no name at all.

    Of an item that is not known, the key alone, in the form that the item will have.
    """
    if text.isascii() and text.isdecimal():
        row = db.execute("SELECT key, id, title FROM items WHERE id = ?", (int(text[:18]),)).fetchone()
        return (row["key"], row["id"], row["title"]) if row else ("", None, "")
    if text != text.encode(errors="replace").decode():  # bytes of a shell that are no UTF-8: SQLite would not take them
        return "", None, ""
    names = _names(text)
    for key in dict.fromkeys((text, *names)):
        row = db.execute("SELECT items.key, id, title FROM item_keys JOIN items ON id = item WHERE item_keys.key = ?", (key,)).fetchone()
        if row:
            return row["key"], row["id"], row["title"]
    return (names[-1] if names and is_clean(names[-1]) else ""), None, ""


def is_clean(key: str) -> bool:
    """Whether a key may be stored and shown: one printable line, no longer than the key of any item."""
    return len(key) <= MAX_KEY and one_line(key, MAX_KEY) == key


def _names(text: str) -> tuple[str, ...]:
    """The keys that a name may stand for; the last is the one of an item that is not known."""
    kind, _, rest = text.partition(":")
    if kind in ("guid", "hash"):
        return (text,) if rest else ()
    if kind not in ("http", "https", "url"):
        return (own_key(text) or text,) if kind == "doi" and rest else tuple(filter(None, (own_key(text),)))
    address = rest if kind == "url" else text
    if paper := own_key(address):
        return (paper,)
    try:
        place, page = f"url:{canonical_url(address, keep_fragment=True)}", f"url:{canonical_url(address)}"
    except InvalidURL:
        return ()
    return (place,) if kind == "url" else (place, page)  # a key is meant as it is; people copy addresses with a fragment they do not mean


# -- to and from files ------------------------------------------------------------------------------


def history(db: sqlite3.Connection) -> Iterator[Row]:
    """Yield every row, oldest first, those taken back and the taking back included: what ``take`` makes the same table of."""
    rows = db.execute(
        """SELECT item_key, tag, iif(withdraws IS NULL, value, 'undo'), who, at, picked, note, coalesce(title, '')
        FROM labels LEFT JOIN item_keys ON item_keys.key = item_key LEFT JOIN items ON items.id = item_keys.item ORDER BY labels.id"""
    )
    return (Row(row[0], row[1], str(row[2]), *row[3:]) for row in rows)


def take(db: sqlite3.Connection, rows: Iterable[tuple[int, Row]], now: str) -> Taken:
    """Add the rows of a file that are not here yet, each with its line; call it inside a transaction.

    Twice adds nothing. A row with a time is known where it is here; those without one are known where the last of them on an item and
    tag is what their person said last.
    """
    named = cache(lambda key: find(db, key))
    here: Counter[tuple[str, ...]] = Counter()
    last: dict[tuple[str, ...], tuple[str, str]] = {}
    for held in history(db):
        held = replace(held, key=named(held.key)[0] or held.key)
        here[(*_about(held), held.value, held.at)] += 1
        if held.at >= last.get(_about(held), ("", ""))[0]:
            last[_about(held)] = (held.at, held.value)
    wrong: dict[int, str] = {}
    found: list[tuple[int, Row, int | None]] = []
    for line, row in rows:
        key, item, _ = named(row.key)
        if key:
            found.append((line, replace(row, key=key), item))
        else:
            wrong[line] = f"key is neither that of an item nor in the form of one: {one_line(row.key, 60)!r}"
    settled = _settled(db, found, {about: value for about, (_, value) in last.items()})
    added = known = 0
    touched = set[tuple[int, str]]()
    for line, row, item in found:
        same = (*_about(row), row.value, row.at)
        if here[same] > 0 if row.at else _about(row) in settled:
            here[same] -= 1  # as often as it is here, not only whether: yes, undo, yes within a second are three rows
            known += 1
            continue
        said = _standing(db, row.key, item, row.tag, row.who, until=row.at or None)
        if row.value == UNDO and not said:
            wrong[line] = f"there is no label by {row.who} of this item and tag to take back"
        elif not row.at and said and str(said["value"]) == row.value:
            known += 1
        else:
            _insert(db, row, said, row.at or now)
            touched |= {(item, row.tag if row.tag.startswith(STORY) else "")} if item else set()
            added += 1
    for item, of_story in sorted(touched):
        _heed(db, item, of_story, now)
    return Taken(added, known, wrong, len({row.key for _, row, item in found if item is None}))


def _about(row: Row) -> tuple[str, ...]:
    return row.key, row.tag, row.who


def _settled(
    db: sqlite3.Connection, found: Iterable[tuple[int, Row, int | None]], last: dict[tuple[str, ...], str]
) -> set[tuple[str, ...]]:
    """Of what the rows without a time speak: where their last word is the one that stands, or an undo that was the last word here."""
    words = {_about(row): (row, item) for _, row, item in found if not row.at}
    settled = set()
    for about, (row, item) in words.items():
        said = _standing(db, row.key, item, row.tag, row.who, until=None)
        if last.get(about) == UNDO if row.value == UNDO else said is not None and str(said["value"]) == row.value:
            settled.add(about)
    return settled


def _insert(db: sqlite3.Connection, row: Row, said: sqlite3.Row | None, at: str) -> None:
    taken = said if row.value == UNDO else None
    value, withdraws = (taken["value"], taken["id"]) if taken else (int(row.value), None)
    db.execute(
        "INSERT INTO labels(item_key, tag, value, who, at, picked, note, withdraws) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (row.key, row.tag, value, row.who, at, row.picked, row.note, withdraws),
    )


def _item(db: sqlite3.Connection, key: str) -> tuple[int | None, str]:
    """The id and the own key of the item with that key; (None, "") if there is none."""
    row = db.execute("SELECT items.id, items.key FROM item_keys JOIN items ON items.id = item WHERE item_keys.key = ?", (key,)).fetchone()
    return (row[0], row[1]) if row else (None, "")


def _standing(db: sqlite3.Connection, key: str, item: int | None, tag: str, who: str, *, until: str | None) -> sqlite3.Row | None:
    """What a person says of an item, by any of its keys, now or as it stood at a time."""
    found: sqlite3.Row | None = db.execute(
        f"""SELECT id, value, note FROM labels WHERE item_key IN (SELECT ? UNION SELECT key FROM item_keys WHERE item = ?)
          AND tag = ? AND who = ? AND (? IS NULL OR at <= ?) AND {_STANDS} ORDER BY at DESC, id DESC LIMIT 1""",  # noqa: S608
        (key, item, tag, who, until, until),
    ).fetchone()
    return found
