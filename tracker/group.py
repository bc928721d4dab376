"""Group: items on one development become one story.

in   items without a story (``pending`` stage "group"), in an order of their own, so that the order of arrival in a run does not matter
out  one row in ``story_items`` for each, with the reason in words; sometimes a new row in ``stories``
knows no network, no clock, no model: two items meet through the same title, or through a link between a paper and a post that share
words; never through topics. A link alone is weak glue: measured, 44 % of linked pairs are one story.
Candidates come only from ids within 14 days of the item's own. Digests, status pages and version lists are stories of their own. An item
joins a story by its average agreement with all of it, so that no single bridge joins two developments.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tracker.clock import iso
from tracker.store import stories, transaction
from tracker.text import fold, shared_words, title_words
from tracker.types import Candidate, Item
from tracker.urls import PLACE

__all__ = ["Decision", "Grouped", "agreement", "decide", "group", "stands_alone"]

JOIN = 0.5  # average agreement with a story from which an item joins it
SAME_TITLE_DAYS = 4  # 98 % of labelled pairs lie within 3 days; a title that returns later is a series or another incident
LINK_WORDS = 2  # title words a linked paper and post must share
MIN_TITLE_WORDS = 3  # "Announcements" and "Weekly update" are not names of a development

# Collections of many developments: never joined to anything (stories.md, rules 8 and 13). Matched against title and URL. "Weekly" and
# "newsletter" are words of news as well ("weekly active users", "…, newsletter says"): they count where they name an issue.
_PERIODICAL = r"(?:weekly|newsletter)"
_DIGEST_TITLE = re.compile(
    rf"\b(?:this week in|last week in|week in review|round-?up|daily digest|the download:|import ai \d+|links for|monthly update|"
    rf"changelog|release notes|what'?s new|issue \d+)\b|issue #\d|^tldr\b|^the batch\b|\b{_PERIODICAL}\s*(?:[:#|\d]|no\b)|"
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
    r"(?:increased|elevated|high) latency)\b|^\W*errors? (?:on|in|with|for)\b",
    re.IGNORECASE,
)
# A number alone, or one of three parts behind a name: "GPT-5.5" and "DeepSeek-V3.1" are models, "claude-code 2.1.3" is a line of a list.
_VERSION_TITLE = re.compile(
    r"^\W*(?:(?:(?:version|release)[ -])?v?\d+(?:\.\d+){1,3}|[\w-]+[ @/-]v?\d+(?:\.\d+){2,3}|[\w./-]+@\d+(?:\.\d+)+)(?:[-+.]\w+)*\W*$",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_ELSEWHERE = re.compile(r"\b(?:available (?:in|on|through|via)|now (?:in|on)|comes to|support for)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of an item: the story it joins, or None for a story of its own; why, and how strongly (0–1)."""

    story: int | None
    score: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Grouped:
    """The result of a run of the stage: items grouped, those that joined a story that was there."""

    items: int = 0
    joined: int = 0


# -- decisions (pure) -------------------------------------------------------------------------------


def stands_alone(item: Item) -> str:
    """Return why an item is never joined to another: it is a digest, a status notice or a version; "" if it may be joined."""
    url = item.url or ""  # with a text fragment it is one story of a digest (pollers/sections.py)
    if _DIGEST_TITLE.search(item.title) or (_DIGEST_URL.search(url) and PLACE not in url):
        return "a digest or a list of changes"
    if _STATUS_TITLE.search(item.title):
        return "a status notice"
    if _VERSION_TITLE.search(item.title):
        return "a version"
    return ""


def agreement(item: Item, other: Candidate) -> tuple[float, str]:
    """Return how far two items agree (0–1) and the reason in words; 0 and "" when nothing joins them."""
    if stands_alone(other.item) or _numbers_differ(item.title, other.item.title) or _elsewhere_differs(item.title, other.item.title):
        return 0.0, ""
    same_title = fold(item.title) == fold(other.item.title) and len(title_words(item.title)) >= MIN_TITLE_WORDS
    if same_title and _days_apart(item, other.item) <= SAME_TITLE_DAYS:
        return 1.0, "the same title"
    shared = shared_words(item.title, other.item.title)
    if other.linked_by and _is_paper(item) != _is_paper(other.item) and len(shared) >= LINK_WORDS:
        return 0.9, f"{_direction(item, other)} {other.linked_by}; {len(shared)} shared title words: {', '.join(sorted(shared)[:6])}"
    return 0.0, ""


def decide(item: Item, candidates: Sequence[Candidate]) -> Decision:
    """Return the story whose items agree best with the item on average, if that is enough; ties go to the older story."""
    if why := stands_alone(item):
        return Decision(None, 1.0, f"stands alone: {why}")
    best = Decision(None, 1.0, "first of its story")
    best_score = JOIN
    for story, members in sorted(_by_story(candidates).items()):
        found = [agreement(item, member) for member in members]
        score = sum(strength for strength, _ in found) / members[0].story_size
        if score >= best_score and (best.story is None or score > best_score):
            best_score = score
            best = Decision(story, round(score, 3), max(found)[1])
    return best


def _by_story(candidates: Sequence[Candidate]) -> Mapping[int, list[Candidate]]:
    found: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        found.setdefault(candidate.story, []).append(candidate)
    return found


def _is_paper(item: Item) -> bool:
    return item.key.startswith(("arxiv:", "doi:"))


def _direction(item: Item, other: Candidate) -> str:
    return "links to" if other.links_from_item else "is linked from"


def _numbers_differ(title: str, other: str) -> bool:
    """Opus 4.6 and Sonnet 4.6 share their number, v2.1.44 and v2.1.45 do not: where both titles have numbers, one must be common."""
    mine, theirs = set(_NUMBER.findall(title)), set(_NUMBER.findall(other))
    return bool(mine and theirs and not mine & theirs)


def _elsewhere_differs(title: str, other: str) -> bool:
    """X is one story, X being available somewhere else another (stories.md, rule 7)."""
    return bool(_ELSEWHERE.search(title)) != bool(_ELSEWHERE.search(other))


def _days_apart(item: Item, other: Item) -> int:
    return abs((date.fromisoformat(_day(item)) - date.fromisoformat(_day(other))).days)


def _day(item: Item) -> str:
    return (item.published_at or item.first_seen_at)[:10]


# -- the loop ---------------------------------------------------------------------------------------


def group(db: sqlite3.Connection, *, now: datetime) -> Iterator[Grouped]:
    """Give every waiting item a story, one transaction each; yield a result for every item."""
    for item in sorted(stories.waiting(db), key=_order):
        decision = decide(item, stories.candidates(db, item, title=_named(item)))
        with transaction(db):
            stories.join(db, item, decision.story, decision.score, decision.evidence, iso(now))
        yield Grouped(1, int(decision.story is not None))


def _named(item: Item) -> bool:
    """Whether an item may meet another by its title: it names a development."""
    return len(title_words(item.title)) >= MIN_TITLE_WORDS and not stands_alone(item)


def _order(item: Item) -> tuple[str, bool, str]:
    """By day, papers first, then by key: the same order whichever source answered first."""
    return (_day(item), not _is_paper(item), item.key)
