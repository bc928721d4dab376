"""Pages without a feed: lists of articles, sitemaps, changelogs.

in   a page, and what its source says of it: ``links`` (which links are articles; ``#``: its own dated sections are), ``skip``, selectors
out  one entry an article: title, day, summary; None for what the page does not say
What answers decides how it is read: HTML by the card around each link (``listing.cards``, or by selectors ``listing.chosen``), a sitemap
by its addresses (``listing.sitemaps``), a changelog by its dates (``listing.changelogs``). robots.txt is asked first: pages are for people.
knows no site: a card is the largest element around a link that holds no other article, and sites may move everything in it. Data in
scripts (``embedded``) fills what the markup leaves out, and stands in for it where there is none.
Surprising: a page that lists nothing, or much less than last time, is never "no news": it is ``layout_changed``, and nothing is stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import compress, islice
from typing import Any
from urllib.parse import urlsplit

from tracker import text
from tracker.errors import ParseError, SourceError
from tracker.pollers import Get, Parse, Parsed, page_of
from tracker.pollers.listing import cards, changelogs, chosen, embedded, indexes, links, sitemaps
from tracker.pollers.skip import skipped, wrong_skip
from tracker.types import Entry, Page, Request, Response, Source, State

__all__ = ["KEYS", "configure", "no_list", "poll", "read"]

KEYS: Mapping[str, type] = {"links": str, "skip": str, **chosen.KEYS}
SECTIONS = "#"  # links: the articles are the sections of the page itself
MIN_SHARE = 0.6  # of what the page listed last time; a redesign that hides half of the list must not pass for a quiet day
# A list that stays short is the new list: after so many failed polls in a row (1 + 2 + 4 + 8 + 16 hours of back-off) it is taken as it is.
PATIENCE = 5
MAX_BODY = 10_000_000  # bytes of a page that are parsed; 100,000 cards are 8 MB and take 1 to 3 s
PIECE = 2**20  # bytes of a page that are compared at a time; pages have less, and only a tag on the border would count as changed
MAX_ENTRIES = 3_000  # articles; the labs' own listings show 10 to 60
MIN_MARKUP = 3  # articles in the markup; with less (a hero) the page is filled by scripts, and its data is read as well

# What changes with every build or visit of a page and says nothing: the tags that load scripts, styles and icons, tokens, build ids; of a
# sitemap when each page was built (of an index that tells which sitemap changed, so there it counts).
_BUILD = re.compile(
    rb'<(?:script|link|meta)\b[^<>]{0,2000}>|"buildId":\s?"[^"]{0,200}"|<!--[^<>]{0,500}-->|\bnonce="[^"]{0,200}"', re.IGNORECASE
)
_BUILT = re.compile(rb"<lastmod>[^<]{0,60}</lastmod>")
_HTML = re.compile(rb"<(?:!doctype html|html|head|body)[\s>]", re.IGNORECASE)

# How a page looks that is not the page: its <title> or <h1> says one or more of these, and nothing else but the name of the site. What
# merely begins so may be a post ("Forbidden knowledge: …"), or the site ("404 Media").
_GONE_WORDS = (
    r"(?:http\s)?(?:error:?\s)?(?:40[0-4]|410|50[0-4])(?:\serror)?|error|oops|sorry|(?:an error occurred|something went wrong)"
    r"|(?:error:?\s)?(?:(?:page|site|content|post|article)(?:\swas)?\s)?not found"
    r"|we (?:can.?t|cannot|couldn.?t|could not) find (?:this|the|that|your) page(?: you (?:requested|are looking for|were looking for))?"
    r"|(?:(?:this|the|that|your) )?page(?: you (?:requested|are looking for|were looking for))?"
    r" (?:can.?t|cannot|could not|couldn.?t|does not|doesn.?t|isn.?t|is not|is no longer)\b[\w ]{0,20}"
    r"|access (?:to this page (?:is|has been) )?denied|forbidden"
    r"|(?:(?:we.re |we are |site )?(?:under|down for) |scheduled )?maintenance|internal server error"
    r"|(?:service|temporarily) (?:temporarily )?unavailable|bad gateway"
)
_GONE = re.compile(rf"(?:{_GONE_WORDS})(?:[\s.:!,()…–—|·-]{{1,6}}(?:{_GONE_WORDS})){{0,3}}[\s.!()…]{{0,6}}[12]?", re.IGNORECASE)
_CHALLENGE = re.compile(
    r"(?:just a moment|one moment|please wait|attention required|checking (?:your browser|if the site)[\w .,’'-]{0,60}"
    r"|(?:please )?verify(?:ing)? (?:that )?you are (?:a )?human[\w .,’'-]{0,60})"
    r"(?:,? please(?: wait)?)?[\s.!…]{0,6}",
    re.IGNORECASE,
)
_SITE = re.compile(r"(?:\s(?:[|·•–—-]|::)\s(?=[^a-z\s])[^|·•–—]{1,40}){1,2}$")  # "404 – Fern Lab"; no sentence that goes on
# What only a challenge loads: Cloudflare, DataDome, PerimeterX, Imperva, AWS WAF, SiteGround. Told by these only where there is no list:
# guarded sites load some of them beside their pages.
_GUARD = re.compile(
    rb"__cf_chl|cf-chl-|captcha-delivery\.com|px-captcha|_incapsula_resource|awswaf\.com|aws-waf-token|sgcaptcha|window\._cf_chl_opt",
    re.IGNORECASE,
)
_SCRIPT_ONLY = re.compile(r"(?:enable|requires?|need|turn on|without)\W{1,3}(?:to enable )?javascript", re.IGNORECASE)


def configure(table: Any) -> tuple[None, dict[str, object]]:
    """Check which links are articles, what is skipped, and the selectors. A Markdown page is its own articles if nothing else is said."""
    values = table.values
    for name in (name for name in chosen.KEYS if name in values):
        if why := chosen.wrong(values[name]):
            raise table.error(f'{name}: "{values[name]}" is no CSS selector that can be used: {why}', name)
        if "card" not in values:
            raise table.error(f"{name} needs card: the selector of the element that stands around each article", name)
    if word := wrong_skip(values.get("skip", "")):
        raise table.error(f'skip: "{word}" must be the beginning of a path, like "/es/" (or of a whole URL on another host)', "skip")
    words = values.get("links", SECTIONS if _is_markdown(values.get("url", "")) else "").split()
    if words == [SECTIONS] and "card" not in values:
        return None, {"links": SECTIONS}
    if not any(not word.startswith("!") for word in words):
        raise table.error('a page needs links: how the paths of its articles begin, like links = "/research/"', "links" if words else "")
    for word in words:
        if not re.fullmatch(r"(?:https?://[\w.-]+)?/\S*", word.removeprefix("!")):
            raise table.error(
                f'links: "{word}" must be the beginning of a path, like "/research/" (or of a whole URL on another host); "#" alone '
                "means the dated sections of the page itself",
                "links",
            )
    return None, {}


def _is_markdown(url: str) -> bool:
    return urlsplit(url).path.endswith((".md", ".md.txt", ".markdown")) if isinstance(url, str) else False


def _reads_as_markdown(body: bytes, url: str) -> bool:
    """Whether a changelog is Markdown, which may begin with a tag; servers call it text/plain or worse."""
    return not _HTML.search(body[:2_000]) and (_is_markdown(url) or not body.lstrip().startswith(b"<"))


# -- one poll ---------------------------------------------------------------------------------------


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for the page; yield one, without entries when it is not modified or says the same as last time.

    ``cursor`` remembers how many articles were listed, and by which rules: when those were edited, the page is read afresh. Of a sitemap
    of sitemaps it remembers each, so that only those that changed are asked for. A backfill asks for everything, and leaves out what a
    sitemap says was last changed before ``since``.

    Raises:
        SourceError: ``layout_changed`` when it lists less than ``MIN_SHARE`` of last time; the state stays as it was.
    """
    last = indexes.last(state.cursor, _rules(source))
    conditional = bool(last.count) and not state.backfill and all(child.lastmod for child in last.children.values())
    etag, last_modified = (state.etag, state.last_modified) if conditional else (None, None)
    response = get(Request(source.url, etag, last_modified, robots=True))
    if response.status == 304:
        yield page_of(response, None, state.body_hash)
        return
    hashed = _fingerprint(response)
    if conditional and hashed == state.body_hash and not response.truncated:
        yield page_of(response, None, hashed)
        return
    parsed, now, known = parse(response), indexes.Last(), 0
    if sitemaps.is_index(response.body):
        parsed, now, known = indexes.follow(parsed, source, state, last, get, parse)
    count = known + len(parsed.entries)
    whole = not response.truncated and parsed.problem != "truncated"
    if not count or (whole and count < last.count * MIN_SHARE and not _waited(state)):
        raise SourceError("layout_changed", _shrunk(response, source, parsed, count, last.count))
    listed = _since(parsed, state.since) if state.backfill else parsed
    cursor = None if now.children and state.backfill else indexes.cursor(replace(now, count=count), _rules(source))
    unchanged = bool(known) and not parsed.entries and not parsed.problem
    yield page_of(response, None if unchanged else listed, hashed, cursor=cursor, known=known)


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the articles a page lists, in document order (of a sitemap: last changed first), one a URL.

    Raises:
        ParseError: ``layout_changed`` when it lists none, or is no list at all (not found, an empty shell for scripts), ``challenge``.
            A sitemap that lists none is left to ``poll``: another of the same index may.
    """
    wanted = links.Pattern(_option(source, "links").replace(SECTIONS, ""), source.url, url)
    if sitemaps.is_sitemap(body):
        parsed = sitemaps.read(body, wanted)
        return parsed if sitemaps.is_index(body) else _kept(parsed, source)
    if _option(source, "links") == SECTIONS and _reads_as_markdown(body, source.url):
        entries = changelogs.entries(changelogs.of_markdown(links.decoded(body[:MAX_BODY], charset)), source.url)
        nothing = "has no heading with a date; it is written otherwise now, or no changelog"
    else:
        entries, nothing = _of_html(body, source, url, charset, wanted)
    problem = "too_large" if len(body) > MAX_BODY else "too_many_items" if len(entries) > MAX_ENTRIES else None
    parsed = _kept(Parsed(tuple(entries[:MAX_ENTRIES]), problem=problem), source)
    if not parsed.entries:
        raise ParseError("layout_changed", f"{url} {nothing or 'lists nothing but what `skip` of the source leaves out'}")
    return parsed


def _of_html(body: bytes, source: Source, url: str, charset: str | None, wanted: links.Pattern) -> tuple[list[Entry], str]:
    """The articles of a page, and what it means if there are none."""
    root = links.tree(body[:MAX_BODY], charset)
    if root is None:
        raise ParseError("layout_changed", f"{url} answered with nothing that could be read as a page")
    posts = embedded.posts(links.take_scripts(root))
    if refused := no_list(root):
        raise ParseError(refused[0], f"{url} {refused[1]}")
    if _option(source, "links") == SECTIONS:
        entries = changelogs.entries(changelogs.of_html(root), source.url)
    elif selectors := {name: str(source.options[name]) for name in chosen.KEYS if name in source.options}:
        entries = chosen.entries(root, selectors, posts, wanted, url, MAX_ENTRIES + 1)
    else:
        found = links.links(root, wanted, wanted.base(root), MAX_ENTRIES + 1)
        entries = [*cards.entries(root, found, posts, wanted)]
        if len(entries) < MIN_MARKUP:
            entries += cards.from_data(posts, wanted, found)
    if not entries and _GUARD.search(body):
        raise ParseError("challenge", f"{url} answered with a challenge for browsers, not with the list")
    if sum(entry.title == entry.url for entry in entries) > len(entries) / 2:
        raise ParseError("layout_changed", f"{url} lists {len(entries)} links and hardly any title; its cards are built otherwise now")
    return entries, "" if entries else _nothing(root, wanted)


def _option(source: Source, name: str) -> str:
    return str(source.options.get(name, ""))


def _kept(parsed: Parsed, source: Source) -> Parsed:
    """Without what the source skips."""
    skip = _option(source, "skip")
    keep = [not skipped(entry.url, skip) for entry in parsed.entries] if skip else []
    if all(keep):
        return parsed
    changed = tuple(compress(parsed.changed, keep))
    return replace(parsed, entries=tuple(compress(parsed.entries, keep)), changed=changed)


# -- what was listed last time ----------------------------------------------------------------------


def _since(parsed: Parsed, since: str | None) -> Parsed:
    """What a sitemap says was changed since then, and what it says nothing about; pages are not cut."""
    if not parsed.changed or not since:
        return parsed
    keep = [not changed or changed >= since for changed in parsed.changed]
    return replace(parsed, entries=tuple(compress(parsed.entries, keep)), changed=tuple(compress(parsed.changed, keep)))


def _rules(source: Source) -> str:
    """What decides which articles are found."""
    return " ".join(str(source.options[name]) for name in KEYS if name in source.options)


def _shrunk(response: Response, source: Source, parsed: Parsed, count: int, before: int) -> str:
    if count == 0:
        return f'{response.url} names {parsed.total or 0} addresses, none that fits links = "{_option(source, "links")}" of the source'
    return f"{response.url} lists {count} articles, {before} last time; look at the page, then at `links` of the source"


def _waited(state: State) -> bool:
    return state.fails >= PATIENCE and (state.last_error or "").startswith("layout_changed")


def _fingerprint(response: Response) -> str:
    digest = hashlib.sha256()
    is_index = sitemaps.is_index(response.body)
    for at in range(0, len(response.body), PIECE):  # other threads wait while a pattern is sought, so in pieces
        piece = _BUILD.sub(b"", response.body[at : at + PIECE])
        digest.update(piece if is_index else _BUILT.sub(b"", piece))
    return digest.hexdigest()[:32]


# -- what is no list --------------------------------------------------------------------------------


def no_list(root: links.Element) -> tuple[str, str] | None:
    """Return the name of the error, and what a page says of itself, when it is not the page; None otherwise."""
    titles = [(element.tag, text.one_line(links.text_of(element), 200)) for element in islice(root.iter("title", "h1"), 3)]
    headings = [said for tag, said in titles if tag == "h1"]
    for tag, said in titles:
        bare = said if tag == "h1" or said in headings else _SITE.sub("", said)  # the site is named in a <title>, not in a heading
        if _CHALLENGE.fullmatch(bare):
            return "challenge", f'answered with a challenge for browsers ("{text.one_line(said, 60)}"), not with the list'
        if _GONE.fullmatch(bare):
            return "layout_changed", f'says "{text.one_line(said, 60)}" although the server calls that a success'
    return None


def _nothing(root: links.Element, wanted: links.Pattern) -> str:
    words = links.text_of(root)
    if _SCRIPT_ONLY.search(words):
        return "shows its list to browsers with JavaScript only now"
    return f"lists no link that fits {wanted.described or 'links'}; it was redesigned, or `links` of the source should say something else"
