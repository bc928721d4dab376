"""Sitemaps: urlset, sitemapindex, lines of addresses, each of them packed with gzip or not. https://www.sitemaps.org/protocol.html

in   the bytes of a sitemap, what links are articles
out  one entry an article, last changed first; of an index, one entry a sitemap it names
``lastmod`` moves whenever a site is built anew: it orders, it tells a changed sitemap from an unchanged one, it bounds a backfill, and it
never dates anything. Only ``news:publication_date`` does (Google's news sitemaps).
Surprising: a sitemap names no titles. An entry has the words of its address instead (``slugs``) until somebody reads the article.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

from tracker import text, urls
from tracker.errors import ParseError
from tracker.pollers import Parsed
from tracker.pollers.listing import days, slugs
from tracker.pollers.listing.links import Element, Pattern
from tracker.types import Entry

__all__ = ["chosen", "is_index", "is_sitemap", "read"]

MAX_BODY = 20_000_000  # bytes of an unpacked sitemap; the protocol allows 50 MB, 50,000 addresses
MAX_ENTRIES = 3_000
MAX_SITEMAPS = 500  # that an index may name
MAX_PARTS = 200  # elements of one row; sites in 40 languages name as many translations
_GZIP = b"\x1f\x8b"
_PEEK = 20_000  # bytes in which a document says what it is
_PROLOG = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s{0,1000}(?:<\?[^>]{0,2000}\?>|<!--[^>]{0,2000}-->)){0,20}\s{0,1000}")
_ROOT = re.compile(rb"<(?:[\w-]{1,20}:)?(urlset|sitemapindex)[\s>/]")
_END = re.compile(rb"</(?:[\w-]{1,20}:)?(?:urlset|sitemapindex)\s{0,100}>")
_ADDRESS = re.compile(rb"https?://[^\s<>\"]{1,2000}\s*", re.IGNORECASE)
# Sitemaps of an index that hold no articles, by their names: WordPress and its plug-ins, shops, picture and video sitemaps.
_NO_ARTICLES = re.compile(
    r"categor|(?:^|[/_-])tags?(?:[/._-]|$)|author|image|video|attachment|product|career|jobs?[/._-]|locale|event|legal|users?[/._-]|taxonom",
    re.IGNORECASE,
)
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_WORD = re.compile(r"[a-z]{3,}")
_EVERYWHERE = frozenset("sitemap sitemaps index xml txt".split())


@dataclass(frozen=True, slots=True)
class _Row:
    """One ``url`` or ``sitemap`` element."""

    loc: str
    lastmod: str = ""
    title: str = ""
    published: str = ""


def is_sitemap(body: bytes) -> bool:
    """Return whether a document is a sitemap, whatever it is called and however it is labelled."""
    head = _head(body)
    return bool(_root(head)) or (not head.lstrip().startswith(b"<") and _is_list(head))


def is_index(body: bytes) -> bool:
    """Return whether a document is a sitemap of sitemaps."""
    return _root(_head(body)) == b"sitemapindex"


def read(body: bytes, wanted: Pattern) -> Parsed:
    """Return the articles of a sitemap, or the sitemaps of an index; none is no error here.

    ``changed`` holds the lastmod of each ("" for none), ``total`` how many addresses the document has.

    Raises:
        ParseError: ``bad_encoding`` (gzip that is none), ``malformed``.
    """
    whole, problem = _unpacked(body)
    root = _root(_head(whole))
    tag = "sitemap" if root == b"sitemapindex" else "url"
    rows, torn = _rows(whole, tag, wanted) if root else _lines(whole, complete=problem is None)
    dated = sorted(((row, _instant(row.lastmod)) for row in rows), key=lambda pair: pair[1], reverse=True)
    found = [*islice(_named(dated) if tag == "sitemap" else _articles(dated, wanted), MAX_ENTRIES + 1)]
    problem = problem or ("truncated" if torn else "too_many_items" if len(found) > MAX_ENTRIES else None)
    kept = found[:MAX_ENTRIES]
    return Parsed(tuple(entry for entry, _ in kept), len(rows), problem, tuple(changed for _, changed in kept))


def chosen(index: Parsed, page: str, wanted: str, since: str) -> list[tuple[str, str]]:
    """Return the sitemaps of an index that fit, as (URL, lastmod).

    On the host of the index only. Where names say what is in them (``/sitemap.xml/research/`` for links to ``/research/``), those that
    fit, if there is one for each of the links; else all but what holds no articles. Last changed first, those without a date before all
    others; none older than ``since``.
    """
    here = [
        (str(entry.url), changed)
        for entry, changed in zip(index.entries, index.changed, strict=True)
        if urls.host_of(entry.url) == urls.host_of(page) and (not changed or changed >= since)
    ]
    prefixes = [_words(word) for word in wanted.split() if word[0] != "!"]
    hinted = [pair for pair in here if any(words & _words(pair[0]) for words in prefixes)]
    said = set().union(*(_words(url) for url, _ in hinted))
    fitting = (
        hinted
        if hinted and all(words & said for words in prefixes)
        else [pair for pair in here if not _NO_ARTICLES.search(urlsplit(pair[0]).path)]
    )
    fitting.sort(key=lambda pair: pair[1] or "~", reverse=True)
    return fitting


def _words(url: str) -> set[str]:
    return set(_WORD.findall(urlsplit(url.lower()).path)) - _EVERYWHERE


# -- what a document is -----------------------------------------------------------------------------


def _head(body: bytes) -> bytes:
    if not body.startswith(_GZIP):
        return body[:_PEEK]
    try:
        return zlib.decompressobj(31).decompress(body[:_PEEK], _PEEK)
    except zlib.error:
        return b""


def _root(head: bytes) -> bytes:
    prolog = _PROLOG.match(head)
    found = _ROOT.match(head, prolog.end() if prolog else 0)
    return found[1] if found else b""


def _is_list(head: bytes) -> bool:
    lines = [line for line in head.removeprefix(b"\xef\xbb\xbf").splitlines() if line.strip()]
    complete = lines[:-1] if len(head) == _PEEK else lines
    return bool(complete) and all(_ADDRESS.fullmatch(line.strip()) for line in complete)


def _unpacked(body: bytes) -> tuple[bytes, str | None]:
    """The document without its gzip, and what is wrong with it: a bomb is cut, a torn one counts as far as it goes."""
    if not body.startswith(_GZIP):
        return body[:MAX_BODY], "too_large" if len(body) > MAX_BODY else None
    stream = zlib.decompressobj(31)
    try:
        whole = stream.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise ParseError("bad_encoding", f"the sitemap is packed with gzip and cannot be unpacked: {error}") from None
    return whole, "too_large" if stream.unconsumed_tail else None if stream.eof else "truncated"


# -- its rows ---------------------------------------------------------------------------------------


def _rows(body: bytes, tag: str, wanted: Pattern) -> tuple[list[_Row], bool]:
    """The elements of a kind, and whether the document breaks off: then its last one may be half an address, and does not count."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False, recover=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.LxmlError, ValueError) as error:
        raise ParseError("malformed", f"{wanted.pages[-1]} is a sitemap that cannot be read: {text.one_line(str(error), 200)}") from None
    elements = [element for element in root if _name(element) == tag] if root is not None else []
    torn = bool(elements) and not _END.search(body[-_PEEK:])
    return [row for element in elements[: len(elements) - torn] if (row := _row(element))], torn


def _row(element: Element) -> _Row | None:
    """A row, its address as written; pictures and translations (image:loc, xhtml:link) are no part of it."""
    said: dict[str, str] = {}
    for part in islice(element, MAX_PARTS):
        for inner in (part, *(islice(part, MAX_PARTS) if _name(part) == "news" else ())):
            said.setdefault(_name(inner), (inner.text or "")[:2_000].strip())
    loc = said.get("loc", "")
    return _Row(loc, said.get("lastmod", ""), said.get("title", ""), said.get("publication_date", "")) if _HTTP.match(loc) else None


def _name(element: Element) -> str:
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def _lines(body: bytes, *, complete: bool) -> tuple[list[_Row], bool]:
    lines = body.removeprefix(b"\xef\xbb\xbf").splitlines()
    whole = (line.strip() for line in lines[: len(lines) - (not complete)])
    return [_Row(line.decode("utf-8", "replace")) for line in whole if _ADDRESS.fullmatch(line)], False


def _named(rows: Iterable[tuple[_Row, str]]) -> Iterator[tuple[Entry, str]]:
    """The sitemaps that an index names, with when they changed."""
    for row, changed in islice(rows, MAX_SITEMAPS):
        if url := urls.safe_url(row.loc):
            yield Entry(url, url), changed


def _articles(rows: Iterable[tuple[_Row, str]], wanted: Pattern) -> Iterator[tuple[Entry, str]]:
    """The articles among the addresses, each once, with when they changed."""
    seen = set()
    for row, changed in rows:
        match = wanted.match(row.loc, row.loc)
        if match and match[0] not in seen:
            seen.add(match[0])
            yield _entry(match[1], row), changed


def _entry(url: str, row: _Row) -> Entry:
    title = text.one_line(text.plain(row.title, text.MAX_TITLE * 2))
    published = days.whole(row.published)
    return Entry(
        title or slugs.title_of(url), url, published_at=published, published_raw=row.published[:100] or None, own_key=urls.own_key(url)
    )


def _instant(lastmod: str) -> str:
    """The lastmod as an instant; "" for none. W3C allows a month or a year: too little to compare by."""
    return days.whole(lastmod) or ""
