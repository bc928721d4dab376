"""Signals of an item: what kind of evidence it is.

in   the key and URL of an item, the origin its source declares, and a function that knows the pages of labs
out  its origin: ``paper``, ``official``, ``press`` or ``community``
knows no text and no model: the same input always gives the same origin.
The link decides before the source: a lab's own post stays official when it was first seen on Hacker News.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["ORIGINS", "origin"]

ORIGINS = ("paper", "official", "press", "community")


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
