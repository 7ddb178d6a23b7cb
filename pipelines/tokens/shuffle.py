"""Second half of making token shards: documents of all parts, split, copied and shuffled into files of one size.

The hash of a document's id alone decides everything: its split (the same documents are held out whatever the tokenizer,
seed or mixture), its copies, the shard of each copy (a range of hashes, shifted for each copy) and, with the seed, its
place there. So neither the workers nor the cut of the input change a byte. At 1e13 tokens: 100,000 shards of 100
million tokens, each made alone in 0.6 GB from one range of every part.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.schema import CLUSTER_SIZE, ID, SOURCE
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.shards import read_shard, write_shard
from gristmill.pipelines.tokens.encode import DOCUMENTS, IDS, LEARNED, TokenizerInfo
from gristmill.pipelines.tokens.mixing import count_copies, weights
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION, TokenSettings

PAYLOAD, ENDS, BYTES = ".bin", ".ends", ".bytes"  # ids; uint64 end of each document, in ids; uint32 bytes of its text
NAMES = pa.schema([(ID, pa.large_string()), (SOURCE, pa.large_string())])  # columns of NAME.parquet
COPY_STRIDE = int(GOLDEN_RATIO)  # between the hashes of two copies of a document: they land in shards far apart
SPLIT, HASH, ORDER = 1, 2, 3  # salts: a hash for each purpose


class HashRange(NamedTuple):
    """Hashes of one shard: first <= hash <= last, of 0 to 2^64 - 1."""

    split: str
    number: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}"


def scramble(hashes: np.ndarray, *salts: int) -> np.ndarray:
    """Return hashes that differ independently by salt, uint64 [n] (SplitMix64's finalizer: Steele et al. 2014)."""
    for salt in salts:
        hashes = hashes ^ np.uint64((salt + 1) * COPY_STRIDE % 2**64)
        hashes = (hashes ^ hashes >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ hashes >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        hashes = hashes ^ hashes >> np.uint64(31)
    return hashes


def is_validation(hashes: np.ndarray, share: float) -> np.ndarray:
    """Return which documents are held out, bool [n]."""
    return scramble(hashes, SPLIT) < np.uint64(int(share * 2**64))


def hash_ranges(tokens: dict[str, int], settings: TokenSettings) -> list[HashRange]:
    """Return the shards of each split, for the number of tokens in it."""
    found = []
    for split in (TRAIN, VALIDATION):
        n = -(-tokens[split] // settings.tokens_per_shard)
        found += [HashRange(split, k, k * 2**64 // n, (k + 1) * 2**64 // n - 1) for k in range(n)]
    return found


class Selection(NamedTuple):
    """Documents of one part that go into a shard, one row per copy."""

    rows: np.ndarray
    order: np.ndarray  # uint64: the sort key in the shard
    copy: np.ndarray


def select(documents: pa.Table, hash_range: HashRange, settings: TokenSettings, epochs: dict[str, float]) -> Selection:
    """Return the rows of a part that belong to a shard."""
    hashes = documents["hash"].to_numpy()
    split = is_validation(hashes, settings.validation)
    if hash_range.split == VALIDATION:
        often = split.astype(np.int64)
    else:
        sources = documents[SOURCE].combine_chunks().dictionary_encode()
        rates = np.array([epochs[name] for name in sources.dictionary.to_pylist()])[sources.indices.to_numpy()]
        often = count_copies(rates * cluster_weights(documents, settings), scramble(hashes, HASH))
        often[split] = 0
    rows, order, copy = [], [], []
    for c in range(int(often.max(initial=0))):
        shifted = hashes + np.uint64(c * COPY_STRIDE % 2**64)  # wraps around
        here = (often > c) & (shifted >= np.uint64(hash_range.first)) & (shifted <= np.uint64(hash_range.last))
        rows.append(np.flatnonzero(here))
        order.append(scramble(hashes[here], ORDER, settings.seed, c))
        copy.append(np.full(rows[-1].size, c))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return Selection(*(np.concatenate([none, *some]) for none, some in zip(nothing, (rows, order, copy), strict=True)))


def cluster_weights(documents: pa.Table, settings: TokenSettings) -> np.ndarray:
    """Return the weight of each document of a part by its cluster size, float [n]; without a size 1."""
    if CLUSTER_SIZE not in documents.column_names:
        return np.ones(documents.num_rows)
    return weights(documents[CLUSTER_SIZE].fill_null(0).to_numpy(), settings.upsample)


def gather_shard(
    folder: UPath,
    parts: list[str],
    hash_range: HashRange,
    info: TokenizerInfo,
    settings: TokenSettings,
    epochs: dict[str, float],
    learned: bool,
    outputs: tuple[Output, ...],
) -> list[Written]:
    """Write one token shard. Memory: its ids twice, and the document table of one part."""
    tables, counts = [], {}
    for p, name in enumerate(parts):
        documents = read_shard(folder / f"{name}.parquet")
        counts[name] = documents["tokens"].to_numpy()
        mine = select(documents, hash_range, settings, epochs)
        stop = pa.array(np.cumsum(counts[name]))
        table = documents.select(DOCUMENTS.names).append_column("stop", stop).take(mine.rows)
        for name, column in (("order", mine.order), ("copy", mine.copy), ("part", np.full(mine.rows.size, p))):
            table = table.append_column(name, pa.array(column))
        tables.append(table)
    table = pa.concat_tables(tables).sort_by([("order", "ascending"), (ID, "ascending"), ("copy", "ascending")])
    before, after = boundary_tokens(info, settings)
    sizes = table["tokens"].to_numpy() + len(before) + len(after)
    stops = np.cumsum(sizes)
    ids = np.empty(int(stops[-1]) if stops.size else 0, info.dtype)
    bits = np.empty_like(ids) if learned else None  # as ids are, for one compiled copy
    part = table["part"].to_numpy()
    for p, name in enumerate(parts):
        mine = part == p
        if mine.any():
            source = _read_ids(folder / f"{name}{IDS}", info.dtype, counts.pop(name))
            stop, size = table["stop"].to_numpy()[mine], table["tokens"].to_numpy()[mine]
            places = stop - size, size, (stops - sizes)[mine]
            copy_documents(source, *places, before, after, ids)
            if bits is not None:  # a model learns the end of a document, and not its beginning
                source = _read_bits(folder / f"{name}{LEARNED}", source.size).astype(info.dtype)
                source.flags.writeable = False
                copy_documents(source, *places, np.zeros_like(before), np.ones_like(after), bits)
    documents = table.select(NAMES.names)
    return [write_tokens(outputs[0], ids, stops, table["bytes"].to_numpy(), documents, bits)]


def boundary_tokens(info: TokenizerInfo, settings: TokenSettings) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids before and after each document."""
    before = [info.bos] if settings.add_special in ("prepend", "both") else []
    after = [info.eos] if settings.add_special in ("append", "both") else []
    return np.array(before, info.dtype), np.array(after, info.dtype)


def _read_ids(path: UPath, dtype: np.dtype, counts: np.ndarray) -> np.ndarray:
    """Map the ids of a part. Raises WorkError unless the documents' ``counts`` of ids add up to them."""
    size, fit = path.stat().st_size, counts[(counts >= 0) & (counts <= path.stat().st_size)]
    if fit.size < counts.size or int(fit.sum()) * dtype.itemsize != size:
        raise WorkError(
            f"{path} is damaged: it has {size:,} bytes, but its documents' ids of {dtype.itemsize} bytes add up to "
            f"{int(fit.sum()):,}; remove {path.parent} and run again"
        )
    if is_local(path):
        return np.memmap(str(path), dtype, "r") if size else np.empty(0, dtype)
    return np.frombuffer(path.read_bytes(), dtype)


def _read_bits(path: UPath, size: int) -> np.ndarray:
    """Read a bit per id, uint8[size]. Raises WorkError unless the file has as many."""
    packed = np.frombuffer(path.read_bytes(), np.uint8)
    if packed.size != -(-size // 8):
        raise WorkError(f"{path} is damaged: it has {packed.size:,} bytes for {size:,} ids; remove {path.parent}")
    return np.unpackbits(packed, count=size, bitorder="little")


@allocating_kernel
def copy_documents(source, start, size, target, before, after, ids):
    """Copy each document's ids, between its boundary tokens, to its place."""
    for k in range(start.size):
        at = target[k]
        for i in range(before.size):
            ids[at + i] = before[i]
        at += before.size
        for i in range(size[k]):
            ids[at + i] = source[start[k] + i]
        at += size[k]
        for i in range(after.size):
            ids[at + i] = after[i]


def write_tokens(
    output: Output,
    ids: np.ndarray,
    ends: np.ndarray,
    sizes: np.ndarray,
    documents: pa.Table,
    learned: np.ndarray | None = None,
) -> Written:
    """Write the files of one shard: ids, ends of documents, bytes of their texts, their NAMES, a bit per id if any."""
    names, files = [], {PAYLOAD: ids, ENDS: ends.astype("<u8"), BYTES: sizes.astype("<u4")}
    if learned is not None:
        files[LEARNED] = np.packbits(learned.astype(np.bool_), bitorder="little")
    for suffix, array in files.items():
        names.append(f"{output.name}{suffix}")
        with atomic_write(output.folder / names[-1]) as file:
            file.write(array.data)
    write_shard(output.path, [documents], NAMES)
    counts = {"documents": documents.num_rows, "tokens": ids.size, "bytes": int(sizes.sum())}
    return Written([*names, output.path.name], counts)
