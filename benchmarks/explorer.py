"""Latency and memory of the explorer on a large run: first page, threshold changes, peak memory.

    python -m benchmarks.explorer WORK [--documents 1000000] [--folder FOLDER] [--times 20]

WORK is a finished run, for example from `make run`. The benchmark repeats it with new ids up to ``--documents``
documents. The explorer's server is a separate process; the client on the same machine waits for complete responses. The
table has wall time and the server's CPU time, which other load on the machine does not change. Each request has a new
value, so that no response comes from a cache.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.engine.run_lock import RECIPE, SUMMARY
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pipelines.storage.shards import read_batches, shard_schema, shards_of, write_shard

IDS = {"id", "duplicate_of", "cluster"}  # columns that contain ids of documents
MOVES = (("gopher.min_words", 20, 120), ("noise.max_markup", 5, 40), ("repetition.max_dup_lines", 10, 90))


def repeat(work: Path, documents: int, target: Path) -> int:
    """Write a run of at least ``documents`` documents and return their number. Files without ids are hard-linked."""
    have = Manifest.read(UPath(work / "ledger")).counts["documents"]
    copies = -(-documents // have)
    for folder in sorted(path.parent for path in work.rglob("manifest.json")):
        name = folder.relative_to(work)
        if name.parts[0] in ("documents", "clean", "removed", "ledger", "steps") and name.parts[-1] != "decisions":
            repeat_folder(UPath(folder), UPath(target / name), copies)
    for file in (RECIPE, SUMMARY):  # the overview shows the funnel of the small run
        (target / file).write_bytes((work / file).read_bytes())
    return copies * have


def repeat_folder(source: UPath, target: UPath, copies: int) -> None:
    manifest, parts = Manifest.read(source), {}
    target.mkdir(parents=True)
    for copy in range(copies):
        for shard, file in shards_of(source).items():
            name = f"{copy:04}-{shard}"
            path = target / f"{name}.parquet"
            if IDS & {*(schema := shard_schema(source / f"{shard}.parquet")).names}:
                batches = [renamed(table, copy) for table in read_batches(source / f"{shard}.parquet")]
                counts = {"documents": write_shard(path, batches, schema)}
                parts[name] = Part.from_files(target, "", [path.name], counts)
            else:
                os.link(source / f"{shard}.parquet", path)
                parts[name] = Part("", {path.name: file}, {})
    Manifest("", manifest.settings, parts).write(target)


def renamed(table: pa.Table, copy: int) -> pa.Table:
    for name in IDS & {*table.column_names}:
        place = table.column_names.index(name)
        kind = table.schema.field(name).type
        ids = pc.binary_join_element_wise(pa.scalar(f"{copy}", kind), table[name], pa.scalar("/", kind))
        table = table.set_column(place, table.schema.field(name), ids)
    return table


class Client:
    """HTTP client that prints the wall time of its requests and the server's CPU time."""

    def __init__(self, address: str, pid: int):
        self.address, self.pid = address.partition("/?")[0], pid
        self.browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        self.browser.open(address).close()  # its token becomes a cookie

    def cpu_seconds(self) -> float:
        user, system = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def ask(self, label: str, path: str, *queries: dict) -> None:
        """Request ``path`` with each query; print the median and largest wall time and the mean CPU time."""
        seconds, cpu = [], self.cpu_seconds()
        for query in queries or ({},):
            began = time.perf_counter()
            with self.browser.open(f"{self.address}{path}?{urlencode(query, doseq=True)}") as response:
                response.read()
            seconds.append(time.perf_counter() - began)
        say(label, statistics.median(seconds), max(seconds), (self.cpu_seconds() - cpu) / len(seconds))


def say(label: str, *seconds: float) -> None:
    print(f"{label:50}" + "".join(f"{1000 * each:>9,.0f} ms" for each in seconds), flush=True)


def measure(work: Path, times: int) -> None:
    print(f"{'':50}{'median':>12}{'worst':>12}{'CPU':>12}")
    began = time.perf_counter()
    command = [sys.executable, "-m", "gristmill", "explore", str(work), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
            client, seconds = Client(address, server.pid), time.perf_counter() - began
            say("start, with all imports", seconds, seconds, client.cpu_seconds())
            ask(client, times)
            status = Path(f"/proc/{server.pid}/status").read_text()
            for name, label in (("VmHWM", "peak memory"), ("RssAnon", "anonymous memory at the end")):
                kilobytes = next(line for line in status.splitlines() if line.startswith(name)).split()[1]
                print(f"{label:50}{int(kilobytes) / 1000:>9,.0f} MB")
        finally:
            server.terminate()


def ask(client: Client, times: int) -> None:
    client.ask("overview", "/", *[{}] * times)
    client.ask("first page, first request", "/documents")
    client.ask("first page", "/documents", *[{}] * times)
    client.ask("last page", "/rows", *({"after": 990_000 + i} for i in range(times)))
    client.ask("documents removed by a rule, first page", "/documents", {"reason": "gopher.stop_words_too_low"})
    client.ask("page of a threshold, with its histogram", "/thresholds", {"rule": "gopher.word_length_too_high"})
    rng, changes = random.Random(0), []
    for path, low, high in MOVES:
        scale = 1 if path.endswith("words") else 0.01
        changes.append([f"{path}={value * scale:g}" for value in rng.sample(range(low, high), min(times, high - low))])
        first, *others = ({"set": change} for change in changes[-1])
        client.ask(f"{path} changed, first request", "/what-if", first)
        client.ask(f"{path} changed", "/what-if", *others)
    client.ask("all three changed", "/what-if", *({"set": [*three]} for three in zip(*changes, strict=False)))
    client.ask("samples of changed decisions", "/changed", {"set": changes[0][0]})
    client.ask("a search without matches, until it stops", "/documents", {"text": "zqxjkv"})
    client.ask("SQL", "/sql", {"q": "select step, rule, count(*) as n from ledger group by step, rule"})
    client.ask("the copies of a document", "/copies/0000-part-00000-000/3")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="folder of the large run; it is written if missing, and kept")
    parser.add_argument("--times", type=int, default=20)
    options = parser.parse_args()
    # In the run's folder, because hard links need the same file system.
    with tempfile.TemporaryDirectory(dir=options.work) as scratch:
        folder = options.folder or Path(scratch) / "large"
        if not folder.exists():
            print(f"{repeat(options.work, options.documents, folder):,} documents")
        measure(folder, options.times)


if __name__ == "__main__":
    main()
