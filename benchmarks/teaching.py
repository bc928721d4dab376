"""What teaching gains, with simulated users: python -m benchmarks.teaching LABELS TEXTS [NEWS]

Real labels, split by time: the prior is fitted on the earlier months, users label items of the middle months (80 % of them those on
which the model in use is unsure, 20 % at random; every fifth item is held out), the last months measure. Means over seeds.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker import gate, learn, teach
from tracker.calibrate import average_precision
from tracker.config import Config, load, shipped_file
from tracker.examples import Example, read_labels
from tracker.holdout import Holdout, in_holdout, load_holdout
from tracker.taggers.features import features_text
from tracker.taggers.linear import LinearModel, topic_scores
from tracker.taggers.topics import TopicTagger
from tracker.train import build, matrix
from tracker.types import Item

CORE = "agent-self-improvement"
OWN = ("agent-memory", "alignment-drift", "skill-optimization")
STEPS = (10, 30, 100, 300)
PRIOR, TAUGHT, MEASURED = ("2025-01", "2025-10"), ("2025-10", "2026-01"), ("2026-01", "2026-03")
FLIPPED = 0.2


@dataclass(frozen=True, slots=True)
class Measured:
    """On the last months, means over the users: average precision, F1 at the model's threshold, share of challengers that were promoted."""

    average_precision: float
    f1: float
    promoted: float = 0.0


class World:
    """A prior, its holdout, and what comes after it."""

    def __init__(self, examples: Sequence[Example], folder: Path) -> None:
        self.config: Config = load(shipped_file())
        self.shipped = build([one for one in examples if PRIOR[0] <= one.month < PRIOR[1]], folder)
        self.holdout = load_holdout(folder)
        self.pool = [one for one in examples if TAUGHT[0] <= one.month < TAUGHT[1]]
        self.test = [one for one in examples if MEASURED[0] <= one.month < MEASURED[1]]

    @cached_property
    def items(self) -> list[Item]:
        """What the users can label."""
        return [_item(one) for one in self.pool]

    def without(self, topic: str) -> LinearModel:
        """The shipped model as if it had never heard of a topic. Columns stay: they are independent of each other."""
        model = self.shipped
        keep = [j for j, one in enumerate(model.topics) if one != topic]
        heads = {
            kind: replace(
                head,
                columns=head.columns[keep],
                slope=head.slope[keep],
                offset=head.offset[keep],
                maybe={one: value for one, value in head.maybe.items() if one != topic},
                confident={one: value for one, value in head.confident.items() if one != topic},
            )
            for kind, head in model.heads.items()
        }
        return replace(model, topics=tuple(model.topics[j] for j in keep), heads=heads)

    def holdout_of(self, model: LinearModel) -> Holdout:
        """The holdout that would ship with such a model."""
        keep = [self.holdout.topics.index(topic) for topic in model.topics]
        return replace(self.holdout, topics=model.topics, truth=self.holdout.truth[:, keep])

    def alike(self, model: LinearModel, topic: str) -> NDArray[np.int64]:
        """What the users can label, the most like the description of a topic first."""
        described = next(one for one in self.config.topics if one.id == topic)
        texts = [features_text(described.title, described.description), *(features_text(one.title, one.text) for one in self.items)]
        rows = matrix(model.space.rows(texts), model.space.size)
        return np.argsort(-(rows[1:] @ rows[:1].T).toarray()[:, 0], kind="stable")

    def scores(self, model: LinearModel, topic: str, examples: Sequence[Example]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Scores and tags; by the rules where the model does not know the topic."""
        if topic not in model.topics:
            rules = TopicTagger([one for one in self.config.topics if one.id == topic], None)
            hits = np.array([bool(found) for found in rules.tag([_item(one) for one in examples])])
            return hits.astype(float), hits
        kinds = [one.kind for one in examples]
        texts = [features_text(one.title, one.body) for one in examples]
        scores = topic_scores(texts, kinds, model)[:, model.topics.index(topic)].astype(float)
        return scores, scores >= np.array([model.heads[kind].maybe[topic] for kind in kinds])

    def measure(self, model: LinearModel, topic: str, truth: Callable[[Example], bool]) -> Measured:
        """Figures of one model on the last months."""
        told = np.array([truth(one) for one in self.test])
        scores, tagged = self.scores(model, topic, self.test)
        return Measured(average_precision(scores, told), float(2 * (told & tagged).sum() / max(told.sum() + tagged.sum(), 1)))


def _item(one: Example) -> Item:
    return Item(0, one.key, "", None, one.title, one.body, (), None, "", False)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who answers by ``truth``, and lies or errs with a chance of ``flipped``."""

    topic: str
    truth: Callable[[Example], bool]
    seed: int
    flipped: float = 0.0

    def answers(self, world: World, places: Iterable[int]) -> Iterator[learn.Lesson]:
        """The labels of some items; the same item always gets the same answer."""
        wrong = np.random.default_rng([self.seed, 1]).random(len(world.pool)) < self.flipped
        for place in places:
            yield learn.Lesson(world.items[place], self.topic, bool(self.truth(world.pool[place]) ^ wrong[place]))


def picked(world: World, model: LinearModel, user: User, asked: list[int], count: int) -> list[int]:
    """What is asked next: four of five by doubt, the fifth at random. Of a topic that only rules know, by turns what
    they match and what has the words of its description, as ``label.queue`` does.
    """
    scores, tagged = world.scores(model, user.topic, world.pool)
    chance = np.random.default_rng([user.seed, len(asked)])
    lot = chance.permutation(len(world.pool))
    if user.topic in model.topics:
        lines = np.array([model.heads[one.kind].maybe[user.topic] for one in world.pool])
        doubt = np.argsort(np.abs(np.log((scores + 1e-9) / (1 - scores + 1e-9)) - np.log(lines / (1 - lines))), kind="stable")
    else:
        alike = world.alike(model, user.topic)
        hits = chance.permutation(np.flatnonzero(tagged))
        doubt = np.concatenate([np.column_stack([hits, alike[: len(hits)]]).ravel(), alike])
    queues, found = (iter(doubt.tolist()), iter(lot.tolist())), list(asked)
    while len(found) < min(count, len(world.pool)):
        queue = queues[len(found) % 5 == 4]
        place = next((one for one in queue if one not in found), None)
        found.append(place if place is not None else next(one for one in lot.tolist() if one not in found))
    return found


def taught(world: World, start: LinearModel, user: User, steps: Sequence[int] = STEPS) -> Iterator[tuple[LinearModel, LinearModel, bool]]:
    """Yield after each step the challenger, the model in use after the gate, and whether the challenger was promoted."""
    asked: list[int] = []
    champion = start
    for count in steps:
        asked = picked(world, champion, user, asked, count)
        lessons = list(user.answers(world, asked))
        parts = [tuple(one for one in lessons if in_holdout(one.item.key) is held) for held in (False, True)]
        told = {one.item.key for one in lessons}
        recent = tuple(item for item in world.items if item.key not in told and not in_holdout(item.key))
        given = teach.Material(parts[0], parts[1], 0, recent, "")
        made, _, _ = teach.challenger(start, world.config, given)
        tests = teach.trials(world.holdout_of(start), start, champion, made, given.held, world.config)
        passed = gate.judge(tests, {user.topic}).promoted and user.topic in made.topics
        champion = made if passed else champion
        yield made, champion, passed


def course(world: World, start: LinearModel, users: Sequence[User], steps: Sequence[int] = STEPS) -> list[Measured]:
    """Return the figures of the model in use before any label and after each step, means over users."""
    truth, topic = users[0].truth, users[0].topic
    rows = [[world.measure(start, topic, truth)] for _ in users]
    for row, user in zip(rows, users, strict=True):
        for _, champion, passed in taught(world, start, user, steps):
            row.append(replace(world.measure(champion, topic, truth), promoted=float(passed)))
    return [
        Measured(*(float(np.mean([getattr(row[n], name) for row in rows])) for name in Measured.__slots__)) for n in range(len(rows[0]))
    ]


def on(*topics: str) -> Callable[[Example], bool]:
    """What a person says who counts all these topics as one."""
    return lambda example: bool(example.topics & set(topics))


def told(name: str, found: Sequence[Measured]) -> str:
    """One line of the table."""
    cells = [f"{one.average_precision:.3f} / {one.f1:.3f}" + (f" {one.promoted:4.0%}" if n else "") for n, one in enumerate(found)]
    return f"{name:44}" + "   ".join(cells)


def examples(labels: Path, texts: Path, news: Path | None) -> list[Example]:
    """The labelled texts, papers and news."""
    return read_labels(labels, texts) + (read_labels(news, texts) if news else [])


def main(arguments: Sequence[str], seeds: int = 3) -> None:
    """Print the table."""
    labels, texts, *news = (Path(one) for one in arguments)
    with tempfile.TemporaryDirectory() as folder:
        world = World(examples(labels, texts, news[0] if news else None), Path(folder))
    print("average precision / F1 of the model in use, share of challengers promoted; after 0, " + ", ".join(map(str, STEPS)) + " labels")
    for topic in OWN:
        users = [User(topic, on(topic), seed) for seed in range(seeds)]
        print(told(f"own topic {topic} (0: rules)", course(world, world.without(topic), users)), flush=True)
    wishes = {
        "core, as shipped": on(CORE),
        "core and self-training": on(CORE, "self-training"),
        "core and online learning": on(CORE, "online-learning"),
    }
    for name, truth in wishes.items():
        print(told(name, course(world, world.shipped, [User(CORE, truth, seed) for seed in range(seeds)])), flush=True)
    for share in (FLIPPED, 0.5, 1.0):
        users = [User(CORE, on(CORE), seed, share) for seed in range(seeds)]
        print(told(f"core, {share:.0%} of the labels flipped", course(world, world.shipped, users)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
