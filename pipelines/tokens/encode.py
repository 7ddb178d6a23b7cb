"""First half of the way to token shards: each shard of documents as ids, in the order of the hashes of document ids.

In that order any share of the hashes is one stretch of the file, so the second half (`gather`) reads of each part only
what it needs; and another seed, mixture or boundary asks for no new encoding.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, SOURCE, TEXT
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.shards import read_batches, write_shard

IDS = ".ids"
DOCUMENTS = pa.schema(
    [
        (ID, pa.large_string()),
        (SOURCE, pa.large_string()),
        ("hash", pa.uint64()),  # of the id: rows are in its order
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),  # of the text, in UTF-8
    ]
)

Encode = Callable[[Ragged], Ragged]


class TokenizerInfo(NamedTuple):
    """What token files must know of the tokenizer that made them."""

    size: int
    bos: int | None
    eos: int | None
    sha256: str  # of its file

    @property
    def dtype(self) -> np.dtype:
        """The smallest kind of number that holds all ids, little end first."""
        return np.dtype("<u2" if self.size <= 1 << 16 else "<u4")


def encode_shard(shard: UPath, vocabulary: TokenizerInfo, encode: Encode, output: Output) -> Written:
    """Encode the documents of one shard. Memory: a few times its text.

    Raises WorkError where an id is none of the vocabulary's.
    """
    return write_encoded(read_batches(shard, [ID, TEXT, SOURCE]), vocabulary, encode, output)


def write_encoded(tables: Iterable[pa.Table], vocabulary: TokenizerInfo, encode: Encode, output: Output) -> Written:
    """Tables of documents to one part: ``NAME.ids`` (the payload) and ``NAME.parquet`` (DOCUMENTS)."""
    known, offsets, payload, first = [], [np.zeros(1, np.int64)], [], 0
    for table in tables:
        text = Ragged.from_text(table[TEXT])
        ids = encode(text)
        if ids.data.size and int(ids.data.max()) >= vocabulary.size:
            raise WorkError(f"the tokenizer gave id {int(ids.data.max())}, of a vocabulary of {vocabulary.size:,}")
        payload.append(ids.data.astype(vocabulary.dtype, copy=False))
        offsets.append(ids.offsets[1:] + first)
        first += ids.data.size
        hashes = hash_rows(*Ragged.from_text(table[ID]))
        columns = [table[ID], table[SOURCE], hashes, np.diff(ids.offsets), np.diff(text.offsets)]
        known.append(pa.table(dict(zip(DOCUMENTS.names, columns, strict=True))).cast(DOCUMENTS))
    documents = pa.concat_tables(known) if known else DOCUMENTS.empty_table()
    order = documents.append_column("row", pa.array(np.arange(documents.num_rows)))
    order = order.sort_by([("hash", "ascending"), (ID, "ascending")])["row"].to_numpy()
    ids = Ragged(np.concatenate(offsets), np.concatenate(payload) if payload else np.empty(0, vocabulary.dtype))
    with atomic_write(output.folder / f"{output.name}{IDS}") as file:
        file.write(gather_rows(ids, order).data.data)
    write_shard(output.path, [documents.take(order)], DOCUMENTS)
    counts = {"documents": documents.num_rows, "tokens": ids.data.size, "bytes": sum_of(documents["bytes"])}
    return Written([f"{output.name}{IDS}", output.path.name], counts)


def sum_of(column: pa.ChunkedArray) -> int:
    return int(column.to_numpy().sum())
