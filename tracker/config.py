"""Configuration: the one file you edit, over what ships.

in   feeds.toml, tracker/defaults/topics.toml, tracker/defaults/labs.toml
out  one frozen ``Config``; every mistake is a ``ConfigError`` with file, line, table, key and the nearest valid key
refuses to know the database and the network: a typo stops a run before either is touched. Secrets come from the environment, never from
here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tracker import questions, registry
from tracker.errors import ConfigError
from tracker.pollers import OURS, kinds, poller
from tracker.tomlfile import Table, TomlFile, nearest, span_s
from tracker.types import ORIGINS, DigestPlan, Lab, Source, Topic, Watch

__all__ = ["DEFAULTS", "Config", "Draft", "draft", "keys", "load", "shipped_feeds", "shipped_file", "span_s"]

DEFAULTS = Path(__file__).parent / "defaults"
ROLES = ("primary", "mirror")
AUTHORS_PER_DAY = 80  # about 45 papers on topic are new on an announcement day; the rest is for retries and backlog
READ_PER_DAY = 60  # all labs together publish 10 to 30 posts on a busy day
RHYTHMS = ("daily", "weekly", "run")
NOTIFIERS = ("smtp", "file")

# What each table may hold. Of [feeds.<id>]: the keys of every kind of source, then those of one kind.
_TRACKER_KEYS: Mapping[str, type] = {"contact": str, "every": str, "public_url": str, "read_per_day": int, "authors_per_day": int}
_COMMON_KEYS = {"kind": str, "url": str, "title": str, "lab": str, "role": str, "origin": str, "every": str, "enabled": bool}
_TOPIC_KEYS = {"title": str, "description": str, "include": list, "exclude": list, "threshold": float, "enabled": bool}
_DIGEST_KEYS = {"to": list, "sender": str, "at": str, "via": str, "folder": str, "enabled": bool}
_TABLES = ("tracker", "feeds", "topics", "labs", "watches", "digests")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the tracker is told, in the order of the files; ids are unique in their group."""

    path: str
    contact: str | None
    public_url: str | None
    sources: tuple[Source, ...]
    topics: tuple[Topic, ...]
    labs: tuple[Lab, ...]
    watches: tuple[Watch, ...] = ()
    digests: tuple[DigestPlan, ...] = ()
    read_per_day: int = READ_PER_DAY  # articles of official posts; 0: none
    authors_per_day: int = AUTHORS_PER_DAY  # author blocks of papers; 0: none

    def source(self, source_id: str) -> Source:
        """Return one source.

        Raises:
            ConfigError: there is none of that id; the message names the nearest.
        """
        for source in self.sources:
            if source.id == source_id:
                return source
        raise ConfigError(f'no source "{source_id}"{nearest(source_id, [s.id for s in self.sources])}', self.path)


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be tried before it is saved: watches, and thresholds by topic."""

    watches: tuple[Watch, ...]
    thresholds: Mapping[str, float]


def load(path: str | Path) -> Config:
    """Return the configuration in ``path`` over the shipped topics and labs.

    Raises:
        ConfigError: no such file, not TOML, or anything in it that is unknown or of the wrong kind.
    """
    user = TomlFile.read(Path(path))
    user.check_names(_TABLES)
    settings = Table(user, ("tracker",), user.section("tracker"))
    settings.check_keys(_TRACKER_KEYS)
    topics = tuple(_topic(table) for table in _merged(TomlFile.read(DEFAULTS / "topics.toml"), user, "topics", _TOPIC_KEYS))
    labs = registry.labs(_merged(TomlFile.read(DEFAULTS / "labs.toml"), user, "labs", registry.KEYS), user)
    lab_ids = {lab.id for lab in labs}
    every_s = settings.span_s("every", 21_600)
    sources = tuple(_source(table, lab_ids, every_s) for table in _enabled(user, "feeds", _feed_keys))
    if not user.section("feeds"):
        raise ConfigError("has no sources: add a [feeds.<id>] table, or write the shipped file with `tracker init`", str(path))
    _check_twins(user, sources)
    watches = questions.watches(_watch_tables(user), labs, {topic.id for topic in topics}, _off(user))
    digests = tuple(map(_digest, _enabled(user, "digests", lambda _: _DIGEST_KEYS)))
    per_day, authors_per_day = _per_day(settings, "read_per_day", READ_PER_DAY), _per_day(settings, "authors_per_day", AUTHORS_PER_DAY)
    contact, address = settings.values.get("contact"), _public_url(settings)
    return Config(str(path), contact, address, sources, topics, labs, watches, digests, per_day, authors_per_day)


def draft(path: str | Path, config: Config) -> Draft:
    """Return the watches and thresholds of a file that is to be tried beside feeds.toml; its other tables are not looked at.

    Raises:
        ConfigError: as ``load``, of the tables that are looked at; or the file holds nothing to try.
    """
    file = TomlFile.read(Path(path))
    known = {topic.id for topic in config.topics}
    thresholds = {}
    for key, values in file.tables("topics").items():
        table = Table(file, ("topics", key), values)
        table.check_keys(_TOPIC_KEYS)
        if key not in known:
            raise table.error(f'"{key}" is not a topic{nearest(key, known)}')
        if (threshold := _threshold(table)) is not None:
            thresholds[key] = threshold
    off = _off(TomlFile.read(Path(config.path)))
    watches = questions.watches(_watch_tables(file), config.labs, known, off, config.watches)
    if not watches and not thresholds:
        raise ConfigError("holds nothing to try: neither a [watches.<id>] table nor a [topics.<id>] table with a threshold", str(path))
    return Draft(watches, thresholds)


def shipped_file() -> Path:
    """Return where the feeds.toml lies that comes with this release."""
    packaged = DEFAULTS / "feeds.toml"  # in a wheel
    return packaged if packaged.exists() else DEFAULTS.parent.parent / "feeds.toml"


def shipped_feeds() -> str:
    """Return its text: what ``tracker init`` writes."""
    return shipped_file().read_text(encoding="utf-8")


def keys() -> set[str]:
    """Return every key that any table knows."""
    special = {key for kind in OURS for key in poller(kind).KEYS}
    return {*_TRACKER_KEYS, *_COMMON_KEYS, *special, *_TOPIC_KEYS, *registry.KEYS, *questions.KEYS, *_DIGEST_KEYS}


# -- tables -----------------------------------------------------------------------------------------


def _enabled(file: TomlFile, group: str, known: Any) -> Iterator[Table]:
    """Every table of a group, its keys checked (``known(table)``), without those that are not ``enabled``."""
    for key, values in file.tables(group).items():
        table = Table(file, (group, key), values)
        table.check_keys(known(table))
        if values.get("enabled", True):
            yield table


def _merged(shipped: TomlFile, user: TomlFile, group: str, known: Mapping[str, type]) -> list[Table]:
    """Shipped tables, extended or replaced key by key by the user's, without those that are not ``enabled``."""
    merged = {key: Table(shipped, (group, key), values) for key, values in shipped.tables(group).items()}
    for key, values in user.tables(group).items():
        Table(user, (group, key), values).check_keys(known)
        merged[key] = Table(user, (group, key), {**(merged[key].values if key in merged else {}), **values})
    return [table for table in merged.values() if table.values.get("enabled", True)]


def _topic(table: Table) -> Topic:
    values = table.values
    threshold = _threshold(table)
    for rule in ("include", "exclude"):
        questions.check_patterns(table, rule)
    title = values.get("title", table.where[1].replace("-", " ").capitalize())
    return Topic(table.where[1], title, values.get("description", ""), table.texts("include"), table.texts("exclude"), threshold)


def _threshold(table: Table) -> float | None:
    threshold: float | None = table.values.get("threshold")
    if threshold is not None and not 0 < threshold < 1:
        raise table.error(f"threshold must lie between 0 and 1, not {threshold}", "threshold")
    return threshold


# -- sources ----------------------------------------------------------------------------------------


def _feed_keys(table: Table) -> Mapping[str, type]:
    kind = table.values.get("kind", "feed")
    if not isinstance(kind, str) or kind not in kinds():
        raise table.error(f'unknown kind "{kind}"{nearest(str(kind), kinds())}', "kind")
    return {**_COMMON_KEYS, **poller(kind).KEYS}


def _source(table: Table, labs: set[str], default_every: int) -> Source:
    values, name = table.values, table.where[1]
    kind, lab = values.get("kind", "feed"), values.get("lab")
    if lab is not None and lab not in labs:
        raise table.error(f'lab "{lab}" is not in the registry{nearest(lab, labs)}', "lab")
    module = poller(kind)
    natural = getattr(module, "ORIGIN", "official" if lab else "press")
    options: dict[str, object] = {key: values[key] for key in module.KEYS if key in values}
    url, more = module.configure(table) if hasattr(module, "configure") else (None, {})
    return Source(
        name,
        kind,
        url or _checked_url(table),
        values.get("title", name),
        lab,
        table.span_s("every", default_every),
        table.one_of("role", ROLES, "primary"),
        table.one_of("origin", ORIGINS, natural),
        {**options, **more},
    )


def _checked_url(table: Table, key: str = "url") -> str:
    url = table.values.get(key)
    if url is None:
        raise table.error(f"has no {key}")
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", url)
        credentials = "@" in parts.netloc or (not fine and "@" in url)
    except ValueError:
        fine, credentials = False, "@" in url
    if credentials:  # without the value: it is a secret, and errors end in logs
        raise table.error(f"{key} carries a user name or password; secrets do not belong into this file", key)
    if not fine:
        raise table.error(f'{key} must be an absolute http or https URL, not "{url}"', key)
    return str(url)


def _per_day(settings: Table, key: str, default: int) -> int:
    number = settings.values.get(key, default)
    if number < 0:
        raise settings.error(f"{key} must be 0 (read none) or more, not {number}", key)
    return int(number)


def _public_url(settings: Table) -> str | None:
    return _checked_url(settings, "public_url").rstrip("/") if "public_url" in settings.values else None


def _check_twins(file: TomlFile, sources: tuple[Source, ...]) -> None:
    seen: dict[str, str] = {}
    for source in sources:
        if source.url in seen:
            raise file.error(f"polls the same url as [feeds.{seen[source.url]}]; remove one", ("feeds", source.id), "url")
        seen[source.url] = source.id


# -- watches, drafts of them, and digests -----------------------------------------------------------


def _watch_tables(file: TomlFile) -> list[Table]:
    tables = [Table(file, ("watches", key), values) for key, values in file.tables("watches").items()]
    for table in tables:
        table.check_keys(questions.KEYS)
    return tables


def _off(file: TomlFile) -> set[str]:
    """The topics that are switched off."""
    return {topic for topic, values in file.tables("topics").items() if values.get("enabled") is False}


def _digest(table: Table) -> DigestPlan:
    values = table.values
    via = table.one_of("via", NOTIFIERS, "smtp")
    to = table.texts("to")
    if via == "smtp" and not to:
        raise table.error('has no recipients: to = ["you@example.org"]')
    for address in (*to, *([values["sender"]] if "sender" in values else [])):
        if not _is_address(address):
            raise table.error(f'"{address}" is not a mail address', "to" if address in to else "sender")
    if via == "file" and not values.get("folder"):
        raise table.error('via = "file" needs a folder')
    return DigestPlan(table.where[1], to, table.one_of("at", RHYTHMS, "daily"), via, values.get("sender"), values.get("folder"))


def _is_address(address: str) -> bool:
    """Whether a mail to it can be written: by the rules of the library that will write it (RFC 5322), and with a name for its host."""
    if not re.fullmatch(r"[^\s@<>,;()\"]+@(?!.*\.\.)[^\s@<>,;()\"\[\]]+", address):
        return False
    from email.errors import MessageError
    from email.headerregistry import Address

    try:
        return bool(Address(addr_spec=address))
    except (MessageError, ValueError, IndexError, AttributeError):  # the last two: bugs of the library on odd input, as on "a@[x"
        return False
