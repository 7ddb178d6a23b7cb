"""Kernels of other tools, timed without start-up: ``python kernels.py NAME SOURCE [ARGUMENT]``.

Each function prepares one job on the texts of SOURCE (JSON lines) and returns the work to be timed, on one core.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
Work = Callable[[], object]


def shingles(text: str) -> list[str]:
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[i : i + 5]) for i in range(max(len(words) - 4, 1))]


def rensa_signatures(texts: list[str]) -> Work:
    from rensa import RMinHash

    def work() -> None:
        for text in texts:
            sketch = RMinHash(num_perm=128, seed=1)
            sketch.update(shingles(text))
            sketch.digest()

    return work


def datasketch_signatures(texts: list[str]) -> Work:
    from datasketch import MinHash

    def work() -> None:
        for text in texts:
            MinHash(num_perm=128).update_batch([shingle.encode() for shingle in shingles(text)])

    return work


def datatrove_signatures(texts: list[str]) -> Work:
    from datatrove.pipeline.dedup import MinhashConfig, MinhashDedupSignature

    stage = MinhashDedupSignature("unused", MinhashConfig(num_buckets=16, hashes_per_bucket=8))
    stage.get_shingles("Loads the tokenizer.")

    def work() -> None:
        for text in texts:
            found = stage.get_shingles(text)
            if found.size:
                stage.get_signature(found)

    return work


def fasttext_language(texts: list[str], model: str) -> Work:
    import fasttext

    opened = fasttext.load_model(model)
    lines = [text.replace("\n", " ") for text in texts]
    return lambda: [opened.predict(line) for line in lines]


def pycld2_language(texts: list[str]) -> Work:
    import pycld2

    encoded = [text.encode() for text in texts]

    def work() -> None:
        for text in encoded:
            try:
                pycld2.detect(text)
            except pycld2.error:
                continue  # refuses some control characters

    return work


def lingua_language(texts: list[str]) -> Work:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_preloaded_language_models().build()
    return lambda: [detector.detect_language_of(text) for text in texts]


def gigatoken_arrays(texts: list[str], ranks: str, split: str) -> Work:
    return _gigatoken(texts, ranks, split, "encode_batch")


def gigatoken_lists(texts: list[str], ranks: str, split: str) -> Work:
    return _gigatoken(texts, ranks, split, "encode_batch_list")


def _gigatoken(texts: list[str], ranks: str, split: str, method: str) -> Work:
    from gigatoken import Tokenizer

    encode = getattr(Tokenizer.from_tiktoken(ranks, split), method)
    encode(texts)  # fills the cache
    return lambda: encode(texts)


def tokenizers_encode(texts: list[str], file: str) -> Work:
    from tokenizers import Tokenizer

    opened = Tokenizer.from_file(file)
    opened.encode_batch(texts[:100])
    return lambda: opened.encode_batch(texts, add_special_tokens=False)


def tiktoken_encode(texts: list[str], ranks: str) -> Work:
    import tiktoken
    from tiktoken.load import load_tiktoken_bpe

    pattern = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    opened = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=load_tiktoken_bpe(ranks), special_tokens={})
    return lambda: [opened.encode_ordinary(text) for text in texts]


def sentencepiece_encode(texts: list[str], model: str) -> Work:
    from sentencepiece import SentencePieceProcessor

    opened = SentencePieceProcessor(model_file=model)
    return lambda: [opened.encode(text) for text in texts]


def kenlm_scores(texts: list[str], arpa: str) -> Work:
    """Score the lines of the texts; their words are separated by spaces already."""
    import kenlm

    opened, lines = kenlm.Model(arpa), [line for text in texts for line in text.split("\n") if line]
    return lambda: [opened.score(line) for line in lines]


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
