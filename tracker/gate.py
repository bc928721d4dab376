"""The gate: a challenger takes the champion's place only where held-out labels show that nothing is lost.

in   ``Trial``s: for a topic, held-out labels with the scores and tags of both
out  a ``Verdict``: promoted or not, one sentence with the numbers, figures by topic
refuses to know models, texts, files and the database.
Surprising: it asks for proof of no loss, not of gain: the paired bootstrap must give less than ``DOUBT`` to a fall of average precision
by more than ``FALL``, for the mean and for each topic that was taught. A challenger that is equal passes.
Recall and F1 at the threshold may not fall by more than ``LOST``. On the release's own labels the measure is the shipped model, not
the champion: else small losses, each allowed, would add up from one champion to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tracker.calibrate import Scores, Truth, average_precision

__all__ = ["ENOUGH", "POSITIVES", "Figures", "Trial", "Verdict", "figures", "judge", "judges"]

ENOUGH = 50  # held-out labels before they judge anything
FALL = 0.02  # of average precision: less is noise
DOUBT = 0.20  # what the bootstrap may give to such a fall
LOST = 0.05  # of recall at the threshold, for topics with ``POSITIVES`` or more; of F1, for those that were taught
POSITIVES = 20
# Of average precision, and twice as much of F1, on the labels that came with the release alone: somebody whose labels are all wrong holds
# wrong ones out as well, and these must not outvote them.
SEED_LOST = 0.05
DRAWS = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """Held-out labels of one topic: which items, what is true, what champion and challenger say of them.

    The first ``seed`` of them came with the release; ``shipped`` and ``shipped_tagged`` are what its model says of these.
    """

    topic: str
    keys: tuple[str, ...]
    truth: Truth
    champion: Scores
    challenger: Scores
    champion_tagged: Truth
    challenger_tagged: Truth
    seed: int = 0
    shipped: Scores | None = None  # None: the shipped model is the champion
    shipped_tagged: Truth | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """How one model does on one topic; None where there is nothing to measure."""

    positives: int
    negatives: int
    average_precision: float | None
    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the challenger is promoted, and why, in a sentence for people."""

    promoted: bool
    reason: str


def judge(trials: Sequence[Trial], taught: Collection[str]) -> Verdict:
    """Return whether the challenger may take the champion's place. Deterministic: the same trials get the same verdict."""
    labels = len({key for trial in trials for key in trial.keys})
    if labels < ENOUGH:
        missing = ENOUGH - labels
        return Verdict(
            False,
            f"{labels} held-out labels, {ENOUGH} needed; label about {missing * 5} more with `tracker label --random` "
            "(every fifth is held out)",
        )
    for trial in trials:
        if trial.topic in taught and not trial.truth.any():
            return Verdict(False, f'no held-out item on "{trial.topic}" to judge by; label some more that are on it')
    able = [trial for trial in trials if trial.truth.any()]
    for trial in able:
        if why := _recall_lost(trial) or (_blurred(trial) or _estranged(trial) if trial.topic in taught else ""):
            return Verdict(False, why)
    falls = _falls(able)
    for n, trial in enumerate(able):
        if trial.topic in taught and (doubt := _chance(falls[:, n])) >= DOUBT:
            return Verdict(False, _fell(f'on "{trial.topic}"', [trial], doubt))
    measured = falls[~np.isnan(falls).all(axis=1)]
    if able and (doubt := _chance(np.nanmean(measured, axis=1))) >= DOUBT:
        return Verdict(False, _fell(f"over {len(able)} topics", able, doubt))
    return Verdict(True, _passed(able, taught, labels))


def judges(truth: Truth) -> bool:
    """Return whether held-out labels of a topic of the user's own are enough to judge by: of one answer alone, none are."""
    yes = int(truth.sum())
    return len(truth) >= ENOUGH and min(yes, len(truth) - yes) >= POSITIVES


def _chance(falls: Scores) -> float:
    """Return the share of draws with a fall, among those that could show one: without a positive nothing falls."""
    drawn = falls[~np.isnan(falls)]
    return float((drawn > FALL).mean()) if len(drawn) else 1.0


def _recall_lost(trial: Trial) -> str:
    before, after = (_recall(trial.truth, tagged) for tagged in (trial.champion_tagged, trial.challenger_tagged))
    yes = int(trial.truth.sum())
    if yes < POSITIVES or before - after <= LOST + 1e-9:
        return ""
    found, finds = round(after * yes), round(before * yes)
    return f'it would find {found} of {yes} held-out items on "{trial.topic}" where the model in use finds {finds}'


def _estranged(trial: Trial) -> str:
    rows = slice(0, trial.seed)
    truth = trial.truth[rows]
    if truth.sum() < POSITIVES // 2:
        return ""
    scores = trial.champion if trial.shipped is None else trial.shipped
    tagged = trial.champion_tagged if trial.shipped_tagged is None else trial.shipped_tagged
    before, after = (average_precision(said[rows], truth) for said in (scores, trial.challenger))
    tags_before, tags_after = (_f1(truth, said[rows]) for said in (tagged, trial.challenger_tagged))
    if before - after <= SEED_LOST and tags_before - tags_after <= 2 * SEED_LOST:
        return ""
    return (
        f'on the labels that came with the release "{trial.topic}" would fall from {before:.3f} to {after:.3f} (F1 {tags_before:.3f} to '
        f"{tags_after:.3f}); if you mean something else by it, give it a topic of its own in feeds.toml"
    )


def _f1(truth: Truth, tagged: Truth) -> float:
    return float(2 * (truth & tagged).sum() / max(truth.sum() + tagged.sum(), 1))


def _blurred(trial: Trial) -> str:
    """Average precision does not see a threshold that lets everything in: wrong labels alone did that in simulations."""
    yes, tags = int(trial.truth.sum()), (trial.champion_tagged, trial.challenger_tagged)
    right = [int((trial.truth & tagged).sum()) for tagged in tags]
    before, after = (_f1(trial.truth, tagged) for tagged in tags)
    if yes < POSITIVES or before - after <= LOST + 1e-9:
        return ""
    told = [f"{hits} of {int(tagged.sum())}" for hits, tagged in zip(right, tags, strict=True)]
    return f'{told[1]} held-out items that it tags "{trial.topic}" would be right, where the model in use has {told[0]}'


def _recall(truth: Truth, tagged: Truth) -> float:
    return float((truth & tagged).sum() / max(truth.sum(), 1))


def _falls(trials: Sequence[Trial]) -> Scores:
    """Return by how much average precision falls, (draws, topics): items are drawn with replacement, both models on the same ones."""
    keys = sorted({key for trial in trials for key in trial.keys})
    number = {key: n for n, key in enumerate(keys)}
    places = [np.array([number[key] for key in trial.keys], np.int64) for trial in trials]
    chance = np.random.default_rng(0)
    found = np.full((DRAWS, len(trials)), np.nan)
    for draw in range(DRAWS):
        times = np.bincount(chance.integers(0, len(keys), len(keys)), minlength=len(keys))
        for n, (trial, place) in enumerate(zip(trials, places, strict=True)):
            weight = times[place]
            if (weight * trial.truth).any():
                found[draw, n] = average_precision(trial.champion, trial.truth, weight) - average_precision(
                    trial.challenger, trial.truth, weight
                )
    return found


def _fell(where: str, trials: Sequence[Trial], doubt: float) -> str:
    before, after = _means(trials)
    return (
        f"average precision {where} would go from {before:.3f} to {after:.3f} on held-out labels; "
        f"that it falls by more than {FALL} has a chance of {doubt:.0%}, less than {DOUBT:.0%} is asked for"
    )


def _means(trials: Sequence[Trial]) -> tuple[float, float]:
    return (
        float(np.mean([average_precision(trial.champion, trial.truth) for trial in trials])),
        float(np.mean([average_precision(trial.challenger, trial.truth) for trial in trials])),
    )


def _passed(trials: Sequence[Trial], taught: Collection[str], labels: int) -> str:
    told = [trial for trial in trials if trial.topic in taught] or list(trials)
    parts = []
    for trial in told:
        before, after = _means([trial])
        parts.append(f"{trial.topic} {after:.3f}, was {before:.3f}")
    mean = _means(trials) if trials else (0.0, 0.0)
    equal = "; no better and no worse, so nothing is lost" if abs(mean[1] - mean[0]) < 5e-4 else ""
    mean_told = f"mean of {len(trials)} topics {mean[1]:.3f}, was {mean[0]:.3f}"
    return f"average precision on {labels} held-out items: {'; '.join(parts)}; {mean_told}{equal}"


def figures(truth: Truth, scores: Scores, tagged: Truth) -> Figures:
    """Return the figures of one model on one topic."""
    right = int((truth & tagged).sum())
    return Figures(
        int(truth.sum()),
        int((~truth).sum()),
        round(average_precision(scores, truth), 4) if truth.any() else None,
        round(right / int(tagged.sum()), 4) if tagged.any() else None,
        round(right / int(truth.sum()), 4) if truth.any() else None,
    )
