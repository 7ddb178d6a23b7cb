"""Train BPE: a table of word counts -> the pieces of a vocabulary and the merges that make them."""

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import Field

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.inputs.inputs import Fraction, Positive
from gristmill.pipelines.settings import Settings
from gristmill.tokenizers_lab.bpe.alphabet import Alphabet, byte_alphabet, character_alphabet
from gristmill.tokenizers_lab.bpe.merge_kernels import ANEW, BY_IDS, BY_PLACE, BY_SPELLING, REUSE, SKIP
from gristmill.tokenizers_lab.bpe.merger import CorpusCells, MergeLoop
from gristmill.tokenizers_lab.count.word_counts import WordCounts

# Ties and duplicates as in the named trainer. minbpe orders pairs by their place in the text; here, in the table of
# words, which is the same if the table has the words in the order of the text.
COMPAT = {
    "hf": (BY_IDS, REUSE),  # tokenizers 0.23
    "tiktoken": (BY_IDS, ANEW),  # as rustbpe: bytes are numbered by value
    "minbpe": (BY_PLACE, ANEW),
    "sentencepiece": (BY_SPELLING, SKIP),
}
VocabSize = Annotated[int, Field(gt=0, lt=1 << 21)]  # the merge table has 21 bits per id
REPORT_MERGES = 1000  # merges between two calls of ``on_progress``


class BpeSettings(Settings):
    """Settings of BPE training. The defaults are those of tokenizers 0.23."""

    vocab_size: VocabSize = 32_000  # pieces, with the special tokens
    alphabet: Literal["bytes", "characters"] = "bytes"  # the initial pieces
    character_coverage: Fraction = 1.0  # characters: share of the text that the kept characters make up
    byte_fallback: bool = True  # characters: all bytes are pieces, for characters that are not kept
    min_frequency: int = Field(0, ge=0)  # a rarer pair is not merged
    max_token_length: Positive | None = None  # in bytes or characters; tokenizers' 16 is 15 here
    special_tokens: list[str] = []  # first in the vocabulary, but last with compat tiktoken and minbpe
    compat: Literal["hf", "tiktoken", "minbpe", "sentencepiece"] = "hf"  # the trainer whose ties and duplicates to copy
    allow_smaller: bool = False  # accept a vocabulary smaller than asked for


class TrainedBpe(NamedTuple):
    """Vocabulary and merges in rank order."""

    pieces: list[bytes]  # special tokens are among them
    merges: np.ndarray  # int32[m, 2]: ids of the two halves
    made: np.ndarray  # int32[m]: id of the whole; under "hf" two merges may make one piece


def train_bpe(
    counts: WordCounts,
    settings: BpeSettings,
    on_progress: Callable[[int, int], None] = lambda merges, wanted: None,
    alphabet: Alphabet | None = None,
    loop: type[MergeLoop] = MergeLoop,
) -> TrainedBpe:
    """Merge the most frequent pair of neighbors until there are ``vocab_size`` pieces.

    ``alphabet`` replaces the one that the settings give; ``loop`` may choose another pair than the most frequent.
    ``on_progress(merges, wanted)`` is called every REPORT_MERGES merges. The result depends on words, counts and
    settings alone, and on the order of words only under "minbpe".

    Raises InputError for a table without words. Raises RecipeError for a vocabulary too small for its alphabet or
    larger than the words can give, and for a special token that is also a piece.
    """
    if not counts.words.rows:
        raise InputError("the corpus has no words to train on; check its documents and the pre-tokenizer")
    alphabet = alphabet or initial_alphabet(counts, settings)
    target = settings.vocab_size - len(settings.special_tokens)
    check_vocab_size(alphabet, settings)
    merger = loop(
        CorpusCells.from_words(alphabet.to_symbols(counts.words), counts.counts),
        alphabet.pieces,
        target,
        rule=COMPAT[settings.compat],
        min_frequency=max(settings.min_frequency, 1),
        max_length=settings.max_token_length,
        size_of=characters if settings.alphabet == "characters" else len,
    )
    while merger.merge(REPORT_MERGES):
        on_progress(merger.merges, target - len(alphabet.pieces))
    if merger.symbols < target and not settings.allow_smaller:
        raise RecipeError(
            f"vocab_size {settings.vocab_size:,} is more than the corpus gives: {_describe(alphabet, settings)} and "
            f"{merger.symbols - len(alphabet.pieces):,} merges make "
            f"{merger.symbols + len(settings.special_tokens):,}; lower vocab_size, add text or set allow_smaller"
        )
    return assemble(alphabet.pieces, merger.result(), settings)


def characters(piece: bytes) -> int:
    """Return the number of characters of a piece."""
    return len(piece.decode(errors="replace"))


def initial_alphabet(counts: WordCounts, settings: BpeSettings) -> Alphabet:
    """Return the bytes, or the characters that the settings keep."""
    if settings.alphabet == "bytes":
        return byte_alphabet(as_hf=settings.compat == "hf")
    return character_alphabet(counts, settings.character_coverage, settings.byte_fallback)


def check_vocab_size(alphabet: Alphabet, settings: BpeSettings) -> None:
    """Raise RecipeError if alphabet and special tokens do not fit, or are not all distinct."""
    special = settings.special_tokens
    known = {*alphabet.pieces}
    for i, token in enumerate(special):
        if token in special[:i] or not token:
            raise RecipeError(f"special token {token!r} is empty or named twice; give each token a text of its own")
        if token.encode() in known:
            raise RecipeError(f"special token {token!r} is also a piece of the alphabet; choose another text")
    if settings.vocab_size < len(alphabet.pieces) + len(special):
        raise RecipeError(
            f"vocab_size {settings.vocab_size:,} has no room for {_describe(alphabet, settings)}; raise it"
        )


def assemble(first: list[bytes], made: np.ndarray, settings: BpeSettings) -> TrainedBpe:
    """Insert the special tokens and number everything; of a merge that was made twice the later one counts."""
    pieces = [*first]
    for left, right, whole in made.tolist():
        if whole == len(pieces):
            pieces.append(pieces[left] + pieces[right])
    taken = {*pieces}
    special = [token.encode() for token in settings.special_tokens]
    for token in special:
        if token in taken:
            raise RecipeError(f"special token {token.decode()!r} is also a piece that merges make; choose another text")
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(made.tolist())}
    made = made[sorted(ranks.values())]
    if settings.compat in ("hf", "sentencepiece"):
        pieces, made = special + pieces, made + len(special)
    else:
        pieces = pieces + special
    return TrainedBpe(pieces, made[:, :2].astype(np.int32), made[:, 2].astype(np.int32))


def _describe(alphabet: Alphabet, settings: BpeSettings) -> str:
    special = f"{len(settings.special_tokens):,} special tokens, " if settings.special_tokens else ""
    return f"{special}{len(alphabet.pieces):,} {'bytes' if len(alphabet.pieces) == 256 else 'first pieces'}"
