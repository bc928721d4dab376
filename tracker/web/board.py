"""The board: the standing questions, each with its rungs, its state in words and the evidence behind it.

in   a read-only connection; the present
out  ``read``: the questions with their states and events, worked out by ``watch.board``; ``board``: plain values for the template
The questions come from the database as the last run mirrored them: feeds.toml is not read. Moved ones first: what is answered, then
what is waited for, then signs without an answer, then none; within these the newest evidence first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
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

__all__ = ["board", "read"]

Row = Mapping[str, Any]
Names = Mapping[tuple[str, str], str]

_ORDER = ("answered", "waiting", "signs", "open", "expired")


def read(conn: sqlite3.Connection, now: datetime) -> list[Row]:
    """Return every question with its state and how many events stand."""
    asked = Config("", None, None, (), (), (), browse.questions(conn))
    return [{"watch": watch, "status": status, "events": len(events)} for watch, status, events in watching.board(conn, asked, now)]


def board(facts: Mapping[str, Sequence[Row]], names: Names, now: datetime, links: Links) -> list[dict[str, Any]]:
    """Return the questions as the template shows them."""
    items = {row["id"]: row for row in facts["SIGNS"]}
    looked_at = sum(1 for row in facts["SOURCES"] if row["last_ok_at"])
    rows = [_question(row["watch"], row["status"], row["events"], looked_at, items, names, now, links) for row in facts["BOARD"]]
    return sorted(rows, key=lambda row: (_ORDER.index(row["standing"]), _reversed(row["newest_at"]), row["question"]))


def _reversed(stamp: str) -> tuple[int, ...]:
    """A key by which a later instant comes first."""
    return tuple(-ord(char) for char in stamp) or (0,)


def _question(
    watch: Watch, status: Status, events: int, looked_at: int, items: Mapping[int, Row], names: Names, now: datetime, links: Links
) -> dict[str, Any]:
    # What stands beside "answered" is read as the answer: the proof, not the newest sign.
    shown, newest = status.proof or status.last, status.last
    return {
        "question": watch.question,
        "standing": "signs" if status.state == "open" and shown else status.state,
        "state": _state(watch, status, now),
        "looked": f"{count(looked_at, 'source')} looked at" if looked_at and not shown else "",
        "rungs": [{"name": rung, "seen": rung in status.rungs, "answers": rung in watch.answer} for rung in RUNGS],
        "shown": _sign(shown, items, names, now) if shown else None,
        "shown_as": "Answer" if status.proof else "Newest sign",
        "newest": _sign(newest, items, names, now) if newest and newest != shown else None,
        "newest_at": newest.at if newest else "",
        "seeks": _seeks(watch, names),
        "note": watch.note,
        "events": f"All {count(events, 'event')}" if events > 1 else "Its events",
        "href": links.table("events_of_a_question", watch=watch.id),
    }


def _state(watch: Watch, status: Status, now: datetime) -> str:
    if status.as_of is None:
        return "not looked yet"
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
        "reasons": [_named(line, names) for line in event.reason],
    }


def _named(line: str, names: Names) -> str:
    """A reason with names in place of ids: "by openai (published on openai.com)" reads "by OpenAI (published on openai.com)"."""
    found = re.match(r"(on|by|about) ([\w-]+)(?= |$)", line)
    known = names.get(("topic" if found[1] == "on" else "lab", found[2])) if found else None
    return f"{found[1]} {known}{line[found.end() :]}" if found and known else line


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
