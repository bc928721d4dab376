"""Compose: what a digest says, in which order and words. A ``Matter`` in, a ``Digest`` out; pure.

in   the stories and moves that are due, the health of the sources, names of topics and labs, the period
out  subject, text, HTML of at most 80 kB, and exactly what they tell: the rows of the ledger
refuses to know the database, the clock and mail. Surprising: every due item gets its place even when it is not shown ("more"), but a
move that does not fit is left out of the ledger and told next time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from tracker import complete
from tracker.clock import parse
from tracker.notifiers import letter, words
from tracker.notifiers.letter import Block, Chip, Denied, Group, Link, Question, Sheet
from tracker.store.digests import Denial, Health, Sign, Story, Told
from tracker.text import one_line
from tracker.types import RUNGS, DigestPlan, Watch
from tracker.urls import safe_url

__all__ = ["MAX_HTML", "Digest", "Matter", "Move", "Story", "compose", "importance"]

TITLE = "Self-improving agents"
MAX_HTML = 80_000  # bytes; Gmail cuts at 102 kB
MAX_TITLE = 200
_NAMED = 3  # gaps and silent sources that are told in full
MAX_URL = 1_500  # characters; a longer address is left out rather than broken
_STAGES = {"article": "read", "tag": "tagged", "authors": "read for authors", "group": "grouped", "watch": "held against the questions"}


@dataclass(frozen=True, slots=True)
class Move:
    """A rung of a watch that is new. ``key`` is its name in the ledger, ``old`` the rungs known before."""

    watch: Watch
    sign: Sign
    key: str
    old: tuple[str, ...]
    state: str = ""


@dataclass(frozen=True, slots=True)
class Matter:
    """Everything a digest is made of."""

    plan: DigestPlan
    period: tuple[str, str]
    stories: Sequence[Story] = ()
    moves: Sequence[Move] = ()
    silent: Sequence[tuple[str, str]] = ()  # rungs of watches that are known without having been news
    health: Health = field(default_factory=Health)
    topics: Mapping[str, str] = field(default_factory=dict)
    labs: Mapping[str, str] = field(default_factory=dict)
    questions: int = 0
    first: bool = False
    public_url: str | None = None
    held: str = ""  # why it is only looked at, and would not be written


@dataclass(frozen=True, slots=True)
class Digest:
    """A mail, and what it tells. ``quiet``: there was nothing to tell."""

    name: str
    period: tuple[str, str]
    subject: str
    text: str
    html: str
    items: tuple[Told, ...]
    watches: tuple[tuple[str, str], ...]
    quiet: bool
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class _Caps:
    """How much is shown: moves, stories as blocks, titles a list, links a story."""

    moves: int
    blocks: int
    titles: int
    links: int


_DAILY = _Caps(8, 4, 12, 6)
_WEEKLY = replace(_DAILY, blocks=12)
# Tried in this order until the HTML fits; only hostile lengths get beyond the second.
_SMALLER = (_Caps(6, 4, 12, 3), _Caps(3, 3, 6, 1), _Caps(1, 1, 0, 0))


@dataclass(frozen=True, slots=True)
class _Plan:
    """Who stands where. ``proofs`` are told with the moves that they prove."""

    moves: tuple[Move, ...]
    proofs: dict[Move, Story]
    blocks: tuple[Story, ...]
    also: tuple[Story, ...]
    maybe: tuple[Story, ...]
    more: tuple[Story, ...]
    known: tuple[Story, ...]  # told before, not risen: recorded in silence


def compose(matter: Matter) -> Digest:
    """Return the digest: the same matter always gives the same bytes."""
    first = _WEEKLY if matter.plan.at == "weekly" else _DAILY
    for caps in (first, *_SMALLER):
        digest = _composed(matter, _arranged(matter, caps), caps)
        if len(digest.html.encode()) <= MAX_HTML:
            break
    return digest


def _composed(matter: Matter, plan: _Plan, caps: _Caps) -> Digest:
    sheet = _sheet(matter, plan, caps)
    items = tuple(_told(plan))
    watches = tuple(sorted({*matter.silent, *((move.watch.id, move.key) for move in plan.moves)}))
    return Digest(matter.plan.name, matter.period, sheet.subject, letter.text(sheet), letter.html(sheet), items, watches, sheet.quiet)


# -- the order --------------------------------------------------------------------------------------


def importance(story: Story, since: str, order: Sequence[str] = ()) -> float:
    """Return how far up a story belongs: how sure its topic is, whose it is, how many tell it; late finds sink.

    Args:
        since: begin of the period.
        order: the topics as the configuration lists them, what matters most first.
    """
    places = {topic: place for place, topic in enumerate(order)}
    score = max((score - 0.03 * places.get(topic, 0) for topic, (score, _, _) in story.topics.items()), default=0.0)
    score += 0.3 * any(line.by for line in story.lines) + 0.1 * bool({"published", "shipped"} & {*story.rungs})
    score += 0.1 * min(len({line.source for line in story.lines}) - 1, 3)
    if story.lines[0].unconfirmed and not any(line.by for line in story.lines):
        score -= 0.2
    newest = max((line.first_seen_at for line in story.lines if line.due), default=since)
    return score - min(0.5, 0.05 * max(0, (parse(since) - parse(newest)).days))


def _arranged(matter: Matter, caps: _Caps) -> _Plan:
    order = list(matter.topics)
    # Ties by what is told, not by ids: those follow the order of arrival, which differs from run to run.
    ranked = sorted(
        matter.stories, key=lambda one: (-importance(one, matter.period[0], order), one.lines[0].at, one.lines[0].title, one.id)
    )
    moves = tuple(matter.moves[: caps.moves])
    by_id = {story.id: story for story in ranked if story.fresh}
    proofs: dict[Move, Story] = {}
    for move in moves:
        story = by_id.pop(move.sign.story or 0, None)  # the first move that it proves shows it
        if story:
            proofs[move] = story
    rest = [story for story in ranked if story.id in by_id]
    sure, unsure = [story for story in rest if story.confident], [story for story in rest if not story.confident]
    return _Plan(
        moves,
        proofs,
        tuple(sure[: caps.blocks]),
        tuple(sure[caps.blocks :][: caps.titles]),
        tuple(unsure[: caps.titles]),
        (*sure[caps.blocks + caps.titles :], *unsure[caps.titles :]),
        tuple(story for story in ranked if not story.fresh),
    )


def _told(plan: _Plan) -> Iterable[Told]:
    """A row for every due item: each story has one section and one place."""
    sections = (
        ("watches", plan.proofs.values()),
        ("confident", (*plan.blocks, *plan.also)),
        ("maybe", plan.maybe),
        ("more", (*plan.more, *plan.known)),
    )
    place = 0
    for section, stories in sections:
        for story in stories:
            place += 1
            rung = None if section == "more" else ", ".join((*story.rungs, *([story.denial.how] if story.denial else ())))
            yield from (Told(line.item, story.id, section, place, rung) for line in story.lines if line.due)


# -- the words --------------------------------------------------------------------------------------


def _sheet(matter: Matter, plan: _Plan, caps: _Caps) -> Sheet:
    to = parse(matter.period[1])
    since = "" if matter.first else f", since {words.instant(matter.period[0], to)} UTC"
    fresh = [*plan.proofs.values(), *plan.blocks, *plan.also, *plan.maybe, *plan.more]
    quiet = not plan.moves and not fresh
    sheet = Sheet(
        _subject(matter, plan, len(fresh)),
        TITLE,
        f"{'Week to ' if matter.plan.at == 'weekly' else ''}{words.weekday(to)}{since}",
        _quiet_summary(matter, plan) if quiet else _summary(matter, plan, fresh),
        _proof(matter),
        f"Change or stop this mail: [digests.{one_line(matter.plan.name, 60)}] in feeds.toml. All times are UTC.",
        page_url=f"{matter.public_url}/" if matter.public_url else None,
        quiet=quiet,
    )
    if quiet:
        return sheet
    more, more_url = _more(matter, plan)
    return replace(
        sheet,
        questions=tuple(_questions(matter, plan, caps)),
        groups=tuple(_groups(matter, plan.blocks, caps)),
        also=tuple(_block(matter, story, replace(caps, links=0), brief=True) for story in plan.also),
        maybe=tuple(_block(matter, story, replace(caps, links=0), brief=True) for story in plan.maybe),
        more=more,
        more_url=more_url,
        foot=tuple(_foot(matter)),
    )


def _subject(matter: Matter, plan: _Plan, fresh: int) -> str:
    to = parse(matter.period[1])
    head = f"{TITLE}, {'week to ' if matter.plan.at == 'weekly' else ''}{words.short(to)}: "
    stories = (*plan.blocks, *plan.also, *plan.maybe, *plan.more)
    if plan.moves:
        sign = plan.moves[0].sign
        lead, others = f"{one_line(sign.title, 120)} ({sign.rung})", len(plan.moves) - 1 + fresh - len(plan.proofs)
    elif stories:
        lead, others = one_line(stories[0].lines[0].title, 120), fresh - 1
    else:
        said = "held" if matter.held else "the first digest" if matter.first else "nothing new"
        return f"{head}{said}, {matter.health.answered} of {words.count(matter.health.asked, 'source')} answered"
    return one_line(f"{head}{lead}{f' (+{others})' if others else ''}", 200)


def _summary(matter: Matter, plan: _Plan, fresh: Sequence[Story]) -> str:
    items = sum(line.due for story in fresh for line in story.lines)
    parts = [f"{words.count(len({move.watch.id for move in plan.moves}), 'question')} moved"] if plan.moves else []
    source = f" from {items} items" if items > len(fresh) else ""
    parts += [f"{words.count(len(fresh), 'new story', 'new stories')}{source}"] if fresh else []
    return f"{f'Held for now. {matter.held} What there is to tell: ' if matter.held else ''}{', '.join(parts)}."


def _quiet_summary(matter: Matter, plan: _Plan) -> str:
    if matter.held:
        return f"Held for now. {matter.held}"
    if matter.first:
        return "This is the first digest. What was there before it is kept and tagged, not mailed; from now on you hear what is new."
    asked = f", and none of {words.count(matter.questions, 'question')} moved" if matter.questions else ""
    known = sum(line.due for story in plan.known for line in story.lines)
    added = f"; {words.count(known, 'more item')} on stories told before" if known else ""
    seen = " in what could be seen" if matter.health.gaps or matter.health.failing else ""
    return f"Nothing new on your topics{seen}{asked}{added}."


def _more(matter: Matter, plan: _Plan) -> tuple[str, str | None]:
    known = sum(line.due for story in plan.known for line in story.lines)
    parts = [f"{words.count(len(plan.more), 'more story', 'more stories')}"] if plan.more else []
    parts += [f"{words.count(known, 'more item')} on stories told before"] if known else []
    if not parts:
        return "", None
    said = " and ".join(parts)
    if matter.public_url:
        return f"{said} on the web page", f"{matter.public_url}/"
    return f"{said}; `tracker serve` shows everything.", None


def _questions(matter: Matter, plan: _Plan, caps: _Caps) -> Iterable[Question]:
    for watch in dict.fromkeys(move.watch for move in plan.moves):
        moves = [move for move in plan.moves if move.watch == watch]
        yield Question(one_line(watch.question, 300), moves[0].state, tuple(_move(matter, move, plan.proofs, caps) for move in moves))


def _move(matter: Matter, move: Move, proofs: Mapping[Move, Story], caps: _Caps) -> letter.Move:
    sign, to = move.sign, parse(matter.period[1])
    story = proofs.get(move)
    proof = Block(one_line(sign.title, MAX_TITLE), _url(sign.url), one_line(sign.source, 80), words.day(sign.at, to))
    if story:
        own = _block(matter, story, caps, besides=sign.item)
        proof = replace(proof, chips=own.chips, denied=own.denied, change=own.change, links=own.links, hidden=own.hidden)
    meaning = "which answers the question" if sign.rung in move.watch.answer else "a sign on the way"
    who = matter.labs.get(sign.lab, sign.lab) if move.watch.first_per == "lab" else ""
    reason = "; ".join(_named(part, matter) for part in sign.reason)
    return letter.Move(who, " · ".join(move.old) or "nothing yet", sign.rung, meaning, one_line(reason, 400), proof)


def _named(reason: str, matter: Matter) -> str:
    """A reason of a watch with names in place of ids."""

    def name(found: re.Match[str]) -> str:
        return f"{found[1]} {(matter.topics if found[1] == 'on' else matter.labs).get(found[2], found[2])}"

    return _plain(re.sub(r"(^on|^by|^about|\(parent of) ([\w-]+)", name, reason))


def _groups(matter: Matter, stories: Sequence[Story], caps: _Caps) -> Iterable[Group]:
    by_topic: dict[str, list[Block]] = {}
    for story in stories:
        by_topic.setdefault(next(iter(story.topics)), []).append(_block(matter, story, caps))
    return [Group(one_line(matter.topics.get(topic, topic), 80), tuple(blocks)) for topic, blocks in by_topic.items()]


def _block(matter: Matter, story: Story, caps: _Caps, *, brief: bool = False, besides: int = 0) -> Block:
    lead, to = story.lines[0], parse(matter.period[1])
    shown = next((line for line in story.lines if line.item == besides), lead)
    urls = {url: line.source for line in story.lines if (url := _url(line.url))}
    denied = _denied(story.denial, to)
    for elsewhere in (_url(shown.url), denied and denied.url):  # linked where it is named
        urls.pop(elsewhere or "", None)
    links = tuple(Link(one_line(source, 60), url) for url, source in list(urls.items())[: caps.links])
    late = max((line.first_seen_at for line in story.lines if line.due), default=matter.period[1]) < matter.period[0]
    return Block(
        one_line(lead.title, MAX_TITLE) or "(no title)",
        _url(lead.url),
        one_line(lead.source, 80),
        words.day(lead.at, to) + (f", first seen {words.day(lead.first_seen_at, to)}" if late else ""),
        tuple(_chips(matter, story, 1 if brief else 3)),
        denied,
        "" if brief else _why(matter, story),
        _change(story),
        links,
        len(urls) - len(links) if links else 0,
    )


def _change(story: Story) -> str:
    if story.told is None:
        return ""
    paper = "a paper" if story.lines[0].origin == "paper" else ""
    before = " · ".join(rung for rung in RUNGS if rung in story.told) or paper
    now = [f"now also {' · '.join(story.risen)}"] if story.risen else []
    now += [f"{story.denied} since"] if story.denied else []
    return f"{'; '.join([f'Told before as {before}' if before else 'Told before', *now])}."


def _denied(denial: Denial | None, to: datetime) -> Denied | None:
    if denial is None:
        return None
    words_of_it = f"{denial.how} later: “{one_line(denial.cue, 80)}”, {one_line(denial.source, 60)}, {words.day(denial.at, to)}"
    return Denied(words_of_it, _url(denial.url))


def _chips(matter: Matter, story: Story, topics: int) -> Iterable[Chip]:
    for topic, (score, tier, _) in list(story.topics.items())[:topics]:
        title = one_line(matter.topics.get(topic, topic), 60)
        yield Chip("topic", f"{title} {score:.2f}") if tier == "confident" else Chip("maybe", f"maybe {title} {score:.2f}")
    by = dict.fromkeys(lab for line in story.lines for lab in line.by)
    about = [lab for lab in dict.fromkeys(lab for line in story.lines for lab in line.about) if lab not in by]
    yield from (Chip("by", f"by {one_line(matter.labs.get(lab, lab), 60)}") for lab in list(by)[:3])
    yield from (Chip("about", f"about {one_line(matter.labs.get(lab, lab), 60)}") for lab in about[:3])
    if story.rungs:
        yield Chip("rung", " · ".join(story.rungs))
    elif story.lines[0].origin == "paper":
        yield Chip("origin", "paper")
    doubts = [line for line in story.lines if line.unconfirmed and (not story.denial or line.item == story.denial.item)]
    doubted = next(iter(doubts), None)
    if doubted and (story.denial or not by):
        word = "possibly unconfirmed" if doubted.unconfirmed == "possibly" else "unconfirmed"
        yield Chip("unconfirmed", f"{word}: “{one_line(doubted.cue or '', 80)}”")


def _why(matter: Matter, story: Story) -> str:
    """One line: the words behind the topic, how the lab is known, what joins the story."""
    topic, (_, _, terms) = next(iter(story.topics.items()), ("", (0.0, "", ())))
    quoted = ", ".join(f"“{one_line(term, 40)}”" for term in terms[:3])
    parts = [f"{quoted} {'speak' if len(terms) > 1 else 'speaks'} for {matter.topics.get(topic, topic)}"] if quoted else []
    known = next(((lab, how) for line in story.lines for lab, how in line.by.items()), None)
    parts += [f"by {matter.labs.get(known[0], known[0])} ({known[1]})"] if known else []
    joined = next((line for line in story.lines if not re.match(r"first of its story|stands alone", line.evidence)), None)
    parts += [f"{joined.source}: {joined.evidence}"] if joined else []
    return one_line(_plain("; ".join(parts)), 300)


def _plain(reason: str) -> str:
    """Reasons without addresses: one that is cut or wrapped would be a broken link."""
    return re.sub(r"(?:url:)?https?://(?:www\.)?([^/\s;”“]+)[^\s;”“]*", r"a page of \1", reason)


# -- the foot ---------------------------------------------------------------------------------------


def _proof(matter: Matter) -> str:
    """What was looked at: the reason to believe that nothing is missing, or what is."""
    health, to = matter.health, parse(matter.period[1])
    since = "" if matter.first else f" since {words.instant(matter.period[0], to)}"
    parts = [f"{health.answered} of {words.count(health.asked, 'source')} answered{since}."]
    if health.failing:
        named = [_failing(*failing, to) for failing in health.failing[:5]]
        left = len(health.failing) - len(named)
        parts.append(f"Failing: {'; '.join(named)}{f'; and {left} more' if left else ''}.")
    for at, asked, later in health.outages[:3]:
        looked = f"was looked for on {words.instant(later, to)}" if later else "is looked for at the next run"
        parts.append(f"No source answered on {words.instant(at, to)} ({asked} asked); what appeared then {looked}.")
    if len(health.outages) > 3:
        parts.append(f"So it was {words.count(len(health.outages) - 3, 'more time')}.")
    parts += _missing(matter, to)
    waits = [f"{count} to be {_STAGES.get(stage, stage)}" for stage, count in health.waiting.items() if count]
    parts.append(f"{words.count(sum(health.waiting.values()), 'item')} waiting: {', '.join(waits)}." if waits else "No item is waiting.")
    return " ".join(parts)


def _missing(matter: Matter, to: datetime) -> Iterable[str]:
    """What may be missing although nothing fails: gaps that reach into the period, sources that have fallen silent."""
    gaps, quiet = matter.health.gaps, matter.health.quiet
    if gaps:
        told = [complete.worded(one_line(gap["title"], 60), gap, lambda stamp: words.day(stamp, to)) for gap in gaps[:_NAMED]]
        left = f"; and {len(gaps) - _NAMED} more" if len(gaps) > _NAMED else ""
        yield f"{words.count(len(gaps), 'gap')}: {'; '.join(told)}{left}."
    named = [one for one in quiet if one["quiet_at"] > matter.period[0]][:_NAMED]  # told when it was found, afterwards only counted
    said = [complete.silence(one_line(one["title"], 60), one["quiet_since"], one["habit_days"], matter.period[1]) for one in named]
    if others := len(quiet) - len(named):
        said.append(("and " if said else "") + words.count(others, "more source" if said else "source") + ", named by `tracker status`")
    if said:
        yield f"Silent: {'; '.join(said)}."


def _failing(title: str, last_ok: str | None, error: str, now: datetime) -> str:
    since = f"since {words.day(last_ok, now)}" if last_ok else "has never answered"
    return f"{one_line(title, 60)}, {since} ({one_line(error, 40)})"


def _foot(matter: Matter) -> Iterable[str]:
    if problem := matter.health.model_problem:
        yield one_line(f"The topic model is not in use: {problem}{'; rules tag alone' if matter.health.waiting.get('tag') else ''}.", 300)
    elif matter.health.model:
        yield f"Topics by {'rules alone' if matter.health.model == 'rules' else f'model {one_line(matter.health.model, 80)}'}."


def _url(url: str | None) -> str | None:
    safe = safe_url(url)
    return safe if safe and len(safe) <= MAX_URL else None
