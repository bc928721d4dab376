"""Topic tags through their one door, ``TopicTagger.tag``. All texts here are made up by us."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest

from tracker.config import DEFAULTS
from tracker.taggers.linear import LinearModel
from tracker.taggers.stored_model import load
from tracker.taggers.topics import LIFT, RULE_SCORE, RULES, TopicTagger, kind_of
from tracker.types import Item, Tag, Topic

TOPICS = [
    Topic(key, t["title"], t["description"], tuple(t["include"]), tuple(t["exclude"]))
    for key, t in tomllib.loads((DEFAULTS / "topics.toml").read_text(encoding="utf-8"))["topics"].items()
]
OWN = Topic("robot-cooking", "Robot cooking", include=("cook* robot*", "kitchen agent"), exclude=("toy kitchen",))


def item(title: str, text: str = "") -> Item:
    return Item(1, "url:https://example.org/1", "example", "https://example.org/1", title, text)


@pytest.fixture(scope="module")
def model() -> LinearModel:
    return load(DEFAULTS / "model")


def tags(tagger: TopicTagger, title: str, text: str = "") -> dict[str, Tag]:
    return {tag.topic: tag for tag in tagger.tag([item(title, text)])[0]}


OBVIOUS = [
    (
        "agent-self-improvement",
        "An agent that rewrites its own scaffold between rounds",
        "Our self-improving LLM agent keeps what it learned from its own trajectories in an experience "
        "memory. After each round it edits its own code and its skills, and in later tasks it solves more. "
        "The self-evolving agent improves over ten iterations without labels.",
    ),
    (
        "online-learning",
        "Continual learning for language models without forgetting",
        "We fine-tune large language models on a stream of tasks. Our method reduces catastrophic "
        "forgetting in continual instruction tuning and supports lifelong learning after deployment.",
    ),
    (
        "self-evaluation",
        "When can language models correct themselves?",
        "We study self-correction: an LLM criticises its own answer, verifies it and refines it. Self- "
        "reflection and self-verification raise accuracy when the critique is right; we train the model to "
        "self-correct.",
    ),
    (
        "agent-memory",
        "A long-term memory for conversational agents",
        "LLM agents forget between sessions. We present an agent memory system that stores, consolidates "
        "and retrieves memories across sessions, and evaluate long-term memory on multi-session dialogue.",
    ),
    (
        "skill-optimization",
        "Prompt optimisation by evolution",
        "Automatic prompt optimization with LLMs: we evolve prompts and agent workflows by a search that "
        "mutates instructions; the prompt optimizer finds better prompts than people.",
    ),
    (
        "self-training",
        "Self-play without labels",
        "A language model generates its own problems and rewards and trains on them. Self-rewarding self- "
        "play improves reasoning without external data; label-free reinforcement learning uses the model's "
        "own confidence as intrinsic reward.",
    ),
    (
        "ai-for-ai-research",
        "Towards an AI scientist for machine learning",
        "We present an autonomous research agent that proposes ideas, runs machine learning experiments and "
        "writes papers end to end, automating AI research; on MLE-bench the ML engineering agent wins "
        "medals.",
    ),
    (
        "alignment-drift",
        "Reward hacking leads to emergent misalignment",
        "Models that learn reward hacking generalise to alignment faking and deception. We study emergent "
        "misalignment and specification gaming in language models and test mitigations of reward hacking.",
    ),
    (
        "oversight-control",
        "Monitoring and control of autonomous agents",
        "We evaluate AI control protocols and chain-of-thought monitoring for LLM agents. A monitor with "
        "guardrails and runtime enforcement of permissions blocks unsafe actions; human oversight and audit "
        "remain possible.",
    ),
    (
        "agent-benchmarks",
        "A benchmark for web agents over long tasks",
        "We introduce a benchmark for evaluating LLM agents that use tools in realistic environments. The "
        "benchmark has 300 multi-step tasks; the best agent solves 34 % of them.",
    ),
    (
        "agent-products",
        "Introducing our coding agent: now available to all customers",
        "Today we launch a new agent in the app and the API. Claude Code and Codex users get the agents "
        "SDK, with pricing for teams and enterprise customers.",
    ),
]


@pytest.mark.parametrize(("topic", "title", "text"), OBVIOUS, ids=[row[0] for row in OBVIOUS])
def test_the_shipped_model_finds_the_obvious(model: LinearModel, topic: str, title: str, text: str) -> None:
    found = tags(TopicTagger(TOPICS, model), title, text)
    assert topic in found, {name: tag.score for name, tag in found.items()}
    tag = found[topic]
    assert tag.tier in ("confident", "maybe")
    assert tag.model == model.name
    assert 0 < tag.score <= 1
    weights = [weight for _, weight in tag.evidence]
    assert weights
    assert weights == sorted(weights, reverse=True)
    plain = f"{title} {text}".lower().replace("-", " ")
    assert all(word in plain for term, _ in tag.evidence for word in term.lower().replace("-", " ").split()), tag.evidence


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Protein folding with graph networks", "We predict structures of proteins from sequences with an equivariant network."),
        ("Company raises ten million for batteries", "The round was led by an investor; the plant opens in spring."),
        ("Der Wetterbericht für morgen", "Im Norden regnet es, im Süden scheint die Sonne."),
        ("天气预报", "明天北方有雨,南方晴。"),
    ],
)
def test_the_shipped_model_leaves_others_alone(model: LinearModel, title: str, text: str) -> None:
    assert tags(TopicTagger(TOPICS, model), title, text) == {}


def test_tags_come_best_first_one_list_per_item(model: LinearModel) -> None:
    found = TopicTagger(TOPICS, model).tag([item(title, text) for _, title, text in OBVIOUS] + [item("")])
    assert len(found) == len(OBVIOUS) + 1
    assert found[-1] == []
    for row in found:
        assert [tag.score for tag in row] == sorted((tag.score for tag in row), reverse=True)
    assert TopicTagger(TOPICS, model).tag([]) == []


def test_tiers_follow_the_thresholds(model: LinearModel) -> None:
    for row in TopicTagger([replace(t, include=()) for t in TOPICS], model).tag([item(title, text) for _, title, text in OBVIOUS]):
        for tag in row:
            assert tag.score >= model.heads["news"].maybe[tag.topic] - 1e-4
            assert (tag.tier == "confident") == (tag.score >= model.heads["news"].confident[tag.topic])


def test_a_threshold_of_the_user_replaces_the_models(model: LinearModel) -> None:
    plain = [replace(topic, threshold=0.01, include=()) for topic in TOPICS]
    found = [(title, text, tag) for _, title, text in OBVIOUS for tag in tags(TopicTagger(plain, model), title, text).values()]
    title, text, tag = next(one for one in found if 0.05 < one[2].score < 0.95)
    topic = next(topic for topic in plain if topic.id == tag.topic)
    assert tag.topic not in tags(TopicTagger([replace(topic, threshold=tag.score + 0.001)], model), title, text)
    assert tag.topic in tags(TopicTagger([replace(topic, threshold=tag.score - 0.001)], model), title, text)


def test_papers_and_news_have_thresholds_of_their_own(model: LinearModel) -> None:
    topic, title, text = OBVIOUS[0]
    never = replace(model.heads["paper"], maybe=dict.fromkeys(model.topics, 1.5), confident=dict.fromkeys(model.topics, 1.5))
    tagger = TopicTagger([replace(t, include=()) for t in TOPICS], replace(model, heads={**model.heads, "paper": never}))
    news = item(title, text)
    assert tagger.tag([replace(news, key="arxiv:2601.00001"), news])[0] == []
    assert topic in {tag.topic for tag in tagger.tag([news])[0]}
    assert [kind_of(key) for key in ("arxiv:2601.00001", "doi:10.1/x", "url:https://arxiv.org/abs/1", "hash:a:b")] == [
        "paper",
        "paper",
        "news",
        "news",
    ]


def test_a_rule_lifts_a_near_miss_and_shows_what_it_found(model: LinearModel) -> None:
    topic = "agent-memory"
    head = model.heads["news"]
    head = replace(head, maybe={**head.maybe, topic: 1.5}, confident={**head.confident, topic: 1.5})
    near = replace(model, heads={**model.heads, "news": head})
    _, title, text = OBVIOUS[3]
    rule = Topic(topic, "Memory", include=("across sessions",))
    lifted = tags(TopicTagger([rule], near), title, text)[topic]
    assert lifted.tier == "maybe"
    assert lifted.model == model.name
    assert lifted.score >= LIFT * 1.5
    assert lifted.evidence[0] == ("across sessions", 1.0)  # it has decided
    assert tags(TopicTagger([replace(rule, include=())], near), title, text) == {}
    assert tags(TopicTagger([replace(rule, exclude=("dialogue",))], near), title, text) == {}
    assert tags(TopicTagger([rule], model), "Tides", "Boats cross the bay across sessions of rain.") == {}


@pytest.mark.parametrize("with_model", [True, False], ids=["beside the model", "without a model"])
def test_rules_carry_a_topic_that_the_model_does_not_know(model: LinearModel, with_model: bool) -> None:
    tagger = TopicTagger([OWN], model if with_model else None)
    tag = tags(tagger, "A cooking robot", "The Kitchen\n agent stirs.")[OWN.id]
    assert tag == Tag(OWN.id, RULE_SCORE, "maybe", (("cooking robot", 1.0), ("Kitchen agent", 1.0)), RULES)
    assert tags(tagger, "A cooking robot", "It stands in a toy kitchen.") == {}
    assert tags(tagger, "Robots that cook") == {}


def test_without_a_model_the_shipped_rules_tag_alone() -> None:
    tagger = TopicTagger(TOPICS, None)
    assert tagger.name == RULES
    found = [topic for topic, title, text in OBVIOUS if topic in tags(tagger, title, text)]
    assert len(found) >= 9, found


def test_a_bad_pattern_names_its_topic() -> None:
    with pytest.raises(ValueError, match=r"\[topics.x\] the pattern '\(a' has an opening parenthesis"):
        TopicTagger([Topic("x", "X", include=("(a",))], None)


HOSTILE = {
    "empty": ("", ""),
    "1 MB of words": ("agent", "agent memory " * 80_000),
    "1 MB without a space": ("x" * 500_000, "y" * 500_000),
    "control characters": ("\x00\x1b[31m agent\x07", "\ufffe\ud800 \u202e memory \x9d"),
    "nothing but signs": ("!!! --- ___", "…—“”‘’()[]{}*|\\"),
    "marks and joiners": ("a\u0301" * 5_000, "👩\u200d🚀" * 5_000),
    "letters that change length in lower case": ("İ" * 1_000, "ßẞſK" * 1_000),
    "other digits": ("٣٤٥ ²³", "①②③ Ⅷ"),
    "hyphens": ("-" * 50_000, "a-" * 25_000),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.filterwarnings("error")
def test_any_text_gives_tags_or_none(model: LinearModel, name: str) -> None:
    title, text = HOSTILE[name]
    for tagger in (TopicTagger([*TOPICS, OWN], model), TopicTagger([*TOPICS, OWN], None)):
        (found,) = tagger.tag([item(title, text)])
        assert all(tag.evidence for tag in found)
