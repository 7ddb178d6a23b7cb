"""Streaming of an input slice: decompressed blocks, and the records between separators in them."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, NamedTuple

from gristmill.pipelines.inputs.inputs import BLOCK_BYTES, COMPRESSIONS, MAX_WINDOW_BYTES, open_input
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.progress import count_bytes
from gristmill.pipelines.readers.decompression import MAGIC, CorruptStream, decompress

# A compressed file with more lines than both is a bomb: 65 kB of zstd can hold 2 * 10^9 empty lines.
BOMB_LINES, LINES_PER_BYTE = 1 << 22, 100

MAX_RECORDS = 1 << 16  # given to a reader at once: bounds the objects it makes of them


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
            yield from _no_bomb(decompress(_chunks(file), piece.file, max_window_bytes, resume), piece)
            return
        file.seek(piece.start)
        left = piece.end - piece.start if piece.end else sys.maxsize
        while block := file.read(min(piece.file.block_bytes, left)):
            if file.tell() == len(block) and (packed := next((k for k, v in MAGIC.items() if block.startswith(v)), "")):
                named = next((suffix for suffix, kind in COMPRESSIONS.items() if kind == packed), "")
                remedy = f"let its name end in {named}" if named else "unpack it"
                raise CorruptStream(f"compressed: {packed} data under a name without {packed}; {remedy}")
            left -= len(block)
            yield block
            count_bytes(len(block))


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(1 << 20):
        yield chunk
        count_bytes(len(chunk))


def _no_bomb(blocks: Iterator[bytes | CorruptStream], piece: InputSlice) -> Iterator[bytes | CorruptStream]:
    """Yield the blocks of a compressed file. Raises CorruptStream before far too many lines for its size."""
    lines, most = 0, max(BOMB_LINES, LINES_PER_BYTE * piece.file.size)
    for large in blocks:
        if isinstance(large, CorruptStream):
            yield large
            continue
        for begin in range(0, len(large), 2 * BLOCK_BYTES):  # a bomb's block may have 128 MB
            block = large[begin : begin + 2 * BLOCK_BYTES]
            before, lines = lines, lines + block.count(b"\n")
            yield block if lines <= most else block[: most - before]  # which cannot hold more lines
            if lines > most:
                held = f"{piece.file.size:,} bytes of {piece.file.compression} hold over {most:,} lines"
                raise CorruptStream(f"bomb: {held}; decompress it if it is text")


def split_records(
    blocks: Iterable[bytes],
    separator: bytes,
    max_bytes: int,
    on_too_long: Callable[[int, int, bytes], None],
    first: int = 1,
) -> Iterator[Records]:
    """Yield the records between separators, up to MAX_RECORDS at a time; offsets count from the first block.

    A record of more than ``max_bytes`` is never held whole; it is skipped after a call ``on_too_long(number, offset,
    beginning)``. A CorruptStream of the blocks is raised again with the position of the unfinished record.
    """
    number, offset = first, 0  # of the first record not yet yielded
    tail, skipped, beginning = b"", 0, b""  # of the unfinished record: bytes held, number of dropped bytes, first bytes
    overlap = len(separator) - 1  # a separator may cross two blocks
    try:
        for block in blocks:
            records = (tail + block).split(separator)
            tail = records.pop()
            if skipped and records:  # the end of a record that was too long
                on_too_long(number, offset, beginning)
                number, offset, skipped = number + 1, offset + skipped + len(records.pop(0)) + len(separator), 0
            begin, some = 0, []
            for end in [*_too_long(records, max_bytes), len(records)]:
                for at in range(begin, end, MAX_RECORDS):  # no larger slice: 32 MB of blank lines are a list of 268 MB
                    some = records[at : min(at + MAX_RECORDS, end)]
                    yield Records(number, offset, some)
                    number, offset = number + len(some), offset + _span(some, separator)
                if end < len(records):
                    on_too_long(number, offset, records[end])
                    number, offset = number + 1, offset + len(records[end]) + len(separator)
                begin = end + 1
            if skipped or len(tail) > max_bytes + overlap:
                beginning = beginning if skipped else tail[:1024]
                keep = tail[len(tail) - overlap :]
                skipped, tail = skipped + len(tail) - len(keep), keep
            del records, some  # 16 MB of short records are 300 MB of objects: never those of two blocks at once
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
