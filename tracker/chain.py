"""A chain of redirects: where a request stands on its way, what the next hop may be told, how often it may still be tried.

in   a ``Request``, then each answer that is not the last; out  the next request, the ``Hop`` it is made on, or a named error
refuses to know sockets and bodies. Validators, credentials and cookies never cross the border of an origin.
"""

from __future__ import annotations

import base64
import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urldefrag, urljoin, urlsplit

import requests
from requests.cookies import RequestsCookieJar

from tracker import net
from tracker.errors import SourceError
from tracker.polite import HOST_DELAYS_S, host_key
from tracker.types import Request

__all__ = ["REDIRECTS", "Chain"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
PERMANENT = frozenset({301, 308})
# A server that restarts or a proxy that lost it is back in seconds; what takes longer is for the back-off of ``poll``.
FAILING = frozenset({500, 502, 503, 504})
_DOTS = (".", "..")  # segments of a path that are none
PAUSES_S = (1.0, 3.0)  # before the second and the third try, the last


@dataclass(slots=True)
class Chain:
    """Where a request stands on its way through redirects, and what the next hop may be told."""

    first: str
    url: str
    left_s: float
    allowed_s: float
    trusted_host: str | None = None
    enough: int = 0
    etag: str | None = None
    last_modified: str | None = None
    authorization: str | None = None
    moved_to: str | None = None
    redirected: bool = False
    permanent: bool = True
    # Cookies live as long as the chain, scoped by RFC 6265: some sites redirect until one returns (F04).
    cookies: RequestsCookieJar = field(default_factory=RequestsCookieJar)
    pauses_s: tuple[float, ...] = PAUSES_S

    @classmethod
    def start(cls, request: Request, deadline_s: float) -> Chain:
        url = request.url.strip().partition("#")[0]
        chain = cls(net.shown(url), url, deadline_s, deadline_s, request.trusted_host, request.enough)
        parts = chain.checked(url)
        chain.url = _dialled(parts)
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
        return net.Hop(self.label(), time.monotonic() + self.left_s, self.allowed_s, trusted, self.enough)

    def again_after_s(self, status: int, wait_s: float | None) -> float | None:
        """Return the pause after which a server that fails is asked once more, and spend it; None: it is not asked again.

        A server that asks for a longer wait (``wait_s``) is left alone; so is one with a pace of its own: its 503 says we are too fast.
        """
        if status not in FAILING or not self.pauses_s:
            return None
        pause_s = self.pauses_s[0]
        paced = status == 503 and host_key(self.url) in HOST_DELAYS_S
        if paced or (wait_s or 0.0) > pause_s or pause_s >= self.left_s:
            return None
        self.pauses_s, self.left_s = self.pauses_s[1:], self.left_s - pause_s
        return pause_s

    def prepare(self, headers: dict[str, str]) -> requests.PreparedRequest:
        """Prepared outside of any session: a session would add credentials from .netrc."""
        request = requests.Request("GET", self.url, headers=headers, cookies=self.cookies).prepare()
        self.url = request.url or self.url
        return request

    def follow(self, status: int, headers: Mapping[str, str]) -> None:
        """Go where the answer points. Validators and credentials stay behind at the border of an origin."""
        location = _location(headers)
        if not location:
            raise self.fail(f"http_{status}", "redirects without saying where")
        try:
            target = urldefrag(urljoin(self.url, location))[0]
            urlsplit(target)
        except ValueError as error:
            raise self.fail(f"http_{status}", "redirects to an address that is none") from error
        parts = self.checked(target)
        if not _same_origin(_split(self.url), parts):
            self.etag = self.last_modified = self.authorization = None
        self.url, self.redirected = _dialled(parts), True
        self.permanent = self.permanent and status in PERMANENT
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


def _dialled(parts: SplitResult) -> str:
    """The address without user name, its dot segments resolved (RFC 3986 section 5.2.4): robots.txt speaks of what a server will read."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], path=_without_dots(parts.path)).geturl()


def _without_dots(path: str) -> str:
    segments = [dots if (dots := segment.lower().replace("%2e", ".")) in _DOTS else segment for segment in path.split("/")]
    if not any(segment in _DOTS for segment in segments):
        return path
    kept: list[str] = []
    for segment in segments[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept + [""] * (segments[-1] in _DOTS))


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
