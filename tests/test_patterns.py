"""Rule patterns: what they match, what they refuse, and that none of them is slow."""

from __future__ import annotations

import time
import tomllib

import pytest

from tracker.config import DEFAULTS
from tracker.patterns import check_pattern, compile_pattern, compile_rules

SHIPPED = tomllib.loads((DEFAULTS / "topics.toml").read_text(encoding="utf-8"))["topics"]


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        pytest.param("agent memory", "An Agent Memory for all", "Agent Memory", id="any case"),
        pytest.param("self-improving agent*", "self improving\nagents", "self improving\nagents", id="a hyphen is a space is a line end"),
        pytest.param("self improving", "self\u2011improving code", "self\u2011improving", id="a hyphen that does not break"),
        pytest.param(
            "learn* from (user|deployment) feedback", "It learned from deployment feedback", "learned from deployment feedback", id="choice"
        ),
        pytest.param("(chain-of-thought|cot) monitor*", "CoT monitoring", "CoT monitoring", id="choice first"),
        pytest.param("(optimi*|evolv*) prompts", "evolving prompts", "evolving prompts", id="ending inside a choice"),
        pytest.param("C++ agent", "a C++ agent", "C++ agent", id="signs are literal"),
        pytest.param("r&d", "for R&D.", "R&D", id="ampersand"),
        pytest.param("agent", "reagent and agents", None, id="whole words only"),
        pytest.param("agent*", "reagents", None, id="an ending is not a beginning"),
        pytest.param("a.c", "abc", None, id="a dot is a dot"),
        pytest.param(
            "recursive * self-improvement", "recursive AI self improvement", "recursive AI self improvement", id="a star alone is a word"
        ),
        pytest.param("recursive * gain", "recursive a b c d gain", None, id="a star alone is at most three words"),
        pytest.param("naïve Äpfel", "NAÏVE ÄPFEL", "NAÏVE ÄPFEL", id="letters with marks"),
    ],
)
def test_pattern_finds(pattern: str, text: str, found: str | None) -> None:
    match = compile_pattern(pattern).search(text)
    assert (match[0] if match else None) == found
    assert compile_rules([pattern]).find(text) == ([found] if found else [])


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("", "no words"),
        (" - ", "no words"),
        ("*", "no words"),
        ("()", "no words"),
        ("(a|b", "not closed"),
        ("a)", "was not opened"),
        ("(a|(b))", "inside parentheses"),
        ("(a|)", "empty choice"),
        ("(|a)", "empty choice"),
        ("a|b", "outside parentheses"),
        ("a *b", "inside a word"),
        ("a *", "nothing behind it"),
        ("a**", "does not end a word"),
        ("a*b", "inside a word"),
        ("word " * 60, "at most 200"),
    ],
)
def test_bad_pattern_is_refused_in_one_sentence(pattern: str, problem: str) -> None:
    for use in (compile_pattern, check_pattern, lambda text: compile_rules([text])):
        with pytest.raises(ValueError, match=problem) as caught:
            use(pattern)
        assert "\n" not in str(caught.value)


def test_rules_report_the_first_match_of_each_pattern_in_their_order() -> None:
    rules = compile_rules(["skill*", "agent memory", "absent"])
    assert rules.find("Agent memory holds skills and more skills.") == ["skills", "Agent memory"]
    assert compile_rules([]).find("anything") == []


@pytest.mark.parametrize("text", ["self-" * 20_000, "a" * 200_000, "- " * 60_000, "learn from " * 20_000, "prompt " * 30_000])
def test_no_pattern_is_slow_on_hostile_text(text: str) -> None:
    patterns = [pattern for table in SHIPPED.values() for pattern in table["include"] + table["exclude"]]
    started = time.process_time()
    for pattern in [*patterns, "a* a* a* a* a*", "(a|a*) (a*|a) (a|a)"]:
        compile_pattern(pattern).search(text)
    assert time.process_time() - started < 20  # 250 patterns × 200,000 characters; a quadratic one would take hours


def test_shipped_topics_have_words_for_people_and_good_patterns() -> None:
    assert len(SHIPPED) == 11
    for table in SHIPPED.values():
        assert table["title"]
        assert table["description"].endswith(".")
        assert table["include"]
        for pattern in table["include"] + table["exclude"]:
            check_pattern(pattern)
