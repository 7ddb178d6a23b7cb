"""Rank agreement between sizes: whether `proxy-1m` and `proxy-4m` rank four recipes alike, on messy in $D.

    python -m benchmarks.size_agreement FOLDER [--megabytes 12] [--steps 100] [--seeds 3]

The arms are those of `impact-small` on mostly English documents: raw, the full recipe, only its quality rules, only its
deduplication. All runs have the low learning rate, which decides, and are scored on speeches. The script prints losses,
Kendall's tau and Spearman's rho with 95 % intervals over seeds. A stopped run continues.
"""

import argparse
from pathlib import Path

import numpy as np
from upath import UPath

from benchmarks.sides import DATA
from benchmarks.tune_truth import GOOD, write_sample
from gristmill.flows.engine.engines import engine
from gristmill.flows.impact.recipe import read_impact
from gristmill.flows.impact.run import measure_impact
from gristmill.pretrain.impact.rank_agreement import agreement

PRESETS = "proxy-1m", "proxy-4m"
SET = "speeches"


def measure(preset: str, corpus: Path, folder: Path, steps: int, seeds: int) -> tuple[list[str], np.ndarray]:
    """Return the names of the arms, and their losses at one size, float64 [arms, seeds]."""
    changes = (
        "arms.without=[]",
        'arms.only=["quality", "dedup"]',
        f'heldout.sets.{SET}=["{DATA / GOOD}"]',
        f"budget.seeds={seeds}",
        f"budget.max_seeds={seeds}",
        "rates.check_seeds=0",
        f"model.preset={preset}",
        f"train.steps={steps}",
        f"train.warmup={max(1, steps // 10)}",
        "train.batch_size=8",
    )
    impact = read_impact("impact-small", changes, (str(corpus),))
    with engine("threads", 2) as two:
        report = measure_impact(impact, UPath(folder / preset), two, on_log=print)
    return [arm["name"] for arm in report["arms"]], np.array([a["losses"][SET]["seeds"] for a in report["arms"]])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=12.0, help="size of the sample")
    parser.add_argument("--steps", type=int, default=100, help="steps of a run, of 8 sequences of 256 tokens")
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    corpus, found = asked.folder / "corpus.jsonl", []
    if not corpus.exists():
        write_sample(0, corpus, asked.megabytes)
    for preset in PRESETS:
        names, losses = measure(preset, corpus, asked.folder, asked.steps, asked.seeds)
        found.append(losses)
        for name, mine in zip(names, losses, strict=True):
            print(f"{preset}  {name:<14}{mine.mean():.4f}, standard deviation {mine.std(ddof=1):.4f}", flush=True)
    small, large = found
    alike = agreement(small, large)
    for name, value, (low, high) in (
        ("tau", alike.tau, alike.tau_interval),
        ("rho", alike.rho, alike.rho_interval),
    ):
        print(f"{name} {value:.2f}, 95 % interval {low:.2f} to {high:.2f}")
    print(f"{alike.pairs:.0%} of the pairs of recipes in the same order")


if __name__ == "__main__":
    main()
