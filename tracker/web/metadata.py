"""What Datasette knows of our tables: descriptions, order, facets, search, and the questions a journalist would ask.

in   the name of the database; out  Datasette's metadata as a plain dict, every text of it ours
Descriptions of tables and columns are the comments of ``store.schema``; only the columns of views, which SQL cannot comment, are
described here. Surprising: ``QUERIES`` also reach Datasette through the plugin's hook, so they are there when somebody opens the
database with plain ``datasette``; later releases of Datasette no longer read queries from metadata.
"""

from __future__ import annotations

from html import escape
from typing import Any

from tracker.store import schema

__all__ = ["QUERIES", "metadata"]

_TITLE = "Self-improving agents · tracker"
_DESCRIPTION = (
    "Papers, posts and news on agents that learn to improve themselves, and on who builds them. Every topic carries the words that "
    "decided it, every lab the text or rule behind it."
)

_HIDDEN = ("item_keys", "pending", "stale_weeks", "_sqlite_migrations", "sqlite_stat1", "sqlite_stat4")

# What cannot be read from the schema. Facets only where a table stays small or an index answers; what
# a large table can be counted by is a link in its description.
_TABLES: dict[str, dict[str, Any]] = {
    "weekly": {"sort_desc": "week", "facets": ["topic", "lab", "relation"]},
    "race": {"sort_desc": "stories", "facets": ["topic", "lab"]},
    "race_board": {"facets": ["topic", "lab", "kind"]},
    "responses": {"sort_desc": "at", "facets": ["topic", "lab", "follower"]},
    "response_board": {"sort_desc": "at", "facets": ["topic", "lab", "follower"]},
    "item_days": {"sort_desc": "item"},
    "items": {"sort_desc": "id", "label_column": "title", "fts_table": "texts_fts", "fts_pk": "id"},
    "texts": {"sort_desc": "item", "label_column": "title", "fts_table": "texts_fts", "fts_pk": "item"},
    "sources": {"sort": "id", "label_column": "title", "facets": ["kind", "role", "origin"]},
    "topics": {"sort": "title", "label_column": "title"},
    "labs": {"sort": "name", "label_column": "name", "facets": ["kind"]},
    "polls": {"sort_desc": "id", "facets": ["outcome"], "units": {"seconds": "s", "bytes": "B"}},
    "runs": {"sort_desc": "id"},
    "item_topics": {"sort_desc": "item"},
    "item_labs": {"sort_desc": "item"},
    "revisions": {"sort_desc": "item", "facets": ["what"]},
    "sightings": {"sort_desc": "item"},
    "links": {"sort_desc": "item"},
    "stories": {"sort_desc": "id", "label_column": "title"},
    "story_board": {"sort_desc": "story"},
    "rungs": {"sort_desc": "item"},
    "story_items": {"sort_desc": "item"},
    "watches": {"sort": "id", "label_column": "question"},
    "watch_events": {"sort_desc": "at", "facets": ["watch", "rung", "lab"]},
    "watch_board": {"sort": "watch", "facets": ["looked"]},
    "event_changes": {"sort_desc": "at", "facets": ["watch"]},
    "near_misses": {"sort_desc": "at", "facets": ["watch", "rung", "lab"]},
    "digests": {"sort_desc": "id", "label_column": "subject", "facets": ["name", "status"]},
    "digest_items": {"sort_desc": "digest"},
    "digest_watches": {"sort_desc": "digest"},
    "latest": {"sort_desc": "id", "fts_table": "texts_fts", "fts_pk": "id"},
    "tagged": {"fts_table": "texts_fts", "fts_pk": "item"},
    "source_health": {"facets": ["health"]},
    "labels": {"sort_desc": "id", "facets": ["tag", "value", "who", "picked"]},
    "labelled": {"sort_desc": "at", "facets": ["tag", "value", "who", "picked"]},
    "models": {"sort_desc": "trained_at"},
    "model_scores": {"facets": ["split"]},
    "model_card": {"sort": "topic"},
}

_COUNTED_BY = {
    "items": ("origin", "source", "act"),
    "item_topics": ("topic", "tier"),
    "item_labs": ("relation", "lab"),
    "rungs": ("rung", "lab"),
}

# Columns of views: where they come from, or what they say.
_FROM = {
    "race_board": (
        "race",
        *"topic lab since stories stories_low stories_high items all_items share share_low share_high usual times reported".split(),
    ),
    "response_board": (
        "responses",
        *"topic story lab at follower follower_at rung days usual_days chance chance_low chance_high".split(),
    ),
    "watch_board": ("watches", "question"),
    "latest": ("items", "id", "published_at", "url", "origin", "source", "first_seen_at", "backlog"),
    "tagged": ("item_topics", "topic", "tier", "score", "evidence", "model"),
    "source_health": (
        "sources",
        *"id lab kind role last_ok_at last_new_at fails last_error moved_to next_poll_at quiet_since habit_days".split(),
    ),
    "story_board": ("stories", "title", "items", "sources", "first_at", "last_at"),
    "denials": ("items", "title", "unconfirmed", "cue"),
    "labelled": ("labels", "tag", "value", "who", "at", "picked", "note"),
    "model_card": ("model_scores", *"topic split positives negatives average_precision precision recall threshold".split()),
}
_OWN = {
    "item_days": {
        "item": "Its row in items.",
        "day": "The day for which it counts (UTC).",
        "week": "The Monday of that day's week.",
    },
    "race_board": {
        "name": "The lab's name.",
        "kind": "What kind of lab it is.",
        "newest_title": "The newest by the lab on the topic.",
        "newest_url": "Where to read it.",
        "newest_at": "When it was published, else first seen (UTC).",
        "rungs": "How many stories there are of each kind of evidence by the lab itself.",
        "first_title": "The first by the lab in these weeks.",
        "first_url": "Where to read it.",
        "first_at": "When it was published, else first seen (UTC).",
    },
    "response_board": {
        "title": "The lab's first item in the story.",
        "url": "Where to read it.",
        "answer": "After how many days the follower came, or that it has not yet, or not within 60 days.",
        "follower_title": "The proof: the follower's first item on the topic after that.",
        "follower_url": "Where to read it.",
    },
    "watch_board": {
        "watch": "Its row in watches.",
        "answer": "The kinds of evidence that answer it; any other is a sign.",
        "looked": "Whether the archive was looked at for it as it is asked now. Not so, or in part: the next run looks back.",
        "events": "How many events stand. Items of one story with the same lab and rung are one.",
        "rungs": "What kinds of evidence stand, weakest first.",
        "answer_day": "Day of the first item that answers it (UTC), in its time. Empty: none, or it is counted after another question.",
        "answer_lab": "Whose that is, or whom it is about.",
        "answer_rung": "What kind of evidence it is.",
        "answer_title": "Its title.",
        "answer_url": "Where to read it.",
        "last_day": "Day of the newest item that bears on it, an answer or not (UTC).",
        "last_lab": "Whose that is, or whom it is about.",
        "last_rung": "What kind of evidence it is.",
        "last_title": "Its title.",
        "last_url": "Where to read it.",
        "near_misses": "How many items lack one thing only.",
        "taken_back": "How many events were taken back, or answered it once and no longer do.",
    },
    "latest": {
        "topics": "What it is on, best first.",
        "by": "The labs whose it is.",
        "about": "The labs it is about.",
    },
    "tagged": {"item": "Its row in items; newest first."},
    "story_board": {
        "story": "Its row in stories.",
        "first_item": "Who said it first: its earliest item, by published day; of one day the lab's own before paper before press.",
        "first_source": "Its source.",
        "first_origin": "What kind of thing it is.",
        "first_day": "Its day (UTC); empty: none of the items bears a date.",
        "same_day": "Other kinds that have an item on that same day: which of them came first cannot be told.",
        "official_day": "The day of the first post of a lab; empty: there is none, or none with a date.",
        "paper_day": "The day of the first paper.",
        "press_day": "The day of the first press.",
        "community_day": "The day of the first post of the community.",
        "undated": "Items without a date: they may have been earlier.",
        "paper_after_official": "Days from the lab's post to the paper; negative: the paper was earlier; empty: one of them is missing.",
        "press_after_official": "Days from the lab's post to the press; negative: the press was earlier.",
        "community_after_official": "Days from the lab's post to the community.",
        "press_after_paper": "Days from the paper to the press.",
        "community_after_paper": "Days from the paper to the community.",
        "community_after_press": "Days from the press to the community.",
        "rungs": "What kinds of evidence it holds, weakest first; reported only where the lab itself says nothing.",
        "unconfirmed": "The words that say that it is unconfirmed, of the first item that has any.",
        "denial": "The words with which a later item denies or corrects what is unconfirmed.",
        "denied_by": "That item.",
    },
    "denials": {
        "story": "Its row in stories.",
        "item": "The unconfirmed item.",
        "denied_by": "The item that denies or corrects it.",
        "denial": "The words with which it does.",
        "how": "denied or corrected.",
        "denied_title": "The title of that item.",
        "denied_url": "Where to read it.",
        "denied_at": "When it was published, else first seen (UTC).",
        "denied_source": "Its source.",
    },
    "labelled": {"key": "Its own key.", "item": "Its row in items; empty while it is not known."},
    "model_card": {
        "model": "The model in use.",
        "trained_at": "UTC.",
        "labels_n": "How many labels it has learned from.",
        "reason": "Why it is in use.",
    },
    "source_health": {
        "title": "Its name for people.",
        "health": "ok, quiet (silent for far longer than its habit), failing, not asked yet, or retired.",
        "gaps": "Its open gaps: times that cannot be proved complete.",
        "items": "Items of which it is the best source.",
        "newest_item": "Its newest item.",
    },
}


def _since(span: str) -> str:
    """The id below which items are older than that, counted from the day of the newest."""
    return f"""(SELECT CAST(strftime('%Y%m%d', substr(day, 1, 4) || '-' || substr(day, 5, 2) || '-' || substr(day, 7, 2), '-{span}')
    AS INTEGER) * 1000000 FROM (SELECT printf('%d', max(id) / 1000000) AS day FROM items))"""  # noqa: S608 - constants of this file


_ITEM = "items.id, items.title, items.url, items.published_at, items.origin, items.source"
_FAMILY = """WITH RECURSIVE below(lab) AS (
    SELECT :lab UNION SELECT lab_parents.lab FROM below JOIN lab_parents ON parent = below.lab) SELECT lab FROM below"""


def _of_lab(relation: str, more: str = "") -> str:
    return f"""SELECT {_ITEM},
  (SELECT group_concat(topic, ', ') FROM item_topics WHERE item = items.id AND tier <> 'no') AS topics,
  (SELECT evidence FROM item_labs WHERE item = items.id AND relation = '{relation}' AND lab IN ({_FAMILY})) AS evidence
FROM items
WHERE items.id IN (SELECT item FROM item_labs WHERE relation = '{relation}' AND lab IN ({_FAMILY})){more}
ORDER BY items.id DESC LIMIT 300"""  # noqa: S608 - constants of this file


QUERIES: dict[str, dict[str, Any]] = {
    "newest": {
        "title": "Newest on topic",
        "description": "The newest items that are on any topic, with what they are on and whose they are.",
        "sql": """SELECT items.id, items.title, items.url, items.published_at, items.origin, items.source,
  group_concat(item_topics.topic || ' ' || printf('%.2f', item_topics.score), ', ') AS topics,
  (SELECT group_concat(DISTINCT lab) FROM item_labs WHERE item = items.id AND relation = 'by') AS by_labs,
  (SELECT group_concat(DISTINCT lab) FROM item_labs WHERE item = items.id AND relation = 'about') AS about_labs
FROM item_topics JOIN items ON items.id = item_topics.item
WHERE item_topics.item > 0 AND item_topics.tier <> 'no'
GROUP BY item_topics.item ORDER BY item_topics.item DESC LIMIT 200""",
    },
    "on_topic": {
        "title": "Newest on a topic",
        "description": "Items on one topic, newest first, with score and evidence. The topic is an id of the table topics.",
        "params": ["topic"],
        "sql": """SELECT items.id, items.title, items.url, items.published_at, items.origin, items.source,
  item_topics.score, item_topics.tier, item_topics.evidence
FROM (
    SELECT item FROM item_topics WHERE topic = :topic AND tier IN ('confident', 'maybe') ORDER BY item DESC LIMIT 300) AS newest
  JOIN item_topics ON item_topics.item = newest.item AND item_topics.topic = :topic
  JOIN items ON items.id = newest.item
ORDER BY items.id DESC""",
    },
    "by_lab": {
        "title": "Newest by a lab",
        "description": "Items by a lab or by one of its parts, on topic or not, newest first. The lab is an id of the table labs.",
        "params": ["lab"],
        "sql": _of_lab("by"),
    },
    "about_lab": {
        "title": "Newest about a lab",
        "description": "Items about a lab or one of its parts, by whomever, newest first. The lab is an id of the table labs.",
        "params": ["lab"],
        "sql": _of_lab("about"),
    },
    "papers_by_lab": {
        "title": "Papers by a lab",
        "description": "Papers by a lab or by one of its parts, newest first: what it has published formally.",
        "params": ["lab"],
        "sql": _of_lab("by", " AND items.origin = 'paper'"),
    },
    "topic_and_lab": {
        "title": "A topic and a lab",
        "description": "Items on a topic (empty: on any) that are by, or about, a lab or one of its parts. The relation is by or about.",
        "params": ["topic", "lab", "relation"],
        "sql": """SELECT items.id, items.title, items.url, items.published_at, items.origin, items.source,
  group_concat(item_topics.topic || ' ' || printf('%.2f', item_topics.score), ', ') AS topics
FROM items JOIN item_topics ON item_topics.item = items.id
WHERE items.id IN (SELECT item FROM item_labs WHERE relation = :relation
    AND lab IN (WITH RECURSIVE below(lab) AS (
      SELECT :lab UNION SELECT lab_parents.lab FROM below JOIN lab_parents ON parent = below.lab) SELECT lab FROM below))
  AND (:topic = '' OR item_topics.topic = :topic) AND item_topics.tier <> 'no'
GROUP BY items.id ORDER BY items.id DESC LIMIT 300""",
    },
    "stories_of_the_week": {
        "title": "Stories of the week",
        "description": "What the week up to the newest item was about: stories with an item on topic, those with the most sources first.",
        "sql": f"""WITH found AS (SELECT story_items.story, max(item_topics.item) AS newest
    FROM item_topics CROSS JOIN story_items ON story_items.item = item_topics.item
    WHERE item_topics.item >= {_since("6 days")} AND item_topics.tier <> 'no' GROUP BY story_items.story)
SELECT stories.id, stories.title, items.url, stories.items, stories.sources, stories.first_at, stories.last_at,
  (SELECT group_concat(DISTINCT topic) FROM story_items JOIN item_topics ON item_topics.item = story_items.item
    WHERE story_items.story = stories.id AND tier <> 'no') AS topics,
  (SELECT group_concat(DISTINCT lab) FROM story_items JOIN item_labs ON item_labs.item = story_items.item
    WHERE story_items.story = stories.id AND relation = 'by') AS by_labs
FROM found JOIN stories ON stories.id = found.story JOIN items ON items.id = stories.lead_item
WHERE stories.merged_into IS NULL
ORDER BY stories.sources DESC, stories.items DESC, found.newest DESC LIMIT 300""",  # noqa: S608 - constants of this file
    },
    "items_of_a_story": {
        "title": "Items of a story",
        "description": "What a story is made of, oldest first, and what joins each item to it. The story is an id of the table stories.",
        "params": ["story"],
        "sql": """SELECT coalesce(items.published_at, items.first_seen_at) AS at, items.title, items.url, items.origin, items.source,
  items.id = stories.lead_item AS lead, story_items.evidence, story_items.score, items.id
FROM story_items JOIN items ON items.id = story_items.item JOIN stories ON stories.id = story_items.story
WHERE story_items.story = CAST(:story AS INTEGER) ORDER BY 1 LIMIT 300""",
    },
    "events_of_a_question": {
        "title": "Events of a question",
        "description": "Items that bear on a standing question, newest first, each with its rung and the reason. The watch is an id of the "
        "table watches. Items of one story with the same lab and rung are one answer; an event with withdrawn_at no longer stands.",
        "params": ["watch"],
        "sql": """SELECT watch_events.at, watch_events.rung, watch_events.lab, items.title, items.url, watch_events.reason,
  watch_events.found_at, watch_events.withdrawn_at, watch_events.withdrawn_why, (
    SELECT group_concat(iif(change.withdrawn_at, 'taken back', change.rung) || ' until ' || change.at, ', ') FROM event_changes AS change
    WHERE change.watch = watch_events.watch AND change.item = watch_events.item AND change.lab = watch_events.lab) AS counted_as,
  story_items.story, items.id
FROM watch_events JOIN items ON items.id = watch_events.item LEFT JOIN story_items ON story_items.item = items.id
WHERE watch_events.watch = :watch ORDER BY watch_events.at DESC LIMIT 300""",
    },
    "near_misses_of_a_question": {
        "title": "Near-misses of a question",
        "description": "Items that would bear on a standing question if not for one thing, which is the last reason; newest first. They "
        "answer nothing and are never mailed. The watch is an id of the table watches.",
        "params": ["watch"],
        "sql": """SELECT near_misses.at, near_misses.rung, near_misses.lab, near_misses.score, items.title, items.url, near_misses.reason,
  items.id
FROM near_misses JOIN items ON items.id = near_misses.item
WHERE near_misses.watch = :watch ORDER BY near_misses.at DESC LIMIT 300""",
    },
    "digests_sent": {
        "title": "Digests",
        "description": "Every mail as it was composed, newest first, with how far it came.",
        "hide_sql": True,
        "sql": """SELECT id, subject, text, status, sent_at, period_from, period_to, name, error
FROM digests ORDER BY id DESC LIMIT 100""",
    },
    "search": {
        "title": "Search",
        "description": "Titles and texts that hold every word, newest first. Case and endings do not matter.",
        "params": ["text"],
        "hide_sql": True,
        "sql": """SELECT items.id, items.title, items.url, items.published_at, items.origin, items.source,
  snippet(texts_fts, 1, '', '', '…', 24) AS found
FROM texts_fts JOIN items ON items.id = texts_fts.rowid
WHERE texts_fts MATCH coalesce((
    -- each word in quotation marks: "C++", "@x" and "self-improvement" are words then, not operators
    SELECT group_concat(printf('"%w"', value), ' ')
    FROM json_each('[' || replace(json_quote(:text), ' ', '","') || ']') WHERE value <> ''), '""')
ORDER BY texts_fts.rowid DESC LIMIT 100""",
    },
    "failing_sources": {
        "title": "Sources that fail",
        "description": "Which sources do not answer, since when, why, and when they are asked again.",
        "sql": """SELECT id, title, last_ok_at, fails, last_error, moved_to, next_poll_at, newest_item
FROM source_health WHERE health = 'failing' ORDER BY last_ok_at""",
    },
    "quiet_sources": {
        "title": "Sources without news",
        "description": "Sources that answer, by how long they have brought nothing new. A quiet mirror may be a broken one.",
        "sql": """SELECT id, title, role, health, quiet_since, habit_days, last_new_at, last_ok_at, newest_item
FROM source_health WHERE health IN ('ok', 'quiet') ORDER BY last_new_at""",
    },
    "busiest_weeks": {
        "title": "Busiest weeks by topic",
        "description": "The weeks of the last year (named by their Monday) with the most items on a topic. Items from before a source was "
        "added count on the day they were published.",
        "sql": f"""WITH days AS (
  SELECT topics.id AS topic, item / 1000000 AS day, count(*) AS items FROM topics CROSS JOIN item_topics ON item_topics.topic = topics.id
  WHERE item_topics.tier IN ('confident', 'maybe') AND item_topics.item >= {_since("1 year")} GROUP BY 1, 2)
SELECT date(substr(day, 1, 4) || '-' || substr(day, 5, 2) || '-' || substr(day, 7, 2), '-6 days', 'weekday 1') AS week,
  topic, sum(items) AS items
FROM days GROUP BY 1, 2 ORDER BY items DESC, week DESC LIMIT 200""",  # noqa: S608 - constants of this file
    },
    "labs_by_topic": {
        "title": "Labs by topic",
        "description": "How many items of the last 26 weeks on each topic are by each lab. An item of a part of a lab counts for the part.",
        "sql": f"""SELECT item_labs.lab, item_topics.topic, count(DISTINCT item_topics.item) AS items, max(item_topics.item) AS newest_item
FROM item_topics CROSS JOIN item_labs ON item_labs.item = item_topics.item AND item_labs.relation = 'by'
WHERE item_topics.item >= {_since("182 days")} AND item_topics.tier IN ('confident', 'maybe')
GROUP BY 1, 2 ORDER BY items DESC, 1, 2""",  # noqa: S608 - constants of this file
    },
    "revisions_lately": {
        "title": "What changed",
        "description": "What the newest 20,000 items said before they were edited; the latest edit first.",
        "sql": """SELECT revisions.at, revisions.what, substr(revisions.old, 1, 300) AS before, items.title AS title_now,
  items.id, items.url
FROM revisions JOIN items ON items.id = revisions.item
WHERE revisions.item > coalesce((SELECT id FROM items ORDER BY id DESC LIMIT 1 OFFSET 20000), 0)
ORDER BY revisions.at DESC LIMIT 200""",
    },
}


def metadata(name: str) -> dict[str, Any]:
    """Return the metadata of an instance that serves the database ``name``."""
    described = schema.descriptions()
    tables = {table: _table(table, described) for table in sorted({*described, *_TABLES})}
    tables |= {table: {"hidden": True, **tables.get(table, {})} for table in _HIDDEN}
    return {
        "title": _TITLE,
        "description": _DESCRIPTION,
        "source": "Public feeds and arXiv; every item names and links its source.",
        "databases": {name: {"description": _DESCRIPTION, "tables": tables, "queries": QUERIES}},
    }


def _table(table: str, described: dict[str, tuple[str, dict[str, str]]]) -> dict[str, Any]:
    text, columns = described.get(table, ("", {}))
    origin, *names = _FROM.get(table, ("",))
    borrowed = {name: described[origin][1][name] for name in names if name in described[origin][1]}
    return {**_described(table, text), "columns": {**columns, **borrowed, **_OWN.get(table, {})}, **_TABLES.get(table, {})}


def _described(table: str, text: str) -> dict[str, str]:
    """The description of a table; of a large one with what it can be counted by: its facets are made on request."""
    if table not in _COUNTED_BY:
        return {"description": text} if text else {}
    ways = " · ".join(f'<a href="?_facet={column}&amp;_nocount=1">{column}</a>' for column in _COUNTED_BY[table])
    return {"description_html": f"{escape(text)} Count by {ways}."}
