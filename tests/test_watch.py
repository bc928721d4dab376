"""Standing questions: what answers them, what does not, the states of the board, and that nothing is taken back in silence."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tracker import config, watch
from tracker.store import items, sources, stories, tags, transaction, watches
from tracker.types import Attribution, Entry, Event, Facts, Source, Tag, Watch

NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)
PAPER = Watch(
    "paper",
    "Has Anthropic published a paper?",
    by=("anthropic",),
    about=("anthropic",),
    topics=("agent-self-improvement",),
    since="2026-06-01",
)
FACTS = Facts(
    1, "url:https://anthropic.com/news/x", "https://anthropic.com/news/x", "Agents that learn", "",
    "2026-06-12T08:00:00Z", "official", None, "",
    {"anthropic": "source: declared"}, {}, {"agent-self-improvement": (0.95, "confident")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "rung"),
    [
        pytest.param({}, "stated", id="a post of the lab"),
        pytest.param({"origin": "paper", "url": "https://arxiv.org/abs/2606.1"}, "published", id="a paper by the lab"),
        pytest.param({"url": "https://anthropic.com/research/x"}, "published", id="a publication page, by its path"),
        pytest.param({"title": "Claude 5 system card"}, "published", id="a system card, by its title"),
        pytest.param({"links": frozenset({"arxiv:2606.01234"})}, "published", id="a post that presents a paper"),
        pytest.param({"act": "release", "act_cue": "now available"}, "shipped", id="a release"),
        pytest.param({"by": {}, "about": {"anthropic": "name: Anthropic"}, "origin": "press"}, "reported", id="press about the lab"),
    ],
)
def test_the_rung_follows_from_the_item(changes: dict[str, object], rung: str) -> None:
    (event,) = watch.match(PAPER, replace(FACTS, **changes))  # type: ignore[arg-type]
    assert (event.rung, event.lab) == (rung, "anthropic")
    assert all(event.reason)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"topics": {"agent-self-improvement": (0.6, "maybe")}}, id="the topic is uncertain"),
        pytest.param({"topics": {"agent-memory": (0.99, "confident")}}, id="another topic"),
        pytest.param({"by": {"openai": "x"}}, id="another lab"),
        pytest.param({"by": {"openai": "x"}, "about": {"anthropic": "x"}}, id="a lab about another lab is no report"),
        pytest.param({"by": {}}, id="nobody's"),
        pytest.param({"at": "2026-05-31T23:59:59Z"}, id="before the question was asked"),
    ],
)
def test_what_does_not_bear_on_a_question(changes: dict[str, object]) -> None:
    assert watch.match(PAPER, replace(FACTS, **changes)) == []  # type: ignore[arg-type]


def test_after_until_nothing_fires() -> None:
    assert watch.match(replace(PAPER, until="2026-06-11"), FACTS) == []
    assert watch.match(replace(PAPER, until="2026-06-12"), FACTS)


def test_any_lab_is_every_lab_but_those_excluded_and_parents_count_once() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind", "anthropic": "host: x"})
    events = watch.match(replace(PAPER, by=("any",), not_by=("anthropic",)), facts)
    assert [event.lab for event in events] == ["google-deepmind"]


def test_a_lab_includes_its_children() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind"})
    assert [event.lab for event in watch.match(replace(PAPER, by=("google",)), facts)] == ["google"]


def test_a_phrase_is_enough_and_is_quoted() -> None:
    asked = replace(PAPER, topics=(), phrases=("recursive * self-improvement",))
    (event,) = watch.match(asked, replace(FACTS, text="On recursive AI self-improvement.", topics={}))
    assert event.reason[0] == "says “recursive AI self-improvement”"


def event(rung: str, at: str, lab: str = "anthropic", number: int = 1) -> Event:
    """An event of the question."""
    return Event("paper", number, lab, rung, at, 0.9, ("because",))


@pytest.mark.parametrize(
    ("asked", "events", "now", "state", "day"),
    [
        pytest.param(PAPER, [], "2026-06-20", "open", 0, id="nothing yet"),
        pytest.param(PAPER, [event("stated", "2026-06-12")], "2026-06-20", "open", 0, id="a sign on the way settles nothing"),
        pytest.param(PAPER, [event("published", "2026-06-12")], "2026-06-20", "answered", 0, id="the rung it asks for"),
        pytest.param(replace(PAPER, until="2026-08-13"), [], "2026-06-20", "waiting", 19, id="a time is running"),
        pytest.param(replace(PAPER, until="2026-08-13"), [], "2026-05-20", "open", 0, id="a time that has not begun"),
        pytest.param(replace(PAPER, until="2026-08-13"), [], "2026-08-14", "expired", 73, id="the time is over"),
        pytest.param(replace(PAPER, within_s=60 * 86_400), [], "2026-06-20", "waiting", 19, id="within 60 days of since"),
    ],
)
def test_the_state_of_a_question(asked: Watch, events: list[Event], now: str, state: str, day: int) -> None:
    status = watch.status(asked, events, f"{now}T06:00:00Z")
    assert (status.state, status.day) == (state, day)


def test_a_question_after_another_counts_from_the_day_that_was_settled() -> None:
    asked = replace(PAPER, id="response", after="paper", within_s=60 * 86_400)
    assert watch.status(asked, [], "2026-06-20T06:00:00Z").state == "open"
    status = watch.status(asked, [], "2026-06-20T06:00:00Z", "2026-06-15")
    assert (status.state, status.day, status.of_days) == ("waiting", 5, 60)


def test_the_proof_is_the_first_answer_and_the_last_sign_the_newest() -> None:
    events = [
        event("published", "2026-06-15", number=3),
        event("published", "2026-06-12", number=2),
        event("stated", "2026-06-18", number=4),
    ]
    status = watch.status(PAPER, events, "2026-06-20T06:00:00Z")
    assert (status.proof.item, status.last.item) == (2, 4)  # type: ignore[union-attr]
    assert status.rungs == ("stated", "published")


# -- in the database --------------------------------------------------------------------------------

LAB = Source("anthropic-news", "feed", "https://example.org/feed", "News", lab="anthropic", origin="official")


def settings(tmp_path: Path, *questions: Watch) -> config.Config:
    """A configuration with these questions."""
    (tmp_path / "feeds.toml").write_text('[feeds.anthropic-news]\nurl = "https://example.org/feed"\nlab = "anthropic"\n')
    return replace(config.load(tmp_path / "feeds.toml"), watches=questions)


def say(
    db: sqlite3.Connection,
    loaded: config.Config,
    *,
    tier: str = "confident",
    grouped: bool = True,
    url: str = "https://anthropic.com/news/x",
) -> int:
    """One post of the lab, tagged and grouped; its id."""
    stamp = "2026-06-12T09:00:00Z"
    with transaction(db):
        sources.sync(db, [LAB], stamp)
        sources.sync_registry(db, loaded.topics, loaded.labs, stamp)
        items.save(
            db,
            LAB,
            [Entry(f"Agents that learn, {url[-1]}", url, published_at="2026-06-12T08:00:00Z")],
            now=stamp,
            first=False,
            old_before=None,
        )
        (item,) = items.select_items(db, "1", {"limit": 1})
        tags.save(
            db, item, [Tag("agent-self-improvement", 0.95, tier, (("agents", 1.0),), "m")],
            [Attribution("anthropic", "by", "source", "declared", "declared")], tags.Signals("official"),
            registry="r", now=stamp, done=True,
        )  # fmt: skip
        if grouped:
            stories.join(db, item, None, 1.0, "first of its story", stamp)
    return item.id


def test_a_waiting_item_becomes_an_event_and_leaves_the_queue(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, replace(PAPER, answer=("stated",)))
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded)
    (result,) = watch.watch(db, loaded, now=NOW)
    assert (result.items, result.events) == (1, 1)
    ((_, status, _),) = watch.board(db, loaded, NOW)
    assert status.state == "answered"
    assert db.execute("SELECT quiet FROM watch_events").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM pending").fetchone()[0] == 0


def test_a_new_question_looks_back_and_its_finds_are_quiet(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path)
    say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    asked = replace(loaded, watches=(PAPER,))
    assert sum(result.events for result in watch.watch(db, asked, now=NOW)) == 1
    assert db.execute("SELECT quiet FROM watch_events").fetchone()[0] == 1
    assert list(watch.watch(db, asked, now=NOW)) == [], "an unchanged question does not look again"


def test_a_look_back_that_was_cut_off_goes_on_where_it_stood(
    db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = settings(tmp_path, PAPER)
    say(db, loaded, url="https://anthropic.com/news/1")
    say(db, loaded, url="https://anthropic.com/news/2")
    monkeypatch.setattr(watch, "BATCH", 1)
    cut_off = watch.watch(db, loaded, now=NOW)
    next(cut_off)
    cut_off.close()
    assert db.execute("SELECT looked_to IS NULL FROM watches").fetchone()[0] == 0
    list(watch.watch(db, loaded, now=NOW))
    assert [row[0] for row in db.execute("SELECT quiet FROM watch_events")] == [1, 1]
    assert db.execute("SELECT looked_to FROM watches").fetchone()[0] is None


@pytest.mark.parametrize("changes", [{"since": "2026-06-15"}, {"topics": ("agent-memory",)}], ids=["another day", "another topic"])
def test_an_edited_question_withdraws_what_no_longer_fits_and_says_when(
    db: sqlite3.Connection, tmp_path: Path, changes: dict[str, object]
) -> None:
    loaded = settings(tmp_path, PAPER)
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    edited = replace(loaded, watches=(replace(PAPER, **changes),))
    (result,) = watch.watch(db, edited, now=NOW)
    assert result.withdrawn == 1
    assert db.execute("SELECT withdrawn_at FROM watch_events").fetchone()[0] == "2026-06-20T06:00:00Z"
    assert watch.board(db, edited, NOW)[0][2] == []


def test_a_retag_that_removes_the_ground_withdraws_the_event(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded, tier="maybe", grouped=False)
    assert [result.withdrawn for result in watch.watch(db, loaded, now=NOW)] == [1]
    say(db, loaded, grouped=False)
    list(watch.watch(db, loaded, now=NOW))
    assert db.execute("SELECT withdrawn_at FROM watch_events").fetchone()[0] is None


def test_each_labs_first_mention_moves_back_when_an_earlier_one_is_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    asked = replace(PAPER, first_per="lab", answer=("stated",))
    loaded = settings(tmp_path, asked)
    item = say(db, loaded)
    with transaction(db):
        watches.sync(db, loaded.watches, "2026-06-20T06:00:00Z")
        watches.save(db, ["paper"], [(item, [event("stated", "2026-06-12T08:00:00Z", number=item)])], "2026-06-20T06:00:00Z", quiet=False)
    assert [found.at for found in watch.board(db, loaded, NOW)[0][2]] == ["2026-06-12T08:00:00Z"]
    with transaction(db):
        items.save(
            db,
            LAB,
            [Entry("Earlier", "https://anthropic.com/news/e", published_at="2026-06-05T08:00:00Z")],
            now="2026-06-20T06:00:00Z",
            first=True,
            old_before=None,
        )
        (earlier,) = items.select_items(db, "title = 'Earlier' ".replace("title", "items.title"), {"limit": 1})
        watches.save(
            db, ["paper"], [(earlier.id, [event("stated", "2026-06-05T08:00:00Z", number=earlier.id)])], "2026-06-20T06:00:00Z", quiet=True
        )
    assert [found.at for found in watch.board(db, loaded, NOW)[0][2]] == ["2026-06-05T08:00:00Z"]


def test_the_twelve_questions_ship(tmp_path: Path) -> None:
    loaded = config.load(Path(__file__).parent.parent / "feeds.toml")
    assert len(loaded.watches) == 12
    assert all(question.question.endswith("?") for question in loaded.watches)
