"""The SQL of our pages, as named constants; every value is bound.

in   nothing; out  SQL text that ``front`` runs in one read transaction, and that the tests hold against its query plan
Every list is a walk down an index that stops after ``:limit`` items, so its cost does not grow with the archive. Items travel
between queries as a JSON array of ids (``:items``), which keeps the number of queries fixed however long the list is.
Surprising: counts over the whole archive stand apart (``TOPICS``, ``LABS``, ``TOTAL``); ``front`` remembers them until the file changes.
"""

from __future__ import annotations

__all__ = ["ATTRIBUTIONS", "DAYS", "ITEMS", "LABS", "LISTS", "NAMES", "RUNS", "SIGHTINGS", "SOURCES", "TAGS", "TOPICS", "TOTAL", "WAITING"]

_NEWEST = """
SELECT item FROM item_topics
WHERE item < :before AND tier <> 'no'
GROUP BY item ORDER BY item DESC LIMIT :limit"""

# One walk a tier: the index is (topic, tier, item), so only within a tier are the items in order.
_ON_TOPIC = """
SELECT item FROM (
  SELECT * FROM (SELECT item FROM item_topics WHERE topic = :topic AND tier = 'confident' AND item < :before
    ORDER BY item DESC LIMIT :limit)
  UNION ALL
  SELECT * FROM (SELECT item FROM item_topics WHERE topic = :topic AND tier = 'maybe' AND item < :before
    ORDER BY item DESC LIMIT :limit))
ORDER BY item DESC LIMIT :limit"""

# One walk for the lab and each of its children. SQLite has no LATERAL: the inner list travels as a JSON array.
_OF_LAB = """
SELECT DISTINCT newest.value AS item
FROM (SELECT :lab AS lab UNION SELECT lab FROM lab_parents WHERE parent = :lab) AS family,
  json_each((SELECT json_group_array(item) FROM (
    SELECT item FROM item_labs
    WHERE lab = family.lab AND relation = :relation AND item < :before
      AND EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = item_labs.item AND tier <> 'no'{topic})
    GROUP BY item ORDER BY item DESC LIMIT :limit))) AS newest
ORDER BY item DESC LIMIT :limit"""

# What is listed, by what the reader has chosen: nothing, a topic, a lab, both.
LISTS = {
    "newest": _NEWEST,
    "topic": _ON_TOPIC,
    "lab": _OF_LAB.format(topic=""),
    "topic and lab": _OF_LAB.format(topic=" AND topic = :topic"),
}

ITEMS = """
SELECT items.id, items.key, items.url, items.title, items.authors, items.published_at, items.first_seen_at, items.origin, items.version
FROM json_each(:items) AS listed CROSS JOIN items ON items.id = listed.value
ORDER BY items.id DESC"""

TAGS = """
SELECT item, topic, score, tier, evidence, model
FROM json_each(:items) AS listed CROSS JOIN item_topics ON item_topics.item = listed.value
WHERE tier <> 'no' ORDER BY item, tier, score DESC"""

ATTRIBUTIONS = """
SELECT item, lab, relation, method, strength, evidence
FROM json_each(:items) AS listed CROSS JOIN item_labs ON item_labs.item = listed.value
WHERE relation IN ('by', 'about')
ORDER BY item, relation DESC, lab, CASE strength WHEN 'declared' THEN 0 WHEN 'stated' THEN 1 ELSE 2 END"""

SIGHTINGS = """
SELECT sightings.item, sources.title
FROM json_each(:items) AS listed CROSS JOIN sightings ON sightings.item = listed.value JOIN sources ON sources.id = sightings.source
ORDER BY sightings.item, sightings.first_seen_at, sources.title"""

# How much of a day is on topic; :days are YYYYMMDD, the front of an item's id.
DAYS = """
SELECT day.value AS day,
  (SELECT count(*) FROM items WHERE id BETWEEN day.value * 1000000 AND day.value * 1000000 + 999999) AS items,
  (SELECT count(DISTINCT item) FROM item_topics
    WHERE item BETWEEN day.value * 1000000 AND day.value * 1000000 + 999999 AND tier <> 'no') AS on_topic
FROM json_each(:days) AS day"""

NAMES = """
SELECT 'topic' AS what, id, title, description, retired_at FROM topics
UNION ALL SELECT 'lab', id, name, kind, retired_at FROM labs"""

TOPICS = """
SELECT topics.id,
  (SELECT count(*) FROM item_topics WHERE topic = topics.id AND tier IN ('confident', 'maybe')) AS items,
  (SELECT count(*) FROM item_topics WHERE topic = topics.id AND tier IN ('confident', 'maybe') AND item >= :week) AS week
FROM topics"""

# Items of a lab or of its children, on topic.
LABS = """
SELECT family.name AS id, count(DISTINCT item_labs.item) AS items
FROM (SELECT id AS name, id AS lab FROM labs UNION SELECT parent, lab FROM lab_parents) AS family
CROSS JOIN item_labs ON item_labs.lab = family.lab AND item_labs.relation = 'by' AND item_labs.item >= :quarter
WHERE EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = item_labs.item AND tier <> 'no')
GROUP BY family.name"""

TOTAL = "SELECT count(*) AS items FROM items"

WAITING = "SELECT count(*) AS items FROM pending WHERE stage = 'tag'"

RUNS = "SELECT id, started_at, finished_at, summary FROM runs ORDER BY id DESC LIMIT 2"

# Not the view's count of items: it would read the whole index of the archive.
SOURCES = """
SELECT id, title, kind, role, health, last_ok_at, last_new_at, fails, last_error, moved_to, next_poll_at, newest_item
FROM source_health WHERE health <> 'retired'"""
