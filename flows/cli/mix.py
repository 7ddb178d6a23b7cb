"""gristmill mix"""

import click

from gristmill.flows.cli.options import (
    Real,
    budget_option,
    engine_options,
    experiment_options,
    run_progress,
    whole,
    work_argument,
    writable,
)
from gristmill.flows.cli.output import console, say, say_json, say_table


@click.command()
@work_argument
@click.option("--by", "column", default="source", show_default=True, metavar="COLUMN", help="Column of the sources.")
@budget_option
@experiment_options
@click.option(
    "--train-tokens",
    type=whole(1, 10**15),
    help="Tokens of the model that the mixture is for; without it, as many as the corpus has.",
)
@click.option(
    "--max-epochs", type=Real(0.01, 1000), default=4.0, show_default=True, help="Limit for repeats of a source."
)
@click.option(
    "--kl",
    type=Real(0, 1000),
    default=0.1,
    show_default=True,
    help="Penalty for the distance from the natural shares, in bits per byte for each unit of KL.",
)
@click.option("--output", "target", default="mix", show_default=True, metavar="FOLDER", help="Folder of the search.")
@click.option("--json", "as_json", is_flag=True, help="Print mix.json instead of tables.")
@engine_options
def mix(work, column, budget, experiment, changes, train_tokens, max_epochs, kl, target, as_json, engine):
    """Choose the shares of sources by the loss of small models on held-out text.

    Runs on mixtures drawn around the natural one are fitted by a law. Its best mixture is compared with the natural
    and with equal shares on a guard: other held-out text, other seeds. If it is better than the natural one,
    FOLDER/mix.toml holds the tables for a recipe. Runs are kept: a stopped search continues, a larger budget adds
    runs, and a corpus with one more source uses them again.

    \b
        gristmill mix work --by source --budget 2h --set 'heldout.sets.books=["books.jsonl"]'
    """
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.mix.run import mix as search
    from gristmill.flows.mix.settings import Mixing
    from gristmill.flows.proxies.budget import parse_budget

    limit, proxy = parse_budget(budget), read_impact(experiment, changes, (work,))
    folder = writable(target)
    progress = run_progress(folder)
    try:
        mixing = Mixing(work, column, limit, proxy, train_tokens, max_epochs, kl)
        found = search(mixing, folder, engine, progress, lambda line: console.print(line))
    finally:
        progress.stop()
    if as_json:
        return say_json(found, indent=True)
    show(found, target)


def show(found: dict, work: str) -> None:
    """Print the shares, the predictions, the notes, and the result last."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("source")
    for title in ("MB", "natural", "stratified", "best", "95 % interval", "cap"):
        table.add_column(title, justify="right")
    for row in found["sources"]:
        low, high = row["interval"]
        natural, equal, best, cap = (f"{row[key]:.1%}" for key in ("natural", "stratified", "share", "cap"))
        size = f"{row['bytes'] / 1e6:.2f}"
        table.add_row(row["name"], size, natural, equal, best, f"{low:.1%} to {high:.1%}", cap)
    say_table(table)
    say()
    for row in found["predicted"]:
        low, high = row["interval"]
        say(f"Predicted gain over {row['against']}: {row['gain']:.4f} (95 % interval {low:+.4f} to {high:+.4f})")
    for line in (*found["notes"], found["headline"]):
        say(line)
    files = [f"{work}/{name}" for name in ("mix.json", found["written"]) if name]
    console.print("  " + "    ".join(files), soft_wrap=True)
