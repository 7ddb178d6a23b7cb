"""gristmill impact"""

from collections.abc import Iterator

import click

from gristmill.flows.cli.options import Real, engine_options, input_option, run_progress, writable
from gristmill.flows.cli.output import console, say, say_json, say_table


@click.group()
def impact():
    """Measure how much each step of a recipe changes a model's loss, with intervals (a data ablation).

    \b
        gristmill impact plan impact-small --input crawl.jsonl.zst --output impact
        gristmill impact run impact-small --input crawl.jsonl.zst --output impact
        gristmill impact report impact
    """


def experiment(command):
    """Add RECIPE, its input paths and the experiment's folder."""
    for option in (
        click.option("--set", "changes", multiple=True, metavar="TABLE.SETTING=VALUE", help="Change one setting."),
        click.option(
            "--output", "work", default="impact", show_default=True, metavar="FOLDER", help="Folder of the experiment."
        ),
        input_option,
        click.argument("recipe", metavar="RECIPE"),
    ):
        command = option(command)
    return command


@impact.command()
@experiment
@click.option("--pilot", is_flag=True, help="Train two runs of each arm, to measure how much equal runs differ.")
@click.option("--effect", type=Real(0, 10, min_open=True), help="Difference in bits per byte that is to be found.")
@engine_options
def plan(recipe, paths, work, engine, changes, pilot, effect):
    """Plan an experiment before any run: its arms, its seeds, the set that decides, and what it costs on this machine.

    A pilot tells which difference the seeds can show, and how many seeds another needs.

    \b
        gristmill impact plan impact-small --input crawl.jsonl.zst --output impact
        gristmill impact plan impact-small --input crawl.jsonl.zst --output impact --pilot --effect 0.01
    """
    from gristmill.flows.impact import power
    from gristmill.flows.impact.plan import make_plan
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.pretrain.impact.significance import smallest_effect

    settings, folder = read_impact(recipe, changes, paths), writable(work)
    made = make_plan(settings, folder, pilot)
    for arm in made.arms:
        against = f"against {arm.against}" if arm.against else ""
        say(f"{arm.name:<28}{len(arm.recipe.steps):>3} steps  {against}")
    cost = power.cost(made)
    lines = {
        "decided by": f"bits per byte of the set {settings.heldout.deciding!r}",
        "seeds": ", then ".join(str(look.seeds) for look in made.looks) + " for each arm without a verdict",
        "a run": f"{settings.train.steps:,} steps of {settings.train.batch_size} sequences",
        "cost": f"{cost.runs[0]} to {cost.runs[1]} runs, {cost.hours[0]:.2g} to {cost.hours[1]:.2g} CPU hours here",
    }
    for look in made.looks:
        least = smallest_effect(1.0, look.seeds, look.seeds, look.alpha)
        lines[f"{look.seeds} seeds"] = f"find a difference of {least:.1f} sd of one run with a probability of 80 %"
    for what, value in lines.items():
        say(f"{what:>12}  {value}")
    if pilot:
        progress = run_progress(folder)
        try:
            found = power.pilot(settings, folder, engine, progress, lambda line: console.print(line))
        finally:
            progress.stop()
        for line in budgets(found, effect):
            say(line)
    elif effect:
        raise click.UsageError("--effect needs --pilot, which measures how much equal runs differ")
    console.print(f"  {work}/plan.json", soft_wrap=True)


def budgets(found: dict, effect: float | None) -> Iterator[str]:
    """Yield lines about the spread that a pilot found, and what it means for budgets and for one effect."""
    from gristmill.flows.impact.power import seeds_for

    (least, most), alpha = found["sd_interval"], 1 - found["confidence"]
    yield (
        f"Equal runs differ with a standard deviation of {found['sd']:.4f} bits per byte (95 % interval {least:.4f} to "
        f"{most:.4f}, of 2 runs of {found['arms']} arms). A question"
    )
    for each in found["budgets"]:
        low, high = each["interval"]
        about = f"{each['seeds']:>4} seeds  finds {each['effect']:.4f} ({low:.4f} to {high:.4f}) four times in five"
        yield f"with {about}; {needs(each)}"
    if effect:
        first, (few, seeds, many) = (
            found["budgets"][0],
            (seeds_for(effect, sd, alpha) for sd in (least, found["sd"], most)),
        )
        if seeds is None:
            yield f"for {effect:g} bits per byte: more than 1,000 seeds"
        else:
            part = {key: first[key] * seeds / first["seeds"] for key in ("bytes", "tokens", "hours")}
            yield f"for {effect:g} bits per byte: {seeds} seeds ({few} to {many or 'over 1,000'}); {needs(part)}"


def needs(budget: dict) -> str:
    """Return what a question needs: text, tokens and time."""
    text = f"{budget['bytes'] / 1e6:.1f} MB in each arm, {budget['tokens'] / 1e6:.1f} M tokens"
    return f"needs {text}, {budget['hours']:.2g} CPU hours"


@impact.command()
@experiment
@engine_options
def run(recipe, paths, work, engine, changes):
    """Run an experiment. Each arm is cleaned, its models are trained, and their losses compared.

    A stopped run continues when the command is repeated.

    \b
        gristmill impact run impact-small --input crawl.jsonl.zst --output impact
        gristmill impact run impact-small --input crawl/ --set 'heldout.sets.books=["books.jsonl"]' \\
            --set budget.seeds=5
        gristmill impact run impact-small --input crawl/ --set arms.full=false \\
            --set 'arms.shares={half=[0, 0.5]}' --set train.seed=7
    """
    from gristmill.flows.impact.recipe import read_impact
    from gristmill.flows.impact.run import measure_impact

    settings, folder = read_impact(recipe, changes, paths), writable(work)
    progress = run_progress(folder)
    try:
        found = measure_impact(settings, folder, engine, progress, lambda line: console.print(line))
    finally:
        progress.stop()
    show(found, work)


@impact.command()
@click.argument("work", metavar="IMPACT")
@click.option("--json", "as_json", is_flag=True, help="Print impact.json instead of tables.")
def report(work, as_json):
    """Print the result of a finished experiment.

    \b
        gristmill impact report impact
    """
    from gristmill.flows.impact.report import read_report
    from gristmill.pipelines.storage.files import to_path

    found = read_report(to_path(work))
    if as_json:
        return say_json(found, indent=True)
    show(found, work)


def show(found: dict, work: str) -> None:
    """Print the result as tables, its disagreements first, a sentence per question last."""
    for line in (*found["disagreements"], *differences(found)):
        say(line)
    say()
    say_table(losses(found))
    say()
    for each in found["heldout"]:
        say(
            f"{each['set']:<12}{each['pieces']:>6,} pieces, {each['bytes'] / 1e3:,.0f} kB; "
            f"{each['overlapping']:,} of {each['candidates']:,} candidates overlap and are left out"
        )
    if scaling := found["scaling"]:
        for line in scaling_lines(scaling):
            say(line)
    for warning in found["warnings"]:
        say(f"Warning: {warning}")
    say()
    for line in (*found["legend"], *(row["sentence"] for row in found["questions"])):
        say(line)
    console.print(f"  {work}/impact.json    {work}/impact.png", soft_wrap=True)


def differences(found: dict) -> Iterator[str]:
    """Yield lines per question: three kinds of intervals, equal documents, the other rate, and the other sets."""
    for row in found["questions"]:
        correlation = "" if row["correlation"] is None else f", correlation of seeds {row['correlation']:+.2f}"
        price = row["bytes_per_millibit"]
        priced = "" if price is None else f", {price / 1e6:.2f} MB removed for each 0.001 gained"
        name = f"{row['arm']} against {row['against']}"
        yield f"{name:<32}{row['delta']:+.4f}   Welch        {_interval(row['interval'])}   {row['verdict']}{priced}"
        yield f"{'':42}paired       {_interval(row['paired'])}   p {row['adjusted']:.2g} after Holm{correlation}"
        seeds = " and ".join(map(str, row["seeds"]))
        yield f"{'':42}seeds × docs {_interval(row['bootstrap'])}   {seeds} seeds can show {row['smallest']:.4f}"
        others = {"equal documents": row["equal_documents"]} if row["equal_documents"] else {}
        if rate := row["other_rate"]:
            others[f"{rate['rate']} rate"] = rate | {"verdict": "" if rate["holds"] else "contradicts"}
        for title, other in (others | {f"on {name}": each for name, each in row["sets"].items()}).items():
            interval = _interval(other["interval"])
            yield f"{'  ' + title:<32}{other['delta']:+.4f}   {'':12} {interval}   {other['verdict']}"


def losses(found: dict):
    """Return a table with a row per arm: the text it read, and its loss on every set."""
    from rich.table import Table

    name = found["test"]["decision_set"]
    sets = [name, *(other for other in found["arms"][0]["losses"] if other != name)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("arm")
    for title in ("parameters", "runs", "MB", "distinct", "near", "tokens", "MB read", "unique", "epochs", "effective"):
        table.add_column(title, justify="right")
    for each in sets:
        table.add_column(f"{each}{'*' if each == name else ''}", justify="right")
    for arm in found["arms"]:
        numbers = (f"{arm['trained_tokens']:,}", f"{arm['source_bytes'] / 1e6:.2f}", f"{arm['unique_tokens']:,}")
        table.add_row(
            arm["name"],
            f"{arm['parameters'] / 1e6:.2g} M",
            str(arm["runs"]),
            f"{arm['bytes'] / 1e6:.1f}",
            *(f"{arm['distinct'][each]:.1%}" for each in ("exact", "near")),
            *numbers,
            f"{arm['epochs']:.3f}",
            f"{arm['effective_tokens']:,}",
            *(f"{arm['losses'][each]['mean']:.4f}" for each in sets),
        )
    return table


def scaling_lines(scaling: dict) -> Iterator[str]:
    """Yield the lines about scaling runs."""
    for each in scaling["sizes"]:
        tau = _estimate({"value": each["tau"], "interval": each["tau_interval"]})
        yield (
            f"{each['rung']:<12} {each['parameters'] / 1e6:.2g} M parameters, {each['tokens']:,} tokens: ranks "
            f"{each['pairs']:.0%} of the pairs of arms like the largest run (tau {tau})"
        )
    for law in filter(None, (scaling["law"], scaling["kaplan"])):
        yield f"{law['form']}: " + ", ".join(f"{name} {_estimate(each)}" for name, each in law["values"].items())
        unseen = law["largest_error"]
        yield f"  residual {law['residual']:.2%}" + ("" if unseen is None else f", {unseen:.2%} on unseen largest runs")
        if split := law["split"]:
            yield f"  model size as FLOPs^{_estimate(split['a'])}, tokens as FLOPs^{_estimate(split['b'])}"
            for best in split["best"]:
                yield (
                    f"  {best['flops']:.2g} FLOPs: {_estimate(best['size'])} parameters, {_estimate(best['tokens'])} "
                    f"tokens, loss {_estimate(best['loss'])}"
                )
    for arm, worth in (scaling["worth"] or {}).items():
        low, high = worth["interval"]
        yield f"  a token of {arm} is worth {worth['tokens']:.2f} [{low:.2f}, {high:.2f}]"
    yield scaling["note"]


def _estimate(each: dict) -> str:
    low, high = each["interval"]
    return f"{each['value']:.4g} [{low:.4g}, {high:.4g}]"


def _interval(pair: list[float] | None) -> str:
    return f"{'–':^18}" if pair is None else f"[{pair[0]:+.4f}, {pair[1]:+.4f}]"
