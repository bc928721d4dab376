"""Poll: ask every source that is due, store what is new.

in   feeds.toml's sources and their state; out  items with ``pending(tag)``, one row in ``polls`` a source, the sources' state
Sources are asked in parallel, one host at a time (a host's sources wait for each other); one thread, this one, writes: a page, what
vouches for it and its ``polls`` row are one transaction. A source that fails never stops the others.
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
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from tracker.clock import iso
from tracker.clock import parse as instant
from tracker.config import Config
from tracker.errors import SourceError
from tracker.polite import host_key
from tracker.pollers import poller
from tracker.pollers.worker import ParseWorker
from tracker.store import items, sources, transaction
from tracker.types import Entry, Page, Polled, Request, Response, Source, State

__all__ = ["Trial", "due", "next_poll", "poll", "sane", "trial"]

WORKERS = 16  # hosts asked at once; beyond, latency hides in the longest host anyway
SLACK = timedelta(minutes=15)  # cron never fires to the second: what is due within this time is due now
FIRST_BACKOFF, LAST_BACKOFF = timedelta(hours=1), timedelta(days=7)
FIRST_WINDOW_S = 3 * 86_400  # how far a source without an end is read back at its first poll
OLD = timedelta(days=14)  # what is dated further before the last good poll is an archive, not news
_INCOMPLETE = {
    "truncated": "the document was not complete; the entries that were are stored",
    "too_many_items": "it lists more than one poll takes; the newest are stored",
}
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
    """Return the entry with a believable date or none: nothing before arXiv began, nothing in the future. Dates are never invented."""
    if entry.published_at and not "1991-08-01" <= entry.published_at <= iso(now + _CLOCK_SKEW):
        return replace(entry, published_at=None, published_raw=entry.published_raw or entry.published_at)
    return entry


# -- the loop ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Arrived:
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
) -> Iterator[Polled]:
    """Ask the sources that are due (or ``only`` those named); yield a result as each one ends.

    Raises:
        ConfigError: ``only`` names a source that feeds.toml does not have.
        StoreError: the database cannot be written; what was committed stays.
    """
    named = [config.source(name) for name in only]
    with transaction(db):
        sources.sync(db, config.sources, iso(now))
    states = sources.states(db)
    chosen = due(named or config.sources, states, now, only)
    since = iso(now - timedelta(seconds=FIRST_WINDOW_S))
    tallies = {source.id: _Tally(source, states[source.id], now) for source in chosen}
    for arrived in _arrivals(
        chosen, {source.id: replace(states[source.id], since=_since(source, now, since)) for source in chosen}, fetcher
    ):
        tally = tallies[arrived.source.id]
        if (polled := tally.store(db, arrived, run)) is not None:
            yield polled


def _since(source: Source, now: datetime, default: str) -> str:
    first_s = source.options.get("first_s")
    return iso(now - timedelta(seconds=first_s)) if isinstance(first_s, int) else default


class _Tally:
    """What one source has brought so far in this poll."""

    def __init__(self, source: Source, state: State, now: datetime) -> None:
        self.source, self.state, self.now = source, state, now
        self.entries = self.new = self.changed = self.size = 0
        self.page: Page | None = None

    def store(self, db: sqlite3.Connection, arrived: _Arrived, run: int | None) -> Polled | None:
        """Commit a page or a failure; return the result when the source has ended."""
        with transaction(db):
            if arrived.page:
                self._save(db, arrived.page)
            if arrived.page and not arrived.page.last:
                return None
            return self._end(db, arrived, run)

    def _save(self, db: sqlite3.Connection, page: Page) -> None:
        self.page, self.size = page, self.size + page.size
        if page.entries is None:
            return
        last_ok = self.state.last_ok_at
        saved = items.save(
            db,
            self.source,
            [sane(entry, self.now) for entry in page.entries],
            now=iso(self.now),
            first=last_ok is None,
            old_before=iso(instant(last_ok) - OLD) if last_ok else None,
        )
        self.entries, self.new, self.changed = self.entries + len(page.entries), self.new + saved.new, self.changed + saved.changed
        if page.last:
            sources.vouch(db, self.source.id, page)

    def _end(self, db: sqlite3.Connection, arrived: _Arrived, run: int | None) -> Polled:
        problem = self.page.problem if self.page else None
        error = arrived.error or (SourceError(problem, _INCOMPLETE.get(problem, "not all of it could be read")) if problem else None)
        polled = Polled(
            self.source.id, self._outcome(error), round(arrived.seconds, 3), self.size, self.entries, self.new, self.changed,
            str(error) if error else None,
        )  # fmt: skip
        sources.record(
            db,
            polled,
            run=run,
            now=iso(self.now),
            status=self.page.status if self.page else None,
            # More than we take of a whole history is no failure: nothing gets better by asking later.
            next_poll_at=iso(next_poll(self.source, self.state, None if problem == "too_many_items" else error, self.now)),
            moved_to=self.page.moved_to if self.page else None,
        )
        return polled

    def _outcome(self, error: SourceError | None) -> str:
        if error:
            return error.name
        if self.page and self.page.entries is None:
            return "unchanged"
        return "new" if self.new else "nothing new"


def _arrivals(chosen: Sequence[Source], states: dict[str, State], fetcher: Fetcher) -> Iterator[_Arrived]:
    """Ask hosts in parallel, the sources of one host in turn; yield what arrives, in order of arrival."""
    hosts: dict[str, list[Source]] = {}
    for source in chosen:
        hosts.setdefault(host_key(source.url), []).append(source)
    arrivals: queue.Queue[_Arrived | None] = queue.Queue(maxsize=2 * WORKERS)  # a slow disk slows the network, never fills memory
    stop = threading.Event()
    with ParseWorker() as worker, ThreadPoolExecutor(WORKERS, "poll") as pool:
        for group in hosts.values():
            pool.submit(_ask_host, group, states, fetcher, worker, arrivals, stop)
        try:
            open_hosts = len(hosts)
            while open_hosts:
                arrived = arrivals.get()
                if arrived is None:
                    open_hosts -= 1
                else:
                    yield arrived
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            _drain(arrivals)


def _ask_host(
    group: Sequence[Source],
    states: dict[str, State],
    fetcher: Fetcher,
    worker: ParseWorker,
    out: queue.Queue[_Arrived | None],
    stop: threading.Event,
) -> None:
    try:
        for source in group:
            for arrived in _ask(source, states[source.id], fetcher, worker):
                if stop.is_set():
                    return
                out.put(arrived)
    finally:
        out.put(None)


def _ask(source: Source, state: State, fetcher: Fetcher, worker: ParseWorker) -> Iterator[_Arrived]:
    began = time.monotonic()
    trusted = urlsplit(source.url).hostname

    def get(request: Request) -> Response:
        return fetcher.get(replace(request, trusted_host=trusted))

    try:
        for page in poller(source.kind).poll(source, state, get, lambda response: worker.parse(source, response)):
            yield _Arrived(source, page, seconds=time.monotonic() - began)
    except SourceError as error:
        yield _Arrived(source, error=error, seconds=time.monotonic() - began)
    except Exception as error:  # a bug in one poller must neither stop the others nor pass in silence: it becomes a row in polls.error
        yield _Arrived(source, error=SourceError("malformed", f"{type(error).__name__}: {error}"), seconds=time.monotonic() - began)


def _drain(arrivals: queue.Queue[_Arrived | None]) -> None:
    """Free threads that wait to put: after an interrupt nobody takes."""
    while True:
        try:
            arrivals.get(timeout=0.05)
        except queue.Empty:
            return


# -- trying one source ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """What a source answers now, stored nowhere: its first page, or why there is none."""

    source: Source
    page: Page | None = None
    error: SourceError | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the facts for ``--json``."""
        entries = self.page.entries or () if self.page else ()
        return {
            "source": self.source.id,
            "error": str(self.error) if self.error else self.page.problem if self.page else None,
            "moved_to": self.page.moved_to if self.page else None,
            "entries": [
                {"title": e.title, "url": e.url, "published_at": e.published_at, "published_raw": e.published_raw} for e in entries
            ],
        }


def trial(source: Source, fetcher: Fetcher, now: datetime) -> Trial:
    """Ask one source for its first page, without validators, and return what was understood."""
    state = State(since=_since(source, now, iso(now - timedelta(seconds=FIRST_WINDOW_S))))
    with ParseWorker() as worker:
        arrived = next(_ask(source, state, fetcher, worker))
    return Trial(source, arrived.page, arrived.error)
