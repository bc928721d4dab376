"""The global options of the command line, and how its errors end: shared by every command, so apart from them.

Imports click and the ground floor alone, like ``cli``: `--help` pays for this file.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from tracker.errors import TrackerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from tracker.config import Config

__all__ = ["Group", "Options"]


FIRST_YEAR, LAST_YEAR = 1991, 2200  # arXiv began in 1991; at the ends of the calendar "a week ago" is no instant


class Options:
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
        if not given:
            return clock.now()
        try:
            moment = clock.parse(given)
        except ValueError:
            raise click.UsageError(f"--now (or TRACKER_NOW) must be like 2026-06-12 or 2026-06-12T06:10:00Z, not {given!r}") from None
        if not FIRST_YEAR <= moment.year <= LAST_YEAR:
            raise click.UsageError(f"--now (or TRACKER_NOW) must lie in the years {FIRST_YEAR} to {LAST_YEAR}, not {given!r}")
        return moment

    def since(self, text: str) -> datetime:
        """The instant so far back, or at which that day begins: 90d, 2026-06-01."""
        from datetime import timedelta

        from tracker import clock
        from tracker.config import span_s

        try:
            seconds = span_s(text)
            instant = self.moment - timedelta(seconds=seconds) if seconds else clock.parse(f"{text}T00:00:00Z" if len(text) == 10 else text)
        except (ValueError, OverflowError):
            raise click.UsageError(f"--since must be like 90d or 2026-06-01, not {text!r}") from None
        if instant > self.moment:
            raise click.UsageError(f"--since must lie in the past; {text} is still to come")
        return instant

    def load(self) -> Config:
        from tracker.config import load

        return load(self.config)

    def say(self, lines: Iterable[str], facts: object) -> None:
        """Print a result: ``facts`` under --json, else the lines, unless the user wants quiet."""
        if self.json:
            import json

            click.echo(json.dumps(facts, ensure_ascii=False, indent=2, default=str))
        elif self.verbosity >= 0:
            for line in lines:
                click.echo(line)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    options = ctx.ensure_object(Options)
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


class Group(_Command, click.Group):
    command_class = _Command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except TrackerError as error:
            if ctx.ensure_object(Options).verbosity >= 2:
                raise
            click.echo(f"tracker: {error}", err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:  # `tracker status | head`
            sys.stderr.close()
            ctx.exit(0)
        except Exception as error:
            if type(error).__module__ != "sqlite3" or ctx.ensure_object(Options).verbosity >= 2:
                raise
            click.echo(f"tracker: the database cannot be read ({error}); `tracker doctor` says more, a backup helps", err=True)
            ctx.exit(1)
