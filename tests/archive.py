"""A small archive: a lab, its papers, the press and a forum, whose items go through the real stages; their stories are the test's."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker import config, store, tag, watch
from tracker.clock import iso
from tracker.store import items, sources, stories
from tracker.store.items import select_items
from tracker.taggers.labs import LabTagger
from tracker.taggers.topics import TopicTagger
from tracker.types import Entry, Lab, Source

NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)
LAB = Source("owl-news", "feed", "https://owl.example/feed", "Owl news", lab="owl", origin="official")
ARXIV = Source("arxiv", "arxiv", "https://arxiv.example/q", "arXiv", origin="paper")
PRESS = Source("gazette", "feed", "https://gazette.example/feed", "The Gazette", origin="press")
OTHER_PRESS = Source("courier", "feed", "https://courier.example/feed", "The Courier", origin="press")
FORUM = Source("forum", "feed", "https://forum.example/feed", "A forum", origin="community")
_LABS = (
    Lab("owl", "Owl Labs", "frontier", hosts=("owl.example",), names=("Owl Labs",)),
    Lab("nest", "Nest Labs", "frontier", names=("Nest Labs",)),
)


def into_story(db: sqlite3.Connection, item: int, story: int | None, score: float, evidence: str, now: str) -> int:
    """Put an item into a story, or into a new one, as the stage does; call it inside a transaction. Returns the story."""
    joined = stories.join(db, item, story, score, evidence, now)
    stories.retell(db, [item])
    stories.release(db, [item])
    return joined


class Archive:
    """``post`` brings an item through tagging into a story, ``watch`` runs the stage that finds the rungs."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        (folder / "feeds.toml").write_text('[feeds.owl-news]\nurl = "https://owl.example/feed"\n')
        listed = (LAB, ARXIV, PRESS, OTHER_PRESS, FORUM)
        self.db, self.config, self.posted = db, replace(config.load(folder / "feeds.toml"), labs=_LABS, sources=listed, watches=()), 0
        with store.transaction(db):
            sources.sync(db, listed, iso(NOW))

    def post(
        self, title: str, source: Source = PRESS, at: str | None = "2026-06-12T00:00:00Z", *, story: int | None = None, text: str = "",
        url: str | None = None,
    ) -> tuple[int, int]:  # fmt: skip
        """An item, and the story that it joined."""
        self.posted += 1
        address = url or f"{source.url.rpartition('/')[0]}/{self.posted}"
        self.edit(source, title, address, at, text)
        (item,) = select_items(self.db, "items.id IN (SELECT item FROM pending WHERE stage = 'group')", {"limit": 2})
        with store.transaction(self.db):
            joined = into_story(self.db, item.id, story, 1.0, "the same title" if story else "first of its story", iso(NOW))
        return item.id, joined

    def edit(self, source: Source, title: str, url: str, at: str | None = None, text: str = "") -> None:
        """What a source shows, new or edited, through tagging."""
        key = f"arxiv:2606.{self.posted:05}" if source.origin == "paper" else None
        with store.transaction(self.db):
            entry = Entry(title, url, url, text, published_at=at, own_key=key)
            items.save(self.db, source, [entry], now=iso(NOW), first=False, old_before=None)
        taggers = tag.Taggers(TopicTagger(self.config.topics, None), LabTagger(self.config.labs), "r")
        list(tag.tag(self.db, self.config, now=NOW, taggers=taggers))

    def watch(self) -> None:
        """Run the stage of the watches on what waits."""
        list(watch.watch(self.db, self.config, now=NOW))

    def rungs(self, item: int) -> dict[str, str]:
        """The rungs of an item, by lab."""
        return {row[0]: row[1] for row in self.db.execute("SELECT lab, rung FROM rungs WHERE item = ? ORDER BY lab", (item,))}

    def board(self, story: int) -> dict[str, Any]:
        """The row of a story on the board."""
        return dict(self.db.execute("SELECT * FROM story_board WHERE story = ?", (story,)).fetchone())
