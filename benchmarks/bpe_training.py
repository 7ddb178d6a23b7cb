"""BPE training against the peers on the same text and pre-tokenizer: CPU seconds, peak memory, equal merges.

    python -m benchmarks.bpe_training CORPUS.jsonl.zst … [--megabytes 105] [--vocab-size 32000] [--pretokenizer gpt2]

The text is ``--megabytes`` of all documents in the order of their hashes. If the corpora are too small, the documents
are repeated; each repetition changes letters in some words, so that new words occur. ``--peers`` is the Python of an
environment with any of tokenizers 0.23.3, gigatoken 0.10.0 (only with gpt2) and rustbpe 0.1.0.

Each side is a process on one core, timed from text in memory to merges. Gristmill's peak memory includes counting words
from files. tokenizers and gigatoken break ties by one rule, rustbpe by another; gristmill runs with the rule of the
peer. The merges of a smaller vocabulary are a prefix of those of a larger one, so one size is enough.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from itertools import count, islice
from pathlib import Path

from benchmarks.harness import BenchmarkError, Run, Side, run

PEER = r"""
import json, sys, time
who, path, size, pattern, frequency, out = sys.argv[1:]
texts = [json.loads(line) for line in open(path)]

def tokenizers():
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
    bpe = Tokenizer(models.BPE())
    cut = pre_tokenizers.Split(Regex(pattern), "isolated")
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.pre_tokenizer = pre_tokenizers.Sequence([cut, level])
    if pattern.startswith("'s|'t|"):  # the built-in regex is faster
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    settings = {"vocab_size": int(size), "min_frequency": int(frequency), "initial_alphabet": alphabet}
    trainer = trainers.BpeTrainer(**settings, show_progress=False)
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
# peer -> gristmill's rule for ties that gives equal merges
PEERS = {"tokenizers": "hf", "gigatoken": "hf", "rustbpe": "tiktoken"}
ONE_CORE = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "POLARS_MAX_THREADS": "1"}


def prepare(path: str, megabytes: float, corpora: list[str]) -> None:
    """Write the texts as JSON lines; print their size in MB of UTF-8 as JSON."""
    from benchmarks.near_duplicates import read

    texts = {row.get("text") or row.get("html", "") for corpus in corpora for row in read(corpus)}
    texts = sorted((t.encode("utf-8", "replace") for t in texts), key=lambda t: hashlib.sha256(t).digest())
    size = 0
    with open(path, "w") as file:
        for text, times in ((text, times) for times in count() for text in texts):
            if size >= megabytes * 1e6:
                break
            file.write(json.dumps(another(text, times).decode("utf-8", "replace")) + "\n")
            size += len(text)
    print(json.dumps({"megabytes": size / 1e6}))


def another(text: bytes, times: int) -> bytes:
    """Return the text for a repetition: every 50th word, if longer than 4 bytes, gets other letters."""
    if not times:
        return text
    words = text.split(b" ")
    for i in range(times % 50, len(words), 50):
        if len(words[i]) > 4:
            words[i] = bytes(97 + (b * times + i) % 26 if chr(b).isalpha() and b < 128 else b for b in words[i])
    return b" ".join(words)


def ours(path: str, vocab_size: str, pretokenizer: str, frequency: str, rule: str, out: str) -> None:
    """Run gristmill's side in its own process; compiling the kernels and reading are not timed."""
    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, train_bpe
    from gristmill.tokenizers_lab.count.word_counts import WordCounter, count_words

    settings = BpeSettings(vocab_size=int(vocab_size), compat=rule, min_frequency=int(frequency))
    small = settings.model_copy(update={"vocab_size": 258, "min_frequency": 0})
    train_bpe(count_words([Ragged.from_strings(["ab abc " + "x" * 20] * 2)], pretokenizer), small)
    counter, seconds = WordCounter(pretokenizer), 0.0
    with open(path) as file:
        while lines := [*islice(file, 1000)]:
            text = Ragged.from_strings([json.loads(line) for line in lines])
            began = time.process_time()
            counter.add(text)
            seconds += time.process_time() - began
    began = time.process_time()
    counts = counter.finish()
    counting = seconds + time.process_time() - began
    trained = train_bpe(counts, settings)
    seconds += time.process_time() - began
    pairs = [[trained.pieces[half].hex() for half in pair] for pair in trained.merges.tolist()]
    Path(out).write_text(json.dumps(pairs if rule == "hf" else [[left + right] for left, right in pairs]))
    print(json.dumps({"cpu": seconds, "counting": counting, "words": counts.words.rows, "runs": len(counter.runs)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--megabytes", type=float, default=105)
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--pretokenizer", default="gpt2")
    parser.add_argument("--min-frequency", type=int, default=0)
    parser.add_argument("--peers", help="path of the Python of the peers' environment")
    parser.add_argument("--only", nargs="*", default=list(PEERS), help="names of the peers to run (default all)")
    args = parser.parse_args()
    os.environ |= ONE_CORE
    peers = args.only if args.peers else ()
    size, frequency = str(args.vocab_size), str(args.min_frequency)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/texts.jsonl"
        # In a child process: the memory of this process would count towards the peak of every child.
        prepared = run(_side("prepare", path, args.megabytes, args.corpora))
        print(f"{prepared.said['megabytes']:.1f} MB, vocabulary {size}, {args.pretokenizer}, min_frequency {frequency}")
        mine = {}
        for rule in sorted({PEERS[name] for name in peers} or {"hf"}):
            out = Path(folder) / f"{rule}.json"
            ran = run(_side("ours", path, size, args.pretokenizer, frequency, rule, str(out)))
            mine[rule] = ran, json.loads(out.read_text())
            details = f"counting {ran.said['counting']:.2f}; {ran.said['words']:,} words, {ran.said['runs']} runs"
            print(_line(f"ours, {rule}", ran, details), flush=True)
        for name in peers:
            out, (ran_ours, merges) = Path(folder) / f"{name}.json", mine[PEERS[name]]
            try:
                ran = run(
                    Side(
                        command=(
                            args.peers,
                            "-c",
                            PEER,
                            name,
                            path,
                            size,
                            _pattern(args.pretokenizer),
                            frequency,
                            str(out),
                        )
                    )
                )
            except BenchmarkError as error:
                print(f"  {name:14} {error}")
                continue
            theirs = json.loads(out.read_text())
            equal = sum(a == b for a, b in zip(merges, theirs, strict=False))
            times = ran.said["cpu"] / ran_ours.said["cpu"]
            merged = f"{equal:,} of {len(theirs):,} merges equal, gristmill has {len(merges):,}"
            details = f"gristmill is {times:.1f} times as fast; {merged}"
            print(_line(name, ran, details), flush=True)


def _side(name: str, *given) -> Side:
    return Side(command=(sys.executable, "-c", f"from benchmarks.bpe_training import {name}; {name}(*{given!r})"))


def _pattern(pretokenizer: str) -> str:
    from gristmill.tokenizers_lab.pretokenize import PATTERNS

    return PATTERNS[pretokenizer][0]


def _line(name: str, ran: Run, details: str) -> str:
    return f"  {name:14} {ran.said['cpu']:7.2f} CPU s  {ran.peak / 1e6:6,.0f} MB  {details}"


if __name__ == "__main__":
    main()
