"""Items: identity, change, and what the stages read of them.

in   parsed entries of one page of one source
out  rows in items, item_keys, texts, sightings, links, revisions, pending
The identity steps, first hit wins: own arXiv id or DOI → canonical URL → (source, guid) → (source, folded title, published day).
Surprising: an entry whose hash is known writes nothing at all, so a quiet day costs reads only; within one document a guid or a URL
that several entries share identifies none of them; and which of several sources came first decides nothing (``edits``).
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from tracker.errors import InvalidURL
from tracker.store import readings
from tracker.store.edits import COLUMN, Ranks, longer, reads_same, values
from tracker.store.stored import pending, select_items
from tracker.text import content_hash, fold, sign
from tracker.types import Entry, Source
from tracker.urls import PLACE, canonical_url, key_of, link_key

__all__ = ["IDS_PER_DAY", "Mixed", "Saved", "entry_hash", "pending", "save", "select_items", "signs", "unless_flood"]

IDS_PER_DAY = 1_000_000
# A feed whose entries contain "x minutes ago" changes on every poll; after this many content-only changes we stop rewriting the item.
MAX_REVISIONS = 24
MAX_KEYS, MAX_LINKS = 50, 500  # of one item: a source that gives it a new URL or new links on each poll must not fill the disk
_T = TypeVar("_T")
_CHUNK = 400  # bound variables a query; SQLite's limit is 32,766, older builds have 999


@dataclass(frozen=True, slots=True)
class Saved:
    """What a page did: items that are new, items that changed; ``again``: items that this source had shown before.

    ``merged``: two of its entries were one item, so what becomes of them depends on both and on their order.
    """

    new: int = 0
    changed: int = 0
    again: int = 0
    merged: bool = False


class Mixed(Exception):
    """An entry of a page is an item for which an entry stands that was left out of the page: only the whole document tells."""


@dataclass(slots=True)
class _Candidate:
    """An entry with its keys, the one that names a new item first, and the item it turned out to be."""

    entry: Entry
    keys: tuple[str, ...]
    guid: str | None
    hash: str
    item: int | None = None

    @property
    def page(self) -> str | None:
        """The key of the page on which the entry stands, if it has a place of its own there."""
        whole = next((key for key in self.keys if "#" in key and key.startswith("url:")), "")
        return page if (page := whole.partition("#")[0]) in self.keys and not self.entry.own_key else None

    @property
    def asked(self) -> tuple[str, ...]:
        """The keys in the order in which they are looked up: the paper's own, the URL with its fragment, the URL."""
        own = 1 if self.entry.own_key else 0
        return (*self.keys[:own], *reversed(self.keys[own:]))


def entry_hash(entry: Entry) -> str:
    """Return the hash of everything a source said of an entry; equal hashes mean there is nothing to write."""
    return content_hash(
        entry.title, entry.url, entry.guid, entry.text, entry.authors, entry.published_at, entry.version, sorted(entry.links),
        *entry.affiliations,
    )  # fmt: skip


def save(
    db: sqlite3.Connection,
    source: Source,
    entries: Sequence[Entry],
    *,
    now: str,
    first: bool,
    old_before: str | None,
    listed: frozenset[str] = frozenset(),
) -> Saved:
    """Store the entries of one page; call it inside a transaction.

    Args:
        entries: as parsed, newest or oldest first; dates already sane.
        first: the source's first good poll: everything is backlog.
        old_before: entries published before this instant are backlog as well.
        listed: signs of the keys of entries that were left out, since they are stored as they are.

    Raises:
        Mixed: an entry turns out to be the item of one that was left out.
    """
    candidates = _identify(db, source, entries)
    if listed and not listed.isdisjoint(signs(db, [c.item for c in candidates if c.item])):
        raise Mixed
    known = _sightings(db, source.id, [c.item for c in candidates if c.item])
    ranks = Ranks(db, source)
    new = changed = 0
    for candidate in reversed(candidates):  # feeds list newest first: the oldest gets the smallest id of the day
        if candidate.item is None:
            backlog = first or bool(old_before and candidate.entry.published_at and candidate.entry.published_at < old_before)
            _insert(db, source, candidate, now, backlog)
            new += 1
        elif candidate.item not in known or known[candidate.item] != candidate.hash:
            changed += _update(db, source, candidate, now, ranks)
    return Saved(new, changed, len(known), len(candidates) < len(entries))


def unless_flood(db: sqlite3.Connection, save: Callable[[bool], Saved], is_flood: Callable[[Saved], bool]) -> tuple[Saved, bool]:
    """Store a page by ``save(False)``, as news; if that turns out to be a flood, by ``save(True)``, as backlog. Says which it was."""
    db.execute("SAVEPOINT entries")
    saved = save(False)
    flood = is_flood(saved)
    if flood:  # ids name the day: what is backlog must get other ids, so it is stored anew
        db.execute("ROLLBACK TO entries")
        saved = save(True)
    db.execute("RELEASE entries")
    return saved, flood


# -- identity ---------------------------------------------------------------------------------------


def _identify(db: sqlite3.Connection, source: Source, entries: Sequence[Entry]) -> list[_Candidate]:
    candidates = _one_per_key(_candidates(source, entries))
    found = _items_by_key(db, {key for c in candidates for key in c.keys})
    guids = _items_by_guid(db, source.id, [c.guid for c in candidates if c.guid])
    for c in candidates:
        c.item = next((found[key] for key in c.asked if key in found), None)
    _neighbours(db, source.id, candidates, found)
    # A weaker sign never takes an item that a stronger one has given to another entry: guids that are mere positions move on.
    _settle(candidates, lambda c: _same_guid(c, guids))
    # The last step: a feed that changed guid and URL of an entry kept its title and its day.
    named = {c.hash: key for c in candidates if not (c.item or c.entry.own_key) and (key := _title_key(source.id, c.entry))}
    titled = _items_by_key(db, named.values())
    _settle(candidates, lambda c: titled.get(named.get(c.hash, "")))
    return _one_per_item(candidates)


def _neighbours(db: sqlite3.Connection, source: str, candidates: Sequence[_Candidate], found: Mapping[str, int]) -> None:
    """Part again what shares nothing but its page: a changelog that lists one entry at a time, each at its own fragment.

    The page identifies no entry where this source knows the item at another fragment, by another guid (or none) and another title.
    """
    by_page = {
        c.item: (c, page) for c in candidates if (page := c.page) and c.item and not any(key in found for key in c.keys if key != page)
    }
    for chunk in _chunks(sorted(by_page)):
        for item, guid, title in db.execute(
            f"""SELECT sightings.item, guid, title FROM sightings JOIN items ON items.id = sightings.item
            WHERE sightings.source = ? AND sightings.item IN ({_marks(chunk)})""",  # noqa: S608 - marks
            (source, *chunk),
        ).fetchall():
            c, page = by_page[item]
            if (guid and guid == c.guid) or fold(title) == fold(c.entry.title):
                continue
            if any(key.startswith(f"{page}#") for (key,) in db.execute("SELECT key FROM item_keys WHERE item = ?", (item,))):
                c.item, c.keys = None, tuple(key for key in c.keys if key != page)


def _settle(candidates: Sequence[_Candidate], step: Callable[[_Candidate], int | None]) -> None:
    """Give what is still unknown the item that a step finds, unless another entry of the document is that item."""
    taken = {c.item for c in candidates if c.item}
    for c in candidates:
        if c.item is None and (item := step(c)) and item not in taken:
            c.item = item
            taken.add(item)


def _candidates(source: Source, entries: Sequence[Entry]) -> list[_Candidate]:
    distinct: dict[str, Entry] = {}
    pages: set[tuple[str, str]] = set()
    for entry in entries:
        page = _page(entry)
        if page not in pages:  # the same page under the same title twice is one entry: a scraper lists /x and /x/
            distinct.setdefault(entry_hash(entry), entry)
        pages |= {page} if page else set()
    guids = Counter(entry.guid for entry in distinct.values() if entry.guid)
    urls = Counter(key for entry in distinct.values() if entry.url and PLACE not in entry.url and (key := link_key(entry.url)))
    result = []
    for hashed, entry in distinct.items():
        guid = entry.guid if entry.guid and guids[entry.guid] == 1 else None
        result.append(_Candidate(entry, _keys(entry, source.id, guid, urls), guid, hashed))
    return result


def _one_per_key(candidates: list[_Candidate]) -> list[_Candidate]:
    """A document that lists a paper twice (two URLs, two versions) counts it once, by its first entry."""
    seen: set[str] = set()
    result = []
    for c in candidates:
        if seen.isdisjoint(c.keys):
            result.append(c)
        seen.update(c.keys)
    return result


def _page(entry: Entry) -> tuple[str, str] | None:
    """What two listings of one page have in common: the address with its fragment, and the title."""
    whole = _whole(entry.url) if entry.url else None
    return (whole, fold(entry.title)) if whole else None


def _whole(url: str) -> str | None:
    """The key of a place on a page; None where the fragment makes the address too long to be one."""
    try:
        return f"url:{canonical_url(url, keep_fragment=True)}"
    except InvalidURL:
        return None


def _keys(entry: Entry, source: str, guid: str | None, urls: Counter[str]) -> tuple[str, ...]:
    keys = [entry.own_key] if entry.own_key else []
    url = link_key(entry.url) if entry.url else None
    if entry.url and url and url.startswith("url:"):
        whole = _whole(entry.url) or url
        if PLACE in entry.url:  # a story of an issue, which is an entry of its own
            keys.append(whole)
        elif urls[url] > 1:  # a changelog: only the fragment tells its entries apart
            keys += [whole] if whole != url else []
        else:  # with the fragment too: the next document may list a neighbour on the same page
            keys += [url, whole]
    elif url:
        keys.append(url)
    return tuple(dict.fromkeys(keys or [key_of(replace(entry, url=None, guid=guid), source)]))


def _items_by_key(db: sqlite3.Connection, keys: Iterable[str]) -> dict[str, int]:
    return {
        row[0]: row[1]
        for chunk in _chunks(sorted(keys))
        for row in db.execute(f"SELECT key, item FROM item_keys WHERE key IN ({_marks(chunk)})", chunk)  # noqa: S608 - marks
    }


def _items_by_guid(db: sqlite3.Connection, source: str, guids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Items (id, key) by the guid under which the source lists them; a guid of several items tells nothing."""
    rows = [
        tuple(row)
        for chunk in _chunks(guids)
        for row in db.execute(
            f"""SELECT guid, items.id, items.key FROM sightings JOIN items ON items.id = sightings.item
            WHERE sightings.source = ? AND guid IN ({_marks(chunk)})""",  # noqa: S608 - marks
            (source, *chunk),
        )
    ]
    shared = Counter(guid for guid, _, _ in rows)
    return {guid: (item, key) for guid, item, key in rows if shared[guid] == 1}


def signs(db: sqlite3.Connection, items: Sequence[int]) -> set[str]:
    """Signs of every key under which items were ever seen, with and without its fragment."""
    return {
        sign(key)
        for chunk in _chunks(items)
        for row in db.execute(f"SELECT key FROM item_keys WHERE item IN ({_marks(chunk)})", chunk)  # noqa: S608 - marks
        for key in {row[0], row[0].partition("#")[0]}
    }


def _same_guid(candidate: _Candidate, guids: Mapping[str, tuple[int, str]]) -> int | None:
    item, key = guids.get(candidate.guid or "", (None, ""))
    kind, own = key.partition(":")[0], candidate.entry.own_key
    return None if own and own.startswith(f"{kind}:") else item  # two arXiv ids are two papers, whatever the guid says


def _title_key(source: str, entry: Entry) -> str | None:
    title = fold(entry.title)
    return f"title:{source}:{entry.published_at[:10]}:{content_hash(title)}" if title and entry.published_at else None


def _one_per_item(candidates: list[_Candidate]) -> list[_Candidate]:
    """Two entries of a document that were once told apart and turn out to be one item count once, by the first."""
    first = {c.item: c for c in reversed(candidates)}
    return [c for c in candidates if c.item is None or first[c.item] is c]


# -- writing ----------------------------------------------------------------------------------------


def _insert(db: sqlite3.Connection, source: Source, candidate: _Candidate, now: str, backlog: bool) -> None:
    entry = candidate.entry
    item = _next_id(db, min(entry.published_at if backlog and entry.published_at else now, now)[:10])
    db.execute(
        """INSERT INTO items(id, key, source, url, title, authors, published_at, published_raw, first_seen_at, content_hash,
          version, backlog) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            item, candidate.keys[0], source.id, entry.url, entry.title, "; ".join(entry.authors), entry.published_at,
            None if entry.published_at else entry.published_raw, now, content_hash(entry.title, entry.text), entry.version, int(backlog),
        ),
    )  # fmt: skip
    db.execute("INSERT INTO texts(item, title, body) VALUES (?, ?, ?)", (item, entry.title, entry.text))
    db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (item, now))
    if source.origin == "official":
        readings.want(db, item, now)
    _remember(db, source, candidate, item, now, new=True)


def _remember(db: sqlite3.Connection, source: Source, candidate: _Candidate, item: int, now: str, *, new: bool = False) -> None:
    """Keys, links and the sighting: what lets the entry be known again."""
    title, own = _title_key(source.id, candidate.entry), set(candidate.keys)
    _add(db, "item_keys", item, [*candidate.keys, *([title] if title else [])], MAX_KEYS, new=new)
    links = _add(db, "links", item, [key for key in candidate.entry.links if key not in own], MAX_LINKS, new=new)
    _whose(db, item, candidate, now, links=links, new=new)
    db.execute(
        """INSERT INTO sightings(item, source, guid, entry_hash, first_seen_at) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT(item, source) DO UPDATE SET guid = excluded.guid, entry_hash = excluded.entry_hash""",
        (item, source.id, candidate.guid, candidate.hash, now),
    )


def _add(db: sqlite3.Connection, table: str, item: int, keys: Sequence[str], most: int, *, new: bool) -> int:
    """Keep the first keys and every paper's; return how many are new.

    A key that was forgotten could make a second item, one never taken in only finds none.
    """
    (held,) = (0,) if new else db.execute(f"SELECT count(*) FROM {table} WHERE item = ?", (item,)).fetchone()  # noqa: S608 - two names
    kept = [key for n, key in enumerate(keys, held) if n < most or key.startswith(("arxiv:", "doi:"))]
    return db.executemany(f"INSERT OR IGNORE INTO {table}(key, item) VALUES (?, ?)", [(key, item) for key in kept]).rowcount  # noqa: S608


def _whose(db: sqlite3.Connection, item: int, candidate: _Candidate, now: str, *, links: int, new: bool) -> None:
    """Keep what a source says of a paper's homes; a known paper is tagged anew for it, and for links: Hugging Face names who sent it."""
    homes = "; ".join(candidate.entry.affiliations)
    told = homes and db.execute("UPDATE items SET affiliations = ? WHERE id = ? AND affiliations <> ?", (homes, item, homes)).rowcount > 0
    if not new and candidate.entry.own_key and (told or links > 0):
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (item, now))


def _next_id(db: sqlite3.Connection, day: str) -> int:
    floor = int(day.replace("-", "")) * IDS_PER_DAY
    (last,) = db.execute("SELECT max(id) FROM items WHERE id BETWEEN ? AND ?", (floor, floor + IDS_PER_DAY - 1)).fetchone()
    return (last or floor) + 1


def _update(db: sqlite3.Connection, source: Source, candidate: _Candidate, now: str, ranks: Ranks) -> int:
    """Write what changed; return 1 if a reader would see a difference."""
    item = candidate.item
    assert item is not None
    entry = candidate.entry
    old = db.execute(
        """SELECT source, url, items.title, body, authors, published_at, version, revision FROM items
        JOIN texts ON texts.item = items.id WHERE id = ?""",
        (item,),
    ).fetchone()
    _remember(db, source, candidate, item, now)
    if entry.title != old["title"] and readings.retitled(db, item, entry):
        entry = replace(entry, title="")
    takeover, peers = old["source"] != source.id, ranks.peers(old["source"])
    if not ranks.has_the_say(old["source"]):
        return _fill(db, item, entry, old, now) if peers else 0
    value = values(entry, old, takeover=takeover, peers=peers, listing=source.kind == "page")
    changes = {what for what, new in value.items() if new != old[COLUMN[what]] and not (takeover and reads_same(what, new, old))}
    if not changes and not takeover:
        return 0
    reads_otherwise = bool({"title", "text", "url"} & changes)
    if reads_otherwise and old["revision"] >= MAX_REVISIONS and "version" not in changes and not takeover:
        return 0
    _note(db, item, now, {what: old[COLUMN[what]] for what in changes}, every_text="version" in changes)
    _rewrite(db, source, item, entry, old, value, int(reads_otherwise))
    if reads_otherwise or takeover:  # a lab is told from the URL and the source, too
        db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (item, now))
        readings.want(db, item, now)
    elif "date" in changes:  # a question asks for a time; what has no story yet comes by the watches anyway
        known = "SELECT 'watch', item, ? FROM story_items WHERE item = ?"
        db.execute(f"INSERT OR IGNORE INTO pending(stage, item, due_at) {known}", (now, item))
    return int(bool(changes - {"date"}))


def _fill(db: sqlite3.Connection, item: int, entry: Entry, old: sqlite3.Row, now: str) -> int:
    """Give an item what a lesser source knows of it: the longer text, a paper's newer version, authors and a date where it has none.

    So it ends as it would have, had the lesser source come first; title, URL and source stay the better one's.
    """
    body = longer(old["body"], entry.text) if old["revision"] < MAX_REVISIONS else old["body"]
    version, newer = max(entry.version or 0, old["version"] or 0) or None, (entry.version or 0) > (old["version"] or entry.version or 0)
    body = entry.text or body if newer else body
    authors, date = old["authors"] or "; ".join(entry.authors), old["published_at"] or entry.published_at
    if (body, authors, date, version) == (old["body"], old["authors"], old["published_at"], old["version"]):
        return 0
    gained = body != old["body"]
    rewritten = bool(gained and old["body"])
    before = {"text": old["body"] if rewritten else None, "version": old["version"] if newer else None}
    _note(db, item, now, before, every_text=newer)
    db.execute(
        "UPDATE items SET authors = ?, published_at = ?, version = ?, content_hash = ?, revision = revision + ? WHERE id = ?",
        (authors, date, version, content_hash(old["title"], body), int(rewritten), item),
    )
    if gained:
        db.execute("UPDATE texts SET body = ? WHERE item = ?", (body, item))
        readings.want(db, item, now)
    db.execute("INSERT OR IGNORE INTO pending(stage, item, due_at) VALUES ('tag', ?, ?)", (item, now))
    return int(gained or newer)


def _note(db: sqlite3.Connection, item: int, now: str, before: Mapping[str, object], *, every_text: bool = False) -> None:
    """Keep what an item said before. Of its texts only the first and those of versions: a summary that counts its readers is no history."""
    if "text" in before and not every_text and db.execute("SELECT 1 FROM revisions WHERE item = ? AND what = 'text'", (item,)).fetchone():
        before = {what: value for what, value in before.items() if what != "text"}
    db.executemany(
        "INSERT OR IGNORE INTO revisions(item, at, what, old) VALUES (?, ?, ?, ?)",
        [(item, now, what, value) for what, value in before.items() if value is not None],
    )


def _rewrite(
    db: sqlite3.Connection, source: Source, item: int, entry: Entry, old: sqlite3.Row, value: Mapping[str, object], edits: int
) -> None:
    title, body = value["title"], value["text"]
    db.execute(
        """UPDATE items SET source = ?, url = ?, title = ?, authors = ?, published_at = ?, version = ?, content_hash = ?,
        revision = revision + ? WHERE id = ?""",
        (
            source.id, value["url"], title, "; ".join(entry.authors) or old["authors"], value["date"], value["version"],
            content_hash(str(title), str(body)), edits, item,
        ),
    )  # fmt: skip
    if (title, body) != (old["title"], old["body"]):
        db.execute("UPDATE texts SET title = ?, body = ? WHERE item = ?", (title, body, item))


# -- helpers ----------------------------------------------------------------------------------------


def _sightings(db: sqlite3.Connection, source: str, items: Sequence[int]) -> dict[int, str]:
    return {
        row[0]: row[1]
        for chunk in _chunks(items)
        for row in db.execute(f"SELECT item, entry_hash FROM sightings WHERE source = ? AND item IN ({_marks(chunk)})", (source, *chunk))  # noqa: S608
    }


def _chunks(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
