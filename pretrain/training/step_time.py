"""CPU time of a training step on this machine, for plans."""

from time import process_time

import numpy as np
import torch

from gristmill.pretrain.data.packing import Batch
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.trainer import Trainer, TrainSettings

TIMED_TOKENS = 2048  # of a step: a whole batch of a large model takes a minute
TIMED_STEPS, ENOUGH_SECONDS = 3, 2.0


def step_seconds(shape: ModelConfig, training: TrainSettings) -> float:
    """Return the CPU seconds of a training step on one thread, timed on random tokens."""
    threads = torch.get_num_threads()
    rows = max(1, min(training.batch_size, TIMED_TOKENS // shape.context))
    ids = np.random.default_rng(0).integers(0, shape.vocab_size, (rows, shape.context + 1))
    batch = Batch(np.ascontiguousarray(ids[:, :-1]), np.ascontiguousarray(ids[:, 1:]), None)
    trainer = Trainer(GPT(shape), training, Machine(threads=1, device="cpu"), SINGLE_PROCESS)
    try:
        trainer.step(0, batch)  # builds the state of the optimizers
        seconds, steps = 0.0, 0
        while steps < TIMED_STEPS and seconds < ENOUGH_SECONDS:
            began = process_time()
            trainer.step(steps, batch)
            seconds, steps = seconds + process_time() - began, steps + 1
    finally:
        torch.set_num_threads(threads)
    return seconds / steps * training.batch_size / rows
