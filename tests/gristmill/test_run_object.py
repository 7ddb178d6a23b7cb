"""A run in Python: the same counts as the command, lazy tables, questions about documents."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from corpora import RECIPE, documents, write_jsonl

import gristmill as gm
from gristmill.pipelines.errors import GristmillError, InputError, RecipeError, WorkError
from gristmill.pipelines.schema import DOCUMENT

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = {"steps": {"c4": {"min_sentences": 2}, "fineweb": {}, "exact": {}}}  # RECIPE
SMALL_UNITS = {"input.work_unit_bytes": 10_000}  # several shards, so several jobs


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    write_jsonl(folder / "raw.jsonl", documents())
    return gm.clean(TABLE, folder / "raw.jsonl", folder / "work", settings=SMALL_UNITS, workers=1)


@pytest.mark.parametrize("form", ["path", "table", "recipe", "recipe and settings"])
def test_a_recipe_has_four_forms(form, work, tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    given, settings = {
        "path": (tmp_path / "recipe.toml", SMALL_UNITS),
        "table": (TABLE, SMALL_UNITS),
        "recipe": (gm.read_recipe(TABLE, settings=SMALL_UNITS), None),
        "recipe and settings": (gm.read_recipe(TABLE), SMALL_UNITS),
    }[form]
    recipe = gm.read_recipe(given, work.folder.parent / "raw.jsonl", settings)
    assert recipe.steps == work.recipe.steps
    assert recipe.input == work.recipe.input


def test_a_table_is_left_as_it_is():
    table = {"input": {"paths": ["a"]}, "steps": {"gopher": {}}}
    gm.read_recipe(table, "b", {"gopher.min_words": 3})
    assert table == {"input": {"paths": ["a"]}, "steps": {"gopher": {}}}


def test_tables_have_the_rows_that_the_summary_counts(work):
    assert len(list((work.folder / "clean").glob("*.parquet"))) > 1
    sizes = {name: len(getattr(work, name)) for name in ("documents", "clean", "removed", "ledger")}
    read = work.summary["documents_in"]
    assert sizes == {
        "documents": read,
        "clean": work.summary["clean"],
        "removed": work.summary["removed"],
        "ledger": read,
    }


def test_measures_lie_beside_their_documents(work):
    table = work.measures("fineweb").to_polars()
    assert table["id"].to_list() == work.documents.to_polars()["id"].to_list()
    row = table.row(17, named=True)
    assert work.why(row.pop("id"))["measures"]["fineweb"] == row


def test_a_table_becomes_what_is_asked_for(work):
    clean = work.clean.to_polars()
    assert isinstance(work.clean.scan(), pl.LazyFrame)
    assert work.clean.to_arrow().equals(clean.to_arrow()) and isinstance(work.clean.to_arrow(), pa.Table)
    assert work.clean.to_pandas()["id"].to_list() == clean["id"].to_list()
    assert work.clean.to_dataset()["text"][:] == clean["text"].to_list()
    assert list(work.clean) == clean.to_dicts()
    assert work.clean.head(2).equals(clean.head(2))


def test_pandas_may_be_missing(work, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(GristmillError, match="to_pandas needs pandas: pip install pandas"):
        work.clean.to_pandas()


def test_a_run_without_documents_has_tables(tmp_path):
    (tmp_path / "raw.jsonl").write_text("")
    all_rejected = {"input.max_reject_fraction": 1.0}
    run = gm.clean(TABLE, tmp_path / "raw.jsonl", tmp_path / "work", settings=all_rejected, workers=1)
    assert len(run.clean) == 0 and run.clean.columns == DOCUMENT.names
    assert run.sql("select count(*) from ledger where kept").item() == 0
    assert "1 documents in, 0 clean" in repr(run) and "clean" in run._repr_html_()


def test_the_question_of_the_readme(work):
    found = dict(work.sql("select reason, count(*) from removed group by 1").rows())
    steps = work.summary["steps"].items()
    rules = {f"{step}.{rule}": n["removed"] for step, counts in steps for rule, n in counts["rules"].items()}
    assert found == {reason: count for reason, count in rules.items() if count}


def test_measures_and_ledger_are_joined(work):
    query = "select max(lines) from fineweb join ledger using (id) where kept"
    kept = work.measures("fineweb").to_polars().filter(work.ledger.to_polars()["kept"])
    assert work.sql(query.replace("lines", kept.columns[1])).item() == kept[:, 1].max()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "expected a query"),
        ("delete from clean", "expected a query"),
        ("create table x as select * from clean", "expected a query"),
        ("select * from read_csv('/etc/passwd')", "could read another file"),
        ("select * from \"read_csv\"('/etc/passwd')", "could read another file"),
        ("select * from scan_parquet('x')", "could read another file"),
        ("select * from '/etc/passwd'", "not found"),
        ("select 1 -- '\nfrom read_csv('x')", "unexpected"),
        ("select * from clean; drop table clean", "unexpected ';"),
        ("select nothing from clean", "nothing"),
        ("select * from nowhere", "nowhere"),
        ("select", "sql"),
    ],
)
def test_a_query_reads_the_run_and_nothing_else(query, message, work):
    with pytest.raises(RecipeError, match=message):
        work.sql(query)


def test_a_step_named_as_a_table_leaves_the_table(tmp_path):
    write_jsonl(tmp_path / "raw.jsonl", documents(12))
    table = {"steps": {"clean": {"use": "exact"}}}
    run = gm.clean(table, tmp_path / "raw.jsonl", tmp_path / "work", workers=1)
    assert run.sql("select count(*) from clean").item() == run.summary["clean"]


def test_what_if_counts_as_the_command_does(work, gristmill):
    found = work.what_if({"c4.min_sentences": 8})
    printed = json.loads(gristmill("what-if", work.folder, "c4.min_sentences=8", "--json").stdout)
    assert printed == {"before": found.before, "after": found.after}
    assert gristmill("what-if", work.folder, "c4.min_sentences=8").stdout.rstrip("\n") == str(found)
    assert found.before["clean"] > found.after["clean"]


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda run: run.measures("gofer"), RecipeError, "the run has no step 'gofer'"),
        (lambda run: run.table("exact", "clusters"), WorkError, "step 'exact' has no table 'clusters'"),
        (lambda run: run.why("nobody"), WorkError, "no document 'nobody'"),
        (lambda run: run.what_if({"gopher.min_words": 3}), RecipeError, "cannot set"),
        (lambda run: run.what_if({"c4.min_sentences": object()}), RecipeError, "cannot set"),
        (lambda run: run.histogram("fineweb.nothing"), RecipeError, "has no measure 'nothing'"),
        (lambda run: run.histogram("fineweb.id"), RecipeError, "has no measure 'id'"),
        (lambda run: gm.open_run(run.folder / "clean"), WorkError, "missing or unfinished"),
        (lambda run: gm.clean("no-such-recipe", "x"), RecipeError, "no recipe at no-such-recipe"),
        (lambda run: gm.clean(TABLE, output=run.folder), RecipeError, "nothing to read"),
        (lambda run: gm.clean(TABLE, "/no/such/file", run.folder.parent / "other"), InputError, "/no/such/file"),
        (lambda run: gm.clean({"steps": {"gofer": {}}}, "x"), RecipeError, "did you mean 'gopher'"),
        (lambda run: gm.clean([1], "x"), RecipeError, "expected a name, a path, a table"),
        (lambda run: gm.dedup("x", against="y"), RecipeError, "--against needs --level dataset"),
    ],
)
def test_a_mistake_is_one_plain_line(ask, error, message, work):
    with pytest.raises(error, match=message) as raised:
        ask(work)
    assert "\n" not in str(raised.value)


def test_nothing_is_printed_unless_asked(tmp_path, capfd):
    write_jsonl(tmp_path / "raw.jsonl", documents(12))
    gm.clean(TABLE, tmp_path / "raw.jsonl", tmp_path / "work", workers=1)
    assert capfd.readouterr() == ("", "")
    assert len((tmp_path / "work/log.jsonl").read_text().splitlines()) > 2
    gm.clean(TABLE, tmp_path / "raw.jsonl", tmp_path / "other", workers=1, progress=True)
    shown = capfd.readouterr()
    assert shown.out == "" and "ingest" in shown.err


def test_drawings_show_the_run_and_no_markup_of_a_text(tmp_path):
    write_jsonl(
        tmp_path / "raw.jsonl", [{"id": "<i>", "text": "<script>alert(1)</script> of the mill, and more. Yes. " * 9}]
    )
    steps = {"language": {}, "gopher": {}}
    run = gm.clean({"steps": steps}, tmp_path / "raw.jsonl", tmp_path / "work", workers=1)
    shown = [run, run.documents, run.what_if({"gopher.min_words": 500}), run.histogram("gopher.words")]
    pages = [each._repr_html_() for each in shown]
    assert "gopher" in pages[0] and "&lt;script&gt;" in pages[1] and "words_too_low" in pages[2]
    assert 'class="threshold"' in pages[3] and "gopher.words &lt; 50" in pages[3]
    assert not any(mark in page for page in pages for mark in ("<script", "<i>"))
    with pytest.raises(RecipeError, match="no numbers to draw"):
        run.histogram("language.label")


SCRIPT = """
import gristmill as gm
run = gm.clean({table}, {raw!r}, {work!r}, settings={settings}, workers=2, progress=False)
print(run.summary["clean"])
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["file", "-c", "stdin"])
def test_a_script_needs_no_guard(way, work, tmp_path):
    """Workers do not run it again."""
    code = SCRIPT.format(
        table=TABLE, raw=str(work.folder.parent / "raw.jsonl"), work=str(tmp_path / "work"), settings=SMALL_UNITS
    )
    (tmp_path / "script.py").write_text(code)
    command = {"file": [tmp_path / "script.py"], "-c": ["-c", code], "stdin": ["-"]}[way]
    typed = code if way == "stdin" else None
    done = subprocess.run([sys.executable, *command], input=typed, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{work.summary['clean']}\n", "")
