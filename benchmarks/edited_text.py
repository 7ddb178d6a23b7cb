"""Text of any size by editing real text: each copy of the corpus has its words exchanged for others of its language.

Words of a language and of a kind (with a capital or without, or a single ideograph) are ranked by frequency, and each
copy shuffles them within octaves of rank: 64th to 127th, 128th to 255th, and so on. The most frequent stay, and so do
digits, marks and white space. So a copy has the frequencies, the lines and the duplicates of the corpus, and nearly no
shingle of another copy. Its language is still found.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import numpy as np
import orjson

from benchmarks.inputs import MEGABYTE, read
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.ragged import Ragged

IDEOGRAPHS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"  # of scripts without spaces
PIECES = re.compile(rf"[{IDEOGRAPHS}]|[^\W\d_{IDEOGRAPHS}]+|[\W\d_]+")
FIRST_EDITED = 64  # rank of the first word that is exchanged
FILE_BYTES = 64 * MEGABYTE


class EditedText:
    """Documents of the corpus, from which any number of copies are made. Memory: 5 bytes per byte of their text."""

    def __init__(self, rows: list[dict]):
        """Take documents with id, text and the language in ``labels``."""
        kinds: dict[tuple, dict[str, int]] = defaultdict(dict)  # (language, capital, ideograph) -> word -> number
        words: list[str] = []
        documents = []
        for row in rows:
            language, numbers = row["labels"]["language"], []
            for piece in PIECES.findall(row["text"]):
                kind = (language, piece[0].isupper(), len(piece) == 1) if piece[0].isalpha() else ()
                known = kinds[kind]
                if (number := known.get(piece)) is None:
                    number = known[piece] = len(words)
                    words.append(piece)
                numbers.append(number)
            documents.append(np.array(numbers, np.int32))
        self.ids, self.words = [row["id"] for row in rows], Ragged.from_strings(words)
        self.offsets = np.append(0, np.cumsum([len(numbers) for numbers in documents]))
        self.numbers = np.concatenate([np.zeros(0, np.int32), *documents])
        used = np.bincount(self.numbers, minlength=len(words))
        self.ranked = []
        for kind, known in sorted(kinds.items()):
            if kind:
                numbers = np.array(sorted(known.values()))
                self.ranked.append(numbers[np.argsort(-used[numbers], kind="stable")])

    def copy(self, number: int) -> Iterator[tuple[str, bytes]]:
        """Yield id and text of each document of a copy; copy 0 is the corpus itself."""
        draw, to = np.random.Generator(np.random.PCG64(number)), np.arange(self.words.rows, dtype=np.int32)
        for ranked in self.ranked if number else ():
            first = FIRST_EDITED
            while first < ranked.size:
                octave = ranked[first : 2 * first]
                to[octave] = draw.permutation(octave)
                first *= 2
        pieces = gather_rows(self.words, to[self.numbers])
        ends, text = pieces.offsets[self.offsets].tolist(), pieces.data.tobytes()
        for id, begin, end in zip(self.ids, ends, ends[1:], strict=False):
            yield f"{number}/{id}", text[begin:end]

    def write(self, folder: Path, megabytes: float) -> Counter:
        """Write JSON lines with so much text, in files of 64 MB; return the counts of documents and of bytes."""
        folder.mkdir(parents=True)
        documents = size = held = files = 0
        lines: list[bytes] = []
        for id, text in (document for number in count() for document in self.copy(number)):
            lines.append(orjson.dumps({"id": id, "text": text.decode()}, option=orjson.OPT_APPEND_NEWLINE))
            documents, size, held = documents + 1, size + len(text), held + len(text)
            if held >= FILE_BYTES or size >= megabytes * MEGABYTE:
                (folder / f"text-{files:05}.jsonl").write_bytes(b"".join(lines))
                lines, held, files = [], 0, files + 1
            if size >= megabytes * MEGABYTE:
                break
        return Counter(documents=documents, bytes=size)


def read_corpus(data: Path, megabytes: float) -> EditedText:
    """Return so much of the messy documents, which are in many languages, in the order of the file."""
    rows, room = [], megabytes * MEGABYTE
    for row in read(data, "messy"):
        room -= len(row["text"].encode())
        if room < 0:
            break
        rows.append(row)
    return EditedText(rows)
