"""The parse worker: every fetched body is parsed in a process that may die.

in   a kind of source and a body; out  ``Parsed``, or a ``ParseError`` when parsing hangs, swells, crashes or refuses
One long-lived child, started afresh (never forked beside threads) at the first changed body of a run, so that a quiet run never
imports a parser. It has a memory limit where the system knows one; past its deadline it is killed and the next body gets a new one.
Surprising: the pipes carry JSON and raw bytes, never pickles: what comes back from a process that read hostile input is hostile too.
"""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import IO, Any

from tracker.errors import NAMES, ParseError
from tracker.pollers import Parsed, poller
from tracker.types import Entry, Response, Source

__all__ = ["ParseWorker"]

DEADLINE_S = 25.0  # for one body; 20 MB of honest RSS take feedparser 15 s
MEMORY_BYTES = 400 * 2**20  # address space the worker may add to its own after the imports


class ParseWorker:
    """Parses bodies in a child process. Thread-safe, one body at a time; close it, or use it as a context manager."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def parse(self, source: Source, response: Response) -> Parsed:
        """Return what ``response`` lists, by ``read`` of the source's kind.

        Raises:
            ParseError: the body is not usable, or parsing it did not end within the deadline and the memory.
        """
        head = {"source": asdict(source), "url": response.url, "charset": _charset(response), "size": len(response.body)}
        with self._lock:
            answer = self._ask(json.dumps(head).encode() + b"\n" + response.body)
        if error := answer.get("error"):
            raise ParseError(error if error in NAMES else "malformed", str(answer.get("detail", ""))[:500])
        try:
            return _parsed(answer)
        except (KeyError, TypeError) as error:
            with self._lock:
                self.close()
            raise ParseError("malformed", f"the parse worker answered nonsense: {error}") from None

    def _ask(self, message: bytes) -> Mapping[str, Any]:
        child = self._child = self._child if self._child and self._child.poll() is None else _start()
        killed = threading.Event()

        def give_up() -> None:
            killed.set()
            child.kill()

        watchdog = threading.Timer(self._deadline_s, give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            _write(child.stdin, message)
            line = child.stdout.readline() if child.stdout else b""
            answer = json.loads(line) if line.endswith(b"\n") else None
        except (OSError, ValueError):
            answer = None
        finally:
            watchdog.cancel()
        if isinstance(answer, dict):
            if killed.is_set():  # it answered in its last moment
                self.close()
            return answer
        status = _ended(child)
        self.close()
        if killed.is_set():
            return {"error": "bomb", "detail": f"reading it did not end within {self._deadline_s:g} s; the document was given up"}
        if status == -signal.SIGKILL:  # nobody else kills a child of ours: the system does, when memory is short
            return {"error": "bomb", "detail": "reading it took more memory than there is; the document was given up"}
        return {"error": "malformed", "detail": f"the parse worker {_fate(status)}; the document was given up"}

    def close(self) -> None:
        """End the child; the next ``parse`` starts a new one."""
        if self._child:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def __enter__(self) -> ParseWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            sys.executable,
            "-I",
            "-W",
            "ignore",
            "-c",
            # Ctrl-C goes to every process of the terminal; the parent ends the child, which has nothing to say about it.
            f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); import sys; sys.path[:] = {sys.path!r}; "
            "from tracker.pollers.worker import _serve; _serve()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    """The status of a child that said nothing (or nonsense): None if it is still there."""
    try:
        return child.wait(1.0)
    except subprocess.TimeoutExpired:
        return None


def _fate(status: int | None) -> str:
    if status is None:
        return "did not answer as it should"
    return f"crashed (signal {-status})" if status < 0 else f"could not start, or ended early (exit status {status})"


def _write(stream: IO[bytes] | None, message: bytes) -> None:
    assert stream is not None
    stream.write(message)
    stream.flush()


def _charset(response: Response) -> str | None:
    """The charset the server declares, if it is a plain token; feedparser weighs it against the document's own."""
    declared = response.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    return declared if declared.replace("-", "").replace("_", "").isalnum() else None


def _parsed(answer: Mapping[str, Any]) -> Parsed:
    entries = tuple(_entry(entry) for entry in answer["entries"])
    return Parsed(entries, answer["total"], answer["problem"], tuple(answer["changed"]), tuple(map(tuple, answer["signs"])))


def _entry(facts: Mapping[str, Any]) -> Entry:
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
    return Entry(**values)


# -- in the child -----------------------------------------------------------------------------------


def _serve() -> None:
    """Answer one body after another until the pipe closes."""
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not break the protocol
    logging.getLogger().addHandler(logging.NullHandler())  # and one that warns must not fill the mail of cron
    _limit_memory()
    while line := stdin.readline():
        head = json.loads(line)
        body = stdin.read(head["size"])
        stdout.write(_line(head, body))
        stdout.flush()


def _line(head: Mapping[str, Any], body: bytes) -> bytes:
    try:
        return json.dumps(_answer(head, body)).encode() + b"\n"
    except MemoryError:  # here and not in `_answer`: an answer of many entries takes memory, too
        return b'{"error": "bomb", "detail": "reading it took more memory than a document may"}\n'


def _answer(head: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    source = Source(**head["source"])
    try:
        parsed = poller(source.kind).read(body, source, head["url"], head["charset"])
    except ParseError as error:
        return {"error": error.name, "detail": error.detail}
    except RecursionError:
        return {"error": "too_deep", "detail": "it is nested too deeply to be read"}
    except MemoryError:
        raise
    except Exception as error:  # a parser's bug on a hostile body must not end the run: it is named, with the source, in polls.error
        return {"error": "malformed", "detail": f"{type(error).__name__}: {error}"}
    names = [field.name for field in fields(Entry)]
    entries = [{name: getattr(entry, name) for name in names} for entry in parsed.entries]
    return {"entries": entries, "total": parsed.total, "problem": parsed.problem, "changed": parsed.changed, "signs": parsed.signs}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the deadline still holds
        return
    import feedparser  # noqa: F401 - what is imported first does not count

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _address_space(resource.getpagesize()) + MEMORY_BYTES
    with suppress(ValueError, OSError):  # a system that refuses: the deadline still holds
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def _address_space(page: int) -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * page
    except OSError:
        return 2**30
