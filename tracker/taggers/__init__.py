"""Taggers: what a machine says of items. One file per question, all with the same one method.

=============  ========================================================================
``topics``     what an item is on: rules and a linear model
``labs``       whose it is: by, about, mention
``signals``    what kind of item it is
``linear``     features, weights and explanations of the topic model; imports numpy
=============  ========================================================================

in   items, and what the tagger was made with (topics and a model, labs)
out  one list per item, in the order of the items
refuses to know the database and the clock. Nothing here imports scikit-learn, and this file imports no tagger.
Another tagger (embeddings, a language model) is one more class with the same method and a name of its own in ``Tag.model``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tracker.types import Attribution, Item, Tag

__all__ = ["Tagger"]


class Tagger(Protocol):
    """Whatever can look at items and say something of each."""

    def tag(self, items: Sequence[Item]) -> Sequence[Sequence[Tag | Attribution]]:
        """Return what is said of each item, in the order of ``items``; an empty list where nothing is."""
        ...
