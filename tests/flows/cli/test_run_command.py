"""`gristmill run` as a user meets it: a plan, a line for each stage, mistakes as one line, Ctrl-C as 130."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from corpora import RECIPE, documents, write_jsonl

from gristmill.flows.cli import run

SECTIONS = """
[tokenizer.bpe]
vocab_size = 300
[tokens]
validation = 0.1
[pretrain]
steps = 3
model = { d_model = 16, n_heads = 1, n_layers = 1, context = 16 }
[report]
"""
STAGES = ["clean", "tokenizer bpe", "tokens bpe", "pretrain", "report"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text(RECIPE)
    (tmp_path / "mine.toml").write_text(f'extends = "base.toml"\n{SECTIONS}')
    write_jsonl(tmp_path / "raw.jsonl", documents(60))
    return tmp_path


@pytest.mark.parametrize("wrong", [["nowhere.toml"], ["mine.toml", "--set", "c4.min_sentnces=1"]])
def test_a_mistake_is_told_before_kernels_are_compiled(here, capsys, monkeypatch, wrong):
    monkeypatch.setattr("gristmill.flows.engine.kernels.compile_all", lambda console: pytest.fail("compiled"))
    assert run(["run", *wrong]) and "did you mean 'min" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_says_what_it_will_do_and_what_it_did(here, capsys):
    command = ["run", "mine.toml", "--input", "raw.jsonl", "--workers", "1"]
    assert run(command) == 0
    told = capsys.readouterr()
    for stage in STAGES:
        assert len(re.findall(rf"(?m)^{stage}  ", told.err)) == 2
        assert re.search(rf"(?m)^{stage} +done in [\d.]+ s$", told.err)
    assert told.err.index("work/report/index.html") < told.err.index("done in")  # the plan is first
    assert "clean " in told.out and "Nothing to do" not in told.err
    assert run(command) == 0
    told = capsys.readouterr()
    assert len(re.findall(r"(?m) up to date$", told.err)) == len(STAGES) and "Nothing to do" in told.err
    assert run(["status", "work"]) == 0
    assert {"tokenizers/bpe", "tokens/bpe", "runs/nano", "report"} <= set(capsys.readouterr().out.split())
    assert run(["verify", "work"]) == 0


def test_clean_does_no_more_and_names_the_command_for_the_rest(here, capsys):
    assert run(["clean", "mine.toml", "--input", "raw.jsonl", "--workers", "1"]) == 0
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("tokenizer, tokens, pretrain, report: gristmill run mine.toml --output work")
    assert not (here / "work/tokenizers").exists()


@pytest.mark.slow
def test_ctrl_c_in_a_late_stage_is_130_and_the_same_command_goes_on(here, capsys):
    command = [sys.executable, "-m", "gristmill", "run", "mine.toml", "--input", "raw.jsonl", "--workers", "1"]
    slow = [*command, "--set", "pretrain.steps=1000000"]
    process = subprocess.Popen(slow, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (here / "work/runs/nano/log.jsonl").exists() and process.poll() is None:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "Traceback" not in errors
    assert errors.strip().splitlines()[-1].startswith("Interrupted. Finished parts are kept")
    assert run(["status", "work"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("interrupted after") and re.search(r"(?m)^  partial +runs/nano", told)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for stage in STAGES[:3]:
        assert re.search(rf"(?m)^{stage} +up to date$", done.stderr)
    assert (here / "work/runs/nano/model.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("tokenizer.bpe.vocab_sise=3", r"mine.toml \[tokenizer.bpe\]: no setting 'vocab_sise'; did you mean"),
        ("tokens.validation=2", r"mine.toml \[tokens\]: validation: .* less than 1, found 2"),
        ("pretrain.tokenizer=gpt2", r"mine.toml \[pretrain\]: no tokenizer 'gpt2' in the recipe; there is bpe"),
        ("pretrain.preset=nanno", r"no preset 'nanno'; did you mean 'nano'"),
        ("gopher.min_words=3", r"cannot set 'gopher.min_words=3'"),
        ("tokenizer.bpe.use=x.json", "it names code, which only the file of a recipe may name"),
    ],
)
def test_a_mistake_is_one_line_and_starts_nothing(here, capsys, change, expected):
    assert run(["run", "mine.toml", "--input", "raw.jsonl", "--workers", "1", "--set", change]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(expected, last) and last.startswith("Error: ")
    assert not (here / "work").exists()
