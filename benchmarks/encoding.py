"""BPE encoding beside gigatoken: CPU seconds of one thread for lists and arrays, warm and cold, in turns.

    python -m benchmarks.encoding NAME=CORPUS.jsonl.zst … --peers PYTHON [--pretokenizer gpt2 cl100k-tiktoken o200k]
        [--ways lists arrays cold] [--vocab-size 32000] [--megabytes 3] [--rounds 5] [--document 4000]

Each side is a process that holds the texts and waits; the processes take turns, so load on the machine slows both. A
vocabulary is trained on the samples and given to both sides. Texts are new strings each time, as those of a file are:
Python keeps the UTF-8 of a string that gigatoken has seen.

- *lists*, *arrays*: all texts in one call, with whatever the calls before have cached.
- *cold*: arrays from a tokenizer that has seen no text; building it, and caching its vocabulary, is not timed.

The table has medians, and the median over rounds of gigatoken's time as a multiple of ours. Unequal ids are an error.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.bpe_encoding import GIGATOKEN, ONE_CORE, batches, documents, sample
from benchmarks.harness import BenchmarkError

WAYS = "lists", "arrays", "cold"
# A process of either side: reads a way per line, and answers with the seconds that it took. Then it saves its ids.
LOOP = r"""
import json, sys, time
import numpy
folder, pretokenizer = sys.argv[1:]
written = open(folder + "/texts.json").read()
fresh, ways, ids_of = sides(folder, pretokenizer)
used = {way: fresh() for way in ways}
for way in map(str.strip, sys.stdin):
    texts = json.loads(written)
    if way == "save":
        numpy.save(folder + "/" + NAME + ".npy", numpy.concatenate([*ids_of(used["lists"], texts)]))
        print(0, flush=True)
        continue
    encode = ways["arrays" if way == "cold" else way]
    tokenizer = fresh() if way == "cold" else used[way]
    began = time.process_time()
    encode(tokenizer, texts)
    print(time.process_time() - began, flush=True)
"""
OURS = r"""
NAME = "ours"

def sides(folder, pretokenizer):
    import numpy
    import gristmill as gm

    def fresh():
        tokenizer = gm.Tokenizer.load(folder)
        tokenizer._codec._encode.prefill()
        return tokenizer

    ways = {"lists": lambda t, texts: t.encode_batch(texts), "arrays": lambda t, texts: t.encode_numpy(texts)}
    return fresh, ways, lambda t, texts: [numpy.asarray(ids, numpy.uint32) for ids in t.encode_batch(texts)]
"""
THEIRS = r"""
NAME = "theirs"

def sides(folder, pretokenizer):
    import numpy
    from gigatoken import Tokenizer

    fresh = lambda: Tokenizer.from_tiktoken(folder + "/ranks.tiktoken", pretokenizer)
    ways = {
        "lists": lambda t, texts: t.encode_batch_list(texts, parallel=False),
        "arrays": lambda t, texts: t.encode_batch(texts, parallel=False),
    }
    return fresh, ways, lambda t, texts: [numpy.asarray(ids, numpy.uint32) for ids in t.encode_batch(texts)]
"""


@contextlib.contextmanager
def started(python: str, side: str, folder: str, pretokenizer: str) -> Iterator[Callable[[str], float]]:
    """Start the process of a side; yield a function that has it do one thing and returns the seconds of it."""
    command = [python, "-c", side + LOOP, folder, pretokenizer]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=os.environ | ONE_CORE) as process:

        def ask(way: str) -> float:
            print(way, file=process.stdin, flush=True)
            if not (said := process.stdout.readline()):
                raise BenchmarkError(f"{python} ended early")
            return float(said)

        yield ask
        process.stdin.close()


def compare(python: str, model, texts: list[str], ways: list[str], rounds: int) -> dict[str, tuple[list, list]]:
    """Return the seconds of each round for every way: ours, and gigatoken's."""
    import numpy as np

    from gristmill.pipelines.storage.files import to_path
    from gristmill.tokenizers_lab.formats.model import finish_model
    from gristmill.tokenizers_lab.formats.tiktoken import to_tiktoken

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as open_now:
        finish_model(model, to_path(folder))
        Path(folder, "texts.json").write_text(json.dumps(texts))
        Path(folder, "ranks.tiktoken").write_bytes(to_tiktoken(model))
        ours = open_now.enter_context(started(sys.executable, OURS, folder, model.pretokenizer))
        theirs = open_now.enter_context(started(python, THEIRS, folder, GIGATOKEN[model.pretokenizer]))
        for ask in (ours, theirs):
            ask("save")
            for way in ways:
                ask(way)
        if not np.array_equal(np.load(f"{folder}/ours.npy"), np.load(f"{folder}/theirs.npy")):
            raise BenchmarkError(f"{model.pretokenizer}: the ids of the sides differ")
        seconds: dict[str, tuple[list, list]] = {way: ([], []) for way in ways}
        for _ in range(rounds):
            for way, taken in seconds.items():
                taken[0].append(ours(way))
                taken[1].append(theirs(way))
    return seconds


def main() -> None:
    from gristmill.tokenizers_lab.count.word_counts import WordCounter
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoding", description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+", metavar="NAME=CORPUS")
    parser.add_argument("--peers", required=True, help="path of the Python of an environment with gigatoken 0.10.0")
    parser.add_argument("--pretokenizer", nargs="+", choices=[*GIGATOKEN], default=[*GIGATOKEN])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=[*WAYS])
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--megabytes", type=float, default=3, help="megabytes of text from each corpus (default 3)")
    parser.add_argument("--document", type=int, default=4000, help="characters of the longest document (default 4000)")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    samples = {}
    for name, _, path in (corpus.partition("=") for corpus in args.corpora):
        texts = sample(documents(path), args.megabytes)
        samples[name] = [text[i : i + args.document] for text in texts for i in range(0, len(text), args.document)]
    print("MB/s of ours and of gigatoken, and the ratio\n")
    print("| | | " + " | ".join(args.ways) + " | load |\n| --- | --- |" + " ---: |" * (len(args.ways) + 1))
    for pretokenizer in args.pretokenizer:
        counter = WordCounter(pretokenizer)
        for texts in samples.values():
            for batch in batches(texts):
                counter.add(batch)
        settings = TokenizerSettings(vocab_size=args.vocab_size, pretokenizer=pretokenizer)
        settings = settings.model_copy(update={"bpe": settings.bpe.model_copy(update={"compat": "tiktoken"})})
        model = train(counter.finish(), settings)
        for name, texts in samples.items():
            size, cells = sum(len(text.encode()) for text in texts) / 1e6, []
            for ours, theirs in compare(args.peers, model, texts, args.ways, args.rounds).values():
                times = median(b / a for a, b in zip(ours, theirs, strict=True))
                cells.append(f"{size / median(ours):.0f} / {size / median(theirs):.0f} = {times:.2f} ×")
            print(f"| {pretokenizer} | {name} | {' | '.join(cells)} | {os.getloadavg()[0]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
