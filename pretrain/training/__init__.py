"""The trainer: optimizers, checkpoints, training runs."""
