"""Columns and folders of clean/: what a recipe may ask for, and that every reader of clean/ finds it."""

import datasets
import polars as pl
import pyarrow.dataset
import pytest
from corpora import documents, tree, write_jsonl

import gristmill as gm
from gristmill.flows.clean.columns import Column, check_measures
from gristmill.flows.clean.recipe import STEPS as STEPS_OF_ALL
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.report.html import report
from gristmill.flows.runs.verify import verify
from gristmill.flows.tokenize.tokenize_corpus import tokenize
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.step import run_serial
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.tokens.settings import TokenSettings

STEPS = {"language": {}, "gopher": {"min_words": 5}, "exact": {}}
WITH_FILES = {"classifier", "decontaminate", "importance", "join", "keywords", "perplexity"}  # that a recipe must name
ODD = ["a/b", "..", "", None, "x" * 300, "ü c"]  # sources that are no names of folders


def recipe(raw, steps=STEPS, unit=20_000, **output):
    table = {"input": {"paths": [str(raw)], "work_unit_bytes": unit}, "steps": steps, "output": output}
    return parse_recipe(table, "test")


def jobs_of(recipe, work):
    """Clean; return the names of the functions that ran."""
    ran = []

    def noted(jobs):
        for job, parts in run_serial(jobs):
            ran.append(job.work.__name__)
            yield job, parts

    clean(recipe, to_path(work), noted)
    return set(ran)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    rows = [row | {"kind": ODD[i % len(ODD)], "source": "crawl"} for i, row in enumerate(documents())]
    return write_jsonl(tmp_path_factory.mktemp("raw") / "raw.jsonl", rows)


@pytest.fixture(scope="module")
def run(raw, tmp_path_factory):
    work = tmp_path_factory.mktemp("run") / "work"
    clean(recipe(raw, split_by="kind"), to_path(work))
    return work


def test_clean_documents_have_their_language_unless_no_step_finds_it(raw, tmp_path):
    clean(recipe(raw), to_path(tmp_path / "work"))
    found = pl.read_parquet(tmp_path / "work" / "clean" / "*.parquet")
    assert found.columns[-2:] == ["language", "language_probability"]
    assert found["language"].unique().to_list() == ["en"] and found["language_probability"].min() > 0.3
    clean(recipe(raw, steps={"exact": {}}), to_path(tmp_path / "other"))
    assert "language" not in pl.read_parquet(tmp_path / "other" / "clean" / "*.parquet").columns


def test_other_columns_repeat_only_the_last_writing(raw, tmp_path):
    work = tmp_path / "work"
    jobs_of(recipe(raw), work)
    before = tree(work, "steps", "removed", "ledger", "documents")
    names = ["gopher.words", "language", "cluster_size"]
    assert jobs_of(recipe(raw, columns=names), work) == {"apply_shard", "count_copies"}
    assert tree(work, "steps", "removed", "ledger", "documents") == before
    found = pl.read_parquet(work / "clean" / "*.parquet")
    assert found.columns[-3:] == names
    expected = pl.read_parquet(work / "ledger" / "*.parquet").select("id", "kept")
    expected = pl.concat([expected, pl.read_parquet(work / "steps/gopher/measures/*.parquet")], how="horizontal")
    assert found["gopher.words"].to_list() == expected.filter("kept")["words"].to_list()
    assert jobs_of(recipe(raw, columns=names, split_by="language"), work) == {"apply_shard"}
    assert jobs_of(recipe(raw, columns=names, split_by="language"), work) == set()
    assert [path.name for path in (work / "clean").iterdir() if path.is_dir()] == ["language=en"]
    assert jobs_of(recipe(raw), work) == {"apply_shard"}
    assert not [path for path in (work / "clean").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        ({"columns": ["gopher.wrds"]}, r"columns: gopher has no measure 'gopher.wrds'; did you mean 'gopher.words'"),
        ({"columns": ["gofer.words"]}, "no step 'gofer' that could provide 'gofer.words'; did you mean 'gopher'"),
        ({"columns": ["c4.lines"]}, "no step 'c4' that could provide 'c4.lines'"),
        ({"columns": ["langage"]}, "no step provides 'langage'; did you mean 'language'"),
        ({"split_by": "cluster_size"}, "split_by: columns lacks 'cluster_size'; add it there"),
        ({"split_by": "language", "columns": []}, "split_by: columns lacks 'language'; add it there"),
        ({"split_by": "text"}, "split_by: found 'text'; expected a column of strings"),
        ({"split_by": "knd"}, "split_by: clean documents have no column 'knd'; did you mean 'kind'"),
        ({"split_by": "stars"}, "split_by: 'stars' is int64; expected a column of strings"),
        ({"split_by": "gopher.words", "columns": ["gopher.words"]}, "'gopher.words' is int64; expected a column"),
    ],
)
def test_a_wrong_column_is_one_line(raw, tmp_path, output, complaint):
    with pytest.raises(RecipeError, match=complaint) as caught:
        clean(recipe(raw, **output), to_path(tmp_path / "work"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "work" / "clean").exists()


@pytest.mark.parametrize("kind", [name for name in STEPS_OF_ALL if name not in WITH_FILES])
def test_every_step_tells_its_measures_before_anything_is_read(kind):
    built = parse_recipe({"steps": {kind: {}}}, "test").steps
    with pytest.raises(RecipeError, match=f"{kind} has no measure '{kind}.no_such'; (did you mean|there is) "):
        check_measures({f"{kind}.no_such": Column(f"steps/{kind}/measures", "no_such")}, built, "unicode", "[output]")


def test_a_column_of_too_many_values_is_one_line(tmp_path):
    raw = write_jsonl(tmp_path / "raw.jsonl", [{"text": f"Text {i}.", "url": f"https://a.b/{i}"} for i in range(1_001)])
    with pytest.raises(RecipeError, match="'url' has 1,001 values in one shard; expected at most 1,000"):
        clean(recipe(raw, steps={}, unit=1_000_000, split_by="url"), to_path(tmp_path / "work"))


def test_odd_values_have_folders_of_safe_names(raw, run):
    names = sorted(path.name for path in (run / "clean").iterdir() if path.is_dir())
    assert names[:5] == ["kind=", "kind=%C3%BC%20c", "kind=..", "kind=__HIVE_DEFAULT_PARTITION__", "kind=a%2Fb"]
    assert len(names) == 6 and len(names[5]) == len("kind=") + 180
    files = Manifest.read(to_path(run / "clean")).files
    assert {name.partition("/")[0] for name in files} == {*names}


def test_other_libraries_read_the_folders(run, tmp_path):
    pattern = str(run / "clean" / "**" / "*.parquet")
    expected = pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in run.glob("clean/*/*.parquet")])
    rows = expected.sort("id").select("id", "kind").rows()
    assert {kind for _, kind in rows} == {*ODD}
    hive = pyarrow.dataset.dataset(str(run / "clean"), partitioning="hive", exclude_invalid_files=True)
    loaded = datasets.load_dataset("parquet", data_files=pattern, split="train", cache_dir=str(tmp_path))
    values = [path.parent.name for path in run.glob("clean/*/*.parquet")]
    assert any(len(value) > 180 for value in values)
    assert sorted(zip(loaded["id"], loaded["kind"], strict=True), key=lambda row: row[0]) == rows
    whole = {kind for kind in ODD if kind is None or len(kind) < 100}
    assert {*pl.read_parquet(pattern)["kind"]} >= whole  # from the names of folders
    assert {*hive.to_table()["kind"].to_pylist()} >= whole


def test_any_number_of_workers_writes_the_same(raw, run, tmp_path):
    with engine("processes", 2) as two:
        clean(recipe(raw, split_by="kind"), to_path(tmp_path / "work"), two)
    assert tree(tmp_path / "work", "clean") == tree(run, "clean")


def test_a_run_that_was_stopped_leaves_no_folders_of_another_split(raw, tmp_path):
    def stopped(jobs):
        for n, finished in enumerate(run_serial(jobs)):
            yield finished
            if n == 1 and finished[0].work.__name__ == "apply_shard":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clean(recipe(raw, split_by="kind"), to_path(tmp_path / "work"), stopped)
    assert (tmp_path / "work" / "clean" / "kind=").is_dir()
    clean(recipe(raw, split_by="source"), to_path(tmp_path / "work"))
    clean(recipe(raw, split_by="source"), to_path(tmp_path / "fresh"))
    assert tree(tmp_path / "work", "clean") == tree(tmp_path / "fresh", "clean")
    assert [path.name for path in (tmp_path / "work" / "clean").iterdir() if path.is_dir()] == ["source=crawl"]


def test_verify_finds_damage_and_strangers_in_folders(raw, tmp_path):
    work = tmp_path / "work"
    clean(recipe(raw, split_by="kind"), to_path(work))
    assert not verify(to_path(work)).problems
    shard = next((work / "clean" / "kind=a%2Fb").iterdir())
    stray = shard.with_name("part-99999.parquet")
    stray.write_bytes(shard.read_bytes())
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    stranger, damaged = verify(to_path(work)).problems
    assert f"{shard} is damaged" in damaged and f"{stray} is not in manifest.json" in stranger
    assert "apply_shard" in jobs_of(recipe(raw, split_by="kind", columns=["language"]), work)
    assert not verify(to_path(work)).problems and not stray.exists()


def test_tokens_and_report_are_those_of_one_folder(raw, run, tmp_path):
    """A split changes the order of shards alone."""
    flat = tmp_path / "flat"
    clean(recipe(raw), to_path(flat))
    settings = tokenizer_settings({"vocab_size": 300})
    made = {}
    for name, corpus in {"flat": flat, "split": run, "folder": run / "clean", "one": run / "clean" / "kind=.."}.items():
        made[name] = tmp_path / "made" / name
        train_tokenizer([str(corpus)], to_path(made[name] / "bpe"), settings)
        tokenize([str(corpus)], str(made["flat"] / "bpe"), to_path(made[name] / "tokens"), TokenSettings())
    counts = {name: Manifest.read(to_path(made[name] / "tokens")).counts["documents"] for name in made}
    assert counts["flat"] == counts["split"] == counts["folder"] > counts["one"] > 0
    models = [(made[name] / "bpe" / "gristmill.json").read_bytes() for name in ("flat", "split", "folder")]
    assert models[0] == models[1] == models[2]
    ids = [(made[name] / "tokens" / "train-00000.bin").read_bytes() for name in ("flat", "split", "folder")]
    assert ids[0] == ids[1] == ids[2]
    assert {*gm.open_run(run).clean.to_polars()["id"]} == {*gm.open_run(flat).clean.to_polars()["id"]}
    assert gm.open_run(run).sql("select count(*) from clean group by kind").height == len(ODD)
    report(to_path(run), to_path(tmp_path / "split.html"))
    report(to_path(flat), to_path(tmp_path / "flat.html"))
    split, whole = ((tmp_path / f"{name}.html").read_text("utf-8") for name in ("split", "flat"))
    assert split.count("excerpt") == whole.count("excerpt")
