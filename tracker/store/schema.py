"""The schema, as migrations; the comment behind a column is its description in Datasette.

in   a database file of any earlier release, or none
out  the schema of this release; ``user_version`` counts the migrations that ran
Migrations are append-only: a released one never changes. Each runs in its own transaction together with its record, under the run
lock, after a copy of the old file. Surprising: sqlite-utils (which imports numpy when it finds it) is loaded only when there is
something to migrate; the daily path compares ``user_version`` and goes on.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import StoreError
from tracker.store import migrations

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["APPLICATION_ID", "VERSION", "check", "descriptions", "migrate", "unreadable"]

APPLICATION_ID = 0x74726B31  # "trk1" in the file header: a foreign SQLite file is told apart before anything is written

_SCRIPTS = migrations.SCRIPTS
VERSION = len(_SCRIPTS)


def check(db: sqlite3.Connection, path: Path) -> int:
    """Return how many migrations are missing.

    Raises:
        StoreError: the file is foreign, damaged, or from a newer release.
    """
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        # The record of migrations is made before the first one: alone, it is a file of ours that was never finished.
        (objects,) = db.execute("SELECT count(*) FROM sqlite_master WHERE tbl_name <> '_sqlite_migrations'").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreError(unreadable(path, error)) from None
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path} is an SQLite file of another program; name the tracker's own with --db FILE")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer release (schema {version}, this release knows {VERSION}); upgrade tracker, "
            "the file stays as it is"
        )
    return VERSION - int(version)


def migrate(path: Path, steps: int | None = None) -> None:
    """Bring the file to this release's schema (``steps``: only that many migrations, for tests). Call it under the run lock."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30)
    try:
        missing = check(connection, path)
        done = VERSION - missing
        connection.execute("PRAGMA journal_mode = WAL")
        if done and missing:
            _back_up(connection, path, done)
        steps_to_run = Migrations("tracker")
        for number, script in enumerate(_SCRIPTS[: None if steps is None else done + steps], 1):
            steps_to_run(name=f"m{number:03}")(_Step(number, script))
        steps_to_run.apply(Database(connection))
    except sqlite3.OperationalError:  # a full disk, a folder without rights: nothing is wrong with the file
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(unreadable(path, error)) from None
    finally:
        connection.close()


class _Step:
    """One migration: every statement of its script, and the version, in the transaction that sqlite-utils opened."""

    def __init__(self, number: int, script: str) -> None:
        self.number, self.script, self.__name__ = number, script, f"m{number:03}"

    def __call__(self, db: Database, /) -> None:
        for statement in _statements(self.script):
            db.conn.execute(statement)
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.conn.execute(f"PRAGMA user_version = {self.number}")


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit the open transaction, so statements go one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    target = path.with_name(f"backup-{version}.db")
    target.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(target),))


def unreadable(path: Path, error: sqlite3.Error) -> str:
    """Return the sentence on a file that SQLite cannot read."""
    return (
        f"{path} cannot be used as a database ({error}); it is left as it is: move it away and put a backup in its place, "
        "or start anew with another --db FILE"
    )


def descriptions() -> dict[str, tuple[str, dict[str, str]]]:
    """Return the comment of each table and view and of its columns: ``{table: (text, {column: text})}``."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    columns: dict[str, str] = {}
    for line in "".join(_SCRIPTS).splitlines():
        if added := re.match(r"ALTER TABLE (\w+) ADD COLUMN (\w+) .*?/\* (.+) \*/;", line):
            found[added[1]][1][added[2]] = added[3]
        elif head := re.match(r"CREATE (?:TABLE|VIEW) (\w+) (?:\(|AS) -- (.+)", line):
            columns = {}
            found[head[1]] = (head[2], columns)
        elif column := re.match(r"  (\w+) [A-Z].*? -- (.+)", line):
            columns[column[1]] = column[2]
        elif line.startswith(")"):
            columns = {}
    return found
