"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/), as the raw entries that feedparser gives of other feeds.

in   the text of a document that begins like JSON
out  one mapping an item, and how many items say nothing; of a document that breaks off, the complete items
Surprising: whatever has the wrong type counts as missing, so that one wrong value costs neither its item nor the feed; but a number is
a text, as it was written, since an id of a thousand digits is an id.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tracker.errors import ParseError

__all__ = ["Items", "items"]

_ITEMS = re.compile(r'"items"\s{0,1000}:\s{0,1000}\[')
_SAYING = "id url external_url title content_html content_text summary".split()  # an item with none of these is none
_BETWEEN = re.compile(r"[\s,]{0,10000}")
_VERSION = re.compile(r'"version"\s{0,1000}:\s{0,1000}"[^"]{0,100}jsonfeed\.org', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Items:
    """What a JSON feed lists: ``raw`` entries, and how many items could not be read. ``cut``: the document broke off."""

    raw: tuple[Mapping[str, Any], ...]
    bad: int = 0
    cut: bool = False


def items(document: str, url: str) -> Items:
    """Return the items of a JSON feed.

    Raises:
        ParseError: ``not_a_feed`` (other JSON), ``malformed`` (a feed whose list of items is none), ``too_deep``.
    """
    try:
        feed = _DECODER.decode(document)
    except RecursionError:
        raise ParseError("too_deep", f"{url}: it is nested too deeply to be read") from None
    except ValueError as error:
        if not _VERSION.search(document):
            raise ParseError("not_a_feed", f"{url} answered with JSON that breaks off or is none, not with a feed") from error
        return _sorted([*_complete(document)], url, cut=True)
    if not _is_feed(feed):
        raise ParseError("not_a_feed", f"{url} answered with JSON, not with a feed")
    listed = feed.get("items", [])
    if not isinstance(listed, list):
        raise ParseError("malformed", f"{url}: the items of this JSON feed are no list")
    return _sorted(listed, url, cut=False)


# Numbers as written: of more than 4,300 digits Python makes no int, and 1e999 and NaN are no dates and no ids either.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda _: None)


def _is_feed(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return "jsonfeed.org" in str(value.get("version")) or ("feed_url" in value and isinstance(value.get("items"), list))


def _complete(document: str) -> Iterator[Any]:
    """The items before a document breaks off."""
    start = _ITEMS.search(document)
    at = start.end() if start else len(document)
    while True:
        try:
            value, at = _DECODER.raw_decode(document, _BETWEEN.match(document, at).end())  # type: ignore[union-attr]  # fits anything
        except (ValueError, RecursionError):
            return
        yield value


def _sorted(listed: list[Any], url: str, *, cut: bool) -> Items:
    good = [_entry(item, url) for item in listed if any(_word(item, name) for name in _SAYING)]
    return Items(tuple(good), len(listed) - len(good), cut)


def _entry(item: Mapping[str, Any], url: str) -> Mapping[str, Any]:
    """The item under the names of feedparser. Titles and summaries are plain text here: a ``<`` in them is a sign."""
    link, elsewhere = _word(item, "url"), _word(item, "external_url")
    via = f'\n<a href="{html.escape(elsewhere)}"></a>' if link and elsewhere else ""
    content = _word(item, "content_html") or html.escape(_word(item, "content_text"))
    names = [_word(author, "name") for author in _authors(item)]
    return {
        "id": _word(item, "id"),
        "link": link or elsewhere,
        "title": html.escape(_word(item, "title")),
        "summary": html.escape(_word(item, "summary")),
        "content": [{"value": content + via, "base": url}],
        "authors": [{"name": name} for name in names if name],
        "published": _word(item, "date_published"),
        "updated": _word(item, "date_modified"),
    }


def _word(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _authors(item: Mapping[str, Any]) -> list[Any]:
    """``authors`` of 1.1, ``author`` of 1.0."""
    authors = item.get("authors")
    return authors if isinstance(authors, list) else [item.get("author")]
