"""More merges for a BPE tokenizer that there is, after its own: to fit it to other text, or to join words.

Words are first encoded as they stand, so every id keeps its meaning; then pairs of ids merge as in training. With
words counted by a coarser pretokenizer, such as ``lines``, new pieces reach across words: the second phase of SuperBPE (Liu
et al. 2025). The model then cuts text by that pretokenizer too, and its older merges may cross what was a border before.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.alphabet import NONE, Alphabet
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, train_bpe
from gristmill.tokenizers_lab.count.word_counts import WordCounts
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer


class VocabularyAlphabet(Alphabet):
    """The pieces of a model; ``symbol_of`` int32[pieces], NONE for what may not merge."""

    def __new__(cls, model: Model):
        symbol_of = np.arange(model.size, dtype=np.int32)
        symbol_of[[*model.special_ids]] = NONE
        if model.bytes_from is not None:  # no character is made of bytes, but ASCII
            symbol_of[model.bytes_from + 128 : model.bytes_from + 256] = NONE
        known = super().__new__(cls, model.pieces, symbol_of)
        known.encode = Tokenizer(replace(model, pretokenizer="none", normalizers=()))
        return known

    def to_symbols(self, words: Ragged) -> Ragged:
        ids = self.encode(words)
        return Ragged.of(ids.offsets, self.symbol_of[ids.data])


def extend(
    model: Model,
    counts: WordCounts,
    vocab_size: int,
    pretokenizer: str | None = None,
    settings: BpeSettings | None = None,
    advance: Callable[[int, int], None] = lambda merges, wanted: None,
) -> Model:
    """The model with merges more, up to ``vocab_size`` pieces. ``pretokenizer`` is that of the counts, if not the model's.

    Of the settings (by default the plain ones) those count that say what merges. Raises InputError and RecipeError as
    ``train_bpe``, and RecipeError for a model that has no list of merges or is as large already.
    """
    if model.algorithm != "bpe" or model.by_piece:
        kind = "merges by piece" if model.by_piece else f"is {model.algorithm}"
        raise RecipeError(f"this tokenizer {kind}; only BPE with a list of merges can be extended")
    if vocab_size <= model.size:
        raise RecipeError(f"vocab_size {vocab_size:,} is not above the {model.size:,} pieces that there are; raise it")
    update = {"vocab_size": vocab_size, "special_tokens": [], "alphabet": model.alphabet}
    trained = train_bpe(
        counts, (settings or BpeSettings()).model_copy(update=update), advance, VocabularyAlphabet(model)
    )
    if special := model.special_ids.intersection(trained.made.tolist()):
        raise RecipeError(
            f"special token {model.pieces[min(special)].decode()!r} is also what merges make; use the rule tiktoken"
        )
    merges = np.concatenate((model.merges, np.column_stack((trained.merges, trained.made)))).astype(np.int32)
    return replace(model, pieces=trained.pieces, merges=merges, pretokenizer=pretokenizer or model.pretokenizer)
