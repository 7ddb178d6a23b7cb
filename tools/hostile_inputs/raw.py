"""Folder of raw files: the bad ones of one kind, and good documents beside them and among them."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

WORDS = "the mill by a river turns grain into flour and of bread people have made for years with water to be told"


class Raw:
    """Input folder of one kind. ``good`` has the id and text of each document that must not be lost."""

    def __init__(self, folder: Path, seed: int = 1):
        self.folder, self.random = folder, Random(seed)
        self.good: dict[str, str] = {}
        self.settings: dict[str, object] = {"max_reject_fraction": 1.0}  # of [input]
        folder.mkdir(parents=True)

    def path(self, name: str | bytes) -> Path:
        """Return the path of a file whose name may be bytes that are not UTF-8."""
        path = self.folder / (name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str | bytes, data: bytes | str) -> Path:
        """Write a file and return its path."""
        path = self.path(name)
        path.write_bytes(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)
        return path

    def table(self, name: str, table: pa.Table, **options) -> Path:
        """Write a Parquet file and return its path."""
        pq.write_table(table, self.path(name), **options)
        return self.path(name)

    def document(self) -> dict[str, str]:
        """Return a new good document."""
        id = f"good-{len(self.good)}"
        lines = (" ".join(self.random.choices(WORDS.split(), k=12)).capitalize() + "." for _ in range(9))
        self.good[id] = "\n".join(lines)
        return {"id": id, "text": self.good[id]}

    def line(self) -> bytes:
        """Return a good document as a JSON line."""
        return json.dumps(self.document()).encode() + b"\n"

    def among(self, lines: bytes | str) -> None:
        """Write a file of JSON lines: a good document, the given lines, a good document."""
        lines = lines.encode("utf-8", "surrogatepass") if isinstance(lines, str) else lines
        self.write("bad.jsonl", self.line() + lines + b"\n" + self.line())


class Kind(NamedTuple):
    """Kind of bad input. A run over it may ``stop`` with one line and exit code 2, without any documents."""

    make: Callable[[Raw], object]
    stop: bool = False
