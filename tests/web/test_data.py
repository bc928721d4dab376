"""The SQL of our pages, the questions on the data, and the pages that Datasette makes of our tables."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.web.window import HOSTILE, NOW, ODD_TEXTS, SCRIPT, alone, get, told, watched
from tracker import demo
from tracker.store import schema
from tracker.types import Watch
from tracker.web import queries
from tracker.web.metadata import QUERIES, metadata

_VALUES = {
    "topic": "memory",
    "lab": "google",
    "relation": "by",
    "before": 10**15,
    "limit": 51,
    "items": "[1]",
    "listed": "[1]",
    "days": "[20260612]",
    "week": 1,
    "quarter": 1,
}


_QUERIES = [*queries.LISTS, *(name for name in queries.__all__ if name not in ("LISTS", "NAMES", "RUNS"))]
_GROWING = "items|item_topics|item_labs|sightings|texts|polls|stories|story_items|own|newer|member|its|other|links"


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("name", _QUERIES)
def test_no_query_of_the_page_walks_the_archive(path: Path, db: sqlite3.Connection, name: str, analysed: bool) -> None:
    if analysed:
        db.execute("ANALYZE")
    sql = queries.LISTS.get(name) or getattr(queries, name)
    plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", _VALUES)]
    walks = [line for line in plan if re.match(rf"SCAN ({_GROWING})\b", line)]
    assert not [line for line in walks if "COVERING INDEX" not in line], plan
    if name not in ("TOTAL", "TOPICS", "LABS"):
        assert not walks, plan


def test_the_mark_of_a_sample_is_the_demos() -> None:
    assert f"'%{demo.MARK}'" in queries.RUNS


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
        ("items_of_a_story?story=1", ["Agents that remember"]),
        ("items_of_a_story?story=x", []),
        ("events_of_a_question?watch=papers", ["A paper on drift"]),
        ("events_of_a_question?watch=nonsense", []),
        ("stories_of_the_week", ["Hostile", "A paper on drift", "Agents that remember"]),
    ],
)
def test_questions_find_what_they_ask_for(path: Path, db: sqlite3.Connection, url: str, titles: list[str]) -> None:
    alone(db)
    watched(db, Watch("papers", "Are there papers?"), ("A paper on drift", "deepmind", "published"))
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


def test_queries_reach_datasette_without_our_settings(path: Path) -> None:
    async def plain() -> Any:
        from datasette.app import Datasette

        return await Datasette(files=[str(path)]).client.get("/tracker/search.json?text=drift&_shape=array")

    assert len(json.loads(asyncio.run(plain()).text)) == 2


def test_stories_of_the_week_are_whole_and_without_those_that_were_merged(path: Path, db: sqlite3.Connection) -> None:
    story = told(db, "A paper on drift", "Agents that remember")
    gone = told(db, f"Hostile {SCRIPT} news")
    db.execute("UPDATE stories SET merged_into = ? WHERE id = ?", (story, gone))
    (response,) = get(path, "/tracker/stories_of_the_week.json?_shape=array")
    (row,) = response.json()
    assert (row["items"], row["sources"]) == (2, 2)
    assert set(row["by_labs"].split(",")) == {"deepmind", "openai"}
    assert set(row["topics"].split(",")) == {"memory", "drift"}


def test_digests_can_be_read_in_a_plain_table(path: Path, db: sqlite3.Connection) -> None:
    db.execute(
        """INSERT INTO digests(name, period_from, period_to, created_at, subject, text, html, message_id, status)
        VALUES ('daily', ?1, ?1, ?1, ?2, 'Two\nlines', '<p>x', 'm', 'sent')""",
        (NOW, f"News {SCRIPT}"),
    )
    page, data, css = get(path, "/tracker/digests_sent", "/tracker/digests", "/-/static-plugins/tracker/tracker.css")
    for answer in (page, data):
        assert SCRIPT not in answer.text
        assert re.search(r'<td class="col-text[^"]*">\s*Two\nlines\s*</td>', answer.text)
    assert re.search(r"td\.col-text \{[^}]*white-space: pre-wrap", css.text)


def test_large_tables_are_counted_on_request(path: Path) -> None:
    (plain,) = get(path, "/tracker/items")
    assert 'href="?_facet=origin&amp;_nocount=1"' in plain.text
    assert "facet-info" not in plain.text
    (counted,) = get(path, "/tracker/items?_facet=origin&_nocount=1")
    assert "facet-info" in counted.text
