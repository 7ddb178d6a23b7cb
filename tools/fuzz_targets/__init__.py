"""Targets of tools/fuzz.py: for each loader, how its small valid files are written and how they are used.

``build(folder)`` writes one folder per case; ``use(case)`` opens a case and does with it what commands do.
"""

from tools.fuzz_targets import filter_models, runs, token_files, tokenizers

TARGETS = {**token_files.TARGETS, **filter_models.TARGETS, **tokenizers.TARGETS, **runs.TARGETS}
