"""What it costs to find the labs in a headline with its summary: python -m benchmarks.naming [RUNS]

Goal: at most 0.2 ms CPU an item, one pass over the text. The texts are invented: most name no lab, as in any day's feeds; some name five.
"""

from __future__ import annotations

import statistics
import sys
import time

from tracker import config
from tracker.taggers.labs import LabTagger
from tracker.types import Item

PLAIN = "The council will vote on the new library next week, after a year of letters from readers who want it open on Sundays too. "
NAMED = "OpenAI, Anthropic and Google sell agents; Nvidia sells the chips, and Apple waits. Claude Code and Gemini 9 write the tests. "
TEXTS = {
    "names no lab": Item(1, "url:a", "s", "https://news.example/a", "A town and its library", PLAIN * 4),
    "names five labs": Item(2, "url:b", "s", "https://news.example/b", "OpenAI and Hugging Face publish a report", NAMED + PLAIN * 3),
    "an abstract": Item(3, "arxiv:2606.01234", "s", "https://arxiv.org/abs/2606.01234", "Agents that learn", (PLAIN + NAMED) * 6),
}


def main(runs: int = 9) -> None:
    """Print the median of each text, and what building the tagger costs."""
    began = time.process_time()
    tagger = LabTagger(config.load(config.shipped_file()).labs)
    print(f"reading the registry and building the tagger: {(time.process_time() - began) * 1000:.0f} ms")
    for name, item in TEXTS.items():
        print(f"{name} ({len(item.title) + len(item.text)} characters): {statistics.median(_ms(tagger, item) for _ in range(runs)):.3f} ms")


def _ms(tagger: LabTagger, item: Item, times: int = 200) -> float:
    began = time.process_time()
    tagger.tag([item] * times)
    return (time.process_time() - began) * 1000 / times


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
