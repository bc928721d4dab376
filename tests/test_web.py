"""The window: our front page, Datasette's pages with our settings, the request policy; all of it beside a writer."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tracker import store
from tracker.errors import StoreError, TrackerError
from tracker.store import items, runs, schema, sources, tags
from tracker.types import Attribution, Entry, Lab, Source, Tag, Topic
from tracker.web import MAX_VALUE_BYTES, front, policy, queries, serve
from tracker.web.metadata import QUERIES, metadata
from tracker.web.words import day_name, moment, time_of, until

NOW = "2026-06-12T06:10:00Z"
PRESENT = datetime(2026, 6, 12, 8, 0, tzinfo=UTC)
SCRIPT = "<script>alert(1)</script>"
HOSTILE = [SCRIPT, "'\"><img src=x onerror=alert(1)>", "\x00", "%", "' OR 1=1 --", "💥" * 200, "a" * 5000, "../../etc", "-1"]
ODD_WORDS = """self-improvement C++ @x " "" ' "open NOT NEAR( * ^a title:x - ( {x} + \\ ünïcode💥""".split()
ODD_TEXTS = [*ODD_WORDS, "a AND", "", " ", "\x00", "a\x00b", "agents  learn", "a" * 3000]

_TOPICS = [Topic("memory", "Agent memory", "What agents keep."), Topic("drift", "Alignment drift", "What slides.")]
_LABS = [
    Lab("openai", "OpenAI", "frontier"),
    Lab("google", "Google", "frontier"),
    Lab("deepmind", "DeepMind", "frontier", parents=(("google", None),)),
]
_SOURCES = [
    Source("openai-news", "feed", "https://openai.example/rss", "OpenAI news", lab="openai", origin="official"),
    Source("arxiv-ai", "arxiv", "https://export.arxiv.org/api/query?x", "arXiv cs.AI", origin="paper"),
    Source("gazette", "feed", "https://gazette.example/rss", "The Gazette", role="mirror"),
]
_WORDS = (("learn from experience", 0.41), (SCRIPT, 0.22))
_TAGS: dict[str, tuple[list[Tag], list[Attribution]]] = {
    "Agents that remember": (
        [Tag("memory", 0.93, "confident", _WORDS, "topics-1"), Tag("drift", 0.5, "maybe", (("drifts", 1.0),), "rules")],
        [Attribution("openai", "by", "source", "declared", "the source openai-news is by OpenAI")],
    ),
    "A paper on drift": (
        [Tag("drift", 0.41, "maybe", (("drift", 0.3),), "topics-1")],
        [
            Attribution("deepmind", "by", "author", "inferred", "Example Research"),
            Attribution("openai", "mention", "text", "stated", "OpenAI"),
        ],
    ),
    f"Hostile {SCRIPT} news": (
        [Tag("memory", 0.7, "confident", _WORDS, "topics-1")],
        [Attribution("openai", "about", "text", "stated", SCRIPT)],
    ),
}


def _entry(title: str, url: str, text: str = "", at: str | None = NOW) -> Entry:
    return Entry(title, url, url, text, ("Ada One", "Bo Two", "Cy Three", "Di Four"), at)


def _fill(db: sqlite3.Connection) -> None:
    with store.transaction(db):
        sources.sync(db, _SOURCES, NOW)
        sources.sync_registry(db, _TOPICS, _LABS, NOW)
        run = runs.start(db, NOW, "0")
        runs.finish(db, run, NOW, {"new": 4, "on_topic": 3})
        for source, entries in zip(
            _SOURCES,
            (
                [
                    _entry(
                        "Agents that remember",
                        "https://openai.example/a",
                        "Agents drift in C++ with self-improvement.",
                        "2026-06-12T05:12:00Z",
                    )
                ],
                [
                    _entry("A paper on drift", "https://arxiv.org/abs/2606.01234", "Models drift."),
                    _entry("Nothing of note", "https://arxiv.org/abs/2606.01235"),
                ],
                [_entry(f"Hostile {SCRIPT} news", "https://gazette.example/x", f"Text {SCRIPT}", None)],
            ),
            strict=True,
        ):
            items.save(db, source, entries, now=NOW, first=False, old_before=None)
        for item in items.pending(db, "tag", NOW, 100):
            said = _TAGS.get(item.title, ([], []))
            tags.save(db, item, *said, tags.Signals(item.origin or "press"), registry="r", now=NOW, done=True)
        db.execute("UPDATE sources SET last_ok_at = ?, next_poll_at = '2026-06-12T12:00:00Z' WHERE id <> 'gazette'", (NOW,))
        db.execute("UPDATE sources SET fails = 3, last_error = 'http_403: refused <b>us</b>' WHERE id = 'gazette'")
        db.execute("UPDATE sources SET last_ok_at = '2026-06-09T06:00:00Z' WHERE id = 'gazette'")
        db.execute("INSERT INTO revisions(item, at, what, old) SELECT id, ?, 'title', 'Before' FROM items LIMIT 1", (NOW,))


@pytest.fixture
def path(tmp_path: Path, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small database as a run leaves it; the present is two hours later."""
    monkeypatch.setenv("TRACKER_NOW", "2026-06-12T08:00:00Z")
    _fill(db)
    return tmp_path / "data" / "tracker.db"


@pytest.fixture
def empty(tmp_path: Path, db: sqlite3.Connection) -> Path:
    """A database without a row."""
    return tmp_path / "data" / "tracker.db"


def get(path: Path, *urls: str, method: str = "GET") -> list[Any]:
    """The answers to requests, in order, from one Datasette."""

    async def all_of_them() -> list[Any]:
        datasette = serve.application(path)
        return [await datasette.client.request(method, url) for url in urls]

    return asyncio.run(all_of_them())


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


# -- the front page ---------------------------------------------------------------------------------


def test_the_front_page_tells_the_day(path: Path) -> None:
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert response.status_code == 200
    assert "Last run today 06:10" in page
    assert "2 of 3 sources answered" in page
    assert "4 new items, 3 on topic" in page
    assert "Today Friday 12 June" in page
    assert "3 on topic of 4 items" in page
    assert "Agents that remember" in page
    assert "Nothing of note" not in page
    assert '<time datetime="2026-06-12T05:12:00Z"' in response.text


def test_every_tag_and_lab_shows_its_evidence(path: Path) -> None:
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert "Agent memory confident, 0.93, model topics-1 learn from experience 0.41" in page
    assert "by rule, rules alone, no model" in page
    assert "maybe Alignment drift 0.41" in page
    assert "by OpenAI declared by source: the source openai-news is by OpenAI" in page
    assert 'class="chip by"' in response.text
    assert 'class="chip about"' in response.text
    assert "mention" not in page


def test_links_lead_out_safely_and_name_their_host(path: Path) -> None:
    (response,) = get(path, "/")
    assert '<a href="https://openai.example/a" rel="noopener noreferrer nofollow">' in response.text
    assert "openai.example" in text_of(response.text)
    outside = [tag for tag in re.findall(r"<a [^>]*>", response.text) if 'href="http' in tag]
    assert all("noopener noreferrer nofollow" in tag for tag in outside)
    assert not re.search(r"(src|href)=.?(https?:)?//(?!openai|arxiv|gazette|datasette)", response.text)


def test_what_came_from_outside_is_escaped(path: Path) -> None:
    (response,) = get(path, "/")
    assert SCRIPT not in response.text
    assert "<b>us</b>" not in response.text
    assert "refused <b>us</b>" in unescape(response.text)
    assert "onerror" not in response.text


def test_an_address_that_is_no_web_address_is_no_link(path: Path, db: sqlite3.Connection) -> None:
    db.execute("UPDATE items SET url = 'javascript:alert(1)'")
    (response,) = get(path, "/")
    assert "javascript:" not in response.text
    assert "no link" in response.text


def test_source_health_says_what_fails_since_when_and_when_it_is_asked_again(path: Path) -> None:
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert "failing The Gazette mirror refused <b>us</b> http_403 No answer since 9 June 06:00 (3 days ago), 3 failed polls" in page
    assert page.index("failing The Gazette") < page.index("arXiv cs.AI ok today")


def test_topics_and_labs_have_counts_and_a_lab_counts_with_its_parts(path: Path) -> None:
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert "Agent memory 2 2" in page
    assert re.search(r"DeepMind 1 Google 1 OpenAI 1", page)


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("topic=memory", ["Agents that remember", "Hostile"], ["A paper on drift"]),
        ("topic=drift", ["Agents that remember", "A paper on drift"], ["Hostile"]),
        ("lab=openai", ["Agents that remember"], ["A paper on drift", "Hostile"]),
        ("lab=google", ["A paper on drift"], ["Agents that remember"]),
        ("lab=openai&relation=about", ["Hostile"], ["Agents that remember"]),
        ("topic=drift&lab=openai", ["Agents that remember"], ["A paper on drift", "Hostile"]),
        ("topic=memory&lab=google", ["Nothing here yet", "Last looked today 06:10"], ["Agents that remember"]),
        ("topic=nonsense", ["There is no such topic"], ["Agents that remember", "nonsense"]),
        ("lab=nonsense", ["There is no such lab"], ["Agents that remember", "nonsense"]),
        ("lab=openai&relation=nonsense", ["either by or about"], ["Agents that remember", "nonsense"]),
        ("before=20260612000002", ["Agents that remember"], ["Hostile"]),
        ("before=nonsense", ["Agents that remember", "Hostile"], ["nonsense"]),
        ("before=1", ["There is nothing older"], ["Agents that remember"]),
    ],
)
def test_the_list_narrows(path: Path, query: str, shown: list[str], hidden: list[str]) -> None:
    (response,) = get(path, f"/?{query}")
    main = text_of(response.text.partition("<main")[2].partition("</main>")[0])
    assert response.status_code == 200
    assert all(words in main for words in shown), main
    assert not any(words in main for words in hidden), main


@pytest.mark.parametrize(
    "query", ["", "topic=drift", "lab=openai", "lab=openai&relation=about", "topic=drift&lab=google", "topic=memory&lab=google"]
)
def test_the_data_of_a_list_are_its_items(path: Path, query: str) -> None:
    (page,) = get(path, f"/?{query}")
    address = unescape(re.findall(r'href="([^"]+\.json[^"]*)">JSON</a>', page.text)[0])
    (data,) = get(path, f"{address}{'&' if '?' in address else '?'}_shape=array")
    listed = {unescape(title) for title in re.findall(r"<h3><a [^>]*>([^<]+)</a>", page.text)}
    assert listed == {row["title"] for row in data.json()}


def test_hostile_parameters_are_neither_errors_nor_echoed(path: Path) -> None:
    urls = [f"/?{name}={quote(value)}" for name in ("topic", "lab", "relation", "before", "x") for value in HOSTILE]
    for url, response in zip(urls, get(path, *urls), strict=True):
        assert response.status_code == 200, url
        assert "alert(1)" not in re.sub(re.escape("&lt;script&gt;alert(1)&lt;/script&gt;"), "", response.text), url


def test_a_long_list_goes_on(path: Path, db: sqlite3.Connection) -> None:
    with store.transaction(db):
        more = [_entry(f"Older {n}", f"https://openai.example/{n}") for n in range(front.LISTED + 10)]
        items.save(db, _SOURCES[0], more, now="2026-06-11T06:00:00Z", first=False, old_before=None)
        for item in items.pending(db, "tag", NOW, 100):
            tags.save(db, item, *_TAGS["Agents that remember"], tags.Signals("official"), registry="r", now=NOW, done=True)
    (first,) = get(path, "/?lab=openai")
    older = unescape(re.findall(r'href="([^"]+)" rel="next"', first.text)[0])
    assert "lab=openai" in older
    (second,) = get(path, older)
    titles = [re.findall(r">(Older \d+|Agents that remember)</a>", page.text) for page in (first, second)]
    assert [len(listed) for listed in titles] == [front.LISTED, 11]
    assert len({title for listed in titles for title in listed}) == front.LISTED + 11
    assert 'rel="next"' not in second.text


def test_an_empty_database_says_what_would_fill_it(empty: Path) -> None:
    (response,) = get(empty, "/")
    page = text_of(response.text)
    assert response.status_code == 200
    assert "No items yet: run `tracker run`." in page
    assert "No run yet" in page
    assert "No sources yet" in page


def test_items_that_wait_for_topics_are_named(path: Path, db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM item_topics")
    db.execute("INSERT INTO pending(stage, item, due_at) SELECT 'tag', id, ? FROM items", (NOW,))
    (response,) = get(path, "/")
    assert "4 items wait for their topics: run `tracker tag`. Last looked today 06:10." in text_of(response.text)


@pytest.mark.parametrize(
    ("started", "sentence"),
    [("2026-06-12T07:55:00Z", "a run is at work since today 07:55"), ("2026-06-10T07:55:00Z", "the run of 10 June 07:55 did not finish")],
)
def test_a_run_that_has_not_finished_is_told(path: Path, db: sqlite3.Connection, started: str, sentence: str) -> None:
    runs.start(db, started, "0")
    (response,) = get(path, "/")
    assert sentence in text_of(response.text)
    assert "Last run today 06:10" in text_of(response.text)


def test_evidence_that_cannot_be_read_does_not_break_the_page(path: Path, db: sqlite3.Connection) -> None:
    db.execute("""UPDATE item_topics SET evidence = '{"not": "ours'""")
    db.execute("UPDATE runs SET summary = 'x'")
    (response,) = get(path, "/")
    assert response.status_code == 200
    assert "cannot be read" in response.text


def test_counts_follow_the_file(path: Path, db: sqlite3.Connection) -> None:
    async def both() -> tuple[str, str]:
        client = serve.application(path).client
        before = (await client.get("/")).text
        db.execute("DELETE FROM item_topics WHERE topic = 'memory'")
        return text_of(before), text_of((await client.get("/")).text)

    before, after = asyncio.run(both())
    assert "Agent memory 2 2" in before
    assert "Agent memory 0 0" in after


def test_the_page_is_one_language_without_scripts_or_inline_styles(path: Path) -> None:
    page, css = get(path, "/", "/-/static-plugins/tracker/tracker.css")
    assert css.status_code == 200
    assert css.headers["content-type"].startswith("text/css")
    assert "url(" not in css.text
    assert "@import" not in css.text
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page.text)
    for part in ('lang="en"', 'name="viewport"', "<main", "<nav", 'class="skip"', 'role="search"', "<h1>"):
        assert part in page.text
    names = re.findall(r'\sid="([^"]+)"', page.text)
    assert len(names) == len(set(names))


def test_the_front_page_is_only_for_reading(path: Path) -> None:
    assert [response.status_code for method in ("PUT", "DELETE") for response in get(path, "/", method=method)] == [405, 405]


def test_a_database_of_another_program_keeps_datasettes_index(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE birds(name)")

    async def index() -> Any:
        from datasette.app import Datasette

        return await Datasette(files=[str(other)]).client.get("/")

    response = asyncio.run(index())
    assert response.status_code == 200
    assert "birds" in response.text
    assert "tracker.css" not in response.text


@pytest.mark.parametrize(
    ("step", "sentence"), [(-1, "older than this release of tracker; run `tracker run` once"), (1, "newer than this release")]
)
def test_a_database_of_another_release_is_named_on_the_page(path: Path, db: sqlite3.Connection, step: int, sentence: str) -> None:
    async def page() -> Any:
        datasette = serve.application(path)
        db.execute(f"PRAGMA user_version = {schema.VERSION + step}")
        return await datasette.client.get("/")

    response = asyncio.run(page())
    assert response.status_code == 503
    assert sentence in text_of(response.text)


# -- SQL --------------------------------------------------------------------------------------------

_VALUES = {
    "topic": "memory",
    "lab": "google",
    "relation": "by",
    "before": 10**15,
    "limit": 51,
    "items": "[1]",
    "days": "[20260612]",
    "week": 1,
    "quarter": 1,
}


@pytest.mark.parametrize(
    "name", [*queries.LISTS, "ITEMS", "TAGS", "ATTRIBUTIONS", "SIGHTINGS", "DAYS", "TOPICS", "LABS", "TOTAL", "WAITING", "SOURCES"]
)
def test_no_query_of_the_page_walks_the_archive(path: Path, db: sqlite3.Connection, name: str) -> None:
    sql = queries.LISTS.get(name) or getattr(queries, name)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", _VALUES)]
    walks = [line for line in plan if re.match(r"SCAN (items|item_topics|item_labs|sightings|texts|polls)\b", line)]
    assert not [line for line in walks if "COVERING INDEX" not in line], plan
    if name in queries.LISTS:
        assert not walks, plan


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_answers_odd_input(path: Path, name: str) -> None:
    query = QUERIES[name]
    assert query["title"]
    assert query["description"].endswith(".")
    parameters = query.get("params", [])
    urls = [f"/tracker/{name}?{urlencode(dict.fromkeys(parameters, text))}" for text in (ODD_TEXTS if parameters else [""])]
    for url, response in zip(urls, get(path, *urls), strict=True):
        assert response.status_code == 200, url
        assert 'class="message-error"' not in response.text, url
        assert query["title"] in response.text
        assert SCRIPT not in response.text


@pytest.mark.parametrize(
    ("url", "titles"),
    [
        ("newest", ["Hostile", "A paper on drift", "Agents that remember"]),
        ("on_topic?topic=memory", ["Hostile", "Agents that remember"]),
        ("by_lab?lab=google", ["A paper on drift"]),
        ("about_lab?lab=openai", ["Hostile"]),
        ("papers_by_lab?lab=google", ["A paper on drift"]),
        ("papers_by_lab?lab=openai", []),
        ("topic_and_lab?topic=drift&lab=openai&relation=by", ["Agents that remember"]),
        ("topic_and_lab?topic=&lab=openai&relation=about", ["Hostile"]),
        ("search?text=self-improvement", ["Agents that remember"]),
        ("search?text=C%2B%2B+drifting", ["Agents that remember"]),
        ("search?text=drift", ["A paper on drift", "Agents that remember"]),
        ("search?text=", []),
    ],
)
def test_questions_find_what_they_ask_for(path: Path, url: str, titles: list[str]) -> None:
    page, _, query = url.partition("?")
    (response,) = get(path, f"/tracker/{page}.json?_shape=array&{query}")
    found = [row["title"] for row in response.json()]
    assert len(found) == len(titles)
    assert all(title.startswith(start) for title, start in zip(found, titles, strict=True)), found


def test_questions_on_sources_weeks_labs_and_edits(path: Path) -> None:
    names = ("failing_sources", "quiet_sources", "busiest_weeks", "labs_by_topic", "revisions_lately")
    failing, quiet, weeks, labs, edits = (
        response.json() for response in get(path, *(f"/tracker/{name}.json?_shape=array" for name in names))
    )
    assert [row["id"] for row in failing] == ["gazette"]
    assert {row["id"] for row in quiet} == {"openai-news", "arxiv-ai"}
    assert {(row["week"], row["topic"], row["items"]) for row in weeks} == {("2026-06-08", "memory", 2), ("2026-06-08", "drift", 2)}
    assert {(row["lab"], row["topic"]) for row in labs} == {("openai", "memory"), ("openai", "drift"), ("deepmind", "drift")}
    assert [row["before"] for row in edits] == ["Before"]


# -- Datasette's own pages ---------------------------------------------------------------------------


def test_tables_carry_their_descriptions(path: Path) -> None:
    described = schema.descriptions()
    tables = ("items", "sources", "item_topics", "item_labs", "latest")
    for table, response in zip(tables, get(path, *(f"/tracker/{table}" for table in tables)), strict=True):
        page = unescape(response.text)
        assert response.status_code == 200
        assert described[table][0] in page
        assert all(f"<dd>{text}</dd>" in page for text in described[table][1].values())


def test_metadata_names_only_what_exists(path: Path, db: sqlite3.Connection) -> None:
    tables = metadata("tracker")["databases"]["tracker"]["tables"]
    exist = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
    assert set(schema.descriptions()) <= set(tables)
    for table, settings in tables.items():
        assert table in exist or settings.get("hidden"), table
        columns = {row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}
        assert set(settings.get("columns", ())) <= columns, table
        named = [
            *settings.get("facets", ()),
            *(settings[key] for key in ("sort", "sort_desc", "label_column", "fts_pk") if key in settings),
        ]
        assert set(named) <= columns, table


def test_internal_tables_are_hidden_and_the_view_is_searched(path: Path) -> None:
    front_of_data, search = get(path, "/tracker.json", "/tracker/latest.json?_search=self-improvement&_shape=array")
    hidden = {table["name"] for table in front_of_data.json()["tables"] if table["hidden"]}
    assert {"item_keys", "pending", "_sqlite_migrations", "texts_fts"} <= hidden
    assert not {"items", "sources", "topics"} & hidden
    assert [row["title"] for row in search.json()] == ["Agents that remember"]


def test_hostile_values_on_tables_are_never_server_errors(path: Path) -> None:
    names = "_search _sort _sort_desc _facet _where _next _size _col _through _timelimit title__contains _filter_column".split()
    urls = [f"/tracker/{table}?{urlencode({name: value})}" for table in ("latest", "items") for name in names for value in HOSTILE[:6]]
    for url, response in zip(urls, get(path, *urls), strict=True):
        assert response.status_code < 500, (url, response.text[:300])
        assert SCRIPT not in response.text, url


PAGES = """/ /?topic=memory /tracker /tracker/items /tracker/latest.json /tracker/newest /tracker/search?text=a /-/versions /nothing
    /-/static-plugins/tracker/tracker.css /tracker/items.csv /tracker?sql=nonsense //other.example/""".split()


def test_every_answer_carries_the_policy(path: Path) -> None:
    for url, response in zip(PAGES, get(path, *PAGES), strict=True):
        assert response.headers["x-content-type-options"] == "nosniff", url
        assert response.headers["referrer-policy"] == "no-referrer", url
        assert response.headers["x-frame-options"] == "DENY", url
        rules = response.headers["content-security-policy"]
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert rule in rules, url
        scripts = rules.partition("script-src")[2].partition(";")[0]
        assert "'self'" in scripts, url
        assert "unsafe" not in scripts, url
        assert len(response.headers.get_list("content-security-policy")) == 1


def test_our_pages_allow_nothing_inline_and_datasettes_scripts_are_allowed_by_hash(path: Path) -> None:
    ours, table = get(path, "/", "/tracker/items")
    assert ours.headers["content-security-policy"] == policy.STRICT
    allowed = table.headers["content-security-policy"]
    assert "unsafe" not in policy.STRICT
    scripts = re.findall(r"<script>(.*?)</script>", table.text, re.DOTALL)
    assert scripts
    for script in scripts:
        assert _hash(script) in allowed
    assert _hash("alert(1)") not in allowed


def _hash(script: str) -> str:
    import base64
    import hashlib

    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@pytest.mark.parametrize(
    "target", ["//other.example/", "/\\other.example/", "/%5Cother.example/", "/%5cother.example/", "/%2Fother.example/", "///x/", "//"]
)
def test_no_redirect_leads_to_another_host(path: Path, target: str) -> None:
    async def ask() -> dict[str, Any]:
        app, sent = serve.application(path).app(), list[Any]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        from urllib.parse import unquote

        scope = {"type": "http", "method": "GET", "path": unquote(target), "raw_path": target.encode(), "query_string": b"", "headers": [],
                 "scheme": "http", "server": ("localhost", 80), "http_version": "1.1"}  # fmt: skip
        await app(scope, receive, send)
        start: dict[str, Any] = sent[0]
        return start

    start = asyncio.run(ask())
    assert start["status"] == 404
    assert not [value for name, value in start["headers"] if name.lower() == b"location"]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into topics(id, title, description) values ('x', 'x', 'x')",
        "delete from items",
        "pragma writable_schema = 1",
        "attach database '/tmp/x.db' as x",
        "select load_extension('x')",
        "select readfile('/etc/hostname')",
        "select writefile('/tmp/x', 'x')",
        "select 1; delete from items",
        f"select length(zeroblob({MAX_VALUE_BYTES * 2}))",
        "with x as (select 1) delete from items",
    ],
)
def test_nothing_can_be_written_or_read_elsewhere(path: Path, db: sqlite3.Connection, sql: str) -> None:
    version = db.execute("PRAGMA data_version").fetchone()[0]
    (response,) = get(path, f"/tracker.json?{urlencode({'sql': sql})}")
    assert response.status_code == 400, response.text[:300]
    assert db.execute("PRAGMA data_version").fetchone()[0] == version


@pytest.mark.parametrize("url", ["/", "/tracker", "/tracker/items", "/tracker/newest", "/tracker/items/1"])
def test_posting_changes_nothing(path: Path, db: sqlite3.Connection, url: str) -> None:
    async def post() -> Any:
        return await serve.application(path).client.post(url, data={"sql": "delete from items"})

    version = db.execute("PRAGMA data_version").fetchone()[0]
    assert asyncio.run(post()).status_code >= 400
    assert db.execute("PRAGMA data_version").fetchone()[0] == version


def test_an_endless_query_ends(path: Path) -> None:
    started = time.monotonic()
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
    (response,) = get(path, f"/tracker.json?{urlencode({'sql': endless})}")
    assert response.status_code == 400
    assert time.monotonic() - started < 3  # the limit is one second; the rest is the start of Datasette


# -- beside a run -----------------------------------------------------------------------------------


def test_pages_during_a_write_show_the_state_before_it(path: Path, db: sqlite3.Connection) -> None:
    urls = ["/", "/?topic=memory", "/tracker", "/tracker/latest", "/tracker/newest", "/tracker/source_health"]
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("UPDATE items SET title = 'Half written'")
        responses = get(path, *urls)
    finally:
        db.execute("ROLLBACK")
    assert [response.status_code for response in responses] == [200] * len(urls)
    assert "Agents that remember" in responses[0].text
    assert not [response for response in responses if "Half written" in response.text]


def test_a_page_is_one_state_while_commits_go_on(path: Path, db: sqlite3.Connection) -> None:
    """Titles and the number of items change together; no page shows one without the other."""
    done = threading.Event()

    def write() -> None:
        writer = store.open(path, write=True)
        for n in range(10_000):
            if done.is_set():
                break
            with store.transaction(writer):
                writer.execute("UPDATE items SET title = ?", (f"State {n} of the archive",))
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        pages = get(path, *["/"] * 25)
    finally:
        done.set()
        thread.join()
    assert {page.status_code for page in pages} == {200}
    assert all(len(set(re.findall(r">(State \d+ of the archive)</a>", page.text))) <= 1 for page in pages)


# -- serving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [("none", "does not exist; `tracker run` makes it"), ("older", "run `tracker run` once"), ("foreign", "another program")],
)
def test_a_database_that_cannot_be_served_is_one_sentence(tmp_path: Path, prepare: str, sentence: str) -> None:
    file = tmp_path / "tracker.db"
    if prepare == "older":
        schema.migrate(file)
        with sqlite3.connect(file) as db:
            db.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    elif prepare == "foreign":
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE birds(name)")
    with pytest.raises(StoreError, match=re.escape(sentence)) as caught:
        serve.serve(file, "127.0.0.1", 0)
    assert "\n" not in str(caught.value)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_one_sentence(path: Path, taken: int) -> None:
    with pytest.raises(TrackerError, match=f"cannot listen on 127.0.0.1 port {taken}: .*; choose another with --port"):
        serve.serve(path, "127.0.0.1", taken)
    with pytest.raises(TrackerError, match="choose one from 1 to 65535"):
        serve.serve(path, "127.0.0.1", 70_000)


def test_serve_says_where_and_answers(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import httpx
    import uvicorn

    servers: list[uvicorn.Server] = []
    real = uvicorn.Server.__init__
    monkeypatch.setattr(uvicorn.Server, "__init__", lambda self, config: (real(self, config), servers.append(self))[0])
    thread = threading.Thread(target=serve.serve, args=(path, "127.0.0.1", 0))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (servers and servers[0].started):
            time.sleep(0.02)
        line = capsys.readouterr().out
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address, line
        assert line.count("\n") == 1
        answer = httpx.get(address[0], trust_env=False)
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(timeout=20)
    assert answer.status_code == 200
    assert "Agents that remember" in answer.text
    assert "server" not in answer.headers


# -- words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "text"),
    [("2026-06-12T06:10:00Z", "today 06:10"), ("2026-06-11T23:59:00Z", "yesterday 23:59"), ("2026-06-01T00:00:00Z", "1 June 00:00"),
     ("2025-12-31T10:00:00Z", "31 December 2025 10:00"), ("nonsense", None), (None, None), ("", None)],
)  # fmt: skip
def test_moments_in_words(stamp: str | None, text: str | None) -> None:
    found = moment(stamp, PRESENT)
    assert (found.text if found else None) == text


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2026-06-12T07:00:00Z", "at the next run"),
        ("2026-06-12T08:20:00Z", "in 20 min"),
        ("2026-06-12T12:00:00Z", "in 4 h"),
        ("2026-06-15T09:00:00Z", "in 3 days"),
    ],
)
def test_times_to_come_in_words(stamp: str, text: str) -> None:
    found = until(stamp, PRESENT)
    assert found is not None
    assert found.text == text


def test_days_and_times_of_a_list() -> None:
    assert day_name(20260612, PRESENT)["label"] == "Today"
    assert day_name(20260603, PRESENT)["label"] == "Wednesday 3 June"
    assert day_name(20241231, PRESENT)["label"] == "Tuesday 31 December 2024"
    assert day_name(20269999, PRESENT)["label"] == "Undated"
    short = [time_of(stamp, NOW, 20260612) for stamp in ("2026-06-12T05:12:00Z", "2026-06-09T10:00:00Z", "2025-06-09T10:00:00Z", None)]
    assert [at.text if at else "" for at in short] == ["05:12", "9 Jun", "9 Jun 2025", "06:10"]
    assert time_of("2026-06-12T00:00:00Z", NOW, 20260612) is None


def test_templates_never_switch_escaping_off() -> None:
    folder = Path(front.__file__).parent
    for file in [*folder.rglob("*.html"), *folder.rglob("*.py")]:
        assert not re.search(r"\|\s*safe|Markup\(|autoescape|innerHTML", file.read_text("utf-8")), file


def test_queries_reach_datasette_without_our_settings(path: Path) -> None:
    async def plain() -> Any:
        from datasette.app import Datasette

        return await Datasette(files=[str(path)]).client.get("/tracker/search.json?text=drift&_shape=array")

    assert len(json.loads(asyncio.run(plain()).text)) == 2
