"""Sources in the database: the mirror of feeds.toml, and the state that polls leave behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tracker.types import Lab, Page, Polled, Source, State, Topic

__all__ = ["coverage", "health", "record", "states", "sync", "sync_registry", "unusual", "vouch"]


def sync(db: sqlite3.Connection, sources: Iterable[Source], now: str) -> None:
    """Make the table say what feeds.toml says: new rows, changed rows, retired rows. Unchanged rows are not written.

    A changed URL clears validators and cursor and makes the source due; its history stays.
    """
    ids = []
    for s in sources:
        ids.append(s.id)
        db.execute(
            """INSERT INTO sources(id, kind, url, title, lab, every_s, role, origin, added_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT(id) DO UPDATE SET kind = excluded.kind, url = excluded.url, title = excluded.title, lab = excluded.lab,
              every_s = excluded.every_s, role = excluded.role, origin = excluded.origin, retired_at = NULL,
              etag = iif(url = excluded.url, etag, NULL), last_modified = iif(url = excluded.url, last_modified, NULL),
              body_hash = iif(url = excluded.url, body_hash, NULL), cursor = iif(url = excluded.url, cursor, NULL),
              next_poll_at = iif(url = excluded.url, next_poll_at, NULL), moved_to = iif(url = excluded.url, moved_to, NULL),
              empty_since = iif(url = excluded.url, empty_since, NULL)
            WHERE (kind, url, title, lab, every_s, role, origin, retired_at) IS NOT
              (excluded.kind, excluded.url, excluded.title, excluded.lab, excluded.every_s, excluded.role, excluded.origin, NULL)""",
            (s.id, s.kind, s.url, s.title, s.lab, s.every_s, s.role, s.origin, now),
        )
    marks = ", ".join("?" * len(ids))
    db.execute(f"UPDATE sources SET retired_at = ? WHERE retired_at IS NULL AND id NOT IN ({marks})", (now, *ids))  # noqa: S608 - marks


def sync_registry(db: sqlite3.Connection, topics: Iterable[Topic], labs: Iterable[Lab], now: str) -> None:
    """Mirror topics, labs and their parents; what is gone is retired, never deleted. Unchanged rows are not written."""
    topics, labs = list(topics), list(labs)
    for t in topics:
        db.execute(
            """INSERT INTO topics(id, title, description, threshold) VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET
            title = excluded.title, description = excluded.description, threshold = excluded.threshold, retired_at = NULL
            WHERE (title, description, threshold, retired_at) IS NOT (excluded.title, excluded.description, excluded.threshold, NULL)""",
            (t.id, t.title, t.description, t.threshold),
        )
    for lab in labs:
        db.execute(
            """INSERT INTO labs(id, name, kind, aliases) VALUES (?, ?, ?, ?) ON CONFLICT(id) DO UPDATE SET
            name = excluded.name, kind = excluded.kind, aliases = excluded.aliases, retired_at = NULL
            WHERE (name, kind, aliases, retired_at) IS NOT (excluded.name, excluded.kind, excluded.aliases, NULL)""",
            (lab.id, lab.name, lab.kind, "; ".join(lab.aliases)),
        )
    wanted = {(lab.id, parent, since) for lab in labs for parent, since in lab.parents}
    present = {tuple(row) for row in db.execute("SELECT lab, parent, since FROM lab_parents")}
    db.executemany("DELETE FROM lab_parents WHERE lab = ? AND parent = ?", [row[:2] for row in present - wanted])
    db.executemany("INSERT INTO lab_parents(lab, parent, since) VALUES (?, ?, ?)", sorted(wanted - present, key=str))
    for table, known in (("topics", {t.id for t in topics}), ("labs", {lab.id for lab in labs})):
        gone = [row[0] for row in db.execute(f"SELECT id FROM {table} WHERE retired_at IS NULL") if row[0] not in known]  # noqa: S608
        db.executemany(f"UPDATE {table} SET retired_at = ? WHERE id = ?", [(now, identifier) for identifier in gone])  # noqa: S608


_STATE = "etag, last_modified, body_hash, cursor, next_poll_at, fails, last_ok_at, last_new_at, last_error, empty_since"


def states(db: sqlite3.Connection) -> dict[str, State]:
    """Return the state of every source by id."""
    return {row["id"]: State(*row[1:]) for row in db.execute(f"SELECT id, {_STATE} FROM sources")}  # noqa: S608 - a constant


def vouch(db: sqlite3.Connection, source: str, page: Page, *, walking: bool = False) -> None:
    """Store what vouches for a page (validators, hash, cursor), in the transaction that stores its entries.

    Of a page before the last, and of one read while ``walking`` back, only the cursor: how far a long walk got.
    """
    if page.entries is None or page.problem == "truncated":  # a cut body must be asked for again
        if page.cursor == "":  # what it held is stored: what was known of the document before is not (pollers/known.py)
            db.execute("UPDATE sources SET cursor = '' WHERE id = ?", (source,))
        return
    if walking or not page.last:
        db.execute("UPDATE sources SET cursor = coalesce(?, cursor) WHERE id = ?", (page.cursor, source))
        return
    db.execute(
        "UPDATE sources SET etag = ?, last_modified = ?, body_hash = ?, cursor = coalesce(?, cursor) WHERE id = ?",
        (page.etag, page.last_modified, page.body_hash, page.cursor, source),
    )


def record(
    db: sqlite3.Connection, polled: Polled, *, run: int | None, now: str, status: int | None, next_poll_at: str,
    moved_to: str | None = None, answered: bool = False,
) -> None:  # fmt: skip
    """Store the outcome of a poll: its row in ``polls``, and the health of the source.

    Args:
        answered: a document came, and what could be read of it is stored, whatever is wrong with the rest.
    """
    db.execute(
        """INSERT INTO polls(run, source, at, seconds, status, outcome, bytes, entries, new, changed, error)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            run,
            polled.source,
            now,
            polled.seconds,
            status,
            polled.outcome,
            polled.size,
            polled.entries,
            polled.new,
            polled.changed,
            polled.error,
        ),
    )
    if polled.ok or polled.outcome == "too_many_items":  # the newest are stored, the rest of a whole history is no failure
        db.execute(
            """UPDATE sources SET next_poll_at = ?, fails = 0, last_error = NULL, last_ok_at = ?, moved_to = ?,
            last_new_at = iif(?, ?, last_new_at),
            empty_since = CASE WHEN ? THEN coalesce(empty_since, ?) WHEN ? THEN NULL ELSE empty_since END WHERE id = ?""",
            (next_poll_at, now, moved_to, polled.new > 0, now, polled.outcome == "empty", now, polled.entries > 0, polled.source),
        )
    else:
        db.execute(
            # An answer that is cut short, or bad in parts, is an answer: what it held is stored, and is not backlog for ever.
            "UPDATE sources SET next_poll_at = ?, fails = fails + 1, last_error = ?, last_ok_at = iif(?, ?, last_ok_at) WHERE id = ?",
            (next_poll_at, polled.error, answered, now, polled.source),
        )


def health(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the view ``source_health`` without retired sources: failing first."""
    return db.execute("SELECT * FROM source_health WHERE health <> 'retired'").fetchall()


def coverage(db: sqlite3.Connection) -> list[dict[str, object]]:
    """Return, for every source that is not retired, what it has brought and what is missing: items, newest, gaps, failed polls."""
    rows = db.execute(
        """SELECT id AS source, kind, role, health, items,
          (SELECT count(*) FROM sightings WHERE sightings.source = source_health.id) AS shown,
          newest_item / 1000000 AS newest, gaps, quiet_since,
          (SELECT count(*) FROM polls WHERE polls.source = source_health.id) AS polls,
          (SELECT count(*) FROM polls WHERE polls.source = source_health.id AND error IS NOT NULL) AS errors, last_error
        FROM source_health WHERE health <> 'retired' ORDER BY id"""
    )
    return [dict(row) | {"newest": _day(row["newest"])} for row in rows]


def _day(number: int | None) -> str | None:
    return f"{number // 10_000:04}-{number // 100 % 100:02}-{number % 100:02}" if number else None


def unusual(db: sqlite3.Connection, since: str) -> list[sqlite3.Row]:
    """Return what answers, but strangely: the last ``flood`` of a source since an instant, and what is ``empty``, since when."""
    return db.execute(
        """SELECT source, title, max(at) AS at, outcome, polls.entries, new FROM polls INDEXED BY polls_at
        JOIN sources ON sources.id = source
        WHERE at >= ? AND retired_at IS NULL AND outcome = 'flood' GROUP BY source
        UNION ALL SELECT id, title, empty_since, 'empty', 0, 0 FROM sources WHERE empty_since IS NOT NULL AND retired_at IS NULL
        ORDER BY source""",
        (since,),
    ).fetchall()
