from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.dedup.near.candidates import Numbers
from gristmill.dedup.near.lsh import (
    band_hashes,
    collision_probability,
    optimal_bands,
    read_buckets,
    write_bands,
    write_keys,
)

signature_rows = st.lists(st.lists(st.integers(0, 2), min_size=6, max_size=6), max_size=12)


@pytest.mark.parametrize(
    ("threshold", "hashes", "bands", "rows"),
    [
        (0.8, 128, 21, 6),
        (0.7, 128, 32, 4),
        (0.9, 128, 14, 9),
        (0.5, 128, 42, 3),
        (1.0, 128, 1, 128),
        (0.8, 256, 32, 8),
    ],
)
def test_bands_have_as_many_rows_as_recall_allows(threshold, hashes, bands, rows):
    assert optimal_bands(threshold, hashes, 0.995) == (bands, rows)
    assert collision_probability(threshold, bands, rows) >= 0.995
    assert rows == hashes or collision_probability(threshold, hashes // (rows + 1), rows + 1) < 0.995


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_no_bands_of_datasketch_find_as_much_with_fewer_false_candidates(threshold):
    """datasketch integrates what is missed above the threshold and found below it: ours is on its frontier."""
    lsh = pytest.importorskip("datasketch.lsh")
    bands, rows = optimal_bands(threshold, 128, 0.995)
    missed = lsh._false_negative_probability(threshold, bands, rows)
    surplus = lsh._false_positive_probability(threshold, bands, rows)
    for weight in (0.5, 0.9, 0.99, 0.999):
        b, r = lsh._optimal_param(threshold, 128, 1 - weight, weight)
        better_recall = lsh._false_negative_probability(threshold, b, r) < missed - 1e-9
        fewer_candidates = lsh._false_positive_probability(threshold, b, r) < surplus - 1e-9
        assert not (better_recall and fewer_candidates)
    b, r = lsh._optimal_param(threshold, 128, 0.5, 0.5)
    assert missed <= lsh._false_negative_probability(threshold, b, r)


@given(signature_rows)
def test_keys_agree_where_bands_do(signatures):
    signatures = np.array(signatures, np.uint32).reshape(-1, 6)
    keys = band_hashes(signatures, 3, 2)
    for a, left in enumerate(signatures):
        for b, right in enumerate(signatures):
            for i in range(3):
                for j in range(3):
                    same = i == j and (left[2 * i : 2 * i + 2] == right[2 * j : 2 * j + 2]).all()
                    assert (keys[a, i] == keys[b, j]) == same


@given(signatures=signature_rows, cuts=st.lists(st.integers(0, 12), max_size=3), partitions=st.integers(1, 5))
def test_buckets_are_the_keys_that_documents_share(tmp_path_factory, signatures, cuts, partitions):
    folder = UPath(tmp_path_factory.mktemp("bands"))
    signatures = np.array(signatures, np.uint32).reshape(-1, 6)
    slow = defaultdict(list)
    for document, row in enumerate(band_hashes(signatures, 3, 2)):
        for key in row.tolist():
            slow[key].append(document)
    cuts, paths = [0, *sorted(min(cut, len(signatures)) for cut in cuts), len(signatures)], []
    for begin, end in pairwise(cuts):
        paths.append(folder / f"{len(paths)}.npy")
        write_bands(paths[-1], signatures[begin:end], np.arange(begin, end), 3, 2)
    fast = []
    for partition in range(partitions):
        offsets, documents = read_buckets(paths, partition, partitions)
        fast += [documents[a:b].tolist() for a, b in pairwise(offsets)]
    assert fast == [slow[key] for key in sorted(slow) if len(slow[key]) > 1]


@pytest.mark.parametrize("partitions", [1, 2, 3, 4])
def test_each_key_lies_in_one_partition(tmp_path, partitions):
    """Also the first and the last key, and those at the border of two partitions."""
    keys = [0, 1, *(step + k * 2**62 for k in (1, 2, 3) for step in (-1, 0, 1)), 2**64 - 1]
    paths = [UPath(tmp_path / f"{shard}.npy") for shard in range(2)]
    for shard, path in enumerate(paths):  # documents 1 and 2 have all keys, document 1 twice
        write_keys(path, np.array([keys, keys][: 2 - shard], np.uint64), np.array([1, 1] if shard == 0 else [2]))
    found = [read_buckets(paths, partition, partitions) for partition in range(partitions)]
    assert [offsets.size - 1 for offsets, _ in found] == [
        sum(key * partitions >> 64 == partition for key in keys) for partition in range(partitions)
    ]
    assert np.concatenate([documents for _, documents in found]).tolist() == [1, 2] * len(keys)


@given(st.lists(st.lists(st.integers(0, 5), max_size=6)))
def test_a_growing_set_holds_each_number_twice_at_most(parts):
    numbers = Numbers()
    for part in parts:
        numbers.add(np.array(part, np.int64))
        assert sum(new.size for new in numbers.new) <= numbers.known.size
    assert numbers.distinct().tolist() == sorted(set().union(*parts))
