"""The linear topic model without scikit-learn: scores, and the words behind a score.

in   texts made by ``features_text``, each with its kind: "paper" or "news"; a ``LinearModel``
out  calibrated scores per topic; ``explain``: the words that made one
refuses to know items, rules, files and training. Imports numpy, so it is itself imported only where there is something to score.
Scores agree with scikit-learn's within 1e-6.
Surprising: papers and news share features and, but for a topic or two, weights; what differs is the head: calibration and thresholds.
A deployment that a paper studies and one that a vendor announces are told in other words, so that topic has a column for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from tracker.taggers.features import CHUNK, FeatureSpace, Floats, Owned, Rows

__all__ = ["KINDS", "Head", "LinearModel", "decisions", "explain", "explain_many", "logits", "sigmoid", "topic_scores"]

KINDS = ("paper", "news")

# Words that carry grammar, not meaning. They score like all others, but as evidence they would tell a reader nothing.
_GRAMMAR = frozenset(
    "a about across after all also an and any are as at be because been before between both but by can "
    "could do does each for from has have how however if in into is it its may more most much must no not "
    "of on one only or other our over own several should show shows so some such than that the their them "
    "then there these they this those through thus to two under up upon us use used uses using via was we "
    "well were what when where whether which while who whose why will with within without would yet you "
    "your".split()
)


@dataclass(frozen=True, slots=True)
class Head:
    """How the decisions on one kind of item become scores, per topic of the model in its order.

    ``score = sigmoid(slope * decision + offset)``. ``maybe`` and ``confident`` are scores from which on a topic is
    shown at all, and shown as sure; a confident threshold above 1 says that training found none that keeps its promise.
    """

    columns: NDArray[np.int64]  # (topics,): the column of the weights that decides
    slope: Floats  # (topics,)
    offset: Floats  # (topics,)
    maybe: Mapping[str, float]
    confident: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A model ready to score."""

    name: str
    topics: tuple[str, ...]
    space: FeatureSpace
    weights: Floats  # (space.size, columns)
    bias: Floats  # (columns,)
    heads: Mapping[str, Head]  # by kind
    about: Mapping[str, object] = field(default_factory=dict)  # what training says of itself: counts and scores


def topic_scores(texts: Sequence[str], kinds: Sequence[str], model: LinearModel) -> NDArray[np.float32]:
    """Return one row per text, one column per topic (``model.topics`` order), each a calibrated probability in 0–1.

    Raises:
        KeyError: a kind that is not in ``KINDS``.
    """
    # By chunks: the rows of 500 abstracts at once would be 16 MB.
    parts = [decisions(model.space.rows(texts[start : start + CHUNK]), model) for start in range(0, len(texts), CHUNK)]
    return sigmoid(logits(np.concatenate([np.zeros((0, len(model.bias))), *parts]), kinds, model)).astype(np.float32)


def decisions(rows: Rows, model: LinearModel) -> NDArray[np.float64]:
    """Return the raw decisions of rows, (rows, columns of the weights): what a head turns into scores."""
    # Values take the type of the weights, not the reverse: converting 700 rows of weights costs more than the product.
    values = rows.values.astype(model.weights.dtype)
    starts = rows.starts.tolist()
    found = np.zeros((len(starts) - 1, len(model.bias)))
    for row, (first, end) in enumerate(pairwise(starts)):
        found[row] = values[first:end] @ model.weights.take(rows.ids[first:end], axis=0)
    return found + model.bias


def logits(found: NDArray[np.float64], kinds: Sequence[str], model: LinearModel) -> NDArray[np.float64]:
    """Return calibrated log odds, (rows, topics), from decisions, (rows, columns of the weights)."""
    odds = np.zeros((len(kinds), len(model.topics)))
    for kind in dict.fromkeys(kinds):
        head, of = model.heads[kind], np.array([one == kind for one in kinds])
        odds[of] = found[of][:, head.columns] * head.slope + head.offset
    return odds


def sigmoid(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return probabilities from log odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -500, 500))))


# -- evidence -------------------------------------------------------------------------------------


def explain(text: str, kind: str, topic: str, model: LinearModel, n: int = 5) -> list[tuple[str, float]]:
    """Return the at most ``n`` words and word pairs of a text that speak most for a topic, largest first, with their share of the decision.

    A word's share is that of its own feature, of the pieces in it and of the concepts it stands for; grammatical
    words are left out. Only when nothing speaks for the topic, the word that speaks least against it is returned,
    so that only a text without a word of meaning has no evidence.

    Raises:
        KeyError: the model does not know the topic or the kind.
    """
    return explain_many(text, kind, [topic], model, n)[topic]


def explain_many(text: str, kind: str, topics: Sequence[str], model: LinearModel, n: int = 5) -> dict[str, list[tuple[str, float]]]:
    """Return ``explain`` for several topics of one text, at little more than the cost of one."""
    unknown = [topic for topic in topics if topic not in model.topics]
    if unknown:
        raise KeyError(unknown[0])
    owned = model.space.owned(text)
    columns = model.heads[kind].columns
    found = {}
    for topic in topics:
        column = columns[model.topics.index(topic)]
        shares = np.bincount(owned.owner, owned.part * model.weights[owned.feature, column], owned.owners)
        found[topic] = _largest(owned, shares.astype(np.float64), n)
    return found


def _readable(term: str) -> str:
    """Return how a term is shown: "of memory" as "memory"; empty for grammar and numbers alone."""
    content = [word for word in term.split() if word not in _GRAMMAR]
    if not content or all(word.isdigit() for word in content):
        return ""
    return term if len(content) > 1 or " " not in term else content[0]


def _largest(owned: Owned, shares: NDArray[np.float64], n: int) -> list[tuple[str, float]]:
    """Return the largest shares by the words that a reader sees, "the memory" with "memory" and a token with its word."""
    totals: dict[str, float] = {}
    # What has less than a fiftieth of the largest share is not among the first five, and naming it would cost the most.
    for owner in np.flatnonzero(shares > max(shares.max(initial=0.0) / 50, 0.0)).tolist():
        if term := _readable(owned.name(owner)):
            totals[term] = totals.get(term, 0.0) + float(shares[owner])
    if not totals:
        named = ((_readable(owned.name(owner)), float(shares[owner])) for owner in np.argsort(-shares, kind="stable").tolist())
        totals = dict(islice(((term, share) for term, share in named if term), 1))
    chosen: list[tuple[str, float]] = []
    shown: list[frozenset[str]] = []
    for term, share in sorted(totals.items(), key=lambda pair: -pair[1]):
        parts = frozenset(term.replace("-", " ").split())
        if len(chosen) < n and not any(parts <= others for others in shown):  # "evolving" says nothing beside "self-evolving"
            chosen.append((term, round(share, 4)))
            shown.append(parts)
    return chosen
