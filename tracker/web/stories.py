"""A line of the list: a story, from the rows of its items.

in   rows of ``queries``: which story each listed item belongs to, its items, what is said of them
out  plain values for the template, in the order of the list: the lead's title, what else there is, tags, rungs, who was first, and why
A story stands on the day of its newest item that fits the list: news on an old story is news. Its title is that of its lead, its tags
are the best of all its items. Surprising: what is unconfirmed stays with the item that says so, and does not colour the lab's own lead.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any

from tracker.matching import story_rungs
from tracker.store.items import IDS_PER_DAY
from tracker.urls import host_of, safe_url
from tracker.web.links import Links
from tracker.web.words import count, moment, time_of

__all__ = ["doubt", "json_of", "stories"]

Row = Mapping[str, Any]
Names = Mapping[tuple[str, str], str]
Rows = Mapping[int, Sequence[Row]]

_AUTHORS, _SOURCES, _ALSO, _MEMBERS, _PROOFS = 2, 3, 5, 12, 6  # shown before "and 5 more"


def stories(facts: Mapping[str, Sequence[Row]], names: Names, now: datetime, links: Links) -> list[dict[str, Any]]:
    """Return a line for each listed item, newest first."""
    rows = {row["id"]: row for row in facts["ITEMS"]}
    said = {name: _by(facts[name], "item") for name in ("TAGS", "ATTRIBUTIONS", "SIGHTINGS")}
    homes = _by(facts["STORIES"], "listed")
    listed = [row["item"] for row in facts["LISTED"] if row["item"] in rows]
    return [_story(item, homes.get(item, ()), rows, said, names, now, links) for item in listed]


def _by(rows: Iterable[Row], column: str) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row[column], []).append(row)
    return found


def _story(
    listed: int, home: Sequence[Row], rows: Mapping[int, Row], said: Mapping[str, Rows], names: Names, now: datetime, links: Links
) -> dict[str, Any]:
    newest = rows[listed]
    lead = rows.get(home[0]["lead"], newest) if home else newest
    others = [rows[row["item"]] for row in home if row["item"] in rows and row["item"] != lead["id"]]
    members = [lead, *sorted(others, key=_at)]
    size = home[0]["items"] if home else 1
    labs = [row for member in members for row in said["ATTRIBUTIONS"].get(member["id"], ())]
    rungs = _rungs(members, names)
    seen_in = list(dict.fromkeys(row["title"] for row in said["SIGHTINGS"].get(lead["id"], ())))
    return {
        "id": listed,
        **_named(lead),
        "stamp": _at(newest),
        "at": time_of(newest["published_at"], newest["first_seen_at"], listed // IDS_PER_DAY, newest["published_raw"]),
        "unconfirmed": doubt(lead),
        "rungs": [rung for rung, _, _ in rungs],
        "origin": lead["origin"],
        "sources": _some(seen_in, _SOURCES, "; "),
        "authors": _some([name for name in lead["authors"].split("; ") if name and name not in seen_in], _AUTHORS),
        "size": f"{count(size, 'item')} from {count(home[0]['sources'], 'source')}" if size > 1 else "",
        "also": [_other(member, said["SIGHTINGS"].get(member["id"], ())) for member in members[1 : 1 + _ALSO]],
        "more": max(0, size - 1 - _ALSO),
        "topics": list(_topic_chips([tag for member in members for tag in said["TAGS"].get(member["id"], ())], names, links)),
        "labs": list(_lab_chips(labs, names, links)),
        "proofs": rungs,
        "first": _first(home, members, said["ATTRIBUTIONS"], names),
        "members": list(_members(members, home, said["SIGHTINGS"])) if size > 1 else [],
        "first_seen": moment(lead["first_seen_at"], now),
        "key": lead["key"],
        "row": links.row("items", lead["id"]),
        "story": links.row("stories", home[0]["story"]) if home else "",
    }


def _named(row: Row) -> dict[str, Any]:
    href = safe_url(row["url"])
    return {"title": row["title"].strip() or "(no title)", "href": href, "host": host_of(href)}


def _at(row: Row) -> str:
    return str(row["published_at"] or row["first_seen_at"])


def doubt(row: Row) -> dict[str, Any] | None:
    """What nobody has confirmed, with the words that say so; what was denied or corrected of it later, with its words and where."""
    if not row.get("unconfirmed"):
        return None
    word = "possibly unconfirmed" if row["unconfirmed"] == "possibly" else "unconfirmed"
    denied = json_of(row["denied"], dict)
    return {"word": word, "cue": row["cue"] or "", "denied": {**denied, "href": safe_url(denied["url"])} if denied else None}


# -- what else there is -----------------------------------------------------------------------------


def _other(row: Row, sightings: Sequence[Row]) -> dict[str, Any]:
    """Another item of the story, by the name of its source; a paper by its number."""
    return {**_named(row), "label": _label(row, sightings), "unconfirmed": doubt(row)}


def _label(row: Row, sightings: Sequence[Row]) -> str:
    kind, _, number = row["key"].partition(":")
    if kind == "arxiv":
        return f"arXiv {number}"
    best = next((sighting["title"] for sighting in sightings if sighting["source"] == row["source"]), "")
    return best or next((sighting["title"] for sighting in sightings), row["source"])


def _members(members: Sequence[Row], home: Sequence[Row], sightings: Rows) -> Iterator[dict[str, Any]]:
    """The items of a story, the lead first, each with what joins it."""
    joined = {row["item"]: row["evidence"] for row in home}
    for row in members[:_MEMBERS]:
        yield {**_other(row, sightings.get(row["id"], ())), "evidence": joined.get(row["id"], "")}


def _some(values: Sequence[str], limit: int, between: str = ", ") -> str:
    more = len(values) - limit
    return between.join(values) if more <= 1 else f"{between.join(values[:limit])} and {more} more"


# -- rungs ------------------------------------------------------------------------------------------


def _rungs(members: Sequence[Row], names: Names) -> list[tuple[str, str, str]]:
    """The rungs of a story, highest first, each with whose it is and the cue that says so. Press beside the lab's own word adds none."""
    found: dict[str, tuple[str, str, str]] = {}
    for row in members:
        for rung, lab, cue in json_of(row["rungs"], list):
            found.setdefault(rung, (rung, names.get(("lab", lab), lab), cue))
    return [found[rung] for rung in reversed(story_rungs(found))]


# -- who said it first ------------------------------------------------------------------------------

_KINDS = {"official": "the lab’s own post", "paper": "the paper", "press": "the press", "community": "the community"}


def _first(home: Sequence[Row], members: Sequence[Row], labs: Rows, names: Names) -> str:
    """Who said it first and how many days before the other kinds of origin; "" where only one kind has a date.

    By published days: many sources give no hour, so what came on one day is said to have come on one day.
    """
    told: dict[str, Any] = next((json_of(row["first"], dict) for row in home if row["first"]), {})
    days = {kind: date.fromisoformat(told[kind]) for kind in _KINDS if told.get(kind)}
    if len(days) < 2:
        return ""
    words = _KINDS | _own(members, labs, names)
    start = min(days.values())
    first = [words[kind] for kind, day in days.items() if day == start]
    head = f"{first[0]}, {told['source']}" if len(first) == 1 else f"{', '.join(first[:-1])} and {first[-1]}, the same day"
    later = [f"{_days(day - start)} before {words[kind]}" for kind, day in sorted(days.items(), key=lambda pair: pair[1]) if day > start]
    undated = f"; {count(told['undated'], 'item')} without a date" if told["undated"] else ""
    return ", ".join([head, *later]) + undated


def _days(span: timedelta) -> str:
    return f"{span.days:,} day{'' if span.days == 1 else 's'}"


def _own(members: Sequence[Row], labs: Rows, names: Names) -> dict[str, str]:
    """The lab's own post by the name of the lab, where one is known."""
    posts = (row for member in members if member["origin"] == "official" for row in labs.get(member["id"], ()))
    lab = next((row["lab"] for row in posts if row["relation"] == "by"), None)
    return {"official": f"{names.get(('lab', lab), lab)}’s own post"} if lab else {}


# -- tags -------------------------------------------------------------------------------------------


def _topic_chips(tags: Sequence[Row], names: Names, links: Links) -> Iterator[dict[str, Any]]:
    """Each topic once, at its best among the items: confident ones first."""
    seen: set[str] = set()
    for tag in sorted(tags, key=lambda tag: (tag["tier"] != "confident", -tag["score"])):
        if tag["topic"] not in seen:
            seen.add(tag["topic"])
            yield _topic_chip(tag, names, links)


def _topic_chip(tag: Row, names: Names, links: Links) -> dict[str, Any]:
    by_rule = tag["model"] == "rules"
    return {
        "id": tag["topic"],
        "title": names.get(("topic", tag["topic"]), tag["topic"]),
        "tier": tag["tier"],
        "score": "by rule" if by_rule else f"{tag['score']:.2f}",
        "href": links.front(topic=tag["topic"]),
        "words": _words(tag["evidence"]),
        "model": "rules alone, no model" if by_rule else f"model {tag['model']}",
    }


def _words(evidence: str) -> list[tuple[str, str]]:
    """The words behind a tag with their weights; nothing where the evidence cannot be read."""
    pairs = [pair for pair in json_of(evidence, list) if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[1], int | float)]
    return [(str(term), f"{weight:.2f}") for term, weight in pairs]


# How an attribution is known, as it reads behind "stated by"; a method that is not here is called as it is.
_METHODS = {
    "host": "its address", "author": "who signs", "affiliation": "arXiv’s metadata", "block": "the author block", "own": "its own post",
    "hf": "a link to Hugging Face", "repo": "a repository it links to", "email": "a mail address in the author block",
    "name": "name", "product": "its product", "person": "its people", "context": "a name in its context",
}  # fmt: skip


def _lab_chips(rows: Sequence[Row], names: Names, links: Links) -> Iterator[dict[str, Any]]:
    """Each lab once a relation, by before about; of a lab whose own word is there, that others are about it goes without saying."""
    own = {row["lab"] for row in rows if row["relation"] == "by"}
    shown = [row for row in rows if row["relation"] == "by" or row["lab"] not in own]
    shown.sort(key=lambda row: (row["relation"] != "by", row["lab"]))
    for (relation, lab), group in groupby(shown, key=lambda row: (row["relation"], row["lab"])):
        yield {
            "relation": relation,
            "name": names.get(("lab", lab), lab),
            "href": links.front(lab=lab, relation=relation if relation != "by" else ""),
            "proofs": list(dict.fromkeys(map(_proof, group)))[:_PROOFS],
        }


def _proof(row: Row) -> tuple[str, str, str]:
    return str(row["strength"]), _METHODS.get(row["method"], str(row["method"])), str(row["evidence"])


def json_of(text: str | None, kind: type) -> Any:
    """Return the JSON value, or an empty one when the text is not of that kind."""
    try:
        value = json.loads(text or "")
    except ValueError:
        return kind()
    return value if isinstance(value, kind) else kind()
