"""Watches: the standing questions, and the items that bear on them.

in   the questions of feeds.toml, events and near-misses that were matched
out  rows in watches, watch_events, near_misses and rungs; what is known of items (``Facts``), from the queue or, for a look back, from
     the archive
refuses to know how a rung is found and how a question is matched: a look back offers more than will match, never less.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any, NamedTuple

from tracker.store.clauses import clause
from tracker.store.items import IDS_PER_DAY
from tracker.store.stored import ARTICLE, TEXT
from tracker.store.tags import how
from tracker.types import Change, Event, Facts, Kept, Missed, Watch

__all__ = [
    "Looks", "archive", "done", "explain", "facts", "history", "kept", "looked", "looking", "looks", "misses", "near", "put_rungs", "rungs",
    "save", "save_near", "sync", "waiting",
]  # fmt: skip


class Looks(NamedTuple):
    """What was looked at: since when and up to when (None: never), how many sources, and how many of them have an open gap."""

    since: str | None
    until: str | None
    sources: int
    gaps: int


# What an edit may change without asking anew: words for people, and what only the state on the board is worked out from.
_SAME_QUESTION = {"id", "question", "note", "answer", "first_per", "after", "within_s"}
_DEFAULTS = {field.name: json.loads(json.dumps(field.default)) for field in fields(Watch) if field.name not in _SAME_QUESTION}


def sync(db: sqlite3.Connection, watches: Iterable[Watch], now: str) -> dict[str, int]:
    """Mirror the watches of feeds.toml; return those that have yet to look back, with the id they have looked up to.

    A new watch, one that came back, and one that now looks for something else begin at 0. Where it is stands in the database, so that a
    killed run does not end the search.
    """
    specs = {w.id: (w.question, json.dumps(asdict(w), sort_keys=True, ensure_ascii=False), w.since) for w in watches}
    present = {row[0]: tuple(row[1:]) for row in db.execute("SELECT id, question, spec, since, retired_at FROM watches")}
    known = {watch: spec for watch, (_, spec, _, retired) in present.items() if retired is None}
    for watch in sorted(known.keys() & specs.keys()):
        if lost := set(_answers(known[watch])) - set(_answers(specs[watch][1])):
            _note_answers(db, watch, lost, now)
    db.executemany(
        """INSERT INTO watches(id, question, spec, since, looked_to) VALUES (?, ?, ?, ?, 0) ON CONFLICT(id) DO UPDATE SET
        question = excluded.question, spec = excluded.spec, since = excluded.since, retired_at = NULL""",
        [(watch, *spec) for watch, spec in sorted(specs.items()) if present.get(watch) != (*spec, None)],
    )
    asked = [watch for watch, spec in specs.items() if watch not in known or _sought(known[watch]) != _sought(spec[1])]
    looked(db, asked, 0)
    db.executemany("UPDATE watches SET retired_at = ? WHERE id = ?", [(now, watch) for watch in known if watch not in specs])
    return dict(db.execute("SELECT id, looked_to FROM watches WHERE looked_to IS NOT NULL AND retired_at IS NULL").fetchall())


def _sought(spec: str) -> dict[str, object]:
    """What a stored question looks for, defaults left out: a field that a release adds asks nothing new while nobody uses it."""
    return {name: value for name, value in _read(spec).items() if name in _DEFAULTS and value != _DEFAULTS[name]}


def _answers(spec: str) -> list[str]:
    return list(_read(spec).get("answer", ()))


def _read(spec: str) -> dict[str, Any]:
    """A stored question; of one that cannot be read nothing is left, so that the next run asks it anew."""
    try:
        return dict(json.loads(spec))
    except (ValueError, TypeError):
        return {}


def _note_answers(db: sqlite3.Connection, watch: str, rungs: Iterable[str], now: str) -> None:
    """Note of what stands that it answered its question until now: the question was edited, and these rungs no longer do."""
    db.execute(
        """INSERT INTO event_changes(watch, item, lab, at, rung, answered)
        SELECT watch, item, lab, ?, rung, 1 FROM watch_events
        WHERE watch = ? AND withdrawn_at IS NULL AND rung IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING""",
        (now, watch, json.dumps(sorted(rungs))),
    )


def looking(db: sqlite3.Connection, watches: Iterable[Watch]) -> dict[str, int]:
    """Return which of these watches have yet to look back, with the id they have looked up to; 0: nobody has looked for this question."""
    stored = {row[0]: (row[1], row[2]) for row in db.execute("SELECT id, spec, looked_to FROM watches WHERE retired_at IS NULL")}
    found: dict[str, int] = {}
    for w in watches:
        spec, looked_to = stored.get(w.id, (None, 0))
        if spec is None or _sought(spec) != _sought(json.dumps(asdict(w))):
            found[w.id] = 0
        elif looked_to is not None:
            found[w.id] = looked_to
    return found


def looked(db: sqlite3.Connection, watches: Iterable[str], item: int | None) -> None:
    """Note up to which item watches have looked back; None: to the end."""
    db.executemany("UPDATE watches SET looked_to = ? WHERE id = ?", [(item, watch) for watch in watches])


def waiting(db: sqlite3.Connection, limit: int) -> list[Facts]:
    """Return what is known of the next items that wait for the watches."""
    return _facts(db, [row[0] for row in db.execute("SELECT item FROM pending WHERE stage = 'watch' ORDER BY item LIMIT ?", (limit,))])


# What no stage has passed on yet comes through the queue, as news: a look back leaves it alone.
_ON_ITS_WAY = """EXISTS (SELECT 1 FROM pending WHERE pending.item = found.item)
  AND NOT EXISTS (SELECT 1 FROM story_items WHERE story_items.item = found.item)"""


def archive(db: sqlite3.Connection, watches: Sequence[Watch], after: int, limit: int) -> list[Facts]:
    """Return what is known of the stored items beyond an id that watches could concern: by topic, by the words of their phrases.

    Every text, when a phrase has no words that the index could be asked for.
    """
    topics = sorted({topic for w in watches for topic in w.topics})
    clauses = [clause(phrase) for w in watches for phrase in w.phrases]
    values: dict[str, object] = {"after": after, "limit": limit, "topics": json.dumps(topics)}
    # What answered the question as it stood before, or missed it, must be looked at again, or an edit could not take it back.
    values["watches"] = json.dumps([w.id for w in watches])
    values["match"] = " OR ".join(sorted(set(clauses)))
    among = """SELECT item FROM item_topics
      WHERE tier IN ('confident', 'maybe') AND topic IN (SELECT value FROM json_each(:topics)) AND item > :after"""
    for table in ("watch_events", "near_misses"):
        among += f" UNION SELECT item FROM {table} WHERE watch IN (SELECT value FROM json_each(:watches)) AND item > :after"  # noqa: S608
    if clauses:
        among += " UNION SELECT rowid FROM texts_fts WHERE texts_fts MATCH :match AND rowid > :after"
    if not all(clauses):
        among = "SELECT item FROM texts WHERE item > :after"
    rows = db.execute(f"SELECT item FROM ({among}) AS found WHERE NOT ({_ON_ITS_WAY}) ORDER BY item LIMIT :limit", values)  # noqa: S608
    return _facts(db, [row[0] for row in rows])


def save(
    db: sqlite3.Connection, asked: Sequence[str], found: Sequence[tuple[int, list[Event]]], now: str, *, quiet: bool
) -> tuple[int, list[Event]]:
    """Store the events of items, and withdraw those whose ground is gone; return how many came, and those that went: to be explained.

    Args:
        quiet: what is new here was found by looking back; the backlog is quiet in any case.
    """
    wanted = {_key(event): event for _, events in found for event in events}
    values = {"ids": json.dumps([item for item, _ in found]), "asked": json.dumps(list(asked))}
    rows = db.execute(
        f"""SELECT watch_events.* FROM {_AMONG.format("watch_events INDEXED BY watch_events_item", "item")}
        WHERE watch IN (SELECT value FROM json_each(:asked))""",  # noqa: S608 - constants
        values,
    )
    present = {(row["watch"], row["item"], row["lab"]): row for row in rows.fetchall()}
    came = sum(_put(db, event, present.get(key), now, quiet) for key, event in wanted.items())
    went = [_event(row) for key, row in present.items() if key not in wanted and row["withdrawn_at"] is None]
    db.executemany("UPDATE watch_events SET withdrawn_at = ? WHERE watch = ? AND item = ? AND lab = ?", [(now, *_key(one)) for one in went])
    return came, went


def explain(db: sqlite3.Connection, why: Iterable[tuple[Event, str]]) -> None:
    """Note why events were taken back, in words."""
    values = [(said, *_key(event)) for event, said in why]
    db.executemany("UPDATE watch_events SET withdrawn_why = ? WHERE watch = ? AND item = ? AND lab = ?", values)


def _key(one: Event | Missed) -> tuple[str, int, str]:
    return one.watch, one.item, one.lab


def _put(db: sqlite3.Connection, event: Event, row: sqlite3.Row | None, now: str, quiet: bool) -> int:
    reason = json.dumps(event.reason, ensure_ascii=False)
    said = (event.rung, event.at, round(event.score, 4), reason)
    if row and (row["rung"], row["at"], row["score"], row["reason"], row["withdrawn_at"]) == (*said, None):
        return 0
    if row and (row["rung"] != event.rung or row["withdrawn_at"]):
        # Of two changes at one instant the first says what it was until then.
        db.execute(
            """INSERT INTO event_changes(watch, item, lab, at, rung, withdrawn_at, withdrawn_why, answered) SELECT ?, ?, ?, ?, ?, ?, ?,
              EXISTS (SELECT 1 FROM watches, json_each(spec, '$.answer') AS answer WHERE watches.id = ? AND answer.value = ?) WHERE 1
            ON CONFLICT DO NOTHING""",
            (*_key(event), now, row["rung"], row["withdrawn_at"], row["withdrawn_why"], event.watch, row["rung"]),
        )
    db.execute(
        """INSERT INTO watch_events(watch, item, lab, rung, at, found_at, score, reason, quiet)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, max(?, (SELECT backlog FROM items WHERE id = ?)))
        ON CONFLICT(watch, item, lab) DO UPDATE SET rung = excluded.rung, at = excluded.at, score = excluded.score,
          reason = excluded.reason, withdrawn_at = NULL, withdrawn_why = NULL""",
        (event.watch, event.item, event.lab, event.rung, event.at, now, round(event.score, 4), reason, int(quiet), event.item),
    )
    return int(row is None)


def save_near(db: sqlite3.Connection, asked: Sequence[str], found: Mapping[int, Iterable[Missed]]) -> None:
    """Make these the near-misses of items: what stays the same is not written, what has no ground any more is deleted."""
    present: dict[tuple[str, int, str], tuple[object, ...]] = {}
    values = {"ids": json.dumps(list(found)), "asked": json.dumps(list(asked))}
    for row in db.execute(
        f"""SELECT watch, item, lab, rung, at, score, reason FROM {_AMONG.format("near_misses INDEXED BY near_misses_item", "item")}
        WHERE watch IN (SELECT value FROM json_each(:asked))""",  # noqa: S608 - constants
        values,
    ):
        present[tuple(row[:3])] = tuple(row[3:])
    wanted = {
        _key(one): (one.rung, one.at, round(one.score, 4), json.dumps(one.reason, ensure_ascii=False))
        for missed in found.values()
        for one in missed
    }
    db.executemany("DELETE FROM near_misses WHERE watch = ? AND item = ? AND lab = ?", [key for key in present if key not in wanted])
    db.executemany(
        """INSERT INTO near_misses(watch, item, lab, rung, at, score, reason) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT(watch, item, lab) DO UPDATE SET rung = excluded.rung, at = excluded.at, score = excluded.score,
          reason = excluded.reason""",
        [(*key, *said) for key, said in wanted.items() if present.get(key) != said],
    )


def put_rungs(db: sqlite3.Connection, found: Mapping[int, Iterable[tuple[str, str, str]]]) -> None:
    """Make these (rung, lab, cue) the rungs of items: what stays the same is not written, what has no ground any more is deleted."""
    present: dict[int, dict[str, tuple[str, str]]] = {}
    values = {"ids": json.dumps(list(found))}
    for row in db.execute(f"SELECT item, lab, rung, cue FROM {_AMONG.format('rungs', 'item')}", values):  # noqa: S608 - constants
        present.setdefault(row[0], {})[row[1]] = (row[2], row[3])
    for item, said in found.items():
        wanted = {lab: (rung, cue) for rung, lab, cue in said}
        known = present.get(item, {})
        db.executemany("DELETE FROM rungs WHERE item = ? AND lab = ?", [(item, lab) for lab in known if lab not in wanted])
        db.executemany(
            """INSERT INTO rungs(item, lab, rung, cue) VALUES (?, ?, ?, ?)
            ON CONFLICT(item, lab) DO UPDATE SET rung = excluded.rung, cue = excluded.cue""",
            [(item, lab, *one) for lab, one in wanted.items() if known.get(lab) != one],
        )


def rungs(db: sqlite3.Connection, items: Iterable[int]) -> dict[int, set[str]]:
    """Return what kinds of evidence items are; those that are none are left out."""
    found: dict[int, set[str]] = {}
    values = {"ids": json.dumps(list(items))}
    for item, rung in db.execute(f"SELECT item, rung FROM {_AMONG.format('rungs', 'item')}", values):  # noqa: S608 - constants
        found.setdefault(item, set()).add(rung)
    return found


def done(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Take items off the queue."""
    db.executemany("DELETE FROM pending WHERE stage = 'watch' AND item = ?", [(item,) for item in items])


_KEPT = "SELECT watch_events.*, story FROM watch_events LEFT JOIN story_items ON story_items.item = watch_events.item"


def kept(db: sqlite3.Connection) -> dict[str, list[Kept]]:
    """Return every event there ever was, by watch, oldest first."""
    changes = _changes(db.execute("SELECT * FROM event_changes ORDER BY at"))
    found: dict[str, list[Kept]] = {}
    for row in db.execute(f"{_KEPT} ORDER BY at, watch_events.item, lab"):
        found.setdefault(row["watch"], []).append(_kept(row, changes))
    return found


def history(db: sqlite3.Connection, watch: str) -> list[Kept]:
    """Return every event of a watch there ever was, standing or taken back, oldest first."""
    changes = _changes(db.execute("SELECT * FROM event_changes WHERE watch = ? ORDER BY at", (watch,)))
    return [_kept(row, changes) for row in db.execute(f"{_KEPT} WHERE watch = ? ORDER BY at, watch_events.item, lab", (watch,))]


def _changes(rows: Iterable[sqlite3.Row]) -> dict[tuple[str, int, str], list[Change]]:
    found: dict[tuple[str, int, str], list[Change]] = {}
    for row in rows:
        change = Change(row["at"], row["rung"], bool(row["answered"]), row["withdrawn_at"], row["withdrawn_why"])
        found.setdefault((row["watch"], row["item"], row["lab"]), []).append(change)
    return found


def _kept(row: sqlite3.Row, changes: Mapping[tuple[str, int, str], Sequence[Change]]) -> Kept:
    event = _event(row)
    return Kept(
        event, row["found_at"], bool(row["quiet"]), row["story"], row["withdrawn_at"], row["withdrawn_why"],
        tuple(changes.get(_key(event), ())),
    )  # fmt: skip


def _event(row: sqlite3.Row) -> Event:
    reason = tuple(json.loads(row["reason"]))
    return Event(row["watch"], row["item"], row["lab"], row["rung"], row["at"], row["score"], reason)


def near(db: sqlite3.Connection, watch: str) -> list[Missed]:
    """Return the near-misses of a watch, oldest first."""
    rows = db.execute("SELECT * FROM near_misses WHERE watch = ? ORDER BY at, item, lab", (watch,))
    return [
        Missed(row["watch"], row["item"], row["lab"], row["rung"], row["at"], row["score"], tuple(json.loads(row["reason"])))
        for row in rows
    ]


def misses(db: sqlite3.Connection, day: str | None = None) -> dict[str, int]:
    """Return how many near-misses each watch has, those of items after a day left out."""
    count = "SELECT count(*) FROM near_misses WHERE watch = watches.id AND at < date(?, '+1 day')"
    return dict(db.execute(f"SELECT id, ({count}) FROM watches", (day or _LAST_DAY,)).fetchall())  # noqa: S608 - constants


def facts(db: sqlite3.Connection, ids: Sequence[int]) -> list[Facts]:
    """Return what is known of items, texts included: ask for a batch, not for an archive."""
    return _facts(db, ids)


# Of a source: it was polled on that day. (A day beyond all others: it is polled now.)
_THERE = "(substr(added_at, 1, 10) <= :day AND (retired_at IS NULL OR substr(retired_at, 1, 10) > :day))"
_LAST_DAY = "9999-12-30"


def looks(db: sqlite3.Connection, day: str | None = None) -> Looks:
    """Return what was looked at, up to now or up to the end of a day: sources that were there, gaps that were known and open."""
    values = {"day": day or _LAST_DAY}
    row = db.execute(
        f"""SELECT min(added_at), max(last_ok_at), count({_THERE} OR NULL),
          count({_THERE} AND EXISTS (SELECT 1 FROM gaps WHERE gaps.source = sources.id AND substr(found_at, 1, 10) <= :day
            AND (closed_at IS NULL OR substr(closed_at, 1, 10) > :day)) OR NULL)
        FROM sources WHERE last_ok_at IS NOT NULL""",  # noqa: S608 - constants
        values,
    ).fetchone()
    return Looks(*row)


# The batch is read first, whatever the statistics say: its size, not the archive's, is the cost.
_AMONG = "json_each(:ids) AS listed CROSS JOIN {} ON {} = listed.value"


def _facts(db: sqlite3.Connection, ids: Sequence[int]) -> list[Facts]:
    values = {"ids": json.dumps(ids)}
    labs = _labs(db, values)
    topics: dict[int, dict[str, tuple[float, str]]] = {}
    denied: dict[int, dict[str, str]] = {}
    said = "iif(tier = 'no', json_extract(evidence, '$[0][0]'), NULL)"
    for row in db.execute(f"SELECT item, topic, score, tier, {said} FROM {_AMONG.format('item_topics', 'item')}", values):  # noqa: S608 - constants
        topics.setdefault(row[0], {})[row[1]] = (row[2], row[3])
        if row[4]:
            denied.setdefault(row[0], {})[row[1]] = str(row[4]).removeprefix("labelled no by ")
    links: dict[int, set[str]] = {}
    papers = "links.key GLOB 'arxiv:*' OR links.key GLOB 'url:*.pdf' OR links.key GLOB 'url:*.pdf[?]*'"
    for row in db.execute(f"SELECT item, links.key FROM {_AMONG.format('links', 'item')} WHERE {papers}", values):  # noqa: S608 - constants
        links.setdefault(row[0], set()).add(row[1])
    rows = db.execute(
        f"""SELECT items.id, items.key, items.url, items.title, {TEXT} AS text, published_at,
          coalesce(published_at, first_seen_at) AS at, origin, act, act_cue, backlog
        FROM {_AMONG.format("items", "items.id")} JOIN texts ON texts.item = items.id {ARTICLE} ORDER BY items.id""",  # noqa: S608 - constants
        values,
    )
    return [
        Facts(
            row["id"], row["key"], row["url"], row["title"], row["text"], row["at"],
            row["origin"] or "press", row["act"], row["act_cue"] or "",
            labs.get((row["id"], "by"), {}), labs.get((row["id"], "about"), {}), topics.get(row["id"], {}),
            frozenset(links.get(row["id"], ())), row["published_at"] is not None, denied.get(row["id"], {}),
            row["published_at"] is None and bool(row["backlog"]),
        )
        for row in rows
    ]  # fmt: skip


def _labs(db: sqlite3.Connection, values: Mapping[str, object]) -> dict[tuple[int, str], dict[str, str]]:
    """{(item, relation): {lab: how we know}}; a lab includes the labs whose parent it is, from the day on which it was."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    children: dict[tuple[int, str], dict[str, set[str]]] = {}
    rows = db.execute(
        f"""WITH RECURSIVE up(item, lab, relation, method, evidence, depth) AS (
          SELECT item, lab, relation, method, evidence, 0 FROM {_AMONG.format("item_labs", "item")}
            WHERE relation IN ('by', 'about')
          UNION SELECT up.item, lab_parents.parent, relation, 'parent', up.lab, depth + 1 FROM up
            JOIN lab_parents ON lab_parents.lab = up.lab WHERE depth < 5
              AND (since IS NULL OR replace(since, '-', '') * {IDS_PER_DAY} <= up.item))
        SELECT item, lab, relation, method, evidence FROM up ORDER BY depth DESC, method DESC""",  # noqa: S608 - constants
        dict(values),
    )
    for item, lab, relation, method, evidence in rows:
        if method == "parent":
            children.setdefault((item, relation), {}).setdefault(lab, set()).add(evidence)
        else:
            found.setdefault((item, relation), {})[lab] = how(method, evidence)
    for key, parents in children.items():  # "published on x.example; parent of a, b": who asks for one must see the others
        for lab, of in parents.items():
            said = how("parent", ", ".join(sorted(of)))
            found[key][lab] = f"{found[key][lab]}; {said}" if lab in found[key] else said
    return found
