"""Stories with their rungs and lead times, and counts by week. Released: never changes."""

from __future__ import annotations

__all__ = ["SIXTH"]

# What kind of evidence each item is, and what a later item denies. (A denial of which only the day is known may be of any hour of it.)
_RUNGS = """
CREATE TABLE rungs ( -- What kind of evidence each item is: for each lab that it is by, else about.
  item INTEGER NOT NULL REFERENCES items(id),
  lab TEXT NOT NULL, -- Whose it is, or whom it is about; empty: neither is known.
  rung TEXT NOT NULL CHECK (rung IN ('reported', 'stated', 'published', 'shipped')), -- What kind of evidence.
  cue TEXT NOT NULL, -- What says so.
  PRIMARY KEY (item, lab)
) STRICT, WITHOUT ROWID;
CREATE INDEX rungs_lab ON rungs(lab, rung, item);
ALTER TABLE items ADD COLUMN denial TEXT /* The words with which it denies, corrects or takes back something. */;
INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'watch', story_items.item, items.first_seen_at
FROM story_items JOIN items ON items.id = story_items.item;
INSERT OR IGNORE INTO pending(stage, item, due_at) SELECT 'tag', other.item, doubted.first_seen_at
FROM items AS doubted JOIN story_items AS own ON own.item = doubted.id
  JOIN story_items AS other ON other.story = own.story AND other.item <> own.item
WHERE doubted.unconfirmed IS NOT NULL;

CREATE VIEW denials AS -- What nobody had confirmed, and the first later item of its story that denies or corrects it.
SELECT doubted.story, doubted.item, items.title, items.unconfirmed, items.cue, denied.id AS denied_by, denied.denial,
  iif(denied.denial LIKE 'correct%' OR denied.denial LIKE 'retract%' OR denied.denial LIKE '% correction'
    OR denied.denial LIKE '% retraction', 'corrected', 'denied') AS how, denied.title AS denied_title,
  denied.url AS denied_url, coalesce(denied.published_at, denied.first_seen_at) AS denied_at, sources.title AS denied_source
FROM story_items AS doubted CROSS JOIN items ON items.id = doubted.item AND items.unconfirmed IS NOT NULL
  CROSS JOIN items AS denied ON denied.id = (
    SELECT later.id FROM story_items AS other CROSS JOIN items AS later ON later.id = other.item
    WHERE other.story = doubted.story AND other.item <> doubted.item AND later.denial IS NOT NULL
      AND coalesce(later.published_at, later.first_seen_at) >= substr(coalesce(items.published_at, items.first_seen_at), 1,
        iif(later.published_at GLOB '*T00:00:00Z', 10, 20))
    ORDER BY coalesce(later.published_at, later.first_seen_at), later.id LIMIT 1)
  CROSS JOIN sources ON sources.id = denied.source;
"""

# A story at a glance. Its days are those that publishers give: many give no hour, so a shared day is a shared day, and an item without
# a date counts for nothing but ``undated``.
_MEMBERS = "FROM story_items CROSS JOIN items ON items.id = story_items.item WHERE story_items.story = stories.id"
_ORIGINS = ("official", "paper", "press", "community")
_PLACE = " ".join(f"WHEN '{origin}' THEN {place}" for place, origin in enumerate(_ORIGINS))
_DAYS = "\n".join(
    f"    (SELECT min(substr(published_at, 1, 10)) {_MEMBERS} AND origin = '{origin}') AS {origin}_day," for origin in _ORIGINS
)
_SAME_DAY = " || ".join(f"iif({origin}_day = first_day AND first_origin <> '{origin}', ', {origin}', '')" for origin in _ORIGINS)
_LEADS = "\n".join(
    f"  CAST(julianday({later}_day) - julianday({first}_day) AS INTEGER) AS {later}_after_{first},"
    for place, first in enumerate(_ORIGINS)
    for later in _ORIGINS[place + 1 :]
)
_BOARD = f"""
CREATE VIEW story_board AS -- Stories: who said it first, how many days later others came, what evidence there is, what is denied.
SELECT story, title, items, sources, first_at, last_at, first_item, first_source, first_origin, first_day,
  nullif(substr({_SAME_DAY}, 3), '') AS same_day,
  official_day, paper_day, press_day, community_day, undated,
{_LEADS}
  rungs, unconfirmed, denial, denied_by
FROM (
  SELECT stories.id AS story, stories.title, stories.items, stories.sources, stories.first_at, stories.last_at, earliest.id AS first_item,
    sources.title AS first_source, earliest.origin AS first_origin, substr(earliest.published_at, 1, 10) AS first_day,
{_DAYS}
    (SELECT count(*) {_MEMBERS} AND published_at IS NULL) AS undated,
    (SELECT replace(group_concat(rung, ', '), 'reported, ', '') FROM (
      SELECT DISTINCT rung FROM story_items CROSS JOIN rungs ON rungs.item = story_items.item WHERE story_items.story = stories.id
      ORDER BY instr('reported stated published shipped', rung))) AS rungs,
    (SELECT cue {_MEMBERS} AND unconfirmed IS NOT NULL ORDER BY coalesce(published_at, first_seen_at), items.id LIMIT 1) AS unconfirmed,
    (SELECT denial FROM denials WHERE denials.story = stories.id ORDER BY denied_at, denied_by LIMIT 1) AS denial,
    (SELECT denied_by FROM denials WHERE denials.story = stories.id ORDER BY denied_at, denied_by LIMIT 1) AS denied_by
  FROM stories CROSS JOIN items AS earliest ON earliest.id = (
      SELECT items.id {_MEMBERS}
      ORDER BY published_at IS NULL, substr(published_at, 1, 10), CASE origin {_PLACE} END, published_at, items.id LIMIT 1)
    CROSS JOIN sources ON sources.id = earliest.source
  WHERE stories.merged_into IS NULL);
"""  # noqa: S608 - constants of this file

# Counts by week, and who followed whom. What changes a count marks its week in the same transaction, whoever changes it: that is why
# triggers do it. No "INSERT OR IGNORE" in them: the conflict clause of the statement that fires a trigger overrules the trigger's own.
_DAY = (
    "coalesce(substr({item}published_at, 1, 10), "
    "printf('%s-%s-%s', substr({item}id, 1, 4), substr({item}id, 5, 2), substr({item}id, 7, 2)))"
)
_MONDAY = "date({day}, '-6 days', 'weekday 1')"
_MARK = """
  INSERT INTO stale_weeks(week) SELECT week FROM item_days
  WHERE item = {item} AND week IS NOT NULL AND NOT EXISTS (SELECT 1 FROM stale_weeks AS marked WHERE marked.week = item_days.week);"""
_MARK_ALL = """
  INSERT INTO stale_weeks(week) SELECT week FROM weekly
  WHERE topic = '' AND relation = '' AND NOT EXISTS (SELECT 1 FROM stale_weeks AS marked WHERE marked.week = weekly.week);"""
# An attribution counts once, however many ways it is known by.
_ONLY = """{row}.relation <> 'mention' AND NOT EXISTS (
  SELECT 1 FROM item_labs WHERE item = {row}.item AND lab = {row}.lab AND relation = {row}.relation AND method <> {row}.method)"""
# {trigger: (when it fires, the rows whose weeks it marks)}
_MARKS = {
    "items_come": ("AFTER INSERT ON items", ("new.id",)),
    "items_leave_a_day": ("BEFORE UPDATE OF published_at ON items WHEN old.published_at IS NOT new.published_at", ("old.id",)),
    "items_reach_a_day": ("AFTER UPDATE OF published_at ON items WHEN old.published_at IS NOT new.published_at", ("new.id",)),
    "topics_come": ("AFTER INSERT ON item_topics WHEN new.tier = 'confident'", ("new.item",)),
    "topics_change": ("AFTER UPDATE OF tier ON item_topics WHEN (old.tier = 'confident') <> (new.tier = 'confident')", ("new.item",)),
    "topics_go": ("AFTER DELETE ON item_topics WHEN old.tier = 'confident'", ("old.item",)),
    "labs_come": (f"AFTER INSERT ON item_labs WHEN {_ONLY.format(row='new')}", ("new.item",)),
    "labs_change": ("AFTER UPDATE OF item, lab, relation ON item_labs", ("old.item", "new.item")),
    "labs_go": (f"AFTER DELETE ON item_labs WHEN {_ONLY.format(row='old')}", ("old.item",)),
    "stories_come": ("AFTER INSERT ON story_items", ("new.item",)),
    "stories_change": ("AFTER UPDATE OF story ON story_items WHEN old.story <> new.story", ("new.item",)),
    "stories_go": ("AFTER DELETE ON story_items", ("old.item",)),
    "rungs_come": ("AFTER INSERT ON rungs WHEN new.lab <> ''", ("new.item",)),
    "rungs_change": ("AFTER UPDATE OF rung ON rungs WHEN new.lab <> '' AND old.rung <> new.rung", ("new.item",)),
    "rungs_go": ("AFTER DELETE ON rungs WHEN old.lab <> ''", ("old.item",)),
    "parents_come": ("AFTER INSERT ON lab_parents", ()),
    "parents_change": ("AFTER UPDATE ON lab_parents", ()),
    "parents_go": ("AFTER DELETE ON lab_parents", ()),
}
_TRIGGERS = "".join(
    f"CREATE TRIGGER {name}_stale {when} BEGIN{''.join(_MARK.format(item=row) for row in rows) or _MARK_ALL}\nEND;\n"
    for name, (when, rows) in _MARKS.items()
)
_RACE = f"""
CREATE INDEX items_day ON items({_DAY.format(item="")});
CREATE VIEW item_days AS -- The day for which each item counts: on which it was published or, if that is not known, first seen.
SELECT items.id AS item, {_DAY.format(item="items.")} AS day, {_MONDAY.format(day=_DAY.format(item="items."))} AS week FROM items;
CREATE TABLE weekly ( -- How many items and stories a week has, by topic and lab. Each item counts in one week.
  week TEXT NOT NULL, -- Its Monday (UTC).
  topic TEXT NOT NULL, -- A topic, at the confident tier; empty: all items, on a topic or not.
  lab TEXT NOT NULL, -- A lab, its children included; empty: whoever it is by or about.
  relation TEXT NOT NULL CHECK (relation IN ('', 'by', 'about')), -- Empty where lab is.
  items INTEGER NOT NULL, -- How many items.
  stories INTEGER NOT NULL, -- How many stories they belong to. A story of several weeks counts in each.
  PRIMARY KEY (week, topic, lab, relation)
) STRICT, WITHOUT ROWID;
CREATE INDEX weekly_topic ON weekly(topic, relation, week);
CREATE TABLE stale_weeks ( -- Weeks that are to be counted anew: something that counts has changed in them.
  week TEXT PRIMARY KEY -- Its Monday (UTC); empty: race and responses are to be worked out anew.
) STRICT, WITHOUT ROWID;
INSERT INTO stale_weeks(week) SELECT DISTINCT week FROM item_days WHERE week IS NOT NULL;
{_TRIGGERS}
CREATE TABLE race ( -- What each lab, its children included, has said on each topic in the last 26 weeks.
  topic TEXT NOT NULL REFERENCES topics(id), -- At the confident tier.
  lab TEXT NOT NULL REFERENCES labs(id), -- Whose it is; reported: whom it is about.
  since TEXT NOT NULL, -- First day of the 26 weeks, a Monday (UTC).
  stories INTEGER NOT NULL, -- How many stories have an item by the lab on the topic.
  stories_low REAL NOT NULL, -- So few are compatible with that count: 95 % interval of a Poisson count (Garwood 1936) …
  stories_high REAL NOT NULL, -- … and so many. Labs whose intervals overlap are not told apart by their counts.
  items INTEGER NOT NULL, -- How many items by the lab are on the topic.
  all_items INTEGER NOT NULL, -- How many items by the lab there are, on the topic or not.
  share REAL, -- items of all_items, 0 to 1: corrects for how much a lab publishes.
  share_low REAL, -- 95 % interval of that share (Wilson 1927): from …
  share_high REAL, -- … to.
  usual REAL, -- The same share of all items that are by any lab.
  times REAL, -- How many times the usual share that is: above 1, the lab cares more for the topic than labs do.
  first_item INTEGER REFERENCES items(id), -- The first by the lab in these weeks.
  newest_item INTEGER REFERENCES items(id), -- The newest by the lab.
  stated INTEGER NOT NULL, -- Stories in which the lab states something.
  published INTEGER NOT NULL, -- Stories in which the lab publishes a study.
  shipped INTEGER NOT NULL, -- Stories in which the lab ships something.
  reported INTEGER NOT NULL, -- Stories in which others report about the lab; they count for nothing else here.
  PRIMARY KEY (topic, lab)
) STRICT, WITHOUT ROWID;
CREATE INDEX race_lab ON race(lab);
CREATE INDEX race_first ON race(first_item);
CREATE INDEX race_newest ON race(newest_item);
CREATE TABLE responses ( -- Who followed a story of a lab with a word of its own on the topic, within 60 days; stories of the last 26 weeks.
  topic TEXT NOT NULL, -- At the confident tier, of both.
  story INTEGER NOT NULL, -- The story in which the lab speaks …
  lab TEXT NOT NULL, -- … itself, or a child of it.
  item INTEGER NOT NULL, -- Its first item there.
  at TEXT NOT NULL, -- When that was published (UTC); midnight: the hour is not known, or it bears no date and was first seen that day.
  follower TEXT NOT NULL, -- Another lab, no parent and no child of it.
  follower_item INTEGER, -- The proof: its first item on the topic after that, in another story. Empty: none yet, or none in 60 days.
  follower_at TEXT, -- When that was published (UTC), likewise.
  rung TEXT CHECK (rung IN ('stated', 'published', 'shipped')), -- What kind of evidence it is.
  days REAL, -- How long after. Whole days where the hour of one of the two is not known.
  items_before INTEGER NOT NULL, -- How many items on the topic the follower had in the 180 days before the story.
  usual_days REAL, -- How long one waits for an item of it on the topic anyway, by those 180 days. Empty: none, or too little is known.
  chance REAL, -- How probable an answer within these days is by that habit alone: near 0, it came sooner than its habit explains; …
  chance_low REAL, -- … 95 % interval, since a habit of few items is known badly: from …
  chance_high REAL, -- … to.
  PRIMARY KEY (topic, story, lab, follower)
) STRICT, WITHOUT ROWID;
CREATE INDEX responses_lab ON responses(lab, follower);
CREATE VIEW race_board AS -- The race: what each lab has said on each topic in the last 26 weeks, the most stories first.
SELECT race.topic, race.lab, labs.name, labs.kind, race.stories, race.stories_low, race.stories_high, race.items, race.all_items,
  race.share, race.share_low, race.share_high, race.usual, race.times, newest.title AS newest_title, newest.url AS newest_url,
  coalesce(newest.published_at, newest.first_seen_at) AS newest_at,
  nullif(substr(iif(stated, ', stated ' || stated, '') || iif(published, ', published ' || published, '')
    || iif(shipped, ', shipped ' || shipped, ''), 3), '') AS rungs,
  race.reported, earliest.title AS first_title, earliest.url AS first_url,
  coalesce(earliest.published_at, earliest.first_seen_at) AS first_at, race.since
FROM race CROSS JOIN labs ON labs.id = race.lab LEFT JOIN items AS newest ON newest.id = race.newest_item
  LEFT JOIN items AS earliest ON earliest.id = race.first_item
ORDER BY race.topic, race.stories DESC, race.times DESC, race.lab;
CREATE VIEW response_board AS -- Who followed whom, after how many days, by which item; and who has not, up to our last look.
SELECT responses.topic, responses.lab, told.title, told.url, responses.at, responses.follower,
  CASE WHEN follower_item IS NOT NULL THEN printf('after %g days', days)
    WHEN julianday(look.day) - julianday(substr(responses.at, 1, 10)) > 60 THEN 'no answer in 60 days'
    ELSE printf('no answer yet (day %d of 60)', max(0, julianday(look.day) - julianday(substr(responses.at, 1, 10)))) END AS answer,
  responses.days, responses.usual_days, responses.chance, responses.chance_low, responses.chance_high, responses.rung,
  answered.title AS follower_title, answered.url AS follower_url, responses.follower_at, responses.story
FROM responses CROSS JOIN items AS told ON told.id = responses.item LEFT JOIN items AS answered ON answered.id = responses.follower_item
  CROSS JOIN (SELECT substr(coalesce((SELECT max(last_ok_at) FROM sources), (SELECT max(first_seen_at) FROM items)), 1, 10) AS day) AS look;
"""  # noqa: S608 - constants of this file

SIXTH = _RUNGS + _BOARD + _RACE
