"""datatrove 0.10.1 (Hugging Face), decision for decision: its reasons in its order, its thresholds, its quirks.

With ``words = "spacy"`` kept or removed, and the first reason, are those of the package itself (tests/filters/
test_datatrove_golden.py; ``python -m benchmarks.parity`` on any corpus). Where it stops at the first broken rule we
record all. Settings have our names; "off" stands for its None.
"""
