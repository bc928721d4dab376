"""In whatever order sources deliver, in one run or in consecutive ones: the same items, the same keys, the same words on them."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker import store
from tracker.store import items, sources
from tracker.types import Entry, Source

HN = Source("hn", "hn", "https://hn.example/api", "Links", origin="community")
PRESS = Source("press", "feed", "https://press.example/feed", "Press", origin="press")
PRESS_2 = Source("another-press", "feed", "https://other.example/feed", "Other press", origin="press")
MIRROR = Source("mirror", "feed", "https://mirror.example/feed", "Mirror", lab="openai", role="mirror", origin="official")
MIRROR_2 = replace(MIRROR, id="a-mirror", url="https://mirror.example/feed2")
API = Source("api", "arxiv", "https://export.arxiv.org/api/query", "arXiv", origin="paper")
PAGE = Source("page", "page", "https://lab.example/news", "Page", lab="openai", origin="official")
FEED = Source("the-feed", "feed", "https://lab.example/feed", "Feed", lab="openai", origin="official")
ALL = (FEED, PAGE, API, MIRROR_2, MIRROR, PRESS_2, PRESS, HN)  # who has the say before whom
OF_THE_LAB = ALL[:5]  # they carry the very post

Told = tuple[tuple[list[str], list[str], tuple[Any, ...]], ...]  # of each item: its keys, its sources, its words

ADDRESSES = ("{0}", "{0}/", "{0}?utm_source=x", "{0}#top")
POSTS = {
    "one": ("https://lab.example/posts/one", None),
    "two": ("https://lab.example/posts/two", None),
    "paper": ("https://arxiv.org/abs/2606.01234", "arxiv:2606.01234"),
}

LISTED = st.dictionaries(
    st.sampled_from(sorted(POSTS)), st.tuples(st.sampled_from(ADDRESSES), st.booleans(), st.booleans()), min_size=1, max_size=2
)
ORDERS = st.lists(st.sampled_from(ALL), min_size=2, max_size=4, unique_by=lambda source: source.id).flatmap(
    lambda chosen: st.tuples(st.permutations(chosen), st.permutations(chosen), st.tuples(*[LISTED for _ in chosen]))
)


def document(source: Source, listed: dict[str, tuple[str, bool, bool]]) -> list[Entry]:
    """The entries of a source: its own spelling, its own day, a text of its own length or none, a guid or none."""
    rank = ALL.index(source)
    return [
        Entry(
            f"Post {name}" if guid else f"A post, {name}, as {source.id} tells it",
            address.format(POSTS[name][0]),
            f"{source.id}-{name}" if guid else None,
            f"{source.id} says of {name}: " + "word " * ((rank * 5) % 8 * 4 + 1) if text else "",
            published_at=f"2026-06-{rank + 1:02}T09:00:00Z",
            own_key=POSTS[name][1],
        )
        for name, (address, guid, text) in listed.items()
    ]


def state(path: Path, documents: dict[str, list[Entry]], order: Sequence[Source], *, one_run: bool) -> Told:
    """What stands in a copy of the database when the sources have delivered in this order, twice."""
    db = store.open(Path(shutil.copy(path, path.with_name("copy.db"))), write=True)
    try:
        db.execute("PRAGMA synchronous = OFF")
        for number, source in enumerate([*order, *order]):
            now = f"2026-06-{20 + (number // len(order) if one_run else number // 3):02}T06:00:00Z"
            with store.transaction(db):
                saved = items.save(db, source, documents[source.id], now=now, first=False, old_before=None)
            assert number < len(order) or (saved.new, saved.changed) == (0, 0), "what was delivered before is no news"
        return _told(db)
    finally:
        db.close()


def _told(db: sqlite3.Connection) -> Told:
    """Items without their numbers: which keys are one item, what stands on it, who shows it."""
    keys: dict[int, set[str]] = {}
    for key, item in db.execute("SELECT key, item FROM item_keys"):
        keys.setdefault(item, set()).add(key)
    shown: dict[int, set[str]] = {}
    for source, item in db.execute("SELECT source, item FROM sightings"):
        shown.setdefault(item, set()).add(source)
    words = {
        row[0]: tuple(row[1:])
        for row in db.execute(
            """SELECT id, key, items.source, url, items.title, texts.title, body, published_at, content_hash, version
            FROM items JOIN texts ON texts.item = items.id"""
        )
    }
    assert keys.keys() == words.keys() == shown.keys()
    return tuple(sorted((sorted(keys[item]), sorted(shown[item]), words[item]) for item in words))


def _expected(documents: dict[str, list[Entry]]) -> dict[str, tuple[str, str, str | None, str | None, str]]:
    """By post: whose it is, and its title, URL, date and text."""
    expected = {}
    for address, own in POSTS.values():
        shown = [(source, entry) for source in ALL for entry in documents.get(source.id, ()) if address in str(entry.url)]
        if shown:
            owner, best = shown[0]
            same = OF_THE_LAB if owner in OF_THE_LAB else (PRESS, PRESS_2) if owner in (PRESS, PRESS_2) else (HN,)
            text = max((entry.text for source, entry in shown if source in same), key=len)
            expected[own or f"url:{address}"] = (owner.id, best.title, best.url, best.published_at, text)
    return expected


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that knows the sources."""
    path = tmp_path_factory.mktemp("orders") / "tracker.db"
    with closing(store.open(path, write=True)) as db, store.transaction(db):
        sources.sync(db, ALL, "2026-06-10T06:00:00Z")
    return path


@given(ORDERS, st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None, derandomize=True)
def test_the_order_in_which_sources_deliver_decides_nothing(
    empty: Path,
    drawn: tuple[list[Source], list[Source], tuple[dict[str, tuple[str, bool, bool]], ...]],
    one_run: bool,
    other_run: bool,
) -> None:
    one, other, shown = drawn
    documents = {source.id: document(source, listed) for source, listed in zip(sorted(one, key=ALL.index), shown, strict=True)}
    first = state(empty, documents, one, one_run=one_run)
    assert first == state(empty, documents, other, one_run=other_run)
    assert {key: (source, title, url, date, text) for _, _, (key, source, url, title, _, text, date, *_) in first} == _expected(documents)


@pytest.mark.parametrize("order", [(PRESS, PRESS_2), (PRESS_2, PRESS)], ids=["press first", "press second"])
def test_of_equals_the_longest_text_stands(empty: Path, order: tuple[Source, Source]) -> None:
    documents = {PRESS.id: [Entry("A post", POSTS["one"][0], text="All of it."), Entry("B", POSTS["two"][0])], PRESS_2.id: []}
    documents[PRESS_2.id] = [Entry("Post", POSTS["one"][0], text="A bit."), Entry("B", POSTS["two"][0], text="Some.")]
    told = state(empty, documents, order, one_run=False)
    assert {words[3]: (words[1], words[5]) for _, _, words in told} == {
        "Post": (PRESS_2.id, "All of it."),
        "B": (PRESS_2.id, "Some."),
    }
