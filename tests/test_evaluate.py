"""Evaluating: figures on labelled files are those of what the product says. All texts here are made up by us."""

from __future__ import annotations

import csv
import gzip
import json
import random
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tracker import evaluate, store
from tracker.calibrate import average_precision, interval
from tracker.cli import cli
from tracker.config import DEFAULTS
from tracker.examples import Example
from tracker.holdout import in_holdout, load_holdout
from tracker.store import items, labels, models, sources
from tracker.taggers.linear import LinearModel
from tracker.taggers.stored_model import load, save
from tracker.taggers.topics import TopicTagger
from tracker.train import build, fit
from tracker.types import Entry, Item, Source, Topic

CORE, MEMORY = "agent-self-improvement", "agent-memory"
WORDS = {
    CORE: "self-improving improves its own experience loop feedback evolves rounds later learns".split(),
    MEMORY: "memory recall store session remember notes forget episodic long-term retrieval".split(),
    "": "image protein bandit graph federated video speech kernel routing climate molecule".split(),
}
FILLER = "we the of a study with results on large data and show how models are used in it by two steps".split()


def examples(n: int = 180, seed: int = 7, share: float = 0.25) -> list[Example]:
    """Made-up texts on two topics and on none, over twelve months, six a day; every fifth is news."""
    dice = random.Random(seed)
    made = []
    for i in range(n):
        topic = list(WORDS)[i % 3]
        words = [dice.choice(WORDS[topic] if dice.random() < share else FILLER) for _ in range(30)]
        day = f"2025-{i * 12 // n + 1:02}-{1 + i // 6 % 3:02}"
        kind = "news" if i % 5 == 0 else "paper"
        key = f"{'url:https://example.org' if kind == 'news' else 'arxiv:2501'}{'/' if kind == 'news' else '.'}{seed:02}{i:03}"
        made.append(Example(kind, key, " ".join(words[:5]).title(), " ".join(words), day, frozenset({topic} - {""})))
    return made


def files(folder: Path, made: list[Example], name: str = "") -> list[str]:
    """Write label files and texts as their users have them; return the options that name them."""
    papers, news = folder / f"{name}papers.csv", folder / f"{name}news.csv"
    with papers.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "labels", "annotator"])
        out.writerows([e.key.removeprefix("arxiv:"), ";".join(e.topics), "a"] for e in made if e.kind == "paper")
    with news.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "title", "url", "summary", "date", "topics"])
        out.writerows(["x", e.title, e.key.removeprefix("url:"), e.body, e.day, " ".join(e.topics)] for e in made if e.kind == "news")
    with gzip.open(folder / f"papers-{name}2025.jsonl.gz", "wt") as lines:
        for e in made:
            lines.write(json.dumps({"id": e.key.removeprefix("arxiv:"), "listed": e.day, "title": e.title, "abstract": e.body}) + "\n")
    return ["--labels", str(papers), "--labels", str(news), "--texts", str(folder)]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build(examples(), folder)
    return folder


@pytest.fixture(scope="module")
def model(model_dir: Path) -> LinearModel:
    return load(model_dir)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, in a folder of its own without a feeds.toml."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def run_lines(found: dict[str, Any]) -> str:
    return "\n".join(evaluate.lines(found))


# -- figures --------------------------------------------------------------------------------------


def test_average_precision_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score

    dice = np.random.default_rng(3)
    for n in (1, 2, 30, 400):
        scores, truth = dice.random(n).round(1), dice.random(n) < 0.3  # rounded: many rows share a score
        times = dice.integers(0, 3, n)
        if (truth * times).any():
            assert average_precision(scores, truth) == pytest.approx(average_precision_score(truth, scores))
            assert average_precision(scores, truth, times) == pytest.approx(average_precision_score(truth, scores, sample_weight=times))
    assert np.isnan(average_precision(np.array([0.5]), np.array([False])))
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, bool)))


def test_an_interval_holds_its_figure_and_a_paired_one_tells_better_from_equal() -> None:
    dice = np.random.default_rng(4)
    truth = dice.random(300) < 0.2
    good, bad = truth + dice.normal(0, 0.4, 300), truth + dice.normal(0, 1.5, 300)
    low, high = interval(good, truth)
    assert low < average_precision(good, truth) < high
    assert interval(good, truth, bad)[0] > 0
    assert interval(good, truth, good) == [0.0, 0.0]
    assert interval(good, np.zeros(300, bool)) == []


def test_tags_are_exactly_those_of_the_product(model: LinearModel) -> None:
    made, topics = examples(90, seed=8, share=0.12), [Topic(MEMORY, "Memory", include=("results",)), Topic(CORE, "Core", threshold=0.3)]
    judged = evaluate.judge(model, topics, made)
    said = TopicTagger(topics, model).tag([Item(1, e.key, "any", None, e.title, e.body) for e in made])
    for row, tags in enumerate(said):
        known = {tag.topic: tag for tag in tags if tag.topic in model.topics}
        assert {model.topics[j] for j in np.flatnonzero(judged.tags[row])} == set(known)
        assert {model.topics[j] for j in np.flatnonzero(judged.sure_tags[row])} == {
            t for t, tag in known.items() if tag.tier == "confident"
        }
        assert all(judged.scores[row, model.topics.index(topic)] == pytest.approx(tag.score, abs=1e-4) for topic, tag in known.items())
    # What the product says is not a cut at the model's threshold: a rule lifts near misses, and the user has set a threshold.
    assert all((judged.tags & ~judged.maybe).any(axis=0))


def test_a_report_counts_what_can_be_counted_by_hand(model: LinearModel) -> None:
    made = examples(60, seed=9)
    judged = evaluate.judge(model, (), made)
    truth = judged.truth
    told = evaluate.report(judged)
    papers = np.array([e.kind == "paper" for e in made])
    j = judged.topics.index(CORE)
    figures = told["kinds"]["paper"][CORE]
    assert told["rows"] == {"paper": 48, "news": 12}
    assert (figures["positives"], figures["negatives"]) == (truth[papers, j].sum(), (~truth[papers, j]).sum())
    said = judged.scores[papers, j] >= model.heads["paper"].maybe[CORE]
    assert figures["maybe_precision"] == pytest.approx((said & truth[papers, j]).sum() / said.sum(), abs=1e-4)
    assert figures["tags"]["tagged"] == 0  # no topic is configured, so the product says nothing
    means = [row["average_precision"] for row in told["kinds"]["paper"].values()]
    assert told["overall"]["paper"]["mean_average_precision"] == pytest.approx(sum(means) / 2, abs=1e-4)
    assert told["overall"]["news"]["by_least_positives"]["10"] == {"topics": 0, "mean_average_precision": None}


def test_the_top_of_a_day_is_four_by_core_score_of_days_with_as_many() -> None:
    days = ["2025-01-01"] * 6 + ["2025-01-02"] * 3 + ["2025-01-03"] * 4 + [""] * 9
    made = [Example("paper", f"arxiv:{n}", "t", "b", day, frozenset({CORE} if n in (0, 5, 7, 9, 14) else ())) for n, day in enumerate(days)]
    scores = np.linspace(1, 0, len(made)).reshape(-1, 1)
    none = np.zeros(scores.shape, bool)
    top = evaluate.report(evaluate.Judged(tuple(made), (CORE,), scores, none, none, none, none))["daily_top"]
    assert (top["days"], top["precision"], top["best_possible"]) == (2, 0.25, 0.375)  # rows 0 and 9 of eight; 5 was the last of its day
    assert top["interval"] == [0.25, 0.25]
    assert evaluate.report(evaluate.Judged(tuple(made), (MEMORY,), scores, none, none, none, none))["daily_top"] is None


# -- the command ----------------------------------------------------------------------------------


def test_any_folder_with_a_model_is_judged_on_any_labelled_files(run: Callable[..., Result], model_dir: Path, tmp_path: Path) -> None:
    names = files(tmp_path, examples(90, seed=11))
    with (tmp_path / "papers.csv").open("a") as file:
        file.write(f"9999.99999,{MEMORY},b\n2501.11001,no-such-topic;{MEMORY},b\n")
    result = run(*names, "--model", model_dir)
    found = told(result)
    assert found["model"] == load(model_dir).name
    assert found["from"] == str(model_dir)
    assert [(f["file"], f["kind"], f["without_text"], f["title_alone"]) for f in found["labels"]] == [
        ("papers.csv", "paper", 1, 0),
        ("news.csv", "news", 0, 0),
    ]
    assert found["rows"] == {"paper": 72, "news": 18}
    assert found["unknown_topics"] == {"no-such-topic": 1}
    for kind in ("paper", "news"):
        assert set(found["kinds"][kind]) == {CORE, MEMORY}
        for row in found["kinds"][kind].values():
            assert row["interval"][0] <= row["average_precision"] <= row["interval"][1]
            assert row["average_precision"] > 0.7
    assert found["kinds"]["paper"][MEMORY]["tags"]["f1"] > 0.6
    assert "agent-memory" in result.stderr
    quiet = run(*names, "--model", model_dir, "-q")
    assert quiet.stderr == ""
    assert quiet.stdout == result.stdout


def test_figures_on_what_a_model_has_learned_from_are_told_apart(run: Callable[..., Result], model_dir: Path, tmp_path: Path) -> None:
    own = run(*files(tmp_path, examples()), "--model", model_dir)
    assert 20 < told(own)["learned_from"] < 60  # one in five of 180 is in the holdout beside the model
    assert "have taught this model: the figures flatter it" in own.stderr
    fresh = run(*files(tmp_path, examples(60, seed=18), "b-"), "--model", model_dir)
    assert told(fresh)["learned_from"] == 0
    assert "flatter" not in fresh.stderr


def test_a_holdout_counts_for_the_model_it_belongs_to(model: LinearModel, model_dir: Path, tmp_path: Path) -> None:
    made, other = examples(), tmp_path / "other"
    build(examples(seed=19), other)
    own = evaluate.known_rows(model, made, model_dir, shipped=other)
    assert 20 < own < 60
    foreign = load(other)
    save(foreign, tmp_path / "alone")
    assert evaluate.known_rows(foreign, made, tmp_path / "alone", shipped=model_dir) == 0  # another model's holdout says nothing of it
    (model_dir / "holdout.npz").replace(tmp_path / "kept")
    (model_dir / "holdout.npz").write_bytes(b"torn")
    try:
        assert evaluate.known_rows(foreign, made, other, shipped=model_dir) == 0  # nor does it stop where it is damaged
    finally:
        (tmp_path / "kept").replace(model_dir / "holdout.npz")
    child = replace(model, about={"shipped": model.about["sha256"]})
    assert evaluate.known_rows(child, made, tmp_path / "none", shipped=model_dir) == own
    held = load_holdout(model_dir).keys
    fresh = next(e.key for e in made if e.key not in held)
    assert evaluate.known_rows(child, made, tmp_path / "none", [fresh, held[0]], shipped=model_dir) == own + 1


@pytest.fixture
def champion(run: Callable[..., Result], model: LinearModel, tmp_path: Path) -> tuple[sqlite3.Connection, str]:
    """A database with a model in use that was made from the shipped one, and the name of its files."""
    (tmp_path / "data").mkdir()
    db = store.open(tmp_path / "data" / "tracker.db", write=True)
    return db, crown(db, model, tmp_path, str(load(DEFAULTS / "model").about["sha256"]))


def crown(db: sqlite3.Connection, model: LinearModel, folder: Path, shipped: str) -> str:
    place = folder / "data" / "models" / "own-00000001"
    name = save(replace(model, about={"shipped": shipped}), place, prefix="taught")
    row = models.Stored("mine", "2026-06-01T00:00:00Z", "champion", 40, "h", place.name, str(load(place).about["sha256"]), "better")
    with store.transaction(db):
        models.add(db, row, [])
    return name


def test_the_champion_is_judged_unless_another_is_named(
    run: Callable[..., Result], champion: tuple[sqlite3.Connection, str], model_dir: Path, tmp_path: Path
) -> None:
    names = files(tmp_path, examples(60, seed=12))
    found = told(run(*names))
    assert (found["from"], found["model"]) == ("champion", champion[1])
    assert "instead" not in found
    assert told(run(*names, "--model", "mine"))["from"] == "mine"
    assert told(run(*names, "--model", model_dir))["from"] == str(model_dir)
    assert told(run(*names, "--model", "shipped"))["from"] == "shipped"
    refused = run(*names, "--model", "yours")
    assert refused.exit_code == 1
    assert '"yours" is neither a folder with a model nor a model of' in refused.stderr
    assert "mine" in refused.stderr


@pytest.mark.parametrize("case", ["another release", "damaged", "outside"])
def test_where_the_champion_cannot_tag_what_tags_in_its_place_is_judged_and_that_is_told(
    case: str, run: Callable[..., Result], champion: tuple[sqlite3.Connection, str], model: LinearModel, tmp_path: Path
) -> None:
    db, _ = champion
    if case == "another release":
        crown(db, model, tmp_path, "other")
    with store.transaction(db):
        if case == "damaged":
            db.execute("UPDATE models SET sha256 = 'other'")
        elif case == "outside":
            save(model, tmp_path / "data" / "outside")
            db.execute("UPDATE models SET artifact = '../outside'")
    names = files(tmp_path, examples(60, seed=12))
    result = run(*names)
    found = told(result)
    assert (found["from"], found["model"]) == ("shipped", load(DEFAULTS / "model").name)
    assert found["instead"].startswith("the model mine ")
    assert f"Not the model in use is measured: {found['instead']}." in result.stderr
    assert "install the package again" not in result.stderr
    assert run(*names, "--model", "mine").exit_code == 1  # what is asked for by name is never another


def test_the_lessons_of_a_champion_are_told_apart(
    run: Callable[..., Result], champion: tuple[sqlite3.Connection, str], tmp_path: Path
) -> None:
    db, made = champion[0], examples(60, seed=20)
    names = files(tmp_path, made)
    assert told(run(*names))["learned_from"] == 0
    news = [e.key for e in made if e.kind == "news"]
    lesson, held = (next(key for key in news if in_holdout(key) is part) for part in (False, True))
    late, unseen = [key for key in news if not in_holdout(key) and key != lesson][:2]
    blog = Source("blog", "feed", "https://example.org/feed", "The Blog")
    entries = [Entry("A title", key.removeprefix("url:"), key, published_at="2026-05-01T00:00:00Z") for key in (lesson, held, late)]
    with store.transaction(db):
        sources.sync(db, [blog], "2026-05-01T00:00:00Z")
        items.save(db, blog, entries, now="2026-05-01T00:00:00Z", first=False, old_before=None)
        for key in (lesson, held, late, unseen):
            at = "2026-06-02T00:00:00Z" if key == late else "2026-05-02T00:00:00Z"
            labels.add(db, key, f"topic:{MEMORY}", 1, who="ann", picked="browse", now=at)
    assert told(run(*names))["learned_from"] == 1  # neither what is held out, nor a later label, nor one of no item


def test_a_run_is_compared_with_an_earlier_one_row_by_row(run: Callable[..., Result], model_dir: Path, tmp_path: Path) -> None:
    names = files(tmp_path, examples(90, seed=13, share=0.15))
    told(run(*names, "--model", model_dir, "--rows", "now.csv"))
    with (tmp_path / "now.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 90
    assert list(rows[0])[:7] == ["key", "kind", "day", "title", "labels", "tags", "confident"]
    same = told(run(*names, "--model", model_dir, "--against", "now.csv"))["against"]
    assert same["kinds"]["paper"][MEMORY]["difference"] == 0
    dice = random.Random(1)
    with (tmp_path / "worse.csv").open("w", newline="") as file:
        out = csv.DictWriter(file, rows[0])
        out.writeheader()
        out.writerows(row | {MEMORY: f"{dice.random():.6f}"} for row in rows[:80])
    result = run(*names, "--model", model_dir, "--against", "worse.csv")
    assert "Against worse.csv, papers, agent-memory: " in result.stderr
    found = told(result)["against"]["kinds"]
    assert found["paper"][MEMORY]["rows"] + found["news"][MEMORY]["rows"] == 80
    assert found["paper"][MEMORY]["interval"][0] > 0
    assert found["paper"][CORE]["difference"] == 0


def test_a_title_is_no_formula_in_a_file_of_rows_and_is_found_again(model: LinearModel, tmp_path: Path) -> None:
    made = [replace(e, title=f"{sign}{e.title}") for e, sign in zip(examples(30, seed=21), "=+-@'" * 6, strict=True)]
    made[4] = replace(made[4], title="'=x")
    judged = evaluate.judge(model, (), made)
    (tmp_path / "rows.csv").write_text(evaluate.rows_csv(judged), newline="")
    with (tmp_path / "rows.csv").open(newline="") as file:
        cells = [row["title"] for row in csv.DictReader(file)]
    assert not [cell for cell in cells if cell[0] in "=+-@"]
    earlier = evaluate.read_rows(tmp_path / "rows.csv")
    assert set(earlier) == {(e.key, e.title) for e in made}
    assert sum(row[MEMORY]["rows"] for row in evaluate.compared(judged, earlier).values()) == 30


def test_a_row_without_a_date_stands_on_neither_side_of_a_time_split(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [replace(e, day="") if n % 10 == 0 else e for n, e in enumerate(examples(150, seed=22))]
    also = [replace(e, day="", judged=False) for e in examples(3, seed=23)]
    taught: list[Example] = []
    monkeypatch.setattr("tracker.train.fit", lambda given: (taught.extend(given), fit(given))[1])
    first, later, undated = evaluate.time_split(made, (), also)
    assert all("" < e.month < first for e in taught)
    assert all(e.month >= first for e in later.examples)
    assert undated == 15 + 3
    assert len(taught) + len(later.examples) + 15 == 150
    found = evaluate.report(later)
    assert "The time split leaves out what has no date: 18" in run_lines({**found, "time_split": {"without_date": undated}})


def test_cross_validation_judges_months_that_were_not_seen(run: Callable[..., Result], tmp_path: Path) -> None:
    made, more = examples(150, seed=14), examples(60, seed=15)
    names, also = files(tmp_path, made), files(tmp_path, [*more, *made[:3]], "also-")
    found = told(run(*names, "--cross-validate", "--also", also[1], "--also", also[3], "--rows", "rows.csv"))
    assert found["rows"] == {"paper": 120, "news": 30}
    assert found["model"] == "refitted by months"
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 151
    assert found["kinds"]["paper"][MEMORY]["average_precision"] > 0.8
    papers = sum(e.kind == "paper" and e.month >= "2025-10" for e in made)
    assert f"Time split, {papers} papers from 2025-10 on" in run_lines(found)
    later = found["time_split"]
    assert later["judged_from"] == "2025-10"
    assert sum(later["rows"].values()) == sum(e.month >= "2025-10" for e in made)
    assert later["kinds"]["paper"][MEMORY]["average_precision"] > 0.6


def test_what_was_learned_from_in_another_month_is_never_judged() -> None:
    """A text that carries the answer in a word of its own: were it in training under another month, it would be known."""
    made = examples(120, seed=16, share=0)  # nothing but filler: no model can know better than chance
    leak = [Example(e.kind, e.key, e.title, e.body, "2025-12-30", e.topics, False) for e in made if e.month < "2025-06"]
    judged = evaluate.cross_validated(made, (), leak)
    for topic in (CORE, MEMORY):
        column = judged.topics.index(topic)
        assert average_precision(judged.scores[:, column], judged.truth[:, column]) < 0.6


ERRORS = {
    "no such file": (["--labels", "none.csv"], "none.csv: cannot be read"),
    "other columns": (["--labels", "bad.csv"], "needs the columns id and labels (papers) or topics, title and summary (news)"),
    "no rows": (["--labels", "empty.csv"], "empty.csv: has no rows"),
    "not text": (["--labels", "binary.csv"], "binary.csv: is no text in UTF-8"),
    "no folder of texts": (["--labels", "papers.csv"], "the folder of their texts is needed"),
    "a folder without texts": (["--labels", "papers.csv", "--texts", "void"], "has no text for any id in papers.csv"),
    "a damaged text file": (["--labels", "papers.csv", "--texts", "torn"], "papers-x.jsonl.gz, line 0: cannot be read"),
    "no model": (["--labels", "news.csv", "--model", "void"], "model.json: cannot be read"),
    "not a rows file": (["--labels", "news.csv", "--against", "news.csv"], "is not a file that `tracker evaluate --rows` wrote"),
    "too little": (["--labels", "news.csv", "--cross-validate"], "cannot train"),
    "rows go nowhere": (["--labels", "news.csv", "--model", "MODEL", "--rows", "void/x/y.csv"], "void/x/y.csv cannot be written"),
    "nothing in common": (["--labels", "news.csv", "--model", "MODEL", "--against", "other.csv"], "in common"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_cannot_be_evaluated_is_said_in_one_sentence(case: str, run: Callable[..., Result], model_dir: Path, tmp_path: Path) -> None:
    arguments, sentence = ERRORS[case]
    files(tmp_path, examples(15, seed=17))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    (tmp_path / "empty.csv").write_text("id,labels\n")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00id")
    (tmp_path / "other.csv").write_text(f"key,kind,title,labels,tags,{MEMORY}\nk,paper,t,,,0.5\n")
    (tmp_path / "void").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "papers-x.jsonl.gz").write_bytes(b"\x1f\x8b not really")
    result = run(*(str(model_dir) if part == "MODEL" else part for part in arguments))
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) <= 2  # the sentence, after at most a word on what is being done
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["watch", "--labels", "x"], '"watch" cannot be evaluated; what can: topics, labs, about, signals, stories, watches'),
        (["--labels", "x", "--also", "y"], "it goes with --cross-validate"),
        (["--labels", "x", "--model", "m", "--cross-validate"], "it does not go with --model"),
        ([], "--labels"),
    ],
)
def test_a_wrong_use_is_told(run: Callable[..., Result], arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_row_without_date_or_text_is_judged_too(run: Callable[..., Result], model_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "news.csv").write_text(
        f"title,topics,summary,date\nMemory recall of notes,{MEMORY},,\nProtein graph,,protein video graph,May 2025\n,,,\n"
    )
    found = told(run("--labels", tmp_path / "news.csv", "--model", model_dir))
    assert found["rows"] == {"paper": 0, "news": 3}
    assert found["labels"][0]["title_alone"] == 2
    assert found["daily_top"]["days"] == 0
    assert found["daily_top"]["precision"] is None
    assert found["kinds"]["news"][MEMORY]["positives"] == 1
