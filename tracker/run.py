"""The walk: poll, read, tag, authors, group, watch, race, digest. The order of the stages, and nothing else.

``Tracker`` opens the database under the run lock and offers each stage as a method; ``run`` is all of them in order. Reading
(``items``) needs neither lock nor configuration work.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tracker import clock, store
from tracker.authors import Block, authors
from tracker.config import Config, load
from tracker.group import Grouped, group
from tracker.poll import poll
from tracker.race import Counted, count
from tracker.read import Reading, read
from tracker.store import browse, runs
from tracker.store.pace import Pace
from tracker.tag import Tagged, tag
from tracker.types import Item, Polled
from tracker.watch import Watched, watch

if TYPE_CHECKING:
    from tracker.digest import Sent

__all__ = ["Summary", "Tracker", "release"]

_T = TypeVar("_T")
Told = Callable[[Any], None]  # hears of Polled, Tagged, Watched and Sent


def release() -> str:
    """Return the version of this release."""
    try:
        return version("tracker")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. ``waiting`` items could not be tagged by the model, ``model_problem`` says why."""

    polls: tuple[Polled, ...]
    tagged: int
    on_topic: int
    waiting: int
    model_problem: str = ""
    grouped: int = 0
    joined: int = 0
    events: int = 0
    sent: tuple[Sent, ...] = ()
    articles: tuple[Reading, ...] = ()
    blocks: tuple[Block, ...] = ()

    @property
    def failed(self) -> tuple[Polled, ...]:
        """The polls whose source gave nothing."""
        return tuple(polled for polled in self.polls if not polled.ok and not polled.entries)

    @property
    def incomplete(self) -> tuple[Polled, ...]:
        """The polls whose source answered, but not with all there is."""
        return tuple(polled for polled in self.polls if not polled.ok and polled.entries)

    @property
    def nothing_answered(self) -> bool:
        """Whether sources were asked and none gave anything: most likely there is no network."""
        return bool(self.polls) and len(self.failed) == len(self.polls)

    def as_dict(self) -> dict[str, object]:
        """Return the numbers, for ``runs.summary`` and ``--json``."""
        return {
            "sources_asked": len(self.polls),
            "sources_answered": len(self.polls) - len(self.failed),
            "failed": {polled.source: polled.error for polled in self.failed},
            "incomplete": {polled.source: polled.error for polled in self.incomplete},
            "new": sum(polled.new for polled in self.polls),
            "changed": sum(polled.changed for polled in self.polls),
            "bytes": sum(polled.size for polled in self.polls),
            "articles_read": sum(reading.ok for reading in self.articles),
            "articles_unread": {reading.url: reading.outcome for reading in self.articles if not reading.ok},
            "authors_read": sum(block.ok for block in self.blocks),
            "authors_unread": {block.key: block.outcome for block in self.blocks if not block.ok},
            "tagged": self.tagged,
            "on_topic": self.on_topic,
            "waiting": self.waiting,
            "model_problem": self.model_problem,
            "grouped": self.grouped,
            "joined": self.joined,
            "watch_events": self.events,
            "digests": [{"name": sent.name, "status": sent.status, "subject": sent.subject, "error": sent.error} for sent in self.sent],
        }


class Tracker:
    """The tracker of one feeds.toml and one database.

    As a context manager it holds the run lock and the database for writing, both from the first stage that needs them.

    Args:
        path: feeds.toml, or a configuration that was loaded before.
        db: the database file; its folder holds everything the tracker writes.
        now: the present; the machine's clock when not given.
    """

    def __init__(
        self, path: str | Path | Config = "feeds.toml", db: str | Path = "data/tracker.db", *, now: datetime | None = None
    ) -> None:
        self.config = path if isinstance(path, Config) else load(path)
        self.path = Path(db)
        self.now = now or clock.now()
        self._stack = ExitStack()
        self._db: sqlite3.Connection | None = None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._db = None

    @property
    def db(self) -> sqlite3.Connection:
        """The database, open for writing; opened under the run lock at first use.

        Raises:
            LockHeld: another run is active.
            StoreError: the database cannot be used.
        """
        if self._db is None:
            self._stack.enter_context(store.run_lock(self.path.parent, self.path, clock.iso(self.now)))
            self._db = store.open(self.path, write=True)
            self._stack.callback(self._db.close)
        return self._db

    def poll(self, only: Sequence[str] = (), *, run: int | None = None, back_to: datetime | None = None) -> Iterator[Polled]:
        """Ask the sources that are due, or those named; yield a result as each ends. With ``back_to``, walk back to then as well."""
        from tracker.fetch import Fetcher

        db, pace = self.db, Pace(self.path.parent)
        with Fetcher(self.config.contact, pace=pace) as fetcher:
            yield from poll(db, self.config, fetcher, now=self.now, only=only, run=run, back_to=back_to)

    def read(self) -> Iterator[Reading]:
        """Fetch the articles of official posts that came without their text; yield a result an article."""
        from tracker.fetch import Fetcher

        db, pace = self.db, Pace(self.path.parent)
        with Fetcher(self.config.contact, pace=pace) as fetcher:
            yield from read(db, self.config, fetcher, now=self.now)

    def authors(self) -> Iterator[Block]:
        """Fetch the author blocks of papers on topic; yield a result a paper. What has one waits for tagging again."""
        from tracker.fetch import Fetcher

        db, pace = self.db, Pace(self.path.parent)
        with Fetcher(self.config.contact, pace=pace) as fetcher:
            yield from authors(db, self.config, fetcher, now=self.now)

    def tag(self, *, again_since: datetime | None = None) -> Iterator[Tagged]:
        """Tag what waits; yield a result a batch."""
        yield from tag(self.db, self.config, now=self.now, again_since=again_since)

    def group(self) -> Iterator[Grouped]:
        """Give every waiting item its story; yield a result a batch."""
        yield from group(self.db, now=self.now)

    def watch(self) -> Iterator[Watched]:
        """Ask the standing questions of what waits; yield a result a batch."""
        yield from watch(self.db, self.config, now=self.now)

    def race(self) -> Counted:
        """Count the weeks in which something has changed, and work out the race."""
        return count(self.db, now=self.now)

    def digest(self, *, send: bool = True) -> Iterator[Sent]:
        """Compose and send the digests that are due; yield a result a mail."""
        from tracker.digest import digest

        yield from digest(self.db, self.config, now=self.now, send=send)

    def run(self, told: Told | None = None) -> Summary:
        """Walk the whole way. ``told`` hears of every result as it comes."""
        db, began = self.db, time.monotonic()
        with store.transaction(db):
            run = runs.start(db, clock.iso(self.now), release())
            runs.prune(db, clock.iso(self.now - timedelta(days=runs.KEEP_POLLS_DAYS)))
        polls = _heard(self.poll(run=run), told)
        articles = [] if _summary(polls).nothing_answered else _heard(self.read(), None)  # without a network, none was tried
        tagged = _heard(self.tag(), told)
        blocks = [] if _summary(polls).nothing_answered else _heard(self.authors(), told)
        if any(block.text for block in blocks):
            _heard(self.tag(), None)  # whose the papers are; what they are on was said before
        grouped = _heard(self.group(), None)
        watched = _heard(self.watch(), told)
        self.race()
        with store.transaction(db):  # the digest tells of this run: its numbers must stand first
            runs.finish(db, run, self._after(began), _summary(polls, articles, tagged, grouped, watched, blocks).as_dict())
        sent = tuple(_heard(self.digest(), told)) if self.config.digests else ()
        summary = replace(_summary(polls, articles, tagged, grouped, watched, blocks), sent=sent)
        with store.transaction(db):
            runs.finish(db, run, self._after(began), summary.as_dict())
        return summary

    def _after(self, began: float) -> str:
        """The present when ``time.monotonic()`` was ``began``, and what has passed since."""
        return clock.iso(self.now + timedelta(seconds=time.monotonic() - began))

    def items(
        self, *, topic: str | None = None, by: str | None = None, about: str | None = None, since: str | None = None, limit: int = 100
    ) -> Iterator[Item]:
        """Yield stored items, newest first, that fulfil every given condition. Reads only, beside a run if there is one."""
        db = self._db or store.open(self.path)
        try:
            yield from browse.items(db, topic=topic, by=by, about=about, since=since, limit=limit)
        finally:
            if db is not self._db:
                db.close()


def _heard(results: Iterator[_T], told: Told | None) -> list[_T]:
    """Every result, told of as it comes."""
    found = []
    for result in results:
        found.append(result)
        if told:
            told(result)
    return found


def _summary(
    polls: Sequence[Polled],
    articles: Sequence[Reading] = (),
    tagged: Sequence[Tagged] = (),
    grouped: Sequence[Grouped] = (),
    watched: Sequence[Watched] = (),
    blocks: Sequence[Block] = (),
) -> Summary:
    return Summary(
        tuple(polls),
        sum(batch.items for batch in tagged),
        sum(batch.on_topic for batch in tagged),
        sum(batch.waiting for batch in tagged),
        next((batch.problem for batch in tagged if batch.problem), ""),
        sum(result.items for result in grouped),
        sum(result.joined for result in grouped),
        sum(batch.events for batch in watched),
        articles=tuple(articles),
        blocks=tuple(blocks),
    )
