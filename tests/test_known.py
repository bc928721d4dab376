"""Known entries: what a changed feed listed last time is not parsed again, and everything is stored as if it were."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker import poll, store
from tracker.config import Config, load
from tracker.errors import ParseError
from tracker.pollers import Parsed, feed, known
from tracker.types import Page, Request, Response, Source, State

URL = "https://lab.example/feed"
SOURCE = Source("lab", "feed", URL, "Lab")
NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
TABLES = ("items", "item_keys", "texts", "sightings", "links", "revisions", "pending")


@dataclass(frozen=True)
class Post:
    """An item of a feed, as its publisher means it."""

    title: str
    path: str | None = None
    guid: str | None = None
    text: str = ""
    day: str | None = None

    def rss(self) -> str:
        parts = {
            "title": self.title,
            "link": self.path and f"https://lab.example{self.path}",
            "guid": self.guid,
            "description": self.text,
            "pubDate": self.day and f"{self.day} Jun 2026 08:00:00 GMT",
        }
        return "<item>" + "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items() if value) + "</item>"

    def atom(self) -> str:
        return (
            f"<entry><title>{escape(self.title)}</title>"
            + (f'<link href="https://lab.example{escape(self.path)}"/>' if self.path else "")
            + (f"<id>{escape(self.guid)}</id>" if self.guid else "")
            + f'<content type="html">{escape(self.text)}</content>'
            + (f"<published>2026-06-{self.day}T08:00:00Z</published>" if self.day else "")
            + "</entry>"
        )


def rss(posts: Sequence[Post], head: str = "", tail: str = "") -> bytes:
    items = "\n".join(post.rss() for post in posts)
    return f'<?xml version="1.0"?>\n<rss version="2.0"><channel><title>Lab</title>{head}\n{items}\n{tail}</channel></rss>'.encode()


def atom(posts: Sequence[Post], head: str = "", tail: str = "") -> bytes:
    items = "\n".join(post.atom() for post in posts)
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Lab</title>{head}\n{items}\n{tail}</feed>'.encode()


def rdf(posts: Sequence[Post]) -> bytes:
    listed = "".join(f'<rdf:li rdf:resource="https://lab.example{post.path}"/>' for post in posts)
    items = "".join(post.rss().replace("<item>", f'<item rdf:about="https://lab.example{post.path}">') for post in posts)
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>Lab</title>'
        f"<items><rdf:Seq>{listed}</rdf:Seq></items></channel>{items}</rdf:RDF>"
    ).encode()


POSTS = [Post(f"Post {n}", f"/{n}", f"g{n}", f"<p>Text {n} &amp; more</p>", f"{n:02}") for n in range(1, 7)]


# -- one document after another: what is parsed ---------------------------------------------------------


@dataclass
class Reader:
    """A feed's poller, from one document to the next; ``parsed`` lists, of the last poll, how many items went to the parser."""

    source: Source = SOURCE
    state: State = field(default_factory=State)
    parsed: list[int] = field(default_factory=list)

    def poll(self, body: bytes, *, content_type: str = "application/xml", url: str = URL, truncated: bool = False) -> Page:
        self.parsed = []

        def parse(response: Response) -> Parsed:
            self.parsed.append(response.body.count(b"</item>") + response.body.count(b"</entry>"))
            return feed.read(response.body, self.source, response.url, None)

        def get(_: Request) -> Response:
            return Response(url, 200, {"content-type": content_type}, body, truncated=truncated)

        (page,) = feed.poll(self.source, self.state, get, parse)
        if page.entries is not None:
            self.state = replace(self.state, body_hash=page.body_hash, cursor=page.cursor)
        return page


def titles(page: Page) -> list[str]:
    return [entry.title for entry in page.entries or ()]


@pytest.mark.parametrize("document", [rss, atom, rdf])
def test_only_what_is_new_is_parsed_again(document: Any) -> None:
    reader = Reader()
    assert titles(reader.poll(document(POSTS[1:5]))) == [post.title for post in POSTS[1:5]]
    page = reader.poll(document([POSTS[0], *POSTS[1:4]]))
    assert (titles(page), page.known, reader.parsed) == (["Post 1"], 3, [1])
    assert page.entries == feed.read(document(POSTS[:1]), SOURCE, URL, None).entries
    page = reader.poll(document(POSTS[:3]))
    assert (page.entries, page.known, reader.parsed) == ((), 3, [])  # one fell off the end: nothing to parse
    page = reader.poll(document([POSTS[5], POSTS[3], *POSTS[:3]]))
    assert (titles(page), page.known, reader.parsed) == (["Post 6", "Post 4"], 3, [2])


def test_an_entry_that_was_edited_is_parsed_alone() -> None:
    reader = Reader()
    reader.poll(rss(POSTS))
    page = reader.poll(rss([*POSTS[:2], replace(POSTS[2], text="Now it says more."), *POSTS[3:]]))
    assert (titles(page), page.known, reader.parsed) == (["Post 3"], 5, [1])


def test_build_times_and_places_are_no_reason_to_parse() -> None:
    reader = Reader()
    reader.poll(rss(POSTS, "<lastBuildDate>Thu</lastBuildDate>"))
    page = reader.poll(rss(POSTS[::-1], "<lastBuildDate>Fri</lastBuildDate>"))
    assert (page.entries, page.known, reader.parsed) == ((), 6, [])


CHANGED = {
    "a guid that a known entry has": rss([Post("Other", "/other", "g2"), *POSTS]),
    "an address that a known entry has": rss([Post("Other", "/2?utm_source=x", "other"), *POSTS]),
    "a place on a page that a known entry is on": rss([Post("Other", "/2#below", "other"), *POSTS]),
    "another head": rss(POSTS[:3], "<language>fr</language>"),
    "a namespace": rss(POSTS[:3]).replace(b"<rss ", b'<rss xml:base="https://other.example/" '),
    "a DOCTYPE": b'<!DOCTYPE rss [<!ENTITY lab "Lab">]>' + rss(POSTS[:3]),
    "items in items": rss(POSTS[:3]).replace(b"</item>", b"<item></item></item>", 1),
    "an item that is never closed": rss(POSTS[:3]).replace(b"</item>", b"", 1),
    "an item that closes itself": rss(POSTS[:3]).replace(b"<item>", b"<item/><item>", 1),
    "two kinds of items": rss(POSTS[:3]).replace(b"</channel>", b"<entry><title>Other</title></entry></channel>"),
    "something between items": rss(POSTS[:3]).replace(b"</item>", b"</item><image><title>Other</title></image>", 1),
    "a comment that never ends": rss(POSTS[:3]).replace(b"</item>", b"</item><!-- ", 1),
    "a declaration in a text": rss([*POSTS[:3], Post("Code", "/code", "code")]).replace(b"Code", b'<![CDATA[<?xml encoding="gb2312"?>]]>'),
    "letters that are not UTF-8": rss([*POSTS[:3], Post("é", "/e", "e")]).decode().encode("iso-8859-1"),
    "UTF-16": rss(POSTS[:3]).decode().encode("utf-16"),
    "escapes": rss([*POSTS[:3], Post("E", "/e", "e")]).replace(b"E<", b"\x1b[1mE<"),
    "a document that breaks off": rss(POSTS[:3]).partition(b"</channel>")[0],
}


@pytest.mark.parametrize("body", CHANGED.values(), ids=CHANGED)
def test_what_is_odd_is_parsed_whole(body: bytes) -> None:
    reader = Reader()
    assert reader.poll(rss(POSTS)).cursor
    page = reader.poll(body)
    assert (page.known, page.listed) == (0, frozenset())
    assert page.entries == feed.read(body, SOURCE, URL, None).entries


def test_a_document_from_elsewhere_or_read_otherwise_is_parsed_whole() -> None:
    reader = Reader()
    reader.poll(rss(POSTS))
    assert reader.poll(rss(POSTS[:5]), url="https://other.example/feed").known == 0
    reader.source = replace(SOURCE, options={"skip": "/2"})
    assert titles(reader.poll(rss(POSTS[:4]), url="https://other.example/feed")) == ["Post 1", "Post 3", "Post 4"]


@pytest.mark.parametrize("charset", ["gb2312", "iso-2022-jp", "utf-16", "x-unknown"])
def test_a_header_that_names_other_letters_has_it_parsed_whole(charset: str) -> None:
    reader = Reader()
    for posts in (POSTS[:3], POSTS[:4]):
        page = reader.poll(rss(posts), content_type=f"text/xml; charset={charset}")
        assert (page.known, page.cursor, reader.parsed) == (0, "", [len(posts)])


def test_after_a_document_that_was_cut_nothing_is_known() -> None:
    reader = Reader()
    reader.poll(rss(POSTS))
    page = reader.poll(rss(POSTS[:4]), truncated=True)
    assert (page.problem, page.known, page.cursor) == ("truncated", 0, "")
    assert reader.poll(rss(POSTS[:5])).known == 0


def test_entries_that_shared_a_guid_are_known_together_or_not_at_all() -> None:
    reader = Reader()
    shared = [replace(post, guid="same") for post in POSTS[:2]]
    reader.poll(rss([*shared, POSTS[3]]))
    assert reader.poll(rss([POSTS[4], *shared, POSTS[3]])).known == 0
    assert reader.poll(rss([POSTS[4], shared[1], POSTS[3]])).known == 0  # the guid is its own now
    assert reader.poll(rss([POSTS[5], POSTS[4], shared[1], POSTS[3]])).known == 3


def test_if_the_news_alone_cannot_be_read_the_whole_is() -> None:
    reader = Reader()
    reader.poll(rss(POSTS[:3]))
    asked: list[bytes] = []

    def parse(response: Response) -> Parsed:
        asked.append(response.body)
        if len(asked) == 1:
            raise ParseError("malformed", "no")
        return feed.read(response.body, SOURCE, URL, None)

    body = rss(POSTS[:4])
    found = known.read(SOURCE, Response(URL, 200, {}, body), reader.state.cursor, parse)
    assert (len(found.parsed.entries), found.left_out, asked[1]) == (4, 0, body)


def test_a_bomb_is_not_tried_twice() -> None:
    reader = Reader()
    reader.poll(rss(POSTS[:3]))
    asked: list[bytes] = []

    def parse(response: Response) -> Parsed:
        asked.append(response.body)
        raise ParseError("bomb", "too slow")

    with pytest.raises(ParseError):
        known.read(SOURCE, Response(URL, 200, {}, rss(POSTS[:4])), reader.state.cursor, parse)
    assert len(asked) == 1


def test_stories_of_known_issues_are_not_told_again() -> None:
    def issue(number: int) -> Post:
        parts = "".join(
            f"<h3>Story {number}.{n}: what an agent did</h3>"
            f'<p>It learned from its mistakes for a week and got better, says <a href="https://other.example/{number}/{n}">a post</a>.</p>'
            for n in range(3)
        )
        return Post(f"Weekly #{number}", f"/p/{number}", f"i{number}", parts)

    reader = Reader(replace(SOURCE, options={"split": True}))
    assert len(titles(reader.poll(rss([issue(1), issue(2)])))) == 8
    page = reader.poll(rss([issue(3), issue(1), issue(2)]))
    assert (len(titles(page)), page.known, reader.parsed) == (4, 2, [1])


@pytest.mark.parametrize("scrap", [b"<item></item>", b"<entry > </entry>", b"<item>", b"<item/>"])
def test_f47_millions_of_items_cost_no_time(scrap: bytes) -> None:
    body = b"<rss>" + scrap * (20_000_000 // len(scrap)) + b"</rss>"
    began = time.process_time()
    assert known.read(SOURCE, Response(URL, 200, {}, body), None, lambda _: Parsed(())).cursor == ""
    assert time.process_time() - began < 1.5  # it was 3


def test_the_longest_feed_fits_in_twenty_kilobytes() -> None:
    posts = [Post(f"Post {n}", f"/{n}", f"g{n}") for n in range(1_143)]
    cursor = Reader().poll(rss(posts)).cursor
    assert cursor is not None
    assert 0 < len(cursor) < 21_000


MARKS = [b"<item>", b"</item>", b"<item", b"<entry a='b'>", b"</entry>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x", b"?>", b" ", b"x"]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(MARKS)))
def test_any_order_of_marks_is_cut_or_not(pieces: list[bytes]) -> None:
    """Whatever is cut out begins with an item's first tag, ends with its last, and lies in order."""
    body = b"<rss><channel>" + b"".join(pieces)
    end = 0
    for segment in known._segments(SOURCE, Response(URL, 200, {}, body)) or ():
        assert segment.start >= end
        assert body[segment.start :].startswith((b"<item>", b"<entry a='b'>"))
        assert body[: segment.end].endswith((b"</item>", b"</entry>"))
        end = segment.end


# -- stored as if everything were parsed each time ------------------------------------------------------


class InProcess:
    """The parse worker without its process: a hundred thousand documents are too many for one each."""

    parsed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def parse(self, source: Source, response: Response) -> Parsed:
        InProcess.parsed += response.body.count(b"</item>")
        return feed.read(response.body, source, response.url, None)


class Served:
    """A fetcher that has one answer."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get(self, request: Request) -> Response:
        return Response(request.url, 200, {"content-type": "application/rss+xml"}, self.body)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        store.open(Path(folder) / "tracker.db", write=True).close()
        (Path(folder) / "feeds.toml").write_text(f'[feeds.lab]\nurl = "{URL}"\n')
        yield Path(folder)


def stored(template: Path, documents: Sequence[bytes], *, forgetful: bool) -> tuple[dict[str, list[tuple[Any, ...]]], list[int]]:
    """What is in the database after these documents, and how many items each poll counted; ``forgetful``: all is parsed each time."""
    settings_: Config = load(template / "feeds.toml")
    counted: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(template / "tracker.db", folder))
        db = store.open(path, write=True)
        db.execute("PRAGMA synchronous = OFF")
        for day, body in enumerate(documents):
            if forgetful:
                db.execute("UPDATE sources SET cursor = NULL")
            counted += [one.entries for one in poll.poll(db, settings_, Served(body), now=NOW + timedelta(days=day))]
        tables = {table: sorted(map(tuple, db.execute(f"SELECT * FROM {table}")), key=str) for table in TABLES}
        db.close()
    return tables, counted


def rows(tables: dict[str, list[tuple[Any, ...]]], table: str) -> list[tuple[Any, ...]]:
    return tables[table]


@st.composite
def histories(draw: st.DrawFn) -> list[bytes]:
    """Documents of one feed, each made from the last: posts come, go, move, are edited, and take what another post has or had."""
    listed = [Post(f"Post {n}", f"/{n}", f"g{n}", "", draw(st.sampled_from(["10", "11", "14"]))) for n in range(3)]
    ever = list(listed)
    documents = [rss(listed)]
    for number in range(3, 3 + draw(st.integers(2, 6))):
        for _ in range(draw(st.integers(1, 2))):
            change = draw(st.sampled_from(["new", "new", "gone", "moved", "edited", "edited", "taken", "taken"]))
            place = draw(st.integers(0, len(listed)))
            if change == "new":
                listed.insert(
                    place, Post(f"Post {number}", f"/{number}", f"g{number}", "", draw(st.sampled_from([None, "10", "11", "14"])))
                )
            elif change == "gone":
                del listed[place : place + 1]
            elif change == "moved":
                listed = listed[place:] + listed[:place]
            elif place < len(listed):
                name = draw(st.sampled_from(["title", "path", "guid", "text", "day"]))
                fresh = {
                    "title": f"New title {number}",
                    "path": f"/{number}#x",
                    "guid": f"new{number}",
                    "text": f"Text {number}",
                    "day": "12",
                }
                value = getattr(draw(st.sampled_from(ever)), name) if change == "taken" else draw(st.sampled_from([fresh[name], None]))
                listed[place] = replace(listed[place], **{name: value or ("" if name in ("title", "text") else None)})
        ever += listed
        documents.append(rss(listed))
    return documents


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_everything_is_stored_as_if_nothing_were_known(template: Path, documents: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poll, "ParseWorker", InProcess)
        assert stored(template, documents, forgetful=False)[0] == stored(template, documents, forgetful=True)[0]


def test_a_poll_counts_what_it_did_not_parse(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "ParseWorker", InProcess)
    InProcess.parsed = 0
    tables, counted = stored(template, [rss(POSTS[2:]), rss(POSTS[1:]), rss(POSTS)], forgetful=False)
    assert counted == [4, 5, 6]
    assert InProcess.parsed == 6
    assert len(rows(tables, "items")) == 6


def test_a_post_at_an_address_that_a_listed_post_once_had_is_told_from_it(template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document holds nothing by which the two could be mixed up; the database does."""
    monkeypatch.setattr(poll, "ParseWorker", InProcess)
    first, moved = Post("One", "/a", "g1", "", "10"), Post("Two", "/b", "g1", "", "10")
    late = Post("One", "/c", "g3", "", "10")  # the title and day that the first one had
    documents = [rss([first, POSTS[5]]), rss([moved, POSTS[5]]), rss([late, moved, POSTS[5]])]
    tables, _ = stored(template, documents, forgetful=False)
    assert len(rows(tables, "items")) == 3
    assert tables == stored(template, documents, forgetful=True)[0]


FLAT = Post("One", None, None, "", None)
HISTORIES = {
    "a date that lies ahead until it does not": [[replace(POSTS[5], day="14"), *POSTS[n:2]] for n in (2, 1, 0)]
    + [[replace(POSTS[5], day="14"), POSTS[3]]],
    "two posts that are one item, in another order": [
        [replace(POSTS[0], path="/old")],
        [POSTS[0]],
        [replace(POSTS[1], path="/old"), POSTS[0]],
        [POSTS[0], replace(POSTS[1], path="/old")],
    ],
    "a page that two posts shared": [
        [replace(POSTS[0], guid=None, day=None), replace(POSTS[1], path="/1", guid=None, day=None), POSTS[2]],
        [replace(POSTS[0], guid=None, day=None), POSTS[2], POSTS[3]],
        [replace(POSTS[0], guid=None, day=None), POSTS[3], POSTS[4]],
    ],
    "words that are all that a post has": [[FLAT, POSTS[1]], [FLAT, POSTS[1], POSTS[2]], [replace(FLAT, title="Two"), FLAT, POSTS[2]]],
    "a post edited, and back": [[POSTS[0], POSTS[1]], [replace(POSTS[0], text="Edited."), POSTS[1]], [POSTS[0], POSTS[1]]],
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_what_happens_in_feeds_is_stored_as_if_nothing_were_known(
    template: Path, monkeypatch: pytest.MonkeyPatch, history: list[list[Post]]
) -> None:
    monkeypatch.setattr(poll, "ParseWorker", InProcess)
    documents = [rss(listed) for listed in history]
    assert stored(template, documents, forgetful=False)[0] == stored(template, documents, forgetful=True)[0]
