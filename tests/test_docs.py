"""The documentation says what the code does: generated pages are fresh, every key, command and table is named, links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from tracker import config

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


def script(name: str) -> Any:
    """A module of docs/."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "writer"), [("commands", "build.commands"), ("database", "build.database"), ("model", "model.page"), ("faults", "faults.page")]
)
def test_a_generated_page_is_what_the_code_says_now(page: str, writer: str) -> None:
    name, _, function = writer.partition(".")
    assert (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8") == getattr(script(name), function)(), "run `make docs`"


def test_every_fault_that_is_promised_has_a_test() -> None:
    faults = script("faults")
    assert [row for row in faults.ROWS if row not in {test[0] for test in faults.tests()}] == []


def test_every_key_of_feeds_toml_is_explained() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    keys = set(config.keys())
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
