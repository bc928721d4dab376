"""Days as pages print them: ``Jun 12, 2026`` · ``12 June 2026`` · ``2026-06-12T09:00:00+02:00`` · ``2026年6月12日``.

in   a text from a page: a whole label, or a title with a date glued to it
out  a UTC instant (a day is its midnight), or None
Dates are never invented: ``06/12/2026`` may be June or December, ``June 2026`` has no day, ``3 days ago`` moves; all are None here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

__all__ = ["AROUND", "Found", "find", "heading", "looks_like_one", "whole", "with_year"]

_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)\.?"
)
_DAY, _YEAR = r"(?P<day>[0-3]?[0-9])(?:st|nd|rd|th)?", r"(?P<year>(?:19|20)[0-9]{2})"
_TIME = (
    r"(?:[T ](?P<time>[0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?)(?:\.[0-9]{1,9})?"
    r"(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?(?![0-9:]))?"
)

# Tried in this order. The year comes last or is followed by a separator, so that a title may follow a date without a space.
_FORMS = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<![\d.-]){_YEAR}(?P<sep>[-/.])(?P<number>[01]?[0-9])(?P=sep)(?P<day>[0-3][0-9]|[1-9](?![0-9])){_TIME}",
        rf"{_YEAR}\s?年\s?(?P<number>[01]?[0-9])\s?月\s?(?P<day>[0-3]?[0-9])\s?日",
        rf"{_MONTH}\s{{0,3}}{_DAY}\s?,?\s{{0,3}}{_YEAR}",
        rf"(?<![\d.-]){_DAY}\s{{0,3}}(?:of\s)?{_MONTH}\s?,?\s{{0,3}}{_YEAR}",
    )
)
_WEEKDAY = re.compile(r"(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,?\s", re.IGNORECASE)
# What stands between a date and its neighbours.
AROUND = " \t\r\n\xa0·•|/,;:–—-"
_HEADING = re.compile(rf"(?:{_MONTH}\s{{0,3}},?\s{{0,3}})?{_YEAR}", re.IGNORECASE)
_NO_YEAR = tuple(re.compile(form, re.IGNORECASE) for form in (rf"{_MONTH}\s{{0,3}}{_DAY}", rf"{_DAY}\s{{0,3}}{_MONTH}"))
_WRITTEN = re.compile(rf"(?:{_MONTH.replace('?P<month>', '?:')}|[0-9]{{1,4}}+(?:st|nd|rd|th)?+|[\s./,-])++", re.IGNORECASE)
_SIGNS = re.compile(r"[a-z]{3}|[0-9][./-][0-9]{1,2}[./-]", re.IGNORECASE)

Found = tuple[int, int, str]  # where a date begins and ends, and its instant


def find(text: str) -> Iterator[Found]:
    """Yield the dates in a text, in order; overlapping ones once."""
    matches = (match for form in _FORMS for match in form.finditer(text))
    found = sorted((match.start(), match.end(), instant) for match in matches if (instant := _instant(match)))
    end = -1
    for start, stop, instant in found:
        if start >= end:
            end = stop
            yield start, stop, instant


def whole(text: str) -> str | None:
    """Return the instant if the text is a date and nothing else.

    >>> whole("Friday, June 12, 2026"), whole("2026-06-12T09:00:07.000+02:00"), whole("06/12/2026")
    ('2026-06-12T00:00:00Z', '2026-06-12T07:00:07Z', None)
    """
    if len(text) > 60:
        return None
    text = _WEEKDAY.sub("", text.strip(AROUND), count=1)
    first = next(find(text), None)
    return first[2] if first and first[:2] == (0, len(text)) else None


def heading(text: str) -> str | None:
    """Return the text if it is a year, or a month with its year, and nothing else: what stands above the posts of that time."""
    text = text.strip(AROUND)
    return text if len(text) <= 20 and _HEADING.fullmatch(text) else None


def with_year(text: str, above: str) -> str | None:
    """Return the instant of a day without a year (``25 Jul``) that stands under a heading with one."""
    text, match = text.strip(AROUND), _HEADING.fullmatch(above)
    for form in _NO_YEAR if match and len(text) <= 20 else ():
        if (found := form.fullmatch(text)) and match:
            return _at(int(match["year"]), _number(found["month"]), int(found["day"]))
    return None


def looks_like_one(text: str) -> bool:
    """Return whether a text is written like a date, whether or not it can be read: ``06/12/2026``, ``Feb 30, 2026``, ``June 2026``."""
    text = text.strip(AROUND)
    return 4 <= len(text) <= 30 and any(map(str.isdigit, text)) and bool(_WRITTEN.fullmatch(text)) and bool(_SIGNS.search(text))


def _instant(match: re.Match[str]) -> str | None:
    parts = match.groupdict()
    month = int(parts["number"]) if parts.get("number") else _number(parts["month"])
    day = _at(int(parts["year"]), month, int(parts["day"]))
    if not day or not parts.get("time"):
        return day
    zone = (parts.get("zone") or "Z").upper().replace("UTC", "Z").replace("GMT", "Z")
    try:
        moment = datetime.fromisoformat(f"{day[:10]}T{parts['time']}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        return day
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(year: int, month: int, day: int) -> str | None:
    try:
        return f"{date(year, month, day).isoformat()}T00:00:00Z"
    except ValueError:
        return None


def _number(name: str) -> int:
    return _NAMES.index(name[:3].lower()) + 1
