"""Text to ids, one pre-token at a time: each is encoded once and cached (cache.py).

A pre-token is encoded by BPE (apply_merges.py) or, given a trie, by WordPiece (longest_match.py).
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.apply_merges import SHORT, merge, rank_queues
from gristmill.tokenizers_lab.encode.cache import (
    LINE_ID_BYTES,
    LONG_BYTES,
    MIN_LINES,
    PretokenCache,
    find_line,
    find_long,
    has_ids,
    insert_line,
    insert_long,
    key_of,
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
from gristmill.tokenizers_lab.encode.vocab_lookup import VocabLookup, lookup
from gristmill.tokenizers_lab.pretokenize import DROPS_SPACE, pretokenize
from gristmill.tokenizers_lab.pretokenize.classes import kind_at
from gristmill.tokenizers_lab.pretokenize.scan import SPACES, is_in
from gristmill.tokenizers_lab.strings.trie import NOTHING


class Encoder:
    """Encoder by BPE or WordPiece, which keeps its cache from batch to batch; use one per worker."""

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
        self.cache, self.queues = PretokenCache.empty(MIN_LINES, dtype), rank_queues(0, 0)

    def __call__(self, text: Ragged) -> Ragged:
        """Return the ids of each document, uint16 or uint32."""
        cut = pretokenize(text, self.pretokenizer)
        longest = int(np.diff(cut.offsets).max(initial=0))
        if longest > SHORT and longest > self.queues.before.size:
            self.queues = rank_queues(2 * longest, self.merges.made.size)
        room = np.empty((2, max(longest, SHORT) + 1), np.int32)
        offsets, ids = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + LINE_ID_BYTES, self.dtype)
        drops, done = self.pretokenizer in DROPS_SPACE, np.zeros(3, np.int64)
        tables = self.first, self.premerged, self.merges_and_barriers, self.vocab, self.trie
        out = offsets, ids, ids.view(np.uint8)
        while encode(cut, text.data, drops, *tables, self.cache, room, self.queues, out, done):
            self.cache = self.cache.larger()
        return Ragged.from_arrays(offsets, ids[: done[2]])


@allocating_kernel
def encode(cut, data, drops, first, premerged, merges, vocab, trie, cache, room, queues, out, done):
    """Fill ``offsets`` and ``ids`` from the state ``done`` on; True if the cache became full before the end.

    ``done`` counts the pre-tokens, documents and ids that are written.
    """
    (documents, ends), (pairs, made), symbols, ranks = cut, merges, room[0], room[1]
    offsets, ids, id_bytes = out
    lines, line_ids, slots, places, text, known, used = cache
    row, count, full = done[1], done[2], False
    for number in range(done[0], ends.size - 1):
        while documents[row] == number:
            offsets[row] = count
            row += 1
        at, end = ends[number], ends[number + 1]
        if drops and is_in(kind_at(data, at, end)[0], SPACES):
            continue
        low, high = key_of(data, at, end)
        line = find_line(lines, low, high) if high else 0
        new = high and not lines[line, 1]
        if high and has_ids(lines, line):
            count += write_line(lines, line, id_bytes, count * ids.itemsize)
            continue
        word, slot = find_long(data, at, end, slots, places, text) if end - at <= LONG_BYTES and not new else (-1, 0)
        if word >= 0:
            for k in range(places[word, 1], places[word + 1, 1]):
                ids[count] = known[k]
                count += 1
            continue
        n, id = 1, np.int64(-1)
        if vocab.ids.size:
            id = lookup(data, at, end, vocab)
        if id >= 0:
            symbols[0] = id
        elif trie.inside != NOTHING:
            n = encode_word(data, at, end, trie, symbols)
        else:
            if premerged.size:
                n = premerged_symbols(data, at, end, first, premerged, symbols)
            else:
                n = first_symbols(data, at, end, first, symbols)
            n = merge(symbols, ranks, n, pairs, made, queues)
        for k in range(n):
            ids[count + k] = symbols[k]
        count += n
        if new:
            full = insert_line(lines, line_ids, used, line, low, high, symbols, n)
        elif end - at <= LONG_BYTES:
            full = insert_long(data, at, end, slots, places, text, known, used, slot, symbols, n)
        if full:
            done[0], done[1], done[2] = number + 1, row, count
            return True
    offsets[row:] = count
    done[2] = count
    return False
