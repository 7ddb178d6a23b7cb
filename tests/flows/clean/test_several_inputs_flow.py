"""Recipes with several `[[input]]` tables, from TOML to the clean documents."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

import gristmill as gm
from gristmill.flows.clean.recipe import parse_recipe, read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.export import recipe_toml
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.storage.shards import list_shards, read_shard
from tests.corpora import documents, write_jsonl

TOML = """
[[input]]
paths = ["{0}/a.jsonl"]
source = "first"
language = "en"

[[input]]
paths = ["{0}/b.jsonl"]
text = "body"

[steps.language]
languages = ["en"]

[steps.exact]
"""


@pytest.fixture
def recipe(tmp_path):
    rows = list(documents(count=40))
    write_jsonl(tmp_path / "a.jsonl", rows[:20])
    write_jsonl(tmp_path / "b.jsonl", [{"body": row["text"], "id": row["id"]} for row in rows[15:]])
    path = tmp_path / "recipe.toml"
    path.write_text(TOML.format(tmp_path))
    return path


def test_a_recipe_may_name_several_inputs(tmp_path, recipe):
    run = gm.clean(recipe, output=tmp_path / "work", engine="threads", workers=1, progress=False)
    assert run.summary["documents_in"] == 45 and run.summary["steps"]["exact"]["removed"] >= 5
    ledger = run.ledger.to_polars()
    assert ledger["id"].n_unique() == 45 and set(ledger["source"]) == {"first", "input"}
    declared = run.measures("language").to_polars().filter(probability=1.0)
    assert set(declared["label"]) == {"en"} and declared.height >= 20
    assert [each.source for each in run.recipe.input] == ["first", None]


def test_recipes_say_the_same_as_tables_and_as_toml(tmp_path, recipe):
    read = read_recipe(str(recipe))
    assert parse_recipe(read.table(), "table") == read
    (tmp_path / "again.toml").write_text(recipe_toml(read, ()))
    assert read_recipe(str(tmp_path / "again.toml")).input == read.input
    one = parse_recipe({"input": [{"paths": ["a"]}]}, "list")
    assert one == parse_recipe({"input": {"paths": ["a"]}}, "table") and isinstance(one.table()["input"], dict)


def test_a_change_is_made_to_all_inputs(recipe):
    assert [each.sample for each in read_recipe(str(recipe), ("input.sample=0.5",)).input] == [0.5, 0.5]


def test_paths_replace_those_of_a_single_input(recipe):
    assert read_recipe("clean-corpus", (), ("x",)).input[0].paths == ["x"]
    for read in (lambda: read_recipe(str(recipe), (), ("x",)), lambda: gm.read_recipe(read_recipe(str(recipe)), "x")):
        with pytest.raises(RecipeError, match=r"the recipe has 2 \[\[input\]\] tables, .* change `paths` of each"):
            read()


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ([], r"r \[\[input\]\]: found an empty list"),
        ([{}, {"path": ["x"]}], r"r \[\[input\]\] 2: no setting 'path'; did you mean 'paths'"),
        ([{}, "x"], r"r \[\[input\]\] 2: expected a table"),
        ([{"language": "ger"}], "language: no step knows 'ger'; write 'de'"),
        ([{"reader": "nothing"}], r"r \[\[input\]\] 1: no reader 'nothing'"),
    ],
)
def test_what_is_wrong_names_the_table(tables, told):
    with pytest.raises(RecipeError, match=told):
        parse_recipe({"input": tables}, "r")


def test_an_input_without_paths_is_one_line(tmp_path):
    recipe = parse_recipe({"input": [{"paths": ["x"]}, {"source": "web"}]}, "r")
    with pytest.raises(RecipeError, match=r"\[\[input\]\] 2 \(source 'web'\) has no paths"):
        clean(recipe, UPath(tmp_path / "work"))


def rows_of(work):
    tables = [read_shard(shard) for shard in list_shards(UPath(work / "clean"))]
    return sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["id"])


@settings(max_examples=4)
@given(data=st.data())
def test_a_corpus_in_several_inputs_is_cleaned_alike(tmp_path_factory, data):
    folder, rows = tmp_path_factory.mktemp("alike"), list(documents(count=60))
    cuts = [0, *sorted(data.draw(st.lists(st.integers(1, 59), min_size=1, max_size=3, unique=True))), 60]
    files = [write_jsonl(folder / "raw" / f"{a:02}.jsonl", rows[a:b]) for a, b in pairwise(cuts)]
    steps = {"gopher": {}, "exact": {}, "pii": {}}
    clean(parse_recipe({"input": {"paths": [str(folder / "raw")]}, "steps": steps}, "one"), UPath(folder / "one"))
    order = data.draw(st.permutations(files))
    tables = [{"paths": [str(path)], "source": f"part {k}"} for k, path in enumerate(order)]
    clean(parse_recipe({"input": tables, "steps": steps}, "several"), UPath(folder / "several"))
    one, several = rows_of(folder / "one"), rows_of(folder / "several")
    assert [row | {"source": ""} for row in one] == [row | {"source": ""} for row in several] != []
