"""Searches whose answer is planted: how often `gristmill tune` is right, on samples of messy in $D.

    python -m benchmarks.tune_truth FOLDER [--only PATTERN] [--limit N] [--budget 24runs]

Every trial is one search on real models with a sample of its own. FOLDER/results.json has a line for each: its kind,
the gain on the guard with its interval, whether it is right, the seconds. Trials that it holds are not run again, and
a stopped trial continues. At the end, or with ``--limit 0``, the script prints right trials of each kind.

- *bad*: ``gopher.min_word_length`` keeps few novels and speeches, ``gopher.max_words`` few long documents. Truth: other
  thresholds are better on speeches.
- *idle*: two thresholds that remove next to nothing. Truth: nothing is better.
"""

import argparse
import fnmatch
import json
import random
import shutil
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

from upath import UPath

from benchmarks.sides import DATA
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.engine.engines import engine
from gristmill.flows.impact.recipe import parse_impact
from gristmill.flows.proxies.budget import parse_budget
from gristmill.flows.tune.run import tune
from gristmill.flows.tune.settings import Tuning
from gristmill.flows.tune.space import parse_spans
from gristmill.pipelines.ingest.ingest import read_documents
from gristmill.pipelines.inputs.inputs import InputSettings

CORPUS, GOOD = "messy.jsonl.zst", "prose_speeches.jsonl.zst"
MEGABYTES = 36.0  # of which the bad thresholds keep 3, enough for the guard's runs to share no documents
ASCII = 1.02  # bytes per character of mostly English documents, at most
BAD = {"min_word_length": 4.8, "max_words": 700}
RANGES = {
    "bad": ("gopher.min_word_length=2..4.8", "gopher.max_words=700..20000"),
    "idle": ("gopher.max_hash_ratio=0.05..0.2", "gopher.max_ellipsis_lines=0.1..0.5"),
}


class Trial(NamedTuple):
    """Search with a known answer."""

    kind: str  # bad or idle
    sample: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.sample}"


TRIALS = [Trial(kind, sample) for sample in range(10) for kind in ("bad", "idle")]


@cache
def pool() -> list[dict]:
    """Return the documents of the corpus that are mostly English; its labels are not read."""
    tables = read_documents([str(DATA / CORPUS)], InputSettings(drop=["labels"]))
    rows = [row for table in tables for row in table.select(["id", "text"]).to_pylist()]
    return [row for row in rows if len(row["text"].encode()) <= ASCII * len(row["text"])]


def write_sample(seed: int, path: Path, megabytes: float = MEGABYTES) -> None:
    """Write a random sample of the corpus."""
    size = megabytes * 1e6
    with path.open("w", encoding="utf-8") as file:
        for row in random.Random(seed).sample(pool(), len(pool())):
            file.write(json.dumps(row) + "\n")
            if (size := size - len(row["text"])) <= 0:
                return


def search(trial: Trial, folder: Path, budget: str) -> dict:
    """Run one search, or the rest of it; return its line of results."""
    began, corpus = time.perf_counter(), folder / "corpus.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    if not corpus.exists():
        write_sample(trial.sample, corpus)
    gopher = {"use_profiles": False} | (BAD if trial.kind == "bad" else {})
    table = {"input": {"paths": [str(corpus)]}, "steps": {"gopher": gopher, "exact": {}}}
    experiment = {
        "heldout": {"sets": {"speeches": [str(DATA / GOOD)]}, "bytes": 60_000, "piece_bytes": 400},
        "model": {"d_model": 64, "n_heads": 2, "n_layers": 2},
        "train": {"steps": 120, "batch_size": 8, "warmup": 20, "seed": 100 * trial.sample},
    }
    proxy = parse_impact(experiment, trial.name, (), (str(corpus),))
    spans = parse_spans(list(RANGES[trial.kind]))
    tuning = Tuning(parse_recipe(table, trial.name), "recipe.toml", spans, parse_budget(budget), proxy)
    with engine("threads", 2) as two:
        found = tune(tuning, UPath(folder / "tune"), two, on_log=print)
    guard, best = found["guard"] or {}, found["candidates"][found["winner"]]
    line = {"name": trial.name, "kind": trial.kind, "right": bool(found["recipe"]) == (trial.kind == "bad")}
    line |= {"changes": best["changes"], "bytes": [found["candidates"][0]["bytes"], best["bytes"]]}
    line |= {key: guard.get(key) for key in ("delta", "interval", "bootstrap", "seeds", "samples", "verdict")}
    return line | {"seconds": round(time.perf_counter() - began, 1)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="*", help="run only trials whose name fits the pattern")
    parser.add_argument("--limit", type=int, default=len(TRIALS), help="run up to this many trials now")
    parser.add_argument("--budget", default="24runs")
    asked = parser.parse_args()
    results = asked.folder / "results.json"
    lines = json.loads(results.read_text()) if results.exists() else []
    known = {line["name"] for line in lines}
    wanted = [trial for trial in TRIALS if trial.name not in known and fnmatch.fnmatch(trial.name, asked.only)]
    for trial in wanted[: asked.limit]:
        lines.append(line := search(trial, asked.folder / trial.name, asked.budget))
        results.write_text(json.dumps(lines, indent=1) + "\n")
        shutil.rmtree(asked.folder / trial.name)
        print(
            f"{trial.name}: {line['verdict']} {line['delta']}, {line['changes']}, {line['seconds']:.0f} s", flush=True
        )
    for kind in RANGES:
        mine = [line for line in lines if line["kind"] == kind]
        print(f"{kind}: {sum(line['right'] for line in mine)} of {len(mine)} right")


if __name__ == "__main__":
    main()
