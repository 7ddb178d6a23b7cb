"""Text to ids, one pre-token at a time: each is encoded once and cached (cache.py).

``encode_known`` takes up to BLOCK pre-tokens, computes their keys, which fetches their cache lines in advance, and then
copies their ids. It stops at a pre-token that is not cached. ``encode_pretoken`` encodes this one, by BPE
(apply_merges.py) or, given a trie, by WordPiece (longest_match.py).
"""

import threading
from functools import cache

import numpy as np

from gristmill.pipelines.kernels.hashing import U64, hash_word
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, trailing_zeros
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.apply_merges import SHORT, merge, rank_queues
from gristmill.tokenizers_lab.encode.cache import (
    COUNT_SHIFT,
    KEY,
    LINE_ID_BYTES,
    LONG,
    LONG_BYTES,
    MIN_LINES,
    ONE,
    PretokenCache,
    find_line,
    find_long,
    insert_line,
    insert_long,
    key_of,
    likely_line,
    write_line,
)
from gristmill.tokenizers_lab.encode.initial_symbols import (
    first_symbols,
    premergeable_characters,
    premerged_symbols,
    with_barriers,
)
from gristmill.tokenizers_lab.encode.longest_match import LongestMatch, encode_word
from gristmill.tokenizers_lab.encode.merge_table import MergeTable
from gristmill.tokenizers_lab.encode.vocab_lookup import NONE, VocabLookup, lookup
from gristmill.tokenizers_lab.pretokenize import (
    BERT,
    NAMES,
    WHITESPACE,
    certain_boundaries,
    next_boundary,
    outer_pretokens,
)
from gristmill.tokenizers_lab.pretokenize.classes import kind_at
from gristmill.tokenizers_lab.pretokenize.scan import SPACES, is_in
from gristmill.tokenizers_lab.pretokenize.windows import MARGIN, WINDOW
from gristmill.tokenizers_lab.strings.trie import NOTHING

BLOCK = 64  # pre-tokens whose keys are computed before the first is looked up; those of the last window are held too
LOW, HIGH, PLACE, BEGIN, END = range(5)  # a pre-token that is held: its key, where to look for it, and its bytes
ROWS, AT, COUNT, NEXT, HELD, LENGTH = range(6)  # state: documents begun, bytes read, ids, held pre-tokens; room needed
SMALL, PADDING = 4096, bytes(MARGIN)  # bytes of a single text, and behind it, so that its windows lie in the array


class Buffers(threading.local):
    """Cache and working memory of an encoder: each thread has its own."""

    def __init__(self, dtype: np.dtype):
        self.dtype, self.is_prefilled = dtype, False
        self.cache, self.queues = PretokenCache.empty(MIN_LINES, dtype), rank_queues(0, 0)
        self.room, self.state = np.empty((2, SHORT), np.int32), np.zeros(6, np.int64)
        self.keys = np.empty((BLOCK + WINDOW, 5), np.uint64)
        self.ids, self.out = np.empty(SMALL + LINE_ID_BYTES, dtype), np.empty(2, np.int64)  # of a single text
        self.ends = np.zeros(2, np.int64)
        self.offsets = Ragged.from_arrays(self.ends[:], self.ids[:0]).offsets  # the same memory, read-only

    def __reduce__(self):
        return Buffers, (self.dtype,)


class Encoder:
    """Encoder by BPE or WordPiece, which keeps its cache from batch to batch. Threads share the vocabulary alone."""

    def __init__(
        self,
        pretokenizer: str,
        dtype: np.dtype,
        first: np.ndarray,
        merges: MergeTable,
        spelled: Ragged,
        vocab: VocabLookup | None = None,
        trie: LongestMatch | None = None,
    ):
        """Take the text of each id, and ``first`` int32: the initial id by byte [256] or code point [0x110000 + 257].

        In a table by code point, -1 means that the character becomes the ids ``first[0x110000 + byte]`` of its bytes.
        If these are -1 too, it becomes the unknown id ``first[-1]``.
        """
        self.pretokenizer, self.dtype, self.first, self.merges = pretokenizer, dtype, first, merges
        self.premerged = premergeable_characters(first, merges, spelled)
        self.merges_and_barriers = with_barriers(merges, first, self.premerged, spelled)
        self.vocab, self.trie = vocab or VocabLookup.from_dict({}), trie or LongestMatch.none()
        self.spelled, self.buffers = spelled, Buffers(dtype)

    def __call__(self, text: Ragged) -> Ragged:
        """Return the ids of each document, uint16 or uint32."""
        if text.data.size > self.spelled.data.size:
            self.prefill()
        outer, name = outer_pretokens(text, self.pretokenizer)
        if outer:
            text = Ragged.from_arrays(outer.offsets, text.data)
        offsets, ids = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + LINE_ID_BYTES, self.dtype)
        self.buffers.state[:] = 0
        self._encode(NAMES.index(name), *text, offsets, ids)
        return Ragged.from_arrays(offsets[outer.documents] if outer else offsets, ids[: self.buffers.state[COUNT]])

    def encode_text(self, text: bytes) -> np.ndarray:
        """Return the ids of a single text; the thread's next call may overwrite the array.

        A call costs 2.6 us, and one for a batch 12: that one passes the tables that only new pre-tokens need.
        """
        if len(text) > SMALL or self.pretokenizer not in NAMES:
            return self(Ragged.from_strings([text])).data
        buffers, number = self.buffers, NAMES.index(self.pretokenizer)
        data, state, cache, ids = np.frombuffer(text + PADDING, np.uint8), buffers.state, buffers.cache, buffers.ids
        buffers.ends[1], state[:] = len(text), 0
        tables = cache.lines, cache.slots, cache.places, cache.text, cache.known, buffers.keys
        if not _known(number)(buffers.offsets, data, *tables, buffers.out, ids, state):
            self._encode(number, buffers.offsets, data, buffers.out, ids)
        return ids[: state[COUNT]]

    def prefill(self) -> None:
        """Write the pieces of the vocabulary to the cache: 0.02 s for 32,000. The first larger text does so, too."""
        if not self.buffers.is_prefilled:
            self.buffers.is_prefilled = True
            self(self.spelled)

    def _encode(self, number: int, offsets: np.ndarray, data: np.ndarray, out: np.ndarray, ids: np.ndarray) -> None:
        """Fill ``out`` and ``ids`` from the thread's state on."""
        own, tables = self.buffers, (self.first, self.premerged, self.merges_and_barriers, self.vocab, self.trie)
        while _encoder(number)(offsets, data, *tables, own.cache, own.room, own.queues, own.keys, out, ids, own.state):
            if length := int(own.state[LENGTH]):
                own.room, own.queues = (
                    np.empty((2, 2 * length), np.int32),
                    rank_queues(2 * length, self.merges.made.size),
                )
                own.state[LENGTH] = 0
            else:
                own.cache = own.cache.larger()


@inline_kernel
def encode_known(number, offsets, data, lines, slots, places, text, known, keys, out_offsets, ids, state):
    """Write ids from ``state`` on; True at the end of the text, False if pre-token ``state[NEXT]`` is not cached.

    The keys of up to BLOCK pre-tokens are held; a document has its own.
    """
    rows, at, count, held, following = state[ROWS], state[AT], state[COUNT], state[HELD], state[NEXT]
    stop, drops, half = offsets[rows], number == WHITESPACE or number == BERT, 8 // ids.itemsize
    while True:
        while following < held:
            k = U64(following)  # no test for an index below 0
            low, high, place = keys[k, LOW], keys[k, HIGH], keys[k, PLACE]
            line = likely_line(lines, place, low, high)
            word = lines[line + ONE]
            if word & KEY == high and lines[line] == low and word >> COUNT_SHIFT:  # mostly
                count += write_line(lines, line, word, ids, count, half)
                following += 1
                continue
            begin, end = np.int64(keys[following, BEGIN]), np.int64(keys[following, END])
            missing = end - begin > LONG_BYTES
            if high != LONG:
                line = find_line(lines, place, low, high)
                word = lines[line + ONE]
                if word >> COUNT_SHIFT:
                    count += write_line(lines, line, word, ids, count, half)
                    following += 1
                    continue
                missing, low = word == 0, hash_word(data, begin, end)
            row = np.int64(NONE)
            if not missing:
                row, _ = find_long(data, begin, end, low, slots, places, text)
            if row < 0:
                state[ROWS], state[AT], state[COUNT], state[HELD], state[NEXT] = rows, at, count, held, following
                return False
            for i in range(places[row, 1], places[row + 1, 1]):
                ids[count] = known[i]
                count += 1
            following += 1
        while at == stop:
            out_offsets[rows] = count
            if rows == offsets.size - 1:
                state[COUNT] = count
                return True
            rows += 1
            stop = offsets[rows]
        held = following = 0
        while held < BLOCK and at < stop:
            base, bits = at, certain_boundaries(number, data, at, stop)
            end = base + trailing_zeros(bits) if bits else next_boundary(number, data, at, stop)
            while True:
                if not (drops and is_in(kind_at(data, at, end)[0], SPACES)):
                    k = U64(held)
                    keys[k, LOW], keys[k, HIGH], keys[k, PLACE] = key_of(data, at, end, lines)
                    keys[k, BEGIN], keys[k, END] = at, end
                    held += 1
                at = end
                bits &= bits - ONE
                if not bits:
                    break
                end = base + trailing_zeros(bits)


@cache
def _known(number: int):
    @kernel
    def known(offsets, data, lines, slots, places, text, known, keys, out_offsets, ids, state):
        """Write ids from ``state`` on, as ``encode_known``."""
        return encode_known(number, offsets, data, lines, slots, places, text, known, keys, out_offsets, ids, state)

    return known


@cache
def _encoder(number: int):
    @kernel
    def encode(
        offsets, data, first, premerged, merges, vocab, trie, cache, room, queues, keys, out_offsets, ids, state
    ):
        """Write ids from ``state`` on; True if the cache is full or lacks room for ``state[LENGTH]`` symbols."""
        lines, line_ids, slots, places, text, known, used = cache
        tables = first, premerged, merges, vocab, trie
        while not encode_known(number, offsets, data, lines, slots, places, text, known, keys, out_offsets, ids, state):
            held = state[NEXT]
            low, high, place = keys[held, LOW], keys[held, HIGH], keys[held, PLACE]
            begin, end = np.int64(keys[held, BEGIN]), np.int64(keys[held, END])
            if end - begin > room.shape[1] or end - begin > max(SHORT, queues.before.size):
                state[LENGTH] = end - begin
                return True
            n = encode_pretoken(data, begin, end, tables, room, queues)
            for k in range(n):
                ids[state[COUNT] + k] = room[0, k]
            state[COUNT] += n
            state[NEXT] += 1
            line, full = U64(0), False
            if high != LONG:
                line = find_line(lines, place, low, high)
            if high != LONG and lines[line + ONE] == 0:
                full = insert_line(lines, line_ids, used, line, low, high, room[0], n)
            elif end - begin <= LONG_BYTES:
                hash = hash_word(data, begin, end)
                _, slot = find_long(data, begin, end, hash, slots, places, text)
                full = insert_long(data, begin, end, slots, places, text, known, used, slot, room[0], n)
            if full:  # the keys that are held look into these tables
                state[HELD] = state[NEXT] = 0
                state[AT] = end
                return True
        return False

    return encode


@kernel
def encode_pretoken(data, at, end, tables, room, queues):
    """Write the ids of a pre-token to ``room[0]``, and return their number."""
    first, premerged, (pairs, made), vocab, trie = tables
    symbols, ranks = room
    if vocab.ids.size:
        id = lookup(data, at, end, vocab)
        if id >= 0:
            symbols[0] = id
            return 1
    if trie.inside != NOTHING:
        return encode_word(data, at, end, trie, symbols)
    if premerged.size:
        n = premerged_symbols(data, at, end, first, premerged, symbols)
    else:
        n = first_symbols(data, at, end, first, symbols)
    return merge(symbols, ranks, n, pairs, made, queues)
