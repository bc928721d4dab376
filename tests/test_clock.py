"""Instants: one way to write them, two ways to read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.clock import ago, iso, now, parse

NOON = datetime(2026, 6, 12, 12, tzinfo=UTC)


def test_now_is_utc_and_whole_seconds() -> None:
    assert now().tzinfo is UTC
    assert now().microsecond == 0


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        pytest.param(NOON, "2026-06-12T12:00:00Z", id="UTC"),
        pytest.param(datetime(2026, 6, 12, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))), "2026-06-11T19:30:00Z", id="another zone"),
        pytest.param(NOON.replace(microsecond=999_999), "2026-06-12T12:00:00Z", id="fractions are cut off"),
        pytest.param(datetime(7, 1, 2, tzinfo=UTC), "0007-01-02T00:00:00Z", id="four digits of the year"),
    ],
)
def test_written(moment: datetime, text: str) -> None:
    assert iso(moment) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("2026-06-12T12:00:00Z", NOON, id="as we write it"),
        pytest.param(" 2026-06-12T12:00:00Z\n", NOON, id="white space around"),
        pytest.param("2026-06-12T14:00:00+02:00", NOON, id="another zone"),
        pytest.param("2026-06-12T12:00:00.75Z", NOON, id="fractions are cut off"),
        pytest.param("2026-06-12 12:00:00", NOON, id="no zone is UTC"),
        pytest.param("2026-06-12", datetime(2026, 6, 12, 23, 59, 59, tzinfo=UTC), id="a day is its end"),
    ],
)
def test_read(text: str, moment: datetime) -> None:
    assert parse(text) == moment
    assert parse(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2026-13-01", "2026-06-31", "12.06.2026", "2026-06-12T25:00:00Z", "0001-01-01T00:00:00+14:00"],
    ids=["nothing", "a word", "month 13", "the 31st of June", "another order", "hour 25", "before the year 1"],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the standard library words it
        parse(text)


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_what_is_written_is_read_as_the_same_second(moment: datetime) -> None:
    assert parse(iso(moment)) == moment.astimezone(UTC).replace(microsecond=0)


@given(st.datetimes(timezones=st.just(UTC)), st.datetimes(timezones=st.just(UTC)))
def test_texts_sort_as_instants_do(one: datetime, other: datetime) -> None:
    if one.replace(microsecond=0) < other.replace(microsecond=0):
        assert iso(one) < iso(other)


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=1), "1 h ago"),
        (timedelta(hours=47, minutes=59), "47 h ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=400), "400 days ago"),
    ],
    ids=["in the future", "now", "a minute, nearly", "a minute", "an hour, nearly", "an hour", "two days, nearly", "two days", "a year"],
)
def test_how_long_ago(back: timedelta, words: str) -> None:
    assert ago(iso(NOON - back), NOON) == words


@pytest.mark.parametrize("stamp", [None, ""], ids=["none", "empty"])
def test_what_never_was(stamp: str | None) -> None:
    assert ago(stamp, NOON) == "never"
