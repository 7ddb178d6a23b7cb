"""gristmill worth"""

import click

from gristmill.flows.cli.options import (
    Real,
    engine_options,
    experiment_options,
    input_option,
    run_progress,
    whole,
    writable,
)
from gristmill.flows.cli.output import console, say, say_json


@click.command()
@click.argument("recipe", metavar="RECIPE")
@click.argument("rules", nargs=-1, metavar="[STEP.RULE]...")
@click.option("--seeds", type=whole(2, 100), default=6, show_default=True, help="Number of runs for each rule.")
@click.option(
    "--share", type=Real(0.01, 1), default=0.25, show_default=True, help="Share of removed text in what a run reads."
)
@experiment_options
@input_option
@click.option(
    "--output", "work", default="tune", show_default=True, metavar="FOLDER", help="Folder, which may be that of `tune`."
)
@click.option("--json", "as_json", is_flag=True, help="Print the rows of worth.json.")
@engine_options
def worth(recipe, rules, seeds, share, experiment, changes, paths, work, as_json, engine):
    """Measure whether the documents that a rule alone removed would have helped a small model.

    Models read a share of their tokens from these documents, in place of kept text, and are compared with models
    that read kept text alone. Without a rule, the rules with the most text of their own are measured. The explorer
    shows the results beside the rules of the run in FOLDER/run.

    \b
        gristmill worth clean-corpus gopher.words_too_low --input crawl.jsonl.zst --output tune
    """
    from gristmill.flows.clean.recipe import read_recipe
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.proxies.budget import Budget
    from gristmill.flows.tune.settings import Tuning
    from gristmill.flows.worth.run import measure_worth

    cleaning = read_recipe(recipe, (), paths)
    proxy = read_impact(experiment, changes, paths or tuple(path for each in cleaning.input for path in each.paths))
    folder = writable(work)
    progress = run_progress(folder)
    try:
        tuning = Tuning(cleaning, recipe, [], Budget(None, 1), proxy)
        on_log = console.print
        found = measure_worth(tuning, list(rules), seeds, share, folder, engine, progress, lambda line: on_log(line))
    finally:
        progress.stop()
    if as_json:
        return say_json(found, indent=True)
    for row in found:
        say(row["sentence"])
    console.print(f"  {work}/run/worth.json", soft_wrap=True)
