"""gristmill decontaminate"""

import click

from gristmill.flows.cli.options import work_options, writable
from gristmill.flows.cli.output import console, say

ACTIONS = ["drop", "cut", "report"]


@click.command()
@click.option(
    "--against", multiple=True, required=True, metavar="EVAL", help="Evaluation set: JSON lines, Parquet, or hf:NAME."
)
@click.option(
    "--action",
    type=click.Choice(ACTIONS),
    default="drop",
    show_default=True,
    help="Drop documents, cut items, or report.",
)
@work_options
def decontaminate(corpus, against, action, work, engine, changes):
    """Find the items of evaluation sets in CORPUS…; drop the documents, cut the items, or only report.

    Questions are matched by their 6-grams of words, weighted by rarity. FOLDER/steps/decontaminate holds a report by
    item (items) and one by document (found). Use --set to name fields with unusual names.

    \b
        gristmill decontaminate crawl.jsonl.zst --against gsm8k.jsonl --against mmlu.parquet --output work
        gristmill decontaminate crawl.jsonl.zst --against quiz.jsonl --set decontaminate.question=doc.query
    """
    from gristmill.flows.clean.dedup_recipes import contamination_recipe
    from gristmill.flows.cli.clean import report, run
    from gristmill.flows.runs.contamination import by_benchmark

    recipe, folder = contamination_recipe(corpus, against, action, changes), writable(work)
    report(run(recipe, folder, engine), work)
    say()
    say(f"{'benchmark':24}{'items':>10}{'unsearched':>12}{'found':>10}{'documents':>12}")
    for name, items, short, found, documents in by_benchmark(folder, "decontaminate").iter_rows():
        say(f"{name:24}{items:>10,}{short:>12,}{found:>10,}{documents:>12,}")
    console.print(f"\n  gristmill inspect {work}/steps/decontaminate/found    document, item, coverage and position")
    console.print(f"  gristmill inspect {work}/steps/decontaminate/items    item and the documents that contain it")
