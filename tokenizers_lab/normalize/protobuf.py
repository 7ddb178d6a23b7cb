"""Wire format of Protocol Buffers, as far as SentencePiece's ModelProto needs it.

https://protobuf.dev/programming-guides/encoding: a message is a sequence of fields, each a key (number << 3 | kind) and
a value. Kind 0 is a varint, 1 eight bytes, 2 bytes after their length, 5 four bytes.
"""

import struct
from collections.abc import Iterator
from typing import Any

from gristmill.pipelines.errors import InputError

VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field: an int for a varint, else bytes. Raises InputError for truncated data."""
    value: int | bytes
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
        else:
            if kind == BYTES:
                size, at = _varint(data, at)
            elif kind in (EIGHT, FOUR):
                size = 8 if kind == EIGHT else 4
            else:
                raise InputError(f"byte {at:,} begins no field of a protocol buffer; expected a SentencePiece model")
            value, at = data[at : at + size], at + size
            if at > len(data):
                raise InputError("the model ends within a field: it is cut short")
        yield key >> 3, value


def message(data: bytes | int, kinds: dict[int, type]) -> dict[int, Any]:
    """Return the last value of each field; ``kinds`` says which are int, float (four bytes) or bytes.

    Raises InputError for a field of another kind.
    """
    found: dict[int, Any] = {}
    for number, value in fields(data) if isinstance(data, bytes) else [(0, data)]:
        kind = bytes if not number else kinds.get(number)
        if kind is float and isinstance(value, bytes) and len(value) == 4:
            value = struct.unpack("<f", value)[0]
        elif kind and not isinstance(value, kind):
            raise InputError(f"field {number} of a message is no {kind.__name__}; expected a SentencePiece model")
        found[number] = value
    return found


def field(number: int, value: int | float | bytes | str) -> bytes:
    """Encode one field: an int (or bool) as a varint, a float as four bytes, text as bytes."""
    if isinstance(value, float):
        return _bytes_of(number << 3 | FOUR) + struct.pack("<f", value)
    if isinstance(value, int):
        return _bytes_of(number << 3 | VARINT) + _bytes_of(value % (1 << 64))
    value = value.encode() if isinstance(value, str) else value
    return _bytes_of(number << 3 | BYTES) + _bytes_of(len(value)) + value


def _bytes_of(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise InputError("the model ends within a number: it is cut short, or not a SentencePiece model")
        number |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return number, at
