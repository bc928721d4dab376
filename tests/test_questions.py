"""Questions of feeds.toml, and drafts of them: every mistake is told with file, line, key and the way out, before anything is asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tracker import config
from tracker.errors import ConfigError

FEED = '[feeds.a]\nurl = "http://127.0.0.1:9/feed"\n'
HEAD = FEED + '[watches.w]\nquestion = "Is there a paper?"\n'  # lines 1 to 4
BY, TOPICS = 'by = ["anthropic"]\n', 'topics = ["agent-memory"]\n'
WHOLE = HEAD + BY + TOPICS  # lines 1 to 6


def watch(name: str, after: str = "", more: str = "") -> str:
    """A table of four lines, or of five."""
    return f'[watches.{name}]\nquestion = "Is there?"\n{BY}{TOPICS}' + (f'after = "{after}"\n' if after else "") + more


MISTAKES = {
    # name: (text, line, pieces of the sentence)
    "an unknown key": (WHOLE + 'topic = ["agent-memory"]\n', 7, ('"topic"', 'did you mean "topics"?')),
    "an unknown lab in by": (HEAD + TOPICS + 'by = ["antropic"]\n', 6, ('by: "antropic" is not a lab', 'did you mean "anthropic"?')),
    "an unknown lab in about": (WHOLE + 'about = ["opanai"]\n', 7, ('about: "opanai" is not a lab', 'did you mean "openai"?')),
    "an unknown lab in not_by": (WHOLE + 'not_by = ["gogle"]\n', 7, ('not_by: "gogle" is not a lab', 'did you mean "google"?')),
    "an unknown topic": (HEAD + BY + 'topics = ["agent-memry"]\n', 6, ('"agent-memry" is not a topic', 'did you mean "agent-memory"?')),
    "an unknown rung": (WHOLE + 'answer = ["publishd"]\n', 7, ('answer: "publishd" is not a rung', 'did you mean "published"?')),
    "a rung that only what is about a lab can be": (
        WHOLE + 'answer = ["reported"]\n', 7, ("answer: an item by a lab is never only reported", "add about", "stated, published"),
    ),
    "rungs that only what is by a lab can be": (
        HEAD + 'about = ["anthropic"]\n' + TOPICS + 'answer = ["published", "shipped"]\n', 7,
        ("answer: without by, an item can only be reported, not published or shipped", "add by"),
    ),
    "the answer that is meant when none is said": (
        HEAD + 'about = ["anthropic"]\n' + TOPICS, 3, ("[watches.w] answer: without by", "not published", 'answer = ["reported"]'),
    ),
    "no rung at all": (WHOLE + "answer = []\n", 7, ("answer is empty", "reported, stated, published, shipped")),
    "no lab at all": (HEAD + "by = []\n" + TOPICS, 5, ("needs by or about", '["any"]')),
    "neither by nor about": (HEAD + TOPICS, 3, ("[watches.w] needs by or about",)),
    "labs that are taken away again": (WHOLE + 'not_by = ["anthropic"]\n', 7, ("not_by takes away every lab of by (anthropic)",)),
    "labs that belong to one that is taken away": (
        HEAD + 'by = ["google-deepmind"]\n' + TOPICS + 'not_by = ["google"]\n', 7,
        ("not_by takes away every lab of by (google-deepmind); what belongs to google goes with it",),
    ),
    "nothing to look for": (HEAD + BY + "topics = []\n", 6, ("needs topics or phrases",)),
    "neither topics nor phrases": (HEAD + BY, 3, ("[watches.w] needs topics or phrases",)),
    "no question": ("[watches.w]\n" + BY + TOPICS + FEED, 1, ("[watches.w] has no question",)),
    "a blank question": ("[watches.w]\n" + BY + TOPICS + 'question = " "\n' + FEED, 4, ("has no question",)),
    "a phrase that is not closed": (HEAD + BY + 'phrases = ["recursive (self"]\n', 6, ("phrases: ", "recursive (self", "not closed")),
    "a phrase of stars": (HEAD + BY + 'phrases = ["*"]\n', 6, ("phrases: ", "has no words")),
    "an end before the beginning": (
        WHOLE + "since = 2026-06-14\nuntil = 2026-06-13\n", 8, ("until (2026-06-13) lies before since (2026-06-14)",),
    ),
    "a day in quotes": (WHOLE + 'since = "2026-06-14"\n', 7, ("since must be a day like 2026-06-14",)),
    "a span from no day": (WHOLE + 'within = "60d"\n', 7, ("within needs a day to count from", "after", "since")),
    "a span that is none": (WHOLE + 'since = 2026-06-14\nwithin = "60 days"\n', 8, ("within must be a time like", '"60 days"')),
    "first of something else": (WHOLE + 'first_per = "topic"\n', 7, ('first_per must be one of lab, not "topic"',)),
    "after an unknown watch": (
        FEED + watch("paper") + watch("reply", "papers"), 11, ('after: "papers" is not a watch', 'did you mean "paper"?'),
    ),
    "after itself": (FEED + watch("paper", "paper"), 7, ("[watches.paper] after: a watch cannot come after itself",)),
    "after one that stands below": (
        FEED + watch("reply", "paper") + watch("paper"), 7, ('after: "paper" stands below this one', "put [watches.paper] above it"),
    ),
    "after one that is switched off": (
        FEED + watch("paper", more="enabled = false\n") + watch("reply", "paper"), 12, ('after: "paper" is switched off',),
    ),
    "two after each other": (
        FEED + watch("paper", "reply") + watch("reply", "paper"), 7, ("after: goes in a circle (paper after reply after paper)",),
    ),
    "three in a circle": (
        FEED + watch("a", "c") + watch("b", "a") + watch("c", "b"), 7, ("after: goes in a circle (a after c after b after a)",),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "line", "pieces"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_question_is_told_with_its_place_and_the_way_out(
    tmp_path: Path, text: str, line: int, pieces: tuple[str, ...]
) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(path)
    assert str(caught.value).startswith(f"{path}:{line}: [watches."), str(caught.value)
    for piece in pieces:
        assert piece in str(caught.value)


def test_a_mistake_in_a_question_stops_a_run_before_any_network(tmp_path: Path) -> None:
    path, db = tmp_path / "feeds.toml", tmp_path / "data" / "tracker.db"
    path.write_text(FEED + watch("paper", "paper"), encoding="utf-8")
    command = [sys.executable, "-m", "tracker", "run", "--config", str(path), "--db", str(db)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == f"tracker: {path}:7: [watches.paper] after: a watch cannot come after itself"
    assert not db.exists(), "not even a database was made"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(WHOLE + 'since = 2026-06-14\nwithin = "60d"\n', id="a span from since"),
        pytest.param(FEED + watch("paper") + watch("reply", "paper", 'within = "60d"\n'), id="a span after another watch"),
        pytest.param(WHOLE + 'answer = ["reported", "published"]\n', id="an answer of which one can be"),
        pytest.param(WHOLE + 'not_by = ["openai"]\n', id="a lab taken away that was not asked for"),
        pytest.param(HEAD + 'by = ["google"]\nnot_by = ["google-deepmind"]\n' + TOPICS, id="a lab without what belongs to it"),
        pytest.param(
            HEAD + 'by = ["openai"]\nnot_by = ["google"]\n' + TOPICS + '[labs.openai]\nparents = [{ lab = "google", from = 2026-05-01 }]\n',
            id="what belongs to one that is taken away only from some day on",
        ),
        pytest.param(HEAD + 'by = ["any"]\nnot_by = ["anthropic"]\n' + TOPICS, id="any lab but one"),
        pytest.param(FEED + watch("w", more="enabled = false\nwithin = '1d'\n"), id="a mistake where nobody looks"),
    ],
)
def test_what_is_no_mistake(tmp_path: Path, text: str) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    enabled = "enabled = false" not in text
    assert len(config.load(path).watches) == text.count("[watches.") * enabled


# -- drafts -----------------------------------------------------------------------------------------


@pytest.fixture
def saved(tmp_path: Path) -> config.Config:
    path = tmp_path / "feeds.toml"
    path.write_text(FEED + "[topics.agent-tools]\nenabled = false\n" + watch("paper") + watch("reply", "paper"), encoding="utf-8")
    return config.load(path)


def draft(folder: Path, saved: config.Config, text: str) -> config.Draft:
    (folder / "draft.toml").write_text(text, encoding="utf-8")
    return config.draft(folder / "draft.toml", saved)


def test_a_draft_holds_watches_and_thresholds_and_nothing_else_is_looked_at(tmp_path: Path, saved: config.Config) -> None:
    text = '[feeds.b]\nulr = 1\n[topics.agent-memory]\nthreshold = 0.8\n[topics.skill-optimization]\ntitle = "S"\n' + watch("new", "paper")
    found = draft(tmp_path, saved, text)
    assert ([one.id for one in found.watches], dict(found.thresholds)) == (["new"], {"agent-memory": 0.8})


@pytest.mark.parametrize(
    ("text", "line", "pieces"),
    [
        pytest.param(watch("new").replace("anthropic", "antropic"), 3, ('did you mean "anthropic"?',), id="an unknown lab"),
        pytest.param("[topics.agent-memry]\nthreshold = 0.5\n", 1, ('did you mean "agent-memory"?',), id="an unknown topic"),
        pytest.param("[topics.agent-memory]\nthreshold = 5\n", 2, ("between 0 and 1",), id="a threshold that is none"),
        pytest.param("[topics.agent-memory]\ntreshold = 0.5\n", 2, ('did you mean "threshold"?',), id="an unknown key"),
        pytest.param(watch("new", "papr"), 5, ('did you mean "paper"?',), id="after an unknown watch"),
        pytest.param(watch("paper", "reply"), 5, ("goes in a circle (paper after reply after paper)",), id="a circle with what is saved"),
        pytest.param(watch("paper", "paper"), 5, ("cannot come after itself",), id="after itself, of a saved one"),
        pytest.param('[feeds.b]\nurl = "x"\n', 0, ("holds nothing to try",), id="nothing to try"),
        pytest.param("question = \n", 1, ("not valid TOML",), id="no TOML"),
    ],
)
def test_a_mistake_in_a_draft_is_told_as_in_feeds_toml(
    tmp_path: Path, saved: config.Config, text: str, line: int, pieces: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError) as caught:
        draft(tmp_path, saved, text)
    assert str(caught.value).startswith(f"{tmp_path / 'draft.toml'}:{f'{line}:' if line else ''} "), str(caught.value)
    for piece in pieces:
        assert piece in str(caught.value)


def test_a_draft_of_a_saved_watch_stands_where_that_one_stands(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(FEED + watch("paper") + watch("other"), encoding="utf-8")
    saved = config.load(path)
    with pytest.raises(ConfigError, match=r'\[watches.paper\] after: "other" stands below this one'):
        draft(tmp_path, saved, watch("paper", "other"))
    assert draft(tmp_path, saved, watch("other", "paper")).watches[0].after == "paper"
    whole = draft(tmp_path, saved, watch("other") + watch("paper", "other"))
    assert [(one.id, one.after) for one in whole.watches] == [("other", None), ("paper", "other")], "of both in one file, its own order"


def test_a_draft_of_a_saved_watch_takes_its_place(tmp_path: Path, saved: config.Config) -> None:
    found = draft(tmp_path, saved, watch("paper").replace("anthropic", "openai") + watch("more", "paper"))
    assert [(one.id, one.by, one.after) for one in found.watches] == [("paper", ("openai",), None), ("more", ("anthropic",), "paper")]
