"""arXiv through its API and the ``arxiv`` package.

in   a query of feeds.toml; out  papers, newest change first, a page at a time until the window of the last poll is reached
The package parses, we fetch: it is handed a session (``_Served``) whose only answer is the document that our hardened session has
brought, because its own has no timeout and takes "Rate exceeded.", an error entry and an empty page for papers or for none.
Surprising: newest *change* first, so that a v2 is seen too; and a paper can be announced days after it was changed, so every poll
reads ``OVERLAP`` further back than the newest paper it knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from tracker import text, urls
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, fingerprint, page_of
from tracker.types import Entry, Page, Request, Source, State

__all__ = ["KEYS", "configure", "page_url", "poll", "read"]

KEYS: Mapping[str, type] = {"query": str, "first": str}
ORIGIN = "paper"  # what its items are, if feeds.toml does not say otherwise
API = "https://export.arxiv.org/api/query"
PAGE_SIZE = 2_000  # papers a request, the most the API gives
MAX_RESULTS = 30_000  # the API gives no more of one query. https://info.arxiv.org/help/api/user-manual.html
# How far before the newest change known each poll reads: what is submitted from Thursday 14:00 to Friday 14:00 (Ithaca) is announced on
# Sunday at 20:00, with a holiday a day later.
OVERLAP = timedelta(days=3)
_TIME = "%Y-%m-%dT%H:%M:%SZ"


def configure(table: Any) -> tuple[str, dict[str, object]]:
    """Return what is asked for, and how far the first poll reads back (``first_s``)."""
    query = table.values.get("query", "").strip()
    if "url" in table.values:
        raise table.error("an arXiv source is asked by its query; remove url", "url")
    if not query:
        raise table.error('an arXiv source needs a query, like query = "cat:cs.AI AND abs:agent"')
    if not _balanced(query):
        raise table.error("query has unbalanced parentheses or quotes", "query")
    return f"{API}?search_query={quote_plus(query)}", {"first_s": table.span_s("first", 0)} if "first" in table.values else {}


def _balanced(query: str) -> bool:
    depth = 0
    for char in re.sub(r'"[^"]*"', "", query):
        depth += (char == "(") - (char == ")")
        if depth < 0 or char == '"':
            return False
    return depth == 0


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for pages until one reaches back beyond the window, or the results end; the cursor moves on the last one.

    Raises:
        SourceError: ``incomplete_results`` when fewer papers came than the API says there are; the cursor stays, the next poll asks again.
    """
    floor = _floor(state)
    newest, start = state.cursor or "", 0
    while True:
        response = get(Request(page_url(source.url, start)))
        hashed = fingerprint(response.body)
        if start == 0 and hashed == state.body_hash:
            yield page_of(response, None, hashed)
            return
        parsed = parse(response)
        first, start = start == 0, start + len(parsed.entries)
        newest = max([newest, *parsed.changed])
        last = start >= min(parsed.total or 0, MAX_RESULTS) or min(parsed.changed, default=floor) < floor
        if not last and len(parsed.entries) < PAGE_SIZE:
            raise SourceError("incomplete_results", f"arXiv says there are {parsed.total} papers and gave {start}; asked again next time")
        inside = tuple(entry for entry, changed in zip(parsed.entries, parsed.changed, strict=True) if changed >= floor)
        # Only the first page is worth a hash: it alone tells the next poll whether anything is new.
        state = replace(state, body_hash=hashed) if first else state
        capped = last and start < (parsed.total or 0) and min(parsed.changed, default="") >= floor
        listed = Parsed(inside, problem="too_many_items" if capped else None)
        yield page_of(response, listed, state.body_hash if last else None, cursor=newest if last else None, last=last)
        if last:
            return


def page_url(base: str, start: int) -> str:
    """Return the address of one page of results: exactly what the ``arxiv`` package would ask for."""
    query = urlsplit(base).query.removeprefix("search_query=")
    rest = urlencode({"sortBy": "lastUpdatedDate", "sortOrder": "descending", "start": start, "max_results": PAGE_SIZE})
    return f"{base.partition('?')[0]}?search_query={query}&id_list=&{rest}"


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the papers of one page with the instants of their last change, and the size of the whole result.

    Raises:
        ParseError: ``rate_limited``, ``api_error``, ``incomplete_results`` (a page without papers although there are some),
            ``not_a_feed``, ``malformed``.
    """
    total = _total(body, url)
    results = list(_results(body))
    if errors := [result for result in results if "/api/errors" in result.entry_id]:
        raise ParseError("api_error", f"arXiv refuses the query: {text.one_line(errors[0].summary, 200)}")
    if total and not results:
        raise ParseError("incomplete_results", f"arXiv says there are {total} papers and sent a page without any; asked again next time")
    return Parsed(tuple(map(_entry, results)), total, changed=tuple(result.updated.strftime(_TIME) for result in results))


def _floor(state: State) -> str:
    """How far back to read: a little before the newest change known; at first as far as ``state.since`` says."""
    if not state.cursor:
        return state.since or ""
    return (datetime.strptime(state.cursor, _TIME).replace(tzinfo=UTC) - OVERLAP).strftime(_TIME)


def _total(body: bytes, url: str) -> int:
    found = re.search(rb"totalResults[^>]{0,200}>\s{0,20}(\d{1,9})\s{0,20}<", body[:20_000])
    if found:
        return int(found[1])
    if b"Rate exceeded" in body[:2_000]:
        raise ParseError("rate_limited", f"arXiv says the rate is exceeded: {url}")
    raise ParseError("not_a_feed", f"{url} did not answer with a list of papers")


class _Enough(Exception):
    """The package asks for a next page, as it does when it had to skip a paper without an id or a date."""


class _Served:
    """The session the package is given: answers with the document at hand, once, whatever it is asked for."""

    status_code = 200

    def __init__(self, body: bytes) -> None:
        self.content = body
        self._asked = False

    def get(self, url: str, **_: object) -> _Served:
        if self._asked:
            raise _Enough
        self._asked = True
        return self


def _results(body: bytes) -> Iterator[Any]:
    import arxiv

    count = max(1, len(re.findall(rb"<entry[ >]", body)))
    client = arxiv.Client(page_size=count, delay_seconds=0, num_retries=0)
    client._session = _Served(body)
    try:
        yield from client.results(arxiv.Search(query="served", max_results=count))
    except _Enough:
        return
    except (ValueError, TypeError, AttributeError, arxiv.ArxivError) as error:
        raise ParseError("malformed", f"arXiv's answer cannot be read: {text.one_line(str(error), 200)}") from error


def _entry(result: Any) -> Entry:
    key = urls.own_key(result.entry_id)
    page = urls.safe_url(result.entry_id.replace("http://", "https://", 1))
    doi = {f"doi:{result.doi.lower()}"} if result.doi else set()
    return Entry(
        text.one_line(result.title),
        re.sub(r"v\d+$", "", page or "") or None,
        None,
        text.paragraph(result.summary),
        tuple(text.one_line(author.name, 200).replace(";", ",") for author in result.authors[:3_000] if author.name),
        result.published.strftime(_TIME),
        None,
        urls.arxiv_version(result.entry_id),
        key,
        tuple(sorted((urls.keys_in(f"{result.summary} {result.comment or ''}") | doi) - {key})),
    )
