"""By: each rule of ``taggers.bylines`` as a sentence."""

from __future__ import annotations

import pytest

from tests.test_labs import TAGGER, item, labs, paper
from tracker.types import Attribution, Item


def tag(one: Item) -> list[Attribution]:
    """What the item is by; its other rows are for test_labs.py."""
    return [found for found in TAGGER.tag([one])[0] if found.relation == "by"]


# --- by: posts


def test_by_the_lab_that_the_source_declares() -> None:
    found = tag(item("A post", url="https://deepmind.google/blog/a", source="deepmind-blog", lab="google-deepmind"))
    evidence = "the source deepmind-blog is by Google DeepMind"
    assert found == [Attribution("google-deepmind", "by", "source", "declared", evidence, "source")]


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
    assert tag(item("A post", url=url)) == [Attribution(lab, "by", "host", "stated", evidence, "address")]


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
    assert by == [Attribution(lab, "by", "author", "stated", " ".join(author.split()), "authors")]


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
