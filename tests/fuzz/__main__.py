"""python -m tests.fuzz: each target for so many seconds; see the package."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz import TARGETS, case


def main() -> int:
    """Run the targets; return 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Give each target input that nobody would write.")
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], help="all, if none is named")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (60)")
    parser.add_argument("--seed", type=int, default=0, help="number of the first case (0)")
    options = parser.parse_args()
    failed = 0
    for name in options.target or TARGETS:
        end, seed = time.monotonic() + options.seconds, options.seed
        while time.monotonic() < end:
            body = case(name, seed)
            try:
                TARGETS[name](body)
            except Exception as error:
                failed += 1
                Path(f"fuzz-{name}-{seed}").write_bytes(body)
                print(f"{name} {seed}: {type(error).__name__}: {str(error)[:200]}; the input is in fuzz-{name}-{seed}", file=sys.stderr)
                break
            seed += 1
        print(f"{name}: {seed - options.seed} cases")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
