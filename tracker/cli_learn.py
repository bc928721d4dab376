"""The commands by which the tracker is taught: label and train, and ``cli_evaluate`` beside them. Apart from ``cli``, which takes them.

Imported here: click and our ground floor; all else is imported inside the command that needs it, because `--help` pays for this file.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tracker.cli_evaluate import evaluate
from tracker.errors import TrackerError
from tracker.options import Group, Options

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from tracker.config import Config
    from tracker.label import Question

__all__ = ["COMMANDS"]


# -- label ------------------------------------------------------------------------------------------

ASKED = 20  # questions in a sitting, unless --limit says otherwise


@click.command(cls=Group.command_class)
@click.argument("key", required=False)
@click.argument("tag", required=False)
@click.argument("answer", required=False, type=click.Choice(["yes", "no", "undo"], case_sensitive=False))
@click.option("--topic", "topics", multiple=True, metavar="TOPIC", help="Ask of this topic alone; may be given several times.")
@click.option("--random", "at_random", is_flag=True, help="Pick every question at random, not one of five.")
@click.option("--limit", type=click.IntRange(1, 1000), help=f"How many questions ({ASKED}; outside a terminal 1).")
@click.option("--recent", type=click.IntRange(1, 100_000), help="How many of the newest items are looked at (2,000).")
@click.option("--who", metavar="NAME", help="Whose labels they are (the name of the user).")
@click.option("--note", default="", metavar="TEXT", help="With KEY TAG yes|no: why.")
@click.option("--export", "target", metavar="FILE", help="Write all labels as CSV; - is stdout.")
@click.option("--import", "origin", metavar="FILE", help="Take labels from such a CSV; - is stdin. Twice adds nothing.")
@click.pass_obj
def label(
    options: Options,
    key: str | None,
    tag: str | None,
    answer: str | None,
    topics: tuple[str, ...],
    at_random: bool,
    limit: int | None,
    recent: int | None,
    who: str | None,
    note: str,
    target: str | None,
    origin: str | None,
) -> None:
    """Judge the items most worth a yes or no, one key each.

    \b
    Example: tracker label
             tracker label arxiv:2606.01234 agent-memory yes
             tracker label arxiv:2606.01234 story:https://lab.example/post no
             tracker label --export labels.csv
    """  # fmt: skip
    from tracker.label import who_is
    from tracker.text import one_line

    ways = [bool(key), bool(target), bool(origin)]
    if sum(ways) == 1 and key and not answer:
        raise click.UsageError("say yes, no or undo: tracker label KEY TAG yes")
    if sum(ways) > 1:
        raise click.UsageError("say one thing: tracker label, tracker label KEY TAG yes|no|undo, --export FILE, or --import FILE")
    person = one_line(who or "", 80) or who_is()
    if target:
        _export(options, target)
    elif origin:
        _import(options, origin, person)
    elif key and tag and answer:
        _label_one(options, key, tag, answer, person, note)
    else:
        _sitting(options, topics, at_random, limit, recent, person)


def _opened(options: Options, *, make: bool = False) -> sqlite3.Connection:
    """The database for writing beside a run, which waits for a batch at most; only ``make`` brings a new one into being, under the lock."""
    from pathlib import Path

    from tracker import store

    if make and not Path(options.db).exists():
        from tracker.run import Tracker

        with Tracker(options.config, options.db, now=options.moment) as tracker:
            _ = tracker.db
    store.open(options.db).close()  # says what is wrong with it; an older schema is brought up to date by a run, not beside one
    return store.open(options.db, write=True)


def _topic(text: str, config: Config) -> str:
    """The id of the topic that is named on the command line."""
    from tracker.label import tag_of

    try:
        return tag_of(text, config.topics).removeprefix("topic:")
    except TrackerError as error:
        raise click.UsageError(str(error)) from None


def _label_one(options: Options, key: str, tag: str, answer: str, who: str, note: str) -> None:
    from tracker.label import add, changes, take_back
    from tracker.store.labels import STORY

    config = options.load()
    if not tag.strip().startswith(STORY):
        tag = _topic(tag, config)  # a slip is told before the database is opened
    db = _opened(options)
    if answer == "undo":
        done = take_back(db, config, key, tag, who=who, now=options.moment)
    else:
        done = add(db, config, key, tag, int(answer == "yes"), who=who, now=options.moment, note=note)
    more = changes(answer, done, who)
    if answer == "undo":
        line = f"{done.tag.removeprefix('topic:')}: taken back; {more}: {done.title or done.key}"
    else:
        known = done.title or f"{done.key}, which is not known yet: the label is kept and counts when the item arrives"
        line = f"{answer} for {done.tag.removeprefix('topic:')}: {known}" + (f" ({more})" if more else "")
    facts = {"key": done.key, "tag": done.tag, "answer": answer, "who": who, "known": bool(done.title), "changes": more}
    options.say([line], facts)


def _sitting(options: Options, topics: Sequence[str], at_random: bool, limit: int | None, recent: int | None, who: str) -> None:
    """Ask in a terminal, one key an answer; elsewhere print the next question and how to answer it."""
    from tracker.label import RECENT, lines, queue
    from tracker.tag import load

    config = options.load()
    named = [_topic(topic, config) for topic in topics]
    db = _opened(options)
    taggers = load(config, db=db)
    if taggers.without_model:
        click.echo(f"The model is not used: {taggers.without_model}. What rules and words suggest is asked instead.", err=True)
    elif taggers.instead:
        click.echo(f"Not the model in use picks the questions: {taggers.instead}.", err=True)
    asks = sys.stdin.isatty() and sys.stdout.isatty() and not options.json
    questions = queue(
        db, config, taggers.model, who=who, now=options.moment, topics=named, limit=limit or (ASKED if asks else 1),
        at_random=at_random, recent=recent or RECENT,
    )  # fmt: skip
    if asks and questions:
        _ask(options, db, config, questions, who)
        return
    told = [line for question in questions for line in (*lines(question, config, width=_width()), f"  Answer: {_answer_by_hand(question)}")]
    facts = [
        {"key": q.item.key, "tag": f"topic:{q.topic.id}", "title": q.item.title, "url": q.item.url, "picked": q.picked, "why": q.why,
         "words": q.words, "answer": _answer_by_hand(q)}
        for q in questions
    ]  # fmt: skip
    options.say(told or ["Nothing is left to ask about the newest items; --recent looks further back."], facts)


def _width() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 20)


def _answer_by_hand(question: Question) -> str:
    import shlex

    from tracker.store import labels

    item = question.item
    name = shlex.quote(item.key) if labels.is_clean(item.key) else str(item.id)  # what steers a terminal is not printed
    return f"tracker label {name} {question.topic.id} yes|no"


def _ask(options: Options, db: sqlite3.Connection, config: Config, questions: Sequence[Question], who: str) -> None:
    """Put question after question; every answer is stored as it is given."""
    from tracker.label import add, changes, in_all, lines, undo

    given: list[int | None] = []  # the label of each question that was passed, None where it was skipped
    while len(given) < len(questions):
        question = questions[len(given)]
        place = f"{len(given) + 1}/{len(questions)}  "
        click.echo("\n" + "\n".join(lines(question, config, width=_width(), lead=place)))
        key = _key(f'  Is it on "{question.topic.title}"?  y yes  n no  s skip  u undo  q quit  ')
        if key == "q":
            break
        if key in "yn":
            done = add(
                db, config, question.item.key, question.topic.id, int(key == "y"), who=who, now=options.moment, picked=question.picked
            )
            given.append(done.id)
            if more := changes(key, done, who):
                click.echo(f"  {more[0].upper()}{more[1:]}.")
        elif key == "s":
            given.append(None)
        elif given:
            last = given.pop()
            taken = last is not None and undo(db, last, now=options.moment)
            click.echo("  The answer before is taken back." if taken else "  Back to the one that was skipped.")
        else:
            click.echo("  There is no answer in this sitting to take back.")
    now, mine = in_all(db, config), sum(one is not None for one in given)
    labels, them = ("1 label", "it") if now == 1 else (f"{now} labels", "them")
    click.echo(f"\n{mine} answered, {labels} in all; `tracker train` learns from {them}.")


def _key(prompt: str) -> str:
    """The next key that means something; end of input and Ctrl-C quit."""
    click.echo(prompt, nl=False)
    while True:
        try:
            key = click.getchar().lower()
        except (EOFError, KeyboardInterrupt):
            key = "q"
        if key in ("y", "n", "s", "u", "q"):
            click.echo(key)
            return key
        click.echo("\n  y, n, s, u or q: ", nl=False)


def _export(options: Options, target: str) -> None:
    from pathlib import Path

    from tracker import store
    from tracker.label_file import written

    text = written(store.open(options.db))
    if target == "-":
        click.echo(text, nl=False)
        return
    try:
        Path(target).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise TrackerError(f"{target} cannot be written: {error.strerror}") from None
    rows = text.count("\n") - 1
    options.say([f"Wrote {target}: {rows} row{'' if rows == 1 else 's'}."], {"written": target, "rows": rows})


def _import(options: Options, origin: str, who: str) -> None:
    from pathlib import Path

    from tracker import clock, store
    from tracker.label_file import read
    from tracker.store import labels, sources

    name = "stdin" if origin == "-" else origin
    try:
        data = sys.stdin.buffer.read() if origin == "-" else Path(origin).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise TrackerError(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TrackerError(f"{name} cannot be read: it is not UTF-8; save it as CSV UTF-8") from None
    rows, wrong = read(text, name, who=who, now=options.moment)
    config, db = options.load(), _opened(options, make=True)
    now = clock.iso(options.moment)
    with store.transaction(db):
        sources.sync_registry(db, config.topics, config.labs, now)
        taken = labels.take(db, rows, now)
    wrong |= taken.wrong
    strange = sorted({row.tag[6:] for _, row in rows if row.tag.startswith("topic:")} - {topic.id for topic in config.topics})
    lines = [f"{taken.added} added, {taken.known} known before, {len(wrong)} not understood."]
    if taken.to_come:
        s = "" if taken.to_come == 1 else "s"
        lines.append(f"{taken.to_come} item{s} not known yet: the labels are kept and count when the item{s} arrive{'' if s else 's'}.")
    if strange:
        more = f" and {len(strange) - 20} more" if len(strange) > 20 else ""
        lines.append(f"Kept, but of topics that feeds.toml does not have: {', '.join(strange[:20])}{more}.")
    facts = {"added": taken.added, "known": taken.known, "to_come": taken.to_come, "unknown": strange}
    options.say(lines, facts | {"wrong": {str(line): why for line, why in sorted(wrong.items())}})
    for line, why in sorted(wrong.items()):
        click.echo(f"{name}:{line}: {why}", err=True)
    if wrong:
        of = len(rows) + len(wrong) - len(taken.wrong)
        raise TrackerError(f"{len(wrong)} of {of} rows were left out; mend them and import the file again")


# -- train --------------------------------------------------------------------------------------------


@click.command(cls=Group.command_class)
@click.option("--list", "listing", is_flag=True, help="Show the models that were trained here.")
@click.option("--champion", metavar="ID|shipped", help="Make that model the one in use: the way back.")
@click.pass_obj
def train(options: Options, listing: bool, champion: str | None) -> None:
    """Learn from your labels; keep what passes the gate.

    \b
    Example: tracker train
             tracker train --champion shipped
    """  # fmt: skip
    from dataclasses import asdict
    from pathlib import Path

    from tracker import store, teach
    from tracker.run import Tracker
    from tracker.store import models

    if listing and champion:
        raise click.UsageError("say one thing: --list or --champion ID")
    if listing:
        rows = models.listed(store.open(options.db))
        options.say(teach.listed_lines(rows), [asdict(row) for row in rows])
        return
    if not Path(options.db).exists():
        raise TrackerError(f"there is no database {options.db} yet; `tracker run` makes it, `tracker label` gives labels to learn from")
    with Tracker(options.config, options.db, now=options.moment) as tracker:
        if champion:
            result = teach.choose(tracker.db, champion, now=options.moment)
        else:
            result = teach.train(tracker.db, tracker.config, now=options.moment)
    options.say(teach.lines(result), result.as_dict())


COMMANDS: tuple[click.Command, ...] = (label, evaluate, train)
