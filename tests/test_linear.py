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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tracker.config import DEFAULTS
from tracker.errors import ModelError
from tracker.examples import Example, read_labels
from tracker.holdout import in_holdout, load_holdout
from tracker.taggers import features
from tracker.taggers.features import FeatureSpace, features_text
from tracker.taggers.linear import Head, LinearModel, decisions, explain, topic_scores
from tracker.taggers.stored_model import load, save
from tracker.train import build, fit, folds, main, table

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
        body = ". ".join(" ".join(words[k : k + 10]) for k in range(0, 40, 10))
        made.append(Example(kind, f"arxiv:{i:04}", " ".join(words[:5]).title(), body, f"{month}-03", frozenset({topic} - {""})))
    return made


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return fit(examples()).model


def test_features_text_repeats_the_title_and_keeps_hyphens() -> None:
    assert features_text("Long-Term memory?", "It's\n\x00 here… Then: this").split("\n") == ["long-term memory"] * 3 + [
        "it s here then",
        "this",
    ]
    assert features_text("", "") == ""
    assert len(features_text("t", "word " * 1_000_000)) <= features.MAX_BODY + 10


def scores(texts: list[str], model: LinearModel, kind: str = "paper") -> np.ndarray:
    return topic_scores(texts, [kind] * len(texts), model)


ODD = [
    "",
    "a",
    "x-y a b-c-d",
    "ä öü straße",
    "memory",
    "unknownword",
    "the the the the",
    "1 22 333 4444 5-5 _ __",
    "\U0001f600x 𝒳𝒴 ab",
    "\n\n",
]


def test_scores_equal_those_of_scikit_learn() -> None:
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    made = examples(90)
    texts = [features_text(e.title, e.body) for e in made]
    odd = [*ODD, features_text("1 22 333 4444", "5-5 _ __")]
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    chars = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, min_df=2)
    matrix = hstack([words.fit_transform(texts), chars.fit_transform(texts)]).tocsr()
    fitted = [LogisticRegression(C=10).fit(matrix, [topic in e.topics for e in made]) for topic in ("memory", "skills")]
    weights = np.array([one.coef_[0] for one in fitted]).T
    terms = words.get_feature_names_out().tolist()
    single, pairs = [t for t in terms if " " not in t], [t for t in terms if " " in t]
    order = [terms.index(term) for term in single + pairs]
    numbers = np.array([[single.index(word) for word in pair.split()] for pair in pairs])
    none = np.zeros((0, 2))
    space = FeatureSpace(
        single,
        numbers,
        chars.get_feature_names_out().tolist(),
        np.concatenate([words.idf_[order], chars.idf_]),
        none,
        none[:, 0],
        none,
        none[:, 0],
    )
    head = Head(np.arange(2), np.ones(2), np.zeros(2), {}, {})
    weights = np.concatenate([weights[order], weights[len(terms) :]])
    ours = LinearModel("test", ("memory", "skills"), space, weights, np.array([one.intercept_[0] for one in fitted]), {"paper": head})
    tests = texts + odd
    tested = hstack([words.transform(tests), chars.transform(tests)]).tocsr()
    expected = np.array([one.predict_proba(tested)[:, 1] for one in fitted]).T
    assert np.abs(scores(tests, ours) - expected).max() < 1e-6


def space_of_concepts() -> FeatureSpace:
    """Words "agent", "learn", "learns" and the pair "agent learns"; concept 0: agent and the pair, concept 1: learn*; one link."""
    members = [[0, 0], [1, 1], [2, 1], [3, 0]]
    return FeatureSpace(
        ("agent", "learn", "learns"),
        np.array([[0, 2]]),
        (),
        np.ones(4),
        np.array(members),
        np.array([1.0, 2.0]),
        np.array([[0, 1]]),
        np.ones(1),
    )


def dense(space: FeatureSpace, text: str) -> list[float]:
    rows = space.rows([text])
    found = np.zeros(space.size)
    found[rows.ids] = rows.values
    return [round(value, 4) for value in found.tolist()]


def test_concepts_grow_with_the_logarithm_of_their_words_and_link_within_a_sentence() -> None:
    space = space_of_concepts()
    *_, agent, learn, link = dense(space, "agent learns\nlearn learn")
    assert (agent, learn, link) == (round(np.log(3), 4), round(2 * np.log(4), 4), features.LINKS)
    assert dense(space, "agent\nlearns")[-1] == 0.0  # two sentences
    assert dense(space, "learns an agent")[-1] == features.LINKS
    assert dense(space, "nothing known") == [0.0] * space.size


@pytest.mark.parametrize("text", [*ODD, "agent learns", "the agent learns and the agent-learns agent\nlearn agents"])
def test_the_parts_of_the_words_add_up_to_the_values(text: str, model: LinearModel) -> None:
    for space in (space_of_concepts(), model.space):
        row = space.rows([text])
        owned = space.owned(text)
        assert set(owned.feature.tolist()) == set(row.ids.tolist())
        assert np.allclose(np.bincount(np.searchsorted(row.ids, owned.feature), owned.part, len(row.ids)), row.values)
        joined = " ".join(text.split())
        names = {owned.name(number) for number in set(owned.owner.tolist())}
        assert all(name in joined or name in joined.replace("-", " ") for name in names)


def test_tokens_are_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch, model: LinearModel) -> None:
    texts = [features_text(e.title, e.body) for e in examples(60, seed=2)] + [f"word{i} agent{i}" for i in range(200)]
    expected = scores(texts, model)
    monkeypatch.setattr(features, "_MAX_KNOWN", 150)
    assert np.array_equal(scores(texts, model), expected)


def test_scores_have_a_row_per_text_and_a_column_per_topic(model: LinearModel) -> None:
    found = scores([features_text("Memory recall", "store notes, remember the session"), "", "x" * 50], model)
    assert found.shape == (3, 2)
    assert found.dtype == np.float32
    assert model.topics == ("memory", "skills")
    assert ((found >= 0) & (found <= 1)).all()
    assert found[0, 0] > 0.5 > found[0, 1]
    assert scores([], model).shape == (0, 2)


def test_a_score_does_not_depend_on_its_neighbours(model: LinearModel) -> None:
    texts = [features_text(e.title, e.body) for e in examples(30, seed=1)]
    together = scores(texts, model)
    assert np.array_equal(together, np.concatenate([scores([text], model) for text in texts]))


def test_evidence_is_words_of_the_text_largest_first(model: LinearModel) -> None:
    text = features_text("A long-term memory of sessions", "It can recall and store what the user said.")
    evidence = explain(text, "paper", "memory", model)
    weights = [weight for _, weight in evidence]
    assert weights == sorted(weights, reverse=True)
    assert weights[0] > 0
    assert len(evidence) <= 5
    assert all(term in text for term, _ in evidence), evidence
    assert {"memory", "recall"} & {term for term, _ in evidence}
    assert not {"the", "of", "a"} & {term for term, _ in evidence}


def test_evidence_accounts_for_the_decision(model: LinearModel) -> None:
    text = "memory recall workflow climate"
    shares = sum(weight for _, weight in explain(text, "paper", "memory", model, 100))
    p = float(scores([text], model)[0, 0])
    head = model.heads["paper"]
    decision = (np.log(p / (1 - p)) - head.offset[0]) / head.slope[0] - model.bias[head.columns[0]]
    assert shares >= decision - 1e-3  # only what speaks for the topic is listed, so the sum is no less


def test_evidence_decides(model: LinearModel) -> None:
    for example in examples(60, seed=3):
        for topic in example.topics:
            text = features_text(example.title, example.body)
            gone = {word for term, _ in explain(text, "paper", topic, model) for word in term.split()}
            less = "\n".join(" ".join(token for token in line.split() if token not in gone) for line in text.split("\n"))
            column = model.topics.index(topic)
            assert scores([less], model)[0, column] < scores([text], model)[0, column]


def test_evidence_of_odd_texts(model: LinearModel) -> None:
    assert explain("", "paper", "memory", model) == []
    assert explain("the of and", "paper", "memory", model) == []
    assert len(explain("protein", "paper", "memory", model)) == 1  # nothing speaks for it: what speaks least against it
    with pytest.raises(KeyError):
        explain("memory", "paper", "no-such-topic", model)


# -- files ----------------------------------------------------------------------------------------


@pytest.fixture
def stored(model: LinearModel, tmp_path: Path) -> Path:
    save(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_stored_model_scores_as_before(model: LinearModel, stored: Path) -> None:
    texts = [features_text(e.title, e.body) for e in examples(40, seed=9)]
    again = load(stored)
    assert np.abs(scores(texts, again) - scores(texts, model)).max() < 1e-3
    assert again.topics == model.topics
    for kind, head in model.heads.items():
        assert (again.heads[kind].maybe, again.heads[kind].confident) == (head.maybe, head.confident)
    assert again.name.startswith("topics-")
    assert again.about["scores"]
    assert not [path for path in stored.iterdir() if path.suffix == ".tmp"]


def _change(path: Path, **changes: object) -> None:
    described = json.loads(path.read_text())
    path.write_text(json.dumps({**described, **changes}))


def _with(directory: Path, name: str, change: Callable[[np.ndarray], object]) -> bytes:
    """The stored arrays with one of them changed, or, with a change to None, left out."""
    with np.load(directory / "weights.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    changed = change(arrays.pop(name))
    if changed is not None:
        arrays[name] = np.asarray(changed)
    path = directory / "made.npz"
    np.savez(path, **arrays)
    return path.read_bytes()


def _pickled(directory: Path) -> bytes:
    path = directory / "made.npz"
    np.savez(path, bias=np.array([{"a": 1}], object))
    return path.read_bytes()


def _at(place: int, value: float) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
        array.reshape(-1)[place] = value
        return array

    return change


DESCRIPTIONS: dict[str, Callable[[Path], object]] = {
    "no model.json": lambda path: path.unlink(),
    "not json": lambda path: path.write_text("{"),
    "foreign json": lambda path: path.write_text('{"kind": "else"}'),
    "json is a list": lambda path: path.write_text("[]"),
    "other version": lambda path: _change(path, format=99),
    "no name": lambda path: _change(path, name=3),
    "a name of another": lambda path: _change(path, name="topics-00000000"),
}
WEIGHTS: dict[str, Callable[[Path], bytes]] = {
    "not an archive": lambda folder: b"hello",
    "pickle": _pickled,
    "no topics": lambda folder: _with(folder, "topics", lambda array: None),
    "a topic more": lambda folder: _with(folder, "topics", lambda array: np.append(array, np.frombuffer(b"\nx", np.uint8))),
    "a pair of no word": lambda folder: _with(folder, "pairs", _at(0, 60_000)),
    "a member of nothing": lambda folder: _with(folder, "members", _at(0, 1_000_000)),
    "a concept before the first": lambda folder: _with(folder, "members", _at(1, -1)),
    "a link of no concept": lambda folder: _with(folder, "links", _at(0, 500)),
    "no number in the bias": lambda folder: _with(folder, "bias", _at(0, np.nan)),
    "no number in a threshold": lambda folder: _with(folder, "paper_maybe", _at(0, np.nan)),
    "text for a bias": lambda folder: _with(folder, "bias", lambda array: np.array(["a"] * len(array))),
    "a table for a list": lambda folder: _with(folder, "scale", lambda array: array[:, None]),
    "a column that is not there": lambda folder: _with(folder, "news_columns", _at(0, 99)),
    "fewer weights": lambda folder: _with(folder, "weights", lambda array: array[1:]),
}
HOWS = [*DESCRIPTIONS, *WEIGHTS, "no weights", "cut weights", "flipped bit"]


def _damage(directory: Path, how: str) -> str:
    """Damage a stored model; return the name of the file that the error must name."""
    described, weights = directory / "model.json", directory / "weights.npz"
    data = weights.read_bytes()
    if how in DESCRIPTIONS:
        DESCRIPTIONS[how](described)
        return "model.json"
    if how == "no weights":
        weights.unlink()
    elif how == "cut weights":
        weights.write_bytes(data[: len(data) // 2])
    elif how == "flipped bit":
        weights.write_bytes(data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])
    else:  # made by somebody who knows how to vouch for it
        body = WEIGHTS[how](directory)
        weights.write_bytes(body)
        digest = hashlib.sha256(body).hexdigest()
        _change(described, sha256=digest, name=f"topics-{digest[:8]}")
    return "weights.npz"


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
    build(made, tmp_path / "a")
    build(made[::-1], tmp_path / "b")
    for name in ("model.json", "weights.npz", "holdout.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_no_term_of_fewer_than_three_documents_is_kept(model: LinearModel) -> None:
    made = examples()
    texts = [f" {' '.join(features_text(e.title, e.body).split())} " for e in made]
    assert all(sum(f" {term} " in text.replace("-", " ") for text in texts) >= 3 for term in model.space.words[::20])
    rare = fit([*made, Example("paper", "arxiv:9999", "Zyxwvut", "zyxwvut zyxwvut", "2025-03", frozenset())]).model.space
    assert "zyxwvut" not in rare.words
    assert "zyxw" not in rare.pieces


def test_folds_are_whole_months_of_about_equal_size() -> None:
    months = [f"2025-{m:02}" for m in range(1, 13) for _ in range(m)]
    found = folds(months)
    assert len({(month, fold) for month, fold in zip(months, found.tolist(), strict=True)}) == 12
    sizes = np.bincount(found)
    assert len(sizes) == 6
    assert sizes.max() - sizes.min() <= 2


def test_figures_and_thresholds_are_measured(model: LinearModel) -> None:
    figures = model.about["scores"]
    assert isinstance(figures, dict)
    assert figures["memory"]["paper"]["average_precision"] > 0.9
    low, high = figures["memory"]["paper"]["interval"]
    assert low <= figures["memory"]["paper"]["average_precision"] <= high
    assert figures["memory"]["news"]["positives"] > 0
    assert all(0 < head.maybe[t] <= head.confident[t] for head in model.heads.values() for t in model.topics)
    assert "memory" in table(model)
    assert "papers" in table(model)


def test_what_is_not_judged_teaches_but_moves_no_figure_and_no_threshold() -> None:
    more = [replace(e, key=f"{e.key}x", body=e.body + " zyxwvut", judged=False) for e in examples(60, seed=8)]
    taught = fit(examples() + more)
    assert "zyxwvut" in taught.model.space.words
    scores_of = taught.model.about["scores"]
    assert isinstance(scores_of, dict)
    assert sum(scores_of["memory"]["paper"][name] for name in ("positives", "negatives")) == 96
    assert not [key for key in taught.holdout.keys if key.endswith("x")]


def test_papers_have_a_column_of_their_own_where_they_speak_in_other_words() -> None:
    """The topic that stands apart: papers say "field", news says "launch" of it."""
    made = examples()
    apart = []
    for i, e in enumerate(made):
        on = i % 2 == 0
        word = ("field" if e.kind == "paper" else "launch") if on else ("launch" if e.kind == "paper" else "field")
        apart.append(replace(e, body=f"{e.body} {word}", topics=e.topics | ({"agent-products"} if on else set())))
    model = fit(apart).model
    topic = model.topics.index("agent-products")
    assert model.heads["paper"].columns[topic] != model.heads["news"].columns[topic]
    field, launch = scores([features_text("A title", word) for word in ("field", "launch")], model)[:, topic].tolist()
    assert field > 0.5 > launch


def test_too_little_to_learn_from_is_said() -> None:
    with pytest.raises(ModelError, match="months"):
        fit(examples(12)[:3])
    with pytest.raises(ModelError, match='"lonely"'):
        fit([*examples(), Example("paper", "x", "t", "b", "2025-01", frozenset({"lonely"}))])


def test_the_holdout_judges_on_decisions_of_models_that_had_not_seen_it(tmp_path: Path) -> None:
    made = build(examples(), tmp_path)
    held = load_holdout(tmp_path)
    assert set(held.keys) == {e.key for e in examples() if in_holdout(e.key)}
    assert 10 <= len(held.keys) <= 40
    by_key = {e.key: e for e in examples()}
    assert [frozenset(np.array(held.topics)[row].tolist()) for row in held.truth] == [by_key[key].topics for key in held.keys]
    rows = made.space.rows([features_text(by_key[key].title, by_key[key].body) for key in held.keys])
    assert np.array_equal(held.rows.ids, rows.ids)
    assert np.array_equal(held.rows.starts, rows.starts)
    assert np.abs(held.rows.values - rows.values).max() < 0.01
    seen = decisions(rows, made)
    assert not np.allclose(held.decisions, seen, atol=0.05)  # a model that has seen the rows decides otherwise
    assert np.mean((held.decisions > 0)[:, : len(held.topics)] == held.truth) > 0.8
    text = (tmp_path / "holdout.npz").read_bytes().lower()
    assert b"remember" not in text


@pytest.mark.parametrize(
    ("name", "change"),
    [("turns", _at(5, 127)), ("turns", _at(0, -128)), ("starts", _at(1, 1_000_000)), ("starts", _at(1, -5)), ("truth", lambda a: a[1:]),
     ("decisions", lambda a: a[:, 1:]), ("decisions", _at(0, np.nan)), ("keys", lambda a: a[:0])],
)  # fmt: skip
def test_a_holdout_that_points_elsewhere_is_refused(tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    build(examples(), tmp_path)
    with np.load(tmp_path / "holdout.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    changed = change(arrays[name])
    arrays[name] = changed if name in ("truth", "keys", "decisions") else changed.astype(arrays[name].dtype)
    np.savez(tmp_path / "holdout.npz", **arrays)
    _change(tmp_path / "model.json", holdout=hashlib.sha256((tmp_path / "holdout.npz").read_bytes()).hexdigest())
    with pytest.raises(ModelError, match=r"holdout\.npz"):
        load_holdout(tmp_path)


def test_what_teaches_and_is_never_judged_is_known_to_the_holdout(tmp_path: Path) -> None:
    more = [replace(e, key=f"{e.key}x", body=e.body + " more", judged=False) for e in examples(60, seed=8)]
    build(examples() + more, tmp_path)
    seen = load_holdout(tmp_path).seen
    assert seen == {e.key for e in more if in_holdout(e.key)} != set()


def test_a_topic_that_is_never_judged_cannot_be_trained() -> None:
    more = [replace(e, key=f"{e.key}x", topics=e.topics | {"unjudged"}, judged=False) for e in examples(60, seed=8)]
    with pytest.raises(ModelError, match='"unjudged": judged examples'):
        fit(examples() + more)


def test_a_holdout_of_another_model_is_refused(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 8)):
        build(examples(seed=seed), tmp_path / name)
    shutil.copy(tmp_path / "one/holdout.npz", tmp_path / "two/holdout.npz")
    with pytest.raises(ModelError, match="holdout"):
        load_holdout(tmp_path / "two")


def _write_inputs(folder: Path) -> tuple[Path, Path, Path]:
    made = examples()
    labels, news = folder / "labels.csv", folder / "news.csv"
    with labels.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "labels"])
        rows.writerows([e.key.removeprefix("arxiv:"), ";".join(e.topics)] for e in made if e.kind == "paper")
        rows.writerow(["nowhere", "memory skills"])
    with news.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["title", "summary", "date", "topics"])
        rows.writerows([e.title, e.body, f"{e.month}-03", ";".join(e.topics)] for e in made if e.kind == "news")
    with gzip.open(folder / "papers-2025.jsonl.gz", "wt") as lines:
        for e in made:
            paper = {"id": e.key.removeprefix("arxiv:"), "listed": f"{e.month}-09", "title": e.title, "abstract": e.body}
            lines.write(json.dumps(paper) + "\n")
    return labels, folder, news


def test_build_from_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels, texts, news = _write_inputs(tmp_path)
    assert len(read_labels(labels, texts)) == 96
    made = build(read_labels(labels, texts) + read_labels(news), tmp_path / "out")
    assert made.about["trained"] == load(tmp_path / "out").about["trained"]
    assert main(["--labels", str(labels), "--labels", str(news), "--texts", str(texts), "--out", str(tmp_path / "two")]) == 0
    assert (tmp_path / "two/weights.npz").read_bytes() == (tmp_path / "out/weights.npz").read_bytes()
    assert main(["--labels", str(tmp_path / "none.csv"), "--texts", str(texts), "--out", str(tmp_path / "three")]) == 1
    assert "none.csv" in capsys.readouterr().err


def test_labels_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "papers-1.jsonl.gz", "wt") as lines:
        lines.write('{"id": "9", "title": "t", "abstract": "a", "listed": "2025-01-01"}\n\n')
    bad = tmp_path / "bad.csv"
    for text, what in (("a,b\n1,2\n", "needs the columns"), ("", "has no rows"), ("id,labels\n1,memory\n", "no text for any id")):
        bad.write_text(text)
        with pytest.raises(ModelError, match=what):
            read_labels(bad, tmp_path)
    with pytest.raises(ModelError, match="folder of their texts"):
        read_labels(bad)
    with gzip.open(tmp_path / "papers-2.jsonl.gz", "wt") as lines:
        lines.write('\n{"id": "1", "title": 5}\n')
    with pytest.raises(ModelError, match=r'papers-2\.jsonl\.gz, line 2: cannot be read \("title" is not text\)'):
        read_labels(bad, tmp_path)


# -- what ships -----------------------------------------------------------------------------------


def test_the_shipped_model_is_small_and_needs_no_pickle(tmp_path: Path) -> None:
    shipped = DEFAULTS / "model"
    assert sum((shipped / name).stat().st_size for name in ("model.json", "weights.npz")) <= 4_000_000
    with np.load(shipped / "weights.npz", allow_pickle=False) as stored:
        assert all(stored[name].dtype != object for name in stored.files)
    shutil.copytree(shipped, tmp_path / "copy")
    assert load(tmp_path / "copy").name == load(shipped).name


def test_scoring_imports_no_scientific_library() -> None:
    code = (
        "import sys; from tracker.taggers.topics import TopicTagger; assert 'numpy' not in sys.modules;"
        "from tracker.taggers.linear import topic_scores; from tracker.taggers.stored_model import load;"
        "from tracker.config import DEFAULTS;"
        "topic_scores(['agent memory'], ['news'], load(DEFAULTS / 'model'));"
        "assert not {'sklearn', 'scipy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
