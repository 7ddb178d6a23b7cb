"""Best segmentation under a unigram model, piece for piece that of SentencePiece 0.2.3.

Pieces never cross a ▁ that begins a word, nor adjacent characters that no piece contains (segments.py). So each segment
between is encoded alone and cached. But SentencePiece adds up scores in float32 over the whole document, and far into
it rounding decides between segmentations that are nearly equal. So each cached segment has a margin: by how much its
segmentation beats the second best. If rounding could exceed the margin, or the sum is about to be reset to 0 (beyond
±100,000), the segment is encoded again from the current sum.

A segment of up to 30 bytes after its ▁ that became up to seven ids fills a cache line: its bytes, ids and margin. The
cache is 4-way set associative: a segment may lie in any of four lines, and replaces one of them if all are taken.
"""

from collections.abc import Iterable

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W1, mix
from gristmill.pipelines.kernels.intrinsics import (
    allocating_kernel,
    inline_kernel,
    kernel,
    load_u64,
    low_bytes_mask,
    prefetch,
)
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import character_size, codepoint_at, codepoints
from gristmill.tokenizers_lab.strings.trie import NOTHING, build
from gristmill.tokenizers_lab.unigram.double_array import PIECE, ROOT, SCORE, build_double_array, child
from gristmill.tokenizers_lab.unigram.segments import MARKER, adjacent_pairs, is_marker, split_segments
from gristmill.tokenizers_lab.unigram.viterbi import INF, RESET, scratch, viterbi

SIEVE = 1 << 17  # bytes; 32,000 pieces set one bit in thirty
UNSPLIT_BYTES = 18  # bytes of a word that is not split: the ends of English words are found 8 bytes at a time
CACHE_LINES = 1 << 19  # 32 MB; a mix of languages ran at 56 MB/s, with 2 ** 18 lines at 47, with 2 ** 20 no faster
WAYS = 4  # lines that a segment may lie in
LINE_BYTES, LINE_IDS = 30, 7  # bytes and ids of a segment that fit a line
IDS, MARGIN = 8, 15  # their places in a line, in units of 4 bytes
PREFETCH_PARTS = 8  # segments whose lines are prefetched
PENALTY = np.float32(10)  # score of an unknown character below the lowest score
ULP = np.float32(2**-23)
MARK_SIZE = len(MARKER)
SIZE_SHIFT, MARK_SHIFT, COUNT_SHIFT = U64(48), U64(53), U64(56)
KEY = (U64(1) << COUNT_SHIFT) - U64(1)  # the bits of a line's fourth word except the number of ids


class UnigramEncoder:
    """Encoder of text whose spaces are ▁ already, which keeps its cache from batch to batch; use one per worker."""

    def __init__(
        self,
        pieces: list[bytes],
        scores: np.ndarray,
        unknown: int,
        bytes_from: int = -1,
        lines: int = CACHE_LINES,
        symbols: Iterable[int] = (),
        dtype: type | np.dtype = np.int32,
    ):
        """Take pieces and ``scores`` float32 [pieces], NaN for pieces that no text becomes (control, unused, byte).

        - ``symbols`` are ids of user-defined symbols: as in SentencePiece their scores are above 0.
        - ``unknown`` is the id of an unknown character; with ``bytes_from`` each byte b of it has the id ``bytes_from +
          b``.
        """
        least = np.nanmin(scores).astype(np.float32)
        scores = scores.astype(np.float32)
        for id in symbols:
            scores[id] = 0.1 * (len(pieces[id]) - 1)
        text = np.flatnonzero(~np.isnan(scores))
        known = codepoints(Ragged.from_strings([pieces[id] for id in text]))
        self.trie, self.sieve = build(known), adjacent_pairs(known, SIEVE)
        self.trie.piece[self.trie.piece != NOTHING] = text[self.trie.piece[self.trie.piece != NOTHING]]
        self.by_word = not any(MARKER in pieces[id][1:] for id in text)
        self.sizes = np.array([*map(len, pieces), 0], np.int32)
        self.scores = np.append(scores, least - PENALTY)
        self.packed = build_double_array(self.trie, known, self.scores)
        self.unknown, self.bytes_from, self.dtype = unknown, bytes_from, dtype
        self.lines = np.zeros((lines, 8), np.uint64)

    def __call__(self, text: Ragged) -> Ragged:
        """Return the ids of each document."""
        documents, ends = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + 1, np.int64)
        parts = split_segments(*text, self.sieve, self.by_word, UNSPLIT_BYTES, documents, ends)
        ends = ends[: parts + 1]
        places = np.empty(parts + PREFETCH_PARTS, np.int32)
        _find_places(ends, text.data, *self.packed[:2], self.lines.shape[0], places)
        offsets, ids = np.zeros(text.rows + 1, np.int64), np.empty(text.data.size, self.dtype)
        room = scratch(int(np.diff(ends).max(initial=0)))
        cache = self.lines, self.lines.view(np.int32), self.lines.view(np.float32)
        model = self.packed, self.scores, self.sizes, self.unknown, self.bytes_from
        count = _encode(documents, ends, places, text.data, *model, cache, room, offsets, ids)
        return Ragged.from_arrays(offsets, ids[:count])


@kernel
def _find_places(ends, data, letters, nodes, lines, places):
    """Find the cache line of each segment: a line number, ~node for a single character, or ~0 if it is not cached."""
    for part in range(ends.size - 1):
        at, size = ends[part], ends[part + 1] - ends[part]
        if size == character_size(data[at]):
            places[part] = ~max(child(nodes, ROOT, letters[codepoint_at(data, at, at + size)[0]]), ROOT)
            continue
        mark = _mark_size(data, at, size)
        places[part] = ~0
        if size - mark <= LINE_BYTES and at + mark + 32 <= data.size:
            a, b, c, d = _key(data, at + mark, size - mark, mark > 0)
            places[part] = mix(a ^ c ^ GOLDEN_RATIO, b ^ d ^ W1) & U64(lines - 1)
    places[ends.size - 1 :] = 0


@inline_kernel
def _mark_size(data, at, size):
    return MARK_SIZE * (size > MARK_SIZE and is_marker(data, at, at + size))


@inline_kernel
def _key(data, at, size, marked):
    """Return up to 30 bytes, their number and whether ▁ comes before them, as four words; 32 bytes must be readable."""
    a = load_u64(data, at) & low_bytes_mask(min(size, 8))
    b = load_u64(data, at + 8) & low_bytes_mask(min(max(size - 8, 0), 8))
    c, d = U64(0), U64(size) << SIZE_SHIFT | U64(marked) << MARK_SHIFT
    if size > 16:
        c = load_u64(data, at + 16) & low_bytes_mask(min(size - 16, 8))
        d |= load_u64(data, at + 24) & low_bytes_mask(max(size - 24, 0))
    return a, b, c, d


@inline_kernel
def _line_of(lines, place, a, b, c, d):
    """Return the line of a segment and whether it is there; if not, the line to write it to."""
    mask, line = lines.shape[0] - 1, place
    for k in range(WAYS):
        line = (place + k) & mask
        if lines[line, 0] == a and lines[line, 1] == b and lines[line, 2] == c and lines[line, 3] & KEY == d:
            return line, True
        if lines[line, 3] == 0:
            return line, False
    return (place + np.int64(a >> U64(3)) % WAYS) & mask, False


@kernel
def emit(data, at, stop, way, first, last, unknown, bytes_from, none, sizes, fused, count, ids):
    """Write the ids of way[first:last] for data[at:stop]; return the new count, and whether the last id is unknown."""
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
        elif not fused:  # consecutive unknown characters make one id
            ids[count] = unknown
            count += 1
            fused = True
        at += size
    return count, fused


@allocating_kernel
def _encode(documents, ends, places, data, trie, scores, sizes, unknown, bytes_from, cache, room, new_offsets, ids):
    (_, nodes, node_scores), (lines, line_ids, line_floats) = trie, cache
    way = room[5]
    count, none = 0, np.int64(scores.size - 1)
    for row in range(documents.size - 1):
        total, fused = np.float32(0), False
        for part in range(documents[row], documents[row + 1]):
            prefetch(lines, 8 * max(places[part + PREFETCH_PARTS], 0))
            at, end, place = ends[part], ends[part + 1], np.int64(places[part])
            if abs(total) > RESET:
                total = np.float32(0)
            if place < 0 and nodes[~place, PIECE] != NOTHING:
                ids[count] = nodes[~place, PIECE]
                total += node_scores[~place, SCORE]
                count, fused = count + 1, False
                continue
            size = end - at
            # Two segmentations round once per piece, each by half a unit in the last place of its sum.
            worst = abs(total) + np.float32(size) * -scores[none]
            least = np.float32(size + 1) * ULP * worst if worst < RESET else INF
            if place >= 0:
                mark = _mark_size(data, at, size)
                a, b, c, d = _key(data, at + mark, size - mark, mark > 0)
                line, held = _line_of(lines, place, a, b, c, d)
                if not held:
                    n, _, margin = viterbi(data, at, end, trie, none, scores[none], np.float32(0), room)
                    held = n <= LINE_IDS
                    for k in range(n):
                        held = held and way[k] != none
                    if held:
                        lines[line, 0], lines[line, 1], lines[line, 2] = a, b, c
                        lines[line, 3], line_floats[line, MARGIN] = d | U64(n) << COUNT_SHIFT, margin
                        for k in range(n):
                            line_ids[line, IDS + k] = way[k]
                if held and line_floats[line, MARGIN] > least:
                    for k in range(IDS, IDS + np.int64(lines[line, 3] >> COUNT_SHIFT)):
                        ids[count] = line_ids[line, k]
                        total += scores[line_ids[line, k]]
                        count += 1
                    fused = False
                    continue
            n, total, _ = viterbi(data, at, end, trie, none, scores[none], total, room)
            count, fused = emit(data, at, end, way, 0, n, unknown, bytes_from, none, sizes, fused, count, ids)
        new_offsets[row + 1] = count
    return count
