"""Readings: what was fetched because no feed carries it, and what waits for it.

in   an item that waits and what its page gave; out  one row in ``readings`` an item, its links, its date and title where it had none
The words of an article stay here, apart from what the source said (``texts``): the publisher did not send them, so they are no edit, and
an item that gains them keeps its revision. ``items`` puts both together for whoever tags, watches or shows.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import unquote, urlsplit

from tracker.clock import iso, parse
from tracker.store.stored import SHORT
from tracker.text import content_hash, fold
from tracker.types import Entry
from tracker.urls import host_of

__all__ = [
    "KEEP_DAYS",
    "READ",
    "Waiting",
    "asked_since",
    "by_host",
    "expire",
    "forget",
    "refused",
    "retitled",
    "save",
    "unread",
    "waiting",
    "want",
]

KEEP_DAYS = 30  # a post that could not be asked for within that time is news no more
BACKLOG_DAYS = 90  # what was there before we looked is read as far back as this
LOOK_BACK = 2_000  # readings that say how hosts answer
READ = "read"


@dataclass(frozen=True, slots=True)
class Waiting:
    """An item whose article is to be read. ``source_url`` is what the user configured."""

    item: int
    url: str
    title: str
    source: str
    source_url: str
    tries: int


def want(db: sqlite3.Connection, item: int, now: str) -> None:
    """Put an item into the queue if it is an official post without its text, and take it out when the text has come.

    Never papers, press and community; nor an address with a fragment, which is one entry of a page of many; nor an archive.
    """
    old = iso(parse(now) - timedelta(days=BACKLOG_DAYS))
    (wanted, whole) = db.execute(
        """SELECT sources.origin = 'official' AND items.key LIKE 'url:%' AND items.url LIKE 'http%' AND items.url NOT LIKE '%#%'
            AND (items.backlog = 0 OR items.published_at >= ?)
            AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.item = items.id AND what = 'article'),
          length(texts.body) >= ?
        FROM items JOIN texts ON texts.item = items.id JOIN sources ON sources.id = items.source WHERE items.id = ?""",
        (old, SHORT, item),
    ).fetchone()
    if whole:
        db.execute("DELETE FROM pending WHERE stage = 'article' AND item = ?", (item,))
    elif wanted:
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('article', ?, ?)", (item, now))


def asked_since(db: sqlite3.Connection, since: str) -> int:
    """Return how many articles were asked for after an instant."""
    (count,) = db.execute("SELECT count(*) FROM readings WHERE what = 'article' AND fetched_at > ?", (since,)).fetchone()
    return int(count)


def waiting(db: sqlite3.Connection, due_by: str, furthest: str) -> list[Waiting]:
    """Return the items whose article is due, news before backlog, the newest first; none that has got its text meanwhile.

    ``furthest``: later than anything waits; a time beyond was written by a clock that ran ahead, and does not count.
    """
    rows = db.execute(
        """SELECT items.id, items.url, items.title, items.source, sources.url, pending.tries
        FROM pending CROSS JOIN items ON items.id = pending.item JOIN texts ON texts.item = items.id
        JOIN sources ON sources.id = items.source
        WHERE pending.stage = 'article' AND (pending.due_at <= ? OR pending.due_at > ?) AND items.url IS NOT NULL AND length(texts.body) < ?
        ORDER BY items.backlog, items.id DESC""",
        (due_by, furthest, SHORT),
    )
    return [Waiting(*row) for row in rows]


def expire(db: sqlite3.Connection, seen_before: str) -> int:
    """Forget what waits for too long, and what needs no article any more; return how many items that were."""
    cursor = db.execute(
        """DELETE FROM pending WHERE stage = 'article' AND item IN (
          SELECT items.id FROM pending CROSS JOIN items ON items.id = pending.item JOIN texts ON texts.item = items.id
          WHERE pending.stage = 'article' AND (items.first_seen_at < ? OR length(texts.body) >= ?))""",
        (seen_before, SHORT),
    )
    return cursor.rowcount


def forget(db: sqlite3.Connection) -> None:
    """Empty the queue."""
    db.execute("DELETE FROM pending WHERE stage = 'article'")


def save(
    db: sqlite3.Connection, asked: Waiting, outcome: str, entry: Entry | None, *, title: str | None, now: str, again_at: str | None
) -> None:
    """Store what an article gave; call it inside a transaction.

    Args:
        entry: the article; None when it could not be read.
        title: replaces the item's; None keeps it.
        again_at: when it is tried again; None: never.
    """
    text = entry.text if entry else None
    db.execute(
        """INSERT INTO readings(item, what, url, outcome, text, sha256, fetched_at) VALUES (?, 'article', ?, ?, ?, ?, ?)
        ON CONFLICT(item, what) DO UPDATE SET url = excluded.url, outcome = excluded.outcome, text = excluded.text,
          sha256 = excluded.sha256, fetched_at = excluded.fetched_at""",
        (asked.item, asked.url, outcome, text, hashlib.sha256(text.encode()).hexdigest() if text else None, now),
    )
    if again_at:
        db.execute("UPDATE pending SET due_at = ?, tries = tries + 1 WHERE stage = 'article' AND item = ?", (again_at, asked.item))
    else:
        db.execute("DELETE FROM pending WHERE stage = 'article' AND item = ?", (asked.item,))
    if entry:
        _fill(db, asked.item, entry, title)
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (asked.item, now))


def _fill(db: sqlite3.Connection, item: int, entry: Entry, title: str | None) -> None:
    """Give the item what it lacks: date and authors, a title for a stand-in, the links of the article."""
    old = db.execute("SELECT items.title, body FROM items JOIN texts ON texts.item = items.id WHERE id = ?", (item,)).fetchone()
    db.execute(
        """UPDATE items SET published_at = coalesce(published_at, ?), authors = iif(authors = '', ?, authors), title = ?,
        content_hash = ? WHERE id = ?""",
        (entry.published_at, "; ".join(entry.authors), title or old["title"], content_hash(title or old["title"], old["body"]), item),
    )
    if title and title != old["title"]:
        db.execute("UPDATE texts SET title = ? WHERE item = ?", (title, item))
    db.executemany(
        """INSERT OR IGNORE INTO links(item, key) SELECT :item, :key
        WHERE NOT EXISTS (SELECT 1 FROM item_keys WHERE key = :key AND item = :item)""",
        [{"item": item, "key": key} for key in entry.links],
    )


def unread(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many of the last articles could not be read, by host and outcome, the most first."""
    found = Counter(f"{host} ({outcome})" for host, outcomes in by_host(db).items() for outcome in outcomes if outcome != READ)
    return dict(found.most_common())


def retitled(db: sqlite3.Connection, item: int, entry: Entry) -> bool:
    """Return whether a title is made of its address (a sitemap says none), and the item has got a better one from its article."""
    slug = urlsplit(entry.url or "").path.rstrip("/").rpartition("/")[2].partition(".")[0]
    if not slug or not fold(unquote(slug)).endswith(fold(entry.title)):
        return False
    found = db.execute("SELECT 1 FROM readings WHERE item = ? AND what = 'article' AND outcome = ?", (item, READ)).fetchone()
    return found is not None


def by_host(db: sqlite3.Connection) -> Mapping[str, Sequence[str]]:
    """Return the outcomes of the last articles of each host, newest first."""
    found: dict[str, list[str]] = {}
    rows = db.execute(
        """SELECT url, outcome FROM readings INDEXED BY readings_fetched_at WHERE what = 'article'
        ORDER BY fetched_at DESC, item DESC LIMIT ?""",
        (LOOK_BACK,),
    )
    for url, outcome in rows:
        found.setdefault(host_of(url), []).append(outcome)
    return found


def refused(outcomes: Sequence[str]) -> int:
    """Return how many articles in a row a host has not given (``outcomes`` newest first)."""
    return next((n for n, outcome in enumerate(outcomes) if outcome == READ), len(outcomes))
