"""The only socket: one polite, suspicious HTTP client for feeds, APIs, pages and articles.

in   a ``Request``: a URL, perhaps validators, perhaps a host to trust, perhaps that robots.txt is to be obeyed
out  a ``Response`` (200 with a decoded body, or 304), or a ``SourceError`` with a name and one sentence
refuses to know what a body means and when to ask again: that is ``poll``. What passes within seconds is tried again here: a 500, 502,
503 or 504 twice, unless the server names a time; a connection that the server had closed while it was kept alive, once.
Surprising: the deadline runs while a request is on the wire and between two tries. Waiting for a host's turn or its pause does
not count, so the tenth arXiv request of a run is not late because the first nine were polite.

Redirects are in ``chain``; sockets, sizes and TLS are in ``net``, which nothing but these two imports; whom to ask and when is in
``polite`` and ``robots``.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import requests
from requests.cookies import extract_cookies_to_jar
from requests.utils import get_environ_proxies, select_proxy

from tracker import net, robots
from tracker.chain import REDIRECTS, Chain
from tracker.errors import SourceError
from tracker.polite import HOST_DELAYS_S, Memory, Pace, host_delay_s, host_key, retry_after_s, user_agent
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


class Fetcher:
    """The client. One per run, shared by its threads; close it, or use it as a context manager.

    Args:
        contact: an address or URL for the User-Agent; many sites refuse clients without one.
        pace: when each host with a delay was last asked, and what robots.txt says there; by default, as far as this process knows.
        workers: how many threads will call ``get``.
        deadline_s: what a ``get`` may spend on the wire, with redirects, tries and robots.txt.
        sleep: waits for the seconds it is given.
    """

    def __init__(
        self,
        contact: str | None,
        *,
        pace: Pace | None = None,
        workers: int = 16,
        deadline_s: float = DEADLINE_S,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._contact, self._workers, self._deadline_s, self._sleep = contact, workers, deadline_s, sleep
        self._agent = user_agent(contact)
        self._pace = pace or Memory()
        self._robots = robots.Known(self._pace.recall, self._pace.keep)
        self._delays: dict[str, float] = {}  # by host key, as robots.txt asks
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
            SourceError: anything else. ``retry_after_s`` is set if the server named a time: 0 to seven days. ``disallowed``: by
                robots.txt; a robots.txt that cannot be read leaves the page unasked, and its error is the page's.
        """
        chain = Chain.start(request, self._deadline_s)
        return _response(chain, self._walk(chain, MAX_HOPS, obeys=request.robots), self._contact)

    def _walk(self, chain: Chain, hops: int, *, obeys: bool = False) -> _Answer:
        """Follow the chain to an answer that is no redirect."""
        for _ in range(hops + 1):
            if obeys:
                self._obey(chain)
            answer = self._ask(chain)
            if answer.status not in REDIRECTS:
                return answer
            chain.follow(answer.status, answer.headers)
        raise chain.fail("redirect_loop", f"more than {hops} redirects")

    def _obey(self, chain: Chain) -> None:
        """Raise unless robots.txt of the chain's origin lets us ask; learn the pause that it wants."""
        place = robots.origin(chain.url)
        try:
            rules = self._robots.rules(place, lambda: self._robots_txt(place, chain), in_a_hurry=chain.left_s < chain.allowed_s)
        except SourceError as error:
            why = f"{error.detail}; {chain.label()} is not asked before its robots.txt can be read"
            raise SourceError(error.name, why, retry_after_s=error.retry_after_s) from error
        if line := rules.refusal(chain.url):
            raise chain.fail(
                "disallowed", f"{place}/robots.txt forbids programs to read it ({line}); look for a feed or a mirror of this source"
            )
        self._slow_down(host_key(chain.url), rules.delay_s)

    def _robots_txt(self, place: str, chain: Chain) -> bytes:
        """Ask for robots.txt, on the time of the chain that wants it; return its body, empty where there is none (RFC 9309 section 2.3)."""
        asked = Chain.start(Request(f"{place}/robots.txt", trusted_host=chain.trusted_host), chain.left_s)
        try:
            answer = self._walk(asked, robots.MAX_HOPS)
        except SourceError as error:
            if error.name in ("empty_body", "redirect_loop", "blocked_scheme") or error.name.startswith("http_3"):
                return b""
            raise
        finally:
            chain.left_s = asked.left_s
        if answer.truncated:
            raise asked.fail("truncated", "it was cut short")
        if answer.status >= 500 or answer.status == 429:
            _response(asked, answer, self._contact)
        return answer.body if answer.status in GOOD else b""

    def _slow_down(self, host: str, delay_s: float) -> None:
        """Let requests to the host be ``delay_s`` apart from now on, the next one and the last before it too."""
        with self._lock:
            known, asked_before = self._delays.get(host, 0.0), host in self._turns
            self._delays[host] = max(known, delay_s)
        if delay_s > known and asked_before:
            self._pace.stamp(host, delay_s)

    def _ask(self, chain: Chain) -> _Answer:
        """Make one request of the chain, again after a pause while the server fails."""
        while True:
            answer = self._try(chain)
            pause_s = None if _is_challenge(answer) else chain.again_after_s(answer.status, _wait_s(answer))
            if pause_s is None:
                return answer
            self._sleep(pause_s)

    def _try(self, chain: Chain) -> _Answer:
        """Make one request of the chain; one more, in a turn of its own, if the kept connection was stale."""
        try:
            return self._in_turn(chain, last=False)
        except _Stale:
            return self._in_turn(chain, last=True)

    def _in_turn(self, chain: Chain, *, last: bool) -> _Answer:
        proxies = get_environ_proxies(chain.url)
        with self._turn(chain.url, select_proxy(chain.url, proxies)):
            return self._exchange(chain, proxies, last=last)

    @contextlib.contextmanager
    def _turn(self, url: str, proxy: str | None) -> Iterator[None]:
        """Hold the host's turn, after its pause. A thread holds one host at a time: there is no deadlock."""
        key = host_key(url)
        with self._lock:
            turn, delay = self._turns[key], max(host_delay_s(url, proxy), self._delays.get(key, 0.0))
        with turn:
            if not delay:
                yield
                return
            self._sleep(max(0.0, self._pace.reserve(key, delay)))
            try:
                yield
            finally:
                self._pace.stamp(key, delay)

    def _exchange(self, chain: Chain, proxies: Mapping[str, str], *, last: bool) -> _Answer:
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

    def _headers(self, chain: Chain) -> dict[str, str]:
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


class _Stale(Exception):
    """A connection kept alive was closed before it gave a byte."""


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
    return _Answer(status, headers, body, (cut or not whole) and not hop.satisfied)


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


def _response(chain: Chain, answer: _Answer, contact: str | None) -> Response:
    """Turn the last answer of a chain into a response, or raise its name."""
    if answer.status in GOOD:
        return Response(chain.url, answer.status, answer.headers, answer.body, chain.moved_to, answer.truncated)
    if answer.status == 304 and chain.conditional:
        return Response(chain.url, 304, answer.headers, b"", chain.moved_to)
    wait_s = _wait_s(answer)
    name = "challenge" if _is_challenge(answer) else NAMED.get(answer.status, f"http_{answer.status}")
    raise chain.fail(name, f"HTTP {answer.status}{_advice(name, answer, contact, wait_s)}", wait_s)


def _wait_s(answer: _Answer) -> float | None:
    return retry_after_s(answer.headers.get("retry-after"), answer.headers.get("date"), datetime.now(UTC))


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
