"""Cards: the title, day and summary that a page shows around each article link.

in   the article links of a page, the data in its scripts
out  one entry a link; a title that is the URL itself says that none was found
A card is the largest element around a link that holds no link to another article. Its class names mean nothing for longer than a build;
headings, ``time``, ``aria-*`` and the order of texts do.
Surprising: dates and categories stand glued to titles (``Aug 18, 2026ScienceHow …``), so every title is cleaned of what else the page
prints as a label.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from tracker import text, urls
from tracker.pollers.listing import days
from tracker.pollers.listing.embedded import Post
from tracker.pollers.listing.links import Element, Links, Pattern, parents, text_of
from tracker.types import Entry

__all__ = ["cleaned", "entries", "from_data", "speaks"]

CLIMB = 12  # levels a card may reach above its link
MAX_PARTS = 200  # elements of one card that are looked at
MAX_SUMMARY = 2_000
MIN_SUMMARY = 25  # characters; less is a label (category, author, "5 min read")
MAX_LABEL = 30

# Elements that hold several cards, even on a day when there is only one.
_CONTAINERS = frozenset("body html main ul ol dl table tbody nav form".split())
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_TITLE_CLASS = re.compile(r"(?<!sub)(?<!sub-)(?:title|headline|heading)(?!s)", re.IGNORECASE)
# Texts that lead to an article or stand above it, but never are its title.
_GENERIC = re.compile(
    r"(?:read|learn|see|view|show|discover|find out|continue)(?: (?:more|on|now|post|reading|article|blog|story|paper|report|all"
    r"|the (?:full )?(?:post|story|paper|article|report|blog)|about it))*|more|details|open|link|here|(?:\d+ )?min(?:ute)?s? read"
    r"|featured|latest|new|news|blog|research|all posts|(?:latest|recent|featured|all|more|top|related) (?:posts?|news|stories|articles"
    r"|research|publications?|updates?)|paper|pdf|arxiv|code|github|\W*",
    re.IGNORECASE,
)
_LABEL_VERBS = re.compile(r"(?:read|learn|see)(?: more)?(?: about| on)?:?\s+(?=\S)", re.IGNORECASE)  # aria-label="Read How …"
# Categories that labs glue to their titles. What a page prints as a label of its own (filters, tags) counts as well.
_CATEGORIES = frozenset(
    "Alignment|Announcement|Announcements|Case Study|Company|Company News|Economic Research|Education|Engineering|Event|Events|Featured"
    "|Frontier Red Team|Interpretability|Model|News|Policy|Press Release|Product|Publication|Report|Research|Safety|Science"
    "|Societal Impacts|Technical".split("|")
)
_QUOTES = '“‘"«'
_YEAR_IN_PATH = re.compile(r"/(20\d\d(?:/(?:0[1-9]|1[0-2])(?=/))?)/")
_UPDATED = re.compile(r"updat|modif|edited", re.IGNORECASE)
_ON = re.compile(r"(?:\b(?:of|on|from|until|by|since|to|through|in|at|for|before|after|and)|[,(])\s*$", re.IGNORECASE)


@dataclass(slots=True)
class _Page:
    """What the whole page tells about each card: who owns which element, its labels, the dates that stand above links."""

    owners: dict[Element, str | None]
    labels: Counter[str] = field(default_factory=Counter)
    above: dict[Element, str] = field(default_factory=dict)
    ids: dict[str, Element] = field(default_factory=dict)


@dataclass(slots=True)
class _Card:
    """An element around a link to an article, and its texts in order."""

    element: Element
    anchors: list[Element]
    blocks: list[tuple[Element, str]]
    above: str = ""


def entries(root: Element, links: Links, posts: Sequence[Post], pattern: Pattern) -> Iterator[Entry]:
    """Yield an entry for each link, in document order."""
    page = _survey(root, links)
    known = _posts_by_key(posts, links, pattern)
    for key, (url, anchors) in links.items():
        yield _entry(url, _cards(key, anchors, page), known.get(key, Post()), page)


def from_data(posts: Sequence[Post], pattern: Pattern, links: Links) -> Iterator[Entry]:
    """Yield an entry for each post that only the page's scripts know, one a URL."""
    seen = set(links)
    for post in posts:
        href = post.url or (f"{pattern.prefix}{post.slug}" if pattern.prefix and (post.day or post.text) else "")
        found = pattern.match(href, pattern.pages[-1]) if href and post.title else None
        if found and found[0] not in seen:
            seen.add(found[0])
            yield _entry(found[1], [], post, _Page({}))


def _entry(url: str, cards: list[_Card], post: Post, page: _Page) -> Entry:
    title, glued = _title(cards, post, page)
    written, day = _day(cards, post, title, page) or ("", glued)
    raw = written or (day or "")[:10] or _unread(cards) or _year(url)
    summary = _summary(cards, title) or text.plain(post.text, MAX_SUMMARY)
    own = urls.own_key(url)
    hrefs = (anchor.get("href") or "" for card in cards for anchor in card.element.iter("a"))
    papers = {key for href in hrefs if (key := urls.own_key(href[:500]))}
    return Entry(
        text.one_line(title) or url,
        url,
        text=summary,
        published_at=day,
        published_raw=text.one_line(raw, 100) or None,
        own_key=own,
        links=tuple(sorted(papers - {own})),
    )


# -- the page as a whole ----------------------------------------------------------------------------


def _survey(root: Element, links: Links) -> _Page:
    """Mark every element around a link with the article it belongs to (None: several), and walk the page once."""
    page = _Page({})
    for key, (_, anchors) in links.items():
        for element in (around for anchor in anchors for around in (anchor, *parents(anchor, CLIMB))):
            if page.owners.setdefault(element, key) != key:
                page.owners[element] = None
    carriers = {anchor for _, anchors in links.values() for anchor in anchors}
    wanted = {word for anchor in carriers for word in _labelled_by(anchor)}
    above = ""
    for element in root.iter():
        name = element.get("id")
        if name in wanted:
            page.ids.setdefault(name, element)
        if element in carriers:
            page.above[element] = above
        elif (words := (element.text or "").strip()) and len(words) <= MAX_LABEL and len(element) == 0:
            page.labels[words] += 1
            above = _heading(element, words, page) or above
    first = next(iter(links.values()), ("", []))[1]
    if not any(page.above.get(anchor) for anchor in first):
        page.above.clear()  # nothing stands above the first link: dates stand below, and what is above a link is its neighbour's
    return page


def _labelled_by(anchor: Element) -> list[str]:
    return (anchor.get("aria-labelledby") or "").split()[:4]


def _heading(element: Element, words: str, page: _Page) -> str:
    """A year, a month or a day under which links stand; "" for other words, and for what is part of a card."""
    if not (days.heading(words) or (element.tag in {*_HEADINGS, "th", "dt"} and days.whole(words))):
        return ""
    return "" if any(page.owners.get(around) for around in (element, *parents(element, CLIMB))) else words


def _posts_by_key(posts: Sequence[Post], links: Links, pattern: Pattern) -> dict[str, Post]:
    """The posts of the page's data by canonical URL; a slug belongs to the one link that ends in it."""
    ends = Counter(key.rsplit("/", 1)[-1] for key in links)
    slugs = {end: key for key in links if ends[end := key.rsplit("/", 1)[-1]] == 1}
    known: dict[str, Post] = {}
    for post in posts:
        found = pattern.match(post.url, pattern.pages[-1]) if post.url else None
        key = found[0] if found else slugs.get(post.slug.strip("/").rsplit("/", 1)[-1])
        if key in links:
            old = known.setdefault(key, post)
            known[key] = replace(old, title=old.title or post.title, day=old.day or post.day, text=old.text or post.text)
    return known


def _cards(key: str, anchors: list[Element], page: _Page) -> list[_Card]:
    """The cards of one article, each once."""
    found: dict[Element, _Card] = {}
    for anchor in anchors:
        element = anchor
        for around in parents(anchor, CLIMB):
            if around.tag in _CONTAINERS or page.owners.get(around) != key:
                break
            element = around
        if element in found:
            found[element].anchors.append(anchor)
        else:
            found[element] = _Card(element, [anchor], _blocks(element), page.above.get(anchor, ""))
    return list(found.values())


def _blocks(element: Element) -> list[tuple[Element, str]]:
    """The texts of an element in order: every element that has words of its own, with all that is in it, but for ``time``."""
    blocks, todo, left = [], [element], MAX_PARTS
    while todo and left:
        part, left = todo.pop(), left - 1
        if not speaks(part):
            todo.extend(reversed(part[:MAX_PARTS]))
            continue
        words, times = text_of(part), [inner for inner in part.iter("time") if inner is not part][:5]
        for time in times:
            words = words.replace(text_of(time), " ", 1)
        blocks.append((part, " ".join(words.split())))
        todo.extend(reversed(times))
    return blocks


def speaks(element: Element) -> bool:
    """Whether an element has words of its own; signs between its children (``·``) are none."""
    return any(map(str.isalnum, element.text or "")) or any(any(map(str.isalnum, child.tail or "")) for child in element[:MAX_PARTS])


# -- titles -----------------------------------------------------------------------------------------


def _title(cards: list[_Card], post: Post, page: _Page) -> tuple[str, str | None]:
    """The title ("" if there is none), and the day that was glued to it."""
    for words, sure in _titles(cards, post, page):
        title, day = cleaned(text.one_line(words), page.labels, sure=sure)
        if not _GENERIC.fullmatch(title) and not days.whole(title):
            return title, day
    return "", None


def _titles(cards: list[_Card], post: Post, page: _Page) -> Iterator[tuple[str, bool]]:
    """What may be the title, best first, and whether the page itself calls it one (then a date in it may be meant)."""
    anchors = [anchor for card in cards for anchor in card.anchors]
    for anchor in anchors:
        yield from ((_without_dates(heading), True) for heading in anchor.iter(*_HEADINGS))
        yield " ".join(text_of(page.ids[name]) for name in _labelled_by(anchor) if name in page.ids), True
    for card in cards:
        yield from ((_without_dates(heading), True) for heading in card.element.iter(*_HEADINGS))
    for card in cards:
        yield from ((words, False) for part, words in card.blocks if _called_title(part, card.element))
    yield text.plain(post.title, text.MAX_TITLE), True
    for anchor in anchors:
        yield _likeliest(_blocks(anchor), page.labels), False
    for anchor in anchors:
        yield _LABEL_VERBS.sub("", anchor.get("aria-label") or anchor.get("title") or "", count=1), False
    for card in cards:
        yield from ((text_of(before), True) for before in _before(card.element, page))
    yield from ((picture.get("alt") or "", False) for card in cards for picture in card.element.iter("img"))


def _without_dates(heading: Element) -> str:
    """The text of a heading without the elements in it that are a date and nothing else."""
    words = text_of(heading)
    for part in [*heading.iterdescendants()][:20]:
        if days.whole(inner := text_of(part)):
            words = words.replace(inner, " ", 1)
    return words


def _called_title(part: Element, card: Element) -> bool:
    around = part.getparent() if part is not card else None
    return any(_TITLE_CLASS.search(element.get("class") or "") for element in (part, around) if element is not None)


def _likeliest(blocks: list[tuple[Element, str]], labels: Counter[str]) -> str:
    """Of the texts in a link: the first that is long enough for a title, else the longest, dates and categories left out."""
    words = [words for _, words in blocks if words not in _CATEGORIES and labels[words] < 3 and not days.whole(words)]
    return next((one for one in words if len(one.split()) >= 4 or len(one) > MAX_LABEL), max(words, key=len, default=""))


def _before(element: Element, page: _Page) -> list[Element]:
    """The heading that stands right before a card, at most three elements away and in no other card."""
    for _ in range(3):
        element = element.getprevious()
        if element is None or element in page.owners:
            return []
        if element.tag in _HEADINGS:
            return [element]
    return []


def cleaned(words: str, labels: Counter[str], *, sure: bool) -> tuple[str, str | None]:
    """Return a title without the date and category glued to its front or end, and that date.

    Args:
        labels: texts that stand on many cards of the page: its categories.
        sure: the page itself calls it a title, so a date in it may be meant.
    """
    dates = [*days.find(words[:300])]
    if not dates:
        return words, None
    start, end, day = dates[0]
    before, rest = words[:start].strip(days.AROUND), words[end:]
    glued = bool(rest) and (rest[0].isalnum() or rest[0] in _QUOTES)
    if _is_label(before, labels) and rest.strip(days.AROUND) and (before or glued or not sure):
        return _unlabelled(rest.lstrip(days.AROUND), labels), day
    start, end, day = dates[-1]
    front, after = words[:start], words[end:].strip(days.AROUND)
    if front and _is_label(after, labels) and not _ON.search(front) and (not sure or front[-1].isalnum()):
        return front.rstrip(days.AROUND), day
    return words, None


def _is_label(words: str, labels: Counter[str]) -> bool:
    return not words or words in _CATEGORIES or (len(words) <= MAX_LABEL and labels[words] > 0)


def _unlabelled(words: str, labels: Counter[str]) -> str:
    """``ScienceHow …`` → ``How …``: a label of the page in front, without a space or with a sign behind it."""
    for size in range(min(MAX_LABEL, len(words) - 1), 2, -1):
        if words[size - 1].isalnum() and _begins(words[size:]) and _is_label(words[:size], labels):
            return words[size:].lstrip(days.AROUND)
    return words


def _begins(rest: str) -> bool:
    """Whether a title may begin here: glued to what is before, or behind a sign."""
    follows = rest.lstrip()[:1]
    return bool(follows) and (follows in "·•|" or (rest[0] == follows and (follows.isupper() or follows.isdigit() or follows in _QUOTES)))


# -- days and summaries -----------------------------------------------------------------------------


def _day(cards: list[_Card], post: Post, title: str, page: _Page) -> tuple[str, str] | None:
    """(as written, instant) of the first date that can be read: attributes, labels, the page's data, a sentence, the date above."""
    for written, day in _days(cards, post, title, page):
        if day:
            return written, day
    return None


def _days(cards: list[_Card], post: Post, title: str, page: _Page) -> Iterator[tuple[str, str | None]]:
    labels = [(words, card.above) for card in cards for part, words in card.blocks if not _UPDATED.search(words) and not _is_update(part)]
    for card in cards:
        yield from ((written, days.whole(written)) for written in _attributes(card.element))
    for words, above in labels:
        yield words, days.whole(words)
        yield f"{words} {above}", days.with_year(words, above)
    yield post.day, post.published_at
    glued = (cleaned(words[:1_000], page.labels, sure=False) for words, _ in labels if title in words and title != words)
    yield from ((day[:10], day) for _, day in glued if day)
    for words, _ in labels:  # "Published Jun 12, 2026 · 5 min read"
        dates = [*days.find(words)] if len(words) <= 60 and title not in words else []
        yield from ((words, day) for _, _, day in dates if len(dates) == 1)
    yield from ((card.above, days.whole(card.above)) for card in cards)


def _unread(cards: list[_Card]) -> str:
    """What is written like a date and cannot be read as a day, in a card or above it."""
    written = (words for card in cards for _, words in card.blocks if days.looks_like_one(words))
    return next(written, "") or next((card.above for card in cards if card.above), "")


def _attributes(element: Element) -> Iterator[str]:
    for part in islice(element.iter(), MAX_PARTS):
        published = part.tag == "data" or "datePublished" in (part.get("itemprop") or "")
        for name in ("datetime", "data-date", "data-published", *(("value", "content") if published else ())):
            if (written := part.get(name)) and not _is_update(part):
                yield written


def _is_update(part: Element) -> bool:
    """Whether an element says of itself that it shows when something was last changed."""
    return bool(_UPDATED.search(f"{part.get('class') or ''} {part.get('itemprop') or ''}"[:300]))


def _year(url: str) -> str:
    found = _YEAR_IN_PATH.search(url)
    return found[1] if found else ""


def _summary(cards: list[_Card], title: str) -> str:
    """The longest text of the cards that is neither the title nor a label."""
    known = text.fold(title)
    texts = [
        words
        for card in cards
        for part, words in card.blocks
        if len(words) >= (60 if any(days.find(words[:60])) else MIN_SUMMARY)
        and not _in_heading(part)
        and not _repeats(text.fold(words[:1_000]), known)
    ]
    return text.one_line(max(texts, key=len, default=""), MAX_SUMMARY)


def _in_heading(part: Element) -> bool:
    return any(around.tag in _HEADINGS for around in (part, *parents(part, 3)))


def _repeats(words: str, title: str) -> bool:
    """Whether a text is the title with a date, a category or an author around it."""
    return bool(title) and title in words and len(words) < len(title) + 60
