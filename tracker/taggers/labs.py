"""Say by which lab an item is, and which labs it is about or mentions, with the words that prove it.

in   items as stored, and the registry: the labs of ``defaults/labs.toml`` and of feeds.toml
out  a list of attributions for each item, in order: first ``by``, then ``about`` and ``mention``
knows no network and no clock; ``by`` is said by ``bylines``, when a name stands for a lab by ``names``.

A lab named in an abstract says nothing on who wrote the paper: running text gives ``about`` or ``mention``, at most one for each lab.
What tells these two apart is looked at in each place where a lab is named, and the best place counts:

* A lab's own post is about that lab; others in it are mentioned, but for partners in the headline.
* In the title: about, unless the name only says like what ("GPT-like", "a rival to OpenAI", "former Google engineer"), or a product only
  with what ("with ChatGPT", "Show HN: …", a model of so many billion on so many cards). Of several stories in a headline the first counts.
* In the first sentence of the text, among its first words: about. Anywhere else: mention.
* Papers use products as material: about needs a lab's name in the title, or a product that opens the title.

Surprising: a family speaks with one voice. "Meta … Meta FAIR" is about the leaf, since views count it for Meta too, yet "Google's Veo" is
Google's, whoever made Veo.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import cast

from tracker.taggers.affiliations import ancestors
from tracker.taggers.bylines import Bylines, is_paper
from tracker.taggers.names import HYPHENS, METHODS, Rule, compile_names
from tracker.types import Attribution, Item, Lab

__all__ = ["LabTagger", "registry_hash"]

EVIDENCE_CHARS = 200
CONTEXT_CHARS = 40  # shown on each side of a matched name
OPENING_CHARS = 30  # a name that begins within these counts as the subject of the first sentence

_SENTENCE_END = re.compile(r"[.!?][\"'”’)]?\s|\n")
_CLAUSE_CHARS = 40  # a product this near behind "Google …" is Google's there, whichever of its labs made it

# What only says with what, on what or like what. The first two hold for lab and product alike, the others for products.
_BESIDE_BEFORE = re.compile(
    r"(?i)\b(?:like|than|atop|to rival|rival(?:s|ed|ing)|rival to|compet\w+ (?:with|to|against)|beat(?:s|ing)?|outperform\w*|surpass\w*"
    r"|(?:challenge|answer|alternatives?|competitors?|rivals?) to|overtak\w+|catch\w* up (?:to|with)|(?:clone|implementation|port) of"
    r"|inspired by|former|ex)(?: the| an?)?[ -][\"'‘“]?$"
)
_BESIDE_AFTER = re.compile(
    rf"(?i)[{HYPHENS}](?:based|compatible|driven|like|level|powered|style)\b|[’']?[ {HYPHENS}](?:moment|rivals?|competitors?|clones?"
    r"|alternatives?|killers?)\b"
)
_USED_BEFORE = re.compile(
    r"(?i)\b(?:with|using|uses|via|versus|vs\.?|against|on|targeting|fine-?tun\w+|running|powered by|based on|built on)(?: the| an?)? $"
)
_SIZED = re.compile(r"[\w .-]{0,14}?\b\d{1,4}(?:\.\d+)?[BbMG]B?\b|.{0,20}\b(?:[qQ]\d(?:_\w+)?|[fF]16|GGUF|KV)\b")
_WORKSHOP = re.compile(r"\b(?:tok/s|RTX|VRAM|GPUs?|gpu|GGUF|[Qq]\d_\w+|[fF]16|KV|MLX|LoRA|vLLM|Ollama|llama\.cpp|fine-?tun\w+)\b|\?")
_PERSONAL = re.compile(r"(?:Show|Ask|Tell) HN\b|(?:I|My|How I|How we)\b|How to (?!use\b)")
_WARES = re.compile(r" (?:chips?|GPUs?)\b")
_JOIN = re.compile(r"['’]s |,? (?:and|or|&) |, |/")
_EMOJI = re.compile("[\u2190-\u2bff\U0001f000-\U0001faff]\\W*$")
# What Hacker News's feed gives as a summary: numbers and a user's name, no word of the item.
_NO_TEXT = re.compile(r"Score: \d+\s+Comments: \d+\s+By: \S+")
_TOGETHER = re.compile(r"(?i)\b(?:partner\w*|agreement|alliance|collaborat\w+)\b")


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
class _Found:
    """A place where an item names a lab."""

    lab: str
    rule: Rule
    start: int
    end: int
    about: bool

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The smallest is the place that counts: about before mention; name, product, person, context; first in the text."""
        return (not self.about, METHODS.index(self.rule.method), self.start)


class LabTagger:
    """Attribute items to labs; holds the registry in compiled form.

    Measured with 69 labs and 600 names: 60 ms to build, then 0.1 ms for an abstract, and as much for a
    headline and summary that name five labs.
    """

    name = "labs"

    def __init__(self, labs: Sequence[Lab]) -> None:
        self._names, self._rules = compile_names(labs)
        strong = [next((rule.lab for rule in rules if rule.method != "context"), None) for rules in self._rules]
        self._above = ancestors(labs)
        self._bylines = Bylines(labs, self._names, strong)
        self.registry = registry_hash(labs)

    def tag(self, items: Sequence[Item]) -> list[list[Attribution]]:
        """Return the attributions of each item, at most one for each lab, relation and method."""
        return [self._all(item) for item in items]

    def lab_of_url(self, url: str) -> tuple[str, str] | None:
        """Return the lab whose page this is, and the rule that says so; None for everybody else (``bylines``)."""
        return self._bylines.lab_of_url(url)

    def _all(self, item: Item) -> list[Attribution]:
        by = self._bylines.of(item)
        # What a lab publishes is about the lab, whatever it names: measured, of 294 such posts all are.
        own = [] if is_paper(item) else [Attribution(one.lab, "about", "own", one.strength, one.evidence, one.place) for one in by]
        return by + own + self._named(item, {one.lab for one in own})

    # about and mention

    def _named(self, item: Item, own: set[str]) -> list[Attribution]:
        whole = _whole(item)
        best: dict[str, _Found] = {}
        for found in self._families(list(self._places(item, whole, bool(own))), own):
            if found.lab not in best or found.rank < best[found.lab].rank:
                best[found.lab] = found
        return [_attribution(one, whole, len(item.title)) for one in sorted(best.values(), key=lambda one: one.rank)]

    def _places(self, item: Item, whole: str, others_post: bool) -> Iterator[_Found]:
        """Every place that names a lab, in order."""
        subjects = _Subjects(item, whole, others_post)
        for match in self._names.finditer(whole):
            start, end = match.span()
            if _in_url(whole, start):
                continue
            for rule in self._rules[cast(int, match.lastindex)]:
                if rule.holds(whole, start, end):
                    yield _Found(rule.lab, rule, start, end, subjects.about(rule, start, end))

    def _families(self, places: Sequence[_Found], own: set[str]) -> Iterator[_Found]:
        """Settle of which lab of a family is spoken: "Google's Veo" is Google's, "Google: DeepMind shows …" is DeepMind's.

        A lab that is named stands for the labs above it. What is said of something of theirs goes to the lab named right before it.
        """
        named = own | {one.lab for one in places if one.rule.of_lab}
        last: _Found | None = None  # the last place that calls a lab itself
        for one in places:
            last = one if one.rule.of_lab else last
            if one.lab not in named and last and last.lab in self._above[one.lab] and one.start - last.end <= _CLAUSE_CHARS:
                one = replace(one, lab=last.lab)
            below = next((lab for lab in named if one.lab in self._above.get(lab, ())), None)
            if (below or one.lab) not in own and not (one.lab not in named and self._above[one.lab] & own):
                yield replace(one, lab=below or one.lab)


@dataclass(slots=True)
class _Subjects:
    """Tells subject from mention, place after place of one item."""

    item: Item
    whole: str
    others_post: bool  # a lab's own post: it is about that lab; others are named beside it
    _beside: bool = False  # whether the last place said only like what, and where it ended
    _end: int = 0

    def about(self, rule: Rule, start: int, end: int) -> bool:
        whole, title = self.whole, len(self.item.title)
        joined = self._beside and bool(_JOIN.fullmatch(whole, self._end, start))
        self._beside, self._end = joined or _is_beside(whole, rule, start, end), end
        if self._beside or (self.others_post and not _TOGETHER.search(self.item.title)):
            return False
        if is_paper(self.item):
            return start < title and (rule.of_lab or start == 0)
        if start < title:
            return start < _first_story(self.item.title) and not _is_tool(self.item.title, rule, start, end)
        return start - title - 2 <= OPENING_CHARS and not _SENTENCE_END.search(whole, title + 2, start)


def _whole(item: Item) -> str:
    return f"{item.title}\n\n{'' if _NO_TEXT.match(item.text) else item.text}"


def _is_beside(whole: str, rule: Rule, start: int, end: int) -> bool:
    near = max(0, start - CONTEXT_CHARS)
    if _BESIDE_BEFORE.search(whole, near, start) or _BESIDE_AFTER.match(whole, end):
        return True
    return not rule.of_lab and bool(_USED_BEFORE.search(whole, near, start))


def _is_tool(title: str, rule: Rule, start: int, end: int) -> bool:
    """Whether a headline tells of work with a product ("Show HN: …"; "Qwen 3.8 27B on an RTX 3090"), or of a maker's goods."""
    if _PERSONAL.match(title) or (start > 0 and rule.of_lab and _WARES.match(title, end)):
        return True
    return not rule.of_lab and bool(_SIZED.match(title, end) and _WORKSHOP.search(title))


def _first_story(title: str) -> int:
    """Where the first story of a headline ends that joins several ("A opens, B cuts prices, C sues"): its end, if it is one story."""
    stories = title.split(", ")
    joined = len(stories) > 2 and all(" " in one and (one[0].isupper() or one[0].isdigit()) for one in stories)
    if joined or (len(stories) > 1 and all(_EMOJI.search(one) for one in stories)):
        return len(stories[0])
    return len(title)


def _in_url(whole: str, start: int) -> bool:
    """Whether the name stands inside an address: where a thing is hosted says nothing of whom it is about."""
    head = whole[max(0, start - 100) : start]
    head = head[max(head.rfind(" "), head.rfind("\n")) + 1 :]
    return "://" in head or ("/" in head and "." in head.partition("/")[0])


def _attribution(one: _Found, whole: str, title: int) -> Attribution:
    relation, strength = "about" if one.about else "mention", "inferred" if one.rule.method == "context" else "stated"
    place = "title" if one.start < title else "text"
    return Attribution(one.lab, relation, one.rule.method, strength, _context(whole, one.start, one.end, title), place)


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
