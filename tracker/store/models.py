"""Models that were trained here: one row each, with its figures. The files lie beside the database, under ``models/<id>/``.

in   the verdict on a challenger; the wish to go back
out  rows of ``models`` and ``model_scores``; who is champion
refuses to know what a model is and what its files hold.
Surprising: no champion means that the shipped model tags. To go back is to choose a former champion, or none.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from tracker.errors import ModelError

__all__ = [
    "KEPT",
    "UNFINISHED",
    "Score",
    "Stored",
    "add",
    "champion",
    "choose",
    "folder",
    "left",
    "listed",
    "named",
    "place",
    "prune",
    "sweep",
]

UNFINISHED = ".training-"  # how the folder of a model is named until it is whole
KEPT = 5  # rejected and former models that stay, for the way back; each is a file of some megabytes
_NAME = re.compile(r"own-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of ``models``. ``status`` is champion, former or rejected; ``artifact`` a folder name under the database's ``models/``."""

    id: str
    trained_at: str
    status: str
    labels_n: int
    labels_hash: str
    artifact: str
    sha256: str
    reason: str


@dataclass(frozen=True, slots=True)
class Score:
    """A row of ``model_scores`` without its model."""

    split: str
    topic: str
    positives: int
    negatives: int
    average_precision: float | None
    precision: float | None
    recall: float | None
    threshold: float | None


_COLUMNS = "id, trained_at, status, labels_n, labels_hash, artifact, sha256, reason"


def champion(db: sqlite3.Connection) -> Stored | None:
    """Return the model in use, or None: the shipped one is."""
    row = db.execute(f"SELECT {_COLUMNS} FROM models WHERE status = 'champion'").fetchone()  # noqa: S608 - constants
    return Stored(*row) if row else None


def named(db: sqlite3.Connection, model: str) -> Stored | None:
    """Return the model with that id, if there is one."""
    row = db.execute(f"SELECT {_COLUMNS} FROM models WHERE id = ?", (model,)).fetchone()  # noqa: S608 - constants
    return Stored(*row) if row else None


def listed(db: sqlite3.Connection) -> list[Stored]:
    """Return all models, the newest first."""
    return [Stored(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM models ORDER BY trained_at DESC, rowid DESC")]  # noqa: S608


def add(db: sqlite3.Connection, model: Stored, scores: Iterable[Score]) -> None:
    """Store a model and its figures; a champion takes the place of the one before. Call it inside a transaction.

    The same labels make the same model, with the same name: its row then says what became of it last.
    """
    if model.status == "champion":
        _resign(db)
    db.execute("DELETE FROM model_scores WHERE model = ?", (model.id,))
    db.execute(
        f"""INSERT INTO models({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(id) DO UPDATE SET trained_at = excluded.trained_at, status = excluded.status, labels_n = excluded.labels_n,
          labels_hash = excluded.labels_hash, artifact = excluded.artifact, sha256 = excluded.sha256, reason = excluded.reason""",  # noqa: S608
        astuple(model),
    )
    db.executemany(
        """INSERT INTO model_scores(model, split, topic, positives, negatives, average_precision, precision, recall, threshold)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [(model.id, *astuple(score)) for score in scores],
    )


def choose(db: sqlite3.Connection, model: str | None, reason: str) -> None:
    """Make a model the champion; None: the shipped one. Call it inside a transaction."""
    _resign(db)
    if model is not None:
        db.execute("UPDATE models SET status = 'champion', reason = ? WHERE id = ?", (reason, model))


def prune(db: sqlite3.Connection) -> None:
    """Forget all but the newest ``KEPT`` models that are not in use; ``sweep`` removes their files. Call it inside a transaction."""
    old = [row.id for row in listed(db) if row.status != "champion"][KEPT:]
    for table, column in (("model_scores", "model"), ("models", "id")):
        db.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(one,) for one in old])  # noqa: S608 - constants


def _resign(db: sqlite3.Connection) -> None:
    db.execute("UPDATE models SET status = 'former' WHERE status = 'champion'")


# -- their folders ----------------------------------------------------------------------------------------


def folder(db: sqlite3.Connection) -> Path:
    """Return where the files of models lie: ``models`` beside the database."""
    return Path(db.execute("PRAGMA database_list").fetchone()[2]).parent / "models"


def place(db: sqlite3.Connection, model: Stored) -> Path:
    """Return the folder of a model.

    Raises:
        ModelError: the row names none of ours: a path out of the folder, say.
    """
    if not _NAME.fullmatch(model.artifact):
        raise ModelError(f"{model.artifact!r} is not the folder of a model that was trained here")
    return folder(db) / model.artifact


def left(db: sqlite3.Connection) -> list[Path]:
    """Return the folders of models that a killed training has left, or one at work is making."""
    known = {row[0] for row in db.execute("SELECT artifact FROM models")}
    return [path for path in sorted(folder(db).glob("*")) if path.is_dir() and _ours(path.name, known)]


def sweep(db: sqlite3.Connection) -> list[Path]:
    """Remove what killed trainings have left, and return it. Only under the run lock: another training may be at work."""
    gone = left(db)
    for path in gone:
        shutil.rmtree(path, ignore_errors=True)
    return gone


def _ours(name: str, known: set[str]) -> bool:
    return name.startswith(UNFINISHED) or (_NAME.fullmatch(name) is not None and name not in known)
