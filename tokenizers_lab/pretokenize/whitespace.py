"""Pre-tokenizers by white space: lines, plain, BERT's, and SentencePiece's, where a word takes the space before it."""

from gristmill.pipelines.kernels.intrinsics import inline_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.tokenizers_lab.pretokenize.classes import is_bert_punctuation, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import BLANK, SPACES, is_in, run_of


@inline_kernel
def whitespace(data, at, stop):
    """Return the end of a run of ``\\s``, which is dropped, or of other characters."""
    kind, end = kind_at(data, at, stop)
    return run_of(SPACES if is_in(kind, SPACES) else ~SPACES, data, end, stop)


@inline_kernel
def lines(data, at, stop):
    """Return the end of a line and its newlines: for merges that span words."""
    while at < stop and data[at] != 10 and data[at] != 13:
        at += 1
    while at < stop and (data[at] == 10 or data[at] == 13):
        at += 1
    return at


@inline_kernel
def is_alone(code):
    """True if BERT isolates the character: punctuation or a Chinese character."""
    return is_bert_punctuation(code) or (
        0x4E00 <= code <= 0x9FFF
        or 0x3400 <= code <= 0x4DBF
        or 0x20000 <= code <= 0x2A6DF
        or 0x2A700 <= code <= 0x2B73F
        or 0x2B740 <= code <= 0x2B81F
        or 0x2B920 <= code <= 0x2CEAF
        or 0xF900 <= code <= 0xFAFF
        or 0x2F800 <= code <= 0x2FA1F
    )


@inline_kernel
def bert(data, at, stop):
    """Return the end of a run of ``\\s``, which is dropped, of an isolated character, or of a run of others."""
    kind, end = kind_at(data, at, stop)
    if is_in(kind, SPACES):
        return run_of(SPACES, data, end, stop)
    code, _ = decode(data, at, stop)
    if is_alone(code):
        return end
    while end < stop:
        kind, after = kind_at(data, end, stop)
        code, _ = decode(data, end, stop)
        if is_in(kind, SPACES) or is_alone(code):
            break
        end = after
    return end


@inline_kernel
def is_marker(data, at, stop):
    """True if a space, or ``▁`` that stands for one, begins at ``at``."""
    return data[at] == BLANK or (data[at] == 0xE2 and at + 2 < stop and data[at + 1] == 0x96 and data[at + 2] == 0x81)


@inline_kernel
def metaspace(data, at, stop):
    """Return the end of a space or ``▁`` and the text up to the next one."""
    end = at + 1
    while end < stop and not is_marker(data, end, stop):
        end += 1
    return end
