"""Sitemaps of sitemaps: which of them one poll asks for, and what it remembers of each.

in   an index as ``sitemaps.read`` gives it, what the cursor of the source says
out  the articles of the sitemaps that fit and changed, as if they stood in one; how many stand in those that did not change
Five of a poll, fifty of a backfill, on the host of the index only. A sitemap with the lastmod of last time is not asked for; one without
a lastmod is asked for conditionally each time, and then so is the index: its own validators would not tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace

from tracker.errors import SourceError
from tracker.pollers import Get, Parse, Parsed
from tracker.pollers.listing import sitemaps
from tracker.types import Request, Source, State

__all__ = ["Child", "Last", "cursor", "follow", "last"]

MAX_CHILDREN, MAX_BACKFILL = 5, 50  # sitemaps that one poll asks for


@dataclass(frozen=True, slots=True)
class Child:
    """A sitemap of an index, as it was when it was last read."""

    lastmod: str
    etag: str | None
    last_modified: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Last:
    """What a page listed, as the cursor keeps it."""

    count: int = 0
    children: Mapping[str, Child] = field(default_factory=dict)


def follow(index: Parsed, source: Source, state: State, before: Last, get: Get, parse: Parse) -> tuple[Parsed, Last, int]:
    """Ask for the sitemaps of an index that fit and changed: (what they list, each of them, how many articles stand in the others)."""
    limit, since = (MAX_BACKFILL, state.since or "") if state.backfill else (MAX_CHILDREN, "")
    fitting = sitemaps.chosen(index, source.url, str(source.options.get("links", "")), since)
    newest = "" if state.backfill else max((child.lastmod for child in before.children.values()), default="")
    more = any(not changed or changed > newest for _, changed in fitting[limit:])  # older ones are as they were at the last poll
    listed, children, known = [], dict[str, Child](), 0
    for url, lastmod in fitting[:limit]:
        old = None if state.backfill else before.children.get(url)
        unchanged = old is not None and lastmod != "" and old.lastmod == lastmod
        response = None if unchanged else get(Request(url, old.etag if old else None, old.last_modified if old else None, robots=True))
        if old and (response is None or response.status == 304):
            children[url], known = replace(old, lastmod=lastmod), known + old.count
            continue
        assert response is not None  # 304 is only answered to validators
        parsed = replace(parse(response), problem="truncated") if response.truncated else parse(response)
        if sitemaps.is_index(response.body):
            raise SourceError("layout_changed", f"{url} is an index of sitemaps in an index of sitemaps; poll it as a source of its own")
        listed.append(parsed)
        children[url] = Child(lastmod, response.headers.get("etag"), response.headers.get("last-modified"), len(parsed.entries))
    problem = index.problem or next((parsed.problem for parsed in listed if parsed.problem), None) or ("too_many_items" if more else None)
    entries, changed = (tuple(one for parsed in listed for one in getattr(parsed, name)) for name in ("entries", "changed"))
    return Parsed(entries, sum(parsed.total or 0 for parsed in listed), problem, changed), Last(0, children), known


def last(written: str | None, rules: str) -> Last:
    """What the cursor says; nothing when the page was never read, or read by other rules."""
    try:
        known = json.loads(written or "{}")
        children = {url: Child(*facts) for url, facts in known.get("children", {}).items()}
        return Last(int(known["count"]), children) if known.get("links") == rules else Last()
    except (ValueError, KeyError, TypeError, AttributeError):
        return Last()


def cursor(now: Last, rules: str) -> str:
    """Return what the next poll should know."""
    children = {"children": {url: astuple(child) for url, child in now.children.items()}} if now.children else {}
    return json.dumps({"count": now.count, "links": rules, **children})
