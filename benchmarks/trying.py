"""What `tracker watch --try` costs among 100,000 items: python -m benchmarks.trying [ITEMS] [RUNS]

Goal: at most 2 s, of a watch by topic, of one by phrase, of one by a word that is everywhere, and of another threshold. The texts are those
of ``tagging``; the items lie evenly over a year, one in six on a topic, one in four of these by a lab; one in ten on a topic is of a story
with the one before.
Each run is a process of its own, from the first import to the last line, as a person waits for it.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks.tagging import ON_TOPIC, SOURCE, entries
from tracker import config, store
from tracker.store import items, sources, transaction, watches

FIRST, DAYS = date(2025, 6, 13), 365
NOW = "2026-06-12T12:00:00Z"
BY_LAB = 4  # one item on topic in so many is by a lab
DRAFTS = {
    "a watch by topic": '[watches.new]\nquestion = "?"\nby = ["any"]\ntopics = ["agent-memory", "agent-self-improvement"]\n',
    "a watch by phrase": '[watches.new]\nquestion = "?"\nby = ["any"]\nphrases = ["self-improving agent*", "reward hacking"]\n',
    "a watch by a common word": '[watches.new]\nquestion = "?"\nby = ["any"]\nphrases = ["the"]\n',
    "another threshold": "[topics.agent-memory]\nthreshold = 0.9\n",
}
# By the place of an item among those on topic: a third is on memory, some are sure; labs in turn.
_TAGS = f"""INSERT INTO item_topics SELECT id, iif(n % 3, 'agent-self-improvement', 'agent-memory'), .5 + (n % 50) / 100.0,
  iif(n % 5 < 3, 'confident', 'maybe'), '[["memory", 1]]', 'bench' FROM (SELECT id, id % 1000000 / {ON_TOPIC} AS n FROM items
  WHERE id % 1000000 % {ON_TOPIC} = 0)"""
_LABS = f"""INSERT INTO item_labs(item, lab, relation, method, strength, evidence, registry)
  SELECT item, CASE item / {ON_TOPIC * BY_LAB} % 3 WHEN 0 THEN 'openai' WHEN 1 THEN 'anthropic' ELSE 'google-deepmind' END, 'by', 'source', 'declared', 'x', 'r'
  FROM item_topics WHERE item / {ON_TOPIC} % {BY_LAB} = 0"""


def build(path: Path, count: int, settings: config.Config) -> None:
    """Write a database of ``count`` items that came over a year."""
    db = store.open(path, write=True)
    with transaction(db):
        sources.sync(db, [SOURCE], f"{FIRST}T00:00:00Z")
        sources.sync_registry(db, settings.topics, settings.labs, f"{FIRST}T00:00:00Z")
        db.execute("UPDATE sources SET last_ok_at = ?", (NOW,))
    per_day = (count // DAYS // ON_TOPIC + 1) * ON_TOPIC  # so that the same places of each day are on a topic, by text and by tag
    for n in range(DAYS):
        day = FIRST + timedelta(days=n)
        with transaction(db):
            items.save(db, SOURCE, entries(per_day, n * per_day), now=f"{day}T06:00:00Z", first=False, old_before=None)
            db.execute("DELETE FROM pending")
    with transaction(db):
        watches.looked(db, watches.sync(db, settings.watches, NOW), None)
        db.execute("UPDATE items SET published_at = first_seen_at, origin = 'official'")
        db.execute(_TAGS)
        db.execute(_LABS)
        db.execute(
            """INSERT INTO stories(id, title, lead_item, first_at, last_at, items, sources)
            SELECT row_number() OVER (ORDER BY item), title, item, first_seen_at, first_seen_at, 1, 1 FROM item_topics JOIN items ON id = item"""
        )
        db.execute("INSERT INTO story_items SELECT lead_item, id - (id % 10 = 0), 1, 'x' FROM stories")
    db.execute("ANALYZE")
    db.close()


def once(folder: Path, db: Path, draft: str) -> tuple[float, str]:
    """The seconds that a person waits, and the first lines of the answer."""
    (folder / "draft.toml").write_text(draft)
    command = [sys.executable, "-m", "tracker", "watch", "--try", str(folder / "draft.toml"), "--since", "90d", "--now", NOW]
    began = time.monotonic()
    done = subprocess.run([*command, "--db", str(db), "--config", str(config.shipped_file())], check=True, capture_output=True, text=True)
    return time.monotonic() - began, done.stdout


def main(count: int = 100_000, runs: int = 5) -> None:
    """Print the median and the longest wait of each draft."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "bench.db", count, config.load(config.shipped_file()))
        for what, draft in DRAFTS.items():
            found = [once(folder, folder / "bench.db", draft) for _ in range(runs)]
            waits = [seconds for seconds, _ in found]
            said = [line.strip() for line in found[0][1].splitlines() if "Tried on" in line or "would have found" in line]
            print(f"{what}: {statistics.median(waits):.2f} s, at most {max(waits):.2f} s (goal: 2 s)")
            print("\n".join(f"  {line[:150]}" for line in said[:3]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
