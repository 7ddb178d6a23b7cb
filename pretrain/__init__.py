"""Pretraining: a GPT, its trainer, and statistics of data-impact experiments. Only this room imports torch."""

import os

# Threads of torch wait for each other without using a core. With torch's default two threads on a busy 2-core machine
# trained far slower than one. OpenMP reads the variable when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
