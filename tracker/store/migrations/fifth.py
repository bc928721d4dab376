"""Author blocks of papers, where an attribution was read, and labs with their parents."""

from __future__ import annotations

__all__ = ["FIFTH"]

FIFTH = """
ALTER TABLE items ADD COLUMN affiliations TEXT NOT NULL DEFAULT '' /* Of its authors, as arXiv lists them, separated by semicolons. */;
ALTER TABLE readings ADD COLUMN registry TEXT /* Of an author block: hash of the lab registry by which it was resolved last. */;
ALTER TABLE readings ADD COLUMN etag TEXT /* Validator of a page that held no author block, for the next try. */;
CREATE INDEX readings_authors ON readings(registry, outcome) WHERE what = 'authors';
ALTER TABLE item_labs ADD COLUMN place TEXT NOT NULL DEFAULT '' /* Where it was read: title, text, address, authors, author block, … */;
UPDATE item_labs SET place = CASE method WHEN 'source' THEN 'source' WHEN 'host' THEN 'address' WHEN 'author' THEN 'authors' ELSE '' END;
INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'authors', items.id, items.first_seen_at FROM items
WHERE items.key GLOB 'arxiv:*' AND date(items.first_seen_at) >= (SELECT date(max(first_seen_at), '-30 days') FROM items)
  AND EXISTS (SELECT 1 FROM item_topics WHERE item = items.id AND tier <> 'no');

CREATE VIEW attributed AS -- Every lab that an item is by, about or mentions, and the parents of that lab: by google-deepmind is by google.
WITH RECURSIVE family(lab, leaf, since) AS (
  SELECT id, id, '' FROM labs
  UNION SELECT parent, leaf, max(family.since, coalesce(lab_parents.since, ''))
  FROM family JOIN lab_parents ON lab_parents.lab = family.lab)
SELECT family.lab, item_labs.relation, item_labs.item, items.title, items.url, items.published_at, items.origin, item_labs.lab AS named,
  item_labs.method, item_labs.strength, item_labs.evidence, item_labs.place, item_labs.registry
FROM family JOIN item_labs ON item_labs.lab = family.leaf JOIN items ON items.id = item_labs.item
WHERE family.since = '' OR coalesce(substr(items.published_at, 1, 10), printf('%s-%s-%s', substr(items.id, 1, 4), substr(items.id, 5, 2),
  substr(items.id, 7, 2))) >= family.since;
"""
