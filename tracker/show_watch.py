"""Standing questions as people read them in a terminal: the board, the history of one, the trial of one. Values in, lines out; no I/O.

Whatever came from outside is made printable, so that a hostile title cannot steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tracker.text import one_line

__all__ = ["board", "history", "trials", "whose"]

_STATES = {"open": "○", "waiting": "◔", "answered": "●", "expired": "✗"}
_KINDS = {"proof": "the proof", "answer": "answers", "sign": "a sign", "outside its time": "outside its time"}
TAKEN_BACK = 3  # told one by one on the board; the history has all


def board(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the standing questions: state, rungs, proof, last sign, and what was taken back."""
    for row in rows:
        yield from _head(row)
        for name, event in (("proof", row["proof"]), ("last sign", row["last"] if row["last"] != row["proof"] else None)):
            if event:
                yield f"    {name}: {whose(event)}{_late(event)}, {event['at'][:10]}: {one_line(event['title'], 110)}"
                yield f"      {_where(event)}  ({one_line('; '.join(event['reason']), 200)})"
        yield from (f"    {line}" for line in _taken_back(row))


def _head(row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_STATES[row['state']]} {one_line(row['question'], 200)}"
    yield f"    {_state(row)}"


def _state(row: Mapping[str, Any]) -> str:
    seen = f"seen so far: {', '.join(row['rungs'])}" if row["rungs"] else "no sign of it"
    *others, last = row["answer"]
    wanted = f"{', '.join(others)} or {last}" if others else last
    if row["as_of"] is None:
        return "not looked yet: no source has answered so far"
    if row["looked"] == "no":
        return str(row["looked_words"])
    if row["looked"] == "partly" and row["state"] != "answered":
        return f"{row['looked_words']}; {seen}"
    if row["looked"] == "no" or (row["looked"] == "partly" and not row["proof"]):
        return f"{row['looked_words']}; {seen}"
    day = row["as_of"][:10]
    match row["state"]:
        case "answered":
            return f"answered ({wanted}); {row['events']} {'event' if row['events'] == 1 else 'events'}; {seen}"
        case "waiting":
            return f"waiting for {wanted}, day {row['day']} of {row['of_days']} as of {day}, {_looked(row)}; {seen}"
        case "expired" if row["until"] and row["looked_from"][:10] > row["until"]:
            return f"the time was over before anybody looked (first on {row['looked_from'][:10]}); {seen}"
        case "expired":
            return f"the time is over without {wanted}; {seen}"
        case _:
            return f"none as of {day} ({wanted}), {_looked(row)}; {seen}"


def _looked(row: Mapping[str, Any]) -> str:
    sources, gaps = row["sources"], row["gaps"]
    return f"{sources} {'source' if sources == 1 else 'sources'} looked at, {gaps or 'none'} with a gap"


def _taken_back(row: Mapping[str, Any]) -> Iterator[str]:
    gone = row["withdrawn"]
    for one in gone[:TAKEN_BACK]:
        yield f"taken back on {one['withdrawn_at'][:10]}: {whose(one)}, {one['at'][:10]}: {one_line(one['title'], 110)}"
        yield f"  {one_line(one['withdrawn_why'] or 'its ground was gone', 200)}"
    if len(gone) > TAKEN_BACK:
        yield f"{len(gone) - TAKEN_BACK} more taken back: tracker watch {row['watch']}"


def whose(event: Mapping[str, Any]) -> str:
    """Return the rung of an event and its lab: by it or, reported, about it."""
    return f"{event['rung']} {'about' if event['rung'] == 'reported' else 'by'} {event['lab'] or 'any source'}"


def _late(event: Mapping[str, Any]) -> str:
    return f" ({event['counts_as']})" if event["counts_as"] == "outside its time" else ""


def _where(event: Mapping[str, Any]) -> str:
    return str(event["url"] or event["key"])


# -- one question -----------------------------------------------------------------------------------


def history(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a question with every event, a block a story: the first proof, the others indented below it; then what just missed."""
    yield from _head(told)
    for story in told["stories"]:
        yield ""
        for n, event in enumerate(story["events"]):
            yield from _kept(event, "    " if n else "  ")
    if not told["stories"]:
        yield "  No event so far."
    shown, whole = len(told["near"]), told["near_misses"]
    yield ""
    if not whole:
        yield "Nothing has just missed it."
        return
    yield f"Just missed it: {whole}" + (f", the newest {shown} of them (--all shows all)" if shown < whole else "")
    for one in told["near"]:
        yield from _missed(one)


def _kept(event: Mapping[str, Any], margin: str) -> Iterator[str]:
    how = ", by looking back" if event["looking_back"] else ""
    kind = f" ({_KINDS[event['counts_as']]})" if event["counts_as"] else ""
    yield f"{margin}{event['at'][:10]}  {whose(event)}{kind}: {one_line(event['title'], 110)}"
    yield f"{margin}  {_where(event)}"
    yield f"{margin}  found {event['found_at'][:10]}{how}; {one_line('; '.join(event['reason']), 300)}"
    if not event["stands"]:
        why = one_line(event["withdrawn_why"] or "its ground was gone", 200)
        yield f"{margin}  taken back on {event['withdrawn_at'][:10]}: {why}"


def _missed(one: Mapping[str, Any]) -> Iterator[str]:
    *fits, lacks = one["reason"]
    yield f"  {one['at'][:10]}  would be {whose(one)}: {one_line(one['title'], 110)}"
    yield f"    {_where(one)}"
    yield f"    {one_line(lacks, 200)} ({one_line('; '.join(fits), 200)})"


# -- a trial ----------------------------------------------------------------------------------------


def trials(told: Mapping[str, Any], limit: int | None) -> Iterator[str]:
    """Yield what watches and thresholds would have done; nothing was saved.

    Args:
        limit: how many near-misses of each watch; None: all.
    """
    items = _number(told["items"], "item")
    yield f"Tried on what came from {told['since']} to {told['until']}: {items} that could concern it. Nothing was saved."
    for topic in told["topics"]:
        yield from _shift(topic, told["since"])
    for one in told["watches"]:
        yield ""
        yield from _trial(one, limit)


def _shift(one: Mapping[str, Any], since: str) -> Iterator[str]:
    was = "the model's own" if one["saved"] is None else f"{one['saved']:g}"
    yield (
        f"{one['topic']}, threshold {one['threshold']:g} (saved: {was}): of {one['items']} items on it {one['leave']} would leave it, "
        f"{one['leave_confident']} of these confident."
    )
    if one["not_stored_below"] is not None:
        yield (
            f"  Scores below {one['not_stored_below']:.2f} are not stored, so which items would come to it is not known here; with the "
            f"threshold in feeds.toml, `tracker tag --again --since {since} --dry-run` tells."
        )


def _trial(one: Mapping[str, Any], limit: int | None) -> Iterator[str]:
    yield f"{one['watch']}: {one_line(one['question'], 200)}"
    yield f"  It would have found {_counted(one)}."
    yield f"  In this span alone it would be {_outcome(one)}."
    saved = one["saved"]
    if saved is None:
        yield "  It is new: nothing is saved under this id."
    else:
        yield f"  As it is saved: {_counted(saved)}. {len(one['would_come'])} would come, {len(one['would_go'])} would go."
    new = {(event["item"], event["lab"], event["rung"]) for event in one["would_come"]} if saved else set()
    for event in one["events"]:
        yield from _event(event, "+" if (event["item"], event["lab"], event["rung"]) in new else " ")
    for event in one["would_go"]:
        yield from _event(event, "-")
    if near := one["just_missed"]:
        shown = near[::-1][:limit]
        yield f"  Just missed: {len(near)}" + (f", the newest {len(shown)} of them (--all shows all)" if len(shown) < len(near) else "")
        yield from (f"  {line}" for missed in shown for line in _missed(missed))


def _counted(one: Mapping[str, Any]) -> str:
    days, further = one["moved_days"], one["further_answers"]
    listed = f"({', '.join(days[:8])}{' …' if len(days) > 8 else ''})"
    if days:
        mails = "a mail each" if len(days) > 1 else "one mail"
        moves = f"the question would move on {_number(len(days), 'day')} {listed}: {mails} if the digest is daily"
    else:
        moves = "the question would never move: no mail"
    others = f"; {_number(further, 'further answer')}, of other stories" if further else ""
    return f"{_number(len(one['events']), 'event')}; {moves}{others}; {len(one['just_missed'])} just missed"


def _outcome(one: Mapping[str, Any]) -> str:
    *others, last = one["answer"]
    wanted = f"{', '.join(others)} or {last}" if others else last
    start = f", counted from {one['counted_from']}" if one["counted_from"] else ""
    match one["state"]:
        case "answered":
            return f"answered ({wanted}{start})"
        case "waiting":
            return f"waiting for {wanted}, day {one['day']} of {one['of_days']}{start}"
        case "expired":
            return f"expired: its time is over without {wanted}{start}"
        case _ if one["after"] and not start:
            return f"open: nothing counts before {one['after']} is answered"
        case _:
            return f"open: no answer ({wanted}{start})"


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _event(event: Mapping[str, Any], sign: str) -> Iterator[str]:
    more = f" and {event['further']} more of its story" if event["further"] else ""
    old = "; there before its source was looked at, so never mailed" if event["backlog"] else ""
    yield f"{sign} {event['at'][:10]}  {whose(event)} ({_KINDS[event['counts_as']]}{old}): {one_line(event['title'], 110)}{more}"
    yield f"    {_where(event)}"
    yield f"    {one_line('; '.join(event['reason']), 300)}"
