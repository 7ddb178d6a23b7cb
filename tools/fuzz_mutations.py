"""Mutations of small files: random damage, edits of JSON, and numbers set to the values that break loaders.

JSON is edited wherever it is: the whole file, or a header within its first bytes (n-gram models, safetensors).
"""

import copy
import json
import random
import re
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

NUMBERS = (0, -1, 2**31 - 1, 2**40, 2**63 - 1)
LEAVES_PER_LIST, LEAVES_PER_FILE, DEEP = 3, 40, 5_000
ALIGNED = 64  # as in n-gram models


class Field(NamedTuple):
    """A length, offset, count or id of a binary file: its name, place and struct format."""

    name: str
    at: int
    format: str


class Json(NamedTuple):
    """JSON value of a file, between other bytes."""

    before: bytes
    value: Any
    size: int  # bytes of the value as it was written
    after: bytes

    def pack(self, value: Any) -> bytes:
        """Return the file with another value, padded so that what follows stays aligned, its size in front of it."""
        text = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
        if self.before:
            text = text.ljust(self.size + max(0, -(-(len(text) - self.size) // ALIGNED) * ALIGNED))
        return (struct.pack("<Q", len(text)) if len(self.before) == 8 else self.before) + text + self.after


def find_json(data: bytes) -> Json | None:
    """Return the JSON object or list of a file, or None without one."""
    found = re.search(rb"[{\[]", data[:96])
    if not found:
        return None
    text = data[found.start() :].decode("latin-1")
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError:
        return None
    value = json.loads(text[:end].encode("latin-1")) if value else value
    end += len(text[end:]) - len(text[end:].lstrip(" "))
    return Json(data[: found.start()], value, end, data[found.start() + end :]) if value else None


def paths(value: Any, at: tuple = ()) -> Iterator[tuple]:
    """Yield the place of every value inside another, as keys and indices."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def replaced(value: Any, path: tuple, change: Callable[[Any, Any], None]) -> Any:
    """Return a copy of ``value`` after ``change(container, key)`` at a path."""
    value = inner = copy.deepcopy(value)
    for key in path[:-1]:
        inner = inner[key]
    change(inner, path[-1])
    return value


def aimed(data: bytes, fields: list[Field]) -> Iterator[tuple[str, bytes]]:
    """Yield changes and files with one number set to each of NUMBERS: fields, numbers of JSON, decimals of a text."""
    for name, at, format in fields:
        size, bits = struct.calcsize(format), 8 * struct.calcsize(format)
        for number in NUMBERS:
            yield f"{name} = {number}", data[:at] + (number % (1 << bits)).to_bytes(size, "little") + data[at + size :]
    if found := find_json(data):
        for path in list(numbers_of(found.value))[:LEAVES_PER_FILE]:
            for number in NUMBERS:
                changed = replaced(found.value, path, partial(_assign, number))
                yield f"{path} = {number}", found.pack(changed)
    elif not fields and b"\0" not in data:
        for place in list(re.finditer(rb"(?<=[ =\n|])\d+(?=[\s|])", data))[:LEAVES_PER_FILE]:
            for number in NUMBERS:
                yield f"{place[0].decode()} = {number}", data[: place.start()] + b"%d" % number + data[place.end() :]


def _assign(value: Any, inner: Any, key: Any) -> None:
    inner[key] = value


def numbers_of(value: Any) -> Iterator[tuple]:
    """Yield the places of numbers, three per list."""
    for path in paths(value):
        inner = value
        for key in path:
            inner = inner[key]
        if isinstance(inner, (int, float)) and all(not isinstance(k, int) or k < LEAVES_PER_LIST for k in path):
            yield path


def mutate(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Return a kind of damage, and the file with it."""
    found = find_json(data)
    if found and rng.random() < 0.7:
        return edit_json(found, rng)
    kind = rng.choice(DAMAGES)
    for _ in range(rng.choice((1, 1, 1, 3))):
        data = kind(data, rng) if data else data
    return kind.__name__.strip("_"), data


def edit_json(found: Json, rng: random.Random) -> tuple[str, bytes]:
    """Return the file with one value of another type or size, missing, or given twice."""
    places = list(paths(found.value))
    if rng.random() < 0.5:  # the entries of a long list drown all other keys
        places = [path for path in places if len(path) < 3] or places
    if rng.random() < 0.03 or not places:
        return "deep nesting", found.pack(b"[" * DEEP + b"]" * DEEP)
    path, other = rng.choice(places), rng.choice(places)
    values: list[Any] = [
        *NUMBERS,
        -(2**63),
        2**64,
        1e308,
        0.5,
        None,
        True,
        "",
        "x",
        "\ud800",
        "é" * 300,
        [],
        {},
        [[]],
        [0],
        [-1],
    ]

    def change(inner: Any, key: Any) -> None:
        kind = rng.randrange(4)
        if kind == 0 or (kind == 1 and isinstance(inner, dict)):
            del inner[key]
        elif kind == 1:
            inner.insert(key, inner[key])
        elif kind == 2:
            inner[key] = rng.choice(values)
        else:
            inner[key] = copy.deepcopy(value_at(found.value, other))

    return f"JSON at {path}", found.pack(replaced(found.value, path, change))


def value_at(value: Any, path: tuple) -> Any:
    """Return the value at a path."""
    for key in path:
        value = value[key]
    return value


def _flip_bit(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _overwrite(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.choice((1, 2, 4, 8, 64))
    new = rng.choice((b"\0" * size, b"\xff" * size, rng.randbytes(size), b"\xff" * (size - 1) + b"\x7f"))
    return data[:at] + new[: len(data) - at] + data[at + size :]


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _remove(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 4, 8, 64)) :]


def _insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice((1, 4, 8, 64))) + data[at:]


def _splice(data: bytes, rng: random.Random) -> bytes:
    at, source, size = rng.randrange(len(data)), rng.randrange(len(data)), rng.randrange(1, 256)
    block = data[source : source + size]
    return data[:at] + block + data[at + len(block) :]


def _duplicate(data: bytes, rng: random.Random) -> bytes:
    at, size = rng.randrange(len(data)), rng.randrange(1, 256)
    return data[:at] + data[at : at + size] + data[at:]


DAMAGES = (_flip_bit, _flip_bit, _overwrite, _overwrite, _truncate, _remove, _insert, _splice, _duplicate)
