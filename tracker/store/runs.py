"""Runs and the work queue: who is at work since when, what is left to do."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Mapping

__all__ = ["backlog_of", "finish", "last", "last_outcomes", "prune", "start", "totals"]

KEEP_POLLS_DAYS = 90  # enough to see a source's habit; 100 sources × 4 a day × 90 = 36,000 rows


def start(db: sqlite3.Connection, now: str, version: str) -> int:
    """Note that a run begins; return its id."""
    cursor = db.execute(
        "INSERT INTO runs(started_at, pid, host, version) VALUES (?, ?, ?, ?)", (now, os.getpid(), socket.gethostname(), version)
    )
    return int(cursor.lastrowid or 0)


def finish(db: sqlite3.Connection, run: int, now: str, summary: Mapping[str, object]) -> None:
    """Note that the run has ended and what happened."""
    db.execute("UPDATE runs SET finished_at = ?, summary = ? WHERE id = ?", (now, json.dumps(summary, ensure_ascii=False), run))


def last(db: sqlite3.Connection) -> sqlite3.Row | None:
    """Return the newest run, if there was one."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    return row


def last_outcomes(db: sqlite3.Connection) -> list[str]:
    """Return how each source that was asked last, at one instant, answered."""
    last = "SELECT at FROM polls WHERE id = (SELECT max(id) FROM polls)"  # by id: a clock may have run ahead
    return [row[0] for row in db.execute(f"SELECT outcome FROM polls WHERE at = ({last})")]  # noqa: S608 - a constant


def prune(db: sqlite3.Connection, before: str) -> None:
    """Forget polls older than ``before``."""
    db.execute("DELETE FROM polls WHERE at < ?", (before,))


def backlog_of(db: sqlite3.Connection) -> dict[str, int]:
    """Return how many items wait for each stage."""
    return {row[0]: row[1] for row in db.execute("SELECT stage, count(*) FROM pending GROUP BY stage")}


def totals(db: sqlite3.Connection, since: str = "") -> dict[str, object]:
    """Return counts of items (all, or first seen since an instant): stored, on topic, by lab."""
    seen = (since,)
    one = "SELECT count(*) FROM items WHERE first_seen_at >= ?"
    on_topic = """SELECT count(DISTINCT item) FROM item_topics JOIN items ON items.id = item WHERE tier <> 'no' AND first_seen_at >= ?"""
    by_topic = """SELECT topic, count(*) FROM item_topics JOIN items ON items.id = item WHERE tier <> 'no' AND first_seen_at >= ?
        GROUP BY topic ORDER BY 2 DESC, 1"""
    by_lab = """SELECT lab, count(DISTINCT item) FROM item_labs JOIN items ON items.id = item
        WHERE relation = 'by' AND first_seen_at >= ? GROUP BY lab ORDER BY 2 DESC, 1"""
    return {
        "items": db.execute(one, seen).fetchone()[0],
        "on_topic": db.execute(on_topic, seen).fetchone()[0],
        "by_topic": {row[0]: row[1] for row in db.execute(by_topic, seen)},
        "authors_waiting": backlog_of(db).get("authors", 0),
        "by_lab": {row[0]: row[1] for row in db.execute(by_lab, seen)},
    }
