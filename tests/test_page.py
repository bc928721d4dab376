"""Listing pages: golden pairs written by us after real shapes, pages that are none, hostile ones, and the loop around them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.servers import Server
from tracker import config, poll
from tracker.clock import iso
from tracker.errors import ConfigError, ParseError, SourceError
from tracker.fetch import Fetcher
from tracker.pollers import Parsed, page
from tracker.pollers.listing import days, embedded, links, sitemaps
from tracker.pollers.worker import ParseWorker
from tracker.store import sources
from tracker.types import Page, Polled, Request, Response, Source, State
from tracker.urls import canonical_url

DATA = Path(__file__).parent / "data" / "page"
URL = "https://www.fernlab.example/notes"
SOURCE = Source("fern", "page", URL, "Fern Lab", lab="fern", options={"links": "/notes/"})


def card(name: object, day: str = "Jun 12, 2026") -> str:
    return f'<article><h2><a href="/notes/n{name}">Note number {name}</a></h2><p>{day}</p></article>'


def listing(*names: object, before: str = "", after: str = "") -> bytes:
    return f"<!DOCTYPE html><html><body>{before}<main>{''.join(map(card, names))}</main>{after}</body></html>".encode()


def titles(body: bytes, source: Source = SOURCE, url: str = URL, charset: str | None = None) -> list[str]:
    return [entry.title for entry in page.read(body, source, url, charset).entries]


# -- golden pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.iterdir() if path.suffix != ".json"))
def test_what_a_page_lists(name: str) -> None:
    document = DATA / name
    expected = json.loads(document.with_suffix(".json").read_text(encoding="utf-8"))
    source = replace(SOURCE, url=expected["url"], options={"links": expected["links"], **expected.get("options", {})})
    parsed = page.read(document.read_bytes(), source, source.url, None)
    found = [
        {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(e).items() if v not in (None, "", ())} for e in parsed.entries
    ]
    assert found == expected["entries"]
    assert parsed.problem is None


def test_a_page_and_its_mirror_name_the_same_addresses() -> None:
    body = b'<a href="/notes/one/?ref=index#top">The first note of all</a> <a href="https://fernlab.example/notes/one">Read more</a>'
    (entry,) = page.read(body, SOURCE, URL, None).entries
    assert canonical_url(str(entry.url)) == canonical_url("http://www.fernlab.example/notes/one")


# -- links ----------------------------------------------------------------------------------------------

PATTERNS = {
    # links, href, is it an article?
    "under the prefix": ("/notes/", "/notes/one", True),
    "deep under the prefix": ("/notes/", "/notes/2026/one", True),
    "the list itself": ("/notes/", "/notes/", False),
    "the list with a query": ("/notes/", "/notes/?page=2", False),
    "another path": ("/notes/", "/note/one", False),
    "the prefix further in": ("/notes/", "/en/notes/one", False),
    "another page of the list": ("/notes/", "/notes/page/2", False),
    "a category": ("/notes/", "/notes/category/soil", False),
    "a word that only begins like one": ("/notes/", "/notes/pageant", True),
    "the feed": ("/notes/", "/notes/feed.xml", False),
    "a paper": ("/notes/", "/notes/paper.pdf", True),
    "a star: the year": ("/20*/", "/2026/one/", True),
    "a star: not a year": ("/20*/", "/about/one", False),
    "a star ends at the slash": ("/n*/", "/a/n/b", False),
    "the second of two": ("/science/ /policy/", "/policy/hedge", True),
    "excluded": ("/notes/ !/notes/draft-", "/notes/draft-one", False),
    "pages at the root": ("/ !/*/", "/frond-2", True),
    "parts of pages at the root": ("/ !/*/", "/frond-2/roots", False),
    "any first segment": ("/*/ !/author/", "/soil/one", True),
    "not excluded": ("/notes/ !/notes/draft-", "/notes/one", True),
    "another host that is named": ("https://papers.fernlab.example/p/", "https://papers.fernlab.example/p/1", True),
    "another host that is not": ("/notes/", "https://elsewhere.example/notes/one", False),
    "a host that looks alike": ("/notes/", "https://www.fernlab.example.evil.example/notes/one", False),
    "dots that lead away": ("/notes/", "/notes/../admin/x", False),
    "signs that mean something in patterns": ("/n(o)+/", "/n(o)+/x", True),
    "an address that is none": ("/notes/", "http://[::1/notes/x", False),
    "upper case": ("/notes/", "/Notes/one", False),
}


@pytest.mark.parametrize(("pattern", "href", "article"), PATTERNS.values(), ids=PATTERNS)
def test_a_link_is_an_article(pattern: str, href: str, article: bool) -> None:
    assert (links.Pattern(pattern, URL).match(href, URL) is not None) is article


def test_a_list_that_has_moved_takes_the_links_of_both_hosts() -> None:
    source = replace(SOURCE, url="https://old.example/notes")
    body = b'<a href="/notes/new">A note on the new host</a><a href="https://old.example/notes/old">A note on the old host</a>'
    assert titles(body, source, "https://new.example/notes") == ["A note on the new host", "A note on the old host"]


def test_the_frame_counts_only_where_nothing_else_does() -> None:
    nav = f"<nav>{''.join(map(card, 'abc'))}</nav>"
    assert titles(listing(1, 2, before=nav)) == ["Note number 1", "Note number 2"]
    assert titles(nav.encode()) == ["Note number a", "Note number b", "Note number c"]


# -- days -----------------------------------------------------------------------------------------------

DAYS = {
    "Jun 12, 2026": "2026-06-12T00:00:00Z",
    "June 12 2026": "2026-06-12T00:00:00Z",
    "JUNE 12TH, 2026": "2026-06-12T00:00:00Z",
    "12 June 2026": "2026-06-12T00:00:00Z",
    "1st of May 2026": "2026-05-01T00:00:00Z",
    "Sept. 3, 2025": "2025-09-03T00:00:00Z",
    "Fri, Jun 12, 2026": "2026-06-12T00:00:00Z",
    "2026-06-12": "2026-06-12T00:00:00Z",
    "2026/6/2": "2026-06-02T00:00:00Z",
    "2026.06.12": "2026-06-12T00:00:00Z",
    "2026年6月12日": "2026-06-12T00:00:00Z",
    "2026-06-12T23:30:00-07:00": "2026-06-13T06:30:00Z",
    "2026-06-12 09:00 UTC": "2026-06-12T09:00:00Z",
    "2026-06-12T09:00:07.123+0200": "2026-06-12T07:00:07Z",
    "· Jun 12, 2026 |": "2026-06-12T00:00:00Z",
    "06/12/2026": None,
    "12.06.2026": None,
    "Feb 30, 2026": None,
    "June 2026": None,
    "2026": None,
    "3 days ago": None,
    "yesterday": None,
    "12026-06-12": None,
    "2026-06-123": None,
    "2026-06/12": None,
    "9999-99-99": None,
    "Jun 12, 2026 and more": None,
    "": None,
}


@pytest.mark.parametrize(("written", "instant"), DAYS.items(), ids=[day or "nothing" for day in DAYS])
def test_a_day_is_read_or_left_never_guessed(written: str, instant: str | None) -> None:
    assert days.whole(written) == instant


@given(st.text(max_size=80))
def test_any_text_is_a_day_or_none(text: str) -> None:
    assert days.whole(text) is None or len(str(days.whole(text))) == 20
    days.looks_like_one(text)
    days.with_year(text, days.heading(text) or "2026")


def test_a_date_above_the_first_card_belongs_to_what_follows_and_one_below_to_nothing() -> None:
    above = b"<p>2026</p><a href=/notes/a>The first of these notes</a><p>2025</p><a href=/notes/b>The second of these notes</a>"
    below = b"<a href=/notes/a>The first of these notes</a><p>2026</p><a href=/notes/b>The second of these notes</a><p>2025</p>"
    assert [entry.published_raw for entry in page.read(above, SOURCE, URL, None).entries] == ["2026", "2025"]
    assert [entry.published_raw for entry in page.read(below, SOURCE, URL, None).entries] == [None, None]


# -- F72: what is no list -------------------------------------------------------------------------------

NO_LISTS = {
    "redesigned: other paths": (listing(1).replace(b"/notes/", b"/stories/"), "lists no link that fits /notes/"),
    "for JavaScript only": (
        b'<body><div id="root"></div><noscript>You need to enable JavaScript to run this app.</noscript></body>',
        "JavaScript",
    ),
    "a challenge": (b"<html><head><title>Just a moment...</title></head><body>Verifying</body></html>", "challenge"),
    "a soft 404": (listing(before="<h1>Page not found</h1>"), "Page not found"),
    "a soft 404 that shows recent notes": (listing(1, 2, 3, before="<title>404 - Fern Lab</title>"), "404"),
    "empty": (b"", "nothing that could be read"),
    "white space": (b" \r\n\t", "nothing that could be read"),
    "an empty page": (b"<html><body></body></html>", "lists no link"),
    "JSON": (b'{"items": []}', "lists no link"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "lists no link"),
    "a skeleton of links without titles": (
        b"".join(b"<div><a href=/notes/%d><img alt=''></a></div>" % n for n in range(9)),
        "hardly any title",
    ),
}


@pytest.mark.parametrize(("body", "sentence"), NO_LISTS.values(), ids=NO_LISTS)
def test_f72_a_page_that_is_no_list_is_layout_changed(body: bytes, sentence: str) -> None:
    with pytest.raises(ParseError) as caught:
        page.read(body, SOURCE, URL, None)
    assert caught.value.name == ("challenge" if sentence == "challenge" else "layout_changed")
    assert sentence in str(caught.value)
    assert str(caught.value).count("https://") == 1


CONTROLS = ["\x01", "\x07", "\x0b", "\x0c", "\x1b[31m", "\x1f", "\ufffe", "\uffff", "&#7;", "&#x1F;", "&#x000000b", "&#xFFFE;", "&#xD83D;",
            "&#0;", "&#x110000;", "&#99999999;", "&#&#7;7;", "&#\x077;"]  # fmt: skip


@pytest.mark.parametrize("control", CONTROLS, ids=ascii)
def test_f33_a_character_that_no_page_may_hold_costs_no_article(control: str) -> None:
    body = "".join(f"<article><a href=/notes/{n}><h2>Note {n} {control} of ferns</h2></a><p>{control}{n}</p></article>" for n in range(3))
    told = titles(body.encode())
    assert [[word for word in title.split() if word.isalnum()] for title in told] == [["Note", str(n), "of", "ferns"] for n in range(3)]
    log = f"<h1>Log</h1><h2>June 12, 2026</h2><p>We {control} did</p><h2>June 10, 2026</h2><p>We did</p>"
    assert len(titles(log.encode(), replace(SOURCE, options={"links": "#"}))) == 2


def test_characters_by_number_are_read() -> None:
    assert titles(b"<h2><a href=/notes/x>Caf&#233; &#x2014; &#128578; &amp;#7;</a></h2>") == ["Caf\u00e9 \u2014 \U0001f642 &#7;"]


@pytest.mark.parametrize("scrap", [b"<!--", b"<script ", b"<script " * 10 + b"<!--", b"<meta>", b"<!-- -- ", b'"buildId":"', b"<link a"])
def test_f46_what_looks_like_a_build_costs_no_time(scrap: bytes) -> None:
    big = answer(scrap * (8_000_000 // len(scrap)))

    def parse(_: Response) -> Parsed:
        raise ParseError("malformed", "not asked here")

    began = time.process_time()
    with pytest.raises(ParseError):
        list(page.poll(SOURCE, State(), lambda _: big, parse))
    assert time.process_time() - began < 2  # it was 6


def test_f72_a_note_about_a_404_is_a_note() -> None:
    assert titles(b"<title>Notes</title><h1>Notes</h1><h2><a href=/notes/x>404: a history of absence</a></h2>") == [
        "404: a history of absence"
    ]


@pytest.mark.parametrize(
    "title",
    ["404 Media", "Forbidden knowledge", "Oops: we forgot the beans", "Access denied: how seeds refuse", "Just a moment: on latency"],
)
def test_f72_a_list_is_not_gone_for_a_title_that_begins_like_it(title: str) -> None:
    page_of_notes = listing(1, 2, before=f"<title>{title} | Fern Lab</title><h1>{title}</h1>")
    assert len(page.read(page_of_notes, SOURCE, URL, None).entries) == 2


@pytest.mark.parametrize(
    "title",
    [
        *("404: This page could not be found.", "Error 404 (Not Found)!!1", "Oops! That page can’t be found. – Fern Lab", "403 Forbidden"),
        *(
            "Just a moment…",
            "Attention Required! | Cloudflare",
            "Page not found | Notes | Fern Lab",
            "We can’t find the page you requested",
        ),
    ],
)
def test_f72_a_page_that_says_nothing_else_is_gone(title: str) -> None:
    with pytest.raises(ParseError):
        page.read(listing(1, 2, 3, before=f"<title>{title}</title>"), SOURCE, URL, None)


# -- F73: hostile pages ---------------------------------------------------------------------------------

GOOD = card(1) + card(2)
HOSTILE = {
    "a base on another host": '<base href="https://evil.example/">' + GOOD,
    "a base that is a script": '<base href="javascript:alert(1)//">' + GOOD,
    "a base on its own host": '<base href="https://www.fernlab.example/deep/er/">' + GOOD,
    "JSON-LD that is none": '<script type="application/ld+json">{"@type": [[[</script>' + GOOD,
    "JSON-LD of half a million brackets": f'<script type="application/ld+json">{"[" * 500_000}</script>' + GOOD,
    "JSON of 50,000 levels": '<script type="application/json">' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "</script>" + GOOD,
    "a number of a million digits": f'<script type="application/json">[{"9" * 1_000_000}]</script>' + GOOD,
    "a million rows of a stream": '<script>self.__next_f.push([1,"' + "1:[" * 1_000_000 + '"])</script>' + GOOD,
    "200,000 pushes that never end": "<script>" + 'self.__next_f.push([1,"' * 200_000 + "</script>" + GOOD,
    "a comment that never ends": GOOD + '<!-- <a href="/notes/hidden">Hidden in a comment</a>',
    "a script that never ends": GOOD + "<script>var a = '<a href=/notes/hidden>Hidden in a script</a>';",
    "a tag that never ends": GOOD + '<a href="/notes/hidden',
    "100,000 other links": "".join(f'<a href="/x/{n}">{n}</a>' for n in range(100_000)) + GOOD,
    "100,000 times the same link": card(1) * 100_000 + card(2),
    "100,000 attributes": f"<div {' '.join(f'a{n}=1' for n in range(100_000))}></div>" + GOOD,
    "a million tags that do not begin": "<" * 1_000_000 + ">" + GOOD,
    "entities of one's own": '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + GOOD,
    "a million empty elements in a card": card(1).replace("</article>", "<i></i>" * 1_000_000 + "</article>") + card(2),
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_f73_the_right_links_of_a_hostile_page(body: str) -> None:
    began = time.monotonic()
    parsed = page.read(f"<html><body>{body}".encode(), SOURCE, URL, None)
    assert [(entry.url, entry.title) for entry in parsed.entries] == [
        ("https://www.fernlab.example/notes/n1", "Note number 1"),
        ("https://www.fernlab.example/notes/n2", "Note number 2"),
    ]
    assert {entry.published_at for entry in parsed.entries} == {"2026-06-12T00:00:00Z"}
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "body",
    [b"<div>" * 200_000 + GOOD.encode(), b"<a href=/notes/x>" * 100_000, b"<table><tr><td>" * 100_000, b"<b><i>" * 100_000 + GOOD.encode()],
    ids=["boxes", "links", "tables", "letters"],
)
def test_f73_nesting_beyond_measure_is_read_or_refused(body: bytes) -> None:
    began = time.monotonic()
    listed(body)
    assert time.monotonic() - began < 20


def test_f73_100_000_articles_are_cut_and_said_so() -> None:
    parsed = page.read(listing(*range(100_000)), SOURCE, URL, None)
    assert (len(parsed.entries), parsed.problem) == (page.MAX_ENTRIES, "too_many_items")
    assert parsed.entries[-1].title == f"Note number {page.MAX_ENTRIES - 1}"


def test_f73_a_page_of_12_mb_is_cut_and_said_so() -> None:
    parsed = page.read(listing(1, 2, after="<p>" + "word " * 2_400_000), SOURCE, URL, None)
    assert (len(parsed.entries), parsed.problem) == (2, "too_large")


SCRAPS = st.sampled_from(
    [
        "<a href='/notes/x'>", "</a>", "<a href=/notes/y>", "<h2>", "</h2>", "<nav>", "<header>", "<article>", "</article>", "2026",
        "<time datetime=", "Jun 12, 2026", "Science", "<script type='application/ld+json'>", "</script>", "<script>", "<svg>", "<?php",
        '{"slug": "a", "title": "b", "date": "2026"}', '{"url": ["/notes/z"], "title": {"rendered": 5}}', "<!--", "-->", "<base href='",
        "<base href=//[>", "&#0;", "&#xD800;", "\0", "\u202e", "<a href='http://[/notes/'>", "<a aria-labelledby=t href=/notes/q>",
        "<p id=t>", "<![CDATA[", "<html", "<img alt=Fern>", 'self.__next_f.push([1,"', '"])', "<script id=__NEXT_DATA__>",
        "<table><tr><td>", "<frameset>", "<body onload=",
    ]
)  # fmt: skip


def listed(body: bytes, charset: str | None = None) -> Parsed | None:
    """What a page lists; None when it is refused by the names there are for it."""
    try:
        return page.read(body, SOURCE, URL, charset)
    except ParseError as error:
        if error.name not in ("layout_changed", "challenge"):
            raise
        return None


@given(st.one_of(st.binary(max_size=400), st.lists(SCRAPS, max_size=30).map(lambda scraps: "".join(scraps).encode("utf-8", "replace"))))
@example(b"<a href='/notes/x'>\xff\xfe\x00")
@example(b"\xff\xfea")
@example(b"http://\x00")
@example(b"<meta charset=utf-7><a href=/notes/x>+AGE-</a>")
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_a_list_or_a_named_error(body: bytes) -> None:
    for charset in (None, "utf-16", "no-such-charset", "punycode"):
        if (parsed := listed(body, charset)) is None:
            continue
        assert parsed.entries or sitemaps.is_sitemap(body)  # of a sitemap that lists none `poll` says so
        assert len({canonical_url(str(entry.url)) for entry in parsed.entries}) == len(parsed.entries)
        for entry in parsed.entries:
            assert entry.title
            assert "\n" not in entry.title
            assert str(entry.url).startswith("https://www.fernlab.example/notes/")


@pytest.mark.parametrize(
    ("declared", "encoded"),
    [(None, "utf-8"), ("utf-8", "utf-8"), (None, "utf-8-sig"), (None, "utf-16"), ("iso-8859-1", "cp1252"), ("shift_jis", "shift_jis")],
)
def test_the_letters_of_a_page_are_its_own(declared: str | None, encoded: str) -> None:
    title = "蕨の日記" if encoded == "shift_jis" else "Fougère, naïve"
    assert titles(f"<h2><a href=/notes/x>{title}</a></h2>".encode(encoded), charset=declared) == [title]


def test_letters_declared_in_the_page_alone() -> None:
    assert titles('<meta charset="windows-1252"><h2><a href=/notes/x>Fougère</a></h2>'.encode("cp1252")) == ["Fougère"]


def test_creation_times_are_no_publication_dates() -> None:
    (post,) = embedded.posts([("json", '{"slug": "a", "title": "A", "_createdAt": "2026-01-01", "dateModified": "2026-01-02"}')])
    assert post.published_at is None


# -- selectors ------------------------------------------------------------------------------------------

CHOSEN = (DATA / "chosen.html").read_bytes()


@pytest.mark.parametrize("name", ["card", "title_at", "date_at", "link_at"])
def test_a_selector_that_fits_nothing_is_layout_changed_and_named(name: str) -> None:
    source = replace(SOURCE, options={"links": "/notes/", "card": "div.row", name: "aside.none"})
    with pytest.raises(ParseError, match=rf'^layout_changed: .* has nothing that fits {name} = "aside\.none"'):
        page.read(CHOSEN, source, URL, None)


def test_what_no_selector_is_given_for_is_found_as_on_any_page() -> None:
    body = b"".join(f"<li class=card><h3>Note {n}</h3><time>2026-06-0{n}</time><a href=/notes/n{n}>Go</a></li>".encode() for n in (1, 2))
    source = replace(SOURCE, options={"links": "/notes/", "card": "li.card"})
    found = [(entry.title, str(entry.published_at)[:10]) for entry in page.read(body, source, URL, None).entries]
    assert found == [("Note 1", "2026-06-01"), ("Note 2", "2026-06-02")]


def test_edited_selectors_are_read_afresh() -> None:
    first, _ = polled(CHOSEN)
    chosen = replace(SOURCE, options={"links": "/notes/", "card": "div.row"})
    _, request = polled(CHOSEN, after(first), chosen)
    assert request.etag is None


CONFIGURED = {
    # keys → what is wrong with them, the line it stands on
    "no links": ({"url": URL}, "a page needs links", 1),
    "links that are words": ({"url": URL, "links": "notes"}, 'links: "notes" must be the beginning of a path', 4),
    "its own sections and others": ({"url": URL, "links": "# /notes/"}, 'links: "#" must be the beginning', 4),
    "its own sections with cards": ({"url": URL, "links": "#", "card": "li"}, 'links: "#" must be the beginning', 4),
    "a selector that is none": ({"url": URL, "links": "/n/", "card": "div..x"}, 'card: "div..x" is no CSS selector', 5),
    "a selector that is empty": ({"url": URL, "links": "/n/", "card": ""}, 'card: "" is no CSS selector', 5),
    "a selector that no page knows": ({"url": URL, "links": "/n/", "card": "li", "date_at": "i::before"}, "date_at", 6),
    "a title without a card": ({"url": URL, "links": "/n/", "title_at": "h2"}, "title_at needs card", 5),
    "a selector that is a list": ({"url": URL, "links": "/n/", "card": ["li"]}, "card must be a text", 5),
    "skip that is a word": ({"url": URL, "links": "/n/", "skip": "/es/ fr"}, 'skip: "fr" must be the beginning', 5),
}


@pytest.mark.parametrize(("keys", "sentence", "line"), CONFIGURED.values(), ids=CONFIGURED)
def test_a_page_is_checked_before_any_network(keys: dict[str, object], sentence: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        configured(keys, tmp_path)
    assert sentence in str(caught.value)
    assert caught.value.line == line


def configured(keys: dict[str, object], tmp_path: Path) -> Source:
    path = tmp_path / "feeds.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in keys.items()]
    path.write_text("\n".join(["[feeds.fern]", 'kind = "page"', *lines]), encoding="utf-8")
    (source,) = config.load(path).sources
    return source


def test_a_page_that_is_well_configured(tmp_path: Path) -> None:
    for keys, options in (
        ({"url": URL, "links": "/notes/ !/notes/x"}, {"links": "/notes/ !/notes/x"}),
        ({"url": URL, "links": "#"}, {"links": "#"}),
        ({"url": f"{URL}/new.md"}, {"links": "#"}),
        ({"url": f"{URL}/new.md.txt?hl=en"}, {"links": "#"}),
        ({"url": f"{URL}/new.md", "links": "/notes/"}, {"links": "/notes/"}),
        (
            {"url": URL, "links": "/n/", "card": "ul > li.post:not(.ad)", "title_at": "h2, h3", "skip": "/es/"},
            {"links": "/n/", "card": "ul > li.post:not(.ad)", "title_at": "h2, h3", "skip": "/es/"},
        ),
    ):
        assert configured(dict(keys), tmp_path).options == options


# -- changelogs -----------------------------------------------------------------------------------------

CHANGELOG = replace(SOURCE, url=f"{URL}/new.md", options={"links": "#"})


def sections(markdown: str) -> list[tuple[str, str, str]]:
    parsed = page.read(markdown.encode(), CHANGELOG, CHANGELOG.url, None)
    return [(entry.title, str(entry.url).partition("#")[2], str(entry.published_at)[:10]) for entry in parsed.entries]


def test_a_changelog_without_dates_is_layout_changed() -> None:
    months = b"# Changelog\n\n## June 2026\n\nNews\n\n### Last week\n\nMore"
    for body in (b"# Changelog\n\n## 1.2\n\nNews", b"Just words of June 12, 2026.", b"\x00\x01", months):
        with pytest.raises(ParseError, match=r"^layout_changed: .* no heading with a date"):
            page.read(body, CHANGELOG, CHANGELOG.url, None)


def test_a_changelog_is_html_or_markdown_by_what_it_looks_like() -> None:
    paragraphs = b"<h1>Updates</h1><p>July 3, 2025</p><p>The first thing.</p>"
    (entry,) = page.read(paragraphs, replace(CHANGELOG, url=f"{URL}/updates"), URL, None).entries
    assert (entry.title, entry.url) == ("The first thing.", f"{URL}/updates#2025-07-03")
    assert sections("<p align=center>Fern</p>\n\n## June 12, 2026\n\nThe <b>first</b> thing.\n") == [
        ("The first thing.", "2026-06-12", "2026-06-12")
    ]


def test_days_stand_under_months_that_are_no_headings() -> None:
    found = sections(
        "**June 2026**\n\nJun 12\n\nThe first thing.\n\n2026\n\nJun 3\n\nThe second thing.\n\nMay 2026\n\nNothing with a day.\n"
    )
    assert found == [("The first thing.", "2026-06-12", "2026-06-12"), ("The second thing.", "2026-06-03", "2026-06-03")]


def test_a_date_within_a_sentence_begins_nothing() -> None:
    found = sections(
        "## June 12, 2026\n\nNews.\n\nWhat is from before June 1, 2026 stops.\n\n### The old end on July 1, 2026\n\nThey do.\n"
    )
    assert found == [
        ("News.", "2026-06-12-news", "2026-06-12"),
        ("The old end on July 1, 2026", "2026-06-12-the-old-end-on-july-1-2026", "2026-06-12"),
    ]


@pytest.mark.parametrize(
    "markdown",
    [
        "<!--" * 100_000 + "## June 12, 2026\n\nHidden",
        "## June 12, 2026\n\n" + "[" * 200_000,
        "## June 12, 2026\n\n" + "![" * 50_000 + "](" * 50_000,
        "## June 12, 2026\n\n" + "**" * 200_000,
        "## June 12, 2026\n\n" + "_a" * 200_000,
        "## June 12, 2026\n\n" + "<b>" * 200_000,
        "## " + "June 12, 2026 (" * 20_000,
        "## June 12, 2026\n\nx\n\n" * 20_000,
        "#" * 500_000,
        "---\n" * 100_000,
        "<Update " * 50_000,
        "a\n" * 300_000,
        "- " * 300_000,
    ],
    ids="comments brackets pictures bold emphasis tags dates sections hashes rules updates lines items".split(),
)  # fmt: skip
def test_f48_markdown_of_no_shape_costs_no_time(markdown: str) -> None:
    began = time.monotonic()
    with contextlib.suppress(ParseError):
        page.read(markdown.encode(), CHANGELOG, CHANGELOG.url, None)
    assert time.monotonic() - began < 10


MARKDOWN = st.sampled_from(
    [
        "## June 12, 2026", "Jun 3", "## June, 2026", "# ", "### Fix", "text", "- item", "```", "---", "===", "<!--", "-->",
        "<Update label='2026-01-02'>", "**2026-06-01**", "[a](b)", "{#x}", "", "\x00",
    ]
)  # fmt: skip


@given(st.lists(MARKDOWN, max_size=25).map("\n".join))
def test_any_markdown_is_a_list_or_a_named_error(markdown: str) -> None:
    for source, body in ((CHANGELOG, markdown), (replace(CHANGELOG, url=URL), f"<html><body>{markdown.replace('##', '<h2>')}")):
        with contextlib.suppress(ParseError):
            entries = page.read(body.encode(), source, source.url, None).entries
            assert entries
            assert all(entry.title and entry.published_at and str(entry.url).startswith(f"{source.url}#") for entry in entries)
            assert len({entry.url for entry in entries}) == len(entries)


# -- one poll -------------------------------------------------------------------------------------------


def answer(body: bytes, **facts: object) -> Response:
    return Response(URL, 200, {"etag": '"1"'}, body, **facts)  # type: ignore[arg-type]


def polled(body: bytes | None, state: State = State(), source: Source = SOURCE, **facts: object) -> tuple[Page, Request]:  # noqa: B008 - frozen
    """One page of one poll, and what was asked; without a body the answer is 304."""
    asked = []

    def get(request: Request) -> Response:
        asked.append(request)
        return Response(URL, 304, {}, b"") if body is None else answer(body, **facts)

    def parse(response: Response) -> Parsed:
        return page.read(response.body, source, response.url, None)

    (result,) = page.poll(source, state, get, parse)
    return result, asked[0]


def after(result: Page, **facts: object) -> State:
    return replace(State(result.etag, result.last_modified, result.body_hash, result.cursor), **facts)  # type: ignore[arg-type]


def test_a_page_is_asked_for_conditionally_and_parsed_only_when_it_changed() -> None:
    first, request = polled(listing(1, 2, 3))
    assert (request.etag, len(first.entries or ())) == (None, 3)
    same, request = polled(listing(1, 2, 3), after(first))
    assert (request.etag, same.entries, same.cursor) == ('"1"', None, None)
    unmodified, _ = polled(None, after(first))
    assert (unmodified.status, unmodified.entries, unmodified.body_hash) == (304, None, first.body_hash)


def test_a_new_build_of_the_same_page_is_no_change() -> None:
    build = '<script src="/_next/static/{}/manifest.js" nonce="{}"></script><link rel="preload" href="/{}.css"><meta name="t" content="{}">'
    first, _ = polled(listing(1, 2, before=build.replace("{}", "a1")))
    again, _ = polled(listing(1, 2, before=build.replace("{}", "b2")), after(first))
    assert again.entries is None


def test_edited_links_are_asked_for_afresh_and_not_compared_with_the_old_count() -> None:
    first, _ = polled(listing(*range(10)))
    edited = replace(SOURCE, options={"links": "/notes/n1"})
    body = listing(*range(9), 11, 12)
    result, request = polled(body, after(first), edited)
    assert request.etag is None
    assert [entry.title for entry in result.entries or ()] == ["Note number 11", "Note number 12"]


SHRUNK = {
    # listed before, listed now, fails so far, the last error → accepted
    "as many": (10, 10, 0, None, True),
    "six of ten": (10, 6, 0, None, True),
    "five of ten": (10, 5, 0, None, False),
    "five of ten, for the fourth time": (10, 5, 4, "layout_changed: …", False),
    "five of ten, for a day and a half": (10, 5, 5, "layout_changed: …", True),
    "five of ten, after other failures": (10, 5, 9, "timeout: …", False),
    "more": (10, 30, 0, None, True),
}


@pytest.mark.parametrize(("before", "now", "fails", "error", "accepted"), SHRUNK.values(), ids=SHRUNK)
def test_f72_a_list_that_shrank(before: int, now: int, fails: int, error: str | None, accepted: bool) -> None:
    state = after(polled(listing(*range(before)))[0], fails=fails, last_error=error)
    if accepted:
        result, _ = polled(listing(*range(100, 100 + now)), state)
        assert json.loads(str(result.cursor))["count"] == len(result.entries or ()) == now
    else:
        with pytest.raises(SourceError, match=f"^layout_changed: .* lists {now} articles, {before} last time"):
            polled(listing(*range(now)), state)


def test_a_body_that_was_cut_keeps_its_entries_and_is_not_compared() -> None:
    state = after(polled(listing(*range(10)))[0])
    result, _ = polled(listing(1, 2), state, truncated=True)
    assert (len(result.entries or ()), result.problem) == (2, "truncated")


@pytest.mark.parametrize("cursor", ["", "x", "5", "[]", '{"count": "a"}', '{"links": "/notes/"}'])
def test_a_cursor_of_another_kind_counts_as_none(cursor: str) -> None:
    assert len(polled(listing(1), State(cursor=cursor))[0].entries or ()) == 1


def test_the_parse_worker_reads_pages_and_survives_them() -> None:
    with ParseWorker(deadline_s=20) as worker:
        assert len(worker.parse(SOURCE, answer(listing(1, 2))).entries) == 2
        with pytest.raises(ParseError, match="layout_changed"):
            worker.parse(SOURCE, answer(b"<div>" * 100_000))
        assert len(worker.parse(SOURCE, answer(listing(1, 2, 3))).entries) == 3


# -- the loop: what is stored -----------------------------------------------------------------------------

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
Run = Callable[[bytes], Polled]


@pytest.fixture
def run(db: sqlite3.Connection, web: Server, tmp_path: Path) -> Iterator[Run]:
    """Serve a body as the page of a source, a day after the last one, and poll it."""
    path = tmp_path / "feeds.toml"
    path.write_text(f'[feeds.fern]\nkind = "page"\nurl = "{web.url("/notes")}"\nlinks = "/notes/"\n', encoding="utf-8")
    clock = iter(NOW + timedelta(days=n) for n in range(100))

    def one(body: bytes) -> Polled:
        web.serves("/notes", body, {"Content-Type": "text/html; charset=utf-8", "ETag": f'"{hash(body)}"'})
        with Fetcher("test@example.org", deadline_s=20) as fetcher:
            (result,) = poll.poll(db, config.load(path), fetcher, now=next(clock))
        return result

    yield one
    web.stop()


def test_an_entry_on_top_of_a_changelog_leaves_those_below_as_they_are(db: sqlite3.Connection, web: Server, tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(f'[feeds.fern]\nkind = "page"\nurl = "{web.url("/new.md")}"\n', encoding="utf-8")
    old = "## June, 2026\n\n### Jun 12\n\nThe second thing of that day.\n\n### Jun 3\n\nAn older thing happened.\n"
    results = []
    for day, body in enumerate((old, old.replace("### Jun 12", "### Jun 12\n\nThe third thing of that day.\n\n### Jun 12", 1))):
        web.serves("/new.md", f"# Changelog\n\n{body}".encode(), {"Content-Type": "text/markdown; charset=utf-8"})
        with Fetcher("test@example.org", deadline_s=20) as fetcher:
            results += poll.poll(db, config.load(path), fetcher, now=NOW + timedelta(days=day))
    web.stop()
    assert [(result.new, result.error) for result in results] == [(2, None), (1, None)]
    assert known(db) == ["An older thing happened.", "The second thing of that day.", "The third thing of that day."]


def known(db: sqlite3.Connection) -> list[str]:
    return [row[0] for row in db.execute("SELECT title FROM items ORDER BY title")]


@pytest.mark.parametrize("name", sorted(NO_LISTS))
def test_f72_known_items_stay_and_nothing_new_is_never_said(name: str, run: Run, db: sqlite3.Connection) -> None:
    assert run(listing(1, 2, 3)).new == 3
    before = sources.states(db)["fern"]
    result = run(NO_LISTS[name][0])
    # What the fetcher already names (no bytes, a challenge) keeps its name.
    assert result.outcome in ("layout_changed", "challenge", "empty_body", "not_a_feed"), result
    assert (result.ok, result.new) == (False, 0)
    after = sources.states(db)["fern"]
    assert (after.etag, after.body_hash, after.cursor, after.fails) == (before.etag, before.body_hash, before.cursor, 1)
    assert known(db) == ["Note number 1", "Note number 2", "Note number 3"]
    again = run(listing(0, 1, 2, 3))
    assert (again.outcome, again.new) == ("new", 1)


def test_f72_a_shorter_list_is_taken_after_five_failures(run: Run, db: sqlite3.Connection) -> None:
    run(listing(*range(10)))
    assert [run(listing(9, 10, 11)).outcome for _ in range(6)] == ["layout_changed"] * 5 + ["new"]
    assert len(known(db)) == 12
    assert json.loads(str(sources.states(db)["fern"].cursor)) == {"count": 3, "links": "/notes/"}
    assert iso(NOW) < str(sources.states(db)["fern"].last_ok_at)
