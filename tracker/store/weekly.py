"""Weekly counts: how many items and stories each week has, by topic and lab.

in   days, weeks (their Mondays), counts; the weeks that triggers have marked as stale (migrations/sixth.py)
out  what is known of the items of some days (``Seen``), rows in ``weekly``
refuses to know how items are counted, and what the race makes of them.
Surprising: an item counts on one day by one rule, that of the view ``item_days``, whatever its id says: a publisher may date anew what
we have seen long ago, and the id stays. So days are asked of the index over that rule, never of ranges of ids.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["RACE", "Cell", "Seen", "family", "put", "seen", "stale", "sync"]

Cell = tuple[str, str, str]  # topic, lab, relation
RACE = ""  # in place of a week: the race is to be worked out anew


@dataclass(slots=True)
class Seen:
    """An item of some day: its story, its confident topics, the labs named in each relation, and the rung for each.

    ``dated``: published then; what is not was only first seen then, and may be old if it is ``backlog``.
    """

    item: int
    day: str
    at: str
    story: int | None
    dated: bool
    backlog: bool
    topics: list[str] = field(default_factory=list)
    labs: set[tuple[str, str]] = field(default_factory=set)  # (lab, by or about); parents left out
    rungs: dict[str, str] = field(default_factory=dict)


def stale(db: sqlite3.Connection) -> list[str]:
    """Return the weeks that are to be counted anew, oldest first; ``RACE`` among them if the race is."""
    return [row[0] for row in db.execute("SELECT week FROM stale_weeks ORDER BY week")]


def family(db: sqlite3.Connection) -> dict[str, list[tuple[str, str]]]:
    """Return {lab: [(itself or a lab it belongs to, since when: a day, or "" for ever)]}, as the view ``attributed`` has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    rows = db.execute(
        """WITH RECURSIVE up(lab, leaf, since) AS (
          SELECT id, id, '' FROM labs
          UNION SELECT parent, leaf, max(up.since, coalesce(lab_parents.since, '')) FROM up JOIN lab_parents ON lab_parents.lab = up.lab)
        SELECT leaf, lab, min(since) FROM up GROUP BY leaf, lab"""
    )
    for leaf, lab, since in rows:
        found.setdefault(leaf, []).append((lab, since))
    return found


# The days are read first, by their index; all else by the item, whatever the statistics say.
_AMONG = "json_each(:ids) AS listed CROSS JOIN {0} ON {0}.item = listed.value"


def seen(db: sqlite3.Connection, first: str, last: str, *, on_topic: bool = False) -> list[Seen]:
    """Return what is known of the items of some days, both included; ``on_topic``: only of those that are surely on a topic."""
    sure = "AND EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = items.id AND tier = 'confident')" if on_topic else ""
    rows = db.execute(
        f"""SELECT items.id, day, coalesce(published_at, first_seen_at) AS at, published_at, backlog,
          (SELECT story FROM story_items WHERE story_items.item = items.id) AS story
        FROM item_days CROSS JOIN items ON items.id = item_days.item WHERE day BETWEEN ? AND ? {sure}""",  # noqa: S608 - a constant
        (first, last),
    )
    found = {
        row["id"]: Seen(row["id"], row["day"], row["at"], row["story"], row["published_at"] is not None, bool(row["backlog"]))
        for row in rows
    }
    ids = {"ids": json.dumps(list(found))}
    for item, topic in db.execute(f"SELECT item, topic FROM {_AMONG.format('item_topics')} WHERE tier = 'confident'", ids):  # noqa: S608
        found[item].topics.append(topic)
    for item, lab, relation in db.execute(
        f"SELECT item, lab, relation FROM {_AMONG.format('item_labs')} WHERE relation IN ('by', 'about')",  # noqa: S608 - a constant
        ids,
    ):
        found[item].labs.add((lab, relation))
    for item, lab, rung in db.execute(f"SELECT item, lab, rung FROM {_AMONG.format('rungs')} WHERE lab <> ''", ids):  # noqa: S608
        found[item].rungs[lab] = rung
    return list(found.values())


def put(db: sqlite3.Connection, week: str, counts: Mapping[Cell, tuple[int, int]]) -> int:
    """Make these the counts (items, stories) of a week, which is stale no longer; return how many rows were written.

    Call it inside a transaction, with what was read inside it.
    """
    written = sync(db, "weekly", {"week": week}, ("topic", "lab", "relation"), ("items", "stories"), counts)
    db.execute("DELETE FROM stale_weeks WHERE week = ?", (week,))
    db.execute("INSERT INTO stale_weeks(week) VALUES (?) ON CONFLICT(week) DO NOTHING", (RACE,))
    return written


def sync(
    db: sqlite3.Connection,
    table: str,
    of: Mapping[str, str],
    keys: Sequence[str],
    columns: Sequence[str],
    wanted: Mapping[Any, tuple[object, ...]],  # by the other keys, a tuple
) -> int:
    """Make ``wanted`` the rows of a table whose first key has the value ``of``; what stays the same is not written.

    Returns how many rows were written or deleted. Call it inside a transaction.
    """
    ((first, value),) = of.items()
    all_columns = (*keys, *columns)
    rows = db.execute(f"SELECT {', '.join(all_columns)} FROM {table} WHERE {first} = ?", (value,))  # noqa: S608 - names of columns
    present = {tuple(row[: len(keys)]): tuple(row[len(keys) :]) for row in rows}
    gone = [(value, *key) for key in present if key not in wanted]
    changed = [(value, *key, *said) for key, said in wanted.items() if present.get(key) != said]
    same_row = " AND ".join(f"{key} = ?" for key in (first, *keys))
    db.executemany(f"DELETE FROM {table} WHERE {same_row}", gone)  # noqa: S608 - names of columns
    db.executemany(
        f"""INSERT INTO {table}({", ".join((first, *all_columns))}) VALUES ({", ".join("?" * (1 + len(all_columns)))})
        ON CONFLICT({", ".join((first, *keys))}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in columns)}""",  # noqa: S608
        changed,
    )
    return len(gone) + len(changed)
