"""Tags and attributions: what the machine says of items, with its evidence.

Surprising: a label beats a tag, here and nowhere else. What ``item_topics`` holds has heard the labels: ``yes`` makes a tag confident,
``no`` gives it the tier "no", which no list shows; score, model and words stay the machine's, behind the words "labelled yes by ann".
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from dataclasses import astuple, dataclass

from tracker.store import authors
from tracker.types import Attribution, Item, Tag

__all__ = ["LABEL", "Signals", "again", "heed", "heed_all", "how", "overruled", "save", "tiers", "wait"]

LABEL = "label"  # in place of the model, where the machine says nothing and a person does
# The first term of a tag that a person gave or denied, as ``overruled`` writes it. ("labelled data" is two words of a text.)
_BY_A_PERSON = re.compile("labelled (?:yes|no) by .")

# How a lab is known, in words, by the method of the attribution; every other method quotes the text that matched.
_HOW = {
    "source": "the source declares it",
    "host": "published on {}",
    "author": "signed {}",
    "parent": "parent of {}",
    "own": "its own post",
    "affiliation": "arXiv lists “{}”",
    "block": "author block: “{}”",
    "hf": "linked with {}",
    "repo": "its code is at {}",
    "email": "mail address {}",
}


@dataclass(frozen=True, slots=True)
class Signals:
    """What kind of thing an item is, and the words that say so."""

    origin: str
    act: str | None = None
    act_cue: str | None = None
    unconfirmed: str | None = None
    cue: str | None = None
    denial: str | None = None


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
    _put_topics(db, item.id, tags)
    rows = {(a.lab, a.relation, a.method): (a.strength, a.evidence, a.place, registry) for a in attributions}
    present = {
        tuple(row[:3]): tuple(row[3:])
        for row in db.execute("SELECT lab, relation, method, strength, evidence, place, registry FROM item_labs WHERE item = ?", (item.id,))
    }
    db.executemany(
        "DELETE FROM item_labs WHERE item = ? AND lab = ? AND relation = ? AND method = ?",
        [(item.id, *key) for key in present if rows.get(key) != present[key]],
    )
    db.executemany(
        "INSERT INTO item_labs(item, lab, relation, method, strength, evidence, place, registry) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(item.id, *key, *value) for key, value in rows.items() if present.get(key) != value],
    )
    said = astuple(signals)
    db.execute(
        """UPDATE items SET (origin, act, act_cue, unconfirmed, cue, denial) = (?, ?, ?, ?, ?, ?) WHERE id = ?
        AND (origin, act, act_cue, unconfirmed, cue, denial) IS NOT (?, ?, ?, ?, ?, ?)""",
        (*said, item.id, *said),
    )
    authors.want(db, item.id, now)
    authors.resolved_by(db, item.id, registry)
    _pass_on(db, item.id, now)
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


def tiers(db: sqlite3.Connection, items: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return {item: {topic: tier}} of items, those that labels deny left out."""
    found: dict[int, dict[str, str]] = {}
    rows = db.execute(
        """SELECT item, topic, tier FROM json_each(?) AS listed CROSS JOIN item_topics ON item_topics.item = listed.value
        WHERE tier <> 'no'""",
        (json.dumps(list(items)),),
    )
    for item, topic, tier in rows:
        found.setdefault(item, {})[topic] = tier
    return found


def heed(db: sqlite3.Connection, item: int, now: str) -> None:
    """Make the tags of an item say what its labels say, and pass the item on if that changed any. Call it inside a transaction.

    Where a label that overruled the machine was taken back, the tag is "maybe" and the item waits for tagging: only the model can
    say whether it is sure.
    """
    own, freed = [], False
    said = _said(db, item)
    for row in db.execute("SELECT topic, score, tier, evidence, model FROM item_topics WHERE item = ?", (item,)).fetchall():
        terms = tuple((str(term), float(weight)) for term, weight in json.loads(row["evidence"]))
        was_labelled = bool(terms) and _BY_A_PERSON.match(terms[0][0]) is not None
        freed |= was_labelled and row["topic"] not in said
        if row["model"] != LABEL:
            own.append(Tag(row["topic"], row["score"], "maybe" if was_labelled else row["tier"], terms[was_labelled:], row["model"]))
    if freed:
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (item, now))
    if _put_topics(db, item, own):
        authors.want(db, item, now)
        if not _waits(db, item):
            _pass_on(db, item, now)


def heed_all(db: sqlite3.Connection, now: str) -> int:
    """Heed the labels that stand and are not heard yet: of items, keys or topics that came after them. Returns how many items."""
    rows = db.execute(
        """SELECT DISTINCT newest.item FROM (
          SELECT item, substr(tag, 7) AS topic, value, row_number() OVER (PARTITION BY item, tag ORDER BY at DESC, id DESC) AS place
          FROM labelled WHERE item IS NOT NULL AND tag GLOB 'topic:*') AS newest
        JOIN topics ON topics.id = newest.topic
        LEFT JOIN item_topics ON item_topics.item = newest.item AND item_topics.topic = newest.topic
        WHERE place = 1 AND item_topics.tier IS NOT iif(value, 'confident', 'no')"""
    ).fetchall()
    for row in rows:
        heed(db, row[0], now)
    return len(rows)


def overruled(db: sqlite3.Connection, item: int, tags: Iterable[Tag]) -> dict[str, Tag]:
    """Return the tags of an item as its labels leave them, by topic: those that a label denies have the tier "no"."""
    found = {tag.topic: tag for tag in tags}
    for topic, (value, who) in _said(db, item).items():
        tag = found.get(topic) or Tag(topic, float(value), "", (), LABEL)
        term = f"labelled {'yes' if value else 'no'} by {who}"
        found[topic] = Tag(topic, tag.score, "confident" if value else "no", ((term, 1.0), *tag.evidence), tag.model)
    return found


def _said(db: sqlite3.Connection, item: int) -> dict[str, tuple[int, str]]:
    """The newest word of anybody on each topic: (value, who). By every key of the item."""
    rows = db.execute(
        """SELECT substr(tag, 7), value, who FROM item_keys CROSS JOIN labels ON labels.item_key = item_keys.key
        WHERE item_keys.item = ? AND tag GLOB 'topic:*' AND withdraws IS NULL
          AND NOT EXISTS (SELECT 1 FROM labels AS later WHERE later.withdraws = labels.id)
          AND EXISTS (SELECT 1 FROM topics WHERE topics.id = substr(tag, 7))
        ORDER BY at, labels.id""",
        (item,),
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def _put_topics(db: sqlite3.Connection, item: int, tags: Iterable[Tag]) -> bool:
    """Make these the tags of an item, but for what its labels say; return whether anything changed."""
    wanted = overruled(db, item, tags)
    gone = [row[0] for row in db.execute("SELECT topic FROM item_topics WHERE item = ?", (item,)) if row[0] not in wanted]
    db.executemany("DELETE FROM item_topics WHERE item = ? AND topic = ?", [(item, topic) for topic in gone])
    changed = db.executemany(
        """INSERT INTO item_topics(item, topic, score, tier, evidence, model) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT(item, topic) DO UPDATE SET score = excluded.score, tier = excluded.tier, evidence = excluded.evidence,
          model = excluded.model
        WHERE (score, tier, evidence, model) IS NOT (excluded.score, excluded.tier, excluded.evidence, excluded.model)""",
        [(item, t.topic, round(t.score, 4), t.tier, _evidence(t), t.model) for t in wanted.values()],
    )
    return bool(gone) or changed.rowcount > 0


def _waits(db: sqlite3.Connection, item: int) -> bool:
    return db.execute("SELECT 1 FROM pending WHERE stage = 'tag' AND item = ?", (item,)).fetchone() is not None


def _pass_on(db: sqlite3.Connection, item: int, now: str) -> None:
    db.execute(
        """INSERT OR IGNORE INTO pending(stage, item, due_at)
        VALUES (iif(EXISTS (SELECT 1 FROM story_items WHERE item = ?), 'watch', 'group'), ?, ?)""",
        (item, item, now),
    )


def _evidence(tag: Tag) -> str:
    return json.dumps([[term, round(weight, 3)] for term, weight in tag.evidence], ensure_ascii=False)


def how(method: str, evidence: str) -> str:
    """Return how an attribution is known, in words.

    >>> how("host", "openai.com"), how("name", "OpenAI")
    ('published on openai.com', '“OpenAI”')
    """
    return _HOW.get(method, "“{}”").format(evidence)
