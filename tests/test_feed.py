"""Feeds: golden pairs of documents and entries, what is no feed, and what a poll asks and skips."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.errors import NAMES, ParseError
from tracker.pollers import Parsed, feed, fingerprint
from tracker.types import Entry, Page, Request, Response, Source, State

DATA = Path(__file__).parent / "data" / "feed"
SOURCE = Source("lab", "feed", "https://lab.example/feed", "Lab")


def read(body: bytes, charset: str | None = None) -> Parsed:
    return feed.read(body, SOURCE, SOURCE.url, charset)


def told(parsed: Parsed) -> dict[str, Any]:
    """What was found, as the .json beside a document says it: without what is empty."""
    facts = {name: value for name, value in asdict(parsed).items() if name not in ("entries", "signs") and value not in (None, ())}
    entries = [{name: value for name, value in asdict(entry).items() if value not in (None, "", ())} for entry in parsed.entries]
    return json.loads(json.dumps({"entries": entries, **facts}))


def tried(parse: Callable[..., Parsed], *args: Any) -> Parsed | ParseError:
    """What came of it: entries, or the error by its name; anything else that is raised passes."""
    try:
        return parse(*args)
    except ParseError as error:
        return error


def rss(*items: str) -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0"><channel><title>T</title>{"".join(items)}</channel></rss>'.encode()


def item(number: int = 1, **elements: str) -> str:
    inner = {"title": f"Post {number}", "link": f"https://lab.example/{number}"} | elements
    return "<item>" + "".join(f"<{name}>{value}</{name}>" for name, value in inner.items()) + "</item>"


DOCUMENTS = sorted([*DATA.glob("*.xml"), *DATA.glob("*.document")])  # a JSON Feed cannot end in .json: that is what it is expected to say


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_golden_pairs(document: Path) -> None:
    expected = json.loads(document.with_suffix(".json").read_text(encoding="utf-8"))
    assert told(read(document.read_bytes())) == expected


def test_every_document_has_its_pair() -> None:
    assert {path.stem for path in DOCUMENTS} == {path.stem for path in DATA.glob("*.json")}
    formats = {"rss090", "rss091", "rss092", "rss10", "rss20", "rdf", "atom03", "atom", "jsonfeed10", "jsonfeed11"}
    assert formats <= {path.stem for path in DOCUMENTS}


@pytest.mark.parametrize(
    ("body", "thing"),
    [
        pytest.param(
            b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please</body></html>", "an HTML page", id="an HTML page"
        ),
        pytest.param(b"\n<HTML><body><article>An item</article></body></HTML>", "an HTML page", id="an old HTML page"),
        pytest.param(b'{"error": "no such feed"}', "JSON", id="JSON"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0", "a picture", id="a picture"),
        pytest.param(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "a PDF", id="a PDF"),
        pytest.param(b"Service temporarily unavailable", "something else", id="words"),
        pytest.param(b'<svg xmlns="http://www.w3.org/2000/svg"/>', "something else", id="a drawing"),
        pytest.param(b'<opml version="2.0"><body><outline text="x"/></body></opml>', "something else", id="OPML"),
        pytest.param(
            b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://a.example</loc></url></urlset>',
            "something else",
            id="a sitemap",
        ),
        pytest.param(b"", "nothing", id="nothing"),
        pytest.param(b" \r\n\t", "nothing", id="blanks"),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, thing: str) -> None:
    with pytest.raises(ParseError) as failure:
        read(body)
    assert failure.value.name == "not_a_feed"
    assert f"{SOURCE.url} answered with {thing}, not with a feed" in str(failure.value)


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        pytest.param("iso-8859-1", "é à ü", id="Latin"),
        pytest.param("koi8-r", "привет", id="Russian"),
        pytest.param("shift_jis", "日本語", id="Japanese"),
        pytest.param("gb18030", "中文", id="Chinese"),
        pytest.param("big5", "繁體", id="Chinese, traditional"),
        pytest.param("euc-kr", "한국어", id="Korean"),
        pytest.param("utf-8", "日本語 é", id="Unicode"),
        pytest.param("utf-32", "日本語 é", id="Unicode in four bytes"),
    ],
)
@pytest.mark.parametrize("where", ["header", "document"])
def test_letters_are_right_whoever_says_what_they_are(charset: str, text: str, where: str) -> None:
    declaration = f'<?xml version="1.0" encoding="{charset}"?>' if where == "document" else '<?xml version="1.0"?>'
    body = f'{declaration}<rss version="2.0"><channel>{item(title=text)}</channel></rss>'.encode(charset)
    assert read(body, charset if where == "header" else None).entries[0].title == text


@pytest.mark.parametrize("charset", ["x-unheard-of", "utf-99", "none"])
def test_a_charset_nobody_knows_is_no_reason_to_fail(charset: str) -> None:
    assert read(rss(item(title="é")), charset).entries[0].title == "é"


def test_a_feed_cut_anywhere_gives_its_complete_entries_and_says_so() -> None:
    whole = rss(*(item(n, guid=f"g{n}", description=f"&lt;p&gt;Text {n}&lt;/p&gt;") for n in range(6)))
    entries = read(whole).entries
    assert len(entries) == 6
    start, end = whole.index(b"<channel"), whole.index(b"</rss>")
    for cut in range(start, end, 7):
        parsed = read(whole[:cut])
        assert parsed.entries == entries[: whole[:cut].count(b"</item>")], whole[:cut][-40:]
        assert parsed.problem == "truncated"
    assert read(whole[: end + len(b"</rss>")]).problem is None


def test_an_entry_that_is_never_closed_counts_if_the_feed_is() -> None:
    parsed = read(rss(item(1), item(2).removesuffix("</item>")))
    assert [entry.title for entry in parsed.entries] == ["Post 1", "Post 2"]
    assert parsed.problem is None


def test_only_so_many_entries_are_read() -> None:
    parsed = read(rss(*map(item, range(feed.MAX_ENTRIES + 1))))
    assert len(parsed.entries) == feed.MAX_ENTRIES
    assert parsed.entries[0].title == "Post 0"
    assert parsed.problem == "too_many_items"
    assert read(rss(*map(item, range(feed.MAX_ENTRIES)))).problem is None


def test_of_too_many_entries_the_newest_are_read_whichever_comes_first() -> None:
    dated = [item(n, pubDate=f"Thu, {1 + n // 200:02} Jan 2026 08:00:00 GMT") for n in range(feed.MAX_ENTRIES + 500)]
    newest = f"Post {feed.MAX_ENTRIES + 499}"
    assert read(rss(*dated)).entries[-1].title == newest
    assert read(rss(*dated[::-1])).entries[0].title == newest
    assert len(read(rss(*dated)).entries) == feed.MAX_ENTRIES
    assert read(rss(*dated)).problem == "too_many_items"


def test_a_body_is_never_taken_for_the_name_of_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "feed.xml"
    secret.write_bytes(rss(item(1)))
    for body in (str(secret).encode(), f"{secret}<rss/>".encode()):
        assert not isinstance(came := tried(read, body), Parsed) or not came.entries


@pytest.mark.parametrize(
    ("skip", "left"),
    [
        ("", ["/1", "/es/2", "/essays/3", "/zh-Hans/4", "/zh-Hant/5", "/es"]),
        ("/es/", ["/1", "/essays/3", "/zh-Hans/4", "/zh-Hant/5"]),
        ("/es/ /zh-*/", ["/1", "/essays/3"]),
        ("https://lab.example/zh-Hans/", ["/1", "/es/2", "/essays/3", "/zh-Hant/5", "/es"]),
        ("https://other.example/", ["/1", "/es/2", "/essays/3", "/zh-Hans/4", "/zh-Hant/5", "/es"]),
        ("/", []),
    ],
    ids=["nothing", "a language", "languages", "a whole URL", "another host", "everything"],
)
def test_entries_whose_path_begins_so_are_left_out(skip: str, left: list[str]) -> None:
    paths = ["/1", "/es/2", "/essays/3", "/zh-Hans/4", "/zh-Hant/5", "/es"]
    body = rss(*(item(n, link=f"https://www.lab.example{path}") for n, path in enumerate(paths)))
    source = Source("lab", "feed", SOURCE.url, "Lab", options={"skip": skip})
    assert [str(entry.url).partition("example")[2] for entry in feed.read(body, source, source.url, None).entries] == left


def test_an_entry_without_a_link_is_never_left_out() -> None:
    body = rss("<item><title>A note</title></item>")
    assert len(feed.read(body, Source("lab", "feed", SOURCE.url, "Lab", options={"skip": "/"}), SOURCE.url, None).entries) == 1


def test_an_entry_of_megabytes_is_cut_with_a_mark() -> None:
    (entry,) = read(rss(item(title="t" * 10_000, description="word " * 400_000, author="a" * 10_000))).entries
    assert len(entry.title) == 500
    assert len(entry.text) <= 20_000
    assert entry.title.endswith("[…]")
    assert entry.text.endswith("[…]")
    assert all(len(name) <= 200 for name in entry.authors)


def test_an_entry_keeps_so_many_links() -> None:
    links = " ".join(f"https://a.example/{n}" for n in range(1000))
    assert len(read(rss(item(description=links))).entries[0].links) == feed.MAX_LINKS


@pytest.mark.parametrize(
    ("guid", "link", "url"),
    [
        ("1", "", None),
        ("post 17", "", None),
        ("tag:lab.example,2026:1", "", None),
        ("2026/06/12", "", None),
        ("1", "https://lab.example/a", "https://lab.example/a"),
        ("b", "b", "https://lab.example/b"),
        ("/c", "", "https://lab.example/c"),
        ("https://lab.example/d", "", "https://lab.example/d"),
    ],
)
def test_a_guid_is_a_link_only_if_it_is_an_address(guid: str, link: str, url: str | None) -> None:
    told = f"<item><title>A</title><guid>{guid}</guid>{link and f'<link>{link}</link>'}</item>"
    linked = f'<link href="{link}"/>' if link else ""
    atom = f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>{guid}</id><title>A</title>{linked}</entry></feed>'
    for document in (rss(told), atom.encode()):
        (entry,) = read(document).entries
        assert (entry.url, entry.guid) == (url, guid)


def test_an_entry_does_not_link_to_itself() -> None:
    (entry,) = read(rss(item(1, description="https://www.lab.example/1/?utm_source=rss and https://lab.example/2"))).entries
    assert entry.links == ("url:https://lab.example/2",)


# -- nothing else comes out than entries or a named error ---------------------------------------------


def _whole(parsed: Parsed) -> None:
    for entry in parsed.entries:
        assert entry.title
        assert entry.url is None or entry.url.startswith(("http://", "https://"))
        json.dumps(asdict(entry), ensure_ascii=False).encode()


def mutated(valid: bytes) -> st.SearchStrategy[bytes]:
    """The document with pieces cut out, doubled, or replaced by noise."""
    words = b"< > & ]]> <![CDATA[ <!-- &#0; &#xD800; &#x110000; <item> </item> <entry> </rss> <title> 9999-99-99 xmlns=' <?xml".split()
    noise = st.sampled_from([*words, b"", b"<!DOCTYPE x [", b"\0", b"\x1b[1m", b"\xff", b"\xff\xfe"]) | st.binary(max_size=6)
    place = st.integers(0, len(valid))

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        body = valid
        for start, length, put in changes:
            body = body[:start] + put + body[start + length :]
        return body

    return st.lists(st.tuples(place, st.integers(0, 40), noise), min_size=1, max_size=8).map(apply)


VALID = [path.read_bytes() for path in DOCUMENTS]


@settings(deadline=None)
@given(st.binary() | st.sampled_from(VALID).flatmap(mutated), st.sampled_from([None, "utf-8", "utf-16", "iso-8859-1", "idna", "x"]))
def test_any_bytes_are_entries_or_a_parse_error(body: bytes, charset: str | None) -> None:
    came = tried(read, body, charset)
    if isinstance(came, ParseError):
        assert came.name in NAMES
    else:
        _whole(came)


@settings(deadline=None)
@given(
    st.text(st.characters(codec="utf-8")),
    st.text(st.characters(codec="utf-8"), max_size=60),
    st.text(st.characters(codec="utf-8"), max_size=60),
)
def test_any_words_in_a_feed_are_one_entry_at_most(title: str, link: str, date: str) -> None:
    def escaped(text: str) -> str:
        return text.replace("&", "&amp;").replace("<", "&lt;")

    parsed = read(rss(item(title=escaped(title), link=escaped(link), pubDate=escaped(date))))
    assert len(parsed.entries) <= 1
    _whole(parsed)


# -- poll: one request, and no parsing without need -----------------------------------------------------


ENTRIES = (Entry("A post", "https://lab.example/a"),)


def poll(state: State, response: Response) -> tuple[Page, list[Request], int]:
    """Poll once with an answer at hand: the page, what was asked, and how often a body was parsed."""
    asked: list[Request] = []
    parsed: list[Response] = []

    def get(request: Request) -> Response:
        asked.append(request)
        return response

    def parse(body: Response) -> Parsed:
        parsed.append(body)
        return Parsed(ENTRIES)

    pages: Iterator[Page] = feed.poll(SOURCE, state, get, parse)
    (page,) = pages
    return page, asked, len(parsed)


def answer(body: bytes = b"<rss/>", status: int = 200, **facts: Any) -> Response:
    return Response(SOURCE.url, status, {"etag": '"2"', "last-modified": "Fri, 12 Jun 2026 06:00:00 GMT"}, body, **facts)


def test_a_poll_sends_the_validators_of_last_time() -> None:
    _, asked, _ = poll(State(etag='"1"', last_modified="Thu, 11 Jun 2026 06:00:00 GMT"), answer())
    assert asked == [Request(SOURCE.url, '"1"', "Thu, 11 Jun 2026 06:00:00 GMT")]


def test_a_first_poll_sends_none_and_keeps_those_of_the_answer() -> None:
    page, asked, parsed = poll(State(), answer(moved_to="https://lab.example/new"))
    assert asked == [Request(SOURCE.url)]
    assert parsed == 1
    assert page == Page(
        ENTRIES,
        size=6,
        etag='"2"',
        last_modified="Fri, 12 Jun 2026 06:00:00 GMT",
        body_hash=fingerprint(b"<rss/>"),
        moved_to="https://lab.example/new",
        cursor="",
        listed=frozenset(),
    )


def test_not_modified_is_not_parsed_and_keeps_the_hash() -> None:
    page, _, parsed = poll(State(etag='"2"', body_hash="known"), answer(b"", 304))
    assert (page.entries, page.status, page.body_hash, parsed) == (None, 304, "known", 0)


BUILT = b"<rss><channel><pubDate>%b</pubDate><lastBuildDate>%b</lastBuildDate>%b</channel></rss>"


def test_a_feed_that_only_was_built_again_is_not_parsed() -> None:
    before = BUILT % (b"Thu", b"Thu", item().encode())
    page, _, parsed = poll(State(body_hash=fingerprint(before)), answer(BUILT % (b"Fri", b"Fri", item().encode())))
    assert (page.entries, page.etag, page.body_hash, parsed) == (None, '"2"', fingerprint(before), 0)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(BUILT % (b"Thu", b"Thu", item(2).encode()), id="another entry"),
        pytest.param(BUILT % (b"Thu", b"Thu", item(pubDate="Fri").encode()), id="the date of an entry"),
        pytest.param(BUILT % (b"Thu", b"Thu", b""), id="no entry any more"),
    ],
)
def test_a_feed_that_changed_is_parsed(body: bytes) -> None:
    before = BUILT % (b"Thu", b"Thu", item(pubDate="Thu").encode())
    page, _, parsed = poll(State(body_hash=fingerprint(before)), answer(body))
    assert (page.entries, page.body_hash, parsed) == (ENTRIES, fingerprint(body), 1)


def test_a_cut_body_is_parsed_even_if_it_is_known_and_is_called_truncated() -> None:
    body = b"<rss><channel><item>"
    page, _, parsed = poll(State(body_hash=fingerprint(body)), answer(body, truncated=True))
    assert (page.entries, page.problem, parsed) == (ENTRIES, "truncated", 1)


def test_the_updated_of_an_atom_feed_is_no_news_that_of_an_entry_is() -> None:
    document = b"<feed><updated>%b</updated><entry><updated>%b</updated></entry></feed>"
    assert fingerprint(document % (b"1", b"1")) == fingerprint(document % (b"2", b"1"))
    assert fingerprint(document % (b"1", b"1")) != fingerprint(document % (b"1", b"2"))
