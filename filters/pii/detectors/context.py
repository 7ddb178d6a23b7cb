"""Context words that support or veto a detection (Presidio's term), from one TOML file per language.

A file in ``languages/`` lists the phone ``regions`` of a language, its ``months``, and lowercase terms by topic:

- ``support`` and ``veto``: terms of up to three words before a number; the nearest known one decides;
- ``labels``: single words that support only right before a number, as in "Ring 555 1234";
- ``after``: single words after a number that support, as in "555 1234 office" and "555-1234-Office";
- ``units``: single words after a number that veto, as in "33554432 bytes".

The terms of the document's language and of English apply; of all languages if the document's is unknown.
"""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unicodedata import category, normalize

from gristmill.filters.pii.detectors.window import Window

FOLDER = Path(__file__).parent / "languages"
ENGLISH = "en"
BYTES_BEFORE, BYTES_AFTER = 64, 20  # examined around a window
MAX_WORDS = 7  # examined before a window
VOTES = ((1, "support"), (-1, "veto"))
# Marks such as vowel signs, which \w leaves out, of the alphabets from Latin (NFD) to Khmer and Balinese.
MARKS = "".join(chr(code) for code in range(0x300, 0x1D00) if category(chr(code))[0] == "M")
WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{MARKS}])*")
CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")  # phoneNumber is two words
NEXT_WORD = re.compile(r"(-| ?\(?)([^\W\d_]++)(?!-)(\s*(?:[\n.,;)]|$))?")
EXTENSION = re.compile(  # of a phone number
    r"(?i)[ ,;]{0,2}(\()?(?:x|ext\.?|extn\.?|extension|#|poste|interno|durchwahl|dw|доб\.?|内線|分机|轉|내선)"
    r"[:=]? ?#?\d{1,6}(?!\w)(?(1)\))".encode()
)
# The text up to the last break. A line break is one, except after ":"; so is a number with a stop.
BREAK = re.compile(rb"(?s).*(?:[^:\s][^\S\n]*\n|\n\s*\n|\d[.;)] )")


@cache
def languages() -> dict[str, dict]:
    """Return all files, by the language they are named for."""
    return {path.stem: tomllib.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.toml"))}


@cache
def regions(language: str) -> tuple[str, ...]:
    """Return the countries whose phone numbers are written without country code in the language."""
    return tuple(languages().get(language, {}).get("regions", ()))


class Terms(NamedTuple):
    """The terms of a topic in some languages."""

    votes: dict[str, int]  # term -> 1 for support, -1 for veto
    unspaced: tuple[tuple[str, int], ...]  # the votes of terms in scripts without spaces
    last_words: frozenset[str]  # of all terms
    labels: frozenset[str]
    after: frozenset[str]
    units: frozenset[str]


@cache
def terms_of(topic: str, language: str) -> Terms:
    """Return the terms of a topic in a language and in English; in all languages if it has no file."""
    files = languages()
    chosen = (language, ENGLISH) if language in files else (*files,)
    topics = [files[name].get(topic, {}) for name in chosen]
    votes = {term: vote for lists in topics for vote, key in VOTES for term in lists.get(key, ())}
    unspaced = tuple((term, vote) for term, vote in votes.items() if is_unspaced(term))
    labels, after, units = (
        frozenset(term for lists in topics for term in lists.get(key, ())) for key in ("labels", "after", "units")
    )
    last_words = labels.union(term.rpartition(" ")[2] for term in votes)
    return Terms(votes, unspaced, last_words, labels, after, units)


def has_context(topic: str, window: Window) -> bool:
    """True if the words around the window support the topic."""
    return context_vote(topic, window) > 0


def is_labeled(topic: str, window: Window) -> bool:
    """True if the word right before the window supports the topic."""
    terms, words = terms_of(topic, window.language), window.words_before or []
    return bool(words) and (words[-1] in terms.labels or _vote(terms, words, len(words) - 1) > 0)


def has_suffix(topic: str, window: Window) -> bool:
    """True if the word after a window of known context supports the topic, joined or at the end of its clause."""
    return window.ends_clause and window.word_after in terms_of(topic, window.language).after


def context_vote(topic: str, window: Window, max_words: int = MAX_WORDS) -> int:
    """Return 1 if a context word supports the topic, -1 if one vetoes it, 0 if none is known.

    ``max_words`` limits the number of words examined before the window; with 1 it must be right before the window.
    """
    if window.words_before is None:
        window.words_before, (window.word_after, window.ends_clause) = _words_before(window), _word_after(window)
        window.unspaced = any(map(is_unspaced, window.words_before))
    terms, words = terms_of(topic, window.language), window.words_before
    if window.word_after in terms.units:
        return -1
    suffix = int(window.ends_clause and window.word_after in terms.after)
    if terms.last_words.isdisjoint(words) and not (terms.unspaced and window.unspaced):
        return suffix
    if words and words[-1] in terms.labels:
        return 1
    for i in range(len(words) - 1, max(-1, len(words) - 1 - max_words), -1):
        if vote := _vote(terms, words, i):
            return vote
    return suffix


def _words_before(window: Window) -> list[str]:
    """Return the words before the window, in lower case."""
    before = window.before(window.start, BYTES_BEFORE)
    last = BREAK.match(before)
    return split_words(before[last.end() if last else 0 :].decode("utf-8", "ignore"))[-MAX_WORDS:]


def _word_after(window: Window) -> tuple[str, bool]:
    """Return the word right after the window, in lower case, "" for none; and True if it ends its line or clause.

    A word joined by "-" counts as one that ends its clause: 555-1234-Office.
    """
    after = window.after(window.end, BYTES_AFTER)
    extension = EXTENSION.match(after)
    word = NEXT_WORD.match(after[extension.end() if extension else 0 :].decode("utf-8", "ignore"))
    return (word[2].lower(), word[3] is not None or word[1] == "-") if word else ("", False)


def split_words(text: str) -> list[str]:
    """Return the words of a text, in lower case and composed form (NFC)."""
    text = text if text.isascii() else normalize("NFC", text)
    return [word.lower() for word in WORD.findall(CAMEL_CASE.sub(" ", text))]


def is_unspaced(word: str) -> bool:
    """True if a word is of a script without spaces, where a term may lie inside a run of letters."""
    return word >= "\u2e80" or "\u0e00" <= word < "\u0f00"


def _vote(terms: Terms, words: list[str], i: int) -> int:
    """Return the vote of the longest term that ends with word i; 0 for none."""
    for size in (3, 2, 1):
        if size <= i + 1 and (vote := terms.votes.get(" ".join(words[i + 1 - size : i + 1]), 0)):
            return vote
    if is_unspaced(words[i]):
        return next((vote for term, vote in terms.unspaced if term in words[i]), 0)
    return 0
