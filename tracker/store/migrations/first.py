"""Sources, items, tags and labs. Released: never changes."""

from __future__ import annotations

__all__ = ["FIRST"]

FIRST = """
CREATE TABLE sources ( -- What we poll: one row per [feeds.<id>] table of feeds.toml. Rows are never deleted, only retired.
  id TEXT PRIMARY KEY, -- The id of the table in feeds.toml.
  kind TEXT NOT NULL, -- How it is polled: feed, arxiv, …
  url TEXT NOT NULL, -- What is asked for.
  title TEXT NOT NULL, -- Its name for people.
  lab TEXT, -- The lab whose items these are, if feeds.toml declares one.
  every_s INTEGER NOT NULL, -- Seconds between two polls.
  role TEXT NOT NULL CHECK (role IN ('primary', 'mirror')), -- mirror: somebody else's copy.
  origin TEXT NOT NULL CHECK (origin IN ('paper', 'official', 'press', 'community')), -- What its items are.
  added_at TEXT NOT NULL, -- When it first stood in feeds.toml (UTC).
  retired_at TEXT, -- When it was removed from feeds.toml (UTC).
  etag TEXT, -- Validator of the last good document, sent back as If-None-Match.
  last_modified TEXT, -- Validator of the last good document, sent back as If-Modified-Since.
  body_hash TEXT, -- Hash of the last good document without its build times.
  cursor TEXT, -- How far a source that is read in pages has been read.
  next_poll_at TEXT, -- Not asked again before this time (UTC).
  fails INTEGER NOT NULL DEFAULT 0, -- Failed polls in a row.
  last_ok_at TEXT, -- Last poll that answered (UTC).
  last_new_at TEXT, -- Last poll that brought a new item (UTC).
  last_error TEXT, -- What is wrong since it fails: name and sentence. Empty while it works.
  moved_to TEXT -- Where the server says it has moved for good; change the url in feeds.toml.
) STRICT;

CREATE TABLE runs ( -- One row per run of the main job.
  id INTEGER PRIMARY KEY,
  started_at TEXT NOT NULL, -- UTC.
  finished_at TEXT, -- UTC. Empty: still running, or it died.
  pid INTEGER NOT NULL, -- Process id.
  host TEXT NOT NULL, -- The machine.
  version TEXT NOT NULL, -- Version of tracker.
  summary TEXT -- JSON: what happened, in numbers.
) STRICT;

CREATE TABLE polls ( -- One row per attempt on a source, kept for 90 days.
  id INTEGER PRIMARY KEY,
  run INTEGER REFERENCES runs(id),
  source TEXT NOT NULL REFERENCES sources(id),
  at TEXT NOT NULL, -- UTC.
  seconds REAL NOT NULL, -- How long it took.
  status INTEGER, -- HTTP status of the last answer.
  outcome TEXT NOT NULL, -- new, nothing new, unchanged, or the name of an error.
  bytes INTEGER NOT NULL, -- Size of the documents.
  entries INTEGER NOT NULL, -- Entries that they listed.
  new INTEGER NOT NULL, -- Items that were new to us.
  changed INTEGER NOT NULL, -- Items whose title, text, address or version changed.
  error TEXT -- The sentence, when it failed.
) STRICT;
CREATE INDEX polls_source ON polls(source, at);
CREATE INDEX polls_at ON polls(at);
CREATE INDEX polls_run ON polls(run);

CREATE TABLE items ( -- Papers, posts and news: one row each, however many sources showed it.
  id INTEGER PRIMARY KEY, -- YYYYMMDD × 1,000,000 + n: the day on which it became news to us.
  key TEXT NOT NULL UNIQUE, -- Identity for ever: arxiv:…, doi:…, url:…, guid:… or hash:…
  source TEXT NOT NULL REFERENCES sources(id), -- The best source that showed it.
  url TEXT, -- Where to read it.
  title TEXT NOT NULL,
  authors TEXT NOT NULL DEFAULT '', -- Separated by semicolons.
  published_at TEXT, -- As its publisher says (UTC). Empty when missing, absurd or in the future.
  published_raw TEXT, -- What the publisher wrote, when it could not be used.
  first_seen_at TEXT NOT NULL, -- When we first saw it (UTC).
  content_hash TEXT NOT NULL, -- Of title and text.
  revision INTEGER NOT NULL DEFAULT 0, -- How often title, text or address changed.
  version INTEGER, -- arXiv version: 1, 2, …
  backlog INTEGER NOT NULL CHECK (backlog IN (0, 1)), -- 1: was there before we looked; kept and tagged, never mailed.
  origin TEXT CHECK (origin IN ('paper', 'official', 'press', 'community')) -- What kind of thing it is.
) STRICT;
CREATE INDEX items_first_seen_at ON items(first_seen_at);
CREATE INDEX items_source ON items(source, id);

CREATE TABLE item_keys ( -- Every key by which an item was ever seen.
  key TEXT PRIMARY KEY,
  item INTEGER NOT NULL REFERENCES items(id)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_keys_item ON item_keys(item);

CREATE TABLE revisions ( -- What an item said before it was edited.
  item INTEGER NOT NULL REFERENCES items(id),
  at TEXT NOT NULL, -- When we saw the change (UTC).
  what TEXT NOT NULL CHECK (what IN ('title', 'text', 'url', 'date', 'version')), -- What changed.
  old TEXT, -- The value before.
  PRIMARY KEY (item, at, what)
) STRICT, WITHOUT ROWID;

CREATE TABLE texts ( -- The words of an item, apart so that lists stay fast.
  item INTEGER PRIMARY KEY REFERENCES items(id),
  title TEXT NOT NULL,
  body TEXT NOT NULL -- Plain text: abstract, summary or post.
) STRICT;
CREATE VIRTUAL TABLE texts_fts USING fts5(title, body, content='texts', content_rowid='item', tokenize='porter unicode61');
CREATE TRIGGER texts_added AFTER INSERT ON texts BEGIN
  INSERT INTO texts_fts(rowid, title, body) VALUES (new.item, new.title, new.body);
END;
CREATE TRIGGER texts_changed AFTER UPDATE ON texts BEGIN
  INSERT INTO texts_fts(texts_fts, rowid, title, body) VALUES ('delete', old.item, old.title, old.body);
  INSERT INTO texts_fts(rowid, title, body) VALUES (new.item, new.title, new.body);
END;

CREATE TABLE sightings ( -- Which sources showed an item.
  item INTEGER NOT NULL REFERENCES items(id),
  source TEXT NOT NULL REFERENCES sources(id),
  guid TEXT, -- The source's own identifier.
  entry_hash TEXT NOT NULL, -- Of everything the source said of it: an unchanged entry writes nothing.
  first_seen_at TEXT NOT NULL, -- UTC.
  PRIMARY KEY (item, source)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_source_guid ON sightings(source, guid);

CREATE TABLE links ( -- What an item points to.
  item INTEGER NOT NULL REFERENCES items(id),
  key TEXT NOT NULL, -- arxiv:…, doi:… or url:…
  PRIMARY KEY (item, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_key ON links(key);

CREATE TABLE pending ( -- The work queue: items that a stage has yet to do.
  stage TEXT NOT NULL, -- tag, …
  item INTEGER NOT NULL REFERENCES items(id),
  due_at TEXT NOT NULL, -- UTC.
  tries INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (stage, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX pending_item ON pending(item);

CREATE TABLE topics ( -- What items can be on.
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  description TEXT NOT NULL,
  threshold REAL, -- Score from which an item is shown under "maybe"; empty: the model's own.
  retired_at TEXT -- When it was removed from the configuration (UTC).
) STRICT;

CREATE TABLE labs ( -- Who builds and studies AI.
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  kind TEXT NOT NULL, -- frontier, industrial, open, nonprofit, safety, …
  aliases TEXT NOT NULL, -- Other names, separated by semicolons.
  retired_at TEXT -- When it was removed from the configuration (UTC).
) STRICT;

CREATE TABLE lab_parents ( -- Which lab belongs to which, since when.
  lab TEXT NOT NULL REFERENCES labs(id),
  parent TEXT NOT NULL REFERENCES labs(id),
  since TEXT, -- First day; empty: always.
  PRIMARY KEY (lab, parent)
) STRICT, WITHOUT ROWID;
CREATE INDEX lab_parents_parent ON lab_parents(parent);

CREATE TABLE item_topics ( -- What the machine says an item is on, and why.
  item INTEGER NOT NULL REFERENCES items(id),
  topic TEXT NOT NULL REFERENCES topics(id),
  score REAL NOT NULL, -- Probability, 0 to 1.
  tier TEXT NOT NULL CHECK (tier IN ('confident', 'maybe', 'no')), -- confident, or maybe: by the thresholds.
  evidence TEXT NOT NULL, -- JSON: [[term, weight], …], the words that decided, largest first.
  model TEXT NOT NULL, -- The model that says so.
  PRIMARY KEY (item, topic)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_topics_topic ON item_topics(topic, tier, item);

CREATE TABLE item_labs ( -- Whose an item is (by), whom it is about, whom it mentions, and how we know.
  item INTEGER NOT NULL REFERENCES items(id),
  lab TEXT NOT NULL REFERENCES labs(id),
  relation TEXT NOT NULL CHECK (relation IN ('by', 'about', 'mention')), -- by: its author; about: its subject; mention: named.
  method TEXT NOT NULL, -- source, host, author, text, …
  strength TEXT NOT NULL CHECK (strength IN ('declared', 'stated', 'inferred')), -- declared is surest, then stated, then inferred.
  evidence TEXT NOT NULL, -- The matched text or the rule.
  registry TEXT NOT NULL, -- Hash of the lab registry that was used.
  PRIMARY KEY (item, lab, relation, method)
) STRICT, WITHOUT ROWID;
CREATE INDEX item_labs_lab ON item_labs(lab, relation, item);

CREATE VIEW latest AS -- Newest items first, with topics and labs.
SELECT items.id, items.published_at, items.title, items.url, items.origin,
  (SELECT group_concat(topic, ', ')
    FROM (SELECT topic FROM item_topics WHERE item = items.id AND tier <> 'no' ORDER BY score DESC)) AS topics,
  (SELECT group_concat(DISTINCT lab) FROM item_labs WHERE item = items.id AND relation = 'by') AS by,
  (SELECT group_concat(DISTINCT lab) FROM item_labs WHERE item = items.id AND relation = 'about') AS about,
  items.source, items.first_seen_at, items.backlog
FROM items;

CREATE VIEW tagged AS -- Every tag with its item: one row per item and topic.
SELECT item_topics.topic, item_topics.tier, item_topics.score, items.id AS item, items.title, items.url, items.published_at,
  items.origin, item_topics.evidence, item_topics.model
FROM item_topics JOIN items ON items.id = item_topics.item;

CREATE VIEW source_health AS -- Whether each source answers, and since when not.
SELECT sources.id, sources.title, sources.lab, sources.kind, sources.role,
  CASE WHEN sources.retired_at IS NOT NULL THEN 'retired' WHEN sources.fails > 0 THEN 'failing'
    WHEN sources.last_ok_at IS NULL THEN 'not asked yet' ELSE 'ok' END AS health,
  sources.last_ok_at, sources.last_new_at, sources.fails, sources.last_error, sources.moved_to, sources.next_poll_at,
  (SELECT count(*) FROM items WHERE items.source = sources.id) AS items,
  (SELECT max(id) FROM items WHERE items.source = sources.id) AS newest_item
FROM sources ORDER BY sources.retired_at IS NOT NULL, sources.fails = 0, sources.id;
"""
