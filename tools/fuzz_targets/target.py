"""A target of tools/fuzz.py: a loader of files; the text in them, and the places of their numbers."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gristmill.pipelines.ragged import Ragged
from tools.fuzz_mutations import Field

LINES = ("The mill by the river grinds grain.", "Brød og hvede, 字字 été ça 😀!", "  two  spaces\n\nand\tlines", "")
TEXTS = [" ".join([line] * 7)[:200] for line in LINES] + ["a" * 300, *LINES]


class Target(NamedTuple):
    """A loader: writes its valid files, uses a case, and names the numbers that mutants aim at."""

    build: Callable[[Path], None]
    use: Callable[[Path], None]
    fields: Callable[[str, bytes], list[Field]] = lambda name, data: []


def rows() -> Ragged:
    """Return the text that models read."""
    return Ragged.from_strings(TEXTS)


def arrays(parts: list[tuple[str, int, int, str]]) -> list[Field]:
    """Return the fields of arrays given as name, place, size and struct format: the first three and the last."""
    return [
        Field(f"{name}[{i}]", at + i * struct.calcsize(format), format)
        for name, at, size, format in parts
        for i in sorted({*range(min(size, 4)), *range(max(size - 1, 0), size)})
    ]
