"""What is sure enough for a question, what bears no date, and of which lab it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tracker.matching import SURE, match, missed, rung_of
from tracker.types import Facts, Watch

FACTS = Facts(
    1, "arxiv:2606.01234", "https://arxiv.org/abs/2606.01234", "Agents that learn", "", "2026-06-12T08:00:00Z", "paper", None, "",
    {"owl": "author block: “Owl Labs”"}, {}, {"self-training": (0.9, "maybe")},
)  # fmt: skip
ASKED = Watch("asked", "Has a lab published that?", by=("any",), topics=("self-training",), since="2025-06-01")


@pytest.mark.parametrize(
    ("score", "tier", "event", "near"),
    [
        pytest.param(0.5, "confident", 1, 0, id="confident, whatever its score"),
        pytest.param(SURE, "maybe", 1, 0, id="a maybe that is sure enough"),
        pytest.param(SURE - 0.01, "maybe", 0, 1, id="a maybe that is not"),
        pytest.param(0.99, "no", 0, 0, id="what a label denies"),
    ],
)
def test_what_is_sure_enough(score: float, tier: str, event: int, near: int) -> None:
    facts = replace(FACTS, topics={"self-training": (score, tier)})
    assert (len(match(ASKED, facts)), len(missed(ASKED, facts))) == (event, near)


def test_what_was_there_without_a_date_answers_no_question_that_asks_for_a_time() -> None:
    old = replace(FACTS, dated=False, old=True)
    assert match(ASKED, old) == []
    (near,) = missed(ASKED, old)
    assert (near.lab, near.rung, near.reason[-1]) == ("owl", "published", "it bears no date and was there before we first looked")
    assert len(match(replace(ASKED, since=None), old)) == 1, "a question without a time takes it"
    assert missed(ASKED, replace(old, topics={})) == []


def test_what_is_found_without_a_date_while_we_look_is_of_that_day() -> None:
    (event,) = match(ASKED, replace(FACTS, dated=False))
    assert event.at == FACTS.at
    assert event.reason[-1] == "a paper; it bears no date, first seen 2026-06-12"


def test_a_phrase_without_a_date_is_a_near_miss_too() -> None:
    asked = replace(ASKED, topics=(), phrases=("agents that learn",))
    assert len(match(asked, FACTS)) == 1
    old = replace(FACTS, dated=False, old=True)
    assert (match(asked, old), len(missed(asked, old))) == ([], 1)


@pytest.mark.parametrize(
    ("by", "labs"),
    [
        pytest.param(("any",), ["owl-research"], id="where any lab will do, the most exact one"),
        pytest.param(("owl",), ["owl"], id="the parent, where it is asked for"),
        pytest.param(("owl", "owl-research"), ["owl", "owl-research"], id="both, where both are"),
    ],
)
def test_of_a_lab_and_its_parent(by: tuple[str, ...], labs: list[str]) -> None:
    known = {"owl": "author block: “Owl Labs”; parent of owl-research", "owl-research": "author block: “Owl Research”"}
    assert sorted(event.lab for event in match(replace(ASKED, by=by), replace(FACTS, by=known))) == labs


POST = replace(FACTS, key="url:https://owl.example/x", url="https://owl.example/x", origin="official", act="result")


@pytest.mark.parametrize(
    ("changes", "rung"),
    [
        pytest.param({"links": frozenset({"arxiv:2606.01234"})}, "published", id="a paper of these days"),
        pytest.param({"links": frozenset({"arxiv:2605.01234"})}, "published", id="a paper of the month before"),
        pytest.param({"links": frozenset({"arxiv:2402.12365"})}, "stated", id="an old paper is cited"),
        pytest.param({"links": frozenset({"arxiv:2606.01234"}), "act": "opinion"}, "stated", id="an opinion presents nothing"),
        pytest.param({"links": frozenset({"url:https://owl.example/owl-report.pdf"})}, "published", id="a report as a PDF"),
        pytest.param({"links": frozenset({"url:https://owl.example/letter-to-the-mayor.pdf"})}, "stated", id="a letter as a PDF"),
        pytest.param({"title": "Introducing Paper mode for Canvas", "act": "release"}, "shipped", id="a product of that name"),
        pytest.param({"title": "Our paper on agents that learn"}, "published", id="our paper"),
        pytest.param({"title": "Folding a white paper plane"}, "stated", id="a white paper plane"),
        pytest.param({"url": "https://owl.example/files/privacy-policy.pdf", "act": None}, "stated", id="a policy as a PDF"),
        pytest.param({"url": "https://owl.example/files/how-people-use-it.pdf"}, "published", id="a PDF that tells a result"),
    ],
)
def test_what_presents_a_study(changes: dict[str, object], rung: str) -> None:
    assert rung_of(replace(POST, **changes), "owl")[0] == rung  # type: ignore[arg-type]
