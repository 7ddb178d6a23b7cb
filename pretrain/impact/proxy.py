"""Proxy run: train a small model in memory and score held-out documents; no checkpoint, no log, no model is kept."""

from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, score_documents
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.objective import check
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings


def train_and_score(
    train: TokenSplit, evaluation: TokenSplit, shape: ModelConfig, training: TrainSettings
) -> DocumentLosses:
    """Return the losses of the evaluation documents under a model trained on ``train``, on one thread.

    Raises RecipeError if tokens and model do not match, TrainingDiverged if the loss diverges.
    """
    model = GPT(shape, training.init_seed)
    check(train, evaluation, model, training)
    trainer = Trainer(model, training, Machine(threads=1), SINGLE_PROCESS)
    loader = Loader(train, shape.context, training.batch_size, training.seed, training.packing)
    guard = DivergenceGuard(training.max_loss_increase)
    for number, batch in enumerate(loader.batches(0, training.steps)):
        loss, norm = trainer.step(number, batch)
        guard.check(number + 1, loss.item(), norm.item())
    return score_documents(model, evaluation, shape.context)
