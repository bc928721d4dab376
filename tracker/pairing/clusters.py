"""Clusters by average agreement, so that no single bridge joins two stories.

in   groups that are there (a story, or an item alone) with their sizes; how far the items of two groups agree, summed over all pairs
out  which groups become one
Source: average linkage (R. Sokal, C. Michener, A statistical method for evaluating systematic relationships, 1958). Pairs that nobody
compared agree by 0. The order in which groups are given decides ties, nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["clusters"]


def clusters(
    sizes: Sequence[int],
    agreement: Mapping[tuple[int, int], float],
    limit: float,
    together: Iterable[tuple[int, int]] = (),
    apart: Iterable[tuple[int, int]] = (),
) -> list[int]:
    """Return, for each group, the first group of its cluster.

    Args:
        sizes: of each group, in items.
        agreement: {(a, b): sum over the pairs of items of two groups}, a < b.
        limit: the average from which two clusters become one; the best pair first.
        together: groups whose clusters are one in any case; what only average agreement joins is joined before.
        apart: groups that never come into one cluster; this has the say over ``together``.
    """
    home = list(range(len(sizes)))
    size = list(sizes)
    sums: list[dict[int, float]] = [{} for _ in sizes]
    barred: list[set[int]] = [set() for _ in sizes]
    for (a, b), value in agreement.items():
        sums[a][b] = sums[b][a] = value
    for a, b in apart:
        barred[a].add(b)
        barred[b].add(a)

    def merge(a: int, b: int) -> None:
        size[a] += size[b]
        home[b] = a
        for other, value in sums[b].items():
            del sums[other][b]
            if other != a:
                sums[a][other] = sums[other][a] = sums[a].get(other, 0.0) + value
        sums[b] = {}
        for other in barred[b]:
            barred[other].add(a)
        barred[a] |= barred[b]

    def first(a: int) -> int:
        while home[a] != a:
            a = home[a]
        return a

    heap = [(-value / (size[a] * size[b]), a, b) for a in range(len(sizes)) for b, value in sums[a].items() if a < b]
    heapq.heapify(heap)
    while heap:
        average, a, b = heapq.heappop(heap)
        current = sums[a].get(b)
        if current is None or -current / (size[a] * size[b]) != average or b in barred[a]:
            continue  # one of the two has grown or gone since
        if -average < limit:
            break
        merge(a, b)
        for other, value in sums[a].items():
            low, high = sorted((a, other))
            heapq.heappush(heap, (-value / (size[low] * size[high]), low, high))
    for a, b in together:
        a, b = sorted((first(a), first(b)))
        if a != b and b not in barred[a]:
            merge(a, b)
    return [first(a) for a in range(len(sizes))]
