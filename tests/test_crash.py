"""kill -9 at random moments of a run, then one clean run: the same content as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from tests.servers import Answer, Exchange, Server

NOW, NEXT = "2026-06-12T06:00:00Z", "2026-06-13T06:00:00Z"
KILLS, KILLS_A_ROUND = 30, 3  # a round starts from the same state and ends with a run that is left in peace
SOURCES, ENTRIES = 15, 60  # three are no feeds of ours: a page of lines and its mirror, with the text; a page of titles
POSTS = 20
ARTICLES = 12  # posts of a page of titles, whose texts stand in their articles alone
WORDS = "agents memory learn reward self-improving feedback oversight benchmark skill online release tokens chips funding".split()


def feed(number: int, first: int = 0) -> bytes:
    """A feed with invented posts, half of them on topic; every third entry is also in the next feed."""
    chance = random.Random(number + first)
    items = []
    for n in range(first, first + ENTRIES):
        link = f"https://lab.example.org/{number + n % 3 // 2}/{n}"
        words = " ".join(chance.choices(WORDS, k=120))
        items.append(
            f"<item><title>Post {n} of {link[-4:]}: {words[:40]}</title><link>{link}</link><guid>{link}</guid>"
            f"<pubDate>{1 + n % 11:02} Jun 2026 08:00:00 GMT</pubDate><description>{words} https://arxiv.org/abs/2606.0{number:02}{n:02}</description></item>"
        )
    return f'<rss version="2.0"><channel><title>f{number}</title>{"".join(items)}</channel></rss>'.encode()


def listing() -> bytes:
    """A page of posts with a line and a day each."""
    cards = "".join(
        f'<article><a href="https://lab.example.org/news/{n}"><h3>An announcement of agents, number {n}</h3></a>'
        f"<time datetime='2026-06-{1 + n % 11:02}'></time><p>What number {n} is about, in a line.</p></article>"
        for n in range(POSTS)
    )
    return f"<html><head><title>News</title></head><body><main>{cards}</main></body></html>".encode()


def titles(url: str) -> bytes:
    """A page of titles; the posts are on the same server."""
    cards = "".join(
        f'<li><a href="{url}{n}">A report on agents in the field, number {n}</a> <time>June 1{n % 2}, 2026</time></li>'
        for n in range(ARTICLES)
    )
    return f"<html><head><title>Reports</title></head><body><main><ul>{cards}</ul></main></body></html>".encode()


def article(number: int) -> bytes:
    words = " ".join(random.Random(number).choices(WORDS, k=150))
    return f"<html><title>Report {number}</title><body><article><h1>Report {number}</h1><p>{words}</p></article></body></html>".encode()


def mirror() -> bytes:
    """The same posts, in full."""
    chance = random.Random(4711)
    items = "".join(
        f"<item><title>An announcement of agents, number {n}</title><link>https://lab.example.org/news/{n}</link>"
        f"<description>{' '.join(chance.choices(WORDS, k=80))} https://arxiv.org/abs/2606.2{n:04}</description></item>"
        for n in range(POSTS)
    )
    return f'<rss version="2.0"><channel><title>mirror</title>{items}</channel></rss>'.encode()


def start(home: Path, now: str = NOW) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tracker", "run", "-q", "--now", now]
    return subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(home: Path, now: str = NOW) -> None:
    process = start(home, now)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err


def content(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything a reader sees, by key; ids, which say only in which order things came, left out."""
    db = sqlite3.connect(home / "data" / "tracker.db", isolation_level=None)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("INSERT INTO texts_fts(texts_fts, rank) VALUES ('integrity-check', 1)") is not None
    queries = {
        "items": "SELECT key, url, title, published_at, first_seen_at, content_hash, backlog, origin, source FROM items",
        "texts": "SELECT key, texts.title, body FROM texts JOIN items ON items.id = item",
        "keys": "SELECT items.key, item_keys.key FROM item_keys JOIN items ON items.id = item WHERE item_keys.key NOT LIKE 'title:%'",
        "sightings": "SELECT key, sightings.source, entry_hash FROM sightings JOIN items ON items.id = item",
        "links": "SELECT items.key, links.key FROM links JOIN items ON items.id = item",
        "topics": "SELECT key, topic, score, tier, evidence, model FROM item_topics JOIN items ON items.id = item",
        "labs": "SELECT key, lab, relation, method, item_labs.evidence FROM item_labs JOIN items ON items.id = item",
        "stories": """SELECT (SELECT key FROM items WHERE id = lead_item), title, first_at, items, sources,
            (SELECT group_concat(key, ' ') FROM (SELECT key FROM story_items JOIN items ON items.id = item WHERE story = stories.id
            ORDER BY key)) FROM stories""",
        "reasons": "SELECT key, score, evidence FROM story_items JOIN items ON items.id = item",
        "rungs": "SELECT key, lab, rung, rungs.cue FROM rungs JOIN items ON items.id = item",
        "weekly": "SELECT week, topic, lab, relation, items, stories FROM weekly",
        "stale": "SELECT week FROM stale_weeks",
        "race": """SELECT topic, lab, stories, items, all_items, share, usual, stated, published, shipped, reported,
            (SELECT key FROM items WHERE id = newest_item) FROM race""",
        "near": "SELECT watch, key, lab, rung, score, reason FROM near_misses JOIN items ON items.id = item",
        "events": "SELECT watch, key, lab, rung, at, score, reason, quiet FROM watch_events JOIN items ON items.id = item",
        "readings": "SELECT key, readings.url, outcome, text FROM readings JOIN items ON items.id = item",
        "pending": "SELECT key, stage FROM pending JOIN items ON items.id = item",
        "sources": "SELECT id, etag, body_hash, fails, last_ok_at, last_error FROM sources",
    }
    return {name: sorted(db.execute(query).fetchall(), key=repr) for name, query in queries.items()}


def stage_of(home: Path, now: str) -> str:
    """Where a run that was killed had got to."""
    if not (home / "data" / "tracker.db").exists():
        return "start"
    db = sqlite3.connect(home / "data" / "tracker.db")
    if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'digests'").fetchone()[0]:
        return "start"
    if db.execute("SELECT count(*) FROM digests WHERE period_to = ?", (now,)).fetchone()[0]:
        return "digest"
    waiting = dict(db.execute("SELECT stage, count(*) FROM pending GROUP BY stage"))
    if "group" in waiting or "watch" in waiting:
        return "group or watch"
    polled = db.execute("SELECT count(*) FROM polls WHERE at = ?", (now,)).fetchone()[0]
    if "article" in waiting and polled == SOURCES:
        return "read"
    return "poll or tag" if "tag" in waiting or polled < SOURCES else "digest"


class Killer:
    """Kills runs at random moments of the time a run takes; learns that time, which differs with the load of the machine."""

    def __init__(self, seed: int, whole_s: float, earliest: float) -> None:
        self.chance, self.whole_s, self.earliest, self.stages = random.Random(seed), whole_s, earliest, Counter[str]()

    @property
    def kills(self) -> int:
        return self.stages.total()

    def harass(self, home: Path, now: str) -> None:
        """Start and kill runs, until there were enough or one has finished first."""
        for _ in range(KILLS_A_ROUND):
            process = start(home, now)
            time.sleep(self.chance.uniform(self.earliest, 0.95) * self.whole_s)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            if process.returncode != -signal.SIGKILL:
                self.whole_s *= 0.9
                return
            self.whole_s *= 1.02
            self.stages[stage_of(home, now)] += 1


def _late(body: bytes) -> Answer:
    def answer(exchange: Exchange) -> bool:
        time.sleep(random.uniform(0, 0.1))
        return exchange.answer(200, {}, body)

    return answer


@pytest.fixture
def farm(tmp_path: Path, web: Server) -> str:
    """A feeds.toml of sources that all answer."""
    lines = []
    for path, body in (("/news", listing()), ("/mirror.xml", mirror())):  # two hosts, asked at once: either may answer first
        web.answers(path, _late(body))
    lines.append(
        f'[feeds.page]\nkind = "page"\nurl = "{web.url("/news", host="localhost")}"\nlab = "openai"\n'
        'links = "https://lab.example.org/news/"\n'
        f'[feeds.mirror]\nurl = "{web.url("/mirror.xml")}"\nlab = "openai"\nrole = "mirror"\n'
    )
    web.serves("/reports", titles(web.url("/reports/")))
    lines.append(f'[feeds.reports]\nkind = "page"\nurl = "{web.url("/reports")}"\nlab = "anthropic"\nlinks = "/reports/"\n')
    for n in range(ARTICLES):
        web.answers(f"/reports/{n}", _late(article(n)))
    for n in range(SOURCES - 3):
        web.serves(f"/{n}.xml", feed(n), {"ETag": f'"{n}"'})
        lines.append(f'[feeds.s{n}]\nurl = "{web.url(f"/{n}.xml")}"\nlab = "openai"\n')
    lines.append(
        '[watches.statement]\nquestion = "Has OpenAI said anything on agents that improve themselves?"\nby = ["openai"]\n'
        'topics = ["agent-self-improvement", "agent-memory", "agent-products"]\nanswer = ["stated"]\n'
    )
    return "".join(lines)


def test_F74_killed_at_any_moment_the_next_run_completes_the_work(farm: str, tmp_path: Path) -> None:
    calm = tmp_path / "calm"
    calm.mkdir()
    (calm / "feeds.toml").write_text(farm)
    began = time.monotonic()
    finish(calm)
    whole_s, expected = time.monotonic() - began, content(calm)
    assert len(expected["items"]) > SOURCES * ENTRIES * 0.5
    assert sum(title.startswith("An announcement") and len(body) > 200 for _, title, body in expected["texts"]) == POSTS
    assert expected["topics"]
    assert [outcome for _, _, outcome, _ in expected["readings"]] == ["read"] * ARTICLES
    assert len(expected["reasons"]) == len(expected["items"])
    assert not expected["pending"]
    killer, rounds = Killer(20260612, whole_s, 0.15), 0
    while killer.kills < KILLS and rounds < 2 * KILLS:
        rounds += 1
        home = tmp_path / f"round{rounds}"
        home.mkdir()
        (home / "feeds.toml").write_text(farm)
        killer.harass(home, NOW)
        finish(home)
        assert content(home) == expected
        shutil.rmtree(home)
    print(f"{killer.kills} kills {dict(killer.stages)} in {rounds} rounds")
    assert killer.kills >= KILLS
    assert killer.stages["poll or tag"] + killer.stages["read"] >= 5
    assert killer.stages["group or watch"] + killer.stages["digest"] >= 3


# -- with mail --------------------------------------------------------------------------------------


class Sink:
    """A mail server that takes everything, slowly enough to be killed beside."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        mail = message_from_bytes(envelope.content)
        self.mails.append((str(mail["Message-ID"]), str(mail.get_payload(0))))
        time.sleep(0.15)  # between having the mail and saying so
        return "250 OK"


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A running sink; the environment leads to it."""
    handler = Sink()
    with socket.socket() as free:  # aiosmtpd cannot be asked for port 0
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("TRACKER_SMTP_URL", f"smtp+plain://127.0.0.1:{port}")
    yield handler
    controller.stop()


def mailed(home: Path) -> list[tuple[object, ...]]:
    """The outbox and the ledger, by key."""
    db = sqlite3.connect(home / "data" / "tracker.db")
    told = db.execute(
        "SELECT key, section, rung, digests.period_to FROM digest_items JOIN items ON items.id = item JOIN digests ON digests.id = digest"
    )
    kept = db.execute("SELECT name, period_from, period_to, subject, text, message_id, status FROM digests")
    return sorted([*told, *kept], key=repr)


def test_F75_killed_while_mailing_nothing_is_lost_and_a_repeat_has_the_same_message_id(
    farm: str, tmp_path: Path, web: Server, sink: Sink
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "feeds.toml").write_text(farm + '[digests.daily]\nto = ["reader@example.org"]\nsender = "tracker@example.org"\n')
    finish(base)
    for n in range(SOURCES - 3):
        web.serves(f"/{n}.xml", feed(n, first=3), {"ETag": f'"{n}b"'})
    calm = shutil.copytree(base, tmp_path / "calm")
    sink.mails.clear()
    began = time.monotonic()
    finish(calm, NEXT)
    whole_s, expected, ((message_id, letter),) = time.monotonic() - began, mailed(calm), sink.mails
    assert sum(row[-1] == NEXT for row in expected) > 5, "the second day has something to tell"
    undisturbed = content(calm)
    killer, repeated, rounds = Killer(20260613, whole_s, 0.5), 0, 0
    while killer.kills < KILLS and rounds < 2 * KILLS:
        rounds += 1
        home = shutil.copytree(base, tmp_path / f"round{rounds}")
        sink.mails.clear()
        killer.harass(home, NEXT)
        finish(home, NEXT)
        assert mailed(home) == expected
        assert content(home) == undisturbed
        assert set(sink.mails) == {(message_id, letter)}, "one mail, and any repeat of it is the same mail"
        repeated += len(sink.mails) > 1
        shutil.rmtree(home)
    print(f"{killer.kills} kills {dict(killer.stages)}, {repeated} of {rounds} rounds with a repeat under the same Message-ID")
    assert killer.kills >= KILLS
    assert killer.stages["group or watch"] + killer.stages["digest"] >= KILLS // 3
