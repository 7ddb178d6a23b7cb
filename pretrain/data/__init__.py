"""Batches of token ids: packing, shuffling, masking."""
