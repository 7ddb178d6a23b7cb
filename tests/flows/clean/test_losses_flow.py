"""Runs that read the folder they write into, and the end of runs that lost a part of their input."""

import gzip
import json

import pytest
from corpora import documents, tree, write_jsonl

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.storage.files import to_path


def result(work):
    return {name: data for name, data in tree(work, ".").items() if name not in ("run.json", "log.jsonl")}


def test_a_run_over_the_current_folder_is_repeated_with_equal_bytes(corpus, recipe, gristmill_process):
    (corpus / "README.md").write_text("# A dataset")
    runs = []
    for _ in range(3):
        run = gristmill_process("clean", recipe, "--input", ".", "--workers", "1", cwd=corpus)
        assert run.returncode == 0, run.stderr
        runs.append((run, result(corpus / "work")))
    (first, made), *again = runs
    assert "ignored 1 (describe a dataset; to read one, name it): README.md" in first.stderr
    assert "Nothing to do" not in first.stderr
    assert json.loads(made["summary.json"])["documents_in"] == 300
    for run, same in again:
        assert "Nothing to do" in run.stderr
        assert same == made


def test_the_end_of_a_run_names_each_file_that_was_not_read_to_its_end(tmp_path, corpus, recipe, gristmill):
    data = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in documents()))
    (corpus / "cut\x1b[31m.jsonl.gz").write_bytes(data[:1000])
    command = ("clean", recipe, "--input", corpus, "--output", tmp_path / "work", "--workers", "1")
    stopped = gristmill(*command, "--set", "input.max_reject_fraction=0.005")
    assert stopped.returncode == 2
    assert "count as lost, in 1 broken files" in stopped.stderr
    assert not (tmp_path / "work" / "clean").exists()
    line = "[31m.jsonl.gz was not read to its end, 1,000 of 1,000 bytes (100.0 %) count as lost: truncated gz:"
    for each in (command, ("ingest", *command[1:]), command):
        run = gristmill(*each)
        assert run.returncode == 0, run.stderr
        assert line in run.stderr
    (broken,) = json.loads((tmp_path / "work" / "summary.json").read_bytes())["broken_files"]
    assert (broken["file"], broken["bytes"], broken["lost_bytes"]) == ("cut\x1b[31m.jsonl.gz", 1000, 1000)


@pytest.mark.parametrize(("files", "more"), [(20, ""), (23, "3 more files were not read to their end")])
def test_many_broken_files_are_named_up_to_a_number(tmp_path, recipe, capsys, files, more):
    from gristmill.flows.cli.clean import report

    write_jsonl(tmp_path / "raw" / "a.jsonl", documents())
    for number in range(files):
        (tmp_path / "raw" / f"{number:02}.jsonl.gz").write_bytes(b"no gzip")
    settings = read_recipe(str(recipe), ("input.max_reject_fraction=1.0",), (str(tmp_path / "raw"),))
    summary = clean(settings, to_path(tmp_path / "work"))
    assert [file["file"] for file in summary["broken_files"]] == [f"{number:02}.jsonl.gz" for number in range(files)]
    report(summary, "work")
    told = capsys.readouterr().err
    assert told.count("was not read to its end") == 20
    assert (more in told) if more else "more files" not in told
