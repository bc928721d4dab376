"""S24–S31: whom we may dial, what we may tell, how much we read, what is left of it."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import GOOD, Faults
from tests.servers import Exchange, server
from tests.test_fetch import certificate
from tracker import config, net
from tracker.errors import ConfigError

XML = {"Content-Type": "application/xml"}
FEED = GOOD.replace(b"good.example", b"bad.example")


def rss(item: str, before: str = "") -> bytes:
    return (
        f"<?xml version='1.0'?>{before}<rss version='2.0'><channel><title>Bad</title><item><title>One</title>"
        f"<link>https://bad.example/1</link><guid>1</guid>{item}</item></channel></rss>"
    ).encode()


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in net.CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/feed", "javascript:alert(1)", "//example.org/feed"])
def test_S24_only_http_and_https_can_be_configured(tmp_path: Path, url: str) -> None:
    """a source at file:, ftp:, javascript: → a sentence with its line, before any network"""
    (tmp_path / "feeds.toml").write_text(f'[feeds.a]\nurl = "{url}"\n')
    with pytest.raises(ConfigError, match=r"feeds\.toml:2: .*url must be"):
        config.load(tmp_path / "feeds.toml")


@pytest.mark.parametrize("key", ["verify = false", "insecure = true", "tls = false"])
def test_S24_no_key_turns_verification_off(tmp_path: Path, key: str) -> None:
    """`verify = false` and its like in feeds.toml → unknown key; certificates are always verified"""
    (tmp_path / "feeds.toml").write_text(f'[feeds.a]\nurl = "https://example.org/feed"\n{key}\n')
    with pytest.raises(ConfigError, match=r"feeds\.toml:3: .*unknown key"):
        config.load(tmp_path / "feeds.toml")


def test_S24_no_variable_of_the_environment_turns_verification_off(polled: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONHTTPSVERIFY=0, an empty REQUESTS_CA_BUNDLE → `tls` for a self-signed certificate all the same"""
    for name, value in (("PYTHONHTTPSVERIFY", "0"), ("REQUESTS_CA_BUNDLE", ""), ("CURL_CA_BUNDLE", "")):
        monkeypatch.setenv(name, value)
    with server(certificate(tmp_path)[1]) as web:
        polled.add("bad", url=web.url("/feed"))
        assert polled.poll().error == "tls"


PRIVATE = ["localhost", "169.254.169.254", "2130706433", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "0177.0.0.1", "0"]


@pytest.mark.parametrize("host", PRIVATE)
def test_S25_a_redirect_into_a_private_network_is_refused(polled: Faults, host: str) -> None:
    """a redirect to loopback, a private or a metadata address, in any spelling → `blocked_address`; nothing is dialled"""
    polled.web.serves("/secret", FEED, XML)
    polled.web.redirects("/feed", f"http://{host}:{polled.web.port}/secret")
    answer = polled.poll()
    assert answer.error in ("blocked_address", "dns")  # dns: where the resolver knows no octal, or no IPv6
    assert polled.web.hits("/secret") == []
    assert answer.titles == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"])
def test_S25_a_public_name_with_a_private_address_is_refused(polled: Faults, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """a redirect to a name whose DNS answer is private → `blocked_address` with the address"""
    named(monkeypatch, lambda: address)
    polled.web.redirects("/feed", f"http://rebind.test:{polled.web.port}/secret")
    polled.web.serves("/secret", FEED, XML)
    answer = polled.poll()
    assert answer.error == "blocked_address"
    assert f"{address} is not a public address" in answer.sentence
    assert polled.web.hits("/secret") == []


def test_S25_an_address_that_was_configured_is_asked(polled: Faults) -> None:
    """a source on loopback that stands in feeds.toml → items"""
    assert polled.answers(FEED).titles == ["A good post"]


def test_S25_a_robots_txt_that_leads_into_a_private_network_is_not_followed(polled: Faults) -> None:
    """robots.txt redirects to a private address → `blocked_address`; neither it nor the page is asked"""
    polled.web.redirects("/robots.txt", f"http://localhost:{polled.web.port}/secret")
    polled.add("bad", url=polled.url("/news"), kind="page", links="/news/")
    assert polled.poll().error == "blocked_address"
    assert [seen.path for seen in polled.web.requests] == ["/robots.txt"]


def named(monkeypatch: pytest.MonkeyPatch, address: Any) -> list[str]:
    """Let every name below .test have the address; return the list of names that were looked up."""
    real, looked_up = socket.getaddrinfo, []

    def resolver(host: str, port: int, *args: Any, **options: Any) -> Any:
        if not host.endswith(".test"):
            return real(host, port, *args, **options)
        looked_up.append(host)
        where = address()
        family = socket.AF_INET6 if ":" in where else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (where, port) if family == socket.AF_INET else (where, port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return looked_up


def test_S26_the_address_that_is_checked_is_the_one_that_is_dialled(polled: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """a name that is public when looked up first and loopback when looked up again → one look-up, no connection to loopback"""
    answers = iter(["192.0.2.1", "127.0.0.1", "127.0.0.1"])
    looked_up = named(monkeypatch, lambda: next(answers))
    polled.web.serves("/secret", FEED, XML)
    polled.web.redirects("/feed", f"http://rebind.test:{polled.web.port}/secret")
    assert polled.poll().error == "blocked_address"
    assert looked_up == ["rebind.test"]
    assert polled.web.hits("/secret") == []


def test_S26_every_hop_is_checked(polled: Faults) -> None:
    """private only at the third hop → `blocked_address`, and the hops before it were followed"""
    polled.web.redirects("/feed", "/1")
    polled.web.redirects("/1", "/2")
    polled.web.redirects("/2", f"http://localhost:{polled.web.port}/secret")
    assert polled.poll().error == "blocked_address"
    assert [seen.path for seen in polled.web.requests] == ["/feed", "/1", "/2"]


@pytest.mark.parametrize("location", ["http://me:hunter2@localhost", "http://localhost"])
def test_S27_nothing_of_one_origin_reaches_another(polled: Faults, monkeypatch: pytest.MonkeyPatch, location: str) -> None:
    """a redirect to another host, with cookies and a password in its address → no Authorization, Cookie, Referer or validator there"""
    monkeypatch.setattr(net, "is_public", lambda _: True)
    with server() as other:
        other.serves("/feed", FEED, {**XML, "ETag": '"1"'})
        polled.web.redirects("/feed", f"{location}:{other.port}/feed", headers={"Set-Cookie": "session=secret"})
        for _ in range(2):
            assert polled.poll().titles == ["A good post"]
        assert len(other.requests) == 2
        for seen in other.requests:
            assert not {"authorization", "cookie", "referer", "if-none-match"} & set(seen.headers)
        assert polled.web.requests[-1].headers["if-none-match"] == '"1"'
        other.serves("/feed", b"", status=404)
        answer = polled.poll()
    assert answer.error == "http_404"
    assert "hunter2" not in answer.sentence + (polled.home / "data" / "tracker.db").read_bytes().decode("latin-1")


def test_S27_a_password_in_feeds_toml_is_refused(tmp_path: Path) -> None:
    """`url = "https://me:secret@…"` → a sentence with its line, without the password"""
    (tmp_path / "feeds.toml").write_text('[feeds.a]\nurl = "https://me:hunter2@example.org/feed"\n')
    with pytest.raises(ConfigError, match=r"feeds\.toml:2: .*user name or password") as caught:
        config.load(tmp_path / "feeds.toml")
    assert "hunter2" not in str(caught.value)


def test_S27_no_request_says_where_it_comes_from(polled: Faults) -> None:
    """redirects, robots.txt and page → no Referer, no cookie, one name with a contact"""
    polled.web.serves("/news", b"<a href=/news/1>x</a>", {"Content-Type": "text/html"})
    polled.web.redirects("/old", "/news")
    polled.add("bad", url=polled.url("/old"), kind="page", links="/news/")
    polled.poll()
    assert [seen.path for seen in polled.web.requests] == ["/robots.txt", "/old", "/news"]
    for seen in polled.web.requests:
        assert not {"referer", "cookie", "authorization"} & set(seen.headers)
        assert seen.headers["user-agent"].startswith("tracker/")


@pytest.mark.parametrize(
    ("how", "name"), [("endless_body", "too_large"), ("endless_headers", "connection"), ("drip_body", "timeout"), ("silence", "timeout")]
)
def test_S28_body_head_and_time_have_limits(polled: Faults, how: str, name: str) -> None:
    """20 MB of body, 64 kB of head, one deadline for all → `too_large`, `connection`, `timeout`"""
    polled.web.fails("/feed", how)
    assert polled.poll(deadline_s=1.5 if name == "timeout" else 30.0).error == name


def test_S28_a_host_is_asked_one_thing_at_a_time(polled: Faults) -> None:
    """eight sources on one host → one connection, one request at a time, our name in each"""
    open_now, most = 0, 0

    def counted(exchange: Exchange) -> bool:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        done = exchange.answer(200, XML, FEED)
        open_now -= 1
        return done

    for number in range(8):
        polled.web.answers(f"/{number}", counted)
        polled.add(f"s{number}", url=polled.url(f"/{number}"))
    assert polled.poll("s0").titles == ["A good post"]
    assert (len(polled.web.requests), most, polled.web.connections) == (8, 1, 1)
    assert {seen.headers["user-agent"] for seen in polled.web.requests} == {polled.web.requests[0].headers["user-agent"]}


@pytest.mark.parametrize(
    "item",
    [
        pytest.param("<author>" + "a" * 200_000 + "(" * 200_000 + "</author>", id="an author"),
        pytest.param("<pubDate>" + "1" * 200_000 + "</pubDate>", id="a date"),
        pytest.param("<description>" + "&lt;a " * 100_000 + "</description>", id="markup"),
        pytest.param("<category>x</category>" * 50_000, id="categories"),
    ],
)
def test_S29_a_document_that_is_hard_to_read_ends_by_its_deadline(polled: Faults, item: str) -> None:
    """fields made to stall a parser → items or a named error within the parser's deadline, in a process of its own"""
    answer = polled.answers(rss(item))
    assert answer.titles == ["One"] or answer.error in ("bomb", "too_large", "malformed", "timeout")


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)><svg/onload=alert(1)><iframe src=//evil.example></iframe>"
    "<a href='javascript:alert(1)'>read</a><style>*{background:url(//evil.example)}</style><p>The words stay.</p>"
)


@pytest.mark.parametrize("tag", ["description", "content:encoded"])
@pytest.mark.parametrize("wrap", ["escaped", "cdata", "twice escaped"])
def test_S30_what_is_stored_is_plain_text(polled: Faults, tag: str, wrap: str) -> None:
    """scripts, handlers, frames, styles in a text, escaped once or twice or in CDATA → the words, without any markup"""
    once = HOSTILE.replace("&", "&amp;").replace("<", "&lt;")
    text = {"escaped": once, "cdata": f"<![CDATA[{HOSTILE}]]>", "twice escaped": once.replace("&", "&amp;")}[wrap]
    body = rss(f"<{tag}>{text}</{tag}>").replace(b"<rss ", b'<rss xmlns:content="http://purl.org/rss/1.0/modules/content/" ')
    (item,) = polled.answers(body).items
    assert "The words stay." in item["body"]
    if wrap != "twice escaped":  # there the source shows markup as text, and so do we
        assert not {"<", ">"} & set(item["body"])
        assert "alert" not in item["body"]
    assert item["title"] == "One"


@pytest.mark.parametrize("how", ["file", "http", "parameter", "dtd", "xinclude"])
def test_S31_nothing_is_fetched_for_a_document(polled: Faults, tmp_path: Path, how: str) -> None:
    """external entities (file, http, parameter), a DTD, XInclude → items or a named error; no file is read, nothing is asked for"""
    (tmp_path / "secret").write_text("the-canary")
    canary, file = polled.url("/canary"), (tmp_path / "secret").as_uri()
    before = {
        "file": f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{file}">]>',
        "http": f'<!DOCTYPE rss [<!ENTITY x SYSTEM "{canary}">]>',
        "parameter": f'<!DOCTYPE rss [<!ENTITY % p SYSTEM "{canary}"> %p; <!ENTITY x "y">]>',
        "dtd": f'<!DOCTYPE rss SYSTEM "{canary}">',
        "xinclude": "",
    }[how]
    inside = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="{file}" parse="text"/>' if how == "xinclude" else "&x;"
    answer = polled.answers(rss(f"<description>It says {inside if how != 'dtd' else 'nothing'}.</description>", before))
    assert answer.titles == ["One"] or answer.error
    assert polled.web.hits("/canary") == []
    assert "the-canary" not in "".join(f"{item['title']} {item['body']}" for item in answer.items) + answer.sentence
