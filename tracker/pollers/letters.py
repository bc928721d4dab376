"""Letters: the bytes of a document as text, whatever they say they are.

in   a body; the charset that the server declared, if any
out  text; total: any bytes give some text, in linear time
Surprising: bytes that are valid UTF-8 are UTF-8, whoever says otherwise, since hardly any other text is by chance; and bytes that are
neither UTF-8 nor what was declared are read as windows-1252 where UTF-8 fails, so that one stray quote does not spoil a document.
"""

from __future__ import annotations

import codecs
import re

__all__ = ["decoded"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"<\?xml\b[^>]{0,200}?\bencoding\s{0,5}=\s{0,5}[\"']?([\w.:-]{2,40})", re.IGNORECASE)
# What Python decodes in linear time and to letters: not UTF-7 (a way to hide markup), not idna, hex or unicode_escape.
_CHARSETS = re.compile(
    r"(?:us-?)?ascii|(?:x-)?(?:iso-?8859|windows|cp|koi8|gb|big5|euc|shift|sjis|ms|latin|mac|ks_?c|tis)[\w.-]{0,20}|iso-2022-\w{2,5}"
)
# The web reads the right side where the left is declared (WHATWG Encoding Standard): supersets, so nothing is lost.
_BETTER = {
    **dict.fromkeys("ascii us-ascii usascii iso-8859-1 iso8859-1 iso_8859-1 latin-1 latin1".split(), "cp1252"),
    **dict.fromkeys("gb2312 gbk gb_2312-80 gb2312-80 x-gbk euc-cn gb18030".split(), "gb18030"),
    **dict.fromkeys("shift_jis shift-jis sjis x-sjis windows-31j ms_kanji".split(), "cp932"),
    **dict.fromkeys("euc-kr ks_c_5601-1987 ksc5601 windows-949".split(), "cp949"),
    **dict.fromkeys("big5 big5-hkscs x-x-big5".split(), "big5hkscs"),
    **dict.fromkeys("x-euc-jp euc-jp".split(), "euc_jp"),
    **dict.fromkeys("iso-8859-9 latin5".split(), "cp1254"),
    **dict.fromkeys("iso-8859-11 tis-620".split(), "cp874"),
    "iso-2022-jp": "iso2022_jp_ext",
}
_MANY_BYTES = frozenset("gb18030 cp932 cp949 big5hkscs euc_jp".split())
FEW = 4  # characters beyond ASCII; with fewer, Chinese or Japanese bytes may be valid UTF-8 by chance
_CESU = re.compile(rb"\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])")  # UTF-16 halves as UTF-8: what old Java wrote
MANY = 100_000  # bytes that are no UTF-8: then none are, and one call for each is too slow


def decoded(body: bytes, charset: str | None) -> str:
    """Return the text of a body: by its byte order mark, as UTF-8 if it is, by what was declared, else as windows-1252."""
    if wide := _wide(body):
        return body.decode(wide, "replace").lstrip("\ufeff")
    declared = _names(body, charset)
    if escaping := next((name for name in declared if name.startswith("iso2022")), None) or _escaping(body):
        return body.decode(escaping, "replace")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return _other(body, declared)
    rival = next((name for name in declared if name in _MANY_BYTES), None)
    if rival and 0 < len(body) - len(text) <= FEW and body.count(0xE2) == 0:  # 0xE2 begins typographic quotes: UTF-8 after all
        try:
            return body.decode(rival)
        except UnicodeDecodeError:
            pass
    return text.lstrip("\ufeff")


def _other(body: bytes, declared: list[str]) -> str:
    for name in declared:
        try:
            return body.decode(name)
        except UnicodeDecodeError:
            text = body.decode(name, "replace")
            if name in _MANY_BYTES and text.count("\ufffd") <= 1 + len(text) // 500:  # cut within a letter, a broken letter or two
                return text
    if body.decode("utf-8", "replace").count("\ufffd") > MANY:
        return body.decode("cp1252", "replace")
    return body.decode("utf-8", _mend.__name__)


def _wide(body: bytes) -> str | None:
    """UTF-16 and UTF-32, marked or told by where the zeros are; or UTF-8 with its mark."""
    for mark, name in _BOMS:
        if body.startswith(mark):
            return None if name == "utf-8" else name
    start = body[:64]
    zeros = [start[place::4].count(0) for place in range(4)]
    quarter = max(1, len(start) // 4)
    full = (zeros[0] * 2 > quarter, zeros[1] * 2 > quarter, zeros[2] * 2 > quarter, zeros[3] * 2 > quarter)
    return {
        (True, True, True, False): "utf-32-be",
        (False, True, True, True): "utf-32-le",
        (True, False, True, False): "utf-16-be",
        (False, True, False, True): "utf-16-le",
    }.get(full)


def _names(body: bytes, charset: str | None) -> list[str]:
    """The codecs that header and document name, the likelier first: a Latin header is often a server's default, whatever it serves."""
    found = _DECLARED.search(body[:5_000])
    names = [_codec(charset or ""), _codec(found[1].decode("ascii", "ignore") if found else "")]
    if names[0] == "cp1252" and names[1]:
        names.reverse()
    return [name for name in dict.fromkeys(names) if name]


def _codec(name: str) -> str:
    name = name.strip().lower()
    if not _CHARSETS.fullmatch(name):
        return ""
    try:
        return codecs.lookup(_BETTER.get(name, name.removeprefix("x-"))).name
    except LookupError:
        return ""


def _escaping(body: bytes) -> str | None:
    """ISO-2022-JP that does not say so: pure ASCII, with the escapes that open Japanese."""
    return "iso2022_jp_ext" if b"\x1b" in body and (b"\x1b$B" in body or b"\x1b$@" in body) and body.isascii() else None


def _mend(error: UnicodeError) -> tuple[str, int]:
    """One byte that is no UTF-8, as windows-1252 has it; or a character in two halves."""
    assert isinstance(error, UnicodeDecodeError)
    start = error.start
    if halves := _CESU.match(error.object, start):
        bits = [half[0] & 0x3F for half in halves.groups()]
        return chr(0x10000 + ((bits[0] & 0xF) << 16 | bits[1] << 10 | (bits[2] & 0xF) << 6 | bits[3])), start + 6
    byte = error.object[start : start + 1]
    return byte.decode("cp1252", "ignore") or byte.decode("latin-1"), start + 1


codecs.register_error(_mend.__name__, _mend)
