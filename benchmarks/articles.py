"""How well the text of an article is found, and how much of it is worth tagging: python -m benchmarks.articles

Full posts of labs and newsletters, from stored feeds that carry them (../shared/replay), are put into frames written here, so that it is
known what is post and what is frame: 8 as sites build them, 6 meant to be hard. Recall and precision are shared runs of four words, leaks
are sentences of the frame that came through. Beside ours: trafilatura, readability-lxml, jusText, each where it is installed.
Then: topics on labelled official posts (../shared/labels/news_train.csv) whose full text is known, by how much of the text is read.
docs/decisions.md is written from this. Nothing of those texts is kept.
"""

from __future__ import annotations

import csv
import html
import importlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from string import Template

import feedparser
from lxml.html import fromstring

from tracker.config import load
from tracker.pollers import prose
from tracker.pollers.listing import links
from tracker.tag import load as load_taggers
from tracker.text import plain
from tracker.types import Item
from tracker.urls import canonical_url

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
POSTS_A_FEED = 4
LEADS = (0, 300, 600, 1000, 2000, 4000, 8000, 20000)

MENU = ["Skip to main content", "Research", "Company overview", "Careers at the lab", "Press inquiries", "Log in to your account"]
RELATED = [
    "Introducing OpenAI's newest reasoning model for enterprise teams and developers everywhere",
    "Anthropic and Google announce a broad partnership on interpretability of frontier agents",
    "How our customers use memory to make agents that learn from feedback in production",
    "Read our updated usage policy and what it means for people who build with us",
]
FOOT = [
    "Subscribe to our newsletter to receive monthly updates about our research and products",
    "All rights reserved by the invented laboratory and its many affiliates worldwide",
    "We use cookies to improve your experience on this website and to measure how it is used",
]
BESIDE = "a longer teaser of two lines that stands beside the link and not in it, as many sites have it in their lists of posts."
TEASERS = [f"{title} – {BESIDE}" for title in RELATED]
FRAME = [*MENU, *RELATED, *FOOT, *(teaser[:70] for teaser in TEASERS), "Share on X", "Copy link", "Related content", "Keep reading"]


# -- frames -------------------------------------------------------------------------------------------


def _each(shape: str, texts: list[str]) -> str:
    return "".join(shape.format(i=i, t=text, teaser=TEASERS[i % len(TEASERS)]) for i, text in enumerate(texts))


CARD = '<a href="/news/{i}"><h3>{t}</h3><p>{t} in more detail.</p><span>Jun {i}, 2026</span></a>'
HARD_CARD = '<div class="k{i}"><a href="/p/{i}"><img src="x.png"></a><div class="q"><a href="/p/{i}">{t}</a></div><div class="r">{teaser}</div><div class="s">Jun {i}, 2026</div></div>'
PARTS = {
    "nav": "<header><nav><ul>" + _each('<li><a href="/{i}">{t}</a></li>', MENU) + "</ul></nav></header>",
    "divnav": '<div class="css-1x navbar__root">' + _each('<div><a href="/{i}">{t}</a></div>', MENU) + "</div>",
    "menu": '<div class="a1">' + _each('<div class="a2"><a href="/{i}">{t}</a></div>', MENU) + "</div>",
    "foot": "<footer>" + _each("<p>{t}</p>", FOOT) + "</footer>",
    "divfoot": '<div class="Footer_root__x1">' + _each("<p>{t}</p>", FOOT) + "</div>",
    "end": '<div class="f9">' + _each("<div>{t}</div>", FOOT) + _each('<a href="/l{i}">{t}</a> ', MENU) + "</div>",
    "cards": "<h2>Related content</h2>" + _each(f'<div class="card">{CARD}</div>', RELATED),
    "recent": "<h2>Recent posts</h2><ul>" + _each('<li><a href="/x{i}">{t}</a></li>', RELATED) + "</ul>",
    "more": '<div class="b1"><div class="b2">Keep reading</div>' + _each(HARD_CARD, RELATED) + "</div>",
    "articles": _each(f"<article>{HARD_CARD}</article>", RELATED),
    "share": '<div class="share"><a href="https://x.com/s">Share on X</a> <a href="/c">Copy link</a></div>',
    "cookies": f'<div id="cookie-banner" role="dialog"><p>{FOOT[2]}</p><button>Accept all</button></div>',
}
USUAL = {
    "semantic": "$nav<main><article><h1>$title</h1><time>June 11, 2026</time>$share$body</article><section class='related'>$cards</section></main>"
    "$foot",
    "divs": "$divnav<div id='__next'><div class='css-abc'><h1>$title</h1><div>June 11, 2026</div><div class='css-ghi'>$body</div></div>"
    "<div class='css-zzz'><div class='css-q'>$cards</div></div></div>$divfoot",
    "related inside": "$nav<main><article><header><h1>$title</h1></header><div class='body'>$body</div><div class='PostList'>$cards</div>"
    "</article></main>$foot",
    "wordpress": "<div id='page' class='site has-sidebar'>$nav<div id='content'><div id='primary'><div class='entry-content'>$body</div></div>"
    "<div id='secondary' class='widget-area'><div class='widget'>$recent</div></div></div>$divfoot</div>",
    "webflow": "$divnav<div class='section'><div class='container w-container'><h1>$title</h1><div class='w-richtext'>$body</div></div></div>"
    "<div class='section'><div class='w-dyn-list'><div class='w-dyn-items'>$cards</div></div></div>$divfoot",
    "broken lines": "$nav<div class='post'><h1>$title</h1>$lines</div><div class='related'>$cards</div>$foot",
    "sections": "$nav<main><h1>$title</h1>$sections</main><aside class='related'>$cards</aside>$foot",
    "cookies first": "$cookies$nav<main id='main'><div class='article'>$body</div></main>$divfoot",
}
HARD = {
    "nameless": "$menu<div class='z'><h1 class='y'>$title</h1><div class='x'>June 11, 2026</div><div class='w'>$body</div></div>$more$end",
    "nameless, deep": "<div class='r0'><div class='r1'>$menu</div><div class='r2'><div class='r3'><div class='r4'><h1>$title</h1></div>"
    "<div class='r5'>$body</div></div><div class='r6'>$more</div></div>$end</div>",
    "short": "$nav<main><article><h1>$title</h1>$short</article>$more</main>$foot",
    "short, related inside": "$nav<main><article><h1>$title</h1><div>$short</div><div class='post-list'>$cards</div></article></main>$foot",
    "short, nameless": "$menu<div class='z'><h1 class='y'>$title</h1><div class='w'>$short</div></div>$more$end",
    "related as articles": "$nav<main><article class='v'><h1>$title</h1>$body</article><section>$articles</section></main>$foot",
}


def framed(frame: str, title: str, body: str) -> tuple[bytes, str]:
    """Return a page, and the part of the post's markup that stands in it."""
    paragraphs = re.findall(r"<p[^>]*>.*?</p>", body, re.DOTALL)
    short = ""
    for paragraph in paragraphs:
        short += paragraph
        if len(re.sub(r"<[^>]+>", "", short)) > 700:
            break
    lines = re.sub(r"</p>\s*", "<br><br>", re.sub(r"<p[^>]*>", "", body))
    sections = "".join(f'<section class="block"><div class="grid"><div>{piece}</p></div></div></section>' for piece in body.split("</p>"))
    inner = Template(frame).substitute(PARTS, title=html.escape(title), body=body, short=short, lines=lines, sections=sections)
    head = f'<title>{html.escape(title)} | Lab</title><meta property="og:title" content="{html.escape(title)}">'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{inner}</body></html>'.encode(), short if "$short" in frame else body


# -- extractors ---------------------------------------------------------------------------------------


def ours(page: bytes) -> str:
    """The text that ``pollers/prose.py`` finds."""
    root = links.tree(page, None)
    links.take_scripts(root)
    prose.strip(root)
    return "\n".join(prose.lines(prose.trunk(root), 1 << 30))


def _justext(module: object) -> Callable[[bytes], str]:
    stop = module.get_stoplist("English")  # type: ignore[attr-defined]
    return lambda page: "\n".join(part.text for part in module.justext(page, stop) if not part.is_boilerplate)  # type: ignore[attr-defined]


RIVALS: dict[str, Callable[[object], Callable[[bytes], str]]] = {
    "trafilatura": lambda module: lambda page: module.extract(page.decode(), include_comments=False) or "",  # type: ignore[attr-defined]
    "readability": lambda module: lambda page: fromstring(module.Document(page.decode()).summary()).text_content(),  # type: ignore[attr-defined]
    "justext": _justext,
}


def extractors() -> Iterator[tuple[str, Callable[[bytes], str]]]:
    """Yield ours, and those that are installed."""
    yield "ours", ours
    for name, made in RIVALS.items():
        try:
            yield name, made(importlib.import_module(name))
        except ImportError as error:
            print(f"{name}: left out, it cannot be imported ({error})")


# -- texts --------------------------------------------------------------------------------------------


def posts() -> Iterator[tuple[str, str, str]]:
    """Yield (address, title, markup) of full posts in the newest copy of each stored feed, a few a feed."""
    for address, title, markup in _entries(newest=True):
        if markup.count("<p") >= 4 and len(markup) > 2_500:
            yield address, title, markup


def _entries(*, newest: bool) -> Iterator[tuple[str, str, str]]:
    sys.path.insert(0, str(SHARED / "replay"))
    from replay.snapshots import SnapshotStore  # type: ignore[import-not-found]

    stored = SnapshotStore(SHARED / "replay" / "data")
    for snapshots in stored.timeline().values():
        taken = 0
        for snapshot in snapshots[-1:] if newest else [snapshots[-1], *snapshots[::12]]:
            for entry in feedparser.parse(stored.read(snapshot)).entries:
                markup = max([part.value for part in entry.get("content", [])] + [entry.get("summary", "")], key=len)
                if entry.get("title") and entry.get("link") and (not newest or taken < POSTS_A_FEED):
                    taken += newest and markup.count("<p") >= 4 and len(markup) > 2_500
                    yield entry.link, html.unescape(re.sub("<[^>]+>", "", entry.title)), markup


def _words_of(markup: str) -> list[str]:
    return re.findall(r"\w+", fromstring(f"<div>{markup}</div>").text_content().lower()) if markup.strip() else []


def _runs(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(*[words[at:] for at in range(4)], strict=False))


# -- measuring ----------------------------------------------------------------------------------------


def measure(pages: list[tuple[bytes, str]], extract: Callable[[bytes], str]) -> str:
    """Return recall, precision, leaks and CPU of an extractor as a line."""
    recall, precision, leaks, began = 0.0, 0.0, 0, time.process_time()
    found = [extract(page) for page, _ in pages]
    spent = time.process_time() - began
    for (_, truth), text in zip(pages, found, strict=True):
        wanted, got = _runs(_words_of(truth)), _runs(re.findall(r"\w+", text.lower()))
        recall += len(wanted & got) / max(1, len(wanted)) / len(pages)
        precision += len(wanted & got) / max(1, len(got)) / len(pages)
        flat, own = " ".join(text.split()), " ".join(fromstring(f"<div>{truth}</div>").text_content().split())
        leaks += sum(sentence in flat and sentence not in own for sentence in FRAME)
    return f"recall {recall:.3f}  precision {precision:.3f}  leaks {leaks:4}  {1000 * spent / len(pages):4.1f} ms a page"


def leads() -> None:
    """Print what topics are found of labelled official posts, by how many characters of the article are read."""
    full: dict[str, str] = {}
    for address, _, markup in _entries(newest=False):
        text = plain(markup, 20_000) if len(markup) > 1_500 and address.startswith("http") else ""
        if len(text) > 1_200 and len(text) > len(full.get(canonical_url(address), "")):
            full[canonical_url(address)] = text
    with (SHARED / "labels" / "news_train.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["origin"] == "official" and row["url"].startswith("http")]
    known = [(row, canonical_url(row["url"])) for row in rows if canonical_url(row["url"]) in full]
    taggers = load_taggers(load(ROOT / "feeds.toml"))
    print(f"\n{len(known)} labelled official posts with their full text:")
    for length in LEADS:
        items = [
            Item(i, f"url:{key}", "s", row["url"], row["title"], full[key][:length], lab=row["by"].split(";")[0] or None, origin="official")
            for i, (row, key) in enumerate(known)
        ]
        right = told = wanted = 0
        for (row, _), tags in zip(known, taggers.topics.tag(items), strict=True):
            labels, got = set(filter(None, row["topics"].split(";"))), {tag.topic for tag in tags}
            right, told, wanted = right + len(labels & got), told + len(got), wanted + len(labels)
        others = sum(
            len({one.lab for one in said if one.relation != "by"} - {one.lab for one in said if one.relation == "by"})
            for said in taggers.labs.tag(items)
        )
        print(f"  title + {length:6,}: P {right / max(1, told):.2f}  R {right / max(1, wanted):.2f}  other labs named {others}")


def main() -> None:
    """Print both tables."""
    if not (SHARED / "replay").exists():
        print("../shared/replay is not there: nothing to measure on")
        return
    texts = list(posts())
    for name, frames in (("usual frames", USUAL), ("hard frames", HARD)):
        pages = [framed(frame, title, markup) for _, title, markup in texts for frame in frames.values()]
        print(f"{name}: {len(texts)} posts, {len(pages)} pages")
        for extractor, extract in extractors():
            print(f"  {extractor:12} {measure(pages, extract)}")
    leads()


if __name__ == "__main__":
    main()
