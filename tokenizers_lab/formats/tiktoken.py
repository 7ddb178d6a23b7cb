"""``.tiktoken`` files: a line a piece, its bytes in base64 and its rank. Split and special tokens are not in it.

tiktoken merges whichever neighbours spell the piece of lowest rank, and takes a piece of text that is in the vocabulary
as it is: a Model of merges by piece.
"""

import base64
import binascii

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.tokenizers_lab.formats.model import Model, known_roles


def to_tiktoken(model: Model) -> bytes:
    """The file's bytes. Raises RecipeError where ranks cannot say what the merges do."""
    taken = {*model.special.values()}
    if model.algorithm != "bpe" or model.alphabet != "bytes":
        raise RecipeError("a .tiktoken file holds BPE over bytes; train with the algorithm bpe and bpe.alphabet bytes")
    ranked = [(piece, id) for id, piece in enumerate(model.pieces) if id not in taken]
    if len({piece for piece, _ in ranked}) < len(ranked):
        raise RecipeError("two ids spell the same bytes, which a .tiktoken file cannot hold")
    made = model.merges[:, 2]
    if (np.diff(made) < 0).any() or (model.by_piece and model.scores.size):
        raise RecipeError("ids do not rise with the ranks of the merges, and a .tiktoken file has one number for both")
    return b"".join(base64.b64encode(piece) + b" %d\n" % id for piece, id in ranked)


def from_tiktoken(data: bytes, pretokenizer: str, special: dict[str, int]) -> Model:
    """A Model of the file, its pretokenizer and special tokens being told. Raises InputError for damage."""
    ranks: dict[bytes, int] = {}
    for number, line in enumerate(data.splitlines(), 1):
        try:
            piece, rank = line.split()
            ranks[base64.b64decode(piece, validate=True)] = int(rank)
        except (ValueError, binascii.Error):
            raise InputError(f"line {number} is no piece in base64 and a rank: {line[:60]!r}") from None
    ids = sorted({*ranks.values(), *special.values()})
    if len(ids) < len(ranks) + len(special):
        raise InputError("two pieces have the same rank, or a special token has the id of a piece")
    if missing := [b for b in range(256) if bytes([b]) not in ranks]:
        raise InputError(f"byte {missing[0]} has no piece; all 256 are needed")
    pieces = [b""] * (ids[-1] + 1)  # ids that nothing has spell nothing
    for piece, rank in ranks.items():
        pieces[rank] = piece
    for token, id in special.items():
        pieces[id] = token.encode()
    more = {"special": special, "roles": known_roles(special), "ignore_merges": True, "by_piece": True}
    return Model("bpe", pretokenizer, pieces, **more)
