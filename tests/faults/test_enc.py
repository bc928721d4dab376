"""F38–F42: bytes that say they are other letters than they are, or say nothing."""

from __future__ import annotations

import codecs

import pytest

from tests.faults.conftest import Faults

XML = (
    '<?xml version="1.0"{0}?><rss version="2.0"><channel><title>T</title>'
    '<item><title>{1}</title><guid isPermaLink="false">g</guid></item></channel></rss>'
)


def document(title: str, declared: str | None) -> str:
    return XML.format(f' encoding="{declared}"' if declared is not None else "", title)


def test_F38_utf_16_and_utf_32(polled: Faults) -> None:
    """UTF-16 and UTF-32, either order, with and without a mark, declared as UTF-8 or not at all → the right letters"""
    title = "日本語 é 😀"
    documents = {
        f"{name} {mark!r} {declared}": mark + document(title, declared).encode(name)
        for name, marks in {
            "utf-16-le": (b"", codecs.BOM_UTF16_LE),
            "utf-16-be": (b"", codecs.BOM_UTF16_BE),
            "utf-32-le": (b"", codecs.BOM_UTF32_LE),
            "utf-32-be": (b"", codecs.BOM_UTF32_BE),
        }.items()
        for mark in marks
        for declared in ("utf-16", "utf-8", None)
    }
    for name, answer in polled.each(documents).items():
        assert (answer.error, answer.titles) == ("", [title]), name


@pytest.mark.parametrize("header", [None, "utf-8", "iso-8859-1"])
def test_F39_utf_8_and_windows_1252_taken_for_each_other(header: str | None, polled: Faults) -> None:
    """declared UTF-8 but windows-1252, the reverse, and both in one document, whatever the header says → the right letters"""
    title = "“Café” – naïve €"
    documents = {
        "windows-1252": document(title, "utf-8").encode("cp1252"),
        "UTF-8": document(title, "windows-1252").encode(),
        "UTF-8 as Latin": document(title, "iso-8859-1").encode(),
        "both": document("“Café” – X €", "utf-8").encode().replace(b"X", "naïve".encode("cp1252")),
        "UTF-8 as ASCII": document(title, "us-ascii").encode(),
    }
    headers = {"Content-Type": "application/rss+xml" + (f"; charset={header}" if header else "")}
    for name, answer in polled.each(documents, headers).items():
        assert (answer.error, answer.titles) == ("", [title]), name


CHARSETS = {
    "gb2312": "汉字中文", "gbk": "汉字中文", "gb18030": "汉字中文𠀀", "big5": "繁體中文", "shift_jis": "日本語の見出し",
    "euc-jp": "日本語の見出し",
    "iso-2022-jp": "日本語の見出し", "euc-kr": "한국어 제목", "koi8-r": "Новости дня", "windows-1251": "Новости дня", "iso-8859-2": "Łódź",
}  # fmt: skip


@pytest.mark.parametrize("where", ["in the document", "in the header"])
def test_F40_letters_of_many_bytes(where: str, polled: Faults) -> None:
    """GB2312, GBK, GB18030, Big5, Shift-JIS, EUC, KOI8-R, ISO-2022-JP, declared in document or header → the right letters"""
    for charset, title in CHARSETS.items():
        declared, header = (charset, "") if where == "in the document" else (None, f"; charset={charset}")
        documents = {charset: document(title, declared).encode(charset)}
        if where == "in the document" or charset in ("gb18030", "koi8-r", "shift_jis"):
            for answer in polled.each(documents, {"Content-Type": f"text/xml{header}"}).values():
                assert (answer.error, answer.titles) == ("", [title]), charset


@pytest.mark.parametrize("header", ["", "; charset=", "; charset=x-unheard-of", "; charset=iso-8859-1", "; charset=utf-16"])
def test_F41_charsets_that_do_not_exist_or_contradict(header: str, polled: Faults) -> None:
    """an unknown or empty charset, a header against the declaration → the right letters"""
    documents = {f"declared {name!r}": document("Café 日本", name).encode() for name in ("x-unheard-of", "", "utf-99", "utf-16", None)}
    documents["Russian"] = document("Новости", "koi8-r").encode("koi8-r")
    answers = polled.each(documents, {"Content-Type": f"application/xml{header}"})
    assert answers.pop("Russian").titles == ["Новости"]
    for name, answer in answers.items():
        assert (answer.error, answer.titles) == ("", ["Café 日本"]), name


def test_F42_ways_to_hide_markup(polled: Faults) -> None:
    """UTF-7, overlong UTF-8, CESU-8, lone halves → the item; what was hidden never becomes markup"""
    documents = {
        "UTF-7": document("+ADw-script+AD4-", "utf-7").encode(),
        "overlong": document("X", "utf-8").encode().replace(b"X", b"\xc0\xbcscript\xc0\xbe"),
        "CESU-8": document("X", "utf-8").encode().replace(b"X", b"\xed\xa0\xbd\xed\xb8\x80"),
        "half": document("aXb", "utf-8").encode().replace(b"X", b"\xed\xa0\xbd"),
    }
    answers = polled.each(documents)
    assert {name: answer.error for name, answer in answers.items() if answer.error} == {}
    assert answers["UTF-7"].titles == ["+ADw-script+AD4-"]
    assert "<" not in answers["overlong"].titles[0]
    assert answers["CESU-8"].titles == ["😀"]
    assert answers["half"].titles[0][0] + answers["half"].titles[0][-1] == "ab"
