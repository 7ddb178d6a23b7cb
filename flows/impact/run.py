"""Run of an experiment: prepare the data, train in rounds, test, report. Finished work is not repeated."""

from collections.abc import Callable

from upath import UPath

from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.plan import EQUAL_DOCUMENTS, ImpactPlan, make_plan
from gristmill.flows.impact.prepare import prepare
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.impact.report import write_report
from gristmill.flows.impact.train import (
    base_run,
    check_epochs,
    differs_in_size,
    parts_of,
    read_scored,
    scaling_runs,
    train_step,
)
from gristmill.flows.impact.verdicts import Scored, compare_arms, still_open
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step


def measure_impact(
    impact: ImpactRecipe,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    on_log: Callable[[str], None] = lambda line: None,
) -> dict:
    """Run an experiment and return its report, as in ``IMPACT/impact.json``; ``on_log`` gets each warning."""
    progress, warned = progress or NullProgress(), set()
    with exclusive_run(work):
        plan = make_plan(impact, work)
        prepare(plan, work, engine, progress)
        scaling, parts = scaling_runs(plan, work), parts_of(plan, work)
        second = {arm.name for arm in plan.arms if differs_in_size(plan, work, arm)}

        def train(wanted: dict[str, int]) -> Scored:
            rungs = {arm: ("", EQUAL_DOCUMENTS) if arm in second else ("",) for arm in wanted}
            runs = [
                base_run(plan, work, plan.arm(arm), seed, rung=rung, parts=parts)
                for arm, n in wanted.items()
                for rung in rungs[arm]
                for seed in range(n)
            ]
            runs.sort(key=lambda run: run.seed)  # all arms of one seed before the next seed
            for warning in check_epochs([*runs, *scaling], impact.budget.max_epochs):
                if warning not in warned:
                    on_log(warning)
                warned.add(warning)
            run_step(train_step([*runs, *scaling], work), engine, progress)
            return read_scored(work, runs)._replace(parts=parts)

        scored, rows = rounds(plan, train)
        return write_report(plan, work, scored, scaling, rows)


def rounds(plan: ImpactPlan, train: Callable[[dict[str, int]], Scored]) -> tuple[Scored, list[dict]]:
    """Train arms in rounds, with more seeds each for open questions; return scores, and a row per question."""
    wanted: dict[str, int] = {}
    rows: dict[str, dict] = {}
    remaining = {arm.name for arm in plan.arms}
    for look in plan.looks:
        wanted |= dict.fromkeys((arm.name for arm in plan.arms if arm.name in remaining), look.seeds)
        scored = train(wanted)
        found = [row for row in compare_arms(plan, scored, look) if row["arm"] in remaining]
        rows |= {row["arm"]: row for row in found}
        remaining = still_open(found)
        if not remaining:
            break
    return scored, list(rows.values())
