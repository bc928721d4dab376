"""Say by which labs an item is, with the words that prove it.

in   items as stored, and the registry of labs
out  attributions ``by``: one for each lab and method
knows no network and no clock. What it reads of a paper was fetched and stored before, so an edited registry needs no fetching.

Posts: what the source declares, else whose page it is (host, or organisation of a hub); the first that fits. Papers are by every lab
found in: a team that signs as author, affiliations in the metadata, the author block, the organisation that submitted it to Hugging
Face, a lab's own repository that it links to; an e-mail domain in the block counts only where nothing else names that lab's family.
Never the words of title or abstract: measured, that guess is right half of the time.
Surprising: who is at which lab does not matter, so names are not mapped to affiliations. A block is read line by line; what a sentence
says of money is left out, and a lab whose child stands in the same line says nothing of its own ("Tongyi Lab, Alibaba Group").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import cast
from urllib.parse import urlsplit

from tracker.taggers.affiliations import Affiliations, Found, suffixes
from tracker.types import Attribution, Item, Lab

__all__ = ["Bylines", "is_paper"]

EVIDENCE_CHARS = 200

# Pages of a hub belong to the organisation in their path: github.com/openai/…, huggingface.co/blog/nvidia/….
_HUBS = {"github.com": "github", "huggingface.co": "hf", "hf.co": "hf"}
_SHELVES = frozenset({"blog", "collections", "datasets", "spaces"})
_TALK = frozenset({"discussions", "issues", "pull", "pulls"})  # pages there are written by anybody
_TEAM = re.compile(r"(?:the )?(?:team (?P<after>.+)|(?P<before>.+?)[ -]?team)", re.IGNORECASE)


class Bylines:
    """Attribute items to the labs that wrote them; holds the registry in compiled form.

    Args:
        names: what a lab or its product is called, a group a name: for teams named after a model ("GLM-4.5 Team").
        owners: whose the names of each group are, None for those that are not enough alone.
    """

    def __init__(self, labs: Sequence[Lab], names: re.Pattern[str] | None = None, owners: Sequence[str | None] = ()) -> None:
        self._labs = {lab.id: lab for lab in labs}
        self._hosts = {host: lab.id for lab in labs for host in lab.hosts}
        self._depth = max((host.count("/") for host in self._hosts), default=0)
        self._orgs = {("github", org.casefold()): lab.id for lab in labs for org in lab.github}
        self._orgs |= {("hf", org.casefold()): lab.id for lab in labs for org in lab.hf}
        self._signers = {name.casefold(): lab.id for lab in labs for name in (lab.name, *lab.aliases, *lab.names)}
        self._begins, self._owners = names, owners
        self._affiliations = Affiliations(labs)

    def of(self, item: Item) -> list[Attribution]:
        """Return the labs that an item is by."""
        found = self._by_source(item) if self._declares(item) else self._by_url(item)
        if not is_paper(item):
            return found
        found += self._by_team(item)
        stated = self._affiliations.find("\n".join(item.affiliations), item.authors)
        found += [_attribution(one, "affiliation", "metadata") for one in stated]
        read = self._affiliations.find(item.block, item.authors)
        found += [_attribution(one, "block", "author block") for one in read]
        found += self._by_links(item)
        known = {one.lab for one in found}
        return found + [_attribution(one, "email", "author block") for one in self._affiliations.mail(item.block, known)]

    def lab_of_url(self, url: str) -> tuple[str, str] | None:
        """Return the lab whose page this is, and the rule that says so; None for everybody else.

        The longest rule wins. A post under huggingface.co/blog/<organisation>/ is by that organisation or by
        nobody we know, never by Hugging Face. A repository is by its owner, its issues are by anybody.
        """
        host, parts = _split(url)
        if owner := _hub_owner(host, parts):
            lab = self._orgs.get((_HUBS[host], owner.casefold()))
            return (lab, f"{host}/{'/'.join(parts[: parts.index(owner) + 1])}") if lab else None
        for suffix in suffixes(host):
            for depth in range(min(self._depth, len(parts)), -1, -1):
                rule = "/".join((suffix, *(part.lower() for part in parts[:depth])))
                if rule in self._hosts:
                    return self._hosts[rule], rule
        return None

    # posts

    def _declares(self, item: Item) -> bool:
        # Hugging Face's feed is declared as its own, yet carries the posts of others: the path knows better.
        host, parts = _split(item.url or "")
        return item.lab in self._labs and not (host in _HUBS and parts[:1] == ["blog"] and len(parts) > 2)

    def _by_source(self, item: Item) -> list[Attribution]:
        lab = self._labs[cast(str, item.lab)]
        return [Attribution(lab.id, "by", "source", "declared", _shorten(f"the source {item.source} is by {lab.name}"), "source")]

    def _by_url(self, item: Item) -> list[Attribution]:
        found = self.lab_of_url(item.url or "")
        return [Attribution(found[0], "by", "host", "stated", _shorten(found[1]), "address")] if found else []

    # papers

    def _by_team(self, item: Item) -> list[Attribution]:
        signed: dict[str, str] = {}
        for author in (*item.authors, *_names(item.block)):
            if lab := self._signer(" ".join(author.split())):
                signed.setdefault(lab, author)
        return [Attribution(lab, "by", "author", "stated", _shorten(by), "authors") for lab, by in signed.items()]

    def _signer(self, author: str) -> str | None:
        """Return the lab that signs with just this string, or as "<name> Team" or "Team <name>"."""
        if lab := self._signers.get(author.casefold()):
            return lab
        team = _TEAM.fullmatch(author)
        if not team:
            return None
        name = team["after"] or team["before"]
        if lab := self._signers.get(name.casefold()) or self._signers.get(f"{name} team".casefold()):
            return lab
        # "Huawei LLM Team", "GLM-4.5 Team": a team whose name begins with one that is enough alone.
        match = self._begins.match(name) if self._begins else None
        return self._owners[cast(int, match.lastindex)] if match else None

    def _by_links(self, item: Item) -> list[Attribution]:
        """What the paper's links say: the organisation of Hugging Face that submitted it, and repositories of labs."""
        found: dict[tuple[str, str], Attribution] = {}
        for key in item.links:
            host, parts = _split(key.removeprefix("url:"))
            if host not in _HUBS or not parts or not key.startswith("url:") or parts[0] == "datasets":  # used by many, as a rule
                continue
            owner = parts[0] if len(parts) == 1 and host != "github.com" else _hub_owner(host, parts)
            lab = self._orgs.get((_HUBS[host], (owner or "").casefold()))
            if lab and len(parts) == 1:
                found.setdefault((lab, "hf"), Attribution(lab, "by", "hf", "stated", _shorten(f"huggingface.co/{owner}"), "links"))
            elif lab:
                where = "/".join((host, *parts[: parts.index(cast(str, owner)) + 2]))
                found.setdefault((lab, "repo"), Attribution(lab, "by", "repo", "inferred", _shorten(where), "links"))
        return list(found.values())


def is_paper(item: Item) -> bool:
    """Whether an item is a paper, by its key or its source."""
    return item.origin == "paper" or item.key.startswith(("arxiv:", "doi:"))


def _names(block: str) -> Iterator[str]:
    return (line.removeprefix("name: ") for line in block.splitlines() if line.startswith("name: "))


def _attribution(found: Found, method: str, place: str) -> Attribution:
    return Attribution(found.lab, "by", method, "inferred" if method == "email" else "stated", _shorten(found.evidence), place)


def _split(url: str) -> tuple[str, list[str]]:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:  # "http://[oops": some feeds do
        return "", []
    return host, [part for part in parts.path.split("/") if part]


def _hub_owner(host: str, parts: Sequence[str]) -> str | None:
    """Return the organisation whose page of a hub this is; None when it is the hub's own page, or talk."""
    if host not in _HUBS or _TALK.intersection(parts[2:4]):
        return None
    on_shelf = host != "github.com" and parts[:1] and parts[0] in _SHELVES
    rest = parts[1:] if on_shelf else parts
    return rest[0] if len(rest) > 1 else None


def _shorten(text: str) -> str:
    return " ".join(text.split())[:EVIDENCE_CHARS]
