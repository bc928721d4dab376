"""Tag: say what items are on and whose they are.

in   items in ``pending(tag)``, oldest first; never the archive
out  item_topics, item_labs, items.origin, in batches of one transaction each
Tagging happens outside the transaction, writing inside, so a reader waits for at most one batch. Surprising: when the model cannot be
loaded, rules tag alone and the items keep waiting, so that nothing is lost once it can.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.clock import iso
from tracker.config import DEFAULTS, Config
from tracker.errors import ModelError
from tracker.store import items, sources, tags, transaction
from tracker.types import Item

if TYPE_CHECKING:
    from tracker.taggers.labs import LabTagger
    from tracker.taggers.topics import TopicTagger

__all__ = ["Tagged", "Taggers", "load", "tag"]

BATCH = 500  # items a transaction: about 0.2 s of writing, the longest a label from Datasette has to wait


@dataclass(frozen=True, slots=True)
class Taggers:
    """Everything that tags, ready to use. ``without_model`` says why the model is not used, "" when it is."""

    topics: TopicTagger
    labs: LabTagger
    registry: str
    without_model: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The result of one batch: items tagged, items on a topic, items that still wait because the model has a ``problem``."""

    items: int
    on_topic: int
    waiting: int = 0
    problem: str = ""


def load(config: Config, model_dir: Path = DEFAULTS / "model") -> Taggers:
    """Return the taggers of a configuration. A model that cannot be loaded is told in ``without_model``; rules tag without it."""
    from tracker.taggers import labs, linear, topics

    try:
        model, problem = linear.load(model_dir), ""
    except ModelError as error:
        model, problem = None, str(error)
    return Taggers(topics.TopicTagger(config.topics, model), labs.LabTagger(config.labs), labs.registry_hash(config.labs), problem)


def tag(
    db: sqlite3.Connection, config: Config, *, now: datetime, again_since: datetime | None = None, taggers: Taggers | None = None
) -> Iterator[Tagged]:
    """Tag what waits, a batch at a time; yield a result a batch. Nothing is loaded when nothing waits.

    Args:
        again_since: first put the items first seen since then back into the queue.
    """
    with transaction(db):
        sources.sync_registry(db, config.topics, config.labs, iso(now))
        if again_since:
            tags.again(db, iso(again_since), iso(now))
    last = 0
    while batch := items.pending(db, "tag", BATCH, last):
        taggers = taggers or load(config)
        last = batch[-1].id
        yield _one_batch(db, taggers, batch, iso(now))


def _one_batch(db: sqlite3.Connection, taggers: Taggers, batch: list[Item], now: str) -> Tagged:
    topics = taggers.topics.tag(batch)
    labs = taggers.labs.tag(batch)
    said = [_signals(item, taggers) for item in batch]
    with transaction(db):
        for item, found, attributed, signs in zip(batch, topics, labs, said, strict=True):
            tags.save(db, item, found, attributed, signs, registry=taggers.registry, now=now, done=not taggers.without_model)
        if taggers.without_model:
            tags.wait(db, [item.id for item in batch])
    waiting = len(batch) if taggers.without_model else 0
    return Tagged(len(batch), sum(1 for found in topics if found), waiting, taggers.without_model)


def _signals(item: Item, taggers: Taggers) -> tags.Signals:
    from tracker.taggers import signals

    origin = signals.origin(item.key, item.url, item.origin or "press", taggers.labs.lab_of_url)
    # A lab's page that only a link post or the press has shown bears their words: what they say it does, the lab may not have said.
    quoted = origin == "official" and item.origin != "official"
    act = (None if quoted else signals.act(origin, item.title, item.text)) or (None, None)
    unconfirmed = signals.unconfirmed(origin, item.title, item.text) or (None, None)
    return tags.Signals(origin, *act, *unconfirmed)
