"""Teaching: what labels change, what the gate lets through, and the way back. All texts are made up by us."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tests.test_linear import FILLER, WORDS, examples
from tracker import config as settings
from tracker import doctor, gate, learn, store, tag, teach
from tracker.errors import ModelError, TrackerError
from tracker.holdout import in_holdout
from tracker.store import items, labels, models, sources, transaction
from tracker.train import build
from tracker.types import Entry, Source, Topic

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
SOURCE = Source("lab", "feed", "https://lab.example.org/feed.xml", "Lab")
# A topic of the user's own. Its rule knows one word of ten.
TIDES = "tides harbour moon current gauge estuary surge shoreline buoy sluice".split()
TOPICS = (
    Topic("memory", "Memory", include=("episodic recall",)),
    Topic("skills", "Skills", include=("tool-making",)),
    Topic("tides", "Tides", include=("buoy",)),
)
KINDS = {"memory": WORDS["memory"], "skills": WORDS["skills"], "tides": TIDES, "": WORDS[""]}


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    # What is no topic of the seed speaks of tides too, so that the words are known.
    made = [replace(one, body=f"{one.body} {TIDES[n % 10]} {TIDES[n * 7 % 10]}") for n, one in enumerate(examples(420))]
    build(made, folder)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> settings.Config:
    return settings.Config(str(tmp_path / "feeds.toml"), "", "", (SOURCE,), TOPICS, (), (), ())


def text(words: list[str], dice: random.Random) -> str:
    return " ".join(dice.choice(words if dice.random() < 0.4 else FILLER) for _ in range(40))


def fill(db: sqlite3.Connection, config: settings.Config, each: int = 40) -> dict[str, list[str]]:
    """Store items on each kind of thing; return their keys by kind."""
    dice = random.Random(3)
    keys: dict[str, list[str]] = {}
    entries = []
    for n in range(each * len(KINDS)):
        kind = list(KINDS)[n % len(KINDS)]
        number = f"2606.{n:05}"
        keys.setdefault(kind, []).append(f"arxiv:{number}")
        entries.append(Entry(f"Study {n} {dice.choice(KINDS[kind])}", f"https://arxiv.org/abs/{number}", text=text(KINDS[kind], dice)))
    with transaction(db):
        sources.sync(db, [SOURCE], "2026-06-01T00:00:00Z")
        sources.sync_registry(db, config.topics, config.labs, "2026-06-01T00:00:00Z")
        items.save(db, SOURCE, entries, now="2026-06-01T00:00:00Z", first=True, old_before=None)
    return keys


def say(db: sqlite3.Connection, topic: str, answers: dict[str, int], at: str = "2026-06-10T00:00:00Z") -> None:
    with transaction(db):
        for key, value in answers.items():
            labels.add(db, key, f"topic:{topic}", value, who="ann", picked="uncertain", now=at)


def right(keys: dict[str, list[str]], topic: str, n: int = 40) -> dict[str, int]:
    """True answers for the first items of each kind."""
    return {key: int(kind == topic) for kind, some in keys.items() for key in some[:n]}


def teach_it(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> teach.Result:
    return teach.train(db, config, now=NOW, shipped_dir=shipped)


# -- what is learned --------------------------------------------------------------------------------


def test_a_topic_of_ones_own_is_learned_and_tags(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "tides", right(keys, "tides"))
    result = teach_it(db, config, shipped)
    assert result.status == "promoted", result
    assert any('"tides" is learned: the model tells it better than its rules' in note for note in result.notes)
    taggers = tag.load(config, shipped, db=db)
    assert taggers.model is not None
    assert taggers.model.name == result.model
    assert result.model.startswith("own-")
    list(tag.tag(db, config, now=NOW, taggers=taggers))
    found = db.execute("SELECT key, model FROM item_topics JOIN items ON items.id = item WHERE topic = 'tides' AND tier <> 'no'")
    tagged = {row[0]: row[1] for row in found}
    assert len(set(tagged) & set(keys["tides"])) >= 36
    assert len(set(tagged) - set(keys["tides"])) <= 4
    assert set(tagged.values()) == {result.model}
    held = [split for (split,) in db.execute("SELECT split FROM model_scores WHERE topic = 'tides'")]
    assert held == ["cross-validation"]


def test_a_topic_with_few_labels_says_how_many_are_missing(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    lessons = [key for key in keys["tides"] if not in_holdout(key)][:3] + [key for key in keys[""] if not in_holdout(key)][:4]
    say(db, "tides", {key: int(key in keys["tides"]) for key in lessons})
    result = teach_it(db, config, shipped)
    assert (result.status, result.reason) == ("unchanged", "no topic could be taught yet")
    assert "The model in use stays: shipped." in list(teach.lines(result))
    assert models.listed(db) == []
    assert not models.folder(db).exists()
    assert '"tides" is tagged by its rules: 2 yes and 1 no are missing before it can be learned' in result.notes
    assert models.champion(db) is None


def test_a_topic_that_its_rules_tell_better_stays_with_them(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    rows = db.execute("SELECT key FROM items JOIN texts ON item = id WHERE body LIKE '%buoy%' OR items.title LIKE '%buoy%'").fetchall()
    exact = {key: int(key in {row[0] for row in rows}) for some in keys.values() for key in some}
    say(db, "tides", exact)  # what is on the topic is exactly what the rule finds
    result = teach_it(db, config, shipped)
    assert any('"tides" is still tagged by its rules: the model is not better yet' in note for note in result.notes), result
    assert "tides" not in (tag.load(config, shipped, db=db).model or pytest.fail("no model")).topics


def test_lessons_move_a_shipped_topic_and_leave_the_others(shipped: Path, db: sqlite3.Connection, config: settings.Config) -> None:
    from tracker.taggers.features import features_text
    from tracker.taggers.linear import topic_scores
    from tracker.taggers.stored_model import load

    keys = fill(db, config)
    say(db, "memory", dict.fromkeys(keys["tides"], 1) | dict.fromkeys(keys[""], 0))
    model = load(shipped)
    given = teach.material(db, config, str(model.about["sha256"]))
    assert not {lesson.item.key for lesson in given.held} & {lesson.item.key for lesson in given.lessons}
    assert all(in_holdout(lesson.item.key) for lesson in given.held)
    made = learn.correct(model, "memory", given.lessons)
    held = [features_text(lesson.item.title, lesson.item.text) for lesson in given.held if lesson.yes]
    kinds = ["paper"] * len(held)
    before, after = topic_scores(held, kinds, model), topic_scores(held, kinds, made)
    memory, skills = model.topics.index("memory"), model.topics.index("skills")
    assert after[:, memory].mean() > before[:, memory].mean() + 0.2
    assert np.abs(after[:, skills] - before[:, skills]).max() < 1e-6
    assert learn.correct(model, "memory", given.lessons).weights.tobytes() == made.weights.tobytes()


def test_a_label_taken_back_is_forgotten(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "memory", right(keys, "memory"))
    first = teach_it(db, config, shipped)
    with transaction(db):
        extra = labels.add(db, keys["memory"][0], "topic:memory", 0, who="bob", picked="browse", now="2026-06-11T00:00:00Z")
    teach_it(db, config, shipped)
    with transaction(db):
        labels.withdraw(db, extra, now="2026-06-11T01:00:00Z")
    assert teach_it(db, config, shipped).model == first.model


# -- sentences ----------------------------------------------------------------------------------------


def test_nothing_to_learn(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    with pytest.raises(TrackerError, match="there are no labels yet; `tracker label` asks for some"):
        teach_it(db, config, shipped)
    say(db, "memory", {"arxiv:2505.99999": 1})
    with pytest.raises(TrackerError, match="the 1 labels are of items that are not in this database"):
        teach_it(db, config, shipped)
    say(db, "memory", {next(key for key in keys["memory"] if in_holdout(key)): 1})
    with pytest.raises(TrackerError, match="held out to judge by"):
        teach_it(db, config, shipped)


def test_one_label_is_no_lesson(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "memory", {next(key for key in keys["memory"] if not in_holdout(key)): 1})
    result = teach_it(db, config, shipped)
    assert result.status == "unchanged"
    assert '"memory" stays as it is: 4 more labels are needed before it is corrected' in result.notes
    assert models.listed(db) == []


def test_labels_of_absent_items_are_counted_and_said(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "memory", right(keys, "memory") | {"arxiv:2505.99999": 1, "url:https://x.example.org/": 0})
    result = teach_it(db, config, shipped)
    assert result.absent == 2
    said = "2 labels are of items that are not in this database; they are kept, and count when the items are there."
    assert said in list(teach.lines(result))


def test_unchanged_labels_fit_nothing(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "memory", right(keys, "memory"))
    first = teach_it(db, config, shipped)
    assert first.status == "promoted", first
    assert "tracker tag --again --since 30d" in "\n".join(teach.lines(first))
    again = teach_it(db, config, shipped)
    assert (again.status, again.model) == ("unchanged", first.model)
    assert f"Nothing to learn: no label has changed since the model in use was trained ({first.model})." in list(teach.lines(again))
    assert len(models.listed(db)) == 1


# -- the gate ------------------------------------------------------------------------------------------


def trial(challenger: np.ndarray, n: int = 200, topic: str = "memory") -> gate.Trial:
    truth = np.arange(n) % 4 == 0
    champion = truth * 1.0 + np.random.default_rng(1).normal(0, 0.6, n)
    scores = champion + challenger
    return gate.Trial(topic, tuple(f"k{i}" for i in range(n)), truth, champion, scores, champion > 0.5, scores > 0.5)


NOISE = np.random.default_rng(2).normal(0, 1.0, 200)


@pytest.mark.parametrize(
    ("change", "promoted", "words"),
    [
        (np.zeros(200), True, "no better and no worse, so nothing is lost"),
        ((np.arange(200) % 4 == 0) * 0.5, True, "mean of 1 topics"),
        (NOISE * (np.arange(200) % 4 != 0) * 0.25, False, 'on "memory" would go from'),
        ((np.arange(200) % 4 == 0) * -0.3, False, "would find"),
        (np.full(200, 0.8), False, "would be right, where the model in use has"),
    ],
    ids=["equal", "better", "worse order", "finds less", "tags too much"],
)
def test_the_gate(change: np.ndarray, promoted: bool, words: str) -> None:
    verdict = gate.judge([trial(change)], {"memory"})
    assert verdict.promoted is promoted, verdict
    assert words in verdict.reason
    assert gate.judge([trial(change)], {"memory"}) == verdict


def test_held_out_labels_that_are_wrong_do_not_outvote_those_of_the_release() -> None:
    """Ten right labels came with the release; of a hundred of the user's own, all wrong, the challenger has learned its lesson."""
    right = np.arange(20) < 10
    truth = np.concatenate([right, np.arange(100) < 50])
    champion = np.concatenate([right * 0.8, (np.arange(100) >= 50) * 0.8])
    challenger = np.concatenate([~right * 0.8, (np.arange(100) < 50) * 0.8])
    trial = gate.Trial("t", tuple(f"k{i}" for i in range(120)), truth, champion, challenger, champion > 0.5, challenger > 0.5, seed=20)
    verdict = gate.judge([trial], {"t"})
    assert not verdict.promoted
    assert 'came with the release "t" would fall from 1.000' in verdict.reason
    assert gate.judge([replace(trial, seed=0)], {"t"}).promoted


def test_the_gate_wants_fifty_labels() -> None:
    verdict = gate.judge([trial(np.zeros(200)[:34], 34)], {"memory"})
    assert verdict == gate.Verdict(
        False, "34 held-out labels, 50 needed; label about 80 more with `tracker label --random` (every fifth is held out)"
    )


def test_small_losses_do_not_add_up_from_champion_to_champion() -> None:
    right = np.arange(80) < 30
    worn = right * 0.8 - (np.arange(80) < 8) * 0.9
    trial = gate.Trial("t", tuple(f"k{i}" for i in range(80)), right, worn, worn, worn > 0.5, worn > 0.5, seed=80)
    assert gate.judge([trial], {"t"}).promoted
    for scores, tagged in ((right * 0.8, worn > 0.5), (worn, right)):
        verdict = gate.judge([replace(trial, shipped=scores, shipped_tagged=tagged)], {"t"})
        assert not verdict.promoted
        assert 'on the labels that came with the release "t" would fall from' in verdict.reason


def test_the_measure_on_the_seed_is_the_shipped_model(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    from tracker.holdout import load_holdout
    from tracker.taggers.stored_model import load

    model, holdout = load(shipped), load_holdout(shipped)
    moved = replace(model, bias=model.bias - 1)
    (first, *_), (second, *_) = (teach.trials(holdout, model, one, moved, [], config) for one in (model, moved))
    assert first.shipped is not None
    assert second.shipped is not None
    assert (first.champion == first.shipped).all()
    assert (second.shipped == first.shipped).all()
    assert (second.champion < second.shipped).all()
    strict = replace(config, topics=tuple(replace(topic, threshold=0.0) for topic in config.topics))
    (trial, *_) = teach.trials(holdout, model, model, model, [], strict)
    assert trial.champion_tagged.all() > first.champion_tagged.all()  # the user's own threshold is what the product tags by


def test_a_draw_without_a_positive_is_no_proof() -> None:
    nothing = np.full(50, np.nan)
    assert gate._chance(np.concatenate([nothing, np.full(12, 0.1), np.zeros(38)])) == pytest.approx(0.24)
    assert gate._chance(nothing) == 1.0


def test_labels_of_one_answer_judge_no_topic() -> None:
    assert [gate.judges(np.arange(50) < yes) for yes in (0, 19, 20, 30, 31, 50)] == [False, False, True, True, False, False]
    assert not gate.judges(np.arange(49) < 25)
    none = gate.Trial("t", tuple(f"k{i}" for i in range(50)), np.zeros(50, bool), *[np.zeros(50)] * 2, *[np.zeros(50, bool)] * 2)
    assert gate.judge([none], {"t"}) == gate.Verdict(False, 'no held-out item on "t" to judge by; label some more that are on it')


def test_held_out_labels_of_one_answer_do_not_replace_the_rules(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config, 80)
    rows = db.execute("SELECT key FROM items JOIN texts ON item = id WHERE body LIKE '%buoy%' OR items.title LIKE '%buoy%'").fetchall()
    exact = {key: int(key in {row[0] for row in rows} and not in_holdout(key)) for some in keys.values() for key in some}
    say(db, "tides", exact)
    result = teach_it(db, config, shipped)
    assert result.held >= 50
    assert any('"tides" is still tagged by its rules' in note for note in result.notes), result


def test_what_judges_never_teaches(db: sqlite3.Connection, config: settings.Config) -> None:
    keys = fill(db, config)
    held = [key for some in keys.values() for key in some if in_holdout(key)]
    say(db, "memory", dict.fromkeys(held, 0))
    given = teach.material(db, config, "")
    assert {lesson.item.key for lesson in given.held} == set(held)
    assert given.recent
    assert not any(in_holdout(item.key) for item in given.recent)
    known = teach.material(db, config, "", frozenset(held[:3]))
    assert {lesson.item.key for lesson in known.held} == set(held[3:])
    assert known.seen == 3


def test_held_out_labels_picked_at_random_have_figures_of_their_own(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config, 60)
    said = right(keys, "memory", 60)
    held = [key for key in said if in_holdout(key)]
    say(db, "memory", {key: value for key, value in said.items() if key not in held[:25]})
    with transaction(db):
        for key in held[:25]:
            labels.add(db, key, "topic:memory", said[key], who="ann", picked="random", now="2026-06-10T00:00:00Z")
    teach_it(db, config, shipped)
    (found,) = db.execute("SELECT topic, positives + negatives FROM model_scores WHERE split = 'random'").fetchall()
    assert tuple(found) == ("memory", 25)


def test_a_topic_that_falls_back_to_its_rules_is_told(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    say(db, "tides", right(keys, "tides"))
    assert teach_it(db, config, shipped).status == "promoted"
    rows = db.execute("SELECT key FROM items JOIN texts ON item = id WHERE body LIKE '%buoy%' OR items.title LIKE '%buoy%'").fetchall()
    say(db, "tides", {key: int(key in {row[0] for row in rows}) for some in keys.values() for key in some}, "2026-06-11T00:00:00Z")
    say(db, "memory", right(keys, "memory"))
    result = teach_it(db, config, shipped)
    assert result.status == "promoted", result
    assert any('"tides" is tagged by its rules again' in note for note in result.notes), result


def test_wrong_labels_are_not_promoted(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> None:
    keys = fill(db, config)
    wrong = {key: 1 - value for key, value in right(keys, "memory").items() if not in_holdout(key)}
    say(db, "memory", wrong)
    result = teach_it(db, config, shipped)
    assert result.status == "rejected"
    assert '"memory"' in result.reason
    assert models.champion(db) is None
    assert tag.load(config, shipped, db=db).model.name.startswith("topics-")  # type: ignore[union-attr]
    assert models.listed(db)[0].reason == result.reason
    chosen = teach.choose(db, result.model, now=NOW, shipped_dir=shipped)
    assert f"The gate had rejected it: {result.reason}." in list(teach.lines(chosen))


# -- the way back, and damage ------------------------------------------------------------------------------


@pytest.fixture
def taught(db: sqlite3.Connection, config: settings.Config, shipped: Path) -> str:
    keys = fill(db, config)
    say(db, "memory", right(keys, "memory"))
    result = teach_it(db, config, shipped)
    assert result.status == "promoted", result
    return result.model


def test_back_and_forth(db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str) -> None:
    back = teach.choose(db, "shipped", now=NOW, shipped_dir=shipped)
    assert "The model in use is now shipped; the next run tags with it." in list(teach.lines(back))
    assert models.champion(db) is None
    assert tag.load(config, shipped, db=db).instead == ""
    assert any("shipped model is in use" in line for line in teach.listed_lines(models.listed(db)))
    teach.choose(db, taught, now=NOW, shipped_dir=shipped)
    assert (models.champion(db) or pytest.fail("none")).id == taught
    with pytest.raises(TrackerError, match=f"there is no model 'own-nothing'; there are {taught}, shipped"):
        teach.choose(db, "own-nothing", now=NOW, shipped_dir=shipped)
    assert (models.champion(db) or pytest.fail("none")).id == taught


@pytest.mark.parametrize("how", ["missing", "cut", "swapped", "other release"])
def test_a_champion_that_cannot_be_used_is_replaced_by_the_shipped_model(
    how: str, db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str, tmp_path: Path
) -> None:
    folder, used = models.folder(db) / taught, shipped
    if how == "missing":
        shutil.rmtree(folder)
    elif how == "cut":
        (folder / "weights.npz").write_bytes((folder / "weights.npz").read_bytes()[:1000])
    elif how == "swapped":
        shutil.rmtree(folder)
        shutil.copytree(shipped, folder)
    else:
        used = tmp_path / "newer"
        build(examples(240, seed=9), used)
    taggers = tag.load(config, used, db=db)
    assert taggers.model is not None
    assert taggers.model.name.startswith("topics-")
    assert "the shipped model tags in its place; `tracker train` makes it anew" in taggers.instead
    assert taught in taggers.instead
    seen = tag.preview(db, config, datetime(2026, 5, 1, tzinfo=UTC), taggers=taggers)
    assert next(iter(tag.preview_lines(seen))).startswith(f"This is what the shipped model would say: the model {taught} ")
    assert seen.as_dict()["problem"] == taggers.instead
    found = [finding for finding in doctor.check(db, config, NOW, used) if finding.what == taught]
    assert [finding.say for finding in found] == [taggers.instead]
    with pytest.raises(ModelError):
        teach.choose(db, taught, now=NOW, shipped_dir=used)
    assert teach_it(db, config, used).status == "promoted"
    assert tag.load(config, used, db=db).instead == ""


def test_a_champion_that_cannot_be_loaded_does_not_stay(
    db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str
) -> None:
    shutil.rmtree(models.folder(db) / taught)
    wrong = {key: 1 - value for key, value in db.execute("SELECT key, value FROM labelled") if not in_holdout(key)}
    say(db, "memory", wrong, "2026-06-11T00:00:00Z")
    result = teach_it(db, config, shipped)
    assert result.status == "rejected"
    assert list(teach.lines(result))[-1] == f"The model {taught} cannot be used, so the shipped one goes on tagging in its place."


def test_a_model_lies_in_its_own_folder_only(db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str) -> None:
    folder = models.folder(db)
    assert (folder / taught).stat().st_mode == folder.stat().st_mode  # not closed to others, as temporary folders are
    shutil.copytree(folder / taught, folder.parent / "outside")
    with transaction(db):
        db.execute("UPDATE models SET artifact = '../outside'")
    taggers = tag.load(config, shipped, db=db)
    assert "'../outside' is not the folder of a model that was trained here" in taggers.instead
    assert taggers.model is not None
    assert taggers.model.name.startswith("topics-")


def test_training_removes_old_models(
    db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "KEPT", 0)
    wrong = {key: 1 - value for key, value in db.execute("SELECT key, value FROM labelled") if not in_holdout(key)}
    say(db, "memory", wrong, "2026-06-11T00:00:00Z")
    assert teach_it(db, config, shipped).status == "rejected"
    assert [path.name for path in models.folder(db).iterdir()] == [one.id for one in models.listed(db)] == [taught]


def test_only_the_last_few_models_stay(db: sqlite3.Connection, taught: str) -> None:
    row = models.named(db, taught)
    assert row
    for n in range(models.KEPT + 2):
        name = f"own-0000000{n}"
        (models.folder(db) / name).mkdir()
        with transaction(db):
            models.add(db, replace(row, id=name, artifact=name, status="rejected", trained_at=f"2026-06-13T0{n}:00:00Z"), [])
            models.prune(db)
    models.sweep(db)
    kept = [f"own-0000000{n}" for n in range(models.KEPT + 1, 1, -1)]
    assert [one.id for one in models.listed(db)] == [*kept, taught]
    assert sorted(path.name for path in models.folder(db).iterdir()) == sorted([*kept, taught])


def test_rules_tag_when_the_shipped_model_is_missing(db: sqlite3.Connection, config: settings.Config, tmp_path: Path, taught: str) -> None:
    taggers = tag.load(config, tmp_path / "nowhere", db=db)
    assert taggers.model is None
    assert "model.json" in taggers.without_model


def test_the_command(db: sqlite3.Connection, taught: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from tracker.cli import cli

    (tmp_path / "feeds.toml").write_text('[feeds.lab]\nurl = "https://lab.example.org/feed.xml"\n')
    where = ["--config", str(tmp_path / "feeds.toml"), "--db", str(tmp_path / "data/tracker.db")]

    def said(*arguments: str) -> str:
        return CliRunner().invoke(cli, ["train", *arguments, *where]).output

    assert f"{taught}  2026-06-12T06:00:00Z" in said("--list")
    assert " champion: average precision on " in said("--list")
    assert "The model in use is now shipped" in said("--champion", "shipped")
    assert "The shipped model is in use." in said("--list")
    assert "was made from the shipped model of another release" in said("--champion", taught)
    assert "say one thing" in said("--list", "--champion", "shipped")
    with store.run_lock(tmp_path / "data"):
        assert CliRunner().invoke(cli, ["train", *where]).exit_code == 75
    nowhere = CliRunner().invoke(cli, ["train", "--config", where[1], "--db", str(tmp_path / "none/tracker.db")])
    assert nowhere.exit_code == 1
    assert "there is no database" in nowhere.output


CHILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tracker import config, teach
from tracker.run import Tracker
from tracker.taggers import stored_model
real = stored_model.replace_file
def slow(path, data):
    real(path, data)
    print("written", path.name, flush=True)
    sys.stdin.read()
stored_model.replace_file = slow
from tests.test_teach import SOURCE, TOPICS
settings = config.Config("feeds.toml", "", "", (SOURCE,), TOPICS, (), (), ())
with Tracker(settings, sys.argv[1], now=datetime(2026, 6, 12, 7, tzinfo=UTC)) as tracker:
    teach.train(tracker.db, settings, now=tracker.now, shipped_dir=Path(sys.argv[2]))
"""


def test_kill_9_while_training_leaves_the_champion(db: sqlite3.Connection, config: settings.Config, shipped: Path, taught: str) -> None:
    say(db, "skills", dict.fromkeys([row[0] for row in db.execute("SELECT key FROM items WHERE id % 4 = 2")][:30], 1))
    path = db.execute("PRAGMA database_list").fetchone()[2]
    child = subprocess.Popen([sys.executable, "-c", CHILD, path, str(shipped)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    assert child.stdout.readline().startswith("written")
    assert not [one for one in doctor.check(db, config, NOW, shipped) if one.what == "models"]  # at work: not swept
    assert models.left(db)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    assert (models.champion(db) or pytest.fail("none")).id == taught
    assert (tag.load(config, shipped, db=db).model or pytest.fail("none")).name == taught
    assert [one.say for one in doctor.check(db, config, NOW, shipped) if one.what == "models"] == [
        "1 unfinished model of a training that was killed, removed now"
    ]
    assert not models.left(db)
    assert (models.folder(db) / taught / "weights.npz").exists()
