"""Answers in JSON, of interfaces that are made for programs.

in   a body as it came; out  its value, or a ``ParseError``; a hash of what matters in it
refuses to know what the values mean. Everything here is total: a number of a million digits, NaN, half characters, a nesting without end.
Surprising: votes and counts change with every answer, so ``gist`` hashes only the values of the names that a poller keeps.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tracker import text
from tracker.clock import iso, parse
from tracker.errors import ParseError

__all__ = ["gist", "instant", "loaded", "refusal", "word"]


def loaded(body: bytes, url: str) -> Any:
    """Return the value of a JSON document; NaN, infinities and numbers beyond 18 digits are None.

    Raises:
        ParseError: ``not_a_feed`` (something else, say an HTML page), ``malformed`` (JSON that breaks off), ``too_deep``.
    """
    if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        raise ParseError("not_a_feed", f"{url} did not answer with JSON")
    try:
        written = body.decode("utf-8-sig", "replace")
        return json.loads(written, parse_int=lambda digits: int(digits) if len(digits) <= 18 else None, parse_constant=lambda _: None)
    except RecursionError:
        raise ParseError("too_deep", f"{url}: it is nested too deeply to be read") from None
    except ValueError as error:
        raise ParseError("malformed", f"{url}: {text.one_line(str(error), 200)}") from None


def refusal(value: Any, url: str, wanted: str) -> ParseError:
    """Return the error for an answer that is not what was ``wanted``: what it says itself, if it says something."""
    said = next((word(value[name]) for name in ("error", "message") if word(value.get(name))), "") if isinstance(value, dict) else ""
    if said:
        return ParseError("api_error", f"{url} refuses: {text.one_line(said, 200)}")
    return ParseError("not_a_feed", f"{url} answered with JSON that is not {wanted}")


def word(value: Any) -> str:
    """Return a text as it is, "" for anything else."""
    return value if isinstance(value, str) else ""


def instant(value: Any) -> str | None:
    """Return the UTC instant of a text like ``2026-06-11T00:00:00.000Z`` or of seconds since 1970; None for anything else."""
    try:
        if isinstance(value, str) and len(value) > 10:
            return iso(parse(value))
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return iso(datetime.fromtimestamp(value, UTC))
    except (ValueError, OverflowError, OSError):
        return None
    return None


def gist(bodies: Iterable[bytes], names: str) -> str:
    """Return the hash of the values of these names (with ``|`` between them) in documents, wherever they stand, in order."""
    # Possessive: nothing of a text is tried again, or one of 20 MB without an end would take gigabytes.
    value = re.compile(rb'"(?:%b)"\s{0,9}:\s{0,9}("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^\s",\[{}\]]{1,40})' % names.encode(), re.DOTALL)
    digest = hashlib.sha256()
    for body in bodies:
        for found in value.finditer(body):
            digest.update(found[1] + b"\n")
        digest.update(b"\0")
    return digest.hexdigest()[:32]
