"""Readers: an input slice -> its records, and a reject for each record that cannot be read."""

from collections.abc import Callable, Iterator

import pyarrow as pa

from gristmill.pipelines.inputs.inputs import OWN, PAGES, UnreadableFile, check_unchanged
from gristmill.pipelines.inputs.records import RecordBatch, documents, without_too_many_lines
from gristmill.pipelines.inputs.turns import compose
from gristmill.pipelines.inputs.work_units import InputSlice, WorkUnit
from gristmill.pipelines.readers.arrow import read_arrow, read_hugging_face, read_parquet
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.delimited import read_csv
from gristmill.pipelines.readers.html_warc import extract_pages, read_html, read_warc
from gristmill.pipelines.readers.jsonl import read_jsonl
from gristmill.pipelines.readers.own import read_own
from gristmill.pipelines.readers.plain_text import read_text
from gristmill.pipelines.readers.streaming import CorruptStream

FORMATS: dict[str, Callable[[InputSlice, ReadContext], Iterator[RecordBatch]]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "arrow": read_arrow,
    "csv": read_csv,
    "tsv": read_csv,
    "text": read_text,
    "html": read_html,
    "warc": read_warc,
    "hf": read_hugging_face,
    OWN: read_own,
}


def read_unit(unit: WorkUnit, reading: ReadContext) -> Iterator[pa.Table]:
    """Yield the documents of a unit in tables of about 16 MB: id, text, source and the carried columns.

    A corrupt file is one reject after its good records; a file without any record is one reject too. Raises InputError
    for a file that changed since it was listed.
    """
    try:
        for piece in unit:
            rejects, read, broken, settings = reading.rejects, False, None, reading.settings
            if piece.file.format in PAGES:
                settings = settings.model_copy(update={"html": None})
            try:
                for found in FORMATS[piece.file.format](piece, reading):
                    found, turns = compose(found, settings) if settings.records else (found, None)
                    read, made = True, documents(found, piece.file.name, reading.source(piece), settings, turns)
                    if settings.html:
                        made = extract_pages(made, piece, reading)
                    made = without_too_many_lines(made)
                    for number, reason in made.refused:
                        reading.reject(piece, number, reason)
                    yield made.columns
            except CorruptStream as corrupt:
                broken = corrupt
            except UnreadableFile as error:
                broken = CorruptStream(str(error))
            check_unchanged(piece.file)
            if broken:
                lost = broken.lost_bytes or (_rest(piece, broken.offset) if read else piece.bytes)
                reading.reject(piece, broken.number or 1, broken.reason, broken.excerpt, broken.offset, lost)
            if piece.end is None and not read and reading.rejects == rejects:
                reading.reject(piece, 1, "empty file: there is no document in it", offset=0)
    finally:
        reading.close()


def _rest(piece: InputSlice, offset: int | None) -> int:
    """Return the number of stored bytes from an offset on; all if the file is compressed."""
    return piece.bytes if piece.file.compression else piece.bytes - (offset or 0)
