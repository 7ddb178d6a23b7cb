"""Readers of pages: HTML files, and the responses and texts in WARC, WET and ARC files."""

from collections.abc import Iterator

from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.html_extractor import NoText
from gristmill.pipelines.readers.streaming import CorruptStream, read_blocks

BATCH_BYTES = 4 << 20  # of text
HTML = ("text/html", "application/xhtml+xml")


def read_html(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the main text, title and date of a page; the text is "" if the page has no main text."""
    page = reading.join(piece, read_blocks(piece), reading.settings.max_page_bytes)
    if not page:
        return
    try:
        row = reading.extractor.extract(page)
        yield from reading.batches(piece, [_named(row, reading.settings)], [1])
    except NoText as error:
        reading.reject(piece, 1, str(error), page)


def read_warc(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the main text of HTML in successful responses and resources, and plain text unchanged.

    Numbers count all records of the file. Requests, metadata, redirects and images are skipped, as they are no
    documents. The id is the record's id (ARC has none). Columns: url, crawled, and for HTML title and date.
    """
    rows, numbers, held = [], [], 0
    try:
        for number, row in _pages(piece, reading):
            rows.append(row)
            numbers.append(number)
            held += len(row[reading.settings.text])
            if held > BATCH_BYTES:
                yield from reading.batches(piece, rows, numbers)
                rows, numbers, held = [], [], 0
    except CorruptStream as corrupt:
        yield from reading.batches(piece, rows, numbers)
        raise corrupt from None
    yield from reading.batches(piece, rows, numbers)


def _named(row: dict, settings: InputSettings) -> dict:
    return {key: value for key, value in row.items() if key != "text"} | {settings.text: row["text"]}


def _pages(piece: InputSlice, reading: ReadContext) -> Iterator[tuple[int, dict]]:
    """Yield number and row of each document. A row waits until the next record confirms its length."""
    from warcio.archiveiterator import ArchiveIterator

    class Records(ArchiveIterator):
        INC_RECORD = ""  # no warnings on stderr; err_count counts them

    stream = _Stream(read_blocks(piece))
    records, number, errors, waiting, began, broken = Records(stream), 0, 0, None, 0, None
    while True:
        try:
            record = next(records, None)
        except CorruptStream as error:
            broken = error.reason
        except Exception as error:  # warcio raises errors of many types for garbage
            broken = f"broken WARC: {type(error).__name__}: {error}".partition("\n")[0]
        if waiting and records.err_count > errors:
            reading.reject(piece, number, "broken WARC: a record is not as long as it says", waiting["text"], began)
        elif waiting:
            yield number, _named(waiting, reading.settings)
        if broken:
            raise CorruptStream(broken, number + 1, stream.offset)
        if record is None:
            return
        errors, began, waiting, number = records.err_count, records.offset, None, number + 1
        try:
            waiting = _document(record, reading)
        except NoText as error:
            reading.reject(piece, number, str(error), _head(record, "WARC-Target-URI", "uri"), began)
        except CorruptStream as error:
            raise CorruptStream(error.reason, number, stream.offset) from None


def _document(record, reading: ReadContext) -> dict | None:
    """Return the row of a record, or None if it is no document. Raises NoText for a document without readable text."""
    url, http, kind = _head(record, "WARC-Target-URI", "uri"), record.http_headers, record.rec_type
    if kind not in ("response", "resource", "conversion") or url.startswith(("dns:", "metadata:", "filedesc:")):
        return None
    if http and http.get_statuscode() not in ("200", ""):
        return None
    declared = (http.get_header("Content-Type") if http else _head(record, "Content-Type", "content-type")) or ""
    mime, charset = declared.partition(";")[0].strip().lower(), declared.lower().partition("charset=")[2].strip("\"' ;")
    if kind != "conversion" and mime not in (*HTML, "text/plain"):
        return None
    content = _content(record, reading.settings.max_page_bytes if mime in HTML else reading.settings.max_record_bytes)
    row = {"id": _head(record, "WARC-Record-ID"), "url": url, "crawled": _head(record, "WARC-Date", "archive-date")}
    if mime in HTML and kind != "conversion":
        return row | reading.extractor.extract(content, url, charset)
    try:
        return row | {"text": content.decode()}
    except UnicodeDecodeError as error:
        raise NoText(f"invalid UTF-8: byte {error.start} of the record") from None


def _content(record, max_bytes: int) -> bytes:
    content = record.content_stream().read(max_bytes + 1)
    if len(content) > max_bytes:
        raise NoText("record too long")
    while record.raw_stream.read(1 << 16):  # read to the end, so that `limit` counts missing bytes
        pass
    if missing := getattr(record.raw_stream, "limit", 0):
        raise NoText(f"cut WARC record: {missing} bytes are missing")
    return content


def _head(record, *names: str) -> str:
    """Return a header of the record by its WARC or ARC name, or ""."""
    return next((value for name in names if (value := record.rec_headers.get_header(name))), "")


class _Stream:
    """File over blocks of bytes, for warcio."""

    def __init__(self, blocks: Iterator[bytes]):
        self.blocks, self.block, self.at, self.offset = blocks, b"", 0, 0

    def read(self, size: int) -> bytes:
        while self.at == len(self.block):
            block, self.at = next(self.blocks, None), 0
            self.block = block or b""
            if block is None:
                return b""
        part = self.block[self.at : self.at + size]
        self.at += len(part)
        self.offset += len(part)
        return part

    def tell(self) -> int:
        return self.offset
