"""F50–F55: dates that are missing, absurd, ahead, written in every way, or told by clocks that change."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests import servers
from tests.faults.conftest import FIRST, Faults
from tests.faults.host import PHRASE, Host
from tests.faults.test_xml import item, rss
from tracker.clock import iso
from tracker.store.items import IDS_PER_DAY

RSS = {"pubDate": "<pubDate>{0}</pubDate>", "dc:date": '<dc:date xmlns:dc="http://purl.org/dc/elements/1.1/">{0}</dc:date>'}
ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title>{0}</feed>'


def read(polled: Faults, written: Mapping[str, str | None]) -> dict[str, dict[str, sqlite3.Row]]:
    """Items by form and by name, of entries with these dates (None: no such element) in every form that a feed may have."""
    documents = {
        form: rss(*[item(f"{form} {name}", element.format(date) if date is not None else "") for name, date in written.items()])
        for form, element in RSS.items()
    }
    documents["Atom"] = ATOM.format(
        "".join(
            f"<entry><title>Post Atom {name}</title><id>tag:x:{name}</id>{'' if date is None else f'<published>{date}</published>'}</entry>"
            for name, date in written.items()
        )
    ).encode()
    documents["JSON"] = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "T",
            "items": [
                {"id": f"g{name}", "title": f"Post JSON {name}", "content_text": "x", "date_published": date}
                for name, date in written.items()
            ],
        }
    ).encode()
    found = {}
    for form, answer in polled.each(documents).items():
        assert (answer.error, len(answer.items)) == ("", len(written)), form
        found[form] = {row["title"].removeprefix(f"Post {form} "): row for row in answer.items}
    return found


def dates(polled: Faults, written: Mapping[str, str]) -> None:
    """Assert that each date is read as it is written beside it, in every form; as none if that is "". What is none stays readable."""
    for form, rows in read(polled, {name: name for name in written}).items():
        assert {name: rows[name]["published_at"] or "" for name in written} == dict(written), form
        assert {row["published_raw"] for row in rows.values()} == {None} | {name for name, at in written.items() if not at}, form


def test_F50_dates_that_are_none(polled: Faults) -> None:
    """a date that is missing, blank, garbage, `null`, "now", a placeholder → no date, first seen shown; never "now" as published"""
    none = {
        "missing": None, "empty": "", "blank": "   ", "garbage": "some time last week", "null": "null", "None": "None", "NaN": "NaN",
        "now": "now", "today": "today", "yesterday": "yesterday", "ago": "3 hours ago", "a template": "{{ page.date }}",
        "invalid": "Invalid Date", "zeros": "0000-00-00 00:00:00",
        "a time": "09:10:11",
        "a weekday": "Friday", "words": "Fri, Jun Fri", "a month": "June 2026",
        "a year": "2026",
    }  # fmt: skip
    for form, rows in read(polled, none).items():
        assert {name: row["published_at"] for name, row in rows.items()} == dict.fromkeys(none), form
        assert {row["first_seen_at"] for row in rows.values()} == {iso(FIRST)}
        assert rows["garbage"]["published_raw"] == "some time last week"


ABSURD = {
    "the epoch": "1970-01-01T00:00:00Z",
    "the epoch in words": "Thu, 01 Jan 1970 00:00:00 GMT",
    "the year nought": "0000-01-01T00:00:00Z",
    "the year one": "0001-01-01T00:00:00Z",
    "the year one, by mail": "Mon, 01 Jan 0001 00:00:00 +0000",
    "the last year": "9999-12-31T23:59:59Z",
    "beyond the last year": "10000-01-01T00:00:00Z",
    "over the edge by its zone": "Fri, 31 Dec 9999 23:59:59 -1200",
    "below the edge by its zone": "0001-01-01T00:00:00+14:00",
    "seconds": "1781253011",
    "milliseconds": "1781253011000",
    "overflow": "9" * 60,
    "a minus": "-2026-06-12",
    "a spreadsheet's first day": "1899-12-30",
    "a two-digit year of no web": "Fri, 12 Jun 70 09:10:11 GMT",
}


def test_F51_absurd_dates(polled: Faults) -> None:
    """the years 0000, 0001, 1970, 9999, 10000, numbers, overflow by a zone → no date, what was written is kept; sorted by first seen"""
    for form, rows in read(polled, ABSURD).items():
        assert {name: row["published_at"] for name, row in rows.items()} == dict.fromkeys(ABSURD), form
        assert {name: row["published_raw"] for name, row in rows.items()} == ABSURD, form
        assert {row["id"] // IDS_PER_DAY for row in rows.values()} == {20260612}, "an id is of the day on which it was first seen"


def test_F52_dates_ahead(polled: Faults) -> None:
    """2099, next week, a clock that is hours ahead → no date if beyond a day, sorted by first seen: tomorrow's post stands above it"""
    ahead = {"far": "2099-01-01T00:00:00Z", "a week": "2026-06-19T06:00:00Z", "Tokyo": "2026-06-13T05:00:00Z"}

    def document(*more: str) -> bytes:
        return rss(*more, *[item(name, f"<pubDate>{date}</pubDate>") for name, date in ahead.items()])

    first = polled.answers(document())
    assert {row["title"]: row["published_at"] for row in first.items} == {
        "Post far": None, "Post a week": None, "Post Tokyo": "2026-06-13T05:00:00Z",
    }  # fmt: skip
    assert {row["id"] // IDS_PER_DAY for row in first.items} == {20260612}
    second = polled.answers(document(item("of tomorrow", "<pubDate>2026-06-13T06:00:00Z</pubDate>")))
    assert max(second.items, key=lambda row: row["id"])["title"] == "Post of tomorrow"
    polled.now = datetime(2026, 6, 20, 6, tzinfo=UTC)
    third = {row["title"]: row for row in polled.answers(document(item("later"))).items}
    assert len(third) == 5
    assert third["Post a week"]["published_at"] == "2026-06-19T06:00:00Z", "its day has come"
    assert third["Post far"]["published_at"] is None


NOON = "2026-06-12T09:10:11Z"
WRITTEN = {
    # zones
    "Fri, 12 Jun 2026 09:10:11 GMT": NOON,
    "Fri, 12 Jun 2026 09:10:11 +0000": NOON,
    "Fri, 12 Jun 2026 09:10:11 -0000": NOON,
    "Fri, 12 Jun 2026 14:40:11 +0530": NOON,
    "Fri, 12 Jun 2026 11:10:11 +02:00": NOON,
    "Fri, 12 Jun 2026 02:10:11 PDT": NOON,
    "Fri, 12 Jun 2026 04:10:11 EST": NOON,
    "Fri, 12 Jun 2026 11:10:11 CEST": NOON,
    "Fri, 12 Jun 2026 10:10:11 BST": NOON,
    "Fri, 12 Jun 2026 18:10:11 JST": NOON,
    "Fri, 12 Jun 2026 11:10:11 GMT+2": NOON,
    "Fri, 12 Jun 2026 11:10:11 UTC+02:00": NOON,
    "2026-06-12T23:10:11+14:00": NOON,
    "2026-06-11T21:10:11-12:00": NOON,
    "Fri, 12 Jun 2026 09:10:11 IST": "",  # India's, Ireland's or Israel's
    "Fri, 12 Jun 2026 09:10:11 XYZ": "",
    "2026-06-12T09:10:11+99:00": "",
    # years, seconds, names of days
    "Fri, 12 Jun 26 09:10:11 GMT": NOON,
    "Fri, 12 Jun 2026 09:10 GMT": "2026-06-12T09:10:00Z",
    "12 Jun 2026 09:10:11 GMT": NOON,
    "Mon, 12 Jun 2026 09:10:11 GMT": NOON,
    "Fri,12 Jun 2026 09:10:11": NOON,
    "Friday, 12 June 2026 09:10:11 GMT": NOON,
    "Fri Jun 12 09:10:11 2026": NOON,
    "Fri Jun 12 02:10:11 PDT 2026": NOON,
    "Fri Jun 12 2026 11:10:11 GMT+0200 (Central European Summer Time)": NOON,
    # ISO 8601: extended, basic, ordinal, week, comma
    "2026-06-12T09:10:11Z": NOON,
    "2026-06-12T09:10:11.250Z": NOON,
    "2026-06-12T09:10:11,25Z": NOON,
    "2026-06-12 09:10:11": NOON,
    "2026-06-12t09:10:11z": NOON,
    "20260612T091011Z": NOON,
    "20260612T111011+0200": NOON,
    "20260612": "2026-06-12T00:00:00Z",
    "2026-163": "2026-06-12T00:00:00Z",
    "2026-163T09:10:11Z": NOON,
    "2026-W24-5": "2026-06-12T00:00:00Z",
    "2026W245T091011Z": NOON,
    "2026-06-11T24:00:00Z": "2026-06-12T00:00:00Z",
    "2016-12-31T23:59:60Z": "2017-01-01T00:00:00Z",
    "2026-W24": "",
    "2026-06": "",
    "2026-366": "",
    "2026-W54-1": "",
    # as people write
    "June 12, 2026": "2026-06-12T00:00:00Z",
    "Jun 12, 2026, 9:10 am": "2026-06-12T09:10:00Z",
    "Friday, June 12, 2026 9:10 AM": "2026-06-12T09:10:00Z",
    "Jun 12, 2026 12:05 AM": "2026-06-12T00:05:00Z",
    "12-Jun-2026": "2026-06-12T00:00:00Z",
    "2026/06/12": "2026-06-12T00:00:00Z",
    "2026/06/12 09:10:11": NOON,
    "06/12/2026": "",  # June or December
    "12.06.2026": "",
    "12-06-2026": "",
    "26-06-12": "",
    # days and hours that are none
    "2026-02-30": "",
    "2026-13-01": "",
    "2026-06-12T25:00:00Z": "",
    "2026-06-12T09:60:00Z": "",
    "Fri, 31 Jun 2026 09:10:11 GMT": "",
    "Fri, 12 Foo 2026 09:10:11 GMT": "",
    "Fri, 12 Jun 2026 13:10 PM": "",
}
# The same day in the words of the field's other languages; a word that names two months somewhere is none.
FOREIGN = {
    "ven, 12 juin 2026 11:10:11 +0200": NOON,
    "12 juin 2026": "2026-06-12T00:00:00Z",
    "lun., 01 déc. 2025 10:00:00 +0100": "2025-12-01T09:00:00Z",
    "1er août 2025": "2025-08-01T00:00:00Z",
    "Fr, 12 Juni 2026 11:10:11 +0200": NOON,
    "12. Juni 2026": "2026-06-12T00:00:00Z",
    "Mo, 02 Mär 2026 10:00:00 +0100": "2026-03-02T09:00:00Z",
    "Di, 05 Mai 2026 10:00:00 +0200": "2026-05-05T08:00:00Z",
    "Mi, 01 Okt 2025 10:00:00 +0200": "2025-10-01T08:00:00Z",
    "12 de junio de 2026": "2026-06-12T00:00:00Z",
    "mar, 03 mar 2026 10:00:00 GMT": "2026-03-03T10:00:00Z",
    "sexta-feira, 12 de junho de 2026": "2026-06-12T00:00:00Z",
    "ven, 12 giu 2026 11:10:11 +0200": NOON,
    "gio, 01 gen 2026 10:00:00 GMT": "2026-01-01T10:00:00Z",
    "12 mrt 2026": "2026-03-12T00:00:00Z",
    "12 maj 2026": "2026-05-12T00:00:00Z",
    "Пт, 12 июн 2026 12:10:11 +0300": NOON,
    "12 июня 2026": "2026-06-12T00:00:00Z",
    "12 травня 2026": "2026-05-12T00:00:00Z",
    "Παρ, 12 Ιουν 2026 12:10:11 +0300": NOON,
    "12 Haz 2026": "2026-06-12T00:00:00Z",
    "12 czerwca 2026": "2026-06-12T00:00:00Z",
    "2026年6月12日": "2026-06-12T00:00:00Z",
    "2026年06月12日 09:10:11": NOON,
    "2026년 6월 12일": "2026-06-12T00:00:00Z",
    "2026. 6. 12.": "2026-06-12T00:00:00Z",
    "12 listopada 2025": "",  # October in Zagreb, November in Warsaw
    "12 lipanj-ish 2026": "",
    "2026-júni-12T9:10+02:00": "",
    "令和8年6月12日": "",
    "١٢ يونيو ٢٠٢٦": "",
}


def test_F53_dates_as_they_are_written(polled: Faults) -> None:
    """zones, two-digit years, no seconds, a wrong weekday, ISO basic, ordinal, week, comma, 12 hours → the right instant, or no date"""
    dates(polled, WRITTEN)


def test_F55_days_and_months_in_other_languages(polled: Faults) -> None:
    """names of days and months in fifteen languages, Chinese, Japanese and Korean dates → the right instant, or no date"""
    dates(polled, FOREIGN)


# -- clocks that change ---------------------------------------------------------------------------------------


@pytest.fixture
def host(tmp_path: Path, web: servers.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with monkeypatch.context() as patched:  # which sets TZ back
        patched.setenv("TZ", "UTC")
        yield Host(tmp_path, web)
    time.tzset()


def on_a_machine(host: Host, moment: datetime, zone: str) -> None:
    """A run at an instant on a machine in that zone; a post appears before it."""
    os.environ["TZ"] = zone
    time.tzset()
    host.posts.append(item(f"{len(host.posts)}: {PHRASE}", f"<pubDate>{iso(moment)}</pubDate>"))
    host.run(rss(*host.posts), moment)


def nights(zone: str, at: str) -> list[datetime]:
    """When cron fires at a local time that is missing or comes twice on its day, in both readings; and on the days around it."""
    middle = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo(zone))
    local = [middle - timedelta(days=1), middle, middle.replace(fold=1), middle + timedelta(days=1), middle + timedelta(days=2)]
    return sorted({moment.astimezone(UTC) for moment in local})


CHANGES = [("Europe/Berlin", "2026-03-29T02:30"), ("Europe/Berlin", "2026-10-25T02:30"), ("America/New_York", "2026-11-01T01:30")]


@pytest.mark.parametrize(("zone", "at"), CHANGES, ids=["forward", "back", "back in New York"])
def test_F54_change_of_clocks(zone: str, at: str, host: Host) -> None:
    """cron in the hour that is missing or comes twice when clocks change → one digest a day, each item once"""
    runs = nights(zone, at)
    assert len(runs) == 5
    for moment in runs:
        on_a_machine(host, moment, zone)
    assert host.mails == sorted({moment.date().isoformat() for moment in runs})
    assert len(host.mails) == 4
    assert host.told == {f"Post {number}: {PHRASE}": 1 for number in range(1, 5)}, "all but the backlog of the first poll"


def test_F54_a_host_that_moves(host: Host) -> None:
    """the zone of the machine changes between two runs → one digest a day, each item once"""
    start = datetime(2026, 6, 12, 5, tzinfo=UTC)
    for hours, zone in (
        (0, "UTC"),
        (6, "Asia/Tokyo"),
        (12, "America/Los_Angeles"),
        (18, "Pacific/Kiritimati"),
        (25, "UTC"),
        (30, "Asia/Tokyo"),
    ):
        on_a_machine(host, start + timedelta(hours=hours), zone)
    assert host.mails == ["2026-06-12", "2026-06-13"]
    assert host.told == {f"Post {number}: {PHRASE}": 1 for number in range(1, 5)}, "what was there at the second digest, but the backlog"
