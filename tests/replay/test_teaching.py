"""Simulated users teach on real labels: benchmarks/teaching.py with few topics, and what must come of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.teaching import CORE, User, World, course, examples, on
from tests.replay.conftest import SHARED

LABELS, NEWS, TEXTS = SHARED / "labels" / "train.csv", SHARED / "labels" / "news_train.csv", SHARED / "corpus"
pytestmark = pytest.mark.skipif(not LABELS.exists(), reason="../shared/labels is not there: simulated users are left out")
TOPICS = frozenset({CORE, "agent-memory", "alignment-drift", "self-training"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    made = [replace(one, topics=one.topics & TOPICS) for one in examples(LABELS, TEXTS, NEWS)]
    return World(made, tmp_path_factory.mktemp("prior"))


@pytest.mark.parametrize(("topic", "steps", "gain"), [("agent-memory", [10, 30], 0.3), ("alignment-drift", [30, 300], 0.1)])
def test_a_new_topic_beats_its_rules(world: World, topic: str, steps: list[int], gain: float) -> None:
    rules, *_, taught = course(world, world.without(topic), [User(topic, on(topic), seed) for seed in (0, 1)], steps)
    assert taught.average_precision >= rules.average_precision + gain


def test_a_user_who_sees_the_core_otherwise_is_followed(world: World) -> None:
    wish = on(CORE, "self-training")
    before, after = course(world, world.shipped, [User(CORE, wish, seed) for seed in (0, 1)], [300])
    assert after.average_precision >= before.average_precision - 0.005
    assert after.f1 >= before.f1 - 0.005


def test_true_labels_of_the_core_cost_nothing(world: World) -> None:
    before, *after = course(world, world.shipped, [User(CORE, on(CORE), 0)], [30, 300])
    assert all(one.average_precision >= before.average_precision - 0.02 for one in after)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_fifth_of_wrong_labels_costs_at_most_two_hundredths(world: World, seed: int) -> None:
    before, after = course(world, world.shipped, [User(CORE, on(CORE), seed, 0.2)], [300])
    assert after.average_precision >= before.average_precision - 0.02
    assert after.f1 >= before.f1 - 0.05


def test_a_user_who_is_always_wrong_is_stopped(world: World) -> None:
    before, after = course(world, world.shipped, [User(CORE, on(CORE), seed, 1.0) for seed in (0, 1)], [300])
    assert after.average_precision >= before.average_precision - 0.02
    assert after.f1 >= before.f1 - 0.05
