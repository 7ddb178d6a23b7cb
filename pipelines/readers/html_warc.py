"""Readers of pages: HTML files, columns of pages, and the responses and texts in WARC, WET and ARC files."""

import re
from collections.abc import Iterator

import pyarrow as pa

from gristmill.pipelines.inputs.column_types import STRING
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.inputs.plain_columns import is_string
from gristmill.pipelines.inputs.records import PAGE_COLUMNS, RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.pages.charsets import decode
from gristmill.pipelines.readers.pages.html_extractor import NoText
from gristmill.pipelines.readers.pages.http_body import decode_body
from gristmill.pipelines.readers.streaming import read_blocks, read_streams
from gristmill.pipelines.readers.warc_stream import BrokenRecord, Record, WarcStream, parse_headers
from gristmill.pipelines.schema import TEXT

BATCH_BYTES = 4 << 20  # of text
URL = "url"  # column of addresses
HTML = ("text/html", "application/xhtml+xml")
TEXTS = ("text/plain", "text/markdown", "text/x-markdown", "text/x-rst")
MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!--|(?:!doctype html|html|head|body|title|meta|div|p|h1|table)\b)", re.I)


def read_html(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the main text, title and date of a page; the text is "" if the page has no main text."""
    page = reading.join(piece, read_blocks(piece, reading.settings.max_window_bytes), reading.settings.max_page_bytes)
    if not page:
        return
    try:
        row = reading.extractor.extract(page)
        yield from reading.batches(piece, [_named(row, reading.settings)], [1])
    except NoText as error:
        reading.reject(piece, 1, str(error), page)


def extract_pages(found: RecordBatch, piece: InputSlice, reading: ReadContext) -> RecordBatch:
    """Replace pages by their main text, and add title and date; reject pages that cannot be read.

    Pages are strings, or bytes whose charset is that of their markup. A string column ``url`` holds their addresses.
    """
    table, numbers, refused = found
    pages = table[TEXT].to_pylist()
    urls = table[URL].to_pylist() if URL in table.column_names and is_string(table[URL].type) else [None] * len(pages)
    rows, kept = [], []
    for row, (page, url) in enumerate(zip(pages, urls, strict=True)):
        data = page.encode() if isinstance(page, str) else page
        try:
            if len(data) > reading.settings.max_page_bytes:
                raise NoText("record too long")
            if not data.strip():
                raise NoText("empty page")
            rows.append(reading.extractor.extract(data, url or ""))
            kept.append(row)
        except NoText as error:
            reading.reject(piece, int(numbers[row]), str(error), url or data)
    table = table.take(pa.array(kept, pa.int64()))
    text = pa.array([row["text"] for row in rows], STRING)
    table = table.set_column(table.schema.get_field_index(TEXT), TEXT, text)
    for name in (name for name in PAGE_COLUMNS if name not in reading.settings.drop):
        table = table.append_column(name, pa.array([row.get(name) for row in rows], STRING))
    return RecordBatch(table, numbers[kept], refused)


def read_warc(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the main text of HTML in successful responses and resources, and plain text unchanged.

    Numbers count all records of the file. Requests, metadata, redirects and images are skipped and counted, as they
    are no documents. The id is the record's id (ARC has none). Columns: url, crawled, and for HTML title and date.
    """
    rows, numbers, held = [], [], 0
    for number, row in _pages(piece, reading):
        rows.append(row)
        numbers.append(number)
        held += len(row[reading.settings.text])
        if held > BATCH_BYTES:
            yield from reading.batches(piece, rows, numbers)
            rows, numbers, held = [], [], 0
    yield from reading.batches(piece, rows, numbers)


def _named(row: dict, settings: InputSettings) -> dict:
    return {key: value for key, value in row.items() if key != "text"} | {settings.text: row["text"]}


def _pages(piece: InputSlice, reading: ReadContext) -> Iterator[tuple[int, dict]]:
    """Yield number and row of each document. The end of a record confirms its row."""
    stream, number = WarcStream(read_streams(piece, reading.settings.max_window_bytes)), 0
    while (line := stream.first_line()) or stream.damage:
        number, began, url = number + 1, stream.tell(), ""
        row, why = None, None
        try:
            if not line:
                raise stream.after_damage()
            record = stream.begin_record(line)
            url = record.url
            try:
                row = _document(record, stream, reading)
            except NoText as error:
                why = str(error)
            stream.end_record(record)
        except BrokenRecord as error:
            reading.reject(piece, number, str(error), url or line, began, min(error.lost_bytes, piece.file.size))
            continue
        if why:
            reading.reject(piece, number, why, url, began)
        elif row:
            yield number, _named(row, reading.settings)


def _document(record: Record, stream: WarcStream, reading: ReadContext) -> dict | None:
    """Return the row of a record, or None if it is no document. Raises NoText for a document without readable text."""
    settings, status, headers = reading.settings, "", record.headers
    if record.kind == "response" and record.url.startswith(("http:", "https:")):
        status, headers = _http_header(record, stream)
    declared = headers.get("content-type", "")
    mime = "text/plain" if record.kind == "conversion" else declared.partition(";")[0].strip().lower()
    if what := _no_document(record, status, mime):
        reading.skipped(what)
        return None
    max_bytes = settings.max_record_bytes if mime in TEXTS else settings.max_page_bytes
    transfer, coding = (headers.get(f"{name}-encoding", "") if status else "" for name in ("transfer", "content"))
    limit = max_bytes + (max_bytes // 8 + 65536 if transfer else 1)  # with the sizes of chunks
    content = stream.read(record, limit)
    if len(content) == limit:
        raise NoText("record too long")
    content = decode_body(content, transfer, coding, max_bytes)
    charset = declared.lower().partition("charset=")[2].partition(";")[0].strip("\"' ")
    ids = {"id": "warc-record-id", "crawled": "warc-date"}
    row = {"url": record.url} | {name: record.headers.get(header, "") for name, header in ids.items()}
    if mime in HTML or (not mime and MARKUP.match(content)):
        return row | reading.extractor.extract(content, record.url, charset)
    if not mime and b"\0" in content[:1024]:
        raise NoText("no Content-Type: its bytes are neither HTML nor text")
    if (text := decode(content, charset)) is None:
        raise NoText(f"invalid UTF-8: and invalid {charset!r}" if charset else "invalid UTF-8: no charset is declared")
    return row | {"text": text}


def _http_header(record: Record, stream: WarcStream) -> tuple[str, dict[str, str]]:
    """Return status and headers of an HTTP response."""
    try:
        header = stream.read_header(record)
    except ValueError as error:
        raise NoText(f"broken HTTP header: {error}") from None
    words = header.partition(b"\n")[0].split(maxsplit=2)
    if not words or not words[0].startswith(b"HTTP") or len(words) < 2:
        raise NoText(f"broken HTTP header: it begins with {header[:40]!r}")
    return words[1].decode("latin-1"), parse_headers(header)


def _no_document(record: Record, status: str, mime: str) -> str:
    """Return the kind of a record that is skipped because it is no document; "" for a document."""
    if record.kind not in ("response", "resource", "conversion"):
        return f"{record.kind} record"
    if record.url.startswith(("dns:", "metadata:", "filedesc:")):
        return f"{record.url.partition(':')[0]} record"
    if status and status not in ("200", "203"):
        return f"HTTP status {status}"
    return mime if mime and mime not in (*HTML, *TEXTS) else ""
