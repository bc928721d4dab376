"""Fuzzing: each target is given input nobody would write, made from a seed; it may refuse by a named error, and do nothing else.

    python -m tests.fuzz --seconds 60 [--seed N] [TARGET …]     # each target so long; a failure prints its seed and leaves its input

In the tests each target gets a small fixed number of cases. A new target is one function here: it takes bytes, and raises on anything that
is not as promised. The input of a failure belongs into the tests of what failed.
"""

from __future__ import annotations

import random
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

from tracker import clock, text, urls
from tracker.errors import NAMES, ConfigError, InvalidURL, ParseError
from tracker.pollers import feed
from tracker.types import Entry, Source

__all__ = ["TARGETS", "case", "feeds"]

Target = Callable[[bytes], None]
ROOT = Path(__file__).parent.parent.parent
SOURCE = Source("fuzz", "feed", "https://lab.example/feed", "Fuzz", options={"skip": "/es/", "split": True})
WORDS = (
    "< > & ]]> <![CDATA[ <!-- --> &#0; &#xD800; &#x110000; &lol; <item> </item> <entry> </rss> <feed> <title> "
    "9999-99-99 xmlns=' <?xml <!DOCTYPE "
    "{ } [ ] null NaN 1e999 \\ud83d \" ' \\ : https:// javascript: @ %00 %zz [::1] :99999 /../ # ? \u202e \u200b \ud800 \ufeff "
    "é 日 \U0001f600 "
    "\x00 \x1b[1m \x85 = \"\"\" ''' [feeds.x] url 0x 1979-05-27T07:32:00Z User-agent: Disallow: * $ &amp;lt; <script <svg/onload= <p style="
).split(" ")
ALLOWED = frozenset("a b blockquote br code em h2 h3 h4 i li ol p pre strong sub sup ul".split())
CHARSETS = (None, "utf-8", "utf-16", "iso-8859-1", "shift_jis", "gb2312", "iso-2022-jp", "idna", "x")


def feeds(body: bytes) -> None:
    """RSS, Atom, JSON Feed: entries that can be stored, or a named error."""
    try:
        parsed = feed.read(body, SOURCE, SOURCE.url, CHARSETS[sum(body[:50]) % len(CHARSETS)])
    except ParseError:  # whose name is of the vocabulary: it cannot be made with another
        return
    assert not parsed.problem or parsed.problem.partition(":")[0] in NAMES
    for entry in parsed.entries:
        assert entry.title
        assert text.one_line(entry.title, 1_000) == entry.title
        assert entry.url is None or re.match(r"https?://[^\s<>\"]+$", entry.url)
        assert urls.key_of(entry, "fuzz")
        repr(entry).encode()
        _day(entry)


def dates(body: bytes) -> None:
    """Dates in a feed and on the command line: an instant or none; never one that was not written."""
    written = body.decode("utf-8", "replace")[:300]
    document = f"<rss><channel><item><title>x</title><pubDate>{written.translate(_ESCAPED)}</pubDate></item></channel></rss>"
    for entry in feed.read(document.encode("utf-8", "replace"), SOURCE, SOURCE.url, None).entries:
        _day(entry)
        assert entry.published_at is None or re.search(r"\d", written)
    with suppress(ValueError):
        assert clock.parse(clock.iso(clock.parse(written))).tzinfo


def addresses(body: bytes) -> None:
    """URLs: one canonical form, which is its own; safe ones are http(s) and ASCII."""
    url = body.decode("utf-8", "surrogateescape")
    for given in (url, f"https://lab.example/{url}", f"http://{url}"):
        safe = urls.safe_url(given, "https://lab.example/feed")
        assert safe is None or (safe.isascii() and safe.startswith(("http://", "https://")))
        try:
            canonical = urls.canonical_url(given)
        except InvalidURL:
            continue
        assert urls.canonical_url(canonical) == canonical
        assert urls.key_of(Entry("x", given, "a"), "s") == urls.key_of(Entry("x", given, "b"), "s")
    urls.keys_in(url)


def sanitiser(body: bytes) -> None:
    """Markup: text without controls; HTML without anything active."""
    markup = body.decode("utf-8", "surrogateescape")
    plain, clean = text.plain(markup), text.clean_html(markup)
    assert text.printable(plain) == plain
    assert len(plain) <= text.MAX_TEXT
    assert len(text.one_line(markup).splitlines()) <= 1
    _Harmless().feed(clean)
    assert text.clean_html(clean) == clean


class _Harmless(HTMLParser):
    """Fails on a tag or an attribute that is not on the list."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED, tag
        for name, value in attrs:
            assert (tag, name) in {("a", "href"), ("a", "rel")}, name
            scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value or "", re.IGNORECASE)
            assert not scheme or scheme[1].lower() in ("http", "https"), value


def configuration(body: bytes) -> None:
    """feeds.toml: a configuration, or an error that names the file."""
    from tracker.config import load

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "feeds.toml"
        path.write_bytes(body)
        with suppress(ConfigError):
            load(path)


def robots(body: bytes) -> None:
    """robots.txt: rules, whatever it says; written out and read again they are the same."""
    from tracker.robots import parse

    rules = parse(body)
    assert parse(rules.text()) == rules


def _day(entry: Entry) -> None:
    if entry.published_at is not None:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry.published_at)
        clock.parse(entry.published_at)


_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", "\0": ""})
TARGETS: dict[str, Target] = {target.__name__: target for target in (feeds, dates, addresses, sanitiser, configuration, robots)}


def _seeds(target: str) -> Iterable[bytes]:
    if target == "feeds":
        folder = ROOT / "tests" / "data" / "feed"
        return [path.read_bytes() for path in sorted([*folder.glob("*.xml"), *folder.glob("*.document")])]
    if target == "configuration":
        return [b'[tracker]\ncontact = "a@b.example"\n[feeds.x]\nurl = "https://lab.example/feed"\nskip = "/es/"\nevery = "6h"\n']
    return {
        "dates": [b"Thu, 11 Jun 2026 08:00:00 GMT", b"2026-06-11T08:00:00+02:00", b"2026-W24-4", b"11/06/26 8.00"],
        "addresses": [b"lab.example:443/a/../b?utm_source=x&p=%7e#top", b"[::1]/x", b"user:pw@arxiv.org/abs/2606.01234v2"],
        "sanitiser": [b"<p>a <b>b</b> &amp;lt; <a href='https://x.example/?a=1&b=2'>c</a><script>x</script></p>"],
        "robots": [b"User-agent: *\nDisallow: /x*y$\nAllow: /\nCrawl-delay: 3\n\nUser-agent: tracker\nDisallow:\n"],
    }[target]


def case(target: str, seed: int) -> bytes:
    """Return the input of a target by number: the same on every machine."""
    chance = random.Random(f"{target} {seed}")
    body = chance.choice([*_seeds(target), chance.randbytes(chance.randint(0, 60))])
    for _ in range(chance.randint(0, 8)):
        start = chance.randint(0, len(body))
        noise = chance.choice(WORDS).encode("utf-8", "surrogatepass") if chance.random() < 0.7 else chance.randbytes(chance.randint(1, 6))
        body = body[:start] + noise * chance.choice((1, 1, 1, 2, 50)) + body[start + chance.choice((0, 0, 1, 5, 40)) :]
    return body
