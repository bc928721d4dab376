"""Watch: which items answer a standing question, how, and since when.

in   items in ``pending(watch)``: new ones, and those that were edited or tagged anew; the whole span for a new or edited watch
out  rows in ``rungs``, ``watch_events`` and ``near_misses``; stories told anew where an item in them has changed; the board
refuses to know how an item is matched (``matching``). Several items of a story are one answer, which is worked out when the board is
read, since stories merge. An event whose ground is gone is withdrawn, with the day and the reason, never deleted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from tracker.clock import iso
from tracker.config import Config
from tracker.matching import match, missed, rungs_of, taken_back
from tracker.store import stories, transaction, watches
from tracker.store.items import IDS_PER_DAY
from tracker.types import RUNGS, Change, Event, Facts, Kept, Watch

__all__ = [
    "Status", "Watched", "as_known", "board", "one_per_story", "status", "watch",
]  # fmt: skip

BATCH = 500


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a watch (``open``, ``answered``, ``waiting``: day n of m, ``expired``), the rungs seen, the proof, the last sign."""

    state: str
    rungs: tuple[str, ...] = ()
    proof: Event | None = None
    last: Event | None = None
    day: int = 0
    of_days: int = 0
    as_of: str | None = None  # the last time any source answered: the state is known up to then, and not beyond
    looked_from: str | None = None  # the first
    sources: int = 0  # how many sources were looked at …
    gaps: int = 0  # … and how many of them have a gap: a time that cannot be proved complete
    near: int = 0  # how many near-misses are kept
    withdrawn: tuple[Kept, ...] = ()  # what was taken back, or answers no longer, the last first
    looked: str = "yes"  # whether the archive was looked at for the question as it is asked now: "no", "partly", "yes"
    looked_words: str = ""  # the same for people, unless it was: what is not looked for yet has no "none"


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of a batch: items looked at, events found, events withdrawn."""

    items: int = 0
    events: int = 0
    withdrawn: int = 0


# -- decisions (pure) -------------------------------------------------------------------------------


def status(watch: Watch, events: Sequence[Event], now: str, after_day: str | None = None) -> Status:
    """Return the state of a watch from its events (any order). What lies outside its time is a sign, never an answer.

    Args:
        after_day: the day on which the watch named in ``after`` was settled, if it was: nothing answers before.
    """
    day = now[:10]
    ordered = sorted(events, key=lambda event: (event.at, event.item))
    rungs = tuple(rung for rung in RUNGS if any(event.rung == rung for event in ordered))
    start = after_day if watch.after else watch.since
    answers = [event for event in ordered if event.rung in watch.answer and _in_time(watch, event.at[:10], start)]
    facts = Status("open", rungs, answers[0] if answers else None, ordered[-1] if ordered else None)
    if answers:
        return replace(facts, state="answered")
    if watch.within_s and start:
        gone, whole = _days(start, day), watch.within_s // 86_400
        return replace(facts, state="waiting" if gone <= whole else "expired", day=gone, of_days=whole)
    if watch.until:
        start_day = watch.since or day
        gone, whole = _days(start_day, min(day, watch.until)), _days(start_day, watch.until)
        state = "expired" if day > watch.until else "waiting" if day >= start_day else "open"
        return replace(facts, state=state, day=max(gone, 0), of_days=whole)
    return facts


def _in_time(watch: Watch, day: str, start: str | None) -> bool:
    """Whether an answer of that day counts: from ``start`` on, for as long as ``within`` says."""
    if start is None:
        return not watch.after
    return day >= start and not (watch.within_s and _days(start, day) > watch.within_s // 86_400)


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def one_per_story(kept: Sequence[Kept]) -> list[Event]:
    """Return one event a story, lab and rung, oldest first: the earliest, with the items that say the same as ``further``."""
    told: dict[tuple[int, str, str], list[Event]] = {}
    for one in sorted(kept, key=lambda one: (one.event.at, one.event.item)):
        # An item without a story stands alone; ids of items are far beyond those of stories.
        told.setdefault((one.story or one.event.item, one.event.lab, one.event.rung), []).append(one.event)
    return [replace(first, further=tuple(event.item for event in others)) for first, *others in told.values()]


def _first_per_lab(events: Sequence[Event]) -> list[Event]:
    """Each lab's first event of each rung, so that press never hides the lab's own word; an earlier one found later moves it back."""
    first: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=lambda event: (event.at, event.item)):
        first.setdefault((event.lab, event.rung), event)
    return list(first.values())


def _known(one: Kept, as_of: str) -> bool:
    """Whether an event was known on a day. What looking back brings was public then: it counts from the item's own day."""
    since = one.event.at if one.quiet else max(one.event.at, one.found_at)
    return since[:10] <= as_of


def _stands(one: Kept, as_of: str | None) -> bool:
    return one.withdrawn_at is None or (as_of is not None and one.withdrawn_at[:10] > as_of)


# Why an event of an item is taken back while another of the same item comes in its place (``matching.taken_back``).
_REPLACED = re.compile(r"the question was edited$|counts for .+, not for ")


def as_known(kept: Sequence[Kept], as_of: str | None) -> list[Kept]:
    """Return events as they were known at the end of a day (None: now): found by then, and standing unless taken back by then.

    What counts as another rung since says so. What was replaced does not stand beside what replaced it, on no day: what looking back
    brings counts from the item's own day, the day on which its forerunner was known. It is left out of the days before it was taken back.
    """
    past = [_as_counted(one, as_of) for one in kept if as_of is None or _known(one, as_of)]
    stand = {one.event.item for one in past if one.withdrawn_at is None}
    told: list[Kept] = []
    for one in past:
        if one.withdrawn_at is None or not _stands(one, as_of):
            told.append(one)
        elif one.event.item not in stand or not _REPLACED.match(one.withdrawn_why or ""):
            told.append(replace(one, withdrawn_at=None, withdrawn_why=None))
    return told


def _as_counted(one: Kept, as_of: str | None) -> Kept:
    """As it was on that day, with the changes up to it, and in words what it was before them."""
    before = [change for change in one.changes if as_of is None or change.at[:10] <= as_of]
    rungs = [*(change.rung for change in one.changes), one.event.rung][: len(before) + 1]
    said = [words for change, then in zip(before, rungs[1:], strict=True) for words in _was(change, then)]
    if (later := one.changes[len(before) : len(before) + 1]) and later[0].withdrawn_at:
        one = replace(one, withdrawn_at=later[0].withdrawn_at, withdrawn_why=later[0].withdrawn_why)
    return replace(one, event=replace(one.event, rung=rungs[-1], reason=(*one.event.reason, *said)), changes=tuple(before))


def _was(change: Change, then: str) -> Iterator[str]:
    """What an event was before a change, in words; ``then``: its rung from then on."""
    day = change.at[:10]
    if change.withdrawn_at:
        yield f"taken back from {change.withdrawn_at[:10]} until {day} ({change.withdrawn_why or 'why was not kept'})"
    if change.rung != then:
        yield f"counted as {change.rung} until {day}"
    elif change.answered and not change.withdrawn_at:
        yield f"answered until {day}"


def _taken_back(watch: Watch, kept: Iterable[Kept]) -> list[Kept]:
    """What no longer stands, the last first; an answer that has become a sign no longer stands as the answer that it was."""
    gone = []
    for one in kept:
        answered = [change for change in one.changes if change.answered]
        if one.withdrawn_at:
            gone.append(one)
        elif answered and one.event.rung not in watch.answer:
            last = answered[-1]
            why = f"counts as {one.event.rung} now" if last.rung != one.event.rung else f"{last.rung} answers the question no longer"
            gone.append(replace(one, event=replace(one.event, rung=last.rung), withdrawn_at=last.at, withdrawn_why=why))
    return sorted(gone, key=lambda one: one.withdrawn_at or "", reverse=True)


# -- the loop ---------------------------------------------------------------------------------------


def watch(db: sqlite3.Connection, config: Config, *, now: datetime) -> Iterator[Watched]:
    """Match what waits against every watch, then the whole span against a new or edited one; yield a result a batch.

    What a watch finds by looking back is ``quiet``: shown on the board, never mailed. The queue comes first, since what is in it is news
    to an edited watch as well; an event, once stored, keeps its ``quiet``. So a run that is killed anywhere ends as an undisturbed one:
    an item is looked back at only when it has been through the queue.
    """
    with transaction(db):
        looking = watches.sync(db, config.watches, iso(now))
    while done := _one_batch(db, config.watches, lambda: watches.waiting(db, BATCH), now):
        yield done
    fresh = [w for w in config.watches if w.id in looking]
    while fresh and (done := _one_batch(db, fresh, lambda: watches.archive(db, fresh, _looked_to(db, fresh), BATCH), now, back=True)):
        yield done
    if fresh:
        with transaction(db):
            watches.looked(db, looking, None)


def _looked_to(db: sqlite3.Connection, fresh: Sequence[Watch]) -> int:
    """How far back those that look have looked, all of them."""
    return min(watches.looking(db, fresh).values(), default=0)


def _one_batch(
    db: sqlite3.Connection, asked: Sequence[Watch], read: Callable[[], list[Facts]], now: datetime, *, back: bool = False
) -> Watched | None:
    """Read, match and store in one transaction: a label that is given meanwhile waits for it, and is looked at by the next one.

    Returns:
        None where nothing is left.

    Args:
        back: the watches look back: what they find is quiet, and where they are is stored with it.
    """
    with transaction(db):
        batch = read()
        return _store(db, asked, batch, now, back=back) if batch else None


def _store(db: sqlite3.Connection, asked: Sequence[Watch], batch: Sequence[Facts], now: datetime, *, back: bool) -> Watched:
    found = [(facts.item, [event for w in asked for event in match(w, facts)]) for facts in batch]
    near = {facts.item: [one for w in asked for one in missed(w, facts)] for facts in batch}
    kinds = {facts.item: rungs_of(facts) for facts in batch}
    ids, by_id, by_item = [w.id for w in asked], {w.id: w for w in asked}, {facts.item: facts for facts in batch}
    watches.put_rungs(db, kinds)
    events, gone = watches.save(db, ids, found, iso(now), quiet=back)
    watches.explain(db, [(event, taken_back(by_id[event.watch], by_item[event.item], event)) for event in gone])
    watches.save_near(db, ids, near)
    if back:
        watches.looked(db, ids, batch[-1].item)
    else:
        stories.retell(db, by_item)  # an edited item comes by here again: its title or rank may be another
        watches.done(db, by_item)
    return Watched(len(batch), events, len(gone))


def board(db: sqlite3.Connection, config: Config, now: datetime, as_of: str | None = None) -> list[tuple[Watch, Status, list[Event]]]:
    """Return every watch with its state and its answers and signs, one a story, lab and rung, in the order of feeds.toml.

    The state is that of the last look, not of ``now``: a tracker that has not run since June knows nothing of July. What stands for a
    question as it was asked before says nothing of the one that is asked now: of one that still looks back, what it has reached counts.

    Args:
        as_of: a day: what the board would have said at its end. It knows what was found by then and not taken back by then; what was
            found by looking back counts from the item's own day, since it was public then. Stories and questions are today's.
    """
    looks, near, kept = watches.looks(db, as_of), watches.misses(db, as_of), watches.kept(db)
    looking = watches.looking(db, config.watches)
    seen = min(iso(now), looks.until or iso(now), f"{as_of}T23:59:59Z" if as_of else iso(now))
    rows: list[tuple[Watch, Status, list[Event]]] = []
    settled: dict[str, str] = {}
    for w in config.watches:
        reached = looking.get(w.id)
        past = as_known([one for one in kept.get(w.id, []) if reached is None or one.event.item <= reached], as_of)
        events = one_per_story([one for one in past if one.withdrawn_at is None])
        events = _first_per_lab(events) if w.first_per == "lab" else events
        state = status(w, events, seen, settled.get(w.after or ""))
        if state.proof:
            settled[w.id] = state.proof.at[:10]
        state = replace(
            state, as_of=looks.until and seen, looked_from=looks.since, sources=looks.sources, gaps=looks.gaps,
            near=near.get(w.id, 0) if reached is None else 0, withdrawn=tuple(_taken_back(w, past)),
        )  # fmt: skip
        early = as_of is not None and looks.since is not None and as_of < looks.since[:10] and not past
        looked, words = _looked(reached, looks.since if early else None)
        rows.append((w, replace(state, looked=looked, looked_words=words), events))
    return rows


def _looked(reached: int | None, first: str | None) -> tuple[str, str]:
    """Whether the archive was looked at for a question, in a word and in words.

    Args:
        reached: the item up to which it has looked back; 0: none yet; None: it has, to the end.
        first: when anybody looked first, if that is later than the day that is asked about.
    """
    if reached == 0:
        return "no", "not looked yet; the next `tracker run` looks back"
    if first:
        return "no", f"not looked yet; the first look was on {first[:10]}"
    if reached:
        day = str(reached // IDS_PER_DAY)
        return "partly", f"looked back up to {day[:4]}-{day[4:6]}-{day[6:]} so far"
    return "yes", ""
