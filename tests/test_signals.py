"""Where an item comes from: one table for all rules of ``taggers.signals``."""

from __future__ import annotations

import pytest

from tracker.taggers.labs import LabTagger
from tracker.taggers.signals import ORIGINS, origin
from tracker.types import Lab

TAGGER = LabTagger([Lab("openai", "OpenAI", "frontier", hosts=("openai.com",), github=("openai",))])

CASES = {
    "an arXiv id is a paper": ("arxiv:2606.01234", "https://arxiv.org/abs/2606.01234", "paper", "paper"),
    "an arXiv id in a forum is a paper": (
        "arxiv:2606.01234",
        "https://forum.example/1",
        "community",
        "paper",
    ),
    "a DOI is a paper": ("doi:10.1000/1", "https://doi.org/10.1000/1", "press", "paper"),
    "a paper on a lab's site is a paper": (
        "arxiv:2606.01234",
        "https://openai.com/a.pdf",
        "official",
        "paper",
    ),
    "a lab's post in its feed": ("url:https://openai.com/a", "https://openai.com/a", "official", "official"),
    "a lab's post in a forum": ("url:https://openai.com/a", "https://openai.com/a", "community", "official"),
    "a lab's repository in a forum": ("url:x", "https://github.com/openai/codex", "community", "official"),
    "an issue in it stays with the forum": (
        "url:x",
        "https://github.com/openai/codex/issues/1",
        "community",
        "community",
    ),
    "press about a lab": ("url:x", "https://news.example/openai.com", "press", "press"),
    "a mirror with links of its own": ("url:x", "https://mirror.example/1", "official", "official"),
    "an entry without a link": ("guid:some-feed:7", None, "press", "press"),
}


@pytest.mark.parametrize(("key", "url", "source_origin", "expected"), CASES.values(), ids=CASES)
def test_origin(key: str, url: str | None, source_origin: str, expected: str) -> None:
    assert origin(key, url, source_origin, TAGGER.lab_of_url) == expected


def test_every_origin_of_a_source_is_one_of_four() -> None:
    assert [origin("url:x", None, one, TAGGER.lab_of_url) for one in ORIGINS] == list(ORIGINS)
    with pytest.raises(ValueError, match="'blog' is not an origin; expected one of paper"):
        origin("arxiv:2606.01234", None, "blog", TAGGER.lab_of_url)
