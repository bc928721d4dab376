"""Stories on labelled days: what the shipped model promises, on windows it has not seen, and whatever order sources answer in."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.replay.conftest import SHARED
from tracker.cli import cli
from tracker.evaluate_stories import place
from tracker.pairing.model import SHIPPED, load, load_rarity
from tracker.story_labels import labelled
from tracker.train_pairs import Pairs, fit

LABELS = SHARED / "labels" / "stories_train.csv"
HARD = SHARED / "labels" / "stories_hardneg_train.csv"


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The report by cross-validation over windows, by the very stage of a run."""
    result = CliRunner().invoke(cli, ["-q", "evaluate", "stories", "--labels", str(LABELS), "--hard", str(HARD), "--cross-validate"])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_unseen_windows_are_grouped_as_well_as_promised(told: dict[str, Any]) -> None:
    assert told["b3_active"]["precision"] >= 0.97, "a wrong merge hides news"
    assert told["b3_active"]["recall"] >= 0.74
    assert told["pairwise"]["precision"] >= 0.9
    assert told["look_alikes"]["share"] <= 0.03
    assert told["lists_joined"] == 0


def test_the_figures_are_those_of_the_docs(told: dict[str, Any]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "stories.md").read_text(encoding="utf-8")
    for title, name in (("B³, active items", "b3_active"), ("pairs", "pairwise"), ("B³, all items", "b3")):
        figures = " | ".join(f"{told[name][what]:.3f}".lstrip("0") for what in ("precision", "recall"))
        assert f"| {title} | {figures} |" in page
    assert f"Look-alikes joined: {told['look_alikes']['joined']} of {told['look_alikes']['of']}" in page


@pytest.mark.parametrize("seed", range(3))
def test_the_order_in_which_sources_answer_does_not_matter(seed: int) -> None:
    rows = [row for row in labelled(LABELS) if row.window in ("w07", "w13", "w19", "w21")]
    shuffled = random.Random(seed).sample(rows, len(rows))
    found = {(one.row.window, one.row.url): one for one in place(rows)}
    again = {(one.row.window, one.row.url): one for one in place(shuffled)}

    def stories(placed: dict[tuple[str, str], Any]) -> set[frozenset[str]]:
        groups: dict[str, set[str]] = {}
        for (_, url), one in placed.items():
            groups.setdefault(one.story, set()).add(url)
        return set(map(frozenset, groups.values()))

    assert stories(found) == stories(again)
    assert {key: one.evidence for key, one in found.items()} == {key: one.evidence for key, one in again.items()}


def test_the_shipped_model_is_what_these_labels_make() -> None:
    shipped = load()
    pairs = Pairs(labelled(LABELS), load_rarity((SHIPPED / "rarity.txt").read_text(encoding="utf-8")))
    kept = ~pairs.apart
    made = fit(pairs.values[kept], pairs.same[kept])
    assert {name: array.tobytes() for name, array in made.arrays().items()} == {
        name: array.tobytes() for name, array in shipped.forest.arrays().items()
    }
