"""URLs and keys: when are two sightings the same thing?

in   URLs as feeds, pages and people write them; entries; any text that holds links
out  the canonical URL, the key of an entry, the set of keys a text points to
knows no network: redirects are never followed here, so two addresses of one page that only a server knows stay two.
Surprising: ``http`` and ``https``, ``www.`` and a slash at the end are folded away, because feeds change them without notice
and no source of the field serves two different pages under the two forms.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote, unquote, urljoin, urlsplit

from tracker.errors import InvalidURL

if TYPE_CHECKING:
    from tracker.types import Entry

__all__ = [
    "PLACE", "arxiv_version", "canonical_url", "host_of", "key_of", "keys_in", "link_key", "own_key", "safe_url", "without_credentials",
]  # fmt: skip

# Parameters that say how a reader came, never what he reads: Google Analytics (utm_*), ad networks, mail tools, social share buttons.
TRACKING_PREFIXES = ("utm_", "mc_", "hsa_", "pk_", "mtm_", "at_", "_hs")
TRACKING = frozenset(
    "fbclid gclid dclid gbraid wbraid msclkid yclid igshid igsh twclid ttclid li_fat_id vero_id oly_anon_id oly_enc_id s_cid "
    "ref_src ref_url cmpid ncid guccounter guce_referrer guce_referrer_sig __twitter_impression spm share_id sh_kit".split()
)
# A text fragment, to whose words browsers scroll. Such an address is a story of an issue (pollers/sections.py), never the page itself.
# https://wicg.github.io/scroll-to-text-fragment/
PLACE = "#:~:"
_SURROGATE = re.compile("[\ud800-\udfff]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_URL = 2000  # characters; browsers and servers give up beyond

# New arXiv ids since April 2007 (YYMM.NNNN, five digits since 2015), old ones archive[.SC]/YYMMNNN.
# https://info.arxiv.org/help/arxiv_identifier.html
_ARXIV_ID = r"(?:\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7})"
# A host and its subdomains at the start of a URL: a path or a query that names arxiv.org does not make a page a paper.
_HOST = r"^(?:https?://)?(?:[^\s/?#@]{1,200}@)?(?:[\w-]{1,63}\.){0,8}"
_PORT = r"(?::\d{1,5})?"
_ARXIV_URL = re.compile(
    _HOST
    + rf"(?:arxiv\.org{_PORT}/(?:abs|pdf|html|format|ps|e-print|src)/|alphaxiv\.org{_PORT}/(?:abs|pdf|overview)/"
    + rf"|ar5iv(?:\.labs\.arxiv)?\.org{_PORT}/(?:abs|html)/|(?:huggingface|hf)\.co{_PORT}/papers/"
    + rf"|doi\.org{_PORT}/10\.48550/arxiv\.)({_ARXIV_ID})(?:v(\d{{1,3}}))?(?![0-9a-z])",
    re.IGNORECASE,
)
_ARXIV_NAME = re.compile(rf"\b(?:oai:)?arxiv(?:\.org)?:\s?({_ARXIV_ID})(?:v(\d{{1,3}}))?(?!\d|\.\d)", re.IGNORECASE)
_DOI_URL = re.compile(rf"(?:{_HOST}doi\.org{_PORT}/|^doi:\s?)(10\.\d{{4,9}}/[^\s?#\"<>]{{1,200}})", re.IGNORECASE)
_HREF = re.compile(r"https?://[^\s\"'<>\\^`{|}\x00-\x20]{4,2000}", re.IGNORECASE)
_WWW = re.compile(r"^(?:www\.)+(?=[^.]+\.)")  # not of www.org, whose name it is
_EMBEDDED = re.compile(r"""\bsrc(?:set)?\s{0,9}=\s{0,9}(?:"[^"]{0,4000}"|'[^']{0,4000}')""", re.IGNORECASE)  # pictures are no links
_NORMAL = re.compile(r"[A-Za-z0-9/._~=-]*")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\x9f\\<>\"^`{|}\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


def canonical_url(url: str, *, keep_fragment: bool = False) -> str:
    """Return the form under which two sightings of one page compare equal.

    Lower-cases scheme and host, turns ``http`` into ``https``, drops ``www.``, user names, default ports, fragments, tracking
    parameters (``TRACKING``) and a slash at the end; removes dot segments and needless percent-encoding; keeps path case,
    parameter order and unknown parameters. Idempotent. Follows RFC 3986 section 6.2.2; does not resolve redirects.

    >>> canonical_url("HTTPS://www.Example.org:443/a/../Post/?utm_source=x&p=1#top")
    'https://example.org/Post?p=1'

    Raises:
        InvalidURL: not an absolute http or https URL.
    """
    return _canonical(url, keep_fragment and "#" in url)


@lru_cache(4_096)  # an entry's own address is asked for again and again
def _canonical(url: str, keep_fragment: bool) -> str:
    parts, host, port = _split(url)
    path = _without_dots(_normal(parts.path, "/:@!$&'()*+,;=~-._")).rstrip("/")
    query = "&".join(_normal(pair, "/:@!$'()*+,;=~-._?") for pair in parts.query.split("&") if pair and not _tracks(pair))
    fragment = _normal(parts.fragment, "/:@!$&'()*+,;=~-._?") if keep_fragment else ""
    canonical = (
        f"https://{_WWW.sub('', host)}{f':{port}' if port and port != 443 else ''}{path or '/'}"
        f"{f'?{query}' if query else ''}{f'#{fragment}' if fragment else ''}"
    )
    return canonical if len(canonical) <= _MAX_URL else _refuse(url, "is too long")


def safe_url(url: str | None, base: str | None = None) -> str | None:
    """Return an absolute http(s) URL fit to be shown and followed, resolved against ``base``; None for anything else.

    ``javascript:``, ``data:``, control characters and user names never survive; the host is ASCII.
    """
    if not url:
        return None
    try:
        absolute = urljoin(base or "", url.strip())
        parts, host, port = _split(absolute)
    except ValueError:
        return None
    path = quote(parts.path or "/", safe="/:@!$&'()*+,;=~-._%")
    query = f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else ""
    fragment = f"#{quote(parts.fragment, safe=_QUERY_SAFE)}" if parts.fragment else ""
    return f"{parts.scheme.lower()}://{host}{f':{port}' if port else ''}{path}{query}{fragment}"


_QUERY_SAFE = "/:@!$&'()*+,;=~-._?%"


def host_of(url: str | None) -> str:
    """Return the host of a URL, lower-case and without ``www.``; "" when there is none."""
    try:
        return (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def without_credentials(url: str) -> str:
    """Return the URL as it may be printed: no user name, no password."""
    return re.sub(r"(?<=//)[^/?#@]*@", "", url)


def own_key(text: str) -> str | None:
    """Return ``arxiv:…`` or ``doi:…`` if the URL or guid names one paper, folding every form and version into one key.

    >>> own_key("http://arxiv.org/pdf/2606.01234v2.pdf"), own_key("https://doi.org/10.48550/arXiv.2606.01234")
    ('arxiv:2606.01234', 'arxiv:2606.01234')
    """
    if found := _ARXIV_URL.search(text) or _ARXIV_NAME.match(text):
        return f"arxiv:{_fold_arxiv(found[1])}"
    if found := _DOI_URL.search(text):
        return f"doi:{_bare(unquote(found[1]).lower()).rstrip('/')}"
    return None


def arxiv_version(text: str) -> int | None:
    """Return the version that an arXiv URL or guid carries, or None."""
    found = _ARXIV_URL.search(text) or _ARXIV_NAME.match(text)
    return int(found[2]) if found and found[2] else None


def link_key(url: str) -> str | None:
    """Return the key a link points to: ``arxiv:``, ``doi:`` or ``url:``; None for what is no web address."""
    if key := own_key(url):
        return key
    try:
        return f"url:{canonical_url(url)}"
    except InvalidURL:
        return None


def keys_in(text: str) -> set[str]:
    """Return the keys of everything that an HTML or plain text points to (links and ``arXiv:NNNN.NNNNN`` mentions)."""
    lower = text.lower()  # a look for each word first: most texts have none, and the patterns are 20 times slower
    text = _EMBEDDED.sub(" ", text) if "src" in lower else text
    found = {key for match in _HREF.finditer(text) if (key := link_key(_bare(match[0].replace("&amp;", "&"))))}
    return found | ({f"arxiv:{_fold_arxiv(match[1])}" for match in _ARXIV_NAME.finditer(text)} if "arxiv" in lower else set())


def key_of(entry: Entry, source_id: str) -> str:
    """Return the identity of an entry: its own arXiv id or DOI, else canonical URL, else guid, else a hash of its text.

    The key does not depend on the guid when there is a URL.
    """
    from tracker.text import content_hash

    if key := entry.own_key or (entry.url and link_key(entry.url)):
        return key
    if entry.guid:
        return f"guid:{source_id}:{entry.guid}"
    return f"hash:{source_id}:{content_hash(entry.title, entry.text)}"


def _split(url: str):  # type: ignore[no-untyped-def]  # (SplitResult, ASCII host, port or None)
    text = url.strip()
    if len(text) > _MAX_URL or _UNSAFE.search(text):
        text = _UNSAFE.sub(lambda bad: quote(bad[0]), text[: _MAX_URL + 1])
    if _SURROGATE.search(text):
        _refuse(url, "holds half a character")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidURL(f"{without_credentials(url)[:200]!r}: {error}") from None
    scheme = parts.scheme.lower()
    if len(text) > _MAX_URL or scheme not in _DEFAULT_PORTS or not host:
        raise InvalidURL(f"{without_credentials(url)[:200]!r} is not an absolute http or https URL")
    return parts, _ascii_host(host, url), None if port in (None, 0, _DEFAULT_PORTS[scheme]) else port


def _ascii_host(host: str, url: str) -> str:
    if ":" in host:  # IPv6; a zone (%eth0) or the "future" form leads nowhere on the web
        return f"[{host}]" if re.fullmatch(r"[0-9a-f:.]+", host) else _refuse(url, "has no valid host")
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidURL(f"{without_credentials(url)[:200]!r}: the host is not a valid name") from None
    if not re.fullmatch(r"[a-z0-9._~-]+", name.lower()):
        raise InvalidURL(f"{without_credentials(url)[:200]!r}: the host is not a valid name")
    return name.lower().rstrip(".") or _refuse(url, "has no host")


def _refuse(url: str, why: str) -> NoReturn:
    raise InvalidURL(f"{without_credentials(url)[:200]!r} {why}")


def _bare(link: str) -> str:
    """The link without the punctuation of the sentence around it; a bracket stays if it was opened in the link."""
    while True:
        bare = link.rstrip(".,;:!?")
        if not bare.endswith((")", "]")) or bare.count(bare[-1]) <= bare.count("(" if bare[-1] == ")" else "["):
            return bare
        link = bare[:-1]


def _without_dots(path: str) -> str:
    """The path without ``.`` and ``..`` (RFC 3986 section 5.2.4); empty segments stay, and nothing climbs above the root."""
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def _normal(text: str, safe: str) -> str:
    """Percent-encoding in one form: unreserved characters plain, the rest upper-case (RFC 3986 section 6.2.2.2)."""
    if _NORMAL.fullmatch(text):
        return text
    return re.sub(
        r"%[0-9A-Fa-f]{2}|%|[^%]+",
        lambda part: _one_escape(part[0]) if part[0][0] == "%" else quote(part[0], safe=safe),
        text,
    )


def _one_escape(escape: str) -> str:
    if len(escape) == 1:
        return "%25"
    char = chr(int(escape[1:], 16))
    return char if char.isascii() and (char.isalnum() or char in "-._~") else escape.upper()


def _tracks(pair: str) -> bool:
    name = unquote(pair.partition("=")[0]).lower()
    return name in TRACKING or name.startswith(TRACKING_PREFIXES)


def _fold_arxiv(identifier: str) -> str:
    """Old ids carry an optional subject class (``math.GT/0309136``) that is not part of the identity."""
    archive, slash, number = identifier.lower().partition("/")
    return f"{archive.partition('.')[0]}/{number}" if slash else identifier
