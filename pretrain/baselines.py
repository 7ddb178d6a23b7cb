"""Baselines of the GPT on the same documents: a uniform model and an LSTM."""

import math
from collections.abc import Callable
from time import process_time

import numpy as np

from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, score_documents
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.model.lstm import LSTM, LSTMConfig
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings

LSTM_LR = 4e-2  # best of the rates tried: a loss of 5.47 after 150 steps; 2e-2 gave 5.57


def compare(
    train: TokenSplit,
    validation: TokenSplit,
    shape: ModelConfig,
    training: TrainSettings,
    machine: Machine,
    on_log: Callable[[dict], None],
) -> list[dict]:
    """Return a row per model: parameters, CPU seconds of training, perplexity per token and bits per byte.

    Both networks take the same steps over the same rows. The LSTM has the width whose FLOPs per token are nearest to
    the GPT's, and is trained by AdamW. Scores are those of the validation set.
    """
    lstm_shape = LSTMConfig(vocab_size=shape.vocab_size, context=shape.context, d_model=_matching_width(shape))
    rows = [row("uniform", 0, 0.0, _uniform(validation))]
    # Muon is for blocks, and an LSTM has none.
    lstm_training = training.model_copy(update={"optimizer": "adamw", "lr": training.lr or LSTM_LR})
    seed = training.init_seed
    for name, model, settings in (("LSTM", LSTM(lstm_shape, seed), lstm_training), ("GPT", GPT(shape, seed), training)):
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


def _matching_width(shape: ModelConfig) -> int:
    """Width, a multiple of 16, of the two-layer LSTM with the most similar FLOPs per token."""
    target = shape.flops_per_token()
    widths = range(16, 16 * shape.d_model, 16)
    return min(
        widths,
        key=lambda w: abs(LSTMConfig(vocab_size=shape.vocab_size, d_model=w).flops_per_token() - target),
        default=16,
    )


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
