"""Two shortcuts for BPE merging; neither changes an id.

**Pre-merged characters.** Let a character's bytes merge into one id, the last of these merges having rank r. If no
merge of rank <= r can join the character's first symbols to something on their left, or its last symbols to something
on their right, the character always becomes that id before anything outside touches it. Encoding can start from the id.
Merges with ASCII are ignored in this test, so the shortcut is used only between non-ASCII neighbors: otherwise the
space that most vocabularies merge with the first byte of Cyrillic or Thai words would disqualify nearly every
character.

**Barriers.** A merge across a place joins a piece that ends there to a piece that begins there. Every piece ends with
one of two symbols: its last character if that is pre-mergeable, or its last byte; likewise at its beginning. (UTF-8
shows at each byte whether a character begins, so bytes of a whole character are never read as anything else.) If no
merge has a left half that may end with the symbol before the place and a right half that may begin with the symbol
after it, nothing ever joins the two sides, and each merges alone. The merge table holds all pairs of symbols that some
merge may reach across, with rank NEVER if they do not merge themselves. A pair that is not in the table is a barrier.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.merge_table import ID_BITS, NEVER, MergeTable, merge_table, rank_of, to_arrays

CODES = 0x110000
NONE = -1


@kernel
def first_symbols(data, at, end, first, symbols):
    """Write the initial ids of a pre-token, by a table of bytes or of characters, and return their number."""
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
        elif count == 0 or symbols[count - 1] != unknown:  # consecutive unknown characters make one id
            symbols[count] = unknown
            count += 1
        at += size
    return count


@kernel
def premerged_symbols(data, begin, end, first, premerged, symbols):
    """Write the initial ids by a table of bytes, with one id for each pre-merged character; return their number."""
    count, at = 0, begin
    while at < end:
        size, id = 1, np.int32(NONE)
        if data[at] >= 0x80:
            code, size = decode(data, at, end)
            after = at + size
            if size > 1 and (at == begin or data[at - 1] >= 0x80) and (after == end or data[after] >= 0x80):
                id = premerged[code]
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
    """Return the id of each pre-mergeable character, else NONE: int32[0x110000], int32[0] by a table of characters."""
    if first.size > 256:
        return np.empty(0, np.int32)
    left, right, ranks = to_arrays(merges)
    joins_left, joins_right = np.full((2, pieces.rows), NEVER, np.int32)
    wide = pieces.data[pieces.offsets[left + 1] - 1] >= 0x80
    np.minimum.at(joins_left, right[wide], ranks[wide])
    wide = pieces.data[pieces.offsets[right]] >= 0x80
    np.minimum.at(joins_right, left[wide], ranks[wide])
    premerged = np.full(CODES, NONE, np.int32)
    _enter_premerged(*pieces, first, *merges, joins_left, joins_right, premerged)
    return premerged


@allocating_kernel
def _enter_premerged(offsets, data, first, pairs, made, joins_left, joins_right, premerged):
    """Fill ``premerged``; ``joins_left[id]`` is the lowest rank at which something on the left merges with the id."""
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
            premerged[decode(data, at, offsets[row + 1])[0]] = symbols[0]


def with_barriers(merges: MergeTable, first: np.ndarray, premerged: np.ndarray, pieces: Ragged) -> MergeTable:
    """Return the merges and the pairs of initial symbols that they may reach across."""
    left, right, ranks = to_arrays(merges)
    begins, ends = _ends(*pieces, first, premerged)
    pairs = [end[left].astype(np.int64) << ID_BITS | begin[right] for end in ends for begin in begins]
    across = np.unique(np.concatenate(pairs))  # of packed pairs: unique columns take 15 times as long
    left, right = np.append(left, across >> ID_BITS), np.append(right, across & (1 << ID_BITS) - 1)
    ranks = np.append(ranks, np.full(across.size, NEVER, np.int32))
    return merge_table(left, right, merges.made[:-1], ranks)


@allocating_kernel
def _ends(offsets, data, first, premerged):
    """Return the first and the last symbols of each piece: int32[2, pieces] each, pre-merged ones in row 1."""
    begins, ends = np.full((2, 2, offsets.size - 1), NONE, np.int32)
    room = np.empty(data.size + 1, np.int32)
    for row in range(offsets.size - 1):
        count = first_symbols(data, offsets[row], offsets[row + 1], first, room)
        begins[:, row], ends[:, row] = room[0], room[count - 1]
        if premerged.size:
            count = premerged_symbols(data, offsets[row], offsets[row + 1], first, premerged, room)
            begins[1, row], ends[1, row] = room[0], room[count - 1]
    return begins, ends
