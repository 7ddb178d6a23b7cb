"""Streaming of an input slice: decompressed blocks, and the records between separators in them."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gristmill.pipelines.inputs.inputs import MAX_WINDOW_BYTES, open_input
from gristmill.pipelines.inputs.work_units import BLOCK_BYTES, InputSlice
from gristmill.pipelines.readers.decompression import CorruptStream, decompress


class Records(NamedTuple):
    """Consecutive records of a file, as bytes."""

    first: int  # number of the first record, from 1
    offset: int  # of the first record in the decompressed file
    records: list[bytes]


def read_blocks(piece: InputSlice, max_window_bytes: int = MAX_WINDOW_BYTES) -> Iterator[bytes]:
    """Yield the slice in blocks of about 16 MB. Raises CorruptStream after all good bytes of a damaged file."""
    for block in read_streams(piece, max_window_bytes, resume=False):
        if isinstance(block, CorruptStream):
            raise block
        yield block


def read_streams(piece: InputSlice, max_window_bytes: int, resume: bool = True) -> Iterator[bytes | CorruptStream]:
    """Yield the slice in blocks, and a CorruptStream in place of each damaged compressed stream: see `decompress`."""
    with open_input(piece.file.url) as file:
        if piece.file.compression:
            chunks = iter(lambda: file.read(1 << 20), b"")
            yield from decompress(chunks, piece.file, max_window_bytes, resume)
            return
        file.seek(piece.start)
        left = piece.end - piece.start if piece.end else sys.maxsize
        while block := file.read(min(BLOCK_BYTES, left)):
            left -= len(block)
            yield block


def split_records(
    blocks: Iterable[bytes],
    separator: bytes,
    max_bytes: int,
    on_too_long: Callable[[int, int, bytes], None],
    first: int = 1,
) -> Iterator[Records]:
    """Yield the records between separators, those of one block at a time; offsets count from the first block.

    A record of more than ``max_bytes`` is never held whole; it is skipped after a call ``on_too_long(number, offset,
    beginning)``. A CorruptStream of the blocks is raised again with the position of the unfinished record.
    """
    number, offset = first, 0  # of the first record not yet yielded
    tail, skipped, beginning = b"", 0, b""  # of the unfinished record: bytes held, number of dropped bytes, first bytes
    overlap = len(separator) - 1  # a separator may cross two blocks
    try:
        for block in blocks:
            *records, tail = (tail + block).split(separator)
            if skipped and records:  # the end of a record that was too long
                on_too_long(number, offset, beginning)
                number, offset, skipped = number + 1, offset + skipped + len(records.pop(0)) + len(separator), 0
            begin = 0
            for i in _too_long(records, max_bytes):
                yield Records(number, offset, records[begin:i])
                number, offset = number + i - begin, offset + _span(records[begin:i], separator)
                on_too_long(number, offset, records[i])
                number, offset, begin = number + 1, offset + len(records[i]) + len(separator), i + 1
            yield Records(number, offset, records[begin:])
            number, offset = number + len(records) - begin, offset + _span(records[begin:], separator)
            if skipped or len(tail) > max_bytes + overlap:
                beginning = beginning if skipped else tail[:1024]
                keep = tail[len(tail) - overlap :]
                skipped, tail = skipped + len(tail) - len(keep), keep
    except CorruptStream as corrupt:
        at, excerpt = offset + skipped + len(tail), beginning if skipped else tail
        raise CorruptStream(corrupt.reason, number, at, excerpt, corrupt.lost_bytes) from None
    if skipped or len(tail) > max_bytes:
        on_too_long(number, offset, beginning or tail)
    elif tail:
        yield Records(number, offset, [tail])


def _too_long(records: list[bytes], max_bytes: int) -> list[int]:
    if max(map(len, records), default=0) <= max_bytes:  # nearly always true, and several times faster
        return []
    return [i for i, record in enumerate(records) if len(record) > max_bytes]


def _span(records: list[bytes], separator: bytes) -> int:
    return sum(map(len, records)) + len(records) * len(separator)
