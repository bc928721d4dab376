"""The registry: what a table of a lab may say, and what two of them may not say both.

in   the tables ``[labs.<id>]``, the shipped ones with the user's over them
out  labs; every mistake is a ``ConfigError`` with the line in the file that made it
refuses to know texts: what names do there is said in ``taggers.names``.
A name, host or organisation belongs to one lab: two that claim it would both be right wherever it stands. A word of the language is no
name without a rule; ``defaults/words.txt`` knows the common ones, and only a plain word is looked up ("Orange", not "GPT-5" or "OpenAI").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from functools import cache
from importlib.resources import files

from tracker.tomlfile import Table, TomlFile, nearest
from tracker.types import Lab

__all__ = ["KEYS", "labs"]

_LISTS = ("aliases", "affiliations", "emails", "hosts", "github", "hf", "names", "products", "people", "weak")
KEYS: dict[str, type] = {"name": str, "kind": str, "country": str, "note": str, "parents": list, "enabled": bool}
KEYS |= dict.fromkeys(_LISTS, list)
_WEAK_KEYS = ("name", "needs", "not_after", "not_before", "person_unless")
_PARENT_KEYS = ("lab", "from")
_STRONG = ("names", "products", "people")
# What belongs to one lab only: the keys that share one space of names, and how such a thing is called.
_OWNED = (
    ((*_STRONG, "aliases"), "a name"),
    (("hosts",), "a host"),
    (("github",), "a GitHub organisation"),
    (("hf",), "a Hugging Face organisation"),
)
_PLAIN = re.compile(r"[A-Za-z][a-z]+")


def labs(tables: Sequence[Table], user: TomlFile) -> tuple[Lab, ...]:
    """Return the labs of the tables.

    Raises:
        ConfigError: a value that is none; a name, host or organisation of two labs; a dictionary word without a rule; a bad parent.
    """
    found = tuple(map(_lab, tables))
    _check_parents(found, user)
    # Shipped tables first: of two that clash, the user's is told, since it is the one to change.
    for owned, what in _OWNED:
        _check_owners(sorted(tables, key=lambda table: table.file is user), owned, what)
    for table in tables:
        _check_words(table)
    return found


def _lab(table: Table) -> Lab:
    values = table.values
    weak, parents = values.get("weak", []), values.get("parents", [])
    for problem, name in (*((_weak_problem(rule), "weak") for rule in weak), *((_parent_problem(parent), "parents") for parent in parents)):
        if problem:
            raise table.error(f"{name}: {problem}", name)
    return Lab(
        table.where[1],
        values.get("name", table.where[1]),
        values.get("kind", "other"),
        values.get("country", ""),
        tuple((parent["lab"], _day(parent.get("from"))) for parent in parents),
        weak=tuple(weak),
        **{name: table.texts(name) for name in _LISTS if name != "weak"},
    )


def _weak_problem(rule: object) -> str:
    """What is wrong with a weak name: ``taggers.labs`` says what its keys mean."""
    if not isinstance(rule, dict) or not isinstance(rule.get("name"), str) or not rule["name"].strip():
        return 'each must be a table with a name, like { name = "Claude", needs = ["Anthropic"] }'
    for key, words in rule.items():
        if key not in _WEAK_KEYS:
            return f'"{rule["name"]}" has an unknown key "{key}"{nearest(key, _WEAK_KEYS)}'
        if key != "name" and not (isinstance(words, list) and all(isinstance(word, str) and word.strip() for word in words)):
            return f'{key} of "{rule["name"]}" must be a list of texts'
    return next((problem for need in rule.get("needs", ()) if (problem := _need_problem(rule["name"], need))), "")


def _need_problem(name: str, need: str) -> str:
    if need.startswith("(") and need != "(acts)":
        return f'needs of "{name}": {need!r} is not known; did you mean "(acts)"?'
    if not need.startswith("\\"):
        return ""
    try:
        re.compile(f"x(?:{need})")  # as it will stand: behind a name, among others
    except re.error as error:
        return f'needs of "{name}": {need!r} is not a regular expression ({error}); without the backslash it is a word'
    return ""


def _parent_problem(parent: object) -> str:
    if not isinstance(parent, dict) or not isinstance(parent.get("lab"), str):
        return 'each must be a table with a lab, like { lab = "google", from = 2023-04-20 }'
    if unknown := next((key for key in parent if key not in _PARENT_KEYS), None):
        return f'"{parent["lab"]}" has an unknown key "{unknown}"{nearest(unknown, _PARENT_KEYS)}'
    try:
        _day(parent.get("from"))
    except ValueError:
        return f'from of "{parent["lab"]}" must be a day like 2023-04-20, not {parent["from"]!r}'
    return ""


def _day(value: object) -> str | None:
    """The day as text, of a TOML date or its text; ``ValueError`` for anything else."""
    if value is None:
        return None
    return date.fromisoformat(value.isoformat()[:10] if isinstance(value, date) else str(value)).isoformat()


def _check_parents(labs: tuple[Lab, ...], user: TomlFile) -> None:
    parents = {lab.id: [parent for parent, _ in lab.parents] for lab in labs}
    for lab in labs:
        seen, todo = set[str](), list(parents[lab.id])
        while todo:
            parent = todo.pop()
            if parent not in parents:
                raise user.error(f'parent "{parent}" is not a lab{nearest(parent, parents)}', ("labs", lab.id), "parents")
            if parent == lab.id:
                raise user.error("is its own parent, directly or by way of others", ("labs", lab.id), "parents")
            todo += [] if parent in seen else parents[parent]
            seen.add(parent)


def _check_owners(tables: Sequence[Table], keys: Sequence[str], what: str) -> None:
    owners: dict[str, str] = {}
    for table in tables:
        for key, value in _values(table, keys):
            owner = owners.setdefault(value.casefold(), table.where[1])
            if owner != table.where[1]:
                way = "take it out of one of them (a list in your file replaces the shipped one)"
                if key in _STRONG:
                    way += ", or write it as weak, with the words it needs"
                raise table.error(f'{key}: "{value}" is already {what} of [labs.{owner}]; {way}', key)


def _check_words(table: Table) -> None:
    ruled = {rule["name"] for rule in table.values.get("weak", [])}
    for key, name in _values(table, _STRONG):
        if name not in ruled and _PLAIN.fullmatch(name) and name.lower() in _words():
            example = f'weak = [{{ name = "{name}", needs = ["…"] }}]'
            raise table.error(f'{key}: "{name}" is a word of the language; say in weak when it means this lab: {example}', key)


def _values(table: Table, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
    return ((key, value) for key in keys for value in table.texts(key))


@cache
def _words() -> frozenset[str]:
    text = files("tracker").joinpath("defaults/words.txt").read_text(encoding="utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())
