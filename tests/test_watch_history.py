"""What a question nearly found, what it took back and why, what it knew on a day; and that only what changed is looked at again."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.archive import into_story
from tracker import config, matching, show_watch, watch
from tracker.clock import iso
from tracker.errors import StoreError
from tracker.store import browse, gaps, items, labels, schema, sources, stories, tags, transaction, watches
from tracker.store import open as open_database
from tracker.types import Attribution, Entry, Event, Facts, Gap, Kept, Lab, Source, Tag, Topic, Watch

NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)
ASKED = Watch("learns", "Has Owl published on learning?", by=("owl",), topics=("learning",), answer=("published",), since="2026-06-01")
OWL = Source("owl", "feed", "https://owl.example/feed", "Owl", lab="owl", origin="official")
PRESS = Source("press", "feed", "https://press.example/feed", "The Press", origin="press")
FACTS = Facts(
    1, "url:https://owl.example/a", "https://owl.example/a", "Agents that learn", "They learn on the job.",
    "2026-06-12T08:00:00Z", "official", None, "", {"owl": "the source declares it"}, {}, {"learning": (0.93, "confident")},
)  # fmt: skip


class World:
    """Items as the stages before leave them: tagged and in stories as a test says; the stage of the watches is the real one."""

    def __init__(self, db: sqlite3.Connection, folder: Path, *asked: Watch) -> None:
        (folder / "feeds.toml").write_text('[feeds.owl]\nurl = "https://owl.example/feed"\n')
        topics = (Topic("learning", "Learning", "l"), Topic("memory", "Memory", "m"))
        labs = (Lab("owl", "Owl", "frontier"), Lab("nest", "Nest", "frontier"))
        loaded = config.load(folder / "feeds.toml")
        self.config = replace(loaded, topics=topics, labs=labs, sources=(OWL, PRESS), watches=asked or (ASKED,))
        self.db, self.now, self.posted = db, NOW, 0
        with transaction(db):
            sources.sync(db, self.config.sources, iso(NOW))
            sources.sync_registry(db, topics, labs, iso(NOW))
            db.execute("UPDATE sources SET last_ok_at = ?", (iso(NOW),))
        self.watch()

    def post(
        self, *, at: str = "2026-06-12", tier: str = "confident", by: str = "owl", about: str = "", story: int | None = None,
        backlog: bool = False, url: str = "research", topic: str = "learning",
    ) -> int:  # fmt: skip
        """An item of that day, through tagging and grouping; its id. Its page is one of research unless ``url`` says otherwise."""
        self.posted += 1
        entry = Entry(f"Post {self.posted}", f"https://owl.example/{url}/{self.posted}", published_at=f"{at}T08:00:00Z")
        with transaction(self.db):
            known = {row[0] for row in self.db.execute("SELECT id FROM items")}
            items.save(self.db, OWL, [entry], now=iso(self.now), first=backlog, old_before=None)
            item = next(int(row[0]) for row in self.db.execute("SELECT id FROM items") if row[0] not in known)
        self.tag(item, tier=tier, by=by, about=about, topic=topic)
        with transaction(self.db):
            into_story(self.db, item, story, 1.0, "the same title" if story else "first of its story", iso(self.now))
        return item

    def tag(self, item: int, *, tier: str = "confident", by: str = "owl", about: str = "", topic: str = "learning") -> None:
        """What the taggers say of an item, for the first time or anew."""
        (made,) = items.select_items(self.db, "items.id = :id", {"id": item, "limit": 1})
        said = [Attribution(lab, how, "name", "stated", f"of {lab}") for lab, how in ((by, "by"), (about, "about")) if lab]
        found = [Tag(topic, 0.93 if tier == "confident" else 0.41, tier, (("learn", 1.0),), "m")] if tier else []
        with transaction(self.db):
            tags.save(self.db, made, found, said, tags.Signals("official"), registry="r", now=iso(self.now), done=True)

    def story(self, item: int) -> int:
        return int(self.db.execute("SELECT story FROM story_items WHERE item = ?", (item,)).fetchone()[0])

    def watch(self) -> list[watch.Watched]:
        return list(watch.watch(self.db, self.config, now=self.now))

    def edit(self, **changes: Any) -> list[watch.Watched]:
        """Another question under the same id, asked at once."""
        self.config = replace(self.config, watches=(replace(self.config.watches[0], **changes),))
        return self.watch()

    def board(self, as_of: str | None = None) -> tuple[watch.Status, list[Event]]:
        """The only question."""
        ((_, status, events),) = watch.board(self.db, self.config, self.now, as_of)
        return status, events

    def why(self) -> str | None:
        """Why the only event was taken back; None: it stands."""
        (one,) = watches.history(self.db, "learns")
        assert (one.withdrawn_at is None) == (one.withdrawn_why is None)
        return one.withdrawn_why

    def missed(self) -> list[tuple[int, str, str]]:
        """The near-misses: item, lab, and what lacks."""
        return [(one.item, one.lab, one.reason[-1]) for one in watches.near(self.db, "learns")]


@pytest.fixture
def world(db: sqlite3.Connection, tmp_path: Path) -> World:
    return World(db, tmp_path)


# -- near-misses: which ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "changes", "lacks"),
    [
        pytest.param({}, {"topics": {"learning": (0.41, "maybe")}}, ["only perhaps on learning (0.41)"], id="the topic, perhaps"),
        pytest.param({}, {"by": {}, "about": {"owl": "“Owl”"}}, ["about owl, not by it"], id="about, not by"),
        pytest.param({"by": ("any",)}, {"by": {}, "about": {"owl": "“Owl”"}}, ["about owl, not by it"], id="about, not by any lab"),
        pytest.param({}, {}, [], id="an event misses nothing"),
        pytest.param({"about": ("owl",)}, {"by": {}, "about": {"owl": "“Owl”"}}, [], id="about is asked for as well: an event"),
        pytest.param({}, {"by": {}, "about": {"owl": "x"}, "topics": {"learning": (0.41, "maybe")}}, [], id="two things lack"),
        pytest.param({}, {"by": {"nest": "x"}, "about": {"owl": "x"}}, [], id="another lab's own word about it"),
        pytest.param({}, {"by": {"nest": "x"}, "topics": {"learning": (0.41, "maybe")}}, [], id="another lab's"),
        pytest.param({"not_by": ("owl",)}, {"by": {}, "about": {"owl": "x"}}, [], id="about a lab that is left out"),
        pytest.param({}, {"topics": {"learning": (0.9, "no")}}, [], id="a person says no"),
        pytest.param({}, {"topics": {"memory": (0.9, "maybe")}}, [], id="another topic"),
        pytest.param({"since": "2026-06-13"}, {"topics": {"learning": (0.41, "maybe")}}, [], id="before its time"),
        pytest.param({"until": "2026-06-11"}, {"topics": {"learning": (0.41, "maybe")}}, [], id="after its time"),
        pytest.param({"phrases": ("learn on the job",)}, {"by": {}, "about": {"owl": "x"}}, [], id="a phrase is there"),
        pytest.param({"phrases": ("on the moon",)}, {"topics": {"learning": (0.41, "maybe")}}, [], id="a phrase is not there"),
    ],
)
def test_a_near_miss_lacks_one_thing_and_says_which(asked: dict[str, Any], changes: dict[str, Any], lacks: list[str]) -> None:
    found = matching.missed(replace(ASKED, **asked), replace(FACTS, **changes))
    assert [one.reason[-1] for one in found] == lacks
    assert all(len(one.reason) == 3 for one in found)


def test_a_near_miss_tells_the_rung_it_would_have_been_and_its_score() -> None:
    (paper,) = matching.missed(ASKED, replace(FACTS, origin="paper", topics={"learning": (0.41, "maybe")}))
    (press,) = matching.missed(ASKED, replace(FACTS, by={}, about={"owl": "“Owl”"}))
    assert (paper.rung, paper.score, paper.reason[:2]) == ("published", 0.41, ("by owl (the source declares it)", "a paper"))
    assert (press.rung, press.score, press.reason[:2]) == ("reported", 0.93, ("on learning (0.93)", "about owl (“Owl”)"))


@pytest.mark.parametrize("tier", ["confident", "maybe", "no"])
@pytest.mark.parametrize("relation", ["by", "about", "neither"])
@pytest.mark.parametrize("about", [(), ("owl",)], ids=["by alone", "by or about"])
def test_no_item_is_both_an_event_and_a_near_miss(tier: str, relation: str, about: tuple[str, ...]) -> None:
    labs = {"by": {"owl": "x"} if relation == "by" else {}, "about": {"owl": "x"} if relation == "about" else {}}
    facts, asked = replace(FACTS, topics={"learning": (0.5, tier)}, **labs), replace(ASKED, about=about)
    assert not (matching.match(asked, facts) and matching.missed(asked, facts))


# -- near-misses: kept --------------------------------------------------------------------------------


def test_a_near_miss_is_kept_until_it_answers_or_has_no_ground(world: World) -> None:
    item = world.post(tier="maybe")
    world.watch()
    assert world.missed() == [(item, "owl", "only perhaps on learning (0.41)")]
    assert (world.board()[0].near, world.board()[1]) == (1, [])
    world.tag(item)
    world.watch()
    assert (world.missed(), len(world.board()[1])) == ([], 1), "now it answers"
    world.tag(item, tier="maybe")
    world.watch()
    assert (len(world.missed()), world.board()[1]) == (1, [])
    world.tag(item, tier="")
    world.watch()
    assert world.missed() == []


def test_a_look_back_finds_near_misses_and_an_edit_takes_them_back(world: World) -> None:
    item = world.post(tier="maybe", topic="memory")
    world.watch()
    assert world.missed() == []
    assert [found.items for found in world.edit(topics=("memory",))] == [1]
    assert world.missed() == [(item, "owl", "only perhaps on memory (0.41)")]
    assert [found.items for found in world.edit(topics=("learning",))] == [1], "what missed the question before is looked at again"
    assert world.missed() == []


def test_what_stays_as_it_is_is_not_written(world: World) -> None:
    missed, event = world.post(tier="maybe"), world.post()
    world.watch()
    with transaction(world.db):
        world.db.executemany("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", [(missed, iso(NOW)), (event, iso(NOW))])
    before = world.db.total_changes
    (result,) = world.watch()
    assert (result.items, world.db.total_changes - before) == (2, 2), "the queue alone is written: two rows leave it"


def test_each_question_keeps_its_own_near_misses(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, ASKED, replace(ASKED, id="other", by=("nest",)))
    world.post(tier="maybe")
    world.watch()
    assert [[one.lab for one in watches.near(db, name)] for name in ("learns", "other")] == [["owl"], []]
    assert [status.near for _, status, _ in watch.board(db, world.config, NOW)] == [1, 0]


def test_an_edited_question_takes_nothing_from_another(db: sqlite3.Connection, tmp_path: Path) -> None:
    other = replace(ASKED, id="other")
    world = World(db, tmp_path, ASKED, other)
    missed, event = world.post(tier="maybe"), world.post()
    world.watch()
    world.config = replace(world.config, watches=(replace(ASKED, topics=("memory",)), other))
    assert [(found.items, found.withdrawn) for found in world.watch()] == [(2, 1)]
    assert [[one.item for one in watches.near(db, name)] for name in ("learns", "other")] == [[], [missed]]
    assert [[found.item for found in events] for _, _, events in watch.board(db, world.config, NOW)] == [[], [event]]


def test_a_database_of_before_looks_back_once_and_keeps_its_events_as_they_are(tmp_path: Path) -> None:
    world = World(open_database(tmp_path / "data" / "tracker.db", write=True), tmp_path)
    world.post(), world.post(tier="maybe")
    world.watch()
    old = [tuple(row) for row in world.db.execute("SELECT watch, item, lab, found_at, quiet FROM watch_events")]
    assert [row[4] for row in old] == [0]
    with transaction(world.db):
        world.db.execute("DROP VIEW watch_board")
        for table in ("near_misses", "event_changes"):
            world.db.execute(f"DROP TABLE {table}")
        world.db.execute("ALTER TABLE watch_events DROP COLUMN withdrawn_why")
        world.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm007'")
        world.db.execute("PRAGMA user_version = 6")
    world.db.close()
    schema.migrate(tmp_path / "data" / "tracker.db", steps=1)
    world.db, world.now = open_database(tmp_path / "data" / "tracker.db", write=True), datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert sum(result.items for result in world.watch()) == 2
    assert [tuple(row) for row in world.db.execute("SELECT watch, item, lab, found_at, quiet FROM watch_events")] == old
    assert [lacks for _, _, lacks in world.missed()] == ["only perhaps on learning (0.41)"]
    assert world.watch() == [], "once"
    world.db.close()


# -- taken back, and why ------------------------------------------------------------------------------

EVENT = matching.match(ASKED, FACTS)[0]


@pytest.mark.parametrize(
    ("asked", "changes", "why"),
    [
        pytest.param({}, {"topics": {}}, "no longer on learning (was 0.93)", id="another model"),
        pytest.param({}, {"topics": {"learning": (0.41, "maybe")}}, "only perhaps on learning (0.41, was 0.93)", id="less sure"),
        pytest.param(
            {}, {"topics": {"learning": (0.93, "no")}, "denied": {"learning": "ann"}}, "ann says it is not on learning", id="a label"
        ),
        pytest.param({}, {"by": {}}, "no longer by owl", id="another lab's"),
        pytest.param({}, {"by": {}, "about": {"owl": "x"}}, "no longer by owl, only about it", id="a title that names it"),
        pytest.param(
            {},
            {"at": "2026-05-30T08:00:00Z"},
            "moved out of the question's time (now of 2026-05-30, was of 2026-06-12)",
            id="another date",
        ),
        pytest.param({"since": "2026-06-15"}, {}, "the question was edited", id="the question asks from later on"),
        pytest.param({"until": "2026-06-10"}, {}, "the question was edited", id="the question asks until earlier"),
        pytest.param({"topics": ("memory",)}, {}, "the question was edited", id="the question asks for another topic"),
        pytest.param({"topics": (), "phrases": ("no such words",)}, {}, "the question was edited", id="the question asks for words"),
        pytest.param({"by": ("nest",)}, {}, "the question was edited", id="the question asks for another lab"),
        pytest.param({"not_by": ("owl",)}, {}, "the question was edited", id="the question leaves the lab out"),
        pytest.param(
            {"by": ("owl", "nest")},
            {"by": {"nest": "x", "owl": "parent of nest"}},
            "counts for nest, not for owl",
            id="a child that is asked for as well",
        ),
    ],
)
def test_why_an_event_is_taken_back(asked: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    question, facts = replace(ASKED, **asked), replace(FACTS, **changes)
    assert "owl" not in {event.lab for event in matching.match(question, facts)}
    assert matching.taken_back(question, facts, EVENT) == why


@pytest.mark.parametrize(
    ("asked", "changes", "why"),
    [
        pytest.param({}, {"title": "News"}, "no longer says “agents that learn”", id="the words are gone"),
        pytest.param({"phrases": ("on the moon",)}, {}, "the question was edited", id="the words are there, not asked for"),
        pytest.param({}, {"about": {}}, "no longer about owl", id="about another"),
        pytest.param({}, {"by": {"nest": "x"}}, "by nest, so it does not report about owl", id="another lab's own word"),
        pytest.param({"about": ("nest",)}, {}, "the question was edited", id="the question asks about another lab"),
    ],
)
def test_why_a_report_is_taken_back(asked: dict[str, Any], changes: dict[str, Any], why: str) -> None:
    before = replace(FACTS, title="agents that learn", by={}, about={"owl": "“Owl”"})
    question = replace(ASKED, about=("owl",), topics=(), phrases=("agents that learn",))
    (event,) = matching.match(question, before)
    question, facts = replace(question, **asked), replace(before, **changes)
    assert matching.match(question, facts) == []
    assert matching.taken_back(question, facts, event) == why


def test_a_retag_says_why_and_an_event_that_comes_back_stands_again(world: World) -> None:
    item = world.post()
    world.watch()
    assert world.why() is None
    world.now = datetime(2026, 7, 2, 6, tzinfo=UTC)
    world.tag(item, tier="")
    (result,) = world.watch()
    assert (result.withdrawn, world.why()) == (1, "no longer on learning (was 0.93)")
    status, events = world.board()
    assert events == []
    assert [(one.event.item, one.withdrawn_at, one.withdrawn_why) for one in status.withdrawn] == [
        (item, "2026-07-02T06:00:00Z", "no longer on learning (was 0.93)")
    ]
    world.tag(item)
    world.watch()
    assert (world.why(), world.board()[0].withdrawn) == (None, ())


def test_a_label_takes_an_event_back_and_names_who_said_so(world: World) -> None:
    item = world.post()
    world.watch()
    (key,) = world.db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()
    with transaction(world.db):
        labels.add(world.db, key, "topic:learning", 0, who="ann", picked="browse", now=iso(NOW))
    world.watch()
    assert world.why() == "ann says it is not on learning"
    assert world.missed() == [], "what a person denies is no near-miss"


def test_an_attribution_that_goes_says_so_and_leaves_a_near_miss(world: World) -> None:
    item = world.post()
    world.watch()
    world.tag(item, by="", about="owl")
    world.watch()
    assert world.why() == "no longer by owl, only about it"
    assert world.missed() == [(item, "owl", "about owl, not by it")]


def test_a_date_that_moves_out_of_the_time_says_so(world: World) -> None:
    item = world.post()
    world.watch()
    with transaction(world.db):
        world.db.execute("UPDATE items SET published_at = '2026-05-20T08:00:00Z' WHERE id = ?", (item,))
        world.db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item, iso(NOW)))
    world.watch()
    assert world.why() == "moved out of the question's time (now of 2026-05-20, was of 2026-06-12)"


def test_an_edit_of_the_question_says_so(world: World) -> None:
    world.post()
    world.watch()
    world.edit(topics=("memory",))
    assert world.why() == "the question was edited"


def test_what_was_taken_back_last_stands_first(world: World) -> None:
    first, second = world.post(), world.post()
    world.watch()
    for day, item in ((2, second), (3, first)):
        world.now = datetime(2026, 7, day, 6, tzinfo=UTC)
        world.tag(item, tier="")
        world.watch()
    assert [one.event.item for one in world.board()[0].withdrawn] == [first, second]


def _counts_as(world: World, item: int, act: str | None) -> None:
    """What the taggers say of the page now: a release, or a page of the lab like any other."""
    with transaction(world.db):
        world.db.execute("UPDATE items SET act = ?, act_cue = 'now available' WHERE id = ?", (act, item))
        world.db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item, iso(world.now)))
    world.watch()


def test_an_answer_that_becomes_a_sign_is_not_taken_back_in_silence(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, answer=("shipped",)))
    item = world.post(url="news")
    _counts_as(world, item, "release")
    assert (world.board()[0].state, world.board()[0].withdrawn) == ("answered", ())
    world.now = datetime(2026, 7, 2, 6, tzinfo=UTC)
    with transaction(db):
        db.execute("UPDATE sources SET last_ok_at = ?", (iso(world.now),))
    _counts_as(world, item, None)
    status, (event,) = world.board()
    assert (status.state, event.rung, event.reason[-1]) == ("open", "stated", "counted as shipped until 2026-07-02")
    assert [(one.event.rung, one.withdrawn_at, one.withdrawn_why) for one in status.withdrawn] == [
        ("shipped", "2026-07-02T06:00:00Z", "counts as stated now")
    ]
    status, (event,) = world.board("2026-07-01")
    assert (status.state, event.rung, len(event.reason), status.withdrawn) == ("answered", "shipped", 3, ())
    before = db.total_changes
    _counts_as(world, item, None)
    assert db.total_changes - before == 3, "the item and the queue: the event stays as it is"


def test_a_sign_that_becomes_an_answer_says_what_it_was(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, answer=("shipped",)))
    item = world.post(url="news")
    world.watch()
    _counts_as(world, item, "release")
    status, (event,) = world.board()
    assert (status.state, event.reason[-1], status.withdrawn) == ("answered", "counted as stated until 2026-06-20", ())


def test_two_changes_of_rung_in_a_row_leave_the_notice(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, answer=("shipped",)))
    item = world.post(url="news")
    _counts_as(world, item, "release")
    for day, links in ((2, "arxiv:2606.01234"), (4, None)):
        world.now = datetime(2026, 7, day, 6, tzinfo=UTC)
        with transaction(db):
            db.execute("UPDATE sources SET last_ok_at = ?", (iso(world.now),))
            db.execute("DELETE FROM links WHERE item = ?", (item,))
            if links:
                db.execute("INSERT INTO links(item, key) VALUES (?, ?)", (item, links))
        _counts_as(world, item, None)
    status, (event,) = world.board()
    assert (status.state, event.rung) == ("open", "stated")
    assert event.reason[-2:] == ("counted as shipped until 2026-07-02", "counted as published until 2026-07-04")
    assert [(one.event.rung, one.withdrawn_at, one.withdrawn_why) for one in status.withdrawn] == [
        ("shipped", "2026-07-02T06:00:00Z", "counts as stated now")
    ]
    seen = {day: world.board(f"2026-07-0{day}") for day in (1, 2, 3, 4)}
    assert [event.rung for _, (event,) in seen.values()] == ["shipped", "published", "published", "stated"]
    assert [len(status.withdrawn) for status, _ in seen.values()] == [0, 1, 1, 1]


def test_an_edit_of_what_answers_says_which_answers_no_longer_do(world: World) -> None:
    item = world.post()
    world.watch()
    world.now = datetime(2026, 7, 2, 6, tzinfo=UTC)
    assert world.edit(answer=("shipped",)) == [], "nothing is asked anew"
    status, (event,) = world.board()
    assert (status.state, event.rung, event.reason[-1]) == ("open", "published", "answered until 2026-07-02")
    assert [(one.event.item, one.event.rung, one.withdrawn_at, one.withdrawn_why) for one in status.withdrawn] == [
        (item, "published", "2026-07-02T06:00:00Z", "published answers the question no longer")
    ]
    world.edit(answer=("shipped",), note="Not a demo.")
    assert len(world.board()[0].withdrawn) == 1, "said once"
    world.edit(answer=("published", "shipped"))
    assert (world.board()[0].state, world.board()[0].withdrawn) == ("answered", ()), "it answers again"


def test_a_sign_that_never_answered_is_not_missed_by_an_edit_of_what_answers(world: World) -> None:
    world.post(url="news")
    world.watch()
    world.edit(answer=("shipped",))
    assert world.board()[0].withdrawn == ()


# -- a question that nobody has looked at --------------------------------------------------------------


def printed(told: dict[str, Any]) -> str:
    """The head of a question in a terminal."""
    return " ".join(show_watch.board([told | {"proof": None, "last": None}]))


@pytest.mark.parametrize(
    ("changes", "looked"),
    [
        pytest.param({"topics": ("memory",)}, "no", id="another topic"),
        pytest.param({"until": "2026-12-01"}, "no", id="another time"),
        pytest.param({"note": "Not blogs.", "question": "Has Owl?"}, "yes", id="words for people"),
        pytest.param({"answer": ("stated",)}, "yes", id="what answers"),
        pytest.param({"id": "other"}, "no", id="another question"),
    ],
)
def test_an_edited_question_shows_nothing_of_the_one_before(world: World, changes: dict[str, Any], looked: str) -> None:
    world.post(), world.post(tier="maybe")
    world.watch()
    world.config = replace(world.config, watches=(replace(ASKED, **changes),))
    status, events = world.board()
    assert status.looked == looked
    assert (len(events), status.near, status.proof is None) == ((0, 0, True) if looked == "no" else (1, 1, "answer" in changes))
    (told,) = browse.board(world.db, watch.board(world.db, world.config, NOW))
    assert (told["looked"], told["events"], told["looked_words"] != "") == (looked, len(events), looked == "no")
    assert ("not looked yet; the next `tracker run` looks back" in printed(told)) == (looked == "no")
    assert world.watch() == [] or world.board()[0].looked == "yes"


def test_a_look_back_that_is_under_way_says_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "BATCH", 1)
    first, second = world.post(at="2026-06-12"), world.post(at="2026-06-10")
    world.watch()
    world.config = replace(world.config, watches=(replace(ASKED, until="2026-12-01", answer=("shipped",)),))
    next(watch.watch(world.db, world.config, now=NOW))  # killed after its first batch
    status, events = world.board()
    assert (status.looked, status.looked_words) == ("partly", "looked back up to 2026-06-20 so far"), "the day of the item's row"
    assert [event.item for event in events] == [first]
    (told,) = browse.board(world.db, watch.board(world.db, world.config, NOW))
    assert "looked back up to 2026-06-20 so far; seen so far: published" in printed(told)
    assert "none as of" not in printed(told)
    world.watch()
    assert (world.board()[0].looked, [event.item for event in world.board()[1]]) == ("yes", [second, first])


# -- a label that is given while a run watches ----------------------------------------------------------


@pytest.mark.parametrize("statement", range(1, 40))
def test_a_label_that_is_given_meanwhile_is_not_lost(world: World, tmp_path: Path, statement: int) -> None:
    item = world.post()
    (key,) = world.db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()
    (file,) = (row["file"] for row in world.db.execute("PRAGMA database_list") if row["name"] == "main")
    other = open_database(Path(file), write=True)
    other.execute("PRAGMA busy_timeout = 0")
    seen, labelled = itertools.count(1), []

    def label(_: str = "") -> None:
        if next(seen) < statement or labelled:
            return
        with suppress(StoreError), transaction(other):  # held off until the batch is stored
            labels.add(other, key, "topic:learning", 0, who="ann", picked="browse", now=iso(NOW))
            labelled.append(key)

    world.db.set_trace_callback(label)
    world.watch()
    world.db.set_trace_callback(None)
    seen = itertools.count(statement)
    label()
    world.watch()
    other.close()
    kept = watches.history(world.db, "learns")
    assert [one.withdrawn_why for one in kept] in ([], ["ann says it is not on learning"])
    assert world.db.execute("SELECT count(*) FROM pending WHERE stage = 'watch'").fetchone()[0] == 0


# -- one answer a story, lab and rung -----------------------------------------------------------------


def kept(item: int, at: str, story: int | None, rung: str = "published", lab: str = "owl") -> Kept:
    return Kept(Event("learns", item, lab, rung, f"{at}T08:00:00Z", 0.9, ("because",)), f"{at}T09:00:00Z", False, story)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param([kept(1, "2026-06-12", 7), kept(2, "2026-06-10", 7)], [(2, (1,))], id="the earliest counts, whichever came first"),
        pytest.param([kept(1, "2026-06-10", 7), kept(2, "2026-06-10", 8)], [(1, ()), (2, ())], id="two stories"),
        pytest.param([kept(1, "2026-06-10", 7), kept(2, "2026-06-11", 7, "stated")], [(1, ()), (2, ())], id="two rungs"),
        pytest.param([kept(1, "2026-06-10", 7), kept(2, "2026-06-11", 7, lab="nest")], [(1, ()), (2, ())], id="two labs"),
        pytest.param([kept(1, "2026-06-10", None), kept(2, "2026-06-10", None)], [(1, ()), (2, ())], id="no story yet"),
    ],
)
def test_several_items_of_a_story_are_one_answer(events: list[Kept], told: list[tuple[int, tuple[int, ...]]]) -> None:
    assert [(event.item, event.further) for event in watch.one_per_story(events)] == told


def test_stories_that_merge_are_one_answer_from_then_on(world: World) -> None:
    first, second = world.post(), world.post(at="2026-06-10")
    world.watch()
    assert [(event.item, event.further) for event in world.board()[1]] == [(second, ()), (first, ())]
    before = world.db.execute("SELECT count(*) FROM watch_events").fetchone()[0]
    with transaction(world.db):
        stories.merge(world.db, world.story(second), world.story(first), [(second, 0.9, "the same title")], iso(NOW))
    (result,) = world.watch()
    assert (result.items, result.events, result.withdrawn) == (1, 0, 0)
    assert [(event.item, event.further) for event in world.board()[1]] == [(second, (first,))]
    assert world.db.execute("SELECT count(*) FROM watch_events").fetchone()[0] == before, "worked out when it is read"


def test_each_labs_first_is_the_first_of_its_first_story_and_moves_back_with_a_backfill(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, first_per="lab"))
    post = world.post(at="2026-06-14")
    paper = world.post(at="2026-06-12", story=world.story(post))
    world.post(at="2026-06-16")
    world.watch()
    status, (first,) = world.board()
    assert (first.item, first.further, status.proof) == (paper, (post,), first)
    earlier = world.post(at="2026-06-05", backlog=True)
    assert [(found.items, found.events) for found in world.watch()] == [(1, 1)], "a backfill is looked at, nothing else"
    status, (first,) = world.board()
    assert (first.item, status.proof, first.at[:10]) == (earlier, first, "2026-06-05")
    assert db.execute("SELECT quiet FROM watch_events WHERE item = ?", (earlier,)).fetchone()[0] == 1, "and is never mailed"


# -- as of a day --------------------------------------------------------------------------------------


def test_the_board_of_a_day_knows_what_was_found_by_then(world: World) -> None:
    world.now = datetime(2026, 6, 16, 6, tzinfo=UTC)
    late = world.post(at="2026-06-12")
    world.watch()
    world.now = NOW
    new = world.post(at="2026-06-18")
    world.watch()
    seen = {day: [event.item for event in world.board(f"2026-06-{day}")[1]] for day in (11, 15, 16, 18, 20)}
    assert seen == {11: [], 15: [], 16: [late], 18: [late], 20: [late, new]}
    assert [world.board(day)[0].state for day in ("2026-06-15", "2026-06-16")] == ["open", "answered"]
    assert [world.board(day)[0].looked for day in ("2026-06-15", "2026-06-16")] == ["no", "yes"], "a none needs somebody who looked"
    assert world.board("2026-06-15")[0].looked_words == "not looked yet; the first look was on 2026-06-20"
    assert [world.board(day)[0].as_of for day in ("2026-06-15", "2026-08-01")] == ["2026-06-15T23:59:59Z", iso(NOW)]


def test_the_board_of_a_day_knows_what_a_look_back_learned_of_that_day(world: World) -> None:
    item = world.post(at="2026-06-05", backlog=True)
    world.watch()
    assert [[event.item for event in world.board(day)[1]] for day in ("2026-06-04", "2026-06-05")] == [[], [item]]


def test_the_board_of_a_day_knows_nothing_of_what_was_taken_back_later(world: World) -> None:
    item = world.post(at="2026-06-05", backlog=True)
    world.watch()
    world.tag(item, tier="")
    world.watch()
    (before, events), (after, gone) = world.board("2026-06-19"), world.board("2026-06-20")
    assert ([event.item for event in events], before.state, before.withdrawn) == ([item], "answered", ())
    assert (gone, after.state, [one.event.item for one in after.withdrawn]) == ([], "open", [item])


def test_what_was_replaced_never_stands_beside_what_replaced_it(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, by=("any",)))
    both, alone = world.post(at="2026-06-05", backlog=True), world.post(at="2026-06-05", backlog=True)
    with transaction(db):
        db.execute(
            """INSERT INTO item_labs(item, lab, relation, method, strength, evidence, registry)
            VALUES (?, 'nest', 'by', 'name', 'stated', 'of nest', 'r')""",
            (both,),
        )
    world.config = replace(world.config, watches=(replace(ASKED, by=("owl",)),))
    world.watch()
    world.now = datetime(2026, 7, 2, 6, tzinfo=UTC)
    world.edit(by=("nest",))
    assert sorted((one.event.item, one.event.lab, one.withdrawn_why) for one in watches.history(db, "learns")) == [
        (both, "nest", None), (both, "owl", "the question was edited"), (alone, "owl", "the question was edited")
    ]  # fmt: skip
    past, now = world.board("2026-06-25"), world.board()
    assert sorted((event.item, event.lab) for event in past[1]) == [(both, "nest"), (alone, "owl")]
    assert ([one.event.item for one in past[0].withdrawn], len(now[0].withdrawn)) == ([], 2), "it was not taken back yet"
    assert [(event.item, event.lab) for event in now[1]] == [(both, "nest")]


@pytest.mark.parametrize(
    ("why", "stand"),
    [
        ("counts for nest, not for owl", ["nest"]),
        ("the question was edited", ["nest"]),
        ("no longer by owl", ["nest", "owl"]),
        ("no longer on learning (was 0.93)", ["nest", "owl"]),
    ],
)
def test_what_was_known_beside_another_lab_was_known(why: str, stand: list[str]) -> None:
    gone = replace(kept(1, "2026-06-05", 7), withdrawn_at="2026-07-02T06:00:00Z", withdrawn_why=why)
    told = watch.as_known([gone, kept(1, "2026-06-05", 7, lab="nest")], "2026-06-25")
    assert sorted(one.event.lab for one in told if one.withdrawn_at is None) == stand
    assert [one.withdrawn_at for one in watch.as_known([gone], "2026-06-25")] == [None], "nothing has come in its place"
    assert [one.event.lab for one in watch.as_known([gone], None) if one.withdrawn_at] == ["owl"]


def test_what_was_taken_back_for_a_while_did_not_stand_in_it(world: World) -> None:
    item = world.post(at="2026-06-05", backlog=True)
    world.watch()
    for day, tier in ((2, ""), (4, "confident"), (6, "")):
        world.now = datetime(2026, 7, day, 6, tzinfo=UTC)
        with transaction(world.db):
            world.db.execute("UPDATE sources SET last_ok_at = ?", (iso(world.now),))
        world.tag(item, tier=tier)
        world.watch()
    days = {day: world.board(f"2026-07-{day:02}") for day in range(1, 8)}
    assert [len(events) for _, events in days.values()] == [1, 0, 0, 1, 1, 0, 0]
    assert [status.state for status, _ in days.values()] == ["answered", "open", "open", "answered", "answered", "open", "open"]
    gone = [[(one.withdrawn_at or "")[:10] for one in status.withdrawn] for status, _ in days.values()]
    assert gone == [[], ["2026-07-02"], ["2026-07-02"], [], [], ["2026-07-06"], ["2026-07-06"]]
    assert days[5][1][0].reason[-1] == "taken back from 2026-07-02 until 2026-07-04 (no longer on learning (was 0.93))"
    assert len(days[1][1][0].reason) == 3


def test_the_days_of_a_wait_are_counted_up_to_that_day(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(ASKED, until="2026-06-10"))
    states = [(status.state, status.day) for status, _ in (world.board(f"2026-06-{day:02}") for day in (3, 10, 11))]
    assert states == [("waiting", 2), ("waiting", 9), ("expired", 9)]


def test_a_wait_for_another_question_begins_when_that_was_known(db: sqlite3.Connection, tmp_path: Path) -> None:
    later = Watch("later", "And then?", by=("nest",), topics=("learning",), after="learns", within_s=30 * 86_400)
    world = World(db, tmp_path, ASKED, later)
    world.post(at="2026-06-12")
    world.watch()
    states = {day: watch.board(db, world.config, NOW, day)[1][1] for day in ("2026-06-19", "2026-06-20")}
    assert [(status.state, status.day) for status in states.values()] == [("open", 0), ("waiting", 8)]


def test_the_near_misses_of_a_day_are_those_of_items_up_to_it(world: World) -> None:
    world.post(at="2026-06-12", tier="maybe"), world.post(at="2026-06-14", tier="maybe")
    world.watch()
    assert [world.board(day)[0].near for day in ("2026-06-11", "2026-06-12", "2026-06-14", None)] == [0, 1, 2, 2]


# -- what was looked at -------------------------------------------------------------------------------


def test_a_none_says_how_many_sources_were_looked_at_and_how_many_have_gaps(world: World) -> None:
    with transaction(world.db):
        for since in ("2026-06-18", "2026-06-19"):
            gaps.note(world.db, Gap("owl", f"{since}T00:00:00Z", f"{since}T06:00:00Z", "no answer", iso(NOW)))
        gaps.note(world.db, Gap("press", "2026-06-18T00:00:00Z", "2026-06-18T06:00:00Z", "no answer", iso(NOW)))
        (gap,) = gaps.open_of(world.db, "press")
        gaps.close(world.db, gap, iso(NOW), "the next answer overlaps")
    status, _ = world.board()
    assert (status.sources, status.gaps) == (2, 1), "a source counts once, however many gaps it has"
    with transaction(world.db):
        world.db.execute("UPDATE sources SET retired_at = ? WHERE id = 'owl'", (iso(NOW),))
    assert (world.board()[0].sources, world.board()[0].gaps) == (1, 0)


def test_the_sources_and_gaps_of_a_day_are_those_of_that_day(world: World) -> None:
    with transaction(world.db):
        world.db.execute("UPDATE sources SET added_at = '2026-06-01T06:00:00Z' WHERE id = 'owl'")
        world.db.execute("UPDATE sources SET retired_at = '2026-06-15T06:00:00Z' WHERE id = 'owl'")
        gaps.note(world.db, Gap("owl", "2026-06-02T00:00:00Z", "2026-06-03T00:00:00Z", "no answer", "2026-06-03T06:00:00Z"))
        (gap,) = gaps.open_of(world.db, "owl")
        gaps.close(world.db, gap, "2026-06-05T06:00:00Z", "the next answer overlaps")
    states = [world.board(f"2026-06-{day:02}")[0] for day in (1, 3, 5, 15, 20)]
    assert [(status.sources, status.gaps) for status in states] == [(1, 0), (1, 1), (1, 0), (0, 0), (1, 0)]


# -- only what is new or has changed ------------------------------------------------------------------


def _block(world: World, item: int) -> None:
    """The paper itself names the lab: what is read late comes as a tag anew."""
    (made,) = items.select_items(world.db, "items.id = :id", {"id": item, "limit": 1})
    said = [Attribution("owl", "by", "block", "stated", "Owl Labs")]
    with transaction(world.db):
        tag = Tag("learning", 0.93, "confident", (("learn", 1.0),), "m")
        tags.save(world.db, made, [tag], said, tags.Signals("official"), registry="r", now=iso(NOW), done=True)


def _label(world: World, item: int) -> None:
    (key,) = world.db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()
    with transaction(world.db):
        labels.add(world.db, key, "topic:learning", 1, who="ann", picked="browse", now=iso(NOW))


@pytest.mark.parametrize(
    ("before", "change"),
    [
        pytest.param({"by": ""}, _block, id="an author block that comes late"),
        pytest.param({"tier": "maybe"}, _label, id="a label"),
        pytest.param({"tier": "maybe"}, World.tag, id="a retag"),
    ],
)
def test_what_changes_in_one_item_is_looked_at_alone(world: World, before: dict[str, str], change: Any) -> None:
    others = [world.post() for _ in range(5)]
    item = world.post(**before)  # type: ignore[arg-type]
    world.watch()
    assert world.watch() == [], "nothing waits: nothing is looked at"
    change(world, item)
    assert [(found.items, found.events, found.withdrawn) for found in world.watch()] == [(1, 1, 0)]
    assert {event.item for event in world.board()[1]} == {item, *others}
    assert world.watch() == []


@pytest.mark.parametrize(("day", "events"), [("2026-06-03", 1), ("2024-01-17", 0)], ids=["in its time", "long before"])
def test_a_date_that_comes_late_is_looked_at(world: World, day: str, events: int) -> None:
    undated = Entry("Post", "https://owl.example/research/x", guid="x")
    with transaction(world.db):
        items.save(world.db, OWL, [undated], now=iso(NOW), first=False, old_before=None)
    (item,) = (int(row[0]) for row in world.db.execute("SELECT id FROM items"))
    world.tag(item)
    with transaction(world.db):
        into_story(world.db, item, None, 1.0, "first of its story", iso(NOW))
    world.watch()
    assert [event.at for event in world.board()[1]] == [iso(NOW)], "it counts from when it was first seen"
    with transaction(world.db):
        items.save(world.db, OWL, [replace(undated, published_at=f"{day}T00:00:00Z")], now=iso(NOW), first=False, old_before=None)
    assert [found.items for found in world.watch()] == [1]
    assert [event.at[:10] for event in world.board()[1]] == [day] * events
    assert (world.why() is None) == bool(events)


def test_a_run_without_news_writes_nothing_and_asks_little(world: World) -> None:
    for _ in range(5):
        world.post()
    world.watch()
    asked: list[str] = []
    before = world.db.total_changes
    world.db.set_trace_callback(asked.append)
    world.watch()
    world.db.set_trace_callback(None)
    assert world.db.total_changes == before
    few = len(asked)
    for _ in range(50):
        world.post()
    world.watch()
    asked.clear()
    world.db.set_trace_callback(asked.append)
    world.watch()
    world.db.set_trace_callback(None)
    assert len(asked) == few, "however much is stored"


def test_a_batch_takes_as_many_statements_to_read_as_one_item(world: World) -> None:
    def reads(posts: int) -> int:
        for _ in range(posts):
            world.post(topic="memory")
        asked: list[str] = []
        world.db.set_trace_callback(asked.append)
        world.watch()
        world.db.set_trace_callback(None)
        return sum("watch_events" in sql or "near_misses" in sql for sql in asked)

    assert reads(1) == reads(40)
