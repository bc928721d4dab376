"""A small database as a run leaves it, and how to look through the window at it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

from tests.archive import into_story
from tracker import store
from tracker.matching import rungs_of
from tracker.store import items, runs, sources, tags, watches
from tracker.types import Attribution, Entry, Event, Lab, Source, Tag, Topic, Watch
from tracker.web import serve

NOW = "2026-06-12T06:10:00Z"
PRESENT = datetime(2026, 6, 12, 8, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
HOSTILE = [SCRIPT, "'\"><img src=x onerror=alert(1)>", "\x00", "%", "' OR 1=1 --", "💥" * 200, "a" * 5000, "../../etc", "-1"]
ODD_WORDS = """self-improvement C++ @x " "" ' "open NOT NEAR( * ^a title:x - ( {x} + \\ ünïcode💥""".split()
ODD_TEXTS = [*ODD_WORDS, "a AND", "", " ", "\x00", "a\x00b", "agents  learn", "a" * 3000]

_TOPICS = [Topic("memory", "Agent memory", "What agents keep."), Topic("drift", "Alignment drift", "What slides.")]
_LABS = [
    Lab("openai", "OpenAI", "frontier"),
    Lab("google", "Google", "frontier"),
    Lab("deepmind", "DeepMind", "frontier", parents=(("google", None),)),
]
SOURCES = [
    Source("openai-news", "feed", "https://openai.example/rss", "OpenAI news", lab="openai", origin="official"),
    Source("arxiv-ai", "arxiv", "https://export.arxiv.org/api/query?x", "arXiv cs.AI", origin="paper"),
    Source("gazette", "feed", "https://gazette.example/rss", "The Gazette", role="mirror"),
]
_WORDS = (("learn from experience", 0.41), (SCRIPT, 0.22))
TAGS: dict[str, tuple[list[Tag], list[Attribution]]] = {
    "Agents that remember": (
        [Tag("memory", 0.93, "confident", _WORDS, "topics-1"), Tag("drift", 0.5, "maybe", (("drifts", 1.0),), "rules")],
        [Attribution("openai", "by", "source", "declared", "the source openai-news is by OpenAI")],
    ),
    "A paper on drift": (
        [Tag("drift", 0.41, "maybe", (("drift", 0.3),), "topics-1")],
        [
            Attribution("deepmind", "by", "author", "inferred", "Example Research"),
            Attribution("openai", "mention", "text", "stated", "OpenAI"),
        ],
    ),
    f"Hostile {SCRIPT} news": (
        [Tag("memory", 0.7, "confident", _WORDS, "topics-1")],
        [Attribution("openai", "about", "text", "stated", SCRIPT)],
    ),
}


def entry(title: str, url: str, text: str = "", at: str | None = NOW) -> Entry:
    return Entry(title, url, url, text, ("Ada One", "Bo Two", "Cy Three", "Di Four"), at)


def fill(db: sqlite3.Connection) -> None:
    with store.transaction(db):
        sources.sync(db, SOURCES, NOW)
        sources.sync_registry(db, _TOPICS, _LABS, NOW)
        run = runs.start(db, NOW, "0")
        runs.finish(db, run, NOW, {"new": 4, "on_topic": 3})
        for source, entries in zip(
            SOURCES,
            (
                [
                    entry(
                        "Agents that remember",
                        "https://openai.example/a",
                        "Agents drift in C++ with self-improvement.",
                        "2026-06-12T05:12:00Z",
                    )
                ],
                [
                    entry("A paper on drift", "https://arxiv.org/abs/2606.01234", "Models drift."),
                    entry("Nothing of note", "https://arxiv.org/abs/2606.01235"),
                ],
                [entry(f"Hostile {SCRIPT} news", "https://gazette.example/x", f"Text {SCRIPT}", None)],
            ),
            strict=True,
        ):
            items.save(db, source, entries, now=NOW, first=False, old_before=None)
        for item in items.pending(db, "tag", 100):
            said = TAGS.get(item.title, ([], []))
            tags.save(db, item, *said, tags.Signals(item.origin or "press"), registry="r", now=NOW, done=True)
        db.execute("UPDATE sources SET last_ok_at = ?, next_poll_at = '2026-06-12T12:00:00Z' WHERE id <> 'gazette'", (NOW,))
        db.execute("UPDATE sources SET fails = 3, last_error = 'http_403: refused <b>us</b>' WHERE id = 'gazette'")
        db.execute("UPDATE sources SET last_ok_at = '2026-06-09T06:00:00Z' WHERE id = 'gazette'")
        db.execute("INSERT INTO revisions(item, at, what, old) SELECT id, ?, 'title', 'Before' FROM items LIMIT 1", (NOW,))
    rungs(db)


def get(path: Path, *urls: str, method: str = "GET") -> list[Any]:
    """The answers to requests, in order, from one Datasette."""

    async def all_of_them() -> list[Any]:
        datasette = serve.application(path)
        return [await datasette.client.request(method, url) for url in urls]

    return asyncio.run(all_of_them())


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def main_of(html: str) -> str:
    """The text of the list."""
    return text_of(html.partition("<main")[2].partition("</main>")[0])


# -- stories and standing questions ------------------------------------------------------------------


def id_of(db: sqlite3.Connection, title: str) -> int:
    """The item of that title."""
    return int(db.execute("SELECT id FROM items WHERE title = ?", (title,)).fetchone()[0])


def told(db: sqlite3.Connection, *titles: str) -> int:
    """Make a story of items; returns its id."""
    story: int | None = None
    with store.transaction(db):
        for item in db.execute("SELECT id FROM items WHERE title IN (SELECT value FROM json_each(?))", (json.dumps(titles),)).fetchall():
            evidence = "the same title" if story else "first of its story"
            story = into_story(db, item[0], story, 0.5 if story else 1.0, evidence, NOW)
    assert story is not None
    rungs(db)
    return story


def rungs(db: sqlite3.Connection) -> None:
    """Find the rungs of every item, as the stage of the watches does."""
    with store.transaction(db):
        facts = watches.facts(db, [row[0] for row in db.execute("SELECT id FROM items")])
        watches.put_rungs(db, {one.item: rungs_of(one) for one in facts})


def alone(db: sqlite3.Connection) -> None:
    """Make every item a story of its own."""
    for (title,) in db.execute("SELECT title FROM items ORDER BY id").fetchall():
        told(db, title)


def watched(db: sqlite3.Connection, watch: Watch, *events: tuple[str, str, str], at: str = NOW) -> None:
    """Store a standing question with its events, each (title of the item, lab, rung)."""
    known = db.execute("SELECT id, spec FROM watches").fetchall()
    others = [Watch(**{**json.loads(row[1]), "id": row[0]}) for row in known]
    with store.transaction(db):
        watches.sync(db, [*others, watch], NOW)
        for title, lab, rung in events:
            event = Event(
                watch.id, id_of(db, title), lab, rung, at, 0.9, ("on drift (0.41)", f"by {lab} (signed Example Research)", "a paper")
            )
            watches.save(db, [watch.id], [(event.item, [event])], NOW, quiet=False)
        watches.looked(db, [watch.id], None)
