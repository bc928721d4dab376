"""Labels on labs and signals: what label files say, each row beside the item that the product would have of it.

in   papers.csv (id, labs; also complete, tier) · posts.csv (title, summary; url, by, about, mention, origin, act, unconfirmed);
     texts of papers from papers-*.jsonl.gz or the database; the sources and labs of a configuration
out  ``Row``s: what people say, and an ``Item`` as the pollers make it
refuses to know taggers, figures and the network.
Surprising: a post is declared by its source, and label files name sources that nobody follows. Whose and of what origin a post is, the
configuration says where it has that source; else the file's own ``origin`` stands in for what the source would declare, and is counted.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tracker import text, urls
from tracker.config import Config
from tracker.errors import ModelError
from tracker.examples import rows_of, texts_in
from tracker.store import stored
from tracker.types import ORIGINS, Item, Source

__all__ = ["RELATIONS", "SIGNS", "SUBJECTS", "Labelled", "Row", "as_arxiv", "labelled"]

RELATIONS = ("by", "about", "mention")
SIGNS = ("origin", "act", "unconfirmed")
# What a file must have to be judged on a subject.
SUBJECTS = {
    "labs": "the columns id and labs (papers) or title, summary and by (posts)",
    "about": "the columns title, summary, about and mention",
    "signals": "the columns title, summary and one or more of origin, act and unconfirmed",
}
_NO = frozenset({"", "0", "no", "false"})


@dataclass(frozen=True, slots=True)
class Row:
    """A thing that people have judged. ``labs`` and ``signs`` hold what they say, of what the file asks for; ids may be unknown ones."""

    id: str
    kind: str  # paper, post
    item: Item
    labs: Mapping[str, frozenset[str]]
    signs: Mapping[str, str]
    day: str = ""  # YYYY-MM-DD
    complete: bool = True  # False: more labs may be true
    tier: str = ""  # how far the label is to be trusted, as the file has it
    declared: str = ""  # of a post, who said of what origin its source is: configuration, file, nobody
    has_text: bool = True


@dataclass(frozen=True, slots=True)
class Labelled:
    """What label files hold: rows, and per file what was found of it."""

    rows: tuple[Row, ...]
    files: tuple[dict[str, Any], ...]


def labelled(
    paths: Sequence[Path],
    subject: str,
    config: Config,
    texts: Path | None = None,
    db: sqlite3.Connection | None = None,
    *,
    bare: bool = False,
) -> Labelled:
    """Return the rows of label files on one of ``SUBJECTS``; of several rows on one thing the last counts.

    Args:
        texts: a folder of papers-*.jsonl.gz; without it, papers are those of the database.
        bare: papers of which no text is found are rows as well, since their author blocks are to be read.

    Raises:
        ModelError: a file cannot be read, does not fit the subject, or has papers and no text was found for any.
    """
    found: dict[tuple[str, str], Row] = {}
    files = []
    for path in paths:
        rows = rows_of(path)
        papers = _is_of_papers(path, rows[0].keys(), subject)
        things = _papers(path, rows, texts, db) if papers else _posts(rows, config)
        kept = [row for row in things if row.has_text or bare]
        if not kept:
            where = f"in {texts}" if texts else "in the database"
            raise ModelError(f"{path}: no paper of it is {where}; name a folder of papers-*.jsonl.gz with --texts, or --read their pages")
        files.append(
            {
                "file": path.name,
                "kind": kept[0].kind,
                "rows": len(rows),
                "judged": len(kept),
                "without_text": sum(not row.has_text for row in things),
                "with_block": sum(bool(row.item.block) for row in things),
            }
        )
        found |= {(row.item.key, "" if row.kind == "paper" else row.item.title): row for row in kept}
    return Labelled(tuple(found.values()), tuple(files))


def _is_of_papers(path: Path, columns: Iterable[str], subject: str) -> bool:
    """Whether a file is of papers; raise where it is not of the subject."""
    has = set(columns)
    if subject == "labs" and {"id", "labs"} <= has:
        return True
    post = {"title", "summary"} <= has
    if post and {"labs": "by" in has, "about": {"about", "mention"} <= has, "signals": bool(has & set(SIGNS))}[subject]:
        return False
    raise ModelError(f"{path}: does not fit `tracker evaluate {subject}`, which needs {SUBJECTS[subject]}")


def _set(cell: str) -> frozenset[str]:
    return frozenset(filter(None, re.split(r"[;\s]+", cell)))


def _day(value: object) -> str:
    """Return YYYY-MM-DD, or "" for what is no day of the calendar."""
    day = str(value or "")[:10]
    try:
        return day if date.fromisoformat(day).isoformat() == day else ""
    except ValueError:
        return ""


# -- papers -----------------------------------------------------------------------------------------


def _papers(path: Path, rows: Sequence[Mapping[str, str]], texts: Path | None, db: sqlite3.Connection | None) -> list[Row]:
    by_key = {_key(row["id"].strip()): row for row in rows}
    items = _from_files(texts, by_key) if texts else _from_db(db, by_key)
    return [_paper(key, row, *items.get(key, (None, ""))) for key, row in by_key.items()]


def _key(identifier: str) -> str:
    return urls.own_key(f"arxiv:{identifier}") or urls.own_key(identifier) or f"arxiv:{identifier}"


def _paper(key: str, row: Mapping[str, str], item: Item | None, day: str) -> Row:
    bare = Item(0, key, "labels", f"https://arxiv.org/abs/{key.removeprefix('arxiv:')}", "", origin="paper")
    complete = row.get("complete", "1").strip().lower() not in _NO - {""}
    labs = {"by": _set(row["labs"])}
    return Row(row["id"].strip(), "paper", item or bare, labs, {}, day, complete, row.get("tier", ""), has_text=item is not None)


def _from_files(folder: Path | None, keys: Mapping[str, object]) -> dict[str, tuple[Item, str]]:
    papers = ((_key(paper["id"]), paper) for paper in texts_in(folder) if paper.get("id")) if folder else ()
    return {key: (as_arxiv(key, paper), _day(paper.get("listed"))) for key, paper in papers if key in keys}


def as_arxiv(key: str, paper: Mapping[str, Any]) -> Item:
    """Return the item that the arXiv poller makes of a paper, of what is there: title, abstract, authors, comment, affiliations, links."""
    abstract, comment = paper.get("abstract") or "", paper.get("comment")
    links = urls.keys_in(f"{abstract} {comment if isinstance(comment, str) else ''}") | set(map(urls.link_key, _texts(paper.get("links"))))
    return Item(
        0,
        key,
        "labels",
        f"https://arxiv.org/abs/{key.removeprefix('arxiv:')}",
        text.one_line(paper.get("title") or ""),
        text.paragraph(abstract),
        tuple(text.one_line(name, 200).replace(";", ",") for name in _texts(paper.get("authors"))),
        origin="paper",
        affiliations=tuple(text.one_line(name, 200) for name in _texts(paper.get("affiliations"))),
        links=tuple(sorted(link for link in links if link and link != key)),
    )


def _texts(value: object) -> list[str]:
    return [one for one in value[:3_000] if isinstance(one, str)] if isinstance(value, list) else []


def _from_db(db: sqlite3.Connection | None, keys: Mapping[str, object]) -> dict[str, tuple[Item, str]]:
    if db is None:
        return {}
    return {item.key: (item, (item.published_at or item.first_seen_at)[:10]) for item in stored.by_keys(db, keys)}


# -- posts ------------------------------------------------------------------------------------------


def _posts(rows: Sequence[Mapping[str, str]], config: Config) -> list[Row]:
    sources = {source.url: source for source in config.sources} | {source.id: source for source in config.sources}
    return [_post(row, sources) for row in rows]


def _post(row: Mapping[str, str], sources: Mapping[str, Source]) -> Row:
    url = row.get("url") or None
    source = sources.get(row.get("source_url", "")) or sources.get(row.get("feed", ""))
    told = row.get("origin", "") if row.get("origin") in ORIGINS else ""
    title = text.one_line(row["title"])
    item = Item(
        0,
        (urls.link_key(url) if url else None) or f"title:{title}",
        source.id if source else "labels",
        url,
        title,
        text.plain(row["summary"]),
        origin=source.origin if source else told or "press",
        lab=source.lab if source else None,
    )
    labs = {relation: _set(row[relation]) for relation in RELATIONS if relation in row}
    signs = {name: row[name].strip() for name in SIGNS if name in row}
    if "unconfirmed" in signs:
        signs["unconfirmed"] = "no" if signs["unconfirmed"].lower() in _NO else "yes"
    declared = "configuration" if source else "file" if told else "nobody"
    return Row(row.get("id", "") or item.key, "post", item, labs, signs, _day(row.get("date")), declared=declared)
