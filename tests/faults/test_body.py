"""F66, F67: answers that are no feed, and feeds without entries."""

from __future__ import annotations

import pytest

from tests.faults.conftest import Faults
from tests.faults.test_xml import item, rss

NO_FEEDS = {
    "an HTML page": b"<!DOCTYPE html><html><head><title>Lab</title></head><body><article>An item</article></body></html>",
    "a login": b"<html><body><form action=/login><input name=password></form></body></html>",
    "a page that shows a feed": b"<html><body><pre><rss><channel><item><title>x</title></item></channel></rss></pre></body></html>",
    "an error in JSON": b'{"error": {"code": 500, "message": "internal"}}',
    "a list in JSON": b'[{"title": "x", "url": "https://a.example/"}]',
    "JSON that breaks off": b'{"items": [{"title": "x"',
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0" + bytes(range(256)),
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    "SOAP": b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault/></s:Body></s:Envelope>',
    "OPML": b'<opml version="2.0"><body><outline text="x" xmlUrl="https://a.example/feed"/></body></opml>',
    "a sitemap": b'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"><url><loc>https://a.example</loc></url></urlset>',
    "words": b"Service temporarily unavailable",
    "a path": b"/etc/passwd",
}  # fmt: skip


@pytest.mark.parametrize("body", [*NO_FEEDS.values(), b"", b" \r\n\t"], ids=[*NO_FEEDS, "nothing", "blanks"])
def test_F66_answers_that_are_no_feed(body: bytes, polled: Faults) -> None:
    """HTML, a login, JSON errors, PNG, PDF, SOAP, OPML, nothing → `not_a_feed`, `empty_body`; the items and the old validator stay"""
    polled.answers(rss(item(1)), {"ETag": '"good"'})
    answer = polled.answers(body, {"ETag": '"bad"'})
    assert answer.error == ("not_a_feed" if body else "empty_body")
    assert answer.titles == ["Post 1"]
    assert (answer.row["etag"], answer.row["fails"]) == ('"good"', 1)


EMPTY = {
    "RSS": rss(),
    "RDF": b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel/></rdf:RDF>',
    "Atom": b'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title></feed>',
    "JSON Feed": b'{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": []}',
    "RSS in short": b'<rss version="2.0"/>',
}


@pytest.mark.parametrize("body", EMPTY.values(), ids=EMPTY)
def test_F67_feeds_without_entries(body: bytes, polled: Faults) -> None:
    """a valid feed with no entry → nothing new, no failure; what it had stays"""
    assert (polled.answers(body).error, polled.answers(body).titles) == ("", [])
    assert polled.answers(rss(item(1))).titles == ["Post 1"]
    answer = polled.answers(body)
    assert (answer.error, answer.titles, answer.row["fails"]) == ("", ["Post 1"], 0)
