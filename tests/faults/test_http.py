"""F01–F22: what a server answers, and how. Redirects, statuses, cut and endless bodies, silence, lies."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
import zlib
from datetime import timedelta

import pytest

from tests.faults.conftest import Faults
from tests.servers import Exchange, server
from tracker.clock import parse as instant

XML = {"Content-Type": "application/xml"}


def feed(*names: str) -> bytes:
    """Return an RSS feed with these posts."""
    items = "".join(
        f"<item><title>{name}</title><link>https://bad.example/{name}</link><guid>{name}</guid>"
        f"<description>On {name}.</description><pubDate>Thu, 11 Jun 2026 09:00:00 GMT</pubDate></item>"
        for name in names
    )
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>Bad</title>{items}</channel></rss>".encode()


ONE, TWO = feed("first"), feed("first", "second")


def known(polled: Faults) -> None:
    """Poll once, well, so that there is something to lose."""
    assert polled.answers(ONE, {**XML, "ETag": '"good"'}).titles == ["first"]


def asked(polled: Faults, path: str = "/feed") -> int:
    return len(polled.web.hits(path))


# --- redirects ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_F01_a_feed_that_has_moved_is_read_where_it_is(polled: Faults, status: int) -> None:
    """redirects 301, 302, 303, 307, 308 → its items; for 301 and 308 a note of the new address; known items stay one"""
    known(polled)
    polled.web.redirects("/feed", "/new", status)
    polled.web.serves("/new", TWO, XML)
    answer = polled.poll()
    assert (answer.outcome, answer.titles) == ("new", ["first", "second"])
    assert answer.row["moved_to"] == (polled.url("/new") if status in (301, 308) else None)
    assert answer.row["url"] == polled.url("/feed")


@pytest.mark.parametrize("hops", [1, 2, 40], ids=["to itself", "in a circle", "40 hops"])
def test_F02_redirects_without_an_end_stop_at_ten(polled: Faults, hops: int) -> None:
    """a redirect to itself, a circle, 40 hops → `redirect_loop` after ten; nothing is lost"""
    known(polled)
    for hop in range(hops):
        there = f"/{(hop + 1) % hops}" if hops < 40 else f"/{hop + 1}"
        polled.web.redirects(f"/{hop}", there)
    polled.web.redirects("/feed", "/0")
    before = len(polled.web.requests)
    answer = polled.poll()
    assert (answer.error, answer.titles) == ("redirect_loop", ["first"])
    assert len(polled.web.requests) - before == 11


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("", "http_302"),
        ("file:///etc/passwd", "blocked_scheme"),
        ("gopher://127.0.0.1:70/1", "blocked_scheme"),
        ("javascript:alert(1)", "blocked_scheme"),
        ("data:text/xml,<rss/>", "blocked_scheme"),
        ("http://[::1", "http_302"),
        ("http://example.test:port/", "dns"),
    ],
)
def test_F03_a_redirect_to_what_is_no_place_is_named(polled: Faults, to: str, name: str) -> None:
    """a redirect without Location, to file:, gopher:, javascript:, data:, a broken address → a named error; no local file is read"""
    known(polled)
    polled.web.redirects("/feed", to)
    answer = polled.poll()
    assert (answer.error, answer.titles) == (name, ["first"])
    assert "root:" not in answer.sentence


@pytest.mark.parametrize("opens", [True, False])
def test_F04_a_gate_of_cookies_opens_or_is_named(polled: Faults, opens: bool) -> None:
    """a redirect that goes on until a cookie returns → items; if it never opens, `redirect_loop`; the cookie is forgotten after"""

    def gate(exchange: Exchange) -> bool:
        if opens and "pass=1" in exchange.seen.headers.get("cookie", ""):
            return exchange.answer(200, XML, ONE)
        return exchange.answer(302, {"Location": "/feed", "Set-Cookie": "pass=1"}, b"")

    polled.web.answers("/feed", gate)
    for _ in range(2):
        before = asked(polled)
        answer = polled.poll()
        assert answer.error == ("" if opens else "redirect_loop")
        assert "cookie" not in polled.web.hits("/feed")[before].headers


# --- statuses -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 418, 451])
def test_F05_a_refusal_is_named_by_its_status(polled: Faults, status: int) -> None:
    """400, 401, 402, 403, 404, 405, 418, 451 → `http_NNN`, asked once; stored items stay"""
    known(polled)
    answer = polled.answers(b"no", XML, status)
    assert (answer.error, answer.titles) == (f"http_{status}", ["first"])
    assert polled.url("/feed") in answer.sentence
    assert asked(polled) == 2


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (403, {"cf-mitigated": "challenge"}, b""),
        (403, {}, b"<title>Just a moment...</title>"),
        (503, {}, b"<script>window.__CF_CHL_opt</script>"),
        (403, {"Content-Encoding": "gzip"}, gzip.compress(b"<form id=captcha>")),
    ],
)
def test_F06_a_page_that_wants_a_browser_is_a_challenge(polled: Faults, status: int, headers: dict[str, str], body: bytes) -> None:
    """a challenge of a guard (403, 503, packed or not) → `challenge` and what to do; asked once, under our own name"""
    known(polled)
    answer = polled.answers(body, headers, status)
    assert (answer.error, answer.titles) == ("challenge", ["first"])
    assert "look for a feed or a mirror" in answer.sentence
    assert asked(polled) == 2
    assert {seen.headers["user-agent"].split("/")[0] for seen in polled.web.hits("/feed")} == {"tracker"}


@pytest.mark.parametrize("status", [404, 500])
def test_F07_a_feed_below_an_error_is_no_feed(polled: Faults, status: int) -> None:
    """404 or 500 with a feed in the body → the status; its items are not taken"""
    known(polled)
    answer = polled.answers(TWO, {**XML, "ETag": '"bad"'}, status)
    assert (answer.error, answer.titles) == (f"http_{status}", ["first"])
    assert answer.row["etag"] == '"good"'


def test_F08_what_is_gone_is_asked_again_in_a_week(polled: Faults) -> None:
    """410 → `gone`; its items stay; it is asked again after a week"""
    known(polled)
    answer = polled.answers(b"", XML, 410)
    assert (answer.error, answer.titles) == ("gone", ["first"])
    assert instant(answer.row["next_poll_at"]) == polled.now - timedelta(days=1) + timedelta(days=7)
    assert polled.poll(later=timedelta(days=6)).polled is None
    assert polled.answers(TWO).titles == ["first", "second"]


WAITS = [
    pytest.param("7200", 2.0, id="seconds"),
    pytest.param("Fri, 12 Jun 2026 14:00:00 GMT", 2.0, id="a date"),
    pytest.param("soon", 1.0, id="garbage: the back-off"),
    pytest.param("-5", 1.0, id="less than nothing: the back-off"),
    pytest.param(str(100 * 365 * 86_400), 7 * 24.0, id="100 years: a week"),
    pytest.param("Fri, 12 Jun 2126 12:00:00 GMT", 7 * 24.0, id="a date in 100 years: a week"),
]


@pytest.mark.parametrize(("wait", "hours"), WAITS)
def test_F09_a_server_that_wants_us_to_wait_is_not_asked_before(polled: Faults, wait: str, hours: float) -> None:
    """429 with seconds, a date, garbage, 100 years → `rate_limited`; not asked before that time, a week at most, also after a restart"""
    answer = polled.answers(b"", {"Retry-After": wait, "Date": "Fri, 12 Jun 2026 12:00:00 GMT"}, 429)
    assert answer.error == "rate_limited"
    polled.now -= timedelta(days=1)
    assert instant(answer.row["next_poll_at"]) == polled.now + timedelta(hours=hours)
    polled.now += timedelta(hours=hours) - timedelta(minutes=16)
    assert polled.answers(ONE, later=timedelta(minutes=16)).polled is None
    assert asked(polled) == 1
    assert polled.poll().titles == ["first"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_F10_a_server_that_fails_is_tried_three_times(polled: Faults, status: int) -> None:
    """500, 502, 503, 504 → three tries within seconds, then `http_5xx` and a back-off that doubles; its items stay"""
    known(polled)
    hours = [1, 2, 4]
    for count, wait in enumerate(hours, 1):
        answer = polled.answers(b"", XML, status, later=timedelta())
        assert (answer.error, answer.titles, answer.row["fails"]) == (f"http_{status}", ["first"], count)
        assert asked(polled) == 1 + 3 * count
        assert instant(answer.row["next_poll_at"]) == polled.now + timedelta(hours=wait)
        polled.now += timedelta(hours=wait)
    assert polled.pauses == [1.0, 3.0] * len(hours)
    assert polled.answers(TWO).row["fails"] == 0


def test_F10_a_server_that_is_back_in_a_moment_has_not_failed(polled: Faults) -> None:
    """502 once, then the feed → its items, no error"""
    polled.web.answers("/feed", lambda exchange: exchange.answer(502 if asked(polled) == 1 else 200, XML, ONE))
    answer = polled.poll()
    assert (answer.outcome, answer.titles, asked(polled)) == ("new", ["first"], 2)


@pytest.mark.parametrize("wait_s", [60, 7200])
def test_F10_a_503_that_names_a_time_is_asked_once_and_not_before(polled: Faults, wait_s: int) -> None:
    """503 + Retry-After → `http_503`, one try; not asked before that time"""
    answer = polled.answers(b"", {"Retry-After": str(wait_s)}, 503, later=timedelta())
    assert (answer.error, asked(polled), polled.pauses) == ("http_503", 1, [])
    assert f"try again in {wait_s} s" in answer.sentence
    assert instant(answer.row["next_poll_at"]) == polled.now + max(timedelta(hours=1), timedelta(seconds=wait_s))


@pytest.mark.parametrize(
    ("status", "body", "name"),
    [
        (204, b"", "empty_body"), (205, b"", "empty_body"), (200, b"", "empty_body"), (206, ONE, "http_206"), (202, ONE, "http_202"),
        (304, b"", ""),
    ],
)  # fmt: skip
def test_F11_an_answer_without_a_document_vouches_for_nothing(polled: Faults, status: int, body: bytes, name: str) -> None:
    """204, 205, an empty 200, 202, 206 → a named error; 304 to our validators → no change; the good validator stays"""
    known(polled)
    answer = polled.answers(body, {"ETag": '"bad"'}, status)
    assert (answer.error, answer.titles) == (name, ["first"])
    assert answer.row["etag"] == '"good"'
    assert polled.answers(TWO).titles == ["first", "second"]


def test_F11_a_304_that_was_not_asked_for_is_an_error(polled: Faults) -> None:
    """304 at the first poll, when nothing was asked to compare with → `http_304`"""
    answer = polled.answers(b"", {"ETag": '"1"'}, 304)
    assert (answer.error, answer.row["etag"]) == ("http_304", None)


# --- lengths, chunks, endings -------------------------------------------------------------------------------------------------------


def framed(body: bytes, *headers: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", "Content-Type: application/xml", 'ETag: "cut"', *headers, "", ""]).encode() + body


@pytest.mark.parametrize(
    ("headers", "body", "outcome"),
    [
        pytest.param(["Content-Length: 99999"], TWO, "truncated", id="too long"),
        pytest.param([f"Content-Length: {len(TWO) - 10}"], TWO, "truncated", id="too short"),
        pytest.param(["Content-Length: 99999"], b"", "truncated", id="too long, and nothing came"),
        pytest.param(["Content-Length: -5"], TWO, "", id="negative"),
        pytest.param(["Content-Length: many"], TWO, "", id="garbage"),
        pytest.param(["Content-Length: 5", "Content-Length: 9"], TWO, "connection", id="two of them"),
        pytest.param([], TWO, "", id="none"),
    ],
)
def test_F12_a_length_that_lies_costs_no_item(polled: Faults, headers: list[str], body: bytes, outcome: str) -> None:
    """Content-Length too long, too short, negative, garbage, twice → the items that came; `truncated` without the ETag of the cut body"""
    known(polled)
    polled.web.sends("/feed", framed(body, *headers))
    answer = polled.poll()
    assert answer.error == outcome
    assert answer.titles == (["first", "second"] if body and outcome != "connection" else ["first"])
    assert answer.row["etag"] == ('"good"' if outcome else '"cut"')


@pytest.mark.parametrize(
    "end", [b"400\r\n<item>", b"zz\r\nmore\r\n0\r\n\r\n", b"-1\r\n", b""], ids=["cut", "no size", "less than 0", "no end"]
)
def test_F13_broken_chunks_cost_no_complete_item(polled: Faults, end: bytes) -> None:
    """a chunk cut, a chunk size that is none → `truncated`; the complete items are stored, the ETag is not"""
    known(polled)
    body = TWO.replace(b"</channel></rss>", b"")
    polled.web.sends("/feed", framed(b"%x\r\n%b\r\n%b" % (len(body), body, end), "Transfer-Encoding: chunked"))
    answer = polled.poll()
    assert (answer.error, answer.titles, answer.row["etag"]) == ("truncated", ["first", "second"], '"good"')


@pytest.mark.parametrize("how", ["close", "reset", "reset_body"])
def test_F14_a_connection_that_dies_is_named(polled: Faults, how: str) -> None:
    """closed or reset at once or in the body → `connection`; nothing is lost"""
    known(polled)
    polled.web.fails("/feed", how)
    answer = polled.poll()
    assert (answer.error, answer.titles) == ("connection", ["first"])


@pytest.mark.parametrize("how", ["silence", "silence_body"])
def test_F15_silence_costs_only_the_silent(polled: Faults, how: str) -> None:
    """silence before the head or in the body → `timeout` by the deadline; the other hosts are read meanwhile"""
    polled.web.fails("/feed", how)
    read = threading.Event()
    with server() as other:
        other.answers("/feed", lambda exchange: (exchange.answer(200, XML, ONE), read.set())[0])
        polled.add("other", url=other.url("/feed").replace("127.0.0.1", "localhost"))
        polled.add("bad", url=polled.url("/feed"))
        answer = polled.poll(deadline_s=1.5)
    assert answer.error == "timeout"
    assert "no complete answer within 1.5 s" in answer.sentence
    assert read.is_set()


@pytest.mark.parametrize("how", ["drip_headers", "drip_body", "drip_chunks", "drip_trailers"])
def test_F16_a_drip_ends_by_the_total_deadline(polled: Faults, how: str) -> None:
    """one byte after another, in head, body, chunks or trailers → `timeout` by one total deadline"""
    known(polled)
    polled.web.fails("/feed", how)
    began = time.monotonic()
    answer = polled.poll(deadline_s=0.7)
    assert (answer.error, answer.titles) == ("timeout", ["first"])
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    ("how", "names"),
    [
        ("endless_body", {"too_large"}),
        ("endless_chunks", {"too_large"}),
        ("endless_trailers", {"too_large"}),
        ("endless_chunk_line", {"connection"}),
        ("endless_headers", {"connection"}),
        ("endless_continue", {"connection"}),
        ("length_huge", {"too_large"}),
    ],
)
def test_F17_what_never_ends_is_cut_off(polled: Faults, how: str, names: set[str]) -> None:
    """an endless body, endless chunks, headers or continues, 100 GB announced → `too_large` or `connection`; memory stays small"""
    known(polled)
    polled.web.fails("/feed", how)
    tracemalloc.start()
    try:
        answer = polled.poll()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.error in names
    assert answer.titles == ["first"]
    assert most < 150 * 2**20


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param(b"".join(b"X-%d: y\r\n" % n for n in range(10_000)), "connection", id="10,000 headers"),
        pytest.param(b"X-Huge: " + b"x" * 2**20 + b"\r\n", "connection", id="a header of 1 MB"),
        pytest.param(b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"x" * 200) for n in range(90)), "", id="90 cookies"),
        pytest.param(b"Set-Cookie: a=b; Expires=never; Domain=..; Port=\"x\"; Max-Age=-; Version=9\r\n", "", id="a broken cookie"),
        pytest.param(b"X-Odd: \xff\xfe\x01\r\n folded\r\nNo colon here\r\n", "", id="odd headers"),
    ],
)  # fmt: skip
def test_F18_heads_of_any_size_are_survived(polled: Faults, head: bytes, name: str) -> None:
    """10,000 headers, a header of 1 MB, 90 cookies, broken ones → items or `connection`"""
    polled.web.sends("/feed", b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n" + head + b"\r\n" + ONE)
    answer = polled.poll()
    assert answer.error == name
    assert answer.titles == ([] if name else ["first"])


@pytest.mark.parametrize("how", ["garbage_status", "garbage_bytes", "http_0.9", "http_2", "status_999", "status_word"])
def test_F19_what_is_not_http_is_named(polled: Faults, how: str) -> None:
    """a garbage status line, status 999, HTTP/0.9, other protocols → `connection`"""
    known(polled)
    polled.web.fails("/feed", how)
    answer = polled.poll()
    assert (answer.error, answer.titles) == ("connection", ["first"])


PACKED = gzip.compress(TWO, mtime=0)


@pytest.mark.parametrize(
    ("coding", "body", "names"),
    [
        pytest.param("gzip", PACKED[:-12], {"truncated"}, id="gzip cut"),
        pytest.param("gzip", PACKED[:30] + b"\xff\xff\xff" + PACKED[33:], {"bad_encoding"}, id="gzip corrupt"),
        pytest.param("gzip", PACKED[:-8] + b"\0" * 8, {"bad_encoding"}, id="a wrong checksum"),
        pytest.param("gzip", TWO, {"bad_encoding"}, id="claimed but plain"),
        pytest.param("br", TWO, {"bad_encoding"}, id="brotli, which was not asked for"),
        pytest.param("rot13", TWO, {"bad_encoding"}, id="an unknown coding"),
        pytest.param("deflate", zlib.compress(TWO)[:-6], {"truncated"}, id="deflate cut"),
    ],
)
def test_F20_a_body_that_cannot_be_unpacked_is_named(polled: Faults, coding: str, body: bytes, names: set[str]) -> None:
    """gzip cut, corrupt, claimed but plain, an unknown coding → `truncated` or `bad_encoding`; no validator is stored"""
    known(polled)
    answer = polled.answers(body, {"Content-Encoding": coding, "ETag": '"bad"'})
    assert answer.error in names
    assert answer.titles[0] == "first"
    assert answer.row["etag"] == '"good"'
    assert polled.answers(PACKED, {"Content-Encoding": "gzip"}).titles == ["first", "second"]


# --- lies ---------------------------------------------------------------------------------------------------------------------------


def test_F21_an_etag_that_stays_hides_no_change_from_who_looks(polled: Faults) -> None:
    """the same ETag for another body, with 200 → the new items"""
    known(polled)
    answer = polled.answers(TWO, {**XML, "ETag": '"good"'})
    assert (answer.outcome, answer.titles) == ("new", ["first", "second"])


def test_F21_an_etag_that_changes_makes_no_duplicates(polled: Faults) -> None:
    """another ETag for the same body → no change, no duplicates"""
    known(polled)
    for number in range(3):
        answer = polled.answers(ONE, {**XML, "ETag": f'W/"{number}"'})
        assert (answer.outcome, answer.titles) == ("unchanged", ["first"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Last-Modified": "yesterday, more or less", "ETag": "no quotes \xe9"},
        {"Last-Modified": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"Last-Modified": "Fri, 12 Jun 2099 06:00:00 GMT"},
        {"Cache-Control": "max-age=315360000, immutable", "Expires": "Thu, 12 Jun 2036 06:00:00 GMT"},
        {"Cache-Control": "max-age=99999999999999999999", "Age": "-1", "Expires": "never"},
    ],
    ids=["garbage", "1970", "2099", "a cache of ten years", "a cache of for ever"],
)
def test_F21_whatever_a_cache_may_keep_we_ask_within_a_day(polled: Faults, headers: dict[str, str]) -> None:
    """a garbage Last-Modified, a cache of ten years → items; the next poll still happens within a day"""
    answer = polled.answers(ONE, {**XML, **headers}, later=timedelta())
    assert answer.titles == ["first"]
    assert instant(answer.row["next_poll_at"]) <= polled.now + timedelta(days=1)
    polled.now += timedelta(days=1)
    assert polled.answers(TWO, {**XML, **headers}).titles == ["first", "second"]


@pytest.mark.parametrize("year", [2036, 2016, 9999])
def test_F22_a_clock_of_a_server_moves_no_date_of_ours(polled: Faults, year: int) -> None:
    """a server whose clock is ten years ahead or behind → items with the dates of the feed; the next poll as ever"""
    clock = f"Fri, 12 Jun {year} 06:00:00 GMT"
    answer = polled.answers(ONE, {**XML, "Date": clock, "Last-Modified": clock}, later=timedelta())
    assert [item["published_at"] for item in answer.items] == ["2026-06-11T09:00:00Z"]
    assert instant(answer.row["next_poll_at"]) <= polled.now + timedelta(days=1)
    polled.now += timedelta(days=1)
    waits = polled.answers(b"", {"Date": clock, "Retry-After": clock.replace("06:00", "08:00")}, 429, later=timedelta())
    assert instant(waits.row["next_poll_at"]) == polled.now + timedelta(hours=2)
