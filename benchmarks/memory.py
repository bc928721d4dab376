"""What a run needs of memory: python -m benchmarks.memory [PAPERS]

Goal: at most 300 MB in any process of a first run, 150 MB when nothing is new. A loopback server plays arXiv (one page of ``PAPERS`` papers
with abstracts) and 30 feeds of 50 posts; the peak resident set of every process of `tracker run` is read from /proc while it works.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.servers import server

WORDS = "agents memory learn reward self-improving feedback oversight benchmark skill online release tokens chips funding language model".split()
FEEDS, POSTS = 30, 50
SETTINGS = """[tracker]
contact = "bench@example.org"
"""


def papers(count: int) -> bytes:
    """An answer of arXiv's API, invented."""
    chance, entries = random.Random(1), []
    for n in range(count):
        text = " ".join(chance.choices(WORDS, k=180))
        entries.append(
            f"<entry><id>http://arxiv.org/abs/2606.{n:05}v1</id><title>{text[:80]}</title><updated>2026-06-11T08:00:00Z</updated>"
            f'<link href="https://arxiv.org/abs/2606.{n:05}v1" rel="alternate"/><summary>{text}</summary>'
            f"<published>2026-06-11T08:00:00Z</published><author><name>A. N. Author</name></author></entry>"
        )
    head = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
    return f"{head}<opensearch:totalResults>{count}</opensearch:totalResults>{''.join(entries)}</feed>".encode()


def posts(number: int) -> bytes:
    """A feed, invented."""
    chance = random.Random(number)
    entries = "".join(
        f"<item><title>{' '.join(chance.choices(WORDS, k=8))}</title><link>https://a.example.org/{number}/{n}</link>"
        f"<description>{' '.join(chance.choices(WORDS, k=120))}</description></item>"
        for n in range(POSTS)
    )
    return f'<rss version="2.0"><channel><title>f</title>{entries}</channel></rss>'.encode()


def peak_mb(home: Path, now: str) -> tuple[float, float]:
    """Peak resident set (MB) of the main process and of its largest child."""
    command = [sys.executable, "-c", _MAIN, now]
    process = subprocess.Popen(command, cwd=home)
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for pid in [process.pid, *_children(process.pid)]:
            peaks[pid] = max(peaks.get(pid, 0.0), _peak(pid))
        time.sleep(0.01)
    assert process.returncode == 0
    return peaks.pop(process.pid), max(peaks.values(), default=0.0)


# config replaces arXiv's address by the server's, as the demo does; everything else is the command's own work.
_MAIN = """
import sys
from dataclasses import replace
from tracker import clock
from tracker.config import load
from tracker.run import Tracker
loaded = load("feeds.toml")
base = next(s.url for s in loaded.sources if s.kind == "feed").rpartition("/")[0]
sources = tuple(replace(s, url=f"{base}/api/query?search_query=all") if s.kind == "arxiv" else s for s in loaded.sources)
with Tracker(replace(loaded, sources=sources), "data/tracker.db", now=clock.parse(sys.argv[1])) as t:
    t.run()
"""


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    except OSError:
        return []


def _peak(pid: int) -> float:
    try:
        return next(
            int(line.split()[1]) / 1024 for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")
        )
    except (OSError, StopIteration):
        return 0.0


def main(count: int = 2_000) -> None:
    """Print the peaks of a first and of a quiet run."""
    with tempfile.TemporaryDirectory() as folder, server() as web:
        home, lines = Path(folder), [SETTINGS]
        path = "/api/query?search_query=all&id_list=&sortBy=lastUpdatedDate&sortOrder=descending&start=0&max_results=2000"
        web.serves(path, papers(count))
        for n in range(FEEDS):
            web.serves(f"/{n}.xml", posts(n), {"ETag": f'"{n}"'})
            lines.append(f'[feeds.f{n}]\nurl = "{web.url(f"/{n}.xml")}"\n')
        lines.append('[feeds.papers]\nkind = "arxiv"\nquery = "all"\nfirst = "4w"\n')
        (home / "feeds.toml").write_text("".join(lines))
        for name, now in (("first run", "2026-06-12T06:00:00Z"), ("nothing new", "2026-06-13T06:00:00Z")):
            main_mb, child_mb = peak_mb(home, now)
            (stored,) = sqlite3.connect(home / "data" / "tracker.db").execute("SELECT count(*) FROM item_topics").fetchone()
            (items,) = sqlite3.connect(home / "data" / "tracker.db").execute("SELECT count(*) FROM story_items").fetchone()
            print(f"{items:,} items in stories, {stored:,} tags;", end=" ")
            print(f"{name:12} main process {main_mb:5.0f} MB, parse worker {child_mb:5.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
