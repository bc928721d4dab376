"""Articles: the page of one post, read for what its source left out.

in   a page, as it answered
out  one entry: title, day, authors, text and outbound keys; ``problem`` instead, when the page is not the post
Reached by the stage READ alone, through the parse worker; no kind of source in feeds.toml. The text is what ``prose`` finds, the rest
what the page declares: Open Graph, JSON-LD, ``<time>``; a description stands in for a text only where there is none and it speaks of
this post, not of its publisher. Nothing here is a library's: docs/decisions.md says why, with figures.
Surprising: what is no article has no entry and no error of its own: ``problem`` is ``no page``, ``empty`` (a PDF as well, and a wall: no
words for us) or ``http_401``, as in ``readings.outcome``. A challenge is the error that it is everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tracker import text, urls
from tracker.errors import ParseError
from tracker.pollers import Parsed, prose
from tracker.pollers.listing import days, links
from tracker.pollers.page import no_list
from tracker.types import Entry, Source

__all__ = ["EMPTY", "LOGIN", "MAX_LINKS", "NO_PAGE", "read"]

NO_PAGE, EMPTY, LOGIN = "no page", "empty", "http_401"
MAX_BODY = 3_000_000  # bytes of a page that are parsed; posts have 30 kB to 2 MB, a million empty paragraphs take 8 s
MAX_LINKS = 100  # outbound keys kept; whoever links to more is a list
MAX_ANCHORS = 5_000  # links of a page that are looked at; long posts have a few hundred
MAX_NODES = 50_000  # values looked at in the data of a page
MIN_TEXT = 60  # characters; less is a label, not a post
SHORT = 300  # characters; with less beside a password field, the page is a login
WALL = 1_000  # characters; a text this short that begins like a wall is one
TOP = 8  # lines at the beginning among which a day, the title, the author and the like stand
LABEL = 40  # characters; a shorter line above the first paragraph is a label: "Announcements", "3 min read", "Share this post"

_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|main|article|div|p)[\s>]", re.IGNORECASE)
_MARKDOWN = re.compile(rb"(?:\xef\xbb\xbf)?\s*#[ \t]+(?P<title>[^\r\n]{1,1000})")  # the heading with which a post in Markdown begins
_TYPES = re.compile(r"(?:Article|BlogPosting|Report)$")  # of schema.org
# Names of <meta>, best first. https://ogp.me/#type_article, Dublin Core, Parse.ly; modification times are no publication dates. A bare
# "date" is often the day of the build: it counts after all others.
_DAY = "article:published_time og:article:published_time datepublished publish-date publish_date parsely-pub-date dc.date.issued"
_BARE_DAY = "dc.date date"
_TITLE = "og:title twitter:title citation_title dc.title"
_AUTHOR = "author article:author citation_author parsely-author dc.creator"
_DESCRIPTION = "og:description description twitter:description"
_SHOWN_LINKS = "//a[not(ancestor::nav or ancestor::footer or ancestor::aside)]"
_BEHIND = re.compile(r"\s+(?:[|·•–—\\]|-|::)\s+(?P<site>[^|·•–—\\]{1,40})$")  # "A title | Site"
_SENTENCE_END = (".", "!", "?", ":", "…", "。")
_SEPARATOR = re.compile(r"\s+(?:[|·•–—\\]|-|::)\s+")
_UPDATED = re.compile(r"(?:updated|modified|edited|revised|reviewed)(?: on| at)?\W{0,3}$", re.IGNORECASE)
# How a page begins that shows something else than the post to whoever has no scripts, has not agreed, or is elsewhere.
_WALLED = re.compile(
    r"(?:enable|requires?|need|turn on|without)\W{1,3}(?:to enable )?javascript"
    r"|\bwe (?:and our partners )?(?:value|care about) your privacy"
    r"|\b(?:we|site|website) uses? cookies|before you continue|not (?:currently )?available in your (?:region|country|location|area)",
    re.IGNORECASE,
)
_SIGN_IN = re.compile(r"(?:please )?(?:sign|log)[ -]?in(?: or (?:sign|log)[ -]?(?:up|in))?(?: (?:to|with) .{1,40})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Said:
    """What a page declares of itself."""

    title: str = ""
    day: str | None = None
    authors: tuple[str, ...] = ()
    description: str = ""
    body: str = ""


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the one article of a page, or none and the ``problem``.

    Raises:
        ParseError: ``challenge``: the page wants a browser.
    """
    body = body[:MAX_BODY]
    if body.lstrip().startswith(b"%PDF-"):
        return Parsed((), problem=EMPTY)
    if first := _MARKDOWN.match(body):
        return _of_markdown(links.decoded(body[first.end() :], charset), text.one_line(links.decoded(first["title"], charset)), url)
    root = links.tree(body, charset) if _MARKUP.search(body.replace(b"\0", b"")) else None  # UTF-16 has zeros between
    if root is None:
        return Parsed((), problem=NO_PAGE)
    scripts = links.take_scripts(root)
    heading, shown = (next((text.one_line(links.text_of(element)) for element in root.iter(tag)), "") for tag in ("h1", "title"))
    said = _said(_meta(root), scripts, heading, shown, url)
    if refused := no_list(root):
        if refused[0] == "challenge":
            raise ParseError("challenge", f"{url} answered with a challenge for browsers, not with the article")
        return Parsed((), problem=NO_PAGE)
    locked = _locked(root, heading, shown)
    papers = {key for key in _keys(root.xpath(_SHOWN_LINKS), url) if not key.startswith("url:")}
    prose.strip(root)
    trunk = prose.trunk(root)
    lines = prose.lines(trunk)
    written = "\n".join(_without_head(lines, said.title))[: text.MAX_TEXT]
    if len(written) < locked:
        return Parsed((), problem=LOGIN)
    walled = len(written) < WALL and _WALLED.search(written[:SHORT])
    if len(written) < MIN_TEXT or walled:
        written = _stand_in(said) or ("" if walled else written)
    if len(written) < MIN_TEXT:
        return Parsed((), problem=EMPTY)
    chosen = _chosen(papers, _keys(trunk.iter("a"), url) | urls.keys_in(written), url)
    published = said.day or _shown_day(trunk, lines, said.title)
    return Parsed((Entry(said.title, url, text=written, authors=said.authors, published_at=published, links=chosen),))


def _of_markdown(body: str, title: str, url: str) -> Parsed:
    lines = filter(None, (" ".join(line.split()) for line in text.printable(body[: text.MAX_TEXT * 2]).splitlines()))
    written = "\n".join(_without_head(list(lines), title))[: text.MAX_TEXT]
    if len(written) < MIN_TEXT:
        return Parsed((), problem=EMPTY)
    return Parsed((Entry(title, url, text=written, links=_chosen(set(), urls.keys_in(written), url)),))


# -- what the page declares -------------------------------------------------------------------------


def _said(meta: Mapping[str, list[str]], scripts: Iterable[tuple[str, str]], heading: str, shown: str, url: str) -> _Said:
    """What a page says of itself; ``heading`` is its <h1>, ``shown`` its <title>."""
    data = _article_of(scripts, [*_all(meta, _TITLE), *filter(None, [heading])], shown)
    title = _bare_title(_first(meta, _TITLE) or _line(data.get("headline")) or heading or shown, heading, meta, url)
    authors = [name for name in [*_names(data.get("author")), *_all(meta, _AUTHOR)] if "://" not in name]
    declared = [*_all(meta, _DAY), _string(data.get("datePublished")), *_all(meta, _BARE_DAY)]
    return _Said(
        title,
        next(filter(None, map(days.whole, declared)), None),
        tuple(dict.fromkeys(authors))[:20],
        _first(meta, _DESCRIPTION),
        text.plain(_string(data.get("articleBody"), text.MAX_TEXT * 2)),
    )


def _meta(root: links.Element) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for element in root.iter("meta"):
        name = (element.get("property") or element.get("name") or element.get("itemprop") or "").lower()
        if value := text.one_line(element.get("content") or "", 1_000):
            found.setdefault(name, []).append(value)
    return found


def _all(meta: Mapping[str, list[str]], names: str) -> list[str]:
    return [value for name in names.split() for value in meta.get(name, ())]


def _first(meta: Mapping[str, list[str]], names: str) -> str:
    return next(iter(_all(meta, names)), "")


def _bare_title(title: str, heading: str, meta: Mapping[str, list[str]], url: str) -> str:
    """The title without the name of the site: as the heading has it, or as the page names its site, or as the host is called."""
    ends = [len(title), *(found.start() for found in _SEPARATOR.finditer(title))]
    if (wanted := text.fold(heading)) and any(text.fold(title[:end]) == wanted for end in ends):
        return heading
    if found := _BEHIND.search(title):
        site = text.fold(found["site"])
        if site and (site in map(text.fold, meta.get("og:site_name", ())) or site.replace(" ", "") in urls.host_of(url)):
            return title[: found.start()]
    return title


def _article_of(scripts: Iterable[tuple[str, str]], titles: Iterable[str], shown: str) -> Mapping[str, Any]:
    """The JSON-LD object that is this article: of the same headline; else the only one, if it or the page has no title."""
    nodes = [node for kind, script in scripts if "json" in kind for node in _nodes(script)]
    headlines = [text.fold(_line(node.get("headline"))) for node in nodes]
    folded = list(filter(None, map(text.fold, titles)))
    wanted = [*folded, *filter(None, [text.fold(shown)])]
    for alike in (str.__eq__, _begins):
        for node, headline in zip(nodes, headlines, strict=True):
            if headline and any(alike(headline, one) for one in wanted):
                return node
    return nodes[0] if len(nodes) == 1 and not (headlines[0] and folded) else {}


def _begins(one: str, other: str) -> bool:
    """Whether one title is the other with more behind it: a subtitle, the site. A short beginning says too little."""
    short, long = sorted((one, other), key=len)
    return len(short) * 2 >= len(long) and long.startswith(f"{short} ")


def _nodes(script: str) -> Iterator[Mapping[str, Any]]:
    try:
        todo, left = [json.loads(script)], MAX_NODES
    except (ValueError, RecursionError):
        return
    while todo and left:
        node, left = todo.pop(), left - 1
        if isinstance(node, dict):
            kinds = node.get("@type")
            if any(_TYPES.search(_string(kind)) for kind in (kinds[:10] if isinstance(kinds, list) else [kinds])):
                yield node
            todo.extend(reversed(list(node.values())[:1_000]))
        elif isinstance(node, list):
            todo.extend(reversed(node[:10_000]))


def _string(value: object, limit: int = 1_000) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return text.printable(value[:limit]).strip() if isinstance(value, str) else ""


def _line(value: object) -> str:
    """A title or name in the data: on one line, and with its entities decoded, for publishers put HTML there."""
    return text.one_line(text.plain(_string(value)))


def _names(value: object) -> list[str]:
    people = value if isinstance(value, list) else [value]
    named = (person.get("name") if isinstance(person, dict) else person for person in people[:20])
    return [name for one in named if (name := text.one_line(_line(one), 100))]


# -- what it shows ----------------------------------------------------------------------------------


def _locked(root: links.Element, heading: str, shown: str) -> int:
    """Below how many characters of text the page is a login: beside a password, or below a title that asks to sign in."""
    kinds = {(field.get("type") or "text").lower() for field in root.iter("input")}
    asks = any(map(_SIGN_IN.fullmatch, (heading, _SEPARATOR.split(shown)[0])))
    return WALL if asks and kinds & {"text", "email", "tel", "password"} else SHORT if "password" in kinds else 0


def _without_head(lines: list[str], title: str) -> list[str]:
    """The lines without title, day and labels above the first paragraph."""
    kept = []
    opening = next((at for at, line in enumerate(lines[:TOP]) if len(line) >= prose.LONG and text.fold(line) != text.fold(title)), 0)
    for at, line in enumerate(lines[:TOP]):
        label = at < opening and len(line) < LABEL and not line.endswith(_SENTENCE_END)
        if not label and not days.whole(line) and text.fold(line) != text.fold(title):
            kept.append(line)
    return [*kept, *lines[TOP:]]


def _shown_day(trunk: links.Element, lines: list[str], title: str) -> str | None:
    """The day that stands above the prose, at most one paragraph before it; neither that of an update nor of what is listed below."""
    long = [at for at, line in enumerate(lines) if len(line) >= prose.LONG and text.fold(line) != text.fold(title)]
    end = min(TOP, long[1] if len(long) > 1 else long[0] if long else 0)
    head = [line for at, line in enumerate(lines[:end]) if not _UPDATED.search(lines[at - 1] if at else "")]
    times = ((" ".join(links.text_of(one).split()), one.get("datetime") or "") for one in islice(trunk.iter("time"), TOP))
    stamps = {said: day for said, stamp in times if (day := days.whole(stamp))}
    return next((day for line in head if (day := stamps.get(line) or days.whole(line))), None)


def _stand_in(said: _Said) -> str:
    """What the data hold where the page shows nothing: the text itself, or a description that shares words with the title."""
    return said.body or (said.description if text.title_words(said.title) & text.title_words(said.description) else "")


def _keys(anchors: Iterable[links.Element], url: str) -> set[str]:
    """The keys of what anchors lead to."""
    hrefs = {href for anchor in islice(anchors, MAX_ANCHORS) if (href := (anchor.get("href") or "").strip()[:2_000])}
    return {key for href in hrefs if (safe := urls.safe_url(href, url)) and (key := urls.link_key(safe))}


def _chosen(papers: set[str], others: set[str], url: str) -> tuple[str, ...]:
    """The links kept: papers wherever they stand on the page, for a button leads to them, unless they are a list; others in the text."""
    own = urls.link_key(url)
    papers = papers if len(papers) <= MAX_LINKS else set()
    return tuple(sorted((papers | others) - {own}))[:MAX_LINKS]
