"""gristmill tune"""

import click

from gristmill.flows.cli.options import (
    budget_option,
    engine_options,
    experiment_options,
    input_option,
    run_progress,
    writable,
)
from gristmill.flows.cli.output import console, say, say_json, say_table


@click.command()
@click.argument("recipe", metavar="RECIPE")
@click.argument("more", nargs=-1, metavar="[THRESHOLD]...")
@click.option(
    "--thresholds",
    multiple=True,
    metavar="STEP.SETTING=LOW..HIGH",
    help="Search this range of a threshold, or the values A,B,C; more may follow.",
)
@budget_option
@experiment_options
@input_option
@click.option("--output", "work", default="tune", show_default=True, metavar="FOLDER", help="Folder of the search.")
@click.option("--json", "as_json", is_flag=True, help="Print tune.json instead of tables.")
@engine_options
def tune(recipe, more, thresholds, budget, experiment, changes, paths, work, as_json, engine):
    """Choose thresholds of a recipe by the loss of small models on held-out text.

    The corpus is cleaned and tokenized once; a candidate is a what-if of its thresholds. Successive halving gives
    the better candidates more runs. The best one is then compared with the recipe on a guard: other documents, other
    held-out text and other seeds. If it holds, FOLDER/tuned.toml is a recipe with the new thresholds. A stopped
    search continues when the command is repeated.

    \b
        gristmill tune clean-corpus --input crawl.jsonl.zst --budget 2h \\
            --thresholds gopher.min_words=20..80 noise.max_mojibake=0.001..0.1 \\
            --set 'heldout.sets.books=["books.jsonl"]'
    """
    from gristmill.flows.clean.recipe import read_recipe
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.proxies.budget import parse_budget
    from gristmill.flows.tune.report import extends
    from gristmill.flows.tune.run import tune as search
    from gristmill.flows.tune.settings import Tuning
    from gristmill.flows.tune.space import parse_spans

    spans, limit = parse_spans([*thresholds, *more]), parse_budget(budget)
    cleaning = read_recipe(recipe, (), paths)
    proxy = read_impact(experiment, changes, paths or tuple(path for each in cleaning.input for path in each.paths))
    folder = writable(work)
    progress = run_progress(folder)
    try:
        tuning = Tuning(cleaning, extends(recipe, folder), spans, limit, proxy)
        found = search(tuning, folder, engine, progress, lambda line: console.print(line))
    finally:
        progress.stop()
    if as_json:
        return say_json(found, indent=True)
    show(found, work)


def show(found: dict, work: str) -> None:
    """Print the candidates, the notes, and the result last."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("candidate")
    for title in ("documents", "MB", "runs", "loss"):
        table.add_column(title, justify="right")
    order = sorted(found["candidates"], key=lambda each: (-each["rounds"][-1]["seeds"], each["rounds"][-1]["loss"]))
    for each in order:
        name, last = ", ".join(each["changes"]) or "the recipe", each["rounds"][-1]
        size = f"{each['documents']:,}", f"{each['bytes'] / 1e6:.2f}"
        table.add_row(name, *size, str(last["seeds"]), f"{last['loss']:.4f}")
    say_table(table)
    say()
    for line in (*found["notes"], *(each["sentence"] for each in found["sets"]), found["headline"]):
        say(line)
    files = [f"{work}/{name}" for name in ("tune.json", found["recipe"]) if name]
    console.print("  " + "    ".join(files), soft_wrap=True)
