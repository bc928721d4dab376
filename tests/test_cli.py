"""The command line as a person meets it: help, exit codes, sentences, JSON. Real processes, or click's runner where one is enough."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
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
        f'[tracker]\ncontact = "t@example.org"\n[feeds.lab]\nurl = "{web.url("/feed.xml")}"\nlab = "openai"\n'
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
    assert "tracker serve" in result.output
    db = sqlite3.connect(home / "data" / "tracker.db")
    assert db.execute("SELECT count(*) FROM item_topics WHERE topic = 'agent-self-improvement'").fetchone() == (1,)
    assert db.execute("SELECT lab, relation, method FROM item_labs").fetchone() == ("openai", "by", "source")
    assert db.execute("SELECT origin FROM items").fetchone() == ("official",)
    assert db.execute("SELECT count(*) FROM runs WHERE finished_at IS NOT NULL").fetchone() == (1,)


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
        done = process("run", cwd=home)
    assert done.returncode == 75
    assert f"another run is active (process {os.getpid()} on " in done.stderr
    assert "since 2026-06-12T06:00:00Z" in done.stderr


def test_feeds_check_shows_what_was_understood_and_stores_nothing(home: Path) -> None:
    result = tracker("feeds", "check", "lab", cwd=home)
    assert result.exit_code == 0
    assert "2026-06-11  Agents that improve themselves from feedback  https://lab.example.org/a" in result.output
    assert not (home / "data" / "tracker.db").exists()


def test_a_quiet_run_parses_nothing_imports_nothing_heavy_and_writes_no_item(home: Path) -> None:
    tracker("run", "--now", "2026-06-12T06:00:00Z", cwd=home)
    code = """import sqlite3, sys
written = []
from tracker import store
from tracker.run import Tracker
with Tracker("feeds.toml", "data/tracker.db", now=__import__("datetime").datetime.fromisoformat("2026-06-13T06:00:00+00:00")) as t:
    t.db.set_trace_callback(written.append)
    summary = t.run()
assert [p.outcome for p in summary.polls] == ["unchanged"], summary
writes = [s for s in written if s.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")) and "item" in s.lower().split("(")[0]]
print([name for name in ("numpy", "sklearn", "scipy", "feedparser", "sqlite_utils", "arxiv") if name in sys.modules], writes)
print("tracker.taggers.topics" in sys.modules)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=home, check=False)
    assert done.stdout == "[] []\nFalse\n", done.stdout + done.stderr


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
