"""BPE-dropout (Provilkov et al. 2020, https://arxiv.org/abs/1910.13267): sample a segmentation by skipping merges.

At each step every applicable merge is skipped with probability p; if all are skipped, the pre-token is finished.
Equivalent and cheaper: go through the applicable merges in rank order and apply the first whose draw is >= p. Draw k of
a document is a hash of (seed, document number, k), so the sample does not depend on the batch.
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import U64, W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.encoder import Encoder
from gristmill.tokenizers_lab.encode.initial_symbols import first_symbols
from gristmill.tokenizers_lab.encode.merge_table import NEVER, rank_of
from gristmill.tokenizers_lab.pretokenize import DROPS_SPACE, pretokenize
from gristmill.tokenizers_lab.pretokenize.classes import kind_at
from gristmill.tokenizers_lab.pretokenize.scan import SPACES, is_in

PLACE = (1 << 32) - 1


class Dropout:
    """Encoder that skips each merge with probability ``chance``."""

    def __init__(self, encoder: Encoder, chance: float, seed: int):
        self.encoder, self.chance, self.seed = encoder, chance, U64(seed)

    def __call__(self, text: Ragged, numbers: np.ndarray) -> Ragged:
        """Return each document's ids, uint16 or uint32; ``numbers`` uint64[rows] select the draws (say, an epoch)."""
        encoder = self.encoder
        documents, ends = pretokenize(text, encoder.pretokenizer)
        ids = np.empty(text.data.size, encoder.dtype)
        drops, draws_of = encoder.pretokenizer in DROPS_SPACE, (self.chance, self.seed, numbers.astype(np.uint64))
        offsets, count = draw(documents, ends, text.data, drops, encoder.first, *encoder.merges, *draws_of, ids)
        return Ragged.from_arrays(offsets, ids[:count])


@inline_kernel
def bernoulli(key, number):
    """Return draw ``number``, 0 <= draw < 1: wyrand (github.com/wangyi-fudan/wyhash) with the number as state."""
    state = key + U64(number) * W0
    return np.float64(mix(state, state ^ W1) >> U64(11)) * 2.0**-53


@kernel
def _push(heap, size, entry):
    at = size
    while at > 0 and heap[(at - 1) >> 1] > entry:
        heap[at] = heap[(at - 1) >> 1]
        at = (at - 1) >> 1
    heap[at] = entry


@kernel
def _pop(heap, size):
    """Remove and return the first of ``size`` > 0 entries of a heap."""
    first, last, at = heap[0], heap[size - 1], 0
    while 2 * at + 1 < size - 1:
        below = 2 * at + 1
        below += below + 1 < size - 1 and heap[below + 1] < heap[below]
        if heap[below] >= last:
            break
        heap[at] = heap[below]
        at = below
    heap[at] = last
    return first


@kernel
def merge_some(symbols, ranks, count, pairs, made, heap, skipped, before, after, chance, key, draws):
    """Merge symbols[:count] in place; return the number that is left, and the number of draws made so far.

    ``heap`` int64[3 * count] holds rank << 32 | place; an entry is void once the place has another rank.
    """
    size = 0
    for i in range(count):
        before[i], after[i] = i - 1, i + 1
        ranks[i] = rank_of(pairs, symbols[i], symbols[i + 1]) if i + 1 < count else NEVER
        if ranks[i] != NEVER:
            _push(heap, size, np.int64(ranks[i]) << 32 | i)
            size += 1
    while True:
        held, at, last = 0, np.int64(-1), np.int64(-1)
        while size > 0 and at < 0:
            entry = _pop(heap, size)
            size -= 1
            if entry == last or ranks[entry & PLACE] != entry >> 32:  # a duplicate, or void
                continue
            last = entry
            if bernoulli(key, draws) < chance:
                skipped[held] = entry
                held += 1
            else:
                at = entry & PLACE
            draws += 1
        if at < 0:
            break
        for i in range(held):
            _push(heap, size, skipped[i])
            size += 1
        left, right, end = np.int64(before[at]), np.int64(after[at]), np.int64(after[after[at]])
        symbols[at], after[at] = made[ranks[at]], end
        ranks[right] = ranks[at] = NEVER
        if end < count:
            before[end] = at
            ranks[at] = rank_of(pairs, symbols[at], symbols[end])
            if ranks[at] != NEVER:
                _push(heap, size, np.int64(ranks[at]) << 32 | at)
                size += 1
        if left >= 0:
            ranks[left] = rank_of(pairs, symbols[left], symbols[at])
            if ranks[left] != NEVER:
                _push(heap, size, np.int64(ranks[left]) << 32 | left)
                size += 1
    kept, at = 0, 0
    while at < count:
        symbols[kept] = symbols[at]
        kept, at = kept + 1, np.int64(after[at])
    return kept, draws


@allocating_kernel
def draw(documents, ends, data, drops, first, pairs, made, chance, seed, numbers, ids):
    """Fill ``ids``; return where the ids of each document begin, and their number."""
    longest = 0
    for i in range(ends.size - 1):
        longest = max(longest, ends[i + 1] - ends[i])
    symbols, ranks, before, after = np.empty((4, longest + 1), np.int32)
    heap, skipped = np.empty((2, 3 * longest), np.int64)
    offsets, count = np.empty(documents.size, np.int64), 0
    for row in range(documents.size - 1):
        offsets[row] = count
        key, draws = mix(seed ^ W0, numbers[row] ^ W1), 0
        for number in range(documents[row], documents[row + 1]):
            at, end = ends[number], ends[number + 1]
            if drops and is_in(kind_at(data, at, end)[0], SPACES):
                continue
            n = first_symbols(data, at, end, first, symbols)
            n, draws = merge_some(symbols, ranks, n, pairs, made, heap, skipped, before, after, chance, key, draws)
            for k in range(n):
                ids[count + k] = symbols[k]
            count += n
    offsets[documents.size - 1] = count
    return offsets, count
