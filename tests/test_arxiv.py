"""arXiv: papers and refusals of its API, how far back a poll reads, and the seam to the ``arxiv`` package."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
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


@settings(deadline=None)
@given(st.binary() | mutated(PAPERS))
def test_any_bytes_are_papers_or_a_parse_error(body: bytes) -> None:
    came = tried(read, body)
    if isinstance(came, ParseError):
        assert came.name in NAMES
    else:
        assert len(came.entries) == len(came.changed)
        json.dumps([asdict(entry) for entry in came.entries], ensure_ascii=False).encode()


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
    """An API of so many papers, one changed each hour before the other, newest first; answers and parses as arXiv does."""

    def __init__(self, total: int, *, lost_from: int | None = None) -> None:
        self.total, self.asked, self.parsed = total, list[Request](), 0
        self.lost_from = total if lost_from is None else lost_from

    def get(self, request: Request) -> Response:
        self.asked.append(request)
        return Response(request.url, 200, {"etag": '"1"'}, f"{self.total} papers from {self.start(request.url)}".encode())

    def parse(self, response: Response) -> Parsed:
        self.parsed += 1
        start = self.start(response.url)
        numbers = range(start, min(start + arxiv.PAGE_SIZE, self.total, self.lost_from))
        return Parsed(tuple(Entry(f"Paper {n}") for n in numbers), self.total, changed=tuple(map(self.changed, numbers)))

    def poll(self, state: State) -> list[Page]:
        return list(arxiv.poll(SOURCE, state, self.get, self.parse))

    @staticmethod
    def start(url: str) -> int:
        return int(parse_qs(urlsplit(url).query)["start"][0])

    @staticmethod
    def changed(number: int) -> str:
        day, hour = divmod(30 * 24 - 1 - number, 24) if number < 30 * 24 else (0, 0)
        return f"2026-06-{day + 1:02d}T{hour:02d}:00:00Z"


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


@pytest.mark.parametrize("lost_from", [0, 10, 30, 48], ids=["all", "the end of the first page", "the end of the second", "the third page"])
def test_fewer_papers_than_said_are_stored_so_far_but_the_cursor_stays(small_pages: int, lost_from: int) -> None:
    web = Web(600, lost_from=lost_from)
    pages: list[Page] = []
    with pytest.raises(SourceError) as failure:
        pages.extend(arxiv.poll(SOURCE, State(cursor="2026-06-20T00:00:00Z"), web.get, web.parse))  # what came before the error counts
    assert failure.value.name == "incomplete_results"
    assert f"there are 600 papers and gave {lost_from}" in str(failure.value)
    assert len(titles(pages)) == lost_from // small_pages * small_pages
    assert not [page for page in pages if page.last or page.cursor or page.body_hash]


def test_beyond_what_the_api_gives_of_one_query_nothing_is_asked(small_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arxiv, "MAX_RESULTS", 48)
    web = Web(600)
    pages = web.poll(State())
    assert len(web.asked) == 2
    assert pages[-1].last
    assert [page.problem for page in pages] == [None, "too_many_items"]


def test_the_last_page_that_the_api_gives_is_enough_when_it_reaches_the_window_or_the_end(
    small_pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arxiv, "MAX_RESULTS", 48)
    assert [page.problem for page in Web(48).poll(State())] == [None, None]
    assert [page.problem for page in Web(600).poll(State(since=Web.changed(46)))] == [None, None]


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
