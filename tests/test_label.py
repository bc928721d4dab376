"""Labels: what people say beats what the machine says, at once and for good; questions that are worth an answer; files. Texts of ours."""

from __future__ import annotations

import csv
import io
import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.conftest import NOW
from tests.test_digest import DAY, World
from tests.test_query_plans import SCAN, plans
from tracker import digest, label, label_file, store, tag
from tracker.cli import cli
from tracker.clock import iso
from tracker.clock import parse as instant
from tracker.config import Config, load
from tracker.errors import TrackerError
from tracker.group import group
from tracker.store import browse, items, labels, runs, sources, stored, tags
from tracker.taggers.features import FeatureSpace
from tracker.taggers.labs import LabTagger
from tracker.taggers.linear import Head, LinearModel
from tracker.taggers.topics import TopicTagger
from tracker.types import Entry, Source
from tracker.web import queries
from tracker.web.metadata import QUERIES

AT = instant(NOW)
LATER = AT + timedelta(hours=1)
BLOG = Source("blog", "feed", "https://lab.example/feed", "The Blog")
FEEDS = """[feeds.blog]
url = "https://lab.example/feed"
title = "The Blog"
[topics.robot-cooking]
title = "Robot cooking"
description = "Robots that cook in kitchens."
include = ["cook* robot*"]
[topics.tea]
title = "Brewing tea"
description = "Leaves, kettles and infusions."
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "feeds.toml").write_text(FEEDS)
    return load(str(tmp_path / "feeds.toml"))


def put(db: sqlite3.Connection, config: Config, *entries: Entry, now: str = NOW) -> None:
    with store.transaction(db):
        sources.sync(db, [BLOG], now)
        sources.sync_registry(db, config.topics, config.labs, now)
        items.save(db, BLOG, list(reversed(entries)), now=now, first=False, old_before=None)


def entry(n: int | str, title: str, text: str = "", **facts: Any) -> Entry:
    return Entry(title, f"https://lab.example/{n}", f"g{n}", text, published_at=NOW, **facts)


def key(n: int | str) -> str:
    return f"url:https://lab.example/{n}"


def by_rules(config: Config) -> tag.Taggers:
    return tag.Taggers(TopicTagger(config.topics, None), LabTagger(config.labs), "r")


def tag_all(db: sqlite3.Connection, config: Config, **how: Any) -> None:
    list(tag.tag(db, config, now=AT, taggers=by_rules(config), **how))


def say(db: sqlite3.Connection, item_key: str, topic: str, value: int, who: str = "ann", now: str = NOW) -> int:
    with store.transaction(db):
        return labels.add(db, item_key, f"topic:{topic}", value, who=who, picked="browse", now=now)


def take_back(db: sqlite3.Connection, one: int) -> bool:
    with store.transaction(db):
        return labels.withdraw(db, one, now=NOW)


def said_of(db: sqlite3.Connection, item_key: str) -> dict[str, tuple[str, list[str], str]]:
    """{topic: (tier, terms, model)}"""
    rows = db.execute("SELECT topic, tier, evidence, model FROM item_topics JOIN items ON id = item WHERE key = ?", (item_key,))
    return {row[0]: (row[1], [term for term, _ in json.loads(row[2])], row[3]) for row in rows}


def waits(db: sqlite3.Connection, stage: str) -> int:
    return int(db.execute("SELECT count(*) FROM pending WHERE stage = ?", (stage,)).fetchone()[0])


@pytest.fixture
def cooked(db: sqlite3.Connection, config: Config) -> sqlite3.Connection:
    """One item that the rules tag, one that they do not; nothing waits."""
    put(db, config, entry(1, "A cooking robot in every kitchen"), entry(2, "Nothing of the kind"))
    tag_all(db, config)
    list(group(db, now=AT))
    db.execute("DELETE FROM pending")
    return db


# -- a label beats a tag ------------------------------------------------------------------------------


def test_yes_makes_an_untagged_item_sure_at_once_and_the_watches_hear_of_it(cooked: sqlite3.Connection) -> None:
    say(cooked, key(2), "robot-cooking", 1)
    assert said_of(cooked, key(2)) == {"robot-cooking": ("confident", ["labelled yes by ann"], tags.LABEL)}
    assert (waits(cooked, "watch"), waits(cooked, "tag")) == (1, 0)


def test_no_takes_a_tagged_item_off_its_topic_and_keeps_what_the_machine_said(cooked: sqlite3.Connection) -> None:
    say(cooked, key(1), "robot-cooking", 0)
    assert said_of(cooked, key(1)) == {"robot-cooking": ("no", ["labelled no by ann", "cooking robot"], "rules")}
    assert waits(cooked, "watch") == 1


def test_a_label_stands_after_a_retag_and_when_taken_back_the_machine_speaks_again(cooked: sqlite3.Connection, config: Config) -> None:
    before = [tuple(row) for row in cooked.execute("SELECT * FROM item_topics ORDER BY item, topic")]
    no, yes = say(cooked, key(1), "robot-cooking", 0), say(cooked, key(2), "tea", 1)
    tag_all(cooked, config, again_since=AT - timedelta(days=1))
    assert said_of(cooked, key(1))["robot-cooking"][:2] == ("no", ["labelled no by ann", "cooking robot"])
    assert said_of(cooked, key(2))["tea"] == ("confident", ["labelled yes by ann"], tags.LABEL)
    assert take_back(cooked, no)
    assert take_back(cooked, yes)
    assert not take_back(cooked, yes), "a label is taken back once"
    assert said_of(cooked, key(1))["robot-cooking"][:2] == ("maybe", ["cooking robot"])
    assert said_of(cooked, key(2)) == {}
    assert waits(cooked, "tag") == 2, "only the model can say whether it is sure"
    tag_all(cooked, config)
    assert [tuple(row) for row in cooked.execute("SELECT * FROM item_topics ORDER BY item, topic")] == before
    assert cooked.execute("SELECT count(*) FROM labels").fetchone()[0] == 4, "nothing is deleted"


def test_the_newest_word_counts_and_taking_it_back_restores_the_one_before(cooked: sqlite3.Connection) -> None:
    say(cooked, key(1), "robot-cooking", 1)
    again = say(cooked, key(1), "robot-cooking", 1, now=iso(LATER))
    assert cooked.execute("SELECT count(*) FROM labels").fetchone()[0] == 1, "the same said twice is one label"
    other = say(cooked, key(1), "robot-cooking", 0, "bob", iso(LATER))
    assert said_of(cooked, key(1))["robot-cooking"][0] == "no"
    assert [(one.who, one.value) for one in labels.current(cooked)] == [("ann", 1), ("bob", 0)]
    assert labels.counts(cooked) == {"topic:robot-cooking": (1, 1)}
    take_back(cooked, other)
    assert said_of(cooked, key(1))["robot-cooking"][:2] == ("confident", ["labelled yes by ann", "cooking robot"])
    mind = say(cooked, key(1), "robot-cooking", 0, now=iso(LATER))
    take_back(cooked, mind)
    assert [(one.who, one.value) for one in labels.current(cooked)] == [("ann", 1)]
    assert again == labels.said(cooked, key(1), "topic:robot-cooking", "ann")


def test_a_word_of_the_text_is_no_persons_label(cooked: sqlite3.Connection) -> None:
    item = cooked.execute("SELECT id FROM items WHERE key = ?", (key(1),)).fetchone()[0]
    cooked.execute(
        "UPDATE item_topics SET tier = 'confident', evidence = '[[\"labelled data\", 0.5]]', model = 'm' WHERE item = ?", (item,)
    )
    say(cooked, key(1), "tea", 0)
    assert said_of(cooked, key(1))["robot-cooking"] == ("confident", ["labelled data"], "m")
    assert waits(cooked, "tag") == 0


def test_a_label_and_its_tag_are_one_step(cooked: sqlite3.Connection) -> None:
    def step() -> None:
        with store.transaction(cooked):
            labels.add(cooked, key(2), "topic:tea", 1, who="ann", picked="browse", now=NOW)
            assert said_of(cooked, key(2))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        step()
    assert (labels.current(cooked), said_of(cooked, key(2))) == ([], {})


def test_labels_wait_for_their_item_their_key_and_their_topic(db: sqlite3.Connection, config: Config) -> None:
    put(db, config, entry(1, "Known already"))
    tag_all(db, config)
    say(db, key(2), "tea", 1)
    say(db, "arxiv:2606.01234", "tea", 1)
    say(db, key(1), "to-come", 0)
    assert [one.key for one in labels.current(db)] == [key(2), "arxiv:2606.01234", key(1)]
    assert said_of(db, key(1)) == {}
    put(db, config, entry(2, "Arrives later"))
    # The item that is known gets the key of its paper. (Of a source: https://lab.example/1 is the page of arXiv 2606.01234.)
    db.execute("INSERT INTO item_keys SELECT 'arxiv:2606.01234', id FROM items WHERE key = ?", (key(1),))
    db.execute("INSERT INTO topics(id, title, description) VALUES ('to-come', 'To come', '')")
    tag_all(db, config)
    assert said_of(db, key(2))["tea"][0] == "confident"
    assert {topic: said[0] for topic, said in said_of(db, key(1)).items()} == {"tea": "confident", "to-come": "no"}
    assert [one.key for one in labels.current(db)] == [key(2), key(1), key(1)], "by the item's own key"
    assert tags.heed_all(db, NOW) == 0


def test_an_edit_of_an_item_keeps_its_labels(cooked: sqlite3.Connection, config: Config) -> None:
    say(cooked, key(1), "robot-cooking", 0)
    put(cooked, config, entry(1, "A cooking robot in every restaurant"), now=iso(LATER))
    tag_all(cooked, config, again_since=AT - timedelta(days=1))
    assert said_of(cooked, key(1))["robot-cooking"][0] == "no"


def test_no_label_costs_a_walk_through_the_archive(cooked: sqlite3.Connection) -> None:
    def act() -> None:
        take_back(cooked, say(cooked, key(1), "robot-cooking", 0))
        say(cooked, key(2), "tea", 1)
        labels.find(cooked, key(1))
        labels.current(cooked)
        labels.stories(cooked, [1])
        tags.heed_all(cooked, NOW)
        tags.tiers(cooked, [1])
        stored.newest(cooked, 2)

    asked = list(plans(cooked, act))
    assert len(asked) > 15
    assert [(sql, plan) for sql, plan in asked if SCAN.search(plan) and "ORDER BY items.id DESC LIMIT" not in sql] == []


# -- what a label denies is shown nowhere ---------------------------------------------------------------


def shown(world: World, item: int) -> set[str]:
    """The lists, pages, queries and mails that show the item as one on topic."""
    db, found = world.db, set()
    values = {
        "topic": "learning", "lab": "example-lab", "relation": "by", "before": 10**18, "limit": 50, "items": json.dumps([item]),
        "days": json.dumps([item // 1_000_000]), "week": 0, "quarter": 0,
    }  # fmt: skip
    for name, query in queries.LISTS.items():
        found |= {f"list {name}" for row in db.execute(query, values) if row["item"] == item}
    found |= {"tags" for _ in db.execute(queries.TAGS, values)}
    found |= {"topic counts" for row in db.execute(queries.TOPICS, values) if row["items"] or row["week"]}
    found |= {"lab counts" for row in db.execute(queries.LABS, values) if row["items"]}
    found |= {"days" for row in db.execute(queries.DAYS, values) if row["stories"]}
    for name in ("newest", "on_topic", "topic_and_lab", "stories_of_the_week", "busiest_weeks", "labs_by_topic"):
        found |= {f"query {name}" for _ in db.execute(QUERIES[name]["sql"], values)}
    found |= {"by_lab" for row in db.execute(QUERIES["by_lab"]["sql"], values) if row["topics"]}
    found |= {"latest" for row in db.execute("SELECT topics FROM latest") if row["topics"]}
    found |= {"tagged" for _ in db.execute("SELECT 1 FROM tagged")}
    found |= {"python" for _ in browse.items(db, topic="learning", by=None, about=None, since=None, limit=9)}
    found |= {"totals"} if runs.totals(db)["on_topic"] or runs.totals(db)["by_topic"] else set()
    found |= {"mail"} if "Agents that learn" in digest.preview(db, world.config, world.now + DAY).text else set()
    return found


def test_an_item_that_a_label_denies_is_on_no_list_no_page_and_in_no_mail(db: sqlite3.Connection) -> None:
    world = World(db).run()
    item, _ = world.post("Agents that learn on the job", by="example-lab")
    db.execute("UPDATE items SET first_seen_at = ?, published_at = ?", (iso(world.now + timedelta(hours=2)),) * 2)
    world.run(after=DAY / 2)
    everywhere = shown(world, item)
    assert {
        "list newest",
        "list topic",
        "list lab",
        "list topic and lab",
        "query on_topic",
        "latest",
        "tagged",
        "python",
        "mail",
    } <= everywhere
    assert len(everywhere) >= 18
    with store.transaction(db):
        own = db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()[0]
        labels.add(db, own, "topic:learning", 0, who="ann", picked="browse", now=NOW)
    assert shown(world, item) == set()


def test_a_no_withdraws_what_answered_a_question(db: sqlite3.Connection) -> None:
    from tracker.store import watches
    from tracker.watch import watch

    world = World(db).run()
    item, _ = world.post("Agents that learn on the job", by="example-lab")
    db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item, NOW))
    list(watch(db, world.config, now=world.now))
    assert [one.event.item for one in watches.history(db, "paper") if not one.withdrawn_at] == [item]
    own = db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()[0]
    say(db, own, "learning", 0)
    list(watch(db, world.config, now=world.now))
    (gone,) = watches.history(db, "paper")
    assert (gone.withdrawn_at is not None, gone.withdrawn_why) == (True, "ann says it is not on learning")


# -- questions ----------------------------------------------------------------------------------------


@pytest.fixture
def model() -> LinearModel:
    """A model by hand of one topic: "memory" speaks for it, "plain" against; the line is 0.5."""
    none, pairs = np.zeros(0), np.zeros((0, 2))
    space = FeatureSpace(["memory", "plain"], pairs, [], np.ones(2), members=pairs, scale=none, links=pairs, link_idf=none)
    head = Head(np.zeros(1, np.int64), np.full(1, 3.0), np.zeros(1), {"agent-memory": 0.5}, {"agent-memory": 0.9})
    return LinearModel("by-hand", ("agent-memory",), space, np.array([[1.0], [-1.0]]), np.zeros(1), {"paper": head, "news": head})


NUMBERS = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen".split()


def spread(memory: int, plain: int, n: int) -> Entry:
    """A text that the model scores by its share of "memory"; the other words are its own."""
    own = " ".join(f"{NUMBERS[n]}{letter}" for letter in "abcdefghijkl")
    return entry(n, f"Report {NUMBERS[n]}", " ".join(["memory"] * memory + ["plain"] * plain) + " " + own)


@pytest.fixture
def asked(db: sqlite3.Connection, config: Config) -> sqlite3.Connection:
    """Items from sure to surely not; 4 and 5 are nearest to the line, on either side."""
    shares = [(40, 1), (20, 1), (9, 2), (5, 3), (4, 4), (4, 5), (3, 6), (2, 9), (1, 30), (1, 60), (50, 1), (1, 50)]
    put(db, config, *(spread(memory, plain, n) for n, (memory, plain) in enumerate(shares)))
    tag_all(db, config)
    return db


def ask(db: sqlite3.Connection, config: Config, model: LinearModel | None, who: str = "ann", **how: Any) -> list[label.Question]:
    return label.queue(db, config, model, **{"who": who, "now": AT, "topics": ["agent-memory"]} | how)


def test_the_least_sure_come_first_with_the_reason_and_the_words(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    found = ask(asked, config, model, limit=5)
    assert [question.picked for question in found] == ["uncertain"] * 4 + ["random"]
    assert found[0].item.key == key(4)
    assert found[0].why == "score 0.50 where the line is 0.50: the model is unsure"
    assert found[1].item.key == key(5)
    assert {question.item.key for question in found[:4]} <= {key(n) for n in range(2, 8)}
    assert found[0].words == ("memory",)
    assert found[4].why == "picked at random, so that not only unsure items are judged"
    lines = "\n".join(label.lines(found[0], config))
    assert "Agent memory" in lines
    assert "Report five" in lines
    assert "The Blog · 2026-06-12 · https://lab.example/4" in lines


def test_what_the_model_is_sure_of_is_asked_at_random_alone(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    found = ask(asked, config, model, limit=50)
    assert len(found) == 12
    assert {question.picked for question in found if question.item.key in {key(0), key(8), key(9), key(10)}} == {"random"}
    assert {question.picked for question in ask(asked, config, model, limit=50, at_random=True)} == {"random"}


def test_a_queue_is_the_same_when_asked_again_and_another_for_another_person_or_day(
    asked: sqlite3.Connection, config: Config, model: LinearModel
) -> None:
    def order(**how: Any) -> list[str]:
        return [question.item.key for question in ask(asked, config, model, at_random=True, **how)]

    assert order() == order()
    assert order() != order(who="bob")
    assert order() != order(now=AT + timedelta(days=1))


def test_nobody_is_asked_twice_but_another_person_is(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    say(asked, key(4), "agent-memory", 1)
    assert key(4) not in {question.item.key for question in ask(asked, config, model, limit=50)}
    assert ask(asked, config, model, "bob")[0].item.key == key(4)
    say(asked, key(5), "tea", 0)
    assert key(5) in {question.item.key for question in ask(asked, config, model)}, "of another topic it says nothing"


def test_of_a_story_and_of_near_copies_one_is_asked(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    near = spread(4, 5, 5)
    put(asked, config, Entry("Report six, once more", "https://lab.example/copy", "copy", near.text, published_at=NOW))
    tag_all(asked, config)
    found = [question.item.key for question in ask(asked, config, model, limit=50)]
    assert len({key(5), key("copy")} & set(found)) == 1
    list(group(asked, now=AT))
    story = asked.execute("SELECT story FROM story_items JOIN items ON id = item WHERE key = ?", (key(4),)).fetchone()[0]
    asked.execute("UPDATE story_items SET story = ? WHERE item = (SELECT id FROM items WHERE key = ?)", (story, key(3)))
    assert len({key(3), key(4)} & {question.item.key for question in ask(asked, config, model, limit=50)}) == 1
    say(asked, key(4), "agent-memory", 1)
    assert key(3) not in {question.item.key for question in ask(asked, config, model, limit=50)}, "its story was judged"


def test_of_a_topic_without_a_model_what_rules_match_and_what_shares_its_words(db: sqlite3.Connection, config: Config) -> None:
    put(
        db, config, entry(1, "A cooking robot serves lunch"), entry(2, "Kitchens where robots stir soup"), entry(3, "On interest rates"),
        entry(4, "Whisks and ladles, a history"), entry(5, "Ladles for sale"), entry(6, "Of shipping and rates"), entry(7, "Ports"),
    )  # fmt: skip
    tag_all(db, config)
    found = ask(db, config, None, topics=["robot-cooking"], limit=4)
    assert [(one.item.key, one.why) for one in found[:2]] == [
        (key(1), "its rule matched “cooking robot”: rules alone know this topic"),
        (key(2), "shares “robot, kitchen” with the topic's own description"),
    ]
    assert {one.picked for one in found[2:]} == {"random"}
    assert not [one for one in ask(db, config, None, topics=["tea"]) if one.picked == "uncertain"]
    say(db, key(4), "tea", 1)
    put(db, config, entry(8, "History of ladles in ports, docks and ships"), now=iso(LATER))
    likely = [one for one in ask(db, config, None, topics=["tea"]) if one.picked == "uncertain"]
    assert [(one.item.key, one.why) for one in likely] == [
        (key(8), "shares “history, ladle” with the topic and with what was labelled yes")
    ]


def test_only_the_newest_are_looked_at_unless_more_are_asked_for(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    assert {one.item.key for one in ask(asked, config, model, recent=3, limit=50)} == {key(9), key(10), key(11)}
    assert ask(asked, config, model, topics=["agent-memory"], recent=0) == []


def test_topics_take_turns_the_least_judged_first(asked: sqlite3.Connection, config: Config, model: LinearModel) -> None:
    say(asked, key(0), "robot-cooking", 0)
    found = ask(asked, config, model, topics=["robot-cooking", "tea"], limit=4, at_random=True)
    assert [one.topic.id for one in found] == ["tea", "robot-cooking", "tea", "robot-cooking"]


# -- files ----------------------------------------------------------------------------------------------


def rows_of(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute("SELECT item_key, tag, value, who, at, picked, note, withdraws FROM labels ORDER BY id")]


def take(db: sqlite3.Connection, text: str) -> tuple[int, int, dict[int, str]]:
    rows, wrong = label_file.read(text, "labels.csv", who="me", now=LATER)
    with store.transaction(db):
        taken = labels.take(db, rows, NOW)
    return taken.added, taken.known, wrong | taken.wrong


def test_what_is_written_makes_the_same_rows_in_an_empty_database_and_nothing_twice(
    cooked: sqlite3.Connection, config: Config, tmp_path: Path
) -> None:
    with store.transaction(cooked):
        labels.add(cooked, key(1), "topic:tea", 0, who="=ann", picked="random", note='-1 "note", with; signs', now=NOW)
        labels.add(cooked, key(2), "topic:tea", 0, who="'=bob", picked="random", note="'t is not", now=NOW)
    take_back(cooked, say(cooked, key(1), "robot-cooking", 0))
    say(cooked, key(1), "robot-cooking", 0)  # within the same second: yes, undo, yes
    say(cooked, "arxiv:2606.09999", "robot-cooking", 1, "bob")
    cooked.execute("UPDATE items SET title = '=1+1' WHERE key = ?", (key(1),))
    text = label_file.written(cooked)
    assert next(csv.reader(io.StringIO(text))) == list(label_file.COLUMNS)
    assert ",'=1+1\n" in text, "no formula for a spreadsheet"
    assert [row[3] for row in csv.reader(io.StringIO(text))][1:3] == ["'=ann", "''=bob"]
    assert [row[6] for row in csv.reader(io.StringIO(text))][1:3] == ['\'-1 "note", with; signs', "'t is not"]
    other = store.open(tmp_path / "other.db", write=True)
    assert take(other, text) == (6, 0, {})
    assert rows_of(other) == rows_of(cooked)
    assert [row[:7] for row in csv.reader(io.StringIO(label_file.written(other)))] == [row[:7] for row in csv.reader(io.StringIO(text))]
    assert take(other, text) == (0, 6, {})
    put(other, config, entry(1, "A cooking robot in every kitchen"))
    tag_all(other, config)
    assert {topic: said[0] for topic, said in said_of(other, key(1)).items()} == {"tea": "no", "robot-cooking": "no"}
    assert take(cooked, text) == (0, 6, {}), "what was taken back does not come again"
    other.close()


def test_a_file_by_hand_needs_three_columns_and_its_labels_count_at_once(cooked: sqlite3.Connection) -> None:
    text = f"\ufeffkey,tag,value\r\n{key(1)},topic:robot-cooking,no\r\n{key(2)},tea,yes\r\n"
    assert take(cooked, text) == (2, 0, {})
    assert (said_of(cooked, key(1))["robot-cooking"][0], said_of(cooked, key(2))["tea"][0]) == ("no", "confident")
    assert take(cooked, text) == (0, 2, {})
    assert {(one.who, one.picked, one.at) for one in labels.current(cooked)} == {("me", "browse", NOW)}
    assert take(cooked, f"key,tag,value\n{key(2)},tea,undo\n") == (1, 0, {})
    assert said_of(cooked, key(2)) == {}


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("no key,topic:tea,1,,,", "key must begin with arxiv:"),
        ("url:https://,topic:tea,1,,,", "key is neither that of an item nor in the form of one: 'url:https://'"),
        ("arxiv:memory,topic:tea,1,,,", "key is neither that of an item nor in the form of one: 'arxiv:memory'"),
        ("guid:blog:\x1b[31mred,topic:tea,1,,,", "key holds signs that cannot be printed, or spaces that no key has: 'guid:blog:red'"),
        ("guid:blog:a\u202eb,topic:tea,1,,,", "key holds signs that cannot be printed"),
        (f"guid:blog:{'g' * 2_100},topic:tea,1,,,", "key is too long: 2,110 characters, and none of an item has more than 2,100"),
        (f"url:https://a.example/,topic:{'t' * 101},1,,,", "tag must be like topic:agent-memory, of at most 100 letters"),
        ("url:https://a.example/,by:openai,1,,,", "topics and stories can be labelled so far, not 'by:openai'"),
        ("url:https://a.example/,topic:Te a,1,,,", "tag must be like topic:agent-memory"),
        ("url:https://a.example/,topic:tea,2,,,", "value must be 1 or yes, 0 or no, or undo, not '2'"),
        ("url:https://a.example/,topic:tea,1,ann,yesterday,", "at must be like 2026-06-12T06:10:00Z, not 'yesterday'"),
        ("url:https://a.example/,topic:tea,1,ann,2036-01-01T00:00:00Z,", "at lies in the future"),
        ("url:https://a.example/,topic:tea,1,ann,,guess", "picked must be uncertain, random, browse, not 'guess'"),
        ("url:https://a.example/,topic:tea,undo,ann,,", "there is no label by ann of this item and tag to take back"),
        ("url:https://a.example/", "tag must be like topic:agent-memory"),
    ],
)
def test_a_row_that_is_no_label_is_named_by_its_line_and_the_others_are_taken(cooked: sqlite3.Connection, row: str, wrong: str) -> None:
    added, known, found = take(cooked, f"key,tag,value,who,at,picked\n{key(1)},tea,1,ann,{NOW},browse\n{row}\n{key(2)},tea,1,,,\n")
    assert (added, known, list(found)) == (2, 0, [3])
    assert wrong in found[3]


def test_keys_of_a_file_are_read_as_people_write_them(cooked: sqlite3.Connection) -> None:
    text = "key,tag,value\nurl:HTTPS://WWW.lab.example/2/?utm_source=z,tea,1\narxiv:2606.00001v2,tea,1\nurl:http://a.example/log#v2,tea,0\n"
    rows, wrong = label_file.read(text, "labels.csv", who="me", now=LATER)
    assert wrong == {}
    for added, known in ((3, 0), (0, 3)):
        with store.transaction(cooked):
            assert labels.take(cooked, rows, NOW) == labels.Taken(added, known, {}, 2)
    assert said_of(cooked, key(2))["tea"][0] == "confident"
    assert [row[0] for row in rows_of(cooked)] == [key(2), "arxiv:2606.00001", "url:https://a.example/log#v2"]


def test_a_row_is_known_by_any_key_of_its_item(cooked: sqlite3.Connection) -> None:
    row = f"arxiv:2606.00001,tea,1,ann,{NOW}"
    assert take(cooked, f"key,tag,value,who,at\n{row}\n") == (1, 0, {})
    cooked.execute("INSERT INTO item_keys SELECT 'arxiv:2606.00001', id FROM items WHERE key = ?", (key(1),))
    assert take(cooked, f"key,tag,value,who,at\n{row}\n{key(1)},tea,1,bob,{NOW}\n") == (1, 1, {})
    assert take(cooked, label_file.written(cooked)) == (0, 2, {})


@pytest.mark.parametrize("values", ["yes no", "yes no yes", "undo", "undo no", "no undo", "yes no undo"])
def test_a_file_without_times_adds_nothing_the_second_time(cooked: sqlite3.Connection, values: str) -> None:
    for value in (0, 1):  # two layers, so that an undo has something left to take back, wrongly
        say(cooked, key(2), "tea", value, "me", iso(AT - timedelta(hours=2 - value)))
    text = "key,tag,value\n" + "".join(f"{key(2)},tea,{value}\n" for value in values.split())
    assert take(cooked, text)[2] == {}
    before = rows_of(cooked)
    assert take(cooked, text) == (0, len(values.split()), {})
    assert rows_of(cooked) == before
    assert (len(before) > 2) == (values != "yes no yes"), "which is what stands already"


@pytest.mark.parametrize("sign", [";", "\t"])
def test_a_file_with_another_separator_is_told_that_it_must_be_a_comma(cooked: sqlite3.Connection, sign: str) -> None:
    with pytest.raises(TrackerError, match=r"^labels\.csv: the separator must be a comma"):
        take(cooked, f"key,tag,value\n{key(1)},tea,yes\n".replace(",", sign))
    assert rows_of(cooked) == []


@pytest.mark.parametrize(("text", "said"), [("", "no column key, tag, value"), ("a,b\n1,2\n", "no column"), ("key,tag,value\n\0", "")])
def test_what_is_no_file_of_labels_is_refused(cooked: sqlite3.Connection, text: str, said: str) -> None:
    if said:
        with pytest.raises(TrackerError, match=f"labels.csv: has {said}"):
            take(cooked, text)
    else:  # Python 3.11 and later read a NUL as a letter
        assert take(cooked, text)[0] == 0


# -- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def home(cooked: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user stands: feeds.toml, and the database of ``cooked``."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tracker(*arguments: str, **how: Any) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--now", iso(LATER)], catch_exceptions=False, **how)


def test_one_label_by_key_address_or_id(home: Path, cooked: sqlite3.Connection) -> None:
    number = str(cooked.execute("SELECT id FROM items WHERE key = ?", (key(1),)).fetchone()[0])
    for named in (key(1), "http://www.lab.example/1/?utm_source=x", number):
        assert (
            tracker("label", named, "robot-cooking", "no", "--who", "ann").stdout
            == "no for robot-cooking: A cooking robot in every kitchen\n"
        )
    assert [(one.key, one.tag, one.value, one.who, one.picked) for one in labels.current(cooked)] == [
        (key(1), "topic:robot-cooking", 0, "ann", "browse")
    ]
    assert tracker("label", key(1), "topic:robot-cooking", "undo", "--who", "ann").exit_code == 0
    assert labels.current(cooked) == []
    nothing = tracker("label", key(1), "topic:robot-cooking", "undo", "--who", "ann")
    assert (nothing.exit_code, nothing.stderr) == (1, f"tracker: ann has no label of {key(1)} for topic:robot-cooking to take back\n")


def test_an_undo_says_what_counts_then(home: Path, cooked: sqlite3.Connection) -> None:
    for who, answer in (("ann", "NO"), ("ann", "Yes"), ("bob", "yes")):
        tracker("label", key(1), "tea", answer, "--who", who)

    def undo(who: str) -> str:
        return tracker("label", key(1), "tea", "Undo", "--who", who).stdout.removesuffix(": A cooking robot in every kitchen\n")

    assert undo("ann") == "tea: taken back; bob's yes counts now"
    assert undo("bob") == "tea: taken back; ann's no counts now"
    tracker("label", key(1), "tea", "yes", "--who", "ann")
    assert undo("ann") == "tea: taken back; your earlier no counts again"
    assert said_of(cooked, key(1))["tea"][0] == "no"
    assert undo("ann") == "tea: taken back; the model decides again when it is tagged"
    assert waits(cooked, "tag") == 1
    tracker("label", "2606.32025", "tea", "yes")
    assert tracker("label", "2606.32025", "tea", "undo").stdout == "tea: taken back; nothing is said of it any more: arxiv:2606.32025\n"


def test_of_two_who_disagree_the_newest_word_counts_and_the_answer_says_so(home: Path, cooked: sqlite3.Connection) -> None:
    def answer(value: str, who: str, now: str) -> str:
        said = CliRunner().invoke(cli, ["label", key(1), "tea", value, "--who", who, "--now", now])
        return said.stdout.removeprefix(f"{value} for tea: A cooking robot in every kitchen").strip()

    assert answer("yes", "ann", NOW) == ""
    assert answer("yes", "bob", NOW) == ""
    assert answer("no", "bob", iso(LATER)) == ""
    assert answer("no", "cat", iso(LATER)) == ""
    assert answer("yes", "ann", iso(LATER)) == "(this overrules cat's no, the newest word counts)"
    assert said_of(cooked, key(1))["tea"][:2] == ("confident", ["labelled yes by ann"]), "said again, it is the newest word"
    assert answer("yes", "ann", iso(LATER)) == ""
    assert answer("no", "dan", NOW) == "", "it is older than what it denies"
    assert said_of(cooked, key(1))["tea"][0] == "confident"


@pytest.mark.parametrize("number", ["2606.32025", "2606.32025v3", "arxiv:2606.32025"])
def test_an_arxiv_number_names_a_paper(home: Path, cooked: sqlite3.Connection, number: str) -> None:
    assert tracker("label", number, "tea", "YES").exit_code == 0
    assert [(one.key, one.value) for one in labels.current(cooked)] == [("arxiv:2606.32025", 1)]


def test_a_question_shows_the_whole_definition_and_breaks_at_words(db: sqlite3.Connection, tmp_path: Path) -> None:
    definition = " ".join(f"clause-{n}" for n in range(80)) + " but not tea from bags."
    (tmp_path / "feeds.toml").write_text(FEEDS.replace("Leaves, kettles and infusions.", definition))
    config = load(str(tmp_path / "feeds.toml"))
    text = " ".join(f"word{n:04}" for n in range(400))
    put(db, config, entry(1, "On kettles", text))
    (question,) = ask(db, config, None, topics=["tea"])
    for width, widest in ((60, 60), (300, 100)):
        lines = list(label.lines(question, config, width=width, lead="1/9  "))
        assert max(map(len, lines)) <= widest
        shown = " ".join(line.strip() for line in lines)
        assert shown.startswith(f"1/9  Brewing tea: {definition} On kettles")
        assert "word0150 word0151" in shown
        assert text[:1_480].rpartition(" ")[0] in shown
        assert text[:1_600] not in shown


def test_a_question_is_as_wide_as_the_terminal(home: Path, cooked: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    cooked.execute("UPDATE items SET title = 'Robots ' || replace(hex(zeroblob(40)), '00', 'stir ') WHERE key = ?", (key(1),))
    for columns in (40, 70):
        monkeypatch.setenv("COLUMNS", str(columns))
        shown = tracker("label", "--topic", "tea", "--random", "--who", "ann", "--limit", "2").stdout.splitlines()
        (longest,) = {max(len(line) for line in shown if "stir" in line)}
        assert columns - 6 < longest <= columns


def test_a_label_of_an_item_to_come_is_kept(home: Path, cooked: sqlite3.Connection) -> None:
    said = tracker("label", "https://arxiv.org/abs/2606.01234v2", "tea", "yes", "--json", "--note", "seen elsewhere")
    assert json.loads(said.stdout) | {"who": ""} == {
        "key": "arxiv:2606.01234",
        "tag": "topic:tea",
        "answer": "yes",
        "who": "",
        "known": False,
        "changes": "",
    }
    assert [(one.key, one.note) for one in labels.current(cooked)] == [("arxiv:2606.01234", "seen elsewhere")]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((key(1), "by:openai", "yes"), 2, "topics and stories can be labelled so far, not by: tags; 'by:openai' is not stored"),
        ((key(1), "robot-coking", "yes"), 2, "there is no topic 'robot-coking'; did you mean 'robot-cooking'?"),
        (("whatever", "tea", "yes"), 1, "'whatever' names no item"),
        (("guid:blog:\x1b[31mred", "tea", "yes"), 1, "'guid:blog:red' names no item"),
        (("guid:blog:\udcff", "tea", "yes"), 1, "names no item"),  # bytes that are no UTF-8
        (("20260612999999", "tea", "yes"), 1, "'20260612999999' names no item"),
        ((key(1), "tea", "perhaps"), 2, "'perhaps' is not one of 'yes', 'no', 'undo'"),
        ((key(1), "tea"), 2, "say yes, no or undo: tracker label KEY TAG yes\n"),
        ((key(1),), 2, "say yes, no or undo: tracker label KEY TAG yes\n"),
        ((key(1), "--export", "-"), 2, "say one thing"),
        (("--topic", "teas"), 2, "did you mean 'tea'?"),
        (("--import", "nowhere.csv"), 1, "nowhere.csv cannot be read: No such file or directory"),
        (("--export", "no/such/folder.csv"), 1, "no/such/folder.csv cannot be written"),
    ],
)  # fmt: skip
def test_what_cannot_be_labelled_is_said(home: Path, cooked: sqlite3.Connection, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = tracker("label", *arguments)
    assert result.exit_code == code
    assert said in result.stderr
    assert labels.current(cooked) == []


def test_without_a_database_there_is_nothing_to_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "feeds.toml").write_text(FEEDS)
    assert "does not exist; `tracker run` makes it" in tracker("label").stderr
    assert not (tmp_path / "data").exists()


def test_outside_a_terminal_the_next_question_and_how_to_answer_it(home: Path) -> None:
    said = tracker("label", "--topic", "robot-cooking", "--who", "ann")
    assert said.exit_code == 0
    assert "Robot cooking: Robots that cook in kitchens." in said.stdout
    assert f"Answer: tracker label {key(1)} robot-cooking yes|no" in said.stdout
    (fact, *more) = json.loads(tracker("label", "--topic", "robot-cooking", "--json", "--limit", "2", "--who", "ann").stdout)
    assert (fact["key"], fact["tag"], fact["picked"], len(more)) == (key(1), "topic:robot-cooking", "uncertain", 1)


def test_an_item_whose_key_steers_the_terminal_is_answered_by_its_number(home: Path, cooked: sqlite3.Connection) -> None:
    cooked.execute("UPDATE items SET key = 'guid:blog:' || char(27) || '[31m' WHERE key = ?", (key(1),))
    number = cooked.execute("SELECT id FROM items WHERE key GLOB 'guid:*'").fetchone()[0]
    assert f"Answer: tracker label {number} robot-cooking yes|no" in tracker("label", "--topic", "robot-cooking", "--who", "ann").stdout


def test_a_model_that_cannot_be_used_is_told_before_the_questions(home: Path, cooked: sqlite3.Connection) -> None:
    assert tracker("label", "--topic", "robot-cooking").stderr == ""
    cooked.execute("INSERT INTO models VALUES ('own-12345678', ?, 'champion', 1, 'x', 'own-12345678', 'x', 'Chosen.')", (NOW,))
    told = tracker("label", "--topic", "robot-cooking")
    assert told.exit_code == 0
    assert told.stderr.startswith("Not the model in use picks the questions: the model own-12345678 cannot be used (")
    assert "the shipped model tags in its place" in told.stderr
    assert "Answer: tracker label" in told.stdout


def test_out_to_a_file_and_into_an_empty_database(home: Path, cooked: sqlite3.Connection) -> None:
    tracker("label", key(1), "tea", "no", "--who", "ann")
    assert tracker("label", "--export", "mine.csv").stdout == "Wrote mine.csv: 1 row.\n"
    assert (home / "mine.csv").read_text() == tracker("label", "--export", "-").stdout
    (home / "mine.csv").write_text((home / "mine.csv").read_text() + f"{key(2)},tea,perhaps\n{key(2)},other,1\n")
    result = tracker("--db", "new/tracker.db", "label", "--import", "mine.csv")
    assert result.stdout.splitlines() == [
        "2 added, 0 known before, 1 not understood.", "2 items not known yet: the labels are kept and count when the items arrive.",
        "Kept, but of topics that feeds.toml does not have: other.",
    ]  # fmt: skip
    assert "mine.csv:3: value must be" in result.stderr
    assert result.exit_code == 1
    fresh = store.open(home / "new" / "tracker.db")
    assert rows_of(fresh)[:1] == rows_of(cooked)
    fresh.close()


@pytest.fixture
def terminal(home: Path) -> Iterator[Terminal]:
    pytest.importorskip("pty", reason="no terminals of this kind here")
    made = Terminal(home)
    yield made
    made.close()


class Terminal:
    """`tracker label` as a person at a terminal has it."""

    def __init__(self, home: Path) -> None:
        import pty

        self.ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "tracker", "label", "--topic", "robot-cooking", "--who", "ann", "--now", iso(LATER)]
        self.process = subprocess.Popen(command, cwd=home, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, close_fds=True)
        os.close(theirs)
        self.shown = b""

    def until(self, words: str) -> str:
        """What is shown up to and with these words; what has come beyond them is kept for the next call."""
        while words.encode() not in self.shown:
            ready, _, _ = select.select([self.ours], [], [], 30)
            assert ready, f"waited for {words!r}, saw {self.shown!r}"
            self.shown += os.read(self.ours, 4096)
        before, found, self.shown = self.shown.partition(words.encode())
        return (before + found).decode()

    def press(self, key: str) -> None:
        """Press it once the program listens: what is typed before, a program that switches to single keys throws away."""
        import termios

        deadline = time.monotonic() + 30
        while termios.tcgetattr(self.ours)[3] & termios.ICANON:
            assert time.monotonic() < deadline, "it does not listen"
            time.sleep(0.005)
        os.write(self.ours, key.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.ours)


def test_in_a_terminal_one_key_an_answer(cooked: sqlite3.Connection, terminal: Terminal) -> None:
    def now() -> list[tuple[str, int, str]]:
        return [(one.key, one.value, one.picked) for one in labels.current(cooked) if one.tag == "topic:robot-cooking"]

    say(cooked, key(1), "no-longer-a-topic", 1)
    first = terminal.until("q quit")
    assert 'Is it on "Robot cooking"?  y yes  n no  s skip' in first
    assert "1/2  Robot cooking: Robots that cook in kitchens." in first
    assert "A cooking robot in every kitchen" in first
    assert "Why: its rule matched “cooking robot”" in first
    assert "Words: cooking robot" in first
    terminal.press("u")
    terminal.until("no answer in this sitting to take back")
    terminal.until("q quit")
    terminal.press("x")
    terminal.until("y, n, s, u or q")
    terminal.press("n")
    assert "2/2" in terminal.until("q quit")
    assert now() == [(key(1), 0, "uncertain")]
    assert said_of(cooked, key(1))["robot-cooking"][0] == "no"
    terminal.press("u")
    terminal.until("taken back")
    assert "1/2" in terminal.until("q quit")
    assert now() == []
    terminal.press("Y")
    assert "picked at random" in terminal.until("q quit")
    terminal.press("s")
    assert "1 answered, 1 label in all; `tracker train` learns from it." in terminal.until("learns from it.")
    assert terminal.process.wait(60) == 0
    assert now() == [(key(1), 1, "uncertain")]


@pytest.mark.parametrize("way_out", ["q", "\x03", "\x04"], ids=["q", "Ctrl-C", "end of input"])
def test_a_sitting_ends_when_the_person_wants(cooked: sqlite3.Connection, terminal: Terminal, way_out: str) -> None:
    terminal.until("q quit")
    terminal.press(way_out)
    assert "0 answered, 0 labels in all" in terminal.until("learns from them.")
    assert terminal.process.wait(60) == 0


# -- to tag again -------------------------------------------------------------------------------------------


def test_a_dry_run_says_what_tagging_again_then_does_and_writes_nothing(cooked: sqlite3.Connection, config: Config, home: Path) -> None:
    put(cooked, config, entry(3, "Robots stir tea"), entry(4, "The cooking robots of old"), entry(5, "My cooking robot"))
    tag_all(cooked, config)
    say(cooked, key(5), "robot-cooking", 1)
    (home / "feeds.toml").write_text(FEEDS.replace('"cook* robot*"', '"stir*"'))
    changed = load("feeds.toml")
    before = list(cooked.iterdump())
    told = tag.preview(cooked, changed, AT - timedelta(days=1), taggers=by_rules(changed))
    assert list(cooked.iterdump()) == before
    assert told.as_dict() == {
        "items": 5,
        "topics": {"robot-cooking": {"came": [key(3)], "went": [key(1), key(4)], "sure": [], "unsure": []}},
        "problem": "",
    }
    assert list(tag.preview_lines(told, titles=1)) == [
        "5 items would be tagged again; nothing is changed yet.", "robot-cooking: 1 in, 2 out", "  + Robots stir tea",
        "  - A cooking robot in every kitchen", "  - … and 1 more",
    ]  # fmt: skip
    old = tags.tiers(cooked, [row[0] for row in cooked.execute("SELECT id FROM items")])
    tag_all(cooked, changed, again_since=AT - timedelta(days=1))
    new = tags.tiers(cooked, [row[0] for row in cooked.execute("SELECT id FROM items")])
    keys = {row["id"]: row["key"] for row in cooked.execute("SELECT id, key FROM items")}
    assert {keys[item] for item in new.keys() - old.keys()} == {key(3)}
    assert {keys[item] for item in old.keys() - new.keys()} == {key(1), key(4)}
    assert said_of(cooked, key(5))["robot-cooking"] == ("confident", ["labelled yes by ann"], tags.LABEL)


def test_the_command_shows_the_changes_and_makes_none(home: Path, cooked: sqlite3.Connection) -> None:
    before = list(cooked.iterdump())
    said = tracker("tag", "--again", "--since", "7d", "--dry-run", "--json")
    assert (said.exit_code, json.loads(said.stdout)["items"]) == (0, 2)
    assert "2 items would be tagged again; nothing is changed yet." in tracker("tag", "--again", "--since", "7d", "--dry-run").stdout
    assert list(cooked.iterdump()) == before
    assert tracker("tag", "--dry-run").exit_code == 2


# A person's `tracker tag --again`, that says when a batch is stored. Rules alone tag, so that it does not matter which model is shipped.
RETAG = """
import sys
from datetime import timedelta
from tests.test_label import AT, by_rules
from tracker import config, store, tag
loaded = config.load("feeds.toml")
with store.run_lock(__import__("pathlib").Path("data")):
    db = store.open("data/tracker.db", write=True)
    for batch in tag.tag(db, loaded, now=AT, again_since=AT - timedelta(days=1), taggers=by_rules(loaded)):
        print(batch.items, flush=True)
        sys.stdin.readline()
"""


def test_to_tag_again_goes_on_where_it_was_killed_and_labels_stand(
    db: sqlite3.Connection, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(db, config, *(entry(n, f"A cooking robot, number {n}" if n % 2 else f"Robots stir soup {n}") for n in range(tag.BATCH * 3)))
    tag_all(db, config)
    say(db, key(1), "robot-cooking", 1)
    say(db, key(tag.BATCH * 3 - 2), "robot-cooking", 0)
    (tmp_path / "feeds.toml").write_text(FEEDS.replace('"cook* robot*"', '"stir*"'))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    process = subprocess.Popen(
        [sys.executable, "-c", RETAG], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"{tag.BATCH}\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert waits(db, "tag") == tag.BATCH * 2, "the first batch is done, the rest is not forgotten"
    changed = load(str(tmp_path / "feeds.toml"))
    tag_all(db, changed)
    assert waits(db, "tag") == 0
    on_topic = {row[0] for row in db.execute("SELECT key FROM items JOIN item_topics ON item = id WHERE tier <> 'no'")}
    assert on_topic == {key(n) for n in range(0, tag.BATCH * 3 - 2, 2)} | {key(1)}
    assert said_of(db, key(1))["robot-cooking"] == ("confident", ["labelled yes by ann"], tags.LABEL)
    assert said_of(db, key(tag.BATCH * 3 - 2))["robot-cooking"][0] == "no"


def test_items_are_looked_at_as_they_are_tagged(cooked: sqlite3.Connection) -> None:
    cooked.execute(
        """INSERT INTO readings(item, what, url, outcome, text, sha256, fetched_at)
        SELECT id, 'article', url, 'read', 'What the page says.', 'x', ? FROM items WHERE key = ?""",
        (NOW, key(1)),
    )
    cooked.execute("INSERT INTO pending(stage, item, due_at) SELECT 'tag', id, ? FROM items", (NOW,))
    assert stored.seen_since(cooked, NOW, 9) == stored.pending(cooked, "tag", 9) == stored.newest(cooked, 9)[::-1]
    assert stored.newest(cooked, 9)[-1].text == "What the page says."
    assert stored.seen_since(cooked, iso(LATER), 9) == []
