"""The best segmentation under a unigram model, piece for piece what SentencePiece 0.2.3 gives.

Pieces never cross a ▁ that begins a word, so words are cut one by one and each is remembered. But SentencePiece adds up
scores in float32 over the whole document, and far into it rounding decides between ways that are nearly as good. So
each remembered word has a margin, how much better its way is than the next; where rounding could be larger, or the sum
is about to be taken back to 0 (beyond ±100,000), the word is cut anew from the sum as it stands, in float32.
"""

from collections.abc import Iterable

import numpy as np
from numba import njit

from pipelines.bits import first_bytes, inlined, kernel, load8, trailing_zeros
from pipelines.hashing import hash_word, mix
from pipelines.ragged import Ragged
from tokenizers_lab.unigram.lattice import character_size
from tokenizers_lab.unigram.trie import NOTHING, build, step

RESET = np.float32(100_000)  # SentencePiece's kScoreResetThreshold
WORDS = 1 << 20  # remembered at most; a full table is emptied and fills with what is frequent now
LINES = 1 << 18  # 16 MB, half of them used: 72 MB/s of novels, 2 ** 17 64, 2 ** 21 68
LONGEST = 256  # bytes of a word that is remembered
SMALL, FEW = 15, 4  # bytes of a word, and pieces, that fit a line of the processor's cache: 36 to 55 MB/s on English
PENALTY = np.float32(10)  # of an unknown character, below the lowest score
ULP = np.float32(2**-23)
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
MARKS = np.uint64(0xE2) * ONES  # the first byte of ▁, eight times


class Encoder:
    """Cuts text in which spaces are ▁ already. Keeps its table of words from batch to batch; one per worker."""

    def __init__(
        self,
        pieces: list[bytes],
        scores: np.ndarray,
        unknown: int,
        bytes_from: int = -1,
        words: int = WORDS,
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
        self.trie = build(Ragged.from_strings([pieces[id] for id in text]))
        self.trie.piece[self.trie.piece != NOTHING] = text[self.trie.piece[self.trie.piece != NOTHING]]
        self.sizes = np.array([*map(len, pieces), 0], np.int32)
        self.scores = np.append(scores, least - PENALTY)
        self.unknown, self.bytes_from, self.dtype = unknown, bytes_from, dtype
        self.words = words
        self.forget()

    def forget(self) -> None:
        """Empty the table of words."""
        size = 2 * self.words
        self.table, self.known = np.full(size, -1, np.int32), np.zeros(1, np.int64)
        self.place = np.zeros((self.words + 1, 2), np.int64)  # where each word begins in the two pools
        self.text, self.ways = np.empty(16 * self.words, np.uint8), np.empty(16 * self.words, np.int32)
        self.margin = np.empty(self.words, np.float32)
        self.lines = np.zeros((min(size, LINES), 8), np.uint64)
        self.lines_known = np.zeros(1, np.int64)

    def __call__(self, text: Ragged) -> Ragged:
        """Ids of each document."""
        offsets, ids = np.zeros(text.rows + 1, np.int64), np.empty(text.data.size + FEW, np.int32)
        longest = int(np.diff(text.offsets).max(initial=0)) + 1  # a document may be one word
        room = np.empty(longest, np.float32), *np.empty((3, longest), np.int32)
        held = self.table, self.known, self.place, self.margin, self.text, self.ways
        lines = self.lines, self.lines.view(np.int32), self.lines.view(np.float32), self.lines_known
        model = self.scores, self.sizes, self.unknown, self.bytes_from
        count = _encode(*text, *self.trie, *model, *held, *lines, *room, offsets, ids)
        return Ragged.of(offsets, ids[:count].astype(self.dtype))


@inlined
def _word_end(data, at, stop):
    """Where the next ▁ begins behind ``at``, eight bytes at a time."""
    end = at + 1
    while end + 10 <= stop:
        other = load8(data, end) ^ MARKS  # a byte of ▁ is 0 now; the lowest zero byte is found exactly
        zeros = (other - ONES) & ~other & TOPS
        if zeros == 0:
            end += 8
            continue
        end += trailing_zeros(zeros) >> 3
        if _is_marker(data, end):
            return end
        end += 1
    while end < stop and not (data[end] == 0xE2 and end + 2 < stop and _is_marker(data, end)):
        end += 1
    return end


@inlined
def _is_marker(data, at):
    return data[at + 1] == 0x96 and data[at + 2] == 0x81


@inlined
def _key(data, at, size):
    """Up to 15 bytes in two words; 16 must be there."""
    low = load8(data, at) & first_bytes(min(size, 8))
    return low, load8(data, at + 8) & first_bytes(max(size - 8, 0))


@kernel
def _cut(data, begin, stop, keys, nodes, piece, scores, base, best, start, found):
    """Cut data[begin:stop] from a sum of ``base`` on: fills best, start and found by the end of a piece.

    Returns the sum. As SentencePiece does it: float32, of equally good ways the one met first, sums beyond RESET taken
    back to 0.
    """
    length, unknown = stop - begin, scores.size - 1
    start[: length + 1] = -1
    best[0] = base
    frontier = 0
    for i in range(length):
        if data[begin + i] & 0xC0 == 0x80:
            continue
        here = best[i]
        if abs(here) > RESET:
            for k in range(i, frontier + 1):
                if k == i or start[k] >= 0:
                    best[k] -= here
            here = np.float32(0)
        char = min(character_size(data[begin + i]), length - i)
        node, end, single = np.int64(0), i, False
        while end < length:
            node = step(keys, nodes, node, np.int64(data[begin + end]))
            if node == NOTHING:
                break
            end += 1
            id = piece[node]
            if id != NOTHING:
                score = scores[id] + here
                frontier = max(frontier, end)
                if start[end] < 0 or score > best[end]:
                    best[end], start[end], found[end] = score, i, id
                single |= end - i == char
        if not single:
            score, end = scores[unknown] + here, i + char
            frontier = max(frontier, end)
            if start[end] < 0 or score > best[end]:
                best[end], start[end], found[end] = score, i, unknown
    return best[length]


@kernel
def _margin(data, begin, stop, keys, nodes, piece, scores, best, start, on_path):
    """How much better the way that was found is than the next, at the closest of its places."""
    length = stop - begin
    on_path[: length + 1] = 0
    end = length
    while end > 0:
        on_path[end] = 1
        end = np.int64(start[end])
    margin = np.float32(np.inf)
    for i in range(length):
        if start[i] < 0 and i > 0:
            continue
        node, end = np.int64(0), i
        while end < length:
            node = step(keys, nodes, node, np.int64(data[begin + end]))
            if node == NOTHING:
                break
            end += 1
            if piece[node] != NOTHING and on_path[end] and start[end] != i:
                margin = min(margin, best[end] - (scores[piece[node]] + best[i]))
        end = i + min(character_size(data[begin + i]), length - i)
        if on_path[end] and start[end] != i:
            margin = min(margin, best[end] - (scores[scores.size - 1] + best[i]))
    return margin


@inlined
def _same(data, at, size, text, begin, stop):
    """Is the word at ``at`` the one that is held?"""
    if stop - begin != size:
        return False
    for i in range(size):
        if data[at + i] != text[begin + i]:
            return False
    return True


@kernel
def _remember(data, at, size, start, found, word, place, text, ids):
    """Hold a word and the way that _cut found, behind those that are held."""
    first, last = place[word, 0], place[word, 1]
    for i in range(size):
        text[first + i] = data[at + i]
    end, count = size, 0
    while end > 0:
        count += 1
        end = np.int64(start[end])
    end = size
    for k in range(last + count - 1, last - 1, -1):
        ids[k] = found[end]
        end = np.int64(start[end])
    place[word + 1, 0], place[word + 1, 1] = first + size, last + count


@kernel
def emit(data, at, way, first, last, unknown, bytes_from, none, sizes, fused, count, ids):
    """Write way[first:last] for the text at ``at``; returns the new count, and whether it ends in an unknown id."""
    for k in range(first, last):
        if way[k] != none:
            ids[count] = way[k]
            at += sizes[way[k]]
            count += 1
            fused = False
        else:
            char = character_size(data[at])
            if bytes_from >= 0:
                for i in range(char):
                    ids[count + i] = bytes_from + np.int64(data[at + i])
                count += char
            elif not fused:  # unknown characters in a row are one id
                ids[count] = unknown
                count += 1
                fused = True
            at += char
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
    table,
    known,
    place,
    margin,
    text,
    ways,
    lines,
    lines_int,
    lines_float,
    lines_known,
    best,
    start,
    found,
    way,
    new_offsets,
    ids,
):
    mask, count, none = np.uint64(table.size - 1), 0, np.int64(scores.size - 1)
    line_mask = np.uint64(lines.shape[0] - 1)
    for row in range(offsets.size - 1):
        at, stop, total, fused = offsets[row], offsets[row + 1], np.float32(0), False
        while at < stop:
            end = _word_end(data, at, stop)
            size, word, exact = end - at, np.int64(-1), False
            if abs(total) > RESET:
                total = np.float32(0)
            # A line: 16 bytes of the word and its size, FEW ids, their scores, the margin, how many ids.
            line = np.int64(-1)
            marked = 3 if size > 3 and data[at] == 0xE2 and _is_marker(data, at) else 0
            if size - marked <= SMALL and at + marked + 16 <= data.size:
                low, high = _key(data, at + marked, size - marked)
                high |= np.uint64((size - marked) | marked << 4) << np.uint64(56)
                line = np.int64(mix(low ^ GOLDEN, high ^ np.uint64(0xE7037ED1A0B428DB)) & line_mask)
                while lines[line, 1] != 0 and (lines[line, 0] != low or lines[line, 1] != high):
                    line = (line + 1) & np.int64(line_mask)
                if lines[line, 1] != 0:
                    n, after = lines_int[line, 13], total
                    for k in range(n):
                        after += lines_float[line, 8 + k]
                    worst = abs(total) + np.float32(size) * -scores[none]
                    if lines_float[line, 12] > np.float32(size + 1) * ULP * worst and worst < RESET:
                        for k in range(FEW):  # as many as fit, for the next ones overwrite what is too much
                            ids[count + k] = lines_int[line, 4 + k]
                        count += n
                        total, at, fused = after, end, False
                        continue
                    line = -1
            if size <= LONGEST:
                slot = hash_word(data, at, end) & mask
                word = np.int64(table[slot])
                while word >= 0 and not _same(data, at, size, text, place[word, 0], place[word + 1, 0]):
                    slot = (slot + np.uint64(1)) & mask
                    word = np.int64(table[slot])
                if word < 0:
                    word = known[0]
                    if 2 * word >= table.size or place[word, 0] + size > text.size or place[word, 1] + size > ways.size:
                        table[:] = -1
                        word = 0
                        slot = hash_word(data, at, end) & mask
                    _cut(data, at, end, keys, nodes, piece, scores, np.float32(0), best, start, found)
                    margin[word] = _margin(data, at, end, keys, nodes, piece, scores, best, start, way)
                    _remember(data, at, size, start, found, word, place, text, ways)
                    table[slot], known[0] = word, word + 1
                after, begin, last = total, place[word, 1], place[word + 1, 1]
                if line >= 0 and last - begin <= FEW and 2 * lines_known[0] < lines.shape[0]:
                    plain = True
                    for k in range(begin, last):
                        plain &= ways[k] != none
                    if plain:
                        lines[line, 0], lines[line, 1] = low, high
                        lines_int[line, 13], lines_float[line, 12] = last - begin, margin[word]
                        for k in range(last - begin):
                            lines_int[line, 4 + k], lines_float[line, 8 + k] = ways[begin + k], scores[ways[begin + k]]
                        lines_known[0] += 1
                for k in range(place[word, 1], place[word + 1, 1]):
                    after += scores[ways[k]]
                # Two ways round once a piece each, by half a unit in the last place of their sums.
                worst = abs(total) + np.float32(size) * -scores[none]
                exact = margin[word] > np.float32(size + 1) * ULP * worst and worst < RESET
            if exact:
                count, fused = emit(
                    *(data, at, ways, place[word, 1], place[word + 1, 1]),
                    *(unknown, bytes_from, none, sizes, fused, count, ids),
                )
                total = after
            else:
                total = _cut(data, at, end, keys, nodes, piece, scores, total, best, start, found)
                back, first = size, size
                while back > 0:
                    first -= 1
                    way[first] = found[back]
                    back = np.int64(start[back])
                count, fused = emit(*(data, at, way, first, size, unknown, bytes_from, none, sizes, fused, count, ids))
            at = end
        new_offsets[row + 1] = count
    return count
