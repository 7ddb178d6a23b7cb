"""The comparison of work folders: equal to itself, up to renamed words, and to nothing that was tampered with."""

import json
import shutil
import tomllib
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner
from corpora import RECIPE, documents, write_jsonl

from gristmill.flows.cli import group
from tools import compare_runs

SHIPPED = tomllib.loads(Path(compare_runs.__file__).with_name("renames.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A finished run with a tokenizer and token shards."""
    folder = tmp_path_factory.mktemp("compare")
    raw, recipe = write_jsonl(folder / "raw.jsonl", documents()), folder / "recipe.toml"
    recipe.write_text(RECIPE)
    work, tokenizer = folder / "work", folder / "work/tokenizers/small"
    for command in (
        ["clean", recipe, "--input", raw, "--output", work],
        ["tokenizer", "train", work, "--vocab-size", 300, "--output", tokenizer],
        ["tokenize", work, "--tokenizer", tokenizer, "--output", work / "tokens/small"],
    ):
        done = CliRunner().invoke(group, [*map(str, command), "--workers", "1"], catch_exceptions=False)
        assert done.exit_code == 0, done.output
    return work


@pytest.fixture
def copy(work, tmp_path):
    return Path(shutil.copytree(work, tmp_path / "copy"))


def differing(old, new, renames=None):
    words = compare_runs.Renames(**(renames or SHIPPED))
    return {each.thing: each for each in compare_runs.compare_runs(old, new, words) if each.differing}


def change(folder, function):
    """Rewrite the first shard of a folder."""
    shard = sorted(folder.glob("*.parquet"))[0]
    function(pl.read_parquet(shard)).write_parquet(shard)


def test_a_folder_equals_itself(work):
    whole = list(compare_runs.compare_runs(work, work, compare_runs.Renames(**SHIPPED)))
    counts = {each.thing.split()[0]: each.entries for each in whole}
    assert counts.keys() == {"documents", "clean", "removed", "ledger", "removals", "measures", "tokenizer", "tokens"}
    assert all(counts.values()) and not any(each.differing or each.first for each in whole)
    assert counts["documents"] == 300 == counts["clean"] + counts["removed"]
    done = CliRunner().invoke(compare_runs.main, [str(work), str(work)])
    assert done.exit_code == 0 and "removals" in done.output


def test_a_changed_text_is_found(work, copy):
    change(copy / "clean", lambda shard: shard.with_columns(text=pl.col("text").str.replace("mill", "Mill")))
    found = differing(work, copy)
    assert found.keys() == {"clean"} and "mill" in found["clean"].first and "Mill" in found["clean"].first
    done = CliRunner().invoke(compare_runs.main, [str(work), str(copy)])
    assert done.exit_code == 1


def test_a_lost_document_and_another_order_are_found(work, copy):
    change(copy / "clean", lambda shard: shard.tail(-1))
    change(copy / "documents", lambda shard: shard.reverse())
    found = differing(work, copy)
    assert found["clean"].differing == 1 and "only in OLD" in found["clean"].first
    assert "order" in found["documents"].first


def test_another_reason_is_found(work, copy):
    change(copy / "removed", lambda shard: shard.with_columns(reason=pl.lit("c4.other")))
    change(copy / "ledger", lambda shard: shard.with_columns(rule=pl.lit("other")))
    assert differing(work, copy).keys() == {"removed", "ledger"}


def test_a_changed_measure_token_and_vocabulary_are_found(work, copy):
    measures = sorted(copy.glob("steps/*/measures"))[0]
    change(measures, lambda shard: shard.with_columns(pl.first().reverse()))
    payload = next(copy.glob("tokens/small/*.bin"))
    payload.write_bytes(payload.read_bytes()[:-1] + b"!")
    model = json.loads((copy / "tokenizers/small/gristmill.json").read_text())
    model["merges"][0], model["merges"][1] = model["merges"][1], model["merges"][0]
    (copy / "tokenizers/small/gristmill.json").write_text(json.dumps(model))
    found = differing(work, copy)
    assert found.keys() == {f"measures {measures.parent.name}", "tokens small", "tokenizer small merges"}
    assert found["tokenizer small merges"].differing == 2


def test_renamed_words_are_equal(work, copy):
    """The copy is the older one: its step c4 is "old_c4", and the first of the step's measures "old"."""
    shutil.move(copy / "steps/c4", copy / "steps/old_c4")
    measures = copy / "steps/old_c4/measures"
    first = next(iter(pl.read_parquet_schema(next(measures.glob("*.parquet")))))
    change(measures, lambda shard: shard.rename({first: "old"}))
    change(copy / "removed", lambda shard: shard.with_columns(pl.col("reason").str.replace(r"^c4\.", "old_c4.")))
    change(copy / "ledger", lambda shard: pl.DataFrame(old_step(shard.to_dicts()), shard.schema))
    old = {"steps": {"old_c4": "c4"}, "columns": {"old_c4.old": first}}
    assert differing(copy, work, {key: words | old.get(key, {}) for key, words in SHIPPED.items()}) == {}
    assert {"removed", "ledger", "removals", "measures c4"} <= differing(copy, work).keys()


def old_step(rows):
    return json.loads(json.dumps(rows).replace('"step": "c4"', '"step": "old_c4"'))


def test_rules_are_renamed_in_one_step_or_in_all():
    renames = compare_runs.Renames({"near": "minhash"}, {"gopher.few": "words_too_low", "few": "too_low"}, {})
    row = {"step": "near", "rule": "few", "reasons": [{"step": "gopher", "rule": "few"}], "value": float("nan")}
    new = renames.row("ledger", row)
    assert (new["step"], new["rule"]) == ("minhash", "too_low")
    assert new["reasons"] == [{"step": "gopher", "rule": "words_too_low"}]
    assert compare_runs.same(new["value"], float("nan"))


def test_a_column_that_was_renamed_is_asked_for(work, copy):
    reasons = compare_runs.Renames(**SHIPPED).column("ledger", "reasons")
    change(copy / "ledger", lambda shard: shard.rename({reasons: "other"}))
    done = CliRunner().invoke(compare_runs.main, [str(work), str(copy)])
    assert done.exit_code == 2 and "[columns]" in done.output
