"""The SQL of our pages, as named constants; every value is bound.

in   nothing; out  SQL text that ``front`` runs in one read transaction, and that the tests hold against its query plan
Every list is a walk down an index that stops after ``:limit`` stories, so its cost does not grow with the archive. A story is found
through its newest item that fits the list: there it stands, once, on whichever page. Items travel between queries as a JSON array of
ids (``:items``), which keeps the number of queries fixed however long the list is.
Surprising: counts over the whole archive stand apart (``TOPICS``, ``LABS``, ``TOTAL``); ``front`` remembers them until the file changes.
"""

from __future__ import annotations

__all__ = [
    "ATTRIBUTIONS", "DAYS", "GAPS", "ITEMS", "LABS", "LISTS", "NAMES", "RUNS", "SIGHTINGS", "SIGNS", "SOURCES", "STORIES", "TAGS", "TOPICS",
    "TOTAL", "WAITING",
]  # fmt: skip

# Not the newest of its story that fits: the story stands further up. An item without a story, or left in one that was merged into
# another, stands alone. {item} is the item, {fits} what makes another one fit the list.
_NOT_OLDER = """NOT EXISTS (
      SELECT 1 FROM story_items AS own CROSS JOIN stories ON stories.id = own.story AND stories.merged_into IS NULL
        CROSS JOIN story_items AS newer ON newer.story = own.story AND newer.item > own.item
      WHERE own.item = {item} AND EXISTS ({fits}))"""
_ON_ANY = "SELECT 1 FROM item_topics AS other WHERE other.item = newer.item AND other.tier <> 'no'"

_NEWEST = f"""
SELECT item FROM item_topics
WHERE item < :before AND tier <> 'no'
  AND {_NOT_OLDER.format(item="item_topics.item", fits=_ON_ANY)}
GROUP BY item ORDER BY item DESC LIMIT :limit"""  # noqa: S608 - constants of this file

# One walk a tier: the index is (topic, tier, item), so only within a tier are the items in order.
_OF_TIER = f"""SELECT * FROM (SELECT item FROM item_topics WHERE topic = :topic AND tier = '{{tier}}' AND item < :before
    AND {_NOT_OLDER.format(item="item_topics.item", fits=f"{_ON_ANY} AND other.topic = :topic")}
    ORDER BY item DESC LIMIT :limit)"""  # noqa: S608 - constants of this file
_ON_TOPIC = f"""
SELECT item FROM (
  {_OF_TIER.format(tier="confident")}
  UNION ALL
  {_OF_TIER.format(tier="maybe")})
ORDER BY item DESC LIMIT :limit"""  # noqa: S608 - constants of this file

# One walk for the lab and each lab below it. SQLite has no LATERAL: the inner list travels as a JSON array.
_FAMILY = """WITH RECURSIVE below(lab) AS (
  SELECT :lab UNION SELECT lab_parents.lab FROM below JOIN lab_parents ON parent = below.lab) SELECT lab FROM below"""
_OTHER_OF_LAB = f"""SELECT 1 FROM item_labs AS its CROSS JOIN item_topics AS other ON other.item = its.item AND other.tier <> 'no'{{topic}}
      WHERE its.item = newer.item AND its.relation = :relation AND its.lab IN ({_FAMILY})"""  # noqa: S608 - constants of this file
_OF_LAB = f"""
SELECT DISTINCT newest.value AS item
FROM ({_FAMILY}) AS family,
  json_each((SELECT json_group_array(item) FROM (
    SELECT item FROM item_labs
    WHERE lab = family.lab AND relation = :relation AND item < :before
      AND EXISTS (SELECT 1 FROM item_topics AS other WHERE other.item = item_labs.item AND tier <> 'no'{{topic}})
      AND {_NOT_OLDER.format(item="item_labs.item", fits=_OTHER_OF_LAB)}
    GROUP BY item ORDER BY item DESC LIMIT :limit))) AS newest
ORDER BY item DESC LIMIT :limit"""  # noqa: S608 - constants of this file

# What is listed, by what the reader has chosen: nothing, a topic, a lab, both.
LISTS = {
    "newest": _NEWEST,
    "topic": _ON_TOPIC,
    "lab": _OF_LAB.format(topic=""),
    "topic and lab": _OF_LAB.format(topic=" AND other.topic = :topic"),
}

# The story of each listed item with its newest 30 items and its lead; more are counted, not shown. Beside the listed item of a story of
# several stands who said it first (JSON), as the board of stories has it.
STORIES = """
SELECT listed.value AS listed, stories.id AS story, stories.lead_item AS lead, stories.items, stories.sources, stories.first_at,
  member.item, member.evidence,
  CASE WHEN member.item = listed.value AND stories.items > 1 THEN (
    SELECT json_object('source', first_source, 'official', date(official_day), 'paper', date(paper_day), 'press', date(press_day),
      'community', date(community_day), 'undated', undated)
    FROM story_board WHERE story_board.story = stories.id) END AS first
FROM json_each(:listed) AS listed CROSS JOIN story_items AS own ON own.item = listed.value
  CROSS JOIN stories ON stories.id = own.story AND stories.merged_into IS NULL
  CROSS JOIN story_items AS member ON member.story = own.story
WHERE member.item IN (listed.value, stories.lead_item)
  OR member.item IN (SELECT item FROM story_items WHERE story = own.story ORDER BY item DESC LIMIT 30)
ORDER BY listed.value, member.item"""

# What a later item of the story denies or corrects of an unconfirmed one (JSON).
_DENIED = """CASE WHEN items.unconfirmed IS NOT NULL THEN (
    SELECT json_object('how', how, 'cue', denial, 'title', denied_title, 'url', denied_url, 'source', denied_source)
    FROM denials WHERE denials.item = items.id) END AS denied"""

ITEMS = f"""
SELECT items.id, items.key, items.source, items.url, items.title, items.authors, items.published_at, items.published_raw,
  items.first_seen_at, items.origin, items.unconfirmed, items.cue, {_DENIED},
  (SELECT json_group_array(json_array(rung, lab, cue)) FROM rungs WHERE item = items.id) AS rungs
FROM json_each(:items) AS listed CROSS JOIN items ON items.id = listed.value
ORDER BY items.id DESC"""  # noqa: S608 - constants of this file

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
SELECT sightings.item, sources.title, sources.id AS source
FROM json_each(:items) AS listed CROSS JOIN sightings ON sightings.item = listed.value JOIN sources ON sources.id = sightings.source
ORDER BY sightings.item, sightings.first_seen_at, sources.title"""

# What a day came to; :days are YYYYMMDD, the front of an item's id. (NOT INDEXED: by the id itself, not by way of every source.)
DAYS = f"""
SELECT day.value AS day,
  (SELECT count(*) FROM items NOT INDEXED WHERE id BETWEEN day.value * 1000000 AND day.value * 1000000 + 999999) AS items,
  (SELECT count(DISTINCT item) FROM item_topics
    WHERE item BETWEEN day.value * 1000000 AND day.value * 1000000 + 999999 AND tier <> 'no'
      AND {_NOT_OLDER.format(item="item_topics.item", fits=_ON_ANY)}) AS stories
FROM json_each(:days) AS day"""  # noqa: S608 - constants of this file

NAMES = """
SELECT 'topic' AS what, id, title, description, retired_at FROM topics
UNION ALL SELECT 'lab', id, name, kind, retired_at FROM labs"""

TOPICS = """
SELECT topics.id,
  (SELECT count(*) FROM item_topics WHERE topic = topics.id AND tier IN ('confident', 'maybe')) AS items,
  (SELECT count(*) FROM item_topics WHERE topic = topics.id AND tier IN ('confident', 'maybe') AND item >= :week) AS week
FROM topics"""

# Items of a lab or of those below it, on topic.
LABS = """
WITH RECURSIVE family(name, lab) AS (
  SELECT id, id FROM labs UNION SELECT lab_parents.parent, family.lab FROM family JOIN lab_parents ON lab_parents.lab = family.name)
SELECT family.name AS id, count(DISTINCT item_labs.item) AS items
FROM family
CROSS JOIN item_labs ON item_labs.lab = family.lab AND item_labs.relation = 'by' AND item_labs.item >= :quarter
WHERE EXISTS (SELECT 1 FROM item_topics WHERE item_topics.item = item_labs.item AND tier <> 'no')
GROUP BY family.name"""

TOTAL = "SELECT count(*) AS items FROM items"

WAITING = "SELECT count(*) AS items FROM pending WHERE stage = 'tag'"

# sample: only the demo ever wrote here (``demo.MARK``); of a real database the first row says no.
RUNS = """
SELECT id, started_at, finished_at, summary, NOT EXISTS (SELECT 1 FROM runs WHERE version NOT LIKE '%+demo') AS sample
FROM runs ORDER BY id DESC LIMIT 2"""

# The items behind the answers to the standing questions.
SIGNS = f"""
SELECT items.id, items.key, items.url, items.title, items.unconfirmed, items.cue, {_DENIED}
FROM json_each(:items) AS listed CROSS JOIN items ON items.id = listed.value"""  # noqa: S608 - constants of this file

# The longest open first.
GAPS = """
SELECT sources.title, reason, from_at, to_at FROM sources CROSS JOIN gaps ON gaps.source = sources.id AND closed_at IS NULL
WHERE retired_at IS NULL ORDER BY from_at, gaps.id"""

# Not the view's count of items: it would read the whole index of the archive.
SOURCES = """
SELECT id, title, kind, role, health, last_ok_at, last_new_at, fails, last_error, moved_to, next_poll_at, newest_item, quiet_since,
  habit_days, gaps
FROM source_health WHERE health <> 'retired'"""
