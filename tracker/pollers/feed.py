"""RSS, RDF, Atom: whatever feedparser reads, through one normalised entry.

in   a feed's bytes, never its URL: fetching is ours
out  entries with plain text; dates in UTC or none; http(s) links only
Surprising: feedparser raises on some character references and believes any date, so bytes are cleaned before and dates checked after.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tracker import text, urls
from tracker.errors import ParseError
from tracker.pollers import Get, Parse, Parsed, fingerprint, page_of
from tracker.types import Entry, Page, Request, Source, State

__all__ = ["KEYS", "poll", "read"]

KEYS: Mapping[str, type] = {"skip": str, "split": bool}
MAX_ENTRIES = 3_000  # the longest real feed of the field (OpenAI's whole history) has 1,143
MAX_LINKS = 200  # outbound keys kept of one entry; a weekly round-up has about 150
MAX_MARKUP = 400_000  # characters of one entry's markup that are looked at

# Character references XML forbids: NUL, other controls, surrogates, beyond Unicode. feedparser passes them to chr(), which raises.
_REFERENCE = re.compile(rb"&#(?:x([0-9a-f]{1,12})|([0-9]{1,12}));?", re.IGNORECASE)
_CONTROLS = re.compile(rb"\x1b\[[0-?]{0,20}[ -/]{0,4}[@-~]|[\x00-\x08\x0b\x0c\x0e-\x1f]")  # terminal sequences go whole
_ESCAPES = re.compile(rb"encoding=.iso-2022-", re.IGNORECASE)  # there, ESC changes the alphabet

_ROOT = re.compile(rb"<(/?)(?:[\w-]{1,20}:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)
_ENTRY = re.compile(rb"<(/?)(?:[\w-]{1,20}:)?(?:item|entry)[\s>]", re.IGNORECASE)
# What arXiv's announcement feeds put before the abstract; without it their text equals that of the API.
_ARXIV_PREFIX = re.compile(r"arXiv:\S+ Announce Type: \S+\s+(?:Abstract: )?")


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for the feed; yield one page, without entries when it is not modified or says the same as last time."""
    response = get(Request(source.url, state.etag, state.last_modified))
    if response.status == 304:
        yield page_of(response, None, state.body_hash)
        return
    hashed = fingerprint(response.body)
    same = hashed == state.body_hash and not response.truncated
    yield page_of(response, None if same else parse(response), hashed)


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the entries of a feed, in document order.

    Of a document that breaks off, the complete entries; its ``problem`` is ``truncated``.

    Raises:
        ParseError: ``not_a_feed`` (something else, say an HTML page), ``malformed`` (a feed, but nothing of it can be read).
    """
    import feedparser

    headers = {"content-location": url, "content-type": f"application/xml; charset={charset}" if charset else "application/xml"}
    try:
        feed = feedparser.parse(_clean(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    except (ValueError, LookupError, OverflowError, AttributeError, TypeError, KeyError) as error:
        raise ParseError("malformed", f"feedparser cannot read {url}: {error}") from error
    if not feed.entries and not feed.get("version"):
        raise ParseError("not_a_feed", f"{url} answered with {_looks_like(body)}, not with a feed")
    if not feed.entries and feed.bozo and (b"<item" in body or b"<entry" in body):
        raise ParseError("malformed", f"{url}: {text.one_line(str(feed.get('bozo_exception', '')), 200)}")
    cut, half = _breaks_off(body)
    listed = feed.entries[:-1] if half else feed.entries
    entries = [entry for raw in listed[:MAX_ENTRIES] if (entry := _entry(raw, url, mirror=source.role == "mirror"))]
    return Parsed(tuple(entries), problem="truncated" if cut else "too_many_items" if len(listed) > MAX_ENTRIES else None)


def _breaks_off(body: bytes) -> tuple[bool, bool]:
    """(whether the document's root is never closed, whether an entry is not closed either): half an entry would get a key of its own."""
    roots, entries = ([not mark[1] for mark in marks.finditer(body)] for marks in (_ROOT, _ENTRY))
    cut = bool(roots) and all(roots)
    return cut, cut and bool(entries) and entries[-1]


def _clean(body: bytes) -> bytes:
    """The bytes without what makes parsers raise. UTF-16 and UTF-32 pass untouched: there, NUL is half a letter."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or body[:4].count(0) >= 2:
        return body
    shown = body if _ESCAPES.search(body[:200]) else _CONTROLS.sub(b"", body.lstrip())
    return _REFERENCE.sub(_reference, shown)


def _reference(found: re.Match[bytes]) -> bytes:
    code = int(found[1], 16) if found[1] else int(found[2])
    forbidden = (code < 32 and code not in (9, 10, 13)) or 0xD800 <= code <= 0xDFFF or code > 0x10FFFF or code in (0xFFFE, 0xFFFF)
    return b"" if forbidden else found[0]


def _looks_like(body: bytes) -> str:
    start = body.lstrip()[:300].lower()
    for mark, name in (
        (b"<!doctype html", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"{", "JSON"),
        (b"%pdf", "a PDF"),
        (b"\x89png", "a picture"),
    ):
        if start.startswith(mark):
            return name
    return "something else" if start else "nothing"


def _unglued(title: str) -> str:
    """A mirror's title without the date and category that its scraper glued to it: "Aug 18, 2026ScienceHow Claude …"."""
    from tracker.pollers.listing.cards import cleaned

    return cleaned(title, Counter(), sure=False)[0]


def _entry(raw: Mapping[str, Any], base: str, *, mirror: bool) -> Entry | None:
    markup = _markup(raw)
    link = urls.safe_url(raw.get("link"), base)
    guid = text.one_line(str(raw.get("id") or ""), 500) or None
    title = text.one_line(text.plain(str(raw.get("title") or ""), text.MAX_TITLE * 2))
    title = _unglued(title) if mirror else title
    abstract = guid is not None and guid.startswith("oai:arXiv")
    body = text.paragraph(_ARXIV_PREFIX.sub("", markup, count=1)) if abstract else text.plain(markup)
    if not title and not body and not link:
        return None
    published, written = _date(raw)
    own = urls.own_key(link or "") or urls.own_key(guid or "")
    return Entry(
        title or text.one_line(body, 120) or (link or ""),
        link,
        guid,
        body,
        _authors(raw, bool(own)),
        published,
        written,
        (urls.arxiv_version(guid or "") or urls.arxiv_version(link or "")) if own else None,
        own,
        tuple(sorted(urls.keys_in(markup) - {own, urls.link_key(link or "")})[:MAX_LINKS]),  # what links to itself links to nothing
    )


def _markup(raw: Mapping[str, Any]) -> str:
    """The longest of what the feed offers: full content, else the summary."""
    offered = [str(part.get("value") or "") for part in raw.get("content") or [] if isinstance(part, Mapping)]
    return max([*offered, str(raw.get("summary") or "")], key=len)[:MAX_MARKUP]


def _authors(raw: Mapping[str, Any], paper: bool) -> tuple[str, ...]:
    names = [str(author.get("name") or "") for author in raw.get("authors") or [] if isinstance(author, Mapping)] or [
        str(raw.get("author") or "")
    ]
    if paper and len(names) == 1:  # arXiv's feeds give all authors as one
        names = names[0].split(", ")
    return tuple(name for raw_name in names[:200] if (name := text.one_line(raw_name, 200).replace(";", ",")))


def _date(raw: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """(UTC instant or None, what was written). A date feedparser cannot read stays readable as written."""
    for key in ("published", "updated", "created"):
        written = raw.get(key)
        if not written:
            continue
        shown = text.one_line(str(written), 100)
        if re.match(r"\d{5}", shown):  # a year beyond 9999, seconds since 1970: feedparser takes the first digits for a date
            return None, shown
        try:
            moment = datetime.fromtimestamp(timegm(raw[f"{key}_parsed"]), UTC)
        except (TypeError, ValueError, OverflowError, OSError, KeyError):
            return None, shown
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year >= 1000 else None, shown
    return None, None
