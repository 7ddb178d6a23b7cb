r"""Removal of repeated passages against labels: planted spans cut, and documents that lose a unique line.

    python -m benchmarks.repeats CORPUS.jsonl.zst [--unit line] [--min-bytes 20] [--min-copies 2]
    python -m benchmarks.repeats CORPUS.jsonl.zst --near-threshold 0.8 [--edits 0.01]

A planted span counts as found if nine tenths of its bytes are cut; one copy of each text may stay. Unique lines
are counted independently with Python's ``re`` over the whole corpus; a document loses one if that line is not in the
text kept in the documents that the report names either, where it may be wrapped otherwise.

With ``--near-threshold`` the script first edits the planted copies. In each line it replaces a random share of the
letters, ``--edits``, at least one. Two checks follow, with similarities computed from Python's sets:

- Of two similar copies of a line at least one must be cut.
- Every cut line that is no exact duplicate must be similar to a line kept in the document that the report names.
"""

import argparse
import random
import re
import tempfile
import time
import unicodedata
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
from upath import UPath

from benchmarks.near_duplicates import jaccard, read, write
from gristmill.dedup.passages.repeated import RepeatedPassages, find_repeats
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.storage.shards import write_shard

LINES = re.compile("\r\n|[\n\v\f\r\x85\u2028\u2029]")
HIDDEN = re.compile("[\u00ad\u034f\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]")
FOUND = 0.9


def cut_spans(
    settings: RepeatedPassages, rows: list[dict], folder: Path
) -> tuple[dict, pl.DataFrame, pl.DataFrame, float]:
    """Return the byte spans cut by document id, the passages cut, the most frequent passages and the CPU seconds."""
    parts = write(rows, folder / "documents")
    corpus = Corpus(UPath(folder / "documents"), UPath(folder / "measures"), parts, lambda _, n: np.ones(n, bool))
    began = time.process_time()
    for part in parts:
        texts = corpus.texts(part, np.arange(corpus.rows[part]))
        measured = pl.concat(settings.measure(Batch(text)) for text in texts).to_arrow()
        write_shard(corpus.measures / f"{part}.parquet", [measured], measured.schema)
    spans, cuts, top = defaultdict(list), [], []
    for part, table, _, found, most in find_repeats(settings, corpus, folder / "scratch"):
        cuts.append(found)
        top.append(most)
        for row, offset, length in zip(*(table[name].to_pylist() for name in ("row", "offset", "length")), strict=True):
            spans[rows[corpus.first[part] + row]["id"]].append((offset, offset + length))
    return spans, pl.concat(cuts), pl.concat(top), time.process_time() - began


def recall(rows: list[dict], kept: dict[str, np.ndarray], planted) -> tuple[int, int]:
    """Count the planted spans found and those to find, which is all except one copy of each text.

    ``planted(row)`` returns a list of (text, start, end).
    """
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
    return [joined for line in LINES.split(text) if (joined := plain(line))]


def plain(text: str) -> str:
    """Return the text as passages are compared: composed, without hidden characters, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFC", HIDDEN.sub("", text)).split())


def plants(row: dict) -> list:
    return paragraphs(row) + boilerplate(row)


def edit(rows: list[dict], share: float) -> list[tuple]:
    """Replace letters of every planted line in place; return each copy's line key, document id, start and end byte."""
    copies = []
    for row in rows:
        text = list(row["text"])
        for key, start, end in plants(row):
            for number, line in enumerate(re.finditer(r"[^\n]+", row["text"][start:end])):
                places = [start + at for at in range(*line.span()) if text[start + at].isalpha()]
                draw = random.Random(f"{row['id']} {start} {number}")
                for at in draw.sample(places, min(len(places), max(1, round(share * len(places))))):
                    text[at] = draw.choice("abcdefghijklmnopqrstuvwxyz")
                copies.append(((key, number), row["id"], start + line.start(), start + line.end()))
        row["text"] = "".join(text)
    texts = {row["id"]: row["text"] for row in rows}
    return [(k, i, len(texts[i][:a].encode()), len(texts[i][:b].encode())) for k, i, a, b in copies]


def slow_set(line: str, settings: RepeatedPassages) -> set:
    """Return the character shingles of a line; an empty set if the line is too short to compare."""
    text, size = " ".join(line.split()).lower(), settings.near_shingle_size
    if len(re.findall(r"\w", text)) < settings.near_min_letters:
        return set()
    return {text[i : i + size] for i in range(max(len(text) - size + 1, 1))}


def missed(
    texts: dict[str, bytes], kept: dict[str, np.ndarray], copies: list, settings: RepeatedPassages
) -> tuple[int, int]:
    """Count the pairs of similar, unequal copies of a line: the pairs of which both stay, and all pairs."""
    by_text, both, pairs = defaultdict(list), 0, 0
    for key, id, begin, end in copies:
        line = slow_set(texts[id][begin:end].decode(), settings)
        if line:
            by_text[key].append((line, kept[id][begin:end].mean() > 1 - FOUND))
    for lines in by_text.values():
        for (left, left_stays), (right, right_stays) in combinations(lines, 2):
            if left != right and jaccard(left, right) >= settings.near_threshold:
                pairs += 1
                both += left_stays and right_stays
    return both, pairs


def unproven(
    texts: dict[str, bytes], kept: dict, cut: pl.DataFrame, settings: RepeatedPassages
) -> tuple[list[str], int]:
    """Return the documents with a near-duplicate line cut without a similar kept line, and the unique lines cut."""
    counts = Counter(line for text in texts.values() for line in lines(text.decode()))
    wrong, once = [], 0
    for (keeper,), some in cut.filter(pl.col("similarity") < 1).group_by("kept_in", maintain_order=True):
        stays = [
            slow_set(line, settings)
            for line in lines(np.frombuffer(texts[keeper], np.uint8)[kept[keeper]].tobytes().decode())
        ]
        for id, offset, length, *_ in some.iter_rows():
            text = texts[id][offset : offset + length].decode()
            line, least = slow_set(text, settings), settings.near_threshold
            once += counts[" ".join(text.split())] == 1
            near = (other for other in stays if least * len(line) <= len(other) <= len(line) / least)
            wrong += [] if any(jaccard(line, other) >= least for other in near) else [id]
    return wrong, once


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--unit", default="line")
    parser.add_argument("--min-bytes", type=int, default=RepeatedPassages.model_fields["min_bytes"].default)
    parser.add_argument("--min-copies", type=int, default=RepeatedPassages.model_fields["min_copies"].default)
    parser.add_argument(
        "--near-threshold", type=float, help="edit the planted lines and remove near-duplicates at this similarity"
    )
    parser.add_argument(
        "--edits", type=float, default=0.01, help="share of the letters of a line to replace (default 0.01)"
    )
    args = parser.parse_args()
    chosen = {"unit": args.unit, "min_bytes": args.min_bytes, "min_copies": args.min_copies}
    settings, rows = RepeatedPassages(**chosen, near_threshold=args.near_threshold), read(args.corpus)
    copies = edit(rows, args.edits) if args.near_threshold else []
    with tempfile.TemporaryDirectory() as folder:  # compiles the kernels
        cut_spans(settings, rows[:2], Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        spans, cut, top, seconds = cut_spans(settings, rows, Path(folder))
    texts, kept, cut_bytes = {row["id"]: row["text"].encode() for row in rows}, {}, 0
    for row in rows:
        kept[row["id"]] = np.ones(len(texts[row["id"]]), np.bool_)
        for begin, end in spans.get(row["id"], ()):
            kept[row["id"]][begin:end] = False
            cut_bytes += end - begin
    total = sum(mask.size for mask in kept.values())
    print(f"{total / 1e6:.1f} MB at {total / 1e6 / seconds:.1f} MB per CPU second; {cut_bytes / total:.2%} of it cut")
    if args.near_threshold:
        both, pairs = missed(texts, kept, copies, settings)
        print(
            f"{both} of {pairs} pairs of edited lines with similarity {args.near_threshold} or more both stay, "
            f"{both / max(pairs, 1):.2%}"
        )
        wrong, once = unproven(texts, kept, cut, settings)
        print(f"{once} unique lines are cut, {len(wrong)} cut lines are similar to no kept line", *wrong[:5])
        return
    for name, planted in (("repeated paragraphs", paragraphs), ("boilerplate", boilerplate)):
        found, least = recall(rows, kept, planted)
        print(f"{name}: {found} of {least} planted spans cut, {found / max(least, 1):.2%}")
    counts, lost = Counter(line for row in rows for line in lines(row["text"])), []
    left = {id: np.frombuffer(text, np.uint8)[kept[id]].tobytes().decode() for id, text in texts.items()}
    keepers = dict(cut.group_by("id").agg(pl.col("kept_in").unique()).iter_rows())
    for row in rows:
        gone = [line for line in Counter(lines(row["text"])) - Counter(lines(left[row["id"]])) if counts[line] == 1]
        whole = [plain(left[id]) for id in keepers[row["id"]]] if gone else []
        lost += [row["id"]] if any(line not in " ".join(whole) for line in gone) else []
    print(f"{len(lost)} documents lose a unique line", *lost[:5])
    for text, copies, documents, *_ in top.head(10).iter_rows():
        print(f"{copies:>7,} copies in {documents:>6,} documents  {text[:90]!r}")


if __name__ == "__main__":
    main()
