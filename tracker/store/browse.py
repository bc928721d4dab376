"""Reading for people and programs: items by what is said of them. Read-only; every value is bound."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

from tracker.complete import captive
from tracker.errors import StoreError
from tracker.store import trials
from tracker.store.items import IDS_PER_DAY, select_items
from tracker.types import Event, Item, Kept, Missed, Watch

__all__ = ["board", "events", "history", "is_empty", "items", "never", "questions", "status"]

# A lab and every one below it, however deep.
_BELOW = """WITH RECURSIVE below(lab) AS (
  SELECT {} UNION SELECT lab_parents.lab FROM below JOIN lab_parents ON parent = below.lab) SELECT lab FROM below"""
# IN, not EXISTS: SQLite then starts from the tag's index, so a rare topic costs what it has, not what the archive has.
_CONDITIONS = {
    "topic": "items.id IN (SELECT item FROM item_topics WHERE topic = :topic AND tier IN ('confident', 'maybe'))",
    "by": f"items.id IN (SELECT item FROM item_labs WHERE relation = 'by' AND lab IN ({_BELOW.format(':by')}))",  # noqa: S608 - constants
    "about": f"items.id IN (SELECT item FROM item_labs WHERE relation = 'about' AND lab IN ({_BELOW.format(':about')}))",  # noqa: S608 - constants
    "since": "items.id >= :since",
}


def items(db: sqlite3.Connection, *, topic: str | None, by: str | None, about: str | None, since: str | None, limit: int) -> Iterator[Item]:
    """Yield items that fulfil every given condition, newest first; ``since`` is a day, a lab includes its children."""
    given: dict[str, object] = {"topic": topic, "by": by, "about": about, "since": since and int(since[:10].replace("-", "")) * IDS_PER_DAY}
    conditions = [text for name, text in _CONDITIONS.items() if given[name] is not None]
    yield from select_items(db, " AND ".join(conditions) or "1", given | {"limit": limit})


def status(db: sqlite3.Connection) -> dict[str, object]:
    """Return the health of the tracker as plain values: last run, sources, gaps, silence, queues, totals."""
    from tracker.store import authors, gaps, labels, models, readings, runs, sources

    last = runs.last(db)
    health = [dict(row) for row in sources.health(db)]
    champion = models.champion(db)
    return {
        "last_run": dict(last) if last else None,
        "sources": health,
        "answering": sum(1 for row in health if row["health"] in ("ok", "quiet")),
        "gaps": gaps.listed(db),
        "quiet": gaps.quiet(db),
        "captive": captive(runs.last_outcomes(db)),
        "waiting": runs.backlog_of(db),
        "unread": readings.unread(db),
        "authors": authors.figures(db, last["started_at"]) if last else {},
        "totals": runs.totals(db),
        "model": champion.id if champion else "shipped",
        "labels": len(labels.current(db)),
        "learned": champion.labels_n if champion else 0,
    }


def never(db: sqlite3.Connection, before: str) -> list[sqlite3.Row]:
    """Return the sources that first answered before an instant and have never listed anything, with since when they answer."""
    return db.execute(
        """SELECT id, kind, since FROM (SELECT id, kind,
            (SELECT min(at) FROM polls INDEXED BY polls_source WHERE source = sources.id AND error IS NULL) AS since FROM sources
          WHERE retired_at IS NULL AND fails = 0 AND NOT EXISTS (SELECT 1 FROM sightings WHERE source = sources.id))
        WHERE since <= ? ORDER BY id""",
        (before,),
    ).fetchall()


def board(db: sqlite3.Connection, rows: Iterable[tuple[Watch, Any, Sequence[Event]]]) -> list[dict[str, Any]]:
    """Return the standing questions as plain values, with the titles and addresses of their proofs."""
    listed = list(rows)
    named = [event for _, status, _ in listed for event in (status.proof, status.last) if event]
    named += [kept.event for _, status, _ in listed for kept in status.withdrawn]
    seen = trials.shown(db, [event.item for event in named])
    return [
        {
            "watch": watch.id,
            "question": watch.question,
            "answer": list(watch.answer),
            "state": status.state,
            "rungs": list(status.rungs),
            "day": status.day,
            "of_days": status.of_days,
            "as_of": status.as_of,
            "looked_from": status.looked_from,
            "looked": status.looked,
            "looked_words": status.looked_words,
            "until": watch.until,
            "events": len(events),
            "near_misses": status.near,
            "sources": status.sources,
            "gaps": status.gaps,
            "proof": status.proof and _event(status.proof, seen),
            "last": status.last and _event(status.last, seen),
            "withdrawn": [_kept(kept, seen) for kept in status.withdrawn],
        }
        for watch, status, events in listed
    ]


def history(db: sqlite3.Connection, row: dict[str, Any], kept: Sequence[Kept], near: Sequence[Missed], limit: int | None) -> dict[str, Any]:
    """Return the board's row of a question with every event as plain values, story by story, and its newest near-misses.

    Args:
        limit: how many near-misses; None: all.
    """
    newest = sorted(near, key=lambda one: (one.at, one.item), reverse=True)[:limit]
    seen = trials.shown(db, [*(one.event.item for one in kept), *(one.item for one in newest)])
    told: dict[int, list[dict[str, Any]]] = {}
    for one in sorted(kept, key=lambda one: (one.event.at, one.event.item, one.event.lab)):
        told.setdefault(one.story or one.event.item, []).append(_kept(one, seen))
    blocks = [{"story": events[0]["story"], "events": events} for events in told.values()]
    return {**row, "stories": blocks, "near_misses": len(near), "near": [_event(one, seen) for one in newest]}


def events(db: sqlite3.Connection, rows: Iterable[tuple[Watch, Any, Sequence[Event]]]) -> list[dict[str, Any]]:
    """Return every event of the board as plain values."""
    listed = [event for _, _, found in rows for event in found]
    seen = trials.shown(db, [event.item for event in listed])
    return [{"watch": event.watch, **_event(event, seen), "further": list(event.further)} for event in listed]


def _event(event: Event | Missed, seen: Mapping[int, trials.Shown]) -> dict[str, Any]:
    item = seen[event.item]
    return {
        "lab": event.lab, "rung": event.rung, "at": event.at, "reason": list(event.reason), "item": event.item, "story": item.story,
        "key": item.key, "title": item.title, "url": item.url,
    }  # fmt: skip


def _kept(one: Kept, seen: Mapping[int, trials.Shown]) -> dict[str, Any]:
    return {
        **_event(one.event, seen), "found_at": one.found_at, "looking_back": one.quiet, "stands": one.withdrawn_at is None,
        "withdrawn_at": one.withdrawn_at, "withdrawn_why": one.withdrawn_why,
    }  # fmt: skip


def questions(db: sqlite3.Connection) -> tuple[Watch, ...]:
    """Return the standing questions as the last run mirrored them; one that is counted ``after`` another stands behind it."""
    left = [_watch(*row) for row in db.execute("SELECT id, question, spec FROM watches WHERE retired_at IS NULL ORDER BY id")]
    placed: list[Watch] = []
    while left:
        ids = {watch.id for watch in left}
        ready = [watch for watch in left if watch.after not in ids] or left  # a ring: feeds.toml does not allow one
        placed += ready
        left = [watch for watch in left if watch not in ready]
    return tuple(placed)


def _watch(identifier: str, question: str, spec: str) -> Watch:
    """A watch from its row; of a spec that cannot be read only the question is left."""
    try:
        stored = dict(json.loads(spec))
    except (ValueError, TypeError):
        return Watch(identifier, question)
    known = {field.name for field in fields(Watch)}
    said: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items() if name in known}
    return Watch(**{**said, "id": identifier, "question": question})


def is_empty(path: Path) -> bool:
    """Whether there is no database there, or one without items."""
    from tracker.store import open as open_database

    if not path.exists():
        return True
    try:
        with closing(open_database(path)) as db:
            return db.execute("SELECT 1 FROM items LIMIT 1").fetchone() is None
    except StoreError:  # whoever wants to use it will be told what is wrong with it
        return False
