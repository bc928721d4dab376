"""Fit the pair model: how likely two items are one development.

in   stories.csv (``story_labels``), texts of papers and posts for how usual words are
out  tracker/defaults/pairs: trees.npz, rarity.txt, model.json with the figures of a cross-validation over windows
Surprising: windows are judged by models that have not seen them. Of the limits, the strictest that still finds what is asked for is taken:
a wrong merge hides news, a missed one costs a line, and unseen days are worse than seen ones.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError, TrackerError
from tracker.examples import rows_of, texts_in
from tracker.pairing.clusters import clusters
from tracker.pairing.features import NAMES, features
from tracker.pairing.forest import Forest
from tracker.pairing.guards import apart
from tracker.pairing.model import PairModel, load_rarity, save
from tracker.pairing.sketch import Rarity, said, sketch, words_of
from tracker.pairing.window import Window
from tracker.story_labels import COLUMNS, STANDING_ALONE, Row, figures, hard_pairs, joined_pairs, labelled

__all__ = ["fit", "judged", "main", "rarity_text", "train", "without_each"]

TREES = 160
LEAST = 3  # texts that hold a word before it is listed
PAPERS_A_MONTH = 250
LIMITS = np.arange(0.3, 0.96, 0.01).round(2)


class Pairs:
    """The pairs of labelled windows that are worth comparing, with their features."""

    def __init__(self, rows: Sequence[Row], rarity: Rarity) -> None:
        self.rows = rows
        self.sketches = [sketch(row.item, (), row.item.links) for row in rows]
        place = {row.item.id: n for n, row in enumerate(rows)}
        found: list[tuple[int, int]] = []
        values: list[tuple[float, ...]] = []
        self.kept_apart: list[bool] = []
        for window in sorted({row.window for row in rows}):
            around = Window(rarity)
            around.add(self.sketches[n] for n, row in enumerate(rows) if row.window == window)
            for one in sorted((self.sketches[n] for n, row in enumerate(rows) if row.window == window), key=lambda one: one.order):
                for other in around.meets(one):
                    if one.order < other.order:
                        found.append((place[one.id], place[other.id]))
                        values.append(features(one, other, rarity, around.near))
                        self.kept_apart.append(bool(apart(one, other)))
        self.pairs = found
        self.values = np.array(values, np.float32).reshape(len(found), len(NAMES))
        self.apart = np.array(self.kept_apart, bool)
        self.same = np.array([rows[a].story == rows[b].story for a, b in found], bool)
        self.window = np.array([rows[a].window for a, _ in found])


def fit(values: NDArray[np.float32], same: NDArray[np.bool_], trees: int = TREES) -> Forest:
    """Return a forest that was grown from pairs and what people say of them.

    Raises:
        ModelError: they are all one development, or none is, or there are none.
    """
    if len(set(same.tolist())) < 2:
        raise ModelError(
            "there is nothing to learn from: to train or cross-validate, several windows must hold pairs of one story and of two"
        )
    from sklearn.ensemble import ExtraTreesClassifier

    grown = ExtraTreesClassifier(trees, min_samples_leaf=2, max_features=0.3, class_weight="balanced", random_state=0, n_jobs=1)
    grown.fit(values, same)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("feature", "limit", "left", "right", "says")}
    roots, depth, at = [], 1, 0
    for estimator in grown.estimators_:
        tree = estimator.tree_
        nodes = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        parts["feature"].append(np.where(leaf, 0, tree.feature).astype(np.int16))
        parts["limit"].append(_floor32(np.where(leaf, 0.0, tree.threshold)))
        parts["left"].append((np.where(leaf, nodes, tree.children_left) + at).astype(np.int32))
        parts["right"].append((np.where(leaf, nodes, tree.children_right) + at).astype(np.int32))
        share = tree.value[:, 0, :]
        parts["says"].append((share[:, 1] / share.sum(axis=1)).astype(np.float32))
        roots.append(at)
        depth, at = max(depth, int(tree.max_depth)), at + int(tree.node_count)
    joined = {name: np.concatenate(part) for name, part in parts.items()}
    return Forest(**joined, roots=np.array(roots, np.int32), depth=depth)


def _floor32(limits: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest 32-bit number that is not above: rows have 32 bits, so the trees decide as they were grown."""
    near = limits.astype(np.float32)
    return np.where(near > limits, np.nextafter(near, np.float32(-np.inf)), near).astype(np.float32)


def judged(pairs: Pairs) -> NDArray[np.float64]:
    """Return the agreement of each pair, by a forest that has seen no pair of its window."""
    found = np.zeros(len(pairs.pairs))
    for window in sorted(set(pairs.window.tolist())):
        mine, others = pairs.window == window, (pairs.window != window) & ~pairs.apart
        found[mine] = fit(pairs.values[others], pairs.same[others]).likely(pairs.values[mine])
    found[pairs.apart] = 0.0
    return found


def without_each(rows: Sequence[Row], shipped: PairModel) -> dict[str, PairModel]:
    """Return, for each window, a model that has learned from the others alone; rarity and limit are those of the shipped one.

    Raises:
        ModelError: the others hold nothing to learn from.
    """
    pairs = Pairs(rows, shipped.rarity)
    found = {}
    for window in sorted({row.window for row in rows}):
        others = (pairs.window != window) & ~pairs.apart
        found[window] = replace(shipped, forest=fit(pairs.values[others], pairs.same[others]))
    return found


def grouped(pairs: Pairs, agreement: NDArray[np.float64], limit: float) -> list[int]:
    """Return the cluster of each row."""
    order = sorted(range(len(pairs.rows)), key=lambda n: pairs.sketches[n].order)
    place = {n: at for at, n in enumerate(order)}
    sums = {
        (min(place[a], place[b]), max(place[a], place[b])): float(value)
        for (a, b), value in zip(pairs.pairs, agreement, strict=True)
        if value > 0
    }
    homes = clusters([1] * len(order), sums, limit)
    return [homes[place[n]] for n in range(len(order))]


def report(pairs: Pairs, homes: Sequence[int], hard: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the figures of a grouping."""
    joined, alike = joined_pairs(hard, pairs.rows, homes)
    sizes = Counter(homes)
    lists = [n for n, row in enumerate(pairs.rows) if row.kind in STANDING_ALONE]
    return {
        **figures([row.story for row in pairs.rows], homes),
        "look_alikes": {"joined": len(joined), "of": alike},
        "lists_joined": sum(sizes[homes[n]] > 1 for n in lists),
    }


def rarity_text(texts: Iterable[str]) -> str:
    """Return how usual words are, as ``rarity.txt`` has it."""
    count: Counter[str] = Counter()
    number = 0
    for number, text in enumerate(texts, 1):  # noqa: B007
        count.update(set(words_of(text)))
    by_count: dict[int, list[str]] = {}
    for word, times in count.items():
        if times >= LEAST and len(word) < 25:
            by_count.setdefault(times, []).append(word)
    lines = [f"{times} {' '.join(sorted(words))}" for times, words in sorted(by_count.items())]
    return "\n".join([str(number), *lines]) + "\n"


def _texts(rows: Sequence[Row], also: Sequence[Path], papers: Path | None) -> Iterable[str]:
    for row in rows:
        yield f"{row.item.title} {said(row.item.text)}"
    for path in also:
        yield from (f"{row.get('title', '')} {said(row.get('summary', ''))}" for row in rows_of(path))
    months: Counter[str] = Counter()
    for paper in texts_in(papers) if papers else ():
        month = str(paper["listed"])[:7]
        months[month] += 1
        if months[month] <= PAPERS_A_MONTH:
            yield f"{paper['title']} {paper['abstract']}"


def train(rows: Sequence[Row], rarity: str, hard: Sequence[tuple[str, str]], recall: float, out: Path) -> Mapping[str, Any]:
    """Write a model into a folder and return its description.

    Args:
        recall: B³ recall over active items that the strictest limit must still have, cross-validated.
    """
    pairs = Pairs(rows, load_rarity(rarity))
    agreement = judged(pairs)
    curve = {float(limit): report(pairs, grouped(pairs, agreement, float(limit)), hard) for limit in LIMITS}
    limit = max((at for at in curve if curve[at]["b3_active"]["recall"] >= recall), default=float(LIMITS[0]))
    kept = ~pairs.apart
    forest = fit(pairs.values[kept], pairs.same[kept])
    about = {
        "trained": {
            "items": len(rows), "windows": len({row.window for row in rows}), "pairs": len(pairs.pairs), "same": int(pairs.same.sum()),
            "trees": len(forest.roots), "nodes": len(forest.feature),
        },
        "cross_validated": curve[limit],
        "curve": {f"{at:.2f}": _short(curve[at]) for at in curve if round(at * 100) % 5 == 0},
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    (out / "rarity.txt").write_text(rarity, encoding="utf-8")
    save(forest, limit, about, out)
    return {"limit": limit, **about}


def _short(found: Mapping[str, Any]) -> list[Any]:
    """B³ active precision and recall, pairwise precision and recall, look-alikes joined."""
    return [*(found[name][what] for name in ("b3_active", "pairwise") for what in ("precision", "recall")), found["look_alikes"]["joined"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line; return the exit code."""
    about = "Fit the model that says which items are one story."
    parser = argparse.ArgumentParser(prog="python -m tracker.train_pairs", description=about)
    parser.add_argument("--labels", type=Path, required=True, help=f"CSV: {', '.join(COLUMNS)}")
    parser.add_argument("--hard", type=Path, help="CSV: url_a, url_b; look-alikes that are different, for the figures")
    parser.add_argument("--also", type=Path, action="append", default=[], help="CSV with title and summary: for how usual words are")
    parser.add_argument("--texts", type=Path, help="folder of papers-*.jsonl.gz: for how usual words are")
    parser.add_argument("--recall", type=float, default=0.745, help="B³ recall over active items that the limit must leave (0.745)")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.json, trees.npz and rarity.txt")
    options = parser.parse_args(arguments)
    try:
        rows = labelled(options.labels)
        hard = hard_pairs(options.hard) if options.hard else []
        rarity = rarity_text(_texts(rows, options.also, options.texts))
        found = train(rows, rarity, hard, options.recall, options.out)
    except TrackerError as error:
        print(error, file=sys.stderr)  # noqa: T201 (a command of its own, not of the CLI)
        return error.exit_code
    print(json.dumps(found, indent=1))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
