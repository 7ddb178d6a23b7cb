"""Quantization: weights of linear layers as integers of 2, 4 or 8 bits."""
