"""Sections: issues of newsletters and the stories they become; how the store, the taggers and the grouping know them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from tracker import group, store, text, urls
from tracker.pairing.guards import stands_alone
from tracker.pollers import feed, sections
from tracker.pollers.worker import ParseWorker
from tracker.store import items, sources
from tracker.taggers.labs import LabTagger
from tracker.taggers.signals import origin
from tracker.types import Entry, Item, Lab, Response, Source

DATA = Path(__file__).parent / "data" / "sections"
ISSUE = Entry("Letter #41", "https://letter.example/p/41", "g41", "All of it.", ("Ann",), "2026-06-11T06:00:00Z")
LETTER = Source("letter", "feed", "https://letter.example/feed", "Letter", options={"split": True})


def story(title: str, link: str = "https://lab.example/post", words: str = "Enough words to be a story of its own, so it is one.") -> str:
    return f'<h2>{title}</h2><p>{words} <a href="{link}">It</a>.</p>'


TWO = story("Agents sleep well at night") + story("A second story of the week", "https://arxiv.org/abs/2606.00009")


@pytest.mark.parametrize("document", sorted(DATA.glob("*.html")), ids=lambda path: path.stem)
def test_golden_pairs(document: Path) -> None:
    expected = json.loads(document.with_suffix(".json").read_text(encoding="utf-8"))
    issue = replace(ISSUE, **expected["issue"], text="The whole text.", links=("url:https://all.example/links",))
    told = [{"title": e.title, "url": e.url, "text": e.text, "links": list(e.links)} for e in sections.split(issue, document.read_text())]
    assert [{name: value for name, value in entry.items() if value} for entry in told] == expected["entries"]


def test_every_document_has_its_pair() -> None:
    assert {path.stem for path in DATA.glob("*.html")} == {path.stem for path in DATA.glob("*.json")}
    assert len(list(DATA.glob("*.html"))) >= 9


def test_a_story_has_the_day_and_the_authors_of_its_issue_and_no_guid() -> None:
    issue, *stories = sections.split(replace(ISSUE, published_raw="Thursday"), TWO)
    assert (issue.guid, issue.authors, issue.published_at) == ("g41", ("Ann",), ISSUE.published_at)
    for entry in stories:
        assert (entry.guid, entry.authors, entry.published_at, entry.published_raw) == (None, ("Ann",), ISSUE.published_at, "Thursday")


@pytest.mark.parametrize(
    ("entry", "markup"),
    [
        pytest.param(ISSUE, story("Only one story this time"), id="one story"),
        pytest.param(ISSUE, "", id="nothing"),
        pytest.param(ISSUE, "Words without any markup, https://lab.example/post", id="plain text"),
        pytest.param(ISSUE, "<p>One</p><p>Two</p>", id="paragraphs"),
        pytest.param(ISSUE, story("First of two", "/own/page") + story("Second of two", "#below"), id="links to the newsletter itself"),
        pytest.param(ISSUE, story("Short one", words="") + story("Short two", words=""), id="hardly a word"),
        pytest.param(replace(ISSUE, title="Why agents sleep"), TWO, id="an essay with chapters"),
        pytest.param(replace(ISSUE, url=None), TWO, id="no address"),
        pytest.param(replace(ISSUE, own_key="arxiv:2606.00001"), TWO, id="a paper"),
        pytest.param(replace(ISSUE, url="https://letter.example/" + "a" * 1_950), TWO, id="no room for an address"),
    ],
)
def test_what_is_no_round_up_stays_whole(entry: Entry, markup: str) -> None:
    assert sections.split(entry, markup) == (entry,)


@pytest.mark.parametrize(
    "heading",
    [
        "A better cloud (Sponsor)",
        "Sponsored: a better cloud",
        "A MESSAGE FROM OUR FRIENDS",
        "Presented by Cloud",
        "Subscribe",
        "Subscribe to this letter",
        "Share this post with a friend",
        "Jobs",
        "Table of Contents",
        "In this issue: agents",
        "🎉",
        "Business",
        "Dear friends,",
        "Reader giveaway!",
    ],
)
def test_what_is_no_story_is_none(heading: str) -> None:
    titles = [entry.title for entry in sections.split(ISSUE, TWO + story(heading, "https://else.example/"))]
    assert titles == ["Letter #41", "Agents sleep well at night", "A second story of the week"]


def test_what_a_sponsor_says_is_nowhere() -> None:
    told = sections.split(ISSUE, TWO + story("A better cloud (Sponsor)", "https://cloud.example/", "Buy our cloud, it is a cloud."))
    assert not any("cloud" in repr(entry).lower() for entry in told)


@pytest.mark.parametrize(
    ("heading", "title"),
    [
        ("🚀 Agents sleep well 😴", "Agents sleep well"),
        ("12. Agents sleep well", "Agents sleep well"),
        ("Agents sleep well (2 minute read)", "Agents sleep well"),
        ("Agents sleep well (GitHub Repo)", "Agents sleep well"),
        ("Agents sleep well:", "Agents sleep well"),
        ("“Agents” sleep (and well)?", "“Agents” sleep (and well)?"),
        ("$9B for agents that sleep", "$9B for agents that sleep"),
        ("Agents<br>sleep well", "Agents sleep well"),
        ("2027 is the year of sleep", "2027 is the year of sleep"),
    ],
)
def test_titles_are_clean(heading: str, title: str) -> None:
    assert sections.split(ISSUE, story(heading) + TWO)[1].title == title


def test_the_address_leads_to_the_words_of_the_heading() -> None:
    entry = sections.split(replace(ISSUE, url="https://letter.example/p/41?x=1#top"), story("Fast-learning, cheap &amp; good") + TWO)[1]
    assert entry.url == "https://letter.example/p/41?x=1#:~:text=Fast%2Dlearning%2C%20cheap%20%26%20good"


def test_every_word_and_link_is_told_once() -> None:
    intro = '<p>Hello, see <a href="https://friend.example/">a friend</a> and <a href="https://lab.example/post">it</a>.</p>'
    issue, first, second = sections.split(ISSUE, intro + TWO)
    assert issue.text == "Hello, see a friend and it."
    assert issue.links == ("url:https://friend.example/",)
    assert (first.links, second.links) == (("url:https://lab.example/post",), ("arxiv:2606.00009",))


def test_an_issue_without_words_of_its_own_names_its_stories() -> None:
    assert sections.split(ISSUE, TWO)[0].text == "Agents sleep well at night; A second story of the week"


def test_an_issue_has_so_many_stories_and_the_rest_stays_with_it() -> None:
    many = "".join(story(f"Story number {n} of many", f"https://lab.example/{n}") for n in range(sections.MAX_SECTIONS + 5))
    issue, *stories = sections.split(ISSUE, many)
    assert len(stories) == sections.MAX_SECTIONS
    assert "Story number 60 of many" in issue.text
    assert "url:https://lab.example/60" in issue.links


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<div>" * 60_000 + TWO, id="nested"),
        pytest.param("<h2><a href='https://b.example/'>" * 12_000, id="never closed"),
        pytest.param("<p>" + "word " * 70_000 + "</p>" + TWO, id="one long line"),
        pytest.param("<br>" * 90_000 + TWO, id="many lines"),
        pytest.param(story("t" * 10_000) + story("u" * 10_000), id="long headings"),
        pytest.param("".join(f"<p><a href='https://b.example/{n}'>w</a></p>" for n in range(9_000)) + TWO, id="many links"),
    ],
)
def test_an_issue_of_megabytes_is_bounded(markup: str) -> None:
    for entry in sections.split(ISSUE, markup):
        assert len(entry.title) <= sections.MAX_TITLE
        assert len(entry.text) <= text.MAX_TEXT
        assert len(entry.links) <= sections.MAX_LINKS


# -- any markup ---------------------------------------------------------------------------------------------

_WHOLE = [
    *(f"<h3>Heading number {n}</h3>" for n in range(4)),
    *(f'<p>Some long enough words lead to <a href="https://lab.example/{n}">the lab</a> or elsewhere.</p>' for n in range(4)),
    *(f'<li><b><a href="https://lab.example/{n}">Lead {n} of a line</a></b>: with words behind it.' for n in range(4)),
    "<p><b>A bold line of words</b></p>",
    "<p>***</p>",
]
_PIECES = [
    *"<h1> </h1> <h3> </h3> <p> </p> <b> </b> <strong> </strong> <ul> <li> </li> </ul> <hr> <br> *** <blockquote> </blockquote>".split(),
    *"<div> </div> <table> <td> <span> </a> <!-- --> <script> </script> &amp; &#0; &lt;h2&gt; \0 \u200b \ud800 😀 : .".split(),
    '<a href="https://lab.example/1">', '<a href="https://[x">', '<a href="javascript:x">', '<a href="/own">', '<div class="share">',
    "A title of some words", "Why it matters:", "Subscribe", "## Heading", "enough words to be a story of its own, and a few more", " ",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.sampled_from(_WHOLE) | st.sampled_from(_PIECES) | st.text(max_size=8), min_size=8, max_size=60).map("".join))
def test_any_markup_is_an_issue_and_its_stories(markup: str) -> None:
    issue, *stories = sections.split(ISSUE, markup)
    assert (issue.title, issue.url, issue.guid) == (ISSUE.title, ISSUE.url, ISSUE.guid)
    assert len(stories) != 1
    assert len({entry.url for entry in stories}) == len(stories) <= sections.MAX_SECTIONS
    for entry in stories:
        assert entry.title
        assert entry.links
        assert (entry.url or "").startswith(f"{ISSUE.url}#:~:text=")
        assert urls.canonical_url(entry.url or "", keep_fragment=True) != ISSUE.url
        json.dumps([entry.title, entry.url, entry.text, entry.links], ensure_ascii=False).encode()


_WORDS = st.text("abcdefgh <&\"'é界", min_size=1, max_size=30).filter(lambda words: words.strip() != "")


@settings(deadline=None)
@given(st.lists(st.tuples(_WORDS, st.lists(_WORDS, min_size=1, max_size=4)), min_size=2, max_size=6))
def test_what_stories_say_stands_in_the_issue_in_this_order(told: list[tuple[str, list[str]]]) -> None:
    markup = "".join(
        f'<h2>Story {n} {escape(heading)}</h2><p><a href="https://lab.example/{n}">The lab</a> says something about it, at some length.</p>'
        + "".join(f"<p>{escape(line)}</p>" for line in lines)
        for n, (heading, lines) in enumerate(told)
    )
    rest = text.plain(markup)
    _, *stories = sections.split(ISSUE, markup)
    assert len(stories) == len(told)
    for entry in stories:
        for words in (entry.title.rstrip(), *entry.text.split("\n")):
            assert words in rest
            rest = rest[rest.index(words) + len(words) :]


# -- feeds --------------------------------------------------------------------------------------------------


def rss(*issues: tuple[int, str]) -> bytes:
    listed = "".join(
        f"<item><title>Letter #{n}</title><link>https://letter.example/p/{n}</link><guid>g{n}</guid>"
        f"<pubDate>Thu, 11 Jun 2026 06:00:00 GMT</pubDate><description>{escape(markup)}</description></item>"
        for n, markup in issues
    )
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>Letter</title>{listed}</channel></rss>'.encode()


def test_a_feed_is_split_if_its_source_says_so() -> None:
    body = rss((42, "<p>A holiday.</p>"), (41, TWO))
    titles = [entry.title for entry in feed.read(body, LETTER, LETTER.url, None).entries]
    assert titles == ["Letter #42", "Letter #41", "Agents sleep well at night", "A second story of the week"]
    assert len(feed.read(body, replace(LETTER, options={}), LETTER.url, None).entries) == 2


def test_the_parse_worker_splits_as_well() -> None:
    with ParseWorker() as worker:
        parsed = worker.parse(LETTER, Response(LETTER.url, 200, {}, rss((41, TWO))))
    assert parsed == feed.read(rss((41, TWO)), LETTER, LETTER.url, None)


def test_a_feed_of_many_stories_is_bounded() -> None:
    many = "".join(story(f"Story number {n} of many", f"https://lab.example/{n}") for n in range(60))
    parsed = feed.read(rss(*((n, many) for n in range(55))), LETTER, LETTER.url, None)
    assert len(parsed.entries) == feed.MAX_ENTRIES
    assert parsed.problem == "too_many_items"


# -- in the store -------------------------------------------------------------------------------------------

NEWS = Source("news", "feed", "https://news.example/feed", "News")
LAB = Source("lab", "feed", "https://lab.example/feed", "Lab", lab="openai", origin="official")


@pytest.fixture
def known(db: sqlite3.Connection) -> sqlite3.Connection:
    with store.transaction(db):
        sources.sync(db, (LETTER, NEWS, LAB), NOW)
    return db


def saved(db: sqlite3.Connection, source: Source, entries: Sequence[Entry], now: str = NOW) -> tuple[int, int]:
    with store.transaction(db):
        done = items.save(db, source, entries, now=now, first=False, old_before=None)
    return done.new, done.changed


def stored(db: sqlite3.Connection, columns: str = "items.title", condition: str = "1") -> list[tuple[object, ...]]:
    query = f"SELECT {columns} FROM items JOIN texts ON texts.item = items.id WHERE {condition} ORDER BY items.id"
    return [tuple(row) for row in db.execute(query)]


LATER, LAST = "2026-06-12T12:00:00Z", "2026-06-13T12:00:00Z"


def test_the_issue_and_its_stories_are_items_and_are_known_again(known: sqlite3.Connection) -> None:
    assert saved(known, LETTER, sections.split(ISSUE, TWO)) == (3, 0)
    assert saved(known, LETTER, sections.split(ISSUE, TWO), LATER) == (0, 0)
    assert {key for (key,) in stored(known, "items.key")} == {
        "url:https://letter.example/p/41",
        "url:https://letter.example/p/41#:~:text=Agents%20sleep%20well%20at%20night",
        "url:https://letter.example/p/41#:~:text=A%20second%20story%20of%20the%20week",
    }


def test_stories_stay_the_same_when_the_issue_is_edited_and_reordered(known: sqlite3.Connection) -> None:
    saved(known, LETTER, sections.split(ISSUE, TWO))
    edited = story("A third comes on top", "https://lab.example/3") + story(
        "A second story of the week", "https://arxiv.org/abs/2606.00009"
    )
    edited += story("Agents sleep well at night", words="Other words, and still enough of them to be a story.")
    assert saved(known, LETTER, sections.split(ISSUE, edited), LATER) == (1, 2)  # the issue names its stories
    assert len(stored(known)) == 4
    ((body, revision),) = stored(known, "body, revision", "items.title = 'Agents sleep well at night'")
    assert (str(body)[:11], revision) == ("Other words", 1)


def test_an_issue_that_was_stored_whole_stays_the_item_it_is(known: sqlite3.Connection) -> None:
    saved(known, LETTER, [ISSUE])
    assert saved(known, LETTER, sections.split(ISSUE, "<p>Hello.</p>" + TWO), LATER) == (2, 1)
    assert stored(known, "body", "items.key = 'url:https://letter.example/p/41'") == [("Hello.",)]
    assert saved(known, LETTER, [ISSUE], LAST) == (0, 1)  # and if it is whole again
    assert len(stored(known)) == 3


def test_an_issue_without_a_guid_meets_those_who_link_to_it(known: sqlite3.Connection) -> None:
    saved(known, LETTER, sections.split(replace(ISSUE, guid=None), TWO))
    assert saved(known, NEWS, [Entry("A letter on sleep", "https://letter.example/p/41?utm_source=x", "n1")], LATER) == (0, 0)
    assert saved(known, NEWS, [Entry("One of its stories", "https://letter.example/p/41#agents", "n2")], LATER) == (0, 0)


def test_a_post_that_a_story_leads_to_keeps_its_own_words(known: sqlite3.Connection) -> None:
    linked = "".join(
        f'<article><a href="https://lab.example/{n}"><h3>Their post number {n}</h3></a><p>Our words.</p></article>' for n in range(3)
    )
    assert saved(known, LETTER, sections.split(ISSUE, linked)) == (4, 0)
    assert saved(known, LAB, [Entry("Post 1", "https://lab.example/1", "l1", "Their words.")], LATER) == (1, 0)
    assert stored(known, "items.title, body", "source = 'lab'") == [("Post 1", "Their words.")]
    assert saved(known, LETTER, sections.split(ISSUE, linked.replace("Our words", "Our other words")), LAST) == (0, 3)
    assert stored(known, "items.title, body", "source = 'lab'") == [("Post 1", "Their words.")]


def test_whoever_a_story_leads_to_the_newsletter_is_press() -> None:
    tagger = LabTagger([Lab("openai", "OpenAI", "frontier", hosts=("openai.com",))])
    linked = "".join(f'<h3><a href="https://openai.com/{n}">OpenAI says {n}</a></h3>' for n in range(3))
    for number, entry in enumerate(sections.split(ISSUE, linked)[1:]):
        item = Item(1, f"url:{entry.url}", "letter", entry.url, entry.title)
        assert origin(item.key, item.url, "press", tagger.lab_of_url) == "press"
        assert "by" not in {found.relation for found in tagger.tag([item])[0]}
        assert entry.links == (f"url:https://openai.com/{number}",)


def test_a_story_may_join_others_its_issue_never_does() -> None:
    issue = Item(1, "url:a", "b", "https://bundle.example/the-batch/issue-12", "Agents that sleep learn more")
    assert stands_alone(issue)
    assert not stands_alone(replace(issue, url=f"{issue.url}#:~:text=Agents%20that%20sleep"))


def test_a_story_joins_the_paper_it_leads_to(known: sqlite3.Connection) -> None:
    paper = Entry("Agents That Sleep at Night", "https://arxiv.org/abs/2606.00009", own_key="arxiv:2606.00009", published_at=NOW)
    saved(known, NEWS, [paper])
    saved(known, LETTER, sections.split(ISSUE, story("Agents sleep at last", "https://arxiv.org/abs/2606.00009") + story("Another story")))
    with store.transaction(known):
        known.execute("UPDATE pending SET stage = 'group'")  # as tagging does
    list(group.group(known, now=datetime(2026, 6, 12, 6, tzinfo=UTC)))
    joined = "SELECT group_concat(title, ' + ') FROM story_items JOIN items ON id = item GROUP BY story ORDER BY min(item)"
    assert {titles for (titles,) in known.execute(joined)} == {
        "Letter #41",
        "Another story",
        "Agents That Sleep at Night + Agents sleep at last",
    }
