"""Tags and attributions: what the machine says of items, with its evidence."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from tracker.types import Attribution, Item, Tag

__all__ = ["Signals", "again", "how", "save", "wait"]

# How a lab is known, in words, by the method of the attribution; every other method quotes the text that matched.
_HOW = {"source": "the source declares it", "host": "published on {}", "author": "signed {}", "parent": "parent of {}"}


@dataclass(frozen=True, slots=True)
class Signals:
    """What kind of thing an item is, and the words that say so."""

    origin: str
    act: str | None = None
    act_cue: str | None = None
    unconfirmed: str | None = None
    cue: str | None = None


def save(
    db: sqlite3.Connection,
    item: Item,
    tags: Iterable[Tag],
    attributions: Iterable[Attribution],
    signals: Signals,
    *,
    registry: str,
    now: str,
    done: bool,
) -> None:
    """Replace what is said of an item and pass it on: to be grouped, or, when it has a story, to the watches.

    Call it inside a transaction. Rows that stay the same are not written, so tagging again changes only what changed.

    Args:
        registry: hash of the lab registry that was used.
        done: the item no longer waits for tagging.
    """
    wanted = {tag.topic: tag for tag in tags}
    present_topics = [row[0] for row in db.execute("SELECT topic FROM item_topics WHERE item = ?", (item.id,))]
    db.executemany(
        "DELETE FROM item_topics WHERE item = ? AND topic = ?", [(item.id, topic) for topic in present_topics if topic not in wanted]
    )
    db.executemany(
        """INSERT INTO item_topics(item, topic, score, tier, evidence, model) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT(item, topic) DO UPDATE SET score = excluded.score, tier = excluded.tier, evidence = excluded.evidence,
          model = excluded.model
        WHERE (score, tier, evidence, model) IS NOT (excluded.score, excluded.tier, excluded.evidence, excluded.model)""",
        [(item.id, t.topic, round(t.score, 4), t.tier, _evidence(t), t.model) for t in wanted.values()],
    )
    rows = {(a.lab, a.relation, a.method): (a.strength, a.evidence) for a in attributions}
    present = {
        tuple(row[:3]): tuple(row[3:])
        for row in db.execute("SELECT lab, relation, method, strength, evidence FROM item_labs WHERE item = ?", (item.id,))
    }
    db.executemany(
        "DELETE FROM item_labs WHERE item = ? AND lab = ? AND relation = ? AND method = ?",
        [(item.id, *key) for key in present if rows.get(key) != present[key]],
    )
    db.executemany(
        "INSERT INTO item_labs(item, lab, relation, method, strength, evidence, registry) VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(item.id, *key, *value, registry) for key, value in rows.items() if present.get(key) != value],
    )
    said = astuple(signals)
    db.execute(
        """UPDATE items SET (origin, act, act_cue, unconfirmed, cue) = (?, ?, ?, ?, ?) WHERE id = ?
        AND (origin, act, act_cue, unconfirmed, cue) IS NOT (?, ?, ?, ?, ?)""",
        (*said, item.id, *said),
    )
    db.execute(
        """INSERT OR IGNORE INTO pending(stage, item, due_at)
        VALUES (iif(EXISTS (SELECT 1 FROM story_items WHERE item = ?), 'watch', 'group'), ?, ?)""",
        (item.id, item.id, now),
    )
    if done:
        db.execute("DELETE FROM pending WHERE stage = 'tag' AND item = ?", (item.id,))


def wait(db: sqlite3.Connection, items: Iterable[int]) -> None:
    """Note that items were tried and still wait for tagging."""
    db.executemany("UPDATE pending SET tries = tries + 1 WHERE stage = 'tag' AND item = ?", [(item,) for item in items])


def again(db: sqlite3.Connection, since: str, now: str) -> int:
    """Put the items first seen since an instant back into the queue; return how many."""
    cursor = db.execute(
        "INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'tag', id, ? FROM items WHERE first_seen_at >= ?", (now, since)
    )
    return cursor.rowcount


def _evidence(tag: Tag) -> str:
    return json.dumps([[term, round(weight, 3)] for term, weight in tag.evidence], ensure_ascii=False)


def how(method: str, evidence: str) -> str:
    """Return how an attribution is known, in words.

    >>> how("host", "openai.com"), how("name", "OpenAI")
    ('published on openai.com', '“OpenAI”')
    """
    return _HOW.get(method, "“{}”").format(evidence)
