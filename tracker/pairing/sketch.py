"""What of an item is compared: the words of its title, text and address, its numbers and names, its day, who speaks.

in   an item, the beginning of its text, its link keys
out  a ``Sketch``; how rare a word is
Surprising: words keep the point of a version ("4.6" is one word) and their plus ("a+"); the plural ``s`` is off.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from urllib.parse import unquote, urlsplit

from tracker.pairing.guards import is_paper, stands_alone
from tracker.text import COMMON, fold
from tracker.types import Item
from tracker.urls import host_of

__all__ = ["Rarity", "Sketch", "day_of", "said", "sketch", "words_of"]

MAX_TEXT = 400  # characters of the text that are compared: what it is about stands at its beginning

_WORD = re.compile(r"[^\W_]+(?:\.\d+)*\+*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_AMOUNT = re.compile(r"(\d)\s?(thousand|k|million|mn|m|billion|bn|b|trillion|tn|t)\b")
_UNITS = {"thousand": "000", "k": "000", "million": "m", "mn": "m", "billion": "b", "bn": "b", "trillion": "t", "tn": "t"}
_POSSESSIVE = re.compile(r"['’]s\b")
_NAME = re.compile(r"[\w.’'+-]*[A-Z0-9][\w.’'+-]*")
_DIGIT = re.compile(r"\d")
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)*")
_FILE = re.compile(r"\.(?:html?|pdf|md|php|aspx)$")
# What feeds of link sites write instead of a text.
_FRAME = re.compile(
    r"(?:Score|Points|# Comments|Comments): \d+|By: \S+|(?:Discussion|Article URL|Comments URL): \S+|https?://\S+", re.IGNORECASE
)
# Parts of addresses that name a kind of page.
_PLACES = frozenset("blog news article post en index research www html engineering".split())
# Words of the companions of a release ("X system card", "everything you need to know about X"): without them, its name is left.
_COMPANION = frozenset(
    "system card model everything need know benchmark analysis analyse technical report paper pdf video official launch day overview "
    "guide inside behind how best practice preview post mortem intro deep dive leader result open source weight work part statement".split()
)
# Hosts that lend their second level: what stands before is the site.
_SECOND = frozenset("co com org net ac gov edu".split())
_HOMES = frozenset(
    "github.io substack.com medium.com blogspot.com wordpress.com tumblr.com bearblog.dev pages.dev vercel.app netlify.app".split()
)


class Rarity(dict[str, float]):
    """How rare a word is: the logarithm of one in how many texts holds it (inverse document frequency; Spärck Jones 1972).

    A word that is in none of them counts as the rarest.
    """

    def __init__(self, texts: int, holding: Mapping[str, int]) -> None:
        super().__init__((word, math.log((texts + 1) / (number + 1))) for word, number in holding.items())
        self.most = math.log(texts + 1)

    def __missing__(self, word: str) -> float:
        return self.most

    def sum(self, words: Iterable[str]) -> float:
        """Return what words weigh together."""
        return sum(map(self.__getitem__, words))


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is compared of an item. Words are folded; ``*_words`` leave common ones out. ``order`` is the same whichever came first."""

    id: int
    key: str
    order: tuple[int, bool, str]  # day, no paper, key
    day: int  # ordinal
    dated: bool  # False: the day is that on which we found it, and it may be years old
    title: str
    folded: str
    words: tuple[str, ...]  # of the title, in order, common ones too
    title_words: frozenset[str]
    text_words: frozenset[str]
    slug_words: frozenset[str]
    last: tuple[str, ...]  # words of the last part of the address
    core: frozenset[str]  # title words without those of companions
    phrases: frozenset[tuple[str, str]]  # neighbours in the title
    joined: frozenset[str]  # neighbours as one word: "Chat Control" is also "chatcontrol"
    names: frozenset[str]  # title words with a capital or a digit
    subject: str  # the first of them
    numbers: frozenset[str]
    versions: frozenset[str]
    host: str
    site: str
    path: str
    source: str
    paper: bool
    official: bool
    keys: frozenset[str]
    links: frozenset[str]  # the keys it links to
    alone: str  # why it is never joined; "" if it may be


def words_of(text: str) -> list[str]:
    """Return the folded words of a text in order, of any script; amounts are written one way.

    >>> words_of("Claude Opus 4.6’s “Command A+” models cost $40 billion, 92,000 jobs")
    ['claude', 'opus', '4.6', 'command', 'a+', 'model', 'cost', '40b', '92000', 'job']
    """
    return list(map(_singular, _raw(text)))


def _raw(text: str) -> list[str]:
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    text = _THOUSANDS.sub("", _POSSESSIVE.sub("", text).lower())
    return _WORD.findall(_AMOUNT.sub(lambda found: found[1] + _UNITS.get(found[2], found[2]), text))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] not in "sui" else word


def _telling(words: Iterable[str]) -> frozenset[str]:
    """Of words as they stand, those that say what a text is about."""
    return frozenset(map(_singular, set(words) - COMMON)) - COMMON


def said(text: str) -> str:
    """Return the beginning of a text that is compared, without what feeds of link sites write instead of one: scores, names, addresses."""
    return _FRAME.sub(" ", text[:MAX_TEXT])


def day_of(item: Item) -> int:
    """Return the day of an item as an ordinal: when it was published, else when we first saw it."""
    return date.fromisoformat((item.published_at or item.first_seen_at)[:10]).toordinal()


def sketch(item: Item, keys: Iterable[str] = (), links: Iterable[str] = ()) -> Sketch:
    """Return what is compared of an item whose origin is known; ``keys`` are all it goes by, ``links`` those that it links to."""
    raw = _raw(item.title)
    words, title_words = tuple(map(_singular, raw)), _telling(raw)
    folded = fold(item.title)
    text = said(item.text)
    host = host_of(item.url)
    path, last, slug_words = _address(item.url)
    pairs = list(pairwise(words))
    names = frozenset(word for name in _NAME.findall(item.title[1:]) for word in words_of(name)) & title_words
    dated = item.published_at is not None or not item.backlog
    paper, day = is_paper(item.key), day_of(item)
    return Sketch(
        item.id, item.key, (day, not paper, item.key), day, dated, item.title, folded, words,
        title_words,
        frozenset() if fold(text) == folded else _telling(_raw(text)), slug_words, last, title_words - _COMPANION,
        frozenset(pair for pair in pairs if not COMMON.issuperset(pair)), frozenset(map("".join, pairs)),
        names, next((word for word in words if word in names), ""), frozenset(filter(_DIGIT.search, title_words)),
        frozenset(_VERSION.findall(item.title)), host, _site(host), path, item.source, paper, item.origin == "official",
        frozenset((item.key, *keys)), frozenset(links), stands_alone(item),
    )  # fmt: skip


def _address(url: str | None) -> tuple[str, tuple[str, ...], frozenset[str]]:
    """The path of an address, the words of its last part, and the words of its last two parts that say something."""
    try:
        path = unquote(urlsplit(url or "").path).rstrip("/")
    except ValueError:
        return "", (), frozenset()
    parts = [part for part in path.split("/") if part and part not in _PLACES]
    last = _FILE.sub("", parts[-1].lower()) if parts else ""
    found = _telling(word for part in parts[-2:] for word in _raw(part))
    slug = frozenset(word for word in found - _PLACES if not word.isdigit() and 1 < len(word) < 25)
    return path, tuple(word for word in map(_singular, fold(last).split()) if word not in COMMON), slug


def _site(host: str) -> str:
    """The part of a host that names who runs it.

    >>> _site("www.x.example.org"), _site("news.example.co.uk"), _site("someone.github.io")
    ('example.org', 'example.co.uk', 'someone.github.io')
    """
    parts = host.split(".")
    lent = len(parts) > 2 and (parts[-2] in _SECOND or ".".join(parts[-2:]) in _HOMES)
    return ".".join(parts[-3 if lent else -2 :])
