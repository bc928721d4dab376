"""The standing questions on the front page: state, rungs, evidence, from the database alone."""

from __future__ import annotations

import re
import sqlite3
from html import unescape
from pathlib import Path

import pytest

from tests.web.window import SCRIPT, get, id_of, text_of, told, watched
from tracker import store
from tracker.store import browse, watches
from tracker.types import Watch

PAPER = ("A paper on drift", "deepmind", "published")
POST = ("Agents that remember", "openai", "stated")


def board_of(html: str) -> str:
    """The part of the page that is the board."""
    return html.partition('<section id="questions"')[2].partition("</section>")[0]


def row_of(path: Path) -> str:
    """The only question, as text."""
    return text_of(board_of(get(path, "/")[0].text).partition('<ol class="questions">')[2])


@pytest.mark.parametrize(
    ("asked", "events", "state"),
    [
        (Watch("w", "Papers?"), [PAPER], "answered 12 Jun · DeepMind, 1 h ago A paper on drift"),
        (Watch("w", "Papers?"), [POST], "no answer as of 12 June · OpenAI, 1 h ago Agents that remember"),
        (Watch("w", "Papers?"), [], "none as of 12 June · 3 sources looked at"),
        (Watch("w", "Papers?", since="2026-06-01", until="2026-07-31"), [], "waiting, day 11 of 60 as of 12 June · 3 sources looked at"),
        (Watch("w", "Papers?", since="2026-06-01", within_s=60 * 86_400), [POST], "waiting, day 11 of 60 as of 12 June · OpenAI"),
        (Watch("w", "Papers?", until="2026-06-01", answer=("published", "shipped")), [], "the time was over before anybody looked"),
        (Watch("w", "Papers?", since="2026-07-01"), [], "asked from 1 Jul"),
    ],
    ids=["answered", "a sign", "none", "waiting until", "waiting within", "the time is over", "not yet asked"],
)
def test_the_state_of_a_question_in_words(
    path: Path, db: sqlite3.Connection, asked: Watch, events: list[tuple[str, str, str]], state: str
) -> None:
    watched(db, asked, *events)
    assert state.replace("· ", "") in row_of(path).replace("· ", "")


def test_a_time_that_was_watched_to_its_end_is_over_without_an_answer(path: Path, db: sqlite3.Connection) -> None:
    db.execute("UPDATE sources SET added_at = '2026-05-01T06:00:00Z'")
    watched(db, Watch("w", "Papers?", until="2026-06-01", answer=("published", "shipped")))
    assert "the time is over without published or shipped" in row_of(path)


def test_a_question_is_not_answered_with_no_before_anybody_looked(path: Path, db: sqlite3.Connection) -> None:
    db.execute("UPDATE sources SET last_ok_at = NULL")
    watched(db, Watch("w", "Papers?"))
    assert "not looked yet" in row_of(path)
    assert "none as of" not in row_of(path)


@pytest.mark.parametrize(
    ("reached", "said"),
    [
        (0, "not looked yet; the next `tracker run` looks back"),
        (20260611000001, "looked back up to 2026-06-11 so far · 3 sources looked at"),
    ],
    ids=["not yet", "in part"],
)
def test_a_question_that_has_yet_to_look_back_says_so_and_shows_nothing_of_before(
    path: Path, db: sqlite3.Connection, reached: int, said: str
) -> None:
    watched(db, Watch("w", "Papers?"), PAPER)
    db.execute("UPDATE watches SET looked_to = ?", (reached,))
    row = row_of(path)
    assert said.replace("· ", "") in row.replace("· ", "")
    assert "A paper on drift" not in row
    assert "none as of" not in row
    assert ("sources looked at" in row) == bool(reached)
    (told,) = db.execute("SELECT looked, events, rungs, answer_day, last_day FROM watch_board")
    assert tuple(told) == ("partly" if reached else "no", 0, None, None, None)


def test_the_board_as_a_table_says_what_the_front_page_says(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("none", "None?", answer=("published", "shipped")))
    watched(db, Watch("paper", "Papers?"), PAPER, POST)
    watched(db, Watch("late", "In time?", since="2026-06-01", within_s=5 * 86_400), PAPER)
    watched(db, Watch("next", "And then?", after="paper"), PAPER)
    alone = {"near_misses": 0, "taken_back": 0}
    (none, *found) = get(path, "/tracker/watch_board.json?_shape=array&_sort=watch&watch__in=none,paper")[0].json()
    assert none == {
        "watch": "none", "question": "None?", "answer": "published, shipped", "looked": "yes", "events": 0, "rungs": None,
        **dict.fromkeys(f"{which}_{name}" for which in ("answer", "last") for name in ("day", "lab", "rung", "title", "url")), **alone,
    }  # fmt: skip
    (paper,) = found
    assert (paper["events"], paper["rungs"], paper["answer_day"]) == (2, "stated, published", "2026-06-12")
    assert (paper["answer_title"], paper["answer_lab"], paper["answer_rung"]) == PAPER
    assert (paper["answer_url"], paper["last_day"]) == (url_of(db, PAPER[0]), "2026-06-12")
    days = dict(db.execute("SELECT watch, answer_day FROM watch_board WHERE watch IN ('late', 'next')").fetchall())
    assert days == {"late": None, "next": None}, "out of its time; counted after another"


def url_of(db: sqlite3.Connection, title: str) -> str:
    return str(db.execute("SELECT url FROM items WHERE title = ?", (title,)).fetchone()[0])


def test_the_board_as_a_table_reads_by_index_alone(db: sqlite3.Connection) -> None:
    plan = [row["detail"] for row in db.execute("EXPLAIN QUERY PLAN SELECT * FROM watch_board")]
    assert {step for step in plan if step.startswith("SCAN")} <= {
        "SCAN watches", "SCAN json_each VIRTUAL TABLE INDEX 3:", "SCAN (subquery-6)", "SCAN (subquery-8)"
    }, "some questions, the rungs that answer one, its events"  # fmt: skip


def test_the_board_as_a_table_counts_what_was_taken_back(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"), PAPER, POST)
    db.execute("UPDATE watch_events SET withdrawn_at = '2026-06-12T07:00:00Z' WHERE rung = 'stated'")
    counts = "SELECT events, rungs, answer_day, taken_back FROM watch_board"
    assert tuple(db.execute(counts).fetchone()) == (1, "published", "2026-06-12", 1)
    with store.transaction(db):
        watches.sync(db, [Watch("w", "Papers?", answer=("shipped",))], "2026-06-12T07:00:00Z")
    assert tuple(db.execute(counts).fetchone()) == (1, "published", None, 2)


def test_what_stands_beside_answered_is_the_answer_not_the_newest_sign(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"), PAPER, at="2026-06-09T06:00:00Z")
    watched(db, Watch("w", "Papers?"), POST, at="2026-06-10T06:00:00Z")
    assert "answered 9 Jun DeepMind, 3 days ago A paper on drift" in row_of(path).replace("· ", "")


def test_rungs_say_in_words_and_by_shape_what_was_seen_and_what_answers(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?", answer=("published", "shipped")), PAPER, POST)
    page = board_of(get(path, "/")[0].text)
    rungs = re.findall(r'<span class="(rung[^"]*)"><span class="mark"[^>]*></span><span class="word">(\w+)', page)
    assert [(word, *kind.split()[1:]) for kind, word in rungs] == [
        ("reported",), ("stated", "seen"), ("published", "seen", "answers"), ("shipped", "answers")
    ]  # fmt: skip
    assert "stated, seen; published, seen, answers; shipped, not seen, would answer;" in " ".join(text_of(page).split()).replace(" ,", ",")


def test_why_names_the_proof_the_newest_evidence_and_the_reasons(path: Path, db: sqlite3.Connection) -> None:
    asked = Watch("w", "Papers?", by=("any",), topics=("drift",), since="2025-06-01", note="Not blogs.")
    watched(db, asked, PAPER, at="2026-06-09T06:00:00Z")
    item, later = id_of(db, "Agents that remember"), "2026-06-10T06:00:00Z"
    reason = '["by openai (the source declares it)"]'
    db.execute(
        """INSERT INTO watch_events(watch, item, lab, rung, at, found_at, score, reason)
        VALUES ('w', ?, 'openai', 'stated', ?, ?, 0.5, ?)""",
        (item, later, later, reason),
    )
    row = row_of(path)
    assert "answered 9 Jun" in row
    assert "Answer published by DeepMind, 9 Jun: A paper on drift arxiv.org" in row
    assert "on Alignment drift (0.41) by DeepMind (signed Example Research) a paper" in row
    assert "Newest sign stated by OpenAI, 10 Jun: Agents that remember openai.example" in row
    assert "by OpenAI (the source declares it)" in row
    assert "Answered by published; by any lab; on Alignment drift; since 1 June 2025. Not blogs. All 2 events" in row


def test_an_empty_question_says_what_would_answer_it(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Said?", by=("openai", "google"), phrases=("x y",), answer=("stated", "published")))
    row = row_of(path)
    assert "No item bears on it yet." in row
    assert "Answered by stated or published; by OpenAI or Google; saying “x y”." in row


def test_what_answered_stands_first_and_a_small_screen_folds_the_rest(path: Path, db: sqlite3.Connection) -> None:
    for n in range(3):
        watched(db, Watch(f"none-{n}", f"None {n}?"))
    watched(db, Watch("over", "Over?", until="2026-06-01"))
    watched(db, Watch("sign", "Sign?"), POST)
    watched(db, Watch("wait", "Wait?", until="2026-07-01"))
    watched(db, Watch("answered", "Answered?"), PAPER)
    page = board_of(get(path, "/")[0].text)
    assert re.findall(r"<h3>(.*?)</h3>", page) == ["Answered?", "Wait?", "Sign?", "None 0?", "None 1?", "None 2?", "Over?"]
    assert "1 of 7 answered" in text_of(page)
    assert "3 more questions" in text_of(page)
    assert page.index("None 0?") < page.index("3 more questions") < page.index("None 1?")


def test_a_question_after_another_counts_from_its_answer(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("a-later", "Later?", after="z-first", within_s=30 * 86_400, answer=("shipped",)))
    watched(db, Watch("z-first", "First?"), PAPER, at="2026-06-02T06:00:00Z")
    assert "waiting, day 10 of 30" in text_of(board_of(get(path, "/")[0].text))


def test_the_first_of_each_lab_counts_where_the_question_says_so(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?", first_per="lab"), PAPER)
    item, later = id_of(db, "Agents that remember"), "2026-06-12T07:00:00Z"
    db.execute(
        """INSERT INTO watch_events(watch, item, lab, rung, at, found_at, score, reason)
        VALUES ('w', ?, 'deepmind', 'published', ?, ?, 0.5, '[]')""",
        (item, later, later),
    )
    assert "A paper on drift" in row_of(path)
    assert "Agents that remember" not in row_of(path)


def test_several_items_of_a_story_are_one_event_and_further_proof(path: Path, db: sqlite3.Connection) -> None:
    told(db, "A paper on drift", "Nothing of note")
    told(db, "Agents that remember")
    watched(db, Watch("w", "Papers?"), ("Nothing of note", "deepmind", "published"), POST)
    watched(db, Watch("w", "Papers?"), PAPER, at="2026-06-09T06:00:00Z")
    row = row_of(path)
    assert "A paper on drift arxiv.org and 1 more item of its story" in row
    assert "All 2 events, of 3 items" in row


def test_what_was_taken_back_is_said_with_the_day_and_the_reason(path: Path, db: sqlite3.Connection) -> None:
    asked = Watch("w", "Papers?", by=("any",), topics=("drift",))
    watched(db, asked, PAPER, POST)
    gone = "UPDATE watch_events SET withdrawn_at = ?, withdrawn_why = ? WHERE lab = ?"
    db.execute(gone, ("2026-06-10T06:00:00Z", "ann says it is not on drift", "deepmind"))
    row = row_of(path)
    assert "1 event was taken back on 10 Jun" in row.partition("why?")[0], "beside the state"
    assert "published by DeepMind, 12 Jun: A paper on drift – ann says it is not on Alignment drift" in row
    db.execute(gone, ("2026-06-11T06:00:00Z", "no longer by openai", "openai"))
    row = row_of(path)
    assert "2 events were taken back, the last on 11 Jun : stated by OpenAI, 12 Jun: Agents that remember – no longer by OpenAI" in row
    db.execute("UPDATE watch_events SET withdrawn_why = NULL")
    assert "Agents that remember – why was not kept" in row_of(path)


def test_near_misses_are_counted_and_linked_to_their_list(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"))
    assert "near-miss" not in row_of(path)
    said = '["by openai (x)", "a page of the lab", "only perhaps on drift (0.50)"]'
    for day, title in ((12, "Agents that remember"), (11, "A paper on drift")):
        at = f"2026-06-{day}T06:00:00Z"
        db.execute("INSERT INTO near_misses VALUES ('w', ?, 'openai', 'stated', ?, 0.5, ?)", (id_of(db, title), at, said))
    assert "2 near-misses" in row_of(path)
    (page,) = get(path, "/")
    (href,) = re.findall(r'href="([^"]*near_misses_of_a_question[^"]*)"', page.text)
    (listed,) = get(path, unescape(href).replace("?", ".json?") + "&_shape=array")
    rows = listed.json()
    assert [row["title"] for row in rows] == ["Agents that remember", "A paper on drift"]
    assert all("only perhaps on drift" in row["reason"] for row in rows)


def test_a_none_says_how_many_of_the_sources_have_a_gap(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"))
    assert "3 sources looked at, none with a gap" in row_of(path)
    db.execute("""INSERT INTO gaps(source, from_at, to_at, reason, found_at)
    VALUES ('gazette', '2026-06-10T06:00:00Z', '2026-06-11T06:00:00Z', 'no answer', '2026-06-11T06:00:00Z')""")
    assert "3 sources looked at, 1 with a gap" in row_of(path)


def test_what_was_withdrawn_or_retired_is_gone(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"), PAPER)
    db.execute("UPDATE watch_events SET withdrawn_at = at")
    assert "none as of 12 June" in row_of(path)
    db.execute("UPDATE watches SET retired_at = '2026-06-12T06:00:00Z'")
    assert "Standing questions" not in get(path, "/")[0].text


def test_the_board_stands_on_the_front_page_alone(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"), PAPER)
    for query in ("topic=drift", "lab=openai", "before=20260612000002", "topic=nonsense"):
        assert "Papers?" not in get(path, f"/?{query}")[0].text


def test_the_board_follows_the_file(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", "Papers?"))
    assert "none as of" in row_of(path)
    watched(db, Watch("w", "Papers?"), PAPER)
    assert "answered 12 Jun" in row_of(path)


def test_what_comes_from_outside_is_escaped_and_what_is_unconfirmed_keeps_its_cue(path: Path, db: sqlite3.Connection) -> None:
    watched(db, Watch("w", f"Is {SCRIPT} it?", note=SCRIPT), (f"Hostile {SCRIPT} news", "openai", "reported"))
    db.execute("UPDATE watch_events SET lab = ?, reason = ?", (SCRIPT, f'["{SCRIPT}"]'))
    db.execute("UPDATE items SET url = 'javascript:alert(1)', unconfirmed = 'yes', cue = 'reportedly' WHERE title LIKE 'Hostile%'")
    (response,) = get(path, "/")
    assert SCRIPT not in response.text
    assert "javascript:" not in response.text
    assert f"Hostile {SCRIPT} news" in unescape(response.text)
    assert "unconfirmed: “reportedly”" in re.sub(r"</?q>", "”", board_of(response.text)).replace("”reportedly", "“reportedly")


def test_a_sign_that_nobody_confirmed_and_that_was_denied_later_says_both(path: Path, db: sqlite3.Connection) -> None:
    rumour = f"Hostile {SCRIPT} news"
    told(db, "Agents that remember", rumour)
    watched(db, Watch("w", "Papers?"), (rumour, "openai", "reported"))
    db.execute("UPDATE items SET unconfirmed = 'yes', cue = 'in talks', published_at = '2026-06-10T00:00:00Z' WHERE title = ?", (rumour,))
    db.execute("UPDATE items SET denial = 'denies' WHERE title = 'Agents that remember'")
    assert f"unconfirmed: in talks — denied later: denies , OpenAI news : {rumour}" in row_of(path)


@pytest.mark.parametrize("spec", ["", "{", "[]", "7", '{"unknown": 1}', '{"id": "other", "question": "other"}'])
def test_a_question_whose_spec_cannot_be_read_is_still_asked(path: Path, db: sqlite3.Connection, spec: str) -> None:
    watched(db, Watch("w", "Papers?"), PAPER)
    db.execute("UPDATE watches SET spec = ?", (spec,))
    assert browse.questions(db) == (Watch("w", "Papers?"),)
    assert "answered 12 Jun" in row_of(path)


def test_questions_are_read_as_they_were_written(db: sqlite3.Connection, path: Path) -> None:
    one = Watch(
        "one",
        "One?",
        ("openai",),
        ("any",),
        ("google",),
        ("drift",),
        ("a b",),
        ("stated",),
        "2026-06-01",
        "2026-07-01",
        "two",
        60,
        "lab",
        "n",
    )
    watched(db, Watch("two", "Two?"))
    watched(db, one)
    assert browse.questions(db) == (Watch("two", "Two?"), one)
