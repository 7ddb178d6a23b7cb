"""DeepSeek-V3's pre-tokenizer: three patterns in turn, each splitting further the parts of the ones before.

It takes one pass here. A text is a row of segments: numbers of up to three digits, runs of Han and kana, and the text
between. The third pattern splits each segment as if it were a document.
"""

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.tokenizers_lab.pretokenize.classes import MARK, NEWLINE, NUMBER, OTHER, PUNCTUATION, SYMBOL, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import BLANK, LETTERS, SPACES, is_in, newlines, spaces, up_to

DEEPSEEK_PATTERNS = (
    r"\p{N}{1,3}",
    r"[一-龥぀-ゟ゠-ヿ]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
)
END = 10  # the class of a character outside the segment
WORD = LETTERS | 1 << MARK
SIGNS = 1 << PUNCTUATION | 1 << SYMBOL


@inline_kernel
def is_han(data, at, stop):
    """True if a character of the second pattern begins at ``at``."""
    if data[at] < 0xE3 or data[at] > 0xE9:
        return False
    code, _ = decode(data, at, stop)
    return 0x4E00 <= code <= 0x9FA5 or 0x3040 <= code <= 0x30FF


@inline_kernel
def class_at(han, data, at, stop):
    """Return class and end as ``kind_at``, but END at the segment's end (``han``: a segment of Han and kana)."""
    if at == stop:
        return END, at
    kind, end = kind_at(data, at, stop)
    if kind == NUMBER or is_han(data, at, stop) != han:
        return END, end
    return kind, end


@inline_kernel
def run(kinds, han, data, at, stop):
    """Return the end of the run of characters of the segment whose class is in ``kinds``."""
    while True:
        kind, end = class_at(han, data, at, stop)
        if not is_in(kind, kinds):
            return at
        at = end


@inline_kernel
def ascii_word(data, at, stop):
    """Return the end of ``[A-Za-z]*``."""
    while at < stop and 97 <= data[at] | 32 <= 122:
        at += 1
    return at


@inline_kernel
def space_before(han, data, at, stop):
    """Return the end of a white-space pre-token; the end of its segment counts as the end of the document."""
    end, last, newline = spaces(data, at, stop)
    if newline >= 0:
        return newline
    kind, _ = class_at(han, data, end, stop)
    return end if kind == END or last == at else last


@inline_kernel
def untaken(han, data, at, stop):
    """Return the end of a run of characters that no rule matches, up to one that the next word takes."""
    while True:
        kind, end = class_at(han, data, at, stop)
        if kind != OTHER or is_in(class_at(han, data, end, stop)[0], WORD):
            return at
        at = end


@kernel
def deepseek(data, at, stop, digits):
    """Return the end of the pre-token that begins at ``at`` < ``stop``; a number has at most ``digits`` digits."""
    kind, begin = kind_at(data, at, stop)
    if kind == NUMBER:
        return up_to(digits - 1, data, begin, stop) if digits > 1 else begin
    han = is_han(data, at, stop)
    if is_in(kind, WORD):
        return run(WORD, han, data, begin, stop)
    if is_in(kind, SIGNS):
        end = ascii_word(data, begin, stop)
        if data[at] < 0x80 and end > begin:
            return end
        end = run(SIGNS, han, data, begin, stop)
        return end if han else newlines(data, end, stop, False)
    if kind != NEWLINE:
        after, _ = class_at(han, data, begin, stop)
        if is_in(after, WORD):
            return run(WORD, han, data, begin, stop)
        if data[at] == BLANK and is_in(after, SIGNS):
            return newlines(data, run(SIGNS, han, data, begin, stop), stop, False)
    return space_before(han, data, at, stop) if is_in(kind, SPACES) else untaken(han, data, begin, stop)
