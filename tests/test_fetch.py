"""``fetch`` against a server that misbehaves: rows F01–F25 and S24–S29 of the faults we promise to survive."""

from __future__ import annotations

import contextlib
import datetime
import gzip
import ipaddress
import itertools
import socket
import ssl
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.servers import FAILURES, Exchange, Server, bomb, server
from tracker import fetch, net, polite
from tracker.errors import SourceError
from tracker.fetch import Fetcher
from tracker.types import Request, Response

FEED = b"<rss><channel><item><title>one</title></item></channel></rss>"
HANG_S = 10.0  # nothing may take longer, whatever the server does
Get = Callable[..., Response]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", *net.CA_VARIABLES, "TRACKER_ARXIV_DELAY_S"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def get(web: Server, fetcher: Fetcher) -> Get:
    """Get a path of the server, which is trusted."""
    return lambda path, **validators: fetcher.get(Request(web.url(path), trusted_host="127.0.0.1", **validators))


def failure(ask: Callable[[], object]) -> SourceError:
    """Return the error that asking gives, within ``HANG_S``."""
    began = time.monotonic()
    with pytest.raises(SourceError) as caught:
        ask()
    assert time.monotonic() - began < HANG_S
    return caught.value


def table(*rows: tuple[Any, ...]) -> list[Any]:
    return [pytest.param(*values, id=name) for name, *values in rows]


# --- what goes well -----------------------------------------------------------------------------------------------------------------


def test_a_good_answer_has_url_status_headers_and_body(web: Server, get: Get) -> None:
    web.serves("/feed", FEED, {"ETag": '"1"', "X-Odd": "caf\xe9"})
    answer = get("/feed#part")
    assert (answer.url, answer.status, answer.body) == (web.url("/feed"), 200, FEED)
    assert answer.headers["etag"] == '"1"'
    assert (answer.moved_to, answer.truncated) == (None, False)


def test_we_say_who_we_are_and_what_we_read(web: Server, get: Get) -> None:
    web.serves("/feed")
    get("/feed")
    (seen,) = web.requests
    assert seen.headers["user-agent"].startswith("tracker/")
    assert seen.headers["user-agent"].endswith("(+you@example.org)")
    assert seen.headers["accept-encoding"] == "gzip, deflate"
    assert "atom+xml" in seen.headers["accept"]
    assert not {"cookie", "authorization", "referer", "if-none-match", "if-modified-since"} & set(seen.headers)


@pytest.mark.parametrize("contact", [None, "", "\r\nX-Evil: 1", "böse (nested)"])
def test_the_user_agent_is_one_clean_header(contact: str | None) -> None:
    agent = polite.user_agent(contact)
    assert agent.isascii()
    assert agent.isprintable()
    assert agent.count("(") == agent.count(")") == 1


def test_a_304_to_our_validators_is_an_answer(web: Server, get: Get) -> None:
    web.not_modified("/feed", '"7"')
    assert get("/feed").status == 200
    answer = get("/feed", etag='"7"', last_modified="Fri, 12 Jun 2026 06:10:00 GMT")
    assert (answer.status, answer.body) == (304, b"")
    assert web.requests[-1].headers["if-modified-since"] == "Fri, 12 Jun 2026 06:10:00 GMT"


@pytest.mark.parametrize(("etag", "sent"), table(
    ("F21_a_strange_etag_goes_back_as_it_came", 'W/"caf\xe9"; x', True),
    ("F21_an_etag_with_a_line_break_is_left_out", '"a"\r\nX-Evil: 1', False),
    ("F21_an_etag_beyond_latin_1_is_left_out", '"→"', False),
))  # fmt: skip
def test_validators(web: Server, get: Get, etag: str, sent: bool) -> None:
    web.serves("/feed")
    get("/feed", etag=etag, last_modified="yesterday, more or less")
    assert web.requests[-1].headers.get("if-none-match") == (etag if sent else None)
    assert web.requests[-1].headers["if-modified-since"] == "yesterday, more or less"
    assert "x-evil" not in web.requests[-1].headers


def test_a_connection_is_used_again_after_every_kind_of_answer(web: Server, get: Get) -> None:
    web.serves("/feed")
    web.not_modified("/same")
    web.redirects("/old", "/feed")
    for _ in range(2):
        assert get("/feed").status == 200
        assert get("/same", etag='"1"').status == 304
        assert get("/old").status == 200
        assert failure(lambda: get("/missing")).name == "http_404"
    assert web.connections == 1


def test_a_stale_connection_is_dialled_once_more(web: Server, get: Get) -> None:
    def once_per_connection(exchange: Exchange) -> bool:
        if len([seen for seen in web.requests if seen.connection == exchange.seen.connection]) > 1:
            return False  # the server had meant to close: no answer
        return exchange.answer(200, {}, FEED)

    web.answers("/feed", once_per_connection)
    assert [get("/feed").body for _ in range(3)] == [FEED] * 3
    assert web.connections == 3


def test_a_new_connection_that_dies_is_not_dialled_again(web: Server, get: Get) -> None:
    web.fails("/feed", "close")
    assert failure(lambda: get("/feed")).name == "connection"
    assert len(web.requests) == 1


def test_a_fetcher_can_be_used_after_close(web: Server, fetcher: Fetcher, get: Get) -> None:
    web.serves("/feed", FEED)
    get("/feed")
    fetcher.close()
    assert get("/feed").body == FEED


def test_early_hints_are_skipped(web: Server, get: Get) -> None:
    web.sends("/feed", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert get("/feed").body == b"hi"


def test_importing_fetch_is_not_part_of_importing_tracker() -> None:
    import subprocess

    script = "import sys, tracker; assert 'requests' not in sys.modules and 'tracker.fetch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


# --- redirects ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("chain", "moved"), table(
    ("F01_a_301_moves_the_feed", [301], "/1"),
    ("F01_a_308_moves_the_feed", [308], "/1"),
    ("F01_a_302_does_not", [302], None),
    ("F01_a_303_does_not", [303], None),
    ("F01_a_307_does_not", [307], None),
    ("F01_a_chain_of_permanent_ones_moves_it_to_its_end", [301, 308, 301], "/3"),
    ("F01_a_temporary_one_ends_the_move", [301, 302, 301], "/1"),
    ("F01_a_permanent_one_after_a_temporary_one_says_nothing", [302, 301], None),
    ("F02_ten_hops_are_followed", [302] * 10, None),
))  # fmt: skip
def test_redirects(web: Server, get: Get, chain: list[int], moved: str | None) -> None:
    for hop, status in enumerate(chain):
        web.redirects(f"/{hop}", f"/{hop + 1}", status)
    web.serves(f"/{len(chain)}", FEED)
    answer = get("/0")
    assert (answer.body, answer.url) == (FEED, web.url(f"/{len(chain)}"))
    assert answer.moved_to == (web.url(moved) if moved else None)


@pytest.mark.parametrize(("to", "name"), table(
    ("F02_a_redirect_to_itself_is_a_loop", "/0", "redirect_loop"),
    ("F03_to_a_file_is_blocked", "file:///etc/passwd", "blocked_scheme"),
    ("F03_to_gopher_is_blocked", "gopher://127.0.0.1:70/x", "blocked_scheme"),
    ("F03_to_javascript_is_blocked", "javascript:alert(1)", "blocked_scheme"),
    ("F03_to_data_is_blocked", "data:text/xml,<rss/>", "blocked_scheme"),
    ("F03_without_a_location_is_named", "", "http_302"),
    ("F03_to_a_broken_address_is_named", "http://[::1", "http_302"),
    ("F03_to_a_host_that_is_none_is_named", "http://exa mple.test/", "dns"),
    ("F03_to_a_port_that_is_none_is_named", "http://example.test:port/", "dns"),
))  # fmt: skip
def test_redirects_that_lead_nowhere(web: Server, get: Get, to: str, name: str) -> None:
    web.redirects("/0", to)
    assert failure(lambda: get("/0")).name == name
    assert len(web.requests) <= 11


def test_F02_forty_hops_stop_at_ten(web: Server, get: Get) -> None:
    for hop in range(40):
        web.redirects(f"/{hop}", f"/{hop + 1}")
    assert failure(lambda: get("/0")).name == "redirect_loop"
    assert len(web.requests) == 11


def test_F02_the_deadline_is_that_of_the_whole_chain(web: Server) -> None:
    web.redirects("/0", "/0")
    web.answers("/0", lambda exchange: time.sleep(0.2) or exchange.answer(302, {"Location": "/0"}, b""))
    with Fetcher(None, deadline_s=0.5) as fetcher:
        assert failure(lambda: fetcher.get(Request(web.url("/0"), trusted_host="127.0.0.1"))).name == "timeout"
    assert len(web.requests) <= 4


def test_F03_a_redirect_with_letters_beyond_ascii_is_followed(web: Server, get: Get) -> None:
    web.answers("/0", lambda exchange: exchange.answer(302, {"Location": "/caf\xc3\xa9 1"}, b""))  # UTF-8, as servers send it
    web.serves("/caf%C3%A9%201", FEED)
    assert get("/0").body == FEED


def test_F03_an_endless_body_of_a_redirect_is_not_read(web: Server, get: Get) -> None:
    def endless(exchange: Exchange) -> bool:
        exchange.send(b"HTTP/1.1 302 Found\r\nLocation: /feed\r\n\r\n")
        exchange.drip(iter(lambda: b"x" * 2**16, b""), 0)
        return False

    web.answers("/0", endless)
    web.serves("/feed", FEED)
    assert get("/0").body == FEED


def test_F04_a_cookie_gate_opens_and_the_cookie_is_forgotten(web: Server, get: Get) -> None:
    def gate(exchange: Exchange) -> bool:
        if "pass=1" in exchange.seen.headers.get("cookie", ""):
            return exchange.answer(200, {}, FEED)
        return exchange.answer(302, {"Location": "/gate", "Set-Cookie": "pass=1"}, b"")

    web.answers("/gate", gate)
    assert get("/gate").body == FEED
    assert get("/gate").body == FEED
    assert ["cookie" in seen.headers for seen in web.requests] == [False, True, False, True]


def test_validators_stay_within_their_origin(web: Server, get: Get) -> None:
    with server() as other:
        web.redirects("/0", "/1")
        web.redirects("/1", other.url("/2"))
        other.redirects("/2", web.url("/3"))
        web.not_modified("/3")
        assert get("/0", etag='"1"').status == 200
        assert ["if-none-match" in seen.headers for seen in web.requests] == [True, True, False]
        assert "if-none-match" not in other.requests[0].headers


def test_S27_credentials_and_cookies_stay_within_their_origin(web: Server, fetcher: Fetcher) -> None:
    with server() as other:
        web.redirects("/0", "/1", headers={"Set-Cookie": "session=secret"})
        web.redirects("/1", other.url("/2", host="127.0.0.1"))
        other.redirects("/2", other.url("/3", host="localhost").replace("http://", "http://mallory:guess@"))
        assert (
            failure(lambda: fetcher.get(Request(web.url("/0", host="me:s%40cret@127.0.0.1"), trusted_host="127.0.0.1"))).name
            == "blocked_address"
        )
        assert [seen.headers.get("authorization") for seen in web.requests] == ["Basic bWU6c0BjcmV0"] * 2
        assert "authorization" not in other.requests[0].headers
        assert "referer" not in other.requests[0].headers


def test_S27_a_cookie_does_not_reach_another_host(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    web.redirects("/0", web.url("/1", host="localhost"), headers={"Set-Cookie": "session=secret"})
    web.serves("/1", FEED)
    monkeypatch.setattr(net, "is_public", lambda _: True)
    with Fetcher(None) as fetcher:
        assert fetcher.get(Request(web.url("/0"))).body == FEED
    assert "cookie" not in web.requests[1].headers


@pytest.mark.parametrize("path", ["/missing", "/cut", "/loop", "/away"])
def test_S27_credentials_are_in_no_error(web: Server, fetcher: Fetcher, path: str) -> None:
    web.fails("/cut", "cut_before_body")
    web.redirects("/loop", web.url("/loop", host="me:hunter2@127.0.0.1"))
    web.redirects("/away", "ftp://me:hunter2@example.test/")
    error = failure(lambda: fetcher.get(Request(web.url(path, host="me:hunter2@127.0.0.1"), trusted_host="127.0.0.1")))
    assert "hunter2" not in f"{error} {error!r} {error.detail}"
    assert path in str(error)


def test_S27_credentials_of_a_proxy_are_in_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("http_proxy", f"http://me:hunter2@127.0.0.1:{port}")
    with Fetcher(None) as fetcher:
        error = failure(lambda: fetcher.get(Request("http://feeds.test/a")))
    assert error.name == "connection"
    assert "hunter2" not in str(error)


def test_S27_netrc_is_not_read(web: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("default login me password hunter2\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(net, "is_public", lambda _: True)
    web.serves("/feed")
    fetcher.get(Request(web.url("/feed")))
    assert all("authorization" not in seen.headers for seen in web.requests)


# --- statuses -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "name"), table(
    *((f"F05_{status}_is_named", status, f"http_{status}") for status in (400, 401, 402, 403, 404, 405, 418, 451)),
    *((f"F10_{status}_is_named_and_asked_once", status, f"http_{status}") for status in (501, 505, 520)),
    ("F07_404_with_a_feed_is_a_404", 404, "http_404"),
    ("F08_410_is_gone", 410, "gone"),
    ("F09_429_is_rate_limited", 429, "rate_limited"),
    ("F11_204_is_an_empty_body", 204, "empty_body"),
    ("F11_205_is_an_empty_body", 205, "empty_body"),
    ("F11_206_is_not_a_whole_document", 206, "http_206"),
    ("F11_202_is_not_a_document", 202, "http_202"),
    ("F11_a_304_unasked_is_named", 304, "http_304"),
    ("F11_300_is_no_redirect", 300, "http_300"),
    ("F19_999_is_no_status", 999, "connection"),
))  # fmt: skip
def test_statuses(web: Server, get: Get, status: int, name: str) -> None:
    web.serves("/feed", b"" if status in (204, 304) else FEED, {"ETag": '"1"'}, status)
    error = failure(lambda: get("/feed"))
    assert (error.name, error.retry_after_s) == (name, None)
    assert web.url("/feed") in str(error)
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_F10_a_server_that_fails_is_asked_three_times(web: Server, get: Get, slept: list[float], status: int) -> None:
    web.serves("/feed", FEED, status=status)
    assert failure(lambda: get("/feed")).name == f"http_{status}"
    assert (len(web.requests), slept) == (3, [1.0, 3.0])
    assert web.connections == 1


def test_F10_a_server_that_is_back_at_the_second_try_has_not_failed(web: Server, get: Get, slept: list[float]) -> None:
    web.answers("/feed", lambda exchange: exchange.answer(200 if len(web.hits("/feed")) > 1 else 502, {}, FEED))
    web.redirects("/old", "/feed", 301)
    answer = get("/old", etag='"1"')
    assert (answer.body, answer.moved_to, slept) == (FEED, web.url("/feed"), [1.0])
    assert [seen.path for seen in web.requests] == ["/old", "/feed", "/feed"]  # the hop that failed, not the whole way
    assert web.requests[-1].headers["if-none-match"] == '"1"'


def test_F10_the_tries_of_a_chain_are_counted_together(web: Server, get: Get) -> None:
    """Three hops, each of which fails once."""
    for hop in range(3):
        here, there = f"/{hop}", f"/{hop + 1}"
        web.answers(here, lambda exchange, here=here, there=there: exchange.answer(
            302 if len(web.hits(here)) > 1 else 500, {"Location": there}, b""
        ))  # fmt: skip
    assert failure(lambda: get("/0")).name == "http_500"
    assert [seen.path for seen in web.requests] == ["/0", "/0", "/1", "/1", "/2"]


@pytest.mark.parametrize(("headers", "tries"), table(
    ("a_longer_wait_is_left_to_the_next_poll", {"Retry-After": "120"}, 1),
    ("a_wait_of_two_seconds_too", {"Retry-After": "2"}, 1),
    ("a_date_too", {"Retry-After": "Fri, 12 Jun 2026 12:05:00 GMT", "Date": "Fri, 12 Jun 2026 12:00:00 GMT"}, 1),
    ("a_wait_that_is_over_is_none", {"Retry-After": "0"}, 3),
    ("garbage_is_none", {"Retry-After": "soon"}, 3),
))  # fmt: skip
def test_F10_a_server_that_names_a_time_is_not_asked_before_it(web: Server, get: Get, headers: dict[str, str], tries: int) -> None:
    web.serves("/feed", b"", headers, 503)
    assert failure(lambda: get("/feed")).name == "http_503"
    assert len(web.requests) == tries


@pytest.mark.parametrize(("deadline_s", "pauses"), [(0.9, []), (3.5, [1.0]), (20, [1.0, 3.0])])
def test_F10_pauses_are_on_the_deadline(web: Server, slept: list[float], deadline_s: float, pauses: list[float]) -> None:
    web.serves("/feed", b"", status=500)
    with Fetcher(None, deadline_s=deadline_s, sleep=slept.append) as fetcher:
        assert failure(lambda: fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1"))).name == "http_500"
    assert slept == pauses


@pytest.mark.parametrize(("status", "headers", "tries"), table(
    ("a_challenge", 503, {"cf-mitigated": "challenge"}, 1),
    ("too_many_requests", 429, {}, 1),
    ("not_found", 404, {}, 1),
))  # fmt: skip
def test_F10_what_will_not_pass_is_asked_once(web: Server, get: Get, status: int, headers: dict[str, str], tries: int) -> None:
    web.serves("/feed", b"", headers, status)
    failure(lambda: get("/feed"))
    assert len(web.requests) == tries


def test_F10_a_host_with_a_pace_of_its_own_is_too_busy_for_us(proxy: Server, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """arXiv answers 503 to whoever is too fast; its 500 is a 500, tried again at its pace."""
    monkeypatch.setenv("TRACKER_ARXIV_DELAY_S", "0.1")
    proxy.serves("http://export.arxiv.org/busy", b"", status=503)
    proxy.serves("http://export.arxiv.org/broken", b"", status=500)
    with Fetcher(None, sleep=slept.append) as fetcher:
        for path, tries in (("busy", 1), ("broken", 3)):
            failure(lambda path=path: fetcher.get(Request(f"http://export.arxiv.org/{path}")))
            assert len(proxy.hits(f"http://export.arxiv.org/{path}")) == tries


def test_F11_an_empty_200_is_named(web: Server, get: Get) -> None:
    web.serves("/feed", b"")
    assert failure(lambda: get("/feed")).name == "empty_body"


@pytest.mark.parametrize(("status", "headers", "body", "name"), table(
    ("F06_the_header_of_cloudflare", 403, {"cf-mitigated": "challenge"}, b"", "challenge"),
    ("F06_its_page", 403, {}, b"<title>Just a moment...</title>", "challenge"),
    ("F06_its_older_page", 503, {}, b"<script>window.__CF_CHL_opt</script>", "challenge"),
    ("F06_a_captcha", 403, {}, b"<div class=g-recaptcha>", "challenge"),
    ("F06_a_packed_page", 403, {"Content-Encoding": "gzip"}, gzip.compress(b"<a href=/cdn-cgi/challenge-platform/>"), "challenge"),
    ("F06_a_plain_403_is_not_one", 403, {}, b"Forbidden", "http_403"),
    ("F06_a_404_that_talks_of_captchas_is_not_one", 404, {}, b"captcha", "http_404"),
    ("F06_a_429_with_a_captcha_is_rate_limited", 429, {}, b"captcha", "rate_limited"),
))  # fmt: skip
def test_challenges(web: Server, get: Get, status: int, headers: dict[str, str], body: bytes, name: str) -> None:
    web.serves("/feed", body, headers, status)
    assert failure(lambda: get("/feed")).name == name


def test_F06_a_403_without_contact_says_what_to_do(web: Server) -> None:
    web.serves("/feed", b"", status=403)
    for contact, advised in ((None, True), ("you@example.org", False)):
        with Fetcher(contact) as fetcher:
            error = failure(lambda fetcher=fetcher: fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1")))
            assert ("set contact =" in error.detail) is advised


NOON = datetime.datetime(2026, 6, 12, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(("value", "date", "seconds"), table(
    ("F09_seconds", "120", None, 120),
    ("F09_no_header", None, None, None),
    ("F09_zero", "0", None, 0),
    ("F09_less_than_nothing_is_now", "-17", None, 0),
    ("F09_a_fraction", "1.5", None, 1.5),
    ("F09_a_hundred_years_are_a_week", str(100 * 365 * 86_400), None, 7 * 86_400),
    ("F09_a_number_beyond_float", "9" * 5000, None, 7 * 86_400),
    ("F09_a_date", "Fri, 12 Jun 2026 12:05:00 GMT", None, 300),
    ("F09_a_date_in_the_past_is_now", "Fri, 12 Jun 2020 12:05:00 GMT", None, 0),
    ("F09_a_date_in_a_century_is_a_week", "Fri, 12 Jun 2126 12:05:00 GMT", None, 7 * 86_400),
    ("F22_a_date_by_a_clock_ten_years_ahead", "Fri, 12 Jun 2036 12:05:00 GMT", "Fri, 12 Jun 2036 12:00:00 GMT", 300),
    ("F09_garbage", "soon", None, None),
    ("F09_a_date_that_is_none", "Fri, 99 Jun 2026 99:99:99 GMT", None, None),
    ("F09_other_digits", "１２０", None, None),
    ("F09_an_empty_header", " ", None, None),
    ("F09_a_date_beside_garbage", "Fri, 12 Jun 2026 12:05:00 GMT", "noon", 300),
))  # fmt: skip
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert polite.retry_after_s(value, date, NOON) == seconds


@pytest.mark.parametrize(("status", "name"), [(429, "rate_limited"), (503, "http_503"), (403, "http_403")])
def test_F09_F10_the_time_to_come_back_is_told(web: Server, get: Get, status: int, name: str) -> None:
    web.serves("/feed", b"", {"Retry-After": "120"}, status)
    error = failure(lambda: get("/feed"))
    assert (error.name, error.retry_after_s) == (name, 120)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.none() | st.text())
def test_retry_after_is_total(value: str, date: str | None) -> None:
    seconds = polite.retry_after_s(value, date, NOON)
    assert seconds is None or 0 <= seconds <= polite.MAX_RETRY_AFTER_S


# --- broken connections, sizes, time ------------------------------------------------------------------------------------------------

BROKEN = {
    "close": ("F14_closed_at_once", "connection"),
    "reset": ("F14_reset_at_once", "connection"),
    "reset_body": ("F14_reset_in_the_body", "connection"),
    "cut_head": ("F14_closed_in_the_head", "empty_body"),
    "cut_body": ("F12_a_length_too_long", 45),
    "cut_before_body": ("F12_a_body_that_never_begins", "truncated"),
    "length_short": ("F12_a_length_too_short", 20),
    "length_negative": ("F12_a_negative_length_is_none", None),
    "length_garbage": ("F12_a_length_of_garbage_is_none", None),
    "length_twice": ("F12_two_lengths", "connection"),
    "length_huge": ("F17_a_length_of_100_GB", "too_large"),
    "cut_chunk": ("F13_cut_within_a_chunk", 51),
    "bad_chunk": ("F13_a_bad_chunk_size", 45),
    "bad_first_chunk": ("F13_a_bad_first_chunk_size", "truncated"),
    "silence": ("F15_silence", "timeout"),
    "silence_body": ("F15_silence_in_the_body", "timeout"),
    "drip_headers": ("F16_a_dripping_head", "timeout"),
    "drip_body": ("F16_a_dripping_body", "timeout"),
    "drip_chunks": ("F16_dripping_chunks", "timeout"),
    "drip_trailers": ("F16_dripping_trailers", "timeout"),
    "endless_body": ("F17_an_endless_body", "too_large"),
    "endless_chunks": ("F17_endless_chunks", "too_large"),
    "endless_chunk_line": ("F17_an_endless_chunk_size", "connection"),
    "endless_trailers": ("F17_endless_trailers", "too_large"),
    "endless_headers": ("F17_an_endless_head", "connection"),
    "endless_continue": ("F17_endless_continues", "connection"),
    "many_headers": ("F18_10000_headers", "connection"),
    "huge_header": ("F18_a_header_of_1_MB", "connection"),
    "garbage_status": ("F19_another_protocol", "connection"),
    "garbage_bytes": ("F19_bytes", "connection"),
    "http_0.9": ("F19_HTTP_0.9", "connection"),
    "http_2": ("F19_HTTP_2", "connection"),
    "status_999": ("F19_status_999", "connection"),
    "status_word": ("F19_a_status_that_is_a_word", "connection"),
}


def test_every_failure_of_the_server_is_expected_here() -> None:
    assert set(BROKEN) == set(FAILURES)


@pytest.mark.parametrize(("how", "outcome"), table(*((name, how, outcome) for how, (name, outcome) in BROKEN.items())))
def test_broken_answers(web: Server, how: str, outcome: str | int | None) -> None:
    """The outcome is the name of an error, or how many bytes of a cut body are kept, or None for a whole one."""
    web.fails("/feed", how)
    web.serves("/other", FEED)
    quick = "timeout" in str(outcome)
    with Fetcher(None, deadline_s=0.7 if quick else 5) as fetcher:
        ask = lambda: fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1"))  # noqa: E731
        if isinstance(outcome, str):
            assert failure(ask).name == outcome
        else:
            answer = ask()
            assert answer.truncated is (outcome is not None)
            assert len(answer.body) == outcome or outcome is None
        assert fetcher.get(Request(web.url("/other"), trusted_host="127.0.0.1")).body == FEED  # and life goes on


def test_F12_bytes_beyond_the_length_do_not_become_the_next_answer(web: Server, get: Get) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    web.answers("/feed", lambda exchange: exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>" + smuggled) is None)
    web.serves("/other", FEED)
    assert get("/feed").truncated
    assert get("/other").body == FEED


def test_F12_a_line_break_beyond_the_length_is_harmless(web: Server, get: Get) -> None:
    web.sends("/feed", b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<rss/>\r\n")
    assert not get("/feed").truncated


def test_F15_one_silent_host_costs_only_itself(web: Server) -> None:
    web.fails("/silent", "silence")
    web.serves("/feed", FEED)
    with Fetcher(None, deadline_s=2) as fetcher, server() as other:
        other.serves("/feed", FEED)
        silent = threading.Thread(
            target=lambda: failure(lambda: fetcher.get(Request(web.url("/silent", host="localhost"), trusted_host="localhost")))
        )
        silent.start()
        assert fetcher.get(Request(other.url("/feed"), trusted_host="127.0.0.1")).body == FEED
        assert silent.is_alive()
        silent.join(HANG_S)


def test_F17_a_body_of_just_20_MB_is_read(web: Server, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "MAX_BODY", 1000)
    web.serves("/just", b"x" * 1000)
    web.serves("/more", b"x" * 1001)
    web.serves("/packed", gzip.compress(b"x" * 1000), {"Content-Encoding": "gzip"})
    assert len(get("/just").body) == len(get("/packed").body) == 1000
    assert failure(lambda: get("/more")).name == "too_large"


def test_F18_ninety_cookies_are_no_trouble(web: Server, get: Get) -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"Set-Cookie: c%d=%s\r\n" % (n, b"x" * 200) for n in range(90))
    web.sends("/feed", head + b"Content-Length: 6\r\n\r\n<rss/>")
    assert get("/feed").body == b"<rss/>"


PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 404 No\r\n", b"HTTP/1.1 304\r\n", b"HTTP/1.1 103 Hints\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: /feed\r\n", b"Content-Length: 9\r\n", b"Content-Length: -1, 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Retry-After: x\r\n", b"Connection: close\r\n",
    b"Set-Cookie: a=b; Expires=Fri, 99; Domain=..; Port=\"x\"; Max-Age=-; Version=9\r\n", b" folded\r\n", b"\r\n",
    b"5\r\nabcde\r\n", b"0\r\n\r\n", b"-5\r\n", b"\x1f\x8b\x08\0", b"\0\xff\xfe", b"<rss/>",
]  # fmt: skip


def test_any_bytes_of_a_server_give_an_answer_or_a_named_error(web: Server, get: Get) -> None:
    @settings(max_examples=200, deadline=None)
    @given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12).map(b"".join))
    def holds(data: bytes) -> None:
        web.sends("/feed", data)
        with contextlib.suppress(SourceError):
            assert get("/feed", etag='"1"').status in (200, 304)

    holds()


# --- encodings ----------------------------------------------------------------------------------------------------------------------


def deflated(data: bytes, *, bare: bool = False) -> bytes:
    packer = zlib.compressobj(wbits=-15 if bare else 15)
    return packer.compress(data) + packer.flush()


PACKED = gzip.compress(FEED * 50, mtime=0)


@pytest.mark.parametrize(("coding", "body", "outcome"), table(
    ("gzip", "gzip", PACKED, FEED * 50),
    ("gzip_by_its_old_name", "X-GZIP", PACKED, FEED * 50),
    ("deflate", "deflate", deflated(FEED), FEED),
    ("deflate_without_its_frame", "deflate", deflated(FEED, bare=True), FEED),
    ("identity", "identity", FEED, FEED),
    ("gzip_in_two_members", "gzip", gzip.compress(b"<rss>") + gzip.compress(b"</rss>"), b"<rss></rss>"),
    ("gzip_with_padding", "gzip", PACKED + b"\0" * 100, FEED * 50),
    ("gzip_twice", "gzip, gzip", gzip.compress(PACKED), FEED * 50),
    ("F20_gzip_cut_short", "gzip", PACKED[:-20], "cut"),
    ("F20_gzip_without_its_checksum", "gzip", PACKED[:-8], "cut"),
    ("F20_gzip_cut_in_its_head", "gzip", PACKED[:6], "truncated"),
    ("F20_gzip_corrupt", "gzip", PACKED[:30] + b"\xff\xff\xff" + PACKED[33:], "bad_encoding"),
    ("F20_gzip_with_a_wrong_checksum", "gzip", PACKED[:-8] + b"\0" * 8, "bad_encoding"),
    ("F20_gzip_claimed_but_plain", "gzip", FEED, "bad_encoding"),
    ("F20_deflate_claimed_but_plain", "deflate", FEED, "bad_encoding"),
    ("F20_brotli_unasked", "br", FEED, "bad_encoding"),
    ("F20_an_unknown_coding", "rot13", FEED, "bad_encoding"),
    ("F20_five_codings", "gzip, gzip, gzip, gzip, gzip", PACKED, "bad_encoding"),
    ("F45_a_gzip_bomb", "gzip", bomb(300), "too_large"),
    ("F45_a_deflate_bomb", "deflate", deflated(b"\0" * 300 * 2**20), "too_large"),
    ("F45_a_double_gzip_bomb", "gzip, gzip", gzip.compress(bomb(300)), "too_large"),
    ("F45_a_million_empty_members", "gzip", gzip.compress(b"", mtime=0) * 100_000, "bad_encoding"),
))  # fmt: skip
def test_encodings(web: Server, get: Get, coding: str, body: bytes, outcome: bytes | str) -> None:
    web.serves("/feed", body, {"Content-Encoding": coding})
    if outcome == "cut":
        answer = get("/feed")
        assert answer.truncated
        assert (FEED * 50).startswith(answer.body)
        assert answer.body
    elif isinstance(outcome, str):
        assert failure(lambda: get("/feed")).name == outcome
    else:
        answer = get("/feed")
        assert (answer.body, answer.truncated) == (outcome, False)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "gzip, deflate", "br", "", ",", "identity, gzip"]))
def test_decoding_is_total(body: bytes, codings: str) -> None:
    with contextlib.suppress(SourceError):
        net.decode(body, codings, net.Hop("http://a/", time.monotonic() + 9, 9))


# --- addresses ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("address", "public"), table(
    ("a_public_address", "1.1.1.1", True),
    ("a_public_IPv6_address", "2606:4700:4700::1111", True),
    ("S25_loopback", "127.0.0.1", False),
    ("S25_all_of_loopback", "127.8.9.10", False),
    ("S25_IPv6_loopback", "::1", False),
    ("S25_any", "0.0.0.0", False),
    ("S25_any_IPv6", "::", False),
    ("S25_private_10", "10.0.0.1", False),
    ("S25_private_172", "172.16.0.1", False),
    ("S25_private_192", "192.168.1.1", False),
    ("S25_shared_100", "100.64.0.1", False),
    ("S25_link_local", "169.254.1.1", False),
    ("S25_metadata_of_AWS", "169.254.169.254", False),
    ("S25_metadata_of_AWS_by_IPv6", "fd00:ec2::254", False),
    ("S25_metadata_of_Alibaba", "100.100.100.200", False),
    ("S25_metadata_of_Azure", "168.63.129.16", False),
    ("S25_link_local_IPv6_with_a_zone", "fe80::1%eth0", False),
    ("S25_unique_local", "fc00::1", False),
    ("S25_site_local", "fec0::1", False),
    ("S25_multicast", "224.0.0.1", False),
    ("S25_IPv6_multicast", "ff02::1", False),
    ("S25_reserved", "240.0.0.1", False),
    ("S25_broadcast", "255.255.255.255", False),
    ("S25_documentation", "192.0.2.1", False),
    ("S26_IPv4_mapped", "::ffff:127.0.0.1", False),
    ("S26_IPv4_mapped_public", "::ffff:1.1.1.1", True),
    ("S26_IPv4_compatible", "::127.0.0.1", False),
    ("S26_NAT64_of_a_private_address", "64:ff9b::10.0.0.1", False),
    ("S26_NAT64_of_a_public_address", "64:ff9b::1.1.1.1", True),
    ("S26_local_NAT64", "64:ff9b:1::1.1.1.1", False),
    ("S26_6to4_of_a_private_address", "2002:7f00:1::", False),
    ("S26_Teredo", "2001:0:4136:e378::1", False),
))  # fmt: skip
def test_addresses(address: str, public: bool) -> None:
    assert polite.is_public(address) is public


@settings(max_examples=300, deadline=None)
@given(st.ip_addresses())
def test_an_embedded_address_is_as_public_as_itself(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if isinstance(ip, ipaddress.IPv4Address):
        assert polite.is_public(f"::ffff:{ip}") == polite.is_public(f"64:ff9b::{ip}") == polite.is_public(str(ip))
    assert not (ip.is_private and ip.version == 4 and polite.is_public(str(ip)))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0"]
)
def test_S25_S26_loopback_under_any_name_is_blocked(web: Server, fetcher: Fetcher, host: str) -> None:
    web.serves("/feed")
    error = failure(lambda: fetcher.get(Request(web.url("/feed", host=host))))
    assert error.name in ("blocked_address", "dns")  # dns: a machine without IPv6, or whose resolver knows no octal
    assert web.connections == 0


def test_S25_a_redirect_from_a_trusted_host_to_another_private_one_is_blocked(web: Server, get: Get) -> None:
    for path, host in (("/name", "localhost"), ("/metadata", "169.254.169.254"), ("/number", "2130706433")):
        web.redirects(path, f"http://{host}:{web.port}/feed")
        assert failure(lambda path=path: get(path)).name == "blocked_address"
    assert web.hits("/feed") == []


def test_S25_trust_does_not_stick_to_a_connection(web: Server, fetcher: Fetcher, get: Get) -> None:
    web.serves("/feed")
    get("/feed")
    assert failure(lambda: fetcher.get(Request(web.url("/feed")))).name == "blocked_address"
    assert len(web.requests) == 1


def test_S26_the_address_is_looked_up_once(web: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: a name that is public when asked first and loopback when asked again."""
    answers = iter(["192.0.2.1", "127.0.0.1"])
    looked_up: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    for _ in range(2):
        assert failure(lambda: fetcher.get(Request(f"http://rebind.test:{web.port}/"))).name == "blocked_address"
    assert looked_up == ["rebind.test"] * 2
    assert web.connections == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "javascript:alert(1)", "example.org/feed", ""])
def test_S24_only_http_and_https(fetcher: Fetcher, url: str) -> None:
    assert failure(lambda: fetcher.get(Request(url))).name == "blocked_scheme"


def test_any_url_gives_a_named_error(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: (_ for _ in ()).throw(socket.gaierror(-2, "unknown")))

    @settings(max_examples=200, deadline=None)
    @given(st.from_regex(r"https?://[^/]{0,20}[/?#]?.{0,20}", fullmatch=True) | st.text(max_size=30))
    def holds(url: str) -> None:
        with pytest.raises(SourceError):
            fetcher.get(Request(url))

    holds()


# --- the network, TLS ---------------------------------------------------------------------------------------------------------------


def test_F23_a_host_that_does_not_exist(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = failure(lambda: fetcher.get(Request("https://nowhere.test/feed")))
    assert error.name == "dns"
    assert "https://nowhere.test/feed" in error.detail


def test_F23_a_resolver_that_hangs_ends_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(HANG_S) and [])
    with Fetcher(None, deadline_s=0.3) as fetcher:
        assert failure(lambda: fetcher.get(Request("https://slow.test/"))).name == "timeout"
    released.set()


def test_F23_a_port_that_is_closed(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    error = failure(lambda: fetcher.get(Request(f"http://127.0.0.1:{port}/", trusted_host="127.0.0.1")))
    assert error.name == "connection"
    assert "refused" in error.detail


def test_F23_no_route(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", 80))])
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert failure(lambda: fetcher.get(Request("http://one.test/"))).name == "connection"


def test_F23_the_second_address_answers_when_the_first_does_not(web: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in (port, web.port)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    web.serves("/feed", FEED)
    assert fetcher.get(Request("http://two.test/feed", trusted_host="two.test")).body == FEED


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> tuple[Path, ssl.SSLContext]:
    """Make a self-signed certificate; return its file and a server's context. Negative days: it has expired."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    start, end = sorted([now - datetime.timedelta(minutes=5), now + datetime.timedelta(days=days)])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{host}{days}.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, folder / "key.pem")
    return pem, context


@pytest.mark.parametrize(("host", "days", "trusted", "words"), table(
    ("F24_a_certificate_nobody_vouches_for", "127.0.0.1", 1, False, "self-signed"),
    ("F24_an_expired_one", "127.0.0.1", -1, True, "expired"),
    ("F24_one_of_another_host", "127.0.0.2", 1, True, "not valid for"),
))  # fmt: skip
def test_bad_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, trusted: bool, words: str) -> None:
    pem, context = certificate(tmp_path, host=host, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with server(context) as web, Fetcher(None, deadline_s=5) as fetcher:
        web.serves("/feed")
        error = failure(lambda: fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1")))
        assert error.name == "tls"
        assert words in error.detail.replace("self signed", "self-signed").replace("mismatch", "not valid for")
        assert web.requests == []  # no fallback to http, none without verifying


@pytest.mark.parametrize("variable", net.CA_VARIABLES[:3])
def test_F24_authorities_of_the_environment_are_honoured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    pem, context = certificate(tmp_path)
    monkeypatch.setenv(variable, str(pem))
    with server(context) as web, Fetcher(None, deadline_s=5) as fetcher:
        web.serves("/feed", FEED)
        web.fails("/drip", "drip_headers")
        for _ in range(2):
            assert fetcher.get(Request(web.url("/feed"), trusted_host="127.0.0.1")).body == FEED
        assert web.connections == 1
        assert failure(lambda: fetcher.get(Request(web.url("/feed")))).name == "blocked_address"
    with server(context) as web, Fetcher(None, deadline_s=0.5) as fetcher:
        web.fails("/drip", "drip_headers")
        assert failure(lambda: fetcher.get(Request(web.url("/drip"), trusted_host="127.0.0.1"))).name == "timeout"


def test_F24_a_file_of_authorities_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, fetcher: Fetcher) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    error = failure(lambda: fetcher.get(Request("https://example.test/")))
    assert error.name == "tls"
    assert "SSL_CERT_FILE" in error.detail


def test_F24_plain_http_behind_https_is_named(web: Server, fetcher: Fetcher) -> None:
    url = web.url("/feed").replace("http://", "https://")
    assert failure(lambda: fetcher.get(Request(url, trusted_host="127.0.0.1"))).name in ("tls", "connection", "timeout")


def test_S26_the_address_is_checked_before_the_handshake(tmp_path: Path, fetcher: Fetcher) -> None:
    with server(certificate(tmp_path)[1]) as web:
        assert failure(lambda: fetcher.get(Request(web.url("/feed")))).name == "blocked_address"
        assert web.connections == 0


# --- proxies ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy(web: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, web.url(""))
    return web


def test_a_proxy_of_the_environment_is_used_and_dials_for_us(proxy: Server, fetcher: Fetcher) -> None:
    proxy.serves("http://feeds.test/a", FEED)
    assert fetcher.get(Request("http://feeds.test/a")).body == FEED


def test_no_proxy_is_honoured_and_the_direct_way_is_guarded(proxy: Server, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert failure(lambda: fetcher.get(Request(proxy.url("/feed")))).name == "blocked_address"
    proxy.serves("/feed", FEED)
    assert fetcher.get(Request(proxy.url("/feed"), trusted_host="127.0.0.1")).body == FEED


def test_F23_a_proxy_that_refuses_a_tunnel_is_named(proxy: Server, fetcher: Fetcher) -> None:
    error = failure(lambda: fetcher.get(Request("https://feeds.test/a")))
    assert error.name == "connection"
    assert proxy.requests[0].method == "CONNECT"
    assert proxy.requests[0].path == "feeds.test:443"
    assert proxy.requests[0].headers["user-agent"].startswith("tracker/")


@pytest.mark.parametrize("how", ["silence", "drip_headers", "endless_headers"])
def test_F16_a_proxy_that_stalls_is_as_bounded_as_a_server(proxy: Server, how: str) -> None:
    proxy.fails("feeds.test:443", how)
    with Fetcher(None, deadline_s=0.5) as fetcher:
        assert failure(lambda: fetcher.get(Request("https://feeds.test/a"))).name in ("timeout", "connection")


# --- politeness ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("url", "key"), table(
    ("arxiv", "https://arxiv.org/abs/1", "arxiv.org"),
    ("its_api", "https://export.arxiv.org/api/query", "arxiv.org"),
    ("its_feeds", "http://RSS.arXiv.org./atom/cs.AI", "arxiv.org"),
    ("its_www", "https://www.arxiv.org/", "arxiv.org"),
    ("a_name_that_only_ends_like_it", "https://notarxiv.org/", "notarxiv.org"),
    ("a_name_that_only_begins_like_it", "https://arxiv.org.example.net/", "arxiv.org.example.net"),
    ("any_other", "https://Example.org:8443/x", "example.org"),
    ("nothing", "http://[", ""),
))  # fmt: skip
def test_host_keys(url: str, key: str) -> None:
    assert fetch.host_key(url) == key


@pytest.mark.parametrize(("asked", "proxy", "delay"), table(
    ("as_it_is", "", None, 3.1),
    ("shorter_without_a_proxy_is_ignored", "0", None, 3.1),
    ("shorter_behind_a_far_proxy_is_ignored", "0", "http://proxy.example.org:3128", 3.1),
    ("shorter_behind_a_proxy_named_like_loopback_is_ignored", "0", "http://localhost.example.org", 3.1),
    ("shorter_behind_loopback", "0.05", "http://127.0.0.1:8899", 0.05),
    ("none_behind_loopback", "0", "http://localhost:8899", 0),
    ("none_behind_loopback_without_a_scheme", "0", "127.0.0.1:8899", 0),
    ("none_behind_IPv6_loopback", "0", "http://[::1]:8899", 0),
    ("longer_is_ignored", "60", "http://127.0.0.1:8899", 3.1),
    ("garbage_is_ignored", "fast", "http://127.0.0.1:8899", 3.1),
    ("less_than_nothing_is_ignored", "-1", "http://127.0.0.1:8899", 3.1),
    ("nan_is_ignored", "nan", "http://127.0.0.1:8899", 3.1),
))  # fmt: skip
def test_the_delay_of_arxiv(monkeypatch: pytest.MonkeyPatch, asked: str, proxy: str | None, delay: float) -> None:
    monkeypatch.setenv("TRACKER_ARXIV_DELAY_S", asked)
    assert polite.host_delay_s("https://export.arxiv.org/api", proxy) == delay
    assert polite.host_delay_s("https://example.org/", proxy) == 0


def test_the_pause_runs_from_the_end_of_a_request_to_the_start_of_the_next(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(polite.HOST_DELAYS_S, "127.0.0.1", 0.2)
    web.answers("/slow", lambda exchange: time.sleep(0.1) or exchange.answer(200, {}, FEED))
    web.redirects("/old", "/slow")
    with Fetcher(None) as fetcher:
        ask = lambda: fetcher.get(Request(web.url("/old"), trusted_host="127.0.0.1"))  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_S)
    seen = sorted(web.requests, key=lambda each: each.began)
    assert len(seen) == 4
    assert all(later.began - earlier.ended >= 0.19 for earlier, later in itertools.pairwise(seen))


class Told(polite.Memory):
    """A pace that writes down what it is asked and told, and how many requests had been made by then."""

    def __init__(self, web: Server) -> None:
        super().__init__()
        self.web, self.steps = web, list[tuple[str, str, float, int]]()

    def reserve(self, host: str, delay_s: float) -> float:
        self.steps.append(("reserve", host, delay_s, len(self.web.requests)))
        return 0.0

    def stamp(self, host: str, delay_s: float) -> None:
        self.steps.append(("stamp", host, delay_s, len(self.web.requests)))


def test_the_pace_is_asked_for_before_and_told_after_each_request_well_or_badly(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(polite.HOST_DELAYS_S, "127.0.0.1", 9.0)
    web.redirects("/old", "/bad")
    web.fails("/bad", "reset")  # on the connection of the redirect: asked for again on a new one
    told = Told(web)
    with Fetcher(None, pace=told) as fetcher:
        assert failure(lambda: fetcher.get(Request(web.url("/old"), trusted_host="127.0.0.1"))).name == "connection"
    assert told.steps == [step for n in range(3) for step in (("reserve", "127.0.0.1", 9.0, n), ("stamp", "127.0.0.1", 9.0, n + 1))]


def test_the_wait_for_a_turn_is_not_on_the_deadline(web: Server) -> None:
    web.answers("/slow", lambda exchange: time.sleep(0.4) or exchange.answer(200, {}, FEED))
    bodies: list[bytes] = []
    with Fetcher(None, deadline_s=1.5) as fetcher:
        ask = lambda: bodies.append(fetcher.get(Request(web.url("/slow"), trusted_host="127.0.0.1")).body)  # noqa: E731
        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_S)
    assert bodies == [FEED] * 5


def test_S28_a_host_is_asked_one_thing_at_a_time_on_one_connection(web: Server, get: Get) -> None:
    open_now, most = [0], [0]
    lock = threading.Lock()

    def counted(exchange: Exchange) -> bool:
        with lock:
            open_now[0] += 1
            most[0] = max(most[0], open_now[0])
        time.sleep(0.01)
        with lock:
            open_now[0] -= 1
        return exchange.answer(200, {}, FEED)

    web.answers("/feed", counted)
    threads = [threading.Thread(target=get, args=("/feed",)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert (len(web.requests), most[0], web.connections) == (16, 1, 1)


def test_two_hosts_that_redirect_to_each_other_do_not_block_each_other(web: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "is_public", lambda _: True)
    web.redirects("/a", web.url("/end", host="localhost"))
    web.redirects("/b", web.url("/end", host="127.0.0.1"))
    web.serves("/end", FEED)
    bodies: list[bytes] = []
    with Fetcher(None) as fetcher:
        urls = [web.url("/a"), web.url("/b", host="localhost")] * 10
        threads = [threading.Thread(target=lambda url=url: bodies.append(fetcher.get(Request(url)).body)) for url in urls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_S)
    assert bodies == [FEED] * 20
