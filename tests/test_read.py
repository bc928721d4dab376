"""The stage READ: real pages on loopback, a real database; what is asked for, when again, and what becomes of it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.servers import Server
from tracker import show, store
from tracker.cli import cli
from tracker.doctor import check
from tracker.errors import SourceError
from tracker.read import PER_HOST, Reading, again_at, chosen
from tracker.run import Tracker
from tracker.store.readings import Waiting

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
# A vendor's name for a mechanism: the title says nothing, the post does.
MECHANISM = (
    "Nightshift is a new way in which our agents improve themselves. After each day of work the agent looks back at its own trajectories, "
    "writes new skills from what went wrong, and updates its own prompts and memory: a self-improving agent that learns from experience, "
    "without new labels and without a person in the loop."
)


def page(text: str = MECHANISM, title: str = "Introducing Nightshift", head: str = "") -> bytes:
    return f"<html><head><title>{title}</title>{head}</head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>".encode()


def feed(*posts: str) -> bytes:
    return f'<rss version="2.0"><channel><title>Lab</title>{"".join(posts)}</channel></rss>'.encode()


class Home:
    """A lab whose feed gives titles, its pages, a tracker; each ``run`` is later by a day."""

    def __init__(self, path: Path, web: Server, *, known: bool = True) -> None:
        self.path, self.web, self.now, self.posts = path, web, NOW, list[str]()
        self.keys, self.settings = 'lab = "openai"', ""
        web.serves("/robots.txt", b"User-agent: *\nDisallow: /private/\n")
        if known:  # what is there at first is backlog; from now on there is news
            self.run()

    def post(self, name: str, text: str = "", title: str = "Introducing Nightshift", day: str = "Fri, 12 Jun 2026 04:00:00 GMT") -> str:
        """Put a post into the feed; return its address."""
        url = self.web.url(f"/{name}")
        date = f"<pubDate>{day}</pubDate>" if day else ""
        self.posts.insert(0, f"<item><title>{title}</title><link>{url}</link><description>{text}</description>{date}</item>")
        return url

    def tracker(self) -> Tracker:
        self.web.serves("/feed", feed(*self.posts))
        settings = f'[tracker]\n{self.settings}\n[feeds.lab]\nurl = "{self.web.url("/feed")}"\nevery = "1h"\n{self.keys}\n'
        (self.path / "feeds.toml").write_text(settings, encoding="utf-8")
        return Tracker(self.path / "feeds.toml", self.path / "data" / "tracker.db", now=self.now)

    def run(self, later: timedelta = timedelta(days=1)) -> tuple[Reading, ...]:
        with self.tracker() as tracker:
            summary = tracker.run()
        self.now += later
        return summary.articles

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path / "data" / "tracker.db")
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def asked(self) -> list[str]:
        return [seen.path for seen in self.web.requests if seen.path not in ("/feed", "/robots.txt")]


@pytest.fixture
def home(tmp_path: Path, web: Server) -> Home:
    return Home(tmp_path, web)


# -- what is read -----------------------------------------------------------------------------------


def test_an_official_post_with_a_bare_title_is_read_before_it_is_tagged(home: Home) -> None:
    home.post("nightshift", day="")
    home.web.serves(
        "/nightshift", page(MECHANISM + ' <a href="https://arxiv.org/abs/2606.99901">paper</a>', head="<meta name=date content=2026-06-11>")
    )
    (reading,) = home.run()
    assert reading.ok
    assert home.rows("SELECT topic FROM item_topics WHERE topic = 'agent-self-improvement'"), "the article tells what the title does not"
    assert home.rows("SELECT published_at, revision FROM items") == [("2026-06-11T00:00:00Z", 0)]
    assert home.rows("SELECT key FROM links") == [("arxiv:2606.99901",)]
    assert home.rows("SELECT outcome, length(sha256) FROM readings") == [("read", 64)]
    assert home.rows("SELECT count(*) FROM texts_fts WHERE texts_fts MATCH 'trajectories'") == [(1,)]
    assert home.rows("SELECT item FROM pending") == []
    assert home.rows("SELECT body FROM texts") == [("",)], "what the source said stays what it said"


def test_without_its_article_the_same_post_is_on_no_topic(home: Home) -> None:
    home.settings = "read_per_day = 0"
    home.post("nightshift")
    assert home.run() == ()
    assert home.asked() == []
    assert home.rows("SELECT topic FROM item_topics WHERE topic = 'agent-self-improvement'") == []
    assert home.rows("SELECT item FROM pending") == [], "nothing waits for what is switched off"


def test_what_is_read_on_a_later_day_is_tagged_anew(home: Home) -> None:
    home.post("nightshift")
    home.web.serves("/nightshift", b"busy", status=500)
    (reading,) = home.run()
    assert reading.outcome == "http_500"
    assert home.rows("SELECT topic FROM item_topics WHERE topic = 'agent-self-improvement'") == []
    home.web.serves("/nightshift", page())
    (reading,) = home.run()
    assert reading.ok
    assert home.rows("SELECT topic FROM item_topics WHERE topic = 'agent-self-improvement'")
    assert home.rows("SELECT stage FROM pending") == []


@pytest.mark.parametrize(
    ("keys", "text", "name"),
    [
        ('origin = "press"', "", "post"),
        ('lab = "openai"\norigin = "community"', "", "post"),
        ('lab = "openai"\norigin = "paper"', "", "post"),
        ('lab = "openai"', "The whole post came with the feed. " * 12, "post"),
        ('lab = "openai"', "", "changelog#v2"),
    ],
    ids=["press", "community", "papers", "a post with its text", "an entry of a page of many"],
)
def test_what_is_never_read(home: Home, keys: str, text: str, name: str) -> None:
    home.keys = keys
    home.post(name, text)
    assert home.run() == ()
    assert home.asked() == []


def test_a_paper_in_the_feed_of_a_lab_is_not_read(home: Home) -> None:
    home.posts.append("<item><title>A paper</title><link>https://arxiv.org/abs/2606.99901</link></item>")
    assert home.run() == ()


def test_of_the_backlog_only_the_last_90_days_are_read_and_news_comes_first(tmp_path: Path, web: Server) -> None:
    home = Home(tmp_path, web, known=False)
    home.settings = "read_per_day = 2"
    home.post("old", day="Mon, 02 Feb 2026 08:00:00 GMT")
    home.post("undated", day="")
    for n in (1, 2, 3):
        home.web.serves(f"/recent{n}", page())
        home.post(f"recent{n}", day=f"0{n} Jun 2026 08:00:00 GMT")
    assert [reading.url.rpartition("/")[2] for reading in home.run(timedelta(days=2))] == ["recent3", "recent2"]
    home.post("news", day="Sun, 14 Jun 2026 05:00:00 GMT")
    home.settings = "read_per_day = 1"
    assert [reading.url.rpartition("/")[2] for reading in home.run()] == ["news"]
    home.settings = "read_per_day = 9"
    assert sorted(reading.url.rpartition("/")[2] for reading in home.run()) == ["news", "recent1"]
    assert not {"/old", "/undated"} & set(home.asked())


def test_a_title_made_of_the_address_gives_way_to_that_of_the_article_and_never_comes_back(home: Home) -> None:
    home.post("agents-that-sleep", title="Agents that sleep")
    home.web.serves("/agents-that-sleep", page(title="Agents That Sleep: Learning Overnight at Lab"))
    home.run()
    assert home.rows("SELECT title, revision FROM items") == [("Agents That Sleep: Learning Overnight at Lab", 0)]
    assert home.rows("SELECT what FROM revisions") == [], "nobody has edited anything"
    home.posts[0] = home.posts[0].replace("12 Jun", "13 Jun")  # the entry changes; its title is the stand-in again
    home.run()
    assert home.rows("SELECT title, revision FROM items") == [("Agents That Sleep: Learning Overnight at Lab", 0)]


def test_a_title_that_the_publisher_wrote_stays(home: Home) -> None:
    home.post("nightshift", title="Our new way")
    home.web.serves("/nightshift", page())
    home.run()
    assert home.rows("SELECT title FROM items") == [("Our new way",)]


# -- what cannot be read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "serve", "outcome"),
    [
        ("absent", lambda web: None, "no page"),
        ("gone", lambda web: web.serves("/gone", b"", status=410), "no page"),
        ("home", lambda web: (web.redirects("/home", "/"), web.serves("/", page())), "no page"),
        ("wall", lambda web: (web.redirects("/wall", "/login?next=/wall"), web.serves("/login", page())), "http_401"),
        ("app", lambda web: web.serves("/app", b"<html><title>App</title><div id=root></div></html>"), "empty"),
        ("private/x", lambda web: web.serves("/private/x", page()), "disallowed"),
        ("blocked", lambda web: web.serves("/blocked", b"no", status=403), "http_403"),
        ("cut", lambda web: web.fails("/cut", "reset"), "connection"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_article_that_cannot_be_read_says_why_and_its_post_is_tagged_without(
    home: Home, path: str, serve: Callable[[Server], object], outcome: str
) -> None:
    serve(home.web)
    home.post(path, title="A self-improving agent that learns from its own experience and rewrites its skills")
    (reading,) = home.run()
    assert reading.outcome == outcome
    assert home.rows("SELECT outcome, text FROM readings") == [(outcome, None)]
    assert home.rows("SELECT count(*) FROM item_topics")[0][0] > 0
    assert not {"tag", "group", "watch"} & {stage for (stage,) in home.rows("SELECT stage FROM pending")}
    if outcome == "disallowed":
        assert home.asked() == []


def test_a_page_whose_words_come_by_script_is_not_asked_for_again(home: Home) -> None:
    home.post("app")
    home.web.serves("/app", b"<html><title>App</title><div id=root></div></html>")
    assert [day for day in range(12) if home.run()] == [0]
    assert home.rows("SELECT item FROM pending") == []


def test_it_is_tried_after_one_three_and_seven_days_then_left(home: Home) -> None:
    home.post("absent")
    tried = [day for day in range(12) if home.run()]
    assert tried == [0, 1, 3, 7]
    assert home.rows("SELECT outcome FROM readings") == [("no page",)]
    assert home.rows("SELECT item FROM pending") == []


def test_what_the_site_has_decided_is_not_asked_again() -> None:
    assert again_at(0, SourceError("disallowed"), NOW) is None
    assert again_at(0, SourceError("gone"), NOW) is None
    assert again_at(0, SourceError("rate_limited", retry_after_s=5 * 86_400), NOW) == "2026-06-17T06:00:00Z"
    assert again_at(0, None, NOW) == "2026-06-13T06:00:00Z"


def test_a_page_in_a_private_network_is_not_asked(home: Home) -> None:
    home.posts.append("<item><title>A post</title><link>http://localhost:1/x</link><pubDate>Fri, 12 Jun 2026 04:00:00 GMT</pubDate></item>")
    (reading,) = home.run()
    assert reading.outcome == "blocked_address"


def test_without_a_network_no_article_loses_a_try(home: Home) -> None:
    home.post("nightshift")
    home.web.serves("/nightshift", page())
    with home.tracker() as tracker:
        list(tracker.poll())
    home.web.fails("/feed", "reset")
    with home.tracker() as tracker:
        home.web.fails("/feed", "reset")
        tracker.now += timedelta(days=1)
        assert tracker.run().nothing_answered
    assert home.asked() == []
    assert home.rows("SELECT tries FROM pending WHERE stage = 'article'") == [(0,)]


# -- how many ---------------------------------------------------------------------------------------


def waiting(*urls: str) -> list[Waiting]:
    return [Waiting(n, url, "A post", "lab", "https://lab.example/feed", 0) for n, url in enumerate(urls)]


def test_hosts_take_turns_and_none_is_asked_for_more_than_its_share() -> None:
    many = waiting(*(f"https://a.example/{n}" for n in range(40)), "https://b.example/1", "https://c.example/1")
    asked = chosen(many, frozenset(), 60)
    assert len(asked) == PER_HOST + 2
    assert [one.url for one in asked[:3]] == ["https://a.example/0", "https://b.example/1", "https://c.example/1"]
    assert len(chosen(many, frozenset(), 5)) == 5
    assert [one.url for one in chosen(many[:40], frozenset({"a.example"}), 60)] == ["https://a.example/0"]


def test_the_day_has_an_end(home: Home) -> None:
    home.settings = "read_per_day = 2"
    for n in range(5):
        home.post(f"p{n}")
    assert len(home.run(timedelta(hours=6))) == 2
    assert len(home.run(timedelta(hours=18))) == 0
    assert len(home.run()) == 2


def test_of_a_host_that_refuses_one_article_is_tried_a_run_and_doctor_tells(home: Home) -> None:
    for n in range(6):
        home.web.serves(f"/p{n}", b"no", status=403)
        home.post(f"p{n}")
    assert len(home.run()) == 6
    home.post("p6")
    home.web.serves("/p6", b"no", status=403)
    assert len(home.run()) == 1
    with home.tracker() as tracker:
        (found,) = [finding for finding in check(tracker.db, tracker.config, home.now) if finding.what == "127.0.0.1"]
    assert "7 articles could not be read (http_403)" in found.say
    assert "contact" in found.say


@pytest.mark.parametrize("failure", ["reset", "close"])
def test_a_host_that_falls_silent_is_left_in_peace_until_the_next_run(home: Home, failure: str) -> None:
    for n in range(9):
        home.web.fails(f"/p{n}", failure)
        home.post(f"p{n}")
    assert [reading.outcome for reading in home.run()] == ["connection"] * 3
    assert len(set(home.asked())) == 3
    assert home.rows("SELECT tries, count(*) FROM pending WHERE stage = 'article' GROUP BY tries") == [(0, 6), (1, 3)]
    assert len(home.run()) == 1, "of whom it is known, one is tried"


def test_one_answer_among_failures_keeps_a_host_in_turn(home: Home) -> None:
    for n in range(8):
        if n % 3:
            home.web.fails(f"/p{n}", "reset")
        else:
            home.web.serves(f"/p{n}", page())
        home.post(f"p{n}")
    assert len(home.run()) == 8


# -- told, and quiet --------------------------------------------------------------------------------


def test_the_command_and_the_status_tell_what_was_read_and_what_was_not(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.post("nightshift")
    home.web.serves("/nightshift", page())
    home.post("absent")
    with home.tracker() as tracker:
        list(tracker.poll())
    monkeypatch.chdir(home.path)
    at = ["--now", home.now.isoformat()]
    told = CliRunner().invoke(cli, ["read", *at])
    assert (told.exit_code, told.output) == (0, "1 article of official posts read, 1 could not be: 127.0.0.1 (no page) 1.\n")
    assert json.loads(CliRunner().invoke(cli, ["read", "--json", *at]).output) == []
    assert "1 articles of official posts could not be read" in CliRunner().invoke(cli, ["status", *at]).output


def test_the_words_of_a_summary() -> None:
    results = [Reading(1, "https://a.example/1", "read"), Reading(2, "https://b.example/1", "http_403", "http_403: no")]
    assert list(show.articles(results)) == ["1 article of official posts read, 1 could not be: b.example (http_403) 1."]


def test_with_nothing_to_read_nothing_is_imported_asked_or_written(home: Home) -> None:
    home.post("nightshift")
    home.web.serves("/nightshift", page())
    home.run()
    before = len(home.web.requests)
    code = f"""import sys
from datetime import datetime
from tracker.run import Tracker
now = datetime.fromisoformat({home.now.isoformat()!r})
with Tracker({str(home.path / "feeds.toml")!r}, {str(home.path / "data" / "tracker.db")!r}, now=now) as t:
    changes = t.db.total_changes
    print(list(t.read()), t.db.total_changes - changes, [n for n in ("lxml", "feedparser", "numpy") if n in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[] 0 []\n", done.stdout + done.stderr
    assert len(home.web.requests) == before


def test_the_queue_is_read_without_a_scan_of_the_archive(db: sqlite3.Connection) -> None:
    from tracker.store import readings

    plans: list[str] = []
    db.set_trace_callback(lambda sql: plans.append(sql) if sql.lstrip().startswith(("SELECT", "DELETE")) else None)
    readings.waiting(db, "2026-06-12T06:00:00Z", "2026-06-20T06:00:00Z")
    readings.asked_since(db, "2026-06-12T06:00:00Z")
    readings.by_host(db)
    readings.expire(db, "2026-06-12T06:00:00Z")
    db.set_trace_callback(None)
    for sql in plans:
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in steps if step.startswith("SCAN") and "USING INDEX readings_fetched_at" not in step], (sql, steps)
    assert len(plans) == 4


def test_a_mirror_that_brings_the_text_makes_the_article_needless(home: Home) -> None:
    home.post("nightshift")
    with home.tracker() as tracker:
        list(tracker.poll())
    assert home.rows("SELECT stage FROM pending ORDER BY stage") == [("article",), ("tag",)]
    home.posts[0] = home.posts[0].replace("<description>", f"<description>{MECHANISM}")
    home.now += timedelta(days=1)
    assert home.run() == ()
    assert home.asked() == []
    db = store.open(home.path / "data" / "tracker.db")
    assert db.execute("SELECT count(*) FROM pending").fetchone()[0] == 0
    db.close()
