"""arXiv: papers and refusals of its API, how far back a poll reads, and the seam to the ``arxiv`` package."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote_plus, urlsplit

import arxiv as package
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_feed import mutated, told, tried
from tracker.errors import NAMES, ParseError, SourceError
from tracker.pollers import Parsed, arxiv, fingerprint
from tracker.types import Entry, Page, Request, Response, Source, State

DATA = Path(__file__).parent / "data" / "arxiv"
QUERY = 'cat:cs.AI AND (abs:"self-improving" OR abs:agent*)'
SOURCE = Source("api", "arxiv", f"https://export.arxiv.org/api/query?search_query={quote_plus(QUERY)}", "API", origin="paper")
PAPERS = (DATA / "papers.xml").read_bytes()


def read(body: bytes) -> Parsed:
    return arxiv.read(body, SOURCE, SOURCE.url, "utf-8")


@pytest.mark.parametrize("expected", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_golden_pairs(expected: Path) -> None:
    assert told(read(expected.with_suffix(".xml").read_bytes())) == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("body", "name", "sentence"),
    [
        pytest.param((DATA / "error-entry.xml").read_bytes(), "api_error", "the query is not understood", id="an entry that is an error"),
        pytest.param((DATA / "error-entry-undated.xml").read_bytes(), "api_error", '"odd" & not', id="an entry that is an error, undated"),
        pytest.param(b"Rate exceeded.", "rate_limited", "rate is exceeded", id="two words instead of papers"),
        pytest.param((DATA / "empty-page.xml").read_bytes(), "incomplete_results", "4711 papers", id="a page without papers"),
        pytest.param(b"<!DOCTYPE html><html><body>Maintenance</body></html>", "not_a_feed", "list of papers", id="an HTML page"),
        pytest.param(b"", "not_a_feed", "list of papers", id="nothing"),
        pytest.param(b"<feed xmlns='http://www.w3.org/2005/Atom'><entry/></feed>", "not_a_feed", "list of papers", id="another feed"),
        pytest.param(PAPERS.replace(b"2026-06-11T17", b"yesterday"), "malformed", "cannot be read", id="a date that is none"),
    ],
)
def test_what_is_no_list_of_papers_is_named(body: bytes, name: str, sentence: str) -> None:
    with pytest.raises(ParseError) as failure:
        read(body)
    assert failure.value.name == name
    assert sentence in str(failure.value)


def check_papers(came: Parsed | ParseError) -> None:
    """What any bytes may become: papers, each with the instant of its change, that can be handed to the parent; or a named error."""
    if isinstance(came, ParseError):
        assert came.name in NAMES
    else:
        assert len(came.entries) == len(came.changed)
        json.dumps([asdict(entry) for entry in came.entries], ensure_ascii=False).encode()


@settings(deadline=None)
@given(st.binary() | mutated(PAPERS))
def test_any_bytes_are_papers_or_a_parse_error(body: bytes) -> None:
    check_papers(tried(read, body))


# -- the seam: private parts of the package that we rely on --------------------------------------------


class Recorder:
    """Stands where the package keeps its ``requests`` session."""

    status_code = 200

    def __init__(self, content: bytes) -> None:
        self.content, self.asked = content, list[str]()

    def get(self, url: str, **_: object) -> Recorder:
        self.asked.append(url)
        return self


def test_the_package_fetches_through_its_session_and_nothing_else() -> None:
    client = package.Client(page_size=3, delay_seconds=0, num_retries=0)
    assert hasattr(client._session, "get")
    session = client._session = Recorder(PAPERS)
    results = list(client.results(package.Search("cat:cs.AI", max_results=3)))
    assert [result.get_short_id() for result in results] == ["2606.01234v2", "2606.00042v1", "cs/0701001v4"]
    assert len(session.asked) == 1
    assert session.asked[0].startswith("https://export.arxiv.org/api/query?search_query=cat%3Acs.AI")


def test_we_read_without_a_socket_and_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the arxiv package fetched or slept by itself")

    monkeypatch.setattr("requests.Session.request", refuse)
    monkeypatch.setattr("socket.socket", refuse)
    monkeypatch.setattr("time.sleep", refuse)
    assert len(read(PAPERS).entries) == 3
    assert len(read((DATA / "skipped-paper.xml").read_bytes()).entries) == 1


@pytest.mark.parametrize(
    "query", [QUERY, "cat:cs.AI", 'au:"Ejemplo, José" ANDNOT ti:a+b&c=d#e'], ids=["a usual one", "short", "with signs"]
)
@pytest.mark.parametrize("start", [0, 2000, 28_000])
def test_a_page_has_the_address_the_package_would_ask_for(query: str, start: int) -> None:
    search = package.Search(query, sort_by=package.SortCriterion.LastUpdatedDate, sort_order=package.SortOrder.Descending)
    theirs = package.Client(page_size=arxiv.PAGE_SIZE)._format_url(search, start, arxiv.PAGE_SIZE)
    base = f"https://export.arxiv.org/api/query?search_query={quote_plus(query)}"
    assert arxiv.page_url(base, start) == theirs
    assert parse_qs(urlsplit(theirs).query)["search_query"] == [query]


# -- poll: pages until the window of the last poll is reached --------------------------------------------


class Web:
    """An API of so many papers, one changed each hour before the other, newest first; answers and parses as arXiv does.

    ``gives`` says how many papers it gives at most when it is asked for the n-th time; ``revised`` papers were changed when the newest was.
    """

    def __init__(self, total: int, *, gives: Callable[[int], int] = lambda _: 10**6, revised: Collection[int] = ()) -> None:
        self.total, self.asked, self.parsed, self.gives, self.revised = total, list[Request](), 0, gives, revised

    def get(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(request.url, 200, {"etag": '"1"'}, f"{self.total} papers from {self.start(request.url)}".encode())

    def parse(self, response: Response) -> Parsed:
        self.parsed += 1
        found = self.found(response.url)
        start = self.start(response.url)
        numbers = found[start : start + min(arxiv.PAGE_SIZE, self.gives(self.parsed - 1))]
        if len(found) > start and not numbers:
            raise ParseError("incomplete_results", "a page without any")
        papers = tuple(Entry(f"Paper {n}", published_at=self.submitted(n)) for n in numbers)
        return Parsed(papers, len(found), changed=tuple(map(self.changed, numbers)))

    def found(self, url: str) -> list[int]:
        """The papers that fit the query, in the order that was asked for."""
        asked = parse_qs(urlsplit(url).query)
        by_change = asked["sortBy"] == ["lastUpdatedDate"]
        between = re.search(r"^\(.*\) AND submittedDate:\[(\d{12}) TO (\d{12})\]$", asked["search_query"][0])
        low, high = between.groups() if between else ("0", "9")
        assert by_change is (between is None)
        fit = [n for n in range(self.total) if low <= re.sub(r"\D", "", self.submitted(n))[:12] <= high]
        return sorted(fit, key=lambda n: self.changed(n) if by_change else self.submitted(n), reverse=True)

    def poll(self, state: State) -> list[Page]:
        return list(arxiv.poll(SOURCE, state, self.get, self.parse))

    def broken(self, state: State) -> tuple[list[Page], SourceError]:
        """A poll that ends with an error: what came before it, and the error."""
        pages: list[Page] = []
        with pytest.raises(SourceError) as failure:
            pages.extend(arxiv.poll(SOURCE, state, self.get, self.parse))
        return pages, failure.value

    @staticmethod
    def start(url: str) -> int:
        return int(parse_qs(urlsplit(url).query)["start"][0])

    def changed(self, number: int) -> str:
        return self.submitted(0 if number in self.revised else number)

    @staticmethod
    def submitted(number: int) -> str:
        return (datetime(2026, 6, 30, 23, tzinfo=UTC) - timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(arxiv, "PAGE_SIZE", 24)
    return 24


def titles(pages: Sequence[Page]) -> list[str]:
    return [entry.title for page in pages for entry in page.entries or ()]


def test_one_page_with_all_papers_is_the_last_and_carries_the_cursor() -> None:
    web = Web(5)
    (page,) = web.poll(State())
    assert titles([page]) == [f"Paper {n}" for n in range(5)]
    assert (page.last, page.cursor, page.etag) == (True, "2026-06-30T23:00:00Z", '"1"')
    assert page.body_hash == fingerprint(b"5 papers from 0")
    assert web.asked == [Request(arxiv.page_url(SOURCE.url, 0))]


def test_pages_are_asked_until_one_reaches_three_days_before_the_newest_change_known(small_pages: int) -> None:
    web = Web(600)
    pages = web.poll(State(cursor="2026-06-29T23:00:00Z"))  # the papers of the 30th are new
    assert [web.start(request.url) for request in web.asked] == [0, 24, 48, 72, 96]
    assert titles(pages) == [f"Paper {n}" for n in range(97)]  # the last is from the 26th at 23:00 exactly
    assert [page.last for page in pages] == [False, False, False, False, True]


def test_only_the_last_page_moves_the_cursor_and_carries_the_hash_of_the_first(small_pages: int) -> None:
    pages = Web(60).poll(State())
    assert [page.cursor for page in pages] == [None, None, "2026-06-30T23:00:00Z"]
    assert [page.body_hash for page in pages] == [None, None, fingerprint(b"60 papers from 0")]
    assert len(titles(pages)) == 60


def test_a_first_poll_reads_as_far_back_as_it_is_told(small_pages: int) -> None:
    web = Web(600)
    assert len(titles(web.poll(State(since="2026-06-30T00:00:00Z")))) == 24
    assert len(web.asked) == 2


def test_a_cursor_beats_since(small_pages: int) -> None:
    assert len(titles(Web(600).poll(State(cursor="2026-06-30T23:00:00Z", since="2026-06-01T00:00:00Z")))) == 73


def test_the_cursor_never_moves_back() -> None:
    (page,) = Web(5).poll(State(cursor="2026-07-01T00:00:00Z"))
    assert page.cursor == "2026-07-01T00:00:00Z"


def test_the_same_first_page_as_last_time_is_not_parsed() -> None:
    web = Web(600)
    known = fingerprint(b"600 papers from 0")
    (page,) = web.poll(State(cursor="2026-06-29T23:00:00Z", body_hash=known))
    assert (page.entries, page.cursor, page.body_hash, page.last) == (None, None, known, True)
    assert (len(web.asked), web.parsed) == (1, 0)


def test_no_papers_at_all_is_an_answer() -> None:
    (page,) = Web(0).poll(State(cursor="2026-06-29T23:00:00Z"))
    assert (page.entries, page.cursor, page.last) == ((), "2026-06-29T23:00:00Z", True)


# -- what arXiv does not give -----------------------------------------------------------------------------


def after(page: int, gives: int, *, once: bool = False) -> Callable[[int], int]:
    """From the n-th page on (or on this one alone), so few papers a page."""
    return lambda n: gives if n == page or (n > page and not once) else 10**6


@pytest.mark.parametrize(("page", "gives"), [(0, 0), (0, 10), (1, 23), (2, 0), (3, 1)])
def test_fewer_papers_than_said_twice_are_stored_but_the_cursor_stays(small_pages: int, page: int, gives: int) -> None:
    web = Web(600, gives=after(page, gives))
    pages, error = web.broken(State(cursor="2026-06-20T00:00:00Z"))
    assert error.name == "incomplete_results"
    assert not gives or "there are 600 papers" in error.detail
    assert titles(pages) == [f"Paper {n}" for n in range(page * small_pages + gives)]
    assert not [page for page in pages if page.last or page.cursor or page.body_hash]
    assert web.asked[-1] == web.asked[-2], "asked for once more"
    assert len(web.asked) == page + 2


@pytest.mark.parametrize("gives", [0, 10])
def test_a_page_that_is_short_once_is_asked_for_again_and_all_is_well(small_pages: int, gives: int) -> None:
    web = Web(600, gives=after(1, gives, once=True))
    pages = web.poll(State(cursor="2026-06-29T23:00:00Z"))
    assert titles(pages) == [f"Paper {n}" for n in range(97)]
    assert [web.start(request.url) for request in web.asked] == [0, 24, 24, 48, 72, 96]
    assert pages[-1].cursor == "2026-06-30T23:00:00Z"


def test_the_hash_of_a_short_page_is_not_kept_when_the_whole_one_came(small_pages: int) -> None:
    bodies = iter([b"short", b"whole"])
    web = Web(20, gives=after(0, 10, once=True))
    (page,) = arxiv.poll(SOURCE, State(), lambda request: Response(request.url, 200, {}, next(bodies)), web.parse)
    assert page.body_hash == fingerprint(b"whole")


def test_a_paper_that_the_package_passes_over_makes_no_page_short() -> None:
    body = (DATA / "skipped-paper.xml").read_bytes()
    (page,) = arxiv.poll(SOURCE, State(), lambda request: Response(request.url, 200, {}, body), lambda answer: read(answer.body))
    assert (titles([page]), page.last) == (["With a date"], True)


# -- the past: beyond two weeks, by submission, resumable --------------------------------------------------


def test_a_first_poll_over_months_follows_changes_for_two_weeks_and_then_reads_by_submission(small_pages: int) -> None:
    web = Web(1500, revised=[700])
    pages = web.poll(State(since="2026-06-01T23:00:00Z"))
    assert sorted({int(title.split()[1]) for title in titles(pages)}) == [*range(697), 700]  # a revision of an older paper is seen
    by_change = [request for request in web.asked if "lastUpdatedDate" in request.url]
    assert len(by_change) == 15
    assert all(web.start(request.url) == 0 for request in web.asked[15:]), "every page of the past is a query of its own"
    assert {page.last for page in pages[:-1]} == {False}
    assert (pages[-1].cursor, pages[-1].last) == ("2026-06-30T23:00:00Z", True)


def test_the_dates_stand_beside_the_whole_query() -> None:
    address = arxiv.page_url(SOURCE.url, 0, ("2026-01-01T00:00:00Z", "2026-03-01T12:34:56Z"))
    asked = parse_qs(urlsplit(address).query)
    assert asked["search_query"] == [f"({QUERY}) AND submittedDate:[202601010000 TO 202603011234]"]
    assert asked["sortBy"] == ["submittedDate"]


def test_a_walk_that_breaks_off_goes_on_where_it_stopped(small_pages: int) -> None:
    state = State(since="2026-06-01T23:00:00Z")
    seen: set[str] = set()
    for broken_at in (20, 6, 8):
        web = Web(1500, gives=after(broken_at, 5))
        pages, _ = web.broken(state)
        seen |= set(titles(pages))
        before, state = state, replace(state, cursor=next(page.cursor for page in reversed(pages) if page.cursor))
        assert state.cursor != before.cursor
    web = Web(1500)
    pages = web.poll(state)
    assert len(web.asked) < 20, "the 15 pages by change and what was read of the past are not asked for again"
    assert seen | set(titles(pages)) == {f"Paper {n}" for n in range(697)}
    assert pages[-1].cursor == "2026-06-30T23:00:00Z"


def test_what_breaks_off_before_the_past_starts_again(small_pages: int) -> None:
    pages, _ = Web(1500, gives=after(9, 5)).broken(State(since="2026-05-01T00:00:00Z"))
    assert not [page for page in pages if page.cursor]


def test_a_month_without_a_run_leaves_nothing_out(small_pages: int) -> None:
    web = Web(1500)
    pages = web.poll(State(cursor="2026-05-31T23:00:00Z", since="2026-06-27T23:00:00Z"))
    assert set(titles(pages)) == {f"Paper {n}" for n in range(793)}  # back to three days before the cursor
    assert pages[-1].cursor == "2026-06-30T23:00:00Z"


def test_beyond_what_the_api_gives_of_one_query_it_is_read_by_submission(small_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arxiv, "MAX_RESULTS", 48)
    web = Web(600)
    pages = web.poll(State(since="2026-06-27T23:00:00Z"))
    assert set(titles(pages)) == {f"Paper {n}" for n in range(73)}
    assert max(web.start(request.url) for request in web.asked) == 24
    assert {page.problem for page in pages} == {None}


@pytest.mark.parametrize("total", [47, 48])
def test_the_last_page_that_the_api_gives_is_enough_when_it_holds_the_end(
    total: int, small_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arxiv, "MAX_RESULTS", 48)
    web = Web(total)
    assert len(titles(web.poll(State()))) == total
    assert len(web.asked) == 2


def test_so_much_of_the_past_and_no_more_in_one_poll(small_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arxiv, "MAX_PAGES", 3)
    state, seen, polls = State(since="2026-06-01T23:00:00Z"), set[str](), 0
    while not polls or (state.cursor or "").startswith("{"):
        pages = Web(1500).poll(state)
        seen, polls, state = seen | set(titles(pages)), polls + 1, replace(state, cursor=pages[-1].cursor)
        assert pages[-1].problem == ("too_many_items" if (state.cursor or "").startswith("{") else None)
    assert seen == {f"Paper {n}" for n in range(697)}
    assert polls == 5


def test_more_papers_in_a_minute_than_a_page_holds_end_the_walk_with_a_name(small_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Web, "submitted", staticmethod(lambda number: "2026-06-30T23:00:00Z" if number < 340 else "2026-06-10T00:00:00Z"))
    _, error = Web(600).broken(State(since="2026-06-01T00:00:00Z"))
    assert error.name == "incomplete_results"


# -- backfill --------------------------------------------------------------------------------------------


def test_a_backfill_reads_back_whatever_was_read_before(small_pages: int) -> None:
    web = Web(1500)
    known = fingerprint(b"1500 papers from 0")
    pages = web.poll(State(cursor="2026-06-30T23:00:00Z", body_hash=known, since="2026-06-01T23:00:00Z", backfill=True))
    assert set(titles(pages)) == {f"Paper {n}" for n in range(697)}
    assert pages[-1].cursor == "2026-06-30T23:00:00Z"


def test_a_backfill_never_moves_the_cursor_back(small_pages: int) -> None:
    pages = Web(1500).poll(State(cursor="2026-07-02T00:00:00Z", since="2026-06-01T23:00:00Z", backfill=True))
    assert pages[-1].cursor == "2026-07-02T00:00:00Z"
    assert {json.loads(page.cursor or "")["newest"] for page in pages[:-1] if page.cursor} == {"2026-07-02T00:00:00Z"}


def test_a_backfill_that_broke_off_goes_on_with_the_next_poll_of_any_kind(small_pages: int) -> None:
    start = State(cursor="2026-06-30T23:00:00Z", since="2026-06-01T23:00:00Z", backfill=True)
    first, _ = Web(1500, gives=after(20, 0)).broken(start)
    cursor = [page.cursor for page in first if page.cursor][-1]
    usual = Web(1500).poll(State(cursor=cursor, since="2026-06-27T00:00:00Z"))
    again = Web(1500).poll(State(cursor=cursor, since="2026-05-20T00:00:00Z", backfill=True))  # and asked to go further
    assert set(titles(first)) | set(titles(usual)) == {f"Paper {n}" for n in range(697)}
    assert set(titles(first)) | set(titles(again)) == {f"Paper {n}" for n in range(1008)}
    assert usual[-1].cursor == again[-1].cursor == "2026-06-30T23:00:00Z"


@pytest.mark.parametrize("walk", [True, False])
def test_what_is_left_of_a_walk_is_no_news_when_a_later_poll_reads_it(small_pages: int, walk: bool) -> None:
    start = State(cursor="2026-06-30T23:00:00Z", since="2026-06-01T23:00:00Z", backfill=True, walk=walk)
    first, _ = Web(1500, gives=after(20, 0)).broken(start)
    later = Web(1500).poll(State(cursor=[page.cursor for page in first if page.cursor][-1]))
    by_submission = [bool(page.backlog) for page in later if page.last or page.cursor != first[-1].cursor]
    assert by_submission[-1] is walk
    assert titles([page for page in later if page.backlog])[-1:] == (["Paper 696"] if walk else [])
    assert not later[0].backlog, "what has changed since is news"


@pytest.mark.parametrize("cursor", ["yesterday", "{", "[]", '{"newest": 1}', '{"newest": "x", "since": "y", "until": "z"}'])
def test_a_cursor_that_cannot_be_understood_does_no_harm(small_pages: int, cursor: str) -> None:
    pages = Web(30).poll(State(cursor=cursor, since="2026-06-30T00:00:00Z"))
    assert set(titles(pages)) >= {f"Paper {n}" for n in range(24)}
    assert pages[-1].last


def test_a_change_in_the_future_does_not_take_the_cursor_there() -> None:
    changed = read(PAPERS.replace(b"2026-06-11T17", b"2099-06-11T17")).changed
    assert max(changed) == "2026-06-12T00:00:00Z"  # when the answer was made


def test_a_refused_page_ends_the_poll_with_its_name(small_pages: int) -> None:
    web = Web(600)

    def parse(response: Response) -> Parsed:
        if web.start(response.url):
            raise ParseError("rate_limited", "slow down")
        return web.parse(response)

    pages = arxiv.poll(SOURCE, State(), web.get, parse)
    assert next(pages).cursor is None
    with pytest.raises(ParseError, match="slow down"):
        next(pages)


def test_a_page_read_by_the_package_is_what_poll_expects() -> None:
    response = Response(SOURCE.url, 200, {}, PAPERS)
    (page,) = arxiv.poll(
        replace(SOURCE, id="b"), State(cursor="2026-06-11T20:00:00Z"), lambda _: response, lambda answer: read(answer.body)
    )
    assert [entry.own_key for entry in page.entries or ()] == ["arxiv:2606.01234", "arxiv:2606.00042"]
    assert page.cursor == "2026-06-11T20:00:00Z"
