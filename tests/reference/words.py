"""filters/words/unicode_words.py as plain Python: characters in a list, each rule in the words of its documentation."""

import re
import unicodedata

import unicodedata2

from gristmill.filters.words import words as fast
from gristmill.filters.words.affixes import ABBREVIATIONS
from gristmill.pipelines.kernels.utf8 import (
    DIGIT,
    HAN,
    HANGUL,
    HIRAGANA,
    KATAKANA,
    LETTER,
    LOWER,
    MARK,
    NUMBER,
    OTHER,
    PUNCTUATION,
    SPACE,
    SYMBOL,
    UNSPACED,
    UPPER,
)
from tools.make_unicode_tables import character_class

assert unicodedata2.unidata_version == "16.0.0" != unicodedata.unidata_version
LETTERS = (LOWER, UPPER, LETTER, HANGUL)
ALL_LETTERS = (*LETTERS, HAN, HIRAGANA, KATAKANA, UNSPACED)
LEADS, TRAILS = set("เแโใไເແໂໃໄ\u17d2\u1039"), set("ะาำๅະາຳ")


def kind(character: str) -> int:
    return character_class(ord(character))


def is_letter(character: str) -> bool:
    return kind(character) in LETTERS


def words(text: bytes) -> list[tuple[int, int, int, int]]:
    """(start, end, length, flags) of each word; bytes that are no UTF-8 read as U+FFFD."""
    characters = text.decode("utf-8", "surrogateescape")
    places, place = [0], 0
    for character in characters:
        place += len(character.encode("utf-8", "surrogateescape"))
        places.append(place)
    characters = re.sub("[\ud800-\udfff]", "\ufffd", characters)
    found, at, breaks = [], 0, 2
    while at < len(characters):
        if kind(characters[at]) == SPACE:
            breaks += line_breaks(characters[at : at + 2])
            at += 1
            continue
        begin = at
        while at < len(characters) and kind(characters[at]) != SPACE:
            at += 1
        for word in chunk(characters[begin:at]):
            first = (breaks > 0) * fast.BEGINS_LINE + (breaks > 1) * fast.BEGINS_PARAGRAPH
            end = begin + len(word)
            found.append((places[begin], places[end], len(word), flags(word) | first))
            begin, breaks = end, 0
    return found


def line_breaks(two: str) -> int:
    if two == "\r\n":
        return 0
    return {"\u2029": 2}.get(two[0], int(two[0] in "\n\v\f\r\x1c\x1d\x1e\x85\u2028"))


def flags(word: str) -> int:
    kinds = {SPACE if c.isascii() and kind(c) == SYMBOL else kind(c) for c in word}  # SPACE: ASCII mark
    has_letter = bool(kinds & set(ALL_LETTERS))
    return (
        has_letter * fast.HAS_LETTER
        + bool(kinds & {DIGIT, NUMBER}) * fast.HAS_NUMBER
        + (UPPER in kinds and LOWER not in kinds) * fast.CAPITALS
        + (kinds <= {PUNCTUATION, OTHER, SPACE}) * fast.PUNCTUATION_ONLY
        + (word.startswith(("...", "…")) and kinds <= {PUNCTUATION, OTHER}) * fast.ELLIPSIS
    )


def chunk(text: str) -> list[str]:
    """Rules 2 to 5: front, core, back."""
    front = 0
    while front < len(text) and opens(text, front):
        front += len(re.match(r"\.+|.", text[front:], re.S)[0])
        front += invisible(text[front:])
    back = seen = len(text)
    while seen > front:
        seen -= invisible(text[front:seen][::-1])
        if seen == front or not closes(text, front, seen):
            break
        seen -= len(re.search(r"\.+\Z|.\Z", text[front:seen], re.S)[0])
        back = seen
    core = text[front:back]
    if is_address(core):
        middle = [core]
    else:
        tail = re.search(r"(?<=.)(n['’]t|['’](s|m|d|ll|re|ve))\Z", core, re.S | re.I | re.A)
        cut = tail.start() if tail else len(core)
        middle = cut_core(core[:cut]) + cut_core(core[cut:])
    return runs(text[:front]) + middle + runs(text[back:])


def invisible(text: str) -> int:
    """How many characters at its front go with the one before."""
    return next((at for at, c in enumerate(text) if kind(c) not in (MARK, OTHER)), len(text))


def opens(text: str, at: int) -> bool:
    character, following = text[at], text[at + 1 : at + 2]
    if character == ".":
        return following == "."
    if character == "+":
        return not re.match("[0-9]", following)
    return character in ",:;!?()[]{}<>_#*&'\"`%=$" or stands_alone(character)


def closes(text: str, front: int, back: int) -> bool:
    character, before = text[back - 1], text[front : back - 1]
    if character == ".":
        return before.endswith(".") or not (re.search(r"(\A|\.)[A-Za-z]\Z", before) or before in ABBREVIATIONS)
    if character in "%$+":
        return bool(re.search(r"[0-9]\Z", before))
    return character in ",:;!?()[]{}<>_#*&'\"`=" or stands_alone(character)


def stands_alone(character: str) -> bool:
    """A mark beyond ASCII that is a word wherever it stands; ’ is one at the ends of a chunk."""
    return not character.isascii() and kind(character) in (PUNCTUATION, SYMBOL) and character not in "‐‑·"


def is_address(core: str) -> bool:
    if not core.isascii():
        return False
    if re.match(r"www\..", core, re.S) or re.match(r"[^/]*:(?<!/)//.", core, re.S):
        return True
    if "/" in core:
        host = core[: core.index("/")]
        return bool(re.search(r".\.[A-Za-z]([^.]*[A-Za-z])\Z", host, re.S))
    return bool(re.search(r".@[^@]*\.[^@.]*\Z", core, re.S))


def runs(marks: str) -> list[str]:
    found: list[str] = []
    for character in marks:
        if found and (kind(character) in (MARK, OTHER) or character == found[-1][0]):
            found[-1] += character
        else:
            found.append(character)
    return found


def cut_core(core: str) -> list[str]:
    """Rules 6 and 7."""
    found: list[str] = []
    made, before = "", OTHER
    for at, character in enumerate(core):
        was, made = made, what(core, at, made, before)
        last = core[at - 1 : at]
        joins = {
            "invisible": bool(found),
            "alone": False,
            "katakana": was == "katakana",
            "unspaced": was == "unspaced" and (last in LEADS or character in TRAILS),
            "mark": was == "mark" and last == character,
            "plain": was == "plain",
        }[made]
        if joins:
            found[-1] += character
        else:
            found.append(character)
        if made == "invisible":
            made = was or "plain"
        else:
            before = kind(character)
    return found


def what(core: str, at: int, was: str, before: int) -> str:
    character = core[at]
    if kind(character) in (MARK, OTHER):
        return "invisible"
    if kind(character) in (HAN, HIRAGANA):
        return "alone"
    if kind(character) == KATAKANA:
        return "katakana"
    if kind(character) == UNSPACED:
        return "unspaced"
    if kind(character) in (PUNCTUATION, SYMBOL):
        if character.isascii():
            repeats = was == "mark" and core[at - 1] == character
            return "mark" if repeats or is_cut(core, at, before) else "plain"
        return "plain" if character in "’‐‑·" else "mark"
    return "plain"


def is_cut(core: str, at: int, before: int) -> bool:
    """Is the ASCII mark at ``at`` a word of its own? ``before`` is the class of the last visible character."""
    mark = core[at]
    after = core[at:].lstrip("-")[:1] if mark == "-" else core[at + 1 : at + 2]
    if not after:
        return False
    if mark == ".":
        return after == "." or (before == LOWER and kind(after) == UPPER)
    if mark in "-~," and before in LETTERS and is_letter(after):
        return True
    if mark in ":<>=/" and before in (*LETTERS, DIGIT) and is_letter(after):
        return True
    if mark in "+-*^" and before == DIGIT:
        return kind(core[at + 1]) == DIGIT or (mark != "-" and core[at + 1] == "-")
    return False
