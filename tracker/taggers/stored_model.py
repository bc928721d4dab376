"""Topic models as files: ``model.json`` says what it is and vouches for ``weights.npz``. No pickle; what does not fit is refused.

in   a ``LinearModel``, or a directory
out  two files of plain numbers and words, the same bytes for the same model; a ``LinearModel`` again
refuses to run anything that a file says: every array is checked for its type, size and bounds before it is used.
Everything that scores or decides stands in ``weights.npz``; ``model.json`` repeats topics and thresholds for people to read.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError
from tracker.taggers.features import FeatureSpace
from tracker.taggers.linear import KINDS, Head, LinearModel

__all__ = ["FORMAT", "KIND", "load", "npz", "read_npz", "replace_file", "save"]

FORMAT = 2  # of model.json and weights.npz; an unknown one is refused, never guessed at
KIND = "tracker-linear"
_WAY_OUT = "install the package again, or train one with `make model`"
_FIELDS = {"name": str, "sha256": str}


def save(model: LinearModel, directory: Path, *, prefix: str = "topics") -> str:
    """Write a model and return the name it has got: ``prefix`` and the beginning of the hash of its numbers.

    Weights are rounded to 16 bits, relative to the largest of their column. ``weights.npz`` is written first and
    ``model.json``, which vouches for it, last; each appears whole or not at all.
    """
    weights = npz(_arrays_of(model))
    digest = hashlib.sha256(weights).hexdigest()
    name = f"{prefix}-{digest[:8]}"
    described = {
        "kind": KIND,
        "format": FORMAT,
        "name": name,
        "sha256": digest,
        "topics": list(model.topics),
        "heads": {kind: {"maybe": dict(head.maybe), "confident": dict(head.confident)} for kind, head in model.heads.items()},
        **{key: value for key, value in model.about.items() if key != "sha256"},  # a loaded model has that of its own file
    }
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / "weights.npz", weights)
    replace_file(directory / "model.json", (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode())
    return name


def load(directory: Path, *, sha256: str = "") -> LinearModel:
    """Return the model in a directory.

    Args:
        sha256: that its weights must have besides what ``model.json`` says, where somebody else vouches for them too.

    Raises:
        ModelError: a file is missing, damaged, not ours or of another version; the message names it.
    """
    described = _described(Path(directory) / "model.json")
    path = Path(directory) / "weights.npz"
    if not described["name"].endswith(described["sha256"][:8]):
        raise ModelError(f"{directory}/model.json: bears the name of another model; {_WAY_OUT}")
    if sha256 and described["sha256"] != sha256:
        raise ModelError(f"{path}: is not the file that the database vouches for (sha256 differs); {_WAY_OUT}")
    arrays = read_npz(path, str(described["sha256"]))
    try:
        topics = tuple(_strings(arrays["topics"]))
        space = _space(arrays)
        weights = arrays["weights"].astype(np.float32) * arrays["step"].astype(np.float32)
        bias = _numbers(arrays, "bias", 1)
        if weights.shape != (space.size, len(bias)) or not np.isfinite(weights).all():
            raise ValueError(f"{space.size} features and {len(bias)} columns, but weights of shape {weights.shape}")
        heads = {kind: _head(kind, topics, arrays, len(bias)) for kind in KINDS}
    except (KeyError, ValueError, IndexError, TypeError, OverflowError) as error:
        raise ModelError(f"{path}: does not hold what it should ({error}); {_WAY_OUT}") from None
    about = {key: value for key, value in described.items() if key not in ("kind", "format", "name", "topics", "heads")}
    return LinearModel(described["name"], topics, space, weights, bias, heads, about)


# -- numbers ----------------------------------------------------------------------------------------


def _arrays_of(model: LinearModel) -> dict[str, NDArray[Any]]:
    space = model.space
    step = np.maximum(np.abs(model.weights).max(axis=0, initial=0.0), 1e-12) / 32_767
    arrays: dict[str, NDArray[Any]] = {
        "topics": _blob(model.topics),
        "words": _blob(space.words),
        "pairs": space.pairs.astype(np.uint16 if len(space.words) <= 1 << 16 else np.uint32),
        "pieces": _blob(space.pieces),
        "idf": space.idf.astype(np.float16),
        "members": space.members.astype(np.int32),
        "scale": space.scale.astype(np.float64),
        "links": space.links.astype(np.int16),
        "link_idf": space.link_idf.astype(np.float64),
        "weights": np.rint(model.weights / step).astype(np.int16),
        "step": step.astype(np.float64),
        "bias": np.asarray(model.bias, np.float64),
    }
    for kind, head in model.heads.items():
        arrays[f"{kind}_columns"] = np.asarray(head.columns, np.int32)
        arrays[f"{kind}_slope"] = np.asarray(head.slope, np.float64)
        arrays[f"{kind}_offset"] = np.asarray(head.offset, np.float64)
        for tier in ("maybe", "confident"):
            arrays[f"{kind}_{tier}"] = np.array([getattr(head, tier)[topic] for topic in model.topics], np.float64)
    return arrays


def _space(arrays: Mapping[str, NDArray[Any]]) -> FeatureSpace:
    """Return the feature space of a file whose every number has been looked at: what lies beyond an array would score at random."""
    words, pieces = _strings(arrays["words"]), _strings(arrays["pieces"])
    pairs, members, links = (arrays[name].astype(np.int64).reshape(-1, 2) for name in ("pairs", "members", "links"))
    idf, scale, link_idf = (_numbers(arrays, name, 1) for name in ("idf", "scale", "link_idf"))
    _within("pairs", pairs, (len(words), len(words)))
    _within("members", members, (len(words) + len(pairs), len(scale)))
    _within("links", links, (len(scale), len(scale)))
    return FeatureSpace(words, pairs, pieces, idf, members, scale, links, link_idf)


def _within(name: str, numbers: NDArray[np.int64], ends: tuple[int, int]) -> None:
    if numbers.size and (numbers.min() < 0 or (numbers.max(axis=0) >= ends).any()):
        raise ValueError(f'"{name}" names what is not there')


def _numbers(arrays: Mapping[str, NDArray[Any]], name: str, dimensions: int) -> NDArray[np.float64]:
    numbers = arrays[name].astype(np.float64)
    if numbers.ndim != dimensions or not np.isfinite(numbers).all():
        raise ValueError(f'"{name}" is no plain list of numbers')
    return numbers


def _head(kind: str, topics: tuple[str, ...], arrays: Mapping[str, NDArray[Any]], columns: int) -> Head:
    column = arrays[f"{kind}_columns"].astype(np.int64)
    slope, offset, maybe, confident = (_numbers(arrays, f"{kind}_{name}", 1) for name in ("slope", "offset", "maybe", "confident"))
    if {len(column), len(slope), len(offset), len(maybe), len(confident)} != {len(topics)}:
        raise ValueError(f"{len(topics)} topics, but other numbers for a {kind}")
    if len(topics) and (column.min() < 0 or column.max() >= columns):
        raise ValueError(f"a {kind} column beyond the {columns} there are")
    return Head(
        column, slope, offset, dict(zip(topics, maybe.tolist(), strict=True)), dict(zip(topics, confident.tolist(), strict=True))
    )  # fmt: skip


def _blob(strings: tuple[str, ...]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(strings).encode("utf-8", "surrogatepass"), np.uint8)


def _strings(blob: NDArray[Any]) -> list[str]:
    return blob.tobytes().decode("utf-8", "surrogatepass").split("\n") if blob.size else []


# -- files --------------------------------------------------------------------------------------------


def _described(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {_WAY_OUT}") from None
    except ValueError:
        raise ModelError(f"{path}: is not JSON; {_WAY_OUT}") from None
    if not isinstance(described, dict) or described.get("kind") != KIND:
        raise ModelError(f"{path}: does not describe a topic model of this program; {_WAY_OUT}")
    if described.get("format") != FORMAT:
        raise ModelError(f"{path}: has format {described.get('format')!r}, this version reads {FORMAT}; {_WAY_OUT}")
    for key, kind in _FIELDS.items():
        if not isinstance(described.get(key), kind):
            raise ModelError(f'{path}: has no usable "{key}"; {_WAY_OUT}')
    return described


def read_npz(path: Path, sha256: str, way_out: str = _WAY_OUT) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file that has this hash; ``way_out`` ends the sentence on one that has not.

    Raises:
        ModelError: it cannot be read, has another hash, or holds anything but arrays of numbers.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {way_out}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{path}: is not the file that model.json vouches for (sha256 differs); {way_out}")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: is not a file of numbers ({error}); {way_out}") from None


def npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an .npz file: not compressed, so that loading is fast and no version of zlib changes the bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), array.getvalue())
    return buffer.getvalue()


def replace_file(path: Path, data: bytes) -> None:
    """Write a file so that it appears whole or not at all, also when the power fails."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
