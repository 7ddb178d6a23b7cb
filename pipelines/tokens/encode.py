"""First half of making token shards: each document shard as ids, in the order of the hashes of document ids.

In that order any range of hashes is one stretch of the file, so the second half (shuffle.py) reads of each part only
what it needs. Another seed, mixture or boundary needs no new encoding.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import CLUSTER_SIZE, ID, SOURCE, TEXT, TURNS
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.shards import read_batches, shard_schema, write_shard

IDS = ".ids"
LEARNED = ".learned"  # one bit per id, the lowest of a byte first: 1 where a model learns it
DOCUMENTS = pa.schema(
    [
        (ID, pa.large_string()),
        (SOURCE, pa.large_string()),
        ("hash", pa.uint64()),  # of the id; rows are sorted by it
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),  # of UTF-8 text
    ]
)
# Of parts whose documents have whole numbers in this column.
CLUSTERED = DOCUMENTS.append(pa.field(CLUSTER_SIZE, pa.int64()))

Encode = Callable[[Ragged], Ragged]
# Text and turns of documents to ids, and bool[ids]: which of them a model learns.
EncodeTurns = Callable[[Ragged, pa.ChunkedArray], tuple[Ragged, np.ndarray]]


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


def encode_shard(
    shard: UPath,
    info: TokenizerInfo,
    encode: Encode,
    output: Output,
    chat: EncodeTurns | None = None,
    masked: bool = False,
) -> Written:
    """Encode the documents of one shard: ``NAME.ids`` (the payload) and ``NAME.parquet`` (DOCUMENTS or CLUSTERED).

    ``chat`` encodes documents with roles; if ``masked``, ``NAME.learned`` holds a bit per id.
    Memory: a few times its text. Raises WorkError for an id outside the vocabulary.
    """
    columns = shard_schema(shard)
    clustered = CLUSTER_SIZE in columns.names and pa.types.is_integer(columns.field(CLUSTER_SIZE).type)
    schema = CLUSTERED if clustered else DOCUMENTS
    more = schema.names[len(DOCUMENTS) :]
    known, offsets, payload, bits, first = [], [np.zeros(1, np.int64)], [], [np.zeros(0, np.bool_)], 0
    for table in read_batches(shard, [ID, TEXT, SOURCE, *more, *([TURNS] if chat else [])]):
        text = Ragged.from_text(table[TEXT])
        if chat:
            ids, learned = chat(text, table[TURNS])
        else:
            ids, learned = encode(text), None
        bits.append(np.ones(ids.data.size, np.bool_) if learned is None else learned)
        if ids.data.size and int(ids.data.max()) >= info.size:
            raise WorkError(f"the tokenizer gave id {int(ids.data.max())}, outside its vocabulary of {info.size:,}")
        payload.append(ids.data.astype(info.dtype, copy=False))
        offsets.append(ids.offsets[1:] + first)
        first += ids.data.size
        hashes = hash_rows(*Ragged.from_text(table[ID]))
        values = [table[ID], table[SOURCE], hashes, np.diff(ids.offsets), np.diff(text.offsets)]
        values += [table[name] for name in more]
        known.append(pa.table(dict(zip(schema.names, values, strict=True))).cast(schema))
    documents = pa.concat_tables(known) if known else schema.empty_table()
    order = documents.append_column("row", pa.array(np.arange(documents.num_rows)))
    order = order.sort_by([("hash", "ascending"), (ID, "ascending")])["row"].to_numpy()
    ids = Ragged(np.concatenate(offsets), np.concatenate(payload) if payload else np.empty(0, info.dtype))
    files = {IDS: gather_rows(ids, order).data}
    if masked:
        learned = gather_rows(Ragged(ids.offsets, np.concatenate(bits).astype(info.dtype)), order)  # as ids are
        files[LEARNED] = np.packbits(learned.data.astype(np.bool_), bitorder="little")
    for suffix, array in files.items():
        with atomic_write(output.folder / f"{output.name}{suffix}") as file:
            file.write(array.data)
    write_shard(output.path, [documents.take(order)], schema)
    size = int(documents["bytes"].to_numpy().sum())
    counts = {"documents": documents.num_rows, "tokens": ids.data.size, "bytes": size}
    return Written([*(f"{output.name}{suffix}" for suffix in files), output.path.name], counts)
