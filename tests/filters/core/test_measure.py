"""The fused pass: one read for all steps, each over what those before it left."""

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest
from upath import UPath

from gristmill.filters.core.filter import LANGUAGE, Filter
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.langid.filter import Language
from gristmill.filters.pii.filter import PiiFilter
from gristmill.filters.registry import FILTERS
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.fineweb import FineWeb
from gristmill.filters.rules.gopher import Gopher
from gristmill.flows.clean.plan import measure_step, measures_of
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.schema import DOCUMENT, MEASURES, SPANS
from gristmill.pipelines.steps.step import run_step
from gristmill.pipelines.storage.shards import read_shard, shards_of, write_shard
from tests.corpora import finish

TEXTS = [
    "The mill turns by the river. It makes flour of grain.\n\nRead our privacy policy here.\n\nPeople bake bread.",
    "",
    "Mühle\nMehl\nBrot",
    "磨坊在河边。它把谷物磨成面粉。",
]


@pytest.fixture
def work(tmp_path):
    table = pa.table([list("abcd"), TEXTS, ["s"] * 4], DOCUMENT.names).cast(DOCUMENT)
    documents = UPath(tmp_path) / "documents"
    write_shard(documents / "part-0.parquet", [table[:1], table[1:]], DOCUMENT)
    finish(documents)
    return UPath(tmp_path)


def measure(work, chain):
    """Measures and spans as the steps left them, by step and kind. What is there is not measured again."""
    recipe = Recipe().model_copy(update={"steps": chain})
    step = measure_step(recipe, work, shards_of(work / "documents"), list(chain))
    run_step(replace(step, prepare=lambda: None))
    return {(o.step, o.kind): pl.from_arrow(read_shard(o.path)) for job in step.jobs for o in job.outputs}


CHAIN = {"tongue": Language(), "c4": C4(), "gopher": Gopher(), "fineweb": FineWeb(), "pii": PiiFilter()}


def test_a_step_sees_the_text_that_those_before_it_left(work):
    after = measure(work, {"c4": C4(), "gopher": Gopher()})
    before = measure(work, {"gopher": Gopher(), "c4": C4()})
    assert after["c4", MEASURES].equals(before["c4", MEASURES])
    assert after["gopher", MEASURES]["words"][0] < before["gopher", MEASURES]["words"][0]  # the notice is gone
    (span,) = after["c4", SPANS].filter(row=0).rows(named=True)
    cut = TEXTS[0].encode()[span["offset"] : span["offset"] + span["length"]].decode()
    assert "privacy policy" in cut and "bread" not in cut


@pytest.mark.parametrize("name", CHAIN)
def test_one_stale_step_measured_alone_is_as_measured_with_all(work, name, monkeypatch):
    together = measure(work, CHAIN)
    (measures_of(work, name) / "part-0.parquet").unlink()
    for other in CHAIN.keys() - {name}:
        monkeypatch.setattr(type(CHAIN[other]), "measure", lambda *_: pytest.fail("measured again"))
        monkeypatch.setattr(type(CHAIN[other]), "rewrite", lambda *_: pytest.fail("rewritten again"), raising=False)
    again = measure(work, CHAIN)
    assert all(again[key].equals(together[key]) for key in together)


def test_row_groups_do_not_show(work):
    whole = measure_documents(CHAIN, pa.table({"id": list("abcd"), "text": pa.array(TEXTS, pa.large_string())}))
    cut = measure(work, CHAIN)
    assert all(whole[name].equals(cut[name, MEASURES]) for name in CHAIN)


class Told(Filter):
    """Measures the language it is given, whether it asks for one or not."""

    NAME = "told"

    def measure(self, batch):
        given = [None] * batch.text.rows if batch.language is None else batch.language.tolist()
        return pl.DataFrame({"given": given}, {"given": pl.String})


class Needs(Told):
    NEEDS = (LANGUAGE,)


def test_the_language_is_given_to_those_that_need_it_by_the_last_step_before_that_says_it(work):
    few = Language(languages=["de"], model="py3langid")
    chain = {"early": Needs(), "first": Language(), "needs": Needs(), "second": few, "told": Told(), "late": Needs()}
    together = measure(work, chain)
    said = {name: frame["given"].to_list() for (name, _), frame in together.items() if "given" in frame.columns}
    assert said["early"] == said["told"] == [None] * 4
    assert said["needs"] == together["first", MEASURES]["confident_label"].to_list()
    assert said["late"] == together["second", MEASURES]["confident_label"].to_list()
    for name in said:  # alone, with all languages on disk
        (measures_of(work, name) / "part-0.parquet").unlink()
        assert measure(work, chain)[name, MEASURES].equals(together[name, MEASURES])


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - {"classifier", "join"}))  # these need files
def test_no_measure_of_any_filter_is_ever_missing(name):
    texts = ["", " \n\t", "\0", "word", "字", "\u2028", "é" * 50, "- \n- \n", "0 1 2", "\ufffd"]
    frame = measure_documents({name: FILTERS[name]()}, pa.table({"text": pa.array(texts, pa.large_string())}))[name]
    assert frame.null_count().row(0) == (0,) * frame.width and len(frame) == len(texts)
    assert not any(frame[column].is_nan().any() for column in frame.columns if frame[column].dtype == pl.Float64)
