"""DeepSeek-V3's split: three cuts, one after the other.

1. ``\\p{N}{1,3}``
2. ``[一-龥぀-ゟ゠-ヿ]+``
3. in what is left between: ``[!"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+``
   ``|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+``, and what
   none of these takes (control characters).

Here in one pass: numbers and Han or kana end whatever came before them, as the end of a document does.
"""

from pipelines.bits import inlined
from pipelines.utf8 import decode
from tokenizers_lab.characters import MARK, NEWLINE, NUMBER, OTHER, PUNCTUATION, SYMBOL, kind_at
from tokenizers_lab.split.runs import BLANK, LETTERS, SPACES, is_in, newlines, spaces, up_to

HAN = 10  # the class of what the second cut takes
WORD = LETTERS | 1 << MARK
SIGNS = 1 << PUNCTUATION | 1 << SYMBOL


@inlined
def class_at(data, at, stop):
    """As ``kind_at``, with HAN."""
    if data[at] >= 0xE3:
        code, size = decode(data, at, stop)
        if 0x4E00 <= code <= 0x9FA5 or 0x3040 <= code <= 0x30FF:
            return HAN, at + size
    return kind_at(data, at, stop)


@inlined
def run(kinds, data, at, stop):
    while at < stop:
        kind, end = class_at(data, at, stop)
        if not is_in(kind, kinds):
            break
        at = end
    return at


@inlined
def ascii_word(data, at, stop):
    """The end of ``[A-Za-z]*``."""
    while at < stop and 97 <= data[at] | 32 <= 122:
        at += 1
    return at


@inlined
def next_class(data, at, stop):
    return class_at(data, at, stop) if at < stop else (NUMBER, at)  # which ends a piece as the document's end does


@inlined
def space_before(data, at, stop):
    """White space, where a number or Han after it is an end too."""
    end, last, newline = spaces(data, at, stop)
    if newline >= 0:
        return newline
    kind, _ = next_class(data, end, stop)
    return end if kind == NUMBER or kind == HAN or last == at else last


@inlined
def deepseek(data, at, stop, digits):
    """The end of the piece that begins at ``at`` < ``stop``; at most ``digits`` in a number."""
    kind, begin = class_at(data, at, stop)
    if kind == NUMBER:
        return up_to(digits - 1, data, begin, stop) if digits > 1 else begin
    if kind == HAN:
        return run(1 << HAN, data, begin, stop)
    if is_in(kind, WORD):
        return run(WORD, data, begin, stop)
    if is_in(kind, SIGNS):
        end = ascii_word(data, begin, stop)
        if data[at] < 0x80 and end > begin:
            return end
        return newlines(data, run(SIGNS, data, begin, stop), stop, False)
    if kind != NEWLINE:
        after, _ = next_class(data, begin, stop)
        if is_in(after, WORD):
            return run(WORD, data, begin, stop)
        if data[at] == BLANK and is_in(after, SIGNS):
            return newlines(data, run(SIGNS, data, begin, stop), stop, False)
    if is_in(kind, SPACES):
        return space_before(data, at, stop)
    while True:  # characters that no rule takes, but for one that the next word takes
        kind, end = next_class(data, begin, stop)
        after, _ = next_class(data, end, stop)
        if kind != OTHER or is_in(after, WORD):
            return begin
        begin = end
