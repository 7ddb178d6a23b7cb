"""Seeds as SentencePiece 0.2.3 finds them, for vocabularies like its own.

There a suffix array over all sentences gives the strings that come twice and have two different bytes behind them, so
that a frequent word which always has the same character behind it is none. Pieces lie within words, so the words and
how often each comes are enough, where it is told which of them end a sentence: they are counted with NUL behind the
last word of each line (``ended``). What differs: a suffix array also meets the end of the last sentence and, beyond
500 MB, the ends of its blocks.
"""

import numpy as np
from numba import njit

from pipelines.bits import inlined, kernel
from pipelines.ragged import Ragged
from pipelines.utf8 import decode, spread, two_stages
from tokenizers_lab.unigram.script_table import SCRIPTS
from tokenizers_lab.unigram.seeds import SPACE, Seeds, seeds_among

SCRIPT_BLOCK, SCRIPT = two_stages(spread(SCRIPTS, np.uint8))
ENDS, GOES_ON = 0, 0xE2  # the byte behind a word: that of an end of a sentence, that of ▁ and of SentencePiece's ▅


def lines_of(text: Ragged) -> Ragged:
    """Each line as a row, without its newline."""
    return Ragged.of(*_lines(*text))


def ended(text: Ragged) -> Ragged:
    """Rows that are not empty, with NUL behind them."""
    return Ragged.of(*_ended(*text))


def words_of(words: Ragged, counts: np.ndarray) -> tuple[Ragged, np.ndarray]:
    """Counted words without the NULs; sorted words stay sorted, and a word that had both is one."""
    offsets, data, counts = _without_ends(*words, counts)
    return Ragged.of(offsets, data), counts


def sentencepiece_seeds(
    words: Ragged, counts: np.ndarray, kept: set[str], limit: int, longest: int, split_digits: bool = True
) -> Seeds:
    """The ``limit`` candidates with the highest weights among words of ``ended`` lines, and all characters.

    Characters that are not ``kept`` are in no piece. Of equal weights the shorter stays, then the smaller bytes.
    """
    keep = np.zeros(0x110000, np.bool_)
    keep[[ord(character) for character in kept]] = True
    offsets, data, counts, behind = _parts(*words, counts, keep)
    groups = np.zeros(data.size, np.uint8)
    _scripts_of(data, split_digits, groups)
    return seeds_among(Ragged.of(offsets, data), counts, groups, limit, longest, behind)


@njit(nogil=True, cache=True)
def _lines(offsets, data):
    rows = offsets.size
    for byte in data:
        rows += byte == 10
    new_offsets, out, row, at = np.zeros(rows, np.int64), np.empty(data.size, np.uint8), 0, 0
    for document in range(offsets.size - 1):
        for i in range(offsets[document], offsets[document + 1]):
            if data[i] == 10:
                row += 1
                new_offsets[row] = at
            else:
                out[at] = data[i]
                at += 1
        row += 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy()


@njit(nogil=True, cache=True)
def _ended(offsets, data):
    new_offsets, out, row, at = np.zeros(offsets.size, np.int64), np.empty(data.size + offsets.size, np.uint8), 0, 0
    for i in range(offsets.size - 1):
        if offsets[i] == offsets[i + 1]:
            continue
        for k in range(offsets[i], offsets[i + 1]):
            out[at] = data[k]
            at += 1
        out[at] = ENDS
        at, row = at + 1, row + 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy()


@inlined
def _size_of(offsets, data, row):
    """Bytes of a word without its NUL, and whether it has one."""
    begin, stop = offsets[row], offsets[row + 1]
    ends = stop > begin and data[stop - 1] == ENDS
    return stop - begin - ends, ends


@njit(nogil=True, cache=True)
def _without_ends(offsets, data, counts):
    new_offsets, out, new_counts = np.zeros(offsets.size, np.int64), np.empty_like(data), np.zeros_like(counts)
    row, at = 0, 0
    for i in range(counts.size):
        size, ends = _size_of(offsets, data, i)
        if size == 0:
            continue
        same = ends and row > 0 and at - new_offsets[row - 1] == size  # the same word without NUL comes just before
        for k in range(size):
            same = same and out[new_offsets[row - 1] + k] == data[offsets[i] + k]
        if same:
            new_counts[row - 1] += counts[i]
            continue
        for k in range(size):
            out[at] = data[offsets[i] + k]
            at += 1
        new_counts[row] = counts[i]
        row += 1
        new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy(), new_counts[:row].copy()


@njit(nogil=True, cache=True)
def _parts(offsets, data, counts, keep):
    """Words cut where a character is not kept: offsets, bytes, counts, and the byte behind each part."""
    most = data.size + counts.size + 1
    new_offsets, out = np.zeros(most, np.int64), np.empty(data.size, np.uint8)
    new_counts, behind = np.empty(most, np.int64), np.empty(most, np.uint8)
    row = at = 0
    for i in range(counts.size):
        size, ends = _size_of(offsets, data, i)
        where, stop = offsets[i], offsets[i] + size
        while where < stop:
            code, width = decode(data, where, stop)
            kept = keep[code] and (width > 1 or code < 0x80)
            if kept:
                for k in range(where, where + width):
                    out[at] = data[k]
                    at += 1
            where += width
            if at > new_offsets[row] and (not kept or where >= stop):
                new_counts[row], behind[row] = counts[i], ENDS if kept and ends else GOES_ON
                row += 1
                new_offsets[row] = at
    return new_offsets[: row + 1].copy(), out[:at].copy(), new_counts[:row].copy(), behind[:row].copy()


@kernel
def _scripts_of(data, split_digits, groups):
    """The script of each character, at its first byte."""
    at = 0
    while at < data.size:
        code, size = decode(data, at, data.size)
        digit = 0x30 <= code <= 0x39 or 0xFF10 <= code <= 0xFF19
        if code != SPACE and not (digit and not split_digits):
            groups[at] = SCRIPT[SCRIPT_BLOCK[code >> 8] * 256 + (code & 255)]
        at += size
