"""Checks against real days, replayed on loopback. They need ../shared (CI has it) and skip, saying so, where it is absent."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
PRESENT = (SHARED / "replay" / "replay" / "testing.py").exists()

if PRESENT:
    sys.path.insert(0, str(SHARED / "replay"))
    from replay.testing import replayed_web  # noqa: F401  # pyright: ignore


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what lies here when the replay is absent."""
    for item in items:
        if not PRESENT and Path(str(item.fspath)).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason="../shared/replay is not there: checks against replayed days are left out"))
