"""F63–F65: links that run, lead nowhere, or pretend."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Faults
from tests.faults.test_xml import rss

ATOM = '<feed xmlns="http://www.w3.org/2005/Atom" {0}><title>T</title><entry {1}><id>tag:x,2026:1</id><title>Post</title>{2}</entry></feed>'
ACTIVE = {
    "javascript": "javascript:alert(1)",
    "in capitals": "JaVaScRiPt:alert(1)",
    "with a tab": "java&#9;script:alert(1)",
    "with a line end": "java&#10;script:alert(1)",
    "after a control": "&#1;javascript:alert(1)",
    "after blanks": "   javascript:alert(1)",
    "with slashes": "javascript://lab.example/%0aalert(1)",
    "data": "data:text/html,&lt;script&gt;alert(1)&lt;/script&gt;",
    "vbscript": "vbscript:msgbox(1)",
    "file": "file:///etc/passwd",
    "blob": "blob:https://lab.example/1",
    "view-source": "view-source:https://lab.example/",
    "escaped twice": "javascript&amp;colon;alert(1)",
}


@pytest.mark.parametrize("element", ["link", "guid"])
def test_F63_links_that_run(element: str, polled: Faults) -> None:
    """`javascript:`, `data:`, `vbscript:`, `file:`, `blob:`, with capitals, tabs, controls → the item without such a link"""
    form = {"link": '<guid isPermaLink="false">g</guid><link>{0}</link>', "guid": "<guid>{0}</guid>"}[element]
    answers = polled.each({name: rss(f"<item><title>Post</title>{form.format(link)}</item>") for name, link in ACTIVE.items()})
    for name, answer in answers.items():
        assert (answer.error, len(answer.items)) == ("", 1), name
        url = answer.items[0]["url"]
        assert url is None or (url.startswith("http://127.0.0.1:") and name == "escaped twice"), (name, url)


def test_F64_links_without_host(polled: Faults) -> None:
    """relative, protocol-relative, `xml:base`, several `rel` → the absolute link of the post"""
    site = polled.url("/").rstrip("/")
    alternate = (
        '<link rel="self" href="/api/1"/><link rel="enclosure" href="/1.mp3"/><link rel="alternate" type="text/html" href="/right"/>'
    )
    cases = {
        "relative to the host": (rss("<item><title>P</title><link>/posts/1</link></item>"), f"{site}/posts/1"),
        "relative to the feed": (rss("<item><title>P</title><link>posts/2</link></item>"), f"{site}/posts/2"),
        "without scheme": (rss("<item><title>P</title><link>//lab.example/3</link></item>"), "http://lab.example/3"),
        "base of the feed": (
            ATOM.format('xml:base="https://base.example/blog/"', "", '<link href="4"/>').encode(),
            "https://base.example/blog/4",
        ),
        "base of the entry": (
            ATOM.format('xml:base="https://base.example/"', 'xml:base="sub/"', '<link href="5"/>').encode(),
            "https://base.example/sub/5",
        ),
        "a hostile base": (ATOM.format('xml:base="javascript:alert(1)//"', "", '<link href="/6"/>').encode(), f"{site}/6"),
        "several": (ATOM.format("", "", alternate).encode(), f"{site}/right"),
        "only related": (ATOM.format("", "", '<link rel="enclosure" href="/1.mp3"/><link rel="related" href="/7"/>').encode(), f"{site}/7"),
        "blanks around": (rss("<item><title>P</title><link>\n  https://lab.example/8\n </link></item>"), "https://lab.example/8"),
    }
    answers = polled.each({name: body for name, (body, _) in cases.items()})
    assert {name: [row["url"] for row in answer.items] for name, answer in answers.items()} == {
        name: [url] for name, (_, url) in cases.items()
    }


def test_F64_links_in_the_text(polled: Faults) -> None:
    """relative links inside content, against `xml:base` or the feed's address → keys of what they point to"""
    import sqlite3

    inside = (
        '<content type="html">&lt;a href="/a/2606.01234"&gt;x&lt;/a&gt; &lt;a href=\'sub/b\'&gt;y&lt;/a&gt;'
        ' &lt;a href="//c.example/z"&gt;z&lt;/a&gt;</content>'
    )
    polled.each(
        {
            "base": ATOM.format("", "", inside.replace("<content", '<content xml:base="https://base.example/blog/"')).encode(),
            "rss": rss(
                '<item><title>P</title><guid isPermaLink="false">1</guid><description>&lt;a href="/d"&gt;d&lt;/a&gt;</description></item>'
            ),
        }
    )
    with sqlite3.connect(polled.path) as db:
        keys = {row[0] for row in db.execute("SELECT key FROM links")}
    host = polled.url("/").removeprefix("http://").rstrip("/")
    assert {
        "url:https://base.example/a/2606.01234",
        "url:https://base.example/blog/sub/b",
        "url:https://c.example/z",
        f"url:https://{host}/d",
    } <= keys


PRETENDING = {
    "a name beyond ASCII": ("https://bücher.example/1", "https://xn--bcher-kva.example/1"),
    "a look-alike": ("https://аррӏе.example/2", "https://xn--80ak6aa92e.example/2"),
    "a user name": ("https://openai.com@evil.example/3", "https://evil.example/3"),
    "a user name and a backslash": ("https://evil.example\\@openai.com/4", "https://openai.com/4"),
    "quotes": ("https://lab.example/5\"onmouseover='x'", "https://lab.example/5%22onmouseover='x'"),
    "markup": ("https://lab.example/6&lt;script&gt;", "https://lab.example/6%3Cscript%3E"),
    "a port that is none": ("https://lab.example:port/7", None),
    "a port too high": ("https://lab.example:99999/8", None),
    "a bracket": ("https://[::1/9", None),
    "no address of six": ("https://[no]/10", None),
    "no host": ("https://", None),
    "a right-to-left mark": ("https://lab.example/12\u202egpj", "https://lab.example/12%E2%80%AEgpj"),
    "of 3,000 letters": ("https://lab.example/" + "x" * 3_000, None),
}


@pytest.mark.parametrize("where", ["link", "href"])
def test_F65_links_that_pretend(where: str, polled: Faults) -> None:
    """names beyond ASCII, `openai.com@evil.example`, quotes, bad ports, bad IPv6 → the item; the true host in ASCII, or no link"""
    form = {"link": '<item><title>Post</title><guid isPermaLink="false">g</guid><link>{0}</link></item>', "href": "<link href='{0}'/>"}[
        where
    ]
    cases = {name: case for name, case in PRETENDING.items() if where == "link" or "'" not in case[0]}
    bodies = {name: form.format(link) for name, (link, _) in cases.items()}
    answers = polled.each({name: rss(body) if where == "link" else ATOM.format("", "", body).encode() for name, body in bodies.items()})
    for name, (_, wanted) in cases.items():
        assert (answers[name].error, len(answers[name].items)) == ("", 1), name
        url = answers[name].items[0]["url"]
        if wanted is None:  # no link at all, or one that stays on the host it names first
            assert url is None or url.startswith(("http://127.0.0.1:", "https://evil.example/")), (name, url)
        else:
            assert url == wanted, name
