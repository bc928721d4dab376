"""robots.txt: what it says (RFC 9309), who is asked for it, how long it counts, what becomes of the page."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import Exchange, Server, server
from tracker import net, robots
from tracker.errors import SourceError
from tracker.fetch import Fetcher
from tracker.robots import parse
from tracker.store.pace import DAY_S, Pace
from tracker.types import Request, Response

PAGE = b"<!doctype html><title>Research</title>"


def forbids(body: str | bytes, path: str) -> str:
    return parse(body.encode() if isinstance(body, str) else body).refusal(f"https://a.example{path}")


def everyone(*lines: str) -> str:
    return "\n".join(["User-agent: *", *lines])


# --- matching -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lines", "path", "forbidden"), [
    pytest.param(lines, path, forbidden, id=name) for name, lines, path, forbidden in [
        ("nothing is said", [], "/a", False),
        ("everything", ["Disallow: /"], "/a", True),
        ("everything, at the root", ["Disallow: /"], "", True),
        ("an empty Disallow forbids nothing", ["Disallow:"], "/a", False),
        ("a prefix", ["Disallow: /private"], "/private-notes/1", True),
        ("a folder", ["Disallow: /private/"], "/private", False),
        ("case counts in a path", ["Disallow: /Private"], "/private", False),
        ("case does not count in a name", ["DISALLOW: /private"], "/private", True),
        ("space around a colon", ["  Disallow\t:  /private  "], "/private", True),
        ("a comment", ["Disallow: /private # not for you"], "/private", True),
        ("a commented line", ["# Disallow: /"], "/a", False),
        ("a pattern without a slash fits nothing", ["Disallow: private"], "/private", False),
        ("the longest decides", ["Disallow: /a", "Allow: /a/b"], "/a/b/c", False),
        ("the longest decides, in any order", ["Allow: /a", "Disallow: /a/b"], "/a/b/c", True),
        ("Allow among equals", ["Disallow: /a", "Allow: /a"], "/a", False),
        ("Allow among equals, in any order", ["Allow: /a", "Disallow: /a"], "/a", False),
        ("a star is anything", ["Disallow: /*.gif"], "/b/c.gif?d", True),
        ("a star is nothing, too", ["Disallow: /a*b"], "/ab", True),
        ("a star counts in the length", ["Disallow: /x/*", "Allow: /x/"], "/x/y", True),
        ("stars in a row are one", ["Disallow: /**", "Allow: /a"], "/a", False),
        ("pieces stand in order", ["Disallow: /*b*a"], "/a-b", False),
        ("a piece is used once", ["Disallow: /*ab*b"], "/ab", False),
        ("a dollar is the end", ["Disallow: /*.gif$"], "/a.gif", True),
        ("a dollar is the end, and a query goes on", ["Disallow: /*.gif$"], "/a.gif?b", False),
        ("a dollar without a star", ["Disallow: /a$"], "/a", True),
        ("a dollar without a star, and more", ["Disallow: /a$"], "/ab", False),
        ("the root alone", ["Disallow: /$"], "/a", False),
        ("the last piece ends it", ["Disallow: /*a*a$"], "/aba", True),
        ("the last piece is not used twice", ["Disallow: /*aa*a$"], "/aa", False),
        ("a star before the end", ["Disallow: /a*$"], "/abc", True),
        ("a dollar within", ["Disallow: /a$b"], "/a$b", True),
        ("a dollar within is no end", ["Disallow: /a$b"], "/a", False),
        ("a star of the URL is none of a pattern", ["Disallow: /a%2Ab"], "/a*b", True),
        ("an encoded star is one sign", ["Disallow: /a%2Ab"], "/axb", False),
        ("the query counts", ["Disallow: /*?page="], "/a?page=2", True),
        ("the query counts in its place", ["Disallow: /*?page="], "/page=2", False),
        ("encoded or not", ["Disallow: /%7Ejoe"], "/~joe/a", True),
        ("encoded or not, the other way", ["Disallow: /~joe"], "/%7ejoe/a", True),
        ("an encoded slash is no slash", ["Disallow: /a/b"], "/a%2Fb", False),
        ("hex digits in any case", ["Disallow: /a%2fb"], "/a%2Fb", True),
        ("letters beyond ASCII", ["Disallow: /bäume"], "/b%C3%A4ume", True),
        ("letters beyond ASCII, encoded", ["Disallow: /b%c3%a4ume"], "/bäume", True),
        ("an address in a query", ["Disallow: /to?url=http://a.b"], "/to?url=http%3A%2F%2Fa.b", True),
        ("an address in a query, the other way", ["Disallow: /to?url=http%3A%2F%2Fa.b"], "/to?url=http://a.b", True),
        ("robots.txt itself may be asked for", ["Disallow: /"], "/robots.txt", False),
    ]
])  # fmt: skip
def test_a_url_is_forbidden_by_the_longest_pattern_that_fits(lines: list[str], path: str, forbidden: bool) -> None:
    assert bool(forbids(everyone(*lines), path)) is forbidden


def test_the_refusal_is_the_line() -> None:
    assert forbids(everyone("Disallow: /", "Disallow: /news/*/full$"), "/news/1/full") == "Disallow: /news/*/full$"
    assert len(forbids(everyone("Disallow: /" + "a" * 5000), "/" + "a" * 5000)) < 120


def slow_but_sure(pattern: str, path: str) -> bool:
    """The meaning of a pattern, as a regular expression: for short ones."""
    import re

    body = pattern.removesuffix("$")
    return bool(re.match(".*".join(map(re.escape, body.split("*"))) + ("$" if pattern.endswith("$") else ""), path, re.DOTALL))


@settings(max_examples=500, deadline=None)
@given(st.text("ab*/", max_size=8), st.booleans(), st.text("ab/", max_size=8))
def test_a_pattern_fits_what_its_regular_expression_would(body: str, ends: bool, rest: str) -> None:
    pattern = f"/{body}{'$' if ends else ''}"
    assert bool(forbids(everyone(f"Disallow: {pattern}"), f"/{rest}")) == slow_but_sure(pattern, f"/{rest}")


# --- groups -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("body", "forbidden"), [
    pytest.param(body, forbidden, id=name) for name, body, forbidden in [
        ("for everyone", "User-agent: *\nDisallow: /a", True),
        ("for us", "User-agent: tracker\nDisallow: /a", True),
        ("for us, in any case", "user-agent: TRACKER\nDisallow: /a", True),
        ("for us with a version", "User-agent: Tracker/2.0 (+x)\nDisallow: /a", True),
        ("for another", "User-agent: otherbot\nDisallow: /a", False),
        ("for one whose name begins like ours", "User-agent: tracker-pro\nDisallow: /a", False),
        ("for one whose name ours begins with", "User-agent: track\nDisallow: /a", False),
        ("ours beats everyone's", "User-agent: *\nDisallow: /\n\nUser-agent: tracker\nDisallow: /b", False),
        ("ours beats everyone's, in any order", "User-agent: tracker\nDisallow:\n\nUser-agent: *\nDisallow: /", False),
        ("an empty group of ours", "User-agent: *\nDisallow: /\n\nUser-agent: tracker", False),
        ("a group of many", "User-agent: otherbot\nUser-agent: tracker\nUser-agent: third\nDisallow: /a", True),
        ("groups of ours are one", "User-agent: tracker\nDisallow: /b\nUser-agent: x\nAllow:\nUser-agent: tracker\nDisallow: /a", True),
        ("groups of everyone are one", "User-agent: *\nDisallow: /b\nUser-agent: x\nDisallow: /\nUser-agent: *\nDisallow: /a", True),
        ("a blank line ends no group", "User-agent: *\n\n\nDisallow: /a", True),
        ("a sitemap ends no group", "User-agent: *\nSitemap: https://a.example/s.xml\nDisallow: /a", True),
        ("a sitemap between names neither", "User-agent: tracker\nSitemap: /s.xml\nUser-agent: x\nDisallow: /a", True),
        ("a delay ends the names", "User-agent: *\nCrawl-delay: 9\n\nUser-agent: otherbot\nDisallow: /", False),
        ("rules before any group are nobody's", "Disallow: /\nUser-agent: x\nDisallow: /", False),
        ("a star within a name is no star", "User-agent: *bot\nDisallow: /", False),
        ("lines end as they do on old Macs", "User-agent: *\rDisallow: /a", True),
        ("lines end as they do on Windows", "User-agent: *\r\nDisallow: /a\r\n", True),
        ("a byte order mark", "\ufeffUser-agent: *\nDisallow: /a", True),
        ("a name without its hyphen", "Useragent: *\nDisallow: /a", True),
        ("lines without a colon", "User-agent *\nDisallow /", False),
        ("a page", "<!DOCTYPE html>\nUser-agent: *\nDisallow: /\n", False),
        ("a page after a byte order mark and lines", "\ufeff\n \n<html>\nUser-agent: *\nDisallow: /\n", False),
        ("nothing", "", False),
    ]
])  # fmt: skip
def test_the_group_that_names_us_counts_else_everyones(body: str, forbidden: bool) -> None:
    assert bool(forbids(body, "/a")) is forbidden


@pytest.mark.parametrize(("value", "delay"), [
    ("10", 10), ("0.5", 0.5), ("0", 0), ("3600", 30), ("9999999999999", 0), ("-1", 0), ("soon", 0), ("", 0), ("nan", 0), ("1e3", 0),
])  # fmt: skip
def test_a_delay_is_a_number_up_to_thirty_seconds(value: str, delay: float) -> None:
    assert parse(everyone(f"Crawl-delay: {value}").encode()).delay_s == delay


def test_the_delay_is_that_of_our_group() -> None:
    body = b"User-agent: *\nCrawl-delay: 20\n\nUser-agent: tracker\nCrawl-delay: 2\nDisallow: /a\n\nUser-agent: x\nCrawl-delay: 9"
    assert parse(body).delay_s == 2


# --- hostile ones -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [
    pytest.param(b"Disallow: /" + b"*a" * 250_000, id="one pattern of a quarter of a million stars"),
    pytest.param(b"Disallow: /" + b"*" * 500_000 + b"b", id="half a million stars in a row"),
    pytest.param(b"Disallow: /*a*a*a*a*a*a*a*b$\n" * 17_000, id="thousands of patterns that almost fit"),
    pytest.param(b"Disallow: *" + (b"a" * 500 + b"b" + b"a" * 499 + b"*\n") * 490, id="long pieces that almost fit"),
    pytest.param(b"Disallow: /%61%%%%4\n" * 25_000, id="thousands of odd encodings"),
    pytest.param(b"User-agent: a\n" * 36_000, id="thousands of names"),
])  # fmt: skip
def test_half_a_megabyte_of_anything_is_parsed_and_matched_in_a_moment(rules: bytes) -> None:
    began = time.process_time()
    made = parse(b"User-agent: *\n" + rules)
    made.refusal("https://a.example/" + "a" * 4000)
    assert time.process_time() - began < 3  # a regular expression would take years


def test_what_lies_beyond_the_limit_is_not_read_and_no_line_is_read_by_half() -> None:
    line = b"Disallow: /" + b"a" * 88 + b"\n"
    body = b"User-agent: *\n" + line * (robots.MAX_BYTES // len(line) + 10)
    assert len(parse(body).lines) == (robots.MAX_BYTES - 14) // len(line)
    assert {pattern for _, pattern in parse(body).lines} == {"/" + "a" * 88}


TEXTS = st.lists(
    st.sampled_from([
        b"User-agent: *\n", b"User-agent: tracker\n", b"user-agent:x\r\n", b"Disallow: /", b"Allow: /", b"Crawl-delay: ", b"9", b"*", b"$",
        b"%", b"%41", b"%2a", b"%C3%A4", b"\xc3\xa4", b"\xff", b"\0", b"?", b"#", b":", b"/", b"a", b"\n", b" ", b"\xef\xbb\xbf", b"<",
    ]) | st.binary(max_size=4),
    max_size=40,
).map(b"".join)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.text(max_size=20))
def test_parsing_and_matching_are_total(body: bytes, path: str) -> None:
    rules = parse(body)
    assert rules.refusal(f"https://a.example/{path}").isascii()
    assert 0 <= rules.delay_s <= 30


@settings(max_examples=500, deadline=None)
@given(TEXTS)
def test_what_is_kept_says_the_same(body: bytes) -> None:
    rules = parse(body)
    assert parse(rules.text()) == rules


# --- asking -------------------------------------------------------------------------------------------------------------------------

Get = Callable[..., Response]


@pytest.fixture
def get(web: Server, fetcher: Fetcher) -> Get:
    """Get a page of the server, which is trusted."""
    web.serves("/news", PAGE)
    return lambda path="/news", **more: fetcher.get(Request(web.url(path), trusted_host="127.0.0.1", robots=True, **more))


def refused(ask: Callable[[], object]) -> SourceError:
    with pytest.raises(SourceError) as caught:
        ask()
    return caught.value


def paths(web: Server) -> list[str]:
    return [seen.path for seen in web.requests]


def test_robots_txt_is_asked_first_and_once(web: Server, get: Get) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /private")
    web.serves("/more", PAGE)
    for path in ("/news", "/more", "/news"):
        assert get(path).body == PAGE
    assert refused(lambda: get("/private/1")).name == "disallowed"
    assert paths(web) == ["/robots.txt", "/news", "/more", "/news"]
    assert web.requests[0].headers["user-agent"] == web.requests[1].headers["user-agent"]


def test_a_refusal_names_the_file_and_the_line(web: Server, get: Get) -> None:
    web.serves("/robots.txt", b"User-agent: tracker\nDisallow: /news")
    error = refused(get)
    assert error.detail.startswith(f"{web.url('/news')}: {web.url('/robots.txt')} forbids programs to read it (Disallow: /news)")
    assert paths(web) == ["/robots.txt"]


def test_feeds_and_interfaces_are_asked_without_it(web: Server, fetcher: Fetcher) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /")
    web.serves("/feed")
    assert fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1")).status == 200
    assert paths(web) == ["/feed"]


def test_validators_and_credentials_of_the_page_are_not_for_robots_txt(web: Server, fetcher: Fetcher) -> None:
    web.serves("/news", PAGE)
    url = web.url("/news", host="me:secret@127.0.0.1")
    fetcher.get(Request(url, etag='"1"', last_modified="Fri", trusted_host="127.0.0.1", robots=True))
    first, second = web.requests
    assert not {"authorization", "if-none-match", "if-modified-since"} & set(first.headers)
    assert {"authorization", "if-none-match", "if-modified-since"} <= set(second.headers)


FORBIDDING = b"User-agent: *\nDisallow: /"
NO_RULES: dict[str, Callable[[Server], None]] = {
    "404": lambda web: web.serves("/robots.txt", FORBIDDING, status=404),
    "401": lambda web: web.serves("/robots.txt", FORBIDDING, status=401),
    "403": lambda web: web.serves("/robots.txt", FORBIDDING, status=403),
    "410": lambda web: web.serves("/robots.txt", FORBIDDING, status=410),
    "a challenge": lambda web: web.serves("/robots.txt", b"Just a moment...", status=403),
    "nothing": lambda web: web.serves("/robots.txt", b""),
    "204": lambda web: web.serves("/robots.txt", b"", status=204),
    "304 unasked": lambda web: web.serves("/robots.txt", b"", status=304),
    "a page": lambda web: web.serves("/robots.txt", b"<!doctype html><body>User-agent: *\nDisallow: /\n</body>"),
    "a picture": lambda web: web.serves("/robots.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), {"Content-Type": "image/png"}),
    "a redirect to itself": lambda web: web.redirects("/robots.txt", "/robots.txt"),
    "a redirect without a place": lambda web: web.redirects("/robots.txt", ""),
    "a redirect to a file": lambda web: web.redirects("/robots.txt", "file:///etc/passwd"),
}


@pytest.mark.parametrize("how", NO_RULES)
def test_a_site_without_robots_txt_may_be_read(web: Server, get: Get, how: str) -> None:
    NO_RULES[how](web)
    assert get().body == PAGE


NOT_NOW: dict[str, tuple[Callable[[Server], None], str, int]] = {
    "500": (lambda web: web.serves("/robots.txt", b"", status=500), "http_500", 3),
    "503": (lambda web: web.serves("/robots.txt", b"", status=503), "http_503", 3),
    "503 until then": (lambda web: web.serves("/robots.txt", b"", {"Retry-After": "120"}, 503), "http_503", 1),
    "501": (lambda web: web.serves("/robots.txt", b"", status=501), "http_501", 1),
    "429": (lambda web: web.serves("/robots.txt", b"", {"Retry-After": "120"}, 429), "rate_limited", 1),
    "closed": (lambda web: web.fails("/robots.txt", "close"), "connection", 1),
    "reset": (lambda web: web.fails("/robots.txt", "reset_body"), "connection", 1),
    "cut": (lambda web: web.fails("/robots.txt", "cut_body"), "truncated", 1),
    "endless": (lambda web: web.fails("/robots.txt", "endless_body"), "too_large", 1),
    "no HTTP": (lambda web: web.fails("/robots.txt", "garbage_bytes"), "connection", 1),
    "packed in an unknown way": (lambda web: web.serves("/robots.txt", b"x", {"Content-Encoding": "rot13"}), "bad_encoding", 1),
    "private": (lambda web: web.redirects("/robots.txt", "http://169.254.169.254/robots.txt"), "blocked_address", 1),
}


@pytest.mark.parametrize("how", NOT_NOW)
def test_a_page_is_not_asked_before_its_robots_txt_can_be_read(web: Server, get: Get, how: str) -> None:
    fail, name, requests = NOT_NOW[how]
    fail(web)
    error = refused(get)
    assert error.name == name
    assert web.url("/robots.txt") in error.detail
    assert f"{web.url('/news')} is not asked before its robots.txt can be read" in error.detail
    assert error.retry_after_s == (120 if how in ("503 until then", "429") else None)
    assert paths(web) == ["/robots.txt"] * requests
    if name != "blocked_address":  # and the other pages of the site need not ask again to know
        assert refused(lambda: get("/more")).name == name
        assert len(web.requests) == requests


def test_a_silent_robots_txt_and_its_page_share_one_deadline(web: Server) -> None:
    web.fails("/robots.txt", "silence")
    with Fetcher(None, deadline_s=0.4) as fetcher:
        began = time.monotonic()
        error = refused(lambda: fetcher.get(Request(web.url("/news"), trusted_host="127.0.0.1", robots=True)))
    assert error.name == "timeout"
    assert time.monotonic() - began < 5
    web.answers("/robots.txt", lambda exchange: time.sleep(0.5) or exchange.answer(404, {}, b""))
    web.answers("/news", lambda exchange: time.sleep(0.7) or exchange.answer(200, {}, PAGE))
    with Fetcher(None, deadline_s=1) as fetcher:
        assert refused(lambda: fetcher.get(Request(web.url("/news"), trusted_host="127.0.0.1", robots=True))).name == "timeout"
    assert web.hits("/news")


def test_a_robots_txt_on_the_way_has_what_is_left_of_the_deadline(web: Server, slept: list[float]) -> None:
    with server() as other:
        web.answers("/away", lambda exchange: exchange.answer(302 if web.hits("/away")[1:] else 500, {"Location": other.url("/news")}, b""))
        other.serves("/robots.txt", b"", status=500)
        with Fetcher(None, deadline_s=1.9, sleep=slept.append) as fetcher:
            error = refused(lambda: fetcher.get(Request(web.url("/away"), trusted_host="127.0.0.1", robots=True)))
        assert error.name == "http_500"
        assert (slept, paths(other)) == ([1.0], ["/robots.txt"])  # the second pause is not within what the first has left


def test_a_timeout_on_the_way_is_not_held_against_the_host(web: Server) -> None:
    with server() as other:
        web.answers("/away", lambda exchange: time.sleep(0.6) or exchange.answer(302, {"Location": other.url("/news")}, b""))
        other.answers("/robots.txt", lambda exchange: time.sleep(0.6) or exchange.answer(200, {}, b""))
        other.serves("/news", PAGE)
        with Fetcher(None, deadline_s=1) as short:
            error = refused(lambda: short.get(Request(web.url("/away"), trusted_host="127.0.0.1", robots=True)))
            assert error.name == "timeout"
            assert "within 1 s" not in str(error)
            assert short.get(Request(other.url("/news"), trusted_host="127.0.0.1", robots=True)).body == PAGE


def test_a_silent_host_is_asked_once_for_its_robots_txt(web: Server) -> None:
    web.fails("/robots.txt", "silence")
    with Fetcher(None, deadline_s=0.3) as short:
        for _ in range(3):
            assert refused(lambda: short.get(Request(web.url("/news"), trusted_host="127.0.0.1", robots=True))).name == "timeout"
    assert len(web.hits("/robots.txt")) == 1


def test_S25_a_page_that_leads_to_a_private_host_is_named(web: Server, get: Get) -> None:
    web.redirects("/news", "http://[::1]:9/x")
    error = refused(lambda: get("/news"))
    assert error.name == "blocked_address"
    assert f"{web.url('/news')} → http://[::1]:9/x" in str(error)


@pytest.mark.parametrize("path", ["/b/../a/x", "/b/%2e%2e/a/x", "/b/%2E./a/x", "/./a/x", "/%2e/a/./x", "/../a/x", "/a/b/..", "/a/c/."])
def test_dots_in_a_path_hide_nothing_from_robots_txt(web: Server, get: Get, path: str) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /a/")
    web.redirects("/old", path)
    assert refused(lambda: get(path)).name == refused(lambda: get("/old")).name == "disallowed"
    assert paths(web) == ["/robots.txt", "/old"]


@pytest.mark.parametrize(
    ("path", "sent"),
    [("/a/../b?c=../d", "/b?c=../d"), ("/a/..", "/"), ("/a/b/.", "/a/b/"), ("/a//b", "/a//b"), ("/...", "/..."), ("/.a/b.", "/.a/b.")],
)
def test_a_path_is_asked_for_as_robots_txt_is(web: Server, get: Get, path: str, sent: str) -> None:
    web.serves("/robots.txt", b"")
    web.serves(sent.partition("?")[0], PAGE)
    get(path)
    assert paths(web) == ["/robots.txt", sent]


@pytest.mark.parametrize(("hops", "counts"), [(1, True), (5, True), (6, False)])
def test_five_redirects_of_robots_txt_are_followed(web: Server, get: Get, hops: int, counts: bool) -> None:
    for hop in range(hops):
        web.redirects("/robots.txt" if not hop else f"/{hop}", f"/{hop + 1}")
    web.serves(f"/{hops}", FORBIDDING)
    if counts:
        assert refused(get).name == "disallowed"
    else:
        assert get().body == PAGE


def test_each_origin_has_its_own_also_at_the_end_of_a_redirect(web: Server, get: Get) -> None:
    with server() as other:
        web.redirects("/away", other.url("/news"))
        other.serves("/robots.txt", b"User-agent: *\nDisallow: /news")
        other.serves("/news", PAGE)
        error = refused(lambda: get("/away"))
        assert error.name == "disallowed"
        assert other.url("/robots.txt") in error.detail
        assert web.url("/away") in error.detail
        assert (paths(web), paths(other)) == (["/robots.txt", "/away"], ["/robots.txt"])


def test_a_redirect_to_a_forbidden_page_of_the_site_is_not_followed(web: Server, get: Get) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /private")
    web.redirects("/old", "/private/1")
    assert refused(lambda: get("/old")).name == "disallowed"
    assert paths(web) == ["/robots.txt", "/old"]


def test_S25_a_robots_txt_on_a_private_network_is_not_asked(web: Server, fetcher: Fetcher) -> None:
    assert refused(lambda: fetcher.get(Request(web.url("/news"), robots=True))).name == "blocked_address"
    web.serves("/news", PAGE)
    assert fetcher.get(Request(web.url("/news"), trusted_host="127.0.0.1", robots=True)).body == PAGE  # who trusts it may
    assert paths(web) == ["/robots.txt", "/news"]


def test_F23_a_host_that_is_not_there_is_told_as_such(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(lambda: fetcher.get(Request("https://nowhere.test/news", robots=True)))
    assert error.name == "dns"
    assert "https://nowhere.test/news is not asked" in error.detail


def test_many_threads_ask_for_it_once(web: Server, get: Get) -> None:
    def slow(exchange: Exchange) -> bool:
        time.sleep(0.1)
        return exchange.answer(200, {}, b"User-agent: *\nDisallow: /private")

    web.answers("/robots.txt", slow)
    threads = [threading.Thread(target=get) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert paths(web) == ["/robots.txt"] + ["/news"] * 8


# --- pauses -------------------------------------------------------------------------------------------------------------------------


def test_a_crawl_delay_paces_the_host_from_robots_txt_on(web: Server, get: Get, slept: list[float]) -> None:
    web.serves("/robots.txt", b"User-agent: *\nCrawl-delay: 7")
    for _ in range(2):
        get()
    assert len(slept) == 2
    assert all(6 < pause_s <= 7 for pause_s in slept)


def test_a_site_without_a_delay_is_not_slowed_down(web: Server, get: Get, slept: list[float]) -> None:
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /private")
    get()
    get()
    assert slept == []


# --- across processes ---------------------------------------------------------------------------------------------------------------


def visit(web: Server, folder: Path, path: str = "/news") -> tuple[str, list[float]]:
    """Get a page as a new process would; return the name of the error, and the pauses."""
    slept: list[float] = []
    with Fetcher(None, pace=Pace(folder), sleep=slept.append) as fetcher:
        try:
            fetcher.get(Request(web.url(path), trusted_host="127.0.0.1", robots=True))
        except SourceError as error:
            return error.name, slept
    return "", slept


def test_it_counts_for_a_day_across_processes(web: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serves("/news", PAGE)
    web.serves("/robots.txt", b"User-agent: *\nDisallow: /private")
    real = time.time()
    for hours, asked in ((0, 1), (23, 1), (25, 2), (24 + 23, 2)):
        monkeypatch.setattr(time, "time", lambda hours=hours: real + hours * 3600)
        assert visit(web, tmp_path)[0] == ""
        assert visit(web, tmp_path, "/private")[0] == "disallowed"
        assert len(web.hits("/robots.txt")) == asked
    monkeypatch.setattr(time, "time", lambda: real - 3600)  # a clock that was set back
    assert visit(web, tmp_path)[0] == ""
    assert len(web.hits("/robots.txt")) == 3


def test_a_long_process_asks_again_too(web: Server, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    get()
    real = time.monotonic()
    web.serves("/robots.txt", FORBIDDING)
    assert get().body == PAGE
    monkeypatch.setattr(robots.time, "monotonic", lambda: real + robots.MEMORY_S + 60)
    assert refused(get).name == "disallowed"


@pytest.mark.parametrize(("answer", "kept"), [((200, b"<html>Log in, please"), False), ((503, b""), False), ((404, b""), True)])
def test_a_login_page_or_a_failure_is_not_remembered(web: Server, tmp_path: Path, answer: tuple[int, bytes], kept: bool) -> None:
    web.serves("/news", PAGE)
    web.serves("/robots.txt", answer[1], {"Retry-After": "9"}, status=answer[0])
    visit(web, tmp_path)
    web.serves("/robots.txt", FORBIDDING)
    assert visit(web, tmp_path)[0] == ("" if kept else "disallowed")


def test_a_crawl_delay_lasts_across_processes(web: Server, tmp_path: Path) -> None:
    web.serves("/news", PAGE)
    web.serves("/robots.txt", b"User-agent: *\nCrawl-delay: 20")
    for _ in range(2):
        error, slept = visit(web, tmp_path)
        assert error == ""
        assert len(slept) == 1
        assert 18 < slept[0] <= 20
    assert len(web.hits("/robots.txt")) == 1


def test_a_crawl_delay_that_is_over_is_not_waited_for(web: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    web.serves("/news", PAGE)
    web.serves("/robots.txt", b"User-agent: *\nCrawl-delay: 20")
    visit(web, tmp_path)
    real = time.time()
    monkeypatch.setattr(time, "time", lambda: real + 3600)
    assert visit(web, tmp_path) == ("", [0.0])


def test_a_damaged_memory_is_no_reason_not_to_ask(web: Server, tmp_path: Path) -> None:
    web.serves("/news", PAGE)
    pace = Pace(tmp_path)
    (tmp_path / "pace.db").write_bytes(b"damaged while at work, and long enough to be asked what it is" * 100)
    pace.keep("https://a.example", b"User-agent: *")
    assert pace.recall("https://a.example") is None
    assert visit(web, tmp_path)[0] == ""


def test_what_one_thread_keeps_another_that_waited_does_not_forget(tmp_path: Path) -> None:
    pace = Pace(tmp_path)
    other = sqlite3.connect(tmp_path / "pace.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # the file is busy …
    waits = threading.Thread(target=pace.keep, args=("https://a.example", b"User-agent: *"))
    waits.start()
    time.sleep(0.2)  # … and a thread comes in the meantime
    other.execute("INSERT INTO robots VALUES ('https://b.example', ?, ?)", (time.time(), b"User-agent: b"))
    other.execute("COMMIT")
    other.close()
    waits.join()
    assert [pace.recall(f"https://{name}.example") for name in "ab"] == [b"User-agent: *", b"User-agent: b"]


def test_what_is_older_than_a_day_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pace, real = Pace(tmp_path), time.time()
    pace.keep("https://a.example", b"User-agent: *")
    monkeypatch.setattr(time, "time", lambda: real + DAY_S + 1)
    pace.keep("https://b.example", b"User-agent: *")
    with sqlite3.connect(tmp_path / "pace.db") as db:
        assert db.execute("SELECT origin FROM robots").fetchall() == [("https://b.example",)]


def test_a_memory_of_the_release_before_is_widened(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "pace.db") as db:
        db.execute("CREATE TABLE hosts(host TEXT PRIMARY KEY, free_at REAL NOT NULL) STRICT")
    pace = Pace(tmp_path)
    pace.keep("https://a.example", b"User-agent: *")
    assert pace.recall("https://a.example") == b"User-agent: *"


def test_credentials_are_in_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    assert robots.origin("HTTPS://Me:Secret@Example.org:8443/a?b") == "https://example.org:8443"
    assert net.shown("https://me:secret@example.org/") == "https://example.org/"
