"""What 500 new papers cost by tagging, and by refitting as arxiv-sanity-lite does: python -m benchmarks.refit TEXTS [PAPERS]

TEXTS is a folder of papers-*.jsonl.gz (80,000 papers of it are used). Goal: at most 0.005 of the CPU of refitting.
The other recipe is that of compute.py and serve.py of karpathy/arxiv-sanity-lite: TF-IDF of all papers anew (20,000 words and word pairs,
English stop words, sublinear, in 5 papers at least and half of them at most; title, abstract and authors), then a balanced linear SVM a
tag with C = 0.01 over all papers, which ranks them. A tag's papers are those whose title one of our rules finds; finding them is not counted.
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.tagging import NEW, SOURCE, measured
from tracker import config, store
from tracker.store import items, sources, transaction
from tracker.taggers.topics import TopicTagger
from tracker.types import Entry, Item

PAPERS = 80_000


def papers(texts: Path, count: int) -> list[dict[str, Any]]:
    """The newest papers of a corpus, oldest first."""
    files = sorted(texts.glob("papers-*.jsonl.gz"), reverse=True)
    found = list(islice(chain.from_iterable(_lines(path) for path in files), count))
    if len(found) < count:
        raise SystemExit(f"{texts} has {len(found)} papers, {count} are needed")
    return found[::-1]


def _lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def tagged(found: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The papers of each tag: by rules, from titles alone."""
    tagger = TopicTagger(config.load(config.shipped_file()).topics, None)
    rows: dict[str, list[int]] = {}
    for row, tags in enumerate(tagger.tag([Item(n, f"arxiv:{n}", "", None, paper["title"]) for n, paper in enumerate(found)])):
        for tag in tags:
            rows.setdefault(tag.topic, []).append(row)
    return rows


def refit(found: list[dict[str, Any]], tags: dict[str, list[int]]) -> tuple[float, float]:
    """CPU seconds for the features of all papers, and for one model a tag with the scores of all papers."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    texts = [" ".join([paper["title"], paper["abstract"] or "", " ".join(paper.get("authors") or ())]) for paper in found]
    began = time.process_time()
    vectoriser = TfidfVectorizer(
        strip_accents="unicode", stop_words="english", token_pattern=r"(?u)\b[a-zA-Z_][a-zA-Z0-9_]+\b", ngram_range=(1, 2),
        max_features=20_000, sublinear_tf=True, max_df=0.5, min_df=5,
    )  # fmt: skip
    vectoriser.fit(texts)
    matrix = vectoriser.transform(texts).astype(np.float32)
    counted = time.process_time()
    for rows in tags.values():
        truth = np.zeros(len(texts), np.float32)
        truth[rows] = 1
        svm = LinearSVC(class_weight="balanced", max_iter=10_000, tol=1e-6, C=0.01).fit(matrix, truth)
        np.argsort(-svm.decision_function(matrix))
    return counted - began, time.process_time() - counted


def tagging(found: list[dict[str, Any]]) -> dict[str, float]:
    """What tagging the newest papers costs, in a process of its own."""
    settings = config.load(config.shipped_file())
    new = [
        Entry(
            paper["title"],
            f"https://arxiv.org/abs/{paper['id']}",
            text=paper["abstract"] or "",
            published_at=f"{paper['listed']}T00:00:00Z",
        )
        for paper in found[-NEW:]
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tracker.db"
        db = store.open(path, write=True)
        with transaction(db):
            sources.sync(db, [SOURCE], "2026-01-01T00:00:00Z")
            sources.sync_registry(db, settings.topics, settings.labs, "2026-01-01T00:00:00Z")
            items.save(db, SOURCE, new, now="2026-06-01T00:00:00Z", first=True, old_before=None)
        db.close()
        return measured(path)


def main(texts: str, count: int = PAPERS) -> None:
    """Print both and their ratio."""
    found = papers(Path(texts), count)
    ours = tagging(found)
    tags = tagged(found)
    features, models = refit(found, tags)
    cost = ours["load"] + ours["tag"]
    print(f"ours: {NEW} new papers tagged in {ours['tag'] * 1000:.0f} ms CPU, after {ours['load'] * 1000:.0f} ms of loading")
    print(f"refitting at {count:,} papers: features {features:.1f} s CPU, {len(tags)} tags {models:.1f} s")
    print(f"ratio {cost / (features + models):.4f} (goal: at most 0.005)")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], *map(int, sys.argv[2:3]))
