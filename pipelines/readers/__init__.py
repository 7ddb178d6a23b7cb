"""Readers: an input slice -> its records, and a reject for each record that cannot be read."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from gristmill.pipelines.inputs.records import RecordBatch, documents
from gristmill.pipelines.inputs.work_units import InputSlice, WorkUnit
from gristmill.pipelines.readers.arrow import read_hugging_face, read_parquet
from gristmill.pipelines.readers.bounds import without_too_many_lines
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.html_warc import read_html, read_warc
from gristmill.pipelines.readers.jsonl import read_jsonl
from gristmill.pipelines.readers.streaming import CorruptStream
from gristmill.pipelines.readers.text_csv import read_csv, read_text

FORMATS: dict[str, Callable[[InputSlice, ReadContext], Iterator[RecordBatch]]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "csv": read_csv,
    "tsv": read_csv,
    "text": read_text,
    "html": read_html,
    "warc": read_warc,
    "hf": read_hugging_face,
}


def read_unit(unit: WorkUnit, reading: ReadContext) -> Iterator[pa.Table]:
    """Yield the documents of a unit in tables of about 16 MB: id, text, source and the carried columns.

    A corrupt file is one reject after its good records; a file without any record is one reject too.
    """
    try:
        for piece in unit:
            rejects, empty = reading.rejects, piece.end is None
            try:
                for found in FORMATS[piece.file.format](piece, reading):
                    empty, found = False, without_too_many_lines(found, piece, reading)
                    yield documents(found, piece.file.name, reading.source(piece), reading.settings)
            except CorruptStream as corrupt:
                reading.reject(piece, corrupt.number or 1, corrupt.reason, corrupt.excerpt, corrupt.offset)
            if empty and reading.rejects == rejects:
                reading.reject(piece, 1, "empty file: there is no document in it", offset=0)
    finally:
        reading.close()
