"""Bytes of a piece, decompressed block by block, and the records between separators in them."""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import zstandard

from gristmill.pipelines.inputs.inputs import open_input
from gristmill.pipelines.inputs.work_units import BLOCK_BYTES, InputSlice

# Compressed bytes handed to a decompressor at once. So few that even a bomb of 128 KB of zeros in 4 bytes, the most
# that zstd can say, stays under 128 MB; 16 times as many at once were at most 5 % faster.
FIRST_READ_BYTES = 4096

DECOMPRESSORS: dict[str, Callable[[], Any]] = {
    "gz": lambda: zlib.decompressobj(wbits=31),
    "zst": lambda: zstandard.ZstdDecompressor().decompressobj(),  # refuses windows over 128 MB
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
}


class CorruptStream(Exception):
    """A file cannot be read beyond some place; what comes before is good."""

    def __init__(self, reason: str, number: int = 0, offset: int | None = None, excerpt: bytes = b""):
        super().__init__(reason)
        self.reason, self.number, self.offset, self.excerpt = reason, number, offset, excerpt


class Records(NamedTuple):
    """Consecutive records of a file, as bytes."""

    first: int  # number of the first, counted from 1
    offset: int  # of the first, in the (decompressed) file
    records: list[bytes]


def read_blocks(piece: InputSlice) -> Iterator[bytes]:
    """The piece's bytes in blocks of about 16 MB. Raises Broken, after all good bytes, where it ends too early."""
    with open_input(piece.file.url) as file:
        if piece.file.compression:
            yield from _decompress(iter(lambda: file.read(1 << 20), b""), piece.file.compression)
            return
        file.seek(piece.start)
        left = piece.end - piece.start if piece.end else sys.maxsize
        while block := file.read(min(BLOCK_BYTES, left)):
            left -= len(block)
            yield block


def _decompress(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    """Blocks of a compressed file, which may be several compressed streams one after the other."""
    decompressor, parts, held = None, [], 0
    try:
        for chunk in chunks:
            for begin in range(0, len(chunk), FIRST_READ_BYTES):
                sip = chunk[begin : begin + FIRST_READ_BYTES]
                while sip := sip if decompressor else sip.lstrip(b"\0"):  # zeros between streams are padding
                    decompressor = decompressor or DECOMPRESSORS[compression]()
                    parts.append(decompressor.decompress(sip))
                    held += len(parts[-1])
                    sip = decompressor.unused_data
                    if decompressor.eof:
                        decompressor = None
                if held >= BLOCK_BYTES:
                    yield b"".join(parts)
                    parts, held = [], 0
    except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # the disk, not the data: bz2 complains by an OSError without a number
        yield b"".join(parts)
        raise CorruptStream(f"damaged {compression}: {error}") from None
    yield b"".join(parts)
    if decompressor:
        raise CorruptStream(f"truncated {compression}: the file ends inside compressed data")


def split_records(
    blocks: Iterable[bytes],
    separator: bytes,
    max_bytes: int,
    too_long: Callable[[int, int, bytes], None],
    first: int = 1,
) -> Iterator[Records]:
    """The records between separators, as many at once as a block holds; offsets count from the first block.

    A record of more than ``max_bytes`` is never held whole: ``too_long(number, offset, its beginning)`` is told of
    it, and it is left out. A Broken among the blocks leaves with the number, offset and bytes of the unended record.
    """
    number, offset = first, 0  # of the first record not yet handed out
    tail, skipped, beginning = b"", 0, b""  # of the record under way: bytes read, bytes let go, how it began
    overlap = len(separator) - 1  # a separator may lie across two blocks
    try:
        for block in blocks:
            *records, tail = (tail + block).split(separator)
            if skipped and records:  # here ends the one that was too long
                too_long(number, offset, beginning)
                number, offset, skipped = number + 1, offset + skipped + len(records.pop(0)) + len(separator), 0
            begin = 0
            for i in _too_long(records, max_bytes):
                yield Records(number, offset, records[begin:i])
                number, offset = number + i - begin, offset + _span(records[begin:i], separator)
                too_long(number, offset, records[i])
                number, offset, begin = number + 1, offset + len(records[i]) + len(separator), i + 1
            yield Records(number, offset, records[begin:])
            number, offset = number + len(records) - begin, offset + _span(records[begin:], separator)
            if skipped or len(tail) > max_bytes + overlap:
                beginning = beginning if skipped else tail[:1024]
                keep = tail[len(tail) - overlap :]
                skipped, tail = skipped + len(tail) - len(keep), keep
    except CorruptStream as broken:
        raise CorruptStream(
            broken.reason, number, offset + skipped + len(tail), beginning if skipped else tail
        ) from None
    if skipped or len(tail) > max_bytes:
        too_long(number, offset, beginning or tail)
    elif tail:
        yield Records(number, offset, [tail])


def _too_long(records: list[bytes], max_bytes: int) -> list[int]:
    if max(map(len, records), default=0) <= max_bytes:  # nearly always, and several times faster than asking each
        return []
    return [i for i, record in enumerate(records) if len(record) > max_bytes]


def _span(records: list[bytes], separator: bytes) -> int:
    return sum(map(len, records)) + len(records) * len(separator)
