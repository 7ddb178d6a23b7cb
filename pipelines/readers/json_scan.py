"""Kernels that scan JSON without parsing it.

`split_values` finds the values that do not lie one per line: an array, objects over several lines, objects end to end.
`watch_digits` finds integers that may exceed 64 bits: orjson rounds them to a double without a word.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.readers.encoding import BOM
from gristmill.pipelines.readers.streaming import CorruptStream

VALUES = 1 << 16  # found per call of the kernel
DIGITS = 19  # fewer fit into 64 bits
ZERO, NINE, POINT = ord("0"), ord("9"), ord(".")
BACKSLASH, QUOTE, COMMA, NEWLINE, SPACE = (ord(character) for character in '\\",\n ')
BRACE, END_BRACE, BRACKET, END_BRACKET = (ord(character) for character in "{}[]")

# State of `_scan`: open brackets of the value; 1 in a string, 2 after a backslash in it; where the value begins, or -1;
# 1 in an array of values; 1 in lines to skip, 2 at the beginning of one.
DEPTH, QUOTED, BEGIN, ARRAY, SKIP = range(5)


class Values(NamedTuple):
    """Consecutive values of a file, as bytes, with other bytes between them."""

    first: int  # number of the first value, from 1
    offset: int  # of the bytes in which they lie
    records: list[bytes]
    starts: np.ndarray  # offset of each value


def split_values(
    blocks: Iterable[bytes], max_bytes: int, on_too_long: Callable[[int, int, bytes], None], first: int = 1
) -> Iterator[Values]:
    """Yield the elements of an array, and values that follow each other, as `split_records` does records.

    Brackets and strings are counted, nothing is parsed. A line break inside a string is not JSON: the value ends there,
    and the next one begins in the next line that begins with a brace. Raises CorruptStream at the end if an array or a
    value is not closed.
    """
    state = np.array([0, 0, -1, 0, 0], np.int64)
    begins, ends = np.empty(VALUES, np.int64), np.empty(VALUES, np.int64)
    number, offset, data, lost, beginning = first, 0, b"", 0, b""  # offset of the data; lost: bytes of a long value
    for block in blocks:
        if offset == 0 and not data and block.startswith(BOM):
            offset, block = len(BOM), block[len(BOM) :]
        at, data = len(data), data + block
        while at < len(data):
            at, found = _scan(np.frombuffer(data, np.uint8), at, state, begins, ends)
            begin = 0
            for i in range(found):
                if lost + ends[i] - begins[i] > max_bytes:
                    yield _records(data, offset, number, begins[begin:i], ends[begin:i])
                    number += i - begin
                    on_too_long(number, offset + int(begins[i]) - lost, beginning or data[begins[i] : begins[i] + 1024])
                    number, begin = number + 1, i + 1
                lost, beginning = 0, b""
            yield _records(data, offset, number, begins[begin:found], ends[begin:found])
            number += found - begin
        keep = int(state[BEGIN]) if state[BEGIN] >= 0 else len(data)
        offset, data = offset + keep, data[keep:]
        if len(data) > max_bytes:
            beginning = beginning or data[:1024]
            lost, offset, data = lost + len(data), offset + len(data), b""
        state[BEGIN] = 0 if state[BEGIN] >= 0 else -1
    if state[BEGIN] >= 0 or (state[ARRAY] and not state[SKIP]):
        kind = "value" if state[BEGIN] >= 0 else "array"
        raise CorruptStream(f"not JSON: the last {kind} is not closed", number, offset - lost, beginning or data)


def _records(data: bytes, offset: int, number: int, begins: np.ndarray, ends: np.ndarray) -> Values:
    values = [data[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    return Values(number, offset, values, begins + offset)


@kernel
def _scan(data, at, state, begins, ends):
    """Scan on from ``at`` until the data ends or the output is full; return the position and the number of values."""
    depth, quoted, begin, array, skip = state[0], state[1], state[2], state[3], state[4]
    found = 0
    while at < data.size and found + 1 < begins.size:
        byte = data[at]
        if skip:
            if byte == NEWLINE:
                skip = 2
            elif byte == BRACE and skip == 2:
                skip = 0
                continue
            elif byte > SPACE:
                skip = 1
        elif quoted == 2:
            quoted = 1
        elif quoted == 1:
            if byte == BACKSLASH:
                quoted = 2
            elif byte == QUOTE:
                quoted = 0
            elif byte == NEWLINE:
                begins[found], ends[found] = begin, at
                found, begin, depth, quoted, skip = found + 1, -1, 0, 0, 2
        elif byte == BRACKET and begin < 0 and not array:
            array = 1
        elif byte == BRACE or byte == BRACKET or byte == QUOTE:
            begin = at if begin < 0 else begin
            if byte == QUOTE:
                quoted = 1
            else:
                depth += 1
        elif depth:
            if byte == END_BRACE or byte == END_BRACKET:
                depth -= 1
                if depth == 0:
                    begins[found], ends[found] = begin, at + 1
                    found, begin = found + 1, -1
        elif byte <= SPACE or byte == COMMA or byte == END_BRACKET or byte == END_BRACE:
            if begin >= 0:  # of a number, a word or a string
                begins[found], ends[found] = begin, at
                found, begin = found + 1, -1
            if byte == END_BRACKET and array:
                array = 0
            elif byte == END_BRACKET or byte == END_BRACE:
                begins[found], ends[found] = at, at + 1  # closes nothing: no JSON
                found += 1
        elif begin < 0:
            begin = at
        at += 1
    state[0], state[1], state[2], state[3], state[4] = depth, quoted, begin, array, skip
    return at, found


def watch_digits(blocks: Iterable[bytes], places: list[int]) -> Iterator[bytes]:
    """Yield the blocks; append to ``places`` the offset of a byte in each run of at least 19 digits.

    Every 19th byte is looked at, so this takes about 2 % of the time of parsing.
    """
    offset, tail = 0, b""
    for block in blocks:
        places += _places(tail + block[:DIGITS], offset - len(tail)) + _places(block, offset)
        offset, tail = offset + len(block), (tail + block[-DIGITS:])[-DIGITS:]
        yield block
        del block  # before the next one is made


def _places(data: bytes, offset: int) -> list[int]:
    found = np.empty(len(data) // DIGITS + 1, np.int64)
    return (found[: _long_runs(np.frombuffer(data, np.uint8), found)] + offset).tolist()


@kernel
def _long_runs(data, found):
    """Write a place in each run of at least ``DIGITS`` digits; return their number."""
    count, at = 0, DIGITS - 1
    while at < data.size:
        begin, end = at, at
        while begin > at - DIGITS and begin >= 0 and ZERO <= data[begin] <= NINE:
            begin -= 1
        while end < at + DIGITS and end < data.size and ZERO <= data[end] <= NINE:
            end += 1
        if end - begin > DIGITS and not (
            begin >= 0 and data[begin] == POINT
        ):  # the digits of a fraction are no integer
            found[count] = at
            count += 1
        at += DIGITS
    return count
