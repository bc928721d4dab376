"""arXiv through its API and the ``arxiv`` package.

in   a query of feeds.toml; out  papers, newest change first, a page at a time until the window of the last poll is reached
The package parses, we fetch: it is handed a session (``_Served``) whose only answer is the document that our hardened session has
brought, because its own has no timeout and takes "Rate exceeded.", an error entry and an empty page for papers or for none.
Surprising: newest *change* first, so that a v2 is seen too; and a paper can be announced days after it was changed, so every poll
reads ``OVERLAP`` further back than the newest paper it knows. What lies more than ``LOOK_BACK`` behind (a first poll over months, a
backfill, a month without a run) is read by day of submission: the API can sort by change but not filter by it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

from tracker import clock, text, urls
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, fingerprint, page_of
from tracker.pollers.reached import MAX_PAGES, Reached
from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["KEYS", "configure", "page_url", "poll", "read"]

KEYS: Mapping[str, type] = {"query": str, "first": str}
ORIGIN = "paper"  # what its items are, if feeds.toml does not say otherwise
API = "https://export.arxiv.org/api/query"
PAGE_SIZE = 2_000  # papers a request, the most the API gives
MAX_RESULTS = 30_000  # the API gives no more of one query. https://info.arxiv.org/help/api/user-manual.html
# How far before the newest change known each poll reads: what is submitted from Thursday 14:00 to Friday 14:00 (Ithaca) is announced on
# Sunday at 20:00, with a holiday a day later.
OVERLAP = timedelta(days=3)
LOOK_BACK = timedelta(days=14)  # behind the newest change, as far as changes are followed: at most some 5 pages of a query of ours
MINUTE = timedelta(minutes=1)  # the API's dates know no seconds
FIRST = "1991-08-01T00:00:00Z"  # before it, arXiv was not
_ENTRY = re.compile(rb"<entry[ >]")
# An error comes as an entry, without the date that the package wants of a paper.
_REFUSAL = re.compile(rb"<id>[^<]{0,200}/api/errors[^<]{0,500}</id>(?:(?!</entry>).){0,2000}?<summary[^>]{0,100}>([^<]{0,2000})", re.DOTALL)
LATEST = "9999-12-31T23:59:59Z"
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
    """Read what has changed since the last poll, then the past, if some was asked for or is still to be read.

    Raises:
        SourceError: ``incomplete_results`` when fewer papers come, twice, than the API says there are. What came is stored; a walk through
            the past goes on at the next poll where it stopped, everything else is read again.
    """
    reached = Reached.by(state)
    known = reached.is_known(state)
    floor = _earlier(reached.newest, OVERLAP) if known else state.since or FIRST
    first = get(Request(page_url(source.url, 0)))
    if known and not reached.until and fingerprint(first.body) == state.body_hash:
        yield page_of(first, None, state.body_hash)
        return
    hashed = None
    for response, parsed, down_to in _changes(source, floor, first, get, parse):
        hashed = hashed or fingerprint(response.body)  # of the first page: it alone tells the next poll whether anything is new
        reached = replace(reached, newest=max([reached.newest, *parsed.changed]))
        if down_to and down_to > floor:
            # A rest on top of that of a walk takes it in as news; what lies in it is too old to be mailed (poll.OLD).
            reached = replace(reached, since=min(floor, reached.since or floor), until=_earlier(down_to, -MINUTE), walk=state.walk)
        last = bool(down_to) and not reached.until
        inside = tuple(entry for entry, changed in zip(parsed.entries, parsed.changed, strict=True) if changed >= floor)
        yield page_of(
            response, replace(parsed, entries=inside), hashed if last else None, cursor=reached.text() if down_to else None, last=last
        )
    if reached.until:
        yield from _past(source, reached, get, parse)


def _changes(source: Source, floor: str, first: Response, get: Get, parse: Parse) -> Iterator[tuple[Response, Parsed, str | None]]:
    """Yield the pages by last change, the last one with the instant down to which all was read.

    That is the floor, or ``LOOK_BACK`` before the newest change, or where the API gives no more.
    """
    bottom, start, response = floor, 0, first
    while True:
        response, parsed, whole = _papers(response, start, get, parse)
        bottom = bottom if start else max(floor, _earlier(max(parsed.changed, default=floor), LOOK_BACK))
        start += _listed(response, parsed)
        oldest = min(parsed.changed, default="")
        all_of_it = start >= (parsed.total or 0) or oldest < floor
        ended = whole and (all_of_it or oldest < bottom or start >= MAX_RESULTS)
        yield response, parsed, (floor if all_of_it else oldest) if ended else None
        if not whole:
            raise _incomplete(parsed, start)
        if ended:
            return
        response = get(Request(page_url(source.url, start)))


def _past(source: Source, reached: Reached, get: Get, parse: Parse) -> Iterator[Page]:
    """Read by submission from ``until`` back to ``since``; every page is a query of its own and carries how far it got.

    So no query goes beyond its first page, whatever there is (of one query the API gives 30,000 papers), and a paper submitted meanwhile
    moves nothing.
    """
    for left in range(MAX_PAGES - 1, -1, -1):
        address = page_url(source.url, 0, (reached.since, reached.until))
        response, parsed, whole = _papers(get(Request(address)), 0, get, parse)
        listed = _listed(response, parsed)
        oldest = min((entry.published_at or reached.until for entry in parsed.entries), default=reached.until)
        until = _earlier(oldest, -MINUTE)
        done = whole and (listed >= (parsed.total or 0) or until <= reached.since)
        if not whole or (until >= reached.until and not done):
            yield page_of(response, parsed, None, last=False, backlog=reached.walk)
            raise _incomplete(parsed, listed)
        walk, reached = reached.walk, Reached(reached.newest) if done else replace(reached, until=until)
        listing = parsed if done or left else replace(parsed, problem="too_many_items")
        yield page_of(response, listing, None, cursor=reached.text(), last=done or not left, backlog=walk)
        if done:
            return


def _papers(response: Response, start: int, get: Get, parse: Parse) -> tuple[Response, Parsed, bool]:
    """(an answer, its papers, whether they are all that it should hold); one that holds less is asked for once more, at once."""
    try:
        parsed = parse(response)
        if _whole(response, parsed, start):
            return response, parsed, True
    except ParseError as error:
        if error.name != "incomplete_results":
            raise
    again = get(Request(response.url))
    parsed = parse(again)
    return again, parsed, _whole(again, parsed, start)


def _whole(response: Response, parsed: Parsed, start: int) -> bool:
    return _listed(response, parsed) >= min(PAGE_SIZE, min(parsed.total or 0, MAX_RESULTS) - start)


def _listed(response: Response, parsed: Parsed) -> int:
    """How many papers an answer holds, with those that lack an id or a date, which the package passes over."""
    return max(len(parsed.entries), len(_ENTRY.findall(response.body)))


def _incomplete(parsed: Parsed, got: int) -> SourceError:
    return SourceError("incomplete_results", f"arXiv says there are {parsed.total} papers and gave {got}, twice; asked again next time")


def _earlier(moment: str, span: timedelta) -> str:
    try:
        return (datetime.strptime(moment, _TIME).replace(tzinfo=UTC) - span).strftime(_TIME)
    except (ValueError, OverflowError):
        return FIRST


def page_url(base: str, start: int, submitted: tuple[str, str] | None = None) -> str:
    """Return the address of one page of results, newest change first: exactly what the ``arxiv`` package would ask for.

    With two instants, that of the papers submitted between them, to the minute, newest submission first.
    """
    query, order = urlsplit(base).query.removeprefix("search_query="), "lastUpdatedDate"
    if submitted:  # operators bind to the right: without its parentheses a query would take the dates into its last branch
        low, high = (re.sub(r"\D", "", moment)[:12] for moment in submitted)
        query, order = f"%28{query}%29{quote_plus(f' AND submittedDate:[{low} TO {high}]')}", "submittedDate"
    rest = urlencode({"sortBy": order, "sortOrder": "descending", "start": start, "max_results": PAGE_SIZE})
    return f"{base.partition('?')[0]}?search_query={query}&id_list=&{rest}"


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the papers of one page with the instants of their last change, and the size of the whole result.

    Raises:
        ParseError: ``rate_limited``, ``api_error``, ``incomplete_results`` (a page without papers although there are some),
            ``not_a_feed``, ``malformed``.
    """
    if refused := _REFUSAL.search(body[:20_000]):
        raise ParseError(
            "api_error", f"arXiv refuses the query: {text.one_line(html.unescape(refused[1].decode('utf-8', 'replace')), 200)}"
        )
    total = _total(body, url)
    results = list(_results(body))
    if total and not results:
        raise ParseError("incomplete_results", f"arXiv says there are {total} papers and sent a page without any; asked again next time")
    built = _built(body)
    return Parsed(tuple(map(_entry, results)), total, changed=tuple(min(result.updated.strftime(_TIME), built) for result in results))


def _built(body: bytes) -> str:
    """When the answer was made: no change is newer, whatever a paper says, or the cursor would stand in the future and see nothing more."""
    said = re.search(rb"<updated>\s{0,20}([\dTZ:+.-]{19,40})\s{0,20}<", body[: max(body.find(b"<entry"), 0)])
    try:
        return clock.iso(clock.parse(said[1].decode())) if said else LATEST
    except ValueError:
        return LATEST


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

    count = max(1, len(_ENTRY.findall(body)))
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
        _homes(result.authors[:3_000]),
    )


def _homes(authors: Iterable[Any]) -> tuple[str, ...]:
    """The affiliations that arXiv's metadata hold of a few papers in a hundred, each once."""
    return tuple(dict.fromkeys(text.one_line(home, 300).replace(";", ",") for author in authors for home in author.affiliation))
