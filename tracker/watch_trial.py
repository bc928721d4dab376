"""See before you save: what a watch, or another threshold of a topic, would have done over a span of days.

in   the watches as they would be and as they are; the items of that span, as tagged and grouped now: news by the day on which it came,
     what was there before by its own
out  for each watch its events, near-misses and days of mail, beside those of the watch as it is; for each topic which items leave it
refuses to write, to tag and to read files.
Surprising: a trial begins with nothing known, as if the question had first been asked on the first day of the span; so its first sign of
each rung is always news. Scores that lie below the line of a topic are not stored: what a lower one would bring is not known here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from tracker.store import trials, watches
from tracker.store.trials import Scored, Shown
from tracker.types import Event, Facts, Kept, Missed, Watch
from tracker.watch import match, missed, one_per_story

__all__ = ["Outcome", "Shift", "Trial", "Trials", "mail_days", "pairs", "run", "shift", "without"]

BATCH = 2_000  # items looked at together: their texts fit into some MB


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a watch makes of the items of a span: events, one a story, lab and rung; near-misses; the days on which a mail has news."""

    events: tuple[Event, ...] = ()
    missed: tuple[Missed, ...] = ()
    mails: Mapping[str, bool] = field(default_factory=dict)  # by day: whether the question moves on it
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
    items: int  # that were looked at
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
            **self._outcome(trial.tried),
            "saved": trial.saved and self._outcome(trial.saved),
            "would_come": [self._event(event, trial.tried) for event in trial.came],
            "would_go": [self._event(event, trial.saved or Outcome()) for event in trial.went],
        }

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "events": [self._event(event, outcome) for event in outcome.events],
            "just_missed": [self._event(one, outcome) for one in outcome.missed],
            "mails": len(outcome.mails),
            "mail_days": list(outcome.mails),
            "moved_days": [day for day, moves in outcome.mails.items() if moves],
        }

    def _event(self, one: Event | Missed, outcome: Outcome) -> dict[str, Any]:
        item = self.shown[one.item]
        return {
            "at": one.at, "rung": one.rung, "lab": one.lab, "item": one.item, "key": item.key, "title": item.title, "url": item.url,
            "story": item.story, "score": one.score, "reason": list(one.reason), "further": len(getattr(one, "further", ())),
            "backlog": one.item in outcome.quiet,
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


def mail_days(watch: Watch, kept: Iterable[Kept]) -> dict[str, bool]:
    """Return the days on which a mail has news for a watch, and whether the question moves on it: whether a rung is new.

    News is a rung that is new, or an answer that is none of a story already told. What is quiet is never mailed, and makes what says the
    same later no news either.
    """
    rungs: set[tuple[str, str]] = set()
    answers: set[tuple[str, str, int]] = set()
    days: dict[str, bool] = {}
    for one in sorted(kept, key=lambda one: (one.found_at[:10], not one.quiet, one.event.at)):
        event, day = one.event, one.found_at[:10]
        rung, answer = (event.rung, event.lab if watch.first_per else ""), (event.rung, event.lab, one.story or event.item)
        moves, settles = rung not in rungs, event.rung in watch.answer and not watch.first_per and answer not in answers
        if not one.quiet and (moves or settles):
            days[day] = days.get(day, False) or moves
        rungs.add(rung)
        answers.add(answer)
    return days


def _kept(event: Event, item: Shown) -> Kept:
    """As a run on the day on which the item came would have kept it."""
    return Kept(event, item.first_seen_at, item.backlog, item.story)


def _outcome(watch: Watch, kept: Sequence[Kept], near: Sequence[Missed]) -> Outcome:
    events = one_per_story(kept)
    if watch.first_per == "lab":
        first: dict[tuple[str, str], Event] = {}
        for event in events:
            first.setdefault((event.lab, event.rung), event)
        events = list(first.values())
    ordered = sorted(near, key=lambda one: (one.at, one.item))
    quiet = frozenset(one.event.item for one in kept if one.quiet)
    return Outcome(tuple(events), tuple(ordered), mail_days(watch, kept), quiet)


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


def run(
    db: sqlite3.Connection,
    tried: Sequence[tuple[Watch, Watch | None]],
    thresholds: Mapping[str, float],
    topics: Mapping[str, tuple[float | None, float]],
    since: str,
    until: str,
) -> Trials:
    """Return what watches and thresholds would have done with the items first seen from one day to another. Reads only.

    Args:
        tried: each watch with the one that is saved, if there is one.
        topics: of the topics with another threshold, the saved one (None: the model's) and the score up to which nothing is stored.
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

    def outcome(watch: Watch) -> Outcome:
        return _outcome(watch, [_kept(event, shown[event.item]) for event in events[id(watch)]], near[id(watch)])

    done = [_compared(watch, outcome(watch), outcome(saved) if saved else None, shown) for watch, saved in tried]
    return Trials(since, until, looked, tuple(done), tuple(shifts), shown)


def _items(db: sqlite3.Connection, asked: Sequence[Watch], after: int, last: int) -> Iterator[Facts]:
    """The items beyond an id, up to another, that the watches could concern, oldest first."""
    while asked and after < last and (batch := watches.archive(db, asked, after, BATCH)):
        yield from (facts for facts in batch if facts.item <= last)
        after = batch[-1].item
