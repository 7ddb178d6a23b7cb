"""Text to ids, piece by piece of a pretokenizer: each is cut once and remembered (remembered.py).

How a piece is cut is BPE (merge_text.py) or, with a trie, WordPiece (longest.py).
"""

import numpy as np
from numba import njit

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
    """Cuts text by a pretokenizer, and each piece. Keeps its tables from batch to batch; one per worker."""

    def __init__(
        self,
        pretokenizer: str,
        dtype: np.dtype,
        first: np.ndarray,
        merges: MergeTable,
        spelled: Ragged,
        whole: VocabLookup | None = None,
        longest: LongestMatch | None = None,
    ):
        """``first`` int32: byte -> id [256], or code point -> id [0x110000] where -1 is written as its bytes' ids
        ``first[0x110000 + byte]``, or as one unknown id where these are -1 too and ``first[-1]`` has it. ``spelled``:
        the text of each id.
        """
        self.pretokenizer, self.dtype, self.first, self.merges = pretokenizer, dtype, first, merges
        self.sure = premergeable_characters(first, merges, spelled)
        self.parted = with_barriers(merges, first, self.sure, spelled)
        self.whole, self.longest = whole or VocabLookup.from_dict({}), longest or LongestMatch.none()
        self.held, self.long = PretokenCache.empty(MIN_LINES, dtype), rank_queues(0, 0)

    def __call__(self, text: Ragged) -> Ragged:
        """The ids of each document, uint16 or uint32."""
        cut = pretokenize(text, self.pretokenizer)
        longest = int(np.diff(cut.offsets).max(initial=0))
        if longest > SHORT and longest > self.long.before.size:
            self.long = rank_queues(2 * longest, self.merges.made.size)
        room = np.empty((2, max(longest, SHORT) + 1), np.int32)
        offsets, ids = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + LINE_ID_BYTES, self.dtype)
        done = np.zeros(3, np.int64)
        way = self.pretokenizer in DROPS_SPACE, self.first, self.sure, *self.parted, *self.whole, *self.longest
        while encode(*cut, text.data, *way, *self.held, *room, *self.long, offsets, ids, ids.view(np.uint8), done):
            self.held = self.held.larger()
        return Ragged.of(offsets, ids[: done[2]])


@njit(nogil=True, cache=True)
def encode(
    documents,
    ends,
    data,
    drops,
    first,
    sure,
    pairs,
    made,
    whole_offsets,
    whole_text,
    whole_ids,
    whole_slots,
    trie_keys,
    trie_nodes,
    trie_piece,
    inside,
    unknown,
    max_word,
    lines,
    line_ids,
    slots,
    places,
    text,
    known,
    used,
    symbols,
    ranks,
    head,
    waiting,
    place,
    behind,
    ordered,
    before,
    after,
    offsets,
    ids,
    id_bytes,
    done,
):
    """Fill ``offsets`` and ``ids`` up to the end, or until the tables of what is remembered are full: then True.

    ``done``: how many pieces, documents and ids are written; it goes on from there.
    """
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
        if whole_ids.size:
            id = lookup(data, at, end, whole_offsets, whole_text, whole_ids, whole_slots)
        if id >= 0:
            symbols[0] = id
        elif inside != NOTHING:
            n = encode_word(data, at, end, trie_keys, trie_nodes, trie_piece, inside, unknown, max_word, symbols)
        else:
            if sure.size:
                n = premerged_symbols(data, at, end, first, sure, symbols)
            else:
                n = first_symbols(data, at, end, first, symbols)
            n = merge(symbols, ranks, n, pairs, made, head, waiting, place, behind, ordered, before, after)
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
