"""When each host was last asked, and what its robots.txt says: politeness that outlives a process.

A host's next slot is reserved in a transaction before the request and moved when the answer has come, so two processes on one
``data/`` never meet. A robots.txt counts for a day (RFC 9309 section 2.4). Real time, never ``--now``: servers live in real time.
The file is apart from the database because it must work while a run holds its lock and for commands that only read.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from tracker.errors import StoreError

__all__ = ["Pace"]

BUSY_S = 32.0  # a request ends within fetch's deadline of 30 s; whoever dies before `stamp` holds the host for no longer than this
DAY_S = 86_400.0

_TAKE = "INSERT INTO hosts VALUES (?, ?) ON CONFLICT(host) DO UPDATE SET free_at = excluded.free_at"


class Pace:
    """Slots of hosts in ``data/pace.db``; safe to call from any thread and any process."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "pace.db"
        self._free_at: dict[str, float] = {}  # by time.monotonic(), of this process
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._make()
        except (OSError, sqlite3.Error) as error:
            raise StoreError(f"{self._path} cannot be written: {error}") from None

    def reserve(self, host: str, delay_s: float) -> float:
        """Take the host's next slot; return the seconds to wait for it. The host is busy from then until ``stamp``.

        When the file fails, the pace is that of this process: a source is not to blame for our disk.
        """
        try:
            return self._reserve(host, delay_s)
        except sqlite3.Error:
            return max(0.0, self._free_at.get(host, 0.0) - time.monotonic())

    def stamp(self, host: str, delay_s: float) -> None:
        """Note that the request to the host has ended: the next slot begins ``delay_s`` from now."""
        self._free_at[host] = time.monotonic() + delay_s
        with suppress(sqlite3.Error), closing(self._connect()) as db:
            db.execute(_TAKE, (host, time.time() + delay_s))

    def recall(self, origin: str) -> bytes | None:
        """Return the robots.txt that was kept for an origin within a day, or None."""
        now = time.time()
        with suppress(sqlite3.Error), closing(self._connect()) as db:
            row = db.execute("SELECT text FROM robots WHERE origin = ? AND at BETWEEN ? AND ?", (origin, now - DAY_S, now)).fetchone()
            return bytes(row[0]) if row else None
        return None

    def keep(self, origin: str, robots: bytes) -> None:
        """Keep a robots.txt for a day, and forget those of the day before."""
        with suppress(sqlite3.Error), closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            now = time.time()  # not before: what another thread kept while this one waited would lie in the future, and be forgotten
            db.execute("DELETE FROM robots WHERE at NOT BETWEEN ? AND ?", (now - DAY_S, now))
            db.execute("INSERT OR REPLACE INTO robots VALUES (?, ?, ?)", (origin, now, robots))
            db.execute("COMMIT")

    def _reserve(self, host: str, delay_s: float) -> float:
        now = time.time()
        with closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT free_at FROM hosts WHERE host = ?", (host,)).fetchone()
            # A clock that was set back must not block a host for years: no slot is further away than two busy times.
            slot = min(max(now, row[0] if row else 0.0), now + 2 * (BUSY_S + delay_s))
            db.execute(_TAKE, (host, slot + BUSY_S + delay_s))
            db.execute("COMMIT")
        return max(0.0, slot - now)

    def _make(self) -> None:
        try:
            self._look()
        except sqlite3.OperationalError:  # no room, no right, somebody else's lock: not the file's fault
            raise
        except sqlite3.DatabaseError:  # damaged: what it remembers is worth a pause, not a stop
            self._path.unlink(missing_ok=True)
            self._look()

    def _look(self) -> None:
        with closing(self._connect()) as db:
            db.execute("CREATE TABLE IF NOT EXISTS hosts(host TEXT PRIMARY KEY, free_at REAL NOT NULL) STRICT")
            db.execute("CREATE TABLE IF NOT EXISTS robots(origin TEXT PRIMARY KEY, at REAL NOT NULL, text BLOB NOT NULL) STRICT")
            db.execute("SELECT max(host), max(free_at) FROM hosts").fetchone()
            db.execute("SELECT max(origin), max(at) FROM robots").fetchone()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        db.execute("PRAGMA synchronous = OFF")  # worth a pause, not an fsync
        return db
