"""Dates of feeds: whatever form an instant is written in, it is that instant; whatever else is written, it is none."""

from __future__ import annotations

import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.clock import iso
from tracker.pollers import dates

ZONES = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.builds(
    lambda seconds, zone: datetime.fromtimestamp(seconds, zone),
    st.integers(int(datetime(1992, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2048, 1, 1, tzinfo=UTC).timestamp())),
    ZONES,
)
FORMS: dict[str, Callable[[datetime], str]] = {
    "by mail": format_datetime,
    "by mail, two digits for the year": lambda at: at.strftime("%d %b %y %H:%M:%S %z"),
    "ISO": lambda at: at.isoformat(),
    "ISO with blanks": lambda at: f"  {at.isoformat(' ')} ",
    "ISO basic": lambda at: at.strftime("%Y%m%dT%H%M%S%z"),
    "ISO ordinal": lambda at: at.strftime("%Y-%jT%H:%M:%S%z"),
    "ISO week": lambda at: at.strftime("%G-W%V-%uT%H:%M:%S%z"),
    "Unix": lambda at: at.astimezone(UTC).strftime("%a %b %d %H:%M:%S UTC %Y"),
    "JavaScript": lambda at: at.strftime("%a %b %d %Y %H:%M:%S GMT%z (Somewhere)"),
    "in English": lambda at: at.strftime("%A, %B %d, %Y, %I:%M:%S %p %z"),
    "in Chinese": lambda at: at.strftime("%Y年%m月%d日 %H:%M:%S %z"),
}


@given(MOMENTS, st.sampled_from(sorted(FORMS)))
def test_an_instant_is_read_as_it_was_written(moment: datetime, form: str) -> None:
    assert dates.instant(FORMS[form](moment)) == iso(moment)


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("12 Jun 2026 2027", None),
        ("Jun 12, 2026 2027", None),
        ("2026-06-12, 1015", None),
        ("2026-06-12 101500", None),
        ("20260612T2027", "2026-06-12T20:27:00Z"),
        ("20260612T202711.5Z", "2026-06-12T20:27:11Z"),
        ("12 Jun 2026 20:27", "2026-06-12T20:27:00Z"),
        ("2026-06-12Z", "2026-06-12T00:00:00Z"),
        ("2026-06-12T10:00:00.1234567890Z", "2026-06-12T10:00:00Z"),
        ("2026-06-12T10:00:00,123456789012345678901234567890+02:00", "2026-06-12T08:00:00Z"),
    ],
)
def test_a_time_without_colons_stands_behind_a_t(written: str, instant: str | None) -> None:
    assert dates.instant(written) == instant


PIECES = st.sampled_from(
    [*"0 1 12 24 26 31 60 99 2026 0000 9999 -06 T :30 :61 Z +02:00 -99 GMT IST Jun juin lip W24 年 月 日 Fri, de am PM ( ) .".split(), " "]
)


@given(st.one_of(st.text(max_size=120), st.text(string.digits + "-:/. TZ+,", max_size=40), st.lists(PIECES, max_size=9).map("".join)))
def test_any_text_is_an_instant_or_none(written: str) -> None:
    found = dates.instant(written)
    if found is not None:
        assert found == iso(datetime.fromisoformat(found))
        assert 999 <= int(found[:4]) <= 9999
        assert any(char.isdigit() for char in written)


@pytest.mark.parametrize(
    "written", ["12 Jun 2026" + " " * 5_000, "(" * 5_000, "a" * 5_000, "1 " * 5_000, "٣" * 90, "2026-06-12T" + "9" * 80]
)
def test_what_is_too_long_costs_nothing(written: str) -> None:
    assert dates.instant(written) in (None, "2026-06-12T00:00:00Z")


def test_a_word_that_names_two_months_names_none() -> None:
    assert dates.instant("12 listopada 2025") is dates.instant("1 lis 2025") is dates.instant("1 lip 2025") is None
    assert dates.instant("1 lipca 2025") == "2025-07-01T00:00:00Z"
    assert dates.instant("1 lipnja 2025") == "2025-06-01T00:00:00Z"
