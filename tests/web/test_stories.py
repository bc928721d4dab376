"""The list of stories: one line a development, on one day, with what else there is and why it belongs together."""

from __future__ import annotations

import re
import sqlite3
from html import unescape
from pathlib import Path

import pytest

from tests.web.window import NOW, SCRIPT, SOURCES, entry, get, id_of, main_of, rungs, text_of, told
from tracker import store
from tracker.store import items, tags
from tracker.types import Attribution, Tag
from tracker.web import front

POST, PAPER, PRESS = "Agents that remember", "A paper on drift", f"Hostile {SCRIPT} news"
_TAG = Tag("memory", 0.8, "confident", (("memory", 1.0),), "topics-1")


def titles(html: str) -> list[str]:
    """The titles of the stories, as listed."""
    return [unescape(re.sub(r"<[^>]+>", "", title)) for title in re.findall(r"<h3>(.*?) <span class=\"host\">", html)]


def add(db: sqlite3.Connection, *names: str, day: str = "2026-06-11", source: int = 2, tag: Tag = _TAG, lab: str = "") -> list[int]:
    """More items of a day, tagged; returns their ids."""
    by = [Attribution(lab, "by", "source", "declared", "the source says so")] if lab else []
    found = []
    with store.transaction(db):
        for name in names:
            published = entry(name, f"https://gazette.example/{name.replace(' ', '-')}", at=f"{day}T05:00:00Z")
            items.save(db, SOURCES[source], [published], now=f"{day}T06:00:00Z", first=False, old_before=None)
        for item in items.pending(db, "tag", 1000):
            tags.save(db, item, [tag], by, tags.Signals("press"), registry="r", now=NOW, done=True)
            found.append(item.id)
    return found


def test_a_story_is_one_line_with_the_leads_title_and_the_others_below(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PAPER, PRESS)
    (response,) = get(path, "/")
    page = main_of(response.text)
    assert titles(response.text) == [POST]
    assert "3 items from 3 sources , also: arXiv 2606.01234 · The Gazette" in page
    assert "1 story from 4 items" in page
    assert '<a href="https://gazette.example/x" title="Hostile &lt;script' in response.text


def test_why_shows_what_joins_each_item(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PAPER)
    page = main_of(get(path, "/")[0].text)
    assert "One story 2 items from 2 sources Agents that remember OpenAI news: first of its story A paper on drift" in page
    assert "A paper on drift arXiv 2606.01234: the same title" in page


def test_a_story_carries_the_tags_of_all_its_items_each_at_its_best(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PAPER, PRESS)
    (response,) = get(path, "/")
    chips = re.findall(r'<a class="chip [^>]*>(.*?)</a>', response.text)
    assert [re.sub(r"</?b>", "", chip) for chip in chips] == [
        "Agent memory 0.93",
        "maybe Alignment drift by rule",
        "by DeepMind",
        "by OpenAI",
    ]
    assert "about OpenAI" not in main_of(response.text)  # its own word is there


@pytest.mark.parametrize(
    ("members", "rungs"),
    [
        ((POST,), "stated"),
        ((PAPER,), "published"),
        ((PRESS,), "reported"),
        ((POST, PAPER, PRESS), "published · stated"),
        ((POST, PRESS), "stated"),
    ],
    ids=["a post", "a paper", "press", "all of them", "a post and press"],
)
def test_rungs_in_words_and_press_adds_none_to_the_labs_own(
    path: Path, db: sqlite3.Connection, members: tuple[str, ...], rungs: str
) -> None:
    told(db, *members)
    (response,) = get(path, "/")
    shown = dict(zip(titles(response.text), re.findall(r'<p class="from"><span class="origin">([^<]+)', response.text), strict=True))
    assert shown[members[0]] == rungs


def test_a_paper_of_no_lab_is_a_paper_and_has_no_rung(path: Path, db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM item_labs")
    rungs(db)
    (response,) = get(path, "/?topic=drift")
    shown = dict(zip(titles(response.text), re.findall(r'<span class="origin">([^<]+)', response.text), strict=True))
    assert shown == {POST: "reported", PAPER: "paper"}


@pytest.mark.parametrize(("mark", "words"), [("yes", "unconfirmed:"), ("possibly", "possibly unconfirmed:")])
def test_what_is_unconfirmed_shows_its_cue_in_quotation_marks(path: Path, db: sqlite3.Connection, mark: str, words: str) -> None:
    db.execute("UPDATE items SET unconfirmed = ?, cue = ? WHERE title LIKE 'Hostile%'", (mark, f"people say {SCRIPT}"))
    (response,) = get(path, "/")
    assert f"{words} people say {SCRIPT}" in main_of(response.text)
    assert "<q>people say &lt;script&gt;" in response.text


def test_an_unconfirmed_item_does_not_colour_the_labs_own_lead(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PRESS)
    db.execute("UPDATE items SET unconfirmed = 'yes', cue = 'reportedly' WHERE title LIKE 'Hostile%'")
    (response,) = get(path, "/")
    assert "also: The Gazette ( unconfirmed: reportedly )" in main_of(response.text)
    assert response.text.count('<span class="doubt">') == 1


def deny(db: sqlite3.Connection, title: str, words: str, at: str = "2026-06-12T06:00:00Z") -> None:
    db.execute("UPDATE items SET denial = ?, published_at = ? WHERE title = ?", (words, at, title))


def test_a_later_denial_stands_beside_the_unconfirmed_mark_with_its_words_and_a_link(path: Path, db: sqlite3.Connection) -> None:
    add(db, "Not so")
    told(db, PRESS, "Not so")
    db.execute("UPDATE items SET unconfirmed = 'yes', cue = 'in talks', published_at = '2026-06-10T00:00:00Z' WHERE title = ?", (PRESS,))
    assert "later" not in main_of(get(path, "/")[0].text)
    deny(db, "Not so", f"denies {SCRIPT}")
    (response,) = get(path, "/")
    assert f"unconfirmed: in talks — denied later: denies {SCRIPT} , The Gazette" in main_of(response.text)
    assert re.search(r'<q>denies &lt;script&gt;[^<]*</q>, <a href="https://gazette.example/Not-so" title="Not so"', response.text)


def test_the_labs_own_denial_leads_and_the_rumour_below_bears_it(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PRESS)
    db.execute("UPDATE items SET unconfirmed = 'possibly', cue = 'plans', published_at = '2026-06-10T00:00:00Z' WHERE title = ?", (PRESS,))
    deny(db, POST, "Correction")
    page = main_of(get(path, "/")[0].text)
    assert "also: The Gazette ( possibly unconfirmed: plans — corrected later: Correction , OpenAI news )" in page


def test_a_denial_whose_address_is_unsafe_is_named_without_a_link(path: Path, db: sqlite3.Connection) -> None:
    add(db, "Not so")
    told(db, PRESS, "Not so")
    db.execute("UPDATE items SET unconfirmed = 'yes', cue = 'in talks', published_at = '2026-06-10T00:00:00Z' WHERE title = ?", (PRESS,))
    deny(db, "Not so", "denies")
    db.execute("UPDATE items SET url = 'javascript:alert(1)' WHERE title = 'Not so'")
    (response,) = get(path, "/")
    assert "denied later: denies , The Gazette" in main_of(response.text)
    assert "javascript:" not in response.text


FIRSTS = {
    "press before the lab": (
        {PRESS: "2026-06-10", POST: "2026-06-12"}, "First the press, The Gazette, 2 days before OpenAI’s own post",
    ),
    "the lab before all": (
        {POST: "2026-06-10", PAPER: "2026-06-11", PRESS: "2026-06-13"},
        "First OpenAI’s own post, OpenAI news, 1 day before the paper, 3 days before the press",
    ),
    "two on one day": (
        {POST: "2026-06-10", PRESS: "2026-06-10", PAPER: "2026-06-11"},
        "First OpenAI’s own post and the press, the same day, 1 day before the paper",
    ),
    "all on one day": (
        {POST: "2026-06-10", PRESS: "2026-06-10", PAPER: "2026-06-10"},
        "First OpenAI’s own post, the paper and the press, the same day",
    ),
    "one without a date": (
        {POST: None, PRESS: "2026-06-10", PAPER: "2026-06-11"},
        "First the press, The Gazette, 1 day before the paper; 1 item without a date",
    ),
    "only one with a date": ({POST: None, PRESS: "2026-06-10"}, ""),
    "one kind alone": ({PRESS: "2026-06-10"}, ""),
}  # fmt: skip


@pytest.mark.parametrize(("days", "said"), FIRSTS.values(), ids=FIRSTS)
def test_why_says_who_was_first_and_by_how_many_days(path: Path, db: sqlite3.Connection, days: dict[str, str | None], said: str) -> None:
    told(db, *days)
    for title, day in days.items():
        db.execute("UPDATE items SET published_at = ? WHERE title = ?", (day and f"{day}T00:00:00Z", title))
    page = main_of(get(path, "/")[0].text)
    assert said in page
    assert said or not re.search("First (?!seen)|days? before|the same day", page)


def test_the_rungs_of_the_page_are_those_that_are_stored(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST)
    db.execute("UPDATE rungs SET rung = 'shipped', cue = 'released: “now”' WHERE item = ?", (id_of(db, POST),))
    page = main_of(get(path, "/")[0].text)
    assert "shipped OpenAI: released: “now”" in page
    assert "stated OpenAI" not in page


def test_a_story_stands_once_on_the_day_of_its_newest_item(path: Path, db: sqlite3.Connection) -> None:
    add(db, "Before", day="2026-06-10")
    add(db, "Between", day="2026-06-11")
    told(db, "Before", POST)
    (response,) = get(path, "/")
    page = main_of(response.text)
    assert sorted(titles(response.text)) == sorted([POST, PAPER, PRESS, "Between"])
    assert page.index("Today") < page.index(POST) < page.index("Thursday 11 June") < page.index("Between")
    assert "Wednesday 10 June" not in page
    assert "3 stories from 4 items" in page


def test_a_story_is_on_one_page_only(path: Path, db: sqlite3.Connection) -> None:
    names = [f"Older {n}" for n in range(front.LISTED + 20)]
    add(db, *names)
    told(db, names[0], POST)
    told(db, names[1], names[-1])
    (first,) = get(path, "/")
    older = unescape(re.findall(r'href="([^"]+)" rel="next"', first.text)[0])
    (second,) = get(path, older)
    both = titles(first.text) + titles(second.text)
    assert len(titles(first.text)) == front.LISTED
    assert len(both) == len(set(both)) == len(names) + 3 - 2
    assert names[0] not in both  # under the lab's own post
    assert names[1] in both  # the lead of the two


def test_off_topic_items_do_not_bring_a_story_up_but_its_lead_names_it(path: Path, db: sqlite3.Connection) -> None:
    add(db, "On topic", day="2026-06-11")
    told(db, "On topic", "Nothing of note")
    (response,) = get(path, "/?topic=memory")
    page = main_of(response.text)
    assert "Nothing of note" in titles(response.text)  # the paper leads the press
    assert page.index("Thursday 11 June") < page.index("Nothing of note")


@pytest.mark.parametrize(
    ("query", "listed"),
    [("topic=drift", [POST]), ("topic=memory", [POST, PRESS]), ("lab=google", [POST]), ("lab=openai", [POST]),
     ("lab=openai&relation=about", [PRESS]), ("topic=memory&lab=google", [])],
)  # fmt: skip
def test_a_narrowed_list_finds_a_story_by_any_of_its_items(path: Path, db: sqlite3.Connection, query: str, listed: list[str]) -> None:
    told(db, POST, PAPER)
    (response,) = get(path, f"/?{query}")
    assert sorted(titles(response.text)) == sorted(listed)


def test_a_merged_story_is_not_shown_and_its_items_are_not_lost(path: Path, db: sqlite3.Connection) -> None:
    gone = told(db, POST, PAPER)
    into = told(db, PRESS)
    db.execute("UPDATE stories SET merged_into = ? WHERE id = ?", (into, gone))
    (response,) = get(path, "/")
    assert sorted(titles(response.text)) == sorted([POST, PAPER, PRESS])
    assert "2 items" not in main_of(response.text)


def test_a_large_story_shows_some_and_counts_the_rest(path: Path, db: sqlite3.Connection) -> None:
    names = [f"Echo {n}" for n in range(40)]
    add(db, *names, day="2026-06-12")
    story = told(db, POST, *names)
    (response,) = get(path, "/")
    assert "41 items from 2 sources" in main_of(response.text)
    assert f'and <a href="/tracker/stories/{story}">35 more</a>' in response.text
    assert titles(response.text).count(POST) == 1
    assert id_of(db, POST) < max(id_of(db, name) for name in names)


def test_items_that_wait_for_their_story_stand_alone(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST)
    (response,) = get(path, "/")
    assert sorted(titles(response.text)) == sorted([POST, PAPER, PRESS])


def test_hostile_titles_of_a_story_and_its_items_are_text(path: Path, db: sqlite3.Connection) -> None:
    story = told(db, POST, PAPER, PRESS)
    evil = "'\"><img src=x onerror=alert(1)>"
    db.execute("UPDATE stories SET title = ? WHERE id = ?", (SCRIPT, story))
    db.execute("UPDATE story_items SET evidence = ?", (evil,))
    db.execute("UPDATE items SET title = ?, authors = ?, cue = ?, unconfirmed = 'yes', key = key || ?, denial = ?", (evil,) * 5)
    db.execute("UPDATE rungs SET cue = ?", (evil,))
    db.execute("UPDATE sources SET title = ?", (evil,))
    (response,) = get(path, "/")
    assert SCRIPT not in response.text
    assert "<img" not in response.text
    assert evil in unescape(response.text)
    outside = [tag for tag in re.findall(r"<a [^>]*>", response.text) if 'href="http' in tag]
    assert all("noopener noreferrer nofollow" in tag for tag in outside)


def test_the_page_of_stories_keeps_its_landmarks(path: Path, db: sqlite3.Connection) -> None:
    told(db, POST, PAPER)
    page = get(path, "/")[0].text
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert not re.search(r"<script|<style|\sstyle=", page)
    assert "why? Agents that remember" in text_of(page)
