"""Poll: ask every source that is due, store what is new.

in   feeds.toml's sources and their state; out  items with ``pending(tag)``, one row in ``polls`` a source, the sources' state
Sources are asked in parallel, one host at a time (a host's sources wait for each other); one thread, this one, writes: a page, what
vouches for it and its ``polls`` row are one transaction. A source that fails never stops the others. What a poll cannot prove complete
becomes a row in ``gaps`` (``complete`` decides); a source that can be read back is, at its next poll.
knows no topic and no lab. Surprising: an unchanged document is neither parsed nor written about, but for its ``polls`` row.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Protocol
from urllib.parse import urlsplit

from tracker import complete
from tracker.clock import iso
from tracker.clock import parse as instant
from tracker.config import Config
from tracker.errors import SourceError
from tracker.polite import host_key
from tracker.pollers import known, poller
from tracker.pollers.worker import ParseWorker
from tracker.store import gaps, items, sources, transaction
from tracker.store.items import Mixed, Saved
from tracker.types import Entry, Page, Polled, Request, Response, Source, State

__all__ = ["Arrived", "ask", "due", "next_poll", "poll", "sane", "since"]

WORKERS = 16  # hosts asked at once; beyond, latency hides in the longest host anyway
SLACK = timedelta(minutes=15)  # cron never fires to the second: what is due within this time is due now
FIRST_BACKOFF, LAST_BACKOFF = timedelta(hours=1), timedelta(days=7)
FIRST_WINDOW_S = 3 * 86_400  # how far a source without an end is read back at its first poll
OLD = timedelta(days=14)  # what is dated further before the last good poll is an archive, not news
_INCOMPLETE = {
    "truncated": "the document was not complete; the entries that were are stored",
    "too_many_items": "it lists more than one poll takes; the newest are stored",
}
_LASTING = ("too_many_items", "too_large", "malformed")  # of a document that came: nothing gets better by asking later
REACH = timedelta(days=4)  # behind a gap, when it is read back: arXiv announces days after it dates
LATEST = "9999-12-31T23:59:59Z"
_CLOCK_SKEW = timedelta(days=1)  # a post of tomorrow morning in Tokyo is not "in the future"


class Fetcher(Protocol):
    """What poll needs of ``fetch.Fetcher``."""

    def get(self, request: Request) -> Response:
        """Return the answer, or raise ``SourceError``."""


# -- decisions (pure) -------------------------------------------------------------------------------


def due(configured: Iterable[Source], states: dict[str, State], now: datetime, only: Sequence[str] = ()) -> list[Source]:
    """Return the sources to ask now: those whose time has come, or those named in ``only``, due or not.

    A server that asked us to wait is not asked sooner, named or not. A time further away than any wait was written by a clock that ran
    ahead, and does not count.
    """
    limit = iso(now + SLACK)
    chosen = []
    for source in configured:
        state = states.get(source.id, State())
        furthest = iso(now + max(LAST_BACKOFF, timedelta(seconds=source.every_s)) + SLACK)
        waits = limit < (state.next_poll_at or "") <= furthest
        told_to_wait = (state.last_error or "").startswith(("rate_limited", "http_503"))
        if (not only and not waits) or (source.id in only and not (waits and told_to_wait)):
            chosen.append(source)
    return chosen


def next_poll(source: Source, state: State, error: SourceError | None, now: datetime) -> datetime:
    """Return when the source is asked again: after its interval, or after a back-off that doubles from an hour to a week."""
    if error is None:
        return now + timedelta(seconds=source.every_s)
    if error.name == "gone":
        return now + LAST_BACKOFF
    wait = min(FIRST_BACKOFF * (1 << min(state.fails, 10)), LAST_BACKOFF)
    return now + max(wait, min(timedelta(seconds=error.retry_after_s or 0), LAST_BACKOFF))


def sane(entry: Entry, now: datetime) -> Entry:
    """Return the entry with a believable date or none: nothing before arXiv began, nothing in the future. Dates are never invented.

    What lies ahead is kept as the instant it is, so that whoever shows the item can say so.
    """
    if _is_ahead(entry, now):
        return replace(entry, published_at=None, published_raw=entry.published_at)
    if entry.published_at and entry.published_at < "1991-08-01":
        return replace(entry, published_at=None, published_raw=entry.published_raw or entry.published_at)
    return entry


def _is_ahead(entry: Entry, now: datetime) -> bool:
    return bool(entry.published_at) and str(entry.published_at) > _latest(now)


@lru_cache(1)  # asked for every entry of a poll
def _latest(now: datetime) -> str:
    return iso(now + _CLOCK_SKEW)


# -- the loop ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrived:
    """A page, the end of a source, or its failure, on its way from a fetching thread to the writing one."""

    source: Source
    page: Page | None = None
    error: SourceError | None = None
    seconds: float = 0.0


def poll(
    db: sqlite3.Connection,
    config: Config,
    fetcher: Fetcher,
    *,
    now: datetime,
    only: Sequence[str] = (),
    run: int | None = None,
    back_to: datetime | None = None,
) -> Iterator[Polled]:
    """Ask the sources that are due (or ``only`` those named); yield a result as each one ends.

    Args:
        back_to: ask those that can be read back, due or not, as always; then walk back to that instant. What a walk finds is backlog.

    Raises:
        ConfigError: ``only`` names a source that feeds.toml does not have.
        StoreError: the database cannot be written; what was committed stays.
    """
    asked = [config.source(name) for name in only] or list(config.sources)
    with transaction(db):
        sources.sync(db, config.sources, iso(now))
    if back_to is None:
        yield from _round(db, due(asked, sources.states(db), now, only), fetcher, now, run)
        return
    asked = [source for source in asked if complete.walks_back(source)]
    for walk in (None, iso(back_to)):  # what is new comes first and stays news
        states = sources.states(db)
        ready = [source for source in asked if walk is None or not states[source.id].fails]
        yield from _round(db, due(ready, states, now, [source.id for source in ready]), fetcher, now, run, walk)


def _round(
    db: sqlite3.Connection, chosen: Sequence[Source], fetcher: Fetcher, now: datetime, run: int | None, walk: str | None = None,
    states: dict[str, State] | None = None,
) -> Iterator[Polled]:  # fmt: skip
    """Ask sources once; with ``walk``, back to that instant."""
    states = states or sources.states(db)
    tallies = {source.id: _Tally(db, source, states[source.id], now, walk) for source in chosen}
    for arrived in _arrivals(chosen, {name: tally.state for name, tally in tallies.items()}, fetcher):
        source = arrived.source
        try:
            polled = tallies[source.id].store(arrived, run)
        except Mixed:  # say, a post at an address that another post once had: asked again, as if nothing were known
            bare = replace(states[source.id], etag=None, last_modified=None, body_hash="", cursor=None)
            yield from _round(db, [source], fetcher, now, run, walk, {source.id: bare})
        else:
            if polled is not None:
                yield polled


def since(source: Source, now: datetime) -> str:
    """Return how far back a source without an end is read at its first poll."""
    first_s = source.options.get("first_s")
    return iso(now - timedelta(seconds=first_s if isinstance(first_s, int) else FIRST_WINDOW_S))


class _Tally:
    """What one source has brought so far in this poll.

    ``state`` is what its poller gets to know: with an open gap, or on a walk, it is to read back to ``since`` whatever was read before.
    """

    def __init__(self, db: sqlite3.Connection, source: Source, state: State, now: datetime, walk: str | None) -> None:
        self._db, self.source, self.now, self.walk = db, source, now, walk
        self.open = gaps.open_of(db, source.id)
        begin = min(since(source, now), state.last_ok_at or LATEST)  # what has brought nothing yet has no cursor, but was read so far
        if walk:
            state = replace(state, since=walk, backfill=True)
        elif self.open and complete.walks_back(source):
            state = replace(state, since=min(begin, *(iso(instant(gap.from_at) - REACH) for gap in self.open)), backfill=True)
        else:
            state = replace(state, since=begin)
        self.state = replace(state, walk=walk is not None or state.last_ok_at is None)
        self.entries = self.new = self.changed = self.size = self.again = 0
        self.dates: list[str | None] = []
        self.page: Page | None = None
        self.left_out = 0
        self.listed = set[str]()  # signs of what a window lists
        self.flood = False

    def store(self, arrived: Arrived, run: int | None) -> Polled | None:
        """Commit a page or a failure; return the result when the source has ended."""
        with transaction(self._db):
            if arrived.page:
                self._save(arrived.page)
            if arrived.page and not arrived.page.last:
                return None
            return self._end(arrived, run)

    def _save(self, page: Page) -> None:
        self.page, self.size, self.again, self.left_out = page, self.size + page.size, self.again + page.known, self.left_out + page.known
        if page.entries is None:
            return
        last_ok = self.state.last_ok_at
        entries = [sane(entry, self.now) for entry in page.entries]
        self.dates += [entry.published_at for entry in entries]
        if complete.is_window(self.source):
            self.listed.update(page.listed or (), *known.signs([[entry] for entry in entries], self.source))

        def store(backlog: bool) -> Saved:
            old_before = iso(instant(last_ok) - OLD) if last_ok else None
            listed = page.listed or frozenset()
            return items.save(self._db, self.source, entries, now=iso(self.now), first=backlog, old_before=old_before, listed=listed)

        if self.state.walk or page.backlog:  # no flood, and a savepoint would write every page twice more
            saved, self.flood = store(True), False
        else:
            saved, self.flood = items.unless_flood(self._db, store, self._is_flood)
        if page.listed is not None and (saved.merged or any(_is_ahead(entry, self.now) for entry in page.entries)):
            page = replace(page, cursor="")  # what becomes of these is not settled: next time everything is read
        self.entries += len(entries) + page.known
        self.new, self.changed, self.again = self.new + saved.new, self.changed + saved.changed, self.again + saved.again
        if page.last or page.cursor:  # on a page before the last, how far a long walk got
            sources.vouch(self._db, self.source.id, page, walking=self.walk is not None)

    def _is_flood(self, saved: Saved) -> bool:
        shown = complete.Shown(tuple(self.dates), saved.new, self.again + saved.again, self.left_out)
        return complete.flooded(self.source, ok_at=self.state.last_ok_at, shown=shown, now=iso(self.now))

    def _end(self, arrived: Arrived, run: int | None) -> Polled:
        problem, _, detail = ((self.page.problem if self.page else None) or "").partition(": ")
        said = detail or _INCOMPLETE.get(problem, "not all of it could be read")
        error = arrived.error or (SourceError(problem, said) if problem else None)
        polled = Polled(
            self.source.id, self._outcome(error), round(arrived.seconds, 3), self.size, self.entries, self.new, self.changed,
            str(error) if error else None,
        )  # fmt: skip
        self._prove(error)
        sources.record(
            self._db,
            polled,
            run=run,
            now=iso(self.now),
            status=self.page.status if self.page else None,
            next_poll_at=iso(next_poll(self.source, self.state, None if problem in _LASTING and not arrived.error else error, self.now)),
            answered=not arrived.error and self.entries > 0,
            moved_to=self.page.moved_to if self.page else None,
        )
        return polled

    def _outcome(self, error: SourceError | None) -> str:
        if error:
            return error.name
        if self.walk:
            return "read back"
        if self.page and self.page.entries is None:
            return "unchanged"
        if self.flood:
            return "flood"
        if self._shown and complete.is_empty(self.source, newest_at=self._newest_at, shown=self._shown):
            return "empty"
        return "new" if self.new else "nothing new"

    @cached_property
    def _shown(self) -> complete.Shown | None:
        """What the poll showed; None when the document was the same as last time, or none came."""
        if self.page is None or (self.page.entries is None and not self.dates):
            return None
        decides = complete.is_window(self.source) and 0 < self.again <= complete.PINNED
        overlaps = not decides or gaps.lists_newest(self._db, self.source.id, iso(self.now), self.listed)
        return complete.Shown(tuple(self.dates), self.new, self.again, self.left_out, overlaps)

    @cached_property
    def _newest_at(self) -> str | None:
        """The newest thing that the source had shown; looked up only where it decides: nothing connects this answer with what was known."""
        shown = self._shown
        return gaps.newest(self._db, self.source.id, iso(self.now)) if shown and not shown.connects else None

    def _prove(self, error: SourceError | None) -> None:
        """Close the gaps that this poll fills, note what it leaves open, and whether the source has fallen silent."""
        if self.flood:  # proves nothing
            return
        now, name, shown = iso(self.now), error.name if error else None, self._shown
        read_back_to = self.state.since if self.state.backfill else None
        for gap in self.open:
            papers_read = complete.is_mailing(self.source) and gaps.papers_read(self._db, gap)
            if how := complete.closed(
                gap, self.source, error=name, shown=shown, read_back_to=read_back_to, now=now, papers_read=papers_read
            ):
                gaps.close(self._db, gap, now, how)
        if self.walk:
            return
        today, newest = self.now.date(), gaps.newest_day(self._db, self.source.id)
        days = gaps.days(self._db, self.source.id, complete.HABIT_DAYS) if newest and complete.may_be_quiet(newest, today) else []
        found = complete.gap(
            self.source, since=self.state.since or now, ok_at=self.state.last_ok_at, error=name, shown=shown, now=now,
            newest_at=self._newest_at if self.state.body_hash is not None else None,  # another address has another list
            within=complete.habit(days), proved_at=self._proved_at(),
        )  # fmt: skip
        if found:
            gaps.note(self._db, found)
        if error is None and newest:
            gaps.still(self._db, self.source.id, *self._silence(days, newest), now)

    def _proved_at(self) -> str | None:
        """When the source last listed what it should: not while its documents are empty, or list much less than before."""
        poor = [gap.from_at for gap in self.open if gap.reason == "count dropped"]
        return min(filter(None, [self.state.last_ok_at, self.state.empty_since, *poor]), default=None)

    def _silence(self, days: Sequence[date], newest: date) -> tuple[date | None, int | None]:
        today = self.now.date()
        if silent := complete.quiet(days, today):
            return silent
        late = self.source.role == "mirror" and complete.may_be_quiet(newest, today)
        stopped = late and any(complete.stopped(*one, today) for one in gaps.beside(self._db, self.source.id))
        return (newest, None) if stopped else (None, None)


def _arrivals(chosen: Sequence[Source], states: dict[str, State], fetcher: Fetcher) -> Iterator[Arrived]:
    """Ask hosts in parallel, the sources of one host in turn; yield what arrives, in order of arrival."""
    hosts: dict[str, list[Source]] = {}
    for source in chosen:
        hosts.setdefault(host_key(source.url), []).append(source)
    arrivals: queue.Queue[Arrived | None] = queue.Queue(maxsize=2 * WORKERS)  # a slow disk slows the network, never fills memory
    stop = threading.Event()
    with ParseWorker() as worker, ThreadPoolExecutor(WORKERS, "poll") as pool:
        for group in hosts.values():
            pool.submit(_ask_host, group, states, fetcher, worker, arrivals, stop)
        open_hosts = len(hosts)
        try:
            while open_hosts:
                arrived = arrivals.get()
                if arrived is None:
                    open_hosts -= 1
                else:
                    yield arrived
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            if open_hosts:
                _drain(arrivals)


def _ask_host(
    group: Sequence[Source],
    states: dict[str, State],
    fetcher: Fetcher,
    worker: ParseWorker,
    out: queue.Queue[Arrived | None],
    stop: threading.Event,
) -> None:
    try:
        for source in group:
            for arrived in ask(source, states[source.id], fetcher, worker):
                if stop.is_set():
                    return
                out.put(arrived)
    finally:
        out.put(None)


def ask(source: Source, state: State, fetcher: Fetcher, worker: ParseWorker) -> Iterator[Arrived]:
    """Yield what a source answers: pages, then perhaps the failure that ended them. Stores nothing."""
    began = time.monotonic()
    trusted = urlsplit(source.url).hostname

    def get(request: Request) -> Response:
        return fetcher.get(replace(request, trusted_host=trusted))

    try:
        for page in poller(source.kind).poll(source, state, get, lambda response: worker.parse(source, response)):
            yield Arrived(source, page, seconds=time.monotonic() - began)
    except SourceError as error:
        yield Arrived(source, error=error, seconds=time.monotonic() - began)
    except Exception as error:  # a bug in one poller must neither stop the others nor pass in silence: it becomes a row in polls.error
        yield Arrived(source, error=SourceError("malformed", f"{type(error).__name__}: {error}"), seconds=time.monotonic() - began)


def _drain(arrivals: queue.Queue[Arrived | None]) -> None:
    """Free threads that wait to put: after an interrupt nobody takes."""
    while True:
        try:
            arrivals.get(timeout=0.05)
        except queue.Empty:
            return
