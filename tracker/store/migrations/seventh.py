"""The seventh migration: what just missed a standing question, why an event was taken back, and what it counted as before."""

from __future__ import annotations

__all__ = ["SEVENTH"]

# Every question looks back once, for the near-misses of what is stored already; an event that is known keeps when it was found.
SEVENTH = """
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
ALTER TABLE watch_events ADD COLUMN rung_before TEXT /* What it counted as before its rung changed last. */;
ALTER TABLE watch_events ADD COLUMN rung_changed_at TEXT /* When that was (UTC). */;
UPDATE watches SET looked_to = 0 WHERE retired_at IS NULL;
"""
