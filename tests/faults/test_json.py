"""F68: JSON feeds whose values have other types than they should."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import Faults

HEAD = '{"version": "https://jsonfeed.org/version/1.1", "title": "T", "items": ['
GOOD = '{"id": "1", "url": "https://lab.example/1", "title": "Post 1", "content_text": "a < b"}'
JSON = {"Content-Type": "application/feed+json"}


def feed(*items: str) -> bytes:
    return f"{HEAD}{', '.join(items)}]}}".encode()


BAD = {
    "null": "null",
    "a number": "7",
    "a list": "[1, 2]",
    "a text": '"item"',
    "NaN": "NaN",
    "an empty object": "{}",
    "an object of wrong types": '{"id": null, "url": [], "title": {}, "content_html": false}',
    "a huge number": "1" + "0" * 10_000,
}
ODD = {
    "an id that is a number": '{"id": 12, "title": "Odd"}',
    "an id of 10,000 digits": '{"id": 1' + "0" * 10_000 + ', "title": "Odd"}',
    "a title that is none": '{"id": "o", "title": ["x"], "content_text": "Odd"}',
    "a title that is a number": '{"id": "o", "title": 5.0, "content_text": "Odd"}',
    "null everywhere": '{"id": "o", "title": "Odd", "url": null, "authors": null, "author": null, "date_published": null, "tags": null}',
    "wrong types everywhere": '{"id": "o", "title": "Odd", "url": 5, "authors": {"name": 1}, "date_published": 1718000000, "summary": []}',
    "authors of all kinds": '{"id": "o", "title": "Odd", "authors": [null, 1, "x", {"name": null}, {"name": "Ann"}, []]}',
    "NaN and infinity": '{"id": "o", "title": "Odd", "date_published": NaN, "x": Infinity, "y": 1e999}',
    "half a character": '{"id": "o\\ud83d", "title": "Odd\\ud83d", "url": "https://lab.example/\\udc00"}',
    "half a character in the text": '{"id": "o", "title": "\\udc00Odd", "content_html": "<p>\\ud83d</p>"}',
    "NUL and controls": '{"id": "o", "title": "O\\u0000d\\u001bd", "content_text": "\\u0000"}',
    "a key twice": '{"id": "o", "title": "First", "title": "Odd"}',
    "a date that is none": '{"id": "o", "title": "Odd", "date_published": "yesterday"}',
    "a date beyond years": '{"id": "o", "title": "Odd", "date_published": "9999-12-31T23:59:59-14:00"}',
    "deep within": '{"id": "o", "title": "Odd", "_x": ' + "[" * 300 + "]" * 300 + "}",
}


def test_F68_items_that_are_none(polled: Faults) -> None:
    """items that are null, numbers, lists, texts, NaN, empty → the good items; the bad ones are counted: `malformed: 1 of 2 items …`"""
    for name, answer in polled.each(
        {name: feed(GOOD.replace("1", f"{n}9"), bad) for n, (name, bad) in enumerate(BAD.items())}, JSON
    ).items():
        assert len(answer.titles) == 1, name
        assert answer.sentence == "malformed: 1 of 2 items could not be read; the others are stored", name
    answer = polled.answers(feed(*BAD.values()), JSON)
    assert (answer.error, answer.titles) == ("malformed", [])
    assert f"none of its {len(BAD)} items can be read" in answer.sentence


def test_F68_values_of_wrong_types(polled: Faults) -> None:
    """ids, titles, links, dates, authors of wrong types, huge numbers, NaN, half characters → every item, without these values"""
    answers = polled.each({name: feed(odd, GOOD.replace("1", f"{n}8")) for n, (name, odd) in enumerate(ODD.items())}, JSON)
    for name, answer in answers.items():
        assert answer.error == "", (name, answer.sentence)
        _, odd = answer.items
        assert (odd["title"], odd["published_at"]) == ("5.0" if name == "a title that is a number" else "Odd", None), name


@pytest.mark.parametrize("items", ["null", "7", '"x"', "{}"])
def test_F68_a_list_that_is_none(items: str, polled: Faults) -> None:
    """`items` is null, a number, a text, an object → `malformed`; what is stored stays"""
    polled.answers(feed(GOOD), JSON)
    answer = polled.answers(f'{{"version": "https://jsonfeed.org/version/1.1", "items": {items}}}'.encode(), JSON)
    assert (answer.error, answer.titles) == ("malformed", ["Post 1"])


def test_F68_a_feed_that_breaks_off(polled: Faults) -> None:
    """JSON that ends within an item → the complete items, `truncated`"""
    answer = polled.answers(feed(GOOD, '{"id": "2", "title": "Post 2"}')[:-9], JSON)
    assert (answer.error, answer.titles) == ("truncated", ["Post 1"])


def test_F68_titles_are_text_and_contents_may_be_markup(polled: Faults) -> None:
    """a title with `<`, contents as text and as HTML, a mark before, UTF-16 → what was meant"""
    body = json.dumps(
        {
            "version": "https://jsonfeed.org/version/1",
            "items": [
                {"id": "1", "title": "Is 1 < 2 & <b>?", "content_text": "if a <b then\n<c>"},
                {
                    "id": "2",
                    "title": "HTML",
                    "content_html": "<p>a &lt; b</p>",
                    "author": {"name": "Ann"},
                    "date_published": "2026-06-11T10:00:00+02:00",
                },
            ],
        }
    )
    for name, answer in polled.each({"a mark": b"\xef\xbb\xbf" + body.encode(), "UTF-16": body.encode("utf-16")}, JSON).items():
        second, first = answer.items
        assert (first["title"], first["body"]) == ("Is 1 < 2 & <b>?", "if a <b then\n<c>"), name
        assert (second["body"], second["authors"], second["published_at"]) == ("a < b", "Ann", "2026-06-11T08:00:00Z"), name
