"""gristmill impact"""

from collections.abc import Iterator

import click

from gristmill.flows.cli.options import console, engine_options, shown, writable
from gristmill.flows.escape import LINE


@click.group()
def impact():
    """Measure which step of a recipe helped a model, by how much, and how sure that is.

    \b
        gristmill impact plan impact-small --input crawl.jsonl.zst --output impact
        gristmill impact run impact-small --input crawl.jsonl.zst --output impact
        gristmill impact report impact
    """


def experiment(command):
    """RECIPE, what to read, where to write."""
    for option in (
        click.option("--set", "changes", multiple=True, metavar="TABLE.SETTING=VALUE", help="Change one setting."),
        click.option("--output", "work", default="impact", show_default=True, metavar="IMPACT", help="Its folder."),
        click.option("--input", "paths", multiple=True, metavar="PATH", help="Files, folders, globs or URLs to read."),
        click.argument("recipe", metavar="RECIPE"),
    ):
        command = option(command)
    return command


@impact.command()
@experiment
def plan(recipe, paths, work, changes):
    """Write down what will be run and by which set it will be judged, before there are figures.

    \b
        gristmill impact plan impact-small --input crawl.jsonl.zst --output impact
    """
    from gristmill.flows.impact.plan import make_plan
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.pretrain.impact.significance import smallest_effect

    settings = read_impact(recipe, changes, paths)
    made = make_plan(settings, writable(work))
    for arm in made.arms:
        against = f"against {arm.against}" if arm.against else ""
        click.echo(f"{arm.name:<28}{len(arm.recipe.steps):>3} steps  {against}")
    told = {
        "judged by": f"bits per byte of the set {settings.heldout.verdict!r}",
        "seeds": ", then ".join(str(look.seeds) for look in made.looks) + " of each arm whose question is open",
        "a run": f"{settings.train.steps:,} steps of {settings.train.batch_size} sequences",
    }
    for look in made.looks:
        least = smallest_effect(1.0, look.seeds, look.seeds, look.alpha)
        told[f"{look.seeds} seeds"] = f"find {least:.1f} times what runs of one arm differ by, four times in five"
    for what, value in told.items():
        click.echo(f"{what:>12}  {value}")
    console.print(f"  {work}/plan.json", soft_wrap=True, highlight=False)


@impact.command()
@experiment
@engine_options
def run(recipe, paths, work, engine, changes):
    """Run the experiment: clean each arm, train its models, judge them. Goes on where it was stopped.

    \b
        gristmill impact run impact-small --input crawl.jsonl.zst --output impact
        gristmill impact run impact-small --input crawl/ --set 'heldout.sets.books=["books.jsonl"]' \\
            --set heldout.verdict=books --set budget.seeds=5
    """
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.impact.run import measure_impact

    settings, folder = read_impact(recipe, changes, paths), writable(work)
    progress = shown(folder)
    try:
        found = measure_impact(settings, folder, engine, progress, lambda line: console.print(line, highlight=False))
    finally:
        progress.stop()
    show(found, work)


@impact.command()
@click.argument("work", metavar="IMPACT")
@click.option("--json", "as_json", is_flag=True, help="Print impact.json.")
def report(work, as_json):
    """Print what a finished experiment found.

    \b
        gristmill impact report impact
    """
    import orjson

    from gristmill.flows.impact.report import read_report
    from gristmill.pipelines.storage.files import to_path

    found = read_report(to_path(work))
    if as_json:
        return click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    show(found, work)


def show(found: dict, work: str) -> None:
    """Tables on standard output, the headline last."""
    from gristmill.flows.cli.clean import render

    for line in differences(found):
        click.echo(line)
    click.echo()
    click.echo(render(losses(found)))
    click.echo()
    for each in found["heldout"]:
        click.echo(
            f"{each['set'].translate(LINE):<12}{each['pieces']:>6,} pieces, {each['bytes'] / 1e3:,.0f} kB; left out as "
            f"overlapping {each['overlapping']:,} of {each['candidates']:,}"
        )
    if scaling := found["scaling"]:
        for line in law(scaling):
            click.echo(line)
    for warning in found["warnings"]:
        click.echo(f"Warning: {warning}".translate(LINE))
    click.echo()
    click.echo(found["headline"].translate(LINE))
    console.print(f"  {work}/impact.json    {work}/impact.png", soft_wrap=True, highlight=False)


def differences(found: dict) -> Iterator[str]:
    """Three lines a question: what is known of it by each kind of interval."""
    for row in found["questions"]:
        correlation = "" if row["correlation"] is None else f", correlation of seeds {row['correlation']:+.2f}"
        price = row["bytes_per_millibit"]
        priced = "" if price is None else f", {price / 1e6:.2f} MB removed for each 0.001 gained"
        name = f"{row['arm']} against {row['against']}".translate(LINE)
        yield f"{name:<32}{row['delta']:+.4f}   Welch        {_interval(row['interval'])}   {row['verdict']}{priced}"
        yield f"{'':42}paired       {_interval(row['paired'])}   p {row['adjusted']:.2g} after Holm{correlation}"
        seeds = " and ".join(map(str, row["seeds"]))
        yield f"{'':42}seeds × docs {_interval(row['bootstrap'])}   {seeds} seeds could show {row['smallest']:.4f}"


def losses(found: dict):
    """A row an arm: what it read, and the loss on every set."""
    from rich.table import Table

    name = found["verdict"]["set"]
    sets = [name, *(other for other in found["arms"][0]["losses"] if other != name)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("arm")
    for title in ("runs", "MB there", "tokens", "MB read", "unique", "epochs", "effective"):
        table.add_column(title, justify="right")
    for each in sets:
        table.add_column(f"{each.translate(LINE)}{'*' if each == name else ''}", justify="right")
    for arm in found["arms"]:
        numbers = (f"{arm['trained_tokens']:,}", f"{arm['source_bytes'] / 1e6:.2f}", f"{arm['unique_tokens']:,}")
        table.add_row(
            arm["name"].translate(LINE),
            str(arm["runs"]),
            f"{arm['bytes'] / 1e6:.1f}",
            *numbers,
            f"{arm['epochs']:.3f}",
            f"{arm['effective_tokens']:,}",
            *(f"{arm['losses'][each]['mean']:.4f}" for each in sets),
        )
    return table


def law(scaling: dict) -> Iterator[str]:
    """Lines about the ladder."""
    for each in scaling["sizes"]:
        yield f"{each['rung']:<12} ranks {each['pairs_agreed']:.0%} of the pairs of arms as the largest does"
    if scaling["law"]:
        values = scaling["law"]["values"].items()
        yield (
            scaling["law"]["form"]
            + ": "
            + ", ".join(
                f"{name} {each['value']:.4g} [{each['interval'][0]:.4g}, {each['interval'][1]:.4g}]"
                for name, each in values
            )
        )
        for arm, worth in scaling["worth"].items():
            low, high = worth["interval"]
            yield f"  a token of {arm} is worth {worth['tokens']:.2f} [{low:.2f}, {high:.2f}]".translate(LINE)
    yield scaling["note"]


def _interval(pair: list[float] | None) -> str:
    return f"{'–':^18}" if pair is None else f"[{pair[0]:+.4f}, {pair[1]:+.4f}]"
