"""Digest: the mail that tells each development once, and never claims more than was looked at.

in   what no digest of that name has told: stories with an item on a topic, rungs of watches that are new; the health of the sources
out  a row in ``digests`` with what it tells, then the mail: prepared → sending → sent, each step a transaction
refuses to know models and sources; what a digest says is ``compose``. Surprising: completeness comes from the ledger, not from the
period, so a month of silence loses nothing; when nothing answered, no digest is written, and the next one says when that was.
The name of a plan is its ledger: one that is added or renamed begins anew, with the news of a fortnight and no older move of a question.

==================  ==================================================================================================
it fails            a later run sends that very mail: stored text, same Message-ID, after 15 min, doubling to a day
it is killed        it stays ``sending`` and is sent once more under the same Message-ID: never lost, one known repeat
it is not yet sent  for a week no newer digest of that name is written: what comes on top waits, and is told in one
some still lack it  those alone are tried again, for a week; the others get the next one in time
its plan is gone    it stays unsent, with that as its error, until a plan of that name is back
==================  ==================================================================================================
"""

from __future__ import annotations

import hashlib
import re
import socket
import sqlite3
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tracker import notifiers
from tracker.clock import iso, parse
from tracker.compose import Digest, Matter, Move, Story, compose
from tracker.config import Config
from tracker.matching import rungs_of, story_rungs
from tracker.notifiers import Mail, MailError, Outcome
from tracker.store import digests, transaction, watches
from tracker.store.digests import Health, Sign
from tracker.types import RUNGS, DigestPlan, Watch
from tracker.watch import Status, board

__all__ = ["Digest", "Sent", "as_file", "compose", "digest", "held", "is_due", "moves", "next_try", "preview"]

FIRST_PERIOD = timedelta(days=14)  # a digest added later begins with a fortnight, not with the archive
FIRST_WAIT, LAST_WAIT = timedelta(minutes=15), timedelta(days=1)
PATIENCE = timedelta(days=7)  # so long an unsent digest holds back the next one, and who was left over is tried again
_ORPHANED = "in feeds.toml, so it is not sent"
_NOT_YET, _REFUSED = "not yet ", "refused "  # how a line of digests.error begins, which names a recipient


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a digest. ``status``: sent, prepared (not sent, or ``error`` says why), held (none is written or sent, and why)."""

    name: str
    status: str
    subject: str = ""
    error: str | None = None


# -- decisions (pure) -------------------------------------------------------------------------------


def is_due(at: str, last: Sequence[str], begin: str, now: datetime) -> bool:
    """Return whether a digest is to be written: once a UTC day, once a week from Monday on, or once a run.

    Days are those of UTC, so a change of clocks skips none and doubles none. A Monday without a run is made up for on the next day.

    Args:
        last: up to when each digest of that name told.
        begin: where the first one began or would begin.
    """
    if at == "run":
        return iso(now) not in last
    if at == "daily":
        return iso(now)[:10] not in {stamp[:10] for stamp in last}
    monday = iso(now - timedelta(days=now.weekday()))[:10]
    told = any(monday <= stamp[:10] <= iso(now)[:10] for stamp in last)
    return not told and (now.weekday() == 0 or (begin < monday))


def next_try(tries: int, now: datetime) -> datetime:
    """Return when an attempt is made again, after so many."""
    return now + min(FIRST_WAIT * (1 << min(tries - 1, 10)), LAST_WAIT)


def held(health: Health, *, quiet: bool, first: bool) -> str:
    """Return why no digest is to be written, as sentences; "" when one is.

    Args:
        quiet: there is nothing to tell.
        first: it would be the first of its name.
    """
    unknown, since = "so no digest is written: it could not know what it leaves out.", "so far" if first else "since the last digest"
    if health.last_failed:
        return f"No source answered in the last run, {unknown} The next one says so."
    if quiet and not health.answered:
        return f"No source {'answered' if health.asked else 'was asked'} {since}, {unknown}"
    return ""


def _may_be_tried(row: sqlite3.Row, now: datetime) -> bool:
    """Whether the wait is over. One that is longer than any we set comes from a clock that ran ahead."""
    return not iso(now) < (row["next_try_at"] or "") <= iso(now + LAST_WAIT)


def _holds_back(row: sqlite3.Row, now: datetime) -> bool:
    """Whether the next digest waits for an unsent one: for a week, unless somebody has got it or it was written by a clock ahead."""
    return iso(now - PATIENCE) < row["created_at"] <= iso(now) and not _left_over(row["error"])


def moves(
    states: Sequence[tuple[Watch, Status, Set[tuple[int, str]]]], signs: Sequence[Sign], told: Mapping[str, Set[str]]
) -> tuple[list[Move], list[tuple[str, str]]]:
    """Return the rungs that are new, and those that are known without having been news, as (watch, key).

    Args:
        states: the board: the events that count as (item, lab).
        signs: in the order in which they were found; the first of a rung decides whether it is news, and the earliest of its story
            that is news as well is told.
    """
    news: list[Move] = []
    silent: list[tuple[str, str]] = []
    for watch, status, counted in states:
        first: dict[str, Sign] = {}
        for sign in (s for s in signs if s.watch == watch.id and (s.item, s.lab) in counted):
            key = _key(watch, sign.rung, sign.lab)
            first[key] = sign if key not in first or _leads(sign, first[key]) else first[key]
        known = told.get(watch.id, frozenset()) | {key for key, sign in first.items() if sign.quiet}
        silent += [(watch.id, key) for key, sign in first.items() if sign.quiet and key not in told.get(watch.id, ())]
        state = f"Day {status.day} of {status.of_days}." if status.state == "waiting" else ""
        for key, sign in sorted(first.items(), key=lambda pair: (pair[1].lab if watch.first_per else "", RUNGS.index(pair[1].rung))):
            if key not in known:
                old = tuple(rung for rung in RUNGS if _key(watch, rung, sign.lab) in known)
                news.append(Move(watch, sign, key, old, state))
    return news, silent


def _leads(sign: Sign, other: Sign) -> bool:
    """Whether a sign that was found later is the one to tell of a story: both are news, and it is the earlier one by its own day."""
    together = sign.story is not None and sign.story == other.story and not sign.quiet and not other.quiet
    return together and (sign.at, sign.item) < (other.at, other.item)


def _key(watch: Watch, rung: str, lab: str) -> str:
    """A rung's name in the ledger: where each lab's first counts, each lab has its own rungs."""
    return f"{rung} ({lab})" if watch.first_per == "lab" else rung


def _outcome_told(outcome: Outcome, before: str | None) -> str | None:
    """Who did not get a mail, a line each; refusals of earlier attempts stay. One line each, so that no server can forge another."""
    lines = [line for line in (before or "").splitlines() if line.startswith(_REFUSED)]
    lines += [f"{_REFUSED}{who}: {why}" for who, why in outcome.refused.items()]
    lines += [f"{_NOT_YET}{who}: {why}" for who, why in outcome.deferred.items()]
    return "\n".join(lines) or None


def _given_up(outcome: Outcome) -> Outcome:
    """Those who could not take the mail for a week count as refusing it: it is not tried for ever."""
    late = {who: f"given up after {PATIENCE.days} days: {why}" for who, why in outcome.deferred.items()}
    return Outcome({**outcome.refused, **late})


def _recipients(plan: DigestPlan, error: str | None) -> tuple[str, ...]:
    """Who is still to get the mail: everybody, or those whom an earlier attempt left over."""
    left = _left_over(error)
    return tuple(who for who in plan.to if who in left) if left else plan.to


def _left_over(error: str | None) -> list[str]:
    return [line.removeprefix(_NOT_YET).partition(": ")[0] for line in (error or "").splitlines() if line.startswith(_NOT_YET)]


# -- reading ----------------------------------------------------------------------------------------


def _gather(db: sqlite3.Connection, config: Config, plan: DigestPlan, now: datetime) -> Matter:
    first = digests.baseline(db, plan.name, iso(now)) is None
    begin = _begin(db, plan, now)
    period = (_period_from(db, plan, begin, now), iso(now))
    due = digests.due(db, plan.name, begin, period[0][:10])
    lines = digests.lines(db, due, (item for items in due.values() for item in items))
    told = digests.told(db, plan.name, due)
    rungs = _rungs(db, [line.item for story in lines.values() for line in story])
    denials = digests.denials(db, due)
    stories = []
    for story, members in lines.items():
        present = story_rungs(rung for line in members for rung in rungs.get(line.item, ()))
        stories.append(Story(story, tuple(members), present, told.get(story), denials.get(story)))
    news, silent = _moved(db, config, plan, begin, now)
    # The first digest's period begins with the first run itself, the others after the run that the last one told of.
    after = iso(parse(period[0]) - timedelta(seconds=1)) if first else period[0]
    return Matter(
        plan, period, stories, news, silent, digests.health(db, after, period[1]), {topic.id: topic.title for topic in config.topics},
        {lab.id: lab.name for lab in config.labs}, len(config.watches), first, config.public_url,
    )  # fmt: skip


def _rungs(db: sqlite3.Connection, items: Sequence[int]) -> dict[int, set[str]]:
    """The rungs of items; of those that wait for the watches (an upgrade, a run that was killed) as they will be."""
    found = {item: set(rungs) for item, rungs in watches.rungs(db, items).items()}
    for facts in watches.facts(db, digests.unwatched(db, items)):
        found[facts.item] = {rung for rung, _, _ in rungs_of(facts)}
    return found


def _moved(db: sqlite3.Connection, config: Config, plan: DigestPlan, begin: str, now: datetime) -> tuple[list[Move], list[tuple[str, str]]]:
    """What ``moves`` says of the board. Only the signs of rungs that are not told are read: in a settled board, none."""
    told = digests.told_watches(db, plan.name)
    states, wanted = [], []
    for watch, status, events in board(db, config, now):
        # The whole story of an answer: the item of it that was found first decides whether it is news, whichever of them is the earliest.
        counted = {(item, event.lab): event.rung for event in events for item in (event.item, *event.further)}
        states.append((watch, status, counted.keys()))
        known = told.get(watch.id, ())
        wanted += [(watch.id, item, lab) for (item, lab), rung in counted.items() if _key(watch, rung, lab) not in known]
    return moves(states, digests.signs(db, wanted, begin), told)


def _begin(db: sqlite3.Connection, plan: DigestPlan, now: datetime) -> str:
    """From when on items and events count: the begin of the first digest, or of the one to be written. What lies ahead is not believed."""
    first = digests.first_run(db) or iso(now)
    return digests.baseline(db, plan.name, iso(now)) or max(first if first <= iso(now) else "", iso(now - FIRST_PERIOD))


def _period_from(db: sqlite3.Connection, plan: DigestPlan, begin: str, now: datetime) -> str:
    """Up to when the last digest told; of a clock that ran ahead nothing is believed."""
    start = max((stamp for stamp in digests.period_tos(db, plan.name) if stamp <= iso(now)), default=begin)
    taken = digests.period_froms(db, plan.name)
    while start in taken:
        start = iso(parse(start) + timedelta(seconds=1))
    return start


# -- the loop ---------------------------------------------------------------------------------------


def digest(db: sqlite3.Connection, config: Config, *, now: datetime, send: bool = True) -> Iterator[Sent]:
    """Send what is left over, then write and send what is due; yield a result for each digest that something happened to.

    Args:
        send: False only writes; the next run sends.
    """
    for plan in config.digests:
        if send:
            for row in digests.unsent(db, plan.name):
                if _may_be_tried(row, now):
                    yield _send(db, config, plan, row, now)
        waits = any(_holds_back(row, now) for row in digests.unsent(db, plan.name))
        if not waits and is_due(plan.at, digests.period_tos(db, plan.name), _begin(db, plan, now), now):
            yield from _write(db, config, plan, now, send)
    for row in digests.orphans(db, [plan.name for plan in config.digests], _ORPHANED):
        why = f"there is no [digests.{row['name']}] {_ORPHANED}"
        with transaction(db):
            digests.fail(db, row["id"], "\n".join(filter(None, (row["error"], why))), None)
        yield Sent(row["name"], "held", row["subject"], why)


def _write(db: sqlite3.Connection, config: Config, plan: DigestPlan, now: datetime, send: bool) -> Iterator[Sent]:
    matter = _gather(db, config, plan, now)
    written = _addressed(db, config, plan, compose(matter))
    if why := held(matter.health, quiet=written.quiet, first=matter.first):
        yield Sent(plan.name, "held", error=why)
        return
    with transaction(db):
        mail = (written.subject, written.text, written.html, written.message_id)
        digests.prepare(db, plan.name, written.period, mail, written.items, written.watches)
    if not send:
        yield Sent(plan.name, "prepared", written.subject)
        return
    yield _send(db, config, plan, digests.unsent(db, plan.name)[-1], now)


def _send(db: sqlite3.Connection, config: Config, plan: DigestPlan, row: sqlite3.Row, now: datetime) -> Sent:
    """One attempt. Whatever stops it between the two transactions leaves the row ``sending``: it is sent once more."""
    again = iso(next_try(row["tries"] + 1, now))
    with transaction(db):
        digests.send(db, row["id"])
    left = _left_over(row["error"])
    outcome, problem = _handed_over(config, plan, row)
    if outcome is None:
        kept = _outcome_told(Outcome(deferred=dict.fromkeys(left, problem)), row["error"])
        with transaction(db):
            digests.fail(db, row["id"], kept or problem, again)
        return Sent(plan.name, "prepared", row["subject"], problem)
    if left and row["created_at"] <= iso(now - PATIENCE):
        outcome = _given_up(outcome)
    error = _outcome_told(outcome, row["error"])
    with transaction(db):
        if outcome.deferred:
            digests.fail(db, row["id"], error or "", again)
        else:
            digests.sent(db, row["id"], iso(now), error)
    return Sent(plan.name, "prepared" if outcome.deferred else "sent", row["subject"], error)


def _handed_over(config: Config, plan: DigestPlan, row: sqlite3.Row) -> tuple[Outcome | None, str]:
    """What became of each recipient; or None, and why nobody got it."""
    try:
        return notifiers.load(plan.via).send(_mail(config, plan, row, row["error"]), {"folder": plan.folder}), ""
    except MailError as error:
        # When only some are left, what is said of them is no failure of the mail: who refuses it for good is not asked again.
        return (error.outcome if _left_over(row["error"]) else None), str(error)
    except Exception as error:  # it stands in digests.error; raised, it would end this and every later run before the next plan
        return None, f"the mail cannot be made or sent ({type(error).__name__}); this is a fault of the tracker, please report it"


def preview(db: sqlite3.Connection, config: Config, now: datetime, name: str | None = None) -> Digest:
    """Return the digest that would be written now (of the first plan, if none is named). Reads only.

    Where none would be written, its summary says so, and why.
    """
    plan = next((plan for plan in config.digests if name in (None, plan.name)), DigestPlan(name or "daily", ()))
    matter = _gather(db, config, plan, now)
    written = compose(matter)
    if why := held(matter.health, quiet=written.quiet, first=matter.first):
        written = compose(replace(matter, held=why))
    return _addressed(db, config, plan, written)


def as_file(written: Digest, config: Config, kind: str) -> str:
    """Return a digest as a file of a kind: ``html``, ``eml``, or anything else for plain text."""
    if kind != "eml":
        return written.html if kind == "html" else written.text
    plan = next((plan for plan in config.digests if plan.name == written.name), DigestPlan(written.name, ()))
    said = (written.subject, written.text, written.html, written.message_id, written.period[1])
    mail = _mail(config, plan, dict(zip(("subject", "text", "html", "message_id", "created_at"), said, strict=True)))
    return notifiers.message(mail, mail.to[0] if mail.to else None).as_bytes().decode("utf-8", "replace").replace("\r\n", "\n")


# -- addresses --------------------------------------------------------------------------------------


def _mail(config: Config, plan: DigestPlan, row: Mapping[str, str] | sqlite3.Row, error: str | None = None) -> Mail:
    sender = _sender(config, plan)
    contact = config.contact if _is_address(config.contact) else sender
    return Mail(
        plan.name, _recipients(plan, error), sender, row["subject"], row["text"], row["html"], row["message_id"], row["created_at"],
        str(contact),
    )  # fmt: skip


def _addressed(db: sqlite3.Connection, config: Config, plan: DigestPlan, written: Digest) -> Digest:
    """With its Message-ID: of the plan, the period and this database, so that the same digest always has the same."""
    identity = f"{plan.name}|{written.period[0]}|{digests.first_run(db)}"
    mark = hashlib.sha256(identity.encode()).hexdigest()[:24]
    return replace(written, message_id=f"<{mark}.{notifiers.slug(plan.name)}@{_sender(config, plan).rpartition('@')[2]}>")


def _sender(config: Config, plan: DigestPlan) -> str:
    if plan.sender or _is_address(config.contact):
        return str(plan.sender or config.contact)
    host = socket.gethostname()
    return f"tracker@{host if re.fullmatch(r'[A-Za-z0-9.-]+', host) else 'localhost'}"


def _is_address(contact: str | None) -> bool:
    return bool(re.fullmatch(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+", contact or ""))
