"""Why two items are one development, in words that a reader understands."""

from __future__ import annotations

from tracker.pairing.features import Near, linked, shared_links
from tracker.pairing.sketch import Rarity, Sketch
from tracker.text import one_line

__all__ = ["reason"]

_WORDS = 6  # shared words that are named, the rarest first
_TITLE = 80  # characters of the other's title


def reason(one: Sketch, other: Sketch, rarity: Rarity, near: Near) -> str:
    """Return what joins an item to another."""
    return "; ".join([*_signs(one, other, rarity, near), _days(one, other), f"as in “{one_line(other.title, _TITLE)}”"])


def _signs(one: Sketch, other: Sketch, rarity: Rarity, near: Near) -> list[str]:
    if one.words and one.words == other.words:
        return ["the same title"]
    signs = []
    if linked(one, other):
        to = not one.links.isdisjoint(other.keys)
        signs.append(f"links to {other.key}" if to else f"is linked from {other.key}")
    elif shared := shared_links(one, other, near):
        signs.append(f"both link to {shared[0].removeprefix('url:')}")
    words = sorted(one.title_words & other.title_words, key=lambda word: (-rarity[word], word))
    if words:
        signs.append(f"{len(words)} shared title word{'s' * (len(words) > 1)}: {', '.join(words[:_WORDS])}")
    if one.last and one.last == other.last:
        signs.append(f"the same address words: {' '.join(one.last[:_WORDS])}")
    elif addressed := sorted((one.slug_words & other.slug_words) - set(words), key=lambda word: (-rarity[word], word)):
        signs.append(f"in both addresses: {', '.join(addressed[:_WORDS])}")
    told = (one.title_words & other.text_words) | (other.title_words & one.text_words)
    rare = sorted(told - set(words), key=lambda word: (-rarity[word], word))
    if rare:
        signs.append(f"the text of one has words of the other’s title: {', '.join(rare[:_WORDS])}")
    return signs


def _days(one: Sketch, other: Sketch) -> str:
    if not (one.dated and other.dated):
        return "without a date"
    days = one.day - other.day
    return "the same day" if not days else f"{abs(days)} day{'s' * (abs(days) > 1)} {'later' if days > 0 else 'earlier'}"
