"""Denials and corrections: found by their words, shown beside what nobody had confirmed, and told once."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.archive import FORUM, LAB, OTHER_PRESS, PRESS, Archive
from tracker.store import digests

RUMOUR = "Owl Labs in talks to buy Nest Labs"


@pytest.fixture
def archive(db: sqlite3.Connection, tmp_path: Path) -> Archive:
    return Archive(db, tmp_path)


def denied(archive: Archive, item: int) -> tuple[str, str, int] | None:
    """How the item is denied: the word, the cue, by which item."""
    row = archive.db.execute("SELECT how, denial, denied_by FROM denials WHERE item = ?", (item,)).fetchone()
    return tuple(row) if row else None


def test_a_later_denial_stands_beside_what_is_unconfirmed(archive: Archive) -> None:
    rumour, story = archive.post(RUMOUR, PRESS, "2026-06-12T09:00:00Z")
    assert denied(archive, rumour) is None
    other, _ = archive.post("Owl Labs denies reports of a deal", OTHER_PRESS, "2026-06-13T00:00:00Z", story=story)
    assert denied(archive, rumour) == ("denied", "denies reports", other)
    board = archive.board(story)
    assert (board["unconfirmed"], board["denial"], board["denied_by"]) == ("in talks", "denies reports", other)


def test_the_labs_own_correction_is_a_correction(archive: Archive) -> None:
    rumour, story = archive.post(RUMOUR, PRESS, "2026-06-12T09:00:00Z")
    own, _ = archive.post("Correction: what we said of Nest Labs", LAB, "2026-06-14T00:00:00Z", story=story)
    assert denied(archive, rumour) == ("corrected", "Correction", own)
    archive.watch()
    assert archive.board(story)["rungs"] == "stated"


@pytest.mark.parametrize(
    ("at", "counts"),
    [
        ("2026-06-11T00:00:00Z", False),
        ("2026-06-12T08:00:00Z", False),
        ("2026-06-12T00:00:00Z", True),
        ("2026-06-12T10:00:00Z", True),
    ],
    ids=["a day before", "an hour before", "that day, no hour is given", "an hour later"],
)
def test_only_what_came_later_denies(archive: Archive, at: str, counts: bool) -> None:
    rumour, story = archive.post(RUMOUR, PRESS, "2026-06-12T09:00:00Z")
    archive.post("Owl Labs denies reports of a deal", OTHER_PRESS, at, story=story)
    assert (denied(archive, rumour) is not None) == counts


def test_the_first_of_two_denials_is_shown(archive: Archive) -> None:
    rumour, story = archive.post(RUMOUR, PRESS, "2026-06-12T09:00:00Z")
    archive.post("Owl Labs disputes reports of a deal", FORUM, "2026-06-14T00:00:00Z", story=story)
    first, _ = archive.post("Owl Labs denies it all", OTHER_PRESS, "2026-06-13T00:00:00Z", story=story)
    assert denied(archive, rumour) == ("denied", "denies", first)
    assert [one.cue for one in digests.denials(archive.db, [story]).values()] == ["denies"]


def test_nothing_denies_itself_nor_another_story_nor_what_is_confirmed(archive: Archive) -> None:
    both, story = archive.post("Owl Labs denies it is in talks to buy Nest Labs", PRESS, "2026-06-12T00:00:00Z")
    rumour, _ = archive.post(RUMOUR, PRESS, "2026-06-12T00:00:00Z")
    fact, calm = archive.post("Owl Labs buys Nest Labs", PRESS, "2026-06-12T00:00:00Z")
    archive.post("Nest Labs walks back a claim", PRESS, "2026-06-13T00:00:00Z", story=calm)
    assert [denied(archive, item) for item in (both, rumour, fact)] == [None, None, None]
    assert archive.board(story)["denial"] is None
    assert digests.denials(archive.db, [story, calm]) == {}


def test_tagging_again_takes_a_denial_back(archive: Archive) -> None:
    rumour, story = archive.post(RUMOUR, PRESS, "2026-06-12T09:00:00Z")
    archive.post("Owl Labs denies reports of a deal", OTHER_PRESS, "2026-06-13T00:00:00Z", story=story, url="https://courier.example/x")
    assert denied(archive, rumour)
    archive.edit(OTHER_PRESS, "Owl Labs on its deal", "https://courier.example/x")
    assert denied(archive, rumour) is None
