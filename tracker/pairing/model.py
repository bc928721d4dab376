"""The pair model as files: ``model.json`` says what it is and vouches for ``trees.npz``; ``rarity.txt`` says how usual words are.

in   a folder; out  a ``PairModel``: agreement of pairs, 0 to 1
refuses files that do not fit together, by name. No pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tracker.errors import ModelError
from tracker.pairing.features import NAMES, Near, features
from tracker.pairing.forest import Forest
from tracker.pairing.guards import apart, namesakes, presents
from tracker.pairing.sketch import Rarity, Sketch
from tracker.taggers.stored_model import npz, read_npz, replace_file

__all__ = ["SHIPPED", "PairModel", "load", "load_rarity", "save"]

SHIPPED = Path(__file__).parent.parent / "defaults" / "pairs"
FORMAT = 1
CERTAIN = 0.98  # of two items that a rule takes for one development
_WAY_OUT = "install the package again"


@dataclass(frozen=True, slots=True)
class PairModel:
    """How alike two items are. ``limit`` is the average agreement from which an item joins a story."""

    forest: Forest
    rarity: Rarity
    limit: float
    about: Mapping[str, Any]

    def agreement(self, pairs: Sequence[tuple[Sketch, Sketch]], near: Near) -> list[float]:
        """Return how likely each pair is one development; 0 where a guard keeps the two apart."""
        asked = [n for n, (one, other) in enumerate(pairs) if not apart(one, other)]
        found = [0.0] * len(pairs)
        if asked:
            rows = np.array([features(*pairs[n], self.rarity, near) for n in asked], np.float32)
            for n, value in zip(asked, self.forest.likely(rows).tolist(), strict=True):
                found[n] = max(value, CERTAIN) if self._certain(*pairs[n]) else value
        return found

    def _certain(self, one: Sketch, other: Sketch) -> bool:
        """Whether a rule knows better: labelled days hold too few papers with their posts, and few titles that share words with many."""
        return namesakes(one, other) or presents(one, other, self.rarity.sum(one.title_words & other.title_words))


def save(forest: Forest, limit: float, about: Mapping[str, Any], folder: Path) -> None:
    """Write a model; ``rarity.txt`` must lie there already, since the trees were grown with it."""
    data = npz(forest.arrays())
    described = {
        "kind": "tracker-pairs", "format": FORMAT, "limit": limit, "sha256": hashlib.sha256(data).hexdigest(),
        "rarity_sha256": hashlib.sha256((folder / "rarity.txt").read_bytes()).hexdigest(), "features": list(NAMES), **about,
    }  # fmt: skip
    replace_file(folder / "trees.npz", data)
    replace_file(folder / "model.json", (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode())


def load(folder: Path = SHIPPED) -> PairModel:
    """Return the model in a folder.

    Raises:
        ModelError: a file is missing, damaged, or made for other features.
    """
    try:
        described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        rarity = (folder / "rarity.txt").read_bytes()
        fits = described["kind"] == "tracker-pairs" and described["format"] == FORMAT and described["features"] == list(NAMES)
        fits = fits and described["rarity_sha256"] == hashlib.sha256(rarity).hexdigest() and 0 < float(described["limit"]) < 1
        sha256 = str(described["sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: the pair model cannot be read ({error}); {_WAY_OUT}") from None
    if not fits:
        raise ModelError(f"{folder}: the pair model is damaged or of another release; {_WAY_OUT}")
    try:
        usual = load_rarity(rarity.decode())
    except ValueError as error:
        raise ModelError(f"{folder}: the pair model is damaged (rarity.txt: {error}); {_WAY_OUT}") from None
    forest = Forest.of(read_npz(folder / "trees.npz", sha256, _WAY_OUT), len(NAMES))
    return PairModel(forest, usual, float(described["limit"]), described)


def load_rarity(text: str) -> Rarity:
    """Return how rare words are: the first line of the text is the number of texts, the others a number and the words so many hold.

    Raises:
        ValueError: it is no such text.
    """
    head, *lines = text.splitlines() or [""]
    holding = {word: int(number) for line in lines for number, _, words in [line.partition(" ")] for word in words.split()}
    return Rarity(int(head), holding)
