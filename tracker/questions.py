"""The tables ``[watches.<id>]``: what a standing question may say, and what would leave it without an answer for ever.

in   the tables of feeds.toml or of a draft, the labs and topics there are
out  watches; every mistake is a ``ConfigError`` with file, line, table, key and the nearest valid name
refuses to know items, and how a question is matched.
Surprising: what is about a lab and not by it can only be *reported*, and what is by it never is. So a question may be well spelled and
still ask for what cannot be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from datetime import date

from tracker.matching import with_children
from tracker.patterns import check_pattern
from tracker.tomlfile import Table, nearest
from tracker.types import RUNGS, Lab, Watch

__all__ = ["KEYS", "check_patterns", "watches"]

_LISTS = ("by", "about", "not_by", "topics", "phrases", "answer")
KEYS: Mapping[str, type] = {
    "question": str, "since": date, "until": date, "after": str, "within": str, "first_per": str, "note": str, "enabled": bool,
} | dict.fromkeys(_LISTS, list)  # fmt: skip


def watches(
    tables: Sequence[Table], labs: Iterable[Lab], topics: Collection[str], off: Collection[str], beside: Iterable[Watch] = ()
) -> tuple[Watch, ...]:
    """Return the watches of tables, those that are not ``enabled`` left out.

    Args:
        off: topics that are switched off.
        beside: watches that stand elsewhere, and above these; one of the same id is replaced, and what stands below it stays there.

    Raises:
        ConfigError: an unknown lab, topic, rung or watch; a pattern that is none; a time that ends before it begins; a question that
            nothing could answer.
    """
    # A parent from some day on does not count: what came before that day is not its own.
    parents = {lab.id: {parent for parent, since in lab.parents if since is None} for lab in labs}
    found = tuple(_watch(table, parents, set(topics), off) for table in tables if table.values.get("enabled", True))
    _check_after(tables, found, tuple(beside))
    return found


def _watch(table: Table, parents: Mapping[str, Set[str]], topics: set[str], off: Collection[str]) -> Watch:
    values, labs = table.values, set(parents)
    if silent := [topic for topic in table.texts("topics") if topic in off]:
        raise table.error(
            f'topics: "{silent[0]}" is switched off; take it out here too, or switch this watch off with enabled = false', "topics"
        )
    if not values.get("question", "").strip():
        raise table.error("has no question", "question")
    if not values.get("topics") and not values.get("phrases"):
        raise table.error("needs topics or phrases to look for", "topics" if "topics" in values else "phrases")
    if not values.get("by") and not values.get("about"):
        raise table.error('needs by or about: a list of labs, or ["any"]', "by" if "by" in values else "about")
    check_patterns(table, "phrases")
    _check_time(table)
    first_per = table.one_of("first_per", ("lab",), "lab") if "first_per" in values else None
    found = Watch(
        table.where[1], values["question"].strip(),
        table.all_of("by", labs | {"any"}, "a lab"), table.all_of("about", labs | {"any"}, "a lab"),
        table.all_of("not_by", labs, "a lab"), table.all_of("topics", topics, "a topic"), table.texts("phrases"),
        table.all_of("answer", RUNGS, "a rung") or ("published",), table.day("since"), table.day("until"), values.get("after"),
        table.span_s("within", 0) or None, first_per, values.get("note", ""),
    )  # fmt: skip
    _check_possible(table, found, parents)
    return found


def check_patterns(table: Table, key: str) -> None:
    """Refuse a list of rule patterns one of which cannot be used."""
    for pattern in table.texts(key):
        try:
            check_pattern(pattern)
        except ValueError as error:
            raise table.error(f"{key}: {error}", key) from None


def _check_time(table: Table) -> None:
    since, until = table.day("since"), table.day("until")
    if since and until and until < since:
        raise table.error(f"until ({until}) lies before since ({since})", "until")
    if "within" in table.values and not since and "after" not in table.values:
        raise table.error('within needs a day to count from: after = "<another watch>", or since', "within")


def _check_possible(table: Table, watch: Watch, parents: Mapping[str, Set[str]]) -> None:
    """Refuse a question that no item could answer."""
    if "answer" in table.values and not table.values["answer"]:
        raise table.error(f"answer is empty; list the rungs that settle the question, of {', '.join(RUNGS)}", "answer")
    unwanted = with_children(watch.not_by, {above: [lab for lab, over in parents.items() if above in over] for above in parents})
    for key, asked in (("by", watch.by), ("about", watch.about)):
        if asked and set(asked) <= unwanted:
            below = [lab for lab in asked if lab not in watch.not_by]
            why = f"; what belongs to {' and '.join(watch.not_by)} goes with it" if below else ""
            raise table.error(f"not_by takes away every lab of {key} ({', '.join(asked)}){why}", "not_by")
    possible = {rung for rung in RUNGS if (watch.about if rung == "reported" else watch.by)}
    if not possible.isdisjoint(watch.answer):
        return
    if watch.by:
        raise table.error(f"answer: an item by a lab is never only reported; add about, or answer with {', '.join(RUNGS[1:])}", "answer")
    wanted = " or ".join(watch.answer)
    raise table.error(f'answer: without by, an item can only be reported, not {wanted}; add by, or answer = ["reported"]', "answer")


# -- one watch after another ------------------------------------------------------------------------


def _check_after(tables: Sequence[Table], found: Sequence[Watch], beside: Sequence[Watch]) -> None:
    """Refuse ``after`` where it names no watch, goes in a circle, or names one that stands below or is switched off."""
    by_id = {table.where[1]: table for table in tables}
    after = {watch.id: watch.after for watch in (*beside, *found)}
    places = [watch.id for watch in beside]
    above: set[str] = set()
    for watch in found:
        table = by_id[watch.id]
        # What stands elsewhere stands above a new watch; above one that is replaced, only what stood above it.
        elsewhere = set(places[: places.index(watch.id)] if watch.id in places else places) - {one.id for one in found}
        if watch.after and watch.after not in above | elsewhere:
            raise table.error(f"after: {_problem(watch, after, by_id)}", "after")
        if len(ring := _ring(watch.id, after)) > 1:
            raise table.error(f"after: goes in a circle ({' after '.join(ring)})", "after")
        above.add(watch.id)


def _problem(watch: Watch, after: Mapping[str, str | None], tables: Mapping[str, Table]) -> str:
    named = str(watch.after)
    if ring := _ring(watch.id, after):
        return f"goes in a circle ({' after '.join(ring)})" if len(ring) > 2 else "a watch cannot come after itself"
    if named in after:
        return f'"{named}" stands below this one; put [watches.{named}] above it'
    if named in tables:
        return f'"{named}" is switched off (enabled = false)'
    return f'"{named}" is not a watch{nearest(named, set(after) - {watch.id})}'


def _ring(start: str, after: Mapping[str, str | None]) -> list[str]:
    """The watches from one to itself, each after the next; empty when it does not come back to it."""
    walked, at = [start], after.get(start)
    while at is not None and at not in walked:
        walked.append(at)
        at = after.get(at)
    return [*walked, start] if at == start else []
