"""Second stage of SuperBPE (Liu et al. 2025, arXiv:2503.13423): merges of BPE that may cross the spaces between words.

Superwords (pretokenize/superwords.py) are encoded by the first stage, and pairs of its tokens merge as in any training.
Most superwords occur once, so all of them in memory would take more than the corpus. But a place is never merged across
if its pair of tokens is rarer than the last merge: every later pair at that place is as rare. So

1. the pairs are counted, hashed into COUNTERS cells: a shared cell counts too much, never too little;
2. superwords are cut at pairs rarer than a minimum, parts of one token are dropped, and equal parts are counted;
3. the parts are merged, down to pairs of the minimum count. If that gives too few pieces, the minimum is lowered.

The merges are those of the whole text: a merge that spells a piece or special token again is not made, so each piece
has one pair of halves, and no pair becomes more frequent. 56 MB of novels, whose distinct superwords are 9.8 million
tokens, become parts of 2.8 million.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from pydantic import Field

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import Positive
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings
from gristmill.tokenizers_lab.bpe.merge_kernels import BY_IDS, SKIP
from gristmill.tokenizers_lab.bpe.merger import CorpusCells, MergeLoop
from gristmill.tokenizers_lab.bpe.train_bpe import REPORT_MERGES
from gristmill.tokenizers_lab.count.word_counts import WordCounts
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer

COUNTERS = 1 << 24
BLOCK_BYTES = 8 << 20
LOWER = 4  # factor between two minimum counts


class SuperbpeSettings(Settings):
    """Settings of SuperBPE. The defaults are the paper's."""

    transition: float = Field(0.9, gt=0)  # size of the first stage's vocabulary: share of vocab_size, or pieces if > 1
    max_words: Positive = 4  # spaces in a piece

    def first_size(self, vocab_size: int) -> int:
        """Return the number of pieces after the first stage."""
        return min(vocab_size, round(self.transition * vocab_size if self.transition <= 1 else self.transition))


def join_words(
    model: Model,
    superwords: Iterable[WordCounts],
    vocab_size: int,
    settings: SuperbpeSettings,
    on_progress: Callable[[int, int], None] = lambda merges, wanted: None,
    min_frequency: int = 1,
) -> Model:
    """Return the model with merges of superwords added, up to ``vocab_size`` pieces.

    ``superwords`` are tables of counts, iterated several times. The result depends on their sum alone. Raises
    RecipeError if they give too few pieces.
    """
    encoder, wanted = Tokenizer(model), vocab_size - model.size
    pairs = np.zeros(COUNTERS, np.int64)
    for ids, counts in encoded(encoder, superwords):
        count_pairs(*ids, counts, pairs)
    least = int(np.partition(pairs, -wanted)[-wanted]) if 0 < wanted < pairs.size else 0
    while True:
        least = max(least // LOWER, min_frequency, 1)
        rows, counts = frequent_parts(encoder, superwords, pairs, least)
        loop = MergeLoop(
            CorpusCells.from_words(rows, counts),
            model.pieces,
            vocab_size,
            rule=(BY_IDS, SKIP),
            min_frequency=least,
            max_length=settings.max_words,
            size_of=lambda piece: piece.count(b" "),
        )
        while loop.merge(REPORT_MERGES):
            on_progress(loop.merges, wanted)
        if loop.symbols == vocab_size:
            return replace(with_merges(model, loop.result()), pretokenizer="superwords")
        if least == max(min_frequency, 1):
            raise RecipeError(
                f"vocab_size {vocab_size:,} is more than the corpus gives: {model.size:,} pieces of words and "
                f"{loop.merges:,} of superwords; lower vocab_size, raise superbpe.transition or add text"
            )


def encoded(encoder: Tokenizer, superwords: Iterable[WordCounts]) -> Iterator[tuple[Ragged, np.ndarray]]:
    """Yield the ids and counts of superwords in blocks of some BLOCK_BYTES: encoding takes 8 bytes per byte of text."""
    for words, counts in superwords:
        cuts = np.searchsorted(words.offsets, np.arange(0, words.data.size, BLOCK_BYTES))
        for begin, end in pairwise(np.unique([*cuts, words.rows]).tolist()):
            offsets = words.offsets[begin : end + 1]
            block = Ragged.from_arrays(offsets - offsets[0], words.data[offsets[0] : offsets[-1]])
            yield encoder(block), counts[begin:end]


def frequent_parts(
    encoder: Tokenizer, superwords: Iterable[WordCounts], pairs: np.ndarray, least: int
) -> tuple[Ragged, np.ndarray]:
    """Return the distinct parts of superwords between rare pairs, as rows of ids sorted by bytes, and their counts."""
    import polars as pl  # 27 MB, which training of plain BPE does without

    parts = [pl.DataFrame(schema={"ids": pl.Binary, "count": pl.Int64})]
    for ids, of_row in encoded(encoder, superwords):
        offsets, kept, counts = cut_at_rare_pairs(*ids, of_row, pairs, least)
        rows = Ragged.from_arrays(offsets * ids.data.itemsize, kept.view(np.uint8)).to_text()
        frame = pl.DataFrame({"ids": pl.Series(rows.cast("large_binary")), "count": counts})
        parts.append(frame.group_by("ids").sum())
    summed = pl.concat(parts).group_by("ids").sum().sort("ids")
    rows = Ragged.from_text(summed["ids"].to_arrow().view("large_string"))
    ids = rows.data.view(encoder.model.dtype).astype(np.int32)
    return Ragged.from_arrays(rows.offsets // encoder.model.dtype.itemsize, ids), summed["count"].to_numpy()


@inline_kernel
def _counter(left, right, pairs):
    key = U64(left) << U64(32) | U64(right)
    return np.int64(key * GOLDEN_RATIO >> U64(40)) & pairs.size - 1


@kernel
def count_pairs(offsets, ids, counts, pairs):
    """Add the count of each row to the counters of its pairs of neighbors."""
    for row in range(offsets.size - 1):
        for i in range(offsets[row] + 1, offsets[row + 1]):
            pairs[_counter(ids[i - 1], ids[i], pairs)] += counts[row]


@allocating_kernel
def cut_at_rare_pairs(offsets, ids, counts, pairs, least):
    """Return the parts of rows between pairs rarer than ``least``, without parts of one id: offsets, ids, counts."""
    ends, kept = np.empty(ids.size // 2 + 2, np.int64), np.empty_like(ids)
    of_part = np.empty(ids.size // 2 + 1, np.int64)
    ends[0] = parts = at = 0
    for row in range(offsets.size - 1):
        begin = offsets[row]
        for end in range(begin + 1, offsets[row + 1] + 1):
            if end < offsets[row + 1] and pairs[_counter(ids[end - 1], ids[end], pairs)] >= least:
                continue
            if end - begin > 1:
                kept[at : at + end - begin] = ids[begin:end]
                at += end - begin
                ends[parts + 1], of_part[parts] = at, counts[row]
                parts += 1
            begin = end
    return ends[: parts + 1].copy(), kept[:at].copy(), of_part[:parts].copy()


def with_merges(model: Model, made: np.ndarray) -> Model:
    """Return the model with merges added, each of which makes a new piece."""
    pieces = [*model.pieces]
    for left, right, _ in made.tolist():
        pieces.append(pieces[left] + pieces[right])
    merges = np.concatenate((model.merges, made)).astype(np.int32)
    return replace(model, pieces=pieces, merges=merges)
