"""A web server on loopback that can also misbehave: real sockets, no framework, every byte ours.

    with server() as web:
        web.serves("/feed", b"<rss/>", {"ETag": '"1"'})
        web.not_modified("/same", etag='"1"')          # 304 to those who know the etag, 200 to others
        web.redirects("/old", "/feed", 301)
        web.fails("/bad", "drip_body")                  # any name of FAILURES
        web.sends("/raw", b"HTTP/1.1 200 OK\\r\\n\\r\\nhi")  # these bytes, then the end
        fetch(web.url("/feed"))
        web.requests[-1].headers["user-agent"]

``requests`` logs what was asked: path, headers (lower-case names), the number of the connection, when it began and ended.
A path may be a whole URL: then the server is the proxy that is asked for it. Slow failures end when the client leaves or the
server stops.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

__all__ = ["FAILURES", "Exchange", "Seen", "Server", "bomb", "server"]

DRIP_S = 0.05  # between the bytes of a drip
GIVE_UP_S = 60.0  # no failure lasts longer, should a client never leave
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BODY = b"<rss><channel><item><title>one</title></item>"


@dataclass(slots=True)
class Seen:
    """One request that arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    connection: int
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0


@dataclass(slots=True)
class Exchange:
    """A request and the socket to answer it on."""

    sock: Any
    seen: Seen
    stopped: threading.Event

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> bool:
        """Send a whole answer, with Content-Length unless the headers say otherwise; return whether to keep the connection."""
        names = {name.lower() for name in headers}
        head = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers.items())]
        if not names & {"content-length", "transfer-encoding"} and status not in (204, 304):
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        return headers.get("Connection", "").lower() != "close"

    def drip(self, pieces: Iterator[bytes] | list[bytes], pause_s: float = DRIP_S) -> None:
        """Send piece by piece until there are none, the client leaves or the server stops."""
        end = time.monotonic() + GIVE_UP_S
        for piece in pieces:
            if self.stopped.wait(pause_s) or time.monotonic() > end:
                return
            self.send(piece)

    def silence(self) -> None:
        """Say nothing until the client leaves."""
        self.sock.settimeout(0.05)
        end = time.monotonic() + GIVE_UP_S
        while not self.stopped.is_set() and time.monotonic() < end:
            try:
                if not self.sock.recv(1024):
                    return
            except TimeoutError:
                continue

    def reset(self) -> None:
        """Close with RST instead of FIN, as a crashed server or a firewall does."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Answer = Callable[[Exchange], bool]  # returns whether the connection stays open


def _forever(piece: bytes) -> Iterator[bytes]:
    while True:
        yield piece


def _then(data: bytes, act: Callable[[Exchange], None] = lambda _: None) -> Answer:
    """Answer with these bytes, act, close."""

    def answer(exchange: Exchange) -> bool:
        exchange.send(data)
        act(exchange)
        return False

    return answer


def _reset_later(exchange: Exchange) -> None:
    time.sleep(0.1)  # so that the client has read what came before: RST throws away what is still in flight
    exchange.reset()


FAILURES: dict[str, Answer] = {
    # endings
    "close": _then(b""),
    "reset": _then(b"", Exchange.reset),
    "reset_body": _then(HEAD + b"Content-Length: 1000\r\n\r\n" + BODY, _reset_later),
    "cut_body": _then(HEAD + b'Content-Length: 1000\r\nETag: "cut"\r\n\r\n' + BODY),
    "cut_head": _then(HEAD),
    "cut_chunk": _then(CHUNKED + b"2d\r\n" + BODY + b"\r\n400\r\n<item>"),
    "cut_before_body": _then(HEAD + b"Content-Length: 1000\r\n\r\n"),
    "bad_chunk": _then(CHUNKED + b"2d\r\n" + BODY + b"\r\nzz\r\nmore\r\n0\r\n\r\n"),
    "bad_first_chunk": _then(CHUNKED + b"zz\r\nmore\r\n0\r\n\r\n"),
    # lengths that lie
    "length_short": _then(HEAD + b"Content-Length: 20\r\n\r\n" + BODY),
    "length_negative": _then(HEAD + b"Content-Length: -5\r\n\r\n" + BODY),
    "length_garbage": _then(HEAD + b"Content-Length: many\r\n\r\n" + BODY),
    "length_twice": _then(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + BODY),
    "length_huge": _then(HEAD + b"Content-Length: 99999999999\r\n\r\n" + BODY, Exchange.silence),
    # time
    "silence": _then(b"", Exchange.silence),
    "silence_body": _then(HEAD + b"Content-Length: 1000\r\n\r\n" + BODY, Exchange.silence),
    "drip_headers": _then(HEAD + b"X-Drip: ", lambda exchange: exchange.drip(_forever(b"x"))),
    "drip_body": _then(HEAD + b"\r\n", lambda exchange: exchange.drip(_forever(b"x"))),
    "drip_chunks": _then(CHUNKED, lambda exchange: exchange.drip(_forever(b"1\r\nx\r\n"))),
    "drip_trailers": _then(CHUNKED + b"0\r\n", lambda exchange: exchange.drip(_forever(b"X: y\r\n"))),
    # floods
    "endless_body": _then(HEAD + b"\r\n", lambda exchange: exchange.drip(_forever(b"x" * 2**18), 0)),
    "endless_chunks": _then(CHUNKED, lambda exchange: exchange.drip(_forever(b"10000\r\n" + b"x" * 2**16 + b"\r\n"), 0)),
    "endless_chunk_line": _then(CHUNKED, lambda exchange: exchange.drip(_forever(b"0" * 2**16), 0)),
    "endless_trailers": _then(CHUNKED + b"1\r\nx\r\n0\r\n", lambda exchange: exchange.drip(_forever(b"X: y\r\n" * 10_000), 0)),
    "endless_headers": _then(HEAD, lambda exchange: exchange.drip(_forever(b"X-More: " + b"x" * 1000 + b"\r\n"), 0)),
    "endless_continue": _then(b"", lambda exchange: exchange.drip(_forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 100), 0)),
    "many_headers": _then(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n" + BODY),
    "huge_header": _then(HEAD + b"X-Huge: " + b"x" * 2**20 + b"\r\n\r\n" + BODY),
    # not HTTP
    "garbage_status": _then(b"220 mail.example.org ESMTP\r\n\r\n" + BODY),
    "garbage_bytes": _then(bytes(range(256)) * 8),
    "http_0.9": _then(BODY),
    "http_2": _then(b"HTTP/2 200\r\n\r\n" + BODY),
    "status_999": _then(b"HTTP/1.1 999 Request denied\r\nContent-Length: 0\r\n\r\n"),
    "status_word": _then(b"HTTP/1.1 fine OK\r\n\r\n" + BODY),
}


class Server:
    """The server; made by ``server()``."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self.connections = 0
        self._tls, self._answers = tls, dict[str, Answer]()
        self._stopped = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return the address of a path; ``host`` may be another name of loopback, or ``user:password@127.0.0.1``."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def hits(self, path: str) -> list[Seen]:
        """Return the requests for a path, oldest first."""
        return [seen for seen in self.requests if seen.path == path]

    def serves(self, path: str, body: bytes = b"<rss/>", headers: Mapping[str, str] | None = None, status: int = 200) -> None:
        """Answer with this."""
        self.answers(path, lambda exchange: exchange.answer(status, headers or {}, body))

    def not_modified(self, path: str, etag: str = '"1"', body: bytes = b"<rss/>") -> None:
        """Answer 304 to whoever sends the etag, else 200 with it."""
        self.answers(
            path,
            lambda exchange: (
                exchange.answer(304, {"ETag": etag}, b"")
                if exchange.seen.headers.get("if-none-match") == etag
                else exchange.answer(200, {"ETag": etag}, body)
            ),
        )

    def redirects(self, path: str, to: str, status: int = 302, headers: Mapping[str, str] | None = None) -> None:
        """Redirect."""
        self.serves(path, b"moved", {"Location": to, **(headers or {})}, status)

    def fails(self, path: str, how: str) -> None:
        """Misbehave as ``FAILURES[how]`` does."""
        self.answers(path, FAILURES[how])

    def sends(self, path: str, data: bytes) -> None:
        """Send these bytes, whatever they are, and close."""
        self.answers(path, _then(data))

    def answers(self, path: str, answer: Answer) -> None:
        """Answer with a function of the exchange; it returns whether the connection stays open."""
        self._answers[path] = answer

    def stop(self) -> None:
        """Stop listening and end every slow answer."""
        self._stopped.set()
        with suppress(OSError), socket.socket() as knock:  # so that accept need not time out first
            knock.connect(("127.0.0.1", self.port))
        self._thread.join()
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            with suppress(TimeoutError):
                sock, _ = self._socket.accept()
                if self._stopped.is_set():
                    sock.close()
                    return
                self.connections += 1
                threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with suppress(OSError, ValueError), sock:  # a client that leaves is no news
            sock.settimeout(GIVE_UP_S)
            with self._tls.wrap_socket(sock, server_side=True) if self._tls else sock as stream:
                reader = stream.makefile("rb")
                while not self._stopped.is_set() and self._one(stream, reader, number):
                    pass

    def _one(self, sock: Any, reader: Any, number: int) -> bool:
        method, path, _ = reader.readline(65_536).decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while line := reader.readline(65_536).decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        seen = Seen(method, path, headers, number)
        self.requests.append(seen)
        answer = self._answers.get(path) or self._answers.get(path.partition("?")[0]) or _not_found
        try:
            return answer(Exchange(sock, seen, self._stopped))
        finally:
            seen.ended = time.monotonic()


def _not_found(exchange: Exchange) -> bool:
    return exchange.answer(404, {}, b"no such page")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def bomb(megabytes: int = 300) -> bytes:
    """Return a gzip body of about 1 kB a megabyte that unpacks to this many."""
    return gzip.compress(b"\0" * 2**20, mtime=0) * megabytes


@contextmanager
def server(tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Run a server on a free port of 127.0.0.1 while the block lasts; with a context, it speaks TLS."""
    web = Server(tls)
    try:
        yield web
    finally:
        web.stop()
