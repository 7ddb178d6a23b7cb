"""Scores of others as measures: joined by id or by hash of the text, compared by minimum and maximum."""

import hashlib

import numpy as np
import polars as pl
import pytest
from corpora import documents, tree, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.filters.join import table
from gristmill.filters.join.table import JoinedColumns, look_up, write_table
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.document import bars, read_document
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.report.html import report
from gristmill.flows.runs.explain import explain
from gristmill.flows.runs.status import status
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.step import run_serial

ROWS = [{"id": f"d{i}", "text": f"Text {i}."} for i in range(5)]
SCORES = {"id": ["d3", "d0", "other", "d2"], "score": [3.0, 0.5, 9.0, None], "kind": ["a", "b", "c", None]}


def run(folder, *changes, titles=None, **settings):
    write_jsonl(folder / "raw.jsonl", ROWS)
    step = {"use": "join", "join": str(folder / "scores"), "columns": ["score"], **settings}
    found = {"input": {"paths": [str(folder / "raw.jsonl")]}, "steps": {"edu": step, "exact": {}}}

    def engine(jobs):
        for job, parts in run_serial(jobs):
            (titles if titles is not None else []).append(job.title)
            yield job, parts

    clean(parse_recipe(found, "test", changes), UPath(folder / "work"), engine)
    return UPath(folder / "work")


def scores(folder, columns=SCORES, name="a.parquet"):
    (folder / "scores").mkdir(exist_ok=True)
    pl.DataFrame(columns).write_parquet(folder / "scores" / name)


def removed(work):
    ledger = pl.read_parquet(f"{work}/ledger/*.parquet").filter(~pl.col("kept"))
    return dict(ledger.select("id", "rule").iter_rows())


def test_scores_are_measures_with_rules(tmp_path):
    scores(tmp_path)
    work = run(tmp_path, min={"score": 1.0}, columns=["score", "kind"])
    assert removed(work) == {"d0": "score_too_low"}
    assert explain(work, "d3")["measures"]["edu"] == {"score": 3.0, "kind": "a", "matched": 1}
    assert explain(work, "d2")["measures"]["edu"] == {"score": None, "kind": None, "matched": 1}
    assert explain(work, "d1")["measures"]["edu"] == {"score": None, "kind": None, "matched": 0}
    assert what_if(work, ("edu.min.score=4",))[1]["steps"]["edu"]["removed"] == 2
    assert what_if(work, ("edu.max.score=1", "edu.min.score=off"))[1]["steps"]["edu"]["removed"] == 1
    assert what_if(work, ("edu.drop_missing=true",))[1]["steps"]["edu"]["removed"] == 3
    thresholds = Thresholds(RunIndex(work))
    assert list(thresholds.adjustable) == ["edu.score_too_low"]
    assert thresholds.what_if(thresholds.read(["edu.min.score=4"]))["newly_removed"] == 1
    assert thresholds.what_if(thresholds.read(["edu.min.score=off"]))["newly_kept"] == 1
    assert "score = 4.0" in recipe_toml(thresholds.recipe(("edu.min.score=4.0",)), ())
    (bar,) = bars(thresholds.index, thresholds, (), read_document(thresholds.index, "part-00000-000", 1))["edu"][1:]
    assert (bar.rule, bar.share, bar.broken) == ("score_too_low", 0.0, False)
    report(work, UPath(tmp_path / "report.html"))
    assert {folder.state for folder in status(work).folders} == {"finished"}
    with pytest.raises(RecipeError, match="needs new measures"):
        what_if(work, ('edu.columns=["score"]',))


def test_the_text_is_hashed_as_the_steps_before_left_it(tmp_path):
    digests = [hashlib.sha256(row["text"].encode()).hexdigest() for row in ROWS]
    scores(tmp_path, {"sha": digests[:3], "score": [1, 2, 3]})
    work = run(tmp_path, on="text_sha256", key="sha", max={"score": 2.0}, drop_missing=True)
    assert removed(work) == {"d2": "score_too_high", "d3": "missing", "d4": "missing"}


def test_only_new_scores_are_joined_again(tmp_path):
    scores(tmp_path)
    run(tmp_path, min={"score": 1.0})
    titles = []
    run(tmp_path, min={"score": 4.0}, titles=titles)
    assert not any("measure" in title or "index" in title for title in titles)
    scores(tmp_path, {"id": ["d4"], "score": [0]}, "b.parquet")
    run(tmp_path, min={"score": 1.0}, titles=titles)
    assert [title for title in titles if "measure" in title] == ["measure shard part-00000-000"]
    before = tree(tmp_path / "work", "steps", "ledger")
    scores(tmp_path, {"id": ["d4"], "score": [0]}, "c.parquet")
    (tmp_path / "scores" / "b.parquet").unlink()  # the same rows under another name
    run(tmp_path, min={"score": 1.0}, titles=(titles := []))
    assert not any("measure" in title or "index" in title for title in titles)
    assert tree(tmp_path / "work", "steps", "ledger") == before


@pytest.mark.parametrize(
    ("columns", "settings", "told"),
    [
        ({"key": ["a"], "score": [1]}, {}, "a.parquet: no column 'id'; there is key, score"),
        ({"id": ["a"], "scor": [1]}, {}, "a.parquet: no column 'score'; there is id, scor"),
        ({"id": ["a"], "score": [[1]]}, {}, "a.parquet: the column 'score' holds .*list.*, expected numbers or text"),
        ({"id": [1.5], "score": [1]}, {}, "a.parquet: the column 'id' holds double, expected text or whole numbers"),
        (
            {"id": ["a", "b", "a"], "score": [1, 2, 1]},
            {},
            "cannot join a.parquet: 2 rows have id 'a'; expected one for",
        ),
        (
            {"id": ["a"], "score": ["x"]},
            {"min": {"score": 1.0}},
            "the column 'score' holds text, and a threshold of it",
        ),
    ],
)
def test_scores_that_cannot_be_joined_are_one_line(tmp_path, columns, settings, told):
    scores(tmp_path, columns)
    with pytest.raises(InputError, match=told) as error:
        run(tmp_path, **settings)
    assert "\n" not in str(error.value)


def test_files_must_agree_and_must_be_parquet(tmp_path):
    scores(tmp_path)
    scores(tmp_path, {"id": ["x"], "score": ["high"]}, "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet: the column 'score' holds .*string.*, in files before it double"):
        run(tmp_path)
    (tmp_path / "scores" / "b.parquet").write_text("no Parquet")
    with pytest.raises(InputError, match=r"b.parquet: it is no Parquet file"):
        run(tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"min": {"scor": 1.0}}, "there is a threshold for 'scor', which columns lacks: score"),
        ({"min": {"score": 3.0}, "max": {"score": 1.0}}, "min.score is 3.0, above max.score 1.0"),
        ({"columns": ["matched"]}, "the measure 'matched' is whether"),
        ({"columns": []}, "columns: List should have at least 1 item"),
        ({"profiles": {"de": {"min": {}}}}, "join has no thresholds by language profile"),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, told):
    scores(tmp_path)
    with pytest.raises(RecipeError, match=told):
        run(tmp_path, **settings)


@given(st.sets(st.text(max_size=3), max_size=60), st.sets(st.text(max_size=3), max_size=60), st.integers(1, 20))
def test_every_key_is_found_in_buckets_of_any_size(tmp_path_factory, there, asked, bucket_rows):
    folder = tmp_path_factory.mktemp("table")
    values = {key: float(i) for i, key in enumerate(sorted(there))}
    schema = {"id": pl.String, "v": pl.Float64}
    pl.DataFrame({"id": [*values], "v": [*values.values()]}, schema).write_parquet(folder / "a.parquet")
    files = find_files(InputSettings(paths=[str(folder / "a.parquet")]))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(table, "BUCKET_ROWS", bucket_rows)
        names, rows = write_table(files, JoinedColumns("id", ["v"]), UPath(folder / "table"))
    found, matched = look_up(UPath(folder / "table"), names, Ragged.from_strings(sorted(asked)))
    assert rows == len(there) and found["v"].to_pylist() == [values.get(key) for key in sorted(asked)]
    assert matched.tolist() == [key in values for key in sorted(asked)]


def test_hashes_with_one_first_half_are_told_apart():
    rows = {"high": [5, 7, 7, 7, 9], "low": [1, 1, 4, 8, 2]}
    bucket = pl.DataFrame(rows, {"high": pl.UInt64, "low": pl.UInt64}).to_arrow()
    high, low = np.array([[7, 4], [7, 8], [7, 9], [4, 1], [9, 2], [10, 0]], np.uint64).T
    place, matched = table._find(bucket, high, low)
    assert matched.tolist() == [True, True, False, False, True, False] and place[matched].tolist() == [2, 3, 4]


def test_a_join_of_many_shards_is_by_document(tmp_path, gristmill):
    rows = list(documents(count=90))
    for k in range(3):
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows[k * 30 : k * 30 + 30])
    pl.DataFrame({"id": [row["id"] for row in rows], "v": range(90)}).write_parquet(tmp_path / "v.parquet")
    (tmp_path / "r.toml").write_text(f'[steps.v]\nuse = "join"\njoin = "{tmp_path}/v.parquet"\ncolumns = ["v"]\n')
    command = ["clean", tmp_path / "r.toml", "--input", tmp_path / "raw", "--set", "input.work_unit_bytes=3000"]
    done = gristmill(*command, "--output", tmp_path / "work", "--workers", 2)
    assert done.returncode == 0, done.stderr
    ledger, measures = (
        pl.read_parquet(f"{tmp_path}/work/{folder}/*.parquet") for folder in ("ledger", "steps/v/measures")
    )
    assert dict(zip(ledger["id"], measures["v"], strict=True)) == {row["id"]: i for i, row in enumerate(rows)}
