"""Arithmetic of a run at any size from measured figures: ``python -m benchmarks.simulate [--write]``.

The figures come from docs/scale.json, or from the file that `benchmarks.scale` and `benchmarks.dask_tasks` write:
``--figures build/bench/scale.json``. With ``--write`` they go into docs/scale.json and the tables into docs/scale.md.

Each line of a table is a product of measured figures per MB of text (the largest size measured, the step's own) and of
the size. Nothing is fitted. Two numbers are assumed and stand in the table or beside it: the number of workers and the
speed of a node's link.
"""

import argparse
import json
import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

from benchmarks.readme import replace_block
from gristmill.flows.clean.recipe import read_recipe
from gristmill.pipelines.steps.corpus_step import CorpusStep

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE, FIGURES = REPOSITORY / "docs" / "scale.md", REPOSITORY / "docs" / "scale.json"
SHARD_MB = 67.108864  # SHARD_BYTES of pipelines/storage/shards.py, for more than 2 GB of text
BOUNDED = ("cross_fit_perplexity models",)  # trained on a sample of bounded size
ONE_JOB = ("cross_fit_perplexity sample", "link duplicates")
TB = 1_000_000  # MB


class Cluster(NamedTuple):
    """Assumed cluster: workers of one thread, and the link of a node of ``cores`` workers."""

    workers: int
    gigabits: float = 25.0
    cores: int = 64


RUNS = {"1 TB": (TB, Cluster(512)), "100 TB": (100 * TB, Cluster(16_384))}


@cache
def kind_of(title: str) -> str:
    """Return how a step of the log runs: in jobs over a shard each, in jobs of bounded size, or in one job."""
    step = read_recipe("clean-corpus").steps.get(title.removeprefix("decide "))
    whole = title in ONE_JOB or (title.startswith("decide ") and isinstance(step, CorpusStep))
    return "corpus" if whole else "bounded" if title in BOUNDED else "shards"


def sums(figures: dict, key: str) -> dict[str, float]:
    """Return the sum of a figure over the steps of each kind, per MB of text at the largest size measured."""
    largest = figures["sizes"][-1]
    found = {"shards": 0.0, "bounded": 0.0, "corpus": 0.0}
    for title, step in largest["steps"].items():
        found[kind_of(title)] += step[key]
    return {kind: value / largest["mb"] for kind, value in found.items()}


def measured(figures: dict) -> str:
    """Return the table of the measured sizes."""
    lines = ["| | " + " | ".join(f"{row['mb'] / 1000:.1f} GB" for row in figures["sizes"]) + " |"]
    lines.append("| --- |" + " ---: |" * len(figures["sizes"]))
    rows = {
        "documents": lambda row: f"{row['documents_in']:,}",
        "MB per second": lambda row: f"{row['mb'] / row['wall']:.1f}",
        "CPU ms per MB": lambda row: f"{1000 * row['cpu'] / row['mb']:.0f}",
        "of these, jobs over one shard": lambda row: f"{of_kind(row, 'shards'):.0f}",
        "of these, models of a bounded sample": lambda row: f"{of_kind(row, 'bounded'):.0f}",
        "of these, steps over the corpus": lambda row: f"{of_kind(row, 'corpus'):.1f}",
        "peak memory, all processes, MB": lambda row: f"{row['peak'] / 1e6:,.0f}",
        "work folder, times the text": lambda row: f"{row['disk'] / 1e6 / row['mb']:.2f}",
        "scratch of steps over the corpus, times the text": lambda row: f"{row['spill'] / 1e6 / row['mb']:.2f}",
        "load of the machine": lambda row: f"{row['load']:.1f}",
    }
    return "\n".join(
        [*lines, *(f"| {name} | {' | '.join(map(cell, figures['sizes']))} |" for name, cell in rows.items())]
    )


def of_kind(row: dict, kind: str) -> float:
    """Return the CPU milliseconds per MB of the steps of a kind."""
    return sum(1000 * step["cpu"] / row["mb"] for title, step in row["steps"].items() if kind_of(title) == kind)


def simulated(figures: dict) -> str:
    """Return the table of RUNS."""
    cpu, read, written = (sums(figures, key) for key in ("cpu", "read", "written"))
    largest, task = figures["sizes"][-1], figures["dask"]["dask"]
    each = largest["documents_in"] / largest["mb"]
    shard_jobs = sum(kind_of(title) == "shards" for title in largest["steps"])
    models = sum(step["cpu"] for title, step in largest["steps"].items() if kind_of(title) == "bounded")
    spill = largest["spill"] / 1e6 / largest["mb"]
    columns = {}
    for name, (megabytes, cluster) in RUNS.items():
        shards = math.ceil(megabytes / SHARD_MB)
        tasks = shards * shard_jobs
        at_work = megabytes * cpu["shards"] / cluster.workers
        link = cluster.gigabits / 8 * 1000 * cluster.workers / cluster.cores  # MB/s of all nodes
        moved = megabytes * (read["shards"] + written["shards"]) / 1e6
        columns[name] = {
            "documents": f"{megabytes * each / 1e9:,.2f} billion",
            "workers of one thread": f"{cluster.workers:,}",
            "shards of 64 MB": f"{shards:,}",
            "tasks": f"{tasks:,}",
            "jobs over one shard: CPU hours": f"{megabytes * cpu['shards'] / 3600:,.0f}",
            "the same, hours on these workers": f"{at_work / 3600:,.2f}",
            "overhead of the tasks in the scheduler's process, hours": f"{tasks * task['own_cpu_ms'] / 3.6e6:,.2f}",
            "moved by jobs over one shard, TB": f"{moved / 1e6:,.1f}",
            "the same, hours over the links": f"{moved / link / 3600:,.2f}",
            "models of a bounded sample: CPU hours, at any size": f"{models / 3600:,.2f}",
            "steps over the corpus: hours in one process each": f"{megabytes * cpu['corpus'] / 3600:,.1f}",
            "read by these, TB": f"{megabytes * read['corpus'] / 1e12:,.2f}",
            "their scratch on a local disk, TB": f"{megabytes * spill / TB:,.2f}",
            "work folder, TB": f"{megabytes * largest['disk'] / 1e6 / largest['mb'] / TB:,.1f}",
        }
    lines = ["| | " + " | ".join(columns) + " |", "| --- |" + " ---: |" * len(columns)]
    rows = next(iter(columns.values()))
    return "\n".join([*lines, *(f"| {row} | {' | '.join(each[row] for each in columns.values())} |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulate", description=__doc__.split("\n")[0])
    parser.add_argument("--figures", type=Path, default=FIGURES)
    parser.add_argument("--write", action="store_true", help="write both tables into docs/scale.md")
    arguments = parser.parse_args()
    figures = json.loads(arguments.figures.read_text())
    tables = {"measured": measured(figures), "simulated": simulated(figures)}
    for name, table in tables.items():
        print(table + "\n")
        if arguments.write:
            FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
            PAGE.write_text(replace_block(PAGE.read_text(), name, table))


if __name__ == "__main__":
    main()
