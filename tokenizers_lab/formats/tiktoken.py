"""``.tiktoken`` files: a piece in base64 and its rank per line, without pre-tokenizer and special tokens.

tiktoken merges the neighbors that spell the piece of lowest rank, and takes a pre-token in the vocabulary as it is: a
Model of merges by piece.
"""

import base64
import binascii

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.tokenizers_lab.encode.merge_table import MAX_MERGING_ID
from gristmill.tokenizers_lab.formats.model import Model, known_roles

MAX_UNUSED = 1 << 16  # ids without a piece; they take memory that the file does not show


def to_tiktoken(model: Model) -> bytes:
    """Return the file's bytes. Raises RecipeError if ranks cannot express the merges."""
    taken = model.special_ids
    if model.normalizers or model.part_normalizers or any(not token.is_plain for token in model.added):
        raise RecipeError(
            "a .tiktoken file has no normalizers and no tokens besides special ones; export with --format hf"
        )
    if model.algorithm != "bpe" or model.alphabet != "bytes":
        raise RecipeError("a .tiktoken file holds BPE over bytes; train with the algorithm bpe and bpe.alphabet bytes")
    ranked = [(piece, id) for id, piece in enumerate(model.pieces) if piece and id not in taken]
    if len({piece for piece, _ in ranked}) < len(ranked):
        raise RecipeError("two ids have the same bytes; a .tiktoken file holds each piece once")
    made = model.merges[:, 2]
    if (np.diff(made) < 0).any() or (model.by_piece and model.scores.size):
        raise RecipeError(
            "the ids of merged pieces are not in merge order, but a .tiktoken file has one number for id and rank; "
            "train with bpe.compat tiktoken"
        )
    return b"".join(base64.b64encode(piece) + b" %d\n" % id for piece, id in ranked)


def from_tiktoken(data: bytes, pretokenizer: str, special: dict[str, int]) -> Model:
    """Return the Model of a file with the given pre-tokenizer and special tokens. Raises InputError for damage."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            encoded, digits = line.split()
            ranks[base64.b64decode(encoded, validate=True)] = int(digits)
        except (ValueError, binascii.Error):
            raise InputError(f"line {number}: expected a piece in base64 and a rank, found {line[:60]!r}") from None
    ids = sorted({*ranks.values(), *special.values()})
    if len(ids) < len(ranks) + len(special):
        raise InputError("two pieces have the same rank, or a special token has the id of a piece")
    if ids and (ids[0] < 0 or ids[-1] >= MAX_MERGING_ID):
        found = ids[0] if ids[0] < 0 else ids[-1]
        raise InputError(f"a rank or special token's id is {found}, expected 0 to {MAX_MERGING_ID - 1:,}")
    if ids and (unused := ids[-1] + 1 - len(ids)) > MAX_UNUSED:
        raise InputError(f"{unused:,} ids up to {ids[-1]:,} have no piece, expected up to {MAX_UNUSED:,}")
    pieces = [b""] * (max(ids, default=0) + 1)  # unused ids have no bytes
    for piece, rank in ranks.items():
        pieces[rank] = piece
    for token, id in special.items():
        pieces[id] = token.encode()
    roles = known_roles(special)
    return Model("bpe", pretokenizer, pieces, special=special, roles=roles, ignore_merges=True, by_piece=True)
