"""Write the parts of the documentation that come from the code: python docs/build.py (or `make docs`).

commands.md from `--help`, database.md from the comments of the schema. tests/test_docs.py fails when a file is not what this writes.
"""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner

from tracker.cli import cli
from tracker.store import schema

HERE = Path(__file__).parent


def commands() -> str:
    """Return commands.md: the help of every command."""
    parts = [
        "# Commands\n\nstdout is data, stderr is progress. Exit codes: 0 done (also when some sources failed), 1 failed, 2 usage or "
        "configuration, 75 another run is active. Global options stand before or after the command.\n"
    ]
    for words in [(), *_walk(cli, ())]:
        name = " ".join(("tracker", *words))
        text = CliRunner().invoke(cli, [*words, "--help"], prog_name="tracker", terminal_width=110).output
        parts.append(f"## {name}\n\n```\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def database() -> str:
    """Return database.md: every table and column with its description."""
    parts = [
        "# The database\n\nOne SQLite file (WAL). Names are words of the field; times are UTC, ISO 8601 with `Z`. The same descriptions "
        "are shown in Datasette.\n"
    ]
    for table, (text, columns) in schema.descriptions().items():
        rows = "\n".join(f"| `{name}` | {about.replace('|', chr(92) + '|')} |" for name, about in columns.items())
        parts.append(f"## {table}\n\n{text}\n" + (f"\n| column | meaning |\n|---|---|\n{rows}\n" if rows else ""))
    return "\n".join(parts)


def _walk(group: click.Group, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in sorted(group.commands.items()):
        found.append((*path, name))
        if isinstance(command, click.Group):
            found += _walk(command, (*path, name))
    return found


if __name__ == "__main__":
    (HERE / "commands.md").write_text(commands(), encoding="utf-8")
    (HERE / "database.md").write_text(database(), encoding="utf-8")
