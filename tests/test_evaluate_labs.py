"""Evaluating labs, about and signals: figures on labelled files are those of what the product says. All texts here are made up by us."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from tests.servers import Server
from tracker import config, store, tag
from tracker.cli import cli
from tracker.evaluate_items import Row, labelled
from tracker.evaluate_labs import Families, judge, proportion, report
from tracker.evaluate_read import Evidence, evidence, minutes
from tracker.evaluate_tables import lines
from tracker.fetch import Fetcher
from tracker.store import items, sources
from tracker.types import Entry, Lab, Request, Response, Source

FEEDS = """
[feeds.ours]
url = "https://quill.example/feed"
lab = "quillion"
origin = "official"

[feeds.rumours]
url = "https://rumours.example/feed"

[labs.quillion]
name = "Quillion"
names = ["Quillion"]
affiliations = ["Quillion Inc"]
hosts = ["quill.example"]
github = ["quillion"]
hf = ["quillion"]

[labs.quillion-deep]
name = "Quillion Deep"
names = ["Quillion Deep"]
affiliations = ["Quillion Deep"]
github = ["quillion-deep"]
parents = [{ lab = "quillion" }]

[labs.varnaco]
name = "Varnaco"
names = ["Varnaco"]
affiliations = ["Varnaco Research"]
github = ["varnaco"]
"""
# id, labs, complete, tier; and how the paper is signed, or which repository it links to.
PAPERS = {
    "right": ("2606.00001", "quillion", "1", "A", "Quillion Team", ""),
    "right by family": ("2606.00002", "quillion", "1", "A", "", "https://github.com/quillion-deep/kit"),
    "missed": ("2606.00003", "varnaco", "1", "B", "", ""),
    "false, of no lab": ("2606.00004", "", "1", "B", "", "https://github.com/varnaco/kit"),
    "unjudged": ("2606.00005", "quillion", "0", "C", "Quillion Team", "https://github.com/varnaco/kit"),
    "of no lab": ("2606.00006", "", "1", "C", "", ""),
    "of a stranger": ("2606.00007", "zzz-labs", "1", "A", "", ""),
}


def write_csv(path: Path, columns: str, rows: Sequence[Sequence[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns.split(), *rows])
    return path


def papers_csv(folder: Path) -> Path:
    return write_csv(folder / "papers.csv", "id labs complete tier", [row[:4] for row in PAPERS.values()])


def write_texts(folder: Path, *without: str) -> Path:
    """The texts of ``PAPERS``; every fact beyond id, title and abstract is left out where it is empty."""
    with gzip.open(folder / "papers-x.jsonl.gz", "wt", encoding="utf-8") as file:
        for name, (key, _, _, _, author, link) in PAPERS.items():
            paper: dict[str, Any] = {"id": key, "title": f"=A study, {name}", "abstract": "Agents that learn."}
            paper |= {"authors": ["Ann Example", author]} if author else {}
            paper |= {"comment": f"12 pages. Code: {link}"} if link else {}
            if name not in without:
                file.write(json.dumps(paper | {"listed": "2026-06-10"}) + "\n")
    return folder


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command, in a folder of its own, with labs of ours."""
    (tmp_path / "feeds.toml").write_text(FEEDS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])


def told(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.stderr
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def counts(figures: Mapping[str, Any]) -> tuple[int, ...]:
    """(right, false, missed, unjudged)."""
    return tuple(figures[name] for name in ("right", "false", "missed", "unjudged"))


# -- intervals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "share", "interval"),
    [(81, 263, 0.308, [0.2553, 0.3662]), (10, 10, 1.0, [0.7225, 1.0]), (0, 10, 0.0, [0.0, 0.2775]), (0, 0, None, [])],
    ids=["Newcombe 1998, table I", "all", "none", "nothing"],
)
def test_an_interval_is_wilsons(part: int, whole: int, share: float | None, interval: list[float]) -> None:
    assert proportion(part, whole) == (share, interval)


@given(st.integers(1, 10_000).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_an_interval_holds_its_share(pair: tuple[int, int]) -> None:
    share, (low, high) = proportion(*pair)
    assert 0 <= low <= (share or 0.0) <= high <= 1


def test_a_lab_counts_for_its_parents_and_a_circle_has_an_end() -> None:
    families = Families(
        [Lab("a", "A", "x", parents=(("b", "2026-01-01"),)), Lab("b", "B", "x", parents=(("c", None),)), Lab("c", "C", "x")]
    )
    assert families.above(["a"]) == {"a", "b", "c"}
    assert families.tops(["a", "b"]) == {"c"}
    assert families.tops(["unknown"]) == {"unknown"}
    assert Families([Lab("a", "A", "x", parents=(("a", None),))]).above(["a"]) == {"a"}


# -- papers -----------------------------------------------------------------------------------------


def test_papers_are_counted_as_can_be_counted_by_hand(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("labs", "--labels", papers_csv(tmp_path), "--texts", write_texts(tmp_path))
    found = told(result)
    by = found["papers"]["by"]
    assert (found["evaluated"], found["mode"], found["rows"]) == ("labs", "metadata only", {"paper": 7, "post": 0})
    assert counts(by["overall"]) == (3, 1, 1, 1)
    assert counts(by["strict"]) == (2, 2, 2, 1)
    assert (by["overall"]["precision"], by["overall"]["recall"], by["overall"]["f1"]) == (0.75, 0.75, 0.75)
    assert by["overall"]["precision_interval"] == proportion(3, 4)[1]
    assert by["overall"]["f1_interval"][0] < 0.75 < by["overall"]["f1_interval"][1]
    assert counts(by["labs"]["quillion"]) == (3, 0, 0, 0), "a child counts for its parent"
    assert counts(by["labs"]["quillion-deep"]) == (0, 1, 0, 0)
    assert counts(by["labs"]["varnaco"]) == (0, 1, 1, 1)
    assert by["no_lab"] == {"papers": 2, "counted": 1, "share": 0.5, "interval": proportion(1, 2)[1]}
    assert by["unresolved"]["counted"] == 3
    assert {tier: (part["rows"], counts(part)) for tier, part in by["tiers"].items()} == {
        "A": (3, (2, 0, 0, 0)), "B": (2, (0, 1, 1, 0)), "C": (2, (1, 0, 0, 1)), "A+B": (5, (2, 1, 1, 0)),
    }  # fmt: skip
    assert {method: (part["right"], part["false"], part["unjudged"]) for method, part in by["methods"].items()} == {
        "author": (2, 0, 0), "repo": (1, 1, 1),
    }  # fmt: skip
    assert by["outcomes"] == {}, "nothing was read"
    assert found["unknown_labs"] == {"zzz-labs": 1}
    assert "the registry does not know them: zzz-labs (1)" in result.stderr
    assert "Of papers by no lab, tagged falsely: 1 of 2" in result.stderr
    assert run("labs", "--labels", tmp_path / "papers.csv", "--texts", tmp_path, "-q").stderr == ""


def test_errors_show_what_the_product_goes_by_and_rows_hold_all(run: Callable[..., Result], tmp_path: Path) -> None:
    arguments = ("labs", "--labels", papers_csv(tmp_path), "--texts", write_texts(tmp_path), "--rows", "rows.csv")
    found = told(run(*arguments))
    assert [error["id"] for error in found["errors"]] == ["2606.00003", "2606.00004"]
    assert found["errors"][0]["wrong"]["by"] == {"expected": ["varnaco"], "said": [], "evidence": []}
    assert found["errors"][1]["wrong"]["by"]["evidence"] == [
        {"lab": "varnaco", "relation": "by", "method": "repo", "place": "links", "evidence": "github.com/varnaco/kit"}
    ]
    few = told(run(*arguments, "--errors", "1"))
    assert (len(few["errors"]), few["errors_in_all"]) == (1, 2)
    assert told(run(*arguments, "--errors", "0"))["errors"] == []
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(encoding="utf-8")))
    assert len(rows) == 7
    assert rows[1]["title"] == "'=A study, right by family", "no spreadsheet runs it"
    assert (rows[1]["by"], rows[1]["by_said"], rows[1]["tier"]) == ("quillion", "quillion-deep", "A")
    assert rows[3]["evidence"] == "by varnaco (repo): github.com/varnaco/kit"


def test_papers_without_a_text_are_counted_and_of_two_rows_the_last_counts(run: Callable[..., Result], tmp_path: Path) -> None:
    path = papers_csv(tmp_path)
    with path.open("a", encoding="utf-8") as file:
        file.write("2606.00001,varnaco,1,A\n")
    found = told(run("labs", "--labels", path, "--texts", write_texts(tmp_path, "missed", "of no lab")))
    assert found["labels"] == [
        {"file": "papers.csv", "kind": "paper", "rows": 8, "judged": 5, "without_text": 2, "with_block": 0}
    ]  # fmt: skip
    assert counts(found["papers"]["by"]["labs"]["varnaco"])[2] == 1


def test_optional_facts_of_papers_that_are_of_another_kind_count_as_absent(run: Callable[..., Result], tmp_path: Path) -> None:
    with gzip.open(tmp_path / "papers-x.jsonl.gz", "wt", encoding="utf-8") as file:
        odd = {"id": "2606.00001", "title": None, "abstract": None, "authors": [None, {"name": "x"}, "Quillion Team"], "comment": 7}
        file.write(json.dumps(odd | {"links": "https://github.com/varnaco/kit", "listed": "2026-13-77", "affiliations": {}}) + "\n")
        more = {"id": "2606.00003", "links": [5, "https://github.com/varnaco/kit", "no address"], "affiliations": ["Varnaco Research"]}
        file.write(json.dumps(more) + "\n")
    by = told(run("labs", "--labels", papers_csv(tmp_path), "--texts", tmp_path))["papers"]["by"]
    assert counts(by["overall"]) == (2, 0, 0, 0)
    assert {method: part["right"] for method, part in by["methods"].items()} == {"affiliation": 1, "author": 1, "repo": 1}


def test_without_texts_papers_are_those_of_the_database(run: Callable[..., Result], tmp_path: Path) -> None:
    db = store.open(tmp_path / "data" / "tracker.db", write=True)
    source = Source("arxiv", "arxiv", "https://export.arxiv.org/api/query", "arXiv", origin="paper")
    entries = [
        Entry("A study", "https://arxiv.org/abs/2606.00001", authors=("Ann Example", "Quillion Team"), own_key="arxiv:2606.00001"),
        Entry("Another", "https://arxiv.org/abs/2606.00003", authors=("Ann Example",), own_key="arxiv:2606.00003"),
    ]
    with store.transaction(db):
        sources.sync(db, [source], "2026-06-12T06:00:00Z")
        items.save(db, source, entries, now="2026-06-12T06:00:00Z", first=False, old_before=None)
        db.execute(
            """INSERT INTO readings(item, what, url, outcome, text, fetched_at) SELECT id, 'authors', 'https://arxiv.org/html/2606.00003v1',
            'read', 'affiliation: Varnaco Research', '2026-06-12T06:00:00Z' FROM items WHERE key = 'arxiv:2606.00003'"""
        )
    db.close()
    result = run("labs", "--labels", papers_csv(tmp_path))
    found = told(result)
    assert (found["labels"][0]["judged"], found["labels"][0]["with_block"]) == (2, 1)
    assert counts(found["papers"]["by"]["overall"]) == (2, 0, 0, 0)
    assert found["papers"]["by"]["unresolved"]["counted"] == 0
    assert "2 judged, 5 of which there is no text, 1 with a stored author block" in result.stderr


# -- posts ------------------------------------------------------------------------------------------

POSTS = [
    # title, summary, url, about, mention, by
    ("Quillion releases a kit", "It is small.", "https://press.example/1", "quillion", "", ""),
    ("A new kit", "It is small. Varnaco has another one, longer known than this.", "https://press.example/2", "", "varnaco", ""),
    ("Notes on kits", "We wrote a kit.", "https://quill.example/blog/kits", "quillion", "", "quillion"),
    ("Varnaco releases a kit", "It is big.", "https://press.example/3", "", "", "zzz-labs"),
    ("Kits", "Nobody is named here.", "", "quillion-deep", "", ""),
]


def about_csv(folder: Path, columns: str = "title summary url about mention by") -> Path:
    return write_csv(folder / "posts.csv", columns, [row[: len(columns.split())] for row in POSTS])


def test_relations_of_posts_are_counted_as_can_be_counted_by_hand(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("about", "--labels", about_csv(tmp_path), "--rows", "rows.csv")
    found = told(result)
    posts = found["posts"]
    assert {relation: counts(part["overall"]) for relation, part in posts.items()} == {
        "about": (2, 1, 1, 0), "mention": (1, 0, 0, 0), "about or mention": (3, 1, 1, 0), "by": (1, 0, 0, 0),
    }  # fmt: skip
    assert counts(posts["about"]["labs"]["quillion"]) == (2, 0, 1, 0), "the child that was missed is a miss of the parent"
    assert found["unknown_labs"] == {"zzz-labs": 1}
    assert [sorted(error["wrong"]) for error in found["errors"]] == [["about", "about or mention"]] * 2
    assert "about or mention" in result.stderr
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(encoding="utf-8")))
    assert (rows[1]["mention"], rows[1]["mention_said"], rows[1]["about_said"]) == ("varnaco", "varnaco", "")
    assert rows[2]["by_said"] == "quillion"


def test_whose_a_post_is_comes_from_its_address_or_a_source_of_ours(run: Callable[..., Result], tmp_path: Path) -> None:
    rows = [
        ("One", "Text.", "https://elsewhere.example/1", "quillion", "https://quill.example/feed"),
        ("Two", "Text.", "https://elsewhere.example/2", "quillion", "https://unknown.example/feed"),
        ("Three", "Text.", "https://quill.example/3", "", "https://rumours.example/feed"),
    ]
    found = told(run("labs", "--labels", write_csv(tmp_path / "x.csv", "title summary url by source_url", rows)))
    assert counts(found["posts"]["by"]["overall"]) == (1, 1, 1, 0)
    assert set(found["posts"]["by"]["methods"]) == {"source", "host"}
    assert "papers" not in found


def test_a_file_without_by_is_not_judged_on_it(run: Callable[..., Result], tmp_path: Path) -> None:
    found = told(run("about", "--labels", about_csv(tmp_path, "title summary url about mention")))
    assert list(found["posts"]) == ["about", "mention", "about or mention"]
    assert found["unknown_labs"] == {}


# -- signals ----------------------------------------------------------------------------------------

SIGNALS = [
    # title, summary, url, source_url, origin, act, unconfirmed
    ("Quillion reportedly buys Varnaco", "A sale.", "https://press.example/1", "", "press", "report", "1"),
    ("Quillion plans to open a house", "In spring.", "https://press.example/2", "https://rumours.example/feed", "press", "report", "1"),
    ("Introducing Kit 2", "Now available.", "https://quill.example/kit", "https://quill.example/feed", "official", "release", "0"),
    ("Our kit", "Text.", "https://quill.example/own", "", "community", "opinion", "0"),
    ("A thing", "Text.", "https://press.example/4", "", "", "", ""),
]


def signals_csv(folder: Path) -> Path:
    return write_csv(folder / "signals.csv", "title summary url source_url origin act unconfirmed", SIGNALS)


def test_signals_are_counted_as_can_be_counted_by_hand(run: Callable[..., Result], tmp_path: Path) -> None:
    result = run("signals", "--labels", signals_csv(tmp_path), "--rows", "rows.csv")
    found = told(result)["signals"]
    assert (found["origin"]["rows"], found["origin"]["right"], found["origin"]["accuracy"]) == (4, 3, 0.75)
    assert counts(found["origin"]["values"]["official"]) == (1, 1, 0, 0), "the page of a lab is official, whatever people say"
    assert {who: part["rows"] for who, part in found["origin"]["declared"].items()} == {"configuration": 2, "file": 2}
    assert (found["act"]["rows"], found["act"]["interval"]) == (4, proportion(found["act"]["right"], 4)[1])
    assert counts(found["act"]["values"]["release"])[0] == 1
    assert counts(found["unconfirmed"]["any"]) == (2, 0, 0, 0)
    assert counts(found["unconfirmed"]["strict"]) == (1, 0, 1, 0), "a plan is possibly unconfirmed, and no more"
    rows = list(csv.DictReader((tmp_path / "rows.csv").open(encoding="utf-8")))
    assert (rows[1]["unconfirmed"], rows[1]["unconfirmed_said"]) == ("yes", "possibly")
    errors = told(run("signals", "--labels", tmp_path / "signals.csv"))["errors"]
    assert errors[0]["title"] == "Our kit"
    assert errors[0]["wrong"]["origin"] == {"expected": "community", "said": "official", "evidence": ""}
    assert "where the source is of the configuration: 2 rows" in result.stderr


def test_only_the_signals_that_a_file_has_are_judged(run: Callable[..., Result], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", "title summary act", [("Introducing Kit 2", "Now available.", "release")])
    assert list(told(run("signals", "--labels", path))["signals"]) == ["act"]


# -- what does not fit ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["about", "--labels", "papers.csv"], "papers.csv: does not fit `tracker evaluate about`, which needs the columns title, summary"),
        (["signals", "--labels", "papers.csv"], "papers.csv: does not fit `tracker evaluate signals`, which needs"),
        (["labs", "--labels", "bare.csv"], "bare.csv: does not fit `tracker evaluate labs`, which needs the columns id and labs (papers)"),
        (["labs", "--labels", "none.csv"], "none.csv: cannot be read"),
        (
            ["labs", "--labels", "papers.csv"],
            "papers.csv: no paper of it is in the database; name a folder of papers-*.jsonl.gz with --texts",
        ),
        (["labs", "--labels", "papers.csv", "--texts", "void"], "papers.csv: no paper of it is in void"),
        (["labs", "--labels", "papers.csv", "--texts", "torn"], "papers-x.jsonl.gz, line 0: cannot be read"),
        (["about", "--labels", "posts.csv", "--rows", "void/x/y.csv"], "void/x/y.csv cannot be written"),
    ],
)
def test_what_cannot_be_evaluated_is_said_in_one_sentence(
    run: Callable[..., Result], tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    papers_csv(tmp_path)
    about_csv(tmp_path)
    write_csv(tmp_path / "bare.csv", "title summary", [("a", "b")])
    (tmp_path / "void").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "papers-x.jsonl.gz").write_bytes(b"\x1f\x8b not really")
    result = run(*arguments)
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["watch", "--labels", "x"], '"watch" cannot be evaluated; what can: topics, labs, about, signals, stories, watches'),
        (["labs", "--labels", "x", "--model", "m"], "--model does not go with labs; it is for topics"),
        (["about", "--labels", "x", "--cross-validate"], "--cross-validate does not go with about; it is for topics"),
        (["about", "--labels", "x", "--texts", "m"], "--texts does not go with about; it is for topics, labs"),
        (["signals", "--labels", "x", "--read"], "--read does not go with signals; it is for labs"),
        (["topics", "--labels", "x", "--errors", "3"], "--errors does not go with topics; it is for labs, about, signals"),
    ],
)
def test_a_wrong_use_is_told(run: Callable[..., Result], arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


# -- end to end -------------------------------------------------------------------------------------


class Rerouted:
    """The real client; arXiv and Hugging Face are a server on loopback."""

    def __init__(self, fetcher: Fetcher, web: Server) -> None:
        self._fetcher, self._web = fetcher, web

    def get(self, request: Request) -> Response:
        path = "/" + request.url.split("/", 3)[3]
        return self._fetcher.get(replace(request, url=self._web.url(path), trusted_host="127.0.0.1"))


def page(*homes: str) -> bytes:
    """A paper as LaTeXML writes it."""
    notes = "".join(f'<span class="ltx_contact ltx_role_affiliation">{home}</span>' for home in homes)
    creator = f'<span class="ltx_creator ltx_role_author"><span class="ltx_personname">Ann Example</span>{notes}</span>'
    return f'<html><body><article class="ltx_document"><div class="ltx_authors">{creator}</div></article></body></html>'.encode()


def daily(web: Server, day: str, *papers: tuple[str, str, str]) -> None:
    """The list of a day: (id, organisation, repository)."""
    listed = [
        {"paper": {"id": key, "title": "From the list", "organization": {"name": name}, "githubRepo": repository, "authors": []}}
        for key, name, repository in papers
    ]
    web.serves(f"/api/daily_papers?limit=100&date={day}", json.dumps(listed).encode(), {"Content-Type": "application/json"})


@pytest.fixture
def rows(tmp_path: Path) -> Sequence[Row]:
    """The papers, without the text of one."""
    (tmp_path / "feeds.toml").write_text(FEEDS, encoding="utf-8")
    return labelled([papers_csv(tmp_path)], "labs", settings(tmp_path), write_texts(tmp_path, "missed"), bare=True).rows


def settings(folder: Path) -> config.Config:
    return config.load(folder / "feeds.toml")


def test_end_to_end_papers_are_judged_by_what_their_pages_and_the_daily_lists_say(
    rows: Sequence[Row], web: Server, fetcher: Fetcher, tmp_path: Path
) -> None:
    web.serves("/html/2606.00003v1", page("Varnaco Research, Somewhere"))
    web.serves("/html/2606.00006v1", page("A University"))
    web.serves("/html/2606.00007v1", page())
    web.serves("/html/2606.00004v1", b"busy", status=503)
    web.serves("/api/daily_papers", b"[]", {"Content-Type": "application/json"})
    daily(web, "2026-06-09", ("2606.00002", "quillion", ""))
    daily(web, "2026-06-20", ("2606.00006", "", "https://github.com/varnaco/tool"), ("2606.99999", "varnaco", ""))
    daily(web, "2026-06-26", ("2606.00007", "varnaco", ""))
    web.serves("/api/daily_papers?limit=100&date=2026-06-15", b"oops")
    heard: list[str] = []
    read = evidence(rows, Rerouted(fetcher, web), "2026-06-24", heard.append)
    assert {row.item.key[-1]: read.outcomes[row.item.key] for row in rows} == {
        "1": "no page", "2": "no page", "3": "read", "4": "http_503", "5": "no page", "6": "read", "7": "empty",
    }  # fmt: skip
    days = [seen.path[-10:] for seen in web.requests if "daily" in seen.path]
    assert days == sorted(set(days)), "each day once"
    assert (days[0], days[-1]) == ("2026-06-09", "2026-06-24"), "a day before to fourteen after, and none that is to come"
    assert read.days["2026-06-15"] == "not_a_feed"
    told = read.as_dict()
    assert told["daily_lists"] == {"empty": 13, "read": 2, "not_a_feed": 1}
    assert (told["on_a_daily_list"], told["requests"], told["without_day"]) == (2, 7 + 16, 1)
    families = Families(settings(tmp_path).labs)
    verdicts = judge(read.rows, tag.load(settings(tmp_path)), read.outcomes)
    said = {one.row.item.key[-1]: {(found.lab, found.method) for found in one.found if found.relation == "by"} for one in verdicts}
    assert said["2"] == {("quillion", "hf"), ("quillion-deep", "repo")}
    assert said["3"] == {("varnaco", "block")}
    assert said["6"] == {("varnaco", "repo")}, "the repository that the list knows"
    by = report(verdicts, "labs", families)["papers"]["by"]
    assert by["unresolved"]["counted"] == 1, "a page that names no home says nothing, a page of another home does"
    assert by["no_lab"]["counted"] == 2
    assert {outcome: (part["rows"], part["right"]) for outcome, part in by["outcomes"].items()} == {
        "empty": (1, 0), "http_503": (1, 0), "no page": (3, 3), "read": (2, 1),
    }  # fmt: skip


def test_a_paper_without_a_text_has_that_of_the_daily_list(rows: Sequence[Row], web: Server, fetcher: Fetcher) -> None:
    daily(web, "2026-06-10", ("2606.00003", "", ""), ("2606.00001", "", ""))
    read = evidence(rows, Rerouted(fetcher, web), "2026-06-10", lambda line: None)
    titles = {row.item.key: row.item.title for row in read.rows}
    assert titles["arxiv:2606.00003"] == "From the list"
    assert titles["arxiv:2606.00001"] == "=A study, right"


@pytest.mark.parametrize(
    ("host", "asked"), [("/html/", 2), ("/api/", 2)], ids=["arXiv that says twice we are too fast", "Hugging Face that says it twice"]
)
def test_a_host_that_wants_peace_has_it_and_the_rest_is_not_asked(
    rows: Sequence[Row], web: Server, fetcher: Fetcher, host: str, asked: int
) -> None:
    for day in range(9, 25):
        web.serves(f"/api/daily_papers?limit=100&date=2026-06-{day:02}", b"slow down", status=429 if host == "/api/" else 404)
    for row in rows:
        web.serves(f"/html/{row.item.key.removeprefix('arxiv:')}v1", b"slow down", status=429 if host == "/html/" else 404)
    read = evidence(rows, Rerouted(fetcher, web), "2026-06-24", lambda line: None)
    assert len([seen for seen in web.requests if seen.path.startswith(host)]) == asked
    outcomes = list((read.outcomes if host == "/html/" else read.days).values())
    assert outcomes == ["rate_limited"] * asked + ["not asked"] * (len(outcomes) - asked)
    assert len(read.rows) == len(rows)


def test_what_reading_is_going_to_take_is_the_pause_of_arxiv_a_paper(rows: Sequence[Row]) -> None:
    many = [replace(rows[0], item=replace(rows[0].item, key=f"arxiv:2606.{n:05}")) for n in range(600)]
    assert 35 <= minutes(many, "2026-06-24") <= 45
    assert minutes(rows[:1], "2026-06-24") == 1


def test_counts_of_reading_are_told_to_people(rows: Sequence[Row], tmp_path: Path) -> None:
    read = Evidence(tuple(rows), {"arxiv:1": "read", "arxiv:2": "no page"}, {"2026-06-10": "timeout"}, 1)
    verdicts = judge(read.rows, tag.load(settings(tmp_path)), read.outcomes)
    facts = {"mode": "end to end", "labels": [], "read": {**read.as_dict(), "seconds": 9}}
    text = "\n".join(lines(facts | report(verdicts, "labs", Families(settings(tmp_path).labs))))
    assert "Author blocks: 1 read, 1 no page" in text
    assert "Daily lists of Hugging Face: 1 timeout" in text
    assert "3 answers asked for in 9 s" in text


def test_labels_of_the_user_cannot_steer_a_terminal(run: Callable[..., Result], tmp_path: Path) -> None:
    path = write_csv(tmp_path / "x.csv", "id labs tier", [("2606.00001", "\x1b[2Jzzz", "\x1b[31mA")])
    result = run("labs", "--labels", path, "--texts", write_texts(tmp_path))
    assert result.exit_code == 0
    assert "\x1b" not in result.stderr


def test_the_database_is_only_read(run: Callable[..., Result], tmp_path: Path) -> None:
    store.open(tmp_path / "data" / "tracker.db", write=True).close()
    before = sqlite3.connect(tmp_path / "data" / "tracker.db").execute("SELECT count(*) FROM labs").fetchone()
    told(run("labs", "--labels", about_csv(tmp_path)))
    assert sqlite3.connect(tmp_path / "data" / "tracker.db").execute("SELECT count(*) FROM labs").fetchone() == before
