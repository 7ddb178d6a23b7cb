"""Bodies of HTTP responses as archives store them: transfer and content codings undone, in bounded memory.

A body is often stored decoded under headers that still name the coding. So a body that does not begin as its coding
does, and looks like text, is taken as it is. Any other coding that cannot be undone is an error that names it.
"""

import re
import zlib
from collections.abc import Callable

import brotli
import zstandard

from gristmill.pipelines.readers.pages.html_extractor import NoText

MAX_WINDOW_BYTES = 8 << 20  # what RFC 9659 lets a server use for zstd
TEXT_BYTES = 64  # begin a body that is text; compressed data without a control character in them does not occur
NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
CHUNK_SIZE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")


def decode_body(body: bytes, transfer: str, content: str, max_bytes: int) -> bytes:
    """Undo the codings that the headers Transfer-Encoding and Content-Encoding name. Raises NoText if one cannot be."""
    for coding in reversed([*_names(content), *_names(transfer)]):
        if coding not in CODINGS:
            raise NoText(f"unknown content coding: {coding[:40]!r} is none of {', '.join(CODINGS)}")
        try:
            body = CODINGS[coding](body, max_bytes)
        except (zlib.error, zstandard.ZstdError, brotli.error, ValueError) as error:
            if is_text(body):
                continue
            raise NoText(f"damaged content coding: {coding}: {error}") from None
        if len(body) > max_bytes:
            break
    if len(body) > max_bytes:
        raise NoText("record too long")
    return body


def is_text(body: bytes) -> bool:
    """True if the beginning of a body has no byte that text never has. Short bodies are not judged: False."""
    return len(body) >= TEXT_BYTES and not NOT_TEXT.search(body, 0, 1024)


def _names(header: str) -> list[str]:
    names = (name.strip().lower() for name in header.split(","))
    return [name for name in names if name not in ("", "identity", "none")]


def _zlib(body: bytes, max_bytes: int, wbits: int) -> bytes:
    """Decompress all streams of a body up to ``max_bytes`` + 1. Other bytes after the first stream are ignored."""
    parts, left = [], max_bytes + 1
    while left > 0:
        stream = zlib.decompressobj(wbits)
        try:
            parts.append(stream.decompress(body, left))
        except zlib.error:
            if not parts:
                raise
            break
        left -= len(parts[-1])
        body = stream.unused_data
        if left > 0 and not stream.eof:
            raise ValueError("its end is missing")
        if not body:
            break
    return b"".join(parts)


def _deflate(body: bytes, max_bytes: int) -> bytes:
    has_header = len(body) > 1 and body[0] & 15 == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _zlib(body, max_bytes, 15 if has_header else -15)  # many servers send no zlib header


def _zstd(body: bytes, max_bytes: int) -> bytes:
    parts, held = [], 0
    zstd = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    stream = zstd.decompressobj()
    while body and held <= max_bytes:
        stream = zstd.decompressobj() if stream.eof else stream
        parts.append(stream.decompress(body[:4096]))  # at most 128 MB
        held += len(parts[-1])
        body = stream.unused_data + body[4096:]
    if held <= max_bytes and not stream.eof:
        raise ValueError("its end is missing")
    return b"".join(parts)


def _brotli(body: bytes, max_bytes: int) -> bytes:
    stream = brotli.Decompressor()
    found = stream.process(body, output_buffer_limit=max_bytes + 1)
    if len(found) <= max_bytes and not stream.is_finished():
        raise ValueError("its end is missing")
    return found


def _chunked(body: bytes, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    at = 0
    while True:
        if not (size := CHUNK_SIZE.match(body, at)):
            raise ValueError("its end is missing" if at >= len(body) else f"no size of a chunk at byte {at:,}")
        at, end = size.end(), size.end() + int(size[1], 16)
        if end == at:
            return b"".join(parts)
        if end > len(body):
            raise ValueError("its end is missing")
        parts.append(body[at:end])
        at = end + 2 if body.startswith(b"\r\n", end) else end + body.startswith(b"\n", end)


CODINGS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": lambda body, max_bytes: _zlib(body, max_bytes, 31),
    "x-gzip": lambda body, max_bytes: _zlib(body, max_bytes, 31),
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
    "chunked": _chunked,
}
