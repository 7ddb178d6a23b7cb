"""Language models side by side on the same documents: an n-gram, an LSTM, and the GPT."""

import math
from collections.abc import Callable
from time import process_time

import numpy as np

from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.evaluation.ngram import NGram
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, score_documents
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.model.lstm import LSTM, LSTMConfig
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings

ORDER = 4  # of the n-gram
LSTM_LR = 4e-2  # the best of those tried: a loss of 5.47 after 150 steps, where 2e-2 gave 5.57


def compare(
    train: TokenSplit,
    validation: TokenSplit,
    shape: ModelConfig,
    training: TrainSettings,
    machine: Machine,
    on_log: Callable[[dict], None],
) -> list[dict]:
    """A row a model: parameters, CPU seconds of training, perplexity a token and bits a byte of the validation set.

    Both networks take the same steps over the same rows; the LSTM as wide as brings it nearest to the GPT in FLOPs a
    token, and with AdamW. The n-gram counts all of the training split once, which the networks may see in part or more
    than once.
    """
    rnn = LSTMConfig(vocab_size=shape.vocab_size, context=shape.context, d_model=_matching_width(shape))
    rows = [{"model": "uniform", "parameters": 0, "seconds": 0.0, **_score(_uniform(validation))}]
    began = process_time()
    grams = NGram(train, ORDER)
    seconds = process_time() - began
    scored = _of_ngram(grams, validation)
    rows.append({"model": f"{ORDER}-gram", "parameters": grams.parameters, "seconds": seconds, **_score(scored)})
    # An LSTM has no blocks for Muon.
    plain = training.model_copy(update={"optimizer": "adamw", "lr": training.lr or LSTM_LR})
    seed = training.init_seed
    for name, model, how in (("LSTM", LSTM(rnn, seed), plain), ("GPT", GPT(shape, seed), training)):
        began = process_time()
        _train(model, train, how, machine, lambda line, name=name: on_log({"model": name, **line}))
        seconds = process_time() - began
        parameters = sum(parameter.numel() for parameter in model.parameters())
        scored = score_documents(model, validation, shape.context)
        rows.append({"model": name, "parameters": parameters, "seconds": seconds, **_score(scored)})
    return rows


def _matching_width(shape: ModelConfig) -> int:
    """Of an LSTM of two layers that does about as many FLOPs a token: a multiple of 16."""
    wanted = shape.flops_per_token()
    widths = range(16, 16 * shape.d_model, 16)
    return min(
        widths,
        key=lambda w: abs(LSTMConfig(vocab_size=shape.vocab_size, d_model=w).flops_per_token() - wanted),
        default=16,
    )


def _train(
    model: LanguageModel, tokens: TokenSplit, training: TrainSettings, machine: Machine, on_log: Callable
) -> None:
    trainer, guard = Trainer(model, training, machine, SINGLE_PROCESS), DivergenceGuard(training.max_loss_increase)
    loader = Loader(tokens, model.shape.context, training.batch_size, training.seed, training.packing)
    for number, batch in enumerate(loader.batches(0, training.steps)):
        loss, norm = (value.item() for value in trainer.step(number, batch))
        guard.check(number + 1, loss, norm)
        on_log({"step": number + 1, "steps": training.steps, "loss": loss})


def _score(scores: DocumentLosses) -> dict:
    return {"perplexity": scores.perplexity, "bits_per_byte": scores.bits_per_byte, "tokens": int(scores.tokens.sum())}


def _of_ngram(grams: NGram, tokens: TokenSplit) -> DocumentLosses:
    """As `score_documents` does: the marker that a document begins with costs nothing."""
    nats, lengths = grams.nats(tokens), tokens.lengths
    if tokens.bos is not None:
        nats[(tokens.ends - lengths)[lengths > 0]] = 0.0
    totals = np.add.reduceat(np.append(nats, 0.0), tokens.ends - lengths) * (lengths > 0)
    return DocumentLosses(totals, np.maximum(lengths - (tokens.bos is not None), 0), tokens.bytes)


def _uniform(tokens: TokenSplit) -> DocumentLosses:
    scored = np.maximum(tokens.lengths - (tokens.bos is not None), 0)
    return DocumentLosses(scored * math.log(tokens.vocab_size), scored, tokens.bytes)
