"""How good the standing questions are: the events of a database against a file that says which items answer them.

in   truth files (columns watch, rung, item_url_or_id, date, verdict; others are not looked at); a database that runs have filled
out  per watch and in all what was found, missed (with the reason), fired wrongly, fired beside the file; rungs, delay
refuses to know how a question is matched: it reads what runs have stored, and asks ``watch`` only for why an item is no event.
Surprising: items of one story are one answer. An event on another item of the same story, lab and rung is found "by story". Rows that say
the same of one item and watch count once.
"""

from __future__ import annotations

import re
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tracker.config import Config
from tracker.errors import ModelError
from tracker.examples import rows_of
from tracker.matching import SURE, match
from tracker.patterns import compile_rules
from tracker.show_watch import whose
from tracker.store import browse, labels, trials, watches
from tracker.text import fold, one_line
from tracker.tomlfile import nearest
from tracker.types import RUNGS, Facts, Kept, Missed, Watch
from tracker.watch import board

__all__ = ["COLUMNS", "Judged", "Truth", "judge", "lines", "read", "report", "told"]

COLUMNS = ("watch", "rung", "item_url_or_id", "date", "verdict")
# What people write for an item that must be an event, that must be none, and that they cannot decide.
YES = ("event", "yes", "y", "true", "1", "hit", "answer", "positive", "must fire")
NO = ("near-miss", "near miss", "near", "nearmiss", "no", "n", "false", "0", "none", "negative", "trap", "must not fire")
UNSURE = ("unsure", "unclear", "borderline", "maybe", "?", "skip")
_ARXIV_NUMBER = re.compile(r"\d{4}\.\d{4,5}(?:v\d+)?")
_DAYS_PER_MONTH = 30.44


@dataclass(frozen=True, slots=True)
class Truth:
    """A row: what people say of an item and a watch. ``event`` is None where they cannot decide."""

    line: int
    watch: str
    rungs: tuple[str, ...]  # any of these is right; empty: not said
    named: str
    day: str
    event: bool | None


@dataclass(frozen=True, slots=True)
class Judged:
    """A row beside what the database has. ``how`` is "item" or "story" where it was found, "" where it was not."""

    truth: Truth
    item: int | None
    title: str
    how: str = ""
    found: Kept | None = None  # the event: of the item, else of its story
    why: str = ""  # of what was not found: what the tracker says
    polls: int | None = None  # runs between the first that could have known and the one that found it
    days: int | None = None
    settles: bool = False  # the event is of a rung that answers the question, not a sign on the way


# -- the file ---------------------------------------------------------------------------------------


def read(paths: Iterable[Path], known: Iterable[str]) -> list[Truth]:
    """Return the rows of truth files.

    Args:
        known: the ids of the watches.

    Raises:
        ModelError: a file cannot be read or lacks a column; a row names an unknown watch or rung, has an unknown verdict or no day.
    """
    ids = sorted(known)
    return [truth for path in paths for truth in _of_file(path, ids)]


def _of_file(path: Path, known: Sequence[str]) -> Iterator[Truth]:
    rows = rows_of(path)
    if missing := [column for column in COLUMNS if column not in rows[0]]:
        raise ModelError(f"{path}: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; needed: {', '.join(COLUMNS)}")
    for line, row in enumerate(rows, 2):
        try:
            yield _row(line, {name: row[name].strip() for name in COLUMNS}, known)
        except ValueError as error:
            raise ModelError(f"{path}, line {line}: {error}") from None


def _row(line: int, row: Mapping[str, str], known: Sequence[str]) -> Truth:
    if row["watch"] not in known:
        raise ValueError(f'"{one_line(row["watch"], 60)}" is not a watch of the database{nearest(row["watch"], known)}')
    if not row["item_url_or_id"]:
        raise ValueError("names no item")
    event = _verdict(row["verdict"])
    rungs = tuple(filter(None, re.split(r"[;|,/\s]+", row["rung"].lower())))
    wrong = [rung for rung in rungs if rung not in RUNGS]
    if wrong and event:
        raise ValueError(f'"{one_line(wrong[0], 60)}" is not a rung{nearest(wrong[0], RUNGS)}')
    day = row["date"][:10]
    if day:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise ValueError(f"date must be a day like 2026-06-14, not {one_line(row['date'], 40)!r}") from None
    return Truth(line, row["watch"], tuple(rung for rung in rungs if rung in RUNGS), row["item_url_or_id"], day, event)


def _verdict(text: str) -> bool | None:
    said = fold(text).strip() or text.strip().lower()
    for words, meaning in ((YES, True), (NO, False), (UNSURE, None)):
        if said in {fold(word).strip() or word for word in words}:
            return meaning
    known = f"for an event {', '.join(YES[:5])}, for none {', '.join(NO[:2])}, {', '.join(NO[4:8])}, undecided {', '.join(UNSURE[:3])}"
    raise ValueError(f"verdict {one_line(text, 40)!r} is none of those known: {known}")


# -- beside the database ----------------------------------------------------------------------------


def judge(db: sqlite3.Connection, asked: Sequence[Watch], rows: Sequence[Truth]) -> list[Judged]:
    """Return the rows beside what the database has, watch by watch."""
    questions = {watch.id: watch for watch in asked}
    starts = trials.starts(db)
    named = {row.named: _find(db, row.named) for row in rows}
    seen = trials.shown(db, [item for item in named.values() if item])
    judged = []
    for watch, members in _by_watch(_once(rows, named)).items():
        kept = watches.history(db, watch)
        near = {missed.item: missed for missed in watches.near(db, watch)}
        for row in members:
            item = named[row.named]
            judged.append(_judged(db, row, item, seen.get(item or 0), questions[watch], kept, near.get(item or 0), starts))
    return judged


def _once(rows: Iterable[Truth], named: Mapping[str, int | None]) -> list[Truth]:
    """Without the rows that say of an item what another has said, however they name it; any of their rungs is right."""
    found: dict[tuple[str, int | str, bool | None], Truth] = {}
    for row in rows:
        key = (row.watch, named[row.named] or row.named, row.event)
        if before := found.get(key):
            found[key] = replace(before, rungs=tuple(dict.fromkeys((*before.rungs, *row.rungs))), day=before.day or row.day)
        else:
            found[key] = row
    return list(found.values())


def _by_watch(rows: Sequence[Truth]) -> dict[str, list[Truth]]:
    found: dict[str, list[Truth]] = {}
    for row in rows:
        found.setdefault(row.watch, []).append(row)
    return found


def told(db: sqlite3.Connection, asked: Sequence[Watch], now: datetime) -> list[dict[str, Any]]:
    """Return the events that the board shows, as plain values."""
    answers = {watch.id: watch.answer for watch in asked}
    events = browse.events(db, board(db, Config("", None, None, (), (), (), tuple(asked)), now))
    return [{**event, "settles": event["rung"] in answers[event["watch"]]} for event in events]


def _find(db: sqlite3.Connection, named: str) -> int | None:
    """The item of that key, address, id, or number at arXiv."""
    return labels.find(db, f"arxiv:{named}" if _ARXIV_NUMBER.fullmatch(named) else named)[1]


def _judged(
    db: sqlite3.Connection,
    row: Truth,
    item: int | None,
    seen: trials.Shown | None,
    watch: Watch,
    kept: Sequence[Kept],
    near: Missed | None,
    starts: Sequence[str],
) -> Judged:
    if item is None or seen is None:
        return Judged(row, None, "", why="the item is not known here")
    standing = [one for one in kept if one.withdrawn_at is None]
    own = [one for one in standing if one.event.item == item]
    if own:
        best = min(own, key=lambda one: (bool(row.rungs) and one.event.rung not in row.rungs, one.found_at))
        return _delayed(Judged(row, item, seen.title, "item", best, settles=best.event.rung in watch.answer), starts)
    facts = next(iter(watches.facts(db, [item])), None)
    if row.event and (others := _of_story(row, seen.story, facts, standing)):
        best = min(others, key=lambda one: one.found_at)
        return _delayed(Judged(row, item, seen.title, "story", best, settles=best.event.rung in watch.answer), starts)
    return Judged(row, item, seen.title, why=_why(watch, facts, [one for one in kept if one.event.item == item], near))


def _of_story(row: Truth, story: int | None, facts: Facts | None, standing: Sequence[Kept]) -> list[Kept]:
    """The events on other items of a story that answer the same: of the rung, and of a lab of the item if any is known."""
    labs = {*facts.by, *facts.about} if facts else set()
    return [
        one
        for one in standing
        if story is not None and one.story == story and one.event.rung in (row.rungs or RUNGS) and (not labs or one.event.lab in labs)
    ]


def _delayed(one: Judged, starts: Sequence[str]) -> Judged:
    """With the runs between the first that could have known – of its day, or the first of all – and the one that found it."""
    if one.found is None or not starts:
        return one
    day = one.truth.day or one.found.event.at[:10]
    first = bisect_left(starts, day)
    if first == len(starts):  # the file dates it later than any run
        return replace(one, polls=0, days=0)
    polls = bisect_right(starts, one.found.found_at) - 1 - first
    days = (date.fromisoformat(one.found.found_at[:10]) - date.fromisoformat(starts[first][:10])).days
    return replace(one, polls=max(polls, 0), days=max(days, 0))


def _why(watch: Watch, facts: Facts | None, before: Sequence[Kept], near: Missed | None) -> str:
    """Why an item is no event, as the tracker sees it: the first thing that keeps it from being one."""
    if taken := next((one for one in before if one.withdrawn_at), None):
        return f"taken back on {str(taken.withdrawn_at)[:10]}: {taken.withdrawn_why or 'its ground was gone'}"
    if near:
        return f"a near-miss is kept: {near.reason[-1]}"
    if facts is None:
        return "the item has no text"
    day = facts.at[:10]
    if (watch.since and day < watch.since) or (watch.until and day > watch.until):
        return f"outside its time ({day})"
    if watch.phrases and not compile_rules(watch.phrases).find(f"{facts.title}\n{facts.text}"):
        return "its text has none of the phrases"
    if not watch.phrases and not any(_sure(*facts.topics[topic]) for topic in watch.topics if topic in facts.topics):
        tiers = [f"{topic} {facts.topics[topic][0]:.2f}, {facts.topics[topic][1]}" for topic in watch.topics if topic in facts.topics]
        return f"no topic that is sure enough ({'; '.join(tiers) or 'none of its topics at all'})"
    if facts.old and (watch.since or watch.until):
        return "it bears no date and was there before we first looked"
    if not match(watch, facts):
        return f"not by a lab that counts (by {', '.join(facts.by) or 'none'}; about {', '.join(facts.about) or 'none'})"
    return "it would be an event, and no run has looked at it since"


def _sure(score: float, tier: str) -> bool:
    """As ``matching`` has it: what is perhaps on a topic is sure enough for a question from a score on."""
    return tier == "confident" or (tier == "maybe" and score >= SURE)


# -- the report -------------------------------------------------------------------------------------


def report(db: sqlite3.Connection, judged: Sequence[Judged], others: Sequence[Mapping[str, Any]], errors: int | None) -> dict[str, Any]:
    """Return the figures of each watch and of all, and the rows behind them.

    Args:
        others: the events that the board shows (``told``).
        errors: how many rows of each list; None: all.
    """
    beside = _beside(judged, others)
    months = _months(trials.starts(db))
    ids = list(dict.fromkeys(one.truth.watch for one in judged))
    missed = [_plain(one) for one in judged if one.truth.event and not one.how]
    fired = [_plain(one) for one in judged if one.truth.event is False and one.how]
    rungs = [_plain(one) for one in judged if one.truth.event and one.how and not _rung_right(one)]
    return {
        "rows": len(judged),
        "months": round(months, 2),
        "all": _figures(judged, beside, months),
        "watches": {
            watch: _figures([one for one in judged if one.truth.watch == watch], [one for one in beside if one["watch"] == watch], months)
            for watch in ids
        },
        "missed": missed[:errors],
        "near_misses_fired": fired[:errors],
        "wrong_rung": rungs[:errors],
        "other_events": list(beside)[:errors],
        "found": [_plain(one) for one in judged if one.truth.event and one.how][:errors],
    }


def _beside(judged: Sequence[Judged], others: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The events of the watches judged that no row speaks of: neither of an item of theirs nor, as an answer, of story, lab and rung."""
    items = {(one.truth.watch, one.item) for one in judged if one.item}
    answers = {
        (one.truth.watch, one.found.story, one.found.event.lab, rung)
        for one in judged
        if one.truth.event and one.found and one.found.story
        for rung in (one.found.event.rung, *one.truth.rungs)
    }
    asked = {one.truth.watch for one in judged}
    return [
        dict(event)
        for event in others
        if event["watch"] in asked
        and not {(event["watch"], item) for item in (event["item"], *event["further"])} & items
        and (event["watch"], event["story"], event["lab"], event["rung"]) not in answers
    ]


def _months(starts: Sequence[str]) -> float:
    if not starts:
        return 0.0
    return max((date.fromisoformat(starts[-1][:10]) - date.fromisoformat(starts[0][:10])).days + 1, 1) / _DAYS_PER_MONTH


def _figures(judged: Sequence[Judged], beside: Sequence[Mapping[str, Any]], months: float) -> dict[str, Any]:
    events = [one for one in judged if one.truth.event]
    found = [one for one in events if one.how]
    said = [one for one in found if one.truth.rungs]
    near = [one for one in judged if one.truth.event is False]
    fired = [one for one in near if one.how]
    right = sum(map(_rung_right, said))
    return {
        "events": len(events),
        "found": len(found),
        "found_by_story": sum(one.how == "story" for one in found),
        "missed": len(events) - len(found),
        "unknown_items": sum(one.item is None for one in events),
        "recall": _share(len(found), len(events)),
        "near_misses": len(near),
        "near_misses_fired": len(fired),
        "near_misses_fired_share": _share(len(fired), len(near)),
        "near_misses_answering": sum(one.settles for one in fired),
        "other_events": len(beside),
        "other_events_answering": sum(bool(one["settles"]) for one in beside),
        "other_events_a_month": round(len(beside) / months, 2) if months else None,
        "rung_right": right,
        "rung_right_share": _share(right, len(said)),
        "delay_in_polls": _spread([one.polls for one in found if one.polls is not None]),
        "delay_in_days": _spread([one.days for one in found if one.days is not None]),
        "undecided": sum(one.truth.event is None for one in judged),
    }


def _rung_right(one: Judged) -> bool:
    return one.found is not None and (not one.truth.rungs or one.found.event.rung in one.truth.rungs)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _spread(values: Sequence[int]) -> dict[str, float] | None:
    return {"median": median(values), "mean": round(sum(values) / len(values), 2), "most": max(values)} if values else None


def _plain(one: Judged) -> dict[str, Any]:
    event = one.found.event if one.found else None
    return {
        "line": one.truth.line, "watch": one.truth.watch, "item": one.truth.named, "title": one.title, "date": one.truth.day,
        "rung": " or ".join(one.truth.rungs), "how": one.how, "why": one.why or "; ".join(event.reason if event else ()),
        "said": event.rung if event else "", "lab": event.lab if event else "", "settles": one.settles, "polls": one.polls,
        "days": one.days,
    }  # fmt: skip


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report as lines for people."""
    rows, asked = told["rows"], len(told["watches"])
    yield f"{rows} row{'s' * (rows != 1)} on {asked} question{'s' * (asked != 1)}; runs over {told['months']} months"
    yield f"  {'':24} {'found':>12} {'by story':>9} {'near fired':>11} {'other':>6} {'rung right':>11} {'polls later':>12}"
    yield from (_line(watch, part) for watch, part in (*told["watches"].items(), ("all", told["all"])))
    for name, title in (("missed", "missed"), ("near_misses_fired", "near-miss fired"), ("wrong_rung", "wrong rung")):
        for one in told[name]:
            said = f"{one['said'] or '–'} for {one['rung'] or '–'}, " if name == "wrong_rung" else ""
            yield f"{title}: {one['watch']}, {one_line(one['title'] or one['item'], 80)}: {said}{one_line(one['why'], 160)}"
    for one in told["other_events"]:
        yield f"to be read: {one['watch']}, {whose(one)}, {one['at'][:10]}: {one_line(one['title'], 80)}"


def _line(name: str, part: Mapping[str, Any]) -> str:
    delay = part["delay_in_polls"]
    return (
        f"  {name:24} {_of(part['found'], part['events']):>12} {part['found_by_story']:>9} "
        f"{_of(part['near_misses_fired'], part['near_misses']):>11} {part['other_events']:>6} "
        f"{'–' if part['rung_right_share'] is None else format(part['rung_right_share'], '.3f'):>11} "
        f"{'–' if delay is None else format(delay['median'], 'g'):>12}"
    )


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}" if whole else "–"
