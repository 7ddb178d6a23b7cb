"""Default recipe at growing sizes: MB/s, CPU seconds per MB, peak memory of all processes, disk; as JSON, too.

    python -m benchmarks.scale DATA [--gb 0.1 0.4 1.6] [--workers 2] [--folder F] [--json build/bench/scale.json]

Speed and memory should not depend on the size. The text is made by editing the messy documents (edited_text.py), in
files of 64 MB, and is removed after its run. The smallest of several sizes is run once more, killed when half of its
shards are measured, and run again: both work folders must hold the same bytes. Where others share the machine, CPU
seconds and memory are valid, seconds of the clock are not.
"""

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.edited_text import EditedText, read_corpus
from benchmarks.harness import BenchmarkError
from benchmarks.mill import tree
from benchmarks.process_tree import Usage, disk_of, watch

CORPUS_MB = 33
JSON = Path("build/bench/scale.json")
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
    """Run one size and return its figures; bytes by folder and, by step, CPU seconds, wall seconds and peak bytes."""
    source, work = folder / "text", folder / "work"
    made = text.write(source, gigabytes * 1000)
    usage = clean(source, work, workers)
    shutil.rmtree(source)
    counts = json.loads((work / "summary.json").read_text())
    steps = {title: {key: round(value, 2) for key, value in step.items()} for title, step in usage.steps.items()}
    return {
        "mb": round(made["bytes"] / 1e6, 3),
        "workers": workers,
        "load": round(os.getloadavg()[2], 1),
        **{key: round(getattr(usage, key), 2) for key in ("cpu", "wall", "peak", "disk", "spill")},
        **{key: counts[key] for key in ("documents_in", "clean", "bytes_clean")},
        "shards": len(list((work / "documents").glob("*.parquet"))),
        "on_disk": {name: disk_of(work / name) for name in FOLDERS},
        "steps": steps,
    }


def resumed(text: EditedText, gigabytes: float, folder: Path, workers: int) -> dict:
    """Compare a run that is killed half-way and run again with the uninterrupted run in ``folder/work``."""
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
    parser.add_argument("--gb", type=float, nargs="+", default=[0.1, 0.4, 1.6], help="sizes, such as 0.1 16")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="folder on a disk with room for three times the largest size")
    parser.add_argument("--json", type=Path, default=JSON, help="figures; those of other sizes in it stay")
    arguments = parser.parse_args()
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    text = read_corpus(arguments.data, CORPUS_MB)
    found = json.loads(arguments.json.read_text()) if arguments.json.exists() else {"sizes": []}
    found["machine"] = {"cores": os.cpu_count(), "processor": platform.machine()}
    print(HEAD, flush=True)
    try:
        for gigabytes in sorted(arguments.gb):
            with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
                row = one(text, gigabytes, Path(name), arguments.workers)
                print(show(row), flush=True)
                others = [other for other in found["sizes"] if round(other["mb"]) != round(row["mb"])]
                found["sizes"] = sorted([*others, row], key=lambda each: each["mb"])
                if gigabytes == min(arguments.gb) and len(arguments.gb) > 1:
                    found["resumed"] = resumed(text, gigabytes, Path(name), arguments.workers)
                    print(f"killed half-way and run again: {found['resumed']}", file=sys.stderr)
            arguments.json.parent.mkdir(parents=True, exist_ok=True)
            arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    except BenchmarkError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
