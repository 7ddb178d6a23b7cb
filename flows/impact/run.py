"""Run a plan: prepare the data, train in rounds, judge, report. Whatever is finished is not done again."""

from collections.abc import Callable

from upath import UPath

from flows.impact.judge import Scored, judge, questions
from flows.impact.plan import Plan, make_plan
from flows.impact.prepare import prepare
from flows.impact.recipe import ImpactRecipe
from flows.impact.report import write_report
from flows.impact.train import Run, base_run, check_epochs, ladder_runs, train_step
from flows.lock import alone
from pipelines.step import Engine, Progress, Silent, run_step, serial
from pretrain.impact.halving import go_on


def measure_impact(
    impact: ImpactRecipe,
    work: UPath,
    engine: Engine = serial,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> dict:
    """The report of an experiment, which ``IMPACT/impact.json`` holds too."""
    progress = progress or Silent()
    with alone(work):
        plan = make_plan(impact, work)
        prepare(plan, work, engine, progress)
        runs, rows = rounds(plan, work, engine, progress, tell)
        return write_report(plan, work, runs, rows)


def rounds(plan: Plan, work: UPath, engine: Engine, progress: Progress, tell) -> tuple[list[Run], list[dict]]:
    """All runs, and a row a question from the last look that it was part of."""
    runs, ladder = {}, ladder_runs(plan, work)
    going, rows = {arm.name for arm in plan.arms}, {}
    for look in plan.looks:
        for seed in range(look.seeds):
            for arm in plan.arms:
                if arm.name in going:
                    run = base_run(plan, work, arm, seed)
                    runs.setdefault(run.name, run)
        for warning in check_epochs([*runs.values(), *ladder], plan.impact.budget.max_epochs):
            tell(warning)
        run_step(train_step([*runs.values(), *ladder], work), engine, progress)
        found = judge(plan, Scored(work, list(runs.values())), look)
        rows |= {row["arm"]: row for row in found if row["arm"] in going or row["arm"] not in rows}
        going = go_on([question for question in questions(found) if question.arm in going])
        if not going:
            break
    return [*runs.values(), *ladder], list(rows.values())
