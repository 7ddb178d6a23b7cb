"""Gristmill's side of the kernels' table: ``python -m benchmarks.kernels NAME SOURCE [ARGUMENT]``.

Each function prepares one job on the texts of SOURCE (JSON lines) and returns the work to be timed. Texts are in memory
and kernels are compiled before the clock starts.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ |= {"POLARS_MAX_THREADS": "1", "RAYON_NUM_THREADS": "1"}

from gristmill.pipelines.ragged import Ragged

BATCH = 2000  # documents
WARM_UP = "The mill grinds slowly, but it grinds exceedingly fine: https://example.org, 12 sacks."
Work = Callable[[], object]


def batched(texts: list[str]) -> list[Ragged]:
    return [Ragged.from_strings(texts[at : at + BATCH]) for at in range(0, len(texts), BATCH)]


def over(function: Callable[[Ragged], object], texts: list[str]) -> Work:
    """Return the work of a function over batches of the texts, after a call that compiles it."""
    function(Ragged.from_strings([WARM_UP] * 20))
    given = batched(texts)
    return lambda: [function(batch) for batch in given]


def words(texts: list[str]) -> Work:
    from gristmill.filters.words.unicode_words import unicode_words

    return over(unicode_words, texts)


def signatures(texts: list[str]) -> Work:
    from gristmill.dedup.near.minhash import minhash_signatures

    return over(minhash_signatures, texts)


def language(texts: list[str], model: str) -> Work:
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.langid.filter import Language

    found = Language(model=model)
    return over(lambda batch: found.measure(Batch(batch)), texts)


def encode_arrays(texts: list[str], tokenizer: str) -> Work:
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    opened = Tokenizer.load(tokenizer)
    for batch in batched(texts):  # fills the cache, as in the peers
        opened(batch)
    return lambda: [opened(Ragged.from_strings(texts[at : at + BATCH])) for at in range(0, len(texts), BATCH)]


def encode_lists(texts: list[str], tokenizer: str) -> Work:
    import gristmill as gm

    opened = gm.Tokenizer.load(tokenizer)
    opened.encode_batch(texts)
    return lambda: opened.encode_batch(texts)


def ngram_scores(texts: list[str], model: str) -> Work:
    """Score the texts, from bytes to a number a word; KenLM's side gets their lines as they are."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.model import NGram
    from gristmill.pipelines.storage.files import to_path

    opened = NGram.open(to_path(model))
    return over(lambda text: opened.score(opened.stream(Batch(text)).ids), texts)


def trained_step(texts: list[str], side: str, vocab_size: str) -> Work:
    """Return ten training steps of a small GPT on random tokens; the texts are not used."""
    import tempfile

    import numpy as np
    import torch

    from benchmarks.pretraining import OurLoop, PlainLoop
    from gristmill.pretrain.data.batches import TokenSplit
    from gristmill.pretrain.model.config import PRESETS, ModelConfig
    from gristmill.pretrain.model.devices import Machine

    size = int(vocab_size)
    shape, ids = ModelConfig(vocab_size=size, **PRESETS["nano-gpt2"]), np.random.default_rng(0)
    path = Path(tempfile.mkstemp(suffix=".bin")[1])
    ids.integers(0, size, 1_000_000).astype(np.uint16).tofile(path)
    kept = np.memmap(path, np.uint16, "r")
    path.unlink()
    torch.set_num_threads(1)
    if side == "plain":
        loop = PlainLoop(shape, kept, 16, torch.device("cpu"), torch.float32)
        loop.step()
        return lambda: [loop.step() for _ in range(10)]
    tokens = TokenSplit(payloads=(kept,), ends=np.array([kept.size]), bytes=np.array([kept.size]), vocab_size=size)
    trained = OurLoop(shape, tokens, 16, Machine(device="cpu", threads=1))
    trained.steps(2)
    return lambda: trained.steps(10)


def main(name: str, source: str, *arguments: str) -> None:
    with open(source, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    work = globals()[name](texts, *arguments)
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    print(json.dumps({"bytes": sum(len(text.encode()) for text in texts), **spent}))


if __name__ == "__main__":
    main(*sys.argv[1:])
