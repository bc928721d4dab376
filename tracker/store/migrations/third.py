"""Gaps, silent sources, and articles that are read. Released: never changes."""

from __future__ import annotations

__all__ = ["THIRD"]

THIRD = """
CREATE TABLE gaps ( -- What cannot be proved complete: spans in which a source may have shown what we did not see.
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL REFERENCES sources(id),
  from_at TEXT NOT NULL, -- The last thing known before it (UTC).
  to_at TEXT NOT NULL, -- The first thing known after it (UTC).
  reason TEXT NOT NULL CHECK (reason IN ('window rolled', 'incomplete results', 'no answer', 'count dropped')), -- Why.
  found_at TEXT NOT NULL, -- When we found it (UTC).
  closed_at TEXT, -- When it was filled, or shown to be none (UTC). Empty: open.
  how TEXT -- What closed it.
) STRICT;
CREATE INDEX gaps_source ON gaps(source, closed_at);

ALTER TABLE sources ADD COLUMN quiet_since TEXT /* The day of its newest item, once it is silent for far longer than its habit. */;
ALTER TABLE sources ADD COLUMN quiet_at TEXT /* Of a silent source: when that was found (UTC). */;
ALTER TABLE sources ADD COLUMN habit_days INTEGER /* Of a silent source: within how many days it used to bring something. */;
ALTER TABLE sources ADD COLUMN empty_since TEXT /* Since when it answers with documents without entries; it used to list some (UTC). */;
CREATE INDEX sightings_source_item ON sightings(source, item);
DROP VIEW source_health;
CREATE VIEW source_health AS -- Whether each source answers, and since when not; whether it is silent, and where it has gaps.
SELECT sources.id, sources.title, sources.lab, sources.kind, sources.role,
  CASE WHEN sources.retired_at IS NOT NULL THEN 'retired' WHEN sources.fails > 0 THEN 'failing'
    WHEN sources.last_ok_at IS NULL THEN 'not asked yet'
    WHEN coalesce(sources.quiet_since, sources.empty_since) IS NOT NULL THEN 'quiet' ELSE 'ok' END AS health,
  sources.last_ok_at, sources.last_new_at, sources.fails, sources.last_error, sources.moved_to, sources.next_poll_at,
  (SELECT count(*) FROM items WHERE items.source = sources.id) AS items,
  (SELECT max(item) FROM sightings WHERE sightings.source = sources.id) AS newest_item,
  sources.quiet_since, sources.habit_days,
  (SELECT count(*) FROM gaps WHERE gaps.source = sources.id AND gaps.closed_at IS NULL) AS gaps
FROM sources ORDER BY sources.retired_at IS NOT NULL, sources.fails = 0, sources.quiet_since IS NULL, sources.id;

CREATE TABLE readings ( -- What was fetched because no feed carries it: the text of an official post, the author block of a paper.
  item INTEGER NOT NULL REFERENCES items(id),
  what TEXT NOT NULL CHECK (what IN ('article', 'authors')), -- What was read.
  url TEXT NOT NULL, -- The page that was asked for.
  version INTEGER, -- arXiv version of the page.
  outcome TEXT NOT NULL, -- read, no page, empty, or the name of an error.
  text TEXT, -- Plain text: of an article at most 20,000 characters, of an author block 4,000.
  sha256 TEXT, -- Of the text.
  fetched_at TEXT NOT NULL, -- UTC.
  PRIMARY KEY (item, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX readings_fetched_at ON readings(fetched_at);

DROP TRIGGER texts_added;
DROP TRIGGER texts_changed;
DROP TABLE texts_fts;
CREATE VIEW searchable AS -- The words that search looks through: what the source said of an item, and the article that was read.
SELECT texts.item, texts.title, texts.body, coalesce(readings.text, '') AS article
FROM texts LEFT JOIN readings ON readings.item = texts.item AND readings.what = 'article';
CREATE VIRTUAL TABLE texts_fts USING fts5(
  title, body, article, content='searchable', content_rowid='item', tokenize='porter unicode61');
INSERT INTO texts_fts(texts_fts) VALUES ('rebuild');
CREATE TRIGGER texts_added AFTER INSERT ON texts BEGIN
  INSERT INTO texts_fts(rowid, title, body, article) VALUES (new.item, new.title, new.body, '');
END;
CREATE TRIGGER texts_changed AFTER UPDATE ON texts BEGIN
  INSERT INTO texts_fts(texts_fts, rowid, title, body, article)
    SELECT 'delete', old.item, old.title, old.body, article FROM searchable WHERE item = old.item;
  INSERT INTO texts_fts(rowid, title, body, article) SELECT item, title, body, article FROM searchable WHERE item = new.item;
END;
CREATE TRIGGER readings_added AFTER INSERT ON readings WHEN new.what = 'article' AND new.text IS NOT NULL BEGIN
  INSERT INTO texts_fts(texts_fts, rowid, title, body, article) SELECT 'delete', item, title, body, '' FROM texts WHERE item = new.item;
  INSERT INTO texts_fts(rowid, title, body, article) SELECT item, title, body, new.text FROM texts WHERE item = new.item;
END;
CREATE TRIGGER readings_changed AFTER UPDATE OF text ON readings WHEN new.what = 'article' AND new.text IS NOT old.text BEGIN
  INSERT INTO texts_fts(texts_fts, rowid, title, body, article)
    SELECT 'delete', item, title, body, coalesce(old.text, '') FROM texts WHERE item = new.item;
  INSERT INTO texts_fts(rowid, title, body, article) SELECT item, title, body, coalesce(new.text, '') FROM texts WHERE item = new.item;
END;
"""
