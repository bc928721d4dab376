"""The command by which the tracker is measured: tags, stories and watches. Apart from ``cli_learn``, which takes it.

Imported here: click and our ground floor; all else is imported inside the command that needs it, because `--help` pays for this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tracker.errors import TrackerError
from tracker.options import Group, Options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tracker.config import Config
    from tracker.evaluate_items import Row
    from tracker.evaluate_read import Evidence
    from tracker.taggers.linear import LinearModel

__all__ = ["evaluate"]

SUBJECTS = ("topics", "labs", "about", "signals", "stories", "watches")
ERRORS = 50  # in the JSON, unless --errors says otherwise
# What goes with which subject.
_ONLY = {
    "texts": ("topics", "labs"), "model": ("topics",), "cross-validate": ("topics", "stories"), "also": ("topics",), "against": ("topics",),
    "read": ("labs",), "errors": ("labs", "about", "signals", "stories", "watches"), "hard": ("stories",), "truth": ("watches",),
    "labels": ("topics", "labs", "about", "signals", "stories"), "rows": ("topics", "labs", "about", "signals", "stories"),
}  # fmt: skip


@click.command(cls=Group.command_class)
@click.argument("subject", default="topics", metavar="[topics|labs|about|signals|stories|watches]")
@click.option("--labels", multiple=True, metavar="FILE", help="All but watches: CSV with what people say; see below.")
@click.option("--texts", metavar="DIR", help="Folder of papers-*.jsonl.gz with the texts of papers.")
@click.option("--model", metavar="DIR|ID|shipped", help="Topics: a folder with a model, or a model trained here (the one in use).")
@click.option("--cross-validate", is_flag=True, help="Topics, stories: refit, and judge each part by the others.")
@click.option("--also", multiple=True, metavar="FILE", help="With --cross-validate: learned from, never judged on.")
@click.option("--read", is_flag=True, help="Labs: read author blocks and daily lists as a run does; 4 s a paper.")
@click.option(
    "--errors", type=click.IntRange(0, 100_000), metavar="N", help=f"All but topics: errors in the JSON ({ERRORS}; watches: all)."
)
@click.option("--hard", metavar="FILE", help="Stories: CSV with url_a and url_b, look-alikes that are different.")
@click.option("--truth", multiple=True, metavar="FILE", help="Watches: CSV with the items that answer them, and that do not.")
@click.option("--rows", metavar="FILE", help="Write a CSV with labels and tags of each text.")
@click.option("--against", metavar="FILE", help="Topics: compare with an earlier run, by the file its --rows wrote.")
@click.pass_obj
def evaluate(options: Options, /, subject: str, **given: Any) -> None:
    """Measure tags, stories and watches against what people say.

    Prints JSON, and lines for people on stderr.

    \b
    Labels are CSV files, by subject:
      topics    papers: id, labels; posts: topics, title, summary
      labs      papers: id, labs, perhaps complete and tier; posts: title, summary, url, by
      about     title, summary, url, about, mention, perhaps by
      signals   title, summary, url, and of origin, act, unconfirmed what there is
      stories   item_url, title, date, story; also window, summary, source_url, kind, links
      watches   (--truth) watch, rung, item_url_or_id, date, verdict: event or near-miss;
                against what runs have stored in the database
    Several of one cell stand with ";" between them.

    \b
    Example: tracker evaluate --labels labels.csv --texts corpus/
             tracker evaluate --labels labels.csv --texts corpus/ --cross-validate --rows now.csv --against before.csv
             tracker evaluate labs --labels papers.csv --texts corpus/ --read
             tracker evaluate stories --labels stories.csv --hard look-alikes.csv
             tracker evaluate watches --truth truth.csv --db year/tracker.db
    """
    import json

    if subject not in SUBJECTS:
        raise click.UsageError(f'"{subject}" cannot be evaluated; what can: {", ".join(SUBJECTS)}')
    for name, subjects in _ONLY.items():
        if given[name.replace("-", "_")] not in (None, False, ()) and subject not in subjects:
            raise click.UsageError(f"--{name} does not go with {subject}; it is for {', '.join(subjects)}")
    if given["also"] and not given["cross_validate"]:
        raise click.UsageError("--also is what to learn from, so it goes with --cross-validate")
    if given["model"] and given["cross_validate"]:
        raise click.UsageError("--cross-validate makes models of its own, so it does not go with --model")
    needed = "truth" if subject == "watches" else "labels"
    if not given[needed]:
        raise click.UsageError(f"Missing option '--{needed}'.")
    files, rows = given["labels"], given["rows"]
    if subject == "topics":
        about_models = {name: given[name] for name in ("texts", "model", "cross_validate", "also", "against")}
        found, lines = _topics(options, files, rows, **about_models)
    elif subject == "watches":
        found, lines = _watches(options, given["truth"], given["errors"])
    elif subject == "stories":
        found, lines = _stories(files, rows, given["hard"], given["errors"], refit=given["cross_validate"])
    else:
        found, lines = _labs(options, subject, files, rows, given["texts"], given["read"], given["errors"])
    click.echo(json.dumps({"evaluated": subject, **found}, ensure_ascii=False, indent=1))
    if options.verbosity >= 0:
        for line in lines:
            click.echo(line, err=True)


def _topics(
    options: Options,
    files: Sequence[str],
    rows: str | None,
    *,
    texts: str | None,
    model: str | None,
    cross_validate: bool,
    also: Sequence[str],
    against: str | None,
) -> tuple[dict[str, Any], list[str]]:
    """The report on topics, and its lines."""
    from pathlib import Path

    from tracker import evaluate as stage

    folder = Path(texts) if texts else None
    labels = stage.labels_of([Path(file) for file in files], folder)
    earlier = stage.read_rows(Path(against)) if against else None  # a mistake in it is told before minutes of work
    topics = _configured(options).topics
    if cross_validate:
        if options.verbosity >= 0:
            click.echo("Refitting, fold by fold, then once for the time split: some minutes.", err=True)
        more = stage.labels_of([Path(file) for file in also], folder) if also else stage.Labels((), ())
        found, judged = stage.refitted(labels, topics, more)
    else:
        used, chosen, place, taught = _chosen_model(options, model)
        judged = stage.judge(used, topics, labels.examples)
        known = stage.known_rows(used, labels.examples, place, taught)
        found = {"model": used.name, **chosen, "learned_from": known, "labels": list(labels.files), **stage.report(judged)}
    if earlier is not None:
        found["against"] = {"file": Path(str(against)).name, "kinds": stage.compared(judged, earlier)}
    if rows:
        _write(rows, stage.rows_csv(judged))
    return found, list(stage.lines(found))


def _labs(
    options: Options, subject: str, files: Sequence[str], rows: str | None, texts: str | None, read: bool, errors: int | None
) -> tuple[dict[str, Any], list[str]]:
    """The report on labs, about or signals, and its lines."""
    from pathlib import Path

    from tracker import evaluate_labs as stage
    from tracker import store, tag
    from tracker.evaluate_items import labelled
    from tracker.evaluate_tables import lines

    config = _configured(options)
    db = store.open(options.db) if not texts and Path(options.db).exists() else None
    labels = labelled([Path(file) for file in files], subject, config, Path(texts) if texts else None, db, bare=read)
    told: dict[str, Any] = {"mode": "end to end" if read else "metadata only", "labels": list(labels.files)}
    judged, outcomes = labels.rows, {}
    if read:
        found, seconds = _read(options, config, labels.rows)
        judged, outcomes = found.rows, dict(found.outcomes)
        told["read"] = {**found.as_dict(), "seconds": seconds}
    taggers = tag.load(config)
    verdicts = stage.judge(judged, taggers, outcomes)
    told |= {"registry": taggers.registry}
    told |= stage.report(verdicts, subject, stage.Families(config.labs), ERRORS if errors is None else errors)
    if rows:
        _write(rows, stage.rows_csv(verdicts, subject))
    return told, list(lines(told))


def _stories(
    files: Sequence[str], rows: str | None, hard: str | None, errors: int | None, *, refit: bool
) -> tuple[dict[str, Any], list[str]]:
    """The report on stories, and its lines."""
    from pathlib import Path

    from tracker import evaluate_stories as stage
    from tracker.story_labels import hard_pairs, labelled

    alike = hard_pairs(Path(hard)) if hard else []
    placed = stage.place(labelled(*map(Path, files)), refit=refit)
    told = {"cross_validated": refit, **stage.report(placed, alike, ERRORS if errors is None else errors)}
    if rows:
        _write(rows, stage.rows_csv(placed))
    return told, list(stage.lines(told))


def _watches(options: Options, truth: Sequence[str], errors: int | None) -> tuple[dict[str, Any], list[str]]:
    """The report on watches, and its lines: of what runs have stored, by the questions as the last one knew them."""
    from pathlib import Path

    from tracker import evaluate_watches as stage
    from tracker import store
    from tracker.store import browse

    db = store.open(options.db)
    asked = browse.questions(db)
    rows = stage.read(map(Path, truth), [one.id for one in asked])
    told = stage.report(db, stage.judge(db, asked, rows), stage.told(db, asked, options.moment), errors)
    return {"truth": [Path(file).name for file in truth], **told}, list(stage.lines(told))


def _read(options: Options, config: Config, rows: Sequence[Row]) -> tuple[Evidence, int]:
    """What the network says of papers, and the seconds that it took; the pace is that of the runs beside this database."""
    import time
    from pathlib import Path

    from tracker import clock
    from tracker.evaluate_read import evidence, minutes
    from tracker.fetch import Fetcher
    from tracker.store.pace import Pace

    def told(line: str) -> None:
        if options.verbosity >= 0:
            click.echo(line, err=True)

    today, began = clock.iso(options.moment)[:10], time.monotonic()
    told(f"Reading the author blocks of {sum(row.kind == 'paper' for row in rows)} papers, politely: about {minutes(rows, today)} minutes.")
    with Fetcher(config.contact, pace=Pace(Path(options.db).parent)) as fetcher:
        return evidence(rows, fetcher, today, told), round(time.monotonic() - began)


def _configured(options: Options) -> Config:
    """The configuration; the shipped one where there is none and none was named, so that a model can be checked anywhere."""
    from pathlib import Path

    from tracker.config import load, shipped_file

    absent = options.config == Options.config and not Path(options.config).exists()
    return load(shipped_file()) if absent else options.load()


def _chosen_model(options: Options, name: str | None) -> tuple[LinearModel, dict[str, str], Path, set[str]]:
    """The model that was asked for, else the one that tags; where it comes from, where it lies, and the items whose labels taught it here.

    What is told of it: ``from`` is champion, shipped or what the user wrote; ``instead`` says why it is not the champion.
    """
    from pathlib import Path

    from tracker import store
    from tracker.config import DEFAULTS
    from tracker.errors import ModelError
    from tracker.evaluate import lessons
    from tracker.store import models
    from tracker.tag import own_model
    from tracker.taggers.stored_model import load

    if name and (Path(name).is_dir() or "/" in name):
        return load(Path(name)), {"from": name}, Path(name), set()
    shipped, place = load(DEFAULTS / "model"), DEFAULTS / "model"
    if name == "shipped" or (not name and not Path(options.db).exists()):
        return shipped, {"from": "shipped"}, place, set()
    db = store.open(options.db)
    stored = models.named(db, name) if name else models.champion(db)
    if stored:
        try:
            return own_model(db, stored, shipped), {"from": name or "champion"}, models.place(db, stored), lessons(db, stored)
        except ModelError as error:
            if name:
                raise
            return shipped, {"from": "shipped", "instead": str(error)}, place, set()
    if name:
        known = ", ".join(one.id for one in models.listed(db)) or "none was trained here"
        raise ModelError(f'"{name}" is neither a folder with a model nor a model of {options.db} (known: {known})')
    return shipped, {"from": "shipped"}, place, set()


def _write(target: str, text: str) -> None:
    from pathlib import Path

    try:
        Path(target).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise TrackerError(f"{target} cannot be written: {error.strerror}") from None
