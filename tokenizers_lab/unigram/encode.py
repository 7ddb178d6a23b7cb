"""The best segmentation under a unigram model, piece for piece what SentencePiece 0.2.3 gives.

Pieces never cross a ▁ that begins a word, nor neighbours that no piece holds (joints.py): the parts between are cut one
by one and each is remembered. But SentencePiece adds up scores in float32 over the whole document, and far into it
rounding decides between ways that are nearly as good. So each part has a margin, how much better its way is than the
next; where rounding could be larger, or the sum is about to be taken back to 0 (beyond ±100,000), the part is cut anew
from the sum as it stands.

A part of up to 15 bytes behind its ▁ that became up to four ids, by a margin that no rounding reaches, fills a line of
32 bytes. Others are records in a pool, found by a table of places. Both are emptied when full and fill with what is
frequent now, so memory is bounded.
"""

from collections.abc import Iterable

import numpy as np
from numba import njit

from pipelines.bits import first_bytes, inlined, kernel, load8, trailing_zeros
from pipelines.hashing import hash_word, mix
from pipelines.ragged import Ragged
from pipelines.utf8 import decode
from tokenizers_lab.unigram.best import RESET, best_way, room_for
from tokenizers_lab.unigram.codes import LOOSE, codes
from tokenizers_lab.unigram.joints import joints, part_end
from tokenizers_lab.unigram.trie import NOTHING, build

LINES = 1 << 18  # 8 MB
RECORDS = 1 << 18  # remembered otherwise
LONGEST = 256  # bytes of one of these
SMALL, FEW = 15, 4  # bytes of a part, and ids, that fit a line
HEAD = 3  # of a record: its size, its number of ids, its margin
PENALTY = np.float32(10)  # of an unknown character, below the lowest score
ULP = np.float32(2**-23)
GOLDEN, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xE7037ED1A0B428DB)
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
MARKER = "▁".encode()
MARK_SIZE = len(MARKER)
MARKS = np.uint64(MARKER[0]) * ONES
SIZE_SHIFT, COUNT_SHIFT, MARK_SHIFT = np.uint64(56), np.uint64(60), np.uint64(63)
KEY = ~(np.uint64(7) << COUNT_SHIFT)  # all of a line's second word but the number of ids
LOW = np.uint64(0xFFFFFFFF)


class Encoder:
    """Cuts text in which spaces are ▁ already. Keeps its tables from batch to batch; one per worker."""

    def __init__(
        self,
        pieces: list[bytes],
        scores: np.ndarray,
        unknown: int,
        bytes_from: int = -1,
        records: int = RECORDS,
        lines: int = LINES,
        symbols: Iterable[int] = (),
        dtype: type | np.dtype = np.int32,
    ):
        """``scores`` float32 [pieces], NaN for what is no piece of text (control, unused and byte pieces).

        ``symbols`` are ids of pieces that are taken wherever they stand: their scores are above 0, as SentencePiece's.

        ``unknown`` is the id of an unknown character, or with ``bytes_from`` each of its bytes b is ``bytes_from + b``.
        """
        least = np.nanmin(scores).astype(np.float32)
        scores = scores.astype(np.float32)
        for id in symbols:
            scores[id] = 0.1 * (len(pieces[id]) - 1)
        text = np.flatnonzero(~np.isnan(scores))
        known = codes(Ragged.from_strings([pieces[id] for id in text]))
        self.trie, self.sieve = build(known), joints(known)
        self.trie.piece[self.trie.piece != NOTHING] = text[self.trie.piece[self.trie.piece != NOTHING]]
        self.single = np.full(LOOSE + 256, NOTHING, np.int32)  # character -> its piece
        one = np.diff(known.offsets) == 1
        self.single[known.data[known.offsets[:-1][one]]] = text[one]
        self.by_word = not any(MARKER in pieces[id][1:] for id in text)
        self.sizes = np.array([*map(len, pieces), 0], np.int32)
        self.scores = np.append(scores, least - PENALTY)
        self.unknown, self.bytes_from, self.dtype = unknown, bytes_from, dtype
        self.lines, self.slots = np.zeros((lines, 4), np.uint64), np.zeros(2 * records, np.uint64)
        self.pool = np.empty(24 * records, np.int32)
        self.used = np.zeros(3, np.int64)  # lines, records, and ints of the pool

    def __call__(self, text: Ragged) -> Ragged:
        """Ids of each document."""
        offsets, ids = np.zeros(text.rows + 1, np.int64), np.empty(text.data.size + FEW, self.dtype)
        room = room_for(int(np.diff(text.offsets).max(initial=0)))  # a document may be one part
        model = self.scores, self.sizes, self.unknown, self.bytes_from, self.single, self.sieve, self.by_word
        pool = self.pool, self.pool.view(np.float32), self.pool.view(np.uint8)
        held = self.lines, self.lines.view(np.int32), self.slots, *pool, self.used
        count = _encode(*text, *self.trie, *model, *held, *room, offsets, ids)
        return Ragged.of(offsets, ids[:count])


@inlined
def _word_end(data, at, stop):
    """Where the next ▁ begins behind ``at``, eight bytes at a time."""
    end = at + 1
    while end + 10 <= stop:
        other = load8(data, end) ^ MARKS  # the first byte of ▁ is 0 now; the lowest zero byte is found exactly
        zeros = (other - ONES) & ~other & TOPS
        if zeros == 0:
            end += 8
            continue
        end += trailing_zeros(zeros) >> 3
        if _is_marker(data, end, stop):
            return end
        end += 1
    while end < stop and not _is_marker(data, end, stop):
        end += 1
    return end


@inlined
def _is_marker(data, at, stop):
    return data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x96 and data[at + 2] == 0x81


@inlined
def _line_key(data, at, size, marked):
    """Up to 15 bytes, their number and whether ▁ is before them in two words; 16 bytes must be there."""
    low = load8(data, at) & first_bytes(min(size, 8))
    high = load8(data, at + 8) & first_bytes(max(size - 8, 0))
    return low, high | np.uint64(size) << SIZE_SHIFT | np.uint64(marked) << MARK_SHIFT


@inlined
def _line_of(lines, low, high):
    """Where a part is, or the free line where it would be."""
    mask = lines.shape[0] - 1
    line = np.int64(mix(low ^ GOLDEN, high ^ SECOND) & np.uint64(mask))
    while lines[line, 1] != 0 and (lines[line, 0] != low or lines[line, 1] & KEY != high):
        line = (line + 1) & mask
    return line


@kernel
def _enter_line(lines, line_ids, used, low, high, count, way):
    if 2 * used[0] >= lines.shape[0]:
        lines[:] = 0
        used[0] = 0
    line = _line_of(lines, low, high)
    lines[line, 0], lines[line, 1] = low, high | np.uint64(count) << COUNT_SHIFT
    for k in range(count):
        line_ids[line, 4 + k] = way[k]
    used[0] += 1


@kernel
def _record_of(data, at, stop, slots, pool, pool_bytes):
    """A part's slot and its record, 0 for none. A slot holds half of the hash, and the place in the pool."""
    size, key = stop - at, hash_word(data, at, stop)
    mask = np.uint64(slots.size - 1)
    slot = key & mask
    while slots[slot] != 0:
        record = np.int64(slots[slot] & LOW)
        if slots[slot] >> np.uint64(32) == key >> np.uint64(32) and pool[record] == size:
            text = 4 * (record + HEAD + np.int64(pool[record + 1]))
            same = 0
            while same + 8 <= size and load8(pool_bytes, text + same) == load8(data, at + same):
                same += 8
            while same < size and pool_bytes[text + same] == data[at + same]:
                same += 1
            if same == size:
                return slot, record
        slot = (slot + np.uint64(1)) & mask
    return slot, np.int64(0)


@kernel
def _enter_record(data, at, stop, slots, pool, pool_floats, pool_bytes, used, count, margin, way):
    record, size = max(used[2], 1), stop - at
    room = HEAD + count + (size + 3) // 4
    if 2 * used[1] >= slots.size or record + room > pool.size:
        slots[:] = 0
        used[1], record = 0, 1
    slot, _ = _record_of(data, at, stop, slots, pool, pool_bytes)
    slots[slot] = hash_word(data, at, stop) & ~LOW | np.uint64(record)
    pool[record], pool[record + 1], pool_floats[record + 2] = size, count, margin
    for k in range(count):
        pool[record + HEAD + k] = way[k]
    for i in range(size):
        pool_bytes[4 * (record + HEAD + count) + i] = data[at + i]
    used[1], used[2] = used[1] + 1, record + room


@kernel
def emit(data, at, stop, way, first, last, unknown, bytes_from, none, sizes, fused, count, ids):
    """Write way[first:last] for data[at:stop]; returns the new count, and whether it ends in an unknown id."""
    for k in range(first, last):
        if way[k] != none:
            ids[count] = way[k]
            at += sizes[way[k]]
            count += 1
            fused = False
            continue
        size = decode(data, at, stop)[1]
        if bytes_from >= 0:
            for i in range(size):
                ids[count + i] = bytes_from + np.int64(data[at + i])
            count += size
        elif not fused:  # unknown characters in a row are one id
            ids[count] = unknown
            count += 1
            fused = True
        at += size
    return count, fused


@njit(nogil=True, cache=True)
def _encode(
    offsets,
    data,
    keys,
    nodes,
    piece,
    scores,
    sizes,
    unknown,
    bytes_from,
    single,
    sieve,
    by_word,
    lines,
    line_ids,
    slots,
    pool,
    pool_floats,
    pool_bytes,
    used,
    best,
    second,
    start,
    found,
    codes,
    way,
    new_offsets,
    ids,
):
    count, none = 0, np.int64(scores.size - 1)
    # Two ways round once a piece each, by half a unit in the last place of their sums: a margin above ``safe`` is above
    # that wherever a line is used, which is where the sum is below ``near`` and so below RESET to its end.
    safe = np.float32(SMALL + MARK_SIZE + 1) * ULP * RESET
    near = RESET + np.float32(SMALL + MARK_SIZE) * scores[none]
    for row in range(offsets.size - 1):
        at, stop, total, fused = offsets[row], offsets[row + 1], np.float32(0), False
        word, short = at, False
        while at < stop:
            if at == word:
                word = _word_end(data, at, stop) if by_word else stop
                short = word - at <= SMALL
            end, alone = (word, np.int64(-1)) if short else part_end(data, at, word, sieve)
            size = end - at
            if abs(total) > RESET:
                total = np.float32(0)
            if alone >= 0 and single[alone] != NOTHING:
                ids[count] = single[alone]
                total += scores[single[alone]]
                count, at, fused = count + 1, end, False
                continue
            mark = MARK_SIZE if size > MARK_SIZE and _is_marker(data, at, end) else 0
            fits = size - mark <= SMALL and at + mark + 16 <= data.size
            low = high = np.uint64(0)
            if fits:
                low, high = _line_key(data, at + mark, size - mark, mark > 0)
                line = _line_of(lines, low, high)
                if lines[line, 1] != 0 and abs(total) < near:
                    for k in range(FEW):  # as many as fit, for the next ones overwrite what is too much
                        ids[count + k] = line_ids[line, 4 + k]
                    for k in range(np.int64(lines[line, 1] >> COUNT_SHIFT & np.uint64(7))):
                        total += scores[line_ids[line, 4 + k]]
                        count += 1
                    at, fused = end, False
                    continue
                fits = lines[line, 1] == 0
            n, margin = 0, np.float32(0)
            if size <= LONGEST:
                _, record = _record_of(data, at, end, slots, pool, pool_bytes)
                if record:
                    n, margin = np.int64(pool[record + 1]), pool_floats[record + 2]
                    for k in range(n):
                        way[k] = pool[record + HEAD + k]
                else:
                    n, _, margin = best_way(
                        *(data, at, end, keys, nodes, piece, scores, np.float32(0)),
                        *(best, second, start, found, codes, way),
                    )
                    fits = fits and n <= FEW and margin > safe
                    for k in range(n):
                        fits = fits and way[k] != none
                    if fits:
                        _enter_line(lines, line_ids, used, low, high, n, way)
                    else:
                        _enter_record(data, at, end, slots, pool, pool_floats, pool_bytes, used, n, margin, way)
            worst = abs(total) + np.float32(size) * -scores[none]
            if margin > np.float32(size + 1) * ULP * worst and worst < RESET:
                for k in range(n):
                    total += scores[way[k]]
            else:
                n, total, _ = best_way(
                    data, at, end, keys, nodes, piece, scores, total, best, second, start, found, codes, way
                )
            count, fused = emit(data, at, end, way, 0, n, unknown, bytes_from, none, sizes, fused, count, ids)
            at = end
        new_offsets[row + 1] = count
    return count
