"""Pre-tokenizers of other models, most of them steps of a sequence: each splits the parts that the ones before left.

Each is a pre-tokenizer of `tokenizers`: Digits, Punctuation, and Splits by BLOOM and Falcon.
"""

from gristmill.pipelines.kernels.intrinsics import inline_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.tokenizers_lab.pretokenize.classes import NUMBER, char_class, is_bert_punctuation, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import BLANK, SPACES, is_in
from gristmill.tokenizers_lab.pretokenize.whitespace import is_marker

BLOOM_PATTERN = r" ?[^(\s|[.,!?…。，、।۔،])]+"
THREE_DIGITS_PATTERN = "[0-9][0-9][0-9]"


@inline_kernel
def is_digit(code):
    """True if the library's Digits splits at the character: numbers of Unicode 17, where its regexes know 16."""
    return char_class(code) == NUMBER or 0x11DE0 <= code <= 0x11DE9 or 0x16FF4 <= code <= 0x16FF6


@inline_kernel
def digits(data, at, stop, alone):
    """Return the end of a run of numbers, one character of it if they stand ``alone``, or of a run of others."""
    code, size = decode(data, at, stop)
    first, end = is_digit(code), at + size
    while end < stop and not (first and alone):
        code, size = decode(data, end, stop)
        if is_digit(code) != first:
            break
        end += size
    return end


@inline_kernel
def punctuation(data, at, stop, alone):
    """Return the end of a run of punctuation, one character of it if it stands ``alone``, or of a run of others."""
    code, size = decode(data, at, stop)
    first, end = is_bert_punctuation(code), at + size
    while end < stop and not (first and alone):
        code, size = decode(data, end, stop)
        if is_bert_punctuation(code) != first:
            break
        end += size
    return end


@inline_kernel
def byte_digits(data, at, stop):
    """Return the end of a run of bytes that are numbers as characters of Latin-1, or of others.

    Falcon splits digits after its text is written as one character per byte: ² ³ ¹ ¼ ½ ¾ are such bytes.
    """
    first, end = _is_byte_digit(data[at]), at + 1
    while end < stop and _is_byte_digit(data[end]) == first:
        end += 1
    return end


@inline_kernel
def _is_byte_digit(byte):
    return 48 <= byte <= 57 or byte == 0xB2 or byte == 0xB3 or byte == 0xB9 or 0xBC <= byte <= 0xBE


@inline_kernel
def three_digits(data, at, stop):
    """Return the end of three ASCII digits, or of the text up to the next three."""
    if _are_three(data, at, stop):
        return at + 3
    end = at + 1
    while end < stop and not _are_three(data, end, stop):
        end += 1
    return end


@inline_kernel
def _are_three(data, at, stop):
    return at + 3 <= stop and 48 <= data[at] <= 57 and 48 <= data[at + 1] <= 57 and 48 <= data[at + 2] <= 57


@inline_kernel
def _is_bloom_word(data, at, stop):
    """True if the character belongs to BLOOM's words, and its end."""
    code, size = decode(data, at, stop)
    kind, _ = kind_at(data, at, stop)
    mark = code == 0x2026 or code == 0x3002 or code == 0xFF0C or code == 0x3001 or code == 0x964 or code == 0x6D4
    sign = code == 40 or code == 41 or code == 124 or code == 46 or code == 44 or code == 33 or code == 63
    return not (is_in(kind, SPACES) or mark or sign or code == 0x60C), at + size


@inline_kernel
def _bloom_word(data, at, stop):
    """Return the end of a word with the space before it, or -1."""
    begin = at + 1 if data[at] == BLANK and at + 1 < stop else at
    within, end = _is_bloom_word(data, begin, stop)
    if not within:
        return -1
    while end < stop:
        within, after = _is_bloom_word(data, end, stop)
        if not within:
            break
        end = after
    return end


@inline_kernel
def bloom(data, at, stop):
    """Return the end of a word with the space before it, or of the signs and white space up to the next one."""
    end = _bloom_word(data, at, stop)
    if end >= 0:
        return end
    _, end = _is_bloom_word(data, at, stop)
    while end < stop and _bloom_word(data, end, stop) < 0:
        _, end = _is_bloom_word(data, end, stop)
    return end


@inline_kernel
def mark_runs(data, at, stop):
    """Return the end of a run of spaces or ▁ and the text up to the next run."""
    end = at
    while end < stop and is_marker(data, end, stop):
        end += 1 if data[end] == BLANK else 3
    while end < stop and not is_marker(data, end, stop):
        end += 1
    return end
