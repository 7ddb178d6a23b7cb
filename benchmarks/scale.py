"""Default recipe at growing sizes: MB/s, CPU seconds per MB, peak memory of all processes, disk; as JSON, too.

    python -m benchmarks.scale DATA [--gb 0.1 0.4 1.6] [--workers 2] [--folder F] [--json build/bench/scale.json]

Speed and memory should not depend on the size. The text is made by editing the messy documents (edited_text.py), in
files of 64 MB, and is removed after its run. The smallest size is also run once more, killed when half of its shards
are measured and run again: both work folders must hold the same bytes. Where other processes share the machine, CPU
seconds and memory are valid, seconds of the clock are not.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.edited_text import EditedText, read_corpus
from benchmarks.harness import BenchmarkError
from benchmarks.mill import tree
from benchmarks.process_tree import Usage, disk_of, watch

CORPUS_MB = 33
RECIPE = "clean-corpus"
HEAD = "| GB | MB/s | CPU s per MB | peak MB, all processes | disk, times the text |\n" + 5 * "| ---: " + "|"
FOLDERS = ("documents", "steps", "clean", "removed", "ledger")


def clean(source: Path, work: Path, workers: int, kill_at: float | None = None) -> Usage:
    """Run the default recipe; kill it when the share ``kill_at`` of the shards is measured."""
    command = [sys.executable, "-m", "gristmill", "clean", RECIPE, "--input", str(source)]
    command += ["--output", str(work), "--workers", str(workers)]

    def half() -> bool:
        measured = len(list(work.glob("steps/language/measures/*.parquet")))
        return measured >= kill_at * len(list(work.glob("documents/*.parquet"))) > 0

    return watch(command, work, half) if kill_at else watch(command, work)


def one(text: EditedText, gigabytes: float, folder: Path, workers: int) -> dict:
    """Run one size and return its figures."""
    source, work = folder / "text", folder / "work"
    made = text.write(source, gigabytes * 1000)
    usage = clean(source, work, workers)
    shutil.rmtree(source)
    megabytes = made["bytes"] / 1e6
    disk = {name: disk_of(work / name) for name in FOLDERS}
    steps = {title: step["cpu"] / megabytes for title, step in usage.steps.items()}
    counts = json.loads((work / "summary.json").read_text())
    kept = {key: counts[key] for key in ("documents_in", "clean", "bytes_clean")}
    row = {"mb": megabytes, **asdict(usage), **kept, "on_disk": disk, "steps_cpu_per_mb": steps}
    return row | {"shards": len(list((work / "documents").glob("*.parquet"))), "workers": workers}


def resumed(text: EditedText, gigabytes: float, folder: Path, workers: int) -> dict:
    """Kill a run half-way, run it again, and compare it with the uninterrupted run in ``folder/work``."""
    source, work = folder / "text", folder / "killed"
    text.write(source, gigabytes * 1000)
    killed, again = clean(source, work, workers, kill_at=0.5), clean(source, work, workers)
    shutil.rmtree(source)
    return {"killed": killed.killed, "same": tree(work) == tree(folder / "work"), "cpu": [killed.cpu, again.cpu]}


def show(row: dict) -> str:
    """Return the table's line of one size."""
    cells = [f"{row['mb'] / 1000:.1f}", f"{row['mb'] / row['wall']:.1f}", f"{row['cpu'] / row['mb']:.3f}"]
    cells += [f"{row['peak'] / 1e6:,.0f}", f"{row['disk'] / 1e6 / row['mb']:.2f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="folder of development data")
    parser.add_argument(
        "--gb", type=float, nargs="+", default=[0.1, 0.4, 1.6], help="sizes in GB; 16 is the largest tried"
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="on a disk with room for six times the largest size")
    parser.add_argument("--json", type=Path, default=Path("build/bench/scale.json"))
    arguments = parser.parse_args()
    text = read_corpus(arguments.data, CORPUS_MB)
    machine = {"cores": os.cpu_count(), "processor": platform.machine(), "load": os.getloadavg()[0]}
    found = {"machine": machine, "corpus_mb": CORPUS_MB, "sizes": []}
    print(
        "| GB | MB/s | CPU s per MB | peak MB, all processes | disk, times the text |\n" + "| ---: " * 5 + "|",
        flush=True,
    )
    try:
        for number, gigabytes in enumerate(sorted(arguments.gb)):
            with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
                folder = Path(name)
                row = one(text, gigabytes, folder, arguments.workers)
                found["sizes"].append(row)
                print(show(row), flush=True)
                if not number:
                    found["resumed"] = resumed(text, gigabytes, folder, arguments.workers)
                    print(f"killed half-way and run again: {found['resumed']}", file=sys.stderr)
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(json.dumps(found, indent=2) + "\n")
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
