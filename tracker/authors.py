"""Authors: fetch the author blocks of papers on topic, so that "by" can be said of them.

in   papers in ``pending(authors)``: those on a topic, news before backlog, the highest score first
out  rows in ``readings``, each with at most 4 kB of text and its hash; what has a block goes into ``pending(tag)`` once more
Polite before complete: robots.txt is obeyed, one request at a time in the pace of all of arxiv.org, the beginning of each page and no
more, ``authors_per_day`` in all; after two answers "too fast", or one that says how long to wait, none until the next day; where
robots.txt forbids it, one a day to see whether it still does. What gave no block is asked for again after one,
three and seven days, then left as unresolved, never as "no lab".
knows no lab: what a block says is for ``taggers.bylines``, today and whenever the registry is edited.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tracker.clock import iso
from tracker.config import Config
from tracker.errors import SourceError
from tracker.pollers.worker import ParseWorker
from tracker.read import ABSENT, FURTHEST, REFUSED, SILENT, SLACK, Fetcher, again_at
from tracker.store import authors as store
from tracker.store import transaction
from tracker.store.readings import READ
from tracker.taggers.labs import registry_hash
from tracker.types import Request, Source

__all__ = ["ENOUGH", "Block", "Patience", "ask", "authors", "page_of"]

TOO_FAST = 2  # answers "too fast" within a day, after which arXiv is left in peace until the next
ENOUGH = 250_000  # bytes as they are sent: front matter stands within the first 100,000, packed a fifth of that
EMPTY, NO_PAGE, DISALLOWED = "empty", "no page", "disallowed"
REFUSALS = frozenset({"http_403", "challenge"})  # of the whole site, not of one paper
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Block:
    """The author block of a paper: what came of asking, the text, and why there is none, in a sentence."""

    key: str
    url: str
    outcome: str  # read, no page, empty, or the name of an error
    text: str = ""
    error: str = ""
    retry_after_s: float | None = None
    etag: str | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a block."""
        return self.outcome == READ


class Patience:
    """Whether a host is still to be asked, by what came of the last requests.

    Args:
        too_fast: how often it has said so already.
    """

    def __init__(self, too_fast: int = 0) -> None:
        self._too_fast, self._refused, self._forbidden = too_fast, 0, False

    def hear(self, outcome: str, retry_after_s: float | None = None) -> None:
        """Take in an outcome, and how long the host wants to be left alone."""
        limited = outcome in store.LIMITED
        self._too_fast += TOO_FAST if limited and retry_after_s else int(limited)
        self._refused = self._refused + 1 if outcome in SILENT | REFUSALS else 0
        self._forbidden |= outcome == DISALLOWED

    @property
    def is_over(self) -> bool:
        return self._too_fast >= TOO_FAST or self._refused >= REFUSED or self._forbidden


def page_of(key: str, version: int = 1) -> str:
    """Return the address of the HTML version of a paper.

    >>> page_of("arxiv:2606.01234", 2)
    'https://arxiv.org/html/2606.01234v2'
    """
    return f"https://arxiv.org/html/{key.removeprefix('arxiv:')}v{version}"


def ask(
    key: str, fetcher: Fetcher, worker: ParseWorker, *, authors: Sequence[str] = (), version: int = 1, etag: str | None = None
) -> Block:
    """Return the author block of a paper; every failure is an outcome.

    Args:
        key: arxiv:…
        authors: as the metadata have them; their names are left out of the block.
        etag: of the page when it held no block: as long as it is the same, it holds none.
    """
    url = page_of(key, version)
    source = Source("arxiv-html", "authors", url, key, options={"authors": list(authors[:3_000])})
    try:
        response = fetcher.get(Request(url, etag=etag, robots=True, enough=ENOUGH))
        if response.status == 304:
            return Block(key, url, EMPTY, etag=etag)
        parsed = worker.parse(source, response)
    except SourceError as error:
        outcome = NO_PAGE if error.name in ABSENT else error.name
        return Block(key, url, outcome, error=str(error), retry_after_s=error.retry_after_s)
    except Exception as error:  # a bug must neither stop the other papers nor pass in silence: it becomes the outcome
        return Block(key, url, "malformed", error=f"{type(error).__name__}: {error}")
    if response.truncated:  # half a block is none: the rest may name the lab
        return Block(key, url, "truncated", error=f"{url}: the connection ended early")
    text = parsed.entries[0].text if parsed.entries else ""
    outcome = parsed.problem or (READ if text else EMPTY)
    return Block(key, url, outcome, text, etag=response.headers.get("etag") if outcome == EMPTY else None)


def authors(db: sqlite3.Connection, config: Config, fetcher: Fetcher, *, now: datetime) -> Iterator[Block]:
    """Ask for the blocks that are due, as many as the day has room for; yield a result each. Nothing is asked or written when none is."""
    if not config.authors_per_day:  # switched off: the papers wait, and stay unresolved
        return
    yesterday = iso(now - DAY + SLACK)
    room = config.authors_per_day - store.asked_since(db, yesterday)
    due = store.waiting(db, iso(now + SLACK), iso(now + FURTHEST), room) if room > 0 else []
    patience = Patience(store.limited_since(db, yesterday)) if due else Patience()
    if not due or patience.is_over:
        return
    registry = registry_hash(config.labs)
    with ParseWorker() as worker:
        for paper in due:
            block = ask(paper.key, fetcher, worker, authors=paper.authors, version=paper.version, etag=paper.etag)
            yield _stored(db, paper, block, registry, now)
            patience.hear(block.outcome, block.retry_after_s)
            if patience.is_over:
                return


def _stored(db: sqlite3.Connection, paper: store.Paper, block: Block, registry: str, now: datetime) -> Block:
    of_site = block.outcome in store.LIMITED or block.outcome == DISALLOWED  # it says nothing of this paper: no try is lost
    if of_site:
        again: str | None = iso(now + max(DAY, timedelta(seconds=block.retry_after_s or 0)))
    elif block.ok:
        again = None
    else:
        error = None if block.outcome in (EMPTY, NO_PAGE) else SourceError(block.outcome, block.error, retry_after_s=block.retry_after_s)
        again = again_at(paper.tries, error, now)
    with transaction(db):
        store.save(
            db, paper, block.url, block.outcome, block.text,
            registry=registry, now=iso(now), again_at=again, tried=not of_site, etag=block.etag,
        )  # fmt: skip
    return block
