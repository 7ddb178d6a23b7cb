"""Check of a tokenizer's model: every number that encoding and decoding index by.

It runs whenever a Model is made, so files of every format pass it before the first kernel.
"""

from typing import Any

import numpy as np

from gristmill.pipelines.errors import InputError
from gristmill.tokenizers_lab.encode.merge_table import MAX_MERGES, MAX_MERGING_ID
from gristmill.tokenizers_lab.normalize.normalizers import check_normalizers
from gristmill.tokenizers_lab.normalize.sentencepiece import load_charsmap
from gristmill.tokenizers_lab.pretokenize import check_pretokenizer

LIBRARIES = ("tokenizers", "sentencepiece")  # algorithms of files that have no form of ours
ALGORITHMS = ("bpe", "words", "chars", "unigram", "wordpiece", *LIBRARIES)
NEVER = frozenset([0xC0, 0xC1, *range(0xF5, 0x100)])  # bytes that UTF-8 never has
MAX_PIECE = 10_000  # bytes; merges by piece try every cut of a piece
MAX_SCORE = 1e9  # a sum of larger ones has no digits left
BYTES_OR_UNKNOWN = "byte pieces or a special token for unknown characters, such as <unk>"


def expect(field: str, found: object, good: object, expected: str) -> None:
    """Raise InputError unless ``good``."""
    if not good:
        raise InputError(f"{field} is {found}, expected {expected}")


def check_model(model: Any) -> None:
    """Raise InputError, naming the field, for a model that cannot encode or would index outside its pieces."""
    size, below = model.size, f"0 to {model.size - 1:,}"
    expect("algorithm", repr(model.algorithm), model.algorithm in ALGORITHMS, ", ".join(ALGORITHMS))
    check_pretokenizer(model.pretokenizer)
    check_normalizers(model.normalizers)
    check_normalizers(model.part_normalizers)
    if "charsmap" in (*model.normalizers, *model.part_normalizers):
        load_charsmap(model.charsmap)
    longest = max(map(len, model.pieces), default=0)
    expect("size of a piece", f"{longest:,} bytes", longest <= MAX_PIECE, f"up to {MAX_PIECE:,}")
    for token, id in model.special.items():
        expect(f"id of the special token {token[:60]!r}", id, token and 0 <= id < size, below)
    texts = [token.content for token in model.added]
    expect("added token", "named twice", len({*texts}) == len(texts), "each token once")
    for token in model.added:
        expect(f"id of the added token {token.content[:60]!r}", token.id, token.content and 0 <= token.id < size, below)
        same = (model.special.get(token.content) == token.id) == token.special
        expect(f"the added token {token.content[:60]!r}", "not special", same, "as the special tokens have it")
    for id in model.user_symbols:
        expect("id of a user symbol", id, 0 <= id < size and model.pieces[id], f"{below}, of a piece that is not empty")
    if model.bytes_from is not None:
        expect("bytes_from", model.bytes_from, 0 <= model.bytes_from <= size - 256, f"0 to {size - 256:,}")
        there = model.pieces[model.bytes_from : model.bytes_from + 256]
        expect(
            "pieces from bytes_from on", there[:2], there == [bytes([b]) for b in range(256)], "the 256 bytes in order"
        )
    _check_merges(model)
    scores = model.scores[~np.isnan(model.scores)]
    expect("number of scores", model.scores.size, model.scores.size in (0, size), f"0 or {size:,}")
    expect("a score", abs(scores).max(initial=0), (abs(scores) <= MAX_SCORE).all(), f"{-MAX_SCORE:g} to {MAX_SCORE:g}")
    _check_algorithm(model)


def _check_merges(model: Any) -> None:
    """Check that merges join two pieces to a third, and that there are not too many for the table of ranks."""
    ids = model.merges
    limit = min(model.size, MAX_MERGING_ID)
    expect("shape of merges", ids.shape, ids.ndim == 2 and ids.shape[1] == 3, "rows of 3 ids")
    expect("number of merges", len(ids), len(ids) <= MAX_MERGES, f"up to {MAX_MERGES:,}")
    least, most = int(ids.min(initial=0)), int(ids.max(initial=0))
    good = (least >= 0 and most < limit) or not ids.size
    expect("id of a merge", least if least < 0 else most, good, f"0 to {limit - 1:,}")
    empty = np.flatnonzero(np.fromiter(map(len, model.pieces), np.int64, model.size) == 0)
    merged = np.flatnonzero(np.isin(ids, empty).any(axis=1)) if empty.size else empty
    expect("merge of an empty piece", merged[:1].tolist(), not merged.size, "none")
    if model.by_piece:
        expect("number of pieces that merge", model.size, model.size <= MAX_MERGING_ID, f"up to {MAX_MERGING_ID:,}")


def _check_algorithm(model: Any) -> None:
    """Check that the model has all that its algorithm encodes with."""
    if model.algorithm in LIBRARIES:
        return expect("original file", "empty", model.original, f"the file that {model.algorithm} encodes with")
    unknown, scored = model.role("unknown"), np.flatnonzero(~np.isnan(model.scores)).tolist()
    if model.algorithm == "wordpiece":
        expect("unknown token", unknown, unknown is not None, "a special token for unknown words, such as [UNK]")
    elif model.algorithm == "unigram":
        expect("unknown token", unknown, unknown is not None or model.bytes_from is not None, BYTES_OR_UNKNOWN)
        expect("number of pieces with a score", len(scored), scored, "1 or more")
        empty = [id for id in scored if not model.pieces[id]]
        expect("empty piece with a score", empty[:1], not empty, "none")
    elif model.alphabet == "bytes":
        there = {p for id, p in enumerate(model.pieces) if len(p) == 1 and model.is_text(id)}
        missing = [b for b in range(256) if bytes([b]) not in there and b not in NEVER]
        expect("byte without a piece", missing[:1], not missing, "none: all that UTF-8 has are needed")
    else:
        expect("alphabet", repr(model.alphabet), model.alphabet == "characters", "bytes or characters")
        expect("unknown token", unknown, unknown is not None or model.bytes_from is not None, BYTES_OR_UNKNOWN)
