"""Chosen cards: for pages that ``cards`` cannot read, the source says by CSS selectors where a card is and what stands in it.

in   the tree of a page, the selectors of its source (``KEYS``)
out  one entry an article; what no selector is given for is found as on any page
knows no default. Surprising: a selector that fits nothing is not passed over: the page has changed, and the error names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from tracker import text
from tracker.errors import ParseError
from tracker.pollers.listing import cards, days
from tracker.pollers.listing.embedded import Post
from tracker.pollers.listing.links import Element, Links, Pattern, text_of
from tracker.types import Entry

__all__ = ["KEYS", "entries", "wrong"]

KEYS: Mapping[str, type] = {"card": str, "title_at": str, "date_at": str, "link_at": str}


def wrong(selector: str) -> str | None:
    """Return why a text is no CSS selector that can be used; None when it can."""
    try:
        _path(selector)
    except ValueError as error:
        return text.one_line(str(error), 200) or "it is empty"
    return None


def entries(root: Element, selectors: Mapping[str, str], posts: Sequence[Post], pattern: Pattern, url: str, limit: int) -> list[Entry]:
    """Return an entry for each card that holds a link to an article, in document order, one a URL.

    Raises:
        ParseError: ``layout_changed`` when a selector fits nothing on the whole page.
    """
    found = [*islice(root.xpath(_path(selectors["card"])), limit)]
    if not found:
        raise _fits_nothing(url, "card", selectors)
    parts = {name: [_inside(card, selectors[name]) for card in found] for name in ("link_at", "title_at", "date_at") if name in selectors}
    for name, inside in parts.items():
        if not any(inside):
            raise _fits_nothing(url, name, selectors)
    base = pattern.base(root)
    linked: Links = {}
    places: dict[str, int] = {}
    for place, card in enumerate(found):
        for anchor in parts["link_at"][place] if "link_at" in parts else [card, *card.iter("a")]:
            if match := pattern.match((anchor.get("href") or "").strip(), base):
                linked.setdefault(match[0], (match[1], []))[1].append(anchor)
                places.setdefault(match[0], place)
                break
    listed = zip(linked, cards.entries(root, linked, posts, pattern), strict=True)
    return [_told(entry, {name: inside[places[key]] for name, inside in parts.items()}) for key, entry in listed]


def _told(entry: Entry, parts: Mapping[str, list[Element]]) -> Entry:
    """The entry with the title and the day that the selectors point at, where they point at something."""
    title = next((words for part in parts.get("title_at", ()) if (words := text.one_line(text_of(part)))), entry.title)
    written = next((words for part in parts.get("date_at", ()) if (words := _written(part))), "")
    if not written:
        return replace(entry, title=title)
    dates = [*days.find(written[:300])]
    day = days.whole(written) or (dates[0][2] if len(dates) == 1 else None)
    return replace(entry, title=title, published_at=day, published_raw=text.one_line(written, 100))


def _written(part: Element) -> str:
    return next((said for name in ("datetime", "content", "data-date") if (said := part.get(name))), "") or text_of(part)


def _inside(card: Element, selector: str) -> list[Element]:
    return [*islice(card.xpath(_path(selector)), 20)]


def _path(selector: str) -> str:
    """The selector as XPath; ``ValueError`` (cssselect's errors are such) for what is none."""
    from cssselect import HTMLTranslator, SelectorError

    try:
        return str(HTMLTranslator().css_to_xpath(selector, prefix="descendant-or-self::"))
    except SelectorError as error:
        raise ValueError(str(error)) from None


def _fits_nothing(url: str, name: str, selectors: Mapping[str, str]) -> ParseError:
    return ParseError("layout_changed", f'{url} has nothing that fits {name} = "{selectors[name]}" of the source; look at the page')
