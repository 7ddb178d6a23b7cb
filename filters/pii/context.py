"""Words around a number that say what it is, or what it is not. One TOML file a language, in ``languages/``.

A file lists the language's phone ``regions`` and by topic ``support`` and ``veto``: lower case, up to three words each.
The words of a document's own language and of English count, and those of all languages where its own is not known.
Of the words before a number the nearest known one decides; of those behind it only the first is asked.
"""

import re
import tomllib
from functools import cache
from pathlib import Path

from filters.pii.place import Place

FOLDER = Path(__file__).parent / "languages"
ENGLISH = "en"
BEFORE, BEHIND = 64, 20  # bytes looked at
WORDS = 7  # of them, at most
WIDE = 0x2E80  # from here on: scripts without spaces, where a term is looked for inside a run of characters
WORD = re.compile(r"[^\W\d_]+")
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # phoneNumber is two words
BREAK = re.compile(rb"[^:\s][^\S\n]*\n|\n\s*\n")  # a new line is another matter, but not where ":" ends the one before


@cache
def languages() -> dict[str, dict]:
    """Every file by the language it is named for."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def regions(language: str) -> tuple[str, ...]:
    """Countries whose phone numbers a text in the language may write without a country code."""
    return tuple(languages().get(language, {}).get("regions", ()))


@cache
def _terms(topic: str, language: str) -> tuple[dict[str, int], tuple[tuple[str, int], ...]]:
    """Terms of a topic -> 1 for support, -1 for veto; those of scripts without spaces apart."""
    terms = {}
    for file in [languages()[name] for name in (language, ENGLISH)] if language in languages() else languages().values():
        for sign, part in ((1, "support"), (-1, "veto")):
            terms.update(dict.fromkeys(file.get(topic, {}).get(part, ()), sign))
    wide = tuple((term, sign) for term, sign in terms.items() if ord(term[0]) >= WIDE)
    return terms, wide


def supported(topic: str, place: Place, start: int, end: int) -> bool:
    """Do the words around ``start:end`` speak for the topic?"""
    return opinion(topic, place, start, end) > 0


def opinion(topic: str, place: Place, start: int, end: int) -> int:
    """1 where a word speaks for the topic, -1 where one speaks against it, 0 where none is known."""
    before = place.before(start, BEFORE)
    for line in BREAK.finditer(before):
        before = b" " * line.end() + before[line.end() :]
    known = _terms(topic, place.language)
    words = split(before.decode("utf-8", "ignore"))[-WORDS:]
    for i in range(len(words) - 1, -1, -1):
        sign = _sign(known, words, i)
        if sign:
            return sign
    behind = place.behind(end, BEHIND).partition(b"\n")[0].decode("utf-8", "ignore")
    words = split(behind)[:1]
    return max(0, _sign(known, words, 0)) if words else 0


def split(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.lower() for word in WORD.findall(HUMP.sub(" ", text))]


def _sign(known: tuple, words: list[str], i: int) -> int:
    """What a term that ends with word i says, the longest first."""
    terms, wide = known
    for size in (3, 2, 1):
        if size <= i + 1 and (sign := terms.get(" ".join(words[i + 1 - size : i + 1]), 0)):
            return sign
    if ord(words[i][0]) >= WIDE:
        return next((sign for term, sign in wide if term in words[i]), 0)
    return 0
