"""The linear topic model without scikit-learn: features, scores, and the words behind a score.

in   texts made by ``features_text``; a directory with ``model.json`` and ``weights.npz``
out  calibrated scores per topic; ``explain``: the words that made one
refuses to know items, rules, training and files of texts. Imports numpy, so it is itself imported only where there is something to score.
The features are those of scikit-learn's ``TfidfVectorizer`` (word 1-2-grams and char_wb 3-5-grams, sublinear, each block of length 1); scores
agree within 1e-6. Surprising: character n-grams are cut once for each different word of a batch, not once for each text, since char_wb never
crosses a space; that is what makes 500 abstracts cheap in plain Python.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
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
TITLE_TIMES = 3  # measured on papers read by people: 3 beats 1, 2 and 5
_CHUNK = 64  # texts at a time: bounds memory to some 20 MB of n-grams
_CHAR_N = (3, 4, 5)
_TOKEN = re.compile(r"\w+(?:-\w+)*")
_WORD = re.compile(r"\w\w+")
_MAX_TOKEN = 60  # characters; longer ones are encoded data, not words

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

# Words that carry grammar, not meaning. They score like all others, but as evidence they would tell a reader nothing.
_GRAMMAR = frozenset(
    "a about across after all also an and any are as at be because been before between both but by can could do does each for from has have how "
    "however if in into is it its may more most much must no not of on one only or other our over own several should show shows so some such than "
    "that the their them then there these they this those through thus to two under up upon us use used uses using via was we well were what when "
    "where whether which while who whose why will with within without would yet you your".split()
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

    ``maybe`` and ``confident`` are probabilities from which on a topic is shown at all, and shown as sure; a confident threshold above 1 says that
    training found none that keeps the promised precision.
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


def features_text(title: str, body: str) -> str:
    """Return the text that is learned and scored: lower-case tokens with single spaces, the title three times before the body.

    A token is letters, digits and underscores, with hyphens inside. Bodies are read up to ``MAX_BODY`` characters.

    >>> features_text("Self-improving agents!", "They learn.")
    'self-improving agents self-improving agents self-improving agents they learn'
    """
    head = _tokens(title[:MAX_BODY])
    return " ".join(head * TITLE_TIMES + _tokens(body[:MAX_BODY]))


def topic_scores(texts: Sequence[str], model: LinearModel) -> NDArray[np.float32]:
    """Return one row per text, one column per topic (``model.topics`` order), each a calibrated probability in 0–1."""
    rows = [_probability(_decisions(chunk, model), model) for chunk in _chunks(texts)]
    return np.concatenate(rows).astype(np.float32) if rows else np.zeros((0, len(model.topics)), np.float32)


def explain(text: str, topic: str, model: LinearModel, n: int = 5) -> list[tuple[str, float]]:
    """Return the at most ``n`` words and word pairs of a text that speak most for a topic, largest first, with their share of the decision.

    A word's share is that of its own feature and of the character n-grams in it; grammatical words are left out. Only when nothing speaks for the
    topic, the word that speaks least against it is returned, so that only a text without any known word has no evidence.

    Raises:
        KeyError: the model does not know the topic.
    """
    return explain_many(text, [topic], model, n)[topic]


def explain_many(text: str, topics: Sequence[str], model: LinearModel, n: int = 5) -> dict[str, list[tuple[str, float]]]:
    """Return ``explain`` for several topics of one text, at little more than the cost of one."""
    columns = {topic: model.topics.index(topic) for topic in topics if topic in model.topics}
    if len(columns) < len(topics):
        raise KeyError(next(topic for topic in topics if topic not in columns))
    terms, shares = _shares(text, model)
    return {topic: _largest(terms, shares[:, column], n) for topic, column in columns.items()}


# -- features: from texts to sparse rows --------------------------------------------------------------


def _tokens(text: str) -> list[str]:
    return [token[:_MAX_TOKEN] for token in _TOKEN.findall(text.lower())]


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _CHUNK):
        yield texts[start : start + _CHUNK]


def _char_ngrams(token: str) -> Iterator[str]:
    """Yield what char_wb makes of one token: n-grams of " token "; a token shorter than n counts once, not once for each n."""
    padded = f" {token} "
    size = len(padded)
    for n in _CHAR_N:
        if size <= n:
            yield padded
            return
        for start in range(size - n + 1):
            yield padded[start : start + n]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Feature occurrences of some texts. ``*_rows[i]`` is the text, ``*_ids[i]`` the feature; for characters also the token they lie in."""

    size: int
    tokens: list[str]  # the different tokens of the chunk
    word_rows: Ints
    word_ids: Ints
    char_rows: Ints
    char_ids: Ints
    char_tokens: Ints


def _read(texts: Sequence[str], model: LinearModel) -> _Chunk:
    index: dict[str, int] = {}
    token_rows: list[int] = []
    token_ids: list[int] = []
    word_rows: list[int] = []
    word_ids: list[int] = []
    for row, text in enumerate(texts):
        ids = [index.setdefault(token, len(index)) for token in text.split(" ") if token]
        token_ids += ids
        token_rows += [row] * len(ids)
        found = list(_word_ids(_WORD.findall(text), model.words.terms))
        word_ids += found
        word_rows += [row] * len(found)
    tokens = list(index)
    rows, ids_of_tokens = np.array(token_rows, np.int64), np.array(token_ids, np.int64)
    char_ids, positions = _char_ids(tokens, ids_of_tokens, model.chars.terms)
    return _Chunk(
        len(texts),
        tokens,
        np.array(word_rows, np.int64),
        np.array(word_ids, np.int64),
        rows[positions],
        char_ids,
        ids_of_tokens[positions],
    )


def _word_ids(words: list[str], terms: Mapping[str, int]) -> Iterator[int]:
    yield from (terms[word] for word in words if word in terms)
    yield from (terms[pair] for pair in map(" ".join, pairwise(words)) if pair in terms)


def _char_ids(tokens: list[str], occurrences: Ints, terms: Mapping[str, int]) -> tuple[Ints, Ints]:
    """Return the character features of all token occurrences, one after the other, and for each the position of its occurrence."""
    flat: list[int] = []
    lengths: list[int] = []
    for token in tokens:
        before = len(flat)
        flat += [terms[gram] for gram in _char_ngrams(token) if gram in terms]
        lengths.append(len(flat) - before)
    length_of = np.array(lengths, np.int64)
    start_of = np.cumsum(length_of) - length_of
    counts = length_of[occurrences]
    positions = np.repeat(np.arange(len(occurrences), dtype=np.int64), counts)
    within = np.arange(len(positions), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.array(flat, np.int64)[start_of[occurrences][positions] + within], positions


@dataclass(frozen=True, slots=True)
class _Sparse:
    """TF-IDF values of one block: ``values[i]`` is feature ``ids[i]`` of text ``rows[i]``; rows have length 1. ``times`` counts it there."""

    rows: Ints
    ids: Ints
    values: NDArray[np.float64]
    times: Ints


def _tfidf(rows: Ints, ids: Ints, size: int, block: Block) -> _Sparse:
    width = max(len(block.idf), 1)
    keys, times = np.unique(rows * width + ids, return_counts=True)
    rows, ids = keys // width, keys % width
    values = (1.0 + np.log(times)) * block.idf[ids].astype(np.float64)
    lengths = np.sqrt(np.bincount(rows, values * values, minlength=size))
    return _Sparse(rows, ids, values / lengths[rows], times)


# -- scores ---------------------------------------------------------------------------------------


def _decisions(texts: Sequence[str], model: LinearModel) -> NDArray[np.float64]:
    chunk = _read(texts, model)
    return (
        model.bias.astype(np.float64)
        + _block_decisions(_tfidf(chunk.word_rows, chunk.word_ids, chunk.size, model.words), chunk.size, model.words)
        + _block_decisions(_tfidf(chunk.char_rows, chunk.char_ids, chunk.size, model.chars), chunk.size, model.chars)
    )


def _block_decisions(sparse: _Sparse, size: int, block: Block) -> NDArray[np.float64]:
    """Return texts × topics. Rows are sorted, so each text is one run, and one small matrix product."""
    sums = np.zeros((size, block.weights.shape[1]))
    ends = np.searchsorted(sparse.rows, np.arange(size + 1))
    for row in range(size):
        run = slice(ends[row], ends[row + 1])
        sums[row] = sparse.values[run] @ block.weights[sparse.ids[run]]
    return sums


def _probability(decisions: NDArray[np.float64], model: LinearModel) -> NDArray[np.float64]:
    return 1.0 / (1.0 + np.exp(-np.clip(decisions * model.slope + model.offset, -500, 500)))


# -- evidence -------------------------------------------------------------------------------------


def _shares(text: str, model: LinearModel) -> tuple[list[str], NDArray[np.float64]]:
    """Return the readable terms of a text and their share of each topic's decision (terms × topics)."""
    chunk = _read([text], model)
    words = _tfidf(chunk.word_rows, chunk.word_ids, 1, model.words)
    chars = _tfidf(chunk.char_rows, chunk.char_ids, 1, model.chars)
    word_shares = words.values[:, None] * model.words.weights[words.ids]
    # A character feature counts once in the sum, however often it occurs: each occurrence has its part, and each token the sum of its parts.
    at = np.searchsorted(chars.ids, chunk.char_ids)
    part = (chars.values / chars.times)[at, None] * model.chars.weights[chunk.char_ids]
    token_shares = np.zeros((len(chunk.tokens), len(model.topics)))
    np.add.at(token_shares, chunk.char_tokens, part)
    return _collect(_words_found(text, model.words.terms), words, word_shares, chunk.tokens, token_shares)


def _words_found(text: str, terms: Mapping[str, int]) -> dict[int, str]:
    words = _WORD.findall(text)
    pairs = map(" ".join, pairwise(words))
    return {terms[term]: term for term in (*words, *pairs) if term in terms}


def _collect(
    found: Mapping[int, str], words: _Sparse, word_shares: NDArray[np.float64], tokens: list[str], token_shares: NDArray[np.float64]
) -> tuple[list[str], NDArray[np.float64]]:
    """Add the shares of word features to those of the tokens they stand in; a pair of two words with meaning stands for itself."""
    sums = {token: share.copy() for token, share in zip(tokens, token_shares, strict=True)}
    hyphened = {token.replace("-", " "): token for token in tokens if "-" in token}
    for feature, share in zip(words.ids.tolist(), word_shares, strict=True):
        name = _shown(found[feature])
        name = hyphened.get(name, name)
        sums[name] = sums[name] + share if name in sums else share
    terms = [term for term in sums if not _is_grammar(term)] or list(sums)
    return terms, np.array([sums[term] for term in terms]).reshape(len(terms), token_shares.shape[1])


def _shown(term: str) -> str:
    """Return how a feature is shown: the pair "of memory" as "memory"."""
    content = [word for word in term.split() if word not in _GRAMMAR]
    return content[0] if len(content) == 1 else term


def _is_grammar(term: str) -> bool:
    return all(word in _GRAMMAR or word.isdigit() for word in term.split())


def _largest(terms: list[str], shares: NDArray[np.float64], n: int) -> list[tuple[str, float]]:
    order = sorted(range(len(terms)), key=lambda i: (-shares[i], terms[i]))
    best = [(terms[i], round(float(shares[i]), 4)) for i in order[:n] if shares[i] > 0]
    return best or [(terms[i], round(float(shares[i]), 4)) for i in order[:1]]


# -- files ----------------------------------------------------------------------------------------


def save(model: LinearModel, directory: Path) -> None:
    """Write a model as ``model.json`` and ``weights.npz``: plain numbers and terms, the same bytes for the same model.

    Weights are rounded to 16 bits, relative to the largest of their topic. ``weights.npz`` is written first and ``model.json``, which vouches for
    it, last; each appears whole or not at all.
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
        if not all(isinstance(described[key].get(topic), int | float) for topic in described["topics"]):
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
    except (ValueError, OSError, zipfile.BadZipFile, AttributeError) as error:
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
