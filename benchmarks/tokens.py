"""Round trip from documents to token shards and back: equal texts, traced positions, MB per CPU second.

    python -m benchmarks.tokens CORPUS.jsonl.zst … [--vocab-size 32000] [--positions 10000]

The benchmark compares every decoded text with its document and traces random token positions to their documents. The
time runs from clean Parquet to finished token shards.
"""

import argparse
import tempfile
import time

import numpy as np


def main() -> None:
    from gristmill.flows.clean.corpus import corpus_shards
    from gristmill.flows.tokenize.tokenize_corpus import tokenize
    from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
    from gristmill.pipelines.storage.files import to_path
    from gristmill.pipelines.storage.shards import list_shards, read_shard
    from gristmill.pipelines.tokens.settings import TokenSettings
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--positions", type=int, default=10_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tokenizer, folder = to_path(f"{scratch}/tokenizer"), to_path(f"{scratch}/tokens")
        corpus_shards(args.corpora, to_path(f"{scratch}/work"))
        clean = f"{scratch}/work/documents"
        train_tokenizer([clean], tokenizer, tokenizer_settings({"vocab_size": args.vocab_size}))
        tokenize([clean], str(tokenizer), to_path(f"{scratch}/warm"), TokenSettings())  # compiles
        began, wall = time.process_time(), time.perf_counter()
        shards = tokenize([clean], str(tokenizer), folder, TokenSettings())
        cpu, wall = time.process_time() - began, time.perf_counter() - wall
        texts = {r["id"]: r["text"] for path in list_shards(to_path(clean)) for r in read_shard(path).to_pylist()}
        size = sum(len(text.encode()) for text in texts.values()) / 1e6
        count = shards.manifest.counts["tokens"]
        print(f"{size:.1f} MB, {len(texts):,} documents, {count:,} tokens: {size / cpu:.1f} MB per CPU s, {wall:.1f} s")

        opened, same, seen, spans = Tokenizer.load(tokenizer), 0, 0, []
        for name in shards.names():
            shard, begin = shards.shard(name), 0
            for row, end in zip(shard.documents.to_pylist(), shard.ends.tolist(), strict=True):
                same += opened.decode_ids(shard.ids[begin + 1 : end]) == texts[row["id"]]  # after BOS
                seen += 1
                spans.append((name, begin, end, row["id"]))
                begin = end
        print(f"{same:,} of {seen:,} documents decode to their text ({len(texts):,} documents read)")
        rng, right = np.random.default_rng(0), 0
        sizes = np.cumsum([end - begin for _, begin, end, _ in spans])
        for position in rng.integers(0, sizes[-1], args.positions).tolist():
            which = int(np.searchsorted(sizes, position, "right"))
            name, begin, end, id = spans[which]
            at = begin + position - (int(sizes[which]) - (end - begin))
            right += shards.shard(name).trace(at).id == id
        print(f"{right:,} of {args.positions:,} positions trace to their document")


if __name__ == "__main__":
    main()
