"""F43–F49: documents made to take all the time or all the memory there is. What they cost is measured in the parse worker itself."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import pytest

from tests import servers
from tests.faults.conftest import Faults
from tests.faults.test_xml import item, rss
from tracker.errors import ParseError
from tracker.pollers.worker import ParseWorker
from tracker.types import Response, Source

SOURCE = Source("bad", "feed", "https://lab.example/feed", "Bad")
M = 1_000_000
LAUGHS = '<!DOCTYPE x [<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)) + "]>"
QUADRATIC = f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>'


def good(more: str = "") -> str:
    return item(1, more)


def declared(doctype: str, *items: str) -> bytes:
    return rss(*items, before=f'<?xml version="1.0"?>{doctype}')


def test_F43_entities_that_unfold(polled: Faults) -> None:
    """a billion laughs, quadratic entities, many short ones → the items; what would unfold stays as it is written"""
    answers = polled.each(
        {
            "laughs": declared(LAUGHS, "<item><title>&l9;</title></item>", item(2)),
            "quadratic": declared(QUADRATIC, f"<item><title>x{'&a;' * 100_000}</title></item>", item(2)),
            "many": declared('<!DOCTYPE x [<!ENTITY a "' + "a" * 200 + '">]>', f"<item><title>x{'&a;' * M}</title></item>", item(2)),
            "honest": declared('<!DOCTYPE x [<!ENTITY lab "Example &#76;ab">]>', "<item><title>&lab; &lab;</title></item>", item(2)),
        }
    )
    for name, answer in answers.items():
        assert answer.error == "", name
        assert "Post 2" in answer.titles, name
    assert "&l9;" in answers["laughs"].titles
    assert all(len(title) <= 500 for answer in answers.values() for title in answer.titles)


@pytest.mark.parametrize("what", ["file", "http", "parameter", "dtd", "xinclude", "path"])
def test_F44_files_and_addresses_of_others(what: str, polled: Faults, tmp_path: Path) -> None:
    """entities of files and addresses, parameter entities, a DTD, XInclude, a body that is a path → no content of it, nobody is asked"""
    secret = tmp_path / "secret.xml"
    secret.write_bytes(rss("<item><title>canary</title></item>"))
    canary = polled.url("/canary")
    polled.web.serves("/canary", b"<!ENTITY c 'canary'>canary")
    documents = {
        "file": declared(f'<!DOCTYPE x [<!ENTITY c SYSTEM "file://{secret}">]>', "<item><title>a&c;</title></item>"),
        "http": declared(f'<!DOCTYPE x [<!ENTITY c SYSTEM "{canary}">]>', "<item><title>a&c;</title></item>"),
        "parameter": declared(f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{canary}"> %p;]>', "<item><title>a&c;</title></item>"),
        "dtd": declared(f'<!DOCTYPE rss SYSTEM "{canary}">', "<item><title>a&c;</title></item>"),
        "xinclude": rss(
            f'<item><title>a<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{canary}" parse="text"/></title></item>'
        ),
        "path": str(secret).encode(),
    }
    answer = polled.answers(documents[what])
    assert answer.error == ("not_a_feed" if what == "path" else "")
    assert not [title for title in answer.titles if "canary" in title]
    assert polled.web.hits("/canary") == []


def test_F45_bodies_that_unpack_without_end(polled: Faults) -> None:
    """a gzip bomb, a deflate bomb of 300 MB, gzip in gzip → `too_large`, and no item of it"""
    nested = gzip.compress(servers.bomb(300))
    packer = zlib.compressobj(9)
    deflate = b"".join(packer.compress(b"\0" * 2**20) for _ in range(300)) + packer.flush()
    for coding, body in {"gzip": servers.bomb(300), "deflate": deflate, "gzip, gzip": nested}.items():
        answer = polled.answers(body, {"Content-Encoding": coding})
        assert answer.error in ("too_large", "bomb", "bad_encoding"), coding
        assert answer.titles == []
    assert polled.answers(gzip.compress(rss(item(1))), {"Content-Encoding": "gzip"}).titles == ["Post 1"]


OVERSIZED = {
    "an entry of 10 MB": good(f"<description>{'word ' * 2 * M}</description>"),
    "10 MB in CDATA": good(f"<description><![CDATA[{'<p>word</p> ' * 900_000}]]></description>"),
    "10 MB of emoji": good(f"<description>{'😀' * 2_500_000}</description>"),
    "19 MB of blanks": good(" " * 19 * M),
    "19 MB of line ends": good("\n" * 19 * M),
    "a title of 1 MB": f"<item><title>{'t' * M}</title></item>",
    "a link and a guid of 1 MB": good(f"<link>https://a.example/{'x' * M}</link><guid>{'g' * M}</guid>"),
}
MANY = {
    "100,000 entries": "".join(f"<item><title>Post {n}</title></item>" for n in range(1, 100_001)),
    "1 M elements in an entry": good("<x/>" * M),
    "1 M elements before": "<x/>" * M + good(),
    "1 M elements after": good() + "<x/>" * M,
    "20,000 categories": good("".join(f"<category>c{n}</category>" for n in range(20_000))),
    "300 entries with 200 categories": good("".join(f"<category>c{n}</category>" for n in range(200))) * 300,
    "6,000 namespaces": good("".join(f"<n{n}:x xmlns:n{n}='u{n}'/>" for n in range(6_000))),
}
REDOS = {
    "an author without end": good(f"<author>{'a.' * 500_000}@</author>"),
    "an author after the @": good(f"<author>x@{'a.' * 500_000}</author>"),
    "an author in CDATA": good(f"<author><![CDATA[{'a.]]><![CDATA[' * 50_000}@]]></author>"),
    "an author between tags": good(f"<author>{'a.a.a.<b/>' * 50_000}</author>"),
    "an author of references": good(f"<author>{'a&#46;' * 100_000}</author>"),
    "an author in a name": good(f"<author><name>{'a.' * 300_000}</name></author>"),
    "creators": good(f"<dc:creator>{'a.' * 3_000}@</dc:creator>") * 2_000,
    "a managing editor": f"<managingEditor>{'a.' * 500_000}@</managingEditor>{good()}",
    "a date": good(f"<pubDate>{'1 ' * 500_000}</pubDate>"),
    "blanks in a date": good(f"<pubDate>Thu, {' ' * M}</pubDate>"),
    "HTML": good(f"<description>{'&lt;a href=' * 100_000}</description>"),
    "a style": good(f"<description>&lt;p style='{'a:url( ' * 200_000}'&gt;</description>"),
    "comments": good("<!-- " * M),
    "instructions": good("<?x " * M),
    "declarations": good("<!X " * M),
    "open tags": good("<a " * M),
    "quotes": "<Item></item>" + good("<a b='" * 200_000 + "'>"),
    "attributes": good("<a " + " ".join(f"x{n}='1'" for n in range(100_000)) + ">"),
    "short tags": "<Item></item>" + "<a/" * 200_000 + good(),
    "a link in pieces": good(f"<link>{'a/' * 500_000}</link>"),
}
DEEP = {
    "20,000 elements": good("<x>" * 20_000 + "</x>" * 20_000),
    "9,000 elements": good("<x>" * 9_000 + "</x>" * 9_000),
    "100,000 elements": good("<x>" * 100_000 + "</x>" * 100_000),
    "100,000 elements before": "<x>" * 100_000 + "</x>" * 100_000 + good(),
    "100,000 that never end": good("<x>" * 100_000),
    "9,000 in XHTML": good("<content type='xhtml'>" + "<div>" * 9_000 + "x" + "</div>" * 9_000 + "</content>"),
    "100,000 in HTML": good(f"<description>{'&lt;div&gt;' * 100_000}</description>"),
    "items in items": good() + "<item>" * 20_000,
}  # fmt: skip


def costs(inner: str, head: str = "") -> tuple[str, list[str], float, float]:
    """(error or problem, titles, seconds of CPU, peak MB) of a document in a worker of its own."""
    body = rss(inner, before=f'<?xml version="1.0"?>{head}')
    with ParseWorker(120.0) as worker:
        worker.parse(SOURCE, Response(SOURCE.url, 200, {}, rss(item(0))))
        assert worker._child
        proc = Path(f"/proc/{worker._child.pid}")
        before = _cpu_s(proc)
        try:
            parsed = worker.parse(SOURCE, Response(SOURCE.url, 200, {}, body))
            said, titles = parsed.problem or "", [entry.title for entry in parsed.entries]
        except ParseError as error:
            said, titles = error.name, []
        return said, titles, _cpu_s(proc) - before, _peak_mb(proc)


def _cpu_s(proc: Path) -> float:
    fields = proc.joinpath("stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def _peak_mb(proc: Path) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", proc.joinpath("status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) / 1024


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells what a process took")


@linux
@pytest.mark.parametrize("inner", OVERSIZED.values(), ids=OVERSIZED)
def test_F46_fields_of_megabytes(inner: str) -> None:
    """an entry of 10 MB, 19 MB of blanks, a title of 1 MB → the item, cut with a mark, in ≤ 512 MB"""
    said, titles, seconds, megabytes = costs(inner)
    assert (said, len(titles)) == ("", 1)
    assert seconds < 30
    assert megabytes < 512


@linux
@pytest.mark.parametrize("inner", MANY.values(), ids=MANY)
def test_F47_elements_without_number(inner: str) -> None:
    """100,000 entries, 1 M elements, 20,000 categories → the newest entries and `too_many_items`, in ≤ 30 s and 512 MB"""
    said, titles, seconds, megabytes = costs(inner)
    assert titles[0] == "Post 1"
    assert (said, len(titles)) in (("", 1), ("", 300), ("too_many_items", 3_000))
    assert seconds < 30
    assert megabytes < 512


@linux
@pytest.mark.parametrize("inner", REDOS.values(), ids=REDOS)
def test_F48_patterns_that_backtrack(inner: str) -> None:
    """an author of `a.a.a…@`, dates, HTML, styles, markup that never ends → the items, in ≤ 5 s"""
    said, titles, seconds, megabytes = costs(inner)
    assert (said, set(titles)) == ("", {"Post 1"} if not inner.startswith("<Item>") else {*titles, "Post 1"})
    assert seconds < 5
    assert megabytes < 512


@linux
@pytest.mark.parametrize("inside", [" \n" * 4 * M, "<!ENTITY a " * 300_000, "<!ENTITY a 'b'>" * 300_000, "<!" * M])
def test_F48_a_doctype_that_backtracks(inside: str) -> None:
    """a DOCTYPE of blank lines, of entities without end, of declarations → the items, in ≤ 5 s"""
    said, titles, seconds, megabytes = costs(good(), f"<!DOCTYPE rss [{inside}]>")
    assert (said, titles) == ("", ["Post 1"])
    assert seconds < 5
    assert megabytes < 512


@linux
@pytest.mark.parametrize("inner", DEEP.values(), ids=DEEP)
def test_F49_elements_within_elements(inner: str) -> None:
    """XML and HTML nested 9,000 to 100,000 deep → the items, or `too_deep`; no crash"""
    said, titles, seconds, megabytes = costs(inner)
    assert (said, titles[:1]) in (("", ["Post 1"]), ("too_many_items", ["Post 1"]), ("too_deep", []))
    assert seconds < 30
    assert megabytes < 512


def test_F49_lists_within_lists_in_json(polled: Faults) -> None:
    """JSON nested 100,000 deep → `too_deep`"""
    deep = b'{"version": "https://jsonfeed.org/version/1.1", "items": %b%b}' % (b"[" * 100_000, b"]" * 100_000)
    assert polled.answers(deep, {"Content-Type": "application/feed+json"}).error == "too_deep"


def test_F43_to_F49_end_to_end(polled: Faults) -> None:
    """one of each through a real poll → items or a named error; the good source beside them is read"""
    answers = polled.each(
        {"F46": rss(OVERSIZED["a title of 1 MB"]), "F47": rss(MANY["100,000 entries"]), "F48": rss(REDOS["an author without end"])}
    )
    assert answers["F46"].titles[0].endswith("[…]")
    assert (answers["F47"].error, len(answers["F47"].items)) == ("too_many_items", 3_000)
    assert answers["F48"].titles == ["Post 1"]
