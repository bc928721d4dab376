"""Watches: the standing questions, and the items that bear on them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from tracker.store.items import IDS_PER_DAY
from tracker.store.tags import how
from tracker.types import Event, Facts, Watch

__all__ = ["archive", "done", "events", "facts", "looked", "looks", "save", "sync", "waiting"]


def sync(db: sqlite3.Connection, watches: Iterable[Watch], now: str) -> dict[str, int]:
    """Mirror the watches of feeds.toml; return those that have yet to look back, with the id they have looked up to.

    A new or edited watch begins at 0. Where it is stands in the database, so that a killed run does not end the search.
    """
    specs = {w.id: (w.question, json.dumps(asdict(w), sort_keys=True, ensure_ascii=False), w.since) for w in watches}
    present = {row[0]: (row[1], row[2]) for row in db.execute("SELECT id, spec, retired_at FROM watches")}
    changed = {watch for watch, spec in specs.items() if present.get(watch) != (spec[1], None)}
    db.executemany(
        """INSERT INTO watches(id, question, spec, since, looked_to) VALUES (?, ?, ?, ?, 0) ON CONFLICT(id) DO UPDATE SET
        question = excluded.question, spec = excluded.spec, since = excluded.since, looked_to = 0, retired_at = NULL""",
        [(watch, *specs[watch]) for watch in sorted(changed)],
    )
    gone = [watch for watch, (_, retired) in present.items() if watch not in specs and retired is None]
    db.executemany("UPDATE watches SET retired_at = ? WHERE id = ?", [(now, watch) for watch in gone])
    return dict(db.execute("SELECT id, looked_to FROM watches WHERE looked_to IS NOT NULL AND retired_at IS NULL").fetchall())


def looked(db: sqlite3.Connection, watches: Iterable[str], item: int | None) -> None:
    """Note up to which item watches have looked back; None: to the end."""
    db.executemany("UPDATE watches SET looked_to = ? WHERE id = ?", [(item, watch) for watch in watches])


def waiting(db: sqlite3.Connection, now: str, limit: int) -> list[Facts]:
    """Return what is known of the next items that wait for the watches."""
    rows = db.execute("SELECT item FROM pending WHERE stage = 'watch' AND due_at <= ? ORDER BY item LIMIT ?", (now, limit))
    return _facts(db, [row[0] for row in rows])


def archive(db: sqlite3.Connection, watches: Sequence[Watch], after: int, limit: int) -> list[Facts]:
    """Return what is known of the stored items beyond an id that watches could concern: by topic, by the words of their phrases."""
    topics = sorted({topic for w in watches for topic in w.topics})
    words = [" AND ".join(f'"{word}"' for word in _words(phrase)) for w in watches for phrase in w.phrases]
    values: dict[str, object] = {"after": after, "limit": limit, "topics": json.dumps(topics)}
    found = "SELECT item FROM item_topics WHERE tier = 'confident' AND topic IN (SELECT value FROM json_each(:topics)) AND item > :after"
    # What answered the question as it stood before must be looked at again, or an edit could not take it back.
    values["watches"] = json.dumps([w.id for w in watches])
    found += " UNION SELECT item FROM watch_events WHERE watch IN (SELECT value FROM json_each(:watches)) AND item > :after"
    if words:
        values["match"] = " OR ".join(f"({every})" for every in words if every)
        found += " UNION SELECT rowid FROM texts_fts WHERE texts_fts MATCH :match AND rowid > :after"
    rows = db.execute(f"SELECT item FROM ({found}) ORDER BY item LIMIT :limit", values)  # noqa: S608 - constants
    return _facts(db, [row[0] for row in rows])


def _words(phrase: str) -> list[str]:
    """The words of a rule pattern that must stand in a text: none that ends in ``*``, none of an alternation."""
    return re.findall(r"(?<![\w*])[a-z0-9]+(?![\w*])", re.sub(r"\([^)]*\)", " ", phrase.lower()))


def save(
    db: sqlite3.Connection, asked: Sequence[str], found: Sequence[tuple[int, list[Event]]], now: str, *, quiet: bool
) -> tuple[int, int]:
    """Store the events of items, and withdraw those whose ground is gone; return how many came and went."""
    came = went = 0
    for item, events in found:
        wanted = {(event.watch, event.lab): event for event in events}
        present = {
            (row["watch"], row["lab"]): row
            for row in db.execute("SELECT * FROM watch_events WHERE item = ?", (item,))
            if row["watch"] in asked
        }
        for key, event in wanted.items():
            came += _put(db, event, present.get(key), now, quiet)
        gone = [key for key, row in present.items() if key not in wanted and row["withdrawn_at"] is None]
        went += len(gone)
        db.executemany(
            "UPDATE watch_events SET withdrawn_at = ? WHERE watch = ? AND item = ? AND lab = ?",
            [(now, watch, item, lab) for watch, lab in gone],
        )
    return came, went


def _put(db: sqlite3.Connection, event: Event, row: sqlite3.Row | None, now: str, quiet: bool) -> int:
    reason = json.dumps(event.reason, ensure_ascii=False)
    if row and (row["rung"], row["reason"], row["withdrawn_at"]) == (event.rung, reason, None):
        return 0
    db.execute(
        """INSERT INTO watch_events(watch, item, lab, rung, at, found_at, score, reason, quiet) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(watch, item, lab) DO UPDATE SET rung = excluded.rung, score = excluded.score, reason = excluded.reason,
          withdrawn_at = NULL""",
        (event.watch, event.item, event.lab, event.rung, event.at, now, round(event.score, 4), reason, int(quiet)),
    )
    return int(row is None)


def done(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Take items off the queue."""
    db.executemany("DELETE FROM pending WHERE stage = 'watch' AND item = ?", [(item,) for item in items])


def events(db: sqlite3.Connection) -> dict[str, list[Event]]:
    """Return the events that stand, by watch, oldest first."""
    found: dict[str, list[Event]] = {}
    for row in db.execute("SELECT * FROM watch_events WHERE withdrawn_at IS NULL ORDER BY at, item"):
        found.setdefault(row["watch"], []).append(
            Event(row["watch"], row["item"], row["lab"], row["rung"], row["at"], row["score"], tuple(json.loads(row["reason"])))
        )
    return found


def facts(db: sqlite3.Connection, ids: Sequence[int]) -> list[Facts]:
    """Return what is known of items, texts included: ask for a batch, not for an archive."""
    return _facts(db, ids)


def looks(db: sqlite3.Connection) -> tuple[str | None, str | None]:
    """Return since when, and when last, any source has answered; None when none ever did."""
    row = db.execute("SELECT min(added_at), max(last_ok_at) FROM sources WHERE last_ok_at IS NOT NULL").fetchone()
    return row[0], row[1]


def _facts(db: sqlite3.Connection, ids: Sequence[int]) -> list[Facts]:
    values = {"ids": json.dumps(ids)}
    among = "(SELECT value FROM json_each(:ids))"
    labs = _labs(db, values, among)
    topics: dict[int, dict[str, tuple[float, str]]] = {}
    for row in db.execute(f"SELECT item, topic, score, tier FROM item_topics WHERE item IN {among}", values):  # noqa: S608 - constants
        topics.setdefault(row[0], {})[row[1]] = (row[2], row[3])
    links: dict[int, set[str]] = {}
    for row in db.execute(f"SELECT item, key FROM links WHERE item IN {among} AND key >= 'arxiv:' AND key < 'arxiv;'", values):  # noqa: S608
        links.setdefault(row[0], set()).add(row[1])
    rows = db.execute(
        f"""SELECT id, key, url, items.title, body, coalesce(published_at, first_seen_at) AS at, published_at, origin, act, act_cue
        FROM items JOIN texts ON texts.item = id WHERE id IN {among} ORDER BY id""",  # noqa: S608 - constants
        values,
    )
    return [
        Facts(
            row["id"], row["key"], row["url"], row["title"], row["body"], row["at"],
            row["origin"] or "press", row["act"], row["act_cue"] or "",
            labs.get((row["id"], "by"), {}), labs.get((row["id"], "about"), {}), topics.get(row["id"], {}),
            frozenset(links.get(row["id"], ())), row["published_at"] is not None,
        )
        for row in rows
    ]  # fmt: skip


def _labs(db: sqlite3.Connection, values: Mapping[str, object], among: str) -> dict[tuple[int, str], dict[str, str]]:
    """{(item, relation): {lab: how we know}}; a lab includes the labs whose parent it is, from the day on which it was."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    rows = db.execute(
        f"""WITH RECURSIVE up(item, lab, relation, method, evidence, depth) AS (
          SELECT item, lab, relation, method, evidence, 0 FROM item_labs
            WHERE item IN {among} AND relation IN ('by', 'about')
          UNION SELECT up.item, lab_parents.parent, relation, 'parent', up.lab, depth + 1 FROM up
            JOIN lab_parents ON lab_parents.lab = up.lab WHERE depth < 5
              AND (since IS NULL OR replace(since, '-', '') * {IDS_PER_DAY} <= up.item))
        SELECT item, lab, relation, method, evidence FROM up ORDER BY depth DESC, method DESC""",  # noqa: S608 - constants
        dict(values),
    )
    for row in rows:
        found.setdefault((row[0], row[2]), {})[row[1]] = how(row[3], row[4])
    return found
