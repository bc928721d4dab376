"""See before you save: what a watch, or another threshold of a topic, would have done over a span of days.

in   the watches as they would be and as they are; the items of that span, as tagged and grouped now: news by the day on which it came,
     what was there before by its own
out  for each watch its state, events, near-misses and the days on which it would move, beside those of the watch as it is; for each
     topic which items leave it
refuses to write, to tag and to read files.
Surprising: a trial begins with nothing known, as if the question had first been asked on the first day of the span; so its first sign of
each rung is always news. Scores that lie below the line of a topic are not stored: what a lower one would bring is not known here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tracker.config import Config
from tracker.matching import match, missed
from tracker.patterns import compile_rules
from tracker.store import trials, watches
from tracker.store.trials import Scored, Shown
from tracker.types import Event, Facts, Kept, Missed, Watch
from tracker.watch import Status, board, one_per_story, status

__all__ = ["News", "Outcome", "Shift", "Trial", "Trials", "counts_as", "news", "pairs", "run", "settled", "shift", "without"]

BATCH = 2_000  # items looked at together: their texts fit into some MB


@dataclass(frozen=True, slots=True)
class News:
    """What the digests of a span would tell of a watch: the days on which it moves, and how many answers of other stories there are."""

    days: tuple[str, ...] = ()
    further: int = 0  # no digest tells of these by themselves


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a watch makes of the items of a span: its state; events, one a story, lab and rung; near-misses; what is news."""

    state: Status = field(default_factory=lambda: Status("open"))
    start: str | None = None  # the day from which answers count
    events: tuple[Event, ...] = ()
    missed: tuple[Missed, ...] = ()
    news: News = News()
    kinds: Mapping[tuple[int, str], str] = field(default_factory=dict)  # of each event, by item and lab: as what it counts
    quiet: frozenset[int] = frozenset()  # items that were there before their source was looked at: never mailed


@dataclass(frozen=True, slots=True)
class Trial:
    """A watch as it would be, beside the one that is saved under the same id."""

    watch: Watch
    tried: Outcome
    saved: Outcome | None
    came: tuple[Event, ...] = ()
    went: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Shift:
    """What another threshold does to the items on a topic: how many there are, which leave it, how many of these were confident.

    ``unknown``: up to where scores are not stored, if the new threshold lies below that; else None.
    """

    topic: str
    threshold: float
    before: float | None  # None: the model's own
    items: int
    gone: frozenset[int]
    confident: int
    unknown: float | None


@dataclass(frozen=True, slots=True)
class Trials:
    """The result: the span, the watches, the topics, and the items that they name."""

    since: str
    until: str
    items: int  # that could concern the watches
    watches: tuple[Trial, ...]
    topics: tuple[Shift, ...]
    shown: Mapping[int, Shown] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "since": self.since,
            "until": self.until,
            "items": self.items,
            "watches": [self._watch(trial) for trial in self.watches],
            "topics": [
                {
                    "topic": one.topic, "threshold": one.threshold, "saved": one.before, "items": one.items, "leave": len(one.gone),
                    "leave_confident": one.confident, "not_stored_below": one.unknown,
                }
                for one in self.topics
            ],
        }  # fmt: skip

    def _watch(self, trial: Trial) -> dict[str, Any]:
        return {
            "watch": trial.watch.id,
            "question": trial.watch.question,
            "answer": list(trial.watch.answer),
            "after": trial.watch.after,
            **self._outcome(trial.tried),
            "saved": trial.saved and self._outcome(trial.saved),
            "would_come": [self._event(event, trial.tried) for event in trial.came],
            "would_go": [self._event(event, trial.saved or Outcome()) for event in trial.went],
        }

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "events": [self._event(event, outcome) for event in outcome.events],
            "just_missed": [self._event(one, outcome) for one in outcome.missed],
            "moved_days": list(outcome.news.days),
            "further_answers": outcome.news.further,
            "state": outcome.state.state,
            "day": outcome.state.day,
            "of_days": outcome.state.of_days,
            "counted_from": outcome.start,
        }

    def _event(self, one: Event | Missed, outcome: Outcome) -> dict[str, Any]:
        item = self.shown[one.item]
        return {
            "at": one.at, "rung": one.rung, "lab": one.lab, "item": one.item, "key": item.key, "title": item.title, "url": item.url,
            "story": item.story, "score": one.score, "reason": list(one.reason), "further": len(getattr(one, "further", ())),
            "counts_as": outcome.kinds.get((one.item, one.lab)), "backlog": one.item in outcome.quiet,
        }  # fmt: skip


# -- decisions (pure) -------------------------------------------------------------------------------


def pairs(
    drafts: Sequence[Watch], thresholds: Mapping[str, float], configured: Sequence[Watch], saved: Mapping[str, Watch]
) -> list[tuple[Watch, Watch | None]]:
    """Return the watches to be tried, each with the one that is saved.

    These are the drafts that differ from what is saved, and whoever asks for a topic whose threshold changes; if there are none, all
    drafts. So a copy of feeds.toml shows what was edited in it.
    """
    changed = [watch for watch in drafts if watch != saved.get(watch.id)]
    others = {watch.id: watch for watch in (*configured, *drafts) if watch.id not in {one.id for one in changed}}
    touched = [watch for watch in others.values() if not watch.phrases and set(watch.topics) & thresholds.keys()]
    return [(watch, saved.get(watch.id)) for watch in [*changed, *touched] or drafts]


def shift(topic: str, threshold: float, before: float | None, line: float, rows: Sequence[Scored]) -> Shift:
    """Return what a threshold does to the items on a topic.

    Args:
        line: the score up to which nothing is stored now.
        rows: the items on it, those that rules or people have put there included: these stay.
    """
    gone = [row for row in rows if row.moves and row.score < threshold]
    sure = sum(row.tier == "confident" for row in gone)
    return Shift(topic, threshold, before, len(rows), frozenset(row.item for row in gone), sure, line if threshold < line else None)


def without(facts: Facts, gone: Mapping[str, Set[int]]) -> Facts:
    """Return what is known of an item when it has left topics."""
    left = {topic for topic, items in gone.items() if facts.item in items}
    return replace(facts, topics={topic: said for topic, said in facts.topics.items() if topic not in left}) if left else facts


def counts_as(watch: Watch, event: Event, start: str | None, proof: Event | None) -> str:
    """Return what an event is to the question, by the rule of the board: "proof", "answer", "sign", or "outside its time".

    Args:
        start: the day on which the watch named in ``after`` was settled.
        proof: the first answer.
    """
    if event.rung not in watch.answer:
        return "sign"
    if status(watch, [event], event.at, start).proof is None:
        return "outside its time"
    return "proof" if proof and (proof.item, proof.lab) == (event.item, event.lab) else "answer"


def news(watch: Watch, kept: Iterable[Kept], start: str | None = None) -> News:
    """Return what the digests would tell: the question moves when a rung is new.

    An answer of a story not yet told is a further one. What is quiet is never mailed, and makes what says the same later no news either.

    Args:
        start: the day on which the watch named in ``after`` was settled.
    """
    rungs: set[tuple[str, str]] = set()
    answers: set[tuple[str, str, int]] = set()
    days: dict[str, None] = {}
    further = 0
    for one in sorted(kept, key=lambda one: (one.found_at[:10], not one.quiet, one.event.at)):
        event = one.event
        rung, answer = (event.rung, event.lab if watch.first_per else ""), (event.rung, event.lab, one.story or event.item)
        if not one.quiet and rung not in rungs:
            days[one.found_at[:10]] = None
        elif not one.quiet and not watch.first_per and answer not in answers:
            further += counts_as(watch, event, start, None) == "answer"
        rungs.add(rung)
        answers.add(answer)
    return News(tuple(days), further)


def _kept(event: Event, item: Shown) -> Kept:
    """As a run on the day on which the item came would have kept it."""
    return Kept(event, item.first_seen_at, item.backlog, item.story)


def _outcome(watch: Watch, kept: Sequence[Kept], near: Sequence[Missed], seen: str, start: str | None) -> Outcome:
    events = one_per_story(kept)
    if watch.first_per == "lab":
        first: dict[tuple[str, str], Event] = {}
        for event in events:
            first.setdefault((event.lab, event.rung), event)
        events = list(first.values())
    ordered = sorted(near, key=lambda one: (one.at, one.item))
    state = status(watch, events, seen, start)
    kinds = {(event.item, event.lab): counts_as(watch, event, start, state.proof) for event in events}
    quiet = frozenset(one.event.item for one in kept if one.quiet)
    counted_from = start if watch.after else watch.since
    return Outcome(state, counted_from, tuple(events), tuple(ordered), news(watch, kept, start), kinds, quiet)


def _compared(watch: Watch, tried: Outcome, saved: Outcome | None, shown: Mapping[int, Shown]) -> Trial:
    if saved is None:
        return Trial(watch, tried, None)

    def said(event: Event) -> tuple[object, ...]:
        return shown[event.item].story or event.item, event.lab, event.rung

    new, old = set(map(said, tried.events)), set(map(said, saved.events))
    came = tuple(event for event in tried.events if said(event) not in old)
    went = tuple(event for event in saved.events if said(event) not in new)
    return Trial(watch, tried, saved, came, went)


# -- reading ----------------------------------------------------------------------------------------


def settled(db: sqlite3.Connection, saved: Sequence[Watch], now: datetime, day: str) -> dict[str, str]:
    """Return the day on which each watch was answered, as the board of a day says."""
    rows = board(db, Config("", None, None, (), (), (), tuple(saved)), now, day)
    return {watch.id: state.proof.at[:10] for watch, state, _ in rows if state.proof}


def run(
    db: sqlite3.Connection,
    tried: Sequence[tuple[Watch, Watch | None]],
    thresholds: Mapping[str, float],
    topics: Mapping[str, tuple[float | None, float]],
    since: str,
    until: str,
    answered: Mapping[str, str] | None = None,
) -> Trials:
    """Return what watches and thresholds would have done with the items first seen from one day to another. Reads only.

    Args:
        tried: each watch with the one that is saved, if there is one.
        topics: of the topics with another threshold, the saved one (None: the model's) and the score up to which nothing is stored.
        answered: the day on which each saved watch was answered (``settled``), for those that others come ``after``.
    """
    after, last = trials.span(since, until)
    shifts = [shift(topic, line, *topics[topic], trials.scores(db, topic, after, last)) for topic, line in thresholds.items()]
    gone = {one.topic: one.gone for one in shifts}
    asked = list({id(watch): watch for pair in tried for watch in pair if watch}.values())
    events: dict[int, list[Event]] = {id(watch): [] for watch in asked}
    near: dict[int, list[Missed]] = {id(watch): [] for watch in asked}
    new = {id(watch) for watch, _ in tried}
    looked = 0
    for facts in _items(db, asked, after, last):
        looked += 1
        moved = without(facts, gone)
        for watch in asked:
            known = moved if id(watch) in new else facts
            events[id(watch)] += match(watch, known)
            near[id(watch)] += missed(watch, known)
    named = {event.item for found in events.values() for event in found} | {one.item for found in near.values() for one in found}
    shown = trials.shown(db, named)
    seen = min(until, (watches.looks(db).until or until)[:10])

    def outcome(watch: Watch, start: str | None) -> Outcome:
        return _outcome(watch, [_kept(event, shown[event.item]) for event in events[id(watch)]], near[id(watch)], seen, start)

    stored = answered or {}
    edited = {watch.id for watch, saved in tried if watch != saved or not gone.keys().isdisjoint(watch.topics)}
    outcomes: dict[str, Outcome] = {}
    for watch in _in_order([watch for watch, _ in tried]):
        outcomes[watch.id] = outcome(watch, _start(watch, outcomes if watch.after in edited else {}, stored, since))
    before = {saved.id: outcome(saved, _start(saved, {}, stored, since)) for _, saved in tried if saved}
    done = [_compared(watch, outcomes[watch.id], before.get(watch.id), shown) for watch, _ in tried]
    return Trials(since, until, looked, tuple(done), tuple(shifts), shown)


def _in_order(asked: Sequence[Watch]) -> list[Watch]:
    """With each watch behind the one that it comes ``after``."""
    placed: list[Watch] = []
    left = list(asked)
    while left:
        ids = {watch.id for watch in left}
        ready = [watch for watch in left if watch.after not in ids] or left  # a ring: no draft may have one
        placed += ready
        left = [watch for watch in left if watch not in ready]
    return placed


def _start(watch: Watch, outcomes: Mapping[str, Outcome], stored: Mapping[str, str], since: str) -> str | None:
    """The day on which the watch was answered that this one comes ``after``: as the trial says, if that one is tried too.

    What was answered before the span stays so: the trial cannot know of it.
    """
    named = watch.after or ""
    day = stored.get(named)
    if named not in outcomes:
        return day
    proof = outcomes[named].state.proof
    known = [*([day] if day and day < since else []), *([proof.at[:10]] if proof else [])]
    return min(known, default=None)


def _items(db: sqlite3.Connection, asked: Sequence[Watch], after: int, last: int) -> Iterator[Facts]:
    """The items beyond an id, up to another, that the watches could concern, oldest first.

    Those on a topic; of the others, labs and topics are read only of what says a phrase.
    """
    of_a_lab = all(watch.by or watch.about for watch in asked)
    topics = {topic for watch in asked if not watch.phrases for topic in watch.topics}
    found = trials.on_topics(db, topics, after, last, of_a_lab=of_a_lab) if topics else set[int]()
    if phrases := sorted({phrase for watch in asked for phrase in watch.phrases}):
        rules = compile_rules(phrases)
        found |= {item for item, text in trials.texts(db, after, last, of_a_lab=of_a_lab) if item not in found and rules.find(text)}
    ordered = sorted(found)
    for n in range(0, len(ordered), BATCH):
        yield from watches.facts(db, ordered[n : n + BATCH])
