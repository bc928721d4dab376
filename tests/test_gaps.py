"""Gaps, floods and silence: decisions as tables; then real polls of a server whose lists move on, fail and come back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.servers import Server
from tracker import complete, config, doctor, poll, store
from tracker.clock import iso
from tracker.complete import Shown
from tracker.compose import Matter, compose
from tracker.fetch import Fetcher
from tracker.store import browse, digests, gaps, sources
from tracker.types import DigestPlan, Gap, Polled, Source

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FEED = Source("a", "feed", "https://lab.example/feed", "A")
PAPERS = Source("p", "arxiv", "https://export.arxiv.org/api/query?search_query=x", "P")
MAILING = Source("m", "feed", "https://rss.arxiv.org/rss/cs.AI", "M")
PAGE = Source("g", "page", "https://lab.example/news", "G")
SITEMAP = Source("s", "page", "https://lab.example/sitemap.xml", "S")
LETTER = Source("l", "feed", "https://letter.example/feed", "L", options={"split": True})


def at(days: float) -> str:
    return iso(NOW + timedelta(days=days))


# -- decisions ----------------------------------------------------------------------------------------

GAPS = {
    # source, last good answer (days ago), newest thing known (days ago), error, what was shown: (reason, from, to) in days ago
    "the windows overlap": (FEED, 1, 2, None, Shown((at(-1), at(-2)), 1, 1), None),
    "nothing of what was known is listed": (FEED, 3, 4, None, Shown((at(-1), at(-2)), 2, 0), ("window rolled", 4, 2)),
    "it lists nothing of what was known, without dates": (FEED, 3, 4, None, Shown((None, None), 2, 0), ("window rolled", 4, 0)),
    "it reaches back to what was known": (FEED, 3, 4, None, Shown((at(-1), at(-5)), 2, 0), None),
    "it reaches back to the last look": (FEED, 3, 60, None, Shown((at(-1), at(-5)), 2, 0), None),
    "what was seen at the last look is not missing": (FEED, 3, 60, None, Shown((at(-1), at(-2)), 2, 0), ("window rolled", 4, 2)),
    "only what is pinned is listed again": (FEED, 3, 4, None, Shown((at(-1), at(-2)), 2, 3, 3, False), ("window rolled", 4, 2)),
    "what is pinned was parsed again": (FEED, 3, 4, None, Shown((at(-99), at(-2)), 1, 1, 0, False), ("window rolled", 4, 2)),
    "more is listed again than anyone pins": (FEED, 3, 4, None, Shown((at(-1), at(-2)), 2, 4, 4, False), None),
    "nothing but what is pinned": (FEED, 3, 4, None, Shown((), 0, 2, 2, False), None),
    "only the latest issue, looked at every day": (FEED, 1, 7, None, Shown((at(0),), 1, 0), None),
    "only the latest issue, looked at every week": (FEED, 7, 7, None, Shown((at(0),), 1, 0), ("window rolled", 7, 0)),
    "the parts of the latest issue, looked at every day": (LETTER, 1, 7, None, Shown((at(0),) * 9, 9, 0), None),
    "it is new": (FEED, None, None, None, Shown((at(-1),), 1, 0), None),
    "it grew from nothing": (FEED, 1, None, None, Shown((at(-1),), 1, 0), None),
    "it is empty": (FEED, 1, 2, None, Shown(), None),
    "it did not change": (FEED, 9, 9, None, None, None),
    "a page moves on, too": (PAGE, 3, 4, None, Shown((at(-1),), 1, 0), ("window rolled", 4, 1)),
    "papers are read on from where they were": (PAPERS, 3, 4, None, Shown((at(-1),), 1, 0), None),
    "the mailing of the next weekday": (MAILING, 1, 1, None, Shown((at(0),), 1, 0), None),
    "the mailing after a missed one": (MAILING, 2, 2, None, Shown((at(0),), 1, 0), ("window rolled", 2, 0)),
    "the mailing after a holiday on which it was looked at": (MAILING, 1, 2, None, Shown((at(0),), 1, 0), None),
    "papers are missing": (PAPERS, 1, 2, "incomplete_results", Shown((at(0),), 1, 0), ("incomplete results", 1, 0)),
    "papers are missing at the first poll": (PAPERS, None, None, "incomplete_results", None, ("incomplete results", 3, 0)),
    "the rest of the papers waits": (PAPERS, 1, 2, "too_many_items", Shown((at(0),), 1, 0), ("incomplete results", 1, 0)),
    "more than one takes of a whole history": (FEED, 1, 2, "too_many_items", Shown((at(0),), 1, 5), None),
    "more than one takes of a sitemap": (SITEMAP, 1, 2, "too_many_items", Shown((at(0),), 1, 5), None),
    "the document breaks off": (FEED, 1, 2, "truncated", Shown((at(0),), 1, 0), ("incomplete results", 1, 0)),
    "the page lists less": (PAGE, 1, 2, "layout_changed", None, ("count dropped", 1, 0)),
    "no answer for a day": (FEED, 1, 2, "timeout", None, None),
    "no answer for three days": (FEED, 3, 4, "timeout", None, ("no answer", 3, 0)),
    "it never answered": (FEED, None, None, "timeout", None, None),
    "bad in parts for three days": (FEED, 3, 4, "malformed", Shown((at(0),), 1, 3), None),
}


@pytest.mark.parametrize(("source", "ok", "newest", "error", "shown", "expected"), GAPS.values(), ids=GAPS)
def test_what_a_poll_leaves_open(
    source: Source, ok: int | None, newest: int | None, error: str | None, shown: Shown | None, expected: tuple[str, int, int] | None
) -> None:
    found = complete.gap(
        source, since=at(-3), ok_at=at(-ok) if ok else None, newest_at=at(-newest) if newest else None, error=error, shown=shown, now=at(0)
    )
    assert (found and (found.reason, found.from_at, found.to_at)) == (expected and (expected[0], at(-expected[1]), at(-expected[2])))


def test_a_monthly_source_may_fail_for_longer_than_a_daily_one() -> None:
    def found(within: int, days: int) -> Gap | None:
        facts = {"since": at(-3), "ok_at": at(-days), "newest_at": at(-days), "error": "timeout", "shown": None, "now": at(0)}
        return complete.gap(FEED, **facts, within=within)  # type: ignore[arg-type]

    assert (bool(found(1, 3)), bool(found(30, 3)), bool(found(30, 15))) == (True, False, True)


def test_no_mailing_is_missed_over_a_week_end() -> None:
    friday, monday = "2026-06-12T04:00:00Z", "2026-06-15T04:00:00Z"
    shown = Shown((monday,), 1, 0)
    assert complete.gap(MAILING, since=at(0), ok_at=at(2), newest_at=friday, error=None, shown=shown, now=at(3)) is None


def test_no_mailing_of_the_winter_is_seen_before_it_is_sent() -> None:
    shown = Shown(("2026-12-02T05:00:00Z",) * 100, 100, 0)
    found = complete.gap(
        MAILING, since=at(0), ok_at="2026-12-01T04:30:00Z", newest_at="2026-11-30T05:00:00Z", error=None, shown=shown,
        now="2026-12-02T12:00:00Z",
    )  # fmt: skip
    assert found is not None
    assert found.reason == "window rolled"


CLOSED = {
    # the open gap, source, error, what was shown, read back to (days ago): how it is closed, or not
    "a failure closes nothing": ("no answer", FEED, "timeout", None, 9, None),
    "the next answer overlaps": ("no answer", FEED, None, Shown((at(0),), 1, 1), None, "the next answer overlaps"),
    "the next answer is the last one": ("no answer", FEED, None, None, None, "the next answer was the same as the last one before it"),
    "the next answer is empty": ("no answer", FEED, None, Shown(), None, None),
    "the next answer has moved on": ("no answer", FEED, None, Shown((at(0),), 1), None, "it answers again, with other entries than before"),
    "papers are read on": ("no answer", PAPERS, None, Shown((at(0),), 1), None, "the next answer reads on where the last one stopped"),
    "the count is back": ("count dropped", PAGE, None, Shown((at(0),), 0, 9), None, "it lists again what it listed before"),
    "the answer is complete": ("incomplete results", PAPERS, None, Shown((at(0),), 1), None, "the next answer was complete"),
    "one old entry may be pinned": ("window rolled", FEED, None, Shown((at(0), at(-8)), 0, 2), None, None),
    "it lists the span again": ("window rolled", FEED, None, Shown((at(-8), at(-9)), 0, 2), None, "a later document reaches back over it"),
    "an overlap later says nothing of it": ("window rolled", FEED, None, Shown((at(0), at(-1)), 1, 1), None, None),
    "it was read back": ("window rolled", PAGE, None, Shown((at(0),), 1, 1), 9, "read back to 2026-06-03"),
    "it was read back, not far enough": ("window rolled", PAGE, None, Shown((at(0),), 1, 1), 2, None),
}


@pytest.mark.parametrize(("reason", "source", "error", "shown", "back", "how"), CLOSED.values(), ids=CLOSED)
def test_what_closes_a_gap(reason: str, source: Source, error: str | None, shown: Shown | None, back: int | None, how: str | None) -> None:
    one = Gap(source.id, at(-7), at(-3), reason, at(-3))
    assert complete.closed(one, source, error=error, shown=shown, read_back_to=at(-back) if back else None, now=at(0)) == how


@pytest.mark.parametrize("error", [None, "timeout"])
def test_what_cannot_be_proved_in_a_month_never_will(error: str | None) -> None:
    def how(days: int, source: Source, reason: str = "window rolled") -> str | None:
        one = Gap(source.id, at(-7), at(-3), reason, at(-3))
        shown = Shown((at(days),), 1, 9)
        return complete.closed(one, source, error=error, shown=None if error else shown, read_back_to=None, now=at(days))

    assert how(27, FEED) is None
    assert how(28, FEED) == "cannot be proved any more: in 30 days no document reached back over it"
    assert how(28, SITEMAP) is None, "it is read back"
    assert error is None or how(28, FEED, "no answer") is None


def test_an_answer_that_lists_only_what_is_pinned_does_not_go_on_from_the_last_one() -> None:
    one = Gap("a", at(-7), at(-3), "no answer", at(-3))
    how = complete.closed(one, FEED, error=None, shown=Shown((at(0),) * 9, 9, 1, 1, False), read_back_to=None, now=at(0))
    assert how == "it answers again, with other entries than before"


OLD_DATES, NEW_DATES = tuple(at(-n) for n in range(5, 17)), tuple(at(-n / 10) for n in range(12))
FLOODS = {
    # last good answer (days ago), what was shown: a flood?
    "everything is new, and old by its dates": (1, Shown(OLD_DATES, 12), True),
    "everything is new, and of the days without a poll": (3, Shown(NEW_DATES, 12), False),
    "everything is new and has no date": (1, Shown((None,) * 12, 12), True),
    "everything is new and has no date, after a month": (30, Shown((None,) * 12, 12), False),
    "two of twelve are known": (1, Shown(OLD_DATES, 10, 2), True),
    "four of twelve are known": (1, Shown(OLD_DATES, 8, 4), False),
    "it has nine entries": (1, Shown(OLD_DATES[:9], 9), False),
    "it never answered before": (None, Shown(OLD_DATES, 12), False),
    "others showed them before": (1, Shown(OLD_DATES, 0), False),
    "everything is of today, without an hour": (0, Shown((at(0)[:10] + "T00:00:00Z",) * 12, 12), False),
    "everything is of yesterday, without an hour": (0, Shown((at(-1)[:10] + "T00:00:00Z",) * 12, 12), True),
}


@pytest.mark.parametrize(("ok", "shown", "flood"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is(ok: int | None, shown: Shown, flood: bool) -> None:
    assert complete.flooded(FEED, ok_at=None if ok is None else at(-ok), shown=shown, now=at(0)) is flood


@pytest.mark.parametrize("source", [MAILING, LETTER], ids=["a mailing", "the parts of an issue"])
def test_what_is_all_new_each_time_never_floods(source: Source) -> None:
    assert not complete.flooded(source, ok_at=at(-1), shown=Shown((at(-3),) * 12, 12), now=at(0))


def test_papers_never_flood() -> None:
    assert not complete.flooded(PAPERS, ok_at=at(-1), shown=Shown(OLD_DATES, 12), now=at(0))


def days_every(distance: int, count: int, newest: date = date(2026, 6, 12)) -> list[date]:
    return [newest - timedelta(days=distance * n) for n in range(count)]


QUIET = {
    # its days with news, days of silence: is that an alarm?
    "every day, silent for a week": (days_every(1, 31), 7, False),
    "every day, silent for eight days": (days_every(1, 31), 8, True),
    "every weekday, silent for nine days": ([day for day in days_every(1, 43) if day.weekday() < 5], 9, False),
    "every weekday, silent for ten days": ([day for day in days_every(1, 43) if day.weekday() < 5], 10, True),
    "every five days, silent for fifteen": (days_every(5, 12), 15, False),
    "every five days, silent for sixteen": (days_every(5, 12), 16, True),
    "every month, silent for three months": (days_every(30, 12), 90, False),
    "every month, silent for longer": (days_every(30, 12), 91, True),
    "six days of news are a habit": (days_every(5, 6), 16, True),
    "five are none": (days_every(5, 5), 400, False),
    "nothing yet": ([], 400, False),
    "one long pause is no habit": ([*days_every(2, 20), date(2025, 1, 1)], 15, True),
}


@pytest.mark.parametrize(("days", "silent", "alarm"), QUIET.values(), ids=QUIET)
def test_a_source_is_quiet(days: list[date], silent: int, alarm: bool) -> None:
    today = date(2026, 6, 12) + timedelta(days=silent)
    found = complete.quiet(days, today)
    assert bool(found) is alarm
    assert found is None or found[0] == days[0]


STOPPED = {
    "the original brought something a week ago": ([True] * 10, 7, True),
    "it did six days ago: the mirror may be late": ([True] * 10, 6, False),
    "the original is silent, too": ([True] * 10, None, False),
    "it never showed everything": ([True, True, False] * 4, 30, False),
    "too little to tell": ([True] * 4, 30, False),
}


@pytest.mark.parametrize(("mirrored", "days", "alarm"), STOPPED.values(), ids=STOPPED)
def test_a_mirror_has_stopped_when(mirrored: list[bool], days: int | None, alarm: bool) -> None:
    today = date(2026, 6, 12)
    assert complete.stopped(mirrored, today - timedelta(days=days) if days is not None else None, today) is alarm


@pytest.mark.parametrize(
    ("outcomes", "hint"),
    [
        (["not_a_feed"] * 5, True),
        (["not_a_feed", "layout_changed", "challenge", "not_a_feed", "not_a_feed"], True),
        (["not_a_feed"] * 4, False),
        (["not_a_feed"] * 9 + ["unchanged"], False),
        (["not_a_feed"] * 9 + ["flood"], False),
        (["not_a_feed"] * 6 + ["tls"] * 4, True),
        (["not_a_feed"] * 5 + ["tls"] * 5, False),
        (["connection"] * 9, False),
        ([], False),
    ],
)
def test_a_captive_portal_is_when_everything_is_a_web_page(outcomes: list[str], hint: bool) -> None:
    assert complete.captive(outcomes) is hint


# -- real polls ---------------------------------------------------------------------------------------


def rss(*entries: tuple[str, float]) -> bytes:
    """A feed of (title, days before or after ``NOW``)."""
    listed = "".join(
        f"<item><title>{title}</title><link>https://lab.example/{title}</link><guid>{title}</guid>"
        f"<pubDate>{(NOW + timedelta(days=day)).strftime('%a, %d %b %Y %H:%M:%S GMT')}</pubDate></item>"
        for title, day in entries
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>{listed}</channel></rss>'.encode()


class Desk:
    """Sources on a loopback server, polled day by day."""

    def __init__(self, db: sqlite3.Connection, web: Server, folder: Path) -> None:
        self.db, self.web, self.path, self.now = db, web, folder / "feeds.toml", NOW
        self.tables: list[str] = []

    def add(self, name: str, keys: str = "") -> None:
        self.tables.append(f'[feeds.{name}]\nurl = "{self.web.url(f"/{name}")}"\n{keys}\n')

    @property
    def config(self) -> config.Config:
        self.path.write_text('[tracker]\ncontact = "t@example.org"\n' + "".join(self.tables), encoding="utf-8")
        return config.load(self.path)

    def poll(self, after: timedelta = timedelta()) -> Mapping[str, Polled]:
        self.now += after
        with Fetcher("test@example.org", deadline_s=20) as fetcher:
            return {result.source: result for result in poll.poll(self.db, self.config, fetcher, now=self.now)}

    def gaps(self) -> list[tuple[object, ...]]:
        rows = self.db.execute("SELECT source, reason, from_at, to_at, closed_at IS NULL, how FROM gaps ORDER BY id")
        return [tuple(row) for row in rows]

    def backlog(self) -> dict[str, int]:
        return {row[0]: row[1] for row in self.db.execute("SELECT title, backlog FROM items")}

    def health(self, name: str) -> sqlite3.Row:
        return next(row for row in sources.health(self.db) if row["id"] == name)

    def findings(self) -> list[str]:
        return [f"{finding.what}: {finding.say}" for finding in doctor.check(self.db, self.config, self.now)]


@pytest.fixture
def desk(db: sqlite3.Connection, web: Server, tmp_path: Path) -> Iterator[Desk]:
    yield Desk(db, web, tmp_path)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_list_that_has_moved_on_is_a_gap_and_its_entries_are_news(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1), ("Two", -2)))
    desk.poll()
    desk.web.serves("/a", rss(*[(f"Later-{n}", 3 - n / 10) for n in range(12)]))
    assert desk.poll(after=3 * DAY)["a"].outcome == "new"
    assert desk.gaps() == [("a", "window rolled", at(-1), at(3 - 1.1), 1, None)]
    assert {title: value for title, value in desk.backlog().items() if value == 0} == {f"Later-{n}": 0 for n in range(12)}
    assert any("its list had moved on" in said for said in desk.findings())
    desk.web.serves("/a", rss(("Newest", 3.1), ("Later-0", 3)))  # an overlap fills nothing of what lies before
    desk.poll(after=6 * HOUR)
    assert [row[4] for row in desk.gaps()] == [1]
    desk.web.serves("/a", rss(("Newest", 3.1), ("Between", 0), ("One", -1), ("Two", -2)))
    desk.poll(after=6 * HOUR)
    assert desk.gaps()[0][4:] == (0, "a later document reaches back over it")


def test_the_same_gap_again_makes_the_open_one_longer(desk: Desk) -> None:
    desk.add("a")
    for day in (0, 3, 6):
        desk.web.serves("/a", rss((f"Of-{day}", day - 0.5)))
        desk.poll(after=3 * DAY if day else timedelta())
    assert desk.gaps() == [("a", "window rolled", at(-0.5), at(5.5), 1, None)]


def test_a_pinned_entry_does_not_hide_that_the_list_has_moved_on(desk: Desk) -> None:
    pinned = ("Pinned", -400)
    desk.add("a")
    desk.web.serves("/a", rss(pinned, *[(f"Old-{n}", -1 - n) for n in range(9)]))
    desk.poll()
    desk.web.serves("/a", rss(pinned, *[(f"Later-{n}", 29.9 - n / 10) for n in range(9)]))
    desk.poll(after=30 * DAY)
    assert desk.gaps() == [("a", "window rolled", at(-1), at(29.1), 1, None)]
    desk.web.serves("/a", rss(pinned, ("Newest", 30.9), *[(f"Later-{n}", 29.9 - n / 10) for n in range(2)]))
    desk.poll(after=DAY)  # of the newest known, two are still listed
    assert len(desk.gaps()) == 1


def test_the_last_of_two_entries_is_no_pinned_one(desk: Desk) -> None:
    desk.add("a")
    for day in (0, 3, 6):
        desk.web.serves("/a", rss((f"Of-{day}", day - 0.5), (f"Of-{day - 3}", day - 3.5)))
        desk.poll(after=3 * DAY if day else timedelta())
    assert desk.gaps() == []


def test_days_on_which_the_list_was_seen_are_not_missing(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -60), ("Zero", -70)))
    for _ in range(20):
        desk.poll(after=DAY)
    desk.web.serves("/a", rss(("Three", 20.9), ("Two", 20.8)))
    desk.poll(after=DAY)
    assert desk.gaps() == [("a", "window rolled", at(19), at(20.8), 1, None)]


def test_a_list_that_was_empty_in_between_was_not_seen(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1), ("Zero", -2)))
    desk.poll()
    desk.web.serves("/a", rss())
    for _ in range(9):
        desk.poll(after=DAY)
    desk.web.serves("/a", rss(("Three", 9.9), ("Two", 9.8)))
    desk.poll(after=DAY)
    assert desk.gaps() == [("a", "window rolled", at(0), at(9.8), 1, None)]


def test_gaps_that_lie_apart_are_two_and_each_is_closed_for_itself(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("A", -1), ("AA", -1.1)))
    desk.poll()
    desk.web.serves("/a", rss(("B", 2.5), ("BB", 2.4)))
    desk.poll(after=3 * DAY)
    desk.web.serves("/a", rss(("C", 3.9), ("B", 2.5)))
    desk.poll(after=DAY)
    desk.web.serves("/a", rss(("Z", 23.9), ("ZZ", 23.8)))
    desk.poll(after=20 * DAY)
    assert [row[2:5] for row in desk.gaps()] == [(at(-1), at(2.4), 1), (at(3.9), at(23.8), 1)]
    desk.poll(after=10 * DAY)
    assert [row[4:] for row in desk.gaps()] == [(0, "cannot be proved any more: in 30 days no document reached back over it"), (1, None)]


def test_a_sitemap_longer_than_a_poll_takes_has_no_gap(desk: Desk) -> None:
    desk.tables.append(f'[feeds.s]\nkind = "page"\nurl = "{desk.web.url("/sitemap.xml")}"\nlinks = "/p/"\n')
    desk.web.serves("/robots.txt", b"", status=404)
    pages = "".join(f"<url><loc>{desk.web.url(f'/p/x{n}')}</loc></url>" for n in range(3_001))
    listed = f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{pages}</urlset>'
    desk.web.serves("/sitemap.xml", listed.encode())
    assert desk.poll()["s"].outcome == "too_many_items"
    assert desk.gaps() == []


def test_a_missed_mailing_is_closed_when_all_queries_of_arxiv_have_read_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complete, "MAILINGS", ("127.0.0.1",))
    desk.add("a")
    desk.tables.append('[feeds.p]\nkind = "arxiv"\nquery = "cat:cs.AI"\n')

    def look(day: float) -> None:
        desk.now = NOW + timedelta(days=day)
        with Fetcher("test@example.org", deadline_s=20) as fetcher:
            list(poll.poll(desk.db, desk.config, fetcher, now=desk.now, only=["a"]))

    for day in (0, 4):  # Friday and Tuesday
        desk.web.serves("/a", rss((f"Of-{day}", day - 0.05)))
        look(day)
    assert [row[1:5] for row in desk.gaps()] == [("window rolled", at(-0.05), at(3.95), 1)]
    look(4.5)
    assert desk.gaps()[0][4] == 1, "the query has not been read since"
    with store.transaction(desk.db):
        desk.db.execute("UPDATE sources SET added_at = ?, last_ok_at = ? WHERE id = 'p'", (at(-9), at(4.6)))
    look(5)
    assert desk.gaps()[0][4:] == (0, "the queries of arXiv have read on past it")


def test_all_queries_of_arxiv_have_read_on_when(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1)))
    desk.poll()
    missed = Gap("a", at(1), at(2), "window rolled", at(2))
    state = "UPDATE sources SET fails = ?, last_ok_at = ? WHERE id = ?"
    with store.transaction(desk.db):
        assert not gaps.papers_read(desk.db, missed), "there is no query"
        papers = [Source(name, "arxiv", "https://export.arxiv.org/api/query?search_query=x", name) for name in ("p", "q")]
        sources.sync(desk.db, [FEED, *papers], at(0))
        sources.sync(desk.db, [FEED, *papers, Source("r", "arxiv", papers[0].url, "R")], at(1.5))  # did not read what was before it
        desk.db.executemany(state, [(0, at(3), "p"), (0, at(1), "q"), (9, at(2.5), "r")])
        assert not gaps.papers_read(desk.db, missed), "one has not read on"
        desk.db.execute(state, (1, at(3), "q"))
        assert not gaps.papers_read(desk.db, missed), "one fails"
        desk.db.execute(state, (0, at(3), "q"))
        assert gaps.papers_read(desk.db, missed)
        gaps.note(desk.db, Gap("q", at(0), at(1.5), "incomplete results", at(1.5)))
        assert not gaps.papers_read(desk.db, missed), "one has a gap there, too"


def test_another_source_that_showed_it_before_does_not_prove_this_one_complete(desk: Desk) -> None:
    desk.add("a")
    desk.add("b")
    desk.web.serves("/a", rss(("One", -1)))
    desk.web.serves("/b", rss(("One", -1)))
    desk.poll()
    desk.web.serves("/b", rss(("Two", 2), ("Three", 1.9), ("One", -1)))
    desk.poll(after=2 * DAY)
    desk.web.serves("/a", rss(("Two", 2), ("Three", 1.9)))
    assert desk.poll(after=6 * HOUR)["a"].new == 0
    assert [row[:2] for row in desk.gaps()] == [("a", "window rolled")]


def test_a_source_that_fails_for_days_is_a_gap_until_its_next_answer_overlaps(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1)))
    desk.poll()
    desk.web.serves("/a", b"", status=500)
    desk.poll(after=DAY)
    assert desk.gaps() == []
    desk.poll(after=2 * DAY)
    assert desk.gaps() == [("a", "no answer", at(0), at(3), 1, None)]
    desk.poll(after=DAY)
    assert desk.gaps() == [("a", "no answer", at(0), at(4), 1, None)]
    desk.web.serves("/a", rss(("Two", 3), ("One", -1)))
    desk.poll(after=DAY)
    assert desk.gaps() == [("a", "no answer", at(0), at(4), 0, "the next answer overlaps")]


def test_a_source_that_comes_back_with_another_list_turns_into_one_that_moved_on(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1)))
    desk.poll()
    desk.web.serves("/a", b"", status=500)
    desk.poll(after=3 * DAY)
    desk.web.serves("/a", rss(("Two", 3)))
    desk.poll(after=DAY)
    assert desk.gaps() == [
        ("a", "no answer", at(0), at(3), 0, "it answers again, with other entries than before"),
        ("a", "window rolled", at(-1), at(3), 1, None),
    ]


def test_a_cut_document_is_a_gap_until_a_whole_one_comes(desk: Desk) -> None:
    desk.add("a")
    whole = rss(("One", -1), ("Two", -2), ("Three", -3))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
    desk.web.sends("/a", head + whole[: whole.index(b"<title>Three")])
    assert desk.poll()["a"].outcome == "truncated"
    assert desk.gaps() == [("a", "incomplete results", at(-3), at(0), 1, None)]
    desk.web.serves("/a", whole)
    desk.poll(after=DAY)
    assert desk.gaps()[0][4:] == (0, "the next answer was complete")


def test_a_page_that_lists_much_less_is_a_gap_until_the_count_is_back(desk: Desk) -> None:
    def page(count: int) -> bytes:
        cards = "".join(f'<article><a href="/posts/{n}"><h2>A post with the number {n}</h2></a></article>' for n in range(count))
        return f"<!doctype html><html><body>{cards}</body></html>".encode()

    desk.add("g", 'kind = "page"\nlinks = "/posts/"')
    desk.web.serves("/g", page(20))
    desk.poll()
    desk.web.serves("/g", page(5))
    assert desk.poll(after=DAY)["g"].outcome == "layout_changed"
    assert desk.gaps() == [("g", "count dropped", at(0), at(1), 1, None)]
    desk.web.serves("/g", page(21))
    desk.poll(after=DAY)
    assert desk.gaps()[0][4:] == (0, "it lists again what it listed before")


def test_a_known_feed_full_of_old_entries_under_new_addresses_is_a_flood_and_backlog(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(*[(f"Old-{n}", -n - 1) for n in range(12)]))
    desk.poll()
    desk.web.serves("/a", rss(*[(f"Other-{n}", -n - 1.5) for n in range(12)]))
    result = desk.poll(after=DAY)["a"]
    assert (result.outcome, result.new, result.error) == ("flood", 12, None)
    assert set(desk.backlog().values()) == {1}
    days = {row[0] // 1_000_000 for row in desk.db.execute("SELECT id FROM items WHERE title LIKE 'Other%'")}
    assert len(days) > 5, "they stand under their own days, not under today"
    assert desk.gaps() == []
    assert any("12 of 12 entries were new, and old by their dates" in said for said in desk.findings())
    desk.web.serves("/a", rss(("Newer", 1.2), *[(f"Other-{n}", -n - 1.5) for n in range(12)]))
    assert desk.poll(after=DAY)["a"].outcome == "new"
    assert desk.backlog()["Newer"] == 0


def test_news_that_are_dated_without_an_hour_are_no_flood(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(*[(f"Old-{n}", -1.25) for n in range(12)]))
    desk.poll()
    desk.web.serves("/a", rss(*[(f"New-{n}", -0.25) for n in range(12)]))  # of today, 00:00; published after the poll at 06:00
    assert desk.poll(after=DAY / 2)["a"].outcome == "new"
    assert {title for title, value in desk.backlog().items() if value == 0} == {f"New-{n}" for n in range(12)}


def test_a_flood_after_days_without_an_answer_proves_nothing_of_them(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(*[(f"Old-{n}", -n - 1) for n in range(12)]))
    desk.poll()
    desk.web.serves("/a", b"", status=404)
    desk.poll(after=5 * DAY)
    desk.web.serves("/a", rss(*[(f"Other-{n}", -n - 1) for n in range(12)]))
    assert desk.poll(after=2 * DAY)["a"].outcome == "flood"
    assert desk.gaps() == [("a", "no answer", at(0), at(5), 1, None)]


def test_an_empty_feed_is_told_as_long_as_it_is_empty(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1)))
    desk.poll()
    desk.web.serves("/a", rss())
    desk.poll(after=DAY)
    desk.poll(after=DAY)
    desk.poll(after=60 * DAY)
    desk.web.serves("/a", b"", status=404)
    desk.poll(after=DAY)
    assert [said[:25] for said in desk.findings() if "without entries" in said] == ["a: answered on 2026-06-13"]
    desk.web.serves("/a", rss())
    desk.poll(after=30 * DAY)
    assert desk.health("a")["health"] == "quiet"
    desk.web.serves("/a", rss(("Two", 90), ("One", -1)))
    desk.poll(after=DAY)
    assert not any("without entries" in said for said in desk.findings())
    assert desk.health("a")["health"] == "ok"


def test_f67_an_empty_feed_that_used_to_have_entries_is_a_warning_and_no_failure(desk: Desk) -> None:
    desk.add("a")
    desk.add("b")
    desk.web.serves("/a", rss(("One", -1)))
    desk.web.serves("/b", rss())
    assert desk.poll()["b"].outcome == "nothing new"
    desk.web.serves("/a", rss())
    result = desk.poll(after=DAY)["a"]
    assert (result.outcome, result.ok) == ("empty", True)
    desk.poll(after=DAY)  # the same empty document again: unchanged
    assert [said[:25] for said in desk.findings() if "without entries" in said] == ["a: answered on 2026-06-13"]
    assert not any(said.startswith("b: ") for said in desk.findings())
    desk.web.serves("/a", rss(("Two", 2), ("One", -1)))
    desk.poll(after=DAY)
    assert not any("without entries" in said for said in desk.findings())


def test_a_source_that_falls_silent_is_told_everywhere_and_recovers(desk: Desk) -> None:
    desk.add("a")
    past = [(f"Post-{n}", -5 * n) for n in range(12)]
    desk.web.serves("/a", rss(*past))
    desk.poll()
    desk.poll(after=15 * DAY)
    assert desk.health("a")["health"] == "ok"
    desk.poll(after=DAY)
    row = desk.health("a")
    assert (row["health"], row["quiet_since"], row["habit_days"]) == ("quiet", "2026-06-12", 5)
    said = "has been silent for 16 days; it used to bring something at least every 5 days"
    assert any(said in finding for finding in desk.findings())
    facts = browse.status(desk.db)
    assert ([row["source"] for row in facts["quiet"]], facts["answering"]) == (["a"], 1)  # type: ignore[attr-defined]
    assert [row["quiet_since"] for row in digests.health(desk.db, at(0), at(16)).quiet] == ["2026-06-12"]
    desk.web.serves("/a", rss(("Again", 16.5), *past))
    desk.poll(after=DAY)
    assert (desk.health("a")["health"], desk.health("a")["quiet_since"]) == ("ok", None)


def test_a_mirror_whose_original_goes_on_without_it_has_stopped(desk: Desk) -> None:
    desk.add("original", 'lab = "openai"')
    desk.add("copy", 'lab = "openai"\nrole = "mirror"')
    past = [(f"Post-{n}", -40 * n) for n in range(8)]  # so slow that its habit says nothing yet
    desk.web.serves("/original", rss(*past))
    desk.web.serves("/copy", rss(*past))
    desk.poll()
    desk.web.serves("/original", rss(("More", 1), *past))
    desk.poll(after=2 * DAY)
    desk.poll(after=6 * DAY)
    assert desk.health("copy")["health"] == "ok"
    desk.poll(after=DAY)
    assert (desk.health("copy")["health"], desk.health("original")["health"]) == ("quiet", "ok")
    assert any("copy has been silent for 9 days; what it mirrors goes on" in said for said in desk.findings())


def test_a_mirror_is_measured_by_another_mirror_too_and_the_one_that_goes_on_by_none(desk: Desk) -> None:
    past = [(f"Post-{n}", -40 * n) for n in range(8)]
    for name in ("one", "other"):
        desk.add(name, 'lab = "openai"\nrole = "mirror"')
        desk.web.serves(f"/{name}", rss(*past))
    desk.poll()
    desk.web.serves("/other", rss(("More", 1), *past))
    desk.poll(after=2 * DAY)
    desk.poll(after=7 * DAY)
    assert (desk.health("one")["health"], desk.health("other")["health"]) == ("quiet", "ok")


def test_f25_a_login_page_in_place_of_every_source_is_one_hint(desk: Desk) -> None:
    for name in "abcde":
        desk.add(name)
        desk.web.serves(f"/{name}", rss((f"Of-{name}", -1)))
    desk.poll()
    assert browse.status(desk.db)["captive"] is False
    for name in "abcde":
        desk.web.serves(f"/{name}", b"<!doctype html><html><title>Welcome</title><body>Please log in</body></html>")
    desk.poll(after=DAY)
    assert browse.status(desk.db)["captive"] is True
    assert [said for said in desk.findings() if said.startswith("network: ")] == [f"network: {complete.CAPTIVE}"]
    assert digests.health(desk.db, at(0.5), at(1)).last_failed, "so no digest is written"


def test_the_ledger_joins_what_touches(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1)))
    desk.poll()
    with store.transaction(desk.db):
        for start, end in ((-9, -8), (-12, -9), (-8, -7), (-6, -5)):
            gaps.note(desk.db, Gap("a", at(start), at(end), "no answer", at(0)))
        gaps.note(desk.db, Gap("a", at(-3), at(-2), "count dropped", at(0)))
    assert [(gap.reason, gap.from_at, gap.to_at) for gap in gaps.open_of(desk.db, "a")] == [
        ("no answer", at(-12), at(-7)),
        ("no answer", at(-6), at(-5)),
        ("count dropped", at(-3), at(-2)),
    ]


# -- what a digest says of it ----------------------------------------------------------------------------

PERIOD = (at(-1), at(0))


def text_of(**health: object) -> str:
    facts = digests.Health(9, 9, **health)  # type: ignore[arg-type]
    written = compose(Matter(DigestPlan("daily", ("you@example.org",)), PERIOD, health=facts))
    return " ".join(written.text.split())


def open_gap(title: str, reason: str = "window rolled") -> dict[str, str]:
    return {"source": "a", "title": title, "reason": reason, "from_at": at(-3), "to_at": at(-1), "found_at": at(-1)}


def test_a_quiet_digest_with_a_gap_does_not_say_that_nothing_happened() -> None:
    said = text_of(gaps=(open_gap("The Press"),))
    assert "Nothing new on your topics in what could be seen." in said
    assert "1 gap: The Press: its list had moved on when it was read; what it showed from 9 June to 11 June may be missing." in said
    assert "in what could be seen" not in text_of()


def test_the_foot_names_three_gaps_and_three_silent_sources_and_counts_the_others() -> None:
    quiet = tuple(
        {"source": f"q{n}", "title": f"Quiet {n}", "quiet_since": at(-20 - n)[:10], "quiet_at": at(-0.5), "habit_days": 2} for n in range(5)
    )
    said = text_of(gaps=tuple(open_gap(f"Press {n}", "no answer") for n in range(4)), quiet=quiet)
    assert "4 gaps: Press 0 has not answered since 9 June; Press 1 " in said
    assert "Press 2 has not answered since 9 June; and 1 more." in said
    assert "Silent: Quiet 0 has been silent for 20 days; it used to bring something at least every 2 days; Quiet 1 " in said
    assert "every 2 days; and 2 more sources, named by `tracker status`." in said
    assert "Quiet 3" not in said


def test_a_digest_tells_the_gaps_that_reach_into_its_period_and_no_closed_ones(desk: Desk) -> None:
    desk.add("a")
    desk.add("b")
    for name in "ab":
        desk.web.serves(f"/{name}", rss((f"Of-{name}", -1)))
    desk.poll()
    with store.transaction(desk.db):
        gaps.note(desk.db, Gap("a", at(-9), at(-8), "window rolled", at(-8)))
        gaps.note(desk.db, Gap("a", at(-0.9), at(-0.5), "count dropped", at(-0.5)))
        gaps.note(desk.db, Gap("b", at(-0.9), at(-0.5), "no answer", at(-0.5)))
        gaps.close(desk.db, gaps.open_of(desk.db, "b")[0], at(0), "the next answer overlaps")
    assert [(gap["source"], gap["reason"]) for gap in digests.health(desk.db, *PERIOD).gaps] == [("a", "count dropped")]


def test_another_address_of_a_source_leaves_no_gap_to_the_list_of_the_old_one(desk: Desk) -> None:
    desk.add("a")
    desk.web.serves("/a", rss(("One", -1), ("Two", -2)))
    desk.poll()
    desk.tables = [table.replace('/a"', '/b"') for table in desk.tables]
    desk.web.serves("/b", b"", status=404)
    assert desk.poll(after=DAY)["a"].error
    desk.web.serves("/b", rss(*[(f"Other-{n}", 1.5 - n / 100) for n in range(5)]))
    assert desk.poll(after=DAY)["a"].outcome == "new"
    assert desk.gaps() == []
    desk.web.serves("/b", rss(*[(f"Later-{n}", 5 - n / 100) for n in range(5)]))
    desk.poll(after=4 * DAY)
    assert [gap[1] for gap in desk.gaps()] == ["window rolled"], "its own list is compared again"
