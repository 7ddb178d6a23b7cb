"""Columns of the input with the names of our own, with controls, dots, quotes and none: carried, and nothing breaks."""

import unicodedata

import polars as pl
from corpora import documents, write_jsonl
from starlette.testclient import TestClient

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.report.card import card
from gristmill.flows.report.html import report
from gristmill.flows.runs.explain import explain
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.storage.files import to_path

OURS = ["reason", "value", "threshold", "duplicate_of", "step", "rule", "kept", "violations", "rewrites", "row", "part"]
OURS += ["bytes", "clean_bytes", "similarity", "shard", "clean_row", "hash", "measures", "offset", "length", "cluster"]
RENAMED = ["input.reason", "input.input.reason", "input.id", "input.value"]
ODD = ["", " ", "a.b", "a b", "q\"u'o", "new\nline", "\x1b[31m\u202e", "*", "^r.*$", "$x$", "ID", "Text", "\0row", "-"]


def test_columns_of_any_name_pass_through_all_of_a_run(tmp_path):
    names = [*OURS, *RENAMED, *ODD]
    rows = [{**row, **{name: f"{name}|{row['id']}" for name in names}} for row in documents(40)]
    write_jsonl(tmp_path / "raw.jsonl", [*rows, {**rows[0], "id": "copy"}])
    steps = {"c4": {"min_sentences": 2}, "gopher": {}, "pii": {}, "exact": {}}
    recipe = parse_recipe({"input": {"paths": [str(tmp_path / "raw.jsonl")]}, "steps": steps}, "test")
    work = to_path(tmp_path / "work")
    summary = clean(recipe, work)
    assert summary["clean"] and summary["removed"]
    kept, removed = (pl.read_parquet(tmp_path / "work" / folder / "*.parquet") for folder in ("clean", "removed"))
    for row in kept.to_dicts():
        assert all(row[name] == f"{name}|{row['id']}" for name in names)
    why = {"reason": "input.input.input.reason", "value": "input.input.value"}
    why |= {name: f"input.{name}" for name in ("threshold", "duplicate_of")}
    for row in removed.filter(pl.col("id") != "copy").to_dicts():
        assert all(row[why.get(name, name)] == f"{name}|{row['id']}" for name in names)
        assert row["reason"].partition(".")[0] in steps
    id = removed["id"][0]
    assert not explain(work, id)["kept"]
    assert what_if(work, ("gopher.min_words=1",))[1]["clean"] >= summary["clean"]
    card(work, work / "README.md", "unknown", None)
    report(work, work / "index.html", None)
    client = TestClient(application(RunIndex(work), Tokenizers(work)), base_url="http://127.0.0.1")
    part = next(iter(RunIndex(work).parts))
    pages = [
        client.get(address) for address in ("/documents", f"/document/{part}/0", f"/copies/{part}/0", "/thresholds")
    ]
    assert {page.status_code for page in pages} == {200}
    for text in [
        *(page.text for page in pages),
        *((work / name).read_text("utf-8") for name in ("README.md", "index.html")),
    ]:
        assert not {character for character in text if unicodedata.category(character) in ("Cc", "Cf")} - {
            *"\n\t\u200c\u200d"
        }
