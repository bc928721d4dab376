"""Every failure a person can meet, as one tree; each class carries its facts as attributes.

::

    TrackerError
    ├── ConfigError           feeds.toml (or a file of defaults/) cannot be used: exit 2
    ├── StoreError            the database is absent, foreign, damaged, too new or too old
    │   └── LockHeld          another run is active: exit 75
    ├── ModelError            the topic model cannot be loaded or trained
    └── SourceError           a source did not give what was asked; ``name`` is from ``NAMES``
        └── ParseError        the answer came, but its body is not usable
    InvalidURL (ValueError)   not an absolute http or https URL

The text of an error is one sentence: which thing, what is wrong, the way out. Only ``cli`` turns errors into exit codes.
"""

from __future__ import annotations

__all__ = [
    "NAMES",
    "ConfigError",
    "InvalidURL",
    "LockHeld",
    "ModelError",
    "ParseError",
    "SourceError",
    "StoreError",
    "TrackerError",
]

# The vocabulary of source errors, the same in the database, in `tracker status` and on every page; `http_NNN` besides.
NAMES = frozenset(
    "rate_limited gone challenge disallowed timeout connection tls dns blocked_address blocked_scheme redirect_loop too_large bomb "
    "too_deep truncated bad_encoding empty_body not_a_feed malformed api_error incomplete_results layout_changed "
    "too_many_items".split()
)


class TrackerError(Exception):
    """The root: ``except TrackerError`` catches what a user can cause or meet, and nothing else."""

    exit_code = 1


class ConfigError(TrackerError):
    """A configuration file that cannot be used.

    Args:
        message: what is wrong and the nearest valid thing.
        path: the file, as the user named it.
        line: 1-based; 0 when the whole file is meant.
    """

    exit_code = 2

    def __init__(self, message: str, path: str, line: int = 0) -> None:
        self.path, self.line, self.message = path, line, message
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")


class StoreError(TrackerError):
    """The database cannot be used as it is."""


class LockHeld(StoreError):
    """Another run is active.

    Args:
        since: start of the run that holds the lock, ISO 8601, or "" when it left no row.
        pid: its process id on ``host``; 0 when unknown.
    """

    exit_code = 75

    def __init__(self, since: str = "", pid: int = 0, host: str = "") -> None:
        self.since, self.pid, self.host = since, pid, host
        who = f" (process {pid} on {host}, since {since})" if pid else ""
        super().__init__(f"another run is active{who}; wait for it, or stop it and try again")


class ModelError(TrackerError):
    """The topic model is absent, foreign, damaged or of another version; rules can still tag."""


class SourceError(TrackerError):
    """A source did not give what was asked.

    Args:
        name: from ``NAMES`` or ``http_NNN``; the same word everywhere.
        detail: one sentence for a person.
        retry_after_s: seconds the server asked us to wait, if it did.
    """

    def __init__(self, name: str, detail: str = "", *, retry_after_s: float | None = None) -> None:
        if name not in NAMES and not name.startswith("http_"):
            raise ValueError(f"{name!r} is not in the vocabulary of source errors")
        self.name, self.detail, self.retry_after_s = name, detail, retry_after_s
        super().__init__(f"{name}: {detail}" if detail else name)


class ParseError(SourceError):
    """The body of an answer is not usable; ``name`` says how."""


class InvalidURL(ValueError):
    """Not an absolute http or https URL."""
