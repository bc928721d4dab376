"""Reading back: ``tracker poll --since`` and gaps that are filled by themselves; nothing of it is mailed, the normal way is undisturbed."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers import Server
from tests.test_cli import tracker
from tracker import config, poll, show, store, trial
from tracker.clock import iso
from tracker.errors import SourceError
from tracker.fetch import Fetcher
from tracker.store import gaps, sources
from tracker.types import Entry, Gap, Page, Polled, Request, Response, Source, State

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
DAY = timedelta(days=1)


def at(days: float) -> str:
    return iso(NOW + timedelta(days=days))


# -- a kind that can be read back, made by the test --------------------------------------------------------


class Walk:
    """Hacker News as a test makes it: an entry a day. Reads from the newest down to its cursor, or to ``since`` on a walk."""

    WHOLE, BROKEN = "", "incomplete_results"

    def __init__(self) -> None:
        self.newest, self.fails, self.asked = 0, self.WHOLE, list[State]()

    def poll(self, source: Source, state: State, *_: object) -> Iterator[Page]:
        self.asked.append(state)
        floor = state.since if state.backfill else state.cursor or state.since
        entries = [day for day in range(self.newest, -400, -1) if at(day) > (floor or "")]
        if self.fails:
            yield Page(_entries(entries[:1]), etag='"part"', body_hash="part", last=False)
            raise SourceError(self.fails, "1 of many")
        hashed = "walked" if state.backfill else "whole"
        yield Page(_entries(entries), etag=f'"{hashed}"', body_hash=hashed, cursor=at(self.newest))


def _entries(days: list[int]) -> tuple[Entry, ...]:
    return tuple(Entry(f"Of {day}", f"https://lab.example/{day}", f"g{day}", published_at=at(day)) for day in days)


class NoNetwork:
    def get(self, request: Request) -> Response:
        raise AssertionError("nothing is to be fetched")


class Desk:
    def __init__(self, db: sqlite3.Connection, folder: Path, walk: Walk) -> None:
        self.db, self.walk, self.now = db, walk, NOW
        path = folder / "feeds.toml"
        path.write_text('[feeds.hn]\nkind = "hn"\nquery = ["agent"]\n')
        self.config = config.load(path)

    def poll(self, after: timedelta = timedelta(), back_to: datetime | None = None) -> list[Polled]:
        self.now += after
        self.walk.newest = (self.now - NOW).days
        return list(poll.poll(self.db, self.config, NoNetwork(), now=self.now, back_to=back_to))

    def backlog(self, value: int) -> set[str]:
        return {row[0] for row in self.db.execute("SELECT title FROM items WHERE backlog = ?", (value,))}

    def state(self) -> State:
        return sources.states(self.db)["hn"]

    def gaps(self) -> list[tuple[object, ...]]:
        return [tuple(row) for row in self.db.execute("SELECT reason, from_at, closed_at, how FROM gaps ORDER BY id")]


@pytest.fixture
def desk(db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    walk = Walk()
    monkeypatch.setattr(poll, "poller", lambda kind: walk)
    return Desk(db, tmp_path, walk)


def test_reading_back_asks_as_always_first_then_walks_and_keeps_what_it_finds_as_backlog(desk: Desk) -> None:
    desk.poll()
    before = desk.state()
    results = desk.poll(after=DAY, back_to=NOW - 30 * DAY)
    assert [(result.outcome, result.new) for result in results] == [("new", 1), ("read back", 30 - 7 + 1 - 1)]
    assert desk.backlog(0) == {"Of 1"}, "what is new stays news"
    assert desk.backlog(1) == {f"Of {day}" for day in range(-29, 1)}
    after = desk.state()
    assert (after.etag, after.body_hash, after.cursor) == ('"whole"', "whole", at(1)), "not those of the walk"
    assert after.next_poll_at > before.next_poll_at  # type: ignore[operator]
    assert [state.backfill for state in desk.walk.asked] == [False, False, True]


def test_reading_back_closes_the_gaps_inside_the_span_and_no_others(desk: Desk) -> None:
    desk.poll()
    with store.transaction(desk.db):
        gaps.note(desk.db, Gap("hn", at(-20), at(-18), "window rolled", at(-18)))
        gaps.note(desk.db, Gap("hn", at(-90), at(-80), "count dropped", at(-80)))
    desk.walk.fails = "timeout"
    desk.poll(after=DAY, back_to=NOW - 30 * DAY)
    assert [row[2] for row in desk.gaps()] == [None, None], "a walk that fails fills nothing"
    assert len(desk.walk.asked) == 2, "a source that does not answer is not walked"


def test_what_cannot_be_proved_complete_is_read_back_by_the_next_poll_by_itself(desk: Desk) -> None:
    desk.poll()
    desk.walk.fails = Walk.BROKEN
    (broken,) = desk.poll(after=DAY)
    assert (broken.outcome, desk.gaps()) == ("incomplete_results", [("incomplete results", at(0), None, None)])
    assert (desk.state().etag, desk.state().body_hash, desk.state().cursor) == ('"whole"', "whole", at(0))
    desk.walk.fails = Walk.WHOLE
    (again,) = desk.poll(after=DAY)
    asked = desk.walk.asked[-1]
    assert (asked.backfill, str(asked.since) <= at(-4)) == (True, True), "a little further than the gap"
    assert again.new == 1
    assert desk.gaps() == [("incomplete results", at(0), at(2), f"read back to {str(asked.since)[:10]}")]
    assert desk.backlog(0) == {"Of 1", "Of 2"}, "what a gap had hidden is news"
    desk.poll(after=DAY)
    assert not desk.walk.asked[-1].backfill


def test_what_has_brought_nothing_yet_is_read_back_to_its_last_answer(desk: Desk) -> None:
    desk.poll()
    with store.transaction(desk.db):
        desk.db.execute("UPDATE sources SET cursor = NULL")  # no story yet, so none is the newest
    desk.poll(after=48 * DAY)
    assert (desk.walk.asked[-1].since, desk.walk.asked[-1].backfill) == (at(0), False)


def test_a_walk_that_breaks_off_keeps_its_progress_and_opens_no_gap(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.poll()

    class Breaks(Walk):
        def poll(self, source: Source, state: State, *_: object) -> Iterator[Page]:
            if not state.backfill:
                yield from Walk.poll(desk.walk, source, state)
                return
            yield Page(_entries([-100]), etag='"p"', body_hash="p", cursor='{"rest": 1}', last=False)
            raise SourceError("timeout", "slow")

    monkeypatch.setattr(poll, "poller", lambda kind: Breaks())
    results = desk.poll(after=DAY, back_to=NOW - 300 * DAY)
    assert [result.outcome for result in results] == ["new", "timeout"]
    state = desk.state()
    assert (state.cursor, state.etag, state.body_hash) == ('{"rest": 1}', '"whole"', "whole")
    assert "Of -100" in desk.backlog(1)
    assert desk.gaps() == []


# -- the command -------------------------------------------------------------------------------------------

ROBOTS = b"User-agent: *\nAllow: /\n"


def sitemap(web: Server, *days: int) -> bytes:
    listed = "".join(f"<url><loc>{web.url(f'/posts/post-number-{-day}')}</loc><lastmod>{at(day)}</lastmod></url>" for day in days)
    return f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{listed}</urlset>'.encode()


@pytest.fixture
def home(tmp_path: Path, web: Server) -> Path:
    web.serves("/robots.txt", ROBOTS)
    web.serves("/sitemap.xml", sitemap(web, -1, -2, -3, -40))
    web.serves("/feed", b'<?xml version="1.0"?><rss version="2.0"><channel><title>F</title></channel></rss>')
    (tmp_path / "feeds.toml").write_text(
        f'[tracker]\ncontact = "t@example.org"\n[feeds.posts]\nkind = "page"\nurl = "{web.url("/sitemap.xml")}"\nlinks = "/posts/"\n'
        f'[feeds.press]\nurl = "{web.url("/feed")}"\n'
    )
    return tmp_path


def test_without_a_name_everything_that_can_is_read_back(home: Path, web: Server) -> None:
    told = tracker("poll", "--since", "30d", "--now", "2026-06-12T06:00:00Z", cwd=home)
    assert told.exit_code == 0, told.output
    assert told.output == (
        "  ✓ posts  4 new of 4\n  ✓ posts  back to 2026-05-13: 0 new of 3\n"
        "  … not read back, because they show only what they list now: 1 of 2 sources\n"
    )
    assert not web.hits("/feed"), "a feed cannot be read back"
    db = store.open(home / "data" / "tracker.db")
    assert {row[0] for row in db.execute("SELECT backlog FROM items")} == {1}
    assert [row[0] for row in db.execute("SELECT outcome FROM polls ORDER BY id")] == ["new", "read back"]
    db.close()


def test_a_source_that_cannot_be_read_back_says_why(home: Path) -> None:
    told = tracker("poll", "press", "--since", "2026-06-01", "--now", "2026-06-12T06:00:00Z", cwd=home)
    why = "press cannot be read back: a feed shows only what it lists now"
    assert told.exit_code == 1
    assert told.output.startswith(f"  … {why}\n")
    facts = tracker("poll", "press", "posts", "--since", "2026-06-01", "--now", "2026-06-12T06:00:00Z", "--json", cwd=home)
    assert facts.exit_code == 0, "one of them can"
    assert [row for row in json.loads(facts.output) if row["source"] == "press"] == [
        {"source": "press", "outcome": "not asked", "error": why}
    ]


def test_a_walk_that_finds_nothing_or_does_not_begin_says_so(home: Path, web: Server) -> None:
    told = tracker("poll", "posts", "--since", "12h", "--now", "2026-06-12T06:00:00Z", cwd=home)
    assert "  ✓ posts  back to 2026-06-11: nothing new\n" in told.output
    web.serves("/sitemap.xml", b"", status=404)
    told = tracker("poll", "posts", "--since", "30d", "--now", "2026-06-12T12:00:00Z", cwd=home)
    assert ("✗ posts  http_404" in told.output, ", so it was not read back\n" in told.output) == (True, True)


def test_what_a_walk_brought_is_told_apart_from_what_is_news() -> None:
    news, walk = Polled("papers", "new", 1.0, 9, 5, 2), Polled("papers", "read back", 1.0, 9, 300, 240)
    broken = replace(walk, outcome="http_500", error="http_500: HTTP 500")
    assert list(show.polls([news, walk], "2026-06-01")) == [
        "  ✓ papers  2 new of 5", "  ✓ papers  back to 2026-06-01: 240 new of 300, kept as backlog, never mailed"
    ]  # fmt: skip
    assert list(show.polls([news, broken], "2026-06-01"))[1] == (
        "  ! papers  back to 2026-06-01: 240 new of 300, not complete: http_500: HTTP 500"
    )


def test_a_strange_span_is_a_mistake(home: Path) -> None:
    told = tracker("poll", "--since", "yesterday", cwd=home)
    assert (told.exit_code, "--since must be like 90d" in told.output) == (2, True)
    told = tracker("poll", "--since", "2026-06-13", "--now", "2026-06-12T06:00:00Z", cwd=home)
    assert (told.exit_code, "--since must lie in the past; 2026-06-13 is still to come" in told.output) == (2, True)


def test_status_tells_gaps_and_the_coverage_of_each_source(home: Path) -> None:
    tracker("run", "--now", "2026-06-12T06:00:00Z", cwd=home)
    db = store.open(home / "data" / "tracker.db", write=True)
    with store.transaction(db):
        gaps.note(db, Gap("press", at(-3), at(-1), "window rolled", at(-1)))
    db.close()
    told = tracker("status", "--now", "2026-06-12T08:00:00Z", cwd=home).output
    assert "2 of 2 sources answer." in told
    assert "1 gap, 0 sources silent." in told
    assert "press  " in told
    assert "its list had moved on when it was read; what it showed from 2026-06-09 to 2026-06-11 may be missing" in told
    facts = json.loads(tracker("status", "--json", cwd=home).output)
    assert [(gap["source"], gap["reason"]) for gap in facts["gaps"]] == [("press", "window rolled")]
    table = tracker("status", "--sources", cwd=home).output.splitlines()
    assert re.split(r"\s{2,}", table[0]) == ["source", "health", "items", "shown", "newest", "gaps", "failed polls", "last error"]
    assert re.split(r"\s{2,}", table[1].strip())[:5] == ["posts", "ok", "4", "4", "2026-06-12"]
    assert "none yet" in table[2]
    rows = json.loads(tracker("status", "--sources", "--json", cwd=home).output)
    assert {row["source"]: (row["items"], row["gaps"], row["errors"]) for row in rows} == {"posts": (4, 0, 0), "press": (0, 1, 0)}


# -- trying one source -----------------------------------------------------------------------------------


def test_feeds_check_says_which_links_of_a_page_do_not_fit_and_where_its_feed_is(home: Path, web: Server) -> None:
    anchors = "".join(f'<a href="/blog/{n}">The title of a post with the number {n}</a>' for n in range(4))
    web.serves(
        "/page",
        f"""<!doctype html><html><head><title>Our blog</title><link rel="alternate" type="application/rss+xml" href="/rss.xml"></head>
        <body>{anchors}<a href="/careers">Jobs</a></body></html>""".encode(),
        {"Content-Type": "text/html"},
    )
    path = home / "feeds.toml"
    path.write_text(path.read_text() + f'[feeds.page]\nkind = "page"\nurl = "{web.url("/page")}"\nlinks = "/posts/"\n')
    told = tracker("feeds", "check", "page", cwd=home)
    assert told.exit_code == 1
    assert "✗ page: layout_changed: " in told.output
    assert f"the page says that it has a feed: {web.url('/rss.xml')}" in told.output
    assert 'links seen that are no articles by links = "/posts/": /blog/ (4), /careers (1)' in told.output
    assert "robots.txt was asked first" in told.output


def test_feeds_check_says_what_came_in_place_of_a_feed(home: Path, web: Server) -> None:
    page = b'<html><head><title>Welcome &amp; more</title><link rel=alternate type="application/atom+xml" href=atom.xml></head></html>'
    web.serves("/feed", page, {"Content-Type": "text/html; charset=utf-8"})
    told = tracker("feeds", "check", "press", cwd=home)
    assert "✗ press: not_a_feed: " in told.output
    assert f'HTTP 200, {len(page)} bytes, content type: text/html; charset=utf-8, titled "Welcome &amp; more"' in told.output
    assert f"the page says that it has a feed: {web.url('/atom.xml')}" in told.output


def test_feeds_check_says_that_robots_txt_does_not_allow_a_page(home: Path, web: Server) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /\n")
    told = tracker("feeds", "check", "posts", cwd=home)
    assert "✗ posts: disallowed: " in told.output
    assert "robots.txt does not allow it" in told.output
    assert not web.hits("/sitemap.xml")


def test_feeds_check_does_not_claim_to_have_obeyed_a_robots_txt_that_cannot_be_read(home: Path, web: Server) -> None:
    web.serves("/robots.txt", b"", status=500)
    told = tracker("feeds", "check", "posts", cwd=home)
    assert "is not asked before its robots.txt can be read" in told.output
    assert "obeyed" not in told.output


def listing(*items: str) -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>F</title>{"".join(items)}</channel></rss>'.encode()


def test_feeds_check_of_a_feed_without_entries_says_why_there_are_none(home: Path, web: Server) -> None:
    told = tracker("feeds", "check", "press", cwd=home).output
    assert told.startswith("! press: 0 entries, ")
    assert "a valid document without entries" in told
    web.serves("/feed", listing(*(f"<item><title>T{n}</title><link>https://lab.example/es/{n}</link></item>" for n in range(7))))
    path = home / "feeds.toml"
    path.write_text(path.read_text() + 'skip = "/es/"\n')
    told = tracker("feeds", "check", "press", cwd=home).output
    assert told.startswith("! press: 0 entries, ")
    assert "all 7 listed are left out by `skip` of the source" in told


def test_feeds_check_shows_a_day_that_cannot_be_used_as_it_is_written(home: Path, web: Server) -> None:
    web.serves(
        "/feed", listing("<item><title>T</title><link>https://lab.example/t</link><pubDate>Sometime in January 2026</pubDate></item>")
    )
    told = tracker("feeds", "check", "press", cwd=home).output
    assert "  Sometime in January 2026  T  https://lab.example/t\n" in told
    assert "1 of 1 have no date that can be used" in told


def test_a_trial_of_papers_says_how_many_are_older_than_a_first_poll_reads(web: Server) -> None:
    papers = (Path(__file__).parent / "data" / "arxiv" / "papers.xml").read_bytes()
    web.serves("/api", papers)
    source = Source("api", "arxiv", web.url("/api?search_query=x"), "API", options={"first_s": 3 * 86_400})
    with Fetcher("t@example.org") as fetcher:
        seen = trial.trial(source, fetcher, datetime(2026, 12, 1, tzinfo=UTC))
    listed = papers.count(b"<entry>")
    assert listed > 1
    assert next(iter(show.trial(seen))).startswith("! api: 0 entries")
    assert seen.hints == (f"{listed} listed, none since 2026-11-28; a first poll reads no further back (`first` in feeds.toml)",)


def test_a_trial_asks_every_query_before_it_says_that_nothing_is_found(web: Server) -> None:
    def hits(*ids: int) -> bytes:
        found = [{"objectID": f"{n}", "title": f"Story {n}", "url": f"https://lab.example/{n}", "created_at_i": 1_780_000_000} for n in ids]
        return json.dumps({"hits": found, "nbHits": len(found)}).encode()

    web.serves("/hn", hits())
    source = Source("hn", "hn", web.url("/hn?tags=story&numericFilters=points%3E%3D20&query=a&query=b"), "HN")
    with Fetcher("t@example.org") as fetcher:
        assert trial.trial(source, fetcher, NOW).hints == ("nothing is found since 2026-06-09; check `query` of the source",)
        assert sum(seen.path.startswith("/hn") for seen in web.requests) == 2
        web.serves("/hn", hits(1))
        assert len(trial.trial(source, fetcher, NOW).as_dict()["entries"]) == 1  # type: ignore[arg-type]


def test_feeds_check_survives_a_page_made_against_it(home: Path, web: Server) -> None:
    web.serves("/feed", b"<html>" + b"<link " * 100_000 + b'<a href="' * 100_000, {"Content-Type": "text/html"})
    assert "✗ press: not_a_feed" in tracker("feeds", "check", "press", cwd=home).output
