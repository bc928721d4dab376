"""Evaluating watches: what runs have stored against a file that says which items answer a question, and which must not."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.questions import ARXIV, CAT, MEMORY, PRESS, SURE, UNSURE, World
from tracker.cli import cli
from tracker.evaluate_watches import COLUMNS
from tracker.store import labels, transaction
from tracker.types import Watch

WORDS = Watch("words", "Who says owls?", by=("any",), phrases=("owl*",), answer=("stated",), since="2026-01-01")


@pytest.fixture
def world(db: sqlite3.Connection, tmp_path: Path) -> World:
    """Runs on five days; item n lies at …/n of its source."""
    world = World(db, tmp_path, replace(MEMORY, until="2026-06-05"), WORDS)
    world.run("2026-05-10").post("Thoughts on memory")  # 1: stated
    _, story = world.run("2026-05-12").post("Owl remembers", act="release")  # 2: shipped
    world.run("2026-05-13").post("Owl remembers, says Owl again", topics={"online-learning": SURE}, act="release", story=story)  # 3
    world.run("2026-05-20").post("Cat remembers", CAT, act="release", at="2026-05-12T08:00:00Z")  # 4: seen late
    world.run("2026-06-01").post("Perhaps on memory", topics={"agent-memory": UNSURE}, act="release")  # 5
    world.post("Memory of a newspaper", PRESS)  # 6
    world.post("A paper on memory", ARXIV, by="openai")  # 7
    world.run("2026-06-10").post("Too late", CAT, act="release")  # 8
    world.ask()
    return world


ADDRESS = {
    1: "https://owl.example/1", 2: "https://owl.example/2", 3: "https://owl.example/3", 4: "https://cat.example/4",
    5: "https://owl.example/5", 6: "https://gazette.example/6", 7: "2606.00007", 8: "https://cat.example/8",
}  # fmt: skip


@pytest.fixture
def run(world: World) -> Callable[..., Result]:
    def invoke(rows: Sequence[Sequence[str]], *arguments: str, columns: Sequence[str] = (*COLUMNS, "note")) -> Result:
        with (world.folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
        before = Path.cwd()
        os.chdir(world.folder)
        try:
            return CliRunner().invoke(cli, ["evaluate", "watches", "--truth", "truth.csv", *arguments], catch_exceptions=False)
        finally:
            os.chdir(before)

    return invoke


def row(item: int | str, verdict: str = "event", rung: str = "shipped", *, day: str = "", watch: str = "memory") -> tuple[str, ...]:
    return watch, rung, ADDRESS[item] if isinstance(item, int) else item, day, verdict, "as the reader said"


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["evaluated"] == "watches"
    return found


def test_what_must_fire_and_did_is_found(run: Callable[..., Result]) -> None:
    found = told(run([row(2), row(4), row(1, rung="stated")]))
    memory = found["watches"]["memory"]
    assert (memory["events"], memory["found"], memory["found_by_story"], memory["missed"], memory["recall"]) == (3, 3, 0, 0, 1.0)
    assert (memory["rung_right"], memory["rung_right_share"]) == (3, 1.0)
    assert {name: memory[name] for name in memory} == {name: found["all"][name] for name in memory}, "it is the only one asked for"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        pytest.param("https://owl.example/nowhere", "the item is not known here", id="an item that never came"),
        pytest.param(5, "a near-miss is kept: only perhaps on agent-memory (0.60)", id="a near-miss"),
        pytest.param(6, "not by a lab that counts (by none; about none)", id="no lab"),
        pytest.param(8, "outside its time (2026-06-10)", id="too late"),
    ],
)
def test_what_was_missed_has_the_reason_that_the_tracker_gives(run: Callable[..., Result], changed: int | str, why: str) -> None:
    found = told(run([row(changed), row(2)]))
    (missed,) = found["missed"]
    assert (missed["why"], missed["line"], missed["watch"]) == (why, 2, "memory")
    assert (found["all"]["missed"], found["all"]["recall"], found["all"]["unknown_items"]) == (1, 0.5, int("known here" in why))


def test_without_a_confident_topic_or_a_phrase_it_says_which(world: World, run: Callable[..., Result]) -> None:
    found = told(run([row(3, rung="stated"), row(1, rung="stated", watch="words")]))
    assert [one["why"] for one in found["missed"]] == [
        "no topic that is sure enough (none of its topics at all)", "its text has none of the phrases",
    ]  # fmt: skip


def test_a_score_that_is_sure_enough_lacks_something_else(world: World, run: Callable[..., Result]) -> None:
    world.run("2026-06-02")
    for score in (0.9, 0.8):
        world.post(f"Sure to {score}, says a newspaper", PRESS, topics={"agent-memory": (score, "maybe")})
    world.ask()
    found = told(run([row("https://gazette.example/9"), row("https://gazette.example/10")]))
    assert [one["why"] for one in found["missed"]] == [
        "not by a lab that counts (by none; about none)", "no topic that is sure enough (agent-memory 0.80, maybe)",
    ]  # fmt: skip


def test_rows_that_say_the_same_count_once(world: World, run: Callable[..., Result]) -> None:
    (item,) = world.db.execute("SELECT id FROM items WHERE title = 'Cat remembers'").fetchone()
    found = told(run([row(4), row(4), row(str(item), rung="stated"), row(5), row(5), row(1, "no"), row(1, "no")]))
    figures = found["all"]
    assert (found["rows"], figures["events"], figures["found"], figures["near_misses"], figures["near_misses_fired"]) == (3, 2, 1, 1, 1)
    assert (len(found["missed"]), figures["rung_right"]) == (1, 1)


def test_an_answer_of_a_story_excuses_no_other_lab_or_rung_of_it(world: World, run: Callable[..., Result]) -> None:
    (story,) = world.db.execute("SELECT story FROM story_items JOIN items ON id = item WHERE url LIKE '%owl.example/2'").fetchone()
    world.run("2026-06-03").post("Cat on what Owl remembers", CAT, act="release", story=story)
    world.post("Thoughts on what Owl remembers", story=story)
    world.post("Owl remembers, a third time", act="release", story=story)
    world.post("A newspaper on Cat", PRESS, about="openai", story=story)
    world.ask()
    result = run([row(3), row(1, "no"), row(4), row(7, rung="published")])
    assert [(one["title"], one["rung"]) for one in told(result)["other_events"]] == [
        ("Cat on what Owl remembers", "shipped"), ("Thoughts on what Owl remembers", "stated"), ("A newspaper on Cat", "reported"),
    ]  # fmt: skip
    assert "to be read: memory, reported about openai, 2026-06-03: A newspaper on Cat" in result.stderr


def test_what_was_taken_back_says_when_and_why(world: World, run: Callable[..., Result]) -> None:
    world.run("2026-06-11")
    with transaction(world.db):
        labels.add(world.db, "url:https://owl.example/2", "topic:agent-memory", 0, who="ann", picked="browse", now=world.now)
    world.ask()
    (missed,) = told(run([row(2)]))["missed"]
    assert missed["why"] == "taken back on 2026-06-11: ann says it is not on agent-memory"


def test_an_event_on_another_item_of_the_story_is_found_by_story(world: World, run: Callable[..., Result]) -> None:
    memory = told(run([row(3)]))["watches"]["memory"]
    assert (memory["found"], memory["found_by_story"], memory["rung_right"]) == (1, 1, 1)


def test_of_another_rung_or_lab_the_story_is_another_answer(world: World, run: Callable[..., Result]) -> None:
    (story,) = world.db.execute(
        "SELECT story FROM story_items WHERE item = (SELECT id FROM items WHERE url LIKE '%owl.example/2')"
    ).fetchone()
    world.run("2026-06-03").post("Cat on what Owl remembers", CAT, topics={"online-learning": SURE}, act="release", story=story)
    world.ask()
    found = told(run([row(3, rung="published"), row("https://cat.example/9", rung="shipped")]))
    assert [one["how"] for one in found["missed"]] == ["", ""]


def test_a_near_miss_that_fires_is_counted_and_listed(run: Callable[..., Result]) -> None:
    found = told(run([row(2, "near-miss"), row(1, "no", rung=""), row(5, "near-miss"), row("https://owl.example/nix", "0")]))
    memory = found["watches"]["memory"]
    assert (memory["near_misses"], memory["near_misses_fired"], memory["near_misses_fired_share"]) == (4, 2, 0.5)
    assert memory["near_misses_answering"] == 1, "the other is a sign on the way"
    assert [one["item"] for one in found["near_misses_fired"]] == [ADDRESS[2], ADDRESS[1]]
    assert "on agent-memory (0.95)" in found["near_misses_fired"][0]["why"]


def test_what_fired_beside_the_file_is_listed_to_be_read(run: Callable[..., Result]) -> None:
    found = told(run([row(3), row(1, "no")]))
    # 2 is of the story of 3, 1 is in the file; 4 and 7 are in nobody's.
    assert [(one["title"], one["rung"], one["settles"]) for one in found["other_events"]] == [
        ("Cat remembers", "shipped", True), ("A paper on memory", "published", False),
    ]  # fmt: skip
    assert (found["all"]["other_events"], found["all"]["other_events_answering"]) == (2, 1)
    assert found["all"]["other_events_a_month"] == round(2 / (32 / 30.44), 2)
    assert "to be read: memory, shipped by openai, 2026-05-12: Cat remembers" in run([row(3), row(1, "no")]).stderr


def test_a_rung_that_is_another_is_wrong_and_any_of_several_is_right(run: Callable[..., Result]) -> None:
    found = told(run([row(2, rung="stated"), row(4, rung="stated;shipped"), row(1, rung="")]))
    assert (found["all"]["found"], found["all"]["rung_right"], found["all"]["rung_right_share"]) == (3, 1, 0.5)
    assert [(one["rung"], one["said"]) for one in found["wrong_rung"]] == [("stated", "shipped")]


@pytest.mark.parametrize(
    ("item", "day", "polls", "days"),
    [
        pytest.param(2, "2026-05-12", 0, 0, id="found by the first run of its day"),
        pytest.param(4, "2026-05-12", 2, 8, id="two runs had looked before, on that day and on the next"),
        pytest.param(4, "", 2, 8, id="without a day in the file, by the item's own"),
        pytest.param(4, "2026-01-01", 3, 10, id="before anybody looked: from the first run on"),
        pytest.param(4, "2026-06-01", 0, 0, id="dated later than it was found"),
        pytest.param(4, "2027-01-01", 0, 0, id="dated later than any run"),
    ],
)
def test_the_delay_is_counted_in_runs_and_days(run: Callable[..., Result], item: int, day: str, polls: int, days: int) -> None:
    found = told(run([row(item, day=day)]))
    assert [(one["polls"], one["days"]) for one in found["found"]] == [(polls, days)]
    assert found["all"]["delay_in_polls"] == {"median": polls, "mean": polls, "most": polls}


@pytest.mark.parametrize("name", ["2606.00007", "arxiv:2606.00007", "https://arxiv.org/abs/2606.00007v2"])
def test_a_paper_is_named_by_number_key_or_address(run: Callable[..., Result], name: str) -> None:
    assert told(run([row(name, rung="published")]))["all"]["found"] == 1


def test_an_item_is_named_by_its_id_too(world: World, run: Callable[..., Result]) -> None:
    (item,) = world.db.execute("SELECT id FROM items WHERE title = 'Cat remembers'").fetchone()
    assert told(run([row(str(item))]))["all"]["found"] == 1


@pytest.mark.parametrize(
    ("verdict", "counts"),
    [("YES", (1, 0, 0)), ("true", (1, 0, 0)), ("1", (1, 0, 0)), ("Event", (1, 0, 0)), ("near_miss", (0, 1, 0)), ("false", (0, 1, 0)),
     ("Near-Miss", (0, 1, 0)), ("near", (0, 1, 0)), ("0", (0, 1, 0)), ("unsure", (0, 0, 1)), ("?", (0, 0, 1))],
)  # fmt: skip
def test_verdicts_as_people_write_them(run: Callable[..., Result], verdict: str, counts: tuple[int, int, int]) -> None:
    found = told(run([row(2, verdict)]))["all"]
    assert (found["events"], found["near_misses"], found["undecided"]) == counts


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        pytest.param([row(1), row(2, "perhaps not")], "truth.csv, line 3: verdict 'perhaps not' is none of those known: ", id="a verdict"),
        pytest.param([row(1, watch="memry")], 'line 2: "memry" is not a watch of the database; did you mean "memory"?', id="a watch"),
        pytest.param([row(1, rung="publishd")], 'line 2: "publishd" is not a rung; did you mean "published"?', id="a rung"),
        pytest.param([row(1, day="12 May")], "line 2: date must be a day like 2026-06-14, not '12 May'", id="a day"),
        pytest.param([row("")], "line 2: names no item", id="no item"),
        pytest.param([], "truth.csv: has no rows", id="no rows"),
    ],
)
def test_a_mistake_in_the_file_has_its_line(run: Callable[..., Result], rows: list[tuple[str, ...]], sentence: str) -> None:
    result = run(rows)
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_a_column_that_is_missing_is_named(run: Callable[..., Result]) -> None:
    result = run([("memory", "x")], columns=("watch", "item_url_or_id"))
    assert "lacks the columns rung, date, verdict; needed: watch, rung, item_url_or_id, date, verdict" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["watches"], "Missing option '--truth'"),
        (["topics", "--truth", "x"], "--truth does not go with topics; it is for watches"),
        (["watches", "--truth", "x", "--labels", "y"], "--labels does not go with watches"),
        (["watches", "--truth", "x", "--rows", "y"], "--rows does not go with watches"),
        (["labs"], "Missing option '--labels'"),
    ],
)
def test_a_wrong_use_is_told(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(cli, ["evaluate", *arguments])
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_lists_are_cut_where_asked_and_the_figures_are_not(run: Callable[..., Result]) -> None:
    rows = [row(5), row(6), row(8)]
    cut, whole = told(run(rows, "--errors", "1")), told(run(rows))
    assert (len(cut["missed"]), len(whole["missed"]), cut["all"]) == (1, 3, whole["all"])


def test_people_read_a_table(run: Callable[..., Result]) -> None:
    lines = run([row(2), row(5), row(1, "no"), row(1, rung="stated", watch="words")]).stderr.splitlines()
    assert lines[0] == "4 rows on 2 questions; runs over 1.05 months"
    assert lines[2].split() == ["memory", *"1 of 2 0 1 of 1 2 1.000 0".split()]
    assert lines[3].split() == ["words", *"0 of 1 0 – 1 – –".split()]
    assert lines[4].split()[0] == "all"
    assert any(line.startswith("missed: memory, Perhaps on memory: a near-miss is kept: ") for line in lines)


def test_one_row_is_one_row(run: Callable[..., Result]) -> None:
    assert run([row(2)]).stderr.startswith("1 row on 1 question; runs over ")


def test_nothing_is_written(world: World, run: Callable[..., Result]) -> None:
    before = world.db.execute("PRAGMA data_version").fetchone()[0]
    told(run([row(2)]))
    assert world.db.execute("PRAGMA data_version").fetchone()[0] == before
