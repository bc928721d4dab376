"""The front page: what the reader chose, what the database says, and what the template is given.

in   the query of a request; a read-only connection; the present
out  plain values for ``templates/tracker/front.html``; every link made, every time in words beside its instant
``read`` runs the SQL, all in one read transaction: a page shows the state before or after a commit, never half. ``page`` is pure; the
lines of the list are made in ``stories``, the standing questions in ``board``. The present of a sample is its last run.
Surprising: whether a topic or lab exists is decided in Python from the registry, so a hostile value never meets SQL.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from tracker.clock import iso, parse
from tracker.complete import silence, worded
from tracker.store.items import IDS_PER_DAY
from tracker.urls import safe_url
from tracker.web import board, queries
from tracker.web.links import Links
from tracker.web.stories import json_of, stories
from tracker.web.words import count, date_of, day_name, moment, until

__all__ = ["Choice", "Counts", "page", "present", "read"]

Row = Mapping[str, Any]
Facts = dict[str, list[Row]]

LISTED = 50
_END = 10**15  # beyond every id: YYYYMMDD × 1,000,000 + n
_RELATIONS = ("by", "about")
_QUESTIONS, _LABS, _FAILING, _MISSING = 4, 14, 6, 6  # shown before "5 more"; of the questions on a small screen
_AT_WORK_S = 6 * 3600  # an unfinished run that began longer ago has died


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader narrowed the list to. ``before``: only stories whose newest item has a smaller id."""

    topic: str = ""
    lab: str = ""
    relation: str = "by"
    before: int = _END

    @classmethod
    def of(cls, args: Any) -> Choice:
        """Return the choice in a query string; an unusable ``before`` counts as none."""
        before = str(args.get("before") or "")
        usable = before.isascii() and before.isdigit() and len(before) < len(str(_END))
        return cls(args.get("topic") or "", args.get("lab") or "", args.get("relation") or "by", int(before) if usable else _END)

    @property
    def narrowed(self) -> bool:
        """Whether a topic or a lab is chosen."""
        return bool(self.topic or self.lab)


class Counts:
    """What is counted over the whole archive, and the board; made again only when the database files have changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, Facts]] = {}

    def of(self, conn: sqlite3.Connection, path: str, today: datetime) -> Facts:
        """Return the counts of topics, labs and items, and the standing questions, as of now."""
        state = (today.date(), [_state(Path(path + suffix)) for suffix in ("", "-wal")])
        known = self._known.get(path)
        if known is None or known[0] != state:
            floors = {"week": _floor(today - timedelta(days=6)), "quarter": _floor(today - timedelta(days=89))}
            counted = {name: _rows(conn, getattr(queries, name), floors) for name in ("TOPICS", "LABS", "TOTAL")}
            known = self._known[path] = (state, {**counted, "BOARD": board.read(conn, today)})
        return known[1]


def _state(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size


# -- reading ----------------------------------------------------------------------------------------


def read(conn: sqlite3.Connection, choice: Choice, now: datetime, counts: Counts, path: str) -> Facts:
    """Return everything the page shows, from one state of the database."""
    conn.execute("BEGIN")
    try:
        facts = {name: _rows(conn, getattr(queries, name)) for name in ("RUNS", "NAMES", "SOURCES", "GAPS", "WAITING")}
        facts |= counts.of(conn, path, present(facts, now))
        listed = [] if _unknown(choice, facts["NAMES"]) else _rows(conn, queries.LISTS[_list_of(choice)], _values(choice))
        facts["LISTED"], facts["MORE"] = listed[:LISTED], listed[LISTED:]
        ids = [row["item"] for row in facts["LISTED"]]
        facts["STORIES"] = _rows(conn, queries.STORIES, {"listed": json.dumps(ids)})
        values = {
            "items": json.dumps(sorted({*ids, *(row["item"] for row in facts["STORIES"])})),
            "days": json.dumps([] if choice.narrowed else sorted({i // IDS_PER_DAY for i in ids})),
        }
        for name in ("ITEMS", "TAGS", "ATTRIBUTIONS", "SIGHTINGS", "DAYS"):
            facts[name] = _rows(conn, getattr(queries, name), values)
        return {**facts, "SIGNS": _rows(conn, queries.SIGNS, {"items": json.dumps(board.shown(facts["BOARD"]))})}
    finally:
        conn.execute("ROLLBACK")


def _rows(conn: sqlite3.Connection, sql: str, values: Mapping[str, object] | None = None) -> list[Row]:
    cursor = conn.execute(sql, values or {})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def present(facts: Facts, now: datetime) -> datetime:
    """Return the present of the page: of a sample its last run, else now."""
    last = facts["RUNS"][0] if facts["RUNS"] and facts["RUNS"][0]["sample"] else None
    return parse(last["started_at"]) if last else now


def _list_of(choice: Choice) -> str:
    return " and ".join(name for name in ("topic", "lab") if getattr(choice, name)) or "newest"


def _values(choice: Choice) -> dict[str, object]:
    return {"topic": choice.topic, "lab": choice.lab, "relation": choice.relation, "before": choice.before, "limit": LISTED + 1}


def _unknown(choice: Choice, names: Iterable[Row]) -> str:
    """Return what the reader asked for that does not exist, as a sentence; the value itself is not repeated."""
    known = {(row["what"], row["id"]) for row in names}
    if choice.topic and ("topic", choice.topic) not in known:
        return "There is no such topic; the topics are listed beside."
    if choice.lab and ("lab", choice.lab) not in known:
        return "There is no such lab; the labs are listed beside."
    if choice.relation not in _RELATIONS:
        return "The relation of an item to a lab is either by or about."
    return ""


def _floor(day: datetime) -> int:
    return int(day.strftime("%Y%m%d")) * IDS_PER_DAY


# -- the page ---------------------------------------------------------------------------------------


def page(facts: Facts, choice: Choice, now: datetime, links: Links) -> dict[str, Any]:
    """Return the context of the template."""
    names = {(row["what"], row["id"]): row["title"] for row in facts["NAMES"]}
    unknown = _unknown(choice, facts["NAMES"])
    choice = Choice() if unknown else choice
    items = stories(facts, names, now, links)
    asked = board.board(facts, names, now, links) if choice == Choice() and not unknown else []
    chosen_topic = names.get(("topic", choice.topic), "")
    chosen_lab = names.get(("lab", choice.lab), "")
    return {
        "choice": choice,
        "topic": next((row for row in facts["NAMES"] if (row["what"], row["id"]) == ("topic", choice.topic)), None),
        "lab": chosen_lab,
        "title": " · ".join(part for part in (chosen_topic, chosen_lab and f"{choice.relation} {chosen_lab}") if part),
        "sample": date_of(iso(now)).partition(" ")[2] if any(row["sample"] for row in facts["RUNS"]) else "",
        "health": _health(facts, now),
        "board": asked,
        "answered": sum(1 for row in asked if row["standing"] == "answered"),
        "questions_shown": _QUESTIONS,
        "days": _days(items, facts["DAYS"], choice, now),
        "empty": unknown or ("" if items else _empty(facts, choice, now)),
        "older": links.front(**_kept(choice), before=items[-1]["id"]) if facts["MORE"] else "",
        "newer": links.front(**_kept(choice)) if choice.before != _END else "",
        "data": _data(choice, links),
        "topics": _topics(facts, choice, links),
        "labs": _labs(facts, names, choice, links),
        "relations": [
            {"name": relation, "chosen": relation == choice.relation, "href": links.front(**{**_kept(choice), "relation": relation})}
            for relation in _RELATIONS
        ],
        "total": facts["TOTAL"][0]["items"],
        "sources": [_source(row, now, links) for row in facts["SOURCES"]],
        "more_labs_from": _LABS,
        "failing_shown": _FAILING,
        "missing_shown": _MISSING,
    }


def _kept(choice: Choice) -> dict[str, object]:
    """The choice as parameters of a link, without its page."""
    return {"topic": choice.topic, "lab": choice.lab, "relation": choice.relation if choice.lab and choice.relation != "by" else ""}


def _data(choice: Choice, links: Links) -> dict[str, str]:
    """Where the list is as SQL, JSON and CSV."""
    chosen = {"topic": choice.topic, "lab": choice.lab, "relation": choice.relation}
    name, columns = {"newest": ("newest", ()), "topic": ("on_topic", ("topic",))}.get(_list_of(choice), ("topic_and_lab", tuple(chosen)))
    values = {column: chosen[column] for column in columns}
    return {label: links.table(name, form, **values) for label, form in (("SQL", None), ("JSON", "json"), ("CSV", "csv"))}


def _health(facts: Facts, now: datetime) -> dict[str, Any]:
    """The last run and the sources in one line."""
    runs = facts["RUNS"]
    newest = runs[0] if runs else None
    finished = next((run for run in runs if run["finished_at"]), None)
    health = [row["health"] for row in facts["SOURCES"]]
    summary = json_of(finished["summary"], dict) if finished else {}
    began = moment(newest["started_at"], now) if newest and not newest["finished_at"] else None
    return {
        "last": moment(finished["finished_at"], now) if finished else None,
        "new": summary.get("new"),
        "on_topic": summary.get("on_topic"),
        "at_work": began if began and began.age_s < _AT_WORK_S else None,
        "died": began if began and began.age_s >= _AT_WORK_S else None,
        "sources": len(health),
        "answered": health.count("ok") + health.count("quiet"),
        "quiet": [silence(row["title"], row["quiet_since"], row["habit_days"], iso(now)) for row in facts["SOURCES"] if row["quiet_since"]],
        "gaps": [worded(row["title"], row) for row in facts["GAPS"]],
        "failing": health.count("failing"),
    }


def _empty(facts: Facts, choice: Choice, now: datetime) -> str:
    if not facts["TOTAL"][0]["items"]:
        return "No items yet: run `tracker run`."
    finished = next((run["finished_at"] for run in facts["RUNS"] if run["finished_at"]), None)
    looked = f" Last looked {seen.text}." if (seen := moment(finished, now)) else ""
    if waiting := facts["WAITING"][0]["items"]:
        return f"{waiting:,} items wait for their topics: run `tracker tag`.{looked}"
    if choice.before != _END:
        return "There is nothing older."
    return f"Nothing here yet; the next item that fits appears by itself.{looked}"


def _days(items: Sequence[Row], counted: Iterable[Row], choice: Choice, now: datetime) -> list[dict[str, Any]]:
    """Stories under day headings; what may be on topic stands below what is."""
    counts = {row["day"]: f"{count(row['stories'], 'story')} from {count(row['items'], 'item')}" for row in counted}
    days = []
    for day, group in groupby(items, key=lambda item: item["id"] // IDS_PER_DAY):
        listed = sorted(group, key=lambda item: item["stamp"], reverse=True)  # ids of one day are in the order of arrival
        confident = [item for item in listed if _is_confident(item, choice)]
        days.append(
            {
                **day_name(day, now),
                "counts": counts.get(day, ""),
                "confident": confident,
                "maybe": [item for item in listed if not _is_confident(item, choice)],
            }
        )
    return days


def _is_confident(item: Row, choice: Choice) -> bool:
    return any(tag["tier"] == "confident" for tag in item["topics"] if not choice.topic or tag["id"] == choice.topic)


# -- beside the list --------------------------------------------------------------------------------


def _topics(facts: Facts, choice: Choice, links: Links) -> list[dict[str, Any]]:
    counts = {row["id"]: row for row in facts["TOPICS"]}
    current = [row for row in facts["NAMES"] if row["what"] == "topic" and not row["retired_at"] and row["id"] in counts]
    busiest = max((counts[row["id"]]["week"] for row in current), default=0) or 1
    rows = [
        {
            **row,
            **counts[row["id"]],
            "share": round(100 * counts[row["id"]]["week"] / busiest),
            "chosen": row["id"] == choice.topic,
            "href": links.front(**{**_kept(choice), "topic": "" if row["id"] == choice.topic else row["id"]}),
        }
        for row in current
    ]
    return sorted(rows, key=lambda row: (-row["week"], -row["items"], row["title"]))


def _labs(facts: Facts, names: Mapping[tuple[str, str], str], choice: Choice, links: Links) -> list[dict[str, Any]]:
    rows = [
        {
            **row,
            "title": names.get(("lab", row["id"]), row["id"]),
            "chosen": row["id"] == choice.lab,
            "href": links.front(topic=choice.topic, lab="" if row["id"] == choice.lab else row["id"]),
        }
        for row in facts["LABS"]
    ]
    return sorted(rows, key=lambda row: (-row["items"], row["title"]))


def _source(row: Row, now: datetime, links: Links) -> dict[str, Any]:
    name, _, sentence = (row["last_error"] or "").partition(": ")
    newest = row["newest_item"]
    return {
        **row,
        "href": links.row("sources", row["id"]),
        "mirror": row["role"] == "mirror" and "mirror" not in row["title"].lower(),
        "answered": moment(row["last_ok_at"], now),
        "brought": moment(row["last_new_at"], now),
        "next": until(row["next_poll_at"], now),
        "error": sentence or name,
        "error_name": name if sentence else "",
        "newest": day_name(newest // IDS_PER_DAY, now)["short"] if newest else "none yet",
        "moved_to": safe_url(row["moved_to"]),
    }
