"""Every listing page of feeds.toml, as it looked on several days: read, or refused as ``layout_changed``; never wrong, never empty."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tracker import config
from tracker.errors import SourceError
from tracker.fetch import Fetcher
from tracker.pollers import feed, page
from tracker.text import fold
from tracker.types import Entry, Request, Source, State
from tracker.urls import canonical_url

FEEDS = config.load(Path(__file__).resolve().parents[2] / "feeds.toml")
# Before and after redesigns of anthropic.com/research (November 2025), anthropic.com/news (June 2026) and x.ai/news (July 2026); on two of
# the days ai.meta.com has no list: a shell for scripts, a "page not found" with status 200.
DAYS = ("2025-10-15", "2026-06-12", "2026-06-30", "2026-07-15", "2026-07-29", "2026-08-15")
# The least each page may list, and whether it prints days (a notebook by months does not).
PAGES = {
    "anthropic-research-page": (15, True),
    "anthropic-news-page": (13, True),
    "anthropic-engineering-page": (12, True),
    "anthropic-alignment-page": (12, False),
    "anthropic-red-page": (7, False),
    "transformer-circuits-page": (40, False),
    "claude-blog-page": (20, True),
    "xai-news-page": (17, True),
    "meta-ai-page": (12, True),
    "cohere-blog-page": (9, True),
    "thinking-machines-page": (4, True),
    "deepseek-news-page": (12, True),
    "apollo-page": (12, True),
}
BROKEN = {("meta-ai-page", "2026-07-15"), ("meta-ai-page", "2026-07-29")}
MIRRORED = ("anthropic-research", "anthropic-news", "anthropic-engineering", "claude-blog", "xai-news", "meta-ai")


def ask(source: Source) -> tuple[Entry, ...]:
    """What a source lists now."""
    reader = page if source.kind == "page" else feed
    with Fetcher("test@example.org") as fetcher:
        (listed,) = reader.poll(
            source, State(), lambda request: fetcher.get(Request(request.url)), lambda r: reader.read(r.body, source, r.url, None)
        )
    return listed.entries or ()


def test_every_page_of_feeds_toml_is_checked_here() -> None:
    assert {source.id for source in FEEDS.sources if source.kind == "page"} == set(PAGES)


@pytest.mark.parametrize("day", DAYS)
def test_every_page_is_read_or_refused(day: str, replayed_web: Callable[..., Any]) -> None:
    replayed_web(at=day)
    for name, (least, dated) in PAGES.items():
        source = FEEDS.source(name)
        if (name, day) in BROKEN:
            with pytest.raises(SourceError, match=r"^layout_changed: https://ai\.meta\.com/blog/ "):
                ask(source)
            continue
        entries = ask(source)
        assert len(entries) >= least, name
        assert len({canonical_url(str(entry.url)) for entry in entries}) == len(entries)
        for entry in entries:
            assert is_sane(entry), (name, entry)
            assert bool(entry.published_at) is dated, (name, entry)
            assert entry.published_raw, (name, entry)


def is_sane(entry: Entry) -> bool:
    """A title of words that is no date, no label and no address, and an article's address."""
    words = fold(entry.title).split()
    return bool(words) and entry.title[0] not in "·|,-" and not entry.title.startswith("http") and words[0] not in ("read", "featured")


@pytest.mark.parametrize("day", ["2026-06-12", "2026-07-25"])
def test_a_page_agrees_with_its_mirror(day: str, replayed_web: Callable[..., Any]) -> None:
    replayed_web(at=day)
    for name in MIRRORED:
        mirror = {canonical_url(str(entry.url)): entry for entry in ask(FEEDS.source(name)) if entry.url}
        pairs = [(entry, mirror[key]) for entry in ask(FEEDS.source(f"{name}-page")) if (key := canonical_url(str(entry.url))) in mirror]
        assert len(pairs) >= 9, name
        # One mirror glues date, category and summary to its titles; edited posts keep their old title in a mirror.
        assert sum(fold(ours.title) in fold(theirs.title) for ours, theirs in pairs) >= 0.9 * len(pairs), name
        dated = [(ours, theirs) for ours, theirs in pairs if ours.published_at and theirs.published_at]
        assert sum(str(ours.published_at)[:10] == str(theirs.published_at)[:10] for ours, theirs in dated) >= 0.8 * len(dated), name


def test_a_redesign_between_two_polls_makes_no_item_twice(replayed_web: Callable[..., Any]) -> None:
    for name, before, after in (
        ("anthropic-news-page", "2026-06-22", "2026-06-24"),
        ("anthropic-research-page", "2025-11-19", "2025-11-21"),
        ("xai-news-page", "2026-07-20", "2026-07-22"),
    ):
        seen = []
        for day in (before, after):
            replayed_web(at=day)
            seen.append({canonical_url(str(entry.url)): (entry.title, entry.published_at) for entry in ask(FEEDS.source(name))})
        both = seen[0].keys() & seen[1].keys()
        assert len(both) >= 9, name
        assert {key: seen[0][key] for key in both} == {key: seen[1][key] for key in both}, name
