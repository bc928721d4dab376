"""Standing questions: what answers them, what does not, the states of the board, and that nothing is taken back in silence."""

from __future__ import annotations

import itertools
import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.archive import into_story
from tracker import config, matching, watch
from tracker.patterns import compile_pattern
from tracker.store import items, sources, tags, transaction, watches
from tracker.store.clauses import clause
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
        pytest.param(
            {"title": "Claude 5 system card", "act": "release", "act_cue": "now available"},
            "published",
            id="a system card that is released",
        ),
        pytest.param(
            {"links": frozenset({"arxiv:2606.01234"}), "act": "release", "act_cue": "now available"},
            "shipped",
            id="a release that links to a paper",
        ),
        pytest.param(
            {"links": frozenset({"url:https://cdn.example/technical-report.pdf"}), "act": "result"}, "published", id="a result with its PDF"
        ),
        pytest.param({"links": frozenset({"url:https://x.example/s.pdf"})}, "stated", id="a post that links to some PDF"),
        pytest.param({"act": "result", "act_cue": "results"}, "stated", id="a result without a paper"),
        pytest.param({"url": "https://alignment.lab.example/2026/x"}, "published", id="a note on a host for studies"),
        pytest.param({"url": "https://lab.example/researchers"}, "stated", id="a page whose address only begins so"),
        pytest.param(
            {"url": "https://lab.example/research/x", "act": "opinion", "act_cue": "How to"}, "stated", id="advice among publications"
        ),
        pytest.param(
            {"url": "https://lab.example/research/x", "act": "announcement", "act_cue": "funding"}, "stated", id="money among publications"
        ),
        pytest.param({"text": "In our new paper we count.", "act": "result", "act_cue": "paper"}, "published", id="a result and its paper"),
        pytest.param({"text": "In our new paper we count."}, "stated", id="a paper in a text that tells no result"),
        pytest.param(
            {"text": "Owls. " * 80 + "In our new paper we count.", "act": "result", "act_cue": "find"}, "stated", id="a paper cited below"
        ),
        pytest.param({"by": {}, "about": {"anthropic": "name: Anthropic"}, "origin": "press"}, "reported", id="press about the lab"),
    ],
)
def test_the_rung_follows_from_the_item(changes: dict[str, object], rung: str) -> None:
    (event,) = matching.match(PAPER, replace(FACTS, **changes))  # type: ignore[arg-type]
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
    assert matching.match(PAPER, replace(FACTS, **changes)) == []  # type: ignore[arg-type]


def test_after_until_nothing_fires() -> None:
    assert matching.match(replace(PAPER, until="2026-06-11"), FACTS) == []
    assert matching.match(replace(PAPER, until="2026-06-12"), FACTS)


def test_any_lab_is_every_lab_but_those_excluded_and_parents_count_once() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind", "anthropic": "host: x"})
    events = matching.match(replace(PAPER, by=("any",), not_by=("anthropic",)), facts)
    assert [event.lab for event in events] == ["google-deepmind"]


def test_a_lab_includes_its_children() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind"})
    assert [event.lab for event in matching.match(replace(PAPER, by=("google",)), facts)] == ["google"]


def test_an_excluded_lab_excludes_its_children() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind"})
    assert matching.match(replace(PAPER, by=("any",), not_by=("google",)), facts) == []
    both = replace(FACTS, by={"google-deepmind": "signed x", "google": "published on x; parent of google-deepmind, waymo"})
    assert matching.match(replace(PAPER, by=("any",), not_by=("google",)), both) == []


def test_a_lab_whose_only_child_present_is_excluded_says_nothing() -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": "parent of google-deepmind"})
    asked = replace(PAPER, by=("google",), not_by=("google-deepmind",))
    assert matching.match(asked, facts) == []
    assert matching.match(asked, replace(facts, by={**facts.by, "google": "published on x; parent of google-deepmind"}))
    assert matching.match(asked, replace(facts, by={**facts.by, "waymo": "source: x", "google": "parent of google-deepmind, waymo"}))


@pytest.mark.parametrize(
    ("google", "labs"),
    [
        pytest.param("parent of google-deepmind", ["google-deepmind"], id="a parent through its child alone"),
        pytest.param("published on x; parent of google-deepmind", ["google", "google-deepmind"], id="a parent in its own right"),
    ],
)
def test_a_child_that_is_asked_for_speaks_for_its_parent(google: str, labs: list[str]) -> None:
    facts = replace(FACTS, by={"google-deepmind": "source: x", "google": google})
    events = matching.match(replace(PAPER, by=("google", "google-deepmind")), facts)
    assert [event.lab for event in events] == labs


@pytest.mark.parametrize(
    ("changes", "rungs"),
    [
        pytest.param({}, [("stated", "anthropic")], id="by a lab"),
        pytest.param({"about": {"openai": "name"}}, [("stated", "anthropic")], id="by one and about another"),
        pytest.param(
            {"by": {}, "about": {"openai": "x", "anthropic": "y"}}, [("reported", "openai"), ("reported", "anthropic")], id="about"
        ),
        pytest.param(
            {"by": {"google-deepmind": "x", "google": "parent of google-deepmind"}}, [("stated", "google-deepmind")], id="a child"
        ),
        pytest.param({"by": {}}, [("reported", "")], id="nobody's"),
        pytest.param({"by": {}, "origin": "paper"}, [], id="a paper of nobody's"),
    ],
)
def test_the_rungs_of_an_item(changes: dict[str, object], rungs: list[tuple[str, str]]) -> None:
    found = matching.rungs_of(replace(FACTS, **changes))  # type: ignore[arg-type]
    assert [(rung, lab) for rung, lab, _ in found] == rungs
    assert all(cue for _, _, cue in found)


def test_a_phrase_is_enough_and_is_quoted() -> None:
    asked = replace(PAPER, topics=(), phrases=("recursive * self-improvement",))
    (event,) = matching.match(asked, replace(FACTS, text="On recursive AI self-improvement.", topics={}))
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


@pytest.mark.parametrize(
    ("day", "settled", "now", "state"),
    [
        pytest.param("2026-06-12", None, "2026-06-20", "open", id="nothing answers while the other is not settled"),
        pytest.param("2026-06-02", "2026-06-10", "2026-06-20", "waiting", id="before the other was settled"),
        pytest.param("2026-06-10", "2026-06-10", "2026-06-20", "answered", id="on the first day"),
        pytest.param("2026-08-09", "2026-06-10", "2026-11-20", "answered", id="on the last day"),
        pytest.param("2026-08-10", "2026-06-10", "2026-11-20", "expired", id="a day too late"),
    ],
)
def test_only_what_lies_in_its_time_answers(day: str, settled: str | None, now: str, state: str) -> None:
    asked = replace(PAPER, after="paper", within_s=60 * 86_400)
    found = watch.status(asked, [event("published", f"{day}T08:00:00Z")], f"{now}T06:00:00Z", settled)
    assert (found.state, found.proof is not None) == (state, state == "answered")
    assert (found.rungs, found.last and found.last.at[:10]) == (("published",), day), "it stays a sign"


def test_press_never_hides_the_labs_own_word(db: sqlite3.Connection, tmp_path: Path) -> None:
    asked = replace(PAPER, first_per="lab", answer=("stated",))
    loaded = settings(tmp_path, asked)
    item = say(db, loaded)
    other = say(db, loaded, url="https://anthropic.com/news/2")
    with transaction(db):
        watches.sync(db, loaded.watches, "2026-06-20T06:00:00Z")
        press, own = event("reported", "2026-06-12T08:00:00Z", number=item), event("stated", "2026-06-15T08:00:00Z", number=other)
        watches.save(db, ["paper"], [(item, [press]), (other, [own])], "2026-06-20T06:00:00Z", quiet=False)
        watches.looked(db, ["paper"], None)
    ((_, status, kept),) = watch.board(db, loaded, NOW)
    assert (status.state, [found.rung for found in kept]) == ("answered", ["reported", "stated"])


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
            db, item, [Tag("agent-self-improvement", 0.95 if tier == "confident" else 0.5, tier, (("agents", 1.0),), "m")],
            [Attribution("anthropic", "by", "source", "declared", "declared")], tags.Signals("official"),
            registry="r", now=stamp, done=True,
        )  # fmt: skip
        if grouped:
            into_story(db, item.id, None, 1.0, "first of its story", stamp)
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
    assert db.execute("SELECT count(*) FROM pending WHERE stage <> 'article'").fetchone()[0] == 0


def test_a_new_question_looks_back_and_its_finds_are_quiet(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path)
    say(db, loaded)
    assert [result.items for result in watch.watch(db, loaded, now=NOW)] == [1]
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
    list(watch.watch(db, replace(loaded, watches=()), now=NOW))
    monkeypatch.setattr(watch, "BATCH", 1)
    next(watch.watch(db, loaded, now=NOW))
    assert db.execute("SELECT looked_to IS NULL FROM watches").fetchone()[0] == 0
    list(watch.watch(db, loaded, now=NOW))
    assert [row[0] for row in db.execute("SELECT quiet FROM watch_events")] == [1, 1]
    assert db.execute("SELECT looked_to FROM watches").fetchone()[0] is None


@pytest.mark.parametrize(
    "changes", [{}, {"note": "typo fixed"}, {"since": "2026-06-02"}], ids=["a new question", "another note", "another day"]
)
def test_todays_news_is_news_to_a_new_or_edited_question(db: sqlite3.Connection, tmp_path: Path, changes: dict[str, object]) -> None:
    loaded = settings(tmp_path, *[PAPER] if changes else [])
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded)
    list(watch.watch(db, replace(loaded, watches=(replace(PAPER, **changes),)), now=NOW))  # type: ignore[arg-type]
    assert [row[0] for row in db.execute("SELECT quiet FROM watch_events")] == [0]


def test_the_backlog_comes_quietly_by_the_queue_as_well(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    say(db, loaded)
    db.execute("UPDATE items SET backlog = 1")
    list(watch.watch(db, loaded, now=NOW))
    assert [row[0] for row in db.execute("SELECT quiet FROM watch_events")] == [1]


@pytest.mark.parametrize("kill", range(5))
def test_a_run_cut_off_anywhere_leaves_the_same_news_and_the_same_finds(
    db: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kill: int
) -> None:
    """Two old items, then an edit and two new ones: the new are news, the old are found, whichever batch was the last."""
    loaded = settings(tmp_path, replace(PAPER, topics=("agent-memory",)))
    old = [say(db, loaded, url=f"https://anthropic.com/news/{n}") for n in (1, 2)]
    list(watch.watch(db, loaded, now=NOW))
    new = [say(db, loaded, url=f"https://anthropic.com/news/{n}") for n in (3, 4)]
    edited = replace(loaded, watches=(PAPER,))
    monkeypatch.setattr(watch, "BATCH", 1)
    cut_off = watch.watch(db, edited, now=NOW)
    list(itertools.islice(cut_off, kill))
    del cut_off
    list(watch.watch(db, edited, now=NOW))
    found = dict(db.execute("SELECT item, quiet FROM watch_events").fetchall())
    assert found == dict.fromkeys(old, 1) | dict.fromkeys(new, 0)


def test_what_has_not_come_to_the_watches_yet_is_not_looked_back_at(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    item = say(db, loaded, grouped=False)
    assert list(watch.watch(db, loaded, now=NOW)) == [], "tagged, not grouped: `tracker watch` alone leaves it to the next run"
    with transaction(db):
        into_story(db, item, None, 1.0, "first of its story", "2026-06-12T09:00:00Z")
    list(watch.watch(db, loaded, now=NOW))
    assert db.execute("SELECT item, quiet FROM watch_events").fetchone()[:] == (item, 0)


@pytest.mark.parametrize(
    "changes",
    [{"note": "typo fixed"}, {"question": "Has Anthropic published any paper?"}, {"answer": ("stated",)}],
    ids=["the note", "the words", "what settles it"],
)
def test_an_edit_that_looks_for_nothing_else_does_not_ask_again(db: sqlite3.Connection, tmp_path: Path, changes: dict[str, object]) -> None:
    with transaction(db):
        watches.sync(db, [PAPER], "2026-06-20T06:00:00Z")
        watches.looked(db, ["paper"], None)
        edited = replace(PAPER, **changes)  # type: ignore[arg-type]
        assert watches.sync(db, [edited], "2026-06-21T06:00:00Z") == {}
    assert db.execute("SELECT question FROM watches").fetchone()[0] == edited.question
    with transaction(db):
        assert watches.sync(db, [replace(edited, phrases=("memory",))], "2026-06-21T06:00:00Z") == {"paper": 0}


def test_a_field_that_a_release_adds_does_not_ask_again(db: sqlite3.Connection) -> None:
    with transaction(db):
        watches.sync(db, [PAPER], "2026-06-20T06:00:00Z")
        watches.looked(db, ["paper"], None)
        db.execute("UPDATE watches SET spec = json_remove(spec, '$.phrases', '$.until')")
        assert watches.sync(db, [PAPER], "2026-06-21T06:00:00Z") == {}
        assert watches.sync(db, [replace(PAPER, until="2026-09-01")], "2026-06-21T06:00:00Z") == {"paper": 0}


@pytest.mark.parametrize("changes", [{"since": "2026-06-15"}, {"topics": ("agent-memory",)}], ids=["another day", "another topic"])
def test_an_edited_question_withdraws_what_no_longer_fits_and_says_when(
    db: sqlite3.Connection, tmp_path: Path, changes: dict[str, object]
) -> None:
    loaded = settings(tmp_path, PAPER)
    list(watch.watch(db, loaded, now=NOW))
    say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    edited = replace(loaded, watches=(replace(PAPER, **changes),))  # type: ignore[arg-type]
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


def test_an_event_follows_the_date_of_its_item(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    item = say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    with transaction(db):
        db.execute("UPDATE items SET published_at = '2026-06-05T00:00:00Z'")
        db.execute("UPDATE item_topics SET score = 0.91")
        db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, '2026-06-13T00:00:00Z')", (item,))
    list(watch.watch(db, loaded, now=NOW))
    assert db.execute("SELECT at, score FROM watch_events").fetchone()[:] == ("2026-06-05T00:00:00Z", 0.91)


def test_an_edited_title_reaches_its_story(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    say(db, loaded)
    list(watch.watch(db, loaded, now=NOW))
    with transaction(db):
        edited = Entry("A new headline", "https://anthropic.com/news/x", published_at="2026-06-12T08:00:00Z")
        items.save(db, LAB, [edited], now="2026-06-13T00:00:00Z", first=False, old_before=None)
        (item,) = items.select_items(db, "1", {"limit": 1})
        tags.save(db, item, [], [], tags.Signals("official"), registry="r", now="2026-06-13T00:00:00Z", done=True)
    list(watch.watch(db, loaded, now=NOW))
    assert [row[0] for row in db.execute("SELECT title FROM stories")] == ["A new headline"]


def test_what_was_queued_while_the_clock_was_ahead_does_not_wait_for_it(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path, PAPER)
    say(db, loaded)
    db.execute("UPDATE pending SET due_at = '2027-06-01T00:00:00Z'")
    list(watch.watch(db, loaded, now=NOW))
    assert db.execute("SELECT count(*) FROM pending WHERE stage <> 'article'").fetchone()[0] == 0
    assert db.execute("SELECT quiet FROM watch_events").fetchone()[0] == 0


# -- phrases in the archive -------------------------------------------------------------------------

PHRASES = {
    "superintelligen*": "Superintelligence is near",
    "generalizat*": "On generalizations",
    "stud*": "Studies of play",
    "play*": "A player",
    "agentic loop*": "Agentic loops",
    "(agents|bots)": "Bots at work",
    "(agents|bots*) that (learn|grow)": "Botswana that grow",
    "(a*|b) c": "Alpha c",
    "pre(train|tun)ing": "Pretraining at scale",
    "(self|auto)(ish|matic) agents": "Automatic agents",
    "recursive * self-improvement": "Recursive and slow self-improvement",
    "o1's c++ 4.5": "With O1's C++ 4.5",
    "naïve agents": "Naïve agents",
    "été": "Un été",
}


@pytest.mark.parametrize(("phrase", "title"), PHRASES.items(), ids=PHRASES)
def test_a_look_back_offers_all_that_a_phrase_matches(db: sqlite3.Connection, phrase: str, title: str) -> None:
    with transaction(db):
        sources.sync(db, [LAB], "2026-06-12T09:00:00Z")
        entries = [Entry(words, f"https://anthropic.com/news/{n}") for n, words in enumerate((title, "Nothing of the kind"))]
        items.save(db, LAB, entries, now="2026-06-12T09:00:00Z", first=False, old_before=None)
        db.execute("DELETE FROM pending")
    asked = Watch("said", "?", by=("any",), phrases=("no such words", phrase))
    matches = {facts.title for facts in watches.facts(db, [20260612000001, 20260612000002]) if compile_pattern(phrase).search(facts.title)}
    assert matches == {title}
    assert matches <= {facts.title for facts in watches.archive(db, [asked], 0, 10)}


@pytest.mark.parametrize(
    ("phrases", "found"),
    [
        pytest.param(("superintelligen*",), [1], id="a beginning"),
        pytest.param(("(agents|bots)",), [2], id="a choice"),
        pytest.param(("no such words", "superintelligen*"), [1], id="beside a plain phrase"),
        pytest.param(("été",), [1, 2, 3], id="no words for the index: every text"),
        pytest.param(("(éa|bots)", "superintelligen*"), [1, 2, 3], id="one of them without words: every text"),
    ],
)
def test_a_look_back_asks_the_index_for_no_more_than_it_must(db: sqlite3.Connection, phrases: tuple[str, ...], found: list[int]) -> None:
    with transaction(db):
        sources.sync(db, [LAB], "2026-06-12T09:00:00Z")
        entries = [Entry(words, words) for words in ("News", "Bots at work", "Superintelligence")]
        items.save(db, LAB, entries, now="2026-06-12T09:00:00Z", first=False, old_before=None)
        db.execute("DELETE FROM pending")
    asked = Watch("said", "?", by=("any",), phrases=phrases)
    assert [facts.item - 20260612000000 for facts in watches.archive(db, [asked], 0, 10)] == found
    batches = [watches.archive(db, [asked], 20260612000000 + n, 1) for n in range(4)]
    assert sorted({facts.item - 20260612000000 for batch in batches for facts in batch}) == found


def test_the_longest_beginning_that_a_stem_keeps(db: sqlite3.Connection) -> None:
    """Against the stemmer of SQLite itself: words made of a stem and up to three suffixes, each cut everywhere."""
    chance = random.Random(20260612)
    ends = "s es ed ing y ies e ational ization ness ful ability ally icate al er ive ously ment ion ism ity ll".split()
    stems = "learn agent recurs superintellig gener us play hop stud reli oper tri conflat".split()
    words = sorted({chance.choice(stems) + "".join(chance.choices(ends, k=chance.randint(0, 3))) for _ in range(400)})
    db.execute("CREATE VIRTUAL TABLE temp.words USING fts5(word, tokenize='porter unicode61')")
    db.executemany("INSERT INTO words(rowid, word) VALUES (?, ?)", enumerate(words))
    for n, word in enumerate(words):
        for beginning in {clause(f"{word[:cut]}*") for cut in range(2, len(word) + 1)}:
            assert db.execute("SELECT 1 FROM words WHERE words MATCH ? AND rowid = ?", (beginning, n)).fetchone(), (word, beginning)


def test_facts_hold_papers_and_pdfs_and_every_parent(db: sqlite3.Connection, tmp_path: Path) -> None:
    loaded = settings(tmp_path)
    item = say(db, loaded)
    with transaction(db):
        links = ("arxiv:2606.01234", "url:https://x.example/card.pdf", "url:https://x.example/b.pdf?v=2", "url:https://x.example/page")
        db.executemany("INSERT INTO links(item, key) VALUES (?, ?)", [(item, key) for key in links])
        for lab, method in (("google-deepmind", "source"), ("google", "host")):
            db.execute("INSERT INTO item_labs VALUES (?, ?, 'by', ?, 'declared', 'x.example', 'r', '')", (item, lab, method))
    (facts,) = watches.facts(db, [item])
    assert facts.links == set(links[:3])
    assert facts.by["google"] == "published on x.example; parent of google-deepmind"


def test_each_labs_first_mention_moves_back_when_an_earlier_one_is_found(db: sqlite3.Connection, tmp_path: Path) -> None:
    asked = replace(PAPER, first_per="lab", answer=("stated",))
    loaded = settings(tmp_path, asked)
    item = say(db, loaded)
    with transaction(db):
        watches.sync(db, loaded.watches, "2026-06-20T06:00:00Z")
        watches.save(db, ["paper"], [(item, [event("stated", "2026-06-12T08:00:00Z", number=item)])], "2026-06-20T06:00:00Z", quiet=False)
        watches.looked(db, ["paper"], None)
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
