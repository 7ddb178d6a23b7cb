"""A work folder as a corpus: every command reads its clean/, also in folders by value, and none of its other tables."""

import shutil

import click
import polars as pl
import pytest
from corpora import documents, write_jsonl

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.cli import group, run
from gristmill.pipelines.storage.files import to_path

pytestmark = pytest.mark.slow
FALLBACK = "--set ngram.discount_fallback=[0.5,1.0,1.5]"
# Command -> its arguments, in which CORPUS is a work folder, OUT an output and MADE a folder of models.
COMMANDS = {
    "check": "check CORPUS --filter gopher",
    "clean": "clean RECIPE --input CORPUS --output OUT",
    "ingest": "ingest RECIPE --input CORPUS --output OUT",
    "dedup": "dedup CORPUS --output OUT",
    "dedup --against": "dedup MADE/raw.jsonl --level dataset --against CORPUS --output OUT",
    "decontaminate": "decontaminate CORPUS --against MADE/quiz.jsonl --output OUT",
    "pii scan": "pii scan CORPUS --show 3",
    "profile": "profile CORPUS --min-documents 10 --sample 50 --work OUT --output OUT/profiles",
    "profile --reference": "profile MADE/raw.jsonl --reference CORPUS --min-documents 10 --work OUT --output OUT",
    "overlap": "overlap CORPUS --output OUT",
    "inspect": "inspect CORPUS --histogram source --rows 3",
    "compare-rules": "compare-rules CORPUS --variants gristmill,datatrove-0.10.1",
    "compare-languages": "compare-languages CORPUS --model py3langid --json",
    "ngram train": f"ngram train CORPUS --output OUT/model.ngram --work OUT/work {FALLBACK}",
    "ngram score": "ngram score CORPUS --model MADE/model.ngram --work OUT",
    "classifier train": "classifier train --positive CORPUS --negative MADE/quiz.jsonl --output OUT/c.bin --work OUT",
    "classifier score": "classifier score CORPUS --model MADE/model.bin --work OUT",
    "tokenizer train": "tokenizer train CORPUS --vocab-size 300 --output OUT",
    "tokenizer extend": "tokenizer extend MADE/tok CORPUS --vocab-size 310 --output OUT",
    "tokenizer compare": "tokenizer compare MADE/tok --corpus CORPUS --json",
    "tokenizer export": "tokenizer export MADE/tok --format hf --output OUT/tokenizer.json --corpus CORPUS",
    "tokenizer import": "tokenizer import MADE/theirs.json --output OUT --corpus CORPUS",
    "tokenize": "tokenize CORPUS --tokenizer MADE/tok --output OUT",
    "impact plan": "impact plan MADE/impact.toml --input CORPUS --output OUT",
}
QUESTION = "The mill by a river turns grain into flour, or does it not?"
# What they print holds seconds.
SPEED = {"compare-languages", "impact plan", "tokenizer compare", "tokenizer import", "tokenizer train"}
LINES = {"check", "ngram score", "classifier score"}  # print the same lines in any order of documents
# Commands whose arguments of these names are no documents (a table of any kind, text with spans, a finished run), are
# read as by clean, or are only written down.
OTHERS = {("pii", "score"), ("impact", "run"), ("pii", "redact"), ("run",), ("init",), ("tune",), ("worth",)}
OTHERS |= {("classify",)}  # reads as `classifier score` does; it needs a model that takes a minute


def commands(group=group, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield from commands(command, (*path, name)) if isinstance(command, click.Group) else [((*path, name), command)]


def test_the_table_has_every_command_that_reads_a_corpus():
    corpora = {"corpus", "corpora", "paths", "positive", "negative", "against", "reference"}
    takes = {path for path, command in commands() if corpora & {each.name for each in command.params}}
    assert takes - OTHERS <= {tuple(name.split(" --")[0].split()) for name in COMMANDS}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder of two finished runs, one of them split, and of models."""
    folder = tmp_path_factory.mktemp("made")
    raw = write_jsonl(folder / "raw.jsonl", documents(90))
    quiz = [{"id": f"q{i}", "question": QUESTION, "text": f"{QUESTION} Answer {i}."} for i in range(60)]
    write_jsonl(folder / "quiz.jsonl", quiz)
    (folder / "recipe.toml").write_text("[steps.exact]")
    (folder / "impact.toml").write_text('recipe = "recipe.toml"\n[arms]\nfull = true\n')
    for name, split in {"work": None, "split": "source"}.items():
        output = {"split_by": split} if split else {}
        table = {"input": {"paths": [str(raw)]}, "steps": {"language": {}, "exact": {}}, "output": output}
        clean(parse_recipe(table, "test"), to_path(folder / name))
    for line in (
        f"ngram train MADE/raw.jsonl --output MADE/model.ngram --work MADE/ngram {FALLBACK}",
        "classifier train --positive MADE/raw.jsonl --negative MADE/quiz.jsonl --output MADE/model.bin --work OUT",
        "tokenizer train MADE/raw.jsonl --vocab-size 300 --output MADE/tok",
        "tokenizer export MADE/tok --format hf --output MADE/theirs.json",
    ):
        assert run(arguments(line, folder, out=folder / "scratch")) == 0
    return folder


def arguments(line, made, corpus="", out=""):
    words = {"CORPUS": corpus, "OUT": out, "MADE": made, "RECIPE": made / "recipe.toml"}
    found = []
    for word in line.split():
        first, slash, rest = word.partition("/")
        found.append(f"{words.get(first, first)}{slash}{rest}")
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_work_folder_is_its_clean_documents(name, made, tmp_path, capsys):
    said = {}
    for kind, corpus in {"work": made / "work", "clean": made / "work" / "clean", "split": made / "split"}.items():
        out = tmp_path / "out"
        code = run(arguments(COMMANDS[name], made, corpus, out))
        captured = capsys.readouterr()
        assert code == 0, captured.err
        assert "cannot read" not in captured.err and "reject" not in captured.err.replace("rejects       0", "")
        said[kind] = captured.out.replace(f"{corpus}/clean", "CORPUS").replace(str(corpus), "CORPUS")
        if (out / "documents").is_dir():
            read = pl.read_parquet(out / "documents" / "*.parquet")["id"]
            assert {*read} <= {*pl.read_parquet(made / "work" / "documents" / "*.parquet")["id"]}
        shutil.rmtree(out, ignore_errors=True)
    if name not in SPEED:
        assert said["work"] == said["clean"]
    if name in LINES:
        assert sorted(said["split"].splitlines()) == sorted(said["work"].splitlines()) != []
