"""Serving, and times in words."""

from __future__ import annotations

import re
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.window import NOW, PRESENT
from tracker.errors import StoreError, TrackerError
from tracker.store import schema
from tracker.web import serve
from tracker.web.words import day_name, moment, time_of, until


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [("none", "does not exist; `tracker run` makes it"), ("older", "run `tracker run` once"), ("foreign", "another program")],
)
def test_a_database_that_cannot_be_served_is_one_sentence(tmp_path: Path, prepare: str, sentence: str) -> None:
    file = tmp_path / "tracker.db"
    if prepare == "older":
        schema.migrate(file)
        with sqlite3.connect(file) as db:
            db.execute(f"PRAGMA user_version = {schema.VERSION - 1}")
    elif prepare == "foreign":
        with sqlite3.connect(file) as db:
            db.execute("CREATE TABLE birds(name)")
    with pytest.raises(StoreError, match=re.escape(sentence)) as caught:
        serve.serve(file, "127.0.0.1", 0)
    assert "\n" not in str(caught.value)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_is_one_sentence(path: Path, taken: int) -> None:
    with pytest.raises(TrackerError, match=f"cannot listen on 127.0.0.1 port {taken}: .*; choose another with --port"):
        serve.serve(path, "127.0.0.1", taken)
    with pytest.raises(TrackerError, match="choose one from 1 to 65535"):
        serve.serve(path, "127.0.0.1", 70_000)


def test_serve_says_where_and_answers(path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import httpx
    import uvicorn

    servers: list[uvicorn.Server] = []
    real = uvicorn.Server.__init__
    monkeypatch.setattr(uvicorn.Server, "__init__", lambda self, config: (real(self, config), servers.append(self))[0])
    thread = threading.Thread(target=serve.serve, args=(path, "127.0.0.1", 0))
    thread.start()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (servers and servers[0].started):
            time.sleep(0.02)
        line = capsys.readouterr().out
        address = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert address, line
        assert line.count("\n") == 1
        answer = httpx.get(address[0], trust_env=False)
    finally:
        for server in servers:
            server.should_exit = True
        thread.join(timeout=20)
    assert answer.status_code == 200
    assert "Agents that remember" in answer.text
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("stamp", "text"),
    [("2026-06-12T06:10:00Z", "today 06:10"), ("2026-06-11T23:59:00Z", "yesterday 23:59"), ("2026-06-01T00:00:00Z", "1 June 00:00"),
     ("2025-12-31T10:00:00Z", "31 December 2025 10:00"), ("nonsense", None), (None, None), ("", None)],
)  # fmt: skip
def test_moments_in_words(stamp: str | None, text: str | None) -> None:
    found = moment(stamp, PRESENT)
    assert (found.text if found else None) == text


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2026-06-12T07:00:00Z", "at the next run"),
        ("2026-06-12T08:20:00Z", "in 20 min"),
        ("2026-06-12T12:00:00Z", "in 4 h"),
        ("2026-06-15T09:00:00Z", "in 3 days"),
    ],
)
def test_times_to_come_in_words(stamp: str, text: str) -> None:
    found = until(stamp, PRESENT)
    assert found is not None
    assert found.text == text


def test_days_and_times_of_a_list() -> None:
    assert day_name(20260612, PRESENT)["label"] == "Today"
    assert day_name(20260603, PRESENT)["label"] == "Wednesday 3 June"
    assert day_name(20241231, PRESENT)["label"] == "Tuesday 31 December 2024"
    assert day_name(20269999, PRESENT)["label"] == "Undated"
    short = [time_of(stamp, NOW, 20260612) for stamp in ("2026-06-12T05:12:00Z", "2026-06-09T10:00:00Z", "2025-06-09T10:00:00Z", None)]
    assert [at.text if at else "" for at in short] == ["05:12", "9 Jun", "9 Jun 2025", "no date"]
    assert time_of("2026-06-12T00:00:00Z", NOW, 20260612) is None
    raws = ("2099-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "soon")
    assert [moment.text for raw in raws if (moment := time_of(None, NOW, 20260612, raw))] == ["dated in the future", "no date", "no date"]
