"""How far a source without an end has been read: the cursor of arXiv and of Hugging Face's daily papers.

in   ``State.cursor``; out  the newest instant (or day) known, and the rest of a long walk that is still to be read; and back to text
A cursor is plain text, ``2026-06-12T17:59:58Z``, while there is no rest; else JSON. Everything between ``until`` and ``newest`` has been
read: a walk that breaks off goes on at ``until`` next time, and what it finds then is as little news as before (``walk``).
Surprising: a cursor that cannot be understood counts as none.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from tracker.types import State

__all__ = ["MAX_PAGES", "Reached"]

_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\dZ)?", re.ASCII)
MAX_PAGES = 300  # of the rest, in one poll; what is left waits for the next one


@dataclass(frozen=True, slots=True)
class Reached:
    """``newest`` is known; from ``since`` to ``until`` is still to be read ("" when nothing is), as backlog if it is left of a ``walk``."""

    newest: str = ""
    since: str = ""
    until: str = ""
    walk: bool = False

    @classmethod
    def by(cls, state: State) -> Reached:
        """Return what the cursor says; a backfill that finds an open rest makes it longer."""
        reached = _understood(state.cursor or "")
        further = state.backfill and reached.until and state.since
        return replace(reached, since=min(reached.since, state.since or "")) if further else reached

    def is_known(self, state: State) -> bool:
        """Whether only what is new has to be read, and the rest: not at the first poll, and not when a backfill begins."""
        return bool(self.newest) and (not state.backfill or bool(self.until))

    def text(self) -> str | None:
        """Return the cursor that says this."""
        if self.until:
            facts = {"newest": self.newest, "since": self.since, "until": self.until}
            return json.dumps(facts | {"walk": True} if self.walk else facts)
        return self.newest or None


def _understood(cursor: str) -> Reached:
    try:
        facts = json.loads(cursor) if cursor.startswith("{") else {"newest": cursor}
        newest, since, until = (str(facts.get(name, "")) for name in ("newest", "since", "until"))
        reached = Reached(newest, since, until, facts.get("walk") is True)
    except ValueError:
        return Reached()
    whole = not reached.until or bool(_TIME.fullmatch(reached.since) and _TIME.fullmatch(reached.until))
    return reached if whole and _TIME.fullmatch(reached.newest) else Reached()
