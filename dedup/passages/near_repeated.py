"""Near-repeated passages: of sentences (lines, paragraphs) that share most of their characters, the first stays.

1. Measure: the LSH bands of each passage of at least ``min_letters`` letters. Its shingles are runs of
   ``shingle_size`` characters of the normalized, lower-cased text. Shorter passages match their equals only.
2. Distinct passages that share a band are candidates (dedup/near/candidates.py). A text is one candidate, however
   often it occurs: named by its hash, and placed at its first occurrence in keep order.
3. Select greedily among the candidates (dedup/near/greedy.py), by the Jaccard similarity of their whole sets.

So every dropped passage has a kept one at or above the threshold. A passage like no other costs its bands only.

Memory beyond a shard and a partition: 36 bytes per candidate, 24 per dropped one, and their documents' keep order.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
from upath import UPath

from gristmill.dedup.exact.normalize import normalized
from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.near.candidates import BAND_ROW_BYTES, find_candidates, load, renumber
from gristmill.dedup.near.greedy import GreedySelection
from gristmill.dedup.near.lsh import band_hashes, optimal_bands, write_keys
from gristmill.dedup.near.minhash import minhash_signatures
from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.shingles import shingle_sets
from gristmill.dedup.near.verify import ShingleSets
from gristmill.dedup.passages.split import Passages, cut_passages
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.canonical import canonical
from gristmill.pipelines.steps.corpus import Corpus

NUM_PERM = 64  # in a signature: 7 rows per band at 0.9, 4 at 0.8
RECALL = 0.995  # of candidates, for a pair exactly at the threshold
MAX_COMPARISONS = 1000  # with unlike passages of one bucket, before a passage is kept
BATCH_PASSAGES = 1 << 16  # passages hashed at a time: 16 MB of signatures
PASSAGE = np.uint64(32)  # a position is the document's rank << 32 | passage in it
LOW = np.uint64(0xFFFFFFFF)


class NearSettings(NamedTuple):
    """Settings of the comparison of two passages."""

    threshold: float  # Jaccard similarity of shingle sets
    shingle_size: int  # characters
    min_letters: int  # of a passage to be compared

    def bands(self) -> tuple[int, int]:
        """Return bands and rows of a signature."""
        return optimal_bands(self.threshold, NUM_PERM, RECALL)

    def sets(self, text: Ragged, begins: np.ndarray, ends: np.ndarray) -> Ragged:
        """Return the shingle set of each passage, as sorted hashes."""
        return shingle_sets(canonical(Ragged.from_arrays(*normalized(begins, ends, text.data))), 0, self.shingle_size)

    def measure(self, text: Ragged, found: Passages) -> tuple[np.ndarray, np.ndarray]:
        """Return uint8[m], 1 for passages long enough, and the band hashes of these, uint64[k, bands]."""
        long = count_letters(found.start, found.end, text.data, letters()) >= self.min_letters
        begins, ends = found.start[long], found.end[long]
        keys = np.empty((begins.size, self.bands()[0]), np.uint64)
        for first in range(0, begins.size, BATCH_PASSAGES):
            some = slice(first, first + BATCH_PASSAGES)
            passages = canonical(Ragged.from_arrays(*normalized(begins[some], ends[some], text.data)))
            signatures, _ = minhash_signatures(passages, NUM_PERM, 0, self.shingle_size)
            keys[some] = band_hashes(signatures, *self.bands())
        return long.astype(np.uint8), keys


@allocating_kernel
def count_letters(begins, ends, data, table):
    """Count the letters, digits and underscores in ranges of ``data``."""
    counts = np.zeros(begins.size, np.int64)
    for i in range(begins.size):
        at, count = begins[i], 0
        while at < ends[i]:
            code, width = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, ends[i])
            count += table[code] != 0
            at += width
        counts[i] = count
    return counts


class PassageMatches(NamedTuple):
    """Dropped passages, ascending by hash: hash of the dropped one, hash of the kept one, their similarity."""

    dropped: np.ndarray = np.zeros(0, np.uint64)
    kept: np.ndarray = np.zeros(0, np.uint64)
    similarity: np.ndarray = np.zeros(0)

    def keeper(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return, for each passage hash, the hash of the passage kept for it (itself, if kept) and their similarity."""
        if not self.dropped.size:
            return hashes, np.ones(hashes.size)
        at = np.minimum(np.searchsorted(self.dropped, hashes), self.dropped.size - 1)
        is_dropped = self.dropped[at] == hashes
        return np.where(is_dropped, self.kept[at], hashes), np.where(is_dropped, self.similarity[at], 1.0)


def match_passages(
    near: NearSettings, kind: str, corpus: Corpus, order_by: tuple, memory: int, scratch: Path
) -> PassageMatches:
    """Match each distinct passage to the kept one that it is alike to.

    ``order_by`` holds the source priority and the quality column of the keep order; ``scratch`` is a folder to make.
    """
    scratch.mkdir()
    hashes, files = find_candidates(*_spill(near, corpus, memory, scratch), memory, scratch)
    documents, first = _first_positions(corpus, hashes, order_by, scratch)
    order = np.argsort(first)  # the candidates in keep order
    ranks = np.empty(hashes.size, np.int32)
    ranks[order] = np.arange(hashes.size, dtype=np.int32)
    renumber(files, hashes, ranks)
    document, passage = documents[first >> PASSAGE], (first & LOW).astype(np.int64)
    by_position = np.lexsort((passage, document))
    sets = _write_sets(near, kind, corpus, document[by_position], passage[by_position], scratch / "grams.u64")
    number = np.empty(hashes.size, np.int64)  # of each rank's set
    number[ranks[by_position]] = np.arange(hashes.size)
    greedy = GreedySelection(hashes.size, MAX_COMPARISONS)

    def compare(left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return sets.compare(number[left], number[right], near.threshold, memory // 4)[0]

    greedy.run(lambda: map(load, files), lambda left, right: compare(left, right) >= near.threshold)
    dropped = np.flatnonzero(greedy.kept_by != np.arange(hashes.size))
    kept, hashes = greedy.kept_by[dropped], hashes[order].view(np.uint64)
    by_hash = np.argsort(hashes[dropped])
    similarity = compare(dropped, kept)
    shutil.rmtree(scratch)
    return PassageMatches(hashes[dropped][by_hash], hashes[kept][by_hash], similarity[by_hash])


def _spill(near: NearSettings, corpus: Corpus, memory: int, scratch: Path) -> tuple[list[UPath], int]:
    """Write the band rows of each shard's distinct passages, by their hashes; return files and number of rows."""
    paths: list[UPath] = []
    rows, bands = 0, near.bands()[0]
    for part in corpus.parts:
        hashes, _, _ = _long_passages(corpus, part)
        keys = Ragged.from_lists(corpus.measured(part, ["keys"])["keys"])
        keep_mask = np.repeat(corpus.keep_mask(part, keys.rows), np.diff(keys.offsets) // bands)
        hashes, first = np.unique(hashes, return_index=True)
        keys = keys.data.reshape(-1, bands)[keep_mask][first]
        for some in np.array_split(np.arange(hashes.size), hashes.size * bands * BAND_ROW_BYTES // memory + 1):
            paths.append(UPath(scratch / f"bands-{len(paths)}.npy"))
            write_keys(paths[-1], keys[some], hashes[some])
        rows += hashes.size * bands
    return paths, rows


def _long_passages(corpus: Corpus, part: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hash (as int64), document and passage in it of the passages to compare, in documents that are kept."""
    table = corpus.measured(part, ["hash", "long"])
    hashes, long = Ragged.from_lists(table["hash"]), Ragged.from_lists(table["long"])
    row = np.repeat(np.arange(hashes.rows), np.diff(hashes.offsets))
    mine = np.flatnonzero((long.data > 0) & corpus.keep_mask(part, hashes.rows)[row])
    row = row[mine]
    return hashes.data[mine].view(np.int64), corpus.first[part] + row, mine - hashes.offsets[row]


def _first_positions(
    corpus: Corpus, candidates: np.ndarray, order_by: tuple, scratch: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Return the documents that hold candidates, in keep order, and each candidate's first position."""

    def occurrences():
        for part in corpus.parts:
            hashes, document, passage = _long_passages(corpus, part)
            at = np.minimum(np.searchsorted(candidates, hashes), max(candidates.size - 1, 0))
            mine = np.flatnonzero(candidates[at] == hashes) if candidates.size else at[:0]
            yield at[mine], document[mine], passage[mine]

    documents = np.concatenate([np.zeros(0, np.int64), *(np.unique(document) for _, document, _ in occurrences())])
    keep_order = rank_documents(corpus, documents, scratch, *order_by)
    ranks = keep_order.ranks.astype(np.uint64)
    first = np.full(candidates.size, np.iinfo(np.uint64).max)
    for which, document, passage in occurrences():
        rank_of = ranks[np.searchsorted(documents, document)]
        np.minimum.at(first, which, rank_of << PASSAGE | passage.astype(np.uint64))
    return documents[keep_order.order], first


def _write_sets(
    near: NearSettings, kind: str, corpus: Corpus, document: np.ndarray, passage: np.ndarray, path: Path
) -> ShingleSets:
    """Write the shingle sets of passages, which are sorted by document, then by passage."""
    sets, at = ShingleSets(path), 0
    for part in corpus.parts:
        rows = corpus.rows_of(part, np.unique(document))
        first = 0
        for text in corpus.texts(part, rows):
            numbers = rows[first : first + text.rows] + corpus.first[part]
            end = int(np.searchsorted(document, numbers[-1], "right"))
            found = cut_passages(text, kind)
            mine = found.offsets[np.searchsorted(numbers, document[at:end])] + passage[at:end]
            sets.append(near.sets(text, found.start[mine], found.end[mine]))
            first, at = first + text.rows, end
    return sets
