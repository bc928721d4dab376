"""Stories: what joins two items, what never does, and that the order of arrival does not matter."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tracker import group
from tracker.pairing.guards import stands_alone
from tracker.store import items, sources, tags, transaction
from tracker.types import Entry, Item, Source

NOW = datetime(2026, 6, 14, 20, tzinfo=UTC)
LAB = Source("lab", "feed", "https://lab.example.org/feed", "Lab", lab=None, origin="official")
ARXIV = Source("arxiv", "arxiv", "https://export.arxiv.org/api/query?search_query=cat:cs.AI", "arXiv", origin="paper")
PRESS = Source("press", "feed", "https://press.example.org/feed", "Press")
OTHER_PRESS = Source("daily", "feed", "https://daily.example.com/feed", "Daily")


def item(number: int, title: str, *, key: str = "", url: str | None = None, day: str = "2026-06-12") -> Item:
    """An item as stored."""
    key = key or f"url:https://a.example.org/{number}"
    return Item(
        number, key, "lab", url or key.removeprefix("url:"), title, published_at=f"{day}T08:00:00Z", first_seen_at=f"{day}T09:00:00Z"
    )


PAPER = Entry("Agents that learn on the job from deployment feedback", "https://arxiv.org/abs/2606.01234", own_key="arxiv:2606.01234")
LATER_PAPER = Entry("Agents that learn on the job from user feedback", "https://arxiv.org/abs/2606.01235", own_key="arxiv:2606.01235")
LINKED = ("arxiv:2606.01234",)


def dated(entry: Entry, day: str = "2026-06-12") -> Entry:
    return replace(entry, published_at=f"{day}T08:00:00Z")


def are_one(db: sqlite3.Connection, *found: tuple[Source, Entry]) -> bool:
    """Whether a run makes one story of what sources list."""
    with transaction(db):
        sources.sync(db, [LAB, ARXIV, PRESS, OTHER_PRESS], "2026-06-01T00:00:00Z")
        for source, entry in found:
            entry = entry if entry.published_at else dated(entry)
            items.save(db, source, [entry], now="2026-06-14T06:00:00Z", first=False, old_before=None)
        for waiting in items.pending(db, "tag", 100):
            tags.save(db, waiting, [], [], tags.Signals(str(waiting.origin)), registry="r", now="2026-06-14T06:00:00Z", done=True)
    list(group.group(db, now=NOW))
    assert db.execute("SELECT count(*) FROM story_items WHERE evidence = ''").fetchone()[0] == 0
    return bool(db.execute("SELECT count(*) FROM stories WHERE merged_into IS NULL").fetchone()[0] == 1)


def lab(title: str, path: str = "a", **more: Any) -> tuple[Source, Entry]:
    return LAB, Entry(title, f"https://lab.example.org/blog/{path}", **more)


def press(title: str, path: str = "b", **more: Any) -> tuple[Source, Entry]:
    return PRESS, Entry(title, f"https://press.example.org/2026/{path}", **more)


def other(title: str, path: str = "c", **more: Any) -> tuple[Source, Entry]:
    return OTHER_PRESS, Entry(title, f"https://daily.example.com/{path}", **more)


@pytest.mark.parametrize(
    ("found", "one"),
    [
        pytest.param([lab("Our agents now learn on the job", links=LINKED), (ARXIV, PAPER)], True, id="a post that links to its paper"),
        pytest.param([lab("Quarterly results and new offices", links=LINKED), (ARXIV, PAPER)], False, id="a link without shared words"),
        pytest.param([press("Zorblat raises $40M"), other("Mayor of Quimby opens bridge")], False, id="nothing in common"),
        pytest.param(
            [press("Agents that learn on the job", "x"), other("Agents That Learn – on the Job!", "y")], True, id="the same title"
        ),
        pytest.param(
            [press("Agents that learn on the job"), (OTHER_PRESS, dated(other("Agents that learn on the job")[1], "2026-05-20"))],
            False, id="the same title, three weeks before",
        ),
        pytest.param(
            [lab("Introducing Zorblat 4"), other("Zorblat 4: everything you need to know", "articles/zorblat-4-everything")], True,
            id="a release and what one needs to know of it",
        ),
        pytest.param(
            [lab("Zorblat 4 System Card", "zorblat-4-system-card"), lab("Introducing Zorblat 4", "introducing-zorblat-4")], True,
            id="a release and its system card",
        ),
        pytest.param([lab("Introducing Zorblat 4.6"), lab("Introducing Zorblat 4.5", "b")], False, id="another version"),
        pytest.param(
            [lab("Introducing Zorblat 4"), other("Zorblat 4 is now available in Quimby Studio")], False, id="available somewhere else"
        ),
        pytest.param([other("Elevated errors on the API", "1"), press("Elevated errors on the API", "2")], False, id="two incidents"),
        pytest.param([other("v2.1.44", "1"), press("v2.1.44", "2")], False, id="a version is a story of its own"),
        pytest.param([other("AI agents weekly: what happened", "1"), press("AI agents weekly: what happened", "2")], False, id="a digest"),
        pytest.param(
            [press("Quimby Prize in Botany 2026", "botany"), press("Quimby Prize in Geology 2026", "geology")], False,
            id="prizes of one week",
        ),
        pytest.param([(ARXIV, PAPER), (ARXIV, LATER_PAPER)], False, id="two papers"),
        pytest.param([press("Announcements", "1"), other("Announcements", "2")], False, id="a title that names nothing"),
        pytest.param([lab("Weekly notes", "1"), other("Weekly notes", "2")], False, id="another title that names nothing"),
        pytest.param([lab("Mea culpa", "1"), other("MacQuimby Neo", "2"), press("MacQuimby Neo", "3")], False, id="not all"),
        pytest.param([other("MacQuimby Neo", "2"), press("MacQuimby Neo", "3")], True, id="a short name"),
        pytest.param(
            [other("Zorblat (YC S26) Is Hiring a Founding Engineer", "1"), press("Zorblat (YC S26) Is Hiring a Founding Engineer!", "2")],
            False, id="a job",
        ),
    ],
)  # fmt: skip
def test_what_is_one_development(db: sqlite3.Connection, found: list[tuple[Source, Entry]], one: bool) -> None:
    assert are_one(db, *found) is one


@pytest.mark.parametrize(
    "title",
    [
        "AI Agents Weekly",
        "AI weekly: what happened",
        "The Weekly Digest",
        "Weekly round-up of agents",
        "AI Weekly #12",
        "The agents newsletter",
        "Newsletter: June",
        "Import AI 512: agents and jobs",
        "TLDR AI 2026-06-12",
        "The Batch: what agents learn",
        "Agents, issue #12",
        "Elevated errors on the API",
        "Errors on the console",
        "Degraded performance of agents",
        "v2.1.44",
        "2.1.44-beta.1",
        "Version 2.1",
        "claude-code 2.1.3",
        "claude-code@2.1",
    ],
)
def test_what_lists_many_developments_stands_alone(title: str) -> None:
    assert stands_alone(item(1, title))


@pytest.mark.parametrize(
    ("title", "url"),
    [
        pytest.param("Weekly active users of a chat bot reach a billion", "https://x.example/weekly-active-users", id="weekly users"),
        pytest.param("The lab will hire thousands, newsletter says", "https://newsletter.x.example/p/1", id="a newsletter as witness"),
        pytest.param("Learning from errors on the job", None, id="errors to learn from"),
        pytest.param("GPT-5.5", None, id="a model"),
        pytest.param("DeepSeek-V3.1", None, id="a model with a v"),
        pytest.param("Lab buys a chip maker", "https://x.example/news/releases/2026/06/lab-buys", id="a press release"),
        pytest.param("Lab buys a chip maker", "https://x.example/press/release/lab-buys", id="one press release"),
    ],
)
def test_what_only_sounds_like_a_list_may_be_joined(title: str, url: str | None) -> None:
    assert stands_alone(item(1, title, url=url)) == ""


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/x/y/releases/tag/v1",
        "https://github.com/x/y/releases",
        "https://x.example/changelog#june",
        "https://x.example/weekly/12",
    ],
)
def test_an_address_of_lists_stands_alone(url: str) -> None:
    assert stands_alone(item(1, "Agents that learn on the job", url=url))


# -- in the database --------------------------------------------------------------------------------

WEEK = [
    (
        ARXIV,
        Entry(
            "Agents that learn on the job",
            "https://arxiv.org/abs/2606.01234",
            published_at="2026-06-11T08:00:00Z",
            own_key="arxiv:2606.01234",
        ),
    ),
    (
        LAB,
        Entry(
            "Our agents learn on the job", "https://lab.example.org/job", published_at="2026-06-12T08:00:00Z", links=("arxiv:2606.01234",)
        ),
    ),
    (PRESS, Entry("Our agents learn on the job", "https://press.example.org/1", published_at="2026-06-12T10:00:00Z")),
    (PRESS, Entry("A chip factory opens", "https://press.example.org/2", published_at="2026-06-12T11:00:00Z")),
    (
        PRESS,
        Entry(
            "Import AI 512: agents and jobs",
            "https://press.example.org/3",
            published_at="2026-06-13T11:00:00Z",
            links=("arxiv:2606.01234",),
        ),
    ),
]


def stored(db: sqlite3.Connection, order: Sequence[int]) -> None:
    """The week, its sources answering in this order."""
    with transaction(db):
        sources.sync(db, [LAB, ARXIV, PRESS], "2026-06-01T00:00:00Z")
        for index in order:
            source, entry = WEEK[index]
            items.save(db, source, [entry], now="2026-06-14T06:00:00Z", first=False, old_before=None)
        for waiting in items.pending(db, "tag", 100):
            tags.save(db, waiting, [], [], tags.Signals(str(waiting.origin)), registry="r", now="2026-06-14T06:00:00Z", done=True)


def told(db: sqlite3.Connection) -> set[tuple[str, str, frozenset[str]]]:
    """Each story: lead, title, members."""
    rows = db.execute(
        """SELECT stories.id, lead.key, stories.title, items.key AS member FROM stories JOIN items AS lead ON lead.id = lead_item
        JOIN story_items ON story = stories.id JOIN items ON items.id = item ORDER BY stories.id"""
    ).fetchall()
    return {(group_[0]["key"], group_[0]["title"], frozenset(row["member"] for row in group_)) for group_ in _by_story(rows)}


def _by_story(rows: list[sqlite3.Row]) -> list[list[sqlite3.Row]]:
    return [list(members) for _, members in itertools.groupby(rows, key=lambda row: row[0])]


def test_the_week_has_its_stories_with_the_lab_in_the_lead(db: sqlite3.Connection) -> None:
    stored(db, range(5))
    assert sum(result.joined for result in group.group(db, now=NOW)) == 2
    assert ("url:https://lab.example.org/job", "Our agents learn on the job", frozenset(
        {"arxiv:2606.01234", "url:https://lab.example.org/job", "url:https://press.example.org/1"}
    )) in told(db)  # fmt: skip
    assert len(told(db)) == 3
    assert db.execute("SELECT items, sources FROM stories ORDER BY items DESC LIMIT 1").fetchone()[:] == (3, 3)
    assert db.execute("SELECT stage, count(*) FROM pending WHERE stage <> 'article' GROUP BY stage").fetchall()[0][:] == ("watch", 5)


@pytest.mark.parametrize("seed", range(6))
def test_the_stories_are_the_same_whatever_order_sources_answered_in(
    db: sqlite3.Connection, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from tracker import store

    other = store.open(tmp_path_factory.mktemp("other") / "data" / "tracker.db", write=True)
    stored(db, range(5))
    stored(other, random.Random(seed).sample(range(5), 5))
    list(group.group(db, now=NOW))
    list(group.group(other, now=NOW))
    assert told(db) == told(other)


def test_a_story_found_a_day_later_takes_the_new_item_in(db: sqlite3.Connection) -> None:
    stored(db, [0])
    list(group.group(db, now=NOW))
    stored(db, [1])
    (result,) = group.group(db, now=NOW)
    assert result.joined == 1
    assert db.execute("SELECT title FROM stories").fetchone()[0] == "Our agents learn on the job"


def test_what_lies_more_than_two_weeks_apart_is_never_looked_at(db: sqlite3.Connection) -> None:
    stored(db, [0])
    list(group.group(db, now=NOW))
    late = Entry(
        "Our agents learn on the job", "https://lab.example.org/late", published_at="2026-07-20T08:00:00Z", links=("arxiv:2606.01234",)
    )
    with transaction(db):
        items.save(db, LAB, [late], now="2026-07-20T09:00:00Z", first=False, old_before=None)
        (waiting,) = items.pending(db, "tag", 9)
        tags.save(db, waiting, [], [], tags.Signals("official"), registry="r", now="2026-07-20T09:00:00Z", done=True)
    (result,) = group.group(db, now=datetime(2026, 7, 20, 10, tzinfo=UTC))
    assert result.joined == 0


# -- what is looked at ------------------------------------------------------------------------------


def grouped(db: sqlite3.Connection, source: Source, *entries: Entry) -> None:
    """Entries of one document, stored, tagged by nobody and grouped."""
    with transaction(db):
        sources.sync(db, [LAB, ARXIV, PRESS], "2026-06-01T00:00:00Z")
        items.save(db, source, entries, now="2026-06-12T06:00:00Z", first=False, old_before=None)
        new = "SELECT 'group', id, first_seen_at FROM items WHERE id NOT IN (SELECT item FROM story_items)"
        db.execute(f"INSERT INTO pending(stage, item, due_at) {new}")
    list(group.group(db, now=NOW))


def stories_of(db: sqlite3.Connection, title: str) -> list[int]:
    """The stories of the items with a title that begins so."""
    return [
        row[0] for row in db.execute("SELECT DISTINCT story FROM story_items JOIN items ON id = item WHERE title LIKE ?", (f"{title}%",))
    ]


def letters(n: int) -> str:
    return chr(97 + n % 26) + chr(97 + n // 26)


def test_a_paper_that_many_link_to_meets_the_labs_own_post(db: sqlite3.Connection) -> None:
    day, link = "2026-06-11T08:00:00Z", ("arxiv:2606.01234",)
    press = [Entry(f"Roundabout {letters(n)}", f"https://press.example.org/{n}", published_at=day, links=link) for n in range(80)]
    grouped(db, PRESS, *press)
    grouped(db, LAB, Entry("Agents that learn skills at work", "https://lab.example.org/x", published_at=day, links=link))
    paper = Entry("Agents that learn skills at work: outcomes", "https://arxiv.org/abs/2606.01234", published_at=day, own_key=link[0])
    grouped(db, ARXIV, paper)
    assert len(stories_of(db, "Agents")) == 1


def test_a_post_that_links_to_many_meets_what_is_nearest_in_time(db: sqlite3.Connection) -> None:
    def paper(n: int, day: int) -> Entry:
        title = "Agents that learn skills at work" if day == 11 else f"Other matters {letters(n)}"
        key = f"2606.{n:05}"
        return Entry(title, f"https://arxiv.org/abs/{key}", published_at=f"2026-06-{day:02}T08:00:00Z", own_key=f"arxiv:{key}")

    grouped(db, ARXIV, paper(80, 11), *[paper(n, 2) for n in range(80)])
    links = tuple(f"arxiv:2606.{n:05}" for n in range(81))
    grouped(db, LAB, Entry("Our agents learn skills", "https://lab.example.org/x", published_at="2026-06-12T08:00:00Z", links=links))
    assert len(stories_of(db, "Agents") + stories_of(db, "Our agents")) == 2
    assert len({*stories_of(db, "Agents"), *stories_of(db, "Our agents")}) == 1


def test_a_title_that_stands_in_many_others_meets_its_twin(db: sqlite3.Connection) -> None:
    day, title = "2026-06-11T08:00:00Z", "Large language models"
    others = [Entry(f"{title}, part {letters(n)} of many", f"https://press.example.org/{n}", published_at=day) for n in range(80)]
    grouped(db, PRESS, *others)
    grouped(db, PRESS, Entry(title, "https://press.example.org/z", published_at=day))
    grouped(db, LAB, Entry("Large Language Models!", "https://lab.example.org/z", published_at=day))
    assert db.execute("SELECT max(items) FROM stories").fetchone()[0] == 2
