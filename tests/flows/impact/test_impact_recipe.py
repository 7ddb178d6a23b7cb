"""What a recipe of an experiment asks for, and what is refused before any model is trained."""

import json
import tomllib

import pytest
from corpora import IMPACT, RECIPE, documents, write_jsonl

from gristmill.flows.impact.arms import arms_of
from gristmill.flows.impact.recipe import parse_impact, read_impact
from gristmill.pipelines.errors import GristmillError, InputError, RecipeError
from tests.flows.cli.test_pretrain_commands import call


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A recipe and raw text."""
    folder = tmp_path_factory.mktemp("impact")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "tiny.toml").write_text(IMPACT)
    write_jsonl(folder / "raw" / "a.jsonl", documents(120))
    return folder


def test_paths_in_a_recipe_begin_in_its_folder(experiment, tmp_path, monkeypatch):
    (tmp_path / "own.toml").write_text(
        'recipe = "clean.toml"\n[input]\npaths = ["raw"]\n[heldout]\nsets = { books = ["books/*.txt", "s3://b/c"] }\n'
    )
    monkeypatch.chdir(experiment)
    found = read_impact(str(tmp_path / "own.toml"))
    assert found.input.paths == [str(tmp_path / "raw")] and found.folder == str(tmp_path)
    assert found.heldout.sets == {"books": [str(tmp_path / "books/*.txt"), "s3://b/c"]}
    assert read_impact(str(tmp_path / "own.toml"), (), ("raw",)).input.paths == ["raw"]  # of the command line


def test_a_plan_without_the_file_that_decides_is_refused(experiment, tmp_path):
    change = f'heldout.sets={{ books = ["{tmp_path / "books.txt"}"] }}'
    with pytest.raises(InputError, match=r"books\.txt"):
        call(
            *("impact", "plan", experiment / "tiny.toml", "--input", experiment / "raw"),
            *("--output", tmp_path / "work", "--set", change),
        )


def test_the_plan_names_arms_set_and_power(experiment, tmp_path):
    extra = ("--set", 'arms.without="each"', "--set", 'arms.only=["exact"]', "--set", "budget.max_seeds=5")
    arguments = ("--input", experiment / "raw", "--output", tmp_path / "planned", *extra)
    done = call("impact", "plan", experiment / "tiny.toml", *arguments)
    plan = json.loads((tmp_path / "planned" / "plan.json").read_text())
    against = {name: arm["against"] for name, arm in plan["arms"].items()}
    without = {f"without {step}": "full" for step in ("c4", "fineweb", "exact")}
    assert against == {"raw": None, "full": "raw", **without, "only exact": "raw"}
    assert plan["arms"]["without c4"]["steps"] == ["fineweb", "exact"]
    assert [look["seeds"] for look in plan["looks"]] == [2, 4, 5] and plan["test"]["decision_set"] == "manual"
    assert "with a probability of 80 %" in done.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("budget.seed=3", r"no setting 'seed'; did you mean 'seeds'"),
        ("budget.seeds=1", r"seeds: .*greater than or equal to 2.*found 1"),
        ("budget.max_seeds=1", r"greater than or equal to 2"),
        ("heldout.decision_set=prose", r"decision_set 'prose' is unknown"),
        ("heldout.decision_set=raw", r"decision_set 'raw' is held out from the corpus"),
        ('heldout.sets={ manual = ["x"] }', r"the name 'manual' of a set"),
        ("arms.shares={ half = [0.5, 0.5] }", r"a share begins below its end"),
        ("arms.shares={ half = [0.5] }", r"shares\.half: .*2 items"),
        ('arms.shares={ "a/b" = [0, 1] }', r"\[arms.shares\]: a name is"),
        ('heldout.sets.raw=["x"]', r"the name 'raw' of a set"),
        ('arms.without=["exakt"]', r"unknown part 'exakt'; did you mean 'exact'"),
        ('arms.groups.all=["c5"]', r"has no step 'c5'; did you mean 'c4'"),
        ('arms.groups={ "../x" = ["c4"] }', r"\[arms.groups\]: a name is 1 to 64 of .*, found '\.\./x'"),
        ('arms.recipes={ ".." = "x.toml" }', r"\[arms.recipes\]: a name is .*, found '\.\.'"),
        ('arms.tokenizers={ "a/b" = "x" }', r"\[arms.tokenizers\]: a name is .*, found 'a/b'"),
        ('heldout.sets={ "a:b" = ["x"] }', r"\[heldout.sets\]: a name is .*, found 'a:b'"),
        ("model.preset=nano-bert", r"predicts the next token"),
        ("model.preset=nano-t5", r"predicts the next token"),
        ("model.d_modle=64", r"no setting 'd_modle'; did you mean 'd_model'"),
        ("bugdet.seeds=3", r"did you mean 'budget'"),
        ('scaling.arms=["rwa"]', r"did you mean 'raw'"),
        ("arms.full=false", r"nothing to compare"),
    ],
)
def test_mistakes_are_named(experiment, change, complaint):
    with pytest.raises(GristmillError, match=complaint) as error:
        arms_of(read_impact(str(experiment / "tiny.toml"), (change,), ("raw",)))
    assert "\n" not in str(error.value)


def test_two_arms_of_one_folder_are_a_mistake(experiment):
    changes = 'arms.without=["c4"]', 'arms.recipes={ Without-c4 = "recipe.toml" }'
    with pytest.raises(RecipeError, match="two arms named 'without c4' and 'Without-c4'"):
        arms_of(read_impact(str(experiment / "tiny.toml"), changes, ("raw",)))


def test_a_recipe_that_is_not_there_or_reads_nothing(tmp_path, experiment):
    with pytest.raises(RecipeError, match="no recipe at"):
        read_impact(str(tmp_path / "none.toml"))
    with pytest.raises(RecipeError, match="nothing to read"):
        read_impact(str(experiment / "tiny.toml"))


def test_a_table_is_read_as_its_file_is(experiment):
    file = experiment / "tiny.toml"
    table = tomllib.loads(file.read_text())
    changed = ("budget.seeds=4",), ("raw",)
    assert parse_impact(table, "recipe", *changed, str(experiment)) == read_impact(str(file), *changed)
    with pytest.raises(RecipeError, match=r"^recipe: "):
        parse_impact({"nonsense": 1}, "recipe", (), ("raw",))
