"""Doctor: one finding for each thing that is wrong, each a sentence with a way out; nothing when all is well."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from tracker import config, doctor, show, store
from tracker.clock import iso
from tracker.doctor import ADVICE, Finding
from tracker.errors import NAMES
from tracker.store import gaps, items, runs, sources
from tracker.taggers import linear, stored_model
from tracker.taggers.features import FeatureSpace
from tracker.types import Entry, Gap, Polled, Source

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
Check = Callable[..., list[Finding]]
BLOG = Source("blog", "feed", "https://lab.example/feed", "Lab")


@pytest.fixture
def settings(tmp_path: Path) -> config.Config:
    path = tmp_path / "feeds.toml"
    path.write_text('[tracker]\ncontact = "you@example.org"\n[feeds.blog]\nurl = "https://lab.example/feed"\n')
    return config.load(path)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest model: one topic, one word, one piece of a word."""
    folder = tmp_path_factory.mktemp("model")
    none, one = np.zeros((0, 2)), np.ones(1)
    space = FeatureSpace(("agent",), none, ("age",), np.ones(2), none, none[:, 0], none, none[:, 0])
    head = linear.Head(np.zeros(1, np.int64), one, one, {"t": 0.3}, {"t": 0.7})
    stored_model.save(linear.LinearModel("m", ("t",), space, np.ones((2, 1)), one, {"paper": head, "news": head}), folder)
    return folder


@pytest.fixture
def healthy(db: sqlite3.Connection) -> sqlite3.Connection:
    """A tracker that has just run, whose one source answered."""
    with store.transaction(db):
        run = runs.start(db, iso(NOW - timedelta(hours=1)), "1")
        sources.sync(db, [BLOG], iso(NOW))
        _polled(db)
        runs.finish(db, run, iso(NOW), {})
    return db


def _polled(db: sqlite3.Connection, error: str | None = None, moved_to: str | None = None) -> None:
    polled = Polled("blog", error.partition(":")[0] if error else "nothing new", 0.1, error=error)
    sources.record(db, polled, run=None, now=iso(NOW), status=200, next_poll_at=iso(NOW), moved_to=moved_to)


def _fails(db: sqlite3.Connection, error: str, times: int = 1) -> None:
    for _ in range(times):
        _polled(db, error)


def _waits(db: sqlite3.Connection) -> None:
    items.save(db, BLOG, [Entry("A", "https://lab.example/a", "a")], now=iso(NOW), first=False, old_before=None)


def _last_run(db: sqlite3.Connection, **facts: str | None) -> None:
    for name, value in facts.items():
        db.execute(f"UPDATE runs SET {name} = ?", (value,))


def _orphan(db: sqlite3.Connection) -> None:
    db.execute("UPDATE sources SET id = 'other'")  # the polls still point to "blog"


@pytest.fixture
def check(settings: config.Config, model: Path) -> Check:
    """The findings on a database, with or without changes of the configuration and the model."""

    def look(db: sqlite3.Connection, folder: Path = model, **changes: object) -> list[Finding]:
        return doctor.check(db, replace(settings, **changes), NOW, folder)  # type: ignore[arg-type]

    return look


def damage(db: sqlite3.Connection, act: Callable[[sqlite3.Connection], object]) -> None:
    db.execute("PRAGMA foreign_keys = OFF")
    with store.transaction(db):
        act(db)
    db.execute("PRAGMA foreign_keys = ON")


def test_all_is_well(healthy: sqlite3.Connection, check: Check) -> None:
    assert check(healthy) == []


WRONG: dict[str, tuple[Callable[[sqlite3.Connection], object], str, str, str]] = {
    # what was done: (how, level, what, the sentence)
    "no run yet": (lambda db: db.execute("DELETE FROM runs"), "warning", "runs", "there was no run yet; start `tracker run`"),
    "no run for three days": (
        lambda db: _last_run(db, started_at=iso(NOW - timedelta(days=3))),
        "error",
        "runs",
        "the last run was 3 days ago; check the cron line",
    ),
    "a run that was killed": (
        lambda db: _last_run(db, finished_at=None),
        "warning",
        "runs",
        "the run of 2026-06-12T05:00:00Z is at work or was killed; the next run goes on where it stopped",
    ),
    "a source that failed once": (
        lambda db: _fails(db, "http_404: HTTP 404"),
        "warning",
        "blog",
        "failed once, last good answer just now: http_404: HTTP 404. look for the feed's new address and change its url in feeds.toml",
    ),
    "a source that failed for long": (
        lambda db: _fails(db, "dns: no such host", 3),
        "error",
        "blog",
        "failed 3 times in a row, last good answer just now: dns: no such host. check the network and the host's name in feeds.toml",
    ),
    "a source that fails in a rare way": (
        lambda db: _fails(db, "http_418: HTTP 418"),
        "warning",
        "blog",
        "failed once, last good answer just now: http_418: HTTP 418. `tracker feeds check blog` shows what it answers",
    ),
    "a source that has moved": (
        lambda db: _polled(db, moved_to="https://new.example/feed"),
        "warning",
        "blog",
        "has moved for good; change its url in feeds.toml to https://new.example/feed",
    ),
    "items that wait": (_waits, "warning", "tag", "1 items wait for it; `tracker tag` does them now"),
    "rows that lead nowhere": (_orphan, "error", "database", "1 rows point to rows that are not there; put a backup in its place"),
}


@pytest.mark.parametrize(("act", "level", "what", "say"), WRONG.values(), ids=WRONG)
def test_is_found(
    healthy: sqlite3.Connection, check: Check, act: Callable[[sqlite3.Connection], object], level: str, what: str, say: str
) -> None:
    damage(healthy, act)
    assert check(healthy) == [Finding(level, what, say)]


def test_a_source_that_never_answered_says_never(healthy: sqlite3.Connection, check: Check) -> None:
    healthy.execute("UPDATE sources SET last_ok_at = NULL")
    damage(healthy, lambda db: _fails(db, "timeout: 30 s"))
    assert "last good answer never" in check(healthy)[0].say


def test_a_source_that_recovered_or_was_removed_is_no_finding(healthy: sqlite3.Connection, check: Check) -> None:
    damage(healthy, lambda db: _fails(db, "timeout: 30 s", 5))
    with store.transaction(healthy):
        _polled(healthy)
    assert check(healthy) == []
    damage(healthy, lambda db: _fails(db, "timeout: 30 s", 5))
    with store.transaction(healthy):
        sources.sync(healthy, [], iso(NOW))
    assert check(healthy) == []


def _many(db: sqlite3.Connection, count: int, error: str | None = "connection: refused", kind: str = "feed") -> None:
    """So many sources, asked once; with None all is well."""
    more = [Source(f"s{n}", kind, f"https://s{n}.example/feed", f"S{n}") for n in range(count)]
    sources.sync(db, [BLOG, *more], iso(NOW))
    for one in more:
        polled = Polled(one.id, "connection" if error else "nothing new", 0.1, error=error)
        sources.record(db, polled, run=None, now=iso(NOW), status=200, next_poll_at=iso(NOW))


def test_more_than_three_sources_that_fail_for_one_cause_are_one_line_and_still_all_in_json(
    healthy: sqlite3.Connection, check: Check
) -> None:
    damage(healthy, lambda db: _many(db, 4))
    found = check(healthy)
    assert [finding.what for finding in found] == ["s0", "s1", "s2", "s3"]
    assert list(show.findings(found)) == [
        "! 4 sources: connection. others answer: its server is down, or refuses this machine; look at its site in a browser; "
        "`tracker status` lists them"
    ]
    assert len(list(show.findings(found[:3]))) == 3
    damage(healthy, lambda db: _fails(db, "connection: refused"))
    assert all("check the network" in finding.say for finding in check(healthy)), "now nothing answers"


@pytest.mark.parametrize(
    ("kind", "advice"), [("feed", "`tracker feeds check s0`"), ("page", "`links`"), ("arxiv", "`query`"), ("hn", "`query`")]
)
def test_a_source_that_answers_for_a_week_and_never_lists_anything_is_found(
    healthy: sqlite3.Connection, check: Check, kind: str, advice: str
) -> None:
    def answers(db: sqlite3.Connection, first: timedelta) -> None:
        _many(db, 1, None, kind)
        db.execute("UPDATE polls SET at = ?", (iso(NOW - first),))
        items.save(db, BLOG, [Entry("A", "https://lab.example/a", "a")], now=iso(NOW), first=True, old_before=None)
        db.execute("DELETE FROM pending")

    damage(healthy, lambda db: answers(db, timedelta(days=6)))
    assert check(healthy) == []
    damage(healthy, lambda db: answers(db, timedelta(days=7)))
    (finding,) = check(healthy)
    assert (finding.level, finding.what) == ("warning", "s0")
    assert finding.say.startswith("answers since 2026-06-05 and has never listed anything; ")
    assert advice in finding.say


@pytest.mark.parametrize(
    ("source", "span", "way"),
    [
        (BLOG, 1, "look at its site for that time; poll it more often (`every` in feeds.toml)"),
        (BLOG, 30, "look at its site for that time"),
        (replace(BLOG, role="mirror"), 1, "look at what it mirrors for that time"),
    ],
    ids=["a busy list", "a month without a run", "a mirror"],
)
def test_a_list_that_moved_on_is_to_be_asked_more_often_only_where_that_helps(
    healthy: sqlite3.Connection, check: Check, settings: config.Config, source: Source, span: int, way: str
) -> None:
    gap = Gap("blog", iso(NOW - timedelta(days=span)), iso(NOW), "window rolled", iso(NOW))
    damage(healthy, lambda db: gaps.note(db, gap))
    (finding,) = check(healthy, sources=(source,))
    assert finding.say.endswith(f"may be missing; {way}")


@pytest.mark.parametrize(
    ("kind", "role", "way"),
    [
        ("arxiv", "primary", "check `query` of the source"),
        ("feed", "mirror", "look for another mirror"),
        ("page", "primary", "look at its site"),
    ],
)
def test_a_silent_source_is_looked_at_where_its_kind_can_be_wrong(
    healthy: sqlite3.Connection, check: Check, kind: str, role: str, way: str
) -> None:
    damage(healthy, lambda db: sources.sync(db, [replace(BLOG, kind=kind, role=role)], iso(NOW)))
    damage(healthy, lambda db: gaps.still(db, "blog", date(2026, 5, 1), 5, iso(NOW)))
    (finding,) = check(healthy)
    assert finding.say.partition("; it used to bring something at least every 5 days; ")[2].startswith(way)


@pytest.mark.parametrize(("articles", "way"), [(3, "nothing: one is tried at each run"), (10, "look at one of them in a browser")])
def test_articles_that_do_not_come_for_long_are_no_weather(healthy: sqlite3.Connection, check: Check, articles: int, way: str) -> None:
    def unread(db: sqlite3.Connection) -> None:
        posts = [Entry(f"A{n}", f"https://lab.example/{n}", f"{n}") for n in range(articles)]
        items.save(db, BLOG, posts, now=iso(NOW), first=True, old_before=None)
        db.execute("DELETE FROM pending")
        db.execute(
            "INSERT INTO readings(item, what, url, outcome, fetched_at) SELECT id, 'article', url, 'connection', ? FROM items", (iso(NOW),)
        )

    damage(healthy, unread)
    (finding,) = check(healthy)
    assert f"the last {articles} articles could not be read (connection)" in finding.say
    assert way in finding.say


def test_a_missing_contact_is_found(healthy: sqlite3.Connection, check: Check) -> None:
    (finding,) = check(healthy, contact=None)
    assert (finding.level, finding.what) == ("warning", "contact")
    assert 'contact = "you@example.org" in [tracker]' in finding.say


def test_a_missing_model_is_found(healthy: sqlite3.Connection, check: Check, tmp_path: Path) -> None:
    (finding,) = check(healthy, tmp_path / "none")
    assert (finding.level, finding.what) == ("error", "model")
    assert "install the package again" in finding.say


def test_a_damaged_model_is_found(healthy: sqlite3.Connection, check: Check, model: Path, tmp_path: Path) -> None:
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "weights.npz"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    (finding,) = check(healthy, tmp_path)
    assert "sha256 differs" in finding.say


@pytest.fixture
def damaged(healthy: sqlite3.Connection, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The file of a healthy tracker in which a disk has lost one page: the runs."""
    path = tmp_path / "data" / "tracker.db"
    (page,) = healthy.execute("SELECT rootpage FROM sqlite_master WHERE name = 'runs'").fetchone()
    (size,) = healthy.execute("PRAGMA page_size").fetchone()
    healthy.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)
    db = store.connect(path)
    yield db
    db.close()


def test_f80_a_damaged_file_is_found_and_nothing_else_of_it_is_believed(damaged: sqlite3.Connection, check: Check) -> None:
    with pytest.raises(sqlite3.DatabaseError):
        runs.last(damaged)
    (finding,) = check(damaged)
    assert (finding.level, finding.what) == ("error", "database")
    assert finding.say.startswith("the file is damaged (")
    assert finding.say.endswith("; put a backup in its place")


def test_errors_come_before_warnings(healthy: sqlite3.Connection, check: Check) -> None:
    damage(healthy, _waits)
    damage(healthy, lambda db: _fails(db, "timeout: 30 s", 3))
    damage(healthy, lambda db: _last_run(db, finished_at=None))
    levels = [finding.level for finding in check(healthy, contact=None)]
    assert levels == sorted(levels)
    assert set(levels) == {"error", "warning"}


def test_every_advice_is_for_an_error_that_exists() -> None:
    assert [name for name in ADVICE if name not in NAMES and not name.startswith("http_")] == []


@pytest.mark.parametrize("name", sorted((NAMES - {"too_many_items"}) | {"http_401", "http_403", "http_404", "http_500"}))
def test_every_error_of_a_source_ends_in_something_to_do_or_says_that_there_is_nothing(
    healthy: sqlite3.Connection, check: Check, name: str
) -> None:
    damage(healthy, lambda db: _fails(db, f"{name}: what happened"))
    (finding,) = check(healthy)
    assert finding.what == "blog"
    advice = finding.say.rpartition("what happened. ")[2]
    assert advice.startswith(("nothing: ", "`tracker ")) or any(
        verb in advice for verb in ("check", "set", "look", "remove", "use", "open", "tell", "write")
    )


@pytest.mark.parametrize(("stage", "command"), [("tag", "tracker tag"), ("group", "tracker group"), ("watch", "tracker run")])
def test_what_waits_is_sent_to_the_command_that_does_it(healthy: sqlite3.Connection, check: Check, stage: str, command: str) -> None:
    with store.transaction(healthy):
        _waits(healthy)
        healthy.execute("UPDATE pending SET stage = ?", (stage,))
    (finding,) = check(healthy)
    assert f"`{command}` does them now" in finding.say
