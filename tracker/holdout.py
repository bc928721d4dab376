"""The holdout that ships beside the model: labelled rows by which challengers are judged. No text can be read from it.

in   a model's directory
out  a ``Holdout``; for training, its arrays
refuses to know how models are fitted and how they are judged (``gate``).
Surprising: the shipped model has learned from these rows. Their decisions come from models that had not, so that what a user's labels
add to the shipped weights can be judged by them all the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError
from tracker.taggers.features import Rows
from tracker.taggers.stored_model import load, read_npz

__all__ = ["Holdout", "arrays_of", "in_holdout", "load_holdout"]


@dataclass(frozen=True, slots=True)
class Holdout:
    """Labelled rows by which a challenger is judged. No text can be read from it.

    ``decisions`` are those of models that had not seen the row; a model that was taught since is judged by them
    plus what its weights differ from the shipped ones. ``seen`` are keys that ``in_holdout`` has and that the shipped
    model has learned from all the same: no label of them may judge.
    """

    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    topics: tuple[str, ...]
    truth: NDArray[np.bool_]  # (rows, topics)
    rows: Rows  # in the space of the shipped model
    decisions: NDArray[np.float64]  # (rows, columns of the weights)
    seen: frozenset[str] = frozenset()


def in_holdout(key: str) -> bool:
    """Return whether a user's labels of this item judge models and never teach them: one in five, by its key, everywhere and forever."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % 5 == 0


def arrays_of(holdout: Holdout) -> dict[str, NDArray[Any]]:
    """Return the holdout as the arrays of ``holdout.npz``."""
    steps = np.diff(holdout.rows.ids, prepend=0)
    unit = holdout.rows.values.max(initial=1e-6) / 255
    return {
        "keys": np.frombuffer("\n".join(holdout.keys).encode(), np.uint8),
        "papers": np.array([kind == "paper" for kind in holdout.kinds], bool),
        "topics": np.frombuffer("\n".join(holdout.topics).encode(), np.uint8),
        "truth": holdout.truth,
        "starts": holdout.rows.starts.astype(np.int32),
        # 3 bytes a value instead of 16: ids rise within a row, so that a step back of 16 bits always is a new row or a far step ahead
        "steps": (steps % (1 << 16)).astype(np.uint16),
        "turns": (steps // (1 << 16)).astype(np.int8),
        "values": np.rint(holdout.rows.values / unit).astype(np.uint8),
        "unit": np.array([unit]),
        "decisions": holdout.decisions.astype(np.float32),
        "seen": np.frombuffer("\n".join(sorted(holdout.seen)).encode(), np.uint8),
    }


def load_holdout(directory: Path) -> Holdout:
    """Return the holdout beside a shipped model.

    Raises:
        ModelError: the model or the holdout is missing, damaged, or they do not belong together.
    """
    model = load(directory)
    path = directory / "holdout.npz"
    arrays = read_npz(path, str(model.about.get("holdout")))
    try:
        steps = arrays["steps"].astype(np.int64)
        ids = np.cumsum(steps + arrays["turns"].astype(np.int64) * (1 << 16))
        rows = Rows(arrays["starts"].astype(np.int64), ids, arrays["values"] * float(arrays["unit"][0]))
        keys, topics, seen = (_lines(arrays[name]) for name in ("keys", "topics", "seen"))
        kinds = tuple("paper" if paper else "news" for paper in arrays["papers"].tolist())
        found = Holdout(keys, kinds, topics, arrays["truth"].astype(bool), rows, arrays["decisions"].astype(np.float64), frozenset(seen))
        _check(found, model.space.size, len(model.bias))
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise ModelError(f"{path}: is not the holdout of this model ({error}); install the package again") from None
    return found


def _lines(blob: NDArray[Any]) -> tuple[str, ...]:
    return tuple(blob.tobytes().decode().split("\n")) if blob.size else ()


def _check(found: Holdout, features: int, columns: int) -> None:
    """Raise ValueError where an array does not fit the others: scipy trusts such numbers blindly."""
    rows, count = found.rows, len(found.keys)
    starts_fit = len(rows.starts) == count + 1 and rows.starts[0] == 0 and rows.starts[-1] == len(rows.ids)
    if not starts_fit or (np.diff(rows.starts) < 0).any() or len(rows.values) != len(rows.ids):
        raise ValueError("rows that do not begin where others end")
    if len(rows.ids) and not (rows.ids.min() >= 0 and rows.ids.max() < features):
        raise ValueError("a feature that the model does not have")
    if len(found.kinds) != count or found.truth.shape != (count, len(found.topics)) or found.decisions.shape != (count, columns):
        raise ValueError("labels or decisions of other rows")
    if not np.isfinite(found.decisions).all():
        raise ValueError("a decision that is no number")
