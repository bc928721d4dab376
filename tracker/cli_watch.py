"""The command of the standing questions: the board, the history of one, and what one would have done. Apart from ``cli``, which takes it.

Imported here: click and our ground floor; all else is imported inside the command that needs it, because `--help` pays for this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tracker.errors import ConfigError
from tracker.options import Group, Options

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from tracker.config import Config, Draft
    from tracker.types import Event, Watch
    from tracker.watch import Status

__all__ = ["watch"]

NEWEST = 20  # near-misses shown, unless --all asks for more


@click.command(cls=Group.command_class)
@click.argument("identifier", required=False, metavar="[ID]")
@click.option("--as-of", metavar="DAY", help="As it was known at the end of that day, like 2026-06-14.")
@click.option("--all", "everything", is_flag=True, help=f"With ID or --try: all near-misses, not the newest {NEWEST}.")
@click.option("--try", "tried", metavar="FILE|ID", help="What a watch, or a threshold in FILE, would have done; nothing is saved.")
@click.option("--since", metavar="SPAN|DAY", help="With --try: how far back, like 90d (that much unless you say) or 2026-06-01.")
@click.pass_obj
def watch(options: Options, identifier: str | None, as_of: str | None, everything: bool, tried: str | None, since: str | None) -> None:
    """Show the board, the history of a question, or a trial of one.

    \b
    Without ID: each question, its state, proof and last sign. With ID: every event
    of that question, and what just missed it. FILE holds [watches.<id>] tables as
    in feeds.toml, or [topics.<id>] tables with a threshold; ID is one of feeds.toml.

    \b
    Example: tracker watch
             tracker watch anthropic-paper --as-of 2026-06-14
             tracker watch --try draft.toml --since 90d
    """
    if tried is not None:
        if identifier or as_of:
            raise click.UsageError("--try goes with neither ID nor --as-of: tracker watch --try FILE|ID --since 90d")
        _try(options, tried, since or "90d", None if everything else NEWEST)
        return
    if since:
        raise click.UsageError("--since goes with --try: tracker watch --try FILE|ID --since 90d")
    if everything and not identifier:
        raise click.UsageError("--all goes with an ID or with --try: tracker watch ID --all")
    day = _day(options, as_of)
    if identifier:
        _history(options, identifier, day, None if everything else NEWEST)
        return
    from tracker import show_watch, store
    from tracker.store import browse
    from tracker.watch import board

    config, db = options.load(), store.open(options.db)
    states = board(db, config, options.moment, day)
    rows = browse.board(db, states)
    for (asked, _, _), row in zip(states, rows, strict=True):
        kind = _kinds(states, asked.id)
        for event in filter(None, (row["proof"], row["last"])):
            event["counts_as"] = kind(event)
    options.say(show_watch.board(rows), rows)


def _history(options: Options, identifier: str, day: str | None, limit: int | None) -> None:
    from tracker import show_watch, store
    from tracker.store import browse, watches
    from tracker.watch import as_known, board

    config = options.load()
    _one_of(config, identifier)
    db = store.open(options.db)
    states = board(db, config, options.moment, day)
    (row,) = browse.board(db, (one for one in states if one[0].id == identifier))
    kept = as_known(watches.history(db, identifier), day)
    near = [one for one in watches.near(db, identifier) if day is None or one.at[:10] <= day]
    told = browse.history(db, row, kept, near, limit)
    kind = _kinds(states, identifier)
    for event in (event for story in told["stories"] for event in story["events"]):
        event["counts_as"] = kind(event) if event["stands"] else None
    options.say(show_watch.history(told), told)


def _kinds(states: Sequence[tuple[Watch, Status, list[Event]]], identifier: str) -> Callable[[Mapping[str, Any]], str]:
    """Of the events of a watch, as the board has them: as what each counts. Those of one story, lab and rung count as their first."""
    from dataclasses import replace

    from tracker.types import Event
    from tracker.watch_trial import counts_as

    asked, state, events = next(one for one in states if one[0].id == identifier)
    start = next((one.proof.at[:10] for watch, one, _ in states if watch.id == asked.after and one.proof), None)
    first = {(item, event.lab, event.rung): replace(event, item=item) for event in events for item in (event.item, *event.further)}

    def kind(told: Mapping[str, Any]) -> str:
        own = Event(identifier, told["item"], told["lab"], told["rung"], told["at"], 0.0, ())
        return counts_as(asked, first.get((own.item, own.lab, own.rung), own), start, state.proof)

    return kind


def _one_of(config: Config, identifier: str) -> None:
    from tracker.tomlfile import nearest

    known = [one.id for one in config.watches]
    if identifier not in known:
        raise ConfigError(f'no watch "{identifier}"{nearest(identifier, known)}', config.path)


def _day(options: Options, text: str | None) -> str | None:
    """The day of ``--as-of``."""
    from datetime import date

    from tracker import clock

    if text is None:
        return None
    try:
        day = date.fromisoformat(text).isoformat()
    except ValueError:
        raise click.UsageError(f"--as-of must be a day like 2026-06-14, not {text!r}") from None
    if day > clock.iso(options.moment)[:10]:
        raise click.UsageError(f"--as-of must lie in the past; {day} is still to come")
    return day


# -- a trial ----------------------------------------------------------------------------------------


def _try(options: Options, tried: str, since: str, limit: int | None) -> None:
    from tracker import clock, show_watch, store, watch_trial
    from tracker.store import browse, trials

    config, start = options.load(), clock.iso(options.since(since))[:10]
    draft = _draft(config, tried)
    db = store.open(options.db)
    before = trials.thresholds(db)
    moved = {topic: line for topic, line in draft.thresholds.items() if line != before.get(topic)}
    saved, day = browse.questions(db), clock.iso(options.moment)[:10]
    asked = watch_trial.pairs(draft.watches, moved, config.watches, {one.id: one for one in saved})
    topics = {topic: (before.get(topic), line) for topic, line in _lines(db, config, before, moved).items()}
    answered = watch_trial.settled(db, saved, options.moment, day)
    result = watch_trial.run(db, asked, moved, topics, start, day, answered)
    facts = result.as_dict()
    options.say(show_watch.trials(facts, limit), facts)


def _draft(config: Config, tried: str) -> Draft:
    """What is in a file, or the watch of feeds.toml that is named."""
    import os

    from tracker.config import Draft, draft
    from tracker.text import one_line
    from tracker.tomlfile import nearest

    if named := tuple(one for one in config.watches if one.id == tried and not os.path.isfile(tried)):  # noqa: PTH113 - never raises
        return Draft(named, {})
    if os.path.exists(tried):  # noqa: PTH110 - of a name that is too long for a file, Path raises an error
        return draft(tried, config)
    ids = nearest(tried, [one.id for one in config.watches])
    raise ConfigError(f'"{one_line(tried, 60)}" is neither a file nor a watch of {config.path}{ids}', "--try")


def _lines(db: sqlite3.Connection, config: Config, before: dict[str, float | None], topics: Iterable[str]) -> dict[str, float]:
    """The score up to which nothing of a topic is stored: its saved threshold, else the model's own; 0 for one that rules alone carry."""
    lines = {topic: line for topic in topics if (line := before.get(topic)) is not None}
    unsaid = [topic for topic in topics if topic not in lines]
    if not unsaid:
        return lines
    from tracker import tag

    model = tag.load(config, db=db).model
    for topic in unsaid:
        lines[topic] = max((head.maybe.get(topic, 0.0) for head in model.heads.values()), default=0.0) if model else 0.0
    return lines
