"""Write faults.md, the table of the faults that are met, from the tests that meet them: python docs/faults.py (or `make docs`).

A test of tests/faults/ is named after its row (``test_F12_…``, ``test_S27_…``); its docstring is one line: stimulus → what the user sees.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests" / "faults"
ROWS = (*(f"F{number:02}" for number in range(1, 74)), *(f"S{number}" for number in range(24, 32)))

HEAD = """# What can go wrong, and what you see then

Each line is a test: a real server on loopback that misbehaves, a real poll, a real database, and a good source beside it that must not
suffer. A source that fails shows a named error, its time and its count in `tracker status`, in `tracker doctor` (with what to do) and
on the sources page; the run goes on, nothing that was stored is lost, and the source is asked again by itself. Run them with
`make test ARGS=tests/faults`.

| row | what happens | what you see | shown by |
|---|---|---|---|
"""


def tests() -> Iterator[tuple[str, str, str, str]]:
    """Yield (row, stimulus, what the user sees, where) of every fault test, by row."""
    found = []
    for path in sorted(TESTS.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and (name := re.match(r"test_([FS]\d\d)_", node.name)):
                stimulus, arrow, seen = (ast.get_docstring(node) or "").partition("→")
                if not arrow or "\n" in seen.strip():
                    raise SystemExit(f"{path.name}: the docstring of {node.name} must be one line: stimulus → what the user sees")
                found.append((name[1], stimulus.strip(), seen.strip(), f"`{path.name}::{node.name}`"))
    yield from sorted(found, key=lambda test: ROWS.index(test[0]))


def page() -> str:
    """Return faults.md."""
    return HEAD + "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in test)} |\n" for test in tests())


if __name__ == "__main__":
    (HERE / "faults.md").write_text(page(), encoding="utf-8")
