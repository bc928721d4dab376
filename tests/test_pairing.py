"""Pairs of items: what of them is compared, what keeps two apart, what they have in common, whom they meet, what becomes one."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tracker.pairing import model
from tracker.pairing.clusters import clusters
from tracker.pairing.features import NAMES, features
from tracker.pairing.guards import apart, namesakes, shared_ends, stands_alone
from tracker.pairing.model import load, load_rarity
from tracker.pairing.sketch import Rarity, Sketch, sketch, words_of
from tracker.pairing.window import COUNT_DAYS, MANY, NEAR_DAYS, Window
from tracker.pairing.words import reason
from tracker.train_pairs import rarity_text
from tracker.types import Item

RARITY = Rarity(1_000, {"the": 900, "agent": 300, "model": 300, "new": 500, "chip": 20, "factory": 15, "com": 400})


def item(number: int, title: str, url: str | None = None, **more: object) -> Item:
    """An item as stored; ``day`` is of June 2026."""
    url = f"https://a{number}.example.org/" if url is None else url
    at = f"2026-06-{more.pop('day', 12):02}T08:00:00Z"
    return replace(Item(number, f"url:{url}", f"s{number}", url, title, published_at=at, first_seen_at=at, origin="press"), **more)  # type: ignore[arg-type]


def drawn(number: int, title: str, url: str | None = None, links: Sequence[str] = (), **more: object) -> Sketch:
    """A sketch of an item."""
    return sketch(item(number, title, url, **more), (), links)


def around(*sketches: Sketch, rarity: Rarity = RARITY) -> Window:
    window = Window(rarity)
    window.add(sketches)
    return window


# -- words ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("Zorblat 4.6 and 4.6.1", ["zorblat", "4.6", "and", "4.6.1"], id="versions are whole"),
        pytest.param("It ends in 5.5.", ["it", "end", "in", "5.5"], id="the point of a sentence is none of a version"),
        pytest.param("v2.1.44", ["v2.1.44"], id="a version with its letter"),
        pytest.param("GPT-5.5", ["gpt", "5.5"], id="a name and its version"),
        pytest.param("C++ and A+", ["c++", "and", "a+"], id="plus"),
        pytest.param("Quimby’s and Quimby's model", ["quimby", "and", "quimby", "model"], id="possessive"),
        pytest.param("models glass bus gas", ["model", "glass", "bus", "gas"], id="plural, and what is none"),
        pytest.param("Naïve Café Müller", ["naive", "cafe", "muller"], id="accents"),
        pytest.param("４.６ and 𝐁old", ["4.6", "and", "bold"], id="letters in other widths and weights"),
        pytest.param("", [], id="nothing"),
        pytest.param("🚀 – ?!", [], id="no letter at all"),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(max_size=200))
def test_words_of_any_text_are_words(text: str) -> None:
    assert all(word and not word.isspace() for word in words_of(text))


OTHER_SCRIPTS = {
    "Chinese": ("我们发布新模型", "芯片工厂今天开业"),
    "Japanese": ("新しいモデルを発表", "工場が開く"),
    "Cyrillic": ("Новая модель рассуждений", "Завод микросхем открыт"),
    "Korean": ("새로운 모델 공개", "공장 문을 열다"),
}


@pytest.mark.parametrize("titles", OTHER_SCRIPTS.values(), ids=OTHER_SCRIPTS)
def test_two_titles_of_another_script_are_not_one(titles: tuple[str, str]) -> None:
    one, other = (drawn(n, title) for n, title in enumerate(titles))
    assert not namesakes(one, other)
    assert one.alone == "", "it names something"
    values = dict(zip(NAMES, features(one, other, RARITY, around(one, other).near), strict=True))
    assert values["same title"] == 0
    assert around(one, other).meets(one) == []
    assert "the same title" not in reason(one, other, RARITY, around(one, other).near)


@pytest.mark.parametrize("title", [titles[0] for titles in OTHER_SCRIPTS.values()], ids=OTHER_SCRIPTS)
def test_the_same_title_of_another_script_is_met(title: str) -> None:
    one, other = drawn(1, title), drawn(2, f"{title}!")
    assert around(one, other).meets(one) == [other]
    assert reason(one, other, RARITY, around(one, other).near).startswith("the same title")


# -- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "last"),
    [
        pytest.param("https://www.x.example.org/blog/zorblat-models-4.html", "x.example.org", ("zorblat", "model", "4"), id="as usual"),
        pytest.param("https://x.example:99999/a-chip", "x.example", ("chip",), id="a port that is too large"),
        pytest.param("https://x.example:port/a-chip", "x.example", ("chip",), id="a port of letters"),
        pytest.param("http://[::1/a-chip", "", (), id="half an address of IPv6"),
        pytest.param("//", "", (), id="slashes"),
        pytest.param("no address", "", ("address",), id="words"),
        pytest.param("https://x.example/" + "a-" * 1_000, "x.example", (), id="2,000 characters"),
        pytest.param("https://x.example/%2e%2e/%00", "x.example", (), id="encoded"),
        pytest.param("https://x.example/", "x.example", (), id="no path"),
    ],
)
def test_of_any_address_something_is_kept(url: str, host: str, last: tuple[str, ...]) -> None:
    found = drawn(1, "Zorblat", url)
    assert (found.host, found.last) == (host, last)


def test_an_item_without_an_address_has_no_place() -> None:
    found = sketch(replace(item(1, "Zorblat"), url=None))
    assert (found.host, found.site, found.path, found.last, found.slug_words) == ("", "", "", (), frozenset())


def test_a_very_long_word_of_an_address_is_no_word() -> None:
    assert drawn(1, "Zorblat", "https://x.example/" + "a" * 2_000).slug_words == frozenset()


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("www.x.example.org", "example.org"),
        ("a.example.co.uk", "example.co.uk"),
        ("b.github.io", "b.github.io"),
        ("localhost", "localhost"),
    ],
)
def test_who_runs_a_site(host: str, site: str) -> None:
    assert drawn(1, "Zorblat", f"https://{host}/x").site == site


def test_the_frame_that_link_sites_write_is_no_text() -> None:
    text = "Article URL: https://x.example/a Comments URL: https://y.example Points: 12 # Comments: 3"
    assert drawn(1, "Zorblat", text=text).text_words == frozenset()


def test_a_text_that_repeats_the_title_says_nothing_more() -> None:
    assert drawn(1, "Zorblat opens", text="ZORBLAT opens!").text_words == frozenset()


# -- guards -----------------------------------------------------------------------------------------


def both_ways(one: Sketch, other: Sketch) -> str:
    """What keeps them apart, whichever comes first."""
    assert apart(one, other) == apart(other, one)
    assert namesakes(one, other) == namesakes(other, one)
    return apart(one, other)


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("Introducing Zorblat 4.6", "Introducing Zorblat 4.5", "another version"),
        ("Zorblat 4 opens", "Zorblat 5 opens", "other numbers"),
        ("Zorblat 4 opens", "Zorblat opens", ""),
        ("Zorblat 4.5 opens", "Zorblat 4.5 and 4.6 open", ""),
        ("Zorblat opens", "Zorblat is now available in Quimby", "one is about where it is available"),
        ("Zorblat is generally available", "Zorblat opens", ""),
        ("Zorblat opens", "Zorblat versus Quimby", "one compares"),
        ("Zorblat opens", "Show HN: Zorblat opens", "somebody shows or asks something"),
        ("Show HN: Zorblat opens", "Show HN: Zorblat opens!", ""),
        ("Zorblat opens", "A factory closes", ""),
    ],
)
def test_what_keeps_two_titles_apart(one: str, other: str, why: str) -> None:
    assert both_ways(drawn(1, one), drawn(2, other)) == why


def test_parts_of_a_series_are_of_one_site_that_is_no_labs() -> None:
    titles = ("Quimby Prize in Botany this year", "Quimby Prize in Geology this year")
    here = [drawn(n, title, f"https://a.example.org/{n}") for n, title in enumerate(titles)]
    assert both_ways(*here) == "parts of a series"
    assert both_ways(here[0], drawn(3, titles[1], "https://a.example.net/")) == ""
    assert both_ways(here[0], drawn(3, titles[1], "https://a.example.org/3", origin="official")) == ""


def test_two_papers_are_two_but_with_one_title() -> None:
    one, other = (drawn(n, f"Agents that learn {n}", key=f"arxiv:2606.0000{n}") for n in (1, 2))
    assert both_ways(one, other) == "two papers"
    assert both_ways(one, drawn(3, "Agents that learn 1", key="doi:10.1/x")) == ""


def test_a_title_comes_back_within_days_or_is_another() -> None:
    title = "Zorblat opens a chip factory"
    here, there = "https://a.example.org/1", "https://b.example.com/2"
    assert namesakes(drawn(1, title, here, day=12), drawn(2, title, there, day=16))
    assert not namesakes(drawn(1, title, here, day=12), drawn(2, title, there, day=17))
    assert not namesakes(drawn(1, title, here, day=12), drawn(2, title, f"{here}2", day=13)), "a column of one site"
    assert namesakes(*(drawn(n, title, f"{here}{n}", day=12 + n, origin="official") for n in (1, 2))), "a lab says it twice"
    assert not namesakes(drawn(1, "Zorblat opens", here), drawn(2, "Zorblat opens", there)), "too short"
    assert not namesakes(drawn(1, "Zorblat ships Command A+", here), drawn(2, "Zorblat ships Command A", there)), "another model"


@pytest.mark.parametrize(
    ("one", "other", "ends"),
    [((), (), (0, 0)), (("a",), ("a",), (1, 1)), (("a", "b"), ("a", "c"), (1, 0)), (("a", "b"), ("c", "d", "b"), (0, 1))],
)
def test_words_that_two_titles_share_at_their_ends(one: tuple[str, ...], other: tuple[str, ...], ends: tuple[int, int]) -> None:
    assert shared_ends(one, other) == ends


# -- features ---------------------------------------------------------------------------------------

_VOCABULARY = """Zorblat Quimby 4.5 4.6 5 v2 agents learn the and chip factory opens not vs available in weekly Show HN: системы 模型 é 🚀
a-b""".split()
SAID = st.lists(st.sampled_from(_VOCABULARY), max_size=9).map(" ".join)
TITLES = st.one_of(SAID, st.text(max_size=60))
URLS = st.one_of(
    st.none(),
    st.builds(
        "https://{}/{}".format,
        st.sampled_from(["a.example.org", "b.example.org", "x.github.io", "x.example:99999", "[::1", "localhost"]),
        st.one_of(SAID.map(lambda said: said.replace(" ", "-")), st.text(max_size=40), st.just("%D0%B0-%D0%B1/zorblat.html")),
    ),
)
LINKS = st.lists(st.sampled_from(["arxiv:2606.00001", "url:https://a.example.org/", "url:https://b.example.org/x"]), max_size=3)


@st.composite
def sketches(draw: st.DrawFn, number: int, texts: st.SearchStrategy[str] = SAID) -> Sketch:
    """Any item."""
    made = item(
        number, draw(TITLES), day=draw(st.integers(1, 28)), text=draw(texts), origin=draw(st.sampled_from(["paper", "official", "press"]))
    )
    key = draw(st.sampled_from([made.key, f"arxiv:2606.0000{number}", "url:https://b.example.org/x"]))
    return sketch(replace(made, url=draw(URLS), key=key, source=draw(st.sampled_from("ab"))), (), draw(LINKS))


@settings(max_examples=300)
@given(sketches(1), sketches(2))
def test_what_is_said_of_a_pair_does_not_depend_on_which_comes_first(one: Sketch, other: Sketch) -> None:
    assume(one.key != other.key)  # no two items have one
    near = around(one, other).near
    values = features(one, other, RARITY, near)
    assert features(other, one, RARITY, near) == pytest.approx(values, rel=1e-9, abs=1e-9)


@settings(max_examples=200)
@given(sketches(1), sketches(2))
def test_of_any_pair_there_are_numbers_and_a_share(one: Sketch, other: Sketch) -> None:
    near = around(one, other).near
    values = features(one, other, RARITY, near)
    assert len(values) == len(NAMES)
    assert all(map(math.isfinite, values))
    (value,) = load().agreement([(one, other)], near)
    assert 0 <= value <= 1
    assert not both_ways(one, other) or value == 0
    assert reason(one, other, RARITY, near)


def named(one: Sketch, other: Sketch, *among: Sketch) -> dict[str, float]:
    """The features of a pair by name."""
    return dict(zip(NAMES, features(one, other, RARITY, around(one, other, *among).near), strict=True))


def test_the_features_of_a_post_and_its_paper() -> None:
    post = drawn(1, "Our Zorblat learns", "https://lab.example.org/zorblat", ["arxiv:2606.00001"], origin="official", day=13)
    paper = drawn(2, "Zorblat: a chip that learns", key="arxiv:2606.00001")
    found = named(post, paper)
    assert (found["linked"], found["paper and other"], found["days"], found["shared words"]) == (1, 1, 1, 2)
    assert found["title overlap"] == pytest.approx(1), "both words of the shorter title"
    assert (found["both official"], found["one official"], found["neither official"]) == (0, 0, 0)


def test_a_link_that_many_share_is_no_sign() -> None:
    crowd = [drawn(n, f"Item {n}", links=["url:https://x.example/"]) for n in range(5)]
    assert named(*crowd)["shared link"] == 0
    assert named(*(drawn(n, f"Item {n}", links=["url:https://x.example/"]) for n in range(2)))["shared link"] == 1


# -- how rare words are -----------------------------------------------------------------------------


def test_a_word_that_nobody_has_is_the_rarest() -> None:
    rarity = Rarity(99, {"the": 99, "chip": 9})
    assert rarity["the"] == 0
    assert rarity["chip"] == pytest.approx(math.log(10))
    assert rarity["zorblat"] == rarity.most == pytest.approx(math.log(100))
    assert "zorblat" not in rarity, "asking for a word does not keep it"
    assert rarity.sum(["chip", "zorblat"]) == pytest.approx(math.log(1_000))


def test_rarity_is_stored_as_text_and_read_again() -> None:
    texts = ["the chip", "the chips", "the chip, the chip", "the Zorblat", f"the {'x' * 30} 4.5", "4.5", "4.5+"]
    told = rarity_text(texts)
    assert told == "7\n3 chip\n5 the\n", "what is in fewer than three texts is not listed, and counts as unknown"
    assert dict(load_rarity(told)) == pytest.approx({"chip": math.log(8 / 4), "the": math.log(8 / 6)})
    assert load_rarity(told).most == pytest.approx(math.log(8))


def test_rarity_of_nothing() -> None:
    assert rarity_text([]) == "0\n"
    assert load_rarity("0\n").most == 0


# -- the window -------------------------------------------------------------------------------------

_INDEXES = ("_sketches", "_titled", "_named", "_joined", "_told", "_held")


@given(st.lists(st.integers(0, 10_000), max_size=8, unique=True).flatmap(lambda ids: st.tuples(*(sketches(n) for n in ids))))
@settings(max_examples=50)
def test_what_is_dropped_leaves_nothing_behind(found: tuple[Sketch, ...]) -> None:
    window = around(*found)
    window.drop([one.id for one in found])
    assert [name for name in _INDEXES if getattr(window, name)] == []


def test_what_stays_is_as_if_the_others_had_never_come() -> None:
    stay, go = drawn(1, "Zorblat opens a chip factory"), drawn(2, "Zorblat opens a factory")
    window = around(stay, go)
    assert (window.near("zorblat", stay.day), window.meets(stay)) == (2, [go])
    window.drop([2])
    assert (window.near("zorblat", stay.day), window.meets(stay)) == (1, [])


def test_how_many_hold_a_thing_is_counted_around_a_day() -> None:
    at = [drawn(n, "Zorblat opens", f"https://a.example.org/{n}", ["url:https://x.example/"], day=n) for n in range(1, 21)]
    window = around(*at)
    for thing in ("zorblat", ("zorblat", "open"), "url:https://x.example/"):
        assert window.near(thing, at[9].day) == 2 * COUNT_DAYS + 1
        assert window.near(thing, at[0].day) == COUNT_DAYS + 1
    assert window.near("quimby", at[9].day) == 0


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        pytest.param({"title": "Zorblat opens"}, {"title": "The Zorblat"}, True, id="a rare word"),
        pytest.param({"title": "New models"}, {"title": "The new model"}, False, id="words that all use"),
        pytest.param({"title": "Chat Control passed"}, {"title": "Chatcontrol in court"}, True, id="two words that are one"),
        pytest.param({"title": "A law"}, {"title": "The new model", "url": "https://b.example.org/zorblat"}, False, id="nothing"),
        pytest.param(
            {"title": "Zorblat"}, {"title": "A law", "url": "https://b.example.org/zorblat-law"}, True, id="a word of the address"
        ),
        pytest.param({"title": "Zorblat"}, {"title": "A law", "text": "It is on the Zorblat."}, True, id="a word of the text"),
        pytest.param(
            {"title": "A law", "text": "Zorblat"}, {"title": "The court", "text": "Zorblat"}, False, id="a word of both texts alone"
        ),
        pytest.param({"title": "Zorblat"}, {"title": "v2.1.44", "text": "Zorblat"}, False, id="a version, which stands alone"),
        pytest.param({"title": "Zorblat", "day": 12}, {"title": "Zorblat opens", "day": 12 + NEAR_DAYS}, True, id="a week later"),
        pytest.param({"title": "Zorblat", "day": 12}, {"title": "Zorblat opens", "day": 13 + NEAR_DAYS}, False, id="a day more"),
    ],
)
def test_who_meets_whom_whichever_comes_first(one: dict[str, object], other: dict[str, object], meet: bool) -> None:
    a, b = drawn(1, **one), drawn(2, **other)  # type: ignore[arg-type]
    window = around(a, b)
    assert window.meets(a) == [b] * meet
    assert window.meets(b) == [a] * meet
    assert window.worth(a, b) == window.worth(b, a)


@settings(max_examples=100)
@given(sketches(1, st.just("")), sketches(2, st.just("")))
def test_two_that_are_alone_in_the_window_meet_both_ways_or_not_at_all(one: Sketch, other: Sketch) -> None:
    window = around(one, other)
    assert bool(window.meets(one)) == bool(window.meets(other))


def test_a_word_of_one_address_that_the_other_text_has_is_seen_from_both() -> None:
    one, other = drawn(1, "A law", "https://a.example.org/zorblat"), drawn(2, "The court", text="Zorblat")
    assert [bool(around(one, other).meets(each)) for each in (one, other)] == [True, True]


def test_a_word_that_too_many_hold_joins_nobody() -> None:
    crowd = [drawn(n, f"Zorblat {chr(97 + n % 26)}{chr(97 + n // 26)}x") for n in range(MANY + 1)]
    assert len(around(*crowd).meets(crowd[0])) == MANY
    crowd.append(drawn(1_000, "Zorblat closes"))
    assert around(*crowd).meets(crowd[0]) == []


def test_those_met_come_in_an_order_of_their_own() -> None:
    crowd = [drawn(n, f"Zorblat {n}", day=20 - n % 3) for n in range(9)]
    orders = {tuple(one.id for one in around(*random.Random(seed).sample(crowd, 9)).meets(crowd[4])) for seed in range(5)}
    assert len(orders) == 1


# -- clusters ---------------------------------------------------------------------------------------


def brute(sizes: Sequence[int], agreement: Mapping[tuple[int, int], float], limit: float) -> list[int]:
    """Average linkage as the books have it: again and again all averages, the best of them first."""
    groups = [[n] for n in range(len(sizes))]
    weight = lambda group: sum(sizes[n] for n in group)  # noqa: E731
    while True:
        averages = [
            (-sum(agreement.get((min(a, b), max(a, b)), 0.0) for a in one for b in other) / (weight(one) * weight(other)), one[0], other[0])
            for one, other in itertools.combinations(groups, 2)
        ]
        best = min(averages, default=(0.0, 0, 0))
        if not averages or -best[0] < limit:
            return [next(group[0] for group in groups if n in group) for n in range(len(sizes))]
        one, other = (next(group for group in groups if group[0] == first) for first in best[1:])
        groups.remove(other)
        one += other


@st.composite
def grown(draw: st.DrawFn) -> tuple[list[int], dict[tuple[int, int], float]]:
    """Groups and how far they agree in sum, in eighths, so that sums are exact."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    pairs = [pair for pair in itertools.combinations(range(len(sizes)), 2) if draw(st.booleans())]
    return sizes, {(a, b): draw(st.integers(0, 8)) / 8 * sizes[a] * sizes[b] for a, b in pairs}


@settings(max_examples=400)
@given(grown(), st.sampled_from([0.25, 0.5, 0.625, 0.75, 1.0]))
def test_clusters_are_those_of_average_linkage(world: tuple[list[int], dict[tuple[int, int], float]], limit: float) -> None:
    sizes, agreement = world
    assert clusters(sizes, agreement, limit) == brute(sizes, agreement, limit)


def pairs_among(count: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda pair: pair[0] != pair[1]), max_size=4)


@settings(max_examples=300)
@given(grown(), st.data())
def test_what_a_person_keeps_apart_is_apart_and_what_belongs_together_is_one(
    world: tuple[list[int], dict[tuple[int, int], float]], data: st.DataObject
) -> None:
    sizes, agreement = world
    together, kept_apart = (data.draw(pairs_among(len(sizes))) if len(sizes) > 1 else [] for _ in range(2))
    homes = clusters(sizes, agreement, 0.5, together, kept_apart)
    assert all(homes[a] != homes[b] for a, b in kept_apart)
    assert all(homes[n] <= n and homes[homes[n]] == homes[n] for n in range(len(sizes))), "each is known by its first"
    if not kept_apart:
        assert all(homes[a] == homes[b] for a, b in together)
    assert homes == clusters(sizes, dict(reversed(agreement.items())), 0.5, together, kept_apart)


def test_apart_has_the_say_over_together() -> None:
    assert clusters([1, 1, 1], {}, 0.5, [(0, 1), (1, 2)], [(0, 2)]) == [0, 0, 2]
    assert clusters([1, 1, 1], {(0, 1): 1.0, (1, 2): 0.9}, 0.1, apart=[(0, 2)]) == [0, 0, 2]
    assert clusters([1, 1], {(0, 1): 1.0}, 0.5, [(0, 1)], [(0, 1)]) == [0, 1]


def test_a_bridge_joins_nothing() -> None:
    assert clusters([1, 1, 1], {(0, 1): 0.9, (1, 2): 0.8}, 0.5) == [0, 0, 2]
    assert clusters([1, 1, 1], {(0, 1): 0.9, (1, 2): 0.8}, 0.4) == [0, 0, 0]


@pytest.mark.parametrize(("value", "homes"), [(0.74, [0, 0]), (0.7399, [0, 1])], ids=["at the limit", "below it"])
def test_the_limit_is_enough(value: float, homes: list[int]) -> None:
    assert clusters([1, 1], {(0, 1): value}, 0.74) == homes


def test_no_groups_make_no_clusters() -> None:
    assert clusters([], {}, 0.5) == []


# -- reasons ----------------------------------------------------------------------------------------


def why(one: Sketch, other: Sketch) -> str:
    return reason(one, other, RARITY, around(one, other).near)


def test_a_reason_names_what_two_share() -> None:
    post = drawn(1, "Our Zorblat chip", "https://a.example.org/zorblat-chip", ["arxiv:2606.00001"], day=14)
    paper = drawn(2, "The Zorblat chip for agents", key="arxiv:2606.00001")
    assert why(post, paper) == (
        "links to arxiv:2606.00001; 2 shared title words: zorblat, chip; 2 days later; as in “The Zorblat chip for agents”"
    )
    assert why(paper, post).startswith("is linked from url:https://a.example.org/zorblat-chip; 2 shared title words")
    assert "; 2 days earlier; " in why(paper, post)


def test_a_reason_is_never_empty() -> None:
    assert why(drawn(1, ""), drawn(2, "Zorblat")) == "the same day; as in “Zorblat”"


def test_reasons_are_one_line_however_long_the_title(monkeypatch: pytest.MonkeyPatch) -> None:
    told = why(drawn(1, "Zorblat"), drawn(2, "Zorblat\n" + "very " * 200))
    assert len(told) < 250
    assert "\n" not in told


# -- other scripts and the model -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [("GPT-6 发布", "GPT-6 被黑客攻击"), ("Zorblat Quimby 5: релиз", "Zorblat Quimby 5: скандал")],
    ids=["released or hacked", "release or scandal"],
)
def test_titles_that_share_a_name_and_no_other_word_are_not_one(one: str, other: str) -> None:
    a, b = drawn(1, one), drawn(2, other)
    shipped = load()
    assert shipped.agreement([(a, b)], around(a, b, rarity=shipped.rarity).near)[0] < shipped.limit


@pytest.mark.parametrize("title", ["我们今天发布新的推理模型", "Новая модель рассуждений вышла"], ids=["Chinese", "Cyrillic"])
def test_the_same_title_of_another_script_is_one(title: str) -> None:
    a, b = drawn(1, title, "https://a.example.org/1"), drawn(2, title, "https://b.example.com/2")
    shipped = load()
    assert shipped.agreement([(a, b)], around(a, b, rarity=shipped.rarity).near)[0] >= shipped.limit


@pytest.mark.parametrize(
    ("title", "why"),
    [
        ("Zorblat 4.6 on Amazon Bedrock", "one is about where it is available"),
        ("Zorblat 4.6 in Windsurf", "one is about where it is available"),
        ("I used Zorblat 4.6 to write a compiler", "one tells of its use"),
        ("Introducing Zorblat 4.6 Pro", "another member of the family"),
        ("Zorblat 4.6-Codex", "another member of the family"),
        ("Zorblat 4.6 mini", "another member of the family"),
        ("Zorblat 4.6: everything you need to know", ""),
        ("Zorblat releases Zorblat 4.6 with a pro tip", ""),
    ],
)
def test_what_is_about_a_release_and_is_not_it(title: str, why: str) -> None:
    release = drawn(1, "Introducing Zorblat 4.6", "https://lab.example.org/blog/zorblat-4-6", origin="official")
    assert both_ways(release, drawn(2, title, "https://b.example.com/2")) == why


@pytest.mark.parametrize(
    "title",
    [
        "What’s new in Zorblat 4.6",
        "AI News Digest: Zorblat 4.6 launches",
        "5 things in AI this week: Zorblat",
        "The morning briefing: Zorblat launches",
    ],
)
def test_more_that_lists_many_things(title: str) -> None:
    assert stands_alone(item(1, title))


def test_a_paper_on_errors_is_no_status_notice() -> None:
    assert not stands_alone(item(1, "Errors in variables: a study of agents", key="arxiv:2606.00001"))
    assert stands_alone(item(1, "Errors on the console"))


def test_the_bytes_of_encoded_addresses_are_no_words() -> None:
    one = drawn(1, "Новая модель", "https://a.example.org/%D0%BD%D0%BE%D0%B2")
    other = drawn(2, "Завод", "https://b.example.com/%D0%B7%D0%B0%D0%B2")
    assert not one.slug_words & other.slug_words


# -- what nothing costs -----------------------------------------------------------------------------


def test_pairs_that_are_all_kept_apart_ask_no_tree() -> None:
    one, other = drawn(1, "Zorblat 4.5"), drawn(2, "Zorblat 4.6")
    assert load().agreement([(one, other)], around(one, other).near) == [0.0]
    assert load().agreement([], around().near) == []


def test_the_same_long_title_is_as_good_as_certain() -> None:
    title = "Zorblat opens a chip factory"
    one, other = drawn(1, title), drawn(2, title)
    assert load().agreement([(one, other)], around(one, other).near)[0] >= model.CERTAIN
