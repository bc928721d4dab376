"""The board: the standing questions, each with its rungs, its state in words and the evidence behind it.

in   a read-only connection; the present
out  ``read``: the questions with their states and events, worked out by ``watch.board``; ``board``: plain values for the template
The questions come from the database as the last run mirrored them: feeds.toml is not read. Moved ones first: what is answered, then
what is waited for, then signs without an answer, then none; within these the newest evidence first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from tracker import watch as watching
from tracker.config import Config
from tracker.store import browse
from tracker.types import RUNGS, Event, Watch
from tracker.urls import host_of, safe_url
from tracker.watch import Status
from tracker.web.links import Links
from tracker.web.stories import doubt
from tracker.web.words import count, date_of, day_of, moment

__all__ = ["board", "read", "shown"]

Row = Mapping[str, Any]
Names = Mapping[tuple[str, str], str]

_ORDER = ("answered", "waiting", "signs", "open", "expired")


def read(conn: sqlite3.Connection, now: datetime) -> list[Row]:
    """Return every question with its state, how many events stand (one a story, lab and rung), and of how many items."""
    asked = Config("", None, None, (), (), (), browse.questions(conn))
    return [
        {"watch": watch, "status": status, "events": len(events), "items": sum(1 + len(event.further) for event in events)}
        for watch, status, events in watching.board(conn, asked, now)
    ]


def shown(rows: Iterable[Row]) -> list[int]:
    """Return the items that the board names: proofs, newest signs, and what was taken back last."""
    states = [row["status"] for row in rows]
    named = {event.item for status in states for event in (status.proof, status.last) if event}
    return sorted(named | {one.event.item for status in states for one in status.withdrawn[:1]})


def board(facts: Mapping[str, Sequence[Row]], names: Names, now: datetime, links: Links) -> list[dict[str, Any]]:
    """Return the questions as the template shows them."""
    items = {row["id"]: row for row in facts["SIGNS"]}
    rows = [_question(row, items, names, now, links) for row in facts["BOARD"]]
    return sorted(rows, key=lambda row: (_ORDER.index(row["standing"]), _reversed(row["newest_at"]), row["question"]))


def _reversed(stamp: str) -> tuple[int, ...]:
    """A key by which a later instant comes first."""
    return tuple(-ord(char) for char in stamp) or (0,)


def _question(row: Row, items: Mapping[int, Row], names: Names, now: datetime, links: Links) -> dict[str, Any]:
    watch: Watch = row["watch"]
    status: Status = row["status"]
    # What stands beside "answered" is read as the answer: the proof, not the newest sign.
    shown, newest = status.proof or status.last, status.last
    return {
        "question": watch.question,
        "standing": "signs" if status.state == "open" and shown else status.state,
        "state": _state(watch, status, now),
        "looked": _looked(status) if status.sources and not shown and status.looked != "no" else "",
        "rungs": [{"name": rung, "seen": rung in status.rungs, "answers": rung in watch.answer} for rung in RUNGS],
        "shown": _sign(shown, items, names, now) if shown else None,
        "shown_as": "Answer" if status.proof else "Newest sign",
        "newest": _sign(newest, items, names, now) if newest and newest != shown else None,
        "newest_at": newest.at if newest else "",
        "seeks": _seeks(watch, names),
        "note": watch.note,
        "events": _events(row["events"], row["items"]),
        "href": links.table("events_of_a_question", watch=watch.id),
        "near": f"{status.near:,} near-miss{'' if status.near == 1 else 'es'}" if status.near else "",
        "near_href": links.table("near_misses_of_a_question", watch=watch.id),
        "taken_back": _taken_back(status, items, names, now) if status.withdrawn else None,
    }


def _looked(status: Status) -> str:
    """What was looked at: a "none" says no more than that."""
    return f"{count(status.sources, 'source')} looked at, {status.gaps or 'none'} with a gap"


def _events(events: int, items: int) -> str:
    if items < 2:
        return "Its events"
    return f"All {count(events, 'event')}, of {items:,} items" if items > events else f"All {count(events, 'event')}"


def _taken_back(status: Status, items: Mapping[int, Row], names: Names, now: datetime) -> dict[str, Any]:
    """How many events were taken back, and of the last one when and why."""
    last, others = status.withdrawn[0], len(status.withdrawn) - 1
    day = day_of(last.withdrawn_at or "", now)
    why = re.sub(r"\b(on|by|about|for) ([\w-]+)", lambda found: _with_name(found, names), last.withdrawn_why or "why was not kept")
    return {
        "said": f"{count(others + 1, 'event')} {'were' if others else 'was'} taken back{', the last' if others else ''} on {day}",
        "event": _sign(last.event, items, names, now),
        "why": why,
    }


def _state(watch: Watch, status: Status, now: datetime) -> str:
    if status.as_of is None:
        return "not looked yet"
    if status.looked == "no" or (status.looked == "partly" and not status.proof):
        return status.looked_words
    as_of = date_of(status.as_of).rpartition(" ")[0]
    match status.state:
        case "answered" if status.proof:
            return f"answered {day_of(status.proof.at, now)}"
        case "waiting":
            return f"waiting, day {status.day} of {status.of_days} as of {as_of}"
        case "expired" if watch.until and (status.looked_from or "")[:10] > watch.until:
            return "the time was over before anybody looked"
        case "expired":
            return f"the time is over without {_or(watch.answer)}"
        case _ if watch.since and watch.since > status.as_of[:10]:
            return f"asked from {day_of(watch.since, now)}"
        case _:
            return f"{'no answer' if status.last else 'none'} as of {as_of}"


def _sign(event: Event, items: Mapping[int, Row], names: Names, now: datetime) -> dict[str, Any]:
    item = items.get(event.item, {})
    href = safe_url(item.get("url"))
    return {
        "title": (item.get("title") or "").strip() or "(no title)",
        "href": href,
        "host": host_of(href),
        "lab": names.get(("lab", event.lab), event.lab),
        "relation": "about" if any(line.startswith("about ") for line in event.reason) else "by",
        "rung": event.rung,
        "at": moment(event.at, now),
        "day": day_of(event.at, now),
        "doubt": doubt(item),
        "further": f"and {count(len(event.further), 'more item')} of its story" if event.further else "",
        "reasons": [_named(line, names) for line in event.reason],
    }


def _named(line: str, names: Names) -> str:
    """A reason with names in place of ids: "by openai (published on openai.com)" reads "by OpenAI (published on openai.com)"."""
    return re.sub(r"^(on|by|about) ([\w-]+)(?= |$)", lambda found: _with_name(found, names), line)


def _with_name(found: re.Match[str], names: Names) -> str:
    return f"{found[1]} {names.get(('topic' if found[1] == 'on' else 'lab', found[2]), found[2])}"


def _seeks(watch: Watch, names: Names) -> str:
    """What would answer the question, in words: an empty row says what would fill it."""
    return "; ".join(_sought(watch, names))


def _sought(watch: Watch, names: Names) -> Iterator[str]:
    yield _or(watch.answer)
    labs = ["any lab" if lab == "any" else names.get(("lab", lab), lab) for lab in watch.by]
    yield from [f"by {_or(labs)}"] if labs else []
    topics = [names.get(("topic", topic), topic) for topic in watch.topics]
    yield from [f"on {_or(topics)}"] if topics else []
    yield from [f"saying {_or([f'“{phrase}”' for phrase in watch.phrases])}"] if watch.phrases else []
    if watch.since:
        yield f"since {date_of(watch.since)}"
    if watch.until:
        yield f"until {date_of(watch.until)}"


def _or(words: Sequence[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
