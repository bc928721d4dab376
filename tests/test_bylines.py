"""By: each rule of ``taggers.bylines`` as a sentence."""

from __future__ import annotations

from dataclasses import replace

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


# --- by: papers, from what is stored of them

AUTHORS = ("Ina Moss", "Udo Fern")


def stored(block: str = "", *, authors: tuple[str, ...] = AUTHORS, links: tuple[str, ...] = (), affiliations: tuple[str, ...] = ()) -> Item:
    """A paper that names labs in its text, which never says who wrote it."""
    told = paper("Agents that learn", "OpenAI and Anthropic build agents.", authors)
    return replace(told, block=block, links=links, affiliations=affiliations)


def test_by_the_affiliations_of_the_metadata() -> None:
    found = tag(stored(affiliations=("Mistral AI, Paris", "Uppsala University")))
    assert found == [Attribution("mistral", "by", "affiliation", "stated", "Mistral AI, Paris", "metadata")]


def test_by_the_author_block_each_lab_once_with_the_line_that_names_it() -> None:
    found = tag(stored("affiliation: Lund University\naffiliation: Sakana AI, Tokyo\nnote: Work done at Sakana AI.\naffiliation: NVIDIA"))
    assert found == [
        Attribution("sakana", "by", "block", "stated", "Sakana AI, Tokyo", "author block"),
        Attribution("nvidia", "by", "block", "stated", "NVIDIA", "author block"),
    ]


def test_by_the_organisation_that_submitted_it_to_hugging_face() -> None:
    found = tag(stored(links=("url:https://huggingface.co/nvidia",)))
    assert found == [Attribution("nvidia", "by", "hf", "stated", "huggingface.co/nvidia", "links")]


def test_by_the_lab_whose_repository_it_links_to() -> None:
    found = tag(stored(links=("url:https://github.com/SakanaAI/nightshift/tree/main/src",)))
    assert found == [Attribution("sakana", "by", "repo", "inferred", "github.com/SakanaAI/nightshift", "links")]


NOT_THEIRS = {
    "a stranger's repository": "url:https://github.com/some-student/openai",
    "a stranger's organisation": "url:https://huggingface.co/some-student",
    "a lab's page on GitHub, no repository": "url:https://github.com/openai",
    "an issue in a lab's repository": "url:https://github.com/openai/codex/issues/7",
    "a lab's post": "url:https://openai.com/index/a",
    "another paper": "arxiv:2606.04321",
    "a host that is none": "url:http://[oops",
}


@pytest.mark.parametrize("link", NOT_THEIRS.values(), ids=NOT_THEIRS)
def test_no_by_from_a_link_to(link: str) -> None:
    assert tag(stored(links=(link,))) == []


def test_by_a_mail_domain_where_nothing_names_that_family() -> None:
    found = tag(stored("affiliation: Lund University\nemail: @research.xiaomi.com"))
    assert found == [Attribution("xiaomi", "by", "email", "inferred", "@research.xiaomi.com", "author block")]


def test_a_mail_domain_of_parent_and_child_is_the_parents() -> None:
    assert labs(tag(stored("email: @google.com")), "by") == {"google"}
    assert labs(tag(stored("email: @microsoft.com")), "by") == {"microsoft"}


@pytest.mark.parametrize("home", ["Google DeepMind", "Google Research"])
def test_a_mail_domain_adds_nothing_to_a_lab_of_its_family(home: str) -> None:
    found = tag(stored(f"affiliation: {home}\nemail: @google.com\nemail: @nvidia.com"))
    assert [one.method for one in found] == ["block", "email"]
    assert found[1].lab == "nvidia"


def test_a_mail_domain_adds_nothing_to_a_repository_of_its_family() -> None:
    found = tag(stored("email: @google.com", links=("url:https://github.com/google-deepmind/nightshift",)))
    assert [(one.lab, one.method) for one in found] == [("google-deepmind", "repo")]


@pytest.mark.parametrize("domain", ["notgoogle.com", "google.com.example", "a.b.c.d.e.f.g.google.com.example", "gmail.com", "com"])
def test_a_domain_that_only_looks_alike_is_nobodys(domain: str) -> None:
    assert tag(stored(f"email: @{domain}")) == []


def test_a_parent_in_the_line_of_its_child_says_nothing_of_its_own() -> None:
    assert labs(tag(stored("affiliation: Tongyi Lab, Alibaba Group")), "by") == {"alibaba-qwen"}
    assert labs(tag(stored("affiliation: Microsoft Research Asia, Microsoft")), "by") == {"msra"}


HOMES = {
    "a company": ("affiliation: Meta, Menlo Park, USA", {"meta"}),
    "a company with its old name": ("affiliation: Meta Facebook", {"meta"}),
    "a word of companies behind it": ("affiliation: Apple Inc, Cupertino", {"apple"}),
    "a company behind the preposition": ("note: Work done at Apple.", {"apple"}),
    "an internship": ("note: This work was done during an internship at Adobe Research", {"adobe"}),
    "two in a sentence": ("affiliation: I. Moss is with Meta and U. Fern with Amazon.", {"meta", "amazon"}),
    "joined by and": ("affiliation: Apple and Uppsala University", {"apple"}),
    "a lab of two owners": ("affiliation: MIT-IBM Watson AI Lab", {"ibm-research"}),
    "capitals": ("affiliation: SALESFORCE AI RESEARCH", {"salesforce"}),
    "a sentence of money beside one of a home": ("note: Work done at NVIDIA. Supported by a Google grant.", {"nvidia"}),
    "money": ("note: This work was supported by Google, Microsoft and NVIDIA", set()),
    "a gift": ("note: Funded in part by a gift from Adobe Research", set()),
    "an award": ("note: U. Fern holds an Amazon Research Award", set()),
    "a fellowship": ("note: I. Moss has a Meta AI Fellowship", set()),
    "thanks": ("note: We thank Mistral AI; we are grateful to Cohere for access", set()),
    "credits": ("note: Google Cloud credits were given to us", set()),
    "computers": ("note: Experiments ran on NVIDIA H100 GPUs", set()),
    "compute": ("note: Compute resources of Amazon Web Services were used", set()),
    "a river": ("affiliation: Universidade Federal do Amazonas, Manaus", set()),
    "a town": ("affiliation: Apple Valley Public Schools", set()),
    "a benefactor": ("affiliation: Paul G. Allen School of Computer Science and Engineering", set()),
    "a hospital": ("affiliation: Samsung Medical Center, Seoul", set()),
    "a way of learning": ("affiliation: Meta-Learning Lab, University of Graz", set()),
    "a science, first": ("affiliation: Cognition and Brain Sciences Unit, Cambridge", set()),
    "a science, last": ("affiliation: Institute for Language and Cognition", set()),
    "a science of a department": ("affiliation: Department of Cognition, Aarhus", set()),
    "a part of a word": ("affiliation: Universitat Intelligenta, NVIDIAN Institute", set()),
    "a name is no affiliation": ("name: Mistral AI Reader", set()),
}


@pytest.mark.parametrize(("block", "wanted"), HOMES.values(), ids=HOMES)
def test_the_labs_of_a_line(block: str, wanted: set[str]) -> None:
    assert labs(tag(stored(block)), "by") == wanted


@pytest.mark.parametrize("person", ["Huawei Shen", "Kunlun Xu", "Zhipu Cui"])
@pytest.mark.parametrize(
    "line", ["name: {}", "affiliation: {}", "affiliation: {}, Peking University", "note: Correspondence to: {} <@pku.example>"]
)
def test_a_person_in_a_block_is_no_lab(person: str, line: str) -> None:
    assert tag(stored(line.format(person), authors=("Ina Moss",))) == []


def test_an_author_in_a_block_is_no_lab_whatever_the_surname() -> None:
    line = "affiliation: Huawei Example, Peking University"
    assert labs(tag(stored(line, authors=("Ina Moss",))), "by") == {"huawei"}
    assert tag(stored(line, authors=("Ina Moss", "Huawei Example"))) == []


def test_a_block_of_a_post_says_nothing() -> None:
    assert tag(replace(item("A post"), block="affiliation: OpenAI", affiliations=("OpenAI",))) == []


@pytest.mark.parametrize(
    "line", ["@" + "a." * 50_000, "@a" * 50_000, "Apple" + " " * 100_000, "," * 100_000, "Apple, " * 20_000 + "x", "a" * 100_000]
)
def test_long_lines_are_read_in_the_time_their_length_takes(line: str) -> None:
    """A pattern that goes back and forth would take hours here, so this ends or the run does not."""
    assert labs(tag(stored(affiliations=(line,), block=line)), "by") <= {"apple"}


# --- what a footnote says beside homes

FOOTNOTES = {
    "a former home": ("note: Previously at Google DeepMind.", set()),
    "where somebody went": ("note: Now at OpenAI.", set()),
    "what an experiment ran on": ("note: Our experiments ran on Google Cloud.", set()),
    "what is evaluated": ("note: We evaluate models by OpenAI and Anthropic.", set()),
    "work there, with money from elsewhere": ("note: Work done at Anthropic, supported by a grant of NVIDIA.", {"anthropic"}),
    "a home": ("note: Anthropic, San Francisco. Correspondence to: Ann Example.", {"anthropic"}),
}


@pytest.mark.parametrize(("line", "expected"), FOOTNOTES.values(), ids=FOOTNOTES)
def test_a_footnote_tells_of_homes_and_of_other_things(line: str, expected: set[str]) -> None:
    assert labs(tag(Item(1, "arxiv:2606.01234", "s", None, "A title", origin="paper", block=line)), "by") == expected
