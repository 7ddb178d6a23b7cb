"""Equal decisions of datatrove 0.10.1 and gristmill's datatrove variant: ``python -m benchmarks.parity CORPUS…``.

``make peers`` installs datatrove. Both tools filter the same documents with each of four rule sets, and with FineWeb's
chain of the rule sets. The output has:

- the share of equal answers (words, first reason, the text that C4 keeps) and each difference;
- with ``--time`` the chain's CPU seconds on one core, with an empty cache of chunks (cold) and a full one (warm).

Documents longer than ``--max-bytes`` are skipped, since datatrove reads 0.15 MB/s. ``--sample`` selects a share of the
other documents by the hash of their ids.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gristmill.filters.core.batch import Batch
from gristmill.filters.words import spacy_words
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.ragged import Ragged
from tests.datatrove_answers import CHAIN, answers, judge

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / "build" / "peers" / ".venv" / "bin" / "python"
ORACLE = ROOT / "tests" / "oracle" / "datatrove_oracle.py"
COMPARED = ("words", "repetition", "gopher", "c4", "c4_text", "fineweb", "chain", "chain_text")
BATCH = 2000  # documents


def documents(paths: list[str], max_bytes: int, sample: float) -> list[dict]:
    rows = []
    for table in read_documents(paths, InputSettings(paths=paths)):
        for id, text in zip(table["id"].to_pylist(), table["text"].to_pylist(), strict=True):
            place = int.from_bytes(hashlib.blake2b(id.encode(), digest_size=8).digest(), "big") / 2**64
            if place < sample and len(text.encode()) <= max_bytes:
                rows.append({"id": id, "text": text})
    return rows


def ask(python: str, rows: list[dict], *options: str) -> list[dict]:
    """Return datatrove's answers, or with --time the CPU seconds of its chain."""
    with tempfile.TemporaryDirectory() as folder:
        documents, answers = Path(folder) / "documents.jsonl", Path(folder) / "answers.jsonl"
        documents.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [python, str(ORACLE), str(documents), str(answers), *options]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        lines = output if "--time" in options else answers.read_text()
        return [json.loads(line) for line in lines.splitlines()]


def chain_seconds(texts: list[str]) -> float:
    began = time.process_time()
    for first in range(0, len(texts), BATCH):
        batch = Batch(Ragged.from_strings(texts[first : first + BATCH]), splitter="spacy")
        for rule_set in CHAIN.values():
            batch, _ = judge(rule_set, batch)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--python", default=str(PEER), help="path of the peers' Python (default %(default)s)")
    parser.add_argument("--sample", type=float, default=1.0, help="share of the documents to compare (default 1.0)")
    parser.add_argument(
        "--max-bytes", type=int, default=200_000, help="longest document to compare (default %(default)s)"
    )
    parser.add_argument("--time", action="store_true", help="compare the CPU seconds of the chain too")
    arguments = parser.parse_args()
    if not Path(arguments.python).exists():
        sys.exit(f"Error: no Python at {arguments.python}; run `make peers`")
    rows = documents(arguments.corpora, arguments.max_bytes, arguments.sample)
    texts = [row["text"] for row in rows]
    ours = [answer for i in range(0, len(texts), BATCH) for answer in answers(texts[i : i + BATCH])]
    theirs = ask(arguments.python, rows, "--keep-words")
    print(f"{len(rows):,} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")
    for key in COMPARED:
        differ = [(their, our) for their, our in zip(theirs, ours, strict=True) if their[key] != our[key]]
        print(f"{key:12} {1 - len(differ) / max(len(rows), 1):.4%} equal")
        for their, our in differ:
            print(f"    {their['id']}: datatrove {their[key]}, gristmill {our[key]}")
    if arguments.time:
        chain_seconds(texts[:50])  # compiles
        spacy_words.clear_cache()
        cold, warm = chain_seconds(texts), chain_seconds(texts)
        (peer,) = ask(arguments.python, rows, "--time")
        print(
            f"chain: datatrove {peer['cpu']:.1f} s; gristmill cold {cold:.2f} s, {peer['cpu'] / cold:.0f} x;", end=" "
        )
        print(f"warm {warm:.2f} s, {peer['cpu'] / warm:.0f} x")


if __name__ == "__main__":
    main()
