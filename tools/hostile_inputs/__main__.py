"""Clean every kind of bad input beside good documents: ``python -m tools.hostile_inputs [NAME …] [--list]``.

A run is bad if it ends with a traceback or a signal, takes over 60 CPU seconds, needs over 1.5 GB of memory, or lost a
good document: in ``documents/``, in the ledger, or because it stopped where it need not. The exit code is then 1.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import polars as pl

from tools.hostile_inputs import files, records, texts
from tools.hostile_inputs.raw import Kind, Raw

KINDS: dict[str, Kind] = records.KINDS | files.KINDS | texts.KINDS
MAX_CPU, MAX_PEAK = 60, 1_500_000_000
PATIENCE = 10  # wall seconds allowed for each CPU second: the machine may be busy
ROOT = Path(__file__).resolve().parents[2]
USER_ERROR = 2
# One thread: idle thread pools take memory.
QUIET = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


class Result(NamedTuple):
    """Outcome of a run; ``problems`` is empty if all is well."""

    code: int | None
    cpu: float
    wall: float
    peak: int
    problems: list[str]
    last: str  # line of the error output


class Worker:
    """Runner of commands in one process; it starts another after one has died or taken too long."""

    def __init__(self):
        self.process: subprocess.Popen | None = None

    def run(self, arguments: list[str], seconds: float) -> dict:
        """Run a command and return its result, as worker.py has it; without ``cpu`` if the process died or hung."""
        if not self.process:
            command = [sys.executable, "-m", "tools.hostile_inputs.worker"]
            pipe, quiet, env = subprocess.PIPE, subprocess.DEVNULL, os.environ | QUIET
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=quiet, text=True, cwd=ROOT, env=env
            )
        process = self.process
        assert process.stdin and process.stdout
        with suppress(BrokenPipeError):  # it has died: reading says so
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        if ready and (line := process.stdout.readline()):
            return json.loads(line)
        self.close()
        return {"code": process.returncode if ready else None, "errors": []}

    def close(self) -> None:
        """End the process."""
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None


def run_kind(kind: Kind, folder: Path, worker: Worker) -> Result:
    """Clean the bad input of one kind and check the outcome."""
    raw = Raw(folder / "raw")
    raw.write("a-good.jsonl", b"".join(raw.line() for _ in range(3)))
    kind.make(raw)
    raw.write("z-good.jsonl", b"".join(raw.line() for _ in range(3)))
    work, began = folder / "work", time.perf_counter()
    settings = [f"--set=input.{key}={json.dumps(value)}" for key, value in raw.settings.items()]
    command = ["clean", "clean-corpus", "--input", str(raw.folder), "--output", str(work), "--workers", "1", *settings]
    said = worker.run(command, PATIENCE * MAX_CPU)
    wall = time.perf_counter() - began
    problems, stopped = [], kind.stop and said["code"] == USER_ERROR
    if "cpu" not in said:
        problems.append("no end" if said["code"] is None else f"died by signal {-said['code']}")
    if said["code"] not in (0, USER_ERROR):
        problems.append("traceback")
    if said.get("cpu", 0) > MAX_CPU:
        problems.append("slow")
    if said.get("peak", 0) > MAX_PEAK:
        problems.append("memory")
    if not stopped and (lost := lost_documents(work, raw.good)):
        problems.append(f"{lost} of {len(raw.good)} good documents lost")
    last = next((line for line in reversed(said["errors"]) if "Error" in line), "")
    return Result(said["code"], said.get("cpu", 0), wall, said.get("peak", 0), problems, last)


def lost_documents(work: Path, good: dict[str, str]) -> int:
    """Count the good documents that are missing in the documents, or in the ledger."""
    found: dict[str, dict[str, str]] = {"documents": {}, "ledger": dict(good)}
    for folder, column in (("documents", "text"), ("ledger", "bytes")):
        if not (work / folder / "manifest.json").exists():
            return len(good)
        for path in (work / folder).glob("*.parquet"):
            rows = pl.read_parquet(path, columns=["id", column]).filter(pl.col("id").is_in(list(good)))
            if folder == "documents":
                found["documents"] |= dict(rows.iter_rows())
            else:
                for id in rows["id"]:
                    found["ledger"].pop(id, None)
    return sum(found["documents"].get(id) != text for id, text in good.items()) or len(found["ledger"])


@click.command()
@click.argument("names", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="Print the names of all kinds.")
def main(names: tuple[str, ...], listed: bool) -> None:
    """Clean bad inputs of all kinds, or of kinds with one of NAMES in their name; exit with 1 after a bad run."""
    chosen = {name: kind for name, kind in KINDS.items() if not names or any(word in name for word in names)}
    if listed or not chosen:
        click.echo("\n".join(chosen or KINDS))
        return
    worker, bad = Worker(), 0
    try:
        click.echo(f"{'kind':38} exit  CPU s  wall s  peak MB")
        for name, kind in chosen.items():
            with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
                result = run_kind(kind, Path(folder), worker)
            bad += bool(result.problems)
            said = "; ".join(result.problems) and f"BAD: {'; '.join(result.problems)}: {result.last[:200]}"
            said = said or (f"stopped: {result.last[:150]}" if result.code else "")
            cells = f"{result.code!s:>4} {result.cpu:6.1f} {result.wall:7.1f} {result.peak / 1e6:8,.0f}"
            click.echo(f"{name:38} {cells}  {said}")
    finally:
        worker.close()
    click.echo(f"{len(chosen)} kinds, {bad} bad")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
