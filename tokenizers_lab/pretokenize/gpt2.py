"""GPT-2's pre-tokenizer, also of r50k and p50k: words with the space before them, numbers, signs, white space."""

from gristmill.pipelines.kernels.intrinsics import inline_kernel
from gristmill.tokenizers_lab.pretokenize.classes import NUMBER, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import (
    BLANK,
    LETTERS,
    SPACES,
    WORDS,
    contraction,
    is_in,
    letters,
    run_of,
    space_piece,
)

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


@inline_kernel
def gpt2(data, at, stop):
    """Return the end of the pre-token that begins at ``at`` < ``stop``."""
    end = contraction(data, at, stop, False)
    if end >= 0:
        return end
    begin = at + 1 if data[at] == BLANK and at + 1 < stop else at
    kind, end = kind_at(data, begin, stop)
    if is_in(kind, LETTERS):
        return letters(data, end, stop)
    if kind == NUMBER:
        return run_of(1 << NUMBER, data, end, stop)
    if is_in(kind, SPACES):
        return space_piece(data, at, stop, False, False)
    return run_of(~WORDS, data, end, stop)
