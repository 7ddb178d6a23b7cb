"""Costs of a user's filter beside the same work without Gristmill: ``python -m benchmarks.own_filters [CORPUS.jsonl]``.

- *Document form*: measuring, against a plain loop over the same Arrow column that appends the same dicts to a list.
- *Batch form*: measuring, against a call of the same function with the same batch.

Both sides measure the same batches in turns, in one process; the figures are medians of ROUNDS ratios of CPU time.
Without a corpus the documents are made of random words: of 100 to 6,000 characters, then of 100 to 400.
"""

import argparse
import random
import re
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Rule
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.core.own import BatchFilter, Document, DocumentFilter, share
from gristmill.pipelines.storage.shards import cut_groups

ROUNDS = 15
DOCUMENTS = 10_000
SCHEMA = pa.schema([("id", pa.large_string()), ("text", pa.large_string())])
WORD = re.compile(r"\w+")


class Shouty(DocumentFilter):
    """The cheapest measure: one count of a character."""

    max_exclamations: float = share(0.02)

    def measure(self, doc: Document) -> dict:
        return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}

    def rules(self) -> dict[str, Rule]:
        return {"exclamations_too_high": Rule("exclamations", ">", self.max_exclamations)}


class LongWords(Shouty):
    """A usual measure: every word is looked at."""

    def measure(self, doc: Document) -> dict:
        words = WORD.findall(doc.text)
        return {"exclamations": sum(len(word) > 20 for word in words) / max(1, len(words))}


class Marks(BatchFilter):
    """The same as Shouty over flat arrays, per byte."""

    max_exclamations: float = share(0.02)

    def measure(self, batch: Batch) -> pl.DataFrame:
        before = np.append(0, np.cumsum(batch.text.data == ord("!")))
        marks = np.diff(before[batch.text.offsets])
        return pl.DataFrame({"exclamations": marks / np.diff(batch.text.offsets).clip(min=1)})

    def rules(self) -> dict[str, Rule]:
        return {"exclamations_too_high": Rule("exclamations", ">", self.max_exclamations)}


def loop(measure: Callable[[str], dict]) -> Callable[[pa.Table], object]:
    """Return a plain loop over the texts of a table."""

    def run(table: pa.Table) -> list[dict]:
        rows = []
        for text in table["text"].to_pylist():
            rows.append(measure(text))
        return rows

    return run


def shouty(text: str) -> dict:
    return {"exclamations": text.count("!") / max(1, len(text))}


def long_words(text: str) -> dict:
    words = WORD.findall(text)
    return {"exclamations": sum(len(word) > 20 for word in words) / max(1, len(words))}


def seconds(work: Callable[[pa.Table], object], tables: list[pa.Table]) -> float:
    """Return the CPU seconds of the work on all tables."""
    began = time.process_time()
    for table in tables:
        work(table)
    return time.process_time() - began


def documents(longest: int) -> pl.DataFrame:
    """Return documents of 20 to ``longest`` words."""
    rng = random.Random(0)
    words = ["mill", "river", "flour!", "grain", "and", "of", "the", "bread,", "water.", "Müller", "ground"]
    texts = [" ".join(rng.choices(words, k=rng.randint(20, longest))) for _ in range(DOCUMENTS)]
    return pl.DataFrame({"id": [f"doc-{i}" for i in range(DOCUMENTS)], "text": texts})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.own_filters", description=__doc__)
    parser.add_argument("corpus", nargs="?", help="JSONL file with id and text")
    path = parser.parse_args().corpus
    if path:
        compare(path, pl.read_ndjson(path).select("id", "text").cast(pl.String))
        return
    for name, longest in (("long", 1_000), ("short", 70)):
        compare(name, documents(longest))


def compare(title: str, frame: pl.DataFrame) -> None:
    """Print the ratios for one corpus."""
    title = f"{title}, {frame.height:,} documents"
    tables = [*cut_groups(frame.to_arrow().cast(SCHEMA))]
    marks = Marks()
    sides: dict[str, tuple] = {
        "document form, one count": (lambda t: measure_documents({"own": Shouty()}, t), loop(shouty)),
        "document form, every word": (lambda t: measure_documents({"own": LongWords()}, t), loop(long_words)),
        "batch form": (lambda t: measure_documents({"own": marks}, t), lambda t: marks.measure(Batch.of(t, "unicode"))),
    }
    for name, (ours, plain) in sides.items():
        ratios = []
        for _ in range(ROUNDS + 1):
            spent = seconds(ours, tables)
            ratios.append(spent / seconds(plain, tables))
        print(f"{title}: {name}: {median(ratios[1:]):.2f} times the CPU time without Gristmill")


if __name__ == "__main__":
    main()
