"""The command line as a person meets it: help, exit codes, sentences, JSON. Real processes, or click's runner where one is enough."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.servers import Server
from tracker.cli import cli

HEAVY = ("numpy", "sklearn", "scipy", "feedparser", "requests", "sqlite_utils", "datasette", "arxiv", "lxml", "nh3")
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>
<item><title>Agents that improve themselves from feedback</title><link>https://lab.example.org/a</link><guid>a</guid>
<pubDate>Thu, 11 Jun 2026 08:00:00 GMT</pubDate><description>A self-improving agent learns from its own experience.</description></item>
</channel></rss>"""


def tracker(*arguments: str, cwd: Path) -> Result:
    """Run the command in this process, in a folder of its own."""
    before = Path.cwd()
    os.chdir(cwd)
    try:
        return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    finally:
        os.chdir(before)


def process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run([sys.executable, "-m", "tracker", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every command there is, as the words one types."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += commands(command, (*path, name))
    return found


@pytest.fixture
def home(tmp_path: Path, web: Server) -> Path:
    """A folder with a feeds.toml of one source that answers."""
    web.serves("/feed.xml", FEED)
    (tmp_path / "feeds.toml").write_text(
        f'[tracker]\ncontact = "t@example.org"\nread_per_day = 0\n[feeds.lab]\nurl = "{web.url("/feed.xml")}"\nlab = "openai"\n'
    )
    return tmp_path


@pytest.mark.parametrize("words", [(), *commands()], ids=lambda words: " ".join(words) or "tracker")
def test_help_says_what_it_does_and_gives_an_example(words: tuple[str, ...], tmp_path: Path) -> None:
    result = tracker(*words, "--help", cwd=tmp_path)
    assert result.exit_code == 0
    first = result.output.split("\n\n")[1].strip().split("\n")[0]
    assert 10 <= len(first) <= 90
    assert "--config" in result.output
    assert "xample:" in result.output or "Start:" in result.output or words == ("feeds",)


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"""import sys
sys.argv = ['tracker', '--help']
from tracker.cli import main
try: main()
except SystemExit: pass
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stderr.strip() == "[]"


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, tracker; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_init_writes_a_feeds_toml_that_works_and_never_overwrites_one(tmp_path: Path) -> None:
    assert tracker("init", cwd=tmp_path).exit_code == 0
    listed = json.loads(tracker("feeds", "list", "--json", cwd=tmp_path).output)
    assert len(listed) >= 25
    again = tracker("init", cwd=tmp_path)
    assert again.exit_code == 2
    assert "--force" in again.output


def test_a_run_stores_tags_and_says_how_to_browse(home: Path) -> None:
    result = tracker("run", cwd=home)
    assert result.exit_code == 0, result.output
    assert "1 of 1 sources answered; 1 new items, 1 tagged, 1 on topic" in result.output
    assert "Browse them: tracker serve\n" in result.output, "no `make serve` where there is no Makefile"
    db = sqlite3.connect(home / "data" / "tracker.db")
    assert db.execute("SELECT count(*) FROM item_topics WHERE topic = 'agent-self-improvement'").fetchone() == (1,)
    found = "SELECT relation, method, place FROM item_labs WHERE lab = 'openai' ORDER BY relation DESC"
    assert db.execute(found).fetchall() == [("by", "source", "source"), ("about", "own", "source")]
    assert db.execute("SELECT origin FROM items").fetchone() == ("official",)
    assert db.execute("SELECT count(*) FROM runs WHERE finished_at >= started_at").fetchone() == (1,)


def test_cron_hears_nothing_of_a_good_run(home: Path) -> None:
    done = process("run", "-q", cwd=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_global_options_stand_before_or_after_the_command(home: Path) -> None:
    tracker("run", cwd=home)
    before, after = tracker("--json", "status", cwd=home), tracker("status", "--json", cwd=home)
    assert json.loads(before.output)["answering"] == json.loads(after.output)["answering"] == 1


def test_a_run_in_which_some_sources_fail_is_a_success_that_tells(home: Path, web: Server) -> None:
    config = home / "feeds.toml"
    config.write_text(config.read_text() + f'[feeds.broken]\nurl = "{web.url("/nothing")}"\n')
    result = tracker("run", cwd=home)
    assert result.exit_code == 0
    assert "1 of 2 sources answered" in result.output
    assert "broken: http_404" in result.output
    told = tracker("doctor", cwd=home).output
    assert "broken" in told
    assert "look for the feed's new address" in told


def test_without_network_every_source_is_named_and_the_exit_code_is_1(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[feeds.a]\nurl = "http://127.0.0.1:9/a"\n[feeds.b]\nurl = "http://127.0.0.1:9/b"\n')
    done = process("run", cwd=tmp_path)
    assert done.returncode == 1
    assert "not answered: connection: a, b" in done.stdout
    assert "None of 2 sources answered: there seems to be no network" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(("run",), 2, "feeds.toml: no such file; make one with `tracker init`", id="no feeds.toml"),
        pytest.param(("status",), 1, "data/tracker.db does not exist; `tracker run` makes it", id="no database"),
        pytest.param(("serve",), 1, "data/tracker.db does not exist", id="nothing to serve"),
        pytest.param(("status", "--now", "yesterday"), 2, "must be like 2026-06-12", id="a strange present"),
        pytest.param(("run", "--now", "9999-12-31"), 2, "must lie in the years 1991 to 2200", id="a present at the end of the calendar"),
        pytest.param(("run", "--now", "0001-01-01"), 2, "must lie in the years 1991 to 2200", id="a present at its beginning"),
        pytest.param(("status", "--db", "."), 1, ". is a folder", id="a folder for a database"),
        pytest.param(("tag", "--again"), 2, "--again and --since go together", id="again without since"),
        pytest.param(("pol",), 2, "No such command", id="a typo in a command"),
    ],
)
def test_a_mistake_gets_one_sentence_and_its_exit_code(arguments: tuple[str, ...], code: int, says: str, tmp_path: Path) -> None:
    done = process(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_in_feeds_toml_names_file_line_key_and_the_nearest_before_any_network(home: Path, web: Server) -> None:
    (home / "feeds.toml").write_text(f'[feeds.lab]\nulr = "{web.url("/feed.xml")}"\n')
    done = process("run", cwd=home)
    assert done.returncode == 2
    assert 'feeds.toml:2: [feeds.lab] unknown key "ulr"; did you mean "url"?' in done.stderr
    assert not web.hits("/feed.xml")
    assert not (home / "data").exists()


def test_two_runs_at_once_the_second_exits_75_and_says_who_holds_the_lock(home: Path) -> None:
    from tracker.run import Tracker
    from tracker.store import runs, transaction

    with Tracker(home / "feeds.toml", home / "data" / "tracker.db") as first:
        with transaction(first.db):
            runs.start(first.db, "2026-06-12T06:00:00Z", "0")
        (home / "data" / "lock.txt").unlink()  # a folder in which it could not be written
        done = process("run", cwd=home)
    assert done.returncode == 75
    assert f"another run is active (process {os.getpid()} on " in done.stderr
    assert "since 2026-06-12T06:00:00Z" in done.stderr


@pytest.fixture
def at_work(home: Path, web: Server) -> Iterator[subprocess.Popen[str]]:
    """A real `tracker run` in another process, the second on its database, in the midst of its poll; it ends when told to."""
    assert tracker("run", "--now", "2026-06-11T06:00:00Z", cwd=home).exit_code == 0
    go_on = threading.Event()
    web.answers("/feed.xml", lambda exchange: go_on.wait(60) and exchange.answer(200, {}, FEED.replace(b"/a<", b"/b<")))
    command = [sys.executable, "-m", "tracker", "run", "-q", "--now", "2026-06-12T06:00:00Z"]
    running = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while len(web.hits("/feed.xml")) < 2 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert running.poll() is None
    yield running
    assert running.poll() is None, "it was at work all the time"
    go_on.set()
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("command", ["run", "poll", "tag", "group"])
def test_f77_while_a_run_is_at_work_another_process_exits_75_and_names_it(at_work: subprocess.Popen[str], home: Path, command: str) -> None:
    done = process(command, cwd=home)
    assert (done.returncode, done.stdout) == (75, "")
    assert f"another run is active (process {at_work.pid} on " in done.stderr
    assert "since 2026-06-12T06:00:00Z" in done.stderr


def test_while_a_run_is_at_work_the_front_page_answers(at_work: subprocess.Popen[str], home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serving = subprocess.Popen(
        [sys.executable, "-m", "tracker", "serve", "--port", str(port)], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert serving.stdout
        assert f"127.0.0.1:{port}" in serving.stdout.readline()
        opener, deadline, page = urllib.request.build_opener(urllib.request.ProxyHandler({})), time.monotonic() + 30, None
        while page is None and time.monotonic() < deadline:  # it says where before it listens
            with contextlib.suppress(OSError):
                page = opener.open(f"http://127.0.0.1:{port}/", timeout=30)
            time.sleep(0.05)
        assert page is not None
        assert page.status == 200
        assert b"Agents that improve themselves from feedback" in page.read()
    finally:
        serving.kill()
        serving.communicate()


def test_a_named_source_that_was_told_to_wait_is_named_with_its_time(home: Path, web: Server) -> None:
    web.serves("/feed.xml", b"slow down", {"Retry-After": "36000"}, 429)
    tracker("poll", "--now", "2026-06-12T06:00:00Z", cwd=home)
    told = tracker("poll", "lab", "--now", "2026-06-12T08:00:00Z", cwd=home)
    assert told.exit_code == 0
    assert told.output == "  … lab  not asked: its server wants us to wait; asked again in 8 h\n"
    assert len(web.hits("/feed.xml")) == 1


def test_a_source_that_was_cut_short_has_answered_and_is_not_complete(home: Path, web: Server) -> None:
    cut = FEED.replace(b"</channel></rss>", b"<item><title>Half")
    web.sends("/feed.xml", b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\nContent-Length: 9999\r\n\r\n" + cut)
    told = tracker("run", cwd=home)
    assert told.exit_code == 0
    assert "1 of 1 sources answered; 1 new items" in told.output
    assert "not complete: lab: truncated" in told.output
    assert "not answered" not in told.output


@pytest.mark.parametrize("since", ["999999d", "99999999999999d", "yesterday"])
def test_a_span_beyond_the_calendar_is_a_mistake_in_a_sentence(home: Path, since: str) -> None:
    told = tracker("tag", "--again", "--since", since, cwd=home)
    assert (told.exit_code, "--since must be like 90d" in told.output) == (2, True)


def test_paths_are_quoted_so_that_the_line_can_be_pasted(home: Path) -> None:
    told = tracker("run", "--db", "my data/tracker.db", cwd=home).output
    assert "Browse them: tracker serve --db 'my data/tracker.db'\n" in told
    (home / "Makefile").write_text("")
    assert "Browse them: tracker serve   (or `make serve`)\n" in tracker("run", cwd=home).output


def test_a_terminal_without_our_letters_gets_a_question_mark(home: Path) -> None:
    config = home / "feeds.toml"
    config.write_text(config.read_text() + '[watches.w]\nquestion = "Œuvre → 東京?"\nby = ["openai"]\nphrases = ["agent*"]\n')
    tracker("run", cwd=home)
    for encoding in ("cp1252", "latin-1"):
        done = subprocess.run(
            [sys.executable, "-m", "tracker", "watch"],
            cwd=home, env=os.environ | {"PYTHONIOENCODING": encoding}, capture_output=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert b"uvre ? ??" in done.stdout


def test_feeds_check_shows_what_was_understood_and_stores_nothing(home: Path) -> None:
    result = tracker("feeds", "check", "lab", cwd=home)
    assert result.exit_code == 0
    assert "2026-06-11  Agents that improve themselves from feedback  https://lab.example.org/a" in result.output
    assert not (home / "data" / "tracker.db").exists()


# A quiet run in a fresh interpreter, with a trigger on every table that notes each row written; FTS tables follow those.
QUIET = """import datetime, sys
from tracker.pollers import worker
from tracker.run import Tracker
started = []
real = worker._start
worker._start = lambda: started.append(1) or real()
with Tracker("feeds.toml", "data/tracker.db", now=datetime.datetime.fromisoformat("2026-06-13T06:00:00+00:00")) as t:
    tables = [r[0] for r in t.db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%fts%' AND name NOT LIKE 'sqlite%'")]
    assert {"items", "texts", "sightings", "links", "item_keys", "pending", "revisions", "item_topics"} <= set(tables), tables
    t.db.execute("CREATE TEMP TABLE written(name)")
    for table in tables:
        for act in ("INSERT", "UPDATE", "DELETE"):
            t.db.execute(
                f"CREATE TEMP TRIGGER {table}_{act} AFTER {act} ON {table} BEGIN INSERT INTO written VALUES ('{table}'); END")
    summary = t.run()
    written = sorted({r[0] for r in t.db.execute("SELECT name FROM written")})
print([p.outcome for p in summary.polls], len(started), written)
print([name for name in ("numpy", "sklearn", "scipy", "feedparser", "sqlite_utils", "arxiv") if name in sys.modules])
print("tracker.taggers.topics" in sys.modules)"""


def test_a_quiet_run_parses_nothing_imports_nothing_heavy_and_writes_no_item(home: Path) -> None:
    tracker("run", "--now", "2026-06-12T06:00:00Z", cwd=home)
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, cwd=home, check=False)
    assert done.stdout == "['unchanged'] 0 ['polls', 'runs', 'sources']\n[]\nFalse\n", done.stdout + done.stderr


def test_from_python_items_are_found_by_topic_and_lab(home: Path) -> None:
    from tracker import Tracker

    with Tracker(home / "feeds.toml", home / "data" / "tracker.db") as t:
        t.run()
        found = list(t.items(topic="agent-self-improvement", by="openai", since="2026-06-01"))
        assert [item.url for item in found] == ["https://lab.example.org/a"]
        assert not list(t.items(by="anthropic"))


def test_json_of_a_run_is_one_document(home: Path) -> None:
    done = process("run", "--json", cwd=home)
    facts = json.loads(done.stdout)
    assert facts["sources_asked"] == facts["sources_answered"] == facts["new"] == 1
