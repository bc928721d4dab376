"""Faults of arXiv's API, with its announcement feed beside it; and of the other interfaces that answer in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest

from tests.faults.conftest import FIRST, Faults
from tests.servers import Exchange
from tracker import store
from tracker.clock import iso
from tracker.pollers import arxiv, hn
from tracker.store import stories

HEAD = """<?xml version='1.0' encoding='UTF-8'?><feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"
 xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom"><id>https://arxiv.org/api/invented</id>"""
ERROR = f"""{HEAD}<opensearch:totalResults>1</opensearch:totalResults><entry><id>http://arxiv.org/api/errors#bad</id><title>Error</title>
<summary>bad query</summary><updated>2026-06-12T00:00:00Z</updated><link href="http://arxiv.org/api/errors#bad" rel="alternate"/>
<author><name>arXiv api core</name></author></entry></feed>"""


@dataclass(frozen=True)
class Paper:
    """A paper as arXiv tells it; ``hours`` before the first poll it was submitted, ``revised`` hours before it was changed."""

    number: str
    hours: float = 20
    version: int = 1
    revised: float | None = None
    title: str = "A paper"
    authors: Sequence[str] = ("Ann Example",)
    summary: str = "Agents that learn."

    @property
    def submitted(self) -> str:
        return iso(FIRST - timedelta(hours=self.hours))

    @property
    def changed(self) -> str:
        return iso(FIRST - timedelta(hours=self.hours if self.revised is None else self.revised))

    def atom(self) -> str:
        authors = "".join(f"<author><name>{escape(name)}</name></author>" for name in self.authors)
        where = f"arxiv.org/abs/{self.number}v{self.version}"
        return (
            f"<entry><id>http://{where}</id><title>{escape(self.title)}</title><updated>{self.changed}</updated>"
            f'<link href="https://{where}" rel="alternate"/><summary>{escape(self.summary)}</summary><category term="cs.AI"/>'
            f"<published>{self.submitted}</published>{authors}</entry>"
        )

    def rss(self) -> str:
        return (
            f"<item><title>{escape(self.title)}</title><link>https://arxiv.org/abs/{self.number}</link><description>arXiv:{self.number}v"
            f"{self.version} Announce Type: new \nAbstract: {escape(self.summary)}</description>"
            f'<guid isPermaLink="false">oai:arXiv.org:{self.number}v{self.version}</guid><pubDate>Fri, 12 Jun 2026 00:00:00 -0400</pubDate>'
            f"<dc:creator>{escape(', '.join(self.authors))}</dc:creator></item>"
        )


class Api:
    """arXiv's API at /api/query, its announcements at /rss: ``papers`` is what it has, ``says`` how many it says there are, if it lies."""

    def __init__(self, polled: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
        self.polled, self.papers, self.announced = polled, list[Paper](), list[Paper]()
        self.gives, self.says = 10**6, 0
        monkeypatch.setattr(arxiv, "API", polled.url("/api/query"))
        polled.add("api", kind="arxiv", query="cat:cs.AI OR cat:cs.CL", first="3d")
        self.works()

    def works(self) -> None:
        self.gives, self.says = 10**6, 0
        self.polled.web.answers("/api/query", self._answer)

    def announces(self) -> None:
        self.polled.add("announcements", url=self.polled.url("/rss"), origin="paper")
        self.polled.web.answers("/rss", self._mailing)

    @property
    def asked(self) -> int:
        return sum(seen.path.startswith("/api/query") for seen in self.polled.web.requests)

    def _answer(self, exchange: Exchange) -> bool:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(exchange.seen.path).query).items()}
        dates = re.search(r"submittedDate:\[(\d{12}) TO (\d{12})\]", asked["search_query"])
        low, high = dates.groups() if dates else ("0", "9")
        fit = [paper for paper in self.papers if low <= re.sub(r"\D", "", paper.submitted)[:12] <= high]
        fit.sort(key=lambda paper: paper.submitted if asked["sortBy"] == "submittedDate" else paper.changed, reverse=True)
        start = int(asked["start"])
        page = fit[start : start + min(int(asked["max_results"]), self.gives)]
        total = f"<opensearch:totalResults>{self.says or len(fit)}</opensearch:totalResults>"
        body = f"{HEAD}{total}{''.join(paper.atom() for paper in page)}</feed>"
        return exchange.answer(200, {"Content-Type": "application/atom+xml"}, body.encode())

    def _mailing(self, exchange: Exchange) -> bool:
        items = "".join(paper.rss() for paper in self.announced)
        body = f'<rss xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0"><channel><title>x</title>{items}</channel></rss>'
        return exchange.answer(200, {"Content-Type": "text/xml"}, body.encode())


@pytest.fixture
def api(polled: Faults, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(polled, monkeypatch)


def rows(polled: Faults, sql: str) -> list[tuple[Any, ...]]:
    db = store.open(polled.path)
    try:
        return [tuple(row) for row in db.execute(sql)]
    finally:
        db.close()


PAPERS = [Paper("2606.00001", 20), Paper("2606.00002", 30), Paper("2606.00003", 40)]
NUMBERS = [f"arxiv:{paper.number}" for paper in PAPERS]


# -- F61 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["api", "announcements"])
@pytest.mark.parametrize("second", ["api", "announcements"])
def test_F61_a_second_version_is_the_same_item(api: Api, polled: Faults, first: str, second: str) -> None:
    """arXiv v1, then v2, by the API or by the announcements → one item with a new version; its label, tags and mails stay"""
    paper = Paper("2606.00001", 20)
    api.announces()
    (api.papers if first == "api" else api.announced).append(paper)
    (item,) = polled.poll(first).items
    assert item["version"] == 1
    _told_of(polled, item["id"])
    later = replace(paper, version=2, revised=-2, title="A better paper")
    if first != second:
        (api.papers if second == "api" else api.announced).append(later)
    else:
        api.papers, api.announced = ([later], []) if second == "api" else ([], [later])
    (again,) = polled.poll(second).items
    assert (again["id"], again["key"], again["first_seen_at"]) == (item["id"], "arxiv:2606.00001", item["first_seen_at"])
    assert rows(polled, "SELECT count(*) FROM items WHERE key LIKE 'arxiv:%'") == [(1,)]
    assert rows(polled, "SELECT (SELECT count(*) FROM item_topics), (SELECT count(*) FROM digest_items)") == [(1, 1)]
    if (first, second) != ("api", "announcements"):  # what arXiv's API told is not overwritten by its mailing: the API tells it next
        assert (again["version"], again["title"]) == (2, "A better paper")
        assert rows(polled, "SELECT what, old FROM revisions WHERE what = 'version'") == [("version", "1")]


def _told_of(polled: Faults, item: int) -> None:
    """The item is on a topic and was mailed."""
    db = store.open(polled.path, write=True)
    with store.transaction(db):
        db.execute("INSERT INTO topics(id, title, description) VALUES ('t', 'T', '')")
        db.execute(
            "INSERT INTO item_topics(item, topic, score, tier, evidence, model) VALUES (?, 't', 0.9, 'confident', '[]', 'm')", [item]
        )
        db.execute(
            """INSERT INTO digests(id, name, period_from, period_to, created_at, subject, text, html, message_id, status)
            VALUES (1, 'daily', '2026-06-11T00:00:00Z', '2026-06-12T00:00:00Z', '2026-06-12T00:00:00Z', 's', 't', 'h', '<1@x>', 'sent')"""
        )
        story = stories.join(db, item, None, 1.0, "first", iso(FIRST))
        stories.retell(db, [item])
        db.execute("INSERT INTO digest_items(digest, item, story, section, position) VALUES (1, ?, ?, 's', 1)", (item, story))
    db.close()


# -- F69 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "name", "sentence"),
    [
        pytest.param(200, ERROR, "api_error", "bad query", id="an entry that is an error"),
        pytest.param(400, ERROR, "http_400", "HTTP 400", id="an entry that is an error, with its status"),
        pytest.param(200, "Rate exceeded.", "rate_limited", "rate is exceeded", id="two words"),
        pytest.param(429, "Rate exceeded.", "rate_limited", "too often", id="two words, with their status"),
        pytest.param(503, "<html><h1>503 Service Unavailable</h1></html>", "http_503", "HTTP 503", id="HTML and 503"),
        pytest.param(200, "<html><h1>503 Service Unavailable</h1></html>", "not_a_feed", "list of papers", id="HTML and 200"),
    ],
)
def test_F69_a_refusal_is_no_paper(api: Api, polled: Faults, status: int, body: str, name: str, sentence: str) -> None:
    """arXiv refuses: an error entry, "Rate exceeded.", HTML with 503 → api_error, rate_limited, http_503; no paper called "Error\""""
    api.papers = PAPERS[1:]
    assert polled.poll("api").outcome == "new"
    polled.web.serves("/api/query", body.encode(), {"Content-Type": "application/atom+xml"}, status)
    refused = polled.poll("api")
    assert refused.error == name
    assert sentence in refused.sentence
    assert refused.row["cursor"] == PAPERS[1].changed
    assert sorted(item["key"] for item in refused.items) == NUMBERS[1:]
    api.works()
    api.papers = PAPERS
    assert sorted(item["key"] for item in polled.poll("api").items) == NUMBERS


@pytest.mark.parametrize("name", ["api_error", "rate_limited", "http_500", "incomplete_results"])
def test_F69_the_announcements_bring_the_papers_meanwhile(api: Api, polled: Faults, name: str) -> None:
    """arXiv's API fails for days → its announcement feed brings each day's papers; later the API brings the rest, each paper once"""
    api.announces()
    days = [[Paper(f"2606.{day:02}{n:03}", 20 - 24 * day) for n in range(4)] for day in range(4)]
    for day, papers in enumerate(days):
        api.papers += papers
        # A day's mailing holds that day alone, without what moderation held back; none comes on the third day.
        api.announced = [] if day == 2 else papers[1:]
        if name == "incomplete_results":
            api.gives = 10**6 if day == 0 else 0
        elif day:
            body, status = {"api_error": (ERROR, 200), "rate_limited": ("Rate exceeded.", 200), "http_500": ("sorry", 500)}[name]
            polled.web.serves("/api/query", body.encode(), {}, status)
        answer = polled.poll("api")
        assert answer.error == ("" if day == 0 else name)
    seen = {key for (key,) in rows(polled, "SELECT key FROM items WHERE key LIKE 'arxiv:%'")}
    assert seen == {f"arxiv:{p.number}" for p in [*days[0], *days[1][1:], *days[3][1:]]}
    api.works()
    polled.poll("api")
    found = rows(polled, "SELECT key, (SELECT count(*) FROM sightings WHERE item = items.id), source FROM items WHERE key LIKE 'arxiv:%'")
    assert {key for key, _, _ in found} == {f"arxiv:{paper.number}" for papers in days for paper in papers}
    assert len(found) == 16
    assert {source for _, _, source in found} == {"api"}, "arXiv's own answer has the say"
    assert sum(count == 2 for _, count, _ in found) == 9


# -- F70 -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gives", "says"), [(0, 0), (2, 0), (10, 4_711)], ids=["an empty page", "a short page", "a total that is not true"]
)
def test_F70_fewer_papers_than_there_are_is_no_fact(api: Api, polled: Faults, gives: int, says: int) -> None:
    """An empty or short page though totalResults > 0 → asked for again at once, then incomplete_results; what came is kept, all come"""
    api.papers, api.gives, api.says = PAPERS, gives, says
    short = polled.poll("api")
    assert short.error == "incomplete_results"
    assert api.asked == 2
    assert short.row["cursor"] is None
    assert short.row["body_hash"] is None
    assert sorted(item["key"] for item in short.items) == NUMBERS[:gives]
    api.works()
    whole = polled.poll("api")
    assert whole.error == ""
    assert sorted(item["key"] for item in whole.items) == NUMBERS
    assert whole.row["cursor"] == PAPERS[0].changed


def test_F70_a_page_that_is_short_once_is_no_failure(api: Api, polled: Faults) -> None:
    """A page without papers, whole when it is asked for again → the papers, no error"""
    api.papers, api.gives = PAPERS, 0
    usual = api._answer

    def better_next_time(exchange: Exchange) -> bool:
        kept = usual(exchange)
        api.gives = 10
        return kept

    polled.web.answers("/api/query", better_next_time)
    answer = polled.poll("api")
    assert (answer.error, answer.outcome) == ("", "new")
    assert sorted(item["key"] for item in answer.items) == NUMBERS


def test_F70_a_long_walk_that_breaks_off_goes_on_where_it_stopped(api: Api, polled: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """arXiv stops in the middle of a first poll over months → incomplete_results; the next poll goes on there, no paper is left out"""
    monkeypatch.setattr(arxiv, "PAGE_SIZE", 20)
    polled.add("api", kind="arxiv", query="cat:cs.AI OR cat:cs.CL", first="90d")
    api.papers = [Paper(f"2606.{n:05}", 20 + 12 * n) for n in range(170)]
    usual = api._answer

    def breaks_off(exchange: Exchange) -> bool:
        if api.asked > 5:
            api.gives = 0
        return usual(exchange)

    polled.web.answers("/api/query", breaks_off)
    broken = polled.poll("api", later=timedelta(hours=6))
    assert broken.error == "incomplete_results"
    assert len(broken.items) == 97  # two pages by change and three of the past, which share a paper each with the one before
    asked = api.asked
    api.works()
    whole = polled.poll("api")
    assert (whole.error, len(whole.items)) == ("", 170)
    assert api.asked - asked == 5, "one page for what is new, four for the rest"
    assert whole.row["cursor"] == api.papers[0].changed


# -- F71 -------------------------------------------------------------------------------------------------


def test_F71_formulae_line_breaks_and_old_numbers_are_kept_readable(api: Api, polled: Faults) -> None:
    """Title with line breaks and LaTeX, 3,000 authors, an old number, a v12 → one clean line, formulae intact, one item each"""
    crowd = [f"Author {n}" for n in range(3_000)]
    api.papers = [
        Paper("2606.00001", 20, title="On $a<b$ and $\\alpha_{i}\n   > \\beta$:\r\n  a study", summary="If $x<y$ then\n$y>x$ & so on."),
        Paper("2606.00002", 21, title="Crowd", authors=crowd),
        Paper("hep-th/9901001", 22, title="Old", version=12),
        Paper("math.GT/0309136", 23, title="Older"),
    ]
    items = {item["title"]: item for item in polled.poll("api").items}
    study = items["On $a<b$ and $\\alpha_{i} > \\beta$: a study"]
    assert study["body"] == "If $x<y$ then $y>x$ & so on."
    assert items["Crowd"]["authors"].split("; ") == crowd
    assert (items["Old"]["key"], items["Old"]["version"], items["Old"]["url"]) == (
        "arxiv:hep-th/9901001",
        12,
        "https://arxiv.org/abs/hep-th/9901001",
    )
    assert items["Older"]["key"] == "arxiv:math/0309136"
    assert len(items) == 4


# -- F68: the interfaces that answer in JSON ---------------------------------------------------------------

PAPER = {"paper": {"id": "2606.00001", "title": "A good paper", "submittedOnDailyAt": "2026-06-12T00:00:00.000Z", "upvotes": 7}}
STORY = {"objectID": "1", "title": "A good story", "url": "https://lab.example/1", "created_at_i": int(FIRST.timestamp()) - 3600}
ODD: list[Any] = [None, 7, "x", [], {}, {"paper": [1]}, {"paper": {"id": None}}, {"objectID": 5, "title": ["x"]}, {"title": None}, [[[]]]]


def answer_of(kind: str, good: list[Any]) -> bytes:
    value = [*ODD, *good] if kind == "hf_papers" else {"hits": [*ODD, *good], "nbHits": len(ODD) + len(good)}
    return json.dumps(value).replace(" 7,", " NaN, 1e999, " + "9" * 5_000 + ", ").encode()


@pytest.fixture(params=["hf_papers", "hn"])
def json_source(request: pytest.FixtureRequest, polled: Faults, monkeypatch: pytest.MonkeyPatch) -> str:
    """A source of each kind at /api."""
    monkeypatch.setattr(hn, "API", polled.url("/api"))
    polled.add("bad", kind=request.param, **({"url": polled.url("/api")} if request.param == "hf_papers" else {"query": ["x"]}))
    return str(request.param)


def test_F68_good_entries_of_an_interface_are_kept_beside_bad_ones(polled: Faults, json_source: str) -> None:
    """JSON of Hugging Face or Hacker News with wrong types, null, NaN, endless numbers, half characters → the good entries"""
    good = PAPER if json_source == "hf_papers" else STORY
    half = json.loads(json.dumps(good).replace("00001", "00002").replace('"1"', '"2"').replace("/1", "/2"))
    (half["paper"] if json_source == "hf_papers" else half)["title"] = "Half a \ud83d character"
    polled.web.serves("/api", answer_of(json_source, [good, half]), {"Content-Type": "application/json"})
    answer = polled.poll()
    assert answer.error == ""
    assert sorted(answer.titles) == [f"A good {'paper' if json_source == 'hf_papers' else 'story'}", "Half a character"]
    again = polled.poll(later=timedelta(0))
    assert (again.outcome, len(again.items)) == ("unchanged", 2)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        pytest.param(b'{"error": "no", "message": "no"}', "api_error", id="a refusal"),
        pytest.param(b"[" * 200_000, "too_deep", id="lists without end"),
        pytest.param(b'{"hits":' * 50_000, "too_deep", id="objects without end"),
        pytest.param(b"<html>503</html>", "not_a_feed", id="HTML"),
        pytest.param(b'{"a": 1}', "not_a_feed", id="other JSON"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "not_a_feed", id="a picture"),
        pytest.param(b'[{"paper": {"id": "2606.00001", "ti', "malformed", id="half of it"),
    ],
)
def test_F68_what_is_no_answer_of_an_interface_is_named(polled: Faults, json_source: str, body: bytes, name: str) -> None:
    """Refusals, HTML, half an answer, a nesting without end instead of JSON → api_error, not_a_feed, malformed, too_deep; items stay"""
    good = [PAPER] if json_source == "hf_papers" else [STORY]
    polled.web.serves("/api", answer_of(json_source, good), {"Content-Type": "application/json"})
    before = polled.poll()
    polled.web.serves("/api", body, {"Content-Type": "application/json"})
    answer = polled.poll()
    assert answer.error == name
    assert answer.titles == before.titles
    assert (answer.row["cursor"], answer.row["body_hash"]) == (before.row["cursor"], before.row["body_hash"])


def test_F68_half_an_answer_of_an_interface_is_truncated(polled: Faults, json_source: str) -> None:
    """An answer in JSON that is cut on the wire → truncated; nothing is vouched for"""
    body = b'{"hits": [' if json_source == "hn" else b"[{"
    polled.web.sends("/api", b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: "1"\r\nContent-Length: 900\r\n\r\n' + body)
    answer = polled.poll()
    assert answer.error == "truncated"
    assert (answer.row["etag"], answer.row["body_hash"]) == (None, None)
