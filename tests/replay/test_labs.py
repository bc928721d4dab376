"""Labs and signals on real labelled posts and papers: `evaluate` finds them as good as they are, and its --read reads what a run would."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.replay.conftest import SHARED
from tracker.cli import cli

FEEDS = Path(__file__).resolve().parents[2] / "feeds.toml"
LABELS = SHARED / "labels"

# The least that is found, somewhat below what was measured on 2026-11-25: (precision, recall) by family of labs.
POSTS = {
    ("about_train.csv", "about"): (0.95, 0.94),
    ("about_train.csv", "about or mention"): (0.97, 0.95),
    ("about_train.csv", "by"): (0.98, 0.90),
    ("news_train.csv", "about"): (0.95, 0.95),
    ("news_train.csv", "about or mention"): (0.95, 0.95),
    ("news_train.csv", "by"): (0.95, 0.97),
}
LARGE = {"openai": 0.95, "anthropic": 0.95, "google": 0.95, "meta": 0.95, "microsoft": 0.95}  # precision of about or mention, on both files
ORIGIN, ACT = 0.98, 0.84  # accuracy
UNCONFIRMED = (0.82, 0.90)
METADATA = (0.98, 0.19)  # by, of papers, from metadata alone
NO_LAB = 0.01  # of papers by no lab, at most tagged
READ = (0.98, 0.92)  # by, of papers whose author block was read


@cache
def evaluated(subject: str, *arguments: str) -> dict[str, Any]:
    """The report of `tracker evaluate`."""
    files = [str(LABELS / argument) if argument.endswith(".csv") else argument for argument in arguments]
    result = CliRunner().invoke(cli, ["evaluate", subject, "--config", str(FEEDS), "--db", "none.db", *files])
    assert result.exit_code == 0, result.stderr
    return dict(json.loads(result.stdout))


def at_least(figures: dict[str, Any], floor: tuple[float, float]) -> bool:
    print(figures["precision"], figures["recall"], floor)
    return bool(figures["precision"] >= floor[0] and figures["recall"] >= floor[1])


@pytest.mark.parametrize(("file", "relation"), POSTS, ids=[" ".join(key) for key in POSTS])
def test_posts_are_about_and_by_whom_people_say(file: str, relation: str) -> None:
    assert at_least(evaluated("about", "--labels", file)["posts"][relation]["overall"], POSTS[file, relation])


@pytest.mark.parametrize("lab", LARGE)
def test_the_large_labs_are_named_where_they_are_named(lab: str) -> None:
    found = evaluated("about", "--labels", "about_train.csv", "--labels", "news_train.csv")["posts"]["about or mention"]["labs"][lab]
    assert at_least(found, (LARGE[lab], 0.90))


def test_signals_are_what_people_say() -> None:
    found = evaluated("signals", "--labels", "news_train.csv")["signals"]
    assert found["origin"]["accuracy"] >= ORIGIN
    assert found["act"]["accuracy"] >= ACT
    assert at_least(found["unconfirmed"]["any"], UNCONFIRMED)


def test_metadata_alone_finds_few_papers_and_none_wrongly() -> None:
    found = evaluated("labs", "--labels", "labs_train.csv", "--texts", str(SHARED / "corpus"))["papers"]["by"]
    assert at_least(found["overall"], METADATA)
    assert found["no_lab"]["share"] <= NO_LAB
    assert found["no_lab"]["papers"] > 100


def test_end_to_end_the_papers_of_a_month_are_read_and_resolved(replayed_web: Callable[..., Any], tmp_path: Path) -> None:
    web = replayed_web(at="2026-07-31", arxiv_rate="off")
    papers = write(tmp_path / "june.csv", [row for row in rows(LABELS / "labs_train.csv") if row["id"].startswith("2606.")])
    (tmp_path / "feeds.toml").write_bytes(FEEDS.read_bytes())
    command = [sys.executable, "-m", "tracker", "evaluate", "labs", "--labels", str(papers), "--texts", str(SHARED / "corpus"), "--read"]
    environment = os.environ | web.env | {"TRACKER_ARXIV_DELAY_S": "0.05"}  # many papers: shortened behind a proxy on loopback only
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "papers, politely: about" in done.stderr
    found = json.loads(done.stdout)
    by, read = found["papers"]["by"], found["read"]
    print(read, by["overall"], by["outcomes"])
    assert sum(read["blocks"].values()) == found["rows"]["paper"] > 20
    assert read["blocks"]["read"] > 10
    assert read["on_a_daily_list"] > 5
    assert at_least(by["outcomes"]["read"], READ)
    asked = [request["url"] for request in web.requests() if "/html/" in request["url"] or "daily_papers" in request["url"]]
    assert len(asked) == len(set(asked)), "each page and each day once"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, found: Sequence[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(found[0]))
        out.writeheader()
        out.writerows(found)
    return path
