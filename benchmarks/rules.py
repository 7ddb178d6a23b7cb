"""Gristmill's side of the rules comparison; only the measuring is timed.

python -m benchmarks.rules DOCUMENTS BAD_WORDS
"""

import json
import sys
import time

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.core.profiles import NO_PROFILE
from gristmill.filters.registry import FILTERS
from gristmill.filters.rules.keywords import Keywords
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.shards import cut_groups


def chain(words: str) -> dict[str, Filter]:
    """Return the rule sets in the default recipe's order, then C4's bad words with a maximum of 0 hits."""
    rule_sets = {name: FILTERS[name]() for name in ("c4", "gopher", "repetition", "fineweb")}
    return rule_sets | {"keywords": Keywords(lists={"*": words}, max_hits=0, max_density=None)}


def batches(path: str) -> list[pa.Table]:
    """Return the documents as tables of the size of a shard's row groups."""
    return [*cut_groups(pl.read_ndjson(path).to_arrow())]


def dropped(rule_sets: dict[str, Filter], frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Return one row per document and one column per rule set: True if the document breaks one of its rules."""
    no_language = np.full(len(next(iter(frames.values()))), NO_PROFILE, object)
    return pl.DataFrame({name: decide(s, frames[name], no_language).list.len() > 0 for name, s in rule_sets.items()})


def main(path: str, words: str) -> None:
    rule_sets, tables = chain(words), batches(path)
    measure_documents(rule_sets, tables[0].slice(0, 100))  # compiles, or reads the cache
    began, clock = time.process_time(), time.perf_counter()
    measured = [measure_documents(rule_sets, table) for table in tables]
    spent = {"cpu": time.process_time() - began, "wall": time.perf_counter() - clock}
    broken = pl.concat([dropped(rule_sets, frames) for frames in measured])
    kept = broken.select(pl.all().not_().sum(), all=pl.all_horizontal(pl.all().not_()).sum()).row(0, named=True)
    size = sum(Ragged.from_text(table[TEXT]).data.size for table in tables)
    print(json.dumps({"bytes": size, **spent, "documents": len(broken), "kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
