"""Second half of the way to token shards: documents of all parts, split, copied, shuffled, into files of one size.

Where a document goes is a function of the hash of its id alone: into validation or training (the same documents
whatever the tokenizer, seed or mixture), how often, into which shard (a stretch of the hashes, moved along for each
copy) and, with the seed, at which place in it. So neither workers nor the cut of the input change a byte.
At 1e13 tokens: 100,000 shards of 100 million tokens, each made alone in 0.6 GB from one stretch of every part.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numba import njit
from upath import UPath

from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.shards import read_shard, write_shard
from gristmill.pipelines.tokens.encode import IDS, TokenizerInfo
from gristmill.pipelines.tokens.mixing import copies
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION, TokenSettings

PAYLOAD, ENDS, BYTES = ".bin", ".ends", ".bytes"  # ids; uint64 end of each document, in ids; uint32 bytes of its text
NAMES = pa.schema([(ID, pa.large_string()), (SOURCE, pa.large_string())])  # of the documents, in NAME.parquet
COPY_STRIDE = 0x9E3779B97F4A7C15  # from one copy's shard to the next one's: the golden ratio, so copies lie apart
SPLIT, HASH, ORDER = 1, 2, 3  # what a hash is asked for


class HashRange(NamedTuple):
    """A shard's share of the hashes: first <= hash <= last, of 0 to 2^64 - 1."""

    split: str
    number: int
    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}"


def scramble(hashes: np.ndarray, *salts: int) -> np.ndarray:
    """uint64 [n] -> uint64 [n], independent for different salts (SplitMix64's finish: Steele et al. 2014)."""
    for salt in salts:
        hashes = hashes ^ np.uint64((salt + 1) * COPY_STRIDE % 2**64)
        hashes = (hashes ^ hashes >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        hashes = (hashes ^ hashes >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        hashes = hashes ^ hashes >> np.uint64(31)
    return hashes


def of_validation(hashes: np.ndarray, share: float) -> np.ndarray:
    """Which documents are held out."""
    return scramble(hashes, SPLIT) < np.uint64(int(share * 2**64))


def hash_ranges(tokens: dict[str, int], settings: TokenSettings) -> list[HashRange]:
    """The shards of each split from the tokens that go into it."""
    found = []
    for split in (TRAIN, VALIDATION):
        n = -(-tokens[split] // settings.shard_tokens)
        found += [HashRange(split, k, k * 2**64 // n, (k + 1) * 2**64 // n - 1) for k in range(n)]
    return found


class Selection(NamedTuple):
    """Documents of one part that go into a shard; a document stands here once for each of its copies."""

    rows: np.ndarray
    order: np.ndarray  # uint64: its place in the shard
    copy: np.ndarray


def choose(documents: pa.Table, stretch: HashRange, settings: TokenSettings, epochs: dict[str, float]) -> Selection:
    """Which rows of a part belong to a shard."""
    hashes = documents["hash"].to_numpy()
    split = of_validation(hashes, settings.validation)
    if stretch.split == VALIDATION:
        often = split.astype(np.int64)
    else:
        sources = documents[SOURCE].combine_chunks().dictionary_encode()
        rates = np.array([epochs[name] for name in sources.dictionary.to_pylist()])
        often = copies(sources.indices.to_numpy(), scramble(hashes, HASH), rates) if len(rates) else np.zeros(0, int)
        often[split] = 0
    rows, order, copy = [], [], []
    for c in range(int(often.max(initial=0))):
        turned = hashes + np.uint64(c * COPY_STRIDE % 2**64)  # and around
        here = (often > c) & (turned >= np.uint64(stretch.first)) & (turned <= np.uint64(stretch.last))
        rows.append(np.flatnonzero(here))
        order.append(scramble(hashes[here], ORDER, settings.seed, c))
        copy.append(np.full(rows[-1].size, c))
    nothing = np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return Selection(*(np.concatenate([none, *some]) for none, some in zip(nothing, (rows, order, copy), strict=True)))


def gather_shard(
    folder: UPath,
    parts: list[str],
    stretch: HashRange,
    vocabulary: TokenizerInfo,
    settings: TokenSettings,
    epochs: dict[str, float],
    outputs: tuple[Output, ...],
) -> list[Written]:
    """Write one token shard. Memory: its ids twice, and the document table of one part."""
    tables = []
    for p, name in enumerate(parts):
        documents = read_shard(folder / f"{name}.parquet")
        mine = choose(documents, stretch, settings, epochs)
        stop = pa.array(np.cumsum(documents["tokens"].to_numpy()))
        table = documents.append_column("stop", stop).take(mine.rows)
        for name, column in (("order", mine.order), ("copy", mine.copy), ("part", np.full(mine.rows.size, p))):
            table = table.append_column(name, pa.array(column))
        tables.append(table)
    table = pa.concat_tables(tables).sort_by([("order", "ascending"), (ID, "ascending"), ("copy", "ascending")])
    before, behind = edges(vocabulary, settings)
    sizes = table["tokens"].to_numpy() + len(before) + len(behind)
    stops = np.cumsum(sizes)
    ids = np.empty(int(stops[-1]) if stops.size else 0, vocabulary.dtype)
    part = table["part"].to_numpy()
    for p, name in enumerate(parts):
        mine = part == p
        if mine.any():
            source = _read_ids(folder / f"{name}{IDS}", vocabulary.dtype)
            stop, size = table["stop"].to_numpy()[mine], table["tokens"].to_numpy()[mine]
            place(source, stop - size, size, (stops - sizes)[mine], before, behind, ids)
    return [write_tokens(outputs[0], ids, stops, table["bytes"].to_numpy(), table.select(NAMES.names))]


def edges(vocabulary: TokenizerInfo, settings: TokenSettings) -> tuple[np.ndarray, np.ndarray]:
    """The ids before and behind each document."""
    before = [vocabulary.bos] if settings.boundary in ("prepend", "both") else []
    behind = [vocabulary.eos] if settings.boundary in ("append", "both") else []
    return np.array(before, vocabulary.dtype), np.array(behind, vocabulary.dtype)


def _read_ids(path: UPath, dtype: np.dtype) -> np.ndarray:
    if is_local(path):
        return np.memmap(str(path), dtype, "r") if path.stat().st_size else np.empty(0, dtype)
    return np.frombuffer(path.read_bytes(), dtype)


@njit(nogil=True, cache=True)
def place(source, start, size, target, before, behind, ids):
    """Put each document's ids, with what goes before and behind, where it belongs."""
    for k in range(start.size):
        at = target[k]
        for i in range(before.size):
            ids[at + i] = before[i]
        at += before.size
        for i in range(size[k]):
            ids[at + i] = source[start[k] + i]
        at += size[k]
        for i in range(behind.size):
            ids[at + i] = behind[i]


def write_tokens(output: Output, ids: np.ndarray, ends: np.ndarray, sizes: np.ndarray, documents: pa.Table) -> Written:
    """The files of one shard: ids, where documents end in them, bytes of their texts, their NAMES."""
    names = []
    for suffix, array in ((PAYLOAD, ids), (ENDS, ends.astype("<u8")), (BYTES, sizes.astype("<u4"))):
        names.append(f"{output.name}{suffix}")
        with atomic_write(output.folder / names[-1]) as file:
            file.write(array.data)
    write_shard(output.path, [documents], NAMES)
    counts = {"documents": documents.num_rows, "tokens": ids.size, "bytes": int(sizes.sum())}
    return Written([*names, output.path.name], counts)
