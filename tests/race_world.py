"""A small world for the weekly counts and the race: labs, topics, and items that are put into it by hand through the real store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from tracker.race import Counted, count
from tracker.store import items, labels, sources, tags, transaction
from tracker.types import Attribution, Entry, Item, Lab, Source, Tag, Topic

SEEN = "2026-06-12T06:00:00Z"
NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)  # a Friday; its week began on the 8th
TOPICS = [Topic("memory", "Memory"), Topic("drift", "Drift")]
LABS = [
    Lab("openai", "OpenAI", "frontier"),
    Lab("anthropic", "Anthropic", "frontier"),
    Lab("google", "Google", "frontier"),
    Lab("deepmind", "DeepMind", "frontier", parents=(("google", None),)),
    Lab("bought", "Bought", "product", parents=(("google", "2026-06-03"),)),
]
BLOG = Source("blog", "feed", "https://blog.example/feed", "Blog")


def furnish(db: sqlite3.Connection, labs: Iterable[Lab] = LABS) -> None:
    """Give a database its source, topics and labs."""
    with transaction(db):
        sources.sync(db, [BLOG], SEEN)
        sources.sync_registry(db, TOPICS, labs, SEEN)


def add(db: sqlite3.Connection, name: str, at: str | None, *, seen: str = SEEN, first: bool = True) -> int:
    """Store an item that was published at ``at``, by default as a source's first poll does; return its id."""
    entry = Entry(name, f"https://blog.example/{name}", guid=name, published_at=at and (at if "T" in at else f"{at}T09:00:00Z"))
    with transaction(db):
        items.save(db, BLOG, [entry], now=seen, first=first, old_before=None)
    return int(db.execute("SELECT item FROM item_keys WHERE key = ?", (f"url:https://blog.example/{name}",)).fetchone()[0])


def tag(db: sqlite3.Connection, item: int, topics: Mapping[str, str], *labs: tuple[str, ...], registry: str = "r") -> None:
    """Tag an item: ``{topic: tier}``, then (relation, lab) or (relation, lab, method)."""
    said = [Tag(topic, 0.9, tier, (("word", 1.0),), "m") for topic, tier in topics.items()]
    attributed = [Attribution(lab, relation, *(method or ("source",)), "declared", "x") for relation, lab, *method in labs]  # type: ignore[arg-type]
    with transaction(db):
        tags.save(db, Item(item, "", "blog", None, ""), said, attributed, tags.Signals("official"), registry=registry, now=SEEN, done=True)


def tell(db: sqlite3.Connection, item: int, story: int | None = None) -> int:
    """Put an item into a story, or into one of its own; return the story."""
    with transaction(db):
        if story is None:
            story = db.execute(
                "INSERT INTO stories(title, lead_item, first_at, last_at, items, sources) VALUES ('Told', ?, ?, ?, 1, 1)",
                (item, SEEN, SEEN),
            ).lastrowid
        db.execute("INSERT INTO story_items(item, story, score, evidence) VALUES (?, ?, 1.0, 'the same title')", (item, story))
    return int(story or 0)


def rung(db: sqlite3.Connection, item: int, lab: str, kind: str) -> None:
    """Say what kind of evidence an item is for a lab."""
    with transaction(db):
        db.execute(
            "INSERT INTO rungs(item, lab, rung, cue) VALUES (?, ?, ?, 'x') ON CONFLICT(item, lab) DO UPDATE SET rung = excluded.rung",
            (item, lab, kind),
        )


def say(
    db: sqlite3.Connection, lab: str, at: str, topic: str = "memory", *, kind: str = "stated", story: int | None = None
) -> tuple[int, int]:
    """Let a lab say something on a topic: (item, story)."""
    number = db.execute("SELECT count(*) FROM items").fetchone()[0]
    item = add(db, f"{lab}-{number}", at)
    tag(db, item, {topic: "confident"} if topic else {}, ("about" if kind == "reported" else "by", lab))
    rung(db, item, lab, kind)
    return item, tell(db, item, story)


def label(db: sqlite3.Connection, item: int, topic: str, value: int) -> int:
    """Let Ann say that an item is, or is not, on a topic."""
    (key,) = db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()
    with transaction(db):
        return labels.add(db, key, f"topic:{topic}", value, who="ann", picked="browse", now=SEEN)


def counted(db: sqlite3.Connection) -> Counted:
    """Run the stage."""
    return count(db, now=NOW)


def weekly(db: sqlite3.Connection, where: str = "1") -> dict[tuple[str, str, str, str], tuple[int, int]]:
    """The counts as they stand."""
    rows = db.execute(f"SELECT week, topic, lab, relation, items, stories FROM weekly WHERE {where}")
    return {tuple(row[:4]): (row[4], row[5]) for row in rows}


def stale(db: sqlite3.Connection) -> list[str]:
    """The weeks that wait to be counted."""
    return [row[0] for row in db.execute("SELECT week FROM stale_weeks ORDER BY week")]
