"""Weekly counts: what counts where, which weeks go stale, that a recount equals counting everything anew, and what it costs."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.race_world import LABS, SEEN, TOPICS, add, counted, furnish, label, rung, say, stale, tag, tell, weekly
from tracker import race, store
from tracker.store import labels, schema, sources, transaction
from tracker.store import weekly as store_weekly

MONDAY, BEFORE = "2026-06-08", "2026-06-01"


@pytest.fixture
def world(db: sqlite3.Connection) -> sqlite3.Connection:
    furnish(db)
    return db


# -- what counts where ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "first", "week"),
    [
        pytest.param("2026-06-08T00:00:00Z", False, MONDAY, id="the first second of a Monday"),
        pytest.param("2026-06-07T23:59:59Z", False, BEFORE, id="the last second of a Sunday"),
        pytest.param("2026-03-04T08:00:00Z", True, "2026-03-02", id="backlog, by the day on which it was published"),
        pytest.param("2026-03-04T08:00:00Z", False, "2026-03-02", id="news that was published long ago, likewise"),
        pytest.param(None, False, MONDAY, id="without a date, when it was first seen"),
        pytest.param(None, True, MONDAY, id="backlog without a date, likewise"),
        pytest.param("1999-12-31T08:00:00Z", True, "1999-12-27", id="a week that spans a new year"),
        pytest.param("9999-12-31T08:00:00Z", False, "9999-12-27", id="the last week of all"),
        pytest.param("0001-01-01T08:00:00Z", False, "0001-01-01", id="the first"),
    ],
)
def test_an_item_counts_in_the_week_of_its_own_day(world: sqlite3.Connection, at: str | None, first: bool, week: str) -> None:
    add(world, "a", at, first=first)
    assert stale(world) == [week]
    counted(world)
    assert weekly(world) == {(week, "", "", ""): (1, 0)}
    assert world.execute("SELECT week FROM item_days").fetchone()[0] == week


def test_an_item_counts_for_its_confident_topics_its_labs_and_their_parents(world: sqlite3.Connection) -> None:
    item = add(world, "a", "2026-06-10")
    tag(world, item, {"memory": "confident", "drift": "maybe"}, ("by", "deepmind"), ("about", "openai"), ("mention", "anthropic"))
    tell(world, item)
    counted(world)
    cells = [("", ""), ("deepmind", "by"), ("google", "by"), ("openai", "about")]
    assert weekly(world) == {(MONDAY, topic, *cell): (1, 1) for topic in ("", "memory") for cell in cells}


def test_a_lab_that_is_known_in_two_ways_and_a_family_count_an_item_once(world: sqlite3.Connection) -> None:
    item = add(world, "a", "2026-06-10")
    tag(world, item, {}, ("by", "deepmind", "source"), ("by", "deepmind", "host"), ("by", "google"))
    counted(world)
    assert weekly(world, "lab <> ''") == {(MONDAY, "", lab, "by"): (1, 0) for lab in ("deepmind", "google")}


def test_a_child_counts_for_its_parent_from_the_day_it_joined(world: sqlite3.Connection) -> None:
    for name, at in (("a", "2026-06-02"), ("b", "2026-06-03")):
        tag(world, add(world, name, at), {}, ("by", "bought"))
    counted(world)
    assert weekly(world, "lab <> ''") == {(BEFORE, "", "bought", "by"): (2, 0), (BEFORE, "", "google", "by"): (1, 0)}


def test_a_story_counts_once_a_week_however_many_items_it_has(world: sqlite3.Connection) -> None:
    _, story = say(world, "openai", "2026-06-09")
    say(world, "openai", "2026-06-10", story=story)
    say(world, "openai", "2026-06-11")
    say(world, "openai", "2026-06-03", story=story)
    counted(world)
    found = weekly(world, "topic = 'memory' AND lab = 'openai'")
    assert found == {(MONDAY, "memory", "openai", "by"): (3, 2), (BEFORE, "memory", "openai", "by"): (1, 1)}


def test_what_a_label_denies_does_not_count_and_what_it_grants_does(world: sqlite3.Connection) -> None:
    one, other = add(world, "a", "2026-06-10"), add(world, "b", "2026-06-10")
    tag(world, one, {"memory": "confident"})
    tag(world, other, {"memory": "maybe"})
    counted(world)
    assert weekly(world, "topic <> ''") == {(MONDAY, "memory", "", ""): (1, 0)}
    label(world, one, "memory", 0)
    label(world, other, "drift", 1)
    counted(world)
    assert weekly(world, "topic <> ''") == {(MONDAY, "drift", "", ""): (1, 0)}


# -- which weeks go stale ---------------------------------------------------------------------------


ALL = ["2026-05-25", BEFORE, MONDAY]


def _loose(db: sqlite3.Connection) -> int:
    """The item without a story."""
    return int(db.execute("SELECT id FROM items WHERE title = 'loose'").fetchone()[0])


def _retag(db: sqlite3.Connection, item: int) -> None:
    tag(db, item, {"memory": "maybe"}, ("by", "openai"))


def _parents(db: sqlite3.Connection, _: int) -> None:
    with transaction(db):
        sources.sync_registry(db, TOPICS, [replace(lab, parents=()) for lab in LABS], SEEN)


def _run(sql: str) -> Callable[[sqlite3.Connection, int], object]:
    return lambda db, item: db.execute(sql, {"item": item})


TOUCHES: dict[str, tuple[Callable[[sqlite3.Connection, int], object], list[str]]] = {
    "a tag that is sure no longer": (_retag, [MONDAY]),
    "a tag that is gone": (lambda db, item: tag(db, item, {}, ("by", "openai")), [MONDAY]),
    "one more topic": (lambda db, item: tag(db, item, {"memory": "confident", "drift": "confident"}, ("by", "openai")), [MONDAY]),
    "one more that is only maybe": (lambda db, item: tag(db, item, {"memory": "confident", "drift": "maybe"}, ("by", "openai")), []),
    "the same tags again": (lambda db, item: tag(db, item, {"memory": "confident"}, ("by", "openai")), []),
    "another score": (_run("UPDATE item_topics SET score = 0.8, evidence = '[]' WHERE item = :item"), []),
    "a label that agrees": (lambda db, item: label(db, item, "memory", 1), []),
    "a label that denies": (lambda db, item: label(db, item, "memory", 0), [MONDAY]),
    "another lab": (lambda db, item: tag(db, item, {"memory": "confident"}, ("by", "anthropic")), [MONDAY]),
    "one more lab": (lambda db, item: tag(db, item, {"memory": "confident"}, ("by", "openai"), ("about", "google")), [MONDAY]),
    "a lab that is gone": (lambda db, item: tag(db, item, {"memory": "confident"}), [MONDAY]),
    "one more way to know the lab": (
        lambda db, item: tag(db, item, {"memory": "confident"}, ("by", "openai"), ("by", "openai", "host")),
        [],
    ),
    "a mention": (lambda db, item: tag(db, item, {"memory": "confident"}, ("by", "openai"), ("mention", "google")), []),
    "an attribution that is rewritten": (_run("UPDATE item_labs SET relation = 'about' WHERE item = :item"), [MONDAY]),
    "another date": (_run("UPDATE items SET published_at = '2026-05-20T08:00:00Z' WHERE id = :item"), ["2026-05-18", MONDAY]),
    "a date that is gone": (_run("UPDATE items SET published_at = NULL WHERE id = :item"), [MONDAY]),
    "another title": (_run("UPDATE items SET title = 'B', published_at = published_at WHERE id = :item"), []),
    "a story that is split": (_run("UPDATE story_items SET story = 2 WHERE item = :item"), [MONDAY]),
    "a story that is told better": (_run("UPDATE story_items SET score = 0.6, story = story WHERE item = :item"), []),
    "an item without a story": (_run("DELETE FROM story_items WHERE item = :item"), [MONDAY]),
    "an item that comes into a story": (lambda db, _: tell(db, _loose(db), 1), ["2026-05-25"]),
    "another rung": (lambda db, item: rung(db, item, "openai", "shipped"), [MONDAY]),
    "one more rung": (lambda db, _: rung(db, _loose(db), "openai", "stated"), ["2026-05-25"]),
    "a rung that is gone": (_run("DELETE FROM rungs WHERE item = :item"), [MONDAY]),
    "the rung of nobody": (lambda db, _: rung(db, _loose(db), "", "reported"), []),
    "the same rung": (lambda db, item: rung(db, item, "openai", "stated"), []),
    "another family": (_parents, ALL),
    "a family since another day": (_run("UPDATE lab_parents SET since = '2026-06-09'"), ALL),
    "one more family": (_run("INSERT INTO lab_parents VALUES ('openai', 'google', NULL)"), ALL),
    "the same family": (lambda db, _: furnish(db), []),
    "a new item": (lambda db, _: add(db, "new", "2026-04-01"), ["2026-03-30"]),
}


@pytest.mark.parametrize(("touch", "weeks"), TOUCHES.values(), ids=TOUCHES)
def test_what_changes_a_count_makes_its_week_stale_and_nothing_else_does(
    world: sqlite3.Connection, touch: Callable[[sqlite3.Connection, int], object], weeks: list[str]
) -> None:
    item, _ = say(world, "openai", "2026-06-10")
    say(world, "google", "2026-06-03", "drift")
    tag(world, add(world, "loose", "2026-05-26"), {"memory": "confident"}, ("by", "openai"))
    counted(world)
    assert stale(world) == []
    touch(world, item)
    assert stale(world) == weeks
    assert counted(world).weeks == len(weeks)
    assert stale(world) == []
    assert_as_from_scratch(world)


def test_a_statement_with_a_conflict_clause_of_its_own_marks_a_week_that_is_marked_already(world: sqlite3.Connection) -> None:
    item = add(world, "a", "2026-06-10")
    for clause in ("INSERT OR ABORT", "INSERT OR FAIL", "INSERT OR ROLLBACK", "INSERT OR IGNORE", "INSERT OR REPLACE"):
        world.execute("DELETE FROM item_topics")
        world.execute(f"{clause} INTO item_topics VALUES (?, 'memory', 0.9, 'confident', '[]', 'm')", (item,))
    assert stale(world) == [MONDAY]


def test_a_batch_marks_a_week_once_and_by_index_alone(world: sqlite3.Connection) -> None:
    found = [add(world, f"a{n}", "2026-06-10") for n in range(50)]
    counted(world)
    before = world.total_changes
    with transaction(world):
        world.executemany("INSERT INTO item_topics VALUES (?, 'memory', 0.9, 'confident', '[]', 'm')", [(item,) for item in found])
    assert world.total_changes - before == 50 + 1
    (body,) = world.execute("SELECT sql FROM sqlite_master WHERE name = 'topics_come_stale'").fetchone()
    mark = body.partition("BEGIN")[2].rpartition(";")[0].replace("new.item", "1")
    plan = [row["detail"] for row in world.execute(f"EXPLAIN QUERY PLAN {mark}")]
    assert any("SEARCH items" in line for line in plan)
    assert not any("SCAN items" in line or "SCAN marked" in line for line in plan)


# -- counted whole, and only once -------------------------------------------------------------------


def reference(db: sqlite3.Connection) -> dict[tuple[str, str, str, str], tuple[int, int]]:
    """Everything counted from the first row on, by other means: the view ``attributed``, days taken in Python."""
    found: dict[tuple[str, str, str, str], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    story = dict(map(tuple, db.execute("SELECT item, story FROM story_items")))
    for item, at in db.execute("SELECT id, published_at FROM items"):
        day = date.fromisoformat(at[:10] if at else f"{item // 1_000_000}")
        week = f"{day - timedelta(days=day.weekday())}"
        topics = [row[0] for row in db.execute("SELECT topic FROM item_topics WHERE item = ? AND tier = 'confident'", (item,))]
        labs = [tuple(row) for row in db.execute("SELECT lab, relation FROM attributed WHERE item = ? AND relation <> 'mention'", (item,))]
        for topic in ("", *topics):
            for lab, relation in (("", ""), *labs):
                items, stories = found[week, topic, lab, relation]
                items.add(item)
                stories |= {story[item]} if item in story else set()
    return {cell: (len(items), len(stories)) for cell, (items, stories) in found.items()}


def tables(db: sqlite3.Connection) -> list[list[tuple[object, ...]]]:
    return [[tuple(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4")] for table in ("weekly", "race", "responses")]


def assert_as_from_scratch(db: sqlite3.Connection) -> None:
    """The counts are those of a count of everything; so are race and responses."""
    assert weekly(db) == reference(db)
    kept = tables(db)
    with transaction(db):
        for table in ("weekly", "race", "responses"):
            db.execute(f"DELETE FROM {table}")
        db.execute("INSERT INTO stale_weeks SELECT DISTINCT week FROM item_days")
    counted(db)
    assert tables(db) == kept


def _edit(db: sqlite3.Connection, chance: random.Random) -> None:
    """One edit of any kind, through the store where the store does such."""
    everything = [row[0] for row in db.execute("SELECT id FROM items ORDER BY id")]
    item = chance.choice(everything)
    at = f"{date(2026, 6, 12) - timedelta(days=chance.randrange(300))}"
    topic, lab = chance.choice(["memory", "drift"]), chance.choice([lab.id for lab in LABS])
    told = db.execute("SELECT story FROM story_items WHERE item = ?", (item,)).fetchone()
    match chance.randrange(10):
        case 0:
            say(db, lab, at, topic, kind=chance.choice(["stated", "published", "shipped", "reported"]))
        case 1:
            add(db, f"x{len(everything)}", chance.choice([at, None]), first=chance.random() < 0.5)
        case 2:
            labs = [(chance.choice(["by", "about", "mention"]), lab, method) for method in ("source", "host") if chance.random() < 0.7]
            tag(db, item, {topic: chance.choice(["confident", "maybe"])}, *labs, registry=chance.choice("rs"))
        case 3:
            label(db, item, topic, chance.randrange(2))
        case 4:
            with transaction(db):
                for (row,) in db.execute("SELECT max(id) FROM labels").fetchall():
                    labels.withdraw(db, row or 0, now=SEEN)
        case 5:  # a better source dates it otherwise
            db.execute("UPDATE items SET published_at = ? WHERE id = ?", (chance.choice([f"{at}T09:00:00Z", None]), item))
        case 6 if told:  # merged into another story, whole
            into = chance.choice([row[0] for row in db.execute("SELECT id FROM stories")])
            db.execute("UPDATE story_items SET story = ? WHERE story = ?", (into, told[0]))
        case 7 if told:  # split by a person
            with transaction(db):
                db.execute("DELETE FROM story_items WHERE item = ?", (item,))
            tell(db, item)
        case 8:
            families = [LABS, [replace(one, parents=()) for one in LABS], [replace(LABS[0], parents=(("anthropic", at),)), *LABS[1:]]]
            furnish(db, chance.choice(families))
        case 9:
            rung(db, item, lab, chance.choice(["stated", "published", "shipped", "reported"]))


@pytest.mark.parametrize("seed", range(12))
def test_after_any_edits_the_recount_equals_a_count_of_everything(world: sqlite3.Connection, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        say(world, chance.choice(LABS).id, f"2026-0{1 + number % 6}-11")
    for _ in range(60):
        _edit(world, chance)
        if chance.random() < 0.2:
            counted(world)
    counted(world)
    assert stale(world) == []
    assert_as_from_scratch(world)


def test_a_second_run_writes_nothing_and_asks_for_two_things(world: sqlite3.Connection) -> None:
    for lab in ("openai", "google"):
        say(world, lab, "2026-06-10")
    assert counted(world).rows
    before, asked = world.total_changes, list[str]()
    world.set_trace_callback(asked.append)
    assert counted(world) == race.Counted()
    world.set_trace_callback(None)
    assert world.total_changes == before
    assert len(asked) <= 3


def test_a_week_that_is_counted_anew_writes_only_what_differs(world: sqlite3.Connection) -> None:
    for number in range(5):
        say(world, "openai", f"2026-06-{8 + number:02}")
    say(world, "google", "2026-06-10", "drift")
    counted(world)
    say(world, "google", "2026-06-11", "drift")
    world.execute("CREATE TEMP TABLE written(topic, lab)")
    world.execute("CREATE TEMP TRIGGER spy AFTER UPDATE ON main.weekly BEGIN INSERT INTO written VALUES (new.topic, new.lab); END")
    counted(world)
    assert sorted(map(tuple, world.execute("SELECT * FROM written"))) == [("", ""), ("", "google"), ("drift", ""), ("drift", "google")]


# -- killed ----------------------------------------------------------------------------------------------


def test_a_run_that_is_killed_between_tagging_and_counting_loses_nothing(world: sqlite3.Connection, tmp_path: Path) -> None:
    item, _ = say(world, "openai", "2026-06-10")
    counted(world)
    tag(world, item, {"memory": "confident", "drift": "confident"}, ("by", "openai"))
    world.close()
    again = store.open(tmp_path / "data" / "tracker.db", write=True)
    assert weekly(again, "topic = 'drift'") == {}
    counted(again)
    assert weekly(again, "topic = 'drift' AND lab = ''") == {(MONDAY, "drift", "", ""): (1, 1)}
    assert again.execute("SELECT count(*) FROM race WHERE topic = 'drift'").fetchone()[0] == 1
    assert_as_from_scratch(again)
    again.close()


@pytest.mark.parametrize("step", [("weekly", "put", 2), ("weekly", "put", 3), ("race", "put", 1), ("race", "put", 2), ("race", "done", 1)])
def test_a_run_that_is_killed_while_counting_goes_on_where_it_was(
    world: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, step: tuple[str, str, int]
) -> None:
    for number, lab in enumerate(("openai", "anthropic", "google")):
        say(world, lab, f"2026-05-{10 + 7 * number}")
        say(world, lab, f"2026-05-{10 + 7 * number}", "drift")
    module = store_weekly if step[0] == "weekly" else race.board
    real, calls = getattr(module, step[1]), [0]

    def killed(*args: object) -> object:
        calls[0] += 1
        done = real(*args)
        if calls[0] == step[2]:
            raise KeyboardInterrupt
        return done

    with monkeypatch.context() as patch:
        patch.setattr(module, step[1], killed)
        with pytest.raises(KeyboardInterrupt):
            counted(world)
    assert stale(world)
    counted(world)
    assert stale(world) == []
    assert_as_from_scratch(world)


# -- an archive ------------------------------------------------------------------------------------------


def test_the_migration_leaves_every_week_of_an_older_file_to_be_counted(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    schema.migrate(path, steps=5)
    old = store.connect(path, write=True)
    furnish(old)
    for number in range(30):
        add(old, f"a{number}", f"2026-0{1 + number // 6}-11")
    old.close()
    db = store.open(path, write=True)
    assert len([week for week in stale(db) if week]) == 5
    counted(db)
    assert weekly(db) == reference(db)
    db.close()


def _statements(db: sqlite3.Connection, act: Callable[[], object]) -> int:
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    act()
    db.set_trace_callback(None)
    return len(asked)


def test_the_first_count_of_an_archive_grows_with_its_weeks_and_no_faster(tmp_path: Path) -> None:
    costs = []
    for weeks in (20, 40, 80):
        db = store.open(tmp_path / f"{weeks}.db", write=True)
        furnish(db)
        for number in range(weeks):
            item = add(db, f"a{number}", f"{date(2024, 1, 1) + timedelta(weeks=number)}")
            tag(db, item, {"memory": "confident"}, ("by", "openai"))
        costs.append(_statements(db, lambda db=db: counted(db)))  # type: ignore[misc]
        db.close()
    assert costs[2] - costs[1] < 2.1 * (costs[1] - costs[0])
    assert costs[2] < 15 * 80


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
def test_a_week_is_read_by_its_days_and_by_nothing_else_that_grows(world: sqlite3.Connection, analysed: bool) -> None:
    for number in range(60):
        say(world, "openai", f"{date(2026, 6, 12) - timedelta(days=7 * number)}")
    counted(world)
    if analysed:
        world.execute("ANALYZE")
    say(world, "google", "2026-06-11")
    asked: list[str] = []
    world.set_trace_callback(asked.append)
    assert counted(world).weeks == 1
    world.set_trace_callback(None)
    plans = {
        sql: " / ".join(row["detail"] for row in world.execute(f"EXPLAIN QUERY PLAN {sql}"))
        for sql in asked
        if sql.lstrip()[:6].upper() in ("SELECT", "WITH R", "INSERT", "DELETE")
    }
    assert any("items_day" in plan for plan in plans.values())
    growing = ("items", "item_topics", "item_labs", "story_items", "stories", "rungs", "weekly")
    assert [plan for plan in plans.values() for table in growing if f"SCAN {table}" in plan] == []
