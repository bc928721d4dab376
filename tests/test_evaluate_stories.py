"""Evaluating stories: labelled rows go through the stage as in a run a day, and figures, errors and reasons are told."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tracker.cli import cli
from tracker.evaluate_stories import Placed, lines, place, report, rows_csv
from tracker.story_labels import COLUMNS, labelled

LAB, PRESS, DAILY, ARXIV = (f"https://{name}.example.org/feed" for name in ("lab", "press", "daily", "arxiv"))
TITLE = "Zorblat opens a chip factory in Quimby"
# window, item_url, title, summary, source_url, date, story, kind, links
ROWS = {
    "lab": ("w1", "https://lab.example.org/zorblat-factory", TITLE, "", LAB, "2026-06-10", "s1", "post", ""),
    "press": ("w1", "https://press.example.org/1", TITLE, "", PRESS, "2026-06-11", "s1", "news", ""),
    "missed": ("w1", "https://daily.example.org/2", "Ten thousand jobs for the north", "", DAILY, "2026-06-11", "s1", "news", ""),
    "alone": ("w1", "https://daily.example.org/3", "Mayor of Norwick resigns", "", DAILY, "2026-06-12", "s2", "news", ""),
    "digest": ("w1", "https://daily.example.org/4", "Daily digest: Zorblat and more", "", DAILY, "2026-06-12", "s3", "digest", ""),
    "wrong": ("w1", "https://daily.example.org/5", TITLE, "", DAILY, "2026-06-12", "s4", "news", ""),
    "the other window": ("w2", "https://press.example.org/1", TITLE, "", PRESS, "2026-06-11", "s1", "news", ""),
}


def write(path: Path, rows: Sequence[Sequence[str]], columns: Sequence[str] = COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def placed(folder: Path, *rows: Sequence[str]) -> list[Placed]:
    return place(labelled(write(folder / "stories.csv", rows)))


def by_url(found: Sequence[Placed]) -> dict[str, str]:
    return {one.row.url: one.story for one in found}


# -- where rows end up ------------------------------------------------------------------------------


def test_rows_are_grouped_as_by_a_run_a_day(tmp_path: Path) -> None:
    found = dict(zip(ROWS, placed(tmp_path, *ROWS.values()), strict=True))
    assert [one.row.item.title for one in found.values()] == [row[2] for row in ROWS.values()], "in the order of the file"
    assert found["lab"].story == found["press"].story == found["wrong"].story
    assert len({one.story for one in found.values()}) == 5
    assert found["lab"].evidence == "first of its story"
    assert found["press"].evidence.startswith("the same title; 1 day later; as in")
    assert found["digest"].evidence == "stands alone: a digest or a list of changes"


def test_one_address_in_two_windows_is_two_items(tmp_path: Path) -> None:
    first = placed(tmp_path, ROWS["press"], ROWS["the other window"])
    assert [one.story.split("-")[0] for one in first] == ["w1", "w2"]
    assert len({one.story for one in first}) == 2


def test_the_entries_of_a_changelog_are_items_of_their_own(tmp_path: Path) -> None:
    log = [
        ("w1", f"https://lab.example.org/log#{n}", f"2.1.{n}", f"Quimby {n}", LAB, f"2026-06-{10 + n // 2}", f"v{n}", "release", "")
        for n in range(6)
    ]
    found = placed(tmp_path, *log)
    assert len({one.story for one in found}) == 6
    assert {one.evidence for one in found} == {"stands alone: a version"}


def test_what_two_sources_show_is_one_item(tmp_path: Path) -> None:
    twice = [ROWS["press"], (*ROWS["press"][:4], DAILY, "2026-06-12", *ROWS["press"][6:])]
    assert len({one.story for one in placed(tmp_path, *twice)}) == 1


def test_a_row_that_stands_twice_in_a_file_is_one_item(tmp_path: Path) -> None:
    assert len({one.story for one in placed(tmp_path, ROWS["press"], ROWS["press"], ROWS["alone"])}) == 2


@pytest.mark.parametrize("day", ["2026-06-11", "2026-06-12"], ids=["on one day", "a day later"])
def test_a_title_that_a_source_has_twice_is_found_again(tmp_path: Path, day: str) -> None:
    again = ("w1", "https://press.example.org/again", TITLE, "", PRESS, day, "s1", "news", "")
    found = placed(tmp_path, ROWS["press"], again, ROWS["alone"])
    assert found[0].story == found[1].story != found[2].story


def test_one_source_may_carry_papers_and_posts(tmp_path: Path) -> None:
    rows = [
        ("w1", "https://lab.example.org/zorblat", "Our Zorblat learns chips", "", LAB, "2026-06-10", "s1", "post", "https://arxiv.org/abs/2606.01234"),
        ("w1", "https://arxiv.org/abs/2606.01234v2", "Our Zorblat learns chips: a study", "", LAB, "2026-06-10", "s1", "paper", ""),
    ]  # fmt: skip
    found = placed(tmp_path, *rows)
    assert {one.row.item.key for one in found} == {"url:https://lab.example.org/zorblat", "arxiv:2606.01234"}
    assert len({one.story for one in found}) == 1


def test_rows_without_a_source_are_of_one(tmp_path: Path) -> None:
    rows = [(url, title, date, story) for _, url, title, _, _, date, story, _, _ in list(ROWS.values())[:4]]
    found = place(labelled(write(tmp_path / "stories.csv", rows, ["item_url", "title", "date", "story"])))
    assert found[0].story == found[1].story
    assert len({one.story for one in found}) == 3


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    def together(found: Sequence[Placed]) -> set[frozenset[str]]:
        return {frozenset(one.row.url for one in found if one.story == story) for story in by_url(found).values()}

    rows = [row for row in ROWS.values() if row[0] == "w1"]
    assert together(placed(tmp_path, *rows)) == together(placed(tmp_path, *reversed(rows)))


def test_the_rows_of_two_files_are_not_mixed_up(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", [ROWS["press"], ROWS["lab"]])
    other = write(tmp_path / "other.csv", [("w9", *ROWS["alone"][1:]), ("w9", *ROWS["digest"][1:])])
    rows = labelled(one, other)
    assert [each.row.item.title for each in place(rows)] == [row.item.title for row in rows]
    assert len({row.item.id for row in rows}) == 4


# -- what is told -----------------------------------------------------------------------------------


def test_figures_and_errors(tmp_path: Path) -> None:
    found = placed(tmp_path, *ROWS.values())
    hard = [
        (ROWS["lab"][1], ROWS["wrong"][1]),
        (ROWS["lab"][1], ROWS["alone"][1]),
        (ROWS["lab"][1], "https://nobody.example.org/"),
    ]
    told = report(found, hard, 9)
    assert (told["rows"], told["windows"]) == (7, 2)
    assert told["pairwise"] == {"precision": 0.3333, "recall": 0.3333, "pairs": 3, "told": 3}
    assert told["b3"]["items"] == 7
    assert told["b3_active"]["items"] == 4
    assert told["b3_active"]["precision"] == round((2 / 3 + 2 / 3 + 1 + 1 / 3) / 4, 4)
    assert told["b3_active"]["recall"] == round((2 / 3 + 2 / 3 + 1 / 3 + 1) / 4, 4)
    assert told["look_alikes"] == {"joined": 1, "of": 2, "share": 0.5}
    assert told["lists_joined"] == 0
    assert [error["what"] for error in told["errors"]] == ["look-alikes joined", *["joined wrongly"] * 2, *["missed"] * 2]
    assert told["errors_in_all"] == 5
    assert "the same title" in told["errors"][1]["evidence"]
    assert told["errors"][-1]["evidence"] == ""
    assert len(report(found, hard, 2)["errors"]) == 2


def test_an_address_of_two_windows_is_a_look_alike_in_either(tmp_path: Path) -> None:
    found = placed(tmp_path, *ROWS.values())
    assert report(found, [(ROWS["press"][1], ROWS["wrong"][1])], 0)["look_alikes"]["joined"] == 1


def test_a_report_of_nothing_to_count(tmp_path: Path) -> None:
    told = report(placed(tmp_path, ROWS["alone"]), [], 5)
    assert told["look_alikes"] == {"joined": 0, "of": 0, "share": None}
    assert told["pairwise"]["precision"] is None
    assert any(line.split() == ["pairs", "–", "–"] for line in lines(told))


def test_a_report_for_people_says_what_is_left_out(tmp_path: Path) -> None:
    told = list(lines(report(placed(tmp_path, *ROWS.values()), [(ROWS["lab"][1], ROWS["wrong"][1])], 1)))
    assert told[0] == "7 items in 2 windows, grouped as by a run a day"
    assert "Look-alikes joined: 1 of 1" in told
    assert f"look-alikes joined: {TITLE} | {TITLE}" in told
    assert told[-1] == "4 more; --errors 5 lists all"


def test_rows_as_csv_cannot_steer_a_spreadsheet(tmp_path: Path) -> None:
    (one,) = placed(tmp_path, ("w1", "https://press.example.org/1", "=1+1 Zorblat", "", PRESS, "2026-06-11", "=s1", "news", ""))
    header, row = csv.reader(rows_csv([one]).splitlines())
    assert header == ["window", "item_url", "story", "said", "evidence"]
    assert row[2] == "'=s1"


# -- the command ------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["evaluate", "stories", *map(str, arguments)])


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write(tmp_path / "stories.csv", list(ROWS.values()))


def told_by(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_command_prints_json(run: Callable[..., Result], labels: Path, tmp_path: Path) -> None:
    hard = write(tmp_path / "hard.csv", [(ROWS["lab"][1], ROWS["alone"][1])], ["url_a", "url_b"])
    told = told_by(run("--labels", labels, "--hard", hard, "--rows", "rows.csv", "--errors", "2"))
    assert {"pairwise", "b3", "b3_active", "look_alikes", "lists_joined"} <= told.keys()
    for name in ("pairwise", "b3", "b3_active"):
        assert 0 <= told[name]["precision"] <= 1
        assert 0 <= told[name]["recall"] <= 1
    assert told["look_alikes"] == {"joined": 0, "of": 1, "share": 0.0}
    assert told["cross_validated"] is False
    assert (len(told["errors"]), told["errors_in_all"]) == (2, 4)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["item_url"] for row in rows] == [row[1] for row in ROWS.values()]
    assert rows[0]["said"] == rows[1]["said"] != rows[3]["said"]


def test_the_command_leaves_no_database_behind(run: Callable[..., Result], labels: Path, tmp_path: Path) -> None:
    told_by(run("--labels", labels))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stories.csv"]


def test_windows_may_be_judged_by_a_model_that_has_not_seen_them(run: Callable[..., Result], tmp_path: Path) -> None:
    rows = [
        (f"w{n}", f"https://{site}.example.org/{n}/{m}", title, "", f"https://{site}.example.org/feed", "2026-06-10", f"s{m}", "news", "")
        for n in range(3)
        for site, m, title in [
            ("press", 1, f"Zorblat {n} opens a factory"),
            ("daily", 1, f"Zorblat {n} factory: what we know"),
            ("third", 2, f"Zorblat workers of Norwick resign {n + 7}"),
            ("fourth", 3, f"The Norwick mayor and Zorblat in court {n + 7}"),
        ]
    ]
    told = told_by(run("--labels", write(tmp_path / "stories.csv", rows), "--cross-validate"))
    assert (told["cross_validated"], told["windows"], told["b3"]["items"]) == (True, 3, 12)


@pytest.mark.parametrize(
    ("rows", "columns", "sentence"),
    [
        pytest.param([("https://x.example.org/", "t")], ["item_url", "title"], "lacks the columns date, story", id="columns"),
        pytest.param([("https://x.example.org/", "t", "June", "s")], "item_url title date story".split(), "line 2: needs a da", id="date"),
        pytest.param([], COLUMNS, "stories.csv", id="no row"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(
    run: Callable[..., Result], tmp_path: Path, rows: list[tuple[str, ...]], columns: Sequence[str], sentence: str
) -> None:
    result = run("--labels", write(tmp_path / "stories.csv", rows, columns))
    assert result.exit_code != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([ROWS["lab"], ROWS["press"]], id="one window"),
        pytest.param([ROWS["lab"], ROWS["press"], ROWS["the other window"]], id="a window whose others have no pair"),
        pytest.param(
            [(window, *row[1:]) for window in ("w1", "w2") for row in (ROWS["lab"], ROWS["wrong"])], id="pairs that are all different"
        ),
    ],
)
def test_what_is_too_little_for_cross_validation_is_refused_in_a_sentence(
    run: Callable[..., Result], tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    result = run("--labels", write(tmp_path / "stories.csv", rows), "--cross-validate")
    assert isinstance(result.exception, SystemExit), result.exception
    assert "cross-validat" in result.stderr


def test_an_existing_database_is_not_touched(run: Callable[..., Result], labels: Path, db: sqlite3.Connection, tmp_path: Path) -> None:
    told_by(run("--labels", labels))
    assert db.execute("SELECT count(*) FROM items").fetchone()[0] == 0
