"""robots.txt (RFC 9309): what a site asks of programs that read pages made for people.

in   the body of a robots.txt; out  ``Rules``: which line forbids a URL, how long to pause between two requests
     ``Known`` remembers them: an hour in this process, a day through whoever keeps them across processes
knows no socket: ``fetch`` hands it a function that asks. Wildcards, the longest match and percent-encoding are those of the RFC, sections
2.2.2 and 2.2.3; Crawl-delay, which it leaves out, is common and honoured.
Surprising: no pattern becomes a regular expression (stars would backtrack without end: 500 kB of them are matched in milliseconds), which
is why this is not ``protego``; the parser of the standard library knows no wildcards, and the first match wins there.
"""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tracker.errors import SourceError

__all__ = ["MAX_HOPS", "Known", "Rules", "origin", "parse"]

TOKEN = "tracker"  # our name, as in the User-Agent
MAX_BYTES = 500 * 2**10  # what the RFC (section 2.5) wants parsed at least; what lies beyond is not read
MAX_HOPS = 5  # redirects of a robots.txt; beyond, the site has none (section 2.3.1.2)
MAX_DELAY_S = 30.0  # a site that asks for more gets this
MEMORY_S = 3600.0  # what was read an hour ago is asked for again: of what is kept across processes, then of the site

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_QUERY = frozenset(b":/?@")  # may stand bare or encoded in a query: "?to=https://a" is "?to=https%3A%2F%2Fa"
_ODD = re.compile(rb"%[0-9A-Fa-f]{2}|[^\x21-\x24\x26-\x7e]")  # what may be spelled in two ways; a bare % is %25
_AGENT = (b"user-agent", b"useragent", b"user agent")


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines that are meant for us: (whether it allows, pattern), in the form in which patterns and URLs are compared."""

    lines: tuple[tuple[bool, str], ...] = ()
    delay_s: float = 0.0

    def refusal(self, url: str) -> str:
        """Return the line that forbids the URL; "" when it may be asked. The longest pattern decides, Allow among equals."""
        path = _path(url)
        matching = ((len(pattern), allows, pattern) for allows, pattern in self.lines if _matches(pattern, path))
        _, allows, pattern = max(matching, default=(0, True, ""))
        return "" if allows or path == "/robots.txt" else f"Disallow: {pattern[:100]}"

    def text(self) -> bytes:
        """Return a robots.txt that says the same."""
        lines = [f"{'Allow' if allows else 'Disallow'}: {pattern}" for allows, pattern in self.lines]
        delay = [f"Crawl-delay: {self.delay_s:g}"] if self.delay_s else []
        return "\n".join([f"User-agent: {TOKEN}", *lines, *delay, ""]).encode("ascii")


def parse(body: bytes) -> Rules:
    """Return the rules for us: those of every group that names us, else of those for ``*``. A page (HTML) has no rules. Never raises.

    A group ends where a User-agent line follows a rule or a Crawl-delay, so that ``* / Crawl-delay: 9 / BadBot / Disallow: /`` locks
    out BadBot alone, as its author means it.
    """
    found: dict[bytes, list[tuple[bytes, bytes]]] = {}
    agents: set[bytes] = set()
    heading = False
    for name, value in _lines(body):
        if name in _AGENT:
            agents = (agents if heading else set()) | {_token(value)}
            heading = True
            for agent in agents & {TOKEN.encode(), b"*"}:
                found.setdefault(agent, [])
        elif name in (b"allow", b"disallow", b"crawl-delay"):
            heading = False
            for agent in agents & found.keys():
                found[agent].append((name, value))
    ours = found.get(TOKEN.encode(), found.get(b"*", []))
    lines = tuple((name == b"allow", _pattern(value)) for name, value in ours if name != b"crawl-delay" and value)
    return Rules(lines, max((_delay_s(value) for name, value in ours if name == b"crawl-delay"), default=0.0))


def is_page(body: bytes) -> bool:
    """Whether what was served as robots.txt is markup: an error page, a login, an app that answers everything."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def _lines(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (lower-case name, value) of the lines that have a colon, without comments."""
    if is_page(body):
        return
    lines = re.split(rb"[\r\n]+", body[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf"))
    for line in lines[:-1] if len(body) > MAX_BYTES else lines:  # the last one is cut: half a pattern forbids too much
        name, colon, value = line.partition(b"#")[0].partition(b":")
        if colon:
            yield name.strip().lower(), value.strip()


def _token(value: bytes) -> bytes:
    """The product token of a User-agent line: ``Tracker/2.0`` names us as well."""
    return (re.match(rb"\*(?!\S)|[A-Za-z_-]*", value) or [b""])[0].lower()


def _delay_s(value: bytes) -> float:
    return round(min(float(value), MAX_DELAY_S), 3) if re.fullmatch(rb"\d{1,9}(?:\.\d{1,9})?", value) else 0.0


# -- matching ---------------------------------------------------------------------------------------


def _matches(pattern: str, path: str) -> bool:
    """Whether the path begins as the pattern says; ``*`` is anything, ``$`` at the end is the end. Each piece is sought once, leftwards."""
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at, last = len(first), rest.pop() if rest and pattern.endswith("$") else None
    for piece in rest:
        at = path.find(piece, at)
        if at < 0:
            return False
        at += len(piece)
    if last is not None:
        return path.endswith(last) and len(path) - len(last) >= at
    return not pattern.endswith("$") or at == len(path)


def _pattern(value: bytes) -> str:
    """A pattern as it is compared: encoded as ``_encoded`` says, ``$`` bare only at its end, no two stars in a row."""
    body, end = (value[:-1], "$") if value.endswith(b"$") else (value, "")
    return re.sub(r"\*+", "*", _encoded(body).replace("$", "%24")) + end


def _path(url: str) -> str:
    """Path and query of a URL as they are compared with patterns: a star or dollar in them is none of a pattern."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "/"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _encoded(path.encode("utf-8", "replace")).replace("*", "%2A").replace("$", "%24")


def _encoded(octets: bytes) -> str:
    """Return the octets with one spelling for each: unreserved ones bare, others as they came, in ``%XX`` beyond ASCII."""

    def spelled(found: re.Match[bytes], bare: frozenset[int]) -> bytes:
        octet = int(found[0][1:], 16) if len(found[0]) == 3 else found[0][0]
        return bytes([octet]) if octet in bare else b"%%%02X" % octet

    path, mark, query = octets.partition(b"?")
    path = _ODD.sub(lambda found: spelled(found, _UNRESERVED), path)
    return (path + mark + _ODD.sub(lambda found: spelled(found, _UNRESERVED | _QUERY), query)).decode("ascii")


# -- remembering ------------------------------------------------------------------------------------


def origin(url: str) -> str:
    """Return scheme, host and port of a URL: each origin has its own robots.txt.

    >>> origin("https://me:secret@Example.org:8443/a?b")
    'https://example.org:8443'
    """
    parts = urlsplit(url)
    return f"{parts.scheme.lower()}://{parts.netloc.rpartition('@')[2].lower()}"


class Known:
    """What origins ask of us, as far as this process knows; each is asked once, also when many threads want it at the same time.

    Args:
        recall: returns the text that ``keep`` was given for an origin, within a day; None when there is none.
        keep: called with an origin and ``Rules.text()``.
    """

    def __init__(self, recall: Callable[[str], bytes | None], keep: Callable[[str, bytes], None]) -> None:
        self._recall, self._keep = recall, keep
        self._lock = threading.Lock()
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._found: dict[str, tuple[float, Rules | SourceError]] = {}

    def rules(self, place: str, ask: Callable[[], bytes], *, in_a_hurry: bool = False) -> Rules:
        """Return the rules of an origin. ``ask`` returns the body of its robots.txt, empty where there is none.

        ``in_a_hurry``: it has less than the usual time, so that a timeout says little of the origin, and is forgotten.

        Raises:
            SourceError: what ``ask`` raised, within the hour.
        """
        with self._lock:
            asking = self._asking[place]
        with asking:
            at, found = self._found.get(place, (0.0, None))
            if found is None or time.monotonic() - at > MEMORY_S:
                found = self._learn(place, ask)
                # An address that was refused costs no request, and may be trusted by the source that comes next.
                passing = ("blocked_address", "timeout") if in_a_hurry else ("blocked_address",)
                if not (isinstance(found, SourceError) and found.name in passing):
                    self._found[place] = (time.monotonic(), found)
        if isinstance(found, SourceError):
            raise found
        return found

    def _learn(self, place: str, ask: Callable[[], bytes]) -> Rules | SourceError:
        kept = self._recall(place)
        if kept is not None:
            return parse(kept)
        try:
            body = ask()
        except SourceError as error:
            return error
        rules = parse(body)
        # A page may be the login of a network, in the place of every site: nothing to remember for a day.
        if not is_page(body) and len(rules.text()) <= MAX_BYTES:
            self._keep(place, rules.text())
        return rules
