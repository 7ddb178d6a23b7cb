"""Document deduplication, from JSON lines to ledger, against datatrove's four stages: MB per CPU second on one core.

    python -m benchmarks.deduplication CORPUS.jsonl.zst --peer PYTHON [--megabytes 8]

``--peer`` is the Python of an environment with datatrove 0.10.1. datatrove runs its signature, bucket, cluster and
filter stages on the first ``--megabytes`` of the corpus, with FineWeb's 14 buckets of 8 hashes. Gristmill deduplicates
the same text and the whole corpus with the recipe of ``gristmill dedup``. Start-up, imports and the loading of kernels
or tokenizers are not timed on either side.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from benchmarks.near_duplicates import read

PEER = r"""
import contextlib, json, os, sys, time

with contextlib.redirect_stdout(sys.stderr):
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashConfig, MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter
    from datatrove.utils.word_tokenizers import load_word_tokenizer

    load_word_tokenizer("eng").word_tokenize("Loads it.")

    work, source = sys.argv[1:]
    config = MinhashConfig(num_buckets=14, hashes_per_bucket=8)
    place = lambda name: os.path.join(work, name)
    pipelines = [
        [JsonlReader(source), MinhashDedupSignature(place("signatures"), config)],
        [MinhashDedupBuckets(place("signatures"), place("buckets"), config=config)],
        [MinhashDedupCluster(place("buckets"), place("gone"), config=config)],
        [
            JsonlReader(source),
            MinhashDedupFilter(place("gone"), JsonlWriter(place("removed"))),
            JsonlWriter(place("kept")),
        ],
    ]
    spent = []
    for k, pipeline in enumerate(pipelines):
        tasks = config.num_buckets if k == 1 else 1
        began = os.times()
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=place(f"logs{k}")).run()
        ended = os.times()
        spent.append(sum(ended[:4]) - sum(began[:4]))
print(json.dumps(spent))
"""

OURS = r"""
import json, sys, time
from gristmill.flows.clean.dedup_recipes import dedup_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.storage.files import to_path

work, source = sys.argv[1:]
recipe = dedup_recipe("document", [source], [])
clean(recipe, to_path(work + "-first"))  # loads the kernels
began = time.process_time()
clean(recipe, to_path(work))
print(json.dumps([time.process_time() - began]))
"""


def seconds(python: str, program: str, source: Path) -> list[float]:
    """Run a program in a new process and folder; return the CPU seconds of each stage."""
    with tempfile.TemporaryDirectory() as work:
        command = [python, "-c", program, f"{work}/work", str(source)]
        ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{python} failed: {ran.stderr[-2000:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def write(rows: list[dict], megabytes: float, folder: Path) -> float:
    """Write the first rows as JSON lines, up to ``megabytes`` of text; return the MB written."""
    folder.mkdir()
    size = 0
    with (folder / "rows.jsonl").open("wb") as file:
        for row in rows:
            if size < megabytes * 1e6:
                file.write(orjson.dumps({"id": row["id"], "text": row["text"]}) + b"\n")
                size += len(row["text"].encode())
    return size / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpus")
    parser.add_argument("--peer", required=True, help="path of the Python of the peer's environment")
    parser.add_argument("--megabytes", type=float, default=8, help="megabytes of text for datatrove (default 8)")
    args = parser.parse_args()
    rows, speeds = read(args.corpus), []
    with tempfile.TemporaryDirectory() as folder:
        small, whole = Path(folder) / "small", Path(folder) / "whole"
        few, many = write(rows, args.megabytes, small), write(rows, float("inf"), whole)
        seconds(sys.executable, OURS, small)  # compiles the kernels
        for name, size, source in (("same text", few, small), ("whole corpus", many, whole)):
            speeds.append(size / sum(seconds(sys.executable, OURS, source)))
            print(f"gristmill, {name}: {size:.1f} MB at {speeds[-1]:.1f} MB a CPU second", flush=True)
        stages = seconds(args.peer, PEER, small)
    print("datatrove, CPU seconds: " + ", ".join(f"{stage:.1f}" for stage in stages))
    theirs = few / sum(stages)
    times = [speed / theirs for speed in speeds]
    print(f"datatrove: {few:.1f} MB at {theirs:.2f} MB a CPU second", end="; ")
    print("gristmill {:.0f} times as fast on the same text, {:.0f} on the whole corpus".format(*times))


if __name__ == "__main__":
    main()
