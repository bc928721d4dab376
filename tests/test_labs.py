"""By, about, mention: each rule of ``taggers.labs`` as a sentence; the shipped registry keeps its rules."""

from __future__ import annotations

import re
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.taggers.labs import EVIDENCE_CHARS, LabTagger, registry_hash
from tracker.types import Attribution, Item, Lab

KEYS = {*("name", "kind", "country", "parents", "aliases", "affiliations", "emails", "hosts", "github", "hf")}
KEYS |= {"names", "products", "weak", "note"}
NAMED = ("openai", "anthropic", "google", "google-deepmind", "meta", "microsoft", "huggingface")


def shipped_tables() -> dict[str, dict[str, object]]:
    text = files("tracker").joinpath("defaults/labs.toml").read_text(encoding="utf-8")
    tables: dict[str, dict[str, object]] = tomllib.loads(text)["labs"]
    return tables


def lab_of(lab_id: str, table: dict[str, object]) -> Lab:
    fields: dict[str, object] = {key: tuple(of) if isinstance(of, list) else of for key, of in table.items() if key != "note"}
    parents = table.get("parents", [])
    assert isinstance(parents, list)
    fields["parents"] = tuple((parent["lab"], str(parent["from"]) if "from" in parent else None) for parent in parents)
    return Lab(id=lab_id, **fields)  # type: ignore[arg-type]


LABS = [lab_of(lab_id, table) for lab_id, table in shipped_tables().items()]
TAGGER = LabTagger(LABS)


def item(
    title: str = "",
    text: str = "",
    *,
    key: str = "url:https://news.example/a",
    url: str | None = "https://news.example/a",
    source: str = "example-news",
    origin: str = "press",
    lab: str | None = None,
    authors: tuple[str, ...] = (),
) -> Item:
    return Item(20260612000001, key, source, url, title, text, authors, origin=origin, lab=lab)


def paper(title: str = "", text: str = "", authors: tuple[str, ...] = ()) -> Item:
    url = "https://arxiv.org/abs/2606.01234"
    return item(title, text, key="arxiv:2606.01234", url=url, origin="paper", authors=authors)


def tag(one: Item) -> list[Attribution]:
    return TAGGER.tag([one])[0]


def labs(found: list[Attribution], *relations: str) -> set[str]:
    return {one.lab for one in found if one.relation in relations}


# --- by: posts


def test_by_the_lab_that_the_source_declares() -> None:
    found = tag(item("A post", url="https://deepmind.google/blog/a", source="deepmind-blog", lab="google-deepmind"))
    evidence = "the source deepmind-blog is by Google DeepMind"
    assert found == [Attribution("google-deepmind", "by", "source", "declared", evidence)]


def test_a_mirror_of_a_lab_is_by_the_lab_whatever_host_it_links_to() -> None:
    found = tag(item("Measuring agents", url="https://mirror.example/1", source="anthropic-mirror", lab="anthropic"))
    assert [(one.lab, one.method) for one in found] == [("anthropic", "source")]


def test_a_lab_that_left_the_registry_is_not_attributed() -> None:
    assert tag(item("A post", lab="no-such-lab")) == []


BY_URL = {
    "a host of a lab": ("https://openai.com/index/a", "openai", "openai.com"),
    "www does not matter": ("https://www.anthropic.com/news/a", "anthropic", "anthropic.com"),
    "a subdomain of a host": ("https://alignment.anthropic.com/2026/a/", "anthropic", "anthropic.com"),
    "the longest path wins": (
        "https://www.microsoft.com/en-us/research/blog/a",
        "microsoft-research",
        "microsoft.com/en-us/research",
    ),
    "a still longer path wins": (
        "https://www.microsoft.com/en-us/research/lab/microsoft-research-asia/a",
        "msra",
        "microsoft.com/en-us/research/lab/microsoft-research-asia",
    ),
    "a path of a host, other page": ("https://blogs.microsoft.com/a", "microsoft", "microsoft.com"),
    "a part of a path is not the path": (
        "https://www.microsoft.com/en-us/researchers",
        "microsoft",
        "microsoft.com",
    ),
    "the hub's own blog": ("https://huggingface.co/blog/a-post", "huggingface", "huggingface.co/blog"),
    "an organisation's post on the hub": (
        "https://huggingface.co/blog/ServiceNow-AI/a-post",
        "servicenow",
        "huggingface.co/blog/ServiceNow-AI",
    ),
    "an organisation's model on the hub": (
        "https://huggingface.co/deepseek-ai/DeepSeek-V4",
        "deepseek",
        "huggingface.co/deepseek-ai",
    ),
    "a lab's repository": ("https://github.com/openai/codex", "openai", "github.com/openai"),
}


@pytest.mark.parametrize(("url", "lab", "evidence"), BY_URL.values(), ids=BY_URL)
def test_by_url(url: str, lab: str, evidence: str) -> None:
    assert tag(item("A post", url=url)) == [Attribution(lab, "by", "host", "stated", evidence)]


NOBODYS = {
    "press": "https://techcrunch.com/2026/06/12/openai-raises-money/",
    "arXiv": "https://arxiv.org/abs/2606.01234",
    "a host that only ends alike": "https://notopenai.com/a",
    "a lab's name in the path": "https://news.example/openai.com/a",
    "somebody's post on the hub": "https://huggingface.co/blog/some-user/a-post",
    "a paper page on the hub": "https://huggingface.co/papers/2606.01234",
    "somebody's repository": "https://github.com/somebody/openai",
    "an issue in a lab's repository": "https://github.com/microsoft/vscode/issues/1",
    "an open bracket": "http://[broken",
    "nothing": "",
}


@pytest.mark.parametrize("url", NOBODYS.values(), ids=NOBODYS)
def test_no_by_from(url: str) -> None:
    assert TAGGER.lab_of_url(url) is None
    assert tag(item("A post", url=url)) == []


def test_a_post_on_the_hub_is_by_its_organisation_even_when_the_feed_is_declared() -> None:
    at = "https://huggingface.co/blog/"
    assert labs(tag(item("A", url=at + "nvidia/a", lab="huggingface")), "by") == {"nvidia"}
    assert labs(tag(item("A", url=at + "some-user/a", lab="huggingface")), "by") == set()
    assert labs(tag(item("A", url=at + "a-post", lab="huggingface")), "by") == {"huggingface"}


# --- by: papers

SIGNED = {
    "a team": ("Kimi Team", "moonshot"),
    "a team written as one word": ("KimiTeam", "moonshot"),
    "team first": ("Team Cohere", "cohere"),
    "a lab's name": ("OpenAI", "openai"),
    "a lab's name in capitals": ("NVIDIA", "nvidia"),
    "a lab's other name": ("DeepSeek-AI", "deepseek"),
    "a team of a model": ("GLM-4.5 Team", "zhipu"),
    "a team within a lab": ("Huawei LLM Team", "huawei"),
    "spaces to spare": ("Mistral  AI", "mistral"),
}


@pytest.mark.parametrize(("author", "lab"), SIGNED.values(), ids=SIGNED)
def test_a_paper_signed_by(author: str, lab: str) -> None:
    by = [one for one in tag(paper("A report", authors=("Ada Example", author))) if one.relation == "by"]
    assert by == [Attribution(lab, "by", "author", "stated", " ".join(author.split()))]


PEOPLE = [
    "Huawei Shen",
    "Kunlun Xu",
    "Redwan Sony",
    "Zhipu Cui",
    "Claude Monet",
    "Ling",
    "Kimi Example",
    "Wan Team",
]


@pytest.mark.parametrize("author", PEOPLE)
def test_a_person_or_a_strange_team_is_no_lab(author: str) -> None:
    assert tag(paper("A report", authors=(author,))) == []


def test_an_author_of_a_post_says_nothing() -> None:
    assert tag(item("A post", authors=("OpenAI",))) == []


def test_a_lab_in_an_abstract_is_a_mention_never_by_and_never_about() -> None:
    found = tag(paper("Agents that learn", "OpenAI and Anthropic build agents. We study Claude Code."))
    assert labs(found, "mention") == {"openai", "anthropic"}
    assert labs(found, "by", "about") == set()


# --- about and mention: names that are no lab

TRAPS = {
    "an adjective inside a word": "The (Mis)anthropic Turn in Machine Ethics",
    "the anthropic principle": "What the anthropic principle leaves open",
    "the Anthropic Principle, capitalised": "The Anthropic Principle and the Multiverse",
    "a program, not the model": "A faster kernel for llama.cpp",
    "a program, capitalised": "Llama.cpp gets a server mode",
    "a library": "Retrieval pipelines in LlamaIndex and LLaMA-Factory",
    "a continent": "Wind power across North America",
    "a painter": "Claude Monet painted the same pond 250 times",
    "a mathematician": "What Claude Shannon knew about language models",
    "a French given name": "A talk with Jean-Claude Example on AI",
    "people": "A talk by Huawei Shen, Zhipu Cui and Redwan Sony",
    "a grant": "This work was supported by a Google research award",
    "a service": "Citations were counted with Google Scholar",
    "a telescope": "Gemini Observatory sees a faint galaxy with an AI model",
    "a verb": "It takes years to Grok compilers; the parts Cohere with time",
    "a fruit": "An Apple of discord in the orchard",
    "a prefix": "Meta-learning for few-shot tasks: a Meta Analysis",
    "a forest": "Satellites watch the Amazon rainforest",
    "explainable AI": "XAI methods for clinicians",
    "statistics": "A GLM with a logit link",
    "radio": "MIMO antennas in 6G",
    "game theory": "MiniMax theorem for stochastic games",
    "a data set": "Traffic forecasting on METR-LA",
    "a step": "Step 3: install the package",
    "putting things together": "Bringing Together AI and Law",
    "scaling things": "How to Scale AI Agents",
    "a metric": "Perplexity of small language models on code",
    "hosting": "Weights are released on Hugging Face and at https://huggingface.co/Qwen/Qwen3-8B",
}


@pytest.mark.parametrize("sentence", TRAPS.values(), ids=TRAPS)
def test_no_lab_in(sentence: str) -> None:
    assert tag(item(sentence)) == tag(item("A headline", sentence)) == tag(paper("A title", sentence)) == []


FOUND = {
    "a name": ("OpenAI opens an office", {"openai"}),
    "two names": ("Anthropic and Mistral AI sign the code", {"anthropic", "mistral"}),
    "the longer name": ("Google DeepMind shows a world model", {"google-deepmind"}),
    "the longer name, three deep": ("Microsoft Research Asia turns 30", {"msra"}),
    "a possessive": ("Nvidia’s next chip slips", {"nvidia"}),
    "a product": ("ChatGPT learns to wait", {"openai"}),
    "any version of a product": ("GPT-7.5 mini is out", {"openai"}),
    "a version without a gap": ("GLM6 on one card", {"zhipu"}),
    "a version with a letter": ("Kimi-K4 reads maps", {"moonshot"}),
    "a model's full name": ("Fine-tuning Qwen9-7B and Llama-5-8B", {"alibaba-qwen", "meta"}),
    "a weak name whose need is near": ("OpenAI gives Operator a memory", {"openai"}),
    "a weak name that acts": ("Meta delays its next model", {"meta"}),
    "a weak name with a possessive": ("Apple’s agents stay on the phone", {"apple"}),
    "a weak name with a version": ("Mythos 6 goes to partners", {"anthropic"}),
    "a name with exceptions": ("Grok answers in verse", {"xai"}),
    "beside a slash": ("A benchmark of OpenAI/Anthropic agents", {"openai", "anthropic"}),
}


@pytest.mark.parametrize(("sentence", "expected"), FOUND.values(), ids=FOUND)
def test_labs_in(sentence: str, expected: set[str]) -> None:
    assert labs(tag(item(sentence)), "about", "mention") == expected


def test_a_weak_name_needs_its_word_near_not_somewhere() -> None:
    assert tag(item("Operator", "word " * 100 + "a browser by OpenAI"))[0].relation == "mention"
    assert tag(item("Operator", "a browser by OpenAI"))[0].relation == "about"


RELATIONS = {
    "in a headline": (item("Regulators question OpenAI"), "about"),
    "after 'with' in a headline": (item("I wrote a compiler with ChatGPT"), "mention"),
    "like it, in a headline": (item("A ChatGPT-style assistant for banks"), "mention"),
    "opens the text": (item("Agents get memory", "Today, OpenAI said that …"), "about"),
    "later in the first sentence": (
        item("Agents", "The start-up, two years old, will pay OpenAI for it."),
        "mention",
    ),
    "opens the second sentence": (item("Agents", "It works. OpenAI helped."), "mention"),
    "a lab in the title of a paper": (paper("How OpenAI tests its agents"), "about"),
    "a product that opens the title of a paper": (paper("ChatGPT in Court"), "about"),
    "a product as material in the title of a paper": (paper("Do Lawyers Trust ChatGPT?"), "mention"),
}


@pytest.mark.parametrize(("one", "relation"), RELATIONS.values(), ids=RELATIONS)
def test_relation(one: Item, relation: str) -> None:
    assert [(found.lab, found.relation) for found in tag(one)] == [("openai", relation)]


def test_the_best_place_counts_and_a_lab_has_one_row() -> None:
    found = tag(item("OpenAI raises prices", "ChatGPT costs more. OpenAI blames chips."))
    assert found == [Attribution("openai", "about", "name", "stated", "OpenAI raises prices")]


def test_evidence_shows_the_words_around_the_match_on_one_line() -> None:
    text = "An opening sentence goes on for a while.\n\nMuch later, the team at Anthropic\nsaid so to the court."
    evidence = "…for a while. Much later, the team at Anthropic said so to the court."
    assert [one.evidence for one in tag(item("Agents", text))] == [evidence]


@given(
    st.lists(
        st.sampled_from([*NAMED, "OpenAI", "Claude", "Meta", "GPT-5", "is", "\n", ".", "“", "x" * 300]),
        max_size=40,
    )
)
def test_every_row_has_evidence_and_stands_once(words: list[str]) -> None:
    found = tag(item(" ".join(words[:8]), " ".join(words)))
    assert all(one.evidence.strip() and len(one.evidence) <= EVIDENCE_CHARS for one in found)
    assert all("\n" not in one.evidence for one in found)
    assert max(Counter((one.lab, one.relation, one.method) for one in found).values(), default=0) <= 1


def test_no_lab_no_name_no_row() -> None:
    assert LabTagger([]).tag([item("OpenAI"), item()]) == [[], []]


@pytest.mark.parametrize(
    "text",
    ["OpenAI " * 30_000, "GPT-" + "1." * 100_000, "GPT 5-" * 30_000, "https://x/" + "Claude/" * 30_000],
)
def test_a_hostile_text_costs_time_in_proportion(text: str) -> None:
    assert _seconds([item("Agents", text)]) < 3  # 0.3 s; quadratic would be minutes


def test_a_headline_and_summary_cost_little() -> None:
    one = item("OpenAI and Hugging Face publish a report", "Agents learn from their mistakes, says the report. " * 6)
    TAGGER.tag([one])
    best = min(_seconds([one] * 100) for _ in range(5)) / 100
    assert best < 0.0004  # 0.00006 on 2 cores; the promise is 0.0002, twice that leaves room for a busy machine


def _seconds(items: list[Item]) -> float:
    start = time.process_time()
    TAGGER.tag(items)
    return time.process_time() - start


# --- the registry


def test_registry_hash_ignores_order_and_sees_each_fact() -> None:
    one = Lab("a", "A", "frontier", names=("A1", "A2"), weak=({"name": "W", "needs": ["x", "y"]},))
    two = Lab("b", "B", "frontier")
    hashes = {registry_hash(order) for order in permutations([one, two])}
    assert len(hashes) == 1
    turned = Lab("a", "A", "frontier", names=("A2", "A1"), weak=({"needs": ["y", "x"], "name": "W"},))
    assert registry_hash([turned, two]) in hashes
    changed = Lab("a", "A", "frontier", names=("A1", "A2"), weak=({"name": "W", "needs": ["x"]},))
    assert registry_hash([changed, two]) not in hashes
    assert re.fullmatch(r"[0-9a-f]{12}", registry_hash([]))


def test_shipped_labs_are_many_and_use_known_keys() -> None:
    tables = shipped_tables()
    assert len(tables) >= 69
    assert {key for table in tables.values() for key in table} <= KEYS
    assert {key for lab in LABS for weak in lab.weak for key in weak} <= {
        "name",
        "needs",
        "not_after",
        "not_before",
    }


def test_shipped_ids_are_unique_and_plain() -> None:
    assert len({lab.id for lab in LABS}) == len(LABS)
    assert [lab.id for lab in LABS if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", lab.id)] == []


def _twice(*fields: str, fold: bool = False) -> list[str]:
    owners: dict[str, set[str]] = {}
    for lab in LABS:
        for name in (name for field in fields for name in getattr(lab, field)):
            owners.setdefault(name.casefold() if fold else name, set()).add(lab.id)
    return [name for name, labs in owners.items() if len(labs) > 1]


def test_no_strong_name_signature_host_or_organisation_belongs_to_two_labs() -> None:
    assert _twice("names", "products") == []
    assert _twice("names", "aliases", fold=True) == []
    assert _twice("hosts") == []
    assert _twice("github", fold=True) == []
    assert _twice("hf", fold=True) == []


def test_every_parent_exists_and_none_is_its_own_ancestor() -> None:
    parents = {lab.id: [parent for parent, _since in lab.parents] for lab in LABS}

    def above(lab: str, path: tuple[str, ...] = ()) -> Iterator[str]:
        assert lab not in path, f"cycle: {' > '.join([*path, lab])}"
        for parent in parents[lab]:
            yield parent
            yield from above(parent, (*path, lab))

    assert {lab: set(above(lab)) for lab in parents}["msra"] == {"microsoft-research", "microsoft"}


def test_hosts_are_lower_case_without_scheme_or_slash_at_the_end() -> None:
    hosts = [host for lab in LABS for host in lab.hosts]
    assert [host for host in hosts if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+(/[a-z0-9._-]+)*", host)] == []


def test_a_name_that_is_always_enough_is_no_dictionary_word() -> None:
    words = {
        "Meta",
        "Apple",
        "Together",
        "Scale",
        "Cursor",
        "Operator",
        "Codex",
        "Orca",
        "Nova",
        "Phi",
        "Epoch",
        "Gemini",
    }
    excepted = {(lab.id, str(weak["name"])) for lab in LABS for weak in lab.weak}
    loose = [(lab.id, name) for lab in LABS for name in (*lab.names, *lab.products) if name in words]
    assert [name for name in loose if name not in excepted] == []
