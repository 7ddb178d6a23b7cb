"""gristmill judge"""

import click

from gristmill.flows.cli.options import console


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--recipe", help="Judge by all per-document steps of this recipe.")
@click.option("--filter", "names", multiple=True, metavar="NAME", help="Judge by this filter's default settings.")
@click.option("--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a document: id, broken rules, measures.")
def judge(paths, recipe, names, changes, as_json):
    """Say of the documents in PATH… which rules they break, without writing anything.

    \b
        gristmill judge page.html --recipe clean-corpus
        gristmill judge crawl.jsonl.zst --filter gopher --set gopher.min_words=30
    """
    import orjson

    from gristmill.flows.clean.recipe import parse_recipe, read_recipe
    from gristmill.flows.runs.check import check_documents, count
    from gristmill.pipelines.errors import RecipeError

    if bool(recipe) == bool(names):
        raise RecipeError("judge by a --recipe or by one or more --filter, and not by both")
    if recipe:
        settings = read_recipe(recipe, changes)
    else:
        settings = parse_recipe({"steps": {name: {} for name in names}}, "--filter", changes)
    verdicts = check_documents(settings, paths)
    if as_json:
        for verdict in verdicts:
            click.echo(orjson.dumps(verdict).decode())
        return
    documents, rules = count(verdicts)
    for (step, rule), broke in rules.most_common():
        click.echo(f"{broke:>12,}  {broke / max(documents, 1):6.1%}  {step}.{rule}")
    console.print(f"of {documents:,} documents")
