"""Request policy: what every response says to the browser, and which paths are refused before Datasette sees them.

in   an ASGI application; out  the same one with security headers, and without open redirects
in   a failure; out  whether the address is to blame for it, which makes it 400 and not 500
Surprising: Datasette's own pages carry small inline scripts. They are allowed by hash, and the hashes come from Datasette's template
files, never from the answer: a script that came in with an item could vouch for itself otherwise. A page that sets a policy of its
own keeps it, which is how ours stay stricter than Datasette's.
"""

from __future__ import annotations

import base64
import re
import sqlite3
import traceback
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

__all__ = ["STRICT", "blames_the_address", "guard", "leads_away"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_COMMON = (
    "default-src 'none'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
STRICT = f"{_COMMON}; style-src 'self'; script-src 'self'"
"""The policy of our own pages: nothing inline at all."""

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"x-frame-options": b"DENY",
}
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_FACETS = "{{ datasette_allow_facet }}"  # the one value that Datasette 0.65 writes into an inline script


def guard(app: App) -> App:
    """Return the application behind the policy."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": _with_policy(list(message.get("headers", [])))}
            await send(message)

        if leads_away(scope):
            await _not_found(send_with_headers)
        else:
            await app(scope, receive, send_with_headers)

    return guarded


def leads_away(scope: Scope) -> bool:
    """Return whether a redirect to this path would lead to another host: browsers read ``//host`` and ``/\\host`` as one.

    Datasette 0.65 answers ``//host/`` with ``Location: //host``.
    """
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    return any(re.match(r"[/\\]{2}|/%5c|/%2f|[^/]", path, re.IGNORECASE) for path in (raw, scope["path"]) if path)


def blames_the_address(failure: BaseException, query: str) -> bool:
    """Return whether Datasette failed on a parameter it cannot use, like ``_next=x`` or ``_sort=x`` (0.65 calls that a server error).

    A failure that passed through our own code is never excused, nor one of the disk.
    """
    message = getattr(failure, "message", "")
    unusable = isinstance(failure, _UNUSABLE) or message.startswith(("Cannot sort table by", "Cannot use _sort"))
    files = [frame.filename for frame in traceback.extract_tb(failure.__traceback__)]
    return bool(query) and unusable and not any(Path(file).parent == Path(__file__).parent for file in files)


# Of Datasette's parsing of parameters; of sqlite3 only the class for "the query contains a null character".
_UNUSABLE = (ValueError, TypeError, LookupError, sqlite3.ProgrammingError)


def _with_policy(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = {bytes(name).lower() for name, _ in headers}
    policy = {**_HEADERS, b"content-security-policy": _for_datasette().encode("ascii")}
    return [*headers, *((name, value) for name, value in policy.items() if name not in present)]


@cache
def _for_datasette() -> str:
    """Inline styles are allowed: Datasette writes the names of a table's columns into one, its SQL editor adds others."""
    return " ".join([f"{_COMMON}; style-src 'self' 'unsafe-inline'; script-src 'self'", *sorted(set(_hashes()))])


def _hashes() -> Iterator[str]:
    import datasette

    for template in sorted((Path(datasette.__file__).parent / "templates").glob("*.html")):
        for script in _INLINE.findall(template.read_text("utf-8")):
            for text in {script.replace(_FACETS, value) for value in ("true", "false")}:
                if "{{" not in text and "{%" not in text:
                    yield f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"


async def _not_found(send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": b"There is no such page."})
