"""Articles: golden pairs written by us after real shapes of post pages, pages that are no article, hostile ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from time import process_time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracker.errors import ParseError
from tracker.pollers import article, poller
from tracker.pollers.worker import ParseWorker
from tracker.types import Response, Source

DATA = Path(__file__).parent / "data" / "article"
URL = "https://lab.example.org/blog/notes-to-self"
SOURCE = Source("lab", "article", "https://lab.example.org/", "Lab")
WORDS = "<p>" + "What stands here is long enough to be read as prose by anybody who looks at it. " * 3 + "</p>"


def read(body: str | bytes, url: str = URL) -> article.Parsed:
    return article.read(body.encode() if isinstance(body, str) else body, SOURCE, url, None)


def text_of(body: str) -> str:
    (entry,) = read(body).entries
    return entry.text


@pytest.mark.parametrize("path", sorted(DATA.glob("*.html")), ids=lambda path: path.stem)
def test_an_article_is_read_as_the_golden_pair_says(path: Path) -> None:
    (entry,) = read(path.read_bytes()).entries
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert {name: value for name, value in json.loads(json.dumps(asdict(entry))).items() if value not in (None, [], "")} == expected


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "no page"),
        (b"%PDF-1.7 binary", "empty"),
        (b"%PDF-1.7 <p >" + WORDS.encode(), "empty"),
        (b'{"title": "an interface, no page"}', "no page"),
        ("<html><title>Page not found | Lab</title><p>Sorry.</p></html>", "no page"),
        (f"<html><title>Lab</title><h1>404</h1>{WORDS}</html>", "no page"),
        ('<html><title>Lab</title><div id="root"></div><noscript>You need to enable JavaScript.</noscript></html>', "empty"),
        ("<html><title>Agents</title><meta name=description content='A lab that builds safe systems, and publishes.'></html>", "empty"),
        ("<html><title>Agents</title><div>You need to enable JavaScript to run this app. Switch it on, then reload.</div>", "empty"),
        (f"<html><title>Agents</title><p>{'We value your privacy. We and our partners store information on a device. ' * 3}</p>", "empty"),
        ("<html><title>Agents</title><p>This content is not available in your region. Please write to us if that is wrong.</p>", "empty"),
        (f"<html><title>Sign in | Lab</title><form>{WORDS}<input type=email></form></html>", "http_401"),
        ("<html><h1>Sign in</h1><form><input type=PASSWORD></form><p>To go on, sign in to your account first.</p></html>", "http_401"),
    ],
    ids=[
        "nothing", "a pdf", "a pdf with a tag", "json", "soft 404", "soft 404 in a heading", "scripts only", "the publisher",
        "scripts only, said aloud", "cookies first", "elsewhere", "a login by mail", "a login",
    ],
)  # fmt: skip
def test_what_is_no_article_has_a_name_and_no_text(body: str | bytes, problem: str) -> None:
    parsed = read(body)
    assert (parsed.entries, parsed.problem) == ((), problem)


@pytest.mark.parametrize(
    "title",
    [
        "Forbidden knowledge: what models refuse",
        "Oops: we trained on the test set",
        "Access denied: how refusals work",
        "Access denied – how refusals work",
        "Not found in training data: novelty in models",
        "404 Media",
        "Just a moment: latency in voice models",
        "Sign in the sky: how agents read weather",
    ],
)
def test_a_title_that_begins_like_that_of_an_error_is_a_title(title: str) -> None:
    (entry,) = read(f"<html><title>{title} | Lab</title><h1>{title}</h1><input type=email>{WORDS}</html>").entries
    assert entry.title == title


def test_a_post_in_markdown_is_read() -> None:
    (entry,) = read(
        f"# Notes to self\n\n{'An agent writes down what it would do otherwise. ' * 3}\n\n[Paper](https://arxiv.org/abs/2606.99901)"
    ).entries
    assert (entry.title, entry.links) == ("Notes to self", ("arxiv:2606.99901",))
    assert entry.text.startswith("An agent writes")


def test_a_challenge_is_an_error() -> None:
    with pytest.raises(ParseError, match="challenge"):
        read(f"<html><title>Just a moment...</title>{WORDS}</html>")


def test_a_class_of_the_whole_page_hides_nothing() -> None:
    assert text_of(f'<html><body class="nav-open has-sidebar"><div class="newsletter-page">{WORDS}</div></body></html>').startswith("What")


def test_a_frame_without_semantic_tags_is_left_out() -> None:
    frame = '<div class="Footer_root__x1"><p>All rights reserved by the lab.</p></div><div id="cookieBanner"><p>We use cookies.</p></div>'
    assert "rights" not in text_of(f"<html><body>{WORDS}{frame}</body></html>")
    assert "cookies" not in text_of(f"<html><body>{WORDS}{frame}</body></html>")


LONG = "KEPT: each agent writes down after a day of work what it has learned, and reads that on the next day."


@pytest.mark.parametrize(
    "name",
    [
        *("overflow-hidden", "lg:hidden-none", "hidden md:block", "related-work", "social-impact", "comment-body", "share-of-tokens"),
        *("modal-verbs", "skip-connections", "menu-planning relative", "promo-codes", "cookie-theft"),
    ],
)
def test_prose_is_not_lost_for_a_name(name: str) -> None:
    assert "KEPT" in text_of(f'<html><article>{WORDS * 2}<section class="{name}"><p>{LONG}</p></section></article></html>')
    assert "KEPT" in text_of(f'<html><article>{WORDS * 2}<section id="{name.replace(" ", "-")}"><p>{LONG}</p></section></article></html>')
    assert "A score" in text_of(f'<html><article>{WORDS}<h2 id="related-scores">A score</h2>{WORDS}</article></html>')


@pytest.mark.parametrize(
    "name",
    [
        "hidden",
        "related-posts",
        "PostList_related__x1",
        "siteFooter",
        "comments",
        "cookie-banner newsletter",
        "share-bar__inner",
        "navBar_2",
    ],
)
def test_a_whole_name_of_a_frame_is_believed(name: str) -> None:
    assert "KEPT" not in text_of(f'<html><article>{WORDS * 2}<div class="{name}"><p>{LONG}</p></div></article></html>')


def test_what_stands_between_dropped_elements_stays_in_its_order() -> None:
    got = text_of(f"<html><article>{WORDS}<div>one<nav>x</nav>two <b>three</b> <nav></nav>four<nav>y</nav>five {LONG}</div></article>")
    assert "one two three four five KEPT" in " ".join(got.split())


@pytest.mark.parametrize(
    "teaser",
    ["<article><p>{}</p></article>", "<aside></aside><div><article><a href=/o>Other</a><p>{}</p></article></div>"],
    ids=["bare", "a card"],
)
def test_the_only_article_may_be_a_teaser(teaser: str) -> None:
    assert "What stands here" in text_of(
        f"<html><body><main><h1>A title</h1><div>{WORDS * 3}</div></main>{teaser.format(LONG)}</body></html>"
    )


def test_a_title_in_the_data_is_one_line_without_markup() -> None:
    data = {
        "@type": ["Thing", "NewsArticle"],
        "headline": "T &amp; C\r\nBcc: x@y \u202e<em>now</em>",
        "author": {"name": "Ada &amp;\r\nBo"},
    }
    (entry,) = read(f'<script type="application/ld+json">{json.dumps(data)}</script>{WORDS}').entries
    assert (entry.title, entry.authors) == ("T & C Bcc: x@y now", ("Ada & Bo",))


@pytest.mark.parametrize(
    ("headline", "believed"),
    [
        ("Another post of ours", False),
        ("How it", False),
        ("Learns", False),
        ("How it learns", True),
        ("How it learns at night", True),
        ("", True),
    ],
)
def test_data_of_another_post_say_nothing_of_this_one(headline: str, believed: bool) -> None:
    data = {"@type": "Article", "headline": headline, "datePublished": "2020-01-02", "author": {"name": "Eve"}}
    (entry,) = read(f'<h1>How it learns</h1><script type="application/ld+json">{json.dumps(data)}</script>{WORDS}').entries
    assert (entry.published_at is not None, entry.authors) == (believed, ("Eve",) if believed else ())
    assert believed or entry.title == "How it learns"


@pytest.mark.parametrize(
    ("shown", "day"),
    [
        ("<time datetime=2026-06-11>yesterday</time>{0}{0}", "2026-06-11T00:00:00Z"),
        ("{0}<time>June 11, 2026</time>{0}", "2026-06-11T00:00:00Z"),  # below a summary
        (
            "<p>Updated <time datetime=2026-06-30>June 30</time></p><p>Published <time>June 11, 2026</time></p>{0}{0}",
            "2026-06-11T00:00:00Z",
        ),
        ("<p>Last updated on: <time>June 30, 2026</time></p>{0}{0}", None),
        ("{0}{0}<div>Other <time datetime=2019-01-01>Jan 1, 2019</time></div>", None),
        ("{0}<div>Other <time datetime=2019-01-01>Jan 1, 2019</time></div>", None),
    ],
)
def test_a_day_shown_is_that_above_the_prose(shown: str, day: str | None) -> None:
    (entry,) = read(f"<article><h1>How it learns</h1>{shown.format(WORDS)}</article>").entries
    assert entry.published_at == day


def test_a_bare_date_counts_after_the_data() -> None:
    data = {"@type": "Article", "headline": "T", "datePublished": "2026-06-11", "dateModified": "2026-06-20"}
    (entry,) = read(f'<meta name=date content=2026-06-30><script type="application/ld+json">{json.dumps(data)}</script>{WORDS}').entries
    assert entry.published_at == "2026-06-11T00:00:00Z"


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<title>How it learns | Example Lab</title><meta property=og:site_name content='Example Lab'>", "How it learns"),
        ("<title>How it learns – Lab</title>", "How it learns"),  # as the host is called
        ("<title>RL – a short history</title>", "RL – a short history"),
        ("<meta property=og:title content='How it learns'><title>Blog</title>", "How it learns"),
        ("<meta property=og:title content='Lab raises a new round'><h1>Lab</h1>", "Lab raises a new round"),
        ("<meta property=og:title content='Research: agents at night'><h1>Research</h1>", "Research: agents at night"),
        ("<meta property=og:title content='How “it” learns — The Daily'><h1>How \"it\" learns</h1>", 'How "it" learns'),
    ],
)
def test_a_title_is_without_the_name_of_the_site(head: str, title: str) -> None:
    (entry,) = read(f"<html><head>{head}</head><body>{WORDS}</body></html>").entries
    assert entry.title == title


@pytest.mark.parametrize(
    ("head", "day"),
    [
        ("<meta property=article:modified_time content=2026-06-11>", None),
        ("<meta name=date content='06/11/2026'>", None),  # June or November
        ("<meta itemprop=datePublished content='2026-06-11'>", "2026-06-11T00:00:00Z"),
        ('<script type="application/ld+json">{"@type": "Article", "datePublished": "2026-06-11"</script>', None),  # breaks off
    ],
)
def test_a_day_is_what_the_page_declares_as_published(head: str, day: str | None) -> None:
    (entry,) = read(f"<html><head>{head}</head><body>{WORDS}</body></html>").entries
    assert entry.published_at == day


def test_of_many_objects_in_the_data_the_one_with_this_headline_counts() -> None:
    data = [{"@type": "Article", "headline": f"Post {n}", "datePublished": f"2026-06-{n:02}"} for n in (9, 10, 11)]
    (entry,) = read(f'<title>Post 10</title><script type="application/ld+json">{json.dumps(data)}</script>{WORDS}').entries
    assert entry.published_at == "2026-06-10T00:00:00Z"


def test_an_address_of_another_host_is_not_taken_for_its_own() -> None:
    (entry,) = read(f"<link rel=canonical href=https://evil.example/><p></p>{WORDS}").entries
    assert entry.url == URL


def test_a_list_of_publications_gives_no_links() -> None:
    papers = "".join(f'<p>One more paper that we like. <a href="https://arxiv.org/abs/2606.{n:05}">x</a></p>' for n in range(200))
    (entry,) = read(f"<article>{WORDS * 60}</article><div>{papers}</div>").entries
    assert entry.links == ()


H = b"<html><body>"


@pytest.mark.parametrize(
    "body",
    [
        H + b"<div>" * 100_000 + b"x" * 100,
        H + b"".join(b'<a href="https://e.example/%d">aa</a>' % n for n in range(30_000)),
        H + b"".join(b'<div><div><a href="/%d">title here</a> some words</div></div>' % n for n in range(10_000)),
        H + b"<div><ul><li><a href=/x>x</a></li><li><a href=/x>x</a></li><li><a href=/x>x</a></li></ul>" * 5_000,
        H + b"word " * 400_000,
        H + WORDS.encode() + b"<nav></nav>x" * 240_000,
        H + WORDS.encode() + b"<a href=https://e.example/>x</a>" * 90_000,
        b'<html><script type="application/ld+json">' + b"[" * 100_000 + b"</script>" + WORDS.encode(),
        H + b"\x00\xff" * 50_000,
        ("<html><p>" + "Wörter, die zählen. " * 40).encode("utf-16"),
    ],
    ids=["deep", "links", "cards", "lists in lists", "one paragraph", "menus", "one link", "nested data", "noise", "utf-16"],
)
def test_a_hostile_page_ends_soon_and_gives_little(body: bytes) -> None:
    began = process_time()
    parsed = read(body)
    assert process_time() - began < 10
    assert all(len(entry.text) <= 20_000 and len(entry.links) <= article.MAX_LINKS for entry in parsed.entries)


SCRAPS = st.sampled_from(
    "<html> <article> <h1> <p> </p> <div> <nav> <table><tr> <!-- <![CDATA[ <base href=//[> <time datetime=2026-06-11> &#0; &#xD800; \u202e "
    "<meta name=author content=x> <meta property=og:url content=http://[> <link rel=canonical href=//[> <a href='http://[/'> "
    '<a href=\'https://arxiv.org/abs/2606.99901\'> <script type=application/ld+json>{"@type":["Article"],"author":[1,{}]}</script> '
    "<input type=password> words and more words, enough of them to be prose. <title>".split(" ")
)


@given(st.one_of(st.binary(max_size=400), st.lists(SCRAPS, max_size=40).map(lambda scraps: " ".join(scraps).encode("utf-8", "replace"))))
@example(b"<p>\xff\xfe\x00")
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_an_article_or_a_named_problem(body: bytes) -> None:
    try:
        parsed = read(body)
    except ParseError as error:
        if error.name != "challenge":
            raise
        return
    assert bool(parsed.entries) != bool(parsed.problem)
    for entry in parsed.entries:
        assert "\n" not in entry.title
        assert all(char.isprintable() or char == "\n" for char in entry.text if ord(char) < 0x80)


def test_the_worker_reads_articles() -> None:
    assert poller("article") is article
    with ParseWorker() as worker:
        parsed = worker.parse(SOURCE, Response(URL, 200, {}, f"<html><title>A post</title><p></p>{WORDS}".encode()))
        assert [entry.title for entry in parsed.entries] == ["A post"]
        assert worker.parse(SOURCE, Response(URL, 200, {}, b"%PDF")).problem == "no page"
