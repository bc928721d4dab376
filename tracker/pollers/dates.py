"""Dates as feeds write them: RFC 822, ISO 8601, dates of Unix and JavaScript, months spelled out in the languages of the field.

in   what stands in an element or a field that holds a date
out  the instant in UTC, or None: whatever is not read to its last character is no date
Dates are never invented, so feedparser's own reading is not asked: of ``2026年6月12日`` or ``2026/06/12`` it takes the year and adds this
month, ``2026-02-30`` is the second of March to it, and the hour of ``CEST`` that of Greenwich.
Surprising: ``06/12/2026`` (June or December?), ``June 2026`` (which day?) and a zone of two meanings (``IST``) are None; a time without
zone is UTC, and a day without time its midnight.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

__all__ = ["MAX_DATE", "instant"]

MAX_DATE = 100  # characters; the longest real one, of JavaScript, has 70
_NEW_CENTURY = 50  # two-digit years: 49 is 2049, 50 is 1950 (RFC 5322, section 4.3)
_FURTHEST = 14  # hours from Greenwich, of Kiribati

# January to December, words of one month separated by "/". A word that means another month elsewhere counts nowhere: "listopad" is
# October in Zagreb and November in Warsaw. Without case, dots and accents; "-" where a row adds nothing to the one above.
_LANGUAGES = (
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "january february march april - june july august sept/september october november december",
    "janv/janvier fevr/fev/fevrier mars avr/avril mai juin juil/juillet aout sept/septembre octobre novembre decembre",
    "januar/janner/jan februar/feb marz/mrz april mai juni juli august september okt/oktober november dez/dezember",
    "ene feb mar abr may jun jul ago sep oct noviembre dic",
    "enero febrero marzo abril mayo junio julio agosto septiembre/setiembre octubre - diciembre",
    "gen feb mar aprile mag giu lug ago set ott nov dic",
    "gennaio febbraio marzo - maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "janeiro fevereiro marco abril maio junho julho agosto setembro outubro novembro dezembro",
    "jan/januari feb/februari mrt/maart apr/april mei juni juli aug/augustus sep/september okt/oktober nov/november dec/december",
    "jan/januari feb/februari mars april maj juni juli aug/augusti sep/september okt/oktober nov/november dec/december",
    "jan/januar feb/februar mar/marts apr/april maj jun/juni jul/juli aug/august sep/september okt/oktober nov/november dec/december",
    "januar feb/februar mars april mai juni juli august september okt/oktober november des/desember",
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesakuuta heinakuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    "sty lut mar kwi maj cze lip sie wrz paz lis gru",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia",
    "ledna unora brezna dubna kvetna cervna cervence srpna zari rijna listopadu prosince",
    "sijecnja veljace ozujka travnja svibnja lip/lipnja srpnja kolovoza rujna lis/listopada studenoga prosinca",
    "oca/ocak sub/subat mart nis/nisan mayıs/mayis haz/haziran tem/temmuz agu/agustos eyl/eylul eki/ekim kas/kasım/kasim ara/aralık/aralik",
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie",
    "januar februar marcius aprilis majus junius julius augusztus szeptember oktober november december",
    "янв фев мар апр мая июн июл авг сен окт ноя дек",
    "января февр/февраля марта апреля май июня июля августа сент/сентября октября нояб/ноября декабря",
    "січ лют бер кві тра чер лип сер вер жов лис гру",
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "ιαν φεβ μαρ απρ μαι ιουν ιουλ αυγ σεπ οκτ νοε δεκ",
    "ιανουαριου φεβρουαριου μαρτιου απριλιου μαιου ιουνιου ιουλιου αυγουστου σεπτεμβριου οκτωβριου νοεμβριου δεκεμβριου",
)  # fmt: skip

# Minutes east of Greenwich. A name with two meanings is not here (IST, in India, Ireland and Israel), nor are the letters of RFC 822,
# whose signs that RFC had wrong; CST and the others of RFC 822 are American there.
_ZONES: Mapping[str, int] = {
    "": 0, "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "BST": 60, "CET": 60, "MEZ": 60, "CEST": 120, "MESZ": 120,
    "EET": 120, "EEST": 180, "MSK": 180, "SGT": 480, "HKT": 480, "AWST": 480, "JST": 540, "KST": 540, "AEST": 600, "AEDT": 660,
    "NZST": 720, "NZDT": 780, "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
    "AKST": -540, "AKDT": -480, "HST": -600,
}  # fmt: skip

_WORD = r"[^\W\d_]{2,20}"
_WEEKDAY = re.compile(rf"{_WORD}(?:-{_WORD})?\.?(?:\s?,\s?|\s)(?=.*\d)")
_DAY, _MONTH = r"(?P<day>\d\d?)(?:\.|º|st|nd|rd|th|er)?", rf"(?P<month>{_WORD})[.,]?"
_YEAR = r"(?P<year>[1-9]\d{3}(?!\d))"
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"{_YEAR}(?P<sep>[-/])(?P<number>\d\d?)(?P=sep)(?P<day>\d\d?)(?!\d)",
        r"(?P<year>[1-9]\d{3})(?P<number>\d\d)(?P<day>\d\d)(?!\d)",
        rf"{_YEAR}-(?P<ordinal>\d{{3}})(?!\d)",
        rf"{_YEAR}-W(?P<week>\d\d)-(?P<weekday>[1-7])(?!\d)",
        r"(?P<year>[1-9]\d{3})W(?P<week>\d\d)(?P<weekday>[1-7])(?!\d)",
        rf"{_YEAR}\s?[.年년]\s?(?P<number>\d\d?)\s?[.月월]\s?(?P<day>\d\d?)(?!\d)\s?[.日일]?",
        rf"{_DAY}(?:\s|-|\sde\s|\sof\s){_MONTH}(?:\s|-|\sde\s|\sdel\s)(?P<year>[1-9]\d{{3}}|\d\d)(?!\d)",
        rf"{_MONTH}\s{_DAY}(?:,\s?|\s)(?:(?P<clock>\d\d:\d\d:\d\d)\s(?:(?P<name>[A-Z]{{2,4}})\s)?)?{_YEAR}",
    )
)
_TIME = re.compile(
    r"(?:(?P<basic>[Tt])|\s?,\s?|\s(?:at\s)?)(?P<hour>\d\d?)(?:(?P<colon>:)(?P<minute>\d\d?)(?::(?P<second>\d\d?)(?:[.,]\d+)?)?"
    # Without colons only behind a T: "12 Jun 2026 2027" is no time, it has two years.
    r"|(?(basic)(?P<minutes>\d\d)(?P<seconds>\d\d)?(?:[.,]\d+)?|(?!)))(?:\s?(?P<half>[AaPp])\.?[Mm]\.?)?"
    r"(?:\s?(?P<zone>[A-Za-z]{1,5})?(?:(?P<sign>[+-])(?P<hours>\d\d?)(?::?(?P<rest>\d\d))?)?)?(?:\s?\([^()]{0,50}\))?"
)


def instant(written: str) -> str | None:
    """Return the UTC instant of a date; None when its day or its hour is not certain. Total.

    >>> instant("Fri, 12 Jun 26 09:10 CEST"), instant("12 de junio de 2026"), instant("2026-02-30"), instant("06/12/2026")
    ('2026-06-12T07:10:00Z', '2026-06-12T00:00:00Z', None, None)
    """
    text = " ".join(written[: MAX_DATE + 1].split())
    if not text or len(text) > MAX_DATE:
        return None
    for beginning in (text, _WEEKDAY.sub("", text, count=1)):
        for form in _DATES:
            if found := form.match(beginning):
                try:
                    moment = _moment(found, beginning[found.end() :])
                except (ValueError, OverflowError):
                    return None
                return f"{moment.replace(tzinfo=None).isoformat()}Z" if moment else None
    return None


def _moment(found: re.Match[str], rest: str) -> datetime | None:
    parts = found.groupdict()
    if clock := parts.get("clock"):  # the date of Unix, its year last: Fri Jun 12 09:10:11 UTC 2026
        rest = f" {clock} {parts['name'] or ''}".rstrip() if not rest else "?"
    rest = "" if rest in ("Z", "z") else rest  # a day of XML Schema
    time = _TIME.fullmatch(rest) if rest else None
    if rest and not time:
        return None
    day = _day(parts)
    after = _after_midnight(time.groupdict()) if time else timedelta(0)
    return None if day is None or after is None else datetime(day.year, day.month, day.day, tzinfo=UTC) + after


def _day(parts: Mapping[str, str | None]) -> date | None:
    year = int(parts["year"] or 0)
    if len(parts["year"] or "") == 2:
        year += 2000 if year < _NEW_CENTURY else 1900
    if ordinal := parts.get("ordinal"):
        day = date(year, 1, 1) + timedelta(days=int(ordinal) - 1)
        return day if day.year == year else None
    if week := parts.get("week"):
        return date.fromisocalendar(year, int(week), int(parts["weekday"] or 0))
    month = int(parts.get("number") or 0) or _MONTHS.get(_bare(parts.get("month") or ""))
    return date(year, month, int(parts["day"] or 0)) if month else None


def _after_midnight(time: Mapping[str, str | None]) -> timedelta | None:
    """The time of a day in Greenwich, from its midnight; None for a time or a zone that is none."""
    hour, minute, second = (int(part or 0) for part in (time["hour"], time["minute"] or time["minutes"], time["second"] or time["seconds"]))
    if half := time["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    zone = _ZONES.get((time["zone"] or "").upper())
    hours, rest = int(time["hours"] or 0), int(time["rest"] or 0)
    last = hour == 24 and not minute and not second  # ISO 8601: the end of the day
    if zone is None or (zone and time["sign"]) or (hour > 23 and not last) or minute > 59 or second > 60 or hours > _FURTHEST or rest > 59:
        return None
    east = zone + (hours * 60 + rest) * (-1 if time["sign"] == "-" else 1)
    return timedelta(hours=hour, minutes=minute - east, seconds=second)


def _bare(word: str) -> str:
    """A word without case and accents."""
    return "".join(char for char in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(char))


def _months() -> dict[str, int]:
    meanings = defaultdict[str, set[int]](set)
    for language in _LANGUAGES:
        for number, words in enumerate(language.split(), 1):
            for word in words.split("/"):
                meanings[_bare(word)].add(number)
    return {word: min(months) for word, months in meanings.items() if len(months) == 1}


_MONTHS: Mapping[str, int] = _months()
