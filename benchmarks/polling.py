"""What polling costs, beside two feed readers: python -m benchmarks.polling [REPETITIONS] [SOURCES]

200 feeds of 50 entries on loopback, polled three times: all new; unchanged (half of the servers answer 304, half send the same again); 5 %
of the entries of every feed new. CPU seconds (user + system) of the whole process and its children, start of Python included for both, the
three programs in turn, medians; ratios beside `reader` (PyPI), goals: ≤ 1.0, 0.25, 0.25 (aim 0.7, 0.2, 0.2). `reader` gets a virtual
environment of its own; the feeds are added to it, as to feeds.toml, before the clock starts. newsboat is measured where it is installed.
Then servers with a latency of 50 to 300 ms: wall clock of a poll against the ideal, all latencies divided by the threads that fetch;
goal ≤ 1.6 where nothing is new. Each source is a host of its own (127.0.0.1 to 127.0.0.200, so Linux): sources of one host wait for each other.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from html import escape
from pathlib import Path

from tracker.poll import WORKERS

ENTRIES, FRESH = 50, 0.05
PHASES = ("new", "unchanged", "5 % new")
GOALS = {"new": (1.0, 0.7), "unchanged": (0.25, 0.2), "5 % new": (0.25, 0.2)}  # floor, aim
MOMENTS = ("2026-06-12T06:00:00Z", "2026-06-13T06:00:00Z", "2026-06-14T06:00:00Z")
READER = ("reader==3.26", "sgmllib3k==1.0.0")
WORDS = """agents agent memory memories learn learning from feedback their own experience reward hacking oversight monitor benchmark skill
library online continual release tools planning evaluation language model models training data safety alignment drift deployment product
we a the of and in with for on that tasks environments trajectories performance results method propose show over time every week user""".split()


# -- feeds, invented ----------------------------------------------------------------------------------


@cache
def feed(number: int, phase: int) -> bytes:
    """The feed of a source: RSS with content in CDATA, RSS with escaped HTML, or Atom."""
    fresh = 0 if phase < 2 else round(ENTRIES * FRESH) + number % 2
    kind = number % 3
    entries = "\n".join(_entry(number, serial, kind) for serial in range(1000 + fresh, 1000 + fresh - ENTRIES, -1))
    if kind == 2:
        head = f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Lab {number}</title><id>urn:lab:{number}</id>'
        return f'<?xml version="1.0" encoding="utf-8"?>\n{head}<updated>2026-06-1{phase}T05:00:00Z</updated>\n{entries}\n</feed>\n'.encode()
    head = f"<channel><title>Lab {number}</title><link>https://lab{number}.example/</link><description>News</description>"
    spaces = 'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" {spaces}>{head}\n{entries}\n</channel></rss>\n'.encode()


def _entry(number: int, serial: int, kind: int) -> str:
    chance = random.Random(number * 100_000 + serial)
    title = " ".join(chance.choices(WORDS, k=9)).capitalize()
    url = f"https://lab{number}.example/{serial}/{'-'.join(chance.choices(WORDS, k=4))}"
    paragraphs = [" ".join(chance.choices(WORDS, k=chance.randint(30, 60))) for _ in range(4)]
    link = f'<a href="https://lab{chance.randrange(200)}.example/{chance.randrange(1000)}">{chance.choice(WORDS)} &amp; more</a>'
    markup = "".join(f"<p>{text}, {link}.</p>" for text in paragraphs)
    summary, day, author = paragraphs[0][:150], f"{1 + serial % 28:02}", f"A. {chance.choice(WORDS).capitalize()}"
    if kind == 2:
        return (
            f'<entry><title>{title}</title><link rel="alternate" href="{url}"/><id>tag:lab{number}.example,2026:{serial}</id>'
            f"<published>2026-05-{day}T08:00:00Z</published><updated>2026-05-{day}T09:00:00Z</updated>"
            f'<author><name>{author}</name></author><content type="html">{escape(markup)}</content></entry>'
        )
    body = f"<content:encoded><![CDATA[{markup}]]></content:encoded>" if kind == 0 else ""
    return (
        f'<item><title>{title}</title><link>{url}</link><guid isPermaLink="false">{number}-{serial}</guid>'
        f"<pubDate>{day} May 2026 08:00:00 GMT</pubDate><dc:creator>{author}</dc:creator><category>{chance.choice(WORDS)}</category>"
        f"<description>{summary if body else escape(markup)}</description>{body}</item>"
    )


# -- their server, a process of its own ---------------------------------------------------------------


class _Web:
    """GET /NUMBER.xml is a feed, as of the phase that GET /phase/N has set; /slow/1 makes every host as far away as it is."""

    def __init__(self) -> None:
        self.phase, self.slow = 0, False

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connection, "0.0.0.0", 0, backlog=500)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")
                fields = {name.lower(): value.strip() for line in lines[1:] for name, _, value in [line.partition(":")]}
                writer.write(await self._answer(lines[0].split(" ")[1], fields))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer(self, path: str, fields: dict[str, str]) -> bytes:
        name, _, value = path.strip("/").rpartition("/")
        if name:
            setattr(self, name, int(value))
            return b"HTTP/1.1 204 No Content\r\n\r\n"
        number = int(value.removesuffix(".xml"))
        if self.slow:
            await asyncio.sleep(latency_s(number))
        body = feed(number, self.phase)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"' if number % 2 else ""
        if etag and fields.get("if-none-match") == etag:
            return f"HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\n\r\n".encode()
        tag = f"ETag: {etag}\r\n" if etag else ""
        return f"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n{tag}Content-Length: {len(body)}\r\n\r\n".encode() + body


def latency_s(number: int) -> float:
    """50 to 300 ms, the same for a source every time."""
    return 0.05 + 0.25 * random.Random(number).random()


@contextmanager
def _serving() -> Iterator[int]:
    """The port of a server that runs while the block lasts."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.polling", "serve"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def _tell(port: int, what: str, value: int) -> None:
    urllib.request.urlopen(f"http://127.0.0.1:{port}/{what}/{value}").close()


def _urls(port: int, count: int) -> list[str]:
    return [f"http://127.0.0.{number % 250 + 1}:{port}/{number}.xml" for number in range(count)]


# -- the programs: each prepares a folder, and returns the commands of the three polls ------------------


Commands = list[list[str]]


def tracker(folder: Path, urls: Sequence[str]) -> Commands:
    """This project, with its own command."""
    tables = [f'[feeds.f{number}]\nurl = "{url}"\n' for number, url in enumerate(urls)]
    (folder / "feeds.toml").write_text('[tracker]\ncontact = "bench@example.org"\n' + "".join(tables))
    return [[str(Path(sys.executable).with_name("tracker")), "--now", moment, "poll"] for moment in MOMENTS]


def newsboat(folder: Path, urls: Sequence[str]) -> Commands:
    """The reader for terminals, in C++ and Rust."""
    (folder / "urls").write_text("\n".join(urls) + "\n")
    (folder / "config").write_text("")
    return [["newsboat", "-u", "urls", "-c", "cache.db", "-C", "config", "-x", "reload"]] * 3


def reader(folder: Path, urls: Sequence[str]) -> Commands:
    """The Python library, through its own function to update feeds."""
    python = str(_environment() / "bin" / "python")
    opened = "from reader import make_reader; reader = make_reader('reader.sqlite'); "
    subprocess.run([python, "-c", f"{opened}[reader.add_feed(url) for url in {list(urls)!r}]"], cwd=folder, check=True)
    return [[python, "-c", f"{opened}reader.update_feeds(scheduled=False)"]] * 3


@cache
def _environment() -> Path:
    """A virtual environment with ``reader``, kept between runs of this benchmark; never part of our own."""
    folder = Path(tempfile.gettempdir()) / f"tracker-benchmark-reader-{os.getuid()}"
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import reader, sgmllib"], capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *READER], check=True, capture_output=True)
    return folder


def _available() -> dict[str, Callable[[Path, Sequence[str]], Commands]]:
    programs = {"tracker": tracker}
    try:
        _environment()
        programs["reader"] = reader
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"reader is left out: it cannot be installed here ({error}). No ratios.")
    if shutil.which("newsboat"):
        programs["newsboat"] = newsboat
    else:
        print("newsboat is left out: it is not installed here (Debian: apt install newsboat).")
    return programs


# -- measuring ----------------------------------------------------------------------------------------


def spent_s(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """(CPU seconds of a process and its children, wall-clock seconds); its HOME is the folder."""
    began = time.monotonic()
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, env={**os.environ, "HOME": str(folder)})
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, (command, (folder / "output").read_text()[-2_000:])
    return used.ru_utime + used.ru_stime, time.monotonic() - began


def beside_others(port: int, repetitions: int, count: int) -> None:
    """Print CPU seconds of the three polls of every program, and the ratios."""
    programs = _available()
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(repetitions):
        for name, prepare in programs.items():
            with tempfile.TemporaryDirectory() as home:
                for phase, command in enumerate(prepare(Path(home), _urls(port, count))):
                    _tell(port, "phase", phase)
                    times.setdefault((name, PHASES[phase]), []).append(spent_s(command, Path(home))[0])
    print(
        f"{count} sources × {ENTRIES} entries, {sum(len(feed(n, 0)) for n in range(count)) / 1e6:.1f} MB; CPU s, medians of {repetitions}"
    )
    medians = {key: statistics.median(values) for key, values in times.items()}
    for phase in PHASES:
        figures = "   ".join(f"{name} {medians[name, phase]:6.2f}" for name in programs)
        floor, aim = GOALS[phase]
        ratio = (
            f"{medians['tracker', phase] / medians['reader', phase]:.2f} of reader (goal {floor}, aim {aim})"
            if "reader" in programs
            else ""
        )
        print(f"{phase:10} {figures}   {ratio}")


def far_away(port: int, repetitions: int, count: int) -> None:
    """Print the wall clock of the three polls against the ideal."""
    ideal = sum(map(latency_s, range(count))) / WORKERS
    walls: dict[str, list[float]] = {}
    _tell(port, "slow", 1)
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as home:
            for phase, command in enumerate(tracker(Path(home), _urls(port, count))):
                _tell(port, "phase", phase)
                walls.setdefault(PHASES[phase], []).append(spent_s(command, Path(home))[1])
    _tell(port, "slow", 0)
    print(f"latency 50 to 300 ms, {WORKERS} threads: ideal {ideal:.2f} s (goal ≤ 1.6 × where nothing is new)")
    for phase, values in walls.items():
        print(f"{phase:10} {statistics.median(values):6.2f} s   {statistics.median(values) / ideal:.2f} ×")


def main(repetitions: int = 3, count: int = 200) -> None:
    """Print both tables."""
    with _serving() as port:
        beside_others(port, repetitions, count)
        far_away(port, repetitions, count)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        asyncio.run(_Web().serve())
    else:
        main(*map(int, sys.argv[1:3]))
