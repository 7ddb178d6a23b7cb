"""Simulated reliability of data experiments: false findings, power, and coverage of scaling fits.

    python -m benchmarks.impact [REPEATS]

The script counts, by default in 100 simulations each:

1. experiments on equal arms that find no difference, with two arms and with five;
2. experiments that find a planted effect, of the size for which the plan states a power of 0.8;
3. experiments on equal arms whose documents differ by luck as much as runs do, for runs on documents of their own, on
   three parts, on two parts that count as if each run had its own, and of short arms, whose runs read all documents,
   and twice that with a planted effect;
4. fits whose intervals contain all of E, alpha and beta, on points from Chinchilla's published laws with 0.5 % noise,
   and the CPU seconds of a fit.
"""

import math
import sys
from time import process_time

import numpy as np

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.impact.arms import Arm
from gristmill.flows.impact.plan import PARTS, SAMPLES, ImpactPlan
from gristmill.flows.impact.recipe import Budget, Heldout, ImpactRecipe, TestSettings
from gristmill.flows.impact.run import rounds
from gristmill.flows.impact.verdicts import Scored, series
from gristmill.pretrain.impact.scaling import fit
from gristmill.pretrain.impact.significance import BETTER, WORSE, smallest_effect

PIECES, BYTES, LOSS = 60, 400, 2.5  # pieces of the simulated held-out set, bytes per piece, bits per byte
SHORTER = 0.2  # bits per byte by which short runs on parts of a short arm are worse
SD = 0.0116  # bits per byte between runs of one arm, measured on models of 0.4 M parameters, 0.5 M tokens, 8 seeds
# E, A, B, alpha, beta as printed by Hoffmann et al. (2022) and as refitted on the same runs by Besiroglu et al. (2024)
PUBLISHED = {
    "Hoffmann": (1.69, 406.4, 410.7, 0.34, 0.28),
    "Besiroglu": (1.8172, 482.01, 2085.43, 0.3478, 0.3658),
}
FIRST_COMPUTE, LAST_COMPUTE = 6e18, 3e21  # FLOPs of Chinchilla's runs; model sizes are 44 M to 16 B


def experiment(
    effects: dict[str, float],
    seed: int,
    seeds: int = 3,
    max_seeds: int | None = 6,
    document_sd: float = 0.0,
    parts: int = 0,
    trust: bool = True,
    short: str = "",
) -> list[dict]:
    """Return the questions and answers of one simulated experiment; the first arm is the baseline.

    Each arm has documents of its own, dealt into ``parts`` (0: one per seed); those of a part add a normal deviate with
    ``document_sd`` to the loss of each run on it. Without ``trust`` runs count as independent, as if none shared
    documents. ``short`` arms have PARTS, whose mean is their documents, or SAMPLES of the first.
    """
    rng = np.random.default_rng(seed)
    first, *others = effects
    arms = [Arm(first, first, Recipe()), *(Arm(name, name, Recipe(), against=first) for name in others)]
    impact = ImpactRecipe(
        budget=Budget(seeds=seeds, max_seeds=max_seeds),
        heldout=Heldout(sets={"books": ["books.txt"]}),
        test=TestSettings(draws=100),  # Welch's test decides, no bootstrap
    )
    documents = rng.normal(0, 0.3, PIECES)  # difficulty of each piece
    count = max_seeds or seeds
    of_part = {
        name: rng.normal(0, document_sd, parts or count)[np.arange(count) % (parts or count)] for name in effects
    }
    runs = {name: rng.normal(LOSS + effects[name], SD, count) + of_part[name] for name in effects}
    for name in {PARTS: list(effects), SAMPLES: others}.get(short, ()):
        mean = LOSS + effects[name]
        if short == PARTS:
            runs[series(name, PARTS)] = runs[name] + SHORTER
            runs[name] = rng.normal(mean + of_part[name].mean(), SD, count)
        else:
            runs[series(name, SAMPLES)] = rng.normal(mean, math.hypot(SD, document_sd), count)
            runs[name] = rng.normal(mean + rng.normal(0, document_sd), SD, count)
    odd = {name: rng.normal(0, 0.03, (len(runs[name]), PIECES)) for name in runs}  # noise of each run on each piece

    def train(wanted: dict[str, int], checked: set[str]) -> Scored:
        sizes, nats = np.full(PIECES, BYTES), {}
        for name in runs:
            n = wanted.get(name, count)
            bits = runs[name][:n, None] + documents + odd[name][:n] - odd[name][:n].mean(1, keepdims=True)
            nats[name] = bits * BYTES * math.log(2)
        return Scored(nats, sizes, np.full(PIECES, "books"), parts if trust else 0)

    return rounds(ImpactPlan(impact, arms), train)[1]


def false_findings(arms: int, repeats: int, first: int = 0, **budget) -> int:
    """Count the experiments on equal arms that find a difference."""
    nothing = {f"arm {k}": 0.0 for k in range(arms)}
    return sum(
        any(row["verdict"] in (BETTER, WORSE) for row in experiment(nothing, first + i, **budget))
        for i in range(repeats)
    )


def found(effect: float, repeats: int, arms: int = 2, **budget) -> int:
    """Count the experiments that find the planted effect of one arm, with the right sign."""
    planted = {f"arm {k}": 0.0 for k in range(arms - 1)} | {"planted": -effect}
    answers = (experiment(planted, i, **budget)[-1] for i in range(repeats))
    return sum(row["verdict"] == BETTER for row in answers)


def chinchilla_points(law: tuple, count: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sizes, tokens and losses of runs spread over Chinchilla's sizes and budgets."""
    rng = np.random.default_rng(seed)
    e, a, b, alpha, beta = law
    sizes = np.exp(rng.uniform(math.log(44e6), math.log(16e9), count))
    tokens = np.exp(rng.uniform(math.log(FIRST_COMPUTE), math.log(LAST_COMPUTE), count)) / 6 / sizes
    losses = e + a / sizes**alpha + b / tokens**beta
    return sizes, tokens, losses * np.exp(noise * rng.standard_normal(count))


def covered(law: tuple, draw: int, count: int = 245, draws: int = 200) -> bool:
    """True if the intervals of a fit contain E, alpha and beta."""
    law_fit = fit(*chinchilla_points(law, count, 0.005, draw), draws=draws, seed=draw)
    true = {"E": law[0], "alpha": law[3], "beta": law[4]}
    return all(law_fit.intervals[name].low <= value <= law_fit.intervals[name].high for name, value in true.items())


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for arms in (2, 5):
        wrong = false_findings(arms, repeats)
        print(f"{arms} equal arms: no difference found in {repeats - wrong} of {repeats} experiments")
    for parts, trust, short in ((0, True, ""), (3, True, ""), (2, False, ""), (6, True, PARTS), (3, True, SAMPLES)):
        wrong = false_findings(2, repeats, document_sd=SD, parts=parts, trust=trust, short=short, seeds=6)
        shared = f"{parts} parts" if parts else "a part for each seed"
        shared += f", spread by {short}" if short else ""
        counted = "" if trust else ", counted as one for each seed"
        print(f"luck of documents, {shared}{counted}: no difference found in {repeats - wrong} of {repeats}")
    for short in (PARTS, SAMPLES):
        times = found(6 * SD, repeats, document_sd=SD, parts=6, short=short, seeds=6)
        print(f"an effect of {6 * SD:.4f} bpb, luck of documents, spread by {short}: found in {times} of {repeats}")
    for seeds in (3, 6):
        effect = smallest_effect(SD, seeds, seeds, 0.02)
        times = found(effect, repeats, seeds=seeds, max_seeds=None)
        print(f"an effect of {effect:.4f} bpb, {seeds} seeds: found in {times} of {repeats}, stated power 0.80")
    for arms, most in ((5, None), (5, 6)):
        times = found(2.5 * SD, repeats, arms, seeds=3, max_seeds=most)
        print(f"{2.5 * SD:.4f} bpb, {arms} arms, 3 seeds, up to {most or 3}: found in {times} of {repeats}")
    for name, law in PUBLISHED.items():
        began = process_time()
        times = sum(covered(law, draw) for draw in range(repeats))
        seconds = (process_time() - began) / repeats
        print(f"{name}: E, alpha, beta all covered in {times} of {repeats} draws, {seconds:.2f} CPU s per fit")


if __name__ == "__main__":
    main()
