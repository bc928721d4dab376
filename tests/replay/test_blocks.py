"""Author blocks of every shape that LaTeXML is known to write, and lines that name labs or only seem to: all of them."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

from tests.replay.conftest import SHARED
from tracker.config import load
from tracker.pollers import authors
from tracker.taggers.affiliations import ancestors
from tracker.taggers.labs import LabTagger
from tracker.types import Item, Source

FEEDS = Path(__file__).resolve().parents[2] / "feeds.toml"
URL = "https://arxiv.org/html/2606.01234v1"


@cache
def tagger() -> LabTagger:
    return LabTagger(load(FEEDS).labs)


def test_every_shape_of_an_author_block_is_read() -> None:
    lines = (SHARED / "fixtures" / "ltx_frontmatter_shapes.jsonl").read_text(encoding="utf-8").splitlines()
    shapes = [json.loads(line) for line in lines]
    assert len(shapes) == 14
    assert {shape["shape"]: labs_of(shape["html"]) for shape in shapes} == {shape["shape"]: shape["labs"] for shape in shapes}


def labs_of(html: str) -> list[str] | None:
    """The labs that the paper is by; None where its block tells of nobody's home."""
    found = authors.read(html.encode(), Source("authors", "authors", "authors", URL), URL, "utf-8")
    block = found.entries[0].text if found.entries else ""
    paper = Item(1, "arxiv:2606.01234", "arxiv", URL, "A paper", origin="paper", block=block)
    by = sorted({one.lab for one in tagger().tag([paper])[0] if one.relation == "by"})
    return by if by or not found.problem else None


def test_no_trap_catches_the_tagger() -> None:
    with (SHARED / "labels" / "lab_traps.csv").open(encoding="utf-8", newline="") as file:
        traps = [(row["text"], {lab for lab in row["labs"].split(";") if lab}) for row in csv.DictReader(file)]
    assert len(traps) == 70
    fallen = {text: named for text, wanted in traps if not counts_as(named := named_in(text), wanted)}
    assert fallen == {}


def named_in(text: str) -> set[str]:
    post = Item(1, "url:https://news.example/a", "news", "https://news.example/a", text, origin="press")
    return {one.lab for one in tagger().tag([post])[0]}


def counts_as(named: set[str], wanted: set[str]) -> bool:
    """Whether exactly these labs are named, where a lab counts for those above it too."""
    above = ancestors(load(FEEDS).labs)
    return wanted <= named.union(*(above[lab] for lab in named)) and all({lab, *above[lab]} & wanted for lab in named)
