"""Baselines of the GPT on the same documents: a uniform model, an Elman network and an LSTM."""

import math
from collections.abc import Callable
from time import process_time
from typing import Literal

import numpy as np

from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, check_scores_text, score_documents
from gristmill.pretrain.model.config import ModelConfig, RNNConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.model.rnn import RNN
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings

Cell = Literal["elman", "lstm"]
# Cells with the best of the learning rates tried. LSTM: a loss of 5.47 after 150 steps; 2e-2 gave 5.57. Elman, other
# text: 4.28 after 60 steps; 4e-3 gave 4.52, and 4e-2 diverged.
RECURRENT: dict[str, tuple[Cell, float]] = {"Elman": ("elman", 1e-2), "LSTM": ("lstm", 4e-2)}


def compare(
    train: TokenSplit,
    validation: TokenSplit,
    shape: ModelConfig,
    training: TrainSettings,
    machine: Machine,
    on_log: Callable[[dict], None],
) -> list[dict]:
    """Return a row per model: parameters, CPU seconds of training, perplexity per token and bits per byte.

    All networks take the same steps over the same rows. Recurrent ones have the width whose FLOPs per token are nearest
    to the GPT's, and are trained by AdamW. Scores are those of the validation set. Raises RecipeError for a shape whose
    models predict hidden tokens.
    """
    check_scores_text(shape)
    rows = [row("uniform", 0, 0.0, _uniform(validation))]
    networks: list[tuple[str, LanguageModel, TrainSettings]] = []
    for name, (cell, lr) in RECURRENT.items():
        rnn = RNN(_matching_shape(shape, cell), training.init_seed)
        # Muon is for blocks, and a recurrent network has none.
        networks.append((name, rnn, training.model_copy(update={"optimizer": "adamw", "lr": training.lr or lr})))
    networks.append(("GPT", GPT(shape, training.init_seed), training))
    for name, model, settings in networks:
        started = process_time()
        train_model(model, train, settings, machine, lambda line, name=name: on_log({"model": name, **line}))
        seconds = process_time() - started
        parameters = sum(parameter.numel() for parameter in model.parameters())
        rows.append(row(name, parameters, seconds, score_documents(model, validation, shape.context)))
    return rows


def row(model: str, parameters: int, seconds: float, scores: DocumentLosses) -> dict:
    """Return a row of the table: the model's name and size, CPU seconds of training, scores of the validation set."""
    found = {"perplexity": scores.perplexity, "bits_per_byte": scores.bits_per_byte, "tokens": int(scores.tokens.sum())}
    return {"model": model, "parameters": parameters, "seconds": seconds, **found}


def _matching_shape(shape: ModelConfig, cell: Cell) -> RNNConfig:
    """Return the two-layer network, of a width that is a multiple of 16, with the most similar FLOPs per token."""
    widths = range(16, max(32, 16 * shape.d_model), 16)
    shapes = (RNNConfig(vocab_size=shape.vocab_size, context=shape.context, cell=cell, d_model=w) for w in widths)
    return min(shapes, key=lambda each: abs(each.flops_per_token() - shape.flops_per_token()))


def train_model(
    model: LanguageModel, tokens: TokenSplit, training: TrainSettings, machine: Machine, on_log: Callable
) -> None:
    """Train a model in memory, without a folder."""
    trainer, guard = Trainer(model, training, machine, SINGLE_PROCESS), DivergenceGuard(training.max_loss_increase)
    loader = Loader(tokens, model.shape.context, training.batch_size, training.seed, training.packing)
    for number, batch in enumerate(loader.batches(0, training.steps)):
        loss, norm = (value.item() for value in trainer.step(number, batch))
        guard.check(number + 1, loss, norm)
        on_log({"step": number + 1, "steps": training.steps, "loss": loss})


def _uniform(tokens: TokenSplit) -> DocumentLosses:
    scored = np.maximum(tokens.lengths - (tokens.bos is not None), 0)
    return DocumentLosses(scored * math.log(tokens.vocab_size), scored, tokens.bytes)
