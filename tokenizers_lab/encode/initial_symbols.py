"""What merging begins with: whole characters where that is sure, and parts between which nothing merges.

Both spare merges and change no id.

**Sure characters.** The bytes of a character, merged alone, become one id, the last of their merges at rank r; on the
way the character begins and ends with certain symbols. If no merge of rank r or lower has one of the first as its right
half, or one of the last as its left half, then nothing outside touches the character before it is whole: that merge
would have to be the lowest while one of the character's own, of rank r or lower, is still to be done. So a text may
begin with the id. Merges with ASCII do not count, and the character is sure only where its neighbours are not ASCII:
else a space that takes the first byte of every Cyrillic or Thai word (as in most vocabularies) would leave few sure.

**Cuts.** A merge across a place joins what ends there to what begins there. A piece of the vocabulary ends, wherever it
stands in a text, with one of two symbols: its last character where that is sure, or its last byte. UTF-8 shows at every
byte whether a character begins, so the bytes of a whole character are nowhere read as anything else. The same holds for
its beginning. Where no merge's left half may end with the symbol before the place while its right half may begin with
the one behind it, nothing ever joins them, and the parts on both sides merge apart. Pairs of symbols that some merge
may reach across stand in the table of merges, with the rank NEVER where they do not merge themselves; for a pair that
is not there a text is cut.
"""

import numpy as np
from numba import njit

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.merge_table import NEVER, MergeTable, merge_table, rank_of, to_arrays

CODES = 0x110000
NONE = -1


@kernel
def first_symbols(data, at, end, first, symbols):
    """A piece in the ids it begins with, by a table of bytes or of characters; returns how many."""
    count = 0
    if first.size == 256:
        for i in range(at, end):
            symbols[count] = first[data[i]]
            count += 1
        return count
    unknown = first[first.size - 1]
    while at < end:
        code, size = decode(data, at, end)
        id = first[code] if size > 1 or code < 0x80 else NONE
        if id >= 0:
            symbols[count] = id
            count += 1
        elif first[CODES] >= 0:
            for i in range(at, at + size):
                symbols[count] = first[CODES + np.int64(data[i])]
                count += 1
        elif count == 0 or symbols[count - 1] != unknown:  # unknown characters in a row are one id
            symbols[count] = unknown
            count += 1
        at += size
    return count


@kernel
def premerged_symbols(data, begin, end, first, sure, symbols):
    """As ``first_symbols`` by a table of bytes, but with whole characters where they are sure."""
    count, at = 0, begin
    while at < end:
        size, id = 1, np.int32(NONE)
        if data[at] >= 0x80:
            code, size = decode(data, at, end)
            after = at + size
            if size > 1 and (at == begin or data[at - 1] >= 0x80) and (after == end or data[after] >= 0x80):
                id = sure[code]
        if id >= 0:
            symbols[count] = id
            count += 1
        else:
            for i in range(at, at + size):
                symbols[count] = first[data[i]]
                count += 1
        at += size
    return count


def premergeable_characters(first: np.ndarray, merges: MergeTable, pieces: Ragged) -> np.ndarray:
    """The id of each character that is sure, else NONE, int32[0x110000]; by a table of characters an empty array."""
    if first.size > 256:
        return np.empty(0, np.int32)
    left, right, ranks = to_arrays(merges)
    joins_left, joins_right = np.full((2, pieces.rows), NEVER, np.int32)
    wide = pieces.data[pieces.offsets[left + 1] - 1] >= 0x80
    np.minimum.at(joins_left, right[wide], ranks[wide])
    wide = pieces.data[pieces.offsets[right]] >= 0x80
    np.minimum.at(joins_right, left[wide], ranks[wide])
    sure = np.full(CODES, NONE, np.int32)
    _enter_premerged(*pieces, first, *merges, joins_left, joins_right, sure)
    return sure


@njit(nogil=True, cache=True)
def _enter_premerged(offsets, data, first, pairs, made, joins_left, joins_right, sure):
    """``joins_left[id]``: the lowest rank at which something joins it from the left."""
    symbols = np.empty(4, np.int32)
    for row in range(offsets.size - 1):
        at, count = offsets[row], offsets[row + 1] - offsets[row]
        if not 2 <= count <= 4 or decode(data, at, at + count)[1] != count:
            continue
        for i in range(count):
            symbols[i] = first[data[at + i]]
        last, touched = np.int32(NONE), NEVER
        while count > 1:
            rank, where = NEVER, 0
            for i in range(count - 1):
                each = rank_of(pairs, symbols[i], symbols[i + 1])
                if each < rank:
                    rank, where = each, i
            if rank == NEVER:
                break
            last = max(last, rank)
            touched = min(touched, joins_left[symbols[0]], joins_right[symbols[count - 1]])
            symbols[where] = made[rank]
            count -= 1
            for i in range(where + 1, count):
                symbols[i] = symbols[i + 1]
        if count == 1 and last < touched:
            sure[decode(data, at, offsets[row + 1])[0]] = symbols[0]


def with_barriers(merges: MergeTable, first: np.ndarray, sure: np.ndarray, pieces: Ragged) -> MergeTable:
    """The merges, and the pairs of first symbols that they may reach across."""
    left, right, ranks = to_arrays(merges)
    begins, ends = _ends(*pieces, first, sure)
    across = [np.stack((end[left], begin[right])) for end in ends for begin in begins]
    across = np.unique(np.concatenate(across, axis=1), axis=1)
    halves = np.concatenate((np.stack((left, right)), across), axis=1)
    never = np.full(across.shape[1], NEVER, np.int32)
    return merge_table(*halves, merges.made[:-1], np.concatenate((ranks, never)))


@njit(nogil=True, cache=True)
def _ends(offsets, data, first, sure):
    """int32[2, pieces] twice: the symbols that each piece begins with, and ends with; sure ones second."""
    begins, ends = np.full((2, 2, offsets.size - 1), NONE, np.int32)
    room = np.empty(data.size + 1, np.int32)
    for row in range(offsets.size - 1):
        count = first_symbols(data, offsets[row], offsets[row + 1], first, room)
        begins[:, row], ends[:, row] = room[0], room[count - 1]
        if sure.size:
            count = premerged_symbols(data, offsets[row], offsets[row + 1], first, sure, room)
            begins[1, row], ends[1, row] = room[0], room[count - 1]
    return begins, ends
