"""Articles: the page of one post, read for what its source left out.

in   a page, as it answered
out  one entry: title, day, authors, text and outbound keys; ``problem`` instead, when the page is not the post
Reached by the stage READ alone, through the parse worker; no kind of source in feeds.toml. The text is what ``prose`` finds, the rest
what the page declares: Open Graph, JSON-LD, ``<time>``; a description stands in for a text only where there is none and it speaks of
this post, not of its publisher. Nothing here is a library's: docs/decisions.md says why, with figures.
Surprising: what is no article has no entry and no error of its own: ``problem`` is ``no page``, ``empty`` or ``http_401``, as in
``readings.outcome``. A challenge is the error that it is everywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
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
MAX_NODES = 50_000  # values looked at in the data of a page
MIN_TEXT = 60  # characters; less is a label, not a post
SHORT = 300  # characters; with less beside a password field, the page is a login
TOP = 8  # lines at the beginning among which a day, the title, the author and the like stand
LABEL = 40  # characters; a shorter line above the first paragraph is a label: "Announcements", "3 min read", "Share this post"

_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|main|article|div|p)[\s>]", re.IGNORECASE)
_TYPES = re.compile(r"(?:Article|BlogPosting|Report)$")  # of schema.org
# Names of <meta>, best first. https://ogp.me/#type_article, Dublin Core, Parse.ly; modification times are no publication dates.
_DAY = (
    "article:published_time og:article:published_time datepublished publish-date publish_date parsely-pub-date dc.date dc.date.issued date"
)
_TITLE = "og:title twitter:title citation_title dc.title"
_AUTHOR = "author article:author citation_author parsely-author dc.creator"
_DESCRIPTION = "og:description description twitter:description"
_SHOWN_LINKS = "//a[not(ancestor::nav or ancestor::footer or ancestor::aside)]"
_BEHIND = re.compile(r"\s+(?:[|·•–—\\]|-|::)\s+(?P<site>[^|·•–—\\]{1,40})$")  # "A title | Site"
_SENTENCE_END = (".", "!", "?", ":", "…", "。")


@dataclass(frozen=True, slots=True)
class _Said:
    """What a page declares of itself."""

    title: str = ""
    day: str | None = None
    authors: tuple[str, ...] = ()
    description: str = ""
    body: str = ""
    url: str | None = None


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the one article of a page, or none and the ``problem``.

    Raises:
        ParseError: ``challenge``: the page wants a browser.
    """
    body = body[:MAX_BODY]
    root = links.tree(body, charset) if _MARKUP.search(body.replace(b"\0", b"")) else None  # UTF-16 has zeros between
    if root is None:
        return Parsed((), problem=NO_PAGE)
    said = _said(root, links.take_scripts(root), url)
    if refused := no_list(root):
        if refused[0] == "challenge":
            raise ParseError("challenge", f"{url} answered with a challenge for browsers, not with the article")
        return Parsed((), problem=NO_PAGE)
    locked = any((field.get("type") or "").lower() == "password" for field in root.iter("input"))
    papers = {key for key in _keys(root.xpath(_SHOWN_LINKS), url) if not key.startswith("url:")}
    prose.strip(root)
    trunk = prose.trunk(root)
    found, day = _without_head(prose.lines(trunk), said.title)
    written = "\n".join(found)[: text.MAX_TEXT]
    if len(written) < MIN_TEXT:
        written = _stand_in(said) or written
    if locked and len(written) < SHORT:
        return Parsed((), problem=LOGIN)
    if len(written) < MIN_TEXT:
        return Parsed((), problem=EMPTY)
    chosen = _chosen(papers, _keys(trunk.iter("a"), url) | urls.keys_in(written), url)
    published = said.day or _time(trunk) or day
    return Parsed((Entry(said.title, said.url or url, text=written, authors=said.authors, published_at=published, links=chosen),))


# -- what the page declares -------------------------------------------------------------------------


def _said(root: links.Element, scripts: Iterable[tuple[str, str]], url: str) -> _Said:
    meta = _meta(root)
    heading, shown = (next((text.one_line(links.text_of(element)) for element in root.iter(tag)), "") for tag in ("h1", "title"))
    data = _article_of(scripts, _first(meta, _TITLE) or heading or shown)
    title = _bare_title(_first(meta, _TITLE) or _string(data.get("headline")) or heading or shown, heading, meta, url)
    authors = [name for name in [*_names(data.get("author")), *_all(meta, _AUTHOR)] if "://" not in name]
    return _Said(
        title,
        next(filter(None, map(days.whole, [*_all(meta, _DAY), _string(data.get("datePublished"))])), None),
        tuple(dict.fromkeys(authors))[:20],
        _first(meta, _DESCRIPTION),
        text.plain(_string(data.get("articleBody"), text.MAX_TEXT * 2)),
        _canonical(root, meta, url),
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


def _canonical(root: links.Element, meta: Mapping[str, list[str]], url: str) -> str | None:
    """The address the page gives itself, if it leads to this host."""
    declared = [link.get("href") for link in root.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    for one in [*declared, *meta.get("og:url", ())]:
        if (safe := urls.safe_url(one, url)) and urls.host_of(safe) == urls.host_of(url):
            return safe
    return None


def _bare_title(title: str, heading: str, meta: Mapping[str, list[str]], url: str) -> str:
    """The title without the name of the site: as the heading has it, or as the page names its site, or as the host is called."""
    if heading and text.fold(title).startswith(text.fold(heading)):
        return heading
    if found := _BEHIND.search(title):
        site = text.fold(found["site"])
        if site and (site in map(text.fold, meta.get("og:site_name", ())) or site.replace(" ", "") in urls.host_of(url)):
            return title[: found.start()]
    return title


def _article_of(scripts: Iterable[tuple[str, str]], title: str) -> Mapping[str, Any]:
    """The JSON-LD object that is this article: of the same headline, else the only one."""
    nodes = [node for kind, script in scripts if "json" in kind for node in _nodes(script)]
    wanted = text.fold(title)
    same = [node for node in nodes if (headline := text.fold(_string(node.get("headline")))) and headline in wanted]
    return next(iter(same), nodes[0] if len(nodes) == 1 else {})


def _nodes(script: str) -> Iterator[Mapping[str, Any]]:
    try:
        todo, left = [json.loads(script)], MAX_NODES
    except (ValueError, RecursionError):
        return
    while todo and left:
        node, left = todo.pop(), left - 1
        if isinstance(node, dict):
            if _TYPES.search(_string(node.get("@type"))):
                yield node
            todo.extend(reversed(list(node.values())[:1_000]))
        elif isinstance(node, list):
            todo.extend(reversed(node[:10_000]))


def _string(value: object, limit: int = 1_000) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    return text.printable(value[:limit]).strip() if isinstance(value, str) else ""


def _names(value: object) -> list[str]:
    people = value if isinstance(value, list) else [value]
    named = (person.get("name") if isinstance(person, dict) else person for person in people[:20])
    return [name for one in named if (name := text.one_line(_string(one), 100))]


# -- what it shows ----------------------------------------------------------------------------------


def _without_head(lines: list[str], title: str) -> tuple[list[str], str | None]:
    """The lines without title, day and labels above the first paragraph; and that day."""
    day, kept = next(filter(None, map(days.whole, lines[:TOP])), None), []
    opening = next((at for at, line in enumerate(lines[:TOP]) if len(line) >= prose.LONG and text.fold(line) != text.fold(title)), 0)
    for at, line in enumerate(lines[:TOP]):
        label = at < opening and len(line) < LABEL and not line.endswith(_SENTENCE_END)
        if not label and not days.whole(line) and text.fold(line) != text.fold(title):
            kept.append(line)
    return [*kept, *lines[TOP:]], day


def _time(trunk: links.Element) -> str | None:
    """The day of the first ``<time>`` of the article."""
    first = next(trunk.iter("time"), None)
    return None if first is None else days.whole(first.get("datetime") or links.text_of(first))


def _stand_in(said: _Said) -> str:
    """What the data hold where the page shows nothing: the text itself, or a description that shares words with the title."""
    return said.body or (said.description if text.title_words(said.title) & text.title_words(said.description) else "")


def _keys(anchors: Iterable[links.Element], url: str) -> set[str]:
    """The keys of what anchors lead to."""
    hrefs = (urls.safe_url((anchor.get("href") or "").strip()[:2_000], url) for anchor in anchors)
    return {key for href in hrefs if href and (key := urls.link_key(href))}


def _chosen(papers: set[str], others: set[str], url: str) -> tuple[str, ...]:
    """The links kept: papers wherever they stand on the page, for a button leads to them, unless they are a list; others in the text."""
    own = urls.link_key(url)
    papers = papers if len(papers) <= MAX_LINKS else set()
    return tuple(sorted((papers | others) - {own}))[:MAX_LINKS]
