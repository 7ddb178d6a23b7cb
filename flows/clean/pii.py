"""Personal data in a corpus: scan without a work folder, read matches from one, read the spans of other tools.

A match has a position and a type. Its value is written by ``values_file`` only, to a file that only its owner can read.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import cast

import orjson
import pyarrow as pa
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii.evaluate import Finder, type_of
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.plan import spans_of
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.shards import read_batches, read_shard, shards_of

STEP = PiiFilter.NAME
OWNER_ONLY = 0o600
VALUE = ("id", "type", "start", "end", "value", "replacement")


def pii_recipe(corpus: Iterable[str], changes: Iterable[str] = ()) -> Recipe:
    """Return a recipe with this step only; ``changes`` are ``pii.setting=value``."""
    return parse_recipe({"input": {"paths": list(corpus)}, "steps": {STEP: {}}}, "pii", tuple(changes))


def scan(recipe: Recipe) -> Iterator[tuple[pa.Table, list[dict]]]:
    """Yield batches of documents with their matches: row, id, type, start and end in bytes, replacement."""
    step = cast(PiiFilter, recipe.steps[STEP])
    (settings,) = recipe.input
    for table in read_documents(settings.paths, settings):
        spans, _ = step.rewrite(Batch(Ragged.from_text(table[TEXT])))
        yield table, list(_matches(spans, table[ID]))


def _matches(spans: pa.Table, ids: pa.ChunkedArray, first: int = 0) -> Iterator[dict]:
    for span in spans.to_pylist():
        row, start = span["row"] - first, span["offset"]
        match = {"row": row, "id": ids[row].as_py(), "type": span["reason"], "start": start}
        yield match | {"end": start + span["length"], "replacement": span["replacement"]}


def with_values(table: pa.Table, found: list[dict], context: int = 0) -> Iterator[dict]:
    """Yield the matches with their values, and up to ``context`` bytes of text before and after them."""
    text = Ragged.from_text(table[TEXT])
    for each in found:
        data, start, end = text.row(each["row"]), each["start"], each["end"]
        parts = data[max(0, start - context) : start], data[start:end], data[end : end + context]
        before, value, after = (part.decode("utf-8", "ignore") for part in parts)
        yield each | {"value": value} | ({"before": before, "after": after} if context else {})


def values_of(work: UPath) -> Iterator[dict]:
    """Yield the replaced matches of a finished work folder, with their values."""
    for part in shards_of(work / "documents"):
        spans = read_shard(spans_of(work, STEP) / f"{part}.parquet")
        first, at = 0, 0
        for table in read_batches(work / "documents" / f"{part}.parquet", [ID, TEXT]):
            rows = spans["row"].to_numpy()
            end = at + int((rows[at:] < first + len(table)).sum())
            yield from with_values(table, list(_matches(spans.slice(at, end - at), table[ID], first)))
            first, at = first + len(table), end


@contextmanager
def values_file(path: str) -> Iterator[Callable[[dict], object]]:
    """Yield a function that writes a match as a JSON line to a file that only its owner can read.

    Raises WorkError if the file cannot be written.
    """
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, OWNER_ONLY)) as file:
            if stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # /dev/null stays everybody's
                os.fchmod(file.fileno(), OWNER_ONLY)  # the file may have existed, readable by all
            yield lambda match: file.write(orjson.dumps({key: match[key] for key in VALUE}) + b"\n")
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror}; --values must name a local file") from None


def finder_of(path: str, ids: list[str]) -> Finder:
    """Return a finder for the spans of another tool: JSON lines of id, start, end (in characters) and type."""
    try:
        with open(path, "rb") as file:
            spans = _read_spans(path, file, ids)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    return lambda texts: spans


def _read_spans(path: str, lines: Iterable[bytes], ids: list[str]) -> list[set[tuple[int, int, str]]]:
    spans: dict[str, set[tuple[int, int, str]]] = {id: set() for id in ids}
    for number, line in enumerate(lines, 1):
        try:
            row = orjson.loads(line)
            spans.setdefault(str(row["id"]), set()).add((row["start"], row["end"], type_of(row["type"])))
        except (orjson.JSONDecodeError, LookupError, TypeError):
            raise InputError(f"{path}:{number} is not a span; expected JSON with id, start, end and type") from None
    return [spans[id] for id in ids]
