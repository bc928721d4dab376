"""The seventh migration: what just missed a standing question, why an event was taken back, what it was before; the board."""

from __future__ import annotations

__all__ = ["SEVENTH"]

# Of an event: it stands, and for the question as it is asked now: what an unfinished look back has yet to reach is of the one before.
_STANDING = "event.watch = watches.id AND withdrawn_at IS NULL AND event.item <= coalesce(looked_to, event.item)"
_ANSWERS = "event.rung IN (SELECT value FROM json_each(spec, '$.answer'))"
# What is counted after another question has no day of its own to begin with.
_IN_TIME = """json_extract(spec, '$.after') IS NULL AND substr(event.at, 1, 10) >= coalesce(since, '')
      AND (since IS NULL OR coalesce(json_extract(spec, '$.within_s'), 0) = 0
        OR julianday(substr(event.at, 1, 10)) - julianday(since) <= json_extract(spec, '$.within_s') / 86400)"""


def _named(which: str) -> str:
    """The columns of the first answer, or of the last sign."""
    said = {"day": f"substr({which}.at, 1, 10)", "lab": f"{which}.lab", "rung": f"{which}.rung"}
    said |= {name: f"{which}_item.{name}" for name in ("title", "url")}
    return ", ".join(f"{value} AS {'answer' if which == 'first' else which}_{name}" for name, value in said.items())


# Every question looks back once, for the near-misses of what is stored already; an event that is known keeps when it was found.
SEVENTH = f"""
CREATE TABLE near_misses ( -- Items that would bear on a standing question if not for one thing. They answer nothing and are never mailed.
  watch TEXT NOT NULL REFERENCES watches(id),
  item INTEGER NOT NULL REFERENCES items(id),
  lab TEXT NOT NULL, -- Whose it is, or whom it is about; empty when the question names no lab.
  rung TEXT NOT NULL CHECK (rung IN ('reported', 'stated', 'published', 'shipped')), -- What kind of evidence it would have been.
  at TEXT NOT NULL, -- The item's own time (UTC).
  score REAL NOT NULL, -- Of the topic, 0 to 1.
  reason TEXT NOT NULL, -- JSON: what fits, in words, and last the one thing that does not.
  PRIMARY KEY (watch, item, lab)
) STRICT, WITHOUT ROWID;
CREATE INDEX near_misses_item ON near_misses(item);
CREATE INDEX near_misses_at ON near_misses(watch, at);
ALTER TABLE watch_events ADD COLUMN withdrawn_why TEXT /* What had changed when it was taken back, in words. */;
CREATE TABLE event_changes ( -- What an event was until it changed: of another rung, an answer to its question, or taken back.
  watch TEXT NOT NULL REFERENCES watches(id),
  item INTEGER NOT NULL REFERENCES items(id),
  lab TEXT NOT NULL, -- As in watch_events.
  at TEXT NOT NULL, -- Until when (UTC).
  rung TEXT NOT NULL CHECK (rung IN ('reported', 'stated', 'published', 'shipped')), -- What it counted as until then.
  answered INTEGER NOT NULL CHECK (answered IN (0, 1)), -- Whether that answered the question as it was asked then.
  withdrawn_at TEXT, -- Since when it was taken back, until it stood again (UTC). Empty: it stood.
  withdrawn_why TEXT, -- Why it was, in words.
  PRIMARY KEY (watch, item, lab, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_changes_item ON event_changes(item);
UPDATE watches SET looked_to = 0 WHERE retired_at IS NULL;
CREATE VIEW watch_board AS -- The board: each standing question, what answers it, what was seen last. The front page reckons waits.
SELECT watches.id AS watch, watches.question, (SELECT group_concat(value, ', ') FROM json_each(spec, '$.answer')) AS answer,
  iif(looked_to IS NULL, 'yes', iif(looked_to = 0, 'no', 'partly')) AS looked,
  (SELECT count(*) FROM (SELECT DISTINCT iif(json_extract(spec, '$.first_per') = 'lab', 0, coalesce(story, event.item)), lab, rung
    FROM watch_events AS event LEFT JOIN story_items ON story_items.item = event.item WHERE {_STANDING})) AS events,
  (SELECT group_concat(rung, ', ') FROM (SELECT DISTINCT rung FROM watch_events AS event WHERE {_STANDING}
    ORDER BY instr('reported stated published shipped', rung))) AS rungs,
  {_named("first")},
  {_named("last")},
  iif(looked_to IS NULL, (SELECT count(*) FROM near_misses WHERE near_misses.watch = watches.id), 0) AS near_misses,
  iif(looked_to = 0, 0, (SELECT count(*) FROM watch_events AS event WHERE event.watch = watches.id AND (withdrawn_at IS NOT NULL
    OR (NOT {_ANSWERS} AND EXISTS (SELECT 1 FROM event_changes AS change
      WHERE change.watch = event.watch AND change.item = event.item AND change.lab = event.lab AND answered))))) AS taken_back
FROM (SELECT id, question, since, looked_to, retired_at, iif(json_valid(spec), spec, '{{}}') AS spec FROM watches) AS watches
  LEFT JOIN watch_events AS first ON first.watch = watches.id AND (first.item, first.lab) = (
    SELECT item, lab FROM watch_events AS event WHERE {_STANDING} AND {_ANSWERS} AND {_IN_TIME} ORDER BY at, item, lab LIMIT 1)
  LEFT JOIN items AS first_item ON first_item.id = first.item
  LEFT JOIN watch_events AS last ON last.watch = watches.id AND (last.item, last.lab) = (
    SELECT item, lab FROM watch_events AS event WHERE {_STANDING} ORDER BY at DESC, item DESC, lab DESC LIMIT 1)
  LEFT JOIN items AS last_item ON last_item.id = last.item
WHERE watches.retired_at IS NULL;
"""  # noqa: S608 - constants of this file
