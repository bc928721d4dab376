"""How good the stories are on labelled days: of exactly what a run would make of them, day after day.

in   label files (``story_labels``)
out  the story of each row, figures, errors with the reason that the tracker gives; a CSV of the rows
refuses to know how items are grouped: they are stored in a database of their own and go through the stage, as in a run.
Surprising: the windows of a file are databases of their own, so that files may hold overlapping spans of days.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tracker import store
from tracker.group import group
from tracker.pairing.model import PairModel, load
from tracker.store import items, sources, tags, transaction
from tracker.story_labels import STANDING_ALONE, Row, figures, joined_pairs
from tracker.text import content_hash, csv_cell, one_line
from tracker.train_pairs import without_each
from tracker.types import Entry, Item, Source

__all__ = ["Placed", "lines", "place", "report", "rows_csv"]


@dataclass(frozen=True, slots=True)
class Placed:
    """A row with the story that the tracker puts it into, and why."""

    row: Row
    story: str
    evidence: str


def place(rows: Sequence[Row], *, refit: bool = False) -> list[Placed]:
    """Return the rows with the stories that runs would have made of them, one run a day.

    Args:
        refit: each window by a model that has learned from the others; the shipped limit and rarity stay.
    """
    shipped = load()
    models = without_each(rows, shipped) if refit else {}
    windows: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        windows[row.window].append(row)
    found: dict[int, Placed] = {}
    with TemporaryDirectory() as folder:
        for n, (window, members) in enumerate(sorted(windows.items())):
            with closing(store.open(Path(folder) / f"{n}.db", write=True)) as db:
                found |= {placed.row.item.id: placed for placed in _window(db, window, members, models.get(window, shipped))}
    return [found[row.item.id] for row in rows]


def _window(db: sqlite3.Connection, window: str, rows: Sequence[Row], model: PairModel) -> Iterator[Placed]:
    days: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        days[str(row.item.published_at)[:10]].append(row)
    with transaction(db):
        made = {source.id: source for source in (_source(row.item) for row in rows)}
        sources.sync(db, made.values(), f"{min(days)}T00:00:00Z")
    listed: list[Row] = []
    for day, members in sorted(days.items()):
        listed = [row for row in listed if "#" in str(row.item.url)] + members
        _store(db, listed, f"{day}T23:00:00Z")
        list(group(db, now=datetime.fromisoformat(f"{day}T23:30:00").replace(tzinfo=UTC), model=model))
    for row in rows:
        values = {"source": _source(row.item).id, "guid": row.item.url, "key": row.item.key}
        story, evidence = db.execute(_PLACED, values).fetchone()
        yield Placed(row, f"{window}-{story}", evidence)


# By the guid in its source, which two entries of one page do not share; else by its key: another source has shown it first.
_PLACED = """SELECT story, evidence FROM story_items WHERE item = coalesce(
  (SELECT item FROM sightings WHERE source = :source AND guid = :guid), (SELECT item FROM item_keys WHERE key = :key))"""


def _store(db: sqlite3.Connection, rows: Sequence[Row], now: str) -> None:
    """Store what sources list on a day, tagged with its origin alone: topics and labs play no part in grouping.

    Entries of one page stay listed, as in a changelog, since only beside each other their fragments tell them apart.
    """
    by_source: dict[str, list[Item]] = defaultdict(list)
    for row in rows:
        by_source[_source(row.item).id].append(row.item)
    with transaction(db):
        for members in by_source.values():
            items.save(db, _source(members[0]), [_entry(item) for item in members], now=now, first=False, old_before=None)
        origins = {row.item.key: str(row.item.origin) for row in rows}
        for waiting in items.pending(db, "tag", len(rows)):
            signals = tags.Signals(origins.get(waiting.key, str(waiting.origin)))
            tags.save(db, waiting, [], [], signals, registry="", now=now, done=True)


def _source(item: Item) -> Source:
    """The source of an item; one address may carry several kinds of items, which are sources of their own then."""
    return Source(content_hash(item.source, item.origin), "feed", item.source, item.source, origin=str(item.origin))


def _entry(item: Item) -> Entry:
    own = None if item.key.startswith("url:") else item.key
    return Entry(item.title, item.url, item.url, item.text, published_at=item.published_at, own_key=own, links=item.links)


def report(placed: Sequence[Placed], hard: Sequence[tuple[str, str]], errors: int) -> dict[str, Any]:
    """Return the figures, and the first ``errors`` of what differs."""
    joined, alike = joined_pairs(hard, [one.row for one in placed], [one.story for one in placed])
    size = Counter(one.story for one in placed)
    wrong = [_error("look-alikes joined", (placed[a], placed[b])) for a, b in joined]
    wrong += [_error("list joined", (one, one)) for one in placed if one.row.kind in STANDING_ALONE and size[one.story] > 1]
    wrong += [_error("joined wrongly", pair) for pair in _pairs(placed, by_story=True) if pair[0].row.story != pair[1].row.story]
    wrong += [_error("missed", pair) for pair in _pairs(placed, by_story=False) if pair[0].story != pair[1].story]
    return {
        "rows": len(placed),
        "windows": len({one.row.window for one in placed}),
        **figures([(one.row.window, one.row.story) for one in placed], [one.story for one in placed]),
        "look_alikes": {"joined": len(joined), "of": alike, "share": round(len(joined) / alike, 4) if alike else None},
        "lists_joined": sum(size[one.story] > 1 for one in placed if one.row.kind in STANDING_ALONE),
        "errors_in_all": len(wrong),
        "errors": wrong[:errors],
    }


def _pairs(placed: Iterable[Placed], *, by_story: bool) -> Iterator[tuple[Placed, Placed]]:
    """Pairs of one story, as the tracker (``by_story``) or as people say."""
    groups: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for one in placed:
        groups[(one.row.window, one.story if by_story else one.row.story)].append(one)
    for members in groups.values():
        yield from combinations(members, 2)


def _error(what: str, pair: tuple[Placed, Placed]) -> dict[str, str]:
    one, other = pair
    return {
        "what": what, "window": one.row.window, "one": one.row.url, "other": other.row.url, "title": one.row.item.title,
        "other_title": other.row.item.title, "evidence": f"{one.evidence} | {other.evidence}" if what != "missed" else "",
    }  # fmt: skip


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report as lines for people."""
    yield f"{told['rows']} items in {told['windows']} windows, grouped as by a run a day"
    yield f"  {'':12} {'precision':>10} {'recall':>10}"
    for name, title in (("pairwise", "pairs"), ("b3", "B³, all"), ("b3_active", "B³, active")):
        yield f"  {title:12} {_number(told[name]['precision']):>10} {_number(told[name]['recall']):>10}"
    if told["look_alikes"]["of"]:
        yield f"Look-alikes joined: {told['look_alikes']['joined']} of {told['look_alikes']['of']}"
    yield f"Digests, status notices and lists of versions joined to anything: {told['lists_joined']}"
    for error in told["errors"]:
        yield f"{error['what']}: {one_line(error['title'], 60)} | {one_line(error['other_title'], 60)}"
    if told["errors_in_all"] > len(told["errors"]):
        yield f"{told['errors_in_all'] - len(told['errors'])} more; --errors {told['errors_in_all']} lists all"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def rows_csv(placed: Sequence[Placed]) -> str:
    """Return the rows as CSV: what people say, what the tracker says, and why."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["window", "item_url", "story", "said", "evidence"])
    for one in placed:
        writer.writerow(csv_cell(text) for text in (one.row.window, one.row.url, one.row.story, one.story, one.evidence))
    return out.getvalue()
