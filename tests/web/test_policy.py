"""What every answer says to the browser, what nobody can do, and readers beside a writer."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.web.window import get
from tracker import store
from tracker.web import MAX_VALUE_BYTES, front, policy, serve

PAGES = """/ /?topic=memory /tracker /tracker/items /tracker/latest.json /tracker/newest /tracker/search?text=a /-/versions /nothing
    /-/static-plugins/tracker/tracker.css /tracker/items.csv /tracker?sql=nonsense //other.example/""".split()


def test_every_answer_carries_the_policy(path: Path) -> None:
    for url, response in zip(PAGES, get(path, *PAGES), strict=True):
        assert response.headers["x-content-type-options"] == "nosniff", url
        assert response.headers["referrer-policy"] == "no-referrer", url
        assert response.headers["x-frame-options"] == "DENY", url
        rules = response.headers["content-security-policy"]
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
            assert rule in rules, url
        scripts = rules.partition("script-src")[2].partition(";")[0]
        assert "'self'" in scripts, url
        assert "unsafe" not in scripts, url
        assert len(response.headers.get_list("content-security-policy")) == 1


def test_our_pages_allow_nothing_inline_and_datasettes_scripts_are_allowed_by_hash(path: Path) -> None:
    ours, table = get(path, "/", "/tracker/items")
    assert ours.headers["content-security-policy"] == policy.STRICT
    allowed = table.headers["content-security-policy"]
    assert "unsafe" not in policy.STRICT
    scripts = re.findall(r"<script>(.*?)</script>", table.text, re.DOTALL)
    assert scripts
    for script in scripts:
        assert _hash(script) in allowed
    assert _hash("alert(1)") not in allowed


def _hash(script: str) -> str:

    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@pytest.mark.parametrize(
    "target", ["//other.example/", "/\\other.example/", "/%5Cother.example/", "/%5cother.example/", "/%2Fother.example/", "///x/", "//"]
)
def test_no_redirect_leads_to_another_host(path: Path, target: str) -> None:
    async def ask() -> dict[str, Any]:
        app, sent = serve.application(path).app(), list[Any]()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        from urllib.parse import unquote

        scope = {"type": "http", "method": "GET", "path": unquote(target), "raw_path": target.encode(), "query_string": b"", "headers": [],
                 "scheme": "http", "server": ("localhost", 80), "http_version": "1.1"}  # fmt: skip
        await app(scope, receive, send)
        start: dict[str, Any] = sent[0]
        return start

    start = asyncio.run(ask())
    assert start["status"] == 404
    assert not [value for name, value in start["headers"] if name.lower() == b"location"]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into topics(id, title, description) values ('x', 'x', 'x')",
        "delete from items",
        "pragma writable_schema = 1",
        "attach database '/tmp/x.db' as x",
        "select load_extension('x')",
        "select readfile('/etc/hostname')",
        "select writefile('/tmp/x', 'x')",
        "select 1; delete from items",
        f"select length(zeroblob({MAX_VALUE_BYTES * 2}))",
        "with x as (select 1) delete from items",
    ],
)
def test_nothing_can_be_written_or_read_elsewhere(path: Path, db: sqlite3.Connection, sql: str) -> None:
    version = db.execute("PRAGMA data_version").fetchone()[0]
    (response,) = get(path, f"/tracker.json?{urlencode({'sql': sql})}")
    assert response.status_code == 400, response.text[:300]
    assert db.execute("PRAGMA data_version").fetchone()[0] == version


@pytest.mark.parametrize("url", ["/", "/tracker", "/tracker/items", "/tracker/newest", "/tracker/items/1"])
def test_posting_changes_nothing(path: Path, db: sqlite3.Connection, url: str) -> None:
    async def post() -> Any:
        return await serve.application(path).client.post(url, data={"sql": "delete from items"})

    version = db.execute("PRAGMA data_version").fetchone()[0]
    assert asyncio.run(post()).status_code >= 400
    assert db.execute("PRAGMA data_version").fetchone()[0] == version


def test_an_endless_query_ends(path: Path) -> None:
    started = time.monotonic()
    endless = "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c"
    (response,) = get(path, f"/tracker.json?{urlencode({'sql': endless})}")
    assert response.status_code == 400
    assert time.monotonic() - started < 3  # the limit is one second; the rest is the start of Datasette


# -- beside a run -----------------------------------------------------------------------------------


def test_pages_during_a_write_show_the_state_before_it(path: Path, db: sqlite3.Connection) -> None:
    urls = ["/", "/?topic=memory", "/tracker", "/tracker/latest", "/tracker/newest", "/tracker/source_health"]
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("UPDATE items SET title = 'Half written'")
        responses = get(path, *urls)
    finally:
        db.execute("ROLLBACK")
    assert [response.status_code for response in responses] == [200] * len(urls)
    assert "Agents that remember" in responses[0].text
    assert not [response for response in responses if "Half written" in response.text]


def test_a_page_is_one_state_while_commits_go_on(path: Path, db: sqlite3.Connection) -> None:
    """Titles and the number of items change together; no page shows one without the other."""
    done = threading.Event()

    def write() -> None:
        writer = store.open(path, write=True)
        for n in range(10_000):
            if done.is_set():
                break
            with store.transaction(writer):
                writer.execute("UPDATE items SET title = ?", (f"State {n} of the archive",))
        writer.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        pages = get(path, *["/"] * 25)
    finally:
        done.set()
        thread.join()
    assert {page.status_code for page in pages} == {200}
    assert all(len(set(re.findall(r">(State \d+ of the archive)</a>", page.text))) <= 1 for page in pages)


def test_templates_never_switch_escaping_off() -> None:
    folder = Path(front.__file__).parent
    for file in [*folder.rglob("*.html"), *folder.rglob("*.py")]:
        assert not re.search(r"\|\s*safe|Markup\(|autoescape|innerHTML", file.read_text("utf-8")), file
