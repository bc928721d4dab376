"""A fixed number of cases for each target, the same every time; and that a target can fail."""

from __future__ import annotations

import pytest

from tests.fuzz import TARGETS, case

CASES = {"feeds": 300, "configuration": 60}


@pytest.mark.parametrize("name", TARGETS)
def test_cases_with_fixed_seeds(name: str) -> None:
    for seed in range(CASES.get(name, 400)):
        TARGETS[name](case(name, seed))


def test_a_case_is_the_same_every_time_and_no_other() -> None:
    assert [case("feeds", seed) for seed in range(20)] == [case("feeds", seed) for seed in range(20)]
    assert len({case("addresses", seed) for seed in range(200)}) > 150


def test_a_target_fails_when_a_promise_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.text.clean_html", lambda markup: "<svg onload=x>")
    with pytest.raises(AssertionError):
        TARGETS["sanitiser"](b"x")
