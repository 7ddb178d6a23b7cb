"""Aho-Corasick search: many terms in one pass over the text (Aho & Corasick 1975).

1. The terms, in lower case and with single spaces, form a trie over their UTF-8 bytes.
2. Missing transitions fall back to the longest suffix that is a state. They are filled in once, breadth first, so every
   state has a next state for every byte: a dense table whose columns are the bytes that terms use.
3. A scan is one lookup per byte. States in which terms end have the highest numbers, so one comparison finds them.

The text needs no lower-case copy: both cases of an ASCII letter share a column, and the few other characters with case
are lowered during the scan. A run of white space counts as one space: a state that ends with a space loops on the next.
"""

from collections import deque
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import (
    DIGIT,
    HANGUL,
    LETTER,
    LOWER,
    MARK,
    NUMBER,
    SPACE,
    UPPER,
    character_class,
    decode,
    encode,
    lower,
)
from gristmill.pipelines.ragged import Ragged

IS_WORD_CHAR = np.isin(np.arange(16), [LOWER, UPPER, LETTER, MARK, DIGIT, NUMBER, HANGUL])
FRONT, BACK = 1, 2  # ends of a term that must be at the edge of a word
BLANK, UNDERSCORE = ord(" "), ord("_")
# Bytes that need no decoding: ASCII, and three-byte characters without case and white space.
CASE_STABLE = np.zeros(256, np.bool_)
CASE_STABLE[[*range(0xC0), *range(0xE4, 0xEA), *range(0xEB, 0xEE)]] = True


class Automaton(NamedTuple):
    """Automaton of the terms. A state is the number of its row in ``move``, times the columns."""

    column: np.ndarray  # int64[256]: of each byte; 0 for bytes that no term has
    move: np.ndarray  # int32[states * columns]: the next state
    columns: int
    accepting: int  # lowest state in which a term ends
    term: np.ndarray  # int64[states]: term that ends there, -1 for none
    shorter: np.ndarray  # int64[states]: state of a shorter term that ends there too; 0 for none
    length: np.ndarray  # int64[terms], in characters
    guard: np.ndarray  # uint8[terms], FRONT and BACK


def folded(text: str) -> str:
    """Return the form in which terms are compared: lower case, one space for each run of white space."""
    spaced = "".join(" " if character_class(ord(c)) == SPACE else chr(lower(ord(c))) for c in text)
    return " ".join(part for part in spaced.split(" ") if part)


def boundary_flags(term: str) -> int:
    """Return the ends of a term that must be at the edge of a word, FRONT and BACK.

    Ends in scripts without spaces and non-ASCII symbols are excluded, and the back of Korean terms: particles follow
    them directly.
    """
    first, last = (ord(term[end]) for end in (0, -1))
    front = first < 128 or IS_WORD_CHAR[character_class(first)]
    back = last < 128 or (IS_WORD_CHAR[character_class(last)] and character_class(last) != HANGUL)
    return FRONT * bool(front) + BACK * bool(back)


def build(terms: list[str]) -> Automaton:
    """Build the automaton of distinct folded terms, none of them empty."""
    children: list[dict[int, int]] = [{}]
    ends = [-1]  # number of the term that ends in a state
    for number, term in enumerate(terms):
        state = 0
        for byte in term.encode():
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                ends.append(-1)
            state = children[state][byte]
        ends[state] = number
    used = sorted({byte for state in children for byte in state})
    column = np.zeros(256, np.int64)
    column[used] = np.arange(1, len(used) + 1)
    for byte in range(128):
        column[byte] = column[ord(" ") if character_class(byte) == SPACE else lower(byte)]
    columns, term_of = len(used) + 1, np.array(ends)

    move = np.zeros((len(children), columns), np.int64)
    fallback, shorter = np.zeros((2, len(children)), np.int64)
    queue = deque([(0, 0)])  # states, each with its last byte
    while queue:
        state, last = queue.popleft()
        back = fallback[state]
        shorter[state] = back if term_of[back] >= 0 else shorter[back]
        move[state] = move[back]
        for byte, child in children[state].items():
            fallback[child] = move[back, column[byte]] if state else 0
            queue.append((child, byte))
        for byte, child in children[state].items():
            move[state, column[byte]] = child
        if last == ord(" "):
            move[state, column[last]] = state

    accepting = (term_of >= 0) | (shorter > 0)
    order = np.argsort(accepting, kind="stable")  # new number -> old number; the root stays 0
    number = np.argsort(order)
    return Automaton(
        column,
        (number[move[order]] * columns).astype(np.int32).ravel(),
        columns,
        int((~accepting).sum()) * columns,
        term_of[order],
        number[shorter[order]],
        np.array([len(term) for term in terms]),
        np.array([boundary_flags(term) for term in terms], np.uint8),
    )


def search(text: Ragged, rows: np.ndarray, automaton: Automaton) -> tuple[np.ndarray, np.ndarray]:
    """Return the occurrences of terms in each row, overlaps included, and the different terms found; int64[rows]."""
    hits, distinct = np.empty((2, rows.size), np.int64)
    seen, letters = np.full(automaton.length.size, -1), np.empty(4, np.uint8)
    _search(*text, rows, *automaton, seen, letters, hits, distinct)
    return hits, distinct


@kernel
def _search(
    offsets, data, rows, column, move, columns, accepting, term_of, shorter, length, guard,
    seen, letters, all_hits, all_distinct,
):  # fmt: skip
    """Fill the counts; ``seen`` is the last row each term was found in, ``letters`` scratch for one character."""
    for r in range(rows.size):
        begin, end = offsets[rows[r]], offsets[rows[r] + 1]
        at, state, hits, distinct = begin, np.int64(0), 0, 0
        while at < end:
            if CASE_STABLE[data[at]]:
                state = np.int64(move[state + column[data[at]]])
                at += 1
            else:
                code, size = decode(data, at, end)
                kind = character_class(code)
                if size == 1:  # invalid UTF-8
                    state = np.int64(move[state + column[data[at]]])
                elif kind == SPACE:
                    state = np.int64(move[state + column[BLANK]])
                else:
                    for k in range(encode(lower(code), letters, 0)):
                        state = np.int64(move[state + column[letters[k]]])
                at += size
            if state < accepting:
                continue
            ending = state // columns
            while ending > 0:
                term = term_of[ending]
                if term >= 0 and _is_whole_word(data, begin, at, end, length[term], guard[term]):
                    hits += 1
                    distinct += seen[term] != r
                    seen[term] = r
                ending = shorter[ending]
        all_hits[r], all_distinct[r] = hits, distinct


@inline_kernel
def _is_word_char(code):
    return code == UNDERSCORE or IS_WORD_CHAR[character_class(code)]


@kernel
def _is_whole_word(data, begin, at, end, length, guard):
    """True if the term of ``length`` characters that ends at ``at`` has its guarded ends at the edges of words."""
    if guard & BACK and at < end and _is_word_char(decode(data, at, end)[0]):
        return False
    if guard & FRONT:
        for _ in range(length):  # back to the start of the term
            at, code = _previous(data, begin, at)
            while character_class(code) == SPACE:
                before, code = _previous(data, begin, at)
                if character_class(code) != SPACE:
                    break
                at = before
        if at > begin and _is_word_char(_previous(data, begin, at)[1]):
            return False
    return True


@inline_kernel
def _previous(data, begin, at):
    """Return the start and the code point of the character before ``at``."""
    start = at - 1
    while start > begin and at - start < 4 and data[start] & 0xC0 == 0x80:
        start -= 1
    return start, decode(data, start, at)[0]
