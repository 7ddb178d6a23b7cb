"""Ragged arrays in files: rows of many documents, of which some are read at a time."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from gristmill.pipelines.ragged import Ragged


class RaggedFile:
    """Rows of one dtype in a file. Memory: 8 bytes per row."""

    def __init__(self, path: Path, kind: np.dtype):
        """Make an empty file, and its folder if there is none."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        self.path, self.kind, self.size, self.ends = path, np.dtype(kind), 0, [np.zeros(1, np.int64)]

    def append(self, rows: Ragged) -> None:
        """Add rows."""
        with self.path.open("ab") as file:
            rows.data.tofile(file)
        self.ends.append(self.size + rows.offsets[1:])
        self.size += int(rows.offsets[-1])

    @property
    def offsets(self) -> np.ndarray:
        """Begin of each row in the file, and the end of the last: int64[n + 1]."""
        if len(self.ends) > 1:  # once, not at each call of `append`: a corpus has thousands of row groups
            self.ends = [np.concatenate(self.ends)]
        return self.ends[0]

    def read(self, rows: np.ndarray) -> Ragged:
        """Read ascending rows, adjacent ones in one read.

        mmap is not used: Linux maps 16 pages around each touched one, so the whole file counted as memory.
        """
        begins, ends = self.offsets[rows], self.offsets[rows + 1]
        offsets = np.append(0, np.cumsum(ends - begins))
        data = np.empty(offsets[-1], self.kind)
        runs = np.append(np.flatnonzero(np.diff(rows, prepend=-2) != 1), rows.size)
        if data.size:
            with self.path.open("rb", buffering=0) as file:
                for first, last in pairwise(runs.tolist()):
                    file.seek(self.kind.itemsize * int(begins[first]))
                    room = data[offsets[first] : offsets[last]].data.cast("B")
                    while room:  # one read returns at most 2 GB
                        room = room[file.readinto(room) :]
        return Ragged(offsets, data)
