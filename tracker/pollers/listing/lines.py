"""Lines: a document as its reader sees it, one line after another, each with how it begins.

in   the tree of a page, or of an entry's markup
out  lines of plain text with their links; without menus, pictures, forms, buttons and what mail tools put between
knows no newsletter. Surprising: a ``<br>`` ends a line as a paragraph does: the headlines of many newsletters are bold words before one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from tracker import text
from tracker.pollers.listing.links import Element

__all__ = ["Line", "lines"]

# A line that is a button.
_BUTTON = re.compile(
    r"(?:(?:un)?subscribe|share|like|restack|comment|sign up|advertise|apply)(?: (?:now|here|this post|today|with us))?|leave a comment|"
    r"get \d+% off.{0,40}|give a gift subscription|upgrade to paid|start writing.{0,40}|view (?:online|in browser|this email.{0,40})|"
    r"manage (?:your )?(?:preferences|subscriptions?)|refer a friend|join the (?:chat|discussion)|read more",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"(?:[*_~=#–—•·-]\s*){3,}")
_LEAD_END = re.compile(r"\s*(?:[.:;,–—-]|$)")
_BLOCKS = frozenset(
    "address article blockquote body center dd details div dl dt h1 h2 h3 h4 h5 h6 html li main ol p pre section summary table tbody td th "
    "tr ul".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4".split())
_UNREAD = frozenset(
    "aside audio button figcaption figure footer form head header iframe img input math nav noscript object picture script select style "
    "svg template textarea title video".split()
)
# What Substack and mail tools put between the words, by class.
_UNREAD_CLASS = re.compile(
    r"(?:^|\s)(?:button-wrapper|captioned-|image-|image\d|subscri|footnote|paywall|preheader|share)|embed(?:[\s-]|$)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as a reader sees it. ``kind`` says how it begins.

    heading; bold (all of it); lead (with bold words that are a link), link (with words that are one), opening (with bold words); rule (a
    separator); "".
    """

    text: str
    kind: str = ""
    title: str = ""  # the words that a heading or a lead consists of
    href: str | None = None  # where these lead
    hrefs: tuple[str, ...] = ()
    quoted: bool = False


_Run = tuple[str, bool, str | None]  # words, whether they are bold, where they lead


@dataclass(frozen=True, slots=True)
class _Place:
    """What the elements around a word make of it."""

    bold: bool = False
    href: str | None = None
    heading: bool = False
    quoted: bool = False

    def within(self, tag: str, href: str | None) -> _Place:
        if tag in ("b", "strong"):
            return replace(self, bold=True)
        if tag in _HEADINGS:
            return replace(self, heading=True)
        if tag == "blockquote":
            return replace(self, quoted=True)
        return replace(self, href=href) if tag == "a" and href else self


def lines(root: Element) -> Iterator[Line]:
    """The lines of a document; a block and a ``<br>`` end one. Walks the tree, never recurses: it may be deep."""
    from lxml import etree

    places = [_Place()]
    runs: list[_Run] = []
    unread = None
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        tag = element.tag if isinstance(element.tag, str) else ""
        if event == "start" and _is_unread(tag, element):
            walk.skip_subtree()
            unread = element
            continue
        if tag in _BLOCKS or tag == "hr" or (tag == "br" and not places[-1].heading):
            yield from _line(runs, places[-1])
            runs = []
        if event == "start":
            if tag == "hr":
                yield Line("", "rule")
            places.append(places[-1].within(tag, element.get("href")))
            words = element.text
        else:
            words = element.tail
            if element is unread:
                unread = None
            else:
                places.pop()
        if tag == "br" and event == "start":
            words = " "
        if words:
            runs.append((words, places[-1].bold, places[-1].href))
    yield from _line(runs, places[-1])


def _is_unread(tag: str, element: Element) -> bool:
    return tag in _UNREAD or (tag not in ("html", "body", "main", "article") and bool(_UNREAD_CLASS.search(element.get("class") or "")))


def _line(runs: Sequence[_Run], place: _Place) -> Iterator[Line]:
    words = _joined(runs)
    hrefs = tuple(dict.fromkeys(href for shown, _, href in runs if href and shown.strip()))
    if not words or _BUTTON.fullmatch(words):
        return
    if _SEPARATOR.fullmatch(words):
        yield Line("", "rule")
    elif place.heading:
        yield Line(words, "heading", words, hrefs[0] if hrefs else None, hrefs)
    elif words.startswith("#") and (title := words.lstrip("#")).startswith(" ") and len(words) - len(title) <= 4:
        yield Line(words, "heading", title.strip(), hrefs[0] if hrefs else None, hrefs)
    else:
        kind, title, href = _beginning(runs, words)
        yield Line(words, kind, title, href, hrefs, place.quoted)


def _beginning(runs: Sequence[_Run], words: str) -> tuple[str, str, str | None]:
    """(kind, title, where it leads) of a line by the words with which it begins."""
    shown = [run for run in runs if run[0].strip()]
    bold, href = list(takewhile(lambda run: run[1], shown)), shown[0][2]
    if len(bold) == len(shown):
        return "bold", words, next((href for _, _, href in shown if href), None)
    linked = _joined(takewhile(lambda run: run[2] == href or not run[0].strip(), runs)) if href else ""
    if linked and bold and words.startswith(linked):
        return "lead", linked, href
    if len(linked.split()) > 3 and _LEAD_END.match(words, len(linked)):
        return "link", linked, href
    opening = _joined(takewhile(lambda run: run[1] or not run[0].strip(), runs))
    return ("opening", opening, None) if opening else ("", "", None)


def _joined(runs: Iterable[_Run]) -> str:
    return text.one_line("".join(run[0] for run in runs), text.MAX_TEXT)
