"""The database: all SQL of the tracker lives in this folder, one file per noun.

in   values; out  rows as values. Nothing here knows the network, a model or a clock.
Writes go through ``transaction``; one process writes (the run lock), any number read. Readers never migrate.
"""

from __future__ import annotations

import os
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tracker.errors import LockHeld, StoreError
from tracker.store import schema

__all__ = ["connect", "open", "run_lock", "transaction"]

BUSY_MS = 30_000  # longer than the longest batch of the writer; a label from Datasette waits for at most one


def open(path: str | Path, write: bool = False) -> sqlite3.Connection:  # noqa: A001 - store.open reads as what it is
    """Return a connection to the database: read-only unless ``write``, autocommit, foreign keys on.

    Opening for writing creates and migrates the file; call it under ``run_lock``.

    Raises:
        StoreError: there is no such file (reading), or it is foreign, damaged, older (reading) or newer than this release.
    """
    file = Path(path)
    _check_file(file)
    if write:
        return _open_writer(file)
    if not file.exists():
        raise StoreError(f"{file} does not exist; `tracker run` makes it")
    db = connect(file)
    try:
        _check_current(db, file)
    except StoreError:
        db.close()
        raise
    return db


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise StoreError(f"{file} is a folder and cannot be the database; name a file, like --db {file / 'tracker.db'}")


def _check_current(db: sqlite3.Connection, file: Path) -> None:
    if missing := schema.check(db, file):
        steps = "step" if missing == 1 else "steps"
        raise StoreError(f"{file} is {missing} schema {steps} older than this release; run `tracker run` once")


def connect(file: Path, write: bool = False) -> sqlite3.Connection:
    """Return a configured connection without looking at the schema."""
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode={'rw' if write else 'ro'}", uri=True, isolation_level=None)
        db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA cache_size = -16000")  # kB; with SQLite's 2,000 a first poll reads and writes half of its pages twice
        db.execute("PRAGMA synchronous = NORMAL")  # with WAL: a power cut may lose the last commit, never the file
    except sqlite3.Error as error:
        damaged = isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError)
        raise StoreError(schema.unreadable(file, error) if damaged else f"{file} cannot be opened: {error}") from None
    db.row_factory = sqlite3.Row
    return db


def _open_writer(file: Path) -> sqlite3.Connection:
    if sqlite3.sqlite_version_info < (3, 37):
        raise StoreError(f"SQLite 3.37 or newer is needed, this Python has {sqlite3.sqlite_version}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            schema.migrate(file)
        db = connect(file, write=True)
        if schema.check(db, file):
            schema.migrate(file)
        db.execute("PRAGMA journal_mode = WAL")
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreError(f"{file} cannot be written: {error}") from None
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block in one ``BEGIN IMMEDIATE`` transaction: all of it, or nothing. SQL only inside, no network, no model.

    Raises:
        StoreError: the disk is full, read-only or failing; nothing of the block is kept.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, sqlite3.OperationalError) and "readonly" in str(error):
            raise StoreError(f"the database cannot be written ({error}); make its folder and its files writable") from error
        if isinstance(error, sqlite3.OperationalError):
            raise StoreError(f"the database cannot be written ({error}); nothing of this step was kept, the next run repeats it") from error
        if type(error) is sqlite3.DatabaseError:  # its other subclasses are mistakes of ours
            raise StoreError(f"the database is damaged ({error}); nothing of this step was kept, put a backup in its place") from error
        raise


@contextmanager
def run_lock(directory: Path, db_path: Path | None = None, since: str = "") -> Iterator[None]:
    """Hold the one writer's place in ``directory`` for the block. The kernel frees it when the process dies, however it dies.

    Args:
        since: now; what ``lock.txt`` tells whoever comes second, beside our process and host.

    Raises:
        LockHeld: another run is active; says which, from ``lock.txt``, else from the ``runs`` of ``db_path``.
    """
    if db_path:
        _check_file(db_path)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(directory / "lock.db", timeout=0, isolation_level=None)
        lock.execute("PRAGMA journal_mode = DELETE")
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise (_named(directory) or _held_by(db_path)) from None
        raise StoreError(f"{directory}: the run lock cannot be made ({error}); is the folder writable?") from None
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{directory / 'lock.db'} is damaged ({error}); it holds nothing, delete it and try again") from None
    except OSError as error:
        raise StoreError(f"{directory} cannot be made: {error.strerror}") from None
    name = directory / "lock.txt"  # lock.db cannot tell: nobody else reads a file that is locked
    try:
        with suppress(OSError):
            name.write_text(f"{since}\n{os.getpid()}\n{socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            name.unlink(missing_ok=True)
        lock.close()


def _named(directory: Path) -> LockHeld | None:
    """Who holds the lock, from ``lock.txt``; None if it is not there, or the note of one that was killed."""
    try:
        since, pid, host = (directory / "lock.txt").read_text(encoding="utf-8").splitlines()
        held = LockHeld(since, int(pid), host)
    except (OSError, ValueError):
        return None
    return held if since and (host != socket.gethostname() or _alive(held.pid)) else None


def _held_by(db_path: Path | None) -> LockHeld:
    """Who holds the lock, from the newest run that has not finished."""
    try:
        with_row = connect(db_path) if db_path and db_path.exists() else None
        row = (
            with_row
            and with_row.execute("SELECT started_at, pid, host FROM runs WHERE finished_at IS NULL ORDER BY id DESC LIMIT 1").fetchone()
        )
        if row and row["host"] == socket.gethostname() and not _alive(row["pid"]):
            row = None  # a run that was killed
    except (sqlite3.Error, StoreError):
        row = None
    return LockHeld(*row) if row else LockHeld()


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C: https://docs.python.org/3/library/os.html#os.kill
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
