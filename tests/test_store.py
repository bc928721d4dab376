"""The store: all or nothing, one writer, any reader, and one sentence when the file or the disk does not play along."""

from __future__ import annotations

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import NOW
from tracker import store
from tracker.errors import LockHeld, StoreError
from tracker.store import items, runs, schema, sources
from tracker.store.pace import Pace
from tracker.types import Entry, Polled, Source

BLOG = Source("blog", "feed", "https://lab.example/feed", "Lab")


def add_source(db: sqlite3.Connection) -> None:
    with store.transaction(db):
        sources.sync(db, [BLOG], NOW)


def fill(db: sqlite3.Connection, posts: int, size: int = 10, start: int = 0) -> None:
    entries = [
        Entry(f"Post {n}", f"https://lab.example/{n}", f"{n}", " ".join(f"w{n}x{k}" for k in range(size)))
        for n in range(start, start + posts)
    ]
    with store.transaction(db):
        items.save(db, BLOG, entries, now=NOW, first=False, old_before=None)


def count(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM items").fetchone()[0])


# -- transactions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), SystemExit(1), sqlite3.IntegrityError("x")], ids=repr)
def test_a_transaction_that_raises_leaves_nothing(db: sqlite3.Connection, error: BaseException) -> None:
    def step() -> None:
        with store.transaction(db):
            sources.sync(db, [BLOG], NOW)
            raise error

    with pytest.raises(type(error)):
        step()
    assert not db.in_transaction
    assert sources.states(db) == {}


def test_a_transaction_that_ends_is_there_for_others(db: sqlite3.Connection, tmp_path: Path) -> None:
    add_source(db)
    reader = store.open(tmp_path / "data" / "tracker.db")
    assert set(sources.states(reader)) == {"blog"}
    reader.close()


def test_a_reader_sees_nothing_of_an_open_transaction(db: sqlite3.Connection, tmp_path: Path) -> None:
    reader = store.open(tmp_path / "data" / "tracker.db")
    with store.transaction(db):
        sources.sync(db, [BLOG], NOW)
        assert sources.states(reader) == {}
    assert set(sources.states(reader)) == {"blog"}
    reader.close()


def test_a_second_writer_that_gives_up_says_so(db: sqlite3.Connection, tmp_path: Path) -> None:
    other = store.open(tmp_path / "data" / "tracker.db", write=True)
    other.execute("PRAGMA busy_timeout = 10")
    with store.transaction(db), pytest.raises(StoreError, match=r"locked.*nothing of this step was kept"), store.transaction(other):
        pass
    other.close()


def test_a_foreign_key_that_leads_nowhere_is_refused(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.IntegrityError), store.transaction(db):
        db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('tag', 1, ?)", (NOW,))


def test_f79_a_full_disk_keeps_nothing_of_the_step_and_all_before_it(db: sqlite3.Connection) -> None:
    add_source(db)
    fill(db, 20)
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(StoreError, match=r"cannot be written \(.*full.*\); nothing of this step was kept, the next run repeats it"):
        fill(db, 200, size=500, start=20)
    assert count(db) == 20
    assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    db.execute("PRAGMA max_page_count = 1000000")
    fill(db, 200, size=500, start=20)  # once there is room, the next run repeats it
    assert count(db) == 220


def test_f79_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = sqlite3.connect

    def connect(*args: object, **options: object) -> sqlite3.Connection:
        db = real(*args, **options)  # type: ignore[call-overload]
        db.execute("PRAGMA max_page_count = 8")
        return db  # type: ignore[no-any-return]

    monkeypatch.setattr(sqlite3, "connect", connect)
    with pytest.raises(StoreError, match=r"tracker\.db cannot be written: .*full"):
        store.open(tmp_path / "tracker.db", write=True)
    monkeypatch.undo()
    store.open(tmp_path / "tracker.db", write=True).close()  # what was left behind is no foreign file


def test_f80_damage_met_while_writing_is_told(db: sqlite3.Connection) -> None:
    with pytest.raises(StoreError, match=r"the database is damaged .*put a backup in its place"), store.transaction(db):
        raise sqlite3.DatabaseError("database disk image is malformed")


# -- opening --------------------------------------------------------------------------------------------


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs(x)")
    other.close()


def foreign_with_an_id(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA application_id = 252006674")
    other.close()


def garbage(path: Path) -> None:
    path.write_bytes(b"This is a letter, not a database. " * 300)


def newer(path: Path) -> None:
    db = store.open(path, write=True)
    db.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    db.close()


UNUSABLE = {
    "a file of another program": (foreign, "an SQLite file of another program; name the tracker's own with --db FILE"),
    "a file with another program's mark": (foreign_with_an_id, "an SQLite file of another program"),
    "a file that is no database": (garbage, "cannot be used as a database .* left as it is: .* a backup in its place"),
    "a file of a newer release": (newer, rf"newer release \(schema {schema.VERSION + 1}, .* upgrade tracker"),
}


@pytest.mark.parametrize("write", [False, True], ids=["to read", "to write"])
@pytest.mark.parametrize(("make", "sentence"), UNUSABLE.values(), ids=UNUSABLE)
def test_f80_is_refused_and_left_as_it_is(tmp_path: Path, make: object, sentence: str, write: bool) -> None:
    path = tmp_path / "x.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(StoreError, match=sentence) as caught:
        store.open(path, write=write)
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"does not exist; `tracker run` makes it"):
        store.open(tmp_path / "tracker.db")
    assert list(tmp_path.iterdir()) == []


def test_a_reader_of_an_older_schema_is_told_to_run_and_migrates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    schema.migrate(path, steps=0)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"\d+ schema steps? older than this release; run `tracker run` once"):
        store.open(path)
    assert path.read_bytes() == before


def test_a_reader_cannot_write(db: sqlite3.Connection, tmp_path: Path) -> None:
    reader = store.open(tmp_path / "data" / "tracker.db")
    with pytest.raises(StoreError, match="readonly"), store.transaction(reader):
        sources.sync(reader, [BLOG], NOW)
    with pytest.raises(sqlite3.OperationalError):
        reader.execute("DELETE FROM sources")
    reader.close()


def test_opening_twice_writes_once(db: sqlite3.Connection, tmp_path: Path) -> None:
    path = tmp_path / "data" / "tracker.db"
    db.close()
    before = path.read_bytes()
    store.open(path, write=True).close()
    assert path.read_bytes() == before


def test_an_odd_path_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#b %41" / "tracker.db"
    store.open(path, write=True).close()
    store.open(path).close()
    assert path.exists()


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    for attempt in (
        lambda: store.open(tmp_path / "data" / "tracker.db", write=True),
        lambda: store.run_lock(tmp_path / "data").__enter__(),
        lambda: Pace(tmp_path / "data"),
    ):
        with pytest.raises(StoreError, match="data"):
            attempt()


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    for write in (False, True):
        with pytest.raises(StoreError, match=r"is a folder .*; name a file, like --db .*tracker\.db"):
            store.open(tmp_path, write=write)
    with pytest.raises(StoreError, match="is a folder"), store.run_lock(tmp_path.parent, tmp_path):
        pass


def test_f79_a_read_only_folder_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(StoreError, match="cannot be written"):
        store.open(folder / "tracker.db", write=True)
    with pytest.raises(StoreError, match="is the folder writable"), store.run_lock(folder):
        pass


# -- the run lock ---------------------------------------------------------------------------------------

HOLDER = """
import sys, time
from pathlib import Path
from tracker import store
from tracker.store import runs
folder = Path(sys.argv[1])
with store.run_lock(folder):
    db = store.open(folder / "tracker.db", write=True)
    with store.transaction(db):
        runs.start(db, "2026-06-12T06:00:00Z", "1")
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    yield process  # type: ignore[misc]
    process.kill()
    process.communicate()


def test_f77_the_second_run_is_told_who_holds_the_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    with pytest.raises(LockHeld) as caught, store.run_lock(tmp_path, tmp_path / "tracker.db"):
        pass
    error = caught.value
    assert (error.since, error.pid, error.exit_code) == (NOW, holder.pid, 75)
    assert re.search(rf"another run is active \(process {holder.pid} on \S+, since {NOW}\); wait for it", str(error))


def test_without_a_database_the_second_run_is_told_no_names(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    for path in (None, tmp_path / "none.db"):
        with pytest.raises(LockHeld, match=r"another run is active; wait for it") as caught, store.run_lock(tmp_path, path):
            pass
        assert caught.value.pid == 0


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_f74_the_lock_of_a_killed_run_is_free(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    with store.run_lock(tmp_path, tmp_path / "tracker.db"):
        db = store.open(tmp_path / "tracker.db", write=True)
        last = runs.last(db)
        assert last
        assert (last["finished_at"], last["pid"]) == (None, holder.pid)
        db.close()


def test_the_lock_is_free_after_its_block_however_it_ends(tmp_path: Path) -> None:
    with store.run_lock(tmp_path):
        pass
    with pytest.raises(ValueError, match="a bug"), store.run_lock(tmp_path):
        raise ValueError("a bug")
    with store.run_lock(tmp_path), pytest.raises(LockHeld), store.run_lock(tmp_path):
        pass


def test_a_reader_does_not_need_the_lock(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    reader = store.open(tmp_path / "tracker.db")
    last = runs.last(reader)
    assert last
    assert last["pid"] == holder.pid
    reader.close()


# -- small nouns --------------------------------------------------------------------------------------------


def test_runs_are_counted_finished_and_their_polls_forgotten_in_time(db: sqlite3.Connection) -> None:
    add_source(db)
    with store.transaction(db):
        run = runs.start(db, NOW, "1")
        for at in ("2026-03-01T00:00:00Z", NOW):
            sources.record(db, Polled("blog", "new", 0.1), run=run, now=at, status=200, next_poll_at=NOW)
        runs.finish(db, run, NOW, {"new": 1, "word": "größer"})
        runs.prune(db, "2026-03-14T00:00:00Z")
    last = runs.last(db)
    assert last
    assert (last["id"], last["finished_at"], last["summary"]) == (run, NOW, '{"new": 1, "word": "größer"}')
    assert [row["at"] for row in db.execute("SELECT at FROM polls")] == [NOW]


def test_queues_and_totals_count_items(db: sqlite3.Connection) -> None:
    add_source(db)
    fill(db, 3)
    assert runs.backlog_of(db) == {"tag": 3}
    assert runs.totals(db)["items"] == 3
    assert runs.totals(db, "2026-06-13T00:00:00Z")["items"] == 0


def test_the_pace_of_a_host_is_kept_across_processes(tmp_path: Path) -> None:
    first = Pace(tmp_path)
    assert first.reserve("arxiv.org", 3.0) == 0.0
    first.stamp("arxiv.org", 3.0)
    second = Pace(tmp_path)
    assert 0 < second.reserve("arxiv.org", 3.0) <= 3.0
    assert second.reserve("other.example", 3.0) == 0.0


def test_f87_a_clock_that_ran_ahead_blocks_no_host_for_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 10 * 365 * 86_400)
    Pace(tmp_path).stamp("arxiv.org", 3.0)
    Pace(tmp_path).reserve("arxiv.org", 3.0)
    monkeypatch.setattr(time, "time", lambda: real)
    assert Pace(tmp_path).reserve("arxiv.org", 3.0) <= 600


def test_a_damaged_pace_is_made_anew_and_a_failing_one_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "pace.db").write_bytes(b"no database, but long enough to be asked what it is" * 100)
    pace = Pace(tmp_path)
    assert pace.reserve("arxiv.org", 3.0) == 0.0
    (tmp_path / "pace.db").write_bytes(b"damaged while at work, and long enough to be asked what it is" * 100)
    pace.stamp("arxiv.org", 3.0)
    assert 2 < pace.reserve("arxiv.org", 3.0) <= 3.0
    assert pace.reserve("other.example", 3.0) == 0.0


def test_a_lock_that_is_no_database_may_be_deleted_says_the_sentence(tmp_path: Path) -> None:
    (tmp_path / "lock.db").write_bytes(b"no database, but long enough to be asked what it is" * 100)
    with pytest.raises(StoreError, match=r"lock\.db is damaged .*delete it and try again"), store.run_lock(tmp_path):
        pass


def test_who_holds_the_lock_is_told_without_a_run_too(tmp_path: Path) -> None:
    with store.run_lock(tmp_path, None, NOW):
        with pytest.raises(LockHeld, match=f"process {os.getpid()} on .* since {NOW}"), store.run_lock(tmp_path):
            pass
        assert (tmp_path / "lock.txt").exists()
    assert not (tmp_path / "lock.txt").exists()


def test_a_note_of_one_that_was_killed_or_is_no_note_names_nobody(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with store.run_lock(tmp_path):
        for note in (f"{NOW}\n{dead.pid}\n{socket.gethostname()}\n", "", "a\nb\nc\n"):
            (tmp_path / "lock.txt").write_text(note)
            with pytest.raises(LockHeld) as caught, store.run_lock(tmp_path):
                pass
            assert caught.value.pid == 0


def test_on_windows_nobody_is_sent_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """There, ``os.kill(pid, 0)`` presses Ctrl-C."""
    sent: list[int] = []
    monkeypatch.setattr(store, "os", SimpleNamespace(name="nt", kill=lambda pid, _: sent.append(pid)))
    assert store._alive(4711)
    assert sent == []


def test_f79_a_database_that_is_read_only_asks_for_the_right_and_not_for_a_repeat(db: sqlite3.Connection, tmp_path: Path) -> None:
    reader = store.open(tmp_path / "data" / "tracker.db")
    with pytest.raises(StoreError, match="make its folder and its files writable"), store.transaction(reader):
        sources.sync(reader, [BLOG], NOW)
    reader.close()
