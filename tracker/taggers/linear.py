"""The linear topic model without scikit-learn: features, scores, and the words behind a score.

in   texts made by ``features_text``; a directory with ``model.json`` and ``weights.npz``
out  calibrated scores per topic; ``explain``: the words that made one
refuses to know items, rules and training. Imports numpy, so it is itself imported only where there is something to score.
The features are those of scikit-learn's ``TfidfVectorizer`` (word 1-2-grams and char_wb 3-5-grams, sublinear, each block of
length 1); scores agree within 1e-6.
Surprising: character n-grams are cut once for each different token, not for each text, since char_wb never crosses a space;
that is what makes 500 abstracts cheap in plain Python.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracker.errors import ModelError

__all__ = [
    "FORMAT",
    "KIND",
    "MAX_BODY",
    "Block",
    "LinearModel",
    "explain",
    "explain_many",
    "features_text",
    "load",
    "save",
    "topic_scores",
]

FORMAT = 1  # of model.json and weights.npz; an unknown one is refused, never guessed at
KIND = "tracker-linear"
MAX_BODY = 20_000  # characters of a body that are read; abstracts have 1,300, and one that matters says so early
TITLE_TIMES = 3  # a word of the title says as much as several of the abstract
_CHAR_N = (3, 4, 5)
_TOKEN = re.compile(r"\w+(?:-\w+)*")
_MAX_CUTS = 30_000  # tokens whose n-grams are remembered, some 10 MB; 500 abstracts have 12,000
_MAX_TOKEN = 60  # characters; longer ones are encoded data, not words

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.intp]

# Words that carry grammar, not meaning. They score like all others, but as evidence they would tell a reader
# nothing.
_GRAMMAR = frozenset(
    "a about across after all also an and any are as at be because been before between both but by can "
    "could do does each for from has have how however if in into is it its may more most much must no not "
    "of on one only or other our over own several should show shows so some such than that the their them "
    "then there these they this those through thus to two under up upon us use used uses using via was we "
    "well were what when where whether which while who whose why will with within without would yet you "
    "your".split()
)


@dataclass(frozen=True, slots=True)
class Block:
    """One kind of feature: ``terms[i]`` has the inverse document frequency ``idf[i]`` and, per topic, ``weights[i, topic]``."""

    terms: Mapping[str, int]  # term -> row, 0 … n-1
    idf: Floats  # (n,)
    weights: Floats  # (n, topics)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """A model ready to score. ``probability = sigmoid(slope * decision + offset)``, per topic, in the order of ``topics``.

    ``maybe`` and ``confident`` are probabilities from which on a topic is shown at all, and shown as sure; a
    confident threshold above 1 says that training found none that keeps the promised precision.
    """

    name: str
    topics: tuple[str, ...]
    words: Block
    chars: Block
    bias: Floats  # (topics,)
    slope: Floats  # (topics,)
    offset: Floats  # (topics,)
    maybe: Mapping[str, float]
    confident: Mapping[str, float]
    about: Mapping[str, object] = field(default_factory=dict)  # what training says of itself: counts and scores
    cuts: dict[str, Ids] = field(default_factory=dict, repr=False, compare=False)  # notes: the n-grams of tokens met


def features_text(title: str, body: str) -> str:
    """Return the text that is learned and scored: lower-case tokens with single spaces, the title three times before the body.

    A token is letters, digits and underscores, with hyphens inside. Bodies are read up to ``MAX_BODY``
    characters.

    >>> features_text("Self-improving agents!", "They learn.")
    'self-improving agents self-improving agents self-improving agents they learn'
    """
    head = _tokens(title[:MAX_BODY])
    return " ".join(head * TITLE_TIMES + _tokens(body[:MAX_BODY]))


def topic_scores(texts: Sequence[str], model: LinearModel) -> NDArray[np.float32]:
    """Return one row per text, one column per topic (``model.topics`` order), each a calibrated probability in 0–1."""
    decisions = np.zeros((len(texts), len(model.topics)))
    for row, text in enumerate(texts):
        words, chars = _read(text, model)
        decisions[row] = model.bias + _decision(words, model.words) + _decision(chars, model.chars)
    probabilities = 1 / (1 + np.exp(-np.clip(decisions * model.slope + model.offset, -500, 500)))
    return probabilities.astype(np.float32)


def explain(text: str, topic: str, model: LinearModel, n: int = 5) -> list[tuple[str, float]]:
    """Return the at most ``n`` words and word pairs of a text that speak most for a topic, largest first, with their share of the decision.

    A word's share is that of its own feature and of the character n-grams in it; grammatical words are left
    out. Only when nothing speaks for the topic, the word that speaks least against it is returned, so that
    only a text without a word of meaning has no evidence.

    Raises:
        KeyError: the model does not know the topic.
    """
    return explain_many(text, [topic], model, n)[topic]


def explain_many(text: str, topics: Sequence[str], model: LinearModel, n: int = 5) -> dict[str, list[tuple[str, float]]]:
    """Return ``explain`` for several topics of one text, at little more than the cost of one."""
    unknown = [topic for topic in topics if topic not in model.topics]
    if unknown:
        raise KeyError(unknown[0])
    terms, shares = _shares(text, model, [model.topics.index(topic) for topic in topics])
    return {topic: _largest(terms, shares[:, column], n) for column, topic in enumerate(topics)}


# -- features: from texts to sparse rows --------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    return [token[:_MAX_TOKEN] for token in _TOKEN.findall(text.lower())]


def _slices(size: int) -> tuple[slice, ...]:
    """Return where char_wb cuts a padded token of this size; one shorter than n counts once, not once for each n."""
    cuts = [slice(start, start + n) for n in _CHAR_N if n < size for start in range(size - n + 1)]
    return tuple(cuts + [slice(0, size)] * (size <= _CHAR_N[-1]))


_SLICES = tuple(_slices(size) for size in range(_MAX_TOKEN + 3))


def _cut(token: str, model: LinearModel) -> Ids:
    """Return the known character features of " token ", from the model's notes where they are."""
    known = model.cuts.get(token)
    if known is None:
        if len(model.cuts) >= _MAX_CUTS:
            model.cuts.clear()
        padded = f" {token} "
        found = map(model.chars.terms.get, map(padded.__getitem__, _SLICES[len(padded)]))
        known = model.cuts[token] = np.array([i for i in found if i is not None], np.intp)
    return known


@dataclass(frozen=True, slots=True)
class _Features:
    """One block of one text: feature ``ids[i]``, in rising order, stands there ``times[i]`` times and has the TF-IDF ``values[i]``."""

    ids: Ids
    times: NDArray[np.float64]
    values: NDArray[np.float64]


def _read(text: str, model: LinearModel) -> tuple[_Features, _Features]:
    """Return the word features and the character features of a text."""
    word_ids = _word_ids(_words(text), model.words.terms)
    char_ids, times, _ = _occurrences(Counter(text.split()), model)
    return _tfidf(word_ids, np.ones(len(word_ids)), model.words), _tfidf(char_ids, times, model.chars)


def _occurrences(tokens: Mapping[str, int], model: LinearModel) -> tuple[Ids, NDArray[np.float64], Ids]:
    """Return the character features of each different token, how often that token stands in the text, and which one it is."""
    cuts = [_cut(token, model) for token in tokens]
    owners = np.repeat(np.arange(len(cuts)), np.array([len(cut) for cut in cuts], np.intp))
    times = np.fromiter(tokens.values(), np.float64, len(tokens))
    return np.concatenate([*cuts, np.zeros(0, np.intp)]), times[owners], owners


def _words(text: str) -> list[str]:
    """Return what scikit-learn's ``\\b\\w\\w+\\b`` finds in a text made of tokens."""
    return [word for word in text.replace("-", " ").split() if len(word) > 1]


def _word_ids(words: list[str], terms: Mapping[str, int]) -> Ids:
    find = terms.get
    pairs = [f"{first} {second}" for first, second in pairwise(words)]
    return np.array([i for term in words + pairs if (i := find(term)) is not None], np.intp)


def _tfidf(occurrences: Ids, weights: NDArray[np.float64], block: Block) -> _Features:
    # Of 16-bit numbers numpy's stable sort is a radix sort: 4 times faster here, and a count over all
    # features is slower than either.
    small = occurrences.astype(np.uint16) if len(block.idf) <= 1 << 16 else occurrences
    order = np.argsort(small, kind="stable")
    ordered = occurrences[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    ids = ordered[starts]
    times = np.add.reduceat(weights[order], starts) if len(ids) else np.zeros(0)
    values = (1.0 + np.log(times)) * block.idf[ids]
    return _Features(ids, times, values / (np.sqrt(values @ values) or 1.0))


def _decision(features: _Features, block: Block) -> Floats:
    # Values take the type of the weights, not the reverse: converting 700 rows of weights costs more than the product.
    decision: Floats = features.values.astype(block.weights.dtype) @ block.weights.take(features.ids, axis=0)
    return decision


# -- evidence -------------------------------------------------------------------------------------


def _shares(text: str, model: LinearModel, columns: list[int]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the readable terms of a text and their share of the decision on some topics (terms × columns)."""
    tokens = Counter(text.split())
    char_ids, times, owners = _occurrences(tokens, model)
    chars = _tfidf(char_ids, times, model.chars)
    # The value of a feature is shared out evenly among its occurrences.
    part = (chars.values / chars.times)[np.searchsorted(chars.ids, char_ids)] * times
    word_list = _words(text)
    word_ids = _word_ids(word_list, model.words.terms)
    words = _tfidf(word_ids, np.ones(len(word_ids)), model.words)
    row_of = {token: row for row, token in enumerate(tokens)}
    shown = _shown(word_list, [token for token in tokens if "-" in token], model.words.terms)
    rows = np.array([row_of.setdefault(shown[i], len(row_of)) for i in words.ids.tolist()], np.intp)
    shares = np.zeros((len(row_of), len(columns)))
    for j, column in enumerate(columns):
        shares[:, j] += np.bincount(owners, part * model.chars.weights[char_ids, column], len(row_of))
        shares[:, j] += np.bincount(rows, words.values * model.words.weights[words.ids, column], len(row_of))
    return list(row_of), shares


def _shown(words: list[str], hyphened_tokens: list[str], terms: Mapping[str, int]) -> dict[int, str]:
    """Return how each word feature is shown.

    A pair is shown as a pair, but "of memory" as "memory", and "self improving" as the hyphened token it came from.
    """
    hyphened = {token.replace("-", " "): token for token in hyphened_tokens}
    shown = {terms[word]: word for word in words if word in terms}
    for first, second in pairwise(words):
        pair = f"{first} {second}"
        if pair in terms:
            content = [word for word in (first, second) if word not in _GRAMMAR]
            shown[terms[pair]] = content[0] if len(content) == 1 else hyphened.get(pair, pair)
    return shown


def _largest(terms: list[str], shares: NDArray[np.float64], n: int) -> list[tuple[str, float]]:
    order = [i for i in np.argsort(-shares, kind="stable").tolist() if not _is_grammar(terms[i])]
    chosen = [i for i in order[:n] if shares[i] > 0] or order[:1]
    return [(terms[i], round(float(shares[i]), 4)) for i in chosen]


def _is_grammar(term: str) -> bool:
    return all(word in _GRAMMAR or word.isdigit() for word in term.split())


# -- files ----------------------------------------------------------------------------------------


def save(model: LinearModel, directory: Path) -> None:
    """Write a model as ``model.json`` and ``weights.npz``: plain numbers and terms, the same bytes for the same model.

    Weights are rounded to 16 bits, relative to the largest of their topic. ``weights.npz`` is written first
    and ``model.json``, which vouches for it, last; each appears whole or not at all.
    """
    arrays = {"bias": model.bias, "slope": model.slope, "offset": model.offset}
    for name, block in (("words", model.words), ("chars", model.chars)):
        scale = np.maximum(np.abs(block.weights).max(axis=0, initial=0.0), 1e-12) / 32_767
        arrays[f"{name}_terms"] = np.frombuffer("\n".join(block.terms).encode(), np.uint8)
        arrays[f"{name}_idf"] = block.idf.astype(np.float32)
        arrays[f"{name}_weights"] = np.rint(block.weights / scale).astype(np.int16)
        arrays[f"{name}_scale"] = scale.astype(np.float64)
    weights = _npz(arrays)
    digest = hashlib.sha256(weights).hexdigest()
    described = {
        "kind": KIND,
        "format": FORMAT,
        "name": f"topics-{digest[:8]}",
        "sha256": digest,
        "topics": list(model.topics),
        "maybe": dict(model.maybe),
        "confident": dict(model.confident),
        **model.about,
    }
    directory.mkdir(parents=True, exist_ok=True)
    _replace(directory / "weights.npz", weights)
    _replace(directory / "model.json", (json.dumps(described, indent=1, ensure_ascii=False) + "\n").encode())


def load(directory: str | Path) -> LinearModel:
    """Return the model in a directory.

    Raises:
        ModelError: a file is missing, damaged, not ours or of another version; the message names it.
    """
    described = _described(Path(directory) / "model.json")
    path = Path(directory) / "weights.npz"
    arrays = _arrays(path, str(described["sha256"]))
    topics = tuple(described["topics"])
    try:
        bias, slope, offset = (arrays[name].reshape(len(topics)) for name in ("bias", "slope", "offset"))
        return LinearModel(
            described["name"],
            topics,
            _block(arrays, "words", len(topics)),
            _block(arrays, "chars", len(topics)),
            bias,
            slope,
            offset,
            described["maybe"],
            described["confident"],
            {key: value for key, value in described.items() if key in ("trained", "scores")},
        )
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path}: does not hold what model.json promises ({error}); {_WAY_OUT}") from None


_WAY_OUT = "install the package again, or train one with `make model`"
_FIELDS = {"name": str, "sha256": str, "topics": list, "maybe": dict, "confident": dict}


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
    for key in ("maybe", "confident"):
        if not all(isinstance(topic, str) and isinstance(described[key].get(topic), int | float) for topic in described["topics"]):
            raise ModelError(f'{path}: "{key}" lacks a number for a topic; {_WAY_OUT}')
    return described


def _arrays(path: Path, sha256: str) -> dict[str, NDArray[Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); {_WAY_OUT}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(f"{path}: is not the file that model.json vouches for (sha256 differs); {_WAY_OUT}")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: is not a file of numbers ({error}); {_WAY_OUT}") from None


def _block(arrays: Mapping[str, NDArray[Any]], name: str, topics: int) -> Block:
    terms = arrays[f"{name}_terms"].tobytes().decode().split("\n")
    weights = arrays[f"{name}_weights"].astype(np.float32) * arrays[f"{name}_scale"].astype(np.float32)
    idf = arrays[f"{name}_idf"]
    if weights.shape != (len(terms), topics) or idf.shape != (len(terms),):
        raise ValueError(f"{name}: {len(terms)} terms, but weights of shape {weights.shape}")
    return Block(dict(zip(terms, range(len(terms)), strict=True)), idf, weights)


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an .npz file: not compressed, so that loading is fast and no version of zlib changes the bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.ascontiguousarray(arrays[name]), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0)), array.getvalue())
    return buffer.getvalue()


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
