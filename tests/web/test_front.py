"""The front page: what it tells of the day, how it narrows and goes on, what it says when there is little to say."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.web.window import HOSTILE, NOW, SCRIPT, SOURCES, TAGS, entry, get, main_of, text_of
from tracker import demo, store
from tracker.store import gaps, items, runs, schema, tags
from tracker.types import Gap
from tracker.web import front, serve


def test_the_front_page_tells_the_day(path: Path) -> None:
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert response.status_code == 200
    assert "Last run today 06:10" in page
    assert "2 of 3 sources answered" in page
    assert "4 new items, 3 on topic" in page
    assert "Today Friday 12 June" in page
    assert "3 stories from 4 items" in page
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


def test_silent_sources_and_gaps_stand_in_the_health_line_in_plain_words(path: Path, db: sqlite3.Connection) -> None:
    with store.transaction(db):
        gaps.still(db, "openai-news", date(2026, 5, 3), 5, "2026-06-12T06:00:00Z")
        gaps.note(db, Gap("openai-news", "2026-06-01T06:00:00Z", "2026-06-03T06:00:00Z", "window rolled", "2026-06-03T06:00:00Z"))
    page = text_of(get(path, "/")[0].text)
    assert "2 of 3 sources answered 1 gap OpenAI news has been silent for 40 days; it used to bring something at least every 5 days" in page
    assert "OpenAI news: its list had moved on when it was read; what it showed from 2026-06-01 to 2026-06-03 may be missing." in page
    with store.transaction(db):
        gaps.still(db, "arxiv-ai", date(2026, 5, 13), None, "2026-06-12T06:00:00Z")
    page = text_of(get(path, "/")[0].text)
    assert "2 sources silent" in page
    assert "arXiv cs.AI has been silent for 30 days; what it mirrors goes on." in page
    assert "more gap" not in page
    with store.transaction(db):
        for n, reason in enumerate(("no answer", "incomplete results", "count dropped")):
            gaps.note(db, Gap("openai-news", f"2026-06-0{n + 1}T06:00:00Z", "2026-06-05T06:00:00Z", reason, "2026-06-05T06:00:00Z"))
        gaps.note(db, Gap("arxiv-ai", "2026-06-04T06:00:00Z", "2026-06-05T06:00:00Z", "no answer", "2026-06-05T06:00:00Z"))
    page = text_of(get(path, "/")[0].text)
    assert "1 more gap or silent source " in page


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
    main = main_of(response.text)
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
        more = [entry(f"Older {n}", f"https://openai.example/{n}") for n in range(front.LISTED + 10)]
        items.save(db, SOURCES[0], more, now="2026-06-11T06:00:00Z", first=False, old_before=None)
        for item in items.pending(db, "tag", 100):
            tags.save(db, item, *TAGS["Agents that remember"], tags.Signals("official"), registry="r", now=NOW, done=True)
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


# -- the sample -------------------------------------------------------------------------------------


def test_a_sample_is_marked_and_lives_in_its_own_present(path: Path, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRACKER_NOW")
    db.execute("UPDATE runs SET version = version || ?", (demo.MARK,))
    (response,) = get(path, "/")
    page = text_of(response.text)
    assert "Sample week, June 2026: invented texts" in page
    assert "Last run today 06:10" in page
    assert "Today Friday 12 June" in page


def test_one_real_run_and_it_is_no_sample(path: Path, db: sqlite3.Connection) -> None:
    runs.start(db, "2026-06-12T07:55:00Z", f"1{demo.MARK}")
    (response,) = get(path, "/")
    assert "Sample week" not in response.text


def test_an_empty_database_is_no_sample(empty: Path) -> None:
    assert "Sample week" not in get(empty, "/")[0].text


def test_links_to_large_tables_do_not_count_them(path: Path) -> None:
    (response,) = get(path, "/")
    links = [unescape(link) for link in re.findall(r'href="(/tracker/(?:items|latest|texts|watch_events)(?:\?[^"]*)?)"', response.text)]
    assert links
    assert all("_nocount=1" in link for link in links)
    assert {answer.status_code for answer in get(path, *links)} == {200}
