"""Kinds of source that other packages bring: registered by an entry point, known to feeds.toml, parsed in the worker like ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.servers import Server
from tracker import pollers
from tracker.config import load
from tracker.errors import ConfigError
from tracker.fetch import Fetcher
from tracker.poll import poll

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)
LINES = """
from tracker.pollers import Parsed, page_of
from tracker.types import Entry, Request

KEYS = {"mark": str}
ORIGIN = "community"

def poll(source, state, get, parse):
    response = get(Request(source.url, state.etag, state.last_modified))
    yield page_of(response, parse(response), None)

def read(body, source, url, charset):
    lines = body.decode().splitlines()
    return Parsed(tuple(Entry(line.removeprefix(source.options["mark"]), f"{url}#{line}") for line in lines))
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that registers the kind ``lines``, and tries to take the place of ``feed``."""
    site = tmp_path / "site"
    (site / "acme-1.0.dist-info").mkdir(parents=True)
    (site / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("[tracker.pollers]\nlines = acme_lines\nfeed = acme_lines\n")
    (site / "acme_lines.py").write_text(LINES)
    monkeypatch.syspath_prepend(str(site))
    pollers._registered.cache_clear()
    yield
    pollers._registered.cache_clear()


def feeds(tmp_path: Path, keys: str) -> Path:
    (tmp_path / "feeds.toml").write_text(f"[feeds.acme]\n{keys}\n", encoding="utf-8")
    return tmp_path / "feeds.toml"


def test_a_registered_kind_is_polled_like_ours(installed: None, db: sqlite3.Connection, web: Server, tmp_path: Path) -> None:
    web.serves("/list", b"* Agents that learn\n* Agents that forget")
    config = load(feeds(tmp_path, f'kind = "lines"\nurl = "{web.url("/list")}"\nmark = "* "'))
    with Fetcher(None) as fetcher:
        (result,) = poll(db, config, fetcher, now=NOW)
    assert (result.outcome, result.new) == ("new", 2), result.error
    assert {row[0] for row in db.execute("SELECT title FROM items")} == {"Agents that learn", "Agents that forget"}
    assert db.execute("SELECT kind, origin FROM sources").fetchone()[:] == ("lines", "community")


def test_its_keys_are_checked_like_ours(installed: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'unknown key "marc"; did you mean "mark"\?'):
        load(feeds(tmp_path, 'kind = "lines"\nurl = "https://acme.example/list"\nmarc = "* "'))


def test_nobody_takes_the_place_of_ours(installed: None, tmp_path: Path) -> None:
    assert pollers.kinds() == (*pollers.OURS, "lines")
    assert pollers.poller("feed").__name__ == "tracker.pollers.feed"  # type: ignore[attr-defined]


def test_a_kind_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='unknown kind "lines"'):
        load(feeds(tmp_path, 'kind = "lines"\nurl = "https://acme.example/list"'))
