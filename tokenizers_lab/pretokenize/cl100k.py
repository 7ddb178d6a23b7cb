"""GPT-4's pre-tokenizer and its relatives: a word takes a sign before it, numbers are split, signs take newlines."""

from gristmill.pipelines.kernels.intrinsics import inline_kernel
from gristmill.tokenizers_lab.pretokenize.classes import NEWLINE, NUMBER, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import (
    BLANK,
    LETTERS,
    SPACES,
    WORDS,
    contraction,
    is_in,
    letters,
    newlines,
    run_of,
    space_piece,
    up_to,
)


def cl100k_pattern(digits: int, whole_end: bool) -> str:
    """Return the pre-tokenizer as a regex, spelled so that Rust's, Python's and Ruby's engines agree."""
    number = rf"\p{{N}}{{1,{digits}}}" if digits > 1 else r"\p{N}"
    end = r"\s+\z|" if whole_end else ""
    return (
        rf"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{number}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*"
        rf"|{end}\s*[\r\n]+|\s+(?!\S)|\s+"
    )


@inline_kernel
def cl100k(data, at, stop, digits, whole_end):
    """Return the end of the pre-token that begins at ``at`` < ``stop``; a number has at most ``digits`` digits.

    ``whole_end`` is tiktoken's form, with ``\\s+$`` before the newlines: white space at the end of a document is one
    pre-token. Llama-3 and others have the form without.
    """
    end = contraction(data, at, stop, True)
    if end >= 0:
        return end
    kind, begin = kind_at(data, at, stop)
    if is_in(kind, LETTERS):
        return letters(data, begin, stop)
    if kind == NUMBER:
        return up_to(digits - 1, data, begin, stop) if digits > 1 else begin
    if kind == NEWLINE or begin == stop:
        next_kind, end = NEWLINE, begin  # ends the pre-token
    else:
        next_kind, end = kind_at(data, begin, stop)
    if is_in(next_kind, LETTERS):
        return letters(data, end, stop)
    if not is_in(kind, SPACES):
        return newlines(data, run_of(~WORDS, data, begin, stop), stop, False)
    if data[at] == BLANK and not is_in(next_kind, WORDS):
        return newlines(data, run_of(~WORDS, data, end, stop), stop, False)
    return space_piece(data, at, stop, True, whole_end)
