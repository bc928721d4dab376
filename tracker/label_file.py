"""Labels as a CSV file: how they outlive a database, and go to another.

in   the rows of ``labels``; the text of a file
out  the text of a file; rows, and by its line what is wrong with a row
refuses to know where files lie.
The whole history is written, not only what stands, so an empty database that takes the file holds the same rows. Columns: key, tag,
value (1 yes, 0 no, undo: takes back what the person said before), who, at, picked, note, title (for people; not read). A file by hand
needs key, tag and value alone. Surprising: a cell that a spreadsheet would run as a formula is written with an apostrophe before it, and
read without; so is one that looks as if that had been done.
"""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime

from tracker import clock
from tracker.errors import TrackerError
from tracker.store import labels
from tracker.text import csv_cell, csv_text, one_line

__all__ = ["COLUMNS", "read", "written"]

COLUMNS = ("key", "tag", "value", "who", "at", "picked", "note", "title")
_VALUES = {"1": "1", "yes": "1", "true": "1", "0": "0", "no": "0", "false": "0", labels.UNDO: labels.UNDO}
_KEY = re.compile(r"(arxiv|doi|url|guid|hash):\S.*")
_TAG = re.compile(r"topic:[a-z0-9][a-z0-9_-]{0,99}|story:(?:arxiv|doi|url|guid|hash):\S.*")


def written(db: sqlite3.Connection) -> str:
    """Return every label as CSV, oldest first."""
    file = io.StringIO(newline="")
    table = csv.writer(file, lineterminator="\n")
    table.writerow(COLUMNS)
    for row in labels.history(db):
        table.writerow(map(csv_cell, (row.key, row.tag, row.value, row.who, row.at, row.picked, row.note, row.title)))
    return file.getvalue()


def read(text: str, name: str, *, who: str, now: datetime) -> tuple[list[tuple[int, labels.Row]], dict[int, str]]:
    """Return the rows of a file, each with its line, and by its line what is wrong with those that are no labels.

    Args:
        name: of the file, for errors.
        who: whose labels those without a name are.

    Raises:
        TrackerError: it is no CSV file, or it lacks a column.
    """
    table = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    rows: list[tuple[int, labels.Row]] = []
    wrong: dict[int, str] = {}
    try:
        missing = [column for column in COLUMNS[:3] if column not in (table.fieldnames or ())]
        if missing:
            if table.fieldnames and len(table.fieldnames) == 1 and any(sign in table.fieldnames[0] for sign in ";\t"):
                raise TrackerError(f"{name}: the separator must be a comma, not a semicolon or tab; save it as CSV with commas")
            raise TrackerError(f"{name}: has no column {', '.join(missing)}; its first line must name at least key, tag and value")
        for found in table:
            cells = {column: csv_text(str(cell or "").strip()) for column, cell in found.items() if column}
            if problem := next(_problems(cells, now), ""):
                wrong[table.line_num] = problem
            else:
                rows.append((table.line_num, _row(cells, who)))
    except csv.Error as error:
        raise TrackerError(f"{name}:{table.line_num}: is no CSV ({error})") from None
    return rows, wrong


def _problems(cells: Mapping[str, str], now: datetime) -> Iterator[str]:
    if not _KEY.fullmatch(cells["key"]):
        yield f"key must begin with arxiv:, doi:, url:, guid: or hash:, not {_shown(cells['key'])}"
    elif len(cells["key"]) > labels.MAX_KEY:
        yield f"key is too long: {len(cells['key']):,} characters, and none of an item has more than {labels.MAX_KEY:,}"
    elif not labels.is_clean(cells["key"]):
        yield f"key holds signs that cannot be printed, or spaces that no key has: {_shown(cells['key'])}"
    if cells["tag"].partition(":")[0] in ("by", "about", "act"):
        yield f"topics and stories can be labelled so far, not {_shown(cells['tag'])}"
    if not _TAG.fullmatch(_tag(cells["tag"])) or not labels.is_clean(cells["tag"].removeprefix("story:")):
        yield f"tag must be like topic:agent-memory, of at most 100 letters, or story: and the key of an item, not {_shown(cells['tag'])}"
    if cells["value"].lower() not in _VALUES:
        yield f"value must be 1 or yes, 0 or no, or undo, not {_shown(cells['value'])}"
    if cells.get("picked") and cells["picked"] not in labels.PICKED:
        yield f"picked must be {', '.join(labels.PICKED)}, not {_shown(cells['picked'])}"
    try:
        if cells.get("at") and clock.parse(cells["at"]) > now:  # it would overrule whatever is said until then
            yield f"at lies in the future: {_shown(cells['at'])}"
    except ValueError:
        yield f"at must be like 2026-06-12T06:10:00Z, not {_shown(cells['at'])}"


def _row(cells: Mapping[str, str], who: str) -> labels.Row:
    at = clock.iso(clock.parse(cells["at"])) if cells.get("at") else ""
    return labels.Row(
        cells["key"], _tag(cells["tag"]), _VALUES[cells["value"].lower()], one_line(cells.get("who") or who, 80), at,
        cells.get("picked") or "browse", one_line(cells.get("note", ""), 500),
    )  # fmt: skip


def _tag(text: str) -> str:
    return text if ":" in text else f"topic:{text}"


def _shown(text: str) -> str:
    return repr(one_line(text, 60)) if text else "nothing"
