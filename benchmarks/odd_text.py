"""Tokenizers trained on ten megabytes without a space: CPU seconds and peak memory, or the line that refuses it.

    python -m benchmarks.odd_text [--megabytes 10] [--algorithms unigram wordpiece bpe] [--vocab-size 1000]

One line each of DNA, base64, one letter and Chinese characters by chance, each a document of its own that
``gristmill tokenizer train`` is given. The time is that of the whole command, behind one on a small text, which
compiles.
"""

import argparse
import base64
import json
import random
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import BenchmarkError, Side, run

ALGORITHMS = ("unigram", "wordpiece", "bpe")


def texts(size: int) -> dict[str, str]:
    draw = random.Random(0)
    return {
        "DNA": "".join(draw.choices("ACGT", k=size)),
        "base64": base64.b64encode(draw.randbytes(size * 3 // 4)).decode(),
        "one letter": "a" * size,
        "Chinese": "".join(map(chr, draw.choices(range(0x4E00, 0x5000), k=size // 3))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--megabytes", type=float, default=10)
    parser.add_argument("--algorithms", nargs="*", default=list(ALGORITHMS), choices=ALGORITHMS)
    parser.add_argument("--vocab-size", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ({"small": "some text to compile for"} | texts(int(args.megabytes * 1e6))).items():
            corpus = Path(folder) / f"{name}.jsonl"
            corpus.write_text(json.dumps({"text": text}))
            for algorithm in args.algorithms:
                told = train(str(corpus), f"{folder}/{name}-{algorithm}", algorithm, args.vocab_size)
                if name != "small":
                    print(f"{name:10} {algorithm:9} {told}", flush=True)


def train(corpus: str, target: str, algorithm: str, size: int) -> str:
    wanted = "--algorithm", algorithm, "--vocab-size", str(size), "--workers", "1", "--output", target
    try:
        ran = run(Side(command=(sys.executable, "-m", "gristmill", "tokenizer", "train", corpus, *wanted)))
    except BenchmarkError as error:
        return str(error).partition(" ended with ")[2]
    return f"{ran.cpu:6.1f} CPU s, {ran.peak / 1e6:5,.0f} MB"


if __name__ == "__main__":
    main()
