"""Many terms found in one pass over the text (Aho & Corasick 1975).

1. The terms, in lower case and with single spaces, make a trie over their UTF-8 bytes.
2. A state without the byte that comes falls back to the longest suffix that is a state too; filled in once, breadth
   first, so that every state has a next one for every byte: a dense table, its columns the bytes that terms use.
3. A scan is one look-up a byte. States where terms end have the highest numbers, so one comparison finds them.

Text needs no copy in lower case: both cases of an ASCII letter share a column, and the few other characters with
case are lowered on the way. Any run of white space is one space: a state that ends with a space stays on the next.
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
FRONT, BACK = 1, 2  # ends of a term that must not lie inside a word
# Bytes that stand for themselves: ASCII, and characters of three bytes without case or space.
BLANK, UNDERSCORE = ord(" "), ord("_")
CASE_STABLE = np.zeros(256, np.bool_)
CASE_STABLE[[*range(0xC0), *range(0xE4, 0xEA), *range(0xEB, 0xEE)]] = True


class Automaton(NamedTuple):
    """Terms ready to be searched for. A state is the number of its row in ``move``, times the columns."""

    column: np.ndarray  # int64[256]: of each byte; 0 for those no term has
    move: np.ndarray  # int32[states * columns]: the next state
    columns: int
    accepting: int  # terms end in this state and all above
    term: np.ndarray  # int64[states]: which one ends there, -1 for none
    shorter: np.ndarray  # int64[states]: where a shorter term ends as well; 0 for none
    length: np.ndarray  # int64[terms], in characters
    guard: np.ndarray  # uint8[terms], FRONT and BACK


def folded(text: str) -> str:
    """Lower case, character by character, each run of white space one space: the form in which terms are compared."""
    spaced = "".join(" " if character_class(ord(c)) == SPACE else chr(lower(ord(c))) for c in text)
    return " ".join(part for part in spaced.split(" ") if part)


def boundary_flags(term: str) -> int:
    """Which ends of a term must lie at the edge of a word.

    Not one in a script written without spaces, nor a symbol beyond ASCII; nor the back of a Korean one, which
    particles follow directly.
    """
    first, last = (ord(term[end]) for end in (0, -1))
    front = first < 128 or IS_WORD_CHAR[character_class(first)]
    back = last < 128 or (IS_WORD_CHAR[character_class(last)] and character_class(last) != HANGUL)
    return FRONT * bool(front) + BACK * bool(back)


def build(terms: list[str]) -> Automaton:
    """Distinct folded terms, none of them empty -> their automaton."""
    children, term_of = [{}], [-1]
    for number, term in enumerate(terms):
        state = 0
        for byte in term.encode():
            if byte not in children[state]:
                children[state][byte] = len(children)
                children.append({})
                term_of.append(-1)
            state = children[state][byte]
        term_of[state] = number
    used = sorted({byte for state in children for byte in state})
    column = np.zeros(256, np.int64)
    column[used] = np.arange(1, len(used) + 1)
    for byte in range(128):
        column[byte] = column[ord(" ") if character_class(byte) == SPACE else lower(byte)]
    columns = len(used) + 1

    move = np.zeros((len(children), columns), np.int64)
    fallback, shorter = np.zeros((2, len(children)), np.int64)
    queue = deque([(0, 0)])
    while queue:
        state, came_by = queue.popleft()
        back = fallback[state]
        shorter[state] = back if term_of[back] >= 0 else shorter[back]
        move[state] = move[back]
        for byte, child in children[state].items():
            fallback[child] = move[back, column[byte]] if state else 0
            queue.append((child, byte))
        for byte, child in children[state].items():
            move[state, column[byte]] = child
        if came_by == ord(" "):
            move[state, column[came_by]] = state

    term_of = np.array(term_of)
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
    """How often terms occur in each of these rows, int64[rows], overlaps counted, and how many different ones do."""
    hits, distinct = np.empty((2, rows.size), np.int64)
    seen, letters = np.full(automaton.length.size, -1), np.empty(4, np.uint8)
    _search(*text, rows, *automaton, seen, letters, hits, distinct)
    return hits, distinct


@kernel
def _search(
    offsets, data, rows, column, move, columns, accepting, term_of, shorter, length, guard,
    seen, letters, all_hits, all_distinct,
):  # fmt: skip
    """``seen`` is the last row a term was found in; ``letters`` is scratch for one character."""
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
                if size == 1:  # no UTF-8
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
                if term >= 0 and _stands_alone(data, begin, at, end, length[term], guard[term]):
                    hits += 1
                    distinct += seen[term] != r
                    seen[term] = r
                ending = shorter[ending]
        all_hits[r], all_distinct[r] = hits, distinct


@inline_kernel
def _is_wordy(code):
    return code == UNDERSCORE or IS_WORD_CHAR[character_class(code)]


@kernel
def _stands_alone(data, begin, at, end, length, guard):
    """Does no guarded end of the term of ``length`` characters that ends at ``at`` lie inside a word?"""
    if guard & BACK and at < end and _is_wordy(decode(data, at, end)[0]):
        return False
    if guard & FRONT:
        for _ in range(length):  # back to where the term begins
            at, code = _previous(data, begin, at)
            while character_class(code) == SPACE:
                before, code = _previous(data, begin, at)
                if character_class(code) != SPACE:
                    break
                at = before
        if at > begin and _is_wordy(_previous(data, begin, at)[1]):
            return False
    return True


@inline_kernel
def _previous(data, begin, at):
    """Where the character before ``at`` begins, and which it is."""
    start = at - 1
    while start > begin and at - start < 4 and data[start] & 0xC0 == 0x80:
        start -= 1
    return start, decode(data, start, at)[0]
