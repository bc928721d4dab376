"""A forest of decision trees as plain numbers: how likely two items are one development.

in   rows of ``features``; at fitting time (``train_pairs``) a scikit-learn forest
out  the mean of what the trees say, 0 to 1
knows no scikit-learn: scoring needs only the stored numbers.
Source: P. Geurts, D. Ernst, L. Wehenkel, Extremely randomized trees, Machine Learning 63 (2006).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError

__all__ = ["Forest"]


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees, one behind the other. A node asks whether ``feature`` ≤ ``limit``: to ``left`` if so, else to ``right``; a leaf has itself.

    ``roots`` are the first nodes of the trees; ``says`` is the share of pairs at a node that are one development.
    """

    feature: NDArray[np.int16]
    limit: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    says: NDArray[np.float32]
    roots: NDArray[np.int32]
    depth: int

    @classmethod
    def of(cls, arrays: dict[str, NDArray[Any]], features: int) -> Forest:
        """Return the forest in stored arrays.

        Raises:
            ModelError: they do not fit together: a child that does not exist or leads back, a feature that nobody makes.
        """
        try:
            forest = cls(
                arrays["feature"].astype(np.int16), arrays["limit"].astype(np.float32), arrays["left"].astype(np.int32),
                arrays["right"].astype(np.int32), arrays["says"].astype(np.float32), arrays["roots"].astype(np.int32),
                int(arrays["depth"][0]),
            )  # fmt: skip
        except (KeyError, IndexError, ValueError) as error:
            raise ModelError(f"the pair model is damaged ({error}); install the package again") from None
        nodes = np.arange(len(forest.feature))
        sizes = {len(forest.limit), len(forest.left), len(forest.right), len(forest.says)}
        fits = sizes == {len(nodes)} and len(nodes) > 0 and len(forest.roots) > 0 and 0 < forest.depth <= 200
        if fits:
            leaf = forest.left == nodes
            inner = (forest.left > nodes) & (forest.right > nodes) & (np.maximum(forest.left, forest.right) < len(nodes))
            fits = bool(np.all(leaf & (forest.right == nodes) | inner)) and bool(np.all((forest.says >= 0) & (forest.says <= 1)))
            fits &= bool(np.all((forest.roots >= 0) & (forest.roots < len(nodes))))
            fits &= bool(np.all((forest.feature >= 0) & (forest.feature < features)))
        if not fits:
            raise ModelError("the pair model is damaged (its trees do not fit together); install the package again")
        return forest

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is stored."""
        return {
            "feature": self.feature, "limit": self.limit, "left": self.left, "right": self.right, "says": self.says,
            "roots": self.roots, "depth": np.array([self.depth], np.int16),
        }  # fmt: skip

    def likely(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return how likely each row is a pair of one development; rows: (pairs, features)."""
        found = np.zeros(len(rows))
        at = np.arange(len(rows))
        for root in self.roots:
            node = np.full(len(rows), root, np.int32)
            for _ in range(self.depth):
                after = np.where(rows[at, self.feature[node]] <= self.limit[node], self.left[node], self.right[node])
                if np.array_equal(after, node):
                    break
                node = after
            found += self.says[node]
        return found / len(self.roots)
