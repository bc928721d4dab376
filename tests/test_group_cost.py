"""What grouping costs, counted and not timed: statements, steps of the database, items looked at; and what is imported for nothing."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tracker import group, store
from tracker.store import items, sources, transaction
from tracker.types import Entry, Source

TODAY = date(2026, 6, 12)
PRESS = Source("press", "feed", "https://press.example.org/feed", "Press")
NEW = 20
NAMES = "Zorblat Quimby Norwick Alvero Tessaly Brindle Corvane Dunmore Elswick Fenwold".split()


def entry(n: int, day: date) -> Entry:
    title = f"{NAMES[n % 10]} opens {NAMES[n // 10 % 10].lower()} factory number {n}"
    return Entry(title, f"https://press.example.org/{n}", text="Ten thousand jobs.", published_at=f"{day}T08:00:00Z")


def came(db: sqlite3.Connection, first: int, count: int, day: date) -> None:
    """Items that became news on a day and wait to be grouped."""
    with transaction(db):
        sources.sync(db, [PRESS], "2020-01-01T00:00:00Z")
        entries = [entry(n, day) for n in range(first, first + count)]
        items.save(db, PRESS, entries, now=f"{day}T09:00:00Z", first=False, old_before=None)
        db.execute("DELETE FROM pending")
        db.execute(
            """INSERT INTO pending(stage, item, due_at)
            SELECT 'group', id, first_seen_at FROM items WHERE id NOT IN (SELECT item FROM story_items)"""
        )


def grouped(db: sqlite3.Connection) -> list[group.Grouped]:
    return list(group.group(db, now=datetime(2026, 6, 12, 20, tzinfo=UTC)))


def archive(db: sqlite3.Connection, old_days: int) -> None:
    """A grouped archive: ten items a day of the fortnight, and of so many days long before."""
    for n in range(old_days):
        came(db, 10_000 + 10 * n, 10, TODAY - timedelta(days=60 + n))
    for n in range(14):
        came(db, 1_000 + 10 * n, 10, TODAY - timedelta(days=n + 1))
    grouped(db)
    with transaction(db):
        db.execute("DELETE FROM pending")


@contextmanager
def counted(db: sqlite3.Connection) -> Iterator[dict[str, int]]:
    """Count the statements that a database is given, and its steps by the hundred."""
    count = {"statements": 0, "steps": 0}

    def statement(_: str) -> None:
        count["statements"] += 1

    def step() -> int:
        count["steps"] += 1
        return 0

    db.set_trace_callback(statement)
    db.set_progress_handler(step, 100)
    try:
        yield count
    finally:
        db.set_trace_callback(None)
        db.set_progress_handler(None, 0)


def cost(db: sqlite3.Connection) -> dict[str, int]:
    """What it takes to group the new items."""
    came(db, 0, NEW, TODAY)
    with counted(db) as count:
        (result,) = grouped(db)
    assert result.items == NEW
    return count


def test_the_archive_may_grow_and_the_cost_does_not(db: sqlite3.Connection, tmp_path: Path) -> None:
    archive(db, 30)
    larger = store.open(tmp_path / "larger.db", write=True)
    archive(larger, 60)
    small, large = cost(db), cost(larger)
    larger.close()
    assert large["statements"] == small["statements"]
    assert large["steps"] <= small["steps"] * 1.02 + 1, "no statement walks through the archive"


def test_statements_are_a_few_for_each_item(db: sqlite3.Connection) -> None:
    archive(db, 1)
    assert cost(db)["statements"] <= 12 * NEW + 40


def test_a_batch_without_anything_alike_costs_the_same_for_each_item(db: sqlite3.Connection) -> None:
    statements = []
    for n in (10, 40):
        came(db, n * 100, n, TODAY - timedelta(days=n * 3))
        with counted(db) as count:
            grouped(db)
        statements.append(count["statements"])
    assert statements[1] <= 4 * statements[0]


def test_only_the_days_around_are_loaded(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(db, 30)
    came(db, 0, NEW, TODAY)
    looked: list[int] = []
    real = group.sketch
    monkeypatch.setattr(group, "sketch", lambda item, *more: looked.append(item.id) or real(item, *more))
    grouped(db)
    days = {date.fromisoformat(str(item // items.IDS_PER_DAY)) for item in looked}
    assert min(days) == TODAY - timedelta(days=7)
    assert len(looked) == len(set(looked)) == NEW + 7 * 10


def test_days_far_apart_are_not_bridged(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(db, 30)
    came(db, 0, 1, TODAY)
    late = entry(1, TODAY - timedelta(days=75))  # dated long ago, seen today
    with transaction(db):
        items.save(db, PRESS, [late], now=f"{TODAY}T09:00:00Z", first=False, old_before=None)
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'group', max(id), '2026' FROM items")
    looked: list[int] = []
    real = group.sketch
    monkeypatch.setattr(group, "sketch", lambda item, *more: looked.append(item.id) or real(item, *more))
    grouped(db)
    days = {(TODAY - date.fromisoformat(str(item // items.IDS_PER_DAY))).days for item in looked}
    assert days == {*range(8), *range(68, 83)}


NOTHING = """
import sys
from datetime import UTC, datetime
from tracker import store
from tracker.group import group
db = store.open(sys.argv[1], write=True)
print(list(group(db, now=datetime(2026, 6, 12, tzinfo=UTC))), [name for name in ("numpy", "sklearn", "scipy") if name in sys.modules])
"""


def test_nothing_that_waits_imports_nothing(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = str(tmp_path / "data" / "tracker.db")
    done = subprocess.run([sys.executable, "-c", NOTHING, path], check=True, capture_output=True, text=True)
    assert done.stdout == "[] []\n"


def test_nothing_that_waits_is_one_statement(db: sqlite3.Connection) -> None:
    with counted(db) as count:
        assert grouped(db) == []
    assert count["statements"] == 1


def test_grouping_needs_no_scikit_learn(db: sqlite3.Connection, tmp_path: Path) -> None:
    came(db, 0, 3, TODAY)
    path = str(tmp_path / "data" / "tracker.db")
    done = subprocess.run([sys.executable, "-c", NOTHING, path], check=True, capture_output=True, text=True)
    assert done.stdout.endswith("['numpy']\n")
