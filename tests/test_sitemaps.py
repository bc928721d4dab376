"""Sitemaps as sources: what is one, what of an index is asked for, backfill, and documents that are torn, packed or hostile."""

from __future__ import annotations

import contextlib
import gzip
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers import Server
from tracker import config, poll
from tracker.errors import ParseError, SourceError
from tracker.fetch import Fetcher
from tracker.pollers import Parsed, page
from tracker.pollers.listing import sitemaps, slugs
from tracker.pollers.listing.links import Pattern
from tracker.pollers.worker import ParseWorker
from tracker.types import Page, Polled, Request, Response, Source, State

HOST = "https://www.fernlab.example"
URL = f"{HOST}/sitemap.xml"
SOURCE = Source("fern", "page", URL, "Fern Lab", lab="fern", options={"links": "/notes/"})
NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def row(path: str, lastmod: str = "") -> str:
    return f"<url><loc>{HOST}{path}</loc>{f'<lastmod>{lastmod}</lastmod>' if lastmod else ''}</url>"


def urlset(*rows: str, end: str = "</urlset>") -> bytes:
    return f'<?xml version="1.0"?>\n<urlset {NAMESPACE}>{"".join(rows)}{end}'.encode()


def index(children: Mapping[str, str]) -> bytes:
    rows = (f"<sitemap><loc>{HOST}{path}</loc>{f'<lastmod>{day}</lastmod>' if day else ''}</sitemap>" for path, day in children.items())
    return f"<sitemapindex {NAMESPACE}>{''.join(rows)}</sitemapindex>".encode()


def notes(*names: object) -> bytes:
    return urlset(*(row(f"/notes/note-number-{name}") for name in names))


def listed(body: bytes, source: Source = SOURCE) -> list[str]:
    return [str(entry.url).removeprefix(HOST) for entry in page.read(body, source, source.url, None).entries]


# -- what a document is ---------------------------------------------------------------------------------

KINDS = {
    # document → (a sitemap?, an index?)
    "a sitemap": (notes(1), True, False),
    "an empty one": (b"<urlset/>", True, False),
    "with a prefix": (b'<s:urlset xmlns:s="http://www.sitemaps.org/schemas/sitemap/0.9"></s:urlset>', True, False),
    "behind a byte order mark, comments and a style sheet": (
        b"\xef\xbb\xbf<?xml version='1.0'?><!-- a --><?xml-stylesheet href='/s.xsl'?>\n" + notes(1),
        True,
        False,
    ),
    "packed": (gzip.compress(notes(1)), True, False),
    "an index": (index({"/a.xml": ""}), True, True),
    "a packed index": (gzip.compress(index({"/a.xml": ""})), True, True),
    "lines": (f"{HOST}/a\n{HOST}/b\n".encode(), True, False),
    "one address": (f"{HOST}/a".encode(), True, False),
    "a page": (b"<!DOCTYPE html><html><body><urlset></urlset></body></html>", False, False),
    "a page that speaks of one": (b"<p>&lt;urlset&gt;</p>", False, False),
    "a feed": (b"<rss><channel></channel></rss>", False, False),
    "words": (b"see https://fernlab.example/a", False, False),
    "nothing": (b"", False, False),
    "half a gzip header": (b"\x1f\x8b", False, False),
    "gzip that is none": (b"\x1f\x8b" + b"x" * 100, False, False),
}


@pytest.mark.parametrize(("body", "is_one", "is_index"), KINDS.values(), ids=KINDS)
def test_a_document_says_itself_whether_it_is_a_sitemap(body: bytes, is_one: bool, is_index: bool) -> None:
    assert (sitemaps.is_sitemap(body), sitemaps.is_index(body)) == (is_one, is_index)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_sitemap_or_not(body: bytes) -> None:
    for document in (body, b"<urlset>" + body, b"<sitemapindex>" + body, gzip.compress(b"<urlset>" + body)[:-5]):
        assert sitemaps.is_sitemap(document) or document == body
        try:
            parsed = page.read(document, SOURCE, URL, None)
        except ParseError as error:
            named = error.name in ("malformed", "bad_encoding", "layout_changed", "challenge")
        else:
            named = len(parsed.changed) in (len(parsed.entries), 0)
        assert named


def test_what_was_changed_last_comes_first_and_nothing_is_dated_by_it() -> None:
    body = urlset(
        row("/notes/an-old-one", "2026-01-01"), row("/notes/without-a-date"), row("/notes/the-newest", "2026-06-12T08:00:00+02:00")
    )
    parsed = page.read(body, SOURCE, URL, None)
    assert [entry.title for entry in parsed.entries] == ["The newest", "An old one", "Without a date"]
    assert parsed.changed == ("2026-06-12T06:00:00Z", "2026-01-01T00:00:00Z", "")
    assert {(entry.published_at, entry.published_raw) for entry in parsed.entries} == {(None, None)}


def test_a_stand_in_title_is_known_by_its_address_alone() -> None:
    for path in ("how-an-llm-learns", "4711", "caf%C3%A9-au-lait.html", "2026-06-12-roots"):
        (entry,) = page.read(urlset(row(f"/notes/{path}")), SOURCE, URL, None).entries
        assert slugs.titled_by_slug(entry.title, entry.url)
    assert not slugs.titled_by_slug("How an LLM Learns", f"{HOST}/notes/how-an-llm-learns")
    assert not slugs.titled_by_slug("How an LLM learns", None)


def test_skipped_paths_are_left_out_of_a_sitemap() -> None:
    source = replace(SOURCE, options={"links": "/notes/ /en/", "skip": "/notes/jobs-"})
    assert listed(urlset(row("/notes/jobs-in-may"), row("/notes/roots"), row("/en/x")), source) == ["/notes/roots", "/en/x"]


# -- torn, packed, hostile ------------------------------------------------------------------------------


def test_f30_of_a_torn_sitemap_the_complete_rows_count() -> None:
    whole = notes(1, 2, 3)
    for end in range(whole.index(b"number-3") + 4, len(whole) - 1, 5):
        parsed = page.read(whole[:end], SOURCE, URL, None)
        assert (len(parsed.entries), parsed.problem) == (2, "truncated"), whole[:end]
    assert page.read(whole + b"\n<!-- made in 3 ms -->", SOURCE, URL, None).problem is None


def test_f45_a_packed_bomb_is_cut_and_said_so() -> None:
    body = gzip.compress(urlset(row("/notes/one"), row("/notes/two"), " " * 60_000_000))
    assert len(body) < 100_000
    parsed = page.read(body, SOURCE, URL, None)
    assert (listed(body), parsed.problem) == (["/notes/one"], "too_large")  # the last row before a cut may be half an address


def test_f20_a_packed_sitemap_that_is_torn_or_rotten_is_named() -> None:
    body = gzip.compress(urlset(*(row(f"/notes/{n}-{hash(str(n))}") for n in range(500))))
    parsed = page.read(body[: len(body) // 2], SOURCE, URL, None)
    assert parsed.problem == "truncated"
    assert 100 < len(parsed.entries) < 400
    with pytest.raises(ParseError, match=r"^bad_encoding"):
        page.read(body[:-8] + b"\0" * 8, SOURCE, URL, None)


HOSTILE = {
    "entities that breed": '<!DOCTYPE u [<!ENTITY a "/notes/a">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(12)
    ) + "]>",
    "a file for an entity": '<!DOCTYPE u [<!ENTITY a SYSTEM "file:///etc/hostname">]>',
    "a DTD from elsewhere": '<!DOCTYPE u SYSTEM "http://127.0.0.1:1/x.dtd">',
}  # fmt: skip


@pytest.mark.parametrize("doctype", HOSTILE.values(), ids=HOSTILE)
def test_s31_a_sitemap_has_no_entities(doctype: str) -> None:
    entity = chr(97 + doctype.count("<!ENTITY") - 1)
    rows = f"<url><loc>{HOST}/notes/x&{entity};y</loc><lastmod>&{entity};</lastmod></url>{row('/notes/good')}"
    began = time.monotonic()
    with contextlib.suppress(ParseError):
        found = listed(f"<?xml version='1.0'?>{doctype}<urlset {NAMESPACE}>{rows}</urlset>".encode())
        assert all(path in ("/notes/good", "/notes/x", "/notes/xy") for path in found)
    assert time.monotonic() - began < 20


def test_f47_100_000_addresses_are_cut_to_the_newest() -> None:
    body = urlset(*(row(f"/notes/n{n}", f"2026-01-01T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z") for n in range(80_000)))
    parsed = page.read(body, SOURCE, URL, None)
    assert (len(parsed.entries), parsed.problem, parsed.total) == (sitemaps.MAX_ENTRIES, "too_many_items", 80_000)
    assert parsed.changed[0] == "2026-01-01T22:13:19Z"


def test_f49_nesting_beyond_measure_ends() -> None:
    began = time.monotonic()
    for body in (b"<urlset>" + b"<url>" * 200_000, b"<urlset>" + b"<url><news>" * 100_000, b"<sitemapindex>" * 100_000):
        with pytest.raises((ParseError, SourceError)):
            polled({URL: body})
    assert time.monotonic() - began < 20


# -- one poll -------------------------------------------------------------------------------------------


def polled(
    web: Mapping[str, bytes], state: State = State(), source: Source = SOURCE, etag: str | None = None  # noqa: B008 - frozen
) -> tuple[Page, list[str]]:  # fmt: skip
    """One page of one poll, and what was asked for; with an etag, whoever sends it is answered 304."""
    asked = []

    def get(request: Request) -> Response:
        assert request.robots
        asked.append(request.url.removeprefix(HOST) + ("?" if request.etag else ""))
        if request.url not in web:
            raise SourceError("http_404", f"{request.url}: HTTP 404")
        if etag and request.etag == etag:
            return Response(request.url, 304, {}, b"")
        return Response(request.url, 200, {"etag": etag} if etag else {}, web[request.url])

    (result,) = page.poll(source, state, get, lambda response: page.read(response.body, source, response.url, None))
    return result, asked


def after(result: Page, **facts: object) -> State:
    return replace(State(result.etag, result.last_modified, result.body_hash, result.cursor), **facts)  # type: ignore[arg-type]


def at(**documents: bytes) -> dict[str, bytes]:
    return {f"{HOST}/{name.replace('_', '.')}": body for name, body in documents.items()}


def test_a_new_build_of_the_same_sitemap_is_no_change() -> None:
    first, _ = polled({URL: urlset(row("/notes/a", "2026-06-11"))})
    again, _ = polled({URL: urlset(row("/notes/a", "2026-06-12"))}, after(first))
    assert (len(first.entries or ()), again.entries) == (1, None)


def test_f72_a_sitemap_without_articles_or_with_half_of_them_is_layout_changed() -> None:
    with pytest.raises(SourceError, match=r'^layout_changed: .* names 2 addresses, none that fits links = "/notes/"'):
        polled({URL: urlset(row("/a"), row("/b"))})
    first, _ = polled({URL: notes(*range(10))})
    with pytest.raises(SourceError, match=r"^layout_changed: .* lists 5 articles, 10 last time"):
        polled({URL: notes(*range(5))}, after(first))
    with pytest.raises(SourceError, match=r"^layout_changed"):  # never nothing, however long
        polled({URL: urlset(row("/a"))}, after(first, fails=9, last_error="layout_changed: …"))


CHOICES = {
    "by name": ({"/notes.xml": "", "/pages.xml": "", "/tags.xml": ""}, ["/notes.xml"]),
    "all but those without articles": (
        {"/post-sitemap.xml": "2026-01-01", "/category-sitemap.xml": "", "/image.xml": "", "/page-sitemap.xml": "2026-02-01"},
        ["/page-sitemap.xml", "/post-sitemap.xml"],
    ),
    "the newest five": ({f"/s{n}.xml": f"2026-01-{n:02}" for n in range(10, 20)}, [f"/s{n}.xml" for n in range(19, 14, -1)]),
}


@pytest.mark.parametrize(("children", "expected"), CHOICES.values(), ids=CHOICES)
def test_of_an_index_only_what_fits_is_asked_for(children: dict[str, str], expected: list[str]) -> None:
    web = {URL: index(children), **{f"{HOST}{path}": notes(path[1:3]) for path in children}}
    result, asked = polled(web)
    assert asked == ["/sitemap.xml", *expected]
    assert len(result.entries or ()) == len(expected)
    assert result.problem == ("too_many_items" if len(children) == 10 else None)


def test_sitemaps_that_are_left_out_hide_something_only_where_they_may_have_changed() -> None:
    days = {f"/s{n}.xml": f"2026-01-{n:02}" for n in range(10, 20)}
    web = {URL: index(days), **{f"{HOST}{path}": notes(path[1:4]) for path in days}}
    first, _ = polled(web)
    assert first.problem == "too_many_items"
    for changed, problem in ((1, None), (5, None), (6, "too_many_items")):
        now = days | {f"/s{n}.xml": "2026-02-01" for n in range(10, 10 + changed)}
        assert polled(web | {URL: index(now)}, after(first))[0].problem == problem


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("/news/ /research/", ["/news-sitemap.xml", "/pages-sitemap.xml", "/posts-sitemap.xml"]),  # research stands in one of the others
        ("/news/ /20*/", ["/news-sitemap.xml", "/pages-sitemap.xml", "/posts-sitemap.xml"]),
        ("/news/ /posts/", ["/news-sitemap.xml", "/posts-sitemap.xml"]),
        ("/news/ !/research/", ["/news-sitemap.xml"]),
    ],
)
def test_sitemaps_are_chosen_by_name_only_if_each_of_the_links_has_one(wanted: str, expected: list[str]) -> None:
    children = {f"/{name}-sitemap.xml": "" for name in ("news", "posts", "pages")}
    parsed = sitemaps.read(index(children), Pattern(wanted, URL))
    assert sorted(url.removeprefix(HOST) for url, _ in sitemaps.chosen(parsed, URL, wanted, "")) == expected


@pytest.mark.parametrize("scheme", ["https", "HTTPS", "Https"])
def test_the_scheme_of_an_address_has_no_case(scheme: str) -> None:
    assert listed(urlset(row("/notes/a").replace("https", scheme))) == listed(urlset(row("/notes/a"))) != []


def test_sitemaps_of_other_hosts_are_not_asked_for() -> None:
    body = index({"/notes.xml": ""}).replace(b"</sitemapindex>", b"<sitemap><loc>http://10.0.0.1/notes.xml</loc></sitemap></sitemapindex>")
    assert polled({URL: body, f"{HOST}/notes.xml": notes(1)})[1] == ["/sitemap.xml", "/notes.xml"]


def test_only_the_sitemaps_that_changed_are_asked_for() -> None:
    children = {"/a.xml": "2026-06-10", "/b.xml": "2026-06-10"}
    web = at(sitemap_xml=index(children), a_xml=notes(1, 2), b_xml=notes(3, 4))
    first, _ = polled(web)
    assert json.loads(str(first.cursor))["count"] == 4
    quiet, asked = polled(web, after(first))
    assert (quiet.entries, asked) == (None, ["/sitemap.xml"])
    web |= at(sitemap_xml=index({**children, "/b.xml": "2026-06-12"}), b_xml=notes(3, 4, 5))
    changed, asked = polled(web, after(first))
    assert asked == ["/sitemap.xml", "/b.xml"]
    assert (len(changed.entries or ()), changed.known) == (3, 2)
    assert json.loads(str(changed.cursor))["count"] == 5
    longer = str(first.cursor).replace('"count": 4', '"count": 6')
    with pytest.raises(SourceError, match=r"^layout_changed: .* lists 3 articles, 6 last time"):
        polled(
            web | at(sitemap_xml=index({"/a.xml": "2026-06-13"}), a_xml=notes(1, 2, 3)),
            after(first, cursor=longer),
        )


def test_sitemaps_without_a_date_are_asked_for_conditionally() -> None:
    web = at(sitemap_xml=index({"/a.xml": ""}), a_xml=notes(1, 2))
    first, _ = polled(web, etag='"1"')
    quiet, asked = polled(web, after(first), etag='"1"')
    assert asked == ["/sitemap.xml", "/a.xml?"]
    assert (quiet.entries, quiet.known) == (None, 2)


def test_a_sitemap_of_an_index_that_fails_is_named_and_nothing_is_taken() -> None:
    with pytest.raises(SourceError, match=r"^http_404: https://www\.fernlab\.example/b\.xml"):
        polled(at(sitemap_xml=index({"/a.xml": "", "/b.xml": ""}), a_xml=notes(1)))
    with pytest.raises(SourceError, match=r"^layout_changed: .* an index of sitemaps in an index"):
        polled(at(sitemap_xml=index({"/a.xml": ""}), a_xml=index({"/b.xml": ""})))


def test_a_backfill_walks_back_to_its_day() -> None:
    days = {f"/s{n}.xml": f"2026-01-{n:02}" for n in range(1, 30)}
    web = {URL: index(days), **{f"{HOST}{path}": urlset(row(f"/notes/of-{path[1:-4]}", day)) for path, day in days.items()}}
    first, _ = polled(web)
    result, asked = polled(web, after(first, since="2026-01-11T00:00:00Z", backfill=True))
    assert asked == ["/sitemap.xml", *(f"/s{n}.xml" for n in range(29, 10, -1))]
    assert len(result.entries or ()) == 19
    assert result.cursor is None  # what is asked for every day stays what the next poll compares with


def test_a_backfill_of_one_sitemap_leaves_out_what_was_last_changed_before() -> None:
    web = {URL: urlset(row("/notes/old", "2025-12-31"), row("/notes/new", "2026-01-02"), row("/notes/undated"))}
    first, _ = polled(web, etag='"1"')
    result, asked = polled(web, after(first, since="2026-01-01T00:00:00Z", backfill=True), etag='"1"')
    assert asked == ["/sitemap.xml"]
    assert [entry.title for entry in result.entries or ()] == ["New", "Undated"]
    assert json.loads(str(result.cursor))["count"] == 3


# -- the loop: what is stored -----------------------------------------------------------------------------

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)


@pytest.fixture
def run(db: sqlite3.Connection, web: Server, tmp_path: Path) -> Iterator[Callable[[], Polled]]:
    """Poll the sitemap of the server, a day after the last time."""
    path = tmp_path / "feeds.toml"
    path.write_text(f'[feeds.fern]\nkind = "page"\nurl = "{web.url("/sitemap.xml")}"\nlinks = "/notes/"\n', encoding="utf-8")
    clock = iter(NOW + timedelta(days=n) for n in range(100))

    def one() -> Polled:
        with Fetcher("test@example.org", deadline_s=20) as fetcher:
            (result,) = poll.poll(db, config.load(path), fetcher, now=next(clock))
        return result

    yield one
    web.stop()


def test_an_index_of_packed_sitemaps_is_stored(run: Callable[[], Polled], web: Server, db: sqlite3.Connection) -> None:
    def serve(day: str, *names: str) -> None:
        rows = "".join(f"<url><loc>{web.url(f'/notes/{name}')}</loc><lastmod>{day}</lastmod></url>" for name in names)
        child = f"<sitemap><loc>{web.url('/notes.xml.gz')}</loc><lastmod>{day}</lastmod></sitemap>"
        web.serves("/sitemap.xml", f"<sitemapindex>{child}</sitemapindex>".encode(), {"Content-Type": "text/xml"})
        web.serves("/notes.xml.gz", gzip.compress(f"<urlset>{rows}</urlset>".encode()), {"Content-Type": "application/x-gzip"})

    serve("2026-06-10", "roots-remember", "soil-knows")
    assert run().new == 2
    assert run().outcome == "unchanged"
    serve("2026-06-12", "roots-remember", "soil-knows", "an-llm-in-the-garden")
    assert (run().new, len(web.hits("/notes.xml.gz"))) == (1, 2)
    found = db.execute("SELECT title, published_at, published_raw, backlog FROM items ORDER BY id").fetchall()
    assert [tuple(item) for item in found] == [
        ("Soil knows", None, None, 1),
        ("Roots remember", None, None, 1),
        ("An LLM in the garden", None, None, 0),
    ]


def test_the_parse_worker_reads_an_index() -> None:
    with ParseWorker(deadline_s=20) as worker:
        parsed: Parsed = worker.parse(SOURCE, Response(URL, 200, {}, index({"/a.xml": "2026-06-12"})))
    assert (parsed.entries[0].url, parsed.changed) == (f"{HOST}/a.xml", ("2026-06-12T00:00:00Z",))
