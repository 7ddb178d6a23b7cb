"""Superwords: o200k's words, joined across single spaces. They are the pre-tokens of SuperBPE's second stage.

A word and the next word are one pre-token if exactly one space is between them. Everything else ends the pre-token:
line breaks, indentation, numbers, punctuation, and a Chinese or Japanese character on either side of the space. So code
and CJK are cut as by o200k, and no pre-token has ": " inside, where prompts often end.

SuperBPE (Liu et al. 2025, arXiv:2503.13423) also joins across single punctuation marks.
"""

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.tokenizers_lab.pretokenize.classes import NEWLINE, NUMBER, kind_at
from gristmill.tokenizers_lab.pretokenize.o200k import CAPITALS, O200K_PATTERN, SMALL, o200k
from gristmill.tokenizers_lab.pretokenize.scan import BLANK, is_in

SIGN = r"[^\r\n\p{L}\p{N}]?"  # before a word
CJK = "[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"  # without Hangul, whose words have spaces
WORDS, OTHERS = O200K_PATTERN.split(r"|\p{N}", 1)
WORD = WORDS.replace(SIGN, "")
SUPERWORDS_PATTERN = rf"(?:{WORDS})(?:(?<!{CJK}) (?!{CJK})(?:{WORD}))*|\p{{N}}{OTHERS}"
LETTERS_AND_MARKS = CAPITALS | SMALL


@kernel
def superwords(data, at, stop):
    """Return the end of the pre-token that begins at ``at`` < ``stop``."""
    end = o200k(data, at, stop, 3)
    if _is_word(data, at, end):
        while end + 1 < stop and data[end] == BLANK and _joins(data, end, stop):
            end = o200k(data, end, stop, 3)
    return end


@inline_kernel
def _is_word(data, at, end):
    """True if a pre-token of o200k is a word, with or without a sign before it."""
    kind, after = kind_at(data, at, end)
    if kind != NUMBER and kind != NEWLINE and not is_in(kind, LETTERS_AND_MARKS) and after < end:
        kind, _ = kind_at(data, after, end)
    return is_in(kind, LETTERS_AND_MARKS)


@inline_kernel
def _joins(data, at, stop):
    """True if the space at ``at``, which follows a word, joins it to another."""
    before = at - 1
    while data[before] & 0xC0 == 0x80:
        before -= 1
    code, _ = decode(data, at + 1, stop)
    kind, _ = kind_at(data, at + 1, stop)
    return is_in(kind, LETTERS_AND_MARKS) and not _is_cjk(code) and not _is_cjk(decode(data, before, at)[0])


@inline_kernel
def _is_cjk(code):
    return (
        0x2E80 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or 0xFF00 <= code <= 0xFFEF or 0x20000 <= code <= 0x3FFFF
    )
