"""A database as runs leave it, day by day: posts of two labs and of the press, tagged and grouped as a test says, asked by real watches."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from tests.archive import into_story
from tracker import config, store, watch
from tracker.store import items, runs, sources, tags
from tracker.types import Attribution, Entry, Source, Tag, Watch

OWL = Source("owl-news", "feed", "https://owl.example/feed", "Owl", lab="anthropic", origin="official")
CAT = Source("cat-news", "feed", "https://cat.example/feed", "Cat", lab="openai", origin="official")
ARXIV = Source("arxiv", "arxiv", "https://arxiv.example/q", "arXiv", origin="paper")
PRESS = Source("gazette", "feed", "https://gazette.example/feed", "The Gazette", origin="press")
MEMORY = Watch(
    "memory", "Has a product with memory shipped?", by=("any",), about=("any",), topics=("agent-memory",),
    answer=("shipped",), since="2026-01-01",
)  # fmt: skip
SURE, UNSURE = (0.95, "confident"), (0.6, "maybe")


class World:
    """``day`` is a run: it begins, ``post`` brings what is new, and closing it asks the watches."""

    def __init__(self, db: sqlite3.Connection, folder: Path, *questions: Watch) -> None:
        self.db, self.folder, self.posted, self.now = db, folder, 0, "2026-05-01T06:00:00Z"
        (folder / "feeds.toml").write_text('[feeds.owl-news]\nurl = "https://owl.example/feed"\nlab = "anthropic"\n')
        self.config = replace(config.load(folder / "feeds.toml"), watches=questions or (MEMORY,))
        with store.transaction(db):
            sources.sync(db, (OWL, CAT, ARXIV, PRESS), self.now)
            sources.sync_registry(db, self.config.topics, self.config.labs, self.now)
            db.execute("UPDATE sources SET last_ok_at = ?", (self.now,))

    def run(self, day: str) -> World:
        """Begin the run of a day, after asking the watches about what the last one brought."""
        self.ask()
        self.now = f"{day}T06:00:00Z"
        with store.transaction(self.db):
            runs.start(self.db, self.now, "1")
            self.db.execute("UPDATE sources SET last_ok_at = ?", (self.now,))
        return self

    def ask(self, *questions: Watch) -> World:
        """Let the watches look at what waits; with questions, these stand in feeds.toml from now on."""
        self.config = replace(self.config, watches=questions or self.config.watches)
        list(watch.watch(self.db, self.config, now=datetime.fromisoformat(self.now).astimezone(UTC)))
        return self

    def post(
        self, title: str, source: Source = OWL, *, at: str = "", topics: Mapping[str, tuple[float, str]] | None = None,
        by: str | None = None, about: str | None = None, act: str | None = None, story: int | None = None, text: str = "",
        backlog: bool = False, evidence: str = "agents", model: str = "m",
    ) -> tuple[int, int]:  # fmt: skip
        """An item and its story; its lab is that of its source, unless ``by`` says another."""
        self.posted += 1
        url = f"{source.url.rpartition('/')[0]}/{self.posted}"
        key = f"arxiv:2606.{self.posted:05}" if source.origin == "paper" else None
        entry = Entry(title, url, url, text, published_at=at or self.now, own_key=key)
        lab = by or source.lab
        said = [Attribution(lab, "by", "source", "declared", "declared")] if lab else []
        said += [Attribution(about, "about", "title", "stated", title[:40])] if about else []
        tagged = [Tag(topic, score, tier, ((evidence, 1.0),), model) for topic, (score, tier) in (topics or {"agent-memory": SURE}).items()]
        with store.transaction(self.db):
            items.save(self.db, source, [entry], now=self.now, first=backlog, old_before=None)
            (item,) = items.select_items(self.db, "items.url = :url", {"limit": 1, "url": url})
            signals = tags.Signals(source.origin, act, "now available" if act else None)
            tags.save(self.db, item, tagged, said, signals, registry="r", now=self.now, done=True)
            joined = into_story(self.db, item.id, story, 1.0, "first of its story", self.now)
        return item.id, joined

    def toml(self, *questions: Watch, more: str = "") -> Path:
        """feeds.toml with watches, as a person would write them."""
        path = self.folder / "feeds.toml"
        path.write_text('[feeds.owl-news]\nurl = "https://owl.example/feed"\nlab = "anthropic"\n' + more + "".join(map(table, questions)))
        return path


def table(question: Watch) -> str:
    """The table of a watch."""
    lines = [f"[watches.{question.id}]", f'question = "{question.question}"']
    for name in ("by", "about", "not_by", "topics", "phrases", "answer"):
        if values := getattr(question, name):
            lines.append(f"{name} = {json.dumps(values)}")
    lines += [f"{name} = {getattr(question, name)}" for name in ("since", "until") if getattr(question, name)]
    lines += [f'{name} = "{getattr(question, name)}"' for name in ("first_per", "after") if getattr(question, name)]
    lines += [f'within = "{question.within_s // 86_400}d"'] if question.within_s else []
    return "\n".join(lines) + "\n"


def rows(db: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has: what a command that writes nothing leaves alike."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'texts_fts%'")]
    return {name: db.execute(f"SELECT count(*) FROM [{name}]").fetchone()[0] for name in names}


__all__ = ["ARXIV", "CAT", "MEMORY", "OWL", "PRESS", "SURE", "UNSURE", "World", "rows", "table"]
