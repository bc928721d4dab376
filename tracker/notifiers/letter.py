"""Letter: what a digest looks like. A ``Sheet`` in, its plain text and its HTML out.

in   sections as values: words are chosen, texts are one line each, addresses are http(s) or None
out  a text part, wrapped at 74 columns with every address whole; an HTML part of one column that needs no image, script or stylesheet
refuses to know the database, the network and the clock: one sheet is always the same two texts (``digest.txt``, ``digest.html``).
"""

from __future__ import annotations

import functools
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["Block", "Chip", "Denied", "Group", "Link", "Move", "Question", "Sheet", "html", "text"]

COLUMNS = 74  # of the text part: with two levels of "> " it still fits a terminal


@dataclass(frozen=True, slots=True)
class Chip:
    """A mark with a fixed meaning. ``kind``: topic, maybe, by, about, rung, origin, unconfirmed; never told apart by colour alone."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A way to an item of a story: who shows it, where."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Denied:
    """What is said of an unconfirmed story later: in whose words, where."""

    text: str
    url: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """A story. ``change`` says how its rungs have grown since it was last told, ``hidden`` how many links are left out."""

    title: str
    url: str | None
    source: str
    when: str
    chips: tuple[Chip, ...] = ()
    denied: Denied | None = None
    why: str = ""
    change: str = ""
    links: tuple[Link, ...] = ()
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """A rung of a question that is new, and the proof. ``who``: the lab, "" where the question is of one answer."""

    who: str
    old: str
    new: str
    meaning: str  # answers the question, or a sign on the way
    reason: str
    proof: Block


@dataclass(frozen=True, slots=True)
class Question:
    """A watch that moved."""

    question: str
    state: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The stories of one topic."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A digest, ready to be written. A ``quiet`` one has nothing but ``summary``, ``proof`` and ``end``."""

    subject: str
    title: str
    day: str
    summary: str
    proof: str  # of completeness: who answered, who did not
    end: str  # how to change or stop this mail
    questions: tuple[Question, ...] = ()
    groups: tuple[Group, ...] = ()
    also: tuple[Block, ...] = ()
    maybe: tuple[Block, ...] = ()
    more: str = ""
    more_url: str | None = None
    foot: tuple[str, ...] = field(default_factory=tuple)
    page_url: str | None = None
    quiet: bool = False


def text(sheet: Sheet) -> str:
    """Return the plain part: complete, with every address on a line of its own."""
    rendered = _templates().get_template("digest.txt").render(sheet=sheet)
    lines = [line.rstrip() for line in rendered.splitlines()]
    kept = [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]  # one empty line at most
    return "\n".join(kept).strip() + "\n"


def html(sheet: Sheet) -> str:
    """Return the HTML part. Every value is escaped by the template."""
    return _templates().get_template("digest.html").render(sheet=sheet).strip() + "\n"


def wrapped(value: str, first: str = "", rest: str | None = None) -> str:
    """Return text broken at spaces only, the first line after ``first``, the others after ``rest`` (as wide, when not given)."""
    indent = " " * len(first) if rest is None else rest
    return textwrap.fill(value, COLUMNS, initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


@functools.cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(["html"], default=False),  # all of HTML, nothing of the text part
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["wrapped"] = wrapped
    return environment
