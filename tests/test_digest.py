"""Digests: each development once, nothing forgotten, nothing claimed that was not looked at. Real store, real files, texts of ours."""

from __future__ import annotations

import email
import email.policy
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.archive import into_story
from tracker import digest, group, notifiers, store
from tracker.clock import iso
from tracker.compose import MAX_HTML, Matter, Story, compose, importance
from tracker.config import Config
from tracker.matching import rungs_of
from tracker.notifiers import Mail, MailError, Outcome, smtp
from tracker.store import digests, gaps, items, labels, runs, sources, tags, watches
from tracker.store.digests import Health, Line
from tracker.types import Attribution, DigestPlan, Entry, Event, Item, Lab, Polled, Source, Tag, Topic, Watch

NOW = datetime(2026, 6, 12, 6, tzinfo=UTC)  # a Friday
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LAB, PRESS, ARXIV = (
    Source("lab", "feed", "https://lab.example/feed", "Example Lab", lab="example-lab", origin="official"),
    Source("press", "feed", "https://press.example/feed", "The Press", origin="press"),
    Source("arxiv", "arxiv", "https://arxiv.example/q", "arXiv", origin="paper"),
)
PLAN = DigestPlan("daily", ("one@example.org",), sender="tracker@example.org")
QUESTION = Watch("paper", "Has Example Lab published a paper?", ("example-lab",), ("example-lab",), (), ("learning",))
TOPICS = (Topic("learning", "Online learning"), Topic("memory", "Agent memory"))
LABS = (Lab("example-lab", "Example Lab", "frontier"), Lab("other-lab", "Other Lab", "frontier"))


def configured(*plans: DigestPlan, **changes: Any) -> Config:
    config = Config("feeds.toml", "you@example.org", None, (LAB, PRESS, ARXIV), TOPICS, LABS, (QUESTION,), plans or (PLAN,))
    return replace(config, **changes)


class World:
    """A database as the stages before leave it, without their models: what is posted is on the topic that the test says."""

    def __init__(self, db: sqlite3.Connection, config: Config | None = None) -> None:
        self.db, self.config, self.now, self.posted = db, config or configured(), NOW, 0
        with store.transaction(db):
            sources.sync(db, self.config.sources, iso(NOW))
            sources.sync_registry(db, self.config.topics, self.config.labs, iso(NOW))
            watches.sync(db, self.config.watches, iso(NOW))
            watches.looked(db, [asked.id for asked in self.config.watches], None)

    def run(self, *failing: str, after: timedelta = timedelta()) -> World:
        """A run: every source is asked, those named fail."""
        self.now += after
        with store.transaction(self.db):
            run = runs.start(self.db, iso(self.now), "0")
            for source in self.config.sources:
                error = "connection: no route" if source.id in failing else None
                polled = Polled(source.id, "connection" if error else "nothing new", 0.1, 100, 0 if error else 5, error=error)
                sources.record(self.db, polled, run=run, now=iso(self.now), status=200, next_poll_at=iso(self.now + 6 * HOUR))
            runs.finish(self.db, run, iso(self.now), {})
        return self

    def post(
        self, title: str, *, source: Source = PRESS, tier: str = "confident", score: float = 0.9, topic: str | None = "learning",
        by: str = "", about: str = "", story: int | None = None, backlog: bool = False, url: str | None = None, cue: str | None = None,
        act: str = "report", denial: str | None = None,
    ) -> tuple[int, int]:  # fmt: skip
        """An item, as the stages leave it; its id and its story."""
        self.posted += 1
        entry = Entry(
            title, url or f"https://{source.id}.example/{self.posted}", f"{self.posted}", "Our own words.", published_at=iso(self.now)
        )
        with store.transaction(self.db):
            known = {row[0] for row in self.db.execute("SELECT id FROM items")}
            items.save(self.db, source, [entry], now=iso(self.now), first=backlog, old_before=None)
            item = next(row[0] for row in self.db.execute("SELECT id FROM items") if row[0] not in known)
            labs = [Attribution(lab, how, "name", "stated", f"of {lab}") for lab, how in ((by, "by"), (about, "about")) if lab]
            labs += [Attribution(source.lab, "by", "source", "declared", "the source is theirs")] if source.lab else []
            found = [Tag(topic, score, tier, (("feedback", 0.5), ("agents", 0.2)), "model-1")] if topic else []
            signals = tags.Signals(source.origin, act, "words", "yes" if cue else None, cue, denial)
            made = Item(item, f"url:{entry.url}", source.id, entry.url, title, published_at=iso(self.now), first_seen_at=iso(self.now))
            tags.save(self.db, made, found, labs, signals, registry="r", now=iso(self.now), done=True)
            joined = into_story(self.db, item, story, 1.0, "the same title" if story else "first of its story", iso(self.now))
            watches.put_rungs(self.db, {facts.item: rungs_of(facts) for facts in watches.facts(self.db, [item])})
            watches.done(self.db, [item])
        return item, joined

    def event(self, item: int, rung: str, *, lab: str = "example-lab", quiet: bool = False, watch: str = "paper") -> None:
        event = Event(watch, item, lab, rung, iso(self.now), 0.9, ("on learning (0.90)", f"by {lab} (the source declares it)", "a paper"))
        with store.transaction(self.db):
            watches.save(self.db, [watch], [(item, [event])], iso(self.now), quiet=quiet)

    def mail(self, after: timedelta = DAY, *, send: bool = False, **changes: Any) -> list[digest.Sent]:
        """Time goes by, a run, and the digests that are due."""
        self.run(after=after)
        return list(digest.digest(self.db, self.config, now=self.now, send=send))

    @property
    def digests(self) -> list[sqlite3.Row]:
        return self.db.execute("SELECT * FROM digests ORDER BY id").fetchall()

    def told(self, item: int) -> list[str]:
        """In which sections an item was told, oldest first."""
        return [row[0] for row in self.db.execute("SELECT section FROM digest_items WHERE item = ? ORDER BY digest", (item,))]


@pytest.fixture
def world(db: sqlite3.Connection) -> World:
    """A day on which the first digest was written; nothing has happened since."""
    made = World(db).run()
    list(digest.digest(db, made.config, now=made.now, send=False))
    with store.transaction(db):
        db.execute("UPDATE digests SET status = 'sent'")
    return made


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    """A notifier that keeps what it gets, and fails as told."""
    made = Sink()
    monkeypatch.setattr(notifiers, "load", lambda via: made)
    return made


class Sink:
    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.problem: BaseException | None = None
        self.outcome = Outcome()

    def send(self, mail: Mail, options: Mapping[str, object]) -> Outcome:
        if isinstance(self.problem, MailError):
            raise self.problem
        self.mails.append(mail)
        if self.problem:
            raise self.problem
        return self.outcome


# -- what is told ---------------------------------------------------------------------------------------


def test_the_first_digest_says_that_it_is_the_first(world: World) -> None:
    (first,) = world.digests
    assert "This is the first digest" in first["text"]
    assert first["period_from"] == first["period_to"] == iso(NOW)


def test_an_item_is_told_once(world: World) -> None:
    item, _ = world.post("Agents that learn on the job")
    world.mail()
    assert "Agents that learn on the job" in world.digests[-1]["text"]
    with store.transaction(world.db):
        world.db.execute("UPDATE digests SET status = 'sent'")
    world.mail()
    assert "Agents that learn on the job" not in world.digests[-1]["text"]
    assert len(world.digests) == 3
    assert world.told(item) == ["confident"]


UNTOLD = {
    "backlog": {"backlog": True},
    "off topic": {"topic": None},
    "judged off topic": {"tier": "no"},
}


@pytest.mark.parametrize("how", UNTOLD.values(), ids=UNTOLD)
def test_what_is_never_mailed(world: World, how: dict[str, Any]) -> None:
    item, _ = world.post("Something else", **how)
    world.mail()
    assert "Something else" not in world.digests[-1]["text"]
    assert world.told(item) == []


def test_a_story_is_one_block_with_a_link_to_each_item(world: World) -> None:
    first, story = world.post("Agents that learn", source=LAB, url="https://lab.example/learn")
    second, _ = world.post("Example Lab has agents that learn", about="example-lab", story=story, url="https://press.example/learn")
    world.mail()
    text, html = world.digests[-1]["text"], world.digests[-1]["html"]
    for part in ("https://lab.example/learn", "https://press.example/learn", "by Example Lab", "stated", "The Press", "“feedback”"):
        assert part in text
        assert part in html
    assert "Example Lab has agents that learn" not in text
    assert "by Example Lab (the source declares it)" in " ".join(text.split())
    assert world.told(first) == world.told(second) == ["confident"]


def test_an_item_off_topic_is_told_with_its_story(world: World) -> None:
    _, story = world.post("Rumour of a release", about="example-lab")
    off, _ = world.post("Release", source=LAB, topic=None, story=story)
    world.mail()
    assert world.told(off) == ["confident"]


def settle(world: World) -> None:
    with store.transaction(world.db):
        world.db.execute("UPDATE digests SET status = 'sent'")


def test_a_story_is_told_again_when_its_rung_has_risen(world: World) -> None:
    _, story = world.post("Rumour: agents that learn", about="example-lab", cue="sources say")
    world.mail()
    assert "unconfirmed: “sources say”" in " ".join(world.digests[-1]["text"].split())
    settle(world)
    item, _ = world.post("Agents that learn", source=LAB, story=story)
    world.mail()
    assert "Told before as reported; now also stated." in world.digests[-1]["text"]
    assert world.told(item) == ["confident"]


def plain(text: str) -> str:
    """A text part without its line breaks."""
    return " ".join(text.split())


def test_a_story_is_told_again_when_it_is_denied_and_only_once(world: World) -> None:
    _, story = world.post("Rumour: agents that learn", about="example-lab", cue="sources say")
    world.mail()
    assert "denied" not in world.digests[-1]["text"]
    settle(world)
    item, _ = world.post("No agents", about="example-lab", story=story, denial="denies reports", url="https://press.example/no")
    world.mail()
    text, html = world.digests[-1]["text"], world.digests[-1]["html"]
    assert "Told before as reported; denied since." in text
    assert "unconfirmed: “sources say” — denied later: “denies reports”, The Press, 13 June https://press.example/no" in plain(text)
    linked = r'unconfirmed: “sources say”</span>\s+— <a [^>]*href="https://press.example/no"[^>]*>denied later: “denies reports”'
    assert re.search(linked, html)
    assert text.count("https://press.example/no\n") == 1
    assert world.told(item) == ["confident"]
    settle(world)
    again, _ = world.post("No agents, once more", about="example-lab", story=story, denial="refutes")
    world.mail()
    assert "Nothing new on your topics" in world.digests[-1]["text"]
    assert world.told(again) == ["more"]


def test_a_denial_by_the_lab_itself_is_a_new_rung_and_shown_beside_the_rumour(world: World) -> None:
    _, story = world.post("Rumour: agents that learn", about="example-lab", cue="sources say")
    world.mail()
    settle(world)
    world.post("Correction: our agents", source=LAB, story=story, denial="Correction")
    world.mail()
    text = plain(world.digests[-1]["text"])
    assert "Told before as reported; now also stated; corrected since." in text
    assert "unconfirmed: “sources say” — corrected later: “Correction”, Example Lab, 13 June" in text
    settle(world)
    world.mail()
    assert "Nothing new on your topics" in world.digests[-1]["text"]


def test_a_story_that_is_denied_when_it_is_first_told_is_told_once(world: World) -> None:
    _, story = world.post("Rumour: agents that learn", about="example-lab", cue="sources say", tier="maybe")
    world.post("No agents", about="example-lab", story=story, denial="denies", tier="maybe", url="javascript:alert(1)")
    world.mail()
    text, html = world.digests[-1]["text"], world.digests[-1]["html"]
    assert "unconfirmed: “sources say” — denied later: “denies”, The Press" in plain(text)
    assert "Told before" not in text
    assert "javascript:" not in text + html
    assert [row[0] for row in world.db.execute("SELECT DISTINCT rung FROM digest_items WHERE story = ?", (story,))] == ["reported, denied"]
    settle(world)
    world.post("No agents, once more", about="example-lab", story=story, denial="refutes")
    world.mail()
    assert "Nothing new on your topics" in world.digests[-1]["text"]


def test_a_denial_of_nothing_is_no_news(world: World) -> None:
    _, story = world.post("Agents that learn", about="example-lab")
    world.mail()
    settle(world)
    world.post("No agents", about="example-lab", story=story, denial="denies")
    world.mail()
    assert "Nothing new on your topics" in world.digests[-1]["text"]


def test_the_rungs_of_a_digest_are_those_that_are_stored(world: World) -> None:
    item, _ = world.post("Agents that learn", about="example-lab")
    with store.transaction(world.db):
        watches.put_rungs(world.db, {item: [("shipped", "example-lab", "released: “now”")]})
    world.mail()
    assert world.db.execute("SELECT rung FROM digest_items").fetchone()[0] == "shipped"


def test_what_waits_for_the_watches_has_its_rungs_all_the_same(world: World) -> None:
    """After an upgrade, or a run that was killed before the watches."""
    item, _ = world.post("Our agents learn", source=LAB, act="release")
    with store.transaction(world.db):
        world.db.execute("DELETE FROM rungs")
        world.db.execute("INSERT INTO pending(stage, item, due_at) VALUES ('watch', ?, ?)", (item, iso(NOW)))
    world.mail()
    assert world.db.execute("SELECT rung FROM digest_items WHERE item = ?", (item,)).fetchone()[0] == "shipped"


def test_what_a_person_takes_out_of_a_story_is_told_if_no_mail_has_shown_it(world: World) -> None:
    def sent() -> None:
        world.mail()
        with store.transaction(world.db):
            world.db.execute("UPDATE digests SET status = 'sent'")

    told, story = world.post("Agents that learn on the job")
    sent()
    hidden, _ = world.post("A wholly different robot learns", story=story)
    sent()
    assert (world.told(told), world.told(hidden)) == (["confident"], ["more"])
    with store.transaction(world.db):
        keys = [world.db.execute("SELECT key FROM items WHERE id = ?", (item,)).fetchone()[0] for item in (hidden, told)]
        labels.add(world.db, keys[0], f"story:{keys[1]}", 0, who="ann", picked="browse", now=iso(NOW))
    list(group.group(world.db, now=NOW))
    sent()
    assert (world.told(told), world.told(hidden)) == (["confident"], ["more", "confident"])
    sent()
    assert world.told(hidden) == ["more", "confident"]


def test_press_on_what_the_lab_has_said_is_not_told_again(world: World) -> None:
    _, story = world.post("Agents that learn", source=LAB)
    world.mail()
    settle(world)
    item, _ = world.post("The lab has agents that learn", about="example-lab", story=story)
    world.mail()
    assert "Nothing new on your topics, and none of 1 question moved; 1 more item on stories told before." in " ".join(
        world.digests[-1]["text"].split()
    )
    assert world.told(item) == ["more"]


def test_nothing_is_more_than_reported_without_the_lab(world: World) -> None:
    world.post("Other people on the lab", about="example-lab", act="release")
    world.post("A study of their model", source=ARXIV, about="example-lab")
    world.mail()
    assert {row[0] for row in world.db.execute("SELECT rung FROM digest_items")} == {"reported"}


def test_a_busy_day_is_capped_and_counted(world: World) -> None:
    sure = [world.post(f"Sure {n:02}")[0] for n in range(30)]
    maybe = [world.post(f"Maybe {n:02}", tier="maybe", score=0.4)[0] for n in range(20)]
    world.mail()
    text = world.digests[-1]["text"]
    assert len(re.findall(r"Sure \d\d", text)) == 4 + 12
    assert len(re.findall(r"Maybe \d\d", text)) == 12
    assert "22 more stories; `tracker serve` shows everything." in text
    assert all(len(world.told(item)) == 1 for item in (*sure, *maybe))
    assert world.digests[-1]["subject"].endswith("(+49)")


def test_more_is_linked_when_there_is_a_page(world: World) -> None:
    world.config = configured(public_url="https://news.example")
    for n in range(20):
        world.post(f"Sure {n:02}")
    world.mail()
    assert "4 more stories on the web page\nhttps://news.example/\n" in world.digests[-1]["text"]
    assert 'href="https://news.example/"' in world.digests[-1]["html"]


def test_thirty_days_of_silence_end_in_one_digest_with_everything(world: World) -> None:
    posted = []
    for _ in range(30):
        world.run(after=DAY)
        posted += [world.post(f"News of {iso(world.now)}")[0]]
    world.mail()
    assert len(world.digests) == 2
    assert all(len(world.told(item)) == 1 for item in posted)
    assert "since 12 June 06:00 UTC" in world.digests[-1]["text"]


def test_two_digests_each_have_their_own_ledger(db: sqlite3.Connection) -> None:
    world = World(db, configured(PLAN, replace(PLAN, name="run", at="run"))).run()
    list(digest.digest(db, world.config, now=world.now, send=False))
    settle(world)
    item, _ = world.post("News for both")
    world.mail()
    assert len(world.told(item)) == 2


def test_a_digest_added_later_begins_with_a_fortnight(world: World) -> None:
    old, _ = world.post("News of old")
    world.run(after=30 * DAY)
    new, _ = world.post("News of today")
    world.config = configured(replace(PLAN, name="new"))
    world.mail(HOUR)
    assert (world.told(old), world.told(new)) == ([], ["confident"])


# -- questions ------------------------------------------------------------------------------------------


def test_a_question_that_moved_is_told_with_its_proof_and_only_once(world: World) -> None:
    item, _ = world.post("A paper on learning", source=LAB, url="https://lab.example/research/paper")
    world.event(item, "published")
    world.mail()
    text = world.digests[-1]["text"]
    assert "nothing yet → published, which answers the question" in text
    assert "by Example Lab (the source declares it); a paper" in " ".join(text.split())
    assert text.count("A paper on learning") == 1  # its story stands with the question, not below again
    assert world.told(item) == ["watches"]
    settle(world)
    world.mail()
    assert "→" not in world.digests[-1]["text"]


def test_a_rung_is_told_once_for_a_story_by_the_earliest_of_its_items_that_is_news(world: World) -> None:
    later, story = world.post("The post on the paper", source=LAB)
    world.event(later, "published")
    first, _ = world.post("The paper itself", source=LAB, story=story)
    world.event(first, "published")
    with store.transaction(world.db):
        world.db.execute("UPDATE watch_events SET at = '2026-06-11T06:00:00Z', found_at = '2026-06-12T07:00:00Z' WHERE item = ?", (first,))
    world.mail()
    text = world.digests[-1]["text"]
    assert (text.count("nothing yet → published"), text.count("→")) == (1, 1)
    assert world.digests[-1]["subject"].endswith(": The paper itself (published)")


def test_an_earlier_item_of_the_story_that_is_found_by_looking_back_does_not_silence_the_news(world: World) -> None:
    news, story = world.post("News of the paper", source=LAB)
    world.event(news, "published")
    world.now += HOUR
    old, _ = world.post("The old paper", source=LAB, story=story, backlog=True)
    world.event(old, "published")
    with store.transaction(world.db):
        world.db.execute("UPDATE watch_events SET at = '2026-06-01T06:00:00Z' WHERE item = ?", (old,))
    world.mail()
    assert "nothing yet → published" in world.digests[-1]["text"]
    assert world.digests[-1]["subject"].endswith(": News of the paper (published)")


def test_a_question_tells_from_where_it_moved(world: World) -> None:
    world.event(world.post("Press on it", about="example-lab")[0], "reported")
    world.mail()
    assert "nothing yet → reported, a sign on the way" in world.digests[-1]["text"]
    settle(world)
    world.event(world.post("The paper", source=LAB)[0], "published")
    world.mail()
    assert "reported → published, which answers the question" in world.digests[-1]["text"]
    assert world.digests[-1]["subject"] == "Self-improving agents, Sun 14 Jun: The paper (published)"


@pytest.mark.parametrize(("quiet", "backlog"), [(True, False), (False, True)], ids=["found by looking back", "in what was there before"])
def test_what_was_there_before_moves_no_question_but_is_known(world: World, quiet: bool, backlog: bool) -> None:
    world.event(world.post("An old paper", source=LAB, backlog=backlog, topic=None)[0], "published", quiet=quiet)
    world.mail()
    assert "→" not in world.digests[-1]["text"]
    settle(world)
    world.event(world.post("A new paper", source=LAB, topic=None)[0], "published")
    world.mail()
    assert "→" not in world.digests[-1]["text"]


def test_a_plan_added_or_renamed_later_tells_no_move_from_before_it_began(world: World) -> None:
    item, _ = world.post("A paper of long ago", source=LAB)
    world.event(item, "published")
    world.mail()
    settle(world)
    world.config = configured(replace(PLAN, name="renamed"))
    world.mail(60 * DAY)
    assert "→" not in world.digests[-1]["text"]
    assert [tuple(row) for row in world.db.execute("SELECT watch, rung FROM digest_watches WHERE digest = 3")] == [("paper", "published")]
    settle(world)
    world.event(world.post("They ship it", source=LAB)[0], "shipped")
    world.mail()
    assert "published → shipped" in world.digests[-1]["text"]


def test_mail_turned_on_after_months_tells_no_move_of_those_months(db: sqlite3.Connection) -> None:
    world = World(db).run()
    world.event(world.post("A paper of long ago", source=LAB)[0], "published")
    world.run(after=85 * DAY)
    world.event(world.post("They ship it", source=LAB)[0], "shipped")
    world.mail(5 * DAY)
    assert re.findall(r".*→.*", world.digests[-1]["text"]) == [" * published → shipped, a sign on the way"]


def test_labs_have_their_names_in_the_reason_of_a_move(world: World) -> None:
    item, _ = world.post("A paper", source=LAB)
    world.event(item, "published")
    with store.transaction(world.db):
        said = '["on learning (0.90)", "by example-lab (parent of other-lab)", "presents a paper: arxiv:2606.01234"]'
        world.db.execute("UPDATE watch_events SET reason = ?", (said,))
    world.mail()
    text = " ".join(world.digests[-1]["text"].split())
    assert "Why: on Online learning (0.90); by Example Lab (parent of Other Lab); presents a paper: arxiv:2606.01234" in text


def test_where_the_first_of_each_lab_counts_each_lab_moves_it(db: sqlite3.Connection) -> None:
    watch = replace(QUESTION, first_per="lab", by=("any",))
    world = World(db, configured(watches=(watch,))).run()
    list(digest.digest(db, world.config, now=world.now, send=False))
    settle(world)
    world.event(world.post("First paper", by="example-lab")[0], "published")
    world.mail()
    settle(world)
    world.event(world.post("Second paper", by="other-lab")[0], "published", lab="other-lab")
    world.mail()
    assert "Other Lab: nothing yet → published" in world.digests[-1]["text"]
    assert [tuple(row) for row in db.execute("SELECT watch, rung FROM digest_watches ORDER BY rung")] == [
        ("paper", "published (example-lab)"), ("paper", "published (other-lab)"),
    ]  # fmt: skip


def test_an_item_that_proves_two_things_is_laid_open_once(db: sqlite3.Connection) -> None:
    world = World(db, configured(watches=(QUESTION, replace(QUESTION, id="other", question="Another question?")))).run()
    list(digest.digest(db, world.config, now=world.now, send=False))
    settle(world)
    item, _ = world.post("The paper", source=LAB)
    world.event(item, "published")
    world.event(item, "published", watch="other")
    world.mail()
    text = world.digests[-1]["text"]
    assert text.count("The paper") == 2
    assert text.count("Online learning 0.90 ·") == 1
    assert world.digests[-1]["subject"].endswith(": The paper (published) (+1)")


def test_moves_that_do_not_fit_are_told_next_time(db: sqlite3.Connection) -> None:
    asked = tuple(replace(QUESTION, id=f"w{n:02}", question=f"Question {n:02}?") for n in range(11))
    world = World(db, configured(watches=asked)).run()
    list(digest.digest(db, world.config, now=world.now, send=False))
    for watch in asked:
        world.event(world.post(f"Proof of {watch.id}", source=LAB)[0], "published", watch=watch.id)
    for expected in (8, 3, 0):
        settle(world)
        world.mail()
        assert len(re.findall(r"^Question", world.digests[-1]["text"], re.MULTILINE)) == expected


# -- silence --------------------------------------------------------------------------------------------


def test_a_quiet_day_is_three_lines_with_the_proof(world: World) -> None:
    world.run("press", after=DAY)
    (sent,) = digest.digest(world.db, world.config, now=world.now, send=False)
    paragraphs = world.digests[-1]["text"].split("\n\n")
    assert [" ".join(part.split()) for part in paragraphs[1:]] == [
        "Nothing new on your topics in what could be seen, and none of 1 question moved.",
        "2 of 3 sources answered since 12 June 06:00. Failing: The Press, since 12 June (connection). No item is waiting.",
        "Change or stop this mail: [digests.daily] in feeds.toml. All times are UTC.",
    ]
    assert sent.subject == "Self-improving agents, Sat 13 Jun: nothing new, 2 of 3 sources answered"


def test_a_day_on_which_everything_answered_says_nothing_new_without_a_but(world: World) -> None:
    world.mail()
    assert "\n\nNothing new on your topics, and none of 1 question moved.\n\n" in world.digests[-1]["text"]


def test_a_silent_source_is_told_in_the_digest_of_the_period_in_which_it_was_found_and_then_counted(world: World) -> None:
    def foot() -> str:
        world.mail()
        with store.transaction(world.db):
            digests.sent(world.db, world.digests[-1]["id"], iso(world.now), None)
        return " ".join(world.digests[-1]["text"].split())

    with store.transaction(world.db):
        gaps.still(world.db, "press", date(2026, 5, 1), 5, iso(world.now + HOUR))
    assert "Silent: The Press has been silent for 43 days; it used to bring something at least every 5 days." in foot()
    with store.transaction(world.db):
        gaps.still(world.db, "press", date(2026, 5, 1), 4, iso(world.now + HOUR))  # its habit is told anew, not its silence
    assert "Silent: 1 source, named by `tracker status`." in foot()
    with store.transaction(world.db):
        gaps.still(world.db, "lab", date(2026, 5, 2), 5, iso(world.now + HOUR))
    said = foot()
    assert (
        "Silent: Example Lab has been silent for 44 days; it used to bring something at least every 5 days; and 1 more source, named by "
        in said
    )
    assert "The Press" not in said
    with store.transaction(world.db):
        gaps.still(world.db, "press", None, None, iso(world.now))
        gaps.still(world.db, "lab", None, None, iso(world.now))
    assert "Silent" not in foot()


def test_without_network_no_digest_and_the_next_one_says_what_was_missed(world: World) -> None:
    world.run("lab", "press", "arxiv", after=DAY)
    (held,) = digest.digest(world.db, world.config, now=world.now)
    assert (held.status, len(world.digests)) == ("held", 1)
    assert held.error == (
        "No source answered in the last run, so no digest is written: it could not know what it leaves out. The next one says so."
    )
    world.mail(6 * HOUR)
    assert "No source answered on 13 June 06:00 (3 asked); what appeared then was looked for on 13 June 12:00." in " ".join(
        world.digests[-1]["text"].split()
    )


def test_an_outage_that_is_not_over_says_what_is_looked_for_later() -> None:
    health = Health(3, 3, outages=((iso(NOW - HOUR), 3, None),))
    text = compose(Matter(PLAN, (iso(NOW - DAY), iso(NOW)), health=health)).text
    assert "No source answered on 12 June 05:00 (3 asked); what appeared then is looked for at the next run." in " ".join(text.split())


def test_a_day_on_which_nothing_was_asked_claims_nothing(world: World) -> None:
    (held,) = digest.digest(world.db, world.config, now=world.now + DAY)
    assert (held.status, held.error) == (
        "held", "No source was asked since the last digest, so no digest is written: it could not know what it leaves out.",
    )  # fmt: skip
    assert len(world.digests) == 1


def poll_alone(world: World, source: str, *, ok: bool = False) -> None:
    """One source is asked, as `tracker poll` does, or a run at an hour at which no other is due."""
    world.now += HOUR
    polled = Polled(source, "nothing new" if ok else "connection", 0.1, 100, 0, error=None if ok else "connection: no route")
    with store.transaction(world.db):
        sources.record(world.db, polled, run=None, now=iso(world.now), status=200, next_poll_at=iso(world.now))


def test_one_source_that_fails_alone_at_the_end_holds_nothing_back(world: World) -> None:
    world.post("News")
    world.run(after=DAY)
    poll_alone(world, "press")
    (sent,) = digest.digest(world.db, world.config, now=world.now, send=False)
    assert sent.status == "prepared"
    assert "3 of 3 sources answered" in world.digests[-1]["text"]
    assert "No source answered" not in world.digests[-1]["text"]


def test_when_each_source_failed_in_its_own_hour_the_reason_is_true(world: World) -> None:
    for source in ("lab", "press", "arxiv"):
        poll_alone(world, source)
    world.now = NOW + DAY
    (held,) = digest.digest(world.db, world.config, now=world.now)
    assert (held.status, held.error) == (
        "held", "No source answered since the last digest, so no digest is written: it could not know what it leaves out.",
    )  # fmt: skip


def test_a_preview_of_what_would_be_held_says_so_and_claims_nothing(world: World) -> None:
    world.run("lab", "press", "arxiv", after=DAY)
    quiet = digest.preview(world.db, world.config, world.now)
    (held,) = digest.digest(world.db, world.config, now=world.now)
    assert f"Held for now. {held.error}" in " ".join(quiet.text.split())
    assert "othing new" not in quiet.text + quiet.subject + quiet.html
    assert quiet.subject == "Self-improving agents, Sat 13 Jun: held, 0 of 3 sources answered"
    world.post("News")
    loud = " ".join(digest.preview(world.db, world.config, world.now).text.split())
    assert f"Held for now. {held.error} What there is to tell: 1 new story." in loud
    world.mail(HOUR)
    assert "Held" not in world.digests[-1]["text"]


def test_the_foot_says_what_waits_and_which_model_speaks(world: World) -> None:
    world.post("News")
    with store.transaction(world.db):
        items.save(world.db, PRESS, [Entry("Untagged", "https://press.example/untagged")], now=iso(world.now), first=False, old_before=None)
    world.run(after=DAY)
    with store.transaction(world.db):
        runs.finish(world.db, 2, iso(world.now), {"model_problem": "weights.npz is damaged"})
    list(digest.digest(world.db, world.config, now=world.now, send=False))
    text = " ".join(world.digests[-1]["text"].split())
    assert "1 item waiting: 1 to be tagged." in text
    assert "The topic model is not in use: weights.npz is damaged; rules tag alone." in text


# -- when -----------------------------------------------------------------------------------------------

MONDAY = datetime(2026, 6, 15, 6, tzinfo=UTC)
DUE = {
    "daily, the first": ("daily", [], NOW, True),
    "daily, again on the same day": ("daily", [NOW - HOUR], NOW, False),
    "daily, an hour later, on the next day": (
        "daily",
        [datetime(2026, 6, 11, 23, 30, tzinfo=UTC)],
        datetime(2026, 6, 12, 0, 30, tzinfo=UTC),
        True,
    ),
    "daily, the clock jumped back by a day": ("daily", [NOW - DAY, NOW], NOW - DAY + HOUR, False),
    "daily, the clock once ran ten years ahead": ("daily", [NOW + 3650 * DAY], NOW, True),
    "weekly, on Friday, the first": ("weekly", [], NOW, False),
    "weekly, on Monday": ("weekly", [MONDAY - 7 * DAY], MONDAY, True),
    "weekly, on Monday again": ("weekly", [MONDAY - HOUR], MONDAY, False),
    "weekly, on Tuesday, Monday had no run": ("weekly", [MONDAY - 7 * DAY], MONDAY + DAY, True),
    "weekly, on Tuesday after Monday's": ("weekly", [MONDAY], MONDAY + DAY, False),
    "run": ("run", [NOW - HOUR], NOW, True),
    "run, the same run again": ("run", [NOW], NOW, False),
}


@pytest.mark.parametrize(("at", "last", "now", "expected"), DUE.values(), ids=DUE)
def test_a_digest_is_due(at: str, last: list[datetime], now: datetime, expected: bool) -> None:
    begin = iso(min([*last, now]))
    assert digest.is_due(at, [iso(stamp) for stamp in last], begin, now) is expected


def test_four_runs_a_day_over_the_change_of_clocks_make_one_digest_a_day(world: World) -> None:
    world.now = datetime(2026, 10, 23, 22, 30, tzinfo=UTC)
    for _ in range(4 * 4):
        world.mail(6 * HOUR)
        settle(world)
    days = [row["period_to"][:10] for row in world.digests[1:]]
    assert days == ["2026-10-24", "2026-10-25", "2026-10-26", "2026-10-27"]


# -- the outbox -----------------------------------------------------------------------------------------


def test_a_digest_is_sent_and_marked(world: World, sink: Sink) -> None:
    world.post("News")
    (sent,) = world.mail(send=True)
    assert (sent.status, sent.error) == ("sent", None)
    row = world.digests[-1]
    assert (row["status"], row["sent_at"], row["tries"]) == ("sent", iso(world.now), 1)
    assert (sink.mails[0].subject, sink.mails[0].text, sink.mails[0].message_id) == (row["subject"], row["text"], row["message_id"])


def test_a_failure_is_tried_again_later_with_the_very_same_mail(world: World, sink: Sink) -> None:
    item, _ = world.post("News")
    sink.problem = MailError("mail.example:587 cannot be reached")
    (sent,) = world.mail(send=True)
    assert (sent.status, sent.error) == ("prepared", "mail.example:587 cannot be reached")
    before = world.digests[-1]
    assert (before["status"], before["next_try_at"]) == ("prepared", iso(world.now + timedelta(minutes=15)))
    assert list(digest.digest(world.db, world.config, now=world.now + timedelta(minutes=10))) == []
    world.post("News of the next day")
    sink.problem = None
    first, second = world.mail(send=True)
    assert (first.status, second.status) == ("sent", "sent")
    assert sink.mails[0].text == before["text"]
    assert sink.mails[0].message_id == before["message_id"] != sink.mails[1].message_id
    assert world.told(item) == ["confident"]


def test_waits_double_to_a_day() -> None:
    minutes = [(digest.next_try(tries, NOW) - NOW) / timedelta(minutes=1) for tries in range(1, 10)]
    assert minutes == [15, 30, 60, 120, 240, 480, 960, 1440, 1440]


def test_while_a_digest_cannot_be_sent_the_news_gathers_in_one(world: World, sink: Sink) -> None:
    sink.problem = MailError("down")
    posted = []
    for day in range(5):
        posted += [world.post(f"News of day {day}")[0]]
        world.mail(send=True)
    assert len(world.digests) == 2
    sink.problem = None
    assert [sent.status for sent in world.mail(send=True)] == ["sent", "sent"]
    assert all(len(world.told(item)) == 1 for item in posted)
    assert "4 new stories." in sink.mails[1].text


def test_killed_between_the_servers_yes_and_the_mark_it_is_sent_once_more_under_the_same_id(world: World, sink: Sink) -> None:
    item, _ = world.post("News")
    sink.problem = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        world.mail(send=True)
    assert world.digests[-1]["status"] == "sending"
    sink.problem = None
    (sent,) = world.mail(HOUR, send=True)
    assert sent.status == "sent"
    assert len({mail.message_id for mail in sink.mails}) == 1
    assert [mail.text for mail in sink.mails] == [world.digests[-1]["text"]] * 2
    assert world.mail(HOUR, send=True) == []
    assert world.told(item) == ["confident"]


def test_who_was_left_over_alone_gets_it_at_the_next_attempt(db: sqlite3.Connection, sink: Sink) -> None:
    plan = replace(PLAN, to=("one@example.org", "two@example.org", "three@example.org"))
    world = World(db, configured(plan)).run()
    sink.outcome = Outcome({"two@example.org": "550 no such user"}, {"three@example.org": "450 not yet three@example.org: later"})
    (sent,) = digest.digest(db, world.config, now=world.now)
    assert sent.status == "prepared"
    sink.outcome = Outcome()
    (sent,) = digest.digest(db, world.config, now=world.now + HOUR)
    assert (sent.status, sent.error) == ("sent", "refused two@example.org: 550 no such user")
    assert [mail.to for mail in sink.mails] == [plan.to, ("three@example.org",)]
    assert world.digests[-1]["status"] == "sent"


def test_who_was_left_over_and_is_no_recipient_any_more_is_not_mailed(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, to=("one@example.org", "two@example.org"))
    world = World(db, configured(plan)).run()
    monkeypatch.setattr(smtp, "send", lambda mail, options: Outcome(deferred={"two@example.org": "450 later"}))
    list(digest.digest(db, world.config, now=world.now))
    monkeypatch.undo()  # the real one, which knows no server here
    (sent,) = digest.digest(db, configured(), now=world.now + HOUR)
    assert (sent.status, sent.error) == ("sent", None)


def test_who_was_left_over_is_remembered_while_the_server_is_down(db: sqlite3.Connection, sink: Sink) -> None:
    world = World(db, configured(replace(PLAN, to=("one@example.org", "two@example.org")))).run()
    sink.outcome = Outcome(deferred={"two@example.org": "450 later"})
    list(digest.digest(db, world.config, now=world.now))
    sink.problem = MailError("down")
    list(digest.digest(db, world.config, now=world.now + HOUR))
    sink.problem, sink.outcome = None, Outcome()
    list(digest.digest(db, world.config, now=world.now + 2 * HOUR))
    assert [mail.to for mail in sink.mails] == [("one@example.org", "two@example.org"), ("two@example.org",)]


def test_who_is_put_off_for_days_holds_back_nobody_else(db: sqlite3.Connection, sink: Sink) -> None:
    plan = replace(PLAN, to=("one@example.org", "two@example.org"))
    world = World(db, configured(plan)).run()
    sink.outcome = Outcome(deferred={"two@example.org": "452 mailbox full"})
    for day in range(6):
        world.post(f"News {day}")
        world.mail(send=True)
    assert len({mail.text for mail in sink.mails if mail.to == plan.to}) == 6
    assert all(mail.to == ("two@example.org",) for mail in sink.mails if mail.to != plan.to)


def test_who_is_put_off_for_a_week_is_given_up(db: sqlite3.Connection, sink: Sink) -> None:
    world = World(db, configured(replace(PLAN, to=("one@example.org", "two@example.org")))).run()
    put_off = Outcome(deferred={"two@example.org": "452 mailbox full"})
    sink.outcome = put_off
    world.mail(send=True)
    sink.problem = MailError("took the mail for nobody: 452 mailbox full", put_off)  # as smtp says it of him alone
    for _ in range(9):
        world.now += DAY
        list(digest.digest(db, replace(world.config, digests=(replace(world.config.digests[0], at="weekly"),)), now=world.now))
    row = world.digests[0]
    assert (row["status"], row["error"]) == ("sent", "refused two@example.org: given up after 7 days: 452 mailbox full")
    assert row["tries"] == 8


def test_who_was_left_over_and_refuses_for_good_is_not_asked_again(db: sqlite3.Connection, sink: Sink) -> None:
    world = World(db, configured(replace(PLAN, to=("one@example.org", "two@example.org")))).run()
    sink.outcome = Outcome(deferred={"two@example.org": "450 later"})
    list(digest.digest(db, world.config, now=world.now))
    sink.problem = MailError("took the mail for nobody: 550 no", Outcome({"two@example.org": "550 no"}))
    (sent,) = digest.digest(db, world.config, now=world.now + HOUR)
    assert (sent.status, sent.error) == ("sent", "refused two@example.org: 550 no")


def test_a_mail_that_cannot_be_made_stops_neither_the_run_nor_the_plans_after_it(
    db: sqlite3.Connection, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(db, configured(replace(PLAN, name="broken"), PLAN)).run()

    def breaks(mail: Mail, options: Mapping[str, object]) -> Outcome:
        if mail.name == "broken":
            raise AttributeError("no attribute 'all_defects'")
        return Outcome()

    monkeypatch.setattr(sink, "send", breaks)
    broken, sent = digest.digest(db, world.config, now=world.now)
    assert (broken.status, sent.status) == ("prepared", "sent")
    assert (world.digests[0]["status"], world.digests[0]["error"]) == ("prepared", broken.error)
    assert "(AttributeError); this is a fault of the tracker" in str(broken.error)


def test_an_unsent_digest_of_a_plan_that_is_gone_says_so_once_and_is_not_sent(world: World, sink: Sink) -> None:
    sink.problem = MailError("down")
    world.mail(send=True)
    sink.problem, before = None, world.config
    world.config = configured(replace(PLAN, name="morning"))
    sent, gone = world.mail(send=True)
    assert (sent.name, sent.status) == ("morning", "sent")
    assert (gone.name, gone.status) == ("daily", "held")
    row = world.digests[1]
    assert (row["status"], row["error"]) == ("prepared", "down\nthere is no [digests.daily] in feeds.toml, so it is not sent")
    assert [sent.name for sent in world.mail(send=True)] == ["morning"]
    world.config = before
    assert world.mail(send=True)[0].status == "sent"
    assert (world.digests[1]["status"], world.digests[1]["error"]) == ("sent", None)


# -- clocks that run ahead ------------------------------------------------------------------------------


def test_a_run_ahead_of_time_without_network_holds_nothing_back_later(world: World) -> None:
    world.run("lab", "press", "arxiv", after=365 * DAY)
    world.now = NOW + DAY
    world.post("News")
    (sent,) = world.mail(HOUR)
    assert sent.status == "prepared"
    assert "3 of 3 sources answered since 12 June 06:00." in " ".join(world.digests[-1]["text"].split())
    assert "No source answered" not in world.digests[-1]["text"]


def test_a_digest_left_over_from_a_run_ahead_of_time_is_sent_and_holds_nothing_back(world: World, sink: Sink) -> None:
    sink.problem = MailError("down")
    world.mail(365 * DAY, send=True)
    sink.problem = None
    world.now = NOW + DAY
    item, _ = world.post("News")
    assert [sent.status for sent in world.mail(HOUR, send=True)] == ["sent", "sent"]
    assert world.told(item) == ["confident"]


def test_a_digest_left_over_from_a_run_ahead_of_time_holds_nothing_back_while_the_server_is_down(world: World, sink: Sink) -> None:
    sink.problem = MailError("down")
    world.mail(365 * DAY, send=True)
    world.now = NOW + DAY
    item, _ = world.post("News")
    world.mail(HOUR, send=True)
    assert world.told(item) == ["confident"]


def test_a_first_run_ahead_of_time_leaves_nothing_out_for_ever(db: sqlite3.Connection) -> None:
    world = World(db)
    world.run(after=3650 * DAY)
    list(digest.digest(db, world.config, now=world.now, send=False))
    settle(world)
    world.now = NOW
    told = []
    for day in range(3):
        told.append(world.post(f"News {day}", source=LAB)[0])
        world.event(told[-1], ("reported", "stated", "published")[day])
        world.mail()
        settle(world)
        assert "→" in world.digests[-1]["text"]
    assert [world.told(item) for item in told] == [["watches"]] * 3


def test_what_a_digest_tells_is_stored_with_it_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.post("News")
    real = digests.prepare

    def dies(*given: Any) -> int:
        real(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(digests, "prepare", dies)
    with pytest.raises(KeyboardInterrupt):
        world.mail()
    assert len(world.digests) == 1
    assert world.db.execute("SELECT count(*) FROM digest_items").fetchone()[0] == 0


# -- how it reads ---------------------------------------------------------------------------------------


class _Markup(HTMLParser):
    """What a mail program would see in the HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.hrefs = set[str](), set[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.hrefs += [value or "" for name, value in attrs if name == "href"]


HOSTILE = [
    "Title\r\nBcc: victim@example.org\r\n\r\nBody",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">click</a>',
    "{{ 7 * 7 }} {% raw %}",
    "\u202eevil\u202c \x1b[31mred\x00",
    "=?utf-8?q?Subject=3A_forged?=",
    "x" * 5_000,
    "🧠" * 400,
    "",
]


@pytest.mark.parametrize("title", HOSTILE, ids=[ascii(title[:24]) for title in HOSTILE])
@pytest.mark.parametrize("section", ["lead", "question", "maybe"])
def test_hostile_titles_stay_one_line_of_text(world: World, title: str, section: str) -> None:
    item, _ = world.post("Plain", tier="maybe" if section == "maybe" else "confident", source=LAB, url="javascript:alert(1)")
    with store.transaction(world.db):  # past every cleaning before
        world.db.execute("UPDATE items SET title = ?, url = 'javascript:alert(1)' WHERE id = ?", (title, item))
        world.db.execute("UPDATE sources SET title = ? WHERE id = 'lab'", (title,))
    if section == "question":
        world.event(item, "published")
    world.run(after=DAY)
    written = digest.preview(world.db, world.config, world.now)
    letter = email.message_from_string(digest.as_file(written, world.config, "eml"), policy=email.policy.default)
    assert letter["Bcc"] is None
    assert "\n" not in letter["Subject"]
    assert len(letter["Subject"]) <= 200
    assert len(letter.get_all("Subject") or []) == 1
    found = _Markup(written.html)
    assert found.tags <= {
        "html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "h3", "p", "a", "b", "br", "span",
    }  # fmt: skip
    assert found.attributes <= {"lang", "charset", "name", "content", "class", "style", "href"}
    assert all(href.startswith(("https://", "http://")) for href in found.hrefs)
    assert "49" not in written.subject
    assert not re.search("[\u202a-\u202e\x00\x1b]", written.text + written.html)


def test_the_mail_has_the_headers_of_an_honest_one(world: World) -> None:
    world.post("Agents – que aprenden")
    world.run(after=DAY)
    config = replace(world.config, public_url="https://news.example")
    written = digest.preview(world.db, config, world.now)
    letter = email.message_from_string(digest.as_file(written, config, "eml"), policy=email.policy.default)
    assert letter["From"] == "tracker <tracker@example.org>"
    assert letter["To"] == "one@example.org"
    assert letter["Date"] == "Sat, 13 Jun 2026 06:00:00 +0000"
    assert letter["List-Id"] == "<daily.tracker.example.org>"
    assert letter["List-Unsubscribe"] == "<mailto:you@example.org?subject=unsubscribe%20daily>"
    assert letter["List-Unsubscribe-Post"] is None
    assert letter["Auto-Submitted"] == "auto-generated"
    assert re.fullmatch(r"<[0-9a-f]{24}\.daily@example\.org>", letter["Message-ID"])
    assert letter.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in letter.iter_parts()] == ["text/plain", "text/html"]
    assert letter["Subject"] == "Self-improving agents, Sat 13 Jun: Agents – que aprenden"
    assert [part.get_content() for part in letter.iter_parts()] == [written.text, written.html]


def test_a_preview_stores_nothing_and_is_what_is_sent(world: World) -> None:
    world.post("News")
    world.run(after=DAY)
    reader = store.open(Path(world.db.execute("PRAGMA database_list").fetchone()["file"]))
    written = digest.preview(reader, world.config, world.now)
    assert digest.preview(reader, world.config, world.now) == written
    reader.close()
    assert len(world.digests) == 1
    list(digest.digest(world.db, world.config, now=world.now, send=False))
    row = world.digests[-1]
    assert (row["subject"], row["text"], row["html"], row["message_id"]) == (
        written.subject,
        written.text,
        written.html,
        written.message_id,
    )


def line(number: int, **changes: Any) -> Line:
    url = f"https://host.example/{'p' * 1_300}/{number}"
    made = Line(
        number, number, f"“{'<&>' * 70}” {number}", url, "S & Co " * 12, "press", iso(NOW), iso(NOW), "yes", "&" * 200,
        "first of its story", True, True, {f"topic-{n}": (0.9, "confident", ("&" * 60,) * 5) for n in range(5)},
        {f"lab-{n}": "<" * 200 for n in range(5)},
    )  # fmt: skip
    return replace(made, **changes)


def test_the_order_of_arrival_does_not_show(tmp_path: Path) -> None:
    texts = []
    for turn in (1, -1):
        db = store.open(tmp_path / f"{turn}" / "tracker.db", write=True)
        world = World(db).run()
        written(world)
        for title in ("A", "B", "C", "D", "E", "F")[::turn]:
            world.event(world.post(f"Post {title}", url=f"https://lab.example/{title}", source=LAB)[0], "published")
        world.run(after=DAY)
        texts.append(digest.preview(db, world.config, world.now).text)
        db.close()
    assert texts[0] == texts[1]


@pytest.mark.parametrize("at", ["daily", "weekly"])
def test_the_html_is_never_cut_by_a_reader(at: str) -> None:
    told = [Story(n, tuple(line(n * 100 + k, story=n) for k in range(40)), ("reported",)) for n in range(1, 60)]
    health = Health(9, 9, tuple((f"{'<' * 300}{n}", None, "connection") for n in range(90)))
    matter = Matter(replace(PLAN, at=at), (iso(NOW - DAY), iso(NOW)), told, health=health)
    written = compose(matter)
    assert len(written.html.encode()) <= MAX_HTML
    assert len({row.item for row in written.items}) == len(written.items) == 59 * 40


def test_the_text_is_wrapped_and_its_addresses_whole(world: World) -> None:
    urls = [f"https://press.example/{'long-' * 30}{n}" for n in range(3)]
    _, story = world.post("A long title " * 20, url=urls[0])
    for number, url in enumerate(urls[1:]):
        world.post(f"Part {number}", url=url, story=story)
    world.mail()
    lines = world.digests[-1]["text"].splitlines()
    for text in lines:
        assert len(text) <= 76 or text.strip().startswith("https://")
    assert {text.strip() for text in lines if "https://" in text} == set(urls)


def test_nothing_in_the_html_is_fetched(world: World) -> None:
    world.post("News")
    world.mail()
    html = world.digests[-1]["html"]
    assert not re.search(r"<(?:img|script|link|iframe|object|form)\b|url\(|@import|src=", html)
    assert 'name="color-scheme" content="light dark"' in html
    assert "prefers-color-scheme: dark" in html
    assert html.count("<h1") == 1


def test_importance_follows_who_says_it_and_how_many() -> None:
    def story(**changes: Any) -> Story:
        plain = {"topics": {"t": (0.8, "confident", ())}, "by": {}, "unconfirmed": None}
        return Story(1, (line(1, **plain | changes),), ("reported",))

    since = iso(NOW)
    ranked = [
        story(by={"lab": "x"}), story(), story(unconfirmed="yes"), story(first_seen_at=iso(NOW - 30 * DAY)),
    ]  # fmt: skip
    scores = [importance(one, since) for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert importance(replace(ranked[1], lines=(line(1, by={}), line(2, source="Another"))), since) > scores[1]


# -- every due item, exactly once -----------------------------------------------------------------------

POST = st.tuples(
    st.integers(0, 4),  # its story
    st.sampled_from(["confident", "maybe", "no", None]),
    st.booleans(),  # by the lab
    st.sampled_from([False, False, False, True]),  # backlog
    st.booleans(),  # a digest is written after it
)


@given(st.lists(POST, min_size=1, max_size=25))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_due_item_is_in_exactly_one_digest(tmp_path_factory: pytest.TempPathFactory, posts: Sequence[tuple[Any, ...]]) -> None:
    db = store.open(tmp_path_factory.mktemp("p") / "tracker.db", write=True)
    world = World(db).run()
    written(world)
    told: dict[int, int] = {}
    rows = []
    for number, (story, tier, by_lab, backlog, then) in enumerate(posts):
        item, told[story] = world.post(
            f"Post {number}", source=LAB if by_lab else PRESS, tier=tier or "maybe", topic="learning" if tier else None,
            story=told.get(story), backlog=backlog,
        )  # fmt: skip
        rows.append((item, told[story], tier in ("confident", "maybe"), backlog))
        if then:
            written(world)
    written(world)
    on_topic = {story for _, story, on, _ in rows if on}
    for item, story, _, backlog in rows:
        assert len(world.told(item)) == int(not backlog and story in on_topic)
    shown = "SELECT story, rung FROM digest_items WHERE section <> 'more' GROUP BY digest, story ORDER BY digest"
    for story in on_topic:  # never twice with the same rungs
        rungs = [rung for told_story, rung in db.execute(shown) if told_story == story]
        assert len(rungs) == len(set(rungs))
    db.close()


def written(world: World) -> None:
    world.mail()
    settle(world)


# -- what it costs --------------------------------------------------------------------------------------


def plans(db: sqlite3.Connection, act: Callable[[], object]) -> list[list[str]]:
    """The steps of SQLite's plan for each statement that ``act`` runs."""
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    try:
        act()
    finally:
        db.set_trace_callback(None)
    return [[row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")] for sql in dict.fromkeys(asked)]


STATEMENTS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "what is due": lambda db: digests.due(db, "daily", iso(NOW), iso(NOW)[:10]),
    "what was told": lambda db: digests.told(db, "daily", [1]),
    "the rungs told": lambda db: digests.told_watches(db, "daily"),
    "the items of stories": lambda db: digests.lines(db, [1], [1]),
    "what is denied in stories": lambda db: digests.denials(db, [1]),
    "the rungs of items": lambda db: watches.rungs(db, [1]),
    "the signs that could be news": lambda db: digests.signs(db, [("paper", 1, "example-lab")], iso(NOW)),
    "the health of the sources": lambda db: digests.health(db, iso(NOW - DAY), iso(NOW)),
    "what is not sent": lambda db: digests.unsent(db, "daily"),
    "what is not sent of plans that are gone": lambda db: digests.orphans(db, ["daily"], "x"),
    "where it began": lambda db: digests.baseline(db, "daily", iso(NOW)),
    "the periods": lambda db: (digests.period_tos(db, "daily"), digests.period_froms(db, "daily")),
}
# What is read from end to end has some hundred rows for ever (sources), is empty after a good run (pending), is what we ask with
# (JSON), is left after the first rows (newest first), or has a row a mail, of which only the first columns are read (digests).
READ_WHOLE = re.compile(r"SCAN (?:(?:sources|pending|json_each|wanted|listed|item_topics|polls|runs)\b|digests$)")


@pytest.mark.parametrize("analysed", [False, True], ids=["without statistics", "with statistics"])
@pytest.mark.parametrize("act", STATEMENTS.values(), ids=STATEMENTS)
def test_no_statement_reads_the_archive(world: World, act: Callable[[sqlite3.Connection], object], analysed: bool) -> None:
    for _ in range(5):
        world.event(world.post("News", source=LAB)[0], "published")
        world.mail()
        settle(world)
    if analysed:
        world.db.execute("ANALYZE")
    found = plans(world.db, lambda: act(world.db))
    assert found
    assert [step for steps in found for step in steps if step.startswith("SCAN") and not READ_WHOLE.match(step)] == []


def test_what_is_read_newest_first_is_not_sorted(world: World) -> None:
    found = plans(world.db, lambda: digests.health(world.db, iso(NOW - DAY), iso(NOW)))
    for table in ("item_topics", "polls", "runs"):
        (steps,) = [steps for steps in found if any(step.startswith(f"SCAN {table}") for step in steps)]
        assert steps == [f"SCAN {table}"]
    assert [steps for steps in found if "SEARCH polls USING INDEX polls_at (at>? AND at<?)" in steps]


def test_the_signs_of_a_settled_board_are_not_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(20):
        world.event(world.post(f"Paper {number}", source=LAB)[0], "published")
    written(world)
    world.event(world.post("They ship it", source=LAB)[0], "shipped")
    real, read = digests.signs, []
    monkeypatch.setattr(digests, "signs", lambda *given: read.append(real(*given)) or read[-1])
    written(world)
    written(world)
    assert [[sign.rung for sign in signs] for signs in read] == [["shipped"], []]


def test_the_ledger_is_read_from_the_items_of_the_last_months(world: World) -> None:
    (due,) = plans(world.db, lambda: digests.due(world.db, "daily", iso(NOW), iso(NOW)[:10]))
    (told,) = plans(world.db, lambda: digests.told(world.db, "daily", [1]))
    unsent = plans(world.db, lambda: (digests.unsent(world.db, "daily"), digests.orphans(world.db, ["daily"], "x")))
    (events, *_) = plans(world.db, lambda: digests.signs(world.db, [("paper", 1, "example-lab")], iso(NOW)))
    assert due[0] == "SEARCH items USING INTEGER PRIMARY KEY (rowid>?)"
    assert any(step.startswith("SEARCH digest_items USING INDEX digest_items_item (item=?") for step in due)
    assert told[0].startswith("SEARCH story_items USING COVERING INDEX story_items_story")
    assert "SEARCH watch_events USING PRIMARY KEY (watch=? AND item=? AND lab=?)" in events
    assert [steps[0] for steps in unsent] == ["SEARCH digests USING INDEX digests_status (status=?)"] * 2
