"""Digests: what is to be told, what was told, and the mails on their way.

in   the name of a plan; what a digest told
out  stories with what is said of their items, signs of watches, the health of the sources, the rows of the outbox
The ledger is by item and by name: an item is due as long as no digest of that name has it, however long ago it came. Surprising: an
item off topic is due with its story, so that what a story gains (the lab's own short post) is never lost for want of a score.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracker.store import gaps
from tracker.store.items import IDS_PER_DAY
from tracker.store.tags import how

__all__ = [
    "Denial", "Health", "Line", "Sign", "Story", "Told", "baseline", "denials", "due", "fail", "first_run", "health", "lines", "orphans",
    "period_froms", "period_tos", "prepare", "send", "sent", "signs", "told", "told_watches", "unsent",
]  # fmt: skip

# The query starts from ids, which name the day: what an archive of years holds costs nothing. An item that comes on topic later than
# this after it was first seen, with a digest in between, is no news any more.
LATE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a story. ``by`` and ``about`` map labs to how we know; ``topics`` to (score, tier, terms)."""

    item: int
    story: int
    title: str
    url: str | None
    source: str
    origin: str
    at: str
    first_seen_at: str
    unconfirmed: str | None
    cue: str | None
    evidence: str  # what joins it to its story
    lead: bool = False
    due: bool = False
    topics: Mapping[str, tuple[float, str, tuple[str, ...]]] = field(default_factory=dict)
    by: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Denial:
    """What nobody had confirmed in a story, and what denied or corrected it later: ``how`` is one of these two words."""

    item: int  # the unconfirmed one
    how: str
    cue: str
    source: str
    url: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Story:
    """A story with something due. ``told``: the rungs (and "denied", "corrected") with which it was shown before, None if it never was."""

    id: int
    lines: tuple[Line, ...]  # the lead first
    rungs: tuple[str, ...] = ()
    told: frozenset[str] | None = None
    denial: Denial | None = None

    @property
    def topics(self) -> dict[str, tuple[float, str, tuple[str, ...]]]:
        """Each topic at its best among the items: (score, tier, terms), confident ones first."""
        best: dict[str, tuple[float, str, tuple[str, ...]]] = {}
        for line in self.lines:
            for topic, said in line.topics.items():
                best[topic] = max(best.get(topic, said), said, key=lambda one: (one[1] == "confident", one[0]))
        return dict(sorted(best.items(), key=lambda pair: (pair[1][1] != "confident", -pair[1][0], pair[0])))

    @property
    def confident(self) -> bool:
        """Whether an item is on a topic for sure."""
        return any(tier == "confident" for _, tier, _ in self.topics.values())

    @property
    def risen(self) -> tuple[str, ...]:
        """The rungs that are worth telling a story again: press about what the lab said itself is not."""
        return tuple(rung for rung in self.rungs if rung != "reported" and rung not in (self.told or ()))

    @property
    def denied(self) -> str:
        """How what was told of it is denied or corrected since then; "" if it is not. Told once: a second denial is no news."""
        return self.denial.how if self.denial and not {"denied", "corrected"} & (self.told or set()) else ""

    @property
    def fresh(self) -> bool:
        """Whether it is to be told: never shown, risen, or denied."""
        return self.told is None or bool(self.risen or self.denied)


@dataclass(frozen=True, slots=True)
class Sign:
    """An event of a watch that stands. ``quiet``: found by looking back, or in what was there before; never mailed."""

    watch: str
    item: int
    lab: str
    rung: str
    at: str
    found_at: str
    quiet: bool
    reason: tuple[str, ...]
    title: str
    url: str | None
    source: str
    story: int | None


@dataclass(frozen=True, slots=True)
class Told:
    """An item as a digest tells it: where, and with which rungs of its story (None: only counted)."""

    item: int
    story: int
    section: str  # watches, confident, maybe, more
    position: int
    rung: str | None


@dataclass(frozen=True, slots=True)
class Health:
    """How complete a digest can be. ``failing``: (source, last answer, error name); ``outages``: (when, asked, next answer)."""

    asked: int = 0
    answered: int = 0
    failing: tuple[tuple[str, str | None, str], ...] = ()
    outages: tuple[tuple[str, int, str | None], ...] = ()
    last_failed: bool = False  # the last time that anything was asked is one of the outages
    waiting: Mapping[str, int] = field(default_factory=dict)
    model: str = ""
    model_problem: str = ""
    gaps: tuple[Mapping[str, str], ...] = ()  # open ones that reach into the period
    quiet: tuple[Mapping[str, Any], ...] = ()  # silent sources, the latest first


# -- the ledger -------------------------------------------------------------------------------------


def first_run(db: sqlite3.Connection) -> str | None:
    """Return when the tracker first ran here."""
    row = db.execute("SELECT started_at FROM runs ORDER BY id LIMIT 1").fetchone()
    return row[0] if row else None


def baseline(db: sqlite3.Connection, name: str, now: str) -> str | None:
    """Return where the first digest of that name began; None before there is one. One that begins after ``now`` had a wrong clock."""
    row = db.execute("SELECT period_from FROM digests WHERE name = ? AND period_from <= ? ORDER BY id LIMIT 1", (name, now)).fetchone()
    return row[0] if row else None


def period_tos(db: sqlite3.Connection, name: str) -> list[str]:
    """Return up to when each digest of that name told, in the order in which they were written."""
    return [row[0] for row in db.execute("SELECT period_to FROM digests WHERE name = ? ORDER BY id", (name,))]


def period_froms(db: sqlite3.Connection, name: str) -> set[str]:
    """Return from when each digest of that name told."""
    return {row[0] for row in db.execute("SELECT period_from FROM digests WHERE name = ?", (name,))}


def due(db: sqlite3.Connection, name: str, since: str, day: str) -> dict[int, set[int]]:
    """Return the items that no digest of that name has told, by story: not backlog, they or their story on a topic.

    What was only counted with a story counts no more once a person has taken it out of that story: nobody has read of it.

    Args:
        since: first seen then or later.
        day: the day of the last digest; ``LATE_DAYS`` before it is as far back as ids are looked at.
    """
    found: dict[int, set[int]] = {}
    # CROSS JOIN: from the item to its digests; the other way round every item would look through all digests of years.
    rows = db.execute(
        """SELECT story, items.id FROM items JOIN story_items ON story_items.item = items.id
        WHERE items.id >= CAST(strftime('%Y%m%d', :day, :late) AS INTEGER) * :per_day AND backlog = 0 AND first_seen_at >= :since
          AND NOT EXISTS (SELECT 1 FROM digest_items CROSS JOIN digests ON digests.id = digest
            WHERE digest_items.item = items.id AND name = :name AND (section <> 'more' OR digest_items.story = story_items.story
              OR EXISTS (SELECT 1 FROM stories WHERE stories.id = digest_items.story AND merged_into = story_items.story)))
          AND EXISTS (SELECT 1 FROM story_items AS other JOIN item_topics ON item_topics.item = other.item
            WHERE other.story = story_items.story AND tier <> 'no')""",
        {"name": name, "since": since, "day": day, "late": f"-{LATE_DAYS} days", "per_day": IDS_PER_DAY},
    )
    for story, item in rows:
        found.setdefault(story, set()).add(item)
    return found


def unwatched(db: sqlite3.Connection, items: Iterable[int]) -> list[int]:
    """Return those of some items that still wait for the watches: what is kept of their rungs is of before."""
    rows = db.execute(
        "SELECT item FROM json_each(?) AS listed CROSS JOIN pending ON stage = 'watch' AND item = listed.value", (_json(items),)
    )
    return [row[0] for row in rows]


def told(db: sqlite3.Connection, name: str, stories: Iterable[int]) -> dict[int, frozenset[str]]:
    """Return the rungs (or "denied", "corrected") with which digests of that name have shown stories; one only counted is absent."""
    found: dict[int, set[str]] = {}
    rows = db.execute(
        """SELECT story_items.story, rung FROM story_items CROSS JOIN digest_items ON digest_items.item = story_items.item
        CROSS JOIN digests ON digests.id = digest
        WHERE story_items.story IN (SELECT value FROM json_each(?)) AND name = ? AND section <> 'more'""",
        (_json(stories), name),
    )
    for story, rung in rows:
        found.setdefault(story, set()).update(filter(None, (rung or "").split(", ")))
    return {story: frozenset(rungs) for story, rungs in found.items()}


def told_watches(db: sqlite3.Connection, name: str) -> dict[str, set[str]]:
    """Return the rungs of each watch that digests of that name have told."""
    found: dict[str, set[str]] = {}
    rows = db.execute(
        "SELECT watch, rung FROM digests CROSS JOIN digest_watches ON digest_watches.digest = digests.id WHERE name = ?", (name,)
    )
    for watch, rung in rows:
        found.setdefault(watch, set()).add(rung)
    return found


# -- what there is to tell --------------------------------------------------------------------------


def lines(db: sqlite3.Connection, stories: Iterable[int], due_items: Iterable[int]) -> dict[int, list[Line]]:
    """Return every item of stories, the lead first, then oldest first; ``due`` marks those given."""
    wanted, new = _json(stories), set(due_items)
    topics = _topics(db, wanted)
    labs = _labs(db, wanted)
    found: dict[int, list[Line]] = {}
    rows = db.execute(
        """SELECT story, items.id, items.title, items.url, sources.title AS source, items.origin,
          coalesce(published_at, first_seen_at) AS at, first_seen_at, unconfirmed, cue, evidence, lead_item = items.id AS lead
        FROM story_items JOIN stories ON stories.id = story JOIN items ON items.id = item JOIN sources ON sources.id = items.source
        WHERE story IN (SELECT value FROM json_each(?)) ORDER BY story, lead DESC, at, items.key""",
        (wanted,),
    )
    for row in rows:
        item = row["id"]
        line = Line(
            item, row["story"], row["title"], row["url"], row["source"], row["origin"] or "press", row["at"], row["first_seen_at"],
            row["unconfirmed"], row["cue"], row["evidence"], bool(row["lead"]), item in new,
            topics.get(item, {}), labs.get((item, "by"), {}), labs.get((item, "about"), {}),
        )  # fmt: skip
        found.setdefault(row["story"], []).append(line)
    return found


def denials(db: sqlite3.Connection, stories: Iterable[int]) -> dict[int, Denial]:
    """Return the first denial in each of the stories that holds one."""
    found: dict[int, Denial] = {}
    rows = db.execute(
        """SELECT story, item, how, denial, denied_source, denied_url, denied_at FROM json_each(?) AS listed
        CROSS JOIN denials ON denials.story = listed.value ORDER BY denied_at, denied_by, item""",
        (_json(stories),),
    )
    for story, *said in rows:
        found.setdefault(story, Denial(*said))
    return found


def _topics(db: sqlite3.Connection, stories: str) -> dict[int, dict[str, tuple[float, str, tuple[str, ...]]]]:
    found: dict[int, dict[str, tuple[float, str, tuple[str, ...]]]] = {}
    rows = db.execute(
        """SELECT story_items.item, topic, item_topics.score, tier, item_topics.evidence FROM story_items
        JOIN item_topics ON item_topics.item = story_items.item WHERE story IN (SELECT value FROM json_each(?)) AND tier <> 'no'
        ORDER BY item_topics.score DESC, topic""",
        (stories,),
    )
    for item, topic, score, tier, evidence in rows:
        found.setdefault(item, {})[topic] = (score, tier, tuple(str(pair[0]) for pair in json.loads(evidence)))
    return found


def _labs(db: sqlite3.Connection, stories: str) -> dict[tuple[int, str], dict[str, str]]:
    """{(item, relation): {lab: how we know}}, by the strongest method."""
    found: dict[tuple[int, str], dict[str, str]] = {}
    rows = db.execute(
        """SELECT item_labs.item, lab, relation, method, item_labs.evidence FROM story_items
        JOIN item_labs ON item_labs.item = story_items.item WHERE story IN (SELECT value FROM json_each(?)) AND relation <> 'mention'
        ORDER BY CASE strength WHEN 'declared' THEN 0 WHEN 'stated' THEN 1 ELSE 2 END, method, lab""",
        (stories,),
    )
    for item, lab, relation, method, evidence in rows:
        found.setdefault((item, relation), {}).setdefault(lab, how(method, evidence))
    return found


def signs(db: sqlite3.Connection, wanted: Iterable[tuple[str, int, str]], begin: str) -> list[Sign]:
    """Return the events that stand among those wanted, in the order in which they were found.

    Args:
        wanted: (watch, item, lab) of each: those that could be news, not the archive.
        begin: what was found before is quiet, as is what was there before we looked.
    """
    rows = db.execute(
        """SELECT watch, watch_events.item, watch_events.lab, rung, at, found_at, quiet OR backlog OR found_at < :begin AS quiet, reason,
          items.title, items.url, sources.title AS source, story FROM json_each(:wanted) AS wanted
        CROSS JOIN watch_events
          ON watch = json_extract(wanted.value, '$[0]') AND watch_events.item = json_extract(wanted.value, '$[1]')
          AND watch_events.lab = json_extract(wanted.value, '$[2]')
        JOIN items ON items.id = watch_events.item JOIN sources ON sources.id = items.source
        LEFT JOIN story_items ON story_items.item = watch_events.item
        WHERE withdrawn_at IS NULL ORDER BY found_at, quiet DESC, at, items.key, watch_events.lab""",
        {"wanted": json.dumps(list(wanted)), "begin": begin},
    )
    return [
        Sign(
            row["watch"], row["item"], row["lab"], row["rung"], row["at"], row["found_at"], bool(row["quiet"]),
            tuple(json.loads(row["reason"])), row["title"], row["url"], row["source"], row["story"],
        )
        for row in rows
    ]  # fmt: skip


def health(db: sqlite3.Connection, after: str, until: str) -> Health:
    """Return how the sources, the queue and the model have done since an instant (exclusive), until another."""
    asked, answered = db.execute(
        """SELECT count(DISTINCT source), count(DISTINCT iif(error IS NULL OR entries > 0, source, NULL)) FROM polls
        WHERE at > ? AND at <= ?""",
        (after, until),
    ).fetchone()
    failing = db.execute(
        "SELECT title, last_ok_at, coalesce(last_error, '') FROM sources WHERE fails > 0 AND retired_at IS NULL ORDER BY last_ok_at, id"
    )
    outages = tuple(_outages(db, after, until, asked))
    newest = db.execute("SELECT at FROM polls ORDER BY id DESC LIMIT 1").fetchone()  # by id: a clock may have run ahead
    models = [row[0] for row in db.execute("SELECT model FROM item_topics WHERE model <> 'label' ORDER BY item DESC LIMIT 50")]
    summary = db.execute("SELECT summary FROM runs WHERE summary IS NOT NULL ORDER BY id DESC LIMIT 1").fetchone()
    return Health(
        asked,
        answered,
        tuple((title, ok, error.partition(":")[0]) for title, ok, error in failing),
        outages,
        bool(newest) and newest[0] in {at for at, _, _ in outages},
        {row[0]: row[1] for row in db.execute("SELECT stage, count(*) FROM pending GROUP BY stage ORDER BY stage")},
        next((model for model in models if model != "rules"), models[0] if models else ""),
        str(json.loads(summary[0]).get("model_problem") or "") if summary else "",
        tuple(gap for gap in gaps.listed(db) if max(gap["to_at"], gap["found_at"]) > after),
        tuple(gaps.quiet(db)),
    )


def _outages(db: sqlite3.Connection, after: str, until: str, sources: int) -> Iterable[tuple[str, int, str | None]]:
    """Times at which half of the sources or more were asked and none answered. One run has one instant."""
    counted = "SELECT at, count(*), sum(error IS NULL OR entries > 0) FROM polls WHERE at > ? AND at <= ? GROUP BY at ORDER BY at"
    rows = db.execute(counted, (after, until)).fetchall()
    for place, (at, asked, answered) in enumerate(rows):
        if not answered and asked * 2 >= sources:
            yield at, asked, next((later for later, _, good in rows[place + 1 :] if good), None)


# -- the outbox -------------------------------------------------------------------------------------


def prepare(
    db: sqlite3.Connection, name: str, period: tuple[str, str], mail: tuple[str, str, str, str], items: Sequence[Told],
    watches: Sequence[tuple[str, str]],
) -> int:  # fmt: skip
    """Store a digest and what it tells; call it inside a transaction. ``mail``: subject, text, html, Message-ID. Returns its id."""
    cursor = db.execute(
        """INSERT INTO digests(name, period_from, period_to, created_at, subject, text, html, message_id, status)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'prepared')""",
        (name, *period, period[1], *mail),
    )
    digest = int(cursor.lastrowid or 0)
    db.executemany(
        "INSERT INTO digest_items(digest, item, story, section, position, rung) VALUES (?, ?, ?, ?, ?, ?)",
        [(digest, t.item, t.story, t.section, t.position, t.rung) for t in items],
    )
    db.executemany("INSERT INTO digest_watches(digest, watch, rung) VALUES (?, ?, ?)", [(digest, *told) for told in watches])
    return digest


def unsent(db: sqlite3.Connection, name: str) -> list[sqlite3.Row]:
    """Return the digests of that name that are not sent, oldest first."""
    # By status, not by name: the status of a row stands behind its HTML, and those that were sent are years of it.
    return db.execute(
        "SELECT * FROM digests INDEXED BY digests_status WHERE status IN ('prepared', 'sending') AND name = ? ORDER BY id", (name,)
    ).fetchall()


def orphans(db: sqlite3.Connection, names: Iterable[str], note: str) -> list[sqlite3.Row]:
    """Return the digests that are not sent, of none of these names, whose ``error`` does not yet say so."""
    return db.execute(
        """SELECT * FROM digests INDEXED BY digests_status WHERE status IN ('prepared', 'sending')
        AND name NOT IN (SELECT value FROM json_each(?)) AND instr(coalesce(error, ''), ?) = 0 ORDER BY id""",
        (json.dumps(sorted(names)), note),
    ).fetchall()


def send(db: sqlite3.Connection, digest: int) -> None:
    """Note that a digest is on its way."""
    db.execute("UPDATE digests SET status = 'sending', tries = tries + 1 WHERE id = ?", (digest,))


def sent(db: sqlite3.Connection, digest: int, now: str, error: str | None) -> None:
    """Note that a digest has arrived; ``error`` names who refused it."""
    db.execute("UPDATE digests SET status = 'sent', sent_at = ?, next_try_at = NULL, error = ? WHERE id = ?", (now, error, digest))


def fail(db: sqlite3.Connection, digest: int, error: str, next_try_at: str | None) -> None:
    """Note that a digest has not arrived, why, and when it is tried again (None: as soon as may be)."""
    db.execute("UPDATE digests SET status = 'prepared', error = ?, next_try_at = ? WHERE id = ?", (error, next_try_at, digest))


def _json(values: Iterable[int]) -> str:
    return json.dumps(sorted(values))
