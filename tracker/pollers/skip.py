"""What a source lists and is not wanted: translations, job offers, podcasts, told by where they lie.

in   the URL of an entry, the ``skip`` of its source: beginnings of paths with spaces between, like ``/es/ /zh-Hans/``
out  whether it is left out
knows no kind of source: feeds and pages leave out alike. Surprising: an entry without a URL is never left out.
"""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import urlsplit

from tracker import urls
from tracker.errors import InvalidURL

__all__ = ["skipped", "wrong_skip"]


def skipped(url: str | None, patterns: str) -> bool:
    """Whether a pattern fits the URL: a beginning of its path, ``*`` for any letters of one segment, a whole URL for another host.

    >>> skipped("https://lab.example/es/post", "/es/ /zh-*/"), skipped("https://lab.example/essays/1", "/es/ /zh-*/")
    (True, False)
    """
    if not url or not patterns.strip():
        return False
    try:
        parts = urlsplit(urls.canonical_url(url))
    except InvalidURL:
        return False
    path = f"{parts.path.rstrip('/')}/"  # canonical paths end without a slash; "/es/" means the page /es, too
    return any((not host or host == parts.netloc) and beginning.match(path) for host, beginning in _compiled(patterns))


def wrong_skip(patterns: str) -> str | None:
    """Return the first word that is no pattern, or None."""
    return next((word for word in patterns.split() if not re.fullmatch(r"(?:https?://[\w.:-]+)?/\S*", word)), None)


@cache
def _compiled(patterns: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """(host or "", the beginning of a path) of each pattern."""
    return tuple(
        (urls.host_of(word), re.compile(re.escape(urlsplit(word).path or "/").replace(r"\*", "[^/]*"))) for word in patterns.split()
    )
