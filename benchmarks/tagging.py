"""What tagging 500 new items costs in a small and in a large archive: python -m benchmarks.tagging [RUNS]

Goal: the same at 10,000 and at 80,000 stored items (±10 %). CPU seconds of the stage, taggers loaded, alternating, medians.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tracker import config, store
from tracker import tag as stage
from tracker.store import items, sources, transaction
from tracker.types import Entry, Source

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
SIZES = (10_000, 80_000)
NEW = 500
WORDS = """agent agents memory learns from feedback its own experience self-improving skill library oversight monitor reward hacking benchmark
continual online learning deployment tool use planning evaluation model language training data safety alignment drift release product method
results we propose show that a the of and in with for on tasks environments trajectories performance""".split()
SOURCE = Source("bench", "feed", "https://bench.example.org/feed.xml", "Bench")


def entries(count: int, start: int) -> list[Entry]:
    """Invented abstracts of about 180 words."""
    chance = random.Random(start)
    return [
        Entry(
            " ".join(chance.choices(WORDS, k=10)),
            f"https://arxiv.org/abs/{2001 + n // 90_000:04}.{n % 90_000:05}",
            text=" ".join(chance.choices(WORDS, k=180)),
            published_at=f"2026-0{1 + n % 5}-{1 + n % 27:02}T00:00:00Z",
        )
        for n in range(start, start + count)
    ]


def archive(path: Path, size: int, settings: config.Config) -> sqlite3.Connection:
    """A database with ``size`` items that were tagged long ago."""
    db = store.open(path, write=True)
    with transaction(db):
        sources.sync(db, [SOURCE], "2026-01-01T00:00:00Z")
        sources.sync_registry(db, settings.topics, settings.labs, "2026-01-01T00:00:00Z")
    for start in range(0, size, 2_000):
        with transaction(db):
            items.save(db, SOURCE, entries(2_000, start), now="2026-06-01T00:00:00Z", first=True, old_before=None)
            db.execute("INSERT INTO item_topics SELECT item, 'agent-memory', .7, 'maybe', '[[\"memory\", 1]]', 'bench' FROM pending")
            db.execute("DELETE FROM pending")
    return db


def once(db: sqlite3.Connection, settings: config.Config, taggers: stage.Taggers, start: int) -> float:
    """CPU seconds to tag ``NEW`` items that have just come."""
    with transaction(db):
        items.save(db, SOURCE, entries(NEW, start), now="2026-06-12T00:00:00Z", first=False, old_before=None)
    began = time.process_time()
    assert sum(batch.items for batch in stage.tag(db, settings, now=NOW, taggers=taggers)) == NEW
    return time.process_time() - began


def main(runs: int = 9) -> None:
    """Print the medians and their ratio."""
    settings = config.load(Path(__file__).parent.parent / "feeds.toml")
    taggers = stage.load(settings)
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        archives = {size: archive(Path(folder) / f"{size}.db", size, settings) for size in SIZES}
        for run in range(runs):
            for size, db in archives.items():
                times[size].append(once(db, settings, taggers, 1_000_000 + run * NEW))
    small, large = (statistics.median(times[size]) for size in SIZES)
    for size in SIZES:
        print(f"{NEW} new items beside {size:6,} stored: {statistics.median(times[size]) * 1000:6.0f} ms CPU")
    print(f"ratio {large / small:.2f} (goal: 0.90 to 1.10)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
