"""The board and the history of a question in a terminal: what a person reads, what a program gets, and as of a day."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.questions import ARXIV, CAT, MEMORY, PRESS, UNSURE, World
from tracker.cli import cli
from tracker.store import labels, transaction

NOW = "2026-06-20T12:00:00Z"
PAPERS = replace(MEMORY, id="papers", question="Is there a paper?", answer=("published",))


@pytest.fixture
def world(db: sqlite3.Connection, tmp_path: Path) -> World:
    world = World(db, tmp_path, MEMORY, PAPERS)
    world.run("2026-05-01").post("Thoughts on memory")
    _, story = world.run("2026-05-12").post("Owl remembers", act="release")
    world.run("2026-05-13").post("Owl remembers, says Owl again", act="release", story=story)
    world.run("2026-05-20").post("Cat remembers", CAT, act="release", at="2026-05-10T00:00:00Z")
    world.run("2026-06-01").post("Perhaps on memory", topics={"agent-memory": UNSURE}, act="release")
    world.run("2026-06-10").ask()
    world.toml(MEMORY, PAPERS)
    return world


@pytest.fixture
def run(world: World) -> Callable[..., Result]:
    def invoke(*arguments: str) -> Result:
        before = Path.cwd()
        os.chdir(world.folder)
        try:
            return CliRunner().invoke(cli, ["watch", "--now", NOW, *arguments], catch_exceptions=False)
        finally:
            os.chdir(before)

    return invoke


def told(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def take_back(world: World, item: int, day: str) -> None:
    """Somebody says on a day that an item is not on the topic."""
    world.run(day)
    with transaction(world.db):
        key = world.db.execute("SELECT key FROM items WHERE url LIKE ?", (f"%/{item}",)).fetchone()[0]
        labels.add(world.db, key, "topic:agent-memory", 0, who="ann", picked="browse", now=world.now)
    world.ask()


# -- the board --------------------------------------------------------------------------------------


def test_the_board_tells_state_rungs_proof_and_last_sign(run: Callable[..., Result]) -> None:
    text = run().output
    assert text.splitlines()[:2] == [
        "● Has a product with memory shipped?", "    answered (shipped); 3 events; seen so far: stated, shipped",
    ]  # fmt: skip
    assert (
        "    proof: shipped by openai, 2026-05-10: Cat remembers\n      https://cat.example/4  (on agent-memory (0.95); by openai" in text
    )
    assert "    last sign: shipped by anthropic, 2026-05-12: Owl remembers\n" in text


def test_none_is_told_with_the_day_the_sources_and_the_gaps(world: World, run: Callable[..., Result]) -> None:
    assert "○ Is there a paper?\n    none as of 2026-06-10 (published), 4 sources looked at, none with a gap; seen so far: " in run().output
    world.db.execute(
        """INSERT INTO gaps(source, from_at, to_at, reason, found_at)
        VALUES ('arxiv', '2026-06-01T00:00:00Z', '2026-06-02T00:00:00Z', 'window rolled', '2026-06-02T06:00:00Z')"""
    )
    assert "4 sources looked at, 1 with a gap" in run().output
    assert "4 sources looked at, none with a gap" in run("--as-of", "2026-06-01").output, "nobody knew of it then"
    assert {row["gaps"] for row in told(run("--json"))} == {1}


def test_of_a_question_that_nobody_has_looked_for_there_is_no_none(world: World, run: Callable[..., Result]) -> None:
    world.toml(replace(PAPERS, id="new", question="Anything new?"))
    lines = run().output.splitlines()
    assert lines[0] == "○ Anything new?"
    assert lines[1].startswith("    not looked yet; the next `tracker run` looks back")
    assert "none as of" not in lines[1]


def test_what_was_taken_back_is_told(world: World, run: Callable[..., Result]) -> None:
    take_back(world, 4, "2026-06-12")
    text = run().output
    assert "    proof: shipped by anthropic, 2026-05-12: Owl remembers\n" in text
    assert "    taken back on 2026-06-12: shipped by openai, 2026-05-10: Cat remembers\n      ann says it is not on agent-memory\n" in text
    (gone,) = told(run("--json"))[0]["withdrawn"]
    assert (gone["withdrawn_at"], gone["stands"], gone["title"]) == ("2026-06-12T06:00:00Z", False, "Cat remembers")


@pytest.mark.parametrize(
    ("day", "state", "proof"),
    [
        ("2026-04-30", "open", None), ("2026-05-01", "open", None), ("2026-05-12", "answered", "Owl remembers"),
        ("2026-05-20", "answered", "Cat remembers"),
    ],
)  # fmt: skip
def test_as_of_a_day_the_board_is_as_it_was_known_then(run: Callable[..., Result], day: str, state: str, proof: str | None) -> None:
    row = told(run("--as-of", day, "--json"))[0]
    assert (row["state"], row["proof"] and row["proof"]["title"]) == (state, proof)


def test_as_of_a_day_what_was_taken_back_later_stands(world: World, run: Callable[..., Result]) -> None:
    take_back(world, 4, "2026-06-12")
    before, after = (told(run("--as-of", day, "--json"))[0] for day in ("2026-06-11", "2026-06-12"))
    assert (before["proof"]["title"], before["withdrawn"]) == ("Cat remembers", [])
    assert (after["proof"]["title"], len(after["withdrawn"])) == ("Owl remembers", 1)


# -- the history ------------------------------------------------------------------------------------


def test_a_history_has_a_block_for_each_story_with_further_proofs_indented(run: Callable[..., Result]) -> None:
    blocks = run("memory").output.split("\n\n")
    assert blocks[0].splitlines()[0] == "● Has a product with memory shipped?"
    assert [block.splitlines()[0] for block in blocks[1:-1]] == [
        "  2026-05-01  stated by anthropic (a sign): Thoughts on memory",
        "  2026-05-10  shipped by openai (the proof): Cat remembers",
        "  2026-05-12  shipped by anthropic (answers): Owl remembers",
    ]
    assert blocks[3].splitlines() == [
        "  2026-05-12  shipped by anthropic (answers): Owl remembers",
        "    https://owl.example/2",
        "    found 2026-05-12; on agent-memory (0.95); by anthropic (the source declares it); released: “now available”",
        "    2026-05-13  shipped by anthropic (answers): Owl remembers, says Owl again",
        "      https://owl.example/3",
        "      found 2026-05-13; on agent-memory (0.95); by anthropic (the source declares it); released: “now available”",
    ]
    assert "    found 2026-05-20; " in blocks[2], "ten days after its own"


def test_a_history_ends_with_what_just_missed_and_what_it_lacks(run: Callable[..., Result]) -> None:
    assert run("memory").output.split("\n\n")[-1].splitlines() == [
        "Just missed it: 1",
        "  2026-06-01  would be shipped by anthropic: Perhaps on memory",
        "    https://owl.example/5",
        "    only perhaps on agent-memory (0.60) (by anthropic (the source declares it); released: “now available”)",
    ]


def test_of_many_near_misses_the_newest_are_shown_unless_all_are_asked_for(world: World, run: Callable[..., Result]) -> None:
    world.run("2026-06-11")
    for n in range(25):
        world.post(f"Perhaps {n:02}", topics={"agent-memory": UNSURE})
    world.ask()
    found, everything = told(run("memory", "--json")), told(run("memory", "--json", "--all"))
    assert (len(found["near"]), found["near_misses"], found["near"][0]["title"]) == (20, 26, "Perhaps 24")
    assert (len(everything["near"]), everything["near"][-1]["title"]) == (26, "Perhaps on memory")
    assert "Just missed it: 26, the newest 20 of them (--all shows all)\n" in run("memory").output


def test_a_history_keeps_what_was_taken_back_with_day_and_reason(world: World, run: Callable[..., Result]) -> None:
    take_back(world, 3, "2026-06-12")
    text = run("memory").output
    assert "      taken back on 2026-06-12: ann says it is not on agent-memory\n" in text
    story = next(story for story in told(run("memory", "--json"))["stories"] if len(story["events"]) == 2)
    assert [(event["stands"], event["withdrawn_why"]) for event in story["events"]] == [
        (True, None), (False, "ann says it is not on agent-memory"),
    ]  # fmt: skip


def test_a_history_as_of_a_day_knows_what_was_known_then(world: World, run: Callable[..., Result]) -> None:
    take_back(world, 3, "2026-06-12")
    found = told(run("memory", "--as-of", "2026-05-15", "--json"))
    assert [event["title"] for story in found["stories"] for event in story["events"]] == [
        "Thoughts on memory", "Owl remembers", "Owl remembers, says Owl again",
    ]  # fmt: skip
    assert all(event["stands"] for story in found["stories"] for event in story["events"]), "nobody had taken it back yet"
    assert (found["state"], found["near"], found["as_of"][:10]) == ("answered", [], "2026-05-15")


def test_a_question_without_events_says_so(world: World, run: Callable[..., Result]) -> None:
    world.ask(MEMORY, PAPERS, replace(PAPERS, id="none", question="Nothing?", topics=("self-training",)))
    world.toml(*world.config.watches)
    assert run("none").output.splitlines()[2:] == ["  No event so far.", "", "Nothing has just missed it."]


def test_an_answer_outside_its_time_is_told_as_such(world: World, run: Callable[..., Result]) -> None:
    reply = replace(MEMORY, id="reply", question="And then?", by=("anthropic", "openai"), after="papers", within_s=10 * 86_400)
    world.run("2026-06-03").post("A paper on memory", ARXIV, by="anthropic")
    world.run("2026-06-05").post("Owl replies", act="release")
    world.run("2026-06-19").post("Cat replies late", CAT, act="release")
    world.ask(MEMORY, PAPERS, reply)
    world.toml(MEMORY, PAPERS, reply)
    told_of = [event for story in told(run("reply", "--json"))["stories"] for event in story["events"]]
    assert {event["title"]: event["counts_as"] for event in told_of} == {
        "Thoughts on memory": "sign", "Cat remembers": "outside its time", "Owl remembers": "outside its time",
        "Owl remembers, says Owl again": "outside its time", "A paper on memory": "sign", "Owl replies": "proof",
        "Cat replies late": "outside its time",
    }  # fmt: skip
    assert "  2026-06-19  shipped by openai (outside its time): Cat replies late\n" in run("reply").output
    board = run().output
    assert "    proof: shipped by anthropic, 2026-06-05: Owl replies\n" in board
    assert "    last sign: shipped by openai (outside its time), 2026-06-19: Cat replies late\n" in board


def test_a_title_from_outside_cannot_steer_a_terminal(world: World, run: Callable[..., Result]) -> None:
    world.run("2026-06-11").post("\x1b[2JMemory\r\nof evil", PRESS, about="openai")
    world.ask()
    for arguments in ([], ["memory"], ["--try", "memory"]):
        text = run(*arguments).output
        assert "\x1b" not in text
        assert "\r" not in text


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(["memry"], 'tracker: feeds.toml: no watch "memry"; did you mean "memory"?', id="an unknown id"),
        pytest.param(["--as-of", "June"], "--as-of must be a day like 2026-06-14, not 'June'", id="no day"),
        pytest.param(["--as-of", "2026-02-30"], "--as-of must be a day like 2026-06-14", id="a day that is none"),
        pytest.param(["--as-of", "2026-06-21"], "--as-of must lie in the past; 2026-06-21 is still to come", id="tomorrow"),
        pytest.param(["--all"], "--all goes with an ID or with --try", id="all of nothing"),
    ],
)
def test_a_wrong_use_is_one_sentence(run: Callable[..., Result], arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_help_imports_none_of_what_the_command_needs(tmp_path: Path) -> None:
    code = """import sys
sys.argv = ['tracker', 'watch', '--help']
from tracker.cli import main
try:
    main()
except SystemExit:
    pass
print(sorted(name for name in sys.modules if name.startswith('tracker') or name == 'sqlite3'))"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "sqlite3" not in done.stdout.splitlines()[-1]
    for name in ("tracker.store", "tracker.config", "tracker.watch'", "tracker.watch_trial", "tracker.show_watch"):
        assert name not in done.stdout.splitlines()[-1]
