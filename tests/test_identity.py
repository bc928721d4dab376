"""Identity: what the same thing is, told as stories of polls; each goes through ``store.items.save`` as a real poll does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import NOW
from tracker import store
from tracker.store import items, sources, transaction
from tracker.types import Entry, Source

BLOG = Source("blog", "feed", "https://lab.example/feed", "Lab", lab="openai", origin="official")
MIRROR = replace(BLOG, id="mirror", url="https://mirror.example/feed", role="mirror")
PRESS = Source("press", "feed", "https://press.example/feed", "Press")
API = Source("api", "arxiv", "https://export.arxiv.org/api/query?search_query=cat%3Acs.AI", "API", origin="paper")
RSS = Source("rss", "feed", "https://rss.arxiv.org/rss/cs.AI", "Announcements", origin="paper")
ALL = (BLOG, MIRROR, PRESS, API, RSS)

DAY = "2026-06-11T09:00:00Z"


def entry(title: str = "A post", url: str | None = "https://lab.example/a", guid: str | None = "g1", **facts: object) -> Entry:
    return Entry(title, url, guid, **({"published_at": DAY, "text": "Words."} | facts))  # type: ignore[arg-type]


@pytest.fixture
def known(db: sqlite3.Connection) -> sqlite3.Connection:
    with store.transaction(db):
        sources.sync(db, ALL, NOW)
    return db


def poll(
    db: sqlite3.Connection, source: Source, *entries: Entry, now: str = NOW, first: bool = False, old_before: str | None = None
) -> items.Saved:
    with store.transaction(db):
        return items.save(db, source, entries, now=now, first=first, old_before=old_before)


def rows(db: sqlite3.Connection, columns: str = "title") -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(f"SELECT {columns} FROM items ORDER BY id")]


def count(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@contextmanager
def writes(db: sqlite3.Connection) -> Iterator[list[str]]:
    """The statements that change rows, as SQLite runs them while the block lasts."""
    seen: list[str] = []
    db.set_trace_callback(lambda sql: seen.append(sql) if sql.lstrip()[:6].upper() in ("INSERT", "UPDATE", "DELETE", "REPLAC") else None)
    try:
        yield seen
    finally:
        db.set_trace_callback(None)


# -- the same entry again -------------------------------------------------------------------------------

POST = entry()
SAME = {
    # what the second poll says instead: still one item
    "nothing changed": POST,
    "the guid is new": replace(POST, guid="g2"),
    "the guid is gone": replace(POST, guid=None),
    "the URL is new, the guid stays": replace(POST, url="https://lab.example/moved/a"),
    "the URL is gone": replace(POST, url=None),
    "guid and URL are new, title and day stay": replace(POST, url="https://lab.example/b", guid="g2"),
    "guid and URL are new, the title is spelled otherwise": replace(POST, url="https://lab.example/b", guid="g2", title="  A “post”! "),
    "guid and URL are new, the hour moved": replace(POST, url="https://lab.example/b", guid="g2", published_at="2026-06-11T23:00:00Z"),
    "http instead of https": replace(POST, url="http://lab.example/a", guid="http://lab.example/a"),
    "www in front": replace(POST, url="https://www.lab.example/a", guid="g2"),
    "a slash at the end": replace(POST, url="https://lab.example/a/", guid="g2"),
    "utm parameters": replace(POST, url="https://lab.example/a?utm_source=rss&utm_medium=feed", guid="g2"),
    "a fragment": replace(POST, url="https://lab.example/a#atom-everything", guid="g2"),
    "the title is edited": replace(POST, title="A better post"),
    "the text is edited": replace(POST, text="Other words."),
    "the date moved": replace(POST, published_at="2026-06-12T01:00:00Z"),
    "the date is gone": replace(POST, published_at=None),
    "everything but the URL": entry("Another title", guid="g9", published_at="2026-06-12T01:00:00Z", text="Other."),
    "everything but the guid": entry("Another title", "https://lab.example/z", published_at="2026-06-12T01:00:00Z", text="Other."),
}


@pytest.mark.parametrize("again", SAME.values(), ids=SAME)
def test_f58_one_item_when(known: sqlite3.Connection, again: Entry) -> None:
    assert poll(known, BLOG, POST).new == 1
    key = rows(known, "id, key")
    assert poll(known, BLOG, again, now="2026-06-12T12:00:00Z").new == 0
    assert rows(known, "id, key") == key
    assert poll(known, BLOG, POST, now="2026-06-12T18:00:00Z").new == 0  # and back


OTHER = {
    "another title, guid and URL": entry("Another post", "https://lab.example/b", "g2"),
    "the same title on another day: a weekly": entry("A post", "https://lab.example/b", "g2", published_at="2026-06-18T09:00:00Z"),
    "the same title, no date": entry("A post", "https://lab.example/b", "g2", published_at=None),
    "another parameter that matters": entry("Other", "https://lab.example/a?p=2", "g2"),
    "another case of the path": entry("Other", "https://lab.example/A", "g2"),
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_two_items_when(known: sqlite3.Connection, other: Entry) -> None:
    poll(known, BLOG, POST)
    assert poll(known, BLOG, other, now="2026-06-12T12:00:00Z").new == 1
    assert count(known, "items") == 2


def test_every_guid_and_url_of_a_feed_changes_and_no_item_is_new(known: sqlite3.Connection) -> None:
    poll(known, BLOG, *[entry(f"Post {n}", f"https://lab.example/{n}", f"old-{n}") for n in range(20)])
    moved = [entry(f"Post {n}", f"https://new.example/p/{n}", f"new-{n}") for n in range(20)]
    assert poll(known, BLOG, *moved, now="2026-06-12T12:00:00Z").new == 0
    assert count(known, "items") == 20


def test_a_guid_belongs_to_its_source(known: sqlite3.Connection) -> None:
    poll(known, BLOG, entry("A", "https://lab.example/a", "1"))
    assert poll(known, PRESS, entry("B", "https://press.example/b", "1")).new == 1


def test_a_title_belongs_to_its_source(known: sqlite3.Connection) -> None:
    poll(known, BLOG, entry("Introducing X", "https://lab.example/a", "1"))
    assert poll(known, PRESS, entry("Introducing X", "https://press.example/b", "2")).new == 1


# -- entries of one document ------------------------------------------------------------------------------


def test_f56_the_same_guid_on_all_items_identifies_none(known: sqlite3.Connection) -> None:
    first = [entry(f"Post {n}", f"https://lab.example/{n}", "same") for n in range(3)]
    assert poll(known, BLOG, *first).new == 3
    assert {row[0] for row in known.execute("SELECT guid FROM sightings")} == {None}
    assert poll(known, BLOG, *first, now="2026-06-12T12:00:00Z").new == 0
    alone = entry("Post 3", "https://lab.example/3", "same")
    assert poll(known, BLOG, alone, now="2026-06-13T12:00:00Z").new == 1  # though here it is the only one that carries the guid
    assert count(known, "items") == 4


def test_f57_no_guid_no_link_no_date_are_told_apart_by_content(known: sqlite3.Connection) -> None:
    bare = [Entry("Same title", text=text) for text in ("one", "two", "three")]
    assert poll(known, BLOG, *bare).new == 3
    assert poll(known, BLOG, *reversed(bare), now="2026-06-12T12:00:00Z").new == 0
    assert all(str(key).startswith("hash:blog:") for (key,) in rows(known, "key"))


def test_an_entry_listed_twice_is_one_item_with_its_url_as_key(known: sqlite3.Connection) -> None:
    assert poll(known, BLOG, POST, POST).new == 1
    assert rows(known, "key") == [("url:https://lab.example/a",)]
    assert poll(known, BLOG, POST, now="2026-06-12T12:00:00Z").new == 0


def test_a_paper_under_two_addresses_in_one_document_is_one_item(known: sqlite3.Connection) -> None:
    twice = [
        entry("Paper", "https://arxiv.org/abs/2606.01234", "a", own_key="arxiv:2606.01234"),
        entry("Paper (pdf)", "https://arxiv.org/pdf/2606.01234", "b", own_key="arxiv:2606.01234"),
    ]
    assert poll(known, RSS, *twice).new == 1
    assert rows(known) == [("Paper",)]


def test_two_entries_of_one_title_and_day_in_one_document_stay_two(known: sqlite3.Connection) -> None:
    pair = [entry("Update", "https://lab.example/u1", "1", text="a"), entry("Update", "https://lab.example/u2", "2", text="b")]
    assert poll(known, BLOG, *pair).new == 2
    moved = [replace(e, url=f"{e.url}/moved", guid=f"moved-{e.guid}") for e in pair]
    poll(known, BLOG, *moved, now="2026-06-12T12:00:00Z")
    assert count(known, "items") >= 2  # two in the document: never folded into one
    assert len({item for (item,) in known.execute("SELECT item FROM item_keys WHERE key LIKE '%/moved'")}) == 2


def test_changelog_entries_that_differ_only_in_the_fragment_stay_apart(known: sqlite3.Connection) -> None:
    log = [entry(f"v1.{n}", f"https://lab.example/changelog#v1-{n}", None, published_at=None, text=f"{n}") for n in range(3)]
    assert poll(known, BLOG, *log).new == 3
    assert poll(known, BLOG, *log, now="2026-06-12T12:00:00Z").new == 0
    assert rows(known, "key")[0] == ("url:https://lab.example/changelog#v1-2",)


def test_a_changelog_entry_is_known_again_when_the_document_grows_or_shrinks(known: sqlite3.Connection) -> None:
    log = [entry(f"v1.{n}", f"https://lab.example/changelog#v1-{n}", None, published_at=None, text=f"{n}") for n in range(3)]
    assert poll(known, BLOG, log[0]).new == 1
    assert poll(known, BLOG, log[1], log[0], now="2026-06-12T12:00:00Z").new == 1
    assert poll(known, BLOG, log[2], log[1], now="2026-06-13T12:00:00Z").new == 1
    assert poll(known, BLOG, log[2], entry("Else", "https://lab.example/else"), now="2026-06-14T12:00:00Z").new == 1
    assert [title for (title,) in rows(known)] == ["v1.0", "v1.1", "v1.2", "Else"]


PLACES = {
    # of one page, listed one at a time: what stands in the second document, and how many items there are then
    "another place, guid and title": (("B", "#b", "b"), 2),
    "another place and title, no guid": (("B", "#b", None), 2),
    "another place, the same guid": (("B", "#b", "a"), 1),
    "another place, the same title": (("a!", "#b", "b"), 1),
    "the same place": (("B", "#a", "b"), 1),
    "the page itself": (("B", "", "b"), 1),
}


@pytest.mark.parametrize(("told", "expected"), PLACES.values(), ids=PLACES)
def test_a_changelog_that_lists_one_entry_at_a_time(known: sqlite3.Connection, told: tuple[str, str, str | None], expected: int) -> None:
    log = "https://lab.example/changelog"
    first = entry("A", f"{log}#a", "a", published_at=None)
    second = entry(told[0], f"{log}{told[1]}", told[2], published_at=None)
    poll(known, BLOG, first)
    poll(known, BLOG, second, now="2026-06-12T12:00:00Z")
    assert count(known, "items") == expected
    beside = [(second, first)] if told[1] == "#b" and expected == 2 else []
    for hour, again in enumerate([(second,), *beside, (first,)]):  # each of them is known again, alone and beside the other
        assert poll(known, BLOG, *again, now=f"2026-06-13T1{hour}:00:00Z").new == 0


def test_of_a_changelog_that_lists_one_entry_at_a_time_none_is_lost(known: sqlite3.Connection) -> None:
    for n in range(5):
        assert poll(known, BLOG, entry(f"v{n}", f"https://lab.example/log#v{n}", f"g{n}"), now=f"2026-06-12T1{n}:00:00Z").new == 1
    assert [title for (title,) in rows(known)] == [f"v{n}" for n in range(5)]
    retold = entry("v2, corrected", "https://lab.example/log#v2-corrected", "g2")
    assert poll(known, BLOG, retold, now="2026-06-13T10:00:00Z").new == 0  # the guid says which


def test_two_places_of_a_page_that_two_sources_name_are_one_page(known: sqlite3.Connection) -> None:
    poll(known, BLOG, entry("A", "https://lab.example/post#comments", "a"))
    assert poll(known, PRESS, entry("Look", "https://lab.example/post#results", "p"), now="2026-06-12T12:00:00Z").new == 0


def test_guids_that_are_positions_do_not_swallow_new_entries(known: sqlite3.Connection) -> None:
    first = [entry(f"Post {n}", f"https://lab.example/{n}", f"{position}") for position, n in enumerate((2, 1))]
    poll(known, BLOG, *first)
    second = [entry(f"Post {n}", f"https://lab.example/{n}", f"{position}") for position, n in enumerate((3, 2, 1))]
    assert poll(known, BLOG, *second, now="2026-06-12T12:00:00Z").new == 1
    assert rows(known, "title, url, revision") == [
        ("Post 1", "https://lab.example/1", 0),
        ("Post 2", "https://lab.example/2", 0),
        ("Post 3", "https://lab.example/3", 0),
    ]


# -- changes ------------------------------------------------------------------------------------------------


def test_f59_dates_that_move_on_every_poll_make_no_revision(known: sqlite3.Connection) -> None:
    for hour in range(10, 20):
        poll(known, BLOG, replace(POST, published_at=f"2026-06-12T{hour}:00:00Z"), now=f"2026-06-12T{hour}:30:00Z")
    assert rows(known, "published_at, revision") == [("2026-06-12T10:00:00Z", 0)]
    assert count(known, "revisions") == 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda n: {"text": f"{n} minutes ago"}, 1),
        (lambda n: {"title": f"Post, {n} minutes ago"}, items.MAX_REVISIONS),
        (lambda n: {"url": f"https://lab.example/{n}"}, items.MAX_REVISIONS),
    ],
    ids=["the summary", "the title", "the URL"],
)
def test_f59_what_moves_on_every_poll_is_one_item_with_few_revisions(known: sqlite3.Connection, change: object, told: int) -> None:
    for n in range(items.MAX_REVISIONS + 10):
        poll(known, BLOG, replace(POST, **change(n)), now=f"2026-06-12T{n // 60:02}:{n % 60:02}:00Z")  # type: ignore[operator]
    assert rows(known, "revision") == [(items.MAX_REVISIONS,)]
    assert count(known, "revisions") == told


def test_a_revision_keeps_what_was_said_before_and_asks_for_new_tags(known: sqlite3.Connection) -> None:
    poll(known, BLOG, POST)
    known.execute("DELETE FROM pending")
    saved = poll(known, BLOG, replace(POST, title="A better post", text="Other."), now="2026-06-12T12:00:00Z")
    assert (saved.new, saved.changed) == (0, 1)
    assert [tuple(row) for row in known.execute("SELECT at, what, old FROM revisions ORDER BY what")] == [
        ("2026-06-12T12:00:00Z", "text", "Words."),
        ("2026-06-12T12:00:00Z", "title", "A post"),
    ]
    assert [tuple(row) for row in known.execute("SELECT title, body FROM texts")] == [("A better post", "Other.")]
    assert rows(known, "title, revision") == [("A better post", 1)]
    assert count(known, "pending WHERE stage = 'tag'") == 1
    found = known.execute("SELECT count(*) FROM texts_fts WHERE texts_fts MATCH 'better'").fetchone()
    assert found[0] == 1


def test_what_is_missing_later_is_kept(known: sqlite3.Connection) -> None:
    poll(known, BLOG, entry(authors=("Ada",)))
    assert poll(known, BLOG, entry(text="", published_at=None, url=None), now="2026-06-12T12:00:00Z").changed == 0
    assert rows(known, "url, published_at, authors") == [("https://lab.example/a", DAY, "Ada")]


def test_a_date_that_comes_late_is_taken(known: sqlite3.Connection) -> None:
    poll(known, BLOG, replace(POST, published_at=None, published_raw="soon"))
    poll(known, BLOG, POST, now="2026-06-12T12:00:00Z")
    assert rows(known, "published_at, revision") == [(DAY, 0)]


def test_f60_order_and_windows_change_nothing(known: sqlite3.Connection) -> None:
    posts = [entry(f"Post {n}", f"https://lab.example/{n}", f"{n}") for n in range(6)]
    assert poll(known, BLOG, *posts).new == 6
    for hour, shown in enumerate((posts[::-1], posts[2:4], posts[4:] + posts[:1], posts)):
        saved = poll(known, BLOG, *shown, now=f"2026-06-13T{hour:02}:00:00Z")
        assert (saved.new, saved.changed) == (0, 0)
    assert count(known, "items") == 6


@pytest.mark.parametrize("order", [1, -1], ids=["as listed", "backwards"])
def test_an_unchanged_document_writes_nothing(known: sqlite3.Connection, order: int) -> None:
    posts = [entry(f"Post {n}", f"https://lab.example/{n}", f"{n}", links=("arxiv:2606.00001",)) for n in range(30)]
    poll(known, BLOG, *posts)
    before = known.total_changes
    with writes(known) as seen:
        poll(known, BLOG, *posts[::order], now="2026-06-12T12:00:00Z")
    assert (seen, known.total_changes - before) == ([], 0)


def test_the_counter_of_writes_counts(known: sqlite3.Connection) -> None:
    with writes(known) as seen:
        poll(known, BLOG, POST)
    assert any("INSERT INTO items" in sql for sql in seen)


# -- several sources -------------------------------------------------------------------------------------

PAPER = "arxiv:2606.01234"
SEEN_BY = {
    "api": (API, entry("On agents", "https://arxiv.org/abs/2606.01234", None, own_key=PAPER, version=1)),
    "rss": (RSS, entry("On agents", "https://arxiv.org/abs/2606.01234", "oai:arXiv.org:2606.01234v1", own_key=PAPER, version=1)),
    "press": (PRESS, entry("On agents (PDF)", "https://arxiv.org/pdf/2606.01234v1.pdf", "p1", own_key=PAPER, text="A link.")),
}


@pytest.mark.parametrize(
    "order",
    [("api", "rss", "press"), ("press", "rss", "api"), ("rss", "api", "press"), ("press", "api", "rss")],
    ids=" → ".join,
)
def test_f62_one_paper_from_api_feed_and_press_is_one_item_with_three_sightings(known: sqlite3.Connection, order: Sequence[str]) -> None:
    new = [poll(known, *SEEN_BY[name], now=f"2026-06-12T0{hour}:00:00Z").new for hour, name in enumerate(order)]
    assert new == [1, 0, 0]
    assert rows(known, "key, source, title") == [(PAPER, "api", "On agents")]
    assert {row[0] for row in known.execute("SELECT source FROM sightings")} == {"api", "rss", "press"}


def test_f61_v1_and_v2_are_one_item_with_a_version_and_a_revision(known: sqlite3.Connection) -> None:
    source, v1 = SEEN_BY["api"]
    poll(known, source, v1)
    poll(known, source, replace(v1, version=2, text="Revised.", authors=("Ada", "Grace")), now="2026-07-01T12:00:00Z")
    assert rows(known, "key, version, revision, authors") == [(PAPER, 2, 1, "Ada; Grace")]
    assert [tuple(row) for row in known.execute("SELECT what, old FROM revisions ORDER BY what")] == [("text", "Words."), ("version", "1")]
    poll(known, source, replace(v1, version=None, text="Revised."), now="2026-07-02T12:00:00Z")
    assert rows(known, "version") == [(2,)]


def test_a_version_is_taken_even_of_an_item_that_changes_all_the_time(known: sqlite3.Connection) -> None:
    source, v1 = SEEN_BY["api"]
    poll(known, source, v1)
    known.execute("UPDATE items SET revision = ?", (items.MAX_REVISIONS,))
    poll(known, source, replace(v1, version=2, text="Revised."), now="2026-07-01T12:00:00Z")
    assert rows(known, "version") == [(2,)]


def test_the_labs_own_page_takes_over_from_its_mirror(known: sqlite3.Connection) -> None:
    poll(known, MIRROR, entry("A post|News|2026", published_at="2026-06-11T00:00:00Z"))
    known.execute("DELETE FROM pending")
    assert poll(known, BLOG, POST, now="2026-06-12T12:00:00Z").new == 0
    assert rows(known, "source, title, published_at") == [("blog", "A post", DAY)]
    assert count(known, "pending WHERE stage = 'tag'") == 1
    poll(known, MIRROR, entry("A post|News|2027"), now="2026-06-12T18:00:00Z")  # and keeps it
    assert rows(known, "source, title") == [("blog", "A post")]
    assert count(known, "sightings") == 2


def test_the_lab_takes_over_even_what_a_link_post_has_worn_out(known: sqlite3.Connection) -> None:
    poll(known, PRESS, entry("Wow"))
    known.execute("UPDATE items SET revision = ?", (items.MAX_REVISIONS,))
    poll(known, BLOG, POST, now="2026-06-12T12:00:00Z")
    assert rows(known, "source, title") == [("blog", "A post")]


def test_a_source_that_takes_over_with_the_same_words_asks_for_new_tags(known: sqlite3.Connection) -> None:
    poll(known, PRESS, POST)
    known.execute("DELETE FROM pending")
    poll(known, BLOG, POST, now="2026-06-12T12:00:00Z")
    assert rows(known, "source, revision") == [("blog", 0)]
    assert count(known, "pending WHERE stage = 'tag'") == 1  # a lab's source declares whose it is: the tags of before do not know


def test_a_link_post_never_overwrites_the_labs_own_title(known: sqlite3.Connection) -> None:
    poll(known, BLOG, POST)
    saved = poll(known, PRESS, entry("You will not believe this", guid="p", text="Short."), now="2026-06-12T12:00:00Z")
    assert (saved.new, saved.changed) == (0, 0)
    assert rows(known, "source, title, published_at") == [("blog", "A post", DAY)]
    assert [tuple(row) for row in known.execute("SELECT body FROM texts")] == [("Words.",)]


@pytest.mark.parametrize("order", [1, -1], ids=["first", "second"])
def test_of_two_equal_sources_the_one_whose_id_comes_first_has_the_say_and_keeps_it(known: sqlite3.Connection, order: int) -> None:
    second = replace(BLOG, id="blog-2", url="https://lab.example/all")
    with store.transaction(known):
        sources.sync(known, (*ALL, second), NOW)
    for hour, (source, listed) in enumerate([(BLOG, POST), (second, entry("A post | Lab"))][::order]):
        poll(known, source, listed, now=f"2026-06-12T0{hour}:00:00Z")
    poll(known, second, entry("A post | The lab"), now="2026-06-12T12:00:00Z")
    assert rows(known, "source, title") == [("blog", "A post")]


def test_a_new_version_is_told_of_a_paper_that_the_lab_itself_lists(known: sqlite3.Connection) -> None:
    source, v1 = SEEN_BY["api"]
    poll(known, source, v1)
    poll(known, BLOG, entry("Our paper", "https://arxiv.org/abs/2606.01234", own_key=PAPER, text="Read it."))
    assert rows(known, "source, title, version") == [("blog", "Our paper", 1)]
    saved = poll(known, source, replace(v1, version=2, text="New."), now="2026-07-01T12:00:00Z")
    assert (saved.new, saved.changed) == (0, 1)
    assert rows(known, "source, title, version") == [("blog", "Our paper", 2)]
    assert [tuple(row) for row in known.execute("SELECT body FROM texts")] == [("New.",)]
    assert {("version", "1"), ("text", "Read it.")} <= {tuple(row) for row in known.execute("SELECT what, old FROM revisions")}


def test_a_mirrors_longer_text_stands_whichever_mirror_is_first_and_a_link_posts_never(known: sqlite3.Connection) -> None:
    for hour, (source, text) in enumerate([(MIRROR, "Short."), (PRESS, "A long word about it, by others."), (BLOG, "The post, whole.")]):
        poll(known, source, entry(text=text), now=f"2026-06-12T0{hour}:00:00Z")
    poll(known, MIRROR, entry(text="The post, whole, and more."), now="2026-06-12T12:00:00Z")
    assert rows(known, "source, title") == [("blog", "A post")]
    assert [tuple(row) for row in known.execute("SELECT body FROM texts")] == [("The post, whole, and more.",)]


def test_a_constant_guid_with_a_new_url_on_every_poll_is_one_item_with_a_bounded_number_of_keys(known: sqlite3.Connection) -> None:
    for n in range(items.MAX_KEYS + 30):
        links = tuple(f"url:https://press.example/{n}/{link}" for link in range(20))
        poll(known, BLOG, replace(POST, url=f"https://lab.example/s/{n}", links=links), now=f"2026-06-12T{n // 60:02}:{n % 60:02}:00Z")
    assert count(known, "items") == 1
    assert count(known, "item_keys") == items.MAX_KEYS
    assert count(known, "links") == items.MAX_LINKS
    assert count(known, "item_keys WHERE key = 'url:https://lab.example/s/0'") == 1
    poll(known, BLOG, replace(POST, url="https://arxiv.org/abs/2606.01234", own_key=PAPER), now="2026-06-13T12:00:00Z")
    assert count(known, f"item_keys WHERE key = '{PAPER}'") == 1, "a paper's key is never too many"


@pytest.mark.parametrize("length", range(1940, 2040, 5))
def test_an_address_that_its_fragment_makes_too_long_is_a_page(known: sqlite3.Connection, length: int) -> None:
    url = "https://lab.example/log#" + "é" * ((length - 24) // 6) + "x" * 7
    assert poll(known, BLOG, entry(url=url, guid=None), entry("Other", url=f"{url}2", guid=None)).new == 2
    assert poll(known, BLOG, entry(url=url, guid=None), now="2026-06-12T12:00:00Z").new == 0


# -- keys, links, queue -------------------------------------------------------------------------------------


def test_every_key_is_remembered_and_the_first_stays(known: sqlite3.Connection) -> None:
    poll(known, BLOG, POST)
    poll(known, BLOG, replace(POST, url="https://lab.example/moved"), now="2026-06-12T12:00:00Z")
    assert rows(known, "key, url") == [("url:https://lab.example/a", "https://lab.example/moved")]
    keys = {row[0] for row in known.execute("SELECT key FROM item_keys")}
    assert {"url:https://lab.example/a", "url:https://lab.example/moved"} <= keys


def test_links_are_kept_once_and_none_to_itself(known: sqlite3.Connection) -> None:
    links = (PAPER, "url:https://lab.example/a", PAPER)
    poll(known, BLOG, entry(links=links))
    assert [tuple(row) for row in known.execute("SELECT key FROM links")] == [(PAPER,)]


def test_new_items_wait_for_tags(known: sqlite3.Connection) -> None:
    poll(known, BLOG, POST)
    (waiting,) = items.pending(known, "tag", 10)
    assert (waiting.key, waiting.title, waiting.text, waiting.lab) == ("url:https://lab.example/a", "A post", "Words.", "openai")
    assert items.pending(known, "tag", 10, after=waiting.id) == []
    # Queued by a clock that ran ahead, read after it was set right: work like any other.
    assert items.pending(known, "tag", 10) == [waiting]
    assert items.pending(known, "group", 10) == []


# -- backlog and ids ------------------------------------------------------------------------------------------

BACKLOG = {
    # name: (first, old_before, published_at) → (backlog, day of the id)
    "of the first poll, dated": ((True, None, "2026-03-01T10:00:00Z"), (1, "20260301")),
    "of the first poll, undated": ((True, None, None), (1, "20260612")),
    "of the first poll, dated tomorrow by its time zone": ((True, None, "2026-06-13T01:00:00Z"), (1, "20260612")),
    "of a later poll": ((False, "2026-05-28T00:00:00Z", DAY), (0, "20260612")),
    "of a later poll, undated": ((False, "2026-05-28T00:00:00Z", None), (0, "20260612")),
    "of a later poll, from the archive": ((False, "2026-05-28T00:00:00Z", "2026-05-27T23:59:59Z"), (1, "20260527")),
    "of a later poll, 14 days old": ((False, "2026-05-28T00:00:00Z", "2026-05-28T00:00:00Z"), (0, "20260612")),
}


@pytest.mark.parametrize(("told", "expected"), BACKLOG.values(), ids=BACKLOG)
def test_an_item_is_backlog_or_news(
    known: sqlite3.Connection, told: tuple[bool, str | None, str | None], expected: tuple[int, str]
) -> None:
    first, old_before, published = told
    poll(known, BLOG, replace(POST, published_at=published), first=first, old_before=old_before)
    ((identifier, backlog),) = rows(known, "id, backlog")
    assert (backlog, str(identifier)[:8]) == expected
    assert len(str(identifier)) == 14


def test_ids_are_in_the_order_of_news(known: sqlite3.Connection) -> None:
    listed = [entry(f"Post {n}", f"https://lab.example/{n}", f"{n}") for n in (3, 2, 1)]  # newest first, as feeds are
    poll(known, BLOG, *listed)
    poll(known, PRESS, entry("Post 4", "https://press.example/4"))
    poll(known, PRESS, entry("Post 5", "https://press.example/5", "g5"), now="2026-06-13T06:00:00Z")
    assert rows(known, "title, id") == [
        ("Post 1", 20260612000001),
        ("Post 2", 20260612000002),
        ("Post 3", 20260612000003),
        ("Post 4", 20260612000004),
        ("Post 5", 20260613000001),
    ]


def test_a_big_page_is_stored_whole(known: sqlite3.Connection) -> None:
    many = [entry(f"Post {n}", f"https://lab.example/{n}", f"{n}", published_at=None) for n in range(1_000)]
    assert poll(known, BLOG, *many).new == 1_000  # more than SQLite may bind in one query
    assert poll(known, BLOG, *many).new == 0


# -- any sequence of polls --------------------------------------------------------------------------------

UNIVERSE = [
    entry(f"Paper {n}" if own else f"Post {n % 2}", url, guid, own_key=own, version=version, text=f"{text}")
    for n, (own, url, guid, version, text) in enumerate(
        [
            (PAPER, "https://arxiv.org/abs/2606.01234", None, 1, "a"),
            (PAPER, "https://arxiv.org/abs/2606.01234v2", "oai:arXiv.org:2606.01234v2", 2, "b"),
            (PAPER, "https://press.example/paper", "g1", None, "c"),
            ("arxiv:2606.05678", "https://arxiv.org/abs/2606.05678", "g1", 1, "a"),
            ("doi:10.1000/x", "https://doi.org/10.1000/x", "g2", None, "a"),
            (None, "https://arxiv.org/abs/2606.05678", "g3", None, "d"),
            (None, "https://lab.example/a", "g1", None, "a"),
            (None, "http://www.lab.example/a/", "g4", None, "a"),
            (None, "https://lab.example/log#1", None, None, "a"),
            (None, "https://lab.example/log#2", None, None, "b"),
            (None, None, None, None, "x"),
            (None, None, "g1", None, "y"),
        ]
    )
]
POLLS = st.lists(st.tuples(st.sampled_from(ALL), st.lists(st.sampled_from(UNIVERSE), max_size=6), st.booleans()), min_size=1, max_size=6)


@given(POLLS)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_sequence_of_polls_stores_a_paper_twice_and_saving_again_writes_nothing(
    tmp_path: Path, polls: list[tuple[Source, list[Entry], bool]]
) -> None:
    path = tmp_path / "property.db"
    path.unlink(missing_ok=True)
    db = store.open(path, write=True)
    try:
        db.execute("PRAGMA synchronous = OFF")
        with store.transaction(db):
            sources.sync(db, ALL, NOW)
        for number, (source, entries, first) in enumerate(polls):
            now = f"2026-06-{12 + number:02}T06:00:00Z"
            poll(db, source, *entries, now=now, first=first)
            before = db.total_changes
            again = poll(db, source, *entries, now=now, first=first)
            assert (again.new, again.changed, db.total_changes - before) == (0, 0, 0)
        _check(db, {e.own_key for _, entries, _ in polls for e in entries if e.own_key})
    finally:
        db.close()


def _check(db: sqlite3.Connection, papers: set[str | None]) -> None:
    """Every paper is one item; no key leads nowhere; every item is seen, searchable, waiting, and dated by its id."""
    for paper in papers:
        assert db.execute("SELECT count(DISTINCT item) FROM item_keys WHERE key = ?", (paper,)).fetchone()[0] == 1
    assert db.execute("SELECT count(*) FROM items WHERE key NOT IN (SELECT key FROM item_keys WHERE item = items.id)").fetchone()[0] == 0
    for table in ("sightings", "pending", "texts"):
        assert db.execute(f"SELECT count(*) FROM items WHERE id NOT IN (SELECT item FROM {table})").fetchone()[0] == 0
    assert all(20260601 <= identifier // items.IDS_PER_DAY <= 20260630 for (identifier,) in db.execute("SELECT id FROM items"))
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_page_listed_with_and_without_a_slash_in_one_document_is_one_item(db: sqlite3.Connection) -> None:
    both = [
        Entry("Vibe gets to work", "https://lab.example.org/news/vibe", guid="https://lab.example.org/news/vibe"),
        Entry("Vibe gets to work.", "https://lab.example.org/news/vibe/", guid="https://lab.example.org/news/vibe/"),
    ]
    source = Source("lab", "feed", "https://lab.example.org/feed", "Lab")
    for entries in (both[:1], both, both[1:]):
        with transaction(db):
            sources.sync(db, [source], "2026-06-01T00:00:00Z")
            items.save(db, source, entries, now="2026-06-12T06:00:00Z", first=False, old_before=None)
    assert db.execute("SELECT count(*) FROM items").fetchone()[0] == 1


def test_a_pages_line_never_replaces_the_text_that_a_mirror_brought(db: sqlite3.Connection) -> None:
    mirror = Source("mirror", "feed", "https://mirror.example.org/feed", "Mirror", lab="openai", role="mirror")
    page = Source("page", "page", "https://lab.example.org/news", "Page", lab="openai")
    url = "https://lab.example.org/news/x"
    with transaction(db):
        sources.sync(db, [mirror, page], "2026-06-01T00:00:00Z")
        items.save(
            db,
            mirror,
            [Entry("Title", url, text="the whole text of the post, long")],
            now="2026-06-12T06:00:00Z",
            first=False,
            old_before=None,
        )
        items.save(db, page, [Entry("The title", url, text="one line")], now="2026-06-12T07:00:00Z", first=False, old_before=None)
    assert db.execute("SELECT source, texts.title, body FROM items JOIN texts ON item = id").fetchone()[:] == (
        "page", "The title", "the whole text of the post, long",
    )  # fmt: skip


LISTING = Source("page", "page", "https://lab.example/news", "Page", lab="openai")
IN_FULL = entry(text="The whole text of the post, as long as it is.", guid="m1", authors=("Ada",), published_at="2026-06-10T12:00:00Z")


@pytest.mark.parametrize("line", ["", "A line."], ids=["a title alone", "a title and a line"])
@pytest.mark.parametrize("day", [DAY, None], ids=["dated", "undated"])
def test_a_page_and_its_mirror_come_to_the_same_whichever_is_first(
    known: sqlite3.Connection, tmp_path: Path, line: str, day: str | None
) -> None:
    found = []
    for order in ((MIRROR, LISTING), (LISTING, MIRROR)):
        db = store.open(tmp_path / order[0].id / "tracker.db", write=True)
        with store.transaction(db):
            sources.sync(db, (*ALL, LISTING), NOW)
        for hour, source in enumerate(order):
            db.execute("DELETE FROM pending")
            poll(
                db, source, IN_FULL if source is MIRROR else entry(text=line, guid=None, published_at=day), now=f"2026-06-12T0{hour}:00:00Z"
            )
            assert count(db, "pending WHERE stage = 'tag'") == 1, "what there is to read has changed: it is tagged again"
        columns = "key, items.source, url, items.title, body, authors, published_at, content_hash"
        found.append([tuple(row) for row in db.execute(f"SELECT {columns} FROM items JOIN texts ON item = id")])
        db.close()
    assert found[0] == found[1]
    assert found[0][0][4] == IN_FULL.text


def test_the_line_of_a_page_that_a_mirrors_text_replaced_is_kept_as_a_revision(known: sqlite3.Connection) -> None:
    with store.transaction(known):
        sources.sync(known, (*ALL, LISTING), NOW)
    poll(known, LISTING, entry(text="A line.", guid=None))
    saved = poll(known, MIRROR, IN_FULL, now="2026-06-12T12:00:00Z")
    assert (saved.new, saved.changed) == (0, 1)
    assert rows(known, "source, revision") == [("page", 1)]
    assert [tuple(row) for row in known.execute("SELECT what, old FROM revisions")] == [("text", "A line.")]
    with writes(known) as written:
        poll(known, MIRROR, IN_FULL, now="2026-06-12T18:00:00Z")
    assert written == []


def test_a_slash_that_comes_and_goes_is_no_edit(db: sqlite3.Connection) -> None:
    source = Source("lab", "feed", "https://lab.example.org/feed", "Lab")
    for url in ("https://lab.example.org/x", "https://lab.example.org/x/", "https://lab.example.org/x"):
        with transaction(db):
            sources.sync(db, [source], "2026-06-01T00:00:00Z")
            saved = items.save(db, source, [Entry("Title", url)], now="2026-06-12T06:00:00Z", first=False, old_before=None)
    assert (saved.new, saved.changed) == (0, 0)
    assert db.execute("SELECT count(*) FROM revisions").fetchone()[0] == 0
