"""How alike two items are, in numbers: what the pair model looks at.

in   two ``Sketch``es, how rare words are, how many items near in time hold a word or a phrase
out  one row of ``NAMES``, the same whichever of the two comes first
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import log, log1p, sqrt

from tracker.pairing.guards import shared_ends
from tracker.pairing.sketch import Rarity, Sketch

__all__ = ["NAMES", "RARE", "Near", "features", "linked", "shared_links"]

Near = Callable[[object, int], int]  # a word or phrase and a day: how many items around that day hold it
RARE = 6.0  # from this weight on a word says what a title is about
_TOLD = 5.5  # from this weight on a word of a text does
_NOWHERE = 60  # items that hold what two items do not share
_DENIES = re.compile(r"\b(?:not|no|never|without|isn.t|doesn.t|won.t|can.t|fake)\b", re.IGNORECASE)
_NAMED_PATH = 11  # characters of the last part of an address that nobody else has by chance

NAMES = (
    "same title", "title cosine", "title overlap", "title jaccard", "shared words", "rarest shared", "shared weight", "all cosine",
    "more covered", "less covered", "address cosine", "same last part", "shared address words", "address in title", "days", "same host",
    "same site", "linked", "paper and other", "numbers shared", "shorter title", "same source", "names shared", "names apart",
    "rare shared", "shared link", "title within", "left of one", "left of other", "left on one site", "core within", "core weight",
    "core size", "address within", "same path", "compounds", "told in text", "best three", "link to host", "shorter text",
    "names weight", "rare in texts", "both official", "neither official", "one official", "one outlet", "same beginning", "same end",
    "frame", "frame on one site", "phrases", "phrase near", "phrase weight", "word near", "core phrase", "last part cosine",
    "share of words", "one denies", "subjects apart",
)  # fmt: skip


def linked(one: Sketch, other: Sketch) -> bool:
    """Return whether one item links to the other."""
    return not one.links.isdisjoint(other.keys) or not other.links.isdisjoint(one.keys)


def shared_links(one: Sketch, other: Sketch, near: Near) -> list[str]:
    """Return the links that two items share and hardly anybody else has."""
    return sorted(link for link in one.links & other.links if near(link, one.day) <= 3)


def features(one: Sketch, other: Sketch, rarity: Rarity, near: Near) -> tuple[float, ...]:
    """Return what ``NAMES`` says of a pair."""
    if other.order < one.order:
        one, other = other, one
    a, b = one.title_words, other.title_words
    shared, least = a & b, min(len(a), len(b))
    all_a, all_b = a | one.text_words, b | other.text_words
    weigh = rarity.sum
    weights = sorted((rarity[word] for word in shared), reverse=True)
    weight_a, weight_b, weight = weigh(a) or 1.0, weigh(b) or 1.0, sum(weights)
    covered = sorted((weigh(a & (all_b | other.slug_words)) / weight_a, weigh(b & (all_a | one.slug_words)) / weight_b), reverse=True)
    slugs = one.slug_words & other.slug_words
    compounds = (one.joined & frozenset(other.words)) | (other.joined & frozenset(one.words))
    left = sorted((weigh(a - b - other.slug_words), weigh(b - a - one.slug_words)))
    core, beside = (one.core, other) if len(one.core) <= len(other.core) else (other.core, one)
    within = bool(core) and core <= (beside.title_words | beside.slug_words)
    last_a, last_b = frozenset(one.last), frozenset(other.last)
    fewer, more = (last_a, last_b) if len(one.last) <= len(other.last) else (last_b, last_a)
    told = (a & other.text_words) | (b & one.text_words)
    named = (one.names & (all_b | other.slug_words)) | (other.names & (all_a | one.slug_words))
    best = sorted([*weights, *map(rarity.__getitem__, compounds)], reverse=True)[:3]
    begin, end = shared_ends(one.words, other.words)
    own_words = min(len(one.words), len(other.words)) > begin + end
    phrases = one.phrases & other.phrases
    site, host = bool(one.site) and one.site == other.site, bool(one.host) and one.host == other.host
    official = one.official + other.official
    press = not (one.official or one.paper or other.official or other.paper)
    words = (a | one.slug_words) & (b | other.slug_words)
    return (
        float(one.words == other.words and least > 0), _cosine(a, b, rarity), weight / min(weight_a, weight_b),
        len(shared) / (len(a | b) or 1), len(shared), weights[0] if weights else 0.0, weight, _cosine(all_a, all_b, rarity),
        covered[0], covered[1], _cosine(one.slug_words, other.slug_words, rarity),
        float(one.last == other.last and sum(map(len, one.last)) > 4), len(slugs),
        max(weigh(a & other.slug_words) / weight_a, weigh(b & one.slug_words) / weight_b), abs(one.day - other.day),
        float(host), float(site), float(linked(one, other)), float(one.paper != other.paper),
        float(bool(one.numbers & other.numbers)), least, float(one.source == other.source), len(one.names & other.names),
        len(one.names ^ other.names), sum(rarity[word] >= RARE for word in shared | slugs), float(bool(shared_links(one, other, near))),
        float(len(shared) == least >= 2), left[0], left[1], left[0] if site else 0.0, float(within), weigh(core) if within else 0.0,
        len(core) if within else 0, float(len(fewer) >= 2 and fewer <= more),
        float(host and one.path == other.path and sum(map(len, one.last)) > _NAMED_PATH), len(compounds),
        max(map(rarity.__getitem__, told), default=0.0), sum(best), float(_links_to_host(one, other)),
        min(len(one.text_words), len(other.text_words)), weigh(named), sum(rarity[word] > _TOLD for word in all_a & all_b),
        float(official == 2), float(press), float(official == 1 and not (one.paper or other.paper)), float(press and site), begin, end,
        float(begin + end >= 3 and own_words), float(begin + end >= 2 and own_words and site), len(phrases),
        log(_fewest(phrases, one.day, near)), sum(sorted((rarity[x] + rarity[y] for x, y in phrases), reverse=True)[:2]),
        log1p(_fewest(words, one.day, near)), float(any(x in one.core and y in one.core for x, y in phrases)),
        _cosine(last_a, last_b, rarity), len(shared) / max(len(a), len(b), 1),
        float(bool(_DENIES.search(one.title)) != bool(_DENIES.search(other.title))),
        float(_apart(one, all_b) and _apart(other, all_a)),
    )  # fmt: skip


def _apart(item: Sketch, words: frozenset[str]) -> bool:
    return bool(item.subject) and item.subject not in words


def _links_to_host(one: Sketch, other: Sketch) -> bool:
    return any(other.host and f"//{other.host}/" in link for link in one.links) or any(
        one.host and f"//{one.host}/" in link for link in other.links
    )


def _fewest(shared: Iterable[object], day: int, near: Near) -> int:
    """How many items near hold the rarest of what is shared."""
    return min((max(near(one, day), 1) for one in shared), default=_NOWHERE)


def _cosine(one: frozenset[str], other: frozenset[str], rarity: Rarity) -> float:
    if not one or not other:
        return 0.0
    squares = [sum(rarity[word] ** 2 for word in words) for words in (one & other, one, other)]
    return squares[0] / sqrt(squares[1] * squares[2])
