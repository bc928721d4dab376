"""RSS, RDF, Atom, JSON Feed: whatever feedparser and ``jsonfeed`` read, through one normalised entry.

in   a feed's bytes, never its URL: fetching is ours
out  entries with plain text; dates in UTC or none; http(s) links only
Surprising: feedparser raises on some character references, is quadratic in others and believes any date, so bytes are cleaned before
(``cleaning``) and dates checked after.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin

from tracker import text, urls
from tracker.errors import ParseError
from tracker.pollers import Get, Parse, Parsed, dates, fingerprint, jsonfeed, known, letters, page_of, quick, sections
from tracker.pollers.cleaning import MAX_ENTRIES, clean
from tracker.pollers.skip import skipped, wrong_skip
from tracker.types import Entry, Page, Request, Source, State

__all__ = ["KEYS", "MAX_ENTRIES", "configure", "poll", "read"]

KEYS: Mapping[str, type] = {"skip": str, "split": bool}
MAX_LINKS = 200  # outbound keys kept of one entry; a weekly round-up has about 150
MAX_MARKUP = 400_000  # characters of one entry's markup that are looked at

# A link inside an entry that needs a base: not an absolute one, not one to a place within the text.
_RELATIVE = re.compile(r"""((?:href|HREF)\s{0,9}=\s{0,9}["']?)\s{0,9}(?![a-zA-Z][a-zA-Z0-9+.-]{0,20}:|[#"'\s])([^"'<>\s]{1,2000})""")
# What arXiv's announcement feeds put before the abstract; without it their text equals that of the API.
_ARXIV_PREFIX = re.compile(r"arXiv:\S+ Announce Type: \S+\s+(?:Abstract: )?")


def poll(source: Source, state: State, get: Get, parse: Parse) -> Iterator[Page]:
    """Ask for the feed; yield one page, without entries when it is not modified or says the same as last time, else with what is new."""
    response = get(Request(source.url, state.etag, state.last_modified))
    if response.status == 304:
        yield page_of(response, None, state.body_hash)
        return
    hashed = fingerprint(response.body)
    if hashed == state.body_hash and not response.truncated:
        yield page_of(response, None, hashed)
        return
    found = known.read(source, response, state.cursor, parse)
    yield page_of(response, found.parsed, hashed, cursor=found.cursor, known=found.left_out, listed=found.listed)


def configure(table: Any) -> tuple[None, dict[str, object]]:
    """Check that ``skip`` is beginnings of paths."""
    if word := wrong_skip(table.values.get("skip", "")):
        raise table.error(f'skip: "{word}" must be the beginning of a path, like "/es/" (or of a whole URL on another host)', "skip")
    return None, {}


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the entries of a feed, in document order; ``problem`` names what is missing.

    Of a document that breaks off, the complete entries (``truncated``); of a very long one, the newest (``too_many_items``); of one with
    items that are none, the others (``malformed``).

    Raises:
        ParseError: ``not_a_feed`` (something else, say an HTML page), ``malformed`` (a feed, but nothing of it can be read), ``too_deep``.
    """
    raw, problem, bad = _listed(body, url, charset)
    skip = str(source.options.get("skip", ""))
    told = [
        (sections.split(entry, _markup(one, url)) if source.options.get("split") else (entry,))
        if (entry := _entry(one, url, mirror=source.role == "mirror")) and not skipped(entry.url, skip)
        else ()
        for one in raw
    ]
    entries = [entry for parts in told for entry in parts]
    if bad and not raw:
        raise ParseError("malformed", f"{url}: none of its {bad} items can be read")
    if bad and not problem:
        problem = f"malformed: {bad} of {bad + len(raw)} items could not be read; the others are stored"
    problem = problem or ("too_many_items" if len(entries) > MAX_ENTRIES else None)
    return Parsed(tuple(entries[:MAX_ENTRIES]), problem=problem, signs=known.signs(told, source))


def _listed(body: bytes, url: str, charset: str | None) -> tuple[Sequence[Mapping[str, Any]], str | None, int]:
    """(raw entries, what makes the document incomplete, how many items of JSON were none)."""
    if letters.decoded(body[:400], charset).lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        listed = jsonfeed.items(letters.decoded(body, charset).lstrip("\ufeff"), url)
        many = "too_many_items" if len(listed.raw) > MAX_ENTRIES else None
        return _newest(listed.raw), "truncated" if listed.cut else many, listed.bad
    cleaned = clean(body, charset)
    if not cleaned.body:
        raise ParseError("not_a_feed", f"{url} answered with {_looks_like(body)}, not with a feed")
    try:
        feed = quick.feedparser().parse(
            io.BytesIO(cleaned.body),  # never bare bytes: feedparser would open a file of that name
            response_headers={"content-location": url, "content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except RecursionError:
        raise ParseError("too_deep", f"{url}: it is nested too deeply to be read") from None
    except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError, AssertionError, RuntimeError) as error:
        raise ParseError("malformed", f"feedparser cannot read {url}: {error}") from error
    if not feed.entries and not feed.get("version"):
        raise ParseError("not_a_feed", f"{url} answered with {_looks_like(body)}, not with a feed")
    if not feed.entries and feed.bozo and (b"<item" in cleaned.body or b"<entry" in cleaned.body):
        raise ParseError("malformed", f"{url}: {text.one_line(str(feed.get('bozo_exception', '')), 200)}")
    raw = [dict(entry) for entry in feed.entries[:MAX_ENTRIES]]  # plain: each look into feedparser's own tries several names
    return raw, "truncated" if cleaned.cut else "too_many_items" if cleaned.left_out else None, 0


def _newest(raw: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """As many as are read at once: the first, or the last if the list begins with the oldest."""
    if len(raw) <= MAX_ENTRIES:
        return raw
    first, last = (_date(one)[0] for one in (raw[0], raw[-1]))
    return raw[-MAX_ENTRIES:] if first and last and first < last else raw[:MAX_ENTRIES]


def _looks_like(body: bytes) -> str:
    start = body.lstrip()[:300].lower()
    for mark, name in (
        (b"<!doctype html", "an HTML page"),
        (b"<html", "an HTML page"),
        (b"{", "JSON"),
        (b"%pdf", "a PDF"),
        (b"\x89png", "a picture"),
    ):
        if start.startswith(mark):
            return name
    return "something else" if start else "nothing"


def _unglued(title: str) -> str:
    """A mirror's title without the date and category that its scraper glued to it: "Aug 18, 2026ScienceHow Claude …"."""
    from tracker.pollers.listing.cards import cleaned

    return cleaned(title, Counter(), sure=False)[0]


def _entry(raw: Mapping[str, Any], base: str, *, mirror: bool) -> Entry | None:
    markup = _markup(raw, base)
    link = _link(raw, base)
    guid = text.one_line(str(raw.get("id") or ""), 500) or None
    title = text.one_line(text.plain(str(raw.get("title") or ""), text.MAX_TITLE * 2))
    title = _unglued(title) if mirror else title
    abstract = guid is not None and guid.startswith("oai:arXiv")
    body = text.paragraph(_ARXIV_PREFIX.sub("", markup, count=1)) if abstract else text.plain(markup)
    if not title and not body and not link:
        return None
    published, written = _date(raw)
    own = urls.own_key(link or "") or urls.own_key(guid or "")
    return Entry(
        title or text.one_line(body, 120) or (link or ""),
        link,
        guid,
        body,
        _authors(raw, bool(own)),
        published,
        written,
        (urls.arxiv_version(guid or "") or urls.arxiv_version(link or "")) if own else None,
        own,
        tuple(sorted(urls.keys_in(markup) - {own, urls.link_key(link or "")})[:MAX_LINKS]),  # what links to itself links to nothing
    )


def _link(raw: Mapping[str, Any], base: str) -> str | None:
    """Where the entry leads: its page, else what is related to it; never its enclosure, its comments or its place in an API."""
    links = [link for link in raw.get("links") or [] if isinstance(link, Mapping)]
    ranked = [link.get("href") for rel in ("alternate", "related", "via", "self") for link in links if link.get("rel") == rel]
    # feedparser takes a guid for a link, but "1" leads nowhere, though any base makes an address of it. A link of its own is in ``ranked``.
    invented = raw.get("guidislink") and not str(raw.get("id")).lower().startswith(("http://", "https://", "/"))
    offered = [raw.get("feedburner_origlink"), None if invented else raw.get("link"), *ranked]
    return next((url for link in offered if isinstance(link, str) and (url := urls.safe_url(link, base))), None)


def _markup(raw: Mapping[str, Any], base: str) -> str:
    """The longest of what the feed offers: full content, else the summary; links in it absolute."""
    offered = [part for part in [*(raw.get("content") or []), _summary(raw)] if isinstance(part, Mapping)]
    best = max(offered, key=lambda part: len(str(part.get("value") or "")))
    return _RELATIVE.sub(lambda found: found[1] + _absolute(best.get("base") or base, found[2]), str(best.get("value") or "")[:MAX_MARKUP])


def _summary(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    detail = raw.get("summary_detail")
    return {"value": str(raw.get("summary") or ""), "base": detail.get("base") if isinstance(detail, Mapping) else None}


def _absolute(base: str, link: str) -> str:
    try:
        return urljoin(base, link)
    except ValueError:
        return link


def _authors(raw: Mapping[str, Any], paper: bool) -> tuple[str, ...]:
    names = [str(author.get("name") or "") for author in raw.get("authors") or [] if isinstance(author, Mapping)] or [
        str(raw.get("author") or "")
    ]
    if paper and len(names) == 1:  # arXiv's feeds give all authors as one
        names = names[0].split(", ")
    return tuple(name for raw_name in names[:200] if (name := text.one_line(raw_name, 200).replace(";", ",")))


def _date(raw: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """(UTC instant or None, what was written). A date that cannot be read stays readable as written; feedparser's reading is not asked."""
    for key in ("published", "updated", "created"):
        if written := raw.get(key):
            shown = text.one_line(str(written), dates.MAX_DATE)
            return dates.instant(shown), shown
    return None, None
