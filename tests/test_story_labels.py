"""Labels on stories: what label files say, what is wrong with them, and figures that are worked out by hand."""

from __future__ import annotations

import csv
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.errors import ModelError
from tracker.story_labels import COLUMNS, figures, hard_pairs, labelled


def written(folder: Path, columns: str, *rows: Sequence[str]) -> Path:
    path = folder / "stories.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(), *rows])
    return path


# -- rows -------------------------------------------------------------------------------------------


def test_a_row_is_the_item_that_a_poll_would_make_of_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        " ".join(COLUMNS),
        (
            "w1", "https://X.example.org/a?utm_source=y", "Zorblat\n opens", "<p>It &amp; more</p>", "https://x.example.org/feed",
            "2026-06-12", "s1", "post", "https://arxiv.org/abs/2606.01234v2 no-link https://y.example.org/b",
        ),
    )  # fmt: skip
    (row,) = labelled(path)
    assert (row.window, row.url, row.story, row.kind) == ("w1", "https://X.example.org/a?utm_source=y", "s1", "post")
    item = row.item
    assert (item.id, item.key, item.url) == (2, "url:https://x.example.org/a", "https://x.example.org/a")
    assert (item.title, item.text, item.origin) == ("Zorblat opens", "It & more", "official")
    assert (item.published_at, item.source) == ("2026-06-12T00:00:00Z", "https://x.example.org/feed")
    assert item.links == ("arxiv:2606.01234", "url:https://y.example.org/b")


def test_four_columns_are_enough(tmp_path: Path) -> None:
    (row,) = labelled(written(tmp_path, "item_url title date story", ("https://arxiv.org/abs/2606.01234", "Zorblat", "2026-06-12", "s1")))
    assert (row.window, row.kind, row.item.key, row.item.origin, row.item.links) == ("", "news", "arxiv:2606.01234", "press", ())


@pytest.mark.parametrize(
    ("kind", "origin"),
    [("paper", "paper"), ("post", "official"), ("release", "official"), ("status", "official"), ("thread", "community"),
     ("code", "community"), ("news", "press"), ("digest", "press"), ("", "press"), ("something else", "press")],
)  # fmt: skip
def test_a_kind_is_of_an_origin(tmp_path: Path, kind: str, origin: str) -> None:
    row = ("https://x.example.org/a", "Zorblat", "2026-06-12", "s1", kind)
    assert labelled(written(tmp_path, "item_url title date story kind", row))[0].item.origin == origin


def test_the_entries_of_one_page_keep_their_fragments_and_a_lone_one_does_not(tmp_path: Path) -> None:
    urls = ["https://x.example.org/log#1", "https://x.example.org/log#2", "https://x.example.org/other#1"]
    rows = labelled(written(tmp_path, "item_url title date story", *((url, "Zorblat", "2026-06-12", "s") for url in urls)))
    assert [row.item.url for row in rows] == [*urls[:2], "https://x.example.org/other"]


@pytest.mark.parametrize(
    ("columns", "row", "sentence"),
    [
        ("item_url title date", ("https://x.example.org/", "t", "2026-06-12"), "lacks the column story; needed: window, item_url"),
        ("item_url story", ("https://x.example.org/", "s"), "lacks the columns date, title; needed"),
        ("item_url title date story", ("https://x.example.org/", "t", "12 June", "s"), "line 2: needs a date (YYYY-MM-DD) and a web"),
        ("item_url title date story", ("https://x.example.org/", "t", "", "s"), "line 2: needs a date"),
        ("item_url title date story", ("https://x.example.org/", "t", "2026-02-30", "s"), "has '2026-02-30'"),
        ("item_url title date story", ("x.example.org", "t", "2026-06-12", "s"), "and a web address, has '2026-06-12', 'x.example.org'"),
        ("item_url title date story", ("ftp://x.example.org/", "t", "2026-06-12", "s"), "and a web address"),
        ("item_url title date story", ("", "t", "2026-06-12", "s"), "and a web address"),
    ],
    ids=["a column", "two columns", "a date in words", "no date", "no such day", "no scheme", "another scheme", "no address"],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, columns: str, row: Sequence[str], sentence: str) -> None:
    path = written(tmp_path, columns, row)
    with pytest.raises(ModelError) as caught:
        labelled(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [None, b"", b"\x00\xff\xfe\x80", b"item_url,title,date,story\n", b"%PDF-1.7\n\x00\x01"],
    ids=["none", "empty", "bytes", "no row", "PDF"],
)
@pytest.mark.parametrize("read", [labelled, hard_pairs], ids=["labels", "look-alikes"])
def test_a_file_that_is_no_table_is_named(tmp_path: Path, data: bytes | None, read: Any) -> None:
    path = tmp_path / "labels.csv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ModelError, match=r"labels\.csv"):
        read(path)


def test_a_row_that_is_too_short_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stories.csv"
    path.write_text("item_url,title,date,story\nhttps://x.example.org/,t,2026-06-12,s\nhttps://x.example.org/b\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"stories\.csv"):
        labelled(path)


def test_look_alikes(tmp_path: Path) -> None:
    assert hard_pairs(written(tmp_path, "url_a url_b note", ("https://a.example/", "https://b.example/", "x"))) == [
        ("https://a.example/", "https://b.example/")
    ]
    with pytest.raises(ModelError, match="needs the columns url_a and url_b"):
        hard_pairs(written(tmp_path, "one other", ("a", "b")))


# -- figures ----------------------------------------------------------------------------------------


def shares(told: dict[str, Any], name: str) -> tuple[float | None, float | None, int]:
    return told[name]["precision"], told[name]["recall"], told[name]["pairs" if name == "pairwise" else "items"]


# People: {0 1 2} {3 4} {5} {6}. The tracker: {0 1} {2 3} {4} {5} {6}.
# Pairs: said 01 and 23, one of them right; true 01 02 12 34.
# B³, item by item: precision 1 1 ½ ½ 1 1 1, recall ⅔ ⅔ ⅓ ½ ½ 1 1; 5 and 6 are alone for both.
TRUTH, SAID = list("aaabbcd"), [1, 1, 2, 2, 3, 4, 5]


def test_figures_worked_out_by_hand() -> None:
    told = figures(TRUTH, SAID)
    assert shares(told, "pairwise") == (0.5, 0.25, 4)
    assert told["pairwise"]["told"] == 2
    assert shares(told, "b3") == (round(6 / 7, 4), round((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2 + 2) / 7, 4), 7)
    assert shares(told, "b3_active") == (0.8, round((2 / 3 + 2 / 3 + 1 / 3 + 1 / 2 + 1 / 2) / 5, 4), 5)


@pytest.mark.parametrize(
    ("truth", "said", "pairwise", "b3", "active"),
    [
        pytest.param([], [], (None, None, 0), (None, None, 0), (None, None, 0), id="nothing"),
        pytest.param("ab", "cd", (None, None, 0), (1, 1, 2), (None, None, 0), id="all alone"),
        pytest.param("aab", "aab", (1, 1, 1), (1, 1, 3), (1, 1, 2), id="all right"),
        pytest.param("aab", "abc", (None, 0, 1), (1, 0.6667, 3), (1, 0.5, 2), id="nothing joined"),
        pytest.param("abc", "aaa", (0, None, 0), (0.3333, 1, 3), (0.3333, 1, 3), id="everything joined"),
    ],
)
def test_figures_at_the_ends(
    truth: Sequence[Hashable], said: Sequence[Hashable], pairwise: tuple[Any, ...], b3: tuple[Any, ...], active: tuple[Any, ...]
) -> None:
    told = figures(list(truth), list(said))
    assert [shares(told, name) for name in ("pairwise", "b3", "b3_active")] == [pairwise, b3, active]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_precision_one_way_is_recall_the_other(pairs: list[tuple[int, int]]) -> None:
    truth, said = [a for a, _ in pairs], [b for _, b in pairs]
    there, back = figures(truth, said), figures(said, truth)
    for name in ("pairwise", "b3", "b3_active"):
        assert there[name]["precision"] == back[name]["recall"]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12))
def test_the_names_of_stories_do_not_matter(truth: list[int]) -> None:
    told = figures(truth, [f"story {story}" for story in truth])
    assert told["b3"] == {"precision": 1, "recall": 1, "items": len(truth)}


def test_lengths_that_differ_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="zip"):
        figures([1, 2], [1])
