"""Hacker News: what is read of an answer, how far back a poll asks, and who has the say on a story's title."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_feed import told, tried
from tracker.clock import iso
from tracker.config import load
from tracker.errors import NAMES, ConfigError, ParseError, SourceError
from tracker.pollers import Parsed, hn
from tracker.pollers.answer import gist
from tracker.store import items, sources, transaction
from tracker.tag import tag
from tracker.types import Entry, Page, Request, Response, Source, State

DATA = Path(__file__).parent / "data" / "hn"
NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)


def source_of(*queries: str) -> Source:
    asked = [("tags", "story"), ("numericFilters", "points>=20"), *(("query", query) for query in queries)]
    return Source("stories", "hn", f"{hn.API}?{urlencode(asked)}", "Stories", origin="community")


def read(body: bytes) -> Parsed:
    return hn.read(body, source_of("x"), hn.API, None)


@pytest.mark.parametrize("expected", sorted(DATA.glob("*.json")), ids=lambda path: path.stem)
def test_golden_pairs(expected: Path) -> None:
    assert told(read(expected.with_suffix(".answer").read_bytes())) == json.loads(expected.read_text(encoding="utf-8"))


@pytest.mark.parametrize("letters", [b"a", b"\\\\a", b"\xc3\xa9"], ids=["letters", "escapes", "UTF-8"])
def test_f46_a_text_that_never_ends_costs_little_memory(letters: bytes) -> None:
    code = 'import resource, sys; from tracker.pollers.answer import gist; body = b\'[{"title": "\' + sys.argv[1].encode() * 4_000_000; '
    code += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; gist([body], 'title|id'); "
    code += "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    told = subprocess.run([sys.executable, "-c", code, letters.decode()], capture_output=True, text=True, check=True, timeout=60)
    assert int(told.stdout) < 50_000  # kB; it was 140 bytes a letter


def test_the_gist_of_an_answer_is_its_kept_values() -> None:
    body = b'{"title": "A \\"q\\" b\\\\", "points": 3, "id": 7}'
    assert gist([body], "title|id") == gist([body.replace(b"3", b"4")], "title|id")
    assert len({gist([told], "title|id") for told in (body, body.replace(b"b", b"c"), body.replace(b"7", b"8"))}) == 3


@pytest.mark.parametrize(
    ("body", "name", "sentence"),
    [
        pytest.param(b'{"message":"invalid\\nparameter","status":400}', "api_error", "invalid parameter", id="a refusal"),
        pytest.param(b'{"hits": {"a": 1}}', "not_a_feed", "not a list of stories", id="hits that are no list"),
        pytest.param(b"[]", "not_a_feed", "not a list of stories", id="a list"),
        pytest.param(b"<html></html>", "not_a_feed", "JSON", id="an HTML page"),
        pytest.param(b'{"hits": [{}, 1, null], "nbHits": 3}', "malformed", "lists 3 stories of which none", id="nothing of it is a story"),
        pytest.param(b'{"hits": [', "malformed", "Expecting", id="half a document"),
        pytest.param(b'{"hits":' + b"[" * 100_000, "too_deep", "nested", id="deep lists"),
    ],
)
def test_what_is_no_list_of_stories_is_named(body: bytes, name: str, sentence: str) -> None:
    with pytest.raises(ParseError) as failure:
        read(body)
    assert failure.value.name == name
    assert sentence in str(failure.value)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.sampled_from(["123", "https://lab.example/a"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["hits", "nbHits", "objectID", "title", "url", "created_at_i", "story_text"]), inner)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(st.binary() | values.map(lambda v: json.dumps(v).encode()) | st.lists(values).map(lambda v: json.dumps({"hits": v}).encode()))
def test_any_bytes_are_stories_or_a_parse_error(body: bytes) -> None:
    came = tried(read, body)
    if isinstance(came, ParseError):
        assert came.name in NAMES
    else:
        assert len(came.entries) == len(came.changed) <= (came.total or 0)
        json.dumps([asdict(entry) for entry in came.entries], ensure_ascii=False).encode()


# -- what is asked for ---------------------------------------------------------------------------------------


class Site:
    """Stories of each query, one an hour before the other, the newest at 5 o'clock; ``says`` how many there are, if it lies."""

    def __init__(self, says: int | None = None, **stories: int) -> None:
        self.stories, self.says, self.asked = stories, says, list[str]()

    def get(self, request: Request) -> Response:
        self.asked.append(request.url)
        asked = {name: value[0] for name, value in parse_qs(urlsplit(request.url).query).items()}
        tests = dict(re.findall(r"(created_at_i[<>]=|points>=)(\d+)", asked["numericFilters"]))
        assert (asked["tags"], tests.pop("points>=")) == ("story", "20")
        low, high = int(tests.get("created_at_i>=", 0)), int(tests.get("created_at_i<=", 1 << 40))
        fit = [self.hit(asked["query"], n) for n in range(self.stories[asked["query"]])]
        fit = [hit for hit in fit if low <= int(str(hit["created_at_i"])) <= high]
        body = {"hits": fit[: int(asked["hitsPerPage"])], "nbHits": self.says or len(fit), "params": request.url}
        return Response(request.url, 200, {}, json.dumps(body).encode())

    def hit(self, query: str, number: int) -> dict[str, object]:
        created = NOW - timedelta(hours=number + 1)
        identifier = str(len(query) * 10**6 + number)
        return {
            "objectID": identifier,
            "title": f"{query} {number}",
            "created_at_i": int(created.timestamp()),
            "points": 20 + len(self.asked),
        }

    def poll(self, state: State) -> list[Page]:
        return list(hn.poll(source_of(*self.stories), state, self.get, lambda response: read(response.body)))


def titles(pages: list[Page]) -> list[str]:
    return [entry.title for page in pages for entry in page.entries or ()]


WEEK = State(since="2026-06-05T06:00:00Z")


def test_a_quiet_week_costs_one_request_a_query() -> None:
    site = Site(agent=30, memory=0)
    pages = site.poll(WEEK)
    assert titles(pages) == [f"agent {n}" for n in range(30)]
    assert len(site.asked) == 2
    assert [(page.last, page.cursor) for page in pages] == [(False, None), (True, "2026-06-12T05:00:00Z")]


def test_more_stories_than_a_page_are_asked_for_up_to_the_oldest_that_came() -> None:
    site = Site(agent=150)
    assert set(titles(site.poll(WEEK))) == {f"agent {n}" for n in range(150)}
    assert len(site.asked) == 2


def test_every_poll_reads_the_last_week_again_since_stories_gather_points() -> None:
    assert len(titles(Site(agent=400).poll(State(cursor="2026-06-12T05:00:00Z", since=WEEK.since)))) >= 174


def test_a_month_without_a_run_is_read_back_to_the_newest_story_known() -> None:
    site = Site(agent=1200)
    assert set(titles(site.poll(State(cursor="2026-05-12T05:00:00Z", since=WEEK.since)))) >= {f"agent {n}" for n in range(744)}


def test_a_story_of_the_future_does_not_hide_the_present() -> None:
    assert titles(Site(agent=3).poll(State(cursor="2099-01-01T00:00:00Z", since=WEEK.since))) == ["agent 0", "agent 1", "agent 2"]


def test_a_backfill_reads_as_far_back_as_it_is_told() -> None:
    pages = Site(agent=1200).poll(State(cursor="2026-06-12T05:00:00Z", since="2026-05-01T00:00:00Z", backfill=True, body_hash="x"))
    assert set(titles(pages)) == {f"agent {n}" for n in range(1014)}
    assert pages[-1].cursor == "2026-06-12T05:00:00Z"


def test_what_says_the_same_but_for_votes_is_unchanged() -> None:
    site = Site(agent=3, memory=2)
    before = site.poll(WEEK)[-1]
    (page,) = site.poll(State(since=WEEK.since, cursor=before.cursor, body_hash=before.body_hash))
    assert (page.entries, page.body_hash) == (None, before.body_hash)
    site.stories["memory"] = 3
    assert len(titles(site.poll(State(since=WEEK.since, cursor=before.cursor, body_hash=before.body_hash)))) == 6


@pytest.mark.parametrize("stories", [0, 3])
def test_fewer_stories_than_said_are_stored_and_named(stories: int) -> None:
    pages = list[Page]()
    with pytest.raises(SourceError, match=r"^incomplete_results: "):
        pages.extend(hn.poll(source_of("agent"), WEEK, Site(says=9, agent=stories).get, lambda response: read(response.body)))
    assert len(set(titles(pages))) == stories
    assert not [page for page in pages if page.last or page.cursor]


def test_half_an_answer_is_none() -> None:
    cut = Response(hn.API, 200, {}, b'{"hits": [', truncated=True)
    with pytest.raises(SourceError, match=r"^truncated: "):
        list(hn.poll(source_of("agent"), WEEK, lambda _: cut, lambda response: read(response.body)))


# -- feeds.toml ----------------------------------------------------------------------------------------------


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Source]:
    def source(keys: str) -> Source:
        (tmp_path / "feeds.toml").write_text(f'[feeds.stories]\nkind = "hn"\n{keys}\n', encoding="utf-8")
        return load(tmp_path / "feeds.toml").source("stories")

    return source


def test_queries_and_points_make_the_address(configured: Callable[[str], Source]) -> None:
    source = configured('query = ["self-improving agent", "a&b"]\npoints = 50')
    assert source.origin == "community"
    assert parse_qs(urlsplit(source.url).query) == {
        "tags": ["story"], "numericFilters": ["points>=50"], "query": ["self-improving agent", "a&b"],
    }  # fmt: skip
    assert "points%3E%3D20" in configured('query = ["x"]').url
    assert source.options["first_s"] == 7 * 86_400


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("", "has no query"),
        ("query = []", "has no query"),
        ('query = "agent"', "query must be a list"),
        ('query = [""]', "query must be a list of texts"),
        ('query = ["x"]\nurl = "https://hn.algolia.com/"', "remove url"),
        ('query = ["x"]\npoints = -1', "points must be a whole number"),
        ('query = ["x"]\npoints = nan', "points must be a whole number"),
        ('query = ["x"]\npoints = "many"', "points must be a number"),
    ],
)
def test_a_wrong_key_is_named(configured: Callable[[str], Source], keys: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        configured(keys)


# -- in the store: who has the say ---------------------------------------------------------------------------

POST = "https://lab.example/learns"
OTHERS = {
    "the lab's own feed": Source("lab", "feed", "https://lab.example/rss", "Lab", lab="example"),
    "a newspaper": Source("press", "feed", "https://press.example/rss", "Press"),
    "a mirror of the lab": Source("mirror", "feed", "https://mirror.example/rss", "Mirror", lab="example", role="mirror"),
}


def saved(db: sqlite3.Connection, *found: tuple[Source, Entry]) -> sqlite3.Row:
    with transaction(db):
        sources.sync(db, [source for source, _ in found], iso(NOW))
        for source, entry in found:
            items.save(db, source, [entry], now=iso(NOW), first=False, old_before=None)
    (row,) = db.execute("SELECT * FROM items").fetchall()
    assert db.execute("SELECT count(*) FROM sightings").fetchone()[0] == len({source.id for source, _ in found})
    return row


@pytest.mark.parametrize("whose", OTHERS)
@pytest.mark.parametrize("first", ["the post", "the link to it"])
def test_a_link_post_is_a_sighting_and_never_has_the_say(db: sqlite3.Connection, whose: str, first: str) -> None:
    post = (OTHERS[whose], Entry("Agents that learn", POST, published_at="2026-06-10T08:00:00Z", text="It is so."))
    (link,) = read(json.dumps({"hits": [Site().hit("Lab quietly ships learning", 1) | {"url": f"{POST}/?utm_source=hn"}]}).encode()).entries
    row = saved(db, *([post, (source_of("x"), link)] if first == "the post" else [(source_of("x"), link), post]))
    assert (row["title"], row["published_at"], row["source"]) == ("Agents that learn", "2026-06-10T08:00:00Z", OTHERS[whose].id)
    assert [tuple(key) for key in db.execute("SELECT key FROM links")] == [(link.links[0],)], "its discussion stays within reach"


def test_what_a_link_post_says_that_a_lab_does_is_not_said_by_the_lab(db: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text('[feeds.x]\nkind = "hn"\nquery = ["agent"]\n', encoding="utf-8")
    story = Site().hit("OpenAI quietly launches agents that learn", 1) | {"url": "https://openai.com/index/agents"}
    (link,) = read(json.dumps({"hits": [story]}).encode()).entries
    saved(db, (replace(source_of("x"), origin="community"), link))
    list(tag(db, load(tmp_path / "feeds.toml"), now=NOW))
    assert db.execute("SELECT origin, act, act_cue FROM items").fetchone()[:] == ("official", "result", "a post of the lab")


def test_a_link_to_a_paper_is_a_sighting_of_the_paper(db: sqlite3.Connection) -> None:
    api = Source("api", "arxiv", "https://export.arxiv.org/api/query?search_query=x", "API", origin="paper")
    paper = Entry(
        "A paper",
        "https://arxiv.org/abs/2606.01234",
        None,
        "Abstract.",
        ("Ann",),
        "2026-06-09T08:00:00Z",
        own_key="arxiv:2606.01234",
        version=1,
    )
    (link,) = read(json.dumps({"hits": [Site().hit("They did it", 1) | {"url": "https://arxiv.org/pdf/2606.01234v1"}]}).encode()).entries
    row = saved(db, (source_of("x"), link), (api, paper))
    assert (row["key"], row["title"], row["published_at"]) == ("arxiv:2606.01234", "A paper", "2026-06-09T08:00:00Z")
