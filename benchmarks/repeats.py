r"""Repeated passages against labels: planted paragraphs and site lines found, documents that lose what occurs once.

    python -m benchmarks.repeats CORPUS.jsonl.zst [--passage line] [--min-characters 20] [--min-copies 2]

A planted span is found when nine tenths of its characters are cut; of each text one copy may stay. What occurs once is
counted anew with Python's ``re`` over the whole corpus.
"""

import argparse
import re
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from benchmarks.near_duplicates import Batch, read, write
from dedup.corpus import Corpus
from dedup.sentences import Repeats, find_repeats
from pipelines.shards import write_shard

LINES = re.compile("\r\n|[\n\v\f\r\x85\u2028\u2029]")
FOUND = 0.9


def cut_spans(settings: Repeats, rows: list[dict], folder: Path) -> tuple[dict[str, list], pl.DataFrame, float]:
    """Byte spans cut from each document by id, the most copied passages, CPU seconds."""
    parts = write(rows, folder / "documents")
    corpus = Corpus(UPath(folder / "documents"), UPath(folder / "measures"), parts, lambda _, n: np.ones(n, bool))
    began = time.process_time()
    for part in parts:
        texts = corpus.texts(part, np.arange(corpus.rows[part]))
        measured = pl.concat(settings.measure(Batch(text)) for text in texts).to_arrow()
        write_shard(corpus.measures / f"{part}.parquet", [measured], measured.schema)
    spans, top = defaultdict(list), []
    for part, table, _, most in find_repeats(settings, corpus, folder / "scratch"):
        top.append(most)
        for row, offset, length in zip(*(table[name].to_pylist() for name in ("row", "offset", "length")), strict=True):
            spans[rows[corpus.first[part] + row]["id"]].append((offset, offset + length))
    return spans, pl.concat(top), time.process_time() - began


def recall(rows: list[dict], kept: dict[str, np.ndarray], planted) -> tuple[int, int]:
    """Planted spans found, of all but one copy of each text; ``planted(row)`` -> (text, start, end)."""
    copies, found = Counter(), Counter()
    for row in rows:
        for key, start, end in planted(row):
            begin, stop = len(row["text"][:start].encode()), len(row["text"][:end].encode())
            copies[key] += 1
            found[key] += kept[row["id"]][begin:stop].mean() <= 1 - FOUND
    least = sum(copies.values()) - len(copies)
    return sum(min(found[key], copies[key] - 1) for key in copies), least


def paragraphs(row: dict) -> list:
    return [(span["pid"], span["start"], span["end"]) for span in row["labels"].get("repeated_paragraphs") or ()]


def boilerplate(row: dict) -> list:
    spans = row["labels"].get("boilerplate") or ()
    return [(" ".join(row["text"][start:end].split()), start, end) for start, end in spans]


def lines(text: str) -> list[str]:
    return [joined for line in LINES.split(text) if (joined := " ".join(line.split()))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--passage", default="line")
    parser.add_argument("--min-characters", type=int, default=Repeats.model_fields["min_characters"].default)
    parser.add_argument("--min-copies", type=int, default=Repeats.model_fields["min_copies"].default)
    args = parser.parse_args()
    settings = Repeats(passage=args.passage, min_characters=args.min_characters, min_copies=args.min_copies)
    rows = read(args.corpus)
    with tempfile.TemporaryDirectory() as folder:  # compiles the kernels
        cut_spans(settings, rows[:2], Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        spans, top, seconds = cut_spans(settings, rows, Path(folder))
    kept, cut_bytes = {}, 0
    for row in rows:
        kept[row["id"]] = np.ones(len(row["text"].encode()), np.bool_)
        for begin, end in spans.get(row["id"], ()):
            kept[row["id"]][begin:end] = False
            cut_bytes += end - begin
    total = sum(mask.size for mask in kept.values())
    print(f"{total / 1e6:.1f} MB at {total / 1e6 / seconds:.1f} MB a CPU second; {cut_bytes / total:.2%} of it cut")
    for name, planted in (("repeated paragraphs", paragraphs), ("boilerplate", boilerplate)):
        found, least = recall(rows, kept, planted)
        print(f"{name}: {found} of {least} planted spans cut, {found / max(least, 1):.2%}")
    counts, lost = Counter(line for row in rows for line in lines(row["text"])), []
    for row in rows:
        left = row["text"].encode()
        for begin, end in reversed(spans.get(row["id"], ())):
            left = left[:begin] + left[end:]
        gone = Counter(lines(row["text"])) - Counter(lines(left.decode()))
        lost += [row["id"]] if any(counts[line] == 1 for line in gone) else []
    print(f"{len(lost)} documents lose a line that occurs once", *lost[:5])
    for text, copies, documents, *_ in top.head(10).iter_rows():
        print(f"{copies:>7,} copies in {documents:>6,} documents  {text[:90]!r}")


if __name__ == "__main__":
    main()
