"""Where an item comes from, what it does and whether anybody has confirmed it: one table for each family of rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.taggers.acts import DEFAULTS, act, words_of
from tracker.taggers.labs import LabTagger
from tracker.taggers.signals import denial, origin, unconfirmed
from tracker.types import ORIGINS, Lab

TAGGER = LabTagger([Lab("openai", "OpenAI", "frontier", hosts=("openai.com",), github=("openai",))])

CASES = {
    "an arXiv id is a paper": ("arxiv:2606.01234", "https://arxiv.org/abs/2606.01234", "paper", "paper"),
    "an arXiv id in a forum is a paper": (
        "arxiv:2606.01234",
        "https://forum.example/1",
        "community",
        "paper",
    ),
    "a DOI is a paper": ("doi:10.1000/1", "https://doi.org/10.1000/1", "press", "paper"),
    "a paper on a lab's site is a paper": (
        "arxiv:2606.01234",
        "https://openai.com/a.pdf",
        "official",
        "paper",
    ),
    "a lab's post in its feed": ("url:https://openai.com/a", "https://openai.com/a", "official", "official"),
    "a lab's post in a forum": ("url:https://openai.com/a", "https://openai.com/a", "community", "official"),
    "a lab's repository in a forum": ("url:x", "https://github.com/openai/codex", "community", "official"),
    "an issue in it stays with the forum": (
        "url:x",
        "https://github.com/openai/codex/issues/1",
        "community",
        "community",
    ),
    "press about a lab": ("url:x", "https://news.example/openai.com", "press", "press"),
    "a mirror with links of its own": ("url:x", "https://mirror.example/1", "official", "official"),
    "an entry without a link": ("guid:some-feed:7", None, "press", "press"),
}


@pytest.mark.parametrize(("key", "url", "source_origin", "expected"), CASES.values(), ids=CASES)
def test_origin(key: str, url: str | None, source_origin: str, expected: str) -> None:
    assert origin(key, url, source_origin, TAGGER.lab_of_url) == expected


def test_every_origin_of_a_source_is_one_of_four() -> None:
    assert [origin("url:x", None, one, TAGGER.lab_of_url) for one in ORIGINS] == list(ORIGINS)
    with pytest.raises(ValueError, match="'blog' is not an origin; expected one of paper"):
        origin("arxiv:2606.01234", None, "blog", TAGGER.lab_of_url)


LAB, ELSEWHERE = "https://lab.example/blog/x", "https://person.example/posts/x"
# (origin, title, text, URL) → act; the sentences are ours
ACTS = {
    "a paper": ("paper", "Introducing memory", "", "https://arxiv.org/abs/2606.01234", "result", "a paper"),
    "the press reports, whatever it says": ("press", "Lab launches a new agent", "", ELSEWHERE, "report", "the press"),
    "a column": ("press", "Agents at work", "", "https://paper.example/opinion/agents", "opinion", "/opinion/"),
    "an initial is no first person": ("press", "The A.I. Boom Goes On", "", ELSEWHERE, "report", "the press"),
    "a first person": ("press", "I gave my inbox to an agent", "", ELSEWHERE, "opinion", "I"),
    "a lab introduces": ("official", "Introducing Planner", "", LAB, "release", "Introducing"),
    "a lab says that it is there": ("official", "Planner is now in the editor", "", LAB, "release", "is now"),
    "a line of a changelog": ("official", "Faster search", "", "https://lab.example/changelog/7", "release", "/changelog"),
    "a repository": ("official", "planner", "", "https://github.com/lab/planner", "release", "//github.com/lab/planner"),
    "an issue in it is no release": ("official", "planner", "", "https://github.com/lab/planner/issues/3", "result", "a post of the lab"),
    "the name of a model": ("official", "Owl 4.5 Mini", "", LAB, "release", "Owl 4.5 Mini"),
    "a launch behind the menu of the page": (
        "official", "Small is big.", "Back to all posts. Today we're releasing Owl.", LAB, "release", "we're releasing",
    ),
    "a council is no release": (
        "official", "Introducing the Lab Safety Council", "", LAB, "announcement", "Council",
    ),
    "people": ("official", "Lab appoints a chief scientist", "", LAB, "announcement", "appoints"),
    "signs of something are no signature": ("official", "Early signs of honesty", "", LAB, "result", "a post of the lab"),
    "partners who launch are partners": ("official", "Lab and Bank partner to launch a school", "", LAB, "announcement", "partner to"),
    "a customer": ("official", "How Bakery uses Owl", "", LAB, "report", "How Bakery uses"),
    "the lab itself is no customer": ("official", "How we built the sandbox", "", LAB, "result", "How we"),
    "advice": ("official", "How to write good prompts", "", LAB, "opinion", "How to"),
    "a guide on the page of a tool": ("official", "Owls", "", "https://cookbook.lab.example/owls", "opinion", "//cookbook."),
    "a study, by its address": ("official", "Honest owls", "", "https://lab.example/research/owls", "result", "/research/"),
    "a study, by its words": ("official", "Honest owls", "We find that owls lie less.", LAB, "result", "We find"),
    "what was measured is told first": ("official", "Owls", "We measured six, now available.", LAB, "result", "We measured"),
    "a system card is a document": ("official", "Owl 4.5 system card is now available", "", LAB, "result", "system card"),
    "something on show": ("community", "Show HN: Owl keeps my notes", "", "https://owl.example/", "release", "Show HN"),
    "the page of a thing": ("community", "Owl", "", "https://owl.example/", "release", "https://owl.example/"),
    "an essay": ("community", "Notes on owls", "", ELSEWHERE, "opinion", "a post of the community"),
    "an attack that works": ("community", "A new attack on owls", "", ELSEWHERE, "result", "attack"),
    "a complaint": ("community", "Owl eats memory", "", "https://github.com/lab/owl/issues/9", "report", "github.com/lab/owl/issues/"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "title", "text", "url", "expected", "cue"), ACTS.values(), ids=ACTS)
def test_act(source: str, title: str, text: str, url: str, expected: str, cue: str) -> None:
    assert act(source, title, text, url) == (expected, cue)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://lab.example/blog/introducing-owl/?utm_source=x", "introducing owl"),
        ("https://lab.example/a/Owl_is%20here", "Owl is here"),
        ("https://lab.example", ""),
        ("https://[broken", ""),
        (None, ""),
    ],
)
def test_the_words_of_an_address(url: str | None, words: str) -> None:
    assert words_of(url) == words


UNCONFIRMED = {
    "the word itself": ("press", "Owl Inc reportedly buys Nest", "", ("yes", "reportedly")),
    "sources": ("press", "Owl Inc cuts jobs, sources say", "", ("yes", "sources say")),
    "people who know": ("press", "Owl Inc grows", "It doubled, people familiar with it told us.", ("yes", "people familiar")),
    "talks": ("press", "Owl Inc in advanced talks with Nest", "", ("yes", "in advanced talks")),
    "a report of somebody else": ("press", "Owl Inc uses banned chips, report says", "", ("yes", "report says")),
    "talks in a forum": ("community", "Owl Inc in talks to buy Nest", "", ("yes", "in talks")),
    "what leaks": ("press", "Owl 5 leaks, Nest hires", "", ("yes", "leaks")),
    "what has leaked is there": ("press", "Source code of Owl has been leaked", "", None),
    "a plan": ("press", "Owl Inc plans a phone", "", ("possibly", "plans")),
    "plans that are things": ("press", "Owl Inc cuts its plans for teams", "", None),
    "a verb of intent": ("press", "Owl Inc Eyes Nest", "", ("possibly", "Eyes")),
    "a headline's future": ("press", "Owl Inc To Release Open Model", "", ("possibly", "To Release")),
    "what is bought has been signed": ("press", "Owl Inc to Acquire Nest", "", None),
    "a paper that has it alone": ("press", "Exclusive: Owl Inc trains a giant", "", ("possibly", "Exclusive")),
    "it says so itself": ("press", "Owl Inc says it plans a phone", "", None),
    "it owns up to a leak": ("press", "Exclusive: Owl Inc acknowledges Owl 5 after leak reveals it", "", None),
    "a plan in a forum": ("community", "Owl Inc plans a phone", "", None),
    "a fact": ("press", "Owl Inc releases Owl 5", "It is faster.", None),
    "further down": ("press", "Owl Inc grows", "It grew. It is reportedly for sale.", None),
    "a paper": ("paper", "Owls reportedly lie", "", None),
    "a lab's own post": ("official", "We plan to release Owl, reportedly in talks", "", None),
}


@pytest.mark.parametrize(("source", "title", "text", "expected"), UNCONFIRMED.values(), ids=UNCONFIRMED)
def test_unconfirmed(source: str, title: str, text: str, expected: tuple[str, str] | None) -> None:
    assert unconfirmed(source, title, text) == expected


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        pytest.param("Owl Inc grows", "The firm is reportedly for sale", ("yes", "reportedly"), id="the title names it"),
        pytest.param("A bank is reportedly for sale", "Owl Inc is in talks", ("yes", "in talks"), id="only the first sentence names it"),
        pytest.param("A bank is reportedly for sale", "Owl Inc grows", None, id="the doubt is about somebody else"),
        pytest.param("A bank plans a phone", "It is reportedly big", None, id="nobody names it"),
    ],
)
def test_only_a_sentence_that_names_a_lab_counts(title: str, text: str, expected: tuple[str, str] | None) -> None:
    assert unconfirmed("press", title, text, lambda sentence: "Owl" in sentence) == expected


DENIALS = {
    "denies": ("press", "Owl Inc denies leaving the alliance", "", "denies"),
    "denies reports": ("press", "Owl Inc denies report that it buys Nest", "", "denies report"),
    "of somebody": ("press", "Owl Inc denies the Gazette's claims", "", "denies the Gazette's claims"),
    "said so": ("press", "Owl Inc denied it had bought Nest", "", "denied"),
    "in talks it is not": ("press", "Owl Inc is not in talks with Nest", "", "not in talks"),
    "no plans": ("press", "Owl Inc has no plans to buy Nest, it says", "", "no plans to"),
    "what a report is": ("press", "Report that Owl Inc buys Nest is false, says its chief", "", "Report that Owl Inc buys Nest is false"),
    "what it is called": ("press", "Owl Inc calls report on Nest ‘misleading’", "", "calls report on Nest ‘misleading"),
    "a dispute": ("press", "Owl Inc disputes the ministry’s account", "", "disputes the ministry’s account"),
    "a step back": ("press", "Owl Inc walks back its promise", "", "walks back its promise"),
    "a policy that changes": ("press", "Owl Inc walks back its safety policy", "", None),
    "who refuses to": ("press", "Owl Inc refuses to deny reports of a sale", "", None),
    "who cannot": ("press", "Owl Inc cannot deny reports of a sale", "", None),
    "they who deny": ("press", "The people who deny AI claims", "", None),
    "what it has not seen": ("press", "Owl Inc says it has not seen misuse", "", None),
    "a report is false": ("press", "Owl Inc: report false", "", "report false"),
    "another step back": ("community", "Owl Inc backtracks on prices", "", "backtracks"),
    "taken back": ("press", "Owl Inc retracts its proof", "", "retracts"),
    "ruled out": ("press", "Owl Inc rules out an IPO", "", "rules out"),
    "shot down": ("press", "Owl Inc shoots down rumours", "", "shoots down rumours"),
    "no truth": ("press", "There is no truth in it, says Owl Inc", "", "no truth in"),
    "debunked": ("community", "The leak of Owl 5, debunked", "", "debunked"),
    "a note of the editors": ("press", "Correction: Owl Inc has not bought Nest", "", "Correction"),
    "such a note in brackets": ("official", "[Corrected] Our figures of May", "", "Corrected"),
    "a retraction": ("press", "Retraction — Owl Inc and Nest", "", "Retraction"),
    "in the first sentence": ("press", "Owl Inc and Nest", "The firm refuted reports of a sale. More.", "refuted reports"),
    "further down": ("press", "Owl Inc and Nest", "They met. The firm denies reports of a sale.", None),
    "a lab's own word": ("official", "We have no plans to train on your data", "", "no plans to"),
    "a paper never": ("paper", "Owl debunks claims and retracts false reports", "", None),
    "errors": ("press", "Error correction for quantum chips", "", None),
    "oneself": ("press", "Self-correction makes models better", "", None),
    "service": ("press", "Denial of service found in the SDK of Owl", "", None),
    "access": ("press", "Owl Inc denies users access to its model", "", None),
    "a court": ("press", "Judge denies Owl Inc’s motion to dismiss", "", None),
    "a court, otherwise": ("press", "Court denies Nest's request for an injunction", "", None),
    "denied by others": ("press", "Visa denied for the head of Owl Inc", "", None),
    "an adjective": ("press", "Drones for GPS denied places", "", None),
    "does not deny": ("press", "Owl Inc doesn't deny using it", "", None),
    "neither": ("press", "Owl Inc neither confirms nor denies reports", "", None),
    "a choice of words": ("press", "Agents that approve or deny commands", "", None),
    "science": ("press", "Retracted papers still teach models", "", None),
    "a journal": ("press", "Finding retracted studies with agents", "", None),
    "a trade": ("press", "Fact-checking with agents that read rumours", "", None),
    "an algorithm": ("press", "Backtracking search in agents", "", None),
    "the stock market": ("press", "Bank fears a sudden correction", "", None),
    "rules": ("press", "New rules out now", "", None),
}


@pytest.mark.parametrize(("source", "title", "text", "expected"), DENIALS.values(), ids=DENIALS)
def test_denial(source: str, title: str, text: str, expected: str | None) -> None:
    assert denial(source, title, text) == expected


ANY = st.text(max_size=700) | st.sampled_from(
    ["Introducing the ", "how a ", "using x for ", "A1 ", "in x talks ", "open source x "]
).flatmap(lambda part: st.integers(0, 300).map(lambda times: part * times))


@given(st.sampled_from(sorted(ORIGINS)), ANY, ANY, st.none() | ANY)
def test_a_cue_is_part_of_what_was_given(source: str, title: str, text: str, url: str | None) -> None:
    said, cue = act(source, title, text, url)
    assert cue in DEFAULTS[source] or any(cue in given for given in (title, text, url or ""))
    assert said in ("announcement", "release", "result", "report", "opinion")
    found = unconfirmed(source, title, text)
    assert found is None or (found[0] in ("yes", "possibly") and found[1] and (found[1] in title or found[1] in text))
    denied = denial(source, title, text)
    assert denied is None or (denied and (denied in title or denied in text))


@pytest.mark.parametrize(
    "part",
    [
        "Introducing the ", "how a b ", "using x for y ", "A1 ", "in x ", "according to the x ", "open-source a-",
        "denies a ", "reports of a ", "calls the report on ", "said reports about x-", "[[[[[[[",
    ],
)  # fmt: skip
def test_no_text_is_long_enough_to_hold_the_run(part: str) -> None:
    """What is read has a bound: the end of a huge text can change nothing, and a pattern that backtracks would never come back."""
    huge = part * 200_000
    for source in ORIGINS:
        assert act(source, huge, huge, huge) == act(source, huge[:5000], huge[:5000], huge[:5000])
        assert unconfirmed(source, huge, huge) == unconfirmed(source, huge[:5000], huge[:5000])
        assert denial(source, huge, huge) == denial(source, huge[:5000], huge[:5000])
