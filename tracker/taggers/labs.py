"""Say by which lab an item is, and which labs it is about or mentions, with the words that prove it.

in   items as stored, and the registry: the labs of ``defaults/labs.toml`` and of feeds.toml
out  a list of attributions for each item, in order: first ``by``, then ``about`` and ``mention``
knows no network and no clock; reads title, text, authors and URL, never the author block of a paper.

A lab named in an abstract says nothing on who wrote the paper: measured, that guess is right half of the
time. So ``by`` comes from the source, the URL or a team that signs as author; running text gives ``about``
or ``mention``. One rule tells these two apart, at each place where a lab is named; the best place counts:

* In the title: about, unless the name only says with what or like what ("with ChatGPT", "GPT-like").
* In the first sentence of the text, among its first words: about. Anywhere else: mention.
* Papers use products as material: about needs a lab's name in the title, or a product that opens the title.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast
from urllib.parse import urlsplit

from tracker.types import Attribution, Item, Lab

__all__ = ["LabTagger", "registry_hash"]

EVIDENCE_CHARS = 200
CONTEXT_CHARS = 40  # shown on each side of a matched name
NEAR_CHARS = 200  # how far away a word may be that a weak name needs
OPENING_CHARS = 30  # a name that begins within these counts as the subject of the first sentence

# Pages of a hub belong to the organisation in their path: github.com/openai/…, huggingface.co/blog/nvidia/….
_HUBS = {"github.com": "github", "huggingface.co": "hf", "hf.co": "hf"}
_SHELVES = frozenset({"blog", "collections", "datasets", "spaces"})
_TALK = frozenset({"discussions", "issues", "pull", "pulls"})  # pages there are written by anybody

# "(acts)" in `needs`: a dictionary word with this behind it is a company ("Meta releases …", "Apple's …").
_ACTS = (
    "acquired|acquires|adds|aims|announces|backs|begins|bets|blames|builds|buys|CEO|chief|"
    "cuts|debuts|delays|developing|executives|expands|faces|fires|gives|hires|in|introduces|"
    "is|launched|launches|leads|opens|pauses|plans|poaches|previews|pushes|raises|reads|"
    "released|releases|rolls|said|says|seeks|ships|shuts|signs|sues|teases|tests|tried|"
    "turns|unveils|wants|will"
)

# Huawei Shen, Zhipu Cui: given names are lab names too; the commonest surnames tell a person from a company.
_SURNAMES = (
    "Bai|Cai|Cao|Chen|Cheng|Cui|Deng|Ding|Dong|Du|Fan|Fang|Feng|Fu|Gao|Guo|Han|He|Hu|"
    "Huang|Jiang|Li|Liang|Lin|Liu|Lu|Luo|Ma|Pan|Peng|Shen|Shi|Song|Su|Sun|Tan|Tang|"
    "Tian|Wang|Wei|Wu|Xiao|Xie|Xu|Yan|Yang|Yao|Ye|Yu|Yuan|Zeng|Zhang|Zhao|Zheng|Zhou|"
    "Zhu"
)

# A gap is one character, and the title ends in two newlines: no name runs from the title into the text.
_HYPHENS = "\\-\u2010\u2011"
_GAP = f"[ \u00a0\n{_HYPHENS}]"
_VERSION = r"[vV]?\d{1,4}(?:\.(?:\d{1,4}|x\b)){0,4}[A-Za-z]{0,2}"

_TEAM = re.compile(r"(?:the )?(?:team (?P<after>.+)|(?P<before>.+?)[ -]?team)", re.IGNORECASE)
_PERSON = re.compile(rf" (?:{_SURNAMES})(?!\w)")
_ACTING = rf"(?:['’]s| (?i:{_ACTS}))(?!\w)"
_SENTENCE_END = re.compile(r"[.!?][\"'”’)]?\s|\n")
_MATERIAL_BEFORE = re.compile(r"(?i)\b(?:with|using|via|like|than|vs\.?|versus|against|atop) (?:the |an? )?$")
_MATERIAL_AFTER = re.compile(rf"[{_HYPHENS}](?:based|compatible|driven|like|level|powered|style)(?!\w)")
_FUNDED_BEFORE = re.compile(r"(?i)\b(?:awarded|funded|sponsored|supported|thanks?)\b[^.;]{0,40}$")
_FUNDED_AFTER = re.compile(r"(?i)[^.;]{0,30}?\b(?:awards?|fellowships?|funding|gifts?|grants?|scholarship)\b")


def registry_hash(labs: Iterable[Lab]) -> str:
    """Return 12 hex digits that change with any fact of the registry, not with the order of labs or names."""
    rows = sorted([_canonical(getattr(lab, field.name)) for field in fields(Lab)] for lab in labs)
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:12]


def _canonical(value: object) -> str:
    if isinstance(value, Mapping):
        return json.dumps(sorted((str(key), _canonical(of)) for key, of in value.items()), ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return json.dumps(sorted(_canonical(of) for of in value), ensure_ascii=False)
    return str(value)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a name stands for a lab. ``method``: name, product, or context (a weak name and its rule)."""

    lab: str
    method: str
    one_word: bool
    needs: re.Pattern[str] | None = None  # anywhere near
    needs_after: re.Pattern[str] | None = None  # right after the name
    not_after: re.Pattern[str] | None = None
    not_before: re.Pattern[str] | None = None

    def holds(self, whole: str, start: int, end: int) -> bool:
        before, near = whole[max(0, start - CONTEXT_CHARS) : start], max(0, start - NEAR_CHARS)
        if self.not_before and self.not_before.match(whole, end):
            return False
        if self.not_after and self.not_after.search(before):
            return False
        if self.one_word and _PERSON.match(whole, end):
            return False
        if _FUNDED_BEFORE.search(before) and _FUNDED_AFTER.match(whole, end):
            return False
        if self.needs is None and self.needs_after is None:
            return True
        if self.needs_after and self.needs_after.match(whole, end):
            return True
        return bool(self.needs and self.needs.search(whole, near, end + NEAR_CHARS))


@dataclass(frozen=True, slots=True)
class _Found:
    """A lab named in an item. The smallest ``rank`` is the place that counts."""

    rank: tuple[int, int, int]  # about before mention; name, product, context; first in the text
    attribution: Attribution


class LabTagger:
    """Attribute items to labs; holds the registry in compiled form.

    Measured with 69 labs and 600 names: 60 ms to build, then 0.1 ms for an abstract, and as much for a
    headline and summary that name five labs.
    """

    name = "labs"

    def __init__(self, labs: Sequence[Lab]) -> None:
        self._labs = {lab.id: lab for lab in labs}
        self._hosts = {host: lab.id for lab in labs for host in lab.hosts}
        self._depth = max((host.count("/") for host in self._hosts), default=0)
        self._orgs = {("github", org.casefold()): lab.id for lab in labs for org in lab.github}
        self._orgs |= {("hf", org.casefold()): lab.id for lab in labs for org in lab.hf}
        self._signers = {name.casefold(): lab.id for lab in labs for name in _full_names(lab)}
        self._names, self._rules = _compile(labs)
        self.registry = registry_hash(labs)

    def tag(self, items: Sequence[Item]) -> list[list[Attribution]]:
        """Return the attributions of each item, at most one for each lab, relation and method."""
        return [self._by(item) + self._named(item) for item in items]

    def lab_of_url(self, url: str) -> tuple[str, str] | None:
        """Return the lab whose page this is, and the rule that says so; None for everybody else.

        The longest rule wins. A post under huggingface.co/blog/<organisation>/ is by that organisation or by
        nobody we know, never by Hugging Face. A repository is by its owner, its issues are by anybody.
        """
        host, parts = _split(url)
        if owner := _hub_owner(host, parts):
            lab = self._orgs.get((_HUBS[host], owner.casefold()))
            return (lab, f"{host}/{'/'.join(parts[: parts.index(owner) + 1])}") if lab else None
        for suffix in _suffixes(host):
            for depth in range(min(self._depth, len(parts)), -1, -1):
                rule = "/".join((suffix, *(part.lower() for part in parts[:depth])))
                if rule in self._hosts:
                    return self._hosts[rule], rule
        return None

    # by

    def _by(self, item: Item) -> list[Attribution]:
        found = self._by_source(item) if self._declares(item) else self._by_url(item)
        return found + (self._by_team(item) if _is_paper(item) else [])

    def _declares(self, item: Item) -> bool:
        # Hugging Face's feed is declared as its own, yet carries the posts of others: the path knows better.
        host, parts = _split(item.url or "")
        return item.lab in self._labs and not (host in _HUBS and parts[:1] == ["blog"] and len(parts) > 2)

    def _by_source(self, item: Item) -> list[Attribution]:
        lab = self._labs[cast(str, item.lab)]
        evidence = _shorten(f"the source {item.source} is by {lab.name}")
        return [Attribution(lab.id, "by", "source", "declared", evidence)]

    def _by_url(self, item: Item) -> list[Attribution]:
        found = self.lab_of_url(item.url or "")
        return [Attribution(found[0], "by", "host", "stated", _shorten(found[1]))] if found else []

    def _by_team(self, item: Item) -> list[Attribution]:
        signed: dict[str, str] = {}
        for author in item.authors:
            if lab := self._signer(" ".join(author.split())):
                signed.setdefault(lab, author)
        return [Attribution(lab, "by", "author", "stated", _shorten(by)) for lab, by in signed.items()]

    def _signer(self, author: str) -> str | None:
        """Return the lab that signs with just this string, or as "<name> Team" or "Team <name>"."""
        if lab := self._signers.get(author.casefold()):
            return lab
        team = _TEAM.fullmatch(author)
        if not team:
            return None
        name = team["after"] or team["before"]
        if lab := self._signers.get(name.casefold()) or self._signers.get(f"{name} team".casefold()):
            return lab
        # "Huawei LLM Team", "GLM-4.5 Team": a team whose name begins with one that is enough alone.
        match = self._names.match(name)
        rules = self._rules[cast(int, match.lastindex)] if match else ()
        return next((rule.lab for rule in rules if rule.method != "context"), None)

    # about and mention

    def _named(self, item: Item) -> list[Attribution]:
        whole = f"{item.title}\n\n{item.text}"
        best: dict[str, _Found] = {}
        for match in self._names.finditer(whole):
            start, end = match.span()
            if _in_url(whole, start):
                continue
            for rule in self._rules[cast(int, match.lastindex)]:
                if rule.holds(whole, start, end):
                    found = _found(item, whole, start, end, rule)
                    if rule.lab not in best or found.rank < best[rule.lab].rank:
                        best[rule.lab] = found
        return [found.attribution for found in sorted(best.values(), key=lambda found: found.rank)]


def _full_names(lab: Lab) -> Iterable[str]:
    return (lab.name, *lab.aliases, *lab.names)


def _is_paper(item: Item) -> bool:
    return item.origin == "paper" or item.key.startswith(("arxiv:", "doi:"))


def _split(url: str) -> tuple[str, list[str]]:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # "http://[oops": some feeds do
        return "", []
    return host, [part for part in parts.path.split("/") if part]


def _suffixes(host: str) -> Iterable[str]:
    """Yield the host and each host above it, longest first: blog.x.ai, x.ai."""
    labels = host.split(".")
    return (".".join(labels[at:]) for at in range(len(labels) - 1))


def _hub_owner(host: str, parts: Sequence[str]) -> str | None:
    """Return the organisation whose page of a hub this is; None when it is the hub's own page, or talk."""
    if host not in _HUBS or _TALK.intersection(parts[2:4]):
        return None
    on_shelf = host != "github.com" and parts[:1] and parts[0] in _SHELVES
    rest = parts[1:] if on_shelf else parts
    return rest[0] if len(rest) > 1 else None


def _in_url(whole: str, start: int) -> bool:
    """Whether the name stands inside an address: where a thing is hosted says nothing of whom it is about."""
    head = whole[max(0, start - 100) : start]
    head = head[max(head.rfind(" "), head.rfind("\n")) + 1 :]
    return "://" in head or ("/" in head and "." in head.partition("/")[0])


def _found(item: Item, whole: str, start: int, end: int, rule: _Rule) -> _Found:
    about = _is_about(item, whole, start, end, rule)
    strength = "inferred" if rule.method == "context" else "stated"
    evidence = _context(whole, start, end, len(item.title))
    attribution = Attribution(rule.lab, "about" if about else "mention", rule.method, strength, evidence)
    return _Found((not about, ("name", "product", "context").index(rule.method), start), attribution)


def _is_about(item: Item, whole: str, start: int, end: int, rule: _Rule) -> bool:
    near = max(0, start - CONTEXT_CHARS)
    if _MATERIAL_BEFORE.search(whole, near, start) or _MATERIAL_AFTER.match(whole, end):
        return False
    if start < len(item.title):
        return not _is_paper(item) or rule.method == "name" or start == 0
    opens = start - len(item.title) - 2 <= OPENING_CHARS
    return opens and not _is_paper(item) and not _SENTENCE_END.search(whole, len(item.title) + 2, start)


def _context(whole: str, start: int, end: int, title: int) -> str:
    """Return the match with up to 40 characters on each side, of the title or of the text, cut at words."""
    low, high = (0, title) if start < title else (title + 2, len(whole))
    left, right = max(low, start - CONTEXT_CHARS), min(high, end + CONTEXT_CHARS)
    before, after = whole[left:start], whole[end:right]
    if left > low:
        before = "…" + before.partition(" ")[2]
    if right < high:
        after = after.rpartition(" ")[0] + "…"
    return _shorten(before + whole[start:end] + after)


def _shorten(text: str) -> str:
    return " ".join(text.split())[:EVIDENCE_CHARS]


# the names of all labs as one pattern


def _compile(labs: Sequence[Lab]) -> tuple[re.Pattern[str], list[tuple[_Rule, ...]]]:
    """Return one alternation with a group for each name, and the rules of each group (group 0 has none).

    Longer names stand before shorter ones, so that "Google DeepMind" is not Google. Names are gathered under
    their first two characters, so that the engine tries a few branches for each word instead of all.
    """
    rules: dict[str, list[_Rule]] = {}
    for lab in labs:
        for name, rule in _rules_of(lab).items():
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
            out.append({"#": _VERSION, "-": f"[{_HYPHENS}]", "'": "['’]"}.get(char) or re.escape(char))
    return "".join(out)


def _rules_of(lab: Lab) -> dict[str, _Rule]:
    rules = {name: _Rule(lab.id, "product", " " not in name) for name in lab.products}
    rules |= {name: _Rule(lab.id, "name", " " not in name) for name in lab.names}
    for weak in lab.weak:
        name = str(weak["name"])
        needs = [] if name in rules else _texts(weak, "needs")
        method = rules[name].method if name in rules else ("context" if needs else "product")
        words = [_word(need) for need in needs if not need.startswith(("\\", "("))]
        after = [need if need.startswith("\\") else _ACTING for need in needs if need.startswith(("\\", "("))]
        rules[name] = _Rule(
            lab=lab.id,
            method=method,
            one_word=" " not in name,
            needs=re.compile("|".join(words)) if words else None,
            needs_after=re.compile(rf"{_GAP}?(?:{'|'.join(after)})") if after else None,
            not_after=_either(r"(?:{})\s?$", map(_word, _texts(weak, "not_after"))),
            not_before=_either(r"\s?(?:{})", map(_word, _texts(weak, "not_before"))),
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
