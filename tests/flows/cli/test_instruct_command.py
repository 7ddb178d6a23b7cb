"""gristmill finetune instruct and gristmill chat on sums of small numbers."""

import json
import os
import sys
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import write_jsonl
from token_folders import token_folder

from gristmill.flows.cli import group
from gristmill.flows.models.instructing import split_conversations
from gristmill.pipelines.inputs.turns import Turn
from gristmill.pretrain.finetune.instruct import InstructSettings
from gristmill.tokenizers_lab.chat.encode import ChatEncoder
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from tests.flows.cli.test_pretrain_commands import SMALL, call, complaint

JUDGE = (
    "import json, sys\nfor line in sys.stdin: row = json.loads(line); print(float(row['response'] == row['reference']))"
)


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    """A run, and instructions to repeat a word, each twice."""
    folder, words = tmp_path_factory.mktemp("sums"), ["corn", "mill", "flour", "stone"]
    asked = [(f"{number}. Say {word}", word) for number in range(20) for word in words]
    rows = [{"instruction": each, "input": "", "output": word} for each, word in (*asked, *asked)]
    write_jsonl(folder / "tasks.jsonl", rows)
    tokens = token_folder(folder, [f"User:\n{row['instruction']}\n\nAssistant:\n{row['output']}" for row in rows])
    call("pretrain", tokens, "--steps", 2, "--output", folder / "run", *SMALL)
    return folder


def test_a_model_learns_to_answer(sums, tmp_path):
    out, judge = tmp_path / "out", tmp_path / "judge.py"
    judge.write_text(JUDGE)
    given = ("finetune", "instruct", sums / "run", sums / "tasks.jsonl", "--output", out)
    given += ("--work", tmp_path / "work", "--set", "train.steps=120", "--set", "train.lr=0.01", "--judge")
    done = call(*given, f"{sys.executable} {judge}")
    assert "held-out prompts" in done.stdout and "validation" in done.stderr
    made = {"model.json", "loss.png", "responses.jsonl", "scores.jsonl", "chat_template.jinja", "gristmill.json"}
    assert made <= set(os.listdir(out))
    lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert set(lines[0]) == {"id", "prompt", "reference", "response", "score"}
    assert sum(line["score"] for line in lines) >= 0.9 * len(lines)
    assert {*Counter(line["prompt"] for line in lines).values()} == {2}  # no copy is in training
    assert "printed 0 scores" in str(complaint(*given, f"{sys.executable} -c pass"))
    talk = ["chat", str(out), "--set", "sample.temperature=0"]
    said = CliRunner().invoke(group, talk, input="1. Say flour\n\n2. Say corn\n")
    assert said.stdout == "flour\ncorn\n", said.output


def test_a_folder_of_transformers_answers_and_classifies(sums, tmp_path):
    call("export-model", sums / "run", "--output", tmp_path / "theirs")
    write_jsonl(tmp_path / "kinds.jsonl", [{"text": f"Say {number}", "kind": number % 2} for number in range(80)])
    given, short = ("--work", tmp_path / "work", "--set", "train.steps=1"), ("--set", "sample.max_new_tokens=2")
    instruct = ("finetune", "instruct", tmp_path / "theirs", sums / "tasks.jsonl", "--set", "instruct.responses=1")
    call(*instruct, *given, *short, "--output", tmp_path / "answers")
    assert CliRunner().invoke(group, ["chat", str(tmp_path / "answers"), *short], input="Say corn\n").exit_code == 0
    labeled = ("finetune", "classify", tmp_path / "theirs", tmp_path / "kinds.jsonl", "--label", "kind")
    call(*labeled, *given, "--output", tmp_path / "classes")
    tokenizers = {(tmp_path / name / "gristmill.json").read_bytes() for name in ("answers", "classes")}
    assert len(tokenizers) == 1


def test_records_without_roles_are_one_line(sums, tmp_path):
    (tmp_path / "plain.txt").write_text("No roles.")
    places = ("--output", tmp_path / "out", "--work", tmp_path / "work")
    error = complaint("finetune", "instruct", sums / "run", tmp_path / "plain.txt", *places)
    assert "has no document with roles and an answer" in str(error)
    assert "name its template by --template" in str(complaint("chat", sums / "run"))
    assert "nowhere holds no model" in str(complaint("chat", "nowhere"))


@pytest.mark.parametrize("loss", ["answers", "all"])
def test_the_training_loss_is_of_answers_or_all_tokens_and_the_validation_loss_of_answers(loss):
    tokenizer = Tokenizer(Model(algorithm="bpe", pretokenizer="gpt2", pieces=tuple(bytes([b]) for b in range(256))))
    talks = {f"{n}": [Turn("user", f"{n}?"), Turn("assistant", f"{n}!")] for n in range(60)}
    splits, _ = split_conversations(talks, ChatEncoder(tokenizer, "plain"), InstructSettings(loss=loss))
    ids, learned = splits["train"].payloads[0], np.unpackbits(splits["train"].learned[0], bitorder="little")
    learned = learned[: ids.size].astype(bool)
    assert learned.all() == (loss == "all") and learned[ids == ord("!")].all()
    assert not np.unpackbits(splits["validation"].learned[0]).all()
