"""Configuration: the one file you edit, over what ships.

in   feeds.toml, tracker/defaults/topics.toml, tracker/defaults/labs.toml
out  one frozen ``Config``; every mistake is a ``ConfigError`` with file, line, table, key and the nearest valid key
refuses to know the database and the network: a typo stops a run before either is touched.
Surprising: tomllib gives no line numbers, so ``_line_of`` finds them again in the text, and only when there is a mistake.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

from tracker.errors import ConfigError
from tracker.types import Lab, Source, Topic

__all__ = ["DEFAULTS", "KINDS", "ORIGINS", "Config", "keys", "load", "shipped_feeds", "span_s"]

DEFAULTS = Path(__file__).parent / "defaults"
ORIGINS = ("paper", "official", "press", "community")
ROLES = ("primary", "mirror")

# Keys of [feeds.<id>] by kind of source: what every kind knows, and what one kind alone knows.
_COMMON_KEYS = {"kind": str, "url": str, "title": str, "lab": str, "role": str, "origin": str, "every": str, "enabled": bool}
KINDS: Mapping[str, Mapping[str, type]] = {"feed": {}, "arxiv": {"query": str, "first": str}}
_TRACKER_KEYS = {"contact": str, "every": str}
_TOPIC_KEYS = {"title": str, "description": str, "include": list, "exclude": list, "threshold": float, "enabled": bool}
_LAB_LISTS = ("aliases", "affiliations", "emails", "hosts", "github", "hf", "names", "products", "weak")
_LAB_KEYS = {"name": str, "kind": str, "country": str, "note": str, "parents": list, "enabled": bool} | dict.fromkeys(_LAB_LISTS, list)
_WEAK_KEYS = ("name", "needs", "not_after", "not_before")
_PARENT_KEYS = ("lab", "from")
_TABLES = {"tracker": _TRACKER_KEYS, "feeds": None, "topics": _TOPIC_KEYS, "labs": _LAB_KEYS}

_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SPAN = re.compile(r"(\d{1,4})(m|h|d|w)")
_SPAN_S = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_TYPE_NAMES = {str: "a text in quotes", bool: "true or false", list: "a list [ … ]", float: "a number"}
ARXIV_API = "https://export.arxiv.org/api/query"


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the tracker is told. Sources, topics and labs are in the order of the files; ids are unique."""

    path: str
    contact: str | None
    sources: tuple[Source, ...]
    topics: tuple[Topic, ...]
    labs: tuple[Lab, ...]

    def source(self, source_id: str) -> Source:
        """Return one source.

        Raises:
            ConfigError: there is none of that id; the message names the nearest.
        """
        for source in self.sources:
            if source.id == source_id:
                return source
        raise ConfigError(f'no source "{source_id}"{_nearest(source_id, (s.id for s in self.sources))}', self.path)


def load(path: str | Path) -> Config:
    """Return the configuration in ``path`` over the shipped topics and labs.

    Raises:
        ConfigError: no such file, not TOML, or anything in it that is unknown or of the wrong kind.
    """
    user = _File.read(Path(path))
    user.check_tables()
    topics = _merge(_File.read(DEFAULTS / "topics.toml"), user, "topics")
    labs = _merge(_File.read(DEFAULTS / "labs.toml"), user, "labs")
    lab_list = tuple(_lab(file, key, table) for key, (file, table) in labs.items())
    _check_parents(lab_list, user)
    settings = user.table("tracker")
    sources = tuple(_sources(user, settings, {lab.id for lab in lab_list}))
    _check_twins(user, sources)
    return Config(str(path), settings.get("contact"), sources, tuple(_topic(f, k, t) for k, (f, t) in topics.items()), lab_list)


def shipped_feeds() -> str:
    """Return the text of the feeds.toml that comes with this release: what ``tracker init`` writes."""
    packaged = DEFAULTS / "feeds.toml"  # in a wheel
    return (packaged if packaged.exists() else DEFAULTS.parent.parent / "feeds.toml").read_text(encoding="utf-8")


def keys() -> set[str]:
    """Return every key that any table knows."""
    return {*_TRACKER_KEYS, *_COMMON_KEYS, *_TOPIC_KEYS, *_LAB_KEYS}


def span_s(text: str) -> int | None:
    """Return the seconds of "30m", "6h", "2d" or "1w"; None for anything else."""
    found = _SPAN.fullmatch(text.strip())
    return int(found[1]) * _SPAN_S[found[2]] if found and int(found[1]) else None


# -- one file ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    text: str
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> _File:
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
            raise ConfigError(f"not valid TOML: {re.sub(r' [(]at .*[)]', '', str(error))}", str(path), found) from None
        except (ValueError, RecursionError) as error:  # tomllib on a number of 5,000 digits, or a thousand brackets
            raise ConfigError(f"not usable TOML: {error}", str(path)) from None

    def table(self, name: str) -> dict[str, Any]:
        found = self.data.get(name, {})
        if not isinstance(found, dict):
            raise self.error(f"{name} must be a table: [{name}]", (), name)
        return found

    def error(self, message: str, table: tuple[str, ...], key: str = "") -> ConfigError:
        where = f"[{'.'.join(table)}] " if table else ""
        return ConfigError(where + message, str(self.path), _line_of(self.text, table, key))

    def check_tables(self) -> None:
        """Refuse unknown tables and keys, and values of the wrong kind."""
        for name in self.data:
            if name not in _TABLES:
                raise self.error(f'unknown table or key "{name}"{_nearest(name, _TABLES)}', (), name)
        self.check_keys(self.table("tracker"), _TRACKER_KEYS, ("tracker",))
        for group in ("feeds", "topics", "labs"):
            for key, table in self.table(group).items():
                if not isinstance(table, dict):
                    raise self.error(f'"{key}" must be a table: [{group}.<id>]', (group,), key)
                if not _ID.fullmatch(key):
                    raise self.error("an id is made of a-z, 0-9 and hyphens, at most 64", (group, key))
                self.check_keys(table, _TABLES[group] or self._feed_keys(table, key), (group, key))

    def _feed_keys(self, table: dict[str, Any], key: str) -> Mapping[str, type]:
        kind = table.get("kind", "feed")
        if not isinstance(kind, str) or kind not in KINDS:
            raise self.error(f'unknown kind "{kind}"{_nearest(str(kind), KINDS)}', ("feeds", key), "kind")
        return {**_COMMON_KEYS, **KINDS[kind]}

    def check_keys(self, table: dict[str, Any], known: Mapping[str, type], where: tuple[str, ...]) -> None:
        for key, value in table.items():
            if key not in known:
                raise self.error(f'unknown key "{key}"{_nearest(key, known)}', where, key)
            wanted = known[key]
            if (not isinstance(value, wanted) and not (wanted is float and isinstance(value, int))) or (
                isinstance(value, bool) and wanted is not bool
            ):
                raise self.error(f"{key} must be {_TYPE_NAMES[wanted]}, not {value!r}", where, key)


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


def _nearest(word: str, known: Iterable[str]) -> str:
    options = sorted(known)
    close = difflib.get_close_matches(word, options, 1, 0.5)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known: {', '.join(options)}" if len(options) <= 12 else ""


# -- from tables to nouns ---------------------------------------------------------------------------


def _merge(shipped: _File, user: _File, group: str) -> dict[str, tuple[_File, dict[str, Any]]]:
    """Shipped tables, extended or replaced key by key by the user's, without those that are not ``enabled``."""
    merged = {key: (shipped, dict(table)) for key, table in shipped.table(group).items()}
    for key, table in user.table(group).items():
        merged[key] = (user, {**merged.get(key, (user, {}))[1], **table})
    return {key: pair for key, pair in merged.items() if pair[1].get("enabled", True)}


def _texts(file: _File, where: tuple[str, ...], table: dict[str, Any], key: str) -> tuple[str, ...]:
    values = table.get(key, [])
    if not all(isinstance(value, str) and value.strip() for value in values):
        raise file.error(f"{key} must be a list of texts", where, key)
    return tuple(values)


def _topic(file: _File, key: str, table: dict[str, Any]) -> Topic:
    where = ("topics", key)
    threshold = table.get("threshold")
    if threshold is not None and not 0 < threshold < 1:
        raise file.error(f"threshold must lie between 0 and 1, not {threshold}", where, "threshold")
    from tracker.taggers.patterns import compile_pattern  # a bad rule is a mistake in the file: say so now

    for rule in ("include", "exclude"):
        for pattern in _texts(file, where, table, rule):
            try:
                compile_pattern(pattern)
            except ValueError as error:
                raise file.error(f"{rule}: {error}", where, rule) from None
    return Topic(
        key,
        table.get("title", key.replace("-", " ").capitalize()),
        table.get("description", ""),
        _texts(file, where, table, "include"),
        _texts(file, where, table, "exclude"),
        threshold,
    )


def _lab(file: _File, key: str, table: dict[str, Any]) -> Lab:
    where = ("labs", key)
    lists = {name: _texts(file, where, table, name) for name in _LAB_LISTS if name != "weak"}
    weak, parents = table.get("weak", []), table.get("parents", [])
    for problem, name in (*((_weak_problem(rule), "weak") for rule in weak), *((_parent_problem(parent), "parents") for parent in parents)):
        if problem:
            raise file.error(f"{name}: {problem}", where, name)
    return Lab(
        key,
        table.get("name", key),
        table.get("kind", "other"),
        table.get("country", ""),
        tuple((parent["lab"], _day(parent.get("from"))) for parent in parents),
        weak=tuple(weak),
        **lists,
    )


def _weak_problem(rule: object) -> str:
    """What is wrong with a weak name: ``taggers.labs`` says what its keys mean."""
    if not isinstance(rule, dict) or not isinstance(rule.get("name"), str) or not rule["name"].strip():
        return 'each must be a table with a name, like { name = "Claude", needs = ["Anthropic"] }'
    for key, words in rule.items():
        if key not in _WEAK_KEYS:
            return f'"{rule["name"]}" has an unknown key "{key}"{_nearest(key, _WEAK_KEYS)}'
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
        return f'"{parent["lab"]}" has an unknown key "{unknown}"{_nearest(unknown, _PARENT_KEYS)}'
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


def _check_parents(labs: tuple[Lab, ...], user: _File) -> None:
    parents = {lab.id: [parent for parent, _ in lab.parents] for lab in labs}
    for lab in labs:
        seen, todo = set[str](), list(parents[lab.id])
        while todo:
            parent = todo.pop()
            if parent not in parents:
                raise user.error(f'parent "{parent}" is not a lab{_nearest(parent, parents)}', ("labs", lab.id), "parents")
            if parent == lab.id:
                raise user.error("is its own parent, directly or by way of others", ("labs", lab.id), "parents")
            todo += [] if parent in seen else parents[parent]
            seen.add(parent)


def _sources(file: _File, settings: dict[str, Any], labs: set[str]) -> Iterator[Source]:
    default_every = _span(file, ("tracker",), settings, "every", 21_600)
    for key, table in file.table("feeds").items():
        if table.get("enabled", True):
            yield _source(file, key, table, labs, default_every)


def _source(file: _File, key: str, table: dict[str, Any], labs: set[str], default_every: int) -> Source:
    where = ("feeds", key)
    kind, lab = table.get("kind", "feed"), table.get("lab")
    if lab is not None and lab not in labs:
        raise file.error(f'lab "{lab}" is not in the registry{_nearest(lab, labs)}', where, "lab")
    role = _one_of(file, where, table, "role", ROLES, "primary")
    natural = "paper" if kind == "arxiv" else "official" if lab else "press"
    origin = _one_of(file, where, table, "origin", ORIGINS, natural)
    url = _arxiv_url(file, where, table) if kind == "arxiv" else _checked_url(file, where, table)
    every = _span(file, where, table, "every", default_every)
    options = {name: table[name] for name in KINDS[kind] if name in table}
    if "first" in options:
        options["first_s"] = _span(file, where, table, "first", 0)
    return Source(key, kind, url, table.get("title", key), lab, every, role, origin, options)


def _one_of(file: _File, where: tuple[str, ...], table: dict[str, Any], key: str, valid: tuple[str, ...], default: str) -> str:
    value: str = table.get(key, default)
    if value not in valid:
        raise file.error(f'{key} must be one of {", ".join(valid)}, not "{value}"', where, key)
    return value


def _span(file: _File, where: tuple[str, ...], table: dict[str, Any], key: str, default: int) -> int:
    if key not in table:
        return default
    seconds = span_s(table[key])
    if seconds is None:
        raise file.error(f'{key} must be a time like "30m", "6h", "1d" or "1w", not "{table[key]}"', where, key)
    return seconds


def _checked_url(file: _File, where: tuple[str, ...], table: dict[str, Any]) -> str:
    url = table.get("url")
    if url is None:
        raise file.error("has no url", where)
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", url)
        credentials = "@" in parts.netloc or (not fine and "@" in url)
    except ValueError:
        fine, credentials = False, "@" in url
    if credentials:  # without the value: it is a secret, and errors end in logs
        raise file.error("url carries a user name or password; secrets do not belong into this file", where, "url")
    if not fine:
        raise file.error(f'url must be an absolute http or https URL, not "{url}"', where, "url")
    return str(url)


def _arxiv_url(file: _File, where: tuple[str, ...], table: dict[str, Any]) -> str:
    query = table.get("query", "").strip()
    if "url" in table:
        raise file.error("an arXiv source is asked by its query; remove url", where, "url")
    if not query:
        raise file.error('an arXiv source needs a query, like query = "cat:cs.AI AND abs:agent"', where)
    if not _balanced(query):
        raise file.error("query has unbalanced parentheses or quotes", where, "query")
    return f"{ARXIV_API}?search_query={quote_plus(query)}"


def _balanced(query: str) -> bool:
    depth = 0
    for char in re.sub(r'"[^"]*"', "", query):
        depth += (char == "(") - (char == ")")
        if depth < 0 or char == '"':
            return False
    return depth == 0


def _check_twins(file: _File, sources: tuple[Source, ...]) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        if source.url in seen:
            raise file.error(f"polls the same url as [feeds.{seen[source.url]}]; remove one", ("feeds", source.id), "url")
        seen[source.url] = source.id
