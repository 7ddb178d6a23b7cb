"""Reader of plain text."""

from collections.abc import Iterator

from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.encoding import BOM, explain_invalid, read_utf8
from gristmill.pipelines.readers.streaming import split_records


def read_text(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the whole file as one document, or one document between any two separators, unchanged.

    Records that contain only white space are skipped. Where lines are documents, they may end with CR LF.
    """
    settings, blocks = reading.settings, read_utf8(piece, reading.settings)
    if settings.separator is None:
        whole = reading.join(piece, blocks, settings.max_record_bytes)
        batches = [(1, 0, [whole])] if whole is not None else []
    else:
        separator, limit = settings.separator.encode(), settings.max_record_bytes

        def too_long(number, offset, beginning):
            reading.reject(piece, number, "record too long", beginning, offset)

        batches = split_records(blocks, separator, limit, too_long)
    for first, offset, records in batches:
        rows, numbers, at = [], [], offset
        for number, record in enumerate(records, first):
            try:
                text = (record.removeprefix(BOM) if at == 0 else record).decode()
                if settings.separator == "\n":
                    text = text.removesuffix("\r")
                if text and not text.isspace():
                    rows.append({settings.text: text})
                    numbers.append(number)
            except UnicodeDecodeError as error:
                reading.reject(piece, number, explain_invalid(error, settings.encoding), record, at)
            at += len(record) + len((settings.separator or "").encode())
        yield from reading.batches(piece, rows, numbers)
