"""BPE training, ours and the peers', on the same text with the same split: CPU seconds, peak memory, equal merges.

    python -m benchmarks.bpe_training CORPUS.jsonl.zst … [--megabytes 105] [--vocab-size 32000] [--peers PYTHON]

Documents of all files, by the hash of their text, until there is enough. ``--peers`` is the Python of an environment with
any of tokenizers 0.23.3, gigatoken 0.10.0 and rustbpe 0.1.0. Each side is a process on one core, timed from text in
memory to merges. tokenizers and gigatoken follow one rule for ties, rustbpe another: each is compared with ours by its.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.harness import BenchmarkError, Run, Side, run

PEER = r"""
import json, sys, time
who, path, size, pattern, out = sys.argv[1:]
texts = json.load(open(path))

def tokenizers():
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=int(size), initial_alphabet=alphabet, show_progress=False)
    yield
    bpe.train_from_iterator(texts, trainer)
    yield
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    byte = {chr(b): b for b in printable} | {chr(256 + i): b for i, b in enumerate(others)}
    yield [[bytes(byte[c] for c in half) for half in pair] for pair in json.loads(bpe.to_str())["model"]["merges"]]

def gigatoken():
    from gigatoken import train_bpe
    separator = b"\x00<end of document>\x00"
    text = separator.join(text.encode() for text in texts)
    yield
    _, merges = train_bpe(text, int(size), [], separator=separator)
    yield
    yield merges

def rustbpe():
    from rustbpe import Tokenizer
    bpe = Tokenizer()
    yield
    bpe.train_from_iterator(iter(texts), int(size), pattern=pattern)
    yield
    yield [[piece] for piece, _ in bpe.get_mergeable_ranks()[256:]]

steps = {f.__name__: f for f in (tokenizers, gigatoken, rustbpe)}[who]()
next(steps)
cpu, wall = time.process_time(), time.perf_counter()
next(steps)
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
json.dump([[half.hex() for half in pair] for pair in next(steps)], open(out, "w"))
print(json.dumps({"cpu": cpu, "wall": wall}))
"""
PEERS = {"tokenizers": "hf", "gigatoken": "hf", "rustbpe": "tiktoken"}  # and the rule that answers alike
ONE_CORE = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "POLARS_MAX_THREADS": "1"}


def ours(path: str, vocab_size: int, rule: str, out: str) -> None:
    """Our side, in a process of its own; the kernels are compiled before."""
    import time

    from pipelines.ragged import Ragged
    from tokenizers_lab.bpe import BpeSettings, train_bpe
    from tokenizers_lab.count import count_words

    settings = BpeSettings(vocab_size=vocab_size, rule=rule)
    small = BpeSettings(vocab_size=258, rule=rule)
    train_bpe(count_words([Ragged.from_strings(["ab abc " + "x" * 20] * 2)], "gpt2", 1), small)
    texts = json.loads(Path(path).read_bytes())
    batches = [Ragged.from_strings(texts[i : i + 1000]) for i in range(0, len(texts), 1000)]
    del texts
    cpu, wall = time.process_time(), time.perf_counter()
    counts = count_words(batches, "gpt2")
    counted = time.process_time() - cpu
    trained = train_bpe(counts, settings)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    pairs = [[trained.pieces[half] for half in pair] for pair in trained.merges.tolist()]
    pairs = pairs if rule == "hf" else [[left + right] for left, right in pairs]
    Path(out).write_text(json.dumps([[half.hex() for half in pair] for pair in pairs]))
    print(json.dumps({"cpu": cpu, "wall": wall, "counting": counted, "words": counts.words.rows}))


def prepare(corpora: list[str], megabytes: float, path: Path) -> float:
    """Write the texts as one JSON list and return how many MB of UTF-8 they are."""
    from benchmarks.near_duplicates import read

    texts = [row.get("text") or row.get("html", "") for corpus in corpora for row in read(corpus)]
    texts = sorted({text.encode("utf-8", "replace") for text in texts}, key=lambda t: hashlib.sha256(t).digest())
    taken, size = [], 0
    for text in texts:
        if size < megabytes * 1e6:
            taken.append(text.decode())
            size += len(text)
    path.write_text(json.dumps(taken))
    return size / 1e6


def said(name: str, ran: Run, ours: Run | None, equal: str) -> str:
    cpu = ran.said["cpu"]
    times = f"gristmill {cpu / ours.said['cpu']:.1f} times as fast" if ours else ""
    return f"  {name:12} {cpu:7.2f} CPU s  {ran.said['wall']:7.2f} s  {ran.peak / 1e6:6,.0f} MB  {times}{equal}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--megabytes", type=float, default=105)
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--peers", help="Python of the peers' environment")
    parser.add_argument("--only", nargs="*", default=list(PEERS), help="peers to run")
    args = parser.parse_args()
    os.environ |= ONE_CORE
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.json"
        # The list is made in a child: what this process holds would count into the peak of every one it starts.
        prepared = [sys.executable, "-c", "from benchmarks import bpe_training as b, sys; print()"]
        prepared[2] = (
            "import json, sys; from pathlib import Path; from benchmarks.bpe_training import prepare; "
            f"print(json.dumps({{'megabytes': prepare(sys.argv[2:], {args.megabytes}, Path(sys.argv[1]))}}))"
        )
        megabytes = run(Side(command=(*prepared, str(path), *args.corpora))).said["megabytes"]
        print(f"{megabytes:.1f} MB, vocabulary {args.vocab_size:,}, split gpt2")
        mine = {}
        for rule in {PEERS[name]: None for name in args.only} if args.peers else ("hf",):
            out = Path(folder) / f"{rule}.json"
            code = f"from benchmarks.bpe_training import ours; ours({str(path)!r}, {args.vocab_size}, {rule!r}, {str(out)!r})"
            ran = run(Side(command=(sys.executable, "-c", code)))
            mine[rule] = ran, json.loads(out.read_text())
            print(
                said(
                    f"ours, {rule}",
                    ran,
                    None,
                    f"of it counting {ran.said['counting']:.2f}, {ran.said['words']:,} words",
                )
            )
        for name in args.only if args.peers else ():
            out, (ran_ours, merges) = Path(folder) / f"{name}.json", mine[PEERS[name]]
            from tokenizers_lab.split import PATTERNS

            pattern = PATTERNS["gpt2"][0]
            try:
                ran = run(
                    Side(command=(args.peers, "-c", PEER, name, str(path), str(args.vocab_size), pattern, str(out)))
                )
            except BenchmarkError as error:
                print(f"  {name:12} {error}")
                continue
            theirs = json.loads(out.read_text())
            equal = sum(a == b for a, b in zip(merges, theirs, strict=False))
            print(said(name, ran, ran_ours, f", {equal:,} of {len(theirs):,} merges equal"))


if __name__ == "__main__":
    main()
