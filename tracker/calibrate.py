"""From decisions to scores and thresholds, and how good they are: fitted and measured on rows that the deciding model has not seen.

in   decisions, truth, which rows are papers
out  a ``Calibration``: Platt's slope and an offset a kind, and the two thresholds of each kind; figures
refuses to know texts and models.
Surprising: papers and news share the slope and differ in the offset, since news has few positives: of a topic with seven there, a
calibration of its own would be a guess. For the same reason news has thresholds of its own only where it has enough positives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST", "NEVER", "PROMISE", "Calibration", "average_precision", "calibrate", "figures", "interval"]

PROMISE = 0.9  # precision of the confident tier
AIM = 0.92  # what its threshold is chosen for: on months that it was not chosen on, precision was two points lower
LEAST = 10  # items above a threshold before its precision counts as known
NEVER = 1.01  # a confident threshold that no score reaches: none was found that keeps the promise

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Calibration:
    """``score = sigmoid(slope * decision + offset)`` for papers and for news, and the thresholds of each: (papers, news)."""

    slope: float
    offset: tuple[float, float]
    maybe: tuple[float, float]
    confident: tuple[float, float]

    def scores(self, decisions: Scores, papers: Truth) -> Scores:
        """Return calibrated scores."""
        z = decisions * self.slope + np.where(papers, *self.offset)
        return np.asarray(1 / (1 + np.exp(-np.clip(z, -500, 500))))

    def tiers(self, scores: Scores, papers: Truth) -> tuple[Truth, Truth]:
        """Return which rows are tagged at all, and which as sure."""
        return scores >= np.where(papers, *self.maybe), scores >= np.where(papers, *self.confident)


def calibrate(decisions: Scores, truth: Truth, papers: Truth) -> Calibration:
    """Return calibration and thresholds for one topic, from decisions of models that had not seen the row.

    Calibration is Platt's (Probabilistic outputs for support vector machines, 1999) with one offset a kind; the
    maybe threshold is where F1 is best, the confident one where precision keeps ``PROMISE``.
    """
    from sklearn.linear_model import LogisticRegression

    # The mild penalty keeps the offset of news near that of papers while few news items speak for another.
    rows = np.column_stack([decisions, np.where(papers, 0.0, 0.5)])
    fitted = LogisticRegression(C=100.0, max_iter=1000).fit(rows, truth)
    slope, news = (float(value) for value in fitted.coef_[0])
    common = float(fitted.intercept_[0])
    found = Calibration(slope, (common, common + news / 2), (0.0, 0.0), (0.0, 0.0))
    scores = found.scores(decisions, papers)
    pooled_maybe, pooled_confident = _best_f1(scores, truth), _promising(scores, truth)
    maybe, confident = [], []
    for part in (papers, ~papers):
        enough = truth[part].sum() >= 2 * LEAST
        maybe.append(_best_f1(scores[part], truth[part]) if enough else pooled_maybe)
        # The promise is made for each kind alone as well, not only on average.
        sure = max(pooled_confident, _promising(scores[part], truth[part])) if enough else pooled_confident
        confident.append(max(sure, maybe[-1]))
    return Calibration(slope, found.offset, _pair(maybe), _pair(confident))


def _pair(values: Sequence[float]) -> tuple[float, float]:
    return round(values[0], 4), round(values[1], 4)


def _sorted_hits(p: Scores, truth: Truth) -> tuple[Scores, NDArray[np.int64]]:
    order = np.argsort(-p, kind="stable")
    return p[order], np.cumsum(truth[order])


def _best_f1(p: Scores, truth: Truth) -> float:
    """Return the score from which on F1 is best, after a little smoothing over neighbours: the very best cut is luck."""
    ordered, hits = _sorted_hits(p, truth)
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + hits[-1])
    width = max(1, int(hits[-1]) // 10)
    smooth = np.convolve(np.pad(f1, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), "valid")
    return float(ordered[int(np.argmax(smooth))])


def _promising(p: Scores, truth: Truth) -> float:
    """Return the lowest score above which at least ``AIM`` of at least ``LEAST`` items are right, or ``NEVER``."""
    ordered, hits = _sorted_hits(p, truth)
    counts = np.arange(1, len(p) + 1)
    # One more than was seen may be wrong: without this grain of salt the promise broke on unseen months for 7 of 11 topics.
    kept = np.flatnonzero((hits >= AIM * (counts + 1)) & (counts >= LEAST))
    return float(ordered[kept[-1]]) if len(kept) else NEVER


# -- figures --------------------------------------------------------------------------------------


def figures(scores: Scores, truth: Truth, maybe: Truth, confident: Truth) -> dict[str, Any]:
    """Return what the scores of one topic are worth: counts, average precision, its interval, both tiers, calibration error."""
    known = bool(truth.any())
    found: dict[str, Any] = {
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "average_precision": _rounded(average_precision(scores, truth)) if known else None,
        "interval": interval(scores, truth) if known else None,
        "calibration_error": _calibration_error(scores, truth),
    }
    for name, tagged in (("maybe", maybe), ("confident", confident)):
        right = int((tagged & truth).sum())
        found[f"{name}_tagged"] = int(tagged.sum())
        found[f"{name}_precision"] = _rounded(right / tagged.sum()) if tagged.any() else None
        found[f"{name}_recall"] = _rounded(right / truth.sum()) if known else None
        found[f"{name}_f1"] = _rounded(2 * right / (tagged.sum() + truth.sum())) if known else None
    return found


def average_precision(scores: Scores, truth: Truth, times: NDArray[np.int64] | None = None) -> float:
    """Return what scikit-learn's ``average_precision_score`` returns, nan without a positive; 20 times faster, which a bootstrap feels.

    Args:
        times: how often each row counts (1).
    """
    order = np.argsort(-scores, kind="stable")
    counts = np.ones(len(order), np.int64) if times is None else times[order]
    ends = np.flatnonzero(np.diff(scores[order], append=np.nan))  # rows of one score stand or fall together
    hits, found = np.cumsum(counts * truth[order])[ends], np.cumsum(counts)[ends]
    if not len(ends) or not hits[-1]:
        return float("nan")
    return float((hits / np.maximum(found, 1) * np.diff(hits, prepend=0)).sum() / hits[-1])


def interval(scores: Scores, truth: Truth, before: Scores | None = None, draws: int = 500) -> list[float]:
    """Return the 95 % bootstrap interval of average precision, from ``draws`` resamples of the rows; [] without a positive.

    Args:
        before: other scores of the same rows: then the interval is that of the difference to theirs, on the same resamples.
    """
    chance = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        times = np.bincount(chance.integers(0, len(truth), len(truth)), minlength=len(truth))
        if (times * truth).any():
            less = 0.0 if before is None else average_precision(before, truth, times)
            found.append(average_precision(scores, truth, times) - less)
    return [_rounded(value) for value in np.percentile(found, [2.5, 97.5])] if found else []


def _calibration_error(scores: Scores, truth: Truth, bins: int = 10) -> float:
    """Return the expected calibration error: how far scores are from shares of hits, in bins of equal size (Naeini et al. 2015)."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return _rounded(sum(len(part) * abs(scores[part].mean() - truth[part].mean()) for part in parts) / max(len(truth), 1))


def _rounded(value: float) -> float:
    return round(float(value), 4)
