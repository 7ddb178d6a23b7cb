"""A tokenizer with the methods of `tiktoken.Encoding`, for programs that are written for it."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from gristmill.options import Path
from gristmill.pipelines.errors import RecipeError
from gristmill.tokenizer import Allowed, Tokenizer


class Encoding:
    """Tokenizer with tiktoken's methods and defaults: a special token in a text is an error unless it is allowed."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer

    @property
    def n_vocab(self) -> int:
        """Number of ids."""
        return len(self._tokenizer)

    @property
    def max_token_value(self) -> int:
        """Largest id."""
        return self.n_vocab - 1

    @property
    def special_tokens_set(self) -> set[str]:
        """Special tokens."""
        return {*self._tokenizer.special}

    @property
    def eot_token(self) -> int:
        """Id of the token that ends a document. Raises RecipeError if there is none."""
        id = self._tokenizer.model.role("eos")
        if id is None:
            raise RecipeError("the tokenizer has no special token with the role eos")
        return id

    def encode(
        self,
        text: str,
        *,
        allowed_special: Allowed = (),
        disallowed_special: Allowed = "all",
    ) -> list[int]:
        """Return the ids of a text. Raises RecipeError for a special token in it that is disallowed."""
        return self._tokenizer.encode(text, allowed_special, disallowed_special)

    def encode_ordinary(self, text: str) -> list[int]:
        """Return the ids of a text; special tokens in it are text."""
        return self._tokenizer.encode(text)

    def encode_batch(
        self,
        text: Sequence[str],
        *,
        num_threads: int = 8,
        allowed_special: Allowed = (),
        disallowed_special: Allowed = "all",
    ) -> list[list[int]]:
        """Return the ids of each text, as ``encode``; one thread encodes them, whatever ``num_threads`` says."""
        return self._tokenizer.encode_batch(text, allowed_special, disallowed_special)

    def encode_ordinary_batch(self, text: Sequence[str], *, num_threads: int = 8) -> list[list[int]]:
        """Return the ids of each text, as ``encode_ordinary``."""
        return self._tokenizer.encode_batch(text)

    def encode_to_numpy(self, text: str, *, allowed_special: Allowed = ()) -> np.ndarray:
        """Return the ids of a text as uint32."""
        return self._tokenizer.encode_numpy([text], allowed_special)[0].astype(np.uint32)

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """Return the id of a token. Raises KeyError if there is none."""
        id = self._tokenizer.token_to_id(text_or_bytes)
        if id is None:
            raise KeyError(text_or_bytes)
        return id

    def decode(self, tokens: Iterable[int], errors: Literal["replace", "strict", "ignore"] = "replace") -> str:
        """Return the text of ids."""
        return self.decode_bytes(tokens).decode("utf-8", errors)

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """Return the bytes of ids."""
        return self._tokenizer.decode_bytes(tokens)

    def decode_batch(self, batch: Iterable[Iterable[int]], *, num_threads: int = 8) -> list[str]:
        """Return the text of each list of ids."""
        return [self.decode(tokens) for tokens in batch]

    def decode_single_token_bytes(self, token: int) -> bytes:
        """Return the bytes of one id."""
        return self.decode_bytes([token])

    def decode_tokens_bytes(self, tokens: Iterable[int]) -> list[bytes]:
        """Return the bytes of each id."""
        return [self.decode_bytes([token]) for token in tokens]

    def __repr__(self) -> str:
        return f"<Encoding {self._tokenizer!r}>"


def tiktoken_like(tokenizer: Tokenizer | Path) -> Encoding:
    """Return a tokenizer, or the one in a folder or file, with the methods of ``tiktoken.Encoding``.

    >>> gm.tiktoken_like("tokenizer").encode_ordinary("<|endoftext|>") == [0]
    False
    """
    return Encoding(tokenizer if isinstance(tokenizer, Tokenizer) else Tokenizer.load(tokenizer))
