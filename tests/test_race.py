"""The race: intervals against published values, who says how much for its volume, which rungs, who follows whom and how soon by habit."""

from __future__ import annotations

import math
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.race_world import NOW, add, counted, furnish, rung, say, stale, tag, tell, weekly
from tracker import race, run
from tracker.race import Word, count, poisson, wilson
from tracker.store.race import Volumes

FAMILY = {
    "openai": [("openai", "")],
    "anthropic": [("anthropic", "")],
    "google": [("google", "")],
    "deepmind": [("deepmind", ""), ("google", "")],
    "bought": [("bought", ""), ("google", "2026-06-03")],
}
LONG_AGO = dict.fromkeys(FAMILY, "2024-01-01")


@pytest.fixture
def world(db: sqlite3.Connection) -> sqlite3.Connection:
    furnish(db)
    return db


def board(db: sqlite3.Connection, topic: str = "memory") -> dict[str, sqlite3.Row]:
    return {row["lab"]: row for row in db.execute("SELECT * FROM race_board WHERE topic = ?", (topic,))}


# -- intervals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "low", "high"),
    # K. Ulm, Am. J. Epidemiol. 131 (1990) 373, and the tables of E. S. Pearson and H. O. Hartley (1966), after Garwood (1936).
    [
        (0, 0, 3.689), (1, 0.025, 5.572), (2, 0.242, 7.225), (3, 0.619, 8.767), (4, 1.090, 10.242), (5, 1.623, 11.668),
        (10, 4.795, 18.390), (20, 12.217, 30.888), (100, 81.364, 121.627), (1000, 938.97, 1063.95),
    ],
)  # fmt: skip
def test_the_interval_of_a_count_is_garwoods(number: int, low: float, high: float) -> None:
    assert poisson(number) == pytest.approx((low, high), abs=0.006)


@pytest.mark.parametrize("number", [1, 2, 7, 40, 300])
def test_at_the_limits_of_a_count_exactly_a_fortieth_lies_beyond_it(number: int) -> None:
    def at_most(most: int, mean: float) -> float:
        term = total = math.exp(-mean)
        for k in range(1, most + 1):
            term *= mean / k
            total += term
        return total

    low, high = poisson(number)
    assert 1 - at_most(number - 1, low) == pytest.approx(0.025)
    assert at_most(number, high) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (20, 20, 0.8389, 1.0)],
)
def test_the_interval_of_a_share_is_wilsons(part: int, whole: int, low: float, high: float) -> None:
    assert wilson(part, whole) == pytest.approx((low, high), abs=0.0001)


def test_no_library_of_numbers_is_imported_for_it() -> None:
    told = "import sys, tracker.race; print([name for name in ('numpy', 'scipy', 'sklearn') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True).stdout == "[]\n"


# -- the board --------------------------------------------------------------------------------------


def test_a_lab_stands_by_its_stories_with_its_rungs_and_the_proof(world: sqlite3.Connection) -> None:
    first, story = say(world, "openai", "2026-04-02")
    say(world, "openai", "2026-04-03", kind="shipped", story=story)
    say(world, "openai", "2026-05-04", kind="shipped")
    newest, _ = say(world, "openai", "2026-06-10", kind="published")
    counted(world)
    row = board(world)["openai"]
    assert (row["name"], row["kind"], row["since"]) == ("OpenAI", "frontier", "2025-12-15")
    assert (row["stories"], row["items"], row["rungs"], row["reported"]) == (3, 4, "stated 1, published 1, shipped 2", 0)
    assert (row["stories_low"], row["stories_high"]) == (0.62, 8.77)
    assert (row["first_title"], row["first_at"]) == ("openai-0", "2026-04-02T09:00:00Z")
    assert (row["newest_title"], row["newest_url"], row["newest_at"]) == (
        "openai-3", "https://blog.example/openai-3", "2026-06-10T09:00:00Z",
    )  # fmt: skip
    assert tuple(world.execute("SELECT first_item, newest_item FROM race").fetchone()) == (first, newest)


def test_what_others_report_is_counted_apart(world: sqlite3.Connection) -> None:
    _, story = say(world, "anthropic", "2026-06-01", kind="reported")
    say(world, "anthropic", "2026-06-02", kind="reported", story=story)
    say(world, "openai", "2026-06-03", kind="reported")
    say(world, "openai", "2026-06-04")
    say(world, "openai", "2026-06-05", topic="")
    counted(world)
    found = {
        lab: tuple(row[name] for name in ("stories", "items", "reported", "rungs", "newest_title", "share"))
        for lab, row in board(world).items()
    }
    assert found == {"anthropic": (0, 0, 1, None, None, None), "openai": (1, 1, 1, "stated 1", "openai-3", 0.5)}
    assert {row["usual"] for row in board(world).values()} == {0.5}


def test_a_lab_nothing_is_known_of_has_no_row(world: sqlite3.Connection) -> None:
    say(world, "openai", "2026-06-01")
    say(world, "anthropic", "2026-06-01", topic="")
    counted(world)
    assert list(board(world)) == ["openai"]
    assert weekly(world, "lab = 'google'") == {}


def test_the_share_corrects_for_how_much_a_lab_publishes(world: sqlite3.Connection) -> None:
    """Both say four things on the topic; one of them says little else, the other twelve more."""
    for lab, others in (("openai", 12), ("anthropic", 0)):
        for number in range(4):
            say(world, lab, f"2026-05-{1 + number:02}")
        for number in range(others):
            say(world, lab, f"2026-05-{1 + number:02}", topic="")
    counted(world)
    rows = board(world)
    assert [rows[lab]["stories"] for lab in ("openai", "anthropic")] == [4, 4]
    assert [(rows[lab]["share"], rows[lab]["all_items"]) for lab in ("openai", "anthropic")] == [(0.25, 16), (1.0, 4)]
    assert rows["openai"]["usual"] == rows["anthropic"]["usual"] == 0.4  # 8 of 20
    assert [rows[lab]["times"] for lab in ("openai", "anthropic")] == [0.62, 2.5]
    assert (rows["openai"]["share_low"], rows["openai"]["share_high"]) == pytest.approx(wilson(4, 16), abs=0.0001)
    assert list(rows) == ["anthropic", "openai"]  # as many stories: the keener first


def test_a_parent_has_what_its_children_say_and_an_item_of_both_is_one_of_all(world: sqlite3.Connection) -> None:
    say(world, "deepmind", "2026-06-01", kind="published")
    item = add(world, "joint", "2026-06-02")
    tag(world, item, {"memory": "confident"}, ("by", "deepmind"), ("by", "openai"))
    for lab in ("deepmind", "openai"):
        rung(world, item, lab, "stated")
    tell(world, item)
    say(world, "bought", "2026-06-02")  # a day before Google bought it
    counted(world)
    rows = board(world)
    assert {lab: row["items"] for lab, row in rows.items()} == {"deepmind": 2, "google": 2, "openai": 1, "bought": 1}
    assert rows["google"]["rungs"] == "stated 1, published 1"
    assert rows["google"]["usual"] == 1.0  # three items of three: the joint one is one


def test_only_26_weeks_count_and_the_board_moves_on_when_a_week_begins(world: sqlite3.Connection) -> None:
    say(world, "openai", "2025-12-14")
    say(world, "openai", "2025-12-15")
    say(world, "openai", "2026-06-10")
    counted(world)
    assert board(world)["openai"]["items"] == board(world)["openai"]["all_items"] == 2
    before = world.total_changes
    count(world, now=NOW + timedelta(days=2))  # Sunday
    assert world.total_changes == before
    count(world, now=NOW + timedelta(days=3))
    assert (board(world)["openai"]["items"], board(world)["openai"]["since"]) == (1, "2025-12-22")
    count(world, now=NOW + timedelta(weeks=40))
    assert board(world) == {}


def test_what_is_dated_after_today_waits_for_its_day(world: sqlite3.Connection) -> None:
    item, _ = say(world, "openai", "2026-06-10")
    world.execute("UPDATE items SET published_at = '9999-12-31T08:00:00Z' WHERE id = ?", (item,))
    counted(world)
    assert board(world) == {}
    assert weekly(world, "topic = 'memory' AND lab = 'openai'") == {("9999-12-27", "memory", "openai", "by"): (1, 1)}


def test_the_board_is_the_sum_of_its_weeks(world: sqlite3.Connection) -> None:
    for number in range(40):
        say(world, ("openai", "google", "deepmind")[number % 3], f"{date(2026, 6, 12) - timedelta(days=11 * number)}")
    counted(world)
    for lab, row in board(world).items():
        cells = weekly(world, f"lab = '{lab}' AND topic = 'memory' AND relation = 'by' AND week >= '2025-12-15'")
        assert row["items"] == sum(items for items, _ in cells.values())


def test_where_the_volume_is_not_counted_yet_no_share_exceeds_the_whole_and_nothing_is_usual() -> None:
    (found,) = race.standings({"openai": [word(1, "2026-06-01"), word(2, "2026-06-02")]}, "2025-12-15", Volumes({}, 0, {}))
    assert (found.items, found.all_items, found.share, found.usual, found.times) == (2, 2, 1.0, None, None)


# -- who follows whom -------------------------------------------------------------------------------


def word(number: int, at: str, *, story: int | None = None, rung: str = "stated", sure: bool = True) -> Word:
    """Something a lab has said, in a story of its own unless told otherwise."""
    instant = at if "T" in at else f"{at}T10:00:00Z"
    return Word(number, instant[:10], instant, number if story is None else story, rung, sure)


def followed(
    told: Word,
    theirs: Sequence[Word],
    *,
    lab: str = "anthropic",
    other: str = "openai",
    also: Sequence[Word] = (),
    known: str = "2024-01-01",
) -> race.Response | None:
    """How one lab followed a story of another; ``also``: what else the latter has said."""
    said = {lab: sorted([told, *also], key=lambda one: one.at), other: list(theirs)}
    found = race.responses(said, FAMILY, "2025-12-15", {**LONG_AGO, other: known})
    return next((one for one in found if (one.lab, one.follower, one.story) == (lab, other, told.story)), None)


TOLD = word(1, "2026-06-01")
HABIT = [word(100 + n, f"{date(2026, 1, 2) + timedelta(days=25 * n)}") for n in range(6)]  # all in the 180 days before


def test_a_response_is_told_with_its_proof_and_with_what_is_usual() -> None:
    found = followed(TOLD, [*HABIT, word(2, "2026-06-04T22:00:00Z", rung="shipped"), word(3, "2026-06-05")])
    assert found == race.Response(
        1, "anthropic", "openai", 1, "2026-06-01T10:00:00Z", 2, "2026-06-04T22:00:00Z", "shipped", 3.5, 6, 30.0,
        round(1 - math.exp(-6 / 180 * 3.5), 3), round(1 - math.exp(-2.2019 / 180 * 3.5), 3), round(1 - math.exp(-13.0595 / 180 * 3.5), 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "item"),
    [
        pytest.param([word(2, "2026-06-02", story=1), word(3, "2026-06-05")], 3, id="what joins the story itself is no answer to it"),
        pytest.param([word(2, "2026-06-01T09:59:59Z"), word(3, "2026-06-05")], 3, id="what came an hour before is none"),
        pytest.param([word(2, "2026-06-01T10:00:00Z"), word(3, "2026-06-05")], 3, id="nor is what came at that very instant"),
        pytest.param([word(2, "2026-06-01T16:00:00Z")], 2, id="later on the same day"),
        pytest.param([word(2, "2026-06-01T00:00:00Z"), word(3, "2026-06-05")], 3, id="some time on the same day: nobody knows"),
        pytest.param([word(2, "2026-07-31T23:00:00Z")], 2, id="the sixtieth day"),
        pytest.param([word(2, "2026-08-01T00:00:00Z")], None, id="the day after"),
        pytest.param([word(2, "2026-06-03", rung="reported"), word(3, "2026-06-05")], 3, id="what others report about it"),
        pytest.param([word(2, "2026-06-03", rung=""), word(3, "2026-06-05")], 3, id="what has no rung yet"),
        pytest.param([word(2, "2026-06-03", sure=False), word(3, "2026-06-05")], 3, id="what was only found that day"),
    ],
)
def test_what_answers_a_story(theirs: list[Word], item: int | None) -> None:
    found = followed(TOLD, theirs)
    assert (found and found.follower_item) == item


def test_what_both_labs_say_together_is_no_answer() -> None:
    joint = word(2, "2026-06-03")
    found = followed(TOLD, [joint, word(3, "2026-06-09")], also=[joint])
    assert found
    assert found.follower_item == 3


def test_days_are_whole_where_one_bears_no_hour() -> None:
    found = followed(TOLD, [word(2, "2026-06-03T00:00:00Z")])
    assert found
    assert found.days == 2.0


@pytest.mark.parametrize(
    ("lab", "other", "related"),
    [("deepmind", "google", True), ("google", "deepmind", True), ("bought", "google", False), ("deepmind", "openai", False)],
)
def test_a_lab_is_not_followed_by_its_own_family(lab: str, other: str, related: bool) -> None:
    assert (followed(TOLD, [word(2, "2026-06-02")], lab=lab, other=other) is None) == related


def test_a_lab_that_was_bought_is_family_from_then_on() -> None:
    assert followed(word(1, "2026-06-02"), [word(2, "2026-06-04")], lab="google", other="bought")
    assert followed(word(1, "2026-06-03"), [word(2, "2026-06-04")], lab="google", other="bought") is None


def test_who_has_the_habit_and_has_not_followed_is_waited_for_and_nobody_else() -> None:
    found = followed(TOLD, HABIT)
    assert found
    assert (found.follower_item, found.days, found.chance, found.items_before, found.usual_days) == (None, None, None, 6, 30.0)
    assert followed(TOLD, [word(50, "2025-11-01")]) is None  # 212 days before


def test_the_first_answer_of_a_lab_without_habit_is_shown_as_that() -> None:
    found = followed(TOLD, [word(2, "2026-06-11")])
    assert found
    assert (found.items_before, found.usual_days, found.chance, found.chance_low) == (0, None, 0.0, 0.0)
    assert found.chance_high == round(1 - math.exp(-3.6889 / 180 * 10), 3)


def test_the_habit_of_a_lab_that_is_known_for_less_is_counted_over_less_and_not_at_all_where_it_is_too_little() -> None:
    theirs = [word(40, "2026-05-01"), word(2, "2026-06-11")]
    known = followed(TOLD, theirs, known="2026-04-02")
    assert known
    assert (known.items_before, known.usual_days, known.chance) == (1, 60.0, round(1 - math.exp(-10 / 60), 3))
    unknown = followed(TOLD, theirs, known="2026-05-04")
    assert unknown
    assert (unknown.follower_item, unknown.usual_days, unknown.chance, unknown.chance_high) == (2, None, None, None)


def test_a_story_counts_from_its_first_word_by_the_lab_and_only_of_late() -> None:
    early, late = word(1, "2025-12-14", story=7), word(5, "2026-01-10", story=7)
    assert followed(early, [word(2, "2026-01-12")], also=[late]) is None
    one, two = word(1, "2026-01-08", story=7), word(5, "2026-01-10", story=7)
    found = followed(one, [word(2, "2026-01-12")], also=[two])
    assert found
    assert (found.item, found.days) == (1, 4.0)


def test_a_fortnight_on_the_response_board(world: sqlite3.Connection) -> None:
    for month in range(1, 6):
        say(world, "bought", f"2026-0{month}-01")
        say(world, "openai", f"2026-0{month}-01")
    told, story = say(world, "anthropic", "2026-06-01", kind="published")
    say(world, "openai", "2026-06-02", story=story)
    say(world, "openai", "2026-06-03", topic="drift")
    proof, _ = say(world, "openai", "2026-06-05", kind="shipped")
    say(world, "google", "2026-06-06", kind="reported")
    say(world, "deepmind", "2026-06-08")
    world.execute("UPDATE sources SET last_ok_at = '2026-06-12T06:00:00Z'")
    counted(world)
    rows = world.execute("SELECT * FROM response_board WHERE lab = 'anthropic' AND topic = 'memory' ORDER BY follower").fetchall()
    assert [(row["follower"], row["answer"], row["rung"]) for row in rows] == [
        ("bought", "no answer yet (day 11 of 60)", None),
        ("deepmind", "after 7 days", "stated"),
        ("google", "after 7 days", "stated"),
        ("openai", "after 4 days", "shipped"),
    ]
    assert {row["title"] for row in rows} == {"anthropic-10"}
    assert rows[3]["follower_url"] == "https://blog.example/openai-13"
    kept = world.execute("SELECT item, story, follower_item FROM responses WHERE lab = 'anthropic' AND follower = 'openai'").fetchone()
    assert tuple(kept) == (told, story, proof)
    world.execute("UPDATE sources SET last_ok_at = '2026-08-01T06:00:00Z'")
    assert (
        world.execute("SELECT answer FROM response_board WHERE days IS NULL AND lab = 'anthropic'").fetchone()[0] == "no answer in 60 days"
    )


def test_a_merge_takes_an_answer_back(world: sqlite3.Connection) -> None:
    _, story = say(world, "anthropic", "2026-06-01")
    item, _ = say(world, "openai", "2026-06-03")
    counted(world)
    pair = "SELECT count(*) FROM responses WHERE lab = 'anthropic' AND follower = 'openai'"
    assert world.execute(pair).fetchone()[0] == 1
    world.execute("UPDATE story_items SET story = ? WHERE item = ?", (story, item))
    counted(world)
    assert world.execute(pair).fetchone()[0] == 0


def test_what_was_found_undated_before_we_looked_is_no_answer_and_news_is(world: sqlite3.Connection) -> None:
    say(world, "anthropic", "2026-06-01")
    for name, first, lab in (("old", True, "openai"), ("new", False, "google")):
        item = add(world, name, None, first=first)
        tag(world, item, {"memory": "confident"}, ("by", lab))
        rung(world, item, lab, "stated")
        tell(world, item)
    counted(world)
    found = world.execute("SELECT follower, follower_at, days FROM responses WHERE lab = 'anthropic'").fetchall()
    assert [tuple(row) for row in found] == [("google", "2026-06-12T00:00:00Z", 11.0)]  # first seen that day: no hour is invented
    assert board(world)["openai"]["items"] == 1


# -- in the walk -------------------------------------------------------------------------------------


def test_the_walk_counts_after_the_watches_have_told_the_rungs(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text('[feeds.blog]\nurl = "https://blog.example/feed"\nlab = "openai"\n')
    with run.Tracker(path, tmp_path / "data" / "tracker.db", now=NOW) as tracker:
        furnish(tracker.db)
        add(tracker.db, "a", "2026-06-10")
        tracker.db.execute("UPDATE sources SET next_poll_at = '2027-01-01T00:00:00Z'")
        tracker.run()
        assert weekly(tracker.db, "lab = ''") == {("2026-06-08", "", "", ""): (1, 1)}
        assert weekly(tracker.db, "lab = 'openai' AND relation = 'by'") == {("2026-06-08", "", "openai", "by"): (1, 1)}
        assert stale(tracker.db) == []  # no later stage has touched what was counted
        assert tracker.race() == race.Counted()
