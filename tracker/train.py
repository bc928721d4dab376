"""Train the topic model: from labelled texts to ``model.json``, ``weights.npz`` and ``holdout.npz``.

in   label files and texts (``examples``), groups of words (defaults/concepts.toml)
out  a ``LinearModel`` with thresholds and figures from cross-validation; the same inputs give the same bytes
refuses to know the database and feeds. scikit-learn is imported inside functions: only training needs it, at 0.9 s.
One model for papers and news: TF-IDF of words and of pieces of words, groups of words, one balanced logistic regression a topic. Folds
are whole months, so that a paper and the posts of its week never stand on both sides.
Surprising: figures at thresholds come from thresholds chosen on the *other* folds; thresholds and figures look at judged examples alone.

    python -m tracker.train --labels labels.csv --labels news.csv --also ours.csv --texts corpus/ --out tracker/defaults/model
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.calibrate import Calibration, Scores, Truth, calibrate, figures
from tracker.errors import ModelError, TrackerError
from tracker.examples import Example, read_labels
from tracker.holdout import Holdout, arrays_of, in_holdout
from tracker.patterns import compile_pattern
from tracker.taggers.features import FeatureSpace, Rows, features_text
from tracker.taggers.linear import KINDS, Head, LinearModel
from tracker.taggers.stored_model import load, npz, replace_file, save

__all__ = ["Fitted", "build", "fit", "fold_models", "folds", "main", "matrix", "regression", "table"]

FOLDS = 6
MIN_DOCS = 3  # documents a term must stand in: rarer ones teach nothing and would tell whose text was read
COST = 10.0  # C of the regression; mean average precision over ten topics on papers: .752 (1), .761 (3), .767 (10)
CONCEPT = 0.03  # standard deviation of the value of a concept; a word that stands in an abstract has about as much
# Topics of which papers and news speak in other words: papers are decided by what papers have taught. Shown by the figures, docs/model.md.
APART = ("agent-products",)
MIN_LINKED = 12  # documents in which two concepts share a sentence before that is a feature
CONCEPTS = Path(__file__).parent / "defaults" / "concepts.toml"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with full-precision weights, its figures in ``model.about``, and its holdout."""

    model: LinearModel
    holdout: Holdout


def build(examples: Sequence[Example], out_dir: Path) -> LinearModel:
    """Train, write model and holdout into ``out_dir`` and return the model as it will be loaded.

    Raises:
        ModelError: there is not enough to learn from.
    """
    fitted = fit(examples)
    held = npz(arrays_of(fitted.holdout))
    out_dir.mkdir(parents=True, exist_ok=True)
    replace_file(out_dir / "holdout.npz", held)
    about = {**fitted.model.about, "holdout": hashlib.sha256(held).hexdigest()}
    save(replace(fitted.model, about=about), out_dir)
    return load(out_dir)


def fit(examples: Sequence[Example]) -> Fitted:
    """Return a model, calibrated and with thresholds; the order of the examples does not matter.

    Raises:
        ModelError: fewer months than folds, or a topic without at least one example for and against in each training part.
    """
    given = _Given.of(examples)
    _check(given)
    decided = decisions_out_of_fold(given)
    trained = _trained(given, np.arange(len(given.examples)))
    about = {"trained": _trained_on(given), "scores": measured(given, decided)}
    model = _model(given, trained, *_calibrated(given, decided, given.judged()), about)
    return Fitted(model, _held_out(given, decided, model))


def fold_models(examples: Sequence[Example]) -> Iterator[tuple[list[Example], LinearModel]]:
    """Yield the judged examples of each fold, with a model whose weights, calibration and thresholds come from other months.

    Raises:
        ModelError: as ``fit``.
    """
    given = _Given.of(examples)
    _check(given)
    trained = [_trained(given, np.flatnonzero(given.fold != k)) for k in range(FOLDS)]
    decided = decisions_out_of_fold(given, trained)
    for k in range(FOLDS):
        inside = given.judged() & (given.fold == k)
        model = _model(given, trained[k], *_calibrated(given, decided, given.judged() & ~inside), {})
        yield [given.examples[i] for i in np.flatnonzero(inside)], model


def _calibrated(given: _Given, decided: Scores, rows: Truth) -> tuple[list[Calibration], dict[int, Calibration]]:
    """Return the calibration of each topic, and of the papers' own columns, whose decisions are on another scale."""
    chosen = [calibrate(decided[rows, j], given.truth[rows, j], given.papers[rows]) for j in range(len(given.topics))]
    papers = rows & given.papers
    return chosen, {j: calibrate(decided[papers, c], given.truth[papers, j], given.papers[papers]) for j, c in given.apart().items()}


# -- what there is to learn from --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Given:
    """Examples in their order, as arrays. Columns of weights: one a topic, then one for the papers of each topic in ``APART``."""

    examples: tuple[Example, ...]
    texts: tuple[str, ...]
    topics: tuple[str, ...]
    truth: Truth  # (examples, topics)
    papers: Truth
    fold: NDArray[np.int64]

    @classmethod
    def of(cls, examples: Sequence[Example]) -> _Given:
        # Topics last and sorted: sets are compared by inclusion, which is no order, and the bytes of the model hang on the order.
        ordered = sorted(examples, key=lambda e: (e.kind, e.key, e.title, e.body, e.day, not e.judged, sorted(e.topics)))
        rows = tuple({(e.kind, e.title, e.body): e for e in reversed(ordered)}.values())[::-1]
        topics = tuple(sorted({topic for example in rows for topic in example.topics}))
        truth = np.array([[topic in example.topics for topic in topics] for example in rows], bool).reshape(len(rows), len(topics))
        return cls(
            rows, tuple(features_text(example.title, example.body) for example in rows), topics, truth,
            np.array([example.kind == "paper" for example in rows], bool), folds([example.month for example in rows]),
        )  # fmt: skip

    def columns(self) -> list[tuple[int, bool]]:
        """Return the topic of each column of weights, and whether it learns from papers alone."""
        return [(j, False) for j in range(len(self.topics))] + [(j, True) for j in self.apart()]

    def apart(self) -> dict[int, int]:
        """Return the topics of which papers have a column of their own, and that column."""
        there = [self.topics.index(topic) for topic in APART if topic in self.topics]
        judged = self.papers & self.judged()
        able = [j for j in there if len(set(self.fold[judged & self.truth[:, j]].tolist())) > 1]
        return {j: len(self.topics) + n for n, j in enumerate(able)}

    def judged(self) -> Truth:
        """Return which examples make thresholds and figures."""
        return np.array([example.judged for example in self.examples], bool)


def folds(months: Sequence[str]) -> NDArray[np.int64]:
    """Return a fold (0 … ``FOLDS`` - 1) per row: whole months, the largest first, each into the smallest fold so far."""
    sizes = Counter(months)
    filled = [0] * FOLDS
    of_month: dict[str, int] = {}
    for month, size in sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0])):
        of_month[month] = filled.index(min(filled))
        filled[of_month[month]] += size
    return np.array([of_month[month] for month in months], np.int64)


def _check(given: _Given) -> None:
    if len(set(given.fold.tolist())) < FOLDS:
        raise ModelError(f"cannot train: examples of at least {FOLDS} months are needed to measure a model on months it has not seen")
    for j, topic in enumerate(given.topics):
        # Judged rows: what only teaches has nothing to say on thresholds and figures.
        parts = [given.truth[(given.fold != k) & given.judged(), j] for k in range(FOLDS)]
        if any(part.all() or not part.any() for part in parts):
            raise ModelError(f'cannot train "{topic}": judged examples for and against it are needed in more than one month')


# -- fitting --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Trained:
    space: FeatureSpace
    weights: Scores  # (features, columns)
    bias: Scores

    def decide(self, texts: Sequence[str]) -> Scores:
        return np.asarray(matrix(self.space.rows(texts), self.space.size) @ self.weights + self.bias)


def decisions_out_of_fold(given: _Given, trained: Sequence[_Trained] = ()) -> Scores:
    """Return for each example the decisions, a column each, of a model that has not seen its months: of those ``trained``, if given."""
    decided = np.zeros((len(given.examples), len(given.columns())))
    for k in range(FOLDS):
        outside = np.flatnonzero(given.fold == k)
        of_others = trained[k] if trained else _trained(given, np.flatnonzero(given.fold != k))
        decided[outside] = of_others.decide([given.texts[i] for i in outside])
    return decided


def _trained(given: _Given, inside: NDArray[np.int64]) -> _Trained:
    space = _space([given.texts[i] for i in inside])
    table = matrix(space.rows([given.texts[i] for i in inside]), space.size)
    papers = given.papers[inside]
    fitted = []
    for j, papers_only in given.columns():
        rows = np.flatnonzero(papers) if papers_only else np.arange(len(inside))
        fitted.append(regression(COST).fit(table[rows], given.truth[inside[rows], j]))
    return _Trained(space, np.array([r.coef_[0] for r in fitted]).T, np.array([r.intercept_[0] for r in fitted]))


def _space(texts: Sequence[str]) -> FeatureSpace:
    from sklearn.feature_extraction.text import TfidfVectorizer

    common = {"lowercase": False, "sublinear_tf": True, "min_df": MIN_DOCS}
    words, pieces = TfidfVectorizer(ngram_range=(1, 2), **common), TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), **common)
    try:
        for vectorizer in (words, pieces):
            vectorizer.fit(texts)
    except ValueError as error:
        raise ModelError(f"cannot train: the texts are too few or too different ({error})") from None
    terms = words.get_feature_names_out().tolist()
    single, pairs = [term for term in terms if " " not in term], [term for term in terms if " " in term]
    number = {word: i for i, word in enumerate(single)}
    order = [words.vocabulary_[term] for term in single + pairs]
    numbers = np.array([[number[word] for word in pair.split()] for pair in pairs], np.int64).reshape(-1, 2)
    idf = np.concatenate([words.idf_[order], pieces.idf_])
    members = _members(single + pairs)
    concepts = int(members[:, 1].max(initial=-1)) + 1
    every = np.array(list(combinations(range(concepts), 2)), np.int64).reshape(-1, 2)
    bare = FeatureSpace(
        single, numbers, pieces.get_feature_names_out().tolist(), idf, members, np.ones(concepts), every, np.ones(len(every))
    )  # fmt: skip
    rows = matrix(bare.rows(texts), bare.size)
    spread = rows[:, bare.counted : bare.grouped].toarray().std(axis=0)
    documents = rows[:, bare.grouped :].getnnz(axis=0)
    kept = np.flatnonzero(documents >= MIN_LINKED)
    return FeatureSpace(
        bare.words, bare.pairs, bare.pieces, idf, members, CONCEPT / np.maximum(spread, 0.05),
        every[kept], np.log(len(texts) / documents[kept]) + 1,
    )  # fmt: skip


def _members(terms: Sequence[str]) -> NDArray[np.int64]:
    """Return which words and pairs belong to which concept of defaults/concepts.toml: (memberships, 2)."""
    concepts = tomllib.loads(CONCEPTS.read_text(encoding="utf-8"))
    found = []
    for concept, patterns in enumerate(concepts.values()):
        anyone = re.compile("|".join(compile_pattern(pattern).pattern for pattern in patterns)).fullmatch
        found += [(number, concept) for number, term in enumerate(terms) if anyone(term)]
    return np.array(sorted(found), np.int64).reshape(-1, 2)


def regression(cost: float) -> Any:
    """Return the classifier of a topic, not yet fitted; ``cost`` is its C."""
    from sklearn.linear_model import LogisticRegression

    # dual: there are 25 times more features than texts, and the primal default takes minutes
    return LogisticRegression(C=cost, solver="liblinear", dual=True, class_weight="balanced", random_state=0, max_iter=1000)


def matrix(rows: Rows, size: int) -> Any:
    """Return rows as a sparse matrix."""
    from scipy.sparse import csr_matrix

    return csr_matrix((rows.values, rows.ids, rows.starts), shape=(len(rows.starts) - 1, size))


# -- figures --------------------------------------------------------------------------------------


def measured(given: _Given, decided: Scores) -> dict[str, dict[str, Any]]:
    """Return the figures of each topic, for papers and for news, from judged examples: calibrated and cut on the other folds."""
    scores: dict[str, dict[str, Any]] = {}
    judged = given.judged()
    for j, topic in enumerate(given.topics):
        scores[topic] = {}
        for kind, part in zip(KINDS, (given.papers, ~given.papers), strict=True):
            column = given.apart().get(j, j) if kind == "paper" else j
            calibrating = judged & given.papers if column != j else judged
            p, maybe, confident = _unseen(decided[:, column], given.truth[:, j], given.papers, given.fold, calibrating)
            rows = part & judged
            if rows.any():
                scores[topic][kind] = figures(p[rows], given.truth[rows, j], maybe[rows], confident[rows])
    return scores


def _unseen(decided: Scores, truth: Truth, papers: Truth, fold: NDArray[np.int64], calibrating: Truth) -> tuple[Scores, Truth, Truth]:
    """Return score and tiers of each row, by a calibration that has not seen its months."""
    p, maybe, confident = np.zeros(len(truth)), np.zeros(len(truth), bool), np.zeros(len(truth), bool)
    for k in range(FOLDS):
        inside, outside = fold == k, (fold != k) & calibrating
        chosen = calibrate(decided[outside], truth[outside], papers[outside])
        p[inside] = chosen.scores(decided[inside], papers[inside])
        maybe[inside], confident[inside] = chosen.tiers(p[inside], papers[inside])
    return p, maybe, confident


# -- the result -----------------------------------------------------------------------------------


def _model(
    given: _Given, trained: _Trained, chosen: Sequence[Calibration], own: Mapping[int, Calibration], about: Mapping[str, object]
) -> LinearModel:
    heads = {}
    for k, kind in enumerate(KINDS):
        mine = [own.get(j, one) if kind == "paper" else one for j, one in enumerate(chosen)]
        heads[kind] = Head(
            np.array([given.apart().get(j, j) if kind == "paper" else j for j in range(len(given.topics))], np.int64),
            np.array([one.slope for one in mine]),
            np.array([one.offset[k] for one in mine]),
            {topic: one.maybe[k] for topic, one in zip(given.topics, mine, strict=True)},
            {topic: one.confident[k] for topic, one in zip(given.topics, mine, strict=True)},
        )
    return LinearModel("unsaved", given.topics, trained.space, trained.weights, trained.bias, heads, about)


def _trained_on(given: _Given) -> dict[str, object]:
    import sklearn

    kinds = Counter((example.kind, example.judged) for example in given.examples)
    days = sorted(example.month for example in given.examples)
    return {
        "papers": kinds["paper", True],
        "news": kinds["news", True],
        "papers_not_judged": kinds["paper", False],
        "news_not_judged": kinds["news", False],
        "from": days[0],
        "to": days[-1],
        "folds": f"{FOLDS}, by whole months",
        "scikit-learn": sklearn.__version__,
    }


# -- the holdout --------------------------------------------------------------------------------------


def _held_out(given: _Given, decided: Scores, model: LinearModel) -> Holdout:
    mine = [i for i, example in enumerate(given.examples) if in_holdout(example.key)]
    held = [i for i in mine if given.examples[i].judged]
    examples = [given.examples[i] for i in held]
    return Holdout(
        tuple(example.key for example in examples), tuple(example.kind for example in examples), given.topics, given.truth[held],
        model.space.rows([given.texts[i] for i in held]), decided[held],
        frozenset(given.examples[i].key for i in mine if not given.examples[i].judged),
    )  # fmt: skip


# -- the command line -----------------------------------------------------------------------------------


def table(model: LinearModel) -> str:
    """Return the figures of a model as a table to read: one line per topic, papers and news side by side."""
    head = f"{'':24}{'papers':^46}   {'news':^46}\n{'topic':24}" + "   ".join(
        [f"{'n':>4} {'AP':>5}  {'maybe P / R':>14} {'F1':>5} {'confident':>14}"] * 2
    )
    scores: Mapping[str, Any] = model.about["scores"]  # type: ignore[assignment]
    lines = [f"{topic:24}" + "   ".join(_cells(scores[topic].get(kind)) for kind in KINDS) for topic in model.topics]
    return "\n".join([head, *lines])


def _cells(found: Mapping[str, Any] | None) -> str:
    if not found:
        return " " * 46
    pairs = [f"{_figure(found[f'{tier}_precision'])} / {_figure(found[f'{tier}_recall'])}" for tier in ("maybe", "confident")]
    return f"{found['positives']:4} {_figure(found['average_precision'])}  {pairs[0]:>14} {_figure(found['maybe_f1'])} {pairs[1]:>14}"


def _figure(value: float | None) -> str:
    return "    –" if value is None else f"{value:5.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tracker.train", description="Train the topic model from label files.")
    parser.add_argument(
        "--labels", type=Path, action="append", required=True, help="CSV: id and labels (papers), or topics, title and summary (news)"
    )
    parser.add_argument("--also", type=Path, action="append", default=[], help="CSV as above: learned from, but not judged by")
    parser.add_argument("--texts", type=Path, help="folder of papers-*.jsonl.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.json, weights.npz and holdout.npz")
    options = parser.parse_args(arguments)
    try:
        examples = [example for path in options.labels for example in read_labels(path, options.texts)]
        examples += [example for path in options.also for example in read_labels(path, options.texts, judged=False)]
        model = build(examples, options.out)
    except TrackerError as error:
        print(error, file=sys.stderr)  # noqa: T201 (a command of its own, not of the CLI)
        return error.exit_code
    print(table(model))  # noqa: T201
    print(json.dumps(model.about["trained"]))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
