"""Teach: a challenger from the user's labels, judged at the gate, promoted or not; and the way back.

in   the labels that stand with the texts of their items, the shipped model with its holdout, the model in use
out  a folder under ``models/`` beside the database, a row in ``models`` with its figures; a ``Result`` to tell
refuses to know how a model is fitted (``learn``) and when it is better (``gate``).
Every fifth item (``in_holdout``) judges and never teaches; an item of these that the shipped model has learned from (``Holdout.seen``)
does neither. Surprising: the challenger is always made anew from the shipped model and all labels, never from the champion, so that
nothing is learned twice and a label taken back is forgotten.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracker.clock import iso
from tracker.config import DEFAULTS, Config
from tracker.errors import ModelError, TrackerError
from tracker.store import labels, models, stored, transaction
from tracker.types import Item

if TYPE_CHECKING:
    from tracker.gate import Trial
    from tracker.learn import Lesson, Own
    from tracker.taggers.linear import LinearModel

__all__ = ["PREFIX", "Material", "Result", "challenger", "choose", "lines", "listed_lines", "material", "train", "trials"]

PREFIX = "own"
SHIPPED = "shipped"
RECENT = 1_000  # items beside which a topic of the user's own is learned; it takes some seconds
AGAIN = "`tracker tag --again --since 30d --dry-run` shows what it would change on items that are tagged already; without --dry-run it does"


@dataclass(frozen=True, slots=True)
class Material:
    """What there is to learn from and to judge by. ``absent`` labels speak of items that are not in this database.

    ``seen`` labels are of held-out items that the shipped model has learned from.
    """

    lessons: tuple[Lesson, ...]
    held: tuple[Lesson, ...]
    absent: int
    recent: tuple[Item, ...]
    digest: str
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. ``status`` is promoted, rejected, unchanged or chosen; ``notes`` say what else a person should know.

    ``stays`` names the model that goes on tagging.
    """

    status: str
    model: str
    reason: str
    labels: int
    held: int
    absent: int
    notes: tuple[str, ...] = ()
    stays: str = ""

    def as_dict(self) -> dict[str, object]:
        """The result for ``--json``."""
        return asdict(self)


def train(db: sqlite3.Connection, config: Config, *, now: datetime, shipped_dir: Path = DEFAULTS / "model") -> Result:
    """Fit a challenger and let the gate judge it. The run lock must be held; the champion stays until the one transaction that replaces it.

    Raises:
        TrackerError: there are no labels to learn from, or no shipped model to begin with.
    """
    from tracker import gate
    from tracker.holdout import load_holdout
    from tracker.learn import LEAST
    from tracker.taggers.stored_model import load

    shipped, holdout = load(shipped_dir), load_holdout(shipped_dir)
    given = material(db, config, str(shipped.about["sha256"]), holdout.seen)
    if not given.lessons:
        raise TrackerError(_nothing(given))
    before, usable = models.champion(db), None
    if before:
        usable = in_use(db, before, shipped)
        if usable and before.labels_hash == given.digest:
            why = "no label has changed since the model in use was trained"
            return Result("unchanged", before.id, why, len(given.lessons), len(given.held), given.absent)
    made, own, notes = challenger(shipped, config, given)
    stays = f"The model in use stays: {before.id if before else SHIPPED}."
    if before and not usable:
        stays = f"The model {before.id} cannot be used, so the shipped one goes on tagging in its place."
    if given.seen:
        notes.append(f"{given.seen} labels neither teach nor judge: the shipped model has learned from these held-out items")
    lessons = Counter(lesson.topic for lesson in given.lessons)
    taught = {topic for topic, count in lessons.items() if topic in made.topics and count >= LEAST}
    if not taught:
        why = "no topic could be taught yet"
        return Result("unchanged", "", why, len(given.lessons), len(given.held), given.absent, tuple(notes), stays)
    dropped = _dropped(usable or shipped, made, config)
    tests = trials(holdout, shipped, usable or shipped, made, given.held, config)
    verdict = gate.judge(tests, taught | set(dropped))
    if verdict.promoted:
        notes += [f'"{topic}" is tagged by its rules again: your labels no longer make a model that tells it better' for topic in dropped]
    name, digest = _write(models.folder(db), made)
    row = models.Stored(
        name, iso(now), "champion" if verdict.promoted else "rejected", len(given.lessons), given.digest, name, digest, verdict.reason
    )
    with transaction(db):
        if before and not verdict.promoted and before.id == name:  # made before, in use, and now judged by other labels
            row = replace(row, status="champion", trained_at=before.trained_at)
        models.add(db, row, [*_scores(tests, made, config), *_own_scores(own, made), *_random_scores(given.held, made, config)])
        models.prune(db)
    models.sweep(db)
    status = "promoted" if verdict.promoted else "rejected"
    return Result(status, name, verdict.reason, len(given.lessons), len(given.held), given.absent, tuple(notes), stays)


def _dropped(champion: LinearModel, made: LinearModel, config: Config) -> list[str]:
    """Return the topics that the model in use knows, and the challenger leaves to their rules."""
    return [topic.id for topic in config.topics if topic.id in champion.topics and topic.id not in made.topics]


def material(db: sqlite3.Connection, config: Config, shipped: str, seen: Collection[str] = ()) -> Material:
    """Return the labels that stand, by the texts of their items; of several people on one item and topic the last counts.

    Args:
        seen: keys that must not judge although they are held out (``Holdout.seen``).
    """
    from tracker.holdout import in_holdout
    from tracker.learn import Lesson

    topics = {f"topic:{topic.id}": topic for topic in config.topics}
    said = {(label.key, label.tag): label for label in labels.current(db) if label.tag in topics}
    items = {item.key: item for item in stored.by_keys(db, sorted({key for key, _ in said}))}
    found = [
        Lesson(items[key], label.tag.removeprefix("topic:"), bool(label.value), label.picked)
        for (key, _), label in sorted(said.items())
        if key in items
    ]
    spoken = [[lesson.item.key, lesson.topic, lesson.yes, lesson.item.title, lesson.item.text] for lesson in found]
    rules = [[topic.id, topic.include, topic.exclude] for tag, topic in sorted(topics.items()) if any(tag == at for _, at in said)]
    digest = hashlib.sha256(json.dumps([shipped, spoken, rules]).encode()).hexdigest()
    recent = tuple(item for item in stored.newest(db, RECENT) if not in_holdout(item.key))  # what judges never teaches, by rules neither
    lessons, apart = ([one for one in found if in_holdout(one.item.key) is part] for part in (False, True))
    held = [one for one in apart if one.item.key not in seen]
    return Material(tuple(lessons), tuple(held), len(said) - len(found), recent, digest, len(apart) - len(held))


def _nothing(given: Material) -> str:
    if given.absent and not given.held and not given.seen:
        return f"nothing to learn from: the {given.absent} labels are of items that are not in this database; poll their sources first"
    if held := len(given.held) + given.seen:
        return f"nothing to learn from yet: the {held} labels are held out to judge by (every fifth is); `tracker label` adds some"
    return "nothing to learn from: there are no labels yet; `tracker label` asks for some"


def in_use(db: sqlite3.Connection, row: models.Stored, shipped: LinearModel) -> LinearModel | None:
    """Return the stored model, or None where it cannot be used with this shipped model."""
    from tracker.tag import own_model

    try:
        return own_model(db, row, shipped)
    except ModelError:
        return None


# -- the challenger -------------------------------------------------------------------------------------


def challenger(shipped: LinearModel, config: Config, given: Material) -> tuple[LinearModel, dict[str, Own], list[str]]:
    """Return the model that the lessons make of the shipped one, how topics of the user's own fare, and what to say of them."""
    from tracker import learn

    by_topic: dict[str, list[Lesson]] = {}
    for lesson in given.lessons:
        by_topic.setdefault(lesson.topic, []).append(lesson)
    model, own, notes = shipped, {}, []
    for topic in config.topics:
        lessons = by_topic.get(topic.id, [])
        if not lessons:
            continue
        if topic.id in shipped.topics:
            if len(lessons) < learn.LEAST:  # one label moved seventeen items of a month: that is an opinion, not a lesson
                notes.append(f'"{topic.id}" stays as it is: {learn.LEAST - len(lessons)} more labels are needed before it is corrected')
                continue
            model = learn.correct(model, topic.id, lessons)
            continue
        yes = sum(lesson.yes for lesson in lessons)
        missing = [f"{learn.LEAST - n} {word}" for n, word in ((yes, "yes"), (len(lessons) - yes, "no")) if n < learn.LEAST]
        if missing:
            notes.append(f'"{topic.id}" is tagged by its rules: {" and ".join(missing)} are missing before it can be learned')
            continue
        able, own[topic.id] = learn.learn_own(model, topic, lessons, given.recent)
        held = _held(given.held, topic.id)
        notes.append(_own_sentence(topic.id, own[topic.id], held))
        if own[topic.id].better or held:
            model = able
    about = {"trained": {"labels": len(given.lessons), "on": sorted(by_topic)}, "shipped": shipped.about["sha256"]}
    return replace(model, name="unsaved", about=about), own, notes


def _held(held: Sequence[Lesson], topic: str) -> int:
    """Return how many held-out labels judge a topic of the user's own; 0 where they are too few, and cross-validation does."""
    import numpy as np

    from tracker.gate import judges

    truth = np.array([lesson.yes for lesson in held if lesson.topic == topic], bool)
    return len(truth) if judges(truth) else 0


def _own_sentence(topic: str, own: Own, held: int) -> str:
    figures = (
        f"average precision {own.model.average_precision:.3f} against {own.rules.average_precision:.3f}, "
        f"F1 {own.model.f1:.3f} against {own.rules.f1:.3f}, cross-validated on {own.yes} yes and {own.no} no"
    )
    if held:
        return f'"{topic}" is judged by its {held} held-out labels ({figures})'
    if own.better:
        return f'"{topic}" is learned: the model tells it better than its rules ({figures})'
    return f'"{topic}" is still tagged by its rules: the model is not better yet ({figures})'


# -- the trial --------------------------------------------------------------------------------------------


def trials(
    holdout: Any, shipped: LinearModel, champion: LinearModel, made: LinearModel, held: Sequence[Lesson], config: Config
) -> list[Trial]:
    """Return what champion and challenger say of the seed's holdout and of the user's held-out labels, by topic.

    On the seed's rows a model is its weights less the shipped ones, added to decisions of models that had not seen
    the row. A user's label of such an item overrules the seed's.
    """
    import numpy as np

    from tracker.gate import Trial

    seed = {key: n for n, key in enumerate(holdout.keys)}
    on_seed = [_seed_scores(holdout, shipped, model) for model in (champion, made, shipped)]
    found = []
    for topic in (*made.topics, *_dropped(champion, made, config)):
        own = [lesson for lesson in held if lesson.topic == topic]
        if topic not in holdout.topics and not _held(own, topic):
            continue  # cross-validation has judged it
        new = [lesson for lesson in own if topic not in holdout.topics or lesson.item.key not in seed]
        keys, truth, parts = [lesson.item.key for lesson in new], [lesson.yes for lesson in new], []
        for n, model in enumerate((champion, made)):
            parts.append(_said(model, topic, new, config))
            if topic in holdout.topics:
                j = shipped.topics.index(topic)
                old = (on_seed[n][:, j], _tagged(on_seed[n][:, j], holdout.kinds, model, topic, config))
                parts[n] = (np.concatenate([old[0], parts[n][0]]), np.concatenate([old[1], parts[n][1]]))
        if topic in holdout.topics:
            overruled = {lesson.item.key: lesson.yes for lesson in own if lesson.item.key in seed}
            column = holdout.truth[:, holdout.topics.index(topic)].tolist()
            truth = [overruled.get(key, value) for key, value in zip(holdout.keys, column, strict=True)] + truth
            keys = [*holdout.keys, *keys]
        (champion_scores, champion_tagged), (scores, tagged) = parts
        trial = Trial(topic, tuple(keys), np.array(truth, bool), champion_scores, scores, champion_tagged, tagged)
        if topic in holdout.topics:
            prior = on_seed[2][:, j]
            trial = replace(
                trial, seed=len(holdout.keys), shipped=prior, shipped_tagged=_tagged(prior, holdout.kinds, shipped, topic, config)
            )
        found.append(trial)
    return found


def _seed_scores(holdout: Any, shipped: LinearModel, model: LinearModel) -> Any:
    import numpy as np

    from tracker.taggers.linear import logits, sigmoid
    from tracker.train import matrix

    columns = len(shipped.bias)
    moved = np.asarray(model.weights[:, :columns], np.float64) - shipped.weights
    decided = holdout.decisions + matrix(holdout.rows, shipped.space.size) @ moved + (model.bias[:columns] - shipped.bias)
    return sigmoid(logits(decided, holdout.kinds, shipped))


def _tagged(scores: Any, kinds: Sequence[str], model: LinearModel, topic: str, config: Config) -> Any:
    """What the product would tag, less what rules lift: there are no texts of the seed's rows for them to match."""
    import numpy as np

    return scores >= np.array([_threshold(model, kind, topic, config) for kind in kinds])


def _threshold(model: LinearModel, kind: str, topic: str, config: Config) -> float:
    own = next((one.threshold for one in config.topics if one.id == topic), None)
    return model.heads[kind].maybe[topic] if own is None else own


def _said(model: LinearModel, topic: str, lessons: Sequence[Lesson], config: Config) -> tuple[Any, Any]:
    """Scores and tags of the items of lessons; of a topic that the model does not know, the rules' yes or no."""
    import numpy as np

    from tracker.taggers.features import features_text
    from tracker.taggers.linear import topic_scores
    from tracker.taggers.topics import TopicTagger, kind_of

    if not lessons:
        return np.zeros(0), np.zeros(0, bool)
    items = [lesson.item for lesson in lessons]
    if topic not in model.topics:
        rules = TopicTagger([one for one in config.topics if one.id == topic], None)
        hits = np.array([bool(found) for found in rules.tag(items)], bool)
        return hits.astype(float), hits
    kinds = [kind_of(item.key) for item in items]
    texts = [features_text(item.title, item.text) for item in items]
    scores = topic_scores(texts, kinds, model)[:, model.topics.index(topic)].astype(np.float64)
    return scores, _tagged(scores, kinds, model, topic, config)


def _scores(tests: Sequence[Trial], made: LinearModel, config: Config) -> Iterator[models.Score]:
    for trial in tests:
        yield _score("holdout", trial.topic, trial.truth, (trial.challenger, trial.challenger_tagged), made, config)


def _random_scores(held: Sequence[Lesson], made: LinearModel, config: Config) -> Iterator[models.Score]:
    """Figures on held-out labels that were picked at random: the others were picked for being unsure, and tell of such items alone."""
    import numpy as np

    from tracker.gate import POSITIVES

    for topic in made.topics:
        lessons = [lesson for lesson in held if lesson.topic == topic and lesson.picked == "random"]
        if len(lessons) >= POSITIVES:
            truth = np.array([lesson.yes for lesson in lessons], bool)
            yield _score("random", topic, truth, _said(made, topic, lessons, config), made, config)


def _score(split: str, topic: str, truth: Any, said: tuple[Any, Any], made: LinearModel, config: Config) -> models.Score:
    from tracker.gate import figures

    one = figures(truth, *said)
    threshold = _threshold(made, "paper", topic, config) if topic in made.topics else None
    return models.Score(split, topic, one.positives, one.negatives, one.average_precision, one.precision, one.recall, threshold)


def _own_scores(own: dict[str, Own], made: LinearModel) -> Iterator[models.Score]:
    for topic, one in own.items():
        if topic in made.topics:
            threshold = made.heads["paper"].maybe[topic]
            yield models.Score("cross-validation", topic, one.yes, one.no, round(one.model.average_precision, 4), None, None, threshold)


# -- files --------------------------------------------------------------------------------------------------


def _write(folder: Path, model: LinearModel) -> tuple[str, str]:
    """Store a model under its name; return name and hash. A killed training leaves a folder ``.training-*`` and nothing else."""
    from tracker.taggers.stored_model import load, save

    try:
        folder.mkdir(parents=True, exist_ok=True)
        making = folder / f"{models.UNFINISHED}{secrets.token_hex(4)}"
        making.mkdir()  # not mkdtemp: its folders are closed to a Datasette that runs as somebody else
        name = save(model, making, prefix=PREFIX)
        digest = str(load(making).about["sha256"])
        place = folder / name
        if place.exists():  # the same labels make the same model; what lies there may be damaged
            for part in ("weights.npz", "model.json"):
                (making / part).replace(place / part)
            shutil.rmtree(making)
        else:
            making.rename(place)
    except OSError as error:
        raise TrackerError(f"{folder}: the model cannot be written ({error.strerror}); nothing is changed") from None
    return name, digest


# -- the way back -------------------------------------------------------------------------------------------


def choose(db: sqlite3.Connection, model: str, *, now: datetime, shipped_dir: Path = DEFAULTS / "model") -> Result:
    """Make a stored model, or the shipped one, the model in use.

    Raises:
        TrackerError: there is no such model, or it cannot be used.
    """
    from tracker.tag import own_model
    from tracker.taggers.stored_model import load

    row = models.named(db, model)
    if model != SHIPPED and row is None:
        known = ", ".join([one.id for one in models.listed(db)] + [SHIPPED])
        raise TrackerError(f"there is no model {model!r}; there are {known}")
    if row:
        own_model(db, row, load(shipped_dir))
    reason, notes = f"chosen by hand on {iso(now)[:10]}", []
    if row and row.status == "rejected":
        notes.append(f"The gate had rejected it: {row.reason}")
        reason += f"; the gate had rejected it: {row.reason}"
    with transaction(db):
        models.choose(db, row.id if row else None, reason)
    return Result("chosen", model, reason, row.labels_n if row else 0, 0, 0, tuple(notes))


# -- what is said -------------------------------------------------------------------------------------------


def lines(result: Result) -> Iterator[str]:
    """Yield the result of ``train`` and ``choose`` for a person."""
    if result.status == "chosen":
        yield f"The model in use is now {result.model}; the next run tags with it."
        yield from (f"{note}." for note in result.notes)
        yield f"{AGAIN}."
        return
    yield f"{result.labels} labels to learn from, {result.held} held out to judge by."
    if result.absent:
        yield f"{result.absent} labels are of items that are not in this database; they are kept, and count when the items are there."
    for note in result.notes:
        yield f"{note}."
    if result.status == "unchanged":
        yield f"Nothing to learn: {result.reason}" + (f" ({result.model})." if result.model else ".")
        if result.stays:
            yield result.stays
        return
    yield f"{result.status.capitalize()} {result.model}: {result.reason}."
    if result.status == "promoted":
        yield "The next run tags with it; `tracker train --champion shipped` goes back."
        yield f"{AGAIN}."
    else:
        yield result.stays


def listed_lines(rows: Sequence[models.Stored]) -> Iterator[str]:
    """Yield the models that were trained here for a person, the newest first."""
    if not any(row.status == "champion" for row in rows):
        yield "The shipped model is in use."
    for row in rows:
        yield f"{row.id}  {row.trained_at}  {row.labels_n} labels  {row.status}: {row.reason}"
