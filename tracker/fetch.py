"""The only socket: one polite, suspicious HTTP client for feeds, APIs, pages and articles.

in   a ``Request``: a URL, perhaps validators, perhaps a host to trust
out  a ``Response`` (200 with a decoded body, or 304), or a ``SourceError`` with a name and one sentence
refuses to know what a body means and when to try again: the only retry here is a new connection for one that
the server had closed while it was kept alive; trying a 500 again is up to the caller.
Surprising: the deadline runs only while a request is on the wire. Waiting for a host's turn or its pause does
not count, so the tenth arXiv request of a run is not late because the first nine were polite.

Sockets, sizes and TLS are in ``net``, which nothing else imports; whom to ask and when is in ``polite``.
"""

from __future__ import annotations

import base64
import contextlib
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from urllib.parse import SplitResult, unquote, urldefrag, urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar, extract_cookies_to_jar
from requests.utils import get_environ_proxies, select_proxy

from tracker import net
from tracker.errors import SourceError
from tracker.polite import HOST_DELAYS_S, Pace, host_delay_s, host_key, retry_after_s, user_agent
from tracker.types import Request, Response

__all__ = ["HOST_DELAYS_S", "Fetcher", "host_delay_s", "host_key", "retry_after_s"]

MAX_HOPS = 10  # redirects; browsers follow 20
DEADLINE_S = 30.0
PEEK_BYTES = 64 * 2**10  # of the body of an error or a redirect: enough for the marks of a challenge
PEEK_S = 3.0

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "text/xml;q=0.9, application/json;q=0.9, text/html;q=0.8, */*;q=0.5"
)

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
GOOD = frozenset({200, 203})  # 203: 200, changed by a proxy on the way (RFC 9110 section 15.3.4)
NAMED = {204: "empty_body", 205: "empty_body", 410: "gone", 429: "rate_limited"}
ADVICE = {
    401: "it wants credentials",
    404: "the address is wrong or the page has moved",
    410: "it is gone for good, says the server",
    429: "we ask too often, says the server",
}

# A page that wants a browser, not a reader: Cloudflare, DataDome, PerimeterX, Imperva, AWS WAF. Lower case.
CHALLENGE_STATUSES = frozenset({403, 503})
CHALLENGE_HEADERS = ("cf-mitigated", "x-amzn-waf-action")
CHALLENGE_MARKS = (
    b"just a moment", b"challenge-platform", b"captcha", b"__cf_chl", b"cf-chl-",
    b"_incapsula_resource", b"datadome",
)  # fmt: skip

Reserve = Callable[[str, float], float]
Stamp = Callable[[str, float], None]


class Fetcher:
    """The client. One per run, shared by its threads; close it, or use it as a context manager.

    Args:
        contact: an address or URL for the User-Agent; many sites refuse clients without one.
        reserve: called with a host key and its delay before each request to a host of
            ``HOST_DELAYS_S``; returns the seconds to sleep first. Without it, the pace is that of this process only.
        stamp: called with the same two when that request has ended, well or badly.
        workers: how many threads will call ``get``.
        deadline_s: what a whole chain of redirects may spend on the wire.
    """

    def __init__(
        self,
        contact: str | None,
        *,
        reserve: Reserve | None = None,
        stamp: Stamp | None = None,
        workers: int = 16,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        pace = Pace()
        self._contact, self._workers, self._deadline_s = contact, workers, deadline_s
        self._agent = user_agent(contact)
        self._reserve, self._stamp = reserve or pace.reserve, stamp or pace.stamp
        self._lock = threading.Lock()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._adapter: net.GuardedAdapter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A later ``get`` opens new ones."""
        with self._lock:
            adapter, self._adapter = self._adapter, None
        if adapter:
            adapter.close()

    def get(self, request: Request) -> Response:
        """Return the answer after redirects: 200 (or 203) with its body, or 304 if validators were sent.

        ``truncated`` says that the connection ended early: the body is what came. Waits while another thread
        asks the same host.

        Raises:
            SourceError: anything else. ``retry_after_s`` is set if the server named a time: 0 to seven days.
        """
        chain = _Chain.start(request, self._deadline_s)
        for _ in range(MAX_HOPS + 1):
            answer = self._ask(chain)
            if answer.status not in REDIRECTS:
                return _response(chain, answer, self._contact)
            chain.follow(answer)
        raise chain.fail("redirect_loop", f"more than {MAX_HOPS} redirects")

    def _ask(self, chain: _Chain) -> _Answer:
        """Make one request of the chain; one more, in a turn of its own, if the kept connection was stale."""
        try:
            return self._in_turn(chain, last=False)
        except _Stale:
            return self._in_turn(chain, last=True)

    def _in_turn(self, chain: _Chain, *, last: bool) -> _Answer:
        proxies = get_environ_proxies(chain.url)
        with self._turn(chain.url, select_proxy(chain.url, proxies)):
            return self._exchange(chain, proxies, last=last)

    @contextlib.contextmanager
    def _turn(self, url: str, proxy: str | None) -> Iterator[None]:
        """Hold the host's turn, after its pause. A thread holds one host at a time: there is no deadlock."""
        key, delay = host_key(url), host_delay_s(url, proxy)
        with self._lock:
            turn = self._turns[key]
        with turn:
            if not delay:
                yield
                return
            time.sleep(max(0.0, self._reserve(key, delay)))
            try:
                yield
            finally:
                self._stamp(key, delay)

    def _exchange(self, chain: _Chain, proxies: Mapping[str, str], *, last: bool) -> _Answer:
        hop = chain.hop()
        token = net.HOP.set(hop)
        try:
            reply = self._transport().send(chain.prepare(self._headers(chain)), stream=True, timeout=hop.left_s(), proxies=dict(proxies))
            with contextlib.closing(reply):
                extract_cookies_to_jar(chain.cookies, reply.request, reply.raw)
                return _answer(reply, hop)
        except net.TRANSPORT_ERRORS as error:
            if isinstance(error, requests.ConnectionError) and not (last or hop.dialled or hop.received):
                raise _Stale from error
            raise net.name_of(error, hop) from error
        finally:
            chain.left_s = hop.deadline - time.monotonic()
            net.HOP.reset(token)

    def _transport(self) -> net.GuardedAdapter:
        with self._lock:
            if self._adapter is None:
                self._adapter = net.GuardedAdapter(self._workers, self._agent)
            return self._adapter

    def _headers(self, chain: _Chain) -> dict[str, str]:
        """The whole head of a request, but for Host. No Referer: nothing tells whence we came."""
        wanted = {
            "User-Agent": self._agent,
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip, deflate",
            "If-None-Match": chain.etag,
            "If-Modified-Since": chain.last_modified,
            "Authorization": chain.authorization,
        }
        return {name: value for name, value in wanted.items() if value}


# --- a chain of redirects -----------------------------------------------------------------------------------


class _Stale(Exception):
    """A connection kept alive was closed before it gave a byte."""


@dataclass(slots=True)
class _Chain:
    """Where a request stands on its way through redirects, and what the next hop may be told."""

    first: str
    url: str
    left_s: float
    allowed_s: float
    trusted_host: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    authorization: str | None = None
    moved_to: str | None = None
    redirected: bool = False
    permanent: bool = True
    # Cookies live as long as the chain, scoped by RFC 6265: some sites redirect until one returns (F04).
    cookies: RequestsCookieJar = field(default_factory=RequestsCookieJar)

    @classmethod
    def start(cls, request: Request, deadline_s: float) -> _Chain:
        url = request.url.strip().partition("#")[0]
        chain = cls(net.shown(url), url, deadline_s, deadline_s, request.trusted_host)
        parts = chain.checked(url)
        chain.url = _without_userinfo(parts)
        chain.etag, chain.last_modified = _field_value(request.etag), _field_value(request.last_modified)
        if parts.username or parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            chain.authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return chain

    @property
    def conditional(self) -> bool:
        return bool(self.etag or self.last_modified)

    def label(self) -> str:
        return f"{self.first} → {net.shown(self.url)}" if self.redirected else self.first

    def fail(self, name: str, why: str, retry_after_s: float | None = None) -> SourceError:
        return SourceError(name, f"{self.label()}: {why}", retry_after_s=retry_after_s)

    def checked(self, url: str) -> SplitResult:
        """Split a URL that we may dial; raise for any other."""
        try:
            parts = _split(url, strict=True)
        except ValueError as error:
            raise self.fail("dns", f"{net.shown(url)} is not a valid address") from error
        if parts.scheme.lower() not in ("http", "https"):
            raise self.fail("blocked_scheme", f"{net.shown(url)} is neither http nor https")
        if not parts.hostname:
            raise self.fail("dns", f"{net.shown(url)} has no host")
        return parts

    def hop(self) -> net.Hop:
        trusted = bool(self.trusted_host) and _split(self.url).hostname == str(self.trusted_host).lower()
        return net.Hop(self.label(), time.monotonic() + self.left_s, self.allowed_s, trusted)

    def prepare(self, headers: dict[str, str]) -> requests.PreparedRequest:
        """Prepared outside of any session: a session would add credentials from .netrc."""
        request = requests.Request("GET", self.url, headers=headers, cookies=self.cookies).prepare()
        self.url = request.url or self.url
        return request

    def follow(self, answer: _Answer) -> None:
        """Go where the answer points. Validators and credentials stay behind at the border of an origin."""
        location = _location(answer.headers)
        if not location:
            raise self.fail(f"http_{answer.status}", "redirects without saying where")
        try:
            target = urldefrag(urljoin(self.url, location))[0]
            urlsplit(target)
        except ValueError as error:
            raise self.fail(f"http_{answer.status}", "redirects to an address that is none") from error
        parts = self.checked(target)
        if not _same_origin(_split(self.url), parts):
            self.etag = self.last_modified = self.authorization = None
        self.url, self.redirected = _without_userinfo(parts), True
        self.permanent = self.permanent and answer.status in PERMANENT
        self.moved_to = self.url if self.permanent else self.moved_to


def _split(url: str, *, strict: bool = False) -> SplitResult:
    """``urlsplit`` that finds a bad port when asked to be strict, and is total when not."""
    try:
        parts = urlsplit(url)
        if strict:
            _ = parts.port
        return parts
    except ValueError:
        if strict:
            raise
        return SplitResult("", "", "", "", "")


def _without_userinfo(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _same_origin(old: SplitResult, new: SplitResult) -> bool:
    """RFC 6454, or the step up from http to https on the same host and the usual ports."""
    if old.hostname != new.hostname:
        return False
    ports = {"http": 80, "https": 443}
    here, there = (old.scheme, old.port or ports[old.scheme]), (new.scheme, new.port or ports[new.scheme])
    return here == there or (here == ("http", 80) and there == ("https", 443))


def _location(headers: Mapping[str, str]) -> str:
    """The Location header. http.client reads Latin-1, many servers send UTF-8."""
    value = headers.get("location", "").strip()
    with contextlib.suppress(UnicodeError):
        return value.encode("latin-1").decode("utf-8")
    return value


def _field_value(text: str | None) -> str | None:
    """A validator as it came, or None if no header can carry it back: control characters, beyond Latin-1."""
    value = (text or "").strip()
    return value if re.fullmatch(r"[\x20-\x7e\xa0-\xff]{1,4000}", value) else None


# --- an answer ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one hop said. ``body`` is decoded and whole for good answers, a glimpse of others."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    truncated: bool = False


def _answer(reply: requests.Response, hop: net.Hop) -> _Answer:
    status, headers = reply.status_code, {name.lower(): value for name, value in reply.headers.items()}
    if not 100 <= status < 600:
        raise hop.fail("connection", f"the answer has the status {status}, which is not HTTP (RFC 9110 section 15)")
    if status not in GOOD:
        return _Answer(status, headers, _glimpse(reply, hop))
    packed, cut = net.read(reply, hop)
    body, whole = net.decode(packed, headers.get("content-encoding", ""), hop) if packed else (b"", True)
    if not body:
        raise (hop.fail("truncated", "the body was cut before it began") if cut or not whole else hop.fail("empty_body", "an empty body"))
    return _Answer(status, headers, body, cut or not whole)


def _glimpse(reply: requests.Response, hop: net.Hop) -> bytes:
    """Return the start of a body that is not wanted; read to its end, it leaves its connection usable."""
    final, hop.deadline = hop.deadline, min(hop.deadline, time.monotonic() + PEEK_S)
    packed = bytearray()
    with contextlib.suppress(SourceError, *net.TRANSPORT_ERRORS):
        while len(packed) < PEEK_BYTES and (chunk := reply.raw.read1(PEEK_BYTES, decode_content=False)):
            packed += chunk
    hop.deadline = final
    with contextlib.suppress(SourceError):
        return net.decode(bytes(packed), reply.headers.get("content-encoding", ""), hop)[0][:PEEK_BYTES]
    return b""


def _response(chain: _Chain, answer: _Answer, contact: str | None) -> Response:
    """Turn the last answer of a chain into a response, or raise its name."""
    if answer.status in GOOD:
        return Response(chain.url, answer.status, answer.headers, answer.body, chain.moved_to, answer.truncated)
    if answer.status == 304 and chain.conditional:
        return Response(chain.url, 304, answer.headers, b"", chain.moved_to)
    wait_s = retry_after_s(answer.headers.get("retry-after"), answer.headers.get("date"), datetime.now(UTC))
    name = "challenge" if _is_challenge(answer) else NAMED.get(answer.status, f"http_{answer.status}")
    raise chain.fail(name, f"HTTP {answer.status}{_advice(name, answer, contact, wait_s)}", wait_s)


def _is_challenge(answer: _Answer) -> bool:
    if answer.status < 400 or answer.status == 429:
        return False
    if any(answer.headers.get(name, "").strip().lower() in ("challenge", "captcha") for name in CHALLENGE_HEADERS):
        return True
    return answer.status in CHALLENGE_STATUSES and any(mark in answer.body.lower() for mark in CHALLENGE_MARKS)


def _advice(name: str, answer: _Answer, contact: str | None, wait_s: float | None) -> str:
    """The rest of the sentence: what it means, and the way out if there is one."""
    words = [ADVICE.get(answer.status, "")]
    if name == "challenge":
        words.append("a page that asks for a browser; look for a feed or a mirror of this source")
    elif name.startswith("http_") and answer.status < 300:
        words.append("this is not a whole document")
    elif answer.status == 304:
        words.append("not modified, though nothing was asked to compare with")
    if answer.status == 403 and not contact:
        words.append('set contact = "you@…" in [tracker], many sites refuse anonymous clients')
    if wait_s is not None:
        words.append(f"try again in {wait_s:.0f} s")
    return "".join(f"; {word}" for word in words if word)
