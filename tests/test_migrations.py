"""Migrations: from nothing and from every released schema, whole or not at all, and every word that people see is explained."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import NOW
from tracker import store
from tracker.errors import StoreError
from tracker.store import schema

# Made by SQLite for full-text search, or by sqlite-utils as its record of migrations.
NOT_OURS = re.compile(r"texts_fts|sqlite_|_sqlite_migrations")
# One row each in a released schema: what a migration must carry over. A new migration adds what its schema alone has.
ROWS = {
    1: """
    INSERT INTO sources(id, kind, url, title, every_s, role, origin, added_at)
      VALUES ('blog', 'feed', 'https://lab.example/feed', 'Lab', 3600, 'primary', 'press', '2026-06-12T06:00:00Z');
    INSERT INTO items(id, key, source, url, title, first_seen_at, content_hash, backlog)
      VALUES (20260612000001, 'url:https://lab.example/a', 'blog', 'https://lab.example/a', 'A', '2026-06-12T06:00:00Z', 'h', 0);
    INSERT INTO item_keys VALUES ('url:https://lab.example/a', 20260612000001);
    INSERT INTO texts VALUES (20260612000001, 'A', 'Some words.');
    INSERT INTO sightings VALUES (20260612000001, 'blog', 'g', 'h', '2026-06-12T06:00:00Z');
    INSERT INTO pending(stage, item, due_at) VALUES ('tag', 20260612000001, '2026-06-12T06:00:00Z');
    """,
    2: """
    INSERT INTO stories VALUES (1, 'A', 20260612000001, '2026-06-12T06:00:00Z', '2026-06-12T06:00:00Z', 1, 1, NULL);
    INSERT INTO story_items VALUES (20260612000001, 1, 1.0, 'first of its story');
    INSERT INTO watches VALUES ('w', 'Does it?', '{}', NULL, NULL, NULL);
    INSERT INTO watch_events(watch, item, lab, rung, at, found_at, withdrawn_at, score, reason, quiet) VALUES
      ('w', 20260612000001, '', 'reported', '2026-06-12T06:00:00Z', '2026-06-12T06:00:00Z', NULL, 0.5, '["by a"]', 0);
    INSERT INTO digests(id, name, period_from, period_to, created_at, subject, text, html, message_id, status) VALUES
      (1, 'daily', '2026-06-11T06:00:00Z', '2026-06-12T06:00:00Z', '2026-06-12T06:00:00Z', 's', 't', 'h', '<m@example.org>', 'sent');
    INSERT INTO digest_items VALUES (1, 20260612000001, 1, 'confident', 1, NULL);
    INSERT INTO digest_watches VALUES (1, 'w', 'reported');
    """,
    3: """
    INSERT INTO gaps(source, from_at, to_at, reason, found_at)
      VALUES ('blog', '2026-06-11T06:00:00Z', '2026-06-12T06:00:00Z', 'window rolled', '2026-06-12T06:00:00Z');
    INSERT INTO readings(item, what, url, version, outcome, text, sha256, fetched_at) VALUES
      (20260612000001, 'article', 'https://lab.example/a', NULL, 'read', 'The whole article.', 'x', '2026-06-12T06:00:00Z');
    """,
    4: """
    INSERT INTO labels(item_key, tag, value, who, at, picked) VALUES
      ('url:https://lab.example/a', 'topic:agent-memory', 1, 'ann', '2026-06-12T06:00:00Z', 'browse');
    INSERT INTO models VALUES ('mine-1', '2026-06-12T06:00:00Z', 'champion', 1, 'h', 'models/mine-1', 's', 'It passed the gate.');
    INSERT INTO model_scores VALUES ('mine-1', 'holdout', 'agent-memory', 20, 40, 0.9, 0.8, 0.7, 0.3);
    """,
    7: """
    INSERT INTO near_misses VALUES ('w', 20260612000001, 'a', 'reported', '2026-06-12T06:00:00Z', 0.5, '["about a, not by it"]');
    UPDATE watch_events SET withdrawn_at = '2026-06-13T06:00:00Z', withdrawn_why = 'no longer by a';
    """,
}


def version_of(path: Path) -> tuple[int, int]:
    db = sqlite3.connect(path)
    try:
        return db.execute("PRAGMA user_version").fetchone()[0], db.execute("PRAGMA application_id").fetchone()[0]
    finally:
        db.close()


def objects(path: Path) -> list[tuple[str, str, str]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name").fetchall()
    finally:
        db.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tracker.db"


@pytest.fixture
def fresh(path: Path) -> Iterator[sqlite3.Connection]:
    db = store.open(path, write=True)
    yield db
    db.close()


def released(path: Path, version: int) -> None:
    """A database as the release with that schema left it, with data."""
    schema.migrate(path, steps=version)
    db = sqlite3.connect(path)
    for number in range(1, version + 1):
        db.executescript(ROWS.get(number, ""))
    db.close()


def test_from_no_file(fresh: sqlite3.Connection, path: Path) -> None:
    assert version_of(path) == (schema.VERSION, schema.APPLICATION_ID)
    assert not list(path.parent.glob("backup-*"))


def test_from_an_empty_file(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    store.open(path, write=True).close()
    assert version_of(path) == (schema.VERSION, schema.APPLICATION_ID)


def test_every_schema_step_has_rows_to_carry_over() -> None:
    assert 1 in ROWS
    assert set(ROWS) <= set(range(1, schema.VERSION + 1))


@pytest.mark.parametrize("version", range(schema.VERSION + 1), ids=lambda version: f"from schema {version}")
def test_from_every_released_schema(path: Path, version: int) -> None:
    released(path, version)
    assert version_of(path)[0] == version
    store.open(path, write=True).close()
    assert version_of(path) == (schema.VERSION, schema.APPLICATION_ID)
    store.open(path.with_name("new.db"), write=True).close()
    assert objects(path) == objects(path.with_name("new.db"))
    db = store.open(path)
    assert db.execute("SELECT count(*) FROM items").fetchone()[0] == (1 if version else 0)
    assert db.execute("SELECT count(*) FROM texts_fts WHERE texts_fts MATCH 'word'").fetchone()[0] == (1 if version else 0)
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    db.close()
    assert path.with_name(f"backup-{version}.db").exists() == (0 < version < schema.VERSION)


def test_from_schema_2_search_still_finds_what_it_found_and_then_the_article_that_is_read(path: Path) -> None:
    released(path, 2)
    db = store.open(path, write=True)

    def hits(query: str) -> int:
        return int(db.execute("SELECT count(*) FROM texts_fts WHERE texts_fts MATCH ?", (query,)).fetchone()[0])

    assert (hits("word"), hits("reinforcement")) == (1, 0)
    read = """INSERT INTO readings(item, what, url, outcome, text, sha256, fetched_at)
    VALUES (20260612000001, 'article', 'https://lab.example/a', 'read', ?, 'x', '2026-06-12T06:00:00Z')"""
    with store.transaction(db):
        db.execute(read, ("Learned by reinforcement.",))
    assert (hits("word"), hits("reinforcement"), hits("word AND reinforcement")) == (1, 1, 1)
    with store.transaction(db):
        db.execute("UPDATE texts SET body = 'Other terms.' WHERE item = 20260612000001")
        db.execute("UPDATE readings SET text = 'Learned by imitation.' WHERE item = 20260612000001")
    assert (hits("word"), hits("term"), hits("reinforcement"), hits("imitation")) == (0, 1, 0, 1)
    db.execute("INSERT INTO texts_fts(texts_fts) VALUES ('integrity-check')")
    assert db.execute("SELECT health, gaps, newest_item FROM source_health").fetchone()[:] == ("not asked yet", 0, 20260612000001)
    db.close()


def test_the_views_of_labels_and_models_show_what_stands(path: Path) -> None:
    released(path, schema.VERSION)
    db = store.open(path, write=True)
    assert [tuple(row) for row in db.execute("SELECT item, title, value, who FROM labelled")] == [(20260612000001, "A", 1, "ann")]
    assert [tuple(row) for row in db.execute("SELECT model, topic, recall FROM model_card")] == [("mine-1", "agent-memory", 0.7)]
    with pytest.raises(sqlite3.IntegrityError):  # one model is in use
        db.execute("INSERT INTO models SELECT 'mine-2', trained_at, status, 1, 'h', 'a', 's', 'r' FROM models")
    db.execute("INSERT INTO labels SELECT NULL, item_key, tag, value, who, at, picked, '', id FROM labels")
    assert db.execute("SELECT count(*) FROM labelled").fetchone()[0] == 0
    with pytest.raises(sqlite3.IntegrityError):  # taken back once
        db.execute("INSERT INTO labels SELECT NULL, item_key, tag, value, who, at, picked, '', 1 FROM labels WHERE id = 1")
    db.close()


def test_a_lab_counts_for_its_parents_from_the_day_it_joined_them(path: Path) -> None:
    released(path, schema.VERSION)
    db = store.open(path, write=True)
    db.execute("DELETE FROM item_labs")
    for lab in ("leaf", "branch", "root", "later"):
        db.execute("INSERT INTO labs(id, name, kind, aliases) VALUES (?, ?, 'frontier', '')", (lab, lab))
    ties = [("leaf", "branch", None), ("branch", "root", None), ("leaf", "later", "2099-01-01")]
    db.executemany("INSERT INTO lab_parents(lab, parent, since) VALUES (?, ?, ?)", ties)
    (item,) = db.execute("SELECT id FROM items").fetchone()
    db.execute("INSERT INTO item_labs VALUES (?, 'leaf', 'by', 'block', 'stated', 'Leaf Lab', 'r', 'author block')", (item,))
    rows = db.execute("SELECT lab, named, evidence FROM attributed ORDER BY lab").fetchall()
    assert [tuple(row) for row in rows] == [(lab, "leaf", "Leaf Lab") for lab in ("branch", "leaf", "root")]
    db.close()


def test_papers_on_topic_of_an_older_file_wait_for_their_author_block(path: Path) -> None:
    released(path, 4)
    db = sqlite3.connect(path)
    db.execute("UPDATE items SET key = 'arxiv:2606.01234'")
    (item,) = db.execute("SELECT id FROM items").fetchone()
    db.execute("INSERT OR IGNORE INTO topics(id, title, description) VALUES ('t', 'T', '')")
    db.execute("INSERT OR REPLACE INTO item_topics VALUES (?, 't', 0.9, 'maybe', '[]', 'm')", (item,))
    db.commit()
    db.close()
    store.open(path, write=True).close()
    db = store.open(path)
    assert [row[0] for row in db.execute("SELECT item FROM pending WHERE stage = 'authors'")] == [item]
    db.close()


def test_grouped_items_of_an_older_file_wait_for_their_rungs_and_those_beside_a_rumour_for_their_denials(path: Path) -> None:
    released(path, 5)
    db = sqlite3.connect(path)
    db.executescript("""
    DELETE FROM pending;
    UPDATE items SET unconfirmed = 'yes', cue = 'in talks';
    INSERT INTO items(id, key, source, title, first_seen_at, content_hash, backlog)
      SELECT id + n, key || n, source, title, first_seen_at, content_hash, 1 FROM items, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3);
    INSERT INTO story_items VALUES (20260612000002, 1, 1.0, 'the same title');
    INSERT INTO stories SELECT 2, title, 20260612000003, first_at, last_at, 1, 1, NULL FROM stories;
    INSERT INTO story_items VALUES (20260612000003, 2, 1.0, 'first of its story');
    """)
    db.commit()
    db.close()
    store.open(path, write=True).close()
    db = store.open(path)
    waiting = [tuple(row) for row in db.execute("SELECT stage, item FROM pending ORDER BY stage, item")]
    grouped = [20260612000001, 20260612000002, 20260612000003]
    assert waiting == [("tag", 20260612000002), *(("watch", item) for item in grouped)]
    assert db.execute("SELECT count(*) FROM story_board").fetchone()[0] == 2
    db.close()


ONE_MORE = "CREATE TABLE extra ( -- More.\n  id INTEGER PRIMARY KEY\n) STRICT;\nINSERT INTO extra VALUES (1);\n"


def test_the_next_migration_keeps_the_data_and_a_copy_of_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(path, schema.VERSION)
    old = schema.VERSION
    monkeypatch.setattr(schema, "_SCRIPTS", (*schema._SCRIPTS, ONE_MORE))
    monkeypatch.setattr(schema, "VERSION", old + 1)
    with pytest.raises(StoreError, match="1 schema step older"):
        store.open(path)
    store.open(path, write=True).close()
    assert version_of(path) == (old + 1, schema.APPLICATION_ID)
    backup = path.with_name(f"backup-{old}.db")
    assert version_of(backup) == (old, schema.APPLICATION_ID)
    for file, extra in ((path, 1), (backup, 0)):
        db = sqlite3.connect(file)
        assert db.execute("SELECT title FROM items").fetchall() == [("A",)]
        assert db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'extra'").fetchone()[0] == extra
        db.close()


def test_a_backup_of_an_earlier_attempt_does_not_stop_the_next(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released(path, schema.VERSION)
    path.with_name(f"backup-{schema.VERSION}.db").write_bytes(b"half a copy")
    monkeypatch.setattr(schema, "_SCRIPTS", (*schema._SCRIPTS, ONE_MORE))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    store.open(path, write=True).close()
    assert version_of(path)[0] == schema.VERSION


@pytest.mark.parametrize("broken", ["CREATE TABLE extra(id INTEGER PRIMARY KEY) STRICT;\nINSERT INTO nowhere VALUES (1);\n"])
@pytest.mark.parametrize("version", [0, schema.VERSION], ids=["of a new file", "of a file with data"])
def test_a_migration_that_fails_is_rolled_back_whole(path: Path, monkeypatch: pytest.MonkeyPatch, version: int, broken: str) -> None:
    released(path, version)
    before = objects(path)
    good = schema._SCRIPTS
    monkeypatch.setattr(schema, "_SCRIPTS", (*good[:version], broken))
    monkeypatch.setattr(schema, "VERSION", version + 1)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        store.open(path, write=True)
    assert version_of(path)[0] == version
    assert [row for row in objects(path) if "migrations" not in row[1]] == [row for row in before if "migrations" not in row[1]]
    monkeypatch.undo()
    store.open(path, write=True).close()  # the release that repairs it finds the file as it was
    assert version_of(path) == (schema.VERSION, schema.APPLICATION_ID)


def test_two_migrations_of_which_the_second_fails_leave_the_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_SCRIPTS", (*schema._SCRIPTS, ONE_MORE, "INSERT INTO nowhere VALUES (1);\n"))
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 2)
    with pytest.raises(StoreError):
        store.open(path, write=True)
    assert version_of(path)[0] == schema.VERSION - 1


def test_opening_a_current_file_does_not_import_the_migrations(
    fresh: sqlite3.Connection, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "migrate", lambda *_: pytest.fail("nothing is to be migrated"))
    store.open(path, write=True).close()


def test_every_table_is_strict(fresh: sqlite3.Connection) -> None:
    tables = fresh.execute("SELECT name, type, strict FROM pragma_table_list WHERE schema = 'main'").fetchall()
    assert {"items", "sources", "polls"} <= {row["name"] for row in tables}
    assert [row["name"] for row in tables if row["type"] == "table" and not row["strict"] and not NOT_OURS.match(row["name"])] == []


def test_every_foreign_key_has_an_index(fresh: sqlite3.Connection) -> None:
    """Without one, deleting a row of the parent, or asking for its children, scans the child."""
    lacking = []
    for (table,) in fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%REFERENCES%'").fetchall():
        for key in fresh.execute(f"PRAGMA foreign_key_list({table})").fetchall():
            plan = " ".join(row["detail"] for row in fresh.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM {table} WHERE {key['from']} = 1"))
            # Registers of some hundred rows that nothing is deleted from need none.
            if "SCAN" in plan and (table, key["from"]) not in {("sightings", "source"), ("item_topics", "topic"), ("item_labs", "lab")}:
                lacking.append((table, key["from"]))
    assert lacking == []


def test_every_table_and_view_has_a_description(fresh: sqlite3.Connection) -> None:
    described = schema.descriptions()
    shown = {row["name"] for row in fresh.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    ours = {name for name in shown if not NOT_OURS.match(name)}
    assert ours - set(described) == set()
    assert set(described) <= ours
    assert [name for name, (text, _) in described.items() if not text.endswith((".", "…"))] == []


# Their names say all there is to say; so does a column that leads to another table.
PLAIN = {"id", "key", "title", "name", "description", "tries"}


def test_every_column_that_people_see_has_a_description(fresh: sqlite3.Connection) -> None:
    missing = []
    for table, (_, columns) in schema.descriptions().items():
        if fresh.execute("SELECT type FROM sqlite_master WHERE name = ?", (table,)).fetchone()["type"] == "view":
            continue
        names = {row["name"] for row in fresh.execute(f"PRAGMA table_info({table})")}
        assert set(columns) <= names
        leads = {row["from"] for row in fresh.execute(f"PRAGMA foreign_key_list({table})")}
        missing += [f"{table}.{name}" for name in sorted(names - set(columns) - leads - PLAIN)]
    assert missing == []


def test_names_are_words_and_time_is_told_apart(fresh: sqlite3.Connection) -> None:
    """STYLE of names: lower case, ``*_at`` holds text, ``*_s`` holds numbers."""
    for table in schema.descriptions():
        for row in fresh.execute(f"PRAGMA table_info({table})"):
            assert re.fullmatch(r"[a-z][a-z0-9_]*", row["name"]), f"{table}.{row['name']}"
            if row["name"].endswith("_at") and row["type"]:
                assert row["type"] == "TEXT"
            if row["name"].endswith("_s") and row["type"]:
                assert row["type"] in ("INTEGER", "REAL")


def test_the_full_text_index_follows_the_texts(path: Path) -> None:
    released(path, schema.VERSION)
    db = store.open(path, write=True)
    with store.transaction(db):
        db.execute("UPDATE texts SET body = 'Learning agents' WHERE item = 20260612000001")

    def hits(query: str) -> int:
        return int(db.execute("SELECT count(*) FROM texts_fts WHERE texts_fts MATCH ?", (query,)).fetchone()[0])

    assert (hits("agent"), hits("word")) == (1, 0)
    db.execute("INSERT INTO texts_fts(texts_fts) VALUES ('integrity-check')")
    db.close()


def test_what_the_fixtures_say_is_now() -> None:
    assert NOW in ROWS[1]
