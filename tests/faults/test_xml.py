"""F26–F32: XML that is broken, and what is salvaged of it. Documents here have guids and no links, so that no two sources share an item."""

from __future__ import annotations

from tests.faults.conftest import Faults


def item(name: object, more: str = "") -> str:
    return f'<item><title>Post {name}</title><guid isPermaLink="false">g{name}</guid>{more}</item>'


def rss(*items: str, before: str = '<?xml version="1.0"?>', after: str = "") -> bytes:
    return f'{before}<rss version="2.0"><channel><title>T</title>{"".join(items)}</channel></rss>{after}'.encode()


TWO = rss(item(1), item(2))
BOTH = ["Post 1", "Post 2"]


def titles(polled: Faults, documents: dict[str, bytes]) -> dict[str, list[str]]:
    answers = polled.each(documents)
    assert {name: answer.sentence for name, answer in answers.items() if answer.error} == {}
    return {name: sorted(answer.titles) for name, answer in answers.items()}


def test_F26_junk_before_the_declaration(polled: Faults) -> None:
    """blanks, byte order marks twice, a PHP warning, words, a comment before the XML declaration → all items"""
    documents = {
        "blanks": b"\n \r\n\t" + TWO,
        "a mark twice": b"\xef\xbb\xbf\xef\xbb\xbf" + TWO,
        "a PHP warning": b"<br />\n<b>Warning</b>:  fopen(x): failed in <b>/srv/feed.php</b> on line <b>3</b><br />\n" + TWO,
        "a raw PHP warning": b"Warning: Undefined array key <x & y> in /srv/feed.php\n" + TWO,
        "words": b"Here it comes: " + TWO,
        "a comment": b"<!-- built <rss> at 12 --> " + TWO,
        "two declarations": b'<?xml version="1.0"?>\n' + TWO,
        "a NUL": b"\0\0" + TWO,
    }
    assert titles(polled, documents) == dict.fromkeys(documents, BOTH)


def test_F27_junk_after_the_end(polled: Faults) -> None:
    """junk, a comment, markup, bytes, a second root after the end → all items"""
    documents = {
        "words": TWO + b"generated in 0.2 s",
        "a comment": TWO + b"<!-- cached -->",
        "a broken comment": TWO + b"<!-- cached -- now",
        "a script": TWO + b"<script>track('<a & b>')</script>",
        "bytes": TWO + bytes(range(256)),
        "markup": TWO + b"</div></body></html>",
    }
    assert titles(polled, documents) == dict.fromkeys(documents, BOTH)
    (second,) = titles(polled, {"second": TWO + rss(item(3))}).values()
    assert set(second) >= set(BOTH)


def test_F28_entities_that_nobody_declared_and_raw_signs(polled: Faults) -> None:
    """`&nbsp;`, `&bogus;`, raw `&`, raw `<` in titles and text → all items, with these signs as text"""
    cases = {
        "entities of HTML": ("caf&eacute; &hellip; x&nbsp;y &#8217;", "café … x y ’"),
        "one that is none": ("a &bogus; b", "a &bogus; b"),
        "raw ampersands": ("R&D & Q&A &", "R&D & Q&A &"),
        "a raw less than": ("1 < 2 and I <3 you << x", "1 < 2 and I <3 you << x"),
        "an open tag": ("if a <b then", "if a <b then"),
        "no semicolon": ("AT&amp T &copy 2026", "AT& T © 2026"),
        "the end of CDATA": ("a ]]> b", "a ]]> b"),
    }
    documents = {
        name: rss(f'<item><title>{title}</title><guid isPermaLink="false">x</guid></item>', item(2)) for name, (title, _) in cases.items()
    }
    assert titles(polled, documents) == {name: sorted([shown, "Post 2"]) for name, (_, shown) in cases.items()}


def test_F28_parameters_of_links(polled: Faults) -> None:
    """raw `&` in a link, in CDATA, in an attribute, in the text → the link with all its parameters"""
    answers = polled.each(
        {
            "raw": rss("<item><title>raw</title><link>https://a.example/raw?a=1&b=2&copy=3&lt=4</link></item>"),
            "in CDATA": rss("<item><title>cdata</title><link><![CDATA[https://a.example/cdata?a=1&b=2&copy=3&lt=4]]></link></item>"),
            "escaped": rss("<item><title>esc</title><link>https://a.example/esc?a=1&amp;b=2&amp;copy=3&amp;lt=4</link></item>"),
            "beside broken XML": rss("<item><title>loose</title><link>https://a.example/loose?a=1&b=2&copy=3&lt=4</link><b></i></item>"),
            "in an attribute": b'<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><entry><id>1</id><title>atom</title>'
            b'<link href="https://a.example/atom?a=1&b=2&copy=3&lt=4"/></entry></feed>',
        }
    )
    for answer in answers.values():
        assert [item["url"].partition("?")[2] for item in answer.items] == ["a=1&b=2&copy=3&lt=4"]


def test_F29_tags_that_are_not_closed_or_cased_otherwise(polled: Faults) -> None:
    """unclosed and mis-cased tags, tags closed in the wrong order, items within items → the complete items"""
    documents = {
        "a tag without end": rss(item(1, "<description>Some <b>words</description>"), item(2)),
        "other case": rss("<item><Title>Post 1</title><guid>g1</GUID></item>", item(2)),
        "wrong order": rss(item(1, "<category><x></category></x>"), item(2)),
        "br of HTML": rss(item(1, "<description>a<br>b</description>"), item(2)),
        "the last without end": rss(item(1), item(2).removesuffix("</item>")),
        "the root in capitals": TWO.replace(b"<rss", b"<RSS").replace(b"</channel>", b"</CHANNEL>"),
        "an end too many": rss(item(1), "</item>", item(2)),
    }
    assert titles(polled, documents) == dict.fromkeys(documents, BOTH)
    (nested,) = titles(polled, {"nested": rss(item(1, item(2)))}).values()
    assert nested == BOTH


def test_F30_documents_that_break_off(polled: Faults) -> None:
    """the document ends in the head, between items, in a tag, in a text, in CDATA → the complete items, `truncated`"""
    whole = rss(item(1), item(2), item(3, "<description><![CDATA[<p>Some words</p>]]></description>"))
    third = whole.index(b"<title>Post 3")
    cuts = {
        "in a tag": third + 4,
        "in a text": third + 10,
        "in CDATA": whole.index(b"Some words") + 3,
        "before an end": whole.index(b"</item></channel>"),
        "between items": third - len("<item>"),
        "in an end": third - len("<item>") - 2,
    }
    answers = polled.each({name: whole[:place] for name, place in cuts.items()} | {"in the head": whole[:40]})
    head = answers.pop("in the head")
    assert (head.error, head.titles) == ("truncated", [])
    for name, answer in answers.items():
        assert answer.error == "truncated", name
        assert sorted(answer.titles) == (["Post 1"] if name == "in an end" else BOTH), name
        assert answer.row["etag"] is None


def test_F31_cdata_comments_instructions_and_attributes(polled: Faults) -> None:
    """CDATA badly closed or nested, comments with `--`, instructions anywhere, attributes twice or without quotes → all items"""
    documents = {
        "CDATA badly closed": rss(item(1, "<description><![CDATA[words]]</description>"), item(2)),
        "CDATA in CDATA": rss(item(1, "<description><![CDATA[a <![CDATA[b]]> c]]></description>"), item(2)),
        "a comment with dashes": rss(item(1, "<!-- a -- b ---->"), item(2)),
        "a comment without end": rss(item(1), item(2), "<!-- never ends"),
        "an item in a comment": rss(item(1), "<!-- " + item(3) + " -->", item(2)),
        "instructions": rss(item(1, "<?php echo 1 ?>"), "<?xml version='1.0'?><?xml-stylesheet href='x'?>", item(2)),
        "a declaration": rss(item(1, "<!ELEMENT x>"), item(2)),
        "attributes twice": rss(item(1, "<source url='a' url='b'>x</source>"), item(2)),
        "attributes without quotes": rss(item(1, "<enclosure url=https://a.example/x.mp3 length=1>"), item(2)),
        "attributes without value": rss(item(1, "<source url>x</source>"), item(2)),
    }
    assert titles(polled, documents) == dict.fromkeys(documents, BOTH)


def test_F32_namespaces(polled: Faults) -> None:
    """prefixes nobody declared, wrong or empty namespaces, prefixes before everything → all items, with their text"""
    text = "<content:encoded><![CDATA[<p>Words of it</p>]]></content:encoded>"
    atom = (
        "<{0}feed xmlns{2}='{1}'><{0}title>T</{0}title>"
        "<{0}entry><{0}id>a{0}</{0}id><{0}title>Post 1</{0}title><{0}summary>Words of it</{0}summary></{0}entry></{0}feed>"
    )
    answers = polled.each(
        {
            "undeclared": rss(item(1, text)),
            "undeclared, unknown": rss(item(1, f"<zz:x>1</zz:x>{text}")),
            "declared as nonsense": rss(item(1, text)).replace(b"<rss", b'<rss xmlns:content="no such"'),
            "declared empty": rss(item(1, text)).replace(b"<rss", b'<rss xmlns:content=""'),
            "a wrong namespace": atom.format("", "http://www.w3.org/2005/atom/", "").encode(),
            "no namespace": atom.format("", "", "").encode(),
            "a prefix": atom.format("a:", "http://www.w3.org/2005/Atom", ":a").encode(),
        }
    )
    for name, answer in answers.items():
        assert (answer.error, answer.titles) == ("", ["Post 1"]), name
        assert answer.items[0]["body"] == "Words of it", name
