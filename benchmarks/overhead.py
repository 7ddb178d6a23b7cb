"""Overhead of Prefect and gain of a second worker: ``python -m benchmarks.overhead CORPUS … [--megabytes 500]``.

- *Empty tasks*: the time of ten steps of eight empty tasks, which is Prefect's overhead alone.
- *Flow against command*: both run the same plan in fresh processes and work folders. The flow uses a Prefect server
  that the script starts on this machine. Start-up, measured as the time for five documents, is subtracted.
- *Second worker*: its gain is compared with the gain of two copies of a plain loop over one, measured in the same
  minutes, because other load on the machine slows both.
"""

import argparse
import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from gristmill.flows.orchestration.server import server

HERE = Path(__file__).resolve().parents[1]
FLOW = """
import sys
from gristmill.flows.orchestration.flows import clean_corpus
recipe, raw, work, workers = sys.argv[1:]
clean_corpus(recipe, [raw], work, workers=int(workers))
"""
EMPTY = """
import time
from gristmill.flows.orchestration.flows import THREADS
from gristmill.flows.orchestration.tasks import PrefectProgress, as_tasks
from gristmill.pipelines.steps.step import Job, Output
from prefect import flow

class Nowhere:
    width = 2
    def run(self, job):
        return []

@flow(task_runner=THREADS)
def empty():
    began, spent = time.perf_counter(), time.process_time()
    for step in range(10):
        progress = PrefectProgress()
        jobs = [Job(len, (), (Output("", f"{step}-{n}"),), 50_000_000) for n in range(8)]  # large: one task each
        progress.start(str(step), len(jobs), 1)
        for job, _ in as_tasks(Nowhere(), jobs):
            progress.advance(job)
    return time.perf_counter() - began, time.process_time() - spent
empty()
seconds, cpu = empty()
print(f"ten steps of eight empty tasks: {seconds:.2f} s, {cpu:.2f} CPU s without the server's", flush=True)
"""
LOOP = "x = 0\nfor i in range(60_000_000): x += i"
FILE = 16e6  # bytes


def write_input(corpora: list[str], megabytes: float, folder: Path) -> float:
    """Write up to ``megabytes`` of the corpora's documents in files of 16 MB; return the MB written."""
    from benchmarks.near_duplicates import read

    folder.mkdir()
    size = 0
    for row in itertools.chain.from_iterable(map(read, corpora)):
        if row.get("text") and size < megabytes * 1e6:
            with (folder / f"{int(size // FILE):04}.jsonl").open("a") as file:
                file.write(json.dumps({"id": row["id"], "text": row["text"]}) + "\n")
            size += len(row["text"].encode("utf-8", "replace"))
    return size / 1e6


def seconds(command: list[str], work: Path | None = None) -> float:
    if work:
        shutil.rmtree(work, ignore_errors=True)
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=HERE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def loops(count: int) -> float:
    """Return the seconds that ``count`` concurrent copies of a plain loop take."""
    began = time.perf_counter()
    copies = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    assert not any(copy.wait() for copy in copies)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("corpora", nargs="+", help="JSON Lines file in zstd, with id and text")
    parser.add_argument("--megabytes", type=float, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recipe", default="recipes/clean-corpus.toml")
    args = parser.parse_args()
    os.environ |= {"DO_NOT_TRACK": "1", "PREFECT_LOGGING_LEVEL": "WARNING"}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        large, small, work = (Path(folder) / name for name in ("large", "small", "work"))
        megabytes = write_input(args.corpora, args.megabytes, large)
        small.mkdir()
        with (large / "0000.jsonl").open() as lines:
            (small / "0.jsonl").write_text("".join(next(lines) for _ in range(5)))
        os.environ["PREFECT_HOME"] = folder

        def by_command(raw: Path, workers: int) -> float:
            command = [sys.executable, "-m", "gristmill", "clean", args.recipe, "--input", str(raw)]
            return seconds([*command, "--output", str(work), "--workers", str(workers)], work)

        def by_step() -> dict[str, float]:
            lines = map(json.loads, (work / "log.jsonl").read_text().splitlines())
            return {line["step"]: line["seconds"] for line in lines}

        def by_flow(raw: Path, workers: int) -> float:
            return seconds([sys.executable, "-c", FLOW, args.recipe, str(raw), str(work), str(workers)], work)

        with server(port) as environment:
            os.environ |= environment
            subprocess.run([sys.executable, "-c", EMPTY], check=True, cwd=HERE)
            by_command(small, 1), by_flow(small, 1)  # compile the kernels; let the server do its one-time set-up
            start = {run: median(run(small, 2) for _ in range(3)) for run in (by_command, by_flow)}
            sides = [(by_command, 2), (by_flow, 2), (by_command, 1)]
            took, alone, together = {side: [] for side in sides}, [], []
            print(f"{megabytes:.0f} MB; seconds of command, flow, command with 1 worker, one loop, two:", flush=True)
            steps: dict[int, list] = {1: [], 2: []}
            for _ in range(args.rounds):
                for run, workers in sides:
                    took[run, workers].append(run(large, workers) - start[run])
                    if run is by_command:
                        steps[workers].append(by_step())
                alone.append(loops(1))
                together.append(loops(2))
                print(*(f"{seconds[-1]:.1f}" for seconds in (*took.values(), alone, together)), flush=True)
    print("seconds of each step of the command, with 1 and with 2 workers:")
    for name in steps[1][0]:
        print(*(f"{median(times[name] for times in steps[workers]):8.2f}" for workers in (1, 2)), f" {name}")
    command, flow, one = (took[side] for side in sides)
    print(f"start-up: command {start[by_command]:.1f} s, flow {start[by_flow]:.1f} s; then, as medians of rounds:")
    gain, loop = ratio(one, command), 2 * ratio(alone, together)
    print(f"2 workers: the flow takes {ratio(flow, command):.3f} times as long as the command")
    print(f"two workers are {gain:.2f} times as fast as one, two plain loops {loop:.2f} times; ratio {gain / loop:.2f}")


def ratio(some: list[float], others: list[float]) -> float:
    """Return the median ratio over rounds; load that slows the machine for a minute slows both sides of a round."""
    return median(one / other for one, other in zip(some, others, strict=True))


if __name__ == "__main__":
    main()
