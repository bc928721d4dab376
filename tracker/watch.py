"""Watch: which items answer a standing question, how, and since when.

in   items in ``pending(watch)``: new ones, and those that were edited or tagged anew; the whole span for a new or edited watch
out  rows in ``rungs`` and ``watch_events``; stories told anew where an item in them has changed; the board
A rung says what kind of evidence an item is; rungs are no ladder: a product never answers "is there a paper?". By a lab needs an
attribution; a lab named in a title is only about it. An event whose ground is gone is withdrawn, with the day, never deleted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from tracker.clock import iso
from tracker.config import Config
from tracker.patterns import compile_rules
from tracker.store import stories, transaction, watches
from tracker.types import RUNGS, Event, Facts, Watch

__all__ = ["Status", "Watched", "board", "match", "rung_of", "rungs_of", "status", "story_rungs", "study_cue", "watch"]

BATCH = 500

# An official page that presents a study, not only announces one: by its address, by the name of such documents in its title, or, if it
# tells a result, by the words with which a text presents its paper.
_STUDY_PATH = re.compile(
    r"/(?:research|science|publications?|(?:public_)?papers?|reports?)/[^/?#]+|system-?card|technical-?report|\.pdf(?:$|[?#])"
    r"|^https?://(?:www\.)?(?:(?:research|alignment|red)\.[^/]+|[^/]+\.pub)/[^/?#]+",
    re.IGNORECASE,
)
_STUDY_TITLE = re.compile(r"\b(?:system card|technical report|research note|white ?paper|paper)\b", re.IGNORECASE)
_STUDY_TEXT = re.compile(
    r"\b(?:this|our|a|the|new) (?:new |accompanying |research )*(?:paper|study|preprint|technical report)\b", re.IGNORECASE
)
_STUDY_TEXT_READ = 400  # characters: where a post says what it presents; further down papers are only cited


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


@dataclass(frozen=True, slots=True)
class Watched:
    """The result of a batch: items looked at, events found, events withdrawn."""

    items: int = 0
    events: int = 0
    withdrawn: int = 0


# -- decisions (pure) -------------------------------------------------------------------------------


def rung_of(facts: Facts, lab: str) -> tuple[str, str]:
    """Return the kind of evidence the item is for a lab, and the cue that says so.

    What presents a study is published although it is also released ("the system card is now available"); a release that only links to a
    paper is shipped.
    """
    if lab not in facts.by:
        return "reported", f"about the lab, not by it ({facts.about.get(lab, '')})"
    if facts.origin == "paper":
        return "published", "a paper"
    if found := study_cue(facts):
        return "published", found
    if facts.act == "release":
        return "shipped", f"released: “{facts.act_cue}”"
    if paper := _presented(facts):
        return "published", f"presents a paper: {paper}"
    return "stated", "a page of the lab"


def study_cue(facts: Facts) -> str | None:
    """What says that a lab's own page presents a study, or None.

    Advice and announcements stand on the pages of studies too: there, and only there, the act has the say.
    """
    if found := _STUDY_TITLE.search(facts.title):
        return f"a publication: “{found[0]}”"
    if facts.act not in ("opinion", "announcement") and (found := _STUDY_PATH.search(facts.url or "")):
        return f"a publication page: “{found[0]}”"
    if facts.act == "result" and (found := _STUDY_TEXT.search(facts.text[:_STUDY_TEXT_READ])):
        return f"presents a study: “{found[0]}”"
    return None


def _presented(facts: Facts) -> str | None:
    """The linked paper that the item presents; of a PDF, which may be a form or a letter, only if the item tells a result."""
    papers = (key for key in sorted(facts.links) if key.startswith("arxiv:") or facts.act == "result")
    return next(papers, None)


def rungs_of(facts: Facts) -> list[tuple[str, str, str]]:
    """Return (rung, lab, cue) for each lab that the item is by, else about; a parent counts through its child alone.

    What is neither by a lab nor about one reports, with the lab ""; a paper of nobody we know is no rung at all.
    """
    known = facts.by or facts.about
    if not known:
        return [] if facts.origin == "paper" else [("reported", "", "by no lab and about none")]
    labs = [lab for lab, how in known.items() if not how.startswith("parent of")]
    return [(rung, lab, cue) for lab in labs for rung, cue in [rung_of(facts, lab)]]


def story_rungs(present: Iterable[str]) -> tuple[str, ...]:
    """Return the rungs of a story from those of its items, in the order of the ladder: others beside the lab's own word add none.

    >>> story_rungs({"stated", "reported", "published"}), story_rungs({"reported"})
    (('stated', 'published'), ('reported',))
    """
    among = set(present)
    return tuple(rung for rung in RUNGS if rung in among and (rung != "reported" or among == {rung}))


def match(watch: Watch, facts: Facts) -> list[Event]:
    """Return the events of a watch that an item is: at most one a lab, none outside ``since`` and ``until``."""
    day = facts.at[:10]
    if (watch.since and day < watch.since) or (watch.until and day > watch.until):
        return []
    ground = _ground(watch, facts)
    if ground is None:
        return []
    score, why = ground
    events = []
    for lab, how in _labs(watch, facts).items():
        rung, cue = rung_of(facts, lab)
        cue = cue if facts.dated else f"{cue}; it bears no date, first seen {facts.at[:10]}"
        events.append(
            Event(watch.id, facts.item, lab, rung, facts.at, score, (why, f"{'by' if lab in facts.by else 'about'} {lab} ({how})", cue))
        )
    return events


def _ground(watch: Watch, facts: Facts) -> tuple[float, str] | None:
    """The topic at the confident tier, or the phrase, that makes the item bear on the question."""
    if watch.phrases:
        found = compile_rules(watch.phrases).find(f"{facts.title}\n{facts.text}")
        return (1.0, f"says “{found[0]}”") if found else None
    sure = [(score, topic) for topic in watch.topics for score, tier in [facts.topics.get(topic, (0.0, ""))] if tier == "confident"]
    if not sure:
        return None
    score, topic = max(sure)
    return score, f"on {topic} ({score:.2f})"


def _labs(watch: Watch, facts: Facts) -> dict[str, str]:
    """The labs the watch asks for that the item is by or, for the rung reported, about."""
    if not watch.by and not watch.about:
        return {"": "any source"}
    by = _asked(watch.by, facts.by, watch.not_by)
    # One item is one answer for a lab: by it, else about it; and what a lab itself writes is never "reported" about another.
    return by or ({} if facts.by else _asked(watch.about, facts.about, watch.not_by))


# How the store says that a lab is the parent of others: alone, or behind a way of its own in which the lab is known.
_PARENT_OF = re.compile(r"(?:^|; )parent of ([\w-]+(?:, [\w-]+)*)$")


def _asked(wanted: Sequence[str], present: Mapping[str, str], unwanted: Sequence[str]) -> dict[str, str]:
    """The labs present that are wanted, children of unwanted ones left out; a child that is wanted itself speaks for its parent."""
    children = {lab: found[1].split(", ") if (found := _PARENT_OF.search(how)) else [] for lab, how in present.items()}
    out = _with_children(unwanted, children)
    asked = [lab for lab in (present if "any" in wanted else wanted) if lab in present and lab not in out]
    return {lab: present[lab] for lab in asked if not present[lab].startswith("parent of") or _speaks(lab, asked, children, out)}


def _speaks(lab: str, asked: Sequence[str], children: Mapping[str, Sequence[str]], out: set[str]) -> bool:
    """Whether a lab that is only the parent of others adds anything: none of them is asked for, and one of them counts."""
    below = _with_children(children[lab], children)
    return below.isdisjoint(asked) and any(child not in out and not children.get(child) for child in below)


def _with_children(labs: Sequence[str], children: Mapping[str, Sequence[str]]) -> set[str]:
    found, new = set[str](), set(labs)
    while new:
        found |= new
        new = {child for lab in new for child in children.get(lab, ())} - found
    return found


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


def _first_per_lab(events: Sequence[Event]) -> list[Event]:
    """Each lab's first event of each rung, so that press never hides the lab's own word; an earlier one found later moves it back."""
    first: dict[tuple[str, str], Event] = {}
    for event in sorted(events, key=lambda event: (event.at, event.item)):
        first.setdefault((event.lab, event.rung), event)
    return list(first.values())


# -- the loop ---------------------------------------------------------------------------------------


def watch(db: sqlite3.Connection, config: Config, *, now: datetime) -> Iterator[Watched]:
    """Match what waits against every watch, then the whole span against a new or edited one; yield a result a batch.

    What a watch finds by looking back is ``quiet``: shown on the board, never mailed. The queue comes first, since what is in it is news
    to an edited watch as well; an event, once stored, keeps its ``quiet``. So a run that is killed anywhere ends as an undisturbed one:
    an item is looked back at only when it has been through the queue.
    """
    with transaction(db):
        looking = watches.sync(db, config.watches, iso(now))
    while batch := watches.waiting(db, BATCH):
        yield _one_batch(db, config.watches, batch, now)
    fresh = [w for w in config.watches if w.id in looking]
    last = min(looking.values(), default=0)
    while fresh and (batch := watches.archive(db, fresh, last, BATCH)):
        last = batch[-1].item
        yield _one_batch(db, fresh, batch, now, looked_to=last)
    if fresh:
        with transaction(db):
            watches.looked(db, looking, None)


def _one_batch(
    db: sqlite3.Connection, asked: Sequence[Watch], batch: Sequence[Facts], now: datetime, looked_to: int | None = None
) -> Watched:
    """Match and store; with ``looked_to`` the watches look back: what they find is quiet, and where they are is stored with it."""
    found = [(facts.item, [event for w in asked for event in match(w, facts)]) for facts in batch]
    kinds = {facts.item: rungs_of(facts) for facts in batch}
    items = [facts.item for facts in batch]
    with transaction(db):
        watches.put_rungs(db, kinds)
        events, withdrawn = watches.save(db, [w.id for w in asked], found, iso(now), quiet=looked_to is not None)
        if looked_to is None:
            stories.retell(db, items)  # an edited item comes by here again: its title or rank may be another
            watches.done(db, items)
        else:
            watches.looked(db, [w.id for w in asked], looked_to)
    return Watched(len(batch), events, withdrawn)


def board(db: sqlite3.Connection, config: Config, now: datetime) -> list[tuple[Watch, Status, list[Event]]]:
    """Return every watch with its state and the events that stand, in the order of feeds.toml.

    The state is that of the last look, not of ``now``: a tracker that has not run since June knows nothing of July.
    """
    looked_from, as_of = watches.looks(db)
    seen = min(iso(now), as_of) if as_of else iso(now)
    events = watches.events(db)
    kept = {w.id: _first_per_lab(events.get(w.id, [])) if w.first_per == "lab" else events.get(w.id, []) for w in config.watches}
    states: dict[str, Status] = {}
    for w in config.watches:
        proof = states[w.after].proof if w.after in states else None
        found = status(w, kept[w.id], seen, proof.at[:10] if proof else None)
        states[w.id] = replace(found, as_of=as_of and seen, looked_from=looked_from)
    return [(w, states[w.id], kept[w.id]) for w in config.watches]
