"""Train the topic model: from labels and texts to ``model.json`` and ``weights.npz``.

in   labels.csv (id, labels), a folder of papers-*.jsonl.gz (id, listed, title, abstract),
     news.csv (title, summary, date, topics)
out  a ``LinearModel`` with thresholds and figures from cross-validation; the same inputs give the same bytes
refuses to know the database and feeds. scikit-learn is imported inside functions: only training needs it, at 0.9 s.
One model for papers and news: TF-IDF of words and of characters, one balanced logistic regression per topic. Folds are whole
months, so that a paper and the posts of its week never stand on both sides.
Surprising: figures at thresholds come from thresholds chosen on the *other* folds.

    python -m tracker.train --labels labels.csv --texts corpus/ --news news.csv --out tracker/defaults/model
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError, TrackerError
from tracker.taggers.linear import Block, LinearModel, features_text, load, save

__all__ = ["Example", "build", "fit", "folds", "main", "read_news", "read_papers", "table"]

FOLDS = 6
MIN_DOCS = 3  # documents a term must stand in: rarer ones teach nothing and would tell whose text was read
COST = 10.0  # C of the regression; mean average precision over ten topics on papers: .752 (1), .761 (3), .767 (10)
PROMISE = 0.9  # precision of the confident tier
LEAST = 10  # items above a threshold before its precision counts as known
NEVER = 1.01  # a confident threshold that no score reaches: none was found that keeps the promise

Scores = NDArray[np.float64]
Truth = NDArray[np.bool_]
Folds = NDArray[np.int64]


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """A text that people have read, and the topics they gave it. ``kind`` is "paper" or "news", ``month`` is YYYY-MM."""

    kind: str
    id: str
    title: str
    body: str
    month: str
    topics: frozenset[str]


def build(labels_csv: Path, texts_dir: Path, out_dir: Path, news_csv: Path | None = None) -> LinearModel:
    """Train on label files, write the model into ``out_dir`` and return it as it will be loaded.

    Raises:
        ModelError: a file is missing or has other columns, or there is not enough to learn from.
    """
    examples = read_papers(labels_csv, texts_dir) + (read_news(news_csv) if news_csv else [])
    save(fit(examples), out_dir)
    return load(out_dir)


def fit(examples: Sequence[Example]) -> LinearModel:
    """Return a model with full-precision weights, calibrated and with thresholds; the order of the examples does not matter.

    Raises:
        ModelError: fewer months than folds, or a topic without at least one example for and against in each
        training part.
    """
    examples = sorted(examples, key=lambda example: (example.kind, example.id, example.title))
    topics = tuple(sorted({topic for example in examples for topic in example.topics}))
    truth = np.array([[topic in example.topics for topic in topics] for example in examples], bool).reshape(len(examples), len(topics))
    fold = folds([example.month for example in examples])
    _check(topics, truth, fold)
    texts = [features_text(example.title, example.body) for example in examples]
    decisions = np.zeros(truth.shape)
    for k in range(FOLDS):
        inside = np.flatnonzero(fold != k)
        decisions[fold == k] = _trained([texts[i] for i in inside], truth[inside]).decide([texts[i] for i in np.flatnonzero(fold == k)])
    papers = np.array([example.kind == "paper" for example in examples])
    chosen = [_choose(decisions[:, j], truth[:, j], papers) for j in range(len(topics))]
    scores = {topic: _measure(decisions[:, j], truth[:, j], papers, fold) for j, topic in enumerate(topics)}
    return _model(topics, _trained(texts, truth), chosen, {"trained": _trained_on(examples), "scores": scores})


# -- reading labels and texts ---------------------------------------------------------------------


def read_papers(labels_csv: Path, texts_dir: Path) -> list[Example]:
    """Return the labelled papers whose text is in the folder, by id. Labels are separated by ``;`` or spaces.

    Raises:
        ModelError: a file cannot be read, or no text was found for any label.
    """
    labels = {row["id"]: _topics(row["labels"]) for row in _rows(labels_csv, ("id", "labels"))}
    found = {paper["id"]: paper for paper in _papers(texts_dir) if paper["id"] in labels}
    if not found:
        raise ModelError(f"{texts_dir}: has no text for any id in {labels_csv.name}; expected papers-*.jsonl.gz")
    return [
        Example("paper", key, paper["title"], paper["abstract"] or "", paper["listed"][:7], labels[key])
        for key, paper in sorted(found.items())
    ]


def read_news(news_csv: Path) -> list[Example]:
    """Return labelled posts and news.

    Raises:
        ModelError: the file cannot be read.
    """
    rows = _rows(news_csv, ("title", "summary", "date", "topics"))
    return [
        Example("news", row.get("id") or row["title"], row["title"], row["summary"], row["date"][:7], _topics(row["topics"]))
        for row in rows
    ]


def _topics(text: str) -> frozenset[str]:
    return frozenset(filter(None, re.split(r"[;\s]+", text or "")))


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from None
    missing = [column for column in columns if not rows or column not in rows[0]]
    if missing:
        raise ModelError(f"{path}: has no column {', '.join(missing)}, or no rows")
    return rows


def _papers(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("papers-*.jsonl.gz")):
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                yield from map(json.loads, lines)
        except (OSError, EOFError, ValueError) as error:
            raise ModelError(f"{path}: cannot be read ({error})") from None


# -- fitting --------------------------------------------------------------------------------------


def folds(months: Sequence[str]) -> Folds:
    """Return a fold (0 … ``FOLDS`` - 1) per row: whole months, the largest first, each into the smallest fold so far."""
    sizes = Counter(months)
    filled = [0] * FOLDS
    of_month: dict[str, int] = {}
    for month, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        of_month[month] = filled.index(min(filled))
        filled[of_month[month]] += size
    return np.array([of_month[month] for month in months], np.int64)


def _check(topics: tuple[str, ...], truth: Truth, fold: Folds) -> None:
    if len(set(fold.tolist())) < FOLDS:
        raise ModelError(f"cannot train: examples of at least {FOLDS} months are needed to measure a model on months it has not seen")
    for j, topic in enumerate(topics):
        if any(truth[fold != k, j].all() or not truth[fold != k, j].any() for k in range(FOLDS)):
            raise ModelError(f'cannot train "{topic}": examples for and against it are needed in more than one month')


@dataclass(frozen=True, slots=True)
class _Trained:
    """Two fitted vectorisers and one weight per feature and topic: words first, then characters."""

    vectorizers: tuple[Any, Any]
    weights: Scores  # (features, topics)
    bias: Scores

    def decide(self, texts: Sequence[str]) -> Scores:
        decisions: Scores = _matrix([v.transform(texts) for v in self.vectorizers]) @ self.weights + self.bias
        return decisions


def _trained(texts: Sequence[str], truth: Truth) -> _Trained:
    from sklearn.feature_extraction.text import TfidfVectorizer

    common = {"lowercase": False, "sublinear_tf": True, "min_df": MIN_DOCS}
    vectorizers = (
        TfidfVectorizer(ngram_range=(1, 2), **common),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common),
    )
    try:
        matrix = _matrix([v.fit_transform(texts) for v in vectorizers])
    except ValueError as error:
        raise ModelError(f"cannot train: the texts are too few or too different ({error})") from None
    fitted = [_regression().fit(matrix, truth[:, j]) for j in range(truth.shape[1])]
    return _Trained(vectorizers, np.array([r.coef_[0] for r in fitted]).T, np.array([r.intercept_[0] for r in fitted]))


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    # dual: there are 25 times more features than texts, and the primal default takes minutes
    return LogisticRegression(C=COST, solver="liblinear", dual=True, class_weight="balanced", random_state=0, max_iter=1000)


def _matrix(blocks: Sequence[Any]) -> Any:
    from scipy.sparse import hstack

    return hstack(blocks).tocsr()


# -- calibration, thresholds, figures --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Chosen:
    slope: float
    offset: float
    maybe: float
    confident: float

    def probability(self, decisions: Scores) -> Scores:
        return np.asarray(1 / (1 + np.exp(-(decisions * self.slope + self.offset))))


def _choose(decisions: Scores, truth: Truth, papers: Truth) -> _Chosen:
    """Return Platt's calibration and both thresholds, from decisions of models that had not seen the row."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=1e6, max_iter=1000).fit(decisions[:, None], truth)
    chosen = _Chosen(float(fitted.coef_[0, 0]), float(fitted.intercept_[0]), 0.0, 0.0)
    p = chosen.probability(decisions)
    confident = _promising(p, truth)
    if truth[papers].sum() >= 2 * LEAST:  # the promise is made for papers alone as well, not only on average with news
        confident = max(confident, _promising(p[papers], truth[papers]))
    maybe = _best_f1(p, truth)
    return replace(chosen, maybe=round(maybe, 4), confident=round(max(confident, maybe), 4))


def _sorted_hits(p: Scores, truth: Truth) -> tuple[Scores, NDArray[np.int64]]:
    order = np.argsort(-p, kind="stable")
    return p[order], np.cumsum(truth[order])


def _best_f1(p: Scores, truth: Truth) -> float:
    ordered, hits = _sorted_hits(p, truth)
    return float(ordered[int(np.argmax(2 * hits / (np.arange(1, len(p) + 1) + hits[-1])))])


def _promising(p: Scores, truth: Truth) -> float:
    """Return the lowest score above which at least ``PROMISE`` of at least ``LEAST`` items are right, or ``NEVER``."""
    ordered, hits = _sorted_hits(p, truth)
    counts = np.arange(1, len(p) + 1)
    # One more than was seen may be wrong: without this grain of salt the promise broke on unseen months for 7
    # of 11 topics.
    kept = np.flatnonzero((hits >= PROMISE * (counts + 1)) & (counts >= LEAST))
    return float(ordered[kept[-1]]) if len(kept) else NEVER


def _measure(decisions: Scores, truth: Truth, papers: Truth, fold: Folds) -> dict[str, dict[str, float | int | None]]:
    """Return the figures of one topic, for papers and for news."""
    maybe, confident = np.zeros(len(truth), bool), np.zeros(len(truth), bool)
    for k in range(FOLDS):
        inside, outside = fold == k, fold != k
        chosen = _choose(decisions[outside], truth[outside], papers[outside])
        p = chosen.probability(decisions[inside])
        maybe[inside], confident[inside] = p >= chosen.maybe, p >= chosen.confident
    parts = {"papers": papers, "news": ~papers}
    return {name: _figures(decisions[part], truth[part], maybe[part], confident[part]) for name, part in parts.items() if part.any()}


def _figures(decisions: Scores, truth: Truth, maybe: Truth, confident: Truth) -> dict[str, float | int | None]:
    from sklearn.metrics import average_precision_score

    found = {
        "positives": int(truth.sum()),
        "negatives": int((~truth).sum()),
        "average_precision": _rounded(average_precision_score(truth, decisions)) if truth.any() else None,
    }
    for name, tagged in (("maybe", maybe), ("confident", confident)):
        right = int((tagged & truth).sum())
        found[f"{name}_tagged"] = int(tagged.sum())
        found[f"{name}_precision"] = _rounded(right / tagged.sum()) if tagged.any() else None
        found[f"{name}_recall"] = _rounded(right / truth.sum()) if truth.any() else None
    return found


def _rounded(value: float) -> float:
    return round(float(value), 4)


# -- the result -----------------------------------------------------------------------------------


def _model(topics: tuple[str, ...], trained: _Trained, chosen: Sequence[_Chosen], about: Mapping[str, object]) -> LinearModel:
    words, chars = trained.vectorizers
    split = len(words.vocabulary_)
    return LinearModel(
        "unsaved",
        topics,
        _block(words, trained.weights[:split]),
        _block(chars, trained.weights[split:]),
        trained.bias,
        np.array([one.slope for one in chosen]),
        np.array([one.offset for one in chosen]),
        {topic: one.maybe for topic, one in zip(topics, chosen, strict=True)},
        {topic: one.confident for topic, one in zip(topics, chosen, strict=True)},
        about,
    )


def _block(vectorizer: Any, weights: Scores) -> Block:
    terms = vectorizer.get_feature_names_out().tolist()
    return Block({term: i for i, term in enumerate(terms)}, vectorizer.idf_, weights)


def _trained_on(examples: Sequence[Example]) -> dict[str, object]:
    import sklearn

    kinds = Counter(example.kind for example in examples)
    months = sorted(example.month for example in examples)
    return {
        "papers": kinds["paper"],
        "news": kinds["news"],
        "from": months[0],
        "to": months[-1],
        "folds": f"{FOLDS}, by whole months",
        "scikit-learn": sklearn.__version__,
    }


def table(model: LinearModel) -> str:
    """Return the figures of a model as a table to read: one line per topic, papers and news side by side."""
    head = f"{'':24}{'papers':^39}   {'news':^39}\n{'topic':24}" + "   ".join(
        [f"{'n':>4} {'AP':>5}  {'maybe P / R':>12}  {'confident':>12}"] * 2
    )
    scores: Mapping[str, Any] = model.about["scores"]  # type: ignore[assignment]
    lines = [f"{topic:24}" + "   ".join(_cells(scores[topic].get(part)) for part in ("papers", "news")) for topic in model.topics]
    return "\n".join([head, *lines])


def _cells(found: Mapping[str, Any] | None) -> str:
    if not found:
        return " " * 39
    pairs = [f"{_figure(found[f'{tier}_precision'])} / {_figure(found[f'{tier}_recall'])}" for tier in ("maybe", "confident")]
    return f"{found['positives']:4} {_figure(found['average_precision'])}  {pairs[0]:>12}  {pairs[1]:>12}"


def _figure(value: float | None) -> str:
    return "    –" if value is None else f"{value:5.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tracker.train", description="Train the topic model from label files.")
    parser.add_argument("--labels", type=Path, required=True, help="CSV with columns id and labels")
    parser.add_argument("--texts", type=Path, required=True, help="folder of papers-*.jsonl.gz")
    parser.add_argument("--news", type=Path, help="CSV with columns title, summary, date and topics")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.json and weights.npz")
    options = parser.parse_args(arguments)
    try:
        model = build(options.labels, options.texts, options.out, options.news)
    except TrackerError as error:
        print(error, file=sys.stderr)  # noqa: T201 (a command of its own, not of the CLI)
        return error.exit_code
    print(table(model))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
