"""Author blocks: what the HTML version of a paper on arXiv says of its authors' homes.

in   a page made by LaTeXML, from its beginning; the authors' names as the metadata have them (``options["authors"]`` of the source)
out  one entry whose text is the block, a line each affiliation, address, footnote or stranger's name; ``problem`` where there is none
Reached by the stage AUTHORS alone, through the parse worker; no kind of source in feeds.toml. LaTeXML has no one way to write a block:
affiliations hang on each author, or on the last, stand in the names behind line breaks and superscripts, in sentences, in footnotes beside
the block, or as macros that nobody expanded. So everything that stands there is gathered, and who belongs where is not asked.
Surprising: mail addresses lose what stands before the @, for only the domain says anything of a lab. A block that names nothing but the
authors is ``empty``, never "no lab": it may be lost in the conversion.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tracker import text
from tracker.pollers import Parsed
from tracker.pollers.listing import links
from tracker.types import Entry, Source

__all__ = ["EMPTY", "MAX_BLOCK", "NO_PAGE", "read"]

NO_PAGE, EMPTY = "no page", "empty"
MAX_BLOCK = 4_000  # bytes kept of a block; affiliations come first, so that a thousand names cannot crowd them out
MAX_BODY = 1_500_000  # bytes that are parsed; front matter ends within the first hundred thousand
MAX_ELEMENTS = 20_000  # that are looked at: a collaboration of 3,000 people has as many
MAX_LINE = 400  # characters
MAX_PART = 50_000  # characters of one part that are looked at

_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|article|div|span)[\s>]", re.IGNORECASE)
_STOPS = frozenset({"ltx_section", "ltx_chapter", "ltx_bibliography", "ltx_appendix"})  # the paper itself begins
_NOTES = frozenset({"ltx_role_thanks", "ltx_role_footnotetext", "ltx_role_institutetext", "ltx_role_affiliation", "ltx_role_footnote"})
_LABELS = frozenset({"ltx_contact_name", "ltx_note_mark", "ltx_note_type", "ltx_tag", "ltx_author_before", "ltx_author_after"})
_BREAKS = frozenset({"br", "sup", "td", "tr", "p", "div", "table", "li"})
# What sn-jnl and its kin leave behind: \orgnameSalesforce, \orgdiv{AI Research}. The macro goes, what it holds stays, as one of a list.
_HELD = re.compile(r"[\s,]{0,4}\\(?:orgname|orgdiv|orgaddress|street|city|postcode|state|country)")
_MACRO = re.compile(
    r"\\(?:fnm|sur|spfx|dgr|email|affil|affiliation|institution|institute|"
    r"department|inst|texttt|textbf|textit|text|href|url|quad|qquad|and|\W|[a-z]{2,12}(?=[\s{\\\[]|$))"
)
_BRACES = re.compile(r"[{}]|\b\d+\]|^\[\d+\]")
_LABEL = re.compile(r"(?i)^(?:thanks|footnote(?:text|mark)?|institutetext|affiliation|address|e-?mail)s?\s?:\s*")
_MARKS = " ,;*†‡§¶:"
# What stands before the @: several names in brackets, or all that stands there without a blank; a blank or a macro may stand between.
# A run is tried from its beginning only, and never again shorter: a megabyte of letters costs a megabyte.
_RUN = r"[^\s@＠{}()\[\]<>:;\\]"
_ADDRESS = re.compile(
    rf"(?:\\?[{{(\[<][^{{}}()\[\]<>@\n]{{0,300}}[}})\]>]|\\?(?<!{_RUN}){_RUN}++)"
    r"(?:\\(?:[a-zA-Z]{1,20}|\W)|[\s\\{$}]){0,4}[@＠](?:\s{0,2}(?=[\w-]{1,63}\.\w)|(?=[\w\\\[{$-]))"
)
# Lines that stand in a block and say nothing of anybody's home.
_NOTHING = re.compile(
    r"(?i)(?:\W|\d|equal(?:ly)?|contribut(?:ion|ions|ed|ing)|co-?first|joint|authors?|corresponding|correspondence|project|"
    r"lead(?:er|ers)?|advis(?:or|ors|ing)|senior|first|last|these|the|and|to|core|work|affiliation|email|e-mail|footnote(?:text|mark)?|"
    r"thanks|note|orcid)*"
)
_TEAM = re.compile(r"(?i)\b(?:team|group|lab|labs|ai|research|inc|collaboration|consortium)\b")


def read(body: bytes, source: Source, url: str, charset: str | None) -> Parsed:
    """Return the author block of a paper as one entry without a title; ``problem``: ``no page``, or ``empty`` where it names no home."""
    root = links.tree(body[:MAX_BODY], charset) if _MARKUP.search(body[:MAX_BODY].replace(b"\0", b"")) else None
    if root is None or not _front(root):
        return Parsed((), problem=NO_PAGE)
    given = source.options.get("authors")
    authors = {text.fold(str(name)) for name in given} if isinstance(given, (list, tuple)) else set()
    homes, names = _gathered(root, authors)
    block = _cut([*homes, *(f"name: {name}" for name in names)])
    told = bool(homes) or any(_TEAM.search(name) for name in names)
    return Parsed((Entry("", url, text=block),) if block else (), problem=None if told else EMPTY)


def _front(root: links.Element) -> bool:
    """Whether the page is a paper as LaTeXML writes it."""
    return any("ltx_" in (element.get("class") or "") for _, element in zip(range(MAX_ELEMENTS), root.iter(), strict=False))


def _gathered(root: links.Element, authors: set[str]) -> tuple[list[str], list[str]]:
    """(lines that may tell of a home, names of strangers), each once, as they stand above the first section."""
    homes: dict[str, None] = {}
    names: dict[str, None] = {}
    for role, element in _parts(root):
        shown = _text(element)
        lines = [line for line in _lines(shown) if text.fold(line) not in authors]
        if role == "name" and len(lines) == 1 and "@" not in lines[0] and "\\" not in shown:
            names |= dict.fromkeys(lines)
        else:
            label = "email: " if role == "email" else "note: " if role == "note" else "affiliation: "
            homes |= dict.fromkeys(label + line for line in lines if not _NOTHING.fullmatch(line))
    return list(homes), list(names)


def _parts(root: links.Element) -> Iterator[tuple[str, links.Element]]:
    """Yield (role, element) of everything that stands in the front matter outside the abstract: name, home, email, note."""
    abstracts, given = set[links.Element](), set[links.Element]()
    for _, element in zip(range(MAX_ELEMENTS), root.iter(), strict=False):
        classes = set((element.get("class") or "").split())
        if classes & _STOPS:
            return
        above = set(links.parents(element, 12)) if classes else set()
        if "ltx_abstract" in classes:
            abstracts.add(element)
        elif not classes or above & abstracts:
            continue
        elif "ltx_note" in classes and classes & _NOTES:
            yield "note", element
        elif above & given:
            continue
        elif "ltx_contact" in classes:
            given.add(element)
            yield "email" if classes & {"ltx_role_email", "ltx_role_emailaddress"} else "home", element
        elif "ltx_personname" in classes:
            yield "name", element


def _text(element: links.Element) -> str:
    """The text of a part, without its labels and without notes, which are parts of their own."""
    pieces, left = list[str](), MAX_PART
    for piece in _pieces(element, top=True):
        pieces.append(piece[:left])
        left -= len(piece)
        if left <= 0:
            break
    return text.printable("".join(pieces))


def _lines(shown: str) -> Iterator[str]:
    """Yield the lines of a part, without marks, macros and what stands before an @."""
    for line in _BRACES.sub(" ", _MACRO.sub(" ", _HELD.sub(", ", _ADDRESS.sub("@", shown)))).split("\n"):
        if kept := _LABEL.sub("", text.one_line(line, MAX_LINE).strip(_MARKS)).strip(_MARKS):
            yield kept


def _pieces(element: links.Element, *, top: bool = False, depth: int = 0) -> Iterator[str]:
    classes = set((element.get("class") or "").split())
    skipped = classes & _LABELS or ("ltx_note" in classes and not top)
    if not isinstance(element.tag, str) or depth > 60:
        return
    if element.tag in _BREAKS:
        yield "\n"
    if not skipped and element.tag != "sup":
        yield element.text or ""
        for child in element:
            yield from _pieces(child, depth=depth + 1)
            yield child.tail or ""


def _cut(lines: Iterable[str]) -> str:
    """The lines, as many as fit."""
    kept, left = [], MAX_BLOCK
    for line in lines:
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join(kept)
