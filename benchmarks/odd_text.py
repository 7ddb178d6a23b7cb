"""Tokenizer training on ten megabytes without a space: CPU seconds and peak memory, or the error message.

    python -m benchmarks.odd_text [--megabytes 10] [--algorithms unigram wordpiece bpe] [--vocab-size 1000]

Each corpus is one document of one line: random DNA, base64, one repeated letter, or random Chinese characters. The
time covers the whole command ``gristmill tokenizer train``. A first command on a small text compiles the kernels.
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
                result = train(str(corpus), f"{folder}/{name}-{algorithm}", algorithm, args.vocab_size)
                if name != "small":
                    print(f"{name:10} {algorithm:9} {result}", flush=True)


def train(corpus: str, target: str, algorithm: str, size: int) -> str:
    options = "--algorithm", algorithm, "--vocab-size", str(size), "--workers", "1", "--output", target
    try:
        ran = run(Side(command=(sys.executable, "-m", "gristmill", "tokenizer", "train", corpus, *options)))
    except BenchmarkError as error:
        return str(error).partition(" ended with ")[2]
    return f"{ran.cpu:6.1f} CPU s, {ran.peak / 1e6:5,.0f} MB"


if __name__ == "__main__":
    main()
