"""Worth of removed documents: models that read some of them in place of kept text, against models that do not.

The documents of a rule violate it and no other rule. They are a small part of a corpus, too small to be seen
in a model that reads them at their natural share: so a run reads a quarter of its tokens from them.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from upath import UPath

from gristmill.flows.clean.run import clean
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.plan import RUNS
from gristmill.flows.proxies.guard import ALPHA, compare_on_guard
from gristmill.flows.proxies.runs import Draw, ProxyRun, make_run, proxy_step, read_scored, trained_tokens
from gristmill.flows.tune.run import Prepared, prepare
from gristmill.flows.tune.settings import Tuning
from gristmill.flows.worth.saved import WORTH
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step
from gristmill.pipelines.storage.sealed import write_sealed
from gristmill.pretrain.impact.significance import BETTER, INCONCLUSIVE, WORSE, holm

KEPT = "kept"
MAX_EPOCHS = 4.0  # of a rule's documents in one run: a rule with fewer tokens has no verdict
MOST_RULES = 8  # rules to measure where none is named: those with the most text


def measure_worth(
    tuning: Tuning,
    rules: list[str],
    seeds: int,
    share: float,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    on_log: Callable[[str], None] = lambda line: None,
) -> list[dict]:
    """Measure the worth of each rule's documents; return the rows of ``worth.json``, which is written into the run.

    ``share`` of the tokens of a run are a rule's documents. Raises RecipeError for a rule that alone removes too few.
    """
    progress = progress or NullProgress()
    with exclusive_run(work):
        clean(tuning.recipe, work / "run", engine, progress)
        made = prepare(tuning, work, engine, progress)
        alone = removed_alone(made)
        chosen = choose_rules(made, alone, rules, share * trained_tokens(tuning.proxy))
        on_log(f"Plan: {len(chosen)} rules, {seeds * (1 + len(chosen))} runs")
        arms = {KEPT: made.pool.mask(())} | {rule: alone[rule] for rule in chosen}
        runs = {arm: [_run(tuning, made, work, arm, arms, k, seeds, share) for k in range(seeds)] for arm in arms}
        run_step(proxy_step([run for mine in runs.values() for run in mine]), engine, progress)
        rows = [_row(tuning, made, rule, arms[rule], runs, share) for rule in chosen]
        adjusted = holm([row["p"] for row in rows])
        rows = [with_sentence(row, p) for row, p in zip(rows, adjusted, strict=True)]
        write_sealed(work / "run" / WORTH, {"rules": rows})
    return rows


def removed_alone(made: Prepared) -> dict[str, np.ndarray]:
    """Return step.rule -> bool [n]: documents of the pool that violate this rule of the recipe and no other."""
    run = made.pool.run
    violations = pl.concat([run.ledger(part, ["violations"]) for part in run.parts])["violations"]
    single = violations.list.len() == 1
    first = violations.list.first()
    names = pl.DataFrame({"step": first.struct.field("step"), "rule": first.struct.field("rule"), "single": single})
    rules = names.select(pl.when("single").then(pl.format("{}.{}", "step", "rule")).alias("name"))["name"]
    return {
        name: (rules == name).fill_null(False).to_numpy()[made.pool.order]
        for name in rules.drop_nulls().unique().sort()
    }


def choose_rules(made: Prepared, alone: dict[str, np.ndarray], asked: list[str], tokens: float) -> list[str]:
    """Return the rules to measure: those asked for, or those with the most text of their own."""
    sizes = {name: int(made.pool.lengths[mask].sum()) for name, mask in alone.items()}
    for name in asked:
        if name not in sizes:
            raise RecipeError(f"no document is removed by {name!r} alone; {nearest(name, sorted(sizes))}")
        if sizes[name] * MAX_EPOCHS < tokens:
            raise RecipeError(
                f"{name} alone removes {sizes[name]:,} tokens, and a run reads {tokens:,.0f} of them, more than "
                f"{MAX_EPOCHS:g} times each; lower --share or --set train.steps"
            )
    enough = [name for name in sizes if sizes[name] * MAX_EPOCHS >= tokens]
    found = asked or sorted(enough, key=lambda name: (-sizes[name], name))[:MOST_RULES]
    if not found:
        raise RecipeError(
            f"no rule alone removes enough text for {tokens:,.0f} tokens of a run; lower --share or --set train.steps"
        )
    return found


def _run(
    tuning: Tuning,
    made: Prepared,
    work: UPath,
    arm: str,
    arms: dict[str, np.ndarray],
    seed: int,
    seeds: int,
    share: float,
) -> ProxyRun:
    """Return a run on kept text alone, or on a rule's documents and kept text; seeds begin at other documents."""
    total, start = trained_tokens(tuning.proxy) + 1, seed / seeds
    own = 0 if arm == KEPT else round(share * total)
    parts = {KEPT: total - own} | ({arm: own} if own else {})
    draws = tuple(
        Draw(made.pool.tokens, start, tokens=tokens, allowed=np.packbits(arms[name]).tobytes())
        for name, tokens in parts.items()
    )
    return make_run(tuning.proxy, work / RUNS / "worth", f"{arm}-{seed}", draws, seed, made.heldout)


def _row(
    tuning: Tuning, made: Prepared, rule: str, mask: np.ndarray, runs: dict[str, list[ProxyRun]], share: float
) -> dict:
    """Return the row of a rule: its size, and the comparison with kept text."""
    pieces = pl.concat([made.pieces.search, made.pieces.guard])  # nothing was chosen by loss, so all of them decide
    scored = read_scored({arm: runs[arm] for arm in (rule, KEPT)}, pieces)
    name, parameters = tuning.proxy.heldout.deciding, runs[rule][0].shape.matrices()
    row = compare_on_guard(scored, rule, KEPT, name, parameters, 0.0)
    sizes = {"documents": int(mask.sum()), "bytes": int(made.pool.bytes[mask].sum())}
    read = share * trained_tokens(tuning.proxy) / max(1.0, float(made.pool.lengths[mask].mean()))
    about = {"rule": rule, **sizes, "share": share, "per_document": row["delta"] / read}
    return about | {key: value for key, value in row.items() if key not in ("arm", "needed_bytes", "sentence")}


def with_sentence(row: dict, adjusted: float) -> dict:
    """Return a row with a sentence to quote; its finding holds if the p-value, ``adjusted`` for all rules, is low."""
    verdict = row["verdict"] if row["verdict"] not in (BETTER, WORSE) or adjusted < ALPHA else INCONCLUSIVE
    found = {
        BETTER: f"are better by {-row['delta']:.4f}: they would have helped",
        WORSE: f"are worse by {row['delta']:.4f}: the rule is right",
    }.get(verdict, "make no difference that was seen")
    low, high = row["interval"]
    sentence = (
        f"The {row['documents']:,} documents that {row['rule']} alone removed ({row['bytes'] / 1e6:.2f} MB) {found} "
        f"(bits per byte of {row['set']}, in place of {row['share']:.0%} of the kept text; {row['confidence']:.0%} "
        f"interval {low:+.4f} to {high:+.4f})"
    )
    return row | {"verdict": verdict, "adjusted": adjusted, "sentence": sentence}
