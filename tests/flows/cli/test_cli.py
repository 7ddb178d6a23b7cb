"""The command as a user meets it: help at once, mistakes as one line with exit code 2, Ctrl-C as 130."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest
from corpora import RECIPE, documents, tree, write_jsonl

from gristmill.flows.cli import COMMANDS, SECTIONS, group, run


@pytest.fixture
def finished(gristmill, corpus, recipe, tmp_path):
    """A finished work folder."""
    done = gristmill("clean", recipe, "--input", corpus, "--output", tmp_path / "work", "--workers", 1)
    assert done.returncode == 0, done.stderr
    return tmp_path / "work"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from gristmill.flows.cli import group; "
        "group.main(['--help'], standalone_mode=False); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numba", "polars", "pyarrow", "prefect", "torch", "datasets", "pydantic"} & set(modules)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_ends_its_help_in_an_example(name):
    command = group.get_command(None, name)
    assert command.name == name and f"gristmill {name} " in command.help.partition("\b")[2]


def test_the_help_lists_every_command_in_a_section(capsys):
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if re.match(r"\w+:$", line)] == ["Options:", *(f"{name}:" for name in SECTIONS)]
    assert {line.split()[0] for line in lines if re.match(r"  \w", line)} >= set(COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["clean", "--help"], ["recipes"]])
def test_a_reader_that_has_ended_is_no_error(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "gristmill", *arguments]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["claen"], "No such command 'claen'; did you mean 'clean'\\? See gristmill --help"),
        (["xyz"], "No such command 'xyz'; see gristmill --help"),
        (["tokenizer", "trian"], "No such command 'trian'; did you mean 'train'\\? See gristmill tokenizer --help"),
        (["clean", "--inptu", "x"], "No such option '--inptu'; did you mean '--input'\\? See gristmill clean --help"),
        (["clean", "clean-corpsu"], "no recipe at clean-corpsu; .* shipped recipe: did you mean 'clean-corpus'\\?"),
        (["clean", "a/b.toml"], "no recipe at a/b.toml; .* shipped recipe: there is clean-corpus, .*short-text"),
    ],
)
def test_a_misspelled_name_has_a_suggestion(arguments, expected, capsys):
    assert run(arguments) == 2
    assert re.fullmatch(f"Error: {expected}\n", capsys.readouterr().err)


def complaint(done):
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[steps.fineweb]\nmax_list_ration = 1.0", r"\[steps.fineweb\]: .* did you mean 'max_list_ratio'\?"),
        ("[steps.finweb]", r"\[steps.finweb\]: no step 'finweb'; did you mean 'fineweb'\?"),
        ("[steps.fineweb]\nmax_list_ratio = 'x'", r"max_list_ratio: Input should be a valid number, found 'x'"),
        ("[step.fineweb]", r"no setting 'step'; did you mean 'steps'\?"),
        ("[input]\npath = ['x']", r"\[input\]: no setting 'path'; did you mean 'paths'\?"),
        ("words = 'uncode'", r"words: Input should be 'unicode' or 'spacy', found 'uncode'"),
        ("steps = 3", "steps must be tables such as"),
        ('[steps."../../x"]\nuse = "c4"', r"a name is 1 to 64 of .*, found '\.\./\.\./x'"),
        ("[steps.fineweb", "is not TOML"),
        ("[steps.fineweb]\n[steps.fineweb.profiles.zh]\nmin_line_punct = 1.0", "did you mean 'min_line_punct_ratio'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_recipe_is_one_line(gristmill, tmp_path, corpus, text, expected):
    (tmp_path / "typo.toml").write_text(text)
    line = complaint(gristmill("clean", tmp_path / "typo.toml", "--input", corpus, "--output", tmp_path / "work"))
    assert re.search(rf"typo\.toml.*{expected}", line), line
    assert not (tmp_path / "work").exists()


@pytest.mark.slow
def test_a_missing_recipe_input_or_document_is_one_line(gristmill, recipe, finished, tmp_path):
    assert "no recipe at nowhere.toml" in complaint(gristmill("clean", "nowhere.toml"))
    assert "nothing to read" in complaint(gristmill("clean", recipe, "--output", tmp_path / "w"))
    missing = gristmill("clean", recipe, "--input", tmp_path / "nowhere", "--output", tmp_path / "w")
    assert "nowhere: no such file or folder" in complaint(missing)
    assert "has no document 'nobody'" in complaint(gristmill("why", finished, "nobody"))
    assert "is missing or unfinished" in complaint(gristmill("why", tmp_path / "w2", "x"))
    assert "cannot set 'c4.min_sentences'" in complaint(gristmill("what-if", finished, "c4.min_sentences"))
    measured = gristmill("what-if", finished, "fineweb.short_line_width=3")
    assert "needs new measures" in complaint(measured)


def test_a_target_that_cannot_be_written_is_one_line(gristmill, recipe, corpus, tmp_path):
    (tmp_path / "file").write_text("in the way")
    line = complaint(gristmill("clean", recipe, "--input", corpus, "--output", tmp_path / "file"))
    assert "file is a file; --output must name a folder" in line
    line = complaint(gristmill("clean", recipe, "--input", corpus, "--output", tmp_path / "file" / "work"))
    assert "cannot write" in line


def test_a_full_disk_is_one_line_and_the_run_goes_on_from_there(gristmill, gristmill_process, recipe, corpus, tmp_path):
    def full():  # stands for it: no file may grow past so many bytes, as on a disk with no more room
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))

    run = ["clean", recipe, "--input", corpus, "--workers", 1, "--output"]
    failed = gristmill_process(*run, tmp_path / "work", preexec_fn=full)
    assert failed.returncode == 2 and "File too large" in failed.stderr and "Traceback" not in failed.stderr
    assert gristmill(*run, tmp_path / "work").returncode == gristmill(*run, tmp_path / "fresh").returncode == 0
    results = ("documents", "clean", "removed", "ledger")
    assert tree(tmp_path / "work", *results) == tree(tmp_path / "fresh", *results)


def test_a_damaged_shard_is_named(gristmill, recipe, corpus, finished):
    shard = next((finished / "documents").glob("*.parquet"))
    size = shard.stat().st_size
    shard.write_bytes(b"\0" * size)
    run = ["clean", recipe, "--input", corpus, "--output", finished, "--workers", 1]
    line = gristmill(*run, "--set", "fineweb.short_line_width=20").stderr.splitlines()[-1]
    assert f"{shard.name} is damaged" in line


def test_run_again_it_says_that_there_is_nothing_to_do(gristmill, recipe, corpus, finished):
    again = gristmill("clean", recipe, "--input", corpus, "--output", finished)
    assert again.returncode == 0 and "Nothing to do" in again.stderr


def test_ctrl_c_is_one_line_and_130(recipe, tmp_path, capsys):
    write_jsonl(tmp_path / "raw" / "a.jsonl", [row for seed in range(20) for row in documents(seed=seed)])
    command = [sys.executable, "-m", "gristmill", "clean", recipe, "--input", tmp_path / "raw", "--workers", "2"]
    command += ["--output", tmp_path / "work", "--set", "input.work_unit_bytes=20000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not list((tmp_path / "work").rglob("part-*.parquet")) and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the command and its workers
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("Interrupted. Finished parts are kept")
    assert run(["status", str(tmp_path / "work")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("interrupted after") and "stopped" in told and "failed" not in told


def test_why_tells_a_documents_story(gristmill, finished):
    story = gristmill("why", finished, "doc-0005")  # a blank one
    assert "doc-0005  removed by c4: sentences_too_low" in story.stdout
    assert "c4.sentences_too_low: 0 against 2" in story.stdout and "fineweb.lines_too_low: 0 against 1" in story.stdout
    told = json.loads(gristmill("why", finished, "doc-0005", "--json").stdout)
    assert told["kept"] is False and told["measures"]["fineweb"]["lines"] == 0


def test_check_tells_what_is_decided_on_a_single_document(tmp_path, recipe, capsys):
    check = ["check", str(tmp_path / "page.txt"), "--recipe", str(recipe)]
    (tmp_path / "page.txt").write_text("Short.")
    assert run(check) == 0
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "page.txt:1  removed by c4, fineweb" and "  c4.sentences_too_low: 1 against 2" in rest
    assert [line.split()[0] for line in rest[-2:]] == ["c4", "fineweb"]  # their measures
    (tmp_path / "page.txt").write_text(next(documents())["text"])
    assert run(check) == 0
    assert capsys.readouterr().out.splitlines()[0] == "page.txt:1  kept"


def test_check_decides_as_a_run_does_without_writing(gristmill, corpus, recipe, finished):
    lines = gristmill("check", corpus, "--recipe", recipe, "--json").stdout.splitlines()
    judged = {row["id"]: row["violations"] for row in map(json.loads, lines)}
    summary = json.loads((finished / "summary.json").read_text())
    for step in ("c4", "fineweb"):
        for rule, counts in summary["steps"][step]["rules"].items():
            broken = sum({"step": step, "rule": rule}.items() <= r.items() for rs in judged.values() for r in rs)
            assert broken == counts["violations"], (step, rule)
    assert "exact" in RECIPE and len(judged) == 300


def test_control_characters_of_a_document_do_not_reach_the_terminal(gristmill, recipe, tmp_path):
    write_jsonl(tmp_path / "raw" / "a.jsonl", [{"id": "\x1b[31mred", "text": "x"}])
    gristmill("clean", recipe, "--input", tmp_path / "raw", "--output", tmp_path / "work", "--workers", 1)
    told = gristmill("why", tmp_path / "work", "\x1b[31mred").stdout
    assert "\\x1b[31mred" in told and "\x1b" not in told
