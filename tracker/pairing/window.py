"""Which items an item may meet: those near in time that share a word that says something, whose text tells of it, or that it links to.

in   sketches of the days around; out  the few that are worth comparing; how many items near a day hold a word, a phrase or a link
Surprising: what more than ``MANY`` items of the fortnight hold joins nobody, so a flood of posts on one model costs no more than a few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

from tracker.pairing.features import linked
from tracker.pairing.sketch import Rarity, Sketch

__all__ = ["NEAR_DAYS", "Window"]

NEAR_DAYS = 7  # between two items that meet by their words; 98 % of labelled pairs lie within 3
COUNT_DAYS = 4  # around a day, for how usual a word is at that time
MANY = 60
TELLS = 5.5  # from this weight on a word of a text brings items together
WORTH = 5.0  # what the shared words must weigh together


class Window:
    """The items of the days around those that are to be grouped, by what they hold."""

    def __init__(self, rarity: Rarity) -> None:
        self._rarity = rarity
        self._sketches: dict[int, Sketch] = {}
        self._titled: defaultdict[object, dict[int, Sketch]] = defaultdict(dict)  # words of title and address
        self._named: defaultdict[tuple[str, ...], dict[int, Sketch]] = defaultdict(dict)  # whole titles
        self._joined: defaultdict[str, dict[int, Sketch]] = defaultdict(dict)
        self._told: defaultdict[str, dict[int, Sketch]] = defaultdict(dict)
        self._held: defaultdict[object, dict[int, Sketch]] = defaultdict(dict)  # phrases and links

    def add(self, sketches: Iterable[Sketch]) -> None:
        """Take items in."""
        for sketch in sketches:
            self._sketches[sketch.id] = sketch
            for index, thing in self._places(sketch):
                index[thing][sketch.id] = sketch

    def drop(self, items: Iterable[int]) -> None:
        """Forget items."""
        for item in items:
            sketch = self._sketches.pop(item)
            for index, thing in self._places(sketch):
                holders = index[thing]
                del holders[item]
                if not holders:
                    del index[thing]

    def near(self, thing: object, day: int) -> int:
        """Return how many items within ``COUNT_DAYS`` of a day hold a word in title or address, a phrase in the title, or a link."""
        holders = self._titled.get(thing) or self._held.get(thing) or {}
        return sum(abs(sketch.day - day) <= COUNT_DAYS for sketch in holders.values())

    def meets(self, one: Sketch) -> list[Sketch]:
        """Return the items that are worth comparing with one, in their order."""
        if one.alone:
            return []
        found: dict[int, Sketch] = {}
        self._take(found, one, self._named.get(one.words))
        for word in one.title_words | one.slug_words:
            self._take(found, one, self._titled.get(word), self._joined.get(word))
        for word in one.joined:
            self._take(found, one, self._titled.get(word))
        for word in one.title_words | one.slug_words:
            self._take(found, one, self._told.get(word))
        for word in one.text_words:
            if self._rarity[word] >= TELLS:
                self._take(found, one, self._titled.get(word))
        return sorted((other for other in found.values() if self.worth(one, other)), key=lambda other: other.order)

    def worth(self, one: Sketch, other: Sketch) -> bool:
        """Return whether two items share enough to be compared."""
        if linked(one, other) or one.words == other.words:
            return True
        a, b = one.title_words | one.slug_words, other.title_words | other.slug_words
        shared = (a & (b | other.text_words)) | (b & one.text_words) | (one.joined & b) | (other.joined & a)
        return self._rarity.sum(shared) >= WORTH

    @staticmethod
    def _take(found: dict[int, Sketch], one: Sketch, *holders: dict[int, Sketch] | None) -> None:
        near: list[Sketch] = []
        for other in chain.from_iterable(each.values() for each in holders if each):
            if abs(other.day - one.day) <= NEAR_DAYS and not other.alone and other.id != one.id:
                near.append(other)
                if len(near) > MANY:
                    return
        found.update((other.id, other) for other in near)

    def _places(self, sketch: Sketch) -> Iterator[tuple[defaultdict[object, dict[int, Sketch]], object]]:
        yield self._named, sketch.words  # type: ignore[misc]
        for word in sketch.title_words | sketch.slug_words:
            yield self._titled, word
        for word in sketch.joined:
            yield self._joined, word  # type: ignore[misc]
        for word in sketch.text_words:
            if self._rarity[word] >= TELLS:
                yield self._told, word  # type: ignore[misc]
        for thing in sketch.phrases | sketch.links:
            yield self._held, thing
