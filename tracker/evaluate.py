"""How good a topic model is on labelled texts: of exactly what the product would say, in figures that anybody can make again.

in   label files (``examples``), the topics of a configuration, and a model; without a model it is refitted by months
out  ``Judged``: score, tiers and tags of each row; ``report``: figures with intervals; a CSV of the rows, to compare a later run with
refuses to know what is done with the figures; writes nothing into the database.
Surprising: two sets of figures stand side by side. "maybe" and "confident" are cuts at the model's own thresholds; "tags" are what the
tagger really says: with the rules that lift a near miss, the thresholds of feeds.toml, and no tag where no word speaks for it.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tracker.calibrate import Scores, Truth, figures, interval
from tracker.config import DEFAULTS
from tracker.errors import ModelError
from tracker.examples import Example, read_labels, rows_of
from tracker.store import labels as store_labels
from tracker.store import models, stored
from tracker.taggers.features import features_text
from tracker.taggers.linear import KINDS, LinearModel, topic_scores
from tracker.taggers.topics import TopicTagger
from tracker.text import csv_cell, csv_text
from tracker.types import Item, Topic

__all__ = [
    "Judged", "Labels", "compared", "cross_validated", "judge", "known_rows", "labels_of", "lessons", "lines", "read_rows", "refitted",
    "report", "rows_csv", "time_split",
]  # fmt: skip

CORE = "agent-self-improvement"  # what the tracker is about: the top of a day is by its score
TOP = 4  # items that a reader with little time looks at
LEAST = (1, 5, 10, 20)  # positives from which on a topic counts in a mean: with fewer than 20, an average precision is mostly luck
APART = "agent-products"  # launches and deployments: of papers it is a side matter, so a mean without it is told as well
NAMES = {"paper": "papers", "news": "news"}  # as people say it
EARLIER = 0.75  # share of the months that a time split learns from


@dataclass(frozen=True, slots=True)
class Labels:
    """What label files hold: examples, and per file what was found of it."""

    examples: tuple[Example, ...]
    files: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows, and what was said of them by models that had not learned from them; tables are (rows, topics)."""

    examples: tuple[Example, ...]
    topics: tuple[str, ...]
    scores: Scores
    maybe: Truth  # at or above the model's thresholds
    sure: Truth
    tags: Truth  # what the tagger says, of any tier
    sure_tags: Truth

    @property
    def truth(self) -> Truth:
        """Whether people say so."""
        rows = [[topic in example.topics for topic in self.topics] for example in self.examples]
        return np.array(rows, bool).reshape(len(self.examples), len(self.topics))


def labels_of(paths: Sequence[Path], texts: Path | None) -> Labels:
    """Return what is in label files; of several files on one thing the last counts.

    Raises:
        ModelError: a file cannot be read, has other columns, or no text was found.
    """
    found: dict[tuple[str, str], Example] = {}
    files = []
    for path in paths:
        examples, rows = read_labels(path, texts), rows_of(path)
        papers = examples[0].kind == "paper"
        things = len({row["id"].strip() for row in rows}) if papers else len(examples)
        files.append(
            {
                "file": path.name,
                "kind": examples[0].kind,
                "rows": len(rows),
                "judged": len(examples),
                "without_text": things - len(examples),
                "title_alone": sum(not example.body for example in examples),
            }
        )
        found |= {(example.key, example.title): example for example in examples}
    return Labels(tuple(found.values()), tuple(files))


def lessons(db: sqlite3.Connection, model: models.Stored) -> set[str]:
    """Return the keys of items whose labels, of those that stand, have taught a model that was trained here."""
    from tracker.holdout import in_holdout

    said = {label.key for label in store_labels.current(db) if label.at <= model.trained_at and not in_holdout(label.key)}
    return {item.key for item in stored.by_keys(db, sorted(said))}


def known_rows(
    model: LinearModel, examples: Sequence[Example], folder: Path, taught: Iterable[str] = (), shipped: Path = DEFAULTS / "model"
) -> int:
    """Return how many examples a model has certainly learned from: its lessons, and those in the holdout beside it, one in five of its own.

    The shipped model and what was taught to it here have the shipped holdout.

    Raises:
        ModelError: the holdout that belongs to the model is damaged.
    """
    from tracker.holdout import load_holdout

    learned = set(taught)
    place = folder if (folder / "holdout.npz").exists() else shipped
    if place == folder or _comes_from(model, shipped):
        holdout = load_holdout(place)
        learned |= {*holdout.keys, *holdout.seen}
    return sum(example.key in learned for example in examples)


def _comes_from(model: LinearModel, shipped: Path) -> bool:
    from tracker.taggers.stored_model import load

    try:
        return load(shipped).about["sha256"] in (model.about.get("sha256"), model.about.get("shipped"))
    except ModelError:
        return False  # whatever is wrong with it, it is another model


# -- judging --------------------------------------------------------------------------------------


def judge(model: LinearModel, topics: Sequence[Topic], examples: Sequence[Example]) -> Judged:
    """Return what a model, and the product with it and these topics, says of examples."""
    kinds = [example.kind for example in examples]
    texts = [features_text(example.title, example.body) for example in examples]
    scores = topic_scores(texts, kinds, model).astype(np.float64)
    maybe, confident = (
        np.array([[getattr(model.heads[kind], tier)[topic] for topic in model.topics] for kind in kinds]).reshape(scores.shape)
        for tier in ("maybe", "confident")
    )
    tags, sure = np.zeros(scores.shape, bool), np.zeros(scores.shape, bool)
    items = [Item(n, example.key, "labels", None, example.title, example.body) for n, example in enumerate(examples)]
    column = {topic: j for j, topic in enumerate(model.topics)}
    for row, said in enumerate(TopicTagger(topics, model).tag(items)):
        for tag in said:
            if tag.topic in column:
                tags[row, column[tag.topic]] = True
                sure[row, column[tag.topic]] = tag.tier == "confident"
    return Judged(tuple(examples), model.topics, scores, scores >= maybe, scores >= confident, tags, sure)


def cross_validated(examples: Sequence[Example], topics: Sequence[Topic], also: Sequence[Example] = ()) -> Judged:
    """Return what models say of months that they have not seen: each fold of months by a model of all others.

    Args:
        also: learned from in other months, never judged on.

    Raises:
        ModelError: there is not enough to learn from.
    """
    from tracker.train import fold_models

    parts = [judge(model, topics, inside) for inside, model in fold_models([*examples, *_apart(also, examples)]) if inside]
    return Judged(
        tuple(example for part in parts for example in part.examples), parts[0].topics,
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("scores", "maybe", "sure", "tags", "sure_tags")),
    )  # fmt: skip


def time_split(examples: Sequence[Example], topics: Sequence[Topic], also: Sequence[Example] = ()) -> tuple[str, Judged, int]:
    """Return the first month that was judged, what a model of all months before says of it and of the later ones, and how many rows
    are on neither side, for want of a date.

    Raises:
        ModelError: the earlier months are not enough to learn from.
    """
    from tracker.train import fit

    months = sorted({example.month for example in examples if example.month})
    if len(months) < 2:
        raise ModelError("a time split needs labels of more than one month")
    first = months[int(len(months) * EARLIER)]
    given = [*examples, *_apart(also, examples)]
    dated = [example for example in given if example.month]  # a row without a date may be later than what is judged
    model = fit([example for example in dated if example.month < first]).model
    return first, judge(model, topics, [example for example in examples if example.month >= first]), len(given) - len(dated)


def refitted(labels: Labels, topics: Sequence[Topic], also: Labels) -> tuple[dict[str, Any], Judged]:
    """Return the report of a cross-validation with that of a time split, and the rows of the former.

    Raises:
        ModelError: there is not enough to learn from.
    """
    learned = [replace(example, judged=False) for example in also.examples]
    judged = cross_validated(labels.examples, topics, learned)
    found = {"model": "refitted by months", "labels": list(labels.files), "also": list(also.files), **report(judged)}
    try:
        first, later, undated = time_split(labels.examples, topics, learned)
        found["time_split"] = {"judged_from": first, "without_date": undated, **report(later)}
    except ModelError as error:
        found["time_split"] = {"not_possible": str(error)}
    return found, judged


def _apart(also: Sequence[Example], examples: Sequence[Example]) -> list[Example]:
    """Return the rows that are no row to be judged in another guise: one learned from in another month would give the answer away."""
    keys, texts = {example.key for example in examples}, {(example.title, example.body) for example in examples}
    return [example for example in also if example.key not in keys and (example.title, example.body) not in texts]


# -- figures --------------------------------------------------------------------------------------


def report(judged: Judged) -> dict[str, Any]:
    """Return all figures: per kind and topic, means over topics, the top of a day."""
    truth = judged.truth
    of_kind = {kind: np.array([example.kind == kind for example in judged.examples], bool) for kind in KINDS}
    kinds = {
        kind: {topic: _topic_figures(judged, truth, rows, j) for j, topic in enumerate(judged.topics)}
        for kind, rows in of_kind.items()
        if rows.any()
    }
    strange = Counter(topic for example in judged.examples for topic in example.topics if topic not in judged.topics)
    return {
        "rows": {kind: int(rows.sum()) for kind, rows in of_kind.items()},
        "unknown_topics": dict(sorted(strange.items())),
        "kinds": kinds,
        "overall": {kind: _overall(rows) for kind, rows in kinds.items()},
        "daily_top": _daily_top(judged, truth),
    }


def _topic_figures(judged: Judged, truth: Truth, rows: Truth, j: int) -> dict[str, Any]:
    found = figures(judged.scores[rows, j], truth[rows, j], judged.maybe[rows, j], judged.sure[rows, j])
    return {**found, "tags": {**_said(judged.tags[rows, j], truth[rows, j]), "confident": _said(judged.sure_tags[rows, j], truth[rows, j])}}


def _said(said: Truth, truth: Truth) -> dict[str, Any]:
    right = int((said & truth).sum())
    return {
        "tagged": int(said.sum()),
        "precision": _share(right, int(said.sum())),
        "recall": _share(right, int(truth.sum())),
        "f1": _share(2 * right, int(said.sum() + truth.sum())) if truth.any() else None,
    }


def _share(part: float, whole: float) -> float | None:
    return round(part / whole, 4) if whole else None


def _overall(topics: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    def mean(names: Sequence[str]) -> dict[str, Any]:
        values = [topics[name]["average_precision"] for name in names]
        return {"topics": len(values), "mean_average_precision": _share(sum(values), len(values))}

    able = {least: [name for name, found in topics.items() if found["positives"] >= least] for least in LEAST}
    return {
        **mean(able[1]),
        f"without_{APART}": mean([name for name in able[1] if name != APART]),
        "by_least_positives": {str(least): mean(names) for least, names in able.items()},
    }


def _daily_top(judged: Judged, truth: Truth) -> dict[str, Any] | None:
    """Return the share of right ones among the ``TOP`` best of a day by core score, with an interval from resampled days."""
    if CORE not in judged.topics:
        return None
    j = judged.topics.index(CORE)
    days: dict[str, list[int]] = defaultdict(list)
    for row, example in enumerate(judged.examples):
        if example.day:
            days[example.day].append(row)
    full = [np.array(rows) for _, rows in sorted(days.items()) if len(rows) >= TOP]
    hits = np.array([truth[rows[np.argsort(-judged.scores[rows, j], kind="stable")[:TOP]], j].sum() for rows in full])
    best = sum(min(TOP, int(truth[rows, j].sum())) for rows in full)
    chance = np.random.default_rng(0)
    means = [hits[chance.integers(0, len(full), len(full))].mean() / TOP for _ in range(500)] if full else []
    return {
        "topic": CORE,
        "items": TOP,
        "days": len(full),
        "precision": _share(int(hits.sum()), TOP * len(full)),
        "interval": [round(float(value), 4) for value in np.percentile(means, [2.5, 97.5])] if full else [],
        "best_possible": _share(best, TOP * len(full)),
    }


# -- rows, and an earlier run -------------------------------------------------------------------------


def rows_csv(judged: Judged) -> str:
    """Return a CSV with a row per text: key, kind, day, title, what people say, what the product says, and the score of each topic.

    Titles come from the web: what a spreadsheet would run as a formula has an apostrophe before it.
    """
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(map(csv_cell, ["key", "kind", "day", "title", "labels", "tags", "confident", *judged.topics]))
    for row, example in enumerate(judged.examples):
        said = [np.array(judged.topics)[table[row]] for table in (judged.tags, judged.sure_tags)]
        topics = [";".join(found) for found in (sorted(example.topics), *said)]
        cells = [example.key, example.kind, example.day, example.title, *topics, *(f"{p:.6f}" for p in judged.scores[row])]
        out.writerow(map(csv_cell, cells))
    return text.getvalue()


def read_rows(path: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Return the rows that ``rows_csv`` wrote, by key and title.

    Raises:
        ModelError: it is no such file.
    """
    rows = [{csv_text(name): csv_text(cell) for name, cell in row.items()} for row in rows_of(path)]
    if not {"key", "title", "kind", "labels", "tags"} <= rows[0].keys():
        raise ModelError(f"{path}: is not a file that `tracker evaluate --rows` wrote")
    return {(row["key"], row["title"]): row for row in rows}


def compared(judged: Judged, earlier: Mapping[tuple[str, str], Mapping[str, str]]) -> dict[str, Any]:
    """Return per kind and topic the average precision now and then on the rows of both, the difference and its paired interval.

    Raises:
        ModelError: there are no rows or topics of both, or a score is no number.
    """
    both = [row for row, example in enumerate(judged.examples) if (example.key, example.title) in earlier]
    then = [earlier[judged.examples[row].key, judged.examples[row].title] for row in both]
    shared = [topic for topic in judged.topics if then and topic in then[0]]
    if not shared:
        raise ModelError("the runs to compare have no rows, or no topics, in common")
    truth, kinds = judged.truth[both], np.array([judged.examples[row].kind for row in both])
    found: dict[str, Any] = {kind: {} for kind in KINDS if (kinds == kind).any()}
    for topic in shared:
        j = judged.topics.index(topic)
        try:
            before = np.array([float(row[topic]) for row in then])
        except ValueError as error:
            raise ModelError(f"the run to compare with holds no score: {error}") from None
        for kind, topics in found.items():
            of = kinds == kind
            topics[topic] = _difference(judged.scores[both, j][of], before[of], truth[of, j])
    return found


def _difference(now: Scores, before: Scores, truth: Truth) -> dict[str, Any]:
    from tracker.calibrate import average_precision

    if not truth.any():
        return {"rows": len(truth), "positives": 0, "before": None, "now": None, "difference": None, "interval": []}
    old, new = average_precision(before, truth), average_precision(now, truth)
    return {
        "rows": len(truth),
        "positives": int(truth.sum()),
        "before": round(old, 4),
        "now": round(new, 4),
        "difference": round(new - old, 4),
        "interval": interval(now, truth, before),
    }


# -- for people ---------------------------------------------------------------------------------------


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report as tables to read, one a kind, with the tags that the product gives."""
    if told.get("instead"):
        yield f"Not the model in use is measured: {told['instead']}."
    if told.get("learned_from"):
        yield (
            f"At least {told['learned_from']} of these texts, probably many more, have taught this model: the figures flatter it. "
            "--cross-validate judges months that were not seen."
        )
    for kind, topics in told["kinds"].items():
        yield f"{told['rows'][kind]} {NAMES[kind]}"
        yield f"  {'topic':24} {'n':>5} {'AP':>6} {'95 % interval':>15}   {'tags P / R':>13} {'F1':>6}   {'sure P / R':>15} {'error':>6}"
        for topic, row in topics.items():
            between = " – ".join(f"{value:.3f}" for value in row["interval"] or ())
            tags, sure = row["tags"], row["tags"]["confident"]
            pairs = [f"{_cell(part['precision'])} / {_cell(part['recall'])}" for part in (tags, sure)]
            yield (
                f"  {topic:24} {row['positives']:5} {_cell(row['average_precision']):>6} {between:>15}   "
                f"{pairs[0]:>13} {_cell(tags['f1']):>6}   {pairs[1]:>15} {row['calibration_error']:6.3f}"
            )
        mean, without = told["overall"][kind], told["overall"][kind][f"without_{APART}"]
        yield f"  mean of {mean['topics']} {_cell(mean['mean_average_precision'])}; without {APART}, of {without['topics']} " + _cell(
            without["mean_average_precision"]
        )
    top = told["daily_top"]
    if top and top["days"]:
        yield (
            f"Of the {top['items']} best of a day by {top['topic']}, over {top['days']} days: {top['precision']:.3f} right "
            f"({top['interval'][0]:.3f} – {top['interval'][1]:.3f}); {top['best_possible']:.3f} was to be had."
        )
    yield from _more_lines(told)


def _more_lines(told: Mapping[str, Any]) -> Iterator[str]:
    later = told.get("time_split", {})
    if "not_possible" in later:
        yield f"No time split: {later['not_possible']}"
    if later.get("without_date"):
        yield f"The time split leaves out what has no date: {later['without_date']}"
    for kind, means in later.get("overall", {}).items():
        yield (
            f"Time split, {later['rows'][kind]} {NAMES[kind]} from {later['judged_from']} on by what came before: "
            f"mean of {means['topics']} {_cell(means['mean_average_precision'])}"
        )
    for kind, topics in told.get("against", {}).get("kinds", {}).items():
        for topic, row in topics.items():
            if row["difference"] is not None:
                low, high = row["interval"]
                change = f"{row['before']:.3f} → {row['now']:.3f} ({row['difference']:+.3f}, 95 %: {low:+.3f} to {high:+.3f})"
                yield f"Against {told['against']['file']}, {NAMES[kind]}, {topic}: {change}"
    if told["unknown_topics"]:
        yield "Not judged, for the model does not know them: " + ", ".join(f"{topic} ({n})" for topic, n in told["unknown_topics"].items())


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
