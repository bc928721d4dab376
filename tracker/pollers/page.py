"""Listing pages without a feed: article links, and what the card around each says.

in   the HTML of a page and the ``links`` of its source: which links are articles (``Pattern``)
out  one entry a link: title, day, summary; None for what the page does not say
knows no site: a card is the largest element around a link that holds no other article, and sites may move everything in it. Data in
scripts (``embedded``) fills what the markup leaves out, and stands in for it where there is none.
Surprising: a page that lists nothing, or much less than last time, is never "no news": it is ``layout_changed``, and nothing is stored.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tracker import text
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, page_of
from tracker.pollers.listing import cards, embedded, links
from tracker.types import Page, Request, Response, Source, State

__all__ = ["KEYS", "configure", "poll", "read"]

KEYS: Mapping[str, type] = {"links": str, "skip": str}
MIN_SHARE = 0.6  # of what the page listed last time; a redesign that hides half of the list must not pass for a quiet day
# A list that stays short is the new list: after so many failed polls in a row (1 + 2 + 4 + 8 + 16 hours of back-off) it is taken as it is.
PATIENCE = 5
MAX_BODY = 10_000_000  # bytes of a page that are parsed; 100,000 cards are 8 MB and take 1 to 3 s
MAX_ENTRIES = 3_000  # articles; the labs' own listings show 10 to 60
MIN_MARKUP = 3  # articles in the markup; with less (a hero) the page is filled by scripts, and its data is read as well

# What changes with every build or visit of a page and says nothing: the tags that load scripts, styles and icons, tokens, build ids.
_BUILD = re.compile(
    rb'<(?:script|link|meta)\b[^>]{0,2000}>|"buildId":\s?"[^"]{0,200}"|<!--[^>]{0,500}-->|\bnonce="[^"]{0,200}"', re.IGNORECASE
)

# How a page looks that is not the page: its <title> or <h1> begins so.
_GONE = re.compile(
    r"(?:error\s)?404\b|(?:error:?\s)?(?:page|site|content)?\s?not found\b"
    r"|(?:this|the|that) page (?:can.?t|could not|does not|doesn.?t|isn.?t)\b|oops\b|access denied\b|forbidden\b"
    r"|(?:under|scheduled) maintenance\b|internal server error\b|service unavailable\b",
    re.IGNORECASE,
)
_CHALLENGE = re.compile(
    r"just a moment|checking your browser|verify(?:ing)? (?:that )?you are (?:a )?human|attention required|one moment, please",
    re.IGNORECASE,
)
_SCRIPT_ONLY = re.compile(r"(?:enable|requires?|need|turn on|without)\W{1,3}(?:to enable )?javascript", re.IGNORECASE)


def configure(table: Any) -> tuple[None, dict[str, object]]:
    """Check that ``links`` says which links are articles."""
    words = table.values.get("links", "").split()
    if not any(not word.startswith("!") for word in words):
        raise table.error('a page needs links: how the paths of its articles begin, like links = "/research/"', "links" if words else "")
    for word in words:
        if not re.fullmatch(r"(?:https?://[\w.-]+)?/\S*", word.removeprefix("!")):
            raise table.error(
                f'links: "{word}" must be the beginning of a path, like "/research/" (or of a whole URL on another host)', "links"
            )
    return None, {}


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for the page; yield one, without entries when it is not modified or says the same as last time.

    ``cursor`` remembers how many articles were listed, and by which ``links``: when those were edited, the page is read afresh.

    Raises:
        SourceError: ``layout_changed`` when it lists less than ``MIN_SHARE`` of last time; the state stays as it was.
    """
    wanted = str(source.options.get("links", ""))
    before = _listed(state.cursor, wanted)
    response = get(Request(source.url, state.etag, state.last_modified) if before else Request(source.url))
    if response.status == 304:
        yield page_of(response, None, state.body_hash)
        return
    hashed = _fingerprint(response)
    if before and hashed == state.body_hash and not response.truncated:
        yield page_of(response, None, hashed)
        return
    parsed = parse(response)
    count = len(parsed.entries)
    if not response.truncated and count < before * MIN_SHARE and not _waited(state):
        raise SourceError(
            "layout_changed", f"{response.url} lists {count} articles, {before} last time; look at the page, then at `links` of the source"
        )
    yield page_of(response, parsed, hashed, cursor=json.dumps({"count": count, "links": wanted}))


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the articles a page lists, in document order, one a URL.

    Raises:
        ParseError: ``layout_changed`` when it lists none, or is no list at all (not found, a challenge, an empty shell for scripts).
    """
    wanted = links.Pattern(str(source.options.get("links", "")), source.url, url)
    root = links.tree(body[:MAX_BODY], charset)
    if root is None:
        raise ParseError("layout_changed", f"{url} answered with nothing that could be read as a page")
    posts = embedded.posts(links.take_scripts(root))
    if no_list := _no_list(root):
        raise ParseError("layout_changed", f"{url} {no_list}")
    found = links.links(root, wanted, wanted.base(root), MAX_ENTRIES + 1)
    entries = [*cards.entries(root, found, posts, wanted)]
    if len(entries) < MIN_MARKUP:
        entries += cards.from_data(posts, wanted, found)
    if not entries:
        raise ParseError("layout_changed", f"{url} {_nothing(root, wanted)}")
    if sum(entry.title == entry.url for entry in entries) > len(entries) / 2:
        raise ParseError("layout_changed", f"{url} lists {len(entries)} links and hardly any title; its cards are built otherwise now")
    problem = "too_large" if len(body) > MAX_BODY else "too_many_items" if len(entries) > MAX_ENTRIES else None
    return Parsed(tuple(entries[:MAX_ENTRIES]), problem=problem)


def _listed(cursor: str | None, wanted: str) -> int:
    """How many articles the page listed last time; 0 when it was never read, or read for other links."""
    try:
        known = json.loads(cursor or "{}")
        return int(known["count"]) if known.get("links") == wanted else 0
    except (ValueError, KeyError, TypeError, AttributeError):
        return 0


def _waited(state: State) -> bool:
    return state.fails >= PATIENCE and (state.last_error or "").startswith("layout_changed")


def _fingerprint(response: Response) -> str:
    return hashlib.sha256(_BUILD.sub(b"", response.body)).hexdigest()[:32]


# -- what is no list --------------------------------------------------------------------------------


def _no_list(root: links.Element) -> str:
    """What a page says of itself when it is not the list; "" for a list."""
    for element in islice(root.iter("title", "h1"), 3):
        words = links.text_of(element)
        if _CHALLENGE.match(words):
            return f'answered with a challenge for browsers ("{text.one_line(words, 60)}"), not with the list'
        if _GONE.match(words):
            return f'says "{text.one_line(words, 60)}" although the server calls that a success'
    return ""


def _nothing(root: links.Element, wanted: links.Pattern) -> str:
    words = links.text_of(root)
    if _SCRIPT_ONLY.search(words):
        return "shows its list to browsers with JavaScript only now"
    return f"lists no link that fits {wanted.described or 'links'}; it was redesigned, or `links` of the source should say something else"
