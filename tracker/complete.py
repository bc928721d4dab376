"""Complete: what a poll proves of its source, and what it leaves open. Pure: values in, values and sentences out.

in   what was known of a source before a poll, what the poll showed, the days on which a source brought something
out  a gap or what closes it; whether a document floods; since when a source is silent; whether a network wants a login
refuses to know the database and the network. Surprising: dates decide. A list in which everything is new *and* dated after what we knew
has moved on (a gap, its items are news); one in which everything is new and old has changed its addresses (a flood, kept as backlog).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import ceil
from urllib.parse import urlsplit

from tracker.clock import iso, parse
from tracker.types import Gap, Source

__all__ = [
    "CAPTIVE", "HABIT_DAYS", "PINNED", "Shown", "cannot_walk_back", "captive", "closed", "flooded", "gap", "habit", "is_empty",
    "is_mailing", "is_window", "may_be_quiet", "quiet", "silence", "stopped", "walks_back", "worded",
]  # fmt: skip

WINDOWS = ("feed", "page")  # their document lists the newest; what falls off its end between two polls was never seen
WALK_BACK = ("arxiv", "hf_papers", "hn")  # can be asked for any day of the past; so can a sitemap, which lists everything
# A mailing a weekday, each in place of the last: no two have an entry in common, and at the week-end there is none.
MAILINGS = ("rss.arxiv.org",)
MAILED_AT = timedelta(hours=6)  # after midnight UTC (04:00 in summer, 05:00 in winter): who looks before sees that of the day before
LATE = timedelta(days=1)  # what is listed after a look may be dated so far before it: a day without an hour, another time zone
PINNED = 3  # so many entries may be pinned to the top of a list: that they are listed still proves nothing
GIVEN_UP = timedelta(days=30)  # a list that has not reached back over a gap by then never will

NO_ANSWER = timedelta(days=2)  # a source of daily news may have moved on then
SLOW = 14  # days: a source that brings something once a month has not moved on after two days, but after this nobody knows

FLOOD_ENTRIES, FLOOD_SHARE = 10, 0.8  # with fewer entries a busy day looks the same
UNDATED = timedelta(days=7)  # after so long without an answer, a list without dates may well be all news

HABIT_DAYS = 31  # days with news that are looked at: thirty distances
LEAST_DISTANCES = 5
SILENT, SILENT_DAILY = 14, 7  # days: no alarm sooner; of a source with news every three days or more often
TIMES_HABIT = 3
MIRRORED, MIRROR_SILENT = 0.8, 7  # what share of another source a mirror must have shown to be measured by it; days it may be late

_LOGIN = frozenset({"not_a_feed", "layout_changed", "challenge"})  # how a login page in place of the answer is read
_LOGIN_SOURCES = 5
_ANSWERS = frozenset({"new", "nothing new", "unchanged", "empty", "flood", "read back"})
CAPTIVE = (
    "A web page answers in the place of the sources: this network wants a login (captive portal). "
    "Open any page in a browser, then run again."
)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the documents of one poll showed: the dates of the entries that were parsed, items new to us, entries it had shown before.

    ``left_out`` of those were not parsed again; ``overlaps``: one of the newest it had shown is among them.
    """

    dates: tuple[str | None, ...] = ()
    new: int = 0
    again: int = 0
    left_out: int = 0
    overlaps: bool = True

    @property
    def entries(self) -> int:
        """Everything listed."""
        return max(len(self.dates) + self.left_out, self.new + self.again)

    @property
    def connects(self) -> bool:
        """Whether it goes on from what was known: it lists some of that, and not only what is pinned."""
        return self.again > PINNED or (self.again > 0 and self.overlaps)

    @property
    def oldest_news(self) -> str | None:
        """The earliest date of what it had not shown before: what it had is older."""
        return next(iter(sorted(filter(None, self.dates))[self.again - self.left_out :]), None)


# -- gaps -------------------------------------------------------------------------------------------


def gap(
    source: Source, *, since: str, ok_at: str | None, newest_at: str | None, error: str | None, shown: Shown | None, now: str,
    within: int | None = None, proved_at: str | None = None,
) -> Gap | None:  # fmt: skip
    """Return what this poll leaves open, if anything.

    Args:
        since: how far back a first poll was to read.
        ok_at: the last good answer before this poll, if there was one.
        newest_at: the newest thing that the source had shown before; None: it had shown nothing.
        error: the name of what went wrong.
        shown: None when the document did not change, or did not come.
        within: the habit of the source in days, if it is known.
        proved_at: when it last listed what it should, if that was before ``ok_at``.
    """
    if error in ("incomplete_results", "truncated") or (error == "too_many_items" and source.kind in WALK_BACK):
        return Gap(source.id, ok_at or since, now, "incomplete results", now)
    if ok_at is None:
        return None  # nothing was known, so nothing can be missed
    if error is None or (shown and shown.entries and error != "layout_changed"):  # what is bad in parts has answered
        span = _rolled(source, newest_at, shown, now, proved_at or ok_at) if newest_at and shown else None
        return Gap(source.id, *span, "window rolled", now) if span else None
    if error == "layout_changed":
        return Gap(source.id, ok_at, now, "count dropped", now)
    patience = max(NO_ANSWER, timedelta(days=min(within or 0, SLOW)))
    return Gap(source.id, ok_at, now, "no answer", now) if parse(now) - parse(ok_at) > patience else None


def _rolled(source: Source, newest_at: str, shown: Shown, now: str, ok_at: str) -> tuple[str, str] | None:
    """The span between what was known at the last look and the oldest news shown, when nothing connects them."""
    if not is_window(source) or shown.connects or shown.again >= shown.entries:
        return None
    begin, oldest = max(newest_at, iso(parse(ok_at) - LATE)), shown.oldest_news or now
    if oldest <= begin:
        return None  # it reaches back to what we knew, even if it no longer lists that
    # A weekday on which the mailing was looked at and brought nothing was a holiday.
    if is_mailing(source):
        return (begin, oldest) if _weekday_between(max(newest_at, iso(parse(ok_at) - MAILED_AT)), oldest) else None
    if _is_one_issue(source, shown) and parse(now) - parse(ok_at) <= NO_ANSWER:
        return None
    return begin, oldest


def is_mailing(source: Source) -> bool:
    """Whether a source lists a mailing of arXiv, which its API holds as well."""
    return urlsplit(source.url).hostname in MAILINGS


def is_window(source: Source) -> bool:
    """Whether a source lists the newest only."""
    return source.kind in WINDOWS


def _is_one_issue(source: Source, shown: Shown) -> bool:
    """Whether a document lists the latest issue alone, whole or in its parts: it never overlaps with the one before."""
    return shown.entries == 1 or (bool(source.options.get("split")) and len(set(shown.dates)) == 1)


def _weekday_between(first: str, last: str) -> bool:
    day, end = date.fromisoformat(first[:10]) + timedelta(days=1), date.fromisoformat(last[:10])
    return any((day + timedelta(days=n)).weekday() < 5 for n in range((end - day).days))


def closed(
    one: Gap, source: Source, *, error: str | None, shown: Shown | None, read_back_to: str | None, now: str, papers_read: bool = False
) -> str | None:
    """Return what closes an open gap, in words; None while it stays open.

    Args:
        shown: None when the document did not change since the last good one.
        read_back_to: the poll walked back so far.
        papers_read: it is of a mailing, and all queries of arXiv have read on past it.
    """
    if one.reason == "window rolled" and papers_read:
        return "the queries of arXiv have read on past it"
    if one.reason == "window rolled" and not walks_back(source) and parse(now) - parse(one.found_at) > GIVEN_UP:
        return f"cannot be proved any more: in {GIVEN_UP.days} days no document reached back over it"
    if error and not (error == "too_many_items" and is_window(source)):  # of a whole history the newest will do
        return None
    if read_back_to and read_back_to <= one.from_at:
        return f"read back to {read_back_to[:10]}"
    if one.reason == "window rolled":
        older = sum(1 for day in shown.dates if day and day <= one.from_at) if shown else 0
        return "a later document reaches back over it" if older > 1 else None  # one alone may be pinned there
    if one.reason == "incomplete results":
        return "the next answer was complete"
    if not is_window(source):
        return "the next answer reads on where the last one stopped"
    if shown is None:
        return "the next answer was the same as the last one before it"
    if not shown.entries:
        return None
    if not shown.connects:  # what cannot be seen is a gap of its own, if there is one
        return "it answers again, with other entries than before"
    return "the next answer overlaps" if one.reason == "no answer" else "it lists again what it listed before"


def walks_back(source: Source) -> bool:
    """Whether the past of a source can be asked for."""
    return source.kind in WALK_BACK or (source.kind == "page" and "sitemap" in urlsplit(source.url).path.lower())


def cannot_walk_back(source: Source) -> str:
    """Return why the past of a source cannot be asked for, as a sentence."""
    what = {"feed": "a feed shows", "page": "a page shows"}.get(source.kind, f"a source of kind {source.kind} shows")
    return f"{source.id} cannot be read back: {what} only what it lists now"


# -- floods and empty documents -----------------------------------------------------------------------


def flooded(source: Source, *, ok_at: str | None, shown: Shown, now: str) -> bool:
    """Whether a document is the old entries of a known source under new addresses, and not news.

    More than ``FLOOD_SHARE`` of at least ``FLOOD_ENTRIES`` are new to us, and as many are dated before the day of the last good answer
    (many dates have no hour). An entry without a date counts as old, unless there was no answer for a week.
    """
    if not is_window(source) or ok_at is None or shown.entries < FLOOD_ENTRIES:
        return False
    if is_mailing(source) or _is_one_issue(source, shown):  # all of it is new each time
        return False
    if shown.new <= FLOOD_SHARE * shown.entries or shown.again > (1 - FLOOD_SHARE) * shown.entries:
        return False
    undated_is_old = parse(now) - parse(ok_at) <= UNDATED
    old = sum(day[:10] < ok_at[:10] if day else undated_is_old for day in shown.dates)
    return old > FLOOD_SHARE * len(shown.dates)


def is_empty(source: Source, *, newest_at: str | None, shown: Shown) -> bool:
    """Whether a document without entries is worth a warning: the source used to have some."""
    return newest_at is not None and not shown.entries and not is_mailing(source)


# -- silence ----------------------------------------------------------------------------------------


def habit(days: Sequence[date]) -> int | None:
    """Return within how many days a source brings something, nine times of ten; None if it has brought too little to tell.

    Args:
        days: on which it brought something, newest first, at most ``HABIT_DAYS``.
    """
    distances = sorted((later - earlier).days for later, earlier in pairwise(days))
    return distances[ceil(0.9 * len(distances)) - 1] if len(distances) >= LEAST_DISTANCES else None


def quiet(days: Sequence[date], today: date) -> tuple[date, int] | None:
    """Return (since, habit) of a source that has been silent for far longer than its habit."""
    usual = habit(days)
    if usual is None:
        return None
    least = SILENT_DAILY if usual <= TIMES_HABIT else SILENT
    return (days[0], usual) if (today - days[0]).days > max(least, TIMES_HABIT * usual) else None


def may_be_quiet(newest: date, today: date) -> bool:
    """Whether it is worth looking at the habit: no source is called silent sooner."""
    return (today - newest).days >= SILENT_DAILY


def stopped(mirrored: Sequence[bool], next_day: date | None, today: date) -> bool:
    """Whether a mirror has stopped: its original, or another mirror of it, goes on.

    Args:
        mirrored: of the last items of that other source up to the mirror's newest, whether the mirror showed each.
        next_day: when the other brought the first item since.
    """
    if next_day is None or len(mirrored) < LEAST_DISTANCES or sum(mirrored) < MIRRORED * len(mirrored):
        return False
    return (today - next_day).days >= MIRROR_SILENT


# -- a network that wants a login ---------------------------------------------------------------------


def captive(outcomes: Iterable[str]) -> bool:
    """Whether no source gave anything, and more than half of them, at least five, answered with a web page that is none of theirs.

    Not all: a login page cannot stand in for https (``tls``), and where it does not try, there is no answer (``connection``).
    """
    listed = list(outcomes)
    foreign = sum(outcome in _LOGIN for outcome in listed)
    return foreign >= _LOGIN_SOURCES and foreign > len(listed) / 2 and _ANSWERS.isdisjoint(listed)


# -- sentences --------------------------------------------------------------------------------------


def silence(title: str, since: str, within: int | None, now: str) -> str:
    """Return the sentence on a silent source.

    >>> silence("Red Team (mirror)", "2026-06-17", 5, "2026-07-27T06:00:00Z")
    'Red Team (mirror) has been silent for 40 days; it used to bring something at least every 5 days'
    """
    days = (date.fromisoformat(now[:10]) - date.fromisoformat(since[:10])).days
    usual = "what it mirrors goes on" if within is None else f"it used to bring something at least every {_days(within)}"
    return f"{title} has been silent for {_days(days)}; {usual}"


def worded(title: str, one: Mapping[str, str], day: Callable[[str], str] = lambda stamp: stamp[:10]) -> str:
    """Return the sentence on a gap (its ``reason``, ``from_at``, ``to_at``).

    >>> worded("Lab", {"reason": "no answer", "from_at": "2026-06-12T06:00:00Z", "to_at": "2026-06-15T06:00:00Z"})
    'Lab has not answered since 2026-06-12'
    """
    first, last = day(one["from_at"]), day(one["to_at"])
    span = f"on {first}" if first == last else f"from {first} to {last}"
    match one["reason"]:
        case "window rolled":
            return f"{title}: its list had moved on when it was read; what it showed {span} may be missing"
        case "incomplete results":
            return f"{title}: of what it has {span}, not everything came"
        case "count dropped":
            return f"{title} lists much less than before since {first}"
        case _:
            return f"{title} has not answered since {first}"


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"
