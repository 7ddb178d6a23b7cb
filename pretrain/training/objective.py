"""Objectives of training: the batches of a step, the validation, and what a finished run adds to its summary."""

from typing import Any, Protocol, cast

import polars as pl
from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.data.masking import Hiding, Masking, PrefixSplit
from gristmill.pretrain.data.span_corruption import SpanCorruption
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, score_documents, window_loss
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import ProcessGroup
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.trainer import TrainSettings

SCORES = "documents.parquet"


class Objective(Protocol):
    """Interface of objectives."""

    settings: dict  # of data and objective, as far as the result depends on them
    patience: int | None  # evaluations without a lower loss before training stops; None: it never stops early

    def loader(self, world: ProcessGroup) -> Loader:
        """Return the batches of this process."""

    def evaluate(self, model: LanguageModel, world: ProcessGroup) -> dict:
        """Return the loss on the validation data as ``validation``, and other measures; empty without such data."""

    def finish(self, model: LanguageModel, folder: UPath, world: ProcessGroup) -> tuple[dict, list[str]]:
        """Return what to add to the summary, and the files written to the folder."""


class TokenObjective:
    """Prediction of tokens, the next ones or hidden ones."""

    patience: int | None = None

    def __init__(self, train: TokenSplit, validation: TokenSplit | None, model: LanguageModel, training: TrainSettings):
        check(train, validation, model, training)
        self.train, self.validation, self.training = train, validation, training
        self.context = model.shape.context
        self.masking: Hiding | None = PrefixSplit() if training.objective == "prefix" else None
        if training.objective == "masked":
            shape, chance = cast(ModelConfig, model.shape), training.mask_probability
            self.masking = Masking(mask_probability=chance, vocab_size=shape.vocab_size, mask_token=shape.mask_token)
        elif training.objective == "spans":
            self.masking = SpanCorruption(training.mask_probability, training.mean_span, train.sentinels)
        self.settings: dict[str, Any] = {
            "tokens": train.fingerprint,
            "validation": validation.fingerprint if validation else None,
        }

    def loader(self, world: ProcessGroup) -> Loader:
        training = self.training
        order = training.batch_size, training.seed, training.packing
        return Loader(self.train, self.context, *order, self.masking, world.rank, world.size)

    def evaluate(self, model: LanguageModel, world: ProcessGroup) -> dict:
        if not self.validation:
            return {}
        packing = self.training.packing if self.training.packing in ("whole", "truncate") else "stream"
        return {"validation": window_loss(model, self.validation, self.context, world, self.masking, packing)}

    def finish(self, model: LanguageModel, folder: UPath, world: ProcessGroup) -> tuple[dict, list[str]]:
        """Score each document in full, unless the model predicts hidden tokens or does not learn all."""
        if not self.validation or self.training.objective in ("masked", "spans") or self.validation.learned is not None:
            return {}, []
        scores = score_documents(model, self.validation, self.context, world=world)
        if world.rank == 0:
            write_scores(folder / SCORES, scores)
        return {"bits_per_byte": scores.bits_per_byte, "perplexity": scores.perplexity}, [SCORES]


class ScoredObjective(TokenObjective):
    """Prediction of tokens whose held-out documents are scored at the end, and not evaluated in windows as well."""

    def evaluate(self, model: LanguageModel, world: ProcessGroup) -> dict:
        return {}


def check(train: TokenSplit, validation: TokenSplit | None, model: LanguageModel, training: TrainSettings) -> None:
    """Raise RecipeError unless tokens, model and objective match."""
    shape = model.shape
    for tokens in filter(None, (train, validation)):
        if tokens.vocab_size != shape.vocab_size:
            raise RecipeError(
                f"the model has a vocabulary of {shape.vocab_size:,} tokens, but {tokens.name} has "
                f"{tokens.vocab_size:,}: expected shards of the same tokenizer"
            )
    causal, has_encoder, wanted = getattr(shape, "causal", True), bool(getattr(shape, "encoder_layers", None)), ""
    if causal != (training.objective != "masked"):
        wanted = "causal = true" if training.objective == "next" else "causal = false (--preset nano-bert)"
    elif training.objective == "prefix" and not getattr(shape, "prefix_decoder", False):
        wanted = "prefix_decoder = true"
    elif has_encoder and training.objective != "spans":
        wanted = "encoder_layers = off; an encoder needs 'spans'"
    elif training.objective == "spans" and not has_encoder:
        wanted = "encoder_layers (--preset nano-t5)"
    if wanted:
        raise RecipeError(f"train.objective {training.objective!r} needs a model with {wanted}")

    if training.objective == "spans":
        hidden, spans = SpanCorruption(training.mask_probability, training.mean_span, ()).sizes(shape.context)
        if (size := hidden + spans + 1) > shape.context:
            raise RecipeError(
                f"targets of {size} tokens exceed the context of {shape.context}; lower train.mask_probability"
            )
        if (found := len(train.sentinels)) <= spans:
            raise RecipeError(
                f"rows of {shape.context:,} tokens need the special tokens <extra_id_0> to <extra_id_{spans}>, but the "
                f"tokenizer of {train.name} has {found}: tokenize with one that has them (tokenizer train --special)"
            )
        if masked := [tokens.name for tokens in filter(None, (train, validation)) if tokens.learned is not None]:
            raise RecipeError(f"span corruption has no loss masks, but {masked[0]} has; use --set tokens.loss=all")


def flops_per_token(model: LanguageModel, training: TrainSettings) -> float:
    """Count training FLOPs per token of text; of an encoder-decoder, one side reads or writes each token."""
    if training.objective != "spans":
        return model.shape.flops_per_token()
    shape = cast(ModelConfig, model.shape)
    hidden, spans = SpanCorruption(training.mask_probability, training.mean_span, ()).sizes(shape.context)
    return shape.flops_per_token(1 - (hidden - spans) / shape.context, (hidden + spans + 1) / shape.context)


def write_scores(path: UPath, scores: DocumentLosses) -> None:
    """Write one row per document of the split, in order, for comparing runs document by document."""
    columns = {"tokens": scores.tokens, "nats": scores.nats, "bytes": scores.bytes}
    with atomic_write(path) as file:
        pl.DataFrame(columns).with_row_index("document").write_parquet(file)
