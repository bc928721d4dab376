"""URLs and keys: which sightings are the same thing, and that no text, however made, breaks the answer."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tracker.errors import InvalidURL
from tracker.types import Entry
from tracker.urls import arxiv_version, canonical_url, host_of, key_of, keys_in, link_key, own_key, safe_url, without_credentials

PAPER = "arxiv:2606.01234"

# Text in which URLs are likely: their pieces in any order, and any characters between.
_PIECES = st.sampled_from(
    [
        *"http:// HTTPS:// https:// // www. example.org bücher.example arxiv.org/abs/2606.01234 v2 doi.org/10.5555/ user:pw@".split(),
        *"[::1] :80 :443 :x / /./ /../ %2e%2E %2F %41 % %zz ?a=1 & &amp; utm_source=x ?%75tm_x # #top ; = + ~ \\ < > \" '".split(),
        *"( ) [ ] . , : @ javascript: data: \u202e \ud800 \u3002 ü 日 0".split(),
        *" \n\t\0",
    ]
)
URLISH = st.one_of(
    st.text(),
    st.lists(_PIECES, max_size=12).map("".join),
    st.builds("https://{}".format, st.lists(_PIECES, max_size=12).map("".join)),
    st.builds("{}example.org/{}".format, st.sampled_from(["http://", "https://www.", "https://www.www."]), st.text()),
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param("https://arxiv.org/abs/2606.01234", None, id="the abstract"),
        pytest.param("http://arxiv.org/abs/2606.01234v12", 12, id="the abstract of a version"),
        pytest.param("arxiv.org/abs/2606.01234v1", 1, id="without a scheme"),
        pytest.param("https://www.arxiv.org/abs/2606.01234/", None, id="www and a slash at the end"),
        pytest.param("https://arxiv.org:443/abs/2606.01234", None, id="with a port"),
        pytest.param("https://ARXIV.org/ABS/2606.01234V2", 2, id="in capitals"),
        pytest.param("https://arxiv.org/abs/2606.01234?context=cs.AI#s1", None, id="with a query and a fragment"),
        pytest.param("https://arxiv.org/abs/2606.01234v2, and", 2, id="a comma after it"),
        pytest.param("https://arxiv.org/pdf/2606.01234", None, id="the pdf"),
        pytest.param("https://arxiv.org/pdf/2606.01234v2.pdf", 2, id="the pdf with its extension"),
        pytest.param("https://browse.arxiv.org/html/2606.01234v1", 1, id="the html of a subdomain"),
        pytest.param("http://export.arxiv.org/abs/2606.01234v1", 1, id="the export host"),
        pytest.param("https://arxiv.org/e-print/2606.01234", None, id="the source"),
        pytest.param("https://ar5iv.labs.arxiv.org/html/2606.01234", None, id="ar5iv at its lab"),
        pytest.param("https://ar5iv.org/abs/2606.01234", None, id="ar5iv"),
        pytest.param("https://www.alphaxiv.org/overview/2606.01234", None, id="the overview of alphaXiv"),
        pytest.param("https://alphaxiv.org/abs/2606.01234v3", 3, id="alphaXiv"),
        pytest.param("https://huggingface.co/papers/2606.01234", None, id="Hugging Face"),
        pytest.param("https://hf.co/papers/2606.01234#community", None, id="Hugging Face, short"),
        pytest.param("https://doi.org/10.48550/arXiv.2606.01234", None, id="the DOI"),
        pytest.param("http://dx.doi.org/10.48550/ARXIV.2606.01234v2", 2, id="the DOI by its old host"),
        pytest.param("oai:arXiv.org:2606.01234v1", 1, id="the guid of the announcements"),
        pytest.param("arXiv:2606.01234v2", 2, id="as people cite it"),
        pytest.param("arxiv: 2606.01234.", None, id="as people cite it, loosely"),
    ],
)
def test_every_form_of_a_paper_has_one_key(text: str, version: int | None) -> None:
    assert own_key(text) == PAPER
    assert arxiv_version(text) == version


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("https://arxiv.org/abs/hep-th/9901001", "arxiv:hep-th/9901001", id="an archive"),
        pytest.param("https://arxiv.org/pdf/cs/0701001v4.pdf", "arxiv:cs/0701001", id="a version"),
        pytest.param("https://arxiv.org/abs/math.GT/0309136v1", "arxiv:math/0309136", id="a subject class is no part of it"),
        pytest.param("arXiv:math/0309136", "arxiv:math/0309136", id="without the subject class"),
        pytest.param("https://doi.org/10.48550/arXiv.math/0309136", "arxiv:math/0309136", id="by DOI"),
        pytest.param("https://arxiv.org/abs/0704.0001", "arxiv:0704.0001", id="four digits since 2007"),
    ],
)
def test_old_numbers(text: str, key: str) -> None:
    assert own_key(text) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("https://doi.org/10.5555/Ex.2026.7", "doi:10.5555/ex.2026.7", id="no case"),
        pytest.param("http://dx.doi.org/10.5555/ex.2026.7?via=x#s", "doi:10.5555/ex.2026.7", id="old host, query, fragment"),
        pytest.param("https://doi.org/10.5555/ex.", "doi:10.5555/ex", id="a full stop after it"),
        pytest.param("https://doi.org/10.5555/ex/", "doi:10.5555/ex", id="a slash after it"),
        pytest.param("https://doi.org/10.5555/s0140%2826%29", "doi:10.5555/s0140(26)", id="brackets of its own"),
        pytest.param("https://doi.org/10.5555/ex)", "doi:10.5555/ex", id="a bracket of the sentence"),
        pytest.param("doi:10.5555/ex", "doi:10.5555/ex", id="as a guid"),
    ],
)
def test_dois(text: str, key: str) -> None:
    assert own_key(text) == key


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("https://arxiv.org/list/cs.AI/recent", id="a list"),
        pytest.param("https://arxiv.org/abs/2613.01234", id="month 13"),
        pytest.param("https://arxiv.org/abs/2606.012", id="too few digits"),
        pytest.param("https://arxiv.org/abs/2606.012345", id="too many digits"),
        pytest.param("arXiv:2606.012345", id="too many digits in a citation"),
        pytest.param("https://notarxiv.org/abs/2606.01234", id="a host that ends alike"),
        pytest.param("https://arxiv.org.evil.example/abs/2606.01234", id="a host that begins alike"),
        pytest.param("https://arxiv-org.example/abs/2606.01234", id="a host that looks alike"),
        pytest.param("https://evilhf.co/papers/2606.01234", id="not Hugging Face"),
        pytest.param("https://notdoi.org/10.48550/arXiv.2606.01234", id="not the DOI resolver"),
        pytest.param("https://example.org/abs/2606.01234", id="another host"),
        pytest.param("https://example.org/arxiv.org/abs/2606.01234", id="in a path"),
        pytest.param("https://example.org/share?u=https://arxiv.org/abs/2606.01234", id="in a query"),
        pytest.param("https://example.org/#arxiv.org/abs/2606.01234", id="in a fragment"),
        pytest.param("https://arxiv.org@evil.example/abs/2606.01234", id="as a user name"),
        pytest.param("https://example.org/doi.org/10.5555/ex", id="a DOI in a path"),
        pytest.param("https://doi.org/about", id="the resolver's own pages"),
        pytest.param("2606.01234", id="a bare number"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_only_looks_like_a_paper_is_none(text: str) -> None:
    assert own_key(text) is None
    assert arxiv_version(text) is None


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        pytest.param("https://example.org", "https://example.org/", id="no path"),
        pytest.param("http://example.org/a", "https://example.org/a", id="http"),
        pytest.param("https://www.example.org/a", "https://example.org/a", id="www"),
        pytest.param("https://www.www.example.org/a", "https://example.org/a", id="www twice"),
        pytest.param("https://www.org/a", "https://www.org/a", id="www that is the name"),
        pytest.param("https://wwwx.example.org/a", "https://wwwx.example.org/a", id="www that is part of a name"),
        pytest.param("https://example.org/a/", "https://example.org/a", id="a slash at the end"),
        pytest.param("https://example.org//", "https://example.org/", id="only slashes"),
        pytest.param("https://example.org/a//b", "https://example.org/a//b", id="an empty segment stays"),
        pytest.param("https://example.org//evil.example/", "https://example.org//evil.example", id="two slashes are no host"),
        pytest.param("HTTPS://EXAMPLE.org/Path", "https://example.org/Path", id="case of the host, not of the path"),
        pytest.param("https://example.org./a", "https://example.org/a", id="the root's dot"),
        pytest.param("https://example.org:443/a", "https://example.org/a", id="the port of https"),
        pytest.param("http://example.org:80/a", "https://example.org/a", id="the port of http"),
        pytest.param("http://example.org:443/a", "https://example.org/a", id="the port of https said with http"),
        pytest.param("https://example.org:8443/a", "https://example.org:8443/a", id="another port"),
        pytest.param("https://user:secret@example.org/a", "https://example.org/a", id="user name and password"),
        pytest.param("https://example.org/a?utm_source=x&b=2&UTM_Medium=y", "https://example.org/a?b=2", id="campaign"),
        pytest.param("https://example.org/a?fbclid=1&gclid=2&mc_eid=3", "https://example.org/a", id="clicks"),
        pytest.param("https://example.org/a?%75tm_source=x", "https://example.org/a", id="campaign, encoded"),
        pytest.param("https://example.org/a?b=1&a=2", "https://example.org/a?b=1&a=2", id="order of parameters"),
        pytest.param("https://example.org/a?&b=1&&", "https://example.org/a?b=1", id="empty parameters"),
        pytest.param("https://example.org/a?", "https://example.org/a", id="an empty query"),
        pytest.param("https://example.org/?p=1", "https://example.org/?p=1", id="a page by number"),
        pytest.param("https://example.org?p=1", "https://example.org/?p=1", id="a query without a path"),
        pytest.param("https://example.org/a?x=%3d%26", "https://example.org/a?x=%3D%26", id="separators stay encoded"),
        pytest.param("https://example.org/%7Eann/%41", "https://example.org/~ann/A", id="needless encoding"),
        pytest.param("https://example.org/a%2fb", "https://example.org/a%2Fb", id="an encoded slash is none"),
        pytest.param("https://example.org/a b", "https://example.org/a%20b", id="a blank"),
        pytest.param("https://example.org/100%", "https://example.org/100%25", id="a lone percent sign"),
        pytest.param("https://example.org/ä", "https://example.org/%C3%A4", id="a letter beyond ASCII"),
        pytest.param("https://bücher.example/x", "https://xn--bcher-kva.example/x", id="IDN"),
        pytest.param("https://XN--BCHER-KVA.example/x", "https://xn--bcher-kva.example/x", id="IDN, encoded"),
        pytest.param("https://example.org/a/./b/../c", "https://example.org/a/c", id="dots"),
        pytest.param("https://example.org/../../a", "https://example.org/a", id="dots above the root"),
        pytest.param("https://example.org/a/%2e%2E/b", "https://example.org/b", id="encoded dots"),
        pytest.param("https://example.org/a/..", "https://example.org/", id="dots at the end"),
        pytest.param("https://[2001:DB8::1]:8080/a", "https://[2001:db8::1]:8080/a", id="IPv6"),
        pytest.param(" https://example.org/a\n", "https://example.org/a", id="white space around"),
        pytest.param("https://example.org/a#top", "https://example.org/a", id="a fragment"),
    ],
)
def test_canonical(url: str, canonical: str) -> None:
    assert canonical_url(url) == canonical
    assert canonical_url(canonical) == canonical
    assert link_key(url) == f"url:{canonical}"


def test_a_fragment_is_kept_on_request() -> None:
    assert canonical_url("https://www.example.org/log/?utm_source=x#v1.2", keep_fragment=True) == "https://example.org/log#v1.2"
    assert canonical_url("https://example.org/log#", keep_fragment=True) == "https://example.org/log"


HOSTILE = [
    pytest.param("", id="nothing"),
    pytest.param("example.org/a", id="no scheme"),
    pytest.param("//example.org/a", id="no scheme, but slashes"),
    pytest.param("/a", id="a path"),
    pytest.param("javascript:alert(1)//example.org", id="a script"),
    pytest.param("java\tscript:alert(1)", id="a script with a tab"),
    pytest.param("data:text/html,x", id="data"),
    pytest.param("file:///etc/passwd", id="a file"),
    pytest.param("ftp://example.org/", id="ftp"),
    pytest.param("mailto:ann@example.org", id="mail"),
    pytest.param("https://", id="no host"),
    pytest.param("https:///a", id="an empty host"),
    pytest.param("https://./", id="a host that is a dot"),
    pytest.param("https://exa mple.org/", id="a blank in the host"),
    pytest.param("https://exa\nmple.org/", id="a line feed in the host"),
    pytest.param("https://exa<b>mple.org/", id="markup in the host"),
    pytest.param("https://example.org%2f@evil", id="an encoded slash in the host"),
    pytest.param("https://example.org:x/", id="a port of letters"),
    pytest.param("https://example.org:99999/", id="a port too high"),
    pytest.param("https://[::1", id="a bracket not closed"),
    pytest.param("https://[fe80::1%25eth0]/", id="an IPv6 zone"),
    pytest.param("https://[v1.a:b]/", id="an address of the future"),
    pytest.param(f"https://{'a' * 64}ä.example/", id="a label too long"),
    pytest.param("https://example.org/\ud800", id="half a character"),
    pytest.param("https://example.org/" + "a" * 3000, id="too long"),
    pytest.param("https://example.org/" + "日" * 1000, id="too long once encoded"),
]


@pytest.mark.parametrize("url", HOSTILE)
def test_no_web_address_has_no_canonical_form(url: str) -> None:
    if url.startswith("https://example.org%2f@"):  # a user name in front: what counts is the host
        assert canonical_url(url) == "https://evil/"
        return
    with pytest.raises(InvalidURL):
        canonical_url(url)
    assert link_key(url) is None


@pytest.mark.parametrize(
    ("url", "base", "safe"),
    [
        pytest.param("https://example.org/a?b=1#c", None, "https://example.org/a?b=1#c", id="a good one passes"),
        pytest.param("http://www.example.org/?utm_source=x", None, "http://www.example.org/?utm_source=x", id="nothing is folded"),
        pytest.param("/a", "https://example.org/x/y", "https://example.org/a", id="against a base"),
        pytest.param("../a", "https://example.org/x/y/z", "https://example.org/x/a", id="relative"),
        pytest.param("//other.example/a", "https://example.org/", "https://other.example/a", id="another host of the same scheme"),
        pytest.param("https://user:secret@example.org/a", None, "https://example.org/a", id="no user name"),
        pytest.param("https://bücher.example/ä b", None, "https://xn--bcher-kva.example/%C3%A4%20b", id="ASCII only"),
        pytest.param("https://example.org/<script>\"'", None, "https://example.org/%3Cscript%3E%22'", id="no markup"),
        pytest.param("https://example.org/\u202eab\x1b", None, "https://example.org/%E2%80%AEab%1B", id="nothing invisible"),
        pytest.param("https://example.org\\@evil.example/", None, "https://evil.example/", id="a backslash hides no host"),
        pytest.param("javascript:alert(1)", "https://example.org/", None, id="a script"),
        pytest.param(" javascript:alert(1)", "https://example.org/", None, id="a script after a blank"),
        pytest.param("data:text/html,x", "https://example.org/", None, id="data"),
        pytest.param("/a", None, None, id="relative to nothing"),
        pytest.param("/a", "file:///etc/", None, id="relative to a file"),
        pytest.param("https://[::1", "https://example.org/", None, id="broken"),
        pytest.param("https://example.org/\udc80", None, None, id="half a character"),
        pytest.param("", "https://example.org/", None, id="empty"),
        pytest.param(None, "https://example.org/", None, id="none"),
    ],
)
def test_safe(url: str | None, base: str | None, safe: str | None) -> None:
    assert safe_url(url, base) == safe


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        pytest.param('<a href="https://www.example.org/a/?utm_source=x">', {"url:https://example.org/a"}, id="a link"),
        pytest.param("<a href='https://example.org/?a=1&amp;b=2'>", {"url:https://example.org/?a=1&b=2"}, id="an escaped ampersand"),
        pytest.param("see https://example.org/a.", {"url:https://example.org/a"}, id="a full stop"),
        pytest.param("(see https://example.org/a)", {"url:https://example.org/a"}, id="brackets of the sentence"),
        pytest.param("https://example.org/Agent_(software)", {"url:https://example.org/Agent_(software)"}, id="brackets of the link"),
        pytest.param("(https://example.org/Agent_(software)).", {"url:https://example.org/Agent_(software)"}, id="both brackets"),
        pytest.param("arXiv:2606.01234v1 and https://arxiv.org/pdf/2606.01234", {PAPER}, id="two ways to one paper"),
        pytest.param("as in arXiv:2606.01234.", {PAPER}, id="a citation at the end of a sentence"),
        pytest.param("https://doi.org/10.5555/ex, https://doi.org/10.48550/arXiv.2606.01234", {"doi:10.5555/ex", PAPER}, id="DOIs"),
        pytest.param(
            "<img src=\"https://img.example/1.png\"><IMG SRCSET='https://img.example/2.png 2x'>", set(), id="pictures are no links"
        ),
        pytest.param('<a href="javascript:x">', set(), id="a script"),
        pytest.param("arXiv:2606.012345", set(), id="no paper"),
        pytest.param("", set(), id="nothing"),
    ],
)
def test_what_a_text_points_to(text: str, keys: set[str]) -> None:
    assert keys_in(text) == keys


ENTRY = Entry("A post", "https://www.lab.example/a/?utm_source=x", "g1", "Words.")


@pytest.mark.parametrize(
    ("entry", "key"),
    [
        pytest.param(replace(ENTRY, own_key=PAPER), PAPER, id="its own number first"),
        pytest.param(replace(ENTRY, url="https://hf.co/papers/2606.01234"), PAPER, id="a paper by its URL"),
        pytest.param(ENTRY, "url:https://lab.example/a", id="then its URL"),
        pytest.param(replace(ENTRY, url=None), "guid:lab:g1", id="then its guid"),
        pytest.param(replace(ENTRY, url="https://"), "guid:lab:g1", id="a URL that is none does not count"),
    ],
)
def test_key(entry: Entry, key: str) -> None:
    assert key_of(entry, "lab") == key


def test_without_url_and_guid_the_words_are_the_key() -> None:
    bare = replace(ENTRY, url=None, guid=None)
    key = key_of(bare, "lab")
    assert key.startswith("hash:lab:")
    assert key == key_of(replace(bare, authors=("Ann",), published_at="2026-06-12T00:00:00Z"), "lab")
    assert len({key, key_of(replace(bare, text="Other words."), "lab"), key_of(replace(bare, title="B"), "lab"), key_of(bare, "b")}) == 4


@pytest.mark.parametrize(
    ("url", "host"),
    [("https://www.Example.org:8443/a", "example.org"), ("//b.example/x", "b.example"), ("no url", ""), ("https://[", ""), (None, "")],
    ids=["a URL", "without a scheme", "words", "broken", "none"],
)
def test_host(url: str | None, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ann:secret@example.org/a", "https://example.org/a"),
        ("https://token@example.org", "https://example.org"),
        ("https://example.org/@ann", "https://example.org/@ann"),
        ("https://example.org/?to=a@b.example", "https://example.org/?to=a@b.example"),
    ],
    ids=["user and password", "a token", "an at sign in the path", "an at sign in the query"],
)
def test_no_credentials_are_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_an_invalid_url_is_named_without_its_password() -> None:
    with pytest.raises(InvalidURL) as failure:
        canonical_url("ftp://ann:secret@example.org/")
    assert "secret" not in str(failure.value)


@given(URLISH, st.booleans())
@example("https://example.org/" + "ä" * 400, False)
@example("https://example.org/a\u3000", True)
def test_the_canonical_form_of_a_canonical_form_is_itself(url: str, keep: bool) -> None:
    try:
        canonical = canonical_url(url, keep_fragment=keep)
    except InvalidURL:
        return
    assert canonical_url(canonical, keep_fragment=keep) == canonical
    assert canonical.isascii()
    assert urlsplit(canonical).scheme == "https"


@given(URLISH, st.none() | URLISH)
def test_a_safe_url_is_none_or_an_address_of_the_web(url: str, base: str | None) -> None:
    safe = safe_url(url, base)
    if safe is not None:
        parts = urlsplit(safe)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.username is None
        assert safe.isascii()
        assert not set(safe) & set(' \t\r\n\0"<>\\^`{|}\x7f')
        assert safe_url(safe) == safe


@given(URLISH, st.text(), st.text(), st.text(), st.text())
def test_the_key_does_not_depend_on_the_guid_when_there_is_a_url(url: str, guid: str, other: str, title: str, words: str) -> None:
    entry = Entry(title, url, guid, words)
    if link_key(url):
        assert key_of(entry, "lab") == key_of(replace(entry, guid=other), "lab") == key_of(replace(entry, guid=None), "lab")
    assert key_of(entry, "lab")


@given(st.text() | st.lists(URLISH, max_size=5).map(" ".join))
def test_keys_of_any_text_are_keys(text: str) -> None:
    assert all(key.startswith(("arxiv:", "doi:", "url:https://")) for key in keys_in(text))


@pytest.mark.parametrize("piece", ["https://", 'src="', "arxiv:", "https://a" + ")" * 1999 + " ", "http://doi.org/10.5555/", "&amp;", "a."])
def test_keys_of_a_hostile_megabyte_come_back(piece: str) -> None:
    keys_in(piece * (400_000 // len(piece)))
    own_key(piece * (400_000 // len(piece)))
