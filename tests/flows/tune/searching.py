"""Material of tiny searches: a recipe, ranges of its thresholds, and a set of held-out text."""

from corpora import documents, write_jsonl

CLEANING = """
[steps.c4]
min_sentences = 1

[steps.fineweb]

[steps.exact]
"""
RANGES = ("c4.min_sentences=1..6", "fineweb.max_short_line_ratio=0.1..0.9")


def heldout_sets(folder) -> str:
    """Write a set of held-out text; return the lines of a recipe that name it."""
    rows = [{"id": row["id"], "text": row["text"][::-1]} for row in documents(120, seed=3)]
    path = write_jsonl(folder / "good.jsonl", rows)
    return f'[heldout.sets]\ngood = ["{path}"]\n'
