"""Tag: say what items are on and whose they are.

in   items in ``pending(tag)``, oldest first; never the archive
out  item_topics, item_labs, items.origin, in batches of one transaction each
Tagging happens outside the transaction, writing inside, so a reader waits for at most one batch. Surprising: when the model cannot be
loaded, rules tag alone and the items keep waiting, so that nothing is lost once it can. To tag again is a deliberate act: ``preview``
says first what it would change, without a write.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.clock import iso
from tracker.config import DEFAULTS, Config
from tracker.errors import ModelError
from tracker.store import authors, items, models, sources, stored, tags, transaction
from tracker.text import one_line
from tracker.types import Item

if TYPE_CHECKING:
    from tracker.taggers.labs import LabTagger
    from tracker.taggers.linear import LinearModel
    from tracker.taggers.topics import TopicTagger

__all__ = ["Changes", "Preview", "Tagged", "Taggers", "load", "own_model", "preview", "preview_lines", "signals_of", "tag"]

BATCH = 500  # items a transaction: about 0.2 s of writing, the longest a label from Datasette has to wait


@dataclass(frozen=True, slots=True)
class Taggers:
    """Everything that tags, ready to use.

    ``without_model`` says why no model is used, ``instead`` why the shipped one is and not the champion; "" when all is well.
    """

    topics: TopicTagger
    labs: LabTagger
    registry: str
    without_model: str = ""
    model: LinearModel | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """The result of one batch: items tagged, items on a topic, items that still wait because there is no model.

    ``problem`` says what is wrong with the model that should be in use."""

    items: int
    on_topic: int
    waiting: int = 0
    problem: str = ""


@dataclass(slots=True)
class Changes:
    """What tagging again would change on one topic: items (key, title) that come, that go, whose tag becomes sure, or unsure."""

    came: list[tuple[str, str]] = field(default_factory=list)
    went: list[tuple[str, str]] = field(default_factory=list)
    sure: list[tuple[str, str]] = field(default_factory=list)
    unsure: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Preview:
    """What tagging so many ``items`` again would change, by topic.

    ``problem`` says why no model would be used, ``instead`` why the shipped one and not the champion.
    """

    items: int
    topics: dict[str, Changes]
    problem: str = ""
    instead: str = ""

    def as_dict(self) -> dict[str, object]:
        """The preview for ``--json``, with the key of every item."""
        told = {
            topic: {what: [key for key, _ in getattr(changes, what)] for what in Changes.__slots__}
            for topic, changes in self.topics.items()
        }
        return {"items": self.items, "topics": told, "problem": self.problem or self.instead}


def load(config: Config, model_dir: Path = DEFAULTS / "model", *, db: sqlite3.Connection | None = None) -> Taggers:
    """Return the taggers of a configuration, with the model in use: the champion of the database, else the shipped one.

    A shipped model that cannot be loaded is told in ``without_model``, and rules tag without it; a champion that cannot, in ``instead``.
    """
    from tracker.taggers import labs, stored_model, topics

    try:
        model, problem = stored_model.load(model_dir), ""
    except ModelError as error:
        model, problem = None, str(error)
    instead = ""
    if db is not None and model and (row := models.champion(db)):
        try:
            model = own_model(db, row, model)
        except ModelError as error:
            instead = str(error)
    return Taggers(
        topics.TopicTagger(config.topics, model), labs.LabTagger(config.labs), labs.registry_hash(config.labs), problem, model, instead
    )


def own_model(db: sqlite3.Connection, row: models.Stored, shipped: LinearModel) -> LinearModel:
    """Return a model that was trained here.

    Raises:
        ModelError: it is missing, damaged, not the one that the database vouches for, or made from another shipped model.
    """
    from tracker.taggers import stored_model

    way_out = "the shipped model tags in its place; `tracker train` makes it anew from your labels"
    try:
        model = stored_model.load(models.place(db, row), sha256=row.sha256)
    except ModelError as error:
        raise ModelError(f"the model {row.id} cannot be used ({str(error).partition(';')[0]}): {way_out}") from None
    if model.about.get("shipped") != shipped.about.get("sha256"):
        raise ModelError(f"the model {row.id} was made from the shipped model of another release: {way_out}")
    return model


def tag(
    db: sqlite3.Connection, config: Config, *, now: datetime, again_since: datetime | None = None, taggers: Taggers | None = None
) -> Iterator[Tagged]:
    """Tag what waits, a batch at a time; yield a result a batch. Nothing is loaded when nothing waits.

    Args:
        again_since: first put the items first seen since then back into the queue.
    """
    from tracker.taggers.labs import registry_hash

    with transaction(db):
        sources.sync_registry(db, config.topics, config.labs, iso(now))
        tags.heed_all(db, iso(now))
        authors.stale(db, registry_hash(config.labs), iso(now))
        if again_since:
            tags.again(db, iso(again_since), iso(now))
    last = 0
    while batch := items.pending(db, "tag", BATCH, last):
        taggers = taggers or load(config, db=db)
        last = batch[-1].id
        yield _one_batch(db, taggers, batch, iso(now))


def preview(db: sqlite3.Connection, config: Config, since: datetime, *, taggers: Taggers | None = None) -> Preview:
    """Return what tagging again the items first seen since then would change. Writes nothing; labels stand as they do then."""
    taggers = taggers or load(config, db=db)
    found: dict[str, Changes] = {}
    count = last = 0
    while batch := stored.seen_since(db, iso(since), BATCH, last):
        count, last = count + len(batch), batch[-1].id
        before = tags.tiers(db, [item.id for item in batch])
        for item, said in zip(batch, taggers.topics.tag(batch), strict=True):
            after = {topic: tag.tier for topic, tag in tags.overruled(db, item.id, said).items() if tag.tier != "no"}
            _compare(item, before.get(item.id, {}), after, found)
    return Preview(count, dict(sorted(found.items())), taggers.without_model, taggers.instead)


def _compare(item: Item, before: dict[str, str], after: dict[str, str], found: dict[str, Changes]) -> None:
    for topic in {**before, **after}:
        old, new = before.get(topic), after.get(topic)
        if old != new:
            changes = found.setdefault(topic, Changes())
            kind = changes.came if not old else changes.went if not new else changes.sure if new == "confident" else changes.unsure
            kind.append((item.key, item.title))


def preview_lines(changes: Preview, titles: int = 3) -> Iterator[str]:
    """Yield a preview for a person: what comes and goes on each topic, with a few titles each."""
    if changes.problem:
        yield f"The model cannot be used ({one_line(changes.problem, 300)}): this is what rules alone would say."
    elif changes.instead:
        yield f"This is what the shipped model would say: {one_line(changes.instead, 300)}."
    yield f"{changes.items} items would be tagged again; nothing is changed yet."
    for topic, change in changes.topics.items():
        turned = [f"{len(found)} {words}" for words, found in (("become sure", change.sure), ("no longer sure", change.unsure)) if found]
        yield "  ".join((f"{topic}: {len(change.came)} in, {len(change.went)} out", *turned))
        for sign, found in (("+", change.came), ("-", change.went)):
            yield from (f"  {sign} {one_line(title, 100)}" for _, title in found[:titles])
            if len(found) > titles:
                yield f"  {sign} … and {len(found) - titles} more"
    if not changes.topics:
        yield "No item would come to a topic or leave one."


def _one_batch(db: sqlite3.Connection, taggers: Taggers, batch: list[Item], now: str) -> Tagged:
    topics = taggers.topics.tag(batch)
    labs = taggers.labs.tag(batch)
    said = [signals_of(item, taggers) for item in batch]
    with transaction(db):
        for item, found, attributed, signs in zip(batch, topics, labs, said, strict=True):
            tags.save(db, item, found, attributed, signs, registry=taggers.registry, now=now, done=not taggers.without_model)
        if taggers.without_model:
            tags.wait(db, [item.id for item in batch])
    waiting = len(batch) if taggers.without_model else 0
    return Tagged(len(batch), sum(1 for found in topics if found), waiting, taggers.without_model or taggers.instead)


def signals_of(item: Item, taggers: Taggers) -> tags.Signals:
    """Return origin, act, unconfirmed mark and denial of an item, with their cues."""
    from tracker.taggers import signals

    origin = signals.origin(item.key, item.url, item.origin or "press", taggers.labs.lab_of_url)
    # A lab's page that only a link post or the press has shown bears their words; the lab itself speaks in the address alone.
    quoted = origin == "official" and item.origin != "official"
    title, text = (signals.words_of(item.url), "") if quoted else (item.title, item.text)

    def names_lab(sentence: str) -> bool:
        return any(found.relation != "by" for found in taggers.labs.tag([replace(item, title=sentence, text="")])[0])

    unconfirmed, cue = signals.unconfirmed(origin, item.title, item.text, names_lab) or (None, None)
    denial = signals.denial(origin, item.title, item.text)
    return tags.Signals(origin, *signals.act(origin, title, text, item.url), unconfirmed, cue, denial)
