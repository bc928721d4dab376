"""The migrations as SQL text, one file each, oldest first. Append-only: what a release has shipped never changes.

The comment behind a table, view or column is its description in Datasette and in docs/database.md. (ADD COLUMN needs ``/* */``: SQLite
pastes its text into the middle of the table's.)
"""

from __future__ import annotations

from tracker.store.migrations.fifth import FIFTH
from tracker.store.migrations.first import FIRST
from tracker.store.migrations.fourth import FOURTH
from tracker.store.migrations.second import SECOND
from tracker.store.migrations.seventh import SEVENTH
from tracker.store.migrations.sixth import SIXTH
from tracker.store.migrations.third import THIRD

__all__ = ["SCRIPTS"]

SCRIPTS = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH, SEVENTH)
