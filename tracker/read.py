"""Read: fetch the article of an official post that came without its text.

in   items in ``pending(article)`` (``store.items`` queues them: official, a title and a line, no paper); out  rows in ``readings``, links,
dates; what was read goes into ``pending(tag)``, so that it is tagged with its article, or tagged anew if it came on a later day
Polite before complete: robots.txt is obeyed, one request at a time a host, ``read_per_day`` in all, ``PER_HOST`` a host and run; of a
host that has refused its last articles one is tried a run, and whoever does not answer ``REFUSED`` times in a row is left in peace until
the next run: what waits for it loses no try. An article that cannot be read is asked for three times more, then left, with
the outcome in ``readings``; an empty one is left at once.
knows no topic: nothing waits for reading. An item is tagged with what there is, today.
Surprising: ``no page`` is a 404, and as well a page that says so with 200, or a server that leads every address to its front page.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Protocol
from urllib.parse import urlsplit

from tracker.clock import iso
from tracker.config import Config
from tracker.errors import SourceError
from tracker.poll import WORKERS, sane
from tracker.pollers.listing.slugs import titled_by_slug
from tracker.pollers.worker import ParseWorker
from tracker.store import readings, transaction
from tracker.store.readings import READ, Waiting
from tracker.types import Entry, Request, Response, Source
from tracker.urls import host_of

__all__ = ["ABSENT", "FURTHEST", "PER_HOST", "REFUSED", "SILENT", "SLACK", "WAITS", "Fetcher", "Reading", "again_at", "chosen", "read"]

PER_HOST = 15  # articles a host and run: a quarter of an hour of a careful reader
REFUSED = 3  # articles in a row that a host did not give: then one a run, to see whether it does again
WAITS = (timedelta(days=1), timedelta(days=2), timedelta(days=4))  # after each failure: a day, three and seven after the first
FURTHEST = timedelta(days=8)  # no server makes us wait for more than a week
SLACK = timedelta(minutes=15)  # cron never fires to the second
NO_PAGE, EMPTY, LOGIN = "no page", "empty", "http_401"
_FINAL = frozenset({"gone", "disallowed"})  # what the site has decided, not the weather
SILENT = frozenset({"timeout", "connection", "dns", "tls"})  # the host gave no answer at all
ABSENT = frozenset({"http_404", "gone"})
_LOGINS = frozenset("login signin sign-in log-in sso auth".split())


@dataclass(frozen=True, slots=True)
class Reading:
    """The result of one article: what came of it, and why not, in a sentence."""

    item: int
    url: str
    outcome: str  # read, no page, empty, or the name of an error
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a text now."""
        return self.outcome == READ


class Fetcher(Protocol):
    """What read needs of ``fetch.Fetcher``."""

    def get(self, request: Request) -> Response:
        """Return the answer, or raise ``SourceError``."""


# -- decisions (pure) -------------------------------------------------------------------------------


def chosen(waiting: Sequence[Waiting], refusing: frozenset[str], room: int) -> list[Waiting]:
    """Return the articles to ask for now, at most ``room``: in the order in which they wait, hosts in turn."""
    hosts: dict[str, list[Waiting]] = {}
    left = room
    for one in waiting:
        host = host_of(one.url)
        group = hosts.setdefault(host, [])
        if left and len(group) < (1 if host in refusing else PER_HOST):
            group.append(one)
            left -= 1
    return [one for one in chain.from_iterable(zip_longest(*hosts.values())) if one]


def again_at(tries: int, error: SourceError | None, now: datetime) -> str | None:
    """Return when an article that failed ``tries`` times before is asked for again; None: no more."""
    if (error and error.name in _FINAL) or tries >= len(WAITS):
        return None
    return iso(now + max(WAITS[tries], timedelta(seconds=(error.retry_after_s if error else 0) or 0)))


def _landed(asked: str, answered: str) -> str | None:
    """What it means that another address answered: the front page, or a login, in the place of the article."""
    before, after = ([part for part in urlsplit(url).path.lower().split("/") if part] for url in (asked, answered))
    if _LOGINS & set(after) - set(before):
        return LOGIN
    return NO_PAGE if before and not after and not urlsplit(answered).query else None


# -- the loop ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Arrived:
    asked: Waiting
    outcome: str
    entry: Entry | None = None
    error: SourceError | None = None


def read(db: sqlite3.Connection, config: Config, fetcher: Fetcher, *, now: datetime) -> Iterator[Reading]:
    """Read the articles that are due, as many as the day has room for; yield a result each. Nothing is asked or written when none is."""
    due = readings.waiting(db, iso(now + SLACK), iso(now + FURTHEST))
    if due and not config.read_per_day:  # switched off: nothing waits, and nothing will be made up for
        with transaction(db):
            readings.forget(db)
        return
    room = config.read_per_day - readings.asked_since(db, iso(now - timedelta(days=1) + SLACK)) if due else 0
    if room <= 0:
        return
    refusing = frozenset(host for host, outcomes in readings.by_host(db).items() if readings.refused(outcomes) >= REFUSED)
    for arrived in _arrivals(chosen(due, refusing, room), fetcher):
        yield _store(db, arrived, now)
    with transaction(db):
        readings.expire(db, iso(now - timedelta(days=readings.KEEP_DAYS)))


def _store(db: sqlite3.Connection, arrived: _Arrived, now: datetime) -> Reading:
    asked, entry = arrived.asked, sane(arrived.entry, now) if arrived.entry else None
    title = entry.title if entry and entry.title and titled_by_slug(asked.title, asked.url) else None
    # A page whose words are made by scripts has none tomorrow either.
    again = None if entry or arrived.outcome == EMPTY else again_at(asked.tries, arrived.error, now)
    with transaction(db):
        readings.save(db, asked, arrived.outcome, entry, title=title, now=iso(now), again_at=again)
    return Reading(asked.item, asked.url, arrived.outcome, str(arrived.error or ""))


def _arrivals(asked: Sequence[Waiting], fetcher: Fetcher) -> Iterator[_Arrived]:
    """Ask for articles, one at a time a host and hosts side by side; yield them as they come, none of a host that has fallen silent."""
    hosts: dict[str, deque[Waiting]] = {}
    for one in asked:
        hosts.setdefault(host_of(one.url), deque()).append(one)
    silent = dict.fromkeys(hosts, 0)
    with ParseWorker() as worker:
        pool = ThreadPoolExecutor(WORKERS, "read")
        try:
            running: set[Future[_Arrived]] = {pool.submit(_ask, queue.popleft(), fetcher, worker) for queue in hosts.values()}
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for arrived in (future.result() for future in done):
                    host = host_of(arrived.asked.url)
                    silent[host] = silent[host] + 1 if arrived.outcome in SILENT else 0
                    if hosts[host] and silent[host] < REFUSED:
                        running.add(pool.submit(_ask, hosts[host].popleft(), fetcher, worker))
                    yield arrived
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _ask(asked: Waiting, fetcher: Fetcher, worker: ParseWorker) -> _Arrived:
    source = Source(asked.source, "article", asked.source_url, asked.source)
    try:
        response = fetcher.get(Request(asked.url, robots=True, trusted_host=urlsplit(asked.source_url).hostname))
        if elsewhere := _landed(asked.url, response.url):
            return _Arrived(asked, elsewhere)
        parsed = worker.parse(source, response)
    except SourceError as error:
        return _Arrived(asked, NO_PAGE if error.name in ABSENT else error.name, error=error)
    except Exception as error:  # a bug must neither stop the other articles nor pass in silence: it becomes the outcome
        return _Arrived(asked, "malformed", error=SourceError("malformed", f"{type(error).__name__}: {error}"))
    if not parsed.entries:
        return _Arrived(asked, parsed.problem or EMPTY)
    return _Arrived(asked, READ, replace(parsed.entries[0], url=asked.url))
