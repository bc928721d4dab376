"""How good attributions and signals are on labelled rows: of exactly what the product would say of them.

in   ``Row``s (``evaluate_items``) and what tags: ``tag.load(config)``
out  ``Verdict``s; ``report``: counts and figures with intervals, per lab and relation; errors with their evidence; a CSV of the rows
refuses to know the network, the database, and what is done with the figures.

A lab is as well its parents, on both sides: figures of google count google-deepmind. "overall" compares families, each lab by its
topmost parent; "strict" compares the labs as they stand. Intervals are 95 %, Wilson's: at 0 and at 100 % they say how little is known,
where resampled rows would all be alike. F1 is a function of the share of what either side says that both say, and has its interval.
Surprising: where a row's labels are not complete, a further lab is neither right nor false but "unjudged"; precision is without it.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracker.evaluate_items import SIGNS, Row
from tracker.store.readings import READ
from tracker.tag import Taggers, signals_of
from tracker.taggers.affiliations import ancestors
from tracker.text import csv_cell
from tracker.types import Attribution, Lab

__all__ = ["NAMED", "Families", "Verdict", "judge", "proportion", "relations_of", "report", "rows_csv"]

NAMED = "about or mention"
GROUNDS = ("A", "B")  # tiers whose labels are to be trusted: figures of both together are told as well
Z = 1.959964  # of 95 %


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row, and what the product says of it; ``outcome`` of reading its author block, "" where it was not read."""

    row: Row
    found: tuple[Attribution, ...]
    signs: Mapping[str, str]
    cues: Mapping[str, str]
    outcome: str = ""

    def said(self, relation: str) -> frozenset[str]:
        """The labs that the product names."""
        return frozenset(one.lab for one in self.found if one.relation in _parts(relation))

    def expected(self, relation: str, known: Iterable[str]) -> frozenset[str]:
        """The labs that people name, of those that are known."""
        return frozenset().union(*(self.row.labs.get(one, ()) for one in _parts(relation))) & frozenset(known)


def _parts(relation: str) -> tuple[str, ...]:
    return ("about", "mention") if relation == NAMED else (relation,)


class Families:
    """Who belongs to whom: the labs of a configuration and their parents, whenever they became so, as in the product's views."""

    def __init__(self, labs: Iterable[Lab]) -> None:
        self._above = ancestors(labs)

    @property
    def known(self) -> frozenset[str]:
        """Every lab of the configuration."""
        return frozenset(self._above)

    def above(self, labs: Iterable[str]) -> frozenset[str]:
        """The labs and all their parents."""
        return frozenset(one for lab in labs for one in (lab, *self._above.get(lab, ())))

    def tops(self, labs: Iterable[str]) -> frozenset[str]:
        """The topmost parent of each lab."""
        return frozenset(lab for lab in self.above(labs) if not self._above.get(lab))


def judge(rows: Sequence[Row], taggers: Taggers, outcomes: Mapping[str, str]) -> list[Verdict]:
    """Return what the product says of rows.

    Args:
        outcomes: what came of reading each paper's author block, by key.
    """
    verdicts = []
    for row, found in zip(rows, taggers.labs.tag([row.item for row in rows]), strict=True):
        signs = signals_of(row.item, taggers)
        said = {"origin": signs.origin, "act": signs.act or "", "unconfirmed": signs.unconfirmed or "no"}
        cues = {"act": signs.act_cue or "", "unconfirmed": signs.cue or ""}
        verdicts.append(Verdict(row, tuple(found), said, cues, outcomes.get(row.item.key, "")))
    return verdicts


# -- figures ----------------------------------------------------------------------------------------


def proportion(part: int, whole: int) -> tuple[float | None, list[float]]:
    """Return a share and its 95 % interval by Wilson (1927), which holds for few rows and for shares near 0 and 1.

    >>> proportion(9, 10), proportion(0, 0)
    ((0.9, [0.5958, 0.9821]), (None, []))
    """
    if not whole:
        return None, []
    share, weight = part / whole, Z * Z / whole
    middle, half = share + weight / 2, Z * math.sqrt(share * (1 - share) / whole + weight / whole / 4)
    return round(share, 4), [round(max((middle - half) / (1 + weight), 0.0), 4), round(min((middle + half) / (1 + weight), 1.0), 4)]


def _figures(counts: Mapping[str, int]) -> dict[str, Any]:
    right, false, missed = (counts.get(name, 0) for name in ("right", "false", "missed"))
    found: dict[str, Any] = {name: counts.get(name, 0) for name in ("right", "false", "missed", "unjudged")}
    found["expected"], found["said"] = right + missed, right + false + found["unjudged"]
    for name, whole in (("precision", right + false), ("recall", right + missed)):
        found[name], found[f"{name}_interval"] = proportion(right, whole)
    # F1 = 2 J / (1 + J), where J is the share of what is expected or said that is both: a proportion, and F1 grows with it.
    both, interval = proportion(right, right + false + missed)
    found["f1"] = None if both is None else round(2 * right / (2 * right + false + missed), 4)
    found["f1_interval"] = [round(2 * value / (1 + value), 4) for value in interval]
    return found


def _compared(expected: frozenset[str], said: frozenset[str], *, complete: bool) -> Counter[str]:
    further = len(said - expected)
    return Counter(
        right=len(said & expected), missed=len(expected - said), false=further if complete else 0, unjudged=0 if complete else further
    )


def _summed(verdicts: Iterable[Verdict], relation: str, known: frozenset[str], seen: Callable[[frozenset[str]], frozenset[str]]) -> Any:
    """Figures over all rows; ``seen`` says as what a set of labs counts."""
    counts: Counter[str] = Counter()
    for one in verdicts:
        counts += _compared(seen(one.expected(relation, known)), seen(one.said(relation)), complete=one.row.complete)
    return _figures(counts)


def _relation(verdicts: Sequence[Verdict], relation: str, families: Families) -> dict[str, Any]:
    """Return the figures of one relation: by families, strict, by lab, by method."""
    known = families.known
    labs: defaultdict[str, Counter[str]] = defaultdict(Counter)
    methods: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in verdicts:
        expected, said = families.above(one.expected(relation, known)), families.above(one.said(relation))
        for lab in expected | said:
            labs[lab] += _compared(expected & {lab}, said & {lab}, complete=one.row.complete)
        for found in {(found.method, found.lab) for found in one.found if found.relation == relation}:
            right = bool(families.tops([found[1]]) & families.tops(one.expected(relation, known)))
            methods[found[0]]["right" if right else "false" if one.row.complete else "unjudged"] += 1
    by_size = sorted(labs, key=lambda lab: (-labs[lab]["right"] - labs[lab]["missed"], lab))
    told = {
        "overall": _summed(verdicts, relation, known, families.tops),
        "strict": _summed(verdicts, relation, known, lambda labs: labs),
        "labs": {lab: _figures(labs[lab]) for lab in by_size},
    }
    return told | ({"methods": {method: _method(counts) for method, counts in sorted(methods.items())}} if methods else {})


def _method(counts: Counter[str]) -> dict[str, Any]:
    share, interval = proportion(counts["right"], counts["right"] + counts["false"])
    return {name: counts[name] for name in ("right", "false", "unjudged")} | {"precision": share, "precision_interval": interval}


def _papers(verdicts: Sequence[Verdict], families: Families) -> dict[str, Any]:
    tiers = _grouped(verdicts, lambda one: one.row.tier or "none")
    outcomes = _grouped(verdicts, lambda one: one.outcome)
    if len(both := [tiers[tier] for tier in GROUNDS if tier in tiers]) == len(GROUNDS):
        tiers["+".join(GROUNDS)] = [one for part in both for one in part]
    without = [one for one in verdicts if one.row.complete and not one.row.labs["by"]]
    return {
        **_relation(verdicts, "by", families),
        "tiers": {tier: _rows(part, families) for tier, part in tiers.items()},
        "outcomes": {outcome: _rows(part, families) for outcome, part in outcomes.items() if outcome},
        "no_lab": _part([one for one in without if one.said("by")], without),
        "unresolved": _part([one for one in verdicts if _is_unresolved(one)], verdicts),
    }


def _grouped(verdicts: Iterable[Verdict], key: Callable[[Verdict], str]) -> dict[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = {}
    for one in sorted(verdicts, key=key):
        groups.setdefault(key(one), []).append(one)
    return groups


def _rows(verdicts: Sequence[Verdict], families: Families) -> dict[str, Any]:
    return {"rows": len(verdicts), **_summed(verdicts, "by", families.known, families.tops)}


def _is_unresolved(verdict: Verdict) -> bool:
    """Whether nothing says whose a paper is: there is neither an author block nor a lab known otherwise (``store.authors.figures``)."""
    read = verdict.outcome == READ if verdict.outcome else bool(verdict.row.item.block)
    return not read and not verdict.said("by")


def _part(some: Sequence[Verdict], of: Sequence[Verdict]) -> dict[str, Any]:
    share, interval = proportion(len(some), len(of))
    return {"papers": len(of), "counted": len(some), "share": share, "interval": interval}


def _sign(verdicts: Sequence[Verdict], name: str) -> dict[str, Any] | None:
    """Return the figures of origin or act: how many are right, and each value; None where no row says."""
    rows = [(one.row.signs[name], one.signs[name], one.row.declared) for one in verdicts if one.row.signs.get(name)]
    if not rows:
        return None
    told = _share(rows)
    for value in sorted({value for row in rows for value in row[:2] if value}):
        counts = Counter(_outcome(expected == value, said == value) for expected, said, _ in rows)
        told.setdefault("values", {})[value] = _figures(counts)
    if name == "origin":
        told["declared"] = {who: _share([row for row in rows if row[2] == who]) for who in sorted({row[2] for row in rows})}
    return told


def _share(rows: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    right = sum(row[0] == row[1] for row in rows)
    share, interval = proportion(right, len(rows))
    return {"rows": len(rows), "right": right, "accuracy": share, "interval": interval}


def _outcome(expected: bool, said: bool) -> str:
    return "right" if expected and said else "false" if said else "missed" if expected else ""


def _unconfirmed(verdicts: Sequence[Verdict]) -> dict[str, Any] | None:
    """Return the figures of the mark at any level, and of the strict one alone; None where no row says."""
    rows = [(one.row.signs["unconfirmed"] == "yes", one.signs["unconfirmed"]) for one in verdicts if "unconfirmed" in one.row.signs]
    levels = {"any": ("yes", "possibly"), "strict": ("yes",)}
    told = {level: _figures(Counter(_outcome(expected, said in marks) for expected, said in rows)) for level, marks in levels.items()}
    return {"rows": len(rows), **told} if rows else None


# -- the report -------------------------------------------------------------------------------------


def relations_of(subject: str, rows: Iterable[Row]) -> list[str]:
    """Return the relations that are judged on a subject, of those that the rows ask for."""
    asked = {relation for row in rows for relation in row.labs}
    wanted = {"labs": ("by",), "about": ("about", "mention", NAMED, "by"), "signals": ()}[subject]
    return [relation for relation in wanted if relation in asked or relation == NAMED]


def report(verdicts: Sequence[Verdict], subject: str, families: Families, errors: int = 50) -> dict[str, Any]:
    """Return all figures on a subject, and the first errors."""
    papers = [one for one in verdicts if one.row.kind == "paper"]
    posts = [one for one in verdicts if one.row.kind == "post"]
    relations = relations_of(subject, [one.row for one in verdicts])
    strange = Counter(lab for one in verdicts for name in one.row.labs if name in relations for lab in one.row.labs[name] - families.known)
    found: dict[str, Any] = {"rows": {"paper": len(papers), "post": len(posts)}, "unknown_labs": dict(sorted(strange.items()))}
    if papers:
        found["papers"] = {"by": _papers(papers, families)}
    if posts and relations:
        found["posts"] = {
            relation: _relation([one for one in posts if relation == NAMED or relation in one.row.labs], relation, families)
            for relation in relations
        }
    if subject == "signals":
        signs = {"origin": _sign(posts, "origin"), "act": _sign(posts, "act"), "unconfirmed": _unconfirmed(posts)}
        found["signals"] = {name: figures for name, figures in signs.items() if figures}
    wrong = [told for one in verdicts if (told := _error(one, relations, subject, families))]
    return {**found, "errors_in_all": len(wrong), "errors": wrong[:errors]}


def _error(one: Verdict, relations: Sequence[str], subject: str, families: Families) -> dict[str, Any] | None:
    """Return a row where people and the product differ, with what the product goes by; None where they do not."""
    wrong: dict[str, Any] = {name: told for name in relations if (told := _wrong_labs(one, name, families))}
    if subject == "signals":
        wrong |= {name: told for name in SIGNS if (told := _wrong_sign(one, name))}
    facts = {"id": one.row.id, "title": one.row.item.title, "url": one.row.item.url}
    return facts | ({"block": one.outcome} if one.outcome else {}) | {"wrong": wrong} if wrong else None


def _wrong_labs(one: Verdict, relation: str, families: Families) -> dict[str, Any] | None:
    expected, said = one.expected(relation, families.known), one.said(relation)
    counts = _compared(families.tops(expected), families.tops(said), complete=one.row.complete)
    if not (counts["false"] or counts["missed"]) or (relation != NAMED and relation not in one.row.labs):
        return None
    ground = [
        {"lab": found.lab, "relation": found.relation, "method": found.method, "place": found.place, "evidence": found.evidence}
        for found in one.found
        if found.relation in _parts(relation)
    ]
    return {"expected": sorted(expected), "said": sorted(said), "evidence": ground}


def _wrong_sign(one: Verdict, name: str) -> dict[str, str] | None:
    expected, said = one.row.signs.get(name, ""), one.signs[name]
    same = expected == said or (name == "unconfirmed" and expected != "no" and said != "no")  # either level is a yes
    return None if same or not expected else {"expected": expected, "said": said, "evidence": one.cues.get(name, "")}


# -- rows -------------------------------------------------------------------------------------------


def rows_csv(verdicts: Sequence[Verdict], subject: str) -> str:
    """Return a CSV with a row for each judged thing: what people say beside what the product says, and what it goes by.

    Texts come from the web: what a spreadsheet would run as a formula has an apostrophe before it.
    """
    relations = [relation for relation in relations_of(subject, [one.row for one in verdicts]) if relation != NAMED]
    signs = SIGNS if subject == "signals" else ()
    out = csv.writer(text := io.StringIO(), lineterminator="\n")
    pairs = [f"{name}{side}" for name in (*relations, *signs) for side in ("", "_said")]
    out.writerow(["id", "key", "day", "title", "complete", "tier", "block", *pairs, "evidence"])
    for one in verdicts:
        row = one.row
        cells = [row.id, row.item.key, row.day, row.item.title, str(int(row.complete)), row.tier, one.outcome]
        for relation in relations:
            cells += [";".join(sorted(row.labs.get(relation, ()))), ";".join(sorted(one.said(relation)))]
        for name in signs:
            cells += [row.signs.get(name, ""), one.signs[name]]
        out.writerow(map(csv_cell, [*cells, " | ".join(_ground(one, relations, signs))]))
    return text.getvalue()


def _ground(one: Verdict, relations: Sequence[str], signs: Sequence[str]) -> Iterator[str]:
    for found in one.found:
        if found.relation in relations:
            yield f"{found.relation} {found.lab} ({found.method}): {found.evidence}"
    for name in signs:
        if one.cues.get(name):
            yield f"{name}: {one.cues[name]}"
