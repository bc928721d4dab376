"""Signals of an item: what kind of evidence it is, what it does, whether anybody has confirmed it, whether it denies something.

in   key, URL, title and text of an item, the origin its source declares, and a function that knows the pages of labs
out  its origin (``paper``, ``official``, ``press``, ``community``), act (``acts``), unconfirmed mark and denial, the latter with their cues
knows no model: the same input always gives the same answer.
The link decides before the source: a lab's own post stays official when it was first seen on Hacker News.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tracker.taggers.acts import act, words_of
from tracker.types import ORIGINS

__all__ = ["act", "denial", "origin", "unconfirmed", "words_of"]


def origin(key: str, url: str | None, source_origin: str, lab_of_url: Callable[[str], object | None]) -> str:
    """Return one of ``ORIGINS``: the first of these rules that fits.

    1. The key is an arXiv id or a DOI: paper. Copies on alphaXiv or Hugging Face share that key.
    2. The link leads to a page of a lab (``LabTagger.lab_of_url``): official.
    3. Otherwise what the source declares.

    >>> origin("arxiv:2606.01234", "https://arxiv.org/abs/2606.01234", "press", lambda url: None)
    'paper'

    Raises:
        ValueError: the source declares something else than ``ORIGINS``.
    """
    if source_origin not in ORIGINS:
        raise ValueError(f"{source_origin!r} is not an origin; expected one of {', '.join(ORIGINS)}")
    if key.startswith(("arxiv:", "doi:")):
        return "paper"
    return "official" if url and lab_of_url(url) else source_origin


def _cues(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{'|'.join(words)})(?![\w-])", re.IGNORECASE)


# Words with which the press says that nobody has confirmed it.
_SAID = _cues(
    "reportedly", "rumou?r(?:s|ed)?", "allegedly", "sources? (?:says?|said|tells?|told|familiar|close)",
    r"(?:people|person) with \w+ knowledge", "(?:people|person) with knowledge",
    "(?:people|person) familiar",
    "insiders? (?:says?|said)", "(?:is|are|was|were) said to", r"in (?:\w+ )?talks", r"(?:held|holds|holding) (?:\w+ )?talks",
    "(?:is|are) (?:in discussions|discussing|negotiating)", "reports? (?:says?|said|claims?|suggests?)",
    r"according to (?:a |an |the |several |two |three )?(?:\w+ )?(?:people|person|sources?|reports?|insiders?|memo|leak)",
    r"leak(?:ed \w+|s)? (?:confirms?|suggests?|hints?|shows?|reveals?|points)", r"leaks(?=$|[,;:|]| [^\w\s])",
)  # fmt: skip
# What the press says that somebody is about to do. A thing that came out ("to acquire", "will") has been said by its owner.
_PLANS = _cues(
    r"(?<!its )(?<!new )(?<!the )(?<!of )plans(?= [\w$‘“'\"])", "plan to", "aims to", "intends to",
    "prep(?:s|ares|aring|ping)", "consider(?:s|ing)", "weigh(?:s|ing)", "mull(?:s|ing)", "eye(?:s|ing)", "near(?:s|ing)",
    "explor(?:es|ing)", "seek(?:s|ing)", "looks? to", "looking to", "wants to", "hopes to", "(?:set|expected|poised|slated) to",
    "gear(?:s|ing) up", "discuss(?:es|ing)", "close to", "working on", "developing", "readies", "readying", "courting",
    "pursu(?:es|ing)", "reach(?:es)? (?:an )?(?:agreement|deal)", "bid for",
    "is (?:building|planning)",
    "to (?:release|launch|unveil|debut|introduce|offer|start|begin|roll out|ship|build|spend|raise|open)",
    r"(?<!that )(?:may|might|could)(?= (?:be|soon|launch|release|buy|acquire|raise|unveil|build|use|offer|drop|cut|delay|file|go|"
    r"make|seek|pay|"
    r"sell|spend|announce)\b)",
)  # fmt: skip
_EXCLUSIVE = re.compile(r"^\W{0,9}exclusive\b", re.IGNORECASE)
_WORKS_ON = _cues("is (?:working on|planning|preparing|developing|considering|exploring)", "plans to", "is expected to")
# Who says so is the one who knows: then the thing is confirmed, leak or no leak.
_OWNED = _cues("acknowledg(?:es|ed)")
_CONFIRMED = _cues("announc(?:es|ed)", "unveil(?:s|ed)", "confirms", "ceo says", "says", "said (?:it|its|he|she|they|we)")
_FIRST_SENTENCE = re.compile(r"[^.!?\n]{0,300}")
MAX_TITLE = 500  # characters; bounds what a pattern can cost


def unconfirmed(origin: str, title: str, text: str, names_lab: Callable[[str], bool] | None = None) -> tuple[str, str] | None:
    """Return ``yes`` or ``possibly`` and the cue, for press and community; None when nothing says so.

    ``yes``: a strict cue ("reportedly", "in talks", "sources say") in the title or the first sentence. ``possibly``: the press says what
    somebody plans, or has it alone ("Exclusive:").

    >>> unconfirmed("press", "A lab in talks to buy another", "")
    ('yes', 'in talks')
    >>> unconfirmed("press", "A lab weighs a sale", "")
    ('possibly', 'weighs')
    >>> unconfirmed("press", "A lab says it plans a new model", "")

    Args:
        names_lab: whether a sentence names a lab; asked only of one with a cue. A title that names none says nothing, nor does a first
            sentence when neither names one. Without it every sentence counts.
    """
    if origin not in ("press", "community") or _OWNED.search(title[:MAX_TITLE]):
        return None
    opening = _FIRST_SENTENCE.match(text)
    title, opened = title[:MAX_TITLE], opening[0] if opening else ""
    found = _doubt(origin, title, opened)
    if found is None or names_lab is None or names_lab(title):
        return found
    found = _doubt(origin, "", opened)
    return found if found and names_lab(opened) else None


def _doubt(origin: str, title: str, opening: str) -> tuple[str, str] | None:
    if found := _SAID.search(title) or _SAID.search(opening):
        return "yes", found[0]
    if origin != "press" or _CONFIRMED.search(title):
        return None
    found = _PLANS.search(title) or _EXCLUSIVE.search(title) or _WORKS_ON.search(opening)
    return ("possibly", found[0]) if found else None


# -- what is denied, corrected or taken back --------------------------------------------------------

# What people deny: words about news. Courts and servers deny other things, those that somebody has asked for.
_NEWS = (
    r"(?:[\w'’-]+ ){0,3}(?:reports?|reporting|rumou?rs?|claims?|allegations?|speculation|suggestions?|accusations?|accounts?|"
    r"stor(?:y|ies)|talks?)(?!\w)"
)
_ASKED = (
    r"(?:[\w'’-]+ ){0,3}(?:access|entry|service|requests?|visas?|bail|motions?|appeals?|permits?|permission|coverage|licen[cs]es?|"
    r"petitions?|bids?|injunctions?|loans?|applica(?:nts?|tions?))(?!\w)"
)
_ON = r"(?:(?:of|that|on|about) [^.:;\n]{1,60} )?"
_NOT_SO = r"['‘“\"]?(?:false|untrue|not true|inaccurate|incorrect|baseless|unfounded|misleading|fake news|a hoax)"
_DENIES = _cues(
    # "Nobody denies it", "neither confirms nor denies" deny nothing; what is denied without more ("access denied") was asked for.
    r"(?<!not )(?<!nor )(?<!or )(?<![’']t )(?<!nobody )(?<!who )(?<!cannot )(?<!reportedly )"
    r"(?<!declined to )(?<!declines to )(?<!refused to )(?<!refuses to )(?<!refuse to )(?:"
    rf"(?:denies|denying)(?! {_ASKED})(?: {_NEWS})?|den(?:y|ied) {_NEWS}|denied(?= (?:it|that|he|she|they|any|\w+ing)\b))",
    r"issue[sd] (?:an? )?(?:\w+ )?(?:denial|retraction|correction)", "no truth (?:to|in)",
    rf"(?:reports?|rumou?rs?|claims?|allegations?|stor(?:y|ies)) {_ON}(?:is|are|was|were|as) (?:\w+ )?{_NOT_SO}",
    rf"(?:calls?|called|calling|brands?|branded) {_NEWS} {_ON}(?:as )?{_NOT_SO}",
    r"(?:says?|said) (?:it|he|she|they) (?:did|is|are|was|were) ?(?:not|n[’']t)",
    "no (?:current |immediate )?plans? to", "(?:has|have|had|with) no plans? for",
    r"(?:not|isn[’']t|aren[’']t|wasn[’']t) (?:\w+ )?(?:planning to|in talks|in discussions)",
    "debunk(?:s|ed)", rf"disput(?:es|ed|ing) {_NEWS}", rf"(?:refut(?:es|ed)|rebut(?:s|ted))(?: {_NEWS})?",
    rf"(?:dismiss|reject|contradict)(?:e?s|ed|ing) {_NEWS}", rf"sh(?:oots?|ot|ooting) down {_NEWS}",
    rf"push(?:es|ed|ing) back (?:on|against) {_NEWS}", "rul(?:es|ed) out(?= (?:an?|any) )",
    rf"walk(?:s|ed|ing) back (?:on )?(?:{_NEWS}|(?:its|his|her|their|an?) (?:words?|remarks?|comments?|statements?|claims?|promises?))",
    r"(?:reports?|rumou?rs?|claims?) (?:is |are )?(?:false|untrue|not (?:true|correct))", "backtrack(?:s|ed)",
    "back-?pedal(?:s|l?ed|l?ing)", "corrects (?:the )?record",
    "retract(?:s|ed)(?! (?:papers?|articles?|stud(?:y|ies)|research|publications?))",
)  # fmt: skip
# A note of the editors stands first, with a colon or in brackets: "Correction: …"; "error correction" does not.
_NOTE = re.compile(r"^\W{0,9}(?:correction|corrected|retraction|retracted)(?=\s{0,3}[:\])—–|])", re.IGNORECASE)


def denial(origin: str, title: str, text: str) -> str | None:
    """Return the words with which an item denies, corrects or takes back something, in its title or first sentence; None without any.

    Never of a paper: those correct errors, debunk claims and study retractions for a living.

    >>> denial("press", "A lab denies reports of a sale", ""), denial("official", "Correction: our figures of May", "")
    ('denies reports', 'Correction')
    >>> denial("press", "A lab denies access to its model", ""), denial("press", "Error correction in quantum chips", "")
    (None, None)
    """
    if origin == "paper":
        return None
    opening = _FIRST_SENTENCE.match(text)
    for sentence in (title[:MAX_TITLE], opening[0] if opening else ""):
        if found := _NOTE.search(sentence) or _DENIES.search(sentence):
            return found[0].strip(" \t\n[(*")
    return None
