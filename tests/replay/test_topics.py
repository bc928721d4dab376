"""The shipped topic model on real texts: equal to scikit-learn, decided by the words it shows, total, judged by `evaluate`."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from tests.replay.conftest import SHARED
from tracker import config
from tracker.cli import cli
from tracker.config import DEFAULTS
from tracker.examples import Example, read_labels
from tracker.taggers.features import LINKS, FeatureSpace, features_text
from tracker.taggers.linear import LinearModel, topic_scores
from tracker.taggers.stored_model import load
from tracker.taggers.topics import TopicTagger
from tracker.types import Item, Tag

LABELS = SHARED / "labels"


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return load(DEFAULTS / "model")


@pytest.fixture(scope="module")
def tagger(model: LinearModel) -> TopicTagger:
    return TopicTagger(config.load(config.shipped_file()).topics, model)


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """Every fourth labelled text: papers and news."""
    return [*read_labels(LABELS / "train.csv", SHARED / "corpus"), *read_labels(LABELS / "news_train.csv")][::4]


def item(example: Example) -> Item:
    return Item(1, example.key, "real", None, example.title, example.body)


def without(text: str, words: Sequence[str]) -> str:
    return re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", " ", text, flags=re.IGNORECASE)


def score(tags: list[Tag], topic: str) -> float:
    return next((tag.score for tag in tags if tag.topic == topic), 0.0)


def test_the_words_shown_decide(examples: list[Example], tagger: TopicTagger) -> None:
    dice = random.Random(5)
    shown, others, before = [], [], []
    for example, tags in zip(examples, tagger.tag([item(one) for one in examples]), strict=True):
        for tag in tags:
            words = [word for term, _ in tag.evidence for word in term.split()]
            left = sorted(set(re.findall(r"\w+", f"{example.title} {example.body}")) - {word.lower() for word in words})
            for group, found in ((words, shown), (dice.sample(left, min(len(words), len(left))), others)):
                less = Item(1, example.key, "real", None, without(example.title, group), without(example.body, group))
                found.append((less, tag.topic))
            before.append((tag.score, tag.tier))
    assert len(before) > 150
    falls = []
    for found in (shown, others):
        after = [score(tags, topic) for tags, (_, topic) in zip(tagger.tag([less for less, _ in found]), found, strict=True)]
        falls.append(np.array([old - new for (old, _), new in zip(before, after, strict=True)]))
    by_shown, by_others = falls
    assert (by_shown > 0).mean() >= 0.9, "removing the words shown flips or lowers the tag"
    gone = np.array([old - fall == 0 for (old, _), fall in zip(before, by_shown, strict=True)])
    assert gone.mean() >= 0.5, "most often it takes the tag away"
    assert by_shown.mean() > 3 * by_others.mean(), "as many other words matter far less"


def links(texts: Sequence[str], terms: Sequence[str], space: FeatureSpace) -> NDArray[np.float64]:
    """Two concepts in one sentence, counted the slow way."""
    concepts: dict[str, set[int]] = {}
    for term, concept in space.members.tolist():
        concepts.setdefault(terms[term], set()).add(concept)
    number = {tuple(pair): n for n, pair in enumerate(space.links.tolist())}
    table = np.zeros((len(texts), len(number)))
    for row, text in enumerate(texts):
        said = [(word, n) for n, line in enumerate(text.split("\n")) for word in re.findall(r"\b\w\w+\b", line)]
        meant: dict[int, set[int]] = {}
        for (word, n), (after, _) in zip(said, [*said[1:], ("", 0)], strict=True):
            meant.setdefault(n, set()).update(concepts.get(word, ()), concepts.get(f"{word} {after}", ()))
        found = Counter(number[pair] for line in meant.values() for pair in combinations(sorted(line), 2) if pair in number)
        for link, times in found.items():
            table[row, link] = np.log1p(times) * space.link_idf[link]
    return np.asarray(table * LINKS / np.maximum(np.sqrt((table**2).sum(axis=1, keepdims=True)), 1e-12))


def test_scores_are_those_of_scikit_learn_on_real_texts(examples: list[Example], model: LinearModel) -> None:
    from scipy.sparse import csr_matrix, hstack
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

    space = model.space
    terms = [*space.words, *(f"{space.words[a]} {space.words[b]}" for a, b in space.pairs.tolist())]
    common: dict[str, Any] = {"lowercase": False, "sublinear_tf": True}
    words = TfidfVectorizer(vocabulary=terms, ngram_range=(1, 2), **common)
    pieces = TfidfVectorizer(vocabulary=space.pieces, analyzer="char_wb", ngram_range=(3, 5), **common)
    words.idf_, pieces.idf_ = space.idf[: space.spoken], space.idf[space.spoken :]
    texts = [features_text(example.title, example.body) for example in examples]
    counts = CountVectorizer(vocabulary=terms, ngram_range=(1, 2), lowercase=False).transform(texts)
    members = csr_matrix((np.ones(len(space.members)), space.members.T), shape=(space.spoken, len(space.scale)))
    concepts = np.log1p((counts @ members).toarray()) * space.scale
    matrix = hstack([words.transform(texts), pieces.transform(texts), concepts, links(texts, terms, model.space)]).tocsr()
    decided = matrix @ model.weights.astype(np.float64) + model.bias
    for kind, head in model.heads.items():
        expected = 1 / (1 + np.exp(-(decided[:, head.columns] * head.slope + head.offset)))
        assert np.abs(topic_scores(texts, [kind] * len(texts), model) - expected).max() < 1e-6


def test_no_damage_to_a_text_is_an_error(examples: list[Example], tagger: TopicTagger) -> None:
    dice = random.Random(6)
    found = [example for example in examples if example.topics and len(example.body) > 200][:12]
    long = " ".join(example.body for example in found)
    bodies = [
        "", " ", long * (1_000_000 // len(long) + 1), "x" * 1_000_000, "\x00\x1b\ud800\u202e" * 500, "agent " * 200_000,
        "Ein Agent, der aus eigener Erfahrung lernt, merkt sich, was er tat, und wird besser.",
        "一个从自身经验中学习并不断自我改进的智能体，具有长期记忆。", "وكيل يتعلم من تجربته الخاصة ويحسن نفسه",
        "агент, который учится на своём опыте",
    ]  # fmt: skip
    for example in found:
        text = example.body
        bodies += [text.upper(), "\x07".join(text), text.replace(" ", "\u200b"), "".join(dice.sample(text, len(text))), text.encode().hex()]
        bodies.append("".join(c if dice.random() < 0.9 else chr(dice.randrange(0x110000)) for c in text))
    for key in ("arxiv:2501.00001", "url:https://example.org/a", "hash:x:y"):
        items = [Item(n, key, "odd", None, dice.choice(["", body[:60], "\x00"]), body) for n, body in enumerate(bodies)]
        for tags in tagger.tag(items):
            assert all(tag.evidence and 0 <= tag.score <= 1 and tag.tier in ("maybe", "confident") for tag in tags)


def test_evaluate_judges_the_shipped_model_on_the_label_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: LinearModel) -> None:
    monkeypatch.chdir(tmp_path)
    files = [f"--labels={LABELS / name}" for name in ("train.csv", "news_train.csv")]
    result = CliRunner().invoke(cli, ["evaluate", *files, f"--texts={SHARED / 'corpus'}", "--rows=rows.csv"])
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["model"], told["from"]) == (model.name, "shipped")
    assert told["rows"] == {"paper": 2339, "news": 605}
    assert told["learned_from"] > 400, "these rows have taught it, and that is said"
    for kind in ("paper", "news"):
        assert tuple(told["kinds"][kind]) == model.topics
        assert told["overall"][kind]["topics"] == len(model.topics)
    assert told["daily_top"]["days"] > 100
    assert len((tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()) > 2944
