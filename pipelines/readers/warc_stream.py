"""Records of a WARC or ARC file; after a damaged record, reading goes on at the next one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gristmill.pipelines.readers.decompression import CorruptStream

WARC = re.compile(rb"WARC/[01]\.\d+[ \t]*\r?\n")  # first line of a record
ARC = re.compile(rb"(\S+) (\S+) (\d{12,17}) (.*?) ?(\d{1,15})[ \t]*\r?\n")
BETWEEN = re.compile(rb"[\r\n]*")
LINE_END = re.compile(rb"\n")
WARC_AT_END = re.compile(WARC.pattern + rb"\Z")
RECORD_END = b"\r\n\r\n"
SWALLOWED = re.compile(rb"\r\n\r\n(?=WARC/[01]\.\d+[ \t]*\r?\n)")
BLANK_LINE = re.compile(rb"\n\r?\n")
MAX_HEADER_BYTES = 1 << 20


class BrokenRecord(Exception):
    """Reason why a record cannot be read, and the bytes that were skipped for it."""

    def __init__(self, reason: str, lost_bytes: int):
        super().__init__(reason)
        self.lost_bytes = lost_bytes


@dataclass
class Record:
    """Record at which a stream stands. Names of headers are in lower case."""

    headers: dict[str, str]
    began: int  # offset in the decompressed file
    left: int  # bytes not yet read

    @property
    def kind(self) -> str:
        return self.headers["warc-type"].lower()

    @property
    def url(self) -> str:
        return self.headers.get("warc-target-uri", "").strip("<>")


class WarcStream:
    """Decompressed file in blocks; damage ends reading until `after_damage` is called."""

    def __init__(self, blocks: Iterator[bytes | CorruptStream]):
        self.blocks = blocks
        self.block, self.at, self.begin = b"", 0, 0  # begin: offset of the block in the file
        self.damage: CorruptStream | None = None  # bytes that are missing before the next block

    def tell(self) -> int:
        """Return the offset of the next byte in the decompressed file."""
        return self.begin + self.at

    def first_line(self) -> bytes:
        """Return the next line that is not blank, without moving past it; b"" at the end or before damage."""
        while self.at < len(self.block) or self._next_block():
            match = BETWEEN.match(self.block, self.at)
            assert match  # it may be empty
            self.at = match.end()
            if self.at < len(self.block):
                end = self._find(LINE_END, MAX_HEADER_BYTES)
                return self.block[self.at : end or self.at + MAX_HEADER_BYTES]
        return b""

    def begin_record(self, line: bytes) -> Record:
        """Return the record that begins with a line. Raises BrokenRecord after skipping to the next one."""
        began = self.tell()
        try:
            if match := ARC.fullmatch(line):
                self.at += len(line)
                url, _, date, mime, length = (part.decode(errors="replace") for part in match.groups())
                headers = {"warc-target-uri": url, "warc-date": date, "content-type": mime, "content-length": length}
                headers["warc-type"] = "arc header" if url.startswith("filedesc:") else "response"
            elif WARC.fullmatch(line):
                headers = parse_headers(self.read_header())
            else:
                raise ValueError(f"{line[:40]!r} does not begin a record")
            for name in ("warc-type", "content-length"):
                if name not in headers:
                    raise ValueError(f"a record has no {name}")
            if not headers["content-length"].isdecimal():
                raise ValueError(f"a record has the length {headers['content-length'][:40]!r}")
            return Record(headers, began, int(headers["content-length"][:18]))
        except ValueError as error:
            self.at += len(line) if self.tell() == began else 0
            raise self._skipped(f"broken WARC: {error}", began) from None

    def read_header(self, record: Record | None = None) -> bytes:
        """Return lines up to a blank one. Raises ValueError if they are too long.

        In a record without a blank line, all of it is a header.
        """
        size = MAX_HEADER_BYTES if record is None else min(record.left, MAX_HEADER_BYTES)
        end = self._find(BLANK_LINE, size) or min(self.at + size, len(self.block))
        if end - self.at == MAX_HEADER_BYTES:
            raise ValueError(f"it has more than {MAX_HEADER_BYTES:,} bytes")
        header, self.at = self.block[self.at : end], end
        if record:
            record.left -= len(header)
        return header

    def read(self, record: Record, size: int) -> bytes:
        """Return up to ``size`` bytes of a record; fewer at its end or before damage."""
        content = self._read(min(size, record.left))
        record.left -= len(content)
        return content

    def end_record(self, record: Record) -> None:
        """Skip the rest of a record. Raises BrokenRecord if its length is wrong or its end is missing."""
        while self.read(record, 1 << 20):
            pass
        if record.left:
            raise self._skipped(f"cut WARC record: {record.left:,} bytes are missing", record.began)
        self._fill(len(RECORD_END))
        confirmed = self.block.startswith(RECORD_END, self.at)
        if not confirmed and (line := self.first_line()) and not _begins(line):
            raise self._skipped("broken WARC: a record is not as long as it says", record.began)

    def after_damage(self) -> BrokenRecord:
        """Return the damage at which the stream stopped, and read on after it."""
        damage, self.damage = self.damage, None
        assert damage
        return BrokenRecord(damage.reason, damage.lost_bytes)

    def _skipped(self, reason: str, began: int) -> BrokenRecord:
        """Skip to the next record, or over the damage that broke this one; return the error to raise.

        A record whose length is too large may have swallowed the next one. It is found if it is in the same block.
        """
        begin = began - self.begin
        if not self.damage and begin >= 0 and (match := SWALLOWED.search(self.block, begin, self.at + 16)):
            self.at = match.end()
        while not self.damage and (line := self.first_line()) and not _begins(line):
            match = WARC_AT_END.search(line)  # after bytes without a line end
            self.at += match.start() if match else len(line)
        return self.after_damage() if self.damage else BrokenRecord(reason, self.tell() - began)

    def _find(self, pattern: re.Pattern, size: int) -> int:
        """Return the end in the block of the first match in the next ``size`` bytes; 0 if there is none."""
        match = pattern.search(self.block, self.at, self.at + size)
        if not match and self._fill(size):
            match = pattern.search(self.block, self.at, self.at + size)
        return match.end() if match else 0

    def _fill(self, size: int) -> bool:
        """Bring the next ``size`` bytes into the block, or all that are left; False if they were there."""
        if len(self.block) >= self.at + size:
            return False
        data = self._read(size)
        self.begin, self.block, self.at = self.tell() - len(data), data + self.block[self.at :], 0
        return True

    def _read(self, size: int) -> bytes:
        parts = []
        while size > 0 and (self.at < len(self.block) or self._next_block()):
            parts.append(self.block[self.at : self.at + size])
            self.at += len(parts[-1])
            size -= len(parts[-1])
        return b"".join(parts)

    def _next_block(self) -> bool:
        block = None if self.damage else next(self.blocks, None)
        if isinstance(block, CorruptStream):
            self.damage = block
        if not isinstance(block, bytes):
            return False
        self.begin, self.block, self.at = self.begin + len(self.block), block, 0
        return True


def parse_headers(data: bytes) -> dict[str, str]:
    """Return the first value of each header by its name in lower case. Lines that are no header are ignored."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    headers: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", text).split("\n"):  # a value goes on in lines that begin with a space
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
    return headers


def _begins(line: bytes) -> bool:
    return bool(WARC.fullmatch(line) or ARC.fullmatch(line))
