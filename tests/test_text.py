"""Text: what readers, terminals and mail headers get to see of hostile markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.text import MAX_TEXT, MAX_TITLE, clean_html, content_hash, csv_cell, csv_text, fold, one_line, paragraph, plain, printable

ASTRONAUT = "\U0001f469\u200d\U0001f680"
ANY = st.text(st.characters(codec=None))  # lone surrogates too
MARKUP = st.one_of(
    ANY,
    st.lists(
        st.sampled_from(
            "<p> </p> <div> <b> <script> </script> <SCRIPT/x> <scr ipt> <style> </style> <!-- --> <![CDATA[ ]]> <svg> <math> <a "
            "href='javascript:x' onclick=x > < / & &lt; &gt; &amp; &amp;lt; &#0; &#x1b; &#xD83D; &#60;script&#62; text \" '".split()
        )
        | st.text(max_size=3),
        max_size=20,
    ).map("".join),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("nul\0 bell\x07 del\x7f c1\x85\x9c", "nul bell del c1", id="F33 controls"),
        pytest.param("\x1b[1;31mred\x1b[0m \x9b2Jand\x1b]0;title\x07", "red and]0;title", id="F33 terminal sequences"),
        pytest.param("a\ufffe\uffff\ufdd0\U0001fffe\U0010ffffb", "ab", id="F33 noncharacters"),
        pytest.param("a\ud800b\udfffc", "abc", id="F33 halves of characters"),
        pytest.param("a\u202eb\u202c\u2066c\u2069\u200e\u200f\u061cd", "abcd", id="F36 bidi"),
        pytest.param("\ufeffa\u200bb\u2060c\xadd", "abcd", id="F36 zero width"),
        pytest.param("z\u0300\u0301\u0302\u0303\u0304\u0305algo", "z\u0300\u0301\u0302algo", id="F36 zalgo"),
        pytest.param(
            f"{ASTRONAUT} \u2764\ufe0f \U0001f1e9\U0001f1ea", f"{ASTRONAUT} \u2764\ufe0f \U0001f1e9\U0001f1ea", id="F36 emoji intact"
        ),
        pytest.param("می\u200cخواهم", "می\u200cخواهم", id="F36 a joiner that Persian needs"),
        pytest.param("שלום עולם", "שלום עולם", id="F36 right to left"),
        pytest.param("Zu\u0308rich e\u0301", "Zu\u0308rich e\u0301", id="F36 decomposed letters"),
        pytest.param("a\tb\nc\rd", "a\tb\nc\rd", id="white space stays"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("Subject\r\nBcc: ann@example.org", "Subject Bcc: ann@example.org", id="F35 CR LF"),
        pytest.param("a\u2028b\u2029c\x0bd", "a b cd", id="F35 other ends of lines"),
        pytest.param("  wide\xa0\u3000 \t blanks ", "wide blanks", id="blanks"),
        pytest.param("1 < 2 & <b>", "1 < 2 & <b>", id="signs are signs"),
        pytest.param("\u202e", "", id="nothing visible"),
        pytest.param("x" * MAX_TITLE, "x" * MAX_TITLE, id="as long as it may be"),
        pytest.param("x" * 501, "x" * 496 + " […]", id="longer"),
        pytest.param("word " * 200, "word " * 99 + "w […]", id="longer, with blanks"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_an_abstract_is_one_paragraph_and_its_signs_stay() -> None:
    assert paragraph("We show $a<b$,\n  and c>d.\n\nAlso &lt;.") == "We show $a<b$, and c>d. Also &lt;."


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        pytest.param("just words", "just words", id="plain text passes"),
        pytest.param("1 < 2, P<0.05, I <3 you & more", "1 < 2, P<0.05, I <3 you & more", id="signs that are no markup"),
        pytest.param("<p>one</p><p>two<br>three</p>four", "one\ntwo\nthree\nfour", id="blocks are lines"),
        pytest.param("one<div>two</div>three", "one\ntwo\nthree", id="a block that begins is a line too"),
        pytest.param("<ul><li>a<li>b</ul>", "a\nb", id="a list"),
        pytest.param("<table><tr><td>a</td><td>b</td></tr></table>", "a\nb", id="cells do not glue"),
        pytest.param("<h3>Head</h3>text", "Head\ntext", id="a heading"),
        pytest.param("so<b>me</b> <i>wo</i>rds", "some words", id="words stay whole"),
        pytest.param("<p>a\n   b\tc</p>", "a\nb c", id="white space"),
        pytest.param("caf&eacute; &amp; &#8220;x&#8221; &copy 2026", "café & “x” © 2026", id="entities"),
        pytest.param("&bogus; &", "&bogus; &", id="entities that are none"),
        pytest.param("&amp;lt;b&amp;gt; &amp;amp;", "&lt;b&gt; &amp;", id="F37 decoded once"),
        pytest.param("<p>&amp;lt;script&amp;gt;</p>", "&lt;script&gt;", id="F37 decoded once beside markup"),
        pytest.param("<p>x&lt;y</p>", "x<y", id="an escaped sign"),
        pytest.param("a<script>alert(1)</script><style>p{}</style><svg><text>x</text></svg>b", "ab", id="no code"),
        pytest.param("<!-- hidden -->seen", "seen", id="no comments"),
        pytest.param("<title>Page</title><textarea>x</textarea>text", "text", id="no furniture"),
        pytest.param("<img src=x onerror=alert(1)>text", "text", id="no pictures"),
        pytest.param("a&#x1b;[31mb&#0;&#x202e;c&#xD83D;", "a[31mb\ufffdc\ufffd", id="F33 controls by reference"),
        pytest.param(f"<p>{ASTRONAUT}</p>", ASTRONAUT, id="F36 emoji intact"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_plain(markup: str, text: str) -> None:
    assert plain(markup) == text


@pytest.mark.parametrize(
    ("markup", "clean"),
    [
        pytest.param("<p>a <b>b</b> &amp; <code>c</code></p>", "<p>a <b>b</b> &amp; <code>c</code></p>", id="text elements pass"),
        pytest.param("<p onclick=x style=y class=z>a</p>", "<p>a</p>", id="no attributes"),
        pytest.param("a<script>alert(1)</script>b", "ab", id="no scripts"),
        pytest.param("<scr<script>ipt>alert(1)</script>", "ipt&gt;alert(1)", id="no scripts in disguise"),
        pytest.param("<svg onload=x><a href='https://e.example'>x</a></svg>y", "y", id="no drawings"),
        pytest.param("<img src=https://e.example/1.png>a<iframe src=//e.example></iframe>", "a", id="nothing that loads"),
        pytest.param("<a href='javascript:x'>a</a>", '<a rel="noopener noreferrer nofollow">a</a>', id="no script behind a link"),
        pytest.param("<a href='java&#10;script:x'>a</a>", '<a rel="noopener noreferrer nofollow">a</a>', id="nor a disguised one"),
        pytest.param(
            "<a href='https://e.example/?a=1&amp;b=2' target=x>a</a>",
            '<a href="https://e.example/?a=1&amp;b=2" rel="noopener noreferrer nofollow">a</a>',
            id="a web address behind a link",
        ),
        pytest.param("&lt;script&gt;", "&lt;script&gt;", id="F37 what is escaped stays escaped"),
        pytest.param("a&#x1b;[31mb\ud800&#x202e;c", "abc", id="F33 no controls"),
    ],
)
def test_clean_html(markup: str, clean: str) -> None:
    assert clean_html(markup) == clean


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("How “Claude” Learns – Part\xa02", "how claude learns, part 2", id="punctuation and case"),
        pytest.param("Café Zürich", "CAFE\u0301 ZU\u0308RICH", id="accents"),
        pytest.param("Straße", "STRASSE", id="sharp s"),
        pytest.param("ﬁne-tuning", "fine tuning", id="ligatures and hyphens"),
        pytest.param("𝐁old 𝒕itle", "bold title", id="letters of mathematics"),
        pytest.param("  many \t blanks\n", "many blanks", id="blanks"),
    ],
)
def test_titles_that_fold_to_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("part 1", "part 2"), ("o1", "01"), ("GPT", "GPT 5"), ("C#", "C 7"), ("日本", "日木"), ("ab", "a b")],
    ids=["numbers", "letter and digit", "a word more", "a sign and a digit", "characters", "a blank"],
)
def test_titles_that_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_a_hash_differs_when_any_part_does() -> None:
    hashes = {content_hash("a", "b"), content_hash("ab", ""), content_hash("", "ab"), content_hash("a", "b", ""), content_hash("A", "b")}
    assert len(hashes) == 5
    assert content_hash("a", None, 3) == content_hash("a", "", "3")
    assert len(content_hash("\ud800")) == 16


@given(ANY)
def test_printable_text_can_be_written_and_is_printable(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert printable(shown) == shown
    assert not {c for c in shown if ord(c) < 32 or 127 <= ord(c) < 160} - set("\t\n\r")


@given(ANY, st.integers(10, 600))
def test_one_line_is_one_line_within_the_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1
    assert one_line(line, limit) == line
    assert paragraph(text, limit) == line


@given(MARKUP, st.integers(10, 600))
def test_plain_takes_any_markup(markup: str, limit: int) -> None:
    text = plain(markup, limit)
    assert len(text) <= limit
    assert printable(text) == text
    assert all(line == line.strip() != "" for line in text.splitlines())


@given(MARKUP)
def test_clean_html_lets_nothing_active_through(markup: str) -> None:
    clean = clean_html(markup)
    tags = [part.partition(">")[0] for part in clean.lower().split("<")[1:]]
    assert "<script" not in clean.lower()
    assert "<style" not in clean.lower()
    assert not [tag for tag in tags if "javascript:" in tag or " on" in tag]
    assert clean_html(clean) == clean


@given(ANY)
def test_fold_takes_any_text_and_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert fold(text.upper().lower()) == fold(text.upper().lower().lower())


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum(a1)", "\t=1", "\r1", "\n=1", "  =1", "＝1+1", "－1", "'=1", "''@x"])
def test_what_a_spreadsheet_would_run_becomes_text_in_a_cell(text: str) -> None:
    assert csv_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "0.5", "arxiv:2501.00001", "'t is", "Agents - a survey"])
def test_a_harmless_cell_is_written_as_it_is(text: str) -> None:
    assert csv_cell(text) == csv_text(text) == text


@given(st.one_of(ANY, st.text("'=+-@ \t\n\r＝x", max_size=8)))
def test_every_cell_is_read_as_it_was(text: str) -> None:
    assert csv_text(csv_cell(text)) == text
    assert csv_cell(text).lstrip()[:1] not in {*"=+-@＝＋－＠"} - {""}


N = 1_000_000
HOSTILE = {
    "a megabyte of <": "<" * N,
    "a megabyte of &": "&" * N,
    "a megabyte of blanks": " " * N,
    "a megabyte of nothing": "\0" * N,
    "a megabyte of accents": "a" + "\u0301" * N,
    "a megabyte of half references": "&#" * (N // 2),
    "a megabyte of < and blank": "< " * (N // 2),
    "a < and a megabyte of blanks": "<" + " " * N,
    "tags that never end": "<p " * (N // 3),
    "a tag with 500,000 attributes": "<br" + " a" * (N // 2),
    "comments that never end": "<!--" * (N // 4),
    "scripts that never end": "<script>" * (N // 8),
    "20,000 nested blocks": "<div>" * 20_000 + "x" + "</div>" * 20_000,
    "200,000 nested blocks": "<div>" * 200_000 + "x",
    "nested tables": "<table><tr><td>" * 20_000,
    "nested lists": "<ol><li>" * 40_000,
    "nested letters": "<b>" * 100_000,
    # The trees of browsers open every <font> anew in every paragraph: without a bound, 20,000 × 20,000 elements.
    "fonts and paragraphs": "".join(f"<font size={n}><p>" for n in range(20_000)),
    "fonts, then paragraphs": "".join(f"<font size={n}>" for n in range(300)) + "<p>" * 130_000,
    "ends that close nothing": "<div></x>" * 40_000,
    "drawings": "<svg><p>" * 40_000,
    "references to themselves": "&amp;" * (N // 5),
    "terminal sequences that never end": "\x1b[" * (N // 2),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_megabytes_come_back(text: str) -> None:
    """Without a bound on nesting, the worst of these take minutes and gigabytes: this test then hangs or is killed."""
    assert len(one_line(text)) <= MAX_TITLE
    assert len(plain(text)) <= MAX_TEXT
    assert len(clean_html(text)) <= 5 * N


def test_of_markup_nested_absurdly_the_words_are_left() -> None:
    deep = "<div>" * 20_000 + "<script>x</script>the <b>words</b> &amp; more" + "</div>" * 20_000
    assert plain(deep).endswith("the words & more")
    assert clean_html(deep).endswith("the words &amp; more")


def test_ordinary_nesting_is_read_as_a_tree() -> None:
    page = "<div>" * 100 + "<script>x</script>words" + "</div>" * 100
    assert plain(page * 20) == "\n".join(["words"] * 20)
