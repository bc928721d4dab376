"""The command line: one click group, nothing heavy until a command runs.

stdout is data, stderr is progress; exit 0 done (also when some sources failed), 1 failed, 2 usage or config, 75 another run is active.
Imported here: the standard library, click and our ground floor. Everything else is imported inside the command that needs it, because
`--help` must cost no more than click itself.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from tracker.errors import ConfigError, TrackerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tracker.config import Config

__all__ = ["main"]


class _Options:
    """The global options; every command takes them too, so that they may stand before or after its name."""

    config = "feeds.toml"
    db = "data/tracker.db"
    now: str | None = None
    json = False
    verbosity = 0

    @property
    def moment(self) -> datetime:
        from tracker import clock

        given = self.now or os.environ.get("TRACKER_NOW")
        try:
            return clock.parse(given) if given else clock.now()
        except ValueError:
            raise click.UsageError(f"--now (or TRACKER_NOW) must be like 2026-06-12 or 2026-06-12T06:10:00Z, not {given!r}") from None

    def load(self) -> Config:
        from tracker.config import load

        return load(self.config)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    options = ctx.ensure_object(_Options)
    if param.name == "quiet":
        options.verbosity -= int(value)
    elif param.name == "verbose":
        options.verbosity += value
    elif value not in (None, False):
        setattr(options, str(param.name), value)
        _ = options.moment if param.name == "now" else None  # a mistake in it is told before anything is done


@functools.cache
def _global_options() -> list[click.Parameter]:
    settings: dict[str, Any] = {"expose_value": False, "callback": _remember}
    return [
        click.Option(["--config"], metavar="FILE", help="Configuration (feeds.toml).", **settings),
        click.Option(["--db"], metavar="FILE", help="Database (data/tracker.db).", **settings),
        click.Option(["--now"], metavar="INSTANT", help="Pretend it is then; also TRACKER_NOW.", **settings),
        click.Option(["--json"], is_flag=True, help="Print JSON.", **settings),
        click.Option(["-q", "--quiet"], is_flag=True, help="Print errors only (for cron).", **settings),
        click.Option(["-v", "--verbose"], count=True, help="Say more; -vv shows tracebacks.", **settings),
    ]


class _Command(click.Command):
    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        return own[:-1] + _global_options() + own[-1:]  # --help stays last


class _Group(_Command, click.Group):
    command_class = _Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TrackerError as error:
            if ctx.ensure_object(_Options).verbosity >= 2:
                raise
            click.echo(f"tracker: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # `tracker status | head`
            sys.stderr.close()
            ctx.exit(0)
        except Exception as error:
            if type(error).__module__ != "sqlite3" or ctx.ensure_object(_Options).verbosity >= 2:
                raise
            click.echo(f"tracker: the database cannot be read ({error}); `tracker doctor` says more, a backup helps", err=True)
            ctx.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tracker", message="tracker %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Watch how AI agents learn to improve themselves, and who is building them.

    \b
    Start:   tracker init && tracker run && tracker serve
    Daily:   0 6 * * *  cd ~/tracker && tracker run -q
    """
    ctx.ensure_object(_Options)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` runs: the lock and the worker end with us
    cli()


@cli.command()
@click.option("--force", is_flag=True, help="Overwrite a feeds.toml that is there.")
@click.pass_obj
def init(options: _Options, force: bool) -> None:
    """Write feeds.toml and make data/ where you stand.

    \b
    Example: mkdir tracker && cd tracker && tracker init
    """
    from pathlib import Path

    from tracker.config import shipped_feeds

    target = Path(options.config)
    if target.exists() and not force:
        raise ConfigError("is already there; edit it, or overwrite it with --force", str(target))
    try:
        target.write_text(shipped_feeds(), encoding="utf-8")
        Path(options.db).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrackerError(f"{error.filename} cannot be written: {error.strerror}") from None
    _say(options, [f"Wrote {target}. Set contact in it, then start `tracker run`."], {"config": str(target)})


@cli.command()
@click.option("--else-demo", is_flag=True, help="On a first run without network, walk the sample week instead.")
@click.pass_obj
def run(options: _Options, else_demo: bool) -> None:
    """Do the day's work: poll, tag, group, watch, digest. The one cron line.

    \b
    Example: tracker run
    """
    import time

    from tracker import show
    from tracker.run import Tracker
    from tracker.store import runs

    began = time.monotonic()
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        summary = tracker.run(_progress(options))
        totals = runs.totals(tracker.db)
    _say(options, show.summary(summary, totals, options.db, time.monotonic() - began), summary.as_dict() | {"totals": totals})
    if summary.nothing_answered:
        if not (else_demo and totals["items"] == 0):
            raise TrackerError(_no_answer(len(summary.polls)))
        click.echo(f"There is no network: {_no_answer(len(summary.polls))}. Here is a sample week instead:", err=True)
        _demo(options)


@cli.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]…")
@click.pass_obj
def poll(options: _Options, sources: tuple[str, ...]) -> None:
    """Ask the sources that are due, or those you name.

    \b
    Example: tracker poll openai-news arxiv-learning
    """
    from tracker import show
    from tracker.run import Tracker

    told = _progress(options)
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        results = []
        for result in tracker.poll(sources):
            results.append(result)
            told(result)
    lines = [show.polled(result) for result in sorted(results, key=lambda result: result.source)] or ["No source was due."]
    _say(options, lines, [{name: getattr(r, name) for name in r.__slots__} for r in results])
    if results and all(not result.ok and not result.entries for result in results):
        raise TrackerError(_no_answer(len(results)))


@cli.command()
@click.option("--again", is_flag=True, help="Tag items again that were tagged before.")
@click.option("--since", metavar="SPAN|DAY", help="With --again: how far back, like 90d or 2026-06-01.")
@click.pass_obj
def tag(options: _Options, again: bool, since: str | None) -> None:
    """Say what waiting items are on and whose they are.

    \b
    Example: tracker tag --again --since 90d
    """
    from tracker.run import Tracker

    if bool(since) != again:
        raise click.UsageError("--again and --since go together: tracker tag --again --since 90d")
    told = _progress(options)
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        batches = []
        for batch in tracker.tag(again_since=_since(options, since) if since else None):
            batches.append(batch)
            told(batch)
    facts = {name: sum(getattr(b, name) for b in batches) for name in ("items", "on_topic", "waiting")}
    lines = [f"{facts['items']} items tagged, {facts['on_topic']} on topic." if batches else "Nothing waits for tagging."]
    if facts["waiting"]:
        lines.append(f"The model could not be loaded: rules tagged alone, {facts['waiting']} items wait for it; `tracker doctor` says why.")
    _say(options, lines, facts)


@cli.command()
@click.pass_obj
def group(options: _Options) -> None:
    """Put waiting items into stories.

    \b
    Example: tracker group
    """
    from tracker.run import Tracker

    with Tracker(options.config, options.db, now=options.moment) as tracker:
        results = list(tracker.group())
    facts = {"items": len(results), "joined": sum(result.joined for result in results)}
    lines = [f"{facts['items']} items grouped, {facts['joined']} joined a story." if results else "Nothing waits for grouping."]
    _say(options, lines, facts)


@cli.command()
@click.pass_obj
def watch(options: _Options) -> None:
    """Show the board: each question, its state, proof and last sign.

    \b
    Example: tracker watch
    """
    from tracker import show, store
    from tracker.store import browse
    from tracker.watch import board

    config, db = options.load(), store.open(options.db)
    rows = browse.board(db, board(db, config, options.moment))
    _say(options, show.board(rows, options.moment), rows)


@cli.command()
@click.option("--preview", metavar="FILE", help="Write the next digest to FILE (.html, .txt, .eml; - is stdout); nothing is sent.")
@click.option("--send", is_flag=True, help="Send what is due or waits, now.")
@click.pass_obj
def digest(options: _Options, preview: str | None, send: bool) -> None:
    """Show or send the mail that is due.

    \b
    Example: tracker digest --preview day.html
    """
    if bool(preview) == send:
        raise click.UsageError("say what to do: tracker digest --preview FILE, or tracker digest --send")
    from tracker import show

    if preview:
        from tracker import store
        from tracker.digest import preview as write_preview

        written = write_preview(store.open(options.db), options.load(), now=options.moment, target=preview)
        _say(options, [] if preview == "-" else [f"Wrote {written}."], {"written": written})
        return
    from tracker.run import Tracker

    with Tracker(options.config, options.db, now=options.moment) as tracker:
        results = list(tracker.digest())
    _say(options, show.sent(results) if results else ["No digest is due."], [{n: getattr(r, n) for n in r.__slots__} for r in results])
    if any(result.error for result in results):
        raise TrackerError("a digest could not be sent as it should; it stays in the outbox and is tried again")


@cli.command()
@click.pass_obj
def demo(options: _Options) -> None:
    """Walk a sample week offline, into data/demo.db.

    \b
    Example: tracker demo && tracker serve --db data/demo.db
    """
    _demo(options)


@cli.command()
@click.pass_obj
def status(options: _Options) -> None:
    """Show sources, queues and the last run.

    \b
    Example: tracker status --json
    """
    from tracker import show, store
    from tracker.store import browse

    facts = browse.status(store.open(options.db))
    _say(options, show.status(facts, options.moment), facts)


@cli.command()
@click.option("--port", default=8001, show_default=True, help="Where to listen.")
@click.option("--host", default="127.0.0.1", show_default=True, help="On which address.")
@click.pass_obj
def serve(options: _Options, port: int, host: str) -> None:
    """Open the database in the browser, with Datasette.

    \b
    Example: tracker serve --port 8002
    """
    from pathlib import Path

    from tracker.web.serve import serve as serve_database

    serve_database(Path(options.db), host, port)


@cli.group(cls=_Group)
def feeds() -> None:
    """List the sources, or try one."""


@feeds.command("list")
@click.pass_obj
def feeds_list(options: _Options) -> None:
    """List the sources of feeds.toml.

    \b
    Example: tracker feeds list
    """
    from tracker import show

    sources = options.load().sources
    rows = [("source", "kind", "origin", "lab", "url"), *((s.id, s.kind, s.origin, s.lab or "", s.url) for s in sources)]
    _say(options, show.table(rows), [dict(zip(rows[0], row, strict=True)) for row in rows[1:]])


@feeds.command("check")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE…")
@click.pass_obj
def feeds_check(options: _Options, sources: tuple[str, ...]) -> None:
    """Ask sources now and show what was understood; nothing is stored.

    \b
    Example: tracker feeds check openai-news
    """
    from pathlib import Path

    from tracker import show
    from tracker.fetch import Fetcher
    from tracker.poll import trial
    from tracker.store.pace import Pace

    config = options.load()
    chosen, pace = [config.source(name) for name in sources], Pace(Path(options.db).parent)
    with Fetcher(config.contact, reserve=pace.reserve, stamp=pace.stamp) as fetcher:
        results = [trial(source, fetcher, options.moment) for source in chosen]
    lines = [line for result in results for line in show.trial(result)]
    _say(options, lines, [result.as_dict() for result in results])
    if any(result.error for result in results):
        raise TrackerError(f"{sum(1 for r in results if r.error)} of {len(results)} sources did not answer as they should")


@cli.command()
@click.pass_obj
def doctor(options: _Options) -> None:
    """Say what is broken, since when, and what to do.

    \b
    Example: tracker doctor
    """
    from tracker import store
    from tracker.doctor import check
    from tracker.text import one_line

    findings = check(store.open(options.db), options.load(), options.moment)
    lines = [f"{'✗' if f.level == 'error' else '!'} {f.what}: {one_line(f.say, 600)}" for f in findings] or [
        "Nothing is known to be wrong."
    ]
    _say(options, lines, [{"level": f.level, "what": f.what, "say": f.say} for f in findings])
    if any(finding.level == "error" for finding in findings):
        click.get_current_context().exit(1)


# -- helpers ----------------------------------------------------------------------------------------


def _say(options: _Options, lines: Iterable[str], facts: object) -> None:
    if options.json:
        import json

        click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=str))
    elif options.verbosity >= 0:
        for line in lines:
            click.echo(line)


def _progress(options: _Options) -> Callable[[Any], None]:
    """What hears of each result: a line on stderr when somebody watches."""
    if options.verbosity < 0 or (options.verbosity == 0 and (options.json or not sys.stderr.isatty())):
        return lambda result: None

    def told(result: Any) -> None:
        from tracker import show

        line = show.polled(result) if hasattr(result, "source") else f"  {result.items} items tagged, {result.on_topic} on topic"
        click.echo(line, err=True)

    return told


def _demo(options: _Options) -> None:
    from pathlib import Path

    from tracker import demo, show

    db = Path(options.db).with_name("demo.db")
    result = demo.run(db, _progress(options))
    _say(options, show.demo(result, str(db)), result.as_dict())


def _no_answer(asked: int) -> str:
    return f"none of {asked} sources answered: is there a network? Nothing is lost; the next run asks again"


def _since(options: _Options, text: str) -> datetime:
    from datetime import timedelta

    from tracker import clock
    from tracker.config import span_s

    seconds = span_s(text)
    if seconds:
        return options.moment - timedelta(seconds=seconds)
    try:
        return clock.parse(f"{text}T00:00:00Z" if len(text) == 10 else text)
    except ValueError:
        raise click.UsageError(f"--since must be like 90d or 2026-06-01, not {text!r}") from None
