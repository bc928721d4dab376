"""The window: a Datasette plugin. Our front page on ``/``, everything else as Datasette shows it, all of it read-only.

in   requests; a database of ours among those that Datasette serves
out  pages from templates, and the request policy around every answer
knows no network, no model; it never polls, tags or migrates. Without a database of ours it leaves ``/`` to Datasette.
Uses hooks that Datasette 0.65 and 1.0 share, and ``canned_queries``, which 1.0 no longer calls. ``front`` makes the page, ``queries``
holds its SQL, ``metadata`` and ``serve`` are what ``tracker serve`` adds.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from datasette import hookimpl
from datasette.utils.asgi import Response

from tracker import clock
from tracker.store import schema
from tracker.web import front, policy
from tracker.web.links import Links
from tracker.web.metadata import QUERIES

__all__ = ["asgi_wrapper", "canned_queries", "extra_css_urls", "handle_exception", "prepare_connection", "register_routes"]

# No value of ours comes near (a page of a feed is at most 20 MB, a text far less); a query that builds a gigabyte in memory does.
MAX_VALUE_BYTES = 32_000_000
_counts = front.Counts()
_Hook = TypeVar("_Hook", bound=Callable[..., Any])


def _hook(function: _Hook) -> _Hook:
    """Mark a function as an implementation of the hook of its name; Datasette's own marker has no types."""
    marked: _Hook = hookimpl(function)
    return marked


@_hook
def register_routes() -> list[tuple[str, Any]]:
    """Put our front page before Datasette's. The empty group is what Datasette's own view reads when we hand over to it."""
    return [(r"^/(?P<format>)$", _front_page)]


@_hook
def asgi_wrapper() -> Any:
    """Put the request policy around everything."""
    return policy.guard


@_hook
def canned_queries(datasette: Any, database: str) -> Any:
    """Offer our questions on a database of ours."""

    async def inner() -> dict[str, Any]:
        return QUERIES if await _version(datasette.get_database(database)) == schema.VERSION else {}

    return inner


@_hook
def extra_css_urls(datasette: Any) -> Any:
    """Dress Datasette's pages like ours."""

    async def inner() -> list[str]:
        return [_stylesheet(datasette)] if await _ours(datasette) else []

    return inner


@_hook
def handle_exception(datasette: Any, request: Any, exception: Exception) -> Any:
    """Answer 400 to a parameter that Datasette cannot use; the value is not repeated."""
    if not policy.blames_the_address(exception, request.query_string):
        return None

    async def inner() -> Any:
        answer = {"ok": False, "error": "The address has a parameter that cannot be used.", "status": 400, "title": None}
        if request.path.endswith(".json"):
            return Response.json(answer, status=400)
        return Response.html(await datasette.render_template("error.html", answer, request=request), status=400)

    return inner


@_hook
def prepare_connection(conn: sqlite3.Connection) -> None:
    """Bound what a query on a database of ours may hold in memory, and what it may do."""
    if _stamp(conn)[0] == schema.APPLICATION_ID:
        conn.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        conn.execute("PRAGMA query_only = 1")


async def _front_page(datasette: Any, request: Any, send: Any) -> Any:
    database = await _ours(datasette)
    if database is None:
        from datasette.views.index import IndexView

        return await IndexView.as_view(datasette)(request, send)
    if request.method not in ("GET", "HEAD"):
        return Response.text("This page is only for reading.", status=405, headers={"Allow": "GET, HEAD"})
    await _ensure_may_view(datasette, request.actor, database.name)
    status, context = await _context(datasette, database, request)
    html = await datasette.render_template("tracker/front.html", context, request=request)
    return Response.html(html, status=status, headers={"content-security-policy": policy.STRICT, "cache-control": "no-cache"})


async def _ensure_may_view(datasette: Any, actor: Any, name: str) -> None:
    if hasattr(datasette, "ensure_permissions"):
        await datasette.ensure_permissions(actor, [("view-database", name), "view-instance"])
    else:  # Datasette 1.0
        from datasette.resources import DatabaseResource

        await datasette.ensure_permission(action="view-database", resource=DatabaseResource(name), actor=actor)


async def _context(datasette: Any, database: Any, request: Any) -> tuple[int, dict[str, Any]]:
    links = Links(datasette.urls, database.name)
    shared = {"links": links, "stylesheet": _stylesheet(datasette)}
    version = await _version(database)
    if version != schema.VERSION:
        way_out = "run `tracker run` once" if version < schema.VERSION else "upgrade tracker"
        age = "older" if version < schema.VERSION else "newer"
        return 503, {**shared, "problem": f"This database is {age} than this release of tracker; {way_out}."}
    choice = front.Choice.of(request.args)
    now = _now()
    facts = await database.execute_fn(lambda conn: front.read(conn, choice, now, _counts, database.path))
    return 200, {**shared, **front.page(facts, choice, front.present(facts, now), links)}


async def _ours(datasette: Any) -> Any:
    """Return the first database that is ours, of whatever version."""
    for database in datasette.databases.values():
        if await _version(database) is not None:
            return database
    return None


async def _version(database: Any) -> Any:
    """Return the version of our schema in the database; None if it is not ours."""
    if database.is_memory:
        return None
    application, version = await database.execute_fn(_stamp)
    return version if application == schema.APPLICATION_ID else None


def _stamp(conn: sqlite3.Connection) -> tuple[int, int]:
    return conn.execute("PRAGMA application_id").fetchone()[0], conn.execute("PRAGMA user_version").fetchone()[0]


def _stylesheet(datasette: Any) -> str:
    return f"{datasette.urls.static_plugins('tracker', 'tracker.css')}?{_css_hash()}"


@cache
def _css_hash() -> str:
    """A new release is a new address: no browser shows the old dress on the new page."""
    return sha256((Path(__file__).parent / "static" / "tracker.css").read_bytes()).hexdigest()[:8]


def _now() -> datetime:
    """The door of the window: the machine's clock, or the present that a replay pretends."""
    given = os.environ.get("TRACKER_NOW")
    return clock.parse(given) if given else clock.now()
