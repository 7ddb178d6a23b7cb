"""Experiments on data (ablations): how much each step of a recipe changes a model's loss, with intervals."""
