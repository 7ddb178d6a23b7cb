"""Plots of experiments: differences between arms, and losses at equal FLOPs."""
