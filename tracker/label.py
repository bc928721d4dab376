"""Label: which items are worth a person's judgement, and what the person says of them.

in   the newest items, the labels that stand, the model in use; a person's answers
out  questions, each with a plain reason; rows in ``labels`` (``store.labels``), which tags hear of at once; labels as CSV
refuses to know the terminal and training.
Four questions of five are those on which the machine is least sure; the fifth is picked at random, so that a person also sees items on
which it is sure. Surprising: nothing here is random. What is picked follows from the database, the day and the
person, so asking twice gives the same questions.
"""

from __future__ import annotations

import math
import re
import sqlite3
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING

from tracker.clock import iso
from tracker.config import Config
from tracker.errors import TrackerError
from tracker.store import labels, sources, stored, transaction
from tracker.text import one_line, paragraph, title_words
from tracker.types import Item, Topic

if TYPE_CHECKING:
    from tracker.taggers.linear import LinearModel

__all__ = ["RECENT", "Answer", "Question", "add", "changes", "in_all", "lines", "queue", "tag_of", "take_back", "undo", "who_is"]

RECENT = 2_000  # items that are looked at: scoring them takes about a second
RANDOM_EACH = 5  # every fifth question is picked at random
# Log odds from the line within which a score is called unsure: around a line of 0.28 from 0.05 to 0.74.
NEAR = 2.0
ALIKE = 0.5  # share of words that two texts have in common from which on they are asked about once
EXCERPT = 1_500  # characters of the text that are shown
WIDTH = 100  # columns of a question
_HEAD = 600  # characters of a text that are compared by their words
_WORDS = 5
_BARE_ARXIV = re.compile(r"\d{4}\.\d{4,5}(v\d+)?")


@dataclass(frozen=True, slots=True)
class Question:
    """Is this item on this topic? ``picked`` and ``why`` say how it came up, ``words`` what speaks for yes."""

    item: Item
    topic: Topic
    picked: str  # uncertain, random
    why: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A label that was stored: ``title`` is "" where no item with that key is known yet.

    ``other``: of a yes or no, the label of another person that it overrules; of one taken back, the label that counts now.
    """

    id: int
    key: str
    tag: str
    value: int
    title: str
    other: labels.Label | None = None


# What one topic offers: the item, by its place among the newest, and why; best first.
_Offers = Iterator[tuple[int, str]]


def queue(
    db: sqlite3.Connection,
    config: Config,
    model: LinearModel | None,
    *,
    who: str,
    now: datetime,
    topics: Sequence[str] = (),
    limit: int = 20,
    at_random: bool = False,
    recent: int = RECENT,
) -> list[Question]:
    """Return the questions for a person, those most worth an answer first; topics take turns.

    None that the person has answered, no two on one story, no two texts that are nearly the same.

    Args:
        model: the model in use; None: rules alone say what may be on a topic.
        topics: only these.
        at_random: every question is picked at random.
        recent: how many of the newest items are looked at.
    """
    chosen = [topic for topic in config.topics if not topics or topic.id in topics]
    items = stored.newest(db, recent)
    told = _Told(db, items, who)
    unsure = {} if at_random else _unsure(items, chosen, model, told)
    chance = {topic.id: _at_random(items, topic, f"{iso(now)[:10]} {who}") for topic in chosen}
    chosen.sort(key=lambda topic: len(told.answers.get(topic.id, ())))  # the least judged first, or a short sitting never gets to the last
    turns = {"uncertain": list(chosen), "random": list(chosen)}
    offers = {"uncertain": unsure, "random": chance}
    found: list[Question] = []
    while len(found) < limit and turns["random"]:
        lot = at_random or not turns["uncertain"] or len(found) % RANDOM_EACH == RANDOM_EACH - 1
        picked = "random" if lot else "uncertain"
        topic = turns[picked].pop(0)
        offer = next((offer for offer in offers[picked].get(topic.id, iter(())) if told.is_new(offer[0], topic.id)), None)
        if offer:
            told.asked(offer[0])
            turns[picked].append(topic)
            found.append(Question(items[offer[0]], topic, picked, offer[1], _words(items[offer[0]], topic, model)))
    return found


class _Told:
    """What was asked before, so that nothing is asked twice: answers of the person, and the questions picked so far."""

    def __init__(self, db: sqlite3.Connection, items: Sequence[Item], who: str) -> None:
        self.words = [title_words(f"{item.title} {item.text[:_HEAD]}") for item in items]
        place = {item.key: n for n, item in enumerate(items)}
        story = labels.stories(db, (item.id for item in items))
        self._story = [story.get(item.id, -n) for n, item in enumerate(items, 1)]
        self.answers: dict[str, dict[int, int]] = {}  # {topic: {place: 1 yes, 0 no}}
        for label in labels.current(db):
            if label.who == who and label.key in place:
                self.answers.setdefault(label.tag.removeprefix("topic:"), {})[place[label.key]] = label.value
        self._asked: list[int] = []

    def is_new(self, place: int, topic: str) -> bool:
        answered = self.answers.get(topic, {})
        before = (*self._asked, *answered)
        return place not in answered and not any(self._story[place] == self._story[other] or self._alike(place, other) for other in before)

    def asked(self, place: int) -> None:
        self._asked.append(place)

    def _alike(self, one: int, other: int) -> bool:
        shared = len(self.words[one] & self.words[other])
        return one == other or (shared > 0 and shared >= ALIKE * len(self.words[one] | self.words[other]))


# -- what is offered --------------------------------------------------------------------------------


def _at_random(items: Sequence[Item], topic: Topic, seed: str) -> _Offers:
    def lot(item: Item) -> bytes:
        return blake2b(f"{seed} {topic.id} {item.key}".encode(errors="replace"), digest_size=8).digest()

    order = sorted(range(len(items)), key=lambda n: lot(items[n]))
    return ((place, "picked at random, so that not only unsure items are judged") for place in order)


def _unsure(items: Sequence[Item], topics: Sequence[Topic], model: LinearModel | None, told: _Told) -> dict[str, _Offers]:
    by_model = [topic for topic in topics if model and topic.id in model.topics]
    found = _by_score(items, by_model, model) if model and by_model and items else {}
    rare = _rarity(told.words)
    return {topic.id: found[topic.id] if topic in by_model and items else _by_rules(items, topic, told, rare) for topic in topics}


def _by_score(items: Sequence[Item], topics: Sequence[Topic], model: LinearModel) -> dict[str, _Offers]:
    """What the model scores near the line of each topic, on either side, the nearest first."""
    from tracker.taggers.features import features_text
    from tracker.taggers.linear import topic_scores
    from tracker.taggers.topics import kind_of

    kinds = [kind_of(item.key) for item in items]
    table = topic_scores([features_text(item.title, item.text) for item in items], kinds, model)

    def offers(topic: Topic) -> _Offers:
        scores = table[:, model.topics.index(topic.id)].tolist()
        lines = [model.heads[kind].maybe[topic.id] if topic.threshold is None else topic.threshold for kind in kinds]
        near = sorted((abs(_odds(score) - _odds(line)), n) for n, (score, line) in enumerate(zip(scores, lines, strict=True)))
        return ((n, f"score {scores[n]:.2f} where the line is {lines[n]:.2f}: the model is unsure") for far, n in near if far <= NEAR)

    return {topic.id: offers(topic) for topic in topics}


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


def _by_rules(items: Sequence[Item], topic: Topic, told: _Told, rare: Callable[[str], float]) -> _Offers:
    """For a topic that no model knows: by turns what its rules match, and what uses its words or those of items labelled yes."""
    from tracker.taggers.topics import TopicTagger

    tagger = TopicTagger([topic], None)

    @cache  # an item at a time, as they are asked for: reading 2,000 texts by the rules of eleven topics takes two seconds
    def hit(n: int) -> str:
        found = tagger.tag([items[n]])[0]
        return found[0].evidence[0][0] if found else ""

    alike = ((n, why) for n, why in _by_words(topic, told, rare) if not hit(n))
    for n in range(len(items)):
        if hit(n):
            yield n, f"its rule matched “{one_line(hit(n), 60)}”: rules alone know this topic"
            yield from islice(alike, 1)
    yield from alike


def _by_words(topic: Topic, told: _Told, rare: Callable[[str], float]) -> list[tuple[int, str]]:
    answers = told.answers.get(topic.id, {})
    liked = Counter(word for n, value in answers.items() if value for word in told.words[n])
    disliked = Counter(word for n, value in answers.items() if not value for word in told.words[n])
    weight = dict.fromkeys(title_words(topic.description), 1.0) | dict.fromkeys(title_words(topic.title), 2.0)
    for word, times in liked.items():
        weight[word] = weight.get(word, 0.0) + times / (1 + disliked[word])
    scored = []
    for n, words in enumerate(told.words):
        shared = sorted((word for word in words if word in weight), key=lambda word: (-weight[word] * rare(word), word))
        if len(shared) > 1:  # one word is no likeness
            scored.append((-sum(weight[word] * rare(word) for word in shared) / math.sqrt(len(words)), n, shared[:3]))
    origin = "the topic and with what was labelled yes" if liked else "the topic's own description"
    return [(n, f"shares “{', '.join(shared)}” with {origin}") for _, n, shared in sorted(scored)]


def _rarity(texts: Sequence[frozenset[str]]) -> Callable[[str], float]:
    seen = Counter(word for words in texts for word in words)
    return lambda word: math.log((1 + len(texts)) / (1 + seen[word]))


def _words(item: Item, topic: Topic, model: LinearModel | None) -> tuple[str, ...]:
    """The words that speak for the topic: those of the model that knows it, else those its rules match."""
    if model is None or topic.id not in model.topics:
        from tracker.taggers.topics import TopicTagger

        return tuple(term for tag in TopicTagger([topic], None).tag([item])[0] for term, _ in tag.evidence)
    from tracker.taggers.features import features_text
    from tracker.taggers.linear import explain_many
    from tracker.taggers.topics import kind_of

    found = explain_many(features_text(item.title, item.text), kind_of(item.key), [topic.id], model, _WORDS)[topic.id]
    return tuple(term for term, weight in found if weight > 0)


# -- answers ----------------------------------------------------------------------------------------


def add(
    db: sqlite3.Connection,
    config: Config,
    key: str,
    tag: str,
    value: int,
    *,
    who: str,
    now: datetime,
    picked: str = "browse",
    note: str = "",
) -> Answer:
    """Store one label, by the key, the address or the id of an item and the name of a topic; its tags say it at once.

    A tag ``story:<item>`` says whether two items are one story: stories heed it at the next grouping.

    Raises:
        TrackerError: there is no such tag, or ``key`` is no name of an item. (An item that is not known yet may be labelled by its key.)
    """
    own, tag, title = _found(db, config, key, tag)
    before = _counting(db, own, tag)
    with transaction(db):
        sources.sync_registry(db, config.topics, config.labs, iso(now))
        label = labels.add(db, own, tag, value, who=who, picked=picked, note=one_line(note, 500), now=iso(now))
    counts = _counting(db, own, tag)
    overruled = before if before and counts and before.who != who == counts.who and before.value != value else None
    return Answer(label, own, tag, value, title, overruled)


def take_back(db: sqlite3.Connection, config: Config, key: str, tag: str, *, who: str, now: datetime) -> Answer:
    """Take back what a person says of an item and a topic.

    Raises:
        TrackerError: as ``add``, and when the person says nothing of it.
    """
    own, tag, title = _found(db, config, key, tag)
    label = labels.said(db, own, tag, who)
    if label is None or not undo(db, label, now=now):
        raise TrackerError(f"{who} has no label of {one_line(own, 200)} for {tag} to take back")
    return Answer(label, own, tag, 0, title, _counting(db, own, tag))


def undo(db: sqlite3.Connection, label: int, *, now: datetime) -> bool:
    """Take one label back; return whether it stood."""
    with transaction(db):
        return labels.withdraw(db, label, now=iso(now))


def changes(answer: str, done: Answer, who: str) -> str:
    """Return what an answer changes beyond itself, as the rest of a sentence; "" if nothing."""
    other = done.other
    owner = "" if other is None else "your earlier" if other.who == who else f"{other.who}'s"
    whose = f"{owner} {'yes' if other.value else 'no'}" if other else ""
    if answer != "undo":
        return f"this overrules {whose}, the newest word counts" if whose else ""
    if whose:
        return f"{whose} {'counts again' if other and other.who == who else 'counts now'}"
    if not done.title:
        return "nothing is said of it any more"
    return "its story is decided again" if done.tag.startswith(labels.STORY) else "the model decides again when it is tagged"


def in_all(db: sqlite3.Connection, config: Config) -> int:
    """Return how many labels there are to learn from: those that stand, of topics that the configuration has."""
    found = labels.counts(db)
    return sum(sum(found.get(f"topic:{topic.id}", (0, 0))) for topic in config.topics)


def _counting(db: sqlite3.Connection, own: str, tag: str) -> labels.Label | None:
    """The newest word of anybody on an item and a tag: the one that its tags say."""
    return next((label for label in reversed(labels.current(db)) if (label.key, label.tag) == (own, tag)), None)


def _found(db: sqlite3.Connection, config: Config, key: str, tag: str) -> tuple[str, str, str]:
    own, title = _named(db, key)
    if not tag.strip().startswith(labels.STORY):
        return own, tag_of(tag, config.topics), title
    other, _ = _named(db, tag.strip().removeprefix(labels.STORY))
    if other == own:
        raise TrackerError(f"{one_line(own, 100)} is one story with itself: name two items")
    return own, f"{labels.STORY}{other}", title


def _named(db: sqlite3.Connection, text: str) -> tuple[str, str]:
    """The key and the title of the item that a person names."""
    name = text.strip()
    own, _, title = labels.find(db, f"arxiv:{name}" if _BARE_ARXIV.fullmatch(name) else name)
    if not own:
        raise TrackerError(
            f"{one_line(text, 100)!r} names no item: give its key (arxiv:…, url:…), its arXiv number, its address or its id in the database"
        )
    return own, title


def tag_of(text: str, topics: Iterable[Topic]) -> str:
    """Return the tag that a person names, with or without ``topic:``.

    Raises:
        TrackerError: it is none that can be labelled; names the nearest.
    """
    from difflib import get_close_matches

    kind, colon, rest = text.strip().partition(":")
    if colon and kind in ("by", "about", "act"):
        raise TrackerError(f"topics and stories can be labelled so far, not {kind}: tags; {text.strip()!r} is not stored")
    name, known = (rest if colon and kind == "topic" else text.strip()), [topic.id for topic in topics]
    if name in known:
        return f"topic:{name}"
    near = get_close_matches(name, known, 1)
    raise TrackerError(
        f"there is no topic {one_line(name, 60)!r}; " + (f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}")
    )


def who_is() -> str:
    """Return the name of the person at this machine, as the system knows it."""
    import getpass

    try:
        return one_line(getpass.getuser(), 80) or "me"
    except (OSError, KeyError, ImportError):  # a container without a user name
        return "me"


def lines(question: Question, config: Config, *, width: int = WIDTH, lead: str = "") -> Iterator[str]:
    """Yield a question for a person: topic, item, excerpt, and why it is asked.

    Args:
        width: columns, at most ``WIDTH``; lines are broken at words.
        lead: what stands before the topic.
    """

    def wrapped(text: str, before: str = "  ") -> list[str]:
        return textwrap.wrap(text, min(width, WIDTH), initial_indent=before, subsequent_indent="  ", break_on_hyphens=False)

    item, topic = question.item, question.topic
    source = next((source.title for source in config.sources if source.id == item.source), item.source)
    definition = paragraph(topic.description)  # the whole of it: what it says of borderline cases comes last
    yield from wrapped(f"{topic.title}: {definition}" if definition else topic.title, lead)
    yield from wrapped(one_line(item.title, 300))
    yield "  " + " · ".join(
        filter(None, (one_line(source, 80), (item.published_at or item.first_seen_at)[:10], one_line(item.url or "", 300)))
    )
    if item.text:
        yield from wrapped(paragraph(item.text, EXCERPT))
    yield from wrapped(f"Why: {question.why}")
    if question.words:
        yield from wrapped(f"Words: {one_line(', '.join(question.words), 200)}")
