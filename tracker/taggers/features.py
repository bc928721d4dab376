"""From texts to sparse rows of numbers: what the topic model counts in a text.

in   texts made by ``features_text``
out  ``Rows``: per text the features that stand in it, with their values; ``Owned``: which word of the text each value comes from
refuses to know weights, topics and files. Imports numpy, so it is itself imported only where there is something to score.
Words, pairs of words and pieces of words have the values of scikit-learn's ``TfidfVectorizer`` (word 1-2-grams and char_wb 3-5-grams,
sublinear, words and pieces each of length 1). A concept is a group of words and pairs ("self-improv*", "evolv* agent*"); its value
grows with the logarithm of how often any of them stands in the text. A link is two concepts in one sentence: that an agent is meant,
that experience is meant, and that both are said in one breath, are three things.
Surprising: nothing loops over a text in Python but the split into tokens. A token is looked up once, its pieces by a 64-bit hash
of their letters, and all counting is one sort of numbers for a whole chunk of texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHUNK", "MAX_BODY", "FeatureSpace", "Rows", "features_text"]

MAX_BODY = 20_000  # characters of a body that are read; abstracts have 1,300, and one that matters says so early
LINKS = 0.4  # length of the links of a text, beside 1 of its words; measured: docs/model.md
TITLE_TIMES = 3  # a word of the title says as much as several of the abstract
PIECES = (3, 4, 5)  # letters in a piece, with the spaces around a token
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+")
_TOKEN = re.compile(r"\w+(?:-\w+)*")
_MAX_TOKEN = 60  # characters; longer ones are encoded data, not words
_MAX_KNOWN = 60_000  # tokens that are remembered, some 10 MB; 500 abstracts have 12,000
CHUNK = 32  # texts counted at once: what their occurrences take, 1 MB, stays in the cache
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no letter of a piece gets lost in the product

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def features_text(title: str, body: str) -> str:
    """Return the text that is learned and scored: lower-case tokens, a line for each sentence, the title three times before the body.

    A token is letters, digits and underscores, with hyphens inside. Bodies are read up to ``MAX_BODY``
    characters.

    >>> features_text("Self-improving agents!", "They learn. They act.").splitlines()
    ['self-improving agents', 'self-improving agents', 'self-improving agents', 'they learn', 'they act']
    """
    sentences = [_tokens(title[:MAX_BODY])] * TITLE_TIMES + [_tokens(sentence) for sentence in _SENTENCE.split(body[:MAX_BODY])]
    return "\n".join(" ".join(sentence) for sentence in sentences if sentence)


def _tokens(text: str) -> list[str]:
    return [token[:_MAX_TOKEN] for token in _TOKEN.findall(text.lower())]


@dataclass(frozen=True, slots=True)
class Rows:
    """Sparse rows: row i has the features ``ids[starts[i]:starts[i + 1]]``, in rising order, with as many ``values``."""

    starts: Ints  # (rows + 1,)
    ids: Ints
    values: NDArray[np.float64]


class FeatureSpace:
    """Everything that is counted, numbered: words, then pairs of words, then pieces, then concepts.

    Args:
        words: single words, each of two letters or more.
        pairs: (pairs, 2), the numbers of the words of each pair.
        pieces: runs of three to five letters within a token with a space on both sides.
        idf: (words + pairs + pieces,), inverse document frequencies.
        members: (memberships, 2): a word or pair by its number, and the number of the concept it belongs to, from 0.
        scale: (concepts,), by which the logarithm of a concept's count is multiplied.
        links: (links, 2), two concepts each, the smaller number first.
        link_idf: (links,), inverse document frequencies.
    """

    def __init__(
        self, words: Sequence[str], pairs: NDArray[Any], pieces: Sequence[str], idf: Floats,
        members: NDArray[Any], scale: Floats, links: NDArray[Any], link_idf: Floats,
    ) -> None:  # fmt: skip
        self.words, self.pairs, self.pieces = tuple(words), np.asarray(pairs, np.int64).reshape(-1, 2), tuple(pieces)
        self.idf, self.scale = np.asarray(idf, np.float64), np.asarray(scale, np.float64)
        self.members = np.asarray(members, np.int64).reshape(-1, 2)
        self._word_of = dict(zip(self.words, range(len(self.words)), strict=True))
        self.spoken = len(self.words) + len(self.pairs)  # features that are words or pairs
        self.counted = self.spoken + len(self.pieces)
        self.links, self.link_idf = np.asarray(links, np.int64).reshape(-1, 2), np.asarray(link_idf, np.float64)
        self.grouped = self.counted + len(self.scale)  # features before the links
        self.size = self.grouped + len(self.links)
        if len(self.idf) != self.counted or len(self.link_idf) != len(self.links):
            raise ValueError(f"{self.counted} words, pairs and pieces with {len(self.idf)} frequencies")
        self._pair_keys, self._pair_ids = _sorted(self.pairs[:, 0] * len(self.words) + self.pairs[:, 1])
        self._piece_keys, self._piece_ids = _sorted(_piece_keys(self.pieces))
        order = np.argsort(self.members[:, 0], kind="stable")
        self._concepts = self.members[order, 1]
        self._concept_starts = np.searchsorted(self.members[order, 0], np.arange(self.spoken + 1))
        self._link_of = np.full((len(self.scale), len(self.scale)), -1, np.int64)
        self._link_of[self.links[:, 0], self.links[:, 1]] = np.arange(len(self.links))
        self._forget()

    def rows(self, texts: Sequence[str]) -> Rows:
        """Return one row per text. A row does not depend on the others."""
        parts = [self._chunk(texts[start : start + CHUNK]) for start in range(0, len(texts), CHUNK)]
        sizes = [np.diff(part.starts) for part in parts]
        starts = np.concatenate([[0], *sizes]).cumsum().astype(np.int64)
        return Rows(starts, _joined([part.ids for part in parts], np.int64), _joined([part.values for part in parts], np.float64))

    def owned(self, text: str) -> Owned:
        """Return which words of a text the values of its row come from. The parts of a feature add up to its value.

        The value of a piece is shared by the tokens that it is cut from, that of a concept by the words that stand for
        it, that of a link by the words at its two ends.
        """
        row = self._chunk([text])
        lines = [line.split() for line in text.split("\n")]
        tokens = list(chain.from_iterable(lines))
        distinct = list(dict.fromkeys(tokens))
        token_of = dict(zip(distinct, range(len(distinct)), strict=True))
        numbers = self._numbers(lines)
        words, at = self._spread(numbers, self._word_starts, self._words)
        pairs, first = self._paired(words)
        known = np.flatnonzero(words >= 0)
        ids = np.concatenate([words[known], pairs])
        told = np.searchsorted(row.ids, ids) + len(distinct)
        pieces, cut_from = self._spread(numbers, self._piece_starts, self._cuts)
        which = np.fromiter(map(token_of.__getitem__, tokens), np.int64, len(tokens))
        concepts, member = self._spread(ids, self._concept_starts, self._concepts)
        line_of = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
        sentence = line_of[at[np.concatenate([known, first])]][member]
        linked, one, two = self._linked(sentence, concepts)
        owner = np.concatenate([told, which[cut_from], told[member], told[member[one]], told[member[two]]])
        feature = np.concatenate([ids, pieces + self.spoken, concepts + self.counted, linked, linked])
        at_row = np.searchsorted(row.ids, feature)
        times = np.bincount(at_row, minlength=len(row.ids))
        hyphened = tuple(token for token in distinct if "-" in token)
        owners = len(distinct) + int(np.searchsorted(row.ids, self.spoken))
        return Owned(owner, feature, (row.values / np.maximum(times, 1))[at_row], owners, self, row.ids, distinct, hyphened)

    # -- tokens: looked up once ----------------------------------------------------------------------

    def _forget(self) -> None:
        self._number_of: dict[str, int] = {}
        self._words, self._word_starts = np.zeros(0, np.int64), np.zeros(1, np.int64)
        self._cuts, self._piece_starts = np.zeros(0, np.int64), np.zeros(1, np.int64)

    def _numbers(self, texts: Sequence[list[str]]) -> Ints:
        """Return the number of each token; first look up the tokens that were never met."""
        met = self._number_of
        new = list(dict.fromkeys(token for token in chain.from_iterable(texts) if token not in met))
        if new:
            if len(met) + len(new) > _MAX_KNOWN and met:
                self._forget()
                return self._numbers(texts)
            self._learn(new)
        return np.fromiter(map(self._number_of.__getitem__, chain.from_iterable(texts)), np.int64)

    def _learn(self, tokens: list[str]) -> None:
        find, known = self._word_of.get, len(self._number_of)
        words = [[find(word, -1) for word in token.split("-") if len(word) > 1] for token in tokens]
        sizes = np.fromiter(map(len, words), np.int64, len(words))
        self._words = np.concatenate([self._words, np.fromiter(chain.from_iterable(words), np.int64)])
        self._word_starts = np.concatenate([self._word_starts, self._word_starts[-1] + sizes.cumsum()])
        cuts, sizes = self._cut(tokens)
        self._cuts = np.concatenate([self._cuts, cuts])
        self._piece_starts = np.concatenate([self._piece_starts, self._piece_starts[-1] + sizes.cumsum()])
        self._number_of.update(zip(tokens, range(known, known + len(tokens)), strict=True))

    def _cut(self, tokens: list[str]) -> tuple[Ints, Ints]:
        """Return the known pieces of tokens, one token after the other, and how many each has."""
        sizes = np.fromiter(map(len, tokens), np.int64, len(tokens)) + 2
        letters = _letters("".join(f" {token} " for token in tokens))
        owner = np.repeat(np.arange(len(tokens)), sizes)
        left = sizes.cumsum()[owner] - np.arange(len(letters))  # letters from here to the end of the token
        found, owners = [], []
        for n in PIECES:
            starts = np.flatnonzero(left >= n)
            ids, at = _look_up(_hashed(letters, starts, n), self._piece_keys, self._piece_ids)
            found.append(ids)
            owners.append(owner[starts[at]])
        ids, of = np.concatenate(found), np.concatenate(owners)
        order = np.argsort(of, kind="stable")
        return ids[order], np.bincount(of, minlength=len(tokens))

    @staticmethod
    def _spread(numbers: Ints, starts: Ints, flat: Ints) -> tuple[Ints, Ints]:
        """Return what belongs to each number, one after the other, and the positions in ``numbers`` that it belongs to."""
        first, sizes = starts[numbers], starts[numbers + 1] - starts[numbers]
        at = np.repeat(np.arange(len(numbers)), sizes)
        inside = np.arange(len(at)) - (sizes.cumsum() - sizes)[at]
        return flat[first[at] + inside], at

    # -- counting ------------------------------------------------------------------------------------

    def _chunk(self, texts: Sequence[str]) -> Rows:
        lines = [[line.split() for line in text.split("\n")] for text in texts]
        sentences = list(chain.from_iterable(lines))
        numbers = self._numbers(sentences)
        sentence_of = np.repeat(np.arange(len(sentences)), np.fromiter(map(len, sentences), np.int64, len(sentences)))
        text_of = np.repeat(np.arange(len(texts)), np.fromiter(map(len, lines), np.int64, len(lines)))  # of a sentence
        words, at = self._spread(numbers, self._word_starts, self._words)
        word_sentence = sentence_of[at]
        pairs, first = self._paired(words)
        same = text_of[word_sentence[first]] == text_of[word_sentence[first + 1]]
        pieces, cut_from = self._spread(numbers, self._piece_starts, self._cuts)
        known = np.flatnonzero(words >= 0)
        spoken, spoken_in = np.concatenate([words[known], pairs[same]]), word_sentence[np.concatenate([known, first[same]])]
        occurrences = (text_of[spoken_in] * self.size + spoken, text_of[sentence_of[cut_from]] * self.size + pieces + self.spoken)
        of, ids, times = self._counted(np.concatenate(occurrences))
        concepts, member = self._spread(spoken, self._concept_starts, self._concepts)
        concept_of, concept_ids, concept_times = self._counted(text_of[spoken_in[member]] * self.size + concepts + self.counted)
        linked, one, _ = self._linked(spoken_in[member], concepts)
        link_of, link_ids, link_times = self._counted(text_of[spoken_in[member[one]]] * self.size + linked)
        values = (
            self._weighed(of, ids, times, len(texts)),
            np.log1p(concept_times) * self.scale[concept_ids - self.counted],
            _of_length(LINKS, np.log1p(link_times) * self.link_idf[link_ids - self.grouped], link_of, len(texts)),
        )
        of = np.concatenate([of, concept_of, link_of])
        order = np.argsort(of, kind="stable")
        starts = np.concatenate([[0], np.bincount(of, minlength=len(texts)).cumsum()])
        return Rows(starts, np.concatenate([ids, concept_ids, link_ids])[order], np.concatenate(values)[order])

    def _counted(self, occurrences: Ints) -> tuple[Ints, Ints, Ints]:
        """Return text, feature and how often, for occurrences numbered text * size + feature; in rising order."""
        # 32 bits number 32 texts times 67 million features, and sort twice as fast as 64.
        keys = np.sort(occurrences.astype(np.int32 if self.size < 1 << 26 else np.int64))
        changes = np.ones(len(keys), bool)
        np.not_equal(keys[1:], keys[:-1], out=changes[1:])
        at_first = np.flatnonzero(changes)
        of, ids = np.divmod(keys[at_first].astype(np.int64), max(self.size, 1))
        return of, ids, np.diff(at_first, append=len(keys))

    def _linked(self, sentence: Ints, concepts: Ints) -> tuple[Ints, Ints, Ints]:
        """Return each link of each sentence once, as a feature, with the positions of its two concepts in ``concepts``."""
        _, first = np.unique(sentence * max(len(self.scale), 1) + concepts, return_index=True)
        sentence, concepts = sentence[first], concepts[first]
        sizes = np.bincount(sentence)
        last = sizes.cumsum()[sentence]  # beyond the last concept of the same sentence
        partners = last - np.arange(len(sentence)) - 1
        one = np.repeat(np.arange(len(sentence)), partners)
        two = one + 1 + np.arange(len(one)) - (partners.cumsum() - partners)[one]
        links = self._link_of[concepts[one], concepts[two]]
        there = links >= 0
        return links[there] + self.grouped, first[one[there]], first[two[there]]

    def _paired(self, words: Ints) -> tuple[Ints, Ints]:
        """Return the known pairs in a sequence of words, and where each begins."""
        both = np.flatnonzero((words[:-1] >= 0) & (words[1:] >= 0))
        ids, at = _look_up(words[both] * len(self.words) + words[both + 1], self._pair_keys, self._pair_ids)
        return ids + len(self.words), both[at]

    def _weighed(self, of: Ints, ids: Ints, times: Ints, texts: int) -> NDArray[np.float64]:
        """Return TF-IDF values, words with pairs and pieces each scaled to length 1 in their text."""
        values = (1.0 + np.log(times)) * self.idf[ids]
        return _of_length(1.0, values, of * 2 + (ids >= self.spoken), 2 * texts)


@dataclass(frozen=True, slots=True)
class Owned:
    """Which words of a text the values of its row come from: three arrays of one length, and the names of the owners.

    Owners are numbered: first the tokens of the text, then the words and pairs of its row. A word has a name as a
    token and as a feature; who shows them adds them up by name.
    """

    owner: Ints
    feature: Ints
    part: NDArray[np.float64]
    owners: int
    _space: FeatureSpace
    _ids: Ints
    _tokens: list[str]
    _hyphened: tuple[str, ...]

    def name(self, owner: int) -> str:
        """Return how an owner stands in the text: "self-improving" where a hyphen joins the pair."""
        if owner < len(self._tokens):
            return self._tokens[owner]
        words = self._space.words
        number = int(self._ids[owner - len(self._tokens)])
        if number < len(words):
            return words[number]
        one, two = (words[i] for i in self._space.pairs[number - len(words)].tolist())
        joined = f"{one}-{two}"
        return joined if any(joined in token for token in self._hyphened) else f"{one} {two}"


def _of_length(length: float, values: NDArray[np.float64], block: Ints, blocks: int) -> NDArray[np.float64]:
    lengths = np.sqrt(np.bincount(block, values * values, blocks))
    return np.asarray(values * length / lengths[block])


# -- letters and look-ups ----------------------------------------------------------------------------


def _letters(text: str) -> NDArray[np.uint64]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def _hashed(letters: NDArray[np.uint64], starts: Ints, n: int) -> Ints:
    """Return a number for each run of ``n`` letters: equal for equal runs, different for others but for one in 2**64."""
    total = np.full(len(starts), n, np.uint64)
    for k in range(n):
        total = (total ^ letters[starts + k]) * _FACTOR
        total ^= total >> np.uint64(29)
    return total.view(np.int64)


def _piece_keys(pieces: Iterable[str]) -> Ints:
    pieces = list(pieces)
    sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
    letters, begins = _letters("".join(pieces)), sizes.cumsum() - sizes
    keys = np.zeros(len(pieces), np.int64)
    for n in PIECES:
        of_size = np.flatnonzero(sizes == n)
        keys[of_size] = _hashed(letters, begins[of_size], n)
    return keys


def _sorted(keys: Ints) -> tuple[Ints, Ints]:
    order = np.argsort(keys)
    return keys[order], order


def _look_up(wanted: Ints, keys: Ints, ids: Ints) -> tuple[Ints, Ints]:
    """Return the ids of those keys that are known, and their positions in ``wanted``."""
    if not len(keys):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    hit = np.flatnonzero(keys[at] == wanted)
    return ids[at[hit]], hit


def _joined(arrays: Sequence[NDArray[Any]], dtype: type) -> NDArray[Any]:
    return np.concatenate([*arrays, np.zeros(0, dtype)]).astype(dtype)
