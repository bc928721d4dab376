"""What grouping 1,000 new items costs beside a cosine over the archive, and in one twice as large: python -m benchmarks.grouping [RUNS] [FILE]

Goal: at most half the CPU of a TF-IDF cosine of the same items against 80,000 stored ones (scikit-learn), and the same at 160,000.
Each run is a process of its own on a copy of the archive. The archive ends on the day before the new items come, 150 a day; its last
fortnight was grouped by the stage, what is older lies there as stories of one. The new items are those of the next week, or all of one day.
The texts are invented from the words of real ones, each as often as it is there (``rarity.txt``), with names that nobody else has; every
eighth item is on something that another tells of as well: the same title, some words of it, or a link; a model of the week is in one of
twenty. FILE: where a profile of one more run goes.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from tracker import store
from tracker.group import group
from tracker.pairing.model import SHIPPED
from tracker.store import items, sources, transaction
from tracker.types import Entry, Source

SIZES = (80_000, 160_000)
NEW = 1_000
A_DAY = 150
TODAY = date(2026, 6, 12)  # the first day of the new items
FORTNIGHT = 14
SHARED = 8  # one in so many tells of what another tells of
NAMED = 20  # one in so many names the model of the week
ORIGINS = ("paper", "official", "press", "press", "press", "community")
HOSTS = 60
SYLLABLES = "ba ce di fo gu la me ni po ru sa te vi xo zu ker ling stra mon quil".split()
SOURCES = [Source(f"s{n}", "feed", f"https://s{n}.example.org/feed", f"S{n}", origin=ORIGINS[n % len(ORIGINS)]) for n in range(HOSTS)]

# Most memory that a process had, in MB, and not the one that it came from (as getrusage tells); 0 where there is no /proc.
PEAK = """
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    except OSError:
        return 0
"""
# In a process of its own: the whole stage, its model loaded in it, and what it looked at.
GROUPING = """
import json, sys, time
from datetime import datetime
from tracker import group, store
from tracker.pairing.model import PairModel
seen, compared, agreement, sketch = [0], [0], PairModel.agreement, group.sketch
def count_pairs(self, pairs, near):
    compared[0] += len(pairs)
    return agreement(self, pairs, near)
def count_items(*args):
    seen[0] += 1
    return sketch(*args)
PairModel.agreement, group.sketch = count_pairs, count_items
db = store.open(sys.argv[1], write=True)
now = datetime.fromisoformat(sys.argv[2])
before = peak()
began = time.process_time()
results = list(group.group(db, now=now))
cpu = time.process_time() - began
print(json.dumps({"cpu": cpu, "items": sum(r.items for r in results), "joined": sum(r.joined for r in results),
                  "loaded": seen[0], "pairs": compared[0], "before": before, "peak": peak()}))
"""
# The same items against the whole archive. Reading the texts and importing scikit-learn are not counted; the matrix alone is told apart.
COSINE = """
import json, sqlite3, sys, time
from sklearn.feature_extraction.text import TfidfVectorizer
db = sqlite3.connect(sys.argv[1])
text = "SELECT title || ' ' || body FROM texts WHERE item {} (SELECT item FROM pending WHERE stage = 'group')"
old, new = ([row[0] for row in db.execute(text.format(among))] for among in ("NOT IN", "IN"))
began = time.process_time()
vectorizer = TfidfVectorizer()
archive = vectorizer.fit_transform(old)
fitted = time.process_time()
best = (vectorizer.transform(new) @ archive.T).max(axis=1).toarray()
done = time.process_time()
print(json.dumps({"cpu": done - began, "product": done - fitted, "items": len(best), "archive": len(old), "peak": peak()}))
"""
# Which functions take the time: the share of the whole that is spent in each alone, and with all that it calls.
PROFILE = """
import cProfile, pstats, sys
from datetime import datetime
from tracker import group, store
db, profile = store.open(sys.argv[1], write=True), cProfile.Profile()
profile.runcall(lambda: list(group.group(db, now=datetime.fromisoformat(sys.argv[2]))))
stats = pstats.Stats(profile)
stats.sort_stats("tottime").print_stats(20)
stats.sort_stats("cumtime").print_stats(40)
"""


def _words() -> tuple[list[str], list[int]]:
    """The words of real texts, and in how many texts each is."""
    lines = (SHIPPED / "rarity.txt").read_text(encoding="utf-8").splitlines()[1:]
    told = [(word, int(number)) for line in lines for number, _, words in [line.partition(" ")] for word in words.split()]
    return [word for word, _ in told], list(accumulate(number for _, number in told))


WORDS, WEIGHTS = _words()


class World:
    """What happens day by day, the same whenever it is asked for; items of one day may tell of the same."""

    def __init__(self) -> None:
        self.made = 0

    def day(self, day: date, count: int) -> Iterator[tuple[Source, list[Entry]]]:
        """What each source lists of a day."""
        chance = random.Random(day.toordinal())
        listed: dict[int, list[Entry]] = {}
        known: list[Entry] = []
        for _ in range(count):
            source = chance.randrange(HOSTS)
            entry = self._entry(chance, day, source, chance.choice(known) if known and chance.randrange(SHARED) == 0 else None)
            known.append(entry)
            listed.setdefault(source, []).append(entry)
        return ((SOURCES[source], entries) for source, entries in listed.items())

    def _entry(self, chance: random.Random, day: date, source: int, about: Entry | None) -> Entry:
        self.made += 1
        paper = SOURCES[source].origin == "paper"
        title = chance.choices(WORDS, cum_weights=WEIGHTS, k=chance.randint(5, 12))
        title[chance.randrange(len(title))] = _name(chance).capitalize()
        if chance.randrange(NAMED) == 0:
            title[0] = _name(random.Random(day.toordinal() // 7)).capitalize() + " 4.5"
        links: tuple[str, ...] = ()
        if about:
            way = chance.randrange(3)
            title = about.title.split() if way == 0 else [*about.title.split()[:5], *title[:4]]
            links = (about.own_key or f"url:{about.url}",) if way == 2 else ()
        text = " ".join(chance.choices(WORDS, cum_weights=WEIGHTS, k=150 if paper else chance.randint(5, 60)))
        if paper:
            key = f"{day:%y%m}.{self.made % 100_000:05}"
            return Entry(
                " ".join(title), f"https://arxiv.org/abs/{key}", text=text, published_at=f"{day}T08:00:00Z", own_key=f"arxiv:{key}"
            )
        slug = "-".join(title[:6]).lower().replace("+", "")
        url = f"https://s{source}.example.org/{day:%Y/%m}/{slug}-{self.made}"
        return Entry(" ".join(title), url, text=text, published_at=f"{day}T08:00:00Z", links=links)


def _name(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))


def fill(db: sqlite3.Connection, world: World, last: date, days: int) -> None:
    """Store the items of the days that end with one, as they came."""
    for shift in range(days - 1, -1, -1):
        _come(db, world, last - timedelta(days=shift), A_DAY)


def _come(db: sqlite3.Connection, world: World, day: date, count: int) -> None:
    with transaction(db):
        for source, entries in world.day(day, count):
            items.save(db, source, entries, now=f"{day}T09:00:00Z", first=False, old_before=None)
        db.execute("DELETE FROM pending WHERE stage <> 'group'")
        first = int(f"{day:%Y%m%d}") * items.IDS_PER_DAY
        new = "SELECT 'group', id, first_seen_at FROM items WHERE id BETWEEN ? AND ?"
        db.execute(f"INSERT OR IGNORE INTO pending(stage, item, due_at) {new}", (first, first + items.IDS_PER_DAY - 1))


def alone(db: sqlite3.Connection) -> None:
    """Give each item that waits a story of its own, as the stage would if nothing were alike."""
    with transaction(db):
        db.execute(
            """INSERT INTO stories(title, lead_item, first_at, last_at, items, sources)
            SELECT title, id, published_at, published_at, 1, 1 FROM pending JOIN items ON id = item WHERE stage = 'group'"""
        )
        db.execute(
            """INSERT INTO story_items(item, story, score, evidence)
            SELECT item, stories.id, 1, 'first of its story' FROM pending JOIN stories ON lead_item = item WHERE stage = 'group'"""
        )
        db.execute("DELETE FROM pending")


def archives(folder: Path) -> dict[int, Path]:
    """Databases of both sizes that end with the same fortnight: the larger one is the smaller with older days added."""
    paths = {size: folder / f"{size}.db" for size in SIZES}
    small, large = SIZES
    world, yesterday, fortnight = World(), TODAY - timedelta(days=1), TODAY - timedelta(days=FORTNIGHT + 1)
    days = small // A_DAY - FORTNIGHT
    with closing(store.open(paths[small], write=True)) as db:
        with transaction(db):
            sources.sync(db, SOURCES, "2020-01-01T00:00:00Z")
        fill(db, world, fortnight, days)
        alone(db)
        fill(db, world, yesterday, FORTNIGHT)
        list(group(db, now=_at(yesterday)))
        with transaction(db):
            db.execute("DELETE FROM pending")
        db.execute("VACUUM INTO ?", (str(paths[large]),))
    with closing(store.open(paths[large], write=True)) as db:
        fill(db, world, fortnight - timedelta(days=days), (large - small) // A_DAY)
        alone(db)
        db.execute("ANALYZE")
    with closing(store.open(paths[small], write=True)) as db:
        db.execute("ANALYZE")
    return paths


def _at(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 20, tzinfo=UTC)


def arrived(archive: Path, folder: Path, days: int) -> Path:
    """A copy of an archive to which the new items have come, within this many days."""
    path = folder / "run.db"
    path.unlink(missing_ok=True)
    shutil.copy(archive, path)
    world = World()
    world.made = 500_000
    with closing(store.open(path, write=True)) as db:
        for n in range(days):
            _come(db, world, TODAY + timedelta(days=n), NEW // days + (n < NEW % days))
    return path


def child(code: str, path: Path, days: int) -> str:
    """What a process of its own prints."""
    last = _at(TODAY + timedelta(days=days - 1)).isoformat()
    return subprocess.run([sys.executable, "-c", PEAK + code, str(path), last], check=True, capture_output=True, text=True).stdout


def measured(code: str, archive: Path, folder: Path, days: int) -> dict[str, float]:
    """What one run of a child costs."""
    found: dict[str, float] = json.loads(child(code, arrived(archive, folder, days), days))
    if found["items"] != NEW:
        raise SystemExit(f"{NEW} new items were expected: {found}")
    return found


def medians(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """The median of each figure."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main(runs: int = 3, profile: str = "") -> None:
    """Print medians and ratios."""
    found: dict[tuple[int, int], list[dict[str, float]]] = {(size, days): [] for size in SIZES for days in (7, 1)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = archives(folder)
        cosine = []
        for _ in range(runs):  # one after the other, so that what else the machine does meets all of them
            cosine.append(measured(COSINE, paths[SIZES[0]], folder, 7))
            for (size, days), told in found.items():
                told.append(measured(GROUPING, paths[size], folder, days))
        if profile:
            Path(profile).write_text(child(PROFILE, arrived(paths[SIZES[0]], folder, 7), 7), encoding="utf-8")
    beside, of = medians(cosine), {which: medians(told) for which, told in found.items()}
    print(
        f"TF-IDF cosine of {NEW:,} against {beside['archive']:,.0f}: {beside['cpu']:.2f} s CPU, of which {beside['product']:.2f} s "
        f"once the archive is a matrix; peak {beside['peak']:.0f} MB"
    )
    for (size, days), cost in of.items():
        when = f"of {days} days" if days > 1 else "of one day"
        print(
            f"{NEW:,} new items {when} beside {size:7,} stored: {cost['cpu']:.2f} s CPU ({cost['cpu'] / beside['cpu']:.2f} of the cosine); "
            f"{cost['loaded']:,.0f} items loaded, {cost['pairs']:,.0f} pairs compared, {cost['joined']:.0f} joined; "
            f"peak {cost['peak']:.0f} MB, {cost['before']:.0f} before"
        )
    small, large = (of[size, 7]["cpu"] for size in SIZES)
    print(
        f"goal: at most 0.50 of the cosine: {max(small, large) / beside['cpu']:.2f}; ratio of both archives {large / small:.2f} (goal: 1)"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:3])
