"""Group: items on one development become one story.

in   items without a story, and those of whose story a person has said something (``pending`` stage "group")
out  one row in ``story_items`` for each, with the reason in words; sometimes a new story, or one that takes in another
knows no network, no clock: how alike two items are says ``tracker.pairing``; here it becomes stories.
An item joins by its average agreement with all of a story, so that no single bridge joins two developments. A batch is decided as a whole,
in an order of its own, so the order in which sources answered does not matter. Later items may join or merge stories; only a person splits:
a story of which somebody has said something is taken apart and decided anew, with what people say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import chain, combinations, product
from math import fsum
from typing import TYPE_CHECKING

from tracker.clock import iso
from tracker.pairing.clusters import clusters
from tracker.pairing.sketch import Sketch, sketch
from tracker.pairing.window import NEAR_DAYS, Window
from tracker.pairing.words import reason
from tracker.store import stories, transaction
from tracker.store.items import IDS_PER_DAY
from tracker.store.stories import Known, Wish

if TYPE_CHECKING:
    from tracker.pairing.model import PairModel

__all__ = ["FIRST", "Grouped", "group"]

_WHOLE = 1_000_000
BATCH = 500  # items that are decided and stored together
FIRST = "first of its story"


@dataclass(frozen=True, slots=True)
class Grouped:
    """The result of a batch: items grouped, those of them that joined others, stories that were taken in by others."""

    items: int = 0
    joined: int = 0
    merged: int = 0


@dataclass(slots=True)
class _Story:
    """A story to be: those that are there and become one, the oldest first, and the items that come to it, in their order."""

    there: list[int] = field(default_factory=list)
    fresh: list[int] = field(default_factory=list)


def group(db: sqlite3.Connection, *, now: datetime, model: PairModel | None = None) -> Iterator[Grouped]:
    """Give every waiting item a story, a batch in a transaction; yield a result a batch.

    Args:
        model: another than the shipped one, to measure it.
    """
    queue = sorted(stories.waiting(db), key=lambda waits: (waits[2], not waits[1].startswith(("arxiv:", "doi:")), waits[1]))
    if not queue:
        return
    from tracker.pairing.model import load  # numpy, which a day without news does not import

    grouping = _Grouping(db, model or load())
    for begin in range(0, len(queue), BATCH):
        batch = {item: day for item, _, day in queue[begin : begin + BATCH]}
        yield grouping.batch(batch, iso(now))


class _Grouping:
    """The stage at work: the items around the batch, how far pairs agree, what people say."""

    def __init__(self, db: sqlite3.Connection, model: PairModel) -> None:
        self.db, self.model = db, model
        self.wishes: Sequence[Wish] = ()
        self.window = Window(model.rarity)
        self.days: dict[date, list[int]] = {}  # loaded
        self.evidence: dict[int, str] = {}
        self.sketches: dict[int, Sketch] = {}
        self.story: dict[int, int | None] = {}
        self.agreed: dict[tuple[int, int], float] = {}

    def batch(self, batch: Mapping[int, str], now: str) -> Grouped:
        """Decide and store a batch: {item: its own day}."""
        self._look_around(batch)
        self.wishes = stories.wishes(self.db)
        left = self._dissolved(batch)
        fresh = sorted((item for item in {*batch, *left} if self.story[item] is None), key=self._order)
        members = self._compare(fresh, left)
        decided = self._decide(fresh, members)
        with transaction(self.db):
            stories.leave(self.db, left)
            kept: set[int] = set()
            merged = [self._store(story, members, left, kept, now) for story in decided]
            for item in sorted(left, key=self._order):
                if left[item] not in kept:  # nothing of it is left where it was: it is now where its first item went
                    kept.add(left[item])
                    stories.merge(self.db, left[item], self.story[item] or left[item], (), now)
            stories.retell(self.db, {*batch, *left, *chain(*members.values())})
            stories.release(self.db, batch)
            for wish in {*self.wishes} ^ {*stories.wishes(self.db)}:  # what a person has said meanwhile waits for the next grouping
                stories.heed(self.db, (wish.item, wish.other), now)
        joined = sum(len(story.fresh) - (not story.there) for story in decided if story.fresh)
        return Grouped(len(batch), joined, sum(merged))

    def _dissolved(self, batch: Iterable[int]) -> dict[int, int]:
        """Take apart the stories of which a person has said something, to be decided anew as a whole: {item: its story until now}."""
        stories_said = {story for item in batch if (story := self.story[item]) is not None}
        left = {item: story for story, items in stories.members(self.db, stories_said).items() for item in items}
        self._load({*left, *(item for wish in self.wishes for item in (wish.item, wish.other))} - self.sketches.keys())
        self.story.update(dict.fromkeys(left, None))
        return left

    # -- what is there ------------------------------------------------------------------------------

    def _look_around(self, batch: Mapping[int, str]) -> None:
        """Have the items of the days around the batch in the window, and no others."""
        wanted: set[date] = set()
        for item, own in batch.items():
            for day in {date.fromisoformat(own), date.fromisoformat(f"{item // IDS_PER_DAY}")}:
                wanted |= {day + timedelta(days=shift) for shift in range(-NEAR_DAYS, NEAR_DAYS + 1)}
        for day in self.days.keys() - wanted:
            gone = self.days.pop(day)
            self.window.drop(gone)
            for item in gone:
                del self.evidence[item], self.sketches[item], self.story[item]
        for first, last in _runs(sorted(wanted - self.days.keys())):
            for offset in range((last - first).days + 1):
                self.days[first + timedelta(days=offset)] = []
            found = stories.days(self.db, first, last)
            for one in found:
                self.days[date.fromisoformat(f"{one.item.id // IDS_PER_DAY}")].append(one.item.id)
            self._take(found)
            self.window.add(self.sketches[one.item.id] for one in found)
        self._load(batch.keys() - self.sketches.keys())

    def _load(self, items: Iterable[int]) -> None:
        """Have these items at hand, which are of other days."""
        if items := set(items):
            self._take(stories.known(self.db, items))

    def _take(self, found: Iterable[Known]) -> None:
        for one in found:
            self.evidence[one.item.id] = one.evidence
            self.sketches[one.item.id] = sketch(one.item, one.keys, one.item.links)
            self.story[one.item.id] = one.story

    def _order(self, item: int) -> tuple[int, bool, str]:
        return self.sketches[item].order

    # -- how far they agree -------------------------------------------------------------------------

    def _compare(self, fresh: Sequence[int], left: Mapping[int, int]) -> dict[int, list[int]]:
        """Compare the fresh items with each other and with what is there; return the stories that they touch, with all their items."""
        self.agreed = {}
        coming = set(fresh)
        pairs = {(min(a, b), max(a, b)) for a, b in combinations(left, 2) if self.window.worth(self.sketches[a], self.sketches[b])}
        for item in fresh:
            near = {other.id for other in self.window.meets(self.sketches[item])}
            linked = stories.linked(self.db, item, f"{date.fromordinal(self.sketches[item].day)}")
            self._load(linked - self.sketches.keys())
            pairs |= {(min(item, other), max(item, other)) for other in near | linked if other in coming or self.story[other] is not None}
        self._agree((a, b) for a, b in pairs if self._may_meet(a, b))
        touched = {self.story[item] for pair, value in self.agreed.items() if value > 0 for item in pair}
        touched |= {self.story[item] for wish in self.wishes if {wish.item, wish.other} & coming for item in (wish.item, wish.other)}
        members = stories.members(self.db, {story for story in touched if story is not None})
        self._load({item for items in members.values() for item in items} - self.sketches.keys())
        self._agree(self._bridged(coming, members))
        return members

    def _may_meet(self, item: int, other: int) -> bool:
        return not self.sketches[item].alone and not self.sketches[other].alone

    def _bridged(self, coming: set[int], members: Mapping[int, Sequence[int]]) -> set[tuple[int, int]]:
        """The pairs that are still to be compared: a fresh item with the rest of a story, and stories that one fresh item may join."""
        homes: dict[int, set[int]] = {}
        for pair, value in self.agreed.items():
            for item, other in (pair, pair[::-1]):
                story = self.story[other]
                if value > 0 and item in coming and story is not None and story in members:
                    homes.setdefault(item, set()).add(story)
        wanted = {(item, other) for item, touched in homes.items() for story in touched for other in members[story]}
        for one, two in {pair for touched in homes.values() for pair in combinations(sorted(touched), 2)}:
            wanted |= set(product(members[one], members[two]))
        pairs = {(min(pair), max(pair)) for pair in wanted} - self.agreed.keys()
        sketches = self.sketches
        return {(a, b) for a, b in pairs if self._may_meet(a, b) and self.window.worth(sketches[a], sketches[b])}

    def _agree(self, pairs: Iterable[tuple[int, int]]) -> None:
        ordered = sorted(pairs)
        values = self.model.agreement([(self.sketches[a], self.sketches[b]) for a, b in ordered], self.window.near)
        self.agreed.update(zip(ordered, values, strict=True))

    # -- what becomes of them -----------------------------------------------------------------------

    def _decide(self, fresh: Sequence[int], members: Mapping[int, Sequence[int]]) -> list[_Story]:
        """The stories that change, and those that begin."""
        groups: list[tuple[tuple[int, bool, str], int | None, list[int]]] = [(self._order(item), None, [item]) for item in fresh]
        groups += [(min(map(self._order, items)), story, list(items)) for story, items in members.items()]
        groups.sort(key=lambda one: one[0])
        place = {item: n for n, (_, _, items) in enumerate(groups) for item in items}
        sums: dict[tuple[int, int], int] = {}  # in millionths: whole numbers add up to the same in any order
        for (one, other), value in self.agreed.items():
            a, b = sorted((place.get(one, -1), place.get(other, -1)))
            if value > 0 and 0 <= a < b:
                sums[a, b] = sums.get((a, b), 0) + round(value * _WHOLE)
        wanted = [(place[w.item], place[w.other], w.same) for w in self.wishes if w.item in place and w.other in place]
        together = [(a, b) for a, b, same in wanted if same and a != b]
        apart = [(a, b) for a, b, same in wanted if not same and a != b]
        homes = clusters([len(items) for _, _, items in groups], sums, self.model.limit * _WHOLE, together, apart)
        found: dict[int, _Story] = {}
        for home, (_, story, items) in zip(homes, groups, strict=True):
            cluster = found.setdefault(home, _Story())
            if story is None:
                cluster.fresh += items
            else:
                cluster.there = sorted([*cluster.there, story])
        return [cluster for cluster in found.values() if cluster.fresh or len(cluster.there) > 1]

    def _store(self, story: _Story, members: Mapping[int, Sequence[int]], left: Mapping[int, int], kept: set[int], now: str) -> int:
        """Write a story; return how many were taken in by it. A story that was taken apart goes on where its first items are: ``kept``."""
        whole = [*story.fresh, *(item for there in story.there for item in members[there])]
        target = story.there[0] if story.there else next((left[item] for item in story.fresh if left.get(item, 0) not in {0, *kept}), None)
        kept |= {target} if target else set()
        for n, item in enumerate(story.fresh):
            first = not n and not story.there
            score, self.evidence[item] = (1.0, self._first(item)) if first else self._why(item, whole)
            self.story[item] = target = stories.join(self.db, item, target, score, self.evidence[item], now)
        for other in story.there[1:]:
            moved = [(item, *self._kept(item, whole)) for item in members[other]]
            stories.merge(self.db, other, story.there[0], moved, now)
            for item, _, evidence in moved:
                self.story[item], self.evidence[item] = story.there[0], evidence
        return len(story.there[1:])

    def _first(self, item: int) -> str:
        alone = self.sketches[item].alone
        return f"stands alone: {alone}" if alone else FIRST

    def _why(self, item: int, whole: Sequence[int]) -> tuple[float, str]:
        """How far an item agrees with its story on average, and the strongest reason; what a person says comes first."""
        for wish in self.wishes:
            if wish.same and item in (wish.item, wish.other) and wish.item in whole and wish.other in whole:
                other = wish.other if wish.item == item else wish.item
                return 1.0, f"{wish.who} says that they are one story: it and “{self.sketches[other].title[:80]}”"
        best = min((other for other in whole if other != item), key=lambda other: (-self._agreed(item, other), self._order(other)))
        told = reason(self.sketches[item], self.sketches[best], self.model.rarity, self.window.near)
        return self._average(item, whole), told

    def _kept(self, item: int, whole: Sequence[int]) -> tuple[float, str]:
        """What a member of a story that is taken in is told to belong by: as before, but for the first of it."""
        if self.evidence[item] != FIRST:
            return self._average(item, whole), self.evidence[item]
        others = [other for other in whole if self.story[other] != self.story[item]]
        return self._average(item, whole), self._why(item, [item, *others])[1]

    def _average(self, item: int, whole: Sequence[int]) -> float:
        return round(fsum(self._agreed(item, other) for other in whole if other != item) / (len(whole) - 1), 3)

    def _agreed(self, item: int, other: int) -> float:
        return self.agreed.get((min(item, other), max(item, other)), 0.0)


def _runs(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Days in order, as spans without a gap: (first, last)."""
    begin = 0
    for n in range(len(days)):
        if n + 1 == len(days) or (days[n + 1] - days[n]).days > 1:
            yield days[begin], days[n]
            begin = n + 1
