"""What all tests share: no socket beyond loopback, a clean environment, a database, a web of our own."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tracker import store
from tracker.fetch import Fetcher

NOW = "2026-06-12T06:00:00Z"
_LOOPBACK = ("127.", "localhost", "::1", "0.0.0.0")


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches out is a defect: connecting beyond loopback raises."""
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else str(address)
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(host).startswith(_LOOPBACK):
            raise AssertionError(f"a test tried to reach {host}")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)


@pytest.fixture(autouse=True)
def clean_environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies and a pretended present come from a test, never from the machine."""
    for name in (
        "TRACKER_NOW",
        "TRACKER_ARXIV_DELAY_S",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An empty database of this release, open for writing: data/tracker.db under tmp_path."""
    connection = store.open(tmp_path / "data" / "tracker.db", write=True)
    yield connection
    connection.close()


@pytest.fixture
def web() -> Iterator[servers.Server]:
    """A web server on loopback that serves, and misbehaves, as told."""
    with servers.server() as running:
        yield running


@pytest.fixture
def slept() -> list[float]:
    """The pauses that ``fetcher`` would have made."""
    return []


@pytest.fixture
def fetcher(slept: list[float]) -> Iterator[Fetcher]:
    """The client, with little patience, whose pauses are noted and not made."""
    with Fetcher("you@example.org", deadline_s=5, sleep=slept.append) as made:
        yield made
