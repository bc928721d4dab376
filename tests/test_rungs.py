"""The rungs of items and stories, as they are stored, and the board of stories: who said it first, and how long the others took."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.archive import ARXIV, FORUM, LAB, NOW, OTHER_PRESS, PRESS, Archive, into_story
from tests.test_query_plans import SCAN, plans
from tracker import store
from tracker.clock import iso
from tracker.matching import story_rungs
from tracker.store import stories, tags, watches
from tracker.store.items import select_items


@pytest.fixture
def archive(db: sqlite3.Connection, tmp_path: Path) -> Archive:
    return Archive(db, tmp_path)


# -- of an item -------------------------------------------------------------------------------------


def test_every_item_that_comes_by_has_its_rung_with_its_cue(archive: Archive) -> None:
    post, _ = archive.post("Introducing Planner", LAB)
    press, _ = archive.post("Owl Labs has a planner")
    nobody, _ = archive.post("A planner for gardens")
    paper, _ = archive.post("Planning with trees", ARXIV)
    assert archive.rungs(post) == {}, "not before the stage"
    archive.watch()
    assert archive.rungs(post) == {"owl": "shipped"}
    assert archive.rungs(press) == {"owl": "reported"}
    assert archive.rungs(nobody) == {"": "reported"}
    assert archive.rungs(paper) == {}, "a paper of nobody we know is no rung"
    (cue,) = archive.db.execute("SELECT cue FROM rungs WHERE item = ?", (post,)).fetchone()
    assert cue == "released: “Introducing”"


def test_rungs_follow_their_ground_and_what_stays_is_not_written(archive: Archive) -> None:
    item, _ = archive.post("Owl Labs and Nest Labs have a planner")
    archive.watch()
    assert archive.rungs(item) == {"nest": "reported", "owl": "reported"}
    archive.db.execute("DELETE FROM item_labs WHERE lab = 'nest'")
    again(archive, item)
    assert archive.rungs(item) == {"owl": "reported"}
    writes = archive.db.execute("SELECT total_changes()").fetchone()[0]
    with store.transaction(archive.db):
        watches.put_rungs(archive.db, {item: [("reported", "owl", cue_of(archive, item))]})
    assert archive.db.execute("SELECT total_changes()").fetchone()[0] == writes


def again(archive: Archive, item: int) -> None:
    with store.transaction(archive.db):
        archive.db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item, iso(NOW)))
    archive.watch()


def cue_of(archive: Archive, item: int) -> str:
    return str(archive.db.execute("SELECT cue FROM rungs WHERE item = ?", (item,)).fetchone()[0])


# -- of a story -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "rungs"),
    [
        ((), ()),
        (("reported",), ("reported",)),
        (("shipped", "reported", "published"), ("published", "shipped")),
        (("stated", "stated"), ("stated",)),
    ],
    ids=["none", "press alone", "press beside the lab's own word", "twice the same"],
)
def test_the_rungs_of_a_story(present: tuple[str, ...], rungs: tuple[str, ...]) -> None:
    assert story_rungs(present) == rungs


def test_nothing_but_reported_without_a_first_party_item_however_many_tell_it(archive: Archive) -> None:
    _, story = archive.post("Owl Labs releases a planner", PRESS)
    archive.post("Show HN: the planner of Owl Labs", FORUM, story=story)
    archive.post("A study of the planner of Owl Labs", ARXIV, story=story)
    archive.post("Owl Labs publishes its planner: the paper", OTHER_PRESS, story=story)
    archive.watch()
    assert archive.board(story)["rungs"] == "reported"


def test_a_story_falls_back_when_its_first_party_item_leaves(archive: Archive) -> None:
    _, story = archive.post("Owl Labs has a planner")
    own, _ = archive.post("Introducing Planner", LAB, story=story)
    archive.watch()
    assert archive.board(story)["rungs"] == "shipped"
    with store.transaction(archive.db):
        stories.leave(archive.db, [own])
        elsewhere = into_story(archive.db, own, None, 1.0, "first of its story", iso(NOW))
    archive.watch()
    assert archive.board(story)["rungs"] == "reported"
    assert archive.board(elsewhere)["rungs"] == "shipped"


def test_a_story_falls_back_when_its_item_is_no_longer_by_the_lab(archive: Archive) -> None:
    own, story = archive.post("Introducing Planner", LAB)
    archive.watch()
    (item,) = select_items(archive.db, "items.id = :id", {"id": own, "limit": 1})
    with store.transaction(archive.db):
        tags.save(archive.db, item, [], [], tags.Signals("press"), registry="r", now=iso(NOW), done=True)
    archive.watch()
    assert archive.board(story)["rungs"] == "reported"


def test_the_rungs_of_a_story_stand_in_the_order_of_the_ladder(archive: Archive) -> None:
    _, story = archive.post("Introducing Planner", LAB)
    archive.post("Planner: technical report", LAB, story=story)
    archive.post("Owl Labs has a planner", story=story)
    archive.watch()
    assert archive.board(story)["rungs"] == "published, shipped"


# -- who said it first ------------------------------------------------------------------------------


def test_who_said_it_first_and_the_lead_times_between_kinds(archive: Archive) -> None:
    first, story = archive.post("Owl Labs has a planner", PRESS, "2026-06-10T15:00:00Z")
    archive.post("Owl Labs has a planner, too", OTHER_PRESS, "2026-06-11T00:00:00Z", story=story)
    archive.post("Introducing Planner", LAB, "2026-06-12T00:00:00Z", story=story)
    archive.post("Planning with owls", ARXIV, "2026-06-15T09:00:00Z", story=story)
    board = archive.board(story)
    assert (board["first_item"], board["first_source"], board["first_origin"]) == (first, "The Gazette", "press")
    assert (board["first_day"], board["same_day"], board["items"]) == ("2026-06-10", None, 4)
    days = {name: board[name] for name in ("official_day", "paper_day", "press_day", "community_day")}
    assert days == {"official_day": "2026-06-12", "paper_day": "2026-06-15", "press_day": "2026-06-10", "community_day": None}
    leads = {name: value for name, value in board.items() if "_after_" in name}
    assert leads == {
        "paper_after_official": 3, "press_after_official": -2, "community_after_official": None,
        "press_after_paper": -5, "community_after_paper": None, "community_after_press": None,
    }  # fmt: skip


def test_two_kinds_on_one_day_share_it_whatever_hours_one_of_them_gives(archive: Archive) -> None:
    _, story = archive.post("Owl Labs has a planner", PRESS, "2026-06-12T00:00:00Z")
    own, _ = archive.post("Introducing Planner", LAB, "2026-06-12T17:00:00Z", story=story)
    board = archive.board(story)
    assert (board["first_item"], board["first_origin"], board["same_day"]) == (own, "official", "press")
    assert board["press_after_official"] == 0


def test_what_bears_no_date_is_not_first_and_is_counted(archive: Archive) -> None:
    _, story = archive.post("Introducing Planner", LAB, None)
    dated, _ = archive.post("Owl Labs has a planner", PRESS, "2026-06-14T00:00:00Z", story=story)
    board = archive.board(story)
    assert (board["first_item"], board["official_day"], board["undated"]) == (dated, None, 1)
    assert board["press_after_official"] is None


def test_a_story_without_any_date_has_no_first_day(archive: Archive) -> None:
    item, story = archive.post("Introducing Planner", LAB, None)
    board = archive.board(story)
    assert (board["first_item"], board["first_day"], board["same_day"]) == (item, None, None)


def test_a_merged_story_is_not_on_the_board(archive: Archive) -> None:
    _, gone = archive.post("Introducing Planner", LAB)
    _, into = archive.post("Owl Labs has a planner")
    archive.db.execute("UPDATE stories SET merged_into = ? WHERE id = ?", (into, gone))
    assert [row[0] for row in archive.db.execute("SELECT story FROM story_board")] == [into]


# -- what it costs ----------------------------------------------------------------------------------

ASKED = {
    "a page": "SELECT * FROM story_board ORDER BY story DESC LIMIT 100",
    "a story": "SELECT * FROM story_board WHERE story = 1",
    "the count": "SELECT count(*) FROM story_board",
    "what is denied of an item": "SELECT * FROM denials WHERE item = 20260612000001",
    "what is denied in a story": "SELECT * FROM denials WHERE story = 1",
    "the rungs of a lab": "SELECT * FROM rungs WHERE lab = 'owl' AND rung = 'shipped' ORDER BY item DESC",
}


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("sql", ASKED.values(), ids=ASKED)
def test_the_board_is_read_by_its_indexes(archive: Archive, sql: str, analysed: bool) -> None:
    for number in range(30):
        _, story = archive.post(f"Introducing Planner {number}", LAB)
        archive.post(f"Owl Labs is in talks on planner {number}", story=story)
    archive.watch()
    if analysed:
        archive.db.execute("ANALYZE")
    ((_, plan),) = plans(archive.db, lambda: archive.db.execute(sql).fetchall())
    assert not SCAN.search(plan), plan
    assert not plan.startswith("USE TEMP B-TREE"), plan
