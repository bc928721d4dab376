"""Quick: feedparser as it is, faster.

in   nothing; out  the module ``feedparser``, with a few of its own seams used
It asks for the absolute form of one and the same base address at every tag, its SAX reader hands over each ``&lt;`` and each line of a
text by itself, and it copies a handful of words the way one copies graphs. Here the address is remembered, text comes in one piece, words
are copied as words; what it returns is the same, to the letter,
but for the guid of an entry: it stays as it was written, where feedparser makes an address of "1".
refuses to know what is parsed. Surprising: a release of feedparser without these seams is used as it is.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any
from xml.sax.expatreader import ExpatParser

__all__ = ["create_parser", "feedparser"]

BUFFER_BYTES = 2**16  # of text that is collected before it is handed over
MAX_BASE = 2_000  # letters of an address worth remembering


class _Parser(ExpatParser):
    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text, self._parser.buffer_size = True, BUFFER_BYTES  # type: ignore[attr-defined]


def create_parser() -> ExpatParser:
    """Return a SAX reader; ``xml.sax.make_parser`` calls this, since feedparser is told that it prefers this module."""
    return _Parser()


def _copied(value: Any) -> Any:
    """A copy; of what holds words only, as the attributes of a text do, a plain one is as deep."""
    flat = isinstance(value, dict) and all(part is None or isinstance(part, str) for part in value.values())
    return type(value)(value) if flat else deepcopy(value)


@cache
def feedparser() -> Any:
    """Import feedparser."""
    import feedparser

    api, mixin = (getattr(feedparser, name, None) for name in ("api", "mixin"))
    parser = getattr(mixin, "_FeedParserMixin", None)
    if hasattr(parser, "can_be_relative_uri"):
        parser.can_be_relative_uri = parser.can_be_relative_uri - {"id"}  # type: ignore[union-attr]
    original = getattr(mixin, "make_safe_absolute_uri", None)
    if original and hasattr(api, "PREFERRED_XML_PARSERS"):
        itself = lru_cache(64)(lambda base: original(base, base))

        def absolute(base: str, rel: str | None = None) -> str:
            return str(itself(base) if rel == base and len(base or "") <= MAX_BASE else original(base, rel))

        mixin.copy = SimpleNamespace(deepcopy=_copied)  # type: ignore[union-attr]
        mixin.make_safe_absolute_uri = absolute  # type: ignore[union-attr]
        api.PREFERRED_XML_PARSERS = [__name__]  # type: ignore[union-attr]
    return feedparser
