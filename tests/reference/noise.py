"""Plain twins of filters/text/letters.py, markup.py, sentence_ends.py, noise_sequences.py, over str."""

import re
import unicodedata
from collections import Counter
from itertools import pairwise

from reference.marks import last_sentence_end

from gristmill.filters.rules.noise_sequences import FUNCTION_WORDS
from gristmill.filters.text.markup import ELEMENTS
from gristmill.filters.words.words import BEGINS_LINE, HAS_LETTER
from gristmill.pipelines.kernels.utf8 import HAN, LOWER, MARK, SPACE, UPPER, character_class

VOWELS = "aeiouyæœøıəǝɛɔ"


def kind(c: str) -> int:
    return character_class(ord(c))


def is_consonant(c: str) -> bool:
    return c <= "\u024f" and c.isalpha() and unicodedata.normalize("NFD", c)[0].lower() not in VOWELS


def clumped(text: str) -> int:
    """Latin letters in runs of five and more consonants, an ASCII letter like the one before it not counted;
    combining marks part only like ones."""
    runs, run = 0, 0
    alike = [c == before and c < "\x80" for before, c in pairwise(" " + text)]
    for c in [*(c for c, same in zip(text, alike, strict=True) if not same and (c < "\x80" or kind(c) != MARK)), " "]:
        if is_consonant(c):
            run += 1
        else:
            runs, run = runs + (run if run >= 5 else 0), 0
    return runs


def as_byte(c: str) -> int:
    """The byte that Windows-1252, or Latin-1 where that has none, reads as a character; 0 for none."""
    for codec in ("cp1252", "latin-1"):
        try:
            return c.encode(codec)[0]
        except UnicodeEncodeError:
            continue
    return 0


def garbled(text: str) -> tuple[int, int]:
    """Garbled characters, and those of them beyond ASCII."""
    count = beyond = 0
    for at, c in enumerate(text):
        code = ord(c)
        count += code < 9 or 13 < code < 27 or code == 127
        beyond += c == "\ufffd" or (0x80 <= code < 0xA0 and code != 0x85)
        if 0xC2 <= code <= 0xF4:
            follow = text[at + 1 : at + 2 + (code >= 0xE0) + (code >= 0xF0)]
            whole = len(follow) == 1 + (code >= 0xE0) + (code >= 0xF0)
            if whole and all(0x80 <= as_byte(f) < 0xC0 for f in follow):
                beyond += 1 + len(follow)
    return count + beyond, beyond


def letters(text: str) -> tuple[int, ...]:
    """Characters, letters, capitals, characters beyond ASCII, garbled ones, garbled ones beyond ASCII; of the first
    1,000 bytes letters and clumped ones."""
    kinds = [kind(c) for c in text]
    capitals = sum(k == UPPER and c < "\u0590" for k, c in zip(kinds, text, strict=True))
    black = sum(not c.isspace() if c < "\x80" else k != SPACE for k, c in zip(kinds, text, strict=True))
    sample = first_bytes(text, 1000)
    beyond = sum(c > "\x7f" for c in text)
    return black, lettered(text), capitals, beyond, *garbled(text), lettered(sample), clumped(sample)


def lettered(text: str) -> int:
    return sum(LOWER <= kind(c) <= MARK or kind(c) >= HAN for c in text)


def first_bytes(text: str, limit: int) -> str:
    """The characters that begin in the first bytes of a text."""
    at, size = 0, 0
    while at < len(text) and size < limit:
        at, size = at + 1, size + len(text[at].encode())
    return text[:at]


NAME, BLANK = r"(?P<name>[A-Za-z][\w:.@-]*)", "[\x00-\x20]"
BARE = re.compile(f"{NAME}{BLANK}*/?", re.ASCII)
WITH_ATTRIBUTES = re.compile(f"{NAME}(?:{BLANK}+[\\w:.@-]+)+=(?P<value>.).*", re.ASCII | re.DOTALL)
OTHER = re.compile(f"!(?:[A-Za-z]|-|\\[).*|/{NAME}{BLANK}*", re.ASCII | re.DOTALL)


def is_element(name: str) -> bool:
    return name.lower() in ELEMENTS.split() and (name == name.lower() or name == name.upper())


def is_tag(content: str, before: str) -> bool:
    """Is what stands between < and > a tag?"""
    if OTHER.fullmatch(content):
        return True
    if bare := BARE.fullmatch(content):
        name = bare["name"]
        glued = re.fullmatch(r"\w", before, re.ASCII) and (len(name) > 3 or name[0].isupper())
        return is_element(name) and not glued
    found = WITH_ATTRIBUTES.fullmatch(content)
    return bool(found) and (found["value"] in "\"'" or is_element(found["name"]))


def tag_bytes(text: str) -> int:
    found = re.finditer("<([^<>]+)>", text)
    tags = [m[0].encode() for m in found if is_tag(m[1], text[max(m.start() - 1, 0) : m.start()])]
    return sum(len(tag) for tag in tags if len(tag) <= 2000)


def finished(line: str) -> int:
    """Bytes of a line up to the end of its last sentence."""
    return len(line[: last_sentence_end(line)].encode())


def is_address(run: bytes) -> bool:
    return len(run) >= 8 and run.startswith((b"http", b"www."))


def sequences(words: list[tuple[bytes, int, int, bool]]) -> tuple[int, ...]:
    """Words (bytes, characters, flags, behind a space) -> the nine counts, in order."""
    runs = []
    for word in words:
        if word[3]:
            runs.append([])
        runs[-1].append(word)
    addresses = unbroken = 0
    for run in runs:
        whole = b"".join(word for word, *_ in run)
        if is_address(whole):
            addresses += len(whole)
        elif len(whole) > 40 and whole.isascii():
            unbroken += len(whole)
    starts = lower = articles = lost = 0
    nothing = (b"", 0, 0, True)
    for before, mark, word in zip([nothing, nothing, *words], [nothing, *words], words, strict=False):
        letters, _, flags, spaced = word
        if flags & HAS_LETTER:
            ended = mark[0][-1:] == b"." and not mark[2] & HAS_LETTER
            behind_word = not mark[3] and before[2] & HAS_LETTER
            if spaced and ended and behind_word and not flags & BEGINS_LINE:
                first = letters.decode("utf-8", "replace")[0]
                cased = first < "\u0530" and kind(first) in (UPPER, LOWER)
                starts, lower = starts + cased, lower + (cased and kind(first) == LOWER)
            articles += letters in (b"the", b"The")
            lost += mark[0] in (b"the", b"The") and letters.decode("utf-8", "replace") in FUNCTION_WORDS
    lettered = [word for word, _, flags, _ in words if flags & HAS_LETTER][:250]
    top = sum(n for _, n in Counter(lettered).most_common(10))
    return (
        *(sum(len(word) for word, *_ in words), addresses, unbroken),
        *((len(lettered), top) if len(lettered) >= 100 else (0, 0)),
        *((starts, lower) if starts >= 12 else (0, 0)),
        *((articles, lost) if articles >= 10 else (0, 0)),
    )
