"""Changelogs: pages that are their own articles. Release notes, in Markdown or HTML, with a date over each entry.

in   Markdown, or the tree of a page
out  one entry a dated section: the page's address with a fragment, the heading or the first sentence as title, the section as text
A section begins at a heading with a date (``June 12, 2026``, ``1.2.0 – 2026-06-12``, ``Jun 12`` under ``June, 2026``) or at a line that is
nothing but one; a heading below it begins an entry of its own, unless it is a label (``Bug fixes``) or recurs on the page.
Surprising: fragments are made from day and title, not counted, so that a new entry on top leaves those below as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from tracker import text, urls
from tracker.pollers.listing import days
from tracker.pollers.listing.cards import cleaned, speaks
from tracker.pollers.listing.links import Element, text_of
from tracker.types import Entry

__all__ = ["Line", "entries", "of_html", "of_markdown"]

MAX_LINES = 200_000
MAX_LINKS = 200
MAX_TITLE = 160  # of a title that is a sentence
DEEPEST = 7  # the level of a date that is no heading

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_FRAME = frozenset("nav footer aside form button".split())
_BLOCKS = frozenset("p div ul ol li section article table tr td dl dt dd pre blockquote".split()) | _HEADINGS.keys()
_BRACKETED = re.compile(r"(?P<title>.{0,400}?)\s?[(\[](?P<day>[^()\[\]]{6,40})[)\]]")
_FRAGMENT = re.compile(r"[A-Za-z0-9][\w.-]{2,100}")  # no colon: React's ids (":r1:") change with every build
_LABEL = re.compile(r"[A-Z][a-z]+(?: [a-z]+)?(?: · .*)?")  # "Bug fixes", "Feature · Model: x-1 · API: v1/responses"
_SENTENCE = re.compile(r"(?<=[^\W\d][.!?])\s|(?<=\w)[。！？]")

# Markdown, as far as it matters here (CommonMark; https://spec.commonmark.org)
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_ATX = re.compile(r" {0,3}(#{1,6})(?:\s|$)")
_SETEXT = re.compile(r" {0,3}(?:=+|-{3,})\s*")
_ITEM = re.compile(r"\A\s{0,12}(?:[-*+]|\d{1,3}[.)])\s+")
_IMAGE = re.compile(r"!\[[^\[\]]{0,500}\]\([^()]{0,2000}\)")
_LINK = re.compile(r"\[([^\[\]]{0,500})\]\([^()]{0,2000}\)")
_ANCHOR = re.compile(r"\{:?\s?#([\w.-]{1,100})[^{}]{0,100}\}|<a\s+(?:id|name)=[\"']([\w.-]{1,100})[\"']\s*/?>(?:</a>)?")
_EMPHASIS = re.compile(r"(?<![\w*_\\])(\*|_)(?=\S)([^*_\n\\]{1,300})(?<=\S)\1(?![\w*_])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!<>|~-])")
# Mintlify's entries (docs.z.ai and many others): <Update label="2026-06-12" description="Name">
_UPDATE = re.compile(r"\s{0,20}<Update\b([^<>]{0,1000})>")
_ATTRIBUTE = re.compile(r"(label|description)=[\"']([^\"']{0,300})[\"']")


@dataclass(frozen=True, slots=True)
class Line:
    """A heading (level 1 to 6), or a block of text (level 0). ``lead`` is what it begins with in bold, ``raw`` may hold links."""

    level: int
    words: str
    anchor: str = ""
    lead: str = ""
    raw: str = ""


@dataclass(slots=True)
class _Section:
    """What stands between one date, or heading under a date, and the next."""

    level: int
    title: str
    day: str | None = None
    anchor: str = ""
    lines: list[Line] = field(default_factory=list)


def entries(lines: Iterable[Line], url: str) -> list[Entry]:
    """Return the dated sections as entries, in document order. ``url`` is the address of the page."""
    sections = [section for section in _sections([*islice(lines, MAX_LINES)]) if section.day and (section.title or section.lines)]
    page = url.partition("#")[0]
    titles = [_title(section) for section in sections]
    fragments = _fragments(sections, titles)
    return [
        _entry(section, title, f"{page}#{fragment}", page) for section, title, fragment in zip(sections, titles, fragments, strict=True)
    ]


# -- lines to sections ------------------------------------------------------------------------------


def _sections(lines: list[Line]) -> Iterator[_Section]:
    """Cut at dates, at the headings under them, and where a heading without a date ends them."""
    labels = Counter(text.fold(line.words) for line in lines if line.level)
    above = ""  # the month or year under which days stand
    dated: _Section | None = None  # the section with the date
    section = _Section(DEEPEST, "")
    for line in lines:
        title, day = _dated(line, above)
        if not line.level and not day and not (len(line.words) > 4 and days.heading(line.words)):  # "2026" may be a number
            section.lines.append(line)
        elif days.heading(line.words):
            yield section
            above, dated, section = line.words, None, _Section(line.level or DEEPEST, "")
        elif day and not line.level and section.day is None and section.title and section.level > 1 and not section.lines:
            section.day, dated = day, section  # a title, its date below; not the page's own title
        elif day:
            yield section
            section = dated = _Section(line.level or DEEPEST, title, day, line.anchor)
        elif dated and not dated.title and not dated.lines and section is dated and dated.level == DEEPEST:
            section.title, section.level, section.anchor = (
                line.words,
                line.level - 1,
                section.anchor or line.anchor,
            )  # a date, its title below
        elif dated and line.level > dated.level and (labels[text.fold(line.words)] > 1 or _LABEL.fullmatch(line.words)):
            section.lines.append(line)
        elif dated and line.level > dated.level:
            yield section
            section = _Section(line.level, line.words, dated.day, line.anchor)
        else:
            yield section
            dated, section = None, _Section(line.level, line.words, anchor=line.anchor)
    yield section


def _dated(line: Line, above: str) -> tuple[str, str | None]:
    """(what a heading says beside its date, the date's instant); of text only a line that is a date and nothing else counts."""
    if whole := days.whole(line.words) or (days.with_year(line.words, above) if above else None):
        return "", whole
    if not line.level:
        return "", None
    if (found := _BRACKETED.fullmatch(line.words[:500])) and (day := days.whole(found["day"])):
        return found["title"], day
    return cleaned(text.one_line(line.words), Counter(), sure=False)


# -- sections to entries ----------------------------------------------------------------------------


def _entry(section: _Section, title: str, url: str, page: str) -> Entry:
    body = "\n".join(line.words for line in section.lines)
    own = urls.link_key(page)
    links = urls.keys_in(" ".join(line.raw for line in section.lines)) - {own}
    return Entry(title, url, text=text.plain(body), published_at=section.day, links=tuple(sorted(links)[:MAX_LINKS]))


def _title(section: _Section) -> str:
    """The heading; where that is a date alone, or a number, what the section says first."""
    said = next((line for line in section.lines if not _LABEL.fullmatch(line.words)), None) or next(iter(section.lines), Line(0, ""))
    lead = said.lead if len(said.lead.split()) > 1 or said.lead == said.words else ""
    first = lead.rstrip(" :.–—-") or text.one_line(_SENTENCE.split(said.words, maxsplit=1)[0], MAX_TITLE)
    heading = text.one_line(text.plain(section.title, text.MAX_TITLE))
    if len(heading.split()) > 1 or (heading and not first):
        return heading
    return text.one_line(text.plain(f"{heading.strip('[]')}: {first}" if heading else first, text.MAX_TITLE)) or str(section.day)[:10]


def _fragments(sections: list[_Section], titles: list[str]) -> list[str]:
    """One fragment a section: the page's own, else its day, else day and title where a day has several."""
    owned = Counter(section.anchor for section in sections if _FRAGMENT.fullmatch(section.anchor))
    perday = Counter(str(section.day)[:10] for section in sections)
    used: Counter[str] = Counter()
    found = []
    for section, title in zip(sections, titles, strict=True):
        day = str(section.day)[:10]
        slug = "-".join(text.fold(title).split()[:8])
        name = section.anchor if owned[section.anchor] == 1 else day if perday[day] == 1 else f"{day}-{slug}"
        used[name] += 1
        found.append(name if used[name] == 1 else f"{name}-{used[name]}")
    return found


# -- Markdown ---------------------------------------------------------------------------------------


def of_markdown(markdown: str) -> Iterator[Line]:
    """Yield headings and blocks of text: a list item is one, so is a paragraph, however its lines are broken."""
    block: list[str] = []
    fenced = False
    for raw in _without_comments(_without_front_matter(markdown)).splitlines():
        if _FENCE.match(raw):
            fenced = not fenced
            continue
        heading = None if fenced else _heading(raw)
        setext = bool(block) and not fenced and _SETEXT.fullmatch(raw)
        if setext and not _ITEM.match(block[0]):
            yield _line(2 if "-" in raw else 1, " ".join(block))
            block = []
            continue
        if block and (heading or not raw.strip() or _ITEM.match(raw)):
            yield _line(0, " ".join(block))
            block = []
        if heading:
            yield heading
        elif raw.strip() and not setext:
            block.append(raw.strip())
    if block:
        yield _line(0, " ".join(block))


def _heading(raw: str) -> Line | None:
    if found := _ATX.match(raw):
        return _line(len(found[1]), raw[found.end() :].strip().rstrip("#"))
    if found := _UPDATE.match(raw):
        said = dict(_ATTRIBUTE.findall(found[1]))
        return _line(1, " – ".join(words for name in ("label", "description") if (words := said.get(name))))
    return None


def _line(level: int, raw: str) -> Line:
    anchor = _ANCHOR.search(raw[:1_000])
    words = _ITEM.sub("", _ANCHOR.sub(" ", raw), count=1) if not level else _ANCHOR.sub(" ", raw)
    bold = re.match(r"(\*\*|__)(?=\S)(.{1,200}?)\1", words)
    return Line(level, _plain(words), (anchor[1] or anchor[2]) if anchor else "", _plain(bold[2]) if bold else "", raw)


def _plain(words: str) -> str:
    """The words of a line of Markdown. Tags stay: ``text.plain`` removes them from the whole section."""
    for _ in range(2):  # [![picture](…) words](…)
        words = _LINK.sub(r"\1", _IMAGE.sub(" ", words))
    words = re.sub(r"\*\*|__|~~|`", "", words)
    return text.one_line(_ESCAPED.sub(r"\1", _EMPHASIS.sub(r"\2", words)), text.MAX_TEXT)


def _without_front_matter(markdown: str) -> str:
    """Without the YAML between two lines of hyphens at the very beginning."""
    if not markdown.startswith(("---\n", "---\r\n")):
        return markdown
    _, mark, rest = markdown[3:].partition("\n---")
    return rest if mark else markdown


def _without_comments(markdown: str) -> str:
    first, *rest = markdown.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


# -- HTML -------------------------------------------------------------------------------------------


def of_html(root: Element) -> Iterator[Line]:
    """Yield the headings and texts of a page in order, without its frame."""
    todo = [root]
    while todo:
        element = todo.pop()
        if element.tag in _FRAME:
            continue
        if element.tag in _HEADINGS:
            yield Line(_HEADINGS[element.tag], text_of(element), _anchor(element))
        elif not speaks(element):
            todo.extend(reversed(element))
        elif any(part is not element for part in element.iter(*_BLOCKS)):
            if own := " ".join(f"{element.text or ''} {' '.join(child.tail or '' for child in element)}".split()):
                yield Line(0, own)
            todo.extend(reversed(element))
        else:
            hrefs = " ".join((link.get("href") or "")[:2_000] for link in islice(element.iter("a"), MAX_LINKS))
            yield Line(0, text_of(element), _anchor(element), _bold(element), hrefs)


def _anchor(element: Element) -> str:
    """The id of a heading, of an anchor in it, or of the box that it opens."""
    inner = (name for part in islice(element.iter("a", "span"), 5) if (name := part.get("id") or part.get("name")))
    name = element.get("id") or next(inner, "")
    for _ in range(3):
        around = element.getparent()
        if name or around is None or around[0] is not element:
            break
        name, element = around.get("id") or "", around
    return name if _FRAGMENT.fullmatch(name or "") else ""


def _bold(element: Element) -> str:
    first = element[0] if len(element) and not (element.text or "").strip() else None
    return text_of(first) if first is not None and first.tag in ("strong", "b") else ""
