"""Labels, and the models that learn from them."""

from __future__ import annotations

__all__ = ["FOURTH"]

FOURTH = """
CREATE TABLE labels ( -- What people say of items. Rows are never changed or deleted: the newest counts, and one may take back another.
  id INTEGER PRIMARY KEY,
  item_key TEXT NOT NULL, -- A key of the item. Not its id: labels outlive the database, and may be there before the item.
  tag TEXT NOT NULL, -- What the item is said to be, or not: topic:<id of a topic>.
  value INTEGER NOT NULL CHECK (value IN (0, 1)), -- 1: yes, 0: no.
  who TEXT NOT NULL, -- The person.
  at TEXT NOT NULL, -- When it was said (UTC).
  picked TEXT NOT NULL CHECK (picked IN ('uncertain', 'random', 'browse')), -- How the item came up: browse, a person chose it.
  note TEXT NOT NULL DEFAULT '', -- What the person adds.
  withdraws INTEGER UNIQUE REFERENCES labels(id) -- The label that this row takes back; it says nothing else, and its value is that label's.
) STRICT;
CREATE INDEX labels_item_key ON labels(item_key);

CREATE VIEW labelled AS -- What people say of items now: the newest label of each person on each item and tag, without those taken back.
SELECT id, key, item, title, tag, value, who, at, picked, note FROM (
  SELECT labels.id, coalesce(items.key, labels.item_key) AS key, items.id AS item, items.title, tag, value, who, at, picked, note,
    row_number() OVER (PARTITION BY coalesce(items.key, labels.item_key), tag, who ORDER BY at DESC, labels.id DESC) AS place
  FROM labels LEFT JOIN item_keys ON item_keys.key = labels.item_key LEFT JOIN items ON items.id = item_keys.item
  WHERE withdraws IS NULL AND NOT EXISTS (SELECT 1 FROM labels AS later WHERE later.withdraws = labels.id))
WHERE place = 1;

DROP VIEW tagged;
CREATE VIEW tagged AS -- What is said of each item: one row per item and topic. A label beats a tag; what a label denies is left out.
SELECT item_topics.topic, item_topics.tier, item_topics.score, items.id AS item, items.title, items.url, items.published_at,
  items.origin, item_topics.evidence, item_topics.model
FROM item_topics JOIN items ON items.id = item_topics.item WHERE item_topics.tier <> 'no';

CREATE TABLE models ( -- The topic models that were trained here, and what became of them.
  id TEXT PRIMARY KEY, -- Its name, as tags carry it.
  trained_at TEXT NOT NULL, -- UTC.
  status TEXT NOT NULL CHECK (status IN ('champion', 'former', 'rejected')), -- champion: in use; rejected: it did not pass the gate.
  labels_n INTEGER NOT NULL, -- How many labels it has learned from.
  labels_hash TEXT NOT NULL, -- Hash of those labels.
  artifact TEXT NOT NULL, -- Its folder, beside the database.
  sha256 TEXT NOT NULL, -- Of its weights: no others are loaded.
  reason TEXT NOT NULL -- Why it has its status, in a sentence.
) STRICT;
CREATE UNIQUE INDEX models_champion ON models(status) WHERE status = 'champion';

CREATE TABLE model_scores ( -- How well a model does, by topic, on labels that it has not learned from.
  model TEXT NOT NULL REFERENCES models(id),
  split TEXT NOT NULL, -- Which labels it was measured on.
  topic TEXT NOT NULL, -- A topic.
  positives INTEGER NOT NULL, -- Labels that say yes.
  negatives INTEGER NOT NULL, -- Labels that say no.
  average_precision REAL, -- 0 to 1; empty where there is nothing to measure.
  precision REAL, -- At the threshold: how many of the tagged are right.
  recall REAL, -- At the threshold: how many of the right are tagged.
  threshold REAL, -- Score from which an item is tagged.
  PRIMARY KEY (model, split, topic)
) STRICT, WITHOUT ROWID;

CREATE VIEW model_card AS -- The model in use, with its figures.
SELECT model_scores.topic, model_scores.split, positives, negatives, average_precision, precision, recall, threshold, models.id AS model,
  models.trained_at, models.labels_n, models.reason
FROM models JOIN model_scores ON model_scores.model = models.id WHERE models.status = 'champion';
"""
