"""Instruction fine-tuning and chat for the command line: documents with roles, their template, a judge of answers."""

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Any, get_args

import numpy as np
import orjson
from upath import UPath

from gristmill.filters.core.sampling import uniform_by_id
from gristmill.flows.clean.corpus import corpus_shards, split_corpus
from gristmill.flows.models.pretraining import as_gpt, open_model, parse_changes, read_table
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ingest.ingest import InputSettings
from gristmill.pipelines.ingest.named_columns import check_columns
from gristmill.pipelines.inputs.inputs import PAGES, find_files
from gristmill.pipelines.inputs.turns import Turn, split_turns
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT, TURNS, Records
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.pipelines.storage.shards import read_batches, shard_schema
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.generate import Sampling, respond
from gristmill.pretrain.finetune.instruct import (
    RESPONSES,
    InstructObjective,
    InstructSettings,
    Question,
    instruct_split,
)
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.training.run import CheckpointSettings, OnLog, fit
from gristmill.pretrain.training.trainer import TrainSettings
from gristmill.tokenizers_lab.chat.encode import ChatEncoder
from gristmill.tokenizers_lab.chat.template import FILE as TEMPLATE_FILE
from gristmill.tokenizers_lab.formats.model import write_model
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.tokenizer import Tokenizer

DEFAULTS: dict[str, dict] = {
    "train": {
        **{"steps": 300, "batch_size": 16, "optimizer": "adamw", "schedule": "linear", "warmup": 20},
        "packing": "whole",
    },
    "save": {"evaluate_every": 50},
    "sample": {"temperature": 0.0},
}
DEFAULT_LR = 1e-3  # at a width of 128, as in classification
TABLES = "instruct", "train", "adapter", "sample", "machine", "save"
CHAT_DEFAULTS = {"temperature": 0.7, "max_new_tokens": 256}
SCORES = "scores.jsonl"
Conversations = dict[str, list[Turn]]  # by id


def instruct(
    run: str,
    data: str,
    records: str | None,
    output: str,
    work: str,
    changes: Iterable[str],
    method: str | None,
    judge: str | None,
    on_log: OnLog,
) -> dict[str, Any]:
    """Train a model to answer for ``gristmill finetune instruct``; return the summary of the run."""
    defaults = {**DEFAULTS, "adapter": {"method": method} if method else {}}
    tables = parse_changes(changes, TABLES, **defaults)
    settings, sampling = read_table(InstructSettings, tables, "instruct"), read_table(Sampling, tables, "sample")
    adapter = read_table(AdapterSettings, tables, "adapter") if tables["adapter"] else None
    machine, saving = read_table(Machine, tables, "machine"), read_table(CheckpointSettings, tables, "save")
    model = as_gpt(open_model(run), run)
    tables["train"].setdefault("lr", DEFAULT_LR * 128 / model.shape.d_model)
    training = read_settings(TrainSettings, tables["train"], "[train]")
    chat = ChatEncoder(Tokenizer(load_any(to_path(run))), settings.template)
    records = records or guess_records(data)
    reading = read_settings(InputSettings, {"records": records}, "[input]")
    splits, questions = split_conversations(read_conversations(data, work, reading), chat, settings)
    if adapter:
        attach(model, adapter, training.init_seed)
    decode, folder = chat.tokenizer.decode_ids, to_path(output)
    objective = InstructObjective(splits, questions, chat.end, decode, model, training, sampling)
    summary = fit(objective, model, training, folder, machine, saving, on_log)
    write_model(chat.tokenizer.model, folder)
    with atomic_write(folder / TEMPLATE_FILE) as file:
        file.write(chat.template.source.encode())
    return summary | ({"score": judge_responses(folder, judge)} if judge else {})


def guess_records(data: str) -> str | None:
    """Return the form of the records in raw files by the columns of the first ones; None if no form fits."""
    for kind in get_args(Records) if split_corpus([data])[1] else ():
        reading = read_settings(InputSettings, {"records": kind, "paths": [data]}, "[input]")
        files = find_files(reading)
        if all(file.format in PAGES for file in files):
            return None
        try:
            check_columns(reading, files, "", None)
            return kind
        except InputError:
            continue
    return None


def read_conversations(data: str, work: str, reading: InputSettings) -> Conversations:
    """Return the turns of all documents with an answer. Raises InputError if no document has one."""
    found: Conversations = {}
    for shard in corpus_shards([data], to_path(work), reading=reading):
        if TURNS not in shard_schema(shard.path).names:
            continue
        for table in read_batches(shard.path, [ID, TEXT, TURNS]):
            for id, text, spans in zip(*(table[name].to_pylist() for name in (ID, TEXT, TURNS)), strict=True):
                turns = split_turns(text.encode(), spans or ())
                if any(turn.role == "assistant" for turn in turns):
                    found[id] = turns
    if not found:
        raise InputError(
            f"{data} has no document with roles and an answer; expected columns such as messages, or instruction and "
            "output: --records names the form of raw files"
        )
    return found


def split_conversations(
    conversations: Conversations, chat: ChatEncoder, settings: InstructSettings
) -> tuple[dict[str, TokenSplit], list[Question]]:
    """Split into conversations to train and to validate on, and questions to answer.

    The hash of the first question decides, so no question that is held out has been read in training, with this answer
    or another. The validation loss is that of answers, whatever the model learns.
    """
    names, turns = np.array([*conversations], object), [*conversations.values()]
    asked = Ragged.from_strings([first_question(each) or name for name, each in conversations.items()])
    is_held_out = uniform_by_id(asked, "held out") < settings.held_out
    is_validation = ~is_held_out & (uniform_by_id(asked, "validation") < settings.validation)
    model, splits = chat.tokenizer.model, {}
    bos = model.role("bos")
    for name, mask in (("train", ~is_held_out & ~is_validation), ("validation", is_validation)):
        tokens, learned = chat.encode([turns[row] for row in np.flatnonzero(mask)])
        learned = learned | (name == "train" and settings.loss == "all")
        splits[name] = instruct_split(tokens, learned, model.size, bos, name)
    questions = []
    for row in np.flatnonzero(is_held_out)[: settings.responses]:
        last = max(i for i, turn in enumerate(turns[row]) if turn.role == "assistant")
        before, answer = turns[row][:last], turns[row][last].content
        prompt = "\n\n".join(turn.content for turn in before if turn.role != "system")
        questions.append(Question(str(names[row]), prompt, answer, chat_prompt(chat, before)))
    return splits, questions


def first_question(turns: list[Turn]) -> str:
    """Return what a person wrote before the first answer, "" if a conversation begins with one."""
    before = takewhile(lambda turn: turn.role != "assistant", turns)
    return "\n\n".join(turn.content for turn in before if turn.role != "system")


def chat_prompt(chat: ChatEncoder, turns: list[Turn]) -> list[int]:
    """Return the ids of a conversation up to the next answer, BOS first if the tokenizer has it."""
    bos = chat.tokenizer.model.role("bos")
    return [*([] if bos is None else [bos]), *chat.prompt(turns)]


def judge_responses(folder: UPath, command: str) -> float:
    """Give a command the responses of a run as JSON lines, and write `SCORES` from the lines that it prints.

    Each line is a number, or an object with ``score``. Returns their mean. Raises RecipeError for a command that fails
    or prints another number of lines.
    """
    lines = (folder / RESPONSES).read_bytes().splitlines()
    try:
        done = subprocess.run(shlex.split(command), input=b"\n".join([*lines, b""]), capture_output=True, check=True)
        scores = [orjson.loads(line) for line in done.stdout.splitlines() if line.strip()]
        values = [float(each["score"] if isinstance(each, dict) else each) for each in scores]
    except subprocess.CalledProcessError as error:
        last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise RecipeError(f"--judge {command!r} ended with status {error.returncode}: {last}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecipeError(
            f"--judge {command!r}: {error}; expected a command that prints a number, or an object with score, per line"
        ) from None
    if len(values) != len(lines):
        raise RecipeError(f"--judge {command!r} printed {len(values):,} scores, expected {len(lines):,}")
    with atomic_write(folder / SCORES) as file:
        for line, score in zip(lines, scores, strict=True):
            mine = score if isinstance(score, dict) else {"score": score}
            file.write(orjson.dumps({**orjson.loads(line), **mine}) + b"\n")
    return float(np.mean(values)) if values else 0.0


class Chat:
    """Conversation with the model of a run."""

    def __init__(self, run: str, template: str | None, system: str | None, changes: Iterable[str]):
        """Open a run; without a template, its own. Raises RecipeError if it has none."""
        tables = parse_changes(changes, ("sample", "machine"), sample=CHAT_DEFAULTS)
        self.sampling, machine = read_table(Sampling, tables, "sample"), read_table(Machine, tables, "machine")
        self.model, own = as_gpt(open_model(run), run).to(machine.init_device()), to_path(run) / TEMPLATE_FILE
        if template is None and not own.exists():
            raise RecipeError(f"{run} has no {TEMPLATE_FILE}: name its template by --template, such as chatml")
        self.encoder = ChatEncoder(Tokenizer(load_any(to_path(run))), template or str(own))
        self.system = [Turn("system", system)] if system else []
        self.turns = [*self.system]

    def restart(self) -> None:
        """Forget the conversation, except the system turn."""
        self.turns = [*self.system]

    def answer(self, question: str) -> Iterator[str]:
        """Yield the answer in pieces, as they are written."""
        self.turns.append(Turn("user", question))
        written: list[int] = []
        shown = ""
        for token in respond(self.model, chat_prompt(self.encoder, self.turns), self.encoder.end, self.sampling):
            written.append(token)
            text = self.encoder.tokenizer.decode_ids(written)
            if not text.endswith("\ufffd"):  # bytes of a character that has begun
                yield text[len(shown) :]
                shown = text
        text = self.encoder.tokenizer.decode_ids(written)
        yield text[len(shown) :]
        self.turns.append(Turn("assistant", text))
