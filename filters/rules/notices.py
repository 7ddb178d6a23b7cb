"""Notices of browsers and consent forms, told from prose that mentions one.

A line with a notice's phrase is a notice if at least one word in WORDS_EACH is a phrase or addresses the reader ("you",
"our", "please") or is of footers ("copyright"). So every line of up to WORDS_EACH words is one, and no paragraph about
a ministry's privacy policy. Words are runs without a space that have a letter.
"""

import numpy as np

from gristmill.filters.text.names import LETTER, name_number, name_numbers
from gristmill.pipelines.kernels.intrinsics import kernel

WORDS_EACH = 12
READER = (
    "you your yours we our ours please browser agree subscribe copyright reserved du dich dir dein deine uns sie "
    "ihr ihre ihrem ihren ihrer wir unser unsere unseren unserer bitte vous votre vos nous notre nos veuillez usted "
    "nosotros nuestra nuestro nuestras nuestros"
)
READER_NUMBERS = name_numbers(READER)


def mark_notices(data: np.ndarray, start: np.ndarray, end: np.ndarray, hits: np.ndarray, mark: int, reason: np.ndarray):
    """Set the ``reason`` of the lines that are notices to ``mark``; ``hits`` counts the phrases of each line."""
    lines = np.flatnonzero(hits)
    found = np.zeros(lines.size, np.bool_)
    _find(data, start[lines], end[lines], hits[lines], found)
    reason[lines[found]] = mark


@kernel
def _find(data, start, end, hits, found):
    for j in range(start.size):
        words, known, fresh = 0, hits[j], True  # fresh: no letter since the last blank
        at, stop = np.int64(start[j]), np.int64(end[j])
        while at < stop:
            after = at
            while after < stop and (LETTER[data[after]] or data[after] >= 0x80):
                after += 1
            if after > at:
                words, known, fresh = words + fresh, known + is_of_reader(data, at, after), False
            elif data[at] <= 0x20:
                fresh = True
            at = max(after, at + 1)
        found[j] = words <= WORDS_EACH * known


@kernel
def is_of_reader(data, start, end):
    """True if a word is one of READER, in any case."""
    number = name_number(data, start, end)
    k = np.searchsorted(READER_NUMBERS, number)
    return k < READER_NUMBERS.size and READER_NUMBERS[k] == number
