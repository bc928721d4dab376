"""Find labs in what papers say of their authors: affiliations, footnotes, e-mail domains.

in   lines as ``pollers.authors`` keeps them (or metadata has them), the authors' names, the registry's ``affiliations`` and ``emails``
out  labs, each with the line that names it
knows no running text: "Meta" in a line of affiliations is the company, in a sentence it is a prefix. So the rules here are few:
whole words, case counts but for words in capitals; a name that is ``weak`` in the registry (Meta, Apple: words of the language) stands
alone or before a word of companies;
a person who is called like a lab ("Huawei Shen") is none; what a sentence says of money is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracker.types import Lab

__all__ = ["SURNAMES", "Affiliations", "Found", "ancestors", "suffixes"]

# Huawei Shen, Zhipu Cui: given names are lab names too; the commonest surnames tell a person from a company.
SURNAMES = (
    "Bai|Cai|Cao|Chen|Cheng|Cui|Deng|Ding|Dong|Du|Fan|Fang|Feng|Fu|Gao|Guo|Han|He|Hu|"
    "Huang|Jiang|Li|Liang|Lin|Liu|Lu|Luo|Ma|Pan|Peng|Shen|Shi|Song|Su|Sun|Tan|Tang|"
    "Tian|Wang|Wei|Wu|Xiao|Xie|Xu|Yan|Yang|Yao|Ye|Yu|Yuan|Zeng|Zhang|Zhao|Zheng|Zhou|"
    "Zhu"
)
# Of whom money comes says nothing on who wrote; "work done at" does. (A fellow is a person, a fellowship is money.)
_MONEY = re.compile(
    r"(?i)\b(?:supported|funded|sponsored|funding|grants?|awards?|gifts?|fellowships?|scholarships?|donat\w+|acknowledg\w+|thanks?|"
    r"thankful|grateful|credits?|GPUs?|provided (?:by|through)|comput(?:e|ing) (?:resources?|time|support))\b(?! to: )"
)
_CLAUSES = re.compile(r"[,;]\s+")
_WORK = re.compile(r"(?i)\b(?:work|internship|interning)\b")  # "Work done at X; supported by Y"
_ELSEWHERE = re.compile(
    r"(?i)\b(?:formerly|previously|now (?:at|with)|(?:are|is|was|were) run on|ran on|"
    r"evaluat(?:e|es|ed|ing)|experiments?|using|models?|trained)\b"
)
_SENTENCES = re.compile(r"(?<=[.;!?])\s+(?=[^a-z])")
_EMAIL = re.compile(r"@(?P<domain>[A-Za-z0-9-]{1,63}+(?:\.[A-Za-z0-9-]{1,63}){1,8}+)(?!\.?[A-Za-z0-9-])")
_LABELS = ("affiliation: ", "email: ", "note: ", "name: ")
# What may follow a name that is also a word: the end of the affiliation, or a word of companies.
_COMPANY = (
    r"AI|Inc|Corp|Corporation|Co|Ltd|LLC|GmbH|PBC|Labs?|Research|Platforms|Technologies|Superintelligence|Reality|Team|Group|Cloud|"
    r"Facebook|Science|Web|Core"
)
_PERSON = re.compile(rf" (?:{SURNAMES})(?![\w-])")
_ALONE = re.compile(rf"\s*(?:$|[,;()\[\]|/&.\d*†‡§¶\n{{}}]|and\b|(?:{_COMPANY})\b)")
_BEFORE = re.compile(r"(?:^|[,;:()\[\]|/&.\d*†‡§¶\n{}]|\b(?:and|at|with|by|from))\s*$")
# "Institute for Language and Cognition": joined by "and" within such a unit, a word is what is studied there, not who employs.
_AND = re.compile(r"\s*and\b")
_AFTER_AND = re.compile(r"\band\s*$")
_UNIT = re.compile(r"\b(?:Dep(?:artmen)?t|Schools?|Faculty|Institut\w*|Cent(?:er|re)|Division|Sciences?|Unit|Studies|Chair)\b")


@dataclass(frozen=True, slots=True)
class Found:
    """A lab, and the line that names it."""

    lab: str
    evidence: str


class Affiliations:
    """The registry's affiliations and mail domains, compiled."""

    def __init__(self, labs: Sequence[Lab]) -> None:
        self._above = ancestors(labs)
        self._owner = {_key(name): lab.id for lab in labs for name in lab.affiliations}
        weak = {_key(str(rule["name"])) for lab in labs for rule in lab.weak}
        self._words = weak & self._owner.keys()
        self._domains: dict[str, list[str]] = {}
        for lab in labs:
            for domain in lab.emails:
                self._domains.setdefault(domain.lower(), []).append(lab.id)
        names = sorted({name for lab in labs for name in lab.affiliations}, key=lambda name: (-len(name), name))
        branches = "|".join(_spelled(name) for name in names)
        self._names = re.compile(rf"(?<![\w@.-])(?:{branches})(?![\w@]|[.-]\w)" if names else r"(?!)")

    def find(self, lines: str, authors: Sequence[str] = ()) -> list[Found]:
        """Return the labs that lines of affiliations name, at most one ``Found`` a lab, in the order of the lines."""
        found: dict[str, Found] = {}
        people = _people(authors)
        for line in lines.splitlines():
            if line.startswith(("name: ", "email: ")):
                continue
            for whole in _SENTENCES.split(_bare(line)):
                if sentence := _of_homes(whole, note=line.startswith("note: ")):
                    named = dict(self._in(people.sub(" ", sentence) if people else sentence))
                    above = {parent for lab in named for parent in self._above[lab]}
                    for lab, name in named.items():
                        if lab not in above:
                            found.setdefault(lab, Found(lab, _around(sentence, name)))
        return list(found.values())

    def mail(self, lines: str, known: Iterable[str] = ()) -> list[Found]:
        """Return the labs whose mail domains stand in lines; none of whose family one is ``known``.

        A domain that two labs of a family share is the one's that is above the other.
        """
        families = {relative for lab in known for relative in (lab, *self._above.get(lab, ()))}
        found: dict[str, Found] = {}
        for match in _EMAIL.finditer(lines):
            domain = match["domain"].lower()
            for suffix in suffixes(domain):
                owners = self._domains.get(suffix, [])
                lab = next((one for one in owners if not any(other in self._above[one] for other in owners)), None)
                if lab and not families & {lab, *self._above[lab]}:
                    found.setdefault(lab, Found(lab, match[0]))
        return list(found.values())

    def _in(self, sentence: str) -> Iterator[tuple[str, str]]:
        seen = set()
        for match in self._names.finditer(sentence):
            key = _key(match[0])
            lab = self._owner.get(key)
            if lab is None or lab in seen or _PERSON.match(sentence, match.end()):
                continue
            if key in self._words and not _stands_alone(sentence, *match.span()):
                continue
            seen.add(lab)
            yield lab, match[0]


def ancestors(labs: Iterable[Lab]) -> dict[str, frozenset[str]]:
    """Return every lab's parents, their parents and so on."""
    direct = {lab.id: [parent for parent, _ in lab.parents] for lab in labs}
    found: dict[str, frozenset[str]] = {}
    for lab in direct:
        seen, todo = set[str](), list(direct[lab])
        while todo:
            parent = todo.pop()
            todo += [] if parent in seen else direct.get(parent, [])
            seen.add(parent)
        found[lab] = frozenset(seen)
    return found


def _of_homes(sentence: str, *, note: bool) -> str:
    """What a sentence says of where its authors are, or did the work: nothing of money, of former homes, of what the paper uses."""
    if note and _ELSEWHERE.search(sentence):
        return ""
    if not _MONEY.search(sentence):
        return sentence
    return ", ".join(clause for clause in _CLAUSES.split(sentence) if _WORK.search(clause) and not _MONEY.search(clause))


def _people(authors: Sequence[str]) -> re.Pattern[str] | None:
    """The authors' names, of two words or more, as they may stand in a line: "Kunlun Xu" is nobody's company."""
    names = sorted({" ".join(author.split()) for author in authors if " " in author.strip()}, key=len, reverse=True)[:500]
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)") if names else None


def _stands_alone(sentence: str, start: int, end: int) -> bool:
    near = max(0, start - 20)
    if not _ALONE.match(sentence, end) or not _BEFORE.search(sentence, near, start):
        return False
    return not ((_AND.match(sentence, end) or _AFTER_AND.search(sentence, near, start)) and _UNIT.search(sentence))


def _key(name: str) -> str:
    return re.sub(r"\W+", "", name).casefold()


def _spelled(name: str) -> str:
    """The pattern of a name: spaces are lenient, an apostrophe has two shapes, and all of it may stand in capitals."""

    def pattern(text: str) -> str:
        return re.sub(r"(?:\\ )+", r"[\\s\\u00a0-]+", re.escape(text)).replace("'", "['’`]").replace("’", "['’`]")

    spellings = {pattern(name)}
    if len(name) > 4:
        spellings.add(pattern(name.upper()))
    return "|".join(sorted(spellings, key=len, reverse=True))


def _bare(line: str) -> str:
    label = next((label for label in _LABELS if line.startswith(label)), "")
    return line[len(label) :]


def _around(sentence: str, name: str) -> str:
    at = sentence.find(name)
    left = max(0, at - 80) if at >= 0 else 0
    return sentence[left : left + 200]


def suffixes(domain: str) -> Iterator[str]:
    """Yield a domain and each above it but the topmost, longest first: blog.x.ai, x.ai."""
    labels = domain.split(".")
    return (".".join(labels[at:]) for at in range(len(labels) - 1))
