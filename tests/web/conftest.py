"""The databases that the tests of the window look at."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.web.window import fill


@pytest.fixture
def path(tmp_path: Path, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small database as a run leaves it; the present is two hours later."""
    monkeypatch.setenv("TRACKER_NOW", "2026-06-12T08:00:00Z")
    fill(db)
    return tmp_path / "data" / "tracker.db"


@pytest.fixture
def empty(tmp_path: Path, db: sqlite3.Connection) -> Path:
    """A database without a row."""
    return tmp_path / "data" / "tracker.db"
