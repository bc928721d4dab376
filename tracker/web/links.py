"""Addresses within the window, whatever its base URL.

in   Datasette's ``urls`` and the name of our database; out  URLs as text, every value percent-encoded
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from datasette.utils import tilde_encode

__all__ = ["Links"]

# One row an item, or more: counting them costs more than showing 50. The reader may ask ("count all").
_LARGE = frozenset("items item_labs item_topics latest links near_misses sightings stories story_items tagged texts watch_events".split())


class Links:
    """Builds the links of our pages."""

    def __init__(self, urls: Any, database: str) -> None:
        self._urls, self._database = urls, database

    def front(self, **chosen: object) -> str:
        """The front page, narrowed to what is given; empty values are left out."""
        return self._with(self._urls.instance(), {name: value for name, value in chosen.items() if value})

    def database(self) -> str:
        """All tables and queries."""
        return str(self._urls.database(self._database))

    def table(self, name: str, format: str | None = None, **columns: object) -> str:  # noqa: A002 - Datasette's word
        """A table, view or query; ``format`` is ``json`` or ``csv``."""
        uncounted = {"_nocount": 1} if name in _LARGE and "_shape" not in columns else {}
        return self._with(self._urls.table(self._database, name, format=format), {**columns, **uncounted})

    def row(self, table: str, key: object) -> str:
        """One row of a table."""
        return str(self._urls.row(self._database, table, tilde_encode(str(key))))

    @staticmethod
    def _with(url: object, values: dict[str, object]) -> str:
        return f"{url}?{urlencode(values)}" if values else str(url)
