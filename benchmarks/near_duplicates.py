r"""Near-duplicate removal against labels and a slow implementation: missed pairs and wrong removals.

    python -m benchmarks.near_duplicates CORPUS.jsonl.zst … [--threshold 0.8]

The slow implementation computes the Jaccard similarity of 5-word shingles with Python's ``re`` and sets; of documents
dense in symbols also that of shingles with marks, and the lower of the two. It compares all pairs within each labeled
group, and every removed document with the document it duplicates.
"""

import argparse
import io
import re
import tempfile
import time
from collections import defaultdict
from itertools import combinations
from pathlib import Path
from unicodedata import category

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import zstandard
from upath import UPath

from gristmill.dedup.near.marks import DENSE, SPARSE
from gristmill.dedup.near.near_duplicates import Corpus, NearDuplicates, find_near_duplicates
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.storage.shards import cut_groups, write_shard

SPACELESS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uff66-\uff9f]")
GROUPS = ("near_cluster", "natural_near", "group", "exact_cluster")


def slow_shingles(text: str) -> set:
    """Return 5-word shingles, or 8-character shingles if most letters belong to a script without spaces."""
    letters = re.findall(r"\w", text)
    if sum(bool(SPACELESS.match(letter)) for letter in letters) > len(letters) / 2:
        tokens, size = text.lower(), 8
    else:
        tokens, size = re.findall(r"\w+", text.lower()), 5
    if not letters:
        return set()
    return {tuple(tokens[i : i + size]) for i in range(max(len(tokens) - size + 1, 1))}


def slow_share(text: str) -> float:
    """Return the share of ASCII marks and symbols among letters, digits and marks; 0 in scripts without spaces."""
    letters, marks = re.findall(r"\w", text), [c for c in text if category(c)[0] in "PS" and c != "_"]
    if sum(bool(SPACELESS.match(letter)) for letter in letters) > len(letters) / 2:
        return 0.0
    symbols = sum(c.isascii() or category(c)[0] == "S" for c in marks)
    return symbols / max(len(letters) + len(marks), 1)


def slow_sets(text: str) -> tuple[set, set, bool]:
    """Return the shingles, those with marks (none if symbols are few), and whether the text is dense in symbols."""
    share, marked = slow_share(text), set()
    if share >= SPARSE:
        tokens = [t for t in re.findall(r"\w+|[^\w\s]", text.lower()) if len(t) > 1 or category(t)[0] in "LNPS"]
        marked = {tuple(tokens[i : i + 5]) for i in range(max(len(tokens) - 4, 1))}
    return slow_shingles(text), marked, share >= DENSE


def similarity(a: tuple, b: tuple) -> float:
    """Return the Jaccard similarity of two documents' sets; with marks, if that is lower and one of them is dense."""
    words = jaccard(a[0], b[0])
    return min(words, jaccard(a[1], b[1])) if a[2] or b[2] else words


def jaccard(a: set, b: set) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def read(path: str) -> list[dict]:
    with open(path, "rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8", newline="\n")
        return [orjson.loads(line) for line in lines]


def write(rows: list[dict], folder: Path, shards: int = 2) -> list[str]:
    """Write the rows as shards of documents; return the names of the parts."""
    parts = [f"part-{i:05}" for i in range(shards)]
    for i, part in enumerate(parts):
        some = rows[len(rows) * i // shards : len(rows) * (i + 1) // shards]
        table = pa.table([[r["id"] for r in some], [r["text"] for r in some], [""] * len(some)], DOCUMENT.names)
        write_shard(UPath(folder) / f"{part}.parquet", cut_groups(table.cast(DOCUMENT)), DOCUMENT)
    return parts


def deduplicate(settings: NearDuplicates, rows: list[dict], folder: Path) -> tuple[pl.DataFrame, dict]:
    """Return the duplicates that the step finds, and its counts with the CPU seconds of each stage."""
    parts, seconds = write(rows, folder / "documents"), {}
    corpus = Corpus(UPath(folder / "documents"), UPath(folder / "measures"), parts, lambda _, n: np.ones(n, bool))
    began = time.process_time()
    for part in parts:
        everything = np.arange(corpus.rows[part])
        measured = pl.concat(settings.measure(Batch(text)) for text in corpus.texts(part, everything)).to_arrow()
        write_shard(corpus.measures / f"{part}.parquet", [measured], measured.schema)
    seconds["measure"] = time.process_time() - began
    found, counts = find_near_duplicates(settings, corpus, folder / "scratch")
    seconds["decide"] = time.process_time() - began - seconds["measure"]
    return found, counts | seconds


def evaluate(rows: list[dict], found: pl.DataFrame, threshold: float) -> dict:
    """Count pairs at or above the threshold, missed pairs, exact copies kept, and removals below the threshold."""
    text = {row["id"]: row["text"] for row in rows}
    gone = found.filter(pl.col("duplicate_of").is_not_null())
    kept_by = dict(zip(gone["id"], gone["duplicate_of"], strict=True))
    sets = defaultdict(lambda: None)

    def shingles(id: str) -> tuple:
        sets[id] = slow_sets(text[id]) if sets[id] is None else sets[id]
        return sets[id]

    groups = defaultdict(list)
    for row in rows:
        for label in GROUPS:
            if row["labels"].get(label) is not None:
                groups[label, row["labels"][label]].append(row["id"])
    pairs = missed = copies = copies_kept = 0
    for members in groups.values():
        for a, b in combinations(members, 2):
            both = a not in kept_by and b not in kept_by
            if shingles(a) == shingles(b):
                copies += bool(sets[a][0])
                copies_kept += both and bool(sets[a][0])
            elif similarity(shingles(a), shingles(b)) >= threshold:
                pairs += 1
                missed += both
    wrong = [id for id, kept in kept_by.items() if similarity(shingles(id), shingles(kept)) < threshold]
    chained = [id for id, kept in kept_by.items() if kept in kept_by]
    return {
        "documents": len(rows), "removed": len(kept_by), "pairs": pairs, "missed": missed, "copies": copies,
        "copies_kept": copies_kept, "wrong": len(wrong), "named_but_removed": len(chained),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--threshold", type=float, default=0.8)
    args = parser.parse_args()
    settings = NearDuplicates(threshold=args.threshold)
    with tempfile.TemporaryDirectory() as folder:  # compiles the kernels
        deduplicate(settings, [{"id": str(i), "text": "a b c d e f g 字"} for i in range(3)], Path(folder))
    print(f"threshold {args.threshold}, bands and rows {settings.bands}")
    for path in args.corpora:
        rows = read(path)
        with tempfile.TemporaryDirectory() as folder:
            found, counts = deduplicate(settings, rows, Path(folder))
        megabytes = sum(len(row["text"].encode()) for row in rows) / 1e6
        speed = megabytes / (counts["measure"] + counts["decide"])
        print(Path(path).name, *(f"  {key} {value}" for key, value in counts.items()), sep="\n")
        print(f"  {megabytes:.1f} MB at {speed:.1f} MB per CPU second", evaluate(rows, found, args.threshold))


if __name__ == "__main__":
    main()
