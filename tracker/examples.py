"""Texts that people have read, with the topics they gave them: label files and the texts they speak of.

in   labels.csv (id, labels) with a folder of papers-*.jsonl.gz (id, listed, title, abstract); news.csv (topics, title, summary, date)
out  ``Example``s
refuses to know models and the database.
Surprising: ``judged`` is False for labels that are learned from and nothing more. Those that were picked because a model was unsure
would make any figure, and any threshold, a figure of unsure items.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tracker.errors import ModelError
from tracker.urls import link_key

__all__ = ["Example", "read_labels", "rows_of", "texts_in"]


@dataclass(frozen=True, slots=True, order=True)
class Example:
    """A text and its topics. ``kind`` is "paper" or "news", ``month`` is YYYY-MM, ``day`` YYYY-MM-DD or ""; ``key`` as items have it."""

    kind: str
    key: str
    title: str
    body: str
    day: str
    topics: frozenset[str]
    judged: bool = True

    @property
    def month(self) -> str:
        return self.day[:7]


def read_labels(path: Path, texts: Path | None = None, *, judged: bool = True) -> list[Example]:
    """Return the examples of one label file, of papers or of news as its columns say; of several rows on one thing the last counts.

    Topics are separated by ``;`` or spaces.

    Args:
        texts: a folder of papers-*.jsonl.gz; news carries its texts itself.
        judged: figures and thresholds are made from these.

    Raises:
        ModelError: a file cannot be read, has other columns, or no text was found for any label.
    """
    rows = rows_of(path)
    if {"topics", "title", "summary"} <= rows[0].keys():
        found = _news(rows)
    elif {"id", "labels"} <= rows[0].keys():
        found = _papers(path, rows, texts)
    else:
        raise ModelError(f"{path}: needs the columns id and labels (papers) or topics, title and summary (news)")
    last = {(example.key, example.title): example for example in found}  # a page of release notes is many rows
    return [replace(example, judged=judged) for example in last.values()]


def _papers(path: Path, rows: list[dict[str, str]], texts: Path | None) -> list[Example]:
    if texts is None:
        raise ModelError(f"{path}: names papers by id, so the folder of their texts is needed (papers-*.jsonl.gz)")
    labels = {row["id"].strip(): _topics(row["labels"]) for row in rows}
    found = {paper["id"]: paper for paper in texts_in(texts) if paper.get("id") in labels}
    if not found:
        raise ModelError(f"{texts}: has no text for any id in {path.name}; expected papers-*.jsonl.gz")
    return [
        Example("paper", f"arxiv:{key}", paper.get("title") or "", paper.get("abstract") or "", _day(paper.get("listed")), labels[key])
        for key, paper in sorted(found.items())
    ]


def _news(rows: list[dict[str, str]]) -> list[Example]:
    return [
        Example(
            "news", link_key(row.get("url", "")) or f"title:{row['title']}", row["title"], row["summary"], _day(row.get("date")), topics
        )
        for row in rows
        for topics in [_topics(row["topics"])]
    ]


def _day(text: object) -> str:
    """Return YYYY-MM-DD, or "" for what is no day."""
    day = str(text or "")[:10]
    return day if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else ""


def _topics(text: str) -> frozenset[str]:
    return frozenset(filter(None, re.split(r"[;\s]+", text or "")))


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a label file, whatever its columns; an absent value is "".

    Raises:
        ModelError: it cannot be read as CSV in UTF-8, or has no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ModelError(f"{path}: is no text in UTF-8; save it as CSV") from None
    except csv.Error as error:
        raise ModelError(f"{path}: is no CSV ({error})") from None
    if not rows:
        raise ModelError(f"{path}: has no rows")
    return [{key: value or "" for key, value in row.items() if key} for row in rows]


def texts_in(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the papers of papers-*.jsonl.gz: ``id``, ``title``, ``abstract`` and ``listed`` are text or absent, all else is as it is."""
    for path in sorted(folder.glob("papers-*.jsonl.gz")):
        number = 0
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    number += 1
                    if line.strip():
                        yield _paper(json.loads(line))
        except (OSError, EOFError, ValueError) as error:
            raise ModelError(f"{path}, line {number}: cannot be read ({error})") from None


def _paper(line: object) -> dict[str, Any]:
    if not isinstance(line, dict):
        raise ValueError("not an object")
    for name in ("id", "title", "abstract", "listed"):
        if not isinstance(line.get(name), str | None):
            raise ValueError(f'"{name}" is not text')
    return line
