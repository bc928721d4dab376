"""Hacker News, through the search of Algolia.

in   queries and the points a story must have; out  stories, newest first: link posts under the address they point to
Algolia knows no OR: each query is one request, two when it has more than 100 new stories. Stories gather points for days, so every poll
reads the last week again.
Surprising: the day on which something was posted dates it, unless it is a paper, or its title says that it is of an earlier year, as
titles there do.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tracker import text, urls
from tracker.clock import parse as moment
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, page_of
from tracker.pollers.answer import gist, instant, loaded, refusal, word
from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["KEYS", "ORIGIN", "configure", "poll", "read"]

KEYS: Mapping[str, type] = {"query": list, "points": float}
ORIGIN = "community"
API = "https://hn.algolia.com/api/v1/search_by_date"  # by date: the other order is by relevance. https://hn.algolia.com/api
PAGE_SIZE = 100
MAX_REQUESTS = 100  # a poll; a backfill of a year needs about 30
POINTS = 20  # what about one story in ten reaches
WINDOW_S = 7 * 86_400  # how long a story may gather points
_KEPT = "objectID|title|url|created_at_i|story_text"
_DISCUSSION = "https://news.ycombinator.com/item?id="
_EARLIER = re.compile(r"[(\[]((?:19|20)\d\d)[)\]](?:\s*\[\w{1,10}\])?\s*$")  # "Reflexion (2023) [pdf]"


def configure(table: Any) -> tuple[str, dict[str, object]]:
    """Return the address that stands for the queries, and how far each poll reads back (``first_s``)."""
    queries, points = table.texts("query"), table.values.get("points", POINTS)
    if "url" in table.values:
        raise table.error("Hacker News is asked by query; remove url", "url")
    if not queries:
        raise table.error('has no query: query = ["self-improving agent", "continual learning"]', "query")
    if not (0 <= points < 100_000 and points == int(points)):
        raise table.error(f"points must be a whole number, like 20, not {points}", "points")
    asked = [("tags", "story"), ("numericFilters", f"points>={int(points)}"), *(("query", query.strip()) for query in queries)]
    return f"{API}?{urlencode(asked)}", {"first_s": WINDOW_S}


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask every query for the stories of the last week, or since the newest one known if that is longer ago.

    Raises:
        SourceError: ``incomplete_results`` when fewer stories come than Algolia says there are.
    """
    floor = state.since or ""
    floor = floor if state.backfill else min(floor, state.cursor or floor)
    queries = _queries(source.url)
    first = [get(Request(_page_url(source.url, query, floor))) for query in queries]
    hashed = gist((response.body for response in first), _KEPT)
    if hashed == state.body_hash and not state.backfill:
        yield page_of(first[-1], None, hashed)
        return
    newest = state.cursor or ""
    for number, (query, response) in enumerate(zip(queries, first, strict=True), 1):
        for answer, parsed, more in _stories(source.url, query, floor, response, get, parse):
            newest = max([newest, *parsed.changed])
            last = number == len(queries) and not more
            yield page_of(answer, parsed, hashed if last else None, cursor=(newest or None) if last else None, last=last)


def _stories(base: str, query: str, floor: str, first: Response, get: Get, parse: Parse) -> Iterator[tuple[Response, Parsed, bool]]:
    """Yield the answers to one query, newest stories first, each with whether there is another."""
    response, until = first, ""
    for _ in range(MAX_REQUESTS):
        if response.truncated:
            raise SourceError("truncated", f"{response.url}: the answer was not complete; asked again next time")
        parsed = parse(response)
        more = len(parsed.entries) < (parsed.total or 0)
        oldest = min(filter(None, parsed.changed), default="")
        yield response, parsed, more
        if not more:
            return
        if not oldest or oldest == until:
            break
        until = oldest
        response = get(Request(_page_url(base, query, floor, until)))
    raise SourceError("incomplete_results", f"Algolia says there are more stories on {query!r} than it gives; asked again next time")


def _queries(url: str) -> list[str]:
    return [value for name, value in parse_qsl(urlsplit(url).query) if name == "query"]


def _page_url(base: str, query: str, floor: str, until: str = "") -> str:
    """The address of the stories from the day of ``floor`` up to ``until``; by whole days, so that it stays the same for a day."""
    filters = [value for name, value in parse_qsl(urlsplit(base).query) if name == "numericFilters"]
    filters += [f"created_at_i>={_seconds(floor[:10] + 'T00:00:00Z')}"] if floor else []
    filters += [f"created_at_i<={_seconds(until)}"] if until else []
    asked = {"query": query, "tags": "story", "numericFilters": ",".join(filters), "hitsPerPage": PAGE_SIZE}
    return f"{base.partition('?')[0]}?{urlencode(asked)}"


def _seconds(instant: str) -> int:
    return int(moment(instant).timestamp())


# -- reading ----------------------------------------------------------------------------------------


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the stories of an answer with the instants at which they were posted, and how many there are in all.

    Raises:
        ParseError: ``api_error``, ``not_a_feed``, ``malformed`` (also an answer of which nothing can be read), ``too_deep``.
    """
    value = loaded(body, url)
    hits = value.get("hits") if isinstance(value, dict) else None
    if not isinstance(hits, list):
        raise refusal(value, url, "a list of stories")
    hits = hits[:1_000]
    found = [entry for hit in hits if isinstance(hit, dict) and (entry := _entry(hit))]
    if hits and not found:
        raise ParseError("malformed", f"{url} lists {len(hits)} stories of which none can be read")
    said = value.get("nbHits")
    total = said if isinstance(said, int) and said >= len(hits) else len(hits)
    # Without what cannot be read: nobody shall wait for it on the next page.
    return Parsed(tuple(found), total - len(hits) + len(found), changed=tuple(entry.published_raw or "" for entry in found))


def _entry(hit: Mapping[str, Any]) -> Entry | None:
    identifier, title = word(hit.get("objectID")).strip(), text.one_line(word(hit.get("title")))
    if not re.fullmatch(r"\d{1,15}", identifier) or not title:
        return None
    discussion = f"{_DISCUSSION}{identifier}"
    link = urls.safe_url(word(hit.get("url")) or None)
    paper = urls.own_key(link or "")
    said = word(hit.get("story_text"))[:400_000]
    posted = instant(hit.get("created_at_i")) or instant(hit.get("created_at"))
    author = text.one_line(word(hit.get("author")), 200).replace(";", ",")
    return Entry(
        title,
        link or discussion,
        identifier,
        text.plain(said),
        (author,) if author else (),
        None if paper or (link and _is_of_before(title, posted)) else posted,
        posted,
        urls.arxiv_version(link or ""),
        paper,
        tuple(sorted(urls.keys_in(html.unescape(said)) | ({f"url:{urls.canonical_url(discussion)}"} if link else set()))[:200]),
    )


def _is_of_before(title: str, posted: str | None) -> bool:
    """Whether a title says that what it links to is of an earlier year: "Reflexion (2023)"."""
    said = _EARLIER.search(title)
    return bool(said and posted and said[1] < posted[:4])
