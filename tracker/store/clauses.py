"""From a rule pattern to a question for the full-text index.

in   a phrase of a standing question (``tracker.patterns``); out  the query that every text which the phrase matches fulfils, and others
Surprising: the index holds stems, so what ends in ``*`` is searched by a shorter beginning than the rule has (``_stem_begins``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

__all__ = ["clause"]

_CHOICE = re.compile(r"\(([^)]*)\)")
_RUN = re.compile(r"[^\s-]+")
_PIECE = re.compile(r"[^\W_]+")


def clause(phrase: str) -> str:
    """Return the full-text query that every text which a rule pattern (``tracker.patterns``) matches fulfils; "" when there is none.

    >>> clause("self-improving agent(s|ic loop*)")
    '"self" AND "improving" AND "ag"*'
    >>> clause("superintelligen*"), clause("(agents|bots) that learn"), clause("(agents|*) x*")
    ('"superintellig"*', '("agents" OR "bots") AND "that" AND "learn"', '"x"*')
    """
    parts = _CHOICE.split(phrase)  # outside, choice, outside, choice, …
    terms: list[str] = []
    for n, part in enumerate(parts):
        glued = _glued(parts, n)
        if n % 2 == 0:
            terms += _terms(part, *glued)
            continue
        choices = [" AND ".join(_terms(choice, *glued)) for choice in part.split("|")]
        if all(choices):
            terms.append(f"({' OR '.join(choices)})")  # AND binds tighter than OR
    return " AND ".join(terms)


def _glued(parts: Sequence[str], n: int) -> tuple[bool, bool]:
    """Whether a word goes on across the beginning, and across the end, of a part: ``pre(train|tune)``."""
    if n % 2 == 0:
        return n > 0 and parts[n][:1].strip(" -") != "", n + 1 < len(parts) and parts[n][-1:].strip(" -") != ""
    before, behind = parts[n - 1][-1:], parts[n + 1][:1]
    return (before or (" " if n == 1 else "x")).strip(" -") != "", (behind or (" " if n + 2 == len(parts) else "x")).strip(" -") != ""


def _terms(part: str, glued_before: bool, glued_behind: bool) -> list[str]:
    """The words of a piece of a pattern, as terms of a full-text query; what is not ASCII folds in ways of its own and is left out."""
    pieces = [piece for run in _RUN.finditer(part) if run[0].isascii() for piece in _PIECE.finditer(part, *run.span())]
    terms = []
    for piece in pieces:
        word, end = piece[0].lower(), piece.end()
        if glued_before and piece.start() == 0:
            continue
        open_end = part[end : end + 1] == "*" or (glued_behind and end == len(part))
        terms.append(f'"{_stem_begins(word)}"*' if open_end else f'"{word}"')
    return terms


# What the Porter stemmer of FTS5 takes off (Porter 1980, and "bli" and "logi" of its later versions), by what must be left before it: any
# letter, a vowel, or the measure 1 or 2 (how often a vowel is followed by a consonant).
_SUFFIXES = (
    ("any", "s ies"),
    ("vowel", "ed ing y"),
    ("1", "eed e ational tional enci anci izer abli bli alli entli eli ousli ization ation ator alism iveness fulness ousness aliti iviti"),
    ("1", "biliti logi icate ative alize iciti ical ful ness"),
    ("2", "al ance ence er ic able ible ant ement ment ent ion ou ism ate iti ous ive ize"),
)
_LEFT = {"any": ".", "vowel": "[aeiouy]", "1": "[aeiouy][^aeiou]", "2": "[aeiouy][^aeiou]+[aeiouy]+[^aeiou]"}
_TAKEN = [
    (suffix[:n], re.compile(_LEFT[left])) for left, suffixes in _SUFFIXES for suffix in suffixes.split() for n in range(1, len(suffix) + 1)
]


@lru_cache(1024)
def _stem_begins(word: str) -> str:
    """Return how the stem of every word begins that begins with ``word``: what may be (the beginning of) a suffix is taken off.

    The index holds stems: "superintelligence" stands there as "superintellig", and ``"superintelligen"*`` would miss it. Nothing that
    the stemmer would take off is left at the end, so that it leaves the result as it is.

    >>> _stem_begins("superintelligen"), _stem_begins("generalizat"), _stem_begins("learn")
    ('superintellig', 'gener', 'lear')
    """
    shorter = {word[: -len(end)] for end, left in _TAKEN if word.endswith(end) and left.search(word[: -len(end)])}
    if len(word) > 2 and word[-1] == word[-2]:  # "hopping" stands as "hop"
        shorter.add(word[:-1])
    return min(map(_stem_begins, sorted(shorter)), key=len, default=word)
