"""tracker watches how AI agents learn to improve themselves, and who is building them.

The Python door is ``Tracker``; importing this package imports nothing heavy.

    from tracker import Tracker
    with Tracker("feeds.toml") as t:
        t.run()
        for item in t.items(topic="online-learning", by="anthropic", since="2026-06-14"):
            print(item.title, item.url)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tracker.run import Tracker

__all__ = ["Tracker"]


def __getattr__(name: str) -> object:
    if name == "Tracker":
        from tracker.run import Tracker

        return Tracker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
