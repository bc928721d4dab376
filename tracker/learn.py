"""Learn from a user's labels: the shipped model is the prior, what the lessons change is added to its weights.

in   a shipped ``LinearModel``; ``Lesson``s: items with a yes or a no for a topic; for a topic of the user's own, recent items besides
out  a ``LinearModel`` in the same feature space; how well a topic of the user's own is told, against its rules
refuses to know the database, files, and whether the result is any good: ``gate`` says that.
Surprising: no lesson is given more weight for being rare. The prior is calibrated, so lessons that were picked because the model was
unsure move scores, not the share of yes; balanced weights cost up to 0.2 of F1 at the shipped thresholds, which are therefore kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.calibrate import Calibration, Scores, Truth, calibrate
from tracker.taggers.features import Rows, features_text
from tracker.taggers.linear import KINDS, Head, LinearModel, logits
from tracker.taggers.topics import TopicTagger, kind_of
from tracker.train import matrix, regression
from tracker.types import Item, Topic

__all__ = ["LEAST", "Lesson", "Measured", "Own", "correct", "learn_own"]

# Variance of what a lesson may change in a weight and in the bias, in log odds; chosen by benchmarks/teaching.py.
VARIANCE = 3.0
BIAS_VARIANCE = 0.3
LEAST = 5  # yes and as many no before a topic of the user's own is learned: one a part; with 10, 30 labels were too few for agent memory
COST = 1.0  # C for such a topic
PARTS = 5  # of the cross-validation of such a topic
BACKGROUND = 0.3  # weight of a recent item that nobody has labelled, as what its rules say of it


@dataclass(frozen=True, slots=True)
class Lesson:
    """A person says that an item is on a topic, or not."""

    item: Item
    topic: str
    yes: bool
    picked: str = "browse"


@dataclass(frozen=True, slots=True)
class Measured:
    """Average precision and F1."""

    average_precision: float
    f1: float


@dataclass(frozen=True, slots=True)
class Own:
    """What cross-validation says of a topic of the user's own: the model on lessons it had not seen, and the rules on the same."""

    yes: int
    no: int
    model: Measured
    rules: Measured

    @property
    def better(self) -> bool:
        """Whether the model tells the topic better than its rules: in order, and no worse at its threshold."""
        return self.model.average_precision > self.rules.average_precision and self.model.f1 >= self.rules.f1


# -- a topic that the shipped model knows ---------------------------------------------------------------


def correct(model: LinearModel, topic: str, lessons: Sequence[Lesson]) -> LinearModel:
    """Return the model with the weights of one topic moved by its lessons: the most probable ones, the old weights being the prior.

    Calibration and thresholds stay. A column that decides one kind of items learns from lessons of that kind.
    """
    j = model.topics.index(topic)
    weights, bias = np.array(model.weights, np.float64), np.array(model.bias, np.float64)
    kinds = np.array([kind_of(lesson.item.key) for lesson in lessons])
    truth = np.array([lesson.yes for lesson in lessons], bool)
    rows = matrix(_rows(model, [lesson.item for lesson in lessons]), model.space.size)
    prior = logits(rows @ weights + bias, kinds.tolist(), model)[:, j]
    for column in sorted({int(head.columns[j]) for head in model.heads.values()}):
        own = np.isin(kinds, [kind for kind, head in model.heads.items() if head.columns[j] == column])
        if own.any():
            slope = float(np.mean([model.heads[kind].slope[j] for kind in kinds[own].tolist()]))
            moved, lifted = _most_probable(rows[np.flatnonzero(own)], truth[own], prior[own])
            weights[:, column] += moved / slope
            bias[column] += lifted / slope
    return replace(model, weights=weights.astype(np.float32), bias=bias)


def _most_probable(rows: Any, truth: Truth, prior: Scores) -> tuple[Scores, float]:
    """Return what is added to weights and bias where posterior probability is highest; ``prior`` are log odds."""
    from scipy.optimize import minimize

    size, signs = rows.shape[1], np.where(truth, 1.0, -1.0)

    def loss(x: Scores) -> tuple[float, Scores]:
        moved, lifted = x[:size], x[size]
        margins = signs * (prior + rows @ moved + lifted)
        slope = -signs / (1 + np.exp(np.clip(margins, -500, 500)))
        value = np.logaddexp(0, -margins).sum() + moved @ moved / (2 * VARIANCE) + lifted * lifted / (2 * BIAS_VARIANCE)
        return float(value), np.append(rows.T @ slope + moved / VARIANCE, slope.sum() + lifted / BIAS_VARIANCE)

    found = minimize(loss, np.zeros(size + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return found.x[:size], float(found.x[size])


# -- a topic of the user's own ----------------------------------------------------------------------------


def learn_own(model: LinearModel, topic: Topic, lessons: Sequence[Lesson], recent: Sequence[Item]) -> tuple[LinearModel, Own]:
    """Return the model with one topic more, and how its lessons are told by models that had not seen them.

    ``recent`` items teach too, with little weight: what the rules of the topic say of them. So the model begins
    as a copy of the rules that sees likenesses, and every label makes it more the user's. Thresholds are chosen on
    both: among lessons alone, picked because they may be on the topic, any threshold looks good (skill-optimization
    went from F1 .56 by rules to .34).
    """
    known = {lesson.item.key for lesson in lessons}
    recent = [item for item in recent if item.key not in known]
    items = [lesson.item for lesson in lessons] + list(recent)
    rows = matrix(_rows(model, items), model.space.size)
    n = len(lessons)
    hits = np.array([bool(found) for found in TopicTagger([topic], None).tag(items)], bool)
    truth = np.concatenate([np.array([lesson.yes for lesson in lessons], bool), hits[n:]])
    papers = np.array([kind_of(item.key) == "paper" for item in items], bool)
    labelled = np.arange(len(items)) < n
    part = _parts(truth)
    unseen = np.zeros(len(items))
    for k in range(PARTS):
        inside = np.flatnonzero(part != k)
        fitted = _regression(rows[inside], truth[inside], labelled[inside])
        unseen[part == k] = rows[np.flatnonzero(part == k)] @ fitted[0] + fitted[1]
    own = _compared(unseen, truth, papers, hits, part, labelled)
    weights, bias = _regression(rows, truth, labelled)
    return _with_topic(model, topic.id, weights, bias, calibrate(unseen, truth, papers)), own


def _parts(truth: Truth) -> NDArray[np.int64]:
    """Return a part (0 … ``PARTS`` - 1) per item, yes and no each dealt round."""
    part = np.zeros(len(truth), np.int64)
    for value in (True, False):
        part[truth == value] = np.arange((truth == value).sum()) % PARTS
    return part


def _regression(rows: Any, truth: Truth, labelled: Truth) -> tuple[Scores, float]:
    fitted = regression(COST).fit(rows, truth, sample_weight=np.where(labelled, 1.0, BACKGROUND))
    return fitted.coef_[0], float(fitted.intercept_[0])


def _compared(unseen: Scores, truth: Truth, papers: Truth, hits: Truth, part: NDArray[np.int64], labelled: Truth) -> Own:
    from sklearn.metrics import average_precision_score, f1_score

    tagged = np.zeros(len(truth), bool)
    for k in range(PARTS):  # the threshold too is one that has not seen the lesson
        rest = part != k
        chosen = calibrate(unseen[rest], truth[rest], papers[rest])
        tagged[~rest] = chosen.tiers(chosen.scores(unseen[~rest], papers[~rest]), papers[~rest])[0]
    told = truth[labelled]
    model, rules = (
        Measured(float(average_precision_score(told, order[labelled])), float(f1_score(told, tags[labelled], zero_division=0)))
        for order, tags in ((unseen, tagged), (hits, hits))
    )
    return Own(int(told.sum()), int((~told).sum()), model, rules)


def _with_topic(model: LinearModel, topic: str, weights: Scores, bias: float, chosen: Calibration) -> LinearModel:
    column = len(model.bias)
    heads = {
        kind: Head(
            np.append(model.heads[kind].columns, column),
            np.append(model.heads[kind].slope, chosen.slope),
            np.append(model.heads[kind].offset, chosen.offset[k]),
            {**model.heads[kind].maybe, topic: chosen.maybe[k]},
            {**model.heads[kind].confident, topic: chosen.confident[k]},
        )
        for k, kind in enumerate(KINDS)
    }
    more = np.column_stack([model.weights, weights.astype(np.float32)])
    return replace(model, topics=(*model.topics, topic), weights=more, bias=np.append(model.bias, bias), heads=heads)


# -- rows ----------------------------------------------------------------------------------


def _rows(model: LinearModel, items: Sequence[Item]) -> Rows:
    return model.space.rows([features_text(item.title, item.text) for item in items])
