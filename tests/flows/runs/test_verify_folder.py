"""`gristmill verify` finds all damage and nothing else; a flipped bit ends the next run before it spreads."""

import json
import shutil
from pathlib import Path

import pytest
from upath import UPath

from benchmarks.bit_flips import KINDS, flips
from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.flows.clean import run
from gristmill.flows.clean.dedup_index import save_index
from gristmill.flows.clean.recipe import parse_recipe, read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.verify import verify
from gristmill.flows.runs.what_if import what_if
from gristmill.flows.tokenize.train_tokenizer import extend_tokenizer, tokenizer_settings, train_tokenizer
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.tokenizers_lab.formats.model import FILE


@pytest.mark.slow
def test_flipped_bits_are_found_stopped_and_repaired(tmp_path):
    every = flips(tmp_path / "flips", 24, seed=3)
    assert [flip for flip in every if not (flip.found and flip.repaired) or flip.spread] == []
    assert {flip.kind for flip in every} == {*KINDS} and sum(flip.stopped for flip in every) > 8


@pytest.fixture
def work(corpus, recipe, tmp_path):
    clean(read_recipe(str(recipe), (), (str(corpus),)), UPath(tmp_path / "work"))
    return UPath(tmp_path / "work")


def test_undamaged_work_has_no_problem(work):
    sizes = []
    found = verify(work, lambda size, total: sizes.append((size, total)))
    assert found.problems == [] and found.unchecked == ["run.json"]
    assert {folder.state for folder in found.folders} == {"intact"}
    names = {folder.name for folder in found.folders}
    assert {"documents", "rejects", "steps/c4/spans", "steps/exact/decisions", "clean", "removed", "ledger"} <= names
    assert sum(size for size, _ in sizes) == {total for _, total in sizes}.pop() == sum(f.bytes for f in found.folders)


def shard(work, folder):
    (path,) = (work / folder).glob("*.parquet")
    return path


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (lambda work: shard(work, "clean").unlink(), "clean", "cannot be read (No such file or directory)"),
        (lambda work: shard(work, "clean").write_bytes(b"PAR1"), "clean", "has 4 bytes, expected "),
        (
            lambda work: (work / "clean" / "part-9.parquet").write_bytes(b""),
            "clean",
            "part-9.parquet is not in manifest",
        ),
        (lambda work: (work / "ledger" / "manifest.json").write_bytes(b"[]"), "ledger", "it begins b'[]', expected"),
        (lambda work: (work / "summary.json").write_bytes(b"{}"), ".", "summary.json is damaged or was edited"),
        (lambda work: (work / "recipe.json").write_bytes(b"\xff"), ".", "recipe.json is damaged or was edited"),
        (lambda work: (work / "inputs.json").write_bytes(b"null"), ".", "inputs.json is damaged or was edited"),
        (lambda work: (work / "recipe.json").unlink(), ".", "recipe.json is missing"),
    ],
)
def test_damage_is_one_line(work, damage, name, message):
    damage(work)
    found = verify(work)
    (problem,) = found.problems
    assert message in problem and "\n" not in problem
    assert [folder.name for folder in found.folders if folder.state == "damaged"] == [name]


def test_exports_and_temporary_files_are_no_damage_and_unfinished_folders_are_told(work):
    (work / "clean" / "notes.json").write_text("{}")
    (work / "clean" / "part-9.parquet.tmp-123").write_text("")
    Path(work / "clean" / "around").symlink_to(work)
    (work / "removed" / "manifest.json").unlink()
    (work / "removed" / ".progress").mkdir()
    found = verify(work)
    assert found.problems == [] and {"clean/notes.json", "clean/around"} <= {*found.unchecked}
    assert [folder.name for folder in found.folders if folder.state == "unfinished"] == ["removed"]


@pytest.mark.parametrize("flipped", [20, 90, -9])
def test_a_flipped_bit_of_an_ngram_model_is_found(tmp_path, flipped):
    batch = Batch(Ragged.from_strings(["the mill grinds the grain"] * 3))
    train([batch], NGramSettings(order=3, discount_fallback=[0.5, 1.0, 1.5])).save(UPath(tmp_path / "en.ngram"))
    assert verify(UPath(tmp_path)).problems == []
    damaged = bytearray((tmp_path / "en.ngram").read_bytes())
    damaged[flipped] ^= 1
    (tmp_path / "en.ngram").write_bytes(damaged)
    (problem,) = verify(UPath(tmp_path)).problems
    assert "en.ngram is damaged: its SHA-256" in problem


def test_a_folder_where_nothing_is_finished_is_one_line(tmp_path):
    with pytest.raises(WorkError, match="holds nothing finished; name a work folder"):
        verify(UPath(tmp_path))


def test_an_index_and_a_tokenizer_are_verified(corpus, tmp_path):
    index = UPath(tmp_path / "index")
    save_index(parse_recipe({"steps": {"exact": {}}}, "test"), [str(corpus)], index)
    assert verify(index).problems == []
    trained, extended = UPath(tmp_path / "trained"), UPath(tmp_path / "extended")
    train_tokenizer([str(index / "documents")], trained, tokenizer_settings({"vocab_size": 280}))
    extend_tokenizer(str(trained), [str(index / "documents")], extended, 290)
    for tokenizer in (trained, extended):
        assert verify(tokenizer).problems == []
        text = (tokenizer / FILE).read_bytes()
        (tokenizer / FILE).write_bytes(text.replace(b'"a"', b'"A"'))
        assert f"{tokenizer / FILE} is damaged" in verify(tokenizer).problems[0]


def test_a_classifier_is_verified_by_the_json_beside_it(work):
    models = work / "models"
    models.mkdir()
    (models / "a.bin").write_bytes(b"weights")
    (models / "a.bin.json").write_text(json.dumps({"sha256": "0" * 64}))
    assert "a.bin is damaged" in verify(work).problems[0]
    (models / "a.bin.json").write_text("{")
    assert "a.bin.json is damaged" in verify(work).problems[0]


@pytest.mark.parametrize("name", ["summary.json", "recipe.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_garbage_summary_or_recipe_is_one_line_to_readers(work, name, content):
    (work / name).write_bytes(content)
    for read in (FinishedRun, lambda work: what_if(work, ())):
        with pytest.raises(WorkError, match=f"{name} is damaged or was edited: .*; remove it and run") as raised:
            read(work)
        assert "\n" not in str(raised.value)


def test_a_run_killed_before_its_summary_leaves_none_of_the_run_before(work, corpus, recipe, monkeypatch):
    changed = read_recipe(str(recipe), ("c4.min_sentences=4",), (str(corpus),))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(run, "summarize", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        clean(changed, work)
    before = verify(work).problems
    assert len(before) == 1 and "summary.json is missing" in before[0]
    assert clean(changed, work)["removed"] == FinishedRun(work).summary["removed"] == removed(work)


def removed(work):
    return Manifest.read(work / "removed").counts["documents"]


def test_a_garbage_recipe_is_written_anew(work, corpus, recipe):
    before = (work / "recipe.json").read_bytes()
    (work / "recipe.json").write_bytes(b"{}")
    clean(read_recipe(str(recipe), (), (str(corpus),)), work)
    assert (work / "recipe.json").read_bytes() == before


def test_readers_of_a_run_verify_what_they_read(work):
    path = shard(work, "ledger")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    opened = FinishedRun(work)
    with pytest.raises(WorkError, match=r"ledger/part-.* is damaged: its SHA-256 is .*; remove it and run again"):
        opened.ledger(opened.parts[0], ["bytes"])


def test_the_command_prints_lines_a_table_and_exits_with_1(work, gristmill):
    done = gristmill("verify", work)
    assert done.returncode == 0 and "intact" in done.stdout and "1 files have no checksum: run.json" in done.stdout
    shutil.copy(shard(work, "clean"), work / "clean" / "a\x1b[31m.parquet")
    shard(work, "documents").write_bytes(b"")
    done = gristmill("verify", work)
    assert done.returncode == 1 and done.stderr == "" and "\x1b[31m.parquet" not in done.stdout
    assert (
        "documents/part-00000-000.parquet has 0 bytes, expected" in done.stdout and "  damaged     clean" in done.stdout
    )
    done = gristmill("verify", work, "--json")
    assert done.returncode == 1 and len(json.loads(done.stdout)["problems"]) == 2
    done = gristmill("verify", work / "nothing")
    assert done.returncode == 2 and done.stderr.startswith("Error: ")
