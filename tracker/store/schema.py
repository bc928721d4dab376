"""The schema, as migrations; the comment behind a column is its description in Datasette.

in   a database file of any earlier release, or none
out  the schema of this release; ``user_version`` counts the migrations that ran
Migrations are append-only: a released one never changes. Each runs in its own transaction together with its record, under the run
lock, after a copy of the old file. Surprising: sqlite-utils (which imports numpy when it finds it) is loaded only when there is
something to migrate; the daily path compares ``user_version`` and goes on.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracker.errors import StoreError

if TYPE_CHECKING:
    from sqlite_utils import Database

__all__ = ["APPLICATION_ID", "VERSION", "check", "descriptions", "migrate", "unreadable"]

APPLICATION_ID = 0x74726B31  # "trk1" in the file header: a foreign SQLite file is told apart before anything is written

_M001 = """
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
  what TEXT NOT NULL CHECK (what IN ('title', 'text', 'url', 'date', 'version')),
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
  relation TEXT NOT NULL CHECK (relation IN ('by', 'about', 'mention')),
  method TEXT NOT NULL, -- source, host, author, text, …
  strength TEXT NOT NULL CHECK (strength IN ('declared', 'stated', 'inferred')),
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
FROM items ORDER BY items.id DESC;

CREATE VIEW tagged AS -- Every tag with its item: one row per item and topic.
SELECT item_topics.topic, item_topics.tier, item_topics.score, items.id AS item, items.title, items.url, items.published_at,
  items.origin, item_topics.evidence, item_topics.model
FROM item_topics JOIN items ON items.id = item_topics.item ORDER BY item_topics.item DESC;

CREATE VIEW source_health AS -- Whether each source answers, and since when not.
SELECT sources.id, sources.title, sources.lab, sources.kind, sources.role,
  CASE WHEN sources.retired_at IS NOT NULL THEN 'retired' WHEN sources.fails > 0 THEN 'failing'
    WHEN sources.last_ok_at IS NULL THEN 'not asked yet' ELSE 'ok' END AS health,
  sources.last_ok_at, sources.last_new_at, sources.fails, sources.last_error, sources.moved_to, sources.next_poll_at,
  (SELECT count(*) FROM items WHERE items.source = sources.id) AS items,
  (SELECT max(id) FROM items WHERE items.source = sources.id) AS newest_item
FROM sources ORDER BY sources.retired_at IS NOT NULL, sources.fails = 0, sources.id;
"""

_SCRIPTS = (_M001,)
VERSION = len(_SCRIPTS)


def check(db: sqlite3.Connection, path: Path) -> int:
    """Return how many migrations are missing.

    Raises:
        StoreError: the file is foreign, damaged, or from a newer release.
    """
    try:
        (application,) = db.execute("PRAGMA application_id").fetchone()
        (version,) = db.execute("PRAGMA user_version").fetchone()
        # The record of migrations is made before the first one: alone, it is a file of ours that was never finished.
        (objects,) = db.execute("SELECT count(*) FROM sqlite_master WHERE tbl_name <> '_sqlite_migrations'").fetchone()
    except sqlite3.DatabaseError as error:
        raise StoreError(unreadable(path, error)) from None
    if application != APPLICATION_ID and (application or version or objects):
        raise StoreError(f"{path} is an SQLite file of another program; name the tracker's own with --db FILE")
    if version > VERSION:
        raise StoreError(
            f"{path} was written by a newer release (schema {version}, this release knows {VERSION}); upgrade tracker, "
            "the file stays as it is"
        )
    return VERSION - int(version)


def migrate(path: Path, steps: int | None = None) -> None:
    """Bring the file to this release's schema (``steps``: only that many migrations, for tests). Call it under the run lock."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=30)
    try:
        missing = check(connection, path)
        done = VERSION - missing
        connection.execute("PRAGMA journal_mode = WAL")
        if done and missing:
            _back_up(connection, path, done)
        migrations = Migrations("tracker")
        for number, script in enumerate(_SCRIPTS[: None if steps is None else done + steps], 1):
            migrations(name=f"m{number:03}")(_Step(number, script))
        migrations.apply(Database(connection))
    except sqlite3.OperationalError:  # a full disk, a folder without rights: nothing is wrong with the file
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(unreadable(path, error)) from None
    finally:
        connection.close()


class _Step:
    """One migration: every statement of its script, and the version, in the transaction that sqlite-utils opened."""

    def __init__(self, number: int, script: str) -> None:
        self.number, self.script, self.__name__ = number, script, f"m{number:03}"

    def __call__(self, db: Database, /) -> None:
        for statement in _statements(self.script):
            db.conn.execute(statement)
        db.conn.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.conn.execute(f"PRAGMA user_version = {self.number}")


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit the open transaction, so statements go one by one."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if line.rstrip().endswith(";") and sqlite3.complete_statement(statement):
            yield statement.strip()
            statement = ""


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> None:
    target = path.with_name(f"backup-{version}.db")
    target.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(target),))


def unreadable(path: Path, error: sqlite3.Error) -> str:
    """Return the sentence on a file that SQLite cannot read."""
    return (
        f"{path} cannot be used as a database ({error}); it is left as it is: move it away and put a backup in its place, "
        "or start anew with another --db FILE"
    )


def descriptions() -> dict[str, tuple[str, dict[str, str]]]:
    """Return the comment of each table and view and of its columns: ``{table: (text, {column: text})}``."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    columns: dict[str, str] = {}
    for line in "".join(_SCRIPTS).splitlines():
        if head := re.match(r"CREATE (?:TABLE|VIEW) (\w+) (?:\(|AS) -- (.+)", line):
            columns = {}
            found[head[1]] = (head[2], columns)
        elif column := re.match(r"  (\w+) [A-Z].*? -- (.+)", line):
            columns[column[1]] = column[2]
        elif line.startswith(")"):
            columns = {}
    return found
