"""The corpus as steps over it see it: shards, document numbers, measures."""

import numpy as np
import polars as pl
import pytest
from upath import UPath

from gristmill.pipelines.steps.corpus import Corpus


@pytest.fixture
def corpus(tmp_path):
    for part, texts in (("part-1", ["c"]), ("part-0", ["a", "b"])):
        for folder, columns in (
            ("documents", {"text": texts}),
            ("measures", {"length": [len(text) for text in texts]}),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            pl.DataFrame(columns).write_parquet(tmp_path / folder / f"{part}.parquet")
    return Corpus(
        UPath(tmp_path / "documents"), UPath(tmp_path / "measures"), ["part-1", "part-0"], lambda part, rows: None
    )


def test_documents_are_numbered_by_shards_in_the_order_of_their_names(corpus):
    assert (corpus.parts, corpus.first, corpus.n_documents) == (["part-0", "part-1"], {"part-0": 0, "part-1": 2}, 3)
    assert corpus.rows_of("part-0", np.array([0, 1, 2])).tolist() == [0, 1]
    assert corpus.rows_of("part-1", np.array([0, 1, 2])).tolist() == [0]


def test_measures_and_texts_are_those_of_the_shard(corpus):
    assert corpus.measured("part-0", ["length"])["length"].to_pylist() == [1, 1]
    assert corpus.stage_folder == corpus.measures.parent
    (text,) = corpus.texts("part-1", np.array([0]))
    assert text.to_text().to_pylist() == ["c"]
