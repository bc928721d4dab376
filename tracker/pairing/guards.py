"""What is never one development, whatever the words say (the guideline's rules on digests, versions, availability, series).

in   an item, or two of them
out  the reason in words, "" if there is none
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tracker.text import fold, title_words
from tracker.types import Item
from tracker.urls import PLACE

if TYPE_CHECKING:
    from tracker.pairing.sketch import Sketch

__all__ = ["apart", "namesakes", "presents", "shared_ends", "stands_alone"]

# Collections of many developments: never joined to anything. Matched against title and URL. "Weekly" and "newsletter" are words of news
# as well ("weekly active users", "…, newsletter says"): they count where they name an issue.
_PERIODICAL = r"(?:weekly|newsletter)"
_DIGEST_TITLE = re.compile(
    rf"\b(?:this week in|last week in|week in review|round-?up|daily digest|the download:|import ai \d+|links for|monthly update|"
    r"(?:news|daily|morning|evening|weekly|ai) (?:digest|briefing)|\d+ things (?:in|about|to know|you)|"
    rf"changelog|release notes(?! leak)|what'?s new)\b|(?:^|[,:|–—-] ?)issue \d+\b|issue #\d|^tldr\b|^the batch\b|"
    rf"\b{_PERIODICAL}\s*(?:[:#|\d]|no\b)|"
    rf"\b{_PERIODICAL}\s+(?:issue|edition|digest|update|news|recap|review|report|links|reads?|wrap)\b|"
    rf"(?:^|[:|–—]\s*)(?:[\w'’&-]+ ){{0,3}}{_PERIODICAL}\W*$|^newsletter\b",
    re.IGNORECASE,
)
_DIGEST_URL = re.compile(
    r"/(?:the-batch|issue-\d|tldr|changelog|release-notes)(?:[/#?.-]|$)|/(?:newsletter|weekly)(?:[/#?]|$)|"
    r"/releases(?:/tag/|/?(?:[#?]|$))|tldr\.tech/|//status\.",
    re.IGNORECASE,
)
_STATUS_TITLE = re.compile(
    r"\b(?:(?:elevated|increased|intermittent|high) (?:[\w-]+ ){0,2}errors?|degraded performance|partial outage|service disruption|"
    r"(?:increased|elevated) latency|high latency (?:on|in|for|with|of))\b|^\W*errors? (?:on|in|with|for)\b",
    re.IGNORECASE,
)
# A number alone, or one of three parts behind a name: "GPT-5.5" and "DeepSeek-V3.1" are models, "claude-code 2.1.3" is a line of a list.
_VERSION_TITLE = re.compile(
    r"^\W*(?:(?:(?:version|release)[ -])?v?\d+(?:\.\d+){1,3}|[\w-]+[ @/-]v?\d+(?:\.\d+){2,3}|[\w./-]+@\d+(?:\.\d+)+)(?:[-+.]\w+)*\W*$",
    re.IGNORECASE,
)
_JOB = re.compile(r"\bis hiring\b|\(YC [A-Z]\d\d\)|^hiring:", re.IGNORECASE)
_NOTICE = re.compile(r"^\W*notice\b|\bthis feed (?:is|has)\b", re.IGNORECASE)
# Titles of these words alone name no development, however many pages have them.
_NAMELESS = frozenset(
    "announcement weekly monthly daily note update news newsletter link blog post review thought misc digest summary minute meeting open "
    "thread discussion issue release event press home index about career contact untitled notice archive statement report".split()
)

_ELSEWHERE = re.compile(
    r"\bavailable\b(?! to (?:all|everyone|defenders))|\bnow (?:in|on)\b|\b(?:comes|coming) to\b|\bsupport for\b|\barrives? (?:in|on)\b",
    re.IGNORECASE,
)
_GENERALLY = re.compile(r"\bgenerally available\b", re.IGNORECASE)
# Members of a family of models: behind its number, beside the one without the word; and beside each other.
_MEMBERS = frozenset("mini nano lite fast flash turbo air pro max ultra codex".split())
_NAMED = frozenset("haiku sonnet opus".split())
_AT_END = re.compile(r"\b(?:in|on)\s+((?:[A-Z][\w.]*\s?){1,3})$")
_PERSONAL = re.compile(r"(?:^|\s)(?:I|I['’](?:m|ve|d|ll)|[Mm]y)\s")
_COMPARES = re.compile(r"\bvs\.?(?=\W|$)|\bversus\b|\bcompar", re.IGNORECASE)
_ASKS = re.compile(r"^(?:show|ask|tell) hn\b", re.IGNORECASE)
_TITLED, _TITLED_SIGNS = 3, 8  # words of a title that others do not have by chance; signs, of other scripts
_TITLED_DAYS = 4  # within which it comes back
_FEW_PAPERS = 3  # who links to more papers surveys them
_TOLD = 6.0  # how much the words must weigh that the titles of a paper and of what links to it share
_SERIES = 3  # words that two titles of one site have in common at their ends, with others between


def stands_alone(item: Item) -> str:
    """Return why an item is never joined to another: it lists many things, or is one of many alike; "" if it may be joined."""
    title, url = item.title.replace("’", "'"), item.url or ""
    # With a text fragment it is one story of a digest (pollers/sections.py).
    if _DIGEST_TITLE.search(title) or (_DIGEST_URL.search(url) and PLACE not in url):
        return "a digest or a list of changes"
    if _STATUS_TITLE.search(title) and not is_paper(item.key):
        return "a status notice"
    if _VERSION_TITLE.search(title):
        return "a version"
    if _JOB.search(title):
        return "a job"
    if _NOTICE.search(title):
        return "a notice about a feed"
    return "a title that names nothing" if title_words(title) <= _NAMELESS else ""


def is_paper(key: str) -> bool:
    """Return whether a key is that of a paper."""
    return key.startswith(("arxiv:", "doi:"))


def apart(one: Sketch, other: Sketch) -> str:
    """Return what keeps two items apart although their words may agree; "" if nothing does. The same title is never kept apart."""
    if one.words == other.words and one.words:
        return ""
    if one.paper and other.paper:
        return "two papers"
    if not (one.dated and other.dated):
        return "one bears no date"
    if one.versions and other.versions and not one.versions & other.versions:
        return "another version"
    if one.numbers and other.numbers and not one.numbers & other.numbers:
        return "other numbers"
    if one.numbers & other.numbers and _other_member(one, other):
        return "another member of the family"
    if _elsewhere(one.title) != _elsewhere(other.title) or (one.numbers & other.numbers and _placed(one, other)):
        return "one is about where it is available"
    if bool(_PERSONAL.search(one.title)) != bool(_PERSONAL.search(other.title)):
        return "one tells of its use"
    if bool(_COMPARES.search(one.title)) != bool(_COMPARES.search(other.title)):
        return "one compares"
    if _ASKS.search(one.title) or _ASKS.search(other.title):
        return "somebody shows or asks something"
    return "parts of a series" if _series(one, other) else ""


def namesakes(one: Sketch, other: Sketch) -> bool:
    """Return whether two items are one development by their title alone: the same, long enough, within days.

    A title that comes back later is a series or another incident; of 50 labelled pairs within days, 50 were one development.
    """
    # Scripts without spaces have few words however long the title is.
    long = len(one.title_words) >= _TITLED or (not one.folded.isascii() and len(one.folded) >= _TITLED_SIGNS)
    columns = one.host == other.host and not (one.official and other.official)  # "Quoting …", "The morning briefing": of one site
    return long and one.words == other.words and not columns and abs(one.day - other.day) <= _TITLED_DAYS


def presents(one: Sketch, other: Sketch, weight: float) -> bool:
    """Return whether one of two is a paper and the other tells of it: it links to it, among few, and their titles share words that weigh.

    Args:
        weight: how rare the shared title words are, together.
    """
    if one.paper == other.paper:
        return False
    paper, told = (one, other) if one.paper else (other, one)
    papers = sum(link.startswith(("arxiv:", "doi:")) for link in told.links)
    links = not told.links.isdisjoint(paper.keys) or not paper.links.isdisjoint(told.keys)
    return links and papers <= _FEW_PAPERS and weight >= _TOLD and len(paper.title_words & told.title_words) >= 2


def _elsewhere(title: str) -> bool:
    return bool(_ELSEWHERE.search(title)) and not _GENERALLY.search(title)


def _other_member(one: Sketch, other: Sketch) -> bool:
    """Whether two titles on models with a number in common name different members of a family."""
    members = [frozenset(word for pair in each.phrases for word in pair if each.numbers & {*pair}) & _MEMBERS for each in (one, other)]
    return members[0] != members[1] or bool(
        one.title_words & _NAMED and other.title_words & _NAMED and not one.title_words & other.title_words & _NAMED
    )


def _placed(one: Sketch, other: Sketch) -> bool:
    """Whether one title ends with a place or product that the other does not know: "X 4.6 on Amazon Bedrock"."""
    places = [frozenset(fold(found[1]).split()) if (found := _AT_END.search(each.title)) else frozenset() for each in (one, other)]
    return any(place - {"ai"} and place.isdisjoint(beside.title_words) for place, beside in zip(places, (other, one), strict=True))


def _series(one: Sketch, other: Sketch) -> bool:
    """Prizes of one week, instalments of an essay: one site that is no lab's, the same frame, each with words of its own."""
    if one.official or other.official or one.paper or other.paper or one.site != other.site:
        return False
    begin, end = shared_ends(one.words, other.words)
    return begin + end >= _SERIES and min(len(one.words), len(other.words)) > begin + end


def shared_ends(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[int, int]:
    """Return how many words two titles share at their beginning, and at their end.

    >>> shared_ends(("prize", "in", "physics", "2025"), ("prize", "in", "peace", "2025"))
    (2, 1)
    """
    return _run(one, other), _run(one[::-1], other[::-1])


def _run(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
