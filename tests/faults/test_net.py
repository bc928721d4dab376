"""F23–F25: no network, a network that lies, TLS that does not hold, robots.txt that forbids or fails."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.faults.conftest import GOOD, Faults
from tests.servers import server
from tests.test_fetch import certificate
from tracker import net
from tracker.cli import cli

PORTAL = b"<!DOCTYPE html><html><head><title>Hotel Wi-Fi</title></head><body><form action=/login>Room <input></form></body></html>"
HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in net.CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def closed() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        return int(once.getsockname()[1])


def tracker(home: Path, *arguments: str) -> Result:
    options = ["--config", str(home / "feeds.toml"), "--db", str(home / "data" / "tracker.db")]
    return CliRunner().invoke(cli, [*options, *arguments])


# --- no network ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["feed", "page"])
@pytest.mark.parametrize(
    ("code", "name"),
    [(socket.EAI_NONAME, "dns"), (socket.EAI_AGAIN, "dns")],
    ids=["unknown", "no resolver"],
)
def test_F23_a_host_without_an_address_is_dns(polled: Faults, monkeypatch: pytest.MonkeyPatch, code: int, name: str, kind: str) -> None:
    """a host that DNS does not know, no resolver → `dns`, for feeds and pages alike"""
    real = socket.getaddrinfo

    def resolver(host: str, *args: Any, **options: Any) -> Any:
        if host.endswith(".test"):
            raise socket.gaierror(code, "no answer")
        return real(host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    polled.add("bad", url="http://nowhere.test/feed", kind=kind, **({"links": "/a/"} if kind == "page" else {}))
    answer = polled.poll()
    assert answer.error == name
    assert "the host nowhere.test was not found" in answer.sentence


@pytest.mark.parametrize("kind", ["feed", "page"])
def test_F23_a_port_that_is_closed_is_connection(polled: Faults, closed: int, kind: str) -> None:
    """a port that is closed → `connection`; the items that were stored stay"""
    keys = {"kind": kind, "links": "/a/"} if kind == "page" else {}
    polled.add("bad", url=f"http://127.0.0.1:{closed}/feed", **keys)
    answer = polled.poll()
    assert answer.error == "connection"
    assert "refused the connection" in answer.sentence


def test_F23_no_route_is_connection(polled: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """no route to the host → `connection`"""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if address[0] == "1.1.1.1":
            raise OSError(101, "Network is unreachable")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    polled.add("bad", url="http://1.1.1.1/feed")
    answer = polled.poll()
    assert answer.error == "connection"
    assert "Network is unreachable" in answer.sentence


def test_F23_a_network_that_is_down_is_said_once_and_mails_nothing(tmp_path: Path, closed: int) -> None:
    """the whole network down → every source `connection`, one sentence, exit code 1; no digest that says there was nothing"""
    feeds = "".join(f'[feeds.s{n}]\nurl = "http://127.0.0.1:{closed}/{n}"\n' for n in range(5))
    digest = f'[digests.me]\nto = ["you@example.org"]\nvia = "file"\nfolder = "{tmp_path / "out"}"\nat = "run"\n'
    (tmp_path / "feeds.toml").write_text(feeds + digest, encoding="utf-8")
    result = tracker(tmp_path, "run")
    assert result.exit_code == 1
    assert result.output.count("None of 5 sources answered: there seems to be no network") == 1
    assert "not answered: connection: s0, s1, s2, s3, s4" in result.output
    assert "no digest is written" in result.output
    assert list(tmp_path.glob("out/*")) == []


# --- TLS ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "days", "known", "words"),
    [
        pytest.param("127.0.0.1", -1, True, ("expired",), id="expired"),
        pytest.param("127.0.0.2", 1, True, ("mismatch", "not valid for"), id="of another host"),
        pytest.param("127.0.0.1", 1, False, ("self-signed", "self signed"), id="self-signed"),
    ],
)
@pytest.mark.parametrize("kind", ["feed", "page"])
def test_F24_a_certificate_that_does_not_hold_is_tls(
    polled: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, known: bool, words: tuple[str, ...], kind: str
) -> None:
    """a certificate that has expired, is another host's, or self-signed → `tls`; never plain http, never unverified"""
    pem, context = certificate(tmp_path, host=host, days=days)
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with server(context) as web:
        web.serves("/feed", GOOD)
        polled.add("bad", url=web.url("/feed"), **({"kind": kind, "links": "/a/"} if kind == "page" else {}))
        answer = polled.poll()
        assert answer.error == "tls"
        assert any(word in answer.sentence for word in words)
        assert web.requests == []
    assert answer.titles == []


def test_F24_a_certificate_of_ones_own_authority_holds(polled: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """a certificate of an authority that SSL_CERT_FILE names → items"""
    pem, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with server(context) as web:
        web.serves("/feed", GOOD.replace(b"good.example", b"own.example"))
        polled.add("bad", url=web.url("/feed"))
        assert polled.poll().titles == ["A good post"]


# --- captive portals ----------------------------------------------------------------------------------------------------------------


def test_F25_a_login_page_in_the_place_of_a_feed_is_not_a_feed(polled: Faults) -> None:
    """a login page, with 200, in the place of a feed or page → `not_a_feed` or `layout_changed`; nothing is deleted"""
    feed = GOOD.replace(b"good.example", b"bad.example")
    stored = polled.answers(feed, {"ETag": '"good"'})
    answer = polled.answers(PORTAL, {**HTML, "ETag": '"portal"'})
    assert (answer.error, answer.titles, answer.row["etag"]) == ("not_a_feed", stored.titles, '"good"')
    polled.web.serves("/page", PORTAL, HTML)
    polled.web.serves("/robots.txt", PORTAL, HTML)
    polled.add("page", url=polled.url("/page"), kind="page", links="/news/")
    assert polled.poll("page").error in ("layout_changed", "not_a_feed")
    assert polled.answers(feed).outcome in ("unchanged", "nothing new")


def test_F25_a_login_page_in_the_place_of_everything_is_told_once(tmp_path: Path) -> None:
    """a login page in the place of every source → exit code 1 and one sentence: log in to this network"""
    with server() as web:
        for number in range(6):
            web.serves(f"/{number}", PORTAL, HTML)
        web.serves("/robots.txt", PORTAL, HTML)
        (tmp_path / "feeds.toml").write_text(
            "".join(f'[feeds.s{n}]\nurl = "{web.url(f"/{n}")}"\n' + ('kind = "page"\nlinks = "/a/"\n' if n == 5 else "") for n in range(6)),
            encoding="utf-8",
        )
        result = tracker(tmp_path, "run")
        assert result.exit_code == 1
        told = "None of 6 sources answered. A web page answers in the place of the sources: this network wants a login"
        assert result.output.count(told) == 1
        for number in range(6):
            web.serves(f"/{number}", GOOD)
        assert tracker(tmp_path, "poll", "s0").exit_code == 0


# --- robots.txt ---------------------------------------------------------------------------------------------------------------------

LISTING = (
    b"<!doctype html><html><body><main>"
    + b"".join(b"<article><h2><a href='/news/%d'>Note number %d</a></h2><p>Jun 11, 2026</p></article>" % (n, n) for n in range(5))
    + b"</main></body></html>"
)


def page(polled: Faults) -> None:
    polled.web.serves("/news", LISTING, HTML)
    polled.add("bad", url=polled.url("/news"), kind="page", links="/news/")


def test_F05_a_page_that_robots_txt_forbids_is_not_read(polled: Faults) -> None:
    """robots.txt forbids a page → `disallowed`, with the line that does; the page is not asked; what was stored stays"""
    page(polled)
    assert len(polled.poll().titles) == 5
    polled.web.serves("/robots.txt", b"User-agent: *\nDisallow: /news")
    answer = polled.poll()
    assert (answer.error, len(answer.titles)) == ("disallowed", 5)
    assert f"{polled.url('/robots.txt')} forbids programs to read it (Disallow: /news)" in answer.sentence
    assert len(polled.web.hits("/news")) == 1


@pytest.mark.parametrize(("status", "name"), [(500, "http_500"), (503, "http_503"), (429, "rate_limited")])
def test_F10_a_page_whose_robots_txt_fails_waits(polled: Faults, status: int, name: str) -> None:
    """robots.txt answers 429, 500, 503 → its error, and that the page was not asked; the next poll tries again"""
    page(polled)
    polled.web.serves("/robots.txt", b"", status=status)
    answer = polled.poll()
    assert answer.error == name
    assert f"{polled.url('/news')} is not asked before its robots.txt can be read" in answer.sentence
    assert polled.web.hits("/news") == []
    polled.web.serves("/robots.txt", b"", status=404)
    assert len(polled.poll().titles) == 5


def test_F05_a_feed_is_read_whatever_robots_txt_says(polled: Faults) -> None:
    """robots.txt forbids everything, and the source is a feed → items: feeds are made for programs"""
    polled.web.serves("/robots.txt", b"User-agent: *\nDisallow: /")
    assert polled.answers(GOOD.replace(b"good.example", b"bad.example")).titles == ["A good post"]
    assert polled.web.hits("/robots.txt") == []
