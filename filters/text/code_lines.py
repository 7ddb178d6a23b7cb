"""Lines of source code, told from prose by their marks.

A line counts as code if it has one of these:

* a call: ``(`` right after a word, as in ``open(path)``, but not ``word(s)``;
* at its end ``;``, ``{``, ``}`` or ``):``, at its start ``}``; but not CSS, as in ``.menu {`` or ``color: red;``, which
  many pages leave behind, nor prose: PROSE_WORDS plain words in a row, as in "and the sons of Isaac;";
* at its end the item of a list: ``",``, ``',``, ``),``, ``],``, ``},``;
* an operator: ``=`` between spaces, ``==``, ``!= ``, ``+= ``, ``:= ``, ``=> ``, `` &&``, `` ||``, ``::x``, ``->x``;
* a variable: ``$x``, ``${``.

A line that begins with ``#``, ``//``, ``/*``, ``* ``, ``--`` or ``=`` is a comment in code, and a heading or an item in
prose: it counts as neither. Nor does a lone ``}``, which ends blocks of code and of CSS.
"""

import numpy as np

from gristmill.filters.text.lines import Lines, places, trimmed
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

MARKS = np.zeros(256, np.bool_)
MARKS[[*b"(;{}=&|:>$"]] = True
IS_WORD = np.array([byte == 0x5F or chr(byte).isalnum() for byte in range(128)] + [False] * 128)
IS_LETTER = np.array([chr(byte).isalpha() or chr(byte) in "'-" for byte in range(128)] + [True] * 128)
IS_CLOSER = np.zeros(256, np.bool_)
IS_CLOSER[[*b"\"')]}"]] = True
PROSE_WORDS = 4  # "static const char *name;" has three
BEFORE_EQUALS = np.zeros(256, np.bool_)
BEFORE_EQUALS[[*b"!+-*/:.|&<>"]] = True


def count_code_lines(text: Ragged, lines: Lines) -> tuple[np.ndarray, np.ndarray]:
    """Return the lines of code of each document, and all its lines but blank ones and comments, int64[n] each."""
    counts = np.zeros((2, text.rows), np.int64)
    _count(text.data, *lines, places(text.data, MARKS), counts)
    return counts[0], counts[1]


@kernel
def _count(data, offsets, start, end, marks, counts):
    k = 0
    for i in range(offsets.size - 1):
        for j in range(offsets[i], offsets[i + 1]):
            begin, stop = trimmed(data, start[j], end[j])
            if begin == stop or _is_neither(data, begin, stop):
                continue
            counts[1, i] += 1
            if data[stop - 1] == ord(",") and stop - begin > 1 and IS_CLOSER[data[stop - 2]]:
                counts[0, i] += 1
                continue
            while k < marks.size and marks[k] < begin:
                k += 1
            while k < marks.size and marks[k] < stop:
                if _is_code(data, begin, stop, np.int64(marks[k])):
                    counts[0, i] += 1
                    break
                k += 1


@inline_kernel
def _is_neither(data, at, stop):
    """True for a comment and for a lone closing brace."""
    byte, following = data[at], data[at + 1] if at + 1 < stop else 0x20
    if byte == ord("*"):
        return following <= 0x20 or following == ord("/")
    if byte == ord("/"):
        return following == ord("/") or following == ord("*")
    if byte == ord("}"):
        return at + 1 == stop
    return byte == ord("#") or byte == ord("=") or (byte == ord("-") and following == ord("-"))


@kernel
def _is_code(data, begin, stop, at):
    """True if the mark at ``at`` makes the line ``begin:stop``, without white space around it, one of code."""
    byte = data[at]
    before = data[at - 1] if at > begin else 0x20
    after = data[at + 1] if at + 1 < stop else 0x20
    last = at + 1 == stop
    if byte == ord("("):
        return IS_WORD[before] and not (after == ord("s") and at + 2 < stop and data[at + 2] == ord(")"))
    if byte == ord(";") or byte == ord("{"):
        return last and not _is_css(data, begin, at) and not _is_prose(data, begin, at)
    if byte == ord("}"):
        return last or at == begin
    if byte == ord("="):
        if after == ord("="):
            return at > begin and before != ord("=") and (at + 2 == stop or data[at + 2] != ord("="))
        return at > begin and not last and after <= 0x20 and (before <= 0x20 or BEFORE_EQUALS[before])
    if byte == ord(":"):
        return (last and before == ord(")")) or (after == ord(":") and at + 2 < stop and IS_WORD[data[at + 2]])
    if byte == ord(">"):
        return (before == ord("-") and IS_WORD[after]) or (before == ord("=") and after <= 0x20 and at > begin + 1)
    if byte == ord("$"):
        return after == ord("{") or (IS_WORD[after] and not 0x30 <= after <= 0x39)
    return after == byte and before <= 0x20 and at > begin  # && and ||; at the start is a row of a table


@kernel
def _is_prose(data, begin, end):
    """True if PROSE_WORDS words of letters follow each other, with a space or a comma and a space between them."""
    words, at = 0, begin
    while at < end:
        start = at
        while at < end and IS_LETTER[data[at]]:
            at += 1
        if at == start:
            words, at = 0, at + 1
            continue
        words += 1
        if words == PROSE_WORDS:
            return True
        at += at < end and data[at] == ord(",")
        if at < end and data[at] == 0x20:
            at += 1
        else:
            words = 0
    return False


@kernel
def _is_css(data, begin, end):
    """True if a line begins with a class or an at-rule, or with a property of letters and hyphens and a colon."""
    if data[begin] == ord(".") or data[begin] == ord("@"):
        return True
    at = begin
    while at < end and (0x61 <= data[at] <= 0x7A or data[at] == ord("-")):
        at += 1
    return begin < at < end and data[at] == ord(":")
