"""First half of making token shards: each document shard as ids, in the order of the hashes of document ids.

In that order any range of hashes is one stretch of the file, so the second half (shuffle.py) reads of each part only
what it needs. Another seed, mixture or boundary needs no new encoding.
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
        ("hash", pa.uint64()),  # of the id; rows are sorted by it
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),  # of UTF-8 text
    ]
)

Encode = Callable[[Ragged], Ragged]


class TokenizerInfo(NamedTuple):
    """Facts about a tokenizer that its token files record."""

    size: int
    bos: int | None
    eos: int | None
    sha256: str  # of its file

    @property
    def dtype(self) -> np.dtype:
        """The smallest unsigned integer type that holds all ids, little-endian."""
        return np.dtype("<u2" if self.size <= 1 << 16 else "<u4")


def encode_shard(shard: UPath, info: TokenizerInfo, encode: Encode, output: Output) -> Written:
    """Encode the documents of one shard. Memory: a few times its text.

    Raises WorkError for an id outside the vocabulary.
    """
    return write_encoded(read_batches(shard, [ID, TEXT, SOURCE]), info, encode, output)


def write_encoded(tables: Iterable[pa.Table], info: TokenizerInfo, encode: Encode, output: Output) -> Written:
    """Write tables of documents as one part: ``NAME.ids`` (the payload) and ``NAME.parquet`` (DOCUMENTS)."""
    known, offsets, payload, first = [], [np.zeros(1, np.int64)], [], 0
    for table in tables:
        text = Ragged.from_text(table[TEXT])
        ids = encode(text)
        if ids.data.size and int(ids.data.max()) >= info.size:
            raise WorkError(f"the tokenizer gave id {int(ids.data.max())}, outside its vocabulary of {info.size:,}")
        payload.append(ids.data.astype(info.dtype, copy=False))
        offsets.append(ids.offsets[1:] + first)
        first += ids.data.size
        hashes = hash_rows(*Ragged.from_text(table[ID]))
        columns = [table[ID], table[SOURCE], hashes, np.diff(ids.offsets), np.diff(text.offsets)]
        known.append(pa.table(dict(zip(DOCUMENTS.names, columns, strict=True))).cast(DOCUMENTS))
    documents = pa.concat_tables(known) if known else DOCUMENTS.empty_table()
    order = documents.append_column("row", pa.array(np.arange(documents.num_rows)))
    order = order.sort_by([("hash", "ascending"), (ID, "ascending")])["row"].to_numpy()
    ids = Ragged(np.concatenate(offsets), np.concatenate(payload) if payload else np.empty(0, info.dtype))
    with atomic_write(output.folder / f"{output.name}{IDS}") as file:
        file.write(gather_rows(ids, order).data.data)
    write_shard(output.path, [documents.take(order)], DOCUMENTS)
    size = int(documents["bytes"].to_numpy().sum())
    counts = {"documents": documents.num_rows, "tokens": ids.data.size, "bytes": size}
    return Written([f"{output.name}{IDS}", output.path.name], counts)
