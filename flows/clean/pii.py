"""Personal data in a corpus: find it without a work folder, read it back from one, score what others find.

What is found has its place and type. The value itself leaves through ``values_file`` alone, into a file that only its
owner can read.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import orjson
import pyarrow as pa
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.pii.evaluate import Finder, type_of
from gristmill.filters.pii.filter import PiiFilter
from gristmill.flows.clean.plan import shards_of, spans_of
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.shards import read_batches, read_shard

STEP = PiiFilter.NAME
OWNER_ONLY = 0o600
VALUE = ("id", "type", "start", "end", "value", "replacement")


def pii_recipe(corpus: Iterable[str], changes: Iterable[str] = ()) -> Recipe:
    """Raw files and the one step; ``changes`` are ``pii.setting=value``."""
    return parse_recipe({"input": {"paths": list(corpus)}, "steps": {STEP: {}}}, "pii", tuple(changes))


def scan(recipe: Recipe) -> Iterator[tuple[pa.Table, list[dict]]]:
    """Batches of documents, each with what is in them: row, id, type, start and end in bytes, replacement."""
    for table in read_documents(recipe.input.paths, recipe.input):
        spans, _ = recipe.steps[STEP].rewrite(Batch(Ragged.from_text(table[TEXT])))
        yield table, list(_told(spans, table[ID]))


def _told(spans: pa.Table, ids: pa.ChunkedArray, first: int = 0) -> Iterator[dict]:
    for span in spans.to_pylist():
        row, start = span["row"] - first, span["offset"]
        told = {"row": row, "id": ids[row].as_py(), "type": span["reason"], "start": start}
        yield told | {"end": start + span["length"], "replacement": span["replacement"]}


def with_values(table: pa.Table, found: list[dict], context: int = 0) -> Iterator[dict]:
    """Yield the matches with their values, and up to ``context`` bytes of text before and after them."""
    text = Ragged.from_text(table[TEXT])
    for each in found:
        data, start, end = text.row(each["row"]), each["start"], each["end"]
        parts = data[max(0, start - context) : start], data[start:end], data[end : end + context]
        before, value, after = (part.decode("utf-8", "ignore") for part in parts)
        yield each | {"value": value} | ({"before": before, "after": after} if context else {})


def values_of(work: UPath) -> Iterator[dict]:
    """What the step has taken out in a finished work folder, with its value."""
    for part in shards_of(work / "documents"):
        spans = read_shard(spans_of(work, STEP) / f"{part}.parquet")
        first, at = 0, 0
        for table in read_batches(work / "documents" / f"{part}.parquet", [ID, TEXT]):
            rows = spans["row"].to_numpy()
            end = at + int((rows[at:] < first + len(table)).sum())
            yield from with_values(table, list(_told(spans.slice(at, end - at), table[ID], first)))
            first, at = first + len(table), end


@contextmanager
def values_file(path: str) -> Iterator[Callable[[dict], None]]:
    """A function that writes what was found as a JSON line into a file that only its owner can read.

    Raises WorkError where it cannot be written.
    """
    try:
        with open(path, "wb", opener=lambda name, flags: os.open(name, flags, OWNER_ONLY)) as file:
            os.fchmod(file.fileno(), OWNER_ONLY)  # it may have been there, open to all
            yield lambda found: file.write(orjson.dumps({key: found[key] for key in VALUE}) + b"\n")
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror}; --values must name a local file") from None


def finder_of(path: str, ids: list[str]) -> Finder:
    """What another tool has found, from JSON lines of id, start, end (in characters) and type, as a finder."""
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
            raise InputError(f"{path}:{number} is no span; expected JSON with id, start, end and type") from None
    return [spans[id] for id in ids]
