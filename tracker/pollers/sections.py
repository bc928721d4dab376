"""Sections: an issue of a newsletter becomes one entry for each story that it tells.

in   the entry of an issue and its markup: what the feed gives, or the page of the issue
out  the issue, then its stories in the order of the document; the issue alone where it does not look like a round-up
knows no network, and no newsletter but by the name of its series. A story is what stands below a heading and links to something elsewhere.
Headings are h1–h4; bold lines; the words a line begins with, if they lead to the story (one of these three, as the first line below a
heading shows); or the bold words behind a separator (``***``). Sponsors, calls to subscribe, share and apply, and pictures are left out.

Surprising: a story stays an entry of the newsletter, at the issue's address with its heading as a text fragment (``#:~:text=…``, to which
browsers scroll), even where the heading leads to somebody else's post. That post's key is in ``links``. With the post's own address the
newsletter's words would become the text of a lab's item, official by its host, and could settle a watch as *stated*, until the lab's own
source is read, or forever if there is none. So whoever is cited, a newsletter is press, and one story joins many by title and links.
The issue keeps only the words and links that no story has: everything is found once, nothing is told twice.
An essay with chapters is no round-up: headings without links count only in numbered or periodical issues (``_SERIES``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from urllib.parse import quote

from tracker import text, urls
from tracker.errors import InvalidURL
from tracker.pollers.listing.lines import Line, lines
from tracker.pollers.listing.links import tree
from tracker.types import Entry

__all__ = ["split"]

MAX_SECTIONS = 60  # stories of one issue; a long weekly has about 40, what follows stays with the issue
MAX_LINES = 10_000  # lines of an issue that are looked at; the transcript of an hour has 300
MAX_LINKS = 100  # outbound keys kept of one story
MIN_TEXT = 40  # characters below a heading, unless it leads to the story itself
MAX_TITLE = 200  # a longer heading is a paragraph
MIN_LINKED = 3  # stories whose heading is a link that make a round-up of what is not known to be one

# Issues of a series: "Import AI 403:", "AI #120", "Open artifacts (#23)", /the-batch/issue-345, "Last Week in …". Title or address.
_SERIES = re.compile(
    r"#\s?\d|\bimport[ -]ai[ -]\d|\b(?:issue|edition|no\.|vol\.|volume)[ -]?#?\d|\b(?:weekly|monthly|newsletter|digest|round-?up)\b|"
    r"\b(?:this|last|past) (?:week|month)\b|\bainews\b|\blinks for\b",
    re.IGNORECASE,
)
_SPONSOR = re.compile(
    r"\(sponsor(?:ed)?\)|^\W*(?:sponsor(?:s|ed)?\b|advertisement|ad:|presented by|in partnership with|together with|brought to you|"
    r"(?:a )?(?:message|word) from|from our (?:partner|sponsor)|thanks to our sponsor)",
    re.IGNORECASE,
)
# A heading of a part of a story: the story goes on.
_LABEL = re.compile(
    r"(?:why (?:this|it) matters|what (?:this|it) means).{0,100}|how (?:this|it) works|what they (?:did|found|say)|what[’']?s new|"
    r"what happened|(?:key )?(?:results?|takeaways?|findings)|(?:our|my) take|we[’']re thinking|yes, but|behind the news|"
    r"read (?:more|the).{0,100}|related(?: stories| news)?|sources?|summary|background|context|details",
    re.IGNORECASE,
)
# A heading of the issue itself: the story before it has ended, and this is none.
_NO_STORY = re.compile(
    r"(?:table of )?contents|in this (?:issue|edition).*|introduction|conclusions?|(?:foot|end)?notes|references|acknowledge?ments|"
    r"(?:show|episode) notes|transcript|timestamps|chapters|about (?:us|the authors?)|housekeeping|tech tales.*|"
    r"things that inspired this story|.*\b(?:giveaway|reader survey|upcoming events?)\b.*|(?:we[’']re )?hiring|jobs?(?: board)?|"
    r"work with us|thanks for reading.*|dear (?:friends|readers?|all)|"
    r"(?:subscribe|sign up|share|follow us|feedback|upgrade|donate|refer a friend)(?: (?:now|here|to|us|this|with)\b.*)?",
    re.IGNORECASE,
)
_BUTTON_LINK = re.compile(
    r"[/.](?:(?:un)?subscribe|sharer|signup|sign-up|advertise|preferences|careers|jobs)(?:[/?#.]|$)|[?&]action=share|/share[?]|"
    r"/p/[^/]{1,200}/comments|/intent/(?:tweet|post)|://(?:jobs|careers|apply|substackcdn|cdn)\.|substack-post-media",
    re.IGNORECASE,
)
_READ_TIME = re.compile(
    r"\s*[(\[](?:\d+[ -]?(?:min(?:ute)?s?|hours?)\b[^()]{0,20}|github repo|website|video|x thread|pdf)[)\]]\W*$", re.IGNORECASE
)
_ONE_WORD = re.compile(r"[\w&/-]+", re.ASCII)  # "Business", "Policy": shelves for stories
_AROUND = re.compile(r"^(?:\d{1,2}[.)]\s+|[^\w\"“‘'(\[$€£#@.<]+)+|[^\w\"”’')\]!?%.…+>$]+$")  # numbers, emoji, bullets; a colon at the end


@dataclass(slots=True)
class _Part:
    """What stands below one heading. Without a title it is the issue's own."""

    title: str = ""
    href: str | None = None
    lines: list[str] = field(default_factory=list)
    hrefs: list[str] = field(default_factory=list)

    def add(self, line: Line, words: str) -> None:
        if words:
            self.lines.append(words)
        self.hrefs += line.hrefs


def split(entry: Entry, markup: str) -> tuple[Entry, ...]:
    """Return the issue, without what its stories say, and then its stories; the entry as it is where there are fewer than two."""
    if not entry.url or entry.own_key or "<" not in markup:
        return (entry,)
    root = tree(markup.encode("utf-8", "replace"), "utf-8")
    parts = _parts(list(islice(lines(root), MAX_LINES))) if root is not None else []
    stories, own = _sorted(parts, entry)
    if len(stories) < 2:
        return (entry,)
    entries = [
        replace(entry, title=part.title, url=url, guid=None, text=_text(part.lines), version=None, links=_keys(part, entry)[:MAX_LINKS])
        for url, part in stories.items()
    ]
    told = {key for story in entries for key in story.links}
    words = _text(own.lines) or text.one_line("; ".join(story.title for story in entries), text.MAX_TEXT)
    issue = replace(entry, text=words, links=tuple(key for key in _keys(own, entry) if key not in told)[:MAX_LINKS])
    return (issue, *entries)


def _sorted(parts: Iterable[_Part], entry: Entry) -> tuple[dict[str, _Part], _Part]:
    """The stories by address, and all the rest as one part: the issue's own. Two stories under one heading are one."""
    stories: dict[str, _Part] = {}
    own = _Part()
    sure = bool(_SERIES.search(f"{entry.title} {entry.url}"))
    told = [(part, _is_story(part, entry)) for part in parts]
    linked = sum(bool(part.href) for part, good in told if good)
    if not sure and (linked < MIN_LINKED or linked * 2 < sum(good for _, good in told)):
        return {}, own
    for part, good in told:
        url = _address(entry.url or "", part.title) if good else None
        if url and (url in stories or len(stories) < MAX_SECTIONS):
            known = stories.setdefault(url, part)
            if known is not part:
                known.lines += part.lines
                known.hrefs += part.hrefs
        elif not _is_sponsored(part):
            own.lines += [part.title, *part.lines] if part.title else part.lines
            own.hrefs += part.hrefs
    return stories, own


def _is_story(part: _Part, entry: Entry) -> bool:
    """Whether a part has a title, links to something elsewhere, and says something of it."""
    if not part.title or _NO_STORY.fullmatch(part.title) or _is_sponsored(part) or (not part.href and _ONE_WORD.fullmatch(part.title)):
        return False
    says = sum(map(len, part.lines)) >= MIN_TEXT or bool(part.href and _elsewhere([part.href], entry))
    return says and bool(_elsewhere(part.hrefs, entry))


def _is_sponsored(part: _Part) -> bool:
    return bool(_SPONSOR.search(part.title) or (part.lines and len(part.lines[0]) < MAX_TITLE and _SPONSOR.search(part.lines[0])))


def _address(url: str, title: str) -> str | None:
    """The issue's address with the words of the heading; they stay the same when the text below is edited or moved."""
    words = title
    while len(fragment := quote(words, safe="").replace("-", "%2D")) > 400:  # a hyphen has a meaning in a text fragment
        words = words[: len(words) * 2 // 3]
    try:
        address = urls.safe_url(f"{url.partition('#')[0]}{urls.PLACE}text={fragment}")
        return address if address and urls.canonical_url(address, keep_fragment=True) else None
    except InvalidURL:  # too long
        return None


# -- links and words ----------------------------------------------------------------------------------------


def _elsewhere(hrefs: Iterable[str], entry: Entry) -> list[str]:
    """The addresses that lead away from the newsletter's host."""
    own = urls.host_of(entry.url)
    return [url for href in hrefs if (url := _followed(href, entry)) and (urls.host_of(url) != own or urls.own_key(url))]


def _followed(href: str, entry: Entry) -> str | None:
    url = urls.safe_url(href, entry.url) if len(href) <= 2_000 else None
    return url if url and not _BUTTON_LINK.search(url) else None


def _keys(part: _Part, entry: Entry) -> tuple[str, ...]:
    """What a part points to, in order: the story's own link comes first."""
    keys = [key for href in part.hrefs if (url := _followed(href, entry)) and (key := urls.link_key(url))]
    own = urls.link_key(entry.url or "")
    return tuple(key for key in dict.fromkeys([*keys, *sorted(urls.keys_in(" ".join(part.lines)))]) if key != own)


def _text(lines: Sequence[str]) -> str:
    """The lines as the text of an item, as far as it is kept."""
    kept: list[str] = []
    left = text.MAX_TEXT
    for line in lines:
        if left < MIN_TEXT:
            break
        kept.append(text.one_line(line, left))
        left -= len(kept[-1]) + 1
    return "\n".join(kept)


def _title(words: str) -> str:
    """A heading without emoji, number and reading time; "" if nothing readable is left."""
    shown = _AROUND.sub("", _READ_TIME.sub("", _AROUND.sub("", text.one_line(words))))
    return shown if len(shown) <= MAX_TITLE and re.search(r"[^\W\d_]", shown) else ""


# -- parts --------------------------------------------------------------------------------------------------


def _parts(lines: Sequence[Line]) -> list[_Part]:
    """What stands below each heading, in order; the first part is what stands before them all."""
    headings = [number for number, line in enumerate(lines) if _is_heading(line)]
    rules = sum(line.kind == "rule" for line in lines)
    if len(headings) < 2 <= rules:
        return _ruled(lines)
    style = "" if headings else _style([line for line in lines if line.kind in ("bold", "lead") and _begins(line, line.kind)])
    parts = [_Part()]
    for number, line in enumerate(lines):
        if line.kind == "rule":
            if headings and number > headings[-1]:  # behind the last story: thanks, and who we are
                parts.append(_Part())
        elif _is_heading(line):
            parts.append(_begun(line))
            style = "" if line.href or _NO_STORY.fullmatch(parts[-1].title) else _style(lines[number + 1 : number + 6])
        elif style and _begins(line, style):
            parts.append(_begun(line))
        else:
            parts[-1].add(line, line.text)
    return parts


def _ruled(lines: Sequence[Line]) -> list[_Part]:
    """The parts between separators, each with the first bold words as its title; before the first, a bold line ends the greeting."""
    parts = [_Part()]
    for line in lines:
        if line.kind == "rule":
            parts.append(_Part())
        elif line.kind in ("heading", "bold", "lead", "opening") and not parts[-1].title and not parts[-1].lines:
            parts[-1] = _begun(line)
        elif line.kind in ("heading", "bold") and len(parts) == 1 and not _LABEL.fullmatch(_title(line.title)):
            parts.append(_begun(line))
        else:
            parts[-1].add(line, line.text)
    return parts


def _is_heading(line: Line) -> bool:
    return line.kind == "heading" and not _LABEL.fullmatch(_title(line.title))


def _style(lines: Sequence[Line]) -> str:
    """How stories begin below a heading that says nothing itself: as the first line below it does."""
    first = next((line for line in lines if not line.quoted), None)
    return first.kind if first and _begins(first, first.kind) else ""


def _begins(line: Line, style: str) -> bool:
    if line.quoted or line.kind not in ("bold", "lead", "link") or line.title.endswith((":", "：")) or _LABEL.fullmatch(_title(line.title)):
        return False
    return line.kind == style or (bool(line.href) and style != "bold")


def _begun(line: Line) -> _Part:
    rest = line.text.removeprefix(line.title) if line.kind in ("lead", "link", "opening") else ""
    title = line.title
    if rest and len(title.split()) < 3 and 0 < (colon := rest.find(":")) < 60:  # "Name by its maker: what it is"
        title, rest = title + rest[:colon].partition(" (")[0], rest[colon:]
    part = _Part(_title(title), line.href)
    part.add(line, rest.lstrip(" .:;,–—-"))
    return part
