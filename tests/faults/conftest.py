"""The harness of the fault rows: a source that misbehaves, a good one beside it, a real poll into a real database.

    def test_F66_…(polled: Faults) -> None:
        answer = polled.answers(b"<html>…", headers={"Content-Type": "text/html"})   # serve it at /feed, poll, look
        assert answer.error == "not_a_feed"
        assert answer.titles == []

``answers`` is for a document; for anything else serve it yourself and poll:

    polled.web.fails("/feed", "cut_body")       # tests/servers.py; the first poll asks for polled.url("/feed")
    answer = polled.poll(deadline_s=2)          # a second poll is later by a day, so that every source is due
    polled.add("other", url=polled.url("/other"), kind="page", links="/posts/")   # more sources, with any keys of feeds.toml
    polled.each({"a": b"<rss>…", "b": b"<html>…"})["b"].error                    # many documents, a source each, in one poll

Every poll asserts what no fault may touch: the good source answered and has its items, every error has a name of the vocabulary and
stands in the source's row, nothing that was stored is gone, the database is sound.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tracker import store
from tracker.clock import parse as instant
from tracker.config import load
from tracker.errors import NAMES
from tracker.fetch import Fetcher
from tracker.poll import poll
from tracker.types import Polled

FIRST = datetime(2026, 6, 12, 6, tzinfo=UTC)
GOOD = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Good</title><link>https://good.example/</link>
<item><title>A good post</title><link>https://good.example/a</link><guid>a</guid><description>It is well.</description>
<pubDate>Thu, 11 Jun 2026 08:00:00 GMT</pubDate></item></channel></rss>"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a poll made of the source under test."""

    polled: Polled | None  # None: it was not due
    items: tuple[sqlite3.Row, ...]  # rows of items with their text (``body``), oldest id first
    row: sqlite3.Row  # its row in sources

    @property
    def outcome(self) -> str:
        return self.polled.outcome if self.polled else "not asked"

    @property
    def error(self) -> str:
        """The name of the error; "" when there is none."""
        return (self.polled.error or "").partition(":")[0] if self.polled else ""

    @property
    def sentence(self) -> str:
        return (self.polled.error or "") if self.polled else ""

    @property
    def titles(self) -> list[str]:
        return [item["title"] for item in self.items]


class Faults:
    """A folder with feeds.toml and a database; ``web`` is the server that misbehaves."""

    def __init__(self, home: Path, web: servers.Server, good: servers.Server) -> None:
        self.home, self.web, self.now = home, web, FIRST
        self.pauses: list[float] = []  # seconds that a fetcher would have slept; nobody sleeps here
        self._tables: dict[str, dict[str, Any]] = {}
        good.serves("/good", GOOD)
        self.add("good", url=good.url("/good"))
        self._stored: set[str] = set()

    def url(self, path: str) -> str:
        return self.web.url(path)

    def add(self, name: str, **keys: Any) -> None:
        """Put ``[feeds.<name>]`` with these keys into feeds.toml."""
        self._tables[name] = keys

    @property
    def path(self) -> Path:
        return self.home / "data" / "tracker.db"

    def answers(
        self,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        status: int = 200,
        *,
        deadline_s: float = 30.0,
        later: timedelta = timedelta(days=1),
        **keys: Any,
    ) -> Answer:
        """Serve the document at /feed and poll it as source ``bad`` (``keys``: more of its keys)."""
        self.web.serves("/feed", body, headers or {"Content-Type": "application/xml"}, status)
        if keys or "bad" not in self._tables:
            self.add("bad", **{"url": self.url("/feed"), **keys})
        return self.poll(deadline_s=deadline_s, later=later)

    def poll(self, source: str = "bad", *, deadline_s: float = 30.0, later: timedelta = timedelta(days=1), **fetcher: Any) -> Answer:
        """Poll everything that is due, then move the clock by ``later``; return what became of ``source``."""
        if source not in self._tables:
            self.add(source, url=self.url("/feed"))
        return self._poll([source], deadline_s, later, fetcher)[source]

    def each(self, documents: Mapping[str, bytes], headers: Mapping[str, str] | None = None, **keys: Any) -> dict[str, Answer]:
        """Poll each of the documents as a source of its own, all in one poll; return what became of each."""
        names = {f"bad-{number}": name for number, name in enumerate(documents)}
        for source, name in names.items():
            self.web.serves(f"/{source}", documents[name], headers or {"Content-Type": "application/xml"})
            self.add(source, **{"url": self.url(f"/{source}"), **keys})
        answers = self._poll(list(names), 30.0, timedelta(days=1), {})
        return {names[source]: answer for source, answer in answers.items()}

    def _poll(self, wanted: list[str], deadline_s: float, later: timedelta, fetcher: Mapping[str, Any]) -> dict[str, Answer]:
        (self.home / "feeds.toml").write_text(
            "\n".join(
                f"[feeds.{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
                for name, keys in self._tables.items()
            ),
            encoding="utf-8",
        )
        config = load(self.home / "feeds.toml")
        db = store.open(self.path, write=True)
        try:
            with Fetcher(config.contact, deadline_s=deadline_s, **{"sleep": self.pauses.append, **fetcher}) as client:
                results = {result.source: result for result in poll(db, config, client, now=self.now)}
            self._sound(db, results)
            answers = {source: _answer(db, source, results.get(source)) for source in wanted}
        finally:
            db.close()
        self.now += later
        return answers

    def _sound(self, db: sqlite3.Connection, results: Mapping[str, Polled]) -> None:
        good = results.get("good")  # None: it was not due
        assert good is None or good.ok, f"the good source suffered: {good}"
        titles = [row[0] for row in db.execute("SELECT title FROM items JOIN sightings ON item = id WHERE sightings.source = 'good'")]
        assert titles == ["A good post"]
        for result in results.values():
            name = (result.error or "").partition(":")[0]
            assert not name or name in NAMES or name.startswith("http_"), result
            row = db.execute("SELECT last_error, next_poll_at FROM sources WHERE id = ?", (result.source,)).fetchone()
            assert self.now < instant(row["next_poll_at"]) <= self.now + timedelta(days=8)
            if result.error and result.outcome != "too_many_items":
                assert row["last_error"] == result.error
        keys = {row[0] for row in db.execute("SELECT key FROM items")}
        assert keys >= self._stored, "something stored is gone"
        self._stored = keys
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def _answer(db: sqlite3.Connection, source: str, result: Polled | None) -> Answer:
    rows = db.execute(
        """SELECT items.*, texts.body FROM items JOIN texts ON texts.item = items.id
        WHERE items.id IN (SELECT item FROM sightings WHERE source = ?) ORDER BY items.id""",
        (source,),
    ).fetchall()
    return Answer(result, tuple(rows), db.execute("SELECT * FROM sources WHERE id = ?", (source,)).fetchone())


@pytest.fixture
def polled(tmp_path: Path, web: servers.Server) -> Iterator[Faults]:
    """A tracker whose source ``bad`` is ours to break."""
    with servers.server() as good:
        yield Faults(tmp_path, web, good)
