"""Pretraining: a GPT, its trainer, and statistics of data-impact experiments. Only this room imports torch."""
