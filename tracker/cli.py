"""The command line: one click group, nothing heavy until a command runs.

stdout is data, stderr is progress; exit 0 done (also when some sources failed), 1 failed, 2 usage or config, 75 another run is active.
Imported here: the standard library, click and our ground floor. Everything else is imported inside the command that needs it, because
`--help` must cost no more than click itself.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from tracker import cli_learn, cli_watch
from tracker.errors import ConfigError, TrackerError
from tracker.options import Group, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tracker.run import Tracker
    from tracker.types import Polled

__all__ = ["main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tracker", message="tracker %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Watch how AI agents learn to improve themselves, and who is building them.

    \b
    Start:   tracker init && tracker run && tracker serve
    Daily:   0 6,12,18 * * *  cd ~/tracker && .venv/bin/tracker run -q
    """
    ctx.ensure_object(Options)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a terminal that lacks a letter shows "?"; a stream of another kind stays as it is
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs: the lock and the worker end with us
    cli()


@cli.command()
@click.option("--force", is_flag=True, help="Overwrite a feeds.toml that is there.")
@click.pass_obj
def init(options: Options, force: bool) -> None:
    """Write feeds.toml and make data/ where you stand.

    \b
    Example: mkdir tracker && cd tracker && tracker init
    """
    from pathlib import Path

    from tracker.config import shipped_feeds

    target = Path(options.config)
    if target.exists() and not force:
        raise ConfigError("it is already there; edit it, or overwrite it with --force", str(target))
    try:
        target.write_text(shipped_feeds(), encoding="utf-8")
        Path(options.db).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackerError(f"{error.filename} cannot be written: {error.strerror}") from None
    options.say([f"Wrote {target}. Set contact in it, then start `tracker run`."], {"config": str(target)})


@cli.command()
@click.option("--else-demo", is_flag=True, help="On a first run without network, walk the sample week instead.")
@click.pass_obj
def run(options: Options, else_demo: bool) -> None:
    """Do the day's work: poll, read, tag, group, watch, race, digest. The cron line.

    \b
    Example: tracker run
    """
    import time
    from pathlib import Path

    from tracker import show
    from tracker.run import Tracker
    from tracker.store import runs

    began = time.monotonic()
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        summary = tracker.run(_progress(options))
        totals = runs.totals(tracker.db)
    nothing_yet = totals["items"] == 0 and not any(result.ok for result in summary.polls)
    if else_demo and nothing_yet:
        asked = _no_answer(summary.polls) if summary.polls else "No source is due again yet, and none has answered so far"
        click.echo(f"{asked}. Until then, here is a sample week:", err=True)
        _demo(options)
        return
    make = options.db == Options.db and Path("Makefile").exists()
    lines = show.summary(summary, totals, options.db, time.monotonic() - began, make=make)
    options.say(lines, summary.as_dict() | {"totals": totals})
    if summary.nothing_answered:
        raise TrackerError(_no_answer(summary.polls))


@cli.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@click.option("--since", metavar="SPAN|DAY", help="Read back that far, like 90d or 2026-06-01: kept as backlog, never mailed.")
@click.pass_obj
def poll(options: Options, sources: tuple[str, ...], since: str | None) -> None:
    """Ask the sources that are due, or those you name.

    \b
    Example: tracker poll openai-news arxiv-learning
             tracker poll --since 90d
    """
    from tracker import clock, show
    from tracker.run import Tracker
    from tracker.store.sources import states

    told, back_to = _progress(options), options.since(since) if since else None
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        back, never = _back_and_never(tracker, sources) if back_to else (list(sources), {})
        results = []
        for result in tracker.poll(sources, back_to=back_to):
            results.append(result)
            told(result)
        known, asked = states(tracker.db), {result.source for result in results}
    lines = list(show.polls(results, clock.iso(back_to)[:10] if back_to else ""))
    lines += [show.waits(name, known[name], options.moment) for name in back if name not in asked]
    lines += [f"  … {why}" for why in never.values()]
    facts = [{name: getattr(r, name) for name in r.__slots__} for r in results]
    facts += [{"source": name, "outcome": "not asked", "error": why} for name, why in never.items() if name]
    options.say(lines or ["No source was due."], facts)
    if sources and not back:
        raise TrackerError("nothing was read back")
    if results and all(not result.ok and not result.entries for result in results):
        raise TrackerError(_no_answer(results))


@cli.command()
@click.pass_obj
def read(options: Options) -> None:
    """Fetch articles of posts that came without, and author blocks of papers on topic.

    \b
    Example: tracker read
    """
    from dataclasses import asdict

    from tracker import show
    from tracker.run import Tracker
    from tracker.store import runs

    with Tracker(options.config, options.db, now=options.moment) as tracker:
        read = list(tracker.read())
        told, asked = _progress(options), []
        for block in tracker.authors():
            asked.append(block)
            told(block)
        waiting = runs.backlog_of(tracker.db).get("authors", 0)
    facts = [*map(asdict, read), *map(asdict, asked)]
    options.say([*show.articles(read), *show.blocks(asked, waiting)], facts)


@cli.command()
@click.option("--again", is_flag=True, help="Tag items again that were tagged before.")
@click.option("--since", metavar="SPAN|DAY", help="With --again: how far back, like 90d or 2026-06-01.")
@click.option("--dry-run", is_flag=True, help="With --again: show which items would come and go; nothing is written.")
@click.pass_obj
def tag(options: Options, again: bool, since: str | None, dry_run: bool) -> None:
    """Say what waiting items are on and whose they are.

    \b
    Example: tracker tag --again --since 90d --dry-run
    """
    from tracker import show
    from tracker.run import Tracker

    if bool(since) != again or (dry_run and not again):
        raise click.UsageError("--again and --since go together, --dry-run with both: tracker tag --again --since 90d --dry-run")
    if since and dry_run:
        from tracker import store
        from tracker.tag import preview, preview_lines

        changes = preview(store.open(options.db), options.load(), options.since(since))
        options.say(preview_lines(changes), changes.as_dict())
        return
    told = _progress(options)
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        batches = []
        for batch in tracker.tag(again_since=options.since(since) if since else None):
            batches.append(batch)
            told(batch)
    facts: dict[str, Any] = {name: sum(getattr(b, name) for b in batches) for name in ("items", "on_topic", "waiting")}
    facts["problem"] = next((batch.problem for batch in batches if batch.problem), "")
    options.say(show.tagged(facts), facts)


@cli.command()
@click.pass_obj
def group(options: Options) -> None:
    """Put waiting items into stories.

    \b
    Example: tracker group
    """
    from tracker import show
    from tracker.run import Tracker

    with Tracker(options.config, options.db, now=options.moment) as tracker:
        results = list(tracker.group())
    facts = {"items": len(results), "joined": sum(result.joined for result in results)}
    options.say(show.grouped(facts), facts)


@cli.command()
@click.option("--preview", metavar="FILE", help="Write the next digest to FILE (.html, .txt, .eml; - is stdout); nothing is sent.")
@click.option("--send", is_flag=True, help="Send what is due or waits, now.")
@click.pass_obj
def digest(options: Options, preview: str | None, send: bool) -> None:
    """Show or send the mail that is due.

    \b
    Example: tracker digest --preview day.html
    """
    if bool(preview) == send:
        raise click.UsageError("say what to do: tracker digest --preview FILE, or tracker digest --send")
    from tracker import show

    if preview:
        _preview(options, preview)
        return
    from tracker.run import Tracker

    with Tracker(options.config, options.db, now=options.moment) as tracker:
        results = list(tracker.digest())
    options.say(show.sent(results) if results else ["No digest is due."], [{n: getattr(r, n) for n in r.__slots__} for r in results])
    if any(result.error and result.status == "prepared" for result in results):
        raise TrackerError("a digest could not be sent; it stays in the outbox and is tried again")


@cli.command()
@click.pass_obj
def demo(options: Options) -> None:
    """Walk a sample week offline, into data/demo.db.

    \b
    Example: tracker demo && tracker serve --db data/demo.db
    """
    _demo(options)


@cli.command()
@click.option("--sources", is_flag=True, help="Show a table instead: what each source has brought, its gaps and errors.")
@click.pass_obj
def status(options: Options, sources: bool) -> None:
    """Show sources, gaps, queues and the last run.

    \b
    Example: tracker status --json
             tracker status --sources
    """
    from tracker import show, store
    from tracker.store import browse
    from tracker.store.sources import coverage

    if sources:
        rows = coverage(store.open(options.db))
        options.say(show.coverage(rows), rows)
        return
    facts = browse.status(store.open(options.db))
    options.say(show.status(facts, options.moment), facts)


@cli.command()
@click.option("--port", default=8001, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@click.pass_obj
def serve(options: Options, port: int, host: str) -> None:
    """Open the database in the browser, with Datasette.

    \b
    Example: tracker serve --port 8002
    """
    from pathlib import Path

    from tracker.store import browse
    from tracker.web.serve import serve as serve_database

    db, sample = Path(options.db), Path(options.db).with_name("demo.db")
    if browse.is_empty(db) and not browse.is_empty(sample):
        click.echo(f"{db} holds no items yet: showing the sample week, {sample}.")
        db = sample
    serve_database(db, host, port)


@cli.group(cls=Group)
def feeds() -> None:
    """List the sources, or try one."""


@feeds.command("list")
@click.pass_obj
def feeds_list(options: Options) -> None:
    """List the sources of feeds.toml.

    \b
    Example: tracker feeds list
    """
    from tracker import show

    sources = options.load().sources
    rows = [("source", "kind", "origin", "lab", "url"), *((s.id, s.kind, s.origin, s.lab or "", s.url) for s in sources)]
    options.say(show.table(rows), [dict(zip(rows[0], row, strict=True)) for row in rows[1:]])


@feeds.command("check")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.pass_obj
def feeds_check(options: Options, sources: tuple[str, ...]) -> None:
    """Ask sources now and show what was understood; nothing is stored.

    \b
    Example: tracker feeds check openai-news
    """
    from pathlib import Path

    from tracker import show
    from tracker.fetch import Fetcher
    from tracker.store.pace import Pace
    from tracker.trial import trial

    config = options.load()
    chosen, pace = [config.source(name) for name in sources], Pace(Path(options.db).parent)
    with Fetcher(config.contact, pace=pace) as fetcher:
        results = [trial(source, fetcher, options.moment) for source in chosen]
    lines = [line for result in results for line in show.trial(result)]
    options.say(lines, [result.as_dict() for result in results])
    if any(result.error for result in results):
        raise TrackerError(f"{sum(1 for r in results if r.error)} of {len(results)} sources did not answer as they should")


@cli.command()
@click.pass_obj
def doctor(options: Options) -> None:
    """Say what is broken, since when, and what to do.

    \b
    Example: tracker doctor
    """
    from tracker import show, store
    from tracker.doctor import check

    findings = check(store.open(options.db), options.load(), options.moment)
    options.say(show.findings(findings), [{"level": f.level, "what": f.what, "say": f.say} for f in findings])
    if any(finding.level == "error" for finding in findings):
        click.get_current_context().exit(1)


for command in (*cli_learn.COMMANDS, cli_watch.watch):
    cli.add_command(command)

# -- helpers ----------------------------------------------------------------------------------------


def _back_and_never(tracker: Tracker, names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Of the sources named, or of all, those that can be read back, and why the others cannot: a sentence each, one for all unnamed."""
    from tracker.complete import cannot_walk_back, walks_back

    asked = [tracker.config.source(name) for name in names] or tracker.config.sources
    back, others = [source.id for source in asked if walks_back(source)], [source for source in asked if not walks_back(source)]
    if names:
        return back, {source.id: cannot_walk_back(source) for source in others}
    return back, {"": f"not read back, because they show only what they list now: {len(others)} of {len(asked)} sources"} if others else {}


def _progress(options: Options) -> Callable[[Any], None]:
    """What hears of each result: a line on stderr when somebody watches."""
    if options.verbosity < 0 or (options.verbosity == 0 and (options.json or not sys.stderr.isatty())):
        return lambda result: None

    def told(result: Any) -> None:
        from tracker import show

        click.echo(show.progress(result), err=True)

    return told


def _preview(options: Options, target: str) -> None:
    from pathlib import Path

    from tracker import store
    from tracker.digest import as_file, preview

    kind = "txt" if target == "-" else Path(target).suffix.lstrip(".")
    if kind not in ("html", "txt", "eml"):
        raise click.UsageError(f"--preview writes .html, .txt or .eml (or - for stdout), not {target!r}")
    config = options.load()
    written = preview(store.open(options.db), config, options.moment)
    text = as_file(written, config, kind)
    if target == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(target).write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrackerError(f"{target} cannot be written: {error.strerror}") from None
    options.say([f"Wrote {target}: {written.subject}"], {"written": target, "subject": written.subject})


def _demo(options: Options) -> None:
    from pathlib import Path

    from tracker import demo, show

    db = Path(options.db).with_name("demo.db")
    result = demo.run(db, _progress(options))
    options.say(show.demo(result, str(db)), result.as_dict())


def _no_answer(polls: Sequence[Polled]) -> str:
    from tracker import complete

    if complete.captive(poll.outcome for poll in polls):
        return f"None of {len(polls)} sources answered. {complete.CAPTIVE}"
    return f"None of {len(polls)} sources answered: there seems to be no network. Nothing is lost, the next run asks again"
