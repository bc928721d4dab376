"""Configuration: every mistake is named with file, line, table, key and the way out; what ships is without one."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker import config
from tracker.errors import ConfigError

GOOD = '[feeds.a]\nurl = "https://example.org/feed"\n'


def load(folder: Path, text: str) -> config.Config:
    path = folder / "feeds.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def mistake(folder: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value


MISTAKES = {
    # name: (text, line, pieces of the sentence)
    "an unknown key of a feed": (GOOD + 'ulr = "x"\n', 3, ("[feeds.a]", '"ulr"', 'did you mean "url"?')),
    "an unknown key far from any": (GOOD + "zzz = 1\n", 3, ("[feeds.a]", '"zzz"', "known: ", "every")),
    "an unknown key of [tracker]": ('[tracker]\ncontakt = "x"\n', 2, ("[tracker]", '"contakt"', 'did you mean "contact"?')),
    "an unknown key of a topic": ("[topics.t]\ninclud = []\n", 2, ("[topics.t]", '"includ"', 'did you mean "include"?')),
    "an unknown key of a lab": ("[labs.x]\nhost = []\n", 2, ("[labs.x]", '"host"', 'did you mean "hosts"?')),
    "a key that only another kind has": (GOOD + 'query = "cat:cs.AI"\n', 3, ("[feeds.a]", '"query"')),
    "an unknown table": (GOOD + "[feed.b]\nx = 1\n", 3, ('"feed"', 'did you mean "feeds"?')),
    "an unknown key outside any table": ('trakcer = "x"\n' + GOOD, 1, ('"trakcer"', 'did you mean "tracker"?')),
    "an unknown table whose name is a key elsewhere": (GOOD + "[url]\n", 3, ('"url"', "known: digests, feeds")),
    "a value where a table belongs": ("tracker = 5\n", 1, ("tracker must be a table",)),
    "a feed that is no table": ("[feeds]\na = 5\n", 2, ("[feeds]", '"a" must be a table')),
    "a list of tables": ('[[feeds.a]]\nurl = "https://example.org"\n', 1, ('"a" must be a table',)),
    "a topic that is switched off and watched": (
        GOOD + '[topics.agent-memory]\nenabled = false\n[watches.w]\nquestion = "?"\nby = ["any"]\ntopics = ["agent-memory"]\n',
        8,
        ("[watches.w]", '"agent-memory" is switched off', "enabled = false"),
    ),
    "a bad id": ('[feeds."My Feed"]\nurl = "https://example.org/"\n', 1, ("a-z, 0-9 and hyphens",)),
    "an unknown kind": (GOOD + 'kind = "fed"\n', 3, ("[feeds.a]", '"fed"', 'did you mean "feed"?')),
    "a kind that is no text": (GOOD + "kind = []\n", 3, ("[feeds.a]", "unknown kind")),
    "a feed without url": ('\n[feeds.a]\ntitle = "A"\n', 2, ("[feeds.a]", "has no url")),
    "a url without scheme": ('[feeds.a]\nurl = "example.org/feed"\n', 2, ("url must be an absolute http or https URL", "example.org/feed")),
    "a url of another scheme": ('[feeds.a]\nurl = "ftp://example.org/"\n', 2, ("url must be an absolute http or https URL",)),
    "a url without host": ('[feeds.a]\nurl = "https:///feed"\n', 2, ("url must be",)),
    "a url with a space": ('[feeds.a]\nurl = "https://exa mple.org/"\n', 2, ("url must be",)),
    "a url with a broken host": ('[feeds.a]\nurl = "http://[::1/feed"\n', 2, ("url must be",)),
    "a url with a bad port": ('[feeds.a]\nurl = "http://example.org:99999/"\n', 2, ("url must be",)),
    "a url that is no text": ("[feeds.a]\nurl = 5\n", 2, ("url must be a text in quotes, not 5",)),
    "true where a text belongs": (GOOD + "title = true\n", 3, ("title must be a text in quotes",)),
    "a text where true or false belongs": (GOOD + 'enabled = "no"\n', 3, ("enabled must be true or false",)),
    "a text where a list belongs": ('[topics.t]\ninclude = "agent*"\n', 2, ("include must be a list",)),
    "numbers where texts belong": ("[labs.x]\nnames = [1]\n", 2, ("names must be a list of texts",)),
    "true where a number belongs": ("[topics.t]\nthreshold = true\n", 2, ("threshold must be a number",)),
    "an unknown lab": (GOOD + 'lab = "antropic"\n', 3, ('lab "antropic" is not in the registry', 'did you mean "anthropic"?')),
    "an unknown role": (GOOD + 'role = "copy"\n', 3, ("role must be one of primary, mirror",)),
    "an unknown origin": (GOOD + 'origin = "news"\n', 3, ("origin must be one of paper, official, press, community",)),
    "a bad span": (GOOD + 'every = "6 hours"\n', 3, ("every must be a time like", '"6 hours"')),
    "a span of nothing": (GOOD + 'every = "0h"\n', 3, ("every must be a time like",)),
    "a bad span for all": ('[tracker]\nevery = "often"\n', 2, ("[tracker]", "every must be a time like")),
    "a bad first window": ('[feeds.a]\nkind = "arxiv"\nquery = "cat:cs.AI"\nfirst = "3"\n', 4, ("first must be a time like",)),
    "an arXiv source without query": ('[feeds.a]\nkind = "arxiv"\n', 1, ("needs a query",)),
    "an arXiv source with a url": (GOOD + 'kind = "arxiv"\nquery = "cat:cs.AI"\n', 2, ("asked by its query; remove url",)),
    "an arXiv query that is not closed": ('[feeds.a]\nkind = "arxiv"\nquery = "(cat:cs.AI"\n', 3, ("unbalanced",)),
    "an arXiv query closed before it opens": ('[feeds.a]\nkind = "arxiv"\nquery = "cat:cs.AI) OR (x"\n', 3, ("unbalanced",)),
    "an arXiv query with one quote": ('[feeds.a]\nkind = "arxiv"\nquery = \'abs:"x\'\n', 3, ("unbalanced",)),
    "a page without links": (GOOD + 'kind = "page"\n', 1, ("[feeds.a]", "a page needs links", 'links = "/research/"')),
    "a page that only says what is no article": (GOOD + 'kind = "page"\nlinks = "!/a/"\n', 4, ("a page needs links",)),
    "a page whose links are no path": (GOOD + 'kind = "page"\nlinks = "/a/ research"\n', 4, ('links: "research"', "beginning of a path")),
    "a page whose links are a list": (GOOD + 'kind = "page"\nlinks = ["/a/"]\n', 4, ("links must be a text in quotes",)),
    "links of a feed": (GOOD + 'links = "/a/"\n', 3, ('unknown key "links"',)),
    "the same url twice": (GOOD + '[feeds.b]\nurl = "https://example.org/feed"\n', 4, ("[feeds.b]", "same url as [feeds.a]")),
    "a table twice": (GOOD + GOOD, 3, ("not valid TOML",)),
    "a TOML syntax error": (GOOD + "title = A\n", 3, ("not valid TOML",)),
    "a text that never ends": (GOOD + 'title = "A', 3, ("not valid TOML",)),
    "a threshold above one": ("[topics.t]\nthreshold = 1.5\n", 2, ("[topics.t]", "threshold must lie between 0 and 1")),
    "a threshold of zero": ("[topics.t]\nthreshold = 0\n", 2, ("threshold must lie between 0 and 1",)),
    "a threshold that is no number": ("[topics.t]\nthreshold = nan\n", 2, ("threshold must lie between 0 and 1",)),
    "a rule pattern that is not closed": ('[topics.t]\ninclude = ["learn (a|b"]\n', 2, ("include: ", "learn (a|b")),
    "a bad exclude pattern": ('[topics.t]\nexclude = ["* agent"]\n', 2, ("exclude: ", "* agent")),
    "a weak name without name": ('[labs.x]\nweak = [{ needs = ["y"] }]\n', 2, ("weak: ", "with a name")),
    "a weak name that is blank": ('[labs.x]\nweak = [{ name = " " }]\n', 2, ("weak: ", "with a name")),
    "a weak name with an unknown key": ('[labs.x]\nweak = [{ name = "X", need = [] }]\n', 2, ('"need"', 'did you mean "needs"?')),
    "a weak name whose needs are one text": ('[labs.x]\nweak = [{ name = "X", needs = "Y" }]\n', 2, ("needs", '"X"', "a list of texts")),
    "a weak name with a bad regular expression": (
        '[labs.x]\nname = "X"\nweak = [{ name = "X", needs = [\'\\d(\']}]\n',
        3,
        ('needs of "X"', "is not a regular expression"),
    ),
    "a weak name with a flag inside": ("[labs.x]\nweak = [{ name = \"X\", needs = ['\\d(?i)']}]\n", 2, ("is not a regular expression",)),
    "a weak name with an unknown group of words": ('[labs.x]\nweak = [{ name = "X", needs = ["(act)"]}]\n', 2, ('did you mean "(acts)"?',)),
    "a name of another lab": ('[labs.x]\nnames = ["OpenAI"]\n', 2, ("[labs.x]", '"OpenAI"', "already a name of [labs.openai]", "as weak")),
    "a product of another lab, in other case": ('[labs.x]\nproducts = ["CHATGPT"]\n', 2, ("products", "[labs.openai]")),
    "an alias of another lab": ('[labs.x]\n\naliases = ["Kimi Team"]\n', 3, ("aliases", "[labs.moonshot]")),
    "a person of another lab": ('[labs.x]\npeople = ["Sam Altman"]\n', 2, ("people", "[labs.openai]")),
    "a host of another lab": ('[labs.x]\nhosts = ["x.ai"]\n', 2, ("already a host of [labs.xai]", "replaces the shipped one")),
    "an organisation of another lab": ('[labs.x]\ngithub = ["OpenAI"]\n', 2, ("already a GitHub organisation of [labs.openai]",)),
    "an organisation of another lab, on Hugging Face": (
        '[labs.x]\nhf = ["qwen"]\n',
        2,
        ("Hugging Face organisation of [labs.alibaba-qwen]",),
    ),
    "a name that two labs of yours claim": ('[labs.x]\nnames = ["Zorbex"]\n[labs.y]\nnames = ["Zorbex"]\n', 4, ("[labs.y]", "[labs.x]")),
    "a shipped lab that takes another's name": ('[labs.sakana]\nnames = ["Tencent"]\n', 2, ("[labs.sakana]", "[labs.tencent]")),
    "a name that is a word": ('[labs.x]\nnames = ["Orange"]\n', 2, ('"Orange" is a word of the language', 'weak = [{ name = "Orange"')),
    "a product that is a word": ('[labs.x]\nproducts = ["horizon"]\n', 2, ('"horizon" is a word',)),
    "a person by a given name": ('[labs.x]\npeople = ["Claude"]\n', 2, ("people", '"Claude" is a word')),
    "a parent that is no lab": ('[labs.x]\nparents = [{ lab = "gogle" }]\n', 2, ('parent "gogle"', 'did you mean "google"?')),
    "a parent with an unknown key": ('[labs.x]\nparents = [{ lab = "google", form = 2026-01-01 }]\n', 2, ('did you mean "from"?',)),
    "a parent since no day": ('[labs.x]\nparents = [{ lab = "google", from = "May" }]\n', 2, ("must be a day like 2023-04-20",)),
    "a lab that is its own parent": ('[labs.x]\nparents = [{ lab = "x" }]\n', 2, ("[labs.x]", "its own parent")),
    "labs that are each other's parents": (
        '[labs.x]\nparents = [{ lab = "y" }]\n[labs.y]\nparents = [{ lab = "x" }]\n',
        2,
        ("[labs.x]", "its own parent"),
    ),
    "a mistake in an inline table": ('[feeds]\na = { url = "https://example.org/", ulr = "" }\n', 2, ("[feeds.a]", 'did you mean "url"?')),
    "a mistake in dotted keys": ('feeds.a.url = "https://example.org/"\nfeeds.a.role = "x"\n', 1, ("[feeds.a]", "role must be one of")),
}


@pytest.mark.parametrize(("text", "line", "pieces"), MISTAKES.values(), ids=MISTAKES)
def test_f81_a_mistake_is_told_with_its_place_and_the_way_out(tmp_path: Path, text: str, line: int, pieces: tuple[str, ...]) -> None:
    error = mistake(tmp_path, text)
    assert str(error).startswith(f"{tmp_path / 'feeds.toml'}:{line}: "), str(error)
    assert (error.line, error.exit_code) == (line, 2)
    for piece in pieces:
        assert piece in str(error)


@pytest.mark.parametrize(
    "url",
    [
        "https://reader:hunter2@example.org/feed",
        "https://hunter2@example.org/feed",
        "reader:hunter2@example.org/feed",
        "http://reader:hunter2@[broken/feed",
        "ftp://reader:hunter2@example.org/",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    error = mistake(tmp_path, f'[feeds.a]\nurl = "{url}"\n')
    assert "secrets do not belong into this file" in str(error)
    assert error.line == 2
    assert "hunter2" not in str(error)


def test_an_at_sign_in_a_path_is_no_credential(tmp_path: Path) -> None:
    assert load(tmp_path, '[feeds.a]\nurl = "https://example.org/@lab/feed"\n').sources[0].url == "https://example.org/@lab/feed"


def test_f81_a_file_without_sources_is_refused_before_it_retires_all(tmp_path: Path) -> None:
    assert "has no sources: add a [feeds.<id>] table" in str(mistake(tmp_path, '[tracker]\nevery = "6h"\n'))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "feeds.toml")
    assert "tracker init" in str(caught.value)
    assert "--config" in str(caught.value)
    assert caught.value.line == 0


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe\x00", b'title = "\xe4"\n', b"a = " + b"9" * 5000, b"a = " + b"[" * 5000],
    ids=["UTF-16", "Latin-1", "a number of 5,000 digits", "5,000 brackets"],
)
def test_bytes_that_are_no_toml_are_told(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "feeds.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"feeds\.toml"):
        config.load(path)


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert [source.id for source in config.load(path).sources] == ["a"]


TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "[feeds.a]", "[feeds]", "[topics.t]", "[labs.x]", "[tracker]", "[[labs.x.weak]]", 'url = "https://example.org/"', "url = 1",
                'kind = "arxiv"', "kind = {}", 'query = "(a"', 'lab = "openai"', "weak = [1]", 'weak = [{name = ""}]', "parents = [[]]",
                'parents = [{lab = "x"}]', "include = [1]", 'include = ["("]', "threshold = 0.5", "threshold = inf", "enabled = false",
                'every = "1h"', "every = 1979-05-27", 'role = "mirror"', "a.b = 1", "a = {}", 'names = [""]', 'id.url = "http://x"',
            ]
        ),
        max_size=8,
    ).map("\n".join),
)  # fmt: skip


@given(TEXTS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_configuration_or_a_configuration_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "feeds.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        assert isinstance(config.load(path), config.Config)


# -- what the tables mean -----------------------------------------------------------------------------


def test_a_feed_needs_nothing_but_a_url(tmp_path: Path) -> None:
    (source,) = load(tmp_path, GOOD).sources
    assert (source.kind, source.title, source.every_s, source.role, source.origin) == ("feed", "a", 21_600, "primary", "press")


def test_the_interval_for_all_is_overruled_by_a_feeds_own(tmp_path: Path) -> None:
    text = '[tracker]\nevery = "2h"\ncontact = "you@example.org"\n' + GOOD + '[feeds.b]\nurl = "https://example.org/b"\nevery = "1d"\n'
    loaded = load(tmp_path, text)
    assert [source.every_s for source in loaded.sources] == [7_200, 86_400]
    assert loaded.contact == "you@example.org"


@pytest.mark.parametrize(
    ("keys", "origin"),
    [
        ("", "press"),
        ('lab = "openai"', "official"),
        ('lab = "openai"\norigin = "community"', "community"),
        ('origin = "paper"', "paper"),
    ],
    ids=["nothing said: press", "a lab's: official", "said: as said", "a feed of papers: paper"],
)
def test_the_origin_follows_from_the_source(tmp_path: Path, keys: str, origin: str) -> None:
    assert load(tmp_path, GOOD + keys).sources[0].origin == origin


def test_an_arxiv_query_becomes_a_url_and_keeps_its_window(tmp_path: Path) -> None:
    query = '(cat:cs.AI OR abs:"a (b") ANDNOT cat:cs.MA'
    (source,) = load(tmp_path, f'[feeds.a]\nkind = "arxiv"\nquery = \'{query}\'\nfirst = "2d"\n').sources
    assert source.url.startswith("https://export.arxiv.org/api/query?search_query=%28cat%3Acs.AI+OR+")
    assert (source.origin, source.options["first_s"], source.options["query"]) == ("paper", 172_800, query)


def test_a_page_keeps_its_links(tmp_path: Path) -> None:
    (source,) = load(tmp_path, GOOD + 'kind = "page"\nlinks = "/20*/ https://papers.example.org/p/ !/2019/"\nlab = "openai"\n').sources
    assert (source.kind, source.origin) == ("page", "official")
    assert source.options == {"links": "/20*/ https://papers.example.org/p/ !/2019/"}


def test_a_disabled_feed_is_not_polled_but_still_checked(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD + "enabled = false\n").sources == ()
    assert "did you mean" in str(mistake(tmp_path, GOOD + "enabled = false\nulr = 1\n"))


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1_800), (" 6h ", 21_600), ("2d", 172_800), ("1w", 604_800), ("", None), ("h", None)])
def test_spans(text: str, seconds: int | None) -> None:
    assert config.span_s(text) == seconds


def test_a_source_by_name_or_the_nearest_one(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[feeds.openai-news]\nurl = "https://example.org/"\n')
    assert loaded.source("openai-news").url == "https://example.org/"
    with pytest.raises(ConfigError, match='no source "openai-new"; did you mean "openai-news"'):
        loaded.source("openai-new")


# -- your tables over the shipped ones ------------------------------------------------------------------


def test_a_topic_of_yours_is_added(tmp_path: Path) -> None:
    topics = {topic.id: topic for topic in load(tmp_path, GOOD + '[topics.my-topic]\ninclude = ["swarm*"]\nthreshold = 0.4\n').topics}
    assert (topics["my-topic"].title, topics["my-topic"].include, topics["my-topic"].threshold) == ("My topic", ("swarm*",), 0.4)
    assert "online-learning" in topics


def test_a_key_of_yours_replaces_the_shipped_one_and_leaves_the_rest(tmp_path: Path) -> None:
    shipped = {topic.id: topic for topic in load(tmp_path, GOOD + "").topics}["online-learning"]
    mine = {topic.id: topic for topic in load(tmp_path, GOOD + '[topics.online-learning]\ninclude = ["streaming"]\n').topics}[
        "online-learning"
    ]
    assert mine.include == ("streaming",) != shipped.include
    assert (mine.title, mine.description, mine.exclude) == (shipped.title, shipped.description, shipped.exclude)


def test_a_shipped_topic_and_lab_can_be_disabled(tmp_path: Path) -> None:
    loaded = load(tmp_path, GOOD + "[topics.online-learning]\nenabled = false\n[labs.sakana]\nenabled = false\n")
    assert "online-learning" not in {topic.id for topic in loaded.topics}
    assert "sakana" not in {lab.id for lab in loaded.labs}


def test_a_disabled_lab_no_longer_declares_a_feed(tmp_path: Path) -> None:
    error = mistake(tmp_path, "[labs.sakana]\nenabled = false\n" + GOOD + 'lab = "sakana"\n')
    assert (error.line, "not in the registry" in str(error)) == (5, True)


def test_a_word_may_be_a_name_under_a_rule_and_a_coined_or_versioned_name_without_one(tmp_path: Path) -> None:
    names = '["Orange", "ORANGE-1", "OrangeLab", "Orange Labs", "Zorbex"]'
    text = f'[labs.x]\nnames = {names}\nweak = [{{ name = "Orange", not_before = ["juice"] }}]\n'
    assert {lab.id for lab in load(tmp_path, GOOD + text).labs} >= {"x"}


def test_a_name_can_be_moved_to_a_lab_of_yours(tmp_path: Path) -> None:
    text = '[labs.sakana]\nnames = ["Sakana AI"]\n[labs.fish]\nnames = ["Sakana"]\n'
    found = {lab.id: lab for lab in load(tmp_path, GOOD + text).labs}
    assert (found["sakana"].names, found["fish"].names) == (("Sakana AI",), ("Sakana",))


def test_a_lab_of_yours_is_read_whole(tmp_path: Path) -> None:
    text = """
[labs.example-lab]
name = "Example Lab"
kind = "nonprofit"
country = "CH"
parents = [{ lab = "google", from = 2026-05-01 }, { lab = "meta" }]
names = ["Example Lab"]
hosts = ["lab.example.org"]
weak = [{ name = "Example", needs = ["(acts)", "lab", '\\d'], not_before = ["text"] }]
"""
    lab = {lab.id: lab for lab in load(tmp_path, GOOD + text).labs}["example-lab"]
    assert (lab.name, lab.kind, lab.country, lab.hosts) == ("Example Lab", "nonprofit", "CH", ("lab.example.org",))
    assert lab.parents == (("google", "2026-05-01"), ("meta", None))
    assert lab.weak[0]["needs"] == ["(acts)", "lab", "\\d"]


def test_two_ways_to_one_parent_are_no_cycle(tmp_path: Path) -> None:
    text = (
        '[labs.a]\nparents = [{lab = "b"}, {lab = "c"}]\n[labs.b]\nparents = [{lab = "d"}]\n[labs.c]\nparents = [{lab = "d"}]\n[labs.d]\n'
    )
    assert {"a", "b", "c", "d"} <= {lab.id for lab in load(tmp_path, GOOD + text).labs}


# -- what ships -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> config.Config:
    path = tmp_path_factory.mktemp("shipped") / "feeds.toml"
    path.write_text(config.shipped_feeds(), encoding="utf-8")
    return config.load(path)


def test_the_shipped_feeds_load(shipped: config.Config) -> None:
    assert len(shipped.sources) >= 25
    assert len({source.url for source in shipped.sources}) == len(shipped.sources)
    assert all(source.url.startswith("https://") for source in shipped.sources)


def test_the_repositorys_feeds_are_the_shipped_ones() -> None:
    tables = tomllib.loads((Path(__file__).parent.parent / "feeds.toml").read_text(encoding="utf-8"))
    assert tables == tomllib.loads(config.shipped_feeds())


@pytest.mark.parametrize("category", ["cs.AI", "cs.CL", "cs.LG", "cs.MA", "cs.SE", "cs.CR"])
def test_the_shipped_arxiv_queries_ask_for(shipped: config.Config, category: str) -> None:
    wanted = [str(source.options["query"]).partition("ANDNOT")[0] for source in shipped.sources if source.kind == "arxiv"]
    assert any(f"cat:{category}" in query for query in wanted)


@pytest.mark.parametrize(
    "lab", ["openai", "google-deepmind", "google", "microsoft-research", "huggingface", "anthropic", "xai", "meta", "mistral"]
)
def test_the_shipped_feeds_follow(shipped: config.Config, lab: str) -> None:
    assert lab in {source.lab for source in shipped.sources}


def test_every_lab_that_a_shipped_feed_or_parent_names_exists(shipped: config.Config) -> None:
    known = {lab.id for lab in shipped.labs}
    assert {source.lab for source in shipped.sources if source.lab} <= known
    assert {parent for lab in shipped.labs for parent, _ in lab.parents} <= known


def test_the_shipped_feeds_cover_the_field(shipped: config.Config) -> None:
    assert len(shipped.sources) >= 90
    assert {source.kind for source in shipped.sources} == {"feed", "arxiv", "page", "hf_papers", "hn"}
    # The outlet of the article behind the standing questions, and the course that spread it.
    assert {"nexchron", "buildfastwithai"} <= {source.id for source in shipped.sources}


def test_copies_of_other_peoples_pages_are_marked_as_mirrors(shipped: config.Config) -> None:
    marked = {source.id: source.role for source in shipped.sources if source.url.startswith("https://raw.githubusercontent.com/")}
    assert set(marked.values()) == {"mirror"}


def test_a_page_and_its_mirror_are_two_sources_of_one_lab(shipped: config.Config) -> None:
    pages = {source.id.removesuffix("-page"): source for source in shipped.sources if source.kind == "page"}
    assert len(pages) >= 12
    # A sitemap has no titles: as a mirror it never has the say on one.
    assert {source.role for source in pages.values() if "sitemap" not in source.url} == {"primary"}
    assert {source.role for source in pages.values() if "sitemap" in source.url} == {"mirror"}
    for source in shipped.sources:
        if source.id in pages:
            assert source.lab == pages[source.id].lab


def test_every_shipped_topic_says_what_it_is(shipped: config.Config) -> None:
    assert all(topic.title and topic.description and topic.include for topic in shipped.topics)


@pytest.mark.parametrize(
    "address", ["a@x..org", "a@[x", "a@[127.0.0.1]", "a..b@x.org", "a.@x.org", "a@x.org.", "a@x.org(c)", "a b@x.org", "x.org"]
)
@pytest.mark.parametrize("key", ["to", "sender"])
def test_an_address_that_no_mail_can_carry_is_refused_with_its_line(tmp_path: Path, address: str, key: str) -> None:
    facts = {"to": '["you@example.org"]', "sender": '"me@example.org"'} | {key: f'["{address}"]' if key == "to" else f'"{address}"'}
    error = mistake(
        tmp_path, GOOD + "".join(f"{name} = {value}\n" for name, value in [("[digests.d]\nto", facts["to"]), ("sender", facts["sender"])])
    )
    assert f'"{address}" is not a mail address' in str(error)
    lines = (tmp_path / "feeds.toml").read_text().splitlines()
    assert lines[error.line - 1].startswith(key)


@pytest.mark.parametrize("address", ["you@example.org", "first.last+tag@mail.example.org", "root@localhost", "a@bücher.example"])
def test_an_address_that_a_mail_can_carry_is_taken(tmp_path: Path, address: str) -> None:
    loaded = load(tmp_path, GOOD + f'[digests.d]\nto = ["{address}"]\n')
    assert loaded.digests[0].to == (address,)
