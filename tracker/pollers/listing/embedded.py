"""Data in the scripts of a page: JSON-LD, Next.js (``__NEXT_DATA__``, ``self.__next_f`` pushes), any ``application/json``.

in   the scripts of a page as (type, text)
out  the posts they speak of: each with a URL or a slug, and a title, a day or both
What is not JSON is passed over: a page's data may be broken, its markup still counts. Nothing here knows what an article link is.
Surprising: creation and modification times are no publication dates, and are not read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracker.pollers.listing import days

__all__ = ["Post", "posts"]

MAX_NODES = 300_000  # values looked at in all scripts of a page, about a second
MAX_FAILURES = 50  # places of a payload at which reading JSON may fail: each may cost its whole length

# Names under which sites keep what we want, best first: schema.org, Sanity (publishedOn), Ghost (published_at), WordPress and others.
_URL = ("url", "href", "link", "permalink", "canonicalUrl", "@id", "path")
_SLUG = ("slug",)
_TITLE = ("headline", "title", "name")
_DAY = tuple("datePublished publishedOn published_at publishedAt publishDate publicationDate date_published pubDate date".split())
_TEXT = ("description", "summary", "excerpt", "custom_excerpt", "subtitle")
_INSIDE = ("current", "rendered", "@id")  # Sanity: {"slug": {"current": …}}, WordPress: {"title": {"rendered": …}}

_PUSH = re.compile(r'self\.__next_f\.push\(\[1,\s*("(?:[^"\\]++|\\.)*+")\]\)')
_ROW = re.compile(r"(?:^|[0-9a-f]{1,6}:|\n)(?=[\[{])")  # of a flight payload: hexadecimal id, colon, JSON


@dataclass(frozen=True, slots=True)
class Post:
    """What the data says of a post; ``title`` and ``text`` may hold markup. At least ``url`` or ``slug`` is set."""

    url: str = ""
    slug: str = ""
    title: str = ""
    day: str = ""  # as written
    text: str = ""

    @property
    def published_at(self) -> str | None:
        """The day as an instant, if it can be read."""
        return days.whole(self.day)


def posts(scripts: Iterable[tuple[str, str]]) -> list[Post]:
    """Return the posts in the order in which the scripts name them, repetitions included."""
    left, found = MAX_NODES, []
    for value in _values(list(scripts)):
        todo = [value]
        while todo and left:
            node, left = todo.pop(), left - 1
            if isinstance(node, dict):
                found += [post] if (post := _post(node)) else []
                todo.extend(reversed(list(node.values())[:10_000]))
            elif isinstance(node, list):
                todo.extend(reversed(node))
    return found


def _values(scripts: list[tuple[str, str]]) -> Iterator[Any]:
    """The JSON documents in the scripts; a stream that was pushed in pieces is put together first."""
    for kind, text in scripts:
        if "json" in kind:
            yield from _loads(text)
    flight = "".join(piece for _, text in scripts if "__next_f" in text for push in _PUSH.finditer(text) for piece in _loads(push[1]))
    decoder, failures, end = json.JSONDecoder(), 0, 0
    for row in _ROW.finditer(flight):
        if row.end() < end or failures > MAX_FAILURES:
            continue
        try:
            value, end = decoder.raw_decode(flight, row.end())
        except (ValueError, RecursionError):
            failures += 1
        else:
            yield value


def _loads(text: str) -> Iterator[Any]:
    try:
        yield json.loads(text)
    except (ValueError, RecursionError):
        return


def _post(node: Mapping[str, Any]) -> Post | None:
    post = Post(*(_text(node, names) for names in (_URL, _SLUG, _TITLE, _DAY, _TEXT)))
    return post if (post.url or post.slug) and (post.title or post.day) else None


def _text(node: Mapping[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = node.get(name)
        if isinstance(value, dict):
            value = next((value[key] for key in _INSIDE if key in value), None)
        if isinstance(value, str) and value.strip():
            return value.strip()[:4_000]
    return ""
