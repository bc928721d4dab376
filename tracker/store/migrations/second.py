"""Stories, standing questions and digests. Released: never changes."""

from __future__ import annotations

__all__ = ["SECOND"]

SECOND = """
ALTER TABLE items ADD COLUMN act TEXT CHECK (act IN ('announcement', 'release', 'result', 'report', 'opinion')) /* What it does. */;
ALTER TABLE items ADD COLUMN act_cue TEXT /* The words that say so. */;
ALTER TABLE items ADD COLUMN unconfirmed TEXT CHECK (unconfirmed IN ('possibly', 'yes')) /* Press that nobody has confirmed. */;
ALTER TABLE items ADD COLUMN cue TEXT /* The words that say it is unconfirmed. */;

CREATE TABLE stories ( -- Items on one development.
  id INTEGER PRIMARY KEY,
  title TEXT NOT NULL, -- The title of its lead.
  lead_item INTEGER NOT NULL REFERENCES items(id), -- By the lab before paper before press; the first of its kind.
  first_at TEXT NOT NULL, -- When its first item was published (UTC).
  last_at TEXT NOT NULL, -- When its newest item was published (UTC).
  items INTEGER NOT NULL, -- How many items.
  sources INTEGER NOT NULL, -- From how many sources.
  merged_into INTEGER REFERENCES stories(id) -- The story that took it in.
) STRICT;
CREATE INDEX stories_lead ON stories(lead_item);
CREATE INDEX stories_merged ON stories(merged_into);

CREATE TABLE story_items ( -- Which story an item belongs to, and why.
  item INTEGER PRIMARY KEY REFERENCES items(id),
  story INTEGER NOT NULL REFERENCES stories(id),
  score REAL NOT NULL, -- How far it agrees with the story on average, 0 to 1.
  evidence TEXT NOT NULL -- What joins it, in words.
) STRICT;
CREATE INDEX story_items_story ON story_items(story);

CREATE TABLE watches ( -- Standing questions: one row per [watches.<id>] table.
  id TEXT PRIMARY KEY,
  question TEXT NOT NULL, -- As a person asks it.
  spec TEXT NOT NULL, -- JSON: what it looks for.
  since TEXT, -- First day on which anything counts.
  looked_to INTEGER, -- While a new or edited question looks back: the last item it has looked at. Empty: it is done.
  retired_at TEXT -- When it was removed from feeds.toml (UTC).
) STRICT;

CREATE TABLE watch_events ( -- Items that bear on a standing question.
  watch TEXT NOT NULL REFERENCES watches(id),
  item INTEGER NOT NULL REFERENCES items(id),
  lab TEXT NOT NULL, -- Whose it is, or whom it is about; empty when the question names no lab.
  rung TEXT NOT NULL CHECK (rung IN ('reported', 'stated', 'published', 'shipped')), -- What kind of evidence it is.
  at TEXT NOT NULL, -- The item's own time (UTC).
  found_at TEXT NOT NULL, -- When we found it (UTC).
  withdrawn_at TEXT, -- When its ground was gone (UTC): a label or a new tag says otherwise.
  score REAL NOT NULL, -- Of the topic that makes it bear on the question.
  reason TEXT NOT NULL, -- JSON: why, in words.
  quiet INTEGER NOT NULL DEFAULT 0 CHECK (quiet IN (0, 1)), -- 1: found by looking back; shown, never mailed.
  PRIMARY KEY (watch, item, lab)
) STRICT, WITHOUT ROWID;
CREATE INDEX watch_events_item ON watch_events(item);
CREATE INDEX watch_events_at ON watch_events(watch, at);

CREATE TABLE digests ( -- Every mail that was composed, as it was sent.
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL, -- The [digests.<name>] table.
  period_from TEXT NOT NULL, -- What was found from then (UTC) …
  period_to TEXT NOT NULL, -- … to then.
  created_at TEXT NOT NULL, -- UTC.
  subject TEXT NOT NULL, -- Of the mail.
  text TEXT NOT NULL, -- The plain part.
  html TEXT NOT NULL, -- The HTML part.
  message_id TEXT NOT NULL UNIQUE, -- The same on every attempt, so that a repeat is recognised.
  status TEXT NOT NULL CHECK (status IN ('prepared', 'sending', 'sent')), -- How far it came.
  sent_at TEXT, -- UTC.
  tries INTEGER NOT NULL DEFAULT 0,
  next_try_at TEXT, -- Not tried again before (UTC).
  error TEXT, -- Why it is not sent yet, or who refused it.
  UNIQUE (name, period_from)
) STRICT;
CREATE INDEX digests_status ON digests(status);

CREATE TABLE digest_items ( -- Which items were told, in which digest: nothing is told twice.
  digest INTEGER NOT NULL REFERENCES digests(id),
  item INTEGER NOT NULL REFERENCES items(id),
  story INTEGER NOT NULL REFERENCES stories(id),
  section TEXT NOT NULL, -- watches, confident, maybe, more
  position INTEGER NOT NULL, -- Its place in the digest, from 1.
  rung TEXT, -- The rung of the story as it was told.
  PRIMARY KEY (digest, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX digest_items_item ON digest_items(item);
CREATE INDEX digest_items_story ON digest_items(story);

CREATE TABLE digest_watches ( -- Which rung of a question was told, in which digest.
  digest INTEGER NOT NULL REFERENCES digests(id),
  watch TEXT NOT NULL REFERENCES watches(id),
  rung TEXT NOT NULL, -- The rung as it was told.
  PRIMARY KEY (digest, watch, rung)
) STRICT, WITHOUT ROWID;
CREATE INDEX digest_watches_watch ON digest_watches(watch);
"""
