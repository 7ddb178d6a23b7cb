"""Train BPE: a table of counted words -> the pieces of a vocabulary and the merges that make them."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.inputs.inputs import Fraction, Positive
from gristmill.pipelines.settings import Settings
from gristmill.tokenizers_lab.bpe.alphabet import Alphabet, byte_alphabet, character_alphabet
from gristmill.tokenizers_lab.bpe.merge_kernels import ANEW, BY_IDS, BY_PLACE, BY_SPELLING, REUSE, SKIP
from gristmill.tokenizers_lab.bpe.merger import CorpusCells, MergeLoop
from gristmill.tokenizers_lab.count.word_counts import WordCounts

# Ties and duplicates as the named trainer has them. minbpe's place is that in the table of words: in the text, where
# the table has the words in the order of the text.
COMPAT = {
    "hf": (BY_IDS, REUSE),  # tokenizers 0.23
    "tiktoken": (BY_IDS, ANEW),  # as rustbpe: bytes are numbered by their values
    "minbpe": (BY_PLACE, ANEW),
    "sentencepiece": (BY_SPELLING, SKIP),
}
REPORT_MERGES = 1000  # merges between two calls of ``advance``


class BpeSettings(Settings):
    """How a BPE vocabulary is trained. Defaults are those of tokenizers 0.23."""

    vocab_size: Positive = 32_000  # pieces, with the special tokens
    alphabet: Literal["bytes", "characters"] = "bytes"  # what the first pieces are
    character_coverage: Fraction = 1.0  # of characters: the share of the text that the kept ones make up
    byte_fallback: bool = True  # characters: have all bytes as pieces, for those that are not kept
    min_frequency: int = 0  # a pair that occurs less often is not merged
    max_token_length: Positive | None = None  # in bytes or characters; what tokenizers calls 16 is 15 here
    special_tokens: list[str] = []  # first in the vocabulary; under the rules tiktoken and minbpe last
    compat: Literal["hf", "tiktoken", "minbpe", "sentencepiece"] = "hf"  # for ties, and for two ways to one piece
    allow_smaller: bool = False  # a vocabulary smaller than asked for is no error


class TrainedBpe(NamedTuple):
    """A vocabulary: what each id spells, and the merges in order of rank."""

    pieces: list[bytes]  # special tokens are among them
    merges: np.ndarray  # int32[m, 2]: ids of the two halves
    made: np.ndarray  # int32[m]: id of the whole; under "hf" two merges may make one piece


def train_bpe(
    counts: WordCounts,
    settings: BpeSettings,
    advance: Callable[[int, int], None] = lambda merges, wanted: None,
    alphabet: Alphabet | None = None,
    merging: type[MergeLoop] = MergeLoop,
) -> TrainedBpe:
    """Merge the most frequent pair of neighbours until there are ``vocab_size`` pieces.

    ``alphabet`` is what words begin as, where not as bytes or characters; ``merging`` says which pair is next, where
    not the most frequent one. ``advance(merges, wanted)`` is called now and then. The answer depends on words, counts
    and settings alone, and on the order of the words only under "minbpe".
    Raises InputError for a table without words; RecipeError for a vocabulary too small for its alphabet or larger than
    the words can give, and for a special token that is a piece.
    """
    if not counts.words.rows:
        raise InputError(
            "there is nothing to train on: the corpus has no words; see its documents and the pretokenizer"
        )
    alphabet = alphabet or initial_alphabet(counts, settings)
    target = settings.vocab_size - len(settings.special_tokens)
    check_vocab_size(alphabet, settings)
    merger = merging(
        CorpusCells.from_words(alphabet.to_symbols(counts.words), counts.counts),
        alphabet.pieces,
        target,
        rule=COMPAT[settings.compat],
        min_frequency=max(settings.min_frequency, 1),
        max_length=settings.max_token_length,
        in_characters=settings.alphabet == "characters",
    )
    while merger.merge(REPORT_MERGES):
        advance(merger.merges, target - len(alphabet.pieces))
    if merger.symbols < target and not settings.allow_smaller:
        raise RecipeError(
            f"vocab_size {settings.vocab_size:,} is more than the corpus gives: {_made_of(alphabet, settings)} and "
            f"{merger.symbols - len(alphabet.pieces):,} merges make "
            f"{merger.symbols + len(settings.special_tokens):,}; lower vocab_size, add text or set allow_smaller"
        )
    return assemble(alphabet.pieces, merger.result(), settings)


def initial_alphabet(counts: WordCounts, settings: BpeSettings) -> Alphabet:
    if settings.alphabet == "bytes":
        return byte_alphabet(as_hf=settings.compat == "hf")
    return character_alphabet(counts, settings.character_coverage, settings.byte_fallback)


def check_vocab_size(alphabet: Alphabet, settings: BpeSettings) -> None:
    """Raise RecipeError where the first pieces and the special tokens leave no room, or are not all different."""
    special = settings.special_tokens
    known = {*alphabet.pieces}
    for i, token in enumerate(special):
        if token in special[:i] or not token:
            raise RecipeError(f"special token {token!r} is empty or named twice; each must be a text of its own")
        if token.encode() in known:
            raise RecipeError(f"special token {token!r} is a piece of the alphabet; choose another text for it")
    if settings.vocab_size < len(alphabet.pieces) + len(special):
        raise RecipeError(
            f"vocab_size {settings.vocab_size:,} has no room for {_made_of(alphabet, settings)}; raise it"
        )


def assemble(first: list[bytes], made: np.ndarray, settings: BpeSettings) -> TrainedBpe:
    """Put the special tokens in and number everything; of a merge that was made twice the later counts."""
    pieces = [*first]
    for left, right, whole in made.tolist():
        if whole == len(pieces):
            pieces.append(pieces[left] + pieces[right])
    taken = {*pieces}
    special = [token.encode() for token in settings.special_tokens]
    for token in special:
        if token in taken:
            raise RecipeError(f"special token {token.decode()!r} is also what merges make; choose another text for it")
    ranks = {(left, right): rank for rank, (left, right, _) in enumerate(made.tolist())}
    made = made[sorted(ranks.values())]
    if settings.compat in ("hf", "sentencepiece"):
        pieces, made = special + pieces, made + len(special)
    else:
        pieces = pieces + special
    return TrainedBpe(pieces, made[:, :2].astype(np.int32), made[:, 2].astype(np.int32))


def _made_of(alphabet: Alphabet, settings: BpeSettings) -> str:
    special = f"{len(settings.special_tokens):,} special tokens, " if settings.special_tokens else ""
    return f"{special}{len(alphabet.pieces):,} {'bytes' if len(alphabet.pieces) == 256 else 'first pieces'}"
