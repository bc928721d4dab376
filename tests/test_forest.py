"""The forest of the pair model: it says what scikit-learn said when it was grown, and refuses what is damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tracker.errors import ModelError
from tracker.pairing.features import NAMES
from tracker.pairing.forest import Forest
from tracker.pairing.model import SHIPPED, load, save
from tracker.taggers.stored_model import npz
from tracker.train_pairs import fit

FEATURES = 6


def pairs(seed: int = 0, count: int = 400) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Rows of whole, coarse and fine numbers, and which of them are one development."""
    chance = np.random.default_rng(seed)
    rows = chance.normal(size=(count, FEATURES)).astype(np.float32)
    rows[:, 0] = np.round(rows[:, 0])
    rows[:, 1] = rows[:, 1] > 0
    rows[:, 2] = np.float32(0.1) * chance.integers(0, 4, count)  # many alike, and none of them has an end in binary
    return rows, (rows[:, 0] + rows[:, 3] * rows[:, 4] + chance.normal(size=count) * 0.3) > 0.5


def grown(rows: NDArray[np.float32], same: NDArray[np.bool_], trees: int) -> Any:
    """What scikit-learn grows from pairs, as ``fit`` asks it to."""
    from sklearn.ensemble import ExtraTreesClassifier

    model = ExtraTreesClassifier(trees, min_samples_leaf=2, max_features=0.3, class_weight="balanced", random_state=0, n_jobs=1)
    return model.fit(rows, same)


# -- what it says -----------------------------------------------------------------------------------


def test_it_says_what_scikit_learn_says() -> None:
    rows, same = pairs()
    model = grown(rows, same, 12)
    new = np.concatenate([rows, pairs(1)[0], pairs(2)[0] * 100])
    assert fit(rows, same, 12).likely(new) == pytest.approx(model.predict_proba(new)[:, 1], abs=1e-6)


def test_it_decides_alike_at_and_around_each_threshold() -> None:
    rows, same = pairs()
    model, forest = grown(rows, same, 5), fit(rows, same, 5)
    inner = forest.left != np.arange(len(forest.left))
    new = []
    for feature, limit in zip(forest.feature[inner], forest.limit[inner], strict=True):
        for value in (limit, np.nextafter(limit, np.float32(np.inf)), np.nextafter(limit, np.float32(-np.inf))):
            row = rows[len(new) % len(rows)].copy()
            row[feature] = value
            new.append(row)
    values = np.array(new, np.float32)
    assert forest.likely(values) == pytest.approx(model.predict_proba(values)[:, 1], abs=1e-6)


def test_a_forest_of_one_leaf_says_the_same_of_all() -> None:
    rows = np.zeros((4, FEATURES), np.float32)
    assert fit(rows, np.array([True, True, False, False]), 3).likely(pairs()[0]).tolist() == pytest.approx([0.5] * 400)


def test_no_pairs_are_no_numbers() -> None:
    assert fit(*pairs(), 2).likely(np.zeros((0, FEATURES), np.float32)).tolist() == []


def test_what_was_stored_is_what_was_grown() -> None:
    rows, same = pairs()
    forest = fit(rows, same, 5)
    assert Forest.of(forest.arrays(), FEATURES).likely(rows).tolist() == forest.likely(rows).tolist()


def test_it_grows_to_the_same_bytes_twice() -> None:
    rows, same = pairs()
    assert npz(fit(rows, same, 5).arrays()) == npz(fit(rows.copy(), same.copy(), 5).arrays())


# -- what it refuses --------------------------------------------------------------------------------


def arrays() -> dict[str, NDArray[Any]]:
    """A tree of two questions: 0 asks, 1 is a leaf, 2 asks, 3 and 4 are leaves."""
    return {
        "feature": np.array([0, 0, 1, 0, 0], np.int16),
        "limit": np.array([0.5, 0, 0.5, 0, 0], np.float32),
        "left": np.array([1, 1, 3, 3, 4], np.int32),
        "right": np.array([2, 1, 4, 3, 4], np.int32),
        "says": np.array([0.5, 0.1, 0.5, 0.2, 0.9], np.float32),
        "roots": np.array([0], np.int32),
        "depth": np.array([2], np.int16),
    }


def test_a_sound_tree_is_read() -> None:
    rows = np.array([[0, 0], [1, 0], [1, 1], [0.5, 1]], np.float32)
    assert Forest.of(arrays(), 2).likely(rows).tolist() == pytest.approx([0.1, 0.2, 0.9, 0.1])


def with_(name: str, values: list[float], kind: Any = None) -> Callable[[dict[str, NDArray[Any]]], None]:
    def change(of: dict[str, NDArray[Any]]) -> None:
        of[name] = np.array(values, kind or of[name].dtype)

    return change


DAMAGE: dict[str, Callable[[dict[str, NDArray[Any]]], Any]] = {
    "a child leads back": with_("left", [1, 1, 0, 3, 4]),
    "a child is its own parent on one side": with_("right", [2, 1, 2, 3, 4]),
    "a leaf on one side": with_("left", [0, 1, 3, 3, 4]),
    "a child that does not exist": with_("right", [2, 1, 5, 3, 4]),
    "a child before the first": with_("left", [1, 1, -1, 3, 4]),
    "a missing array": lambda of: of.pop("says"),
    "an array that is too short": with_("says", [0.5, 0.1]),
    "one limit too many": with_("limit", [0.5, 0, 0.5, 0, 0, 0]),
    "no node": lambda of: of.update({name: of[name][:0] for name in ("feature", "limit", "left", "right", "says")}),
    "no tree": with_("roots", []),
    "a root that does not exist": with_("roots", [5]),
    "a root before the first": with_("roots", [-1]),
    "a feature that nobody makes": with_("feature", [0, 0, 2, 0, 0]),
    "a feature before the first": with_("feature", [0, 0, -1, 0, 0]),
    "more than certain": with_("says", [0.5, 0.1, 0.5, 0.2, 1.5]),
    "less than nothing": with_("says", [0.5, 0.1, 0.5, -0.2, 0.5]),
    "no number": with_("says", [0.5, 0.1, 0.5, float("nan"), 0.5]),
    "no depth": with_("depth", []),
    "a depth of nothing": with_("depth", [0]),
    "a depth without end": with_("depth", [30_000]),
    "words for numbers": lambda of: of.update(limit=np.array(["a", "b", "c", "d", "e"])),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_fit_together_is_refused(damage: Callable[[dict[str, NDArray[Any]]], Any]) -> None:
    of = arrays()
    damage(of)
    with pytest.raises(ModelError, match=r"^the pair model is damaged .*; install the package again"):
        Forest.of(of, 2)


# -- as files ---------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "pairs"))


def described(folder: Path, **change: object) -> None:
    """Write another description."""
    told = json.loads((folder / "model.json").read_text(encoding="utf-8")) | change
    (folder / "model.json").write_text(json.dumps(told), encoding="utf-8")


def test_the_shipped_model_is_sound() -> None:
    shipped = load()
    assert 0 < shipped.limit < 1
    assert len(shipped.about["features"]) == len(NAMES)
    assert shipped.about["trained"]["nodes"] == len(shipped.forest.feature)


def test_a_model_is_written_and_read(folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(100, len(NAMES))).astype(np.float32)
    forest = fit(rows, rows[:, 0] > 0, 3)
    save(forest, 0.6, {"note": "ours"}, folder)
    read = load(folder)
    assert (read.limit, read.about["note"]) == (0.6, "ours")
    assert read.forest.likely(rows).tolist() == forest.likely(rows).tolist()


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no description": (lambda folder: (folder / "model.json").unlink(), "model.json"),
    "no trees": (lambda folder: (folder / "trees.npz").unlink(), "trees.npz"),
    "no words": (lambda folder: (folder / "rarity.txt").unlink(), "rarity.txt"),
    "no folder": (shutil.rmtree, "pairs"),
    "a description that is none": (lambda folder: (folder / "model.json").write_text("{", encoding="utf-8"), "pairs"),
    "a description that is a list": (lambda folder: (folder / "model.json").write_text("[]", encoding="utf-8"), "pairs"),
    "a description without a hash": (lambda folder: (folder / "model.json").write_text('{"kind": "x"}', encoding="utf-8"), "pairs"),
    "bytes for a description": (lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe\x00"), "pairs"),
    "other trees": (lambda folder: (folder / "trees.npz").write_bytes(b"x"), "trees.npz"),
    "other words": (lambda folder: (folder / "rarity.txt").write_text("1\n", encoding="utf-8"), "pairs"),
    "other features": (lambda folder: described(folder, features=["a"]), "pairs"),
    "another format": (lambda folder: described(folder, format=2), "pairs"),
    "another kind": (lambda folder: described(folder, kind="tracker-topics"), "pairs"),
    "a limit that all reach": (lambda folder: described(folder, limit=0), "pairs"),
    "a limit that nobody reaches": (lambda folder: described(folder, limit=1), "pairs"),
    "a limit in words": (lambda folder: described(folder, limit="high"), "pairs"),
}


@pytest.mark.parametrize(("fault", "named"), FAULTS.values(), ids=FAULTS)
def test_a_model_that_cannot_be_used_is_named_in_one_sentence(folder: Path, fault: Callable[[Path], Any], named: str) -> None:
    fault(folder)
    with pytest.raises(ModelError) as caught:
        load(folder)
    told = str(caught.value)
    assert str(folder) in told
    assert named in told
    assert "; " in told, "there is a way out"
    assert "\n" not in told


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"no zip", "not a file of numbers", id="no archive"),
        pytest.param(npz({"feature": np.zeros(3)}), "damaged", id="not all arrays"),
    ],
)
def test_trees_that_the_description_vouches_for_and_that_are_none(folder: Path, data: bytes, why: str) -> None:
    (folder / "trees.npz").write_bytes(data)
    described(folder, sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(ModelError, match=why):
        load(folder)


def test_objects_are_never_loaded(folder: Path) -> None:
    with (folder / "trees.npz").open("wb") as file:
        np.savez(file, feature=np.array([{"a": 1}], object))
    described(folder, sha256=hashlib.sha256((folder / "trees.npz").read_bytes()).hexdigest())
    with pytest.raises(ModelError, match="not a file of numbers"):
        load(folder)


def test_words_that_the_description_vouches_for_and_that_are_none(folder: Path) -> None:
    (folder / "rarity.txt").write_text("many\nsome words\n", encoding="utf-8")
    described(folder, rarity_sha256=hashlib.sha256((folder / "rarity.txt").read_bytes()).hexdigest())
    with pytest.raises(ModelError, match="pair model"):
        load(folder)
