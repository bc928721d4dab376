"""A machine on which the tracker walks the whole way, digests included: what was mailed, and how often."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import datetime
from pathlib import Path

from tests import servers
from tracker import Tracker, store

PHRASE = "agents that keep a diary"
_CONFIG = """[tracker]
contact = "you@example.org"
[feeds.lab]
url = "{0}"
every = "1h"
[topics.diaries]
title = "Diaries"
description = "Diaries of agents"
include = ["{1}"]
[digests.daily]
to = ["you@example.org"]
at = "daily"
via = "file"
folder = "{2}"
"""


class Host:
    """A folder with feeds.toml and a database, and a server with one feed; an item whose title has ``PHRASE`` is mailed."""

    def __init__(self, home: Path, web: servers.Server) -> None:
        self.posts: list[str] = []
        self._home, self._web, self._path = home, web, home / "data" / "tracker.db"
        (home / "feeds.toml").write_text(_CONFIG.format(web.url("/feed"), PHRASE, home / "mails"), encoding="utf-8")

    def run(self, document: bytes, now: datetime) -> None:
        self._web.serves("/feed", document, {"Content-Type": "application/xml"})
        with Tracker(self._home / "feeds.toml", self._path, now=now) as tracker:
            tracker.run()

    @property
    def mails(self) -> list[str]:
        """The UTC days up to which a digest was sent."""
        with closing(store.open(self._path)) as db:
            assert [row[0] for row in db.execute("SELECT DISTINCT status FROM digests")] == ["sent"]
            return [row[0] for row in db.execute("SELECT substr(period_to, 1, 10) FROM digests ORDER BY id")]

    @property
    def told(self) -> Counter[str]:
        """How often each post was told."""
        with closing(store.open(self._path)) as db:
            return Counter(row[0] for row in db.execute("SELECT title FROM digest_items JOIN items ON items.id = item"))
