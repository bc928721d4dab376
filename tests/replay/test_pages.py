"""Every listing page of feeds.toml and three sitemaps, as they looked on several days: read, or refused as ``layout_changed``; never
wrong, never empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tracker import config
from tracker.errors import SourceError
from tracker.fetch import Fetcher
from tracker.pollers import feed, page
from tracker.pollers.listing.slugs import titled_by_slug
from tracker.text import fold
from tracker.types import Entry, Page, Request, Source, State
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


# Sitemaps, what of them is an article, the least they may list, and the pages whose articles they must all have.
SITEMAPS = {
    "https://www.anthropic.com/sitemap.xml": (
        "/research/ /news/ /engineering/", 280, ("anthropic-research-page", "anthropic-news-page", "anthropic-engineering-page"),
    ),
    "https://www.apolloresearch.ai/sitemap.xml": ("/science/ /governance/ /monitoring/ /research/", 25, ("apollo-page",)),
    "https://openai.com/sitemap.xml": ("/index/", 250, ()),
}  # fmt: skip


def ask(source: Source) -> tuple[Entry, ...]:
    """What a source lists now."""
    reader = page if source.kind == "page" else feed
    with Fetcher("test@example.org") as fetcher:
        (listed,) = reader.poll(
            source, State(), lambda request: fetcher.get(Request(request.url)), lambda r: reader.read(r.body, source, r.url, None)
        )
    return listed.entries or ()


def test_every_page_of_feeds_toml_that_can_be_is_checked_here() -> None:
    from replay.sites import SITES

    replayed = {page for site in SITES for page in site.pages}
    assert {source.id for source in FEEDS.sources if source.kind == "page" and source.url in replayed} == set(PAGES)
    known = replayed | set(SITEMAPS)
    unknown = [source.id for source in FEEDS.sources if source.kind == "page" and source.url not in known]
    hosts = {site.host for site in SITES}
    assert not [name for name in unknown if urlsplit(FEEDS.source(name).url).hostname in hosts]


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


@pytest.mark.parametrize("day", DAYS)
def test_a_sitemap_lists_what_the_pages_do(day: str, replayed_web: Callable[..., Any]) -> None:
    replayed_web(at=day)
    for url, (links, least, pages) in SITEMAPS.items():
        entries = ask(Source("sitemap", "page", url, "Sitemap", lab="anthropic", options={"links": links}))
        assert len(entries) >= least, url
        for entry in entries:
            assert is_sane(entry), entry
            assert titled_by_slug(entry.title, entry.url)
            assert (entry.published_at, entry.published_raw) == (None, None)
        listed = {canonical_url(str(entry.url)) for entry in entries}
        for name in pages:
            missing = {canonical_url(str(entry.url)) for entry in ask(FEEDS.source(name))} - listed
            assert not missing, name


def test_a_year_of_every_third_day_is_read_or_refused(replayed_web: Callable[..., Any]) -> None:
    """Polled with what the last poll left behind: no redesign is taken for much news, no break for none."""
    web = replayed_web(at="2025-09-15")
    states = {name: State() for name in PAGES}
    refused: dict[str, list[str]] = {}
    with Fetcher("test@example.org") as fetcher:
        for days in range(0, 339, 3):
            web.clock.set(datetime(2025, 9, 15, 12, tzinfo=UTC) + timedelta(days=days))
            for name, state in states.items():
                try:
                    listed = poll_page(FEEDS.source(name), state, fetcher)
                except SourceError as error:
                    states[name] = replace(state, fails=state.fails + 1, last_error=str(error))
                    refused[name] = [*refused.get(name, []), error.name]
                else:
                    if listed.entries is not None:
                        states[name] = State(listed.etag, listed.last_modified, listed.body_hash, listed.cursor)
    assert refused.keys() == {"meta-ai-page"}
    assert set(refused["meta-ai-page"]) == {"layout_changed"}
    assert len(refused["meta-ai-page"]) <= 10


def poll_page(source: Source, state: State, fetcher: Fetcher) -> Page:
    (listed,) = page.poll(source, state, lambda request: fetcher.get(request), lambda r: page.read(r.body, source, r.url, None))
    return listed
