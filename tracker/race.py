"""Race: how many items and stories each week has, who says most on a topic, and who follows whom.

in   the weeks in which something that counts has changed (triggers mark them: migrations/sixth.py)
out  rows in ``weekly``, ``race`` and ``responses``; what stays the same is not written
A stale week is counted whole, in one transaction that also takes its mark away: a run that is killed goes on where it was. Race and
responses are worked out anew from the items of a year, whatever the size of the archive, once any week was counted or a week has begun.
Only what was seen counts: a lab without a row is one of which nothing is known, and who has not followed is shown as waited for only if
a habit of speaking on the topic says so. Small numbers carry intervals, and volume is corrected for: a lab that publishes ten times as
much is not ten times as keen.
"""

from __future__ import annotations

import math
import sqlite3
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from operator import attrgetter

from tracker.clock import parse
from tracker.store import race as board
from tracker.store import transaction, weekly
from tracker.store.race import Response, Standing, Volumes
from tracker.store.weekly import Cell, Seen

__all__ = ["Counted", "Word", "count", "poisson", "responses", "standings", "tally", "wilson", "words"]

WEEKS = 26  # of the race, the present one included
WITHIN_DAYS = 60  # after a story: what comes later answers something else
HABIT_DAYS = 180  # before a story: what a lab says on the topic anyway
MIN_KNOWN_DAYS = 30  # of them, for a habit to be told: a source that was added last week has none
_Z = 1.959964  # of a two-sided 95 % interval
_TAIL = 0.025
_OWN = ("stated", "published", "shipped")  # the rungs of what a lab says itself

Family = Mapping[str, Sequence[tuple[str, str]]]  # {lab: [(itself or a lab it belongs to, since when)]}


@dataclass(frozen=True, slots=True)
class Counted:
    """The result of the stage: weeks counted, rows that changed."""

    weeks: int = 0
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """An item on a topic by a lab, or by a child of it, or reported about it; ``rung`` is empty while it is not known.

    ``at`` of what bears no date, or no hour, is the midnight of its day. ``sure``: it was news then; what was there, undated, before we
    looked is not news of the day on which we looked.
    """

    item: int
    day: str
    at: str
    story: int | None
    rung: str
    sure: bool = True


# -- decisions (pure) -------------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def poisson(count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of the mean of a Poisson count (Garwood 1936, Biometrika 28:437).

    The least mean under which so many or more have 2.5 %, and the greatest under which so few or fewer have.

    >>> [round(limit, 3) for limit in poisson(3)]
    [0.619, 8.767]
    """
    low = _mean_at(count - 1, 1 - _TAIL) if count else 0.0
    return low, _mean_at(count, _TAIL)


def _mean_at(most: int, probability: float) -> float:
    """The mean of the Poisson distribution under which ``most`` or fewer have that probability; it falls as the mean grows."""
    low, high = 0.0, most + 10 * math.sqrt(most + 1) + 10
    for _ in range(60):
        mean = (low + high) / 2
        low, high = (mean, high) if _at_most(most, mean) > probability else (low, mean)
    return (low + high) / 2


def _at_most(most: int, mean: float) -> float:
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22:209).

    >>> [round(limit, 4) for limit in wilson(81, 263)]
    [0.2553, 0.3662]
    """
    share, z2 = part / whole, _Z * _Z
    middle, half = share + z2 / (2 * whole), _Z * math.sqrt(share * (1 - share) / whole + z2 / (4 * whole * whole))
    return max(0.0, (middle - half) / (1 + z2 / whole)), min(1.0, (middle + half) / (1 + z2 / whole))


def tally(items: Iterable[Seen], family: Family) -> dict[Cell, tuple[int, int]]:
    """Return {(topic, lab, relation): (items, stories)}; "" is every topic, and every lab in no relation."""
    counts: dict[Cell, int] = defaultdict(int)
    stories: dict[Cell, set[int]] = defaultdict(set)
    for seen in items:
        for topic in ("", *seen.topics):
            for lab, relation in (("", ""), *_attributed(seen, family)):
                counts[topic, lab, relation] += 1
                stories[topic, lab, relation] |= set() if seen.story is None else {seen.story}
    return {cell: (number, len(stories[cell])) for cell, number in counts.items()}


def _attributed(seen: Seen, family: Family) -> set[tuple[str, str]]:
    return {(lab, relation) for named, relation in seen.labs for lab in _up(named, seen.day, family)}


def _up(lab: str, day: str, family: Family) -> set[str]:
    """A lab and all that it belongs to on a day."""
    return {parent for parent, since in family.get(lab, ()) if since <= day}


def words(items: Iterable[Seen], family: Family) -> dict[str, dict[str, list[Word]]]:
    """Return {topic: {lab: what it has said, and what is reported about it, oldest first}}; what a lab says is no report about it."""
    found: dict[str, dict[str, list[Word]]] = {}
    for seen in sorted(items, key=lambda seen: (seen.day, seen.at, seen.item)):
        about = (lab for lab, rung in seen.rungs.items() if rung == "reported")
        rungs = {lab: "reported" for named in about for lab in _up(named, seen.day, family)}
        for named in sorted(lab for lab, relation in seen.labs if relation == "by"):
            rungs |= dict.fromkeys(_up(named, seen.day, family), seen.rungs.get(named, ""))
        at = seen.at if seen.dated else f"{seen.day}T00:00:00Z"
        for topic in seen.topics:
            for lab, rung in rungs.items():
                word = Word(seen.item, seen.day, at, seen.story, rung, seen.dated or not seen.backlog)
                found.setdefault(topic, {}).setdefault(lab, []).append(word)
    return found


def standings(said: Mapping[str, Sequence[Word]], since: str, volumes: Volumes) -> list[Standing]:
    """Return how each lab stands on a topic, by what it has said since a day."""
    lately = {lab: new for lab, spoken in said.items() if (new := [word for word in spoken if word.day >= since])}
    by_any = {word.item for spoken in lately.values() for word in spoken if word.rung != "reported"}
    usual = len(by_any) / volumes.by_any if volumes.by_any else None
    return [_standing(lab, spoken, since, volumes.by_lab.get(lab, 0), usual) for lab, spoken in sorted(lately.items())]


def _standing(lab: str, spoken: Sequence[Word], since: str, volume: int, usual: float | None) -> Standing:
    own = [word for word in spoken if word.rung != "reported"]
    stories = _stories(own)
    low, high = poisson(stories)
    whole = max(volume, len(own))  # what a person labels while this runs may be ahead of the counts
    share = len(own) / whole if whole else None
    share_low, share_high = wilson(len(own), whole) if whole else (None, None)
    times = round(share / usual, 2) if share is not None and usual else None
    return Standing(
        lab, since, stories, round(low, 2), round(high, 2), len(own), whole,
        _rounded(share), _rounded(share_low), _rounded(share_high), _rounded(usual), times,
        own[0].item if own else None, own[-1].item if own else None,
        *(_stories([word for word in spoken if word.rung == rung]) for rung in (*_OWN, "reported")),
    )  # fmt: skip


def _stories(spoken: Iterable[Word]) -> int:
    return len({word.story for word in spoken if word.story is not None})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def responses(said: Mapping[str, Sequence[Word]], family: Family, since: str, known_from: Mapping[str, str]) -> list[Response]:
    """Return who followed each story in which a lab speaks on a topic from a day on, and who had the habit and has not.

    To follow is the first item of one's own on the topic, later and within ``WITHIN_DAYS``, in another story and not by that lab as well.
    """
    own = {lab: heard for lab, spoken in said.items() if (heard := [word for word in spoken if word.sure and word.rung in _OWN])}
    found = []
    for lab, spoken in sorted(own.items()):
        mine = {word.item for word in spoken}
        for told in _openings(spoken, since):
            above = _up(lab, told.day, family)
            rivals = (other for other in own if other not in above and lab not in _up(other, told.day, family))
            pairs = (_response(lab, told, mine, other, own[other], known_from.get(other, told.day)) for other in rivals)
            found += [pair for pair in pairs if pair]
    return found


def _openings(spoken: Iterable[Word], since: str) -> list[Word]:
    """The first word of a lab in each story, of the stories that it opens or joins from a day on."""
    first: dict[int, Word] = {}
    for word in spoken:
        if word.story is not None:
            first.setdefault(word.story, word)
    return [word for word in first.values() if word.day >= since]


def _after(told: Word, word: Word) -> bool:
    """Whether a word surely came later: of a shared day only the hours tell, if both have one."""
    return word.day > told.day or (_timed(told, word) and word.at > told.at)


def _timed(*spoken: Word) -> bool:
    """Whether all have an hour."""
    return all(not word.at.endswith("T00:00:00Z") for word in spoken)


def _days(told: Word, word: Word) -> float:
    if _timed(told, word):
        return round((parse(word.at) - parse(told.at)) / timedelta(days=1), 1)
    return float((date.fromisoformat(word.day) - date.fromisoformat(told.day)).days)


def _response(lab: str, told: Word, mine: Container[int], other: str, theirs: Sequence[Word], known_from: str) -> Response | None:
    """How another lab followed, or that it is waited for; None if it has not followed and had no habit of speaking on the topic."""
    assert told.story is not None
    start, end = _place(theirs, told.day), _place(theirs, _shifted(told.day, WITHIN_DAYS + 1))
    before = start - _place(theirs, _shifted(told.day, -HABIT_DAYS))
    later = (word for word in islice(theirs, start, end) if word.story != told.story and word.item not in mine and _after(told, word))
    answer = next(later, None)
    if not (answer or before):
        return None
    days = _days(told, answer) if answer else None
    known = min((date.fromisoformat(told.day) - date.fromisoformat(known_from)).days, HABIT_DAYS)
    habit = known >= MIN_KNOWN_DAYS
    chances = [_chance(mean / known, days) if habit else None for mean in (before, *poisson(before))]
    return Response(
        told.story, lab, other, told.item, told.at,
        answer.item if answer else None, answer.at if answer else None, answer.rung if answer else None, days,
        before, round(known / before, 1) if habit and before else None, *chances,
    )  # fmt: skip


def _place(spoken: Sequence[Word], day: str) -> int:
    """How many words are older than that day."""
    return bisect_left(spoken, day, key=attrgetter("day"))


@lru_cache(maxsize=4096)
def _shifted(day: str, days: int) -> str:
    return f"{date.fromisoformat(day) + timedelta(days)}"


def _chance(rate: float, days: float | None) -> float | None:
    """How probable a word within so many days is, by a rate a day alone."""
    return None if days is None else round(1 - math.exp(-rate * days), 3)


# -- the loop ---------------------------------------------------------------------------------------


def count(db: sqlite3.Connection, *, now: datetime) -> Counted:
    """Count the stale weeks, one transaction each; then, if there were any or a week has begun, work out the race, a topic each."""
    stale, family, rows = weekly.stale(db), weekly.family(db), 0
    weeks = [week for week in stale if week != weekly.RACE]
    for week in weeks:
        with transaction(db):
            rows += weekly.put(db, week, tally(weekly.seen(db, week, _sunday(week)), family))
    since = f"{now.date() - timedelta(days=now.weekday(), weeks=WEEKS - 1)}"
    if stale or board.period(db) not in (None, since):
        rows += _race(db, family, since, f"{now.date()}")
    return Counted(len(weeks), rows)


def _sunday(week: str) -> str:
    return f"{date.fromordinal(min(date.fromisoformat(week).toordinal() + 6, date.max.toordinal()))}"


def _race(db: sqlite3.Connection, family: Family, since: str, today: str) -> int:
    said = words(weekly.seen(db, _shifted(since, -HABIT_DAYS), today, on_topic=True), family)
    volumes, rows = board.volumes(db, since), 0
    for topic in sorted(said.keys() | board.topics(db)):
        heard = said.get(topic, {})
        found = standings(heard, since, volumes), responses(heard, family, since, volumes.known_from)
        with transaction(db):
            rows += board.put(db, topic, *found)
    with transaction(db):
        board.done(db)
    return rows
