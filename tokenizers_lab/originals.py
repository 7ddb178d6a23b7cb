"""Tokenizers as their own libraries open them, to compare ids and texts with."""

from collections.abc import Callable
from typing import NamedTuple

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.library import LibraryEncoder
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.formats.reading import Reading
from gristmill.tokenizers_lab.pretokenize import PATTERNS, RegexSplit


class Original(NamedTuple):
    """Encoder and decoder of a library."""

    encode: Callable[[list[str], bool], list[list[int]]]  # texts, whether all special tokens count -> ids
    decode: Callable[[list[int]], str]


def open_original(reading: Reading) -> Original | None:
    """Return the tokenizer in the library that the file belongs to; None if it is not installed."""
    if reading.library == "tiktoken":
        try:
            return tiktoken_original(reading.model)
        except ModuleNotFoundError:
            return None
    if reading.library == "sentencepiece":
        try:
            import sentencepiece  # noqa: F401
        except ModuleNotFoundError:
            return None
    encoder = LibraryEncoder(reading.library, reading.data, reading.model.dtype)

    def encode(texts: list[str], specials: bool) -> list[list[int]]:
        ids = encoder(Ragged.from_strings(texts), specials)
        return [ids.data[a:b].tolist() for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True)]

    return Original(encode, encoder.decode)


def tiktoken_original(model: Model) -> Original:
    """Return a model in tiktoken. Raises RecipeError for a pre-tokenizer that is not one pattern."""
    from tiktoken import Encoding

    split = RegexSplit.of(model.pretokenizer)
    patterns = (split.pattern,) if split else PATTERNS.get(model.pretokenizer, ())
    if len(patterns) != 1:
        raise RecipeError(f"tiktoken splits by one regex, which the pre-tokenizer {model.pretokenizer!r} does not have")
    ranks = {piece: id for id, piece in enumerate(model.pieces) if piece and id not in model.special_ids}
    theirs = Encoding("ours", pat_str=patterns[0], mergeable_ranks=ranks, special_tokens=model.special)

    def encode(texts: list[str], specials: bool) -> list[list[int]]:
        return [
            theirs.encode(text, allowed_special="all" if specials else set(), disallowed_special=()) for text in texts
        ]

    return Original(encode, theirs.decode)
