"""Trial: ask one source now, store nothing, and say what was understood of its answer and why not.

in   a source and a fetcher; out  its first page that lists something, or its error, and hints: why nothing is listed, what the answer looks
like, where a page says its feed is, which links a page has that do not fit
knows no database. Surprising: hints are read from the answer with bounded regular expressions, never parsed: it may be hostile, and the
parse worker answers only with entries.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urljoin, urlsplit

from tracker.errors import ParseError, SourceError
from tracker.poll import Arrived, Fetcher, ask, since
from tracker.pollers import Parsed, poller
from tracker.pollers.worker import ParseWorker
from tracker.text import one_line
from tracker.types import Page, Request, Response, Source, State
from tracker.urls import safe_url

__all__ = ["Trial", "trial"]

MAX_LOOKED = 1_000_000  # bytes of an answer in which hints are looked for
MAX_HINTS = 5
MAX_PAGES = 20  # of a source that is asked by several queries, the first may find nothing

_LINK_TAG = re.compile(rb"<link\b[^>]{1,1000}>", re.IGNORECASE)
_HREF = re.compile(rb"""\bhref\s{0,5}=\s{0,5}["']?([^"'\s>]{1,500})""", re.IGNORECASE)
_ANCHOR = re.compile(rb"""<a\b[^>]{0,500}?\bhref\s{0,5}=\s{0,5}["']?([^"'\s>]{1,500})""", re.IGNORECASE)
_FEED_TYPE = re.compile(rb"application/(?:rss\+xml|atom\+xml|feed\+json)", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]{0,200}>([^<]{1,300})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trial:
    """What a source answers now: its first page, or why there is none. ``hints`` are sentences on what came instead."""

    source: Source
    page: Page | None = None
    error: SourceError | None = None
    hints: tuple[str, ...] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, object]:
        """Return the facts for ``--json``."""
        entries = self.page.entries or () if self.page else ()
        return {
            "source": self.source.id,
            "error": str(self.error) if self.error else self.page.problem if self.page else None,
            "moved_to": self.page.moved_to if self.page else None,
            "hints": list(self.hints),
            "entries": [
                {"title": e.title, "url": e.url, "published_at": e.published_at, "published_raw": e.published_raw} for e in entries
            ],
        }


def trial(source: Source, fetcher: Fetcher, now: datetime) -> Trial:
    """Ask one source, without validators, for its first page that lists something, and return what was understood."""
    heard, worker, begin = _Heard(fetcher), _Counting(), since(source, now)
    with worker:
        arrived = _first(ask(source, State(since=begin), heard, worker))
        nothing = tuple(_nothing(source, worker, heard.first, begin)) if arrived.page and not arrived.page.entries else ()
    return Trial(source, arrived.page, arrived.error, (*nothing, *_hints(source, arrived.page, arrived.error, heard.first)))


def _first(arriving: Iterator[Arrived]) -> Arrived:
    """The first page that lists something, or how the source ended."""
    for number, arrived in enumerate(arriving, 1):
        if not arrived.page or arrived.page.entries or arrived.page.last or number == MAX_PAGES:
            break
    return arrived


class _Counting(ParseWorker):
    """A parse worker that counts what documents list, also what a poller then leaves out."""

    listed = 0

    def parse(self, source: Source, response: Response) -> Parsed:
        parsed = super().parse(source, response)
        self.listed += len(parsed.entries)
        return parsed


def _nothing(source: Source, worker: _Counting, response: Response | None, begin: str) -> Iterator[str]:
    """Why an answer without a fault has no entries."""
    listed = worker.listed
    if listed:
        yield f"{listed:,} listed, none since {begin[:10]}; a first poll reads no further back (`first` in feeds.toml)"
        return
    left_out = 0
    bare = replace(source, options={name: value for name, value in source.options.items() if name != "skip"})
    if response and bare != source:
        with suppress(ParseError):
            left_out = len(worker.parse(bare, response).entries)
    if left_out:
        yield f"all {left_out:,} listed are left out by `skip` of the source"
    elif "query" in poller(source.kind).KEYS:
        yield f"nothing is found since {begin[:10]}; check `query` of the source"
    else:
        yield "a valid document without entries"


class _Heard:
    """A fetcher that keeps the first answer."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher
        self.first: Response | None = None

    def get(self, request: Request) -> Response:
        response = self._fetcher.get(request)
        self.first = self.first or response
        return response


def _hints(source: Source, page: Page | None, error: SourceError | None, response: Response | None) -> Iterator[str]:
    if error and error.name == "disallowed":
        yield "robots.txt does not allow it"
    if response is None:
        return
    if source.kind == "page":
        yield "robots.txt was asked first, and obeyed"
    if error:
        yield from _looks(response)
    body = response.body[:MAX_LOOKED]
    for feed in list(dict.fromkeys(_feeds(body, response.url)))[:MAX_HINTS]:
        if feed != source.url:
            yield f"the page says that it has a feed: {feed}"
    if source.kind == "page":
        yield from _others(source, page, body, response.url)


def _looks(response: Response) -> Iterator[str]:
    said = one_line(response.headers.get("content-type", "nothing"), 80)
    title = _TITLE.search(response.body[:MAX_LOOKED])
    named = f', titled "{one_line(title[1].decode("utf-8", "replace"), 80)}"' if title else ""
    yield f"HTTP {response.status}, {len(response.body):,} bytes, content type: {said}{named}"


def _feeds(body: bytes, base: str) -> Iterator[str]:
    """The feeds that a page announces: <link rel="alternate" type="application/rss+xml" href=…>."""
    for tag in _LINK_TAG.findall(body):
        if _FEED_TYPE.search(tag) and b"alternate" in tag.lower() and (href := _HREF.search(tag)) and (url := _absolute(href[1], base)):
            yield url


def _others(source: Source, page: Page | None, body: bytes, base: str) -> Iterator[str]:
    """The links of a page that are none of its articles, by the beginning of their paths: what ``links`` could say instead."""
    listed = {entry.url for entry in (page.entries or ())} if page else set()
    host = urlsplit(base).hostname
    counted: Counter[str] = Counter()
    for url in dict.fromkeys(filter(None, (_absolute(href, base) for href in _ANCHOR.findall(body)))):
        parts = urlsplit(url)
        if url not in listed and parts.hostname == host and parts.path.strip("/"):
            first, _, rest = parts.path.lstrip("/").partition("/")
            counted[f"/{first}/" if rest else f"/{first}"] += 1
    if counted:
        named = ", ".join(f"{path} ({count})" for path, count in counted.most_common(MAX_HINTS))
        wanted = source.options.get("links", "")
        yield f'links seen that are no articles by links = "{wanted}": {named}'


def _absolute(href: bytes, base: str) -> str | None:
    try:
        return safe_url(urljoin(base, href.decode("utf-8", "replace").replace("&amp;", "&")))
    except ValueError:
        return None
