"""What pages and lists cost with a million items: python -m benchmarks.browse [ITEMS] [REQUESTS]

Goal: lists ≤ 50 ms of CPU at the 95th percentile. The database is synthetic: one item in ten is on a topic, one of five of these joins
the story before it, five a day bear on a standing question.
Each address is asked in turn through Datasette, in this process; CPU seconds of the process, the first request of each left out.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

from tracker import config, store
from tracker.store import sources, transaction, watches
from tracker.web.serve import application

# What our pages link to; {item} is the newest item, {old} one of two years ago.
ADDRESSES = (
    "/",
    "/?topic=agent-self-improvement",
    "/?lab=anthropic",
    "/?topic=agent-memory&lab=openai",
    "/?before={old}",
    "/tracker/latest?_nocount=1",
    "/tracker/newest",
    "/tracker/newest.json",
    "/tracker/on_topic?topic=agent-memory",
    "/tracker/topic_and_lab?topic=agent-memory&lab=openai&relation=by",
    "/tracker/by_lab?lab=openai",
    "/tracker/search?text=self-improving+agent",
    "/tracker/busiest_weeks",
    "/tracker/labs_by_topic",
    "/tracker/stories_of_the_week",
    "/tracker/watch_events?_nocount=1",
    "/tracker/events_of_a_question?watch=rsi-mention",
    "/tracker/digests_sent",
    "/tracker/failing_sources",
    "/tracker/source_health.json?_shape=array&_nocol=items",
    "/tracker/items/{item}",
    "/tracker/stories/{item}",
    "/tracker",
)
QUESTIONS = ("alignment-drift", "ai-rd-automation", "other-lab-papers", "field-feedback-product", "rsi-mention")
RUNGS = ("reported", "stated", "published", "shipped")
LABS = ("anthropic", "openai", "google-deepmind", "meta", "mistral")
WORDS = "agents memory learn reward self-improving feedback oversight benchmark skill online release tokens chips funding language model".split()


def build(path: Path, count: int) -> None:
    """Write a database of ``count`` items over five years."""
    settings = config.load(Path(__file__).parent.parent / "feeds.toml")
    db, chance = store.open(path, write=True), random.Random(1)
    with transaction(db):
        sources.sync(db, settings.sources, "2021-06-01T00:00:00Z")
        sources.sync_registry(db, settings.topics, settings.labs, "2021-06-01T00:00:00Z")
        watches.sync(db, settings.watches, "2021-06-01T00:00:00Z")
    names, topics = [source.id for source in settings.sources], [topic.id for topic in settings.topics]
    a_day, first = count // 1826 + 1, date(2021, 6, 14)
    for day in range(1826):
        with transaction(db):
            _one_day(db, chance, first + timedelta(days=day), a_day, names, topics)
    db.execute("ANALYZE")
    db.close()


def _one_day(db: sqlite3.Connection, chance: random.Random, day: date, count: int, names: list[str], topics: list[str]) -> None:
    stamp = f"{day.isoformat()}T06:00:00Z"
    ids = [int(f"{day:%Y%m%d}") * 1_000_000 + n for n in range(1, count + 1)]
    titles = [" ".join(chance.choices(WORDS, k=9)) for _ in ids]
    db.executemany(
        "INSERT INTO items(id, key, source, url, title, published_at, first_seen_at, content_hash, backlog, origin) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 'h', 0, 'paper')",
        [
            (i, f"url:{i}", chance.choice(names), f"https://a.example.org/{i}", title, stamp, stamp)
            for i, title in zip(ids, titles, strict=True)
        ],
    )
    db.executemany("INSERT INTO texts VALUES (?, ?, ?)", [(i, title, title * 4) for i, title in zip(ids, titles, strict=True)])
    tagged = [i for i in ids if chance.random() < 0.1]
    db.executemany(
        "INSERT OR IGNORE INTO item_topics VALUES (?, ?, ?, ?, '[[\"agents\", 1.5], [\"memory\", 0.7]]', 'bench')",
        [(i, chance.choice(topics), chance.random(), chance.choice(["confident", "maybe"])) for i in tagged for _ in range(2)],
    )
    db.executemany(
        "INSERT INTO item_labs VALUES (?, ?, 'by', 'source', 'declared', 'the source says so', 'r', 'source')",
        [(i, chance.choice(LABS)) for i in tagged],
    )
    on_topic, homes, home = set(tagged), {}, 0
    for i in ids:
        home = home if i in on_topic and home and chance.random() < 0.2 else i
        homes[i] = home
    sizes = Counter(homes.values())
    db.executemany(
        "INSERT INTO stories(id, title, lead_item, first_at, last_at, items, sources) VALUES (?1, 't', ?1, ?2, ?2, ?3, ?3)",
        [(story, stamp, size) for story, size in sizes.items()],
    )
    db.executemany("INSERT INTO story_items VALUES (?, ?, 1, 'the same title')", homes.items())
    db.executemany(
        'INSERT OR IGNORE INTO watch_events VALUES (?, ?, ?, ?, ?, ?, NULL, 0.9, \'["on agent-memory (0.90)", "a paper"]\', 0)',
        [(chance.choice(QUESTIONS), i, chance.choice(LABS), chance.choice(RUNGS), stamp, stamp) for i in tagged[:5]],
    )


async def _measure(path: Path, requests: int) -> dict[str, list[float]]:
    client = application(path).client
    with sqlite3.connect(path) as db:
        (item,) = db.execute("SELECT max(lead_item) FROM stories").fetchone()
    times: dict[str, list[float]] = {address.format(item=item, old=item - 2 * 10**10): [] for address in ADDRESSES}
    for turn in range(requests + 1):
        if turn == 1:
            gc.freeze()  # as `tracker serve` does
        for address in times:
            began = time.process_time()
            response = await client.get(address)
            assert response.status_code == 200, (address, response.status_code, response.text[:300])
            if turn:
                times[address].append((time.process_time() - began) * 1000)
    return times


def main(count: int = 1_000_000, requests: int = 20) -> None:
    """Print a row for each address."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracker.db"
        build(path, count)
        print(f"{count:,} items, {path.stat().st_size / 1e6:,.0f} MB, {requests} requests each, CPU ms: median, 95th percentile")
        for address, times in asyncio.run(_measure(path, requests)).items():
            print(f"{statistics.median(times):7.1f} {statistics.quantiles(times, n=20)[-1]:7.1f}   {address}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
