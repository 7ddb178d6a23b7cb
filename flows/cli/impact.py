"""gristmill impact"""

import click

from flows.cli.escape import LINE
from flows.cli.options import console, engine_options, shown, writable


@click.group()
def impact():
    """Measure which step of a recipe helped a model, by how much, and how sure that is.

    \b
        gristmill impact plan recipes/impact-small.toml --input crawl.jsonl.zst --output impact
        gristmill impact run recipes/impact-small.toml --input crawl.jsonl.zst --output impact
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
        gristmill impact plan recipes/impact-small.toml --input crawl.jsonl.zst --output impact
    """
    from flows.impact.plan import make_plan
    from flows.impact.recipe import read_impact
    from pretrain.impact.statistics import smallest_effect

    settings = read_impact(recipe, changes, paths)
    made = make_plan(settings, writable(work))
    for arm in made.arms:
        against = f"against {arm.against}" if arm.against else ""
        click.echo(f"{arm.name:<28}{len(arm.recipe.steps):>3} steps  {against}")
    told = {
        "judged by": f"bits per byte of the set {settings.heldout.verdict!r}",
        "seeds": ", then ".join(str(look.seeds) for look in made.looks) + " of each arm whose question is open",
        "a run": f"{settings.train.steps:,} steps of {settings.train.batch} sequences",
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
        gristmill impact run recipes/impact-small.toml --input crawl.jsonl.zst --output impact
        gristmill impact run recipes/impact-small.toml --input crawl/ --set 'heldout.sets.books=["books.jsonl"]' \\
            --set heldout.verdict=books --set budget.seeds=5
    """
    from flows.impact.recipe import read_impact
    from flows.impact.run import measure_impact

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

    from flows.impact.report import read_report
    from pipelines.files import place

    found = read_report(place(work))
    if as_json:
        return click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    show(found, work)


def show(found: dict, work: str) -> None:
    """Tables on standard output, the headline last."""
    from flows.cli.clean import render

    click.echo(render(differences(found)))
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


def differences(found: dict):
    """A row a question."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in ("Δ bpb", "Welch", "paired", "seeds × docs", "p, Holm", "could see", "MB per 0.001"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for row in found["questions"]:
        price = row["bytes_per_millibit"]
        table.add_row(
            f"{row['arm']} against {row['against']}".translate(LINE),
            f"{row['delta']:+.4f}",
            *(_interval(row[key]) for key in ("interval", "paired", "bootstrap")),
            f"{row['adjusted']:.3f}",
            f"{row['smallest']:.4f}",
            "–" if price is None else f"{price / 1e6:.2f}",
            row["verdict"],
        )
    return table


def losses(found: dict):
    """A row an arm: what it read, and the loss on every set."""
    from rich.table import Table

    name = found["verdict"]["set"]
    sets = [name, *(other for other in found["arms"][0]["losses"] if other != name)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("arm")
    for title in ("runs", "MB there", "tokens", "source MB", "unique", "epochs", "effective"):
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
            f"{arm['epochs']:.2f}",
            f"{arm['effective_tokens']:,}",
            *(f"{arm['losses'][each]['mean']:.4f} ± {arm['losses'][each]['sd']:.4f}" for each in sets),
        )
    return table


def law(scaling: dict):
    """Lines about the ladder."""
    for each in scaling["sizes"]:
        yield f"{each['rung']:<12} ranks {each['pairs_agreed']:.0%} of the pairs of arms as the largest does"
    if scaling["law"]:
        numbers = (f"{k} {v['value']:.4g} {_interval(v['interval'])}" for k, v in scaling["law"]["values"].items())
        yield f"{scaling['law']['form']}: " + ", ".join(numbers)
        for arm, worth in scaling["worth"].items():
            yield f"  a token of {arm} is worth {worth['tokens']:.2f} {_interval(worth['interval'])}".translate(LINE)
    yield scaling["note"]


def _interval(pair) -> str:
    return "–" if pair is None else f"[{pair[0]:+.4g}, {pair[1]:+.4g}]"
