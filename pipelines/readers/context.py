"""What the readers share while one unit is read: the settings, the rejects, the page extractor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gristmill.pipelines.inputs.inputs import InputSettings, source_of
from gristmill.pipelines.inputs.records import RecordBatch, required_columns
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.html_extractor import Extractor
from gristmill.pipelines.readers.streaming import read_blocks

EXCERPT_CHARACTERS = 200
BOM = b"\xef\xbb\xbf"  # of UTF-8: no part of the text


@dataclass
class ReadContext:
    """One unit being read. ``note`` is handed each reject: file, position, offset, reason, excerpt."""

    settings: InputSettings
    note: Callable[[dict], None]
    rejects: int = field(default=0, init=False)

    @cached_property
    def needed(self) -> list[str]:
        return required_columns(self.settings)

    @cached_property
    def extractor(self) -> Extractor:
        return Extractor(self.settings.max_page_seconds)

    def reject(
        self, piece: InputSlice, number: int, reason: str, excerpt: bytes | str = b"", offset: int | None = None
    ) -> None:
        """Note a record that cannot be read: its number in the file counted from 1, its byte offset if known.

        The reason is a class of trouble, then perhaps ": " and particulars. Offsets in a compressed file are those of
        what it holds. What is no UTF-8 in the excerpt is shown as ``\\xff``.
        """
        self.rejects += 1
        if isinstance(excerpt, str):
            excerpt = excerpt[:EXCERPT_CHARACTERS].encode(errors="surrogatepass")
        shown = excerpt[: 4 * EXCERPT_CHARACTERS].decode(errors="backslashreplace")[:EXCERPT_CHARACTERS]
        where = {"file": piece.file.name, "position": number, "offset": offset}
        self.note({**where, "reason": reason, "excerpt": shown})

    def whole(self, piece: InputSlice, max_bytes: int) -> bytes | None:
        """All bytes of a file; None, and a reject, where there are too many."""
        parts, held = [], 0
        for block in read_blocks(piece):
            parts.append(block)
            held += len(block)
            if held > max_bytes:
                self.reject(piece, 1, "record too long", parts[0], 0)
                return None
        return b"".join(parts)

    def found(self, piece: InputSlice, rows: list[dict], numbers: list[int]) -> Iterator[RecordBatch]:
        """The rows that have all columns the settings name; the others are rejected."""
        lacking = {
            n: name for n, row in zip(numbers, rows, strict=True) for name in self.needed if row.get(name) is None
        }
        for number, name in lacking.items():
            self.reject(piece, number, f"no {name!r}")
        rows = [row for number, row in zip(numbers, rows, strict=True) if number not in lacking]
        if rows:
            yield RecordBatch.rows(rows, [number for number in numbers if number not in lacking], piece.file.name)

    def source(self, piece: InputSlice) -> str:
        return piece.file.name if piece.file.format == "hf" else source_of(piece.file.name)

    def close(self) -> None:
        if "extractor" in self.__dict__:
            self.extractor.close()
