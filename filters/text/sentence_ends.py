"""Sentence ends in every script: terminal marks, and the closing marks that may follow them."""

import numpy as np

from gristmill.filters.text.lines import trimmed
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode

NONE, TERMINAL, WIDE_TERMINAL, CLOSER = 0, 1, 2, 3

# Unicode's Sentence_Terminal of the first plane, and the Tibetan shad. No ellipsis: a teaser ends with one.
TERMINALS = (
    "!.?\u0589\u061d\u061e\u061f\u06d4\u0700\u0701\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u0f0d\u0f0e"
    "\u104a\u104b\u1362\u1367\u1368\u166e\u1735\u1736\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8\u1aa9\u1aaa\u1aab"
    "\u1b5a\u1b5b\u1b5e\u1b5f\u1c3b\u1c3c\u1c7e\u1c7f\u203c\u203d\u2047\u2048\u2049\u2e2e\u2e3c\ua4ff\ua60e\ua60f"
    "\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d\uaa5e\uaa5f\uaaf0\uaaf1\uabeb\ufe52\ufe56\ufe57"
)
WIDE_TERMINALS = "。！？．｡︒︕︖"  # not followed by a space
CLOSING_MARKS = "\"')]}»«›‹”“’‘„」』）】〉》］｝〕〗*_`"  # including marks of bold text and quotations in plain text


def _kinds() -> np.ndarray:
    kinds = np.zeros(0x10000, np.uint8)
    for marks, kind in ((TERMINALS, TERMINAL), (WIDE_TERMINALS, WIDE_TERMINAL), (CLOSING_MARKS, CLOSER)):
        kinds[[ord(mark) for mark in marks]] = kind
    return kinds


KIND = _kinds()
MAY_END = np.zeros(256, np.bool_)  # first bytes of terminal marks: only these need decoding
MAY_END[[mark.encode()[0] for mark in TERMINALS + WIDE_TERMINALS]] = True


@inline_kernel
def is_one_of(key, keys):
    found = False
    for each in keys:
        found |= key == each
    return found


@inline_kernel
def mark_kind(code):
    return KIND[code] if code < 0x10000 else NONE


@kernel
def ends_sentence(data, start, end):
    """True if ``data[start:end]``, trimmed, ends with a terminal mark and closing marks; not with "..." or "…"."""
    at = end
    while at > start:
        last = at - 1
        while last > start and data[last] & 0xC0 == 0x80:
            last -= 1
        code, size = decode(data, last, at)
        if size != at - last:
            return False
        kind = mark_kind(code)
        if kind != CLOSER:
            dots = code == 0x2E and last - 2 >= start and data[last - 1] == 0x2E and data[last - 2] == 0x2E
            return kind != NONE and not dots
        at = last
    return False


@kernel
def after_sentence_end(data, at, end):
    """Return the end of the sentence whose terminal mark is at ``at``, with its closing marks; 0 if it ends none.

    An East Asian mark always ends a sentence; others do before white space and at ``end``, but not in 3.14.
    """
    if data[at] < 0x80 and at + 1 < end and data[at + 1] <= 0x20:  # ". ": nearly all of them
        return at + 1
    wide = False
    while at < end:
        code, size = decode(data, at, end)
        kind = mark_kind(code)
        if kind == NONE:
            return at if wide or code <= 0x20 or code == 0x85 or code == 0xA0 or code == 0x3000 else 0
        wide |= kind == WIDE_TERMINAL
        at += size
    return at


def ends_with_mark(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return whether each line ends a sentence, bool[m]; True for a blank line, which separates paragraphs."""
    answer = np.ones(start.size, np.bool_)
    _end_with_mark(data, start, end, answer)
    return answer


@kernel
def _end_with_mark(data, start, end, answer):
    for j in range(start.size):
        begin, stop = trimmed(data, start[j], end[j])
        answer[j] = begin == stop or ends_sentence(data, begin, stop)


def bytes_in_sentences(data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the bytes of each line up to its last sentence end, int32[m]."""
    answer = np.zeros(start.size, np.int32)
    _find_last_end(data, start, end, answer)
    return answer


@kernel
def _find_last_end(data, start, end, answer):
    for j in range(start.size):
        stop = np.int64(end[j])
        for at in range(stop - 1, start[j] - 1, -1):
            if MAY_END[data[at]]:
                over = after_sentence_end(data, at, stop)
                if over:
                    answer[j] = over - start[j]
                    break
