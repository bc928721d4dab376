"""Articles of official posts on replayed days, with the shipped feeds.toml: which are read, how politely, what is left."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tracker.config import READ_PER_DAY
from tracker.read import PER_HOST

FEEDS = Path(__file__).resolve().parents[2] / "feeds.toml"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The shipped sources without arXiv, Hacker News and the daily papers, which have no articles to read."""
    tables = FEEDS.read_text(encoding="utf-8").split("\n[")
    others = ('kind  = "arxiv"', 'kind = "arxiv"', '"hn"', '"hf_papers"', "rss.arxiv.org")
    (tmp_path / "feeds.toml").write_text(
        "\n[".join(table for table in tables if not any(word in table for word in others)), encoding="utf-8"
    )
    return tmp_path


def run(home: Path, web: Any) -> dict[str, Any]:
    command, environment = [sys.executable, "-m", "tracker", "run", "--json"], os.environ | web.env
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def test_three_days_of_official_posts_are_read_within_the_limits(home: Path, replayed_web: Callable[..., Any]) -> None:
    web = replayed_web(at="2026-06-12")
    days = [run(home, web)]
    for _ in range(2):
        web.clock.advance(timedelta(days=1))
        days.append(run(home, web))
    db = sqlite3.connect(home / "data" / "tracker.db")
    outcomes = db.execute("SELECT outcome, count(*) FROM readings WHERE what = 'article' GROUP BY outcome").fetchall()
    print(days[0]["articles_read"], dict(outcomes), db.execute("SELECT stage, count(*) FROM pending GROUP BY stage").fetchall())
    for day in days:
        assert day["articles_read"] + len(day["articles_unread"]) <= READ_PER_DAY
        hosts = Counter(urlsplit(url).hostname for url in day["articles_unread"])
        assert all(count <= PER_HOST for count in hosts.values())
    assert days[0]["articles_read"] >= 20
    assert {stage for (stage,) in db.execute("SELECT DISTINCT stage FROM pending")} <= {"article", "authors"}, "nothing waits for reading"
    unread = (
        "SELECT items.title FROM items JOIN readings ON item = items.id WHERE what = 'article' AND outcome <> 'read' AND text IS NOT NULL"
    )
    assert db.execute(unread).fetchall() == []
    press = (
        "SELECT count(*) FROM readings JOIN items ON items.id = item JOIN sources ON sources.id = source"
        " WHERE what = 'article' AND sources.origin <> 'official'"
    )
    assert db.execute(press).fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM readings WHERE what = 'article' AND url LIKE '%arxiv.org%'").fetchone() == (0,)
    read = {url for (url,) in db.execute("SELECT url FROM readings WHERE what = 'article' AND outcome = 'read'")}
    robots = {urlsplit(request["url"]).hostname for request in web.requests() if request["url"].endswith("/robots.txt")}
    assert {urlsplit(url).hostname for url in read} <= robots, "each host was asked whether we may"
