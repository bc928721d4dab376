"""Doctor: what is broken, since when, and what to do about it.

in   the database and the configuration; out  findings, worst first, each one sentence that ends in an action
Reads only. An empty list means: nothing is known to be wrong.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from tracker import complete
from tracker.clock import ago, iso, parse
from tracker.config import DEFAULTS, Config
from tracker.errors import ModelError, TrackerError
from tracker.store import browse, gaps, models, readings, run_lock, runs, sources
from tracker.types import Source

__all__ = ["Finding", "check"]

SILENT = timedelta(days=2)  # a daily cron that skipped a day
LONG_FAILING = 3  # polls in a row: once is weather
LONG_UNREAD = 10  # articles of a host in a row

# What a person can do about an error of a source, by its name.
ADVICE = {
    "http_401": "the server wants a login; use another source",
    "http_403": 'set contact = "you@example.org" in [tracker]: many sites refuse anonymous clients',
    "http_404": "look for the feed's new address and change its url in feeds.toml",
    "gone": "the server says it is gone for good; remove it from feeds.toml",
    "challenge": "the site asks for a browser; use a mirror of it",
    "rate_limited": "nothing: it is asked again when the server allows it",
    "dns": "check the network and the host's name in feeds.toml",
    "connection": "check the network; the server may be down",
    "tls": "the server's certificate is not valid; check the clock of this machine, then the site in a browser",
    "timeout": "nothing: a slow server is asked again later",
    "not_a_feed": "open the url in a browser; the feed has moved, or a proxy answers in its place",
    "malformed": "the document is broken: tell its publisher; if many sources say so, this machine is short of memory (`ulimit -v`)",
    "blocked_address": "its name leads into a private network; if that is meant, write that address into feeds.toml",
}
# The same while other sources answer: it is not this machine's network.
_ONLINE = {
    "dns": "others answer: check the host's name in feeds.toml; the site may have moved",
    "connection": "others answer: its server is down, or refuses this machine; look at its site in a browser",
}
# What a person can do about a gap of a source that cannot be read back.
_GAP_ADVICE = {
    "window rolled": "look at its site for that time",
    "incomplete results": "nothing: it is asked again",
    "no answer": "look at its site if it matters; it is asked again",
    "count dropped": "look at the page, then at `links` of the source in feeds.toml; it is read again",
}
BUSY = timedelta(days=2)  # a list that moves on within that is asked too rarely; one that took longer was not asked, or stood still
_SILENT_ADVICE = {
    "mirror": "look for another mirror, or poll the original",
    "query": "check `query` of the source in feeds.toml; what it asks for may go by another name now",
    "primary": "look at its site: it may have moved, or come to an end",
}
_NEVER_ADVICE = {
    "feed": "`tracker feeds check SOURCE` shows what it lists; check its url and `skip` in feeds.toml",
    "page": "`tracker feeds check SOURCE` shows what it lists; check `links` of the source in feeds.toml",
    "query": "check `query` of the source in feeds.toml: nothing fits it",
}
_QUERIED = ("arxiv", "hn")
_UNUSUAL = {
    "flood": "on {day} {new} of {entries} entries were new, and old by their dates: it changed its addresses, or became another feed. They "
    "are kept as backlog, not mailed; `tracker feeds check {source}` shows what it lists: if it is another feed now, change or remove it",
    "empty": "answered on {day} with a valid document without entries, and nothing else since; it used to have some: look at its site, "
    "it may have moved",
}
# What a person can do about a host whose articles cannot be read.
_UNREAD_ADVICE = {
    "http_403": ADVICE["http_403"],
    "challenge": "the site asks for a browser; a mirror of it with full texts helps",
    "disallowed": "its robots.txt forbids it; a mirror of it with full texts helps",
    "http_401": "it wants a login; a mirror of it with full texts helps",
    "empty": "its pages are filled by scripts; a mirror of it with full texts helps",
}
LATELY = timedelta(days=7)  # a flood is told for so long
_DEFAULT_ADVICE = "`tracker feeds check SOURCE` shows what it answers"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. ``level`` is error or warning; ``what`` is the thing, ``say`` the sentence with its way out."""

    level: str
    what: str
    say: str
    cause: str = field(default="", compare=False)  # of a source that fails: the name of its error
    advice: str = field(default="", compare=False)  # what can be done about that cause, whatever the source


def check(db: sqlite3.Connection, config: Config, now: datetime, model_dir: Path = DEFAULTS / "model") -> list[Finding]:
    """Return what is wrong, errors first."""
    found = [*_database(db), *_model(model_dir), *_settings(config)]
    if not any(finding.what == "database" for finding in found):  # what a damaged file says of the rest is hearsay
        found += _own_models(db, model_dir)
        found += [*_runs(db, now), *_network(db), *_sources(db, now), *_missing(db, config, now), *_articles(db), *_queues(db)]
    return sorted(found, key=lambda finding: finding.level != "error")


def _database(db: sqlite3.Connection) -> Iterator[Finding]:
    try:
        (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        yield Finding("error", "database", f"the file is damaged ({verdict}); put a backup in its place")
        return
    broken = db.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        yield Finding("error", "database", f"{len(broken)} rows point to rows that are not there; put a backup in its place")


def _model(model_dir: Path) -> Iterator[Finding]:
    from tracker.taggers import stored_model

    try:
        stored_model.load(model_dir)
    except ModelError as error:
        yield Finding("error", "model", f"{error}; rules tag alone until then")


def _own_models(db: sqlite3.Connection, model_dir: Path) -> Iterator[Finding]:
    """The champion, if it cannot be used; and what killed trainings have left, which is removed."""
    from tracker.tag import own_model
    from tracker.taggers import stored_model

    if row := models.champion(db):
        try:
            own_model(db, row, stored_model.load(model_dir))
        except ModelError as error:
            yield Finding("error", row.id, str(error))
    if not models.left(db):
        return
    try:
        with run_lock(models.folder(db).parent):  # a training at work holds it
            count = len(models.sweep(db))
    except TrackerError:
        return
    yield Finding("warning", "models", f"{count} unfinished model{'' if count == 1 else 's'} of a training that was killed, removed now")


def _runs(db: sqlite3.Connection, now: datetime) -> Iterator[Finding]:
    last = runs.last(db)
    if last is None:
        yield Finding("warning", "runs", "there was no run yet; start `tracker run`")
    elif last["started_at"] < iso(now - SILENT):
        yield Finding("error", "runs", f"the last run was {ago(last['started_at'], now)}; check the cron line")
    elif last["finished_at"] is None:
        yield Finding("warning", "runs", f"the run of {last['started_at']} is at work or was killed; the next run goes on where it stopped")


def _sources(db: sqlite3.Connection, now: datetime) -> Iterator[Finding]:
    health = sources.health(db)
    network = any(row["health"] in ("ok", "quiet") for row in health)
    for row in health:
        if row["fails"]:
            name = row["last_error"].partition(":")[0]
            advice = _ONLINE.get(name) if network else None
            advice = advice or ADVICE.get(name, _DEFAULT_ADVICE)
            level = "error" if row["fails"] >= LONG_FAILING else "warning"
            times = "once" if row["fails"] == 1 else f"{row['fails']} times in a row"
            said = f"failed {times}, last good answer {ago(row['last_ok_at'], now)}: {row['last_error']}."
            own = advice.replace("SOURCE", row["id"])
            yield Finding(level, row["id"], f"{said} {own}", name, advice)
        if row["moved_to"]:
            yield Finding("warning", row["id"], f"has moved for good; change its url in feeds.toml to {row['moved_to']}")


def _network(db: sqlite3.Connection) -> Iterator[Finding]:
    if complete.captive(runs.last_outcomes(db)):
        yield Finding("error", "network", complete.CAPTIVE)


def _missing(db: sqlite3.Connection, config: Config, now: datetime) -> Iterator[Finding]:
    """What may be missing although nothing fails: gaps, silence, documents that answer strangely."""
    by_id = {source.id: source for source in config.sources}
    for gap in gaps.listed(db):
        source = by_id.get(gap["source"])
        back = source is not None and complete.walks_back(source)
        way = f"`tracker poll {gap['source']} --since {gap['from_at'][:10]}` reads it back" if back else _look(gap, source)
        yield Finding("warning", gap["source"], f"{complete.worded(gap['title'], gap)}; {way}")
    for row in gaps.quiet(db):
        said = complete.silence(row["title"], row["quiet_since"], row["habit_days"], iso(now))
        yield Finding("warning", row["source"], f"{said}; {_SILENT_ADVICE['query' if row['kind'] in _QUERIED else row['role']]}")
    for bare in browse.never(db, iso(now - LATELY)):
        advice = _NEVER_ADVICE.get("query" if bare["kind"] in _QUERIED else bare["kind"], _DEFAULT_ADVICE).replace("SOURCE", bare["id"])
        yield Finding("warning", bare["id"], f"answers since {bare['since'][:10]} and has never listed anything; {advice}")
    for odd in sources.unusual(db, iso(now - LATELY)):
        yield Finding("warning", odd["source"], _UNUSUAL[odd["outcome"]].format(**dict(odd) | {"day": odd["at"][:10]}))


def _look(gap: Mapping[str, str], source: Source | None) -> str:
    """What to do about a gap that cannot be read back."""
    if gap["reason"] == "window rolled" and source is not None:
        if source.role == "mirror":
            return "look at what it mirrors for that time"
        if parse(gap["to_at"]) - parse(gap["from_at"]) <= BUSY:
            return f"{_GAP_ADVICE[gap['reason']]}; poll it more often (`every` in feeds.toml)"
    return _GAP_ADVICE[gap["reason"]]


def _articles(db: sqlite3.Connection) -> Iterator[Finding]:
    """Hosts that do not give the articles of official posts; what merely waits for its turn is no fault."""
    for host, outcomes in readings.by_host(db).items():
        if (row := readings.refused(outcomes)) >= LONG_FAILING:
            weather = "nothing: one is tried at each run"
            advice = _UNREAD_ADVICE.get(
                outcomes[0], weather if row < LONG_UNREAD else "look at one of them in a browser; a mirror with full texts helps"
            )
            said = f"the last {row} articles could not be read ({outcomes[0]}); its posts are tagged by what their sources say of them"
            yield Finding("warning", host, f"{said}. {advice}")


def _queues(db: sqlite3.Connection) -> Iterator[Finding]:
    for stage, count in runs.backlog_of(db).items():
        if stage in ("article", "authors"):  # so many a day: _articles tells what is wrong, `status` how many papers wait
            continue
        command = "run" if stage == "watch" else stage  # `tracker watch` shows the board and writes nothing
        yield Finding("warning", stage, f"{count} items wait for it; `tracker {command}` does them now")


def _settings(config: Config) -> Iterator[Finding]:
    if not config.contact:
        yield Finding(
            "warning", "contact", f'{config.path} has no contact = "you@example.org" in [tracker]; sites cannot reach you and some refuse'
        )
