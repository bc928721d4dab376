"""The main job, unmodified, with the shipped feeds.toml, on real days."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tracker.text import fold

FEEDS = Path(__file__).resolve().parents[2] / "feeds.toml"


def run(home: Path, web: Any, *arguments: str) -> dict[str, Any]:
    """One `tracker run` at the replayed instant; its JSON. (At arXiv's real pace 80 author blocks take four minutes.)"""
    done = subprocess.run(
        [sys.executable, "-m", "tracker", *(arguments or ("run",)), "--json"],
        cwd=home, env=os.environ | web.env, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return dict(json.loads(done.stdout))


def findings(web: Any) -> list[str]:
    """What the replay has against our manners.

    Of a CONNECT to a host it does not know it records no headers, so it calls us anonymous there; test_fetch shows that we are not.
    """
    from replay.access import report  # type: ignore[import-not-found]

    unknown = {urlsplit(request["url"]).hostname for request in web.requests() if request["source"] == "unknown"}
    lines = report(web.log.path).rpartition("\n\n")[2].splitlines()
    return [line for line in lines if line != "no findings" and not (line.partition(":")[0] in unknown and "(none)" in line)]


def content(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Every item with its revision, oldest first; a post that was read may have got its title then, so its words are left out."""
    return db.execute(
        """SELECT id, key, revision, iif(items.id IN (SELECT item FROM readings), '', content_hash) FROM items ORDER BY id"""
    ).fetchall()


def namesakes(db: sqlite3.Connection) -> list[list[str]]:
    """The addresses of items that look like one thing: the same title on the same day by the same lab (or source)."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for title, day, whose, url in db.execute(
        """SELECT items.title, substr(published_at, 1, 10), coalesce(lab, source), coalesce(items.url, '') FROM items
        JOIN sources ON sources.id = items.source WHERE published_at IS NOT NULL"""
    ):
        groups.setdefault((fold(title), day, whose), []).append(_bare(url))
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _bare(url: str) -> str:
    """An address without what canonical_url may rightly keep, and two listings of one page may differ in."""
    parts = urlsplit(url.lower())
    return f"{(parts.hostname or '').removeprefix('www.')}{re.sub(r'(/index)?([.]html?)?/*$', '', parts.path)}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with the shipped feeds.toml, unmodified."""
    (tmp_path / "feeds.toml").write_bytes(FEEDS.read_bytes())
    return tmp_path


def test_one_day_with_the_shipped_feeds_is_stored_tagged_and_polite(home: Path, replayed_web: Callable[..., Any]) -> None:
    web = replayed_web(at="2026-06-12")
    facts = run(home, web)
    assert facts["sources_answered"] >= 15
    assert facts["totals"]["items"] > 1000
    assert facts["totals"]["on_topic"] > 50
    assert facts["totals"]["by_lab"]["anthropic"] > 100
    assert facts["waiting"] == 0
    assert findings(web) == []


def test_ten_days_store_no_item_twice_and_the_same_day_again_writes_nothing(home: Path, replayed_web: Callable[..., Any]) -> None:
    web = replayed_web(at="2026-06-12", arxiv_rate="off")  # all days lie in the month of `at`
    os.environ["TRACKER_ARXIV_DELAY_S"] = "0.05"  # many days: shortened behind a proxy on loopback only
    try:
        days: list[dict[str, Any]] = []
        for day in range(10):
            web.clock.advance(timedelta(days=min(day, 1)))
            days.append(run(home, web))
        db = sqlite3.connect(home / "data" / "tracker.db")
        before = content(db)
        # Every source is due again, and the web is as it was.
        again = run(home, web, "run", "--now", (web.clock.now() + timedelta(hours=25)).isoformat())
    finally:
        del os.environ["TRACKER_ARXIV_DELAY_S"]
    assert sum(day["new"] > 0 for day in days) >= 6
    assert db.execute("SELECT item FROM pending WHERE stage NOT IN ('article', 'authors')").fetchall() == []
    alike = namesakes(db)
    assert [group for group in alike if len(set(group)) < len(group)] == [], "one page, stored twice"
    # A lab that puts a post on two of its sites (anthropic.com/research/n-days, red.anthropic.com/2026/n-days): two pages, one story.
    assert len(alike) < len(before) / 100
    assert days[-1]["sources_asked"] <= again["sources_asked"]
    assert len(before) > 1500
    assert (again["new"], again["changed"]) == (0, 0)
    assert again["tagged"] == again["articles_read"], "only what was read now is tagged anew"
    read = {row[0] for row in db.execute("SELECT item FROM readings")}
    assert [row for row in content(db) if row[0] not in read] == [row for row in before if row[0] not in read]
    assert [row[:3] for row in content(db)] == [row[:3] for row in before]
    # The pace of arXiv, shortened here, is judged by the day before.
    assert [finding for finding in findings(web) if "sooner than 3 s" not in finding] == []
