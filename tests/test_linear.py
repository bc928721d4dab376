"""The linear model: equal to scikit-learn, readable evidence, files that are checked. All texts here are made up by us."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tracker.config import DEFAULTS
from tracker.errors import ModelError
from tracker.taggers import linear
from tracker.taggers.linear import Block, LinearModel, explain, features_text, load, save, topic_scores
from tracker.train import Example, build, fit, folds, main, read_papers, table

WORDS = {
    "memory": "memory recall store session remember notes forget episodic long-term retrieval".split(),
    "skills": "skill prompt harness workflow tool-making optimise library evolve search tune".split(),
    "": "image protein bandit graph federated video speech kernel routing climate molecule".split(),
}
FILLER = "we the of a study with results on large data and show how models learn from it in two steps".split()


def examples(n: int = 120, seed: int = 7) -> list[Example]:
    """Made-up texts on two topics and on none, over twelve months."""
    dice = random.Random(seed)
    kinds = list(WORDS)
    made = []
    for i in range(n):
        topic = kinds[i % 3]
        words = [dice.choice(WORDS[topic] if dice.random() < 0.3 else FILLER) for _ in range(40)]
        month = f"2025-{i * 12 // n + 1:02}"
        kind = "news" if i % 5 == 0 else "paper"
        made.append(Example(kind, f"{i:04}", " ".join(words[:5]).title(), " ".join(words), month, frozenset({topic} - {""})))
    return made


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return fit(examples())


def test_features_text_repeats_the_title_and_keeps_hyphens() -> None:
    assert features_text("Long-Term memory?", "It's\n\x00 here…") == " ".join(["long-term memory"] * 3) + " it s here"
    assert features_text("", "") == ""
    assert len(features_text("t", "word " * 1_000_000)) <= linear.MAX_BODY + 10


def test_scores_equal_those_of_scikit_learn() -> None:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    made = examples(90)
    texts = [features_text(e.title, e.body) for e in made]
    odd = ["", "a", "x-y a b-c-d", "ä öü straße", "memory", "unknownword", "the the the the", features_text("1 22 333 4444", "5-5 _ __")]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    matrix = hstack([words.fit_transform(texts), chars.fit_transform(texts)]).tocsr()
    fitted = [LogisticRegression(C=10).fit(matrix, [topic in e.topics for e in made]) for topic in ("memory", "skills")]
    weights = np.array([one.coef_[0] for one in fitted]).T
    terms = [{t: i for i, t in enumerate(v.get_feature_names_out())} for v in (words, chars)]
    ours = LinearModel(
        "test",
        ("memory", "skills"),
        Block(terms[0], words.idf_, weights[: len(terms[0])]),
        Block(terms[1], chars.idf_, weights[len(terms[0]) :]),
        np.array([one.intercept_[0] for one in fitted]),
        np.ones(2),
        np.zeros(2),
        {},
        {},
    )
    tests = texts + odd
    tested = hstack([words.transform(tests), chars.transform(tests)]).tocsr()
    expected = np.array([one.predict_proba(tested)[:, 1] for one in fitted]).T
    assert np.abs(topic_scores(tests, ours) - expected).max() < 1e-6


def test_scores_have_a_row_per_text_and_a_column_per_topic(model: LinearModel) -> None:
    found = topic_scores([features_text("Memory recall", "store notes, remember the session"), "", "x" * 50], model)
    assert found.shape == (3, 2)
    assert found.dtype == np.float32
    assert model.topics == ("memory", "skills")
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 0] > 0.5 > found[0, 1]
    assert topic_scores([], model).shape == (0, 2)


def test_a_score_does_not_depend_on_its_neighbours(model: LinearModel) -> None:
    texts = [features_text(e.title, e.body) for e in examples(30, seed=1)]
    together = topic_scores(texts, model)
    assert np.array_equal(together, np.concatenate([topic_scores([text], model) for text in texts]))


def test_evidence_is_words_of_the_text_largest_first(model: LinearModel) -> None:
    text = features_text("A long-term memory of sessions", "It can recall and store what the user said.")
    evidence = explain(text, "memory", model)
    weights = [weight for _, weight in evidence]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0
    assert len(evidence) <= 5
    assert all(term in text for term, _ in evidence), evidence
    assert {"memory", "recall"} & {term for term, _ in evidence}
    assert not {"the", "of", "a"} & {term for term, _ in evidence}


def test_evidence_accounts_for_the_decision(model: LinearModel) -> None:
    text = "memory recall workflow climate"
    shares = sum(weight for _, weight in explain(text, "memory", model, 100))
    p = float(topic_scores([text], model)[0, 0])
    decision = (np.log(p / (1 - p)) - model.offset[0]) / model.slope[0] - model.bias[0]
    assert shares >= decision - 1e-3  # only what speaks for the topic is listed, so the sum is no less


def test_evidence_decides(model: LinearModel) -> None:
    for example in examples(60, seed=3):
        for topic in example.topics:
            text = features_text(example.title, example.body)
            gone = {word for term, _ in explain(text, topic, model) for word in term.split()}
            less = " ".join(token for token in text.split() if token not in gone)
            column = model.topics.index(topic)
            assert topic_scores([less], model)[0, column] < topic_scores([text], model)[0, column]


def test_evidence_of_odd_texts(model: LinearModel) -> None:
    assert explain("", "memory", model) == []
    assert explain("the of and", "memory", model) == []
    assert len(explain("protein", "memory", model)) == 1  # nothing speaks for it: what speaks least against it
    with pytest.raises(KeyError):
        explain("memory", "no-such-topic", model)


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture
def stored(model: LinearModel, tmp_path: Path) -> Path:
    save(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_stored_model_scores_as_before(model: LinearModel, stored: Path) -> None:
    texts = [features_text(e.title, e.body) for e in examples(40, seed=9)]
    again = load(stored)
    assert np.abs(topic_scores(texts, again) - topic_scores(texts, model)).max() < 1e-3
    assert again.topics == model.topics
    assert again.maybe == model.maybe
    assert again.confident == model.confident
    assert again.name.startswith("topics-")
    assert again.about["scores"]
    assert not [path for path in stored.iterdir() if path.suffix == ".tmp"]


def _change(path: Path, **changes: object) -> None:
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, **changes}))


def _damage(directory: Path, how: str) -> str:
    """Damage a stored model; return the name of the file that the error must name."""
    described, weights = directory / "model.json", directory / "weights.npz"
    data = weights.read_bytes()
    if how == "no model.json":
        described.unlink()
    elif how == "not json":
        described.write_text("{")
    elif how == "foreign json":
        described.write_text('{"kind": "else"}')
    elif how == "json is a list":
        described.write_text("[]")
    elif how == "other version":
        _change(described, format=99)
    elif how == "no thresholds":
        _change(described, maybe={})
    elif how == "no weights":
        weights.unlink()
    elif how == "cut weights":
        weights.write_bytes(data[: len(data) // 2])
    elif how == "flipped bit":
        weights.write_bytes(data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])
    else:
        body = {"not an archive": b"hello", "pickle": _pickled(directory), "other arrays": _archive(directory)}[how]
        weights.write_bytes(body)
        _change(described, sha256=hashlib.sha256(body).hexdigest())
    return (
        "model.json"
        if how in ("no model.json", "not json", "foreign json", "json is a list", "other version", "no thresholds")
        else "weights.npz"
    )


def _pickled(directory: Path) -> bytes:
    path = directory / "made.npz"
    np.savez(path, bias=np.array([{"a": 1}], object))
    return path.read_bytes()


def _archive(directory: Path) -> bytes:
    path = directory / "made.npz"
    np.savez(path, bias=np.zeros(3))
    return path.read_bytes()


HOWS = (
    "no model.json|not json|foreign json|json is a list|other version|no thresholds|no weights|cut "
    "weights|flipped bit|not an archive|pickle|other arrays"
).split("|")


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_model_is_refused_in_one_sentence(stored: Path, how: str) -> None:
    name = _damage(stored, how)
    with pytest.raises(ModelError) as caught:
        load(stored)
    assert str(stored / name) in str(caught.value)
    assert "\n" not in str(caught.value)


# -- training -------------------------------------------------------------------------------------


def test_same_inputs_give_the_same_bytes(tmp_path: Path) -> None:
    made = examples()
    save(fit(made), tmp_path / "a")
    save(fit(made[::-1]), tmp_path / "b")
    for name in ("model.json", "weights.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_no_term_of_fewer_than_three_documents_is_kept(model: LinearModel) -> None:
    made = examples()
    texts = [f" {features_text(e.title, e.body)} " for e in made]
    assert all(sum(f" {term} " in text.replace("-", " ") for text in texts) >= 3 for term in list(model.words.terms)[::20])
    rare = fit([*made, Example("paper", "9999", "Zyxwvut", "zyxwvut zyxwvut", "2025-03", frozenset())])
    assert "zyxwvut" not in rare.words.terms
    assert "zyxw" not in rare.chars.terms


def test_folds_are_whole_months_of_about_equal_size() -> None:
    months = [f"2025-{m:02}" for m in range(1, 13) for _ in range(m)]
    found = folds(months)
    assert len({(month, fold) for month, fold in zip(months, found.tolist(), strict=True)}) == 12
    sizes = np.bincount(found)
    assert len(sizes) == 6
    assert sizes.max() - sizes.min() <= 2


def test_figures_and_thresholds_are_measured(model: LinearModel) -> None:
    scores = model.about["scores"]
    assert isinstance(scores, dict)
    assert scores["memory"]["papers"]["average_precision"] > 0.9
    assert scores["memory"]["news"]["positives"] > 0
    assert all(0 < model.maybe[t] <= model.confident[t] for t in model.topics)
    assert "memory" in table(model)
    assert "papers" in table(model)


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(ModelError, match="months"):
        fit(examples(12)[:3])
    with pytest.raises(ModelError, match='"lonely"'):
        fit([*examples(), Example("paper", "x", "t", "b", "2025-01", frozenset({"lonely"}))])


def _write_inputs(folder: Path) -> tuple[Path, Path, Path]:
    made = examples()
    labels, news = folder / "labels.csv", folder / "news.csv"
    with labels.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "labels"])
        rows.writerows([e.id, ";".join(e.topics)] for e in made if e.kind == "paper")
        rows.writerow(["nowhere", "memory skills"])
    with news.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["title", "summary", "date", "topics"])
        rows.writerows([e.title, e.body, f"{e.month}-03", ";".join(e.topics)] for e in made if e.kind == "news")
    with gzip.open(folder / "papers-2025.jsonl.gz", "wt") as lines:
        for e in made:
            lines.write(json.dumps({"id": e.id, "listed": f"{e.month}-09", "title": e.title, "abstract": e.body}) + "\n")
    return labels, folder, news


def test_build_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, texts, news = _write_inputs(tmp_path)
    made = build(labels, texts, tmp_path / "out", news)
    assert made.about["trained"] == load(tmp_path / "out").about["trained"]
    assert len(read_papers(labels, texts)) == 96
    assert main(["--labels", str(labels), "--texts", str(texts), "--news", str(news), "--out", str(tmp_path / "two")]) == 0
    assert (tmp_path / "two/weights.npz").read_bytes() == (tmp_path / "out/weights.npz").read_bytes()
    assert main(["--labels", str(tmp_path / "none.csv"), "--texts", str(texts), "--out", str(tmp_path / "three")]) == 1
    assert "none.csv" in capsys.readouterr().err
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ModelError, match="no column id, labels"):
        build(tmp_path / "bad.csv", texts, tmp_path / "four")


# -- what ships -----------------------------------------------------------------------------------


def test_the_shipped_model_is_small_and_needs_no_pickle(tmp_path: Path) -> None:
    shipped = DEFAULTS / "model"
    assert sum(path.stat().st_size for path in shipped.iterdir()) <= 4_000_000
    with np.load(shipped / "weights.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)
    shutil.copytree(shipped, tmp_path / "copy")
    assert load(tmp_path / "copy").name == load(shipped).name


def test_scoring_imports_no_scientific_library() -> None:
    code = (
        "import sys; from tracker.taggers.topics import TopicTagger; assert 'numpy' not in sys.modules;"
        "from tracker.taggers.linear import load, topic_scores; from tracker.config import DEFAULTS;"
        "topic_scores(['agent memory'], load(DEFAULTS / 'model'));"
        "assert not {'sklearn', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
