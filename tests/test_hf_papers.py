"""Hugging Face's daily papers: what is read of a list, and which days are asked for."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_arxiv import check_papers
from tests.test_feed import told, tried
from tracker import poll, store
from tracker.config import load
from tracker.errors import ConfigError, ParseError, SourceError
from tracker.pollers import Parsed, hf_papers
from tracker.store import items, sources
from tracker.types import Entry, Page, Request, Response, Source, State

DATA = Path(__file__).parent / "data" / "hf_papers"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOURCE = Source("daily", "hf_papers", hf_papers.API, "Daily papers", origin="paper")


def read(body: bytes) -> Parsed:
    return hf_papers.read(body, SOURCE, SOURCE.url, None)


@pytest.mark.parametrize("expected", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_golden_pairs(expected: Path) -> None:
    assert told(read(expected.with_suffix(".answer").read_bytes())) == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("body", "name", "sentence"),
    [
        pytest.param(b'{"error": "date must not be\\nin the future"}', "api_error", "must not be in the future", id="a refusal"),
        pytest.param(b'{"papers": []}', "not_a_feed", "not a list of papers", id="another object"),
        pytest.param(b"{}", "not_a_feed", "not a list of papers", id="an empty object"),
        pytest.param(b'"text"', "not_a_feed", "JSON", id="a text"),
        pytest.param(b"<!DOCTYPE html><html></html>", "not_a_feed", "JSON", id="an HTML page"),
        pytest.param(b"[1, null, {}]", "malformed", "lists 3 papers of which none", id="nothing of it is a paper"),
        pytest.param(b'[{"paper": {"id": "2606.0', "malformed", "Unterminated", id="half a document"),
        pytest.param(b"[" * 100_000, "too_deep", "nested", id="deep lists"),
        pytest.param(b'{"a":' * 100_000, "too_deep", "nested", id="deep objects"),
    ],
)
def test_what_is_no_list_of_papers_is_named(body: bytes, name: str, sentence: str) -> None:
    with pytest.raises(ParseError) as failure:
        read(body)
    assert failure.value.name == name
    assert sentence in str(failure.value)


def test_numbers_that_are_none_and_numbers_without_end_spoil_nothing() -> None:
    body = b'[{"paper": {"id": "2606.00001", "title": "A", "upvotes": NaN, "x": -Infinity, "y": %b, "z": 1e999}}]' % (b"9" * 1_000_000)
    assert [entry.title for entry in read(body).entries] == ["A"]


def test_more_than_a_thousand_papers_are_cut_and_said_to_be() -> None:
    parsed = read(json.dumps([{"paper": {"id": f"2606.{n:05}", "title": "T"}} for n in range(1_200)]).encode())
    assert (len(parsed.entries), parsed.total, parsed.problem) == (1_000, 1_200, "too_many_items")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["2606.00001", "2026-06-12T00:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["paper", "id", "title", "summary", "authors", "name", "publishedAt", "organization"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.binary() | values.map(lambda value: json.dumps(value).encode()) | st.lists(values).map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_papers_or_a_parse_error(body: bytes) -> None:
    check_papers(tried(read, body))


# -- which days are asked for ------------------------------------------------------------------------------


class Hub:
    """A hub that lists so many papers on each day up to ``today``; it breaks when it is asked for the n-th time."""

    def __init__(self, today: str = "2026-06-12", a_day: int = 40, breaks: int | None = None) -> None:
        self.today, self.a_day, self.breaks, self.asked = date.fromisoformat(today), a_day, breaks, list[str]()

    def get(self, request: Request) -> Response:
        if len(self.asked) == self.breaks:
            raise SourceError("timeout", "no answer")
        self.asked.append(request.url)
        asked = parse_qs(urlsplit(request.url).query)
        days = [date.fromisoformat(asked["date"][0])] if "date" in asked else [self.today - timedelta(days=n) for n in range(400)]
        assert max(days) <= self.today, "a day of the future is refused"
        papers = [self.paper(day, n) for day in days for n in range(self.a_day)]
        page = int(asked.get("p", ["0"])[0])
        return Response(request.url, 200, {"etag": f'"{len(self.asked)}"'}, json.dumps(papers[page * 100 : page * 100 + 100]).encode())

    def paper(self, day: date, number: int) -> dict[str, object]:
        facts = {"id": f"{day:%y%m}.{day.day * 200 + number:05}", "title": f"{day} {number}", "submittedOnDailyAt": f"{day}T00:00:00.000Z"}
        return {"paper": facts | {"upvotes": len(self.asked)}}

    def poll(self, state: State) -> list[Page]:
        return list(hf_papers.poll(SOURCE, state, self.get, lambda response: read(response.body)))

    def days(self) -> list[str]:
        """The days asked for, "" for the newest list."""
        return [parse_qs(urlsplit(url).query).get("date", [""])[0][5:] for url in self.asked]


def titles(pages: list[Page]) -> set[str]:
    return {entry.title for page in pages for entry in page.entries or ()}


def all_of(first: str, last: str, a_day: int = 40) -> set[str]:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return {f"{start + timedelta(days=n)} {number}" for n in range((end - start).days + 1) for number in range(a_day)}


def test_the_newest_list_is_enough_while_it_holds_yesterday_as_a_whole() -> None:
    hub = Hub()
    (page,) = hub.poll(State(cursor="2026-06-12"))
    assert hub.asked == [hf_papers.API]
    assert titles([page]) >= all_of("2026-06-11", "2026-06-12")
    assert (page.cursor, page.last) == ("2026-06-12", True)


def test_days_that_the_newest_list_does_not_hold_are_asked_one_by_one() -> None:
    hub = Hub()
    pages = hub.poll(State(cursor="2026-06-08", since="2026-06-09T00:00:00Z"))
    assert hub.days() == ["", "06-10", "06-09", "06-08", "06-07"]  # the newest list ends within the 10th
    assert titles(pages) == all_of("2026-06-07", "2026-06-12")
    assert [page.last for page in pages] == [False] * 4 + [True]
    assert (pages[-1].cursor, pages[-1].etag) == ("2026-06-12", '"1"')


def test_a_first_poll_reads_as_far_back_as_it_is_told() -> None:
    hub = Hub()
    assert titles(hub.poll(State(since="2026-06-09T12:00:00Z"))) == all_of("2026-06-09", "2026-06-12")


def test_a_day_with_a_full_page_has_another() -> None:
    hub = Hub(a_day=130)
    pages = hub.poll(State(since="2026-06-11T00:00:00Z"))
    assert titles(pages) == all_of("2026-06-11", "2026-06-12", 130)
    assert [url.partition("date=")[2] for url in hub.asked[1:]] == ["2026-06-12", "2026-06-12&p=1", "2026-06-11", "2026-06-11&p=1"]


def test_what_says_the_same_but_for_votes_is_unchanged() -> None:
    hub = Hub()
    (before,) = hub.poll(State(cursor="2026-06-12"))
    (page,) = hub.poll(State(cursor=before.cursor, body_hash=before.body_hash))
    assert (page.entries, page.last, page.cursor) == (None, True, None)


def test_not_modified_is_unchanged_and_validators_are_sent() -> None:
    asked = list[Request]()

    def get(request: Request) -> Response:
        asked.append(request)
        return Response(request.url, 304, {}, b"")

    (page,) = hf_papers.poll(SOURCE, State(cursor="2026-06-12", etag='"1"', body_hash="x"), get, lambda _: read(b""))
    assert (page.entries, page.status, page.body_hash) == (None, 304, "x")
    assert asked == [Request(hf_papers.API, '"1"', None)]


def test_a_walk_that_breaks_off_goes_on_where_it_stopped() -> None:
    state, pages = State(since="2026-05-20T00:00:00Z"), list[Page]()
    hub = Hub(breaks=8)
    with pytest.raises(SourceError, match="timeout"):
        pages.extend(hf_papers.poll(SOURCE, state, hub.get, lambda response: read(response.body)))
    assert hub.days()[-1] == "06-04"
    hub = Hub("2026-06-13")
    rest = hub.poll(replace(state, cursor=pages[-1].cursor))
    assert hub.days()[:4] == ["", "06-11", "06-03", "06-02"]  # what is new, back to the day before the newest known; then the rest
    assert titles(pages) | titles(rest) == all_of("2026-05-20", "2026-06-13")
    assert rest[-1].cursor == "2026-06-13"


def test_what_breaks_off_twice_forgets_nothing() -> None:
    first, second = (Hub(breaks=n) for n in (8, 1))
    pages = list[Page]()
    for hub in (first, second):
        with pytest.raises(SourceError, match="timeout"):
            pages.extend(
                hf_papers.poll(
                    SOURCE,
                    State(since="2026-05-20T00:00:00Z", cursor=next((page.cursor for page in reversed(pages) if page.cursor), None)),
                    hub.get,
                    lambda response: read(response.body),
                )
            )
    rest = Hub().poll(State(since="2026-05-20T00:00:00Z", cursor=[page.cursor for page in pages if page.cursor][-1]))
    assert titles(pages) | titles(rest) == all_of("2026-05-20", "2026-06-12")


def test_a_backfill_reads_every_day_and_never_moves_the_cursor_back() -> None:
    hub = Hub()
    pages = hub.poll(State(cursor="2026-07-01", since="2026-05-20T00:00:00Z", backfill=True, body_hash="x", etag='"1"'))
    assert titles(pages) == all_of("2026-05-20", "2026-06-12")
    assert pages[-1].cursor == "2026-07-01"


@pytest.mark.parametrize("walk", [True, False])
def test_what_is_left_of_a_walk_is_no_news_when_a_later_poll_reads_it(walk: bool) -> None:
    state, pages = State(cursor="2026-06-12", since="2026-06-01T00:00:00Z", backfill=True, walk=walk), list[Page]()
    with pytest.raises(SourceError):
        pages.extend(hf_papers.poll(SOURCE, state, Hub(breaks=4).get, lambda response: read(response.body)))
    for broken in (True, False):  # and of what is left of that
        state, later = State(cursor=[page.cursor for page in pages if page.cursor][-1]), list[Page]()
        hub = Hub("2026-06-16", breaks=8 if broken else None)
        with suppress(SourceError):
            later.extend(hf_papers.poll(SOURCE, state, hub.get, lambda response: read(response.body)))
        backlog = {title[:10] for title in titles([page for page in later if page.backlog])}
        assert bool(backlog) is walk
        assert all(day <= "2026-06-09" for day in backlog), "what was listed since is news"
        pages += later
    assert pages[-1].cursor == "2026-06-16"


def test_a_walk_that_breaks_off_is_never_mailed(db: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[feeds.daily]\nkind = "hf_papers"\n', encoding="utf-8")
    config, now = load(tmp_path / "feeds.toml"), datetime(2026, 6, 12, 6, tzinfo=UTC)
    list(poll.poll(db, config, Hub(), now=now))
    walk = [one.outcome for one in poll.poll(db, config, Hub("2026-06-12", breaks=5), now=now + HOUR, back_to=now - 12 * DAY)]
    assert walk == ["unchanged", "timeout"]
    list(poll.poll(db, config, Hub("2026-06-13"), now=now + DAY))
    news = {row[0][:10] for row in db.execute("SELECT title FROM items WHERE NOT backlog")}
    backlog = {row[0][:10] for row in db.execute("SELECT title FROM items WHERE backlog")}
    assert (news, min(backlog)) == ({"2026-06-13"}, "2026-05-31")


def test_so_many_days_and_no_more_in_one_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hf_papers, "MAX_PAGES", 5)
    state, seen, polls = State(since="2026-05-20T00:00:00Z"), set[str](), 0
    while not polls or (state.cursor or "").startswith("{"):
        pages = Hub().poll(state)
        seen, polls, state = seen | titles(pages), polls + 1, replace(state, cursor=pages[-1].cursor)
    assert seen == all_of("2026-05-20", "2026-06-12")
    assert polls == 5


def test_a_list_that_is_not_full_has_nothing_older() -> None:
    one = Response(SOURCE.url, 200, {}, json.dumps([Hub().paper(date(2026, 6, 12), 1)]).encode())
    (page,) = hf_papers.poll(SOURCE, State(since="2026-01-01T00:00:00Z"), lambda _: one, lambda response: read(response.body))
    assert (len(page.entries or ()), page.last, page.cursor) == (1, True, "2026-06-12")


def test_a_list_out_of_order_is_not_believed_to_hold_whole_days() -> None:
    hub, mixed = Hub(), list[str]()

    def get(request: Request) -> Response:
        response = hub.get(request)
        mixed.append(request.url)
        return response if "date=" in request.url else replace(response, body=json.dumps(json.loads(response.body)[::-1]).encode())

    list(hf_papers.poll(SOURCE, State(cursor="2026-06-12"), get, lambda response: read(response.body)))
    assert hub.days() == ["", "06-12", "06-11"]


def test_half_an_answer_is_no_list() -> None:
    cut = Response(SOURCE.url, 200, {}, b'[{"paper"', truncated=True)
    with pytest.raises(SourceError, match=r"^truncated: "):
        list(hf_papers.poll(SOURCE, State(), lambda _: cut, lambda response: read(response.body)))


# -- feeds.toml --------------------------------------------------------------------------------------------


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Source]:
    def source(keys: str) -> Source:
        (tmp_path / "feeds.toml").write_text(f'[feeds.daily]\nkind = "hf_papers"\n{keys}\n', encoding="utf-8")
        return load(tmp_path / "feeds.toml").source("daily")

    return source


def test_a_source_needs_nothing_but_its_kind(configured: Callable[[str], Source]) -> None:
    source = configured("")
    assert (source.url, source.origin, source.options) == (hf_papers.API, "paper", {})
    assert configured('first = "2w"').options["first_s"] == 14 * 86_400
    assert configured('url = "http://127.0.0.1:1/list"').url == "http://127.0.0.1:1/list"


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [('first = "soon"', "first must be a time"), ('url = "ftp://x"', "url must be"), ('query = "x"', 'unknown key "query"')],
)
def test_a_wrong_key_is_named(configured: Callable[[str], Source], keys: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        configured(keys)


def test_an_entry_is_one_of_ours() -> None:
    assert all(isinstance(entry, Entry) for entry in read((DATA / "usual.answer").read_bytes()).entries)


# -- in the store: who has the say ---------------------------------------------------------------------------

ARXIV = {
    "the API": Source("api", "arxiv", "https://export.arxiv.org/api/query?search_query=x", "API", origin="paper"),
    "the announcements": Source("mailing", "feed", "https://rss.arxiv.org/rss/cs.AI", "Mailing", origin="paper"),
}


@pytest.mark.parametrize("path", ARXIV)
@pytest.mark.parametrize("first", ["arXiv", "Hugging Face"])
def test_arxiv_has_the_say_on_what_hugging_face_shows(db: sqlite3.Connection, path: str, first: str) -> None:
    own = Entry(
        "A title of its authors", "https://arxiv.org/abs/2606.01234", None, "Their abstract.", ("Ann",), "2026-06-09T08:00:00Z",
        own_key="arxiv:2606.01234", version=1,
    )  # fmt: skip
    listed = read((DATA / "usual.answer").read_bytes()).entries[0]
    found = [(ARXIV[path], own), (SOURCE, listed)]
    with store.transaction(db):
        sources.sync(db, [source for source, _ in found], "2026-06-12T06:00:00Z")
        for source, entry in found if first == "arXiv" else found[::-1]:
            items.save(db, source, [entry], now="2026-06-12T06:00:00Z", first=False, old_before=None)
    (row,) = db.execute("SELECT * FROM items JOIN texts ON item = id").fetchall()
    assert (row["title"], row["body"], row["published_at"]) == ("A title of its authors", "Their abstract.", "2026-06-09T08:00:00Z")
    assert (row["source"], row["version"]) == (ARXIV[path].id, 1)
    assert ("url:https://huggingface.co/example-lab",) in [tuple(key) for key in db.execute("SELECT key FROM links")]
