"""Documents taken from a split, in any order, against a plain loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pretrain.data.batches import TokenSplit


def split_of(shards):
    """Return a split of shards, which are lists of documents, which are lists of ids."""
    payloads = [np.array([id for document in shard for id in document], np.uint16) for shard in shards]
    lengths = np.array([len(document) for shard in shards for document in shard], np.int64)
    return TokenSplit(payloads=tuple(payloads), ends=np.cumsum(lengths), bytes=lengths * 3, vocab_size=100)


DOCUMENT = st.lists(st.integers(0, 99), max_size=5)
SHARDS = st.lists(st.lists(DOCUMENT, min_size=1, max_size=4), min_size=1, max_size=3)


@given(SHARDS, st.lists(st.integers(0, 11), max_size=12), st.one_of(st.none(), st.integers(0, 30)))
def test_documents_are_those_of_a_loop(shards, numbers, tokens):
    split, documents = split_of(shards), [document for shard in shards for document in shard]
    rows = np.array([number for number in numbers if number < len(documents)], np.int64)
    expected = [id for row in rows for id in documents[row]]
    taken = split.take(rows, "some", [1], tokens=tokens)
    assert taken.payloads[0].tolist() == expected[:tokens] and taken.count == len(expected[:tokens])
    joined = TokenSplit.join([split, taken], "both")
    assert (
        joined.read(0, joined.count).tolist() == [id for document in documents for id in document] + expected[:tokens]
    )
    assert joined.bytes.size == joined.ends.size
