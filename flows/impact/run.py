"""Run a plan: prepare the data, train in rounds, judge, report. Whatever is finished is not done again."""

from collections.abc import Callable

from upath import UPath

from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.plan import ImpactPlan, make_plan
from gristmill.flows.impact.prepare import prepare
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.impact.report import write_report
from gristmill.flows.impact.train import base_run, check_epochs, ladder_runs, read_scored, train_step
from gristmill.flows.impact.verdicts import Scored, judge, questions
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial, run_step
from gristmill.pretrain.impact.successive_halving import still_open


def measure_impact(
    impact: ImpactRecipe,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict:
    """The report of an experiment, which ``IMPACT/impact.json`` holds too."""
    progress, told = progress or NullProgress(), set()
    with exclusive_run(work):
        plan = make_plan(impact, work)
        prepare(plan, work, engine, progress)
        ladder = ladder_runs(plan, work)

        def train(wanted: dict[str, int]) -> Scored:
            runs = [base_run(plan, work, plan.arm(arm), seed) for arm, n in wanted.items() for seed in range(n)]
            runs.sort(key=lambda run: run.training.seed)  # a seed of every arm before the next: a look at any time
            for warning in check_epochs([*runs, *ladder], impact.budget.max_epochs):
                if warning not in told:
                    tell(warning)
                told.add(warning)
            run_step(train_step([*runs, *ladder], work), engine, progress)
            return read_scored(work, runs)

        scored, rows = rounds(plan, train)
        return write_report(plan, work, scored, ladder, rows)


def rounds(plan: ImpactPlan, train: Callable[[dict[str, int]], Scored]) -> tuple[Scored, list[dict]]:
    """Train so many seeds of each arm, look, and go on with what is worth it: a row a question from its last look."""
    wanted, going, rows = {}, {arm.name for arm in plan.arms}, {}
    for look in plan.looks:
        wanted |= dict.fromkeys((arm.name for arm in plan.arms if arm.name in going), look.seeds)
        scored = train(wanted)
        found = judge(plan, scored, look)
        rows |= {row["arm"]: row for row in found if row["arm"] in going}
        going = still_open([each for each in questions(found) if each.arm in going])
        if not going:
            break
    return scored, list(rows.values())
