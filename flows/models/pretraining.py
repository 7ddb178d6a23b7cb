"""Training, comparison, export and generation for the command line: settings, token folders and text."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count, takewhile
from typing import Any, TypeVar, get_args

from pydantic import Field

from gristmill.flows.clean.recipe_files import make_change
from gristmill.flows.models.ngram_baseline import ngram_row
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.baselines import compare
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.generate import Sampling, generate
from gristmill.pretrain.exchange.checkpoints import CONFIG, export_model, import_model
from gristmill.pretrain.exchange.peft import export_adapter
from gristmill.pretrain.model.config import PRESETS, ModelConfig, preset
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder, make_transformer
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.checkpoint import SHAPE, load_model, read_json, write_json
from gristmill.pretrain.training.run import CheckpointSettings, OnLog, OnReplace, pretrain
from gristmill.pretrain.training.trainer import TrainSettings
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import FILE, Model, read_model
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

S = TypeVar("S", bound=Settings)
TABLES = "model", "train", "adapter", "machine", "save"


def open_splits(folder: str) -> tuple[TokenSplit, TokenSplit | None, TokenShards]:
    """Open training and validation split of a folder of token shards; an empty validation split is None."""
    shards = TokenShards(to_path(folder))
    shards.manifest.verify(shards.folder)
    train, validation = (TokenSplit.from_shards(shards, split) for split in (TRAIN, VALIDATION))
    return train, validation if validation.count > 1 else None, shards


def parse_changes(changes: Iterable[str], known: Iterable[str], **defaults: dict) -> dict[str, dict]:
    """Parse changes such as ``train.lr=1e-3`` into a table for each of ``known``, starting from the defaults."""
    tables = {name: dict(defaults.get(name, {})) for name in known}
    for change in changes:
        make_change(tables, change, "TABLE.SETTING=VALUE")
    if (adapter := tables.get("adapter")) and "method" not in adapter:
        methods = ", ".join(get_args(AdapterSettings.model_fields["method"].annotation))
        raise RecipeError(f"adapter.{min(adapter)} has no adapter to change; add --method with one of {methods}")
    return tables


def read_table(kind: type[S], tables: dict[str, dict], name: str) -> S:
    """Read the settings of one table."""
    return read_settings(kind, tables[name], f"[{name}]")


def open_model(folder: str) -> LanguageModel:
    """Open the model of a finished run, or one saved by ``transformers``."""
    path = to_path(folder)
    if finished := Manifest.read(path):
        finished.verify(path)
    return load_model(path) if (path / SHAPE).exists() else import_model(path)


class PretrainSettings(Settings):
    """Settings of ``gristmill pretrain``: a model, its training, its adapter, its machine."""

    preset: str = "nano"
    steps: int | None = Field(None, ge=1)  # in place of train.steps
    init: str | None = None  # run, or GPT-2 or Llama, whose weights the training begins with
    model: dict[str, Any] = {}  # settings of the preset to change
    train: TrainSettings = TrainSettings()
    adapter: AdapterSettings | None = None  # trained in place of the weights of init
    machine: Machine = Machine()
    save: CheckpointSettings = CheckpointSettings()

    def shape(self, vocab_size: int) -> ModelConfig:
        """Return the configuration of the model. Raises RecipeError for an unknown preset, and for invalid changes."""
        if self.init and self.model:
            raise RecipeError("init brings its own configuration: leave out the settings of model")
        if self.adapter and not self.init:
            raise RecipeError("an adapter needs a trained model: name one by init (--init MODEL)")
        return read_settings(ModelConfig, preset(self.preset, vocab_size, **self.model), "[model]")

    def training(self) -> TrainSettings:
        """Return the settings of the training, which follow the preset and `steps` where they are not set."""
        changes: dict[str, Any] = {"steps": self.steps} if self.steps else {}
        if not PRESETS.get(self.preset, {}).get("causal", True):
            changes["objective"] = "masked"
        if "encoder_layers" in PRESETS.get(self.preset, {}):
            changes["objective"] = "spans"
        if self.adapter:
            changes["optimizer"] = "adamw"  # Muon is for whole matrices
        return self.train.model_copy(update={k: v for k, v in changes.items() if k not in self.train.model_fields_set})


class PretrainSection(PretrainSettings):
    """Settings of ``[pretrain]`` in a recipe."""

    tokenizer: str | None = None  # name of the tokenizer whose tokens are read; None: the only one


def pretrain_settings(given: dict[str, Any], changes: Iterable[str], method: str | None = None) -> PretrainSettings:
    """Read settings from options, and from changes such as ``train.lr=1e-3``; ``method`` is that of an adapter."""
    defaults = {"adapter": {"method": method}} if method else {}
    tables = {name: table for name, table in parse_changes(changes, TABLES, **defaults).items() if table}
    return read_settings(PretrainSettings, {k: v for k, v in given.items() if v is not None} | tables, "pretrain")


def train_model(
    tokens: str, output: str, settings: PretrainSettings, on_log: OnLog, on_replace: OnReplace | None = None
) -> dict[str, Any]:
    """Train a model on token shards; return the summary of the run.

    A run in ``output`` that had other settings or tokens is an error, unless `pretrain` may replace it.
    """
    train, validation, shards = open_splits(tokens)
    shape, training, folder = settings.shape(shards.vocab_size), settings.training(), to_path(output)
    if shards.about["tokenizer"]["file"]:
        tokenizer = read_model(shards.tokenizer)
        train = replace(train, sentinels=find_sentinels(tokenizer))
        if not shape.causal and shape.mask_token is None:
            shape = shape.model_copy(update={"mask_token": tokenizer.role("mask")})
    model = open_model(settings.init) if settings.init else make_transformer(shape, training.init_seed)
    if settings.adapter:
        attach(as_gpt(model, settings.init or ""), settings.adapter, training.init_seed)
    summary = pretrain(train, validation, model, training, folder, settings.machine, settings.save, on_log, on_replace)
    if shards.about["tokenizer"]["file"]:
        with atomic_write(folder / shards.tokenizer.name) as file:
            file.write(shards.tokenizer.read_bytes())
    return summary


def find_sentinels(tokenizer: Model) -> tuple[int, ...]:
    """Return the ids of T5's sentinels <extra_id_0>, <extra_id_1>, … up to the first that the tokenizer lacks."""
    names = takewhile(tokenizer.special.__contains__, (f"<extra_id_{number}>" for number in count()))
    return tuple(tokenizer.special[name] for name in names)


def progress_line(line: dict) -> str:
    """Return a line of a run's log as text."""
    if "validation" in line:
        more = "".join(f"  {name} {line[name]:.4f}" for name in ("accuracy", "f1") if name in line)
        return f"step {line['step']:>7,}  validation {line['validation']:.4f}{more}"
    speed = f"{line['tokens_per_second']:,.0f} tokens/s" + (f", MFU {line['mfu']:.1%}" if "mfu" in line else "")
    return f"step {line['step']:>7,} of {line['steps']:,}  loss {line['loss']:.4f}  lr {line['lr']:.2e}  {speed}"


def compare_baselines(tokens: str, name: str, steps: int, changes: Iterable[str], on_log: Callable) -> list[dict]:
    """Train and score all models for ``gristmill compare-baselines``; return a row per model."""
    train, validation, shards = open_splits(tokens)
    if not validation:
        raise WorkError(f"{tokens} has no validation split; tokenize again with tokens.validation above 0")
    tables = parse_changes(changes, ("model", "train", "machine"), train={"steps": steps})
    shape = read_settings(ModelConfig, preset(name, shards.vocab_size, **tables["model"]), "[model]")
    training, machine = read_table(TrainSettings, tables, "train"), read_table(Machine, tables, "machine")
    uniform, *networks = compare(train, validation, shape, training, machine, on_log)
    return [uniform, ngram_row(train, validation), *networks]


def as_gpt(model: LanguageModel, run: str) -> GPT:
    """Return the model. Raise RecipeError if it is no GPT."""
    if not isinstance(model, GPT):
        raise RecipeError(f"expected a GPT in {run}, found a model of kind {type(model).__name__}")
    return model


def as_transformer(model: LanguageModel, run: str) -> GPT | EncoderDecoder:
    """Return the model. Raise RecipeError if it is neither a GPT nor an encoder-decoder."""
    return model if isinstance(model, EncoderDecoder) else as_gpt(model, run)


def write_export(run: str, output: str, adapter_only: bool = False) -> str:
    """Export a model for ``gristmill export-model``, with its tokenizer if it has one; return the layout's name.

    LoRA is merged. With ``adapter_only`` the adapter alone is written, in the layout of ``peft``.
    """
    model, folder = as_transformer(open_model(run), run), to_path(output)
    if (folder / SHAPE).exists() or folder.is_file():
        raise WorkError(f"{output} is a run or a file; choose another --output for the export")
    if adapter_only:
        return export_adapter(as_gpt(model, run), folder)
    layout = export_model(model, folder)
    if (to_path(run) / FILE).exists():
        tokenizer = read_model(to_path(run))
        with atomic_write(folder / "tokenizer.json") as file:
            file.write(to_huggingface(tokenizer))
        # Generation by transformers stops at eos_token_id.
        write_json(folder / CONFIG, read_json(folder / CONFIG) | tokenizer_ids(tokenizer))
    return layout


def tokenizer_ids(tokenizer: Model) -> dict[str, int | None]:
    """Return the ids of the tokens around a document by their keys in transformers.

    Without a token for the end, the first token of the next document ends one.
    """
    first, last = tokenizer.role("bos"), tokenizer.role("eos")
    return {"bos_token_id": first, "eos_token_id": first if last is None else last}


def continue_text(
    run: str, prompt: str | None, ids: list[int] | None, copies: int, changes: Iterable[str]
) -> tuple[list, bool]:
    """Continue a prompt for ``gristmill generate``; return texts, or lists of ids for a prompt of ids.

    The second value is True if they follow the prompt; those of an encoder-decoder are texts of their own.
    """
    tables = parse_changes(changes, ("sample", "machine"))
    sampling, machine = read_table(Sampling, tables, "sample"), read_table(Machine, tables, "machine")
    model = as_transformer(open_model(run), run).to(machine.init_device())
    follows = isinstance(model, GPT)
    if ids is not None:
        return generate(model, ids, sampling, copies), follows
    tokenizer = open_tokenizer(run)
    prompt_ids = tokenizer.encode(prompt or "", allowed="all")
    return [tokenizer.decode_ids(written) for written in generate(model, prompt_ids, sampling, copies)], follows
