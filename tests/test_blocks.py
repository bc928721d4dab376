"""Author blocks: a page in, the block out; the labs that are read of it. And pages that nobody should make."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.test_labs import TAGGER
from tracker.errors import ParseError
from tracker.pollers import Parsed
from tracker.pollers.authors import EMPTY, MAX_BLOCK, NO_PAGE, read
from tracker.types import Item, Source

URL = "https://arxiv.org/html/2606.01234v1"


def block(html: str | bytes, *authors: str) -> Parsed:
    body = html if isinstance(html, bytes) else html.encode()
    return read(body, Source("authors", "authors", "authors", URL, options={"authors": list(authors)}), URL, "utf-8")


def text_of(found: Parsed) -> str:
    return found.entries[0].text if found.entries else ""


def found_in(html: str, *authors: str) -> set[str] | None:
    """The labs that the paper is by; None where its block tells of nobody's home."""
    found = block(html, *authors)
    paper = Item(1, "arxiv:2606.01234", "arxiv", URL, "A paper", "", authors, origin="paper", block=text_of(found))
    by = {one.lab for one in TAGGER.tag([paper])[0] if one.relation == "by"}
    return by if by or not found.problem else None


def author(name: str, *contacts: str) -> str:
    notes = f'<span class="ltx_author_notes">{"".join(contacts)}</span>' if contacts else ""
    return f'<span class="ltx_creator ltx_role_author"><span class="ltx_personname">{name}</span>{notes}</span>'


def contact(role: str, held: str, label: str = "") -> str:
    named = f'<span class="ltx_contact_name">{label}: </span>' if label else ""
    return f'<span class="ltx_contact ltx_role_{role}">{named}{held}</span>'


def note(role: str, held: str) -> str:
    mark = '<sup class="ltx_note_mark">1</sup>'
    content = f'<span class="ltx_note_content">{mark}<span class="ltx_note_type">{role}: </span>{held}</span>'
    return f'<span class="ltx_note ltx_role_{role}">{mark}<span class="ltx_note_outer">{content}</span></span>'


def page(*parts: str, beside: str = "", rest: str = "") -> str:
    return (
        '<!DOCTYPE html><html><body><article class="ltx_document"><h1 class="ltx_title">A paper</h1>'
        f'<div class="ltx_authors">{"".join(parts)}</div>{beside}<div class="ltx_abstract">We ask OpenAI and Anthropic.</div>'
        f'<section class="ltx_section">{rest}</section></article></body></html>'
    )


SHAPES: dict[str, tuple[str, set[str] | None]] = {
    "contacts of each author": (
        page(
            author("Ina Moss", contact("affiliation", "University of Bergen, Norway", "Affiliation"), contact("email", "ina@uib.example")),
            author("Udo Fern", contact("affiliation", "Mistral AI, Paris, France", "Affiliation"), contact("email", "udo@mistral.ai")),
        ),
        {"mistral"},
    ),
    "all in the name, by breaks and superscripts": (
        page(
            author(
                "Ina Moss<sup>1</sup>, Udo Fern<sup>1,2</sup><br><sup>1</sup>Sakana AI, <sup>2</sup>Osaka University<br>{ina,udo}@sakana.ai"
            )
        ),
        {"sakana"},
    ),
    "a list that hangs on the last author": (
        page(
            author("Ina Moss"),
            author("Udo Fern", contact("affiliation", "<sup>1</sup>Tencent AI Lab <sup>2</sup>Fudan University<br>*Corresponding author")),
        ),
        {"tencent"},
    ),
    "an address": (page(author("Ina Moss", contact("address", "<sup>1</sup> Salesforce AI Research, Palo Alto, USA"))), {"salesforce"}),
    "a sentence, as IEEE has it": (
        page(author("Ina Moss", contact("affiliation", "Ina Moss is with IBM Research, Zurich. Udo Fern is with the University of Graz."))),
        {"ibm-research"},
    ),
    "a footnote beside the block, as ICML has it": (
        page(author("Ina Moss"), beside=note("footnotetext", "Adobe Research, San Jose. <sup>2</sup>KTH. Correspondence to: Ina Moss.")),
        {"adobe"},
    ),
    "thanks: an internship": (
        page(author("Ina Moss" + note("thanks", "Work done while the first author interned at NVIDIA."))),
        {"nvidia"},
    ),
    "thanks: money": (
        page(
            author(
                "Ina Moss" + note("thanks", "Supported by a gift from NVIDIA and by a Google PhD fellowship."),
                contact("affiliation", "University of Graz"),
            )
        ),
        set(),
    ),
    "a label whose text was lost": (page(author("Ina Moss", contact("affiliation", "", "Affiliation"))), None),
    "macros that nobody expanded": (
        page(author(r"[1]\fnmIna \surMoss 1]\orgdiv{Search}, \orgname{Baidu Inc.}, \orgaddress\cityBeijing, \countryChina")),
        {"baidu"},
    ),
    "macros that nobody expanded, without braces": (page(author(r"\surMoss \orgnameSnowflake, \cityBerlin")), {"snowflake"}),
    "only a team": (page(author("Kimi Team")), {"moonshot"}),
    "only an unknown team": (page(author("Nightshift Team")), set()),
    "only a mail address": (page(author("Ina Moss", contact("email", "ina.moss@xiaomi.com"))), {"xiaomi"}),
    "a table within the name": (
        page(author("<table><tr><td>Ina Moss</td><td>Udo Fern</td></tr><tr><td>Cohere</td><td>Uppsala University</td></tr></table>")),
        {"cohere"},
    ),
    "a tabular of spans within the name": (
        page(author('<span class="ltx_tabular"><span class="ltx_tr">Ina Moss<br></span><span class="ltx_tr">Databricks</span></span>')),
        {"databricks"},
    ),
    "no block": (page(), None),
    "institutetext": (page(author("Ina Moss"), beside=note("institutetext", "Naver AI Lab<br>Ghent University")), {"naver"}),
    "a note within an affiliation": (
        page(author("Ina Moss", contact("affiliation", "Lund University" + note("thanks", "Work done at ServiceNow Research.")))),
        {"servicenow"},
    ),
    "a person called like a lab": (page(author("Zhipu Cui", contact("affiliation", "Peking University"))), set()),
    "two labs and a university": (
        page(author("Ina Moss", contact("affiliation", "Intel Labs<br>ETH Zurich<br>Apple"))),
        {"intel", "apple"},
    ),
    "labs of the abstract and of the paper itself": (
        page(
            author("Ina Moss", contact("affiliation", "Lund University")),
            rest='<span class="ltx_contact ltx_role_affiliation">OpenAI</span>' + note("thanks", "Anthropic"),
        ),
        set(),
    ),
}


@pytest.mark.parametrize(("html", "labs"), SHAPES.values(), ids=SHAPES)
def test_the_labs_of_a_block(html: str, labs: set[str] | None) -> None:
    assert found_in(html, "Ina Moss", "Udo Fern", "Zhipu Cui") == labs


def test_a_block_has_a_line_for_each_part_without_authors_labels_and_marks() -> None:
    html = page(
        author("Ina Moss", contact("affiliation", "<sup>1</sup>Lund University*", "Affiliation"), contact("email", "ina@lu.example")),
        author("Udo Fern", contact("affiliation", "Lund University", "Affiliation")),
        beside=note("footnotetext", "Equal contribution"),
    )
    assert text_of(block(html, "Ina Moss")) == "affiliation: Lund University\nemail: @lu.example\nname: Udo Fern"


def test_affiliations_are_kept_before_names() -> None:
    many = [author(f"Person Number{number}") for number in range(600)]
    found = text_of(block(page(*many, author("Last One", contact("affiliation", "Sakana AI")))))
    assert found.startswith("affiliation: Sakana AI\nname: Person Number0\n")
    assert MAX_BLOCK - 100 < len(found.encode()) <= MAX_BLOCK


ADDRESSES = {
    "plain": "secret@lab.example",
    "with signs": "se.cr_et+secret@lab.example",
    "an apostrophe": "o'secret@lab.example",
    "a combining accent": "secre\u0301secret\u0301@lab.example",
    "an unseen character before the @": "secret\u200b@lab.example",
    "braces": "{secret, secret}@lab.example",
    "escaped braces": r"\{secret, secret\}@lab.example",
    "parentheses": "(secret|secret)@lab.example",
    "commas": "secret,secret@lab.example",
    "blanks": "secret @ lab.example",
    "a macro before the @": r"secret\texttt{@lab.example}",
    "a macro around the name": r"\texttt{secret}@lab.example",
    "an @ of a macro": r"secret\@lab.example",
    "an element around the name": "<b>secret</b>@lab.example",
    "a reference": "secret&#64;lab.example",
    "a wide @": "secret＠lab.example",
    "a mark as superscript": "secret<sup>*</sup>@lab.example",
    "no host in the world": "secret@localhost",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
@pytest.mark.parametrize("place", ["email", "affiliation", "name", "note"])
def test_what_stands_before_an_at_sign_is_not_kept(address: str, place: str) -> None:
    parts = {"name": author(f"Ina Moss<br>{address}"), "note": author("Ina Moss" + note("thanks", f"Write: {address}"))}
    found = text_of(block(page(parts.get(place) or author("Ina Moss", contact(place, address))), "Ina Moss"))
    assert "secret" not in found
    assert re.search(r"@(?:lab\.example|localhost)", found)


# --- no page

NO_PAGES = {
    "nothing": b"",
    "blanks": b" \n\t" * 100,
    "a PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<</Type/Catalog>>\nendobj\nstream\x00\xff<div>\x80endstream\n%%EOF",
    "JSON": b'{"html": "<div class=\\"other\\">OpenAI</div>", "authors": ["OpenAI"]}',
    "plain text": b"OpenAI, San Francisco. ltx_authors <ina@openai.com>",
    "an error page": b"<!DOCTYPE html><html><body><h1>HTML is not available for this paper</h1></body></html>",
    "a feed": b'<?xml version="1.0"?><rss><channel><title>ltx_</title></channel></rss>',
    "zero bytes": b"\0" * 10_000,
}


@pytest.mark.parametrize("body", NO_PAGES.values(), ids=NO_PAGES)
def test_what_is_no_paper_in_html_is_no_page(body: bytes) -> None:
    assert block(body) == Parsed((), problem=NO_PAGE)


def test_a_paper_that_names_nothing_but_its_authors_is_empty() -> None:
    found = block(page(author("Ina Moss"), author("Udo Fern")), "Ina Moss")
    assert (found.problem, text_of(found)) == (EMPTY, "name: Udo Fern")


# --- hostile

NAME, HOME = '<span class="ltx_personname">', contact("affiliation", "Sakana AI")
HOSTILE = {
    "a megabyte of nested spans": page(HOME + NAME * 30_000 + "x" * 200_000),
    "nested contacts": page(HOME + '<span class="ltx_contact ltx_role_affiliation">' * 20_000 + "deep"),
    "100,000 authors": page(HOME, *(f"{NAME}P Q{number}</span>" for number in range(100_000))),
    "10,000 affiliations": page(HOME, *(contact("affiliation", f"Home {number}") for number in range(10_000))),
    "a huge attribute": page(HOME, f'<span class="ltx_personname" title="{"x" * 1_000_000}">Ina Moss</span>'),
    "100,000 classes": page(HOME, f'<span class="{"ltx_note " * 100_000}">Ina Moss</span>'),
    "one long word": page(HOME, author("a" * 1_000_000)),
    "many @": page(HOME, author("a@" * 500_000)),
    "open braces": page(HOME, author("{a" * 500_000)),
    "macros": page(HOME, author("\\a" * 500_000)),
    "blanks": page(HOME, author("a" + " " * 1_000_000 + "@")),
    "figures": page(HOME, author("1" * 1_000_000)),
    "marks that say nothing": page(HOME, contact("affiliation", "correspondence to: " * 50_000 + "!x")),
    "equal contributions": page(
        HOME, *(note("thanks", "equally contributed co-first authors " * 20 + f"x{number}") for number in range(500))
    ),
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_page_costs_no_more_than_its_bytes(html: str) -> None:
    """A pattern that goes back and forth would take hours here, so this ends or the run does not."""
    found = text_of(block(html))
    assert found.startswith("affiliation: Sakana AI")
    assert len(found.encode()) <= MAX_BLOCK


_WORDS = st.text(st.characters(), max_size=40)
_HOST = st.sampled_from(["lab.example", "openai.com", "x.y-z.example"])
_LOCAL = st.from_regex(r"[a-z0-9_.+%'!#$&*/=?^`|~-]{1,20}", fullmatch=True).map(lambda local: f"q7z{local}q7z")
_HELD = st.one_of(_WORDS, st.builds("{}{}@{}".format, st.sampled_from(["", " ", "<", "mail: ", "("]), _LOCAL, _HOST))
_ROLES = st.sampled_from(["affiliation", "email", "address", "emailaddress", "unknown"])
_PART = st.recursive(
    _HELD,
    lambda inner: st.one_of(
        st.builds(author, inner, inner),
        st.builds(contact, _ROLES, inner, st.sampled_from(["", "E-mail"])),
        st.builds(note, st.sampled_from(["thanks", "footnotetext", "institutetext"]), inner),
        st.builds("{}<br>{}<sup>1</sup>".format, inner, inner),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150)
@given(st.lists(_PART, max_size=6), st.lists(_WORDS, max_size=2), st.sampled_from([None, "utf-8", "latin-1", "utf-16", "nonsense"]))
def test_whatever_a_page_holds_its_block_is_short_plain_and_names_no_mailbox(
    parts: list[str], names: list[str], charset: str | None
) -> None:
    body = page(*parts).encode("utf-8", "replace")
    found = text_of(read(body, Source("authors", "authors", "authors", URL, options={"authors": names}), URL, charset))
    assert len(found.encode()) <= MAX_BLOCK
    assert not [char for char in found if unicodedata.category(char) in ("Cc", "Cs") and char != "\n"]
    assert all(line.partition(": ")[0] in ("affiliation", "email", "note", "name") for line in found.split("\n") if line)
    assert "q7z@" not in found
    assert not re.search(r"q7z[^\s@]*@", found)


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda held: b'<div class="ltx_personname">' + held)),
    st.text(max_size=10),
)
def test_bytes_are_read_or_refused(body: bytes, charset: str) -> None:
    try:
        found = read(body, Source("authors", "authors", "authors", URL), URL, charset)
    except ParseError:
        return
    assert found.problem in (None, EMPTY, NO_PAGE)
    assert len(text_of(found).encode()) <= MAX_BLOCK
