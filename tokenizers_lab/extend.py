"""Add merges to a BPE tokenizer, after its own ones: to adapt it to other text, or to join words.

Words are first encoded as they are, so every id keeps its meaning; then pairs of ids merge as in training. Words
counted by a coarser pre-tokenizer, such as ``lines``, give pieces that span words: the second phase of SuperBPE (Liu et
al. 2025, arXiv:2503.13423). The model then pre-tokenizes so too, and its older merges may cross former boundaries.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.alphabet import NONE, Alphabet
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, train_bpe
from gristmill.tokenizers_lab.count.word_counts import WordCounts
from gristmill.tokenizers_lab.formats.check import LIBRARIES
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer


class VocabularyAlphabet(Alphabet):
    """Pieces of a model as an alphabet; ``symbol_of`` is int32[pieces], NONE for pieces that may not merge."""

    encode: Tokenizer

    def __new__(cls, model: Model):
        symbol_of = np.arange(model.size, dtype=np.int32)
        symbol_of[[*model.special_ids]] = NONE
        if model.bytes_from is not None:  # only an ASCII byte is a character
            symbol_of[model.bytes_from + 128 : model.bytes_from + 256] = NONE
        known = super().__new__(cls, model.pieces, symbol_of)
        known.encode = Tokenizer(replace(model, pretokenizer="none", normalizers=()))
        return known

    def to_symbols(self, words: Ragged) -> Ragged:
        ids = self.encode(words)
        return Ragged.from_arrays(ids.offsets, self.symbol_of[ids.data])


def check_extendable(model: Model, vocab_size: int) -> None:
    """Raise RecipeError for a model without a list of merges or one that is as large already."""
    if model.algorithm != "bpe" or model.by_piece:
        library = model.algorithm in LIBRARIES
        kind = "runs in" if library else "merges by piece:" if model.by_piece else "is"
        raise RecipeError(f"this tokenizer {kind} {model.algorithm}; only BPE with a list of merges can be extended")
    if vocab_size <= model.size:
        raise RecipeError(f"vocab_size {vocab_size:,} is not above the tokenizer's {model.size:,} pieces; raise it")


def extend(
    model: Model,
    counts: WordCounts,
    vocab_size: int,
    pretokenizer: str | None = None,
    settings: BpeSettings | None = None,
    on_progress: Callable[[int, int], None] = lambda merges, wanted: None,
) -> Model:
    """Return the model with merges added, up to ``vocab_size`` pieces; ``pretokenizer`` is the one of the counts.

    Only settings that restrict merges are used (by default none do). Raises InputError and RecipeError as
    ``train_bpe`` and `check_extendable`.
    """
    check_extendable(model, vocab_size)
    update = {"vocab_size": vocab_size, "special_tokens": [], "alphabet": model.alphabet}
    trained = train_bpe(
        counts, (settings or BpeSettings()).model_copy(update=update), on_progress, VocabularyAlphabet(model)
    )
    if special := model.special_ids.intersection(trained.made.tolist()):
        raise RecipeError(
            f"special token {model.pieces[min(special)].decode()!r} is also what merges make; use the rule tiktoken"
        )
    merges = np.concatenate((model.merges, np.column_stack((trained.merges, trained.made)))).astype(np.int32)
    return replace(model, pieces=trained.pieces, merges=merges, pretokenizer=pretokenizer or model.pretokenizer)
