"""Hugging Face's daily papers, through its JSON API.

in   the newest list, then one list a day; out  papers under their arXiv ids, so that they are the items that arXiv lists
The newest list says what is new and which day it is; days that it does not hold as a whole are asked one by one, back to the day before
the newest one known. What the organisation that submitted a paper is called there is kept as a link to its page.
Surprising: a paper is listed days or weeks after it was published, so one that nobody else brought may be backlog from the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tracker import text, urls
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, page_of
from tracker.pollers.answer import gist, instant, loaded, refusal, word
from tracker.pollers.reached import MAX_PAGES, Reached
from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["KEYS", "ORIGIN", "configure", "poll", "read"]

KEYS: Mapping[str, type] = {"first": str}
ORIGIN = "paper"
API = "https://huggingface.co/api/daily_papers?limit=100"  # a page holds no more; https://huggingface.co/docs/hub/api
DEFAULT_LIMIT = 50  # papers a page, of an address that does not say
MAX_PAGES_A_DAY = 10  # no day has had two
MAX_PAPERS = 1_000  # of one answer that are looked at
_KEPT = "id|title|summary|publishedAt|submittedOnDailyAt|githubRepo|projectPage"


def configure(table: Any) -> tuple[str | None, dict[str, object]]:
    """Return what is asked for, unless the table has a ``url``, and how far the first poll reads back (``first_s``)."""
    return None if "url" in table.values else API, {"first_s": table.span_s("first", 0)} if "first" in table.values else {}


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for the newest list, then for the days before it that are not known as a whole; the cursor is the newest day.

    Raises:
        SourceError: a list did not come; what came before is stored, and the next poll goes on where this one stopped.
    """
    reached = Reached.by(state)
    known = reached.is_known(state) and not reached.until
    newest = get(Request(source.url, state.etag, state.last_modified) if known else Request(source.url))
    hashed = gist([newest.body], _KEPT)
    if newest.status == 304 or (known and hashed == state.body_hash):
        yield page_of(newest, None, state.body_hash)
        return
    listed = _whole(newest, parse)
    todo, resumable = _days(source, state, reached, listed)
    reached = replace(reached, newest=max([reached.newest, *listed.changed]))
    rest, walk = todo[len(todo) - resumable :], reached.walk if reached.until else state.walk
    for number, (day, response, parsed, ahead) in enumerate(_lists(source, newest, listed, todo, get, parse), 1):
        last = ahead == [] or (ahead is not None and number > MAX_PAGES)
        progress = replace(reached, since=ahead[-1], until=ahead[0], walk=walk) if ahead else Reached(reached.newest)
        cursor = progress.text() if ahead is not None and len(ahead) <= resumable else None
        if not last:
            yield page_of(response, parsed, None, cursor=cursor, last=False, backlog=walk and day in rest)
            continue
        listing = replace(parsed, problem="too_many_items") if ahead else parsed
        # The newest list alone tells the next poll whether anything is new: its validators count.
        answer = replace(response, headers=newest.headers)
        yield page_of(answer, listing, hashed, cursor=cursor, last=True, backlog=walk and day in rest)
        return


def _whole(response: Response, parse: Parse) -> Parsed:
    """The list of an answer; half a JSON document is none."""
    if response.truncated:
        raise SourceError("truncated", f"{response.url}: the list was not complete; asked again next time")
    return parse(response)


def _days(source: Source, state: State, reached: Reached, listed: Parsed) -> tuple[list[str], int]:
    """(the days to ask one by one, newest first; how many of them, from the end, may be left to a next poll)."""
    days = [day for day in listed.changed if day]
    if not days or (listed.total or 0) < _limit(source.url):  # it is not full: there is nothing older
        return [], 0
    # Every day after the last one it shows is complete in the list, as long as it goes back day by day.
    bottom = days[-1] if days == sorted(days, reverse=True) else max(days)
    floor = _shifted(reached.newest, -1) if reached.is_known(state) else (state.since or "")[:10]
    new, rest = _range(bottom, floor), _range(reached.until, reached.since)
    todo = list(dict.fromkeys([*new, *rest]))
    return todo, len(todo) if not rest else len(rest)


def _lists(
    source: Source, newest: Response, listed: Parsed, todo: list[str], get: Get, parse: Parse
) -> Iterator[tuple[str, Response, Parsed, list[str] | None]]:
    """Yield answer after answer, each with its day ("": the newest list) and the days still to be asked, None when its own day goes on."""
    yield "", newest, listed, todo
    for number, day in enumerate(todo, 1):
        for page in range(MAX_PAGES_A_DAY):
            response = get(Request(f"{source.url}{'&' if '?' in source.url else '?'}date={day}{f'&p={page}' if page else ''}"))
            parsed = _whole(response, parse)
            goes_on = (parsed.total or 0) >= _limit(source.url) and page + 1 < MAX_PAGES_A_DAY
            yield day, response, parsed, None if goes_on else todo[number:]
            if not goes_on:
                break


def _limit(url: str) -> int:
    given = parse_qs(urlsplit(url).query).get("limit", [""])[-1]
    return int(given) if given.isascii() and given.isdecimal() and 0 < len(given) < 6 else DEFAULT_LIMIT


def _range(newest: str, oldest: str) -> list[str]:
    """Every day from the newest back to the oldest, newest first."""
    try:
        start, end = date.fromisoformat(newest), date.fromisoformat(oldest)
    except ValueError:
        return []
    return [(start - timedelta(days=back)).isoformat() for back in range((start - end).days + 1)]


def _shifted(day: str, days: int) -> str:
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except (ValueError, OverflowError):
        return ""


# -- reading ----------------------------------------------------------------------------------------


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the papers of a list, each with the day on which it was listed; what is no paper is left out.

    Raises:
        ParseError: ``api_error``, ``not_a_feed``, ``malformed`` (also a list of which nothing can be read), ``too_deep``.
    """
    value = loaded(body, url)
    if not isinstance(value, list):
        raise refusal(value, url, "a list of papers")
    found = [(entry, _day(item)) for item in value[:MAX_PAPERS] if isinstance(item, dict) and (entry := _entry(item))]
    if value and not found:
        raise ParseError("malformed", f"{url} lists {len(value)} papers of which none can be read")
    return Parsed(
        tuple(entry for entry, _ in found),
        len(value),
        "too_many_items" if len(value) > MAX_PAPERS else None,
        tuple(day for _, day in found),
    )


def _entry(item: Mapping[str, Any]) -> Entry | None:
    paper = item["paper"] if isinstance(item.get("paper"), dict) else item
    page = f"https://arxiv.org/abs/{word(paper.get('id')).strip()}"
    key = urls.own_key(page)
    title = text.one_line(word(paper.get("title")) or word(item.get("title")))
    if not key or not title:
        return None
    written = word(paper.get("publishedAt"))
    return Entry(
        title,
        f"https://arxiv.org/abs/{key.removeprefix('arxiv:')}",
        None,
        text.paragraph(word(paper.get("summary")) or word(item.get("summary"))),
        _authors(paper.get("authors")),
        instant(written),
        text.one_line(written, 100) or None,
        None,
        key,
        _links(paper, item),
    )


def _authors(value: Any) -> tuple[str, ...]:
    listed = value[:3_000] if isinstance(value, list) else []
    names = (text.one_line(word(author.get("name")), 200).replace(";", ",") for author in listed if isinstance(author, dict))
    return tuple(name for name in names if name)


def _links(paper: Mapping[str, Any], item: Mapping[str, Any]) -> tuple[str, ...]:
    """The paper's code, its page, and the page of the organisation that submitted it."""
    organisation = next((o for o in (paper.get("organization"), item.get("organization")) if isinstance(o, dict)), {})
    name = word(organisation.get("name")).strip()
    pages = [word(paper.get("githubRepo")), word(paper.get("projectPage")), f"https://huggingface.co/{name}" if name else ""]
    return tuple(sorted({key for page in pages if page and (key := urls.link_key(page))}))


def _day(item: Mapping[str, Any]) -> str:
    """The day on which it was listed, "" if it does not say so."""
    paper = item["paper"] if isinstance(item.get("paper"), dict) else item
    return (instant(paper.get("submittedOnDailyAt")) or "")[:10]
