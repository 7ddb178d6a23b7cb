"""Offsets of tokens: the characters of a text that each id stands for."""

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.tokenizer import Tokenizer

Spans = list[tuple[int, int]]
MARK = "▁".encode()


def encode_with_offsets(tokenizer: Tokenizer, text: str, allowed: frozenset[str]) -> tuple[list[int], Spans]:
    """Return the ids of a string, and the first character of each with the one after its last.

    Tokens that share a character both count it. Raises RecipeError if the tokens do not spell the text, except for a
    space before it.
    """
    row = Ragged.from_strings([text])
    ids = tokenizer(row, allowed)
    if library := tokenizer.runs_in("tokenizers"):
        return ids.data.tolist(), library.offsets(text)
    pieces = [tokenizer.spelled[id] for id in ids.data.tolist()]
    if "escape" in (*tokenizer.model.normalizers, *tokenizer.model.part_normalizers):
        pieces = [piece.replace(MARK, b" ") for piece in pieces]
    whole, data = b"".join(pieces), text.encode()
    extra = int(whole == b" " + data)
    if whole[extra:] != data:
        raise RecipeError("offsets need tokens that spell the text, but this tokenizer changes it first")
    begins = np.frombuffer(data, np.uint8) & 0xC0 != 0x80
    before = np.concatenate(([0], np.cumsum(begins)))  # characters that begin before each byte
    stops = np.cumsum([len(piece) for piece in pieces], dtype=np.int64) - extra
    starts = np.concatenate(([0], stops[:-1]))[: stops.size].clip(min=0)
    first = before[starts] - ~np.append(begins, True)[starts]
    return ids.data.tolist(), [*zip(first.tolist(), before[stops].tolist(), strict=True)]
