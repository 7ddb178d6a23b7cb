"""Personal data in other columns than the text: replaced where the recipe says so, named in report and card if not."""

import pytest
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.report.card import write as card
from gristmill.flows.report.html import unread_columns
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.step import run_serial
from gristmill.pipelines.storage.shards import list_shards, read_shard
from tests.ingesting import lines, write

ROWS = [
    {
        "id": "a",
        "text": "Write to me@mill.org soon.",
        "title": "From ann@mill.org",
        "url": "u?ann@mill.org",
        "tags": ["x"],
    },
    {"id": "b", "text": "Nothing.", "title": None, "url": "u", "tags": ["bob@mill.org"]},
    {"id": "c", "text": "Nothing.", "title": "ann@mill.org and bob@mill.org", "url": "v", "meta": {"by": "x"}},
]


def run(work, raw, steps, engine=run_serial):
    clean(parse_recipe({"input": {"paths": [str(raw)]}, "steps": steps}, "test"), UPath(work), engine)
    return FinishedRun(UPath(work))


def rows(work, folder="clean"):
    return [row for shard in list_shards(UPath(work / folder)) for row in read_shard(shard).to_pylist()]


@pytest.fixture
def raw(tmp_path):
    return write(tmp_path / "raw", a__jsonl=lines(*ROWS))


def test_named_columns_are_searched_and_counted(tmp_path, raw):
    work = run(tmp_path / "work", raw, {"pii": {"columns": ["title"]}})
    assert [row["title"] for row in rows(tmp_path / "work")] == ["From <EMAIL>", None, "<EMAIL> and <EMAIL>"]
    assert rows(tmp_path / "work")[0]["url"] == "u?ann@mill.org"
    assert rows(tmp_path / "work", "documents")[0]["title"] == "From ann@mill.org"  # as read
    (part,) = work.parts
    assert work.measures("pii", part)["column_spans"].to_list() == [1, 0, 2]
    found = [{(each["reason"], each["spans"]) for each in row} for row in work.ledger(part, ["rewrites"])["rewrites"]]
    assert found == [{("email", 1), ("email in title", 1)}, set(), {("email in title", 2)}]


def test_a_removed_document_stays_as_read(tmp_path, raw):
    run(tmp_path / "work", raw, {"pii": {"columns": ["title"]}, "gopher": {"min_words": 3}})
    assert rows(tmp_path / "work", "removed")[-1]["title"] == ROWS[2]["title"]


def test_a_document_of_a_profile_that_keeps_text_keeps_its_columns(tmp_path, raw):
    keep = {"pii": {"columns": ["title"], "keeps_text": True}}
    run(tmp_path / "work", raw, keep)
    assert [row["title"] for row in rows(tmp_path / "work")] == [row["title"] for row in ROWS]


def test_another_column_measures_this_step_again(tmp_path, raw):
    titles = []

    def engine(jobs):
        for job, parts in run_serial(jobs):
            titles.append(job.title.partition(" ")[0])
            yield job, parts

    run(tmp_path / "work", raw, {"pii": {}})
    run(tmp_path / "work", raw, {"pii": {"columns": ["url"]}}, engine)
    assert titles == ["measure", "decide", "apply"]
    run(tmp_path / "new", raw, {"pii": {"columns": ["url"]}})
    assert rows(tmp_path / "work") == rows(tmp_path / "new")


def test_report_and_card_name_the_columns_that_nobody_looked_at(tmp_path, raw):
    work = run(tmp_path / "work", raw, {"pii": {"columns": ["title"]}})
    assert unread_columns(work) == ["meta (nested)", "tags (nested)", "url"]
    page = card(work, "mit", None)
    assert "nothing was searched for: meta (nested), tags (nested), url." in page
    assert "| title | large_string | from the input, personal data replaced |" in page
    assert unread_columns(run(tmp_path / "other", raw, {"exact": {}}))[-2:] == ["title", "url"]


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        (["titel"], r"\[steps.pii\] columns: no column 'titel' in the documents; did you mean 'title'\?"),
        (["tags"], "'tags' holds no plain strings"),
        (["meta"], "'meta' holds no plain strings"),
        (["text"], "'text' is no carried column"),
    ],
)
def test_a_column_that_cannot_be_searched_is_one_line(tmp_path, raw, columns, told):
    with pytest.raises(RecipeError, match=told):
        run(tmp_path / "work", raw, {"pii": {"columns": columns}})
