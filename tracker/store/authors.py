"""Author blocks: which papers wait for theirs, what was read, and how many papers are still nobody's.

in   papers on a topic (``tags.save`` queues them), what their pages gave; out  rows in ``readings``; papers back in ``pending(tag)``
A block is kept whole, so an edited registry of labs resolves it anew without the network: ``stale`` finds what was resolved by another.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from datetime import timedelta

from tracker.clock import iso, parse
from tracker.store.readings import READ

__all__ = ["LIMITED", "Paper", "asked_since", "figures", "limited_since", "resolved_by", "save", "stale", "waiting", "want"]

LIMITED = frozenset({"rate_limited", "http_503"})  # a paced host that fails says that we are too fast
FIGURES_DAYS = 90
AGAIN_DAYS = 30  # a paper that gave no block is asked again when it comes back to a topic within these


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper whose author block is to be read."""

    item: int
    key: str
    title: str
    version: int
    authors: tuple[str, ...]
    tries: int
    etag: str | None = None  # of a page that held no block when it was last asked for


def want(db: sqlite3.Connection, item: int, now: str) -> None:
    """Put a paper into the queue if it is on a topic and was not read; take it out when it is on none any more."""
    db.execute(
        """INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'authors', items.id, ? FROM items
        WHERE items.id = ? AND items.key GLOB 'arxiv:*' AND EXISTS (SELECT 1 FROM item_topics WHERE item = items.id AND tier <> 'no')
          AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.item = items.id AND what = 'authors'
            AND (outcome = 'read' OR items.first_seen_at < ?))""",
        (now, item, iso(parse(now) - timedelta(days=AGAIN_DAYS))),
    )
    db.execute(
        """DELETE FROM pending WHERE stage = 'authors' AND item = ?
        AND NOT EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = pending.item AND tier <> 'no')""",
        (item,),
    )


def waiting(db: sqlite3.Connection, due_by: str, furthest: str, limit: int) -> list[Paper]:
    """Return the papers that are due: news before backlog, then by their best score on a topic, the highest first.

    ``furthest``: later than anything waits; a time beyond was written by a clock that ran ahead, and does not count.
    """
    rows = db.execute(
        """SELECT items.id, items.key, items.title, coalesce(items.version, 1), items.authors, pending.tries,
          (SELECT max(score) FROM item_topics WHERE item = items.id AND tier <> 'no') AS score,
          (SELECT etag FROM readings
            WHERE readings.item = items.id AND what = 'authors' AND readings.version = coalesce(items.version, 1)) AS etag
        FROM pending CROSS JOIN items ON items.id = pending.item
        WHERE pending.stage = 'authors' AND (pending.due_at <= ? OR pending.due_at > ?)
        ORDER BY items.backlog, score DESC, items.id DESC LIMIT ?""",
        (due_by, furthest, limit),
    )
    return [Paper(row[0], row[1], row[2], row[3], tuple(row[4].split("; ")) if row[4] else (), row[5], row["etag"]) for row in rows]


def asked_since(db: sqlite3.Connection, since: str) -> int:
    """Return how many papers were asked for after an instant."""
    return _count(db, "fetched_at > ?", since)


def limited_since(db: sqlite3.Connection, since: str) -> int:
    """Return how many of them arXiv refused because we were too fast."""
    return _count(db, "fetched_at > ? AND outcome IN ('rate_limited', 'http_503')", since)


def _count(db: sqlite3.Connection, condition: str, since: str) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM readings WHERE what = 'authors' AND {condition}", (since,)).fetchone()  # noqa: S608
    return int(count)


def save(
    db: sqlite3.Connection, paper: Paper, url: str, outcome: str, text: str, *,
    registry: str, now: str, again_at: str | None, tried: bool, etag: str | None = None,
) -> None:  # fmt: skip
    """Store what a page gave; call it inside a transaction. A block makes the paper wait for tagging.

    Args:
        registry: hash of the registry in use; without a block there is nothing that tagging anew would find by it.
        again_at: when it is tried again; None: never.
        tried: counts as a try.
    """
    digest = hashlib.sha256(text.encode()).hexdigest() if text else None
    db.execute(
        """INSERT INTO readings(item, what, url, version, outcome, text, sha256, fetched_at, registry, etag)
        VALUES (?, 'authors', ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(item, what) DO UPDATE SET url = excluded.url, version = excluded.version, outcome = excluded.outcome,
          text = coalesce(excluded.text, readings.text), sha256 = coalesce(excluded.sha256, readings.sha256),
          fetched_at = excluded.fetched_at, etag = excluded.etag,
          registry = iif(excluded.text IS NULL AND readings.text IS NOT NULL, readings.registry, excluded.registry)""",
        (paper.item, url, paper.version, outcome, text or None, digest, now, None if text else registry, etag),
    )
    if again_at:
        db.execute(
            "UPDATE pending SET due_at = ?, tries = tries + ? WHERE stage = 'authors' AND item = ?", (again_at, int(tried), paper.item)
        )
    else:
        db.execute("DELETE FROM pending WHERE stage = 'authors' AND item = ?", (paper.item,))
    if text:
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (paper.item, now))


def stale(db: sqlite3.Connection, registry: str, now: str) -> int:
    """Make the papers wait for tagging whose block was resolved by another registry; return how many. Asks no page."""
    cursor = db.execute(
        """INSERT OR IGNORE INTO pending(stage, item, due_at)
        SELECT 'tag', item, ? FROM readings INDEXED BY readings_authors WHERE what = 'authors' AND registry IS NOT ?""",
        (now, registry),
    )
    return cursor.rowcount


def resolved_by(db: sqlite3.Connection, item: int, registry: str) -> None:
    """Note the registry by which a paper was resolved."""
    db.execute("UPDATE readings SET registry = ? WHERE item = ? AND what = 'authors' AND registry IS NOT ?", (registry, item, registry))


def figures(db: sqlite3.Connection, now: str) -> dict[str, object]:
    """Return how far the papers on topic of the last ``FIGURES_DAYS`` are resolved.

    ``papers``; ``read`` blocks; ``with_lab``: by a lab, however that is known; ``unresolved``: neither a block nor a lab, never "no lab";
    ``old`` and ``old_unresolved``: those that we have known for a week; ``waiting`` in the queue; ``outcomes`` of what was asked for.
    """
    week_ago, since = (iso(parse(now) - timedelta(days=days)) for days in (7, FIGURES_DAYS))
    row = db.execute(
        f"""WITH facts AS (
          SELECT outcome IS '{READ}' AS read, first_seen_at <= ? AS old,
            EXISTS (SELECT 1 FROM item_labs WHERE item_labs.item = items.id AND relation = 'by') AS lab
          FROM items LEFT JOIN readings ON readings.item = items.id AND what = 'authors'
          WHERE first_seen_at >= ? AND items.key GLOB 'arxiv:*'
            AND EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = items.id AND tier <> 'no'))
        SELECT count(*) AS papers, coalesce(sum(read), 0) AS read, coalesce(sum(lab), 0) AS with_lab,
          coalesce(sum(NOT (read OR lab)), 0) AS unresolved, coalesce(sum(old), 0) AS old,
          coalesce(sum(old AND NOT (read OR lab)), 0) AS old_unresolved FROM facts""",  # noqa: S608 - a constant
        (week_ago, since),
    ).fetchone()
    outcomes = dict(db.execute("SELECT outcome, count(*) FROM readings INDEXED BY readings_authors WHERE what = 'authors' GROUP BY 1"))
    (queue,) = db.execute("SELECT count(*) FROM pending WHERE stage = 'authors'").fetchone()
    return {**dict(row), "waiting": queue, "outcomes": outcomes}
