"""Markup left in a text: the bytes of its tags.

A tag is what HTML and XML have, between ``<`` and the next ``>``: a comment or declaration, a closing tag, the name of
an HTML element alone or with attributes, any other name with a quoted attribute. Types (``map<Key, Value>``),
comparisons, addresses of mail and the web, and arguments (``<name>``) are none.
"""

import numpy as np

from gristmill.filters.text.lines import places
from gristmill.filters.text.names import LETTER, name_number, name_numbers
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

OPENING = np.arange(256) == ord("<")
MAX_TAG_BYTES = 2000  # of a tag with scripts in its attributes
# HTML's elements, obsolete ones included, in lower or upper case.
ELEMENTS = (
    "a abbr acronym address applet area article aside audio b base basefont bdi bdo big blockquote body br button "
    "canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir div dl dt em embed "
    "fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe "
    "img input ins kbd label legend li link main map mark marquee menu meta meter nav nobr noframes noscript object ol "
    "optgroup option output p param picture pre progress q rp rt ruby s samp script search section select slot small "
    "source span strike strong style sub summary sup svg table tbody td template textarea tfoot th thead time title tr "
    "track tt u ul var video wbr"
)
GLUED = 3  # letters of a bare tag that may follow a word ("line<br>"): longer ones and capitals there are types
ELEMENT_NUMBERS = name_numbers(ELEMENTS)


def _bytes_of(marks: bytes) -> np.ndarray:
    wanted = np.zeros(256, np.bool_)
    wanted[[*marks]] = True
    return wanted


ALPHABET = bytes(byte for byte in range(128) if chr(byte).isalpha())
IDENTIFIER = ALPHABET + b"0123456789_"
MAY_TAKE_TYPES, WORD = _bytes_of(IDENTIFIER), _bytes_of(IDENTIFIER + b":.@-")


def tag_bytes(text: Ragged) -> np.ndarray:
    """Return the bytes of each document inside tags, int64[n]."""
    opening = places(text.data, OPENING)
    inside = np.zeros(text.rows, np.int64)
    _markup(*text, opening, inside)
    return inside


@kernel
def _markup(offsets, data, opening, inside):
    k = 0
    for i in range(offsets.size - 1):
        size = 0
        while k < opening.size and opening[k] < offsets[i + 1]:
            at = np.int64(opening[k])
            stop = np.int64(opening[k + 1]) if k + 1 < opening.size else offsets[i + 1]
            stop = min(stop, offsets[i + 1], at + MAX_TAG_BYTES)
            k += 1
            if at + 2 < stop and (LETTER[data[at + 1]] or data[at + 1] == 0x2F or data[at + 1] == 0x21):  # / !
                end = at + 2
                while end < stop and data[end] != 0x3E:
                    end += 1
                follows_word = at > offsets[i] and MAY_TAKE_TYPES[data[at - 1]]
                size += end + 1 - at if end < stop and is_tag(data, at + 1, end, follows_word) else 0
        inside[i] = size


@kernel
def is_tag(data, start, end, follows_word):
    """True if ``data[start:end]``, which begins with a letter, / or !, is a tag's content."""
    if data[start] == 0x21:
        return start + 1 < end and (LETTER[data[start + 1]] or data[start + 1] == 0x2D or data[start + 1] == 0x5B)
    if data[start] == 0x2F:
        return LETTER[data[start + 1]] and skip_blanks(data, skip_word(data, start + 1, end), end) == end
    after = skip_word(data, start, end)
    at = skip_blanks(data, after, end)
    if at == end or (at + 1 == end and data[at] == 0x2F):
        glued = follows_word and (after - start > GLUED or data[start] < 0x61)
        return not glued and is_element(data, start, after)
    while after < at < end:
        after = skip_word(data, at, end)
        if after > at and after + 1 < end and data[after] == 0x3D:  # name=
            quoted = data[after + 1] == 0x22 or data[after + 1] == 0x27
            return quoted or is_element(data, start, skip_word(data, start, end))
        at = skip_blanks(data, after, end)
    return False


@inline_kernel
def skip_word(data, at, end):
    while at < end and WORD[data[at]]:
        at += 1
    return at


@inline_kernel
def skip_blanks(data, at, end):
    while at < end and data[at] <= 0x20:
        at += 1
    return at


@kernel
def is_element(data, start, end):
    """True if ``data[start:end]`` is the name of an HTML element, all in lower or all in upper case."""
    for at in range(start + 1, end):
        if LETTER[data[at]] and (data[at] ^ data[start]) & 0x20:
            return False
    number = name_number(data, start, end)
    k = np.searchsorted(ELEMENT_NUMBERS, number)
    return k < ELEMENT_NUMBERS.size and ELEMENT_NUMBERS[k] == number
