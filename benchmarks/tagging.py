"""What tagging 500 new items costs in a small and in a large archive: python -m benchmarks.tagging [RUNS]

Goal: at most 0.40 s CPU in one process, at most 100 MB, the same at 10,000 and at 80,000 stored items (±10 %).
Each run is a process of its own, as a run of the tracker is: taggers loaded anew, no word met before. The texts are invented: 180 words
out of 14,000, common ones often and rare ones once, as in any language; one in six is on a topic, as of a day of arXiv.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from tracker import config, store
from tracker.store import items, sources, transaction
from tracker.types import Entry, Source

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
SIZES = (10_000, 80_000)
NEW = 500
ON_TOPIC = 6  # one text in so many
SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo zu tion ing er al ness pre con trans".split()
TOPICS = [
    "agent memory stores past sessions and retrieves what the agent remembers across tasks long-term memory for llm agents",
    "a self-improving agent learns from its own experience and feedback in a loop and evolves its skills over rounds",
    "skill library prompt optimization workflow evolution automatic harness tools that the agent makes itself",
    "reward hacking alignment faking goal drift and scheming of language models oversight monitor control of agents",
    "continual lifelong learning after deployment test-time training self-rewarding self-play self-training of language models",
    "benchmark of tool use agents in web and code environments self-evaluation reflection critic and verifier",
]
COMMON = """we the of a and in to with for on that is by this from as are our model models language large results show method data training
tasks performance approach using which based learning new propose paper across these can between more than each two both study""".split()
SOURCE = Source("bench", "feed", "https://bench.example.org/feed.xml", "Bench")

# One run, in a process of its own: what loading costs, what tagging costs, and what the process took of memory before and at most.
ONE_RUN = """
import json, resource, sys, time
from datetime import datetime
from tracker import config, store, tag
began = time.process_time()
settings = config.load(sys.argv[2])
db = store.open(sys.argv[1], write=True)
opened = time.process_time()
taggers = tag.load(settings)
loaded = time.process_time()
results = list(tag.tag(db, settings, now=datetime.fromisoformat(sys.argv[3]), taggers=taggers))
done = time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"items": sum(r.items for r in results), "on_topic": sum(r.on_topic for r in results), "load": loaded - opened,
                  "tag": done - loaded, "peak": peak, "whole": done, "problem": taggers.without_model}))
"""


def vocabulary() -> tuple[list[str], list[float]]:
    """14,000 invented words after 60 common ones, with the weights of a language: the n-th is said 1/n as often as the first (Zipf)."""
    chance = random.Random(1)
    made: dict[str, None] = dict.fromkeys(COMMON)
    while len(made) < 14_000:
        made["".join(chance.choices(SYLLABLES, k=chance.randint(2, 5)))] = None
    return list(made), list(accumulate(1 / (n + 2) for n in range(len(made))))


WORDS, WEIGHTS = vocabulary()


def entries(count: int, start: int) -> list[Entry]:
    """Invented abstracts of about 180 words."""
    chance = random.Random(start)
    return [_entry(chance, n) for n in range(start, start + count)]


def _entry(chance: random.Random, n: int) -> Entry:
    title, words = (chance.choices(WORDS, cum_weights=WEIGHTS, k=k) for k in (10, 180))
    if n % ON_TOPIC == 0:
        said = chance.choice(TOPICS).split()
        title[:5] = said[:5]
        for at in range(0, 150, 30):
            words[at : at + len(said)] = said
    return Entry(
        " ".join(title),
        f"https://arxiv.org/abs/{2001 + n // 90_000:04}.{n % 90_000:05}",
        text=" ".join(words),
        published_at=f"2026-0{1 + n % 5}-{1 + n % 27:02}T00:00:00Z",
    )


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


def once(path: Path, db: sqlite3.Connection, start: int) -> dict[str, float]:
    """What it costs to tag ``NEW`` items that have just come, in a new process."""
    with transaction(db):
        items.save(db, SOURCE, entries(NEW, start), now="2026-06-12T00:00:00Z", first=False, old_before=None)
    return measured(path)


def measured(path: Path) -> dict[str, float]:
    """What it costs to tag what waits in a database, in a new process."""
    feeds = str(config.shipped_file())
    done = subprocess.run([sys.executable, "-c", ONE_RUN, str(path), feeds, NOW.isoformat()], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    if found["problem"] or found["items"] != NEW:
        raise SystemExit(f"the model was not used, or not on {NEW} items: {found}")
    return found


def main(runs: int = 7) -> None:
    """Print medians and the ratio of both archives."""
    settings = config.load(config.shipped_file())
    found: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    with tempfile.TemporaryDirectory() as folder:
        paths = {size: Path(folder) / f"{size}.db" for size in SIZES}
        archives = {size: archive(paths[size], size, settings) for size in SIZES}
        for run in range(runs):
            for size, db in archives.items():
                found[size].append(once(paths[size], db, 1_000_000 + run * NEW))
    of = {
        size: {name: statistics.median(one[name] for one in found[size]) for name in ("load", "tag", "peak", "whole", "on_topic")}
        for size in SIZES
    }
    for size, cost in of.items():
        print(
            f"{NEW} new items ({cost['on_topic']:.0f} on a topic) beside {size:6,} stored: tagging {cost['tag'] * 1000:4.0f} ms CPU, "
            f"loading {cost['load'] * 1000:3.0f} ms, the whole process {cost['whole'] * 1000:4.0f} ms; peak {cost['peak']:3.0f} MB"
        )
    small, large = (of[size] for size in SIZES)
    print(
        f"goal: loading and tagging at most 400 ms: {max(one['load'] + one['tag'] for one in (small, large)) * 1000:.0f} ms; at most 100 MB"
    )
    print(f"ratio of tagging {large['tag'] / small['tag']:.2f} (goal: 0.90 to 1.10)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
