"""feedparser with its seams used says what feedparser says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

DATA = Path(__file__).parent / "data" / "feed"

# Each in a process of its own: the seams are used once for all.
PARSED = """
import io, json, sys
from tracker.pollers import cleaning, quick
import feedparser
used = quick.feedparser() if sys.argv[1] == "quick" else feedparser
headers = {"content-location": "https://lab.example/feed", "content-type": "application/xml; charset=utf-8"}
for path in sys.argv[2:]:
    body = cleaning.clean(open(path, "rb").read(), None).body
    feed = used.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    entries = [{name: value for name, value in dict(entry).items() if name != "id"} for entry in feed.entries]
    print(json.dumps([path, feed.bozo, feed.version, entries, feed.feed], default=str, sort_keys=True))
print(json.dumps(feedparser.api.PREFERRED_XML_PARSERS))
"""


def parsed(how: str) -> list[object]:
    """What became of each golden document, and then which SAX readers are preferred."""
    paths = map(str, sorted(DATA.glob("*.xml")))
    out = subprocess.run([sys.executable, "-W", "ignore", "-c", PARSED, how, *paths], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def test_what_is_read_is_the_same_to_the_letter() -> None:
    plain, quick = parsed("plain"), parsed("quick")
    assert quick[-1] == ["tracker.pollers.quick"]
    assert plain[-1] != quick[-1]
    assert len(plain) > 15
    assert quick[:-1] == plain[:-1]
