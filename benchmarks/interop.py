"""Read every export with its real client: ``python -m benchmarks.interop TOKENS``, after ``make interop``.

The script prints for each format the number of documents and tokens that the client reads, and whether they equal the
token shards. Each client has its own environment, since mosaicml-streaming needs transformers below 5 and datatrove
needs 5 or later. Three loaders are replaced by the numpy calls they make: OLMo-core's and nanoGPT's by ``memmap``,
llm.c's by a header and ``fromfile``.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from upath import UPath

from gristmill.pipelines.tokens.export_formats import export
from gristmill.pipelines.tokens.shards import TokenShards

ROOT = Path(__file__).resolve().parents[1]

# Each client prints "documents tokens digest" for all training shards in order; 0 documents: the client sees no
# document boundaries.
COUNTER = """
import hashlib, sys
import numpy as np
from pathlib import Path
folder, kind = Path(sys.argv[1]), sys.argv[2]
digest, documents, tokens = hashlib.sha256(), 0, 0
def add(ids, boundary=True):
    global documents, tokens
    digest.update(np.ascontiguousarray(ids).astype(kind).tobytes() + (b"|" if boundary else b""))
    documents += boundary
    tokens += len(ids)
"""
CLIENTS = {
    "megatron": """
from megatron.core.datasets.indexed_dataset import IndexedDataset
for path in sorted(folder.glob("train-*.idx")):
    data = IndexedDataset(str(path.with_suffix("")))
    for i in range(len(data.document_indices) - 1):
        add(data[i])
""",
    "datatrove": """
from datatrove.utils.dataset import DatatroveFileDataset
from datatrove.pipeline.tokens.merger import load_doc_ends
for path in sorted(folder.glob("train-*.ds")):
    with open(f"{path}.index", "rb") as file:
        ends = load_doc_ends(file)
    data = DatatroveFileDataset(str(path), seq_len=255, token_size=np.dtype(kind).itemsize)
    ids = np.concatenate([data[i]["input_ids"].numpy() for i in range(len(data))])
    whole = np.fromfile(path, kind)
    assert (ids == whole[: len(ids)]).all() and len(whole) - len(ids) < 256  # its windows drop the tail
    for a, b in zip([0, *ends[:-1]], ends):
        add(whole[a:b])
""",
    "litdata": """
from litdata import StreamingDataset
from litdata.streaming.item_loader import TokensLoader
data = StreamingDataset(str(folder / "train"), item_loader=TokensLoader(block_size=1), shuffle=False, drop_last=False)
add(np.concatenate([np.asarray(data[i]) for i in range(len(data))]), boundary=False)
""",
    "mds": """
import torch  # its dependency torchvision registers operators that the CPU build of torch lacks
torch.library.register_fake = lambda name: lambda function: function
from streaming import StreamingDataset
data = StreamingDataset(local=str(folder / "train"), batch_size=1, shuffle=False)
for i in range(len(data)):
    add(data[i]["tokens"])
""",
    "olmo": """
import csv, gzip
for path in sorted(folder.glob("train-*.npy")):
    ids = np.memmap(path, mode="r", dtype=kind)
    with gzip.open(path.with_suffix(".csv.gz"), "rt", newline="") as file:
        for start, end, _ in csv.reader(file):
            add(ids[int(start):int(end)])
""",
    "nanogpt": """
add(np.memmap(folder / "train.bin", dtype=np.uint16, mode="r"), boundary=False)
""",
    "llmc": """
for path in sorted(folder.glob("train-*.bin")):
    header = np.fromfile(path, np.int32, 256)
    assert header[0] in (20240520, 20240801) and path.stat().st_size == 1024 + header[2] * np.dtype(kind).itemsize
    add(np.fromfile(path, kind, offset=1024), boundary=False)
""",
}


def ours(tokens: TokenShards, boundary: bool) -> tuple[int, int, str]:
    digest, documents, count = hashlib.sha256(), 0, 0
    for shard in tokens.split():
        first = 0
        for end in shard.ends.tolist() if boundary else [shard.ids.size]:
            digest.update(shard.ids[first:end].tobytes() + (b"|" if boundary else b""))
            documents, count, first = documents + boundary, count + end - first, end
    return documents, count, digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.interop", description=__doc__)
    parser.add_argument("tokens")
    parser.add_argument("--environments", type=Path, default=ROOT / "build" / "interop")
    arguments = parser.parse_args()
    tokens, failed = TokenShards(UPath(arguments.tokens)), False
    print(f"{'format':10} {'documents':>10} {'tokens':>12}  same")
    for format, client in CLIENTS.items():
        python = arguments.environments / format / "bin" / "python"
        python = python if python.exists() or format in ("megatron", "litdata", "mds", "datatrove") else sys.executable
        with tempfile.TemporaryDirectory() as folder:
            export(tokens, format, UPath(folder))
            command = [str(python), "-c", COUNTER + client + "\nprint(documents, tokens, digest.hexdigest())"]
            ran = subprocess.run([*command, folder, tokens.about["dtype"]], capture_output=True, text=True)
        if ran.returncode:
            print(f"{format:10} {ran.stderr.strip().splitlines()[-1][:150]}")
            failed = True
            continue
        documents, count, digest = ran.stdout.split("\n")[-2].split()
        same = (int(documents), int(count), digest) == ours(tokens, boundary=int(documents) > 0)
        failed |= not same
        print(f"{format:10} {int(documents):>10,} {int(count):>12,}  {'yes' if same else 'NO'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
