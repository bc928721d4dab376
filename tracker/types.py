"""The nouns: frozen dataclasses that travel between the stages. No behaviour, no imports beyond the standard library.

``Request → Response`` is fetching, ``Entry → Page`` is parsing, ``Item`` is stored, ``Tag`` and ``Attribution`` are what
taggers say of it. Instants are UTC text (``2026-06-12T06:10:00Z``), days are text (``2026-06-12``), ``*_s`` are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = [
    "GAP_REASONS",
    "ORIGINS",
    "RUNGS",
    "Attribution",
    "Candidate",
    "DigestPlan",
    "Entry",
    "Event",
    "Facts",
    "Gap",
    "Item",
    "Lab",
    "Page",
    "Polled",
    "Request",
    "Response",
    "Source",
    "State",
    "Tag",
    "Topic",
    "Watch",
]


ORIGINS = ("paper", "official", "press", "community")  # what an item is, by who speaks
GAP_REASONS = ("window rolled", "incomplete results", "no answer", "count dropped")  # why a span cannot be proved complete
RUNGS = ("reported", "stated", "published", "shipped")  # what kind of evidence an item is, weakest first


@dataclass(frozen=True, slots=True)
class Source:
    """One thing we poll: a ``[feeds.<id>]`` table. ``options`` holds the keys that only its kind knows."""

    id: str
    kind: str
    url: str
    title: str
    lab: str | None = None
    every_s: int = 21_600
    role: str = "primary"  # or "mirror": somebody else's copy of a source
    origin: str = "press"  # what its items are: paper, official, press, community
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Topic:
    """What items are on: a ``[topics.<id>]`` table. ``include`` and ``exclude`` are rule patterns (``patterns``)."""

    id: str
    title: str
    description: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    threshold: float | None = None  # None: the model's own


@dataclass(frozen=True, slots=True)
class Lab:
    """An organisation that builds or studies AI: a ``[labs.<id>]`` table. Names are matched whole and case-sensitively."""

    id: str
    name: str
    kind: str
    country: str = ""
    parents: tuple[tuple[str, str | None], ...] = ()  # (lab, since that day)
    aliases: tuple[str, ...] = ()
    affiliations: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # "openai.com", or with a path "microsoft.com/en-us/research"
    github: tuple[str, ...] = ()
    hf: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # unambiguous: enough on their own
    products: tuple[str, ...] = ()  # unambiguous product names
    people: tuple[str, ...] = ()  # who lead it
    weak: tuple[Mapping[str, object], ...] = ()  # {name, needs, not_after, not_before}: count only under their rule


@dataclass(frozen=True, slots=True)
class State:
    """What the last polls of a source left behind. ``body_hash`` is of the document without its build times."""

    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    cursor: str | None = None
    next_poll_at: str | None = None
    fails: int = 0
    last_ok_at: str | None = None
    last_new_at: str | None = None
    last_error: str | None = None
    empty_since: str | None = None  # it answers with documents without entries since then, and used to list some
    since: str | None = None  # how far back to read where there is no cursor; set by poll, never stored
    backfill: bool = False  # read back to ``since`` whatever was read before; set by poll, never stored
    walk: bool = False  # what is read of the past is no news: a first poll, or a walk that was asked for; set by poll, never stored


@dataclass(frozen=True, slots=True)
class Request:
    """One GET. With validators it is a conditional GET."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    trusted_host: str | None = None  # a host the user configured himself: may be on a private network
    enough: int = 0  # bytes as they are sent after which no more is read; 0: all of it
    robots: bool = False  # made for people, not for programs (a page, an article): robots.txt is asked first, and obeyed


@dataclass(frozen=True, slots=True)
class Response:
    """One answer: 200 with a body, or 304 without. ``headers`` have lower-case names, ``body`` is decoded."""

    url: str  # after redirects
    status: int
    headers: Mapping[str, str]
    body: bytes
    moved_to: str | None = None  # where a chain of permanent redirects (301, 308) from the first URL leads
    truncated: bool = False  # the connection ended early: complete entries count, validators do not


@dataclass(frozen=True, slots=True)
class Entry:
    """What a source lists, parsed, not yet ours. All text is plain; ``links`` are outbound keys."""

    title: str
    url: str | None = None
    guid: str | None = None
    text: str = ""
    authors: tuple[str, ...] = ()
    published_at: str | None = None
    published_raw: str | None = None
    version: int | None = None  # arXiv v1, v2, …
    own_key: str | None = None  # arxiv:… or doi:… of the entry itself
    links: tuple[str, ...] = ()
    affiliations: tuple[str, ...] = ()  # of the authors, as the source's own metadata say


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched document of a source, ready to commit. ``entries`` is None when it did not change.

    Validators, ``body_hash`` and ``cursor`` vouch for the entries and are stored with them; ``cursor`` moves on the last page, but for the
    progress of a long walk (``pollers/reached.py``). ``problem`` names what makes the page incomplete (``truncated``, ``too_many_items``)
    although its entries count.
    ``known`` counts the entries that the document lists as it did last time: they are not parsed again and not among ``entries``.
    """

    entries: tuple[Entry, ...] | None
    known: int = 0
    status: int = 200
    size: int = 0  # bytes of the decoded body
    etag: str | None = None
    last_modified: str | None = None
    body_hash: str | None = None
    cursor: str | None = None
    moved_to: str | None = None
    problem: str | None = None
    last: bool = True
    backlog: bool = False  # of the rest of a walk: no news, whichever poll reads it (``pollers/reached.py``)
    listed: frozenset[str] | None = None  # signs of the entries left out (``pollers/known.py``); None: nothing is ever left out


@dataclass(frozen=True, slots=True)
class Polled:
    """The result of one poll.

    ``outcome`` is ``new``, ``nothing new``, ``unchanged``, ``empty``, ``flood``, ``read back`` or the name of an error.
    """

    source: str
    outcome: str
    seconds: float
    size: int = 0
    entries: int = 0
    new: int = 0
    changed: int = 0
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the source answered with something usable."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class Gap:
    """A span in which a source may have shown what we did not see: what cannot be proved complete. Open until ``closed_at``."""

    source: str
    from_at: str
    to_at: str
    reason: str  # of GAP_REASONS
    found_at: str
    closed_at: str | None = None
    how: str | None = None  # what closed it


@dataclass(frozen=True, slots=True)
class Item:
    """An entry we have stored. ``lab`` and ``origin`` are what its best source declares; taggers may know better.

    Of papers: ``affiliations`` from the metadata, ``block`` the author block of the paper itself, a line an affiliation, note or name
    (``pollers.authors``); ``links`` are the outbound keys. Empty unless asked for.
    """

    id: int
    key: str
    source: str
    url: str | None
    title: str
    text: str = ""
    authors: tuple[str, ...] = ()
    published_at: str | None = None
    first_seen_at: str = ""
    backlog: bool = False
    origin: str | None = None
    lab: str | None = None
    affiliations: tuple[str, ...] = ()
    block: str = ""
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tag:
    """An item is on a topic. ``evidence`` is never empty: (term, weight), largest first."""

    topic: str
    score: float
    tier: str  # confident, maybe
    evidence: tuple[tuple[str, float], ...]
    model: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """An item is ``by`` or ``about`` a lab, or mentions it. ``evidence`` is the matched text or the rule, ≤ 200 characters."""

    lab: str
    relation: str  # by, about, mention
    method: str
    strength: str  # declared, stated, inferred
    evidence: str
    place: str = ""  # where it was read: source, address, title, text, authors, metadata, author block, links


@dataclass(frozen=True, slots=True)
class Candidate:
    """A grouped item that another item may belong with. ``linked_by`` is the key of the link between them, "" without one."""

    item: Item
    story: int
    story_size: int
    linked_by: str = ""
    links_from_item: bool = False  # the link stands in the item to be grouped, not in this one


@dataclass(frozen=True, slots=True)
class Watch:
    """A standing question: a ``[watches.<id>]`` table. ``answer`` lists the rungs that settle it; the others are signs on the way."""

    id: str
    question: str
    by: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    not_by: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    answer: tuple[str, ...] = ("published",)
    since: str | None = None  # first day on which anything fires
    until: str | None = None  # last day
    after: str | None = None  # a watch: counted from the day on which it was settled
    within_s: int | None = None
    first_per: str | None = None  # "lab": only each lab's first event
    note: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """An item that bears on a watch: whose it is, what kind of evidence, when, and why (never empty)."""

    watch: str
    item: int
    lab: str
    rung: str  # reported, stated, published, shipped
    at: str  # the item's own instant
    score: float
    reason: tuple[str, ...]
    further: tuple[int, ...] = ()  # on the board: later items of its story that say the same


@dataclass(frozen=True, slots=True)
class Change:
    """What an event was until an instant: what it counted as, whether this answered its question, since when it was taken back, if so."""

    at: str
    rung: str
    answered: bool
    withdrawn_at: str | None = None
    withdrawn_why: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """An event as it is kept, standing or taken back. ``story`` is that of its item, None before it has one."""

    event: Event
    found_at: str
    quiet: bool  # found by looking back, or in what was there before we looked
    story: int | None = None
    withdrawn_at: str | None = None
    withdrawn_why: str | None = None  # what changed, in words; None: it was not written down then
    changes: tuple[Change, ...] = ()  # what it was before, oldest first


@dataclass(frozen=True, slots=True)
class Missed:
    """A near-miss: an item that would be an event of a watch if not for one thing, which is the last ``reason``."""

    watch: str
    item: int
    lab: str
    rung: str  # which it would have been; reported: it is only about the lab
    at: str  # the item's own instant
    score: float
    reason: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an item that a watch can ask for. ``by`` and ``about`` map labs, parents included, to how we know."""

    item: int
    key: str
    url: str | None
    title: str
    text: str
    at: str
    origin: str
    act: str | None
    act_cue: str
    by: Mapping[str, str]
    about: Mapping[str, str]
    topics: Mapping[str, tuple[float, str]]  # score, tier
    links: frozenset[str] = frozenset()
    dated: bool = True  # False: ``at`` is when we first saw it
    denied: Mapping[str, str] = field(default_factory=dict)  # topics that a label denies, and whose label it is
    old: bool = False  # it bears no date and was there before we first looked: it may be years old


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """A mail to be written: a ``[digests.<name>]`` table. ``at`` is its rhythm: daily, weekly, or after every run."""

    name: str
    to: tuple[str, ...]
    at: str = "daily"
    via: str = "smtp"  # or "file": an .eml into ``folder``
    sender: str | None = None
    folder: str | None = None
