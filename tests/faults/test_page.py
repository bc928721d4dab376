"""F72, F73 and S31 on pages: what is no list, what is hostile, sitemaps with entities."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.faults.conftest import Answer, Faults

HTML = {"Content-Type": "text/html; charset=utf-8"}


def card(name: object) -> str:
    return f'<article><h2><a href="/notes/n{name}">Note number {name}</a></h2><p>Jun 11, 2026</p></article>'


def listing(*names: object, before: str = "") -> bytes:
    return f"<!DOCTYPE html><html><body>{before}<main>{''.join(map(card, names))}</main></body></html>".encode()


def sitemap(polled: Faults, *names: object) -> bytes:
    rows = "".join(f"<url><loc>{polled.url(f'/notes/note-number-{name}')}</loc></url>" for name in names)
    return f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{rows}</urlset>'.encode()


def page(polled: Faults, body: bytes, headers: dict[str, str] = HTML, **keys: Any) -> Answer:
    return polled.answers(body, headers, kind="page", **{"links": "/notes/", **keys})


# Stimulus → the name of the error.
NO_LISTS = {
    "redesigned": (listing(1, 2, 3).replace(b"/notes/", b"/stories/"), "layout_changed"),
    "for JavaScript only": (b"<body><div id=root></div><noscript>Please enable JavaScript to go on.</noscript>", "layout_changed"),
    "a soft 404": (listing(1, 2, 3, before="<title>Page not found</title>"), "layout_changed"),
    "an error page of a proxy": (b"<html><title>Service unavailable</title><body>Try again later.</body></html>", "layout_changed"),
    "half of the list": (listing(1), "layout_changed"),
    "cards without titles": (b"".join(b"<div><a href=/notes/%d><img alt=''></a></div>" % n for n in range(9)), "layout_changed"),
    "an empty page": (b"<html><body></body></html>", "layout_changed"),
    "white space": (b"  \n ", "layout_changed"),
    "no bytes": (b"", "empty_body"),
    "JSON": (b'{"error": null}', "layout_changed"),
    "a waiting room": (b"<html><head><title>Just a moment...</title></head><body></body></html>", "challenge"),
    "a question whether one is human": (b"<html><body><h1>Verify you are human</h1></body></html>", "challenge"),
    "a guard's script alone": (b'<html><body><script src="https://geo.captcha-delivery.com/captcha/"></script></body></html>', "challenge"),
    "another guard's": (b"<html><body><script>window._cf_chl_opt={cType:'managed'}</script></body></html>", "challenge"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "name"), NO_LISTS.values(), ids=NO_LISTS)
def test_F72_a_page_that_is_no_list(body: bytes, name: str, polled: Faults) -> None:
    """redesigned, for JavaScript only, soft 404, empty, challenge with status 200 → `layout_changed`, `challenge`; items stay"""
    assert page(polled, listing(1, 2, 3)).titles == ["Note number 3", "Note number 2", "Note number 1"]
    answer = page(polled, body)
    assert (answer.outcome, answer.error) == (name, name)
    assert len(answer.titles) == 3
    assert answer.row["fails"] == 1
    assert page(polled, listing(1, 2, 3, 4)).titles[-1] == "Note number 4"


def test_F72_a_guarded_site_whose_list_is_there(polled: Faults) -> None:
    """a list beside a guard's script → the list"""
    body = listing(1, 2, before='<script src="/cdn-cgi/challenge-platform/scripts/jsd/main.js"></script><i class="px-captcha"></i>')
    assert len(page(polled, body).titles) == 2


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_F72_a_sitemap_that_lost_its_articles(packed: bool, polled: Faults) -> None:
    """sitemap without articles, or an HTML page in its place → `layout_changed`; known items stay"""

    def serve(body: bytes) -> Answer:
        return page(polled, gzip.compress(body) if packed else body, {"Content-Type": "application/xml"})

    assert len(serve(sitemap(polled, 1, 2, 3)).titles) == 3
    for body in (sitemap(polled), sitemap(polled, 1), b"<html><title>404</title><body>Not here</body></html>"):
        answer = serve(body)
        assert answer.error == "layout_changed"
        assert len(answer.titles) == 3
    assert len(serve(sitemap(polled, 1, 2, 3, 4)).titles) == 4


def test_F72_a_changelog_that_lost_its_dates(polled: Faults) -> None:
    """changelog without a dated heading → `layout_changed`; known items stay"""
    dated = b"# Changelog\n\n## June 11, 2026\n\nAgents remember now.\n\n## June 2, 2026\n\nAgents forget no more.\n"
    text = {"Content-Type": "text/markdown"}
    assert len(page(polled, dated, text, links="#").titles) == 2
    for body in (b"# Changelog\n\nSee our new site.", b"<html><title>Changelog</title><body><div id=app></div></body></html>"):
        answer = page(polled, body, text, links="#")
        assert answer.error == "layout_changed"
        assert len(answer.titles) == 2


def test_F72_a_selector_that_fits_nothing_any_more(polled: Faults) -> None:
    """a selector of the source fits nothing → `layout_changed`, and the selector is named"""
    keys = {"card": "article", "title_at": "h2 a"}
    assert len(page(polled, listing(1, 2), **keys).titles) == 2
    answer = page(polled, listing(1, 2).replace(b"h2", b"h3"), **keys)
    assert answer.error == "layout_changed"
    assert 'title_at = "h2 a"' in answer.sentence


HOSTILE = {
    "a base on another host": '<base href="https://evil.example/">{}',
    "a base that is a script": '<base href="javascript:alert(1)//">{}',
    "JSON-LD that is none": '<script type="application/ld+json">{{"@type": [[[</script>{}',
    "JSON-LD of half a million brackets": f'<script type="application/ld+json">{"[" * 500_000}</script>{{}}',
    "a comment that never ends": '{}<!-- <a href="/notes/hidden">Hidden in a comment</a>',
    "a script that never ends": "{}<script>var a = '<a href=/notes/hidden>Hidden in a script</a>';",
    "a tag that never ends": '{}<a href="/notes/hidden',
    "100,000 other links": "".join(f'<a href="/x/{n}">{n}</a>' for n in range(100_000)) + "{}",
    "links that lead elsewhere": "{}"
    + "".join(
        f'<h2><a href="{href}">Hidden behind a trick</a></h2>'
        for href in ("javascript:/notes/a", "//evil.example/notes/a", "https://evil.example/notes/a", "/notes/../admin", "data:/notes/a", "http://[/notes/a")
    ),
    "a menu of notes": '<nav><a href="/notes/team">Team</a><a href="/notes/category/x">Soil</a></nav>{}',
}  # fmt: skip


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_F73_the_right_links_of_a_hostile_page(body: str, polled: Faults) -> None:
    """hostile `<base>`, broken JSON-LD, unterminated comment, script or tag, 100,000 other links → the right links"""
    answer = page(polled, f"<html><body>{body.format(card(1) + card(2))}".encode())
    assert answer.outcome == "new", answer.sentence
    assert [(item["title"], item["url"]) for item in answer.items] == [
        ("Note number 2", polled.url("/notes/n2")),
        ("Note number 1", polled.url("/notes/n1")),
    ]


def test_F73_more_articles_than_a_page_may_have(polled: Faults) -> None:
    """100,000 article links → the first 3,000, `too_many_items`"""
    answer = page(polled, listing(*range(100_000)))
    assert (answer.error, len(answer.items)) == ("too_many_items", 3_000)


def test_F73_addresses_of_a_hostile_sitemap(polled: Faults) -> None:
    """sitemap with addresses of other hosts, schemes and shapes → the right links"""
    others = "".join(
        f"<url><loc>{json.dumps(loc)[1:-1]}</loc></url>"
        for loc in ("javascript:alert(1)", "https://evil.example/notes/a", "/notes/relative", "http://[/notes/a", "file:///notes/a", "")
    )
    answer = page(polled, sitemap(polled, 1).replace(b"<url>", f"{others}<url>".encode(), 1))
    assert answer.titles == ["Note number 1"]


ENTITIES = (
    '<!ENTITY x SYSTEM "file:///etc/passwd">',
    '<!ENTITY x SYSTEM "{canary}">',
    '<!ENTITY % p SYSTEM "{canary}"> %p;<!ENTITY x "y">',
)


@pytest.mark.parametrize("declared", ENTITIES)
def test_S31_a_sitemap_fetches_no_entity(declared: str, polled: Faults) -> None:
    """sitemap with external entities or a DTD → no file content, no request"""
    doctype = f"<!DOCTYPE urlset [{declared.replace('{canary}', polled.url('/canary'))}]>"
    body = sitemap(polled, 1).replace(b"<url>", f"<url><loc>{polled.url('/notes/')}&x;</loc></url><url>".encode(), 1)
    answer = page(polled, f'<?xml version="1.0"?>{doctype}'.encode() + body)
    assert "root" not in json.dumps([tuple(item) for item in answer.items])
    assert polled.web.hits("/canary") == []
    assert answer.titles in (["Note number 1"], [])
