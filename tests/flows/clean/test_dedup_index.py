"""New documents against an index of earlier ones: what goes, and what is no index."""

import polars as pl
import pytest
from corpora import write_jsonl

from gristmill.flows.clean.dedup_index import is_index, save_index
from gristmill.flows.clean.dedup_recipes import dedup_recipe, indexed_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest, Part
from tests.flows.clean.test_dedup_flow import page, pages, rows, run


@pytest.fixture
def index(tmp_path):
    """An index of source a, kept."""
    write_jsonl(tmp_path / "a.jsonl", [row for row in pages() if row["source"] == "a"])
    write_jsonl(tmp_path / "b.jsonl", [row for row in pages() if row["source"] == "b"] + [page(50, "b"), page(50, "c")])
    recipe = dedup_recipe("document", [str(tmp_path / "a.jsonl")], [], 0.7)
    save_index(recipe, recipe.input[0].paths, to_path(tmp_path / "index"))
    return tmp_path / "index"


@pytest.mark.parametrize(("level", "removed"), [("document", 21), ("dataset", 20)])
def test_new_documents_go_where_the_index_has_them(tmp_path, index, level, removed):
    recipe = dedup_recipe(level, [str(tmp_path / "b.jsonl")], [str(index)], 0.7)
    assert clean(recipe, to_path(tmp_path / "work"))["removed"] == removed
    gone = rows(tmp_path / "work").filter(~pl.col("kept"))
    for row in gone.filter(pl.col("duplicate_of").str.starts_with("a-")).iter_rows(named=True):
        assert row["duplicate_of"].split("-")[1] == row["id"].split("-")[1]
    assert gone["duplicate_of"].str.starts_with("a-").sum() == 20
    assert clean(recipe, to_path(tmp_path / "work"))["removed"] == removed  # and again


@pytest.mark.parametrize(
    ("level", "against", "told"), [("document", [], []), ("dataset", ["a.jsonl"], ["work/against/000"])]
)
def test_a_corpus_is_compared_by_an_index_made_of_it(level, against, told):
    made = []
    recipe = indexed_recipe(
        level, ["b"], against, [], 0.7, (), None, "work", lambda _, paths, to: made.append((paths, to))
    )
    assert made == [([path], to) for path, to in zip(against, told, strict=True)]
    assert all(step.against == told for step in recipe.steps.values() if hasattr(step, "against"))


def test_a_level_within_one_corpus_takes_no_other_corpus():
    with pytest.raises(RecipeError, match="--against needs --level dataset"):
        indexed_recipe("document", ["b"], ["a"], [], 0.7, (), None, "work", print)


def test_a_changed_index_is_compared_with_anew(tmp_path, index):
    recipe = dedup_recipe("dataset", [str(tmp_path / "b.jsonl")], [str(index)], 0.7)
    clean(recipe, to_path(tmp_path / "work"))
    write_jsonl(tmp_path / "a.jsonl", [page(50, "a")])
    save_index(recipe, [str(tmp_path / "a.jsonl")], to_path(index))
    assert clean(recipe, to_path(tmp_path / "work"))["removed"] == 2


def test_an_index_of_other_measures_is_one_line(tmp_path, index):
    folder = to_path(index / "steps" / "exact" / "measures")
    (path,) = folder.glob("*.parquet")
    columns = pl.read_parquet(str(path)).with_columns(high=pl.lit(1, pl.Int64))
    columns.write_parquet(str(path))
    manifest = Manifest.read(folder)
    (part,) = manifest.parts
    manifest.parts[part] = Part.from_files(folder, "", [path.name], {})
    manifest.write(folder)
    with pytest.raises(WorkError, match=r"found .*'high': 'int64'.*, expected .*'high': 'uint64'.*; make the index"):
        run(tmp_path / "work", {"exact": {"against": [str(index)]}}, tmp_path / "b.jsonl")


def test_what_is_no_index_or_another_is_one_line(tmp_path, index):
    other = {"near_duplicates": {"against": [str(index)], "shingle_size": 3}}
    with pytest.raises(WorkError, match=r"made with near_duplicates\.shingle_size = 5, not with 3"):
        run(tmp_path / "work", other, tmp_path / "b.jsonl")
    run(tmp_path / "finished", {"exact": {}}, tmp_path / "b.jsonl")
    for path, complaint in ((tmp_path / "finished", "is a work folder"), (tmp_path, "it is not an index")):
        assert not is_index(str(path), ["exact"])
        with pytest.raises(WorkError, match=complaint):
            run(tmp_path / "work", {"exact": {"against": [str(path)]}}, tmp_path / "b.jsonl")


@pytest.mark.parametrize(
    ("level", "against", "threshold", "complaint"),
    [
        ("sentence", [], 0.8, "no --threshold"),
        ("sentence", ["x"], None, "no --against"),
        ("dataset", [], None, "name them with --against"),
        ("document", [], 1.5, "threshold"),
    ],
)
def test_what_does_not_go_together_is_one_line(level, against, threshold, complaint):
    with pytest.raises(RecipeError, match=complaint):
        dedup_recipe(level, ["x"], against, threshold)


@pytest.mark.parametrize(
    ("level", "near", "complaint"),
    [
        ("document", 0.9, "--near-threshold compares passages: it needs --level sentence"),
        ("sentence", 1.5, "repeated_passages.*near_threshold"),
        ("sentence", 0.1, "repeated_passages.*near_threshold"),
    ],
)
def test_near_is_for_passages_and_a_share(level, near, complaint):
    with pytest.raises(RecipeError, match=complaint):
        dedup_recipe(level, ["x"], [], near_threshold=near)
