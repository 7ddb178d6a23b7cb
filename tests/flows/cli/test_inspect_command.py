import orjson
import polars as pl
import pytest
from click.testing import CliRunner

from gristmill.flows.cli import group
from gristmill.flows.cli.inspect import inspect
from gristmill.flows.escape import LINE
from gristmill.pipelines.errors import RecipeError

HOSTILE = "\x1b]0;owned\x07 [red]rich[/red] :smile: \x9b31m \u202egnp.exe\nline two\tend"


@pytest.fixture
def shard(tmp_path):
    rows = {"id": ["a", "b\x1b[2J"], "text": ["plain", HOSTILE], "source": ["[bold]x", "\x1b[31my"], "n": [1, 2]}
    pl.DataFrame(rows).write_parquet(tmp_path / "part.parquet")
    return str(tmp_path / "part.parquet")


def run(*arguments):
    result = CliRunner().invoke(inspect, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_sizes_columns_percentiles_and_bars_are_drawn(shard):
    output = run(shard, "--histogram", "n")
    assert "2 rows in 1 files" in output
    assert "1 row groups of 2 rows" in output
    assert "characters per text  p0 5  p1 5" in output
    assert f"1  {'█' * 40}  1" in output
    assert [line.split() for line in output.splitlines() if line.startswith("source")] == [["source", "String", "0"]]


@pytest.mark.parametrize(
    "arguments", [["--rows", "2"], ["--id", "b\x1b[2J"], ["--histogram", "source"], ["--where", "n = 2"], ["--json"]]
)
def test_nothing_in_a_document_reaches_the_terminal(shard, arguments):
    output = run(shard, *arguments)
    assert not set(output) - {"\n", "\t"} & {chr(c) for c in [*range(32), *range(127, 160), 0x202E]}


def test_markup_and_emoji_names_stay_text(shard):
    assert "[bold]x" in run(shard, "--histogram", "source")
    assert "[red]rich[/red] :smile:" in run(shard, "--rows", "2")


def test_a_document_is_shown_in_full(shard):
    output = run(shard, "--id", "b\x1b[2J")
    assert "id  b\\x1b[2J\n" in output
    assert "\\x1b]0;owned\\x07 [red]rich[/red] :smile: \\x9b31m \\u202egnp.exe\nline two\tend\n" in output


def test_json_gives_the_texts_back_byte_for_byte(shard):
    document = orjson.loads(run(shard, "--id", "b\x1b[2J", "--json"))["document"]
    assert document["text"] == HOSTILE
    found = orjson.loads(run(shard, "--json", "--where", "n = 2", "--histogram", "n", "--columns", "text"))
    assert (found["rows"], found["where"], found["samples"]) == (1, "n = 2", [{"text": HOSTILE}])
    assert found["histogram"]["bars"] == [{"value": 2, "rows": 1}]
    assert [column["name"] for column in found["columns"]] == ["text"]


def test_where_shows_three_rows_unless_told_otherwise(tmp_path):
    pl.DataFrame({"id": [f"d{i}" for i in range(9)]}).write_parquet(tmp_path / "x.parquet")
    shown = [orjson.loads(run(str(tmp_path), "--json", *more))["samples"] for more in ([], ["--where", "id > ''"])]
    assert [len(rows) for rows in shown] == [0, 3]
    assert run(str(tmp_path), "--where", "id > ''", "--rows", "0").count("id  d") == 0


def test_long_values_are_cut_in_samples(tmp_path):
    pl.DataFrame({"id": ["a"], "text": ["x" * 1000]}).write_parquet(tmp_path / "x.parquet")
    assert f"text  {'x' * 400}… (1,000 characters)\n" in run(str(tmp_path), "--rows", "1")
    assert "x" * 1000 in run(str(tmp_path), "--id", "a")


def test_long_values_are_cut_in_bars(tmp_path):
    pl.DataFrame({"id": ["a", "b"], "text": ["x", "y"], "of": ["u" * 60, "v" * 61]}).write_parquet(
        tmp_path / "x.parquet"
    )
    lines = run(str(tmp_path), "--histogram", "of").splitlines()
    assert any(f"{'u' * 60}  █" in line for line in lines) and any(f"{'v' * 60}…" in line for line in lines)


def test_chinese_and_persian_are_not_escaped(tmp_path):
    text = "麦\u3000磨 می\u200cخواهم é\u00a0e"
    pl.DataFrame({"id": ["a"], "text": [text]}).write_parquet(tmp_path / "x.parquet")
    assert text in run(str(tmp_path), "--id", "a")
    assert text in run(str(tmp_path), "--rows", "1")


def test_an_empty_shard_has_sizes_and_no_percentiles(tmp_path):
    pl.DataFrame(schema={"id": pl.String, "text": pl.String}).write_parquet(tmp_path / "x.parquet")
    output = run(str(tmp_path), "--rows", "3", "--histogram", "text")
    assert "0 rows in 1 files" in output
    assert "characters a text" not in output


def test_the_group_knows_the_command_and_passes_mistakes_on(shard):
    result = CliRunner().invoke(group, ["inspect", shard, "--where", "nope = 1"])
    assert isinstance(result.exception, RecipeError)
    assert "\b" not in (result := CliRunner().invoke(group, ["inspect", "--help"])).output
    assert "    gristmill inspect work/clean\n" in result.output


OUTSIDE = "/nowhere/secret.csv"


@pytest.mark.parametrize(
    "expression",
    [
        f"id in (select id from read_csv('{OUTSIDE}'))",
        f"id in (from read_csv('{OUTSIDE}'))",
        f"id in (from READ_CSV ('{OUTSIDE}'))",
        f"""id in (from "read_csv"('{OUTSIDE}'))""",
        f"id in (from `read_csv`('{OUTSIDE}'))",
        f"exists (with t as (select * from read_parquet('{OUTSIDE}')) select 1 from t)",
        f"n = 1 -- '\n or id in (from read_csv('{OUTSIDE}')) -- '",
        f"n = 1 /* ' */ or id in (from read_csv('{OUTSIDE}')) /* ' */",
        f"$$'$$ in (from read_csv('{OUTSIDE}')) or '' = $$'$$",
        f"E'\\'' in (from read_csv('{OUTSIDE}')) or 'a' = 'b",
        f"n = 1; select * from read_csv('{OUTSIDE}')",
        "n = " + "n + " * 600 + "n",
        "(" * 1500 + "n = 1",
        "'" * 1999,
        "n = 1\x00",
        "",
    ],
)
def test_a_condition_opens_no_file_and_ends(shard, expression):
    result = CliRunner().invoke(inspect, [shard, "--where", expression])
    assert isinstance(result.exception, RecipeError)
    assert "No such file" not in str(result.exception)


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("n - -1 > 2", 1),
        ("text = 'select -- /* ` $' or n in (1)", 1),
        ("id ~ '^a' and n between 1 and 2", 1),
        ("extract(year from date '2020-01-01') = 2020", 2),
        ("\"n\"::varchar = '1'", 1),
        ("len(text) = 5", 1),
    ],
)
def test_conditions_of_sql(shard, expression, rows):
    assert orjson.loads(run(shard, "--json", "--where", expression))["rows"] == rows


@pytest.mark.parametrize(
    "name",
    ["*", "^i.*$", "", "a.b", "a b", 'q"u', "new\nline", "\0row", "\0hash", "null.text", "bytes", "p50", "x" * 300],
)
def test_columns_may_have_any_name(tmp_path, name):
    pl.DataFrame({"text": ["a", "b"], name: ["v", "w"]}).write_parquet(tmp_path / "x.parquet")
    place = str(tmp_path / "x.parquet")
    assert orjson.loads(run(place, "--json", "--rows", "2"))["samples"] == [
        {"text": "a", name: "v"},
        {"text": "b", name: "w"},
    ]
    found = orjson.loads(run(place, "--json", "--histogram", name))
    assert sorted(bar["value"] for bar in found["histogram"]["bars"]) == ["v", "w"]
    assert found["columns"][1] == {"name": name, "type": "String", "nulls": 0}
    assert name.translate(LINE)[:40] in run(place, "--rows", "1")
