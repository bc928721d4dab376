"""What `tracker --help` costs, as a multiple of bare Python: python -m benchmarks.startup [RUNS]

Goal: at most 5×. CPU seconds (user + system) of whole processes, alternating, medians.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
from pathlib import Path

COMMANDS = {
    "bare python": [sys.executable, "-c", "pass"],
    "click alone": [sys.executable, "-c", "import click"],
    "tracker --help": [str(Path(sys.executable).with_name("tracker")), "--help"],
    "tracker run --help": [str(Path(sys.executable).with_name("tracker")), "run", "--help"],
}


def cpu_s(command: list[str]) -> float:
    """CPU seconds of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(runs: int = 21) -> None:
    """Print a row for each command."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(runs):
        for name, command in COMMANDS.items():
            times[name].append(cpu_s(command))
    base = statistics.median(times["bare python"])
    for name, values in times.items():
        print(f"{name:20} {statistics.median(values) * 1000:7.1f} ms   {statistics.median(values) / base:5.2f} ×")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
