"""Pollers: one file per kind of source, each with two functions.

``poll(source, state, get, parse) -> Iterator[Page]``  asks for one document after another; yields a page for each, ready to commit
``read(body, source, url, charset) -> Parsed``  pure: bytes in, entries out; raises nothing but ``ParseError``

``get`` is the one hardened fetcher. ``parse`` runs ``read`` of the same file in the parse worker, so that no document, however made, can
hang or swell the run. A new kind of source is one new file here, a row in ``KINDS`` of config, and a golden pair in tests/data.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["Get", "Parse", "Parsed", "Poller", "fingerprint", "page_of", "poller"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document lists.

    ``total`` is what it says there is in all, ``problem`` what makes it incomplete, ``changed`` when each entry was last changed
    (one UTC instant an entry, only from kinds that are read backwards in time).
    """

    entries: tuple[Entry, ...]
    total: int | None = None
    problem: str | None = None
    changed: tuple[str, ...] = ()


Get = Callable[[Request], Response]
Parse = Callable[[Response], Parsed]


class Poller(Protocol):
    """What a file of this folder offers."""

    def poll(self, source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]: ...
    def read(self, body: bytes, source: Source, url: str, charset: str | None) -> Parsed: ...


def poller(kind: str) -> Poller:
    """Return the poller of a kind of source; imports its file, nothing more."""
    module: Poller = importlib.import_module(f"tracker.pollers.{kind}")
    return module


def fingerprint(body: bytes) -> str:
    """Return the hash of a document without the times at which it was built (before its first entry)."""
    start = re.search(rb"<(?:item|entry)[ >]", body)
    head, rest = (body[: start.start()], body[start.start() :]) if start else (body, b"")
    head = re.sub(rb"<(lastBuildDate|pubDate|updated)>[^<]{0,100}</\1>", b"", head)
    return hashlib.sha256(head + rest).hexdigest()[:32]


def page_of(response: Response, parsed: Parsed | None, body_hash: str | None, **facts: object) -> Page:
    """Return the page for an answer; without ``parsed`` the document did not change."""
    return Page(
        None if parsed is None else parsed.entries,
        status=response.status,
        size=len(response.body),
        etag=response.headers.get("etag"),
        last_modified=response.headers.get("last-modified"),
        body_hash=body_hash,
        moved_to=response.moved_to,
        problem="truncated" if response.truncated else parsed.problem if parsed else None,
        **facts,  # type: ignore[arg-type]
    )
