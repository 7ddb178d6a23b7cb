"""Near-duplicate removal at growing corpus sizes: MB per CPU second of each stage, and peak memory.

    python -m benchmarks.scaling CORPUS.jsonl.zst [--copies 1 10 40] [--memory-mb 64]

Speed and memory should not depend on the size. Each copy of the corpus uses its own permutation of the Latin, Greek and
Cyrillic letters, so documents are near-duplicates only within a copy. Each size runs in a fresh process; an
earlier run on a few rows compiles the kernels. ``cluster stage`` is the size of the arrays that grow with the corpus.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from benchmarks.near_duplicates import read, write
from gristmill.dedup.near.near_duplicates import NearDuplicates, find_buckets, select_documents
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.storage.shards import write_shard

LETTERS = [[chr(c) for c in range(first, last + 1)] for first, last in ((97, 122), (0x3B1, 0x3C9), (0x430, 0x44F))]


def alphabet(copy: int) -> np.ndarray:
    """Return a uint32[0x110000] map of code points that permutes the letters within each script and case."""
    draw, table = random.Random(copy), np.arange(0x110000, dtype="<u4")
    for script in LETTERS:
        mixed = draw.sample(script, len(script)) if copy else script
        for a, b in zip(script, mixed, strict=True):
            table[ord(a)] = ord(b)
            if len(a.upper()) == 1 == len(b.upper()):
                table[ord(a.upper())] = ord(b.upper())
    return table


def translate(text: str, table: np.ndarray) -> str:
    """Translate a text like ``str.translate``, which would take longer than the deduplication."""
    return table[np.frombuffer(text.encode("utf-32-le"), "<u4")].tobytes().decode("utf-32-le")


def prepare(rows: list[dict], copies: int, documents: Path) -> list[str]:
    parts = []
    for copy in range(copies):
        table = alphabet(copy)
        some = [{"id": f"{copy}/{row['id']}", "text": translate(row["text"], table)} for row in rows]
        for part in write(some, documents / "new"):
            parts.append(f"copy-{copy:03}-{part}")
            (documents / "new" / f"{part}.parquet").rename(documents / f"{parts[-1]}.parquet")
    return parts


def run(folder: Path, memory_mb: int) -> None:
    """Measure one size. A first pass over a few documents loads the kernels."""
    settings = NearDuplicates(memory_mb=memory_mb)
    deduplicate(folder / "few", settings)
    corpus, seconds, removed, counts = deduplicate(folder / "all", settings)
    peak = peak_mb()
    texts = (text for part in corpus.parts for text in corpus.texts(part, np.arange(corpus.rows[part])))
    megabytes = sum(text.data.size for text in texts) / 1e6
    speeds = ", ".join(f"{stage} {megabytes / spent:.1f}" for stage, spent in seconds.items())
    print(f"{megabytes:.0f} MB: {speeds} MB per CPU second, peak {peak} MB, {removed} removed, {counts}")
    each = [counts["cluster_bytes"] / max(n, 1) for n in (corpus.n_documents, counts["candidates"])]
    print("  cluster stage {:.1f} bytes per document, {:.1f} per candidate".format(*each), flush=True)


def deduplicate(folder: Path, settings: NearDuplicates) -> tuple[Corpus, dict[str, float], int, dict]:
    """Measure and decide; return the corpus, the CPU seconds of both stages, the number of duplicates, and counts."""
    parts = [path.stem for path in sorted((folder / "documents").glob("*.parquet"))]
    corpus = Corpus(UPath(folder / "documents"), UPath(folder / "measures"), parts, lambda _, n: np.ones(n, bool))
    began = time.process_time()
    for part in parts:
        everything = np.arange(corpus.rows[part])
        measured = pl.concat(settings.measure(Batch(text)) for text in corpus.texts(part, everything)).to_arrow()
        write_shard(corpus.measures / f"{part}.parquet", [measured], measured.schema)
    middle = time.process_time()
    scratch = folder / "scratch"
    clusters, counts = select_documents(settings, corpus, find_buckets(settings, corpus, scratch), scratch)
    removed = sum(clusters.of_part(part)["duplicate_of"].count() for part in parts)
    ended = time.process_time()
    return corpus, {"measure": middle - began, "decide": ended - middle, "both": ended - began}, removed, counts


def peak_mb() -> int:
    """Return this process's peak memory. ru_maxrss would start at the memory of the parent, which wrote the corpus."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) >> 10


def main() -> None:
    if sys.argv[1] == "--run":
        return run(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 10, 40])
    parser.add_argument("--memory-mb", type=int, default=64)
    args = parser.parse_args()
    rows = read(args.corpus)
    for copies in (0, *args.copies):  # 0: compiles the kernels
        with tempfile.TemporaryDirectory() as folder:
            prepare(rows[:50] + rows[:50], 2, Path(folder) / "few" / "documents")
            prepare(rows if copies else rows[:50], copies or 1, Path(folder) / "all" / "documents")
            command = [sys.executable, "-m", "benchmarks.scaling", "--run", folder, str(args.memory_mb)]
            subprocess.run(command, check=True, stdout=None if copies else subprocess.DEVNULL)


if __name__ == "__main__":
    main()
