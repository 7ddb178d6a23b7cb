"""The fused pass: one read for all steps, each over what those before it left."""

import polars as pl
import pyarrow as pa
import pytest
from upath import UPath

from gristmill.filters.core.measure import measure_documents, measure_shard
from gristmill.filters.langid.filter import Language
from gristmill.filters.registry import FILTERS
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.fineweb import FineWeb
from gristmill.filters.rules.gopher import Gopher
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.storage.shards import read_shard, write_shard

TEXTS = [
    "The mill turns by the river. It makes flour of grain.\n\nRead our privacy policy here.\n\nPeople bake bread.",
    "",
    "Mühle\nMehl\nBrot",
    "磨坊在河边。它把谷物磨成面粉。",
]


@pytest.fixture
def shard(tmp_path):
    table = pa.table([list("abcd"), TEXTS, ["s"] * 4], DOCUMENT.names).cast(DOCUMENT)
    path = UPath(tmp_path) / "documents" / "part-0.parquet"
    write_shard(path, [table[:1], table[1:]], DOCUMENT)
    return path


def measure(folder, shard, chain, keys):
    outputs = tuple(Output(UPath(folder) / key, "part-0", "", key) for key in keys)
    labels = UPath(folder) / "language" / "part-0.parquet"
    measure_shard(chain, "unicode", shard, labels, [], outputs)
    return {output.key: pl.from_arrow(read_shard(output.path)) for output in outputs}


CHAIN = {"language": Language(), "c4": C4(), "gopher": Gopher(), "fineweb": FineWeb()}


def test_a_step_sees_the_text_that_those_before_it_left(tmp_path, shard):
    after = measure(tmp_path / "after", shard, {"c4": C4(), "gopher": Gopher()}, ["c4", "c4.spans", "gopher"])
    before = measure(tmp_path / "before", shard, {"gopher": Gopher(), "c4": C4()}, ["c4", "gopher"])
    assert after["c4"].equals(before["c4"])
    assert after["gopher"]["words"][0] < before["gopher"]["words"][0]  # the notice is gone
    (span,) = after["c4.spans"].filter(row=0).rows(named=True)
    cut = TEXTS[0].encode()[span["offset"] : span["offset"] + span["length"]].decode()
    assert "privacy policy" in cut and "bread" not in cut


@pytest.mark.parametrize("name", CHAIN)
def test_one_stale_step_measured_alone_is_as_measured_with_all(tmp_path, shard, name):
    together = measure(tmp_path, shard, CHAIN, list(CHAIN))
    (tmp_path / name / "part-0.parquet").unlink()
    assert measure(tmp_path, shard, CHAIN, [name])[name].equals(together[name])


def test_row_groups_do_not_show(tmp_path, shard):
    whole = measure_documents(CHAIN, pa.table({"text": pa.array(TEXTS, pa.large_string())}))
    cut = measure(tmp_path, shard, CHAIN, list(CHAIN))
    assert all(whole[name].equals(cut[name]) for name in CHAIN)


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - {"classifier"}))  # which needs a model: test_classifier.py
def test_no_measure_of_any_filter_is_ever_missing(name):
    texts = ["", " \n\t", "\0", "word", "字", "\u2028", "é" * 50, "- \n- \n", "0 1 2", "\ufffd"]
    frame = measure_documents({name: FILTERS[name]()}, pa.table({"text": pa.array(texts, pa.large_string())}))[name]
    assert frame.null_count().row(0) == (0,) * frame.width and len(frame) == len(texts)
    assert not any(frame[column].is_nan().any() for column in frame.columns if frame[column].dtype == pl.Float64)
