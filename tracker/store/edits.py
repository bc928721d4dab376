"""Edits: which of an item's sources has the say on it, and what the item then says.

in   an entry, and the item as it stands
out  the values that are to stand there; nothing is written here
Surprising: which source came first decides nothing. The better one has the say; of equals, the one whose id comes first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from tracker.text import fold
from tracker.types import Entry, Source
from tracker.urls import link_key

__all__ = ["COLUMN", "Ranks", "longer", "reads_same", "values"]

# The column in which that stands of which a revision tells.
COLUMN: Mapping[str, str] = {"title": "title", "text": "body", "url": "url", "date": "published_at", "version": "version"}
_MIRROR = (2, False)


class Ranks:
    """A source beside the others of an item."""

    def __init__(self, db: sqlite3.Connection, source: Source) -> None:
        self._db, self._id, self._own = db, source.id, _rank(source.kind, source.lab, source.role)
        self._known = {source.id: self._own}

    def has_the_say(self, other: str) -> bool:
        """Whether title, URL and date are this source's to tell, rather than the other's."""
        return (self._own, other) >= (self._of(other), self._id)

    def peers(self, other: str) -> bool:
        """Whether both carry the very post (a lab's own source, its mirror, arXiv), or are equals.

        Of peers the longest text stands, and a date that the better one lacks; a link post's words never stand for the post.
        """
        return self._own == self._of(other) or min(self._own, self._of(other)) >= _MIRROR

    def _of(self, other: str) -> tuple[int, bool]:
        if other not in self._known:
            self._known[other] = _rank(*self._db.execute("SELECT kind, lab, role FROM sources WHERE id = ?", (other,)).fetchone())
        return self._known[other]


def _rank(kind: str, lab: str | None, role: str) -> tuple[int, bool]:
    """The lab itself, arXiv, the lab's mirror, others, what only points to others; and a feed, which carries whole posts, over a page."""
    if kind == "arxiv":
        return 3, True
    primary = role == "primary" and kind not in ("hf_papers", "hn")
    return ((4 if primary else 2) if lab else int(primary)), kind != "page"


def values(entry: Entry, old: sqlite3.Row, *, takeover: bool, peers: bool, listing: bool) -> dict[str, object]:
    """What is to stand there. A date, once sane, is only changed by a better source; what is missing later is kept.

    The line that a listing page gives beside a title never replaces the whole text that a mirror brought.
    """
    mine = peers or not takeover  # what stands there is the post's own, not a link post's
    text = longer(entry.text, old["body"]) if mine and (takeover or listing) else entry.text or (old["body"] if mine else "")
    url = entry.url if entry.url and (takeover or not _same_page(entry.url, old["url"])) else old["url"]
    date = old["published_at"] if mine else None
    return {
        "title": entry.title or old["title"],
        "text": text,
        "url": url,
        "date": (entry.published_at or date) if takeover else (date or entry.published_at),
        "version": max(entry.version or 0, old["version"] or 0) or None,
    }


def longer(better: str, other: str) -> str:
    """The better source's text, unless the other is longer and not the same words."""
    return other if len(other) > len(better) and fold(other) != fold(better) else better


def reads_same(what: str, new: object, old: sqlite3.Row) -> bool:
    """Whether a better source says the same in its own spelling: that is taken, and is no edit."""
    before = old[COLUMN[what]]
    return _same_page(str(new), before) if what == "url" else what in ("title", "text") and fold(str(new)) == fold(str(before))


def _same_page(url: str, old: str | None) -> bool:
    """Whether two addresses differ only in what feeds change without notice: a scraper's slash is no edit."""
    return old is not None and link_key(url) == link_key(old)
