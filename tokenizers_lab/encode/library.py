"""Encoders that run another library on its own file, for tokenizers that have no form of ours: exact, and slow."""

from typing import Any

import numpy as np

from gristmill.pipelines.errors import GristmillError, InputError
from gristmill.pipelines.ragged import Ragged

BATCH_BYTES = 1 << 20  # text of one call; the results of `tokenizers` take far more


def missing(package: str, purpose: str) -> GristmillError:
    """Return the error for a library that is not installed."""
    return GristmillError(f"{purpose} needs the package {package}, which is not installed: pip install {package}")


def load_tokenizers(data: bytes) -> Any:
    """Return the `tokenizers.Tokenizer` of a tokenizer.json, which neither truncates, pads nor drops merges.

    Raises InputError for a file that the library cannot read, GristmillError if it is not installed.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise missing("tokenizers", "a tokenizer.json") from None
    try:
        theirs = Tokenizer.from_str(data.decode())
    except UnicodeDecodeError:
        raise InputError("the file is not UTF-8; expected a tokenizer.json") from None
    except BaseException as error:
        raise _failed(error, "read the file") from None
    theirs.no_truncation()
    theirs.no_padding()
    if getattr(theirs.model, "dropout", None):
        theirs.model.dropout = None
    return theirs


def _failed(error: BaseException, purpose: str) -> BaseException:
    """Return the error to raise for one of `tokenizers`, whose panics are no Exception."""
    if isinstance(error, KeyboardInterrupt | SystemExit | MemoryError):
        return error
    return InputError(f"`tokenizers` cannot {purpose}: {' '.join(str(error).split())[:200]}")


def load_sentencepiece(data: bytes) -> Any:
    """Return the `SentencePieceProcessor` of a model. Raises as ``load_tokenizers``."""
    try:
        from sentencepiece import SentencePieceProcessor
    except ModuleNotFoundError:
        raise missing("sentencepiece", "a SentencePiece model") from None
    try:
        return SentencePieceProcessor(model_proto=data)
    except RuntimeError as error:
        raise InputError(f"SentencePiece cannot read the model: {' '.join(str(error).split())[:200]}") from None


class LibraryEncoder:
    """Encoder by the library itself: special tokens in text are text, unless ``specials`` asks for all of them."""

    def __init__(self, library: str, original: bytes, dtype: np.dtype):
        self.library, self.dtype = library, dtype
        self.theirs = load_tokenizers(original) if library == "tokenizers" else load_sentencepiece(original)

    def __call__(self, text: Ragged, specials: bool = False) -> Ragged:
        """Return the ids of each document; a byte that begins no character counts as U+FFFD."""
        rows = [text.row(row).decode("utf-8", "replace") for row in range(text.rows)]
        found, begin, size = [], 0, 0
        for end, row in enumerate(rows, 1):
            size += len(row)
            if size >= BATCH_BYTES or end == len(rows):
                found += self._ids(rows[begin:end], specials)
                begin, size = end, 0
        offsets = np.concatenate(([0], np.cumsum([ids.size for ids in found], dtype=np.int64)))
        return Ragged.from_arrays(offsets, np.concatenate([np.empty(0, self.dtype), *found]))

    def _ids(self, rows: list[str], specials: bool) -> list[np.ndarray]:
        if self.library == "sentencepiece":
            return [np.array(ids, self.dtype) for ids in self.theirs.encode(rows)]
        self.theirs.encode_special_tokens = not specials
        try:
            encoded = self.theirs.encode_batch_fast(rows, add_special_tokens=False)
        except BaseException as error:  # a vocabulary without its unknown token, added tokens that overlap
            raise _failed(error, "encode") from None
        return [np.array(each.ids, self.dtype) for each in encoded]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Return the characters of each token of a text, with the treatment of special tokens of the last call."""
        return self.theirs.encode(text, add_special_tokens=False).offsets

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, special tokens included."""
        if self.library == "sentencepiece":
            return self.theirs.decode(ids)
        try:
            return self.theirs.decode(ids, skip_special_tokens=False)
        except BaseException as error:  # CTC's and some other decoders panic on pieces that they do not expect
            raise _failed(error, "decode") from None
