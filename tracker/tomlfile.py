"""A TOML file whose mistakes have lines: tables of known keys, values of known kinds.

in   a path; out  checked values, or a ``ConfigError`` with file, line, table, key and the nearest valid key
refuses to know what the tables mean. Surprising: tomllib gives no line numbers, so ``_line_of`` finds them again in the text, and only
when there is a mistake.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tracker.errors import ConfigError

__all__ = ["Table", "TomlFile", "nearest", "span_s"]

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SPAN = re.compile(r"(\d{1,4})(m|h|d|w)")
_SPAN_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TYPE_NAMES = {
    str: "a text in quotes", bool: "true or false", list: "a list [ … ]", int: "a whole number", float: "a number",
    date: "a day like 2026-06-14",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TomlFile:
    """One file, read and parsed."""

    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Return the file.

        Raises:
            ConfigError: absent, unreadable, or not TOML.
        """
        try:
            text = path.read_text(encoding="utf-8-sig")
            return cls(path, text, tomllib.loads(text))
        except FileNotFoundError:
            raise ConfigError("no such file; make one with `tracker init`, or name yours with --config FILE", str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read: {error}", str(path)) from None
        except tomllib.TOMLDecodeError as error:
            line = re.search(r"at line (\d+)", str(error))
            found = int(line[1]) if line else text.count("\n") + 1
            raise ConfigError(f"not valid TOML: {_plain(str(error))}", str(path), found) from None
        except (ValueError, RecursionError) as error:  # tomllib on a number of 5,000 digits, or a thousand brackets
            raise ConfigError(f"not usable TOML: {error}", str(path)) from None

    def section(self, name: str) -> dict[str, Any]:
        """Return what stands under ``[name]``; empty when there is none."""
        found = self.data.get(name, {})
        if not isinstance(found, dict):
            raise self.error(f"{name} must be a table: [{name}]", (), name)
        return found

    def tables(self, group: str) -> dict[str, dict[str, Any]]:
        """Return the tables ``[group.<id>]`` by id, ids checked."""
        for key, table in self.section(group).items():
            if not isinstance(table, dict):
                raise self.error(f'"{key}" must be a table: [{group}.<id>]', (group,), key)
            if not _ID.fullmatch(key):
                raise self.error("an id is made of a-z, 0-9 and hyphens, at most 64", (group, key))
        return self.section(group)

    def error(self, message: str, table: tuple[str, ...], key: str = "") -> ConfigError:
        """Return the error with the line of ``key`` in ``[table]``."""
        where = f"[{'.'.join(table)}] " if table else ""
        return ConfigError(where + message, str(self.path), _line_of(self.text, table, key))

    def check_names(self, known: Iterable[str]) -> None:
        """Refuse a table of an unknown name."""
        for name in self.data:
            if name not in known:
                raise self.error(f'unknown table or key "{name}"{nearest(name, known)}', (), name)


@dataclass(frozen=True, slots=True)
class Table:
    """One table with its place in a file, so that every value can be asked for by its kind."""

    file: TomlFile
    where: tuple[str, ...]
    values: Mapping[str, Any]

    def error(self, message: str, key: str = "") -> ConfigError:
        """Return the error with the line of ``key``."""
        return self.file.error(message, self.where, key)

    def check_keys(self, known: Mapping[str, type]) -> None:
        """Refuse unknown keys, and values of the wrong kind."""
        for key, value in self.values.items():
            if key not in known:
                raise self.error(f'unknown key "{key}"{nearest(key, known)}', key)
            if not _fits(value, known[key]):
                raise self.error(f"{key} must be {_TYPE_NAMES[known[key]]}, not {value!r}", key)

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts, empty when the key is absent."""
        values = self.values.get(key, [])
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.error(f"{key} must be a list of texts", key)
        return tuple(values)

    def one_of(self, key: str, valid: Iterable[str], default: str) -> str:
        """Return a text that is one of ``valid``."""
        value: str = self.values.get(key, default)
        if value not in valid:
            raise self.error(f'{key} must be one of {", ".join(valid)}, not "{value}"', key)
        return value

    def all_of(self, key: str, valid: Iterable[str], what: str) -> tuple[str, ...]:
        """Return a list of texts each of which is one of ``valid``; ``what`` names such a thing."""
        options = set(valid)
        for value in self.texts(key):
            if value not in options:
                raise self.error(f'{key}: "{value}" is not {what}{nearest(value, options)}', key)
        return self.texts(key)

    def span_s(self, key: str, default: int) -> int:
        """Return a span of time in seconds."""
        if key not in self.values:
            return default
        seconds = span_s(self.values[key])
        if seconds is None:
            raise self.error(f'{key} must be a time like "30m", "6h", "1d" or "1w", not "{self.values[key]}"', key)
        return seconds

    def day(self, key: str) -> str | None:
        """Return a day as text, None when the key is absent."""
        value = self.values.get(key)
        return None if value is None else value.isoformat()[:10]


def span_s(text: str) -> int | None:
    """Return the seconds of "30m", "6h", "2d" or "1w"; None for anything else."""
    found = _SPAN.fullmatch(text.strip())
    return int(found[1]) * _SPAN_S[found[2]] if found and int(found[1]) else None


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the nearest valid word, or all of them when they are few."""
    options = sorted(known)
    close = difflib.get_close_matches(word, options, 1, 0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(options)}" if len(options) <= 12 else ""


def _plain(message: str) -> str:
    """tomllib's message as a person would say it."""
    message = re.sub(r" [(]at .*[)]", "", message)
    if twice := re.search(r"[(]([^)]*)[)] twice", message):
        name = ".".join(re.findall(r"'([^']*)'", twice[1]))
        return f"[{name}] stands twice; one table holds all its keys"
    return "a text is not closed: the quote at its end is missing" if r"'\n'" in message else message


def _fits(value: object, wanted: type) -> bool:
    if isinstance(value, bool):
        return wanted is bool
    return isinstance(value, wanted) or (wanted is float and isinstance(value, int))


def _line_of(text: str, table: tuple[str, ...], key: str) -> int:
    """Return the 1-based line of ``key`` in ``[table]``, else of the nearest thing around it, else 0."""
    path = (*table, key) if key else table
    while path:
        if line := _assigned(text, path[:-1], path[-1]) or _headed(text, path) or _headed(text, path[:-1]):
            return line
        path = path[:-1]
    return 0


def _assigned(text: str, table: tuple[str, ...], key: str) -> int:
    assignment = re.compile(rf"\s*{_spelled(key)}\s*[=.]")
    inside = not table
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*\[", line):
            inside = bool(table) and bool(_header(table).match(line))
        elif inside and assignment.match(line):
            return number
    return 0


def _headed(text: str, table: tuple[str, ...]) -> int:
    """The line of ``[table]``, or of the first table in it."""
    lines = text.splitlines() if table else []
    return next((number for number, line in enumerate(lines, 1) if _header(table, r"[\].]").match(line)), 0)


def _header(table: tuple[str, ...], end: str = r"\]") -> re.Pattern[str]:
    return re.compile(r"\s*\[\[?\s*" + r"\s*\.\s*".join(map(_spelled, table)) + rf"\s*{end}")


def _spelled(key: str) -> str:
    return rf"""["']?{re.escape(key)}["']?"""
