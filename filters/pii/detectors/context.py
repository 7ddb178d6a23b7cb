"""Words around a number that say what it is, or what it is not. One TOML file a language, in ``languages/``.

A file lists the language's phone ``regions``, its ``months``, and by topic ``support`` and ``veto`` (before a number)
and, one word each, ``behind`` (it supports from there, as in "555 1234 office") and ``units`` (it vetoes from there, as
in "33554432 bytes"): lower case, up to three words.
The words of a document's own language and of English count, and those of all languages where its own is not known.
Of the words before a number the nearest known one decides.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gristmill.filters.pii.detectors.window import Window

FOLDER = Path(__file__).parent / "languages"
ENGLISH = "en"
BEFORE, BEHIND = 64, 20  # bytes looked at
SIGNS = ((1, "support"), (-1, "veto"))
WORDS = 7  # of them, at most
WIDE = "\u2e80"  # from here on: scripts without spaces, where a term is looked for inside a run of characters
WORD = re.compile(r"[^\W\d_]+")
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # phoneNumber is two words
BESIDE = re.compile(r" ?\(?([^\W\d_]+)(\s*(?:[\n.,;)]|$))?")
EXTENSION = re.compile(rb" ?(?:x|ext\.?) ?\d+")
# A new line is another matter, but not where ":" ends the one before; so is what follows a number and a stop.
BREAK = re.compile(rb"(?s).*(?:[^:\s][^\S\n]*\n|\n\s*\n|\d[.;)] )")  # the text as far as the last one


@cache
def languages() -> dict[str, dict]:
    """Every file by the language it is named for."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def regions(language: str) -> tuple[str, ...]:
    """Countries whose phone numbers a text in the language may write without a country code."""
    return tuple(languages().get(language, {}).get("regions", ()))


class Terms(NamedTuple):
    """What is known of a topic in some languages."""

    signs: dict[str, int]  # term -> 1 for support, -1 for veto
    wide: tuple[tuple[str, int], ...]  # those of scripts without spaces
    last: frozenset[str]  # the last words of all
    behind: frozenset[str]
    units: frozenset[str]


@cache
def _terms(topic: str, language: str) -> Terms:
    files = languages()
    files = [files[name] for name in (language, ENGLISH)] if language in files else [*files.values()]
    told = [file.get(topic, {}) for file in files]
    signs = {term: sign for words in told for sign, part in SIGNS for term in words.get(part, ())}
    wide = tuple((term, sign) for term, sign in signs.items() if term >= WIDE)
    last = frozenset(term.rpartition(" ")[2] for term in signs)
    behind, units = (frozenset(term for words in told for term in words.get(part, ())) for part in ("after", "units"))
    return Terms(signs, wide, last, behind, units)


def has_context(topic: str, place: Window) -> bool:
    """Do the words around the window speak for the topic?"""
    return context_vote(topic, place) > 0


def context_vote(topic: str, place: Window, near: int = WORDS) -> int:
    """1 where a word speaks for the topic, -1 where one speaks against it, 0 where none is known.

    ``near``: only so many words before the window are asked.
    """
    if place.words is None:
        place.words, (place.beside, place.last) = _before(place), _behind(place)
        place.wide = max(place.words, default="") >= WIDE
    terms, words = _terms(topic, place.language), place.words
    if place.beside in terms.units:
        return -1
    if place.last and place.beside in terms.behind:
        return 1
    if terms.last.isdisjoint(words) and not (terms.wide and place.wide):
        return 0
    for i in range(len(words) - 1, max(-1, len(words) - 1 - near), -1):
        sign = _sign(terms, words, i)
        if sign:
            return sign
    return 0


def _before(place: Window) -> list[str]:
    """The words before the window, in lower case."""
    before = place.before(place.start, BEFORE)
    last = BREAK.match(before)
    return split(before[last.end() if last else 0 :].decode("utf-8", "ignore"))[-WORDS:]


def _behind(place: Window) -> tuple[str, bool]:
    """The word right behind the window, in lower case, "" for none; is it the last of its line or clause?"""
    behind = place.behind(place.end, BEHIND)
    extension = EXTENSION.match(behind)
    word = BESIDE.match(behind[extension.end() if extension else 0 :].decode("utf-8", "ignore"))
    return (word[1].lower(), word[2] is not None) if word else ("", False)


def split(text: str) -> list[str]:
    """The words of a text in lower case."""
    return [word.lower() for word in WORD.findall(HUMP.sub(" ", text))]


def _sign(terms: Terms, words: list[str], i: int) -> int:
    """What a term that ends with word i says, the longest first."""
    for size in (3, 2, 1):
        if size <= i + 1 and (sign := terms.signs.get(" ".join(words[i + 1 - size : i + 1]), 0)):
            return sign
    if words[i] >= WIDE:
        return next((sign for term, sign in terms.wide if term in words[i]), 0)
    return 0
