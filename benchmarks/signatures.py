"""MinHash signatures (128 hashes of 5-word shingles) against the peers: MB per CPU second on one core.

    python -m benchmarks.signatures CORPUS.jsonl.zst … [--peers PYTHON]

``--peers`` is the Python of an environment with any of rensa 0.5, datasketch 2.0 and datatrove 0.10.1. The first two
get shingles made with Python's ``re``; datatrove runs the tokenization, shingling and hashing of its signature stage.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

PEER = r"""
import json, re, sys, time

def shingles(text):
    words = re.findall(r"\w+", text.lower())
    return [" ".join(words[i : i + 5]) for i in range(max(len(words) - 4, 1))]

def rensa(texts):
    from rensa import RMinHash
    for text in texts:
        sketch = RMinHash(num_perm=128, seed=1)
        sketch.update(shingles(text))
        sketch.digest()

def datasketch(texts):
    from datasketch import MinHash
    for text in texts:
        MinHash(num_perm=128).update_batch([shingle.encode() for shingle in shingles(text)])

def datatrove(texts):
    from datatrove.pipeline.dedup import MinhashConfig, MinhashDedupSignature
    stage = MinhashDedupSignature("unused", MinhashConfig(num_buckets=16, hashes_per_bucket=8))
    for text in texts:
        found = stage.get_shingles(text)
        if found.size:
            stage.get_signature(found)

texts = json.load(open(sys.argv[1]))
for peer, share in ((rensa, 1), (datasketch, 4), (datatrove, 16)):
    try:
        peer(texts[:1])
    except ImportError as error:
        print(f"  {peer.__name__} not run: {error}", file=sys.stderr)
        continue
    some = texts[::share]
    began = time.process_time()
    peer(some)
    print(json.dumps([peer.__name__, sum(len(t.encode()) for t in some) / 1e6, time.process_time() - began]))
"""


def ours(texts: list[str]) -> tuple[float, float]:
    from gristmill.dedup.near.minhash import minhash_signatures
    from gristmill.pipelines.ragged import Ragged

    minhash_signatures(Ragged.from_strings(texts[:1]))
    batches = [Ragged.from_strings(texts[i : i + 2000]) for i in range(0, len(texts), 2000)]
    began = time.process_time()
    for batch in batches:
        minhash_signatures(batch)
    return sum(batch.data.size for batch in batches) / 1e6, time.process_time() - began


def main() -> None:
    from benchmarks.near_duplicates import read

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--peers", help="path of the Python of the peers' environment")
    parser.add_argument("--megabytes", type=float, default=30, help="megabytes of text from each corpus (default 30)")
    args = parser.parse_args()
    for path in args.corpora:
        texts, left = [], args.megabytes * 1e6
        for row in read(path):
            if left > 0:
                texts.append(row["text"][:100_000])  # else one novel would fill the peers' share of the texts
                left -= len(texts[-1])
        megabytes, seconds = ours(texts)
        speed = megabytes / seconds
        print(f"{Path(path).name}: gristmill {speed:.1f} MB/s")
        if args.peers:
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                json.dump(texts, file)
                file.flush()
                command = [args.peers, "-c", PEER, file.name]
                ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            for line in ran.stdout.splitlines():
                name, size, spent = json.loads(line)
                print(f"  {name} {size / spent:.2f} MB/s, gristmill {speed * spent / size:.0f} times as fast")


if __name__ == "__main__":
    main()
