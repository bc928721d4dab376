"""Results as people read them in a terminal: values in, lines of text out. No I/O.

Whatever came from outside is made printable, so that a hostile title or error cannot steer a terminal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from shlex import quote
from typing import Any

from tracker import complete
from tracker.clock import ago, iso, until
from tracker.text import one_line
from tracker.urls import host_of

__all__ = [
    "articles", "blocks", "coverage", "demo", "findings", "grouped", "polled", "polls", "progress", "sent", "status",
    "summary", "table", "tagged", "trial", "waits",
]  # fmt: skip


TOGETHER = 3  # findings of one cause, told one by one


def polled(result: Any, back_to: str = "") -> str:
    """Return the line of one poll; ``back_to``: it walked back to that day."""
    walked = f"back to {back_to}: " if back_to else ""
    if result.error and not result.entries:
        return f"  ✗ {result.source}  {walked}{one_line(result.error, 160)}"
    what = f"{result.new} new of {result.entries}" if result.entries else "nothing new" if back_to else result.outcome
    changed = f", {result.changed} changed" if result.changed else ""
    mark, said = _OUTCOMES.get(result.outcome, ("✓", ""))
    if result.error:
        mark, said = "!", f", not complete: {one_line(result.error, 160)}"
    return f"  {mark} {result.source}  {walked}{what}{changed}{said if result.new or result.error or not back_to else ''}"


def polls(results: Iterable[Any], back_to: str = "") -> Iterator[str]:
    """Yield the lines of sources by name; ``back_to``: after it was asked as always, each that answered was read back to that day."""
    asked: dict[str, list[Any]] = {}
    for result in results:
        asked.setdefault(result.source, []).append(result)
    for _, (now, *walk) in sorted(asked.items()):
        yield polled(now) + (", so it was not read back" if back_to and not walk else "")
        yield from (polled(one, back_to) for one in walk)


_OUTCOMES = {
    "flood": ("!", ": they are old by their dates, so they are kept as backlog; `tracker doctor` asks"),
    "empty": ("!", ": a valid document without entries; it used to have some"),
    "read back": ("✓", ", kept as backlog, never mailed"),
}


def waits(source: str, state: Any, now: datetime) -> str:
    """Return the line of a source that was named and not asked, because its server wants us to wait."""
    return f"  … {source}  not asked: its server wants us to wait; asked again {until(state.next_poll_at, now)}"


def summary(result: Any, totals: Mapping[str, Any], db: str, seconds: float, *, make: bool = False) -> Iterator[str]:
    """Yield what a run did, and how to go on; ``make``: whether ``make serve`` would show the same."""
    asked, failed = len(result.polls), result.failed
    if not asked:
        yield "No source is due yet: all were asked a short while ago. `tracker status` says when each is asked again."
    else:
        new = sum(poll.new for poll in result.polls)
        answered = f"{asked - len(failed)} of {asked} sources answered"
        yield f"{answered}; {new} new items, {result.tagged} tagged, {result.on_topic} on topic ({seconds:.0f} s)."
    if result.articles:
        yield from articles(result.articles)
    if result.blocks:
        yield from blocks(result.blocks, totals.get("authors_waiting", 0))
    if result.grouped:
        yield f"{result.grouped} items grouped, {result.joined} joined a story; {result.events} events for the standing questions."
    yield from _failures([*failed, *result.incomplete])
    yield from (polled(poll) for poll in result.polls if _OUTCOMES.get(poll.outcome, ("", ""))[0] == "!")
    yield from sent(result.sent)
    if result.model_problem and not result.waiting:
        yield f"Models: {one_line(result.model_problem, 400)}."
    elif result.model_problem:
        yield f"The model is not used: {one_line(result.model_problem, 300)}. Rules tagged alone; {result.waiting} items wait for it."
    if not totals["items"]:
        return
    yield f"In all {totals['items']} items, {totals['on_topic']} on topic{_counts(totals['by_topic'], ' – ')}"
    if totals["by_lab"]:
        yield f"By lab{_counts(totals['by_lab'], ': ')}"
    yield f"Browse them: tracker serve{'' if db == 'data/tracker.db' else f' --db {quote(db)}'}{'   (or `make serve`)' if make else ''}"


def tagged(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield how many items were tagged, and how many wait for a model."""
    yield (
        f"{facts['items']} {'item' if facts['items'] == 1 else 'items'} tagged, {facts['on_topic']} on topic."
        if facts["items"]
        else "Nothing waits for tagging."
    )
    if facts["waiting"]:
        yield f"The model could not be loaded: rules tagged alone, {facts['waiting']} items wait for it; `tracker doctor` says why."
    elif facts.get("problem"):
        yield f"Models: {one_line(str(facts['problem']), 400)}."


def grouped(facts: Mapping[str, int]) -> Iterator[str]:
    """Yield how many items were grouped."""
    yield f"{facts['items']} items grouped, {facts['joined']} joined a story." if facts["items"] else "Nothing waits for grouping."


def articles(results: Iterable[Any]) -> Iterator[str]:
    """Yield how many articles of official posts were read, and which hosts did not give theirs, with the reason."""
    listed = list(results)
    if not listed:
        yield "No article is due."
        return
    unread = Counter(f"{host_of(result.url)} ({result.outcome})" for result in listed if not result.ok)
    read = len(listed) - unread.total()
    why = f", {unread.total()} could not be: {', '.join(f'{where} {count}' for where, count in unread.most_common(8))}" if unread else ""
    yield f"{read} {'article' if read == 1 else 'articles'} of official posts read{why}."


def blocks(results: Iterable[Any], waiting: int) -> Iterator[str]:
    """Yield of how many papers the author block was read, what came of the others, and how many wait."""
    listed = list(results)
    others = Counter(block.outcome for block in listed if not block.ok)
    why = f" ({', '.join(f'{outcome} {count}' for outcome, count in others.most_common(6))})" if others else ""
    queue = f"; {waiting} {'waits' if waiting == 1 else 'wait'} for another day" if waiting else ""
    if listed or waiting:
        yield f"Author blocks of papers on topic: {len(listed)} asked for, {len(listed) - others.total()} read{why}{queue}."


def progress(result: Any) -> str:
    """Return the line on one poll, one author block or one batch of tagging."""
    if hasattr(result, "source"):
        return polled(result)
    if hasattr(result, "key"):
        return f"  {'✓' if result.ok else '·'} {result.key}  author block: {result.outcome}"
    return f"  {result.items} items tagged, {result.on_topic} on topic"


def _whose(facts: Mapping[str, Any]) -> Iterator[str]:
    """How far the papers on topic are resolved to labs."""
    found = facts.get("authors") or {}
    if not found.get("papers"):
        return
    yield (
        f"Papers on topic of the last 90 days: {found['papers']}; author block read of {found['read']}, "
        f"by a lab of the registry {found['with_lab']}, "
        f"unresolved {found['unresolved']} (of which {found['waiting']} wait to be asked, again or for the first time)."
    )
    if found["old"]:
        share = 100 * found["old_unresolved"] / found["old"]
        yield f"  Unresolved after 7 days: {found['old_unresolved']} of {found['old']} ({share:.0f} %); it says nothing of whose they are."


def _failures(failed: Iterable[Any]) -> Iterator[str]:
    """One line a cause; a source alone with its cause gets its sentence."""
    causes: dict[tuple[str, bool], list[Any]] = {}
    for poll in failed:
        causes.setdefault((poll.outcome, bool(poll.entries)), []).append(poll)
    for (cause, entries), polls in sorted(causes.items(), key=lambda pair: -len(pair[1])):
        what = "not complete" if entries else "not answered"
        if len(polls) == 1:
            yield f"  {what}: {polls[0].source}: {one_line(polls[0].error or '', 300)}"
        else:
            yield f"  {what}: {cause}: {', '.join(sorted(poll.source for poll in polls))}"
    if causes:
        yield "  `tracker doctor` says what to do."


def status(facts: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """Yield the health of the tracker."""
    run = facts["last_run"]
    if run is None:
        yield "No run yet."
    else:
        state = f"finished {ago(run['finished_at'], now)}" if run["finished_at"] else "has not finished (at work, or it was killed)"
        yield f"Last run {run['started_at']}, {state}, process {run['pid']} on {run['host']}, tracker {run['version']}."
    rows = facts["sources"]
    yield f"{facts['answering']} of {len(rows)} sources answer."
    for row in rows:
        if row["health"] == "failing":
            error = one_line(row["last_error"] or "", 200)
            answered = f"last good answer {ago(row['last_ok_at'], now)}" if row["last_ok_at"] else "never answered"
            yield f"  ✗ {row['id']}  {answered}: {error}; asked again {until(row['next_poll_at'], now)}"
    if facts["captive"]:
        yield complete.CAPTIVE
    yield from _missing(facts, now)
    waiting = facts["waiting"]
    yield f"Waiting: {', '.join(f'{count} for {stage}' for stage, count in waiting.items())}." if waiting else "Nothing waits."
    if unread := facts["unread"]:
        hosts = _counts({one_line(what, 80): count for what, count in unread.items()}, ": ", 8)
        yield f"{sum(unread.values())} articles of official posts could not be read; tagged by what their sources say{hosts}"
    yield from _whose(facts)
    totals = facts["totals"]
    yield f"{totals['items']} items, {totals['on_topic']} on topic{_counts(totals['by_topic'], ' – ')}"
    if facts["labels"] or facts["model"] != "shipped":
        told = f"the model in use, {facts['model']}, has learned from {facts['learned']}" if facts["learned"] else "the shipped model tags"
        said = f"{facts['labels']} {'label' if facts['labels'] == 1 else 'labels'} of people"
        yield f"{said}; {told} (`tracker train` learns, `tracker doctor` checks it)."


def _missing(facts: Mapping[str, Any], now: datetime) -> Iterator[str]:
    gaps, quiet = facts["gaps"], facts["quiet"]
    failing = len(facts["sources"]) - facts["answering"]
    known = f"; of {failing} that {'does' if failing == 1 else 'do'} not answer nothing newer is known" if failing else ""
    yield f"{len(gaps)} {'gap' if len(gaps) == 1 else 'gaps'}, {len(quiet)} {'source' if len(quiet) == 1 else 'sources'} silent{known}."
    for gap in gaps:
        yield f"  ? {gap['source']}  {complete.worded(one_line(gap['title'], 80), gap)}"
    for row in quiet:
        yield f"  … {row['source']}  {complete.silence(one_line(row['title'], 80), row['quiet_since'], row['habit_days'], iso(now))}"


def findings(found: Iterable[Any]) -> Iterator[str]:
    """Yield what is wrong, a line each; more than ``TOGETHER`` sources that fail for one cause are one line."""
    causes: dict[str, list[Any]] = {}
    for number, one in enumerate(found):
        causes.setdefault(one.cause or str(number), []).append(one)
    for cause, alike in causes.items():
        level = "error" if any(one.level == "error" for one in alike) else "warning"
        together = [("", f"{len(alike)} sources", f"{cause}. {alike[0].advice}; `tracker status` lists them")]
        lines = together if len(alike) > TOGETHER else [(one.level, one.what, one.say) for one in alike]
        yield from (f"{'✗' if (own or level) == 'error' else '!'} {what}: {one_line(say, 600)}" for own, what, say in lines)
    if not causes:
        yield "Nothing is known to be wrong."


def coverage(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table of what each source has brought: items, newest, gaps, failed polls."""
    head = ("source", "health", "items", "shown", "newest", "gaps", "failed polls", "last error")
    cells = (
        (
            row["source"], row["health"], str(row["items"]), str(row["shown"]), row["newest"] or "none yet", str(row["gaps"] or ""),
            f"{row['errors']} of {row['polls']}", (row["last_error"] or "").partition(":")[0],
        )
        for row in rows
    )  # fmt: skip
    yield from table([head, *cells])


def trial(result: Any) -> Iterator[str]:
    """Yield what a source answered: the verdict, then its first entries."""
    if result.error or not result.page:
        yield f"✗ {result.source.id}: {one_line(str(result.error), 300)}"
        yield from (f"  {one_line(hint, 300)}" for hint in result.hints)
        return
    page = result.page
    entries, problem = page.entries or (), f", {page.problem}" if page.problem else ""
    yield f"{'✓' if entries and not problem else '!'} {result.source.id}: {len(entries)} entries, {page.size / 1000:.0f} kB{problem}"
    if page.moved_to:
        yield f"  has moved for good; change its url to {page.moved_to}"
    for entry in entries[:5]:
        day = entry.published_at[:10] if entry.published_at else one_line(entry.published_raw or "no date", 40)
        yield f"  {day}  {entry.title[:100]}  {entry.url or 'no link'}"
    undated = sum(not entry.published_at for entry in entries)
    if undated:
        yield f"  {undated} of {len(entries)} have no date that can be used"
    yield from (f"  {one_line(hint, 300)}" for hint in result.hints)


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield rows as aligned columns."""
    listed = [tuple(one_line(cell, 120) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    for row in listed:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _counts(counts: Mapping[str, int], lead: str, limit: int = 12) -> str:
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:limit])
    more = f" and {len(counts) - limit} more" if len(counts) > limit else ""
    return f"{lead}{shown}{more}." if shown else "."


def sent(results: Iterable[Any]) -> Iterator[str]:
    """Yield what became of each digest."""
    for result in results:
        said = [one_line(part, 200) for part in (result.subject, result.error) if part]
        yield f"  {'!' if result.error else '✉'} digest {result.name}, {result.status}: {'; '.join(said)}"


def demo(result: Any, db: str) -> Iterator[str]:
    """Yield what the sample week came to, and how to look at it."""
    yield "The sample week of 8 to 14 June 2026, walked day by day without a network. Its texts are invented."
    yield f"{result.items} items, {result.stories} stories, {result.digests} digests."
    yield f"Browse it: tracker serve --db {quote(db)}"
    if result.last_digest:
        yield f"Read the last digest: {quote(str(result.last_digest))}"
