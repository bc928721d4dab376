"""Rule patterns: what a person writes in topics.toml, turned into regular expressions.

in   patterns such as ``self-improving agent*`` or ``learn* from (user|deployment) feedback``
out  compiled expressions, and the pieces of a text that they match
refuses to know topics, items and files. Words match whole and in any case; ``*`` ends a word in any way, alone it stands for one to
three words; ``(a|b)`` is a choice; a space or hyphen stands for any short run of white space and hyphens. Everything else is literal.
Surprising: no pattern can be slow. Nothing repeats but one bounded character class, and choices do not nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["MAX_PATTERN", "Rules", "check_pattern", "compile_pattern", "compile_rules"]

MAX_PATTERN = 200  # characters; a longer rule is a paragraph that someone pasted
_GAP = r"[\s\u2010-\u2015-]{1,3}"  # a space, a hyphen, a hyphen that does not break, a line end
_WORDS = rf"\w{{1,30}}(?:{_GAP}\w{{1,30}}){{0,2}}"  # a * that stands alone: one to three words
_ENDING = r"\w{0,30}"  # bounded: the longest English ending is far shorter, and a bound keeps hostile text linear
_TOKEN = re.compile(r"[(|)*]|[\s-]+|[^\s()|*-]+")


@dataclass(frozen=True, slots=True)
class Rules:
    """Checked patterns: for each, what any match must contain (one of each group of pieces), and the pattern itself.

    Expressions are compiled when a text first gets that far: all that ship would cost 20 ms, and few are ever
    needed.
    """

    pairs: tuple[tuple[tuple[tuple[str, ...], ...], str], ...] = ()

    def find(self, text: str, lowered: str | None = None) -> list[str]:
        """Return what the patterns match, as it stands in the text: the first match of each, in the order of the patterns.

        ``lowered`` is ``text.lower()`` where the caller has it already.
        """
        low = text.lower() if lowered is None else lowered
        # Looking for plain pieces first is 50 times faster than the expression, and most rules miss most
        # texts.
        found = (compile_pattern(pattern).search(text) for needs, pattern in self.pairs if _may_match(needs, low))
        return [match[0] for match in found if match]


def check_pattern(pattern: str) -> None:
    """Raise the ``ValueError`` that ``compile_pattern`` would, at a tenth of its cost."""
    _expression(pattern)


@lru_cache(1024)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return one expression that finds the pattern in running text.

    >>> compile_pattern("learn* from (user|deployment) feedback").search("It learns from user feedback.").group()
    'learns from user feedback'

    Raises:
        ValueError: the pattern is empty, too long, has unbalanced or nested parentheses, an empty choice, or
            a ``*`` that does not end a word; the message is one sentence that names the pattern.
    """
    return re.compile(_expression(pattern), re.IGNORECASE)


def compile_rules(patterns: Iterable[str]) -> Rules:
    """Return the patterns ready to run.

    Raises:
        ValueError: as ``compile_pattern``.
    """
    checked = list(patterns)
    for pattern in checked:
        check_pattern(pattern)
    return Rules(tuple((_needs(pattern), pattern) for pattern in checked))


def _expression(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern {pattern[:40]!r}… has {len(pattern)} characters; at most {MAX_PATTERN} are allowed")
    tokens = _TOKEN.findall(pattern.strip().strip("-"))
    if not any(token not in "(|)*" and not _is_gap(token) for token in tokens):
        raise ValueError(f"the pattern {pattern!r} has no words")
    body = "".join(_translated(pattern, tokens))
    return rf"(?<!\w){body}(?!\w)"


def _translated(pattern: str, tokens: list[str]) -> Iterator[str]:
    """Yield the expression of each token; ``before`` is what came last and decides what may follow."""
    inside, before = False, ""
    for token in tokens:
        problem = _problem(token, before, inside)
        if problem:
            raise ValueError(f"the pattern {pattern!r} has {problem}")
        if token == "(":
            inside = True
            yield "(?:"
        elif token == ")":
            inside = False
            yield ")"
        elif token == "|":
            yield "|"
        elif token == "*":
            yield _WORDS if _is_gap(before) else _ENDING
        elif _is_gap(token):
            yield _GAP
        else:
            yield re.escape(token)
        before = token
    if tokens[-1:] == ["*"] and _is_gap(tokens[-2]):
        raise ValueError(f"the pattern {pattern!r} has a * with nothing behind it")
    if inside:
        raise ValueError(f"the pattern {pattern!r} has an opening parenthesis that is not closed")


def _problem(token: str, before: str, inside: bool) -> str:
    """Return what is wrong with ``token`` where it stands, or an empty string."""
    if token == "(":
        return "parentheses inside parentheses" if inside else ""
    if token == ")":
        return "a closing parenthesis that was not opened" if not inside else "an empty choice" if before in ("(", "|") else ""
    if token == "|":
        return "a | outside parentheses" if not inside else "an empty choice" if before in ("(", "|") else ""
    if token == "*":
        return "a * that does not end a word" if not before or before in "(|*" else ""
    follows_ending = before == "*" and not _is_gap(token)
    return "a * inside a word; it may only end one" if follows_ending else ""


def _needs(pattern: str) -> tuple[tuple[str, ...], ...]:
    """Return groups of lower-case pieces: each match contains a piece of every group. The rarest, that is the longest, first."""
    parts = re.split(r"\(([^)]*)\)", pattern)  # outside, choice, outside, choice, …
    groups: list[tuple[str, ...]] = [(word,) for part in parts[::2] for word in _words(part)]
    for part in parts[1::2]:
        choices = [_words(choice) for choice in part.split("|")]
        groups.append(tuple(max(words, key=len, default="") for words in choices))
    # Case folding of ASCII is one to one; of other letters it is not always ("ß", "İ"), so those are not
    # sure.
    sure = [group for group in groups if all(piece and piece.isascii() for piece in group)]
    return tuple(sorted(sure, key=lambda group: (len(group), -len(group[0]))))


def _words(part: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[^\s*-]+", part)]


def _may_match(needs: tuple[tuple[str, ...], ...], lowered: str) -> bool:
    return all(any(piece in lowered for piece in group) for group in needs)


def _is_gap(token: str) -> bool:
    return not token.strip(" \t\r\n\f\v-")
