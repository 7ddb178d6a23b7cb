"""Overhead of a task on a local Dask cluster of processes with one thread: ``python -m benchmarks.dask_tasks``.

    python -m benchmarks.dask_tasks [--workers 8] [--tasks 400] [--json build/bench/scale.json]

A task writes an empty part and its record; the same jobs run in this process, one after the other, for comparison. Its
arguments are as large as those of a shard to be measured by the default recipe. Client and scheduler are this process.
CPU seconds per task are valid on a busy machine, seconds of the clock are not.
"""

import argparse
import json
import os
import pickle
import tempfile
import time
from pathlib import Path

from upath import UPath

from benchmarks.process_tree import sample_of
from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.engine.engines import engine
from gristmill.pipelines.steps.step import Job, Output, Step, Written, run_serial, run_step

MB = 1_000_000


def nothing(settings: dict, outputs: tuple[Output, ...]) -> list[Written]:
    """Write an empty part."""
    return [Written([], {}) for _ in outputs]


def step(folder: Path, tasks: int) -> Step:
    """Return a step of ``tasks`` jobs that do nothing; each counts 50 MB, so that none is joined with others."""
    steps = read_recipe("clean-corpus").steps
    outputs = [Output(UPath(folder), f"part-{n:05}") for n in range(tasks)]
    return Step("nothing", {UPath(folder): {}}, [Job(nothing, (steps,), (output,), 50 * MB) for output in outputs])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dask_tasks", description=__doc__.split("\n")[0])
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--json", type=Path, default=Path("build/bench/scale.json"))
    arguments = parser.parse_args()
    tasks, found = arguments.tasks, {}
    with tempfile.TemporaryDirectory() as name, engine("dask", arguments.workers) as cluster:
        folder = Path(name)
        run_step(step(folder / "first", 8 * arguments.workers), cluster)  # workers start and import
        for title, runner in (("here", run_serial), ("dask", cluster)):
            before, began, own = sample_of(os.getpid()).cpu, time.perf_counter(), time.process_time()
            run_step(step(folder / title, tasks), runner)
            wall, own = time.perf_counter() - began, time.process_time() - own
            cpu = sample_of(os.getpid()).cpu - before
            each = {"wall_ms": 1000 * wall / tasks, "cpu_ms": 1000 * cpu / tasks, "own_cpu_ms": 1000 * own / tasks}
            found[title] = {key: round(value, 2) for key, value in each.items()}
            print(f"{title}: {found[title]}", flush=True)
        found["job_bytes"] = len(pickle.dumps(step(folder, 1).jobs[0]))
    over = found["dask"]["cpu_ms"] - found["here"]["cpu_ms"]
    print(f"{arguments.workers} workers, {tasks} tasks of {found['job_bytes']:,} bytes: {over:.1f} CPU ms more a task")
    found |= {
        "workers": arguments.workers,
        "tasks": tasks,
        "overhead_cpu_ms": round(over, 2),
        "load": os.getloadavg()[0],
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(arguments.json.read_text()) if arguments.json.exists() else {"sizes": []}
    arguments.json.write_text(json.dumps({**kept, "dask": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
