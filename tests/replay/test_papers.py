"""arXiv, Hugging Face's daily papers and Hacker News on replayed days: what a day costs, what it brings, each paper once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tracker import config, store
from tracker.fetch import Fetcher
from tracker.poll import poll
from tracker.pollers import arxiv
from tracker.types import Polled

SHIPPED = (Path(__file__).resolve().parents[2] / "feeds.toml").read_text(encoding="utf-8")
PAPERS = "".join(re.findall(r"^\[feeds\.arxiv-[^\n]*\n(?:[^\[\n][^\n]*\n)+", SHIPPED, re.MULTILINE))
OTHERS = '[feeds.daily]\nkind = "hf_papers"\n[feeds.stories]\nkind = "hn"\nquery = ["agent", "openai", "anthropic"]\n'


class Days:
    """A tracker of papers in a world whose clock is ours."""

    def __init__(self, home: Path, web: Any, feeds: str) -> None:
        self.home, self.web = home, web
        (home / "feeds.toml").write_text(feeds, encoding="utf-8")

    def poll(self, *only: str) -> dict[str, Polled]:
        loaded = config.load(self.home / "feeds.toml")
        db = store.open(self.home / "data" / "tracker.db", write=True)
        try:
            with Fetcher("test@example.org") as fetcher:
                return {result.source: result for result in poll(db, loaded, fetcher, now=self.web.clock.now(), only=only)}
        finally:
            db.close()

    def later(self, **span: float) -> None:
        self.web.clock.advance(timedelta(**span))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.home / "data" / "tracker.db")
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def asked(self, host: str) -> int:
        return sum(urlsplit(request["url"]).hostname == host for request in self.web.requests() if request["method"] != "CONNECT")


@pytest.fixture
def days(tmp_path: Path, replayed_web: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Days]:
    monkeypatch.setenv("TRACKER_ARXIV_DELAY_S", "0.01")
    return lambda at, feeds, **options: Days(tmp_path, replayed_web(at=at, arxiv_rate="off", **options), feeds)


def test_a_day_of_arxiv_is_a_handful_of_requests(days: Callable[..., Days]) -> None:
    world = days("2026-06-08T12:00", PAPERS)  # a Monday: the papers of a week-end
    for _ in range(2):
        before = world.asked("export.arxiv.org")
        assert {result.error for result in world.poll().values()} == {None}
        assert world.asked("export.arxiv.org") - before <= 5
        world.later(days=1)
    assert world.rows("SELECT count(*) FROM items")[0][0] > 700
    # One paper is one item, whichever of the two paths showed it.
    both = "SELECT count(*) FROM (SELECT item FROM sightings GROUP BY item HAVING count(*) > 1)"
    assert world.rows(both)[0][0] > 300
    assert world.rows("SELECT count(*) FROM items WHERE key NOT LIKE 'arxiv:%'") == [(0,)]


def test_papers_of_hugging_face_are_those_of_arxiv(days: Callable[..., Days]) -> None:
    world = days("2026-06-10", PAPERS + OTHERS)
    assert not [result for result in world.poll("daily").values() if result.error]
    early = dict(world.rows("SELECT key, title FROM items"))
    assert len(early) > 100
    for _ in range(2):
        assert not [result for result in world.poll().values() if result.error]
        world.later(days=1)
    both = """SELECT items.key, items.source FROM items JOIN sightings AS a ON a.item = items.id AND a.source = 'daily'
      WHERE EXISTS (SELECT 1 FROM sightings AS b WHERE b.item = items.id AND b.source LIKE 'arxiv-%')"""
    shared = dict(world.rows(both))
    assert len(shared) > 30
    assert len(shared.keys() & early.keys()) > 10
    assert "daily" not in shared.values(), "arXiv has the say on what Hugging Face showed first"
    organisations = (
        "SELECT count(*) FROM links JOIN sightings USING (item) WHERE source = 'daily' AND key LIKE 'url:https://huggingface.co/%'"
    )
    assert world.rows(organisations)[0][0] > 30


def test_weeks_of_hugging_face_are_read_day_by_day(days: Callable[..., Days]) -> None:
    world = days("2026-06-12", OTHERS.replace('kind = "hf_papers"', 'kind = "hf_papers"\nfirst = "3w"'))
    assert world.poll("daily")["daily"].error is None
    listed = world.rows("SELECT count(*) FROM items WHERE source = 'daily'")[0][0]
    assert listed > 400
    assert len(world.rows("SELECT DISTINCT substr(published_at, 1, 10) FROM items")) > 15
    assert world.asked("huggingface.co") < 25
    assert world.poll("daily")["daily"].outcome == "unchanged"


def test_stories_are_read_once_and_again_while_they_gather_points(days: Callable[..., Days]) -> None:
    world = days("2026-04-12", OTHERS)
    first = world.poll("stories")["stories"]
    assert (first.error, first.new > 10) == (None, True)
    assert world.asked("hn.algolia.com") == 3
    assert world.poll("stories")["stories"].outcome == "unchanged"
    world.later(days=1)
    second = world.poll("stories")["stories"]
    assert second.error is None
    assert 0 < second.new < first.new
    assert world.rows("SELECT count(*) FROM (SELECT url FROM items GROUP BY url HAVING count(*) > 1)") == [(0,)]


def test_a_month_of_arxiv_is_read_by_submission_and_the_same_papers_come(
    days: Callable[..., Days], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = '[feeds.whole]\nkind = "arxiv"\nquery = "cat:cs.MA OR cat:stat.ML"\nfirst = "30d"\n'
    world = days("2026-06-12", table, months=2)
    assert world.poll()["whole"].error is None
    keys = {key for (key,) in world.rows("SELECT key FROM items")}
    assert len(keys) > 250
    assert world.asked("export.arxiv.org") == 1
    monkeypatch.setattr(arxiv, "PAGE_SIZE", 40)
    (world.home / "data" / "tracker.db").unlink()
    assert world.poll()["whole"].error is None
    assert {key for (key,) in world.rows("SELECT key FROM items")} == keys
    addresses = [request["url"] for request in world.web.requests() if "/api/query" in request["url"]]
    assert sum("submittedDate%3A" in address for address in addresses) >= 2
    assert world.rows("SELECT cursor LIKE '{%', last_error FROM sources") == [(0, None)]
