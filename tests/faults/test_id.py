"""F56–F60, F62: what the same thing is, when guids, links, dates and words are not to be trusted. F61 stands in test_arxiv.py."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from html import escape
from pathlib import Path

import pytest

from tests import servers
from tests.faults.conftest import FIRST, Answer, Faults
from tests.faults.host import PHRASE, Host
from tests.faults.test_xml import rss
from tracker import Tracker, store
from tracker.store.items import IDS_PER_DAY

DAYS = timedelta(days=1)


@dataclass(frozen=True)
class Post:
    """An item of a feed; what is None is not there."""

    n: int
    title: str | None = None
    link: str | None = None
    guid: str | None = None
    permalink: bool | None = False
    date: str | None = None
    text: str | None = None

    @property
    def xml(self) -> str:
        flag = "" if self.permalink is None else f' isPermaLink="{str(self.permalink).lower()}"'
        parts = {"title": self.title, "link": self.link, "pubDate": self.date, "description": self.text}
        inside = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items() if value is not None)
        return f"<item>{inside}{'' if self.guid is None else f'<guid{flag}>{escape(self.guid)}</guid>'}</item>"


def post(n: int) -> Post:
    """A post as it should be."""
    date = f"{n:02} Jun 2026 09:00:00 GMT"
    return Post(n, f"Post {n}", f"https://lab.example/posts/{n}", f"tag:lab.example,2026:{n}", date=date, text=f"The words of post {n}.")


def feed(*posts: Post) -> bytes:
    return rss(*[one.xml for one in posts])


FOUR = [post(n) for n in (4, 3, 2, 1)]


def new(answer: Answer) -> int:
    return answer.polled.new if answer.polled else -1


def known_again(first: Answer, later: Answer) -> None:
    """Assert that the later poll brought nothing new: the same items under the same ids."""
    assert (later.error, new(later)) == ("", 0)
    assert [row["id"] for row in later.items] == [row["id"] for row in first.items]


SAME_GUID: dict[str, Callable[[Post], Post]] = {
    "with links": lambda one: replace(one, guid="1"),
    "without links": lambda one: replace(one, guid="1", link=None),
    "that is the feed's address": lambda one: replace(one, guid="https://lab.example/", permalink=True),
    "that is empty": lambda one: replace(one, guid=""),
    "and titles": lambda one: replace(one, guid="1", title="Post", date=None),
    "and links": lambda one: replace(one, guid="1", link="https://lab.example/", date=None),
}


@pytest.mark.parametrize("spoil", SAME_GUID.values(), ids=SAME_GUID)
def test_F56_the_same_guid_on_all_items(spoil: Callable[[Post], Post], polled: Faults) -> None:
    """the same guid on every item (with or without links, with the same title or link, too) → every item, each once"""
    posts = [spoil(one) for one in FOUR]
    first = polled.answers(feed(*posts))
    assert (first.error, len(first.items)) == ("", 4)
    assert {row["body"] for row in first.items} == {one.text for one in posts}
    known_again(first, polled.answers(feed(*posts[::-1])))
    more = polled.answers(feed(spoil(post(5)), *posts))
    assert new(more) == 1


NAMELESS: dict[str, Callable[[Post], Post]] = {
    "no guid": lambda one: replace(one, guid=None),
    "no guid, no link": lambda one: replace(one, guid=None, link=None),
    "no guid, no link, no date": lambda one: replace(one, guid=None, link=None, date=None),
    "nor a title": lambda one: replace(one, guid=None, link=None, date=None, title=None),
    "nor a text": lambda one: replace(one, guid=None, link=None, date=None, text=None),
    "one title for all": lambda one: replace(one, guid=None, link=None, date=None, title="Update"),
    "a link that runs": lambda one: replace(one, guid=None, link="javascript:void(0)", date=None),
}


@pytest.mark.parametrize("spoil", NAMELESS.values(), ids=NAMELESS)
def test_F57_no_guid_no_link_no_date(spoil: Callable[[Post], Post], polled: Faults) -> None:
    """items without guid, without link, without date, without title → told apart by content, each once"""
    posts = [spoil(one) for one in FOUR]
    first = polled.answers(feed(*posts))
    assert (first.error, len(first.items)) == ("", 4)
    known_again(first, polled.answers(feed(*posts[1:], posts[0])))
    more = polled.answers(feed(spoil(post(5)), *posts[:3]))
    assert new(more) == 1
    assert len(more.items) == 5


CHANGED: dict[str, tuple[Callable[[Post], Post], Callable[[Post], Post]]] = {
    # what the first poll shows, what the second one shows instead
    "guids made anew": (lambda one: one, lambda one: replace(one, guid=f"new-{one.n}")),
    "guids that are gone": (lambda one: one, lambda one: replace(one, guid=None)),
    "guids that were not there": (lambda one: replace(one, guid=None), lambda one: one),
    "guids that are positions": (lambda one: replace(one, guid=f"{5 - one.n}"), lambda one: replace(one, guid=f"{6 - one.n}")),
    "https": (
        lambda one: replace(one, link=f"http://lab.example/posts/{one.n}", guid=None),
        lambda one: replace(one, link=f"https://lab.example/posts/{one.n}", guid=None),
    ),
    "https, in the guid too": (
        lambda one: replace(one, link=None, guid=f"http://lab.example/posts/{one.n}", permalink=True),
        lambda one: replace(one, link=None, guid=f"https://lab.example/posts/{one.n}", permalink=True),
    ),
    "www and a slash": (lambda one: one, lambda one: replace(one, link=f"https://www.lab.example/posts/{one.n}/", guid=None)),
    "utm parameters": (
        lambda one: one,
        lambda one: replace(one, link=f"{one.link}?utm_source=rss&utm_medium=feed&fbclid=x{one.n}#top", guid=f"u{one.n}"),
    ),
    "guids that are links at last": (
        lambda one: replace(one, guid=f"https://lab.example/posts/{one.n}", permalink=False),
        lambda one: replace(one, guid=f"https://lab.example/posts/{one.n}", permalink=True, link=None),
    ),
    "guids that are links no more": (
        lambda one: replace(one, guid=f"https://lab.example/posts/{one.n}", permalink=None, link=None),
        lambda one: replace(one, guid=f"https://lab.example/posts/{one.n}", permalink=False, link=None),
    ),
    "moved, under the old guids": (lambda one: one, lambda one: replace(one, link=f"https://new.example/{one.n}")),
    "moved, under new guids": (lambda one: one, lambda one: replace(one, link=f"https://new.example/{one.n}", guid=f"n{one.n}")),
    "titles edited": (lambda one: one, lambda one: replace(one, title=f"Post {one.n}, with a better title", guid=f"n{one.n}")),
    "no links any more": (lambda one: one, lambda one: replace(one, link=None)),
}


@pytest.mark.parametrize(("before", "after"), CHANGED.values(), ids=CHANGED)
def test_F58_names_that_change(before: Callable[[Post], Post], after: Callable[[Post], Post], polled: Faults) -> None:
    """guids made anew, http→https, `utm_`, `www.`, slashes, `isPermaLink` flipped, moved addresses, edited titles → known items stay one"""
    first = polled.answers(feed(*map(before, FOUR)))
    assert len(first.items) == 4
    second = polled.answers(feed(*map(after, FOUR)))
    known_again(first, second)
    known_again(first, polled.answers(feed(*map(before, FOUR))))
    more = polled.answers(feed(after(post(5)), *map(after, FOUR)))
    assert new(more) == 1


def test_F58_two_addresses_of_a_moved_blog_are_not_mailed_again(tmp_path: Path, web: servers.Server) -> None:
    """a blog that moves, makes all guids anew, then edits all titles → each post is in one digest"""
    host = Host(tmp_path, web)
    posts = [replace(post(n), title=f"Post {n}: {PHRASE}") for n in range(1, 7)]
    host.run(feed(*posts[:2]), FIRST)  # the backlog
    moved = [replace(one, link=f"https://new.example/{one.n}", guid=f"n{one.n}") for one in posts]
    edited = [replace(one, title=f"{one.title}, edited", guid=None) for one in moved]
    for day, document in enumerate((posts[:4], moved[:4], edited[:4], edited[:5], edited), 1):
        host.run(feed(*document), FIRST + day * DAYS)
    assert sum(host.told.values()) == len(host.told) == 4
    assert len(host.mails) == 6


@dataclass
class Moves:
    """A feed in which something moves on every poll."""

    what: Callable[[Post, int], Post]
    kinds: dict[str, int] = field(default_factory=dict)  # rows in revisions of an item at most, by what


MOVING = {
    "dates": Moves(lambda one, n: replace(one, date=f"{one.n + n:02} Jun 2026 {n:02}:00:00 GMT")),
    "dates, none at first": Moves(lambda one, n: replace(one, date=f"12 Jun 2026 {n:02}:00:00 GMT" if n else None)),
    "summaries": Moves(lambda one, n: replace(one, text=f"{n} people like post {one.n}."), {"text": 1}),
    "both": Moves(lambda one, n: replace(one, text=f"{n} likes", date=f"12 Jun 2026 {n:02}:00:00 GMT"), {"text": 1}),
    "links in summaries": Moves(lambda one, n: replace(one, text=f'<a href="https://ad.example/{n}">ad</a> {n}'), {"text": 1}),
}


@pytest.mark.parametrize("moves", MOVING.values(), ids=MOVING)
def test_F59_what_moves_on_every_poll(moves: Moves, polled: Faults) -> None:
    """all dates or all summaries change on every poll → one item each, its first date, one revision row at most"""
    first = polled.answers(feed(*[moves.what(one, 0) for one in FOUR]))
    for n in range(1, 5):
        last = polled.answers(feed(*[moves.what(one, n) for one in FOUR]))
        known_again(first, last)
    told: dict[int, dict[str, int]] = {}
    with closing(store.open(polled.path)) as db:
        for item, what, rows in db.execute("SELECT item, what, count(*) FROM revisions GROUP BY item, what"):
            told.setdefault(item, {})[what] = rows
    assert list(told.values()) == ([moves.kinds] * 4 if moves.kinds else [])
    dates = [row["published_at"] for row in last.items]
    assert dates == [row["published_at"] or "2026-06-12T01:00:00Z" for row in first.items]


def test_F59_what_moves_is_not_mailed_again(tmp_path: Path, web: servers.Server) -> None:
    """a post whose date and summary change on every poll → it is in one digest"""
    host = Host(tmp_path, web)
    host.run(feed(post(1)), FIRST)
    for day in range(1, 6):
        moving = replace(post(2), title=f"Post 2: {PHRASE}", text=f"{day} likes", date=f"{12 + day} Jun 2026 01:00:00 GMT")
        host.run(feed(moving, post(1)), FIRST + day * DAYS)
    assert host.told == {f"Post 2: {PHRASE}": 1}


def test_F60_old_items_windows_and_order(polled: Faults) -> None:
    """old items return, the window slides, the order changes, items are listed twice → each once, under its first id"""
    posts = [replace(post(n), date=f"{n:02} Jun 2026 09:00:00 GMT") for n in range(1, 11)]
    shown = [posts[:4], posts[2:6], posts[3::-1], [*posts[4:8], *posts[:2]], [*posts, *posts[:3]], posts[::-1]]
    ids: dict[str, int] = {}
    for document in shown:
        answer = polled.answers(feed(*document))
        assert answer.error == ""
        for row in answer.items:
            assert ids.setdefault(row["title"], row["id"]) == row["id"]
        assert answer.polled is not None
        assert answer.polled.changed == 0
    assert sorted(ids) == sorted(str(one.title) for one in posts)
    assert len(set(ids.values())) == 10


def test_F60_an_archive_that_returns_is_backlog(polled: Faults) -> None:
    """a feed that suddenly lists what is years old → the items as backlog, none of it news"""
    polled.answers(feed(*FOUR))
    archive = [
        replace(post(n), title=f"Old {n}", link=f"https://lab.example/old/{n}", guid=f"o{n}", date=f"0{n} Jun 2023 09:00:00 GMT")
        for n in (1, 2)
    ]
    answer = polled.answers(feed(post(5), *FOUR, *archive))
    backlog = {row["title"]: (row["backlog"], row["id"] // IDS_PER_DAY) for row in answer.items}
    assert (backlog["Old 1"], backlog["Old 2"]) == ((1, 20230601), (1, 20230602))
    assert backlog["Post 5"] == (0, 20260613)


FIVE = {
    "a": "https://lab.example/posts/1",
    "b": "http://www.lab.example/posts/1/",
    "c": "https://lab.example/posts/1?utm_source=c",
    "d": "https://lab.example/posts/1#comments",
    "e": "HTTPS://LAB.example:443/posts/./1",
}


def test_F62_one_address_in_five_feeds(polled: Faults) -> None:
    """the same address in five feeds, spelled in five ways → one item that names all five sources"""
    answers = polled.each({name: feed(replace(post(1), link=link, guid=name, title=f"As {name} says")) for name, link in FIVE.items()})
    assert len({row["id"] for answer in answers.values() for row in answer.items}) == 1
    assert sorted(map(new, answers.values())) == [0, 0, 0, 0, 1]
    with closing(store.open(polled.path)) as db:
        assert db.execute("SELECT count(*) FROM sightings WHERE source <> 'good'").fetchone()[0] == 5
    assert {answer.titles[0] for answer in answers.values()} == {"As a says"}, "of equals, the first by name has the say"


@pytest.mark.parametrize("order", [("lab", "mirror", "press"), ("press", "mirror", "lab"), ("mirror", "press", "lab")], ids=" → ".join)
def test_F62_a_mirror_and_its_original(order: tuple[str, ...], polled: Faults) -> None:
    """a post in the lab's feed, in its mirror and in a link blog, in any order → one item with the lab's title and date, three sources"""
    keys = {"lab": {"lab": "openai"}, "mirror": {"lab": "openai", "role": "mirror"}, "press": {}}
    told = {
        "lab": post(3),
        "mirror": replace(post(3), title="Jun 3, 2026Post 3", guid="m3", date="04 Jun 2026 09:00:00 GMT"),
        "press": replace(
            post(3), title="Look at this", guid="p3", date="05 Jun 2026 09:00:00 GMT", text="A long comment of a link blog. " * 9
        ),
    }
    for name in order:
        polled.web.serves(f"/{name}", feed(told[name]), {"Content-Type": "application/xml"})
        polled.add(name, url=polled.url(f"/{name}"), every="20h", **keys[name])
        answer = polled.poll(name)
    (row,) = answer.items
    assert (row["source"], row["title"], row["published_at"], row["body"]) == ("lab", "Post 3", "2026-06-03T09:00:00Z", told["lab"].text)
    with closing(store.open(polled.path)) as db:
        assert {source for (source,) in db.execute("SELECT source FROM sightings WHERE item = ?", (row["id"],))} == set(order)


def test_F62_one_development_told_by_two(polled: Faults) -> None:
    """two sources tell of the same thing at two addresses → two items, one story that names both sources"""
    title = "Zephyrine, a model that revises its own memory, is released by Example Lab"
    told = {"one": "https://one.example/a", "two": "https://two.example/b"}
    polled.each({name: feed(replace(post(1), title=title, link=link, guid=name)) for name, link in told.items()})
    with Tracker(polled.home / "feeds.toml", polled.path, now=polled.now) as tracker:
        list(tracker.tag())
        list(tracker.group())
    with closing(store.open(polled.path)) as db:
        stories: list[sqlite3.Row] = db.execute(
            "SELECT story, count(*) AS items FROM story_items JOIN items ON items.id = item WHERE items.title = ? GROUP BY story", (title,)
        ).fetchall()
        assert [row["items"] for row in stories] == [2]
        assert db.execute("SELECT items, sources FROM stories WHERE id = ?", (stories[0]["story"],)).fetchone()[:] == (2, 2)
