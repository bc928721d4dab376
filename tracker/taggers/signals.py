"""Signals of an item: what kind of evidence it is, what it does, whether anybody has confirmed it.

in   key, URL, title and text of an item, the origin its source declares, and a function that knows the pages of labs
out  its origin (``paper``, ``official``, ``press``, ``community``), its act and its unconfirmed mark, each of these two with its cue
knows no model: the same input always gives the same answer.
The link decides before the source: a lab's own post stays official when it was first seen on Hacker News.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tracker.types import ORIGINS

__all__ = ["act", "origin", "unconfirmed"]


def origin(key: str, url: str | None, source_origin: str, lab_of_url: Callable[[str], object | None]) -> str:
    """Return one of ``ORIGINS``: the first of these rules that fits.

    1. The key is an arXiv id or a DOI: paper. Copies on alphaXiv or Hugging Face share that key.
    2. The link leads to a page of a lab (``LabTagger.lab_of_url``): official.
    3. Otherwise what the source declares.

    >>> origin("arxiv:2606.01234", "https://arxiv.org/abs/2606.01234", "press", lambda url: None)
    'paper'

    Raises:
        ValueError: the source declares something else than ``ORIGINS``.
    """
    if source_origin not in ORIGINS:
        raise ValueError(f"{source_origin!r} is not an origin; expected one of {', '.join(ORIGINS)}")
    if key.startswith(("arxiv:", "doi:")):
        return "paper"
    return "official" if url and lab_of_url(url) else source_origin


def _cues(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b", re.IGNORECASE)


# First hit wins; matched against the title, then (release only) against the first sentence of a lab's own post.
_ACTS = (
    ("release", _cues(
        "introducing", "launch(?:es|ed|ing)?", "releas(?:e|es|ed|ing)", "(?:now|generally) available", "available (?:now|today|in)",
        "rolls? out", "rolling out", "open[- ]sourc(?:es|ed|ing)", "changelog", "release notes",
        "public (?:beta|preview)", r"v?\d+\.\d+\.\d+",
    )),
    ("opinion", _cues("opinion", "why (?:i|we)", "the case (?:for|against)", "my thoughts", "our (?:view|approach|position)", "should")),
    ("announcement", _cues(
        "announc(?:es|ed|ing)", "partner(?:s|ship|ing)?", "joins?", "appoint(?:s|ed)", "acquir(?:es|ed)", "raises", "funding",
        "expand(?:s|ing)", "opens?",
    )),
    ("result", _cues(
        "we (?:find|show|present|study|measure)", "study", "evaluat(?:ing|ion)", "results?", "findings", "benchmark", "measuring",
        "investigating", "lessons",
    )),
)  # fmt: skip
# Words with which the press says that nobody has confirmed it.
_UNCONFIRMED = _cues(
    "reportedly", "rumou?r(?:s|ed)?", "sources? (?:say|said|familiar)", "people familiar", "(?:is|are|was|were) said to",
    "in (?:early |advanced )?talks", "allegedly", "leak(?:s|ed)?", "according to (?:a )?(?:people|sources?|report)",
)  # fmt: skip
_PLANS = _cues("(?:plans?|aims?|intends?|prepar(?:es|ing)|considers?|weighs?|mulls?|could|may|might|set) to")
_FIRST_SENTENCE = re.compile(r"[^.!?\n]{0,300}")


def act(origin: str, title: str, text: str) -> tuple[str, str] | None:
    """Return what an item does and the words that say so: release, opinion, announcement, result; papers are results, press reports.

    None when a lab's own post says none of it.
    """
    if origin == "paper":
        return "result", "a paper"
    for name, cue in _ACTS:
        if found := cue.search(title):
            return name, found[0]
    if origin == "official" and (opening := _FIRST_SENTENCE.match(text)) and (found := _ACTS[0][1].search(opening[0])):
        return "release", found[0]
    return ("report", "press") if origin == "press" else None


def unconfirmed(origin: str, title: str, text: str) -> tuple[str, str] | None:
    """Return ``yes`` or ``possibly`` and the cue, for press and community only; None when nothing says so."""
    if origin not in ("press", "community"):
        return None
    opening = _FIRST_SENTENCE.match(text)
    said = f"{title}. {opening[0] if opening else ''}"
    if found := _UNCONFIRMED.search(said):
        return "yes", found[0]
    found = _PLANS.search(title)
    return ("possibly", found[0]) if found else None
