"""Ragged arrays: rows of different lengths in two flat arrays, and their conversion from and to Arrow."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # arrays of numpy need it for nothing
    import pyarrow as pa

AT_ONCE = 32  # strings whose bytes are joined, few enough to stay in the processor's cache until they are copied


class Ragged(NamedTuple):
    """Rows of any length; row i is ``data[offsets[i]:offsets[i + 1]]``. Text is uint8, tokens are uint16 or uint32."""

    offsets: np.ndarray  # int64[n + 1], non-decreasing, offsets[0] == 0
    data: np.ndarray  # [m], m == offsets[n]

    @property
    def rows(self) -> int:
        return self.offsets.size - 1

    @classmethod
    def from_arrays(cls, offsets: np.ndarray, data: np.ndarray) -> "Ragged":
        """Wrap a kernel's result; both arrays become read-only, so that each kernel compiles for one signature."""
        offsets.flags.writeable = data.flags.writeable = False
        return cls(offsets, data)

    @classmethod
    def from_text(cls, column: "pa.Array | pa.ChunkedArray") -> "Ragged":
        """View a string column; copy only if its layout differs.

        Chunks, 32-bit offsets, string views, dictionaries and slices are converted; null becomes "".
        """
        import pyarrow as pa

        column = _one_chunk(column).cast(pa.large_string()).fill_null("")
        _, offsets, data = column.buffers()
        return cls._rebased(column, offsets, np.frombuffer(data or b"", np.uint8))

    @classmethod
    def from_lists(cls, column: "pa.Array | pa.ChunkedArray") -> "Ragged":
        """View a list column of integers without nulls inside the lists; a null list becomes empty."""
        import pyarrow as pa

        column = _one_chunk(column)
        column = column.cast(pa.large_list(column.type.value_type))
        if column.null_count:  # a null list may still span values: rebuild
            column = pa.array(column.fill_null([]) if len(column) else column, column.type)
        values = column.values.to_numpy(zero_copy_only=True)
        return cls._rebased(column, column.buffers()[1], values)

    @classmethod
    def from_strings(cls, strings: list[str] | list[bytes]) -> "Ragged":
        """Build from Python strings or bytes; bytes may be invalid UTF-8. Raises UnicodeEncodeError for a surrogate."""
        data = np.empty(sum(len(s) if isinstance(s, bytes) or s.isascii() else 4 * len(s) for s in strings), np.uint8)
        view, end, sizes = data.data, 0, [0]
        for first in range(0, len(strings), AT_ONCE):
            rows = [s if isinstance(s, bytes) else s.encode() for s in strings[first : first + AT_ONCE]]
            text = b"".join(rows)
            view[end : end + len(text)] = text
            end += len(text)
            sizes.extend(map(len, rows))
        return cls.from_arrays(np.cumsum(sizes, dtype=np.int64), data[:end])

    @classmethod
    def _rebased(cls, column: "pa.Array", offsets: "pa.Buffer | None", data: np.ndarray) -> "Ragged":
        span = slice(column.offset, column.offset + len(column) + 1)
        offsets = np.frombuffer(offsets or bytes(8), np.int64)[span]
        data = data[offsets[0] : offsets[-1]]
        return cls.from_arrays(offsets - offsets[0] if offsets[0] else offsets, data)

    def to_text(self) -> "pa.LargeStringArray":
        """View the rows as an Arrow string column. The bytes must be valid UTF-8."""
        import pyarrow as pa

        return pa.LargeStringArray.from_buffers(self.rows, pa.py_buffer(self.offsets), pa.py_buffer(self.data))

    def to_lists(self) -> "pa.LargeListArray":
        """View the rows as an Arrow list column."""
        import pyarrow as pa

        return pa.LargeListArray.from_arrays(pa.array(self.offsets), pa.array(self.data))

    def part(self, begin: int, end: int) -> "Ragged":
        """View the rows ``begin:end``."""
        offsets = self.offsets[begin : end + 1]
        return Ragged.from_arrays(offsets - offsets[0], self.data[offsets[0] : offsets[-1]])

    def row(self, row: int) -> bytes:
        """Return the bytes of one row, for tests and messages; too slow for loops."""
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()


def _one_chunk(column: "pa.Array | pa.ChunkedArray") -> "pa.Array":
    import pyarrow as pa

    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return column
