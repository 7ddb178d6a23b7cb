"""The sample of each language and fold: the documents with the lowest hashes, however they are spread over shards."""

from types import SimpleNamespace
from unittest.mock import patch

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.filters.perplexity import fold_samples
from gristmill.filters.perplexity.fold_samples import SAMPLE, select_sample
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.storage.shards import read_shard

documents = st.lists(st.tuples(st.sampled_from(["de", "en", "zu"]), st.integers(0, 9), st.integers(0, 1)), max_size=40)


def lowest(rows, sample_bytes):
    """Bytes and last hash of each language and fold: documents in the order of their hashes until the text suffices."""
    found = {}
    for hash, (language, size, fold) in rows:
        total, _ = found.get((language, fold), (0, 0))
        if total < sample_bytes:
            found[language, fold] = total + size, hash
    return {key: value for key, value in found.items() if {(key[0], 0), (key[0], 1)} <= found.keys()}


@given(rows=documents, sample_bytes=st.integers(1, 30), shards=st.integers(1, 12), order=st.randoms())
def test_the_documents_with_the_lowest_hashes_are_sampled(tmp_path_factory, rows, sample_bytes, shards, order):
    folder = UPath(tmp_path_factory.mktemp("sample"))
    numbered = list(enumerate(rows))  # a document's number is its hash
    order.shuffle(mixed := [*numbered])
    schema = {"hash": pl.UInt64, "language": pl.String, "bytes": pl.Int64, "fold": pl.Int64}
    frames = {}
    for shard in range(shards):
        some = [(hash, *document) for hash, document in mixed[shard::shards]]
        frame = pl.DataFrame(some, schema, orient="row").with_columns(row=0, characters="bytes", kept=True)
        frames[shard] = frame.select("row", "kept", *fold_samples.NO_SAMPLE.columns)
    with patch.object(fold_samples, "list_documents", lambda _, part: frames[part]):
        select_sample(sample_bytes, 0, SimpleNamespace(parts=list(frames)), (Output(folder, SAMPLE),))
    found = pl.DataFrame(read_shard(folder / f"{SAMPLE}.parquet"))
    made = {(language, fold): (size, last) for language, fold, size, last in found.iter_rows()}
    assert made == lowest(numbered, sample_bytes)
