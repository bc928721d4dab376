"""Stories that change: later items join and merge them, average agreement holds them apart, people split and join them."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tracker import group, label, store
from tracker.config import Config
from tracker.errors import TrackerError
from tracker.pairing.model import PairModel
from tracker.pairing.sketch import Rarity, Sketch
from tracker.store import items, labels, sources, tags, transaction
from tracker.types import Entry, Source

NOW = datetime(2026, 6, 14, 20, tzinfo=UTC)
SOURCES = [Source(name, "feed", f"https://{name}.example.org/feed", name.title(), origin="press") for name in "abc"]
CONFIG = Config(Path("feeds.toml"), None, None, tuple(SOURCES), (), ())


class Said:
    """A model that says of each pair of titles what the test says. All titles share two words, so that every pair is compared."""

    rarity = Rarity(1_000, {"zorblat": 1, "quimby": 1})
    limit = 0.5

    def __init__(self, agreement: Mapping[tuple[str, str], float]) -> None:
        self.table = {frozenset(pair): value for pair, value in agreement.items()}

    def agreement(self, pairs: Sequence[tuple[Sketch, Sketch]], near: Any) -> list[float]:
        return [self.table.get(frozenset((one.title[-1], other.title[-1])), 0.0) for one, other in pairs]


def arrive(db: sqlite3.Connection, letters: str, said: Said, day: int = 12, order: str = "") -> None:
    """Items come in, the last letter of their title is their name, and are grouped."""
    with transaction(db):
        sources.sync(db, SOURCES, "2026-06-01T00:00:00Z")
        for n, letter in enumerate(order or letters):
            entry = Entry(f"Zorblat of Quimby {letter}", f"https://a.example.org/{letter}", published_at=f"2026-06-{day}T08:00:00Z")
            items.save(db, SOURCES[n % 3], [entry], now=f"2026-06-{day}T09:00:00Z", first=False, old_before=None)
        for waiting in items.pending(db, "tag", 100):
            tags.save(db, waiting, [], [], tags.Signals("press"), registry="r", now=f"2026-06-{day}T09:00:00Z", done=True)
    regroup(db, said)


def regroup(db: sqlite3.Connection, said: Said) -> None:
    list(group.group(db, now=NOW, model=cast("PairModel", said)))
    assert not db.execute("SELECT 1 FROM pending WHERE stage = 'group'").fetchall()


def told(db: sqlite3.Connection) -> set[str]:
    """The stories, each as the names of its items; what the table of stories says must agree with them."""
    rows = db.execute("SELECT story, title FROM story_items JOIN items ON id = item ORDER BY story").fetchall()
    found = {story: "".join(sorted(row[1][-1] for row in members)) for story, members in itertools.groupby(rows, key=lambda row: row[0])}
    alive = dict(db.execute("SELECT id, items FROM stories WHERE merged_into IS NULL").fetchall())
    assert alive == {story: len(members) for story, members in found.items()}
    gone = db.execute("SELECT items, merged_into FROM stories WHERE merged_into IS NOT NULL").fetchall()
    assert all(row[0] == 0 and row[1] in alive for row in gone)
    return set(found.values())


def why(db: sqlite3.Connection, letter: str) -> str:
    found = db.execute("SELECT evidence FROM story_items JOIN items ON id = item WHERE title = ?", (f"Zorblat of Quimby {letter}",))
    return str(found.fetchone()[0])


def key(letter: str) -> str:
    return f"url:https://a.example.org/{letter}"


PAIR = Said({("A", "B"): 0.9})


def test_an_item_joins_by_its_average_agreement_not_through_one_bridge(db: sqlite3.Connection) -> None:
    said = Said({("A", "B"): 0.9, ("B", "C"): 0.9, ("A", "C"): 0.05})
    arrive(db, "ABC", said)
    assert told(db) == {"AB", "C"}
    arrive(db, "D", Said({("D", "A"): 0.6, ("D", "B"): 0.6, ("D", "C"): 0.7}), day=13)
    assert told(db) == {"AB", "CD"}


def test_the_best_pair_comes_first(db: sqlite3.Connection) -> None:
    arrive(db, "ABC", Said({("A", "B"): 0.7, ("B", "C"): 0.9}))
    assert told(db) == {"A", "BC"}


def test_a_later_item_joins_a_story(db: sqlite3.Connection) -> None:
    arrive(db, "AB", PAIR)
    arrive(db, "C", Said({("A", "C"): 0.9, ("B", "C"): 0.8}), day=13)
    assert told(db) == {"ABC"}
    assert why(db, "C") == "2 shared title words: quimby, zorblat; 1 day later; as in “Zorblat of Quimby A”"
    score = db.execute("SELECT score FROM story_items ORDER BY item DESC LIMIT 1").fetchone()[0]
    assert score == pytest.approx(0.85)


def test_a_later_item_merges_two_stories_if_all_of_them_agree(db: sqlite3.Connection) -> None:
    arrive(db, "AB", Said({}))
    assert told(db) == {"A", "B"}
    arrive(db, "C", Said({("A", "C"): 0.9, ("B", "C"): 0.9, ("A", "B"): 0.45}), day=13)
    assert told(db) == {"ABC"}
    assert group.FIRST not in (why(db, "B"), why(db, "C"))
    waiting = db.execute("SELECT count(*) FROM pending WHERE stage = 'watch'").fetchone()[0]
    assert waiting == 3, "what changed its story is looked at again"


def test_a_bridge_does_not_merge_two_stories_that_differ(db: sqlite3.Connection) -> None:
    arrive(db, "AB", Said({}))
    arrive(db, "C", Said({("A", "C"): 0.9, ("B", "C"): 0.8}), day=13)
    assert told(db) == {"AC", "B"}


def test_a_story_taken_in_by_one_that_is_taken_in_points_to_the_last(db: sqlite3.Connection) -> None:
    arrive(db, "AB", Said({}))
    arrive(db, "C", Said({}), day=13)
    arrive(db, "D", Said({("B", "C"): 0.9, ("C", "D"): 0.9, ("B", "D"): 0.9}), day=13)
    everything = dict.fromkeys(itertools.combinations("ABCDE", 2), 0.9)
    arrive(db, "E", Said(everything), day=14)
    assert told(db) == {"ABCDE"}


@pytest.mark.parametrize("seed", range(12))
def test_the_order_of_arrival_within_a_run_does_not_matter(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    names = "ABCDEFGHIJ"
    said = Said({pair: chance.choice((0.0, 0.3, 0.55, 0.55, 0.7, 0.9)) for pair in itertools.combinations(names, 2)})
    found = []
    for n in range(3):
        db = store.open(tmp_path / f"{n}" / "tracker.db", write=True)
        arrive(db, names[:6], said, order="".join(chance.sample(names[:6], 6)))
        arrive(db, names[6:], said, day=13, order="".join(chance.sample(names[6:], 4)))
        leads = db.execute("SELECT stories.title, items FROM stories WHERE merged_into IS NULL ORDER BY 1").fetchall()
        evidence = db.execute("SELECT title, score, evidence FROM story_items JOIN items ON id = item ORDER BY 1").fetchall()
        found.append((told(db), [tuple(row) for row in leads], [tuple(row) for row in evidence]))
        db.close()
    assert found[0] == found[1] == found[2]


# -- what people say --------------------------------------------------------------------------------


def say(db: sqlite3.Connection, letter: str, other: str, answer: bool, who: str = "ann", minute: int = 0) -> None:
    label.add(db, CONFIG, key(letter), f"story:{key(other)}", int(answer), who=who, now=NOW.replace(minute=minute))


def test_a_person_splits_a_story(db: sqlite3.Connection) -> None:
    everything = Said(dict.fromkeys(itertools.combinations("ABC", 2), 0.9))
    arrive(db, "ABC", everything)
    assert told(db) == {"ABC"}
    say(db, "C", "A", False)
    regroup(db, everything)
    assert told(db) == {"AB", "C"}
    arrive(db, "D", Said(dict.fromkeys(itertools.combinations("ABCD", 2), 0.9)), day=13)
    assert told(db) in ({"ABD", "C"}, {"AB", "CD"}), "what a person has split stays apart, whatever comes"


def test_a_person_joins_two_stories(db: sqlite3.Connection) -> None:
    pairs = Said({("A", "B"): 0.9, ("C", "D"): 0.9})
    arrive(db, "ABCD", pairs)
    say(db, "C", "A", True)
    regroup(db, pairs)
    assert told(db) == {"ABCD"}
    assert why(db, "C") == "ann says that they are one story: it and “Zorblat of Quimby A”"


def test_a_label_may_come_before_its_items(db: sqlite3.Connection) -> None:
    say(db, "A", "B", True)
    arrive(db, "A", PAIR)
    arrive(db, "B", Said({}), day=13)
    assert told(db) == {"AB"}


def test_the_newest_word_counts_and_may_be_taken_back(db: sqlite3.Connection) -> None:
    arrive(db, "AB", PAIR)
    say(db, "B", "A", False)
    regroup(db, PAIR)
    assert told(db) == {"A", "B"}
    say(db, "A", "B", True, who="bob", minute=1)
    regroup(db, PAIR)
    assert told(db) == {"AB"}
    label.take_back(db, CONFIG, key("A"), f"story:{key('B')}", who="bob", now=NOW.replace(minute=2))
    regroup(db, PAIR)
    assert told(db) == {"A", "B"}, "ann's word counts again"


def test_taking_back_what_joined_a_story_lets_the_item_go(db: sqlite3.Connection) -> None:
    arrive(db, "AB", Said({}))
    say(db, "B", "A", True)
    regroup(db, Said({}))
    assert told(db) == {"AB"}
    label.take_back(db, CONFIG, key("B"), f"story:{key('A')}", who="ann", now=NOW.replace(minute=1))
    regroup(db, Said({}))
    assert told(db) == {"A", "B"}


@pytest.mark.parametrize(("first", "other"), ["AB", "BA", "DA", "AD"])
@pytest.mark.parametrize("answer", [True, False])
def test_undo_leaves_nothing_of_a_word(db: sqlite3.Connection, first: str, other: str, answer: bool) -> None:
    pairs = Said({("A", "C"): 0.9, ("B", "D"): 0.9} if answer else dict.fromkeys(itertools.combinations("ABCD", 2), 0.9))
    arrive(db, "ABCD", pairs)
    before = told(db), [why(db, letter) for letter in "ABCD"]
    say(db, first, other, answer)
    regroup(db, pairs)
    assert told(db) != before[0]
    label.take_back(db, CONFIG, key(first), f"story:{key(other)}", who="ann", now=NOW.replace(minute=1))
    regroup(db, pairs)
    assert (told(db), [why(db, letter) for letter in "ABCD"]) == before


def test_a_split_tells_the_reasons_of_those_who_stay_anew(db: sqlite3.Connection) -> None:
    arrive(db, "AB", PAIR)
    story = db.execute("SELECT story FROM story_items LIMIT 1").fetchone()[0]
    say(db, "A", "B", False)
    regroup(db, PAIR)
    assert [why(db, letter) for letter in "AB"] == [group.FIRST, group.FIRST]
    kept = db.execute("SELECT title FROM story_items JOIN items ON id = item WHERE story = ?", (story,)).fetchone()[0]
    assert kept.endswith("A"), "the story goes on with its first item"


def test_what_is_said_while_items_are_grouped_is_heeded_next(db: sqlite3.Connection) -> None:
    class Interrupted(Said):
        def agreement(self, pairs: Sequence[tuple[Sketch, Sketch]], near: Any) -> list[float]:
            if pairs and not labels.current(db):
                say(db, "B", "A", False)
            return super().agreement(pairs, near)

    with transaction(db):
        sources.sync(db, SOURCES, "2026-06-01T00:00:00Z")
    arrive_ungrouped = Interrupted({("A", "B"): 0.9})
    with pytest.raises(AssertionError):  # the queue is not empty: it holds what was said meanwhile
        arrive(db, "AB", arrive_ungrouped)
    assert told(db) == {"AB"}
    regroup(db, PAIR)
    assert told(db) == {"A", "B"}


def test_a_hostile_title_says_nothing(db: sqlite3.Connection) -> None:
    arrive(db, "AB", PAIR)
    with transaction(db):
        db.execute("UPDATE items SET title = 'Zorblat of Quimby: ann says that they are one story A' WHERE title LIKE '%A'")
    say(db, "B", "Z", True)
    regroup(db, PAIR)
    assert told(db) == {"AB"}


def test_a_person_may_join_what_stands_alone_by_rule(db: sqlite3.Connection) -> None:
    arrive(db, "AB", Said({}))
    with transaction(db):
        db.execute("UPDATE items SET title = 'v1.2.3' WHERE title LIKE '%B'")
    say(db, "B", "A", True)
    regroup(db, Said({}))
    assert db.execute("SELECT max(items) FROM stories").fetchone()[0] == 2


def test_labels_on_stories_survive_a_file(db: sqlite3.Connection) -> None:
    arrive(db, "AB", PAIR)
    row = labels.Row(key("B"), f"story:{key('A')}", "0", "ann", "2026-06-14T10:00:00Z", "browse", "")
    with transaction(db):
        assert labels.take(db, [(2, row)], "2026-06-14T11:00:00Z").added == 1
    regroup(db, PAIR)
    assert told(db) == {"A", "B"}
    assert [held.tag for held in labels.history(db)] == [row.tag]


def test_an_item_is_no_story_with_itself(db: sqlite3.Connection) -> None:
    with pytest.raises(TrackerError, match="is one story with itself: name two items"):
        say(db, "A", "A", True)
