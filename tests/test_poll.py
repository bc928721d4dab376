"""Poll: decisions as tables; the loop with real sockets, a real fetcher and a web server that misbehaves as told."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.servers import Exchange, Server
from tracker import config, poll, store, trial
from tracker.clock import iso
from tracker.errors import ConfigError, SourceError, StoreError
from tracker.fetch import Fetcher
from tracker.store import items, sources
from tracker.types import Entry, Page, Polled, Request, Response, Source, State

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SOURCE = Source("a", "feed", "https://lab.example/feed", "A", every_s=21_600)


def rss(*titles: str, day: str = "Thu, 11 Jun 2026 09:00:00 GMT", built: str = "") -> bytes:
    listed = "".join(
        f"<item><title>{title}</title><link>https://lab.example/{title}</link><guid>{title}</guid><pubDate>{day}</pubDate></item>"
        for title in titles
    )
    head = f"<lastBuildDate>{built}</lastBuildDate>" if built else ""
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>{head}{listed}</channel></rss>'.encode()


# -- decisions ------------------------------------------------------------------------------------------

DUE = {
    # what is known of the source, what was asked for by name: is it asked now?
    "never polled": (State(), (), True),
    "due an hour ago": (State(next_poll_at=iso(NOW - HOUR)), (), True),
    "due now": (State(next_poll_at=iso(NOW)), (), True),
    "due in a quarter of an hour: cron is not that exact": (State(next_poll_at=iso(NOW + timedelta(minutes=15))), (), True),
    "due in an hour": (State(next_poll_at=iso(NOW + HOUR)), (), False),
    "due in an hour, but named": (State(next_poll_at=iso(NOW + HOUR)), ("a",), True),
    "due, but another is named": (State(), ("b",), False),
    "failing and due in an hour": (State(next_poll_at=iso(NOW + HOUR), last_error="timeout: slow"), (), False),
    "failing and named": (State(next_poll_at=iso(NOW + HOUR), last_error="timeout: slow"), ("a",), True),
    "told to wait, and named": (State(next_poll_at=iso(NOW + HOUR), last_error="rate_limited: HTTP 429"), ("a",), False),
    "told to wait until a moment ago": (State(next_poll_at=iso(NOW - HOUR), last_error="rate_limited: HTTP 429"), (), True),
    "gone, within its week": (State(next_poll_at=iso(NOW + 6 * DAY), last_error="gone: HTTP 410"), (), False),
    "to be asked in ten years, says a clock that ran ahead": (State(next_poll_at=iso(NOW + 3650 * DAY)), (), True),
}


@pytest.mark.parametrize(("state", "only", "asked"), DUE.values(), ids=DUE)
def test_a_source_is_due_when(state: State, only: tuple[str, ...], asked: bool) -> None:
    assert (poll.due([SOURCE], {"a": state}, NOW, only) == [SOURCE]) is asked


def test_a_source_without_state_is_due() -> None:
    assert poll.due([SOURCE], {}, NOW) == [SOURCE]


def test_a_source_that_is_asked_once_a_fortnight_may_wait_so_long() -> None:
    slow = Source("a", "feed", "https://lab.example/feed", "A", every_s=14 * 86_400)
    assert poll.due([slow], {"a": State(next_poll_at=iso(NOW + 13 * DAY))}, NOW) == []


NEXT = {
    # fails so far, error, Retry-After → hours until the next poll
    "it answered": (0, None, None, 6),
    "it answered after failures": (5, None, None, 6),
    "it failed once": (0, "timeout", None, 1),
    "it failed twice": (1, "timeout", None, 2),
    "it failed five times": (4, "http_500", None, 16),
    "it has failed for weeks": (30, "connection", None, 168),
    "it failed beyond counting": (100_000, "connection", None, 168),
    "it is gone": (0, "gone", None, 168),
    "it asks to wait a minute": (0, "rate_limited", 60.0, 1),
    "it asks to wait five hours": (0, "rate_limited", 18_000.0, 5),
    "it asks to wait a century": (0, "rate_limited", 3e9, 168),
    "it is down and says for how long": (0, "http_503", 36_000.0, 10),
    "it asks for less than the back-off": (3, "rate_limited", 3_600.0, 8),
}


@pytest.mark.parametrize(("fails", "name", "retry_after_s", "hours"), NEXT.values(), ids=NEXT)
def test_the_next_poll_when(fails: int, name: str | None, retry_after_s: float | None, hours: int) -> None:
    error = SourceError(name, retry_after_s=retry_after_s) if name else None
    assert poll.next_poll(SOURCE, State(fails=fails), error, NOW) == NOW + hours * HOUR


SANE = {
    "of today": ("2026-06-12T05:00:00Z", None, True),
    "tomorrow morning in Tokyo": ("2026-06-13T05:00:00Z", None, True),
    "next week": ("2026-06-19T05:00:00Z", None, False),
    "the year 9999": ("9999-12-31T00:00:00Z", "9999", False),
    "the epoch": ("1970-01-01T00:00:00Z", None, False),
    "before arXiv began": ("1991-07-31T23:59:59Z", None, False),
    "arXiv's first day": ("1991-08-14T00:00:00Z", None, True),
    "none": (None, "soon", True),
}


@pytest.mark.parametrize(("date", "raw", "kept"), SANE.values(), ids=SANE)
def test_a_date_is_believed_or_left_out_never_invented(date: str | None, raw: str | None, kept: bool) -> None:
    result = poll.sane(Entry("A", published_at=date, published_raw=raw), NOW)
    assert result.published_at == (date if kept else None)
    # What was written stays readable; what lies ahead is kept as the instant that it is.
    ahead = not kept and (date or "") > iso(NOW)
    assert result.published_raw == (raw if kept else date if ahead else raw or date)


# -- the loop ----------------------------------------------------------------------------------------------


class Loop:
    """A configuration of feeds on the loopback server, polled as ``tracker poll`` does."""

    def __init__(self, db: sqlite3.Connection, web: Server, folder: Path) -> None:
        self.db, self.web, self.path, self.now = db, web, folder / "feeds.toml", NOW
        self.feeds: dict[str, str] = {}

    def feed(self, name: str, url: str | None = None, keys: str = "") -> None:
        self.feeds[name] = f'[feeds.{name}]\nurl = "{url or self.web.url(f"/{name}")}"\n{keys}\n'

    @property
    def config(self) -> config.Config:
        self.path.write_text("".join(self.feeds.values()), encoding="utf-8")
        return config.load(self.path)

    def results(self, *only: str) -> Iterator[Polled]:
        with Fetcher("test@example.org", deadline_s=20, sleep=lambda _: None) as fetcher:
            yield from poll.poll(self.db, self.config, fetcher, now=self.now, only=only)

    def poll(self, *only: str, after: timedelta = timedelta()) -> Mapping[str, Polled]:
        self.now += after
        return {polled.source: polled for polled in self.results(*only)}

    def state(self, name: str) -> State:
        return sources.states(self.db)[name]

    def titles(self) -> list[str]:
        return [row[0] for row in self.db.execute("SELECT title FROM items ORDER BY id")]

    def polls(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.db.execute("SELECT source, status, outcome, entries, new FROM polls ORDER BY id")]


@pytest.fixture
def loop(db: sqlite3.Connection, web: Server, tmp_path: Path) -> Iterator[Loop]:
    yield Loop(db, web, tmp_path)
    web.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("poll"):
            thread.join(30)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("poll")]
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_new_then_not_modified_then_the_same_body_then_nothing_new(loop: Loop) -> None:
    loop.feed("a")
    loop.web.not_modified("/a", '"1"', rss("One", "Two"))
    first = loop.poll()["a"]
    assert (first.outcome, first.entries, first.new, first.changed, first.error) == ("new", 2, 2, 0, None)
    assert first.size == len(rss("One", "Two"))
    assert loop.poll(after=6 * HOUR)["a"].outcome == "unchanged"  # 304
    assert loop.web.requests[-1].headers["if-none-match"] == '"1"'
    loop.web.serves("/a", rss("One", "Two"), {"ETag": '"2"'})
    assert loop.poll(after=6 * HOUR)["a"].outcome == "unchanged"  # the same bytes under another etag
    loop.web.serves("/a", rss("Two", "One"))
    last = loop.poll(after=6 * HOUR)["a"]
    assert (last.outcome, last.entries, last.new) == ("nothing new", 2, 0)
    assert loop.polls() == [
        ("a", 200, "new", 2, 2),
        ("a", 304, "unchanged", 0, 0),
        ("a", 200, "unchanged", 0, 0),
        ("a", 200, "nothing new", 2, 0),
    ]


def test_a_build_time_alone_is_no_change(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One", built="Fri, 12 Jun 2026 06:00:00 GMT"))
    loop.poll()
    loop.web.serves("/a", rss("One", built="Fri, 12 Jun 2026 12:00:00 GMT"))
    assert loop.poll(after=6 * HOUR)["a"].outcome == "unchanged"


def test_new_items_wait_for_tags_and_those_of_the_first_poll_are_backlog(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One"))
    loop.poll()
    loop.web.serves("/a", rss("Old", day="Mon, 04 May 2026 09:00:00 GMT"))
    loop.poll(after=6 * HOUR)
    loop.web.serves("/a", rss("Two", "One"))
    loop.poll(after=6 * HOUR)
    backlog = {row["title"]: row["backlog"] for row in loop.db.execute("SELECT title, backlog FROM items")}
    assert backlog == {"One": 1, "Old": 1, "Two": 0}
    assert {item.title for item in items.pending(loop.db, "tag", 10)} == {"One", "Two", "Old"}


def test_f87_thirty_days_without_a_run_lose_nothing(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One"))
    loop.poll()
    loop.web.serves("/a", rss("Two", day="Mon, 15 Jun 2026 09:00:00 GMT"))
    loop.poll(after=30 * DAY)
    assert [row[0] for row in loop.db.execute("SELECT backlog FROM items WHERE title = 'Two'")] == [0]


def test_a_source_that_fails_stops_no_other_and_is_told_by_name(loop: Loop) -> None:
    for name in ("bad", "closed", "good", "html", "missing"):
        loop.feed(name)
    loop.web.serves("/good", rss("One"))
    loop.web.serves("/html", b"<!doctype html><html><body>Please log in</body></html>")
    loop.web.serves("/bad", b"no", status=500)
    loop.web.fails("/closed", "close")
    results = loop.poll()
    assert {name: polled.outcome for name, polled in results.items()} == {
        "bad": "http_500",
        "closed": "connection",
        "good": "new",
        "html": "not_a_feed",
        "missing": "http_404",
    }
    assert loop.titles() == ["One"]
    rows = {row["source"]: row for row in loop.db.execute("SELECT * FROM polls")}
    assert set(rows) == set(results)
    for name in ("bad", "closed", "html", "missing"):
        state = loop.state(name)
        assert (state.fails, state.last_ok_at) == (1, None)
        assert state.last_error == results[name].error == rows[name]["error"]
        assert str(state.last_error).startswith(f"{results[name].outcome}: ")
        assert state.next_poll_at == iso(NOW + HOUR)


def test_failing_twice_waits_longer_and_recovery_clears_it(loop: Loop) -> None:
    loop.feed("a")
    loop.poll()
    assert loop.poll(after=HOUR)["a"].outcome == "http_404"
    assert (loop.state("a").fails, loop.state("a").next_poll_at) == (2, iso(loop.now + 2 * HOUR))
    assert loop.poll(after=HOUR) == {}
    loop.web.serves("/a", rss("One"))
    assert loop.poll(after=HOUR)["a"].outcome == "new"
    state = loop.state("a")
    assert (state.fails, state.last_error, state.last_ok_at, state.last_new_at) == (0, None, iso(loop.now), iso(loop.now))
    assert state.next_poll_at == iso(loop.now + 6 * HOUR)


def test_a_failure_keeps_the_validators_of_the_last_good_document(loop: Loop) -> None:
    loop.feed("a")
    loop.web.not_modified("/a", '"1"', rss("One"))
    loop.poll()
    before = loop.state("a")
    loop.web.serves("/a", b"", status=503)
    loop.poll(after=6 * HOUR)
    after = loop.state("a")
    assert (after.etag, after.body_hash, after.last_ok_at) == (before.etag, before.body_hash, before.last_ok_at)


def test_retry_after_is_kept_even_when_the_source_is_named(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", b"slow down", {"Retry-After": "18000"}, 429)
    assert loop.poll()["a"].outcome == "rate_limited"
    assert loop.state("a").next_poll_at == iso(NOW + 5 * HOUR)
    assert loop.poll("a", after=4 * HOUR) == {}
    assert loop.poll() == {}
    assert len(loop.web.requests) == 1
    loop.web.serves("/a", rss("One"))
    assert loop.poll("a", after=HOUR)["a"].outcome == "new"


def test_a_cut_body_gives_its_whole_entries_but_is_asked_for_again(loop: Loop) -> None:
    loop.feed("a")
    whole = rss("One", "Two", "Three")
    cut = whole[: whole.index(b"<title>Three")]
    head = f'HTTP/1.1 200 OK\r\nETag: "cut"\r\nContent-Length: {len(whole)}\r\n\r\n'.encode()
    loop.web.sends("/a", head + cut)
    polled = loop.poll()["a"]
    assert polled.outcome == "truncated"
    assert {"One", "Two"} <= set(loop.titles())
    assert (loop.state("a").etag, loop.state("a").body_hash, loop.state("a").fails) == (None, None, 1)
    loop.web.serves("/a", whole, {"ETag": '"whole"'})
    assert loop.poll(after=HOUR)["a"].outcome == "new"
    assert "if-none-match" not in loop.web.requests[-1].headers
    assert sorted(loop.titles()) == ["One", "Three", "Two"]
    assert loop.state("a").etag == '"whole"'


def test_gone_is_asked_again_after_a_week(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", b"", status=410)
    assert loop.poll()["a"].outcome == "gone"
    assert loop.poll(after=6 * DAY) == {}
    assert loop.poll(after=DAY)["a"].outcome == "gone"


def test_a_permanent_redirect_is_followed_and_told(loop: Loop) -> None:
    loop.feed("a")
    loop.web.redirects("/a", "/b", 301)
    loop.web.serves("/b", rss("One"))
    assert loop.poll()["a"].outcome == "new"
    assert loop.db.execute("SELECT moved_to FROM sources").fetchone()[0] == loop.web.url("/b")


def test_a_changed_url_is_asked_at_once_without_the_old_validators(loop: Loop) -> None:
    loop.feed("a")
    loop.web.not_modified("/a", '"1"', rss("One"))
    loop.web.not_modified("/new", '"1"', rss("One", "Two"))
    loop.poll()
    loop.feed("a", loop.web.url("/new"))
    polled = loop.poll(after=HOUR)["a"]
    assert (polled.outcome, polled.new) == ("new", 1)
    assert "if-none-match" not in loop.web.requests[-1].headers
    assert [row[0] for row in loop.db.execute("SELECT backlog FROM items WHERE title = 'Two'")] == [0]  # its history is kept


def test_a_changed_title_keeps_validators_and_pace(loop: Loop) -> None:
    loop.feed("a")
    loop.web.not_modified("/a", '"1"', rss("One"))
    loop.poll()
    loop.feed("a", keys='title = "A better title"')
    assert loop.poll(after=HOUR) == {}
    assert loop.db.execute("SELECT title, etag FROM sources").fetchone()[:] == ("A better title", '"1"')


def test_a_removed_source_is_retired_and_comes_back_with_its_history(loop: Loop) -> None:
    loop.feed("a")
    loop.feed("b")
    for name in ("a", "b"):
        loop.web.serves(f"/{name}", rss(f"Of-{name}"))
    loop.poll()
    table = loop.feeds.pop("b")
    assert set(loop.poll(after=6 * HOUR)) == {"a"}
    retired = "SELECT retired_at FROM sources WHERE id = 'b'"
    assert loop.db.execute(retired).fetchone()[0] == iso(NOW + 6 * HOUR)
    assert loop.poll(after=6 * HOUR)  # retired once, not again
    assert loop.db.execute(retired).fetchone()[0] == iso(NOW + 6 * HOUR)
    loop.feeds["b"] = table
    assert loop.poll(after=6 * HOUR)["b"].outcome == "unchanged"
    assert loop.db.execute(retired).fetchone()[0] is None


def test_two_sources_of_one_host_are_never_asked_at_once(loop: Loop) -> None:
    for number in range(6):
        loop.feed(f"f{number}")
        loop.web.serves(f"/f{number}", rss(f"Post-{number}"))
    assert len(loop.poll()) == 6
    spans = sorted((seen.began, seen.ended) for seen in loop.web.requests)
    assert len(spans) == 6
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))


def test_a_slow_host_delays_only_itself(loop: Loop) -> None:
    loop.feed("slow")
    loop.feed("quick", loop.web.url("/quick", host="localhost"))
    loop.web.serves("/quick", rss("Quick"))
    quick_is_stored = threading.Event()

    def answer(exchange: Exchange) -> bool:
        assert quick_is_stored.wait(30)
        return exchange.answer(200, {}, rss("Slow"))

    loop.web.answers("/slow", answer)
    order = []
    for polled in loop.results():
        order.append((polled.source, polled.outcome))
        quick_is_stored.set()
    assert order == [("quick", "new"), ("slow", "new")]


def test_only_what_is_named_is_asked_and_a_wrong_name_stops_before_any_network(loop: Loop) -> None:
    loop.feed("a")
    loop.feed("b")
    loop.web.serves("/a", rss("One"))
    loop.web.serves("/b", rss("Two"))
    with pytest.raises(ConfigError, match='no source "bb"; did you mean "b"'):
        loop.poll("bb")
    assert (loop.web.requests, sources.states(loop.db)) == ([], {})
    assert set(loop.poll("b")) == {"b"}
    assert [seen.path for seen in loop.web.requests] == ["/b"]


def test_a_result_that_is_yielded_is_on_disk(loop: Loop, tmp_path: Path) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One"))
    for polled in loop.results():
        reader = store.open(tmp_path / "data" / "tracker.db")
        assert polled.new == reader.execute("SELECT count(*) FROM items").fetchone()[0] == 1
        assert reader.execute("SELECT body_hash FROM sources").fetchone()[0]
        reader.close()


def test_f76_an_interrupt_keeps_what_was_yielded_and_ends_the_threads(loop: Loop) -> None:
    for number in range(40):
        loop.feed(f"f{number}", loop.web.url(f"/f{number}", host="localhost" if number % 2 else "127.0.0.1"))
        loop.web.serves(f"/f{number}", rss(f"Post-{number}"))
    results = loop.results()
    yielded = [next(results).source for _ in range(3)]
    results.close()  # type: ignore[attr-defined]  # what Ctrl-C does to the generator
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("poll")]
    assert [row[0] for row in loop.db.execute("SELECT source FROM polls ORDER BY id")] == yielded
    assert len(loop.titles()) == 3
    assert len(loop.poll()) == 37  # the rest, and nothing twice
    assert len(loop.titles()) == 40


def test_f79_a_full_disk_ends_the_poll_with_one_sentence_and_keeps_what_was_committed(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One"))
    loop.poll()
    loop.feed("b")
    loop.web.serves("/b", rss(*[f"Post-{n}" for n in range(400)]))
    (pages,) = loop.db.execute("PRAGMA page_count").fetchone()
    loop.db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="nothing of this step was kept"):
        loop.poll(after=HOUR)
    assert loop.titles() == ["One"]
    assert loop.state("b").body_hash is None  # nothing vouches for what is not there
    loop.db.execute("PRAGMA max_page_count = 1000000")
    assert loop.poll()["b"].new == 400


def test_all_of_arxiv_is_one_host_and_no_other_is(loop: Loop) -> None:
    for name, host in (("a", "export.arxiv.org"), ("b", "rss.arxiv.org"), ("c", "notarxiv.org")):
        loop.feed(name, f"http://{host}/feed")
    hosts: list[str] = []
    foreign = threading.Event()

    class Network:
        def get(self, request: Request) -> Response:
            hosts.append(str(request.trusted_host))
            if request.trusted_host == "notarxiv.org":
                foreign.set()
            assert foreign.wait(30), "notarxiv.org waits for arxiv.org"
            return Response(request.url, 200, {}, rss("Post"))

    assert {polled.outcome for polled in poll.poll(loop.db, loop.config, Network(), now=loop.now)} <= {"new", "nothing new"}
    assert hosts.index("export.arxiv.org") < hosts.index("rss.arxiv.org")


# -- pollers that misbehave ----------------------------------------------------------------------------


class Made:
    """A poller made by a test: one list of pages, then perhaps an error."""

    def __init__(self, pages: list[Page], error: Exception | None = None) -> None:
        self.pages, self.error = pages, error

    def poll(self, *_: object) -> Iterator[Page]:
        yield from self.pages
        if self.error:
            raise self.error


class NoNetwork:
    def get(self, request: Request) -> Response:
        raise AssertionError("nothing is to be fetched")


def made(monkeypatch: pytest.MonkeyPatch, loop: Loop, *pages: Page, error: Exception | None = None) -> Polled:
    monkeypatch.setattr(poll, "poller", lambda kind: Made(list(pages), error))
    loop.feed("a")
    (polled,) = poll.poll(loop.db, loop.config, NoNetwork(), now=loop.now)
    return polled


ONE, TWO = Entry("One", "https://lab.example/1", "1"), Entry("Two", "https://lab.example/2", "2")


def test_a_bug_in_a_poller_becomes_a_row_in_polls(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = made(monkeypatch, loop, error=ZeroDivisionError("division by zero"))
    assert (polled.outcome, polled.error) == ("malformed", "malformed: ZeroDivisionError: division by zero")
    assert loop.db.execute("SELECT error FROM polls").fetchone()[0] == polled.error
    assert loop.state("a").last_error == polled.error


def test_pages_before_a_failure_are_kept_and_nothing_vouches_for_them_but_how_far_it_got(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page((ONE,), size=10, etag='"1"', body_hash="h", cursor="c", last=False)
    polled = made(monkeypatch, loop, page, error=SourceError("incomplete_results", "1 of 2"))
    assert (polled.outcome, polled.new, polled.size) == ("incomplete_results", 1, 10)
    state = loop.state("a")
    assert (state.etag, state.body_hash, state.cursor, state.last_ok_at, state.fails) == (None, None, "c", None, 1)
    assert loop.titles() == ["One"]


def test_several_pages_are_one_poll_and_the_cursor_moves_on_the_last(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = made(monkeypatch, loop, Page((TWO,), size=1, last=False), Page((ONE,), size=2, body_hash="h", cursor="c"))
    assert (polled.outcome, polled.entries, polled.new, polled.size) == ("new", 2, 2, 3)
    assert (loop.state("a").cursor, loop.state("a").body_hash) == ("c", "h")
    assert len(loop.polls()) == 1


def test_too_many_items_is_told_and_kept(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    polled = made(monkeypatch, loop, Page((ONE,), body_hash="h", problem="too_many_items"))
    assert (polled.outcome, polled.new, polled.ok) == ("too_many_items", 1, False)
    state = loop.state("a")
    assert (state.fails, state.next_poll_at) == (0, iso(loop.now + 6 * HOUR)), "no failure, so no back-off"


def test_dates_of_a_page_are_checked_before_they_are_stored(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    made(monkeypatch, loop, Page((Entry("One", "https://lab.example/1", published_at="2099-01-01T00:00:00Z"),)))
    row = loop.db.execute("SELECT published_at, published_raw, id FROM items").fetchone()
    assert (row[0], row[1], str(row[2])[:8]) == (None, "2099-01-01T00:00:00Z", "20260612")


# -- trying one source ------------------------------------------------------------------------------------


def test_a_trial_stores_nothing_and_says_what_it_saw(loop: Loop) -> None:
    loop.feed("a")
    loop.web.serves("/a", rss("One"))
    with Fetcher(None) as fetcher:
        seen = trial.trial(loop.config.source("a"), fetcher, NOW).as_dict()
    assert seen["error"] is None
    assert [entry["title"] for entry in seen["entries"]] == ["One"]  # type: ignore[attr-defined]
    assert sources.states(loop.db) == {}


def test_a_trial_of_a_failing_source_says_why(loop: Loop) -> None:
    loop.feed("a")
    with Fetcher(None) as fetcher:
        seen = trial.trial(loop.config.source("a"), fetcher, NOW)
    assert str(seen.as_dict()["error"]).startswith("http_404: ")
    assert seen.as_dict()["entries"] == []
