"""Known entries: of a feed that changed, only what it did not list last time is parsed again.

in   an answer, the cursor that the last one left behind; out  ``Reading``: what was parsed, how many entries were left out, the new cursor
The document's bytes are cut into its items. Those that last time's document had, byte for byte and under the same head (namespaces,
``xml:base``, address), are left out of what goes to the parse worker. Values always come from feedparser, which takes nearly all the time.
refuses to know the database. Whatever is odd is parsed whole, as if nothing were known: other letters than UTF-8, items in items, anything
but blanks between items, JSON, a document that breaks off or has a problem.
Surprising: two entries of a document can change what each of them is (a guid or an address that both have identifies neither, see
``store/items.py``). So the cursor holds signs, too, short hashes of guid and address of each item; where two items of a document share
one, everything is parsed. A feed that is not well-formed XML may be read better in part than as a whole; so be it.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from itertools import islice, pairwise

from tracker.errors import InvalidURL, ParseError
from tracker.pollers import Parsed
from tracker.text import content_hash, sign
from tracker.types import Entry, Response, Source
from tracker.urls import PLACE, canonical_url, link_key

__all__ = ["Reading", "read", "signs"]

MAX_SEGMENTS = 3_000  # items of a document that are remembered; the longest real feed of the field has 1,143
MAX_CURSOR = 80_000  # letters; 3,000 items take 57,000, one that is split into stories takes more
MAX_HEAD = 400_000  # bytes before the first item; RDF lists there what follows
HASH, SIGN = 7, 5  # letters of a segment's hash (42 bits) and of a sign (30)

_MARK = re.compile(rb"<!\[CDATA\[|<!--|<\?|<(/?)((?:[\w-]{1,20}:)?(?:item|entry))(?=[\s/>])([^<>]{0,5000})(>?)")
_ENDS = {b"<![CDATA[": b"]]>", b"<!--": b"-->"}
_ROOT = re.compile(rb"<(?:[\w-]{1,20}:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)
_ROOT_END = re.compile(rb"</(?:[\w-]{1,20}:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)
_XML = re.compile(rb"<\?[xX][mM][lL]")
_DECLARED = re.compile(rb"<\?xml\b[^>]{0,200}?\bencoding\s{0,5}=\s{0,5}[\"']?([\w.:-]{2,40})", re.IGNORECASE)
# Under these names, text that is valid UTF-8 is read as UTF-8, a part of it like the whole (``letters``).
_LATIN = re.compile(r"utf-?8|(?:us-)?ascii|latin-?1|iso-8859-\d{1,2}|windows-125\d", re.IGNORECASE)
# What changes with every build of a feed and says nothing of its entries.
_BUILT = re.compile(
    rb"<((?:[\w-]{1,20}:)?(?:lastBuildDate|pubDate|updated|modified|date|totalResults|generatedAt))\b[^<>]{0,300}>[^<]{0,100}</\1>"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document says beyond ``left_out`` entries that it lists as last time; ``listed`` are the signs of these."""

    parsed: Parsed
    cursor: str = ""  # "": nothing of this document counts as known next time
    left_out: int = 0
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Segment:
    """One item of a document: where it stands, the hash of its bytes and of what they mean something under."""

    start: int
    end: int
    hash: str


def read(source: Source, response: Response, cursor: str | None, parse: Callable[[Response], Parsed]) -> Reading:
    """Parse what of a document is not known: all of it, some items, or nothing.

    Raises:
        ParseError: as ``parse`` does of the whole document.
    """
    segments = None if response.truncated else _segments(source, response)
    last = _remembered(cursor) if segments else {}
    if segments and last and (reading := _beyond(segments, last, response, parse)):
        return reading
    parsed = parse(response)
    told = parsed.signs if segments and not parsed.problem and len(parsed.signs) == len(segments) else ()
    return Reading(parsed, _cursor({segment.hash: one for segment, one in zip(segments or (), told, strict=False)}))


def _beyond(
    segments: Sequence[_Segment], last: Mapping[str, tuple[str, ...]], response: Response, parse: Callable[[Response], Parsed]
) -> Reading | None:
    """What the items say that were not there last time; None where they cannot be told without the others."""
    news = [segment for segment in segments if segment.hash not in last]
    left = {segment.hash: last[segment.hash] for segment in segments if segment.hash in last}
    shared = Counter(one for signs_ in left.values() for one in signs_)
    gone = {one for hashed, signs_ in last.items() if hashed not in left for one in signs_}
    if not left or max(shared.values(), default=0) > 1 or not gone.isdisjoint(shared):
        return None
    parsed = _parsed(news, segments, response, parse)
    if parsed is None or not all(shared.keys().isdisjoint(signs_) for signs_ in parsed.signs):
        return None
    now = left | {segment.hash: signs_ for segment, signs_ in zip(news, parsed.signs, strict=True)}
    order = {segment.hash: now[segment.hash] for segment in segments}
    return Reading(parsed, _cursor(order), len(segments) - len(news), frozenset(shared))


def _parsed(
    news: Sequence[_Segment], segments: Sequence[_Segment], response: Response, parse: Callable[[Response], Parsed]
) -> Parsed | None:
    """The news alone, as they stand between the document's head and its end; None if anything about them is odd."""
    if not news:
        return Parsed(())
    body = response.body
    pieces = [body[segment.start : segment.end] for segment in news]
    try:
        parsed = parse(replace(response, body=body[: segments[0].start] + b"\n".join(pieces) + body[segments[-1].end :]))
    except ParseError as error:
        if error.name == "bomb":  # as a whole it would take as long again
            raise
        return None
    return parsed if not parsed.problem and len(parsed.signs) == len(news) else None


# -- segments -----------------------------------------------------------------------------------------


def _segments(source: Source, response: Response) -> list[_Segment] | None:
    """The items of a document in order; None where they cannot be told for certain. Linear."""
    body = response.body
    spans = list(islice(_spans(body), MAX_SEGMENTS + 1)) if _is_plain(response) else []
    if not spans or len(spans) > MAX_SEGMENTS or spans[0] is None or spans[0][0] > MAX_HEAD:
        return None
    places = [span for span in spans if span]
    between = (body[one[1] : other[0]] for one, other in pairwise(places))
    head = body[: places[0][0]]
    if len(places) < len(spans) or any(gap.strip() for gap in between) or not _ROOT_END.search(body, places[-1][1]):
        return None
    if not _is_head(head, response):
        return None
    base = blake2b(_meaning(source, response.url, head), digest_size=6)

    def hashed(piece: bytes) -> str:
        digest = base.copy()
        digest.update(piece)
        return urlsafe_b64encode(digest.digest())[:HASH].decode()

    return [_Segment(start, end, hashed(body[start:end])) for start, end in places]


def _spans(body: bytes) -> Iterator[tuple[int, int] | None]:
    """Where items begin and end; None at the first thing that is odd."""
    name, start, at = b"", -1, 0
    while found := _MARK.search(body, at):
        at = found.end()
        if end := _ENDS.get(found[0]):
            at = body.find(end, at) + len(end)
            odd = at < len(end)
        elif found[0] == b"<?":
            at = body.find(b"?>", at) + 2
            odd = at < 2
        else:
            closes = bool(found[1])
            odd = not found[4] or found[3].endswith(b"/") or closes is (start < 0) or found[2] != (name or found[2])
            name = found[2]
            if closes and not odd:
                yield start, at
            start = -1 if closes else found.start()
        if odd:
            yield None
            return
    if start >= 0:
        yield None


def _is_plain(response: Response) -> bool:
    """Whether a part of the body is read as the same letters as the whole: UTF-8 under no name of another alphabet, without escapes."""
    body = response.body
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or b"\0" in body or b"\x1b" in body or b"]]</" in body:
        return False
    declared = response.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    if declared and not _LATIN.fullmatch(declared):
        return False
    with suppress(UnicodeDecodeError):
        return bool(body.decode("utf-8"))
    return False


def _is_head(head: bytes, response: Response) -> bool:
    """Whether items under this head are what they seem: a feed's, in letters as expected, with no entities of its own."""
    named = _DECLARED.search(head)
    if named and not _LATIN.fullmatch(named[1].decode("ascii")):
        return False
    quoted = _XML.search(response.body, len(head))  # in a text; moved to the front it could be taken for the document's own
    return bool(_ROOT.search(head)) and b"<!DOCTYPE" not in head.upper() and not quoted


def _meaning(source: Source, url: str, head: bytes) -> bytes:
    """All that an item's bytes depend on: the head without its build times, where it came from, how it is read, by which release."""
    before, listing, rest = head.partition(b"<items>")  # RDF lists in its head what follows
    head = before + rest.partition(b"</items>")[2] if listing else head
    facts = json.dumps([_release(), source.id, source.role, {**source.options}, url], sort_keys=True, default=str)
    return facts.encode() + _BUILT.sub(b"", head)


@cache
def _release() -> str:
    try:
        return version("tracker")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0"


# -- signs --------------------------------------------------------------------------------------------


def signs(items: Sequence[Sequence[Entry]], source: Source) -> tuple[tuple[str, ...], ...]:
    """Return for each item of a document (its entries: none, one, or an issue and its stories) what tells it from the others."""
    keys = [{key for entry in entries for key in _keys(entry, source.id)} for entries in items]
    shared = Counter(key for some in keys for key in some)
    for some, entries in zip(keys, items, strict=True):
        if entries and all(shared[key] > 1 for key in some):  # nothing is left to identify it but what it says
            some |= {f"hash:{source.id}:{content_hash(entry.title, entry.text)}" for entry in entries}
    return tuple(tuple(sorted(map(sign, some))) for some in keys)


def _keys(entry: Entry, source: str) -> Iterator[str]:
    if entry.guid:
        yield f"guid:{source}:{entry.guid}"
    if entry.own_key:
        yield entry.own_key
    if entry.url and PLACE in entry.url:
        with suppress(InvalidURL):
            yield f"url:{canonical_url(entry.url, keep_fragment=True)}"
    elif entry.url and (key := link_key(entry.url)):
        yield key


# -- cursor -------------------------------------------------------------------------------------------


def _cursor(known: Mapping[str, tuple[str, ...]]) -> str:
    """The segments of a document as text, each its hash and its signs in one word."""
    text = " ".join(hashed + "".join(signs_) for hashed, signs_ in known.items())
    return text if len(text) <= MAX_CURSOR else ""


def _remembered(cursor: str | None) -> dict[str, tuple[str, ...]]:
    words = (cursor or "").split()
    return {word[:HASH]: tuple(word[at : at + SIGN] for at in range(HASH, len(word), SIGN)) for word in words}
