"""The stage AUTHORS: real pages on loopback, a real database; which papers are asked for, when again, and whose they are then.

arXiv is a server of ours that the environment names as proxy; ``page_of`` gives the same addresses with http for https, and no more.
"""

from __future__ import annotations

import hashlib
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

from tests.servers import Exchange, Server
from tracker import authors as stage
from tracker.authors import ENOUGH, Block
from tracker.cli import cli
from tracker.clock import iso
from tracker.run import Summary, Tracker
from tracker.store import labels, transaction

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
DAY = timedelta(days=1)
TITLE = "Nightshift: a self-improving agent that learns from its own experience"
ON_TOPIC = (
    "We present an agent that improves itself. After each day of work it looks back at its own trajectories, writes new skills from what "
    "went wrong, and updates its own prompts and memory: a self-improving agent that learns from experience, without a person in the loop."
)
NEARLY = "Our agent keeps notes of its tasks in a memory, and in later tasks it reads what it noted, so that it improves with experience."
OFF_TOPIC = "We measure the salinity of twelve lakes over a decade and relate it to rainfall and to the use of fertiliser upstream."


def page(*homes: str, names: tuple[str, ...] = ("Ann Bee", "Cy Dee"), head: str = "", rest: str = "") -> str:
    """A paper as LaTeXML writes it, with these affiliations."""
    people = "".join(f'<span class="ltx_creator ltx_role_author"><span class="ltx_personname">{name}</span></span>' for name in names)
    notes = "".join(f'<span class="ltx_contact ltx_role_affiliation">{home}</span>' for home in homes)
    return (
        f'<!DOCTYPE html><html><head>{head}<title>{TITLE}</title></head><body><article class="ltx_document">'
        f'<div class="ltx_authors">{people}<span class="ltx_author_notes">{notes}</span></div>'
        f'<section class="ltx_section"><h2>Introduction</h2><p>{ON_TOPIC}</p>{rest}</section></article></body></html>'
    )


def address(number: int, version: int = 1) -> str:
    return f"http://arxiv.org/html/2606.{number:05}v{version}"


class Papers:
    """A feed of papers, arXiv, a tracker."""

    def __init__(self, path: Path, web: Server) -> None:
        self.path, self.web, self.now, self.listed, self.elsewhere = path, web, NOW, list[str](), list[str]()
        self.settings, self.labs = "", ""
        self.arxiv("http://arxiv.org/robots.txt", "User-agent: *\nDisallow: /search\n")
        self.gather()  # what is there at first is backlog; from now on there is news

    def arxiv(self, url: str, body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200) -> None:
        self.web.serves(url, body if isinstance(body, bytes) else body.encode(), {"Content-Type": kind}, status)

    def paper(self, number: int, text: str = ON_TOPIC, version: int = 1, title: str = TITLE) -> None:
        link = f"https://arxiv.org/abs/2606.{number:05}v{version}"
        date = "<pubDate>Fri, 12 Jun 2026 04:00:00 GMT</pubDate>"
        who = "<author>Ann Bee, Cy Dee</author>"
        self.listed.append(f"<item><title>{title}</title><link>{link}</link>{who}<description>{text}</description>{date}</item>")

    def tracker(self) -> Tracker:
        tables = []
        for name, entries in (("papers", self.listed), ("hub", self.elsewhere)):
            feed = f'<rss version="2.0"><channel><title>{name}</title>{"".join(entries)}</channel></rss>'
            self.web.serves(f"/{name}", feed.encode())
            tables.append(f'[feeds.{name}]\nurl = "{self.web.url(f"/{name}")}"\nevery = "1h"\norigin = "paper"\n')
        (self.path / "feeds.toml").write_text(f"[tracker]\n{self.settings}\n{''.join(tables)}\n{self.labs}\n", encoding="utf-8")
        return Tracker(self.path / "feeds.toml", self.path / "data" / "tracker.db", now=self.now)

    def gather(self) -> None:
        """Poll and tag; ask for no block."""
        with self.tracker() as tracker:
            list(tracker.poll())
            list(tracker.tag())
        self.now += timedelta(hours=1)

    def ask(self, later: timedelta = DAY) -> list[Block]:
        """The stage alone; the next call is later."""
        with self.tracker() as tracker:
            blocks = list(tracker.authors())
        self.now += later
        return blocks

    def run(self, later: timedelta = DAY) -> Summary:
        with self.tracker() as tracker:
            summary = tracker.run()
        self.now += later
        return summary

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        db = sqlite3.connect(self.path / "data" / "tracker.db")
        try:
            return db.execute(query).fetchall()
        finally:
            db.close()

    def asked(self) -> list[str]:
        return [seen.path for seen in self.web.requests if "/html/" in seen.path]

    def by(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT lab, method, strength, place, evidence FROM item_labs WHERE relation = 'by' ORDER BY lab, method")

    def queue(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT tries, count(*) FROM pending WHERE stage = 'authors' GROUP BY tries ORDER BY tries")

    def told(self, command: str) -> Any:
        """What a command says with --json."""
        where = ["--config", str(self.path / "feeds.toml"), "--db", str(self.path / "data" / "tracker.db")]
        done = CliRunner().invoke(cli, [command, "--json", "--now", self.now.isoformat(), *where])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    def status(self) -> dict[str, Any]:
        figures = self.told("status")["authors"]
        assert isinstance(figures, dict)
        return figures


@pytest.fixture
def papers(tmp_path: Path, web: Server, monkeypatch: pytest.MonkeyPatch) -> Papers:
    real = stage.page_of
    monkeypatch.setattr(stage, "page_of", lambda *args: real(*args).replace("https:", "http:"))
    monkeypatch.setenv("http_proxy", web.url())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TRACKER_ARXIV_DELAY_S", "0")
    return Papers(tmp_path, web)


# -- what is asked for ------------------------------------------------------------------------------


def test_a_block_says_whose_the_paper_is_in_the_same_walk(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page("Anthropic, San Francisco"))
    summary = papers.run()
    assert [(block.key, block.outcome) for block in summary.blocks] == [("arxiv:2606.00001", "read")]
    assert (summary.as_dict()["authors_read"], summary.as_dict()["authors_unread"]) == (1, {})
    assert papers.by() == [("anthropic", "block", "stated", "author block", "Anthropic, San Francisco")]
    ((text, digest),) = papers.rows("SELECT text, sha256 FROM readings WHERE what = 'authors' AND outcome = 'read'")
    assert text == "affiliation: Anthropic, San Francisco"
    assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert papers.rows("SELECT registry FROM item_labs WHERE relation = 'by'") == papers.rows("SELECT registry FROM readings")
    assert papers.rows("SELECT length(registry) > 0 FROM readings") == [(1,)]
    assert papers.rows("SELECT stage FROM pending") == []
    assert papers.run().blocks == (), "it is read once"
    assert papers.asked() == [address(1)]


def test_only_papers_on_a_topic_are_asked_for(papers: Papers) -> None:
    papers.paper(1)
    papers.paper(2, OFF_TOPIC, title="The salinity of lakes")
    papers.listed.append(f"<item><title>{TITLE}</title><link>https://blog.example/1</link><description>{ON_TOPIC}</description></item>")
    papers.gather()
    assert len(papers.rows("SELECT DISTINCT item FROM item_topics WHERE tier <> 'no'")) == 2, "the post is on topic, and no paper"
    assert [block.key for block in papers.ask()] == ["arxiv:2606.00001"]
    assert papers.asked() == [address(1)]


def test_a_label_puts_a_paper_into_the_queue_and_takes_it_out(papers: Papers) -> None:
    papers.paper(1)
    papers.paper(2, OFF_TOPIC, title="The salinity of lakes")
    papers.gather()
    said = {"arxiv:2606.00001": 0, "arxiv:2606.00002": 1}
    topics = [topic for (topic,) in papers.rows("SELECT DISTINCT topic FROM item_topics")]
    with papers.tracker() as tracker, transaction(tracker.db):
        for key, value in said.items():
            for topic in topics:
                labels.add(tracker.db, key, f"topic:{topic}", value, who="ann", picked="browse", now=iso(papers.now))
    papers.gather()  # heard by itself: neither paper waits for tagging
    assert [block.key for block in papers.ask()] == ["arxiv:2606.00002"]


def test_news_comes_before_backlog_then_the_highest_score(papers: Papers) -> None:
    for number, text in enumerate((NEARLY, ON_TOPIC, NEARLY + " We call it a self-improving agent.", ON_TOPIC + " " + OFF_TOPIC), 1):
        papers.paper(number, text, title="Notes" if text.startswith(NEARLY) else TITLE)
    papers.gather()
    query = """SELECT items.key, backlog, max(score) FROM items JOIN item_topics ON item_topics.item = items.id
    JOIN pending ON pending.item = items.id WHERE stage = 'authors' AND tier <> 'no' GROUP BY items.id"""
    with sqlite3.connect(papers.path / "data" / "tracker.db") as db:  # the two best are old by now
        db.execute("UPDATE items SET backlog = 1 WHERE id IN (SELECT item FROM item_topics GROUP BY item ORDER BY max(score) DESC LIMIT 2)")
    waiting = papers.rows(query)
    assert len(waiting) == 4
    assert len({score for _, _, score in waiting}) == 4, "four scores, so that there is an order"
    wanted = [key for key, backlog, score in sorted(waiting, key=lambda row: (row[1], -row[2]))]
    assert [block.key for block in papers.ask()] == wanted


def test_the_page_of_the_version_that_is_known_is_asked_for_once(papers: Papers) -> None:
    papers.paper(1, version=3)
    papers.arxiv(address(1, 3), page("Mistral AI"))
    papers.gather()
    assert papers.ask()[0].ok
    assert papers.asked() == [address(1, 3)]
    assert papers.rows("SELECT version, url FROM readings") == [(3, address(1, 3))]


def test_of_a_huge_page_only_the_beginning_is_read(papers: Papers) -> None:
    sent: list[int] = []

    def huge(exchange: Exchange) -> bool:
        start = page("Anthropic").encode()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 60000000\r\n\r\n" + start)
        sent.append(len(start))
        piece = b"<p>word</p>" * 1_000
        while sum(sent) < 50_000_000:
            exchange.send(piece)
            sent.append(len(piece))
        return False

    papers.paper(1)
    papers.web.answers(address(1), huge)
    papers.gather()
    assert papers.ask()[0].ok
    assert ENOUGH <= sum(sent) < 20_000_000, "beyond ENOUGH only what the buffers of both ends hold"


# -- how many ---------------------------------------------------------------------------------------


def test_the_day_has_an_end_and_status_tells_of_the_rest(papers: Papers) -> None:
    papers.settings = "authors_per_day = 2"
    for number in range(1, 6):
        papers.paper(number)
        papers.arxiv(address(number), page("Anthropic" if number in (2, 4) else "University of the Hills"))
    assert len(papers.run(timedelta(hours=6)).blocks) == 2
    figures, with_lab = papers.status(), len({address(2), address(4)} & set(papers.asked()))
    assert {name: figures[name] for name in ("papers", "read", "with_lab", "unresolved", "waiting", "outcomes")} == {
        "papers": 5, "read": 2, "with_lab": with_lab, "unresolved": 3, "waiting": 3, "outcomes": {"read": 2},
    }  # fmt: skip
    assert len(papers.run(timedelta(hours=18)).blocks) == 0
    assert len(papers.run().blocks) == 2
    assert len(papers.run().blocks) == 1
    assert len(set(papers.asked())) == len(papers.asked()) == 5
    figures = papers.status()
    assert (figures["read"], figures["with_lab"], figures["unresolved"], figures["waiting"]) == (5, 2, 0, 0)


def test_switched_off_none_is_asked_and_the_papers_wait(papers: Papers) -> None:
    papers.paper(1)
    papers.gather()
    assert papers.queue() == [(0, 1)]
    papers.settings = "authors_per_day = 0"
    assert papers.run().blocks == ()
    assert papers.queue() == [(0, 1)]
    assert papers.asked() == []
    assert (papers.status()["papers"], papers.status()["unresolved"]) == (1, 1), "it says so"
    papers.settings = ""
    assert len(papers.run().blocks) == 1


def test_with_nothing_to_ask_nothing_is_imported_asked_or_written(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page("Anthropic"))
    papers.run()
    before = len(papers.web.requests)
    code = f"""import sys
from datetime import datetime
from tracker.run import Tracker
now = datetime.fromisoformat({papers.now.isoformat()!r})
with Tracker({str(papers.path / "feeds.toml")!r}, {str(papers.path / "data" / "tracker.db")!r}, now=now) as t:
    changes = t.db.total_changes
    print(list(t.authors()), t.db.total_changes - changes, [n for n in ("lxml", "feedparser", "numpy") if n in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "[] 0 []\n", done.stdout + done.stderr
    assert len(papers.web.requests) == before


# -- what gives no block ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serve", "outcome"),
    [
        (lambda papers: None, "no page"),
        (lambda papers: papers.arxiv(address(1), page()), "empty"),
        (lambda papers: papers.arxiv(address(1), b"no", status=403), "http_403"),
    ],
    ids=["404", "names alone", "403"],
)
def test_it_is_tried_after_one_three_and_seven_days_then_left_as_unresolved(
    papers: Papers, serve: Callable[[Papers], None], outcome: str
) -> None:
    serve(papers)
    papers.paper(1)
    papers.gather()
    tried = [(day, block.outcome) for day in range(12) for block in papers.ask()]
    assert tried == [(day, outcome) for day in (0, 1, 3, 7)]
    assert papers.queue() == []
    assert papers.rows("SELECT count(*) FROM item_labs WHERE relation = 'by'") == [(0,)]
    papers.run()
    figures = papers.status()
    assert (figures["papers"], figures["read"], figures["unresolved"], figures["old_unresolved"]) == (1, 0, 1, 1)
    assert figures["outcomes"] == {outcome: 1}


def test_what_came_late_is_read_then(papers: Papers) -> None:
    papers.paper(1)
    papers.gather()
    assert papers.ask()[0].outcome == "no page"
    papers.arxiv(address(1), page("Anthropic"))
    assert papers.run().blocks[0].ok
    assert [row[0] for row in papers.by()] == ["anthropic"]
    assert papers.queue() == []


def test_a_team_that_a_page_named_is_not_lost_when_the_next_try_fails(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page(names=("Ann Bee", "Nova Quark")))
    papers.gather()
    assert papers.ask()[0].outcome == "empty"
    before = papers.rows("SELECT text, sha256 FROM readings")
    assert before[0][0] == "name: Nova Quark"
    papers.arxiv(address(1), b"", status=404)
    assert papers.ask()[0].outcome == "no page"
    assert papers.rows("SELECT text, sha256 FROM readings") == before
    assert papers.rows("SELECT outcome FROM readings") == [("no page",)]


def test_a_registry_edited_between_two_tries_resolves_what_the_first_one_found(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page(names=("Ann Bee", "Quark")))
    papers.run()
    assert papers.by() == []
    papers.labs = '[labs.quark]\nname = "Quark"\nkind = "lab"\n'
    papers.arxiv(address(1), b"", status=404)
    assert papers.ask()[0].outcome == "no page", "the stage alone, as `tracker read` walks it: nothing is tagged before"
    papers.run()
    assert [(row[0], row[1]) for row in papers.by()] == [("quark", "author")]


def test_a_page_that_still_holds_no_block_is_not_sent_again(papers: Papers) -> None:
    papers.paper(1)
    papers.web.not_modified(address(1), body=page().encode())
    papers.gather()
    assert [block.outcome for _ in range(8) for block in papers.ask()] == ["empty"] * 4
    asked = [seen.headers.get("if-none-match") for seen in papers.web.hits(address(1))]
    assert asked == [None, '"1"', '"1"', '"1"']


def test_two_answers_too_fast_end_the_day_and_cost_no_try(papers: Papers) -> None:
    for number in range(1, 6):
        papers.paper(number)
        papers.arxiv(address(number), b"slow down", status=429)
    papers.gather()
    assert [block.outcome for block in papers.ask(timedelta(hours=6))] == ["rate_limited"] * 2
    assert papers.ask(timedelta(hours=18)) == []
    assert len(papers.asked()) == 2
    assert papers.queue() == [(0, 5)]
    for number in range(1, 6):
        papers.arxiv(address(number), page("Anthropic"))
    assert [block.outcome for block in papers.ask()] == ["read"] * 5


def test_arxiv_says_how_long_it_wants_to_be_left(papers: Papers) -> None:
    papers.paper(1)
    papers.web.serves(address(1), b"slow down", {"Retry-After": str(3 * 86_400)}, 429)
    papers.gather()
    assert [day for day in range(4) if papers.ask()] == [0, 3]


def test_an_arxiv_that_fails_says_that_we_are_too_fast(papers: Papers) -> None:
    for number in range(1, 6):
        papers.paper(number)
        papers.arxiv(address(number), b"overloaded", status=503)
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["http_503"] * 2
    assert papers.queue() == [(0, 5)]


def test_one_answer_that_says_how_long_to_wait_ends_the_run(papers: Papers) -> None:
    for number in range(1, 4):
        papers.paper(number)
        papers.web.serves(address(number), b"slow down", {"Retry-After": "600"}, 429)
    papers.gather()
    assert len(papers.ask()) == 1


def test_a_site_that_forbids_three_in_a_row_is_asked_no_more(papers: Papers) -> None:
    for number in range(1, 6):
        papers.paper(number)
        papers.arxiv(address(number), b"no", status=403)
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["http_403"] * 3


def test_a_page_that_is_cut_short_is_no_block_and_is_asked_for_again(papers: Papers) -> None:
    papers.paper(1)
    whole = page("Anthropic").encode()
    head = b'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: "1"\r\nContent-Length: 90000\r\n\r\n'
    papers.web.sends(address(1), head + whole)
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["truncated"]
    papers.arxiv(address(1), whole)
    assert [block.outcome for block in papers.ask()] == ["read"]


def test_a_paper_that_comes_back_to_a_topic_is_asked_for_again(papers: Papers) -> None:
    papers.paper(1)
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["no page"]
    topics = [topic for (topic,) in papers.rows("SELECT topic FROM item_topics")]
    for value, waiting in ((0, 0), (1, 1)):
        with papers.tracker() as tracker, transaction(tracker.db):
            for topic in topics:
                labels.add(tracker.db, "arxiv:2606.00001", f"topic:{topic}", value, who="ann", picked="browse", now=iso(papers.now))
        papers.gather()
        assert sum(count for _, count in papers.queue()) == waiting


def test_three_papers_in_a_row_without_an_answer_end_the_run(papers: Papers) -> None:
    for number in range(1, 7):
        papers.paper(number)
        papers.web.fails(address(number), "reset")
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["connection"] * 3
    assert len(set(papers.asked())) == 3
    assert papers.queue() == [(0, 3), (1, 3)]


def test_an_answer_in_between_keeps_the_run_going(papers: Papers) -> None:
    for number in range(1, 7):
        papers.paper(number)
        if number % 3:
            papers.web.fails(address(number), "reset")
    papers.gather()
    assert sorted(block.outcome for block in papers.ask()) == ["connection"] * 4 + ["no page"] * 2


def test_without_a_network_no_paper_is_asked_for_or_loses_a_try(papers: Papers) -> None:
    papers.paper(1)
    papers.gather()
    with papers.tracker() as tracker:
        papers.web.fails("/papers", "reset")
        papers.web.fails("/hub", "reset")
        tracker.now += DAY
        assert tracker.run().nothing_answered
    assert papers.asked() == []
    assert papers.queue() == [(0, 1)]


def test_what_robots_txt_forbids_is_not_asked_for_and_costs_no_try(papers: Papers) -> None:
    papers.arxiv("http://arxiv.org/robots.txt", "User-agent: *\nDisallow: /html\n", "text/plain")
    papers.paper(1)
    papers.paper(2)
    papers.gather()
    assert [block.outcome for block in papers.ask()] == ["disallowed"], "one is enough to know"
    assert papers.asked() == []
    assert papers.queue() == [(0, 2)]


# -- hostile and odd pages --------------------------------------------------------------------------

ODD: dict[str, tuple[bytes, str, str]] = {
    "a block of a megabyte": (page(*(f"Anthropic, house {n}, {'x' * 200}" for n in range(5_000))).encode(), "text/html", "read"),
    "raw LaTeX": (b"\\documentclass{article}\\author{Ann Bee\\thanks{Anthropic}}\\begin{document}\\end{document}", "text/html", "no page"),
    "latin-1": (page("Universit\u00e9 de Gen\u00e8ve").encode("latin-1"), "text/html; charset=iso-8859-1", "read"),
    "utf-16": (page("Universit\u00e9 de Gen\u00e8ve").encode("utf-16"), "text/html; charset=utf-16", "read"),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(range(256)) * 40, "application/pdf", "no page"),
    "JSON": (b'{"error": "not found", "html": "<div>"}', "application/json", "no page"),
    "another page": (b"<html><body><main><p>No HTML for this paper</p></main></body></html>", "text/html", "no page"),
    "nothing": (b"", "text/html", "empty_body"),
    "deep nesting": (b'<html><body class="ltx_page">' + b"<div>" * 40_000, "text/html", "empty"),
}


def test_a_page_of_any_kind_has_its_outcome_and_the_other_papers_go_on(papers: Papers) -> None:
    for number, (body, kind, _) in enumerate(ODD.values(), 1):
        papers.paper(number)
        papers.arxiv(address(number), body, kind)
    papers.paper(50)
    papers.arxiv(address(50), page("Anthropic"))
    papers.gather()
    found = {int(block.key[-5:]): block.outcome for block in papers.ask()}
    assert {name: found[number] for number, name in enumerate(ODD, 1)} == {name: outcome for name, (_, _, outcome) in ODD.items()}
    assert found[50] == "read"
    assert papers.rows("SELECT count(*) FROM readings") == [(len(ODD) + 1,)]
    for text, digest in papers.rows("SELECT text, sha256 FROM readings WHERE text IS NOT NULL"):
        assert len(text.encode()) <= 4_000
        assert digest == hashlib.sha256(text.encode()).hexdigest()
    assert papers.rows("SELECT count(*) FROM readings WHERE text = 'affiliation: Université de Genève'") == [(2,)]


def test_a_bug_in_the_stage_is_an_outcome_of_one_paper(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    real = stage.ParseWorker.parse

    def parse(self: stage.ParseWorker, source: Any, response: Any) -> Any:
        if source.url == address(1):
            raise ZeroDivisionError("division by zero")
        return real(self, source, response)

    monkeypatch.setattr(stage.ParseWorker, "parse", parse)
    for number in (1, 2):
        papers.paper(number)
        papers.arxiv(address(number), page("Anthropic"))
    papers.gather()
    blocks = {block.key: block for block in papers.ask()}
    assert blocks["arxiv:2606.00001"].outcome == "malformed"
    assert blocks["arxiv:2606.00001"].error == "ZeroDivisionError: division by zero"
    assert blocks["arxiv:2606.00002"].ok


# -- what becomes of a block ------------------------------------------------------------------------


def test_an_edited_registry_resolves_the_stored_block_without_a_request(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page("Hillside Institute of Machines"))
    papers.run()
    assert papers.by() == []
    before = papers.asked()
    papers.labs = '[labs.hillside]\nname = "Hillside"\nkind = "lab"\naffiliations = ["Hillside Institute of Machines"]\n'
    papers.run()
    assert papers.by() == [("hillside", "block", "stated", "author block", "Hillside Institute of Machines")]
    assert papers.asked() == before
    papers.labs = ""
    papers.run()
    assert papers.by() == []
    assert papers.asked() == before
    assert papers.rows("SELECT stage FROM pending") == []


def test_an_organisation_of_hugging_face_that_comes_later_tags_the_paper_anew(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page("University of the Hills"))
    papers.run()
    assert papers.by() == []
    papers.elsewhere.append(
        f"<item><title>{TITLE}</title><link>https://huggingface.co/papers/2606.00001</link>"
        '<description>&lt;a href="https://huggingface.co/mistralai"&gt;sent in by&lt;/a&gt;</description></item>'
    )
    papers.run()
    assert [(row[0], row[1], row[3]) for row in papers.by()] == [("mistral", "hf", "links")]
    assert papers.asked() == [address(1)]


def test_the_command_tells_what_was_read_and_what_was_not(papers: Papers) -> None:
    papers.paper(1)
    papers.arxiv(address(1), page("Anthropic"))
    papers.paper(2)
    papers.gather()
    told = papers.told("read")
    assert {fact["key"]: fact["outcome"] for fact in told} == {"arxiv:2606.00001": "read", "arxiv:2606.00002": "no page"}
