"""Distinct text of an arm: copies of a document count once, and so does every passage that near-duplicates share."""

from collections.abc import Iterable

import numpy as np
from upath import UPath

from gristmill.dedup.near.shingles import shingle_sets
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.shards import read_batches

SAMPLED = np.uint64(1 << 60)  # shingles with a hash below: one of 16


def distinct_shares(documents: Iterable[UPath]) -> dict[str, float]:
    """Return the shares of the text that is distinct: ``exact`` by documents, ``near`` by shingles of five words.

    Memory: 16 bytes per document, and half a byte per word.
    """
    texts, sizes, shingles = [], [], []
    for shard in documents:
        for table in read_batches(shard, [TEXT]):
            text = Ragged.from_text(table[TEXT])
            texts.append(hash_rows(*text))
            sizes.append(np.diff(text.offsets))
            hashes = shingle_sets(text).data
            shingles.append(hashes[hashes < SAMPLED])
    if not texts:
        return {"exact": 1.0, "near": 1.0}
    size, sampled = np.concatenate(sizes), np.concatenate(shingles)
    _, first = np.unique(np.concatenate(texts), return_index=True)
    exact = float(size[first].sum() / max(1, size.sum()))
    return {"exact": exact, "near": np.unique(sampled).size / sampled.size if sampled.size else exact}
