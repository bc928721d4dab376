"""F33–F37: characters and references that text must not hold."""

from __future__ import annotations

from tests.faults.conftest import Faults
from tests.faults.test_xml import item, rss

ASTRONAUT = "\U0001f469\u200d\U0001f680"


def one(title: str, more: str = "") -> bytes:
    return rss(f'<item><title>{title}</title><guid isPermaLink="false">g</guid>{more}</item>', item(2))


def shown(polled: Faults, cases: dict[str, tuple[str, str]]) -> None:
    """Each (title as served, title as stored) is one document with a second item, which must be there, too."""
    answers = polled.each({name: one(title) for name, (title, _) in cases.items()})
    assert {name: answer.sentence for name, answer in answers.items() if answer.error} == {}
    for name, (_, title) in cases.items():
        assert sorted(answers[name].titles) == sorted([title, "Post 2"]), name


def test_F33_characters_that_are_none(polled: Faults) -> None:
    """NUL, C0, C1, DEL, noncharacters, terminal sequences in a title → the item without them"""
    cases = {
        "C0": ("a\0b\x07c\x1fd", "abcd"),
        "DEL and C1": ("a\x7fb\x9dc", "abc"),
        "noncharacters": ("a\ufffeb\uffffc\ufdd0d\U0001fffee", "abcde"),
        "terminal sequences": ("\x1b[1;31mred\x1b[0m \x1b[2Jend", "red end"),
        "a vertical tab": ("a\x0bb", "ab"),
    }
    shown(polled, cases)


def test_F34_references_to_characters_that_are_none(polled: Faults) -> None:
    """`&#0;`, `&#x1F;`, `&#xD83D;`, `&#x110000;`, huge numbers, `&#147;` → all items; `&#147;` is a quote"""
    cases = {
        "forbidden": ("a&#0;b&#x1F;c&#xD83D;d&#x110000;e&#xFFFF;f", "abcdef"),
        "a huge number": ("a&#999999999999;b", "ab"),
        "of windows-1252": ("&#147;quoted&#148; &#150; x", "“quoted” – x"),
        "without semicolon": ("a&#8217 b", "a’ b"),
        "of more digits than a number has": (f"a&#{'9' * 5_000};b", "a" + "9" * 495 + " […]"),
        "halves of an emoji": ("a&#xD83D;&#xDE00;b", "ab"),
    }
    shown(polled, cases)


def test_F35_ends_of_lines_in_a_title(polled: Faults) -> None:
    """CR LF, by themselves, as references, in CDATA, Unicode's own → one line"""
    line = "Subject Bcc: ann@example.org"
    cases = {
        "as they are": ("Subject\r\nBcc: ann@example.org", line),
        "as references": ("Subject&#13;&#10;Bcc: ann@example.org", line),
        "in CDATA": ("<![CDATA[Subject\r\nBcc: ann@example.org]]>", line),
        "escaped twice": ("Subject&amp;#13;&amp;#10;Bcc: ann@example.org", line),
        "Unicode's": ("Subject\u2028Bcc:\u2029ann@example.org", line),
    }
    shown(polled, cases)


def test_F36_letters_that_steer_or_pile_up(polled: Faults) -> None:
    """bidi overrides, zero-width letters, zalgo → readable; right-to-left text, emoji with joiners and decomposed letters intact"""
    cases = {
        "bidi": ("a\u202eb\u202c\u2066c\u2069d", "abcd"),
        "bidi by reference": ("a&#x202e;b", "ab"),
        "zero width": ("a\u200bb\ufeffc", "abc"),
        "zalgo": ("z" + "\u0301" * 50 + "a", "z" + "\u0301" * 3 + "a"),
        "right to left": ("שלום עולם", "שלום עולם"),
        "emoji": (f"{ASTRONAUT} \u2764\ufe0f \U0001f1e9\U0001f1ea", f"{ASTRONAUT} \u2764\ufe0f \U0001f1e9\U0001f1ea"),
        "decomposed": ("Zu\u0308rich", "Zu\u0308rich"),
    }
    shown(polled, cases)


def test_F37_markup_escaped_twice(polled: Faults) -> None:
    """a title and a text whose markup is escaped once more than it should be → text that shows it, never markup"""
    text = "<description>&lt;p&gt;&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;&lt;/p&gt;</description>"
    (answer,) = polled.each({"x": one("&amp;lt;b&amp;gt;bold&amp;lt;/b&amp;gt;", text)}).values()
    (found,) = [row for row in answer.items if row["title"] != "Post 2"]
    assert found["title"] in ("<b>bold</b>", "&lt;b&gt;bold&lt;/b&gt;")  # text, in which a page will escape it
    assert found["body"] == "&lt;script&gt;alert(1)&lt;/script&gt;" or found["body"] == "<script>alert(1)</script>"
