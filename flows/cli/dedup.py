"""gristmill dedup"""

import click

from gristmill.flows.cli.options import console, shown, work_options, writable
from gristmill.flows.escape import LINE

LEVELS = ["document", "sentence", "substring", "dataset"]


@click.command()
@click.option(
    "--level",
    type=click.Choice(["document", "sentence", "substring", "dataset"]),
    default="document",
    show_default=True,
)
@click.option("--threshold", type=float, metavar="J", help="Jaccard similarity of near-duplicates; 0.8 by default.")
@click.option("--near-threshold", type=float, metavar="J", help="Jaccard similarity of passages, for --level sentence.")
@click.option("--against", multiple=True, metavar="OTHER", help="A corpus, for --level dataset.")
@click.option("--against-index", "indices", multiple=True, metavar="DIR", help="An index kept of an earlier corpus.")
@click.option("--save-index", "saved", metavar="DIR", help="Keep an index of the documents that stay.")
@work_options
def dedup(corpus, level, threshold, near_threshold, against, indices, saved, work, engine, changes):
    """Deduplicate CORPUS….

    --level document drops exact and near copies of a document, sentence cuts repeated lines (or what
    --set repeated_passages.unit says; with --near-threshold also those nearly alike to one that stays), substring
    spans of 50 words wherever they begin and end. dataset drops what the corpora of --against have, no more.

    \b
        gristmill dedup crawl.jsonl.zst --threshold 0.7 --output work
        gristmill dedup crawl.jsonl.zst --level sentence --set repeated_passages.unit=paragraph
        gristmill dedup crawl.jsonl.zst --level sentence --near-threshold 0.9
        gristmill dedup crawl.jsonl.zst --level substring --set substrings.length=100
        gristmill dedup crawl.jsonl.zst --level dataset --against books.parquet
        gristmill dedup may.jsonl.zst --save-index may.index --output may
        gristmill dedup june.jsonl.zst --against-index may.index --output june
    """
    from gristmill.flows.clean.dedup_recipes import dedup_recipe, to_index
    from gristmill.flows.cli.clean import report, run
    from gristmill.pipelines.errors import WorkError

    if against and level != "dataset":
        raise click.UsageError("--against needs --level dataset; --against-index goes with --level document too")
    recipe = dedup_recipe(level, corpus, [*against, *indices], threshold, changes, near_threshold)
    folder, made = writable(work), to_index(against, recipe, work)
    for path, index in made.items():
        if path != index:
            keep(recipe, [path], index, engine)
    recipe = dedup_recipe(level, corpus, [*made.values(), *indices], threshold, changes, near_threshold)
    summary = run(recipe, folder, engine)
    report(summary, work)
    if level == "sentence":
        most_repeated(folder)
        console.print(f"  {work}/steps/repeated_passages/found   what was cut, and which document keeps it")
    elif level == "substring":
        console.print(f"  {work}/steps/substrings/found   what was cut, and which document keeps it")
    else:
        console.print(
            f"  {work}/steps/near_duplicates/clusters  who is like whom  gristmill duplicates ID --work {work}"
        )
    if saved and not summary["clean"]:
        raise WorkError(f"no document stays, so there is no index to keep in {saved}")
    if saved:
        keep(recipe, [f"{work}/clean"], saved, engine)
        console.print(f"  {saved}  the index kept   gristmill dedup NEW --against-index {saved}")


def most_repeated(folder) -> None:
    """The ten most copied passages, on standard output."""
    from gristmill.pipelines.storage.shards import list_shards, read_shard

    rows = [
        row
        for path in list_shards(folder / "steps" / "repeated_passages" / "top")
        for row in read_shard(path).to_pylist()
    ]
    click.echo(f"\n{'copies':>10}{'documents':>12}  passage")
    for row in rows[:10]:
        text = " ".join(row["text"].split())[:80].translate(LINE)
        click.echo(f"{row['copies']:>10,}{row['documents']:>12,}  {text}")


def keep(recipe, paths, index, engine) -> None:
    """Make an index, its progress shown."""
    from gristmill.flows.clean.dedup_index import save_index

    folder = writable(index)
    progress = shown(folder)
    try:
        save_index(recipe, paths, folder, engine, progress)
    finally:
        progress.stop()
