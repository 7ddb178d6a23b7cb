"""gristmill check"""

from itertools import chain, islice

import click

from gristmill.flows.cli.output import console, say, say_json, say_measures, say_violations


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--recipe", help="Apply all per-document steps of this recipe.")
@click.option("--filter", "names", multiple=True, metavar="NAME", help="Apply this filter with its default settings.")
@click.option("--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per document: id, violations, measures.")
def check(paths, recipe, names, changes, as_json):
    """Check the documents in PATH… against rules; print how many violate each. Nothing is written.

    Of a single document, print the violations and measures.

    \b
        gristmill check page.html --recipe clean-corpus
        gristmill check crawl.jsonl.zst --filter gopher --set gopher.min_words=30
    """
    from gristmill.flows.clean.recipe import parse_recipe, read_recipe
    from gristmill.flows.runs.check import check_documents, count
    from gristmill.pipelines.errors import RecipeError

    if bool(recipe) == bool(names):
        found = "both" if recipe else "neither"
        raise RecipeError(f"expected either --recipe or one or more --filter, found {found}")
    if recipe:
        settings = read_recipe(recipe, changes)
    else:
        settings = parse_recipe({"steps": {name: {} for name in names}}, "--filter", changes)
    verdicts = check_documents(settings, paths)
    if as_json:
        for verdict in verdicts:
            say_json(verdict)
        return
    first = list(islice(verdicts, 2))
    if len(first) == 1:
        return show(first[0])
    documents, rules = count(chain(first, verdicts))
    for (step, rule), violations in rules.most_common():
        say(f"{violations:>12,}  {violations / max(documents, 1):6.1%}  {step}.{rule}")
    console.print(f"of {documents:,} documents")


def show(verdict: dict) -> None:
    """Print the decision on one document."""
    steps = dict.fromkeys(each["step"] for each in verdict["violations"])
    say(verdict["id"], nl=False, bold=True)
    say(f"  removed by {', '.join(steps)}" if steps else "  kept")
    say_violations(verdict["violations"])
    say_measures(verdict["measures"])
