"""Classes of characters that pre-tokenizers need: those of Unicode 16.0, for use inside kernels.

They are the regex classes ``\\p{L} \\p{M} \\p{N} \\p{P} \\p{S} \\s`` of tokenizers 0.23 and tiktoken 0.14 (tests
compare all 1,112,064 characters). The classes of pipelines/kernels/utf8.py are about words and differ: ``〇`` is Han
there and a number here. A byte that belongs to no character reads as U+FFFD, a symbol.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode, expand_runs, two_level_table
from gristmill.tokenizers_lab.pretokenize.class_tables import BERT_PUNCTUATION, KINDS

OTHER = 0  # control, format, private and unassigned code points
SPACE = 1  # \s without \r and \n
NEWLINE = 2  # \r and \n
LOWER = 3  # Ll
UPPER = 4  # Lu, Lt
LETTER = 5  # Lm, Lo: no case
MARK = 6
NUMBER = 7
PUNCTUATION = 8
SYMBOL = 9

KIND_BLOCK, KIND = two_level_table(expand_runs(KINDS, np.uint8))
BERT_BLOCK, BERT = two_level_table(expand_runs(BERT_PUNCTUATION, np.uint8))
ASCII = KIND[int(KIND_BLOCK[0]) * 256 :][:128]


@inline_kernel
def char_class(code):
    """Return the class of a code point."""
    return np.int64(KIND[KIND_BLOCK[code >> 8] * 256 + (code & 255)])


@inline_kernel
def is_bert_punctuation(code):
    """True if BERT's pre-tokenizer isolates the character."""
    return BERT[BERT_BLOCK[code >> 8] * 256 + (code & 255)] != 0


@kernel
def _wide_kind_at(data, at, stop):
    code, size = decode(data, at, stop)
    return char_class(code), at + size


@inline_kernel
def kind_at(data, at, stop):
    """Return the class of the character that begins at ``at``, and its end."""
    byte = data[at]
    if byte < 0x80:
        return np.int64(ASCII[byte]), at + 1
    return _wide_kind_at(data, at, stop)
