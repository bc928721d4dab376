"""The wire under ``fetch``: sockets that know whom they may dial and when they must stop.

in   one prepared GET and a ``Hop``: how long it may take, whether its host is trusted
out  a ``requests`` response whose reads end by the deadline, its body up to ``MAX_BODY``, names for faults
refuses to know redirects, politeness, statuses, retries: those are ``fetch``, and only ``fetch`` imports this
Surprising: no read timeout and no watchdog thread. Each ``recv`` gets what is left of the total deadline as
its timeout, so one byte a second, in headers, chunks or trailers, ends as surely as silence does.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import re
import socket
import ssl
import threading
import time
import zlib
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.ssl_ import create_urllib3_context

from tracker.errors import SourceError
from tracker.polite import is_public

__all__ = [
    "HOP",
    "MAX_BODY",
    "TRANSPORT_ERRORS",
    "GuardedAdapter",
    "Hop",
    "decode",
    "name_of",
    "read",
    "shown",
]

MAX_BODY = 20 * 2**20  # bytes, packed and unpacked alike; the largest feed of the field seen so far has 4.2 MB
MAX_HEADERS = 64 * 2**10  # bytes of one answer's head
MAX_FRAMING = 2**20  # bytes of chunk sizes and trailers beside the body: enough for chunks of 100 bytes
MAX_MEMBERS = 1000  # parts of one gzip body: a million empty ones would cost seconds of CPU and give nothing
MAX_CODINGS = 2  # a gzip body packed again by a proxy does occur
CHUNK = 2**16
CONNECT_S = 10.0  # longest wait for one address, so that a dead IPv6 route leaves time for IPv4

# Where certificate authorities may be named, the first wins: requests, curl and OpenSSL each have their own.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

TRANSPORT_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


@dataclass(slots=True)
class Hop:
    """One request of a chain, and what its connection tells of it. ``deadline`` is on the monotonic clock."""

    label: str  # the URL as it may be shown
    deadline: float
    allowed_s: float
    trusted: bool = False  # the user configured this host himself: private addresses are fine
    enough: int = 0  # bytes of the body after which no more is read; 0: all of it
    satisfied: bool = False  # so many came: what is missing was not wanted
    dialled: bool = False  # a new connection was made for it
    received: int = 0  # bytes
    surplus: bool = False  # bytes came after the end that Content-Length announced

    def left_s(self) -> float:
        """Return the seconds until the deadline; raise ``timeout`` when there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self.late()
        return left

    def late(self) -> SourceError:
        return self.fail("timeout", f"no complete answer within {self.allowed_s:.3g} s")

    def fail(self, name: str, why: str, retry_after_s: float | None = None) -> SourceError:
        return SourceError(name, f"{self.label}: {why}", retry_after_s=retry_after_s)

    def admit(self, address: str) -> None:
        """Raise ``blocked_address`` unless the dialled address is public, or its host trusted."""
        if not self.trusted and not is_public(address):
            raise self.fail(
                "blocked_address",
                f"{address} is not a public address; only a host that you configured yourself may have one",
            )


# The hop that this thread is at. urllib3 offers no way to hand anything down to a connection but this.
HOP: ContextVar[Hop] = ContextVar("hop")


def shown(url: str) -> str:
    """Return the URL as it may be printed: no credentials, plain ASCII, at most 300 characters."""
    return re.sub(r"(?<=//)[^/?#]*@", "", re.sub(r"[^\x21-\x7e]", "?", url))[:300]


# --- connecting ---------------------------------------------------------------------------------------------


def _resolve(host: str, port: int, hop: Hop) -> list[tuple[Any, ...]]:
    """Look the host up, in a thread that is left behind at the deadline: ``getaddrinfo`` knows no timeout."""
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=look_up, name=f"dns {host}", daemon=True)
    thread.start()
    thread.join(hop.left_s())
    if not found:
        raise hop.late()
    if isinstance(found[0], Exception):
        why = found[0].strerror if isinstance(found[0], OSError) else "not a valid name"
        raise hop.fail("dns", f"the host {host} was not found ({why})")
    return list(found[0])


def _dial(host: str, port: int, hop: Hop, *, proxy: bool) -> socket.socket:
    """Connect to the first address that answers. The address checked is the address dialled: one lookup."""
    addresses, failure = _resolve(host, port, hop), OSError(0, "no address")
    for position, (*kind, _, address) in enumerate(addresses):
        if not proxy:
            hop.admit(address[0])
        try:
            return _connect(kind, address, hop, min(CONNECT_S, hop.left_s() / (len(addresses) - position)))
        except OSError as error:
            failure = error
    # Named here: urllib3 takes a reset during connect for a server that answered early, and trips over it.
    if isinstance(failure, TimeoutError):
        raise hop.fail("timeout", f"{host} did not accept a connection in time")
    raise hop.fail("connection", f"{'the proxy ' if proxy else ''}{host} refused the connection ({failure.strerror})")


def _connect(kind: list[Any], address: Any, hop: Hop, timeout_s: float) -> socket.socket:
    sock = socket.socket(*kind)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_s)
        sock.connect(address)
        sock.settimeout(hop.left_s())  # bounds the TLS handshake as a whole
    except BaseException:
        sock.close()
        raise
    return sock


class _Tap(io.RawIOBase):
    """A socket's file whose reads end by the deadline and whose sum is limited."""

    def __init__(self, raw: Any, sock: Any, hop: Hop) -> None:
        super().__init__()
        self._raw, self._sock, self._hop = raw, sock, hop
        self._taken, self._limit, self._ended = 0, MAX_HEADERS, False
        self._beyond = ("connection", f"the head of the answer exceeds {MAX_HEADERS // 1024} kB")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._ended:
            return 0
        if self._taken > self._limit:
            raise self._hop.fail(*self._beyond)
        self._sock.settimeout(self._hop.left_s())
        try:
            count = self._raw.readinto(buffer) or 0
        except TimeoutError:
            raise self._hop.late() from None
        self._taken += count
        self._hop.received += count
        return count

    def head_is_done(self) -> None:
        self._limit = self._taken + MAX_BODY + MAX_FRAMING
        self._beyond = ("too_large", f"the body exceeds {MAX_BODY >> 20} MB")

    def end(self) -> None:
        self._ended = True

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Reply(http.client.HTTPResponse):
    """An answer read through a ``_Tap``. Skips 1xx (RFC 9110 section 15.2); http.client knows only 100."""

    def __init__(self, sock: Any, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self._sock, self._hop = sock, HOP.get()
        self._tap = _Tap(self.fp.detach(), sock, self._hop)
        self.fp = io.BufferedReader(self._tap)

    def begin(self) -> None:
        super().begin()
        while 101 < self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        self._tap.head_is_done()

    def _close_conn(self) -> None:
        """At the end of a body of announced length: anything beyond shows that the length was wrong (F12)."""
        self._tap.end()
        if self.length == 0 and self.fp.peek(1).strip():
            self._hop.surplus = True
            with contextlib.suppress(OSError):  # the next answer on this connection would start with the rest of this one
                self._sock.shutdown(socket.SHUT_RDWR)
        super()._close_conn()  # type: ignore[misc]


class _Http(HTTPConnection):
    response_class = _Reply

    def _new_conn(self) -> socket.socket:
        hop = HOP.get()
        hop.dialled = True
        return _dial(self._dns_host, self.port or 80, hop, proxy=self.proxy is not None)

    def request(self, *args: Any, **options: Any) -> None:
        """Check the address again: a connection kept alive may stem from a request that trusted its host."""
        if self.sock is not None and self.proxy is None:
            try:
                address = self.sock.getpeername()[0]
            except OSError:
                raise http.client.RemoteDisconnected("the connection was closed before the request") from None
            HOP.get().admit(address)
        super().request(*args, **options)


class _Https(_Http, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class GuardedAdapter(HTTPAdapter):
    """The transport: our connections, one TLS context that always verifies, no retries. Needs ``HOP`` set."""

    def __init__(self, workers: int, agent: str) -> None:
        self._context, self._agent = _tls_context(), agent
        # One pool a host, the least recently used given up: macOS allows 256 open files. A proxy's is shared.
        super().__init__(pool_connections=max(64, 2 * workers), pool_maxsize=workers, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        if proxy.lower().startswith("socks"):
            return super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, proxy_ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def proxy_headers(self, proxy: str) -> dict[str, str]:
        """A proxy that refuses a tunnel should know, too, whom it refuses."""
        return {**super().proxy_headers(proxy), "User-Agent": self._agent}

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        return super().get_connection_with_tls_context(request, True, proxies=proxies, cert=None)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to load: requests would read the bundle anew for each connection, 17 ms each."""
        conn.cert_reqs = "CERT_REQUIRED"


def _tls_context() -> ssl.SSLContext:
    variable = next((name for name in CA_VARIABLES if os.environ.get(name)), None)
    path = os.environ[variable] if variable else DEFAULT_CA_BUNDLE_PATH
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.check_hostname = True
    try:
        context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
    except OSError as error:
        raise HOP.get().fail("tls", f"the certificates in {path} ({variable or 'of requests'}) cannot be read: {error.strerror}") from error
    return context


# --- reading ------------------------------------------------------------------------------------------------


def read(reply: requests.Response, hop: Hop) -> tuple[bytes, bool]:
    """Return the body as it came over the wire, still encoded, and whether it is cut short.

    Raises:
        SourceError: ``timeout``, ``too_large``.
        TRANSPORT_ERRORS: the connection broke in another way than by ending early.
    """
    announced = reply.headers.get("content-length", "")
    if not hop.enough and announced.isdecimal() and len(announced) < 20 and int(announced) > MAX_BODY:
        raise hop.fail("too_large", f"the body has {int(announced) >> 20} MB, {MAX_BODY >> 20} are read at most")
    body = bytearray()
    try:
        while chunk := reply.raw.read1(CHUNK, decode_content=False):
            body += chunk
            if len(body) > MAX_BODY:
                raise hop.fail("too_large", f"the body exceeds {MAX_BODY >> 20} MB")
            if hop.enough and len(body) >= hop.enough:  # the connection is closed with its answer: the rest is never sent to us
                hop.satisfied = True
                return bytes(body), False
    except urllib3.exceptions.ProtocolError as error:
        if not isinstance(error.args[-1], http.client.IncompleteRead):
            raise
        return bytes(body), True
    return bytes(body), hop.surplus


def decode(body: bytes, codings: str, hop: Hop) -> tuple[bytes, bool]:
    """Undo the Content-Encoding; return the plain body and whether it is whole. Unpacks ``MAX_BODY`` at most.

    Raises:
        SourceError: ``bad_encoding`` (corrupt, unknown, not what it claims to be), ``too_large``.
    """
    whole = True
    chain = [name for part in codings.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    for coding in reversed(chain):
        if coding not in ("gzip", "x-gzip", "deflate") or len(chain) > MAX_CODINGS:
            raise hop.fail("bad_encoding", f"the body is encoded as {codings[:40]!r}, which was not asked for")
        try:
            body, complete = _gunzip(body) if "gzip" in coding else _inflate(body)
        except zlib.error as error:
            raise hop.fail("bad_encoding", f"the body is not the {coding} it claims to be ({error})") from error
        if len(body) > MAX_BODY:
            raise hop.fail("too_large", f"the body unpacks to more than {MAX_BODY >> 20} MB")
        whole = whole and complete
    return body, whole


def _gunzip(data: bytes) -> tuple[bytes, bool]:
    """Unpack the members of a gzip body (RFC 1952 section 2.2); ignore what follows them, as browsers do."""
    out = bytearray()
    for _ in range(MAX_MEMBERS):
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        out += member.decompress(data, MAX_BODY + 1 - len(out))
        if not member.eof or len(out) > MAX_BODY:
            return bytes(out), False
        data = member.unused_data
        if not data.startswith(b"\x1f\x8b"):
            return bytes(out), True
    raise zlib.error(f"more than {MAX_MEMBERS} members")


def _inflate(data: bytes) -> tuple[bytes, bool]:
    """Unpack a deflate body: zlib (RFC 9110 section 8.4.1.2), or the bare stream that some servers send."""
    is_zlib = len(data) >= 2 and data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0  # RFC 1950 section 2.2
    stream = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
    return stream.decompress(data, MAX_BODY + 1), stream.eof


# --- naming -------------------------------------------------------------------------------------------------

_NAMES: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (requests.exceptions.InvalidProxyURL, requests.exceptions.InvalidSchema),
        "connection",
        "the proxy cannot be used",
    ),
    (
        (requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError, UnicodeError),
        "dns",
        "not an address with a valid host",
    ),
    (
        (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError),
        "timeout",
        "no answer in time",
    ),
    (
        (requests.exceptions.ProxyError, urllib3.exceptions.ProxyError),
        "connection",
        "the proxy does not answer",
    ),
    (
        (requests.exceptions.SSLError, urllib3.exceptions.SSLError, ssl.SSLError),
        "tls",
        "no trusted connection",
    ),
)


def name_of(error: BaseException, hop: Hop) -> SourceError:
    """Return what went wrong on the wire, in the words of ``errors.NAMES``."""
    for kinds, name, why in _NAMES:
        if isinstance(error, kinds):
            return hop.fail(name, f"{why} ({_reason(error)})")
    return hop.fail("connection", f"the connection failed ({_reason(error)})")


def _reason(error: BaseException) -> str:
    """Return the innermost cause in a few printable words without credentials; libraries wrap in layers."""
    for _ in range(8):
        inner = [getattr(error, "reason", None), *error.args, error.__cause__]
        error = next((cause for cause in inner if isinstance(cause, BaseException)), error)
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message
    elif isinstance(error, http.client.BadStatusLine) and not isinstance(error, http.client.RemoteDisconnected):
        words = "the answer is not HTTP"
    else:
        words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return re.sub(r"//[^/\s]*@", "//", re.sub(r"[^\x20-\x7e]", "?", words))[:160]
