"""BPE encoding, ours and the peers', with one vocabulary: equal ids on all text given, and MB a CPU second.

    python -m benchmarks.bpe_encoding CORPUS.jsonl.zst … [--pretokenizer gpt2] [--vocab-size 32000] [--megabytes 2]
        [--peers PYTHON] [--all]

Of each corpus documents by the hash of their text, until there is enough, and a half of each of these as the mix.
The vocabulary is trained on all of them. Each side encodes each sample on one core: the first time with empty tables,
and again, warm; the ids of all sides are compared. ``--peers`` is the Python of an environment with gigatoken 0.10.0,
which is timed by its lists of ids and by its arrays. Then a megabyte each of what is one piece, against the time a byte
of the first corpus takes, and dropout. ``--all`` compares ids on every document of the corpora and on every code point
in six contexts too.
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
texts, said = json.load(open(folder + "/texts.json")), {}
for name, way in (("lists", "encode_batch_list"), ("arrays", "encode_batch")):
    encode, said[name] = getattr(Tokenizer.from_tiktoken(folder + "/ranks.tiktoken", pretokenizer), way), []
    for _ in range(rounds):
        began = time.process_time()
        ids = encode(texts)
        said[name].append(time.process_time() - began)
numpy.save(folder + "/ids.npy", numpy.concatenate([numpy.asarray(each, numpy.uint32) for each in ids]))
print(json.dumps(said))
"""
GIGATOKEN = {"gpt2": "gpt2", "cl100k-tiktoken": "cl100k", "o200k": "o200k"}  # its names of pretokenizers


def documents(path: str) -> list[str]:
    from benchmarks.near_duplicates import read

    texts = (row.get("text") or row.get("html") or "" for row in read(path))
    return [text.encode("utf-8", "replace").decode() for text in texts]


def sample(texts: list[str], megabytes: float) -> list[str]:
    """By the hash of the text until there is enough; a document that is more than that is cut."""
    taken, room = [], int(megabytes * 1e6)
    for text in sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest()):
        if room <= 0:
            break
        taken.append(text[:room])
        room -= len(taken[-1].encode())
    return taken


def code_points() -> list[str]:
    """Each code point alone, between letters, spaces, digits, behind an apostrophe and before a new line."""
    texts = []
    for begin in range(0, 0x110000, 256):
        points = [chr(code) for code in range(begin, begin + 256) if not 0xD800 <= code < 0xE000]
        texts += ["\n\n".join(f"a{c}b {c} 1{c}2 '{c}s {c}\n{c}" for c in points)] if points else []
    return texts


def timed(work: Callable, rounds: int = ROUNDS) -> tuple[list[float], object]:
    """CPU seconds of each round, and what the last one made."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        made = work()
        seconds.append(time.process_time() - began)
    return seconds, made


class Sides:
    """Ours, tokenizers and tiktoken, with one vocabulary."""

    def __init__(self, model):
        import tiktoken
        import tokenizers

        from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
        from gristmill.tokenizers_lab.pretokenize import PATTERNS

        self.model, self.hf = model, tokenizers.Tokenizer.from_str(to_huggingface(model).decode())
        ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special_ids}
        pattern = PATTERNS[model.pretokenizer][0]
        self.tik = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens=model.special)
        self.fresh()(batches(["compiled before it is timed", *ODD.values()])[0])

    def fresh(self):
        """Our tokenizer with empty tables."""
        from gristmill.tokenizers_lab.tokenizer import Tokenizer

        return Tokenizer(self.model)

    def tiktoken(self, text: str) -> list[int] | None:
        """None where it fails, as version 0.14 does on a megabyte of white space: its stack overflows."""
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
        told = f"{differ[0]} differ from tokenizers, {differ[1]} from tiktoken"
        return told + (f", which failed on {refused}" if refused else "")


def batches(texts: list[str]) -> list:
    """As Ragged."""
    from gristmill.pipelines.ragged import Ragged

    return [Ragged.from_strings(texts[i : i + BATCH]) for i in range(0, len(texts), BATCH)]


def rows(made: Iterable) -> list[np.ndarray]:
    return [ids for batch in made for ids in np.split(batch.data, batch.offsets[1:-1])]


def gigatoken(python: str, model, texts: list[str]) -> tuple[dict[str, list[float]], np.ndarray]:
    """Its seconds of each round by lists and by arrays, and its ids end to end."""
    from gristmill.tokenizers_lab.formats.tiktoken import to_tiktoken

    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "texts.json").write_text(json.dumps(texts))
        (Path(folder) / "ranks.tiktoken").write_bytes(to_tiktoken(model))
        said = run(Side(command=(python, "-c", PEER, folder, GIGATOKEN[model.pretokenizer], str(ROUNDS)))).said
        return said, np.load(f"{folder}/ids.npy")


def compare(sides: Sides, samples: dict[str, list[str]], python: str | None) -> float:
    """A line a sample; returns the warm seconds that a byte of the first one takes us."""
    print(f"\nMB a CPU second, first and warm, and how many times the peers' ours is, warm\n{'':36} MB   first    warm")
    prose = 0.0
    for name, texts in samples.items():
        ours, given = sides.fresh(), batches(texts)
        size = sum(batch.data.size for batch in given) / 1e6
        seconds, made = timed(lambda ours=ours, given=given: [ours(batch) for batch in given])
        best, ids = min(seconds[1:]), rows(made)
        told = f"{name[:32]:32} {size:6.1f} {size / seconds[0]:7.1f} {size / best:7.1f}"
        prose = prose or best / (size * 1e6)
        differ = []
        if python:
            peer, theirs = gigatoken(python, sides.model, texts)
            for way, spent in peer.items():
                told += f"  gigatoken's {way} {min(spent[1:]) / best:.2f}"
            differ.append(int(not np.array_equal(theirs, np.concatenate(ids))))
        spent, theirs = timed(lambda texts=texts: [sides.tiktoken(text) for text in texts], 1)
        told += f"  tiktoken {min(spent) / best:5.1f}"
        differ.append(sum(a != b.tolist() for a, b in zip(theirs, ids, strict=True)))
        spent, theirs = timed(lambda texts=texts: sides.hf.encode_batch(texts), 1)
        told += f"  tokenizers {min(spent) / best:5.1f}"
        differ.append(sum(a.ids != b.tolist() for a, b in zip(theirs, ids, strict=True)))
        print(told + (f"  differ: {differ}" if any(differ) else "  ids equal"), flush=True)
    return prose


def odd(sides: Sides, prose: float, what: str) -> None:
    print(f"\na megabyte of one thing, against {prose * 1e9:.1f} ns a byte of {what}")
    for name, text in ODD.items():
        ours, given = sides.fresh(), batches([text])[0]
        spent, ids = timed(lambda ours=ours, given=given: ours(given))
        seconds = min(spent)
        rate, times = given.data.size / 1e6 / seconds, seconds / given.data.size / prose
        print(f"{name:24} {rate:6.1f} MB/s, {times:4.1f} times; {sides.differ([text], [ids.data])}", flush=True)


def dropout(sides: Sides, name: str, texts: list[str]) -> None:
    ours, given = sides.fresh(), batches(texts)
    spent, made = timed(lambda: [ours.encode_dropout(batch, 0.1, 1) for batch in given])
    sides.hf.model.dropout = 0.1
    theirs, encoded = timed(lambda: sides.hf.encode_batch(texts), 2)
    sides.hf.model.dropout = None
    rate, times = sum(batch.data.size for batch in given) / 1e6 / min(spent), min(theirs) / min(spent)
    share = sum(batch.data.size for batch in made) / sum(len(each.ids) for each in encoded)
    print(f"\ndropout 0.1 on {name}: {rate:.1f} MB/s, {times:.1f} times tokenizers, with {share:.3f} of its ids")


def main() -> None:
    from gristmill.tokenizers_lab.count.word_counts import WordCounter
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--pretokenizer", default="gpt2")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--megabytes", type=float, default=2, help="of each corpus")
    parser.add_argument("--peers", help="Python of an environment with gigatoken")
    parser.add_argument("--all", action="store_true", help="compare ids on all documents and code points")
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
