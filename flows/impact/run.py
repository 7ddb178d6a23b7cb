"""Run of an experiment: prepare the data, train in rounds, test, report. Finished work is not repeated."""

from collections.abc import Callable

from upath import UPath

from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.documents.samples import LEAST_PARTS, Dealing
from gristmill.flows.impact.plan import EQUAL_DOCUMENTS, OTHER_RATE, ImpactPlan, make_plan
from gristmill.flows.impact.prepare import prepare
from gristmill.flows.impact.rates import check_rates
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.impact.report import write_report
from gristmill.flows.impact.sentences import too_short
from gristmill.flows.impact.train import (
    ArmRun,
    base_run,
    check_epochs,
    data_of,
    dealing_of,
    differs_in_size,
    needed_bytes,
    read_scored,
    scaling_runs,
    spread_run,
    train_step,
)
from gristmill.flows.impact.verdicts import FINDINGS, Scored, compare_arms, still_open
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step

PAIRS = 3  # runs at equal documents, each compared with that of the same seed at equal tokens


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
        scaling, dealing = scaling_runs(plan, work), dealing_of(plan, work)
        if dealing.parts == 1:
            each = [base_run(plan, work, arm, 0) for arm in plan.arms]
            on_log(too_short(needed_bytes([data_of(run) for run in each], impact.budget.seeds)))
        second = {arm.name for arm in plan.arms if differs_in_size(plan, work, arm)}

        def train(wanted: dict[str, int], checked: set[str]) -> Scored:
            runs = []
            for arm, seeds in wanted.items():
                runs += runs_of(plan, work, arm, seeds, dealing, arm in second, arm in checked)
            runs.sort(key=lambda run: run.seed)  # all arms of one seed before the next seed
            for warning in check_epochs([*runs, *scaling], impact.budget.max_epochs):
                if warning not in warned:
                    on_log(warning)
                warned.add(warning)
            run_step(train_step([*runs, *scaling], work), engine, progress)
            return read_scored(work, runs)._replace(parts=dealing.parts)

        scored, rows = rounds(plan, train)
        return write_report(plan, work, scored, scaling, rows)


def runs_of(
    plan: ImpactPlan, work: UPath, name: str, seeds: int, dealing: Dealing, second: bool, checked: bool
) -> list[ArmRun]:
    """Return the runs of an arm: ``seeds``, some at equal documents if that is a ``second`` question, and the check of
    the learning rate if it is ``checked``. Without parts there will be no verdict, and two runs show the losses.
    """
    counts, others = {"": seeds}, 0  # runs at each rung, and the other runs of a short arm
    if dealing.parts == 1:
        counts = {"": 2}
    else:
        if name in dealing.short:
            counts[""] = others = max(seeds, min(LEAST_PARTS, dealing.parts))
        counts |= {EQUAL_DOCUMENTS: min(counts[""], PAIRS)} if second else {}
        counts |= {OTHER_RATE: min(counts[""], plan.impact.rates.check_seeds)} if checked else {}
    runs = [spread_run(plan, work, name, seed, dealing) for seed in range(others)]
    for rung, n in counts.items():
        runs += [base_run(plan, work, plan.arm(name), k, rung=rung, parts=dealing.parts_of(name)) for k in range(n)]
    return runs


def rounds(plan: ImpactPlan, train: Callable[[dict[str, int], set[str]], Scored]) -> tuple[Scored, list[dict]]:
    """Train arms in rounds, with more seeds each for open questions; return scores, and a row per question.

    Only arms of a finding are trained at the other rate, which can contradict nothing else.
    """
    wanted: dict[str, int] = {}
    checked: set[str] = set()
    rows: dict[str, dict] = {}
    remaining = {arm.name for arm in plan.arms}
    for look in plan.looks:
        wanted |= dict.fromkeys((arm.name for arm in plan.arms if arm.name in remaining), look.seeds)
        scored = train(wanted, checked)
        found = [row for row in compare_arms(plan, scored, look) if row["arm"] in remaining]
        if findings := [row for row in found if row["verdict"] in FINDINGS]:
            checked |= {name for row in findings for name in (row["arm"], row["against"])}
            scored = train(wanted, checked)
        check_rates(plan, scored, look, found)
        rows |= {row["arm"]: row for row in found}
        remaining = still_open(found)
        if not remaining:
            break
    return scored, list(rows.values())
