"""Prose: the main text of a page, without what stands around it.

in   the tree of a page whose scripts were taken out
out  the element that holds the article, stripped; its lines, one a paragraph
refuses to know sites, meta data and what the text says; total, in time linear in the page. First goes what is no prose: menus, footers,
forms, cards that are nothing but links. Then downwards from the root, for as long as one child holds most of the words: where they part
is the article.
Surprising: what holds half of all words is never boilerplate, whatever it is called: think of ``<body class="has-sidebar">``; nor is what
holds prose, unless its whole name says so: "related-posts" is a frame, "related-work" a chapter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from tracker import text
from tracker.pollers.listing.links import Element

__all__ = ["LONG", "lines", "strip", "trunk"]

MAX_SHARE = 0.5  # of all words; what holds more is the page, not a part of its frame
MOST = 0.7  # of the words in an element; a child that holds them takes its place
LINKED = 0.6  # of the letters in an element are links: a menu, related posts, tags
LONG = 80  # characters outside links: a paragraph, not a label
CARDS, CARD = 3, 500  # so many neighbours, each of at most so many characters around links to one place, are a list of other posts
TITLED = 0.2  # of a card's letters are its link; less is a paragraph with a reference

_FRAME_TAGS = frozenset("nav footer aside form button dialog menu label input noscript".split())
_FRAME_ROLES = frozenset("navigation banner contentinfo complementary dialog alertdialog search menu menubar".split())
# Words of class and id, as sites write them: "related-posts", "PostList_related__x1", "siteFooter"; and what such a name says besides.
_FRAME_WORDS = frozenset(
    "nav navbar navigation menu footer sidebar related recommended recommendations share sharing social cookie cookies consent newsletter "
    "subscribe subscription signup comment comments breadcrumb breadcrumbs promo banner toc widget popup modal pagination pager skip cta "
    "advert advertisement sponsor paywall tooltip".split()
)
_NEUTRAL = frozenset(
    "site main page post posts article articles blog global list item items row card cards grid block box bar area section "
    "wrapper wrap container inner outer root content contents link links button buttons icons media notice banner form title left "
    "right top bottom".split()
)
_WORD = re.compile(r"[A-Z]?[a-z]+")
_BUILT = re.compile(r"__(?=\w{0,9}[0-9A-Z])[\w-]{2,12}(?=\s|$)")  # what builders of style sheets append to a name
_SHOWN_AGAIN = re.compile(r":(?:block|flex|grid|table|contents|inline[\w-]{0,12})$")  # "hidden md:block": on a wide screen it is shown
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")  # are named after what they say
_CARD_TAGS = frozenset("div article section li a".split())
_GROUPS = frozenset("ul ol div section table article header p li dl".split())
_BLOCKS = (
    "address article blockquote br dd details div dl dt figcaption figure h1 h2 h3 h4 h5 h6 header hr li main ol p pre section table td "
    "th time tr ul"
).split()
# Short lines at the end of an article that lead elsewhere.
_TAIL = re.compile(
    r"(?:related|recommended|read (?:more|next)|more (?:from|on|posts|stories)|latest|recent|keep reading|you (?:may|might)|share|subscribe"
    r"|back to|footnotes?$|next$|previous$|copy link)\b",
    re.IGNORECASE,
)


def strip(root: Element) -> None:
    """Remove the frame of a page, and within the article what only links."""
    sizes = _sizes(root)
    whole = sizes[root][0]
    doomed: dict[Element, set[Element]] = {}  # by parent
    for element in root.iter():
        words, linked = sizes.get(element, (0, 0))
        parent = element.getparent()
        if parent is None or words > whole * MAX_SHARE:
            continue
        if _is_frame(element, words - linked) or _only_links(element, words, linked) or _is_list(element, sizes):
            doomed.setdefault(parent, set()).add(element)
    for parent, elements in doomed.items():
        _drop(parent, elements)


def trunk(root: Element) -> Element:
    """Return the smallest element that holds most of the words; of an article that is marked as one, in it."""
    sizes = _sizes(root)
    marked = _marked(root, sizes)
    element = root if marked is None else marked
    while True:
        words, linked = sizes[element]
        prose = words - linked
        heavy = max(element, key=lambda child: _prose(sizes, child), default=None)
        if heavy is None or not prose or heavy.tag in ("p", "li", "span", "a") or _prose(sizes, heavy) < prose * MOST:
            return element
        element = heavy


def lines(element: Element, limit: int = text.MAX_TEXT) -> list[str]:
    """Return the paragraphs of an element as printable lines, at most ``limit`` characters in all; links that end it are left out."""
    for block in element.iter(*_BLOCKS):
        block.text, block.tail = f"\n{block.text or ''}", f"\n{block.tail or ''}"
    found, size = [], 0
    for line in _folded(element):
        found.append(line[: limit - size])
        size += len(line) + 1
        if size >= limit:
            break
    while found and len(found[-1]) < LONG and _TAIL.match(found[-1]):
        found.pop()
    return found


def _marked(root: Element, sizes: dict[Element, tuple[int, int]]) -> Element | None:
    """The ``<article>`` that holds the page's heading, or the only one if it is no teaser beside the prose."""
    found = [element for element in root.iter("article") if all(parent.tag != "article" for parent in element.iterancestors())]
    headed = [element for element in found if next(element.iter("h1"), None) is not None]
    large = [element for element in found if _prose(sizes, element) >= _prose(sizes, root) * MAX_SHARE]
    return next((some[0] for some in (headed, large) if len(some) == 1), None)


def _folded(element: Element) -> Iterator[str]:
    whole = text.printable("".join(element.itertext()))
    return (folded for line in whole.split("\n") if (folded := " ".join(line.split())))


def _sizes(root: Element) -> dict[Element, tuple[int, int]]:
    """Letters in each element, and how many of them are links."""
    sizes: dict[Element, tuple[int, int]] = {}
    for element in reversed(list(root.iter())):  # children before their parents
        words = len((element.text or "").strip()) + sum(len((child.tail or "").strip()) + sizes[child][0] for child in element)
        linked = words if element.tag == "a" else sum(sizes[child][1] for child in element)
        sizes[element] = words, linked
    return sizes


def _prose(sizes: dict[Element, tuple[int, int]], element: Element) -> int:
    words, linked = sizes[element]
    return words - linked


def _is_frame(element: Element, prose: int) -> bool:
    if element.tag in _FRAME_TAGS or element.get("role") in _FRAME_ROLES or element.get("aria-hidden") == "true":
        return True
    if element.get("hidden") is not None or "display:none" in (element.get("style") or "").replace(" ", ""):
        return True
    names = f"{element.get('class') or ''} {element.get('id') or ''}"[:400]
    if names == " ":
        return False
    if "hidden" in (tokens := names.split()):
        return not any(map(_SHOWN_AGAIN.search, tokens))
    return element.tag not in _HEADINGS and any(_names_frame(token, prose) for token in _BUILT.sub("", names).split())


def _names_frame(token: str, prose: int) -> bool:
    """Whether a class or id is the name of a frame: all of it, or a word of it where no paragraph can be lost."""
    words = {word.lower() for word in _WORD.findall(token) if len(word) > 1}
    return not words.isdisjoint(_FRAME_WORDS) and (prose < LONG or words <= _FRAME_WORDS | _NEUTRAL)


def _only_links(element: Element, words: int, linked: int) -> bool:
    return element.tag in _GROUPS and linked > words * LINKED and words - linked < LONG


def _is_list(element: Element, sizes: dict[Element, tuple[int, int]]) -> bool:
    """Whether an element is a list of cards: neighbours of one kind, each around links to one place."""
    kinds = Counter(child.tag for child in element)
    likely = [tag for tag, count in kinds.items() if count >= CARDS and tag in _CARD_TAGS]
    if not likely:
        return False
    cards = [child for child in element if child.tag in likely and _is_card(child, *sizes.get(child, (0, 0)))]
    others = sizes[element][0] - sum(sizes[card][0] for card in cards)
    return len(cards) >= CARDS and others < LONG * 2


def _is_card(element: Element, words: int, linked: int) -> bool:
    if not words or words > CARD or linked < words * TITLED:
        return False
    places = {link.get("href") for link in element.iter("a")}
    return len(places) == 1


def _drop(parent: Element, doomed: set[Element]) -> None:
    """Remove children of an element; what stands behind each stays. Each text is written once: there may be 100,000."""
    before, said = None, [parent.text]
    for child in [*parent, None]:
        if child in doomed:
            said.append(child.tail)
            parent.remove(child)
            continue
        if len(said) > 1:
            whole = " ".join(filter(None, said))
            if before is None:
                parent.text = whole
            else:
                before.tail = whole
        if child is not None:
            before, said = child, [child.tail]
