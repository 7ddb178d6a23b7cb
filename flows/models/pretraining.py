"""From token shards to a model: settings from the command line, tokens from their folder, text in and out."""

from collections.abc import Callable, Iterable

from gristmill.flows.clean.recipe import make_change
from gristmill.flows.models.ngram_baseline import ngram_row
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.baselines import compare
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.generate import Sampling, generate
from gristmill.pretrain.exchange.checkpoints import export_model, import_model
from gristmill.pretrain.model.config import PRESETS, ModelConfig, preset
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.checkpoint import SHAPE, load_model
from gristmill.pretrain.training.run import CheckpointSettings, OnLog, pretrain
from gristmill.pretrain.training.trainer import TrainSettings
from gristmill.tokenizers_lab.formats.detect import load_any
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import FILE, read_model
from gristmill.tokenizers_lab.tokenizer import Tokenizer

TABLES: dict[str, type[Settings]] = {
    "train": TrainSettings,
    "machine": Machine,
    "save": CheckpointSettings,
    "sample": Sampling,
}


def open_splits(folder: str) -> tuple[TokenSplit, TokenSplit | None, TokenShards]:
    """Training and validation split of a folder of token shards; no validation where it holds no document."""
    shards = TokenShards(to_path(folder))
    train, validation = (TokenSplit.from_shards(shards, split) for split in (TRAIN, VALIDATION))
    return train, validation if validation.count > 1 else None, shards


def parse_changes(changes: Iterable[str], known: Iterable[str], **defaults: dict) -> dict[str, dict]:
    """``train.lr=1e-3`` and the like -> a table for each of ``known``, begun with the defaults."""
    tables = {name: dict(defaults.get(name, {})) for name in known}
    for change in changes:
        make_change(tables, change, "TABLE.SETTING=VALUE")
    return tables


def read_tables(tables: dict[str, dict]) -> dict[str, Settings]:
    return {name: read_settings(TABLES[name], table, f"[{name}]") for name, table in tables.items() if name in TABLES}


def open_model(folder: str) -> LanguageModel:
    """A finished run's model, or one that ``transformers`` has saved."""
    path = to_path(folder)
    return load_model(path) if (path / SHAPE).exists() else import_model(path)


def train_model(
    tokens: str, name: str, steps: int | None, output: str, init: str | None, changes: Iterable[str], on_log: OnLog
) -> dict:
    """``gristmill pretrain``: the summary of the run."""
    train, validation, shards = open_splits(tokens)
    defaults = {"train": {"steps": steps} if steps else {}}
    if not PRESETS.get(name, {}).get("causal", True):
        defaults["train"]["objective"] = "masked"
    tables = parse_changes(changes, ("model", "train", "machine", "save"), **defaults)
    shape = read_settings(ModelConfig, preset(name, shards.vocab_size, **tables["model"]), "[model]")
    settings = read_tables(tables)
    model = GPT(shape, settings["train"].init_seed)
    if init:
        if tables["model"]:
            raise RecipeError("--init brings its own shape: leave out --set model.…")
        model = open_model(init)
    folder = to_path(output)
    summary = pretrain(
        train, validation, model, settings["train"], folder, settings["machine"], settings["save"], on_log
    )
    if shards.about["tokenizer"]["file"]:
        with atomic_write(folder / shards.tokenizer.name) as file:
            file.write(shards.tokenizer.read_bytes())
    return summary


def compare_baselines(tokens: str, name: str, steps: int, changes: Iterable[str], on_log: Callable) -> list[dict]:
    """``gristmill compare-baselines``: a row a model."""
    train, validation, shards = open_splits(tokens)
    if not validation:
        raise WorkError(f"{tokens} has no validation split; tokenize with a share of documents for it")
    tables = parse_changes(changes, ("model", "train", "machine"), train={"steps": steps})
    shape = read_settings(ModelConfig, preset(name, shards.vocab_size, **tables["model"]), "[model]")
    settings = read_tables(tables)
    uniform, *networks = compare(train, validation, shape, settings["train"], settings["machine"], on_log)
    return [uniform, ngram_row(train, validation), *networks]


def write_export(run: str, output: str) -> str:
    """``gristmill export-model``: the layout, and the tokenizer's file beside the weights where the run has one."""
    model, folder = open_model(run), to_path(output)
    if not isinstance(model, GPT):
        raise RecipeError(f"{run} holds an RNN, which transformers has no layout for")
    layout = export_model(model, folder)
    if (to_path(run) / FILE).exists():
        with atomic_write(folder / "tokenizer.json") as file:
            file.write(to_huggingface(read_model(to_path(run))))
    return layout


def continue_text(run: str, prompt: str | None, ids: list[int] | None, copies: int, changes: Iterable[str]) -> list:
    """``gristmill generate``: texts, or lists of ids where the prompt was one."""
    tables = parse_changes(changes, ("sample", "machine"))
    settings = read_tables(tables)
    model = open_model(run)
    if not isinstance(model, GPT):
        raise RecipeError(f"{run} holds an RNN, which is there to be compared with; a GPT writes text")
    model = model.to(settings["machine"].init_device())
    if ids is not None:
        return generate(model, ids, settings["sample"], copies)
    tokenizer = Tokenizer(load_any(to_path(run)))
    prompt_ids = tokenizer.encode(prompt or "", allowed="all")
    return [tokenizer.decode_ids(written) for written in generate(model, prompt_ids, settings["sample"], copies)]
