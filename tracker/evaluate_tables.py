"""A report on labs, about or signals as tables for people.

in   what ``evaluate_labs.report`` returned, with what was told of files and reading
out  lines of text
What comes from label files is made printable, so that a hostile cell cannot steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tracker.text import one_line

__all__ = ["lines"]

SHOWN = 5  # expected, for a lab to have a line of its own; a false tag always has one
_HEAD = f"  {'':24} {'n':>5} {'said':>5}   {'precision':>24}   {'recall':>24}   {'F1':>5}"


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report, a table for each relation and signal."""
    yield from _files(told)
    if papers := told.get("papers"):
        yield f"Papers ({told['rows']['paper']}), {told['mode']}: by"
        yield from _relation(papers["by"])
        yield from (_row(f"tier {one_line(tier, 16)} ({part['rows']})", part) for tier, part in papers["by"]["tiers"].items())
        yield from (_row(f"block: {outcome} ({part['rows']})"[:24], part) for outcome, part in papers["by"]["outcomes"].items())
        yield f"  Of papers by no lab, tagged falsely: {_part(papers['by']['no_lab'])}"
        yield f"  Unresolved, with neither an author block nor a lab known otherwise: {_part(papers['by']['unresolved'])}"
    for relation, figures in told.get("posts", {}).items():
        yield f"Posts ({told['rows']['post']}): {relation}"
        yield from _relation(figures)
    for name, figures in told.get("signals", {}).items():
        yield from _sign(name, figures)
    if told["unknown_labs"]:
        labs = ", ".join(f"{one_line(lab, 40)} ({n})" for lab, n in told["unknown_labs"].items())
        yield f"Not judged, for the registry does not know them: {labs}"
    if told["errors_in_all"]:
        yield f"{told['errors_in_all']} rows differ; the first {len(told['errors'])} are in the JSON, all of them in the file of --rows."


def _files(told: Mapping[str, Any]) -> Iterator[str]:
    for file in told["labels"]:
        without = f", {file['without_text']} of which there is no text" if file["without_text"] else ""
        kept = f", {file['with_block']} with a stored author block" if file["kind"] == "paper" else ""
        yield f"{one_line(file['file'], 80)}: {file['rows']} rows, {file['judged']} judged{without}{kept}"
    if read := told.get("read"):
        for what, name in (("blocks", "Author blocks"), ("daily_lists", "Daily lists of Hugging Face")):
            yield f"{name}: " + (", ".join(f"{n} {outcome}" for outcome, n in read[what].items()) or "none asked")
        yield f"{read['on_a_daily_list']} papers stand on a daily list; {read['requests']} answers asked for in {read['seconds']} s"


def _relation(figures: Mapping[str, Any]) -> Iterator[str]:
    yield _HEAD
    yield _row("all, by family", figures["overall"])
    yield _row("all, strict", figures["strict"])
    shown = [lab for lab, part in figures["labs"].items() if part["expected"] >= SHOWN or part["false"]]
    yield from (_row(lab, figures["labs"][lab]) for lab in shown)
    if more := len(figures["labs"]) - len(shown):
        yield f"  {more} labs with fewer than {SHOWN} and none false: in the JSON"
    for method, part in figures.get("methods", {}).items():
        yield f"  method {method:17} {part['right']:5} right, {part['false']} false, {part['unjudged']} unjudged"


def _row(name: str, part: Mapping[str, Any]) -> str:
    more = f"   {part['unjudged']} unjudged" if part["unjudged"] else ""
    pair = f"{_with(part, 'precision'):>24}   {_with(part, 'recall'):>24}"
    return f"  {name:24} {part['expected']:5} {part['said']:5}   {pair}   {_cell(part['f1']):>5}{more}"


def _sign(name: str, figures: Mapping[str, Any]) -> Iterator[str]:
    share = f": {_with(figures, 'accuracy', 'interval')}" if "accuracy" in figures else ""
    yield f"{name} ({figures['rows']} posts){share}"
    yield _HEAD
    for value, part in (figures.get("values") or {level: figures[level] for level in ("any", "strict")}).items():
        yield _row(one_line(value, 24), part)
    for who, part in figures.get("declared", {}).items():
        yield f"  where {_WHO[who]}: {part['rows']} rows, {_with(part, 'accuracy', 'interval')}"


_WHO = {
    "configuration": "the source is of the configuration",
    "file": "the file stands in for the source",
    "nobody": "nobody says, so press is assumed",
}


def _part(part: Mapping[str, Any]) -> str:
    return f"{part['counted']} of {part['papers']}, {_with(part, 'share', 'interval')}"


def _with(part: Mapping[str, Any], name: str, interval: str = "") -> str:
    between = part[interval or f"{name}_interval"]
    return _cell(part[name]) + (f" ({between[0]:.3f} – {between[1]:.3f})" if between else "")


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
