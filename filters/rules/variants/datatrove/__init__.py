"""datatrove 0.10.1 (Hugging Face), decision for decision: the order of its reasons, its thresholds, its quirks.

With ``words = "spacy"``, the decision and the first reason equal those of the package (tests/filters/rules/
test_datatrove_golden.py; ``python -m benchmarks.parity`` on any corpus). The package stops at the first broken rule; we
record all. Settings and reasons have our names; "off" stands for its None.
"""
