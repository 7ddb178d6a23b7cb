"""Boundaries of pre-tokens in 64 bytes at once, for the pre-tokenizers of GPT-2 and its successors.

1. The bytes become masks of character classes: ASCII by comparison, other characters one by one. All bytes of a
   character have its bit.
2. Shifts of masks give the boundaries: a letter that follows no letter begins a word.
3. Only the boundaries that no later byte can change are returned. If there are none, the scanner finds the next one.

Characters that the bit operations do not cover end the window: white space and, except for GPT-2, numbers beyond ASCII;
for o200k, a combining mark after signs and a capital after a letter without case; for deepseek, all beyond ASCII.
"""

from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, leading_zeros, trailing_zeros
from gristmill.pipelines.kernels.masks import WINDOW, low_bits_mask, range_mask
from gristmill.tokenizers_lab.pretokenize.classes import LETTER, LOWER, MARK, NUMBER, SPACE, UPPER, kind_at
from gristmill.tokenizers_lab.pretokenize.scan import APOSTROPHE, BLANK, LINE_FEED, RETURN, contraction

ONE, NONE = U64(1), U64(0)
SLASH, DELETE = 47, 127
MARGIN = WINDOW + 16  # bytes that the array has from the beginning of a window on: room to load its last key


@inline_kernel
def classify(data, at, stop):
    """Return the masks of the classes of 64 bytes, and how many bytes are classified; no bits from ``stop`` on.

    Masks: lower, upper, other letters, marks, numbers, white space without newlines, newlines, all bytes of characters
    except the first, bytes beyond ASCII.
    """
    known = min(stop - at, WINDOW)
    inside = low_bits_mask(known)
    lower, upper = range_mask(data, at, 97, 122) & inside, range_mask(data, at, 65, 90) & inside
    numbers, wide = range_mask(data, at, 48, 57) & inside, range_mask(data, at, 128, 255) & inside
    newlines = (range_mask(data, at, LINE_FEED, LINE_FEED) | range_mask(data, at, RETURN, RETURN)) & inside
    flat = (range_mask(data, at, BLANK, BLANK) | range_mask(data, at, 9, 13)) & inside & ~newlines
    letters, marks, tails, rest = NONE, NONE, NONE, wide
    while rest:
        place = trailing_zeros(rest)
        kind, end = kind_at(data, at + place, stop)
        if end - at > WINDOW:
            known = place
            break
        bits = low_bits_mask(end - at) & ~low_bits_mask(place)
        rest &= ~bits
        tails |= bits & bits << ONE
        lower |= bits if kind == LOWER else NONE
        upper |= bits if kind == UPPER else NONE
        letters |= bits if kind == LETTER else NONE
        marks |= bits if kind == MARK else NONE
        numbers |= bits if kind == NUMBER else NONE
        flat |= bits if kind == SPACE else NONE
    return lower, upper, letters, marks, numbers, flat, newlines, tails, wide, known


@inline_kernel
def gpt2_boundaries(data, at, stop):
    """Return the boundaries in ``data[at + 1 : at + 64]`` that are certain; bit i is ``at + i``."""
    lower, upper, letters, _, numbers, flat, newlines, _, wide, known = classify(data, at, stop)
    letters |= lower | upper
    spaces = flat | newlines | ~low_bits_mask(stop - at)
    signs = ~(letters | numbers | spaces)
    begins = letters & ~(letters << ONE) | numbers & ~(numbers << ONE) | signs & ~(signs << ONE)
    begins &= ~(range_mask(data, at, BLANK, BLANK) << ONE)  # which takes what follows it
    known = min(known, trailing_zeros(flat & wide))
    whole = known == stop - at and known < WINDOW  # the document ends in the window
    certain = known + 1 if whole else max(known - 1, 0)
    quotes = range_mask(data, at, APOSTROPHE, APOSTROPHE) & begins
    boundaries = begins | spaces & ~(spaces << ONE & spaces >> ONE)
    return contracted(data, at, stop, boundaries, certain, whole, quotes, False, False)


@inline_kernel
def line_boundaries(data, at, stop, digits, cased, contracts, whole_end, ascii_only):
    """Return the certain boundaries of cl100k and its relatives.

    Numbers have up to ``digits`` digits. ``cased``: a capital begins a word, and words keep marks. A contraction
    (``contracts``) is a pre-token, or if ``cased`` the end of a word. ``whole_end``: white space at the end of a
    document is one pre-token. ``ascii_only`` is deepseek.
    """
    lower, upper, letters, marks, numbers, flat, newlines, tails, wide, known = classify(data, at, stop)
    caseless = letters | marks
    letters |= lower | upper | (marks if cased else NONE)
    spaces = flat | newlines | ~low_bits_mask(stop - at)
    signs = ~(letters | numbers | spaces)
    begins = signs & ~((signs | range_mask(data, at, BLANK, BLANK)) << ONE)
    character = begins
    for _ in range(3):
        character |= character << ONE & tails
    alone = character & ~((character | signs) >> ONE)  # the last byte of a sign that a word takes
    joined = newlines & signs << ONE
    after = newlines + joined & ~newlines  # what follows signs with their newlines
    run = flat & ~(flat << ONE)
    inner = run & newlines << ONE & ~after
    inner_ends = flat + inner & newlines & ~flat
    while inner_ends:  # white space between newlines is one pre-token with them
        run &= ~(ONE << U64(64 - leading_zeros(~flat & low_bits_mask(trailing_zeros(inner_ends)))))
        inner_ends &= inner_ends - ONE
    odd = (flat | numbers) & wide
    if cased:
        odd |= marks & signs << ONE | upper & caseless << ONE | after & range_mask(data, at, SLASH, SLASH)
    if ascii_only:
        odd |= wide | range_mask(data, at, 0, 8) | range_mask(data, at, 14, 31) | range_mask(data, at, DELETE, DELETE)
    known = min(known, trailing_zeros(odd))
    whole = known == stop - at and known < WINDOW
    last = 64 - leading_zeros(~spaces & low_bits_mask(known))  # behind the last byte that is no white space
    certain = known + 1 if whole and not (whole_end and last < known) else last
    boundaries = letters & ~((letters | flat | alone) << ONE) | begins | run | newlines & ~((spaces | signs) << ONE)
    boundaries |= flat & ~((spaces | numbers if ascii_only else spaces) >> ONE)
    if cased:
        boundaries |= upper & ~tails & lower << ONE
    group, long = numbers & ~(numbers << ONE), numbers
    for i in range(digits):
        long &= numbers << U64(i + 1)
    while group:
        boundaries |= group
        group = group << U64(digits) & long
    quotes = NONE
    if contracts:
        quotes = range_mask(data, at, APOSTROPHE, APOSTROPHE) & (letters << ONE if cased else begins)
    return contracted(data, at, stop, boundaries, certain, whole, quotes, True, cased)


@inline_kernel
def contracted(data, at, stop, boundaries, certain, whole, quotes, any_case, suffixes):
    """Return the first ``certain`` boundaries without those inside contractions that begin at ``quotes``."""
    while quotes:
        quote = trailing_zeros(quotes)
        quotes &= quotes - ONE
        end = contraction(data, at + quote, stop, any_case) - at
        begin = quote if suffixes else quote + 1
        if end >= WINDOW:
            certain = min(certain, begin)
            break
        if end > quote:
            boundaries = boundaries & ~(low_bits_mask(end) & ~low_bits_mask(begin)) | ONE << U64(end)
            if suffixes and data[at + end] == APOSTROPHE:  # a word has one
                certain = min(certain, end + 1)
                break
    if whole:
        boundaries |= ONE << U64(stop - at)
    return boundaries & low_bits_mask(certain) & ~ONE
