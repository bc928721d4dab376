"""Labels on stories: what label files say, each row beside the item that the product would have of it; figures of a grouping.

in   stories.csv (``COLUMNS``) · look-alikes.csv (url_a, url_b: pairs that are different)
out  ``Row``s; ``figures``: pairwise and B³ precision and recall
refuses to know how items are grouped.
Surprising: B³ over all items flatters everybody, since most items are alone: ``b3_active`` is over those in a story of several, as people
or as the tracker say. Source: A. Bagga, B. Baldwin, Algorithms for scoring coreference chains (1998).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tracker.errors import InvalidURL, ModelError
from tracker.examples import rows_of
from tracker.text import one_line, plain
from tracker.types import Item
from tracker.urls import canonical_url, link_key, own_key

__all__ = ["COLUMNS", "STANDING_ALONE", "Row", "figures", "hard_pairs", "joined_pairs", "labelled"]

COLUMNS = ("window", "item_url", "title", "summary", "source_url", "date", "story", "kind", "links")
_NEEDED = {"item_url", "title", "date", "story"}
# What the tracker would find each kind of item to be.
_ORIGINS = {"paper": "paper", "post": "official", "release": "official", "status": "official", "thread": "community", "code": "community"}
STANDING_ALONE = ("digest", "status", "release")  # kinds that are never joined to anything


@dataclass(frozen=True, slots=True)
class Row:
    """An item that people have put into a story. ``window`` is a span of days that was read whole."""

    window: str
    url: str
    story: str
    kind: str
    item: Item


def labelled(*paths: Path) -> list[Row]:
    """Return the rows of label files.

    Raises:
        ModelError: it cannot be read, lacks a column, or a row has no day.
    """
    found: list[Row] = []
    for path in paths:
        found += _of_file(path, len(found))
    return found


def _of_file(path: Path, before: int) -> list[Row]:
    rows = rows_of(path)
    if missing := _NEEDED - rows[0].keys():
        raise ModelError(f"{path}: lacks the column{'s' * (len(missing) > 1)} {', '.join(sorted(missing))}; needed: {', '.join(COLUMNS)}")
    pages = Counter(row["item_url"].partition("#")[0] for row in rows)
    places = [pages[row["item_url"].partition("#")[0]] > 1 for row in rows]
    return [_row(path, n, row, before + n, places=several) for n, (row, several) in enumerate(zip(rows, places, strict=True), 2)]


def _row(path: Path, line: int, row: Mapping[str, str], number: int, *, places: bool) -> Row:
    """An item; ``places``: the file has several of its page, told apart by the fragment, as pollers keep the entries of a changelog."""
    try:
        day = date.fromisoformat(row["date"][:10]).isoformat()
        url = canonical_url(row["item_url"], keep_fragment=places)
    except (ValueError, InvalidURL):
        has = f"{row['date']!r}, {row['item_url']!r}"
        raise ModelError(f"{path}, line {line}: needs a date (YYYY-MM-DD) and a web address, has {has}") from None
    kind = (row.get("kind") or "news").strip()
    links = tuple(sorted({key for link in (row.get("links") or "").split() if (key := link_key(link))}))
    item = Item(
        number, own_key(url) or f"url:{url}", row.get("source_url") or "", url, one_line(row["title"]),
        plain(row.get("summary") or ""), published_at=f"{day}T00:00:00Z", first_seen_at=f"{day}T00:00:00Z",
        origin=_ORIGINS.get(kind, "press"), links=links,
    )  # fmt: skip
    return Row(row.get("window") or "", row["item_url"], row["story"], kind, item)


def joined_pairs(pairs: Iterable[tuple[str, str]], rows: Sequence[Row], said: Sequence[Hashable]) -> tuple[list[tuple[int, int]], int]:
    """Return which pairs of addresses a grouping puts together, as places in the rows, and how many are in one window at all."""
    at: dict[str, dict[str, int]] = defaultdict(dict)
    for n, row in enumerate(rows):
        at[row.window][row.url] = n
    found = [(places[one], places[other]) for one, other in pairs for places in at.values() if one in places and other in places]
    return [(a, b) for a, b in found if said[a] == said[b]], len(found)


def hard_pairs(path: Path) -> list[tuple[str, str]]:
    """Return the pairs of addresses of a file of look-alikes that are different.

    Raises:
        ModelError: it cannot be read or has other columns.
    """
    rows = rows_of(path)
    if not {"url_a", "url_b"} <= rows[0].keys():
        raise ModelError(f"{path}: needs the columns url_a and url_b")
    return [(row["url_a"], row["url_b"]) for row in rows]


def figures(truth: Sequence[Hashable], said: Sequence[Hashable]) -> dict[str, Any]:
    """Return precision and recall of a grouping: ``pairwise``, ``b3`` over all items, ``b3_active``; None where there is nothing."""
    gold, found = _members(truth), _members(said)
    right = [len(gold[story] & found[cluster]) for story, cluster in zip(truth, said, strict=True)]
    sizes = [(len(found[cluster]), len(gold[story])) for story, cluster in zip(truth, said, strict=True)]
    active = [n for n, (cluster, story) in enumerate(sizes) if cluster > 1 or story > 1]
    hits, told, true = sum(right) - len(right), sum(size * (size - 1) for size in map(len, found.values())), _pairs(gold)
    return {
        "pairwise": {"precision": _share(hits, told), "recall": _share(hits, true), "pairs": true // 2, "told": told // 2},
        "b3": _b_cubed(range(len(right)), right, sizes),
        "b3_active": _b_cubed(active, right, sizes),
    }


def _members(groups: Sequence[Hashable]) -> dict[Hashable, set[int]]:
    members: dict[Hashable, set[int]] = defaultdict(set)
    for n, group in enumerate(groups):
        members[group].add(n)
    return members


def _pairs(groups: Mapping[Hashable, set[int]]) -> int:
    return sum(size * (size - 1) for size in map(len, groups.values()))


def _b_cubed(among: Iterable[int], right: Sequence[int], sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    among = list(among)
    return {
        "precision": _share(sum(right[n] / sizes[n][0] for n in among), len(among)),
        "recall": _share(sum(right[n] / sizes[n][1] for n in among), len(among)),
        "items": len(among),
    }


def _share(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
