"""Sources in the database: the mirror of feeds.toml, and the state that polls leave behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from tracker.types import Lab, Page, Polled, Source, State, Topic

__all__ = ["health", "record", "states", "sync", "sync_registry", "vouch"]


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
              next_poll_at = iif(url = excluded.url, next_poll_at, NULL), moved_to = iif(url = excluded.url, moved_to, NULL)
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


_STATE = "etag, last_modified, body_hash, cursor, next_poll_at, fails, last_ok_at, last_new_at, last_error"


def states(db: sqlite3.Connection) -> dict[str, State]:
    """Return the state of every source by id."""
    return {row["id"]: State(*row[1:]) for row in db.execute(f"SELECT id, {_STATE} FROM sources")}  # noqa: S608 - a constant


def vouch(db: sqlite3.Connection, source: str, page: Page) -> None:
    """Store what vouches for a page (validators, hash, cursor), in the transaction that stores its entries."""
    if page.entries is None or page.problem == "truncated":  # a cut body must be asked for again
        return
    db.execute(
        "UPDATE sources SET etag = ?, last_modified = ?, body_hash = ?, cursor = coalesce(?, cursor) WHERE id = ?",
        (page.etag, page.last_modified, page.body_hash, page.cursor, source),
    )


def record(
    db: sqlite3.Connection, polled: Polled, *, run: int | None, now: str, status: int | None, next_poll_at: str, moved_to: str | None = None
) -> None:
    """Store the outcome of a poll: its row in ``polls``, and the health of the source."""
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
            last_new_at = iif(?, ?, last_new_at) WHERE id = ?""",
            (next_poll_at, now, moved_to, polled.new > 0, now, polled.source),
        )
    else:
        db.execute(
            # An answer that was cut short is an answer: what it held is stored, and is not backlog for ever.
            "UPDATE sources SET next_poll_at = ?, fails = fails + 1, last_error = ?, last_ok_at = iif(?, ?, last_ok_at) WHERE id = ?",
            (next_poll_at, polled.error, polled.outcome == "truncated" and polled.entries > 0, now, polled.source),
        )


def health(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """Return the view ``source_health`` without retired sources: failing first."""
    return db.execute("SELECT * FROM source_health WHERE health <> 'retired'").fetchall()
