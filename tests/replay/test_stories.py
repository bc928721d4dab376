"""Stories, standing questions and digests over real days with the shipped feeds.toml; only a digest is added, so that there is mail."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from tests.replay.test_days import FEEDS, run

DIGEST = '\n[digests.daily]\nto = ["you@example.org"]\nvia = "file"\nfolder = "data/mails"\n'
DAYS = 9  # Friday 12 to Saturday 20 June: a week-end, a week, a quiet day


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the shipped sources and a digest."""
    (tmp_path / "feeds.toml").write_text(FEEDS.read_text(encoding="utf-8") + DIGEST, encoding="utf-8")
    monkeypatch.setenv("TRACKER_ARXIV_DELAY_S", "0.05")
    return tmp_path


def mails(home: Path) -> dict[str, str]:
    """The plain part of every mail, by its subject."""
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted((home / "data" / "mails").glob("*.eml"))]
    return {str(mail["Subject"]): mail.get_body(("plain",)).get_content() for mail in found}  # type: ignore[union-attr]


def test_nine_days_tell_each_story_once_and_every_day_has_its_mail(home: Path, replayed_web: Callable[..., Any]) -> None:
    web = replayed_web(at="2026-06-12", arxiv_rate="off")
    days = []
    for day in range(DAYS):
        web.clock.advance(timedelta(days=min(day, 1)))
        days.append(run(home, web))
    db = sqlite3.connect(home / "data" / "tracker.db")

    assert db.execute("SELECT count(*) FROM pending WHERE stage NOT IN ('article', 'authors')").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM items WHERE id NOT IN (SELECT item FROM story_items)").fetchone() == (0,)
    assert db.execute("SELECT count(*) FROM story_items WHERE evidence = ''").fetchone() == (0,)

    shown = db.execute(
        "SELECT story, count(DISTINCT digest) FROM digest_items WHERE section <> 'more' GROUP BY story HAVING count(DISTINCT digest) > 1"
    )
    assert shown.fetchall() == [], "no story is shown in two digests"
    told = db.execute("SELECT item, count(*) FROM digest_items GROUP BY item HAVING count(*) > 1")
    assert told.fetchall() == [], "no item stands in two digests"
    old = db.execute("SELECT count(*) FROM digest_items JOIN items ON items.id = item WHERE backlog = 1 AND section <> 'more'")
    assert old.fetchone() == (0,), "what was there before is never told as news"

    letters = mails(home)
    assert len(letters) == DAYS
    assert sum("nothing new" in subject for subject in letters) >= 2, "a week-end is quiet, and proves it"
    assert all("sources answered" in text for text in letters.values())
    assert all(len(line) <= 76 or "http" in line for text in letters.values() for line in text.splitlines())

    states = Counter(row[0] for row in db.execute("SELECT rung FROM watch_events WHERE withdrawn_at IS NULL"))
    assert states["stated"] >= 5
    assert not db.execute("SELECT 1 FROM watch_events WHERE reason IN ('', '[]')").fetchall()
