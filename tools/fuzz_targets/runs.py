"""Runs of pretraining, models of other libraries, and indices of documents."""

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from upath import UPath

from tools.fuzz_mutations import Field
from tools.fuzz_targets.target import TEXTS, Target


def build_runs(folder: Path) -> None:
    """Write a finished model and a checkpoint."""
    from gristmill.pretrain.training.checkpoint import save_checkpoint, save_model

    trainer = make_trainer()
    save_model(UPath(folder / "run"), trainer.model)
    save_checkpoint(UPath(folder / "run" / "checkpoints"), 1, trainer.model, trainer.optimizers, {"step": 1}, 1)


def make_trainer() -> Any:
    """Return a trainer after one step."""
    import torch

    from gristmill.pretrain.data.batches import Loader
    from gristmill.pretrain.model.config import ModelConfig
    from gristmill.pretrain.model.devices import Machine, ProcessGroup
    from gristmill.pretrain.model.gpt import GPT
    from gristmill.pretrain.training.trainer import Trainer, TrainSettings
    from tests.token_folders import make_tokens

    torch.set_num_threads(1)
    shape = ModelConfig(vocab_size=50, context=8, n_layers=1, d_model=8, n_heads=2)
    training = TrainSettings(steps=4, batch_size=2, warmup=1, lr=1e-2, optimizer="adamw")
    trainer = Trainer(GPT(shape), training, Machine(device="cpu"), ProcessGroup(0, 1))
    trainer.step(0, Loader(make_tokens([30] * 4), 8, 2).load(0))
    return trainer


def use_run(case: Path) -> None:
    """Load the model, predict with it, and resume from the checkpoint."""
    import torch

    from gristmill.pretrain.data.batches import Loader
    from gristmill.pretrain.training.checkpoint import checkpoints, load_checkpoint, load_model
    from tests.token_folders import make_tokens

    model = load_model(UPath(case))
    with torch.no_grad():
        model.logits(model.hidden(torch.zeros((1, min(4, model.shape.context)), dtype=torch.long)))
    trainer = make_trainer()
    for path in checkpoints(UPath(case / "checkpoints")):
        load_checkpoint(path, trainer.model, trainer.optimizers)
        trainer.step(1, Loader(make_tokens([30] * 4), 8, 2).load(1))


def build_exchange(folder: Path) -> None:
    """Write models as transformers does, and copy a checkpoint of OpenAI's."""
    import shutil

    from gristmill.pretrain.exchange.checkpoints import export_model
    from gristmill.pretrain.model.config import ModelConfig, preset
    from gristmill.pretrain.model.encoder_decoder import make_transformer

    for name, kind in (("gpt2", "nano-gpt2"), ("llama", "nano"), ("t5", "nano-t5")):
        shape = preset(kind, 50, context=8, n_layers=1, d_model=8, n_heads=2)
        export_model(make_transformer(ModelConfig(**shape)), UPath(folder / name))
    golden = Path(__file__).parents[2] / "tests" / "golden" / "gpt2-tensorflow"
    shutil.copytree(golden, folder / "openai", ignore=shutil.ignore_patterns("logits.json"))


def use_exchange(case: Path) -> None:
    """Import the model, and predict with it."""
    import torch

    from gristmill.pretrain.exchange.checkpoints import import_model

    model = import_model(UPath(case))
    with torch.no_grad():
        ids = torch.zeros((1, min(4, model.shape.context)), dtype=torch.long)
        model.nats(ids, ids)


def safetensors_fields(name: str, data: bytes) -> list[Field]:
    """Return the size of the header."""
    return [Field("header", 0, "<Q")] if name.endswith(".safetensors") else []


def build_index(folder: Path) -> None:
    """Write an index of documents for exact and near duplicates."""
    from gristmill.flows.clean.dedup_index import save_index
    from gristmill.flows.clean.recipe import Recipe

    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "texts.jsonl").write_bytes(b"\n".join(orjson.dumps({"text": text * 4}) for text in TEXTS))
        recipe = Recipe().model_copy(update={"steps": index_steps([])})
        save_index(recipe, [scratch], UPath(folder / "index"))


def index_steps(against: list[str]) -> dict[str, Any]:
    """Return the steps that an index serves."""
    from gristmill.dedup.exact.exact import Exact
    from gristmill.dedup.near.near_duplicates import NearDuplicates

    return {"exact": Exact(against=against), "near": NearDuplicates(against=against, num_perm=16, threshold=0.5)}


@cache
def documents() -> Path:
    """Return the folder of documents and measures that are compared with an index, made once per process."""
    folder = Path(tempfile.mkdtemp(prefix="gristmill-fuzz-"))
    build_index(folder)
    return folder / "index"


def use_index(case: Path) -> None:
    """Look for duplicates of documents in the index."""
    from gristmill.dedup.exact.exact import find_duplicates
    from gristmill.dedup.index import measures_in
    from gristmill.dedup.near.near_duplicates import find_near_duplicates
    from gristmill.pipelines.steps.corpus import Corpus
    from gristmill.pipelines.storage.manifest import Manifest

    for name, step in index_steps([str(case)]).items():
        own, measures = UPath(documents() / "documents"), measures_in(UPath(documents()), step.NAME)
        parts = [*Manifest.read(measures).parts]  # type: ignore[union-attr]
        corpus = Corpus(own, measures, parts, lambda _, count: np.ones(count, np.bool_)).with_indices(step.indices())
        if name == "near":
            find_near_duplicates(step, corpus, documents() / "scratch")
        else:
            find_duplicates(step, corpus, documents() / "scratch")


TARGETS = {
    "runs": Target(build_runs, use_run, safetensors_fields),
    "exchange": Target(build_exchange, use_exchange, safetensors_fields),
    "index": Target(build_index, use_index),
}
