"""Cleaning: a feed's bytes as feedparser can bear them.

in   a body as it came, the charset of the header
out  ``Clean``: UTF-8 from the first tag of the feed to its last, without what breaks, slows or swells a parser; what it lacks
refuses to know what an entry means. Everything here is linear: a few percent of what feedparser takes for the same bytes.
Surprising: no DOCTYPE, comment or processing instruction is left, so no entity is ever declared to a parser: the harmless ones are put
in here. ``<`` and ``&`` that begin nothing are written as text, so that most broken feeds are well-formed XML afterwards.
"""

from __future__ import annotations

import html.entities
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tracker.pollers.letters import decoded

__all__ = ["MAX_ENTRIES", "Clean", "clean"]

MAX_ENTRIES = 3_000  # the longest real feed of the field (OpenAI's whole history) has 1,143
MAX_FIELD = 500_000  # bytes of one run of text that are kept; of an entry's markup 400,000 characters are looked at, 20,000 stored
MAX_TAGS = 20_000  # of one entry, or around the entries; with more, only the tags that we read are kept. A round-up has 2,000
MAX_ALL_TAGS = 250_000  # of all entries; feedparser takes 10 to 20 µs for each. OpenAI's whole history has 10,000
MAX_NAME = 100  # letters of an address or name in one piece; feedparser looks for addresses in quadratic time
MAX_ENTITIES, MAX_ENTITY, MAX_GROWTH = 300, 200, 2_000_000  # declared, bytes of one, bytes that all together may add

_CONTROLS = bytes(range(0x20)).translate(None, b"\t\n\r") + b"\x7f"
_ANSI = re.compile(rb"\x1b\[[0-?]{0,20}[ -/]{0,4}[@-~]")  # terminal sequences go whole
_NONCHARACTERS = re.compile(rb"\xef\xbf[\xbe\xbf]")
# For a fast look at the whole document: letters of addresses as "a", all else as blanks, without what may stand between them unseen.
_NAME_BYTES = bytes(ord("a") if chr(byte).isalnum() or chr(byte) in "._+-@" else 32 for byte in range(128)) + b" " * 128
_UNSEEN = b"<>/&#;![]"
_AUTHOR = re.compile(
    rb"<((?:[\w-]{1,20}:)?(?:author|creator|managingeditor|webmaster|publisher|contributor|name|email))\b[^<>]{0,2000}>", re.IGNORECASE
)
_LONG_NAME = re.compile(rb"(?:[\w.+@-]|&#?\w{1,10};){%d,}" % (MAX_NAME + 1))
_IN_AUTHOR = frozenset(b"name email uri url homepage".split())
_LONG_TEXT = re.compile(rb"(?:\A|<)[^<]{%d,}" % MAX_FIELD)

_ENDS = {b"<![CDATA[": b"]]>", b"<!--": b"-->", b"<?": b"?>"}
_OPEN_CDATA = re.compile(
    rb"\]\](?=</(?:title|link|guid|description|summary|content:encoded|content|dc:creator|author|pubdate)>)", re.IGNORECASE
)
# An ampersand that is none of XML's own references, with what follows if that looks like a reference.
_AMPERSAND = re.compile(rb"&(?!(?:lt|gt|amp|quot|apos);)(?:#x([0-9a-f]{1,12});?|#([0-9]{1,12});?|([a-z][a-z0-9]{0,30});)?", re.IGNORECASE)
_NO_TAG = re.compile(rb"<(?!/?[A-Za-z_:][^<>]*>)")
_DOCTYPE = re.compile(rb"<!DOCTYPE\b", re.IGNORECASE)
_ENTITY = re.compile(
    rb"<!ENTITY\s{1,20}([A-Za-z][\w.-]{0,30})\s{1,20}(?:\"([^\"<%%]{0,%d})\"|'([^'<%%]{0,%d})')\s{0,20}>" % ((MAX_ENTITY,) * 2)
)

_ROOT = re.compile(rb"<(/?)((?:[\w-]{1,20}:)?(?:rss|feed|rdf))[\s/>]", re.IGNORECASE)
_BARE = re.compile(rb"<(?:channel|item|entry)[\s>]", re.IGNORECASE)  # a feed that lost its root
_PAGE = re.compile(rb"<(?:!doctype\s{1,20})?html[\s>]", re.IGNORECASE)
_ENTRY = re.compile(rb"<(/?)(?:[\w-]{1,20}:)?(?:item|entry)[\s/>]", re.IGNORECASE)
_TAG = re.compile(rb"</?(?:[\w-]{1,20}:)?([\w-]{1,40})[^<>]*>")
_READ = frozenset(
    b"rss feed rdf channel item entry title link guid id description summary content encoded abstract author creator name email uri "
    b"pubdate date published updated issued modified created source body div".split()
)
_WHEN = re.compile(
    rb"<(?:[\w-]{1,20}:)?(?:pubdate|published|updated|issued|date|modified)\b[^<>]{0,200}>\s{0,50}([^<]{4,60})", re.IGNORECASE
)
_NO_NAMESPACE = re.compile(rb"\sxmlns:[\w-]{1,20}=(?:\"\"|'')")  # an empty one is no XML
# Prefixes that feeds use without declaring them; well-formed XML is read better than what feedparser makes of the rest.
_NAMESPACES = {
    b"content": b"http://purl.org/rss/1.0/modules/content/",
    b"dc": b"http://purl.org/dc/elements/1.1/",
    b"dcterms": b"http://purl.org/dc/terms/",
    b"media": b"http://search.yahoo.com/mrss/",
    b"itunes": b"http://www.itunes.com/dtds/podcast-1.0.dtd",
    b"atom": b"http://www.w3.org/2005/Atom",
    b"slash": b"http://purl.org/rss/1.0/modules/slash/",
    b"rdf": b"http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}


@dataclass(frozen=True, slots=True)
class Clean:
    """A feed ready to be parsed. ``body`` is empty when there is no sign of a feed."""

    body: bytes
    cut: bool = False  # the root is never closed: the document broke off, and half an entry at its end is gone
    left_out: int = 0  # entries beyond what is read at once


def clean(body: bytes, charset: str | None) -> Clean:
    """Return the feed within a body, readable; nothing is raised."""
    data = decoded(body, charset).encode("utf-8", "replace")
    if b"\x1b" in data:
        data = _ANSI.sub(b"", data)
    data = data.translate(None, _CONTROLS)
    if b"\xef\xbf" in data:
        data = _NONCHARACTERS.sub(b"", data)
    start = _ROOT.search(data) or _BARE.search(data)
    if not start or _PAGE.search(data, 0, start.start()):
        return Clean(b"")
    entities = _entities(data[: start.start()])
    data = _NO_NAMESPACE.sub(b"", data[start.start() :], count=20)
    if b"]]</" in data:
        data = _OPEN_CDATA.sub(b"]]>", data)
    data, marks = _scanned(data, entities)
    if b"a" * (MAX_NAME * 4) in data.translate(_NAME_BYTES, _UNSEEN):
        data = _short_names(data)
        marks = [(found.start(), bool(found[1])) for found in _ENTRY.finditer(data)]
    return _assembled(data, marks)


# -- text ---------------------------------------------------------------------------------------------


def _scanned(data: bytes, entities: dict[bytes, bytes]) -> tuple[bytes, list[tuple[int, bool]]]:
    """(the document without comments and instructions, its text mended; where entries begin, and end (True))."""
    reference = _reference(entities)
    out: list[bytes] = []
    marks: list[tuple[int, bool]] = []
    size = at = 0
    ends = dict(_ENDS)
    special = _one_of(ends)
    while True:
        found = special.search(data, at)
        piece = _mended(data[at : found.start()] if found else data[at:], reference)
        marks += [(size + mark.start(), bool(mark[1])) for mark in _ENTRY.finditer(piece)]
        out.append(piece)
        size += len(piece)
        if not found:
            return b"".join(out), marks
        kind, at = found[0], found.start()
        end = data.find(ends[kind], found.end())
        if end >= 0:
            at = end + len(ends[kind])
            if kind == b"<![CDATA[":
                out.append(_cut(data[found.start() : end], MAX_FIELD) + b"]]>")
                size += len(out[-1])
        elif kind == b"<![CDATA[":
            out.append(data[at:])
            return b"".join(out), marks
        else:  # one that never ends would take the rest of the document with it: from here on it is text
            del ends[kind]
            special = _one_of(ends)


def _one_of(words: dict[bytes, bytes]) -> re.Pattern[bytes]:
    return re.compile(b"|".join(map(re.escape, words)))


def _mended(piece: bytes, reference: Callable[[re.Match[bytes]], bytes]) -> bytes:
    """Markup outside of CDATA with ``<`` and ``&`` that begin nothing as text."""
    if b"&" in piece:
        piece = _AMPERSAND.sub(reference, piece)
    piece = _NO_TAG.sub(b"&lt;", piece)
    if b"]]>" in piece:
        piece = piece.replace(b"]]>", b"]]&gt;")
    return _LONG_TEXT.sub(lambda text: _cut(text[0], MAX_FIELD), piece) if len(piece) > MAX_FIELD else piece


def _short_names(data: bytes) -> bytes:
    """The document with no word of more than ``MAX_NAME`` letters in the names of its authors."""
    lower = data.lower()
    out: list[bytes] = []
    at = 0
    unclosed: set[bytes] = set()
    for author in _AUTHOR.finditer(data):
        name = author[1].lower()
        end = -1 if name in unclosed else lower.find(b"</" + name, author.end())
        if end < 0:
            unclosed.add(name)
        elif author.start() >= at:
            inner = data[author.end() : end].replace(b"]]><![CDATA[", b"")
            inner = _TAG.sub(lambda tag: tag[0] if tag[1].lower() in _IN_AUTHOR else b"", inner)
            out += [data[at : author.end()], _LONG_NAME.sub(lambda word: word[0][:MAX_NAME].partition(b"&")[0], inner)]
            at = end
    return b"".join([*out, data[at:]])


def _cut(text: bytes, limit: int) -> bytes:
    """At most so many bytes, whole letters and references."""
    if len(text) <= limit:
        return text
    kept = text[:limit].decode("utf-8", "ignore").encode()
    reference = kept.rfind(b"&", -40)
    return kept[:reference] if reference >= 0 and b";" not in kept[reference:] else kept


def _reference(entities: dict[bytes, bytes]) -> Callable[[re.Match[bytes]], bytes]:
    """What stands for an ampersand that XML does not know: a character, a declared entity, else the sign itself."""
    grown = 0

    def replaced(found: re.Match[bytes]) -> bytes:
        nonlocal grown
        if digits := found[1] or found[2]:
            return found[0] if _allowed(int(digits, 16 if found[1] else 10)) and found[0].endswith(b";") else _character(found)
        name = found[3]
        if name in entities and grown < MAX_GROWTH:
            grown += len(entities[name])
            return entities[name]
        if name and (letters := html.entities.html5.get(f"{name.decode()};")):
            return b"".join(b"&#%d;" % ord(letter) for letter in letters)
        return b"&amp;" + found[0][1:]

    return replaced


def _character(found: re.Match[bytes]) -> bytes:
    """A numeric reference that lacks its semicolon, or names what XML forbids: nothing then."""
    code = int(found[1], 16) if found[1] else int(found[2])
    return b"&#%d;" % code if _allowed(code) else b""


def _allowed(code: int) -> bool:
    """Whether XML 1.0 lets a reference name the character (section 2.2); feedparser passes every number to ``chr``, which raises."""
    return (code >= 32 or code in (9, 10, 13)) and not 0xD800 <= code <= 0xDFFF and code <= 0x10FFFF and code & 0xFFFE != 0xFFFE


def _entities(prolog: bytes) -> dict[bytes, bytes]:
    """The entities a DOCTYPE declares that are plain short text: what is nested, external or long never unfolds."""
    start = _DOCTYPE.search(prolog)
    found: dict[bytes, bytes] = {}
    for entity in _ENTITY.finditer(prolog, start.end()) if start else ():
        value = entity[2] if entity[2] is not None else entity[3]
        if b"&" in value and not re.fullmatch(rb"&#(?:x[0-9A-Fa-f]{1,6}|[0-9]{1,7});", value):
            continue
        found.setdefault(entity[1], _AMPERSAND.sub(_reference({}), value))
        if len(found) == MAX_ENTITIES:
            break
    return found


# -- structure ----------------------------------------------------------------------------------------


def _assembled(data: bytes, marks: list[tuple[int, bool]]) -> Clean:
    """The document from its root's first tag to its last, with no more entries and tags than are read in time."""
    starts = [place for place, closes in marks if not closes]
    last, closed = marks[-1] if marks else (0, True)
    root = _ROOT.match(data)
    ends = next((found.start() for found in reversed([*_ROOT.finditer(data, last)]) if found[1]), None)
    if root and data[: _end_of_tag(data, 0)].endswith(b"/>"):
        return Clean(data[: _end_of_tag(data, 0)])
    cut = root is not None and ends is None
    if cut and not closed:  # half an entry would get a key of its own
        data, ends, cut = data[: starts.pop()], None, True
        tail = len(data)
    else:
        tail = _end_of_tag(data, last) if marks and closed else len(data) if ends is None else ends
    chunks = [data[start:stop] for start, stop in zip(starts, [*starts[1:], tail], strict=False)]  # without entries, no pair
    kept = _affordable(_newest(chunks))
    head = _slim(data[: starts[0] if starts else tail]) or b""
    if ends is not None:
        foot = (_slim(data[tail:ends]) or b"") + data[ends : _end_of_tag(data, ends)]
    else:
        foot = b"</channel>" * (head.count(b"<channel") > head.count(b"</channel")) + (b"</%b>" % root[2] if root else b"")
    if root:
        head = head[: root.end(2)] + _undeclared(data) + head[root.end(2) :]
    return Clean(head + b"".join(kept) + foot, cut, len(chunks) - len(kept))


def _end_of_tag(data: bytes, start: int) -> int:
    return data.find(b">", start) + 1 or len(data)


def _newest(chunks: list[bytes]) -> list[bytes]:
    """As many entries as are read at once: the first, or the last if those are the newer ones."""
    if len(chunks) <= MAX_ENTRIES:
        return chunks
    first, last = _when(chunks[0]), _when(chunks[-1])
    return chunks[-MAX_ENTRIES:] if first and last and first < last else chunks[:MAX_ENTRIES]


def _affordable(chunks: list[bytes]) -> list[bytes]:
    """The entries without those that would take too long."""
    return [*_within([slim for chunk in chunks if (slim := _slim(chunk)) is not None])]


def _within(chunks: list[bytes]) -> Iterator[bytes]:
    left = MAX_ALL_TAGS
    for chunk in chunks:
        left -= chunk.count(b"<")
        if left < 0:
            return
        yield chunk


def _slim(chunk: bytes) -> bytes | None:
    """A stretch of the document; of one with absurdly many tags, those that we read, or None if these are too many still."""
    if chunk.count(b"<") <= MAX_TAGS:
        return chunk
    slim = _TAG.sub(lambda tag: tag[0] if tag[1].lower() in _READ else b" ", chunk)
    return slim if slim.count(b"<") <= MAX_TAGS else None


def _when(chunk: bytes) -> str | None:
    """The day an entry says it is of, to compare by."""
    from email.utils import parsedate_to_datetime

    found = _WHEN.search(chunk)
    written = found[1].decode("ascii", "ignore").strip() if found else ""
    if re.match(r"\d{4}-\d\d-\d\d", written):
        return written[:10]
    try:
        return parsedate_to_datetime(written).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _undeclared(data: bytes) -> bytes:
    """Declarations of the namespaces that the document uses without one."""
    return b"".join(
        b' xmlns:%b="%b"' % (prefix, uri)
        for prefix, uri in _NAMESPACES.items()
        if b"xmlns:%b" % prefix not in data[:10_000] and b"<%b:" % prefix in data and b"xmlns:%b" % prefix not in data
    )
