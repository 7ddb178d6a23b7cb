"""Pre-tokenizers: split text into pre-tokens, within which alone merges happen.

A scanner ``next_boundary(number, data, at, stop)`` returns the end of the pre-token that begins at ``at`` in a document
that ends at ``stop`` > ``at``. Pre-tokens tile the document. Scanners are loops, so no input overflows a stack, and the
time is linear in the bytes. ``whitespace`` and ``bert`` also return pre-tokens of white space, which their users drop
(``DROPS_SPACE``).

For batches call ``pretokenize(text, name)``, which supports every pre-tokenizer. A kernel that needs one pre-token at a
time calls ``next_boundary`` with the pre-tokenizer's number as a compile-time constant. Do not close over the scanner
function itself: numba cannot cache a kernel that closes over another kernel.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, trailing_zeros
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.pretokenize.cl100k import cl100k, cl100k_pattern
from gristmill.tokenizers_lab.pretokenize.deepseek import DEEPSEEK_PATTERNS, deepseek
from gristmill.tokenizers_lab.pretokenize.gpt2 import GPT2_PATTERN, gpt2
from gristmill.tokenizers_lab.pretokenize.o200k import O200K_PATTERN, TEKKEN_PATTERN, o200k, tekken
from gristmill.tokenizers_lab.pretokenize.regex_split import RegexSplit, compiled, split_by_regex
from gristmill.tokenizers_lab.pretokenize.steps import (
    BLOOM_PATTERN,
    THREE_DIGITS_PATTERN,
    bloom,
    byte_digits,
    digits,
    mark_runs,
    punctuation,
    three_digits,
)
from gristmill.tokenizers_lab.pretokenize.superwords import SUPERWORDS_PATTERN, superwords
from gristmill.tokenizers_lab.pretokenize.whitespace import bert, lines, metaspace, whitespace
from gristmill.tokenizers_lab.pretokenize.windows import MARGIN, gpt2_boundaries, line_boundaries

DEFAULT = "o200k"
NAMES = (
    "o200k",
    "gpt2",
    "cl100k",  # the form of Hugging Face configurations; also Llama-3's
    "cl100k-tiktoken",  # with tiktoken's end of text
    "llama3",
    "qwen2",
    "nanochat",
    "deepseek-v3",
    "whitespace",
    "bert",
    "metaspace",
    "none",  # a document is one pre-token
    "lines",  # with their newlines
    "tekken",
    "bloom",
    "digits",
    "each_digit",
    "punctuation",
    "each_punctuation",
    "byte_digits",
    "three_digits",
    "mark_runs",  # words of a vocabulary that has runs of ▁
    "superwords",
)
O200K, GPT2, CL100K, TIKTOKEN, LLAMA3, QWEN2 = range(6)
NANOCHAT, DEEPSEEK, WHITESPACE, BERT, METASPACE, NONE, LINES = range(6, 13)
TEKKEN, BLOOM, DIGITS, EACH_DIGIT, PUNCTUATION, EACH_PUNCTUATION = range(13, 19)
BYTE_DIGITS, THREE_DIGITS, MARK_RUNS, SUPERWORDS = range(19, 23)
NO_BOUNDARY, ONE = np.uint64(0), np.uint64(1)
DROPS_SPACE = {"whitespace", "bert"}
PATTERNS = {  # regexes; each one splits the parts that the ones before it left
    "o200k": (O200K_PATTERN,),
    "gpt2": (GPT2_PATTERN,),
    "cl100k": (cl100k_pattern(3, False),),
    "cl100k-tiktoken": (cl100k_pattern(3, True),),
    "llama3": (cl100k_pattern(3, False),),
    "qwen2": (cl100k_pattern(1, False),),
    "nanochat": (cl100k_pattern(2, False),),
    "deepseek-v3": DEEPSEEK_PATTERNS,
    "lines": (r"[^\r\n]*[\r\n]+|[^\r\n]+",),
    "tekken": (TEKKEN_PATTERN,),
    "bloom": (BLOOM_PATTERN,),
    "three_digits": (THREE_DIGITS_PATTERN,),
    "superwords": (SUPERWORDS_PATTERN,),
}


@inline_kernel
def next_boundary(number, data, at, stop):
    """Return the end of the pre-token that begins at ``at``, by the pre-tokenizer of that number, best a constant."""
    if number == O200K:
        return o200k(data, at, stop, 3)
    if number == GPT2:
        return gpt2(data, at, stop)
    if number == CL100K or number == LLAMA3:
        return cl100k(data, at, stop, 3, False)
    if number == TIKTOKEN:
        return cl100k(data, at, stop, 3, True)
    if number == QWEN2:
        return cl100k(data, at, stop, 1, False)
    if number == NANOCHAT:
        return cl100k(data, at, stop, 2, False)
    if number == DEEPSEEK:
        return deepseek(data, at, stop, 3)
    if number == WHITESPACE:
        return whitespace(data, at, stop)
    if number == BERT:
        return bert(data, at, stop)
    if number == METASPACE:
        return metaspace(data, at, stop)
    if number == LINES:
        return lines(data, at, stop)
    if number == TEKKEN:
        return tekken(data, at, stop)
    if number == BLOOM:
        return bloom(data, at, stop)
    if number == DIGITS or number == EACH_DIGIT:
        return digits(data, at, stop, number == EACH_DIGIT)
    if number == PUNCTUATION or number == EACH_PUNCTUATION:
        return punctuation(data, at, stop, number == EACH_PUNCTUATION)
    if number == BYTE_DIGITS:
        return byte_digits(data, at, stop)
    if number == THREE_DIGITS:
        return three_digits(data, at, stop)
    if number == MARK_RUNS:
        return mark_runs(data, at, stop)
    if number == SUPERWORDS:
        return superwords(data, at, stop)
    return stop


@inline_kernel
def certain_boundaries(number, data, at, stop):
    """Return the boundaries in ``data[at + 1 : at + 64]`` that are certain; bit i is ``at + i``. See windows.py.

    A pre-token begins at ``at`` < ``stop``. No bits: ``next_boundary`` finds the next one.
    """
    if at + MARGIN > data.size or not (number <= DEEPSEEK or number == TEKKEN):
        return NO_BOUNDARY
    if number == GPT2:
        return gpt2_boundaries(data, at, stop)
    digits = 1 if number == QWEN2 or number == TEKKEN else 2 if number == NANOCHAT else 3
    cased, ascii_only = number == O200K or number == TEKKEN, number == DEEPSEEK
    contracts = not (ascii_only or number == TEKKEN)
    return line_boundaries(data, at, stop, digits, cased, contracts, number == TIKTOKEN, ascii_only)


def _scanner(number: int):
    @inline_kernel
    def scan(data, at, stop):
        return next_boundary(number, data, at, stop)

    return scan


PRETOKENIZERS = {name: _scanner(number) for number, name in enumerate(NAMES)}


class PreTokens(NamedTuple):
    """Pre-token p is ``data[offsets[p]:offsets[p + 1]]``; document d has ``documents[d]`` to ``documents[d + 1]``."""

    documents: np.ndarray  # int64[n + 1]
    offsets: np.ndarray  # int64[m + 1]: where pre-tokens begin and, last, where the text ends


def pretokenize(text: Ragged, pretokenizer: str) -> PreTokens:
    """Split every document, by a pre-tokenizer's name or by ``regex:PATTERN``. An empty document has no pre-tokens.

    ``NAME>NAME`` is a sequence: each splits the parts that the ones before it left. A pattern is matched by the
    ``regex`` package at a few MB/s, with that package's version of Unicode. Text between two matches is a pre-token
    too, so nothing is lost.
    """
    outer, last = outer_pretokens(text, pretokenizer)
    if outer:
        inner = pretokenize(Ragged.from_arrays(outer.offsets, text.data), last)
        return PreTokens(inner.documents[outer.documents], inner.offsets)
    documents, offsets = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + 1, np.int64)
    count = _cutter(NAMES.index(last))(*text, documents, offsets)
    return PreTokens(documents, offsets[: count + 1])


def outer_pretokens(text: Ragged, pretokenizer: str) -> tuple[PreTokens | None, str]:
    """Return the pre-tokens by all but the last pre-tokenizer of a sequence, None for one, and the last one's name."""
    check_pretokenizer(pretokenizer)
    if split := RegexSplit.of(pretokenizer):
        return PreTokens(*split_by_regex(split, text)), "none"
    *before, last = pretokenizer.split(">")
    return pretokenize(text, ">".join(before)) if before else None, last


def check_pretokenizer(pretokenizer: str) -> None:
    """Raise RecipeError for an unknown pre-tokenizer or an invalid pattern."""
    if split := RegexSplit.of(pretokenizer):
        compiled(split.pattern)
        return
    steps = pretokenizer.split(">")
    for name in steps:
        if name not in PRETOKENIZERS or (steps[1:] and name in DROPS_SPACE):
            raise RecipeError(f"there is no pretokenizer {name!r}; {nearest(name, [*NAMES])}, or regex:PATTERN")


@cache
def _cutter(number: int):
    @kernel
    def cut(offsets, data, documents, ends):
        """Fill ``documents`` and ``ends`` as PreTokens has them; return the number of pre-tokens."""
        count = 0
        ends[0] = 0
        for i in range(offsets.size - 1):
            documents[i] = count
            at, stop = offsets[i], offsets[i + 1]
            while at < stop:
                bits, begin = certain_boundaries(number, data, at, stop), at
                if not bits:
                    at = next_boundary(number, data, at, stop)
                    count += 1
                    ends[count] = at
                while bits:
                    at = begin + trailing_zeros(bits)
                    bits &= bits - ONE
                    count += 1
                    ends[count] = at
        documents[offsets.size - 1] = count
        return count

    return cut
