"""The demo: it needs nothing but loopback, says what it is, and touches only what is its own."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tracker import config, demo, store
from tracker.errors import StoreError
from tracker.store import runs, transaction


@dataclass(frozen=True)
class Walked:
    """A demo that was run, whom it spoke to, and what it told."""

    db: Path
    result: demo.DemoResult
    hosts: frozenset[str]
    told: tuple[object, ...]


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    """A demo in a folder of its own, on a machine whose proxy leads nowhere."""
    hosts, told = set[str](), list[object]()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def watched(self: socket.socket, address: Any) -> None:
        hosts.add(str(address[0]))
        connect(self, address)

    def asked(host: Any, *rest: Any, **more: Any) -> Any:
        hosts.add(str(host))
        return look_up(host, *rest, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", watched)
        patch.setattr(socket, "getaddrinfo", asked)
        patch.setenv("HTTP_PROXY", "http://proxy.invalid:9")
        patch.setenv("no_proxy", "kept.example")
        db = tmp_path_factory.mktemp("demo") / "data" / "demo.db"
        yield Walked(db, demo.run(db, told.append), frozenset(hosts), tuple(told))


def rows(path: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def content(path: Path) -> str:
    """Everything a database says, as text, but for when its schema was made."""
    with closing(sqlite3.connect(path)) as db:
        return "\n".join(line for line in db.iterdump() if "_sqlite_migrations" not in line)


# -- what it makes ----------------------------------------------------------------------------------


def test_it_counts_what_it_made(walked: Walked) -> None:
    assert (walked.result.items,) == rows(walked.db, "SELECT count(*) FROM items")[0]
    assert (walked.result.stories,) == rows(walked.db, "SELECT count(*) FROM stories")[0]
    assert 60 <= walked.result.items <= 80
    assert walked.result.stories < walked.result.items
    assert len(walked.result.summary.polls) == len(demo.config().sources)
    assert walked.result.as_dict()["items"] == walked.result.items


def test_every_digest_is_a_mail_beside_the_database(walked: Walked) -> None:
    mails = sorted((walked.db.parent / "demo-digests").glob("*.eml"))
    assert walked.result.digests == len(mails) == rows(walked.db, "SELECT count(*) FROM digests WHERE status = 'sent'")[0][0] >= 6
    assert walked.result.last_digest == mails[-1]
    assert mails[-1].name.startswith("2026-06-14")


def test_it_tells_of_every_poll_as_it_comes(walked: Walked) -> None:
    asked = [result for result in walked.told if hasattr(result, "outcome")]
    assert len(asked) == 7 * len(demo.config().sources)


def test_every_run_bears_the_mark(walked: Walked) -> None:
    versions = [version for (version,) in rows(walked.db, "SELECT version FROM runs")]
    assert len(versions) == 7
    assert all(version.endswith(demo.MARK) for version in versions)
    assert demo.is_demo(walked.db)


def test_it_speaks_to_loopback_only_and_past_the_proxy(walked: Walked) -> None:
    assert walked.hosts == {"127.0.0.1"}


def test_the_database_and_the_mails_name_the_real_addresses(walked: Walked) -> None:
    mails = "".join(mail.read_text() for mail in (walked.db.parent / "demo-digests").iterdir())
    assert "127.0.0.1" not in f"{content(walked.db)} {mails} {walked.result}"
    assert dict(rows(walked.db, "SELECT id, url FROM sources")) == {source.id: source.url for source in demo.config().sources}


def test_it_writes_nothing_else(walked: Walked) -> None:
    assert {path.name for path in walked.db.parent.iterdir()} <= {"demo.db", "demo.db-wal", "demo.db-shm", "demo-digests"}


def test_twice_gives_the_same_week_and_no_mail_of_before(walked: Walked) -> None:
    before, mails = content(walked.db), {path.name: path.read_bytes() for path in (walked.db.parent / "demo-digests").iterdir()}
    (walked.db.parent / "demo-digests" / "2026-06-01-old.eml").touch()
    again = demo.run(walked.db)
    assert (again.items, again.stories, again.digests) == (walked.result.items, walked.result.stories, walked.result.digests)
    assert content(walked.db) == before
    assert {path.name: path.read_bytes() for path in (walked.db.parent / "demo-digests").iterdir()} == mails


def test_whoever_has_the_old_week_open_reads_on(walked: Walked) -> None:
    with closing(store.open(walked.db)) as reader:
        reader.execute("BEGIN")
        count = reader.execute("SELECT count(*) FROM items").fetchone()[0]
        demo.run(walked.db)
        assert reader.execute("SELECT count(*) FROM items").fetchone()[0] == count
        reader.execute("COMMIT")
        assert reader.execute("SELECT count(*) FROM items").fetchone()[0] == count
        assert reader.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_the_proxy_of_the_machine_is_as_it_was(walked: Walked) -> None:
    assert os.environ["no_proxy"] == "kept.example"


# -- what it refuses --------------------------------------------------------------------------------


def real_database(path: Path) -> None:
    with closing(store.open(path, write=True)) as db, transaction(db):
        runs.start(db, "2026-06-12T06:00:00Z", "0.1.0")


def lived_in_demo(path: Path) -> None:
    with closing(store.open(path, write=True)) as db, transaction(db):
        runs.start(db, "2026-06-12T06:00:00Z", f"0.1.0{demo.MARK}")
        runs.start(db, "2026-06-15T06:00:00Z", "0.1.0")


def other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE runs(version TEXT)")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(real_database, id="a tracker's own database"),
        pytest.param(lived_in_demo, id="a demo database in which a real run has worked"),
        pytest.param(lambda path: store.open(path, write=True).close(), id="a database without a run"),
        pytest.param(other_program, id="a database of another program"),
        pytest.param(lambda path: path.write_text("shopping list"), id="a text"),
        pytest.param(lambda path: path.mkdir(), id="a folder"),
    ],
)
def test_what_is_not_a_demo_database_is_refused_and_left_as_it_is(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StoreError, match=r"demo\.db is not a demo database, so it is left as it is; move it away and start the demo again"):
        demo.run(path)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not (tmp_path / "demo-digests").exists()


# -- the documents ----------------------------------------------------------------------------------


def day(number: int, hour: int = 20) -> datetime:
    return datetime(2026, 6, number, hour, tzinfo=UTC)


FEED = """<rss><channel>
<item><guid>b</guid><pubDate>Thu, 11 Jun 2026 08:00:00 GMT</pubDate><atom:updated>2026-06-12T10:00:00Z</atom:updated>new form</item>
<item><guid>b</guid><pubDate>Thu, 11 Jun 2026 08:00:00 GMT</pubDate>old form</item>
<item><guid>a</guid><pubDate>Mon, 08 Jun 2026 08:00:00 GMT</pubDate>first</item>
</channel></rss>"""
ATOM = """<feed><opensearch:totalResults>0</opensearch:totalResults>
<entry><id>http://arxiv.org/abs/2606.00002v2</id><updated>2026-06-12T09:00:00Z</updated><published>2026-06-09T09:00:00Z</published></entry>
<entry><id>http://arxiv.org/abs/2606.00002v1</id><updated>2026-06-09T09:00:00Z</updated><published>2026-06-09T09:00:00Z</published></entry>
</feed>"""
PAGE = """<main>
<article><a href="/b"><time datetime="2026-06-10">x</time></a></article>
<article><a href="/a"><time datetime="2026-06-08">x</time></a></article>
</main>"""


@pytest.mark.parametrize(
    ("document", "now", "shown"),
    [
        pytest.param(FEED, day(8), ["first"], id="what is to come is not shown"),
        pytest.param(FEED, day(8, 7), [], id="before the first entry"),
        pytest.param(FEED, day(11), ["old form", "first"], id="before the edit"),
        pytest.param(FEED, day(12), ["new form", "first"], id="after the edit, once"),
        pytest.param(ATOM, day(9), [">1<", "2v1<"], id="arXiv, the first version"),
        pytest.param(ATOM, day(12), [">1<", "2v2<"], id="arXiv, the second version, once"),
        pytest.param(ATOM, day(8), [">0<"], id="arXiv counts what it shows"),
        pytest.param(PAGE, day(9), ["/a"], id="a listing by its days"),
        pytest.param(PAGE, day(10), ["/b", "/a"], id="a listing of the next day"),
    ],
)
def test_a_document_as_of_an_instant(document: str, now: datetime, shown: list[str]) -> None:
    assert re.findall(r"first|old form|new form|>\d<|2v\d<|/[ab](?=\")", demo.as_of(document, now)) == shown


DOCUMENTS = sorted(path for path in demo.SAMPLE.iterdir() if path.suffix in (".xml", ".atom", ".html"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_a_document_is_of_a_source_and_newest_first(path: Path) -> None:
    assert path.stem in {source.id for source in demo.config().sources}
    whole = path.read_text(encoding="utf-8")
    counts = [len(re.findall(r"<(?:item|entry|article)[ >]", demo.as_of(whole, moment))) for moment in demo.DAYS]
    assert counts == sorted(counts)
    assert counts[0] >= 1  # the first poll finds something: the rest of the week is news
    first = re.findall(r"<(?:item|entry|article)[ >].*?</(?:item|entry|article)>", whole, re.DOTALL)
    assert [demo._changed(entry) for entry in first] == sorted(map(demo._changed, first), reverse=True)


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.suffix != ".html"], ids=lambda path: path.stem)
def test_a_feed_is_well_formed_on_every_day(path: Path) -> None:
    for moment in demo.DAYS:
        ElementTree.fromstring(demo.as_of(path.read_text(encoding="utf-8"), moment))


def test_the_sample_asks_the_questions_that_ship_at_the_addresses_that_ship(tmp_path: Path) -> None:
    (tmp_path / "feeds.toml").write_text(config.shipped_feeds(), encoding="utf-8")
    shipped, sample = config.load(tmp_path / "feeds.toml"), demo.config()
    assert sample.watches == shipped.watches
    urls = {source.id: source.url for source in shipped.sources if source.kind == "feed"}
    assert len([source for source in sample.sources if urls.get(source.id) == source.url]) >= 6


def test_no_two_sources_share_a_place_on_the_server() -> None:
    sources = demo.config().sources
    assert len({demo._path(source) for source in sources}) == len(sources)
    assert set(demo.FAILURES) <= {(source.id, f"2026-06-{number:02}") for source in sources for number in range(8, 15)}
