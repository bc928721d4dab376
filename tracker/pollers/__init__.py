"""Pollers: one file per kind of source, each with two functions and the keys it knows in feeds.toml.

``KEYS``  the keys of ``[feeds.<id>]`` that only this kind has, with their types; they arrive in ``Source.options``
``poll(source, state, get, parse) -> Iterator[Page]``  asks for one document after another; yields a page for each, ready to commit
``read(body, source, url, charset) -> Parsed``  pure: bytes in, entries out; raises nothing but ``ParseError``
``ORIGIN``  optional: what its items are (paper, official, press, community) if feeds.toml does not say otherwise
``configure(table) -> (url, options)``  optional: checks the keys (``table.error``), says what is asked for where that is not ``url``

``get`` is the one hardened fetcher. ``parse`` runs ``read`` of the same file in the parse worker, so that no document, however made, can
hang or swell the run. A new kind of source is one new file here and a golden pair in tests/data; a third party's is an entry point of the
group ``tracker.pollers`` whose name is the kind and whose value is such a module.
"""

from __future__ import annotations

import hashlib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol

from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["Get", "Parse", "Parsed", "Poller", "fingerprint", "kinds", "page_of", "poller"]

OURS = ("feed", "arxiv", "page", "hf_papers", "hn")
ENTRY_POINTS = "tracker.pollers"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a document lists.

    ``total`` is what it says there is in all, ``problem`` what makes it incomplete, ``changed`` when each entry was last changed
    (one UTC instant an entry, only from kinds that are read backwards in time), ``signs`` what tells each item of a document from the
    others (``known``, only from feeds).
    """

    entries: tuple[Entry, ...]
    total: int | None = None
    problem: str | None = None
    changed: tuple[str, ...] = ()
    signs: tuple[tuple[str, ...], ...] = ()


Get = Callable[[Request], Response]
Parse = Callable[[Response], Parsed]


class Poller(Protocol):
    """What a file of this folder offers."""

    @property
    def KEYS(self) -> Mapping[str, type]: ...
    def poll(self, source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]: ...
    def read(self, body: bytes, source: Source, url: str, charset: str | None) -> Parsed: ...


def kinds() -> tuple[str, ...]:
    """Return the kinds of source that ``[feeds.<id>]`` can have: ours, then those that other packages have registered."""
    return (*OURS, *sorted(set(_registered()) - set(OURS)))


def poller(kind: str) -> Poller:
    """Return the poller of a kind of source; imports its file, nothing more. Ours cannot be replaced by a registered one."""
    others = {} if kind in OURS else _registered()
    module: Poller = others[kind].load() if kind in others else importlib.import_module(f"tracker.pollers.{kind}")
    return module


@cache
def _registered() -> dict[str, Any]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


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
