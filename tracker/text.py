"""Text: hostile markup in, plain readable text out.

in   anything a feed, a page or a title may hold
out  one-line titles, plain paragraphs, sanitised HTML, folded forms and hashes to compare by
refuses to know where the text came from. Everything here is total: any string in, a string out, in linear time.
Surprising: bidi overrides and control characters are removed even from plain text, since titles reach terminals and mail headers.
"""

from __future__ import annotations

import hashlib
import html
import re
import unicodedata
from base64 import urlsafe_b64encode
from functools import cache
from typing import Any

__all__ = [
    "COMMON",
    "MAX_TEXT",
    "MAX_TITLE",
    "clean_html",
    "content_hash",
    "csv_cell",
    "csv_text",
    "fold",
    "one_line",
    "paragraph",
    "plain",
    "printable",
    "sign",
    "title_words",
]

MAX_TITLE = 500  # characters; the longest real arXiv title seen has 250
MAX_TEXT = 20_000  # characters of an item's text that are kept, searched and tagged; a long newsletter has 60,000
_MARK = " […]"

# C0 and C1 controls but tab, line feed, carriage return; DEL; soft hyphen; BOM; bidi embeddings, overrides and isolates; interlinear and
# other format characters; noncharacters; lone surrogates. Zero-width joiners stay: emoji and Indic scripts need them.
_NONCHARACTERS = "".join(chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF))
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff" + _NONCHARACTERS + "]"
)
_ANSI = re.compile("(?:\x1b\\[|\x9b)[0-?]{0,20}[ -/]{0,4}[@-~]")  # colours and cursor moves of terminals, whole
_MARKS = re.compile(r"((?:[\u0300-\u036f]){3})[\u0300-\u036f]+")  # zalgo: more than three stacked accents
_NO_WORD = re.compile("[^a-z0-9]+")
_BLOCK = re.compile(
    r"<\s*(?:/\s*)?(?:p|div|li|tr|td|th|dt|dd|h[1-6]|blockquote|section|article|ul|ol|dl|table|pre|figure|br|hr)\b[^<>]{0,2000}>",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    "'*(?:\\s*[=+@\uff0b\uff0d\uff1d\uff20-]|[\t\r\n])"
)  # what a spreadsheet may run, also in full width and behind blanks
_SIGN = re.compile(r"<(?![^<>]*>)")  # no tag, since it never ends: "if a <b"
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]{0,30})[^<>]*>?", re.IGNORECASE)
# Elements that hold nothing, or that the next of their kind closes: they stand beside each other, however many there are.
_FLAT = frozenset("area base br col embed hr img input link meta source track wbr p li dt dd tr td th option".split())
MAX_MARKUP = 400_000  # characters of HTML that are looked at; building its tree takes a second at worst
MAX_NESTING = 3_000_000  # sum over all tags of the depth they stand at; the trees of browsers need that much time and memory
_DROPPED = {"script", "style", "template", "noscript", "iframe", "object", "svg", "math", "head", "title", "textarea", "select"}


def printable(text: str) -> str:
    """Return the text without characters that a reader cannot see or that steer a terminal."""
    if not text.replace("\n", " ").replace("\t", " ").isprintable():  # Unicode's own idea of it is wider, and 15 times as fast
        text = _INVISIBLE.sub("", _ANSI.sub("", text))
    return text if text.isascii() else _MARKS.sub(r"\1", text)


def one_line(text: str, limit: int = MAX_TITLE) -> str:
    """Return the text as one printable line of at most ``limit`` characters, cut with a mark."""
    return _cut(" ".join(printable(text[: limit * 20]).split()), limit)


def paragraph(text: str, limit: int = MAX_TEXT) -> str:
    """Return plain text (an abstract: ``<`` is a sign, not a tag) as one printable paragraph, cut with a mark."""
    return one_line(text, limit)


def plain(markup: str, limit: int = MAX_TEXT) -> str:
    """Return the readable text of an HTML fragment: entities decoded once, blocks as lines, no markup revived.

    Plain text passes unchanged but for white space. Longer results are cut with a mark.

    >>> plain("<p>a &amp; b</p><p>x&lt;y</p><script>alert(1)</script>")
    'a & b\\nx<y'
    """
    text = printable(markup[: limit * 20])
    if "<" in text:
        text = _BLOCK.sub(lambda tag: "\n" + tag[0], _SIGN.sub("&lt;", text))
        text = _TAG.sub("", text) if _too_deep(text) else _bare().clean(text)
    lines = (" ".join(line.split()) for line in printable(html.unescape(text)).splitlines())
    return _cut("\n".join(line for line in lines if line), limit)


@cache
def _bare() -> Any:
    """What leaves no tag; made once, since making it takes as long as cleaning a page of text."""
    import nh3

    return nh3.Cleaner(tags=set(), clean_content_tags=_DROPPED, link_rel=None)


def clean_html(markup: str) -> str:
    """Return HTML that is safe to show: an allow-list of text elements, http(s) links, no images, scripts or styles.

    Markup beyond ``MAX_MARKUP`` is cut off; of markup that is nested absurdly only the text is left.
    """
    import nh3

    markup = printable(markup[:MAX_MARKUP])
    if _too_deep(markup):
        return html.escape(plain(markup))
    clean = nh3.clean(
        markup,
        tags={"a", "b", "blockquote", "br", "code", "em", "h2", "h3", "h4", "i", "li", "ol", "p", "pre", "strong", "sub", "sup", "ul"},
        attributes={"a": {"href"}},
        url_schemes={"http", "https"},
        link_rel="noopener noreferrer nofollow",
        clean_content_tags=_DROPPED,
    )
    return printable(clean).replace("\r", "\n")  # what stood there as a character reference


def fold(text: str) -> str:
    """Return the form under which two titles compare equal: no case, accents, punctuation or extra space.

    >>> fold("  How “Claude” Learns – Part\\u00a02 ")
    'how claude learns part 2'
    """
    if text.isascii():
        return _NO_WORD.sub(" ", text.lower()).strip()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())  # 𝐁 is B first, then b
    words = "".join(c if c.isalnum() else " " for c in decomposed if not unicodedata.combining(c))
    return " ".join(words.split())


def csv_cell(text: str) -> str:
    """Return the text as a CSV cell that no spreadsheet runs as a formula: an apostrophe before it, where it might; ``csv_text`` undoes it.

    >>> csv_cell("=1+1"), csv_text("'=1+1"), csv_text(csv_cell("'=1"))
    ("'=1+1", '=1+1', "'=1")
    """
    return f"'{text}" if _FORMULA.match(text) else text


def csv_text(cell: str) -> str:
    """Return what ``csv_cell`` was given; a cell that somebody wrote without it is as it was."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def content_hash(*parts: object) -> str:
    """Return 16 hex digits that differ when any part differs (None and "" are the same)."""
    data = "\x1f".join(["" if part is None else str(part) for part in parts])
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def sign(key: str) -> str:
    """Return 5 letters that differ where two keys differ, but for one pair in a billion."""
    return urlsafe_b64encode(hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=6).digest())[:5].decode()


def _too_deep(markup: str) -> bool:
    """Whether a tree of this markup costs more than it is worth: each tag looks through all that are open."""
    depth = work = 0
    opened: dict[str, int] = {}
    for close, tag in _TAG.findall(markup):
        name = tag.lower()
        if name not in _FLAT and not (close and not opened.get(name)):
            step = -1 if close else 1
            opened[name] = opened.get(name, 0) + step
            depth += step
        work += depth
        if work > MAX_NESTING:
            return True
    return False


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - len(_MARK)].rstrip() + _MARK


# Words of titles that say nothing of what the title is about.
COMMON = frozenset(
    "a about across after all an and are as at based be been before between by can do does for from has have how if in into is it its more "
    "most new no not now of off on one only or our out over own s so than that the their them then there these they this those through "
    "to today towards toward under up us use used using via was we what when where which while who why will with without you your "
    "introducing announcing announces launches meet show hn ask released release update".split()
)


def title_words(title: str) -> frozenset[str]:
    """Return the words of a title that say what it is about: folded, plural ``s`` off, common words left out."""
    return (
        frozenset(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in fold(title).split())
        - COMMON
    )
