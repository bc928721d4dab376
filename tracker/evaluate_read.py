"""End to end: what the daily run would learn of papers from the network, for labels that are to be judged so.

in   rows of papers, and the fetcher: each paper's author block from arXiv, Hugging Face's daily lists of the days around its listing
out  ``Evidence``: the rows with block and links in their items, what came of each paper, and counts
refuses to know labs, figures and the database; keeps nothing.
A failure never stops it: it is an outcome, and the paper is judged by what there is. But a host that refuses is left in peace when
a run would leave it (``authors.Patience``): whatever is left is "not asked".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.request import getproxies

from tracker.authors import Block, Patience, ask
from tracker.errors import SourceError
from tracker.evaluate_items import Row
from tracker.polite import host_delay_s
from tracker.pollers.worker import ParseWorker
from tracker.read import Fetcher
from tracker.types import Entry, Request, Source

__all__ = ["Evidence", "evidence", "minutes"]

ARXIV, DAILY = "https://arxiv.org/html/", "https://huggingface.co/api/daily_papers?limit=100&date="
BEFORE, AFTER = 1, 14  # days around a paper's listing on arXiv: nine in ten are on a daily list within six days, LABS section 1
ANSWER_S = 0.7  # what an answer takes, beside the pause
NOT_ASKED = "not asked"
TELL_EVERY = 50


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was read: ``outcomes`` of each paper's author block by key, ``days`` of the daily lists by day."""

    rows: tuple[Row, ...]
    outcomes: Mapping[str, str]
    days: Mapping[str, str]
    listed: int = 0  # papers that stand on a daily list

    def as_dict(self) -> dict[str, object]:
        """Return the counts for a report."""
        asked = Counter(self.outcomes.values())
        return {
            "blocks": dict(asked.most_common()),
            "daily_lists": dict(Counter(self.days.values()).most_common()),
            "on_a_daily_list": self.listed,
            "without_day": sum(row.kind == "paper" and not row.day for row in self.rows),
            "requests": sum(n for outcome, n in (*asked.items(), *Counter(self.days.values()).items()) if outcome != NOT_ASKED),
        }


def minutes(rows: Sequence[Row], today: str) -> int:
    """Return how long reading is going to take, in whole minutes; the pause of arXiv is most of it."""
    pause = host_delay_s(ARXIV, getproxies().get("https"))
    papers = sum(row.kind == "paper" for row in rows)
    return max(1, round((papers * (pause + ANSWER_S) + len(_days(rows, today)) * ANSWER_S) / 60))


def evidence(rows: Sequence[Row], fetcher: Fetcher, today: str, told: Callable[[str], None]) -> Evidence:
    """Read what the daily run would of every paper.

    Args:
        today: no list of a later day is asked for.
        told: hears of the progress, a line now and then.
    """
    with ParseWorker() as worker:
        listed, days = _daily(_days(rows, today), fetcher, worker, told)
        outcomes: dict[str, str] = {}
        found = [_with(row, listed.get(row.item.key, [])) for row in rows]
        for at, block in _blocks(found, fetcher, worker):
            row = found[at]
            outcomes[row.item.key] = block.outcome
            found[at] = replace(row, item=replace(row.item, block=block.text))
            if len(outcomes) % TELL_EVERY == 0:
                told(f"  {len(outcomes)} papers: " + ", ".join(f"{n} {what}" for what, n in Counter(outcomes.values()).most_common()))
    return Evidence(tuple(found), outcomes, days, sum(row.item.key in listed for row in found))


def _blocks(rows: Sequence[Row], fetcher: Fetcher, worker: ParseWorker) -> Iterator[tuple[int, Block]]:
    patience = Patience()
    for at, row in enumerate(rows):
        if row.kind == "paper":
            key = row.item.key
            block = Block(key, "", NOT_ASKED) if patience.is_over else ask(key, fetcher, worker, authors=row.item.authors)
            patience.hear(block.outcome, block.retry_after_s)
            yield at, block


def _days(rows: Iterable[Row], today: str) -> list[str]:
    """Every day on whose list a paper may stand, each once, oldest first."""
    first = {date.fromisoformat(row.day) for row in rows if row.kind == "paper" and row.day and row.day <= today}
    days = {(day + timedelta(days=more)).isoformat() for day in first for more in range(-BEFORE, AFTER + 1)}
    return sorted(day for day in days if day <= today)


def _daily(
    days: Sequence[str], fetcher: Fetcher, worker: ParseWorker, told: Callable[[str], None]
) -> tuple[dict[str, list[Entry]], dict[str, str]]:
    """(what the lists say of each paper, by key; what came of each day)."""
    listed: dict[str, list[Entry]] = {}
    outcomes: dict[str, str] = {}
    patience = Patience()
    for number, day in enumerate(days, 1):
        outcomes[day] = NOT_ASKED if patience.is_over else _one_day(day, fetcher, worker, listed)
        patience.hear(outcomes[day])
        if number % TELL_EVERY == 0:
            told(f"  {number} of {len(days)} daily lists, {len(listed)} papers on them")
    return listed, outcomes


def _one_day(day: str, fetcher: Fetcher, worker: ParseWorker, listed: dict[str, list[Entry]]) -> str:
    """Add what the list of a day says of its papers; return what came of it."""
    source = Source("evaluate", "hf_papers", f"{DAILY}{day}", "daily papers", origin="paper")
    try:
        response = fetcher.get(Request(source.url))
        if response.truncated:
            return "truncated"
        entries = worker.parse(source, response).entries
    except SourceError as error:
        return error.name
    for entry in entries:
        if entry.own_key:
            listed.setdefault(entry.own_key, []).append(entry)
    return "read" if entries else "empty"


def _with(row: Row, listed: Sequence[Entry]) -> Row:
    """Return a paper with the links that the lists give it, and where there was no text of it, with theirs."""
    if not listed or row.kind != "paper":
        return row
    links = {*row.item.links, *(link for entry in listed for link in entry.links)} - {row.item.key}
    first = listed[0]
    item = row.item if row.has_text else replace(row.item, title=first.title, text=first.text, authors=first.authors)
    return replace(row, item=replace(item, links=tuple(sorted(links))))
