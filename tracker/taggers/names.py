"""The names of all labs as one pattern, and when each stands for its lab.

in   the registry: names, products, people and weak names, as ``defaults/labs.toml`` explains them
out  one compiled alternation, and for each of its groups the rules of the labs that claim the name
knows no item: ``holds`` looks at the words around a match, never at what they are a part of.
A dictionary word is a name only under a rule; a company that gives money ("supported by a Google award") is not what a text is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from tracker.taggers.affiliations import SURNAMES
from tracker.types import Lab

__all__ = ["HYPHENS", "METHODS", "Rule", "compile_names"]

METHODS = ("name", "product", "person", "context")  # how sure a name is, best first; context: a weak name and its rule
CONTEXT_CHARS = 40  # how far back the words are read that may not stand before a name
NEAR_CHARS = 200  # how far away a word may be that a weak name needs

# "(acts)" in `needs`: a dictionary word with this behind it is a company ("Meta releases …", "Apple's …").
_ACTS = (
    "acquired|acquires|adds|aims|announces|backs|begins|bets|blames|builds|buys|CEO|chief|"
    "cuts|debuts|delays|developing|executives|expands|faces|fires|gives|hires|in|introduces|"
    "is|launched|launches|leads|opens|pauses|plans|poaches|previews|pushes|raises|reads|"
    "released|releases|rolls|said|says|seeks|ships|shuts|signs|sues|teases|tests|tried|"
    "turns|unveils|wants|will"
)

# A gap is one character, and the title ends in two newlines: no name runs from the title into the text.
HYPHENS = "\\-\u2010\u2011"
_GAP = f"[ \u00a0\n{HYPHENS}]"
_VERSION = r"[vV]?\d{1,4}(?:\.(?:\d{1,4}|x\b)){0,4}[A-Za-z]{0,2}"

_PERSON = re.compile(rf" (?:{SURNAMES})(?!\w)")
# A surname stands in a sentence: "Claude Example, a potter", "Claude Example paints". "Claude Levels Up" is a headline in capitals.
_SURNAME = re.compile(r" [A-Z][a-zß-ÿ]+(?:-[A-Z][a-zß-ÿ]+)?(?=[,.;:)]|['’]s| [a-z]|\n)")
_ACTING = rf"(?:['’]s| (?i:{_ACTS}))(?!\w)"
_FUNDED_BEFORE = re.compile(r"(?i)\b(?:awarded|funded|sponsored|supported|thanks?)\b[^.;]{0,40}$")
_FUNDED_AFTER = re.compile(r"(?i)[^.;]{0,30}?\b(?:awards?|fellowships?|funding|gifts?|grants?|scholarship)\b")


@dataclass(frozen=True, slots=True)
class Rule:
    """When a name stands for a lab. ``method`` is one of ``METHODS``."""

    lab: str
    method: str
    one_word: bool
    of_lab: bool = False  # calls the lab itself, not something or someone of it
    needs: re.Pattern[str] | None = None  # anywhere near
    needs_after: re.Pattern[str] | None = None  # right after the name
    not_after: re.Pattern[str] | None = None
    not_before: re.Pattern[str] | None = None
    person_unless: re.Pattern[str] | None = None  # a given name: with a surname behind it a person, unless one of these is near

    def holds(self, whole: str, start: int, end: int) -> bool:
        before, near = whole[max(0, start - CONTEXT_CHARS) : start], max(0, start - NEAR_CHARS)
        if self.not_before and self.not_before.match(whole, end):
            return False
        if self.not_after and self.not_after.search(before):
            return False
        if self.one_word and _PERSON.match(whole, end):
            return False
        if self.person_unless and _SURNAME.match(whole, end) and not self.person_unless.search(whole, near, end + NEAR_CHARS):
            return False
        if _FUNDED_BEFORE.search(before) and _FUNDED_AFTER.match(whole, end):
            return False
        if self.needs is None and self.needs_after is None:
            return True
        if self.needs_after and self.needs_after.match(whole, end):
            return True
        return bool(self.needs and self.needs.search(whole, near, end + NEAR_CHARS))


def compile_names(labs: Sequence[Lab]) -> tuple[re.Pattern[str], list[tuple[Rule, ...]]]:
    """Return one alternation with a group for each name, and the rules of each group (group 0 has none).

    Longer names stand before shorter ones, so that "Google DeepMind" is not Google. Names are gathered under
    their first two characters, so that the engine tries a few branches for each word instead of all.
    """
    rules: dict[str, list[Rule]] = {}
    for lab in labs:
        for name, rule in _of_lab(lab).items():
            rules.setdefault(name, []).append(rule)
    tree: dict[str, dict[str, list[str]]] = {}
    for name in sorted(rules, key=lambda name: (-len(name), name)):
        tree.setdefault(name[0], {}).setdefault(name[:2], []).append(name)
    order = [name for seconds in tree.values() for names in seconds.values() for name in names]
    branches = [
        f"{re.escape(first)}(?:{'|'.join(_branch(head, names) for head, names in seconds.items())})" for first, seconds in tree.items()
    ]
    pattern = rf"(?<!\w)(?:{'|'.join(branches)})(?!\w)" if branches else r"(?!)"
    return re.compile(pattern), [(), *(tuple(rules[name]) for name in order)]


def _branch(head: str, names: Sequence[str]) -> str:
    return f"{_spell(head[1:])}(?:{'|'.join(f'({_spell(name[2:])})' for name in names)})"


def _spell(name: str) -> str:
    """Return the pattern of a name: "#" is a version, a space is lenient, a hyphen is not (see labs.toml)."""
    out = []
    for at, char in enumerate(name):
        if char == " ":
            follows = name[at + 1 : at + 2]
            out.append(_GAP + ("?" if follows == "#" or follows.isdigit() else ""))
        else:
            out.append({"#": _VERSION, "-": f"[{HYPHENS}]", "'": "['’]"}.get(char) or re.escape(char))
    return "".join(out)


def _of_lab(lab: Lab) -> dict[str, Rule]:
    own = {*lab.names, *lab.aliases, *lab.affiliations, lab.name}
    strong = {name: method for method, names in (("person", lab.people), ("product", lab.products), ("name", lab.names)) for name in names}
    rules = {name: Rule(lab.id, method, " " not in name, method == "name") for name, method in strong.items()}
    for weak in lab.weak:
        name = str(weak["name"])
        needs = [] if name in strong else _texts(weak, "needs")
        words = [_word(need) for need in needs if not need.startswith(("\\", "("))]
        after = [need if need.startswith("\\") else _ACTING for need in needs if need.startswith(("\\", "("))]
        rules[name] = Rule(
            lab=lab.id,
            method=strong.get(name) or ("context" if needs else "product"),
            one_word=" " not in name,
            of_lab=strong.get(name) == "name" or (name not in strong and name in own),
            needs=re.compile("|".join(words)) if words else None,
            needs_after=re.compile(rf"{_GAP}?(?:{'|'.join(after)})") if after else None,
            not_after=_either(r"(?:{})\s?$", map(_word, _texts(weak, "not_after"))),
            not_before=_either(r"\s?(?:{})", map(_word, _texts(weak, "not_before"))),
            person_unless=_either("{}", map(_word, _texts(weak, "person_unless"))),
        )
    return rules


def _texts(weak: Mapping[str, object], key: str) -> list[str]:
    return [str(value) for value in cast("Sequence[object]", weak.get(key, ()))]


def _either(frame: str, patterns: Iterable[str]) -> re.Pattern[str] | None:
    either = "|".join(patterns)
    return re.compile(frame.format(either)) if either else None


def _word(text: str) -> str:
    """Return the pattern of a text that must not be part of a longer word."""
    before = r"(?<!\w)" if text[:1].isalnum() else ""
    return before + re.escape(text) + (r"(?!\w)" if text[-1:].isalnum() else "")
