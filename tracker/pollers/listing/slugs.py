"""Titles from addresses, where a list gives nothing else: a sitemap names pages and says no title.

in   the URL of an article; out  its last path segment as a person would write it, or the URL itself where there are no words in it
Surprising: such a title is a stand-in, and ``titled_by_slug`` knows it again without a mark in the database: it is made from the URL alone.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from tracker import text

__all__ = ["title_of", "titled_by_slug"]

_ENDING = re.compile(r"\.(?:html?|php|aspx?|md|txt|pdf)$", re.IGNORECASE)
_DATE = re.compile(r"^20\d\d[-_](?:\d\d?[-_]){1,2}(?=\D)")  # 2026-06-12-how-we-learn, Jekyll's habit
_NOTHING = frozenset("index default home".split())
# Written small in slugs, and never in titles.
_CAPITALS = frozenset("agi ai api arc asi cli cot eu gpt gpu gpus llm llms mcp ml nist rag rd rl rlhf rlvr rsi rsp sdk swe tpu uk".split())
_PLURALS = {"llms": "LLMs", "gpus": "GPUs"}


def title_of(url: str) -> str:
    """Return a readable title made of the URL's last path segment; the URL where that holds no word.

    >>> title_of("https://lab.example/research/claude-learns-on-the-job"), title_of("https://lab.example/p/4711")
    ('Claude learns on the job', 'https://lab.example/p/4711')
    """
    segments = [_ENDING.sub("", unquote(segment)) for segment in urlsplit(url).path.split("/")]
    slug = next((segment for segment in reversed(segments) if segment and segment.lower() not in _NOTHING), "")
    words = re.split(r"[-_+\s]+", _DATE.sub("", slug).strip("-_+ "))
    title = text.one_line(" ".join(map(_word, words)))
    return title[:1].upper() + title[1:] if re.search(r"[^\W\d]{2}", title) else url


def titled_by_slug(title: str, url: str | None) -> bool:
    """Return whether a title is only what ``title_of`` made of the address: the article's own is better, whatever it is."""
    return bool(url) and title in (url, title_of(str(url)))


def _word(word: str) -> str:
    return _PLURALS.get(word, word.upper() if word in _CAPITALS else word)
