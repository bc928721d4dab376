"""Topics: what an item is on, by a linear model and by rules.

in   items; topics with their rule patterns; a ``LinearModel``, or None
out  per item the tags worth showing, best first, each with the words behind it
refuses to know the database, files and labels of people. Imports numpy only through its model, and only when it tags.
Surprising: rules do not raise a score, so that a score always means the same. Who decides, for one topic of one item:

===================================  ===========================================================================
score ≥ the confident threshold      tier "confident": training promises precision ≥ 0.9
score ≥ the maybe threshold          tier "maybe": where F1 is best; ``Topic.threshold`` replaces this one
score ≥ ``LIFT`` × maybe, rule hits  tier "maybe": a near miss, lifted; not where the user set a threshold
the model does not know the topic    tier "maybe", score ``RULE_SCORE``, model "rules", when a rule hits
===================================  ===========================================================================

A rule hits when an include pattern matches and no exclude pattern does. Exclude patterns never overrule the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracker.patterns import Rules, compile_rules
from tracker.types import Item, Tag, Topic

if TYPE_CHECKING:
    from tracker.taggers.linear import LinearModel

__all__ = ["EVIDENCE", "LIFT", "RULE_SCORE", "RULES", "TopicTagger", "kind_of"]

RULES = "rules"  # the name of the model where rules alone tag
RULE_SCORE = 0.5  # of a tag by rules alone: no probability; 63 to 95 % of such tags, by topic, were right on labelled texts
LIFT = 0.5  # a share of the maybe threshold; cross-validated: +0.02 F1 on online learning, within 0.02 elsewhere
EVIDENCE = 5  # terms kept with a tag
_MAX_TEXT = 20_000  # characters read by rules: as many as the model reads


@dataclass(frozen=True, slots=True)
class _Rule:
    topic: Topic
    include: Rules
    exclude: Rules

    def hits(self, text: str, lowered: str) -> list[str]:
        """Return the matched pieces of text, on one line each; none when an exclude pattern matches."""
        found = self.include.find(text, lowered)
        if found and self.exclude.find(text, lowered):
            return []
        return list(dict.fromkeys(" ".join(piece.split()) for piece in found))


def kind_of(item_key: str) -> str:
    """Return how a model sees the item with that key: "paper" or "news"."""
    return "paper" if item_key.startswith(("arxiv:", "doi:")) else "news"


class TopicTagger:
    """Tags items with topics. With ``model`` None, rules alone tag.

    Raises:
        ValueError: a topic has a pattern that cannot be used; the message names topic and pattern.
    """

    def __init__(self, topics: Sequence[Topic], model: LinearModel | None) -> None:
        self._rules = [_compiled(topic) for topic in topics]
        self._model = model

    @property
    def name(self) -> str:
        """The name of the model, "rules" without one."""
        return self._model.name if self._model else RULES

    def tag(self, items: Sequence[Item]) -> list[list[Tag]]:
        """Return the tags of each item, best first. Total: any text gives tags or none."""
        texts, scores = self._scores(items)
        found = (self._tags(item, text, row) for item, text, row in zip(items, texts, scores, strict=True))
        return [sorted(tags, key=lambda tag: -tag.score) for tags in found]

    def _scores(self, items: Sequence[Item]) -> tuple[list[str], list[dict[str, float]]]:
        if self._model is None or not items:
            return ["" for _ in items], [{} for _ in items]
        from tracker.taggers.features import features_text
        from tracker.taggers.linear import topic_scores

        texts = [features_text(item.title, item.text) for item in items]
        table = topic_scores(texts, [kind_of(item.key) for item in items], self._model)
        return texts, [dict(zip(self._model.topics, row, strict=True)) for row in table.tolist()]

    def _tags(self, item: Item, features: str, scores: dict[str, float]) -> list[Tag]:
        text = f"{item.title[:_MAX_TEXT]}\n{item.text[:_MAX_TEXT]}"
        kind = kind_of(item.key)
        chosen = list(self._chosen(text, text.lower(), kind, scores))
        words = self._words(features, kind, [topic for topic, tier, _ in chosen if tier != RULES])
        return [tag for topic, tier, hits in chosen if (tag := self._tag(topic, tier, hits, scores, words))]

    def _chosen(self, text: str, lowered: str, kind: str, scores: dict[str, float]) -> Iterator[tuple[str, str, list[str]]]:
        """Yield topic, tier ("rules" where they alone decide) and the rule hits that had a part in it."""
        for rule in self._rules:
            topic = rule.topic
            if self._model is None or topic.id not in scores:
                if hits := rule.hits(text, lowered):
                    yield topic.id, RULES, hits
                continue
            head = self._model.heads[kind]
            own, score = topic.threshold, scores[topic.id]
            maybe = head.maybe[topic.id] if own is None else own
            if score >= maybe:
                yield topic.id, "confident" if score >= head.confident[topic.id] else "maybe", []
            elif own is None and score >= LIFT * maybe and (hits := rule.hits(text, lowered)):
                yield topic.id, "maybe", hits

    def _words(self, features: str, kind: str, topics: list[str]) -> dict[str, list[tuple[str, float]]]:
        if not topics or self._model is None:
            return {}
        from tracker.taggers.linear import explain_many

        return explain_many(features, kind, topics, self._model, EVIDENCE)

    def _tag(
        self, topic: str, tier: str, hits: list[str], scores: dict[str, float], words: dict[str, list[tuple[str, float]]]
    ) -> Tag | None:
        """Return the tag, or None where no word speaks for it: a score that comes from the prior alone is no finding."""
        by_rule = [(piece, 1.0) for piece in hits]
        if tier == RULES:
            return Tag(topic, RULE_SCORE, "maybe", tuple(by_rule[:EVIDENCE]), RULES)
        evidence = (*by_rule, *words[topic])[:EVIDENCE]  # where a rule has lifted it, the rule has decided
        return Tag(topic, round(scores[topic], 4), tier, evidence, self.name) if evidence else None


def _compiled(topic: Topic) -> _Rule:
    try:
        return _Rule(topic, compile_rules(topic.include), compile_rules(topic.exclude))
    except ValueError as error:
        raise ValueError(f"[topics.{topic.id}] {error}") from None
