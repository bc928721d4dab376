"""The demo: seven days of the walk, offline, over the bundled sample week.

in   defaults/sample: feeds.toml and one document a source, each with the whole week in it, newest first
out  a database of its own, made afresh; its digests as .eml files in ``demo-digests`` beside it
A server on loopback, which this file starts and stops, answers as the sources would have at the virtual instant: what was published or
changed by then, of an entry that stands twice the newest form, with an ETag. The walk is the real one; only the addresses are replaced,
and the database names the real ones again in the end.
knows no stage, and nothing outside loopback. Surprising: the week is made in a temporary folder and copied into place as one
transaction, so whoever has the old demo open sees the old week or the new one, and a killed demo leaves nothing half made.
The mark of a demo database: ``version`` of every run ends in ``+demo``. A file without it is never touched.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from tracker.clock import iso
from tracker.config import DEFAULTS, Config, load, shipped_feeds
from tracker.errors import StoreError
from tracker.run import Summary, Tracker
from tracker.store import connect, sources, transaction
from tracker.types import Source

__all__ = ["DAYS", "MARK", "NOW", "DemoResult", "as_of", "config", "is_demo", "run"]

SAMPLE = DEFAULTS / "sample"
MARK = "+demo"
DAYS = tuple(datetime(2026, 6, 8, 20, tzinfo=UTC) + timedelta(days=day) for day in range(7))  # when the week is run, Monday to Sunday
NOW = DAYS[-1]  # the present of a demo database
FAILURES: Mapping[tuple[str, str], int] = {("techmeme", "2026-06-11"): 404, ("claude-blog", "2026-06-14"): 404}  # (source, day): status

_NAMING = (("polls", "error"), ("sources", "last_error"), ("runs", "summary"))  # where an address of the server can stand
_TYPES = {".xml": "application/rss+xml", ".atom": "application/atom+xml", ".html": "text/html"}
_ENTRY = re.compile(r"[ \t]*<(item|entry|article)[ >].*?</\1>\n?", re.DOTALL)
_CHANGED = re.compile(r"<(?:pubDate|published|updated|atom:updated)>([^<]+)<|<time datetime=\"([^\"]+)\"")
_NAME = re.compile(r"<(?:guid|id)[^>]*>([^<]+?)(?:v\d+)?<|href=\"([^\"]+)\"")
_TOTAL = re.compile(r"(?<=<opensearch:totalResults>)\d+")


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the week came to. ``summary`` is the last day's; ``last_digest`` the newest mail, None if none was written."""

    summary: Summary
    items: int
    stories: int
    digests: int
    last_digest: Path | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the numbers, for ``--json``."""
        facts = {"items": self.items, "stories": self.stories, "digests": self.digests}
        return {**facts, "last_digest": str(self.last_digest) if self.last_digest else None, "last_run": self.summary.as_dict()}


def config() -> Config:
    """Return the configuration of the sample week, with the standing questions that ship."""
    with TemporaryDirectory(prefix="tracker-demo-") as folder:
        shipped = Path(folder) / "feeds.toml"
        shipped.write_text(shipped_feeds(), encoding="utf-8")
        return replace(load(SAMPLE / "feeds.toml"), watches=load(shipped).watches)


def is_demo(path: Path) -> bool:
    """Whether the file is a database that only ``run`` has ever written."""
    if not path.is_file():
        return False
    try:
        with closing(connect(path)) as db:
            foreign, ours = db.execute("SELECT count(*) FILTER (WHERE version NOT LIKE ?1), count(*) FROM runs", (f"%{MARK}",)).fetchone()
    except (sqlite3.Error, StoreError):
        return False
    return bool(ours and not foreign)


def run(db: Path, told: Callable[[Any], None] | None = None) -> DemoResult:
    """Walk the sample week into ``db``; ``told`` hears of every result as it comes.

    Raises:
        StoreError: ``db`` is there and is no demo database, or cannot be written.
    """
    if db.exists() and db.stat().st_size and not is_demo(db):
        raise StoreError(f"{db} is not a demo database, so it is left as it is; move it away and start the demo again")
    real = config()
    with TemporaryDirectory(prefix="tracker-demo-") as folder:
        made, mails = Path(folder) / db.name, Path(folder) / "demo-digests"
        with _web(real) as web, _direct():
            summary = _week(_on_loopback(real, web.root, mails), web, made, told)
        _finish(made, real, web.root)
        written = _place(made, mails, db)
    with closing(connect(db)) as done:
        items, stories = (done.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("items", "stories"))  # noqa: S608
    return DemoResult(_real(summary, real, web.root), items, stories, len(written), written[-1] if written else None)


# -- the documents (pure) ---------------------------------------------------------------------------


def as_of(document: str, now: datetime) -> str:
    """Return a document of the sample as it stood at an instant."""
    shown: set[str] = set()

    def keep(entry: re.Match[str]) -> str:
        name = _first(_NAME, entry[0])
        if name in shown or _changed(entry[0]) > now:
            return ""
        shown.add(name)
        return entry[0]

    left = _ENTRY.sub(keep, document)
    return _TOTAL.sub(str(len(shown)), left)


def _changed(entry: str) -> datetime:
    return max(_instant(found[1] or found[2]) for found in _CHANGED.finditer(entry))


def _instant(written: str) -> datetime:
    if written[:4].isdigit():
        moment = datetime.fromisoformat(written)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return parsedate_to_datetime(written)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return next(filter(None, found.groups()), "") if found else ""


# -- the server -------------------------------------------------------------------------------------


class _Web(ThreadingMixIn, TCPServer):
    """The sample week on a free port of loopback, at ``now``. No ``HTTPServer``: that one asks the name service for our own name."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, documents: Mapping[str, Path]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.documents, self.now = documents, DAYS[0]

    @property
    def root(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    """One GET. Every other method is refused by the base class."""

    server: _Web

    def do_GET(self) -> None:
        file = self.server.documents.get(urlsplit(self.path).path)
        status = FAILURES.get((file.stem, iso(self.server.now)[:10]), 200) if file else 404
        if not file or status != 200:
            self.send_error(status)
            return
        body = as_of(file.read_text(encoding="utf-8"), self.server.now).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        known = self.headers.get("If-None-Match") == etag
        self.send_response(304 if known else 200)
        self.send_header("ETag", etag)
        if not known:
            self.send_header("Content-Type", f"{_TYPES[file.suffix]}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not known:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
        """Say nothing: the walk tells."""


@contextmanager
def _web(real: Config) -> Iterator[_Web]:
    """Serve the documents of the sources while the block lasts."""
    files = {file.stem: file for file in SAMPLE.iterdir() if file.suffix in _TYPES}
    with _Web({_path(source): files[source.id] for source in real.sources}) as web:
        thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            web.shutdown()
            thread.join()


def _path(source: Source) -> str:
    """Where the server has a source: arXiv's where arXiv has it, the others by their id and the path of the real address."""
    return urlsplit(source.url).path if source.kind == "arxiv" else f"/{source.id}{urlsplit(source.url).path}"


@contextmanager
def _direct() -> Iterator[None]:
    """Keep a proxy of this machine out of the way while the block lasts: loopback is asked directly."""
    names = ("no_proxy", "NO_PROXY")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


# -- the week ---------------------------------------------------------------------------------------


def _on_loopback(real: Config, root: str, mails: Path) -> Config:
    """The configuration with our server in place of every host, and our folder in place of every recipient."""
    asked = tuple(
        replace(source, url=f"{root}{_path(source)}{_query(source)}", options={**source.options, **_links(source)})
        for source in real.sources
    )
    return replace(real, sources=asked, digests=tuple(replace(plan, folder=str(mails)) for plan in real.digests))


def _query(source: Source) -> str:
    query = urlsplit(source.url).query
    return f"?{query}" if query else ""


def _links(source: Source) -> dict[str, object]:
    """Which links of a listing are articles: those of the real host, which the page no longer comes from."""
    host = "://".join(urlsplit(source.url)[:2])
    words = str(source.options.get("links", "")).split()
    return {"links": " ".join(f"{host}{word}" if word.startswith("/") else word for word in words)} if words else {}


def _week(asked: Config, web: _Web, made: Path, told: Callable[[Any], None] | None) -> Summary:
    for day in DAYS:
        web.now = day
        with Tracker(asked, made, now=day) as tracker:
            summary = tracker.run(told)
    return summary


def _finish(made: Path, real: Config, root: str) -> None:
    """Mark the database, and let it name the real addresses: the port of a server that is gone helps nobody."""
    with closing(connect(made, write=True)) as db, transaction(db):
        db.execute("UPDATE runs SET version = version || ?, host = 'demo', pid = 0", (MARK,))
        for source in real.sources:
            places = (f"{root}{_path(source)}", _address(source))
            for table, column in _NAMING:
                db.execute(f"UPDATE {table} SET {column} = replace({column}, ?1, ?2) WHERE instr({column}, ?1)", places)  # noqa: S608
        db.execute("UPDATE polls SET seconds = 0")  # so that two demos are the same, byte for byte
        sources.sync(db, real.sources, iso(NOW))


def _real(summary: Summary, real: Config, root: str) -> Summary:
    """The summary with the real addresses in what failed."""
    places = {source.id: (f"{root}{_path(source)}", _address(source)) for source in real.sources}
    return replace(summary, polls=tuple(p if p.ok else replace(p, error=str(p.error).replace(*places[p.source])) for p in summary.polls))


def _address(source: Source) -> str:
    return source.url.partition("?")[0]


def _place(made: Path, mails: Path, db: Path) -> list[Path]:
    """Put the week where it belongs, the database as one transaction; return the mails, oldest first."""
    folder = db.parent / "demo-digests"
    try:
        db.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(made)) as source, closing(sqlite3.connect(db, timeout=30)) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode = WAL")
        for old in folder.glob("*.eml"):
            old.unlink()
        if mails.exists():
            shutil.copytree(mails, folder, dirs_exist_ok=True)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{db} cannot be written: {error}") from None
    return sorted(folder.glob("*.eml"))
