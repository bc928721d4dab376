"""The picture in docs/architecture.md, held against the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tracker"
FILES = sorted(path for path in PACKAGE.rglob("*.py"))

# What a file may import of the package, by its top name; a folder's files may import each other.
GROUND = {"types", "urls", "text", "patterns", "clock", "errors", "complete"}
MAY_IMPORT = {
    "errors": set(),
    "types": set(),
    "clock": set(),
    "text": {"errors"},
    "urls": {"errors", "text", "types"},
    "patterns": set(),
    "complete": {"clock", "types"},
    "tomlfile": {"errors"},
    "registry": {"types", "tomlfile"},
    "questions": {"matching", "patterns", "tomlfile", "types"},
    "config": {"errors", "types", "pollers", "questions", "registry", "tomlfile"},
    "polite": set(),
    "net": {"errors", "polite"},
    "robots": {"errors"},
    "chain": {"errors", "types", "net", "polite"},
    "fetch": {"errors", "types", "chain", "net", "polite", "robots"},
    "pollers": GROUND,
    "taggers": GROUND,
    "store": GROUND,
    "poll": GROUND | {"config", "polite", "pollers", "store"},
    "trial": GROUND | {"poll", "pollers"},
    "read": GROUND | {"config", "poll", "pollers", "store"},
    "authors": GROUND | {"config", "pollers", "read", "store", "taggers"},
    "tag": GROUND | {"config", "taggers", "store"},
    "pairing": GROUND | {"taggers"},
    "group": GROUND | {"pairing", "store"},
    "matching": GROUND,
    "watch": GROUND | {"config", "matching", "store"},
    "race": GROUND | {"store"},
    "notifiers": GROUND,
    "compose": GROUND | {"notifiers", "store", "watch"},
    "digest": GROUND | {"compose", "config", "matching", "notifiers", "store", "watch"},
    "examples": GROUND,
    "calibrate": set(),
    "holdout": GROUND | {"taggers"},
    "train": GROUND | {"calibrate", "examples", "holdout", "taggers"},
    "label": GROUND | {"config", "store", "taggers"},
    "label_file": GROUND | {"store"},
    "learn": GROUND | {"calibrate", "taggers", "train"},
    "gate": {"calibrate"},
    "teach": GROUND | {"config", "gate", "holdout", "learn", "store", "tag", "taggers", "train"},
    "evaluate": GROUND | {"holdout", "calibrate", "config", "examples", "store", "taggers", "train"},
    "evaluate_items": GROUND | {"config", "examples", "store"},
    "evaluate_read": GROUND | {"authors", "evaluate_items", "polite", "pollers", "read"},
    "evaluate_labs": GROUND | {"evaluate_items", "store", "tag", "taggers"},
    "evaluate_tables": GROUND,
    "story_labels": GROUND | {"examples"},
    "train_pairs": GROUND | {"examples", "pairing", "story_labels"},
    "evaluate_stories": GROUND | {"group", "pairing", "store", "story_labels", "train_pairs"},
    "evaluate_watches": GROUND | {"config", "examples", "matching", "show_watch", "store", "tomlfile", "watch"},
    "watch_trial": GROUND | {"config", "matching", "store", "watch"},
    "doctor": GROUND | {"config", "tag", "taggers", "store"},
    "run": GROUND | {"config", "fetch", "poll", "read", "authors", "tag", "group", "watch", "race", "digest", "store"},
    "demo": GROUND | {"config", "run", "store"},
    "web": GROUND | {"config", "matching", "store", "watch"},
    "show": GROUND,
    "show_watch": GROUND,
    "options": GROUND | {"config"},
    "cli_evaluate": GROUND
    | {
        "config",
        "evaluate",
        "evaluate_items",
        "evaluate_labs",
        "evaluate_read",
        "evaluate_stories",
        "evaluate_tables",
        "evaluate_watches",
        "fetch",
        "options",
        "store",
        "story_labels",
        "tag",
        "taggers",
    },
    "cli_learn": GROUND | {"cli_evaluate", "config", "label", "label_file", "options", "run", "show", "store", "tag", "teach"},
    "cli_watch": GROUND | {"config", "options", "show_watch", "store", "tag", "tomlfile", "watch", "watch_trial"},
    "cli": GROUND
    | {
        "cli_learn",
        "cli_watch",
        "config",
        "options",
        "demo",
        "digest",
        "doctor",
        "fetch",
        "poll",
        "run",
        "show",
        "store",
        "tag",
        "trial",
        "web",
    },
    "__init__": {"run"},
    "__main__": {"cli"},
}


def top(path: Path) -> str:
    """The name of a file or of the folder it lies in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The names directly under ``tracker`` that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "tracker":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tracker."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("tracker.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_file_imports_only_what_lies_below_it(path: Path) -> None:
    name = top(path)
    assert name in MAY_IMPORT, f"{name} has no place in the picture"
    assert imported(path) <= MAY_IMPORT[name] | {name}


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_file_is_one_sitting_and_begins_with_a_map(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 450
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_the_median_file_is_short() -> None:
    lengths = sorted(path.read_text(encoding="utf-8").count("\n") for path in FILES)
    assert lengths[len(lengths) // 2] <= 180
