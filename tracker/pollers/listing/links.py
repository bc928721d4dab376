"""Article links: which links of a page lead to articles.

in   a page's bytes; the ``links`` of its source
out  a tree without what is never shown; the links to articles by URL, each with the elements that carry it
knows no card and no title. Surprising: a ``<base>`` of another host is not believed, and the frame of a page (header, footer, nav) counts
only where nothing else does: a menu may be the list.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tracker import urls
from tracker.errors import InvalidURL

__all__ = ["Element", "Links", "Pattern", "decoded", "links", "parents", "take_scripts", "text_of", "tree"]

Element = Any  # lxml has no types
Links = dict[str, tuple[str, list[Element]]]  # canonical URL → the URL as written, the elements

MAX_SIGHTINGS = 4  # elements kept of one article: picture, title, "Read more", hero
MAX_DEPTH = 60  # how far up a page's frame is looked for
MIN_FRAME = 3  # articles that must stand in the frame if it is to be the list

# Path segments right behind the prefix that lead to lists, people and services, not to articles.
NOT_ARTICLES = frozenset(
    "about all archive archives author authors careers categories category contact events feed feeds index index.html jobs latest legal "
    "login newsletter page pages press press-kit press-kits privacy rss search series signup subscribe tag tags team teams terms topic "
    "topics type".split()
)
_FILES = re.compile(r"\.(?:xml|rss|atom|json|png|jpe?g|gif|svg|webp|ico|css|js|zip|mp4|mp3|txt)$", re.IGNORECASE)
# Parameters that say from where a reader came; on a listing's own links they are no part of the address.
_CAME_FROM = frozenset("ref from source src via".split())
# Character sets of the web (WHATWG) that Python decodes in linear time; anything else is read as UTF-8.
_CHARSETS = re.compile(
    r"utf-?(?:8|16|16le|16be|32)|(?:us-)?ascii|(?:iso-?8859|windows|cp|koi8|gb|big5|euc|shift|latin|mac)[\w-]{0,15}", re.IGNORECASE
)
_LATIN = frozenset("iso-8859-1 iso8859-1 latin-1 latin1 ascii us-ascii".split())  # for the web these mean windows-1252 (WHATWG Encoding)
_META_CHARSET = re.compile(rb"<meta\b[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([\w-]{2,30})", re.IGNORECASE)
# Elements that begin a new line: without a space there, "<p>a</p><p>b</p>" would read "ab".
_BLOCKS = (
    "address article aside blockquote br dd details div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main ol p pre "
    "section table td th time tr ul"
).split()
# A tag this long is data in an attribute, or thousands of attributes (libxml2 takes 30 s for 100,000): its name is all we need.
_LONG_TAG = re.compile(r"<([a-z][a-z0-9-]{0,30})\s[^<>=]{1,200}=[^<>]{4000,}>", re.IGNORECASE)
# What no XML may hold, bare or by its number (lxml takes it in and then refuses to have it written back), and the colours of terminals.
_NO_XML = re.compile("\x1b\\[[0-9;]{0,20}m|[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NUMBER = re.compile(r"&#(?:[xX]0{0,40}([0-9a-fA-F]{1,7})|0{0,40}([0-9]{1,8}));?")
_UNSEEN = ("script", "style", "template", "svg", "iframe", "object", "select", "textarea", "math", "video", "audio")


class Pattern:
    """Which links are articles: ``links`` of a source, one or more patterns with spaces between.

    A pattern is a prefix of the path (``/research/``: whatever follows it is an article, the list itself is not); ``*`` stands for any
    letters of one path segment (``/20*/``). With a scheme it names another host (``https://blog.example.org/p/``). ``!`` in front
    excludes (``!/blog/category/``).
    """

    def __init__(self, patterns: str, *pages: str) -> None:
        """``pages`` are the addresses of the list: as configured, and as it answered."""
        words = patterns.split()
        self.pages = pages
        self._hosts = {urls.host_of(page) for page in pages} - {""}
        self._lists = {key for page in pages if (key := _canonical(page))}
        self._wanted = [self._compiled(word) for word in words if not word.startswith("!")]
        self._excluded = [self._compiled(word[1:]) for word in words if word.startswith("!")]
        self.described = " or ".join(word for word in words if not word.startswith("!"))
        self.prefix = next((word for word in words if word[0] != "!" and "*" not in word and word.endswith("/")), "")
        self._cache: dict[tuple[str, str], tuple[str, str] | None] = {}

    def _compiled(self, word: str) -> re.Pattern[str]:
        host = urls.host_of(word) if "://" in word else ""
        path = urlsplit(word).path if host else word
        hosts = "|".join(map(re.escape, sorted({host} if host else self._hosts)))
        return re.compile(rf"https://(?:{hosts})(?::\d+)?" + re.escape(path).replace(r"\*", "[^/]*") + r"(?P<rest>[^?#]+)")

    def match(self, href: str, base: str) -> tuple[str, str] | None:
        """Return (canonical URL, URL to be stored) if the link leads to an article."""
        if (href, base) not in self._cache:
            self._cache[href, base] = self._match(href, base)
        return self._cache[href, base]

    def _match(self, href: str, base: str) -> tuple[str, str] | None:
        url = _plain(urls.safe_url(href, base)) if len(href) <= 2_000 else None
        key = _canonical(url) if url else None
        if not url or not key or key in self._lists or any(pattern.match(key) for pattern in self._excluded):
            return None
        found = next((found for pattern in self._wanted if (found := pattern.match(key))), None)
        if not found or found["rest"].strip("/").partition("/")[0].lower() in NOT_ARTICLES or _FILES.search(found["rest"]):
            return None
        return key, url

    def base(self, root: Element) -> str:
        """Return what relative links are resolved against: the page's ``<base>`` if it stays on the host, else its own address."""
        declared = next((base.get("href") for base in root.iter("base") if base.get("href")), None)
        url = urls.safe_url(declared, self.pages[-1]) if declared else None
        return url if url and urls.host_of(url) in self._hosts else self.pages[-1]


def tree(body: bytes, charset: str | None) -> Element | None:
    """Return the root of a page, or None when there is nothing to be read. Scripts are still in it (``take_scripts``)."""
    from lxml import etree

    parser = etree.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False)
    shown = _NUMBER.sub(_shown, _NO_XML.sub("", decoded(body, charset)))
    text = _LONG_TAG.sub(r"<\1>", shown).encode("utf-8", "replace")
    try:
        return etree.fromstring(text, parser) if text.strip() else None
    except (etree.LxmlError, ValueError, AssertionError):
        return None


def _shown(number: re.Match[str]) -> str:
    """A character reference as it is, a blank where it stands for a character that no XML may hold."""
    code = int(number[1], 16) if number[1] else int(number[2])
    return " " if code > 0x10FFFF or _NO_XML.match(chr(code)) else number[0]


def take_scripts(root: Element) -> list[tuple[str, str]]:
    """Remove what a page never shows, put a space where a line ends; return its scripts as (type, text)."""
    from lxml import etree

    scripts = [(f"{el.get('type') or ''} {el.get('id') or ''}".lower(), el.text or "") for el in root.iter("script")]
    etree.strip_elements(root, *_UNSEEN, with_tail=False)
    for element in root.iter(*_BLOCKS):
        element.text, element.tail = f" {element.text or ''}", f" {element.tail or ''}"
    return [("json" if "json" in kind or "__next_data__" in kind else kind, text) for kind, text in scripts if text]


def links(root: Element, pattern: Pattern, base: str, limit: int) -> Links:
    """Return the links to articles in document order, at most ``limit``; those in the page's frame only where there are no others."""
    shown: Links = {}
    framed: Links = {}
    for element in root.iter("a", "area"):
        if found := pattern.match((element.get("href") or "").strip(), base):
            key, url = found
            known = shown.get(key)
            if known and len(known[1]) >= MAX_SIGHTINGS:
                continue
            if len(shown) >= limit:
                break
            (framed if _in_frame(element) else shown).setdefault(key, (url, []))[1].append(element)
    return shown or (framed if len(framed) >= MIN_FRAME else {})


def parents(element: Element, limit: int) -> Iterator[Element]:
    """Yield the elements around one, from within, at most ``limit``."""
    for _ in range(limit):
        element = element.getparent()
        if element is None:
            return
        yield element


def text_of(element: Element) -> str:
    """Return the text of an element, at most 20,000 characters, white space folded."""
    pieces, size = [], 0
    for piece in element.itertext():
        pieces.append(piece)
        size += len(piece)
        if size > 20_000:
            break
    return " ".join("".join(pieces)[:20_000].split())


def _in_frame(element: Element) -> bool:
    """Whether a link stands in a nav, or in a header or footer that is the page's and not a card's."""
    edge = False
    for parent in parents(element, MAX_DEPTH):
        if parent.tag == "nav" or parent.get("role") in ("navigation", "contentinfo", "banner"):
            return True
        if edge and parent.tag in ("article", "section", "main", "li"):
            return False
        edge = edge or parent.tag in ("header", "footer")
    return edge


def _plain(url: str | None) -> str | None:
    """The URL without fragment and without parameters that tell where the reader came from."""
    if not url:
        return None
    url = url.partition("#")[0]
    path, mark, query = url.partition("?")
    kept = "&".join(pair for pair in query.split("&") if pair.partition("=")[0].lower() not in _CAME_FROM) if mark else ""
    return f"{path}?{kept}" if kept else path


def _canonical(url: str) -> str | None:
    try:
        return urls.canonical_url(url)
    except InvalidURL:
        return None


def decoded(body: bytes, charset: str | None) -> str:
    """The page as text: byte order mark, then HTTP, then <meta>, then UTF-8; what does not fit becomes a replacement character."""
    for mark, name in ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")):
        if body.startswith(mark):
            return body.decode(name, "replace")
    meta = _META_CHARSET.search(body[:4_096])
    for declared in (charset, meta[1].decode("ascii", "replace") if meta else None, "utf-8"):
        if declared and _CHARSETS.fullmatch(declared):
            try:
                return body.decode("windows-1252" if declared.lower() in _LATIN else declared, "replace")
            except (LookupError, UnicodeError):
                continue
    return body.decode("utf-8", "replace")
