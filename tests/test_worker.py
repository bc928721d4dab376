"""The parse worker: whatever a document does to its parser, the next document is read."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.test_arxiv import PAPERS
from tests.test_arxiv import SOURCE as API
from tests.test_feed import DATA, SOURCE, item, rss, tried
from tracker.errors import ParseError
from tracker.pollers import Parsed, arxiv, feed, worker
from tracker.pollers.worker import ParseWorker
from tracker.types import Response, Source

GOOD = rss(item(1), item(2, description="See arXiv:2606.01234."))

# A parser that does what the document says, put before the real one on the child's path (which is ours): the child is a true process,
# and hanging, swelling and dying happen there as they would in feedparser, only at once.
FAKE = """
    import os, sys, time

    class Entries(dict):
        entries, version, bozo = [{"title": "read", "link": "https://lab.example/read"}], "rss20", False

    def swell():
        held = []
        while True:
            held.append(bytearray(2**24))

    def recurse():
        recurse()

    def parse(body, **_):
        word = body.read().decode().partition("<word>")[2].partition("</word>")[0]
        if word == "hang":
            time.sleep(600)
        elif word == "spin":
            while True:
                pass
        elif word == "swell":
            swell()
        elif word == "swell and swallow":
            try:
                swell()
            except MemoryError:
                os.abort()
        elif word == "die":
            os._exit(0)
        elif word == "crash":
            os.abort()
        elif word == "killed":
            os.kill(os.getpid(), 9)
        elif word == "recurse":
            recurse()
        elif word == "fail":
            raise RuntimeError("a bug of the parser")
        elif word == "exit":
            sys.exit("leaving")
        elif word == "print":
            print("a line that is no answer", flush=True)
        elif word == "nonsense":
            os.write(1, b'{"entries": [{"no": "entry"}], "total": null, "problem": null, "changed": []}\\n')
            os._exit(0)
        elif word == "shout":
            os.write(1, b"[1, 2]\\n")
        return Entries()
"""


def said(word: bytes) -> bytes:
    """A feed that tells the parser what to do."""
    return b"<rss><channel><word>%b</word></channel></rss>" % word


@pytest.fixture
def fake_parser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "feedparser.py").write_text(textwrap.dedent(FAKE), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.fixture
def parse() -> Iterator[Callable[..., Parsed]]:
    """Parse a body in a worker that gives up after 60 s unless told otherwise."""
    workers: list[ParseWorker] = []

    def parse(body: bytes, source: Source = SOURCE, *, deadline_s: float = 60.0, headers: dict[str, str] | None = None) -> Parsed:
        if not workers:
            workers.append(ParseWorker(deadline_s))
        workers[0]._deadline_s = deadline_s
        return workers[0].parse(source, Response(source.url, 200, headers or {}, body))

    yield parse
    for started in workers:
        started.close()


def refused(parse: Callable[..., Parsed], body: bytes, **facts: Any) -> ParseError:
    with pytest.raises(ParseError) as failure:
        parse(body, **facts)
    return failure.value


@pytest.mark.parametrize("document", sorted(DATA.glob("*.xml")), ids=lambda path: path.stem)
def test_the_worker_reads_what_read_reads(document: Path, shared_worker: ParseWorker) -> None:
    body = document.read_bytes()
    assert shared_worker.parse(SOURCE, Response(SOURCE.url, 200, {}, body)) == feed.read(body, SOURCE, SOURCE.url, None)


def test_the_worker_reads_papers_with_totals_and_instants(shared_worker: ParseWorker) -> None:
    parsed = shared_worker.parse(API, Response(API.url, 200, {}, PAPERS))
    assert parsed == arxiv.read(PAPERS, API, API.url, None)
    assert (parsed.total, len(parsed.changed)) == (3, 3)


@pytest.fixture(scope="module")
def shared_worker() -> Iterator[ParseWorker]:
    with ParseWorker() as started:
        yield started


def test_the_charset_of_the_header_travels(parse: Callable[..., Parsed]) -> None:
    body = rss(item(title="é")).decode().encode("latin-1")
    parsed = parse(body, headers={"content-type": 'text/xml; Charset="ISO-8859-1"; x=y'})
    assert parsed.entries[0].title == "é"


@pytest.mark.parametrize(
    ("declared", "charset"),
    [
        ("text/xml; charset=UTF-8", "utf-8"),
        ("text/xml;charset='koi8-r' ; q=1", "koi8-r"),
        ("text/xml; charset=x\r\nSet-Cookie: a", None),
        ("text/xml; charset=", None),
        ("text/xml", None),
        ("", None),
    ],
    ids=["plain", "quoted", "with a header inside", "empty", "none", "no type"],
)
def test_only_a_plain_word_is_a_charset(declared: str, charset: str | None) -> None:
    assert worker._charset(Response(SOURCE.url, 200, {"content-type": declared}, b"")) == charset


@pytest.mark.parametrize(
    ("source", "body", "name", "sentence"),
    [
        pytest.param(SOURCE, b"<html></html>", "not_a_feed", "an HTML page", id="a page for a feed"),
        pytest.param(SOURCE, b"", "not_a_feed", "with nothing", id="nothing for a feed"),
        pytest.param(API, b"Rate exceeded.", "rate_limited", "rate is exceeded", id="two words for papers"),
        pytest.param(API, b"<html></html>", "not_a_feed", "list of papers", id="a page for papers"),
    ],
)
def test_the_name_and_the_sentence_of_an_error_travel(
    shared_worker: ParseWorker, source: Source, body: bytes, name: str, sentence: str
) -> None:
    with pytest.raises(ParseError, match=sentence) as failure:
        shared_worker.parse(source, Response(source.url, 200, {}, body))
    assert failure.value.name == name


def test_one_child_reads_one_body_after_another(parse: Callable[..., Parsed], monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = worker._start
    monkeypatch.setattr(worker, "_start", lambda: started.append(1) or start())
    for _ in range(3):
        parse(GOOD)
        refused(parse, b"<html></html>")
    assert len(started) == 1


def test_many_threads_may_ask(shared_worker: ParseWorker) -> None:
    def ask(number: int) -> str:
        return shared_worker.parse(SOURCE, Response(SOURCE.url, 200, {}, rss(item(number)))).entries[0].title

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == [f"Post {number}" for number in range(40)]


def test_this_process_imports_no_parser() -> None:
    """Parsing here and in the child are told apart by what a fresh interpreter has loaded after asking for both kinds."""
    code = f"""
        import sys
        from tracker.pollers.worker import ParseWorker
        from tracker.types import Response, Source
        with ParseWorker() as started:
            for kind, body in (("feed", {GOOD!r}), ("arxiv", {PAPERS!r})):
                source = Source("s", kind, "https://lab.example/", "S")
                assert started.parse(source, Response(source.url, 200, {{}}, body)).entries
        loaded = set(sys.modules) & {{"feedparser", "arxiv", "lxml", "nh3", "requests"}}
        assert not loaded, loaded
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_no_child_is_started_before_there_is_a_body() -> None:
    with ParseWorker() as idle:
        assert idle._child is None


def test_a_closed_worker_has_no_child_and_starts_another(parse: Callable[..., Parsed]) -> None:
    with ParseWorker() as one:
        one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD))
        child = one._child
        assert child is not None
        one.close()
        assert child.poll() is not None
        assert len(one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD)).entries) == 2


def test_a_child_that_was_killed_between_two_bodies_is_replaced() -> None:
    with ParseWorker() as one:
        one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD))
        assert one._child is not None
        one._child.kill()
        one._child.wait()
        assert len(one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD)).entries) == 2


# -- a parser that misbehaves ------------------------------------------------------------------------------


@pytest.mark.usefixtures("fake_parser")
@pytest.mark.parametrize(
    ("word", "name", "sentence"),
    [
        pytest.param(b"swell", "bomb", "more memory", id="it swells"),
        pytest.param(b"swell and swallow", "malformed", "crashed (signal 6)", id="it swells and crashes"),
        pytest.param(b"killed", "bomb", "more memory than there is", id="the system kills it"),
        pytest.param(b"die", "malformed", "ended early (exit status 0)", id="it ends the process"),
        pytest.param(b"crash", "malformed", "crashed (signal 6)", id="it crashes"),
        pytest.param(b"exit", "malformed", "ended early (exit status 1)", id="it exits"),
        pytest.param(b"recurse", "too_deep", "nested too deeply", id="it recurses"),
        pytest.param(b"fail", "malformed", "a bug of the parser", id="it raises"),
        pytest.param(b"nonsense", "malformed", "nonsense", id="it answers in our stead, and wrongly"),
        pytest.param(b"shout", "malformed", "did not answer as it should", id="it writes into the pipe"),
    ],
)
def test_after_a_parser_that_misbehaves_the_next_body_is_read(parse: Callable[..., Parsed], word: bytes, name: str, sentence: str) -> None:
    for _ in range(2):
        error = refused(parse, said(word))
        assert error.name == name
        assert sentence in str(error)
        assert parse(said(b"read")).entries[0].title == "read"


@pytest.mark.usefixtures("fake_parser")
@pytest.mark.parametrize("word", [b"hang", b"spin"], ids=["it sleeps", "it computes"])
def test_a_parser_that_hangs_is_killed_at_the_deadline_and_the_next_body_is_read(parse: Callable[..., Parsed], word: bytes) -> None:
    assert parse(said(b"read")).entries  # a child is there: the deadline below is not spent on starting one
    error = refused(parse, said(word), deadline_s=0.5)
    assert error.name == "bomb"
    assert "did not end within 0.5 s" in str(error)
    assert parse(said(b"read")).entries[0].title == "read"


@pytest.mark.usefixtures("fake_parser")
def test_one_hanging_body_does_not_take_the_others_of_other_threads(parse: Callable[..., Parsed]) -> None:
    parse(said(b"read"))
    titles: list[str] = []
    hanging = threading.Thread(target=lambda: titles.append(refused(parse, said(b"hang"), deadline_s=1.0).name))
    hanging.start()
    threads = [threading.Thread(target=lambda: titles.append(parse(said(b"read")).entries[0].title)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in [hanging, *threads]:
        thread.join(120)
    assert sorted(titles) == ["bomb", *["read"] * 5]


@pytest.mark.usefixtures("fake_parser")
def test_a_parser_that_prints_does_not_break_the_protocol(parse: Callable[..., Parsed]) -> None:
    assert parse(said(b"print")).entries[0].title == "read"
    assert parse(said(b"read")).entries[0].title == "read"


# -- the protocol: one line of JSON and the bytes in, one line of JSON out ----------------------------------


def test_the_child_answers_with_a_line_of_json() -> None:
    head = {"source": {"id": "s", "kind": "feed", "url": SOURCE.url, "title": "S"}, "url": SOURCE.url, "charset": None}
    child = worker._start()
    try:
        lines = []
        for body in (GOOD, b"<html></html>"):
            assert child.stdin
            assert child.stdout
            child.stdin.write(json.dumps(head | {"size": len(body)}).encode() + b"\n" + body)
            child.stdin.flush()
            lines.append(json.loads(child.stdout.readline()))
        assert [entry["title"] for entry in lines[0]["entries"]] == ["Post 1", "Post 2"]
        assert lines[0]["entries"][1]["links"] == ["arxiv:2606.01234"]
        assert lines[1]["error"] == "not_a_feed"
    finally:
        child.kill()
        child.communicate()


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="only Linux shows the limits of a process")
def test_the_child_has_a_memory_limit() -> None:
    with ParseWorker() as one:
        one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD))
        assert one._child is not None
        limits = Path(f"/proc/{one._child.pid}/limits").read_text(encoding="utf-8")
        (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
        assert worker.MEMORY_BYTES < int(line.split()[3]) < worker.MEMORY_BYTES + 2**30


# -- documents made to harm the real parsers ------------------------------------------------------------------


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
SOURCES = [pytest.param(SOURCE, id="by feedparser"), pytest.param(API, id="by the arxiv package")]


def _document(source: Source, doctype: str, text: str, after: str = "") -> bytes:
    """A valid document of a kind with a DOCTYPE and this text as title and abstract of its one entry."""
    if source is SOURCE:
        channel = item(title=text, description=text) + after
        return f'<?xml version="1.0"?>{doctype}<rss version="2.0"><channel>{channel}</channel></rss>'.encode()
    entry = (
        f"<entry><id>http://arxiv.org/abs/2606.01234v1</id><updated>2026-06-12T00:00:00Z</updated><published>2026-06-12T00:00:00Z</published>"
        f"<title>{text}</title><summary>{text}</summary></entry>{after}"
    )
    return (
        f'<?xml version="1.0"?>{doctype}<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">'
        f"<o:totalResults>1</o:totalResults>{entry}</feed>"
    ).encode()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("doctype", "text"),
    [
        pytest.param(f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]>', "&l9;", id="F43 a billion laughs"),
        pytest.param(f'<!DOCTYPE r [<!ENTITY a "{"h" * 15_000}">]>', "&a;" * 50_000, id="F43 quadratic"),
        pytest.param('<!DOCTYPE r [<!ENTITY a "&b;"><!ENTITY b "&a;">]>', "&a;", id="F43 in a circle"),
    ],
)
def test_entities_that_grow_give_little_text_or_a_named_error(shared_worker: ParseWorker, source: Source, doctype: str, text: str) -> None:
    came = tried(shared_worker.parse, source, Response(source.url, 200, {}, _document(source, doctype, text)))
    if isinstance(came, ParseError):
        assert came.name in ("bomb", "malformed", "too_deep", "incomplete_results")
    else:
        assert sum(len(entry.title) + len(entry.text) for entry in came.entries) < 25_000


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("doctype", "text"),
    [
        pytest.param('<!DOCTYPE r [<!ENTITY x SYSTEM "{file}">]>', "before &x; after", id="F44 a file"),
        pytest.param('<!DOCTYPE r [<!ENTITY x SYSTEM "{web}">]>', "before &x; after", id="F44 an address"),
        pytest.param('<!DOCTYPE r SYSTEM "{web}">', "before &x; after", id="F44 a DTD"),
        pytest.param('<!DOCTYPE r [<!ENTITY % p SYSTEM "{web}">%p;]>', "before &x; after", id="F44 a parameter entity"),
        pytest.param('<!DOCTYPE r [<!ENTITY % p SYSTEM "{file}">%p;]>', "before &x; after", id="F44 a parameter entity of a file"),
        pytest.param(
            "",
            '<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{file}" parse="text"/>',
            id="F44 XInclude",
        ),
    ],
)
def test_no_entity_brings_a_file_or_an_address(
    shared_worker: ParseWorker, web: Any, tmp_path: Path, source: Source, doctype: str, text: str
) -> None:
    canary = "canary-of-a-file"
    (tmp_path / "secret.txt").write_text(canary, encoding="utf-8")
    web.serves("/canary", canary.encode())
    places = {"{file}": (tmp_path / "secret.txt").as_uri(), "{web}": web.url("/canary")}
    for mark, place in places.items():
        doctype, text = doctype.replace(mark, place), text.replace(mark, place)
    came = tried(shared_worker.parse, source, Response(source.url, 200, {}, _document(source, doctype, text)))
    assert canary not in repr(came)
    assert web.requests == []


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("levels", [20_000, 100_000])
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "left open"])
def test_F49_deep_nesting_is_entries_or_a_named_error(shared_worker: ParseWorker, source: Source, levels: int, closed: bool) -> None:
    deep = "<x>" * levels + "deep" + ("</x>" * levels if closed else "")
    for body in (_document(source, "", "shallow", deep), _document(source, "", deep)):
        came = tried(shared_worker.parse, source, Response(source.url, 200, {}, body))
        if isinstance(came, ParseError):
            assert came.name in ("too_deep", "malformed", "bomb", "incomplete_results")
        else:
            assert len(came.entries) <= 1
    assert len(shared_worker.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD)).entries) == 2


def test_F48_a_document_that_takes_feedparser_minutes_is_read(parse: Callable[..., Parsed]) -> None:
    """feedparser looks for mail addresses in authors by an expression that is quadratic; as it came, this one would be given up."""
    parsed = parse(rss(item(1, author="a." * 100_000 + "@"), item(2)))
    assert [entry.title for entry in parsed.entries] == ["Post 1", "Post 2"]
    assert len(parsed.entries[0].authors[0]) <= 200


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("&lt;div&gt;" * 20_000 + "words", id="blocks"),
        pytest.param("".join(f"&lt;font size={n}&gt;&lt;p&gt;" for n in range(15_000)) + "words", id="fonts and paragraphs"),
        pytest.param("&lt;table&gt;&lt;tr&gt;&lt;td&gt;" * 10_000 + "words", id="tables"),
    ],
)
def test_F49_deep_html_in_a_feed_costs_no_other_entry(shared_worker: ParseWorker, markup: str) -> None:
    parsed = shared_worker.parse(SOURCE, Response(SOURCE.url, 200, {}, rss(item(1), item(2, description=markup), item(3))))
    assert [entry.title for entry in parsed.entries] == ["Post 1", "Post 2", "Post 3"]
    assert parsed.entries[1].text.endswith("words")


# -- the machine it runs on -----------------------------------------------------------------------------------

_LIMITED = """
    import ctypes, resource
    ctypes.CDLL(None).prctl(24, 24)  # PR_CAPBSET_DROP, CAP_SYS_RESOURCE: root may raise a hard limit, and would not meet the mistake
    resource.setrlimit(resource.RLIMIT_AS, ({limit}, {limit}))
    from tracker.errors import ParseError
    from tracker.pollers.worker import ParseWorker
    from tracker.types import Response, Source
    source = Source("s", "feed", "https://lab.example/", "S")
    with ParseWorker() as started:
        try:
            print(len(started.parse(source, Response(source.url, 200, {{}}, {body!r})).entries))
        except ParseError as error:
            print(error.name, error.detail)
"""


def _limited(limit: int) -> str:
    code = textwrap.dedent(_LIMITED.format(limit=limit, body=GOOD))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the address space is not limited")
def test_under_a_memory_limit_of_the_machine_documents_are_read_all_the_same() -> None:
    """``ulimit -v``, as cron and shared hosts set it: a hard limit that must not, and need not, be raised."""
    assert _limited(2 * 2**30) == "2\n"
    assert _limited(300 * 2**20) == "2\n"  # less than the worker would allow itself


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the address space is not limited")
def test_a_worker_that_cannot_start_is_no_bomb(monkeypatch: pytest.MonkeyPatch, parse: Callable[..., Parsed]) -> None:
    monkeypatch.setattr(worker, "_start", lambda: subprocess.Popen([sys.executable, "-c", "1 / 0"], stdin=-1, stdout=-1, stderr=-3))
    error = refused(parse, GOOD)
    assert (error.name, "could not start" in str(error)) == ("malformed", True)


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or sys.platform == "win32", reason="Ctrl-C is not a signal there")
def test_f76_the_child_leaves_ctrl_c_to_its_parent(capfd: pytest.CaptureFixture[str]) -> None:
    with ParseWorker() as one:
        one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD))
        child = one._child
        assert child is not None
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert len(one.parse(SOURCE, Response(SOURCE.url, 200, {}, GOOD)).entries) == 2
        assert one._child is child
    assert capfd.readouterr().err == ""
