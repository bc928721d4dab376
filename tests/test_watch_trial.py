"""See before you save: what a new or edited watch, or another threshold, would have done. Nothing is written."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.questions import ARXIV, CAT, MEMORY, OWL, PRESS, SURE, UNSURE, World, rows, table
from tracker import clock, digest, watch_trial
from tracker.cli import cli
from tracker.store import trials, watches
from tracker.types import DigestPlan, Event, Kept, Watch

NOW = "2026-06-20T12:00:00Z"


@pytest.fixture
def world(db: sqlite3.Connection, tmp_path: Path) -> World:
    """A year of a small world: what shipped, what was stated, what just missed, what was there before."""
    world = World(db, tmp_path)
    world.run("2026-02-01").post("A memory of last winter", act="release")
    world.run("2026-05-01").post("An old page on memory", at="2026-03-01T00:00:00Z", act="release", backlog=True)
    world.post("A page on memory from before", at="2026-05-01T00:00:00Z", act="release", backlog=True)
    world.run("2026-05-10").post("Thoughts on memory", topics={"agent-memory": (0.8, "confident")})
    _, story = world.run("2026-05-12").post("Owl remembers", act="release")
    world.run("2026-05-13").post("Owl remembers, says Owl again", act="release", story=story)
    world.run("2026-05-20").post("Cat remembers", CAT, act="release")
    world.run("2026-06-01").post("Perhaps on memory", topics={"agent-memory": UNSURE}, act="release")
    world.post("Memory, says a newspaper", PRESS, about="openai")
    world.post("Chips of memory", topics={"online-learning": SURE})
    world.ask()
    return world


@pytest.fixture
def run(world: World) -> Callable[..., Result]:
    """The command in the folder of the world, whose feeds.toml has its watches."""
    world.toml(*world.config.watches)

    def invoke(*arguments: str) -> Result:
        before = Path.cwd()
        os.chdir(world.folder)
        try:
            return CliRunner().invoke(cli, ["watch", "--now", NOW, *arguments], catch_exceptions=False)
        finally:
            os.chdir(before)

    return invoke


def tried(run: Callable[..., Result], *arguments: str) -> dict[str, Any]:
    result = run("--try", *arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def write(world: World, text: str) -> str:
    (world.folder / "draft.toml").write_text(text)
    return "draft.toml"


def titles(events: list[dict[str, Any]]) -> list[str]:
    return [event["title"] for event in events]


# -- a watch ----------------------------------------------------------------------------------------


def test_a_saved_watch_would_do_what_it_did(world: World, run: Callable[..., Result]) -> None:
    told = tried(run, "memory", "--since", "90d")
    (one,) = told["watches"]
    assert (told["since"], told["until"]) == ("2026-03-22", "2026-06-20")
    assert titles(one["events"]) == [
        "A page on memory from before",
        "Thoughts on memory",
        "Owl remembers",
        "Cat remembers",
        "Memory, says a newspaper",
    ]
    assert (one["would_come"], one["would_go"]) == ([], [])
    stored = {kept.event.item: kept.event for kept in watches.history(world.db, "memory")}
    for event in one["events"]:
        real = stored[event["item"]]
        assert (event["at"], event["rung"], event["lab"], tuple(event["reason"])) == (real.at, real.rung, real.lab, real.reason)
    assert [len(missed["reason"]) > 1 and missed["title"] for missed in one["just_missed"]] == ["Perhaps on memory"]
    assert one["just_missed"][0]["reason"][-1] == "only perhaps on agent-memory (0.60)"


def test_a_question_moves_on_the_days_on_which_a_rung_is_new(run: Callable[..., Result]) -> None:
    (one,) = tried(run, "memory")["watches"]
    # 05-01 was there before; 05-10 the first that is stated; 05-12 and 05-20 answers of two stories; 05-13 says again what 05-12 said.
    assert (one["moved_days"], one["further_answers"]) == (["2026-05-10", "2026-06-01"], 2)
    assert [event["backlog"] for event in one["events"]] == [True, False, False, False, False]
    assert [event["further"] for event in one["events"]] == [0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("since", "first"),
    [("2026-01-15", "A memory of last winter"), ("2026-05-11", "Owl remembers"), ("2026-05-21", "Memory, says a newspaper")],
)
def test_the_span_is_that_of_the_days_on_which_items_came(run: Callable[..., Result], since: str, first: str) -> None:
    (one,) = tried(run, "memory", "--since", since)["watches"]
    assert titles(one["events"])[0] == first


def test_what_lies_ahead_of_the_present_that_is_pretended_is_not_looked_at(run: Callable[..., Result]) -> None:
    (one,) = json.loads(run("--try", "memory", "--now", "2026-05-15T00:00:00Z", "--json").stdout)["watches"]
    assert titles(one["events"])[-1] == "Owl remembers"


def test_an_edited_watch_shows_what_would_come_and_what_would_go(world: World, run: Callable[..., Result]) -> None:
    edited = replace(MEMORY, by=("anthropic",), about=(), topics=("agent-memory", "online-learning"))
    told = tried(run, write(world, table(edited)))
    (one,) = told["watches"]
    assert titles(one["would_come"]) == ["Chips of memory"]
    assert titles(one["would_go"]) == ["Cat remembers", "Memory, says a newspaper"]
    assert (len(one["events"]), len(one["saved"]["events"])) == (4, 5)
    assert [(part["moved_days"], part["further_answers"]) for part in (one, one["saved"])] == [
        (["2026-05-10"], 1), (["2026-05-10", "2026-06-01"], 2),
    ]  # fmt: skip


def test_a_watch_edited_in_feeds_toml_is_compared_with_the_one_of_the_last_run(world: World, run: Callable[..., Result]) -> None:
    world.toml(replace(MEMORY, by=("openai",), about=()))
    (one,) = tried(run, "memory")["watches"]
    assert titles(one["events"]) == ["Cat remembers"]
    assert len(one["would_go"]) == 4


def test_another_answer_changes_no_event_and_the_mails(world: World, run: Callable[..., Result]) -> None:
    (one,) = tried(run, write(world, table(replace(MEMORY, answer=("stated",)))))["watches"]
    assert (one["would_come"], one["would_go"]) == ([], [])
    assert one["moved_days"] == ["2026-05-10", "2026-06-01"], "what shipped was known from what was there before"
    assert one["further_answers"] == 0, "what shipped does not settle it any more"


def test_a_new_watch_by_phrase_stands_alone(world: World, run: Callable[..., Result]) -> None:
    words = Watch("chips", "Who says chips?", by=("any",), phrases=("chip*",), answer=("stated",))
    told = tried(run, write(world, table(words)))
    (one,) = told["watches"]
    assert (titles(one["events"]), one["saved"], one["moved_days"]) == (["Chips of memory"], None, ["2026-06-01"])
    assert one["events"][0]["reason"][0] == "says “Chips”"
    assert "It is new: nothing is saved under this id." in run("--try", "draft.toml").output


def test_of_a_watch_on_the_first_of_each_lab_only_firsts_are_shown(world: World, run: Callable[..., Result]) -> None:
    world.run("2026-06-10").post("Owl remembers more", act="release")
    world.ask()
    (one,) = tried(run, write(world, table(replace(MEMORY, first_per="lab"))), "--since", "2026-05-10")["watches"]
    assert titles(one["events"]) == ["Thoughts on memory", "Owl remembers", "Cat remembers", "Memory, says a newspaper"]
    assert one["moved_days"] == ["2026-05-10", "2026-05-12", "2026-05-20", "2026-06-01"]


def test_nothing_is_written(world: World, run: Callable[..., Result]) -> None:
    before, version = rows(world.db), world.db.execute("PRAGMA data_version").fetchone()[0]
    feeds = (world.folder / "feeds.toml").read_bytes()
    tried(run, write(world, "[topics.agent-memory]\nthreshold = 0.9\n" + table(replace(MEMORY, by=("openai",)))))
    assert (rows(world.db), world.db.execute("PRAGMA data_version").fetchone()[0]) == (before, version)
    assert (world.folder / "feeds.toml").read_bytes() == feeds


def test_it_reads_as_a_person_would_say_it(world: World, run: Callable[..., Result]) -> None:
    text = run("--try", write(world, table(replace(MEMORY, by=("anthropic",), about=())))).output
    assert text.splitlines()[0].endswith(": 7 items that could concern it. Nothing was saved.")
    assert (
        "  It would have found 3 events; the question would move on 1 day (2026-05-10): one mail if the digest is daily; "
        "1 further answer, of other stories; 1 just missed.\n"
        "  In this span alone it would be answered (shipped, counted from 2026-01-01).\n"
    ) in text
    assert "2 would go" in text
    assert "- 2026-05-20  shipped by openai (answers): Cat remembers" in text
    assert "  2026-05-01  shipped by anthropic (the proof; there before its source was looked at, so never mailed): A page" in text
    assert "  2026-05-10  stated by anthropic (a sign): Thoughts on memory" in text
    assert re.search(r"2026-05-12  shipped by anthropic \(answers\): Owl remembers and 1 more of its story\n +https://owl\.example/5", text)
    assert "only perhaps on agent-memory (0.60)" in text


def test_of_a_copy_of_feeds_toml_what_was_edited_is_shown(world: World, run: Callable[..., Result]) -> None:
    other = replace(MEMORY, id="other", question="Another?", topics=("online-learning",))
    world.ask(MEMORY, other)
    path = world.toml(MEMORY, other)
    same = tried(run, write(world, path.read_text()))
    assert [one["watch"] for one in same["watches"]] == ["memory", "other"], "nothing was edited: all"
    told = tried(run, write(world, path.read_text().replace('["online-learning"]', '["online-learning", "agent-memory"]')))
    assert [(one["watch"], len(one["would_come"])) for one in told["watches"]] == [("other", 5)]


def test_the_question_moves_on_the_days_on_which_the_digest_tells_so(db: sqlite3.Connection, tmp_path: Path) -> None:
    world = World(db, tmp_path, replace(MEMORY, first_per="lab"), replace(MEMORY, id="plain"))
    world.config = replace(world.config, digests=(DigestPlan("daily", (), via="file", folder=str(tmp_path / "mail")),))
    posts: dict[str, tuple[Any, ...]] = {
        "2026-05-01": ("Thoughts on memory", OWL, None), "2026-05-02": ("More thoughts", OWL, None),
        "2026-05-03": ("Owl ships", OWL, "release"), "2026-05-04": ("Cat ships", CAT, "release"),
        "2026-05-05": ("Cat ships again", CAT, "release"), "2026-05-06": ("Hm", CAT, None),
    }  # fmt: skip
    for day, (title, source, act) in posts.items():
        world.run(day).post(title, source, act=act)
        world.ask()
        assert [sent.status for sent in digest.digest(db, world.config, now=clock.parse(world.now))] == ["sent"]
    for asked in world.config.watches:
        (one,) = watch_trial.run(db, [(asked, None)], {}, {}, "2026-04-01", "2026-06-01").watches
        told = db.execute("SELECT substr(period_to, 1, 10) FROM digest_watches JOIN digests ON id = digest WHERE watch = ?", (asked.id,))
        assert sorted({row[0] for row in told}) == list(one.tried.news.days)
    assert (len(one.tried.news.days), one.tried.news.further) == (2, 2), "further answers are answers and move nothing"


# -- when it counts ---------------------------------------------------------------------------------

REPLY = replace(MEMORY, id="reply", question="And then?", about=(), after="paper", within_s=8 * 86_400, since=None)
PAPER = replace(MEMORY, id="paper", question="Is there a paper?", answer=("stated",))


def counted(one: dict[str, Any]) -> dict[str, str]:
    return {event["title"]: event["counts_as"] for event in one["events"]}


def test_what_comes_after_a_saved_watch_counts_from_the_day_on_which_that_was_answered(world: World, run: Callable[..., Result]) -> None:
    world.ask(MEMORY, PAPER)  # stated first on 10 May
    world.toml(MEMORY, PAPER)
    (one,) = tried(run, write(world, table(REPLY)))["watches"]
    assert counted(one) == {
        "A page on memory from before": "outside its time", "Thoughts on memory": "sign", "Owl remembers": "proof",
        "Cat remembers": "outside its time",
    }  # fmt: skip
    assert (one["state"], one["counted_from"], one["further_answers"]) == ("answered", "2026-05-10", 1), (
        "that something shipped was known before"
    )
    assert "- 2026" not in (text := run("--try", "draft.toml").output)
    assert "2026-05-20  shipped by openai (outside its time): Cat remembers" in text
    assert "it would be answered (shipped, counted from 2026-05-10)" in text


def test_of_one_that_is_tried_as_well_the_trial_says_when_it_was_answered(world: World, run: Callable[..., Result]) -> None:
    world.ask(MEMORY, PAPER)
    world.toml(MEMORY, PAPER)
    edited = replace(PAPER, answer=("shipped",), by=("openai",), about=())  # 20 May
    told = tried(run, write(world, table(edited) + table(REPLY)))
    (reply,) = (one for one in told["watches"] if one["watch"] == "reply")
    assert (reply["counted_from"], counted(reply)["Cat remembers"], counted(reply)["Owl remembers"]) == (
        "2026-05-20", "proof", "outside its time",
    )  # fmt: skip


def test_what_was_answered_before_the_span_stays_so(world: World, run: Callable[..., Result]) -> None:
    world.ask(MEMORY, PAPER)
    world.toml(MEMORY, PAPER)
    draft = write(world, table(replace(PAPER, question="Is there one?")) + table(REPLY))
    (reply,) = (one for one in tried(run, draft, "--since", "2026-05-12")["watches"] if one["watch"] == "reply")
    assert (reply["counted_from"], counted(reply)) == ("2026-05-10", {"Owl remembers": "proof", "Cat remembers": "outside its time"})


@pytest.mark.parametrize(
    ("asked", "state", "said"),
    [
        pytest.param(
            replace(REPLY, answer=("published",)), "expired", "expired: its time is over without published, counted from 2026-05-10",
            id="its time is over",
        ),
        pytest.param(
            replace(REPLY, answer=("published",), within_s=40 * 86_400), "waiting",
            "waiting for published, day 22 of 40, counted from 2026-05-10", id="it runs, up to the last look",
        ),
        pytest.param(replace(REPLY, after="never"), "open", "open: nothing counts before never is answered", id="nothing to count from"),
        pytest.param(replace(MEMORY, id="new", answer=("published",), since=None), "open", "open: no answer (published)", id="no answer"),
    ],
)  # fmt: skip
def test_a_trial_tells_the_state(world: World, run: Callable[..., Result], asked: Watch, state: str, said: str) -> None:
    world.ask(MEMORY, PAPER, replace(PAPER, id="never", answer=("published",)))
    world.toml(*world.config.watches)
    assert [one["state"] for one in tried(run, write(world, table(asked)))["watches"]] == [state]
    assert f"  In this span alone it would be {said}.\n" in run("--try", "draft.toml").output


# -- a threshold ------------------------------------------------------------------------------------


def test_a_higher_threshold_shows_what_leaves_and_every_watch_that_asks(world: World, run: Callable[..., Result]) -> None:
    other = replace(MEMORY, id="other", question="Another?", topics=("online-learning",))
    world.ask(MEMORY, other)
    world.toml(MEMORY, other)
    told = tried(run, write(world, "[topics.agent-memory]\nthreshold = 0.9\n"))
    (topic,) = told["topics"]
    # Of 7 items on memory since 22 March: 0.8 (confident) and 0.6 (maybe) lie below.
    assert topic == {
        "topic": "agent-memory", "threshold": 0.9, "saved": None, "items": 7, "leave": 2, "leave_confident": 1, "not_stored_below": None,
    }  # fmt: skip
    (one,) = told["watches"]
    assert (one["watch"], titles(one["would_go"]), one["just_missed"]) == ("memory", ["Thoughts on memory"], [])


def test_below_what_is_stored_it_says_so(world: World, run: Callable[..., Result]) -> None:
    draft = write(world, "[topics.agent-memory]\nthreshold = 0.01\n")
    told = tried(run, draft)
    assert 0.05 < told["topics"][0]["not_stored_below"] < 1, "the line of the model"
    assert told["topics"][0]["leave"] == 0
    text = run("--try", draft).output
    assert "are not stored, so which items would come to it is not known here" in text
    assert "`tracker tag --again --since 2026-03-22 --dry-run` tells" in text


def test_a_saved_threshold_is_the_line_below_which_nothing_is_stored(world: World, run: Callable[..., Result]) -> None:
    world.db.execute("UPDATE topics SET threshold = 0.55 WHERE id = 'agent-memory'")
    (topic,) = tried(run, write(world, "[topics.agent-memory]\nthreshold = 0.5\n"))["topics"]
    assert (topic["saved"], topic["not_stored_below"]) == (0.55, 0.55)
    told = tried(run, write(world, "[topics.agent-memory]\nthreshold = 0.55\n"))
    assert (told["topics"], told["watches"]) == ([], []), "it is the one that is saved"


def test_what_rules_or_people_say_no_threshold_moves(world: World) -> None:
    world.run("2026-06-15")
    world.post("By rules alone", topics={"agent-memory": (0.5, "maybe")}, model="rules")
    world.post("By a person", topics={"agent-memory": (0.5, "confident")}, evidence="labelled yes by ann")
    after, last = trials.span("2026-06-15", "2026-06-15")
    shift = watch_trial.shift("agent-memory", 0.99, None, 0.4, trials.scores(world.db, "agent-memory", after, last))
    assert (shift.items, shift.gone) == (2, frozenset())


# -- mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param(
            ["--try", "memry"], '--try: "memry" is neither a file nor a watch of feeds.toml; did you mean "memory"?', id="an unknown id"
        ),
        pytest.param(["--try", "no.toml"], '--try: "no.toml" is neither a file nor a watch', id="a file that is not there"),
        pytest.param(["--try", "a" * 300], "is neither a file nor a watch", id="a name that no file can have"),
        pytest.param(["--try", f"./{'a' * 300}.toml"], "is neither a file nor a watch", id="nor in a folder"),
        pytest.param(["--try", "."], "cannot be read", id="a folder"),
        pytest.param(["--try", "memory", "--as-of", "2026-06-01"], "--try goes with neither ID nor --as-of", id="another day"),
        pytest.param(["memory", "--try", "memory"], "--try goes with neither ID nor --as-of", id="a history as well"),
        pytest.param(["--since", "90d"], "--since goes with --try", id="a span of no trial"),
        pytest.param(["--try", "memory", "--since", "ages"], "--since must be like 90d", id="a span that is none"),
    ],
)
def test_a_wrong_use_is_told(run: Callable[..., Result], arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_mistake_in_a_draft_has_its_line(world: World, run: Callable[..., Result]) -> None:
    result = run("--try", write(world, table(MEMORY).replace('"any"', '"antropic"')))
    assert (result.exit_code, result.output.strip()) == (
        2, 'tracker: draft.toml:3: [watches.memory] by: "antropic" is not a lab; did you mean "anthropic"?',
    )  # fmt: skip


# -- what a digest would have told ------------------------------------------------------------------


def kept(day: str, rung: str, *, lab: str = "a", story: int | None = None, quiet: bool = False, item: int = 1) -> Kept:
    return Kept(Event("w", item, lab, rung, f"{day}T00:00:00Z", 1.0, ("because",)), f"{day}T06:00:00Z", quiet, story)


ASKED = Watch("w", "?", by=("any",), topics=("t",), answer=("published",))


@pytest.mark.parametrize(
    ("asked", "found", "days", "further"),
    [
        pytest.param(ASKED, [], [], 0, id="nothing"),
        pytest.param(ASKED, [kept("2026-06-01", "stated"), kept("2026-06-02", "stated", item=2)], ["2026-06-01"], 0, id="a sign once"),
        pytest.param(
            ASKED, [kept("2026-06-01", "published", story=1), kept("2026-06-02", "published", story=2)], ["2026-06-01"], 1,
            id="a further answer",
        ),
        pytest.param(
            replace(ASKED, since="2026-06-01", within_s=86_400),
            [kept("2026-06-01", "published", story=1), kept("2026-06-03", "published", story=2)], ["2026-06-01"], 0,
            id="none after its time",
        ),
        pytest.param(
            ASKED, [kept("2026-06-01", "published", story=1), kept("2026-06-02", "published", story=1, item=2)], ["2026-06-01"], 0,
            id="one answer a story",
        ),
        pytest.param(
            ASKED, [kept("2026-06-01", "published", story=1), kept("2026-06-01", "stated")], ["2026-06-01"], 0, id="one mail a day"
        ),
        pytest.param(
            ASKED, [kept("2026-06-01", "stated", quiet=True), kept("2026-06-02", "stated", item=2)], [], 0,
            id="known without having been news",
        ),
        pytest.param(
            replace(ASKED, first_per="lab"),
            [kept("2026-06-01", "published", lab="a"), kept("2026-06-02", "published", lab="b"), kept("2026-06-03", "published", lab="a")],
            ["2026-06-01", "2026-06-02"], 0, id="the first of each lab",
        ),
    ],
)  # fmt: skip
def test_the_days_of_mail(asked: Watch, found: list[Kept], days: list[str], further: int) -> None:
    assert watch_trial.news(asked, found) == watch_trial.News(tuple(days), further)
    assert watch_trial.news(asked, found[::-1]) == watch_trial.News(tuple(days), further), "whatever the order"


# -- what it costs ----------------------------------------------------------------------------------


def statements(db: sqlite3.Connection, asked: list[Watch]) -> tuple[list[str], watch_trial.Trials]:
    said: list[str] = []
    db.set_trace_callback(said.append)
    try:
        done = watch_trial.run(
            db, [(one, None) for one in asked], {"agent-memory": 0.9}, {"agent-memory": (None, 0.5)}, "2026-03-22", NOW[:10]
        )
    finally:
        db.set_trace_callback(None)
    return [sql for sql in said if not sql.startswith("--")], done  # without what the full-text index asks itself


def test_the_statements_do_not_grow_with_the_archive_nor_with_the_watches(world: World) -> None:
    asked = [MEMORY, Watch("words", "?", by=("any",), phrases=("owl remembers",), answer=("stated",))]
    few, found = statements(world.db, asked)
    world.run("2026-01-10")
    for n in range(60):  # before the span
        world.post(f"Archived {n}", ARXIV, by="openai")
    world.ask()
    many, again = statements(world.db, [*asked, replace(MEMORY, id="third")])
    assert len(many) == len(few)
    assert again.items == found.items
    assert Counter(sql.split()[0] for sql in many) == Counter(sql.split()[0] for sql in few)
    assert all(sql.lstrip().upper().startswith(("SELECT", "WITH")) for sql in many), "it only reads"


def test_of_a_common_word_only_what_is_of_a_lab_is_read(world: World) -> None:
    world.run("2026-06-02")
    for n in range(30):
        world.post(f"The news of memory {n}", PRESS, topics={"online-learning": SURE})
    world.post("The owl", topics={"online-learning": SURE})
    world.post("An owl", topics={"online-learning": SURE})
    _, found = statements(world.db, [Watch("the", "?", by=("any",), phrases=("the",), answer=("stated",))])
    assert (found.items, [found.shown[event.item].title for event in found.watches[0].tried.events]) == (1, ["The owl"])


def test_it_searches_by_index_and_never_reads_the_archive(world: World) -> None:
    said, _ = statements(world.db, [MEMORY, Watch("words", "?", by=("any",), phrases=("owl remembers",), answer=("stated",))])
    grows = re.compile(r"SCAN (items|texts|item_topics|item_labs|links|story_items|watch_events|near_misses|readings)\b")
    for sql in said:
        if sql.lstrip()[:6].upper() in ("SELECT", "WITH R"):
            plan = "\n".join(row["detail"] for row in world.db.execute(f"EXPLAIN QUERY PLAN {sql}"))
            assert not grows.search(plan), f"{plan}\n{sql}"
