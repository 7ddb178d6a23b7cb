"""BPE encoding against the peers with one vocabulary: equal ids on all texts, and MB per CPU second.

    python -m benchmarks.bpe_encoding CORPUS.jsonl.zst … [--pretokenizer gpt2] [--vocab-size 32000] [--megabytes 2]
        [--peers PYTHON] [--all]

The samples are ``--megabytes`` of each corpus, selected by the hash of the text, and the mix: half of every sample. The
vocabulary is trained on all samples. The benchmark measures on one core:

- *Samples*: each side encodes each sample, first with an empty cache and then warm, and the ids of all sides are
  compared.
- *Long pre-tokens*: one megabyte of each odd text, relative to the time per byte of the first corpus.
- *Dropout*: BPE-dropout with probability 0.1.

``--peers`` is the Python of an environment with gigatoken 0.10.0, timed with lists of ids and with arrays. ``--all``
also compares ids on every document of the corpora and on every code point in six contexts.
"""

import argparse
import hashlib
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Side, run

ONE_CORE = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "POLARS_MAX_THREADS": "1"}
BATCH = 1000
ROUNDS = 5
MIX = "the mix"
RANDOM = random.Random(5)
ODD = {
    "one letter": "a" * 10**6,
    "spaces": " " * 10**6,
    "newlines": "\n" * 10**6,
    "emoji with joiners": "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 60_000,
    "random letters": "".join(RANDOM.choices("abcdefghijklmnopqrstuvwxyz", k=10**6)),
    "random of two letters": "".join(RANDOM.choices("ab", k=10**6)),
}
PEER = r"""
import json, sys, time
import numpy
from gigatoken import Tokenizer
folder, pretokenizer, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
texts, seconds = json.load(open(folder + "/texts.json")), {}
for name, way in (("lists", "encode_batch_list"), ("arrays", "encode_batch")):
    encode, seconds[name] = getattr(Tokenizer.from_tiktoken(folder + "/ranks.tiktoken", pretokenizer), way), []
    for _ in range(rounds):
        began = time.process_time()
        ids = encode(texts)
        seconds[name].append(time.process_time() - began)
numpy.save(folder + "/ids.npy", numpy.concatenate([numpy.asarray(each, numpy.uint32) for each in ids]))
print(json.dumps(seconds))
"""
# pre-tokenizer -> gigatoken's name of it
GIGATOKEN = {"gpt2": "gpt2", "cl100k-tiktoken": "cl100k", "o200k": "o200k"}


def documents(path: str) -> list[str]:
    from benchmarks.near_duplicates import read

    texts = (row.get("text") or row.get("html") or "" for row in read(path))
    return [text.encode("utf-8", "replace").decode() for text in texts]


def sample(texts: list[str], megabytes: float) -> list[str]:
    """Return up to ``megabytes`` of the texts in the order of their hashes, the last one truncated to fit."""
    taken, room = [], int(megabytes * 1e6)
    for text in sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if room <= 0:
            break
        taken.append(text[:room])
        room -= len(taken[-1].encode())
    return taken


def code_points() -> list[str]:
    """Return texts with each code point in six contexts: letters, spaces, digits, apostrophe, alone, line end."""
    texts = []
    for begin in range(0, 0x110000, 256):
        points = [chr(code) for code in range(begin, begin + 256) if not 0xD800 <= code < 0xE000]
        texts += ["\n\n".join(f"a{c}b {c} 1{c}2 '{c}s {c}\n{c}" for c in points)] if points else []
    return texts


def timed(work: Callable, rounds: int = ROUNDS) -> tuple[list[float], Any]:
    """Return the CPU seconds of each round and the result of the last."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        result = work()
        seconds.append(time.process_time() - began)
    return seconds, result


class Sides:
    """Tokenizers of gristmill, tokenizers and tiktoken with one vocabulary."""

    def __init__(self, model):
        import tiktoken
        import tokenizers

        from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
        from gristmill.tokenizers_lab.pretokenize import PATTERNS

        self.model, self.hf = model, tokenizers.Tokenizer.from_str(to_huggingface(model).decode())
        ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special_ids}
        pattern = PATTERNS[model.pretokenizer][0]
        self.tik = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens=model.special)
        self.fresh()(batches(["compiled before the timing", *ODD.values()])[0])

    def fresh(self):
        """Return a gristmill tokenizer with an empty cache."""
        from gristmill.tokenizers_lab.tokenizer import Tokenizer

        return Tokenizer(self.model)

    def tiktoken(self, text: str) -> list[int] | None:
        """Return tiktoken's ids, or None on a panic: version 0.14 overflows its stack on a megabyte of white space."""
        try:
            return self.tik.encode_ordinary(text)
        except BaseException as error:
            if type(error).__name__ != "PanicException":
                raise
            return None

    def differ(self, texts: list[str], ours: list[np.ndarray]) -> str:
        differ, refused = [0, 0], 0
        for text, ids in zip(texts, ours, strict=True):
            theirs = self.tiktoken(text)
            refused += theirs is None
            differ[0] += self.hf.encode(text).ids != ids.tolist()
            differ[1] += theirs is not None and theirs != ids.tolist()
        line = f"{differ[0]} differ from tokenizers, {differ[1]} from tiktoken"
        return line + (f", which failed on {refused}" if refused else "")


def batches(texts: list[str]) -> list:
    """Split the texts into Ragged arrays of up to BATCH texts."""
    from gristmill.pipelines.ragged import Ragged

    return [Ragged.from_strings(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]


def rows(encoded: Iterable) -> list[np.ndarray]:
    return [ids for batch in encoded for ids in np.split(batch.data, batch.offsets[1:-1])]


def gigatoken(python: str, model, texts: list[str]) -> tuple[dict[str, list[float]], np.ndarray]:
    """Return gigatoken's CPU seconds per round, with lists and with arrays, and its ids as one array."""
    from gristmill.tokenizers_lab.formats.tiktoken import to_tiktoken

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(texts))
        (Path(folder) / "ranks.tiktoken").write_bytes(to_tiktoken(model))
        seconds = run(Side(command=(python, "-c", PEER, folder, GIGATOKEN[model.pretokenizer], str(ROUNDS)))).said
        return seconds, np.load(f"{folder}/ids.npy")


def compare(sides: Sides, samples: dict[str, list[str]], python: str | None) -> float:
    """Print a line per sample; return gristmill's warm seconds per byte on the first sample."""
    print(f"\nMB per CPU second, first and warm; warm speed as a multiple of the peers'\n{'':36} MB   first    warm")
    prose = 0.0
    for name, texts in samples.items():
        ours, given = sides.fresh(), batches(texts)
        size = sum(batch.data.size for batch in given) / 1e6
        seconds, encoded = timed(lambda ours=ours, given=given: [ours(batch) for batch in given])
        best, ids = min(seconds[1:]), rows(encoded)
        line = f"{name[:32]:32} {size:6.1f} {size / seconds[0]:7.1f} {size / best:7.1f}"
        prose = prose or best / (size * 1e6)
        differ = []
        if python:
            peer, theirs = gigatoken(python, sides.model, texts)
            for way, spent in peer.items():
                line += f"  gigatoken's {way} {min(spent[1:]) / best:.2f}"
            differ.append(int(not np.array_equal(theirs, np.concatenate(ids))))
        spent, theirs = timed(lambda texts=texts: [sides.tiktoken(text) for text in texts], 1)
        line += f"  tiktoken {min(spent) / best:5.1f}"
        differ.append(sum(a != b.tolist() for a, b in zip(theirs, ids, strict=True)))
        spent, theirs = timed(lambda texts=texts: sides.hf.encode_batch(texts), 1)
        line += f"  tokenizers {min(spent) / best:5.1f}"
        differ.append(sum(a.ids != b.tolist() for a, b in zip(theirs, ids, strict=True)))
        print(line + (f"  differ: {differ}" if any(differ) else "  ids equal"), flush=True)
    return prose


def odd(sides: Sides, prose: float, first: str) -> None:
    print(f"\none megabyte of each odd text, against {prose * 1e9:.1f} ns per byte of {first}")
    for name, text in ODD.items():
        ours, given = sides.fresh(), batches([text])[0]
        spent, ids = timed(lambda ours=ours, given=given: ours(given))
        seconds = min(spent)
        rate, times = given.data.size / 1e6 / seconds, seconds / given.data.size / prose
        print(f"{name:24} {rate:6.1f} MB/s, {times:4.1f} times; {sides.differ([text], [ids.data])}", flush=True)


def dropout(sides: Sides, name: str, texts: list[str]) -> None:
    ours, given = sides.fresh(), batches(texts)
    spent, sampled = timed(lambda: [ours.encode_dropout(batch, 0.1, 1) for batch in given])
    sides.hf.model.dropout = 0.1
    theirs, encoded = timed(lambda: sides.hf.encode_batch(texts), 2)
    sides.hf.model.dropout = None
    rate, times = sum(batch.data.size for batch in given) / 1e6 / min(spent), min(theirs) / min(spent)
    share = sum(batch.data.size for batch in sampled) / sum(len(each.ids) for each in encoded)
    print(f"\ndropout 0.1 on {name}: {rate:.1f} MB/s, {times:.1f} times tokenizers, {share:.3f} times as many ids")


def main() -> None:
    from gristmill.tokenizers_lab.count.word_counts import WordCounter
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--pretokenizer", default="gpt2")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--megabytes", type=float, default=2, help="megabytes of text from each corpus (default 2)")
    parser.add_argument("--peers", help="path of the Python of an environment with gigatoken")
    parser.add_argument("--all", action="store_true", help="compare ids on all documents and all code points too")
    args = parser.parse_args()
    os.environ |= ONE_CORE
    samples = {Path(path).name.split(".")[0]: sample(documents(path), args.megabytes) for path in args.corpora}
    counter = WordCounter(args.pretokenizer)
    for texts in samples.values():
        for batch in batches(texts):
            counter.add(batch)
    settings = TokenizerSettings(vocab_size=args.vocab_size, pretokenizer=args.pretokenizer)
    settings = settings.model_copy(update={"bpe": settings.bpe.model_copy(update={"compat": "tiktoken"})})
    sides = Sides(train(counter.finish(), settings))
    samples[MIX] = [text for texts in samples.values() for text in sample(texts, args.megabytes / 2)]
    prose = compare(sides, samples, args.peers)

    odd(sides, prose, next(iter(samples)))
    dropout(sides, *next(iter(samples.items())))
    if args.all:
        print()
        for name, texts in (("code points", code_points()), *((path, documents(path)) for path in args.corpora)):
            ids = rows(map(sides.fresh(), batches(texts)))
            print(f"{Path(name).name}: {len(texts):,} texts, {sides.differ(texts, ids)}", flush=True)


if __name__ == "__main__":
    main()
