"""Decompression of a file in bounded memory; a file may consist of several compressed streams."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import zstandard

from gristmill.pipelines.inputs.inputs import File

# Compressed bytes per call of a decompressor. The strongest zstd bomb, 128 KB of zeros per 4 bytes, then yields less
# than 32 MB at once. In a trial, calls of 4 times this size were 13 % faster and held 128 MB.
DECOMPRESS_BYTES = 1024

STARTS = {"gz": b"\x1f\x8b\x08", "zst": b"\x28\xb5\x2f\xfd"}  # first bytes of a stream
MAGIC = STARTS | {"bz2": b"BZh", "xz": b"\xfd7zXZ\0", "zip": b"PK\x03\x04", "lz4": b"\x04\x22\x4d\x18"}  # of a file
DICTIONARY = b"\x5d\x2a\x4d\x18"  # first bytes of a WARC file with a zstd dictionary (IIPC's .warc.zst 1.0)
MAX_DICTIONARY_BYTES = 16 << 20


class CorruptStream(Exception):
    """Position in a file beyond which it cannot be read; all records before it are good.

    ``lost_bytes`` counts the bytes of the stored (compressed) file that were not read. A truncated file counts whole,
    because nobody knows how much of it is missing.
    """

    def __init__(
        self, reason: str, number: int = 0, offset: int | None = None, excerpt: bytes = b"", lost_bytes: int = 0
    ):
        super().__init__(reason)
        self.reason, self.number, self.offset, self.excerpt = reason, number, offset, excerpt
        self.lost_bytes = lost_bytes


def decompress(
    chunks: Iterator[bytes], file: File, max_window_bytes: int, resume: bool = False
) -> Iterator[bytes | CorruptStream]:
    """Yield the blocks of a compressed file, and a CorruptStream after all good bytes of a damaged or truncated one.

    With ``resume``, the streams after a damaged one are read, if their format marks where a stream begins.
    """
    new, chunks = _decompressors(chunks, file, max_window_bytes)
    decompressor, parts, held = None, [], 0
    damage, damaged_at, consumed, unread = None, 0, 0, b""
    for piece in _pieces(chunks):
        consumed += len(piece)
        unread += piece  # after the rest of a damaged stream, if any
        while unread:
            if damage:
                unread, found = _search(unread, STARTS[file.compression or ""])
                if not found:
                    break
                damage.lost_bytes = consumed - len(unread) - damaged_at
                yield damage
                damage = None
            is_new = decompressor is None
            if is_new and not (unread := unread.lstrip(b"\0")):  # zeros between streams are padding
                break
            try:
                decompressor = decompressor or new()
                parts.append(decompressor.decompress(unread))
            except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError) as error:
                damaged_at = consumed - len(unread)
                why = _why(error, file, unread, max_window_bytes)
                if not damaged_at and not unread.startswith(MAGIC[file.compression or ""]):
                    why = f"damaged {file.compression}: it begins as other data; if it is not compressed, rename it"
                damage = CorruptStream(why)
                damage.lost_bytes = max(0, file.size - damaged_at)
                yield b"".join(parts)
                if not resume or file.compression not in STARTS:
                    yield damage
                    return
                decompressor, parts, held, unread = None, [], 0, unread[is_new:]
                continue
            held += len(parts[-1])
            unread = decompressor.unused_data
            if decompressor.eof:
                decompressor = None
        if held >= file.block_bytes:
            yield b"".join(parts)
            parts, held = [], 0
    yield b"".join(parts)
    if damage:
        yield damage
    elif decompressor:
        why = f"truncated {file.compression}: the file ends inside compressed data"
        yield CorruptStream(why, lost_bytes=file.size)


def _pieces(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for begin in range(0, len(chunk), DECOMPRESS_BYTES):
            yield chunk[begin : begin + DECOMPRESS_BYTES]


def _search(data: bytes, start: bytes) -> tuple[bytes, bool]:
    """Return the data from the next stream on, and True; or its last bytes, in which a stream may begin, and False."""
    at = data.find(start)
    return (data[at:], True) if at >= 0 else (data[1 - len(start) :], False)


def _decompressors(
    chunks: Iterator[bytes], file: File, max_window_bytes: int
) -> tuple[Callable[[], Any], Iterator[bytes]]:
    """Return a maker of decompressors, one per stream, and the chunks. Raises CorruptStream for a bad dictionary."""
    if file.compression == "gz":
        return lambda: zlib.decompressobj(wbits=31), chunks
    if file.compression == "bz2":
        return bz2.BZ2Decompressor, chunks
    if file.compression == "xz":
        return lzma.LZMADecompressor, chunks
    dictionary = None
    if file.format == "warc" and (head := next(chunks, b"")):
        chunks = chain([head], chunks)
        if head.startswith(DICTIONARY):
            dictionary, chunks = _dictionary(chunks, file)
    zstd = zstandard.ZstdDecompressor(dictionary, max_window_size=max_window_bytes)
    return zstd.decompressobj, chunks


def _dictionary(chunks: Iterator[bytes], file: File) -> tuple[zstandard.ZstdCompressionDict, Iterator[bytes]]:
    """Return the dictionary at the beginning of a file, and the chunks."""
    head = next(chunks)
    size = int.from_bytes(head[4:8], "little")
    while len(head) < 8 + min(size, MAX_DICTIONARY_BYTES) and (chunk := next(chunks, b"")):
        head += chunk
    data = head[8 : 8 + size]
    try:
        if data.startswith(STARTS["zst"]):
            with zstandard.ZstdDecompressor().stream_reader(data) as reader:
                data = reader.read(MAX_DICTIONARY_BYTES + 1)
        if not data or len(data) > MAX_DICTIONARY_BYTES:
            raise CorruptStream(
                f"unreadable zst dictionary: it has {len(data):,} bytes, not 1 to {MAX_DICTIONARY_BYTES:,}",
                lost_bytes=file.size,
            )
        return zstandard.ZstdCompressionDict(data), chain([head], chunks)
    except zstandard.ZstdError as error:
        raise CorruptStream(f"unreadable zst dictionary: {error}", lost_bytes=file.size) from None


def _why(error: Exception, file: File, unread: bytes, max_window_bytes: int) -> str:
    """Return the reason to reject a stream. Raises the error again if the disk caused it."""
    if isinstance(error, OSError) and error.errno:  # bz2 reports bad data as an OSError without errno
        raise error
    if "too much memory" not in str(error):
        return f"damaged {file.compression}: {error}"
    try:
        window = f"of {zstandard.get_frame_parameters(unread).window_size:,} bytes "
    except zstandard.ZstdError:  # the header continues in the next piece
        window = ""
    return f"zst window too large: a window {window}is more than max_window_bytes = {max_window_bytes:,} of [input]"
