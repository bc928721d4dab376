"""Query plans: no query that a stage runs reads a table that grows with the archive from end to end.

The real functions run on a small database; what SQLite is asked is taken from its own trace, so no SQL is copied here.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import NOW
from tracker import config, group, poll, store, tag, watch
from tracker.clock import parse as instant
from tracker.pollers import page_of
from tracker.store import browse, digests, gaps, items, runs, sources, stories, tags, watches
from tracker.taggers.labs import LabTagger
from tracker.taggers.topics import TopicTagger
from tracker.types import Entry, Gap, Page, Polled, Request, Response, Source, Watch

BLOG = Source("blog", "feed", "https://lab.example/feed", "Lab", lab="openai", origin="official")
PRESS = Source("press", "feed", "https://press.example/feed", "Press")
# One row an item, or more. (sources, topics, labs and runs have some hundred rows for ever.)
GROWING = (
    "items texts item_keys sightings links revisions pending item_topics item_labs polls stories story_items watch_events near_misses rungs"
)
SCAN = re.compile(rf"SCAN ({'|'.join(GROWING.split())})\b")


AT = instant(NOW)


@pytest.fixture
def loaded(tmp_path: Path) -> config.Config:
    path = tmp_path / "feeds.toml"
    path.write_text('[feeds.blog]\nurl = "https://lab.example/feed"\n')
    return config.load(path)


@pytest.fixture
def filled(db: sqlite3.Connection, loaded: config.Config) -> sqlite3.Connection:
    with store.transaction(db):
        sources.sync(db, [BLOG, PRESS], NOW)
        sources.sync_registry(db, loaded.topics, loaded.labs, NOW)
        items.save(db, BLOG, [_entry(n) for n in range(40)], now=NOW, first=True, old_before=None)
    return db


def _entry(n: int, **facts: object) -> Entry:
    said = {"title": f"Post {n}", "url": f"https://lab.example/{n}", "guid": f"g{n}", "published_at": NOW} | facts
    return Entry(**said)  # type: ignore[arg-type]


def plans(db: sqlite3.Connection, act: Callable[[], object]) -> Iterator[tuple[str, str]]:
    """Run ``act``; yield each statement it ran with the plan SQLite makes for it."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    try:
        act()
    finally:
        db.set_trace_callback(None)
    for sql in dict.fromkeys(asked):
        if sql.lstrip()[:6].upper() in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            details = [row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
            yield " ".join(sql.split()), "\n".join(details)


def scans(db: sqlite3.Connection, act: Callable[[], object]) -> list[str]:
    found = list(plans(db, act))
    assert found, "no statement was seen"
    return [f"{plan}\n  of: {sql}" for sql, plan in found if SCAN.search(plan)]


# -- what a run does --------------------------------------------------------------------------------------


def _save(db: sqlite3.Connection, source: Source, *entries: Entry, first: bool = False) -> None:
    with store.transaction(db):
        items.save(db, source, entries, now=NOW, first=first, old_before="2026-05-29T00:00:00Z")


def _tag(db: sqlite3.Connection, loaded: config.Config, *, again: bool = False) -> None:
    """The real stage, with rules alone: no model is loaded."""
    taggers = tag.Taggers(TopicTagger(loaded.topics, None), LabTagger(loaded.labs), "r")
    list(tag.tag(db, loaded, now=AT, again_since=AT if again else None, taggers=taggers))


def _tag_twice(db: sqlite3.Connection, loaded: config.Config) -> None:
    _tag(db, loaded)
    _tag(db, loaded, again=True)


ASKED = Watch("asked", "Has a lab said that?", by=("any",), topics=("online-learning",), phrases=("learn* on the job", "(agents|bots)"))
# No word of it can be asked of the index: the texts are read in order, from where the look back stands.
WORDLESS = replace(ASKED, phrases=("été",))


def _grouped(db: sqlite3.Connection, loaded: config.Config) -> None:
    """A paper and a post that link to each other and share a title, in either order, in stories and past the watches."""
    links = ("url:https://lab.example/job",)
    paper = Entry(
        "Agents that learn on the job", "https://arxiv.org/abs/2606.01234", published_at=NOW, own_key="arxiv:2606.01234", links=links
    )
    post = _entry(0, title=paper.title, url="https://lab.example/job", guid="job", links=("arxiv:2606.01234",))
    _save(db, BLOG, paper, post)
    _tag(db, loaded)
    list(group.group(db, now=AT))
    list(watch.watch(db, replace(loaded, watches=(ASKED,)), now=AT))


def _candidates(db: sqlite3.Connection) -> None:
    everything = list(items.select_items(db, "items.title = 'Agents that learn on the job'", {"limit": 9}))
    assert [len(stories.linked(db, item.id, NOW[:10])) for item in everything] == [1, 1]
    assert len(stories.known(db, [item.id for item in everything])) == 2
    assert stories.members(db, [1])
    stories.wishes(db)


def _watched(db: sqlite3.Connection) -> None:
    assert watches.archive(db, [ASKED], 0, 500)
    watches.waiting(db, 500)
    watches.facts(db, [20260612000001])
    with store.transaction(db):
        watches.save(db, ["asked"], [(20260612000001, [])], NOW, quiet=False)
        watches.done(db, [20260612000001])
        stories.retell(db, [20260612000001])


def _poll_rows(db: sqlite3.Connection) -> None:
    page = page_of(Response(BLOG.url, 200, {"etag": '"1"'}, b"x"), None, "h")
    with store.transaction(db):
        run = runs.start(db, NOW, "1")
        sources.vouch(db, "blog", page)
        sources.record(db, Polled("blog", "new", 1.0, new=1), run=run, now=NOW, status=200, next_poll_at=NOW)
        sources.record(db, Polled("blog", "timeout", 1.0, error="timeout"), run=run, now=NOW, status=None, next_poll_at=NOW)
        runs.finish(db, run, NOW, {})
        runs.prune(db, "2026-03-01T00:00:00Z")


def _completeness(db: sqlite3.Connection) -> None:
    gap = Gap("blog", "2026-06-01T00:00:00Z", NOW, "no answer", NOW)
    with store.transaction(db):
        for _ in range(2):
            gaps.note(db, gap)
        gaps.close(db, gaps.open_of(db, "blog")[0], NOW, "the next answer overlaps")
        gaps.still(db, "blog", AT.date(), 5, NOW)
        gaps.still(db, "blog", None, None, NOW)
    assert gaps.newest(db, "blog", "2026-06-13T00:00:00Z") == NOW
    assert gaps.newest_day(db, "blog") == AT.date()
    assert gaps.days(db, "blog", 31) == [AT.date()]
    gaps.beside(db, "blog")
    browse.never(db, NOW)


STEPS: dict[str, Callable[[sqlite3.Connection, config.Config], object]] = {
    "an unchanged page": lambda db, _: _save(db, BLOG, *[_entry(n) for n in range(40)]),
    "new items": lambda db, _: _save(db, BLOG, _entry(100), _entry(101, guid=None), _entry(102, url=None)),
    "new items of the backlog": lambda db, _: _save(db, BLOG, _entry(103, published_at="2026-03-01T00:00:00Z"), first=True),
    "an edited item": lambda db, _: _save(db, BLOG, _entry(1, title="Edited", text="words")),
    "an item known by its guid": lambda db, _: _save(db, BLOG, _entry(2, url="https://lab.example/moved")),
    "an item known by its title": lambda db, _: _save(db, BLOG, _entry(3, url="https://lab.example/new", guid="new")),
    "an item of another source": lambda db, _: _save(db, PRESS, _entry(4, guid="p")),
    "the queue of a stage": lambda db, _: items.pending(db, "tag", 500, 20260612000010),
    "tagging": _tag,
    "tagging again": _tag_twice,
    "tagging again since a day": lambda db, _: tags.again(db, "2026-06-01T00:00:00Z", NOW),
    "grouping and watching": _grouped,
    "the rows of a poll and a run": lambda db, _: _poll_rows(db),
    "the gaps and the silence of a source": lambda db, _: _completeness(db),
    "what is told of gaps and silence": lambda db, _: (gaps.listed(db), gaps.quiet(db), runs.last_outcomes(db), sources.unusual(db, NOW)),
    "the state of the sources": lambda db, _: (sources.states(db), runs.last(db)),
    "syncing the sources": lambda db, _: sources.sync(db, [BLOG], NOW),
    "who holds the lock": lambda db, _: runs.last(db),
}


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_no_scan_in(
    filled: sqlite3.Connection, loaded: config.Config, step: Callable[[sqlite3.Connection, config.Config], object], analysed: bool
) -> None:
    if analysed:
        filled.execute("ANALYZE")
    assert scans(filled, lambda: step(filled, loaded)) == []


GROUPED_STEPS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "the queue of the stories": stories.waiting,
    "what an item may belong with": _candidates,
    "a look back and the queue of the watches": _watched,
    "the rungs of items and what is denied in stories": lambda db: (watches.rungs(db, [20260612000001]), digests.denials(db, [1])),
    "the board of stories": lambda db: db.execute("SELECT * FROM story_board ORDER BY story DESC LIMIT 100").fetchall(),
}


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("step", GROUPED_STEPS.values(), ids=GROUPED_STEPS)
def test_no_scan_once_grouped_in(
    filled: sqlite3.Connection, loaded: config.Config, step: Callable[[sqlite3.Connection], object], analysed: bool
) -> None:
    _grouped(filled, loaded)
    if analysed:
        filled.execute("ANALYZE")
    # _candidates picks its items by title, as no stage does.
    assert [plan for plan in scans(filled, lambda: step(filled)) if "items.title = 'Agents" not in plan] == []


def test_a_look_back_without_words_goes_on_from_where_it_stands(filled: sqlite3.Connection, loaded: config.Config) -> None:
    _grouped(filled, loaded)
    assert scans(filled, lambda: watches.archive(filled, [WORDLESS], 20260612000030, 5)) == []
    assert [facts.item % 1000 for facts in watches.archive(filled, [WORDLESS], 20260612000030, 5)] == [31, 32, 33, 34, 35]


def test_the_board_reads_the_events_and_nothing_else_that_grows(filled: sqlite3.Connection, loaded: config.Config) -> None:
    _grouped(filled, loaded)
    board = scans(filled, lambda: watch.board(filled, replace(loaded, watches=(ASKED,)), AT))
    assert all("SCAN watch_events" in plan for plan in board)


class _OnePage:
    def poll(self, *_: object) -> Iterator[Page]:
        yield Page((_entry(1), _entry(200)), body_hash="h")


class _NoNetwork:
    def get(self, request: Request) -> Response:
        raise AssertionError("nothing is to be fetched")


def test_no_scan_in_a_whole_poll(filled: sqlite3.Connection, loaded: config.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "poller", lambda kind: _OnePage())
    assert scans(filled, lambda: list(poll.poll(filled, loaded, _NoNetwork(), now=AT))) == []


# -- what people ask -------------------------------------------------------------------------------------

FILTERS: dict[str, dict[str, str]] = {
    "a topic": {"topic": "online-learning"},
    "a lab": {"by": "openai"},
    "about a lab": {"about": "openai"},
    "a day": {"since": "2026-06-12"},
    "topic and lab": {"topic": "online-learning", "by": "openai"},
    "everything": {"topic": "online-learning", "by": "openai", "about": "google", "since": "2026-06-01"},
}
NONE = dict.fromkeys(("topic", "by", "about", "since"))


@pytest.mark.parametrize("given", FILTERS.values(), ids=FILTERS)
def test_no_scan_in_a_list_by(filled: sqlite3.Connection, given: dict[str, str]) -> None:
    assert scans(filled, lambda: list(browse.items(filled, **(NONE | given), limit=50))) == []


def test_the_newest_of_all_are_read_from_the_end_without_sorting(filled: sqlite3.Connection) -> None:
    ((_, plan),) = plans(filled, lambda: list(browse.items(filled, **NONE, limit=50)))
    assert "SCAN items" in plan  # backwards by id: it stops after 50 rows
    assert "TEMP B-TREE" not in plan


def test_a_list_gives_what_fulfils_every_condition_newest_first(filled: sqlite3.Connection) -> None:
    mine = [20260612000003, 20260612000005, 20260612000007]
    with store.transaction(filled):
        filled.executemany("INSERT INTO item_topics VALUES (?, 'online-learning', 0.9, 'maybe', '[]', 'm')", [(one,) for one in mine])
        filled.execute("INSERT INTO item_topics VALUES (20260612000009, 'online-learning', 0.9, 'no', '[]', 'm')")
        filled.executemany(
            "INSERT INTO item_labs VALUES (?, 'google-deepmind', 'by', 'source', 'declared', 'x', 'r', 'source')", [(mine[0],), (mine[2],)]
        )

    def ids(**given: str) -> list[int]:
        return [item.id for item in browse.items(filled, **(NONE | given), limit=2)]

    assert ids(topic="online-learning") == mine[:0:-1]
    assert ids(topic="online-learning", by="google-deepmind") == [mine[2], mine[0]]
    assert ids(by="google") == [mine[2], mine[0]]  # a lab includes its children
    assert ids(about="google") == ids(topic="no-such-topic") == []
    assert ids(topic="online-learning", since="2026-06-13") == []


def test_a_scan_would_be_seen(filled: sqlite3.Connection) -> None:
    assert scans(filled, lambda: filled.execute("SELECT title FROM items WHERE title LIKE '%x%'").fetchall())
    assert scans(filled, lambda: filled.execute("SELECT count(*) FROM item_topics WHERE score > 0.5").fetchall())
