"""Matching: what an item is to a standing question, and what kind of evidence it is. ``Facts`` in, events and near-misses out; pure.

in   a watch, and what is known of an item
out  its rungs; the events and near-misses of the watch that it is; why it no longer is one that it was
A rung says what kind of evidence an item is; rungs are no ladder: a product never answers "is there a paper?". By a lab needs an
attribution; a lab named in a title is only about it. Surprising: nothing here compares with what was said before but ``taken_back``,
which reads it from the reasons of the event, so that the words match what people have read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tracker.patterns import compile_rules
from tracker.types import RUNGS, Event, Facts, Missed, Watch

__all__ = ["match", "missed", "rung_of", "rungs_of", "story_rungs", "study_cue", "taken_back", "with_children"]

# An official page that presents a study, not only announces one: by its address, by the name of such documents in its title, or, if it
# tells a result, by the words with which a text presents its paper.
_STUDY_PATH = re.compile(
    r"/(?:research|science|publications?|(?:public_)?papers?|reports?)/[^/?#]+|system-?card|technical-?report"
    r"|^https?://(?:www\.)?(?:(?:research|alignment|red)\.[^/]+|[^/]+\.pub)/[^/?#]+",
    re.IGNORECASE,
)
_STUDY_TITLE = re.compile(
    r"\b(?:system card|technical report|research note|white ?paper(?! plane)|(?:new|our|research|position|working) paper)\b", re.IGNORECASE
)
# Of letters and forms there are more than of studies.
_STUDY_PDF = re.compile(r"(?:paper|report|study|system-?card|technical)[^/]*\.pdf(?:$|[?#])", re.IGNORECASE)
_PDF = re.compile(r"\.pdf(?:$|[?#])", re.IGNORECASE)
_ARXIV_MONTH = re.compile(r"arxiv:(\d\d)(\d\d)\.")
_OWN_MONTHS = 1  # between a post and the paper that it presents; an older one is cited
_STUDY_TEXT = re.compile(
    r"\b(?:this|our|a|the|new) (?:new |accompanying |research )*(?:paper|study|preprint|technical report)\b", re.IGNORECASE
)
# A score that is sure enough for a question, whatever tier it has: some topics have hardly a confident one (docs/model.md), and a question
# that asks for them would never be answered. Read by us, 24 of 28 such items by labs were right.
SURE = 0.85
_NO_DATE = "it bears no date and was there before we first looked"
_STUDY_TEXT_READ = 400  # characters: where a post says what it presents; further down papers are only cited


# -- what kind of evidence it is -------------------------------------------------------------------


def rung_of(facts: Facts, lab: str) -> tuple[str, str]:
    """Return the kind of evidence the item is for a lab, and the cue that says so.

    What presents a study is published although it is also released ("the system card is now available"); a release that only links to a
    paper is shipped.
    """
    if lab not in facts.by:
        return "reported", f"about the lab, not by it ({facts.about.get(lab, '')})"
    if facts.origin == "paper":
        return "published", "a paper"
    if found := study_cue(facts):
        return "published", found
    if facts.act == "release":
        return "shipped", f"released: “{facts.act_cue}”"
    if paper := _presented(facts):
        return "published", f"presents a paper: {paper}"
    return "stated", "a page of the lab"


def study_cue(facts: Facts) -> str | None:
    """What says that a lab's own page presents a study, or None.

    Advice and announcements stand on the pages of studies too: there, and only there, the act has the say.
    """
    if found := _STUDY_TITLE.search(facts.title):
        return f"a publication: “{found[0]}”"
    if facts.act not in ("opinion", "announcement") and (found := _STUDY_PATH.search(facts.url or "")):
        return f"a publication page: “{found[0]}”"
    if (facts.act == "result" and _PDF.search(facts.url or "")) or _STUDY_PDF.search(facts.url or ""):
        return "a publication: a PDF"
    if facts.act == "result" and (found := _STUDY_TEXT.search(facts.text[:_STUDY_TEXT_READ])):
        return f"presents a study: “{found[0]}”"
    return None


def _presented(facts: Facts) -> str | None:
    """The linked paper that the item presents: on arXiv since about that day, or a PDF that is called one where the item tells a result."""
    if facts.act == "opinion":
        return None
    month = int(facts.at[:4]) * 12 + int(facts.at[5:7])
    for key in sorted(facts.links):
        if found := _ARXIV_MONTH.match(key):
            if abs((2000 + int(found[1])) * 12 + int(found[2]) - month) <= _OWN_MONTHS:
                return key
        elif facts.act == "result" and _STUDY_PDF.search(key):
            return key
    return None


def rungs_of(facts: Facts) -> list[tuple[str, str, str]]:
    """Return (rung, lab, cue) for each lab that the item is by, else about; a parent counts through its child alone.

    What is neither by a lab nor about one reports, with the lab ""; a paper of nobody we know is no rung at all.
    """
    known = facts.by or facts.about
    if not known:
        return [] if facts.origin == "paper" else [("reported", "", "by no lab and about none")]
    labs = [lab for lab, how in known.items() if not how.startswith("parent of")]
    return [(rung, lab, cue) for lab in labs for rung, cue in [rung_of(facts, lab)]]


def story_rungs(present: Iterable[str]) -> tuple[str, ...]:
    """Return the rungs of a story from those of its items, in the order of the ladder: others beside the lab's own word add none.

    >>> story_rungs({"stated", "reported", "published"}), story_rungs({"reported"})
    (('stated', 'published'), ('reported',))
    """
    among = set(present)
    return tuple(rung for rung in RUNGS if rung in among and (rung != "reported" or among == {rung}))


# -- whether it bears on the question ---------------------------------------------------------------


def match(watch: Watch, facts: Facts) -> list[Event]:
    """Return the events of a watch that an item is: at most one a lab, none outside ``since`` and ``until``."""
    ground = _ground(watch, facts) if _in_time(watch, facts.at[:10]) else None
    if ground is None or _timeless(watch, facts):
        return []
    score, why = ground
    labs = {lab: (*rung_of(facts, lab), how) for lab, how in _labs(watch, facts).items()}
    return [
        Event(watch.id, facts.item, lab, rung, facts.at, score, (why, _whose(facts, lab, how), _dated(facts, cue)))
        for lab, (rung, cue, how) in labs.items()
    ]


def missed(watch: Watch, facts: Facts) -> list[Missed]:
    """Return the near-misses of a watch that an item is: what fits but for one thing, which is the last reason.

    It is only perhaps on a topic that the watch asks for, it is only about a lab by which the watch asks for something, or it bears no date
    although the watch asks for a time. Of a phrase there is no nearly.
    """
    if not _in_time(watch, facts.at[:10]):
        return []
    if _timeless(watch, facts):
        found = match(replace(watch, since=None, until=None), facts)
        return [Missed(watch.id, facts.item, one.lab, one.rung, one.at, one.score, (*one.reason, _NO_DATE)) for one in found]
    if watch.phrases:
        return []
    if sure := _on(watch, facts, sure=True):
        labs, why = _only_about(watch, facts), f"on {sure[1]} ({sure[0]:.2f})"
        return [
            Missed(watch.id, facts.item, lab, "reported", facts.at, sure[0], (why, _whose(facts, lab, how), f"about {lab}, not by it"))
            for lab, how in labs.items()
        ]
    unsure = _on(watch, facts, sure=False)
    if unsure is None:
        return []
    kinds = {lab: (*rung_of(facts, lab), how) for lab, how in _labs(watch, facts).items()}
    lacks = f"only perhaps on {unsure[1]} ({unsure[0]:.2f})"
    return [
        Missed(watch.id, facts.item, lab, rung, facts.at, unsure[0], (_whose(facts, lab, how), _dated(facts, cue), lacks))
        for lab, (rung, cue, how) in kinds.items()
    ]


def _timeless(watch: Watch, facts: Facts) -> bool:
    """Whether nothing says that an item is of the time that a watch asks for: it was there, without a date, before we first looked."""
    return facts.old and bool(watch.since or watch.until)


def _in_time(watch: Watch, day: str) -> bool:
    return not ((watch.since and day < watch.since) or (watch.until and day > watch.until))


def _whose(facts: Facts, lab: str, how: str) -> str:
    return f"{'by' if lab in facts.by else 'about'} {lab} ({how})"


def _dated(facts: Facts, cue: str) -> str:
    return cue if facts.dated else f"{cue}; it bears no date, first seen {facts.at[:10]}"


def _ground(watch: Watch, facts: Facts) -> tuple[float, str] | None:
    """The topic, sure enough, or the phrase that makes the item bear on the question."""
    if watch.phrases:
        found = compile_rules(watch.phrases).find(f"{facts.title}\n{facts.text}")
        return (1.0, f"says “{found[0]}”") if found else None
    sure = _on(watch, facts, sure=True)
    return (sure[0], f"on {sure[1]} ({sure[0]:.2f})") if sure else None


def _on(watch: Watch, facts: Facts, *, sure: bool) -> tuple[float, str] | None:
    """The best score of a topic that the watch asks for, of those that are sure enough for a question, or of those that are not."""
    found = [
        (score, topic)
        for topic in watch.topics
        for score, tier in [facts.topics.get(topic, (0.0, ""))]
        if tier in ("confident", "maybe") and (tier == "confident" or score >= SURE) == sure
    ]
    return max(found, default=None)


def _labs(watch: Watch, facts: Facts) -> dict[str, str]:
    """The labs the watch asks for that the item is by or, for the rung reported, about."""
    if not watch.by and not watch.about:
        return {"": "any source"}
    by = _asked(watch.by, facts.by, watch.not_by)
    # One item is one answer for a lab: by it, else about it; and what a lab itself writes is never "reported" about another.
    return by or ({} if facts.by else _asked(watch.about, facts.about, watch.not_by))


def _only_about(watch: Watch, facts: Facts) -> dict[str, str]:
    """The labs by which the watch asks for something, and which the item is only about; one that it reports about as well is no miss."""
    if facts.by or _labs(watch, facts):
        return {}
    return _asked(watch.by, facts.about, watch.not_by)


# How the store says that a lab is the parent of others: alone, or behind a way of its own in which the lab is known.
_PARENT_OF = re.compile(r"(?:^|; )parent of ([\w-]+(?:, [\w-]+)*)$")


def _asked(wanted: Sequence[str], present: Mapping[str, str], unwanted: Sequence[str]) -> dict[str, str]:
    """The labs present that are wanted, children of unwanted ones left out; a child that is wanted itself speaks for its parent."""
    children = {lab: found[1].split(", ") if (found := _PARENT_OF.search(how)) else [] for lab, how in present.items()}
    out = with_children(unwanted, children)
    asked = [lab for lab in (present if "any" in wanted else wanted) if lab in present and lab not in out]
    kept = {lab: present[lab] for lab in asked if not present[lab].startswith("parent of") or _speaks(lab, asked, children, out)}
    # Where any lab will do, one paper is one answer: that of the most exact lab.
    return {lab: how for lab, how in kept.items() if "any" not in wanted or kept.keys().isdisjoint(children[lab])}


def _speaks(lab: str, asked: Sequence[str], children: Mapping[str, Sequence[str]], out: set[str]) -> bool:
    """Whether a lab that is only the parent of others adds anything: none of them is asked for, and one of them counts."""
    below = with_children(children[lab], children)
    return below.isdisjoint(asked) and any(child not in out and not children.get(child) for child in below)


def with_children(labs: Iterable[str], children: Mapping[str, Sequence[str]]) -> set[str]:
    """Return labs and all that belong to them, however deep, by who belongs to whom directly."""
    found, new = set[str](), set(labs)
    while new:
        found |= new
        new = {child for lab in new for child in children.get(lab, ())} - found
    return found


# -- why an event no longer stands ------------------------------------------------------------------

_EDITED = "the question was edited"


def taken_back(watch: Watch, facts: Facts, event: Event) -> str:
    """Return what has changed, in words, since the item was an event of the watch; call it when it no longer is.

    What has changed in the item comes first; where nothing has, it is the question that has.
    """
    day, before = facts.at[:10], event.at[:10]
    if _timeless(watch, facts):
        return _NO_DATE
    if not _in_time(watch, day):
        return f"moved out of the question's time (now of {day}, was of {before})" if day != before else _EDITED
    if _ground(watch, facts) is None:
        return _ground_gone(watch, facts, event.reason[0])
    return _lab_gone(watch, facts, event)


def _ground_gone(watch: Watch, facts: Facts, reason: str) -> str:
    """Of the topic or the phrase that the event was for, as its first reason names it."""
    if said := re.fullmatch(r"says “(.*)”", reason, re.DOTALL):
        return _EDITED if not watch.phrases or said[1] in f"{facts.title}\n{facts.text}" else f"no longer says “{said[1]}”"
    named = re.fullmatch(r"on ([\w-]+) \((.+)\)", reason)
    if named is None or watch.phrases or named[1] not in watch.topics:
        return _EDITED
    topic, was = named[1], named[2]
    if who := facts.denied.get(topic):
        return f"{who} says it is not on {topic}"
    score, tier = facts.topics.get(topic, (0.0, ""))
    return f"only perhaps on {topic} ({score:.2f}, was {was})" if tier == "maybe" else f"no longer on {topic} (was {was})"


def _lab_gone(watch: Watch, facts: Facts, event: Event) -> str:
    """Of the lab that the event was for, which it was by or, reported, about."""
    lab = event.lab
    if not lab or not {lab, "any"} & {*watch.by, *watch.about}:
        return _EDITED
    if event.rung != "reported" and lab not in facts.by:
        return f"no longer by {lab}{', only about it' if lab in facts.about else ''}"
    if event.rung == "reported" and facts.by:
        return f"by {' and '.join(sorted(facts.by))}, so it does not report about {lab}"
    if event.rung == "reported" and lab not in facts.about:
        return f"no longer about {lab}"
    children = _PARENT_OF.search((facts.by or facts.about)[lab])
    return f"counts for {children[1]}, not for {lab}" if children else _EDITED
