"""Manners: whom we may ask, when again, and how we introduce ourselves.

in   URLs and addresses, the environment, the Retry-After header, the contact of feeds.toml
out  answers to those questions: pure functions, and the pace of one process
knows no socket and no database: the pace across processes is kept by whoever hands ``fetch`` another ``Pace``
Surprising: all of arxiv.org is one host, and its pause runs from the end of an answer: slowness is no pause.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import ipaddress
import math
import os
import re
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

__all__ = ["HOST_DELAYS_S", "Memory", "Pace", "host_delay_s", "host_key", "is_public", "retry_after_s", "user_agent"]

# Seconds between the end of one request and the start of the next, per host key. Other hosts are merely asked
# one thing at a time. arXiv: one request every three seconds, one connection, for all machines of a user;
# https://info.arxiv.org/help/api/tou.html. The tenth beyond is for their clock.
HOST_DELAYS_S = {"arxiv.org": 3.1}
# Hosts that are one host to their owner: a name and everything below it.
HOST_GROUPS = ("arxiv.org",)
MAX_RETRY_AFTER_S = 7 * 86_400.0  # a server that asks for a century gets a week
NO_CONTACT = "personal research reader"  # stands in the User-Agent where a contact should

# Not public, whatever ``ipaddress`` of this Python says.
REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata server has a public address
        "192.88.99.0/24",  # 6to4 relays, withdrawn by RFC 7526
        "64:ff9b:1::/48",  # NAT64 of the local network, RFC 8215
        "2001::/32",  # Teredo: an IPv4 address and port of somebody's choice inside
        "3fff::/20",  # documentation, RFC 9637
        "fec0::/10",  # site-local, withdrawn by RFC 3879
    )
)
# RFC 6052: the last four bytes are the IPv4 address that is meant.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class Pace(Protocol):
    """What ``fetch`` needs to be polite, from any thread."""

    def reserve(self, host: str, delay_s: float) -> float:
        """Take the next slot of a host key; return the seconds to sleep first. Called before each request to a host with a delay."""

    def stamp(self, host: str, delay_s: float) -> None:
        """Note that the request has ended, well or badly."""

    def recall(self, origin: str) -> bytes | None:
        """Return the robots.txt that was kept for an origin within a day, or None."""

    def keep(self, origin: str, robots: bytes) -> None:
        """Keep a robots.txt for a day."""


class Memory:
    """The pace of one process, kept in memory: when the last request to a host ended. ``fetch`` itself remembers each robots.txt."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def reserve(self, host: str, delay_s: float) -> float:
        return max(0.0, self._ended.get(host, -math.inf) + delay_s - time.monotonic())

    def stamp(self, host: str, delay_s: float) -> None:
        self._ended[host] = time.monotonic()

    def recall(self, origin: str) -> bytes | None:
        return None

    def keep(self, origin: str, robots: bytes) -> None:
        pass


def host_key(url: str) -> str:
    """Return the name under which requests to a host queue: the host, or its group of ``HOST_GROUPS``.

    >>> host_key("https://export.arxiv.org/api/query"), host_key("http://Example.org:8080/feed")
    ('arxiv.org', 'example.org')
    """
    host = _host(url).rstrip(".")
    return next((group for group in HOST_GROUPS if host == group or host.endswith(f".{group}")), host)


def host_delay_s(url: str, proxy: str | None = None) -> float:
    """Return the seconds to leave between two requests to the URL's host.

    ``TRACKER_ARXIV_DELAY_S`` may shorten arXiv's, but only behind a proxy on loopback: for replays.
    """
    key = host_key(url)
    delay = HOST_DELAYS_S.get(key, 0.0)
    asked = os.environ.get("TRACKER_ARXIV_DELAY_S", "")
    if key == "arxiv.org" and proxy and _is_loopback(proxy) and re.fullmatch(r"\d{1,3}(\.\d{1,6})?", asked, re.ASCII):
        return min(delay, float(asked))
    return delay


def _is_loopback(proxy: str) -> bool:
    host = _host(proxy if "//" in proxy else f"//{proxy}")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def retry_after_s(value: str | None, date: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110 section 10.2.3), 0 to seven days; None if garbage.

    A date is counted from the server's own ``Date``, whose clock may be years off, else from ``now``.

    >>> noon = datetime(2026, 6, 12, 12, tzinfo=UTC)
    >>> [retry_after_s(value, None, noon) for value in ("120", "-5", "Fri, 12 Jun 2026 12:01:00 GMT", "soon")]
    [120.0, 0.0, 60.0, None]
    """
    text = (value or "").strip()
    if re.fullmatch(r"[+-]?\d+(\.\d+)?", text, re.ASCII):
        seconds = float(text)
    elif (until := _http_date(text)) is not None:
        seconds = (until - (_http_date(date or "") or now)).total_seconds()
    else:
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; for the embedded IPv4 address if there is one.

    >>> [is_public(ip) for ip in ("1.1.1.1", "169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::7f00:1")]
    [True, False, False, False]
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ipaddress.IPv4Address(ip.packed[-4:]) if ip in NAT64 else None)
        if inner is not None:
            return is_public(str(inner))
    if any(ip in network for network in REFUSED):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_private or ip.is_link_local or ip.is_unspecified)


def user_agent(contact: str | None) -> str:
    """Return the User-Agent: what we are and whom to tell, as a comment of RFC 9110 section 5.6.5.

    >>> user_agent("you@example.org").partition(" ")[2]
    '(+you@example.org)'
    """
    try:
        version = importlib.metadata.version("tracker")
    except importlib.metadata.PackageNotFoundError:
        version = "0"
    told = re.sub(r"[^\x20-\x7e]|[()\\]", "", contact or "").strip()
    return f"tracker/{version} ({f'+{told}' if told else NO_CONTACT})"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
